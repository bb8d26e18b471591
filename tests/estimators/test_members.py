"""Several networks in one model, whose answers are averaged."""

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone

from sfmforensics.estimators import TANGO, ConcatFusion, SingleView
from sfmforensics.nn.runtime import as_tensor

pytestmark = pytest.mark.slow

FAST = {"encoder": "tokens", "hidden": (32,), "max_epochs": 4, "random_state": 0}


@pytest.mark.parametrize("estimator", [SingleView, ConcatFusion, TANGO])
@pytest.mark.parametrize("loss", ["rmse", "distribution"])
def test_answers_are_means_over_the_members(estimator, loss, table):
    X, y = table
    model = estimator(**FAST, n_members=3, regression_loss=loss).fit(X, y)
    inputs = as_tensor(X.to_numpy(np.float32))
    with torch.inference_mode():
        answers = [member(inputs) for member in model.module_.members]
    kinds = list(model.tasks_.values())
    expected = [
        np.mean([answer[task].double().softmax(dim=1).numpy() for answer in answers], axis=0)
        for task in range(len(kinds))
    ]
    found = iter(model.predict_proba(X))
    for probability, kind in zip(expected, kinds, strict=True):
        if kind == "classification":
            np.testing.assert_allclose(next(found), probability, atol=1e-5)
    task = kinds.index("regression")
    if loss == "rmse":
        numbers = np.mean([answer[task][:, 0].numpy() for answer in answers], axis=0)
    else:
        numbers = expected[task] @ model._codec.points_[task]
    name = list(model.tasks_)[task]
    np.testing.assert_allclose(model.predict(X)[name], model._codec.years(task, numbers), rtol=1e-4)


def test_the_first_member_is_the_model_that_has_no_other(table):
    X, y = table
    alone, several = (TANGO(**FAST, n_members=n).fit(X, y) for n in (1, 2))
    first, second = several.module_.members
    for one, same, other in zip(
        *(network.parameters() for network in (alone.module_, first, second)), strict=True
    ):
        torch.testing.assert_close(one, same, rtol=0, atol=0)
        assert one.numel() < 100 or not torch.equal(one, other)


def test_a_model_of_several_is_saved_and_cloned(table, tmp_path):
    X, y = table
    model = TANGO(**FAST, n_members=2).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib")
    again = clone(model).fit(X, y)
    for other in (loaded, again):
        np.testing.assert_array_equal(other.predict_proba(X)[0], model.predict_proba(X)[0])
    assert len(model.get_feature_names_out()) == model.transform(X).shape[1] == 2 * 32


def test_each_of_several_has_a_plan_of_its_own(table):
    X, y = table
    model = TANGO(**FAST, n_members=2, n_tokens=3).fit(X, y)
    for plan in model.transport_plan(X).values():
        assert plan.shape == (len(X), 2, 3, 3)
        np.testing.assert_allclose(plan.sum(axis=2), 1 / 3, atol=1e-5)
        np.testing.assert_allclose(plan.sum(axis=3), 1 / 3, atol=1e-5)
    (first,) = TANGO(**FAST, n_tokens=3).fit(X, y).transport_plan(X).values()
    np.testing.assert_array_equal(plan[:, 0], first)  # member 1 is the model that is alone


def test_several_go_on_where_they_stopped(table):
    X, y = table
    model = TANGO(**FAST, n_members=2, warm_start=True).fit(X, y)
    before = model.history_[-1]["train_loss"]
    model.fit(X, y)
    assert [row["epoch"] for row in model.history_] == list(range(1, 9))
    assert model.history_[-1]["train_loss"] < before
    with pytest.raises(ValueError, match="n_members was 2"):
        model.set_params(n_members=3).fit(X, y)


def test_members_that_stop_early_have_one_history(table):
    X, y = table
    options = FAST | {"max_epochs": 60, "early_stopping": True, "patience": 2, "validation": 0.3}
    model = TANGO(**options, n_members=3).fit(X, y)
    epochs = [row["epoch"] for row in model.history_]
    assert epochs == list(range(1, model.n_iter_ + 1))
    assert 1 <= model.best_epoch_ <= model.n_iter_
    assert all(np.isfinite(row["valid_loss"]) for row in model.history_)


def test_few_recordings_are_seen_more_often(table):
    X, y = table
    options = {"encoder": "tokens", "hidden": (8,), "random_state": 0, "max_epochs": "auto"}
    model = ConcatFusion(**options, batch_size=1).fit(X, y)
    assert model.n_iter_ == 20  # 1,200 steps
    assert ConcatFusion(**options, batch_size=20).fit(X, y).n_iter_ == 167  # of 3 steps each
