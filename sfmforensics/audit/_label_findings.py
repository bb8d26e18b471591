"""What is wrong with labels by themselves: conflicts, constants, rarities, gaps."""

from __future__ import annotations

import os
import re
import unicodedata
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._utils.names import name_few
from sfmforensics.audit._finding import NOTE, SERIOUS, Finding, counted
from sfmforensics.datasets._listing import MAX_AGE
from sfmforensics.exceptions import shown
from sfmforensics.targets import CLASSIFICATION, task_kind
from sfmforensics.targets._bands import band_text, contradict, is_banded, middles, with_middles
from sfmforensics.targets._votes import voted_classes

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence
    from typing import Any


ONE_LABEL = "has one label for all"

_SPEAKER = "speaker"
_ENOUGH_RECORDINGS = 10
"""Labelled recordings from which on it is no chance that none has the label of another."""

_MOSTLY_APART = 0.9
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
    >>> for column, reason in not_labels(target):
    ...     print(column, reason)
    take has 12 labels for 12 recordings, such as 0: what tells recordings apart is no label
    day holds dates or times, such as '2024-03-30'
    """
    reasons = ((column, _found(target[column], column, names)) for column in target)
    return [(column, said) for column, said in reasons if said]


def _found(column: pd.Series, name: Hashable, names: Sequence[str]) -> str:
    labelled = column.notna().to_numpy()
    known = column[labelled]
    labels = known.unique()
    if len(known) > 1 and len(labels) == 1:
        return f"{ONE_LABEL}, {shown(_plain_label(labels[0]))}: there is nothing to learn"
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
        paths = [
            str(path) for path, is_labelled in zip(names, labelled, strict=True) if is_labelled
        ]
        if len(known) > 1 and any(
            all(change(path) == str(label) for path, label in zip(paths, known, strict=True))
            for change in _CHANGES
        ):
            return f"names the files themselves, such as {shown(str(labels[0]))}"
    if len(known) >= _ENOUGH_RECORDINGS and len(labels) >= _MOSTLY_APART * len(known):
        return (
            f"has {len(labels)} labels for {len(known)} recordings, such as "
            f"{shown(_plain_label(labels[0]))}: what tells recordings apart is no label"
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


def _plain_label(label: object) -> object:
    """A label as people write it: not np.int64(1)."""
    return label.item() if hasattr(label, "item") else label


SPEAKER = "speaker"

_BODY = ("gender", "age")
"""What a speaker has one of, whatever the recordings say."""

_MOSTLY = 0.8
_ENOUGH_SPEAKERS = 5
_SHOWN = 5


def label_findings(
    target: pd.DataFrame, *, folds: int = 5, names: Sequence[str] = ()
) -> list[Finding]:
    """Say what stands in the way of learning from labels.

    Parameters
    ----------
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels; some may be missing.
    folds : int, default=5
        Labels with fewer recordings are rare.
    names : sequence of str of length n_recordings, default=()
        Paths of the recordings, where they are known: a label that is one is none.

    Returns
    -------
    list of Finding

    Examples
    --------
    >>> target = pd.DataFrame({"speaker": list("aabb"), "age": [20.0, 31, 40, 40]})
    >>> [finding.finding for finding in label_findings(target, folds=2)]
    ['several ages', 'told by the speaker']
    """
    banded, target = target, with_middles(target)
    no_labels = not_labels(target, names)
    useful = target.drop(columns=[column for column, _ in no_labels])
    return [
        *_alike(target),
        *_impossible(target),
        *_several(banded),
        *_constant(target),
        *_no_labels(no_labels),
        *_rare(useful, folds),
        *_of_one_speaker(useful),
        *_missing(target),
        *_told_by_speaker(target),
    ]


def constant_labels(target: pd.DataFrame) -> list[str]:
    """Columns of which a speaker has one value, but for mistakes.

    Parameters
    ----------
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels, with a column "speaker"; without it there are none.

    Returns
    -------
    list of str
        Gender and age, and columns with one value for 80 % of speakers or more, counting speakers
        with two labels or more, of whom there must be five or all be constant.

    Examples
    --------
    >>> target = pd.DataFrame({"speaker": list("aabb"), "word": [1, 2, 1, 2], "city": list("ppqq")})
    >>> constant_labels(target)
    ['city']
    """
    if SPEAKER not in target:
        return []
    columns = []
    for column in target.columns.drop(SPEAKER):
        several = _values_of_speakers(target, column)
        several = several[several["labels"] > 1]
        if not len(several) or target[column].nunique() < 2:
            continue
        share = (several["values"] == 1).mean()
        if column in _BODY or share == 1 or (share >= _MOSTLY and len(several) >= _ENOUGH_SPEAKERS):
            columns.append(column)
    return columns


def speaker_conflicts(target: pd.DataFrame) -> pd.DataFrame:
    """List speakers who have several values of what a speaker has one of.

    Parameters
    ----------
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels.

    Returns
    -------
    DataFrame
        Columns speaker, task, found.

    Examples
    --------
    >>> speaker_conflicts(pd.DataFrame({"speaker": list("aab"), "age": [20.0, 31.0, 40.0]}))
      speaker task       found
    0       a  age  20.0, 31.0
    """
    rows = []
    for column in constant_labels(target):
        counts = _values_of_speakers(target, column)["values"]
        several = target[target[SPEAKER].isin(counts.index[counts > 1])]
        of_speaker = dict(iter(several.groupby(SPEAKER)[column]))
        for speaker in sorted(counts.index[counts > 1], key=str):
            known = of_speaker[speaker].dropna()
            if not contradict(known):
                continue
            values = known.unique()
            if is_banded(known):
                values = [band_text(band) for band in values]
            values = np.sort(values) if known.dtype.kind in "if" else sorted(values, key=str)
            rows.append((speaker, column, ", ".join(map(str, values))))
    return pd.DataFrame(rows, columns=["speaker", "task", "found"])


def _values_of_speakers(target: pd.DataFrame, column: str) -> pd.DataFrame:
    groups = middles(target[column]).groupby(target[SPEAKER])
    return pd.DataFrame({"labels": groups.count(), "values": groups.nunique()})


def _alike(target: pd.DataFrame) -> Iterator[Finding]:
    """Labels that differ in case, space or the coding of their letters: "Anna" and "anna "."""
    for column in target:
        if task_kind(target[column]) != CLASSIFICATION:
            continue
        by_letters: dict[str, list[str]] = {}
        said = dict.fromkeys([*target[column].dropna().unique(), *voted_classes(target[column])])
        for label in said:
            if isinstance(label, str):
                by_letters.setdefault(_bare(label), []).append(label)
        several = [sorted(labels) for labels in by_letters.values() if len(labels) > 1]
        if several:
            named = [" = ".join(map(repr, labels)) for labels in sorted(several)]
            yield Finding(
                SERIOUS,
                "labels written in two ways",
                f"{column}: {name_few(named, _SHOWN)}",
                "They count as different labels; a speaker who has two is on both sides of a "
                "disjoint split.",
                "Write each label in one way.",
            )


def _bare(label: str) -> str:
    """What is left of a label without case, spaces and what cannot be seen."""
    if not label.isascii():
        label = "".join(c for c in label if unicodedata.category(c) != "Cf")
        label = unicodedata.normalize("NFKC", label)
    return "".join(label.casefold().split())


def _impossible(target: pd.DataFrame) -> Iterator[Finding]:
    if "age" not in target or task_kind(target["age"]) == CLASSIFICATION:
        return
    ages = target["age"].dropna()
    odd = sorted(ages[(ages <= 0) | (ages > MAX_AGE)].unique())
    if odd:
        yield Finding(
            SERIOUS,
            "impossible ages",
            name_few([f"{age:g}" for age in odd], _SHOWN),
            "Numbers that stand for a missing age are learnt as ages, and make every error wrong.",
            f"Leave the age blank where it is not known; years are above 0 and up to {MAX_AGE}.",
        )


def _several(target: pd.DataFrame) -> Iterator[Finding]:
    conflicts = speaker_conflicts(target)
    for column, rows in conflicts.groupby("task", sort=False):
        named = [f"{row.speaker}: {row.found}" for row in rows.itertuples()]
        yield Finding(
            SERIOUS if column in _BODY else NOTE,
            f"several {column}s",
            f"{counted(len(rows), 'speaker')} with more than one {column} "
            f"({name_few(named, _SHOWN)})",
            "A label is wrong, two people share a name, or years lie between the recordings.",
            "Correct the labels, give each person a name of their own, or leave the speaker out.",
        )


def _constant(target: pd.DataFrame) -> Iterator[Finding]:
    for column in target:
        known = target[column].dropna()
        if len(known.unique()) > 1 or not len(target):
            continue
        what = f"{column}: every label is {known.iloc[0]}" if len(known) else f"{column}: no label"
        yield Finding(
            SERIOUS,
            "one label for all",
            what,
            "There is nothing to learn, and every model is right each time.",
            f"Leave the column {column} out (--tasks names those to learn), or add recordings with "
            "other labels.",
        )


def _no_labels(no_labels: Sequence[tuple[Hashable, str]]) -> Iterator[Finding]:
    for column, reason in no_labels:
        if reason.startswith(ONE_LABEL):
            continue  # told already
        yield Finding(
            SERIOUS,
            "looks like no label",
            f"{column} {reason}",
            "Nothing can be learnt from it that holds for another recording, and it takes part in "
            "learning the others.",
            f"Leave the column {column} out: --tasks, or load_corpus(..., tasks=[...]), names those"
            " to learn.",
        )


def _rare(target: pd.DataFrame, folds: int) -> Iterator[Finding]:
    for column in target:
        if task_kind(target[column]) != CLASSIFICATION:
            continue
        counts = target[column].value_counts()
        counts = counts[counts > 0]  # a category may have no recording
        rare = counts[counts < folds]
        if not len(rare) or len(counts) < 2:
            continue
        named = [
            f"{label} ({rare[label]})"
            for label in sorted(rare.index, key=lambda label: (rare[label], str(label)))
        ]
        yield Finding(
            NOTE,
            "rare labels",
            f"{column}: {len(rare)} of {counted(len(counts), 'label')} have fewer recordings than "
            f"there are folds, {folds} ({name_few(named, _SHOWN)})",
            "In some folds such a label is not tested, or hardly learnt.",
            "Use fewer folds, join labels, or read the mean over labels (uar) with care.",
        )


def _of_one_speaker(target: pd.DataFrame) -> Iterator[Finding]:
    if SPEAKER not in target or target[SPEAKER].nunique() < 2:
        return
    for column in target.columns.drop(SPEAKER):
        if task_kind(target[column]) != CLASSIFICATION or target[column].nunique() < 2:
            continue
        speakers = target.groupby(column)[SPEAKER].nunique()
        alone = sorted(speakers.index[speakers == 1], key=str)
        if alone:
            yield Finding(
                NOTE,
                "labels of one speaker",
                f"{column}: {name_few(alone, _SHOWN)}",
                "With this speaker's voice unheard (disjoint) the label cannot be learnt; else it "
                "is told by the voice.",
                "Record it from other speakers, or leave the label out.",
            )


def _missing(target: pd.DataFrame) -> Iterator[Finding]:
    gaps = target.isna().sum()
    gaps = gaps[(gaps > 0) & (gaps < len(target))]
    if len(gaps):
        named = [f"{column}: {count} of {len(target)}" for column, count in gaps.items()]
        speaker = " Without a speaker it is left out under disjoint." if SPEAKER in gaps else ""
        yield Finding(
            NOTE,
            "missing labels",
            name_few(named, _SHOWN),
            f"A recording without a label counts neither in training nor in scores.{speaker}",
            "Look whether they are missing at random; figures are for the others only.",
        )


def _told_by_speaker(target: pd.DataFrame) -> Iterator[Finding]:
    constant = constant_labels(target)
    if target.get(SPEAKER, pd.Series(dtype=object)).nunique() < 2:
        return
    if "emotion" in constant:
        yield Finding(
            SERIOUS,
            "told by the speaker",
            "emotion: each speaker has one",
            "Whoever knows the voice knows the emotion: the two cannot be told apart.",
            "Record every speaker with several emotions; do not trust the figures of emotion.",
        )
    others = [column for column in constant if column != "emotion"]
    if others:
        yield Finding(
            NOTE,
            "told by the speaker",
            f"{name_few(others, _SHOWN)}: a speaker has one value",
            "Under closed folds, with every speaker in training, the figures measure how well "
            "speakers are remembered.",
            "Read these tasks under disjoint.",
        )
