"""Why recordings that a table names are not there: other letters, another form, another folder."""

from __future__ import annotations

import os
import re
import unicodedata
from itertools import combinations
from typing import TYPE_CHECKING

from sfmforensics._utils.names import name_few

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_AUDIO = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aif", ".aiff", ".au", ".sph", ".wma")
_DRIVE = re.compile(r"[A-Za-z]:")


def _plain(name: str) -> str:
    """A name without what cannot be seen, its letters in one form."""
    if name.isascii():
        return name
    letters = "".join(c for c in name if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFKC", letters)


def _joined(name: str) -> str:
    return "".join(name.split())


def _stem(name: str) -> str:
    return os.path.splitext(name)[0] or name


_DIFFERENCES: dict[str, Callable[[str], str]] = {
    "capitals": str.casefold,
    "the Unicode form of a letter": _plain,
    "blanks": _joined,
    "the extension": _stem,
}
_SAID = 3
_BACKSLASHES, _FOLDER = "backslashes", "the folder"


def _bare(name: str) -> str:
    return _joined(_plain(name).casefold())


class Folders:
    """Names on the disk below a folder, each folder listed once."""

    def __init__(self, root: str, allow_outside: bool) -> None:
        self.root, self.allow_outside = root, allow_outside
        self._inside = os.path.realpath(root)
        self._listed: dict[str, tuple[set[str], dict[str, str], dict[str, str]]] = {}

    def find(self, cell: str) -> tuple[str, tuple[str, ...]] | None:
        """Find the recording that a cell means."""
        parts = [part for part in cell.split("/") if part not in ("", ".")]
        tried: list[tuple[list[str], tuple[str, ...]]] = []
        if not os.path.isabs(cell):
            tried.append((parts, ()))
        if "\\" in cell:
            bare = _DRIVE.sub("", cell.replace("\\", "/"), count=1)
            parts = [part for part in bare.split("/") if part not in ("", ".")]
            tried.append((parts, (_BACKSLASHES,)))
        # On another machine the folder was another one: what is behind it may be the same.
        tried += [(parts[first:], (_FOLDER,)) for first in range(1, len(parts))]
        for wanted, reasons in tried:
            disk_names = self._follow(wanted)
            if disk_names is not None:
                names = os.path.join(*disk_names)
                return names, (*reasons, *_differences("/".join(wanted), "/".join(disk_names)))
        return None

    def _follow(self, parts: Sequence[str]) -> list[str] | None:
        folder, disk_names = self.root, []
        for place, part in enumerate(parts):
            names, bare, stems = self._names(folder)
            last = place == len(parts) - 1
            name = part if part in names else bare.get(_bare(part))
            if name is None and last:
                name = stems.get(_bare(_stem(part)), stems.get(_bare(part)))
            if name is None or part == "..":
                return None
            disk_names.append(name)
            folder = os.path.join(folder, name)
        return (
            disk_names if disk_names and os.path.isfile(folder) and self._is_open(folder) else None
        )

    def _names(self, folder: str) -> tuple[set[str], dict[str, str], dict[str, str]]:
        if folder not in self._listed:
            names: list[str] = []
            if self._is_open(folder):
                try:
                    names = sorted(os.listdir(folder))
                except OSError:  # a file, or one that may not be read: nothing is known of it
                    names = []
            self._listed[folder] = (
                set(names),
                {_bare(name): name for name in reversed(names)},
                {
                    _bare(_stem(name)): name
                    for name in reversed(names)
                    if name.lower().endswith(_AUDIO)  # a transcript beside it is no recording
                },
            )
        return self._listed[folder]

    def _is_open(self, path: str) -> bool:
        """Whether what is there may be told: not of other folders."""
        real = os.path.realpath(path)
        return (
            self.allow_outside
            or real == self._inside
            or real.startswith(os.path.join(self._inside, ""))
        )


def _differences(cell: str, name: str) -> tuple[str, ...]:
    """The fewest differences that make one name of two."""
    for count in range(len(_DIFFERENCES) + 1):
        for chosen in combinations(_DIFFERENCES.items(), count):
            one, other = cell, name
            for _, change in chosen:
                one, other = change(one), change(other)
            if one == other:
                return tuple(reason for reason, _ in chosen)
    return tuple(_DIFFERENCES)


def explain_missing(root: str, cells: Sequence[str], *, allow_outside: bool = False) -> str:
    """Say what comes near to recordings that do not exist.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> root = tempfile.mkdtemp()
    >>> (Path(root) / "Anna.wav").touch()
    >>> explain_missing(root, ["anna.WAV", "bert.wav"])
    '1 differs in capitals from a file that is there (anna.WAV is Anna.wav)'
    """
    folders = Folders(root, allow_outside)
    by_reason: dict[tuple[str, ...], list[str]] = {}
    for cell in cells:
        match = folders.find(cell)
        if match is not None:
            name, reasons = match
            by_reason.setdefault(reasons, []).append(f"{cell} is {name}")
    explanations = list(_told(by_reason))
    rest = sum(map(len, by_reason.values())) - sum(count for count, _ in explanations[:_SAID])
    return ", ".join(
        [text for _, text in explanations[:_SAID]] + [f"{rest} in others"] * (rest > 0)
    )


def _told(by_reason: dict[tuple[str, ...], list[str]]) -> Iterator[tuple[int, str]]:
    for reasons, pairs in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        one = len(pairs) == 1
        yield (
            len(pairs),
            f"{len(pairs)} {'differs' if one else 'differ'} in {' and '.join(reasons)} from "
            f"{'a file that is' if one else 'files that are'} there ({name_few(pairs, 1)})",
        )
