"""Metrics by name, and scorers by task for targets of several columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sklearn.metrics import make_scorer
from sklearn.utils import check_consistent_length

from sfmforensics.exceptions import TargetError
from sfmforensics.metrics._classification import accuracy
from sfmforensics.metrics._regression import as_numbers, rmse
from sfmforensics.metrics._table import METRICS
from sfmforensics.metrics._verification import speaker_eer
from sfmforensics.targets import CLASSIFICATION, REGRESSION, as_frame, task_kind
from sfmforensics.targets._bands import middles
from sfmforensics.targets._columns import refuse_odd_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeAlias

    from sklearn.base import BaseEstimator

    from sfmforensics._types import Matrix, Targets

    Scorer: TypeAlias = Callable[[Any, Matrix, Targets], float]
    import pandas as pd


def task_score(y_true: Targets, y_pred: Targets, task: str, metric: str) -> float:
    """Score the predictions of one task.

    Parameters
    ----------
    y_true : DataFrame, Series or array-like of shape (n_samples,) or (n_samples, n_tasks)
        Targets.
    y_pred : DataFrame, Series or array-like
        A frame with a column of that name, or as many columns as the targets in their order.
        Rows are compared by position, whatever the index.
    task : str
        Column of the targets; "y" for one column without a name.
    metric : str
        A name in `METRICS`.

    Returns
    -------
    float
        Errors are positive.

    Raises
    ------
    TargetError
        There is no such task or metric, or the predictions do not have it.

    Examples
    --------
    >>> import pandas as pd
    >>> y = pd.DataFrame({"gender": ["f", "m"], "age": [20.0, 30.0]})
    >>> task_score(y, [["f", 21.0], ["f", 29.0]], "age", "mae")
    1.0
    """
    _refuse_unknown([metric], METRICS, "metric")
    truth = as_frame(y_true)
    named = hasattr(y_true, "columns") or getattr(y_true, "name", None) is not None
    if truth.shape[1] == 1 and not named:
        truth = truth.set_axis([task], axis=1)
    _refuse_unknown([task], truth.columns, "task")
    prediction = as_frame(y_pred)
    check_consistent_length(truth, prediction)
    if hasattr(y_pred, "columns"):
        _refuse_unknown([task], prediction.columns, "predicted task")
        answer = prediction[task]
    elif prediction.shape[1] == truth.shape[1]:
        answer = prediction.iloc[:, list(truth.columns).index(task)]
    else:
        raise TargetError(
            f"the targets have {truth.shape[1]} columns, the predictions, without names, "
            f"{prediction.shape[1]}; predict a DataFrame, or as many columns"
        )
    function = METRICS[metric].function
    if function is None:
        raise TargetError(
            f"{metric!r} reads the scores of a model, not its answers; use task_scorers or "
            "sfmforensics.metrics.speaker_eer"
        )
    return function(truth[task], answer)


def mean_skill(y_true: pd.DataFrame, y_pred: pd.DataFrame) -> float:
    """One figure for all tasks: what a search maximises.

    Parameters
    ----------
    y_true, y_pred : DataFrame of shape (n_samples, n_tasks)
        True targets and answers, with the same columns.

    Returns
    -------
    float
        Mean over the tasks of accuracy (classes) and of 1 - RMSE / standard deviation of the true
        numbers: 1 where everything is right, 0 for a number that is always answered by the mean.
        Tasks without a label, or with one number only, do not count; NaN without any.

    Examples
    --------
    >>> import pandas as pd
    >>> y = pd.DataFrame({"gender": ["f", "m"], "age": [20.0, 30.0]})
    >>> mean_skill(y, y.assign(age=25.0))
    0.5
    """
    skills = []
    for task, column in as_frame(y_true).items():
        if task_kind(column) == CLASSIFICATION:
            skills.append(accuracy(column, y_pred[task]))
            continue
        numbers = middles(column)
        if numbers.nunique() > 1:  # noqa: PD101  # gaps are no second number
            skills.append(1 - rmse(column, y_pred[task]) / float(numbers.std(ddof=0)))
    known = [skill for skill in skills if skill == skill]
    return sum(known) / len(known) if known else float("nan")


def task_scorers(
    target: Targets, *, metrics: Mapping[str, str | Iterable[str]] | None = None
) -> dict[str, Scorer]:
    """Make a scorer for each task, for `cross_validate` and `GridSearchCV`.

    Parameters
    ----------
    target : DataFrame, Series or array-like of shape (n_samples,) or (n_samples, n_tasks)
        Targets, for the names and kinds of their columns.
    metrics : dict or None, default=None
        Tasks to score, with the name of a metric or a list of them:
        ``{"emotion": ["accuracy", "uar"]}``. By default accuracy for each classification column
        and rmse for each float column.

    Returns
    -------
    dict of str to scorer
        Named ``"{task}_{metric}"``. Errors are negated, as scikit-learn does.

    Raises
    ------
    TargetError
        There is no such task or metric, or none at all, the labels are no numbers for an error, or
        of types that cannot be compared.

    Notes
    -----
    A fold without any label of a task scores NaN there. The estimator predicts once for all
    scorers. Where it is told to learn a column as another kind than its dtype says, name a metric.

    Examples
    --------
    >>> import pandas as pd
    >>> y = pd.DataFrame({"speaker": ["a", "b"], "age": [20.0, 30.0]})
    >>> list(task_scorers(y))
    ['speaker_accuracy', 'age_rmse']
    >>> list(task_scorers(y, metrics={"speaker": ["accuracy", "uar"]}))
    ['speaker_accuracy', 'speaker_uar']
    """
    frame = as_frame(target)
    refuse_odd_labels(frame)
    if metrics is None:
        metrics = {str(name): METRICS.default(task_kind(frame[name])) for name in frame}
    _refuse_unknown(metrics, frame.columns, "task")
    scorers: dict[str, Scorer] = {}
    for task, names in metrics.items():
        names = [names] if isinstance(names, str) else list(names)
        _refuse_unknown(names, METRICS, "metric")
        for name in names:
            if METRICS[name].kind == REGRESSION:
                as_numbers(frame[task], task)
            if METRICS[name].function is None:
                scorers[f"{task}_{name}"] = EERScorer(task)
                continue
            sign = METRICS[name].greater_is_better
            scorers[f"{task}_{name}"] = make_scorer(
                task_score, greater_is_better=sign, task=task, metric=name
            )
    return scorers


@dataclass(frozen=True)
class EERScorer:
    """Scorer of scikit-learn's kind: minus the equal error rate of a task."""

    task: str

    def __call__(self, estimator: BaseEstimator, X: Matrix, y: Targets) -> float:
        """Score a fitted model."""
        return -speaker_eer(estimator, X, y, task=self.task)


def _refuse_unknown(names: Iterable[object], known: Iterable[object], what: str) -> None:
    for name in names:
        if name not in known:
            known_names = ", ".join(map(repr, known))
            raise TargetError(f"there is no {what} {name!r}; there are {known_names}")
