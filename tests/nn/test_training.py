import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from sfmforensics.exceptions import TrainingError
from sfmforensics.nn.losses import MultiTaskLoss
from sfmforensics.nn.network import MultiViewNetwork, network_plans, plan_entropy
from sfmforensics.nn.runtime import one_thread, seeded
from sfmforensics.nn.training import train


def problem(fusion="transport", **options):
    with seeded(0):
        network = MultiViewNetwork(
            [np.arange(6), np.arange(6, 14)], [2], fusion, encoder="tokens", **options
        )
        X = torch.randn(80, 14)
    y = (X[:, [0]] > 0).float()
    return network, MultiTaskLoss(["classification"]), X, y


def test_the_loss_goes_down_and_every_epoch_is_recorded():
    network, loss, X, y = problem()
    with seeded(1):
        history = train(network, loss, (X, y), max_epochs=8)
    assert [row["epoch"] for row in history] == list(range(1, 9))
    assert history[-1]["train_loss"] < history[0]["train_loss"] / 2
    assert all(0 <= row["plan_entropy"] <= 1 for row in history)
    assert not network.training


def test_concatenation_has_no_plan_to_watch():
    network, loss, X, y = problem("concatenation")
    assert "plan_entropy" not in train(network, loss, (X, y), max_epochs=1)[0]


def test_uniform_plans_have_entropy_1_and_sharp_plans_less():
    network, _, X, _ = problem(transport={"reg": 100.0})
    assert plan_entropy(network, X) == pytest.approx(1, abs=1e-3)
    network, _, X, _ = problem(transport={"reg": 0.01})
    assert plan_entropy(network, X) < 0.9


def test_the_entropy_of_a_partial_plan_is_that_of_what_it_moves():
    network, _, X, _ = problem(transport={"reg": 100.0, "mass": 0.5})
    assert plan_entropy(network, X) == pytest.approx(1, abs=1e-3)


def test_plans_are_taken_as_in_prediction_and_the_mode_is_kept():
    network, _, X, _ = problem(dropout=0.5, input_noise=1.0)
    network.train()
    first, second = network_plans(network, X)[0], network_plans(network, X)[0]
    assert torch.equal(first, second)
    assert network.training


def test_weight_decay_and_schedule_reach_the_optimiser():
    results = []
    for options in ({}, {"weight_decay": 0.5}, {"schedule": "onecycle"}):
        network, loss, X, y = problem()
        with seeded(1):
            train(network, loss, (X, y), max_epochs=2, **options)
        results.append(next(network.parameters()).detach().clone())
    assert not torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_a_loss_that_is_not_finite_stops_training_with_advice():
    network, loss, X, y = problem()
    with pytest.raises(TrainingError, match="lower learning_rate"):
        train(network, loss, (X * 1e30, y), max_epochs=3)


def test_ctrl_c_is_not_taken_for_the_end_of_training():
    class Interrupting(nn.Module):
        def forward(self, outputs, targets, weights):
            raise KeyboardInterrupt

    network, _, X, y = problem()
    with pytest.raises(KeyboardInterrupt):
        train(network, Interrupting(), (X, y))


def test_seeded_draws_the_same_and_leaves_the_generator_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    draws = []
    for _ in range(2):
        with seeded(3):
            draws.append(torch.rand(4))
    assert torch.equal(*draws)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_one_thread_gives_the_threads_back_even_after_an_error():
    threads = torch.get_num_threads()
    with pytest.raises(RuntimeError), one_thread():
        raise RuntimeError(torch.get_num_threads())
    assert torch.get_num_threads() == threads


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed"
)
def test_a_model_can_be_trained_where_tensorflow_was_loaded_first():
    code = (
        "import tensorflow, numpy as np; from sfmforensics import TANGO;"
        "TANGO(max_epochs=1).fit(np.eye(8, 6), list('abababab')); print('trained')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "trained", done.stderr[-500:]
