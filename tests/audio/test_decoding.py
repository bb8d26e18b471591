import os
import socket
import struct
from fractions import Fraction

import numpy as np
import pytest
import soundfile
import torch

from sfmforensics.audio import _decoding, read_audio
from sfmforensics.audio._decoding import MAX_RATE, MIN_RATE, blocks_of, check_pair, open_sound
from sfmforensics.exceptions import AudioError

TONE = 0.5 * np.sin(np.arange(16_000) / 5)


@pytest.fixture
def write(tmp_path):
    def to(name, signal=TONE, rate=16_000, **options):
        with open(tmp_path / name, "wb") as file:  # a name that soundfile cannot write
            soundfile.write(file, signal, rate, format="WAV", **options)
        return str(tmp_path / name)

    return to


# -- how much at once --------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["file", "pair"])
@pytest.mark.parametrize(("rate", "channels"), [(96_000, 32), (8_000, 1_000), (384_000, 8)])
def test_a_block_is_bounded_by_the_samples_of_all_channels(write, rate, channels, form):
    signal = np.random.default_rng(0).integers(0, 256, (5_000_000 // channels, channels), np.uint8)
    whole = ((signal - 128.0) / 128).astype(np.float32)
    source = (signal, rate)
    if form == "file":
        source = write("a.wav", signal.astype(np.int16) - 128 << 8, rate, subtype="PCM_U8")
    blocks = [block for block, _ in blocks_of(source) if len(block)]
    assert len(blocks) == 2
    assert max(block.size for block in blocks) <= 2**22
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


@pytest.mark.parametrize("total", [2**36 - 1, 2**33])
def test_a_header_that_promises_years_takes_no_memory(tmp_path, total, monkeypatch):
    path, asked = tmp_path / "a.flac", []
    soundfile.write(path, TONE, 16_000)
    content = bytearray(path.read_bytes())
    content[18:26] = ((2**20 - 1 << 44) | (15 << 36) | total).to_bytes(8, "big")
    path.write_bytes(content)
    read = soundfile.SoundFile.read
    monkeypatch.setattr(
        soundfile.SoundFile, "read", lambda *a, **k: asked.append(k["out"].size) or read(*a, **k)
    )
    with pytest.raises(AudioError, match=r"a\.flac: it (cannot be read|is cut)"):
        read_audio(path)
    assert asked == [2**22]


def test_no_samples_of_endless_length_take_no_time():
    with pytest.raises(AudioError, match="it holds no samples"):
        read_audio((np.empty((2**40, 0)), 16_000))


# -- rates -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["file", "pair"])
@pytest.mark.parametrize("rate", [1, 100, MIN_RATE - 1, MAX_RATE + 1, 2**31 - 1])
def test_rates_that_no_voice_is_recorded_at_are_refused(write, rate, form):
    source = (TONE, rate) if form == "pair" else write("a.wav", rate=rate)
    expected = "a voice needs 2000 or more" if rate < 2_000 else "10000000 is the highest"
    with pytest.raises(AudioError, match=f"its rate is {rate} Hz, where {expected}"):
        read_audio(source)


@pytest.mark.parametrize("rate", [MIN_RATE, 768_000, MAX_RATE])
def test_rates_between_are_read(write, rate):
    signal = np.resize(TONE, max(16_000, rate // 10))
    assert abs(len(read_audio((signal, rate))) - len(signal) * 16_000 / rate) <= 1
    assert len(read_audio(write("a.wav", signal, rate, subtype="FLOAT"))) >= 400


@pytest.mark.parametrize("rate", [16_000.0, np.int32(16_000), np.array(16_000), Fraction(16_000)])
def test_any_whole_number_is_a_rate(rate):
    signal, found = check_pair((TONE, rate))
    assert (len(signal), found, type(found)) == (16_000, 16_000, int)


@pytest.mark.parametrize(
    "rate",
    [44_100.5, np.nan, np.inf, -np.inf, True, np.True_, "16000", b"16000", None, 1j, [16_000] * 2],
    ids=repr,
)
def test_what_is_no_whole_number_is_no_rate(rate):
    with pytest.raises(AudioError, match="its rate is not a whole number of Hz"):
        read_audio((TONE, rate))


@pytest.mark.parametrize("rate", [0, -16_000, 2**64, 10**400, -(10**5_000)], ids="abcde")
def test_numbers_beyond_all_measure_are_no_rate(rate):
    with pytest.raises(AudioError, match="its rate is"):
        read_audio((TONE, rate))


# -- pairs -------------------------------------------------------------------------------------


def test_channels_come_last():
    with pytest.raises(AudioError, match="16000 channels; transpose it"):
        read_audio((np.tile(TONE, (1_500, 1)), 16_000))


def test_what_cannot_become_an_array_is_no_recording():
    with pytest.raises(AudioError, match="neither a path nor a"):
        read_audio((torch.zeros(16_000, requires_grad=True), 16_000))


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, ">f4", ">i2", np.uint64, np.int64])
def test_numbers_of_any_width_and_order_of_bytes_are_read(dtype):
    if np.dtype(dtype).kind == "f":
        signal = TONE.astype(dtype)
    else:
        limits = np.iinfo(dtype)
        middle = 0 if limits.min else (limits.max + 1) / 2
        signal = (TONE * (float(limits.max) - middle) * 0.99 + middle).astype(dtype)
    found = read_audio((signal, 16_000))
    np.testing.assert_allclose(found, TONE, atol=1e-2)
    signal.setflags(write=False)
    np.testing.assert_array_equal(found, read_audio((signal[::-1][::-1], 16_000)))


def test_a_list_of_small_integers_is_no_silent_signal():
    with pytest.raises(AudioError, match="silence"):  # they are taken for 64 bits
        read_audio(((TONE * 32_000).astype(np.int16).tolist(), 16_000))


# -- names and places --------------------------------------------------------------------------

NAMES = [
    "a b.wav",
    "two\nlines.wav",
    "\x1b[2J\x1b]0;x\x07.wav",
    os.fsdecode(b"caf\xe9 \xff.wav"),
    "صوت.wav",
    "a\u202e.wav",
    " a.wav ",
    "'a'.wav",
    "[red]:warning:.wav",
    "-",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_that_a_file_can_have_is_opened_or_named(write, tmp_path, name):
    path = write(name)
    assert len(read_audio(path)) == 16_000
    os.remove(path)
    with pytest.raises(AudioError, match="no such file") as caught:
        read_audio(path)
    assert str(caught.value).isprintable()
    assert str(caught.value).startswith(_decoding.describe_source(path))


def test_names_may_be_bytes(write, tmp_path):
    write("a.wav")
    (entry,) = os.scandir(os.fsencode(tmp_path))
    assert len(read_audio(entry)) == 16_000


def _socket(path):
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
    os.chdir(here)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.symlink_to("gone.wav"), "a link to a file that is not there"),
        (lambda path: path.symlink_to(path), "it cannot be opened"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (lambda path: path.symlink_to("."), "it is a folder"),
        (_socket, "not a regular file"),
        (lambda path: path.symlink_to("/proc/self/maps"), r"empty \(0 bytes\)"),
        (lambda path: path.write_bytes(b"\xf0\x7e\0\1" + bytes(200)), "a MIDI sample dump"),
        (
            lambda path: path.write_bytes(b"RIFF" + struct.pack("<I", 2**31) + b"WAVE" * 500),
            "cannot be read as sound",
        ),
    ],
    ids=["broken link", "loop", "device", "folder", "socket", "/proc", "sample dump", "chunks"],
)
def test_what_lies_where_a_file_is_expected_is_refused(tmp_path, make, says):
    make(tmp_path / "a.wav")
    with pytest.raises(AudioError, match=says), open_sound(tmp_path / "a.wav"):
        pass


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_file_that_must_not_be_read_is_refused(write):
    path = write("a.wav")
    os.chmod(path, 0)
    with pytest.raises(AudioError, match="it cannot be opened"):
        read_audio(path)


def test_a_pipe_that_takes_the_name_of_a_file_after_the_check_is_not_waited_for(
    write, tmp_path, monkeypatch
):
    checked = os.stat(write("a.wav"))
    os.remove(tmp_path / "a.wav")
    os.mkfifo(tmp_path / "a.wav")
    monkeypatch.setattr(_decoding.os, "stat", lambda path: checked)
    with pytest.raises(AudioError, match="not a regular file"), open_sound(tmp_path / "a.wav"):
        pass


def test_no_file_stays_open(write, tmp_path):
    good, bad = write("a.wav"), tmp_path / "b.wav"
    bad.write_bytes(b"no sound")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        read_audio(good)
        with pytest.raises(AudioError):
            read_audio(bad)
    assert len(os.listdir("/proc/self/fd")) == before
