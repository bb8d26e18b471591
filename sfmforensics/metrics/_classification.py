"""Scores of labels: accuracy, unweighted average recall, macro F1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score
from sklearn.utils import check_consistent_length

from sfmforensics.exceptions import TargetError, shown

if TYPE_CHECKING:
    from typing import Any

    from sfmforensics._types import Array, Column


def accuracy(y_true: Column, y_pred: Column) -> float:
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
    true, pred = known_labels(y_true, y_pred)
    return float((true == pred).mean()) if len(true) else float("nan")


def uar(y_true: Column, y_pred: Column) -> float:
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
    true, pred = known_labels(y_true, y_pred)
    if not len(true):
        return float("nan")
    return float(pd.Series(true == pred).groupby(true, sort=False).mean().mean())


def macro_f1(y_true: Column, y_pred: Column) -> float:
    """F1 of each class, averaged over the classes.

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
    Averaged are the classes that occur in ``y_true`` or in ``y_pred``, as in scikit-learn's
    `f1_score`: a class that is predicted and never true counts as 0. That sets it apart from
    `uar`, which does not see where wrong answers go.

    Examples
    --------
    >>> round(macro_f1(["low", "low", "low", "high"], ["low", "low", "low", "low"]), 3)
    0.429
    """
    true, pred = known_labels(y_true, y_pred)
    if not len(true):
        return float("nan")
    # A missing answer is wrong, but no class: its code, -1, is not averaged.
    codes, classes = pd.factorize(np.concatenate([true, pred]))
    true, pred = np.split(codes, 2)
    labels = np.arange(len(classes))
    return float(f1_score(true, pred, labels=labels, average="macro", zero_division=0))


def known_labels(y_true: Column, y_pred: Column) -> tuple[Array, Array]:
    """Give both sides where the label is known, as arrays of objects."""
    check_consistent_length(y_true, y_pred)
    true, pred = (pd.Series(labels).astype(object).to_numpy() for labels in (y_true, y_pred))
    known = ~pd.isna(true)
    true, pred = true[known], pred[known]
    given = pred[~pd.isna(pred)]
    if len(given) and isinstance(true[0], str) != isinstance(given[0], str):
        # The first two tell it, unless labels are of several types.
        sides = [{isinstance(label, str) for label in side} for side in (true, given)]
    else:
        sides = [{True}, {True}]
    if not sides[0] & sides[1]:
        raise TargetError(
            f"labels such as {shown(true[0])} are compared with predictions such as "
            f"{shown(given[0])}; "
            "bring both to one type"
        )
    # NA would make the comparison itself missing.
    gap: Any = None
    return true, np.where(pd.isna(pred), gap, pred)
