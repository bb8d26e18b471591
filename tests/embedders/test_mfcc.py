import librosa
import numpy as np
import pytest

from sfmforensics.embedders import MFCCEmbedder
from sfmforensics.embedders.mfcc import STATISTICS
from sfmforensics.exceptions import EmbedderError

RATE = 16_000


def test_the_default_is_the_papers_view(wavs):
    assert MFCCEmbedder().fit_transform(wavs).shape == (len(wavs), 40)


def test_coefficients_are_librosas_averaged_over_frames(signals, pairs):
    expected = [librosa.feature.mfcc(y=s, sr=RATE, n_mfcc=40).mean(axis=1) for s in signals]
    np.testing.assert_allclose(MFCCEmbedder().transform(pairs), expected, rtol=1e-5)


def test_statistics_lie_side_by_side_in_the_order_asked_for(pairs):
    names = tuple(STATISTICS)
    wide = MFCCEmbedder(13, statistics=names).transform(pairs)
    assert wide.shape == (len(pairs), 13 * len(names))
    for i, name in enumerate(names):
        alone = MFCCEmbedder(13, statistics=(name,)).transform(pairs)
        np.testing.assert_array_equal(wide[:, 13 * i : 13 * (i + 1)], alone)
    swapped = MFCCEmbedder(13, statistics=names[::-1]).transform(pairs)
    np.testing.assert_array_equal(swapped[:, :13], wide[:, -13:])


def test_statistics_are_what_their_names_say():
    frames = np.array([[0.0, 1.0, 2.0, 3.0, 10.0]])
    expected = {"mean": 3.2, "min": 0, "max": 10, "median": 2, "p10": 0.4, "p90": 7.2}
    for name, value in expected.items():
        assert STATISTICS[name](frames) == pytest.approx([value])
    assert STATISTICS["std"](frames) == pytest.approx([np.sqrt(12.56)])


def test_window_and_hop_matter(pairs):
    default = MFCCEmbedder().transform(pairs)
    assert not np.allclose(MFCCEmbedder(n_fft=512).transform(pairs), default)
    assert not np.allclose(MFCCEmbedder(hop_length=160, n_fft=2048).transform(pairs), default)


def test_the_rate_of_the_file_does_not_matter(voice):
    high = voice(1.0, rate=48_000)
    low = librosa.resample(high, orig_sr=48_000, target_sr=RATE, res_type="soxr_hq")
    vectors = MFCCEmbedder().transform([(high, 48_000), (low, RATE)])
    np.testing.assert_allclose(vectors[0], vectors[1], rtol=1e-3, atol=1e-2)


def test_a_recording_shorter_than_the_window_works_without_a_warning(voice, recwarn):
    assert np.isfinite(MFCCEmbedder().transform([(voice(0.05), RATE)])).all()
    assert not recwarn.list


# -- long recordings ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fading(voice):
    """Loud at first; its end is more than 80 dB below that."""
    signal = voice(3.217)
    return signal * np.geomspace(2, 1e-6, len(signal), dtype=np.float32)


@pytest.mark.parametrize("piece_seconds", [1, 0.7, 0.1], ids="pieces of {} s".format)
@pytest.mark.parametrize(
    ("n_fft", "hop_length"), [(2048, 512), (400, 160), (512, 700), (1023, 300), (2048, 4100)]
)
def test_pieces_give_what_the_whole_gives(
    fading, monkeypatch, assert_close, n_fft, hop_length, piece_seconds
):
    embedder = MFCCEmbedder(13, statistics=tuple(STATISTICS), n_fft=n_fft, hop_length=hop_length)
    whole = embedder.transform([(fading, RATE)])
    monkeypatch.setattr(MFCCEmbedder, "_piece_seconds", piece_seconds)
    monkeypatch.setattr(MFCCEmbedder, "_embed", lambda *_: pytest.fail("embedded whole"))
    in_pieces = embedder.transform([(fading, RATE)])
    # Row by row, so that the large numbers of one statistic do not hide those of another.
    assert_close(in_pieces.reshape(-1, 13), whole.reshape(-1, 13), rtol=1e-5)


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_recording_that_ends_where_a_hop_does_has_all_its_frames(
    voice, monkeypatch, assert_close, more
):
    pair = (voice(3)[: 512 * 80 + more], RATE)
    embedder = MFCCEmbedder(statistics=("mean", "std", "max"))
    whole = embedder.transform([pair])
    monkeypatch.setattr(MFCCEmbedder, "_piece_seconds", 0.9)
    assert_close(embedder.transform([pair]).reshape(3, -1), whole.reshape(3, -1))


def test_no_recording_of_two_minutes_is_cut(voice, monkeypatch):
    monkeypatch.setattr(MFCCEmbedder, "_embed_pieces", lambda *_: pytest.fail("cut"))
    MFCCEmbedder().transform([(np.tile(voice(1.0), 120), RATE)])


# -- parameters --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"statistics": ("mean", "mode")}, "mode"),
        ({"statistics": "mean"}, "sequence"),
        ({"statistics": ()}, "sequence"),
        ({"n_mfcc": 0}, "1 to 128"),
        ({"n_mfcc": 129}, "1 to 128"),
        ({"n_fft": 8}, "at least 64"),
        ({"hop_length": 0}, "at least 64 and 1"),
    ],
)
def test_parameters_out_of_range_are_refused_by_fit(parameters, says):
    with pytest.raises(EmbedderError, match=says):
        MFCCEmbedder(**parameters).fit()
