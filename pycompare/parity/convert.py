"""Python values to and from nodes, the form in which they cross to R.

A node is `(kind, data, attributes)`. `kind` is one of R's: "NULL", "logical", "integer", "double", "complex",
"character", "raw" or "list". `data` is what R's own memory holds, column by column where there are dimensions: int32
with NA as the least number, float64, complex128, bytes; for text `(zero-terminated UTF-8, count, where missing)`; for a
list its nodes. `attributes` are nodes under R's names for them. Nothing here needs R.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from pycompare.parity import times

Node = tuple[str, Any, dict[str, Any]]

NA_INTEGER = -(2**31)
NA_REAL = np.array([0x7FF00000000007A2], dtype=np.uint64).view(np.float64)[0]  # R's NA is this one of the NaNs
EXACT_WHOLE = 2**53
MOST_LEVELS = 200  # of lists within lists: Python's own limit of recursion is near; child.py holds it, too
KNOWN_CLASSES = {"factor", "ordered", "table", "AsIs", "noquote"}


def to_node(value: Any, level: int = 0) -> Node:
    """Return a Python value, which lies within `level` lists, as a node.

    Raises TypeError for a value without an R form and ValueError for one that R cannot hold exactly.
    """
    if value is None:
        return "NULL", None, {}
    if value is pd.NA:
        return _logical(np.array([False]), np.array([True]))
    if isinstance(value, bytes | bytearray):
        return "raw", bytes(value), {}
    if isinstance(value, str):
        return _text([value])
    if isinstance(value, bool | int | float | complex):
        return _whole(np.array([value])) if type(value) is int else _vector(np.array([value]))
    if level > MOST_LEVELS:
        raise ValueError(f"lists must be nested at most {MOST_LEVELS} levels deep; got more. Flatten them.")
    if isinstance(value, list | tuple):
        return "list", [to_node(item, level + 1) for item in value], {}
    if isinstance(value, dict):
        names = _text(_all_text("a dict's keys", value))
        return "list", [to_node(item, level + 1) for item in value.values()], {"names": names}
    return _array_node(value)


def plain_text(what: str, value: Any) -> str:
    """`value` as a plain str that R can hold, without the NUL and the lone surrogates that it cannot."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be text; got {value!r}. Pass a str.")
    if "\0" in value:
        raise ValueError(f"{what} must be free of NUL characters, which R's cannot hold; got {value!r}. Remove them.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{what} must be Unicode; got the lone surrogate in {value!r}. Decode its bytes anew.")
    return str.__str__(value)


def _array_node(value: Any) -> Node:
    if np.ma.is_masked(value):
        raise ValueError(
            f"`value` must be free of masked entries; got {int(np.ma.getmaskarray(value).sum())} masked. Fill them."
        )
    if isinstance(value, pd.DataFrame):
        return _data_frame(value)
    if isinstance(value, pd.Series):
        kind, data, attributes = _vector(value.array)
        return kind, data, attributes if _is_default(value.index) else attributes | {"names": _labels(value.index)}
    if isinstance(value, pd.Index):
        return _vector(value.array)
    if isinstance(value, ExtensionArray):
        return _vector(value)
    if isinstance(value, np.ndarray) or hasattr(value, "__array__"):
        array = np.asarray(value)
        kind, data, attributes = _vector(array.ravel(order="F"))
        return kind, data, attributes | {"dim": to_node(np.array(array.shape))} if array.ndim > 1 else attributes
    raise TypeError(f"`value` must have an R form; got {type(value).__name__}. Send numbers, text, lists or frames.")


def _vector(values: Any) -> Node:
    """Return a 1-D numpy array or pandas extension array as a node."""
    if isinstance(values, pd.Categorical):
        return _factor(values)
    if isinstance(values, pd.arrays.SparseArray):
        values = np.asarray(values)
    if values.dtype == object:
        values = pd.array(np.asarray(values))
    if type(values) is pd.arrays.NumpyExtensionArray:
        values = values.to_numpy()
    missing = values.isna() if isinstance(values, ExtensionArray) else None
    kind = values.dtype.kind
    if kind == "b":
        return _logical(_filled(values, False, np.bool_), missing)
    if kind in "iu":
        return _whole(_filled(values, 0, np.uint64 if kind == "u" else np.int64), missing)
    if kind == "f" and values.dtype.itemsize <= 8:
        return "double", np.ascontiguousarray(_filled(values, NA_REAL, np.float64)), {}
    if kind == "c" and values.dtype.itemsize <= 16:
        return "complex", values.astype(np.complex128), {}
    if kind in "OUT":
        missing = pd.isna(values)
        return _text(_all_text("an object array", np.where(missing, "", np.asarray(values, dtype=object))), missing)
    raise TypeError(f"`value` must have an R form; got dtype {values.dtype}. Send it as text or as numbers.")


def _filled(values: Any, missing: Any, dtype: type[np.generic]) -> Any:
    if isinstance(values, ExtensionArray):
        return values.to_numpy(dtype=dtype, na_value=missing)
    return values.astype(dtype)


def _logical(values: Any, missing: Any = None) -> Node:
    return "logical", np.where(False if missing is None else missing, NA_INTEGER, values).astype(np.int32), {}


def _whole(values: Any, missing: Any = None) -> Node:
    """Return whole numbers as R integers, or as doubles where one of them needs more than 32 bits."""
    least, largest = (int(values.min()), int(values.max())) if values.size else (0, 0)
    where = np.zeros(values.shape, dtype=bool) if missing is None else missing
    if least > NA_INTEGER and largest < -NA_INTEGER:
        return "integer", np.where(where, NA_INTEGER, values).astype(np.int32), {}
    if least >= -EXACT_WHOLE and largest <= EXACT_WHOLE:
        return "double", np.where(where, NA_REAL, values.astype(np.float64)), {}
    worst = largest if largest > EXACT_WHOLE else least
    raise ValueError(f"whole numbers must lie within 2^53 of 0, where doubles are exact; got {worst}. Send it as text.")


def _text(strings: Sequence[str], missing: Any = None) -> Node:
    try:
        content = "\0".join([*strings, ""]).encode()
    except UnicodeEncodeError:
        content = b""
    if content.count(0) != len(strings):
        for text in strings:
            plain_text("text", text)
    where = missing if missing is not None and missing.any() else None
    return "character", (content, len(strings), where), {}


def _all_text(what: str, values: Any) -> list[str]:
    strings = list(values)
    if wrong := [value for value in strings if not isinstance(value, str)]:
        raise TypeError(f"{what} must be text for R; got {wrong[0]!r}. Use str, or a list for values of several kinds.")
    return strings


def _factor(values: pd.Categorical) -> Node:
    codes = np.where(values.codes < 0, NA_INTEGER, values.codes.astype(np.int32) + 1).astype(np.int32)
    classes = ["ordered", "factor"] if values.ordered else ["factor"]
    return "integer", codes, {"levels": _text([str(level) for level in values.categories]), "class": _text(classes)}


def _data_frame(frame: pd.DataFrame) -> Node:
    names = _all_text("a frame's column names", frame.columns)
    rows = to_node(np.arange(1, len(frame) + 1)) if _is_default(frame.index) else _row_names(frame.index)
    attributes = {"names": _text(names), "class": _text(["data.frame"]), "row.names": rows}
    return "list", [_vector(frame.iloc[:, i].array) for i in range(len(names))], attributes


def _row_names(index: pd.Index) -> Node:
    if not index.is_unique:
        raise ValueError("`index` must be unique, as R's row names are; got duplicates. Call reset_index().")
    return to_node(index) if index.dtype.kind == "i" else _labels(index)


def _labels(index: pd.Index) -> Node:
    if isinstance(index, pd.MultiIndex) or index.hasnans:
        raise ValueError("`index` must be one level of labels, none missing; got others. Call reset_index().")
    return _text([str(label) for label in index])


def _is_default(index: pd.Index) -> bool:
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1


def from_node(node: Node) -> Any:
    """Return a node as a Python value.

    Raises TypeError for an R class whose numbers mean something else than they say, such as integer64, for malformed
    factors and data frames, and ValueError for text that is not UTF-8.
    """
    kind, data, attributes = node
    if kind in ("NULL", "raw"):
        return data
    if "data.frame" in _names(attributes, "class"):
        return _from_data_frame(node)
    if kind == "list" and "dim" not in attributes:
        return _from_list(node)
    values = _column(node)
    if "dim" in attributes:
        return _from_array(values, attributes)
    if "names" in attributes:
        return pd.Series(values, index=_names(attributes, "names"))
    if len(values) == 1 and not isinstance(values, pd.Categorical):
        return values[0].item() if isinstance(values[0], np.generic) and values.dtype.kind not in "mM" else values[0]
    return values


def _column(node: Node) -> Any:
    """Return a vector as a 1-D array, with pandas' type where a value is missing."""
    kind, data, attributes = node
    classes = _names(attributes, "class")
    if tuple(classes) in times.CLASSES and kind in ("integer", "double"):
        (units,) = _names(attributes, "units") or ["secs"]
        return times.as_times(classes, _doubles(data), units)
    if kind != "list" and (unknown := sorted(set(classes) - KNOWN_CLASSES)):
        raise TypeError(f"R's value must have a Python form; got a vector of class {unknown}. Unclass it in R.")
    if "factor" in classes:
        return _from_factor(node, ordered="ordered" in classes)
    if kind == "list":
        return _objects([from_node(item) for item in data])
    if kind == "character":
        return _from_text(*data)
    if kind == "raw":
        return np.frombuffer(data, dtype=np.uint8)
    if kind not in ("logical", "integer"):
        return data
    missing = data == NA_INTEGER
    values = data.astype(np.bool_ if kind == "logical" else np.int64)
    if not missing.any():
        return values
    return pd.arrays.BooleanArray(values, missing) if kind == "logical" else pd.arrays.IntegerArray(values, missing)


def _doubles(data: Any) -> Any:
    return np.where(data == NA_INTEGER, np.nan, data) if data.dtype.kind == "i" else data


def _from_factor(node: Node, *, ordered: bool) -> pd.Categorical:
    """Return a factor; pandas has no missing category, so that the values of a level NA become missing ones."""
    kind, data, attributes = node
    levels = pd.Index(_names(attributes, "levels"))
    codes = np.where(data == NA_INTEGER, 0, data)
    if (
        kind != "integer"
        or not levels.is_unique
        or np.any(codes[data != NA_INTEGER] < 1)
        or np.any(codes > len(levels))
    ):
        raise TypeError("R's value must have a Python form; got a malformed factor. Make it anew by factor().")
    kept = ~levels.isna()
    positions = np.concatenate([[-1], np.where(kept, np.cumsum(kept) - 1, -1)])  # by R's code, 0 for missing values
    return pd.Categorical.from_codes(positions[codes], levels[kept], ordered=ordered)


def _from_text(content: bytes, count: int, missing: Any) -> Any:
    try:
        strings = _objects(content.decode().split("\0")[:count])
    except UnicodeDecodeError as cause:
        wrong = next(text for text in content.split(b"\0") if cause.object[cause.start : cause.end] in text)
        raise ValueError(f"R's text must be UTF-8; got {wrong!r}. Convert it in R: iconv(x, from, 'UTF-8').") from None
    if missing is None:
        return strings
    strings[missing] = pd.NA
    return pd.array(strings, dtype="string")


def _objects(items: list[Any]) -> Any:
    values = np.empty(len(items), dtype=object)
    values[:] = items
    return values


def _names(attributes: dict[str, Any], which: str) -> list[Any]:
    return list(_column(attributes[which])) if which in attributes else []


def _from_list(node: Node) -> list[Any] | dict[str, Any]:
    names = _names(node[2], "names")
    items = [from_node(item) for item in node[1]]
    if "names" in node[2] and len(set(names)) == len(names) and all(name is not pd.NA and name for name in names):
        return dict(zip(names, items, strict=True))
    return items


def _from_data_frame(node: Node) -> pd.DataFrame:
    kind, columns, attributes = node
    names = _names(attributes, "names")
    if kind != "list" or len(names) != len(columns) or (columns and "row.names" not in attributes):
        raise TypeError("R's value must have a Python form; got a malformed data frame. Make it anew by data.frame().")
    if wide := [name for name, column in zip(names, columns, strict=True) if {"dim", "row.names"} & set(column[2])]:
        raise TypeError(f"a data frame's columns must be vectors; got a matrix or frame in {wide}. Split it in R.")
    rows = _column(attributes["row.names"]) if "row.names" in attributes else np.arange(0)
    vectors = [_column(column) for column in columns]
    if ragged := [name for name, vector in zip(names, vectors, strict=True) if len(vector) != len(rows)]:
        raise TypeError(f"a data frame's columns must be as long as its row names; got {ragged}. Make it anew in R.")
    automatic = rows.dtype.kind == "i" and np.array_equal(rows, np.arange(1, len(rows) + 1))
    index = pd.RangeIndex(len(rows)) if automatic else pd.Index(rows)
    frame = pd.DataFrame(dict(enumerate(vectors)), index=index)
    frame.columns = pd.Index(names, dtype=None if names else object)
    return frame


def _from_array(values: Any, attributes: dict[str, Any]) -> Any:
    """Return a matrix or array; with the names of its dimensions a DataFrame (two) or a Series (one)."""
    shape = tuple(int(extent) for extent in attributes["dim"][1])
    labels = [None if names is None else list(np.atleast_1d(names)) for names in _dimnames(attributes)]
    if len(shape) == 1:
        return pd.Series(values, index=labels[0]) if labels else values
    if len(shape) == 2 and labels:
        columns = {j: values[j * shape[0] : (j + 1) * shape[0]] for j in range(shape[1])}
        frame = pd.DataFrame(columns, index=labels[0] or range(shape[0]))
        frame.columns = pd.Index(labels[1] or range(shape[1]))
        return frame
    return np.asarray(values, dtype=object if isinstance(values, ExtensionArray) else None).reshape(shape, order="F")


def _dimnames(attributes: dict[str, Any]) -> list[Any]:
    if "dimnames" not in attributes:
        return []
    return [from_node((kind, data, {})) for kind, data, _ in attributes["dimnames"][1]]
