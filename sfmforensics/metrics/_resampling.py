"""How sure a score is: bootstrap intervals over the units that were drawn from a population."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, hstack
from scipy.stats import beta, rankdata
from sklearn.utils import check_consistent_length, check_random_state

from sfmforensics.exceptions import TargetError
from sfmforensics.metrics._classification import known_labels
from sfmforensics.metrics._regression import known_numbers
from sfmforensics.metrics._table import METRICS
from sfmforensics.metrics._verification import equal_error_rate, where_curves_cross
from sfmforensics.targets import CLASSIFICATION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, TypeAlias

    from sfmforensics._types import Array, BoolArray, Column, FloatArray, IntArray, RandomState
    from sfmforensics.metrics._verification import Trials

    Sums: TypeAlias = tuple[Any, Callable[[FloatArray], dict[str, FloatArray]]]

FEWEST_UNITS = 5
"""Below this resampling says little about a population, and no interval is given."""

THRESHOLDS = 4000
AT_ONCE = 4_000_000
"""Numbers of a block of resamples: many units do not fill the memory."""


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
    A score of all recordings is a function of sums over recordings (right answers by class, squared
    errors, ...), so resampling needs the sums of each unit once, and a matrix product.

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
    >>> found = bootstrap_intervals(true, predicted, ["accuracy"])["accuracy"]
    >>> found.value, round(found.low, 2), round(found.high, 2)
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
    if kinds == {CLASSIFICATION}:
        sums, whole = _label_sums(*known_labels(y_true, y_pred), numbers, n_units)
    else:
        sums, whole = _number_sums(*known_numbers(y_true, y_pred), numbers, n_units)
    rows = [pd.Series(side)[known] for side in (y_true, y_pred)]
    blocks = []
    for weights in _resamples(n_units, n_resamples, random_state):
        block = whole((sums.T @ weights.T).T)
        for name in {*metrics} - {*block}:
            score: Any = METRICS[name].function
            block[name] = score(*rows, weights[:, numbers])
        blocks.append(block)
    found = {}
    for name in metrics:
        score = METRICS[name].function
        value = score(y_true, y_pred)
        drawn = np.concatenate([[], *(block[name] for block in blocks)])
        low, high = _bounds(value, drawn, n_units, confidence, exact=METRICS[name].proportion)
        found[name] = Interval(value, low, high, int(known.sum()), n_units)
    return found


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
    >>> found = eer_interval([Trials(scores, same, rows, rows)], np.arange(10))
    >>> bool(found.low <= found.value <= found.high)
    True
    """
    folds = [fold for fold in folds if fold.same.any() and not fold.same.all()]
    if not folds:
        return Interval(np.nan, np.nan, np.nan, 0, 0)
    codes, n_units = _numbered(units, np.ones(len(units), dtype=np.bool_))
    used = np.unique(np.concatenate([codes[side] for f in folds for side in (f.first, f.second)]))
    place = np.full(n_units, -1)
    place[used] = np.arange(len(used))
    counted = [_Histogram(fold, place[codes]) for fold in folds]
    drawn = []
    for weights in _resamples(len(used), n_resamples, random_state):
        rates = np.stack([histogram.rates(weights) for histogram in counted])
        known = np.sum(~np.isnan(rates), axis=0)
        with np.errstate(invalid="ignore"):
            drawn.append(np.nansum(rates, axis=0) / np.where(known, known, np.nan))
    value = float(np.mean([equal_error_rate(fold.scores, fold.same) for fold in folds]))
    low, high = _bounds(value, np.concatenate([[], *drawn]), len(used), confidence)
    n_trials = sum(len(fold.same) for fold in folds)
    return Interval(value, low, high, n_trials, len(used))


class _Histogram:
    """Trials of a fold by score and by the units that they compare: a resample is a product.

    Scores are told apart up to `THRESHOLDS` of them, equally full; with more, rates of a resample
    are exact to 1 / THRESHOLDS.
    """

    def __init__(self, fold: Trials, units: IntArray) -> None:
        ranks = np.unique(fold.scores, return_inverse=True)[1]
        if ranks.max() >= THRESHOLDS:
            ranks = (rankdata(fold.scores, "max") - 1).astype(int) * THRESHOLDS // len(ranks)
        first, second = units[fold.first], units[fold.second]
        pairs = np.column_stack([np.minimum(first, second), np.maximum(first, second)])
        pairs, rows = np.unique(pairs, axis=0, return_inverse=True)
        self.first, self.second = pairs.T
        shape = (len(pairs), ranks.max() + 1)
        self.same, self.other = (
            coo_array((kind.astype(float), (rows.ravel(), ranks)), shape=shape).tocsr()
            for kind in (fold.same, ~fold.same)
        )

    def rates(self, weights: FloatArray) -> FloatArray:
        """Equal error rate of each resample; weights (n_resamples, n_units)."""
        size = max(1, AT_ONCE // max(self.same.shape))
        found = []
        for start in range(0, len(weights), size):
            block = weights[start : start + size]
            # A unit with itself counts as often as it was drawn.
            both = np.where(self.first == self.second, 1, block[:, self.second])
            both = (block[:, self.first] * both).T
            found.append(where_curves_cross((self.same.T @ both).T, (self.other.T @ both).T))
        return np.concatenate(found)


def _numbered(units: Column | None, known: BoolArray) -> tuple[IntArray, int]:
    """Number of the unit of each row whose label is known, and how many units there are."""
    if units is None:
        return np.arange(known.sum()), int(known.sum())
    units = pd.Series(units).reset_index(drop=True)
    codes, _ = pd.factorize(units)
    alone = codes < 0
    codes = np.where(alone, codes.max(initial=-1) + np.cumsum(alone), codes)
    found, numbers = np.unique(codes[known], return_inverse=True)
    return numbers, len(found)


def _resamples(n_units: int, n_resamples: int, random_state: RandomState) -> Iterator[FloatArray]:
    """Generate how often each unit is drawn: blocks of shape (some resamples, n_units)."""
    rng = check_random_state(random_state)
    size = max(1, AT_ONCE // max(1, n_units))
    for start in range(0, n_resamples if n_units else 0, size):
        n = min(size, n_resamples - start)
        yield rng.multinomial(n_units, np.full(n_units, 1 / n_units), n).astype(float)


def _label_sums(true: Array, predicted: Array, numbers: IntArray, n_units: int) -> Sums:
    codes, classes = pd.factorize(np.concatenate([true, predicted]))
    true, predicted = np.split(codes, 2)

    def counted(labels: IntArray, counts: Array) -> Any:
        given = labels >= 0  # a missing answer is wrong, but no class
        entries = counts[given].astype(float), (numbers[given], labels[given])
        return coo_array(entries, shape=(n_units, len(classes)))

    ones = np.ones(len(true))
    sums = [counted(true, true == predicted), counted(true, ones), counted(predicted, ones)]

    def whole(totals: FloatArray) -> dict[str, FloatArray]:
        hits, truths, answers = np.split(totals, 3, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "accuracy": hits.sum(axis=1) / truths.sum(axis=1),
                "uar": np.nanmean(np.where(truths > 0, hits / truths, np.nan), axis=1),
                "macro_f1": np.nanmean(2 * hits / (truths + answers), axis=1),
            }

    return hstack(sums).tocsr(), whole


def _number_sums(true: FloatArray, errors: FloatArray, numbers: IntArray, n_units: int) -> Sums:
    # Moments about a point near the mean lose no digits to rounding.
    true = true - true.mean() if len(true) else true
    predicted = true + errors
    columns = [np.ones(len(true)), errors**2, abs(errors), true, predicted]
    columns += [true**2, predicted**2, true * predicted]
    sums = np.zeros((n_units, len(columns)))
    np.add.at(sums, numbers, np.column_stack(columns))

    def whole(totals: FloatArray) -> dict[str, FloatArray]:
        n, squared, absolute, x, y, xx, yy, xy = totals.T
        between = xy / n - x * y / n**2
        spread = xx / n - (x / n) ** 2 + yy / n - (y / n) ** 2 + (x / n - y / n) ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            concordance = np.where(spread > 1e-12, 2 * between / spread, np.nan)
        return {"rmse": np.sqrt(squared / n), "mae": absolute / n, "ccc": concordance}

    return sums, whole


def _bounds(
    value: float, drawn: FloatArray, n_units: int, confidence: float, exact: bool = False
) -> tuple[float, float]:
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
