"""Objects that LLVM writes run where they are linked to, as they do by LLVM's own linker."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest
from llvmlite import binding

from pycompare.training.engines.compiled import linking, machine_code
from pycompare.training.engines.compiled.linking import LinkedCode, UnlinkableError
from tests.training.test_compiled import _chain, _options, _who

# Its constant, its table and its branch lie in sections of their own.
CODE = """
@table = internal constant [3 x double] [double 1.5, double 2.5, double 4.25]
declare double @outside(double)
define double @inner(double %x) noinline {
  %y = fadd double %x, 0x3FD3333333333333
  ret double %y
}
define double @run(i64 %i) {
  %place = getelementptr [3 x double], [3 x double]* @table, i64 0, i64 %i
  %value = load double, double* %place
  %more = call double @inner(double %value)
  %last = CALL
  ret double %last
}
"""
OUTSIDE, NOTHING = (
    CODE.replace("CALL", last) for last in ("call double @outside(double %more)", "fadd double %more, 0.0")
)
VARIABLE = OUTSIDE.replace("internal constant", "global")


def object_file(code: str, **target: str) -> bytes:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(**target)
    return machine.emit_object(binding.parse_assembly(code))


@ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)
def _outside(x: float) -> float:
    return x * 10


def address_of(name: str) -> int:
    return ctypes.cast(_outside, ctypes.c_void_p).value or 0


@pytest.mark.parametrize(
    ("code", "target", "factor"),
    [
        (OUTSIDE, {"codemodel": "large"}, 10),
        (NOTHING, {"codemodel": "small", "reloc": "pic"}, 1),
    ],
)
def test_functions_constants_and_calls_are_where_the_code_looks_for_them(code: str, target: Any, factor: int) -> None:
    linked = LinkedCode(object_file(code, **target), address_of)
    run = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64)(linked["run"])
    assert [run(i) for i in range(3)] == [(value + 0.3) * factor for value in (1.5, 2.5, 4.25)]


@pytest.mark.parametrize(
    ("code", "target", "kinds", "reason"),
    [
        (OUTSIDE, {"codemodel": "small", "reloc": "pic"}, linking._KINDS, "near"),
        (OUTSIDE, {"codemodel": "large"}, {}, "relocations of type 1"),
        (VARIABLE, {"codemodel": "large"}, linking._KINDS, "variables"),
    ],
)
def test_what_cannot_be_linked_says_why(
    code: str, target: Any, kinds: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linking, "_KINDS", kinds)
    with pytest.raises(UnlinkableError, match=reason):
        LinkedCode(object_file(code, **target), lambda name: 1)


def test_where_it_cannot_be_linked_the_fused_engine_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_code, "_loaded", {})
    monkeypatch.setattr("pycompare.training.engines.compiled.agreement._agreements", {})
    monkeypatch.setattr(linking, "_KINDS", {})
    engine, why = _who(_chain(), _options("compiled"))
    assert engine == "fused"
    assert why == "compiled code cannot be linked here: relocations of type 1"
