"""Whether the end of a sound file is missing, by what its header promises or its last page says."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

_NO_LENGTH = 0xFFFF_0000
"""Sizes from here on are what is written where the length is not known yet, as to a pipe..."""
_NO_LENGTH_EITHER = range(0x7F00_0000, 0x8000_0001)
"""...and these are what others write then (sox: 0x7ffff000 in whole frames)."""

_SLACK = 64
"""Bytes: so many too much is promised by writers that count a header as samples."""

_PAGE = 27 + 255 + 255 * 255
"""Bytes of the longest page of an Ogg stream."""


@dataclass(frozen=True)
class Cut:
    """What is missing of a file.

    Parameters
    ----------
    present : float or None
        Share of the sound that is there, in [0, 1); None where nothing tells how long it was.
    of_whole : bool, default=False
        Whether libsndfile gives the length of the whole, not of what is there.
    chain : bool, default=False
        Whether all is there, but other streams follow the one that is read.
    """

    present: float | None
    of_whole: bool = False
    chain: bool = False


def find_cut(file: BinaryIO, size: int, form: str) -> Cut | None:
    """Look for the end of a sound file.

    Notes
    -----
    WAV (RIFF, RIFX, RF64), Wave64, AIFF and AIFC, AU and SPHERE promise a number of bytes. Of Ogg,
    the last page must be whole; that it closes the stream is not asked, since telephones' voice
    messages and live streams often are not closed. An MP3 promises bytes or frames if it begins
    with a Xing, Info or VBRI header; of one without, only a last frame in pieces is seen. FLAC and
    CAF tell their decoder.

    Examples
    --------
    >>> import io
    >>> header = struct.pack("<4sI4s4sI", b"RIFF", 1036, b"WAVE", b"data", 1000)
    >>> find_cut(io.BytesIO(header + bytes(250)), 20 + 250, "WAV")
    Cut(present=0.25, of_whole=False, chain=False)
    >>> find_cut(io.BytesIO(header + bytes(1000)), 20 + 1000, "WAV") is None
    True
    """
    look = _FORMATS.get(form)
    try:
        return look(file, size) if look else None
    except (struct.error, ValueError, OverflowError):  # a damaged header promises nothing
        return None


def _promised(start: int, length: int, size: int) -> Cut | None:
    there = max(size - start, 0)
    return Cut(there / length) if length - there > _SLACK else None


def _chunks(
    file: BinaryIO, start: int, size: int, order: str, even: bool = True
) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and length of each chunk."""
    while start + 8 <= size:
        file.seek(start)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        yield name, start + 8, length
        start += 8 + length + (length % 2 if even else 0)


def _wav(file: BinaryIO, size: int) -> Cut | None:
    file.seek(0)
    kind = file.read(4)
    order = ">" if kind == b"RIFX" else "<"
    long = None
    for name, start, length in _chunks(file, 12, size, order):
        if name == b"ds64":
            file.seek(start)
            _, long = struct.unpack("<QQ", file.read(16))
        if name == b"data":
            if long is not None and length == 0xFFFF_FFFF:
                return _promised(start, long, size)
            return None if _is_open(length) else _promised(start, length, size)
    return None


def _is_open(length: int) -> bool:
    """Whether a length is none, but what writers to a pipe put in its place."""
    return length >= _NO_LENGTH or length in _NO_LENGTH_EITHER


def _wave64(file: BinaryIO, size: int) -> Cut | None:
    start = 40
    while start + 24 <= size:
        file.seek(start)
        name, _, length = struct.unpack("<4s12sQ", file.read(24))
        if name == b"data":
            return _promised(start + 24, length - 24, size) if length < 2**62 else None
        if length < 24:
            return None
        start += length + -length % 8
    return None


def _aiff(file: BinaryIO, size: int) -> Cut | None:
    for name, start, length in _chunks(file, 12, size, ">"):
        if name == b"SSND":
            return None if _is_open(length) else _promised(start, length, size)
    return None


def _au(file: BinaryIO, size: int) -> Cut | None:
    file.seek(0)
    content = file.read(12)
    order = "<" if content[:4] == b"dns." else ">"
    start, length = struct.unpack(f"{order}II", content[4:])
    return None if _is_open(length) else _promised(start, length, size)


def _sphere(file: BinaryIO, size: int) -> Cut | None:
    file.seek(0)
    content = file.read(1024)
    start = int(content[8:16])
    header = dict(re.findall(rb"^(\w+) -(?:i|s\d+) (\d+)\s*$", content, re.MULTILINE))
    fields = (b"sample_count", b"sample_n_bytes", b"channel_count")
    if not {*fields[:2]} <= set(header):
        return None
    length = 1
    for field in fields:
        length *= int(header.get(field, 1))
    return _promised(start, length, size)


def _ogg(file: BinaryIO, size: int) -> Cut | None:
    first = max(size - 2 * _PAGE, 0)
    file.seek(first)
    content = file.read(2 * _PAGE)
    # From the last on: what looks like a page within sound is followed by none.
    last = content.rfind(b"OggS")
    if last < 0:
        return None
    if len(content) - last < 27:
        return Cut(None)
    segments = content[last + 26]
    lengths = content[last + 27 : last + 27 + segments]
    whole = len(lengths) == segments and last + 27 + segments + sum(lengths) <= len(content)
    if not whole:
        return Cut(None)
    # Of streams one behind the other, as of a recorder that began anew, the first alone is read.
    return None if content[last + 14 : last + 18] in _first_streams(file) else Cut(None, chain=True)


def _first_streams(file: BinaryIO) -> set[bytes]:
    """Serial numbers of the streams that begin an Ogg file, before any page that goes on."""
    file.seek(0)
    content, place = file.read(2 * _PAGE), 0
    serials: set[bytes] = set()
    while content[place : place + 4] == b"OggS" and len(content) - place >= 27:
        if serials and not content[place + 5] & 2:
            break
        serials.add(content[place + 14 : place + 18])
        segments = content[place + 26]
        place += 27 + segments + sum(content[place + 27 : place + 27 + segments])
    return serials


# -- MP3 -----------------------------------------------------------------------------------------

_RATES = (44_100, 48_000, 32_000)
_KBITS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_KBITS[2, 3] = _KBITS[2, 2]
"""Bit rates by MPEG version (2.5 is as 2) and layer, ISO 11172-3 and 13818-3."""

_SEARCHED = 1 << 16


@dataclass(frozen=True)
class _Frame:
    """Header of a frame of MPEG audio."""

    length: int
    kind: tuple[int, int, int]  # version, layer, rate
    side: int  # bytes from the frame's begin to where a Xing header would be

    @classmethod
    def read(cls, header: bytes) -> _Frame | None:
        if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
            return None
        version, layer = (header[1] >> 3) & 3, 4 - ((header[1] >> 1) & 3)
        kbits, rate = header[2] >> 4, (header[2] >> 2) & 3
        if version == 1 or layer == 4 or kbits in (0, 15) or rate == 3:
            return None
        older = version == 3
        hertz = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
        bits = 1000 * _KBITS[1 if older else 2, layer][kbits - 1]
        padding = (header[2] >> 1) & 1
        if layer == 1:
            length = (12 * bits // hertz + padding) * 4
        else:
            length = (144 if older or layer == 2 else 72) * bits // hertz + padding
        mono = header[3] >> 6 == 3
        side = 4 + ((17 if mono else 32) if older else (9 if mono else 17))
        return cls(length, (version, layer, hertz), side)


def _mp3(file: BinaryIO, size: int) -> Cut | None:
    start = _behind_tags(file)
    file.seek(start)
    content = file.read(_SEARCHED)
    while True:
        place = content.find(b"\xff")
        frame = _Frame.read(content[place : place + 4]) if place >= 0 else None
        if place < 0:
            return None
        following = content[place + frame.length :][:4] if frame else b""
        after = _Frame.read(following)
        if frame and ((after and after.kind == frame.kind) or len(following) < 4):
            break
        start, content = start + place + 1, content[place + 1 :]
    start, content = start + place, content[place:]
    size = _before_tags(file, size)
    for offset, names in ((frame.side, (b"Xing", b"Info")), (36, (b"VBRI",))):
        if not content[offset:].startswith(names):
            continue
        if names == (b"VBRI",):
            length, frames = struct.unpack(">II", content[offset + 10 : offset + 18])
        else:
            flags, *numbers = struct.unpack(">III", content[offset + 4 : offset + 16])
            counts = iter(numbers)
            frames = next(counts) if flags & 1 else 0
            length = next(counts) if flags & 2 else 0
        if length:
            there = size - start
            # Some count the header's own frame, some do not.
            return Cut(there / length, True) if length - there > frame.length else None
        if frames:
            there, _ = _walk(file, start, size)
            return Cut(there / frames, True) if frames - there > 1 else None
    _, broken = _walk(file, start, size)
    return Cut(None) if broken else None


def _walk(file: BinaryIO, start: int, size: int) -> tuple[int, bool]:
    """Count whole frames, and say whether one in pieces is the last."""
    count, kind = 0, None
    while start + 4 <= size:
        file.seek(start)
        frame = _Frame.read(file.read(4))
        if frame is None or kind not in (None, frame.kind):
            return count, False  # tags, or damage, which is another matter
        if start + frame.length > size:
            return count, count > 1
        start, kind, count = start + frame.length, frame.kind, count + 1
    return count, False


def _behind_tags(file: BinaryIO) -> int:
    start = 0
    while True:
        file.seek(start)
        header = file.read(10)
        if len(header) < 10 or not header.startswith(b"ID3"):
            return start
        length = 0
        for byte in header[6:]:
            length = length << 7 | byte & 0x7F
        start += 10 + length + (10 if header[5] & 0x10 else 0)


def _before_tags(file: BinaryIO, size: int) -> int:
    """Where sound ends that ID3v1 or APE tags follow."""
    file.seek(max(size - 128, 0))
    if file.read(3) == b"TAG":
        size -= 128
    file.seek(max(size - 32, 0))
    footer = file.read(32)
    if footer.startswith(b"APETAGEX"):
        length, _, flags = struct.unpack("<III", footer[12:24])
        size -= length + (32 if flags >> 31 else 0)
    return size


_FORMATS: dict[str, Callable[[BinaryIO, int], Cut | None]] = {
    **dict.fromkeys(("WAV", "WAVEX", "RF64"), _wav),
    "W64": _wave64,
    "AIFF": _aiff,
    "AU": _au,
    "NIST": _sphere,
    "OGG": _ogg,
    "MP3": _mp3,
}
