"""Groups of recordings whose scores are told apart, such as men and women, or decades of age."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from sfmforensics.targets import CLASSIFICATION, task_kind
from sfmforensics.targets._bands import is_banded, labels_as_written, middles

if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any

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
    """Decades of an age, quartiles of any other number, in words that sort as they should."""
    if is_banded(column):
        written, missing = labels_as_written(column), cast("Any", None)
        if column.nunique() <= MOST_GROUPS:  # a band is a group; its middle may lie in another
            return np.where(column.notna().to_numpy(), written, missing)
    numbers = pd.to_numeric(middles(column)).astype(float)
    if task == "age" and numbers.abs().max() < _MOST_YEARS:
        start = (numbers // DECADE * DECADE).astype("Int64")
        words = start.astype(str) + " to " + (start + DECADE - 1).astype(str)
        return words.astype(object).where(numbers.notna(), None).to_numpy()
    bands = pd.qcut(numbers, 4, duplicates="drop", precision=2)
    return bands.astype(object).map(str, na_action="ignore").where(numbers.notna(), None).to_numpy()
