"""Scores of numbers: root mean squared and mean absolute error, concordance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from sfmforensics.exceptions import TargetError
from sfmforensics.metrics._weights import one_or_many, totals
from sfmforensics.targets._bands import band_ends, is_banded, middles

if TYPE_CHECKING:
    from typing import Any

    from sfmforensics._types import Column, FloatArray
    from sfmforensics.metrics._classification import Weights
    from sfmforensics.metrics._weights import Rows


def rmse(y_true: Column, y_pred: Column, sample_weight: Weights = None) -> Any:
    """Root of the mean squared error.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Numbers, or bands of them (`sfmforensics.targets.bands`), to which an answer within has no
        error and any other its distance; rows where they are missing do not count.
    y_pred : array-like of shape (n_samples,)
        Predicted numbers.
    sample_weight : array-like of shape (n_samples,) or (n_resamples, n_samples), default=None
        How often each row counts; one row for each resample.

    Returns
    -------
    float, or ndarray of shape (n_resamples,)
        In the unit of the target; NaN where no number is known.

    Raises
    ------
    TargetError
        Something is not a number, or a prediction is missing.
    ParameterError
        There are more or fewer weights than rows, or one is negative or not finite.

    Examples
    --------
    >>> round(rmse([20.0, 30.0, None], [23.0, 26.0, 50.0]), 2)
    3.54
    """
    n, squared, *_ = _moments(y_true, y_pred, sample_weight)
    with np.errstate(invalid="ignore"):
        return one_or_many(np.sqrt(squared / n))


def mae(y_true: Column, y_pred: Column, sample_weight: Weights = None) -> Any:
    """Mean absolute error.

    Parameters
    ----------
    y_true, y_pred, sample_weight
        As for `rmse`, with the same errors.

    Returns
    -------
    float, or ndarray of shape (n_resamples,)
        In the unit of the target; NaN where no number is known.

    Examples
    --------
    >>> mae([20.0, 30.0, None], [23.0, 26.0, 50.0])
    3.5
    """
    n, _, absolute, *_ = _moments(y_true, y_pred, sample_weight)
    with np.errstate(invalid="ignore"):
        return one_or_many(absolute / n)


def ccc(y_true: Column, y_pred: Column, sample_weight: Weights = None) -> Any:
    """Lin's concordance correlation coefficient.

    Parameters
    ----------
    y_true, y_pred, sample_weight
        As for `rmse`, with the same errors.

    Returns
    -------
    float, or ndarray of shape (n_resamples,)
        Between -1 and 1; 1 where every number is predicted, 0 where predictions say nothing. NaN
        where no number is known, or all numbers, true and predicted, are one.

    Notes
    -----
    Unlike a correlation it also falls with a shift or another spread. Where the true numbers hardly
    differ, as within one speaker, it says nothing. Of a band its middle counts.

    References
    ----------
    .. [1] Lin, L. I.-K. A concordance correlation coefficient to evaluate reproducibility.
       Biometrics 45 (1989), 255-268.

    Examples
    --------
    >>> round(ccc([20.0, 30.0, 40.0], [25.0, 30.0, 35.0]), 2)
    0.8
    """
    if sample_weight is None:  # once, in two passes, which lose no digits
        true, error = known_numbers(middles(y_true), y_pred)
        if not len(true):
            return float("nan")
        pred = true + error
        between = np.mean((true - true.mean()) * (pred - pred.mean()))
        return _concordance(between, true.var() + pred.var() + error.mean() ** 2, 0)
    n, _, _, x, y, xx, yy, xy = _moments(y_true, y_pred, sample_weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = xx / n - (x / n) ** 2 + yy / n - (y / n) ** 2 + (x / n - y / n) ** 2
        # Numbers that are all one vary by rounding.
        return _concordance(xy / n - x * y / n**2, spread, 1e-12)


def _concordance(between: Any, spread: Any, least: float) -> Any:
    """Covariance over the mean of both variances and the shift; NaN where nothing is spread."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return one_or_many(np.where(spread > least, 2 * between / spread, np.nan))


def _moments(y_true: Column, y_pred: Column, weights: Weights) -> FloatArray:
    """Sums (8, ...) of what `_number_rows` gives."""
    return totals(_number_rows, y_true, y_pred, weights=weights).T


def _number_rows(y_true: Column, y_pred: Column) -> Rows:
    """Of each row: one, its error squared and absolute, both numbers, and their products."""
    true, error = known_numbers(y_true, y_pred)
    middle, off = (true, error) if not is_banded(y_true) else known_numbers(middles(y_true), y_pred)
    # About a point near the mean, lest digits be lost to rounding.
    x = middle - middle.mean() if len(middle) else middle
    y = x + off
    columns = [np.ones(len(x)), error**2, abs(error), x, y, x**2, y**2, x * y]
    return np.stack(columns).T, pd.Series(y_true).notna().to_numpy()


def known_numbers(y_true: Column, y_pred: Column) -> tuple[FloatArray, FloatArray]:
    """Give the true numbers where they are known, and the errors there.

    Of a band it is the number in it that is nearest to what was predicted.
    """
    check_consistent_length(y_true, y_pred)
    pred = as_numbers(y_pred, "y_pred")
    true = np.clip(pred, *band_ends(y_true)) if is_banded(y_true) else as_numbers(y_true, "y_true")
    known = pd.Series(y_true).notna().to_numpy() if is_banded(y_true) else ~np.isnan(true)
    missing = known & np.isnan(pred)
    if missing.any():
        raise TargetError(
            f"{missing.sum()} predictions are missing (the first at position "
            f"{int(np.argmax(missing))}, counted from 0)"
        )
    return true[known], pred[known] - true[known]


def as_numbers(values: Column, name: object) -> FloatArray:
    """Take a column as float64, bands by their middles, or say which one is no number."""
    column = pd.Series(middles(values))
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise TargetError(f"an error of {name!r} needs numbers, but: {error}") from error
