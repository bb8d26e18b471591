"""Which of some known speakers, or none of them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import gammaln
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from sfmforensics.evidence._trials import impostor_scores
from sfmforensics.exceptions import EvidenceWarning, ParameterError, TargetError

if TYPE_CHECKING:
    from typing import Self

    from sfmforensics._types import Array, Column, FloatArray, Matrix
    from sfmforensics.evidence._likelihood_ratio import LikelihoodRatio

DRAWS = 5
"""How often recordings of each calibration speaker are drawn to stand for an enrolled one."""


class OpenSetIdentifier(BaseEstimator):
    """Tell which enrolled speaker a recording is of, or that it is of none of them.

    Parameters
    ----------
    likelihood_ratio : LikelihoodRatio
        Fitted. It says how alike recordings are, and its calibration speakers stand for those who
        are not enrolled.
    false_alarm : float, default=0.05
        How often a recording of somebody who is not enrolled may be given a name.

    Attributes
    ----------
    classes_ : ndarray of shape (n_enrolled,)
        The enrolled speakers, in the order in which they come.
    threshold_ : float
        Least logarithm to base 10, without bounds, of the highest likelihood ratio that is
        answered with a name.
    promised_ : float
        False-alarm rate that holds: more than was asked for where there are too few calibration
        speakers, which warns.

    Notes
    -----
    The more speakers are enrolled, the higher the highest of their ratios is by chance. How high,
    the calibration speakers show: each is compared with as many others as are enrolled. With K of
    them no rate below 1 / (K + 1) can be promised, as with `speaker_quantile`; beyond K - 1
    enrolled speakers the rates of groups of them add up, at most.

    A name is the best of those enrolled, not a finding that it is that speaker: report the
    likelihood ratio.

    Examples
    --------
    >>> from sfmforensics.evidence import LikelihoodRatio
    >>> rng = np.random.default_rng(0)
    >>> speakers = np.repeat(np.arange(60), 8)
    >>> X = rng.normal(size=(60, 10))[speakers] + 0.3 * rng.normal(size=(480, 10))
    >>> ratio = LikelihoodRatio("cosine").fit(X[:320], speakers[:320])
    >>> identifier = OpenSetIdentifier(ratio, false_alarm=0.1)
    >>> enrolled = identifier.fit([X[320], X[328], X[336]], ["a", "b", "c"])
    >>> enrolled.predict([X[321], X[329], X[450]]).tolist()
    ['a', 'b', None]
    """

    def __init__(self, likelihood_ratio: LikelihoodRatio, *, false_alarm: float = 0.05) -> None:
        self.likelihood_ratio = likelihood_ratio
        self.false_alarm = false_alarm

    def fit(self, X: Matrix, y: Column) -> Self:
        """Enrol speakers.

        Parameters
        ----------
        X : array-like of shape (n_recordings, n_features)
            Vectors of recordings whose speakers are known.
        y : array-like of shape (n_recordings,)
            Who speaks.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            The rate is not between 0 and 1.
        TargetError
            A recording has no name, or there are none.
        """
        if not 0 < self.false_alarm < 1:
            raise ParameterError(f"false_alarm is {self.false_alarm}; use a share between 0 and 1")
        check_is_fitted(self.likelihood_ratio, "scorer_")
        check_consistent_length(X, y)
        codes, names = pd.factorize(np.asarray(y, dtype=object))
        if not len(codes) or (codes < 0).any():
            raise TargetError(
                f"{int((codes < 0).sum())} of {len(codes)} recordings to enrol have no speaker; "
                "name who speaks in each, or leave them out"
            )
        self.classes_: Array = names
        self._known, self._speakers = np.asarray(X), codes
        counts = np.bincount(codes)
        n_known = int(np.median(counts))
        self.threshold_, self.promised_ = _threshold(
            self.likelihood_ratio, len(names), n_known, self.false_alarm
        )
        return self

    def log10_lr(self, X: Matrix) -> FloatArray:
        """Weigh the evidence for each enrolled speaker.

        Parameters
        ----------
        X : array-like of shape (n_recordings, n_features)
            Vectors.

        Returns
        -------
        ndarray of shape (n_recordings, n_enrolled)
            Logarithms to base 10, within bounds.
        """
        check_is_fitted(self)
        return self.likelihood_ratio.log10_lr(X, self._known, self._speakers)

    def predict(self, X: Matrix) -> Array:
        """Name the speaker of each recording, or nobody.

        Parameters
        ----------
        X : array-like of shape (n_recordings, n_features)
            Vectors.

        Returns
        -------
        ndarray of shape (n_recordings,), object
            None for "none of them".
        """
        check_is_fitted(self)
        found = self.likelihood_ratio.log10_lr(X, self._known, self._speakers, bounded=False)
        best = found.argmax(axis=1)
        names = np.asarray(self.classes_, dtype=object)[best]
        names[found.max(axis=1) <= self.threshold_] = None
        return names


def _threshold(
    ratio: LikelihoodRatio, n_enrolled: int, n_known: int, rate: float
) -> tuple[float, float]:
    """Give the threshold, and the rate that it promises."""
    scores, weights = _impostors(ratio, n_known)
    n_voices, n_others = ratio.n_speakers_, scores.shape[1]
    groups = -(-n_enrolled // n_others)
    n_drawn = min(n_enrolled, n_others)
    # Of n drawn from the others, the r-th lowest is the highest in C(r-1, n-1) of C(others, n).
    ranks = np.arange(1, n_others + 1)
    with np.errstate(invalid="ignore"):
        logs = np.where(ranks >= n_drawn, _log_choose(ranks - 1, n_drawn - 1), -np.inf)
    share = np.exp(logs - _log_choose(np.array(n_others), n_drawn))
    values = np.sort(scores, axis=1)
    counted = (weights[:, None] * share).ravel()
    order = np.argsort(values.ravel())
    counted, values = counted[order], values.ravel()[order]
    # The weight above each value, and that of one speaker more, who might be above all.
    above = (counted.sum() - np.cumsum(counted) + 1) / (n_voices + 1)
    reached = np.flatnonzero(groups * above <= rate + 1e-12)
    if len(reached):
        return float(values[reached[0]]), rate
    promised = min(1.0, groups / (n_voices + 1))
    warnings.warn(
        f"{n_voices} calibration speakers and {n_enrolled} enrolled can promise a false-alarm rate "
        f"of {promised:.1%} at best, not {rate:.1%}; that is what the answers have. Calibrate with "
        "more speakers for less",
        EvidenceWarning,
        stacklevel=3,
    )
    return float(values[-1]), promised


def _impostors(ratio: LikelihoodRatio, n_known: int) -> tuple[FloatArray, FloatArray]:
    """Compare calibration recordings with other speakers; the weights of each sum to 1.

    Both are new to the scorer, so that one that was fitted to the calibration data compares those
    alone that were left out together.
    """
    unbounded = ratio._calibrated(n_known).unbounded
    parts = []
    for scorer, rows, projected in ratio._parts:
        voices = ratio._voices[rows]
        found, weights = impostor_scores(scorer, projected, voices, n_known, DRAWS)
        parts.append((unbounded(found), weights))
    n_others = min(found.shape[1] for found, _ in parts)
    return (
        np.concatenate([found[:, :n_others] for found, _ in parts]),
        np.concatenate([weights for _, weights in parts]),
    )


def _log_choose(n: Array, k: int) -> Array:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
