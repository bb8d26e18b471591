"""Reference models: one ordinary scikit-learn estimator for each task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, NuSVC
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.validation import check_is_fitted, validate_data

from sfmforensics._utils.pipelines import weight_parameter
from sfmforensics._utils.versions import CarriesVersions
from sfmforensics.estimators._parameters import only_if, with_type
from sfmforensics.estimators._summary import ShowsFit, task_rows
from sfmforensics.estimators._weights import checked_weights
from sfmforensics.exceptions import ParameterError, TargetError
from sfmforensics.targets import REGRESSION, TargetCodec, as_frame
from sfmforensics.targets._columns import numbers_of

if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any, Self

    from numpy.typing import ArrayLike
    from sklearn.utils import Tags

    from sfmforensics._types import (
        Answers,
        Array,
        BoolArray,
        FloatArray,
        Matrix,
        Targets,
        TaskKind,
        Tasks,
    )
    from sfmforensics.estimators._summary import Rows

MOST_CLASSES = 10_000
"""Of which an SVM makes 5 * 10^7 machines, one a pair."""


def _classifiers_decide(estimator: Any) -> bool:
    if hasattr(estimator, "estimators_"):
        kinds = estimator._codec.kinds_
        estimators = [
            e
            for e, kind in zip(estimator.estimators_, kinds, strict=True)
            if kind != REGRESSION and not isinstance(e, DummyClassifier)
        ]
        return any(kind != REGRESSION for kind in kinds) and all(
            hasattr(one, "decision_function") for one in estimators
        )
    return estimator.classifier is None or hasattr(estimator.classifier, "decision_function")


def _refuse_pairs(estimator: BaseEstimator, labels: Array, name: Hashable) -> None:
    """Refuse an SVM of more classes than it can compare with each other, before it hangs."""
    n_classes = len(np.unique(labels))
    if isinstance(estimator, (SVC, NuSVC)) and n_classes > MOST_CLASSES:
        raise TargetError(
            f"column {name!r} has {n_classes} labels, and an {type(estimator).__name__} compares "
            f"each with each: {n_classes * (n_classes - 1) // 2:.1e} machines; use another "
            "classifier (PerTask(classifier=...)), or tango, concat or single"
        )


def _weighed(
    estimator: BaseEstimator, weights: FloatArray | None, known: BoolArray, name: Hashable
) -> dict[str, FloatArray]:
    """What `fit` of one column is told of the weights."""
    if weights is None:
        return {}
    parameter = weight_parameter(estimator)
    if parameter is None:
        raise ParameterError(
            f"the {type(estimator).__name__} of column {name!r} takes no weights of recordings; "
            "use one whose fit has sample_weight, or give no weights"
        )
    return {parameter: weights[known]}


class PerTask(ShowsFit, CarriesVersions, BaseEstimator):
    """Fit a classifier or a regressor for every column of the targets, on its own.

    Parameters
    ----------
    classifier : classifier or None, default=None
        Learns each classification column, from whole numbers 0, 1, ... None is ``SVC(C=10)``.
    regressor : regressor or None, default=None
        Learns each regression column, in its own unit. None is ``SVR(C=10)``.
    scale : bool, default=True
        Whether inputs are brought to mean 0 and deviation 1, as learnt from all rows.
    tasks : {"auto", "classification", "regression"} or dict, default="auto"
        Kind of all columns, or by column, ``{"age": "regression"}``; "auto" goes by dtype: float is
        regression. "classification" and "regression" make it one to scikit-learn as well.

    Attributes
    ----------
    estimators_ : list of estimator
        The fitted estimator of each column.
    classes_ : list of ndarray of shape (n_classes,)
        Labels of each classification column, in column order; the array itself for 1-D targets.
    scaler_ : StandardScaler or None
        What the inputs are brought to scale with.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, if all are strings.
    versions_ : dict of str to str
        Versions of the packages that fitted this model. Loading it where they differ warns.

    Raises
    ------
    TargetError
        A column has no label at all or more than 10 000 for an SVM, or a kind is unknown.

    Notes
    -----
    A recording without a label does not count for that task. A column with one label is answered
    with it. Of a band of numbers its middle is learnt; of `sfmforensics.targets.Votes` the label,
    not the shares.

    The defaults are those of the reference figures in the documentation: ages are not
    standardised, so that the tube of `SVR` (``epsilon=0.1``) is a tenth of a year.

    Examples
    --------
    >>> import pandas as pd
    >>> X = [[0.0], [0.1], [0.9], [1.0]]
    >>> y = pd.DataFrame({"gender": ["f", None, "m", "m"], "age": [20.0, 21.0, 39.0, 40.0]})
    >>> PerTask().fit(X, y).predict([[0.05], [0.95]]).round()
      gender   age
    0      f  20.0
    1      m  40.0
    """

    def __init__(
        self,
        classifier: BaseEstimator | None = None,
        regressor: BaseEstimator | None = None,
        *,
        scale: bool = True,
        tasks: Tasks = "auto",
    ) -> None:
        self.classifier = classifier
        self.regressor = regressor
        self.scale = scale
        self.tasks = tasks

    def _tasks_and_facts(self) -> tuple[Rows, Rows]:
        if not hasattr(self, "estimators_"):
            return [], []
        tasks = dict(zip(self._codec.names_, self._codec.kinds_, strict=True))
        models = ", ".join(dict.fromkeys(type(one).__name__ for one in self.estimators_))
        facts = [("inputs", f"{self.n_features_in_:,} columns"), ("one estimator a task", models)]
        return task_rows(tasks, self._codec.classes_), facts

    def fit(self, X: Matrix, y: Targets, sample_weight: ArrayLike | None = None) -> Self:
        """Fit one estimator a task.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Vectors of the recordings.
        y : DataFrame, Series or array-like of shape (n_samples,) or (n_samples, n_tasks)
            Targets; some labels may be missing.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            How much each recording counts, in what the inputs are brought to scale with as well: 2
            is a recording that is there twice, 0 one that is not there. (``gamma="scale"`` of an
            SVM, its default, goes by all recordings alike.)

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            A weight is negative or not finite, all are 0, or the estimator of a column takes none.
        """
        X = validate_data(self, X, y=None if y is None else "no_validation")
        frame = as_frame(y)
        check_consistent_length(X, frame)
        weights = None
        if sample_weight is not None:
            weights = checked_weights(sample_weight, X)
            there = np.flatnonzero(weights)
            if len(there) < len(weights):
                X, weights, y = X[there], weights[there], _safe_indexing(y, there)
                frame = as_frame(y)
        self._codec = TargetCodec(self.tasks).fit(y)
        classes = self._codec.classes_
        self.classes_ = classes[0] if self._codec.flat_ and classes else classes
        self.scaler_ = StandardScaler().fit(X, sample_weight=weights) if self.scale else None
        X = self._scaled(X)
        codes = self._codec.encode(y)
        self.estimators_ = []
        for position, kind in enumerate(self._codec.kinds_):
            known = ~np.isnan(codes[:, position])
            if kind == REGRESSION:
                estimator = SVR(C=10) if self.regressor is None else clone(self.regressor)
                labels = numbers_of(frame.iloc[:, position][known], self._codec.names_[position])
            else:
                estimator = SVC(C=10) if self.classifier is None else clone(self.classifier)
                labels = codes[known, position].astype(int)
                _refuse_pairs(estimator, labels, self._codec.names_[position])
                if labels.max() == 0:
                    # Most classifiers refuse to learn a single class.
                    estimator = DummyClassifier()
            weighed = _weighed(estimator, weights, known, self._codec.names_[position])
            self.estimators_.append(estimator.fit(X[known], labels, **weighed))
        self._remember_versions()
        return self

    def predict(self, X: Matrix) -> Answers:
        """Predict every task.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Vectors of the recordings.

        Returns
        -------
        DataFrame of shape (n_samples, n_tasks), or ndarray of shape (n_samples,) or \
(n_samples, n_tasks)
            In the form of the targets in `fit`; a frame has the index of X, if X has one.
        """
        check_is_fitted(self)
        index = X.index if isinstance(X, pd.DataFrame) else None
        X = self._scaled(validate_data(self, X, reset=False))
        answers = []
        for position, estimator in enumerate(self.estimators_):
            answer = estimator.predict(X)
            if self._codec.kinds_[position] == REGRESSION:
                center, scale = self._codec.center_[position], self._codec.scale_[position]
                answer = (answer - center) / scale
            answers.append(answer)
        return self._codec.decode(np.column_stack(answers), index)

    @only_if(_classifiers_decide)
    def decision_function(self, X: Matrix) -> list[FloatArray] | FloatArray:
        """Scores of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Vectors of the recordings.

        Returns
        -------
        list of ndarray of shape (n_samples, n_classes)
            One for each classification task, in column order, its columns as in `classes_`; the
            array itself for 1-D targets. The higher, the likelier; no probabilities.
        """
        check_is_fitted(self)
        X = self._scaled(validate_data(self, X, reset=False))
        scores = []
        for estimator, kind in zip(self.estimators_, self._codec.kinds_, strict=True):
            if kind == REGRESSION:
                continue
            if isinstance(estimator, DummyClassifier):
                scores.append(np.zeros((len(X), 1)))
                continue
            decision = estimator.decision_function(X)
            # Of two classes, scikit-learn gives one score.
            scores.append(
                np.column_stack([-decision, decision]) if decision.ndim == 1 else decision
            )
        return scores[0] if self._codec.flat_ else scores

    @property
    def tasks_(self) -> dict[Any, TaskKind]:
        """Kind of each target column."""
        return dict(zip(self._codec.names_, self._codec.kinds_, strict=True))

    def _scaled(self, X: Array) -> Array:
        return X if self.scaler_ is None else self.scaler_.transform(X)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return with_type(tags, self.tasks)
