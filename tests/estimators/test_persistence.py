"""A fitted model on disk, in another process, on another machine, of another version."""

import copy
import io
import pickle
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sfmforensics.estimators import TANGO, ConcatFusion, PerTask, SingleView
from sfmforensics.exceptions import ModelVersionWarning
from sfmforensics.presets import make_estimator

pytestmark = pytest.mark.slow

ALL = [SingleView, ConcatFusion, TANGO]
FAST = {"encoder": "tokens", "hidden": (32,), "random_state": 0, "max_epochs": 2}
RICH = {"regression_loss": "distribution", "early_stopping": True, "loss_weighting": "dwa"}


def test_joblib_in_one_process_and_another(tmp_path, table):
    X, y = table
    model = TANGO(**FAST).fit(X, y)
    joblib.dump((model, X), tmp_path / "model.joblib")
    code = (
        "import joblib, sys; model, X = joblib.load(sys.argv[1]);"
        "model.predict(X).to_csv(sys.argv[2], index=False)"
    )
    files = [tmp_path / "model.joblib", tmp_path / "answers.csv"]
    subprocess.run([sys.executable, "-c", code, *files], check=True, cwd=tmp_path)
    there = pd.read_csv(files[1], dtype={"speaker": str})
    np.testing.assert_array_equal(there["age"], model.predict(X)["age"])
    assert there["speaker"].tolist() == model.predict(X)["speaker"].tolist()


@pytest.mark.parametrize("options", [{}, RICH | {"class_weight": "balanced", "mixup": 0.2}])
@pytest.mark.parametrize("estimator", ALL)
def test_every_way_to_copy_keeps_the_answers(estimator, options, table):
    X, y = table
    model = estimator(**FAST, **options).fit(X, y)
    copies = [copy.deepcopy(model), *(pickle.loads(pickle.dumps(model, n)) for n in (4, 5))]
    for other in copies:
        pd.testing.assert_frame_equal(model.predict(X), other.predict(X))
        assert other.history_ == model.history_
    expected = copies[1].predict(X)
    with torch.no_grad():
        for value in copies[0].module_.parameters():
            value.zero_()
    pd.testing.assert_frame_equal(model.predict(X), expected)  # a copy shares no weight


@pytest.mark.parametrize("preset", ["paper", "tuned"])
@pytest.mark.parametrize("name", ["tango", "concat", "single"])
def test_on_disk_a_model_is_its_weights_and_little_more(name, preset, tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        rng.normal(size=(120, 336)).astype(np.float32),
        columns=[f"mfcc__{i}" for i in range(80)] + [f"dvector__{i}" for i in range(256)],
    )
    y = pd.DataFrame(
        {
            "speaker": [f"{i % 60:02d}" for i in range(120)],
            "emotion": [i % 3 for i in range(120)],
            "gender": ["f", "m"] * 60,
            "age": np.arange(120.0),
        }
    )
    model = make_estimator(name, preset, random_state=0, max_epochs=30).set_params(max_epochs=2)
    model.fit(X, y)
    model.history_ = model.history_ * 15  # as after 30 epochs
    weights = sum(value.numel() * value.element_size() for value in model.module_.parameters())
    joblib.dump(model, tmp_path / "model.joblib")
    assert weights < (tmp_path / "model.joblib").stat().st_size < 1.05 * weights


def test_a_model_of_a_gpu_is_saved_from_the_cpu_and_answers_where_there_is_none(table, monkeypatch):
    X, y = table
    model = TANGO(**FAST).fit(X, y)
    expected = model.predict(X)
    model.device = "cuda:0"  # as if fitted there
    moves, move = [], torch.nn.Module.to
    monkeypatch.setattr(
        torch.nn.Module, "to", lambda self, *where: [moves.append(where), move(self, *where)][1]
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    buffer = io.BytesIO()
    torch.save(model, buffer)
    assert moves == [("cpu",)]
    # The map that torch asks for every tensor: none says that it lived elsewhere.
    places = set()
    buffer.seek(0)
    torch.load(buffer, lambda storage, place: [places.add(place), storage][1], weights_only=False)
    assert places == {"cpu"}
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(model)).predict(X), expected)


def test_a_device_that_is_not_there_is_refused_before_training(table):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(Exception, match="device 'cuda'"):
        TANGO(**FAST, device="cuda").fit(*table)


@pytest.mark.parametrize("estimator", [*ALL, PerTask])
def test_a_model_says_so_when_other_versions_load_it(estimator, table):
    X, y = table
    options = {} if estimator is PerTask else FAST
    model = estimator(**options).fit(X, y)
    assert {"sfmforensics", "torch", "scikit-learn", "numpy", "python"} <= set(model.versions_)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pickle.loads(pickle.dumps(make_pipeline(StandardScaler(), model)))
        pickle.loads(pickle.dumps(estimator(**options)))
    old = copy.deepcopy(model)
    del old.versions_
    with pytest.warns(ModelVersionWarning, match="fit it again"):
        pickle.loads(pickle.dumps(old))
    model.versions_ |= {"torch": "1.13.0", "numpy": "1.0"}
    with pytest.warns(ModelVersionWarning, match=r"torch 1\.13\.0 \(here") as caught:
        other = pickle.loads(pickle.dumps(model))
    assert "numpy 1.0 (here" in str(caught[0].message)
    assert "scikit-learn" not in str(caught[0].message)
    pd.testing.assert_frame_equal(other.predict(X), model.predict(X))
