"""What the curves of a comparison say, by stated rules: gaps between the two sets, and readings in plain language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pycompare.divergence import first_failure, is_finite
from pycompare.labels import setting_label
from pycompare.sweeps.comparison import Comparison

LEAST_ROWS = 6  # with fewer a third of a curve is less than two points, and no shape
UNDERFIT = 0.9  # of a constant's loss: for RMSE, less than a fifth of the variance is explained
OVERFIT = 0.05  # the least turn that is seen in a picture of the whole curve
OVERFIT_NOISE = 2.0  # the least of noisy values lies below them by chance: that is no turn
RISE = 0.25  # the course's runs: those seen to climb have 0.28 or more, the others 0.13 or less
NOISE = 0.03  # of the same runs: the jagged lines have 0.05 and 0.13, the others 0.02 or less
STILL_FALLING = 0.03  # in a third of the epochs: less is a slope that a picture does not show
PACE = 0.5  # what is left is halved in a third of the epochs, or takes longer
STEEP = 0.5  # of the later loss: half as much again was lost at once
FLAT = 0.1  # the whole range of what follows, which is then a fifth of the fall at most


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """The readings of a comparison's curves; printed, its sentences.

    Attributes:
        data: one row a run: config, the varied argument, seed where there are several, the numbers that `diagnose`
            lists, and reading: the names of the readings, joined by "; ", empty where there is nothing to remark.
        sentences: a line for each configuration of which there is something to remark.
    """

    data: pd.DataFrame
    sentences: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join(self.sentences) or "Nothing to remark."


@dataclass(frozen=True)
class _Rule:
    """A reading: its name, when it holds of a run's numbers, and which of them show it."""

    reading: str
    holds: Callable[[Any], bool]
    evidence: Callable[[Any, str], str]


def generalization_gap(comparison: Comparison) -> pd.DataFrame:
    """The validation loss minus the training loss, of each run after each epoch.

    For "mse" both are means over batches of their RMSEs, for other losses of the losses. `compare_configs` measures the
    training loss *during* the epoch, each batch before its step: by networks half an epoch younger on average,
    and with dropout active, while the validation loss is that of the network after the epoch, without dropout.
    Both make the training loss larger and the gap smaller, below 0 where the loss falls fast: a gap of the first
    epoch, which begins with an untrained network, says little. Small batches shift it, too: their mean RMSE is less
    than that of large ones, on both sets alike, but the last batch of each set is of another size.
    `compare_dropout` and `compare_inits` evaluate both sets whole, after the epoch.

    Arguments:
        comparison: what `compare_configs` returns, or a laboratory built on it.

    Returns:
        Columns config, the varied argument, seed where there are several, epoch (or step), and gap; NaN where a run
        has diverged.

    Raises:
        TypeError: `comparison` is something else.

    Example:
        >>> from pycompare import compare_configs
        >>> generalization_gap(compare_configs(epochs=2, lr=[0.1, 0.01])).columns.tolist()
        ['config', 'lr', 'epoch', 'gap']
    """
    data = _checked(comparison).data
    gap = data["valid_loss"] - data["train_loss"]
    return data[[*_keys(comparison), comparison._when]].assign(gap=gap)


def diagnose(comparison: Comparison) -> Diagnosis:
    """Read the curves of a comparison: what each run's losses say, by stated rules, and the numbers behind.

    A run may have several readings, or none. Its size is the mean of `|valid_loss|` over the second half of its epochs;
    a zigzag is the smaller of two successive changes of valid_loss that have opposite signs; "smooth" is the median of
    three neighbouring epochs. Below, "third" is a third of the epochs.

    - diverged: a valid_loss is not finite; then nothing else is read. Usual cause: a rate too large.
    - underfitting: train_loss ends at 0.9 or more of what the best constant prediction has. Too few epochs, a rate too
      large or too small, too much decay.
    - overfitting: the smooth valid_loss ends above its least by 0.05 of the size or more, and by more than two mean
      zigzags of the second half, while the smooth train_loss ends no higher than it was there; and the run is not
      rising. Too many epochs.
    - rising: train_loss exceeds an earlier value of its own by 0.25 of the size or more. A rate too large.
    - noisy: the mean zigzag of the second half is 0.03 of the size or more. A rate too large, batches too small.
    - slow: the smooth valid_loss fell by 0.03 of the size or more in the middle third and in the last, which brought
      at least half as much, and by more than a mean zigzag; the smooth train_loss fell in the last third, too; and the
      run is neither rising nor noisy. A rate too small.
    - not yet flat: the smooth valid_loss fell in the last third by 0.03 of the size or more, and by more than a mean
      zigzag; and it is not slow. Too few epochs.
    - steep, then flat: valid_loss fell in the first fifth of the epochs by 0.5 of the size or more, keeps within 0.1 of
      the size from then on, and has become flat. Smith's early sign of a good setting.

    A run of fewer than 6 epochs can only be diverged or underfitting, one of a single epoch only diverged. Underfitting
    is told by a constant prediction rather than by the other runs, the best of which may underfit, too. What a constant
    has is not known of a user's own loss, which is then not read so; and "mse" of batches of 1 or 2, a mean of RMSEs,
    is up to a fifth less than that of the whole set, so that some underfitting is missed there. Causes are
    not read: docs/labs/diagnosis.md has how often a change of the rate was what helped. Accuracies are not read.

    Arguments:
        comparison: what `compare_configs` returns, or a laboratory built on it.

    Returns:
        A `Diagnosis`. Its numbers are diverged_at, train_loss and valid_loss (at the end), of_constant (that
        train_loss, as a share of the constant's), size, least (the least smooth valid_loss) and least_at (its epoch),
        train_since (what train_loss changed since then), rise_from, rise_to (of train_loss) and, as shares of size,
        turn (valid_loss above least), rise, zigzag, middle_fall, late_fall, train_late_fall, early_fall, later_range.
        Of several seeds a sentence tells in how many of them a reading holds.

    Raises:
        TypeError: `comparison` is something else.

    Source: readings after L. N. Smith (2018), "A disciplined approach to neural network hyper-parameters: Part 1",
    arXiv:1803.09820; the thresholds are ours.

    Example:
        >>> from pycompare import compare_configs
        >>> diagnose(compare_configs(epochs=2, lr=[0.1, 0.01]))
        lr = 0.1: underfitting (the training loss ends at 0.328, 0.96 times what a constant prediction has)
        lr = 0.01: underfitting (the training loss ends at 1.26, 3.70 times what a constant prediction has)
    """
    data, when = _checked(comparison).data, comparison._when
    keys = _keys(comparison)
    constant = np.nan if comparison.constant_loss is None else comparison.constant_loss
    rows: list[dict[str, Any]] = []
    for _, run in data.groupby(keys, sort=False, dropna=False):
        with np.errstate(all="ignore"):  # what overflows is inf or NaN, of which no rule holds
            rows.append({name: run[name].iloc[0] for name in keys} | _numbers(run, when, constant))
    frame = pd.DataFrame(rows).replace([np.inf, -np.inf], np.nan).astype({"diverged_at": "Int64", "least_at": "Int64"})
    readings = ["; ".join(rule.reading for rule in _held(row)) for row in frame.itertuples()]
    configs = [name for name in ("config", comparison.rows) if name]
    return Diagnosis(frame.assign(reading=readings), _sentences(frame, configs, when))


def _checked(comparison: Comparison) -> Comparison:
    if not isinstance(comparison, Comparison):
        raise TypeError(
            f"`comparison` must be a Comparison; got {type(comparison).__name__}. Pass what compare_configs returns."
        )
    return comparison


def _keys(comparison: Comparison) -> list[str]:
    """The columns that tell runs apart."""
    possible = ("config", comparison.parameter, comparison.rows, "seed")
    return [*dict.fromkeys(name for name in possible if name in comparison.data and name)]


def _numbers(run: pd.DataFrame, when: str, constant: float) -> dict[str, Any]:
    """What the rules read off one run; NaN, of which none holds, where there is too little of it."""
    steps, finite = run[when].reset_index(drop=True), is_finite(run[["valid_loss"]])
    train, valid = (run[name].reset_index(drop=True).astype(float) for name in ("train_loss", "valid_loss"))
    train = train.where(np.isfinite(train))
    told = {
        "diverged_at": first_failure(run[when], finite),
        "train_loss": train.iloc[-1],
        "valid_loss": valid.iloc[-1],
        "of_constant": train.iloc[-1] / constant if len(run) > 1 else np.nan,  # the first tells of the start
    }
    if len(run) < LEAST_ROWS or not finite.all():
        return told | dict.fromkeys(_SHAPE, np.nan) | {"least_at": pd.NA}
    return told | _turn(steps, train, valid) | _rise(train, _size(valid)) | _falls(train, valid)


def _smooth(losses: pd.Series[float]) -> pd.Series[float]:
    """Medians of each value and its neighbours."""
    return losses.rolling(3, center=True, min_periods=1).median()


def _size(valid: pd.Series[float]) -> np.float64:
    return np.float64(valid.iloc[len(valid) // 2 :].abs().mean())


def _turn(steps: pd.Series[int], train: pd.Series[float], valid: pd.Series[float]) -> dict[str, Any]:
    """Where the smooth validation loss is least, how far above it ends, and how the training loss changed since."""
    smooth, fitted = _smooth(valid), _smooth(train)
    at = int(smooth.to_numpy().argmin())
    return {
        "size": _size(valid),
        "least": smooth.iloc[at],
        "least_at": int(steps.iloc[at]),
        "turn": (smooth.iloc[-1] - smooth.iloc[at]) / _size(valid),
        "train_since": fitted.iloc[-1] - fitted.iloc[at],
    }


def _rise(train: pd.Series[float], size: np.float64) -> dict[str, Any]:
    """The largest rise of the training loss above what it had been before."""
    lowest = train.cummin()
    at = int((train - lowest).fillna(0).to_numpy().argmax())
    low, high = lowest.iloc[at], train.iloc[at]
    return {"rise_from": low, "rise_to": high, "rise": (high - low) / size}


def _falls(train: pd.Series[float], valid: pd.Series[float]) -> dict[str, Any]:
    """How the validation loss falls in parts of the run, and how it goes back and forth in the second half."""
    size, n = _size(valid), len(valid)
    (early, middle, end), (_, train_middle, train_end) = (
        _smooth(losses).iloc[[n // 3 - 1, 2 * n // 3 - 1, n - 1]] for losses in (valid, train)
    )
    fifth = -(-n // 5)
    return {
        "zigzag": _zigzag(valid.iloc[n // 2 :]) / size,
        "late_fall": (middle - end) / size,
        "train_late_fall": (train_middle - train_end) / size,
        "middle_fall": (early - middle) / size,
        "early_fall": (valid.iloc[0] - valid.iloc[fifth]) / size,
        "later_range": (valid.iloc[fifth:].max() - valid.iloc[fifth:].min()) / size,
    }


def _zigzag(values: pd.Series[float]) -> float:
    """The mean over epochs of what one change takes back of the change before."""
    changes = np.diff(values.to_numpy())
    before, after = changes[:-1], changes[1:]
    back = np.where(before * after < 0, np.minimum(np.abs(before), np.abs(after)), 0)
    return float(back.mean())


def _is_overfitting(run: Any) -> bool:
    turned = run.turn >= OVERFIT and run.turn > OVERFIT_NOISE * run.zigzag
    return bool(turned and run.train_since <= 0 and run.rise < RISE)


def _is_falling(run: Any) -> bool:
    return bool(run.late_fall >= STILL_FALLING and run.late_fall > run.zigzag)


def _is_slow(run: Any) -> bool:
    """Whether it falls on both sets, steadily: neither after a plateau nor back from a rise."""
    steady = run.middle_fall >= STILL_FALLING and run.rise < RISE and run.zigzag < NOISE
    return _is_falling(run) and bool(steady and run.train_late_fall > 0 and run.late_fall >= PACE * run.middle_fall)


_SHAPE = (
    "size",
    "least",
    "turn",
    "train_since",
    "rise_from",
    "rise_to",
    "rise",
    "zigzag",
    "middle_fall",
    "late_fall",
    "train_late_fall",
    "early_fall",
    "later_range",
)
_RULES = (
    _Rule("diverged", lambda run: run.diverged_at is not pd.NA, lambda run, when: f"at {when} {run.diverged_at}"),
    _Rule(
        "underfitting",
        lambda run: run.diverged_at is pd.NA and run.of_constant >= UNDERFIT,
        lambda run, _: (
            f"the training loss ends at {run.train_loss:.3g},"
            f" {run.of_constant:.2f} times what a constant prediction has"
        ),
    ),
    _Rule(
        "overfitting",
        _is_overfitting,
        lambda run, when: (
            f"since {when} {run.least_at} the validation loss has risen by {run.turn:.0%}, the training loss has not"
        ),
    ),
    _Rule(
        "rising",
        lambda run: run.rise >= RISE,
        lambda run, _: f"the training loss rises from {run.rise_from:.3g} to {run.rise_to:.3g}",
    ),
    _Rule(
        "noisy",
        lambda run: run.zigzag >= NOISE,
        lambda run, _: f"the validation loss goes back and forth by {run.zigzag:.0%} on average",
    ),
    _Rule(
        "slow",
        _is_slow,
        lambda run, _: f"a steady fall: {run.middle_fall:.0%} in the middle third, {run.late_fall:.0%} in the last",
    ),
    _Rule(
        "not yet flat",
        lambda run: _is_falling(run) and not _is_slow(run),
        lambda run, _: f"the validation loss fell by {run.late_fall:.0%} in the last third",
    ),
    _Rule(
        "steep, then flat",
        lambda run: run.early_fall >= STEEP and run.later_range <= FLAT and not _is_falling(run),
        lambda run, _: (
            f"within a fifth of the run the validation loss fell by {run.early_fall:.1f} times its later size"
            f" and then kept within {run.later_range:.0%}"
        ),
    ),
)


def _held(run: Any) -> list[_Rule]:
    return [rule for rule in _RULES if rule.holds(run)]


def _sentences(frame: pd.DataFrame, configs: list[str], when: str) -> tuple[str, ...]:
    """A line for each configuration with a reading: of one run its evidence, of several how many have it."""
    told = []
    for _, runs in frame.groupby(configs, sort=False, dropna=False):
        held = [(run, rule) for run in runs.itertuples() for rule in _held(run)]
        name = _label(runs, configs)
        if "seed" in frame:
            name, counts = f"{name} ({len(runs)} seeds)", Counter(rule.reading for _, rule in held)
            parts = [f"{rule.reading} in {counts[rule.reading]}" for rule in _RULES if counts[rule.reading]]
        else:
            parts = [f"{rule.reading} ({rule.evidence(run, when)})" for run, rule in held]
        told += [f"{name}: {'; '.join(parts)}"] if parts else []
    return tuple(told)


def _label(runs: pd.DataFrame, configs: list[str]) -> str:
    config, *row = runs[configs].iloc[0]
    return ", ".join([str(config), *(setting_label(name, value) for name, value in zip(configs[1:], row, strict=True))])
