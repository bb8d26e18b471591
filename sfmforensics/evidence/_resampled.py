"""Measures of answers, and what they are of speakers drawn anew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.evidence._conformal import ANY_OTHER
from sfmforensics.metrics._resampling import _bounds
from sfmforensics.targets import CLASSIFICATION

if TYPE_CHECKING:
    from typing import Any

    from sfmforensics._types import Array, BoolArray, FloatArray, IntArray
    from sfmforensics.evidence._answers import TaskAnswers

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
        return _bounds(value, drawn, self.units, CONFIDENCE, self.exact)

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
    answers: TaskAnswers, held: BoolArray, voices: IntArray, drawn: FloatArray, *, own: bool
) -> Measured:
    """Measure answers, each speaker counting as much as each other.

    Parameters
    ----------
    answers : TaskAnswers
        Of all recordings.
    held : ndarray of shape (n_recordings,), bool
        Which of them.
    voices : ndarray of shape (n_recordings,), int
        Who speaks.
    drawn : ndarray of shape (n_resamples, n_speakers)
        How often each speaker is drawn.
    own : bool
        Whether they were chosen by the label that is asked: then it says nothing how often answers
        of a probability are right.

    Returns
    -------
    Measured
        Means over the speakers of each one's mean.
    """
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

    found: dict[str, Estimate] = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        part: Any = {name: _taken(answers, name, rows) for name in vars(answers)}
        if answers.kind != CLASSIFICATION:
            found["mae"] = mean(np.abs(part["predicted"] - part["truth"]))
            within = (part["low"] <= part["truth"]) & (part["truth"] <= part["high"])
            found["interval_coverage"] = mean(within, exact=True)
            found["interval_width"] = mean(part["high"] - part["low"])
            return Measured(len(rows), units, found)
        right = np.asarray(part["predicted"] == part["truth"], dtype=bool)
        found["accuracy"] = mean(right, exact=True)
        if answers.labels is None:
            return Measured(len(rows), units, found)
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
    return Measured(len(rows), units, found)


def _taken(answers: TaskAnswers, name: str, rows: IntArray) -> Any:
    part = getattr(answers, name)
    return part[rows] if isinstance(part, np.ndarray) and name != "labels" else part
