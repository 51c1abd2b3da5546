"""Where the recordings are, and what was put into them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from pycompare.parity.session import reference_folder

SEED = 123


def recorded_folder(name: str = "recorded") -> Path:
    """The folder of recorded tables, the course's or "recorded_labs": in the checkout, or in the installed package."""
    return reference_folder() / name


def toy_points() -> dict[str, Any]:
    """The points x and y that R torch fitted lines to."""
    toy = pd.read_csv(recorded_folder() / "toy_xy.csv")
    return {name: toy[name].to_numpy(copy=True) for name in ("x", "y")}
