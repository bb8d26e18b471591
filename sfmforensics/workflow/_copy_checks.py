"""Copies: among recordings that are used together, and of those that a model has learnt from."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._utils.names import describe_source, file_of, name_few, recording_text
from sfmforensics.audio._hearing import USUAL, Hearing
from sfmforensics.audit import SAME_TAKE, join_copies, near_copies
from sfmforensics.audit._copies import compared
from sfmforensics.custody import recorded_in, recording_of
from sfmforensics.datasets import find_copies
from sfmforensics.exceptions import AudioError, EvidenceWarning, TargetError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sklearn.pipeline import Pipeline

    from sfmforensics._types import BoolArray, IntArray, Matrix
    from sfmforensics._utils.recordings import FileRecording, Recording
    from sfmforensics.custody import Provenance

GO_ON = "--allow-known-speakers (allow_known_speakers=True) goes on, and the results say so"


@dataclass(frozen=True)
class Copies:
    """Which of some recordings are one.

    Parameters
    ----------
    exact : ndarray of shape (n_recordings,), int
        Recordings with equal numbers hold the same samples.
    near : DataFrame
        As `sfmforensics.audit.near_copies` gives it.
    joined : ndarray of shape (n_recordings,), int
        Recordings with equal numbers are exact or near copies of one.
    """

    exact: IntArray
    near: pd.DataFrame
    joined: IntArray


def copies_among(
    data: Sequence[Recording],
    X: Matrix | None = None,
    *,
    neighbours: int = 5,
    verbose: bool = False,
    hearing: Hearing = USUAL,
) -> Copies:
    """Find the copies among recordings: whatever keeps copies together, or apart, goes by this."""
    exact = find_copies(data, verbose=verbose)
    near = near_copies(
        data,
        X,
        copies=exact,
        neighbours=neighbours,
        verbose=verbose,
        channel=hearing.channel,
        truncated=hearing.truncated,
    )
    return Copies(exact, near, join_copies(exact, near))


def refuse_pairs(
    files: Sequence[FileRecording],
    pairs: Sequence[tuple[int, int, str, str]],
    allow: bool,
    hearing: Hearing = USUAL,
) -> list[dict[str, Any]]:
    """Refuse recordings that are one take; of near copies an examiner may know better."""
    # All with all where that is a matter of seconds: of a case there are few.
    copies = copies_among(files, neighbours=min(len(files), 20), hearing=hearing)
    # By their samples, of which the first alone is compared with others.
    near = {
        frozenset(copies.exact[[row["first"], row["second"]]].tolist()): float(row["correlation"])
        for row in copies.near.to_dict("records")
    }
    used = []
    for first, second, role, remedy in pairs:
        if copies.exact[first] == copies.exact[second]:
            raise AudioError(
                describe_source(files[second]),
                f"it holds the same samples as {describe_source(files[first])}{role}",
                remedy,
            )
        correlation = near.get(frozenset(copies.exact[[first, second]].tolist()))
        if correlation is None:
            continue
        said = (
            f"it is the same take as {describe_source(files[first])}{role}, at another level, cut "
            f"or coding (their waveforms correlate by {correlation:.3f}; copies do by {SAME_TAKE} "
            "and more)"
        )
        if not allow:
            raise AudioError(
                describe_source(files[second]),
                said,
                f"{remedy}; if you have listened and know better, --allow-copies "
                "(allow_copies=True) goes on, and the manifest and the page say so",
            )
        warnings.warn(f"{describe_source(files[second])}: {said}", EvidenceWarning, stacklevel=4)
        pair = {
            side: recording_text(files[place])
            for side, place in (("first", first), ("second", second))
        }
        used.append(pair | {"correlation": correlation})
    return used


@dataclass(frozen=True)
class Heard:
    """Recordings of a corpus that a model has learnt from.

    Parameters
    ----------
    exact, near : ndarray of shape (n_recordings,), bool
        Whose samples are those of one of its recordings; which are a near copy of one.
    absent : int
        Recordings of the model that are not where they were, or that cannot be heard: near copies
        of these are not found.
    unidentified : int
        Those of them of which only the file was hashed: copies in another container are not found.
    unknown : bool
        Whether the model does not say at all what it has learnt from.
    """

    exact: BoolArray
    near: BoolArray
    absent: int
    unidentified: int
    unknown: bool


def heard_by(
    model: Pipeline,
    data: Sequence[Recording],
    provenance: Provenance,
    verbose: bool = False,
    hearing: Hearing = USUAL,
) -> Heard:
    """Tell which recordings a model has been trained or calibrated with."""
    records = _learnt(model)
    exact = np.asarray(recorded_in(provenance.records, records), dtype=bool)
    there: list[Recording] = [
        recording_of(record, record["path"]) for record in records if _is_there(record)
    ]
    n, absent = len(there), [record for record in records if not _is_there(record)]
    near = np.zeros(len(data), dtype=bool)
    unheard = 0
    if n and not exact.all():
        every = [*there, *data]
        hearings = [_hearing_of(model)] * n + [hearing] * len(data)
        equal = find_copies(every, verbose=verbose)
        pairs, usable = compared(every, None, hearings, equal, verbose=verbose)
        exact = exact | np.isin(equal[n:], equal[:n])
        joined = join_copies(equal, pairs)
        near = np.isin(joined[n:], joined[:n]) & ~exact
        unheard = int((~usable[:n]).sum())
    unidentified = sum("content" not in record for record in absent)
    return Heard(exact, near, len(absent) + unheard, unidentified, not records)


def _hearing_of(model: Pipeline) -> Hearing:
    """How a model heard what it has learnt from; 0.1.0 took the mean, also of cut files."""
    settings = (getattr(model, "manifest_", None) or {}).get("preprocessing", {})
    return Hearing(settings.get("channel", "mix"), settings.get("truncated", "use"))


def refuse_heard(heard: Heard, data: Sequence[Recording]) -> None:
    """Refuse to validate a model by what it has learnt from."""
    for which, are in (
        (heard.exact, "have trained or calibrated the model"),
        (
            heard.near,
            "are near copies of recordings that have trained or calibrated the model, at another "
            "level, cut or coding",
        ),
    ):
        if which.any():
            names = [
                describe_source(one) if file_of(one) is not None else f"recording {place}"
                for place, one in enumerate(data)
                if which[place]
            ]
            raise TargetError(
                f"{which.sum()} of {len(which)} recordings {are} ({name_few(names)}); assess it "
                f"with speakers of whom it has heard nothing; {GO_ON}"
            )


def warn_of_absent(heard: Heard, *, people: bool = True) -> None:
    """Say what could not be compared with a corpus, and what goes on though it is known."""
    known = int((heard.exact | heard.near).sum())
    if known:
        warnings.warn(
            f"{known} of {len(heard.exact)} recordings, or copies of them, have trained or "
            "calibrated the model: of strangers it is worse than this",
            EvidenceWarning,
            stacklevel=3,
        )
    if heard.unknown and people:
        text = "the model does not say what it has learnt from: whether it has heard these "
        warnings.warn(f"{text}recordings cannot be checked", EvidenceWarning, stacklevel=3)
    if heard.absent:
        text = (
            f"{heard.absent} recordings that the model has learnt from are not where they were, or "
            "cannot be heard: near copies of these could not be looked for"
        )
        if heard.unidentified:
            text += (
                f"; of {heard.unidentified} the model, which an older version wrote, holds only "
                "the hash of the file, so that a copy in another format is not noticed either"
            )
        warnings.warn(text, EvidenceWarning, stacklevel=3)


def _learnt(model: Pipeline) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = (getattr(model, "manifest_", None) or {}).get("recordings", [])
    return records


def _is_there(record: dict[str, Any]) -> bool:
    path = record.get("path")
    try:
        # By its size: a hash of all of them would take as long as listening to them.
        return path is not None and os.path.getsize(path) == record.get("bytes")
    except (OSError, ValueError):
        return False
