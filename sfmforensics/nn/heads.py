"""Fully connected layers, and one head for each task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def fully_connected(
    width: int, hidden: Sequence[int], dropout: float = 0.0
) -> tuple[nn.Sequential, int]:
    """Linear layers with ReLU and dropout.

    Parameters
    ----------
    width : int
        Features that enter.
    hidden : sequence of int
        Neurons of each layer; may be empty.
    dropout : float, default=0.0
        Share of activations that are zeroed in training, after each layer.

    Returns
    -------
    layers : nn.Sequential
    width : int
        Features that leave.

    Examples
    --------
    >>> layers, width = fully_connected(1024, (200, 64, 56))
    >>> width
    56
    """
    layers = []
    for neurons in hidden:
        layers += [nn.Linear(width, neurons), nn.ReLU(), nn.Dropout(dropout)]
        width = neurons
    return nn.Sequential(*layers), width


class TaskHeads(nn.Module):
    """One output for each task.

    Parameters
    ----------
    width : int
        Features that enter.
    outputs : sequence of int
        Outputs of each task: its classes, or 1 for a number.
    neurons : int, default=30
        Hidden neurons of each head (paper, appendix 9.1); 0 for none.

    Notes
    -----
    Softmax is left to the loss and to prediction.

    Examples
    --------
    >>> import torch
    >>> [tuple(out.shape) for out in TaskHeads(56, [60, 3, 2, 1])(torch.zeros(5, 56))]
    [(5, 60), (5, 3), (5, 2), (5, 1)]
    """

    def __init__(self, width: int, outputs: Sequence[int], neurons: int = 30) -> None:
        super().__init__()
        hidden = (neurons,) if neurons else ()
        self.width = width
        self.heads: Any = nn.ModuleList()
        for n_outputs in outputs:
            layers, last = fully_connected(width, hidden)
            self.heads.append(nn.Sequential(layers, nn.Linear(last, n_outputs)))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(batch, width) -> list of (batch, outputs), one a task."""
        return [head(x) for head in self.heads]

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, width) -> (batch, tasks * neurons): the heads' hidden layers, side by side."""
        return torch.cat([head[0](x) for head in self.heads], dim=1)
