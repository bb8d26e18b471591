"""A model that learns the tasks that can be learnt of the recordings that it is given."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import has_fit_parameter

from sfmforensics.exceptions import SplitWarning
from sfmforensics.metrics import mean_skill

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Self

    from sfmforensics._types import Array, Column, Matrix


class LearntTasks(BaseEstimator):
    """Fit a model on those columns of the targets that hold a label at all.

    Parameters
    ----------
    estimator : estimator
        A clone is fitted.
    voices : array-like of shape (n_recordings,) or None, default=None
        Group of each recording of the corpus, by which a training that stops early is split; the
        index of the targets in `fit` holds positions in it. None splits without groups.

    Attributes
    ----------
    estimator_ : estimator or None
        Fitted; None where no column holds a label.
    learnt_ : list of str
        Columns that hold labels.

    Warns
    -----
    SplitWarning
        The model stops early, and cannot be told of groups.

    Notes
    -----
    A fold may hold a label of a task in its test side alone. That task has no answers then; all
    others have.

    Examples
    --------
    >>> from sfmforensics import PerTask
    >>> y = pd.DataFrame({"gender": ["f", "m"], "age": [None, None]})
    >>> LearntTasks(PerTask()).fit([[0.0], [1.0]], y).predict([[0.9]]).columns.tolist()
    ['gender']
    """

    def __init__(self, estimator: BaseEstimator, voices: Column | None = None) -> None:
        self.estimator = estimator
        self.voices = voices

    def fit(self, X: Matrix, y: pd.DataFrame) -> Self:
        """Fit the model on what can be learnt."""
        labels = y[y.columns[y.notna().any()]]
        self.learnt_, self.estimator_ = list(labels.columns), None
        if self.learnt_:
            model = clone(self.estimator)
            self.estimator_ = model.fit(X, labels, **self._groups(model, y.index))
        return self

    def predict(self, X: Any) -> pd.DataFrame:
        """Answer what was learnt: a frame with a column for each such task."""
        if self.estimator_ is None:
            return pd.DataFrame(index=np.arange(len(X)))
        answers = self.estimator_.predict(X)
        if hasattr(answers, "columns"):
            return answers.reset_index(drop=True)
        return pd.DataFrame(np.asarray(answers).reshape(len(X), -1), columns=self.learnt_)

    def _groups(self, model: BaseEstimator, rows: Any) -> dict[str, Array]:
        """What `fit` is told, so that speakers stay on one side where training stops early."""
        if self.voices is None:
            return {}
        stops = [
            name
            for name, value in model.get_params(deep=True).items()
            if name.rpartition("__")[2] == "early_stopping" and value is True
        ]
        if not stops:
            return {}
        step = stops[0].partition("__")[0]
        groups = np.asarray(self.voices)[rows]
        if stops == ["early_stopping"] and has_fit_parameter(model, "groups"):
            return {"groups": groups}
        inner = getattr(model, "named_steps", {}).get(step)
        if stops == [f"{step}__early_stopping"] and has_fit_parameter(inner, "groups"):
            return {f"{step}__groups": groups}
        warnings.warn(
            f"{type(model).__name__} stops its training early by recordings of speakers that it "
            "learns from; the test side is not touched by this, but the stop may come late",
            SplitWarning,
            stacklevel=2,
        )
        return {}


def skill(model: BaseEstimator, X: Matrix, y: pd.DataFrame, tasks: Iterable[Any]) -> float:
    """What a search maximises: mean skill over tasks that were learnt; 0 where none was."""
    answers = model.predict(X)
    learnt = [task for task in tasks if task in answers]
    found = mean_skill(y[learnt], answers) if learnt else np.nan
    return found if found == found else 0.0
