"""The port does what the R original does, step by step. `r_session` comes from pycompare's pytest plugin."""

from pathlib import Path

import numpy as np
from fit_slope import fit_slope

from pycompare.parity import Budget, compare_trajectories

ROUNDING = Budget(rtol=1e-14, why="R and torch sum the squares in another order: 4.4e-16 over 100 steps")


def test_every_step_is_r_s(r_session):
    """Slope and loss of 100 steps, from the same data."""
    r_session.source(Path(__file__).with_name("fit_slope.R"))
    x = np.linspace(-1, 1, 50)
    y = 3 * x + np.sin(40 * x)
    theirs = r_session.call("fit_slope", x, y, lr=0.1, steps=100)
    ours = fit_slope(x, y, lr=0.1, steps=100)
    compare_trajectories(ours, theirs, on="step").assert_within(ROUNDING)
