"""Recordings as they were when a run began, and the manifest of what was made of them."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics._utils.files import file_hash
from sfmforensics._utils.names import is_path, show_name
from sfmforensics._utils.paths import user_name
from sfmforensics._utils.progress import progress
from sfmforensics._utils.versions import hardware, library_versions
from sfmforensics.audio import MIN_SAMPLES, SAMPLE_RATE, heard_of
from sfmforensics.audio._hearing import USUAL
from sfmforensics.custody._manifest import FORMAT, seal
from sfmforensics.custody._parts import describe_views
from sfmforensics.datasets._base import content_hash
from sfmforensics.exceptions import CustodyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, TypeAlias

    from sklearn.pipeline import FeatureUnion

    from sfmforensics._types import PathLike, Recording
    from sfmforensics.audio._hearing import Hearing

    Stamp: TypeAlias = tuple[int, int, int, int]


class Evidence:
    """Recordings as they are when a run begins.

    Parameters
    ----------
    recordings : sequence of path-like or of (ndarray, int)
        As embedders take them.
    verbose : bool, default=False
        Show a progress bar.
    hearing : Hearing, default=USUAL
        What is heard of them.
    decoded : bool, default=False
        Whether the decoded samples are hashed as well, which finds a recording again in another
        container: a wav file as flac.

    Attributes
    ----------
    records : list of dict
        Of each: "path" (absolute), "bytes" and "sha256" of the file; or "sha256", "shape", "dtype"
        and "rate" of a signal; or "path" and "found" of what is no file. Of a recording of several
        channels, or whose end is missing, also what `sfmforensics.audio.heard_of` tells. With
        `decoded` also "content", the sha256 of all samples, where they can be decoded.
    started : str
        Time, UTC, ISO 8601.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        verbose: bool = False,
        hearing: Hearing = USUAL,
        *,
        decoded: bool = False,
    ) -> None:
        self.started = _now()
        self._hearing = hearing
        self.records: list[dict[str, Any]] = []
        self._stamps: list[Stamp | None] = []
        with progress("hashing recordings", len(recordings), verbose) as advance:
            for recording in recordings:
                record, stamp = _noted(recording)
                # What is no file may block whoever opens it.
                content = content_hash(recording) if decoded and "sha256" in record else None
                record |= {} if content is None else {"content": content}
                self.records.append(record | heard_of(recording, hearing))
                self._stamps.append(stamp)
                advance(1)

    def check(self) -> None:
        """Make sure that the files are still those that the run began with.

        Raises
        ------
        CustodyError
            One has changed meanwhile: which of its contents was used is not known.
        """
        for record, stamp in zip(self.records, self._stamps, strict=True):
            if stamp is None or _stamp(record["path"]) == stamp:
                continue
            if not _noted(record["path"])[0].items() <= record.items():
                raise CustodyError(
                    f"{show_name(record['path'])}: it changed while it was used; run again once "
                    "nothing writes to it"
                )

    def manifest(
        self, kind: str, *, views: FeatureUnion | None = None, **facts: Any
    ) -> dict[str, Any]:
        """Tell what a result was made of.

        Parameters
        ----------
        kind : str
            What the result is: "evaluation", "model", ...
        views : FeatureUnion or None, default=None
            As `sfmforensics.make_views` gives it.
        **facts
            What else there is to know, as JSON holds it: seed, splits, results, command.

        Returns
        -------
        dict
            Sealed: its "sha256" is that of all the rest.

        Raises
        ------
        CustodyError
            A recording has changed since the run began.
        """
        self.check()
        told = {
            "format": FORMAT,
            "kind": kind,
            "started": self.started,
            "finished": _now(),
            "hardware": hardware(),
            "versions": library_versions(),
            "preprocessing": {
                "sample_rate": SAMPLE_RATE,
                "channel": self._hearing.channel,
                "truncated": self._hearing.truncated,
                "resampling": "soxr HQ",
                "shortest_samples": MIN_SAMPLES,
            },
            "views": {} if views is None else describe_views(views),
            **facts,
            "recordings": self.records,
        }
        return told | {"sha256": seal(told)}


def recorded_in(
    records: Iterable[Mapping[str, Any]], others: Iterable[Mapping[str, Any]]
) -> list[bool]:
    """Tell of each recording whether it is among others, by its file or by its samples.

    Parameters
    ----------
    records, others : iterable of dict
        As `Evidence.records` holds them. Samples are compared where both were hashed.

    Returns
    -------
    list of bool
        One for each of the records.

    Examples
    --------
    >>> recorded_in([{"sha256": "1", "content": "a"}, {"sha256": "2"}], [{"content": "a"}])
    [True, False]
    """
    keys = ("sha256", "content")
    held = {(key, other[key]) for other in others for key in keys if key in other}
    return [any((key, record.get(key)) in held for key in keys) for record in records]


def _noted(recording: Recording) -> tuple[dict[str, Any], Stamp | None]:
    """A recording's record, and the stamp of its file."""
    if not is_path(recording):
        signal, rate = recording
        signal = np.ascontiguousarray(signal)
        return {
            "sha256": sha256(signal.tobytes()).hexdigest(),
            "shape": list(signal.shape),
            "dtype": signal.dtype.str,
            "rate": int(rate),
        }, None
    path = os.path.abspath(user_name(os.fsdecode(recording)))
    stamp = _stamp(path)
    if stamp is None:
        return {"path": path, "found": "no regular file"}, None
    try:
        return {"path": path, "bytes": stamp[0], "sha256": file_hash(path)}, stamp
    except OSError as error:
        return {"path": path, "found": f"it cannot be read ({error.strerror})"}, None


def _stamp(path: PathLike) -> Stamp | None:
    """Changes whenever a file does; None for what is no file, and may block whoever opens it."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
