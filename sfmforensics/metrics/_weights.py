"""Rows that count by weights: of one sample, or of many resamples of the units that they are of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array, issparse

from sfmforensics.metrics._trials import checked_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeAlias

    from numpy.typing import ArrayLike

    from sfmforensics._types import BoolArray, FloatArray, IntArray

    Rows: TypeAlias = tuple[Any, BoolArray | slice]
    """What is summed of each row (n_known, n_sums), dense or sparse, and which rows those are."""

AT_ONCE = 4_000_000
"""Numbers of a block of resamples: many units do not fill the memory."""


class UnitWeights:
    """How often each row counts in each resample of units: sums by unit, times how often each.

    A metric takes it as its `sample_weight`, as if it were an array of shape (n_resamples, n_rows).
    What a metric sums by unit stays from one block of resamples to the next, and the sums of a
    block are shared by the metrics that are made of them.

    Examples
    --------
    >>> from sfmforensics.metrics import accuracy
    >>> weights = UnitWeights(np.array([0, 0, 1]), 2)
    >>> weights.drawn = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]])
    >>> accuracy(["a", "b", "a"], ["a", "a", "b"], sample_weight=weights).round(2)
    array([0.33, 0.5 , 0.  ])
    """

    def __init__(self, units: IntArray, n_units: int, share: FloatArray | None = None) -> None:
        self.units, self.n_units, self.share = units, n_units, share
        self._by_unit: dict[Any, Any] = {}
        self.drawn = np.ones((1, n_units))

    @property
    def drawn(self) -> FloatArray:
        """How often each unit is drawn (n_resamples, n_units)."""
        return self._drawn

    @drawn.setter
    def drawn(self, drawn: FloatArray) -> None:
        self._drawn = drawn
        self._totals: dict[Any, FloatArray] = {}

    def __iter__(self) -> Iterator[FloatArray]:
        """Give the weights (n_rows,) of each resample."""
        for times in self._times(1):
            weights = times[0, self.units]
            yield weights if self.share is None else weights * self.share

    def totals(self, rows_of: Callable[..., Rows], *sides: Any) -> FloatArray:
        """Sums (n_resamples, n_sums) of what a function says of each row."""
        key = (rows_of, *map(id, sides))
        if key not in self._by_unit:  # with the sides, which keep their id as long as they are
            self._by_unit[key] = self._summed(*rows_of(*sides)), sides
        if key not in self._totals:
            table = self._by_unit[key][0]
            parts = [(table.T @ times.T).T for times in self._times(max(table.shape))]
            self._totals[key] = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return self._totals[key]

    def _times(self, width: int) -> Iterator[FloatArray]:
        """Blocks of how often each unit counts."""
        size = max(1, AT_ONCE // max(width, 1)) if width > 1 else 1
        for start in range(0, len(self.drawn), size):
            yield self._counted(self.drawn[start : start + size])

    def _counted(self, drawn: FloatArray) -> FloatArray:
        return drawn

    def _summed(self, rows: Any, known: Any) -> Any:
        units = self.units[known]
        share = None if self.share is None else self.share[known]
        if issparse(rows):
            entries = np.ones(len(units)) if share is None else share
            place = units, np.arange(len(units))
            return coo_array((entries, place), shape=(self.n_units, len(units))).tocsr() @ rows
        sums = np.zeros((self.n_units, rows.shape[1]))
        np.add.at(sums, units, rows if share is None else rows * share[:, None])
        return sums


class PairWeights(UnitWeights):
    """How often each trial counts: as often as both its units are drawn, one with itself once.

    Two drawings of one unit are not compared with each other: that would be a recording with
    itself.
    """

    def __init__(self, first: IntArray, second: IntArray, *, alike: bool = False) -> None:
        """With `alike`, each pair of units counts alike, however many trials are of it."""
        n_units = int(max(first.max(initial=0), second.max(initial=0))) + 1
        codes = np.minimum(first, second) * n_units + np.maximum(first, second)
        codes, numbers, counts = np.unique(codes, return_inverse=True, return_counts=True)
        self.first, self.second = codes // n_units, codes % n_units
        numbers = numbers.ravel()
        super().__init__(numbers, len(codes), 1 / counts[numbers] if alike else None)

    def _counted(self, drawn: FloatArray) -> FloatArray:
        both = np.where(self.first == self.second, 1, drawn[:, self.second])
        return drawn[:, self.first] * both


def totals(rows_of: Callable[..., Rows], *sides: Any, weights: Any) -> FloatArray:
    """Sums of what a function says of each row, weighted."""
    if isinstance(weights, UnitWeights):
        return weights.totals(rows_of, *sides)
    rows, known = rows_of(*sides)
    if weights is None:
        # Along rows that lie in one piece, as NumPy sums one column.
        return rows.sum(axis=0) if issparse(rows) else np.ascontiguousarray(rows.T).sum(axis=1)
    chosen = checked_weights(weights, len(sides[0]), several=True)[..., known]
    return (rows.T @ chosen.T).T


def one_or_many(scores: ArrayLike) -> Any:
    """A float of one sample; an array of many resamples."""
    return float(scores) if np.ndim(scores) == 0 else np.asarray(scores)  # type: ignore[arg-type]
