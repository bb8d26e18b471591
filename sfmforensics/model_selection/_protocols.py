"""Protocols: which recordings are learnt from and which tested, and what the two share."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from sfmforensics.exceptions import SFMForensicsError, SplitWarning, TargetError
from sfmforensics.model_selection._folds import joined_groups
from sfmforensics.model_selection._splitters import (
    CrossedGroupKFold,
    RepeatedTargetKFold,
    TargetGroupKFold,
    TargetLeaveOneGroupOut,
    TargetStratifiedKFold,
)
from sfmforensics.targets import CLASSIFICATION, as_frame, task_kind
from sfmforensics.targets._bands import is_banded
from sfmforensics.targets._columns import numbers_of, refuse_numbered_speakers, refuse_odd_labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import pandas as pd

    from sfmforensics._types import Column, Folds, IntArray, Split


@dataclass(frozen=True)
class Protocol:
    """What may be on both sides of a fold.

    Parameters
    ----------
    meaning : str
        What it measures, in a sentence for people.
    speakers, texts : bool or None
        Whether a speaker, or a sentence, of the test side may be heard in training; None where the
        data say.
    """

    meaning: str
    speakers: bool | None
    texts: bool | None


PROTOCOLS = {
    "closed": Protocol(
        "every speaker is in training and test, as in the paper; age and gender then largely "
        "measure how well speakers are remembered",
        speakers=True,
        texts=True,
    ),
    "disjoint": Protocol(
        "no speaker is in both; speaker recognition is not defined there",
        speakers=False,
        texts=True,
    ),
    "text": Protocol(
        "no sentence is in both, speakers are: what is said cannot stand for how it is said",
        speakers=True,
        texts=False,
    ),
    "speaker+text": Protocol(
        "neither a speaker nor a sentence is in both; recordings of a test speaker with a training "
        "sentence are on neither side",
        speakers=False,
        texts=False,
    ),
    "given": Protocol("the split that comes with the corpus", speakers=None, texts=None),
}
"""By name, the one table of them."""
BOTH = ("closed", "disjoint")
"""What the name "both" stands for: the paper's protocol, and voices never heard."""
SPEAKER = "speaker"
"""Column of the targets by which folds are made."""
TEXT = "text"
"""Column of what is said, among the details or the targets, by which folds are made."""
EACH_SPEAKER: Final = "speakers"
"""In the place of a number of folds: each speaker is left out once."""
_LARGEST = 1e100


def protocols_of(protocol: str | Sequence[str]) -> tuple[str, ...]:
    """The protocols that names stand for.

    Parameters
    ----------
    protocol : str or sequence of str
        Names of `PROTOCOLS`, as a list or with commas between them; "both" is closed and disjoint.

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
    >>> protocols_of("both,speaker+text")
    ('closed', 'disjoint', 'speaker+text')
    """
    names = protocol.split(",") if isinstance(protocol, str) else list(protocol)
    chosen: list[str] = []
    for name in map(str.strip, names):
        if name != "both" and name not in PROTOCOLS:
            raise SFMForensicsError(
                f"no protocol is called {name!r}; there are {', '.join(PROTOCOLS)}, and both "
                "(closed and disjoint)"
            )
        chosen += BOTH if name == "both" else (name,)
    if not chosen:
        raise SFMForensicsError(f"no protocol is named; there are {', '.join(PROTOCOLS)}")
    return tuple(dict.fromkeys(chosen))


def never_heard(protocol: str, target: pd.DataFrame, splits: Sequence[Split] | None = None) -> bool:
    """Tell whether no test speaker of a protocol is heard in training.

    Parameters
    ----------
    protocol : str
        Of `PROTOCOLS`, or a name of one's own.
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels.
    splits : list of (ndarray, ndarray) or None, default=None
        Its folds, which tell of a protocol that does not.

    Returns
    -------
    bool
        False also where that is not known.

    Examples
    --------
    >>> target = pd.DataFrame({"speaker": list("aabb")})
    >>> never_heard("disjoint", target), never_heard("given", target, [([0, 1], [2, 3])])
    (True, True)
    """
    known = PROTOCOLS[protocol].speakers if protocol in PROTOCOLS else None
    if known is not None:
        return not known
    if SPEAKER not in target or not splits:
        return False
    speakers = target[SPEAKER]
    return not any(
        set(speakers.iloc[train].dropna()) & set(speakers.iloc[test].dropna())
        for train, test in splits
    )


def make_splits(
    target: pd.DataFrame,
    protocol: str,
    *,
    folds: Folds = 5,
    seed: int = 0,
    copies: Column | None = None,
    repeats: int = 1,
    details: pd.DataFrame | None = None,
    split_column: str = "split",
) -> list[Split]:
    """Folds of one protocol.

    Parameters
    ----------
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels; "disjoint" and "speaker+text" need a column "speaker".
    protocol : {"closed", "disjoint", "text", "speaker+text", "given"}
        "closed" has every speaker on both sides, stratified by speaker (the paper's five folds);
        "disjoint" has every speaker on one side only; "text" every sentence; "speaker+text" both,
        by `CrossedGroupKFold`; "given" are the sides that a column says.
    folds : int or "speakers", default=5
        Number of folds. "speakers" leaves out one speaker after the other, under "disjoint"; the
        folds of others are then 5. Of "given" there are as many as there are.
    seed : int, default=0
        Seed of the shuffle.
    copies : array-like of shape (n_recordings,) or None, default=None
        Recordings with equal numbers are copies of one, and stay on one side; under "disjoint"
        speakers who share a copy are taken for one voice. See `sfmforensics.datasets.find_copies`.
    repeats : int, default=1
        How often the folds are drawn, each time with the next seed. Leaving out each speaker is
        always the same, as what is given is, and done once.
    details : DataFrame of shape (n_recordings, n_details) or None, default=None
        What else is known of the recordings, as a corpus has it: "text", and the column of a split.
    split_column : str, default="split"
        Under "given", the column that says on which side a recording is: "train", "dev" or "test"
        (what is tested where nothing is called so is "dev", which else is on neither side); or the
        number of the fold that tests it.

    Returns
    -------
    list of (ndarray, ndarray)
        Rows of the training and of the test side, repeat by repeat.

    Raises
    ------
    TargetError
        `check_target` refuses the labels, or there are too few recordings; too few speakers, or
        sentences; or the column that a protocol goes by is not there, or says something else.

    SFMForensicsError
        No protocol is called so, or it is several.

    Warns
    -----
    SplitWarning
        There are fewer speakers than folds: each is left out once. Recordings without a speaker,
        or a sentence, are on neither side where a protocol goes by it.

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
    if protocol == "given":
        return _given_splits(_column(split_column, "given", target, details))
    if folds == EACH_SPEAKER and protocol != "disjoint":
        folds = 5
    if folds != EACH_SPEAKER and not (
        isinstance(folds, (int, Integral)) and 2 <= folds <= len(target)
    ):
        amount = "1 recording" if len(target) == 1 else f"{len(target)} recordings"
        remedy = f"use 2 to {len(target)} folds" if len(target) > 1 else "add recordings"
        raise TargetError(f"{folds} folds of {amount}; {remedy}")
    labels, groups = target, copies
    splitter: Any
    if protocol == "disjoint":
        speakers = _column(SPEAKER, protocol, target)
        folds = _folds_of_speakers(speakers, folds, copies)
        splitter = TargetGroupKFold(folds, on=SPEAKER, shuffle=True) if folds else None
    elif protocol == "text":
        labels = _column(TEXT, protocol, target, details).to_frame(TEXT)
        splitter = TargetGroupKFold(int(folds), on=TEXT, shuffle=True)
    elif protocol == "speaker+text":
        parts = (
            _column(SPEAKER, protocol, target),
            _column(TEXT, protocol, target, details),
        )
        groups = pd.DataFrame({str(part.name): _joined(part, copies) for part in parts})
        splitter = CrossedGroupKFold(int(folds), shuffle=True)
    elif protocol == "closed":
        splitter = TargetStratifiedKFold(int(folds), on=_stratum(target), shuffle=True)
    else:
        protocols_of(protocol)  # says which there are
        raise SFMForensicsError(f"{protocol!r} is several protocols; make the folds of each")
    if splitter is None:
        splitter = TargetLeaveOneGroupOut(on=SPEAKER)
    else:
        splitter = RepeatedTargetKFold(splitter, repeats, random_state=seed)
    return list(splitter.split(np.zeros(len(target)), labels, groups=groups))


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
    for name in frame:
        if is_banded(frame[name]) and not is_banded(target[name]):
            raise TargetError(
                f"column {name!r} holds pandas.Interval as objects; make it a column of bands: "
                f"target[{name!r}] = sfmforensics.targets.bands(target[{name!r}])"
            )
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
    target: pd.DataFrame,
    copies: Column,
    splits: Mapping[str, Sequence[Split]],
    details: pd.DataFrame | None = None,
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
    details : DataFrame of shape (n_recordings, n_details) or None, default=None
        What else is known of the recordings: "text", where there is any.

    Returns
    -------
    dict
        "copies": recordings that are copies of another one; "aliases": lists of speakers who share
        a copy; "left_out": recordings on neither side under "disjoint", for want of a speaker;
        "shared_copies": by protocol, test recordings whose copy is in training, summed over folds.
        Under other protocols than closed and disjoint also, by protocol, "never_tested":
        recordings that no fold tests; "on_neither_side": recordings that a fold neither learns
        from nor tests, the mean over the folds; "shared_speakers" and, with `details`,
        "shared_texts": how many are on both sides, the mean over the folds.

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
    others = {name: folds for name, folds in splits.items() if name not in BOTH}
    if others:
        overlaps |= _overlaps_of_others(target, others, details)
    return overlaps


def _overlaps_of_others(
    target: pd.DataFrame,
    splits: Mapping[str, Sequence[Split]],
    details: pd.DataFrame | None,
) -> dict[str, Any]:
    """What a protocol leaves out, and what it lets be on both sides."""
    n_rows = len(target)
    overlaps: dict[str, Any] = {
        "never_tested": {
            name: n_rows - len(np.unique(np.concatenate([test for _, test in folds])))
            for name, folds in splits.items()
        },
        "on_neither_side": {
            name: float(np.mean([n_rows - len(train) - len(test) for train, test in folds]))
            for name, folds in splits.items()
        },
    }
    sides = {"shared_speakers": target.get(SPEAKER)}
    if details is not None and TEXT in details:
        sides["shared_texts"] = details[TEXT].reset_index(drop=True)
    for what, labels in sides.items():
        if labels is not None:
            overlaps[what] = {
                name: float(np.mean([_shared(labels, *split) for split in folds]))
                for name, folds in splits.items()
            }
    return overlaps


def _shared(labels: pd.Series, train: IntArray, test: IntArray) -> int:
    return len(set(labels.iloc[train].dropna()) & set(labels.iloc[test].dropna()))


def _column(
    name: str, protocol: str, target: pd.DataFrame, details: pd.DataFrame | None = None
) -> pd.Series:
    """A column of the labels, or of the details, that a protocol goes by."""
    for frame in (target, details):
        if frame is not None and name in frame and (name == SPEAKER or frame[name].notna().any()):
            return frame[name].reset_index(drop=True).rename(name)
    there = [str(column) for frame in (target, details) if frame is not None for column in frame]
    remedy = "name the column with --split-column (split_column=)"
    if protocol != "given":
        remedy = "use --protocol closed" if name == SPEAKER else "add one, with what is said"
    raise TargetError(
        f"the {protocol} protocol needs a column {name!r}; the labels have {', '.join(there)}; "
        f"{remedy}"
    )


def _joined(labels: pd.Series, copies: Column | None) -> pd.Series:
    """Labels that share a copy as one; missing ones stay missing."""
    if copies is None:
        return labels
    known = labels.notna().to_numpy()
    joined = pd.Series(np.nan, index=labels.index, dtype=object)
    joined[known] = joined_groups(labels[known], np.asarray(copies)[known])
    return joined


_SIDES = ("train", "dev", "test")


def _given_splits(sides: pd.Series) -> list[Split]:
    """Folds that a column says: one of train and test, or one for each number."""
    labels = sides.map(lambda side: str(side).strip().lower(), na_action="ignore")
    known = set(labels.dropna())
    if known <= set(_SIDES):
        tested = "test" if "test" in known else "dev"
        train, test = (np.flatnonzero(labels == side) for side in ("train", tested))
        if not len(train) or not len(test):
            raise TargetError(
                f"the column {sides.name!r} has {', '.join(sorted(known))}; a split needs train "
                "and test (or dev)"
            )
        return [(train, test)]
    if all(_is_number(side) for side in known) and len(known) > 1:
        return [
            (
                np.flatnonzero(labels.notna() & (labels != fold)),
                np.flatnonzero(labels == fold),
            )
            for fold in sorted(known, key=float)
        ]
    odd = sorted(side for side in known if side not in _SIDES and not _is_number(side))
    named = ", ".join(map(repr, odd[:3])) or f"{', '.join(sorted(known))} alone"
    raise TargetError(
        f"the column {sides.name!r} holds {named}; it says train, dev or test, or the number of "
        "the fold that tests a recording (blank for neither side)"
    )


def _is_number(side: str) -> bool:
    return side.replace(".0", "").isdecimal()


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
