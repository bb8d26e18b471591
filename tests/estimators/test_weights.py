"""Weights of recordings and of classes: what they do to what is learnt."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sfmforensics.estimators import TANGO, ConcatFusion, SingleView
from sfmforensics.exceptions import TargetError

pytestmark = pytest.mark.slow

ALL = [SingleView, ConcatFusion, TANGO]
FAST = {"encoder": "tokens", "hidden": (32,), "random_state": 0, "max_epochs": 15}


def mixed(n=24):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 8)).astype(np.float32)
    y = pd.DataFrame({"side": np.where(X[:, 0] > 0, "left", "right"), "age": 40 + 9.0 * X[:, 1]})
    y.loc[3, "side"], y.loc[5, "age"] = None, np.nan
    return X, y


@pytest.mark.parametrize("estimator", ALL)
@pytest.mark.parametrize("loss", ["rmse", "huber", "distribution"])
def test_a_weight_of_two_is_as_good_as_the_recording_twice(estimator, loss):
    X, y = mixed()
    weight = np.random.default_rng(1).integers(0, 4, len(X))
    # One batch an epoch, so that both learn from the same recordings at once.
    options = FAST | {"batch_size": 128, "regression_loss": loss}
    weighted = estimator(**options).fit(X, y, sample_weight=weight)
    rows = np.repeat(np.arange(len(X)), weight)
    repeated = estimator(**options).fit(X[rows], y.iloc[rows])
    np.testing.assert_allclose(
        weighted.predict_proba(X)[0], repeated.predict_proba(X)[0], atol=1e-4
    )
    np.testing.assert_allclose(weighted.predict(X)["age"], repeated.predict(X)["age"], rtol=1e-4)


def test_a_recording_of_weight_0_is_as_if_it_were_not_there():
    X, y = mixed()
    weight = np.ones(len(X))
    weight[:6] = 0
    X[:3] = 1e6
    without = TANGO(**FAST, batch_size=8).fit(X[6:], y[6:])
    with_it = TANGO(**FAST, batch_size=8).fit(X, y, sample_weight=weight)
    pd.testing.assert_frame_equal(without.predict(X), with_it.predict(X))


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_small_batches_do_not_undo_weights(batch_size):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 6)).astype(np.float32)
    true = np.where(X[:, 0] > 0, "left", "right")
    wrong = rng.random(200) < 0.5
    label = np.where(wrong, np.where(true == "left", "right", "left"), true)
    options = {"encoder": "tokens", "hidden": (), "random_state": 0, "max_epochs": 10}
    model = SingleView(**options, batch_size=batch_size)
    model.fit(X, label, sample_weight=np.where(wrong, 1e-3, 1.0))
    assert (model.predict(X) == true).mean() > 0.9


@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_small_batches_do_not_undo_weights_of_numbers(batch_size):
    """A root a batch has a slope in proportion to the weights, as repeated recordings have."""
    X = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    number = np.where(np.arange(300) % 20 < 17, 10.0, 0.0)
    options = {"encoder": "tokens", "hidden": (), "random_state": 0, "max_epochs": 12}
    options |= {"batch_size": batch_size, "learning_rate": 3e-3, "input_noise": 5.0}
    model = SingleView(**options).fit(X, number, np.where(number > 0, 0.1, 1.0))
    # By weight most numbers are 0; a batch of one seeks the median, a larger one the mean of 3.6.
    assert np.median(model.predict(X)) < 5


def test_the_slope_of_a_weighted_root_is_in_proportion_to_the_weight():
    from sfmforensics.nn.losses import MultiTaskLoss

    loss = MultiTaskLoss(["regression"], 1.0)
    for weight in (0.01, 1.0, 3.0):
        output = torch.tensor([[2.0]], requires_grad=True)
        loss([output], torch.zeros(1, 1), torch.tensor([weight])).backward()
        assert output.grad.item() == pytest.approx(weight, rel=1e-4)


@pytest.mark.parametrize("size", [1e-50, 1e37])
def test_only_ratios_of_weights_count(size):
    X, y = mixed()
    weight = np.linspace(1, 5, len(X))
    plain = TANGO(**FAST).fit(X, y, sample_weight=weight).predict(X)
    scaled = TANGO(**FAST).fit(X, y, sample_weight=weight * size).predict(X)
    np.testing.assert_allclose(plain["age"], scaled["age"], rtol=1e-3)


def test_equal_weights_change_nothing():
    X, y = mixed()
    plain = TANGO(**FAST).fit(X, y).predict(X)
    pd.testing.assert_frame_equal(plain, TANGO(**FAST).fit(X, y, np.full(24, 3.0)).predict(X))


def test_weights_pass_a_pipeline():
    X, y = mixed()
    weight = np.linspace(0.1, 5, len(X))
    pipe = make_pipeline(StandardScaler(), TANGO(**FAST))
    heavy = pipe.fit(X, y, tango__sample_weight=weight).predict(X)
    assert not np.allclose(heavy["age"], pipe.fit(X, y).predict(X)["age"])


def test_the_score_can_be_weighted():
    X, y = mixed()
    y = y.fillna({"side": "left", "age": 40.0})
    model = TANGO(**FAST).fit(X, y)
    only = SingleView(**FAST).fit(X, y["side"])
    right = only.predict(X) == y["side"].to_numpy()
    assert only.score(X, y["side"], sample_weight=np.where(right, 1.0, 0.0)) == 1
    weight = np.zeros(len(X))
    weight[:12] = 1
    assert model.score(X, y, weight) == pytest.approx(model.score(X[:12], y[:12]))


@pytest.mark.parametrize(
    ("weight", "says"),
    [
        (np.full(24, -1.0), r"sample_weight\[0\] is -1"),
        (np.zeros(24), "zero"),
        (np.ones(23), "23"),
        (np.full(24, np.nan), "NaN"),
    ],
)
def test_impossible_weights_are_refused(weight, says):
    X, y = mixed()
    with pytest.raises(ValueError, match=says):
        TANGO(**FAST).fit(X, y, sample_weight=weight)


def rare(n=300):
    """One class in ten, and an overlap within which a model that counts says the other."""
    rng = np.random.default_rng(0)
    label = np.where(np.arange(n) % 10 == 0, "rare", "common")
    X = rng.normal(size=(n, 6)).astype(np.float32)
    X[:, :2] += 0.7 * (label == "rare")[:, None]
    return X, label


@pytest.mark.parametrize("class_weight", ["balanced", {"rare": 9.0}, {"y": {"rare": 9.0}}])
def test_class_weights_find_a_rare_class(class_weight):
    X, label = rare()
    options = {"encoder": "tokens", "hidden": (), "random_state": 0, "weight_decay": 0.1}
    plain = SingleView(**options).fit(X, label)
    weighted = SingleView(**options, class_weight=class_weight).fit(X, label)
    found = [(model.predict(X) == label)[label == "rare"].mean() for model in (plain, weighted)]
    assert found[1] > found[0] + 0.2


def test_class_weights_name_the_task_that_they_are_for():
    X, label = rare()
    y = pd.DataFrame({"kind": label, "age": 40 + 5.0 * X[:, 3]})
    plain = TANGO(**FAST).fit(X, y).predict(X)
    weighted = TANGO(**FAST, class_weight={"kind": {"rare": 9.0}}).fit(X, y).predict(X)
    assert (weighted["kind"] == "rare").sum() > (plain["kind"] == "rare").sum()


def test_balanced_weights_are_those_of_scikit_learn():
    from sklearn.utils import compute_class_weight

    from sfmforensics.estimators._weights import class_weights
    from sfmforensics.targets import TargetCodec

    _, label = rare()
    y = pd.DataFrame({"kind": label, "age": np.arange(300.0)})
    y.loc[:5, "kind"] = None
    codec = TargetCodec().fit(y)
    found = class_weights("balanced", codec, codec.encode(y))
    known = y["kind"].dropna()
    expected = compute_class_weight("balanced", classes=codec.classes_[0], y=known)
    torch.testing.assert_close(found[0], torch.tensor(expected, dtype=torch.float32))
    assert found[1] is None


@pytest.mark.parametrize(
    ("loss_weights", "says"),
    [
        ({"age": -1.0}, "'age' is -1.0; a weight"),
        ({"age": None}, "'age' is None"),
        ([0, 0], "only zeros"),
        ([1.0, np.nan], "'age' is nan"),
        (["a", 1.0], "'side' is 'a'"),
        ([1.0, 1.0, 1.0], "3 weights for 2"),
    ],
)
def test_impossible_weights_of_tasks_are_refused(loss_weights, says):
    X, y = mixed()
    with pytest.raises(TargetError, match=says):
        TANGO(**FAST, loss_weights=loss_weights).fit(X, y)


@pytest.mark.parametrize(
    ("class_weight", "says"),
    [
        ({"emotoin": "balanced"}, "'emotoin'.*side, age"),
        ({"side": {"up": 2.0}}, "'up'.*left, right"),
        ({"side": "equal"}, "'equal'"),
        ({"side": {"left": -2.0}}, "-2.0; a weight is a number of 0 or more"),
        ({"side": {"left": np.nan}}, "'left', is nan"),
        ({"side": {"left": 0, "right": 0.0}}, "only zeros"),
        ({"age": "balanced"}, "numbers"),
    ],
)
def test_impossible_class_weights_are_refused(class_weight, says):
    X, y = mixed()
    with pytest.raises(TargetError, match=says):
        TANGO(**FAST, class_weight=class_weight).fit(X, y)
