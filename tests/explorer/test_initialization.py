from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pycompare import MLP, activation_statistics, classification_data, compare_inits
from pycompare.explorer.initialization import Initialization
from pycompare.explorer.initialization_settings import INITS, TAKE_SIGMA
from pycompare.explorer.tab import Answer, NoCounterpartError, settings_of
from pycompare.parity import Budget, RSession
from pycompare.parity.suite import source_exercises
from pycompare.training import initializers

TAB = Initialization()
BUDGET = Budget(rtol=5e-6, why="the page's network is in float32, R's here in double: measured 4e-7")


def answered(*texts: dict[str, str]) -> tuple[list[Any], list[Answer]]:
    settings = [settings_of(TAB, one) for one in texts]
    return settings, [TAB.compute(one, {}) for one in settings]


def test_names_are_those_of_the_module_that_the_page_does_not_wait_for() -> None:
    assert {*INITS} == {*initializers.INITIALIZERS}
    assert TAKE_SIGMA == initializers.TAKE_SIGMA


def test_the_numbers_are_those_of_direct_calls() -> None:
    _, (answer,) = answered({"sigma": "0.3", "depth": "3", "width": "7", "data": "cassini", "steps": "20", "seed": "4"})
    split = classification_data("cassini", 100)
    statistics = activation_statistics(
        init="normal", sigma=0.3, depth=3, width=7, seed=4, data=split.train.tensors[0]
    ).data
    made = compare_inits(
        sigma=[0.3], network=lambda: MLP(2, (7, 7, 7), 3), data=split, steps=20, seed=4, progress=False
    )
    cells = made.boundaries(grid=61).data
    for name in ("layer", "mean", "sd", "zero"):
        assert answer.drawn[name] == statistics[name].tolist()
    assert answer.drawn["plane"]["class"] == cells["class"].tolist()
    assert answer.drawn["plane"]["probability"] == cells["probability"].tolist()
    assert float(answer.cells["train_loss"]) == made.data["train_loss"].iloc[-1]
    assert float(answer.cells["last layer"]) == statistics["mean"].iloc[-1]


def test_at_a_rate_of_0_the_network_stays_as_it_starts() -> None:
    _, (still, further) = answered({"lr": "0", "steps": "1"}, {"lr": "0", "steps": "50"})
    assert still.drawn == further.drawn


def test_what_vanishes_and_explodes_is_told() -> None:
    _, (small, large) = answered(*({"sigma": sigma, "depth": "10", "steps": "1"} for sigma in ("0.1", "3")))
    assert (small.cells["vanishes at"], small.cells["explodes at"]) == ("3", "")
    assert (large.cells["vanishes at"], large.cells["explodes at"]) == ("", "2")


SHOWN = {
    "as it opens": ({},),
    "two sigmas": ({"sigma": "0.1"}, {"sigma": "3", "depth": "2"}),
    "initialisers": ({"init": "kaiming_normal"}, {"init": "xavier_uniform", "sigma": "3"}),
    "other data": ({"data": "smiley", "activation": "tanh", "init": "trunc_normal"},),
}


@pytest.mark.parametrize("texts", SHOWN.values(), ids=SHOWN)
def test_python_gives_what_is_shown(texts: tuple[dict[str, str], ...]) -> None:
    settings, answers = answered(*(one | {"steps": "10"} for one in texts))
    made: dict[str, Any] = {}
    exec(TAB.python(settings, answers), made)
    for answer, statistics, boundary in zip(answers, made["statistics"], made["boundaries"], strict=True):
        assert [statistics.data[name].tolist() for name in ("mean", "sd", "zero")] == [
            answer.drawn[name] for name in ("mean", "sd", "zero")
        ]
        assert boundary.data["probability"].tolist() == answer.drawn["plane"]["probability"]


@pytest.mark.parametrize("texts", [{"sigma": "0.4"}, {"init": "kaiming_uniform"}, {"init": "xavier_normal"}], ids=str)
def test_r_gives_what_is_shown(texts: dict[str, str], r_session: RSession) -> None:
    settings, (answer,) = answered(texts | {"depth": "3", "steps": "10"})
    points = np.array([[x, y] for x in answer.drawn["plane"]["x"] for y in answer.drawn["plane"]["y"]])
    with RSession("basetorch") as session:
        source_exercises(session)
        session.eval(f"{TAB.r(settings, [answer])}\ninvisible(NULL)")
        statistics = session.eval("shown[[1]]$statistics")
        session.eval("said <- function(points) as_array(shown[[1]]$network(torch_tensor(points)))")
        logits = session.call("said", points)
    for name in ("mean", "sd", "zero"):
        assert np.asarray(statistics[name]) == pytest.approx(answer.drawn[name], rel=BUDGET.rtol)
    probability = 1 / (1 + np.exp(-np.abs(np.diff(np.asarray(logits), axis=1)[:, 0])))
    assert probability == pytest.approx(answer.drawn["plane"]["probability"], rel=BUDGET.rtol)


@pytest.mark.parametrize(
    ("texts", "reason"), [({"data": "xor"}, "circle's points only"), ({"activation": "tanh"}, "ReLUs only")]
)
def test_what_r_cannot(texts: dict[str, str], reason: str) -> None:
    with pytest.raises(NoCounterpartError, match=reason):
        TAB.r(*answered(texts | {"steps": "1"}))


def test_there_is_no_command() -> None:
    with pytest.raises(NoCounterpartError, match="No command"):
        TAB.command(*answered({"steps": "1"}))
