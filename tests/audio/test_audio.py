import os
import struct

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sfmforensics.audio import (
    MIN_SAMPLES,
    SOFTEST,
    audio_info,
    read_audio,
    signal_hash,
    stream_audio,
)
from sfmforensics.audio._reading import describe_source
from sfmforensics.exceptions import AudioError

RATE = 16_000


def tone(hertz, seconds=1.0, rate=RATE, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def loudest(signal):
    """Frequency of the highest peak of the spectrum, in Hz."""
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal))))
    return spectrum.argmax() * RATE / len(signal)


def level(signal):
    """Amplitude of a tone, from its middle."""
    middle = signal[len(signal) // 4 : -len(signal) // 4]
    return float(np.sqrt(2 * np.mean(np.square(middle))))


@pytest.fixture
def write(tmp_path):
    def to(name, signal, rate=RATE, **options):
        soundfile.write(tmp_path / name, signal, rate, **options)
        return str(tmp_path / name)

    return to


# -- what is read ------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_any_rate_becomes_16_khz_with_the_same_duration_and_pitch(write, rate):
    signal = read_audio(write("a.wav", tone(440, 1.5, rate), rate))
    assert signal.dtype == np.float32
    assert signal.ndim == 1
    assert abs(len(signal) - 1.5 * RATE) <= 1
    assert loudest(signal) == pytest.approx(440, abs=2)
    assert level(signal) == pytest.approx(0.5, rel=0.01)


def test_what_16_khz_cannot_hold_is_filtered_out_and_does_not_alias(write):
    kept, lost = tone(1_000, 1, 48_000), tone(10_000, 1, 48_000)
    signal = read_audio(write("a.wav", kept + lost * 0.9, 48_000, subtype="FLOAT"))
    spectrum = np.abs(np.fft.rfft(signal[4_000:12_000] * np.hanning(8_000)))
    one_khz, six_khz = spectrum[490:511].max(), spectrum[2_900:3_100].max()
    assert one_khz > 1_000 * six_khz  # 10 kHz would come back as 6


def test_the_mean_of_channels_is_given_where_it_is_asked_for(write):
    left, right = tone(300), tone(700, amplitude=0.25)
    file = write("a.wav", np.column_stack([left, right]), subtype="FLOAT")
    signal = read_audio(file, channel="mix")
    np.testing.assert_allclose(signal, (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [
        ("a.wav", "PCM_U8", 1e-2),
        ("a.wav", "PCM_16", 5e-5),
        ("a.wav", "PCM_24", 1e-6),
        ("a.wav", "PCM_32", 1e-6),
        ("a.wav", "FLOAT", 1e-7),
        ("a.wav", "DOUBLE", 1e-7),
        ("a.flac", "PCM_16", 5e-5),
        ("a.flac", "PCM_24", 1e-6),
        ("a.aiff", "PCM_16", 5e-5),
    ],
)
def test_lossless_formats_keep_the_signal(write, name, subtype, tolerance):
    original = tone(440)
    signal = read_audio(write(name, original, subtype=subtype))
    np.testing.assert_allclose(signal, original, atol=tolerance)


@pytest.mark.parametrize("name", ["a.ogg", "a.mp3"])
def test_lossy_formats_keep_pitch_and_level(write, name):
    if name.rpartition(".")[2].upper() not in soundfile.available_formats():
        pytest.skip(f"this libsndfile ({soundfile.__libsndfile_version__}) lacks {name[2:]}")
    signal = read_audio(write(name, tone(440)))
    assert abs(len(signal) - RATE) < 2_500  # mp3 comes in blocks of 1152 samples
    assert loudest(signal) == pytest.approx(440, abs=3)
    assert level(signal) == pytest.approx(0.5, rel=0.05)


def test_the_rate_is_the_files_own_whatever_its_name_says(write):
    assert loudest(read_audio(write("8000hz.wav", tone(440, 1, 44_100), 44_100))) == pytest.approx(
        440, abs=2
    )


def test_one_recording_has_one_hash_under_any_name_or_lossless_container(write):
    original = (tone(440) * 32_000).astype(np.int16)
    wav, flac = write("a.wav", original), write("b.flac", original)
    assert signal_hash(read_audio(wav)) == signal_hash(read_audio(flac))
    other = write("c.wav", original[::-1])
    assert signal_hash(read_audio(wav)) != signal_hash(read_audio(other))


def test_path_objects_are_paths(tmp_path, write):
    write("a.wav", tone(440))
    np.testing.assert_array_equal(
        read_audio(tmp_path / "a.wav"), read_audio(str(tmp_path / "a.wav"))
    )


# -- pairs -------------------------------------------------------------------------------------


def test_a_pair_is_read_like_the_file_that_holds_it(write):
    stereo = np.column_stack([tone(300, 1, 44_100), tone(500, 1, 44_100)])
    file = write("a.wav", stereo, 44_100, subtype="FLOAT")
    for channel in ("mix", 2):
        of_file, of_pair = (read_audio(s, channel=channel) for s in (file, (stereo, 44_100)))
        np.testing.assert_allclose(of_pair, of_file, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.float64])
def test_numbers_of_a_pair_are_scaled_by_the_range_of_their_type(dtype):
    original = tone(440)
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        middle = 0 if limits.min < 0 else 128
        values = np.round(original * (limits.max - middle) + middle).astype(dtype)
    else:
        values = original.astype(dtype)
    signal = read_audio((values, RATE))
    assert signal.dtype == np.float32
    np.testing.assert_allclose(signal, original, atol=1.5e-2 if values.itemsize == 1 else 5e-5)


def test_what_is_passed_is_not_changed():
    given_signal = tone(440).astype(np.float32)
    copy = given_signal.copy()
    read_audio((given_signal, RATE))[:] = 7
    np.testing.assert_array_equal(given_signal, copy)


@settings(deadline=None, max_examples=100)
@given(
    pattern=hnp.arrays(
        np.float32,
        st.tuples(st.integers(2, 30), st.integers(1, 3)),
        elements=st.floats(-1, 1, width=32),
    ),
    length=st.integers(1_250, 3_000),
    rate=st.sampled_from([8_000, 11_025, 16_000, 22_050, 44_100, 48_000]),
    mono=st.booleans(),
)
def test_any_finite_signal_that_varies_becomes_mono_finite_float32(pattern, length, rate, mono):
    signal = np.resize(pattern[:, 0], length) if mono else np.resize(pattern, (length, 2))
    mixed = signal if mono else signal.mean(axis=1, dtype=np.float32)
    assume(np.ptp(mixed) >= SOFTEST)
    assume(np.ptp(at_once(signal, rate)) >= SOFTEST)  # more than what 16 kHz cannot hold
    found = read_audio((signal, rate), channel="mix")
    assert found.dtype == np.float32
    assert found.ndim == 1
    assert np.isfinite(found).all()
    assert abs(len(found) - length * RATE / rate) <= 1


# -- block by block ----------------------------------------------------------------------------


def noise(n_samples, channels=1, seed=0):
    signal = np.random.default_rng(seed).standard_normal((n_samples, channels), np.float32) * 0.1
    return signal if channels > 1 else signal[:, 0]


def at_once(signal, rate):
    """The mean of the channels, resampled whole."""
    mono = signal if signal.ndim == 1 else signal.mean(axis=1, dtype=np.float32)
    return mono if rate == RATE else soxr.resample(mono, rate, RATE, quality="HQ")


@pytest.mark.parametrize("form", ["file", "pair"])
@pytest.mark.parametrize("channels", [1, 2], ids=["mono", "stereo"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_joined_blocks_are_the_recording_resampled_at_once(write, rate, channels, form):
    signal = noise(75 * rate + 17, channels)
    source = (signal, rate)
    if form == "file":
        source = write("a.wav", signal, rate, subtype="FLOAT")
    blocks = list(stream_audio(source, channel="mix"))
    assert all(block.dtype == np.float32 and block.ndim == 1 for block in blocks)
    assert max(map(len, blocks)) <= 30.1 * RATE
    joined = np.concatenate(blocks)
    assert np.array_equal(joined, at_once(signal, rate))
    assert np.array_equal(joined, read_audio(source, channel="mix"))


@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize("seconds", [30, 60])
@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_a_recording_that_ends_where_a_block_does_loses_nothing(write, rate, seconds, more):
    signal = noise(seconds * rate + more)
    path = write("a.wav", signal, rate, subtype="FLOAT")
    for source in (path, (signal, rate)):
        assert np.array_equal(np.concatenate(list(stream_audio(source))), at_once(signal, rate))


@settings(deadline=None, max_examples=100)
@given(
    pattern=hnp.arrays(
        np.float32,
        st.tuples(st.integers(2, 30), st.integers(1, 3)),
        elements=st.floats(-1, 1, width=32),
    ),
    length=st.integers(20, 3_000),
    rate=st.integers(4_000, 100_000),
)
def test_any_signal_is_resampled_as_soxr_does(pattern, length, rate):
    signal = np.resize(pattern, (length, pattern.shape[1]))
    assume(np.ptp(signal.mean(axis=1, dtype=np.float32)) >= SOFTEST)
    expected = at_once(signal, rate)
    assume(expected.size)
    assume(np.ptp(expected) >= SOFTEST)
    found = read_audio((signal, rate), min_samples=1, channel="mix")
    assert np.array_equal(found, expected)


def test_what_only_the_whole_shows_is_said_after_the_last_block(write):
    signal = noise(65 * RATE)
    signal[-1] = np.nan
    blocks = stream_audio(write("a.wav", signal, subtype="FLOAT"))
    for start in (0, 30, 60):
        expected = signal[start * RATE : (start + 30) * RATE]
        assert np.array_equal(next(blocks), expected, equal_nan=True)
    with pytest.raises(AudioError, match="NaN"):
        next(blocks)


@pytest.mark.parametrize("form", ["file", "pair"])
@pytest.mark.parametrize("rate", [8_000, 16_000])
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda rate: np.zeros(65 * rate), "every sample is 0 (silence)"),
        (lambda rate: np.full((65 * rate, 2), 0.25), "every sample is 0.25 (a constant offset)"),
        (
            lambda rate: np.append(noise(65 * rate), [np.nan, 0.1, np.inf]),
            "2 of {n} samples are NaN or infinite",
        ),
        (
            lambda rate: np.append(np.zeros(65 * rate), np.nan),
            "1 of {n} samples are NaN or infinite",
        ),
        (lambda rate: noise(rate // 50), "20.0 ms of sound; at least 25 ms are needed"),
        (lambda rate: noise(0), "it holds no samples"),
    ],
    ids=["zeros", "constant", "late NaN", "zeros, NaN", "too short", "empty"],
)
def test_blocks_are_refused_with_the_words_for_the_whole(write, make, says, rate, form):
    signal = make(rate).astype(np.float32)
    source = (signal, rate)
    if form == "file":
        source = write("a.wav", signal, rate, subtype="FLOAT")
    with pytest.raises(AudioError) as by_blocks:
        list(stream_audio(source))
    with pytest.raises(AudioError) as whole:
        read_audio(source)
    assert str(by_blocks.value) == str(whole.value)
    expected = f"{describe_source(source)}: {says.format(n=signal.size)}"
    assert str(whole.value).startswith(expected)


def test_blocks_that_are_constant_each_are_no_silence():
    steps = np.repeat(np.float32([0.0, 0.5]), 30 * RATE)
    assert np.array_equal(read_audio((steps, RATE)), steps)


# -- what is refused ---------------------------------------------------------------------------


def _header_only(path):
    with open(path, "wb") as file:
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
        file.write(struct.pack("<4sI4s", b"RIFF", 36, b"WAVE") + form)
        file.write(struct.pack("<4sI", b"data", 0))


def _text(path):
    path.write_text("name,age\nanna,31\n" * 50)


def _write(signal, **options):
    return lambda path: soundfile.write(path, signal, RATE, subtype="FLOAT", **options)


def _nan(value):
    signal = tone(440).astype(np.float32)
    signal[100] = value
    return signal


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "folder"),
        (_text, "cannot be read as sound"),
        (lambda path: path.write_bytes(os.urandom(5_000)), "cannot be read as sound"),
        (lambda path: path.touch(), "empty"),
        (_header_only, "no samples"),
        (_write(np.zeros(RATE)), "silence"),
        (_write(np.zeros((RATE, 2))), "silence"),
        (_write(np.full(RATE, 0.25)), "constant"),
        (_write(_nan(np.nan)), "NaN"),
        (_write(_nan(np.inf)), "infinite"),
        (_write(tone(440, 0.02)), "20.0 ms"),
        (os.mkfifo, "not a regular file"),
    ],
    ids=[
        *("missing", "folder", "text", "noise", "0 bytes", "header only", "zeros", "stereo zeros"),
        *("constant", "NaN", "Inf", "too short", "FIFO"),
    ],
)
def test_refusals_name_the_file_and_the_reason(tmp_path, make, says):
    path = tmp_path / "bad.wav"
    make(path)
    with pytest.raises(AudioError, match=says) as caught:
        read_audio(path)
    assert str(path) in str(caught.value)
    assert caught.value.remedy
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["a" * 5_000 + ".wav", "aaaa\0.wav", "aaaa"])
def test_a_name_that_no_file_can_have_is_refused_too(name):
    with pytest.raises(AudioError, match="aaaa"):
        read_audio(name)


def test_samples_without_a_header_are_refused(tmp_path):
    path = tmp_path / "a.raw"
    path.write_bytes(os.urandom(5_000))
    with pytest.raises(AudioError, match="cannot be read as sound"):
        read_audio(path)


@pytest.mark.parametrize(
    "pair",
    [
        (np.zeros((2, 3, 4)), RATE),
        (tone(440), 0),
        (tone(440), -RATE),
        (tone(440), "fast"),
        (tone(440), None),
        (tone(440),),
        (["a", "b"], RATE),
        (tone(440) * 1j, RATE),
        (np.array([None] * 1_000), RATE),
        (np.empty(0), RATE),
        (np.empty((1_000, 0)), RATE),
        (np.float32(0.5), RATE),
        17,
        None,
    ],
    ids=repr,
)
def test_pairs_that_are_no_recordings_are_refused(pair):
    with pytest.raises(AudioError):
        read_audio(pair)


def test_a_signal_that_16_khz_leaves_nothing_of_is_refused():
    with pytest.raises(AudioError, match=r"0\.0 ms of sound"):
        read_audio((np.array([0.1, 0.2]), 96_000), min_samples=0)


@pytest.mark.filterwarnings("error")
def test_infinities_that_cancel_are_refused_without_a_warning():
    signal = np.column_stack([tone(440), tone(440)])
    signal[5] = np.inf, -np.inf
    with pytest.raises(AudioError, match="2 of 32000 samples are NaN or infinite"):
        read_audio((signal, RATE))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("form", ["file", "pair"])
@pytest.mark.parametrize(
    ("signal", "says"),
    [
        (1e30 * tone(440), "samples up to 5.0e+29"),
        # In float32 the sum of the channels is infinite though no sample is.
        (np.column_stack([6e38 * tone(440)] * 2), "samples up to inf"),
        (1e-9 * tone(440), "no two samples differ by more than 1.0e-09 (silence"),
        (1e-40 * tone(440), "(silence"),
        (0.5 + 1e-9 * tone(440), "a constant offset"),
    ],
    ids=["1e30", "3e38 in stereo", "1e-9", "denormal", "offset"],
)
def test_levels_that_no_recording_has_are_refused(write, signal, says, form):
    source = (signal.astype(np.float32), RATE)
    if form == "file":
        source = write("a.wav", *source, subtype="FLOAT")
    with pytest.raises(AudioError) as caught:
        read_audio(source)
    assert says in str(caught.value)


@pytest.mark.parametrize("amplitude", [2.0**-24, 1e-5, 32_767.0, 2.0**31])
def test_soft_and_unscaled_recordings_are_read(amplitude):
    signal = (amplitude * np.sign(tone(440))).astype(np.float32)
    np.testing.assert_array_equal(read_audio((signal, RATE)), signal)


def test_the_softest_24_bit_sound_is_read(write):
    path = write("a.wav", (np.arange(RATE) % 50 < 25).astype(np.int32) << 8, subtype="PCM_24")
    assert np.ptp(read_audio(path)) == 2.0**-23


def test_sound_that_16_khz_cannot_hold_is_no_silent_signal(write):
    fade = np.hanning(192_000)  # a beginning would be heard
    path = write("a.wav", 0.5 * fade * np.cos(np.pi * np.arange(192_000)), 192_000, subtype="FLOAT")
    with pytest.raises(AudioError, match="nothing of it lies below 8 kHz"):
        read_audio(path)


def test_the_mean_of_channels_does_not_depend_on_how_they_lie_in_memory():
    signal = noise(RATE, 32)
    found = read_audio((np.asfortranarray(signal), RATE), channel="mix")
    np.testing.assert_array_equal(found, read_audio((signal, RATE), channel="mix"))


@pytest.mark.parametrize("name", ["a.raw", "a.vox", "a.mp3", "a.txt", "a"])
def test_how_a_name_ends_does_not_matter(write, tmp_path, name):
    expected = read_audio(write("a.wav", tone(440)))
    os.rename(tmp_path / "a.wav", tmp_path / name)
    np.testing.assert_array_equal(read_audio(tmp_path / name), expected)
    (tmp_path / name).write_bytes(os.urandom(100) * 100)  # vox and gsm need no header
    with pytest.raises(AudioError, match="cannot be read as sound"):
        read_audio(tmp_path / name)


def test_min_samples_can_be_set():
    short = (tone(440, 0.03), RATE)
    assert len(read_audio(short)) == 480
    with pytest.raises(AudioError, match="at least 50 ms"):
        read_audio(short, min_samples=800)
    with pytest.raises(AudioError):
        read_audio((tone(440)[: MIN_SAMPLES - 1], RATE))
    assert len(read_audio((tone(440)[:MIN_SAMPLES], RATE))) == MIN_SAMPLES


# -- the rest ----------------------------------------------------------------------------------


def test_audio_info_reads_the_header(write):
    path = write("a.wav", np.column_stack([tone(440, 2, 22_050)] * 2), 22_050)
    assert audio_info(path) == (22_050, 2, pytest.approx(2.0))


def test_a_flac_that_was_encoded_as_it_came_in_is_read(write, tmp_path):
    signal = noise(40 * RATE)
    expected = read_audio(write("a.flac", signal, subtype="PCM_24"))
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] &= 0xF0  # its number of samples, 36 bits, is not known
    content[22:26] = bytes(4)
    (tmp_path / "b.flac").write_bytes(content)
    np.testing.assert_array_equal(read_audio(tmp_path / "b.flac"), expected)
    assert audio_info(tmp_path / "b.flac") == (RATE, 1, 40.0)


def test_audio_info_refuses_what_is_no_sound(tmp_path):
    path = tmp_path / "notes.wav"
    _text(path)
    with pytest.raises(AudioError, match=r"notes\.wav"):
        audio_info(path)


def test_audio_info_refuses_a_rate_that_no_recording_has(write):
    with pytest.raises(AudioError, match="its rate is 100 Hz, where a voice needs 2000 or more"):
        audio_info(write("a.wav", tone(440), 100))


def test_describe_source(tmp_path):
    assert describe_source(tmp_path / "a.wav") == str(tmp_path / "a.wav")
    assert describe_source((np.zeros((5, 2)), 8_000)) == "signal of shape (5, 2) at 8000 Hz"
