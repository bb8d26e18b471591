"""A model that knows how far it can be trusted, from speakers it has never heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import _safe_indexing, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from sfmforensics._parameters import only_if
from sfmforensics._steps import last_step
from sfmforensics.estimators import TANGO
from sfmforensics.evidence._held import answered, draw_sides, task_classes, voices_of
from sfmforensics.evidence._likelihood_ratio import LikelihoodRatio
from sfmforensics.evidence._posteriors import scale
from sfmforensics.evidence._scorers import PLDA
from sfmforensics.evidence._uncertain import UncertainAnswers
from sfmforensics.evidence._voices import ComparesVoices
from sfmforensics.exceptions import ParameterError
from sfmforensics.targets import CLASSIFICATION, as_frame

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

    from sfmforensics._types import (
        Answers,
        Array,
        Column,
        FloatArray,
        IntArray,
        Matrix,
        Recordings,
        Targets,
    )


def _delegates(name: str) -> Callable[[Any], bool]:
    def has(model: Any) -> bool:
        fitted = getattr(model, "estimator_", None)
        return hasattr(model.estimator if fitted is None else fitted, name)

    return has


class CalibratedModel(ComparesVoices, UncertainAnswers, MetaEstimatorMixin, BaseEstimator):
    """Fit a model to some speakers, and find out from the others how far it can be trusted.

    Parameters
    ----------
    estimator : estimator or None, default=None
        `TANGO`, `ConcatFusion`, `SingleView`, `PerTask`, or a pipeline that ends in one. None is
        ``TANGO()``. One that is fitted already stays as it is in
        ``sklearn.frozen.FrozenEstimator``: then all recordings calibrate, which must be of speakers
        whom it has not heard.
    calibration : float, default=1/3
        Share of the speakers who are kept back from training, drawn at random.
    speaker : str, default="speaker"
        Column of the targets that says who speaks. Without it, `fit` needs `groups`.
    likelihood_ratio : LikelihoodRatio or None, default=None
        How voices are compared. None is a `PLDA` of the speakers that the model was trained with,
        calibrated by the others.
    random_state : int, RandomState instance or None, default=None
        Draws the speakers.

    Attributes
    ----------
    estimator_ : estimator
        Fitted.
    likelihood_ratio_ : LikelihoodRatio or None
        Fitted; None where the estimator gives no representation or nobody is named.
    temperatures_ : dict of str to float
        By classification task, see `temperature`; not for the speakers, whom the model has to know.
    n_calibration_speakers_ : int
    calibration_rows_ : ndarray of int
        The recordings that were kept back.

    Notes
    -----
    It is speakers who are kept back, each as likely as each other, since recordings of one speaker
    are alike: of K of them, intervals and sets of a confidence up to K / (K + 1) can be promised
    for a voice that was never heard, and beyond that they are infinite. See `speaker_quantile`.

    Examples
    --------
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

    _answers_by = "estimator_"  # for sfmforensics._steps

    def __init__(
        self,
        estimator: Any = None,
        *,
        calibration: float = 1 / 3,
        speaker: str = "speaker",
        likelihood_ratio: LikelihoodRatio | None = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.calibration = calibration
        self.speaker = speaker
        self.likelihood_ratio = likelihood_ratio
        self.random_state = random_state

    def fit(self, X: Matrix | Recordings, y: Targets, groups: Column | None = None) -> Self:
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

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            The share is not between 0 and 1.
        TargetError
            Nobody says who speaks, or there are too few speakers.
        """
        if not 0 < self.calibration < 1:
            raise ParameterError(
                f"calibration is {self.calibration}; use a share of the speakers between 0 and 1"
            )
        frame = as_frame(y)
        check_consistent_length(X, frame, groups)
        voices = voices_of(frame, self.speaker, groups)
        every = np.arange(len(frame))
        if isinstance(self.estimator, FrozenEstimator):
            train, held = every[:0], every
            self.estimator_ = self.estimator
        else:
            rng = check_random_state(self.random_state)
            train, held = draw_sides(frame, voices, self.calibration, self.speaker, rng)
            self.estimator_ = TANGO() if self.estimator is None else clone(self.estimator)
            own = {"groups": voices[train]} if has_fit_parameter(self.estimator_, "groups") else {}
            self.estimator_.fit(_safe_indexing(X, train), _safe_indexing(y, train), **own)
        self.calibration_rows_ = held
        self.n_calibration_speakers_ = len(np.unique(voices[held]))
        self._held = answered(
            self.estimator_, _safe_indexing(X, held), frame.iloc[held], voices[held], self.speaker
        )
        self.temperatures_ = {
            task: found.temperature
            for task, found in self._held.items()
            if self.tasks_[task] == CLASSIFICATION
        }
        self._fit_ratio(X, frame, voices, groups, train, held)
        return self

    def _fit_ratio(
        self,
        X: Any,
        frame: pd.DataFrame,
        voices: IntArray,
        groups: Column | None,
        train: IntArray,
        held: IntArray,
    ) -> None:
        self.likelihood_ratio_ = None
        if not hasattr(self.estimator_, "transform") or self.n_calibration_speakers_ < 4:
            return
        ratio = LikelihoodRatio() if self.likelihood_ratio is None else self.likelihood_ratio
        ratio = clone(ratio)
        if ratio.scorer == "plda" and len(train):
            told = self.estimator_.transform(_safe_indexing(X, train))
            ratio.set_params(scorer=PLDA().fit(told, voices[train]))
        vectors = self.estimator_.transform(_safe_indexing(X, held))
        copies = None if groups is None or self.speaker not in frame else np.asarray(groups)[held]
        self.likelihood_ratio_ = ratio.fit(vectors, voices[held], copies)

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
        found = self.estimator_.predict_proba(X)
        parts = found if isinstance(found, list) else [found]
        named = zip(task_classes(self.estimator_), parts, strict=True)
        kept = [scale(part, self.temperatures_.get(task, 1.0)) for (task, _), part in named]
        return kept if isinstance(found, list) else kept[0]

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
        found: Array = self.estimator_.transform(X)
        return found

    @property
    def tasks_(self) -> dict[Any, Any]:
        """Kind of each target column."""
        last: Any = last_step(self.estimator_)[0]
        return dict(last.tasks_)

    @property
    def classes_(self) -> list[Array] | Array:
        """Labels of each classification column; the array itself for 1-D targets."""
        last: Any = last_step(self.estimator_)[0]
        found: list[Array] | Array = last.classes_
        return found
