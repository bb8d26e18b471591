import pickle
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from sfmforensics.embedders import BaseEmbedder, MFCCEmbedder, ProsodyEmbedder, check_recordings
from sfmforensics.exceptions import AudioError, EmbedderError


class Spy(BaseEmbedder):
    """Notes every batch; a vector is (mean, deviation) and the length in seconds."""

    def __init__(self, batch_size=3, by_length=False, cache=None, verbose=False, fail=None):
        self.batch_size = batch_size
        self.by_length = by_length
        self.cache = cache
        self.verbose = verbose
        self.fail = fail

    def _identity(self):
        return {}

    def _dimension(self):
        return 3

    def _batch_key(self, signal):
        return len(signal) if self.by_length else None

    def _embed(self, signals):
        self.__dict__.setdefault("batches", []).append([len(s) for s in signals])
        if self.fail is not None:
            return self.fail(signals)
        return [[s.mean(), s.std(), len(s) / 16_000] for s in signals]


EMBEDDERS = [Spy(), MFCCEmbedder(n_mfcc=13), ProsodyEmbedder(fmax=400.0)]


@pytest.fixture
def corpus(wavs):
    """Twelve recordings of two voices, enough to learn from."""
    return wavs * 2, np.array(["low", "high", "low"] * 4)


# -- what a vector depends on ------------------------------------------------------------------


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=lambda e: type(e).__name__)
def test_the_order_of_files_does_not_matter(embedder, wavs):
    order = [3, 0, 5, 1, 4, 2]
    vectors = embedder.transform(wavs)
    np.testing.assert_array_equal(embedder.transform([wavs[i] for i in order]), vectors[order])


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=lambda e: type(e).__name__)
def test_the_company_of_others_does_not_matter(embedder, wavs):
    alone = np.concatenate([embedder.transform([path]) for path in wavs])
    np.testing.assert_array_equal(embedder.transform(wavs), alone)


def test_rows_stay_with_their_recordings_when_batches_are_made_by_length(wavs, signals):
    embedder = Spy(batch_size=2, by_length=True)
    found = embedder.transform(wavs)[:, 2]
    np.testing.assert_allclose(found, [len(s) / 16_000 for s in signals], rtol=1e-6)
    assert [16_000, 16_000] in embedder.batches
    assert all(len(set(batch)) == 1 for batch in embedder.batches)


@pytest.mark.parametrize("batch_size", [1, 2, 4, 100])
def test_batches_are_as_large_as_asked_for(wavs, batch_size):
    embedder = Spy(batch_size=batch_size)
    embedder.transform(wavs)
    sizes = [len(batch) for batch in embedder.batches]
    assert sum(sizes) == len(wavs)
    assert max(sizes) == min(batch_size, len(wavs))


def test_waiting_for_company_is_bounded(monkeypatch, wavs):
    monkeypatch.setattr(Spy, "_patience", 1.5)
    embedder = Spy(batch_size=100, by_length=True)
    embedder.transform(wavs)
    lonely = Spy(batch_size=100)
    lonely.transform(wavs)
    assert max(sum(batch) for batch in lonely.batches) <= (1.5 + 1.3) * 16_000


def test_copies_in_one_call_are_computed_once(wavs):
    embedder = Spy(batch_size=8)
    vectors = embedder.transform([*wavs, *wavs[::-1]])
    assert sum(map(len, embedder.batches)) == len(wavs)
    np.testing.assert_array_equal(vectors[: len(wavs)], vectors[len(wavs) :][::-1])


# -- what may be passed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        list,
        tuple,
        np.array,
        lambda paths: np.array(paths, dtype=object),
        lambda paths: np.array(paths)[:, None],
        pd.Series,
        lambda paths: pd.Series(paths, index=range(100, 100 + len(paths)), dtype="string"),
        lambda paths: pd.DataFrame({"path": paths}),
        lambda paths: [Path(path) for path in paths],
        iter,
    ],
    ids=[
        *("list", "tuple", "array", "objects", "column array", "Series", "string Series"),
        *("DataFrame", "Paths", "iterator"),
    ],
)
def test_recordings_may_come_in_many_forms(wavs, form):
    expected = Spy().transform(wavs)
    np.testing.assert_array_equal(Spy().transform(form(wavs)), expected)


def test_pairs_give_what_their_files_give(wavs, pairs):
    np.testing.assert_array_equal(Spy().transform(pairs), Spy().transform(wavs))
    np.testing.assert_array_equal(
        Spy().transform(pd.Series(pairs)), Spy().transform([*wavs[:3], *pairs[3:]])
    )


def test_no_recordings_give_no_rows():
    assert Spy().transform([]).shape == (0, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        "a.wav",
        b"a.wav",
        Path("a.wav"),
        17,
        None,
        np.zeros(16_000),
        np.zeros((4, 16_000)),
        np.array([["a.wav", "b.wav"]]),
        pd.DataFrame({"path": ["a.wav"], "speaker": ["anna"]}),
    ],
    ids=repr,
)
def test_what_is_no_list_of_recordings_is_refused(wrong):
    with pytest.raises(EmbedderError):
        Spy().transform(wrong)


def test_one_path_is_refused_with_the_remedy():
    with pytest.raises(EmbedderError, match=r"write \['a\.wav'\]"):
        check_recordings(Path("a.wav"))


def test_one_pair_is_refused_with_the_remedy(pairs):
    with pytest.raises(AudioError, match="pairs such as"):
        Spy().transform(pairs[0])


# -- scikit-learn ------------------------------------------------------------------------------


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=lambda e: type(e).__name__)
def test_vectors_are_float32_of_the_declared_width(embedder, wavs):
    vectors = embedder.fit_transform(wavs)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(wavs), len(embedder.get_feature_names_out()))


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=lambda e: type(e).__name__)
def test_cloning_and_parameters(embedder):
    copy = clone(embedder)
    assert copy is not embedder
    assert copy.get_params() == embedder.get_params()
    for name, value in embedder.get_params().items():
        assert getattr(embedder, name) is value  # stored as it was given
    assert clone(embedder).set_params(cache="elsewhere").cache == "elsewhere"
    with pytest.raises(ValueError, match="nonsense"):
        clone(embedder).set_params(nonsense=1)


def test_fit_learns_nothing_and_needs_no_data(wavs):
    embedder = MFCCEmbedder()
    before = dict(vars(embedder))
    assert embedder.fit() is embedder
    assert embedder.fit(wavs, [0] * len(wavs)) is embedder
    assert vars(embedder) == before


def test_pandas_output_names_the_columns_from_0(wavs):
    frame = Spy().set_output(transform="pandas").transform(wavs)
    assert list(frame.columns) == ["0", "1", "2"]
    assert set(frame.dtypes) == {np.dtype(np.float32)}
    np.testing.assert_array_equal(frame.to_numpy(), Spy().transform(wavs))


@pytest.mark.parametrize("store", ["pickle", "joblib"])
def test_an_embedder_can_be_saved(tmp_path, wavs, store):
    embedder = MFCCEmbedder(n_mfcc=13, statistics=("mean", "std"), cache=tmp_path / "cache")
    vectors = embedder.transform(wavs)
    if store == "pickle":
        again = pickle.loads(pickle.dumps(embedder))
    else:
        joblib.dump(embedder, tmp_path / "embedder.joblib")
        again = joblib.load(tmp_path / "embedder.joblib")
    assert again.get_params() == embedder.get_params()
    np.testing.assert_array_equal(again.transform(wavs), vectors)


def test_views_side_by_side(wavs):
    union = FeatureUnion([("mfcc", MFCCEmbedder(n_mfcc=5)), ("spy", Spy())])
    vectors = union.fit_transform(wavs)
    assert vectors.shape == (len(wavs), 8)
    np.testing.assert_array_equal(vectors[:, 5:], Spy().transform(wavs))
    assert list(union.get_feature_names_out()) == [
        *(f"mfcc__{i}" for i in range(5)),
        *(f"spy__{i}" for i in range(3)),
    ]
    frame = union.set_output(transform="pandas").transform(wavs)
    assert list(frame.columns) == list(union.get_feature_names_out())


@pytest.mark.parametrize("columns", ["path", ["path"]], ids=["Series", "DataFrame"])
def test_in_a_column_transformer(wavs, columns):
    table = pd.DataFrame({"path": wavs, "age": np.arange(len(wavs))})
    table.index += 50
    both = ColumnTransformer(
        [("voice", Spy(), columns), ("age", StandardScaler(), ["age"])],
    )
    vectors = both.fit_transform(table)
    np.testing.assert_allclose(vectors[:, :3], Spy().transform(wavs))
    both.set_output(transform="pandas")
    frame = both.fit_transform(table)
    assert list(frame.columns) == ["voice__0", "voice__1", "voice__2", "age__age"]
    assert list(frame.index) == list(table.index)
    np.testing.assert_allclose(frame.to_numpy(), vectors)


def test_in_a_pipeline(corpus):
    paths, labels = corpus
    pipe = make_pipeline(MFCCEmbedder(n_mfcc=5), StandardScaler(), LogisticRegression())
    assert pipe.fit(paths, labels).score(paths, labels) > 0.5
    scores = cross_val_score(pipe, np.array(paths), labels, cv=2, error_score="raise")
    assert scores.shape == (2,)
    joined = clone(pipe).set_params(mfccembedder__n_mfcc=7)
    assert joined[0].n_mfcc == 7


# -- what goes wrong ---------------------------------------------------------------------------


def test_a_bad_file_in_the_middle_is_named_and_what_came_before_is_kept(wavs, tmp_path):
    (tmp_path / "broken.wav").write_text("no sound")
    embedder = Spy(batch_size=8, cache=tmp_path / "cache")
    with pytest.raises(AudioError, match=r"broken\.wav"):
        embedder.transform([*wavs[:4], str(tmp_path / "broken.wav"), *wavs[4:]])
    assert sum(map(len, embedder.batches)) == 4
    again = Spy(batch_size=8, cache=tmp_path / "cache")
    again.transform(wavs)
    assert sum(map(len, again.batches)) == 2


def test_an_interrupted_run_stops_at_once_and_keeps_what_it_computed(wavs, tmp_path, monkeypatch):
    from sfmforensics.embedders import _work

    def impatient(source, **options):
        if source == wavs[3]:
            raise KeyboardInterrupt
        return recording(source, **options)

    recording = _work.Recording
    stopped = Spy(batch_size=2, cache=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(_work, "Recording", impatient)
        with pytest.raises(KeyboardInterrupt):
            stopped.transform(wavs)
    assert stopped.batches == [[16_000, 10_080]]  # the third still waited, and is not run
    again = Spy(batch_size=2, cache=tmp_path)
    again.transform(wavs)
    assert sum(map(len, again.batches)) == 4


def test_a_model_that_fails_is_not_run_again(wavs):
    def fail(signals):
        raise EmbedderError("out of order")

    embedder = Spy(batch_size=2, fail=fail)
    with pytest.raises(EmbedderError, match="out of order"):
        embedder.transform(wavs)
    assert len(embedder.batches) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_refused_and_not_kept(wavs, tmp_path, value):
    embedder = Spy(fail=lambda signals: np.full((len(signals), 3), value), cache=tmp_path / "c")
    with pytest.raises(EmbedderError, match="NaN or infinite"):
        embedder.transform(wavs)
    assert not list(tmp_path.rglob("*.vec"))


def test_vectors_of_another_width_are_refused(wavs):
    with pytest.raises(EmbedderError, match="check the dimension"):
        Spy(fail=lambda signals: np.zeros((len(signals), 4))).transform(wavs)


def test_progress_goes_to_stderr_alone(wavs, capsys):
    Spy(verbose=True).transform(wavs)
    shown = capsys.readouterr()
    assert "spy" in shown.err
    assert "6/6" in shown.err
    assert shown.out == ""
    Spy(verbose=False).transform(wavs)
    assert capsys.readouterr().err == ""
