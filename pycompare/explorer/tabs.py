"""The tabs of the page, in order."""

from __future__ import annotations

from typing import Any

from pycompare.explorer.initialization import Initialization
from pycompare.explorer.landscape import Landscape
from pycompare.explorer.rosenbrock import Rosenbrock
from pycompare.explorer.sweep import Sweep
from pycompare.explorer.tab import Tab

TABS: tuple[Tab[Any], ...] = (Sweep(), Landscape(), Rosenbrock(), Initialization())
