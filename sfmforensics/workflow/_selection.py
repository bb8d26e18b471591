"""Which recordings of a corpus are used, and what of them is heard."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from sfmforensics._utils.names import describe_source
from sfmforensics._utils.progress import progress
from sfmforensics.audio import MIN_SAMPLES, stream_heard
from sfmforensics.audio._hearing import Hearing
from sfmforensics.exceptions import AudioError, AudioWarning, SFMForensicsError
from sfmforensics.views import hearing_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from sklearn.pipeline import Pipeline

    from sfmforensics._types import Channel, Handling
    from sfmforensics._utils.recordings import Recording

_FEW = 3
LEFT_OUT = ["recording", "path", "reason"]


def hearing_for(channel: Channel, on_error: Handling) -> Hearing:
    """Say what is heard where recordings that cannot be used are handled so."""
    if on_error not in ("stop", "skip", "use"):
        raise SFMForensicsError(f'on_error is {on_error!r}; use "stop", "skip" or "use"')
    return Hearing(channel, "use" if on_error == "use" else "refuse")


def hearing_of_case(model: Pipeline, channel: Channel | None, on_error: Handling) -> Hearing:
    """Say what a model hears of recordings of a case; a channel of None is that of its views."""
    own = hearing_of(model[0])
    hearing = hearing_for(own.channel if channel is None else channel, on_error)
    return own if hearing == Hearing(own.channel) else hearing


def usable_part(
    corpus: Bunch, on_error: Handling, hearing: Hearing, least: int, verbose: bool
) -> tuple[Bunch, pd.DataFrame]:
    """Leave out of a corpus what cannot be used, where that was asked for."""
    nothing = pd.DataFrame([], columns=LEFT_OUT)
    if on_error != "skip":
        return corpus, nothing
    refused = refusals(corpus.data, hearing, least, verbose)
    if not refused:
        return corpus, nothing
    positions = np.array([i for i in range(len(corpus.data)) if i not in refused], dtype=int)
    if not len(positions):
        first = next(iter(refused.values()))
        raise SFMForensicsError(f"none of {len(corpus.data)} recordings can be used: {first}")
    warn_left_out(list(refused.values()), len(corpus.data))
    rows = [
        (place, describe_source(corpus.data[place]), str(error)) for place, error in refused.items()
    ]
    parts: dict[str, Any] = {"data": [corpus.data[place] for place in positions]}
    for name in ("target", "details"):
        if corpus.get(name) is not None:
            parts[name] = corpus[name].iloc[positions].reset_index(drop=True)
    if corpus.get("groups") is not None:
        parts["groups"] = np.asarray(corpus.groups)[positions]
    return Bunch(**{**corpus, **parts}), pd.DataFrame(rows, columns=LEFT_OUT)


def refusals(
    recordings: Sequence[Recording],
    hearing: Hearing,
    least: int,
    verbose: bool = False,
    *,
    stop: bool = False,
) -> dict[int, AudioError]:
    """Read recordings to their ends, and give the errors of those that cannot be used, by place.

    With `stop` the first of them is raised.
    """
    errors: dict[int, AudioError] = {}
    with progress("reading recordings", len(recordings), verbose) as advance:
        for place, recording in enumerate(recordings):
            try:
                for _ in stream_heard(recording, hearing, min_samples=least):
                    pass  # only whether it can be used is asked; none is held whole
            except AudioError as error:
                if stop:
                    raise
                errors[place] = error
            advance(1)
    return errors


def check_recordings(
    recordings: Sequence[Recording], *, channel: Channel = "auto", verbose: bool = False
) -> None:
    """Read recordings to their ends, and refuse the first that cannot be used.

    Parameters
    ----------
    recordings : sequence of path-like or of (ndarray, int)
    channel : int or {"auto", "mix"}, default="auto"
        As in `sfmforensics.audio.read_audio`.
    verbose : bool, default=False
        Show a progress bar.

    Raises
    ------
    AudioError
        It cannot be used.
    """
    refusals(recordings, Hearing(channel), MIN_SAMPLES, verbose, stop=True)


def warn_left_out(errors: Sequence[AudioError], number: int) -> None:
    """Say which recordings, of how many, were left out."""
    if not errors:
        return
    if len(errors) <= _FEW:
        said = [f"left out: {error}" for error in errors]
    else:
        names = ", ".join(error.source for error in errors[:_FEW])
        said = [
            f"left out: {len(errors)} of {number} recordings ({names} and "
            f"{len(errors) - _FEW} more); the first: {errors[0]}"
        ]
    for text in said:
        warnings.warn(text, AudioWarning, stacklevel=4)


def told_left_out(left_out: pd.DataFrame) -> dict[str, Any]:
    """What a manifest says of recordings that were left out; nothing where none were."""
    rows: Iterable[Any] = left_out[["path", "reason"]].to_dict("records")
    return {"left_out": rows} if len(left_out) else {}
