"""Splitters that read the target frame, and keep together what must not be separated."""

from __future__ import annotations

from abc import abstractmethod
from copy import copy
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state, indexable

from sfmforensics.exceptions import ParameterError, TargetError
from sfmforensics.model_selection._folds import (
    balance,
    chosen_columns,
    joined_groups,
    joined_labels,
    spread,
    strata,
    warn_of_missing,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sfmforensics import _types as t

__all__ = [
    "CrossedGroupKFold",
    "RepeatedTargetKFold",
    "TargetGroupKFold",
    "TargetLeaveOneGroupOut",
    "TargetStratifiedKFold",
    "joined_groups",
]


class _TargetKFold(BaseCrossValidator):
    """What both splitters share; a subclass says in which fold each row is tested."""

    # Requested wherever groups are passed, but not required as in scikit-learn's group splitters.
    __metadata_request__split = {"groups": True}  # noqa: RUF012

    def __init__(
        self,
        n_splits: int = 5,
        *,
        on: t.On = "speaker",
        shuffle: bool = False,
        random_state: t.RandomState = None,
    ) -> None:
        _check_draw(n_splits, shuffle, random_state)
        self.n_splits = n_splits
        self.on = on
        self.shuffle = shuffle
        self.random_state = random_state

    def get_n_splits(self, X: object = None, y: t.Labels = None, groups: t.Groups = None) -> int:
        """Give the number of splits; the arguments are there for compatibility."""
        return self.n_splits

    def split(self, X: object, y: t.Labels = None, groups: t.Groups = None) -> Iterator[t.Split]:
        """Generate the rows to train and test on.

        Parameters
        ----------
        X : array-like of length n_samples or None
            Not read.
        y : DataFrame, Series or array-like of shape (n_samples,) or (n_samples, n_tasks)
            Targets.
        groups : array-like of shape (n_samples,) or None, default=None
            Rows of one group, such as the copies of a recording, stay on one side. A row whose
            group is missing stands alone.

        Yields
        ------
        train, test : ndarray of shape (n_train,), (n_test,)
            Positions of the rows.

        Raises
        ------
        TargetError
            There is no such column, or too few rows, groups or labels that can be told apart.
        """
        _, y, groups = indexable(X, y, groups)
        rng = check_random_state(self.random_state) if self.shuffle else None
        folds = self._folds(y, groups, rng)
        for fold in range(self.n_splits):
            yield np.flatnonzero((folds >= 0) & (folds != fold)), np.flatnonzero(folds == fold)

    @abstractmethod
    def _folds(self, y: t.Labels, groups: t.Groups, rng: t.Rng) -> t.IntArray:
        """Fold that each row is tested in; -1 for rows that are left out."""

    def _refuse_fewer_than_splits(self, n_units: int, units: str) -> None:
        if n_units < self.n_splits:
            remedy = f"use n_splits={n_units}" if n_units > 1 else "this cannot be split"
            raise TargetError(
                f"n_splits={self.n_splits}, but there are only {n_units} {units}; {remedy}"
            )


class TargetStratifiedKFold(_TargetKFold):
    """Folds that each hold the same share of every label of a target column.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds.
    on : str, int, list or None, default="speaker"
        Column of y to stratify on; of a 2-D array, its position. A list stratifies on the
        combinations of several columns. Targets of one dimension have nothing to choose.
    shuffle : bool, default=False
        Whether rows of one label are dealt out in random order.
    random_state : int, RandomState instance or None, default=None
        Seed of the order; needs ``shuffle=True``.

    Raises
    ------
    ParameterError
        `n_splits` is less than 2, or `random_state` is given without `shuffle`.

    Notes
    -----
    Missing labels are a stratum of their own. Labels rarer than ``n_splits`` are spread over as
    many folds as they have rows; scikit-learn's `StratifiedKFold` warns then, or raises. A float
    column with more than ``2 * n_splits`` distinct numbers is cut at its quantiles into that many
    bins.

    Where every row stands alone, the rows of a label, and the rows in all, differ by at most one
    between folds. Groups of several rows are dealt out first, largest first, each to the fold
    that holds the least of its labels (as a share of all rows with that label), or the smaller
    one. Unshuffled, other rows of a label fall into folds in blocks, as in `StratifiedKFold`.

    Examples
    --------
    >>> import pandas as pd
    >>> y = pd.DataFrame({"speaker": list("aaaabb"), "age": [30.0] * 6})
    >>> for train, test in TargetStratifiedKFold(2).split(y, y):
    ...     print(train, test)
    [2 3 5] [0 1 4]
    [0 1 4] [2 3 5]
    """

    def _folds(self, y: t.Labels, groups: t.Groups, rng: t.Rng) -> t.IntArray:
        frame = chosen_columns(y, self.on)
        units = np.arange(len(frame)) if groups is None else joined_groups(groups)
        n_units = units.max(initial=-1) + 1
        self._refuse_fewer_than_splits(n_units, "rows" if groups is None else "groups")
        numbers = strata(frame, n_bins=2 * self.n_splits)
        return spread(numbers, units, self.n_splits, rng)


class TargetGroupKFold(_TargetKFold):
    """Folds that have no label of a target column in common, as for speakers never heard.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds.
    on : str, int, list or None, default="speaker"
        Column of y whose labels are kept apart; of a 2-D array, its position. With a list, the
        combinations of several columns are kept apart. None for targets of one dimension, whose
        own labels are then kept apart.
    shuffle : bool, default=False
        Whether folds are drawn at random.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw; needs ``shuffle=True``.

    Warns
    -----
    SplitWarning
        Labels are missing. These rows cannot be shown to differ from the others, so they are on
        neither side of any split, and `cross_val_predict`, which asks for a partition, refuses
        such a split.

    Raises
    ------
    ParameterError
        `n_splits` is less than 2, or `random_state` is given without `shuffle`.

    Notes
    -----
    Labels that share a group (a recording that is filed under two speakers) are joined, see
    `joined_groups`, and stay on one side. Folds are balanced by rows: the largest label goes
    first, to the smallest fold, as in `GroupKFold`; shuffled, sizes are disturbed by up to a half
    before. On BAVED, where 3 of 59 voices have half of the recordings, folds then differ by 1 % in
    size on average; those of ``GroupKFold(shuffle=True)``, which counts labels, by 160 %.

    Examples
    --------
    >>> import pandas as pd
    >>> y = pd.DataFrame({"speaker": list("aaabbc"), "age": [30.0] * 6})
    >>> for train, test in TargetGroupKFold(2).split(y, y):
    ...     print(train, test)
    [3 4 5] [0 1 2]
    [0 1 2] [3 4 5]
    """

    def _folds(self, y: t.Labels, groups: t.Groups, rng: t.Rng) -> t.IntArray:
        known, joined = joined_labels(y, self.on, groups)
        sizes = np.bincount(joined)
        apart = "" if groups is None else " that share no group"
        self._refuse_fewer_than_splits(len(sizes), f"labels of {self.on!r}{apart}")
        folds = np.full(len(known), -1)
        folds[known] = balance(sizes, self.n_splits, rng)[joined]
        return folds


class CrossedGroupKFold(BaseCrossValidator):
    """Folds that share no group with their training in any of several columns of groups.

    Of each column the groups, such as speakers and sentences, are dealt out to ``n_splits`` parts.
    Fold i tests the rows that are in part i of every column, and learns from those that are in
    part i of none; rows that are in it of some columns only are on neither side.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, and of parts of each column.
    shuffle : bool, default=False
        Whether parts are drawn at random.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw; needs ``shuffle=True``.

    Raises
    ------
    ParameterError
        `n_splits` is less than 2, or `random_state` is given without `shuffle`.

    Warns
    -----
    SplitWarning
        Groups are missing; such rows are on neither side of any split.

    Notes
    -----
    Parts are balanced by rows, as in `TargetGroupKFold`. Of c columns whose groups are crossed
    evenly a fold tests one row in ``n_splits**c``, and all folds together one in
    ``n_splits**(c - 1)``: with five folds over speakers and sentences 4 % a fold, 20 % in all, and
    64 % are learnt from.

    Examples
    --------
    >>> import pandas as pd
    >>> groups = pd.DataFrame({"speaker": list("aabb"), "text": list("xyxy")})
    >>> for train, test in CrossedGroupKFold(2).split(groups, groups=groups):
    ...     print(train, test)
    [3] [0]
    [0] [3]
    """

    def __init__(
        self, n_splits: int = 5, *, shuffle: bool = False, random_state: t.RandomState = None
    ) -> None:
        _check_draw(n_splits, shuffle, random_state)
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def get_n_splits(self, X: object = None, y: t.Labels = None, groups: object = None) -> int:
        """Give the number of splits; the arguments are there for compatibility."""
        return self.n_splits

    def split(self, X: object, y: t.Labels = None, groups: Any = None) -> Iterator[t.Split]:
        """Generate the rows to train and test on.

        Parameters
        ----------
        X : array-like of length n_samples or None
            Not read.
        y : ignored
        groups : DataFrame or array-like of shape (n_samples, n_columns)
            What each row belongs to, a column for each kind of group.

        Yields
        ------
        train, test : ndarray of shape (n_train,), (n_test,)
            Positions of the rows.

        Raises
        ------
        TargetError
            There are no groups, a column has fewer of them than there are folds, or a fold would
            test or learn from nothing.
        """
        frame = _grouping_columns(groups)
        known = frame.notna().all(axis=1).to_numpy()
        warn_of_missing(known, list(frame))
        rng = check_random_state(self.random_state) if self.shuffle else None
        parts = np.full(frame.shape, -1)
        for place, (name, column) in enumerate(frame.items()):
            codes = pd.factorize(column[known])[0]
            sizes = np.bincount(codes)
            if len(sizes) < self.n_splits:
                raise TargetError(
                    f"n_splits={self.n_splits}, but there are only {len(sizes)} groups of "
                    f"{name!r}; use fewer folds"
                )
            parts[known, place] = balance(sizes, self.n_splits, rng)[codes]
        for fold in range(self.n_splits):
            inside = parts == fold
            train = np.flatnonzero(known & ~inside.any(axis=1))
            test = np.flatnonzero(inside.all(axis=1))
            if not len(train) or not len(test):
                empty = "tests" if len(train) else "learns from"
                raise TargetError(
                    f"fold {fold + 1} of {self.n_splits} {empty} nothing: no recording is in part "
                    f"{fold + 1} of {' and of '.join(map(repr, frame))}; use fewer folds, or "
                    "another seed"
                )
            yield train, test


def _grouping_columns(groups: Any) -> pd.DataFrame:
    if groups is None:
        raise TargetError("groups is None; give a DataFrame with a column for each kind of group")
    frame = pd.DataFrame(groups)
    if frame.shape[1] < 2:
        raise TargetError(
            f"groups has {frame.shape[1]} column; give two or more, or use TargetGroupKFold for one"
        )
    return frame.reset_index(drop=True)


def _check_draw(n_splits: object, shuffle: bool, random_state: t.RandomState) -> None:
    if not isinstance(n_splits, (int, Integral)) or n_splits < 2:
        raise ParameterError(f"n_splits is {n_splits!r}; use an integer of 2 or more")
    if not shuffle and random_state is not None:
        raise ParameterError(
            f"random_state={random_state!r} has no effect without shuffling; set shuffle=True"
        )


class TargetLeaveOneGroupOut(BaseCrossValidator):
    """Folds that each leave out one label of a target column, such as one speaker.

    Parameters
    ----------
    on : str, int, list or None, default="speaker"
        As for `TargetGroupKFold`.

    Warns
    -----
    SplitWarning
        Labels are missing; these rows are on neither side of any split.

    Notes
    -----
    Labels that share a group count as one, as in `TargetGroupKFold`. A test side holds one speaker,
    so that whatever is constant in a speaker has one label there: unweighted average recall is then
    accuracy, and a correlation is not defined.

    Examples
    --------
    >>> import pandas as pd
    >>> y = pd.DataFrame({"speaker": list("abba")})
    >>> for train, test in TargetLeaveOneGroupOut().split(y, y):
    ...     print(train, test)
    [1 2] [0 3]
    [0 3] [1 2]
    """

    __metadata_request__split = {"groups": True}  # noqa: RUF012

    def __init__(self, on: t.On = "speaker") -> None:
        self.on = on

    def get_n_splits(self, X: object = None, y: t.Labels = None, groups: t.Groups = None) -> int:
        """Give the number of splits, which only the targets tell."""
        return len(np.unique(joined_labels(y, self.on, groups)[1]))

    def split(self, X: object, y: t.Labels = None, groups: t.Groups = None) -> Iterator[t.Split]:
        """Generate the rows to train and test on; see `TargetGroupKFold.split`.

        Raises
        ------
        TargetError
            There are fewer than two groups.
        """
        _, y, groups = indexable(X, y, groups)
        known, joined = joined_labels(y, self.on, groups)
        rows = np.flatnonzero(known)
        n_labels = len(np.unique(joined))
        if n_labels < 2:
            raise TargetError(
                f"there is {n_labels} label of {self.on!r}, so that leaving it out leaves nothing; "
                "add another one"
            )
        for label in range(n_labels):
            yield rows[joined != label], rows[joined == label]


class RepeatedTargetKFold(BaseCrossValidator):
    """The folds of a splitter, drawn several times.

    Parameters
    ----------
    splitter : TargetStratifiedKFold, TargetGroupKFold or CrossedGroupKFold
        With ``shuffle=True``; its `random_state` is replaced.
    n_repeats : int, default=10
        How often.
    random_state : int, RandomState instance or None, default=None
        Seed; with a whole number, repeat i has the seed ``random_state + i``, so that the first
        is that of the splitter alone.

    Raises
    ------
    ParameterError
        `n_repeats` is less than 1, or the splitter does not shuffle.

    Examples
    --------
    >>> import pandas as pd
    >>> y = pd.DataFrame({"speaker": list("aaaabb")})
    >>> splitter = RepeatedTargetKFold(TargetStratifiedKFold(2, shuffle=True), 3, random_state=0)
    >>> len(list(splitter.split(y, y)))
    6
    """

    __metadata_request__split = {"groups": True}  # noqa: RUF012

    def __init__(
        self,
        splitter: TargetStratifiedKFold | TargetGroupKFold | CrossedGroupKFold,
        n_repeats: int = 10,
        *,
        random_state: t.RandomState = None,
    ) -> None:
        if not isinstance(n_repeats, (int, Integral)) or n_repeats < 1:
            raise ParameterError(f"n_repeats is {n_repeats!r}; use an integer of 1 or more")
        if not getattr(splitter, "shuffle", False):
            raise ParameterError(
                f"repeats of {splitter!r} would all be the same; set shuffle=True in it"
            )
        self.splitter = splitter
        self.n_repeats = n_repeats
        self.random_state = random_state

    def get_n_splits(self, X: object = None, y: t.Labels = None, groups: t.Groups = None) -> int:
        """Give the number of splits; the arguments are there for compatibility."""
        return self.n_repeats * self.splitter.get_n_splits(X, y, groups)

    def split(self, X: object, y: t.Labels = None, groups: t.Groups = None) -> Iterator[t.Split]:
        """Generate the rows to train and test on, repeat by repeat."""
        rng: Any = self.random_state
        whole = isinstance(rng, Integral)
        if not whole:
            rng = check_random_state(rng)
        for repeat in range(self.n_repeats):
            drawn = copy(self.splitter)
            drawn.random_state = (rng + repeat) % 2**32 if whole else rng
            yield from drawn.split(X, y, groups)
