"""What each view and token adds to an answer: it adds up, is in its place, disturbs nothing."""

import copy
import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sfmforensics import TANGO, ConcatFusion, PerTask, SingleView, read_model, save_model
from sfmforensics.exceptions import ParameterError, TargetError, ViewError
from sfmforensics.explanation import explain
from sfmforensics.explanation._attribution import attribute, frozen_copy, shapley_values
from sfmforensics.model_selection import TargetStratifiedKFold

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 20)).astype("float32")
X[:, 3] += 40  # a mean that is not 0, nor is 0 like any recording
TARGET = pd.DataFrame(
    {
        "gender": np.where(X[:, :3].sum(axis=1) > 0, "f", "m"),  # told by view 1 alone
        "age": 40 + 6.0 * X[:, 9:12].sum(axis=1).astype(float),  # by view 2 alone
    }
)
VIEWS = [8, 12]
TOKENS = {"encoder": "tokens", "n_tokens": 3, "token_dim": 8}
KINDS = {
    "conv": (TANGO, {}),
    "tokens": (TANGO, TOKENS | {"hidden": ()}),
    "barycentric, members": (TANGO, TOKENS | {"transport": "barycentric", "n_members": 2}),
    "distribution, members": (
        TANGO,
        TOKENS | {"regression_loss": "distribution", "n_members": 3, "hidden": (8,)},
    ),
    "detached, partial": (TANGO, {"grad": "detach", "mass": 0.7, "direction": "x2->x1"}),
    "transport in the loss": (TANGO, TOKENS | {"transport_weight": 0.1, "gated": False}),
    "concat": (ConcatFusion, {}),
    "concat of tokens": (ConcatFusion, TOKENS | {"view_hidden": (), "hidden": ()}),
    "three views": (TANGO, TOKENS | {"views": [8, 6, 6]}),
    "single": (SingleView, TOKENS),
}


def fitted(kind, max_epochs=12, target=TARGET):
    estimator, options = KINDS[kind]
    options = {"random_state": 0, "max_epochs": max_epochs} | options
    if estimator is not SingleView:
        options = {"views": VIEWS} | options
    return estimator(**options).fit(X, target)


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return fitted(request.param)


@pytest.fixture(scope="module")
def tango():
    return fitted("conv", max_epochs=40)


@pytest.mark.parametrize("estimator", [TANGO, ConcatFusion])
@pytest.mark.parametrize("encoder", ["conv", "tokens"])
def test_the_view_that_tells_is_the_view_that_is_named(estimator, encoder):
    model = estimator(encoder=encoder, views=VIEWS, max_epochs=40, random_state=0).fit(X, TARGET)
    found = explain(model, X[:60], n_steps=0)
    # Over seeds the ratio is 3 to 11 and the share 0.85 to 1; a processor that rounds in another
    # way is another seed.
    for task, teller, other in (("gender", "x1", "x2"), ("age", "x2", "x1")):
        for told in (found.views[task], found.lost[task]):
            size = told.abs().mean()
            assert size[teller] > 2 * size[other], (task, size)
    right = found.views["gender"]["x1"][found.answers["gender"] == TARGET["gender"][:60]]
    assert (right > 0).mean() > 0.8
    true = TARGET["age"][:60] - TARGET["age"].mean()
    assert np.corrcoef(true, found.views["age"]["x2"])[0, 1] > 0.9


def test_shares_add_up_and_full_is_what_the_model_answers(model):
    found = explain(model, X[:3])
    answers, probabilities = model.predict(X[:3]), model.predict_proba(X[:3])[0]
    p = probabilities.max(axis=1)
    np.testing.assert_allclose(found.full["gender"], np.log10(p / (1 - p)), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.full["age"], answers["age"], rtol=1e-5)
    assert found.answers["gender"].tolist() == answers["gender"].tolist()
    np.testing.assert_allclose(found.probabilities["gender"], p, rtol=1e-5)
    assert found.probabilities["age"].isna().all()
    for task in ("gender", "age"):
        gained = found.full[task] - found.empty[task]
        np.testing.assert_allclose(found.views[task].sum(axis=1), gained, atol=1e-6)
        # What is shared out among tokens is an integral: within 5 % of the sizes at hand.
        size = np.abs(found.views[task].to_numpy()).max()
        for view, tokens in found.tokens[task].items():
            np.testing.assert_allclose(
                tokens.sum(axis=1), found.views[task][view], atol=0.05 * size
            )


def test_a_view_is_left_out_by_the_mean_of_what_was_learnt(model):
    found = explain(model, X[:4], n_steps=0)
    mean = X.mean(axis=0)
    nothing = model.predict(mean[None])
    np.testing.assert_allclose(found.empty["age"], nothing["age"][0], rtol=1e-4)
    edges = np.cumsum([0, *getattr(model, "views", [20])])
    for view, start, stop in zip(model.views_, edges[:-1], edges[1:], strict=True):
        ablated = X[:4].copy()
        ablated[:, start:stop] = mean[start:stop]
        expected = found.full["age"] - model.predict(ablated)["age"]
        np.testing.assert_allclose(found.lost["age"][view], expected, atol=1e-3)


def test_a_reference_of_ones_own(tango):
    found = explain(tango, X[:2], reference=X[7], n_steps=0)
    np.testing.assert_allclose(found.empty["age"], tango.predict(X[7:8])["age"][0], rtol=1e-5)
    same = explain(tango, X[7:8], reference=X[7])
    for told in (same.views["age"], same.lost["gender"], same.tokens["age"]["x2"]):
        np.testing.assert_allclose(told, 0, atol=1e-6)
    for bad in (X[7, :5], X[:2], np.full(20, np.nan)):
        with pytest.raises(ParameterError, match=r"reference has shape .*; give the 20 numbers"):
            explain(tango, X[:2], reference=bad)


def test_without_scaling_there_is_no_mean_to_take():
    model = ConcatFusion(**TOKENS, scale=False, max_epochs=1, random_state=0).fit(X, TARGET)
    with pytest.raises(ParameterError, match=r"scale=False.*give reference=X_train.mean"):
        explain(model, X[:1])
    mean = X.mean(axis=0)
    found = explain(model, X[:1], reference=mean, n_steps=0)
    np.testing.assert_allclose(found.empty["age"], model.predict(mean[None])["age"], rtol=1e-5)


def test_an_explanation_does_not_depend_on_what_else_is_asked(model):
    together, alone = explain(model, X[:4], n_steps=4), explain(model, X[2:3], n_steps=4)
    for name in ("answers", "full", "empty", "probabilities"):
        one, other = getattr(together, name), getattr(alone, name)
        pd.testing.assert_frame_equal(one[2:3].reset_index(drop=True), other)
    for task in ("gender", "age"):
        for name in ("views", "lost"):
            one, other = getattr(together, name)[task], getattr(alone, name)[task]
            pd.testing.assert_frame_equal(one[2:3].reset_index(drop=True), other)
        for view, tokens in together.tokens[task].items():
            np.testing.assert_array_equal(tokens[2:3], alone.tokens[task][view])
    for name in ("gates", "plans"):
        assert getattr(together, name).keys() == getattr(alone, name).keys()
        for key, told in getattr(together, name).items():
            np.testing.assert_array_equal(told[2:3], getattr(alone, name)[key])


def test_nothing_is_left_behind(model):
    before = copy.deepcopy(model.module_.state_dict())
    attributes = set(vars(model))
    modes = [module.training for module in model.module_.modules()]
    gradients = [copy.deepcopy(p.grad) for p in model.module_.parameters()]  # of training
    answers = model.predict(X[:5])
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002 - the global generator is what is watched
    states = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    with torch.inference_mode():
        inside = explain(model, X[:2], n_steps=4)
    with torch.no_grad():
        outside = explain(model, X[:2], n_steps=4)
    np.testing.assert_array_equal(inside.views["age"], outside.views["age"])
    assert torch.equal(torch.random.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()  # noqa: NPY002
    assert set(vars(model)) == attributes
    assert [module.training for module in model.module_.modules()] == modes
    for parameter, gradient in zip(model.module_.parameters(), gradients, strict=True):
        assert parameter.requires_grad
        assert torch.equal(parameter.grad, gradient)
    for name, value in model.module_.state_dict().items():
        assert torch.equal(value, before[name]), name
    for member in model._members():
        assert getattr(member.fusion, "grad", None) == getattr(model, "grad", None)
    pd.testing.assert_frame_equal(model.predict(X[:5]), answers)


def test_gates_and_plans_are_those_of_the_recording(model):
    found = explain(model, X[:70], n_steps=0)
    assert found.tokens == {}
    assert found.n_members == model.n_members
    if not isinstance(model, TANGO):
        assert found.gates == {}
        assert found.plans == {}
        return
    plans = model.transport_plan(X[:70])
    assert found.plans.keys() == plans.keys()
    for pair, plan in plans.items():
        np.testing.assert_array_equal(found.plans[pair], plan)
    if not model.gated:
        assert found.gates == {}
        return
    with torch.inference_mode():
        tokens = [member.tokens(torch.from_numpy(X[:70])) for member in model._members()]
    for place, view in enumerate(model.views_):
        gates = [member[place].double().sigmoid().mean(dim=2).numpy() for member in tokens]
        np.testing.assert_allclose(found.gates[view], np.concatenate(gates, axis=1), atol=1e-5)


def test_the_token_that_tells_is_the_token_that_is_named():
    """A convolution's first token sees the first columns: what only these tell is in it."""
    data = np.random.default_rng(1).normal(size=(300, 24)).astype("float32")
    model = TANGO(views=[12, 12], max_epochs=40, random_state=0).fit(data, 50 + 5.0 * data[:, 1])
    size = {
        v: np.abs(told).mean(axis=0) for v, told in explain(model, data[:20]).tokens["y"].items()
    }
    assert size["x1"].argmax() == 0
    assert size["x1"][0] > 3 * max(size["x1"][1:].max(), size["x2"].max())


def test_tokens_of_a_sum_are_its_terms():
    """Where the answer is linear in the tokens, each token adds just its own term."""
    model = ConcatFusion(
        views=VIEWS, **TOKENS, view_hidden=(), hidden=(), head=0, max_epochs=5, random_state=0
    ).fit(X, TARGET[["age"]])
    found = explain(model, X[:3], n_steps=1)
    network = model.module_
    weight = network.heads.heads[0][1].weight[0].detach().unflatten(0, (2, 3, 8))
    with torch.inference_mode():
        here, away = (
            network.tokens(torch.from_numpy(rows)) for rows in (X[:3], X.mean(axis=0)[None])
        )
    for place, view in enumerate(model.views_):
        terms = ((here[place] - away[place]) * weight[place]).sum(dim=2).numpy()
        expected = terms * model._codec.scale_[0]
        np.testing.assert_allclose(found.tokens["age"][view], expected, atol=1e-4)


def test_more_steps_are_nearer_to_what_the_view_adds(tango):
    def error(n_steps):
        found = explain(tango, X[:3], n_steps=n_steps)
        sums = np.stack([tokens.sum(axis=1) for tokens in found.tokens["age"].values()], axis=1)
        return np.abs(sums - found.views["age"].to_numpy()).max()

    assert error(64) < error(2) / 4


def test_any_class_can_be_asked_for(tango):
    asked = explain(tango, X[:4], classes={"gender": "m"}, n_steps=2)
    assert asked.answers["gender"].tolist() == ["m"] * 4
    p = tango.predict_proba(X[:4])[0][:, 1]
    np.testing.assert_allclose(asked.probabilities["gender"], p, rtol=1e-5)
    np.testing.assert_allclose(asked.full["gender"], np.log10(p / (1 - p)), rtol=1e-3, atol=1e-4)
    other = explain(tango, X[:4], classes={"gender": "f"}, n_steps=2)
    # Of two classes, what speaks for one speaks as much against the other.
    np.testing.assert_allclose(asked.views["gender"], -other.views["gender"], atol=1e-6)
    np.testing.assert_allclose(
        asked.tokens["gender"]["x1"], -other.tokens["gender"]["x1"], atol=1e-5
    )


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"mood": "low"}, "names 'mood', but the model's tasks are gender, age"),
        (
            {"gender": "x"},
            "asks for 'x' of 'gender', which the model did not learn; it knows 2: 'f'",
        ),
        ({"age": 40.0}, "names 'age', which is a number"),
    ],
)
def test_what_the_model_does_not_know_is_refused(tango, classes, message):
    with pytest.raises(TargetError, match=message):
        explain(tango, X[:1], classes=classes)


def test_what_cannot_be_explained_is_refused(tango):
    with pytest.raises(ParameterError, match="PerTask cannot be explained by its views"):
        explain(PerTask().fit(X, TARGET), X)
    with pytest.raises(NotFittedError):
        explain(TANGO(), X)
    with pytest.raises(ParameterError, match="n_steps is -1"):
        explain(tango, X, n_steps=-1)
    many = ConcatFusion(views=[2] * 7, **TOKENS, max_epochs=1).fit(X[:, :14], TARGET)
    with pytest.raises(ViewError, match=r"7 views, of which 128 sets .* at most 6"):
        explain(many, X[:1, :14])
    with pytest.raises(ValueError, match="features"):
        explain(tango, X[:, :5])


def test_pipelines_and_searches_are_gone_through():
    pipe = make_pipeline(StandardScaler(), ConcatFusion(views=VIEWS, **TOKENS, max_epochs=2))
    cv = TargetStratifiedKFold(2, on="gender")
    search = GridSearchCV(pipe, {"concatfusion__random_state": [0]}, cv=cv).fit(X, TARGET)
    best = search.best_estimator_
    expected = explain(best[-1], best[0].transform(X[:2]), n_steps=2)
    for model in (best, search):
        found = explain(model, X[:2], n_steps=2)
        np.testing.assert_array_equal(found.views["age"], expected.views["age"])


def test_frames_keep_their_index_and_the_names_of_their_views(table):
    frame, y = table
    model = ConcatFusion(**TOKENS, max_epochs=2, random_state=0).fit(frame, y)
    found = explain(model, frame.iloc[10:12], n_steps=2)
    assert found.answers.index.tolist() == [10, 11]
    assert found.views["speaker"].columns.tolist() == ["first", "second"]
    assert list(found.tasks) == ["speaker", "emotion", "gender", "age"]
    assert found.tokens["emotion"]["second"].shape == (2, 3)


def test_plain_arrays_and_a_task_of_one_class():
    flat = SingleView(**TOKENS, max_epochs=2, random_state=0).fit(X, (X[:, 0] > 0).astype(int))
    found = explain(flat, X[:2], classes={"y": 1}, n_steps=0)
    assert found.answers["y"].tolist() == [1, 1]
    one = TARGET.assign(gender="f")
    model = ConcatFusion(views=VIEWS, **TOKENS, max_epochs=1, random_state=0).fit(X, one)
    found = explain(model, X[:2], n_steps=2)
    assert (found.full["gender"] == 0).all()
    assert (found.views["gender"].to_numpy() == 0).all()
    assert (found.tokens["gender"]["x1"] == 0).all()


def test_odds_of_a_model_that_is_sure_stay_finite():
    model = SingleView(**TOKENS, max_epochs=1, random_state=0).fit(X, TARGET)
    with torch.no_grad():
        model.module_.heads.heads[0][1].weight *= 1e4
    found = explain(model, X[:20])
    assert found.full["gender"].abs().max() > 20  # the probability is 1 in float64
    assert np.isfinite(found.tokens["gender"]["x1"]).all()


@given(
    n_players=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
    tasks=st.sampled_from([(), (1,), (3,)]),
)
def test_shapley_is_the_mean_over_all_orders(n_players, seed, tasks):
    values = np.random.default_rng(seed).normal(size=(2**n_players, *tasks))
    found = shapley_values(values)
    expected = np.zeros((n_players, *tasks))
    for order in itertools.permutations(range(n_players)):
        present = 0
        for player in order:
            gain = values[present | 1 << player] - values[present]
            expected[player] += gain / math.factorial(n_players)
            present |= 1 << player
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=0), values[-1] - values[0], atol=1e-12)


@settings(max_examples=20)
@given(row=st.integers(0, 239), other=st.integers(0, 239))
def test_adding_up_holds_for_any_recording_and_reference(row, other):
    found = explain(SURE, X[row : row + 1], reference=X[other])
    for task in ("gender", "age"):
        tokens = sum(told.sum() for told in found.tokens[task].values())
        gained = (found.full[task] - found.empty[task]).iloc[0]
        assert found.views[task].to_numpy().sum() == pytest.approx(gained, abs=1e-6)
        size = max(1e-3, *(np.abs(told).sum() for told in found.tokens[task].values()))
        assert tokens == pytest.approx(gained, abs=0.05 * size)


@pytest.mark.parametrize("n_members", [1, 2])
def test_what_goes_through_the_plan_counts_even_where_training_stopped_it(n_members):
    options = TOKENS | {"views": VIEWS, "max_epochs": 5, "random_state": 0, "reg": 0.02}
    stopped = TANGO(grad="detach", n_members=n_members, **options).fit(X, TARGET)
    passing = copy.deepcopy(stopped)
    for member in passing._members():
        member.fusion.grad = "implicit"
    one, other = (explain(model, X[:1], n_steps=4) for model in (stopped, passing))
    for view, tokens in one.tokens["age"].items():
        np.testing.assert_array_equal(tokens, other.tokens["age"][view])


def test_a_model_from_disk_is_explained_alike(tango, tmp_path):
    save_model(tango, tmp_path / "tango.safetensors")
    found = explain(read_model(tmp_path / "tango.safetensors"), X[:2], n_steps=2)
    expected = explain(tango, X[:2], n_steps=2)
    pd.testing.assert_frame_equal(found.views["age"], expected.views["age"])
    np.testing.assert_array_equal(found.tokens["gender"]["x2"], expected.tokens["gender"]["x2"])


def test_an_ensemble_is_explained_as_it_answers_not_member_by_member():
    model = fitted("distribution, members")
    found = explain(model, X[:2], n_steps=0)
    outputs = [
        [output.double() for output in member(torch.from_numpy(X[:2]))]
        for member in model.module_.members
    ]
    p = torch.stack([given[0].softmax(dim=1) for given in outputs]).mean(dim=0)
    p = p.max(dim=1).values.detach().numpy()
    np.testing.assert_allclose(found.full["gender"], np.log10(p / (1 - p)), atol=1e-4)


def test_members_alike_share_what_one_alone_would_have():
    model = fitted("tokens")
    network = frozen_copy(model.module_)
    measures = [lambda outputs: outputs.double()[:, 0]] * 2
    x, mean = torch.from_numpy(X[:1]), network.center[None]
    alone = attribute(network, x, mean, measures, 8)
    pair = fitted("barycentric, members").module_
    twins = frozen_copy(type(pair)([copy.deepcopy(network) for _ in range(2)], [False, False]))
    both = attribute(twins, x, mean, measures, 8)
    np.testing.assert_allclose(both.of_sets, alone.of_sets, atol=1e-5)
    for one, two in zip(alone.tokens, both.tokens, strict=True):
        np.testing.assert_allclose(two, np.tile(one / 2, 2), atol=1e-5)


SURE = fitted("concat of tokens")
