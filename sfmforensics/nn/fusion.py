"""How the tokens of several views become one vector: side by side, or by optimal transport."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from sfmforensics.exceptions import ParameterError
from sfmforensics.nn.transport import first_iterations, transport_cost, transport_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sfmforensics._types import Direction, Epochs, Gradient, Transport

DIRECTIONS = ("both", "x1->x2", "x2->x1")
"""Which view is transported onto which."""


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

    def __init__(self, shapes: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.width = sum(length * dim for length, dim in shapes)

    def forward(self, views: Sequence[torch.Tensor]) -> torch.Tensor:
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
    reg, max_iter, grad, mass : see `sfmforensics.nn.transport.transport_plan`
    transport : {"plan", "barycentric"}, default="plan"
        "plan" multiplies by gamma, as the equations say; "barycentric" by gamma over the weights
        of the tokens, so that transported tokens are averages, of the size of the tokens
        themselves (with `mass` below 1, of what was transported and 0).
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

    Raises
    ------
    ParameterError
        Tokens of the views differ in size.

    Notes
    -----
    Each view is joined with what was transported to it, and the views so enriched are joined
    (paper, section 4.1, Figure 2b). Three and more views are taken pair by pair: as their number
    grows, transport grows with its square. Transport to and from a barycentre of all views, which
    grows in proportion, was no more accurate on BAVED with three, and took longer
    (``benchmarks/bench_options.py``).
    """

    until_it_holds = False
    """Of models that an earlier version pickled, which answer as they did."""

    def __init__(
        self,
        shapes: Sequence[tuple[int, int]],
        direction: Direction = "both",
        reg: float = 0.1,
        max_iter: Epochs = "auto",
        grad: Gradient = "implicit",
        mass: float = 1.0,
        transport: Transport = "plan",
        gated: bool = True,
        transport_weight: float = 0.0,
    ) -> None:
        super().__init__()
        if len({dim for _, dim in shapes}) > 1:
            raise ParameterError(
                f"the tokens of the views have {', '.join(str(dim) for _, dim in shapes)} entries; "
                "transport compares them, so an encoder must give every view tokens of one size"
            )
        self.until_it_holds = True
        self.transport_weight = transport_weight
        self.penalty: torch.Tensor | float = 0.0
        self.direction, self.transport, self.gated = direction, transport, gated
        self.reg, self.max_iter, self.grad, self.mass = reg, max_iter, grad, mass
        self.pairs = list(combinations(range(len(shapes)), 2))
        self.width = sum(length * dim for length, dim in shapes)
        for first, second in self.pairs:
            (length1, dim1), (length2, dim2) = shapes[first], shapes[second]
            self.width += length1 * dim2 * (direction != "x1->x2")
            self.width += length2 * dim1 * (direction != "x2->x1")

    def gate(self, views: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """List of (batch, L, dim) -> the same, each x * sigmoid(x) (paper, section 4.1)."""
        return [F.silu(view) for view in views] if self.gated else list(views)

    def plans(self, views: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Plans between gated views: a list of (batch, L1, L2), one for each of `pairs`."""
        return [self._plan(cost) for cost in self._costs(views)]

    def _costs(self, views: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return [transport_cost(views[first], views[second]) for first, second in self.pairs]

    def _plan(self, cost: torch.Tensor) -> torch.Tensor:
        fixed = self.max_iter == "auto" and not self.until_it_holds
        max_iter = first_iterations(self.reg, self.mass) if fixed else self.max_iter
        return transport_plan(cost, self.reg, max_iter, self.grad, self.mass)

    def forward(self, views: Sequence[torch.Tensor]) -> torch.Tensor:
        """List of (batch, L, dim) -> (batch, width)."""
        device = views[0].device.type
        if torch.is_autocast_enabled(device):
            # Small distances and plans would lose their digits in a short number format.
            with torch.autocast(device, enabled=False):
                return self.forward([view.float() for view in views])
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
