"""Every ported function on both sides, R's and ours: what `pycompare parity` runs.

A table of `r_reference/record.R` is compared in up to two lanes: with its recording, made with real R torch, and with
live R, which has R torch or, for want of it, its stand-in in double precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import torch

from pycompare.parity.compare import Budget, ParityReport, compare_trajectories
from pycompare.parity.kernels import mkl_kernels
from pycompare.parity.session import RSession, RUnavailable, reference_folder
from pycompare.parity.tables import course, descents, draws, dropout, initialization, schedules
from pycompare.parity.tables.recorded import recording, toy_points

if TYPE_CHECKING:
    from plotnine import ggplot

    from pycompare.reports.report import Report

Lane = Literal["recorded R torch", "live R torch", "live R with the stand-in"]
LANES: dict[str, Lane] = {  # by the name that --lane takes; for live R it is the RSession's backend
    "recorded": "recorded R torch",
    "torch": "live R torch",
    "basetorch": "live R with the stand-in",
}

SAME_BITS = Budget(why="the same operations in the same order")
OTHER_KERNELS = Budget(rtol=2e-3, why="another MKL branch moved the course curves by up to 1e-3 relative")
IN_DOUBLE = Budget(rtol=1e-12, why="sums of products in another order moved double curves by up to 1.7e-13 relative")
SIDES = ("pycompare", "R")  # the left one and the right one of every report
_MOST_CURVES = 30
_MOST_ULPS = 1e6
SEEDS, SIZES = (-1, 0, 123, 2**31 - 1), (1, 10, 1000)


@dataclass(frozen=True)
class Table:
    """A table that both sides compute.

    Attributes:
        name: the recorded file without its ending; R's function is `record_<name>`.
        functions: the ported functions behind it, by R's names.
        on: the columns that name a row, the step last.
        ours: computes it as R torch does, at the recording's length or at that of `live`.
        in_double: its arguments to compute it as the stand-in does.
        float32: the columns that hold float32 values, as doubles, where R torch computes them.
        live: the arguments of both sides in a live run, where a shorter one suffices.
        kernels: what is allowed where matrix products have other bits than the recording's.
        stand_in: what is allowed between `in_double` and the stand-in.
    """

    name: str
    functions: str
    on: tuple[str, ...]
    ours: Callable[..., pd.DataFrame]
    in_double: dict[str, Any] = field(default_factory=lambda: {"dtype": torch.float64})
    float32: tuple[str, ...] = ()
    live: dict[str, Any] = field(default_factory=dict)
    kernels: Budget = SAME_BITS
    stand_in: Budget = SAME_BITS

    def compare(
        self, ours: pd.DataFrame, theirs: pd.DataFrame, budget: Budget, *, float32: Sequence[str] = ()
    ) -> ParityReport:
        """Compare two computations of the table, in float32's ulps the columns of `float32` that hold such values."""
        dtypes = {name: "float32" for name in float32 if all(map(_are_float32, (ours[name], theirs[name])))}
        return compare_trajectories(self.by_row(ours), self.by_row(theirs), on=self.on, budget=budget, dtypes=dtypes)

    def by_row(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame; where no column names a row, with its position as `row`."""
        return frame.reset_index(names="row") if self.on == ("row",) else frame


@dataclass(frozen=True)
class TableResult:
    """What came out for one table in one lane."""

    functions: str
    lane: Lane
    report: ParityReport

    @property
    def budget(self) -> Budget:
        """What the two sides may be apart."""
        return self.report.budget or SAME_BITS

    @property
    def runs(self) -> int:
        """How many trajectories were compared."""
        by = list(self.report.on[:-1])
        return self.report.data.groupby(by).ngroups if by else 1

    @property
    def has_curves(self) -> bool:
        """Whether the runs can be drawn over their steps, few enough to be told apart."""
        return self.report.on[-1] in ("epoch", "step") and self.runs <= _MOST_CURVES

    def plot(self) -> ggplot:
        """Draw ours and R's curves, and how far they are apart."""
        from pycompare.plots import plot_parity

        return plot_parity(self.report.data, step=self.report.on[-1], by=self.report.on[:-1], sides=SIDES)

    @property
    def passed(self) -> bool:
        """Whether the two sides are within the budget."""
        return self.report.is_within(self.budget)

    @property
    def identical(self) -> bool:
        """Whether the two sides have the same bits."""
        return self.report.identical

    @property
    def verdict(self) -> str:
        """The words "identical bits", or the largest distances against the budget.

        Ulps by the million tell nothing that the relative distance does not: they are left out.
        """
        if self.identical:
            return "identical bits"
        largest = self.report.data[["ulps", "relative"]].max().fillna(0)
        ulps = f"{largest['ulps']:g} ulps, " if largest["ulps"] < _MOST_ULPS else ""
        allowed = ", ".join(
            f"{name} {part:g}"
            for name, part in (("rtol", self.budget.rtol), ("atol", self.budget.atol), ("ulps", self.budget.ulps))
            if part
        )
        alone = len(self.report.only_left) + len(self.report.only_right)
        rows = f", {alone} rows on one side only" if alone else ""
        word = "within" if self.passed else "MISSED"
        distance = f"{ulps}{largest['relative']:.1e} relative{rows}"
        return f"{distance}: {word} {allowed or 'identical bits'}"


DROPPED_KERNELS = Budget(atol=5e-6, why="MKL's branch of least instructions moved a logit by 7.2e-7, some near 0")
TrainedTable = partial(Table, kernels=OTHER_KERNELS, stand_in=IN_DOUBLE)
TABLES = (
    Table("spirals_data", "mlbench.spirals, sample", ("row",), draws.spirals_table, in_double={}),
    Table(
        "torch_random",
        "nnf_dropout, torch_randn, torch_randperm",
        ("index",),
        draws.torch_random,
        float32=("dropout_0.5", "dropout_0.2", "randn", "randperm"),
        in_double={},
        stand_in=Budget(atol=1e-6, why="torch approximates log, sin and cos of normal draws in float32"),
    ),
    Table(
        "inits",
        "nn_init_*_",
        ("init", "index"),
        draws.inits,
        float32=("value",),
        in_double={},
        kernels=Budget(atol=2e-7, why="orthogonal_: another MKL branch moved its QR decomposition by up to 6.0e-8"),
        stand_in=Budget(atol=1e-6, why="normal draws approximated in float32; float32 against double"),
    ),
    Table("one_cycle", "lr_one_cycle", ("step",), course.one_cycle, in_double={}),
    Table(
        "course_first_steps",
        "course_data, nn_mlp, train_loop, optim_ignite_adamw",
        ("parameter", "index", "step"),
        course.course_first_steps,
        float32=("value",),
        kernels=Budget(atol=1e-7, why="another MKL branch moved a parameter by up to 3.0e-8 in 5 steps, some near 0"),
        stand_in=Budget(atol=1e-15, why="sums of products in another order: measured 6e-17, some parameters near 0"),
    ),
    TrainedTable(
        "course_sweeps",
        "compare_configs, train_valid, valid_loop",
        ("sweep", "value", "epoch"),
        course.course_sweeps,
        live={"epochs": 3},
    ),
    TrainedTable(
        "optimizers",
        "optim_ignite_sgd, _adam, _rmsprop, _adagrad",
        ("optimizer", "epoch"),
        course.optimizers,
        live={"epochs": 2},
    ),
    TrainedTable("spirals_lr", "spirals_data, train_valid", ("lr", "epoch"), course.spirals_lr, live={"epochs": 3}),
    Table(
        "rosenbrock",
        "rosenbrock, optim_step, optimize_rosenbrock",
        ("dtype", "lr", "beta", "step"),
        descents.rosenbrock_runs,
    ),
    TrainedTable(
        "sgd_toy",
        "descend, optim_ignite_sgd, nnf_l1_loss, nnf_smooth_l1_loss",
        ("loss_fn", "setting", "epoch"),
        descents.sgd_toy,
        float32=("weight", "bias", "loss"),
    ),
    TrainedTable(
        "init_runs",
        "init_runs, initialise, mlbench.circle, nnf_cross_entropy, optim_ignite_sgd",
        ("init", "seed", "step"),
        initialization.init_runs,
        float32=("train_loss", "valid_loss"),
        live={"steps": 50, "every": 10},
        kernels=Budget(rtol=1, why="2e-7 relative to step 300; then one rounding sent 1 of 24 runs elsewhere: 0.49"),
        stand_in=Budget(rtol=2e-5, why="normal draws approximated in float32: measured 1.8e-6"),
    ),
    TrainedTable(
        "activations",
        "activation_statistics, initialise, nn_init_normal_, nn_init_xavier_normal_, nn_init_kaiming_normal_",
        ("init", "layer"),
        initialization.activations,
        live={"n": 500, "depth": 10},
        stand_in=Budget(rtol=1e-4, why="normal draws approximated in float32: 1.3e-6; a sign that flips is 4e-5"),
    ),
    TrainedTable(
        "gradient_norms",
        "gradient_norms, initialise, nn_init_normal_, nn_init_xavier_uniform_, nn_init_kaiming_uniform_",
        ("init", "optimizer", "parameter", "step"),
        initialization.gradient_norms,
        float32=("loss", "gradient", "value"),
        live={"steps": 100},
        stand_in=Budget(rtol=1e-11, why="sums in another order, magnified by RMSprop's small roots: measured 6.8e-13"),
    ),
    TrainedTable(
        "sgd_runs",
        "scaled_data, train_curve, mean_rmse, optim_ignite_sgd",
        ("run", "epoch"),
        schedules.sgd_runs,
        live={"epochs": 2},
    ),
    Table("one_cycle_rates", "train_one_cycle, lr_one_cycle", ("step",), schedules.one_cycle_rates, in_double={}),
    TrainedTable(
        "one_cycle_run",
        "train_one_cycle, train_curve, mean_rmse, optim_ignite_adamw",
        ("epoch",),
        schedules.one_cycle_run,
        live={"epochs": 3},
    ),
    TrainedTable(
        "range_test",
        "range_test, optim_ignite_sgd",
        ("step",),
        schedules.range_test,
        float32=("loss",),
        live={"steps": 60},
    ),
    Table(
        "dropout_runs",
        "waveform_sets, nn_dropout_mlp, train_dropout, nn_dropout, nnf_cross_entropy",
        ("dropout", "epoch"),
        dropout.dropout_runs,
        float32=("train_loss", "valid_loss", "valid_error"),  # 200 rows make halves of a percent
        in_double={},
        live={"epochs": 3},
        kernels=DROPPED_KERNELS,
        stand_in=Budget(atol=1e-5, why="float32 against double: measured 4e-7"),
    ),
    Table(
        "mc_dropout",
        "mc_dropout",
        ("passes", "row", "class"),
        dropout.mc_dropout,
        float32=("logit",),
        live={"epochs": 3},
        kernels=DROPPED_KERNELS,
        stand_in=Budget(atol=1e-5, why="weights are normal draws approximated in float32: measured 1e-6 in a logit"),
    ),
)
LIVE_ONLY = (  # R torch has not recorded these
    Table(
        "loss_map",
        "loss_map",
        ("loss_fn", "index"),
        descents.loss_maps,
        float32=("loss",),
        stand_in=Budget(ulps=8, why="R sums 50 numbers in long double: measured 2 ulps, and 3 on a grid of 101 x 101"),
    ),
)


def run(lane: str | None = None) -> Iterator[TableResult]:
    """Compare all tables in one lane ("recorded", "torch", "basetorch"), or in those that are to be had here.

    Raises:
        ValueError: there is no such lane.
        RUnavailable: R, rpy2 or R torch is missing for the lane asked for.
    """
    if lane not in (None, *LANES):
        raise ValueError(f"`lane` must be one of {', '.join(LANES)}; got {lane!r}. Leave it out for all there are.")
    if lane in (None, "recorded"):
        yield from recorded_results()
    if lane != "recorded":
        try:
            session = RSession("torch" if lane == "torch" else "basetorch" if lane else "auto")
        except RUnavailable:
            if lane is None:
                return
            raise
        with session:
            yield from live_results(session)


def recorded_results() -> Iterator[TableResult]:
    """Compare every recorded table with ours."""
    same_kernels = mkl_kernels() == "recorded"
    for table in TABLES:
        budget = SAME_BITS if same_kernels else table.kernels
        theirs = pd.read_csv(recording(table.name))
        report = table.compare(table.ours(), theirs, budget, float32=table.float32)
        yield TableResult(table.functions, "recorded R torch", report)


def live_results(session: RSession) -> Iterator[TableResult]:
    """Compare ours with what R computes now, each table at the length of its `live` run."""
    source_exercises(session)
    yield _drawn("runif, rnorm, sample", draws.random_numbers, session)
    yield _drawn("mlbench.*: all 18 generators", draws.mlbench_data, session)
    for table in (*TABLES, *LIVE_ONLY):
        yield live_result(table, session)


def live_result(table: Table, session: RSession) -> TableResult:
    """Compare one table with what R computes in a session that has the exercises."""
    stand_in = session.backend == "basetorch"
    ours = table.ours(**table.live, **(table.in_double if stand_in else {}))
    theirs = session.call(f"record_{table.name}", *_inputs(table), **table.live)
    float32 = () if stand_in and table.in_double else table.float32
    if stand_in and float32:  # it draws in double what are float32 tensors on our side
        theirs = theirs.astype(dict.fromkeys(float32, np.float32))
    report = table.compare(ours, theirs, table.stand_in if stand_in else SAME_BITS, float32=float32)
    return TableResult(table.functions, LANES[str(session.backend)], report)


def source_exercises(session: RSession) -> None:
    """Define the exercises, the recording's functions and the random numbers' in an R session with a backend."""
    folder = reference_folder()
    for file in (*sorted((folder / "R").glob("*.R")), folder / "record.R", folder / "random_numbers.R"):
        session.source(file)


def as_frame(results: list[TableResult]) -> pd.DataFrame:
    """The table that `pycompare parity` prints: function, runs, numbers, lane, verdict."""
    rows = [
        {
            "function": result.functions,
            "runs": result.runs,
            "numbers": len(result.report.data),
            "lane": result.lane,
            "verdict": result.verdict,
        }
        for result in results
    ]
    return pd.DataFrame(rows)


def as_report(results: Sequence[TableResult]) -> Report:
    """The table and, of what has curves, pictures of both sides: what `pycompare parity --html` writes."""
    from pycompare.plots import png
    from pycompare.reports.report import Code, Picture, Report, Section, Table, Words
    from pycompare.snippets import command_line

    told = Words(f"Every ported function, computed by R and by pycompare, compared number by number. {totals(results)}")
    drawn = [
        Picture(png(result.plot()), "png", f"Both sides of {caption}, and their distance in ulps.", caption)
        for result in results
        if result.has_curves
        for caption in [f"{result.functions}: {result.lane}, {result.verdict}"]
    ]
    table = Section("Verdicts", (told, Table("What was compared", as_frame([*results]))))
    lanes = [name for name, lane in LANES.items() if lane in {result.lane for result in results}]
    command = command_line("pycompare parity", {"lane": lanes[0] if len(lanes) == 1 else None, "html": "again.html"})
    again = Section("Make it again", (Code("sh", command),))
    return Report("Parity with R torch", (table, Section("Curves", tuple(drawn)), again))


def totals(results: Sequence[TableResult]) -> str:
    """What came out in one line: how many tables and numbers, how many of them how well, and the verdict."""
    passed, identical = ([getattr(result, of) for result in results] for of in ("passed", "identical"))
    missed = len(results) - sum(passed)
    numbers = sum(len(result.report.data) for result in results)
    counts = f"{sum(identical)} identical in every bit, {sum(passed) - sum(identical)} within their budgets"
    verdict = f"{missed} MISSED" if missed else "none missed: pycompare computes what R does"
    return f"{len(results)} tables, {numbers:,} numbers: {counts}, {verdict}."


def _drawn(functions: str, ours: Callable[..., pd.DataFrame], session: RSession) -> TableResult:
    theirs = session.call(f"draw_{ours.__name__}", np.array(SEEDS), np.array(SIZES))
    on = ("call", "seed", "size", "index")
    report = compare_trajectories(ours(SEEDS, SIZES), theirs, on=on, budget=SAME_BITS)
    return TableResult(functions, LANES[str(session.backend)], report)


def _are_float32(values: pd.Series) -> bool:
    return values.astype(np.float32).astype(np.float64).equals(values.astype(np.float64))


def _inputs(table: Table) -> list[dict[str, Any]]:
    return [toy_points()] if table.name in ("sgd_toy", "loss_map") else []
