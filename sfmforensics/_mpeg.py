"""Silence for the decoder of MP3, which complains of damaged files on standard error."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

_COMPLAINTS = (b"Note: ", b"Warning: ", b"[src/libmpg123/", b"main: [src/libmpg123/")
_OTHERS = (b"RIFF", b"RIFX", b"RF64", b"riff", b"fLaC", b"OggS", b"FORM", b".snd", b"caff")


class _Turns:
    """Standard error is one for all threads: the first to come turns it away, the last back."""

    def __init__(self) -> None:
        self.lock, self.inside = threading.Lock(), 0
        self.kept: int | None = None
        self.said: IO[bytes] | None = None


_TURNS = _Turns()


def may_be_mpeg(start: bytes) -> bool:
    r"""Whether the decoder of MP3 may be asked to read a file.

    Parameters
    ----------
    start : bytes
        The first four bytes of the file.

    Returns
    -------
    bool

    Examples
    --------
    >>> may_be_mpeg(b"RIFF"), may_be_mpeg(b"ID3\x03")
    (False, True)
    """
    return not start.startswith(_OTHERS)


@contextlib.contextmanager
def decoder_silenced(silence: bool = True) -> Iterator[None]:
    """Drop what libmpg123 writes to standard error meanwhile; nothing else is lost.

    Parameters
    ----------
    silence : bool, default=True
        False does nothing.

    Notes
    -----
    libsndfile holds the decoder and offers no way to make it quiet; what it says of a damaged file
    would stand amid the tables of the command line. What other threads write in that time is
    written at its end.
    """
    if not silence:
        yield
        return
    with _TURNS.lock:
        if _TURNS.inside == 0:
            _turn_away()
        _TURNS.inside += 1
    try:
        yield
    finally:
        with _TURNS.lock:
            _TURNS.inside -= 1
            if _TURNS.inside == 0:
                _turn_back()


def _turn_away() -> None:
    try:
        _TURNS.kept = os.dup(2)
    except OSError:  # there is no standard error
        return
    _TURNS.said = tempfile.TemporaryFile()  # noqa: SIM115 (the last to leave closes it)
    os.dup2(_TURNS.said.fileno(), 2)


def _turn_back() -> None:
    if _TURNS.kept is None:
        return
    os.dup2(_TURNS.kept, 2)
    os.close(_TURNS.kept)
    with cast("IO[bytes]", _TURNS.said) as said:
        said.seek(0)
        others = [line for line in said if line.strip() and not line.startswith(_COMPLAINTS)]
    _TURNS.kept = _TURNS.said = None
    with contextlib.suppress(OSError):
        os.write(2, b"".join(others))
