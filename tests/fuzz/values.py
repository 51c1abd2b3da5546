"""What is passed to functions that did not ask for it."""

from __future__ import annotations

import datetime
import decimal
import fractions
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from hypothesis import strategies as st

# Made anew for each call, so that no call can change what the next one gets. No valid number here is so large that a
# call that takes it would not end.
ODD: dict[str, Any] = {
    "None": lambda: None,
    "True": lambda: True,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "-1": lambda: -1,
    "0": lambda: 0,
    "-0.0": lambda: -0.0,
    "0.5": lambda: 0.5,
    "5e-324": lambda: 5e-324,
    "1e39": lambda: 1e39,
    "1e300": lambda: 1e300,
    "10**400": lambda: 10**400,
    "complex": lambda: 1 + 2j,
    "empty text": lambda: "",
    "text": lambda: "mse",
    "number as text": lambda: "0.1",
    "NUL": lambda: "a\0b",
    "surrogate": lambda: "\ud800",
    "bytes": lambda: b"adam",
    "empty list": lambda: [],
    "empty tuple": lambda: (),
    "list of lists": lambda: [[1, 2], [3]],
    "list of None": lambda: [None],
    "list of numbers": lambda: [0.1, 0.2],
    "duplicates": lambda: [0.1, 0.1],
    "pair": lambda: (0.5, 0.25),
    "range": lambda: range(3),
    "set": lambda: {1, 2},
    "dict": lambda: {"a": 1},
    "object": object,
    "class": lambda: dict,
    "function": lambda: lambda *_, **__: None,
    "module": torch.nn.Identity,
    "empty array": lambda: np.array([]),
    "2-D array": lambda: np.ones((2, 2)),
    "0-D array": lambda: np.array(0.1),
    "array of texts": lambda: np.array(["mse", "l1"]),
    "array of objects": lambda: np.array([None, "a", 1], dtype=object),
    "complex array": lambda: np.array([1 + 2j, 3]),
    "masked array": lambda: np.ma.array([0.1, 0.2], mask=[False, True]),
    "masked": lambda: np.ma.masked,
    "float32": lambda: np.float32(0.1),
    "int8": lambda: np.int8(3),
    "datetime64": lambda: np.datetime64("2024-01-01"),
    "Series": lambda: pd.Series([0.1, 0.2], index=[5, 6]),
    "empty Series": lambda: pd.Series([], dtype=float),
    "DataFrame": lambda: pd.DataFrame({"a": [1, 2]}),
    "NA": lambda: pd.NA,
    "tensor": lambda: torch.tensor([0.1, 0.2]),
    "tensor scalar": lambda: torch.tensor(0.1),
    "complex tensor": lambda: torch.tensor([1j]),
    "NaN tensor": lambda: torch.tensor([math.nan]),
    "dtype": lambda: torch.float16,
    "Decimal": lambda: decimal.Decimal("0.1"),
    "Fraction": lambda: fractions.Fraction(1, 10),
    "date": lambda: datetime.date(2024, 1, 1),
    "Path": lambda: Path("nowhere"),
    "NotImplemented": lambda: NotImplemented,
    "Ellipsis": lambda: ...,
}


def calls(usual: dict[str, list[Any]], *, left_alone: tuple[str, ...] = ()) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments, most of them from the `usual` ones, and up to two odd."""
    some = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in usual.items()})
    names = [name for name in usual if name not in left_alone]
    odd = st.dictionaries(
        st.sampled_from(names), st.sampled_from(sorted(ODD)).map(lambda name: ODD[name]()), max_size=2
    )
    return st.builds(lambda a, b: a | b, some, odd)
