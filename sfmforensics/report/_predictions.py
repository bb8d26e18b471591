"""Predictions that `evaluate` wrote, as displays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfmforensics.exceptions import ReportError, TargetError
from sfmforensics.report.displays import ConfusionDisplay, RegressionDisplay
from sfmforensics.report.displays.confusion import count_pairs
from sfmforensics.report.displays.regression import number_pairs
from sfmforensics.results import PREDICTION_COLUMNS, require_columns

if TYPE_CHECKING:
    import pandas as pd


def confusion_display(predictions: pd.DataFrame, task: str, protocol: str) -> ConfusionDisplay:
    """Count what each class was taken for.

    Parameters
    ----------
    predictions : DataFrame
        Columns ``path, fold, protocol, task, true, predicted``, as `evaluate` writes them.
    task, protocol : str
        Which rows.

    Returns
    -------
    ConfusionDisplay
        Not yet drawn.

    Raises
    ------
    ReportError
        A column is missing, or there is nothing to show for this task and protocol.

    Examples
    --------
    >>> import pandas as pd
    >>> predictions = pd.DataFrame({
    ...     "path": list("abc"), "fold": 0, "protocol": "closed", "task": "gender",
    ...     "true": ["f", "f", "m"], "predicted": ["f", "m", "m"],
    ... })
    >>> confusion_display(predictions, "gender", "closed").shares
    predicted    f    m
    true
    f          0.5  0.5
    m          0.0  1.0
    """
    rows = _rows(predictions, task, protocol)
    return ConfusionDisplay(count_pairs(rows["true"], rows["predicted"]), task=task, name=protocol)


def regression_display(
    predictions: pd.DataFrame, task: str, protocol: str, unit: str | None = None
) -> RegressionDisplay:
    """Set predicted against true numbers.

    Parameters
    ----------
    predictions : DataFrame
        As for `confusion_display`; "true" and "predicted" of this task are numbers.
    task, protocol : str
        Which rows.
    unit : str or None, default=None
        Unit of the numbers; None takes "years" for age.

    Returns
    -------
    RegressionDisplay
        Not yet drawn.

    Raises
    ------
    ReportError
        As for `confusion_display`, or something is no number or missing.

    Examples
    --------
    >>> import pandas as pd
    >>> predictions = pd.DataFrame({
    ...     "path": ["a", "b"], "fold": 0, "protocol": "closed", "task": "age",
    ...     "true": [20.0, 30.0], "predicted": [23.0, 26.0],
    ... })
    >>> regression_display(predictions, "age", "closed").y_pred
    array([23., 26.])
    """
    rows = _rows(predictions, task, protocol)
    try:
        true, predicted = number_pairs(rows["true"], rows["predicted"], f"task {task!r}")
    except TargetError as error:
        raise ReportError(str(error)) from error
    return RegressionDisplay(true, predicted, task=task, unit=unit, name=protocol)


def _rows(predictions: pd.DataFrame, task: str, protocol: str) -> pd.DataFrame:
    require_columns(predictions, PREDICTION_COLUMNS, "the predictions")
    rows = predictions[(predictions["task"] == task) & (predictions["protocol"] == protocol)]
    rows = rows[rows["true"].notna()]
    if rows.empty:
        raise ReportError(f"no prediction of {task!r} under {protocol!r} has a true label")
    return rows
