"""A model that learns the tasks that can be learnt of the recordings that it is given."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from sfmforensics.experiment._splits import SPEAKER
from sfmforensics.metrics import mean_skill


class LearntTasks(BaseEstimator):
    """Fit a model on those columns of the targets that hold a label at all.

    Parameters
    ----------
    estimator : estimator
        A clone is fitted.
    apart : bool, default=False
        Whether speakers stay on one side of the split that ends the training early.

    Attributes
    ----------
    estimator_ : estimator or None
        Fitted; None where no column holds a label.

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

    def __init__(self, estimator, apart=False):
        self.estimator = estimator
        self.apart = apart

    def fit(self, X, y):
        """Fit the model on what can be learnt."""
        labels = y[y.columns[y.notna().any()]]
        self.estimator_ = None
        if labels.shape[1]:
            groups = {}
            stops = getattr(self.estimator, "early_stopping", False)
            if self.apart and stops and SPEAKER in labels:
                groups = {"groups": labels[SPEAKER]}
            self.estimator_ = clone(self.estimator).fit(X, labels, **groups)
        return self

    def predict(self, X):
        """Answer what was learnt: a frame with a column for each such task."""
        if self.estimator_ is None:
            return pd.DataFrame(index=np.arange(len(X)))
        return self.estimator_.predict(X).reset_index(drop=True)


def skill(model, X, y, tasks):
    """What a search maximises: mean skill over tasks that were learnt; 0 where none was."""
    answers = model.predict(X)
    learnt = [task for task in tasks if task in answers]
    found = mean_skill(y[learnt], answers) if learnt else np.nan
    return found if found == found else 0.0
