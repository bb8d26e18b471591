"""What is heard of recordings: which channel, and of those whose end is missing what is there."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics._utils.recordings import Segment
from sfmforensics.exceptions import AudioWarning, ParameterError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from sfmforensics._types import Channel, Truncated

CUT, CHANNEL = "cut", "channel"
_FEW = 3


@dataclass(frozen=True)
class Hearing:
    """What is heard of recordings.

    Parameters
    ----------
    channel : int or {"auto", "mix"}, default="auto"
        Which channel of a recording of several, counted from 1; "mix" is the mean of all, and
        "auto" goes by what they hold. A recording of one channel has no other.
    truncated : {"refuse", "use"}, default="refuse"
        What becomes of a file whose end is missing.

    Raises
    ------
    ParameterError
        It is none of these.

    Examples
    --------
    >>> Hearing(channel=2)
    Hearing(channel=2, truncated='refuse')
    >>> Hearing(channel=0)
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.ParameterError: channel is 0; use 1, 2, ... for one of them, "mix" for
    their mean, or "auto"
    """

    channel: Channel = "auto"
    truncated: Truncated = "refuse"

    def __post_init__(self) -> None:
        channel: Any = self.channel
        number = not isinstance(channel, bool) and isinstance(channel, (int, np.integer))
        number = number and channel >= 1
        if not number and (not isinstance(channel, str) or channel not in ("auto", "mix")):
            raise ParameterError(
                f"channel is {shown(channel)}; use 1, 2, ... for one of them, "
                '"mix" for their mean, or "auto"'
            )
        if self.truncated not in ("refuse", "use"):
            raise ParameterError(f'truncated is {shown(self.truncated)}; use "refuse" or "use"')

    def of(self, source: object) -> Hearing:
        """How a recording is heard: a segment may say which channel it is."""
        channel = source.channel if isinstance(source, Segment) else None
        return self if channel is None else replace(self, channel=channel)


USUAL = Hearing()


@dataclass(frozen=True)
class Note:
    """What was done with a recording that is not heard as it is.

    Parameters
    ----------
    source : str
        The recording, as messages name it.
    kind : str
        "cut" or "channel".
    finding : str
        What was found.
    action : str
        What was done.
    """

    source: str
    kind: str
    finding: str
    action: str


_OF_MANY = {
    CUT: "the ends of {} are missing ({}); what is there was used",
    CHANNEL: "of the channels of {} some are silent, or copies of opposite polarity ({}); others "
    "were taken",
}


def tell_notes(notes: Iterable[Note], stacklevel: int = 2) -> None:
    """Warn of what was done with recordings, of many of them at once."""
    for kind, of_many in _OF_MANY.items():
        few = list(dict.fromkeys(note for note in notes if note.kind == kind))
        if len(few) > _FEW:
            names = ", ".join(note.source for note in few[:_FEW])
            named = f"{names} and {len(few) - _FEW} more"
            texts = [of_many.format(f"{len(few)} recordings", named)]
        else:
            texts = [f"{note.source}: {note.finding}; {note.action}" for note in few]
        for text in texts:
            warnings.warn(text, AudioWarning, stacklevel=stacklevel + 1)
