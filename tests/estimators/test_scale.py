"""Columns and numbers of any size, and number formats: what is learnt does not depend on them."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_sample_weight_equivalence_on_dense_data

from sfmforensics import TANGO, ConcatFusion, SingleView
from sfmforensics.exceptions import ParameterError, ViewError
from sfmforensics.explanation import explain
from sfmforensics.nn.network import MultiViewNetwork
from sfmforensics.nn.scaling import column_scale
from sfmforensics.presets import make_estimator
from sfmforensics.saving import read_model, save_model

pytestmark = pytest.mark.slow

ALL = [SingleView, ConcatFusion, TANGO]
QUICK = {"encoder": "tokens", "hidden": (), "n_tokens": 2, "token_dim": 8, "random_state": 0}


def six_classes(n=240):
    """Six classes that anything tells apart, and a number."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 6, n)
    X = 3 * rng.normal(size=(6, 8))[codes] + rng.normal(size=(n, 8))
    y = pd.DataFrame({"who": np.array(list("abcdef"))[codes], "age": 30 + 5 * X[:, 0]})
    return X, y


X, Y = six_classes()
MAPS = {
    "+1e8": lambda x: x + 1e8,
    "+1e9": lambda x: x + 1e9,
    "*1e20": lambda x: x * 1e20,
    "*1e-20": lambda x: x * 1e-20,
    "*1e250": lambda x: x * 1e250,
    "*1e-300": lambda x: x * 1e-300,
    "each its own": lambda x: x * 10.0 ** np.arange(-100, 60, 20) + 10.0 ** np.arange(-93, 67, 20),
}


@pytest.mark.parametrize(
    ("estimator", "mapped"),
    [*((TANGO, name) for name in MAPS), (SingleView, "+1e9"), (ConcatFusion, "*1e-20")],
)
def test_columns_of_any_size_teach_the_same(estimator, mapped):
    change = MAPS[mapped]
    model = estimator(**QUICK, max_epochs=8).fit(X[:160], Y[:160])
    other = estimator(**QUICK, max_epochs=8).fit(change(X[:160]), Y[:160])
    answers, told = model.predict(X[160:]), other.predict(change(X[160:]))
    assert (told["who"] == answers["who"]).mean() > 0.97
    # 1e9 leaves 7 of 16 digits.
    np.testing.assert_allclose(told["age"], answers["age"], rtol=1e-3)


def test_they_are_told_apart_where_scikit_learn_with_a_scaler_does():
    for change in map(MAPS.get, ["+1e9", "*1e-20"]):
        theirs = make_pipeline(StandardScaler(), MLPClassifier(random_state=0, max_iter=400))
        theirs.fit(change(X[:160]), Y["who"][:160])
        ours = TANGO(**QUICK, max_epochs=40).fit(change(X[:160]), Y["who"][:160])
        right = [(m.predict(change(X[160:])) == Y["who"][160:]).mean() for m in (theirs, ours)]
        assert right[1] > right[0] - 0.05
        assert right[1] > 0.9


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 1), st.integers(-280, 280)), min_size=5, max_size=5),
    st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=5),
    st.integers(0, 9),
    st.booleans(),
)
def test_an_affine_map_of_columns_changes_nothing_but_rounding(factors, shifts, seed, weighted):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(700, 5))
    weight = torch.from_numpy(rng.random(700)) if weighted else None
    factor = np.array([(-1) ** e * a * 10.0**e for a, e in factors])
    mapped = x * factor + np.array(shifts) * factor  # a mean of at most a million deviations
    found = []
    for values in (x, mapped):
        center, spread = column_scale(torch.from_numpy(values), weight)
        found.append((values - center.numpy()) / spread.numpy())
    # A mean of a million deviations takes 6 of 16 digits.
    np.testing.assert_allclose(found[1] * np.sign(factor), found[0], atol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scales_are_those_of_exact_arithmetic(dtype):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(1500, 4)) + [0, 1e3, -1e5, 0]).astype(dtype)
    x[:, 3] *= 1e-30
    center, spread = column_scale(torch.from_numpy(x))
    exact = x.astype(np.longdouble)
    np.testing.assert_allclose(center, exact.mean(axis=0).astype(float), rtol=1e-13)
    np.testing.assert_allclose(spread, exact.std(axis=0).astype(float), rtol=1e-10)


@pytest.mark.parametrize("value", [0.0, 0.1, -7e5, 1e300, 5e-324])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_column_that_never_varies_says_nothing(value, dtype, weighted):
    with np.errstate(over="ignore"):
        value = np.array(value).astype(dtype)
    if not np.isfinite(value):
        pytest.skip("no number of this format")
    x = np.random.default_rng(0).normal(size=(1000, 3)).astype(dtype)
    x[:, 1] = value
    weight = torch.rand(1000) if weighted else None
    x = torch.from_numpy(x)
    network = MultiViewNetwork([np.arange(3)], [2], "concatenation", encoder="tokens")
    network.standardise(x.float() if dtype == "float16" else x, weight)
    assert (network.standardised(x)[:, 1] == 0).all()


def test_what_varies_by_rounding_errors_of_its_format_says_nothing_either():
    rng = np.random.default_rng(0)
    for dtype in ("float32", "float64"):
        x = np.full((500, 2), 1e9, dtype=dtype)
        x[:, 0] = np.nextafter(x[:, 0], rng.choice([-np.inf, np.inf], 500), dtype=dtype)
        x[:, 1] += rng.integers(0, 1000, 500) * x[0, 1] * np.finfo(dtype).eps
        _, spread = column_scale(torch.from_numpy(x))
        assert spread[0] == 1
        assert spread[1] == pytest.approx(x[:, 1].astype(float).std(), rel=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "int8", "int64", "uint64", "bool", ">f4", "object"])
def test_inputs_of_any_type_of_numbers_are_learnt_as_they_are(dtype):
    given = np.clip(np.round(4 * X), -100, 100)
    given = (given + (2**40 if dtype in ("int64", "uint64") else 0)).astype(dtype)
    model = TANGO(**QUICK, max_epochs=3).fit(given, Y)
    other = TANGO(**QUICK, max_epochs=3).fit(given.astype(np.float64), Y)
    pd.testing.assert_frame_equal(model.predict(given), other.predict(given.astype(np.float64)))


def test_float32_and_the_same_numbers_as_float64_teach_the_same():
    short = X.astype(np.float32)
    answers = [
        TANGO(**QUICK, max_epochs=5).fit(given, Y).predict(given)
        for given in (short, short.astype(np.float64), pd.DataFrame(short))
    ]
    for other in answers[1:]:
        np.testing.assert_array_equal(other.to_numpy(), answers[0].to_numpy())


@pytest.mark.parametrize("method", ["predict", "predict_proba", "transform"])
def test_an_input_that_cannot_be_answered_is_named(method):
    frame = pd.DataFrame(X, columns=[f"v{i % 2}__{i // 2}" for i in range(8)])
    frame = frame[sorted(frame)]
    model = TANGO(**QUICK, max_epochs=1).fit(frame, Y)
    asked = frame.iloc[:100].copy()
    asked.iloc[70, 2] = 1e200
    says = r"recording 70 has 1e\+200 in column 'v0__2'.*correct that column, or leave"
    with pytest.raises(ViewError, match=says):
        getattr(model, method)(asked)


@pytest.mark.parametrize("loss", ["rmse", "distribution"])
@pytest.mark.parametrize(("factor", "shift"), [(1, 1e9), (1e-3, 1e9), (1e30, 0), (1e-30, 0)])
def test_numbers_of_any_size_are_learnt(loss, factor, shift):
    number = X[:, 0] * factor + shift
    model = SingleView(**QUICK, max_epochs=40, regression_loss=loss).fit(X, number)
    apart = (model.predict(X) - shift) / factor
    assert np.corrcoef(apart, X[:, 0])[0, 1] > 0.9
    assert np.sqrt(((apart - X[:, 0]) ** 2).mean()) < 0.5 * X[:, 0].std()


@pytest.mark.parametrize("estimator", ALL)
def test_years_are_the_unit_of_the_loss(estimator):
    age = Y["age"].to_numpy()
    options = QUICK | {"age_scale": "years", "loss_weights": 1.0, "batch_size": 240}
    model = estimator(**options, max_epochs=1).fit(X, age)
    # Before the first step outputs are near 0: the error is the age itself.
    assert model.history_[0]["train_loss"] == pytest.approx(np.sqrt((age**2).mean()), rel=0.05)
    options |= {"batch_size": 16, "learning_rate": 1e-2}
    model = estimator(**options, max_epochs=60).fit(X, age)
    error = np.sqrt(((model.predict(X) - age) ** 2).mean())
    assert error < age.std() / 2
    assert model.history_[-1]["train_loss"] == pytest.approx(error, rel=0.5)
    standard = estimator(**options | {"age_scale": "standard"}, max_epochs=1).fit(X, age)
    assert standard.history_[0]["train_loss"] < 2


def test_hubers_loss_in_years_is_that_of_one_year():
    age = np.full(240, 30.0)
    options = QUICK | {"age_scale": "years", "loss_weights": 1.0, "batch_size": 240}
    model = SingleView(**options, regression_loss="huber", max_epochs=1).fit(X, age)
    assert model.history_[0]["train_loss"] == pytest.approx(29.5, rel=0.05)  # |30 - 0| - 1 / 2


def test_a_distribution_has_no_unit():
    with pytest.raises(ParameterError, match=r'age_scale is "years".*has no unit; use'):
        make_estimator("tango", "tuned", age_scale="years").fit(X, Y)
    with pytest.raises(ValueError, match="age_scale"):
        TANGO(age_scale="months").fit(X, Y)


def test_the_unit_is_kept_with_a_model(tmp_path):
    model = TANGO(**QUICK, age_scale="years", max_epochs=3, n_members=2, warm_start=True).fit(X, Y)
    save_model(model, tmp_path / "model.safetensors")
    loaded = read_model(tmp_path / "model.safetensors")
    assert loaded.age_scale == "years"
    pd.testing.assert_frame_equal(loaded.predict(X), model.predict(X))
    told = explain(model, X[:3], n_steps=0)
    np.testing.assert_allclose(told.full["age"], model.predict(X[:3])["age"], rtol=1e-4)
    with pytest.raises(ValueError, match="age_scale was 'years'"):
        model.set_params(age_scale="standard").fit(X, Y)


@pytest.mark.parametrize("estimator", ALL)
@pytest.mark.parametrize("tasks", ["auto", "classification", "regression"])
def test_float64_has_the_digits_for_weights_that_scikit_learn_asks_for(estimator, tasks):
    model = estimator(tasks=tasks, precision="float64")
    check_sample_weight_equivalence_on_dense_data(estimator.__name__, model)


@pytest.mark.parametrize("options", [{}, {"n_members": 2}, {"regression_loss": "distribution"}])
@pytest.mark.parametrize("estimator", ALL)
def test_float64_is_the_format_of_all_that_is_learnt_and_told(estimator, options, tmp_path):
    model = estimator(**QUICK, precision="float64", max_epochs=3, **options).fit(X, Y)
    assert {weights.dtype for weights in model.module_.parameters()} == {torch.float64}
    save_model(model, tmp_path / "model.safetensors")
    loaded = read_model(tmp_path / "model.safetensors")
    for one in (model, loaded):
        assert one.transform(X).dtype == np.float64
        np.testing.assert_array_equal(one.predict_proba(X)[0], model.predict_proba(X)[0])
        pd.testing.assert_frame_equal(one.predict(X), model.predict(X), check_exact=True)
    short = estimator(**QUICK, max_epochs=3, **options).fit(X, Y)
    np.testing.assert_allclose(short.predict_proba(X)[0], model.predict_proba(X)[0], atol=1e-3)
    assert not np.array_equal(short.predict_proba(X)[0], model.predict_proba(X)[0])
    told = explain(model, X[:2], n_steps=8)
    np.testing.assert_allclose(
        told.empty["who"] + told.views["who"].sum(axis=1), told.full["who"], atol=1e-9
    )


def test_the_scale_of_the_inputs_keeps_its_digits_whatever_becomes_of_the_weights():
    model = TANGO(**QUICK, max_epochs=2, warm_start=True, precision="float64").fit(X + 1e9, Y)
    model.set_params(precision="float32").fit(X + 1e9, Y)
    assert model.transform(X + 1e9).dtype == np.float32
    model.module_.bfloat16()
    assert model.module_.center.dtype == torch.float64
    np.testing.assert_allclose(model.module_.center, (X + 1e9).mean(axis=0), rtol=1e-15)


def test_a_device_without_float64_is_refused():
    with pytest.raises(ParameterError, match="\"float64\", which device 'mps' does not have; use"):
        TANGO(device="mps", precision="float64").fit(X, Y)


def test_a_device_without_float64_is_given_the_weights_and_not_the_scale():
    """As torch on Apple's GPUs, which refuses any tensor of float64."""
    network = MultiViewNetwork([np.arange(3)], [2], "concatenation", encoder="tokens")
    network.standardise(torch.from_numpy(X[:, :3] + 1e9))
    moved = []

    class There:
        device = torch.device("mps")

    def move(tensor):
        assert tensor.dtype != torch.float64
        moved.append(tensor)
        return tensor if tensor.numel() else There()

    network._apply(move)
    assert len(moved) > len(list(network.parameters()))
    np.testing.assert_allclose(network.center, (X[:, :3] + 1e9).mean(axis=0), rtol=1e-15)


def test_a_pickle_of_an_earlier_version_lacks_what_came_later():
    import pickle

    model = TANGO(**QUICK, max_epochs=1).fit(X, Y)
    state = model.__getstate__()
    del state["age_scale"], state["_made_with"]["age_scale"]
    old = TANGO.__new__(TANGO)
    old.__setstate__(pickle.loads(pickle.dumps(state)))
    assert old.age_scale == "standard"
    pd.testing.assert_frame_equal(old.predict(X), model.predict(X))
    assert old.set_params(warm_start=True).fit(X, Y).n_iter_ == 2
