"""The tab "Rosenbrock": gradient descent with momentum on the course's function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pycompare.explorer.calls import assigned, calls, changed
from pycompare.explorer.controls import Control, Slider, decades, real, whole
from pycompare.explorer.drawn import digits, numbers
from pycompare.explorer.paths import MOMENTA, path_figures
from pycompare.explorer.tab import Answer, NoCounterpartError, Uploads
from pycompare.snippets import command_line, python_call, r_call

if TYPE_CHECKING:
    from htmltools import Tag

_STEPS = ("1", "2", "5", "10", "20", "50", "100", "150", "200", "300", "500", "700", "1000")
_START = (-1.0, 2.0)  # of the course's function, and of the command
_X, _Y, _GRID = (-2.0, 2.0), (-1.0, 3.0), 81  # the window of `plot_trajectory`


@dataclass(frozen=True)
class RosenbrockSettings:
    """What one path depends on, as the arguments of `optimize_rosenbrock`; x and y are its start."""

    steps: int
    lr: float
    beta: float
    x: float
    y: float


CONTROLS: Mapping[str, Sequence[Control]] = {
    "Steps": (
        Slider("lr", "Learning rate", "0.05", real(at_least=0), stops=decades(-4, 0, ("1", "1.5", "2", "3", "5", "7"))),
        Slider("beta", "beta, momentum", "0.9", real(at_least=0, below=1), stops=MOMENTA),
        Slider("steps", "Steps", "100", whole(at_least=1, at_most=1000), stops=_STEPS),
    ),
    "Start": (
        Control("x", "x", "-1", real()),
        Control("y", "y", "2", real(), "Or click on the map"),
    ),
}


class Rosenbrock:
    """See `tab.Tab`."""

    name = "rosenbrock"
    title = "Rosenbrock"
    caption = "Where the paths end"
    controls = CONTROLS

    def settings(self, **values: Any) -> RosenbrockSettings:
        """As `Tab.settings` says."""
        return RosenbrockSettings(**values)

    def figures(self) -> list[Tag]:
        """As `Tab.figures` says."""
        return path_figures("Map of the Rosenbrock function, with the paths", "Values by step", "Step")

    def compute(self, settings: RosenbrockSettings, uploads: Uploads) -> Answer:  # noqa: ARG002
        """As `Tab.compute` says."""
        from pycompare.divergence import first_failure, is_finite
        from pycompare.labs.rosenbrock import optimize_rosenbrock

        trajectory = optimize_rosenbrock(**_arguments(settings))
        path, row = trajectory.data, trajectory.summary().iloc[-1]
        names = {"when": "step", "x": "x", "y": "y", "value": "value"}
        cells = {f"last {name}": digits(row[name]) for name in ("x", "y", "value")}
        cells["diverged at step"] = digits(first_failure(path["step"], is_finite(path[["x", "y", "value"]])))
        return Answer({name: numbers(path[column]) for name, column in names.items()}, cells, trajectory)

    def together(self, answers: Sequence[Answer]) -> dict[str, Any]:  # noqa: ARG002
        """As `Tab.together` says: the map."""
        import numpy as np

        from pycompare.labs.rosenbrock import rosenbrock

        x, y = np.linspace(*_X, _GRID), np.linspace(*_Y, _GRID)
        z = rosenbrock(x, y[:, None])
        names = {"x": "x", "y": "y", "value": "Value", "when": "Step"}
        return {"x": x.tolist(), "y": y.tolist(), "z": z.tolist(), "names": names, "note": ""}

    def python(self, shown: Sequence[RosenbrockSettings], answers: Sequence[Answer]) -> str:  # noqa: ARG002
        """As `Tab.python` says."""
        written = [python_call("optimize_rosenbrock", one) for one in _calls(shown)]
        return f"from pycompare import optimize_rosenbrock\n\n{assigned('trajectories = ', written)}\n"

    def command(self, shown: Sequence[RosenbrockSettings], answers: Sequence[Answer]) -> str:  # noqa: ARG002
        """As `Tab.command` says."""
        made = _from_the_start(shown, "The command")
        return "\n".join([*(command_line("pycompare rosenbrock", one) for one in made), ""])

    def r(self, shown: Sequence[RosenbrockSettings], answers: Sequence[Answer]) -> str:  # noqa: ARG002
        """As `Tab.r` says."""
        written = [r_call("optimize_rosenbrock", one) for one in _from_the_start(shown, "The course's function")]
        made = assigned("trajectories <- ", written, "list()")
        return f"# With the course's functions, which are in r_reference/R. A plot's last layer has the path.\n{made}\n"


def _arguments(settings: RosenbrockSettings) -> dict[str, Any]:
    """Those of `optimize_rosenbrock`."""
    counted = {"steps": settings.steps, "lr": settings.lr, "beta": settings.beta}
    return counted | {"start": (settings.x, settings.y)}


def _calls(shown: Sequence[RosenbrockSettings]) -> list[dict[str, Any]]:
    """The arguments of each call, the start where it is another than the default."""
    return [changed(one, {"start": _START}) for one in calls([_arguments(one) for one in shown], [])]


def _from_the_start(shown: Sequence[RosenbrockSettings], who: str) -> list[dict[str, Any]]:
    """The arguments of each call, for who can start at one point only."""
    made = _calls(shown)
    if any("start" in one for one in made):
        raise NoCounterpartError(f"{who} starts at ({_START[0]:g}, {_START[1]:g}).")
    return made
