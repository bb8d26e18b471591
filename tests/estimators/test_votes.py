"""What models learn of labels on which raters voted."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import cross_val_score

from sfmforensics import PerTask
from sfmforensics.estimators import TANGO, ConcatFusion, SingleView
from sfmforensics.saving import read_model, save_model
from sfmforensics.targets import Votes, bands

ALL = [SingleView, ConcatFusion, TANGO]
FAST = {"encoder": "tokens", "hidden": (16,), "random_state": 0, "max_epochs": 4}
N = 24


def recordings():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 8)).astype(np.float32)
    labels = np.where(X[:, 0] > 0, "angry", "calm").astype(object)
    labels[3] = None
    return X, pd.DataFrame({"age": 40 + 9 * X[:, 1], "emotion": pd.Series(labels, dtype=object)})


def with_votes(y, voted):
    labels = [None if pd.isna(label) else Votes(label, voted(label)) for label in y["emotion"]]
    return y.assign(emotion=pd.Series(labels, dtype=object))


def two_of_three(label):
    return {label: 2, "calm" if label == "angry" else "angry": 1}


def bits(model, X):
    return [part.tobytes() for part in model.predict_proba(X)] + [model.predict(X)["age"].tolist()]


@pytest.mark.parametrize("estimator", ALL)
@pytest.mark.parametrize(
    "options", [{}, {"class_weight": {"emotion": "balanced"}, "mixup": 0.3, "label_smoothing": 0.1}]
)
def test_unanimous_votes_are_learnt_as_labels_to_the_bit(estimator, options):
    X, y = recordings()
    plain = estimator(**FAST, **options).fit(X, y)
    voted = estimator(**FAST, **options).fit(X, with_votes(y, lambda label: {label: 3}))
    assert bits(plain, X) == bits(voted, X)


@pytest.mark.parametrize("estimator", ALL)
def test_networks_learn_the_shares(estimator):
    X = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    label = Votes("angry", {"angry": 3, "calm": 1})
    y = pd.DataFrame({"emotion": pd.Series([label] * 60, dtype=object)})
    options = {"encoder": "tokens", "hidden": (), "random_state": 0, "learning_rate": 0.02}
    model = estimator(**options, max_epochs=60).fit(X, y)
    assert model.predict_proba(X)[0].mean(axis=0) == pytest.approx([0.75, 0.25], abs=0.03)
    assert set(model.predict(X)["emotion"]) == {"angry"}


@pytest.mark.parametrize("sample_weight", [None, np.arange(N) % 3])
@pytest.mark.parametrize(
    "options",
    [
        {"loss_weighting": "uncertainty", "mixup": 0.4},
        {"loss_weighting": "dwa", "class_weight": "balanced"},
        {"early_stopping": True, "label_smoothing": 0.1, "regression_loss": "distribution"},
        {"n_members": 2, "precision": "float64", "class_weight": {"emotion": {"angry": 2.0}}},
    ],
)
def test_votes_go_with_every_other_option(options, sample_weight):
    X, y = recordings()
    y = with_votes(y, two_of_three)
    options = {"class_weight": None} | options
    if options["class_weight"] == "balanced":
        options["class_weight"] = {"emotion": "balanced"}
    model = ConcatFusion(**FAST, **options).fit(X, y, sample_weight=sample_weight)
    assert np.isfinite(model.predict_proba(X)[0]).all()
    assert model.score(X, y) <= 1


def test_half_of_the_votes_are_half_of_the_recordings():
    """A recording with votes 2 to 1 is learnt as three, of which two have the one label."""
    X, y = recordings()
    options = FAST | {"batch_size": 200, "loss_weights": {"age": 0.0, "emotion": 1.0}}
    voted = SingleView(**options).fit(X, with_votes(y, two_of_three))
    rows = np.repeat(np.arange(N), 3)
    single = y.iloc[rows].reset_index(drop=True)
    other = single["emotion"].map({"angry": "calm", "calm": "angry"})
    third = np.arange(3 * N) % 3 == 2
    single["emotion"] = single["emotion"].where(~third, other)
    repeated = SingleView(**options).fit(X[rows], single)
    np.testing.assert_allclose(voted.predict_proba(X)[0], repeated.predict_proba(X)[0], atol=1e-4)


def test_balanced_classes_count_by_their_votes():
    X, y = recordings()
    y = with_votes(y, lambda label: {"angry": 3, "calm": 1} if label == "angry" else {"calm": 1})
    counts = pd.DataFrame([dict(v.shares) for v in y["emotion"].dropna()]).sum()
    weights = {name: (N - 1) / (2 * count) for name, count in counts.items()}
    balanced = ConcatFusion(**FAST, class_weight={"emotion": "balanced"}).fit(X, y)
    given = ConcatFusion(**FAST, class_weight={"emotion": weights}).fit(X, y)
    np.testing.assert_allclose(balanced.predict_proba(X)[0], given.predict_proba(X)[0], atol=1e-5)


def test_a_class_that_only_minorities_voted_for_can_be_learnt_by_networks_alone():
    X, y = recordings()
    y = with_votes(y, lambda label: {label: 2, "fear": 1})
    model = SingleView(**FAST).fit(X, y)
    assert model.classes_[0].tolist() == ["angry", "calm", "fear"]
    assert model.predict_proba(X)[0].shape == (N, 3)
    svm = PerTask().fit(X, y)
    assert svm.classes_[0].tolist() == ["angry", "calm"]
    assert svm.decision_function(X)[0].shape == (N, 2)


def test_classical_models_learn_the_label():
    X, y = recordings()
    pd.testing.assert_frame_equal(
        PerTask().fit(X, y).predict(X), PerTask().fit(X, with_votes(y, two_of_three)).predict(X)
    )


@pytest.mark.parametrize("form", [list, np.array, pd.Series])
def test_one_dimension_will_do(form):
    X, y = recordings()
    known = y["emotion"].notna().to_numpy()
    labels = with_votes(y, two_of_three)["emotion"][known]
    frame = ConcatFusion(**FAST).fit(X[known], labels.to_frame())
    flat = ConcatFusion(**FAST, tasks="classification")
    flat.fit(X[known], form(labels.tolist(), dtype=object) if form is not list else labels.tolist())
    assert flat.predict_proba(X).tobytes() == frame.predict_proba(X)[0].tobytes()
    assert all(type(label) is str for label in [*flat.classes_, *flat.predict(X)])
    scores = cross_val_score(flat, X[known], labels, cv=2, error_score="raise")
    assert np.isfinite(scores).all()


def test_a_warm_start_goes_on_with_votes():
    X, y = recordings()
    model = SingleView(**FAST, warm_start=True).fit(X, with_votes(y, lambda label: {label: 1}))
    model.fit(X, with_votes(y, two_of_three))
    assert model.n_iter_ == 8
    with pytest.raises(ValueError, match="holds 'fear', a label that the model did not learn"):
        model.fit(X, with_votes(y, lambda label: {label: 2, "fear": 1}))


@pytest.mark.parametrize("estimator", ALL)
def test_a_model_that_learnt_votes_is_kept_in_any_file(estimator, tmp_path):
    X, y = recordings()
    model = estimator(**FAST).fit(X, with_votes(y, two_of_three))
    save_model(model, tmp_path / "model.safetensors")
    for back in (
        read_model(tmp_path / "model.safetensors"),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
    ):
        assert bits(back, X) == bits(model, X)
        assert back.classes_[0].tolist() == ["angry", "calm"]


@pytest.mark.parametrize("loss", ["rmse", "distribution"])
def test_votes_go_with_ages_in_bands(loss):
    X, y = recordings()
    edges = [(20, 39) if age < 40 else (40, 80) for age in y["age"]]
    y = with_votes(y, two_of_three).assign(age=bands(edges))
    for order in (["age", "emotion"], ["emotion", "age"]):
        options = {"class_weight": {"emotion": "balanced"}, "mixup": 0.2, "regression_loss": loss}
        options |= {"loss_weighting": "uncertainty"}
        model = ConcatFusion(**FAST, **options).fit(X, y[order], sample_weight=np.arange(N) % 3)
        assert np.isfinite(model.predict_proba(X)[0]).all()
    plain = recordings()[1].assign(age=y["age"])
    voted = with_votes(plain, lambda label: {label: 3})
    fitted = [ConcatFusion(**FAST, regression_loss=loss).fit(X, one) for one in (plain, voted)]
    assert bits(fitted[0], X) == bits(fitted[1], X)
