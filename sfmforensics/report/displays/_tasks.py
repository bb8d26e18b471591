"""Which column of the targets is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from sklearn.utils import check_consistent_length

from sfmforensics.exceptions import TargetError
from sfmforensics.targets import as_frame, task_kind

if TYPE_CHECKING:
    from typing import Any

    from sfmforensics._types import Targets, TaskKind


def choose_task(
    y: Targets, task: str | None = None, kind: TaskKind | None = None
) -> tuple[Any, pd.Series, int]:
    """Choose one column of targets.

    Parameters
    ----------
    y : DataFrame, Series or array-like of shape (n_samples,) or (n_samples, n_tasks)
        Targets.
    task : str or None, default=None
        Its name, which names a single column that has none. None takes the only column, or the
        only one of that kind.
    kind : {"classification", "regression"} or None, default=None
        Kind of task that is drawn.

    Returns
    -------
    name : object or None
        None for a column without a name.
    column : Series of shape (n_samples,)
        Its index is 0, 1, ...
    position : int
        Its place.

    Raises
    ------
    TargetError
        There is no such column, or several could be meant.

    Examples
    --------
    >>> y = pd.DataFrame({"gender": ["f", "m"], "age": [20.0, 30.0]})
    >>> choose_task(y, kind="regression")[0]
    'age'
    >>> choose_task(y)
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.TargetError: the targets hold 'gender', 'age'; choose one with task=
    """
    frame = as_frame(y).reset_index(drop=True)
    names = list(frame.columns)
    named = hasattr(y, "columns") or getattr(y, "name", None) is not None
    if len(names) == 1 and (not named or task is None):
        return (names[0] if named else task), frame.iloc[:, 0], 0
    if task is None:
        kinds = [task_kind(frame.iloc[:, position]) for position in range(len(names))]
        fitting = [position for position, found in enumerate(kinds) if kind in (None, found)]
        if len(fitting) != 1:
            wanted = [names[position] for position in fitting] or names
            found = ", ".join(map(repr, wanted))
            of_kind = f" for {kind}" if fitting and kind else ""
            raise TargetError(f"the targets hold {found}{of_kind}; choose one with task=")
        position = fitting[0]
    elif task in names:
        position = names.index(task)
    else:
        found = ", ".join(map(repr, names))
        raise TargetError(f"there is no task {task!r}; there are {found}")
    return names[position], frame.iloc[:, position], position


def choose_pair(
    y_true: Targets, y_pred: Targets, task: str | None = None, kind: TaskKind | None = None
) -> tuple[Any, pd.Series, pd.Series]:
    """Choose one column of targets, and what was predicted for it.

    Parameters
    ----------
    y_true, task, kind : as in `choose_task`
        True targets.
    y_pred : DataFrame, Series or array-like
        A frame with a column of that name, or as many columns as the targets in their order, or
        one column. Rows are compared by position, whatever the index.

    Returns
    -------
    name : object or None
    true, predicted : Series of shape (n_samples,)
        Rows without a true label are left out.

    Raises
    ------
    TargetError
        As in `choose_task`, or the predictions lack the task, or no label is known.
    """
    name, true, position = choose_task(y_true, task, kind)
    answers = as_frame(y_pred).reset_index(drop=True)
    check_consistent_length(true, answers)
    if hasattr(y_pred, "columns") and name in answers.columns:
        place = list(answers.columns).index(name)
    elif answers.shape[1] == 1:
        place = 0
    elif not hasattr(y_pred, "columns") and position < answers.shape[1]:
        place = position
    else:
        found = ", ".join(map(repr, answers.columns))
        raise TargetError(f"nothing was predicted for {name!r}; there are {found}")
    known = true.notna()
    if not known.any():
        raise TargetError(f"no label of {'the targets' if name is None else repr(name)} is known")
    return name, true[known], answers.iloc[:, place][known]


def as_text(labels: pd.Series) -> pd.Series:
    """Write labels as text; 1.0 is 1, since a column of integers with gaps holds floats."""
    whole = [isinstance(label, float) and label.is_integer() for label in labels]
    texts = [str(int(a) if b else a) for a, b in zip(labels, whole, strict=True)]
    return pd.Series(texts, index=labels.index, dtype=object)
