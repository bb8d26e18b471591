"""Scores and scorers by task, for targets of several columns and missing labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import make_scorer
from sklearn.utils import check_consistent_length

from sfmforensics.exceptions import TargetError
from sfmforensics.targets import CLASSIFICATION, REGRESSION, as_frame, task_kind


def accuracy(y_true, y_pred):
    """Share of rows whose label is predicted.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels; rows where they are missing (None, NaN, NA) do not count.
    y_pred : array-like of shape (n_samples,)
        Predicted labels; a missing one is wrong.

    Returns
    -------
    float
        Between 0 and 1; NaN where no label is known.

    Raises
    ------
    TargetError
        Either side is text and the other is not, so that no label could ever be right.

    Examples
    --------
    >>> accuracy(["low", "high", None], ["low", "low", "low"])
    0.5
    """
    true, pred = _known_labels(y_true, y_pred)
    return float((true == pred).mean()) if len(true) else float("nan")


def uar(y_true, y_pred):
    """Unweighted average recall: accuracy by class, averaged over the classes.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        As for `accuracy`, with the same errors.

    Returns
    -------
    float
        Between 0 and 1; NaN where no label is known.

    Notes
    -----
    Averaged are the classes that occur in ``y_true``. Guessing is worth 1 / n_classes, however
    unequal the classes are.

    Examples
    --------
    >>> uar(["low", "low", "low", "high"], ["low", "low", "low", "low"])
    0.5
    """
    true, pred = _known_labels(y_true, y_pred)
    if not len(true):
        return float("nan")
    return float(pd.Series(true == pred).groupby(true, sort=False).mean().mean())


def rmse(y_true, y_pred):
    """Root of the mean squared error.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Numbers; rows where they are missing do not count.
    y_pred : array-like of shape (n_samples,)
        Predicted numbers.

    Returns
    -------
    float
        In the unit of the target; NaN where no number is known.

    Raises
    ------
    TargetError
        Something is not a number, or a prediction is missing.

    Examples
    --------
    >>> round(rmse([20.0, 30.0, None], [23.0, 26.0, 50.0]), 2)
    3.54
    """
    errors = _errors(y_true, y_pred)
    return float(np.sqrt(np.mean(errors**2))) if len(errors) else float("nan")


def mae(y_true, y_pred):
    """Mean absolute error.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        As for `rmse`, with the same errors.

    Returns
    -------
    float
        In the unit of the target; NaN where no number is known.

    Examples
    --------
    >>> mae([20.0, 30.0, None], [23.0, 26.0, 50.0])
    3.5
    """
    errors = _errors(y_true, y_pred)
    return float(np.mean(np.abs(errors))) if len(errors) else float("nan")


@dataclass(frozen=True)
class Metric:
    """What a metric is.

    Parameters
    ----------
    function : callable
        Takes ``(y_true, y_pred)`` of one dimension and gives a float.
    greater_is_better : bool
        False for errors, whose scorers are negative.
    kind : {"classification", "regression"}
        Kind of task.
    unit : str
        "share" (0 to 1), or "target" for the unit of the labels, such as years.
    """

    function: Callable
    greater_is_better: bool
    kind: str
    unit: str


METRICS = {
    "accuracy": Metric(accuracy, True, CLASSIFICATION, "share"),
    "uar": Metric(uar, True, CLASSIFICATION, "share"),
    "rmse": Metric(rmse, False, REGRESSION, "target"),
    "mae": Metric(mae, False, REGRESSION, "target"),
}
"""Metrics by name; the first of a kind is its default."""


def task_score(y_true, y_pred, task, metric):
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
        answer = prediction.iloc[:, truth.columns.get_loc(task)]
    else:
        raise TargetError(
            f"the targets have {truth.shape[1]} columns, the predictions, without names, "
            f"{prediction.shape[1]}; predict a DataFrame, or as many columns"
        )
    return METRICS[metric].function(truth[task], answer)


def task_scorers(target, *, metrics=None):
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
        There is no such task or metric, or the labels are no numbers for an error.

    Notes
    -----
    A fold without any label of a task scores NaN there. The estimator predicts once for all
    scorers. Where it is told to learn a column as another kind than its dtype says, name a metric.

    Examples
    --------
    >>> y = pd.DataFrame({"speaker": ["a", "b"], "age": [20.0, 30.0]})
    >>> list(task_scorers(y))
    ['speaker_accuracy', 'age_rmse']
    >>> list(task_scorers(y, metrics={"speaker": ["accuracy", "uar"]}))
    ['speaker_accuracy', 'speaker_uar']
    """
    frame = as_frame(target)
    if metrics is None:
        default = {metric.kind: name for name, metric in reversed(METRICS.items())}
        metrics = {name: default[task_kind(column)] for name, column in frame.items()}
    _refuse_unknown(metrics, frame.columns, "task")
    scorers = {}
    for task, names in metrics.items():
        names = [names] if isinstance(names, str) else list(names)
        _refuse_unknown(names, METRICS, "metric")
        for name in names:
            if METRICS[name].kind == REGRESSION:
                _numbers(frame[task], task)
            sign = METRICS[name].greater_is_better
            scorers[f"{task}_{name}"] = make_scorer(
                task_score, greater_is_better=sign, task=task, metric=name
            )
    return scorers


def _refuse_unknown(names, known, what):
    for name in names:
        if name not in known:
            found = ", ".join(map(repr, known))
            raise TargetError(f"there is no {what} {name!r}; there are {found}")


def _known_labels(y_true, y_pred):
    check_consistent_length(y_true, y_pred)
    true, pred = (pd.Series(labels).astype(object).to_numpy() for labels in (y_true, y_pred))
    known = ~pd.isna(true)
    true, pred = true[known], pred[known]
    given = pred[~pd.isna(pred)]
    if len(given) and len({isinstance(label, str) for label in (true[0], given[0])}) > 1:
        raise TargetError(
            f"labels such as {true[0]!r} are compared with predictions such as {given[0]!r}; "
            "bring both to one type"
        )
    # NA would make the comparison itself missing.
    pred = np.where(pd.isna(pred), None, pred)
    return true, pred


def _errors(y_true, y_pred):
    check_consistent_length(y_true, y_pred)
    true, pred = _numbers(y_true, "y_true"), _numbers(y_pred, "y_pred")
    known = ~np.isnan(true)
    if np.isnan(pred[known]).any():
        raise TargetError(f"{np.isnan(pred[known]).sum()} predictions are missing")
    return pred[known] - true[known]


def _numbers(values, name):
    column = pd.Series(values)
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise TargetError(f"an error of {name!r} needs numbers, but: {error}") from error
