"""Labels that several raters gave: the one that counts, and the share of the votes for each."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from sfmforensics.exceptions import DatasetWarning, TargetError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from sfmforensics._types import Column, FloatArray

_ALIKE = 1e-9
"""How far shares may be apart and still be the same, which rounding makes of equal ones."""


class Votes(str):
    """A label on which raters voted: text like any other, that knows the share of each class.

    Parameters
    ----------
    label : str
        The label that counts: what folds, scores, predictions and classical models see.
    shares : mapping of str to float
        Share, or number, of the votes for each class; they are divided by their sum, and classes
        without any are left out.

    Attributes
    ----------
    shares : mapping of str to float
        Share of each class that has any, in order; they sum to 1.
    unanimous : bool
        Whether all votes are for the label, so that they say no more than it does.

    Raises
    ------
    TargetError
        A share is negative or no finite number, or there is no vote.

    Notes
    -----
    It equals its label, sorts and hashes as it does, and pickles and copies keep the shares. What
    makes new text of it, such as ``str(label)`` or `numpy.array` without ``dtype=object``, is left
    with the label alone; pandas from 3 on does so as well where the dtype is not said, as in
    ``pd.Series(labels)``. `votes` makes a column that keeps them.

    Examples
    --------
    >>> label = Votes("angry", {"angry": 2, "sad": 1, "calm": 0})
    >>> label == "angry", {name: round(share, 2) for name, share in label.shares.items()}
    (True, {'angry': 0.67, 'sad': 0.33})
    """

    __slots__ = ("_shares",)
    _shares: dict[str, float]

    def __new__(cls, label: str, shares: Mapping[str, float]) -> Votes:
        """Make a label of text, and keep the shares beside it."""
        counts = {str(name): float(count) for name, count in shares.items()}
        odd = [name for name, count in counts.items() if not 0 <= count < math.inf]
        total = math.nan if odd else math.fsum(counts.values())
        if not 0 < total < math.inf:
            problem = f"{counts[odd[0]]:g} of {odd[0]!r}" if odd else f"a sum of {total:g}"
            raise TargetError(
                f"the votes for {shown(str(label))} have {problem}; give each class a share, or a "
                "number of votes, of 0 or more, and one of them more than 0"
            )
        if math.isclose(total, 1, rel_tol=_ALIKE):  # to the last bit as they were
            total = 1.0
        made = super().__new__(cls, label)
        made._shares = {name: counts[name] / total for name in sorted(counts) if counts[name]}
        return made

    @property
    def shares(self) -> Mapping[str, float]:
        """Share of each class that has any, in order; they sum to 1."""
        return MappingProxyType(self._shares)

    @property
    def unanimous(self) -> bool:
        """Whether all votes are for the label, so that they say no more than it does."""
        return set(self._shares) == {str(self)}

    def renamed(self, names: Mapping[str, str]) -> Votes | None:
        """The same votes under other names; None where the label has none.

        Parameters
        ----------
        names : mapping of str to str
            What becomes of each class; votes for others are left out.

        Returns
        -------
        Votes or None
        """
        if str(self) not in names:
            return None
        shares: dict[str, float] = {}
        for name, share in self._shares.items():
            if name in names:
                shares[names[name]] = shares.get(names[name], 0.0) + share
        return Votes(names[str(self)], shares or {names[str(self)]: 1.0})

    def __reduce__(self) -> tuple[Any, ...]:
        """What pickles and copies are made from."""
        return Votes, (str(self), dict(self._shares))


class Counted(NamedTuple):
    """A column of votes, and the rows in which two labels or more had the most of them."""

    labels: pd.Series
    ties: list[int]


def votes(frame: pd.DataFrame, label: Column | None = None) -> pd.Series:
    """Make a column of labels of what several raters say.

    Parameters
    ----------
    frame : DataFrame of shape (n_recordings, n_raters) or (n_recordings, n_classes)
        Labels, with a column for each rater, missing where that rater gave none; or numbers, with a
        column for each class, called as it is: the share or the number of votes that it has.
    label : array-like of shape (n_recordings,) or None, default=None
        The label that counts, as an expert or an agreement says; missing where there is none. By
        default it is the one with the most votes.

    Returns
    -------
    Series of shape (n_recordings,), object
        A `Votes` for each recording; None where nobody voted or, with `label`, where that is
        missing.

    Raises
    ------
    TargetError
        There is no column, or some hold numbers and others text; or a share is negative or
        infinite.
    ValueError
        `label` is not as long as the frame.

    Warns
    -----
    DatasetWarning
        Labels share the most votes. Taken is the one with more votes in all recordings, then the
        first in order.

    Notes
    -----
    `sfmforensics.TANGO`, `sfmforensics.ConcatFusion` and `sfmforensics.SingleView` learn the
    shares, all else the label. Labels become text. Whole numbers are read as numbers of votes: make
    them text where they are raters' labels.

    Examples
    --------
    >>> raters = {"anna": ["angry", "calm", None], "ben": ["angry", "sad", None]}
    >>> raters["cem"] = ["sad", "calm", None]
    >>> target = pd.DataFrame({"emotion": votes(pd.DataFrame(raters))})
    >>> target["emotion"].tolist(), dict(target["emotion"][1].shares)["calm"].__round__(2)
    (['angry', 'calm', None], 0.67)
    """
    if label is not None:
        check_consistent_length(frame, label)
    counted = count_votes(frame, label)
    if counted.ties:
        warnings.warn(
            f"{len(counted.ties)} of {len(frame)} recordings have as many votes for one label as "
            f"for another (the first is row {counted.ties[0]}); the one with more votes in all "
            "recordings was taken",
            DatasetWarning,
            stacklevel=2,
        )
    return counted.labels


def count_votes(frame: pd.DataFrame, label: Column | None = None) -> Counted:
    """Count votes, and say where they are equal; see `votes`.

    Examples
    --------
    >>> count_votes(pd.DataFrame({"calm": [0.5, 0.2], "sad": [0.5, 0.8]})).ties
    [0]
    """
    given = frame.loc[:, frame.notna().any().to_numpy()].infer_objects()
    numeric = [pd.api.types.is_numeric_dtype(kind) for kind in given.dtypes]
    if not frame.shape[1] or len(set(numeric)) > 1:
        problem = "no column" if not frame.shape[1] else "columns of numbers and others of text"
        raise TargetError(
            f"votes have {problem}; give a column of labels for each rater, or one of shares for "
            "each class"
        )
    counts = _shares_of(given) if numeric and numeric[0] else _labels_of(given)
    chosen: list[Any] = [None] * len(frame) if label is None else list(label)
    totals: dict[str, list[float]] = {}
    for row in counts:
        total = math.fsum(row.values())
        for name, count in row.items():
            totals.setdefault(name, []).append(count / total)
    frequency = {name: math.fsum(shares) for name, shares in totals.items()}
    made: list[Votes | None] = []
    ties = []
    for place, (row, said) in enumerate(zip(counts, chosen, strict=True)):
        if label is not None:
            known = str(said) if not pd.isna(said) else None
            made.append(None if known is None else Votes(known, row or {known: 1.0}))
            continue
        most = leaders(row)
        if len(most) > 1:
            ties.append(place)
        first = min(most, key=lambda name: (-frequency[name], name), default=None)
        made.append(None if first is None else Votes(first, row))
    return Counted(pd.Series(made, index=frame.index, dtype=object), ties)


def leaders(counts: Mapping[str, float]) -> list[str]:
    """Labels with the most votes, more than one where they are equal.

    Examples
    --------
    >>> leaders({"calm": 1, "sad": 2, "angry": 2})
    ['sad', 'angry']
    """
    most = max(counts.values(), default=0.0)
    return [name for name, count in counts.items() if math.isclose(count, most, rel_tol=_ALIKE)]


def _labels_of(given: pd.DataFrame) -> list[dict[str, float]]:
    columns = [given.iloc[:, place].tolist() for place in range(given.shape[1])]
    rows = zip(*columns, strict=True) if columns else ([] for _ in range(len(given)))
    return [dict(Counter(str(label) for label in row if not pd.isna(label))) for row in rows]


def _shares_of(given: pd.DataFrame) -> list[dict[str, float]]:
    names = list(map(str, given.columns))
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise TargetError(f"two columns are the votes for {twice[0]!r}; give a class one column")
    numbers: FloatArray = given.to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = np.where(np.isnan(numbers), 0.0, numbers)
    odd = np.argwhere((numbers < 0) | np.isinf(numbers))
    if len(odd):
        row, column = odd[0]
        raise TargetError(
            f"column {given.columns[column]!r} has {numbers[row, column]:g} in row {row}; a share, "
            "or a number of votes, is 0 or more"
        )
    return [
        {name: count for name, count in zip(names, row, strict=True) if count}
        for row in numbers.tolist()
    ]


def vote_columns(names: Iterable[Any]) -> dict[str, dict[str, str]]:
    """Columns called ``TASK:NAME``, by task, with what the name says.

    Examples
    --------
    >>> vote_columns(["emotion:anna", "emotion: ben", "emotion", ":", 7])
    {'emotion': {'emotion:anna': 'anna', 'emotion: ben': 'ben'}}
    """
    found: dict[str, dict[str, str]] = {}
    for column in names:
        task, _, name = map(str.strip, str(column).partition(":"))
        if task and name and isinstance(column, str):
            found.setdefault(task, {})[column] = name
    return found


def voted_classes(column: Iterable[Any]) -> list[str]:
    """Classes that somebody voted for, in order.

    Examples
    --------
    >>> voted_classes([Votes("sad", {"sad": 2, "calm": 1}), None, "angry"])
    ['calm', 'sad']
    """
    return sorted({name for label in column if isinstance(label, Votes) for name in label.shares})


def have_votes(values: Iterable[Any]) -> bool:
    """Whether any of some labels knows of votes.

    Examples
    --------
    >>> have_votes(["calm", Votes("sad", {"sad": 1})]), have_votes(["calm", None])
    (True, False)
    """
    return any(isinstance(value, Votes) for value in values)


def voted_columns(frame: pd.DataFrame) -> list[int]:
    """Positions of the columns in which votes say more than labels.

    Examples
    --------
    >>> one, two = Votes("sad", {"sad": 1}), Votes("sad", {"sad": 2, "calm": 1})
    >>> columns = {"a": pd.Series([one], dtype=object), "b": pd.Series([two], dtype=object)}
    >>> voted_columns(pd.DataFrame(columns))
    [1]
    """
    columns = (frame.iloc[:, place] for place in range(frame.shape[1]))
    return [
        place
        for place, column in enumerate(columns)
        if column.dtype == object
        and any(isinstance(label, Votes) and not label.unanimous for label in column)
    ]


def text_of_votes(frame: pd.DataFrame) -> str:
    """What the labels of a frame do not say of its votes, for hashes; "" where that is nothing.

    Examples
    --------
    >>> text_of_votes(votes(pd.DataFrame({"sad": [3.0], "calm": [1.0]})).to_frame("emotion"))
    "[('emotion', [{'calm': 0.25, 'sad': 0.75}])]"
    """
    shares = [
        (
            frame.columns[place],
            [
                dict(label.shares) if isinstance(label, Votes) else None
                for label in frame.iloc[:, place]
            ],
        )
        for place in voted_columns(frame)
    ]
    return repr(shares) if shares else ""
