"""How a file becomes a mono float32 16 kHz signal, and what is refused."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics._utils.names import describe_source, file_of, is_path
from sfmforensics._utils.recordings import Segment
from sfmforensics.audio._channels import ASKED, MEAN, ChannelStatistics, Choice
from sfmforensics.audio._decoding import (
    REMEDY,
    REMEDY_OF_CUT,
    UNKNOWN_LENGTH,
    Refusal,
    blocks_of,
    check_pair,
    missing_part,
    missing_words,
    naming,
    open_sound,
)
from sfmforensics.audio._hearing import CHANNEL, CUT, Hearing, Note, tell_notes
from sfmforensics.exceptions import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from sfmforensics._types import Array, Channel, Float32Array, PathLike, Signal, Truncated
    from sfmforensics._utils.recordings import Recording

SAMPLE_RATE = 16_000
"""Rate of every signal that leaves this module, in Hz (paper, section 3)."""

MIN_SAMPLES = 400
"""Shortest usable signal at 16 kHz: the receptive field of a wav2vec2 encoder, 25 ms."""

SOFTEST = 2.0**-24
"""Least distance between two samples of a recording: half a step of 24-bit sound."""

LOUDEST = 2.0**31
"""Largest sample of a recording: integers of 32 bits that nobody scaled. Squares still fit."""


def read_audio(
    source: Recording,
    *,
    min_samples: int = MIN_SAMPLES,
    channel: Channel = "auto",
    truncated: Truncated = "refuse",
) -> Signal:
    """Read a recording as a mono float32 signal at 16 kHz.

    Parameters
    ----------
    source : path-like, Segment, or (ndarray, int)
        A file that libsndfile reads (wav, flac, ogg, mp3, ...) at 2 kHz to 10 MHz and with up to
        1024 channels, a `Segment` of one, or a signal in [-1, 1], of shape (n_samples,) or
        (n_samples, n_channels), with its rate in Hz. Integer signals are scaled by the range of
        their type.
    min_samples : int, default=400
        Shortest signal accepted, in samples at 16 kHz.
    channel : int or {"auto", "mix"}, default="auto"
        Which channel of a recording of several is heard, counted from 1; "mix" is the mean of all.
        "auto" takes the mean of channels that are alike, leaves out silent ones, takes the first
        of copies of opposite polarity, and refuses a recording whose channels differ. One of one
        channel is heard as it is.
    truncated : {"refuse", "use"}, default="refuse"
        What becomes of a file whose end is missing, as its header or its last page tells.

    Returns
    -------
    ndarray of shape (n_samples,), float32
        The channel, or the mean of the channels, at 16 kHz; amplitude as in the file (no
        normalisation).

    Raises
    ------
    AudioError
        The file is missing or not audio, its end is missing, its channels differ or it has not the
        one that was asked for, a segment does not lie in its file, its rate is below 2 kHz or above
        10 MHz, or the signal is empty, shorter than `min_samples`, not finite, constant (silence),
        softer than half a step of 24-bit sound, or larger than 2^31. The message names the file
        (and what lists a segment), on one line; a name with line breaks, control characters or
        bytes that are no UTF-8 stands in it escaped.
    ParameterError
        `channel` or `truncated` is none of these.

    Warns
    -----
    AudioWarning
        A channel was left out, or the end of the file is missing.

    Notes
    -----
    The rate is the file's own; nothing is assumed from its name or corpus, so samples without a
    header are refused. Below 2 kHz there is nothing above 1 kHz: not even the second formant of a
    vowel; such a rate is a damaged header's. Resampling is soxr's "HQ" (linear phase, 20 bits).

    A file is decoded up to 2^22 samples of all channels at a time, whatever its header promises;
    one of several channels is read twice under "auto", first for what its channels hold. They are
    alike if their levels in frames of 50 ms rise and fall together (correlation of 0.6 or more), as
    before two microphones of one room, or their samples do (0.9, either polarity); of opposite
    polarity if the samples then correlate by -0.5 or less, where the mean would lose 6 dB; and
    silent if the loudest frame is 40 dB below that of the loudest channel.

    Examples
    --------
    >>> import numpy as np
    >>> tone = np.sin(2 * np.pi * 220 * np.arange(44_100) / 44_100)
    >>> read_audio((tone, 44_100)).shape
    (16000,)
    >>> read_audio((np.zeros(44_100), 44_100))
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.AudioError: signal of shape (44100,) at 44100 Hz: every sample is 0
    (silence); leave it out or replace it by a recording that can be played
    >>> parties = np.column_stack([tone * np.hanning(44_100), np.roll(tone, 7) * tone**2])
    >>> read_audio((parties, 44_100))
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.AudioError: signal of shape (44100, 2) at 44100 Hz: its 2 channels
    differ, as where each party of a call has its own; say which is to be heard (--channel 1,
    channel=1), or "mix" for the mean of all
    >>> read_audio((parties, 44_100), channel=2).shape
    (16000,)
    """
    notes: list[Note] = []
    hearing = Hearing(channel, truncated)
    blocks = list(stream_file(source, hearing, notes.append, min_samples))
    tell_notes(notes)
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def stream_audio(
    source: Recording,
    *,
    min_samples: int = MIN_SAMPLES,
    channel: Channel = "auto",
    truncated: Truncated = "refuse",
) -> Iterator[Signal]:
    """Read a recording block by block, so that a long one is never held whole.

    Parameters
    ----------
    source : path-like or (ndarray, int)
        As in `read_audio`.
    min_samples : int, default=400
        Shortest signal accepted, in samples at 16 kHz.
    channel : int or {"auto", "mix"}, default="auto"
        As in `read_audio`.
    truncated : {"refuse", "use"}, default="refuse"
        As in `read_audio`.

    Yields
    ------
    ndarray of shape (n_samples,), float32
        Up to about 30 s at a time, less of many channels. Joined, the blocks are what `read_audio`
        gives, sample by sample.

    Raises
    ------
    AudioError
        As in `read_audio`; what only the whole recording shows (silence, say) after the last block.

    Warns
    -----
    AudioWarning
        As in `read_audio`, after the last block.

    Examples
    --------
    >>> import numpy as np
    >>> tone = np.sin(2 * np.pi * 220 * np.arange(44_100 * 70) / 44_100)
    >>> sum(len(block) for block in stream_audio((tone, 44_100))) / SAMPLE_RATE
    70.0
    """
    notes: list[Note] = []
    hearing = Hearing(channel, truncated)
    yield from stream_file(source, hearing, notes.append, min_samples)
    tell_notes(notes)


def stream_file(
    source: Recording, hearing: Hearing, note: Callable[[Note], object], min_samples: int
) -> Iterator[Signal]:
    """See `sfmforensics.audio.stream_heard`; whatever is known of the file, it is read."""
    statistics = SampleStatistics()
    yield from heard_blocks(source, hearing, note, statistics)
    statistics.check(source, min_samples)


def heard_blocks(
    source: Recording,
    hearing: Hearing,
    note: Callable[[Note], object],
    statistics: SampleStatistics,
) -> Iterator[Signal]:
    """Blocks of what is heard at 16 kHz; what they show is added to `statistics`."""
    hearing = hearing.of(source)
    with naming(source):
        for block in _at_16_khz(_heard(source, hearing, note), statistics):
            if block.size:
                statistics.keep(block)
                yield np.ascontiguousarray(block, dtype=np.float32)


def heard_of(source: Recording, hearing: Hearing) -> dict[str, Any]:
    """See `sfmforensics.audio.heard_of`."""
    facts: dict[str, Any] = {}
    hearing = hearing.of(source)
    try:
        count, rate = _channels(source)
        if count > 1:
            choice = _choice(source, count, rate, hearing)
            facts = {"channels": count, "heard": list(choice.taken), "because": choice.kind}
        missing = _missing(source, to_the_end=hearing.truncated == "use")
    except (AudioError, Refusal):
        return facts
    return facts | ({} if missing is None else {"missing": missing})


def audio_info(path: PathLike) -> tuple[int, int, float]:
    """See `sfmforensics.audio.audio_info`."""
    with open_sound(path) as (file, _):
        rate, channels, frames = file.samplerate, file.channels, file.frames
    if frames == UNKNOWN_LENGTH:  # the header leaves it open
        frames = sum(len(block) for block, _ in blocks_of(path))
    return rate, channels, frames / rate


def signal_hash(signal: Signal) -> str:
    """Identify a signal by its content.

    Parameters
    ----------
    signal : ndarray of shape (n_samples,), float32
        What `read_audio` returned.

    Returns
    -------
    str
        sha256 in hexadecimal of the little-endian samples: equal for copies of one recording under
        any name or lossless container.

    Examples
    --------
    >>> import numpy as np
    >>> signal_hash(np.zeros(4, dtype=np.float32))[:8]
    '374708ff'
    """
    return sha256(np.ascontiguousarray(signal, dtype="<f4").data).hexdigest()


REMEDY_OF_CHANNELS = (
    'say which is to be heard (--channel 1, channel=1), or "mix" for the mean of all'
)
"""What to do about channels that differ, as refusals and findings say it."""


@dataclass
class SampleStatistics:
    """What blocks that are gone have shown of a recording."""

    samples: int = 0  # in all channels, at its own rate
    bad: int = 0
    low: float = np.inf  # of the mean of the channels
    high: float = -np.inf
    samples_at_16_khz: int = 0  # mono
    low_at_16_khz: float = np.inf
    high_at_16_khz: float = -np.inf

    def keep(self, block: Array) -> None:
        self.samples_at_16_khz += block.size
        self.low_at_16_khz = min(self.low_at_16_khz, block.min())
        self.high_at_16_khz = max(self.high_at_16_khz, block.max())

    def check(self, source: Recording, min_samples: int) -> None:
        """Refuse a recording that cannot be used."""
        refusal = self.refusal(min_samples)
        if refusal is not None:
            raise AudioError(describe_source(source), *refusal)

    def refusal(self, min_samples: int) -> tuple[str, str] | None:
        """What was found and what to do, if the recording cannot be used."""
        if self.samples == 0:
            return "it holds no samples", REMEDY
        if self.bad:
            return f"{self.bad} of {self.samples} samples are NaN or infinite", REMEDY
        if not max(-self.low, self.high) <= LOUDEST:
            return (
                f"samples up to {max(-self.low, self.high):.1e}, where those of a recording lie in "
                "[-1, 1]",
                "scale it, or leave it out",
            )
        if self.low == self.high:
            # A stereo file whose channels cancel is as silent, once mixed, as one of zeros.
            kind = "silence" if self.low == 0 else "a constant offset"
            return f"every sample is {self.low + 0.0:g} ({kind})", REMEDY  # never -0
        if self.high - self.low < SOFTEST:
            return (
                f"no two samples differ by more than {self.high - self.low:.1e} (silence: a step "
                "of 24-bit sound is 1.2e-07)",
                "leave it out, or raise its level if it is sound",
            )
        if self.samples_at_16_khz < max(min_samples, 1):
            return (
                f"{self.samples_at_16_khz / SAMPLE_RATE * 1000:.1f} ms of sound",
                f"at least {min_samples / SAMPLE_RATE * 1000:.0f} ms are needed",
            )
        # The resampler leaves 20 bits: what is softer is not the recording's.
        if self.high_at_16_khz - self.low_at_16_khz < max(
            SOFTEST, (self.high - self.low) * 2.0**-20
        ):
            return "nothing of it lies below 8 kHz, where voices are (silence)", REMEDY
        return None


def _heard(
    source: Recording, hearing: Hearing, note: Callable[[Note], object]
) -> Iterator[tuple[Array, int]]:
    """Blocks of one channel, or of all whose mean is heard, with their rate."""
    use_cut = hearing.truncated == "use"
    name, choice, samples = describe_source(source), None, 0
    path = file_of(source)
    # Closed even where a refusal, which holds on to this frame, ends it early.
    with closing(blocks_of(source, to_the_break=use_cut)) as blocks:
        for place, (block, rate) in enumerate(blocks):
            if place == 0 and block.size and path is not None:
                missing = _missing_part(path)
                if missing is not None and not use_cut:
                    raise Refusal(missing, REMEDY_OF_CUT)
                if missing is not None:
                    note(Note(name, CUT, missing, "what is there was used"))
            if place == 0 and block.ndim == 2 and block.shape[1] > 1:
                choice = _choice(source, block.shape[1], rate, hearing)
                if not choice.taken:
                    raise Refusal(choice.finding, REMEDY_OF_CHANNELS)
                if choice.kind not in (MEAN, ASKED):
                    note(Note(name, CHANNEL, choice.finding, choice.action))
            samples += len(block)
            yield (block if choice is None else choice.pick(block)), rate
    if use_cut and is_path(source):
        missing = _broken_off(source, samples)
        if missing is not None:
            note(Note(name, CUT, missing, "what is there was used"))


def _channels(source: Recording) -> tuple[int, int]:
    """Number of channels, and rate, from the header."""
    if isinstance(source, Segment) or is_path(source):
        with open_sound(source) as (file, _):
            return file.channels, file.samplerate
    signal, rate = check_pair(source)
    return signal.shape[1] if signal.ndim == 2 else 1, rate


def _choice(source: Recording, count: int, rate: int, hearing: Hearing) -> Choice:
    """Which of several channels are heard."""
    everything = tuple(range(1, count + 1))
    if hearing.channel == "mix":
        return Choice(count, everything, ASKED)
    if hearing.channel != "auto":
        if hearing.channel > count:
            raise Refusal(
                f"it has {count} channels, and channel {hearing.channel} was asked for",
                f"use 1 to {count}",
            )
        return Choice(count, (int(hearing.channel),), ASKED)
    to_the_break = hearing.truncated == "use"
    path = file_of(source)  # of a segment too: what its channels hold, the whole file tells
    stamp = None if path is None else file_stamp(path)
    if path is None or stamp is None:
        return _listened(source, count, rate, to_the_break)
    return _choice_of_file(os.fsdecode(path), stamp, count, rate, to_the_break)


@lru_cache(4096)
def _choice_of_file(
    path: str, stamp: tuple[int, ...], count: int, rate: int, to_the_break: bool
) -> Choice:
    """A file that is embedded by several views, and looked at before, is listened to once."""
    return _listened(path, count, rate, to_the_break)


def _listened(source: Recording, count: int, rate: int, to_the_break: bool) -> Choice:
    statistics = ChannelStatistics(count, rate)
    for block, _ in blocks_of(source, to_the_break=to_the_break):
        if block.size:
            statistics.add(block)
    return statistics.choose(SOFTEST)


def file_stamp(path: PathLike) -> tuple[int, ...] | None:
    """What changes whenever a file does; None where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _missing(source: Recording, to_the_end: bool) -> str | None:
    path = file_of(source)
    if path is None:
        return None
    missing = _missing_part(path)
    if not is_path(source):  # of a segment it is not asked how far a decoder comes
        return missing
    if missing is None and to_the_end and _promised_by_flac(source) is not None:
        samples = sum(len(block) for block, _ in blocks_of(source, to_the_break=True))
        return _broken_off(source, samples)
    return missing


def _missing_part(path: PathLike) -> str | None:
    stamp = file_stamp(path)
    return missing_part(path) if stamp is None else _missing_of_file(os.fsdecode(path), stamp)


@lru_cache(4096)
def _missing_of_file(path: str, stamp: tuple[int, ...]) -> str | None:
    """A file that was looked at before, or is by several views, is looked at once."""
    return missing_part(path)


def _promised_by_flac(path: PathLike) -> tuple[int, int] | None:
    """Samples and rate that a flac file promises, whose decoder alone tells what there is."""
    with open_sound(path) as (file, _):
        if file.format != "FLAC" or file.frames == UNKNOWN_LENGTH:
            return None
        return file.frames, file.samplerate


def _broken_off(path: PathLike, samples: int) -> str | None:
    promised = _promised_by_flac(path)
    if promised is None or samples >= promised[0]:
        return None
    return missing_words(promised[0] / promised[1], 1 - samples / promised[0])


def _at_16_khz(
    blocks: Iterable[tuple[Array, int]], statistics: SampleStatistics
) -> Iterator[Float32Array]:
    """Mix and resample blocks of (signal, rate), noting what `statistics` is for."""
    resampler = None
    for signal, rate in blocks:
        statistics.samples += signal.size
        statistics.bad += int(np.count_nonzero(~np.isfinite(signal)))
        if not signal.size:
            continue
        # Infinities that cancel, and sums beyond float32, are refused at the end.
        with np.errstate(invalid="ignore", over="ignore"):
            mono = signal if signal.ndim == 1 else signal.mean(axis=1, dtype=np.float32)
        statistics.low = min(statistics.low, mono.min())
        statistics.high = max(statistics.high, mono.max())
        if rate != SAMPLE_RATE:
            import soxr

            # Its quality, "HQ", is that of soxr.resample, and so is every sample.
            resampler = resampler or soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
            mono = resampler.resample_chunk(np.ascontiguousarray(mono, dtype=np.float32))
        yield mono
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
