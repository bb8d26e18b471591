"""Scores and labels of comparisons: read and refused alike by all measures of them."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics.exceptions import ParameterError, shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sfmforensics._types import Array, BoolArray, FloatArray


def checked_trials(
    values: ArrayLike,
    same: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    several: bool = False,
) -> tuple[FloatArray, BoolArray, FloatArray]:
    """Read scores or logarithms of likelihood ratios, and which of them are of one speaker.

    Notes
    -----
    Whoever codes the two kinds as 1 and -1, or in words, writes ``labels == 1``: taken for a truth
    value, each of these would be the same speaker.

    Examples
    --------
    >>> checked_trials([1, -1], [1, 0])
    (array([ 1., -1.]), array([ True, False]), array([1., 1.]))
    >>> checked_trials([1, 2], [1, -1])
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.ParameterError: same holds -1 (position 1, counted from 0), which is
    neither true nor false; give booleans, or 1 and 0 (of other codes: labels == 1)
    """
    numbers, kinds = checked_scores(values), checked_labels(same)
    if len(numbers) != len(kinds):
        raise ParameterError(
            f"there are {len(numbers)} scores and {len(kinds)} labels; give one of each for each "
            "trial"
        )
    if weights is None:
        return numbers, kinds, np.ones(len(numbers))
    return numbers, kinds, checked_weights(weights, len(numbers), several=several)


def checked_scores(values: ArrayLike, name: str = "scores") -> FloatArray:
    """Read numbers of which none is missing, as float64.

    Examples
    --------
    >>> checked_scores([0.5, None, float("nan")])
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.ParameterError: 2 of 3 scores are not a number (the first at position 1,
    counted from 0); leave those out
    """
    entries = _in_a_row(values, name)
    if entries.dtype.kind in "cmMV":
        raise ParameterError(f"{name} are of type {entries.dtype}; give numbers")
    try:
        if entries.dtype == object:  # where None and NA may be
            entries = pd.Series(entries).to_numpy(dtype=np.float64, na_value=np.nan)
        numbers = entries.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{name} must hold numbers, but: {error}") from error
    missing = np.isnan(numbers)
    if missing.any():
        raise ParameterError(
            f"{int(missing.sum())} of {len(numbers)} {name} are not a number {_first(missing)}; "
            "leave those out"
        )
    return numbers


def checked_labels(labels: ArrayLike, name: str = "same") -> BoolArray:
    """Read truth values: booleans, or the numbers 1 and 0.

    Examples
    --------
    >>> checked_labels([True, 0.0, 1])
    array([ True, False,  True])
    >>> checked_labels([True, None])
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.ParameterError: 1 of 2 labels in same are missing (the first at position
    1, counted from 0); leave those out
    """
    entries = _in_a_row(labels, name)
    if entries.dtype == bool:
        return entries
    missing = np.asarray(pd.isna(entries), dtype=bool)
    if missing.any():
        raise ParameterError(
            f"{int(missing.sum())} of {len(entries)} labels in {name} are missing "
            f"{_first(missing)}; leave those out"
        )
    if entries.dtype.kind in "iuf":
        valid = (entries == 0) | (entries == 1)
    else:
        valid = np.fromiter(map(_is_truth, entries.tolist()), dtype=bool, count=len(entries))
    if not valid.all():
        place = int(np.argmin(valid))
        label = entries[place : place + 1].tolist()[0]
        code = shown(label) if isinstance(label, str) else "1"
        raise ParameterError(
            f"{name} holds {shown(label)} (position {place}, counted from 0), which is neither "
            f"true nor false; give booleans, or 1 and 0 (of other codes: labels == {code})"
        )
    return entries.astype(bool)


def checked_weights(weights: ArrayLike, n_trials: int, *, several: bool = False) -> FloatArray:
    """Read how much each trial counts.

    Examples
    --------
    >>> checked_weights([1, 2], 2)
    array([1., 2.])
    """
    try:
        numbers = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"the weights must be numbers, but: {error}") from error
    if numbers.ndim not in ((1, 2) if several else (1,)) or numbers.shape[-1] != n_trials:
        raise ParameterError(
            f"weights have the shape {numbers.shape}; give one for each of {n_trials} trials"
        )
    if not (np.isfinite(numbers).all() and (numbers >= 0).all()):
        raise ParameterError("weights are negative or not finite; give finite ones, 0 or more")
    return numbers


def _in_a_row(values: ArrayLike, name: str) -> Array:
    if isinstance(values, np.ma.MaskedArray):  # which NumPy would take for what is behind the mask
        hidden, values = np.ma.getmaskarray(values), values.data
        if hidden.any():
            values = values.astype(object)
            values[hidden] = None
    try:
        entries = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{name} are not in one row: {error}; give one a trial") from error
    if entries.ndim != 1:
        raise ParameterError(f"{name} have the shape {entries.shape}; give one a trial, in one row")
    return entries


def _is_truth(label: object) -> bool:
    return isinstance(label, (np.bool_, Real)) and label in (0, 1)


def _first(missing: BoolArray) -> str:
    return f"(the first at position {int(np.argmax(missing))}, counted from 0)"
