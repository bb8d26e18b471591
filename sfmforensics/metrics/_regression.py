"""Scores of numbers: root mean squared and mean absolute error, concordance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from sfmforensics.exceptions import TargetError

if TYPE_CHECKING:
    from sfmforensics._types import Column, FloatArray


def rmse(y_true: Column, y_pred: Column) -> float:
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
    error = errors(y_true, y_pred)
    return float(np.sqrt(np.mean(error**2))) if len(error) else float("nan")


def mae(y_true: Column, y_pred: Column) -> float:
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
    error = errors(y_true, y_pred)
    return float(np.mean(np.abs(error))) if len(error) else float("nan")


def ccc(y_true: Column, y_pred: Column) -> float:
    """Lin's concordance correlation coefficient.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        As for `rmse`, with the same errors.

    Returns
    -------
    float
        Between -1 and 1; 1 where every number is predicted, 0 where predictions say nothing. NaN
        where no number is known, or all numbers, true and predicted, are one.

    Notes
    -----
    Unlike a correlation it also falls with a shift or another spread. Where the true numbers hardly
    differ, as within one speaker, it says nothing.

    References
    ----------
    .. [1] Lin, L. I.-K. A concordance correlation coefficient to evaluate reproducibility.
       Biometrics 45 (1989), 255-268.

    Examples
    --------
    >>> round(ccc([20.0, 30.0, 40.0], [25.0, 30.0, 35.0]), 2)
    0.8
    """
    true, error = known_numbers(y_true, y_pred)
    if not len(true):
        return float("nan")
    pred = true + error
    spread = true.var() + pred.var() + error.mean() ** 2
    if spread == 0:
        return float("nan")
    return float(2 * np.mean((true - true.mean()) * (pred - pred.mean())) / spread)


def known_numbers(y_true: Column, y_pred: Column) -> tuple[FloatArray, FloatArray]:
    """Give the true numbers where they are known, and the errors there."""
    check_consistent_length(y_true, y_pred)
    true, pred = as_numbers(y_true, "y_true"), as_numbers(y_pred, "y_pred")
    known = ~np.isnan(true)
    missing = known & np.isnan(pred)
    if missing.any():
        raise TargetError(
            f"{missing.sum()} predictions are missing (the first at position "
            f"{int(np.argmax(missing))}, counted from 0)"
        )
    return true[known], pred[known] - true[known]


def errors(y_true: Column, y_pred: Column) -> FloatArray:
    """Predicted minus true, where the truth is known."""
    return known_numbers(y_true, y_pred)[1]


def as_numbers(values: Column, name: object) -> FloatArray:
    """Take a column as float64, or say which one is no number."""
    column = pd.Series(values)
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise TargetError(f"an error of {name!r} needs numbers, but: {error}") from error
