"""Samples out of files and arrays, whatever these hold, a bounded number at a time."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import stat
import tempfile
import threading
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from sfmforensics._utils.names import describe_source, escape_text, is_path
from sfmforensics._utils.paths import user_name
from sfmforensics._utils.recordings import Segment
from sfmforensics.audio._truncation import find_cut
from sfmforensics.exceptions import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO


_COMPLAINTS = (b"Note: ", b"Warning: ", b"[src/libmpg123/", b"main: [src/libmpg123/")
_OTHERS = (b"RIFF", b"RIFX", b"RF64", b"riff", b"fLaC", b"OggS", b"FORM", b".snd", b"caff")


class _Turns:
    """Standard error is one for all threads: the first to come turns it away, the last back."""

    def __init__(self) -> None:
        self.lock, self.inside = threading.Lock(), 0
        self.stderr: int | None = None
        self.said: IO[bytes] | None = None


_TURNS = _Turns()


def may_be_mpeg(start: bytes) -> bool:
    r"""Whether the decoder of MP3 may be asked to read a file.

    Examples
    --------
    >>> may_be_mpeg(b"RIFF"), may_be_mpeg(b"ID3\x03")
    (False, True)
    """
    return not start.startswith(_OTHERS)


@contextlib.contextmanager
def decoder_silenced(silence: bool = True) -> Iterator[None]:
    """Drop what libmpg123 writes to standard error meanwhile; nothing else is lost.

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
        _TURNS.stderr = os.dup(2)
    except OSError:  # there is no standard error
        return
    _TURNS.said = tempfile.TemporaryFile()  # noqa: SIM115 (the last to leave closes it)
    os.dup2(_TURNS.said.fileno(), 2)


def _turn_back() -> None:
    if _TURNS.stderr is None:
        return
    os.dup2(_TURNS.stderr, 2)
    os.close(_TURNS.stderr)
    with cast("IO[bytes]", _TURNS.said) as said:
        said.seek(0)
        others = [line for line in said if line.strip() and not line.startswith(_COMPLAINTS)]
    _TURNS.stderr = _TURNS.said = None
    with contextlib.suppress(OSError):
        os.write(2, b"".join(others))


if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from contextlib import AbstractContextManager
    from typing import Any, Literal, TypeAlias

    from soundfile import SoundFile

    from sfmforensics._types import Array, PathLike
    from sfmforensics._utils.recordings import Recording

    SampleType: TypeAlias = Literal["float32", "float64"]
    Blocks: TypeAlias = Generator[tuple[Array, int]]

MIN_RATE = 2_000
"""Lowest rate of a recording, in Hz: below, not even the second formant of a vowel is there."""

MAX_RATE = 10_000_000
"""Highest rate of a recording, in Hz: 13 times that of any converter; beyond, a header lies."""

MAX_CHANNELS = 1024
"""As many as libsndfile reads."""

REMEDY = "leave it out or replace it by a recording that can be played"

REMEDY_OF_CAF = (
    "a CAF file that is cut, or whose length was never filled in, is not read: convert it to wav "
    "where it was made"
)
REMEDY_OF_CUT = (
    "get the whole file, or say that what is there is to be used (--on-error use, truncated='use')"
)

UNKNOWN_LENGTH = 2**63 - 1
"""Samples that libsndfile reports of a flac file that was encoded as it came in."""

_BLOCK_SECONDS = 30
_BLOCK_SAMPLES = 1 << 22
"""Samples of all channels that are read at once, at most: a header may promise any number."""

_SAMPLE_DUMP = b"\xf0\x7e"
"""Of a synthesiser, which libsndfile reads; of a damaged one it complains on standard output."""

_FAILURES = (OSError, EOFError, TypeError, ValueError, OverflowError, MemoryError)
"""What reading a file with a damaged header raises, besides libsndfile's own errors."""


class Refusal(Exception):
    """What was found of a recording and what to do; whoever knows its name makes it an error."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem, self.remedy = problem, remedy


@contextlib.contextmanager
def naming(source: Recording) -> Iterator[None]:
    """Turn a refusal into the error that names the recording.

    Examples
    --------
    >>> with naming("a.wav"):
    ...     raise Refusal("it holds no samples", "record it again")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.AudioError: a.wav: it holds no samples; record it again
    """
    try:
        yield
    except Refusal as refusal:
        raise AudioError(
            describe_source(source), refusal.problem, refusal.remedy
        ) from refusal.__cause__


def blocks_of(
    source: Recording, dtype: SampleType = "float32", *, to_the_break: bool = False
) -> Blocks:
    """Read a recording block by block.

    Examples
    --------
    >>> [(len(block), rate) for block, rate in blocks_of((np.zeros(70_000), 2_000))]
    [(60000, 2000), (10000, 2000)]
    """
    if isinstance(source, Segment):
        return _blocks_of_segment(source, dtype, to_the_break)
    if is_path(source):
        return _blocks_of_file(source, dtype, to_the_break)
    return _blocks_of_pair(source, dtype)


def missing_part(path: PathLike) -> str | None:
    """Say in words how much of a file is missing."""
    with open_sound(path) as (file, _):
        form, there = file.format, file.frames / file.samplerate
    with (
        _open_file(path) as handle,
        open(handle, "rb", closefd=isinstance(handle, str)) as content,
    ):
        cut = find_cut(content, os.fstat(content.fileno()).st_size, form)
    if cut is None:
        return None
    if cut.chain:
        return "it holds several streams one behind the other, of which only the first is read"
    if cut.present is None:
        return "it is cut: its last part breaks off, and how much is missing is not known"
    whole = there if cut.of_whole else there / max(cut.present, 1e-9)
    return missing_words(whole, 1 - cut.present)


def missing_words(seconds: float, share: float) -> str:
    """Say how much of a recording is missing.

    Examples
    --------
    >>> missing_words(6.0, 0.5)
    'it is cut: 3.00 s of 6.00 s (50 %) are missing'
    """
    percent = f"{100 * share:.0f}" if share >= 0.1 else f"{100 * share:.2g}"
    return f"it is cut: {seconds * share:.2f} s of {seconds:.2f} s ({percent} %) are missing"


@contextlib.contextmanager
def open_sound(
    source: PathLike | Segment,
) -> Iterator[tuple[SoundFile, Callable[[], AbstractContextManager[None]]]]:
    """Open a file that libsndfile reads.

    Notes
    -----
    libsndfile is handed an open file, not its name: so nothing is guessed from how the name ends,
    no name is beyond it, and what was checked to be a regular file is what is read.

    Examples
    --------
    >>> with open_sound("missing.wav") as file:
    ...     pass
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.AudioError: missing.wav: no such file; check the path
    """
    import soundfile

    with _open_file(source) as handle, naming(source):
        start = b""
        try:
            start = _start(handle)
            if start.startswith(_SAMPLE_DUMP):
                raise Refusal("it is a MIDI sample dump", "convert it to wav")
            mpeg = may_be_mpeg(start)
            with decoder_silenced(mpeg):
                file = soundfile.SoundFile(handle, closefd=False)
            with file:
                _check_rate(file.samplerate)
                yield file, functools.partial(decoder_silenced, mpeg)
        except AudioError:
            raise
        except (soundfile.SoundFileError, *_FAILURES) as error:
            problem = f"it cannot be read as sound ({_words_of(error)})"
            remedy = REMEDY_OF_CAF if start.startswith(b"caff") else REMEDY
            raise Refusal(problem, remedy) from error


def check_pair(pair: Any) -> tuple[Array, int]:
    """Take a (signal, rate) pair apart.

    Examples
    --------
    >>> check_pair(([0.0, 0.5], 16_000))
    (array([0. , 0.5]), 16000)
    """
    try:
        signal, rate = pair
        signal = np.asarray(signal)
    except Exception as error:  # whatever a stranger's object does when it is made an array
        raise AudioError(
            f"recording of type {type(pair).__name__}",
            "neither a path nor a (signal, rate) pair",
            "pass paths, or pairs such as (signal, 16000)",
        ) from error
    with naming((signal, rate)):
        if signal.ndim not in (1, 2):
            raise Refusal("not (n_samples,) or (n_samples, n_channels)", "reshape the signal")
        if signal.dtype.kind not in "biuf":
            raise Refusal(
                f"its values are of type {signal.dtype}", "pass an array of floats or integers"
            )
        if signal.ndim == 2 and signal.shape[1] > MAX_CHANNELS:
            raise Refusal(f"{signal.shape[1]} channels", "transpose it to (n_samples, n_channels)")
        whole = _whole_number(rate)
        if whole is None:
            raise Refusal(
                "its rate is not a whole number of Hz", "give its true rate, such as 16000"
            )
        _check_rate(whole)
    return signal, whole


def _check_rate(rate: int) -> None:
    """Refuse a rate that no recording of a voice has."""
    if MIN_RATE <= rate <= MAX_RATE:
        return
    expected = (
        f"a voice needs {MIN_RATE} or more" if rate < MIN_RATE else f"{MAX_RATE} is the highest"
    )
    problem = f"its rate is {rate} Hz" if abs(rate) < 1e18 else "its rate is beyond 10^18 Hz"
    raise Refusal(f"{problem}, where {expected}", "check its rate")


def _blocks_of_file(source: PathLike | Segment, dtype: SampleType, to_the_break: bool) -> Blocks:
    with open_sound(source) as (file, quietly):
        longest = _block_length(file.samplerate, file.channels)
        if file.frames == UNKNOWN_LENGTH:
            # Its decoder winds to no place in such a file; soundfile does where it may.
            file.seekable = lambda: False
        if file.format == "FLAC":
            yield from _blocks_of_flac(file, longest, dtype, to_the_break)
            return
        while True:
            with quietly():
                block = file.read(longest, dtype=dtype, always_2d=True)
            yield block, file.samplerate
            if not len(block):
                return


_SAMPLES_BY_PLACE = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC")
_OF_ONE_SIZE = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")
"""Formats and codings in which a sample is found by its place; others are decoded from the start:
their decoders wind to somewhere near it."""

_ROUNDED = 0.0105
"""Seconds by which a table may round up where a file ends."""


def _blocks_of_segment(segment: Segment, dtype: SampleType, to_the_break: bool) -> Blocks:
    with open_sound(segment) as (file, _):
        rate, total = file.samplerate, file.frames
        first, last = _edges(segment, rate, None if total == UNKNOWN_LENGTH else total)
        _check_channel(segment, file.channels)
        longest = _block_length(rate, file.channels)
        by_place = file.format in _SAMPLES_BY_PLACE and file.subtype.startswith(_OF_ONE_SIZE)
        if by_place and file.seekable() and total != UNKNOWN_LENGTH:
            file.seek(first)
            left = (total if last is None else last) - first
            while left:
                block = file.read(min(longest, left), dtype=dtype, always_2d=True)
                if not len(block):
                    break
                left -= len(block)
                yield block, rate
            if left and not to_the_break:
                raise Refusal(missing_words(total / rate, left / total), REMEDY_OF_CUT)
            return
    place = 0
    with contextlib.closing(_blocks_of_file(segment, dtype, to_the_break)) as blocks:
        for block, _ in blocks:
            part = block[max(first - place, 0) : None if last is None else max(last - place, 0)]
            if len(part):
                yield part, rate
            place += len(block)
            if last is not None and place >= last:
                return
    # Only now, of a file whose header left its length open.
    with naming(segment):
        _edges(segment, rate, place)


def _edges(segment: Segment, rate: int, total: int | None) -> tuple[int, int | None]:
    """First sample of a segment, and the one behind its last; None for the end of the file."""
    start, end = segment.start, segment.end
    if not (math.isfinite(start) and start >= 0):
        raise Refusal(f"it begins at {start:g} s", "correct its start: seconds, 0 or more")
    if end is not None and not (math.isfinite(end) and end > start):
        raise Refusal(
            f"it begins at {start:g} s and ends at {end:g} s", "correct its end, or its start"
        )
    first, last = round(start * rate), None if end is None else round(end * rate)
    if total is not None:
        seconds = f"the file is {total / rate:.2f} s long"
        if first >= total:
            raise Refusal(f"it begins at {start:g} s, but {seconds}", "correct its start")
        if last is not None and last > total + _ROUNDED * rate:
            raise Refusal(f"it ends at {end:g} s, but {seconds}", "correct its end")
        last = None if last is None else min(last, total)
    if last == first:
        raise Refusal(f"it holds no sample at {rate} Hz", "correct its end, or its start")
    return first, last


def _check_channel(segment: Segment, count: int) -> None:
    if isinstance(segment.channel, int) and not 1 <= segment.channel <= count:
        many = f"{count} channels" if count > 1 else "one channel"
        raise Refusal(
            f"the file has {many}, and channel {segment.channel} was asked for",
            f"use 1 to {count}" if count > 1 else "use 1, or leave it blank",
        )


def _blocks_of_flac(file: SoundFile, longest: int, dtype: SampleType, to_the_break: bool) -> Blocks:
    """Of one that breaks off, what comes before: its decoder fails where it does."""
    import soundfile

    n_decoded = 0
    while True:
        wanted = min(longest, file.frames - n_decoded)
        block = np.full((wanted, file.channels), np.nan, dtype)  # no flac file holds NaN
        try:
            block, error = file.read(out=block) if wanted else block, None
        except soundfile.LibsndfileError as failure:
            block, error = block[: int(np.count_nonzero(~np.isnan(block[:, -1])))], failure
        n_decoded += len(block)
        if error is not None and not (n_decoded and to_the_break):
            if not n_decoded:
                raise error
            problem = (
                f"it is cut: only its first {n_decoded / file.samplerate:.2f} s can be decoded"
            )
            if file.frames != UNKNOWN_LENGTH:
                problem = missing_words(file.frames / file.samplerate, 1 - n_decoded / file.frames)
            raise Refusal(problem, REMEDY_OF_CUT) from error
        yield block, file.samplerate
        if error is not None or not len(block):
            return


def _blocks_of_pair(pair: Any, dtype: SampleType) -> Blocks:
    signal, rate = check_pair(pair)
    longest = _block_length(rate, signal.shape[1] if signal.ndim == 2 else 1)
    for start in range(0, len(signal) if signal.size else 1, longest):
        # A sum over channels must not depend on how they lie in memory.
        yield _as_float(np.ascontiguousarray(signal[start : start + longest]), dtype), rate


def _block_length(rate: int, channels: int) -> int:
    return min(_BLOCK_SECONDS * rate, _BLOCK_SAMPLES // max(channels, 1))


def _as_float(signal: Array, dtype: SampleType) -> Array:
    if signal.dtype.kind in "iu":
        limits = np.iinfo(signal.dtype)
        middle = 0.0 if limits.min < 0 else (limits.max + 1) / 2
        scale = -float(limits.min) if limits.min < 0 else middle
        return ((signal - middle) / scale).astype(dtype)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return signal.astype(dtype)


def _whole_number(rate: Any) -> int | None:
    """The rate as an integer; None if it is none, as a truth value or a text is none."""
    if isinstance(rate, (bool, np.bool_, str, bytes)):
        return None
    try:
        whole = int(rate)
        return whole if whole == rate else None
    except (TypeError, ValueError, OverflowError):
        return None


@dataclass
class _Open:
    """A file that stays open for all who read it one after the other."""

    path: str
    handle: int
    busy: bool = False


_OPEN: ContextVar[_Open | None] = ContextVar("open file", default=None)


@contextlib.contextmanager
def keep_open(path: PathLike) -> Iterator[int]:
    """Open a file once for all that is read of it meanwhile."""
    with _open_file(path) as handle:
        token = _OPEN.set(_Open(os.fsdecode(user_name(path)), cast("int", handle)))
        try:
            yield cast("int", handle)
        finally:
            _OPEN.reset(token)


@contextlib.contextmanager
def _open_file(source: PathLike | Segment) -> Iterator[int | str]:
    """Open a regular file that is not empty, without ever waiting for one that is none."""
    path = user_name(source.path if isinstance(source, Segment) else source)
    with naming(source if isinstance(source, Segment) else path):
        file = _OPEN.get()
        if file is not None and not file.busy and file.path == os.fsdecode(path):
            file.busy = True  # one place in it for all: who comes while it is read opens it anew
            try:
                os.lseek(file.handle, 0, os.SEEK_SET)
                yield file.handle
            finally:
                file.busy = False
            return
        try:
            _check_kind(os.stat(path))  # before it is opened: some devices act on that
            if os.name == "nt":  # where libraries do not share open files
                yield os.fsdecode(path)
                return
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except AudioError:
            raise
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            problem = (
                "a link to a file that is not there" if os.path.islink(path) else "no such file"
            )
            raise Refusal(problem, "check the path") from error
        except OSError as error:
            raise Refusal(f"it cannot be opened ({error.strerror})", "check the path") from error
        try:
            _check_kind(os.fstat(handle))  # another file may have taken its name
            yield handle
        finally:
            os.close(handle)


def _words_of(error: BaseException) -> str:
    said = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
    said = escape_text(" ".join(str(said).split())).rstrip(".")
    if "possibly a pipe" in said:  # libsndfile's words for an MP3 that ends at once
        return "Format not recognised"
    return said or type(error).__name__


def _start(handle: int | str) -> bytes:
    if isinstance(handle, int):
        return os.pread(handle, 4, 0)
    with open(handle, "rb") as file:
        return file.read(4)


def _check_kind(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise Refusal("it is a folder", "name a sound file")
    if not stat.S_ISREG(status.st_mode):
        # Opening a FIFO or a device could wait for ever.
        raise Refusal("not a regular file", "copy it to a file first")
    if status.st_size == 0:
        raise Refusal("the file is empty (0 bytes)", REMEDY)
