"""What PyTorch keeps private is used in one module only, and is still there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import nn

import pycompare
from pycompare.training import torch_private

PACKAGE = Path(pycompare.__file__).parent
SOURCE = Path(torch_private.__file__).read_text()
IMPORTED = ("torch_module", "torch_optimizer", "torch_dropout")
MODULES = {"torch": torch} | {name: getattr(torch_private, name) for name in IMPORTED}
NAMES = sorted(set(re.findall(rf"\b((?:{'|'.join(MODULES)})(?:\.\w+)*\._\w+(?:\.\w+)*)", SOURCE)))
OF_MODULES = sorted({*torch_private._MODULE_HOOKS, *re.findall(r"module\.(_\w+)", SOURCE)} - {"_has_any_global_hook"})


@pytest.mark.parametrize("name", NAMES)
def test_is_still_there(name: str) -> None:
    thing: object = MODULES[name.split(".")[0]]
    for part in name.split(".")[1:]:
        assert hasattr(thing, part), f"{name} is gone from torch {torch.__version__}"
        thing = getattr(thing, part)


@pytest.mark.parametrize("name", OF_MODULES)
def test_a_module_still_has(name: str) -> None:
    assert hasattr(nn.Identity(), name), f"nn.Module.{name} is gone from torch {torch.__version__}"


@pytest.mark.parametrize("name", torch_private._PARAMETER_HOOKS)
def test_a_parameter_still_has(name: str) -> None:
    assert hasattr(nn.Parameter(torch.ones(1)), name), f"Parameter.{name} is gone from torch {torch.__version__}"


def test_no_other_module_names_such_things() -> None:
    private = re.compile(r"(?<!`)\b(?:torch|nn|F|optim)(?:\.\w+)*\._\w|from torch\S* import _|from torch\S*\._")
    found = [
        f"{file.relative_to(PACKAGE)}: {match[0]}"
        for file in sorted(PACKAGE.rglob("*.py"))
        if file.name != "torch_private.py"
        for match in private.finditer(file.read_text())
    ]
    assert found == []


def test_the_names_were_found() -> None:
    assert {"torch._foreach_copy_", "torch._C._nn", "torch_module._has_any_global_hook"} <= set(NAMES)
