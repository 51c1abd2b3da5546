"""Where the recordings are, and what was put into them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from pycompare.parity.session import reference_folder

SEED = 123


def recorded_folder() -> Path:
    """The folder of the recorded tables: in the checkout, or within the installed package."""
    return reference_folder() / "recorded"


def recording(name: str) -> Path:
    """The file of the recorded table `name`: the laboratories' have a folder of their own."""
    course, labs = (reference_folder() / folder / f"{name}.csv" for folder in ("recorded", "recorded_labs"))
    return labs if labs.exists() else course


def toy_points() -> dict[str, Any]:
    """The points x and y that R torch fitted lines to."""
    toy = pd.read_csv(recorded_folder() / "toy_xy.csv")
    return {name: toy[name].to_numpy(copy=True) for name in ("x", "y")}
