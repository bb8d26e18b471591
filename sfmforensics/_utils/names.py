"""Names of recordings as people read them: on one line, unmistakable, harmless to a terminal."""

from __future__ import annotations

import os
import unicodedata
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics._utils.recordings import Segment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from typing_extensions import TypeIs

    from sfmforensics._types import PathLike
    from sfmforensics._utils.recordings import FileRecording


_LONG = 200
_NAMED = 3

_QUOTES = ("'", '"')
_TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
"""Invisible characters that turn the direction of what follows, and so the order of letters."""


def show_name(path: PathLike | bytes) -> str:
    r"""Name a file in a message or a table.

    Examples
    --------
    >>> print(show_name("a b.wav"))
    a b.wav
    >>> print(show_name("two\nlines.wav"))
    'two\nlines.wav'
    >>> print(show_name(b"caf\xe9.wav"))
    'caf\udce9.wav'
    """
    name = _true_name(path)
    plain = name.isprintable() and name == name.strip() and not name.startswith(_QUOTES)
    return name if plain and name else repr(name)


def keep_name(path: PathLike | bytes) -> str:
    r"""Name a file in a cell of a CSV table, to be matched with other tables.

    Examples
    --------
    >>> print(keep_name("3.14\u202fPM.wav") == "3.14\u202fPM.wav")
    True
    >>> print(keep_name("\x1b[2Ja.wav"))
    '\x1b[2Ja.wav'
    """
    name = _true_name(path)
    unsafe = any(
        unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(c) in _TURNS
        for c in name
    )
    return show_name(name) if unsafe or name.startswith(_QUOTES) else name


def name_on_disk(name: str) -> str:
    """Give the name by which a file is opened, of one that a table holds.

    Examples
    --------
    >>> name_on_disk("a.wav")
    'a.wav'
    """
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return os.fsdecode(name.encode("utf-8", "surrogatepass"))
    return name


def _true_name(path: PathLike | bytes) -> str:
    """A name as it is in UTF-8, where the locale knows ASCII alone."""
    name = str(os.fsdecode(path))
    if any("\udc80" <= c <= "\udcff" for c in name):
        try:
            return os.fsencode(name).decode("utf-8")
        except UnicodeError:
            pass  # it is no UTF-8
    return name


def escape_text(text: str, keep: str = "\n") -> str:
    r"""Make a text harmless to a terminal and to any encoding.

    Examples
    --------
    >>> print(escape_text("a\x1b[31mb"))
    a\u001b[31mb
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    """As JSON escapes it: two halves beyond the first 65,536 characters."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def describe_source(source: Any) -> str:
    """Name a recording for an error message.

    Examples
    --------
    >>> import numpy as np
    >>> describe_source("a.wav")
    'a.wav'
    >>> describe_source((np.zeros(8000), 8000))
    'signal of shape (8000,) at 8000 Hz'
    """
    if isinstance(source, Segment):
        name = f"{show_name(source.path)}{source.fragment}"
        return f"{source.origin}: {name}" if source.origin else name
    if is_path(source):
        return show_name(source)
    try:
        signal, rate = source
        return escape_text(f"signal of shape {_shape(signal)} at {rate} Hz", keep="")
    except Exception:  # whatever a stranger's object does when it is unpacked or printed
        return f"recording of type {type(source).__name__}"


def _shape(signal: Any) -> tuple[int, ...]:

    return np.shape(signal)


def is_path(source: object) -> TypeIs[PathLike]:
    """Tell a path from a signal.

    Examples
    --------
    >>> is_path("a.wav"), is_path(([0.0, 0.1], 16_000))
    (True, False)
    """
    return isinstance(source, (str, os.PathLike))


def file_of(source: object) -> PathLike | None:
    """Give the file that a recording is, or lies in; None for a signal.

    Examples
    --------
    >>> file_of("a.wav"), file_of(Segment("a.wav", 1, 2)), file_of(([0.0, 0.1], 16_000))
    ('a.wav', 'a.wav', None)
    """
    if isinstance(source, Segment):
        return source.path
    return source if is_path(source) else None


def recording_text(source: FileRecording) -> str:
    """The name of a recording as a text in which nothing is escaped.

    Examples
    --------
    >>> recording_text(Segment("a.wav", 1, 2)), recording_text("a.wav")
    ('a.wav#t=1,2', 'a.wav')
    """
    if isinstance(source, Segment):
        return os.fsdecode(source.path) + source.fragment
    return os.fsdecode(source)


def keep_recording(source: object) -> str | None:
    """Name a recording in a cell of a table, as `keep_name`; None for a signal.

    Examples
    --------
    >>> keep_recording(Segment("a.wav", 1, 2)), keep_recording("a.wav")
    ('a.wav#t=1,2', 'a.wav')
    """
    path = file_of(source)
    if path is None:
        return None
    return keep_name(path) + (source.fragment if isinstance(source, Segment) else "")


def name_few(names: Sequence[object], count: int = _NAMED) -> str:
    """Name the first few of many in an error message.

    Examples
    --------
    >>> name_few(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    rest = len(names) - count
    few = ", ".join(_readable(str(name)) for name in names[:count])
    return few + (f" and {rest} more" if rest > 0 else "")


def _readable(name: str) -> str:
    """A name as it is, unless it is endless or holds what a terminal would obey."""
    if len(name) > _LONG:
        name = f"{name[: _LONG // 2]}...{name[-_LONG // 2 :]}"
    return name if name.isprintable() else repr(name)[1:-1]
