"""What the tab "Sweep" shows, as code that gives the same bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pycompare.explorer.calls import calls, changed
from pycompare.explorer.controls import FILE
from pycompare.explorer.sweep_settings import COURSE, DEFAULTS, VARIED, SweepSettings
from pycompare.explorer.tab import Answer, NoCounterpartError
from pycompare.snippets import Code, command_line, python_call, r_call, r_list

_NUMBERS = ("epochs", *VARIED, "seed")  # arguments of compare_configs that are settings
_NAMES = ("MLP", "Split", "classification_data", "compare_configs", "spirals_data")  # that the code imports


def python(shown: Sequence[SweepSettings], answers: Sequence[Answer]) -> str:
    """A script that makes a `comparison`, or a list of them where several arguments differ."""
    written = [
        python_call("compare_configs", arguments | _in_python(one, answers[shown.index(one)]))
        for one, arguments in _calls(shown)
    ]
    several = ",\n".join(written)
    made = f"comparison = {written[0]}" if len(written) == 1 else f"comparisons = [\n{several},\n]"
    names = [name for name in _NAMES if f"{name}(" in made or f"{name}." in made]
    return f"from pycompare import {', '.join(names)}\n\n{made}\n"


def command(shown: Sequence[SweepSettings], answers: Sequence[Answer]) -> str:
    """A command, or one after the other where several arguments differ."""
    lines = []
    for one, arguments in _calls(shown):
        named = _changed(one, ("data", "hidden", "activation"))
        named |= {"data": one.data.removeprefix(FILE)} if "data" in named else {}
        if named.get("hidden") == ():
            raise NoCounterpartError("The command has no network without hidden layers.")
        lines.append(command_line("pycompare compare", arguments | named | _loss(answers[shown.index(one)])))
    return "\n".join([*lines, ""])


def r(shown: Sequence[SweepSettings], answers: Sequence[Answer]) -> str:
    """A script for R torch, with the course's functions."""
    if reason := next(_obstacles_to_r(shown, answers), None):
        raise NoCounterpartError(reason)
    written = []
    for _, arguments in _calls(shown):
        listed = {name: r_list(one) if isinstance(one, list) else one for name, one in arguments.items()}
        written.append(r_call("compare_configs", listed))
    return "\n".join(["# With the course's functions, which are in r_reference/R.", *written, ""])


def _calls(shown: Sequence[SweepSettings]) -> list[tuple[SweepSettings, dict[str, Any]]]:
    """The calls of `compare_configs` that train these, each with one of them and its own arguments.

    It is one where they differ in one of the arguments that may be a list.
    """
    made = calls([vars(one) for one in shown], VARIED)
    several = [name for name in VARIED if isinstance(made[0][name], list)]
    listed = [one if several else one | {"lr": [one["lr"]]} for one in made]
    arguments = [changed({name: one[name] for name in _NUMBERS}, vars(DEFAULTS)) for one in listed]
    return [*zip(dict.fromkeys(shown), arguments, strict=False)]


def _changed(settings: SweepSettings, names: Sequence[str]) -> dict[str, Any]:
    """Those of the settings that are not at their default."""
    return changed({name: getattr(settings, name) for name in names}, vars(DEFAULTS))


def _in_python(settings: SweepSettings, answer: Answer) -> dict[str, Any]:
    """Data, loss and network, as far as they are not the course's."""
    data = {} if settings.data == COURSE else {"data": Code(_data(settings.data))}
    return data | _loss(answer) | _network(settings, answer)


def _data(name: str) -> str:
    if name.startswith(FILE):
        return f"Split.from_csv({name.removeprefix(FILE)!r})"
    from pycompare.data.named import ROWS

    return "spirals_data()" if name == "spirals" else f"classification_data({name!r}, {ROWS})"


def _loss(answer: Answer) -> dict[str, str]:
    loss = answer.result.arguments["loss"]  # type: ignore[attr-defined]
    return {} if loss == "mse" else {"loss": loss}


def _network(settings: SweepSettings, answer: Answer) -> dict[str, Any]:
    changed = _changed(settings, ("hidden", "activation"))
    if not changed:
        return {}
    (network,) = answer.result.networks.values()  # type: ignore[attr-defined]
    layers = [module for module in network if hasattr(module, "in_features")]
    widths = {"in_features": layers[0].in_features, "out_features": layers[-1].out_features}
    return {"network": Code(f"lambda: {python_call('MLP', widths | changed)}")}


def _obstacles_to_r(shown: Sequence[SweepSettings], answers: Sequence[Answer]) -> Iterator[str]:
    """Why the course's `compare_configs` cannot give what is shown."""
    if any(_changed(one, ("data",)) for one in shown):
        yield "The course's function trains its network on its data only."
    if any(_changed(one, ("hidden", "activation")) for one in shown):
        yield "The course's function has one network: 50,50 with relu."
    if any(_changed(one, ("seed",)) for one in shown):
        yield "The course's function has one seed: 123."
    if any(answer.result.data["valid_loss"].isna().any() for answer in answers):
        yield "The course's function fails where a training diverges."
