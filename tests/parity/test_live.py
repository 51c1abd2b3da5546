"""Ours against R that runs now, with its stand-in for torch: both sides in double precision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pycompare import compare_configs, optimize_rosenbrock
from pycompare.labs.landscape import descend, loss_map
from pycompare.parity import Budget, RSession, compare_trajectories
from pycompare.parity.session import reference_folder
from pycompare.parity.suite import IN_DOUBLE, LIVE_ONLY, TABLES, Table, live_result, source_exercises
from pycompare.parity.tables.descents import MAP_LOSSES, ROSENBROCK_RUNS, SGD_SETTINGS
from pycompare.parity.tables.draws import mlbench_data, random_numbers
from pycompare.parity.tables.recorded import toy_points
from pycompare.plots import loss_limits

pytestmark = pytest.mark.r

SEEDS = [-(2**31) + 1, -1, 0, 123, 2**31 - 1, *np.random.default_rng(2024).integers(-(2**31) + 1, 2**31, 45).tolist()]
SIZES = [1, 2, 17, 300, 5000]

# R's functions return ggplots; of them cross the curves and the y axis, or the path, its last layer's data.
PLOTTED = """
plotted_configs <- function(plot) {
  list(curves = plot$data, limits = plot$scales$get_scales("y")$limits, label = plot$labels$y)
}
plotted_path <- function(...) {
  layers <- optimize_rosenbrock(...)$layers
  layers[[length(layers)]]$data
}
drawn_values <- function(draw, seed, sizes) get(draw)(seed, sizes)$value
"""

STABLE = Budget(
    rtol=2e-11, why="sums of products in another order; all 26 runs of 30 epochs: 3.6e-12 at most, for beta1 = 0.5"
)


@pytest.fixture(scope="module")
def stand_in(r_session: RSession) -> Iterator[RSession]:
    """R with the exercises on the stand-in; without R, `r_session` skips or fails the test."""
    with RSession("basetorch") as session:
        source_exercises(session)
        session.eval(PLOTTED)
        yield session


@pytest.mark.parametrize("table", [*TABLES, *LIVE_ONLY], ids=lambda table: table.name)
def test_table(table: Table, stand_in: RSession) -> None:
    live_result(table, stand_in).report.assert_within()


@pytest.mark.parametrize(("draw", "seeds"), [(random_numbers, SEEDS), (mlbench_data, SEEDS[:20])])
def test_draws_of_20_seeds_and_more(stand_in: RSession, draw: Any, seeds: list[int]) -> None:
    assert len(set(seeds)) >= 20
    for seed in seeds:
        theirs = stand_in.call("drawn_values", f"draw_{draw.__name__}", seed, np.array(SIZES))
        assert np.array_equal(draw([seed], SIZES)["value"], theirs), f"seed {seed}"


@pytest.mark.parametrize(("lr", "beta"), ROSENBROCK_RUNS)
def test_the_path_that_optimize_rosenbrock_plots(stand_in: RSession, lr: float, beta: float) -> None:
    theirs = stand_in.call("plotted_path", 500, lr, beta)
    ours = optimize_rosenbrock(500, lr, beta, dtype=torch.float64).data
    path = theirs.iloc[:-1].assign(step=range(1, 501))
    budget = Budget(ulps=4, why="the same statements, which C compilers may contract; identical where measured")
    compare_trajectories(ours.loc[1:, ["step", "x", "y"]], path.drop(columns="value"), on="step").assert_within(budget)
    assert theirs.iloc[-1].equals(theirs.iloc[-2].rename(500)), "the exercise repeats the last point"
    assert (theirs["value"] == 0).all(), "the exercise never fills `value`"


@pytest.mark.parametrize("loss", MAP_LOSSES)
@pytest.mark.parametrize("setting", SGD_SETTINGS)
def test_the_path_that_descend_returns(stand_in: RSession, loss: str, setting: str) -> None:
    arguments = toy_points() | {"lr": 0.05, "epochs": 40} | SGD_SETTINGS[setting]
    ours = descend(loss, start=(-2, 5.5), **arguments, dtype=torch.float64).data
    theirs = stand_in.call("descend", loss, start=np.array([-2, 5.5]), **arguments)
    assert list(ours) == list(theirs)
    compare_trajectories(ours, theirs, on="epoch", budget=IN_DOUBLE).assert_within()


@pytest.mark.parametrize("loss", MAP_LOSSES)
def test_the_grid_of_loss_map(stand_in: RSession, loss: str) -> None:
    ours = loss_map(loss, **toy_points(), weight=(-0.1, 0.7), bias=(2, 3.3), n=7, dtype=torch.float64)
    grid = {"weight": np.array([-0.1, 0.7]), "bias": np.array([2, 3.3]), "n": 7}
    theirs = stand_in.call("loss_map", loss, **toy_points(), **grid)
    assert list(ours) == list(theirs)
    assert np.array_equal(ours[["weight", "bias"]], theirs[["weight", "bias"]])
    compare_trajectories(ours, theirs, on=["weight", "bias"], budget=LIVE_ONLY[0].stand_in).assert_within()


@pytest.mark.parametrize(
    ("name", "exercise", "statement", "fault", "place"),
    [
        ("sgd_toy", "descend", "start[1]", "start[2]", "setting=plain, epoch=0"),
        ("sgd_toy", "descend", "opt$zero_grad()", "", "setting=plain, epoch=2"),
        ("sgd_toy", "descend", "lr = lr, ...", "lr = lr", "setting=momentum, epoch=2"),
        ("sgd_toy", "descend", "nnf_smooth_l1_loss", "nnf_mse_loss", "loss_fn=smooth_l1, setting=plain, epoch=0"),
        ("init_runs", "init_runs", "opt$zero_grad()", "", "init=normal_0.01, seed=1, step=10"),
        ("init_runs", "init_runs", "network(set$x)", "network(sets$train$x)", "seed=1, step=0"),
        ("init_runs", "circle_sets", "n_valid, d = 2", "n_valid + 1, d = 2", "init=normal_0.01, seed=1, step=0"),
        ("activations", "activation_statistics", "size$std()", "size$mean()", "init=normal_1, layer=1"),
        ("activations", "relu_layers", "if (i > 1)", "if (i > 2)", "init=normal_1, layer=1"),
        ("gradient_norms", "gradient_norms", "opt$zero_grad()", "", "optimizer=sgd, parameter=0.weight, step=10"),
        ("gradient_norms", "initialise", "if (zero_bias) ", "", "optimizer=sgd, parameter=0.weight, step=0"),
        ("sgd_runs", "scaled_data", "2, max)", "2, mean)", "run=plain, epoch=1"),
        ("sgd_runs", "mean_rmse", "mean(sqrt(mse))", "sqrt(mean(mse))", "run=plain, epoch=1"),
        ("sgd_runs", "train_curve", "opt$zero_grad()", "", "run=plain, epoch=1"),
        ("one_cycle_rates", "train_one_cycle", "scheduler$step()", "", "step=1"),
        ("one_cycle_run", "train_one_cycle", "weight_decay = 0.01", "weight_decay = 0", "epoch=1"),
        ("range_test", "range_test", "(step / (steps - 1))", "(step / steps)", "step=1"),
        ("range_test", "range_test", "opt$step()", "", "step=1"),
        ("loss_map", "loss_map", "rep(grid(weight), each = n)", "rep(grid(weight), n)", "loss_fn=mse, index=1"),
        ("loss_map", "loss_map", "(n - 1)\n", "n\n", "loss_fn=mse, index=1"),
        ("loss_map", "loss_map", "smooth_l1 = , huber", "huber = nnf_l1_loss, smooth_l1", "loss_fn=huber, index=0"),
    ],
)
def test_faults_of_the_laboratory_in_r(
    stand_in: RSession, name: str, exercise: str, statement: str, fault: str, place: str
) -> None:
    path = reference_folder() / "R" / f"{exercise}.R"
    right = path.read_text()
    assert right.count(statement) == 1
    stand_in.eval(right.replace(statement, fault))
    (table,) = (table for table in (*TABLES, *LIVE_ONLY) if table.name == name)
    try:
        with pytest.raises(AssertionError, match=f" first at .*{place}:\n"):
            live_result(table, stand_in).report.assert_within()
    finally:
        stand_in.source(path)


@pytest.mark.parametrize(
    ("varied", "limited"),
    [
        ({"lr": [1.0, 0.1, 0.01, 0.001]}, False),
        ({"beta1": [0.5, 0.99]}, False),
        ({"batch_size": [32, 64]}, True),
    ],
    ids=str,
)
def test_what_compare_configs_plots(stand_in: RSession, varied: dict[str, Any], limited: bool) -> None:
    plotted = _call_compare_configs(stand_in, varied)
    ours = compare_configs(**varied, dtype="float64", progress=False)
    theirs = plotted["curves"]
    assert theirs["config"].unique().tolist() == ours.data["config"].unique().tolist()
    columns = ["config", "epoch", "valid_loss"]
    compare_trajectories(ours.data[columns], theirs[columns], on=columns[:2], budget=STABLE).assert_within()
    assert (theirs["valid_loss"].max() > 10) == limited
    assert loss_limits(theirs["valid_loss"]) == tuple(plotted["limits"])
    plot = ours.plot()
    assert plot.scales.get_scales("y").limits == pytest.approx(tuple(plotted["limits"]), rel=STABLE.rtol, abs=0)
    assert plot.labels.y == plotted["label"]


def _call_compare_configs(session: RSession, varied: dict[str, Any]) -> dict[str, Any]:
    code = ", ".join(f"{name} = list({', '.join(map(repr, values))})" for name, values in varied.items())
    plotted: dict[str, Any] = session.eval(f"plotted_configs(compare_configs({code}))")
    return plotted


@pytest.mark.parametrize("n", [1, 2, 51, 100, 780])
def test_the_y_axis_of_losses_beyond_10(stand_in: RSession, n: int) -> None:
    losses = np.random.default_rng(n).exponential(20, n) + 10
    curves = pd.DataFrame({"epoch": range(n), "valid_loss": losses, "config": "lr = 1"})
    stand_in.eval("plotted_limits <- function(curves) plotted_configs(plot_configs(curves))$limits")
    assert loss_limits(curves["valid_loss"]) == tuple(stand_in.call("plotted_limits", curves))
