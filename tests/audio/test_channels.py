"""Recordings of several channels: what they hold decides what is heard, or that nobody can tell."""

import tracemalloc
import warnings

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import fftconvolve

from sfmforensics.audio import heard_of, read_audio, signal_hash, stream_audio
from sfmforensics.audio._hearing import Hearing
from sfmforensics.embedders import MFCCEmbedder
from sfmforensics.exceptions import AudioError, AudioWarning, EmbedderError, ParameterError
from sfmforensics.views import make_views

RATE = 16_000


def word(rng, pitch, rate):
    """Something like a word: harmonics with syllables and breath."""
    times = np.arange(int(rng.uniform(0.3, 0.9) * rate)) / rate
    phase = 2 * np.pi * pitch * (times + 0.02 * np.sin(2 * np.pi * 1.3 * times))
    harmonics = sum(rng.uniform(0.3, 1) / k * np.sin(k * phase) for k in range(1, 9))
    signal = 0.1 * harmonics + 0.01 * rng.normal(size=times.size)
    return signal * np.abs(np.sin(2 * np.pi * 2 * times + rng.uniform(0, 3)))


def words(seed, seconds=6.0, rate=RATE):
    """A voice that says words, and is silent between them."""
    rng = np.random.default_rng(seed)
    pieces = [np.zeros(0)]
    while sum(map(len, pieces)) < seconds * rate:
        pieces += [word(rng, rng.uniform(90, 220), rate)]
        pieces += [np.zeros(int(rng.uniform(0.1, 0.6) * rate))]
    return np.concatenate(pieces)[: int(seconds * rate)].astype(np.float32)


@pytest.fixture
def speaks():
    return words


def in_a_room(signal, reverberation, direct_db, delay_ms, gain, seed):
    """What one of two microphones hears: direct sound, and a tail of its own."""
    rng = np.random.default_rng(seed)
    times = np.arange(int(reverberation * RATE)) / RATE
    tail = rng.normal(size=times.size) * 10 ** (-3 * times / reverberation)
    tail[: RATE // 300] = 0
    response = tail / np.linalg.norm(tail) * 10 ** (-direct_db / 20)
    response = np.concatenate([np.zeros(int(delay_ms * RATE / 1000)), response])
    response[int(delay_ms * RATE / 1000)] = gain
    return fftconvolve(signal, response)[: len(signal)]


def heard(*channels, channel="auto"):
    return read_audio((np.column_stack(channels).astype(np.float32), RATE), channel=channel)


# -- what is alike -----------------------------------------------------------------------------


@settings(max_examples=40)
@given(n_channels=st.integers(2, 6), seed=st.integers(0, 99), rate=st.sampled_from([8_000, 44_100]))
def test_equal_channels_are_their_mean_to_the_last_bit(n_channels, seed, rate):
    signal = np.random.default_rng(seed).normal(size=rate).astype(np.float32) * 0.1
    stereo = np.column_stack([signal] * n_channels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_audio((stereo, rate))
    assert signal_hash(found) == signal_hash(read_audio((stereo.mean(axis=1), rate)))
    assert signal_hash(found) == signal_hash(read_audio((stereo, rate), channel="mix"))
    if n_channels in (2, 4):  # whose mean is exact
        assert signal_hash(found) == signal_hash(read_audio((signal, rate)))


@pytest.mark.parametrize("delay_ms", [0, 2, 6])
@pytest.mark.parametrize("direct_db", [10, 0, -6])
@pytest.mark.parametrize("reverberation", [0.2, 0.6, 1.5])
def test_one_voice_before_two_microphones_is_not_refused(
    speaks, reverberation, direct_db, delay_ms
):
    signal = speaks(3)
    of_one = in_a_room(signal, reverberation, direct_db, 0, 1.0, seed=1)
    of_other = in_a_room(signal, reverberation, direct_db, delay_ms, 0.6, seed=2)
    noise = np.random.default_rng(0).normal(size=(2, len(signal))) * of_one.std() * 0.1
    stereo = of_one + noise[0], of_other + noise[1]
    assert heard_of((np.column_stack(stereo), RATE))["because"] == "mean"
    np.testing.assert_array_equal(heard(*stereo), heard(*stereo, channel="mix"))


def test_a_joint_stereo_mp3_of_one_voice_is_not_refused(speaks, tmp_path):
    if "MP3" not in soundfile.available_formats():
        pytest.skip("this libsndfile lacks MP3")
    signal = 0.5 * speaks(3, rate=44_100)
    soundfile.write(tmp_path / "a.mp3", np.column_stack([signal, 0.8 * signal]), 44_100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_audio(tmp_path / "a.mp3")) == pytest.approx(6 * RATE, abs=1_500)


# -- what differs ------------------------------------------------------------------------------


@pytest.mark.parametrize("crosstalk", [0, 0.03, 0.1, 0.25])
@pytest.mark.parametrize("at_once", [False, True], ids=["in turn", "at once"])
def test_a_call_with_one_party_a_channel_is_refused_with_how_to_choose(
    speaks, tmp_path, at_once, crosstalk
):
    one, other = speaks(1), speaks(2)
    if not at_once:
        half = len(one) // 2
        one[half:], other[:half] = 0, 0
    stereo = np.column_stack([one + crosstalk * other, other + crosstalk * one])
    path = tmp_path / "call.wav"
    soundfile.write(path, 0.5 * stereo, RATE, subtype="FLOAT")
    for source in (path, (0.5 * stereo, RATE)):
        with pytest.raises(AudioError, match="its 2 channels differ") as caught:
            read_audio(source)
        assert "--channel 1, channel=1" in caught.value.remedy
        assert len(str(caught.value).splitlines()) == 1
        for channel in (1, 2):
            expected = np.float32(0.5 * stereo[:, channel - 1])
            np.testing.assert_array_equal(read_audio(source, channel=channel), expected)
    assert heard_of(path) == {"channels": 2, "heard": [], "because": "different"}
    assert heard_of(path, Hearing(2)) == {"channels": 2, "heard": [2], "because": "asked"}


def test_one_word_in_a_long_silence_is_a_party(speaks):
    other = np.zeros(60 * RATE)
    other[40 * RATE : 41 * RATE] = speaks(2, 1.0)
    with pytest.raises(AudioError, match="channels differ"):
        heard(speaks(1, 60.0), other)


# -- silent and inverted -----------------------------------------------------------------------


@pytest.mark.parametrize("other", ["zeros", "offset", "hiss"])
@pytest.mark.parametrize("place", [1, 2])
def test_a_silent_channel_is_left_out_with_a_word(speaks, place, other):
    signal = speaks(1)
    idle = {
        "zeros": np.zeros(len(signal)),
        "offset": np.full(len(signal), 0.125),
        "hiss": np.random.default_rng(0).normal(size=len(signal)) * 1e-3 * np.abs(signal).max(),
    }[other]
    stereo = (signal, idle) if place == 1 else (idle, signal)
    with pytest.warns(AudioWarning, match=f"channel {3 - place} is silent; channel {place} was"):
        np.testing.assert_array_equal(heard(*stereo), signal)


def test_of_copies_of_opposite_polarity_the_first_is_taken_with_a_word(speaks):
    signal = speaks(1)
    with pytest.warns(AudioWarning, match="opposite polarity, which cancel.*; channel 1 was taken"):
        np.testing.assert_array_equal(heard(signal, -0.8 * signal), signal)
    assert np.abs(heard(signal, -0.998 * signal, channel="mix")).max() < 0.002


def test_of_many_channels_those_that_are_silent_or_inverted_do_not_count(speaks):
    signal, zeros = speaks(1), np.zeros(6 * RATE)
    with pytest.warns(
        AudioWarning, match="channels 1 and 4 are silent; the mean of channels 2 and"
    ):
        np.testing.assert_array_equal(heard(zeros, signal, signal, zeros), signal)
    with pytest.warns(AudioWarning, match="channel 2 was taken"):
        np.testing.assert_array_equal(heard(zeros, signal, -signal, signal), signal)
    with pytest.raises(AudioError, match="its 4 channels differ"):
        heard(signal, signal, zeros, speaks(2))


def test_silence_in_all_channels_is_silence():
    with pytest.raises(AudioError, match=r"every sample is 0 \(silence\)"):
        heard(np.zeros(RATE), np.zeros(RATE))
    with pytest.raises(AudioError, match="1 of 32000 samples are NaN"):
        heard(np.append(np.ones(RATE - 1), np.nan), np.ones(RATE))


# -- what is asked for -------------------------------------------------------------------------


def test_a_channel_that_is_not_there_is_refused_and_one_channel_is_heard_as_it_is(speaks):
    one, other = speaks(1), speaks(2)
    with pytest.raises(
        AudioError, match="it has 2 channels, and channel 3 was asked for; use 1 to"
    ):
        heard(one, other, channel=3)
    for channel in (1, 2, "mix", "auto"):
        np.testing.assert_array_equal(read_audio((one, RATE), channel=channel), one)
    np.testing.assert_array_equal(heard(one, channel=2), one)


@pytest.mark.parametrize("channel", [0, -1, 1.0, True, "1", "left", None])
def test_what_is_no_channel_is_refused(speaks, channel):
    with pytest.raises(ParameterError, match="channel is"):
        heard(speaks(1), channel=channel)
    with pytest.raises(ParameterError, match="channel is"):
        make_views("mfcc", channel=channel)


def test_what_is_kept_goes_by_what_is_heard(speaks, tmp_path):
    """A view's cache knows the signal alone, so that nothing kept before is lost or mistaken."""
    one, other = speaks(1), speaks(2)
    call, cache = (np.column_stack([one, other]), RATE), tmp_path / "cache"
    plain = MFCCEmbedder(cache=cache).transform([(one, RATE), (other, RATE)])
    assert len(list(cache.rglob("*.vec"))) == 2
    for channel in (1, 2):
        found = MFCCEmbedder(cache=cache, channel=channel).transform([call])
        np.testing.assert_array_equal(found[0], plain[channel - 1])
    assert len(list(cache.rglob("*.vec"))) == 2
    with pytest.raises(AudioError, match="channels differ"):
        MFCCEmbedder(cache=cache).transform([call])


def test_views_hear_the_channel_that_was_asked_for(speaks):
    one, other = speaks(1), speaks(2)
    call, mine = (np.column_stack([one, other]), RATE), MFCCEmbedder()
    views = make_views("mfcc", ("mine", mine), channel=2)
    found = views.fit_transform([call])
    np.testing.assert_array_equal(found, views.transform([(other, RATE)]))
    assert mine.channel == "auto"  # what is handed in stays as it was

    class Old(MFCCEmbedder):
        def __init__(self, n_mfcc=40, cache=None, verbose=False):
            super().__init__(n_mfcc, cache=cache, verbose=verbose)

    with pytest.raises(EmbedderError, match="Old has no parameter 'channel'"):
        make_views(Old(), channel=2)


# -- how much it takes -------------------------------------------------------------------------


def test_mono_is_read_once_and_an_hour_of_a_call_in_little_memory(tmp_path, monkeypatch):
    import sfmforensics.audio._reading as audio

    rng, opened = np.random.default_rng(0), []
    blocks_of = audio.blocks_of
    monkeypatch.setattr(audio, "blocks_of", lambda s, **k: opened.append(s) or blocks_of(s, **k))
    mono, stereo = tmp_path / "a.wav", tmp_path / "b.wav"
    soundfile.write(mono, 0.1 * rng.normal(size=RATE), RATE)
    read_audio(mono)
    assert len(opened) == 1
    with soundfile.SoundFile(stereo, "w", 8_000, 2) as file:
        for _ in range(30):  # minutes
            part = 0.1 * rng.normal(size=(8_000 * 60, 1))
            file.write(part * [[1, 0.5]])
    opened.clear()
    tracemalloc.start()
    for _ in stream_audio(stereo):
        pass
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 40 * 2**20  # half an hour of two channels is 115 MiB
    for _ in stream_audio(stereo):
        pass
    assert len(opened) == 3  # it was listened to once
