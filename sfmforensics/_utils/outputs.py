"""Outputs that destroy nothing: neither what the same run reads nor what somebody else wrote."""

from __future__ import annotations

import csv
import json
import mmap
import os
import re
import stat
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sfmforensics._utils.files import write_atomically
from sfmforensics._utils.names import file_of, show_name
from sfmforensics._utils.paths import user_path
from sfmforensics.exceptions import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any, TypeAlias

    from sfmforensics._types import PathLike
    from sfmforensics._utils.recordings import Recording

    Test: TypeAlias = Callable[[Path], bool]
    Key: TypeAlias = tuple[str, ...] | tuple[int, int]

_HEAD = 2**16
"""Bytes by which a file is recognised."""
_DPM = (5906).to_bytes(4, "big")
"""150 dots per inch, in a metre."""
_POLICY = b"default-src &#x27;none&#x27;; img-src data:; style-src &#x27;unsafe-inline&#x27;"
_MANIFEST = re.compile(rb'\{\s*"format": "sfmforensics manifest \d+",\s*"kind": "(\w+)"')
_BEGUN, _BEGUN_FORMAT = ".sfmforensics-begun", "sfmforensics begun 1"


@dataclass(frozen=True)
class _Run:
    """What a command reads and writes, by the names that its user knows."""

    names: Mapping[str, str]
    written: Mapping[str, Mapping[Path, Test]]
    read: Mapping[str, Iterable[PathLike]]


_run: ContextVar[_Run | None] = ContextVar("_run", default=None)


@contextmanager
def in_run(
    names: Mapping[str, str],
    written: Mapping[str, Mapping[Path, Test]],
    read: Mapping[str, Iterable[PathLike]],
) -> Iterator[None]:
    """Let every check inside know of what a command reads and writes besides."""
    outer = _run.get()
    if outer is not None:
        names, written = {**outer.names, **names}, {**outer.written, **written}
        read = {**outer.read, **read}
    token = _run.set(_Run(names, written, read))
    try:
        yield
    finally:
        _run.reset(token)


def check_outputs(
    written: Mapping[str, Mapping[Path, Test]],
    read: Mapping[str, Iterable[Recording]] | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Refuse, before anything is computed, to write over what must not be lost.

    Notes
    -----
    Files are the same if their device and inode are, so that symbolic and hard links are seen
    through; or if they will be the same once they are written. Devices and pipes are nobody's, and
    an empty file holds nothing that could be lost.
    """
    run = _run.get() or _Run({}, {}, {})
    readers: dict[Key, str] = {}
    for parameter, paths in (*run.read.items(), *(read or {}).items()):
        for path in paths:
            file = file_of(path)
            if file is not None:
                for key in _keys(user_path(file)):
                    readers.setdefault(key, run.names.get(parameter, parameter))
    own = {_place(path) for files in written.values() for path in files}
    writers: dict[Key, str] = {}
    outputs = [
        (run.names.get(parameter, parameter), path, test, known)
        for known, group in ((False, written), (True, run.written))
        for parameter, files in group.items()
        for path, test in files.items()
        # What a command has registered, and hands to this function, is one file, not two.
        if not (known and _place(path) in own)
    ]
    for name, path, test, known in outputs:
        keys = _keys(path)
        for key in keys:
            if key in readers:
                raise OutputError(
                    f"{show_name(path)}: {name} would write over it, but {readers[key]} reads it; "
                    f"name another place for {name}"
                )
            other = writers.setdefault(key, name)
            if other != name:
                raise OutputError(
                    f"{show_name(path)}: both {name} and {other} would write it; give each a file "
                    "of its own"
                )
        if not known:
            _refuse_taken(name, path, test, overwrite, hint="--overwrite" if run.names else None)


def _refuse_taken(name: str, path: Path, test: Test, overwrite: bool, hint: str | None) -> None:
    if path.is_dir():
        raise OutputError(
            f"{show_name(path)} is a folder; name a file for {name}, as in {show_name(path / 'a')}"
        )
    above = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
    if not above.is_dir():
        raise OutputError(
            f"{show_name(above)} is a file; {name} needs a folder there: name another"
        )
    if overwrite or is_replaceable(path, test):
        return
    what = "a link to a file that is not there" if not path.exists() else "a file"
    raise OutputError(
        f"{show_name(path)}: {what} is there already, and it is none that {name} writes; name "
        f"another place, or let it be replaced: {hint or 'overwrite=True'}"
    )


def is_replaceable(path: Path, test: Test) -> bool:
    """Whether nothing is lost where a file takes this place, or what this package wrote itself."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return not path.is_symlink()
    except OSError:
        return False
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        return True
    try:
        return test(path)
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return False


def _place(path: Path) -> Key:
    """Where a file stands, or will: its folder without links, and its name."""
    whole = os.path.abspath(path)
    return os.path.realpath(os.path.dirname(whole)), os.path.basename(whole)


def _keys(path: Path) -> list[Key]:
    """What tells that two paths are of one file; nothing for devices, which may be read by many."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        try:
            return [_place(path)]
        except (OSError, ValueError):
            return []
    if stat.S_ISREG(status.st_mode):
        return [(status.st_dev, status.st_ino), _place(path)]
    return []


# -- what is this package's own ----------------------------------------------------------------


def anything(path: Path) -> bool:
    """Take any file for this package's own: of those whose names nobody else would give."""
    return True


def nothing(path: Path) -> bool:
    """Take no file for this package's own, unless its folder lists it; see `own_files`."""
    return False


def is_table(*columns: str) -> Test:
    """Recognise a CSV table by how its header begins."""

    def test(path: Path) -> bool:
        line = _head(path).decode("utf-8-sig", "replace").partition("\n")[0]
        return next(csv.reader([line.rstrip("\r")]), [])[: len(columns)] == list(columns)

    return test


def is_json(*keys: str) -> Test:
    """Recognise a JSON object by its keys."""

    def test(path: Path) -> bool:
        content = json.loads(path.read_bytes())
        return isinstance(content, dict) and set(keys) <= set(content)

    return test


def is_manifest(*kinds: str) -> Test:
    """Recognise a manifest of some kinds; that of a folder of results is no manifest of answers."""

    def test(path: Path) -> bool:
        match = _MANIFEST.match(_head(path))
        return match is not None and match[1].decode() in kinds

    return test


def is_page(title: str) -> Test:
    """Recognise a page of HTML by its policy, and by a part of its title."""

    def test(path: Path) -> bool:
        head = _head(path)
        match = re.search(rb"<title>(.*?)</title>", head, re.DOTALL)
        return _POLICY in head and match is not None and title.encode() in match[0]

    return test


def begins_with(text: str) -> Test:
    """Recognise a text by how it begins."""
    return lambda path: _head(path).startswith(text.encode())


def is_figure(path: Path) -> bool:
    """Recognise a PNG file as `sfmforensics.report.figures.save_png` writes it.

    Such a file has 150 dots per inch and no text in it, where one that matplotlib writes for
    somebody else says that it did.
    """
    head = _head(path)
    return (
        head.startswith(b"\x89PNG\r\n\x1a\n")
        and head[33:50] == b"\x00\x00\x00\tpHYs" + 2 * _DPM + b"\x01"
        and head[58:62] == b"IDAT"
    )


def is_model(path: Path) -> bool:
    """Recognise a model that `save_model` or `train_model` wrote, without running any of it."""
    with open(path, "rb") as file:
        start = file.read(9)
        if start[8:] == b"{":  # safetensors: the length of its header, and the header
            length = min(int.from_bytes(start[:8], "little"), os.fstat(file.fileno()).st_size)
            return b"sfmforensics model " in b"{" + file.read(length - 1)
        if start[:1] != b"\x80":
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(b"sfmforensics manifest ") >= 0  # of a pipeline of train_model


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(_HEAD)


def own_files(folder: Path, names: Mapping[str, Test], *kinds: str) -> dict[Path, Test]:
    """Give files of a folder of results with what recognises each, for `check_outputs`."""
    listed: set[str] = set()
    for file, key, known in (
        ("manifest.json", "results", is_manifest(*kinds)),
        (_BEGUN, "files", is_json("format", "files")),
    ):
        try:
            if known(folder / file):
                listed |= set(json.loads((folder / file).read_bytes())[key])
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            continue
    return {folder / name: anything if name in listed else test for name, test in names.items()}


@contextmanager
def begun(folder: Path, names: Iterable[str]) -> Iterator[None]:
    """Keep a note of what is being written into a folder, until all of it is there.

    For files that do not tell by themselves who wrote them: if the run is killed, the next one
    knows them by the note. See `own_files`.
    """
    names = list(names)
    note: dict[str, Any] = {"format": _BEGUN_FORMAT, "files": names}
    write_atomically(folder / _BEGUN, json.dumps(note))
    try:
        yield
    except BaseException:
        if not any((folder / name).exists() for name in names):  # there is nothing to know again
            (folder / _BEGUN).unlink(missing_ok=True)
        raise
    (folder / _BEGUN).unlink(missing_ok=True)
