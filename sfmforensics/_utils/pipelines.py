"""Which step of a pipeline, or which model of a search, is the one that answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

if TYPE_CHECKING:
    from typing import Any

    from sklearn.base import BaseEstimator


def last_step(estimator: BaseEstimator, X: Any = None) -> tuple[BaseEstimator, Any]:
    """Go through pipelines, searches and what was calibrated, to the model itself.

    Examples
    --------
    >>> from sklearn.preprocessing import StandardScaler
    >>> pipe = Pipeline([("scale", StandardScaler()), ("model", StandardScaler())])
    >>> last_step(pipe.fit([[0.0], [4.0]]), [[4.0]])
    (StandardScaler(), array([[1.]]))
    """
    estimator = _inside(estimator)
    while isinstance(estimator, Pipeline):
        if X is not None and len(estimator) > 1:
            X = estimator[:-1].transform(X)
        estimator = _inside(estimator[-1])
    return estimator, X


def weight_parameter(estimator: BaseEstimator) -> str | None:
    """Name by which `fit` takes weights of recordings; None where it takes none.

    Examples
    --------
    >>> from sklearn.svm import SVC
    >>> weight_parameter(SVC()), weight_parameter(Pipeline([("model", SVC())]))
    ('sample_weight', 'model__sample_weight')
    """
    if isinstance(estimator, Pipeline):
        name, step = estimator.steps[-1]
        inner = weight_parameter(step)
        return None if inner is None else f"{name}__{inner}"
    return "sample_weight" if has_fit_parameter(estimator, "sample_weight") else None


def _inside(estimator: Any) -> Any:
    """Open what a search found best, what is frozen, and what was calibrated."""
    while True:
        if isinstance(estimator, FrozenEstimator):
            inner = estimator.estimator
        else:
            inner = getattr(estimator, getattr(estimator, "_answers_by", "best_estimator_"), None)
        if inner is None:
            return estimator
        estimator = inner
