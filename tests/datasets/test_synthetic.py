import numpy as np
import pytest
import soundfile
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from sfmforensics.datasets import make_speech_corpus
from sfmforensics.exceptions import DatasetError


@pytest.fixture(scope="module")
def corpus():
    return make_speech_corpus(8, 10, duration=1.2)


def signals(bunch):
    return [signal for signal, _ in bunch.data]


def test_the_same_seed_gives_the_same_corpus():
    one, two = (make_speech_corpus(2, 3, duration=0.4, random_state=7) for _ in range(2))
    for signal, again in zip(signals(one), signals(two), strict=True):
        np.testing.assert_array_equal(signal, again)
    assert one.target.equals(two.target)


def test_other_seeds_give_other_voices():
    one, two = (make_speech_corpus(2, 2, duration=0.4, random_state=seed) for seed in (0, 1))
    assert not one.target["age"].equals(two.target["age"])
    assert all(len(a) != len(b) or (a != b).any() for a, b in zip(*map(signals, (one, two))))


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_generators_are_accepted_and_move_on(make):
    state = make(3)
    first, second = (
        make_speech_corpus(1, 1, duration=0.4, random_state=state).data[0][0] for _ in range(2)
    )
    again = make_speech_corpus(1, 1, duration=0.4, random_state=make(3)).data[0][0]
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)


def test_the_global_generator_is_left_alone():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    make_speech_corpus(1, 1, duration=0.4, random_state=None)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_form(corpus):
    assert len(corpus.data) == 80
    assert list(corpus.target) == ["speaker", "emotion", "gender", "age"]
    assert corpus.target.dtypes.tolist() == [object, object, object, np.float64]
    assert corpus.groups.tolist() == corpus.target["speaker"].tolist()
    for signal, rate in corpus.data:
        assert rate == 16_000
        assert signal.dtype == np.float32
        assert np.isfinite(signal).all()
        assert 0.01 < np.abs(signal).max() <= 1
        assert 0.85 * 1.2 <= len(signal) / rate <= 1.15 * 1.2 + 1e-3


def test_labels_are_balanced(corpus):
    counts = corpus.target.groupby("speaker")["emotion"].value_counts().unstack()
    assert (counts.max(axis=1) - counts.min(axis=1) <= 1).all()
    assert corpus.target["speaker"].value_counts().tolist() == [10] * 8
    assert corpus.target["gender"].value_counts().tolist() == [40, 40]
    by_gender = corpus.target.groupby("gender")["emotion"].value_counts().unstack()
    assert by_gender.loc["male"].equals(by_gender.loc["female"])
    assert corpus.target.groupby("speaker")[["gender", "age"]].nunique().eq(1).all(axis=None)
    assert corpus.target["age"].between(18, 78).all()


def describe(signal):
    """Mean and spread of the log power in bands, at first sight what an ear measures."""
    frames = np.lib.stride_tricks.sliding_window_view(signal, 512)[::160] * np.hanning(512)
    power = np.abs(np.fft.rfft(frames)) ** 2
    edges = np.unique(np.geomspace(2, 257, 30).astype(int))
    bands = np.log(np.add.reduceat(power, edges[:-1], axis=1) + 1e-6)
    cepstra = bands @ np.cos(np.pi * np.outer(np.arange(bands.shape[1]) + 0.5, np.arange(20)) / 26)
    return np.concatenate([cepstra.mean(axis=0), cepstra.std(axis=0)])


def test_all_tasks_can_be_learnt_and_none_is_trivial(corpus):
    features = np.array([describe(signal) for signal in signals(corpus)])
    target = corpus.target
    folds = list(
        StratifiedKFold(4, shuffle=True, random_state=0).split(features, target["speaker"])
    )
    accuracy = {}
    for task in ("speaker", "emotion", "gender"):
        labels = target[task].to_numpy(str)
        svc = make_pipeline(StandardScaler(), SVC(C=10))
        accuracy[task] = np.mean(cross_val_predict(svc, features, labels, cv=folds) == labels)
    assert 0.5 < accuracy["speaker"] < 1  # chance: 0.125
    assert 0.4 < accuracy["emotion"] < 1  # chance: 0.25
    assert accuracy["gender"] > 0.8  # chance: 0.5
    svr = make_pipeline(StandardScaler(), SVR(C=100))
    error = cross_val_predict(svr, features, target["age"], cv=folds) - target["age"]
    assert np.sqrt(np.mean(error**2)) < 0.8 * target["age"].std()


def test_output_holds_the_same_signals_as_wav_files(tmp_path):
    options = {"duration": 0.4, "rate": 8000}
    corpus = make_speech_corpus(2, 2, **options)
    written = make_speech_corpus(2, 2, **options, output=tmp_path / "new" / "corpus")
    assert written.data == sorted(written.data)
    assert written.data[0] == str(tmp_path / "new" / "corpus" / "s01" / "s01-00-anger.wav")
    assert written.target.equals(corpus.target)
    for path, (signal, rate) in zip(written.data, corpus.data, strict=True):
        found, found_rate = soundfile.read(path)
        assert found_rate == rate == 8000
        np.testing.assert_allclose(found, signal, atol=2**-15)


def test_output_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="cannot be written to"):
        make_speech_corpus(1, 1, duration=0.4, output=tmp_path / "file")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_speakers": 0}, "n_speakers=0"),
        ({"n_recordings": 2.5}, "n_recordings=2.5: expected an integer"),
        ({"duration": 0.1}, "duration=0.1: expected a number of at least 0.3"),
        ({"duration": float("nan")}, "duration=nan"),
        ({"rate": 4000}, "rate=4000"),
        ({"noise": -1}, "noise=-1"),
        ({"emotions": ("joy",)}, "happiness"),
        ({"emotions": ()}, "choose one or more"),
        ({"emotions": ("anger", "anger")}, "each once"),
    ],
)
def test_parameters_out_of_range_are_named(wrong, message):
    with pytest.raises(DatasetError, match=message):
        make_speech_corpus(**wrong)


def test_every_emotion_can_be_spoken():
    emotions = ("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness")
    corpus = make_speech_corpus(1, 7, emotions=emotions, duration=0.4)
    assert corpus.target["emotion"].tolist() == list(emotions)
