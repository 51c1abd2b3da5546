from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from pycompare import Adam, AdamW, torch_manual_seed
from pycompare.labs.landscape import Descents, compare_descents, descend, loss_map, toy_problem
from pycompare.parity.suite import OTHER_KERNELS, SAME_BITS, TABLES
from pycompare.parity.tables.descents import SGD_SETTINGS
from tests.conftest import KERNELS, recorded

Make = Callable[..., torch.optim.Optimizer]
LOSSES = {"mse": nn.MSELoss(), "l1": nn.L1Loss(), "huber": nn.HuberLoss(), "smooth_l1": nn.SmoothL1Loss()}
(SGD_TOY,) = (table for table in TABLES if table.name == "sgd_toy")
DRAWN_AT = {"n": 5}

# P. Baumstarck (2024): what the article prints with "epoch {}, loss {}".
PRINTED = """
epoch 0, loss 53.078269958496094
epoch 1, loss 34.7295036315918
epoch 2, loss 22.891206741333008
epoch 3, loss 15.226042747497559
epoch 4, loss 10.242652893066406
epoch 5, loss 6.987757682800293
epoch 6, loss 4.85075569152832
epoch 7, loss 3.4395809173583984
epoch 8, loss 2.501774787902832
epoch 9, loss 1.8742430210113525
epoch 97, loss 0.4994412660598755
epoch 98, loss 0.4994412362575531
epoch 99, loss 0.4994412660598755
"""


def _short(**arguments: Any) -> Descents:
    return compare_descents(**({"epochs": 3} | arguments))


def _torch_s_path(
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    make: Make,
    epochs: int,
    dtype: torch.dtype,
    points: tuple[Tensor, Tensor] | None = None,
) -> list[list[float]]:
    """The article's loop, with a closure for the optimizers that want one: epoch, weight, bias, loss."""
    with torch_manual_seed(1):
        model = nn.Linear(1, 1, dtype=dtype)
    model.weight.data.fill_(6.0)
    model.bias.data.fill_(-3.0)
    inputs, labels = points or (torch.from_numpy(values).to(dtype).reshape(-1, 1) for values in toy_problem())
    optimizer = make(model.parameters())

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = loss_fn(model(inputs), labels)
        loss.backward()
        return loss

    rows = []
    for epoch in range(epochs + 1):
        rows.append([epoch, model.weight.item(), model.bias.item(), loss_fn(model(inputs), labels).item()])
        optimizer.step(closure)
    return rows


@pytest.mark.parametrize("setting", SGD_SETTINGS)
def test_the_recorded_paths(setting: str) -> None:
    xy = recorded("toy_xy.csv")
    theirs = recorded("sgd_toy.csv").query("setting == @setting").reset_index(drop=True)
    descents = compare_descents(["mse", "l1", "smooth_l1"], xy["x"].tolist(), xy["y"].tolist(), **SGD_SETTINGS[setting])
    ours = descents.data.assign(setting=setting)[list(theirs)]
    assert theirs.loc[theirs["loss"].isna(), "epoch"].tolist() == [100] * 3, "R ends with a step, and does not look"
    assert ours["loss"].notna().all()
    ours["loss"] = ours["loss"].where(theirs["loss"].notna())
    SGD_TOY.compare(ours, theirs, SAME_BITS if KERNELS == "recorded" else SGD_TOY.kernels).assert_within()
    if KERNELS == "recorded":
        numbers = ["epoch", "weight", "bias", "loss"]
        assert np.array_equal(ours[numbers], theirs[numbers], equal_nan=True)


@pytest.mark.skipif(KERNELS != "recorded", reason="other kernels have other bits")
@pytest.mark.parametrize(("strides", "differing"), [((1, 1), 0), ((1, 50), 807)])
def test_a_plain_layer_has_the_recorded_bits_where_its_inputs_have_strides_1_1(
    strides: tuple[int, int], differing: int
) -> None:
    points = torch.from_numpy(recorded("toy_xy.csv").to_numpy(np.float32)).T
    inputs, targets = (torch.empty_strided((50, 1), strides).copy_(vector[:, None]) for vector in points)
    others = 0
    for (loss_fn, setting), theirs in recorded("sgd_toy.csv").groupby(["loss_fn", "setting"]):
        make = partial(torch.optim.SGD, lr=0.1, **SGD_SETTINGS[setting])
        ours = np.array(_torch_s_path(LOSSES[loss_fn], make, 100, torch.float32, (inputs, targets)))
        numbers = theirs[["epoch", "weight", "bias", "loss"]]
        others += ((numbers != ours) & numbers.notna()).any(axis=1).sum()
    assert others == differing


def test_every_digit_that_the_article_prints() -> None:
    losses = descend().data["loss"].tolist()
    lines = PRINTED.strip().splitlines()
    epochs = [*range(10), 97, 98, 99]
    if KERNELS == "recorded":
        assert [f"epoch {epoch}, loss {losses[epoch]}" for epoch in epochs] == lines
    printed = [float(line.split()[-1]) for line in lines]
    assert [losses[epoch] for epoch in epochs] == pytest.approx(printed, rel=OTHER_KERNELS.rtol)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    ("optimizer", "arguments", "make"),
    [
        *(("sgd", settings, partial(torch.optim.SGD, lr=0.1, **settings)) for settings in SGD_SETTINGS.values()),
        ("sgd", {"maximize": True, "lr": 1e-3}, partial(torch.optim.SGD, lr=1e-3, maximize=True)),
        ("adam", {"betas": (0.5, 0.9)}, partial(Adam, lr=0.1, betas=(0.5, 0.9))),
        ("adamw", {}, partial(AdamW, lr=0.1)),
        ("rmsprop", {}, partial(torch.optim.RMSprop, lr=0.1)),
        ("adagrad", {"lr": 2}, partial(torch.optim.Adagrad, lr=2)),
        (torch.optim.NAdam, {"maximize": True}, partial(torch.optim.NAdam, lr=0.1, maximize=True)),
        (torch.optim.LBFGS, {"max_iter": 3}, partial(torch.optim.LBFGS, lr=0.1, max_iter=3)),
        (partial(torch.optim.Rprop, etas=(0.4, 1.3)), {}, partial(torch.optim.Rprop, lr=0.1, etas=(0.4, 1.3))),
    ],
)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_path_is_that_of_the_article_s_loop(
    loss: str, optimizer: Any, arguments: dict[str, Any], make: Make, dtype: torch.dtype
) -> None:
    ours = descend(loss, epochs=12, optimizer=optimizer, dtype=dtype, **arguments).data
    assert ours.columns.tolist() == ["epoch", "weight", "bias", "loss"]
    theirs = _torch_s_path(LOSSES[loss], make, 12, dtype)
    np.testing.assert_allclose(ours, theirs, rtol=0 if KERNELS == "recorded" else OTHER_KERNELS.rtol)


def test_an_optimizer_without_lr_is_called_without_it() -> None:
    fixed = _short(optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.05)).data
    assert fixed["loss"].tolist() == _short(lr=0.05).data["loss"].tolist()


@pytest.mark.parametrize("optimizer", ["sgd", torch.optim.NAdam])
def test_maximize_climbs(optimizer: Any) -> None:
    losses = descend(epochs=20, optimizer=optimizer, maximize=True).data["loss"]
    assert losses.is_monotonic_increasing
    assert losses.iloc[-1] > losses.iloc[0]


def test_a_loss_of_one_s_own_has_its_name() -> None:
    def quartic(outputs: Tensor, targets: Tensor) -> Tensor:
        assert outputs.shape == targets.shape == (50, 1)
        return ((outputs - targets) ** 4).mean()

    descents = _short(loss=[quartic, nn.HuberLoss(delta=0.5)], lr=1e-4)
    assert descents.data["loss_fn"].unique().tolist() == ["quartic", "HuberLoss"]
    ours = descents.data.query("loss_fn == 'quartic'").drop(columns="loss_fn")
    theirs = _torch_s_path(quartic, partial(torch.optim.SGD, lr=1e-4), 3, torch.float32)
    np.testing.assert_allclose(ours, theirs, rtol=0 if KERNELS == "recorded" else OTHER_KERNELS.rtol)


@pytest.mark.parametrize(
    ("arguments", "columns", "overlay", "rows"),
    [
        ({}, [], None, None),
        ({"loss": ["mse", "l1"]}, ["loss_fn"], None, None),
        ({"lr": [0.1, 0.2]}, ["lr", "config"], "lr", None),
        ({"loss": ["mse", "l1"], "momentum": [0, 0.9]}, ["loss_fn", "momentum", "config"], "momentum", None),
        ({"momentum": [0.5, 0.9], "dampening": [0, 0.1]}, ["momentum", "dampening", "config"], "momentum", "dampening"),
        ({"dampening": [0, 0.1], "momentum": [0.5, 0.9]}, ["dampening", "momentum", "config"], "dampening", "momentum"),
        (
            {"loss": ["mse"], "lr": [0.1], "start": [(6, -3), (0, 0)]},
            ["loss_fn", "lr", "start", "config"],
            "lr",
            "start",
        ),
    ],
)
def test_every_list_makes_a_column(
    arguments: dict[str, Any], columns: list[str], overlay: str | None, rows: str | None
) -> None:
    descents = _short(**arguments)
    assert descents.data.columns.tolist() == [*columns, "epoch", "weight", "bias", "loss"]
    assert (descents.overlay, descents.rows) == (overlay, rows)
    assert descents.losses == {loss: loss for loss in arguments.get("loss", ["mse"])}
    assert [descents.x.tolist(), descents.y.tolist()] == [values.tolist() for values in toy_problem()]


def test_every_path_is_that_of_its_own_settings() -> None:
    frame = _short(loss=["l1", "mse"], momentum=[0.9, 0.5], nesterov=[False, True]).data
    by = ["loss_fn", "momentum", "nesterov"]
    assert frame[by].drop_duplicates().to_numpy().tolist() == [
        [loss, momentum, nesterov] for loss in ("l1", "mse") for momentum in (0.9, 0.5) for nesterov in (False, True)
    ]
    for (loss, momentum, nesterov), path in frame.groupby(by):
        alone = descend(loss, epochs=3, momentum=momentum, nesterov=nesterov).data
        assert path[list(alone)].to_numpy().tolist() == alone.to_numpy().tolist()
        assert path["config"].unique().tolist() == [f"momentum = {momentum}"]


@pytest.mark.parametrize(
    ("arguments", "labels"),
    [
        ({"momentum": [0.9, 0]}, ["momentum = 0.9", "momentum = 0"]),
        ({"lr": [1e-4]}, ["lr = 1e-04"]),
        ({"start": [(6, -3), (0.5, 0)]}, ["start = (6, -3)", "start = (0.5, 0)"]),
        ({"optimizer": ["sgd", torch.optim.Adagrad]}, ["optimizer = sgd", "optimizer = Adagrad"]),
        ({"nesterov": [True, False], "momentum": 0.5}, ["nesterov = True", "nesterov = False"]),
        (
            {"betas": [(0.9, 0.99), (0.5, 0.9)], "optimizer": "adam"},
            ["betas = (0.9, 0.99)", "betas = (0.5, 0.9)"],
        ),
    ],
)
def test_the_labels(arguments: dict[str, Any], labels: list[str]) -> None:
    assert _short(**arguments).data["config"].unique().tolist() == labels


@pytest.mark.parametrize(
    "kind",
    [tuple, np.array, lambda values: pd.Series(values, index=[5, 6]), torch.tensor],
    ids=["tuple", "array", "Series", "tensor"],
)
def test_a_list_may_be_any_sequence(kind: Callable[[Any], Any]) -> None:
    exact = [0.5, 0.25]
    pd.testing.assert_frame_equal(_short(momentum=kind(exact)).data, _short(momentum=exact).data, check_exact=True)


def test_a_pair_is_one_start() -> None:
    assert _short(start=[1, 2]).data["weight"].tolist()[0] == 1
    assert "config" not in _short(start=(1, 2)).data


def test_a_path_that_diverges_goes_to_infinity_and_is_summarised() -> None:
    descents = _short(lr=[50, 0.1], epochs=40)
    diverging, other = (path.reset_index() for _, path in descents.data.groupby("lr", sort=False))
    finite = np.isfinite(diverging[["weight", "bias", "loss"]]).all(axis=1)
    assert finite[0]
    assert not finite.iloc[-1]
    assert np.isinf(diverging["loss"]).any()
    summary = descents.summary()
    assert summary.columns.tolist() == ["lr", "config", "weight", "bias", "loss", "diverged_at", "left_map_at"]
    numbers = ["weight", "bias", "loss"]
    assert summary.loc[0, numbers].tolist() == diverging.loc[finite, numbers].iloc[-1].tolist()
    assert summary.loc[1, numbers].tolist() == other[numbers].iloc[-1].tolist()
    assert summary["diverged_at"].tolist() == [diverging.loc[~finite, "epoch"].iloc[0], pd.NA]
    assert [str(summary[name].dtype) for name in ("diverged_at", "left_map_at")] == ["Int64", "Int64"]


@pytest.mark.parametrize(
    ("arguments", "left"),
    [({}, pd.NA), ({"start": (20, -3)}, pd.NA), ({"lr": 20}, 1), ({"momentum": 1.5, "epochs": 9}, 4)],
)
def test_the_summary_says_when_a_path_leaves_the_default_map(arguments: dict[str, Any], left: Any) -> None:
    descents = _short(**arguments)
    maps, path = descents.maps(n=2), descents.data
    inside = path["weight"].between(*maps["weight"].iloc[[0, -1]]) & path["bias"].between(*maps["bias"].iloc[[0, -1]])
    assert path.loc[~inside, "epoch"].tolist()[:1] == ([] if left is pd.NA else [left])
    assert descents.summary()["left_map_at"].tolist() == [left]


def test_plot_and_summary_name_the_same_epoch_of_divergence(draw: Any) -> None:
    descents = descend(lr=50, epochs=40)
    (epoch,) = descents.summary()["diverged_at"]
    caption = descents.plot(**DRAWN_AT).labels.caption
    assert caption.endswith(f"diverged at epoch {epoch}")


@pytest.mark.parametrize(
    ("start", "weight", "bias"),
    [((6, -3), (-5, 8), (-5, 8)), ((20, -3), (-5, None), (-5, 8)), ((0, -30), (-5, 8), (None, 8))],
)
def test_the_maps_reach_from_5_below_to_8_or_further(
    start: tuple[float, float], weight: tuple[float | None, ...], bias: tuple[float | None, ...]
) -> None:
    maps = _short(loss=["l1", "mse"], start=start).maps(n=4)
    for name, place, bounds in (("weight", start[0], weight), ("bias", start[1], bias)):
        for reached, bound in zip((maps[name].min(), maps[name].max()), bounds, strict=True):
            assert reached == bound if bound is not None else abs(reached) > abs(place)
    ranges = {name: (maps[name].min(), maps[name].max()) for name in ("weight", "bias")}
    for loss, ours in maps.groupby("loss_fn"):
        theirs = loss_map(loss, n=4, **ranges)
        assert ours[["weight", "bias", "loss"]].to_numpy().tolist() == theirs.to_numpy().tolist()


def test_the_maps_have_the_paths_points_and_dtype() -> None:
    x, y = [0.1, 0.2, 0.4], [1.0, 2.0, 4.0]
    maps = _short(x=x, y=y, dtype=torch.float64).maps((0, 1), (-1, 3), 3)
    theirs = loss_map("mse", x, y, (0, 1), (-1, 3), 3, dtype=torch.float64)
    assert maps["loss"].tolist() == theirs["loss"].tolist()
    assert maps["loss_fn"].unique().tolist() == ["mse"]


def test_the_plot_has_a_facet_a_loss_and_a_row_a_value_in_the_order_of_the_lists(draw: Any) -> None:
    descents = _short(loss=["smooth_l1", "mse"], lr=[0.2, 0.1, 0.15], momentum=[0.9, 0])
    plot = descents.plot(**DRAWN_AT)
    assert (plot.labels.x, plot.labels.y) == ("bias", "weight")
    assert (plot.mapping["x"], plot.mapping["y"], plot.mapping["color"]) == ("bias", "weight", "config")
    assert (plot.facet.rows, plot.facet.cols) == (["momentum"], ["loss_fn"])
    drawn = draw(plot)
    for words in (
        ["smooth_l1", "mse"],
        ["lr = 0.2", "lr = 0.1", "lr = 0.15"],
        ["momentum = 0.9", "momentum = 0"],
    ):
        assert drawn.those(*words) == words
    assert (drawn.x, drawn.y) == ((-5, 8), (-5, 8))


@pytest.mark.parametrize(("colour", "title"), [("shared", "Loss"), ("facet", "Loss,\nscaled within\neach facet")])
def test_the_legend_says_how_the_maps_are_coloured(colour: str, title: str, draw: Any) -> None:
    descents = _short(loss=["l1", "mse"])
    assert title in draw(descents.plot(**DRAWN_AT, colour=colour)).words


@pytest.mark.parametrize(
    ("arguments", "window", "caption", "top"),
    [
        ({"lr": [0.1, 0.2]}, {}, "", 8),
        ({"start": (20, -3)}, {}, "a start lies off the usual map, -5 to 8", 21.25),
        ({"start": (6, -3)}, {"weight": (-5, 5)}, "off the map at epoch 0", 5),
        ({"lr": [0.1, 20]}, {}, "lr = 20: off the map at epoch 1", 8),
        ({"lr": [1e38, 0.1]}, {}, r"lr = 1e\+38: diverged at epoch 1", 8),
    ],
)
def test_the_caption_tells_what_the_map_does_not_show(
    arguments: dict[str, Any], window: dict[str, Any], caption: str, top: float, draw: Any
) -> None:
    plot = _short(**arguments).plot(**DRAWN_AT, **window)
    assert re.fullmatch(caption, " ".join((plot.labels.get("caption", None) or "").split()))
    drawn = draw(plot)
    assert (drawn.x, drawn.y) == ((-5, 8), (-5, top)), "the axes are the map's, wherever the paths go"


def test_the_fit_shows_the_points_and_the_lines_at_the_ends(draw: Any) -> None:
    descents = _short(loss=["l1", "mse"], lr=[0.1, 0.05], start=(1, 2))
    plot = descents.plot_fit()
    points = plot.layers[0]._data
    assert points[["x", "y"]].to_numpy().tolist() == np.stack([descents.x, descents.y], axis=1).tolist()
    assert (
        plot.data[["weight", "bias"]].to_numpy().tolist() == descents.summary()[["weight", "bias"]].to_numpy().tolist()
    )
    assert plot.labels.get("caption", None) is None
    drawn = draw(plot)
    assert drawn.those("l1", "mse") == ["l1", "mse"]
    assert drawn.those("lr = 0.1", "lr = 0.05") == ["lr = 0.1", "lr = 0.05"]


def test_a_line_at_infinity_does_not_stretch_the_fit(draw: Any) -> None:
    descents = _short(lr=[50, 0.1], epochs=40)
    drawn = draw(descents.plot_fit())
    low, high = descents.y.min(), descents.y.max()
    assert 2 * low - high < drawn.y[0] < low < high < drawn.y[1] < 2 * high - low
    assert "1 of 2 lines lie far from the points, and are not drawn." in " ".join(drawn.words)


def test_the_repr_tells_the_ends() -> None:
    descents = _short(momentum=[0, 0.9])
    text = repr(descents)
    assert text.startswith("Descents of mse, momentum, 50 points\n")
    assert all(config in text for config in ("momentum = 0 ", "momentum = 0.9 "))
    assert str(round(descents.data["loss"].iloc[-1], 6)) in text


def test_descents_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        _short().overlay = "lr"


def test_saving_keeps_every_bit(tmp_path: Path) -> None:
    descents = _short(lr=[0.1, 50], epochs=30)
    paths = descents.save(tmp_path / "new" / "out")
    assert [path.name for path in paths] == ["descents.csv", "descents.png", "settings.json"]
    assert sorted((tmp_path / "new" / "out").iterdir()) == paths
    pd.testing.assert_frame_equal(pd.read_csv(paths[0]), descents.data, check_exact=True)
    assert paths[1].read_bytes().startswith(b"\x89PNG")


def test_the_film_has_a_picture_an_epoch(tmp_path: Path) -> None:
    path = _short(loss=["l1", "mse"], momentum=[0, 0.9]).animate(tmp_path / "paths.gif")
    with Image.open(path) as film:
        assert (film.format, film.n_frames) == ("GIF", 4)


def _no_work(outputs: Tensor, targets: Tensor) -> Tensor:
    raise AssertionError("a step was made before the arguments were checked")


KNOWN = "`optimizer` must be one of adamw, adam, rmsprop, sgd, adagrad; got 'lion'"
NESTEROV = "`nesterov` must be False without momentum or with dampening; got"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"loss": "hinge"}, ValueError, "`loss` must be one of mse, l1, huber, smooth_l1; got 'hinge'"),
        ({"loss": lambda outputs, targets: outputs - targets}, ValueError, "`loss` must return a scalar tensor; got"),
        ({"loss": lambda outputs, targets: 3.0}, ValueError, "`loss` must return a scalar tensor; got"),
        ({"optimizer": "lion"}, ValueError, KNOWN),
        ({"optimizer": 3}, ValueError, "`optimizer` must be one of .*; got 3"),
        ({"optimizer": lambda parameters, lr: None}, TypeError, "`optimizer` must make a torch.optim.Optimizer; got"),
        ({"nesterov": True}, ValueError, NESTEROV),
        ({"nesterov": True, "momentum": 0.0}, ValueError, NESTEROV + r" momentum=0"),
        ({"nesterov": True, "momentum": 0.9, "dampening": 0.1}, ValueError, NESTEROV + " momentum=0.9, dampening=0.1"),
        ({"epochs": 0}, ValueError, "`epochs` must be at least 1; got 0"),
        ({"epochs": 1.5}, ValueError, "`epochs` must be a whole number; got 1.5"),
        ({"epochs": [1, 2]}, TypeError, r"`epochs` must be a whole number; got \[1, 2\]"),
        ({"lr": -0.1}, ValueError, "`lr` must be at least 0; got -0.1"),
        ({"lr": math.nan}, ValueError, "`lr` must be finite; got nan"),
        ({"lr": "0.1"}, TypeError, "`lr` must be a number; got '0.1'"),
        ({"maximize": "no"}, TypeError, "`maximize` must be True or False; got 'no'"),
        ({"momentum": -1}, ValueError, "`momentum` must be at least 0; got -1"),
        ({"momentun": 0.9}, TypeError, "`momentun` must be an argument of the optimizer; 'sgd' does not take it"),
        ({"betas": (0.9, 0.9)}, TypeError, "`betas` must be an argument of the optimizer; 'sgd' does not take it"),
        ({"optimizer": "adam", "betas": (0.9, 1.0)}, ValueError, "`beta2` must be less than 1; got 1.0"),
        ({"optimizer": "adam", "betas": 0.9}, TypeError, "`betas` must be a pair of numbers; got 0.9"),
        ({"start": 3}, TypeError, r"`start` must be a pair \(weight, bias\); got 3"),
        ({"start": (1, 2, 3)}, TypeError, r"`start` must be a pair \(weight, bias\); got \(1, 2, 3\)"),
        ({"start": (1, math.inf)}, ValueError, "`start` must be finite; got inf"),
        ({"x": [], "y": []}, ValueError, "`x` must be a vector of at least one number"),
        ({"x": [1.0, 2.0], "y": [1.0]}, ValueError, "`x` and `y` must have the same length; got 2 and 1"),
        ({"x": [math.nan], "y": [1.0]}, ValueError, "`x` must be finite; got nan"),
        ({"x": [1.0]}, ValueError, "`x` and `y` must be given together"),
        ({"dtype": torch.int32}, ValueError, "`dtype` must be one of float32, float64; got 'int32'"),
    ],
)
@pytest.mark.parametrize("function", [descend, compare_descents])
def test_bad_arguments_of_both(
    function: Callable[..., Descents], arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        function(**({"loss": _no_work} | arguments))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"lr": [0.1, 0.2]}, TypeError, r"`lr` must be one value; got \[0.1, 0.2\]. Use compare_descents"),
        ({"momentum": np.array([0.9])}, TypeError, "`momentum` must be one value; got .* Use compare_descents"),
        ({"loss": ["mse", "l1"]}, TypeError, r"`loss` must be one value; got \['mse', 'l1'\]. Use compare_descents"),
        ({"start": [(6, -3), (0, 0)]}, TypeError, "`start` must be one value; got .* Use compare_descents"),
        ({"optimizer": ["sgd", "adam"]}, TypeError, "`optimizer` must be one value; got .* Use compare_descents"),
    ],
)
def test_a_single_descent_takes_no_lists(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        descend(**({"loss": _no_work} | arguments))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"lr": [0.1, 0.2], "momentum": [0, 0.9], "dampening": [0, 0.1]},
            ValueError,
            "At most two arguments besides `loss` may be lists; got `lr`, `momentum` and `dampening`",
        ),
        (
            {"momentum": [0.9, 0.9]},
            ValueError,
            "`momentum` must hold distinct values; got `momentum = 0.9` more",
        ),
        ({"momentum": [0, 0.0]}, ValueError, "`momentum` must hold distinct values"),
        ({"start": [(1, 2), (1.0, 2.0)]}, ValueError, "`start` must hold distinct values"),
        ({"loss": ["mse", "mse"]}, ValueError, "`loss` must hold distinct values"),
        ({"momentum": []}, ValueError, r"`momentum` must be a one-dimensional list with at least one value; got \[\]"),
        ({"loss": []}, ValueError, r"`loss` must be a one-dimensional list with at least one value; got \[\]"),
        ({"loss": [_no_work, "hinge"]}, ValueError, "`loss` must be one of mse, l1, huber, smooth_l1; got 'hinge'"),
        ({"optimizer": ["sgd", "lion"]}, ValueError, KNOWN),
        ({"momentum": [0.9, 0.0], "nesterov": [True]}, ValueError, NESTEROV + " momentum=0"),
        ({"momentum": [0.9, 0.5], "nesterov": True, "dampening": [0, 0.5]}, ValueError, NESTEROV + " momentum=0.9"),
        ({"lr": [0.1, -0.1]}, ValueError, "`lr` must be at least 0; got -0.1"),
        ({"lr": [0.1, math.nan]}, ValueError, "`lr` must be finite; got nan"),
    ],
)
def test_bad_lists(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        compare_descents(**({"loss": _no_work} | arguments))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda d: d.plot(colour="rainbow"), ValueError, "`colour` must be one of shared, facet; got 'rainbow'"),
        (lambda d: d.plot(n=1), ValueError, "`n` must be at least 2; got 1"),
        (
            lambda d: d.maps(weight=(1, 0)),
            ValueError,
            r"`weight` must go from a lower to a higher number; got \(1, 0\)",
        ),
        (lambda d: d.maps(bias=3), TypeError, r"`bias` must be a pair \(lowest, highest\); got 3"),
        (lambda d: d.animate("paths.avi"), ValueError, "`file` must end in .gif or .mp4; got 'paths.avi'"),
        (lambda d: d.animate("paths.gif", fps=0), ValueError, "`fps` must be at least 1; got 0"),
    ],
)
def test_bad_pictures(call: Callable[[Descents], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(_short())
