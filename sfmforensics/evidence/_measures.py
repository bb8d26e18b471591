"""Measures of answers, and what they are of speakers drawn anew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.sparse import coo_array
from scipy.special import xlogy

from sfmforensics.evidence._conformal import ANY_OTHER
from sfmforensics.metrics import METRICS
from sfmforensics.metrics._resampling import interval_bounds, resampled
from sfmforensics.metrics._verification import where_curves_cross
from sfmforensics.metrics._weights import AT_ONCE, UnitWeights
from sfmforensics.targets import CLASSIFICATION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sfmforensics._types import Array, BoolArray, FloatArray, IntArray
    from sfmforensics.evidence._answers import TaskAnswers
    from sfmforensics.metrics import Trials


N_BINS = 15
"""Of the expected calibration error, as `expected_calibration_error` has them."""

CONFIDENCE = 0.95
"""Of the intervals."""

ROUNDED = 12
"""Decimals of bounds."""


@dataclass(frozen=True)
class Estimate:
    """One measure, and what it is of each resample of the speakers."""

    value: float
    drawn: FloatArray
    units: int
    exact: bool = False
    centred: bool = False
    floor: float = 0.0

    @property
    def bounds(self) -> tuple[float, float]:
        """Of the 95 % interval; NaN of fewer than five speakers, or where all resamples agree."""
        if not np.isfinite(self.value) or np.isnan(self.drawn).all():
            return np.nan, np.nan
        # Lest sums that differ by rounding be taken for resamples that do not agree.
        drawn, value = self.drawn.round(ROUNDED), round(self.value, ROUNDED)
        if self.centred:
            drawn = np.maximum(drawn - np.nanmedian(drawn) + value, self.floor).round(ROUNDED)
        return interval_bounds(value, drawn, self.units, CONFIDENCE, self.exact)

    def less(self, other: Estimate) -> Estimate:
        """Give the difference, of the same resamples."""
        with np.errstate(invalid="ignore"):
            units = min(self.units, other.units)
            value, drawn = self.value - other.value, self.drawn - other.drawn
        return Estimate(value, drawn, units, centred=self.centred, floor=-np.inf)


@dataclass(frozen=True)
class Measured:
    """All measures of a task, of some of the recordings or comparisons."""

    n: int
    speakers: int
    estimates: dict[str, Estimate]


def measure_answers(
    answers: TaskAnswers, held: BoolArray, voices: IntArray, drawn: FloatArray, *, own: bool
) -> Measured:
    """Measure answers, each speaker counting as much as each other."""
    rows = np.flatnonzero(held & answers.known)
    who, n_voices = voices[rows], drawn.shape[1]
    share = 1 / np.bincount(who, minlength=1)[who]
    here = np.bincount(who, minlength=n_voices) > 0
    units = int(here.sum())

    def total(values: Array, place: IntArray | int = 0, n_places: int = 1) -> FloatArray:
        """Sums (n_speakers, n_places) of what counts for each speaker."""
        found: Any = np.bincount(who * n_places + place, share * values, n_voices * n_places)
        return found.reshape(n_voices, n_places)

    def ratio(above: FloatArray, below: FloatArray, exact: bool = False) -> Estimate:
        value, *found = (
            np.abs(weights @ above).sum(axis=1) / (weights @ below)
            for weights in (np.ones((1, n_voices)), drawn)
        )
        return Estimate(float(value[0]), found[0], units, exact)

    def mean(values: Array, exact: bool = False) -> Estimate:
        values = np.asarray(values, dtype=np.float64)
        if not np.isfinite(values).all():
            nothing = np.full(len(drawn), np.nan)
            return Estimate(float((share * values).sum() / units), nothing, units)
        return ratio(total(values), here.astype(float), exact)

    def calibration_error(probabilities: FloatArray) -> Estimate:
        best = probabilities.max(axis=1)
        edges = np.linspace(0, 1, N_BINS + 1)
        place = np.clip(np.searchsorted(edges, best, side="left") - 1, 0, N_BINS - 1)
        right = probabilities.argmax(axis=1) == places
        found = ratio(total(right - best, place, N_BINS), here.astype(float))
        return replace(found, centred=True)

    def brier(probabilities: FloatArray) -> Estimate:
        truth = places[:, None] == np.arange(probabilities.shape[1])
        return mean(((probabilities - truth) ** 2).sum(axis=1) + (places < 0))

    def others() -> dict[str, Estimate]:
        """Metrics of the table but those that have a form of their own here."""
        scores: dict[str, Any] = {}
        for name in METRICS.of(answers.kind):
            if METRICS[name].in_assessment and name not in ("accuracy", "mae") and len(rows):
                function: Any = METRICS[name].function
                scores[name] = partial(function, part["truth"], part["predicted"])
        of_draws = resampled(scores, UnitWeights(who, n_voices, share), [drawn])
        return {
            name: Estimate(score(share), of_draws[name], units, METRICS[name].proportion)
            for name, score in scores.items()
        }

    found: dict[str, Estimate] = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        part: Any = {name: _taken(answers, name, rows) for name in vars(answers)}
        if answers.kind != CLASSIFICATION:
            found["mae"] = mean(np.abs(part["predicted"] - part["truth"]))
            within = (part["low"] <= part["truth"]) & (part["truth"] <= part["high"])
            found["interval_coverage"] = mean(within, exact=True)
            found["interval_width"] = mean(part["high"] - part["low"])
            return Measured(len(rows), units, found | others())
        right = np.asarray(part["predicted"] == part["truth"], dtype=bool)
        found["accuracy"] = mean(right, exact=True)
        if answers.labels is None:
            return Measured(len(rows), units, found | others())
        places = answers.places[rows]
        for when in () if own else ("before", "after"):
            found[f"ece_{when}"] = calibration_error(part[when])
        for when in ("before", "after"):
            found[f"brier_{when}"] = brier(part[when])
        pairs = list(zip(part["truth"], part["sets"], strict=True))
        covered = [truth in labels or ANY_OTHER in labels for truth, labels in pairs]
        found["set_coverage"] = mean(np.array(covered, bool), exact=True)
        found["set_size"] = mean(np.array([len(s) for _, s in pairs], dtype=float))
        given = part["answered"]
        found["answered"] = mean(given, exact=True)
        found["error_answered"] = ratio(total(given & ~right), total(given)[:, 0])
    return Measured(len(rows), units, found | others())


def _taken(answers: TaskAnswers, name: str, rows: IntArray) -> Any:
    part = getattr(answers, name)
    return part[rows] if isinstance(part, np.ndarray) and name != "labels" else part


LEVELS = 512
"""Different ratios that a resample tells apart; of more, as many quantiles of both kinds of trials,
and what lies between two of them. Rates are off by 0.001 or so."""

DENSE = 5_000_000
"""Numbers of a table of pairs of speakers by level; a larger one is kept without its zeros."""

P_TARGET = 0.01
"""Prior of `min_dcf`."""


class Comparisons:
    """Trials by the speakers that they compare, to be measured of many resamples."""

    def __init__(self, trials: Trials, voices: IntArray) -> None:
        first, second = voices[trials.first], voices[trials.second]
        n_voices = int(voices.max(initial=0)) + 1
        codes = np.minimum(first, second) * n_voices + np.maximum(first, second)
        codes, pair = np.unique(codes, return_inverse=True)
        self.trials, self.pair = trials, pair.ravel()
        self.first, self.second = codes // n_voices, codes % n_voices
        scores, ranks = np.unique(trials.scores, return_inverse=True)
        self.ranks, self.n_ranks = ranks.ravel(), len(scores)
        self.levels, self.n_levels = self.ranks, self.n_ranks
        if self.n_ranks > LEVELS:
            edges = _edges(trials.scores, trials.same)
            of_score = sum(np.searchsorted(edges, scores, side) for side in ("left", "right"))
            of_score = np.unique(of_score, return_inverse=True)[1].ravel()
            self.levels, self.n_levels = of_score[self.ranks], int(of_score.max()) + 1
        against = np.where(trials.same, -trials.scores, trials.scores)
        self.costs = np.logaddexp2(0, against * np.log2(10))
        self.misleads = (against > 0).astype(float)

    def measured(self, rows: IntArray, drawn: FloatArray) -> Measured:
        """Measure some of the trials, each speaker and each pair of two counting alike."""
        counts = np.bincount(self.pair[rows], minlength=len(self.first))
        pairs = np.flatnonzero(counts)
        pair = np.searchsorted(pairs, self.pair[rows])
        weights = 1 / counts[self.pair[rows]]
        sides = self.first[pairs], self.second[pairs]
        same = sides[0] == sides[1]
        units = len(np.union1d(*sides))
        n_same = int(same.sum())
        if not len(rows):
            return Measured(0, 0, {})
        # Of each pair: what it costs, whether it misleads, and that it is there.
        means = np.column_stack(
            [
                *(np.bincount(pair, weights * part[rows]) for part in (self.costs, self.misleads)),
                np.ones(len(pairs)),
            ]
        )
        every: list[Any] = [
            np.bincount(self.ranks[rows], weights * kind, self.n_ranks)[None]
            for kind in (self.trials.same[rows], ~self.trials.same[rows])
        ]
        told = every[0][0] + every[1][0] > 0
        values = _whole(*(means[kind].sum(axis=0)[None] for kind in (same, ~same)))
        values |= _rates(*(part[:, told] for part in every))
        size = len(pairs), self.n_levels
        table = coo_array((weights, (pair, self.levels[rows])), shape=size).tocsr()
        tables: list[Any] = [table[np.flatnonzero(kind)] for kind in (same, ~same)]
        if len(pairs) * self.n_levels <= DENSE:
            tables = [part.toarray() for part in tables]
        blocks = []
        for block in _blocks(drawn, max(size)):
            times = block[:, sides[0]] * np.where(same, 1, block[:, sides[1]])
            parts = [times[:, kind] for kind in (same, ~same)]
            sums = [part @ means[kind] for part, kind in zip(parts, (same, ~same), strict=True)]
            levels = [part @ table for part, table in zip(parts, tables, strict=True)]
            blocks.append(_whole(*sums) | _rates(*levels))
        of_draws = {name: np.concatenate([part[name] for part in blocks]) for name in blocks[0]}
        for part in (values, of_draws):
            part["cllr_cal"] = part["cllr"] - part["cllr_min"]
        found = {}
        for name in MEASURES:
            exact = name == "misleading_same"
            centred = name in ("cllr_min", "cllr_cal")
            counted = n_same if exact else units
            value = float(values[name][0])
            found[name] = Estimate(value, of_draws[name], counted, exact, centred)
        return Measured(len(rows), units, found)


MEASURES = (
    *("cllr", "cllr_min", "cllr_cal", "eer", "min_dcf"),
    *("misleading_same", "misleading_different"),
)
"""Of comparisons."""


def _edges(scores: FloatArray, same: BoolArray) -> FloatArray:
    """Quantiles of both kinds, of two speakers more where false acceptances are rare."""
    tail = 1 - np.logspace(-0.5, -5, LEVELS // 4)
    parts = [scores[same], np.linspace(0, 1, LEVELS // 2)]
    parts += [scores[~same], np.append(np.linspace(0, 1, LEVELS // 4), tail)]
    found = [
        np.quantile(values, shares, method="inverted_cdf")
        for values, shares in (parts[:2], parts[2:])
        if len(values)
    ]
    return np.unique(np.concatenate(found))


def _blocks(drawn: FloatArray, width: int) -> Iterator[FloatArray]:
    size = max(1, AT_ONCE // max(width, 1))
    for start in range(0, len(drawn), size):
        yield drawn[start : start + size]


def _whole(same: FloatArray, different: FloatArray) -> dict[str, FloatArray]:
    """Measures of sums (n_resamples, 3) over pairs: costs, misleading ones, and how many."""
    with np.errstate(invalid="ignore", divide="ignore"):
        means = [sums[:, :2] / sums[:, 2:] for sums in (same, different)]
    return {
        "cllr": (means[0][:, 0] + means[1][:, 0]) / 2,
        "misleading_same": means[0][:, 1],
        "misleading_different": means[1][:, 1],
    }


def _rates(same: FloatArray, different: FloatArray) -> dict[str, FloatArray]:
    """Measures of counts (n_resamples, n_levels) by rising score."""
    with np.errstate(invalid="ignore", divide="ignore"):
        same, different = (
            counts / counts.sum(axis=1, keepdims=True) for counts in (same, different)
        )
        missed, accepted = np.cumsum(same, axis=1), 1 - np.cumsum(different, axis=1)
        cost = (P_TARGET * missed + (1 - P_TARGET) * accepted).min(axis=1)
    pairs = zip(same, different, strict=True)
    return {
        "eer": where_curves_cross(same, different),
        # All that are rejected cost this; all that are accepted cost more.
        "min_dcf": np.minimum(cost / P_TARGET, 1),
        "cllr_min": np.array([_least_cost(*pair) for pair in pairs]),
    }


def _least_cost(same: FloatArray, different: FloatArray) -> float:
    """Cllr after pooling adjacent violators, of shares by rising score."""
    both = same + different
    if np.isnan(both).any():
        return float("nan")
    told = both > 0
    same, different, both = same[told], different[told], both[told]
    pooled = isotonic_regression(same / both, weights=both).x
    pooled = np.clip(pooled, 1e-15, 1 - 1e-15)
    cost = xlogy(same, pooled) + xlogy(different, 1 - pooled)
    return float(-cost.sum() / np.log(4))
