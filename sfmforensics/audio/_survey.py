"""One look at each recording: what it shows is not read again while a command lasts."""

from __future__ import annotations

import functools
import os
import threading
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from hashlib import file_digest, sha256
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics._utils.names import file_of
from sfmforensics._utils.paths import user_name
from sfmforensics._utils.recordings import Segment
from sfmforensics.audio import _reading
from sfmforensics.audio._decoding import blocks_of, keep_open
from sfmforensics.audio._hearing import USUAL
from sfmforensics.audio._reading import (
    MIN_SAMPLES,
    SampleStatistics,
    file_stamp,
    heard_blocks,
    stream_file,
)
from sfmforensics.exceptions import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, ParamSpec, TypeAlias, TypeVar

    from sfmforensics._types import Array, PathLike, Signal
    from sfmforensics._utils.recordings import Recording
    from sfmforensics.audio._hearing import Hearing, Note

    Stretch: TypeAlias = tuple[float, float | None] | None
    P = ParamSpec("P")
    T = TypeVar("T")

_HELD_BYTES = 1 << 28
"""Of signals that are held, at most: 70 minutes; what is beyond is decoded when it is asked for."""


@dataclass(frozen=True)
class HeardSignal:
    """What is heard of a file in one way.

    Parameters
    ----------
    statistics : SampleStatistics
        What its samples showed.
    notes : tuple of Note
        What there is to say of its channels and its end.
    facts : dict
        As `heard_of` gives it.
    digest : str
        `sfmforensics.audio.signal_hash` of the signal.
    signal : ndarray of shape (n_samples,), float32, or None
        At 16 kHz; None where there was no room for it.
    """

    statistics: SampleStatistics
    notes: tuple[Note, ...]
    facts: dict[str, Any]
    digest: str
    signal: Signal | None


@dataclass(frozen=True)
class SurveyedFile:
    """What one look at a file showed; all of it is of the same bytes.

    Parameters
    ----------
    stamp : tuple of int
        Which changes when the file does.
    sha256 : str
        Of its bytes.
    info : (int, int, float)
        As `audio_info` gives it.
    contents : dict of (stretch, channel) to str or None
        As `content_hash` gives it; a stretch of None is the whole file, a channel of None all.
    heard : dict of (Hearing, stretch) to HeardSignal or None
        None where it is refused: it is read again by whoever asks, and refused in their words.
    """

    stamp: tuple[int, ...]
    sha256: str
    info: tuple[int, int, float]
    contents: dict[tuple[Stretch, int | str | None], str | None] = field(default_factory=dict)
    heard: dict[tuple[Hearing, Stretch], HeardSignal | None] = field(default_factory=dict)


class _Survey:
    """Files that were looked at, and how many bytes of signals are still to be held."""

    def __init__(self) -> None:
        self.files: dict[str, SurveyedFile] = {}
        self.room = _HELD_BYTES
        self.lock = threading.RLock()

    def look(
        self, path: str, source: PathLike | Segment, hearing: Hearing | None
    ) -> SurveyedFile | None:
        stretch, part = _stretch(source), _part(source)
        stamp = file_stamp(path)
        with self.lock:
            file = self.files.get(path)
            if file is not None and file.stamp != stamp:
                file = None
            if stamp is None:
                return None
            if (
                file is None
                or part not in file.contents
                or (hearing is not None and (hearing, stretch) not in file.heard)
            ):
                file = self._read(path, source, stamp, file, hearing)
                if file is None or file_stamp(path) != stamp:
                    return None
                self.files[path] = file
        return file

    def _read(
        self,
        path: str,
        source: PathLike | Segment,
        stamp: tuple[int, ...],
        file: SurveyedFile | None,
        hearing: Hearing | None,
    ) -> SurveyedFile | None:
        try:
            with keep_open(path) as handle:
                if file is None:
                    with open(handle, "rb", closefd=False) as opened:
                        whole = file_digest(opened, "sha256").hexdigest()
                    file = SurveyedFile(stamp, whole, _reading.audio_info(path))
                if _part(source) not in file.contents:
                    file.contents[_part(source)] = _content_hash(source)
                if hearing is not None:
                    file.heard[hearing, _stretch(source)] = self._hear(source, hearing)
        except (AudioError, OSError):
            return None
        return file

    def _hear(self, source: PathLike | Segment, hearing: Hearing) -> HeardSignal | None:
        notes: list[Note] = []
        statistics, digest, blocks, n_bytes = SampleStatistics(), sha256(), [], 0
        try:
            # Before the samples, so that what it finds of channels and end is not looked for again.
            facts = _reading.heard_of(source, hearing)
            for block in heard_blocks(source, hearing, notes.append, statistics):
                digest.update(block.astype("<f4", copy=False).data)
                n_bytes += block.nbytes
                if n_bytes <= self.room:
                    blocks.append(block)
                else:
                    blocks.clear()
        except AudioError:
            return None
        if statistics.refusal(1) is not None:
            return None
        signal = np.concatenate(blocks) if blocks else None
        self.room -= 0 if signal is None else signal.nbytes
        return HeardSignal(statistics, tuple(notes), facts, digest.hexdigest(), signal)


_CURRENT: ContextVar[_Survey | None] = ContextVar("survey", default=None)


def surveyed(command: Callable[P, T]) -> Callable[P, T]:
    """Let a function, and all that it calls, look at each recording once."""

    @functools.wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> T:
        token = _CURRENT.set(_CURRENT.get() or _Survey())
        try:
            return command(*arguments, **options)
        finally:
            _CURRENT.reset(token)

    return run


def look_at(source: Recording, hearing: Hearing | None = None) -> SurveyedFile | None:
    """Give what a file showed, looking at it if that was not done yet."""
    survey, path = _CURRENT.get(), file_of(source)
    if survey is None or path is None or os.name == "nt":
        return None
    path = os.path.abspath(user_name(os.fsdecode(path)))
    if isinstance(source, Segment):
        hearing = None if hearing is None else hearing.of(source)
        return survey.look(path, replace(source, path=path), hearing)
    return survey.look(path, path, hearing)


def _known(path: PathLike) -> SurveyedFile | None:
    """What is known already, whichever part of the file was asked for."""
    survey = _CURRENT.get()
    if survey is None:
        return None
    whole = os.path.abspath(user_name(os.fsdecode(path)))
    file = survey.files.get(whole)
    return file if file is not None and file.stamp == file_stamp(whole) else None


def _stretch(source: object) -> Stretch:
    return (source.start, source.end) if isinstance(source, Segment) else None


def _part(source: object) -> tuple[Stretch, int | str | None]:
    """Stretch and channel: which of the samples of a file are compared with others."""
    return _stretch(source), source.channel if isinstance(source, Segment) else None


def hear(source: Recording, hearing: Hearing) -> HeardSignal | None:
    """Give what was heard of a file; None as `look_at`, and where it is refused."""
    file = look_at(source, hearing)
    return None if file is None else file.heard.get((hearing.of(source), _stretch(source)))


def stream_heard(
    source: Recording,
    hearing: Hearing = USUAL,
    note: Callable[[Note], object] = lambda _: None,
    *,
    min_samples: int = MIN_SAMPLES,
) -> Iterator[Signal]:
    """Read a recording block by block, as `stream_audio`, without a warning.

    Parameters
    ----------
    source : path-like or (ndarray, int)
        As in `read_audio`.
    hearing : Hearing, default=USUAL
        Which channel is heard, and what becomes of a file whose end is missing.
    note : callable, optional
        Gets a `Note` of each thing that `stream_audio` would warn of.
    min_samples : int, default=400
        Shortest signal accepted, in samples at 16 kHz.

    Yields
    ------
    ndarray of shape (n_samples,), float32

    Raises
    ------
    AudioError
        As in `stream_audio`.
    """
    heard = hear(source, hearing)
    if heard is None or heard.signal is None:
        yield from stream_file(source, hearing, note, min_samples)
        return
    for one in heard.notes:
        note(one)
    yield heard.signal.copy()  # whoever gets it may write into it
    heard.statistics.check(source, min_samples)


def heard_of(source: Recording, hearing: Hearing = USUAL) -> dict[str, Any]:
    """Say what is heard of a recording, if that is not all of its only channel.

    Parameters
    ----------
    source : path-like or (ndarray, int)
        As in `read_audio`.
    hearing : Hearing, default=USUAL

    Returns
    -------
    dict
        As JSON holds it. Of several channels, "channels" is their number, "heard" those whose mean
        is heard, counted from 1, and "because" is "mean", "silent", "inverted", "different" or
        "asked"; of a file whose end is missing, "missing" says in words how much is. Empty for a
        whole recording of one channel, and for what cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> tone = np.sin(np.arange(16_000))
    >>> heard_of((tone, 16_000))
    {}
    >>> heard_of((np.column_stack([0 * tone, tone]), 16_000))
    {'channels': 2, 'heard': [2], 'because': 'silent'}
    """
    heard = hear(source, hearing)
    return _reading.heard_of(source, hearing) if heard is None else dict(heard.facts)


def audio_info(path: PathLike) -> tuple[int, int, float]:
    """Rate, channels and duration of a file, from its header.

    Parameters
    ----------
    path : path-like
        A file that libsndfile reads.

    Returns
    -------
    rate : int
        Sampling rate in Hz.
    channels : int
        Number of channels.
    seconds : float
        Duration in seconds.

    Raises
    ------
    AudioError
        The file is missing or not audio, or its rate is below 2 kHz or above 10 MHz.

    Examples
    --------
    >>> audio_info("missing.wav")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.AudioError: missing.wav: no such file; check the path
    """
    file = _known(path) or look_at(path)
    return _reading.audio_info(path) if file is None else file.info


def content_hash(recording: Recording) -> str | None:
    """Identify a recording by its decoded samples, whatever its container.

    Examples
    --------
    >>> content_hash((np.zeros(800), 16000)) == content_hash((np.zeros((800, 1)), 16000))
    True
    """
    file = look_at(recording)
    return _content_hash(recording) if file is None else file.contents[_part(recording)]


def _only(samples: Array, channel: int | str) -> Array:
    """One channel of several, or the mean of all."""
    if channel == "mix":
        return samples.mean(axis=1, keepdims=True)
    return samples[:, int(channel) - 1 : int(channel)]


def _content_hash(recording: Recording) -> str | None:
    digest: Any = None
    _, channel = _part(recording)
    try:
        for block, rate in blocks_of(recording, dtype="float64", to_the_break=True):
            samples = block[:, np.newaxis] if block.ndim == 1 else block
            samples = samples if channel is None else _only(samples, channel)
            digest = digest or sha256(f"{rate} {samples.shape[1]} ".encode())
            with np.errstate(invalid="ignore"):  # what is not a number is refused elsewhere
                # Adding zero gives -0.0 and 0.0, which are equal samples, the same bytes.
                digest.update(np.ascontiguousarray(samples + 0.0).data)
    except AudioError:
        return None
    return str(digest.hexdigest())
