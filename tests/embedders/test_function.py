import pickle

import numpy as np
import pytest
from sklearn.base import clone

from sfmforensics.embedders import CallableEmbedder
from sfmforensics.exceptions import EmbedderError


def test_the_function_gets_one_mono_signal_at_16_khz(write_wav, voice):
    got = []
    stereo = np.column_stack([voice(1.0, rate=44_100)] * 2)

    def keep(signal):
        got.append(signal)
        return [1.0, 2.0]

    vectors = CallableEmbedder(keep, 2).transform([write_wav("a.wav", stereo, 44_100)])
    np.testing.assert_array_equal(vectors, np.array([[1, 2]], dtype=np.float32))
    assert got[0].dtype == np.float32
    assert got[0].shape == (16_000,)


def test_any_shape_of_one_vector_will_do(pairs):
    row = CallableEmbedder(lambda signal: np.full((1, 3), signal.std()), 3).transform(pairs)
    flat = CallableEmbedder(lambda signal: [signal.std()] * 3, 3).transform(pairs)
    np.testing.assert_array_equal(row, flat)


def test_the_view_is_named_after_the_function_or_as_asked_for():
    assert CallableEmbedder(np.ptp, 1)._name() == "ptp"
    assert CallableEmbedder(np.ptp, 1, name="range")._name() == "range"


def test_a_top_level_function_can_be_saved(pairs):
    embedder = CallableEmbedder(np.ptp, 1)
    again = pickle.loads(pickle.dumps(clone(embedder)))
    np.testing.assert_array_equal(again.transform(pairs), embedder.transform(pairs))


def test_vectors_of_another_width_are_refused(pairs):
    with pytest.raises(EmbedderError, match=r"\(1,\).*\(2,\)"):
        CallableEmbedder(np.ptp, 2).transform(pairs)


@pytest.mark.parametrize(
    ("function", "dimension", "says"),
    [("ptp", 1, "can be called"), (np.ptp, 0, "1 or more"), (np.ptp, True, "1 or more")],
)
def test_parameters_out_of_range_are_refused_by_fit(function, dimension, says):
    with pytest.raises(EmbedderError, match=says):
        CallableEmbedder(function, dimension).fit()


# -- long recordings ---------------------------------------------------------------------------


def test_a_long_recording_is_the_mean_of_its_pieces_by_their_lengths():
    pieces = []

    def level(piece):
        pieces.append(piece)
        return [piece.mean(), piece.max()]

    # Two pieces of 16,000 and 15,681 samples, the second much louder.
    signal = np.linspace(0, 1, 31_681, dtype=np.float32)
    vector = CallableEmbedder(level, 2, max_seconds=1.0).transform([(signal, 16_000)])[0]
    assert max(map(len, pieces)) <= 16_000
    np.testing.assert_array_equal(np.concatenate(pieces), signal)
    lengths = [len(piece) for piece in pieces]
    highest = np.average([piece.max() for piece in pieces], weights=lengths)
    np.testing.assert_allclose(vector, [signal.mean(), highest], rtol=1e-6)


def test_a_recording_of_the_longest_length_is_not_cut(voice):
    got = []
    embedder = CallableEmbedder(lambda signal: [got.append(len(signal)) or 0.0], 1, max_seconds=1.0)
    embedder.transform([(voice(1.0), 16_000), (voice(0.5), 16_000)])
    assert got == [16_000, 8_000]


def test_without_a_longest_length_any_recording_is_handed_over_whole(voice):
    got = []
    minutes = np.tile(voice(1.0), 150)
    CallableEmbedder(lambda signal: [got.append(len(signal)) or 0.0], 1).transform(
        [(minutes, 16_000)]
    )
    assert got == [len(minutes)]


def test_the_longest_length_is_part_of_the_identity_only_where_there_is_one(tmp_path, voice):
    plain = CallableEmbedder(np.ptp, 1, identity="a")
    assert "max_seconds" not in plain._identity()
    assert clone(plain).set_params(max_seconds=2)._identity()["max_seconds"] == 2.0
    long = [(np.linspace(0, 1, 40_000), 16_000)]
    found = [
        clone(plain).set_params(max_seconds=seconds, cache=tmp_path).transform(long)[0, 0]
        for seconds in (None, 1, 2, 2.0)
    ]
    assert len(list(tmp_path.iterdir())) == 3  # 2 and 2.0 are one
    np.testing.assert_allclose(found, [1, 1 / 3, 1 / 2, 1 / 2], rtol=0.02)


@pytest.mark.parametrize("max_seconds", [0, 0.5, -1, np.nan, np.inf])
def test_a_longest_length_below_a_second_is_refused(max_seconds):
    with pytest.raises(EmbedderError, match="1 or more, or None"):
        CallableEmbedder(np.ptp, 1, max_seconds=max_seconds).fit()


# -- the cache ---------------------------------------------------------------------------------


def test_names_and_identities_tell_functions_apart_in_the_cache(tmp_path, pairs):
    def one(signal):
        return [1.0]

    def two(signal):
        return [2.0]

    for function in (one, two, one):
        for identity in ("a", "b"):
            embedder = CallableEmbedder(function, 1, identity=identity, cache=tmp_path)
            assert set(embedder.transform(pairs)[:, 0]) == {function(None)[0]}
    assert len(list(tmp_path.iterdir())) == 4
