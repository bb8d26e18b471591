"""From scores to likelihood ratios, and how far the calibration data carry them."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import _num_samples, check_is_fitted, validate_data

from sfmforensics._utils.pages import templates
from sfmforensics.estimators._parameters import check_y
from sfmforensics.evidence._calibration import BOUNDS, CALIBRATIONS, Calibration, calibrate
from sfmforensics.evidence._people import NO_PEOPLE
from sfmforensics.evidence._scorers import PLDA, CosineScorer, PairwiseLogistic
from sfmforensics.evidence._trials import (
    copy_numbers,
    known_trials,
    labelled,
    left_out,
    means_by_speaker,
    pooled_trials,
    trial_weights,
)
from sfmforensics.evidence._verbal import log_text, plain_sentences, ratio_text, verbal_scale
from sfmforensics.exceptions import ModelFileError, ParameterError, TargetError
from sfmforensics.metrics import Trials, cllr, cllr_min, equal_error_rate

if TYPE_CHECKING:
    from typing import Any, Self

    from sfmforensics._types import Column, FloatArray, IntArray, Matrix


MOST_KNOWN = 10
"""Known recordings of one speaker up to which a model that holds no people is calibrated."""

SCORES = {"plda": PLDA, "cosine": CosineScorer, "logistic": PairwiseLogistic}


def no_trials() -> Trials:
    """Give the comparisons of nobody."""
    nothing = np.empty(0, dtype=int)
    return Trials(np.empty(0), np.empty(0, dtype=bool), nothing, nothing)


@dataclass(frozen=True)
class Measures:
    """How well the comparisons that calibrated were told apart.

    Parameters
    ----------
    n_same, n_different, cllr, cllr_min, eer
        As in `Comparison`.
    """

    n_same: int
    n_different: int
    cllr: float
    cllr_min: float
    eer: float


@dataclass(frozen=True)
class Comparison:
    """One comparison, and what it rests on.

    Parameters
    ----------
    log10_lr : float
        Logarithm to base 10 of the likelihood ratio, within bounds.
    unbounded : float
        The same without: an extrapolation where it lies beyond a bound.
    lower, upper : float
        Bounds of the logarithm that the calibration data support.
    score : float
        What was calibrated.
    n_known : int
        Known recordings.
    n_speakers : int
        Voices that calibrated.
    n_same, n_different : int
        Comparisons of one and of two speakers among these.
    cllr : float
        Of the bounded ratios of the comparisons that calibrated: flattering.
    cllr_min, eer : float
        Of their scores: what no calibration and no bounds could better.
    """

    log10_lr: float
    unbounded: float
    lower: float
    upper: float
    score: float
    n_known: int
    n_speakers: int
    n_same: int
    n_different: int
    cllr: float
    cllr_min: float
    eer: float

    @property
    def at_bound(self) -> bool:
        """Whether the ratio is one of the bounds, and the findings would have been beyond."""
        return not self.lower < self.unbounded < self.upper

    @property
    def verbal(self) -> str:
        """The ratio in words, see `verbal_scale`."""
        return verbal_scale(self.log10_lr)

    def _repr_html_(self) -> str:
        """The ratio, its limits and what it rests on, for a notebook."""
        page = templates("evidence", log=log_text, meaning=plain_sentences, ratio=ratio_text)
        limited = bool(np.isfinite([self.lower, self.upper]).all())
        return page.get_template("comparison.html").render(found=self, limited=limited)


class LikelihoodRatio(BaseEstimator):
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

    _voices: IntArray
    _copies: IntArray
    _parts: list[tuple[Any, IntArray, FloatArray]]
    _one_space: bool
    _told: dict[int, Measures] | None = None
    _calibrations: dict[int, Calibration]

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
        rows_named, voices, _ = labelled(X, y, copies)
        everybody = np.full(len(X), -1)
        everybody[rows_named] = voices
        X = X[rows_named]
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
        own = [(part, rows_named[rows], projected) for part, rows, projected in parts]
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
        columns = []
        for n, scores in self._scored(questioned, known, known_speakers):
            calibration = self._calibrated(n)
            columns.append(calibration(scores) if bounded else calibration.unbounded(scores))
        return np.column_stack(columns)

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
        ((n_known, scores),) = self._scored(questioned, known, np.zeros(_num_samples(known)))
        if len(scores) != 1:
            raise ParameterError(
                f"{len(scores)} questioned recordings; compare one, or use log10_lr"
            )
        calibration = self._calibrated(n_known)
        return Comparison(
            log10_lr=float(calibration(scores)[0]),
            unbounded=float(calibration.unbounded(scores)[0]),
            lower=calibration.lower,
            upper=calibration.upper,
            score=float(scores[0]),
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
        rows, voices, copies = labelled(X, y, copies)
        vectors = self._projected(self.scorer_, X[rows])
        trials = known_trials(self.scorer_, vectors, voices, copies, n_known, self.random_state)
        ratios = self._calibrated(n_known)(trials.scores)
        weights = trial_weights(voices[trials.first], voices[trials.second])
        return Trials(ratios, trials.same, rows[trials.first], rows[trials.second], weights)

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
        trials = self.trials(X, y, copies)
        return -cllr(trials.scores, trials.same, trials.weights)

    @property
    def bounds_(self) -> tuple[float, float]:
        """Bounds of `log10_lr` for one known recording."""
        calibration = self._calibrated(1)
        return calibration.lower, calibration.upper

    @property
    def calibration_trials_(self) -> Trials:
        """Comparisons that calibrate, by the rows that were given.

        Their scores are logarithms to base 10 of the ratios.
        """
        return self._weighed(1)

    def new_scorer(self) -> Any:
        """Give the scorer that the parameters name, not yet fitted, or the one that they hold."""
        self._check_parameters()
        return SCORES[self.scorer]() if isinstance(self.scorer, str) else self.scorer

    def fit_parts(
        self,
        scorer: Any,
        parts: list[tuple[Any, IntArray, FloatArray]],
        voices: IntArray,
        copies: Column | None = None,
    ) -> Self:
        """Calibrate by several scorers, each on speakers that it has not seen.

        Parameters
        ----------
        scorer : estimator
            Fitted: what compares from now on.
        parts : list of (scorer, rows, projected)
            Fitted scorers, the recordings that each has not seen, and what its `project` makes of
            them. Recordings of different parts are not compared: each may come from a model of its
            own, and vectors of one say nothing in another.
        voices : ndarray of shape (n_recordings,), int
            Who speaks.
        copies : array-like of shape (n_recordings,) or None, default=None
            As for `fit`.

        Returns
        -------
        self
        """
        self._check_parameters()
        numbers = copy_numbers(copies, len(voices))
        return self._keep(scorer, voices, numbers, parts, one_space=len(parts) == 1)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a pickled state; limits of 0.1.0, which were too wide, are found anew when asked."""
        super().__setstate__(state)
        if "_calibrations" in state and "_told" not in state:
            self._calibrations = {}

    def _check_parameters(self) -> None:
        for name, choices in (("calibration", CALIBRATIONS), ("bounds", (*BOUNDS, None))):
            if getattr(self, name) not in choices:
                raise ParameterError(f"{name} is {getattr(self, name)!r}; use one of {choices}")
        is_scorer = hasattr(self.scorer, "project") and hasattr(self.scorer, "match")
        if not is_scorer and self.scorer not in list(SCORES):
            raise ParameterError(
                f"scorer is {self.scorer!r}; use one of {list(SCORES)}, or an estimator such as "
                "PLDA(50)"
            )

    def _keep(
        self,
        scorer: Any,
        voices: IntArray,
        copies: IntArray,
        parts: list[tuple[Any, IntArray, FloatArray]],
        *,
        one_space: bool = True,
    ) -> Self:
        # Whether the vectors of all parts come from one model, that of `scorer`.
        self._one_space, self._told = one_space, None
        self.scorer_, self.n_features_in_ = scorer, scorer.n_features_in_
        self._voices, self._copies, self._parts = voices, copies, parts
        used = np.concatenate([rows for _, rows, _ in parts])
        self.n_speakers_ = len(np.unique(voices[used]))
        self._calibrations = {}
        self._calibrated(1)
        return self

    def _projected(self, scorer: Any, X: FloatArray) -> FloatArray:
        """Project what was checked, under its columns' names where the scorer knows names."""
        names = getattr(self, "feature_names_in_", None)
        if names is not None and hasattr(scorer, "feature_names_in_"):
            return np.asarray(scorer.project(pd.DataFrame(X, columns=names)))
        return np.asarray(scorer.project(X))

    def _scored(
        self, questioned: Matrix, known: Matrix, speakers: Column | None
    ) -> list[tuple[int, FloatArray]]:
        """For each known speaker, the number of recordings and the scores (n_questioned,)."""
        check_is_fitted(self, "scorer_")
        sides = (
            self._projected(self.scorer_, validate_data(self, side, dtype=float, reset=False))
            for side in (questioned, known)
        )
        vectors, of_speakers = sides
        return [
            (n, self.scorer_.match(vectors, mean, n)[:, 0])
            for n, mean in means_by_speaker(of_speakers, speakers)
        ]

    def _calibrated(self, n_known: int) -> Calibration:
        if n_known not in self._calibrations:
            self._calibrations[n_known] = self._calibrate(n_known)
        return self._calibrations[n_known]

    def _calibrate(self, n_known: int) -> Calibration:
        if self._told is not None:
            raise TargetError(
                f"{NO_PEOPLE}, and was calibrated for up to {max(self._told)} known recordings of "
                f"one speaker; give no more, or use the model that holds people, for {n_known}"
            )
        trials = pooled_trials(self._parts, self._voices, self._copies, n_known, self.random_state)
        if not trials.same.any() or trials.same.all():
            kind = "of one speaker" if not trials.same.any() else "of two speakers"
            raise TargetError(
                f"the calibration data hold no comparison {kind} with {n_known} known "
                f"recording{'s' if n_known > 1 else ''}; give fewer known recordings, or calibrate "
                "with more recordings of each speaker"
            )
        return calibrate(trials, self._voices, self.calibration, self.bounds)

    def _weighed(self, n_known: int) -> Trials:
        """Give the comparisons that calibrated, with logarithms of ratios and weights."""
        if self._told is not None:
            raise ModelFileError(
                f"{NO_PEOPLE}, nor the comparisons of them that calibrated it; look at those of "
                "the model that does"
            )
        calibration = self._calibrated(n_known)
        trials = calibration.trials
        weights = trial_weights(self._voices[trials.first], self._voices[trials.second])
        ratios = calibration(trials.scores)
        return Trials(ratios, trials.same, trials.first, trials.second, weights)

    def _measures(self, n_known: int) -> Measures:
        """Measure the comparisons that calibrated, each speaker and each pair counting alike."""
        if self._told is not None:
            return self._told[n_known]
        calibration, trials = self._calibrated(n_known), self._weighed(n_known)
        truth: Any = (trials.same, trials.weights)
        scores = calibration.trials.scores  # without bounds, beyond which all are alike
        return Measures(
            n_same=int(trials.same.sum()),
            n_different=int((~trials.same).sum()),
            cllr=cllr(trials.scores, *truth),
            cllr_min=cllr_min(scores, *truth),
            eer=float(equal_error_rate(scores, *truth)),
        )

    def _without_people(self) -> Self:
        """Give the same without voices: with what they calibrated for up to some recordings."""
        reduced = copy(self)
        calibrations, measures = {}, {}
        for n_known in range(1, MOST_KNOWN + 1):
            try:
                calibrations[n_known] = self._calibrated(n_known)
            except TargetError:
                break
            measures[n_known] = self._measures(n_known)
        reduced._forget(calibrations, measures)
        return reduced

    def _forget(self, calibrations: dict[int, Calibration], measures: dict[int, Measures]) -> None:
        """Keep calibrations and measures in the place of voices."""
        nothing = np.empty(0, dtype=int)
        self._voices, self._copies, self._parts = nothing, nothing, []
        self._calibrations = {
            n_known: replace(one, trials=no_trials()) for n_known, one in calibrations.items()
        }
        self._told = measures
