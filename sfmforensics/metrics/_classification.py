"""Scores of labels: accuracy, unweighted average recall, macro F1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, hstack
from sklearn.utils import check_consistent_length

from sfmforensics.exceptions import TargetError, shown
from sfmforensics.metrics._weights import one_or_many, totals

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from numpy.typing import ArrayLike

    from sfmforensics._types import Array, BoolArray, Column, FloatArray, IntArray
    from sfmforensics.metrics._weights import Rows, UnitWeights

    Weights: TypeAlias = ArrayLike | UnitWeights | None


def accuracy(y_true: Column, y_pred: Column, sample_weight: Weights = None) -> Any:
    """Share of rows whose label is predicted.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels; rows where they are missing (None, NaN, NA) do not count.
    y_pred : array-like of shape (n_samples,)
        Predicted labels; a missing one is wrong.
    sample_weight : array-like of shape (n_samples,) or (n_resamples, n_samples), default=None
        How often each row counts; one row for each resample.

    Returns
    -------
    float, or ndarray of shape (n_resamples,)
        Between 0 and 1; NaN where no label is known.

    Raises
    ------
    TargetError
        Either side is text and the other is not, so that no label could ever be right.
    ParameterError
        There are more or fewer weights than rows, or one is negative or not finite.

    Examples
    --------
    >>> accuracy(["low", "high", None], ["low", "low", "low"])
    0.5
    """
    right, true, _ = _counts(y_true, y_pred, sample_weight)
    with np.errstate(invalid="ignore"):
        return one_or_many(right.sum(axis=-1) / true.sum(axis=-1))


def uar(y_true: Column, y_pred: Column, sample_weight: Weights = None) -> Any:
    """Unweighted average recall: accuracy by class, averaged over the classes.

    Parameters
    ----------
    y_true, y_pred, sample_weight
        As for `accuracy`, with the same errors.

    Returns
    -------
    float, or ndarray of shape (n_resamples,)
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
    right, true, _ = _counts(y_true, y_pred, sample_weight)
    return _mean_over_classes(right, true)


def macro_f1(y_true: Column, y_pred: Column, sample_weight: Weights = None) -> Any:
    """F1 of each class, averaged over the classes.

    Parameters
    ----------
    y_true, y_pred, sample_weight
        As for `accuracy`, with the same errors.

    Returns
    -------
    float, or ndarray of shape (n_resamples,)
        Between 0 and 1; NaN where no label is known.

    Notes
    -----
    Averaged are the classes that occur in ``y_true`` or in ``y_pred``, as in scikit-learn's
    `f1_score`: a class that is predicted and never true counts as 0. That sets it apart from
    `uar`, which does not see where wrong answers go.

    Examples
    --------
    >>> round(macro_f1(["low", "low", "low", "high"], ["low", "low", "low", "low"]), 3)
    0.429
    """
    right, true, pred = _counts(y_true, y_pred, sample_weight)
    return _mean_over_classes(2 * right, true + pred)


def _counts(y_true: Column, y_pred: Column, weights: Weights) -> list[FloatArray]:
    """Rows of each class (..., n_classes) that are right, true, and predicted."""
    return np.split(totals(_label_rows, y_true, y_pred, weights=weights), 3, axis=-1)


def _label_rows(y_true: Column, y_pred: Column) -> Rows:
    """What each row is counted as: right, true and predicted, by class."""
    true, pred = known_labels(y_true, y_pred)
    codes, classes = pd.factorize(np.concatenate([true, pred]))
    right, (true, pred) = true == pred, np.split(codes, 2)

    def marked(codes: IntArray, rows: BoolArray) -> Any:
        place = np.flatnonzero(rows)
        shape = (len(rows), len(classes))
        return coo_array((np.ones(len(place)), (place, codes[place])), shape=shape)

    # A missing answer is wrong, but no class: its code is -1.
    parts = [marked(true, right), marked(true, true >= 0), marked(pred, pred >= 0)]
    return hstack(parts).tocsr(), pd.Series(y_true).notna().to_numpy()


def _mean_over_classes(above: FloatArray, below: FloatArray) -> Any:
    """Mean of the shares of all classes that there are."""
    there = below > 0
    if there.ndim == 1:  # lest zeros change the order in which NumPy adds
        above, below, there = above[there], below[there], there[there]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.where(there, above / below, 0)
        return one_or_many(shares.sum(axis=-1) / there.sum(axis=-1))


def known_labels(y_true: Column, y_pred: Column) -> tuple[Array, Array]:
    """Give both sides where the label is known, as arrays of objects."""
    check_consistent_length(y_true, y_pred)
    true, pred = (pd.Series(labels).astype(object).to_numpy() for labels in (y_true, y_pred))
    known = ~pd.isna(true)
    true, pred = true[known], pred[known]
    answers = pred[~pd.isna(pred)]
    if len(answers) and isinstance(true[0], str) != isinstance(answers[0], str):
        # The first two tell it, unless labels are of several types.
        sides = [{isinstance(label, str) for label in side} for side in (true, answers)]
    else:
        sides = [{True}, {True}]
    if not sides[0] & sides[1]:
        raise TargetError(
            f"labels such as {shown(true[0])} are compared with predictions such as "
            f"{shown(answers[0])}; "
            "bring both to one type"
        )
    # NA would make the comparison itself missing.
    gap: Any = None
    return true, np.where(pd.isna(pred), gap, pred)
