"""Measures of answers, and what they are of speakers drawn anew."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.evidence._conformal import ANY_OTHER
from sfmforensics.metrics import METRICS, cllr, cllr_min, equal_error_rate, min_dcf
from sfmforensics.metrics._resampling import interval_bounds, resampled
from sfmforensics.metrics._weights import PairWeights, UnitWeights
from sfmforensics.targets import CLASSIFICATION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sfmforensics._types import Array, BoolArray, FloatArray, IntArray
    from sfmforensics.evidence._answers import TaskAnswers
    from sfmforensics.metrics import Trials
    from sfmforensics.metrics._weights import Rows


N_BINS = 15
"""Of the expected calibration error, as `expected_calibration_error` has them."""

CONFIDENCE = 0.95
"""Of the intervals."""

ROUNDED = 12
"""Decimals of bounds."""


@dataclass(frozen=True)
class Estimate:
    """One measure, and what it is of each resample of the speakers.

    Parameters
    ----------
    value : float
        Of all speakers.
    drawn : ndarray of shape (n_resamples,)
        NaN where a resample has nothing to measure.
    units : int
        Speakers.
    exact : bool, default=False
        Whether it is a share of each speaker, so that 0 and 1 have bounds as well.
    centred : bool, default=False
        Whether resamples are too high or too low by chance: then their median is made the value.
    floor : float, default=0
        What no bound is below.
    """

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
    """All measures of a task, of some of the recordings or comparisons.

    Parameters
    ----------
    n, speakers : int
        How many recordings, or comparisons, and speakers in them.
    estimates : dict of str to Estimate
        By measure.
    """

    n: int
    speakers: int
    estimates: dict[str, Estimate]


def measure_answers(
    answers: TaskAnswers, inside: BoolArray, voices: IntArray, drawn: FloatArray, *, own: bool
) -> Measured:
    """Measure answers, each speaker counting as much as each other."""
    rows = np.flatnonzero(inside & answers.known)
    if not len(rows):
        return Measured(0, 0, {})
    speakers = voices[rows]
    part: Any = {name: _taken(answers, name, rows) for name in vars(answers)}
    truth, predicted = part["truth"], part["predicted"]
    measures: dict[str, partial[Any]] = {}
    if answers.kind != CLASSIFICATION:
        measures["mae"] = partial(mean, np.abs(predicted - truth))
        within = (part["low"] <= truth) & (truth <= part["high"])
        measures["interval_coverage"] = partial(mean, within)
        measures["interval_width"] = partial(mean, part["high"] - part["low"])
    else:
        right = np.asarray(predicted == truth, dtype=bool)
        measures["accuracy"] = partial(mean, right)
    if answers.kind == CLASSIFICATION and answers.labels is not None:
        places = answers.places[rows]
        for when in () if own else ("before", "after"):
            measures[f"ece_{when}"] = partial(_calibration_error, part[when], places)
        for when in ("before", "after"):
            measures[f"brier_{when}"] = partial(mean, _squared_errors(part[when], places))
        pairs = list(zip(truth, part["sets"], strict=True))
        covered = [label in labels or ANY_OTHER in labels for label, labels in pairs]
        measures["set_coverage"] = partial(mean, np.array(covered, bool))
        measures["set_size"] = partial(mean, np.array([len(labels) for _, labels in pairs]))
        answered = part["answered"]
        measures["answered"] = partial(mean, answered)
        measures["error_answered"] = partial(mean, answered & ~right, answered)
    for name in METRICS.of(answers.kind):  # but those that have a form of their own here
        if METRICS[name].in_assessment and name not in ("accuracy", "mae"):
            function: Any = METRICS[name].function
            measures[name] = partial(function, truth, predicted)
    counts = np.bincount(speakers)
    weights = UnitWeights(speakers, drawn.shape[1], 1 / counts[speakers])
    values, of_draws = _of_all(measures, weights, drawn), _of_draws(measures, weights, drawn)
    units = int((counts > 0).sum())
    estimates = {
        name: Estimate(
            values[name],
            of_draws[name],
            units,
            exact=METRICS[name].proportion if name in METRICS else name in PROPORTIONS,
            centred=name.startswith("ece_"),
        )
        for name in measures
    }
    return Measured(len(rows), units, estimates)


PROPORTIONS = ("interval_coverage", "set_coverage", "answered")
"""Measures that are shares of the recordings, besides metrics: 0 and 1 have bounds as well."""


def _of_all(
    measures: Mapping[str, partial[Any]], weights: UnitWeights, drawn: FloatArray
) -> dict[str, float]:
    """Each measure where each unit counts once."""
    once = _of_draws(measures, weights, np.ones_like(drawn[:1]))
    return {name: float(values[0]) for name, values in once.items()}


def _of_draws(
    measures: Mapping[str, partial[Any]], weights: UnitWeights, drawn: FloatArray
) -> dict[str, FloatArray]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return resampled(measures, weights, [drawn])


def mean(values: Array, among: Array | None = None, *, sample_weight: UnitWeights) -> FloatArray:
    """Mean of values over rows, or over those among which they are counted."""
    among = np.ones(len(values)) if among is None else among
    sums = sample_weight.totals(_values_and_counts, values, among)
    return sums[:, 0] / sums[:, 1]


def _values_and_counts(values: Array, among: Array) -> Rows:
    return np.column_stack([values, among]).astype(np.float64), slice(None)


def _calibration_error(
    probabilities: FloatArray, places: IntArray, *, sample_weight: UnitWeights
) -> FloatArray:
    """Expected calibration error, as `expected_calibration_error` bins it."""
    sums = sample_weight.totals(_bins, probabilities, places)
    return np.abs(sums[:, :N_BINS]).sum(axis=1) / sums[:, N_BINS]


def _bins(probabilities: FloatArray, places: IntArray) -> Rows:
    """By how much each answer is right more often than it said, in its bin; and that it is one."""
    confidence = probabilities.max(axis=1)
    edges = np.linspace(0, 1, N_BINS + 1)
    bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, N_BINS - 1)
    rows = np.zeros((len(bins), N_BINS + 1))
    rows[:, N_BINS] = 1
    rows[np.arange(len(bins)), bins] = (probabilities.argmax(axis=1) == places) - confidence
    return rows, slice(None)


def _squared_errors(probabilities: FloatArray, places: IntArray) -> FloatArray:
    """Brier's score of each answer; of a label that the model does not know, 1 more."""
    truth = places[:, None] == np.arange(probabilities.shape[1])
    errors: FloatArray = ((probabilities - truth) ** 2).sum(axis=1) + (places < 0)
    return errors


def _taken(answers: TaskAnswers, name: str, rows: IntArray) -> Any:
    part = getattr(answers, name)
    return part[rows] if isinstance(part, np.ndarray) and name != "labels" else part


LEVELS = 512
"""Different ratios that a resample tells apart; of more, as many quantiles of both kinds of trials,
and what lies between two of them. Rates are off by 0.001 or so."""

MEASURES = (
    *("cllr", "cllr_min", "cllr_cal", "eer", "min_dcf"),
    *("misleading_same", "misleading_different"),
)
"""Of comparisons."""


class Comparisons:
    """Trials by the speakers that they compare, to be measured of many resamples."""

    def __init__(self, trials: Trials, voices: IntArray) -> None:
        self.trials = trials
        self.first, self.second = voices[trials.first], voices[trials.second]
        self.levels = trials.scores
        if len(np.unique(trials.scores)) > LEVELS:
            edges = _edges(trials.scores, trials.same)
            places = [np.searchsorted(edges, trials.scores, side) for side in ("left", "right")]
            self.levels = np.asarray(places, dtype=np.float64).sum(axis=0)

    def measured(self, rows: IntArray, drawn: FloatArray) -> Measured:
        """Measure some of the trials, each speaker and each pair of two counting alike."""
        if not len(rows):
            return Measured(0, 0, {})
        scores, same, levels = self.trials.scores[rows], self.trials.same[rows], self.levels[rows]
        weights = PairWeights(self.first[rows], self.second[rows], alike=True)
        measures: dict[str, partial[Any]] = {
            "cllr": partial(cllr, scores, same),
            "misleading_same": partial(mean, same & (scores < 0), same),
            "misleading_different": partial(mean, ~same & (scores > 0), ~same),
        }
        by_order: dict[str, Any] = {
            "cllr_min": cllr_min,
            "eer": equal_error_rate,
            "min_dcf": min_dcf,
        }
        of_scores, of_levels = (
            measures | {name: partial(metric, by, same) for name, metric in by_order.items()}
            for by in (scores, levels)
        )
        values, of_draws = _of_all(of_scores, weights, drawn), _of_draws(of_levels, weights, drawn)
        values["cllr_cal"] = values["cllr"] - values["cllr_min"]
        of_draws["cllr_cal"] = of_draws["cllr"] - of_draws["cllr_min"]
        units = len(np.union1d(weights.first, weights.second))
        n_same = int((weights.first == weights.second).sum())
        estimates = {
            name: Estimate(
                values[name],
                of_draws[name],
                n_same if name == "misleading_same" else units,
                exact=name == "misleading_same",
                centred=name in ("cllr_min", "cllr_cal"),
            )
            for name in MEASURES
        }
        return Measured(len(rows), units, estimates)


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
