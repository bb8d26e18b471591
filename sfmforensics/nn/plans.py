"""The gates and transport plans of a trained network, and how sharp the plans are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from typing import Any

    from sfmforensics.nn.ensemble import Ensemble
    from sfmforensics.nn.network import MultiViewNetwork


def network_plans(network: MultiViewNetwork | Ensemble, X: torch.Tensor) -> list[torch.Tensor]:
    """Transport plans of a network for some inputs, as in prediction.

    Parameters
    ----------
    network : MultiViewNetwork or Ensemble
        With transport.
    X : Tensor of shape (n_samples, n_features)
        Inputs.

    Returns
    -------
    list of Tensor of shape (n_samples, L1, L2), of an ensemble (n_samples, n_members, L1, L2)
        One for each pair of views.
    """
    asked: Any = network
    if hasattr(network, "members"):
        of_members = [network_plans(member, X) for member in asked.members]
        return [torch.stack(plans, dim=1) for plans in zip(*of_members, strict=True)]
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            return asked.fusion.plans(asked.fusion.gate(asked.tokens(X)))
    finally:
        network.train(training)


def network_gates(network: MultiViewNetwork | Ensemble, X: torch.Tensor) -> list[torch.Tensor]:
    """How far the gates of a network in evaluation mode are open for some inputs.

    Parameters
    ----------
    network : MultiViewNetwork or Ensemble
        Of any fusion.
    X : Tensor of shape (n_samples, n_features)
        Inputs.

    Returns
    -------
    list of Tensor of shape (n_samples, L)
        By view, the mean of sigmoid(x) over the entries of each token, in (0, 1); empty if the
        network has no gates. Of an ensemble the tokens of its members follow one another.
    """
    asked: Any = network
    if hasattr(network, "members"):
        of_members = [network_gates(member, X) for member in asked.members]
        return [torch.cat(gates, dim=1) for gates in zip(*of_members, strict=True)]
    if not getattr(asked.fusion, "gated", False):
        return []
    with torch.inference_mode():
        return [tokens.sigmoid().mean(dim=2) for tokens in asked.tokens(X)]


def plan_entropy(network: MultiViewNetwork | Ensemble, X: torch.Tensor) -> float:
    """Mean entropy of the plans over that of uniform plans.

    Parameters
    ----------
    network : MultiViewNetwork or Ensemble
        With transport.
    X : Tensor of shape (n_samples, n_features)
        Inputs.

    Returns
    -------
    float
        Of an ensemble the mean over its members. 1 for plans that choose nothing; a one-to-one plan
        between n tokens has 0.5.
    """
    ratios = []
    for plan in network_plans(network, X):
        plan = plan / plan.sum(dim=(-2, -1), keepdim=True)  # a partial plan moves less than 1
        entropy = -(plan * plan.clamp_min(1e-30).log()).sum(dim=(-2, -1))
        most = torch.log(torch.tensor(float(plan.shape[-2] * plan.shape[-1])))
        ratios.append((entropy / most.clamp_min(1e-12)).mean())
    return float(torch.stack(ratios).mean())
