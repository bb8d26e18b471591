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
