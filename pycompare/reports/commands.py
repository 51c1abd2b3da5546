"""The command that makes what a call has made."""

from __future__ import annotations

import ast

from pycompare.calls import Call
from pycompare.snippets import command_line

_DATA = {"course_data()": "friedman3", "spirals_data()": "spirals", "digits_data()": "digits"}
_TRAINING = {"batch_size", "lr", "weight_decay", "beta1", "beta2", "momentum", "dampening", "epochs", "data", "seed"}

# Of each function its command, those of its arguments that the command has, too, and what it is to be told where its
# default is another.
COMMANDS: dict[str, tuple[str, set[str], dict[str, object]]] = {
    "compare_configs": (
        "pycompare compare",
        _TRAINING | {"seeds", "optimizer", "loss", "dtype", "device", "threads", "engine"},
        {},
    ),
    "optimize_rosenbrock": ("pycompare rosenbrock", {"steps", "lr", "beta"}, {}),
    "compare_inits": (
        "pycompare lab init",
        {"sigma", "init", "scale", "seed", "seeds", "steps", "every", "lr", "optimizer"},
        {},
    ),
    "compare_dropout": (
        "pycompare lab dropout",
        {"p", "input_p", "hidden", "sigma", "epochs", "batch_size", "lr", "weight_decay", "seed", "seeds"},
        {},
    ),
    "compare_gradients": (
        "pycompare lab gradients",
        {"init", "optimizer", "sigma", "lr", "epochs", "every", "seed", "seeds"},
        {"optimizer": "sgd"},
    ),
    "activation_statistics": (
        "pycompare lab activations",
        {"init", "sigma", "depth", "width", "activation", "seed"},
        {},
    ),
}


def shell_command(call: Call) -> str | None:
    """The command that makes what `call` makes; None where no command has all of its arguments."""
    command, known, told = COMMANDS.get(call.function, ("", set(), {}))
    if not command or not {*call.arguments} <= known or call.missing:
        return None
    try:
        given = {name: _DATA.get(code) or ast.literal_eval(code) for name, code in call.arguments.items()}
        return command_line(command, told | given | {"out": "again/"})
    except ValueError:
        return None
