"""Optimal transport between the tokens of two views: its cost and its plan, for a batch."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

if TYPE_CHECKING:
    from typing import Any

    from sfmforensics._types import Epochs, Gradient

_SAFE_REG = 0.05
"""From here on exp(-cost / reg) is at least 2e-9 for costs in [0, 1]: no need of logarithms, which
take twice as long."""
_FORBIDDEN = 100.0
"""Cost, in units of reg, of what no plan may do: exp(-100) is nothing to float32."""
_SAME = 1e-14
"""Squared distance, over the squared size of the tokens, up to which they are the same."""
_HOLDS = 1e-3
"""Share of the mass that may lie in the wrong rows before it is rounded away."""
_MOST = 20_000
"""Iterations after which a plan that does not hold yet is taken as it is. Errors fall as fast as
their number grows, or faster, whatever `reg` is: 4,000 were enough for all that was tried."""


def transport_cost(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
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
    distance = _Distance.apply(x1, x2)
    largest = distance.amax(dim=(1, 2), keepdim=True)
    return distance / largest.clamp_min(torch.finfo(distance.dtype).tiny)


class _Distance(torch.autograd.Function):
    """Euclidean distances by matrix products, four times as fast as `torch.cdist` without them.

    The products are of float64, so that no digit of float32 is lost where tokens nearly coincide.
    The gradient is a product as well; where tokens coincide it is 0.
    """

    @staticmethod
    def forward(ctx: Any, x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
        if x1.device.type == "mps":  # which has no float64
            distance = torch.cdist(x1, x2, compute_mode="donot_use_mm_for_euclid_dist")
        else:
            a, b = x1.double(), x2.double()
            size = a.square().sum(2)[:, :, None] + b.square().sum(2)[:, None, :]
            squared = torch.baddbmm(size, a, b.mT, alpha=-2)
            squared.masked_fill_(squared <= _SAME * size, 0)
            distance = squared.sqrt_().to(x1.dtype)
        ctx.save_for_backward(x1, x2, distance)
        return distance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x1, x2, distance = ctx.saved_tensors
        pull = torch.where(distance > 0, gradient / distance, 0)
        return (
            pull.sum(dim=2, keepdim=True) * x1 - pull @ x2,
            pull.sum(dim=1)[:, :, None] * x2 - pull.mT @ x1,
        )


def transport_plan(
    cost: torch.Tensor,
    reg: float = 0.1,
    max_iter: Epochs = "auto",
    grad: Gradient = "implicit",
    mass: float = 1.0,
) -> torch.Tensor:
    """Entropic optimal transport between uniformly weighted tokens, for a batch of recordings.

    Parameters
    ----------
    cost : Tensor of shape (batch, L1, L2)
        In [0, 1], as `transport_cost` gives it.
    reg : float, default=0.1
        Strength of the entropy, in units of the largest distance. The smaller, the sharper the
        plan, and the more iterations it takes.
    max_iter : int or "auto", default="auto"
        Sinkhorn iterations. A number of them is done, however the plans are then. "auto" is 2 /
        reg, at least 20 and at most 1000, with a `mass` below 0.4 as many times more as that is
        smaller, and as many again, for each recording by itself, until less than a thousandth of
        its mass is in the wrong place: a test over the batch would make a recording's plan depend
        on its neighbours.
    grad : {"implicit", "autodiff", "last_step", "detach"}, default="implicit"
        How gradients pass: by what a small change of the cost does to the plan, which takes one
        linear system and no memory of the iterations; through all iterations; through the last;
        or not. The first two agree once the iterations have converged.
    mass : float, default=1.0
        Share that is transported, in [0.05, 1]. Below 1 transport is unbalanced (partial): what
        matches badly stays where it is.

    Returns
    -------
    Tensor of shape (batch, L1, L2)
        Plans gamma. Rows sum to 1 / L1 and columns to 1 / L2, with less `mass` to at most that,
        and all to `mass`: what `max_iter` leaves of their error is rounded away, as a constant
        through which no gradient passes.

    References
    ----------
    .. [1] The paper, section 4.1.
    .. [2] M. Cuturi, "Sinkhorn distances", NeurIPS 2013; ``bregman_projection_batch`` and
       ``bregman_log_projection_batch`` of POT's ``ot.batch``, which ``solve_batch`` calls.
    .. [3] J. Altschuler, J. Weed and P. Rigollet, "Near-linear time approximation algorithms for
       optimal transport via Sinkhorn iteration", NeurIPS 2017, algorithm 2: the rounding.
    .. [4] L. Chapel, M. Z. Alaya and G. Gasso, "Partial optimal transport with applications on
       positive-unlabeled learning", NeurIPS 2020, section 3.1: a dummy token on each side, at no
       cost, takes what is not transported.
    .. [5] M. Eisenberger et al., "A unified framework for implicit Sinkhorn differentiation",
       CVPR 2022.

    Examples
    --------
    >>> import torch
    >>> cost = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
    >>> transport_plan(cost).round(decimals=2)
    tensor([[[0.5000, 0.0000],
             [0.0000, 0.5000]]])
    >>> transport_plan(cost, mass=0.6).sum().round(decimals=2)
    tensor(0.6000)
    """
    n_iter = first_iterations(reg, mass) if max_iter == "auto" else max_iter
    allowed = _HOLDS * mass if max_iter == "auto" else None
    length1, length2 = cost.shape[1:]
    weights1, weights2 = (
        cost.new_full((length1,), 1 / length1),
        cost.new_full((length2,), 1 / length2),
    )
    if mass < 1:
        cost = F.pad(cost, (0, 1, 0, 1))
        cost[:, -1, -1] = 1 + _FORBIDDEN * reg
        stays = cost.new_full((1,), 1 - mass)
        weights1, weights2 = torch.cat([weights1, stays]), torch.cat([weights2, stays])
    if grad == "implicit":
        plan = _ImplicitPlan.apply(cost, weights1, weights2, reg, n_iter, allowed)
    else:
        cost = cost.detach() if grad == "detach" else cost
        plan = _sinkhorn(cost, weights1, weights2, reg, n_iter, allowed, grad)
    if mass < 1:
        plan = plan[:, :length1, :length2]
        plan = plan * (mass / plan.detach().sum(dim=(1, 2), keepdim=True))
    return plan


def first_iterations(reg: float, mass: float = 1.0) -> int:
    """Sinkhorn iterations of "auto" before it is looked whether a plan holds."""
    return round(min(max(20, 2 / reg), 1000) * max(1, 0.4 / mass))


def _sinkhorn(
    cost: torch.Tensor,
    weights1: torch.Tensor,
    weights2: torch.Tensor,
    reg: float,
    n_iter: int,
    allowed: float | None,
    grad: Gradient,
) -> torch.Tensor:
    """Plans after `n_iter` iterations, and as many again while more mass is misplaced than allowed.

    All recordings go on together, so that matrices keep their size and results their bits, but each
    has the plan that it had when its own error was small enough.
    """
    sides = [weights.expand(len(cost), -1) for weights in (weights1, weights2)]
    options = {"max_iter": n_iter, "tol": 0.0, "grad": grad}
    logarithms = reg < _SAFE_REG
    kernel = -cost / reg if logarithms else torch.exp(-cost / reg)
    solve = _solved_in_logarithms if logarithms else _solved
    plan, further = solve(kernel, sides, options)
    if allowed is not None:
        holds = _holds(plan, weights1, allowed)
        for _ in range(_MOST // n_iter):
            if holds.all():
                break
            # Its potentials so far are put into the kernel: the solver goes on from there.
            later, further = solve(further, sides, options)
            plan = torch.where(holds[:, None, None], plan, later)
            holds = holds | _holds(plan, weights1, allowed)
    return _rounded(plan, weights1, weights2)


def _solved(
    kernel: torch.Tensor, sides: list[torch.Tensor], options: dict[str, Any]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Plans, and the kernel from which the next iterations go on."""
    rows, columns = _ot_batch().bregman_projection_batch(kernel, *sides, **options)["potentials"]
    # POT's own plan is that of every tenth iteration; its potentials are those of the last.
    plan = rows[:, :, None] * kernel * columns[:, None, :]
    if options["grad"] != "last_step":
        return plan, plan
    return plan, rows.detach()[:, :, None] * kernel * columns.detach()[:, None, :]


def _solved_in_logarithms(
    kernel: torch.Tensor, sides: list[torch.Tensor], options: dict[str, Any]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Plans, and the logarithm of the kernel from which the next iterations go on."""
    solution = _ot_batch().bregman_log_projection_batch(kernel, *sides, **options)
    if options["grad"] != "last_step":
        return solution["T"], solution["log_T"]
    rows, columns = (side.detach() for side in solution["potentials"])
    return solution["T"], kernel + rows[:, :, None] + columns[:, None, :]


def _holds(plan: torch.Tensor, weights1: torch.Tensor, allowed: float) -> torch.Tensor:
    """Whether each plan keeps the sums of its rows (those of columns are of the last step)."""
    return (plan.detach().sum(dim=2) - weights1).abs().sum(dim=1) <= allowed


class _ImplicitPlan(torch.autograd.Function):
    """Plans whose gradient is that of the solution, not that of the way to it.

    A plan is exp(u + v - cost / reg), where u and v of the rows and columns keep its marginals. So
    the gradient of the cost is -1 / reg times that of the plan, freed from what is additive in rows
    and columns, as weighted by the plan.
    """

    @staticmethod
    def forward(
        ctx: Any,
        cost: torch.Tensor,
        weights1: torch.Tensor,
        weights2: torch.Tensor,
        reg: float,
        n_iter: int,
        allowed: float | None,
    ) -> torch.Tensor:
        plan = _sinkhorn(cost, weights1, weights2, reg, n_iter, allowed, "detach")
        ctx.save_for_backward(plan)
        ctx.reg = reg
        return plan

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (plan,) = ctx.saved_tensors
        if plan.shape[1] < plan.shape[2]:  # the system is that of the shorter side
            back = _without_additive_part(plan.mT, gradient.mT).mT
        else:
            back = _without_additive_part(plan, gradient)
        return back / -ctx.reg, None, None, None, None, None


def _without_additive_part(plan: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """Gradient less its least-squares fit by rows and columns, weighted by the plan, times it."""
    rows, columns = plan.sum(dim=2), plan.sum(dim=1)
    weighted = plan * gradient
    mean = weighted.sum(dim=2) / rows
    share = plan / rows[:, :, None]
    right = weighted.sum(dim=1) - (mean[:, None, :] @ plan)[:, 0]
    # A constant may pass from u to v, so that the system is singular: its last term takes the v
    # whose mean is 0. Where a plan falls into parts, a ridge larger than rounding does the same.
    ridge = 1e-10 if plan.dtype == torch.float64 else 1e-5
    system = torch.diag_embed(columns * (1 + ridge)) - plan.mT @ share
    system += columns[:, :, None] * columns[:, None, :]
    v = torch.linalg.solve(system, right)
    u = mean - (share @ v[:, :, None])[:, :, 0]
    return torch.addcmul(weighted, plan, u[:, :, None] + v[:, None, :], value=-1)


def _rounded(plan: torch.Tensor, weights1: torch.Tensor, weights2: torch.Tensor) -> torch.Tensor:
    """Give plans their marginals: scale down what is too much, and spread what is missing."""
    with torch.no_grad():
        rows = (weights1 / plan.sum(dim=2)).clamp_max(1)
        column_sums = (rows[:, None, :] @ plan)[:, 0]
        columns = (weights2 / column_sums).clamp_max(1)
        lacking1 = (weights1 - rows * (plan @ columns[:, :, None])[:, :, 0]).clamp_min(0)
        lacking2 = (weights2 - columns * column_sums).clamp_min(0)
        total = lacking2.sum(dim=1, keepdim=True).clamp_min(torch.finfo(plan.dtype).tiny)
        spread = lacking1[:, :, None] * (lacking2 / total)[:, None, :]
        scale = rows[:, :, None] * columns[:, None, :]
    return torch.addcmul(spread, plan, scale)


@cache
def _ot_batch() -> Any:
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
