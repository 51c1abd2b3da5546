"""The command that makes what a call has made."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pycompare.calls import Call
from pycompare.snippets import command_line

_DATA = {
    "course_data()": "friedman3",
    "spirals_data()": "spirals",
    "digits_data()": "digits",
    'digits_data(source="mnist")': "mnist",
}
_CLASSES = re.compile(r'classification_data\(name="(\w+)", n=(\d+)\)')
_FILE = re.compile(r"Split\.from_csv\(path=(.+?)(?:, target=(.+))?\)")
_NETWORK = re.compile(r'partial\(MLP, \d+, (?:activation="(\w+)", )?hidden=(\(.+?\)), out_features=\d+\)')
_PATIENCE = re.compile(r"EarlyStopping\(patience=(\d+)\)")
_STANDARDIZED = ".standardized()"
_IN_TUNE = "lr batch_size weight_decay beta1 beta2 momentum hidden activation optimizer"  # in the command's order


class NoCommandError(Exception):
    """No command makes what a call has made; the message says why."""


@dataclass(frozen=True)
class Command:
    """The command that does what a function does.

    Attributes:
        words: its name.
        single: the arguments, by their names in Python, of which its options take one number or name.
        several: those that become a comparison by several values.
        lists: those that may have one value or several, and mean the same by one as by a list of one.
        pairs: those that take two numbers.
        flags: those that are told or left out.
        named: what the options of some are called.
        told: what it is to be told where its default is another than the function's.
        rows: of the sets of `classification_data` that it knows by name; 0 where it takes no data.
        standardizes: whether the function's own data are standardized, where the command can do that; else None.
        most: how many arguments may have several values.
        alone: the argument that may be a list of one where there is no other list.
    """

    words: str
    single: str = ""
    several: str = ""
    lists: str = ""
    pairs: str = ""
    flags: str = ""
    named: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)
    rows: int = 300
    standardizes: bool | None = None
    most: int = 3
    alone: str = ""

    def options(self, arguments: Mapping[str, str]) -> dict[str, Any]:
        """What its options are told for `arguments`, code by name."""
        options = {} if self.standardizes is None else {"standardize": self.standardizes}
        refused = []
        for name, code in arguments.items():
            try:
                options |= self._data(code) if name == "data" else {self.named.get(name, name): self._value(name, code)}
            except (ValueError, SyntaxError):
                refused.append(f"{name}={code}")
        lists = [name for name in self.several.split() if _is_list(options.get(name))]
        refused += [f"{name}={arguments[name]}" for name in lists if not self._compares(name, lists, options)]
        if refused:
            raise NoCommandError(f"{self.words} has no option for {', '.join(refused)}.")
        return {**self.told, **options}

    def _compares(self, name: str, lists: list[str], options: Mapping[str, Any]) -> bool:
        return len(lists) <= self.most and (len(options[name]) > 1 or (name == self.alone and len(lists) == 1))

    def _value(self, name: str, code: str) -> Any:
        value = ast.literal_eval(code)
        one = type(value) in (int, float, str)
        several = _is_list(value) and all(type(part) in (int, float, str) for part in value)
        taken = {
            "single": one,
            "several": one or several,
            "lists": one or several,
            "pairs": several and len(value) == 2,
            "flags": value is True,
        }
        if not any(fits and name in getattr(self, kind).split() for kind, fits in taken.items()):
            raise ValueError
        return value

    def _data(self, code: str) -> dict[str, Any]:
        plain, standardized = code.removesuffix(_STANDARDIZED), code.endswith(_STANDARDIZED)
        if not self.rows or (standardized and self.standardizes is None):
            raise ValueError
        options = {} if self.standardizes is None else {"standardize": standardized}
        if plain in _DATA:
            return options | {"data": _DATA[plain]}
        if (found := _CLASSES.fullmatch(plain)) and found[1] != "spirals" and int(found[2]) == self.rows:
            return options | {"data": found[1]}
        if found := _FILE.fullmatch(plain):
            path, target = (ast.literal_eval(text or "None") for text in found.groups())
            return options | {"data": path, "target": target}
        raise ValueError


COMMANDS: dict[str, Command] = {
    "compare_configs": Command(
        "pycompare compare",
        single="epochs seed seeds dtype device threads engine activation",
        several="batch_size lr weight_decay beta1 beta2 momentum dampening optimizer loss",
        lists="hidden",
        flags="nesterov",
        alone="lr",
    ),
    "optimize_rosenbrock": Command("pycompare rosenbrock", single="steps lr beta", rows=0),
    "tune": Command(
        "pycompare tune",
        single="order trials halvings epochs patience loss seed seeds",
        several="lr batch_size weight_decay beta1 beta2 momentum activation optimizer",
        lists="hidden",
        standardizes=False,
    ),
    "descend": Command(
        "pycompare lab landscape descend",
        single="loss lr momentum dampening weight_decay optimizer epochs",
        pairs="start",
        flags="nesterov",
        rows=0,
    ),
    "compare_descents": Command(
        "pycompare lab landscape descend",
        single="epochs",
        several="loss lr momentum dampening weight_decay optimizer",
        pairs="start",
        flags="nesterov",
        rows=0,
    ),
    "compare_paths": Command(
        "pycompare lab landscape paths",
        single="epochs seed optimizer directions n",
        several="lr batch_size weight_decay beta1 beta2",
        named={"n": "points"},
        most=1,
    ),
    "compare_inits": Command(
        "pycompare lab init", single="seed seeds steps every lr optimizer", several="sigma init scale", rows=100
    ),
    "compare_dropout": Command(
        "pycompare lab dropout",
        single="sigma epochs batch_size lr weight_decay seed seeds",
        several="p input_p",
        lists="hidden",
    ),
    "compare_gradients": Command(
        "pycompare lab gradients",
        single="sigma lr epochs every seed seeds",
        several="init optimizer",
        told={"optimizer": "sgd"},
        rows=0,
    ),
    "activation_statistics": Command(
        "pycompare lab activations", single="seed", several="init sigma depth width activation", rows=0
    ),
    "momentum_test": Command(
        "pycompare lab momentum",
        single="low lr epochs optimizer loss seed seeds",
        lists="momentum",
        standardizes=True,
    ),
    "weight_decay_search": Command(
        "pycompare lab weight-decay",
        single="schedule lr epochs optimizer loss seed seeds",
        lists="weight_decay",
        standardizes=True,
    ),
    "weight_decay_restarts": Command(
        "pycompare lab weight-decay",
        single="schedule lr epochs optimizer loss seed seeds",
        lists="weight_decay",
        told={"restart": True, "epochs": 5},
        standardizes=True,
    ),
    "compare_batch_sizes": Command(
        "pycompare lab batch-size",
        single="budget amount lr scale_lr optimizer loss seed seeds engine",
        lists="sizes",
    ),
    "lr_range_test": Command(
        "pycompare lab lr-range",
        single="start end steps mode loss batch_size optimizer loss_function seed seeds",
        pairs="cycle_momentum",
        named={"loss": "of", "loss_function": "loss"},
        told={"seeds": 1},
        standardizes=False,
    ),
    "compare_one_cycle": Command(
        "pycompare lab one-cycle",
        single="max_lr batch_size epochs optimizer loss seed seeds",
        pairs="momentum",
        standardizes=True,
    ),
    "discipline": Command(
        "pycompare lab discipline", single="epochs epoch_seconds optimizer loss seed seeds", standardizes=True
    ),
}


def shell_command(call: Call) -> str:
    """The command that makes what `call` makes, in the same bits.

    Raises:
        NoCommandError: no command does, or the one that does has no option for an argument.
    """
    if call.function not in COMMANDS:
        raise NoCommandError(f"No command does what {call.function} does.")
    command = COMMANDS[call.function]
    flat = {"tune": _tuned, "compare_configs": _compared}.get(call.function, dict)
    return command_line(command.words, command.options(flat(call.arguments)) | {"out": "again/"})


def _compared(arguments: Mapping[str, str]) -> dict[str, str]:
    """The arguments of `compare_configs`, an `MLP` by widths and activation.

    How many outputs it has follows from the data, but where targets are classes, of which there may be fewer.
    """
    given = dict(arguments)
    found = _NETWORK.fullmatch(given.get("network", ""))
    if found and "cross_entropy" not in given.get("loss", ""):
        del given["network"]
        given |= {"hidden": found[2]} | ({"activation": f'"{found[1]}"'} if found[1] else {})
    return given


def _tuned(arguments: Mapping[str, str]) -> dict[str, str]:
    """The arguments of `tune` as those of its command: what `space` holds one by one."""
    given = dict(arguments)
    try:
        space, order = ast.literal_eval(given.pop("space")), ast.literal_eval(given.get("order", "None"))
        flat = space | {"hidden": _widths(space["hidden"])} if "hidden" in space else space
        if [*space] != [name for name in _IN_TUNE.split() if name in space]:
            raise ValueError
    except (ValueError, TypeError):
        raise NoCommandError(f"pycompare tune has no option for space={arguments['space']}.") from None
    if found := _PATIENCE.fullmatch(given.get("early_stopping", "")):
        del given["early_stopping"]
        given["patience"] = found[1]
    if _is_list(order):
        given["order"] = repr(",".join(group if isinstance(group, str) else "+".join(group) for group in order))
    return {name: repr(value) for name, value in flat.items()} | given


def _widths(several: list[Any]) -> list[str]:
    """Widths of hidden layers as the command takes them: 10, 50x50."""
    if not isinstance(several, list):
        raise TypeError
    return ["x".join(map(str, one)) if _is_list(one) else str(one) for one in several]


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple))
