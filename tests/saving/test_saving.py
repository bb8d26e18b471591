"""Models on disk without code: the same answers, nothing run, nothing changed unnoticed."""

import json
import pickle
from contextlib import suppress

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sfmforensics import make_views, read_model, save_model
from sfmforensics.embedders import CallableEmbedder
from sfmforensics.estimators import TANGO, ConcatFusion, SingleView
from sfmforensics.exceptions import ModelFileError, ModelVersionWarning
from sfmforensics.nn.encoders import TokenEncoder
from sfmforensics.saving import _models

ALL = [SingleView, ConcatFusion, TANGO]
FAST = {"encoder": "tokens", "hidden": (32,), "random_state": 0, "max_epochs": 2}
RICH = {
    "regression_loss": "distribution",
    "n_members": 2,
    "hidden": (),
    "class_weight": {"gender": {"female": 2.0}},
    "loss_weights": {"speaker": 1.0, "emotion": 0.5, "gender": 0.5, "age": 2},
    "tasks": {"age": "regression"},
}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A small model on disk, its inputs, and its answers."""
    X = np.random.default_rng(0).normal(size=(30, 8)).astype("float32")
    model = TANGO(**FAST, n_tokens=2, token_dim=2, head=2).fit(X, X[:, 0] > 0)
    path = tmp_path_factory.mktemp("saved") / "tango.safetensors"
    save_model(model, path)
    return path, X, model.predict_proba(X)


def parts_of(path):
    with safe_open(path, "pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        return tensors, json.loads(opened.metadata()["model"].partition(" ")[2])


def forged(path, tensors, content):
    """A file by somebody who knows how the checksum is made."""
    text = json.dumps(content, sort_keys=True)
    save_file(tensors, path, {"model": f"{_models._digest(text, tensors)} {text}"})


@pytest.mark.parametrize("options", [{}, RICH])
@pytest.mark.parametrize("estimator", ALL)
def test_what_is_read_back_answers_with_the_same_bits(estimator, options, table, tmp_path):
    X, y = table
    model = estimator(**(FAST | options)).fit(X, y)
    save_model(model, tmp_path / "m.safetensors")
    loaded = read_model(tmp_path / "m.safetensors")
    pd.testing.assert_frame_equal(loaded.predict(X), model.predict(X), check_exact=True)
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    for ours, theirs in zip(loaded.predict_proba(X), model.predict_proba(X), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert loaded.get_params() == model.get_params()
    assert loaded.history_ == model.history_
    assert loaded.versions_ == model.versions_
    assert [labels.tolist() for labels in loaded.classes_] == [
        labels.tolist() for labels in model.classes_
    ]
    save_model(loaded, tmp_path / "again.safetensors")
    first, second = (tmp_path / f"{name}.safetensors" for name in ("m", "again"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    "labels",
    [
        np.arange(60) % 3,
        np.arange(60) % 2 == 0,
        np.array(["a", "b"] * 30),
        np.array(["a", "b"] * 30, dtype=object),
        np.linspace(20, 60, 60),
        np.array([["a", 30.0], ["b", 40.0]] * 30, dtype=object),
    ],
)
def test_answers_keep_the_type_of_their_labels(labels, table, tmp_path):
    X, _ = table
    model = TANGO(**FAST).fit(X.to_numpy(), labels)
    save_model(model, tmp_path / "m.safetensors")
    answers = read_model(tmp_path / "m.safetensors").predict(X.to_numpy())
    assert answers.dtype == model.predict(X.to_numpy()).dtype
    np.testing.assert_array_equal(answers, model.predict(X.to_numpy()))


def test_a_model_that_was_read_can_be_fitted_on(table, tmp_path):
    X, y = table
    model = TANGO(**FAST, warm_start=True).fit(X, y)
    save_model(model, tmp_path / "m.safetensors")
    loaded = read_model(tmp_path / "m.safetensors").fit(X, y)
    assert loaded.n_iter_ == 4
    pd.testing.assert_frame_equal(loaded.predict(X), model.fit(X, y).predict(X))


def test_reading_runs_no_pickle_and_draws_no_random_number(file, monkeypatch):
    path, X, answers = file

    def fail(*_, **__):
        raise AssertionError("something was unpickled")

    for module, name in ((pickle, "load"), (pickle, "loads"), (torch, "load"), (joblib, "load")):
        monkeypatch.setattr(module, name, fail)
    before = torch.random.get_rng_state()
    np.testing.assert_array_equal(read_model(path).predict_proba(X), answers)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_pipeline_answers_recordings(corpus, tmp_path):
    views = make_views("mfcc@statistics=mean+std", "prosody", cache=tmp_path / "cache")
    model = make_pipeline(views, TANGO(**FAST)).fit(corpus.data, corpus.target)
    save_model(model, tmp_path / "m.safetensors")
    loaded = read_model(tmp_path / "m.safetensors")
    pd.testing.assert_frame_equal(loaded.predict(corpus.data[:4]), model.predict(corpus.data[:4]))
    assert loaded[0].transformer_list[0][1].statistics == ("mean", "std")
    assert [embedder.cache for _, embedder in loaded[0].transformer_list] == [None, None]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_changed_file_is_refused_or_says_the_same(file, tmp_path_factory, data):
    path, X, answers = file
    content = bytearray(path.read_bytes())
    kind = data.draw(st.sampled_from(["flip", "cut", "more"]))
    place = data.draw(st.integers(0, len(content) - 1))
    if kind == "flip":
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        del content[place:]
    else:
        content[place:place] = data.draw(st.binary(min_size=1, max_size=20))
    changed = tmp_path_factory.mktemp("changed") / "m.safetensors"
    changed.write_bytes(content)
    with suppress(ModelFileError):
        model = read_model(changed)  # a change of blanks changes nothing
        np.testing.assert_array_equal(model.predict_proba(X), answers)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(format="another"),
        lambda content: content.update(estimator="Popen"),
        lambda content: content.pop("targets"),
        lambda content: content["parameters"]["dict"].append(["shell", True]),
        lambda content: content["parameters"]["dict"].append(["n_tokens", 10**12]),
        lambda content: content["parameters"]["dict"].append(["token_dim", 10**30]),
        lambda content: content["parameters"]["dict"].append(["n_members", 10**9]),
        lambda content: content["parameters"]["dict"].append(["encoder", "os.system"]),
        lambda content: content["parameters"]["dict"].append(["encoder", "conv"]),
        lambda content: content["fitted"]["dict"].append(["n_features_in_", 9]),
        lambda content: content.update(views=[{"name": "x", "embedder": "eval", "parameters": {}}]),
        lambda content: content["targets"]["dict"].append(["center_", {"of": "O8", "array": 3}]),
        lambda content: content["targets"]["dict"].append(["center_", {"of": "V8", "array": []}]),
    ],
)
def test_a_forged_file_makes_nothing_but_an_error(change, file, tmp_path):
    tensors, content = parts_of(file[0])
    change(content)
    forged(tmp_path / "m.safetensors", tensors, content)
    with pytest.raises(ModelFileError, match=r"m\.safetensors: it does not describe a model"):
        read_model(tmp_path / "m.safetensors")


def test_a_file_without_its_weights_is_refused(file, tmp_path):
    tensors, content = parts_of(file[0])
    tensors.pop("center")
    forged(tmp_path / "m.safetensors", tensors, content)
    with pytest.raises(ModelFileError, match="center"):
        read_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize("content", [b"", b"{}", b"\x02" + bytes(7) + b"{}", b"RIFF" * 20])
def test_what_is_no_model_is_refused_by_name(content, tmp_path):
    (tmp_path / "m.safetensors").write_bytes(content)
    for name in ("m.safetensors", "none.safetensors"):
        with pytest.raises(ModelFileError, match=name):
            read_model(tmp_path / name)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (TANGO(**FAST | {"encoder": TokenEncoder}), "encoder of TANGO is a type"),
        (TANGO(**FAST, validation=ShuffleSplit(1)), "validation of TANGO is a ShuffleSplit"),
        (
            TANGO(**FAST | {"random_state": np.random.RandomState(0)}),
            "random_state of TANGO is a RandomState",
        ),
        (make_pipeline(StandardScaler(), TANGO(**FAST, views=[10, 20])), "StandardScaler"),
        (make_pipeline(StandardScaler(), StandardScaler(), SingleView(**FAST)), "StandardScaler"),
    ],
)
def test_what_only_code_can_hold_is_refused_by_name_and_nothing_is_written(
    model, named, table, tmp_path
):
    X, y = table
    model.fit(X, y)
    with pytest.raises(ModelFileError, match=named):
        save_model(model, tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_view_of_ones_own_is_refused(corpus, tmp_path):
    own = CallableEmbedder(lambda signal: [signal.mean(), signal.std()], 2, name="own")
    model = make_pipeline(make_views("mfcc", own), TANGO(**FAST)).fit(corpus.data, corpus.target)
    with pytest.raises(ModelFileError, match="view 'own' is a CallableEmbedder"):
        save_model(model, tmp_path / "m.safetensors")


def test_a_model_that_is_not_fitted_is_refused(tmp_path):
    with pytest.raises(NotFittedError):
        save_model(TANGO(), tmp_path / "m.safetensors")


def test_other_versions_are_said(table, tmp_path):
    model = TANGO(**FAST).fit(*table)
    model.versions_ |= {"torch": "1.13.0"}
    save_model(model, tmp_path / "m.safetensors")
    with pytest.warns(ModelVersionWarning, match=r"torch 1\.13\.0 \(here"):
        read_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize("estimator", ALL)
def test_every_attribute_of_a_fitted_model_is_saved_or_made_anew(estimator, table, tmp_path):
    """One that `fit` sets and no list names would be lost in silence."""
    X, y = table
    model = estimator(**FAST).fit(X, y)
    save_model(model, tmp_path / "m.safetensors")
    loaded = read_model(tmp_path / "m.safetensors")
    assert set(vars(loaded)) == set(vars(model))
    assert set(vars(loaded._codec)) == set(vars(model._codec))
