"""How the tokens of several views become one vector: side by side, or by optimal transport."""

from __future__ import annotations

import os
from itertools import combinations

import torch
from torch import nn
from torch.nn import functional as F

DIRECTIONS = ("both", "x1->x2", "x2->x1")
_SAFE_REG = 0.05
"""From here on exp(-cost / reg) is at least 2e-9 for costs in [0, 1]: no need of logarithms, which
take twice as long."""


def transport_cost(x1, x2):
    """Pairwise distances between the tokens of two views, over their maximum.

    Parameters
    ----------
    x1 : Tensor of shape (batch, L1, dim)
        Tokens of view 1.
    x2 : Tensor of shape (batch, L2, dim)
        Tokens of view 2.

    Returns
    -------
    Tensor of shape (batch, L1, L2)
        In [0, 1], each recording by its own maximum.

    References
    ----------
    .. [1] The paper, equation 3.

    Examples
    --------
    >>> import torch
    >>> x1, x2 = torch.tensor([[[0.0], [3.0]]]), torch.tensor([[[0.0], [1.0]]])
    >>> transport_cost(x1, x2)
    tensor([[[0.0000, 0.3333],
             [1.0000, 0.6667]]])
    """
    # Distances by matrix products lose all digits where two tokens nearly coincide.
    distance = torch.cdist(x1, x2, compute_mode="donot_use_mm_for_euclid_dist")
    largest = distance.amax(dim=(1, 2), keepdim=True)
    return distance / largest.clamp_min(torch.finfo(distance.dtype).tiny)


def transport_plan(cost, reg=0.1, max_iter="auto", grad="autodiff"):
    """Entropic optimal transport between uniformly weighted tokens, for a batch of recordings.

    Parameters
    ----------
    cost : Tensor of shape (batch, L1, L2)
        In [0, 1], as `transport_cost` gives it.
    reg : float, default=0.1
        Strength of the entropy, in units of the largest distance. The smaller, the sharper the
        plan, and the more iterations it takes.
    max_iter : int or "auto", default="auto"
        Sinkhorn iterations; "auto" is 2 / reg, at least 20 and at most 1000. All are done: a test
        of convergence over the batch would make a recording's plan depend on its neighbours.
    grad : {"autodiff", "last_step", "detach"}, default="autodiff"
        How gradients pass: through all iterations, through the last, or not.

    Returns
    -------
    Tensor of shape (batch, L1, L2)
        Plans gamma. Rows sum to 1 / L1 and columns to 1 / L2: what `max_iter` leaves of their
        error is rounded away, as a constant through which no gradient passes.

    References
    ----------
    .. [1] The paper, section 4.1.
    .. [2] M. Cuturi, "Sinkhorn distances", NeurIPS 2013; ``ot.batch.solve_batch`` of POT.
    .. [3] J. Altschuler, J. Weed and P. Rigollet, "Near-linear time approximation algorithms for
       optimal transport via Sinkhorn iteration", NeurIPS 2017, algorithm 2: the rounding.

    Examples
    --------
    >>> import torch
    >>> plan = transport_plan(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]))
    >>> plan.round(decimals=2)
    tensor([[[0.5000, 0.0000],
             [0.0000, 0.5000]]])
    """
    if max_iter == "auto":
        max_iter = min(max(20, round(2 / reg)), 1000)
    solve_batch, options = _ot_batch().solve_batch, {"reg": reg, "max_iter": max_iter, "tol": 0.0}
    if reg < _SAFE_REG:
        return _rounded(solve_batch(cost, method="log_sinkhorn", grad=grad, **options).plan)
    rows, columns = solve_batch(cost, method="sinkhorn", grad=grad, **options).potentials
    # POT's plan is that of every tenth iteration; its potentials are those of the last.
    kernel = torch.exp(-(cost.detach() if grad == "detach" else cost) / reg)
    return _rounded(rows[:, :, None] * kernel * columns[:, None, :])


def _rounded(plan):
    """Give plans their marginals: scale down what is too much, and spread what is missing."""
    with torch.no_grad():
        _, length1, length2 = plan.shape
        rows = (1 / length1 / plan.sum(dim=2, keepdim=True)).clamp_max(1)
        columns = (1 / length2 / (plan * rows).sum(dim=1, keepdim=True)).clamp_max(1)
        scale = rows * columns
        kept = plan * scale
        lacking1 = (1 / length1 - kept.sum(dim=2, keepdim=True)).clamp_min(0)
        lacking2 = (1 / length2 - kept.sum(dim=1, keepdim=True)).clamp_min(0)
        tiny = torch.finfo(plan.dtype).tiny
        spread = lacking1 @ (lacking2 / lacking2.sum(dim=2, keepdim=True).clamp_min(tiny))
    return plan * scale + spread


class Concatenation(nn.Module):
    """Tokens of all views, side by side.

    Parameters
    ----------
    shapes : sequence of (int, int)
        (tokens, dimension) of each view.

    Attributes
    ----------
    width : int
        Length of the vector that comes out.
    """

    def __init__(self, shapes):
        super().__init__()
        self.width = sum(length * dim for length, dim in shapes)

    def forward(self, views):
        """List of (batch, L, dim) -> (batch, width)."""
        return torch.cat([view.flatten(1) for view in views], dim=1)


class GatedTransport(nn.Module):
    """Gate each view, transport each pair of views onto one another, join all.

    Parameters
    ----------
    shapes : sequence of (int, int)
        (tokens, dimension) of each view; the dimensions are equal.
    direction : {"both", "x1->x2", "x2->x1"}, default="both"
        Which transported tokens are used: those of the earlier view on the later ("x1->x2",
        equation 2), of the later on the earlier ("x2->x1", equation 1), or both.
    reg, max_iter, grad : see `transport_plan`
    transport : {"plan", "barycentric"}, default="plan"
        "plan" multiplies by gamma, as the equations say; "barycentric" by gamma over its
        marginals, so that transported tokens are averages, of the size of the tokens themselves.
    gated : bool, default=True
        Whether tokens pass x * sigmoid(x) first.
    transport_weight : float, default=0.0
        Weight of the alignment term in training.

    Attributes
    ----------
    width : int
        Length of the vector that comes out.
    penalty : Tensor or float
        `transport_weight` times the transport cost <gamma, M> of the last batch in training, mean
        over recordings and pairs; it pulls views together that the tasks alone need not align.
    pairs : list of (int, int)
        The pairs of views that are transported.

    Notes
    -----
    Each view is joined with what was transported to it, and the views so enriched are joined
    (paper, section 4.1, Figure 2b). Three and more views are taken pair by pair.
    """

    def __init__(
        self,
        shapes,
        direction="both",
        reg=0.1,
        max_iter="auto",
        grad="autodiff",
        transport="plan",
        gated=True,
        transport_weight=0.0,
    ):
        super().__init__()
        self.transport_weight, self.penalty = transport_weight, 0.0
        self.direction, self.transport, self.gated = direction, transport, gated
        self.reg, self.max_iter, self.grad = reg, max_iter, grad
        self.pairs = list(combinations(range(len(shapes)), 2))
        self.width = sum(length * dim for length, dim in shapes)
        for first, second in self.pairs:
            (length1, dim1), (length2, dim2) = shapes[first], shapes[second]
            self.width += length1 * dim2 * (direction != "x1->x2")
            self.width += length2 * dim1 * (direction != "x2->x1")

    def gate(self, views):
        """List of (batch, L, dim) -> the same, each x * sigmoid(x) (paper, section 4.1)."""
        return [F.silu(view) for view in views] if self.gated else list(views)

    def plans(self, views):
        """Plans between gated views: a list of (batch, L1, L2), one for each of `pairs`."""
        return [self._plan(cost) for cost in self._costs(views)]

    def _costs(self, views):
        return [transport_cost(views[first], views[second]) for first, second in self.pairs]

    def _plan(self, cost):
        return transport_plan(cost, self.reg, self.max_iter, self.grad)

    def forward(self, views):
        """List of (batch, L, dim) -> (batch, width)."""
        views = self.gate(views)
        enriched = [[view.flatten(1)] for view in views]
        costs = self._costs(views)
        plans = [self._plan(cost) for cost in costs]
        if self.training and self.transport_weight:
            moved = [(plan * cost).sum(dim=(1, 2)) for plan, cost in zip(plans, costs, strict=True)]
            self.penalty = self.transport_weight * torch.stack(moved).mean()
        for (first, second), plan in zip(self.pairs, plans, strict=True):
            _, length1, length2 = plan.shape
            scale1, scale2 = (length1, length2) if self.transport == "barycentric" else (1, 1)
            if self.direction != "x1->x2":
                enriched[first].append((plan @ views[second] * scale1).flatten(1))
            if self.direction != "x2->x1":
                enriched[second].append((plan.mT @ views[first] * scale2).flatten(1))
        return torch.cat([torch.cat(parts, dim=1) for parts in enriched], dim=1)


def _ot_batch():
    """POT's batch solver, imported without the other array libraries that POT looks for."""
    unwanted = [f"POT_BACKEND_DISABLE_{name}" for name in ("TENSORFLOW", "JAX", "CUPY")]
    added = [name for name in unwanted if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        import ot.batch
    finally:
        for name in added:
            del os.environ[name]
    return ot.batch
