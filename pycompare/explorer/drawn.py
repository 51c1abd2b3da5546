"""Numbers of results as the browser draws them, and as tables show them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pycompare.labs.boundaries import Boundary


def numbers(column: Any) -> list[float | None]:
    """The numbers of a column as JSON holds them: None for what is not finite."""
    return [one if math.isfinite(one) else None for one in column.astype(float).tolist()]


def digits(value: Any) -> str:
    """A number in the shortest digits that give it back; nothing for none."""
    import pandas as pd

    return "" if pd.isna(value) else repr(value.item() if hasattr(value, "item") else value)


def plane(boundary: Boundary) -> dict[str, Any]:
    """What one classifier says about the plane, as `field` in sweep.js draws it."""
    cells = boundary.data
    return {
        "x": cells["x"].unique().tolist(),
        "y": cells["y"].unique().tolist(),
        "class": numbers(cells["class"]),
        "probability": numbers(cells["probability"]),
        "points": boundary.points.to_dict("list"),
        "accuracy": float(boundary.fit["accuracy"].iloc[0]),
    }
