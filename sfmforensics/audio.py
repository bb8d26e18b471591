"""How a file becomes a mono float32 16 kHz signal, and what is refused."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.exceptions import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Literal

    from typing_extensions import TypeIs

    from sfmforensics._types import Array, Float32Array, PathLike, Recording, Signal

SAMPLE_RATE = 16_000
"""Rate of every signal that leaves this module, in Hz (paper, section 3)."""

MIN_SAMPLES = 400
"""Shortest usable signal at 16 kHz: the receptive field of a wav2vec2 encoder, 25 ms."""

_BLOCK_SECONDS = 30

_REMEDY = "leave it out or replace it by a recording that can be played"


def describe_source(source: Recording) -> str:
    """Name a recording for an error message.

    Parameters
    ----------
    source : path-like or (ndarray, int)
        A recording as every embedder takes it.

    Returns
    -------
    str

    Examples
    --------
    >>> import numpy as np
    >>> describe_source("a.wav")
    'a.wav'
    >>> describe_source((np.zeros(8000), 8000))
    'signal of shape (8000,) at 8000 Hz'
    """
    if _is_path(source):
        return os.fspath(source)
    signal, rate = source
    return f"signal of shape {np.shape(signal)} at {rate} Hz"


def read_audio(source: Recording, *, min_samples: int = MIN_SAMPLES) -> Signal:
    """Read a recording as a mono float32 signal at 16 kHz.

    Parameters
    ----------
    source : path-like or (ndarray of shape (n_samples,) or (n_samples, n_channels), int)
        A file that libsndfile reads (wav, flac, ogg, mp3, ...) at any rate and with any number of
        channels, or a signal in [-1, 1] with its rate in Hz. Integer signals are scaled by the
        range of their type.
    min_samples : int, default=400
        Shortest signal accepted, in samples at 16 kHz.

    Returns
    -------
    ndarray of shape (n_samples,), float32
        The mean of the channels at 16 kHz; amplitude as in the file (no normalisation).

    Raises
    ------
    AudioError
        The file is missing or not audio, or the signal is empty, shorter than `min_samples`, not
        finite, or constant (silence). The message names the file.

    Notes
    -----
    The rate is the file's own; nothing is assumed from its name or corpus. Resampling is soxr's
    "HQ" (linear phase, 20 bits).

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
        Up to about 30 s at a time. Joined, the blocks are what `read_audio` gives, sample by
        sample.

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
    decoded = _decode(source) if _is_path(source) else _from_pair(source)
    seen = _Seen()
    for block in _at_16_khz(decoded, seen):
        if block.size:
            seen.kept += block.size
            yield np.ascontiguousarray(block, dtype=np.float32)
    if seen.samples == 0:
        raise AudioError(describe_source(source), "it holds no samples", _REMEDY)
    if seen.bad:
        raise AudioError(
            describe_source(source),
            f"{seen.bad} of {seen.samples} samples are NaN or infinite",
            _REMEDY,
        )
    if seen.low == seen.high:
        # A stereo file whose channels cancel is as silent, once mixed, as one of zeros.
        kind = "silence" if seen.low == 0 else "a constant offset"
        raise AudioError(describe_source(source), f"every sample is {seen.low:g} ({kind})", _REMEDY)
    if seen.kept < max(min_samples, 1):
        raise AudioError(
            describe_source(source),
            f"{seen.kept / SAMPLE_RATE * 1000:.1f} ms of sound",
            f"at least {min_samples / SAMPLE_RATE * 1000:.0f} ms are needed",
        )


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
        The file is missing or not audio.

    Examples
    --------
    >>> audio_info("missing.wav")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.AudioError: missing.wav: no such file; check the path
    """
    import soundfile

    with _readable(path):
        info = soundfile.info(os.fspath(path))
    return info.samplerate, info.channels, info.frames / info.samplerate


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


def _is_path(source: object) -> TypeIs[PathLike]:
    return isinstance(source, (str, os.PathLike))


class _readable:
    """Turn what libsndfile and the file system say into one AudioError."""

    def __init__(self, path: PathLike) -> None:
        self.path = os.fspath(path)

    def __enter__(self) -> None:
        try:
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            raise AudioError(self.path, "no such file", "check the path") from error
        except OSError as error:
            raise AudioError(
                self.path, f"it cannot be opened ({error.strerror})", "check the path"
            ) from error
        if stat.S_ISDIR(found.st_mode):
            raise AudioError(self.path, "it is a folder", "name a sound file")
        if not stat.S_ISREG(found.st_mode):
            # Opening a FIFO or a device could wait for ever.
            raise AudioError(self.path, "not a regular file", "copy it to a file first")
        if found.st_size == 0:
            raise AudioError(self.path, "the file is empty (0 bytes)", _REMEDY)

    def __exit__(
        self, kind: object, error: BaseException | None, traceback: object
    ) -> Literal[False]:
        import soundfile

        if isinstance(error, (soundfile.SoundFileError, OSError, EOFError, TypeError)):
            said = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
            raise AudioError(
                self.path, f"it cannot be read as sound ({str(said).rstrip('.')})", _REMEDY
            ) from error
        return False


@dataclass
class _Seen:
    """What blocks that are gone have shown of a recording."""

    samples: int = 0  # in all channels, at its own rate
    bad: int = 0
    low: float = np.inf
    high: float = -np.inf
    kept: int = 0  # mono, at 16 kHz


def _at_16_khz(blocks: Iterable[tuple[Array, int]], seen: _Seen) -> Iterator[Float32Array]:
    """Mix and resample blocks of (signal, rate), noting what `seen` is for."""
    resampler = None
    for signal, rate in blocks:
        seen.samples += signal.size
        seen.bad += int(np.count_nonzero(~np.isfinite(signal)))
        if not signal.size:
            continue
        with np.errstate(invalid="ignore"):  # infinities that cancel are refused at the end
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


def _decode(path: PathLike) -> Iterator[tuple[Float32Array, int]]:
    """Blocks of a file with its rate."""
    import soundfile

    with _readable(path), soundfile.SoundFile(os.fspath(path)) as file:
        while True:
            block = file.read(_BLOCK_SECONDS * file.samplerate, dtype="float32", always_2d=True)
            yield block, file.samplerate
            if not len(block):
                return


def _from_pair(pair: Any) -> Iterator[tuple[Float32Array, int]]:
    """Blocks of a signal with its rate."""
    try:
        signal, rate = pair
        signal = np.asarray(signal)
        rate = int(rate)
    except (TypeError, ValueError) as error:
        raise AudioError(
            f"recording of type {type(pair).__name__}",
            "neither a path nor a (signal, rate) pair",
            "pass paths, or pairs such as (signal, 16000)",
        ) from error
    if signal.ndim not in (1, 2) or rate <= 0:
        raise AudioError(
            f"signal of shape {signal.shape} at {rate} Hz",
            "not (n_samples,) or (n_samples, n_channels) at a positive rate",
            "reshape the signal, or give its true rate",
        )
    if signal.dtype.kind not in "biuf":
        raise AudioError(
            f"signal of shape {signal.shape} at {rate} Hz",
            f"its values are of type {signal.dtype}",
            "pass an array of floats or integers",
        )
    for start in range(0, max(len(signal), 1), _BLOCK_SECONDS * rate):
        yield _as_float(signal[start : start + _BLOCK_SECONDS * rate]), rate


def _as_float(signal: Array) -> Float32Array:
    if signal.dtype.kind in "iu":
        limits = np.iinfo(signal.dtype)
        middle = 0.0 if limits.min < 0 else (limits.max + 1) / 2
        scale = -float(limits.min) if limits.min < 0 else middle
        return ((signal - middle) / scale).astype(np.float32)
    with np.errstate(over="ignore"):
        return signal.astype(np.float32)
