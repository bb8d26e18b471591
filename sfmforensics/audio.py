"""How a file becomes a mono float32 16 kHz signal, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics._decoding import REMEDY, UNKNOWN_LENGTH, blocks_of, open_sound
from sfmforensics._names import describe_source
from sfmforensics.exceptions import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sfmforensics._types import Array, Float32Array, PathLike, Recording, Signal

SAMPLE_RATE = 16_000
"""Rate of every signal that leaves this module, in Hz (paper, section 3)."""

MIN_SAMPLES = 400
"""Shortest usable signal at 16 kHz: the receptive field of a wav2vec2 encoder, 25 ms."""

SOFTEST = 2.0**-24
"""Least distance between two samples of a recording: half a step of 24-bit sound."""

LOUDEST = 2.0**31
"""Largest sample of a recording: integers of 32 bits that nobody scaled. Squares still fit."""


def read_audio(source: Recording, *, min_samples: int = MIN_SAMPLES) -> Signal:
    """Read a recording as a mono float32 signal at 16 kHz.

    Parameters
    ----------
    source : path-like or (ndarray of shape (n_samples,) or (n_samples, n_channels), int)
        A file that libsndfile reads (wav, flac, ogg, mp3, ...) at 2 kHz to 10 MHz and with up to
        1024 channels, or a signal in [-1, 1] with its rate in Hz. Integer signals are scaled by
        the range of their type.
    min_samples : int, default=400
        Shortest signal accepted, in samples at 16 kHz.

    Returns
    -------
    ndarray of shape (n_samples,), float32
        The mean of the channels at 16 kHz; amplitude as in the file (no normalisation).

    Raises
    ------
    AudioError
        The file is missing or not audio, its rate is below 2 kHz or above 10 MHz, or the signal is
        empty, shorter than `min_samples`, not finite, constant (silence), softer than half a step
        of 24-bit sound, or larger than 2^31. The message names the file, on one line; a name with
        line breaks, control characters or bytes that are no UTF-8 stands in it escaped.

    Notes
    -----
    The rate is the file's own; nothing is assumed from its name or corpus, so samples without a
    header are refused. Below 2 kHz there is nothing above 1 kHz: not even the second formant of a
    vowel; such a rate is a damaged header's. Resampling is soxr's "HQ" (linear phase, 20 bits).

    A file is decoded up to 2^22 samples of all channels at a time, whatever its header promises.

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
    """
    blocks = list(stream_audio(source, min_samples=min_samples))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def stream_audio(source: Recording, *, min_samples: int = MIN_SAMPLES) -> Iterator[Signal]:
    """Read a recording block by block, so that a long one is never held whole.

    Parameters
    ----------
    source : path-like or (ndarray, int)
        As in `read_audio`.
    min_samples : int, default=400
        Shortest signal accepted, in samples at 16 kHz.

    Yields
    ------
    ndarray of shape (n_samples,), float32
        Up to about 30 s at a time, less of many channels. Joined, the blocks are what `read_audio`
        gives, sample by sample.

    Raises
    ------
    AudioError
        As in `read_audio`; what only the whole recording shows (silence, say) after the last block.

    Examples
    --------
    >>> import numpy as np
    >>> tone = np.sin(2 * np.pi * 220 * np.arange(44_100 * 70) / 44_100)
    >>> sum(len(block) for block in stream_audio((tone, 44_100))) / SAMPLE_RATE
    70.0
    """
    seen = _Seen()
    for block in _at_16_khz(blocks_of(source), seen):
        if block.size:
            seen.keep(block)
            yield np.ascontiguousarray(block, dtype=np.float32)
    refusal = seen.refusal(min_samples)
    if refusal is not None:
        raise AudioError(describe_source(source), *refusal)


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


@dataclass
class _Seen:
    """What blocks that are gone have shown of a recording."""

    samples: int = 0  # in all channels, at its own rate
    bad: int = 0
    low: float = np.inf  # of the mean of the channels
    high: float = -np.inf
    kept: int = 0  # mono, at 16 kHz
    kept_low: float = np.inf
    kept_high: float = -np.inf

    def keep(self, block: Array) -> None:
        self.kept += block.size
        self.kept_low = min(self.kept_low, block.min())
        self.kept_high = max(self.kept_high, block.max())

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
        if self.kept < max(min_samples, 1):
            return (
                f"{self.kept / SAMPLE_RATE * 1000:.1f} ms of sound",
                f"at least {min_samples / SAMPLE_RATE * 1000:.0f} ms are needed",
            )
        # The resampler leaves 20 bits: what is softer is not the recording's.
        if self.kept_high - self.kept_low < max(SOFTEST, (self.high - self.low) * 2.0**-20):
            return "nothing of it lies below 8 kHz, where voices are (silence)", REMEDY
        return None


def _at_16_khz(blocks: Iterable[tuple[Array, int]], seen: _Seen) -> Iterator[Float32Array]:
    """Mix and resample blocks of (signal, rate), noting what `seen` is for."""
    resampler = None
    for signal, rate in blocks:
        seen.samples += signal.size
        seen.bad += int(np.count_nonzero(~np.isfinite(signal)))
        if not signal.size:
            continue
        # Infinities that cancel, and sums beyond float32, are refused at the end.
        with np.errstate(invalid="ignore", over="ignore"):
            mono = signal if signal.ndim == 1 else signal.mean(axis=1, dtype=np.float32)
        seen.low, seen.high = min(seen.low, mono.min()), max(seen.high, mono.max())
        if rate != SAMPLE_RATE:
            import soxr

            # Its quality, "HQ", is that of soxr.resample, and so is every sample.
            resampler = resampler or soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
            mono = resampler.resample_chunk(np.ascontiguousarray(mono, dtype=np.float32))
        yield mono
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
