"""Groups of recordings whose scores are told apart, such as men and women, or decades of age."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics.targets import CLASSIFICATION, task_kind
from sfmforensics.targets._bands import is_banded, labels_as_written, middles

if TYPE_CHECKING:
    from collections.abc import Hashable

    from sfmforensics._types import Array

MOST_GROUPS = 12
DECADE = 10
_MOST_YEARS = 1e6


def groupings_of(frame: pd.DataFrame) -> dict[Hashable, Array]:
    """Find the group of each recording, by each label that tells at least two apart.

    Examples
    --------
    >>> groupings_of(pd.DataFrame({"age": [21.0, 35.0, None], "language": ["ar", "ar", "ar"]}))
    {'age': array(['20 to 29', '30 to 39', None], dtype=object)}
    """
    groupings: dict[Hashable, Array] = {}
    for task, column in frame.items():
        if task_kind(column) == CLASSIFICATION:
            if 2 <= column.nunique() <= MOST_GROUPS:
                groupings[task] = column.astype(object).where(column.notna(), None).to_numpy()
        elif len(column.dropna().unique()) > 1:
            groupings[task] = _bands(task, column)
    return groupings


def _bands(task: Hashable, column: pd.Series) -> Array:
    """Decades of an age, quartiles of any other number, in words that sort as they should.

    Bands are groups of their own, unless they are many: the middle of one may lie in another's.
    """
    if is_banded(column) and column.nunique() <= MOST_GROUPS:
        written = pd.Series(labels_as_written(column), dtype=object)
        return written.where(column.notna().to_numpy(), None).to_numpy()
    numbers = pd.to_numeric(middles(column)).astype(float)
    if task == "age" and numbers.abs().max() < _MOST_YEARS:
        start = (numbers // DECADE * DECADE).astype("Int64")
        words = start.astype(str) + " to " + (start + DECADE - 1).astype(str)
        return words.astype(object).where(numbers.notna(), None).to_numpy()
    bands = pd.qcut(numbers, 4, duplicates="drop", precision=2)
    return bands.astype(object).map(str, na_action="ignore").where(numbers.notna(), None).to_numpy()
