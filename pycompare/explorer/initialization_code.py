"""What the tab "Initialization" shows, as code that gives the same bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pycompare.explorer.initialization_settings import GRID, ROWS, InitializationSettings
from pycompare.explorer.tab import Answer, NoCounterpartError
from pycompare.snippets import Code, python_call, r_call

_PYTHON = """from pycompare import MLP, activation_statistics, classification_data, compare_inits

statistics, boundaries = [], []
"""
_PYTHON_EACH = """
data = {data}
statistics += [{statistics}]
comparison = {comparison}
boundaries += [comparison.boundaries(grid={grid})]
"""
# The networks come back trained: their boundaries are what they say about a grid.
_R = """# With the course's functions, which are in r_reference/R. A trained network tells the class of any points.
sets <- circle_sets()
start_and_train <- function(widths, fill, steps, lr, seed) {
  network <- with_torch_manual_seed(seed = seed, initialise(relu_layers(widths), fill))
  statistics <- activation_statistics(network, sets$train$x)
  opt <- optim_ignite_sgd(network$parameters, lr = lr)
  for (step in seq_len(steps)) {
    opt$zero_grad()
    nnf_cross_entropy(network(sets$train$x), sets$train$k)$backward()
    opt$step()
  }
  list(statistics = statistics, network = network)
}
"""


def python(shown: Sequence[InitializationSettings], answers: Sequence[Answer]) -> str:
    """A script that makes lists of `statistics` and of `boundaries`."""
    return _PYTHON + "".join(_in_python(one, answer) for one, answer in zip(shown, answers, strict=True))


def command(_shown: Sequence[InitializationSettings], _answers: Sequence[Answer]) -> str:
    """No command."""
    raise NoCounterpartError("No command draws the boundary of a network of a chosen depth.")


def r(shown: Sequence[InitializationSettings], _answers: Sequence[Answer]) -> str:
    """A script for R torch: the statistics, and the trained networks."""
    if reason := next(_obstacles_to_r(shown), None):
        raise NoCounterpartError(reason)
    calls = ",\n".join(r_call("start_and_train", _in_r(one)) for one in shown)
    return f"{_R}shown <- list(\n{calls}\n)\n"


def _in_python(one: InitializationSettings, answer: Answer) -> str:
    comparison: Any = answer.result
    (network,) = comparison.networks.values()
    made = python_call("MLP", one.network_arguments(network[-1].out_features))
    named = {"data": Code("data"), "network": Code(f"lambda: {made}")}
    return _PYTHON_EACH.format(
        data=f"classification_data({one.data!r}, {ROWS})",
        statistics=python_call(
            "activation_statistics", one.statistics_arguments() | {"data": Code("data.train.tensors[0]")}
        ),
        comparison=python_call("compare_inits", one.training_arguments() | named),
        grid=GRID,
    )


def _in_r(one: InitializationSettings) -> dict[str, Any]:
    """The arguments of `start_and_train`."""
    told: dict[str, Any] = {"std": one.sigma} if one.spread() else {}
    told |= {"nonlinearity": "relu"} if one.init.startswith("kaiming") else {}
    call = r_call(f"nn_init_{one.init}_", {"tensor": Code("weight")} | told)
    widths = [2, *[one.width] * one.depth, 2]
    fill = Code(f"function(weight) {call}")
    return {"widths": widths, "fill": fill, "steps": one.steps, "lr": one.lr, "seed": one.seed}


def _obstacles_to_r(shown: Sequence[InitializationSettings]) -> Iterator[str]:
    """Why the course's functions cannot give what is shown."""
    if any(one.data != "circle" for one in shown):
        yield "The course's functions have the circle's points only."
    if any(one.activation != "relu" for one in shown):
        yield "The course's functions look at ReLUs only."
