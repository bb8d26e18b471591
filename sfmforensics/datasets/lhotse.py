"""Lhotse manifests: recordings and supervisions, or cuts, as JSON lines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfmforensics._utils.paths import user_path
from sfmforensics.datasets._listing import Listing, columns_of, corpus_of, spelled_out
from sfmforensics.datasets._records import read_records, text_of_value
from sfmforensics.exceptions import DatasetError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

    # What a row is called, its recording, its stretch in seconds, channel, and what is said of it.
    Row = tuple[str, dict[str, Any], float, float, Any, dict[str, Any]]

_ENDS = (".jsonl", ".jsonl.gz")
_LAYOUT = (
    "a folder with Lhotse's recordings*.jsonl(.gz) and supervisions*.jsonl(.gz), or "
    "cuts*.jsonl(.gz)"
)
_OWN = ("speaker", "gender", "language", "text")
_PASSED_OVER = ("dataloading_info", "alignment", "shard_origin", "shar_epoch")
_WHOLE = 0.005
"""Seconds by which a stretch may miss the end of its recording and be all of it."""


def load_lhotse(
    root: PathLike, *, tasks: Sequence[str] | None = None, allow_outside: bool = False
) -> Bunch:
    """Load manifests of Lhotse [1]_.

    Parameters
    ----------
    root : path-like
        Folder with ``recordings*.jsonl`` and ``supervisions*.jsonl``, or with ``cuts*.jsonl``
        (which come first), gzipped or not; or one file of cuts.
    tasks : sequence of str or None, default=None
        Columns that are learnt, as for `load_table`.
    allow_outside : bool, default=False
        Whether a recording may lie outside of the folder, as for `load_table`.

    Returns
    -------
    sklearn.utils.Bunch
        As of `load_table`, a row for each supervision: ``speaker``, ``gender`` ("female" for F,
        "male" for M), ``language`` and whatever stands under ``custom``, such as ``emotion``.
        ``details`` has ``utterance`` (the supervision's id) and ``text``. A cut without
        supervisions is a row without labels.

    Raises
    ------
    DatasetError
        There are no manifests; a recording is no file (a command, an address, bytes), or lies in
        several files; a cut is mixed of several; a supervision is of a recording that is not
        listed; or what `load_table` refuses.

    Notes
    -----
    The manifests are read as they are: Lhotse itself is not needed, and nothing is opened. A
    supervision that covers its recording is the whole file, others are segments. Channels are
    counted from 0 there and from 1 here. Relative paths are looked for from the folder of the
    manifests, then from where the program runs. Manifests in YAML, and Shar, are not read: write
    them as JSON lines with ``lhotse copy``.

    References
    ----------
    .. [1] https://lhotse.readthedocs.io/en/latest/corpus.html

    Examples
    --------
    >>> import json, tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "call.wav").touch()
    >>> source = {"type": "file", "channels": [0], "source": "call.wav"}
    >>> recording = {"id": "r", "sources": [source], "sampling_rate": 8000, "duration": 60.0}
    >>> said = {"id": "s", "recording_id": "r", "start": 1.5, "duration": 2, "channel": 0}
    >>> said |= {"speaker": "ann", "gender": "F", "custom": {"emotion": "joy"}}
    >>> _ = (root / "recordings.jsonl").write_text(json.dumps(recording))
    >>> _ = (root / "supervisions.jsonl").write_text(json.dumps(said))
    >>> corpus = load_lhotse(root)
    >>> corpus.data[0].fragment, corpus.target.to_dict("list")
    ('#t=1.5,3.5', {'speaker': ['ann'], 'gender': ['female'], 'emotion': ['joy']})
    """
    root = Path(os.path.abspath(user_path(root)))
    source, rows = _rows(root)
    columns: dict[str, list[str]] = {"path": [], "start": [], "end": [], "channel": []}
    records: list[tuple[str, dict[str, Any]]] = []
    folder = root if root.is_dir() else root.parent
    for name, recording, start, end, channel, said in rows:
        path, n_channels = _file(recording, name, source)
        if not os.path.isabs(path) and not (folder / path).is_file() and os.path.isfile(path):
            path = os.path.abspath(path)
        length = float(recording.get("duration", "inf"))
        whole = start <= 0 and end >= length - _WHOLE
        columns["path"].append(path)
        columns["start"].append("" if whole else repr(start))
        columns["end"].append("" if whole or end >= length else repr(end))
        columns["channel"].append(_channel(channel, n_channels))
        records.append((name, said))
    for name in ("start", "end", "channel"):
        if not any(columns[name]):
            del columns[name]
    names = dict.fromkeys(name for _, said in records for name in said)
    columns |= {
        name: [text_of_value(said.get(name), name, row, source) for row, said in records]
        for name in names
    }
    if "gender" in columns:
        columns["gender"] = spelled_out(columns["gender"])
    listing = Listing(source, folder, columns_of(columns), [row for row, _ in records])
    return corpus_of(listing, tasks=tasks, allow_outside=allow_outside, details=("utterance",))


def find_manifests(root: Path, kind: str) -> list[Path]:
    """Manifests of a kind in a folder, sorted.

    Examples
    --------
    >>> find_manifests(Path("nowhere"), "cuts")
    []
    """
    if not root.is_dir():
        return []
    return sorted(
        file for file in root.iterdir() if kind in file.name.lower() and file.name.endswith(_ENDS)
    )


def _rows(root: Path) -> tuple[Path, list[Row]]:
    if root.is_file():
        return root, list(_of_cuts([root]))
    cuts = find_manifests(root, "cuts")
    if cuts:
        return root if len(cuts) > 1 else cuts[0], list(_of_cuts(cuts))
    recordings = find_manifests(root, "recordings")
    supervisions = find_manifests(root, "supervisions")
    if not recordings or not supervisions:
        problem = "does not exist" if not root.exists() else "has no such manifests"
        raise DatasetError(f"{root}: {problem}; expected {_LAYOUT}")
    source = supervisions[0] if len(supervisions) == 1 else root
    return source, list(_of_supervisions(recordings, supervisions))


def _of_supervisions(recordings: Sequence[Path], supervisions: Sequence[Path]) -> Iterator[Row]:
    known = {
        str(record.get("id")): record for file in recordings for _, record in read_records(file)
    }
    for file in supervisions:
        for line, said in read_records(file):
            recording = known.get(str(said.get("recording_id")))
            if recording is None:
                raise DatasetError(
                    f"{file}: {line} is of the recording {shown(said.get('recording_id'))}, which "
                    "no recordings*.jsonl lists; add it there"
                )
            start = _number(said, "start", file, line)
            end = start + _number(said, "duration", file, line)
            yield line, recording, start, end, said.get("channel"), _said(said)


def _of_cuts(files: Sequence[Path]) -> Iterator[Row]:
    for file in files:
        for line, cut in read_records(file):
            recording = cut.get("recording")
            if not isinstance(recording, dict):
                kind = cut.get("type") or "a cut"
                raise DatasetError(
                    f"{file}: {line} is {kind} without one recording of its own (mixed, padded or "
                    "of features alone); write cuts of single recordings"
                )
            begin = _number(cut, "start", file, line)
            all_said = cut.get("supervisions") or []
            if not all_said:
                end = begin + _number(cut, "duration", file, line)
                yield line, recording, begin, end, cut.get("channel"), {"utterance": cut.get("id")}
            for said in all_said:
                start = begin + _number(said, "start", file, line)
                end = start + _number(said, "duration", file, line)
                channel = said.get("channel", cut.get("channel"))
                yield line, recording, max(start, 0.0), end, channel, _said(said)


def _said(said: dict[str, Any]) -> dict[str, Any]:
    custom = said.get("custom") or {}
    labels = {name: said.get(name) for name in _OWN if said.get(name) is not None}
    labels |= {
        name: value
        for name, value in custom.items()
        if name not in _PASSED_OVER and not isinstance(value, (dict, list))
    }
    return labels | {"utterance": said.get("id")}


def _number(record: dict[str, Any], name: str, file: Path, line: str) -> float:
    try:
        return float(record[name])
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{file}: {line}: {name} is {shown(record.get(name))}, not a number of seconds"
        ) from error


def _file(recording: dict[str, Any], line: str, source: Path) -> tuple[str, int]:
    """The one file of a recording, and its number of channels."""
    sources: Iterable[Any] = recording.get("sources") or []
    files = [one for one in sources if isinstance(one, dict)]
    name = shown(recording.get("id"))
    if len(files) != 1:
        raise DatasetError(
            f"{source}: {line}: the recording {name} lies in {len(files)} files; one is expected: "
            "write its channels to one file"
        )
    if files[0].get("type") != "file":
        raise DatasetError(
            f"{source}: {line}: the recording {name} is a {shown(files[0].get('type'))}, not a "
            "file; save it as one"
        )
    if recording.get("transforms"):
        raise DatasetError(
            f"{source}: {line}: the recording {name} is changed by Lhotse's transforms "
            "(another speed, rate or level), which are not applied here; save it as a file"
        )
    return str(files[0].get("source")), len(files[0].get("channels") or [0])


def _channel(channel: Any, n_channels: int) -> str:
    """From 0, or a list of several, to what a table says; nothing of a file of one channel."""
    if n_channels == 1 or channel is None:
        return ""
    if isinstance(channel, list):
        return "mix" if len(channel) == n_channels else str(int(channel[0]) + 1)
    return str(int(channel) + 1)
