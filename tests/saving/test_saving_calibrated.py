"""A calibrated model on disk: the same answers and ratios, and nothing that runs."""

import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sfmforensics import TANGO, make_views, read_model, save_model
from sfmforensics.datasets import make_speech_corpus
from sfmforensics.estimators import PerTask
from sfmforensics.evidence import PLDA, CalibratedModel, CosineScorer, LikelihoodRatio
from sfmforensics.exceptions import EvidenceWarning, ModelFileError, SplitWarning
from sfmforensics.saving._calibration import calibrated_from, calibration_state

pytestmark = pytest.mark.slow

SMALL = {"encoder": "tokens", "n_tokens": 2, "token_dim": 8, "hidden": (8,), "max_epochs": 3}


@pytest.fixture(scope="module")
def voices():
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(18), 5)
    own = rng.normal(size=(18, 12))
    X = (own[speakers] + 0.4 * rng.normal(size=(90, 12))).astype("float32")
    y = pd.DataFrame(
        {
            "speaker": speakers.astype(str),
            "emotion": rng.choice(["low", "high"], 90),
            "gender": np.where(own[speakers, 0] > 0, "f", "m"),
            "age": (40 + 8 * own[speakers, 1]).round(),
        }
    )
    return X, y


def same_answers(model, other, X):
    for name in ("predict_interval", "predict_set", "predict_or_abstain"):
        pd.testing.assert_frame_equal(getattr(model, name)(X), getattr(other, name)(X))
    for left, right in zip(model.predict_proba(X), other.predict_proba(X), strict=True):
        assert np.array_equal(left, right)
    assert np.array_equal(model.log10_lr(X[:4], X[4:9]), other.log10_lr(X[:4], X[4:9]))
    assert model.compare(X[:1], X[1:4]) == other.compare(X[:1], X[1:4])
    assert model.temperatures_ == other.temperatures_
    assert model.n_calibration_speakers_ == other.n_calibration_speakers_
    assert np.array_equal(model.calibration_rows_, other.calibration_rows_)


@pytest.mark.parametrize(
    "how", ["share", "folds", *("cosine", "pairs", "components"), "frozen", "seldom"]
)
def test_what_is_read_back_says_the_same(how, voices, tmp_path):
    X, y = voices
    tango = TANGO(random_state=0, **SMALL)
    options = {
        "share": {"calibration": 0.4},
        "folds": {"calibration": 3},
        "cosine": {"calibration": 0.4, "likelihood_ratio": LikelihoodRatio("cosine", bounds=None)},
        "pairs": {
            "calibration": 3,
            "per_speaker": "all",
            "likelihood_ratio": LikelihoodRatio("logistic"),
        },
        "components": {"calibration": 3, "likelihood_ratio": LikelihoodRatio(PLDA(3, 0.5))},
        "frozen": {},
        "seldom": {"likelihood_ratio": LikelihoodRatio(CosineScorer(), calibration="isotonic")},
    }[how]
    if how == "frozen":
        tango = FrozenEstimator(tango.fit(X[:30], y[:30]))
        X, y = X[30:], y[30:].reset_index(drop=True)
    model = CalibratedModel(tango, random_state=0, **options).fit(X, y)
    save_model(model, tmp_path / "model.safetensors")
    again = read_model(tmp_path / "model.safetensors")
    same_answers(model, again, X)
    if how != "frozen":
        assert repr(again.get_params()) == repr(model.get_params())


def test_a_pipeline_from_recordings(tmp_path):
    corpus = make_speech_corpus(10, 5, duration=0.4, output=tmp_path)
    model = CalibratedModel(TANGO(random_state=0, **SMALL), calibration=0.5, random_state=0)
    pipe = make_pipeline(make_views("mfcc", "prosody"), model).fit(corpus.data, corpus.target)
    save_model(pipe, tmp_path / "model.safetensors")
    again = read_model(tmp_path / "model.safetensors")
    X = pipe[0].transform(corpus.data)
    assert again.steps[-1][0] == "calibratedmodel"
    same_answers(pipe[-1], again[-1], X)
    pd.testing.assert_frame_equal(pipe.predict(corpus.data), again.predict(corpus.data))


def test_a_changed_calibration_is_refused(voices, tmp_path):
    X, y = voices
    file = tmp_path / "model.safetensors"
    save_model(CalibratedModel(TANGO(random_state=0, **SMALL), random_state=0).fit(X, y), file)
    content = bytearray(file.read_bytes())
    content[-40] ^= 1  # in the arrays, which stand behind the header
    file.write_bytes(content)
    with pytest.raises(ModelFileError, match="does not match its checksum"):
        read_model(file)


@pytest.mark.parametrize("inside", ["pertask", "pipeline", "scorer"])
def test_what_only_code_could_make_again_is_refused_by_name(inside, voices, tmp_path):
    class Mine(CosineScorer):
        pass

    X, y = voices
    estimator, options, says = {
        "pertask": (PerTask(), {}, "PerTask"),
        "pipeline": (make_pipeline(StandardScaler(), TANGO(**SMALL)), {}, "Pipeline"),
        "scorer": (TANGO(**SMALL), {"likelihood_ratio": LikelihoodRatio(Mine())}, "Mine"),
    }[inside]
    model = CalibratedModel(estimator, random_state=0, **options).fit(X, y)
    with pytest.raises(ModelFileError, match=f"{says}.*without code"):
        save_model(model, tmp_path / "model.safetensors")
    assert not (tmp_path / "model.safetensors").exists()


def test_one_that_was_trained_with_recordings_of_nobody_known_says_so(voices):
    X, y = voices
    y = y.assign(speaker=y["speaker"].where(np.arange(len(y)) % 9 > 0, None))
    model = CalibratedModel(TANGO(random_state=0, **SMALL), random_state=0)
    with pytest.warns(SplitWarning):
        model.fit(X, y)
    plain, arrays = calibration_state(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = calibrated_from(model.estimator_, model.estimator, plain, arrays)
    assert again.left_out_rows_.tolist() == list(range(0, 90, 9))
    del arrays["left_out"]  # as before there was this array
    with pytest.warns(EvidenceWarning, match="without a speaker, here 10, .* train it anew"):
        calibrated_from(model.estimator_, model.estimator, plain, arrays)


def test_joblib_keeps_it_too(voices, tmp_path):
    X, y = voices
    model = CalibratedModel(TANGO(random_state=0, **SMALL), random_state=0).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    same_answers(model, joblib.load(tmp_path / "model.joblib"), X)
