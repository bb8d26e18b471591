"""From scores to likelihood ratios, and how far the calibration data carry them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import _num_samples, check_is_fitted, validate_data

from sfmforensics.estimators._parameters import check_y
from sfmforensics.evidence._comparison import Comparison
from sfmforensics.evidence._ratio_state import CalibratedScores
from sfmforensics.evidence._trials import (
    copy_numbers,
    known_trials,
    labelled,
    left_out,
    means_by_speaker,
    trial_weights,
)
from sfmforensics.exceptions import ParameterError, TargetError
from sfmforensics.metrics import Trials, cllr

if TYPE_CHECKING:
    from typing import Any, Self

    from sfmforensics._types import Column, FloatArray, Matrix


class LikelihoodRatio(CalibratedScores, BaseEstimator):
    r"""How much more probable a recording is if this speaker made it, than if somebody else did.

    Recordings are compared by vectors, such as the fused representation (`TANGO.transform`), and
    the scores are calibrated on speakers of whom the model has heard nothing.

    Parameters
    ----------
    scorer : {"plda", "cosine", "logistic"} or estimator, default="plda"
        What compares two vectors: `PLDA`, `CosineScorer` or `PairwiseLogistic`. An estimator, such
        as ``PLDA(50)``, is fitted to the calibration data and tried on speakers left out in turn.
        If it is fitted already, as on the speakers that the model was trained with, it is taken as
        it is: then all of the calibration data calibrate. In
        ``sklearn.frozen.FrozenEstimator`` it also outlives `clone`, as in searches.
    calibration : {"logistic", "isotonic"}, default="logistic"
        How scores become likelihood ratios: by a logistic regression, or by pooling adjacent
        violators. With few speakers the first is the one to trust.
    bounds : {"elub", "iv"} or None, default="elub"
        Where extrapolation ends: empirical upper and lower bounds [2]_, or those of invariance
        verification, as NFI's `lir` has both. The lower one is from one comparison of each speaker
        and each pair of two, since more of the same people are no new evidence; the upper one from
        pairs that share nobody, half as many as speakers: 19 speakers who are separated perfectly
        support a ratio of 9.5, not of 162. None bounds nothing.
    random_state : int, default=0
        Draws what is compared where that is a choice.

    Attributes
    ----------
    scorer_ : estimator
        Fitted.
    n_speakers_ : int
        Voices that calibrate; speakers who share a copy are one.
    n_features_in_ : int

    Notes
    -----
    .. math:: LR = \frac{p(\text{score} | \text{same speaker})}{p(\text{score} |
              \text{different speakers})}

    It is the weight of the evidence, not the probability that the speaker is the same: that also
    depends on the odds before, which are not the examiner's to set.

    Of several known recordings of one speaker the mean is compared, and calibrated by as many
    recordings of each calibration speaker. The calibration data decide what "different speakers"
    means: they should be such as could be meant in the case, recorded alike.

    References
    ----------
    .. [1] Brümmer, N., du Preez, J. Application-independent evaluation of speaker detection.
       Computer Speech & Language 20 (2006), 230-275.
    .. [2] Vergeer, P., van Es, A., de Jongh, A., Alberink, I., Stoel, R. Numerical likelihood
       ratios outputted by LR systems are often based on extrapolation: when to stop extrapolating?
       Science & Justice 56 (2016), 482-491.
    .. [3] Morrison, G. S. et al. Consensus on validation of forensic voice comparison. Science &
       Justice 61 (2021), 299-309.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> speakers = np.repeat(np.arange(40), 8)
    >>> X = rng.normal(size=(40, 10))[speakers] + 0.3 * rng.normal(size=(320, 10))
    >>> ratio = LikelihoodRatio("cosine").fit(X[:240], speakers[:240])
    >>> ratio.log10_lr(X[240:241], X[241:242]) > 0, ratio.log10_lr(X[240:241], X[300:301]) < 0
    (array([[ True]]), array([[ True]]))
    >>> bool(-ratio.score(X[240:], speakers[240:]) < 0.3)
    True
    """

    def __init__(
        self,
        scorer: Any = "plda",
        *,
        calibration: str = "logistic",
        bounds: str | None = "elub",
        random_state: int = 0,
    ) -> None:
        self.scorer = scorer
        self.calibration = calibration
        self.bounds = bounds
        self.random_state = random_state

    def fit(self, X: Matrix, y: Column, copies: Column | None = None) -> Self:
        """Calibrate.

        Parameters
        ----------
        X : array-like of shape (n_recordings, n_features)
            Vectors of recordings that neither the model nor a fitted scorer has learnt from.
        y : array-like of shape (n_recordings,)
            Who speaks; recordings of nobody known are left out.
        copies : array-like of shape (n_recordings,) or None, default=None
            Recordings with equal numbers are one, see `sfmforensics.datasets.find_copies`.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            A parameter is none of those that are listed.
        TargetError
            There are too few speakers, or none with two recordings.
        """
        self._check_parameters()
        X = validate_data(self, X, dtype=np.float64)
        y = check_y(self, y)
        known, voices, _ = labelled(X, y, copies)
        everybody = np.full(len(X), -1)
        everybody[known] = voices
        X = X[known]
        if len(np.unique(voices)) < 2:
            raise TargetError(
                f"found 1 class, that is one speaker, in y ({len(X)} recordings); compare "
                "twenty or more to calibrate, and at least two"
            )
        parts = None
        scorer = self.new_scorer()
        if not hasattr(scorer, "n_features_in_"):
            # What has seen these speakers tells them apart too well to calibrate by them.
            if getattr(scorer, "_learns", True):
                parts = left_out(scorer, X, voices, self.random_state)
            scorer = clone(scorer).fit(X, voices)
        parts = parts or [(scorer, np.arange(len(X)), self._projected(scorer, X))]
        # By the rows that were given: comparisons can be looked up.
        own = [(part, known[rows], projected) for part, rows, projected in parts]
        return self._keep(scorer, everybody, copy_numbers(copies, len(everybody)), own)

    def log10_lr(
        self,
        questioned: Matrix,
        known: Matrix,
        known_speakers: Column | None = None,
        *,
        bounded: bool = True,
    ) -> FloatArray:
        """Weigh the evidence that recordings are of known speakers.

        Parameters
        ----------
        questioned : array-like of shape (n_questioned, n_features)
            Vectors of recordings whose speaker is in question.
        known : array-like of shape (n_known, n_features)
            Vectors of recordings whose speaker is known.
        known_speakers : array-like of shape (n_known,) or None, default=None
            Who speaks in these; recordings of one speaker count together. None takes each for a
            speaker of its own.
        bounded : bool, default=True
            Whether to keep within the bounds. What lies beyond is an extrapolation: to rank by, not
            to report.

        Returns
        -------
        ndarray of shape (n_questioned, n_known_speakers)
            Logarithms to base 10 of the likelihood ratios; speakers in the order in which they
            come.

        Raises
        ------
        TargetError
            So many known recordings of one speaker cannot be calibrated: no calibration speaker
            has more.
        """
        found = []
        for n, column in self._scored(questioned, known, known_speakers):
            calibration = self._calibrated(n)
            found.append(calibration(column) if bounded else calibration.unbounded(column))
        return np.column_stack(found)

    def compare(self, questioned: Matrix, known: Matrix) -> Comparison:
        """Compare one recording with those of one known speaker, for a report.

        Parameters
        ----------
        questioned : array-like of shape (1, n_features)
            Vector of the recording whose speaker is in question.
        known : array-like of shape (n_known, n_features)
            Vectors of recordings of one speaker.

        Returns
        -------
        Comparison

        Raises
        ------
        ParameterError
            There is not one questioned recording.
        TargetError
            As for `log10_lr`.
        """
        ((n_known, column),) = self._scored(questioned, known, np.zeros(_num_samples(known)))
        if len(column) != 1:
            raise ParameterError(
                f"{len(column)} questioned recordings; compare one, or use log10_lr"
            )
        calibration = self._calibrated(n_known)
        return Comparison(
            log10_lr=float(calibration(column)[0]),
            unbounded=float(calibration.unbounded(column)[0]),
            lower=calibration.lower,
            upper=calibration.upper,
            score=float(column[0]),
            n_known=n_known,
            n_speakers=self.n_speakers_,
            **vars(self._measures(n_known)),
        )

    def trials(
        self, X: Matrix, y: Column, copies: Column | None = None, *, n_known: int = 1
    ) -> Trials:
        """Compare recordings of known speakers with each other, to see how good the ratios are.

        Parameters
        ----------
        X, y, copies
            As for `fit`, of speakers that did not calibrate.
        n_known : int, default=1
            How many recordings of a speaker are known in each comparison.

        Returns
        -------
        Trials
            Scores are logarithms to base 10 of likelihood ratios. By the weights each speaker, and
            each pair of two, counts as much as each other.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        kept, voices, copies = labelled(X, y, copies)
        vectors = self._projected(self.scorer_, X[kept])
        found = known_trials(self.scorer_, vectors, voices, copies, n_known, self.random_state)
        ratios = self._calibrated(n_known)(found.scores)
        weights = trial_weights(voices[found.first], voices[found.second])
        return Trials(ratios, found.same, kept[found.first], kept[found.second], weights)

    def score(self, X: Matrix, y: Column, copies: Column | None = None) -> float:
        """Negative Cllr, so that more is better.

        Parameters
        ----------
        X, y, copies
            As for `trials`.

        Returns
        -------
        float
            At most 0; -1 is no better than saying nothing.
        """
        found = self.trials(X, y, copies)
        return -cllr(found.scores, found.same, found.weights)

    def _scored(
        self, questioned: Matrix, known: Matrix, speakers: Column | None
    ) -> list[tuple[int, FloatArray]]:
        """For each known speaker, the number of recordings and the scores (n_questioned,)."""
        check_is_fitted(self, "scorer_")
        asked, given = (
            self._projected(self.scorer_, validate_data(self, side, dtype=float, reset=False))
            for side in (questioned, known)
        )
        found = []
        for n, mean in means_by_speaker(given, speakers):
            found.append((n, self.scorer_.match(asked, mean, n)[:, 0]))
        return found
