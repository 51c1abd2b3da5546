"""Breaks and legends that read well, and words in place of a picture."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import plotnine as p9
from matplotlib.colors import to_hex
from matplotlib.ticker import MaxNLocator
from mizani.breaks import breaks_extended

from pycompare.labels import r_number, setting_label

_NUMBER = re.compile(r"(?<= = )-?\d+(\.\d+)?(e[+-]\d+)?(?= |$)")  # in a label such as "lr = 0.1 (67% in plane)"
_LEAST_DIGITS, _MOST_DIGITS, _LONGEST = 3, 17, 7
_WIDE = 1e5
_ABREAST = 2  # panels in a row
_DECADES = 100.0  # from this ratio of the largest value to the smallest on, an axis is logarithmic


def whole_breaks(limits: tuple[float, float]) -> list[float]:
    """Breaks of an axis of epochs or steps: whole numbers only, however short it is.

    Example:
        >>> whole_breaks((1, 2)), whole_breaks((1, 1))
        ([1.0, 2.0], [1.0])
    """
    low, high = limits
    usual = breaks_extended(n=5)(limits) if high > low else [low]
    for breaks in (usual, MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]).tick_values(low, high)):
        whole = [float(one) for one in breaks if low <= one <= high and float(one).is_integer()]
        if len(whole) >= min(3, high - low + 1):
            break
    return whole


def spans_decades(values: pd.Series[float]) -> bool:
    """Whether `values`, NaN aside, are better shown on a logarithmic axis: positive, and of different magnitudes."""
    known = values.dropna()
    return len(known) > 0 and bool(known.min() > 0 and known.max() / known.min() >= _DECADES)


def short_labels(labels: Sequence[str]) -> list[str]:
    """`labels` with the fewest digits after the point, three significant ones or more, that tell them apart.

    Example:
        >>> short_labels(["lr = 0.0316227766016838", "lr = 0.1"])
        ['lr = 0.0316', 'lr = 0.1']
    """
    for digits in range(_LEAST_DIGITS, _MOST_DIGITS):
        short = [_NUMBER.sub(lambda match: _rounded(match[0], digits), label) for label in labels]  # noqa: B023
        if len({*short}) == len({*labels}):
            return short
    return list(labels)


def short_numbers(values: Sequence[float]) -> list[str]:
    """`values` as `short_labels` writes them."""
    return [label.removeprefix(" = ") for label in short_labels([f" = {r_number(value)}" for value in values])]


def _rounded(number: str, digits: int) -> str:
    """`number` with that many significant digits; whole ones, and what stands before the point, stay below 1e7."""
    before_point = len(f"{abs(float(number)):.0f}")
    if before_point > _LONGEST:
        return r_number(float(f"{float(number):.{digits}g}"))
    return r_number(float(f"{float(number):.{max(digits, before_point)}g}")) if "." in number else number


def shades(n: int) -> list[str]:
    """`n` colours from dark to light, in order of lightness in greyscale, too."""
    return [to_hex(colour) for colour in matplotlib.colormaps["viridis"](np.linspace(0, 0.85, n))]


def facet_labels(frame: pd.DataFrame, name: str | None) -> pd.DataFrame:
    """`frame` with "lr = 0.1" and the like in the column `name`, in the order of their appearance."""
    if name is None:
        return frame
    labels = frame[name].map(lambda value: setting_label(name, value)).astype(str)
    names = labels.unique().tolist()
    short = dict(zip(names, short_labels(names), strict=True))
    return frame.assign(**{name: pd.Categorical(labels.map(short), categories=list(short.values()))})


def facets(frame: pd.DataFrame, name: str | None) -> list[Any]:
    """A panel for each value of the column `name`, each with a height axis of its own where these are losses."""
    if name is None:
        return []
    n = len(frame[name].cat.categories)
    size = p9.theme(figure_size=(8, 1.5 + 2.5 * -(-n // _ABREAST)), strip_text=p9.element_text(ha="left"))
    return [
        p9.facet_wrap(name, ncol=min(n, _ABREAST), scales="free_y" if name == "loss" else "fixed", drop=False),
        size,
    ]


def grid_cells(coordinates: pd.DataFrame) -> Any:
    """What draws a cell at each point of a grid: on a wide one, a raster takes rounding for uneven steps."""
    return p9.geom_raster if np.abs(coordinates.to_numpy(float)).max() < _WIDE else p9.geom_tile


def caption(notes: Sequence[str]) -> str | None:
    """Notes below a picture, a paragraph each, which fit below a panel of 4 inches; None where there are none."""
    return "\n".join(wrapped(note, 64) for note in notes) or None


def wrapped(text: str, width: int) -> str:
    """`text` in lines, none of which ends within "lr = 0.1"."""
    return textwrap.fill(text.replace(" = ", "\0=\0"), width).replace("\0", " ")


def words(text: str) -> p9.ggplot:
    """A picture that says why there is none."""
    lines = "\n\n".join(wrapped(part, 50) for part in text.splitlines())
    frame = pd.DataFrame({"x": [0.0], "y": [0.0], "text": [lines]})
    return (
        p9.ggplot(frame, p9.aes("x", "y", label="text"))
        + p9.geom_text(size=11, lineheight=1.4)
        + p9.lims(x=(-1, 1), y=(-1, 1))
        + p9.theme_void()
        + p9.theme(figure_size=(8, 5))
    )
