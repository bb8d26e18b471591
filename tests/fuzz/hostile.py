"""Recordings that nobody wishes for, by number: the same number is the same input, always.

``make(number, folder)`` writes what it needs into an empty folder and gives a `Case`. Every kind of
trouble has its turn, so that any stretch of numbers holds all of them.
"""

import ctypes
import os
import socket
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

SEED = 2026
TRAPS = 9_000_000

RATES = [1, 10, 500, 1_999, 2_000, 4_000, 8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000]
RATES += [96_000, 192_000, 384_000, 655_350, 768_000, 2**31 - 1]
LOSSLESS = {"WAV", "WAVEX", "FLAC", "AIFF", "CAF", "W64", "RF64", "AU"}
EXACT = {"PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"}
VALUES = 1_000_000  # samples of all channels, at most

SOUND, REFUSED = "sound", "refused"


@dataclass
class Case:
    """One input: what is handed in, what it is, and what must become of it, where that is sure."""

    source: object
    note: str
    expected: str | None = None
    steady: bool = True  # whether reading it twice gives the same
    undo: list = field(default_factory=list)

    def close(self):
        for action in self.undo:
            action()


# -- signals -----------------------------------------------------------------------------------


def voice(rng, n, rate):
    time = np.arange(n) / rate
    pitch = rng.uniform(80, 250)
    parts = [rng.uniform(0.3, 1) / k * np.sin(2 * np.pi * pitch * k * time) for k in (1, 2, 3)]
    return 0.2 * sum(parts) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))


def scaled(amplitude):
    return lambda rng, n, rate: amplitude * rng.uniform(-1, 1, n)


def with_values(values):
    def make(rng, n, rate):
        signal = voice(rng, n, rate)
        signal[rng.integers(0, n, max(1, n // 50))] = rng.choice(values)
        return signal

    return make


def single(position):
    def make(rng, n, rate):
        signal = np.zeros(n)
        signal[position if position is not None else rng.integers(0, n)] = rng.choice([-0.9, 0.5])
        return signal

    return make


SIGNALS = {
    "voice": (voice, SOUND),
    "noise": (scaled(0.5), SOUND),
    "clipped": (lambda rng, n, rate: np.clip(20 * voice(rng, n, rate), -1, 1), SOUND),
    "over full scale": (scaled(40_000.0), None),
    "soft": (scaled(1e-5), None),
    "softer than 24 bits": (scaled(1e-9), REFUSED),
    "denormal": (scaled(1e-40), REFUSED),
    "zeros": (lambda rng, n, rate: np.zeros(n), REFUSED),
    "constant": (lambda rng, n, rate: np.full(n, 0.25), REFUSED),
    "click": (single(None), None),
    "constant after the first": (single(0), None),
    "constant before the last": (single(-1), None),
    "half silent": (lambda rng, n, rate: voice(rng, n, rate) * (np.arange(n) > n / 2), None),
    "step": (lambda rng, n, rate: np.where(np.arange(n) > n / 2, 0.5, -0.5), None),
    "offset": (lambda rng, n, rate: 0.9 + 0.05 * voice(rng, n, rate), None),
    "alternating": (lambda rng, n, rate: 0.5 * (-1.0) ** np.arange(n), None),
    "ramp": (lambda rng, n, rate: np.linspace(-1, 1, n), None),
    "huge": (scaled(1e30), REFUSED),
    "near the end of float32": (scaled(3e38), REFUSED),
    "beyond float32": (scaled(1e300), REFUSED),
    "NaN": (with_values([np.nan]), REFUSED),
    "infinite": (with_values([np.inf, -np.inf]), REFUSED),
}
FLOAT_ONLY = {"over full scale", "softer than 24 bits", "denormal", "huge", "NaN", "infinite"}
FLOAT_ONLY |= {"near the end of float32", "beyond float32", "soft"}


def mixed(rng, name, n, rate, channels):
    """Channels that are copies, now and then of opposite polarity, or each as it comes."""
    make, expected = SIGNALS[name]
    if n == 0:
        return np.zeros((0, channels)), REFUSED
    way = rng.random()
    if way < 0.2:
        signal = np.column_stack([make(rng, n, rate) for _ in range(channels)])
        return signal, expected if channels == 1 or expected == REFUSED else None
    signal = np.column_stack([make(rng, n, rate)] * channels)
    if channels == 2 and way < 0.4:
        signal = signal * [1, -1]
    return signal, expected


def length(rng, rate, channels, longest=2.0):
    seconds = float(np.exp(rng.uniform(np.log(0.01), np.log(longest))))
    if rng.random() < 0.03:
        seconds = 0.0
    n = min(round(seconds * min(rate, 10**6)), VALUES // channels)
    return n, n / rate


def verdict(expected, seconds, rate):
    """What must become of a well-formed recording."""
    if seconds < 0.0249 or not 2_000 <= rate <= 10_000_000:
        return REFUSED
    return None if expected == SOUND and seconds < 0.03 else expected


# -- files -------------------------------------------------------------------------------------


def write_any(rng, path, *, longest=2.0, rates=RATES, sane=False):
    """Write a valid file of any format, subtype, rate and number of channels."""
    for _ in range(50):
        form = str(rng.choice(sorted(soundfile.available_formats())))
        if rng.random() < 0.4:
            form = str(rng.choice(sorted(LOSSLESS & set(soundfile.available_formats()))))
        if form in ("RAW", "SD2"):
            continue
        subtype = str(rng.choice(sorted(soundfile.available_subtypes(form))))
        rate = int(rng.choice(rates))
        channels = int(rng.choice([1, 1, 1, 2, 2, 3, 6, 8, 32]))
        coded = subtype not in EXACT | {"ULAW", "ALAW"}
        if coded and (channels > 2 or not 2_000 <= rate <= 192_000):
            continue  # libsndfile's encoders write beyond their memory
        n, seconds = length(rng, rate, channels, longest)
        name = str(rng.choice(list(SIGNALS)))
        if sane or (name in FLOAT_ONLY and subtype not in ("FLOAT", "DOUBLE")):
            name = str(rng.choice(["voice", "noise", "clipped"]))
        if name == "beyond float32" and subtype != "DOUBLE":
            name = "near the end of float32"
        signal, expected = mixed(rng, name, n, rate, channels)
        try:
            with soundfile.SoundFile(
                path, "w", rate, channels, subtype=subtype, format=form
            ) as file:
                file.write(signal)
        except (soundfile.SoundFileError, ValueError, TypeError):
            continue
        exact = form in LOSSLESS and subtype in EXACT
        note = f"{form} {subtype} {rate} Hz, {channels} channels, {n} samples, {name}"
        if rate < 2_000 and form != "SDS":  # which keeps the period, and so another rate
            return note, None if not exact else verdict(expected, seconds, rate)
        return note, verdict(expected, seconds, rate) if exact else None
    soundfile.write(path, voice(rng, 8_000, 16_000), 16_000, format="WAV")
    return "WAV, for want of another", SOUND


def valid(rng, folder):
    path = folder / "valid.wav"  # libsndfile does not mind the name
    note, expected = write_any(rng, path)
    return Case(str(path), note, expected)


def small(rng, folder, name="a.wav"):
    path = folder / name
    note, _ = write_any(rng, path, longest=1.0, rates=[8_000, 16_000, 44_100, 48_000], sane=True)
    return path, note


def cut(rng, folder):
    path, note = small(rng, folder)
    size = path.stat().st_size
    keep = int(rng.integers(0, 1 + (min(size, 200) if rng.random() < 0.3 else size)))
    os.truncate(path, keep)
    return Case(str(path), f"{note}; {keep} of {size} bytes", REFUSED if keep == 0 else None)


def flipped(rng, folder):
    path, note = small(rng, folder)
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    if not len(content):  # as some formats hold no samples
        return Case(str(path), f"{note}; 0 bytes", REFUSED)
    reach = len(content) if rng.random() < 0.5 else min(len(content), 256)
    places = rng.integers(0, reach, int(rng.integers(1, 30)))
    content[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
    path.write_bytes(content.tobytes())
    return Case(str(path), f"{note}; {len(places)} bits flipped in {reach} bytes")


EXTREMES = [0, 1, 2, 3, 0x7F, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
EXTREMES += [0x00FFFFFF, 0x01000000, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 1 << 40]


def header(rng, folder):
    path, note = small(rng, folder)
    content = bytearray(path.read_bytes())
    changed = []
    for _ in range(int(rng.integers(1, 4))):
        width = int(rng.choice([2, 4, 8]))
        place = int(rng.integers(0, max(1, min(len(content), 120) - width)))
        value = EXTREMES[rng.integers(len(EXTREMES))] & ((1 << 8 * width) - 1)
        order = str(rng.choice(["little", "big"]))
        content[place : place + width] = value.to_bytes(width, order)
        changed.append(f"{width} bytes at {place} = {value:#x} ({order})")
    path.write_bytes(content)
    return Case(str(path), f"{note}; {', '.join(changed)}")


def promise(rng, folder):
    """A wav or flac header that promises what is not there, or that nobody can have."""
    path = folder / "a.wav"
    body = rng.integers(0, 256, int(rng.integers(0, 40_000)), dtype=np.uint8).tobytes()
    rate = int(rng.choice([0, 1, 8_000, 48_000, 2**31 - 1, 2**31, 2**32 - 1]))
    channels = int(rng.choice([0, 1, 2, 32, 1_024, 1_025, 65_535]))
    if rng.random() < 0.5:
        bits = int(rng.choice([0, 1, 8, 12, 16, 24, 32, 64, 65_535]))
        form = int(rng.choice([1, 3, 6, 7, 2, 0x11, 0x31, 0x55, 0xFFFE, 0]))
        align, size = channels * bits // 8 % 65_536, int(rng.choice([0, 2**31, 2**32 - 1]))
        fields = form, channels, rate, rate * align % 2**32, align, bits
        path.write_bytes(
            struct.pack("<4sI4s4sI", b"RIFF", size, b"WAVE", b"fmt ", 16)
            + struct.pack("<HHIIHH", *fields)
            + struct.pack("<4sI", b"data", size)
            + body
        )
        return Case(str(path), f"wav header {fields}, {size} bytes promised, {len(body)} there")
    soundfile.write(path, voice(rng, 8_000, 16_000), 16_000, format="FLAC")
    content = bytearray(path.read_bytes())
    total = int(rng.choice([2**36 - 1, 2**35, 1, 0]))
    heard = 0 if rng.random() < 0.8 else (channels - 1) % 8
    fields = (min(rate, 2**20 - 1) << 44) | (heard << 41) | (15 << 36) | total
    content[18:26] = fields.to_bytes(8, "big")
    path.write_bytes(content)
    return Case(str(path), f"flac that promises {total} samples at {min(rate, 2**20 - 1)} Hz")


def spliced(rng, folder):
    (one, note), (two, other) = small(rng, folder, "a.wav"), small(rng, folder, "b.wav")
    first, second = one.read_bytes(), two.read_bytes()
    i, j = int(rng.integers(0, 1 + len(first))), int(rng.integers(0, 1 + len(second)))
    way = int(rng.integers(5))
    whole = [
        first[:i] + second[j:],
        first[:i] + second + first[i:],
        first + second,
        first[:i] + bytes(int(rng.integers(1, 5_000))) + first[i:],
        first[:i] + first[i + int(rng.integers(1, 5_000)) :],
    ][way]
    one.write_bytes(whole)
    return Case(str(one), f"{note}; {other}; way {way} at {i}, {j}")


MAGIC = [
    b"",
    b"RIFF",
    b"RIFF\0\0\0\0WAVE",
    b"fLaC",
    b"OggS\0\2",
    b"ID3\3\0\0\0\0\0\0",
    b"\xff\xfb\x90",
]
MAGIC += [
    b"FORM\0\0\0\0AIFF",
    b".snd",
    b"caff\0\1\0\0",
    b"NIST_1A\n   1024\n",
    b"PK\3\4",
    b"%PDF-1.4",
]
MAGIC += [b"\x80\4\x95", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\x7fELF", b"Creative Voice File\x1a"]
MAGIC += [
    b"MATLAB 5.0 MAT-file",
    b"PVF1\n",
    b"SYMC",
    b"\0\0\0\x1cftypM4A ",
    b"RF64",
    b"riff",
    b"\xf0~\0\1",
]
# fmt: off
ENDINGS = [
    "wav", "flac", "ogg", "mp3", "raw", "vox", "gsm", "sd2", "au", "txt", "m4a", "WAV", "", "mat",
]
# fmt: on


def mislabelled(rng, folder):
    path = folder / f"a.{rng.choice(ENDINGS)}"
    if rng.random() < 0.3:
        note, expected = write_any(rng, path, longest=1.0, sane=True)
        return Case(str(path), f"{path.name} is {note}", expected)
    magic = MAGIC[rng.integers(len(MAGIC))]
    n = int(rng.choice([0, 1, 3, 11, 12, 43, 44, 45, 500, 30_000]))
    fill = [
        lambda: rng.integers(0, 256, n, dtype=np.uint8).tobytes(),
        lambda: bytes(n),
        lambda: b"\xff" * n,
        lambda: (b"anna,31,calm\r\n" * n)[:n],
        lambda: np.sin(np.arange(n // 2)).astype("<f4").tobytes(),
    ][int(rng.integers(5))]()
    path.write_bytes(magic + fill)
    empty = REFUSED if not magic + fill else None
    return Case(str(path), f"{path.name} of {magic!r} and {n} bytes more", empty)


# -- names and places --------------------------------------------------------------------------

# fmt: off
BITS = [
    " ", "\n", "\r", "\t", "\x1b[31m", "\x1b]0;x\x07", "\x9b2J", "\u202e", "\u200d", "\u202f",
    "'", '"',
]
# fmt: on
# fmt: off
BITS += [
    "\\", "\\n", "%s", "{0}", "[red]", "[", "]", ":warning:", "$(id)", "`id`", ";", "*", "?", "&",
    "-", "--",
]
# fmt: on
# fmt: off
BITS += [
    "\udcff", "\udc80", "\udcc3", "é", "e\u0301", "صوت", "声", "🎙", "\x7f", "\x01", "\x85",
    "\u2028", "..", "~", ",",
]
# fmt: on
BITS += ["=", "a", "b", "\ufeff", "\U000e0041"]


def hostile_name(rng):
    parts = [BITS[i] for i in rng.integers(0, len(BITS), int(rng.integers(1, 9)))]
    name = "".join(parts)[:40] + str(rng.choice([".wav", ".wav", "", ".WAV", ".wav ", ".wav\n"]))
    if rng.random() < 0.05:
        name = "x" * 251 + ".wav"
    return "x" if name in ("", ".", "..") else name


class Bytes(os.PathLike):
    """A path whose name is bytes, as `os.scandir` of bytes gives it."""

    def __init__(self, path):
        self.path = os.fsencode(path)

    def __fspath__(self):
        return self.path


def fill_file(rng, path):
    """Something sound, something silent, or no sound at all."""
    way = int(rng.integers(3))
    handle = os.open(path, os.O_WRONLY | os.O_CREAT)
    if way == 2:
        os.write(handle, b"no sound")
        os.close(handle)
    else:
        signal = voice(rng, 4_000, 16_000) * (way == 0)
        with os.fdopen(handle, "wb") as file:
            soundfile.write(file, signal, 16_000, format="WAV")
    return SOUND if way == 0 else REFUSED


def name(rng, folder):
    for _ in range(int(rng.integers(0, 2))):
        folder = folder / hostile_name(rng)
        folder.mkdir()
    path = folder / hostile_name(rng)
    expected = fill_file(rng, path)
    form = [str, Path, Bytes][int(rng.integers(3))]
    return Case(form(path), f"{form.__name__} {str(path)!r}", expected)


def place(rng, folder):
    ways = [getattr(Places, way) for way in sorted(vars(Places)) if not way.startswith("_")]
    return ways[rng.integers(len(ways))](rng, folder)


class Places:
    """What may lie where a file is expected."""

    def link(rng, folder):
        fill_file(rng, folder / "a.wav")
        (folder / "b.wav").symlink_to("a.wav" if rng.random() < 0.7 else folder / "a.wav")
        return Case(folder / "b.wav", "link to a file")

    def hard_link(rng, folder):
        expected = fill_file(rng, folder / "a.wav")
        os.link(folder / "a.wav", folder / "b.wav")
        return Case(folder / "b.wav", "hard link", expected)

    def broken_link(rng, folder):
        (folder / "b.wav").symlink_to("gone.wav")
        return Case(folder / "b.wav", "link to nothing", REFUSED)

    def loop(rng, folder):
        (folder / "a.wav").symlink_to("b.wav")
        (folder / "b.wav").symlink_to("a.wav")
        return Case(folder / "a.wav", "links in a circle", REFUSED)

    def link_away(rng, folder):
        target = str(rng.choice(["/dev/zero", "/dev/stdin", "/proc/self/maps", "/", "."]))
        (folder / "a.wav").symlink_to(target)
        return Case(folder / "a.wav", f"link to {target}", REFUSED)

    def fifo(rng, folder):
        os.mkfifo(folder / "a.wav")
        return Case(folder / "a.wav", "named pipe", REFUSED)

    def socket(rng, folder):
        server = socket.socket(socket.AF_UNIX)
        at = os.getcwd()
        os.chdir(folder)  # the path of a socket is short
        server.bind("a.wav")
        os.chdir(at)
        server.close()
        return Case(folder / "a.wav", "socket", REFUSED)

    def folder(rng, folder):
        (folder / "a.wav").mkdir()
        return Case(folder / "a.wav", "folder", REFUSED)

    def device(rng, folder):
        devices = ["/dev/zero", "/dev/null", "/dev/random", "/dev/full", "/dev/tty", "/dev/stdin"]
        devices += [
            "/proc/self/mem",
            "/proc/self/maps",
            "/proc/kcore",
            "/proc/kmsg",
            "/proc/self/fd",
        ]
        devices += ["/proc/self/fd/0", "/sys/kernel/uevent_seqnum", "/proc/self/exe", "/dev", "/"]
        found = str(rng.choice(devices))
        return Case(found, found, REFUSED)

    def nowhere(rng, folder):
        names = ["", ".", "..", "a\0b.wav", "\0", "x" * 5_000, "a/" * 3_000, "\ud800.wav", "no.wav"]
        found = names[rng.integers(len(names))]
        return Case(found, ascii(found[:30]), REFUSED)

    def below_a_file(rng, folder):
        fill_file(rng, folder / "a.wav")
        return Case(folder / "a.wav" / "b.wav", "below a file", REFUSED)

    def with_a_slash(rng, folder):
        fill_file(rng, folder / "a.wav")
        return Case(f"{folder}/a.wav/", "file with a slash behind it", REFUSED)

    def forbidden(rng, folder):
        expected = fill_file(rng, folder / "a.wav")
        os.chmod(folder / "a.wav", 0)
        allowed = os.access(folder / "a.wav", os.R_OK)  # root may read anything
        return Case(folder / "a.wav", "no permission", expected if allowed else REFUSED)

    def sparse(rng, folder):
        path = folder / "a.wav"
        soundfile.write(path, np.zeros(10), 48_000, format=str(rng.choice(["W64", "CAF", "WAV"])))
        os.truncate(path, int(rng.integers(10_000, 50_000_000)))
        return Case(path, "a hole of megabytes behind a header", REFUSED)

    def changing(rng, folder):
        """A file that something writes to, shortens and replaces while it is read."""
        path = folder / "a.wav"
        n = int(rng.choice([4_000, 130 * 8_000]))
        signal = (voice(rng, n, 8_000) * 30_000).astype(np.int16)
        soundfile.write(path, signal, 8_000)
        content, stop = path.read_bytes(), threading.Event()

        def write():
            turn = 0
            while not stop.wait(0.002):
                turn += 1
                try:
                    if turn % 3 == 0:
                        os.truncate(path, (turn * 7_919) % len(content))
                    elif turn % 3 == 1:
                        path.write_bytes(content)
                    else:
                        (folder / "new").write_bytes(content[: len(content) // 2])
                        os.replace(folder / "new", path)
                except OSError:
                    pass

        writer = threading.Thread(target=write)
        writer.start()
        return Case(path, f"{n} samples that change", None, False, [stop.set, writer.join])


# -- pairs -------------------------------------------------------------------------------------

# fmt: off
DTYPES = [
    "float16", "float32", "float64", "longdouble", "int8", "uint8", "int16", "uint16", "int32",
]
# fmt: on
# fmt: off
DTYPES += [
    "uint32", "int64", "uint64", "bool", "complex64", "object", "U3", "S3", "M8[s]", ">f4", ">i2",
]
# fmt: on
# fmt: off
NO_RATES = [
    0, -1, -16_000, 1, 1_999, 2**31, 2**64, 10**400, np.nan, np.inf, -np.inf, 44_100.5, True,
    None,
]
# fmt: on
# fmt: off
NO_RATES += [
    "16000", b"16000", "fast\x1b[2J", 1j, [], [16_000, 16_000], np.array([1, 2]), object(), {},
]
# fmt: on
# fmt: off
NO_PAIRS = [
    None, 17, 0.5, b"a.wav", (), (1,), (1, 2, 3), {}, {"a": 1}, object(), np.zeros(3),
    [None, None],
]
# fmt: on
NO_PAIRS += [([[1.0], [1.0, 2.0]], 16_000), ("a.wav", 16_000), (np.float32(1), 16_000), np.nan]


def typed(signal, dtype, rng):
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        scaled = signal * float(limits.max) * 0.5 + (0 if limits.min else float(limits.max) / 2)
        return scaled.astype(kind), None
    if kind.kind == "b":
        return signal > 0, None
    if kind.kind == "f":
        with np.errstate(over="ignore"):
            return signal.astype(kind), None
    if kind.kind == "M":
        return np.zeros(signal.shape, kind), REFUSED
    return signal.astype(kind), REFUSED


def laid_out(rng, signal, folder):
    way = int(rng.integers(8))
    if way == 1:
        return np.asfortranarray(signal), "Fortran order"
    if way == 2:
        return np.repeat(signal, 2, axis=0)[::2], "every second"
    if way == 3:
        return signal[::-1][::-1], "turned twice"
    if way == 4:
        signal.setflags(write=False)
        return signal, "read-only"
    if way == 5 and signal.size and signal.dtype.kind in "fiub":
        np.save(folder / "m.npy", signal)
        return np.load(folder / "m.npy", mmap_mode="r"), "memory-mapped"
    if way == 6 and signal.dtype.kind in "fiu" and signal.dtype != np.longdouble:
        return signal.tolist(), "list"
    return signal, "as it is"


def pair(rng, folder):
    if rng.random() < 0.1:
        case = NO_PAIRS[rng.integers(len(NO_PAIRS))]
        return Case(case, f"no pair: {type(case).__name__}", REFUSED)
    channels = int(rng.choice([1, 1, 2, 3, 8, 32]))
    rate = int(rng.choice(RATES if rng.random() < 0.3 else RATES[4:-1]))
    n, seconds = length(rng, rate, channels, 1.0)
    kind = str(rng.choice(list(SIGNALS) if rng.random() < 0.6 else ["voice", "noise", "clipped"]))
    dtype = str(rng.choice(DTYPES if rng.random() < 0.7 else DTYPES[:12]))
    if np.dtype(dtype).kind != "f":
        kind = str(rng.choice(["voice", "noise", "zeros", "constant", "click", "step"]))
    signal, expected = mixed(rng, kind, n, rate, channels)
    signal, no_kind = typed(signal, dtype, rng)
    if dtype == "float16" or np.dtype(dtype).kind != "f":
        expected = None if expected == REFUSED else expected  # rounding may make noise of it
    if np.dtype(dtype).kind == "b":
        expected = None
    if channels == 1 and rng.random() < 0.7:
        signal = signal[:, 0]
    expected = no_kind or verdict(expected, seconds, rate)
    if rng.random() < 0.06:
        shapes = [(n, 0), (0, 2), (2, 3, 4), (), (1, n), (n, 1, 1), (0,), (0, 0)]
        signal = np.zeros(shapes[rng.integers(len(shapes))], dtype)
        expected = REFUSED
    signal, layout = laid_out(rng, signal, folder)
    if layout == "list":
        expected = None if expected == SOUND else expected
        expected = None if np.dtype(dtype).kind in "iu" else expected  # now int64
    shown = rate
    if rng.random() < 0.15:
        rate, expected = NO_RATES[rng.integers(len(NO_RATES))], REFUSED
        shown = type(rate).__name__
    elif rng.random() < 0.2:
        rate = [float, np.int64, np.float64, np.uint64, np.asarray][rng.integers(5)](rate)
    note = f"{dtype} {np.shape(signal)} at {shown}, {kind}, {layout}"
    return Case((signal, rate), note, expected)


KINDS = {
    "valid": valid,
    "pair": pair,
    "cut": cut,
    "flipped": flipped,
    "header": header,
    "promise": promise,
    "spliced": spliced,
    "mislabelled": mislabelled,
    "name": name,
    "place": place,
}


class Trap(os.PathLike):
    """A path that does what no file may do, to see that it is noticed."""

    def __init__(self, way):
        self.way = way

    def __fspath__(self):
        if self.way == 0:
            threading.Event().wait(1_000)
        elif self.way == 1:
            ctypes.string_at(0)
        elif self.way == 2:
            np.ones(2**33, np.uint8)
        elif self.way == 3:
            os.write(2, b"Note: this is noise")
        elif self.way == 4:
            raise ZeroDivisionError
        elif self.way == 5:
            os.open("/dev/null", os.O_RDONLY)
        return "trap.wav"


def kind_of(number):
    if number >= TRAPS:
        return "trap"
    return list(KINDS)[number % len(KINDS)]


def make(number, folder):
    """Make input `number` in an empty folder."""
    if number >= TRAPS:
        return Case(Trap(number - TRAPS), "trap")
    return KINDS[kind_of(number)](np.random.default_rng([SEED, number]), Path(folder))
