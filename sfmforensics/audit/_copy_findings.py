"""What copies and alike voices mean for a corpus, as findings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._utils.names import file_of, name_few, show_name
from sfmforensics._utils.recordings import Segment
from sfmforensics.audit._copies import join_copies
from sfmforensics.audit._finding import NOTE, SERIOUS, Finding, counted
from sfmforensics.audit._label_findings import SPEAKER
from sfmforensics.targets._bands import band_text, contradict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from sklearn.utils import Bunch

    from sfmforensics._types import Column
    from sfmforensics._utils.recordings import Recording

_SHOWN = 5


def shared_recordings(corpus: Bunch, groups: Column) -> pd.DataFrame:
    """List groups of speakers who share recordings.

    Parameters
    ----------
    corpus : Bunch
        With ``data`` and ``target``.
    groups : array-like of shape (n_recordings,)
        Recordings with equal numbers are one; see `sfmforensics.datasets.find_copies` and
        `join_copies`.

    Returns
    -------
    DataFrame
        Columns speakers ("46 = 53"), ``shared recordings``, ``an example``.

    Examples
    --------
    >>> from sklearn.utils import Bunch
    >>> target = pd.DataFrame({"speaker": ["46", "53", "9"]})
    >>> shared_recordings(Bunch(data=["a.wav", "b.wav", "c.wav"], target=target), [0, 0, 1])
      speakers  shared recordings     an example
    0  46 = 53                  1  a.wav = b.wav
    """
    columns = ["speakers", "shared recordings", "an example"]
    if SPEAKER not in corpus.target:
        return pd.DataFrame(columns=columns)
    frame = pd.DataFrame({"speaker": corpus.target[SPEAKER].to_numpy(), "group": groups})
    frame["name"] = names_of(corpus.data)
    shared: dict[tuple[str, ...], list[str]] = {}
    for _, rows in _several(frame.dropna()):
        speakers = tuple(sorted(rows["speaker"].unique(), key=str))
        if len(speakers) > 1:
            # In the order of the speakers, so that each name stands for one.
            names = rows.assign(key=rows["speaker"].map(str)).sort_values(["key", "name"])["name"]
            shared.setdefault(speakers, []).append(" = ".join(names))
    rows = [
        (" = ".join(map(str, who)), len(shared[who]), min(shared[who]))
        for who in sorted(shared, key=str)
    ]
    return pd.DataFrame(rows, columns=columns)


def names_of(data: Sequence[Recording]) -> list[str]:
    """Short names of recordings.

    Parameters
    ----------
    data : list of length n_recordings

    Returns
    -------
    list of str
        File names without their folder; "recording 3" for signals.

    Examples
    --------
    >>> names_of(["x/a.wav", (np.zeros(400), 16_000)])
    ['a.wav', 'recording 1']
    """
    return [_short(recording) or f"recording {place}" for place, recording in enumerate(data)]


def _short(recording: Recording) -> str | None:
    path = file_of(recording)
    if path is None:
        return None
    name = show_name(os.path.basename(os.fsdecode(path)))
    return name + (recording.fragment if isinstance(recording, Segment) else "")


def copy_findings(
    corpus: Bunch, copies: Column, near: pd.DataFrame | None, leaks: pd.DataFrame
) -> list[Finding]:
    """Say what exact and near copies do to figures."""
    copies = np.asarray(copies)
    names = names_of(corpus.data)
    findings = []
    extra = len(copies) - len(np.unique(copies))
    if extra:
        frame = pd.DataFrame({"group": copies, "name": names})
        examples = sorted(" = ".join(sorted(rows["name"])) for _, rows in _several(frame))
        findings.append(
            Finding(
                NOTE,
                "exact copies",
                f"{counted(extra, 'recording')} sample for sample like another "
                f"({name_few(examples, 2)})",
                "A copy in training gives a test recording away"
                f"{_in_training(leaks, 'copies in training')}.",
                "Leave copies out; evaluate keeps them on one side of every split.",
            )
        )
    joined = copies
    if near is not None and len(near):
        joined = join_copies(copies, near)
        nearest: Iterable[Any] = near.itertuples()
        pairs = [
            f"{names[row.first]} = {names[row.second]}, {row.correlation:.3f}" for row in nearest
        ]
        findings.append(
            Finding(
                SERIOUS,
                "near copies",
                f"{counted(len(near), 'pair')} of recordings that are one take with another level, "
                f"coding, rate, noise or cut ({name_few(pairs, 2)})",
                "As an exact copy, but no hash finds it"
                f"{_in_training(leaks, 'near copies in training')}.",
                "Leave one of each pair out; evaluate keeps them on one side of every split, and "
                "sfmforensics.audit.join_copies gives the groups to do so elsewhere.",
            )
        )
    aliases = shared_recordings(corpus, joined)
    if len(aliases):
        named = [f"{row.speakers}: {counted(row[2], 'recording')}" for row in aliases.itertuples()]
        findings.append(
            Finding(
                SERIOUS,
                "one recording under two speakers",
                name_few(named, _SHOWN),
                "No model can tell these speakers apart on them, and one voice is counted as two.",
                "Join the names, or leave the recordings out; disjoint folds take those who share "
                "a copy for one voice.",
            )
        )
    return [*findings, *_contradictions(corpus.target, joined, names)]


def voice_findings(pairs: pd.DataFrame | None, leaks: pd.DataFrame) -> list[Finding]:
    """Say what alike voices do to figures."""
    if pairs is None or not len(pairs):
        return []
    named = [
        f"{row.first} and {row.second} ({row.similarity:.2f}, one voice {row.one_voice:.2f})"
        for row in pairs.itertuples()
    ]
    counts = leaks[leaks["copies are"] == "kept together"].set_index("protocol")
    parted = counts["alike voices on both sides"].get("disjoint", pd.NA)
    share = "" if pd.isna(parted) else f" ({parted} of {counted(len(pairs), 'pair')} here)"
    return [
        Finding(
            SERIOUS,
            "voices alike",
            name_few(named, _SHOWN),
            "They may be one person under two names: then speaker recognition is held to be wrong "
            f"where it is right, and disjoint folds test voices that they learnt from{share}.",
            "Listen to both, look up who they are, and join the names if they are one.",
        )
    ]


def _several(frame: pd.DataFrame) -> Any:
    """Groups of two rows or more."""
    return frame[frame.duplicated("group", keep=False)].groupby("group", sort=False)


def _in_training(leaks: pd.DataFrame, column: str) -> str:
    if column not in leaks:
        return ""
    rows = leaks[(leaks["copies are"] == "ignored") & leaks[column].notna()]
    counts = [f"{row['protocol']} {row[column]}" for row in rows.to_dict("records") if row[column]]
    ways = "where splits ignore copies, test recordings"
    return f" ({ways}: {', '.join(counts)})" if counts else ""


def _contradictions(
    target: pd.DataFrame, groups: Column, names: Sequence[str]
) -> Iterator[Finding]:
    frame, groups = target.reset_index(drop=True), pd.Series(np.asarray(groups))
    for column in target.columns.drop(SPEAKER, errors="ignore"):
        examples = []
        known = frame[column].notna() & groups.duplicated(keep=False)
        for _, rows in frame[known].groupby(groups[known], sort=False):
            if contradict(rows[column]):
                labels = {names[row]: band_text(rows[column][row]) for row in rows.index}
                examples.append(", ".join(f"{name}: {labels[name]}" for name in sorted(labels)))
        if examples:
            count = counted(len(examples), "recording")
            yield Finding(
                SERIOUS,
                "one recording with two labels",
                f"{column}: {count} ({name_few(sorted(examples), 2)})",
                "At most one of the labels is right, and no model can be right on both.",
                "Listen, correct the labels, and leave the copies out.",
            )
