"""Paths as users write them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sfmforensics._utils.recordings import Segment

if TYPE_CHECKING:
    from sfmforensics._types import PathLike
    from sfmforensics._utils.recordings import FileRecording


def user_path(path: PathLike) -> Path:
    """Give the path that a user means: a leading ``~`` or ``~USER`` is a home.

    Examples
    --------
    >>> user_path("voices/~a.wav").as_posix()
    'voices/~a.wav'
    >>> user_path("~/a.wav") == Path.home() / "a.wav"
    True
    >>> user_path("./~") == Path.cwd() / "~" == user_path(user_path("./~"))
    True
    """
    expanded = Path(user_name(path))
    return expanded.absolute() if str(expanded).startswith("~") else expanded


def user_name(path: PathLike) -> str:
    """Give the same as a text, in which everything but the home is as it was."""
    name = os.fspath(path)
    if not isinstance(name, str) or not name.startswith("~"):
        return name
    try:
        return os.path.expanduser(name)
    except (ValueError, OSError):  # a name that no user can have
        return name


def user_recording(recording: FileRecording) -> str | Segment:
    """Give a recording whose file is the one that a user means, see `user_path`.

    Examples
    --------
    >>> user_recording(Segment("a.wav", 1, 2)).path
    'a.wav'
    """
    if isinstance(recording, Segment):
        return replace(recording, path=user_name(os.fsdecode(recording.path)))
    return user_name(os.fsdecode(recording))
