"""The call that made something, kept with it as code, so that a report can say how to make it again."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from functools import partial, update_wrapper
from types import FunctionType
from typing import Any, TypeVar, cast

from pycompare.snippets import Code, python_call, python_value

Function = TypeVar("Function", bound=Callable[..., Any])
_NOT_IN_THE_NUMBERS = {"progress", "n_jobs", "store", "on_epoch", "keep_networks", "cls"}
_MOST_PARTS = 100  # of a list that is written down


@dataclass(frozen=True)
class Call:
    """A call of a public function.

    Attributes:
        function: its name.
        imports: the lines of Python that import what the call names.
        arguments: code, by name, of those arguments that differ from their defaults and that the numbers may depend on.
            What cannot be written as code has its own name for code.
        missing: what each of these is, by name.
    """

    function: str
    imports: list[str] = field(default_factory=list)
    arguments: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """The call as Python."""
        return python_call(self.function, {name: Code(code) for name, code in self.arguments.items()})


def recorded(function: Function) -> Function:
    """`function`, whose result, a dataclass with a field `call`, has the `Call` that made it."""
    run = partial(_run, function)

    def call(*args: Any, **kwargs: Any) -> Any:
        return run(args, kwargs)

    # With the globals of the function's module, doctest takes it for that module's own.
    copied = FunctionType(call.__code__, function.__globals__, closure=call.__closure__)
    return cast(Function, update_wrapper(copied, function))


def called(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Call:
    """The call of `function` with `arguments` by name."""
    name = function.__qualname__
    imports = {_import(function.__module__, name.split(".")[0])}
    parameters = inspect.signature(function).parameters
    written: dict[str, str] = {}
    missing: dict[str, str] = {}
    for key, value in arguments.items():
        if key in _NOT_IN_THE_NUMBERS or (key in parameters and _same(value, parameters[key].default)):
            continue
        try:
            written[key] = python_value(key, _code(value, imports))
        except (ValueError, RecursionError):
            written[key], missing[key] = key, _described(value)
    return Call(name, sorted(imports), written, missing)


def _run(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    signature = inspect.signature(function)
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError:
        return function(*args, **kwargs)  # which tells what is wrong
    further = [name for name, one in signature.parameters.items() if one.kind is one.VAR_KEYWORD]
    named = {name: value for name, value in given.items() if name not in further}
    for name in further:
        named |= given.get(name, {})
    call = called(function, named)  # before anything may change an argument
    return replace(function(*args, **kwargs), call=call)


def _code(value: Any, imports: set[str]) -> Any:
    """`value`, in which what pycompare's own classes and functions have made is code; what that needs is imported."""
    made_by = getattr(value, "call", None)
    if isinstance(made_by, Call) and not made_by.missing:
        imports.update(made_by.imports)
        return Code(str(made_by))
    if is_dataclass(value) and type(value).__module__.startswith("pycompare."):
        imports.add(_import(type(value).__module__, type(value).__name__))
        told = {name: _code(one, imports) for name, one in _set_fields(value)}
        return Code(python_call(type(value).__name__, told))
    if isinstance(value, partial) and _is_ours(value.func):
        return Code(_partial(value, imports))
    if type(value) in (list, tuple):
        if len(value) > _MOST_PARTS:
            raise ValueError
        return type(value)(_code(one, imports) for one in value)
    if type(value) is dict:
        return {name: _code(one, imports) for name, one in value.items()}
    if getattr(value, "shape", ()):
        raise ValueError
    return value


def _is_ours(function: Any) -> bool:
    """Whether it can be imported from a module of pycompare by its name."""
    module, name = (getattr(function, told, None) or "" for told in ("__module__", "__name__"))
    return module.startswith("pycompare.") and getattr(sys.modules[module], name, None) is function


def _partial(made: partial[Any], imports: set[str]) -> str:
    imports |= {"from functools import partial", _import(made.func.__module__, made.func.__name__)}
    given = [python_value("args", _code(one, imports)) for one in made.args]
    given += [f"{name}={python_value(name, _code(one, imports))}" for name, one in made.keywords.items()]
    return f"partial({', '.join([made.func.__name__, *given])})"


def _set_fields(value: Any) -> Iterator[tuple[str, Any]]:
    """The fields that are not at their defaults."""
    for one in fields(value):
        held = getattr(value, one.name)
        if one.init and (one.default is MISSING or held != one.default):
            yield one.name, held


def _import(module: str, name: str) -> str:
    """The line that imports `name` from the outermost package that has it."""
    parts = module.split(".")
    places = (".".join(parts[:count]) for count in range(1, len(parts) + 1))
    place = next((place for place in places if hasattr(sys.modules.get(place), name)), module)
    return f"from {place} import {name}"


def _same(value: Any, default: Any) -> bool:
    """Whether a plain value is the default."""
    return type(value) is type(default) and type(value) in (int, float, bool, str, type(None)) and value == default


def _described(value: Any) -> str:
    return str(getattr(value, "__qualname__", f"a {type(value).__name__}"))
