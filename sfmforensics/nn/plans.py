"""The transport plans of a trained network, and how sharp they are."""

from __future__ import annotations

import torch


def network_plans(network, X):
    """Transport plans of a network for some inputs, as in prediction.

    Parameters
    ----------
    network : MultiViewNetwork
        With transport.
    X : Tensor of shape (n_samples, n_features)
        Inputs.

    Returns
    -------
    list of Tensor of shape (n_samples, L1, L2)
        One for each pair of views.
    """
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            return network.fusion.plans(network.fusion.gate(network.tokens(X)))
    finally:
        network.train(training)


def plan_entropy(network, X):
    """Mean entropy of the plans over that of uniform plans.

    Parameters
    ----------
    network : MultiViewNetwork
        With transport.
    X : Tensor of shape (n_samples, n_features)
        Inputs.

    Returns
    -------
    float
        1 for plans that choose nothing; a one-to-one plan between n tokens has 0.5.
    """
    ratios = []
    for plan in network_plans(network, X):
        plan = plan / plan.sum(dim=(1, 2), keepdim=True)  # a partial plan moves less than 1
        entropy = -(plan * plan.clamp_min(1e-30).log()).sum(dim=(1, 2))
        most = torch.log(torch.tensor(float(plan.shape[1] * plan.shape[2])))
        ratios.append((entropy / most.clamp_min(1e-12)).mean())
    return float(torch.stack(ratios).mean())
