"""Weights by which every kind of recording counts alike in what is learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics.exceptions import TargetError, shown
from sfmforensics.targets import CLASSIFICATION, task_kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sfmforensics._types import FloatArray


def balanced_weights(frame: pd.DataFrame) -> FloatArray:
    """Weights by which every combination of labels that occurs counts alike.

    Parameters
    ----------
    frame : DataFrame of shape (n_recordings, n_columns)
        Labels of the recordings that are learnt from, such as their emotion, or their corpus and
        their emotion.

    Returns
    -------
    ndarray of shape (n_recordings,), float64
        Of a recording whose combination :math:`c` of labels :math:`n_c` recordings have, with
        :math:`k` combinations among :math:`n` recordings, :math:`n / (k n_c)`. Their mean is 1. A
        recording that has no label in one of the columns has weight 1, and counts neither among
        the combinations nor in :math:`n`.

    Raises
    ------
    TargetError
        There is no column.

    Notes
    -----
    A combination that does not occur has no weight to give: where one corpus has no fear, its other
    emotions do not stand in for it. A weight of 2 is a recording that is there twice, so a rare
    combination makes few recordings count for much. Of what is tested nothing is weighed.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"emotion": ["joy", "joy", "joy", "fear", None]})
    >>> balanced_weights(frame).round(3)
    array([0.667, 0.667, 0.667, 2.   , 1.   ])
    """
    if not frame.shape[1]:
        raise TargetError("recordings are balanced by columns, and there is none; name one or more")
    weights = np.ones(len(frame))
    known = frame.notna().all(axis=1).to_numpy()
    codes = [pd.factorize(frame.iloc[known, place])[0] for place in range(frame.shape[1])]
    _, cells = np.unique(np.column_stack(codes), axis=0, return_inverse=True)
    counts = np.bincount(cells.ravel())
    weights[known] = known.sum() / (len(counts) * counts[cells.ravel()]) if known.any() else 1
    return weights


def balancing_columns(
    names: Sequence[Any], target: pd.DataFrame, details: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Columns to balance by, found among the targets and what else is known.

    Parameters
    ----------
    names : sequence of str
        Their names; one that is named twice counts once.
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels.
    details : DataFrame of shape (n_recordings, n_details) or None, default=None
        What else is known of the recordings, as a corpus has it, such as their corpus, condition or
        session. A column that both have is taken from the targets.

    Returns
    -------
    DataFrame of shape (n_recordings, n_columns)
        For `balanced_weights`, with rows 0, 1, ...

    Raises
    ------
    TargetError
        No column is named, one is not there, or is of a task of numbers, such as ages.

    Examples
    --------
    >>> import pandas as pd
    >>> target = pd.DataFrame({"emotion": ["joy", "fear"], "age": [31.0, 52.0]})
    >>> details = pd.DataFrame({"corpus": ["one", "two"]})
    >>> balancing_columns(["corpus", "emotion"], target, details).columns.tolist()
    ['corpus', 'emotion']
    >>> balancing_columns(["accent"], target, details)
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.TargetError: there is no column 'accent' to balance by; there are
    emotion, corpus
    """
    if isinstance(names, str) or not names:
        raise TargetError(f"balance is {shown(names)}; give a list of columns, such as ['emotion']")
    columns = {
        name: labels for name, labels in target.items() if task_kind(labels) == CLASSIFICATION
    }
    if details is not None:
        columns |= {name: labels for name, labels in details.items() if name not in target}
    for name in names:
        if name in columns:
            continue
        there = f"there are {', '.join(map(str, columns)) or 'none'}"
        if name in target:
            raise TargetError(
                f"column {name!r} holds numbers, of which hardly two are alike; balance by columns "
                f"of labels, of which {there}"
            )
        raise TargetError(f"there is no column {name!r} to balance by; {there}")
    chosen = dict.fromkeys(names)
    return pd.concat([pd.Series(columns[name].to_numpy(), name=name) for name in chosen], axis=1)
