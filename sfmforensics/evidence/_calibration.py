"""How scores become likelihood ratios, and where that ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from sfmforensics.evidence._bounds import disjoint_pairs, elub, invariance_bounds
from sfmforensics.evidence._trials import balanced_weights

if TYPE_CHECKING:
    from typing import Protocol

    from sfmforensics._types import Array, BoolArray, FloatArray, IntArray
    from sfmforensics.metrics import Trials

    class Calibrator(Protocol):
        """What gives natural logarithms of likelihood ratios for scores."""

        def __call__(self, scores: FloatArray) -> FloatArray: ...


CALIBRATIONS = ("logistic", "isotonic")
BOUNDS = ("elub", "iv")
DRAWN = 101
"""How often one comparison of each pair of speakers is drawn, to find bounds."""


@dataclass(frozen=True)
class Calibration:
    """How scores become likelihood ratios.

    Parameters
    ----------
    calibrator : callable
        Gives natural logarithms of the ratios of standardised scores.
    centre, scale : float
        Mean and deviation of the scores.
    lower, upper : float
        Bounds of the logarithms to base 10; infinite where there are none.
    trials : Trials
        What it was made by.
    """

    calibrator: Calibrator
    centre: float
    scale: float
    lower: float
    upper: float
    trials: Trials

    def unbounded(self, scores: FloatArray) -> FloatArray:
        """Logarithms to base 10 without bounds: extrapolations, perhaps."""
        return self.calibrator((scores - self.centre) / self.scale) / np.log(10)

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Logarithms to base 10, within the bounds."""
        return np.clip(self.unbounded(scores), self.lower, self.upper)


def calibrate(trials: Trials, voices: IntArray, how: str, bounds: str | None) -> Calibration:
    """Calibrate scores by comparisons whose truth is known.

    Notes
    -----
    Each speaker counts as much as each other, and each pair of two: whoever was recorded often
    would have the others' ratios fitted to one voice.
    """
    first, second = voices[trials.first], voices[trials.second]
    weights = balanced_weights(trials.same, first, second)
    centre = float(np.average(trials.scores, weights=weights))
    scale = float(np.sqrt(np.average((trials.scores - centre) ** 2, weights=weights))) or 1.0
    standardised = (trials.scores - centre) / scale
    fit = _logistic if how == "logistic" else _isotonic
    calibrator = fit(standardised, trials.same, weights)
    calibration = Calibration(calibrator, centre, scale, -np.inf, np.inf, trials)
    if bounds is None:
        return calibration
    limits = _limits(bounds, calibration.unbounded(trials.scores), trials.same, first, second)
    return Calibration(calibrator, centre, scale, *limits, trials)


def _logistic(scores: FloatArray, same: BoolArray, weights: FloatArray) -> Calibrator:
    # Hardly shrunk at all: where scores tell all apart, the slope would be without end.
    regression = LogisticRegression(C=1e3).fit(scores[:, None], same, weights)
    slope, offset = float(regression.coef_[0, 0]), float(regression.intercept_[0])
    # Scores that are the lower, the more alike, say nothing: all ratios are 1.
    return Line(slope, offset) if slope > 0 else Line(0.0, 0.0)


@dataclass(frozen=True)
class Line:
    """Logarithms of the ratios that rise as the scores do."""

    slope: float
    offset: float

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Natural logarithms."""
        return self.slope * scores + self.offset


def _isotonic(scores: FloatArray, same: BoolArray, weights: FloatArray) -> Calibrator:
    # One misleading comparison more at each end, as in lir: no ratio is infinite.
    ends = [scores.max() + 1, scores.min() - 1]
    scores = np.append(scores, ends)
    regression = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(
        scores, np.append(same, [False, True]).astype(float), np.append(weights, [1, 1])
    )
    return Steps(regression.X_thresholds_, regression.y_thresholds_)


@dataclass(frozen=True)
class Steps:
    """Logarithms of the ratios between points."""

    scores: Array
    shares: Array

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Natural logarithms."""
        return np.asarray(logit(np.interp(scores, self.scores, self.shares)))


def _limits(
    bounds: str, ratios: FloatArray, same: BoolArray, first: IntArray, second: IntArray
) -> tuple[float, float]:
    """Logarithms to base 10 beyond which the calibration data support nothing.

    Of each speaker and each pair one comparison is drawn, since many of the same people are no new
    evidence; the median over such drawings. The lower limit rests on the comparisons of one
    speaker, of which each has its own. The upper one rests on those of two, and 171 pairs of 19
    people are not 171 independent comparisons: only pairs that share nobody count for it.
    """
    bound = elub if bounds == "elub" else invariance_bounds
    pairs = np.sort(np.column_stack([first, second]), axis=1)
    who, pair = np.unique(pairs, axis=0, return_inverse=True)
    order = np.argsort(pair.ravel(), kind="stable")
    counts = np.bincount(pair.ravel())
    starts = np.cumsum(counts) - counts
    alone = who[:, 0] == who[:, 1]
    one, other = who[~alone].T
    rng, pairing = np.random.RandomState(0), np.random.RandomState(0)
    limits = []
    for _ in range(DRAWN):
        drawn = order[starts + (rng.uniform(size=len(counts)) * counts).astype(int)]
        lower, _ = bound(ratios[drawn], same[drawn])
        apart = np.flatnonzero(~alone)[disjoint_pairs(one, other, pairing)]
        drawn = np.concatenate([drawn[alone], drawn[apart]])
        _, upper = bound(ratios[drawn], same[drawn])
        limits.append((lower, upper))
    lower, upper = np.median(np.asarray(limits), axis=0)
    return float(lower), float(upper)
