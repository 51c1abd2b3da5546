"""Live R in anyone's tests: the fixture `r_session` and the marker `r`.

Installed in a checkout with `pip install -c constraints.txt '.[r]'`, pytest finds it by itself. Loading it imports
neither torch nor R. Where R is not to be had, tests that need it are skipped with the reason; with
PYCOMPARE_REQUIRE_R=1 they fail.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from pycompare.parity import RSession


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "r: needs live R; skipped without it, failed under PYCOMPARE_REQUIRE_R=1")


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that uses `r_session` is marked, and a marked test uses it: `-m "not r"` leaves out both."""
    for item in items:
        fixtures = getattr(item, "fixturenames", [])
        if "r_session" in fixtures:
            item.add_marker("r")
        elif item.get_closest_marker("r"):
            # A new list: the tests of one parametrized function share theirs, and not all need be marked.
            item.fixturenames = ["r_session", *fixtures]  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def r_session() -> Iterator[RSession]:
    """An open `pycompare.parity.RSession` with the backend "auto", shared by all tests of a process."""
    with open_session() as session:
        yield session


def open_session() -> RSession:
    """A new `RSession`; without R this skips the test, or fails it under PYCOMPARE_REQUIRE_R=1."""
    from pycompare.parity import RSession, RUnavailable

    try:
        return RSession()
    except RUnavailable as error:
        leave_out("R", str(error))


def leave_out(what: str, reason: str) -> NoReturn:
    """Skip the test, for want of `what`; with PYCOMPARE_REQUIRE_<what>=1 it fails instead."""
    required = f"PYCOMPARE_REQUIRE_{what}"
    if os.environ.get(required) == "1":
        pytest.fail(f"{required}=1, and {reason}", pytrace=False)
    pytest.skip(reason)
