"""The tabs of the page, in order."""

from __future__ import annotations

from typing import Any

from pycompare.explorer.sweep import Sweep
from pycompare.explorer.tab import Tab

TABS: tuple[Tab[Any], ...] = (Sweep(),)
