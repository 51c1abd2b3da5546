from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pycompare.parity import mkl_kernels
from pycompare.training.kernels import _digest

PRINT_KERNELS = "from pycompare.parity import mkl_kernels; print(mkl_kernels())"


@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_kernels_do_not_depend_on_threads(threads: str) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": threads}
    printed = subprocess.run(
        [sys.executable, "-c", PRINT_KERNELS], env=environment, capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == mkl_kernels()


def test_another_branch_has_another_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _digest() == _digest()
    monkeypatch.setattr("pycompare.training.kernels._digest", lambda: "another")
    assert mkl_kernels() == "other"
