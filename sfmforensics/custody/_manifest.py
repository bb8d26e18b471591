"""A manifest as a file: written, read, checked."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, cast

import numpy as np

from sfmforensics._utils.files import file_hash, write_atomically
from sfmforensics._utils.names import file_of, show_name
from sfmforensics._utils.outputs import check_outputs, is_manifest
from sfmforensics._utils.paths import user_name, user_path
from sfmforensics._utils.plain import pack
from sfmforensics._utils.progress import progress
from sfmforensics._utils.recordings import Segment
from sfmforensics._utils.versions import hardware, library_versions
from sfmforensics.audio import MIN_SAMPLES, SAMPLE_RATE, heard_of
from sfmforensics.audio._hearing import USUAL
from sfmforensics.audio._survey import content_hash, look_at
from sfmforensics.exceptions import CustodyError, EmbedderError, ModelFileError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    import pandas as pd
    from sklearn.pipeline import FeatureUnion

    from sfmforensics._types import Array, PathLike, Split
    from sfmforensics.embedders import BaseEmbedder


MANIFEST = "manifest.json"
"""Name of the manifest in a folder of results."""
FORMAT = "sfmforensics manifest 1"
OF_FILES = ("answers", "comparison", "identification")
"""Kinds of manifests that are a file of their own, not one of a folder of results."""

_OF_NOBODY = ("format", "kind", "started", "finished", "hardware", "versions", "preprocessing")
_OF_NOBODY += ("views", "model", "preset", "seed", "parameters", "tasks", "balance")
_OF_CALIBRATION = ("calibration", "speakers")
"""Facts of a model's manifest, and of its calibration, that tell of no person; whatever else comes
to stand there may."""


def write_manifest(folder: PathLike, manifest: dict[str, Any], *, overwrite: bool = False) -> Path:
    """Write a manifest into a folder of results.

    Parameters
    ----------
    folder : path-like
        Where the results are.
    manifest : dict
        As `Provenance.manifest` gives it.
    overwrite : bool, default=False
        Whether it may take the place of something else than a manifest of its kind.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        It cannot be written, or would take the place of something else.
    """
    path = user_path(folder) / MANIFEST
    check_outputs({"folder": {path: is_manifest(str(manifest.get("kind")))}}, overwrite=overwrite)
    write_atomically(path, json.dumps(manifest, indent=1))
    return path


def read_manifest(path: PathLike) -> dict[str, Any]:
    """Read a manifest.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    dict

    Raises
    ------
    CustodyError
        It is missing or no manifest. Whether it was changed, `is_sealed` tells.

    Examples
    --------
    >>> read_manifest("nowhere/manifest.json")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.CustodyError: nowhere/manifest.json: no such file; evaluate, reproduce,
    train and embed --output write one last, so a run may have been stopped: run it again
    """
    try:
        manifest = json.loads(user_path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CustodyError(
            f"{path}: no such file; evaluate, reproduce, train and embed --output write one last, "
            "so a run may have been stopped: run it again"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise _no_manifest(path, error) from error
    check_manifest(manifest, path)
    return manifest


def check_manifest(manifest: object, path: PathLike) -> None:
    """Refuse what has not the form of a manifest.

    Parameters
    ----------
    manifest : object
        As JSON gave it.
    path : path-like
        Where it was, for the message.

    Raises
    ------
    CustodyError
        It is none, or of another version.
    """
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise _no_manifest(path, f"its format is not {FORMAT!r}")
    forms = {"recordings": list, "views": dict, "versions": dict, "hardware": dict}
    for key, form in forms.items():
        value = manifest.get(key)
        if not isinstance(value, form):
            raise _no_manifest(path, f"its {key} are no {form.__name__}")
    parts = [*manifest["recordings"], *manifest["views"].values()]
    if not all(isinstance(part, dict) for part in parts):
        raise _no_manifest(path, "a recording or a view is not told of by names")


def _no_manifest(path: PathLike, reason: object) -> CustodyError:
    return CustodyError(
        f"{path}: it is no manifest of this version ({reason}); take it from where it was written, "
        "or run again"
    )


def manifest_without_people(manifest: dict[str, Any]) -> dict[str, Any]:
    """Give the manifest of a model without what it says of recordings and the people in them.

    Parameters
    ----------
    manifest : dict
        As `Provenance.manifest` gives it; stays as it is.

    Returns
    -------
    dict
        Sealed anew, of facts that are about nobody: there are no recordings, no command (whose
        paths may hold names) and no places of those that calibrated, but "people": {"included":
        False, "recordings": how many there were, "calibrated", "left_out", "sha256": that of the
        whole manifest}, by which who keeps the whole one can show that this is of it.
    """
    calibration = manifest.get("calibration") or {}
    counts = {
        "included": False,
        "recordings": len(manifest["recordings"]),
        "calibrated": len(calibration.get("recordings", [])),
        "left_out": len(calibration.get("left_out", [])),
        "sha256": manifest.get("sha256"),
    }
    reduced = {name: manifest[name] for name in _OF_NOBODY if name in manifest} | {
        "recordings": [],
        "calibration": {name: calibration[name] for name in _OF_CALIBRATION if name in calibration},
        "people": manifest.get("people", counts),
    }
    return reduced | {"sha256": seal(reduced)}


def is_sealed(manifest: dict[str, Any]) -> bool:
    """Whether a manifest is as it was made; by somebody who knows how, any can be made."""
    return manifest.get("sha256") == seal({k: v for k, v in manifest.items() if k != "sha256"})


def seal(manifest: dict[str, Any]) -> str:
    """Give the sha256 over a manifest without its own."""
    return sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


_PART = {"start", "end", "channel"}
"""What a record says of a segment besides its file."""

_HERE_ALONE = ("cache", "device", "batch_size", "verbose", "channel", "truncated")
"""Parameters of an embedder that tell of a machine or of the recordings, not of the view."""


def describe_views(views: FeatureUnion) -> dict[str, dict[str, Any]]:
    """Say of each view what makes its vectors, and how to build it again.

    Parameters
    ----------
    views : FeatureUnion
        As `sfmforensics.make_views` gives it.

    Returns
    -------
    dict of str to dict
        By name: `BaseEmbedder.provenance`, and "parameters", or None where only code can hold them.

    Examples
    --------
    >>> from sfmforensics import make_views
    >>> describe_views(make_views("mfcc"))["mfcc"]["embedder"]
    'MFCCEmbedder'
    """
    return {name: _view(name, embedder) for name, embedder in views.transformer_list}


def _view(name: str, embedder: BaseEmbedder) -> dict[str, Any]:
    try:
        description = embedder.provenance()
    except EmbedderError as error:  # a function that does not say what it is
        description = {"embedder": type(embedder).__name__, "identity": None, "why": str(error)}
    values = embedder.get_params(deep=False)
    try:
        parameters = {
            key: pack(value, f"{key} of view {name!r}")
            for key, value in values.items()
            if key not in _HERE_ALONE
        }
        return description | {"parameters": parameters}
    except ModelFileError:
        return description | {"parameters": None}


def describe_splits(
    splits: Mapping[str, Sequence[Split]],
) -> dict[str, list[dict[str, Any]]]:
    """Say which recordings were tested in each fold, and which were not used.

    Parameters
    ----------
    splits : dict of str to list of (ndarray, ndarray)
        By protocol: positions of training and test recordings.

    Returns
    -------
    dict of str to list of dict
        By protocol, for each fold: "test", positions in the list of recordings; "train", how many
        were learnt from; "sha256" of both lists.
    """
    return {
        str(protocol): [
            {
                "test": np.asarray(test).tolist(),
                "train": len(train),
                "sha256": sha256(
                    json.dumps([np.asarray(part).tolist() for part in (train, test)]).encode()
                ).hexdigest(),
            }
            for train, test in folds
        ]
        for protocol, folds in splits.items()
    }


def matrix_hash(X: pd.DataFrame | Array) -> str:
    """Identify a matrix of vectors by its content.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_recordings, n_features)
        Vectors; read block by block where it lies on disk.

    Returns
    -------
    str
        sha256 in hexadecimal, over the shape and the values as little-endian float32.

    Examples
    --------
    >>> matrix_hash(np.zeros((2, 3)))[:8]
    '910238ea'
    """
    values = X.to_numpy() if hasattr(X, "to_numpy") else np.asarray(X)
    content = sha256(f"{values.shape}".encode())
    for start in range(0, len(values), 4096):
        block = np.ascontiguousarray(values[start : start + 4096], dtype="<f4")
        content.update(block.data)
    return content.hexdigest()


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, TypeAlias

    from sklearn.pipeline import FeatureUnion

    from sfmforensics._types import PathLike
    from sfmforensics._utils.recordings import FileRecording, Recording
    from sfmforensics.audio._hearing import Hearing

    Stamp: TypeAlias = tuple[int, int, int, int]


class Provenance:
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
        and "rate" of a signal; or "path" and "found" of what is no file. Of a segment also "start",
        "end" (seconds) and "channel", as far as it says them. Of a recording of several
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
                record, stamp = _noted(recording, hearing)
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
            if not _noted(record["path"], None)[0].items() <= record.items():
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
        content = {
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
        return content | {"sha256": seal(content)}


def recorded_in(
    records: Iterable[Mapping[str, Any]],
    others: Iterable[Mapping[str, Any]] | Mapping[str, Any] | None,
) -> list[bool]:
    """Tell of each recording whether it is among others, by its file or by its samples.

    Parameters
    ----------
    records : iterable of dict
        As `Provenance.records` holds them. Samples are compared where both were hashed.
    others : iterable of dict, dict or None
        The same; or the manifest of a model, for those that it has learnt from. None has none.

    Returns
    -------
    list of bool
        One for each of the records.

    Examples
    --------
    >>> recorded_in([{"sha256": "1", "content": "a"}, {"sha256": "2"}], [{"content": "a"}])
    [True, False]
    """
    others = others.get("recordings", []) if isinstance(others, Mapping) else others or []
    contents = {other["content"] for other in others if "content" in other}
    files: dict[str, list[Mapping[str, Any]]] = {}
    for other in others:
        if "sha256" in other:
            files.setdefault(other["sha256"], []).append(other)
    return [
        record.get("content") in contents
        or any(_overlap(record, other) for other in files.get(record.get("sha256", ""), ()))
        for record in records
    ]


def _overlap(record: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two recordings of one file, whole or in part, share some of it."""
    channels = {part["channel"] for part in (record, other) if isinstance(part.get("channel"), int)}
    start = max(part.get("start", 0.0) for part in (record, other))
    end = min(part.get("end", math.inf) for part in (record, other))
    return len(channels) < 2 and start < end


def recording_of(record: Mapping[str, Any], path: str) -> FileRecording:
    """Give the recording that a record tells of, whose file is at a path now.

    Parameters
    ----------
    record : dict
        As `Provenance.records` holds it.
    path : str
        The file.

    Returns
    -------
    str or Segment

    Examples
    --------
    >>> recording_of({"start": 1.0, "end": 2.5}, "a.wav").fragment
    '#t=1,2.5'
    """
    if not _PART & record.keys():
        return path
    return Segment(path, record.get("start", 0.0), record.get("end"), record.get("channel"))


def _noted(recording: Recording, hearing: Hearing | None) -> tuple[dict[str, Any], Stamp | None]:
    """A recording's record, and the stamp of its file."""
    file = file_of(recording)
    if file is None:
        signal, rate = cast("tuple[Array, int]", recording)
        signal = np.ascontiguousarray(signal)
        return {
            "sha256": sha256(signal.tobytes()).hexdigest(),
            "shape": list(signal.shape),
            "dtype": signal.dtype.str,
            "rate": int(rate),
        }, None
    path = os.path.abspath(user_name(os.fsdecode(file)))
    stamp, part = _stamp(path), _part_of(recording)
    if stamp is None:
        return {"path": path, "found": "no regular file"} | part, None
    surveyed = look_at(recording, hearing)
    try:
        digest = file_hash(path) if surveyed is None else surveyed.sha256
        return {"path": path, "bytes": stamp[0], "sha256": digest} | part, stamp
    except OSError as error:
        return {"path": path, "found": f"it cannot be read ({error.strerror})"} | part, None


def _part_of(recording: Recording) -> dict[str, Any]:
    """Which part of its file a recording is; nothing for all of it."""
    if not isinstance(recording, Segment):
        return {}
    parts = {"start": recording.start, "end": recording.end, "channel": recording.channel}
    return {name: value for name, value in parts.items() if value is not None}


def _stamp(path: PathLike) -> Stamp | None:
    """Changes whenever a file does; None for what is no file, and may block whoever opens it."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
