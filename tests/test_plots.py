from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from pycompare import rosenbrock
from pycompare.plots import CONTOUR_BREAKS, contour_bands, legend_labels, loss_limits, plot_comparison, plot_trajectory


def _curves(**runs: list[float]) -> pd.DataFrame:
    frames = [
        pd.DataFrame({"config": config, "epoch": range(1, len(losses) + 1), "valid_loss": losses})
        for config, losses in runs.items()
    ]
    return pd.concat(frames, ignore_index=True)


# In R: f <- function(v) if (max(v) > 10) quantile(v, 0.98) else max(v); sprintf("%.17g", f(...))
@pytest.mark.parametrize(
    ("losses", "upper"),
    [
        ([3.0, 1.0, 2.0], 3.0),
        ([10.0, 1.0], 10.0),
        ([11.0, 1.0], 10.799999999999999),
        ([*np.arange(1, 101) / 7], 14.002857142857142),
        ([*np.arange(1, 52) ** 2 / 3], 833.33333333333337),
        ([20.0], 20.0),
        ([20.0, 20.0, 20.0], 20.0),
    ],
)
def test_the_axis_is_r_s(losses: list[float], upper: float) -> None:
    assert loss_limits(pd.Series(losses)) == (min(losses), upper)


def test_the_legend_keeps_the_order_and_names_divergence() -> None:
    curves = _curves(b=[2.0, 1.0], a=[1.0, math.nan], c=[math.nan, math.nan])
    assert legend_labels(curves) == {"b": "b", "a": "a (diverged at epoch 2)", "c": "c (diverged at epoch 1)"}
    plot = plot_comparison(curves)
    assert plot.data["config"].cat.categories.tolist() == ["b", "a (diverged at epoch 2)", "c (diverged at epoch 1)"]
    assert plot.data["valid_loss"].tolist() == [2.0, 1.0, 1.0]


def test_the_comparison_is_drawn_as_in_r() -> None:
    plot = plot_comparison(_curves(a=[1.0, 2.0], b=[30.0, 3.0]))
    assert (plot.labels.x, plot.labels.y, plot.labels.color) == ("Epoch", "Validation RMSE", "Configuration")
    assert (plot.mapping["x"], plot.mapping["y"], plot.mapping["color"]) == ("epoch", "valid_loss", "config")
    assert tuple(plot.scales.get_scales("y").limits) == loss_limits(pd.Series([1.0, 2.0, 30.0, 3.0]))
    plot.draw()


@pytest.mark.parametrize("losses", [[0.5], [math.nan], [0.5, math.nan, 0.25]])
def test_short_and_broken_curves_are_drawn(losses: list[float]) -> None:
    plot_comparison(_curves(a=losses)).draw()


def test_the_contour_breaks_are_the_exercise_s() -> None:
    tenths, ones, tens, hundreds = np.split(CONTOUR_BREAKS, [20, 38, 56])
    assert tenths.tolist() == [i / 10 for i in range(20)]
    assert ones.tolist() == list(range(2, 20))
    assert tens.tolist() == list(range(20, 200, 10))
    assert hundreds.tolist() == list(range(200, 2001, 200))


def test_bands_are_darker_where_the_function_is_lower() -> None:
    bands = contour_bands(rosenbrock)
    assert len(bands) == 400 * 400
    assert (bands["x"].min(), bands["x"].max(), bands["y"].min(), bands["y"].max()) == (-2, 2, -1, 3)
    height = rosenbrock(bands["x"].to_numpy(), bands["y"].to_numpy())
    lower, upper = CONTOUR_BREAKS[bands["band"]], CONTOUR_BREAKS[bands["band"] + 1]
    assert ((lower <= height) & (height < upper)).all()


def test_a_function_below_zero_is_drawn_from_its_lowest_value() -> None:
    shifted, plain = (contour_bands(f) for f in (lambda x, y: x**2 + y**2 - 50, lambda x, y: x**2 + y**2))
    assert shifted["band"].min() == plain["band"].min() == 0
    assert (shifted["band"] - plain["band"]).abs().max() <= 1


def test_a_surface_must_be_elementwise() -> None:
    with pytest.raises(ValueError, match=r"`function` must work elementwise; got shape \(\)"):
        contour_bands(lambda x, y: 3.0)


@pytest.mark.parametrize(
    ("x", "caption"),
    [
        ([-1.0, 0.0], None),
        ([-1.0, 5.0], "The path leaves the window at step 1."),
        ([-1.0, math.nan], "The path leaves the window at step 1."),
    ],
)
def test_a_path_that_leaves_the_window_says_when(x: list[float], caption: str) -> None:
    path = pd.DataFrame({"step": [0, 1], "x": x, "y": [2.0, 1.0]})
    plot = plot_trajectory(path, rosenbrock)
    assert plot.labels.caption == caption
    assert [layer.geom.aes_params.get("color") for layer in plot.layers[1:]] == ["white", "red", "red"]
    plot.draw()
