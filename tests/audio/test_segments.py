"""A segment of a file is what the same samples are as a file of their own."""

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfmforensics.audio import Segment, audio_info, heard_of, read_audio
from sfmforensics.audio._decoding import blocks_of
from sfmforensics.audio._hearing import Hearing
from sfmforensics.audio._survey import content_hash, look_at, surveyed
from sfmforensics.datasets import find_copies
from sfmforensics.embedders import MFCCEmbedder
from sfmforensics.exceptions import AudioError

RATE = 22_050
FORMS = [
    ("a.wav", "PCM_16"),
    ("a.wav", "FLOAT"),
    ("a.wav", "IMA_ADPCM"),
    ("a.aiff", "PCM_24"),
    ("a.flac", "PCM_16"),
    ("a.w64", "PCM_16"),
    ("a.ogg", "VORBIS"),
    ("a.mp3", "MPEG_LAYER_III"),
]


@pytest.fixture(scope="module")
def sound():
    """Three seconds of two channels that differ in level alone."""
    rng = np.random.default_rng(0)
    voice = rng.normal(size=3 * RATE) * np.abs(np.sin(np.arange(3 * RATE) / 4000)) * 0.1
    return np.column_stack([voice, 0.5 * voice])


@pytest.mark.parametrize(("name", "subtype"), FORMS)
@pytest.mark.parametrize("channel", [None, 2])
def test_a_segment_is_what_its_samples_are(tmp_path, sound, name, subtype, channel):
    soundfile.write(tmp_path / name, sound, RATE, subtype=subtype)
    blocks = list(blocks_of(tmp_path / name))
    decoded, rate = np.concatenate([block for block, _ in blocks]), blocks[0][1]
    for start, end in ((0.0, 1.0), (0.25, 1.75), (1.5, None), (2.9, 3.0)):
        part = decoded[round(start * rate) : None if end is None else round(end * rate)]
        segment = Segment(tmp_path / name, start, end, channel)
        part = part if channel is None else part[:, channel - 1]
        np.testing.assert_array_equal(read_audio(segment), read_audio((part, rate)))


def test_what_holds_several_blocks_is_joined(tmp_path):
    signal = np.sin(np.arange(8_000 * 100) * 0.1)
    soundfile.write(tmp_path / "long.wav", signal, 8_000, subtype="FLOAT")
    part = signal[8_000 * 5 : 8_000 * 95].astype(np.float32)
    expected = read_audio((part, 8_000))
    np.testing.assert_array_equal(read_audio(Segment(tmp_path / "long.wav", 5, 95)), expected)
    embedder = MFCCEmbedder()
    vectors = embedder.transform([Segment(tmp_path / "long.wav", 5, 95), (part, 8_000)])
    np.testing.assert_array_equal(*vectors)


@given(edges=st.tuples(st.floats(0, 3), st.floats(0, 3)))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_edges_give_their_samples_or_a_reason(tmp_path, edges):
    file = tmp_path / "ramp.wav"
    if not file.exists():
        soundfile.write(file, np.linspace(-0.5, 0.5, 48_000), 16_000, subtype="FLOAT")
    start, end = edges
    first, last = round(start * 16_000), round(end * 16_000)
    # Two samples at least: one is a constant.
    if start >= end or first >= 48_000 or min(last, 48_000) - first < 2:
        with pytest.raises(AudioError):
            read_audio(Segment(file, start, end), min_samples=1)
        return
    signal = read_audio(Segment(file, start, end), min_samples=1)
    assert len(signal) == min(last, 48_000) - first
    assert signal[0] == pytest.approx(-0.5 + first / 47_999, abs=1e-6)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ((0, 3.2), "it ends at 3.2 s, but the file is 3.00 s long; correct its end"),
        ((3, None), "it begins at 3 s, but the file is 3.00 s long; correct its start"),
        ((-1, 2), "it begins at -1 s; correct its start"),
        ((2, 1), "it begins at 2 s and ends at 1 s; correct its end, or its start"),
        ((np.nan, 1), "it begins at nan s"),
        ((1, 1.00001), "it holds no sample at 22050 Hz"),
        ((0, 1, 3), "the file has 2 channels, and channel 3 was asked for; use 1 to 2"),
        ((0, 0.01), "10.0 ms of sound"),
    ],
)
@pytest.mark.parametrize("name", ["a.wav", "a.mp3"])
def test_what_does_not_lie_in_its_file_is_refused_by_row(tmp_path, sound, name, part, says):
    soundfile.write(tmp_path / name, sound, RATE)
    segment = Segment(tmp_path / name, *part, origin="calls.csv, row 7")
    with pytest.raises(AudioError) as refused:
        read_audio(segment)
    assert str(refused.value).startswith(f"calls.csv, row 7: {tmp_path / name}#")
    assert says in str(refused.value)


def test_an_end_that_a_table_rounded_up_is_the_end(tmp_path, sound):
    soundfile.write(tmp_path / "a.wav", sound[:-77], RATE, subtype="FLOAT")
    ends = read_audio(Segment(tmp_path / "a.wav", 2, 3.0))
    np.testing.assert_array_equal(ends, read_audio(Segment(tmp_path / "a.wav", 2)))


def test_what_its_channels_hold_the_whole_file_tells(tmp_path, sound):
    """Of a call in which one party speaks at a time each stretch alone looks like one voice."""
    parties = sound.copy()
    parties[: len(sound) // 2, 0] = 0
    parties[len(sound) // 2 :, 1] = 0
    soundfile.write(tmp_path / "call.wav", parties, RATE)
    with pytest.raises(AudioError, match=r"#t=0,1: its 2 channels differ"):
        read_audio(Segment(tmp_path / "call.wav", 0, 1))
    one = read_audio(Segment(tmp_path / "call.wav", 0, 1, channel=2))
    assert heard_of(Segment(tmp_path / "call.wav", 0, 1, channel=2)) == {
        "channels": 2,
        "heard": [2],
        "because": "asked",
    }
    asked = read_audio(Segment(tmp_path / "call.wav", 0, 1), channel=2)
    np.testing.assert_array_equal(one, asked)
    with pytest.raises(AudioError, match="silence"):
        read_audio(Segment(tmp_path / "call.wav", 0, 1, channel=1), channel=2)


def test_a_mono_file_has_no_second_channel(tmp_path, sound):
    soundfile.write(tmp_path / "a.wav", sound[:, 0], RATE)
    assert len(read_audio(tmp_path / "a.wav", channel=2)) == 48_000  # of many files, as they are
    with pytest.raises(AudioError, match="the file has one channel, and channel 2 was asked for"):
        read_audio(Segment(tmp_path / "a.wav", channel=2))


def test_copies_are_told_by_their_samples(tmp_path, sound):
    soundfile.write(tmp_path / "a.wav", sound, RATE)
    second = soundfile.read(tmp_path / "a.wav", dtype="int16")[0][RATE : 2 * RATE]
    soundfile.write(tmp_path / "b.flac", second, RATE)
    soundfile.write(tmp_path / "c.wav", second[:, 0], RATE)
    parts = [Segment(tmp_path / "a.wav", 1, 2), tmp_path / "b.flac", tmp_path / "c.wav"]
    parts += [Segment(tmp_path / "a.wav", 1, 2, channel=1), Segment(tmp_path / "a.wav", 0, 1)]
    assert find_copies(parts).tolist() == [0, 0, 1, 1, 2]


def test_one_look_at_a_file_serves_all_of_its_segments(tmp_path, sound):
    soundfile.write(tmp_path / "a.wav", sound, RATE)
    parts = [Segment(tmp_path / "a.wav", 0, 1), Segment(tmp_path / "a.wav", 1, 3, channel=2)]
    expected = [(content_hash(part), heard_of(part), read_audio(part)) for part in parts]

    @surveyed
    def command():
        for part, (content, facts, signal) in zip(parts, expected, strict=True):
            file = look_at(part, Hearing())
            assert (content_hash(part), heard_of(part)) == (content, facts)
            (heard,) = [one for (_, stretch), one in file.heard.items() if stretch[0] == part.start]
            np.testing.assert_array_equal(heard.signal, signal)
        assert file.info == audio_info(tmp_path / "a.wav")
        assert set(file.contents) == {
            ((0, 1), None),
            ((1, 3), 2),
        }

    command()


def test_one_look_tells_the_channels_of_a_stretch_apart(tmp_path, sound):
    soundfile.write(tmp_path / "a.wav", sound, RATE)
    parts = [Segment(tmp_path / "a.wav", 0, 1, channel) for channel in (2, None, 1, "mix")]
    expected = [content_hash(part) for part in parts]
    assert len(set(expected)) == 4
    assert surveyed(lambda: [content_hash(part) for part in parts])() == expected
    both = surveyed(lambda: [look_at(part).contents for part in parts])()
    assert len(both[-1]) == 4


def test_what_is_embedded_does_not_depend_on_how_many_do_it(tmp_path, sound, monkeypatch):
    from joblib import parallel_config

    soundfile.write(tmp_path / "a.wav", sound, RATE)
    monkeypatch.chdir(tmp_path)
    parts = [Segment("a.wav", 0.5 * i, 0.5 * i + 0.5) for i in range(6)] + ["a.wav"]
    alone = MFCCEmbedder(cache=tmp_path / "cache").fit_transform(parts)
    assert len(np.unique(alone, axis=0)) == 7
    with parallel_config("threading", n_jobs=2):
        np.testing.assert_array_equal(MFCCEmbedder().fit_transform(parts), alone)
    np.testing.assert_array_equal(
        MFCCEmbedder(cache=tmp_path / "cache").fit_transform(parts), alone
    )
