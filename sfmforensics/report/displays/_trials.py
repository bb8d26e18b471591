"""Comparisons that are drawn: read and refused alike by all displays of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.exceptions import ParameterError, ReportError
from sfmforensics.metrics._trials import checked_trials as read_trials
from sfmforensics.metrics._trials import checked_weights as read_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sfmforensics._types import BoolArray, FloatArray

SAME, DIFFERENT = "same speaker", "different speakers"


def checked_trials(values: ArrayLike, same: ArrayLike) -> tuple[FloatArray, BoolArray]:
    """Read scores or logarithms of likelihood ratios, and which of them are of one speaker.

    Parameters
    ----------
    values : array-like of shape (n_trials,)
        May be infinite.
    same : array-like of shape (n_trials,), bool
        Whether both sides are one speaker; 0 and 1 will do.

    Returns
    -------
    values : ndarray of shape (n_trials,)
    same : ndarray of shape (n_trials,), bool

    Raises
    ------
    ParameterError
        As for `sfmforensics.metrics.cllr`.
    ReportError
        All trials are of one kind, or there are none.

    Examples
    --------
    >>> checked_trials([1, -1], [1, 0])
    (array([ 1., -1.]), array([ True, False]))
    >>> checked_trials([1, 2], [True, True])
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.ReportError: there are 2 same-speaker and 0 different-speaker trials;
    give at least one of each
    """
    numbers, kinds, _ = read_trials(values, same)
    n_same = int(kinds.sum())
    if not 0 < n_same < len(kinds):
        raise ReportError(
            f"there are {n_same} same-speaker and {len(kinds) - n_same} different-speaker trials; "
            "give at least one of each"
        )
    return numbers, kinds


def checked_weights(weights: ArrayLike, same: BoolArray) -> FloatArray:
    """Read how much each trial counts.

    Parameters
    ----------
    weights : array-like of shape (n_trials,)
        Not negative.
    same : ndarray of shape (n_trials,), bool
        Kinds, as `checked_trials` gives them.

    Returns
    -------
    ndarray of shape (n_trials,)

    Raises
    ------
    ParameterError
        There are more or fewer than trials, one is negative or not finite, or a kind has none.

    Examples
    --------
    >>> checked_weights([0, 1], np.array([True, False]))
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.ParameterError: the weights of same-speaker trials sum to 0; give some
    that count
    """
    found = read_weights(weights, len(same))
    for kind, name in ((same, "same"), (~same, "different")):
        if not found[kind].sum():
            raise ParameterError(
                f"the weights of {name}-speaker trials sum to 0; give some that count"
            )
    return found


def bits(value: float) -> str:
    """Write a measure in bits, which is infinite where an infinite ratio is wrong.

    Examples
    --------
    >>> bits(0.45612), bits(float("inf"))
    ('0.456', '∞')
    """
    return f"{value:.3f}" if np.isfinite(value) else "\N{INFINITY}"


def cllr_heading(cllr: float, cllr_min: float) -> str:
    """Write what all titles of likelihood ratios say."""
    return f"Cllr {bits(cllr)}, Cllr min {bits(cllr_min)} (bits)"


def finite_span(values: FloatArray, margin: float = 0.05) -> tuple[float, float]:
    """Limits of an axis that holds all finite values, with a margin on either side.

    Examples
    --------
    >>> finite_span(np.array([-np.inf, 0.0, 10.0]), margin=0.1)
    (-1.0, 11.0)
    """
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    room = margin * (high - low) or 1.0
    return low - room, high + room
