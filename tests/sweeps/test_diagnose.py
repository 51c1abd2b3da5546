"""What is read in curves: each kind in a constructed history, both sides of every threshold, and the course's runs."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pycompare import Comparison, compare_configs, compare_inits, diagnose, generalization_gap
from pycompare.sweeps import diagnose as rules
from pycompare.sweeps.advice import constant_loss
from pycompare.training.losses import LOSSES, find_loss
from tests.conftest import recorded

Curves = tuple[Any, Any]
EPOCHS = np.arange(1, 31)
FLAT = np.full(30, 0.5)
FAST = 0.5 + 0.4 * 0.2**EPOCHS  # at its end after a few epochs


def _comparison(
    *runs: Curves,
    constant: float | None = 1.0,
    seeds: bool = False,
) -> Comparison:
    """Runs as a comparison of learning rates; with `seeds`, all of one rate."""
    frames = []
    for i, (train, valid) in enumerate(runs):
        lr = 0.1 if seeds else 10.0**-i
        key = {"config": f"lr = {lr:g}", "lr": lr} | ({"seed": i} if seeds else {})
        epochs = range(1, len(valid) + 1)
        frames.append(pd.DataFrame(key | {"epoch": epochs, "train_loss": train, "valid_loss": valid}))
    data = pd.concat(frames, ignore_index=True)
    return Comparison(data, "lr", tuple(data["lr"].unique()), {"epochs": len(runs[0][1])}, constant_loss=constant)


def _readings(train: Any, valid: Any, **options: Any) -> set[str]:
    text = diagnose(_comparison((train, valid), **options)).data["reading"].iloc[0]
    return {*text.split("; ")} - {""}


def _zigzag(size: float) -> Any:
    """Around 0.5, back and forth by `size` of it: every change takes the one before back."""
    return 0.5 + 0.25 * size * np.where(EPOCHS % 2, -1, 1)


def _turning(rise: float) -> Any:
    """Falls to 0.5, then rises until its smooth end lies above that by `rise`, a share of the second half's mean."""
    shape = np.interp(EPOCHS, [1, 8, 12, 30], [1, 0, 0, -1])
    top = np.where(shape < 0, -shape, 0)
    smooth_top, mean_top = (top[-1] + top[-2]) / 2, top[15:].mean()
    height = rise * 0.5 / (smooth_top - rise * mean_top)
    return 0.5 + 0.1 * np.maximum(shape, 0) + height * top


def _stepped(late: float, middle: float) -> Any:
    """Flat but for falls, by shares of the final 0.5: one in the middle third, one at the start of the last third."""
    return 0.5 + 0.5 * (middle * (EPOCHS < 14) + late * (EPOCHS < 24)) * 1.0


KINDS: dict[str, tuple[Curves, set[str]]] = {
    "well": ((FAST, FAST), set()),
    "constant": ((FLAT, FLAT), set()),
    "constant at 0": ((0 * FLAT, 0 * FLAT), set()),
    "diverged": ((np.where(EPOCHS > 4, np.nan, 1), np.where(EPOCHS > 4, np.nan, 1)), {"diverged"}),
    "diverged at once": ((FLAT * np.nan, FLAT * np.nan), {"diverged"}),
    "diverged to infinity": ((FLAT, np.where(EPOCHS > 29, np.inf, 0.5)), {"diverged"}),
    "underfitting": ((2 * FLAT, 2 * FLAT), {"underfitting"}),
    "overfitting": ((0.5 / EPOCHS, _turning(0.5)), {"overfitting"}),
    "rising on both sets": ((_turning(0.5), _turning(0.5)), {"rising"}),
    "a spike of the training loss": ((np.where(EPOCHS == 20, 0.8, 0.5), FLAT), {"rising"}),
    "noisy": ((FLAT, _zigzag(0.2)), {"noisy"}),
    "slow": ((0.9 - 0.01 * EPOCHS, 0.9 - 0.01 * EPOCHS), {"slow"}),
    "late, after a plateau": ((FLAT, np.interp(EPOCHS, [1, 20, 30], [0.6, 0.6, 0.5])), {"not yet flat"}),
    "steep, then flat": ((FLAT, np.where(EPOCHS < 3, 1.0, 0.5)), {"steep, then flat"}),
    "two at once": ((FLAT + 1, _zigzag(0.2)), {"underfitting", "noisy"}),
    "negative": ((-FAST, -FLAT), set()),
    "negative and falling": ((-0.01 * EPOCHS, -0.01 * EPOCHS), {"slow"}),
    "enormous": ((1e300 * (-1.0) ** EPOCHS, 1e300 * (-1.0) ** EPOCHS), {"underfitting", "rising", "noisy"}),
    "no training loss": ((FLAT * np.nan, FLAT), set()),
    "one epoch": (([5.0], [5.0]), set()),
    "one epoch, diverged": (([np.nan], [np.nan]), {"diverged"}),
    "two epochs": (([5.0, 1.0], [5.0, 1.0]), {"underfitting"}),
    "five epochs show no shape": (([0.5] * 5, [0.1, 0.5, 0.1, 0.5, 0.1]), set()),
    "six do": (([0.5] * 6, [0.1, 0.5, 0.1, 0.5, 0.1, 0.5]), {"noisy"}),
}


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_has_its_readings_and_no_others(name: str) -> None:
    (train, valid), expected = KINDS[name]
    assert _readings(train, valid) == expected


# Just below and just above each threshold; 2 % on either side of it.
SIDES: dict[str, tuple[str, Any]] = {
    "UNDERFIT": ("underfitting", lambda x: (x * 2 * FLAT, FLAT)),
    "OVERFIT": ("overfitting", lambda x: (0.5 / EPOCHS, _turning(x))),
    "RISE": ("rising", lambda x: (np.where(EPOCHS == 20, 0.5 + 0.5 * x, 0.5), FLAT)),
    "NOISE": ("noisy", lambda x: (FLAT, _zigzag(x))),
    "STILL_FALLING": ("not yet flat", lambda x: (FLAT, _stepped(x * 1.0, 0) / (1 + x * 8 / 15))),
    "STEEP": ("steep, then flat", lambda x: (FLAT, np.where(EPOCHS < 3, 0.5 + 0.5 * x, 0.5))),
}


@pytest.mark.parametrize("name", SIDES)
def test_both_sides_of_a_threshold(name: str) -> None:
    reading, curves = SIDES[name]
    at = getattr(rules, name)
    assert reading not in _readings(*curves(0.98 * at))
    assert reading in _readings(*curves(1.05 * at))


@pytest.mark.parametrize(("share", "reading"), [(0.49, "not yet flat"), (0.53, "slow")])
def test_a_pace_that_slows_down_is_a_rate_that_will_do(share: float, reading: str) -> None:
    falling = _stepped(0.2 * share, 0.2)
    assert _readings(falling, falling) & {"not yet flat", "slow"} == {reading}


@pytest.mark.parametrize(("range_", "expected"), [(0.098, {"steep, then flat"}), (0.105, set())])
def test_flat_is_within_a_tenth(range_: float, expected: set[str]) -> None:
    later = np.where(EPOCHS == 10, 0.5 * (1 + range_), 0.5)
    assert _readings(FLAT, np.where(EPOCHS < 3, 1.0, later)) == expected


@pytest.mark.parametrize(
    ("train", "valid"),
    [
        (np.maximum(0.1, 0.5 + 0.01 * (EPOCHS - 10)), _turning(0.2)),  # the training loss rises, too
        (FLAT, np.where(EPOCHS == 15, 0.47, 0.5)),  # one low epoch is no turn
    ],
)
def test_what_is_not_overfitting(train: Any, valid: Any) -> None:
    assert "overfitting" not in _readings(train, valid)


def test_a_turn_within_the_noise_is_not_overfitting() -> None:
    noise = 0.15 * np.where(EPOCHS % 2, -1, 1)
    turn = _turning(0.15)
    assert "overfitting" in _readings(FLAT, turn)
    assert "overfitting" not in _readings(FLAT, turn + noise)


def test_a_loss_of_ones_own_is_not_read_as_underfitting() -> None:
    assert _readings(2 * FLAT, 2 * FLAT, constant=None) == set()


def test_sentences_name_the_configuration_and_their_numbers() -> None:
    told = diagnose(_comparison(KINDS["well"][0], KINDS["two at once"][0], KINDS["diverged"][0]))
    assert str(told) == repr(told) == "\n".join(told.sentences)
    assert told.sentences == (
        "lr = 0.1: underfitting (the training loss ends at 1.5, 1.50 times what a constant prediction has);"
        " noisy (the validation loss goes back and forth by 20% on average)",
        "lr = 0.01: diverged (at epoch 5)",
    )
    assert told.data["config"].tolist() == ["lr = 1", "lr = 0.1", "lr = 0.01"]
    assert str(diagnose(_comparison(KINDS["well"][0]))) == "Nothing to remark."


def test_of_several_seeds_it_is_told_in_how_many() -> None:
    runs = [KINDS["noisy"][0]] * 2 + [KINDS["well"][0]] + [KINDS["diverged"][0]]
    told = diagnose(_comparison(*runs, seeds=True))
    assert told.sentences == ("lr = 0.1 (4 seeds): diverged in 1; noisy in 2",)
    assert told.data["seed"].tolist() == [0, 1, 2, 3]


def test_a_second_varied_argument_has_lines_of_its_own() -> None:
    comparison = _comparison(KINDS["well"][0], KINDS["noisy"][0])
    data = comparison.data.assign(config="lr = 1", lr=1.0, batch_size=[16] * 30 + [32] * 30)
    both = Comparison(data, "lr", (1.0,), {}, rows="batch_size", row_values=(16, 32))
    told = diagnose(both)
    assert both.plot_gap().data["config"].cat.categories.tolist() == [
        "lr = 1, batch_size = 16",
        "lr = 1, batch_size = 32",
    ]
    assert generalization_gap(both).columns.tolist() == ["config", "lr", "batch_size", "epoch", "gap"]
    assert [sentence.partition(":")[0] for sentence in told.sentences] == ["lr = 1, batch_size = 32"]
    assert told.data["batch_size"].tolist() == [16, 32]


LOSS = st.floats(allow_nan=True, allow_infinity=True, width=64) | st.floats(0, 2)


@given(
    runs=st.integers(1, 12).flatmap(
        lambda n: st.lists(st.tuples(*[st.lists(LOSS, min_size=n, max_size=n)] * 2), min_size=1, max_size=4)
    ),
    seeds=st.booleans(),
    constant=st.none() | st.floats(0, 10),
)
@settings(deadline=None, max_examples=50)
def test_never_an_error_and_never_a_sentence_without_its_number(
    runs: list[Curves], seeds: bool, constant: float | None
) -> None:
    comparison = _comparison(*runs, seeds=seeds, constant=constant)
    told = diagnose(comparison)
    assert len(told.data) == len(runs)
    assert (told.data["reading"] != "").any() == bool(told.sentences)
    for sentence in told.sentences:
        _, _, said = sentence.partition(": ")
        assert all(re.search(r"\d", part) for part in said.split("; "))
        assert not re.search(r"\b(nan|inf|NA)\b", said)
    assert len(told.sentences) <= len(comparison.data["config"].unique())


@pytest.mark.parametrize("function", [diagnose, generalization_gap])
@pytest.mark.parametrize("wrong", [pd.DataFrame(), None, "lr"])
def test_only_comparisons_are_read(function: Any, wrong: Any) -> None:
    with pytest.raises(TypeError, match=f"`comparison` must be a Comparison; got {type(wrong).__name__}"):
        function(wrong)


# What the pictures of these runs show. Readings at a threshold are not pinned.
COURSE: dict[str, dict[float, set[str]]] = {
    "lr": {
        1: {"underfitting", "rising"},  # reaches 0.32, climbs to 1.3 and stays
        0.1: {"underfitting"},  # a flat line, hardly below a constant
        0.01: {"underfitting", "not yet flat"},  # sinks after a plateau, still above a constant
        0.001: {"underfitting", "overfitting"},  # the validation curve bends up at epoch 17, training goes down
    },
    "batch_size": {
        2: set(),  # the lowest, flat from epoch 16 on
        4: {"slow"},  # an almost straight descent
        8: {"underfitting", "slow"},
        16: {"underfitting", "not yet flat"},
        64: {"underfitting"},  # flat and high
    },
    "weight_decay": {
        0.5: {"underfitting", "rising", "not yet flat"},  # up to 1.1, then a fall
        0.125: {"underfitting", "not yet flat"},  # a plateau that begins to sink
        0.03125: {"underfitting", "slow"},  # a straight slope
    },
    "beta1": {
        0.5: {"underfitting", "rising", "not yet flat"},  # up to 4, then down
        0.95: {"underfitting", "slow"},
        0.999: {"underfitting", "rising", "noisy", "not yet flat"},  # jagged
    },
    "beta2": {0.99: {"underfitting", "rising", "noisy"}},  # the most jagged of all
}


@pytest.mark.parametrize("sweep", COURSE)
def test_the_readings_of_the_course_agree_with_its_pictures(sweep: str) -> None:
    values = recorded("course_sweeps.csv").query("sweep == @sweep")["value"].unique().tolist()
    told = diagnose(compare_configs(**{sweep: values}, progress=False)).data.set_index(sweep)["reading"]
    got = {value: {*told[value].split("; ")} - {""} for value in COURSE[sweep]}
    assert got == COURSE[sweep]


def test_the_gap_is_validation_minus_training() -> None:
    comparison = _comparison((FLAT, 2 * FLAT), (FLAT, FLAT * np.nan))
    gap = generalization_gap(comparison)
    assert gap.columns.tolist() == ["config", "lr", "epoch", "gap"]
    expected = comparison.data["valid_loss"] - comparison.data["train_loss"]
    np.testing.assert_array_equal(gap["gap"], expected)
    assert gap["gap"].isna().sum() == 30


def test_gaps_and_readings_of_a_laboratory_count_steps() -> None:
    comparison = compare_inits(sigma=[0.01, 0.5], steps=8, seeds=2, progress=False)
    assert generalization_gap(comparison).columns.tolist() == ["config", "sigma", "seed", "step", "gap"]
    assert len(diagnose(comparison).data) == 4
    comparison.plot_gap().draw()


def test_a_comparison_says_what_is_read_in_it(tmp_path: Path) -> None:
    comparison = compare_configs(epochs=2, lr=[0.1, 1e30], progress=False)
    said = str(diagnose(comparison))
    assert "lr = 1e+30: diverged (at epoch 1)" in said
    assert f"\n\n{said}" in repr(comparison)
    comparison.save(tmp_path, ())
    assert repr(Comparison.load(tmp_path)) == repr(comparison)


def test_a_folder_of_an_older_version_knows_no_constant(tmp_path: Path) -> None:
    comparison = compare_configs(epochs=2, lr=[0.01], progress=False)
    file = comparison.save(tmp_path, ())[-1]
    told = json.loads(file.read_text())
    del told["comparison"]["constant_loss"]
    file.write_text(json.dumps(told))
    loaded = Comparison.load(tmp_path)
    assert loaded.constant_loss is None
    assert diagnose(loaded).sentences == ()


Y = torch.tensor([[0.0], [0.0], [1.0], [1.0], [1.0]])


@pytest.mark.parametrize(
    ("loss", "targets", "expected"),
    [
        ("mse", Y, math.sqrt(0.24)),
        ("mse", torch.cat([Y, 0 * Y], 1), math.sqrt(0.12)),
        ("l1", Y, 0.4),  # of the median; the mean has 0.48
        ("bce", Y, -(0.4 * math.log(0.4) + 0.6 * math.log(0.6))),
        ("cross_entropy", Y.long(), -(0.4 * math.log(0.4) + 0.6 * math.log(0.6))),
        ("cross_entropy", Y[:, 0].long(), -(0.4 * math.log(0.4) + 0.6 * math.log(0.6))),
        ("cross_entropy", torch.cat([Y, 1 - Y], 1), -(0.4 * math.log(0.4) + 0.6 * math.log(0.6))),
        (lambda out, y: (out - y).abs().mean(), Y, None),
    ],
)
def test_what_a_constant_prediction_has(loss: Any, targets: torch.Tensor, expected: float | None) -> None:
    got = constant_loss(targets, find_loss(loss))
    assert got == (expected if expected is None else pytest.approx(expected, abs=1e-7))  # float32 targets


@pytest.mark.parametrize("name", LOSSES)
def test_no_other_constant_is_much_better(name: str) -> None:
    with torch.random.fork_rng():
        targets = torch.manual_seed(1) and torch.rand(40, 1)
    if find_loss(name).of_classes:
        targets = (targets * 3).long()
    loss, constant = find_loss(name), constant_loss(targets, find_loss(name))
    assert constant is not None
    others = [torch.full((40, 1), float(one)) for one in torch.linspace(-3, 3, 301)]
    if loss.of_classes:
        others = [
            torch.tensor([[0.0, a, b]]).expand(40, 3) for a in np.linspace(-1, 1, 21) for b in np.linspace(-1, 1, 21)
        ]
    best = min(float(loss.function(other, targets)) for other in others)
    assert constant <= (math.sqrt(best) if loss.rooted else best) + 1e-6


@pytest.mark.parametrize("runs", [(KINDS["well"][0], KINDS["noisy"][0]), (KINDS["one epoch"][0],)])
@pytest.mark.parametrize("seeds", [False, True])
def test_the_picture_has_a_panel_with_an_axis_for_curves_and_one_for_gaps(runs: Any, seeds: bool) -> None:
    plot = _comparison(*runs, seeds=seeds).plot_gap()
    assert plot.data["panel"].cat.categories.tolist() == ["Validation loss", "Gap: validation - training"]
    assert plot.facet.free["y"]
    plot.draw()


def test_bands_hold_the_middle_of_the_seeds() -> None:
    comparison = _comparison(*[(FLAT, FLAT + i) for i in range(11)], seeds=True)
    gap = comparison.plot_gap().data.query("panel.str.startswith('Gap')")
    for name, value in {"low": 1, "mean": 5, "high": 9}.items():
        np.testing.assert_allclose(gap[name], value)


def test_an_early_gap_does_not_set_the_axis() -> None:
    train = np.where(EPOCHS == 1, 50, 0.4)
    gap = _comparison((train, FLAT), (0.9 * FLAT, FLAT)).plot_gap().data.query("panel.str.startswith('Gap')")
    assert gap["mean"].isna().sum() == 1
    assert gap["mean"].min() == pytest.approx(0.05)


def test_words_where_every_run_has_diverged() -> None:
    plot = _comparison(KINDS["diverged at once"][0]).plot_gap()
    assert plot.data["text"].iloc[0].startswith("Every run diverged: lr = 1 at epoch 1")
