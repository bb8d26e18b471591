"""Encoders, fusion, fully connected layers and heads, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from sfmforensics.nn.encoders import make_encoder
from sfmforensics.nn.fusion import Concatenation, GatedTransport
from sfmforensics.nn.heads import TaskHeads, fully_connected

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from sfmforensics._types import Encoder, IntArray

_AT_ONCE = 2048
"""Rows of which the means and deviations are taken at once."""


class MultiViewNetwork(nn.Module):
    """Views in, one output for each task.

    Parameters
    ----------
    blocks : sequence of ndarray of int
        Columns of each view.
    outputs : sequence of int
        Outputs of each task.
    fusion : {"concatenation", "transport"}
        How the views meet.
    encoder, n_tokens, token_dim : see `sfmforensics.nn.encoders.make_encoder`
    view_hidden : sequence of int, default=()
        Fully connected layers of each view before the fusion, for concatenation alone (paper,
        section 4: each view has the network of the single-view models).
    hidden : sequence of int, default=(200, 64, 56)
        Fully connected layers after the fusion, which the tasks share; empty for none.
    head : int, default=30
        Hidden neurons of each head. A task alone has none of its own below `hidden` (the paper's
        single-task network ends in 200, 64, 56 and the output), unless that is empty.
    dropout : float, default=0.0
        Share of activations that are zeroed in training.
    input_noise : float, default=0.0
        Deviation of the noise that is added to the (standardised) inputs in training.
    transport : dict or None, default=None
        Options of `GatedTransport`.

    Notes
    -----
    Inputs are standardised first, by the `center` and `spread` that are set before training.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> blocks = [np.arange(40), np.arange(40, 424)]
    >>> network = MultiViewNetwork(blocks, [60, 3], "transport", transport={"reg": 0.1})
    >>> [tuple(out.shape) for out in network(torch.zeros(2, 424))]
    [(2, 60), (2, 3)]
    """

    center: torch.Tensor
    spread: torch.Tensor
    fusion: GatedTransport | Concatenation
    view_layers: nn.ModuleList | None

    def __init__(
        self,
        blocks: Sequence[IntArray],
        outputs: Sequence[int],
        fusion: Literal["concatenation", "transport"],
        *,
        encoder: Encoder = "conv",
        n_tokens: int = 8,
        token_dim: int = 64,
        view_hidden: Sequence[int] = (),
        hidden: Sequence[int] = (200, 64, 56),
        head: int = 30,
        dropout: float = 0.0,
        input_noise: float = 0.0,
        transport: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.input_noise = input_noise
        n_features = sum(len(block) for block in blocks)
        self.register_buffer("center", torch.zeros(n_features))
        self.register_buffer("spread", torch.ones(n_features))
        for position, block in enumerate(blocks):
            # Columns side by side are a slice, which copies nothing.
            self.register_buffer(f"block{position}", torch.as_tensor(block), persistent=True)
        self._slices = [_as_slice(block) for block in blocks]
        made = [
            make_encoder(
                encoder, len(block), n_tokens=n_tokens, token_dim=token_dim, dropout=dropout
            )
            for block in blocks
        ]
        self.encoders = nn.ModuleList(module for module, _ in made)
        shapes = [shape for _, shape in made]
        self.view_layers = None
        if fusion == "transport":
            self.fusion = GatedTransport(shapes, **(transport or {}))
        else:
            if view_hidden:
                self.view_layers = nn.ModuleList(
                    fully_connected(length * dim, view_hidden, dropout)[0] for length, dim in shapes
                )
                shapes = [(1, view_hidden[-1])] * len(shapes)
            self.fusion = Concatenation(shapes)
        self.layers, width = fully_connected(self.fusion.width, hidden, dropout)
        self.heads = TaskHeads(width, outputs, 0 if hidden and len(outputs) == 1 else head)
        self._from_heads = bool(head) and not hidden
        self.width = head * len(outputs) if self._from_heads else width

    def standardise(
        self, x: torch.Tensor, weight: torch.Tensor | None = None, rows: torch.Tensor | None = None
    ) -> None:
        """Learn the means and deviations of the columns.

        Parameters
        ----------
        x : Tensor of shape (n_rows, n_features)
            Inputs; they are read piece by piece, so they may be larger than memory.
        weight : Tensor of shape (n_samples,) or None, default=None
            Weight of each sample.
        rows : Tensor of shape (n_samples,), int64, or None, default=None
            Which of the inputs are the samples; None takes all, in order.
        """
        total = 0.0
        mean: Any = 0.0
        square: Any = 0.0
        n_samples = len(x) if rows is None else len(rows)
        for start in range(0, n_samples, _AT_ONCE):
            piece = slice(start, start + _AT_ONCE)
            part = x[piece if rows is None else rows[piece]]
            if weight is None:
                size = float(len(part))
                variance, middle = torch.var_mean(part, dim=0, correction=0)
            else:
                size = float(weight[piece].sum())
                share = (weight[piece] / size)[:, None]
                middle = (share * part).sum(dim=0)
                variance = (share * (part - middle) ** 2).sum(dim=0)
            # Means and squares of pieces, joined (Chan, Golub and LeVeque, 1983).
            apart = middle.double() - mean
            mean = mean + apart * (size / (total + size))
            square = square + variance.double() * size + apart**2 * total * size / (total + size)
            total += size
        deviation = (square / total).sqrt()
        self.center.copy_(mean)
        # A column that never varies says nothing; dividing by its rounding noise would shout.
        still = deviation <= 1e-6 * mean.abs().clamp_min(1e-12)
        self.spread.copy_(torch.where(still, torch.ones_like(deviation), deviation))

    def tokens(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(batch, n_features) -> list of (batch, tokens, dimension), one a view."""
        x = (x - self.center) / self.spread
        if self.training and self.input_noise:
            x = x + self.input_noise * torch.randn_like(x)
        views = [
            x[:, columns] if columns is not None else x[:, getattr(self, f"block{position}")]
            for position, columns in enumerate(self._slices)
        ]
        return [encoder(view) for encoder, view in zip(self.encoders, views, strict=True)]

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, n_features) -> (batch, width): the last hidden layer that the tasks share.

        If they share none, the hidden layers of all heads, side by side.
        """
        fused = self._fuse(self.tokens(x))
        return self.heads.embed(fused) if self._from_heads else fused

    def _fuse(self, tokens: list[torch.Tensor]) -> torch.Tensor:
        if self.view_layers is not None:
            tokens = [
                layers(view.flatten(1)).unsqueeze(1)
                for layers, view in zip(self.view_layers, tokens, strict=True)
            ]
        return self.layers(self.fusion(tokens))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(batch, n_features) -> list of (batch, outputs), one a task."""
        return self.from_tokens(self.tokens(x))

    def from_tokens(self, tokens: list[torch.Tensor]) -> list[torch.Tensor]:
        """List of (batch, tokens, dimension), one a view -> list of (batch, outputs), one a task.

        The second half of `forward`, for whoever asks what each token does to the answers.
        """
        return self.heads(self._fuse(tokens))


def _as_slice(block: IntArray) -> slice | None:
    start, stop = int(block[0]), int(block[-1]) + 1
    contiguous = len(block) == stop - start and (block[1:] > block[:-1]).all()
    return slice(start, stop) if contiguous else None
