"""A model that knows how far it can be trusted, from speakers it has never heard."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Tags, _safe_indexing, check_random_state, get_tags, indexable
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from sfmforensics._utils.pipelines import last_step, weight_parameter
from sfmforensics.estimators import TANGO
from sfmforensics.estimators._parameters import check_y, only_if
from sfmforensics.estimators._summary import ShowsFit
from sfmforensics.evidence._calibration_speakers import (
    answered,
    draw_sides,
    refuse_one_class,
    task_classes,
    voices_of,
    warn_of_unnamed,
)
from sfmforensics.evidence._conformal import ANY_OTHER, class_sets
from sfmforensics.evidence._likelihood_ratio import LikelihoodRatio
from sfmforensics.evidence._open_set import OpenSetIdentifier
from sfmforensics.evidence._people import holds_people, remembered_speakers, warn_of_heard
from sfmforensics.evidence._posteriors import least_confidence, scale
from sfmforensics.evidence._trials import copy_numbers
from sfmforensics.exceptions import (
    EvidenceWarning,
    ParameterError,
    SplitWarning,
    TargetError,
    shown,
)
from sfmforensics.model_selection import balanced_weights
from sfmforensics.targets import CLASSIFICATION, as_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any, Self

    from sfmforensics._types import (
        Answers,
        Array,
        Column,
        FloatArray,
        IntArray,
        Matrix,
        Split,
        Targets,
    )
    from sfmforensics._utils.recordings import Recordings
    from sfmforensics.estimators._summary import Rows
    from sfmforensics.evidence._calibration_speakers import TaskCalibration
    from sfmforensics.evidence._likelihood_ratio import Comparison


def _scorer_of(ratio: LikelihoodRatio, vectors: FloatArray, voices: IntArray) -> Any:
    """A scorer of its own, fitted to the recordings of which somebody says who speaks."""
    return clone(ratio.new_scorer()).fit(vectors[voices >= 0], voices[voices >= 0])


PER_SPEAKER = ("one", "all")


def _delegates(name: str) -> Callable[[Any], bool]:
    def has(model: Any) -> bool:
        fitted = getattr(model, "estimator_", None)
        unfitted = TANGO if model.estimator is None else model.estimator
        return hasattr(unfitted if fitted is None else fitted, name)

    return has


class CalibratedModel(ShowsFit, MetaEstimatorMixin, BaseEstimator):
    """Fit a model to some speakers, and find out from the others how far it can be trusted.

    Parameters
    ----------
    estimator : estimator or None, default=None
        `TANGO`, `ConcatFusion`, `SingleView`, `PerTask`, or a pipeline that ends in one. None is
        ``TANGO()``. One that is fitted already stays as it is in
        ``sklearn.frozen.FrozenEstimator``: then all recordings calibrate, which must be of speakers
        whom it has not heard.
    calibration : float or int, default=1/3
        A share: so many of the speakers are kept back from training, drawn at random. A whole
        number: so many folds of speakers, each answered by a model that was trained with the
        others; the model that is kept is trained with all. That takes longer and uses all speakers
        for both, but what it promises is no longer proven: the models that calibrate are not the
        one that answers, which has heard more.
    speaker : str or None, default="speaker"
        Column of the targets that says who speaks. Without it, `fit` needs `groups`. None: without
        groups, each recording is of somebody else, and voices cannot be compared.
    per_speaker : {"one", "all"}, default="one"
        What intervals and sets go by: one recording of each calibration speaker, drawn, so that
        they hold the truth as often as was asked; or all, speakers counting alike, so that nothing
        is drawn and they hold it more often, the more so the fewer speakers there are. See
        `speaker_quantile`.
    likelihood_ratio : LikelihoodRatio or None, default=None
        How voices are compared. None is a `PLDA` of the speakers that the model was trained with,
        calibrated by the others.
    random_state : int, RandomState instance or None, default=None
        Draws the speakers, and their recordings.

    Attributes
    ----------
    estimator_ : estimator
        Fitted.
    likelihood_ratio_ : LikelihoodRatio or None
        Fitted; None where the estimator gives no representation, or the calibration speakers are
        too few or have too few recordings, of which a warning tells.
    temperatures_ : dict of str to float
        By classification task, see `temperature`; not for the speakers, whom the model has to know.
    n_calibration_speakers_ : int
        Voices; speakers who share a copy are one.
    calibration_rows_ : ndarray of int
        The recordings that calibrated: those that were kept back, or all.
    speakers_ : dict of str to list of str
        Names of the speakers who "trained" and who "calibrated", whom `assess` looks for. Empty
        without a column of speakers.
    left_out_rows_ : ndarray of int
        The recordings of which nobody says who speaks. They were neither trained nor calibrated
        with, of which a warning tells.

    holds_people_ : bool
        False, and there at all, only for one without people: see
        `sfmforensics.saving.without_people`. Such a one has no `calibration_rows_` and
        `left_out_rows_`, and does not identify.

    Notes
    -----
    It is speakers who are kept back, each as likely as each other, since recordings of one speaker
    are alike: of K of them, intervals and sets of a confidence up to K / (K + 1) can be promised
    for a voice that was never heard, and beyond that they are infinite. See `speaker_quantile`.

    A recording without a speaker might be of one who calibrates, and trained with it would tell the
    model about a stranger; so it is on neither side, unless `groups` says that it is a copy of one
    whose speaker is known.

    Speakers are drawn without a look at their labels, so that who alone has a label may be kept
    back: training has nothing of it then. Such a speaker counts as answered wrong, for sets as well
    (see `predict_set`) and for `predict_or_abstain`; temperatures and probabilities are of the
    labels that training has, and know of no other.

    Examples
    --------
    >>> import pandas as pd
    >>> from sfmforensics import TANGO
    >>> rng = np.random.default_rng(0)
    >>> age = np.repeat(rng.uniform(20, 60, 45), 4)
    >>> X = rng.normal(size=(180, 8)).astype("float32")
    >>> X[:, 0] += age / 10
    >>> y = pd.DataFrame({"speaker": np.repeat(np.arange(45), 4).astype(str), "age": age})
    >>> model = CalibratedModel(TANGO(encoder="tokens", random_state=0), random_state=0)
    >>> model = model.fit(X[:120], y[:120])
    >>> found = model.predict_interval(X[120:], confidence=0.8)
    >>> list(found), model.n_calibration_speakers_
    (['age_low', 'age_high'], 10)
    >>> bool(np.mean((found["age_low"] <= age[120:]) & (age[120:] <= found["age_high"])) > 0.7)
    True
    """

    estimator_: Any
    likelihood_ratio_: LikelihoodRatio | None
    temperatures_: dict[Any, float]
    n_calibration_speakers_: int
    calibration_rows_: IntArray
    left_out_rows_: IntArray
    speakers_: dict[str, list[str]]
    _held: dict[Any, TaskCalibration]

    _answers_by = "estimator_"  # for sfmforensics._utils.pipelines

    def __init__(
        self,
        estimator: Any = None,
        *,
        calibration: float | int = 1 / 3,
        speaker: str | None = "speaker",
        per_speaker: str = "one",
        likelihood_ratio: LikelihoodRatio | None = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.calibration = calibration
        self.speaker = speaker
        self.per_speaker = per_speaker
        self.likelihood_ratio = likelihood_ratio
        self.random_state = random_state

    def fit(
        self,
        X: Matrix | Recordings,
        y: Targets,
        groups: Column | None = None,
        balance: pd.DataFrame | None = None,
    ) -> Self:
        """Train, and calibrate.

        Parameters
        ----------
        X : array-like of shape (n_recordings, ...)
            What the estimator takes.
        y : DataFrame or array-like of shape (n_recordings,) or (n_recordings, n_tasks)
            Targets.
        groups : array-like of shape (n_recordings,) or None, default=None
            What belongs together besides, such as copies of one recording
            (`sfmforensics.datasets.find_copies`); without a column of speakers, the speakers.
        balance : DataFrame of shape (n_recordings, n_columns) or None, default=None
            Labels each combination of which counts alike in what is learnt, on each training side
            by itself: see `sfmforensics.model_selection.balanced_weights`. Calibration weighs
            nothing.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            `calibration` is no share and no number of folds, or `per_speaker` none of its choices;
            or something is to be balanced, and the estimator takes no weights.
        TargetError
            Nobody says who speaks, there are too few speakers, or training is left with no label
            of a task, with one class where there are several, or with none that those who
            calibrate have.

        Warns
        -----
        SplitWarning
            Recordings have no speaker, and are left out.
        EvidenceWarning
            Speakers who calibrate have labels that training has not, or voices cannot be compared.
        """
        self._check_parameters()
        y = check_y(self, y)
        self.__dict__.pop("holds_people_", None)
        columns: Any = balance.to_frame() if isinstance(balance, pd.Series) else balance
        if columns is not None and not isinstance(columns, pd.DataFrame):
            raise ParameterError(
                f"balance is {shown(columns)}; give a DataFrame of the labels to balance by, one "
                "row a recording, such as y[['emotion']]"
            )
        X, y, groups, balance = indexable(X, y, groups, columns)
        frame = as_frame(y)
        if len(frame) < 2:
            raise TargetError(
                f"found {len(frame)} sample; give recordings of speakers to train by and of others "
                "to calibrate by"
            )
        voices = voices_of(frame, self.speaker, groups)
        named, self.left_out_rows_ = np.flatnonzero(voices >= 0), np.flatnonzero(voices < 0)
        if len(self.left_out_rows_):
            warnings.warn(
                f"{len(self.left_out_rows_)} of {len(frame)} recordings have no speaker; they are "
                "neither trained nor calibrated with, since they might be of one who is on the "
                "other side. Name who speaks in each to use them",
                SplitWarning,
                stacklevel=2,
            )
        inner = TANGO() if self.estimator is None else self.estimator
        if balance is not None and weight_parameter(inner) is None:
            raise ParameterError(
                f"{type(inner).__name__} takes no weights of recordings (sample_weight), so that "
                "nothing can be balanced; use another estimator, or leave balance out"
            )
        rng = check_random_state(self.random_state)
        frozen = isinstance(self.estimator, FrozenEstimator)
        if frozen:
            self.estimator_, sides = self.estimator, [(named[:0], named)]
            models = [self.estimator_]
        else:
            sides = draw_sides(frame, voices, self.calibration, rng)
            models = [self._trained(X, y, voices, balance, train) for train, _ in sides]
            for model in models:
                refuse_one_class(model, frame.iloc[named], self.speaker)
            by_folds = isinstance(self.calibration, Integral)
            self.estimator_ = models[0]
            if by_folds:
                self.estimator_ = self._trained(X, y, voices, balance, named)
        train, calibrating = (np.concatenate(rows) for rows in zip(*sides, strict=True))
        self.speakers_ = remembered_speakers(
            frame, self.speaker, None if frozen else train, calibrating, self.estimator_
        )
        if frozen:
            warn_of_heard(self.speakers_)
        self.calibration_rows_ = np.sort(calibrating)
        self.n_calibration_speakers_ = len(np.unique(voices[self.calibration_rows_]))
        parts = [(model, rows) for model, (_, rows) in zip(models, sides, strict=True)]
        drawn_by = rng if self.per_speaker == "one" else None
        self._held = answered(parts, X, frame, voices, self.speaker, drawn_by)
        self._remember_temperatures()
        self._warn_of_unheard()
        copies = self._copies(groups, frame, voices)
        self.likelihood_ratio_ = None
        try:
            self._fit_ratio(X, voices, copies, models, sides)
        except TargetError as error:
            if self.likelihood_ratio is not None:
                raise
            self.likelihood_ratio_ = None
            reason = f"voices cannot be compared by this model: {error}"
            warnings.warn(reason, EvidenceWarning, stacklevel=2)
        return self

    def predict(self, X: Matrix | Recordings) -> Answers:
        """Answer all tasks, as the estimator does.

        Parameters
        ----------
        X : array-like of shape (n_recordings, ...)
            What the estimator takes.

        Returns
        -------
        DataFrame or ndarray
            In the form of the targets in `fit`.
        """
        check_is_fitted(self)
        answers: Answers = self.estimator_.predict(X)
        return answers

    @only_if(_delegates("predict_proba"))
    def predict_proba(self, X: Matrix | Recordings) -> list[FloatArray] | FloatArray:
        """Calibrated probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_recordings, ...)
            What the estimator takes.

        Returns
        -------
        list of ndarray of shape (n_recordings, n_classes)
            One for each classification task, in column order; the array itself for 1-D targets.
            Those of the speakers, whom no calibration speaker is, are as the estimator gives them.
        """
        check_is_fitted(self)
        posteriors = self.estimator_.predict_proba(X)
        parts = posteriors if isinstance(posteriors, list) else [posteriors]
        named = zip(task_classes(self.estimator_), parts, strict=True)
        scaled = [scale(part, self.temperatures_.get(task, 1.0)) for (task, _), part in named]
        return scaled if isinstance(posteriors, list) else scaled[0]

    def predict_interval(self, X: Matrix | Recordings, confidence: float = 0.9) -> pd.DataFrame:
        """Give an interval for each number that holds the true one this often.

        Parameters
        ----------
        X : array-like of shape (n_recordings, ...)
            What the estimator takes.
        confidence : float, default=0.9
            Probability, over voices that were never heard, that the truth lies within.

        Returns
        -------
        DataFrame of shape (n_recordings, 2 * n_numbers)
            "TASK_low" and "TASK_high", in the unit of the task; infinite where there are too few
            calibration speakers. Numbers of which none was negative are not negative.

        Raises
        ------
        ParameterError
            The confidence is not between 0 and 1.
        """
        answers = self._answers(X)
        bounds = {}
        for task, calibration in self._held.items():
            if self.tasks_[task] != CLASSIFICATION:
                width = calibration.quantile(confidence)
                values = answers[task].to_numpy(dtype=np.float64)
                bounds[f"{task}_low"] = np.maximum(values - width, calibration.floor)
                bounds[f"{task}_high"] = np.maximum(values + width, calibration.floor)
        return pd.DataFrame(bounds, index=answers.index)

    def predict_set(self, X: Matrix | Recordings, confidence: float = 0.9) -> pd.DataFrame:
        """Give the classes that cannot be ruled out.

        Parameters
        ----------
        X : array-like of shape (n_recordings, ...)
            What the estimator takes.
        confidence : float, default=0.9
            Probability, over voices that were never heard, that the true class is among them, or
            that `ANY_OTHER` is.

        Returns
        -------
        DataFrame of shape (n_recordings, n_tasks)
            A tuple of labels, the most probable first, of each classification task, all that the
            model knows where there are too few calibration speakers. `ANY_OTHER`,
            ``"(any other)"``, comes last where the truth may also be a label of which training has
            heard nothing. There is none for the speakers (see `log10_lr` and `identify`), nor where
            the estimator gives no probabilities.

        Raises
        ------
        ParameterError
            The confidence is not between 0 and 1.

        Notes
        -----
        By the estimator's own probabilities: calibrated ones have learnt from the speakers who
        calibrate, and only what has not can promise anything whatever the model.

        A new speaker may have a label that training has not, such as an accent of its own, and so
        may speakers who calibrate, who are drawn without a look at their labels. No list of known
        labels holds such a truth, so that it counts as infinitely improbable. As long as few
        enough of the speakers who calibrate have such labels, sets list known ones, and those
        listed hold the truth as often as was asked, new labels counted as missed. Beyond that
        nothing can be ruled out: a set is of all known labels and of `ANY_OTHER`, and says that
        nothing is known at this confidence. `fit` warns, and names the confidence up to which sets
        are of known labels alone.
        """
        answers = {}
        index = self._answers(X).index
        for task, probabilities, labels in self._posteriors(self.estimator_, X):
            calibration = self._held[task]
            quantile = calibration.quantile(confidence)
            sets = class_sets(probabilities, quantile)
            order = np.argsort(-probabilities, axis=1, kind="stable")
            beyond = (ANY_OTHER,) if calibration.is_open(confidence) else ()
            answers[task] = [
                (*labels[row_order[row[row_order]]], *beyond)
                for row, row_order in zip(sets, order, strict=True)
            ]
        return pd.DataFrame(answers, index=index)

    def predict_or_abstain(self, X: Matrix | Recordings, risk: float = 0.1) -> pd.DataFrame:
        """Answer where few enough answers are wrong, and abstain elsewhere.

        Parameters
        ----------
        X : array-like of shape (n_recordings, ...)
            What the estimator takes.
        risk : float, default=0.1
            Share of the answers, over voices that were never heard, that may be wrong.

        Returns
        -------
        DataFrame of shape (n_recordings, n_tasks)
            As `predict`, with None for "inconclusive" in the classification tasks other than the
            speaker. Numbers are answered; see `predict_interval` for how sure they are.

        Raises
        ------
        ParameterError
            The risk is not between 0 and 1.

        Notes
        -----
        The share is estimated from the calibration speakers, with a margin for their number; see
        `least_confidence`. Where confidence says nothing about strangers, nothing is answered.
        """
        answers = self._answers(X).copy()
        for task, probabilities, _ in self._posteriors(self, X):
            unsure = probabilities.max(axis=1) < self.least_confidence(task, risk)
            answers[task] = answers[task].astype(object).where(~unsure, None)
        return answers

    def least_confidence(self, task: Hashable, risk: float) -> float:
        """Find how probable an answer must be, lest more than a share of the answers be wrong.

        Parameters
        ----------
        task : str
            A classification task other than the speaker.
        risk : float
            The share.

        Returns
        -------
        float
            Infinite where no answer is sure enough.

        Raises
        ------
        ParameterError
            The risk is not between 0 and 1.
        TargetError
            There is no such task that was calibrated.
        """
        if task not in self.temperatures_:
            raise TargetError(
                f"{task!r} is no classification task that was calibrated; use one of "
                f"{list(self.temperatures_)}"
            )
        calibration = self._held[task]
        return least_confidence(
            calibration.correct, calibration.confidence, risk, calibration.speakers
        )

    def log10_lr(
        self,
        questioned: Matrix | Recordings,
        known: Matrix | Recordings,
        known_speakers: Column | None = None,
    ) -> FloatArray:
        """Weigh the evidence that recordings are of known speakers.

        Parameters
        ----------
        questioned, known : array-like of shape (n_questioned, ...) and (n_known, ...)
            What the estimator takes.
        known_speakers : array-like of shape (n_known,) or None, default=None
            Who speaks; None takes each for a speaker of its own.

        Returns
        -------
        ndarray of shape (n_questioned, n_known_speakers)
            Logarithms to base 10 of likelihood ratios, see `LikelihoodRatio.log10_lr`.

        Raises
        ------
        TargetError
            Voices cannot be compared by this model.
        """
        ratio = self._ratio()
        return ratio.log10_lr(self.transform(questioned), self.transform(known), known_speakers)

    def compare(self, questioned: Matrix | Recordings, known: Matrix | Recordings) -> Comparison:
        """Compare one recording with those of one known speaker, for a report.

        Parameters
        ----------
        questioned : array-like of shape (1, ...)
            The recording whose speaker is in question, as the estimator takes it.
        known : array-like of shape (n_known, ...)
            Recordings of one speaker.

        Returns
        -------
        Comparison

        Raises
        ------
        TargetError
            Voices cannot be compared by this model.
        """
        ratio = self._ratio()
        return ratio.compare(self.transform(questioned), self.transform(known))

    def identify(
        self,
        X: Matrix | Recordings,
        enrolled: Matrix | Recordings,
        speakers: Column,
        *,
        false_alarm: float = 0.05,
    ) -> Array:
        """Tell which enrolled speaker recordings are of, or that they are of none of them.

        Parameters
        ----------
        X, enrolled : array-like of shape (n_recordings, ...) and (n_enrolled, ...)
            What the estimator takes.
        speakers : array-like of shape (n_enrolled,)
            Who speaks in the enrolled recordings.
        false_alarm : float, default=0.05
            How often a recording of somebody who is not enrolled may be given a name.

        Returns
        -------
        ndarray of shape (n_recordings,), object
            None for "none of them"; see `OpenSetIdentifier`.

        Raises
        ------
        TargetError
            Voices cannot be compared by this model, or it was calibrated by folds.
        """
        identifier = OpenSetIdentifier(self._ratio(), false_alarm=false_alarm)
        return identifier.fit(self.transform(enrolled), speakers).predict(self.transform(X))

    @only_if(_delegates("score"))
    def score(self, X: Matrix | Recordings, y: Targets, **options: Any) -> float:
        """Mean over the tasks of accuracy and R squared, as the estimator counts it.

        Parameters
        ----------
        X : array-like of shape (n_recordings, ...)
            What the estimator takes.
        y : as in `fit`
            True targets. Speakers whom training has not heard are answered wrong: search by
            `sfmforensics.metrics.task_scorers` of the other tasks, or by `LikelihoodRatio.score`.
        **options
            What the estimator's `score` takes besides, such as `sample_weight`.

        Returns
        -------
        float
        """
        check_is_fitted(self)
        return float(self.estimator_.score(X, y, **options))

    @only_if(_delegates("transform"))
    def transform(self, X: Matrix | Recordings) -> Array:
        """Give the fused representation, see `TANGO.transform`.

        Parameters
        ----------
        X : array-like of shape (n_recordings, ...)
            What the estimator takes.

        Returns
        -------
        ndarray of shape (n_recordings, width), float32
        """
        check_is_fitted(self)
        vectors: Array = self.estimator_.transform(X)
        return vectors

    @only_if(_delegates("transform"))
    def fit_transform(
        self,
        X: Matrix | Recordings,
        y: Targets,
        groups: Column | None = None,
        balance: pd.DataFrame | None = None,
    ) -> Array:
        """Train, calibrate, and give the fused representation of the same recordings.

        Parameters
        ----------
        X, y, groups, balance
            As for `fit`.

        Returns
        -------
        ndarray of shape (n_recordings, width), float32
        """
        return self.fit(X, y, groups, balance).transform(X)

    @property
    def n_features_in_(self) -> int:
        """How many columns the estimator takes, where it takes columns."""
        check_is_fitted(self)
        return int(self.estimator_.n_features_in_)

    @property
    def tasks_(self) -> dict[Any, Any]:
        """Kind of each target column."""
        last: Any = last_step(self.estimator_)[0]
        return dict(last.tasks_)

    @property
    def classes_(self) -> list[Array] | Array:
        """Labels of each classification column; the array itself for 1-D targets."""
        last: Any = last_step(self.estimator_)[0]
        classes: list[Array] | Array = last.classes_
        return classes

    def __sklearn_tags__(self) -> Tags:
        inner: Any = TANGO() if self.estimator is None else self.estimator
        return get_tags(inner)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a pickled state, and say so where 0.1.0 trained with recordings of nobody known."""
        super().__setstate__(state)
        ratio = state.get("likelihood_ratio_")
        if ratio is not None and "left_out_rows_" not in state and holds_people(self):
            warn_of_unnamed(ratio._voices)

    def _check_parameters(self) -> None:
        folds = isinstance(self.calibration, Integral)
        if not (self.calibration >= 2 if folds else 0 < self.calibration < 1):
            raise ParameterError(
                f"calibration is {self.calibration}; use a share of the speakers between 0 and 1, "
                "or a number of folds, 2 or more"
            )
        if self.per_speaker not in PER_SPEAKER:
            raise ParameterError(
                f"per_speaker is {self.per_speaker!r}; use one of {list(PER_SPEAKER)}"
            )

    def _copies(self, groups: Any, frame: pd.DataFrame, voices: IntArray) -> IntArray | None:
        """Copies of recordings that groups tell; groups of whole speakers tell voices."""
        if groups is None or self.speaker not in frame:
            return None
        copies = copy_numbers(groups, len(frame))
        return None if len(np.unique(copies)) == len(np.unique(voices)) else copies

    def _tasks_and_facts(self) -> tuple[Rows, Rows]:
        if not hasattr(self, "n_calibration_speakers_"):
            return [], []
        tasks: Rows = []
        facts: list[tuple[str, ...]] = []
        if isinstance(self.estimator_, ShowsFit):
            tasks, own = self.estimator_._tasks_and_facts()
            facts += own
        rows = getattr(self, "calibration_rows_", None)
        of = "" if rows is None else f", {len(rows):,} recordings"
        facts.append(("calibrated by", f"{self.n_calibration_speakers_:,} speakers{of}"))
        if self.likelihood_ratio_ is None:
            facts.append(("compares voices", "no"))
        else:
            cllr = self.likelihood_ratio_._measures(1).cllr
            facts.append(
                ("compares voices", f"Cllr {cllr:.2f} on those that calibrated, which flatters")
            )
        return tasks, facts

    def _trained(
        self, X: Any, y: Any, voices: IntArray, balance: pd.DataFrame | None, rows: IntArray
    ) -> Any:
        estimator = TANGO() if self.estimator is None else clone(self.estimator)
        own: dict[str, Array] = {}
        if has_fit_parameter(estimator, "groups"):
            own["groups"] = voices[rows]
        weight = weight_parameter(estimator)
        if balance is not None and weight is not None:
            own[weight] = balanced_weights(balance.iloc[rows])
        return estimator.fit(_safe_indexing(X, rows), _safe_indexing(y, rows), **own)

    def _fit_ratio(
        self, X: Any, voices: IntArray, copies: Any, models: list[Any], sides: list[Split]
    ) -> None:
        if not hasattr(self.estimator_, "transform") or self.n_calibration_speakers_ < 4:
            return
        ratio = LikelihoodRatio() if self.likelihood_ratio is None else self.likelihood_ratio
        vectors: list[list[Any]] = [
            [model.transform(_safe_indexing(X, rows)) if len(rows) else None for rows in side]
            for model, side in zip(models, sides, strict=True)
        ]
        fitted = clone(ratio)
        if vectors[0][0] is None:
            ((_, rows),) = sides
            copies = None if copies is None else copies[rows]
            self.likelihood_ratio_ = fitted.fit(vectors[0][1], voices[rows], copies)
            return
        # Compared by what the speakers trained with have taught, calibrated by the others.
        parts = []
        for (train, calibrating), (taught_by, scored) in zip(sides, vectors, strict=True):
            scorer = _scorer_of(ratio, taught_by, voices[train])
            parts.append((scorer, calibrating, scorer.project(scored)))
        if len(parts) > 1:
            scorer = _scorer_of(ratio, self.estimator_.transform(X), voices)
        self.likelihood_ratio_ = fitted.fit_parts(scorer, parts, voices, copies)

    def _ratio(self) -> LikelihoodRatio:
        check_is_fitted(self)
        if self.likelihood_ratio_ is None:
            raise TargetError(
                "voices cannot be compared by this model: it needs an estimator that gives a "
                "representation (transform), and at least four speakers to calibrate by, some "
                f"with several recordings; {self.n_calibration_speakers_} were kept back"
            )
        return self.likelihood_ratio_

    def _remember_temperatures(self) -> None:
        self.temperatures_ = {
            task: calibration.temperature
            for task, calibration in self._held.items()
            if self.tasks_[task] == CLASSIFICATION
        }

    def _warn_of_unheard(self) -> None:
        for task in self.temperatures_:
            calibration = self._held[task]
            if calibration.unheard:
                n_speakers = len(np.unique(calibration.speakers))
                most_closed = np.floor(1000 * calibration.most_closed) / 10
                warnings.warn(
                    f"{calibration.unheard} of {n_speakers} speakers who calibrate "
                    f"have a label of {task!r} that training has not, and so may new ones: up to a "
                    f"confidence of {most_closed:.1f} % sets are of "
                    f"known labels, beyond that also of {ANY_OTHER!r}",
                    EvidenceWarning,
                    stacklevel=3,
                )

    def _answers(self, X: Any) -> pd.DataFrame:
        """Answers by task, which those to 1-D targets have lost the name of."""
        return as_frame(self.predict(X)).set_axis(list(self.tasks_), axis=1)

    def _posteriors(self, model: Any, X: Any) -> list[tuple[Any, FloatArray, Array]]:
        """Of each task that was calibrated: its name, a model's probabilities, and labels."""
        if not self.temperatures_:
            return []
        probabilities = model.predict_proba(X)
        parts = probabilities if isinstance(probabilities, list) else [probabilities]
        named = zip(task_classes(self.estimator_), parts, strict=True)
        return [(task, part, labels) for (task, labels), part in named if task in self._held]
