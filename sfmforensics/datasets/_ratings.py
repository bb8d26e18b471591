"""Columns ``TASK:NAME`` of a listing: labels or numbers of raters, or shares of classes."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import pandas as pd

from sfmforensics._utils.names import name_few
from sfmforensics.datasets._base import label_column
from sfmforensics.datasets._columns import has_leading_zero, is_number, is_whole, read_column
from sfmforensics.exceptions import DatasetError, DatasetWarning, TargetError, shown
from sfmforensics.targets import CLASSIFICATION, REGRESSION, task_kind
from sfmforensics.targets._votes import count_votes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sfmforensics._types import TaskKind

_RATER = re.compile(r"rater\w*", re.IGNORECASE)
_EDGES = ("min", "max", "low", "high", "lower", "upper", "from", "to", "sd", "std", "n", "count")
"""What stands behind a colon and is neither a rater nor a class."""
_SAME_SUM = 0.02
"""How far sums of shares may be apart that were rounded, as a share of the largest."""


class Ratings(NamedTuple):
    """What columns of ratings make of a task, and what is kept of each of them."""

    labels: pd.Series
    columns: dict[str, pd.Series]


def read_ratings(
    source: Path,
    rows: Sequence[str],
    task: str,
    columns: Mapping[str, Sequence[str]],
    names: Mapping[str, str],
    *,
    plain: Sequence[str] | None = None,
    kind: TaskKind | None = None,
) -> Ratings:
    """Read what raters say of a task.

    Parameters
    ----------
    source : Path
        What messages name.
    rows : list of str of length n_recordings
        What messages call each recording.
    task : str
        The task.
    columns : dict of str to list of str
        Cells of the columns ``TASK:NAME``, "" where they are blank; some are not.
    names : dict of str to str
        ``NAME`` of each of them.
    plain : list of str or None, default=None
        Cells of the column ``TASK``, if there is one that is not blank.
    kind : {"classification", "regression"} or None, default=None
        What the task is, where its name says it; else the plain column and the cells do.

    Returns
    -------
    Ratings
        Votes or, of raters who gave numbers, their mean; and the columns, as text or as floats.

    Raises
    ------
    DatasetError
        Nobody can tell what the columns are, or a cell is no share.

    Examples
    --------
    >>> cells = {"mood:anna": ["calm", "sad"], "mood:ben": ["calm", ""]}
    >>> names = {"mood:anna": "anna", "mood:ben": "ben"}
    >>> read_ratings("t.csv", ["row 2", "row 3"], "mood", cells, names).labels.tolist()
    ['calm', 'sad']
    """
    given = {name: cells for name, cells in columns.items() if any(cells)}
    if kind is None and plain is not None:
        kind = task_kind(read_column(plain)[0])
    sort = _sort(source, given, names, set(filter(None, plain or ())), kind)
    blank = [None] * len(rows)
    if sort == "labels":
        _refuse_other_things(source, given)
        texts = {name: label_column(cell or None for cell in given[name]) for name in given}
        gold = None if plain is None else [cell or None for cell in plain]
        labels = _counted(source, rows, task, pd.DataFrame(texts), gold)
        kept = {name: texts.get(name, label_column(blank)) for name in columns}
        return Ratings(labels, kept)
    floats = {name: _numbers(source, rows, name, given[name]) for name in given}
    kept = {name: floats.get(name, pd.Series(blank, dtype=float)) for name in columns}
    frame = pd.DataFrame(floats)
    if sort == "numbers":
        return Ratings(frame.mean(axis=1), kept)
    _refuse_negative(source, rows, frame)
    gold = None if plain is None else [cell or None for cell in plain]
    if gold is None:
        _point_out_sums(source, task, frame)
    labels = _counted(source, rows, task, frame.rename(columns=names), gold)
    return Ratings(labels, kept)


def _sort(
    source: Path,
    given: Mapping[str, Sequence[str]],
    names: Mapping[str, str],
    known: set[str],
    kind: TaskKind | None,
) -> Literal["labels", "numbers", "shares"]:
    """What the cells are; which numbers are, only names and the task can tell."""
    numeric = [name for name, cells in given.items() if all(is_number(c) for c in cells if c)]
    texts = [name for name in given if name not in numeric]
    raters = [name for name in given if _RATER.fullmatch(names[name])]
    if len(raters) == len(given) and kind == CLASSIFICATION:
        return "labels"
    if texts and (numeric or kind == REGRESSION):
        other = shown(numeric[0]) if numeric else "the task's own column"
        raise DatasetError(
            f"{source}: {shown(texts[0])} holds labels and {other} numbers; give the label of each "
            "rater, or the share of each class, and rename what is neither"
        )
    if texts:
        return "labels"
    edges = [name for name in given if names[name].casefold() in _EDGES]
    if edges:
        raise DatasetError(
            f"{source}: {shown(edges[0])} is no rater's and no class's; write a band into one "
            "column (20-29), or rename it, without a colon, if it is a task of its own"
        )
    if kind == REGRESSION:
        return "numbers"
    if raters and len(raters) < len(given):
        others = [name for name in given if name not in raters]
        raise DatasetError(
            f"{source}: {shown(raters[0])} is called after a rater and {shown(others[0])} is not, "
            "and both hold numbers; call all of them rater..., or each after the class of which it "
            "is the share"
        )
    if raters:
        cells = (cell for name in given for cell in given[name])
        return "labels" if any(map(has_leading_zero, cells)) else "numbers"
    classes = {names[name] for name in given}
    if known and not known & classes:
        if all(map(is_whole, known)) and not any(map(is_whole, classes)):
            return "labels"
        raise DatasetError(
            f"{source}: the columns {name_few(list(given))} hold numbers, but none is called after "
            f"a label of the task, such as {shown(min(known))}; call them rater... if they are "
            "raters', or after the classes if they are shares"
        )
    if len(names) < 2:
        raise DatasetError(
            f"{source}: {shown(next(iter(given)))} would be the share of one class; give a column "
            "for each class, call it rater... if it is a rater's, or rename it, without a colon, "
            "if it is a task of its own"
        )
    return "shares"


def _numbers(source: Path, rows: Sequence[str], name: str, cells: Sequence[str]) -> pd.Series:
    column = pd.Series([float(cell) if cell else np.nan for cell in cells], dtype=float)
    if np.isinf(column).any():
        at = int(np.argmax(np.isinf(column)))
        raise DatasetError(
            f"{source}: {rows[at]}, column {shown(name)}: {shown(cells[at])} is too large a "
            "number; correct it, or leave the cell blank"
        )
    return column


def _refuse_other_things(source: Path, given: Mapping[str, Sequence[str]]) -> None:
    """Refuse columns that share no label: an id and a gender are not two raters' words for one."""
    labels = [set(filter(None, cells)) for cells in given.values()]
    if len(labels) > 1 and sum(map(len, labels)) == len(set().union(*labels)):
        raise DatasetError(
            f"{source}: the columns {name_few(list(given))} would be raters of one task, but have "
            "no label in common; write the same word for the same class, or rename them, without a "
            "colon, if they are something else"
        )


def _refuse_negative(source: Path, rows: Sequence[str], frame: pd.DataFrame) -> None:
    for name, column in frame.items():
        if (column < 0).any():
            at = int(np.argmax(column < 0))
            raise DatasetError(
                f"{source}: {rows[at]}, column {shown(str(name))}: {column[at]:g} is no share of "
                "votes, which is 0 or more; correct it, or call the columns rater... if they are "
                "numbers that raters gave"
            )


def _point_out_sums(source: Path, task: str, frame: pd.DataFrame) -> None:
    """Warn where shares may be something else: ratings of two people have sums of any kind."""
    sums = frame.sum(axis=1)
    sums = sums[sums > 0]
    if len(sums) and sums.min() < (1 - _SAME_SUM) * sums.max():
        names = name_few(list(map(str, frame.columns)))
        warnings.warn(
            f"{source}: the columns {names} were taken for the votes for each class of "
            f"{shown(task)}, though they sum to {sums.min():g} in one row and to {sums.max():g} in "
            "another; call them rater... if they are numbers that raters gave",
            DatasetWarning,
            stacklevel=6,
        )


def _counted(
    source: Path,
    rows: Sequence[str],
    task: str,
    frame: pd.DataFrame,
    gold: Sequence[str | None] | None,
) -> pd.Series:
    try:
        labels, ties = count_votes(frame, gold)
    except TargetError as error:
        raise DatasetError(f"{source}: {shown(task)}: {error}") from error
    if ties:
        warnings.warn(
            f"{source}: {len(ties)} of {len(rows)} recordings have as many votes for one label of "
            f"{shown(task)} as for another (the first is in {rows[ties[0]]}); the one with more "
            "votes in all recordings was taken",
            DatasetWarning,
            stacklevel=6,
        )
    return labels
