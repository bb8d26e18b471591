import subprocess
import sys

import numpy as np
import ot
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sfmforensics.nn import transport as transport_module
from sfmforensics.nn.fusion import Concatenation, GatedTransport
from sfmforensics.nn.transport import transport_cost, transport_plan


def tokens(batch, length, dim=8, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, length, dim, generator=generator, dtype=dtype)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_cost_is_the_distance_over_its_maximum(batch, length1, length2, seed):
    x1, x2 = tokens(batch, length1, seed=seed), tokens(batch, length2, seed=seed + 1)
    cost = transport_cost(x1, x2)
    assert cost.min() >= 0
    assert cost.max() <= 1
    for row in range(batch):
        distances = ot.dist(x1[row].numpy(), x2[row].numpy(), metric="euclidean")
        np.testing.assert_allclose(cost[row], distances / distances.max(), atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_marginals_of_the_plan_are_uniform(batch, length1, length2, seed):
    cost = transport_cost(tokens(batch, length1, 64, seed), tokens(batch, length2, 64, seed + 1))
    plan = transport_plan(cost)
    np.testing.assert_allclose(plan.sum(dim=2), 1 / length1, atol=1e-4)
    np.testing.assert_allclose(plan.sum(dim=1), 1 / length2, atol=1e-4)
    assert (plan >= 0).all()


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12)),
        elements=st.floats(0, 1, width=32) | st.sampled_from([0.0, 1.0]),
    ),
    st.sampled_from([0.5, 0.1, 0.02, 0.003]),
    st.sampled_from([1, 5, "auto"]),
)
def test_marginals_are_uniform_for_any_cost_and_number_of_iterations(cost, reg, max_iter):
    plan = transport_plan(torch.from_numpy(cost), reg, max_iter)
    _, length1, length2 = plan.shape
    np.testing.assert_allclose(plan.sum(dim=2), 1 / length1, atol=1e-6)
    np.testing.assert_allclose(plan.sum(dim=1), 1 / length2, atol=1e-6)
    assert (plan >= 0).all()


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.floats(0.05, 1),
    st.sampled_from([0.5, 0.1, 0.02]),
    st.integers(0, 99),
)
def test_a_partial_plan_moves_its_mass_and_never_more_than_a_token_has(n1, n2, mass, reg, seed):
    cost = transport_cost(tokens(2, n1, 64, seed), tokens(2, n2, 64, seed + 1))
    plan = transport_plan(cost, reg, mass=mass)
    np.testing.assert_allclose(plan.sum(dim=(1, 2)), mass, atol=1e-4)
    assert (plan.sum(dim=2) <= 1 / n1 + 1e-6).all()
    assert (plan.sum(dim=1) <= 1 / n2 + 1e-6).all()
    assert (plan >= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("mass", [0.9, 0.3, 0.1, 0.05])
@pytest.mark.parametrize("reg", [0.2, 0.1, 0.02])
def test_the_automatic_number_of_iterations_is_enough(mass, reg):
    cost = transport_cost(tokens(8, 8, 64), tokens(8, 8, 64, seed=1)).double()
    error = transport_plan(cost, reg, mass=mass) - transport_plan(cost, reg, 20000, mass=mass)
    assert error.abs().sum(dim=(1, 2)).max() < 0.02 * mass


def misplaced(cost, reg, mass):
    """Shares of the mass that the rounding of plans has to move."""
    seen = []

    def spy(plan, weights1, weights2):
        seen.append((plan.sum(dim=2) - weights1).abs().sum(dim=1) / mass)
        return rounded(plan, weights1, weights2)

    with pytest.MonkeyPatch.context() as patch:
        rounded = transport_module._rounded
        patch.setattr(transport_module, "_rounded", spy)
        transport_plan(cost, reg, mass=mass)
    return seen[0]


@settings(max_examples=25, deadline=None)
@given(
    hnp.arrays(np.float32, (2, 6, 5), elements=st.floats(0, 1, width=32) | st.just(0.0)),
    st.sampled_from([0.1, 0.05, 0.02, 0.005]),
    st.sampled_from([1.0, 0.5]),
)
def test_no_more_than_a_thousandth_is_rounded_away_whatever_reg_is(cost, reg, mass):
    assert misplaced(torch.from_numpy(cost), reg, mass).max() <= 1.001e-3


@pytest.mark.parametrize("reg", [0.1, 0.02, 0.005])
def test_plans_that_take_longer_do_not_change_their_neighbours(reg):
    generator = torch.Generator().manual_seed(2)
    hard = torch.rand(16, 8, 8, generator=generator)
    fixed = round(max(20, 2 / reg))
    enough = (misplaced(hard, reg, 1.0) <= 1e-3) & (
        (transport_plan(hard, reg, fixed) == transport_plan(hard, reg)).all(dim=2).all(dim=1)
    )
    assert 0 < enough.sum() < 16  # some need more iterations than others
    easy = torch.where(enough[:, None, None], hard, hard[enough][:1])
    torch.testing.assert_close(
        transport_plan(easy, reg)[enough], transport_plan(hard, reg)[enough], rtol=0, atol=0
    )


@pytest.mark.slow
@pytest.mark.parametrize("reg", [0.1, 0.04])
def test_gradients_of_plans_that_took_longer_are_those_of_the_optimum(reg):
    cost = torch.rand(8, 5, 5, generator=torch.Generator().manual_seed(5)).double()
    weights = tokens(8, 5, 5).double()
    found = {}
    for grad in ("implicit", "autodiff", "last_step"):
        leaf = cost.clone().requires_grad_()
        plan = transport_plan(leaf, reg, grad=grad)
        found[grad] = torch.autograd.grad((weights * plan).sum(), leaf)[0]
        assert found[grad].isfinite().all()
    exact = transport_plan(leaf := cost.clone().requires_grad_(), reg, 20_000)
    (expected,) = torch.autograd.grad((weights * exact).sum(), leaf)
    for grad in ("implicit", "autodiff"):
        assert (found[grad] - expected).norm() < 0.1 * expected.norm(), grad


@pytest.mark.parametrize("mass", [0.9, 0.5, 0.2, 0.1, 0.05])
def test_a_sharp_partial_plan_costs_what_pots_exact_one_costs(mass):
    cost = transport_cost(tokens(3, 7), tokens(3, 5, seed=1)).double()
    for row, plan in zip(cost, transport_plan(cost, 0.002, mass=mass), strict=True):
        exact = ot.partial.partial_wasserstein(
            np.full(7, 1 / 7), np.full(5, 1 / 5), row.numpy(), m=mass
        )
        assert float((plan * row).sum()) == pytest.approx((exact * row.numpy()).sum(), rel=2e-3)


def test_rounding_leaves_a_finished_plan_alone():
    cost = transport_cost(tokens(3, 8, 64), tokens(3, 5, 64, seed=1)).double()
    for row, plan in zip(cost, transport_plan(cost, max_iter=500), strict=True):
        finished = ot.sinkhorn([], [], row.numpy(), 0.1, stopThr=1e-14)
        np.testing.assert_allclose(plan, finished, atol=1e-10)


@pytest.mark.parametrize("reg", [0.1, 0.04])
def test_transported_tokens_equal_pot_recording_by_recording(reg):
    x1, x2 = tokens(4, 8, 64), tokens(4, 5, 64, seed=1)
    fusion = GatedTransport([(8, 64), (5, 64)], reg=reg, max_iter=500, gated=False)
    out = fusion([x1, x2]).numpy()
    for row in range(4):
        a, b = x1[row].double().numpy(), x2[row].double().numpy()
        distances = ot.dist(a, b, metric="euclidean")
        plan = ot.sinkhorn([], [], distances / distances.max(), reg, stopThr=1e-12)
        expected = [a, plan @ b, b, plan.T @ a]  # equations 1 and 2, joined view by view
        np.testing.assert_allclose(
            out[row], np.concatenate([e.ravel() for e in expected]), atol=1e-4
        )


def test_the_gate_is_x_times_sigmoid_of_x():
    x = tokens(1, 3)
    (gated,) = GatedTransport([(3, 8), (3, 8)]).gate([x])
    np.testing.assert_allclose(gated, x * torch.sigmoid(x), rtol=1e-6)


@pytest.mark.parametrize(
    ("direction", "width"),
    [
        ("both", 3 * 8 + 5 * 8 + 3 * 8 + 5 * 8),
        ("x2->x1", 3 * 8 + 5 * 8 + 3 * 8),
        ("x1->x2", 3 * 8 + 5 * 8 + 5 * 8),
    ],
)
def test_a_direction_alone_joins_only_its_own_transported_tokens(direction, width):
    views = [tokens(2, 3), tokens(2, 5, seed=1)]
    both = GatedTransport([(3, 8), (5, 8)])(views)
    fusion = GatedTransport([(3, 8), (5, 8)], direction=direction)
    out = fusion(views)
    assert out.shape == (2, width)
    assert fusion.width == width
    x1, to1, x2, to2 = both.split([24, 24, 40, 40], dim=1)
    parts = {"both": [x1, to1, x2, to2], "x2->x1": [x1, to1, x2], "x1->x2": [x1, x2, to2]}
    torch.testing.assert_close(out, torch.cat(parts[direction], dim=1))


def test_barycentric_transport_averages_tokens():
    same = torch.ones(1, 4, 8)
    fusion = GatedTransport([(4, 8), (4, 8)], transport="barycentric", gated=False)
    torch.testing.assert_close(fusion([same, same]), torch.ones(1, 4 * 4 * 8))


def test_three_views_are_taken_pair_by_pair():
    views = [tokens(2, n, seed=n) for n in (2, 3, 4)]
    fusion = GatedTransport([(2, 8), (3, 8), (4, 8)])
    assert fusion.pairs == [(0, 1), (0, 2), (1, 2)]
    assert fusion(views).shape == (2, fusion.width)
    assert fusion.width == 8 * (2 + 3 + 4) * 3


def test_the_alignment_term_is_the_mean_cost_of_transport_in_training():
    views = [tokens(4, n, seed=n).requires_grad_() for n in (2, 3, 5)]
    fusion = GatedTransport([(2, 8), (3, 8), (5, 8)], transport_weight=0.5, gated=False)
    out = fusion(views)
    costs = [transport_cost(views[a], views[b]) for a, b in fusion.pairs]
    moved = [(transport_plan(cost) * cost).sum(dim=(1, 2)).mean() for cost in costs]
    torch.testing.assert_close(fusion.penalty, 0.5 * sum(moved) / 3)
    fusion.penalty.backward()
    assert all(view.grad.abs().max() > 0 for view in views)
    plain = GatedTransport([(2, 8), (3, 8), (5, 8)], gated=False)
    torch.testing.assert_close(plain(views), out)
    assert plain.penalty == 0


def test_a_recording_does_not_depend_on_its_batch():
    views = [tokens(16, 8, 64), tokens(16, 6, 64, seed=1)]
    fusion = GatedTransport([(8, 64), (6, 64)])
    together = fusion(views)
    alone = torch.cat([fusion([view[[i]] for view in views]) for i in range(16)])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    "views",
    [
        [torch.ones(2, 3, 4), torch.ones(2, 3, 4)],
        [torch.zeros(2, 1, 4), torch.zeros(2, 1, 4)],
        [tokens(2, 1, 4), tokens(2, 70, 4, seed=1)],
        [tokens(2, 3, 4) * 1e4, tokens(2, 2, 4, seed=1) * 1e-4],
    ],
    ids=["identical", "one token at zero distance", "1 against 70", "far apart in size"],
)
@pytest.mark.parametrize("mass", [1.0, 0.5])
def test_values_and_gradients_are_finite_for_any_cost(views, mass):
    views = [view.clone().requires_grad_() for view in views]
    fusion = GatedTransport([tuple(view.shape[1:]) for view in views], mass=mass)
    out = fusion(views)
    out.pow(2).sum().backward()
    assert out.isfinite().all()
    assert all(view.grad.isfinite().all() for view in views)


def test_gradients_of_the_cost_equal_those_of_torch_and_none_explodes_where_tokens_coincide():
    x1, x2 = tokens(2, 6, 64).requires_grad_(), tokens(2, 4, 64, seed=1).requires_grad_()
    weights = torch.rand(2, 6, 4)
    ours = torch.autograd.grad((weights * transport_cost(x1, x2)).sum(), (x1, x2))
    distance = torch.cdist(x1, x2, compute_mode="donot_use_mm_for_euclid_dist")
    cost = distance / distance.amax(dim=(1, 2), keepdim=True)
    theirs = torch.autograd.grad((weights * cost).sum(), (x1, x2))
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-4, atol=1e-6)
    near = x1.detach() + 1e-6 * torch.randn(2, 6, 64)
    near.requires_grad_()
    transport_cost(x1, near).diagonal(dim1=1, dim2=2).sum().backward()
    largest = distance.max().item()
    assert near.grad.norm(dim=2).max() < 2 / (0.5 * largest)  # a distance has slope 1, no more


@pytest.mark.slow
@pytest.mark.parametrize("grad", ["implicit", "autodiff"])
@pytest.mark.parametrize(("reg", "mass"), [(0.1, 1.0), (0.04, 1.0), (0.1, 0.6)])
def test_gradients_equal_finite_differences(reg, mass, grad):
    fusion = GatedTransport([(3, 4), (2, 4)], reg=reg, max_iter=200, mass=mass, grad=grad)
    views = (
        tokens(2, 3, 4, dtype=torch.float64).requires_grad_(),
        tokens(2, 2, 4, seed=1, dtype=torch.float64).requires_grad_(),
    )
    assert torch.autograd.gradcheck(lambda a, b: fusion([a, b]), views, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from([0.3, 0.1, 0.05]),
    st.sampled_from([1.0, 0.7]),
    st.integers(0, 99),
)
def test_the_implicit_gradient_is_that_of_all_iterations(n1, n2, reg, mass, seed):
    cost = transport_cost(tokens(2, n1, seed=seed), tokens(2, n2, seed=seed + 1)).double()
    weights = tokens(2, n1, n2, seed=seed + 2).double()
    # They agree on plans that have converged; sharp ones may need more iterations than these.
    halfway, after = (transport_plan(cost, reg, n, "detach", mass) for n in (500, 1000))
    assume((halfway - after).abs().max() < 1e-8)
    gradients = []
    for grad in ("implicit", "autodiff"):
        cost = cost.detach().requires_grad_()
        plan = transport_plan(cost, reg, 1000, grad, mass)
        gradients.append(torch.autograd.grad((weights * plan).sum(), cost)[0])
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)
    quick = cost.detach().float().requires_grad_()
    plan = transport_plan(quick, reg, 1000, "implicit", mass)
    found = torch.autograd.grad((weights.float() * plan).sum(), quick)[0]
    torch.testing.assert_close(found.double(), gradients[0], rtol=1e-2, atol=1e-3)


def test_gradients_through_plans_that_are_permutations_are_finite():
    tokens_ = 10 * torch.eye(6).expand(2, 6, 6).clone()
    for permuted in (tokens_, tokens_[:, [3, 1, 2, 0, 5, 4]]):
        views = tokens_.clone().requires_grad_(), permuted.clone().requires_grad_()
        plan = transport_plan(transport_cost(*views), 0.01)
        assert plan.amax(dim=2).min() > 0.16
        (plan * tokens(2, 6, 6)).sum().backward()
        assert all(view.grad.isfinite().all() for view in views)


@pytest.mark.parametrize("reg", [0.1, 0.04])
@pytest.mark.parametrize("grad", ["autodiff", "last_step", "detach"])
def test_gradient_modes_change_gradients_alone(grad, reg):
    cost = transport_cost(tokens(2, 3), tokens(2, 4, seed=1)).requires_grad_()
    plan = transport_plan(cost, reg, grad=grad)
    torch.testing.assert_close(plan, transport_plan(cost.detach(), reg), atol=5e-6, rtol=1e-5)
    assert plan.requires_grad == (grad != "detach")


def test_a_smaller_reg_gives_a_sharper_plan():
    cost = transport_cost(tokens(4, 6), tokens(4, 6, seed=1))
    entropies = []
    for reg in (0.5, 0.1, 0.02):
        plan = transport_plan(cost, reg)
        entropies.append(float(-(plan * plan.clamp_min(1e-30).log()).sum()))
    assert entropies[0] > entropies[1] > entropies[2]


def test_concatenation_keeps_every_token():
    views = [tokens(2, 3), tokens(2, 5, seed=1)]
    fusion = Concatenation([(3, 8), (5, 8)])
    assert fusion.width == 64
    torch.testing.assert_close(
        fusion(views), torch.cat([views[0].flatten(1), views[1].flatten(1)], dim=1)
    )


@pytest.mark.slow
def test_transport_does_not_import_tensorflow():
    code = (
        "import sys, os, torch; from sfmforensics.nn.transport import transport_plan;"
        "before = dict(os.environ); transport_plan(torch.rand(1, 2, 2));"
        "assert 'tensorflow' not in sys.modules; assert dict(os.environ) == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
