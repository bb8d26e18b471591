"""How recordings are dealt out to folds, and which of them a fit keeps back to judge itself."""

from __future__ import annotations

import warnings
from copy import deepcopy
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.utils import check_consistent_length

from sfmforensics.exceptions import SFMForensicsError, SplitWarning, TargetError
from sfmforensics.targets import CLASSIFICATION, REGRESSION, as_frame, task_kind
from sfmforensics.targets._bands import with_middles
from sfmforensics.targets._columns import (
    UNKNOWN_SPEAKER,
    TargetTable,
    label_codes,
    refuse_odd_labels,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from sfmforensics._types import (
        Array,
        BoolArray,
        Column,
        Groups,
        IntArray,
        Labels,
        On,
        Split,
        Targets,
    )


def joined_groups(*labels: Column) -> IntArray:
    """Give rows that share a label, directly or through other rows, the same number.

    Parameters
    ----------
    *labels : array-like of shape (n_samples,)
        One or more groupings of the same rows. A missing label joins nothing.

    Returns
    -------
    ndarray of shape (n_samples,), int64
        Number of the set, 0, 1, ... in order of first appearance.

    Raises
    ------
    ValueError
        The groupings differ in length.

    Examples
    --------
    A recording (copy 7) is filed under two speakers, which joins these speakers:

    >>> joined_groups(["46", "46", "53", "9"], [1, 7, 7, 8])
    array([0, 0, 0, 1])
    """
    check_consistent_length(*labels)
    codes = np.column_stack([pd.factorize(pd.Series(values))[0] for values in labels])
    n_rows, n_columns = codes.shape
    rows, columns = np.nonzero(codes >= 0)
    # A node for each row, then one for each label of each column.
    nodes = n_rows + codes[rows, columns] * n_columns + columns
    edges = np.ones(len(rows)), (rows, nodes)
    graph = coo_array(edges, shape=(n_rows * (1 + n_columns),) * 2)
    _, components = connected_components(graph, directed=False)
    return pd.factorize(components[:n_rows])[0]


def named_groups(groups: Column) -> pd.Series:
    """Give groups with None where a corpus says "" of recordings of which nobody knows the speaker.

    Examples
    --------
    >>> named_groups(["46", "", "9"]).tolist()
    ['46', None, '9']
    """
    names = pd.Series(np.asarray(groups), dtype=object)
    return names.where(names.notna() & (names != UNKNOWN_SPEAKER), None)


def joined_labels(y: Labels, on: On, groups: Groups) -> tuple[BoolArray, IntArray]:
    """Which rows have a label, and the number of the joined label of each of these."""
    frame = chosen_columns(y, on, by_name=True)
    known = frame.notna().all(axis=1).to_numpy()
    warn_of_missing(known, on, stacklevel=5)
    labels = [combined([pd.factorize(column)[0] for _, column in frame[known].items()])]
    if groups is not None:
        labels.append(pd.Series(groups).to_numpy()[known])
    return known, joined_groups(*labels)


def warn_of_missing(known: BoolArray, on: object, stacklevel: int = 4) -> None:
    """Say how many rows are on neither side, for want of a label."""
    if not known.all():
        warnings.warn(
            f"{np.sum(~known)} of {len(known)} rows have no {on!r}; they are on neither "
            "side of any split",
            SplitWarning,
            stacklevel=stacklevel,
        )


def chosen_columns(y: Labels, on: On, by_name: bool = False) -> pd.DataFrame:
    """Give the columns that a splitter reads; by name, one column must be the one asked for."""
    if y is None:
        raise TargetError("a split reads the targets, but y is None; pass the targets as y")
    refuse_odd_labels(frame := as_frame(y))
    if not hasattr(y, "columns"):
        if frame.shape[1] == 1:
            if by_name and on not in (None, getattr(y, "name", None)):
                raise TargetError(
                    f"labels of {on!r} are to be kept apart, but y is one column, not called so; "
                    "use scikit-learn's GroupKFold and groups, or on=None for y itself"
                )
            return frame
        frame = frame.set_axis(range(frame.shape[1]), axis=1)
    names = list(frame.columns)
    wanted = on if isinstance(on, list) else names if on is None and len(names) == 1 else [on]
    if not wanted or not set(wanted) <= set(names):
        absent = [name for name in wanted if name not in names] or [on]
        missing, present = (", ".join(map(repr, some)) for some in (absent, names))
        raise TargetError(f"the targets have no column {missing}; on can be one of {present}")
    return frame[wanted]


def strata(frame: pd.DataFrame, n_bins: int) -> IntArray:
    """Number of the stratum of each row: its combination of labels; numbers are cut into bins."""
    codes = []
    for _, column in with_middles(frame).items():
        if task_kind(column) == REGRESSION and column.nunique() > n_bins:
            # Ranks have the same quantiles, and put up with infinite numbers.
            column = pd.qcut(column.rank(), n_bins, labels=False, duplicates="drop")
        codes.append(pd.factorize(column)[0])
    return combined(codes)


def combined(codes: Sequence[Array]) -> IntArray:
    """One number for each combination of several columns of codes."""
    _, numbers = np.unique(np.column_stack(codes), axis=0, return_inverse=True)
    return numbers.ravel()


def spread(
    strata: IntArray, units: IntArray, n_splits: int, rng: np.random.RandomState | None
) -> IntArray:
    """Deal units out to folds so that every stratum is spread; gives the fold of each row."""
    counts = coo_array((np.ones(len(units)), (units, strata))).tocsr()
    size = np.bincount(units)
    main = np.asarray(counts.argmax(axis=1)).ravel()
    order = np.arange(len(size)) if rng is None else rng.permutation(len(size))
    order = order[np.lexsort((main[order], -size[order]))]
    rarity = 1 / np.bincount(strata)
    fold_counts, filled = np.zeros((n_splits, len(rarity))), np.zeros(n_splits)
    folds = np.empty(len(size), dtype=int)
    for unit in order:
        span = slice(*counts.indptr[unit : unit + 2])
        where, count = counts.indices[span], counts.data[span]
        cost = fold_counts[:, where] @ (count * rarity[where])
        fold = np.lexsort((filled, cost.round(9)))[0]  # rounded, lest a tie is missed
        fold_counts[fold, where] += count
        filled[fold] += size[unit]
        folds[unit] = fold
    # Neighbours are often alike, so that unshuffled folds are blocks, not every n-th row.
    alone = order[size[order] == 1]
    folds[alone] = folds[alone][np.lexsort((folds[alone], main[alone]))]
    return folds[units]


def balance(sizes: IntArray, n_splits: int, rng: np.random.RandomState | None) -> IntArray:
    """Deal units out to the smallest fold, large ones first; gives the fold of each unit."""
    # Disturbed sizes draw another order, in which what could unbalance the folds is still early.
    rank = sizes if rng is None else sizes * rng.uniform(0.5, 1.5, len(sizes))
    filled, folds = np.zeros(n_splits), np.empty(len(sizes), dtype=int)
    for unit in np.argsort(-rank, kind="stable"):
        folds[unit] = filled.argmin()
        filled[folds[unit]] += sizes[unit]
    return folds


def held_out(
    X: Array,
    y: Targets | TargetTable,
    validation: Any,
    groups: Column | None,
    rng: np.random.RandomState,
    used: IntArray,
) -> Split:
    """Rows to learn from, and rows to judge the epochs by."""
    table = TargetTable.of(y)
    frame = table.frame
    if groups is not None:
        used = _grouped(groups, used)
    if hasattr(validation, "split"):
        sides = [_first_split(X, table.y, validation, groups, rng, used)]
    else:
        groups = None if groups is None else joined_groups(groups)[used]
        sides = _shares(frame.iloc[used], validation, groups, rng)
        sides = ((used[~is_held_out], used[is_held_out]) for is_held_out in sides)
    for train, valid in sides:
        learnable = frame.iloc[train].notna().any()
        unlearnt = frame.columns[frame.iloc[used].notna().any() & ~learnable]
        problem = f"{len(train)} recordings to learn from and {len(valid)} to judge by"
        if not len(train) or not len(valid):
            continue
        if len(unlearnt):
            problem = f"no label of {unlearnt[0]!r} to learn from"
        elif not _can_judge(frame, train, valid):
            problem = "no recording to judge by with a label that was learnt"
        else:
            return train, valid
    of_what = "labels" if groups is None else "labels in two groups"
    raise TargetError(
        f"early stopping with validation={validation!r} leaves {problem}; every task needs two "
        f"{of_what}, or set early_stopping=False"
    )


def _grouped(groups: Column, used: IntArray) -> IntArray:
    """Those rows that have a group."""
    known = label_codes(named_groups(groups))[0][used] >= 0
    if not known.any():
        raise TargetError(
            "no recording has a group; give each that of its speaker, or fit without groups"
        )
    if not known.all():
        warnings.warn(
            f"{np.sum(~known)} of {len(known)} recordings have no group; where training stops "
            "early they are neither learnt from nor judged by. Give each that of its speaker",
            SplitWarning,
            stacklevel=4,
        )
    return used[known]


def _can_judge(frame: pd.DataFrame, train: IntArray, valid: IntArray) -> bool:
    """Whether a recording that is kept back has a number, or a class that is learnt."""
    for position in range(frame.shape[1]):
        column = frame.iloc[:, position]
        labels = column.iloc[valid].dropna()
        if task_kind(column) == CLASSIFICATION:
            labels = labels[labels.isin(column.iloc[train].dropna())]
        if len(labels):
            return True
    return False


def _first_split(
    X: Array,
    y: Targets,
    validation: Any,
    groups: Column | None,
    rng: np.random.RandomState,
    used: IntArray,
) -> Split:
    splitter = deepcopy(validation)
    if getattr(splitter, "random_state", 0) is None:
        splitter.random_state = rng.randint(2**31 - 1)
    try:
        split = next(iter(splitter.split(X, y, groups)), None)
    except SFMForensicsError:
        raise
    except (TypeError, ValueError) as error:
        hint = "pass the groups that it asks for to fit, or use" if groups is None else "use"
        raise TargetError(
            f"validation={validation!r} cannot split these recordings ({error}); {hint} one that "
            "reads targets of several columns: TargetStratifiedKFold or TargetGroupKFold of "
            "sfmforensics.model_selection"
        ) from error
    if split is None:
        raise TargetError(f"validation={validation!r} gives no split; keep some recordings back")
    train, valid = split
    return train[np.isin(train, used)], valid[np.isin(valid, used)]


def _shares(
    frame: pd.DataFrame, share: float, groups: IntArray | None, rng: np.random.RandomState
) -> Iterator[BoolArray]:
    """Generate masks of the rows that are kept back, each another choice of folds."""
    parts = Fraction(share).limit_denominator(20)
    if not 0.05 <= share <= 0.95:
        less = Fraction(1, round(1 / min(share, 1 - share)))
        parts = less if share < 0.5 else 1 - less
    if groups is None:
        folds = _spread_by_label(frame, parts.denominator, rng)
    else:
        groups = joined_groups(groups)
        folds = balance(np.bincount(groups), parts.denominator, rng)[groups]
    order = rng.permutation(np.unique(folds))
    n_held = max(1, min(round(len(order) * float(parts)), len(order) - 1))
    for start in range(len(order)):
        is_held_out = np.isin(folds, np.roll(order, -start)[:n_held])
        if groups is None:
            _give_back_last_labels(frame, is_held_out)
        yield is_held_out


def _spread_by_label(
    frame: pd.DataFrame, n_folds: int, rng: np.random.RandomState | None
) -> IntArray:
    """Fold of each row, so that the labels of the column that repeats most of them are spread."""
    best: Any = None
    for position in range(frame.shape[1]):
        column = frame.iloc[:, [position]]
        numbers = strata(column, n_bins=n_folds)
        repeated = np.bincount(numbers) > 1
        rank = (task_kind(column.iloc[:, 0]) == CLASSIFICATION and repeated.any(), repeated.sum())
        if best is None or rank > best[0]:
            best = rank, numbers
    return spread(best[1], np.arange(len(frame)), n_folds, rng)


def _give_back_last_labels(frame: pd.DataFrame, is_held_out: BoolArray) -> None:
    """Let a label that only rows kept back have be learnt from: it would be no class otherwise."""
    for position in range(frame.shape[1]):
        codes, labels = pd.factorize(frame.iloc[:, position])
        known = codes >= 0
        counts = np.bincount(codes[known], minlength=len(labels))
        if task_kind(frame.iloc[:, position]) == CLASSIFICATION and (counts > 1).any():
            in_training = np.isin(np.arange(len(labels)), codes[known & ~is_held_out])
            is_held_out[known] &= in_training[codes[known]]
