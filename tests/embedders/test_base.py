import pickle
import shutil
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile
from rich.progress import Progress
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from sfmforensics.audio._reading import describe_source
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


class Cutter(Spy):
    """Notes the lengths of pieces, and gives what a spy gives of the whole."""

    _piece_seconds = 0.9

    def _embed_pieces(self, pieces):
        got = list(pieces)
        self.__dict__.setdefault("cuts", []).append([len(piece) for piece in got])
        if self.fail is not None:
            return self.fail([np.concatenate(got)])[0]
        return super()._embed([np.concatenate(got)])[0]


def nan_for(n_samples):
    """What fails on signals of one length alone."""

    def measure(signals):
        wrong = np.array([len(s) == n_samples for s in signals])[:, None]
        return np.where(wrong, np.nan, [[s.mean(), s.std(), len(s) / 16_000] for s in signals])

    return measure


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


# -- long recordings ---------------------------------------------------------------------------


def test_long_recordings_mix_with_short_ones_and_stay_in_their_rows(wavs, signals):
    embedder = Cutter(batch_size=2)
    found = embedder.transform(wavs)
    np.testing.assert_array_equal(found[:, 2], np.float32([len(s) / 16_000 for s in signals]))
    np.testing.assert_allclose(found, Spy().transform(wavs), rtol=1e-5, atol=1e-8)
    assert [sum(cut) for cut in embedder.cuts] == [16_000, 20_800, 16_000, 15_520]
    assert max(map(max, embedder.cuts)) <= 0.9 * 16_000


def test_a_long_recording_of_a_pair_gives_what_its_file_gives(wavs, pairs):
    np.testing.assert_array_equal(Cutter().transform(pairs), Cutter().transform(wavs))


def test_a_long_recording_is_computed_once(wavs, tmp_path):
    embedder = Cutter(cache=tmp_path)
    vectors = embedder.transform([wavs[2], wavs[1], wavs[2]])
    assert len(embedder.cuts) == 1
    np.testing.assert_array_equal(vectors[0], vectors[2])
    again = Cutter(cache=tmp_path)
    np.testing.assert_array_equal(again.transform([wavs[2]]), vectors[:1])
    assert not hasattr(again, "cuts")


def test_a_long_recording_that_changes_while_it_is_read_is_refused(wavs, voice, write_wav):
    class Slow(Cutter):
        def _embed_pieces(self, pieces):
            write_wav("2.wav", voice(1.4, seed=9))
            return super()._embed_pieces(pieces)

    with pytest.raises(AudioError, match=r"2\.wav: it changed while it was read"):
        Slow().transform(wavs[2:3])


def test_an_intact_copy_of_a_recording_that_changed_is_computed(wavs, voice, write_wav):
    class Slow(Cutter):
        def _embed_pieces(self, pieces):
            write_wav("2.wav", voice(1.4, seed=9))
            return super()._embed_pieces(pieces)

    copy = shutil.copy(wavs[2], wavs[2].replace("2.wav", "copy.wav"))
    expected = Cutter().transform([copy])
    vectors, usable, refused = Slow().transform_usable([wavs[2], copy])
    assert [error.source for error in refused] == [wavs[2]]
    assert list(usable) == [1]
    np.testing.assert_array_equal(vectors, expected)


class Loudness(BaseEmbedder):
    """The mean square, from pieces of half a minute."""

    _piece_seconds = 30
    cache = None
    verbose = False

    def _dimension(self):
        return 1

    def _embed_pieces(self, pieces):
        squares, samples = 0.0, 0
        for piece in pieces:
            squares += float(piece @ piece)
            samples += len(piece)
        return [squares / samples]

    def _embed(self, signals):
        return [self._embed_pieces([signal]) for signal in signals]


@pytest.fixture(scope="module")
def half_an_hour(tmp_path_factory, voice):
    """A file at 8 kHz, which never was in memory."""
    path = tmp_path_factory.mktemp("long") / "long.wav"
    ten_seconds = voice(10.0, rate=8_000)
    with soundfile.SoundFile(path, "w", 8_000, 1, subtype="PCM_16") as file:
        for _ in range(180):
            file.write(ten_seconds)
    yield str(path), ten_seconds
    path.unlink()


# A signal of half an hour takes 115 MB, and its spectrogram 460 MB. Of the MFCC, 128 mel bands of
# all frames are kept (29 MB) beside the spectrogram of two minutes.
@pytest.mark.parametrize(
    ("embedder", "megabytes"),
    [(Loudness(), 38), (MFCCEmbedder(), 150)],
    ids=lambda value: type(value).__name__,
)
def test_half_an_hour_is_never_held_whole(half_an_hour, embedder, megabytes):
    path, ten_seconds = half_an_hour
    short = embedder.transform([(ten_seconds, 8_000)])  # imports, too, are not measured below
    tracemalloc.start()
    try:
        long = embedder.transform([path])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < megabytes * 1e6
    np.testing.assert_allclose(long, short, rtol=0.02, atol=0.5)


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
    from sfmforensics.embedders import _passes

    def impatient(source, **options):
        if source == wavs[3]:
            raise KeyboardInterrupt
        return recording(source, **options)

    recording = _passes.HeardRecording
    stopped = Spy(batch_size=2, cache=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(_passes, "HeardRecording", impatient)
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


def test_what_shares_a_batch_with_a_vector_that_is_not_finite_is_kept(wavs, tmp_path):
    embedder = Spy(batch_size=3, fail=nan_for(10_080), cache=tmp_path / "c")
    with pytest.raises(EmbedderError, match=r"1\.wav: its spy vector came out NaN"):
        embedder.transform(wavs)
    assert embedder.batches == [[16_000, 10_080, 20_800]]  # and what comes later is not run
    again = Spy(batch_size=3, cache=tmp_path / "c")
    again.transform(wavs[:3])
    assert again.batches == [[10_080]]


# -- leaving out what cannot be used -----------------------------------------------------------


@pytest.fixture
def unusable(tmp_path, write_wav):
    """A file that is no sound, one of silence, and one that is not there."""
    (tmp_path / "broken.wav").write_text("no sound")
    silent = write_wav("silent.wav", np.zeros(16_000))
    return [str(tmp_path / "broken.wav"), silent, str(tmp_path / "missing.wav")]


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_usable_recordings_come_with_their_positions_and_the_others_with_reasons(
    wavs, unusable, batch_size
):
    broken, silent, missing = unusable
    files = [broken, *wavs[:3], silent, missing, *wavs[3:]]
    vectors, usable, refused = Spy(batch_size=batch_size, by_length=True).transform_usable(files)
    np.testing.assert_array_equal(vectors, Spy().transform(wavs))
    assert vectors.dtype == np.float32
    assert usable.tolist() == [1, 2, 3, 6, 7, 8]
    assert usable.dtype == np.int64
    assert [type(error) for error in refused] == [AudioError] * 3
    assert [error.source for error in refused] == unusable
    for error, says in zip(refused, ["as sound", "silence", "no such file"], strict=True):
        assert says in str(error)


def test_if_nothing_is_refused_everything_is_usable(wavs):
    vectors, usable, refused = Spy().transform_usable(wavs)
    np.testing.assert_array_equal(vectors, Spy().transform(wavs))
    assert usable.tolist() == list(range(len(wavs)))
    assert refused == []


def test_if_everything_is_refused_there_are_no_rows(unusable):
    vectors, usable, refused = Spy().transform_usable(unusable)
    assert vectors.shape == (0, 3)
    assert usable.shape == (0,)
    assert len(refused) == 3
    assert Spy().transform_usable([])[0].shape == (0, 3)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_a_vector_that_is_not_finite_is_refused_by_name_and_the_others_are_kept(
    wavs, tmp_path, batch_size
):
    embedder = Spy(batch_size=batch_size, fail=nan_for(10_080), cache=tmp_path / "c")
    vectors, usable, refused = embedder.transform_usable(wavs)
    assert usable.tolist() == [0, 2, 3, 4, 5]
    np.testing.assert_array_equal(vectors, Spy().transform(wavs)[usable])
    assert [type(error) for error in refused] == [EmbedderError]
    assert str(refused[0]).startswith(f"{wavs[1]}: its spy vector came out NaN or infinite")
    again = Spy(cache=tmp_path / "c")
    again.transform(wavs)
    assert again.batches == [[10_080]]


def test_copies_of_what_was_refused_are_refused_by_their_own_names(wavs, tmp_path):
    copy = shutil.copy(wavs[1], tmp_path / "copy.wav")
    files = [str(copy), wavs[0], wavs[1], wavs[0]]
    _, usable, refused = Spy(batch_size=8, fail=nan_for(10_080)).transform_usable(files)
    assert usable.tolist() == [1, 3]
    assert [str(error).partition(": ")[0] for error in refused] == [str(copy), wavs[1]]
    assert {type(error) for error in refused} == {EmbedderError}


def test_reasons_come_in_the_order_of_the_recordings_whatever_was_run_first(wavs, unusable):
    broken, silent, _ = unusable
    files = [wavs[1], broken, wavs[2], silent, wavs[1]]
    _, usable, refused = Cutter(batch_size=8, fail=nan_for(10_080)).transform_usable(files)
    assert usable.tolist() == [2]  # which is long, and run before the first
    names = [getattr(e, "source", None) or str(e).partition(": ")[0] for e in refused]
    assert names == [wavs[1], broken, silent, wavs[1]]


def test_a_long_recording_can_be_refused_too(wavs, tmp_path):
    embedder = Cutter(fail=nan_for(20_800), cache=tmp_path / "c")
    vectors, usable, refused = embedder.transform_usable(wavs)
    assert usable.tolist() == [0, 1, 3, 4, 5]
    np.testing.assert_allclose(vectors, Spy().transform(wavs)[usable], rtol=1e-5, atol=1e-8)
    assert str(refused[0]).startswith(f"{wavs[2]}: its cutter vector came out NaN")
    with pytest.raises(EmbedderError, match=r"2\.wav: its cutter vector"):
        Cutter(fail=nan_for(20_800)).transform(wavs)


def test_a_pair_that_is_refused_is_described(pairs):
    silent = (np.zeros(8_000), 16_000)
    _, usable, refused = Spy().transform_usable([pairs[0], silent])
    assert usable.tolist() == [0]
    assert refused[0].source == describe_source(silent)


def test_a_model_that_fails_ends_it_all_the_same(wavs):
    def fail(signals):
        raise EmbedderError("out of order")

    with pytest.raises(EmbedderError, match="out of order"):
        Spy(fail=fail).transform_usable(wavs)


# -- progress ----------------------------------------------------------------------------------


def test_progress_counts_every_recording_once_and_names_the_piece(wavs, unusable, monkeypatch):
    steps = []

    @contextmanager
    def recorded(title, total, shown=True):
        assert total == 8
        yield lambda step, note="": steps.append((step, note))

    monkeypatch.setattr("sfmforensics.embedders.base.progress", recorded)
    monkeypatch.setattr(Cutter, "_piece_seconds", 0.5)
    Cutter().transform_usable([*wavs[1:3], *unusable, wavs[4], wavs[4], wavs[5]])
    assert sum(step for step, _ in steps) == 8
    notes = [note for _, note in steps if note]
    assert notes == [
        *("piece 1 of 2", "piece 2 of 2"),
        *("piece 1 of 3", "piece 2 of 3", "piece 3 of 3"),
        *("piece 1 of 2", "piece 2 of 2"),
    ]
    assert steps[-1][1] == ""


def test_pieces_are_shown_on_stderr_as_they_come(wavs, capsys, monkeypatch):
    update = Progress.update

    def shown_at_once(bar, *arguments, **options):
        update(bar, *arguments, **options)
        bar.refresh()

    monkeypatch.setattr(Progress, "update", shown_at_once)  # and not ten times a second
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "200"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Cutter, "_piece_seconds", 0.5)
    Cutter(verbose=True).transform(wavs[2:3])
    said = capsys.readouterr()
    assert "embedding cutter (piece 2 of 3)" in said.err
    assert said.out == ""
    Cutter(verbose=False).transform(wavs[2:3])
    assert capsys.readouterr().err == ""


def test_progress_goes_to_stderr_alone(wavs, capsys):
    Spy(verbose=True).transform(wavs)
    shown = capsys.readouterr()
    assert "spy" in shown.err
    assert "6/6" in shown.err
    assert shown.out == ""
    Spy(verbose=False).transform(wavs)
    assert capsys.readouterr().err == ""
