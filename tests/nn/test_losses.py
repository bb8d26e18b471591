import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sfmforensics.nn.losses import MultiTaskLoss

KINDS = ["classification", "regression"]
NAN = float("nan")


def batch():
    generator = torch.Generator().manual_seed(0)
    outputs = [
        torch.randn(6, 3, generator=generator, requires_grad=True),
        torch.randn(6, 1, generator=generator, requires_grad=True),
    ]
    targets = torch.tensor([[0, 0.5], [1, -1], [2, 0], [0, 1], [1, 2], [2, -2]])
    return outputs, targets


def test_cross_entropy_and_rmse_are_summed_with_the_weights_of_the_paper():
    outputs, targets = batch()
    entropy = F.cross_entropy(outputs[0], targets[:, 0].long())
    rmse = ((outputs[1][:, 0] - targets[:, 1]) ** 2).mean().sqrt()
    loss = MultiTaskLoss(KINDS)(outputs, targets)
    assert loss.item() == pytest.approx(0.33 * (entropy + rmse).item(), rel=1e-5)


def test_two_classes_are_binary_cross_entropy():
    logits = torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    target = torch.tensor([0.0, 1, 1, 0, 1])
    loss = MultiTaskLoss(["classification"], 1.0)([logits], target[:, None])
    binary = F.binary_cross_entropy_with_logits(logits[:, 1] - logits[:, 0], target)
    assert loss.item() == pytest.approx(binary.item(), rel=1e-5)


@pytest.mark.parametrize("task", [0, 1])
@pytest.mark.parametrize("weighting", ["fixed", "uncertainty", "dwa"])
def test_a_missing_label_counts_as_if_the_recording_were_not_there(task, weighting):
    outputs, targets = batch()
    with_gaps = targets.clone()
    with_gaps[3:, task] = NAN
    loss = MultiTaskLoss(KINDS, weighting=weighting)
    expected = loss.by_task([o[:3] for o in outputs], targets[:3])[task]
    assert loss.by_task(outputs, with_gaps)[task].item() == pytest.approx(expected.item(), rel=1e-5)
    loss(outputs, with_gaps).backward()
    gradient = outputs[task].grad
    assert (gradient[3:] == 0).all()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("weighting", ["fixed", "uncertainty", "dwa"])
def test_a_batch_without_any_label_of_a_task_has_no_gradient_and_no_nan(weighting):
    outputs, targets = batch()
    targets[:, 0] = NAN
    criterion = MultiTaskLoss(KINDS, weighting=weighting)
    loss = criterion(outputs, targets)
    loss.backward()
    assert loss.isfinite()
    assert (outputs[0].grad == 0).all()
    if weighting == "uncertainty":
        assert criterion.log_variance.grad[0] == 0
        assert criterion.log_variance.grad[1] != 0
    assert outputs[1].grad.abs().sum() > 0


def test_a_perfect_answer_has_a_finite_gradient():
    output = torch.zeros(4, 1, requires_grad=True)
    MultiTaskLoss(["regression"])([output], torch.zeros(4, 1)).backward()
    assert output.grad.isfinite().all()


def test_weights_may_differ_by_task():
    outputs, targets = batch()
    loss = MultiTaskLoss(KINDS, [1.0, 0.0])
    assert loss(outputs, targets).item() == pytest.approx(
        loss.by_task(outputs, targets)[0].item(), rel=1e-6
    )


def test_uncertainty_weighting_learns_to_trust_the_quieter_task():
    rng = np.random.default_rng(0)
    outputs = [torch.zeros(200, 1), torch.zeros(200, 1)]
    targets = torch.tensor(rng.normal(size=(200, 2)) * [0.1, 5.0], dtype=torch.float32)
    loss = MultiTaskLoss(["regression", "regression"], 1.0, "uncertainty")
    optimiser = torch.optim.Adam(loss.parameters(), lr=0.1)
    for _ in range(200):
        optimiser.zero_grad()
        loss(outputs, targets).backward()
        optimiser.step()
    quiet, loud = loss.log_variance.tolist()
    assert quiet == pytest.approx(np.log(0.1), abs=0.2)
    assert loud == pytest.approx(np.log(5.0), abs=0.2)


def test_huber_is_linear_beyond_one_standard_deviation():
    outputs = [torch.tensor([[0.5], [3.0], [9.0]])]
    targets = torch.tensor([[0.0], [0.0], [NAN]])
    loss = MultiTaskLoss(["regression"], 1.0, regression="huber")(outputs, targets)
    assert loss.item() == pytest.approx((0.5 * 0.5**2 + (3.0 - 0.5)) / 2)


def test_dwa_raises_the_weight_of_tasks_that_learn_slowly():
    loss = MultiTaskLoss(["regression"] * 3, [1.0, 1.0, 2.0], weighting="dwa")
    epochs = [(2.0, 1.0, 4.0), (1.0, 0.9, 4.0)]  # the root of the mean squared error of each task
    for number, errors in enumerate(epochs):
        for size in (2, 3):
            targets = torch.zeros(size, 3)
            outputs = [torch.full((size, 1), error) for error in errors]
            total = loss(outputs, targets)
            if number == 0:
                assert total.item() == pytest.approx(2.0 + 1.0 + 2 * 4.0)
        loss(outputs, torch.full((3, 3), NAN))  # a batch without labels teaches nothing
        assert (loss.factors == 1).all()  # as in the first two epochs of the paper
        loss.end_epoch()
    speed = np.exp(np.array([0.5, 0.9, 1.0]) / 2)
    factors = 3 * speed / speed.sum()  # equation 7
    np.testing.assert_allclose(loss.factors, factors, rtol=1e-5)
    total = loss([torch.ones(1, 1)] * 3, torch.zeros(1, 3))
    assert total.item() == pytest.approx(float(factors @ [1.0, 1.0, 2.0]), rel=1e-5)
    # The gradient flows through the losses, not through their weights.
    assert not loss.factors.requires_grad


@pytest.mark.parametrize("weighting", ["fixed", "uncertainty"])
def test_other_weightings_do_not_change_with_the_epochs(weighting):
    outputs, targets = batch()
    loss = MultiTaskLoss(KINDS, weighting=weighting)
    before = loss(outputs, targets).item()
    loss.end_epoch()
    assert loss(outputs, targets).item() == before


def test_a_smoothed_number_is_learnt_as_a_normal_distribution_over_the_points():
    points, target = torch.tensor([-2.0, -1.0, 0.0, 0.5, 3.0]), torch.tensor([[-1.0], [0.4]])
    options = {"weights": 1.0, "regression": "distribution", "points": [points]}
    normal = torch.exp(-((points - target) ** 2) / (2 * 0.7**2))
    share = normal / normal.sum(dim=1, keepdim=True)
    logits = share.log().requires_grad_()
    loss = MultiTaskLoss(["regression"], **options, number_smoothing=0.7)
    loss([logits], target).backward()
    assert logits.grad.abs().max() < 1e-6  # nothing fits better
    sharp = MultiTaskLoss(["regression"], **options, number_smoothing=1e-3)
    expected = MultiTaskLoss(["regression"], **options)([logits[:1]], target[:1])
    assert sharp([logits[:1]], target[:1]).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 2.0, 3.0])])
def test_votes_have_the_mean_of_the_losses_of_their_labels(smoothing, weights):
    output = torch.randn(1, 3, generator=torch.Generator().manual_seed(0))
    options = {"label_smoothing": smoothing, "class_weights": [weights]}
    hard = MultiTaskLoss(["classification"], 1.0, **options)
    of_label = [hard([output], torch.tensor([[label]])).item() for label in (0.0, 1.0, 2.0)]
    soft = MultiTaskLoss(["classification"], 1.0, **options, shares={0: 1})
    loss = soft([output], torch.tensor([[0.0, 2 / 3, 1 / 3, 0.0]])).item()
    assert loss == pytest.approx(2 / 3 * of_label[0] + 1 / 3 * of_label[1], rel=1e-6)
    one = soft([output], torch.tensor([[2.0, 0.0, 0.0, 1.0]])).item()
    assert one == pytest.approx(of_label[2], rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_votes_are_smoothed_as_torch_smooths_probabilities(smoothing):
    generator = torch.Generator().manual_seed(1)
    output, shares = torch.randn(5, 4, generator=generator), torch.rand(5, 4, generator=generator)
    shares = shares / shares.sum(dim=1, keepdim=True)
    loss = MultiTaskLoss(["classification"], 1.0, label_smoothing=smoothing, shares={0: 1})
    ours = loss([output], torch.cat([torch.zeros(5, 1), shares], dim=1))
    theirs = F.cross_entropy(output, shares, label_smoothing=smoothing)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)


@pytest.mark.parametrize("weighting", ["fixed", "uncertainty", "dwa"])
def test_a_missing_label_among_votes_counts_as_if_it_were_not_there(weighting):
    outputs, targets = batch()
    shares = torch.full((6, 3), NAN)
    shares[:4] = torch.tensor([0.5, 0.25, 0.25])
    targets[4:, 0] = NAN
    loss = MultiTaskLoss(KINDS, weighting=weighting, shares={0: 2})
    voted = torch.cat([targets, shares], dim=1)
    expected = loss.by_task([o[:4] for o in outputs], voted[:4])[0]
    assert loss.by_task(outputs, voted)[0].item() == pytest.approx(expected.item(), rel=1e-6)
    weight = torch.tensor([1.0, 2.0, 1.0, 1.0, 5.0, 5.0])
    total = loss(outputs, voted, weight)
    total.backward()
    assert total.isfinite()
    assert (outputs[0].grad[4:] == 0).all()
    loss.end_epoch()
