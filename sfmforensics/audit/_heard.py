"""Recordings of which not all is heard: channels that differ, ends that are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfmforensics._utils.names import name_few
from sfmforensics.audio import heard_of
from sfmforensics.audio._channels import DIFFERENT, INVERTED, SILENT
from sfmforensics.audio._hearing import Hearing
from sfmforensics.audit._finding import NOTE, SERIOUS, Finding, counted
from sfmforensics.audit._same import names_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sfmforensics._types import Channel, Recording, Truncated


def hearing_findings(
    data: Sequence[Recording], channel: Channel = "auto", truncated: Truncated = "refuse"
) -> list[Finding]:
    """Say of which recordings not all is heard.

    Parameters
    ----------
    data : list of length n_recordings
        Paths, or ``(signal, rate)`` pairs.
    channel : int or {"auto", "mix"}, default="auto"
        As in `sfmforensics.audio.read_audio`.
    truncated : {"refuse", "use"}, default="refuse"
        As in `sfmforensics.audio.read_audio`.

    Returns
    -------
    list of Finding

    Examples
    --------
    >>> import numpy as np
    >>> tone = np.sin(np.arange(16_000))
    >>> call = np.column_stack([tone * (tone > 0.9), tone * np.hanning(16_000)])
    >>> [found.finding for found in hearing_findings([(call, 16_000), (tone, 16_000)])]
    ['channels differ']
    """
    hearing = Hearing(channel, truncated)
    told = [heard_of(recording, hearing) for recording in data]
    names = names_of(data)

    def of(key: str, value: str | None = None) -> list[str]:
        return [
            name
            for name, one in zip(names, told, strict=True)
            if key in one and value in (None, one[key])
        ]

    found = []
    for named, severity, finding, why, remedy in (
        (
            of("because", DIFFERENT),
            SERIOUS,
            "channels differ",
            "Each party of a call may have its own: their mean would be one voice of two, so that "
            "evaluate and train stop at such a recording.",
            "Say which is to be heard: --channel 1, 2, ..., or mix for their mean.",
        ),
        (
            of("because", SILENT),
            NOTE,
            "a silent channel",
            "Only the others are heard; the mean of all would be softer.",
            "Nothing, if nobody speaks there.",
        ),
        (
            of("because", INVERTED),
            NOTE,
            "channels of opposite polarity",
            "Their mean would cancel the voice; the first is heard.",
            "Nothing, or record with one polarity.",
        ),
        (
            of("missing"),
            NOTE if truncated == "use" else SERIOUS,
            "cut",
            "The end of the file is missing, by what its header promises or its last page says.",
            "Get the whole file. Only with --on-error use is what is there used.",
        ),
    ):
        if named:
            what = f"{counted(len(named), 'recording')} ({name_few(sorted(named))})"
            found.append(Finding(severity, finding, what, why, remedy))
    return found
