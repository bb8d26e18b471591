import os

import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sfmforensics.audio import read_audio, signal_hash
from sfmforensics.audio._hearing import Hearing
from sfmforensics.audio._recording import HeardRecording
from sfmforensics.exceptions import AudioError

RATE = 16_000
MIX = Hearing("mix")
NOISE = np.random.default_rng(0).standard_normal(65 * RATE, np.float32) * 0.1


def record(source, max_seconds=None, min_samples=400):
    return HeardRecording(source, min_samples=min_samples, max_seconds=max_seconds, hearing=MIX)


@pytest.fixture(scope="module")
def sources(tmp_path_factory, voice):
    """A pair, a file at 16 kHz, and a stereo file at 44.1 kHz, of 40 s each."""
    folder = tmp_path_factory.mktemp("sources")
    stereo = np.column_stack([voice(40.0, seed=s, rate=44_100) for s in (1, 2)])
    soundfile.write(folder / "mono.wav", NOISE[: 40 * RATE], RATE, subtype="FLOAT")
    soundfile.write(folder / "stereo.wav", stereo, 44_100, subtype="FLOAT")
    return [
        (NOISE[: 40 * RATE], RATE),
        str(folder / "mono.wav"),
        str(folder / "stereo.wav"),
    ]


# -- whole or in pieces ------------------------------------------------------------------------


@pytest.mark.parametrize("max_seconds", [None, 1, 7.3, 30, 40, 100])
def test_a_recording_is_the_same_whole_or_in_pieces(sources, max_seconds):
    for source in sources:
        signal = read_audio(source, channel="mix")
        recording = record(source, max_seconds)
        pieces = list(recording.pieces())
        assert recording.digest == signal_hash(signal)
        assert len(pieces) == recording.n_pieces
        assert all(piece.dtype == np.float32 for piece in pieces)
        assert np.array_equal(np.concatenate(pieces), signal)


@pytest.mark.parametrize("max_seconds", [None, 40, 41.5])
def test_a_short_recording_is_one_piece_and_held(sources, max_seconds):
    for source in sources:
        recording = record(source, max_seconds)
        assert recording.n_pieces == 1
        assert np.array_equal(recording.signal, read_audio(source, channel="mix"))
        (piece,) = recording.pieces()
        assert piece is recording.signal


def test_a_long_recording_is_not_held_and_can_be_read_twice(sources):
    for source in sources:
        recording = record(source, 39.9)
        assert recording.signal is None
        assert recording.n_pieces == 2
        first, second = (np.concatenate(list(recording.pieces())) for _ in range(2))
        assert np.array_equal(first, second)


@settings(deadline=None, max_examples=150)
@given(
    n_samples=st.one_of(st.integers(400, 5_000), st.integers(400, len(NOISE))),
    max_seconds=st.one_of(
        st.floats(0.02, 70), st.floats(0.02, 1), st.integers(1, 3_000).map(lambda n: n / 50)
    ),
)
@example(n_samples=len(NOISE), max_seconds=0.02)
@example(n_samples=2 * RATE + 1, max_seconds=1.0)
@example(n_samples=98 * 320 + 640, max_seconds=0.04)
def test_pieces_are_equal_and_begin_where_frames_do(n_samples, max_seconds):
    signal = NOISE[:n_samples]
    recording = record((signal, RATE), max_seconds)
    pieces = list(recording.pieces())
    lengths = [len(piece) for piece in pieces]
    assert len(pieces) == recording.n_pieces
    assert (recording.signal is None) == (len(pieces) > 1)
    assert recording.digest == signal_hash(signal)
    assert np.array_equal(np.concatenate(pieces), signal)
    assert max(lengths) <= max_seconds * RATE
    assert max(lengths) - min(lengths) <= 320
    assert all(length % 320 == 0 for length in lengths[:-1])
    longest = int(max_seconds * RATE)
    if n_samples > longest:  # no more pieces than it takes
        assert len(pieces) == -(-n_samples // (longest // 320 * 320))


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("max_seconds", [None, 1])
@pytest.mark.parametrize(
    ("signal", "says"),
    [
        (np.zeros(3 * RATE), "silence"),
        (np.append(NOISE[: 3 * RATE], np.nan), "NaN"),
        (NOISE[:700], "at least 50 ms are needed"),
    ],
    ids=["silent", "NaN", "short"],
)
def test_what_cannot_be_used_is_refused_before_any_piece(write_wav, signal, says, max_seconds):
    for source in ((signal, RATE), write_wav("a.wav", signal)):
        with pytest.raises(AudioError, match=says):
            record(source, max_seconds, min_samples=800)


@pytest.mark.parametrize(
    "other",
    [
        NOISE[RATE : 4 * RATE],
        NOISE[: 2 * RATE],
        NOISE[: 3 * RATE - 1],
        NOISE[: 3 * RATE + 1],
        NOISE[: 50 * RATE],
        np.append(NOISE[: 3 * RATE - 1], np.float32(0.5)),
    ],
    ids=["another", "cut", "one less", "one more", "longer", "last sample"],
)
def test_a_file_that_is_rewritten_is_refused_before_its_last_piece(write_wav, other):
    path = write_wav("a.wav", NOISE[: 3 * RATE])
    recording = record(path, 1)
    write_wav("a.wav", other)
    got = []
    with pytest.raises(AudioError, match="it changed while it was read") as caught:
        list(map(got.append, recording.pieces()))
    assert caught.value.source == path
    assert len(got) < recording.n_pieces


def test_a_file_that_is_gone_is_refused(write_wav):
    path = write_wav("a.wav", NOISE[: 3 * RATE])
    recording, held = record(path, 1), record(path)
    os.remove(path)
    with pytest.raises(AudioError, match="no such file"):
        list(recording.pieces())
    assert len(list(held.pieces())) == 1
