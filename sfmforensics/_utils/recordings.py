"""What a recording is: a sound file, a part of one, or a signal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from sfmforensics._types import Array, PathLike


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a sound file: a stretch of time, one channel, or both; a recording of its own.

    Parameters
    ----------
    path : path-like
        The file.
    start : float, default=0.0
        Where it begins, in seconds from the start of the file.
    end : float or None, default=None
        Where it ends, in seconds; None for the end of the file.
    channel : int, "mix" or None, default=None
        Which channel it is, counted from 1, or the mean of all; None leaves that to whoever reads.
    origin : str, default=""
        What lists it, such as a row of a table, for messages; two segments may differ in it and be
        equal.

    Notes
    -----
    Nothing is checked before it is read. Of wav, aiff and flac it is found by its place; other
    files are decoded from the start for each of their segments. Its name is that of the file with
    what the W3C's media fragments write behind one, ``#t=START,END``, and ``&channel=``.

    Examples
    --------
    >>> Segment("call.wav", 1.5, 3.25, channel=2).fragment
    '#t=1.5,3.25&channel=2'
    >>> Segment("call.wav", 60).fragment, Segment("call.wav", channel=1).fragment
    ('#t=60', '#channel=1')
    """

    path: PathLike
    start: float = 0.0
    end: float | None = None
    channel: int | Literal["mix"] | None = None
    origin: str = field(default="", compare=False)

    @property
    def fragment(self) -> str:
        """What stands behind the name of the file."""
        parts = []
        if self.start or self.end is not None:
            end = "" if self.end is None else f",{_seconds(self.end)}"
            parts.append(f"t={_seconds(self.start)}{end}")
        if self.channel is not None:
            parts.append(f"channel={self.channel}")
        return "#" + "&".join(parts) if parts else ""


def _seconds(seconds: float) -> str:
    """To the microsecond, which no two samples share."""
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


FileRecording: TypeAlias = "PathLike | Segment"
"""A sound file, or a part of one."""
Recording: TypeAlias = "PathLike | Segment | tuple[Array, int]"
"""The path of a sound file, a part of one, or a signal in [-1, 1] with its rate in Hz."""
Recordings: TypeAlias = "Sequence[Recording] | pd.Series | pd.DataFrame | Array"
"""Many of them; of a DataFrame, its only column."""
