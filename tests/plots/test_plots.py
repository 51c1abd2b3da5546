from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import plotnine as p9
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from pycompare import rosenbrock
from pycompare.plots import (
    CONTOUR_BREAKS,
    contour_bands,
    legend_labels,
    loss_limits,
    path_styles,
    plot_comparison,
    plot_fit,
    plot_parity,
    plot_paths,
    plot_trajectory,
)


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
    labels = {"b": "b", "a": "a\n(diverged at epoch 2)", "c": "c\n(diverged at epoch 1)"}
    assert legend_labels(curves) == labels
    plot = plot_comparison(curves)
    assert plot.data["config"].cat.categories.tolist() == [*labels.values()]
    assert plot.data["valid_loss"].tolist() == [2.0, 1.0, 1.0]


def test_the_comparison_is_drawn_as_in_r() -> None:
    plot = plot_comparison(_curves(a=[1.0, 2.0], b=[30.0, 3.0]))
    assert (plot.labels.x, plot.labels.y) == ("Epoch", "Validation loss")
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
    assert bands.band.shape == (400, 400)
    height = rosenbrock(*np.meshgrid(np.linspace(-2, 2, 400), np.linspace(-1, 3, 400)))
    lower, upper = CONTOUR_BREAKS[bands.band], CONTOUR_BREAKS[bands.band + 1]
    assert ((lower <= height) & (height < upper)).all()


def test_a_function_below_zero_is_drawn_from_its_lowest_value() -> None:
    shifted, plain = (contour_bands(f) for f in (lambda x, y: x**2 + y**2 - 50, lambda x, y: x**2 + y**2))
    assert shifted.band.min() == plain.band.min() == 0
    assert np.abs(shifted.band - plain.band).max() <= 1
    assert shifted.base == pytest.approx(-50, abs=1e-3)


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


GRID = pd.DataFrame([(a, b) for a in np.linspace(-1, 3, 5) for b in np.linspace(0, 2, 5)], columns=["a", "b"])
BOWL = GRID.assign(loss=GRID["a"] ** 2 + GRID["b"] ** 2 + 0.01)


def _path(*points: tuple[float, float], **columns: Any) -> pd.DataFrame:
    return pd.DataFrame(points, columns=["a", "b"]).assign(**{"loss": 1.0, "epoch": range(len(points))} | columns)


def _plot(*paths: pd.DataFrame, maps: pd.DataFrame = BOWL, **arguments: Any) -> p9.ggplot:
    return plot_paths(maps, pd.concat(paths, ignore_index=True), x="a", y="b", **arguments)


def _words(plot: p9.ggplot) -> list[str]:
    """The words of a plot, drawn."""
    return [text.get_text() for text in plot.draw().findobj(Text) if text.get_text()]


def _layers(plot: p9.ggplot, kind: type[p9.geoms.geom.geom]) -> list[p9.layer.layer]:
    return [layer for layer in plot.layers if type(layer.geom) is kind]


def _caption(plot: p9.ggplot) -> str | None:
    caption = plot.labels.get("caption", None)
    return caption and " ".join(caption.split())


DOWN = _path((2, 1.5), (1, 1), (0.5, 0.25))


def test_paths_lie_on_their_map() -> None:
    plot = _plot(DOWN)
    assert (plot.mapping["x"], plot.mapping["y"]) == ("a", "b")
    assert (plot.labels.x, plot.labels.y) == ("a", "b")
    assert plot.data[list(DOWN)].to_numpy().tolist() == DOWN.to_numpy().tolist()
    (raster,) = _layers(plot, p9.geom_raster)
    assert raster._data[["a", "b"]].to_numpy().tolist() == GRID.to_numpy().tolist()
    assert (plot.coordinates.limits.x, plot.coordinates.limits.y) == ((-1, 3), (0, 2))
    assert _caption(plot) is None
    assert {"a", "b", "Loss"} <= {*_words(plot)}


# A straight line fitted through the 25 levels of a map: measured at most 7e-15 off them.
STRAIGHT = 1e-13


@pytest.mark.parametrize(
    ("shift", "scale"), [(0, np.log), (-2, np.asarray)], ids=["logarithmic", "linear where a loss is negative"]
)
def test_the_colours_of_a_map(shift: float, scale: Callable[[pd.Series], np.ndarray]) -> None:
    loss = BOWL["loss"] + shift
    (raster,) = _layers(_plot(DOWN, maps=BOWL.assign(loss=loss)), p9.geom_raster)
    slope, intercept = np.polyfit(scale(loss), raster._data["level"], 1)
    assert slope > 0, "lighter is lower"
    np.testing.assert_allclose(slope * scale(loss) + intercept, raster._data["level"], rtol=0, atol=STRAIGHT)


def _two_maps() -> pd.DataFrame:
    """Maps of other heights, the higher first; by name they would stand the other way round."""
    return pd.concat([BOWL.assign(loss=100 * BOWL["loss"], loss_fn="steep"), BOWL.assign(loss_fn="flat")])


def test_colours_are_shared_or_each_facet_s() -> None:
    paths = [DOWN.assign(loss_fn=loss) for loss in ("steep", "flat")]
    spans = {}
    for colour in ("shared", "facet"):
        plot = _plot(*paths, maps=_two_maps(), columns="loss_fn", colour=colour)
        (raster,) = _layers(plot, p9.geom_raster)
        levels = raster._data.groupby(raster._data["loss_fn"].astype(str))["level"]
        spans[colour] = [*zip(levels.min(), levels.max(), strict=True)]
        assert ("Loss" in _words(plot)) == (colour == "shared")
    flat, steep = spans["shared"]
    assert flat[0] < steep[0]
    assert flat[1] < steep[1]
    flat, steep = spans["facet"]
    assert flat == pytest.approx(steep)


def test_facets_and_legend_stand_in_the_order_of_the_data() -> None:
    orders = {"loss_fn": ["steep", "flat"], "momentum": ["0.9", "0.5", "0"], "config": ["lr = 0.2", "lr = 0.1"]}
    paths = [DOWN.assign(**dict(zip(orders, values, strict=True))) for values in itertools.product(*orders.values())]
    plot = _plot(*paths, maps=_two_maps(), columns="loss_fn", rows="momentum")
    assert (plot.facet.rows, plot.facet.cols) == (["momentum"], ["loss_fn"])
    words = _words(plot)
    rows = [f"momentum = {value}" for value in orders["momentum"]]
    for expected in (orders["loss_fn"], rows, orders["config"]):
        assert [word for word in words if word in expected] == expected


def test_a_ring_starts_a_path_and_a_mark_ends_it() -> None:
    plot = _plot(
        DOWN.assign(config="one"), _path((0, 1), (0.5, 1), (math.nan, 1), (math.nan, math.nan)).assign(config="two")
    )
    points = [layer for layer in _layers(plot, p9.geom_point) if hasattr(layer._data, "columns")]
    starts = [layer for layer in points if layer.geom.aes_params.get("fill") == "none"]
    ends = [layer for layer in points if layer not in starts]
    assert [layer._data[["a", "b"]].to_numpy().tolist() for layer in starts] == [[[2, 1.5], [0, 1]]]
    assert [layer._data[["a", "b"]].to_numpy().tolist() for layer in ends] == [[[0.5, 0.25], [0.5, 1]]]
    plot.draw()


@pytest.mark.parametrize(
    ("path", "caption"),
    [
        (DOWN, None),
        (_path((2, 1), (5, 1), (2, 1)), "off the map at epoch 1"),
        (_path((2, 1), (2, 1), (2, -0.1)), "off the map at epoch 2"),
        (_path((9, 9), (2, 1)), "off the map at epoch 0"),
        (_path((2, 1), (math.nan, 1)), "diverged at epoch 1"),
        (_path((2, 1), (5, 1), (1e300, 1), (math.inf, 1)), "off the map at epoch 1, diverged at epoch 3"),
        (_path((2, 1), (1, 1), (5, 1), loss=[1, math.inf, 1]), "off the map at epoch 2, diverged at epoch 1"),
        (_path((-1, 0), (3, 2)), None),
    ],
)
def test_the_caption_says_when_a_path_leaves_or_diverges(path: pd.DataFrame, caption: str | None) -> None:
    plot = _plot(path)
    assert _caption(plot) == caption
    assert (plot.coordinates.limits.x, plot.coordinates.limits.y) == ((-1, 3), (0, 2)), "the axes are the map's"


def test_the_caption_names_the_path_and_starts_with_the_note() -> None:
    away = _path((2, 1), (5, 1))
    plot = _plot(DOWN.assign(config="lr = 0.1"), away.assign(config="lr = 9"), note="a note")
    assert _caption(plot) == "a note; lr = 9: off the map at epoch 1"
    assert _caption(_plot(DOWN, note="a note")) == "a note"
    many = _caption(_plot(*(away.assign(config=f"lr = {i}") for i in range(9))))
    assert many.startswith("lr = 0: off the map at epoch 1; lr = 1: off")
    assert many.endswith("; and 4 more")


HEIGHTS = {
    "constant": BOWL["loss"] * 0 + 3,
    "zero": BOWL["loss"] * 0,
    "constant below zero": BOWL["loss"] * 0 - 3,
    "from zero to infinity": (BOWL["loss"] - 0.01).where(BOWL["loss"] < 4, math.inf),
    "NaN": BOWL["loss"] * math.nan,
    "infinite": BOWL["loss"] * math.inf,
    "huge": BOWL["loss"] * 1e300,
}


@pytest.mark.parametrize(
    ("height", "colour"), [*((height, "shared") for height in HEIGHTS), ("constant", "facet"), ("infinite", "facet")]
)
def test_maps_of_any_height_are_drawn(height: str, colour: str) -> None:
    assert "a" in _words(_plot(DOWN, maps=BOWL.assign(loss=HEIGHTS[height]), colour=colour))


@pytest.mark.parametrize("scale", [1e-9, 1e9 / 3, 1e13 / 3, 1e59 / 3])
def test_maps_of_any_width_are_drawn(scale: float) -> None:
    grid = np.linspace(-scale, 2.3 * scale, 41)
    a, b = (axis.ravel() for axis in np.meshgrid(grid, grid, indexing="ij"))
    maps = pd.DataFrame({"a": a, "b": b, "loss": 1 + (a / scale) ** 2 + (b / scale) ** 2})
    assert "a" in _words(_plot(_path((-scale, 0), (0, scale)), maps=maps))


@pytest.mark.parametrize(
    "path", [DOWN.iloc[:0], DOWN.iloc[:1], _path((math.nan, 1)), _path((9, 9), (1e300, 8), (math.inf, 8))]
)
def test_paths_of_any_length_are_drawn(path: pd.DataFrame) -> None:
    assert "a" in _words(_plot(path))


def test_a_colour_scale_must_be_one_of_two() -> None:
    with pytest.raises(ValueError, match="`colour` must be one of shared, facet; got 'rainbow'"):
        _plot(DOWN, colour="rainbow")


@pytest.mark.parametrize("n", [1, 2, 7, 20])
def test_styles_tell_paths_apart(n: int) -> None:
    styles = path_styles(n)
    assert len({*styles}) == len(styles) == n
    lightness = [np.dot([0.2126, 0.7152, 0.0722], to_rgb(colour)) for colour, *_ in styles]
    assert lightness == sorted(lightness), "apart in greyscale"
    assert max(lightness) < 0.55, "dark on a map"


POINTS = pd.DataFrame({"x": [-1.0, 0.0, 1.0], "y": [0.0, 1.0, 2.5]})


def test_the_fit_shows_points_and_lines() -> None:
    lines = pd.DataFrame({"config": ["b", "a"], "weight": [1.0, 0.5], "bias": [1.0, 1.5]})
    plot = plot_fit(POINTS, lines)
    assert plot.layers[0]._data[["x", "y"]].to_numpy().tolist() == POINTS.to_numpy().tolist()
    assert plot.data[["weight", "bias"]].to_numpy().tolist() == [[1, 1], [0.5, 1.5]]
    assert (plot.labels.x, plot.labels.y) == ("x", "y")
    assert [word for word in _words(plot) if word in ("a", "b")] == ["b", "a"]


def test_the_fit_has_the_facets_of_the_paths() -> None:
    rows = [("l1", "0.9"), ("l1", "0"), ("mse", "0.9"), ("mse", "0")]
    lines = pd.DataFrame(rows, columns=["loss_fn", "momentum"]).assign(weight=1.0, bias=1.0)
    plot = plot_fit(POINTS, lines, columns="loss_fn", rows="momentum")
    assert (plot.facet.rows, plot.facet.cols) == (["momentum"], ["loss_fn"])
    words = [word for word in _words(plot) if word in ("l1", "mse", "momentum = 0.9", "momentum = 0")]
    assert words == ["l1", "mse", "momentum = 0.9", "momentum = 0"]


def test_a_steep_line_through_the_points_is_drawn() -> None:
    assert _caption(plot_fit(POINTS, pd.DataFrame({"weight": [4.3], "bias": [-0.1]}))) is None


@pytest.mark.parametrize("weight", [1e30, -1e5, math.nan, math.inf])
def test_a_line_far_away_does_not_hide_the_points(weight: float) -> None:
    plot = plot_fit(POINTS, pd.DataFrame({"config": ["near", "far"], "weight": [1.0, weight], "bias": [1.0, 0.0]}))
    low, high = plot.draw().axes[0].get_ylim()
    assert -2.5 < low < 0 < 2.5 < high < 5
    assert _caption(plot) == "1 of 2 lines lie far from the points, and are not drawn."


@pytest.mark.parametrize("weight", [1e30, math.nan])
def test_facets_without_a_line_in_sight_show_the_points(weight: float) -> None:
    lines = pd.DataFrame({"loss_fn": ["l1", "mse"], "config": "lr = 9", "weight": weight, "bias": 0.0})
    plot = plot_fit(POINTS, lines, columns="loss_fn")
    assert {"l1", "mse"} <= {*_words(plot)}
    assert _caption(plot) == "2 of 2 lines lie far from the points, and are not drawn."


@pytest.mark.parametrize("n", [3, 9, 20])
def test_the_legend_of_many_paths_leaves_the_title_on_the_page(n: int) -> None:
    plot = _plot(*(DOWN.assign(config=f"lr = {i / 7}") for i in range(1, n + 1)))
    figure = plot.draw()
    title = next(text for text in figure.findobj(Text) if text.get_text() == "Loss")
    assert title.get_window_extent().y1 <= figure.bbox.y1
    assert figure.axes[0].get_position().width > 0.5


# (function, the power of ten of its breaks, words in its picture): flat and steep ones ended in an error.
SURFACES = {
    "flat": (lambda x, y: 0 * x + 3, 1.0, "The function is flat here."),
    "zero": (lambda x, y: 0 * x, 1.0, "The function is flat here."),
    "nearly flat": (lambda x, y: 1e-6 * (x**2 + y**2), 1e-6, "1e-06"),
    "steep": (lambda x, y: 1e5 * (x**2 + y**2), 1e5, "1e+05"),
    "below zero": (lambda x, y: x**2 + y**2 - 50, 1.0, "Height above\n-50"),
    "in part": (lambda x, y: np.sqrt(np.where(x > 0, x, np.nan)) + 4, 1.0, "Grey: the function is not finite."),
    "nowhere": (lambda x, y: x * np.nan, 1.0, "Grey: the function is not finite."),
}


@pytest.mark.parametrize("name", SURFACES)
def test_surfaces_of_any_height_are_drawn(name: str) -> None:
    function, unit, told = SURFACES[name]
    np.testing.assert_allclose(contour_bands(function).breaks, CONTOUR_BREAKS * unit, rtol=1e-15)
    path = pd.DataFrame({"step": [0, 1], "x": [0.5, 1.0], "y": [2.0, 1.0]})
    assert told in _words(plot_trajectory(path, function))


def test_the_heights_in_the_legend_do_not_crowd() -> None:
    bands, labels = contour_bands(rosenbrock).told()
    assert labels == ["0", "0.5", "1", "2", "10", "20"]
    assert min(np.diff(bands)) >= len(contour_bands(rosenbrock).shown()) / 9


def test_a_surface_is_one_image_with_the_colours_of_its_bands() -> None:
    figure = plot_trajectory(pd.DataFrame({"step": [0], "x": [0.0], "y": [0.0]}), rosenbrock).draw()
    (image,) = figure.axes[0].images
    bands = contour_bands(rosenbrock).band
    cells = np.asarray(image.get_array())
    assert cells.shape == (400, 400, 4)
    colours = {tuple(cells[bands == band][0]) for band in np.unique(bands)}
    assert len(colours) == len(np.unique(bands))
    assert all(len(np.unique(cells[bands == band], axis=0)) == 1 for band in np.unique(bands))


PARITY = pd.DataFrame({"step": [1, 2, 3], "column": "x", "left": 1.0, "right": 1.0, "ulps": [0.0, 3.0, 7.0]})


@pytest.mark.parametrize("ulps", [[0.0, 0.0, 0.0], [5.0, 6.0, 7.0], [math.inf] * 3])
def test_the_axis_of_distances_starts_at_zero(ulps: list[float]) -> None:
    low, high = plot_parity(PARITY.assign(ulps=ulps), step="step").draw().axes[1].get_ylim()
    assert low <= 0 < 1 <= high


def test_the_steps_of_a_parity_plot_are_whole_numbers() -> None:
    assert not [word for word in _words(plot_parity(PARITY, step="step")) if word.endswith(".5") and word < "4"]


def test_without_a_common_row_the_picture_says_so() -> None:
    told = " ".join(_words(plot_parity(PARITY.head(0), step="step", by=["run"]))[0].split())
    assert told == "The two sides have no row in common. Check the values of run, step on both."


def test_strips_and_captions_have_the_digits_that_are_needed() -> None:
    away = _path((2, 1), (5, 1)).assign(config="lr = 0.0316227766016838", momentum=0.333333333333333)
    plot = _plot(away, DOWN.assign(config="lr = 0.1", momentum=0.5), rows="momentum")
    assert {"momentum = 0.333", "momentum = 0.5"} <= {*_words(plot)}
    assert _caption(plot) == "momentum = 0.333, lr = 0.0316: off the map at epoch 1"
