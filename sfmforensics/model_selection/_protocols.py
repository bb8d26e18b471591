"""Folds of the closed and of the disjoint protocol, and what they share."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from sfmforensics.exceptions import SFMForensicsError, SplitWarning, TargetError
from sfmforensics.model_selection._folds import joined_groups
from sfmforensics.model_selection._splitters import (
    RepeatedTargetKFold,
    TargetGroupKFold,
    TargetLeaveOneGroupOut,
    TargetStratifiedKFold,
)
from sfmforensics.targets import CLASSIFICATION, as_frame, task_kind
from sfmforensics.targets._columns import numbers_of, refuse_numbered_speakers, refuse_odd_labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import pandas as pd

    from sfmforensics._types import Column, Folds, Split

PROTOCOLS = ("closed", "disjoint")
"""Every speaker in training and test, as in the paper; or no speaker in both."""
SPEAKER = "speaker"
"""Column of the targets by which folds are made."""
EACH_SPEAKER: Final = "speakers"
"""In the place of a number of folds: each speaker is left out once."""
_LARGEST = 1e100


def protocols_of(protocol: str) -> tuple[str, ...]:
    """The protocols that a name stands for.

    Parameters
    ----------
    protocol : {"closed", "disjoint", "both"}
        Name.

    Returns
    -------
    tuple of str

    Raises
    ------
    SFMForensicsError
        No protocol has this name.

    Examples
    --------
    >>> protocols_of("both")
    ('closed', 'disjoint')
    """
    if protocol == "both":
        return PROTOCOLS
    if protocol not in PROTOCOLS:
        raise SFMForensicsError(
            f"no protocol is called {protocol!r}; there are closed, disjoint, both"
        )
    return (protocol,)


def make_splits(
    target: pd.DataFrame,
    protocol: str,
    *,
    folds: Folds = 5,
    seed: int = 0,
    copies: Column | None = None,
    repeats: int = 1,
) -> list[Split]:
    """Folds of one protocol.

    Parameters
    ----------
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels; "disjoint" needs a column "speaker".
    protocol : {"closed", "disjoint"}
        "closed" has every speaker on both sides, stratified by speaker (the paper's five folds);
        "disjoint" has every speaker on one side only.
    folds : int or "speakers", default=5
        Number of folds. "speakers" leaves out one speaker after the other, under "disjoint"; the
        folds of "closed" are then 5.
    seed : int, default=0
        Seed of the shuffle.
    copies : array-like of shape (n_recordings,) or None, default=None
        Recordings with equal numbers are copies of one, and stay on one side; under "disjoint"
        speakers who share a copy are taken for one voice. See `sfmforensics.datasets.find_copies`.
    repeats : int, default=1
        How often the folds are drawn, each time with the next seed. Leaving out each speaker is
        always the same, and done once.

    Returns
    -------
    list of (ndarray, ndarray)
        Rows of the training and of the test side, repeat by repeat.

    Raises
    ------
    TargetError
        `check_target` refuses the labels, or there are too few recordings; under "disjoint", too
        few speakers.

    Warns
    -----
    SplitWarning
        There are fewer speakers than folds: each is left out once. Recordings without a speaker
        are on neither side under "disjoint".

    Examples
    --------
    >>> import pandas as pd
    >>> target = pd.DataFrame({"speaker": list("aabbcc")})
    >>> for _, test in make_splits(target, "disjoint", folds=3):
    ...     print(target.speaker[test].tolist())
    ['b', 'b']
    ['c', 'c']
    ['a', 'a']
    """
    check_target(target)
    if folds == EACH_SPEAKER and protocol != "disjoint":
        folds = 5
    if folds != EACH_SPEAKER and not (
        isinstance(folds, (int, Integral)) and 2 <= folds <= len(target)
    ):
        amount = "1 recording" if len(target) == 1 else f"{len(target)} recordings"
        remedy = f"use 2 to {len(target)} folds" if len(target) > 1 else "add recordings"
        raise TargetError(f"{folds} folds of {amount}; {remedy}")
    if protocol == "disjoint":
        if SPEAKER not in target:
            raise TargetError(
                "the disjoint protocol needs a column 'speaker'; the labels have "
                f"{', '.join(map(str, target.columns))}; use --protocol closed"
            )
        folds = _folds_of_speakers(target[SPEAKER], folds, copies)
        splitter = TargetGroupKFold(folds, on=SPEAKER, shuffle=True) if folds else None
    else:
        splitter = TargetStratifiedKFold(int(folds), on=_stratum(target), shuffle=True)
    if splitter is None:
        splitter = TargetLeaveOneGroupOut(on=SPEAKER)
    else:
        splitter = RepeatedTargetKFold(splitter, repeats, random_state=seed)
    return list(splitter.split(np.zeros(len(target)), target, groups=copies))


def check_target(target: object, n_recordings: int | None = None) -> None:
    """Refuse what cannot be the labels of an experiment, before anything is computed.

    Parameters
    ----------
    target : object
        Labels.
    n_recordings : int or None, default=None
        Recordings that they are of; None does not ask.

    Raises
    ------
    TargetError
        It is no DataFrame; has no column, two of one name or names of several levels; holds labels
        that `refuse_odd_labels` refuses, speakers that are floats, or numbers that are infinite or
        beyond 1e100, whose squares no score could hold; or its rows are more or fewer than the
        recordings.

    Examples
    --------
    >>> import pandas as pd
    >>> check_target(pd.DataFrame({"speaker": ["a", "b"]}), 3)
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.TargetError: the targets have 2 rows, but there are 3 recordings; give
    one row a recording, in their order
    """
    if not isinstance(target, pd.DataFrame):
        raise TargetError(
            f"the targets are a {type(target).__name__}; give a DataFrame with one column a task"
        )
    if target.columns.nlevels > 1:
        raise TargetError(
            f"the columns of the targets have {target.columns.nlevels} levels; give each one name"
        )
    frame = as_frame(target)
    refuse_odd_labels(frame)
    for name, column in frame.items():
        refuse_numbered_speakers(name, column)
        if task_kind(column) != CLASSIFICATION:
            most = np.abs(numbers_of(column.dropna(), name)).max(initial=0)
            if most > _LARGEST:
                raise TargetError(
                    f"column {name!r} holds {most:g}, too large a number to be scored; correct it, "
                    "or leave it blank"
                )
    if n_recordings not in (None, len(target)):
        raise TargetError(
            f"the targets have {len(target)} rows, but there are {n_recordings} recordings; give "
            "one row a recording, in their order"
        )


def fold_overlaps(
    target: pd.DataFrame, copies: Column, splits: Mapping[str, Sequence[Split]]
) -> dict[str, Any]:
    """What stands in the way of an honest split, in numbers.

    Parameters
    ----------
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels.
    copies : array-like of shape (n_recordings,)
        Recordings with equal numbers are copies of one.
    splits : dict of str to list of (ndarray, ndarray)
        By protocol.

    Returns
    -------
    dict
        "copies": recordings that are copies of another one; "aliases": lists of speakers who share
        a copy; "left_out": recordings on neither side under "disjoint", for want of a speaker;
        "shared_copies": by protocol, test recordings whose copy is in training, summed over folds.

    Examples
    --------
    >>> import pandas as pd
    >>> target = pd.DataFrame({"speaker": ["46", "53", "9", "9"]})
    >>> fold_overlaps(target, [0, 0, 1, 2], {})["aliases"]
    [['46', '53']]
    """
    copies = np.asarray(copies)
    overlaps: dict[str, Any] = {
        "copies": len(copies) - len(np.unique(copies)),
        "aliases": [],
        "left_out": 0,
        "shared_copies": {
            protocol: int(sum(np.isin(copies[test], copies[train]).sum() for train, test in folds))
            for protocol, folds in splits.items()
        },
    }
    if SPEAKER in target:
        voices = joined_groups(target[SPEAKER], copies)
        for _, names in target[SPEAKER].dropna().groupby(voices[target[SPEAKER].notna()]):
            speakers = sorted(map(str, names.unique()))
            if len(speakers) > 1:
                overlaps["aliases"].append(speakers)
    if "disjoint" in splits:
        overlaps["left_out"] = int(target[SPEAKER].isna().sum())
    return overlaps


def _stratum(target: pd.DataFrame) -> Any:
    """What "closed" is stratified by: the speaker, or else the first column of labels."""
    if SPEAKER in target:
        return SPEAKER
    labels = [name for name in target if task_kind(target[name]) == CLASSIFICATION]
    return labels[0] if labels else target.columns[0]


def _folds_of_speakers(speakers: pd.Series, folds: Folds, copies: Column | None) -> int:
    """As many folds as asked for, one for each voice if these are fewer, 0 to leave out each."""
    known = speakers.notna().to_numpy()
    labels = [speakers[known]] + ([] if copies is None else [np.asarray(copies)[known]])
    voices = len(np.unique(joined_groups(*labels))) if known.any() else 0
    if voices < 2:
        raise TargetError(
            f"the disjoint protocol needs two speakers or more, and there is {voices}; "
            "use --protocol closed"
        )
    if isinstance(folds, str):  # "speakers"
        return 0
    if voices < folds:
        warnings.warn(
            f"disjoint: {voices} speakers cannot make {folds} folds; each is left out once, in "
            f"{voices} folds",
            SplitWarning,
            stacklevel=3,
        )
    return min(folds, voices)
