"""How sure a score is: bootstrap intervals over the units that were drawn from a population."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import beta, rankdata
from sklearn.utils import check_consistent_length, check_random_state

from sfmforensics.exceptions import TargetError
from sfmforensics.metrics._table import METRICS
from sfmforensics.metrics._verification import equal_error_rate
from sfmforensics.metrics._weights import AT_ONCE, PairWeights, UnitWeights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from sfmforensics._types import BoolArray, Column, FloatArray, IntArray, RandomState
    from sfmforensics.metrics._verification import Trials

FEWEST_UNITS = 5
"""Below this resampling says little about a population, and no interval is given."""

THRESHOLDS = 4000


@dataclass(frozen=True)
class Interval:
    """A score, and between which bounds it may lie.

    Parameters
    ----------
    value : float
        The score of all recordings.
    low, high : float
        Bounds; NaN where none can be given.
    n : int
        Recordings with a known label; of "eer", trials.
    units : int
        What was resampled.
    """

    value: float
    low: float
    high: float
    n: int
    units: int


def bootstrap_intervals(
    y_true: Column,
    y_pred: Column,
    metrics: Sequence[str],
    *,
    units: Column | None = None,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    random_state: RandomState = 0,
) -> dict[str, Interval]:
    """Scores of one task with percentile bootstrap intervals.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, or numbers; missing ones do not count.
    y_pred : array-like of shape (n_samples,)
        Predictions.
    metrics : sequence of str
        Names in `METRICS`, all of one kind; not "eer", see `eer_interval`.
    units : array-like of shape (n_samples,) or None, default=None
        What was drawn from a population, and is resampled as a whole: speakers, where the claim is
        about speakers never heard; a recording by default. Of a missing unit, each row is one.
    n_resamples : int, default=1000
        Number of resamples.
    confidence : float, default=0.95
        Share of the resamples between the bounds.
    random_state : int, RandomState instance or None, default=0
        Seed of the resampling.

    Returns
    -------
    dict of str to Interval
        By metric.

    Raises
    ------
    TargetError
        A metric is unknown or not of the kind of the others, or labels do not fit it.

    Notes
    -----
    A metric of this package is a function of sums over recordings (right answers by class, squared
    errors, ...), so resampling needs the sums of each unit once, and a matrix product; one from
    elsewhere is called once a resample.

    There is no interval below 5 units, nor where all resamples agree; an accuracy of 1 or 0 then
    has Clopper and Pearson's bound over the units. Intervals of few units (below 20 or so) are too
    narrow. They hold for the models that were fitted: the fit is not repeated.

    References
    ----------
    .. [1] Efron, B., Tibshirani, R. J. An Introduction to the Bootstrap (1993), chapter 13.
    .. [2] Bisani, M., Ney, H. Bootstrap estimates for confidence intervals in ASR performance
       evaluation. ICASSP 2004: speakers as units.

    Examples
    --------
    >>> true, predicted = ["f", "m"] * 50, ["f", "m"] * 45 + ["m", "m"] * 5
    >>> interval = bootstrap_intervals(true, predicted, ["accuracy"])["accuracy"]
    >>> interval.value, round(interval.low, 2), round(interval.high, 2)
    (0.95, 0.9, 0.99)
    """
    kinds = {METRICS[name].kind for name in metrics if name in METRICS}
    unknown = [name for name in metrics if name not in METRICS or METRICS[name].function is None]
    if unknown or len(kinds) != 1:
        known = ", ".join(name for name, metric in METRICS.items() if metric.function)
        raise TargetError(
            f"no intervals for the metrics {', '.join(map(repr, metrics))}; name some of one kind: "
            f"{known}"
        )
    check_consistent_length(y_true, y_pred, units)
    known = pd.Series(y_true).notna().to_numpy()
    numbers, n_units = _numbered(units, known)
    functions: dict[str, Any] = {name: METRICS[name].function for name in metrics}
    scores = {name: partial(function, y_true, y_pred) for name, function in functions.items()}
    draws = unit_draws(n_units, n_resamples, random_state)
    drawn = resampled(scores, UnitWeights(numbers, n_units), draws)
    intervals = {}
    for name, score in scores.items():
        value = score()
        exact = METRICS[name].proportion
        low, high = interval_bounds(value, drawn[name], n_units, confidence, exact=exact)
        intervals[name] = Interval(value, low, high, int(known.sum()), n_units)
    return intervals


@dataclass(frozen=True)
class PairedBootstrap:
    """How two models differ on the same recordings.

    Parameters
    ----------
    difference : float
        Score of the first less that of the second.
    low, high : float
        Bounds of it; NaN where none can be given.
    p : float
        Probability of a difference as large, either way, if the two are equal; NaN of few units.
    units : int
        What was resampled.
    """

    difference: float
    low: float
    high: float
    p: float
    units: int


def paired_bootstrap(
    y_true: Column,
    first: Column,
    second: Column,
    metric: str,
    *,
    units: Column | None = None,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    random_state: RandomState = 0,
) -> PairedBootstrap:
    """Compare the answers of two models about the same recordings.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, or numbers; missing ones do not count.
    first, second : array-like of shape (n_samples,)
        Predictions of the two.
    metric : str
        Of `METRICS`; not "eer".
    units, n_resamples, confidence, random_state
        As for `bootstrap_intervals`.

    Returns
    -------
    PairedBootstrap

    Notes
    -----
    Both are scored on the same resamples, so that what a resample does to both is not taken for a
    difference. The probability is twice the share of resamples on the other side of 0, and at least
    2 / (n_resamples + 1) [1]_. It says nothing of other training data: the models were fitted once.

    References
    ----------
    .. [1] Davison, A. C., Hinkley, D. V. Bootstrap Methods and their Application (1997), chapter 4.

    Examples
    --------
    >>> true = ["f", "m"] * 50
    >>> first, second = ["f", "m"] * 49 + ["m", "m"], ["f", "m"] * 35 + ["m", "m"] * 15
    >>> result = paired_bootstrap(true, first, second, "accuracy")
    >>> round(result.difference, 2), result.p < 0.05
    (0.14, True)
    """
    check_consistent_length(y_true, first, second, units)
    function: Any = METRICS[metric].function
    known = pd.Series(y_true).notna().to_numpy()
    numbers, n_units = _numbered(units, known)
    sides = {"first": first, "second": second}
    scores = {name: partial(function, y_true, answers) for name, answers in sides.items()}
    difference = scores["first"]() - scores["second"]()
    draws = unit_draws(n_units, n_resamples, random_state)
    drawn = resampled(scores, UnitWeights(numbers, n_units), draws)
    differences = drawn["first"] - drawn["second"]
    low, high = interval_bounds(difference, differences, n_units, confidence)
    differences = differences[~np.isnan(differences)]
    p = np.nan
    if n_units >= FEWEST_UNITS and len(differences):
        other = 1 + min(np.sum(differences <= 0), np.sum(differences >= 0))
        p = float(min(1.0, 2 * other / (len(differences) + 1)))
    return PairedBootstrap(difference, low, high, p, n_units)


def eer_interval(
    folds: Sequence[Trials],
    units: Column,
    *,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    random_state: RandomState = 0,
) -> Interval:
    """Equal error rate, mean over folds, with its percentile bootstrap interval.

    Parameters
    ----------
    folds : sequence of Trials
        The trials of each fold; scores of different folds are not compared.
    units : array-like of shape (n_recordings,)
        Unit of each recording that the trials name by row.
    n_resamples, confidence, random_state
        As for `bootstrap_intervals`.

    Returns
    -------
    Interval
        NaN where no fold has both true and false claims.

    Notes
    -----
    A unit that is drawn twice counts twice; a claim between two units counts as the product. Two
    drawings of one unit are not compared with each other: that would be a recording with itself.

    Examples
    --------
    >>> from sfmforensics.metrics import Trials
    >>> rows = np.arange(40) % 10
    >>> same = np.arange(40) % 2 == 0
    >>> scores = same + np.random.default_rng(0).normal(size=40)
    >>> interval = eer_interval([Trials(scores, same, rows, rows)], np.arange(10))
    >>> bool(interval.low <= interval.value <= interval.high)
    True
    """
    folds = [fold for fold in folds if fold.same.any() and not fold.same.all()]
    if not folds:
        return Interval(np.nan, np.nan, np.nan, 0, 0)
    codes, n_units = _numbered(units, np.ones(len(units), dtype=np.bool_))
    used = np.unique(np.concatenate([codes[side] for f in folds for side in (f.first, f.second)]))
    place = np.full(n_units, -1)
    place[used] = np.arange(len(used))
    levels = [_levels(fold.scores) for fold in folds]
    weights = [PairWeights(place[codes][fold.first], place[codes][fold.second]) for fold in folds]
    width = 2 * max(len(np.unique(scores)) for scores in levels)
    means = []
    for block in unit_draws(len(used), n_resamples, random_state, width):
        rates = np.stack(
            [
                resampled({"eer": partial(equal_error_rate, scores, fold.same)}, pairs, [block])[
                    "eer"
                ]
                for scores, fold, pairs in zip(levels, folds, weights, strict=True)
            ]
        )
        known = np.sum(~np.isnan(rates), axis=0)
        with np.errstate(invalid="ignore"):
            means.append(np.nansum(rates, axis=0) / np.where(known, known, np.nan))
    value = float(np.mean([equal_error_rate(fold.scores, fold.same) for fold in folds]))
    low, high = interval_bounds(value, np.concatenate([[], *means]), len(used), confidence)
    n_trials = sum(len(fold.same) for fold in folds)
    return Interval(value, low, high, n_trials, len(used))


def _levels(scores: FloatArray) -> FloatArray:
    """Scores told apart up to `THRESHOLDS` of them, equally full: rates are exact to that part."""
    n_levels = len(np.unique(scores))
    if n_levels <= THRESHOLDS:
        return scores
    return (rankdata(scores, "max") - 1).astype(int) * THRESHOLDS // len(scores)


def resampled(
    measures: Mapping[str, Callable[..., Any]], weights: UnitWeights, draws: Iterable[FloatArray]
) -> dict[str, FloatArray]:
    """The one engine of resampling: each measure of each draw of the units."""
    blocks: dict[str, list[FloatArray]] = {name: [] for name in measures}
    for weights.drawn in draws:
        for name, measure in measures.items():
            blocks[name].append(measure(sample_weight=weights))
    return {name: np.concatenate([[], *parts]) for name, parts in blocks.items()}


def _numbered(units: Column | None, known: BoolArray) -> tuple[IntArray, int]:
    """Number of the unit of each row (-1 where the label is not known), and how many there are."""
    if units is None:
        return np.where(known, np.cumsum(known) - 1, -1), int(known.sum())
    units = pd.Series(units).reset_index(drop=True)
    codes, _ = pd.factorize(units)
    alone = codes < 0
    codes = np.where(alone, codes.max(initial=-1) + np.cumsum(alone), codes)
    used, inverse = np.unique(codes[known], return_inverse=True)
    numbers = np.full(len(codes), -1)
    numbers[known] = inverse
    return numbers, len(used)


def unit_draws(
    n_units: int, n_resamples: int, random_state: RandomState, width: int = 1
) -> Iterator[FloatArray]:
    """Generate how often each unit is drawn: blocks of shape (some resamples, n_units)."""
    rng = check_random_state(random_state)
    size = max(1, AT_ONCE // max(1, n_units, width))
    for start in range(0, n_resamples if n_units else 0, size):
        n = min(size, n_resamples - start)
        yield rng.multinomial(n_units, np.full(n_units, 1 / n_units), n).astype(float)


def interval_bounds(
    value: float, drawn: FloatArray, n_units: int, confidence: float, exact: bool = False
) -> tuple[float, float]:
    """Percentiles of resamples; NaN of few units, or where all agree (but see `exact`)."""
    drawn = drawn[~np.isnan(drawn)]
    if n_units < FEWEST_UNITS or not len(drawn):
        return np.nan, np.nan
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    if drawn.min() < drawn.max():
        return float(low), float(high)
    if not exact or value not in (0, 1):
        return np.nan, np.nan
    bound = float(beta.ppf(1 - tail, 1, n_units))
    return (1 - bound, 1.0) if value == 1 else (0.0, bound)
