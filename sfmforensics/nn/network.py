"""Encoders, fusion, fully connected layers and heads, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from sfmforensics.nn.encoders import make_encoder
from sfmforensics.nn.fusion import Concatenation, GatedTransport
from sfmforensics.nn.heads import TaskHeads, fully_connected
from sfmforensics.nn.scaling import column_scale

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from sfmforensics._types import Encoder, IntArray


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
    Inputs are standardised first, by the `center` and `spread` that are set before training: in
    float64, whatever format and device the weights have, and only then rounded to that format.
    Inputs of either format may be on the CPU; the network takes them to where it is.

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
        self.register_buffer("center", torch.zeros(n_features, dtype=torch.float64))
        self.register_buffer("spread", torch.ones(n_features, dtype=torch.float64))
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
        """Learn the means and deviations of the columns; see `column_scale`."""
        center, spread = column_scale(x, weight, rows)
        self.center.copy_(center)
        self.spread.copy_(spread)

    def standardised(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, n_features) of any format -> the same, standardised, as the weights are."""
        like = next(self.heads.parameters())
        x = (x.to(self.center.device) - self.center) / self.spread
        return x.to(like.device, like.dtype)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        # Weights may become shorter or go to a device without float64 (mps); the scale of the
        # inputs keeps its digits, where that takes staying behind.
        scale = {"center": self.center, "spread": self.spread}
        self._buffers.update(dict.fromkeys(scale))
        try:
            super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch's own
        finally:
            self._buffers.update(scale)
        device = fn(torch.zeros(0)).device
        if device.type != "mps":
            self._buffers.update({name: values.to(device) for name, values in scale.items()})
        return self

    def tokens(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(batch, n_features) -> list of (batch, tokens, dimension), one a view."""
        x = self.standardised(x)
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
