"""Which of some known speakers, or none of them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.validation import check_is_fitted

from sfmforensics.evidence._conformal import speaker_quantile
from sfmforensics.evidence._people import NO_PEOPLE
from sfmforensics.evidence._trials import means_by_speaker
from sfmforensics.exceptions import EvidenceWarning, ParameterError, TargetError
from sfmforensics.targets._columns import label_codes

if TYPE_CHECKING:
    from typing import Self

    from sfmforensics._types import Array, Column, FloatArray, IntArray, Matrix
    from sfmforensics.evidence._likelihood_ratio import LikelihoodRatio


class OpenSetIdentifier(BaseEstimator):
    """Tell which enrolled speaker a recording is of, or that it is of none of them.

    Parameters
    ----------
    likelihood_ratio : LikelihoodRatio
        Fitted. It says how alike recordings are, and its calibration speakers stand for those who
        are not enrolled: enrol none of them.
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
    The more speakers are enrolled, and the more alike to anybody, the higher the highest of their
    ratios is by chance. How high, the calibration speakers show, none of whom is enrolled: each is
    compared with those who are. The threshold is the quantile of their highest ratios
    that a new speaker keeps, see `speaker_quantile`: it holds however many speakers are enrolled
    and however many recordings there are of each, but with K calibration speakers no rate below
    1 / (K + 1) can be promised.

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
            A recording has no name, there are none, there are more of one speaker than can be
            calibrated, or the ratios were calibrated by folds, or hold no people.

        Warns
        -----
        EvidenceWarning
            There are too few calibration speakers for the rate.
        """
        rate = self.false_alarm
        if not 0 < rate < 1:
            raise ParameterError(f"false_alarm is {self.false_alarm}; use a share between 0 and 1")
        ratio = self.likelihood_ratio
        check_is_fitted(ratio, "scorer_")
        if ratio._told is not None:
            raise TargetError(
                f"{NO_PEOPLE}, and to identify takes recordings of the calibration speakers, whom "
                "those who are enrolled are compared with; use the model that holds them"
            )
        if not ratio._one_space:
            raise TargetError(
                f"the ratios were calibrated by {len(ratio._parts)} folds, each with a "
                "representation of its own, in which no enrolled speaker is; to identify, keep a "
                "share of the speakers back, such as calibration=1/3"
            )
        check_consistent_length(X, y)
        codes, names = label_codes(y)
        if not len(codes) or (codes < 0).any():
            raise TargetError(
                f"{int((codes < 0).sum())} of {len(codes)} recordings to enrol have no speaker; "
                "name who speaks in each, or leave them out"
            )
        self.classes_: Array = names
        ratio.log10_lr(_safe_indexing(X, [0]), X, codes)  # refuses what cannot be compared
        self._known, self._speakers = X, codes
        scores, voices = _highest(ratio, np.asarray(X, dtype=np.float64), codes)
        n_voices = ratio.n_speakers_
        self.threshold_, self.promised_ = speaker_quantile(scores, voices, 1 - rate), rate
        if np.isinf(self.threshold_):
            self.threshold_, self.promised_ = float(scores.max()), 1 / (n_voices + 1)
            warnings.warn(
                f"{n_voices} calibration speakers can promise a false-alarm rate of "
                f"{self.promised_:.1%} at best, not {rate:.1%}; that is what the answers have. "
                "Calibrate with more speakers for less",
                EvidenceWarning,
                stacklevel=2,
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
        ratios = self.likelihood_ratio.log10_lr(X, self._known, self._speakers, bounded=False)
        best = ratios.argmax(axis=1)
        names = np.asarray(self.classes_, dtype=object)[best]
        names[ratios.max(axis=1) <= self.threshold_] = None
        return names


def _highest(
    ratio: LikelihoodRatio, known: FloatArray, speakers: IntArray
) -> tuple[FloatArray, IntArray]:
    """For each calibration recording the highest ratio with an enrolled speaker, and its voice.

    A scorer that was fitted to the calibration data compares those alone that were left out.
    """
    highest, voices = [], []
    for scorer, rows, projected in ratio._parts:
        columns = [
            ratio._calibrated(n).unbounded(scorer.match(projected, mean, n)[:, 0])
            for n, mean in means_by_speaker(ratio._projected(scorer, known), speakers)
        ]
        highest.append(np.max(columns, axis=0))
        voices.append(ratio._voices[rows])
    return np.concatenate(highest), np.concatenate(voices)
