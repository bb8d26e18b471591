"""Columns that tell recordings apart instead of saying what they have in common: no labels."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics.exceptions import shown
from sfmforensics.targets import CLASSIFICATION, task_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from typing import Any

ONE_LABEL = "has one label for all"

_SPEAKER = "speaker"
_ENOUGH = 10
"""Labelled recordings from which on it is no chance that none has the label of another."""

_MOSTLY = 0.9
_FILE = r"wav|flac|mp3|ogg|opus|m4a|aiff?|au|sph|wma|mp4|txt|csv|json|textgrid|lab|eaf|npy"
_DAY = (
    r"(19|20)\d\d(?P<mark>[-/.]?)(0[1-9]|1[0-2])(?P=mark)(0[1-9]|[12]\d|3[01])"
    r"|\d{1,2}(?P<sign>[-/.])\d{1,2}(?P=sign)(19|20)\d\d"
)
_CLOCK = r"([01]?\d|2[0-3])(:[0-5]\d){1,2}([.,]\d+)?"
_KINDS = {
    "names of files": rf".+\.({_FILE})|([A-Za-z]:)?[\\/].+[\\/].+",
    "web addresses": r"(https?|s3|gs|ftp|file)://.+",
    "e-mail addresses": r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}",
    "identifiers (UUID)": r"\{?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?",
    "checksums": r"(?=.*[a-f])(?=.*\d)([0-9a-f]{8}){2,16}",
    "dates or times": rf"({_DAY})([T ]+{_CLOCK}([ ]?(Z|UTC|[+-]\d\d:?\d\d))?)?|{_CLOCK}",
}
_PATTERNS = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _KINDS.items()}
_OF_FILES = re.compile(
    r"(n|num|file)?[ _.-]*(duration|dur|seconds|length|samples|frames|sample[ _.-]*rate|"
    r"sampling[ _.-]*rate|file[ _.-]*size|bytes)([ _.-]*(s|secs?|seconds?|ms|hz|bytes))?",
    re.IGNORECASE,
)


def not_labels(target: pd.DataFrame, names: Sequence[str] = ()) -> list[tuple[Hashable, str]]:
    """Find columns of targets that look as if they were no labels.

    Parameters
    ----------
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels; some may be missing.
    names : sequence of str of length n_recordings, default=()
        Paths of the recordings, where they are known.

    Returns
    -------
    list of (column, str)
        What was found, as the end of a sentence: one label for all; names of files, web addresses,
        e-mail addresses, UUIDs, checksums, dates; as many labels as recordings (nine tenths, of
        ten or more); a length, a rate or a size by its name.

    Notes
    -----
    A speaker is anything that tells people apart, be it a checksum or one for each recording; only
    one for all is told. Numbers that are learnt by regression may all differ.

    Examples
    --------
    >>> target = pd.DataFrame({"take": range(12), "day": ["2024-03-30", "2024-04-02"] * 6})
    >>> for column, found in not_labels(target):
    ...     print(column, found)
    take has 12 labels for 12 recordings, such as 0: what tells recordings apart is no label
    day holds dates or times, such as '2024-03-30'
    """
    found = ((column, _found(target[column], column, names)) for column in target)
    return [(column, said) for column, said in found if said]


def _found(column: pd.Series, name: Hashable, names: Sequence[str]) -> str:
    labelled = column.notna().to_numpy()
    known = column[labelled]
    labels = known.unique()
    if len(known) > 1 and len(labels) == 1:
        return f"{ONE_LABEL}, {shown(_bare(labels[0]))}: there is nothing to learn"
    if name == _SPEAKER or not len(known):
        return ""
    if isinstance(name, str) and _OF_FILES.fullmatch(name) and _all_numbers(labels):
        return "is what a file tells of itself, and no label of who speaks"
    if task_kind(column) != CLASSIFICATION:
        return ""
    kind = _kind(column, labels)
    if kind:
        return f"holds {kind}, such as {shown(str(labels[0]))}"
    if len(names) == len(column):
        paths = [str(path) for path, given in zip(names, labelled, strict=True) if given]
        if len(known) > 1 and any(
            all(change(path) == str(label) for path, label in zip(paths, known, strict=True))
            for change in _CHANGES
        ):
            return f"names the files themselves, such as {shown(str(labels[0]))}"
    if len(known) >= _ENOUGH and len(labels) >= _MOSTLY * len(known):
        return (
            f"has {len(labels)} labels for {len(known)} recordings, such as "
            f"{shown(_bare(labels[0]))}: what tells recordings apart is no label"
        )
    return ""


_CHANGES: tuple[Callable[[str], str], ...] = (
    os.path.basename,
    lambda path: os.path.splitext(os.path.basename(path))[0],
)


def _kind(column: pd.Series, labels: Any) -> str:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "dates or times"
    texts = [str(label) for label in labels]
    for kind, pattern in _PATTERNS.items():
        if all(map(pattern.fullmatch, texts)):
            return kind
    return ""


def _all_numbers(labels: Any) -> bool:
    return pd.api.types.is_numeric_dtype(pd.Series(labels).infer_objects())


def _bare(label: object) -> object:
    """A label as people write it: not np.int64(1)."""
    return label.item() if hasattr(label, "item") else label
