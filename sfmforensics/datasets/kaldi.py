"""Kaldi data folders: wav.scp, segments, and a file for each thing that is said of utterances."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sfmforensics._utils.paths import user_path
from sfmforensics.datasets._listing import Listing, columns_of, corpus_of, spelled_out
from sfmforensics.exceptions import DatasetError, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

_LAYOUT = "a Kaldi data folder with wav.scp (UTTERANCE PATH, or RECORDING PATH and segments)"
_NAMES = {"spk": "speaker", "emo": "emotion", "sex": "gender", "lang": "language"}
_ABOUT_FILES = {"dur", "num_frames", "num_samples", "uniq", "utt"}
"""What utt2... files say that is no label."""
_INSIDE = re.compile(r":\d+(\[.*\])?$")
_CHANNELS = {"A": "1", "B": "2", "0": "1", "1": "1", "2": "2"}


def load_kaldi(
    root: PathLike, *, tasks: Sequence[str] | None = None, allow_outside: bool = False
) -> Bunch:
    r"""Load a Kaldi data folder [1]_.

    Parameters
    ----------
    root : path-like
        Folder with ``wav.scp`` and, where there are any, ``segments``, ``reco2file_and_channel``,
        ``utt2spk``, ``spk2gender``, ``text``, and further files ``utt2NAME`` and ``spk2NAME``.
    tasks : sequence of str or None, default=None
        Columns that are learnt, as for `load_table`.
    allow_outside : bool, default=False
        Whether a recording may lie outside of the folder, as most of Kaldi's do; see `load_table`.

    Returns
    -------
    sklearn.utils.Bunch
        As of `load_table`, a row for each utterance, in the order of the files: ``speaker`` of
        utt2spk, ``gender`` of spk2gender ("female" for f, "male" for m), and a column for each
        other file: ``emotion`` of utt2emo or utt2emotion, ``age`` of spk2age, ... ``details`` has
        ``utterance``, and ``text``.

    Raises
    ------
    DatasetError
        There is no wav.scp; an entry is a pipe or a place in an archive; a line has too few fields;
        a segment is of a recording that is not listed; or what `load_table` refuses.

    Notes
    -----
    An entry of wav.scp that ends with ``|`` is a command. A table that somebody else made runs no
    command here: write what it gives to files (``wav-copy``), and list these.

    Paths that are not absolute are looked for from the data folder.

    References
    ----------
    .. [1] https://kaldi-asr.org/doc/data_prep.html

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "call.wav").touch()
    >>> _ = (root / "wav.scp").write_text("call call.wav\n")
    >>> _ = (root / "segments").write_text("ann-1 call 0.5 2.25\nbob-1 call 2.5 -1\n")
    >>> _ = (root / "utt2spk").write_text("ann-1 ann\nbob-1 bob\n")
    >>> _ = (root / "spk2gender").write_text("ann f\nbob m\n")
    >>> corpus = load_kaldi(root)
    >>> [recording.fragment for recording in corpus.data]
    ['#t=0.5,2.25', '#t=2.5']
    >>> corpus.target.to_dict("list")
    {'speaker': ['ann', 'bob'], 'gender': ['female', 'male']}
    """
    root = Path(os.path.abspath(user_path(root)))
    if not (root / "wav.scp").is_file():
        problem = "does not exist" if not root.exists() else "has no wav.scp"
        raise DatasetError(f"{root}: {problem}; expected {_LAYOUT}")
    sounds = _pairs(root / "wav.scp")
    for name, entry in sounds.items():
        _refuse_no_file(root / "wav.scp", name, entry, root)
    channels = {}
    if (root / "reco2file_and_channel").is_file():
        channels = {
            name: _channel(root / "reco2file_and_channel", name, rest)
            for name, rest in _pairs(root / "reco2file_and_channel").items()
        }
    columns: dict[str, list[str]]
    if (root / "segments").is_file():
        columns = _segments(root / "segments", sounds, channels)
    else:
        names = list(sounds)
        columns = {"path": list(sounds.values()), "utterance": names}
        columns["channel"] = [channels.get(name, "") for name in names]
    if set(columns["channel"]) <= {"", "1"} and "2" not in channels.values():
        del columns["channel"]  # of recordings of one channel Kaldi says that as well
    utterances = columns["utterance"]
    columns |= _labels(root, utterances)
    rows = [f"utterance {name}" for name in utterances]
    listing = Listing(root / "wav.scp", root, columns_of(columns), rows)
    return corpus_of(listing, tasks=tasks, allow_outside=allow_outside, details=("utterance",))


def _pairs(file: Path) -> dict[str, str]:
    """Names and the rest of each line."""
    pairs: dict[str, str] = {}
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DatasetError(f"{file}: is not UTF-8; write it in UTF-8") from error
    except OSError as error:
        raise DatasetError(f"{file}: cannot be read ({error.strerror})") from error
    for number, line in enumerate(lines, start=1):
        name, _, rest = line.strip().partition(" ")
        if not name and not rest:
            continue
        if "\t" in name:
            name, _, rest = line.strip().partition("\t")
        if name in pairs:
            raise DatasetError(f"{file}: line {number}: {shown(name)} is there twice; delete one")
        pairs[name] = rest.strip()
    return pairs


def _refuse_no_file(file: Path, name: str, entry: str, root: Path) -> None:
    if not entry:
        raise DatasetError(f"{file}: {shown(name)} has no path; expected {_LAYOUT}")
    if entry.endswith("|") or entry.startswith("|"):
        raise DatasetError(
            f"{file}: {shown(name)} is a pipe ({shown(entry)}), a command that is not run here; "
            "write what it gives to a file (as Kaldi's wav-copy does), and list that"
        )
    if _INSIDE.search(entry) and not (root / entry).is_file():
        raise DatasetError(
            f"{file}: {shown(name)} is a place in an archive ({shown(entry)}), which is not read; "
            "write each recording to a file (as Kaldi's wav-copy does), and list these"
        )


def _channel(file: Path, name: str, rest: str) -> str:
    side = rest.split()[-1] if rest else ""
    if side not in _CHANNELS:
        raise DatasetError(f"{file}: {shown(name)} has the channel {shown(side)}; expected A or B")
    return _CHANNELS[side]


def _segments(file: Path, sounds: dict[str, str], channels: dict[str, str]) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = {
        name: [] for name in ("path", "start", "end", "channel", "utterance")
    }
    for name, rest in _pairs(file).items():
        fields = rest.split()
        if len(fields) not in (3, 4):
            raise DatasetError(
                f"{file}: {shown(name)} is followed by {shown(rest)}; expected RECORDING START END"
            )
        recording, start, end = fields[:3]
        if recording not in sounds:
            raise DatasetError(
                f"{file}: {shown(name)} is of {shown(recording)}, which wav.scp does not list; "
                "add it there, or delete the segment"
            )
        columns["utterance"].append(name)
        columns["path"].append(sounds[recording])
        columns["start"].append(start)
        columns["end"].append("" if end in ("-1", "-1.0", "-1.00") else end)
        side = fields[3] if len(fields) == 4 else ""
        side = str(int(side) + 1) if side.isdigit() else channels.get(recording, "")
        columns["channel"].append(side)
    return columns


def _labels(root: Path, utterances: Sequence[str]) -> dict[str, list[str]]:
    """What the files say of utterances, or of those who speak."""
    columns: dict[str, list[str]] = {}
    speakers: dict[str, str] = {}
    if (root / "utt2spk").is_file():
        speakers = _pairs(root / "utt2spk")
        columns["speaker"] = [speakers.get(name, "") for name in utterances]
    if (root / "text").is_file():
        texts = _pairs(root / "text")
        columns["text"] = [texts.get(name, "") for name in utterances]
    for file in sorted(root.iterdir()):
        of, two, what = file.name.partition("2")
        if not (two and of in ("utt", "spk") and what and file.is_file()):
            continue
        name = _NAMES.get(what, what)
        if what in _ABOUT_FILES or name in columns or "." in what:
            continue
        values = _pairs(file)
        keys = utterances if of == "utt" else [speakers.get(one, "") for one in utterances]
        columns[name] = [values.get(key, "") for key in keys]
        if name == "gender":
            columns[name] = spelled_out(columns[name])
    return columns
