"""What training shares with the test side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics.audit._copies import join_copies
from sfmforensics.exceptions import SFMForensicsError
from sfmforensics.model_selection import BOTH, SPEAKER, make_splits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sfmforensics._types import Array, Column, Split

COLUMNS = [
    "protocol", "copies are", "split", "copies in training", "near copies in training",
    "speakers on both sides", "alike voices on both sides",
]  # fmt: skip


def find_leaks(
    target: pd.DataFrame,
    copies: Column,
    *,
    near: pd.DataFrame | None = None,
    alike: pd.DataFrame | None = None,
    folds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Count what training shares with the test side, in folds of both protocols.

    Parameters
    ----------
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels.
    copies : array-like of shape (n_recordings,)
        As `sfmforensics.datasets.find_copies` gives them.
    near, alike : DataFrame or None, default=None
        As `near_copies` and `alike_voices` give them; None where they were not looked for.
    folds : int, default=5
        Number of folds.
    seed : int, default=0
        Seed of the folds.

    Returns
    -------
    DataFrame
        One row a protocol and a way with copies: columns protocol, ``copies are`` ("ignored" or
        "kept together"), split (how many folds, or why there are none), ``copies in training``
        (test recordings of which training has an exact copy, summed over folds), ``near copies in
        training`` (of the other test recordings, those with a near copy there), ``speakers on both
        sides`` (the mean over folds), ``alike voices on both sides`` (pairs, under disjoint).
        Missing where there is nothing to count; columns of what was not looked for are absent.

    Examples
    --------
    >>> target = pd.DataFrame({"speaker": list("aabbccdd")})
    >>> leaks = find_leaks(target, [0, 0, 1, 1, 2, 2, 3, 3], folds=2)
    >>> leaks[["protocol", "copies are", "copies in training"]]
       protocol     copies are  copies in training
    0    closed        ignored                   8
    1    closed  kept together                   0
    2  disjoint        ignored                   0
    3  disjoint  kept together                   0
    """
    copies = np.asarray(copies)
    joined = copies if near is None else join_copies(copies, near)
    rows = []
    for protocol in BOTH:
        for together, title in ((None, "ignored"), (joined, "kept together")):
            row: dict[str, Any] = {"protocol": protocol, "copies are": title}
            rows.append(row)
            try:
                splits = make_splits(target, protocol, folds=folds, seed=seed, copies=together)
            except SFMForensicsError as error:
                row["split"] = str(error)
                break
            row["split"] = f"{len(splits)} folds"
            row |= _shared(target, copies, joined, splits)
            if protocol == "disjoint" and alike is not None:
                row["alike voices on both sides"] = _parted(target[SPEAKER], alike, splits)
    frame = pd.DataFrame(rows, columns=COLUMNS).astype(
        {name: "Int64" for name in COLUMNS if name.endswith("in training") or "alike" in name}
        | {"speakers on both sides": float}
    )
    absent = {"near copies in training": near, "alike voices on both sides": alike}
    return frame.drop(columns=[name for name, value in absent.items() if value is None])


def _shared(
    target: pd.DataFrame, copies: Array, joined: Array, splits: Sequence[Split]
) -> dict[str, Any]:
    exact = near = speakers = 0
    for train, test in splits:
        same = np.isin(copies[test], copies[train])
        exact += int(same.sum())
        near += int((np.isin(joined[test], joined[train]) & ~same).sum())
        if SPEAKER in target:
            sides = [set(target[SPEAKER].iloc[rows].dropna()) for rows in (train, test)]
            speakers += len(sides[0] & sides[1])
    return {
        "copies in training": exact,
        "near copies in training": near,
        "speakers on both sides": speakers / len(splits) if SPEAKER in target else np.nan,
    }


def _parted(speakers: pd.Series, alike: pd.DataFrame, splits: Sequence[Split]) -> int:
    """Pairs of speakers of whom one is tested while the other is learnt from."""
    fold_of = {
        str(name): fold
        for fold, (_, test) in enumerate(splits)
        for name in speakers.iloc[test].dropna().unique()
    }
    return sum(
        fold_of.get(first) != fold_of.get(second)
        for first, second in zip(alike["first"], alike["second"], strict=True)
    )
