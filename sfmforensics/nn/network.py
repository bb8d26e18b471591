"""Encoders, fusion, fully connected layers and heads, put together."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import torch
from torch import nn

from sfmforensics.nn.encoders import make_encoder
from sfmforensics.nn.fusion import Concatenation, GatedTransport
from sfmforensics.nn.scaling import column_scale

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from sfmforensics._types import Encoder, IntArray


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
        built = [
            make_encoder(
                encoder, len(block), n_tokens=n_tokens, token_dim=token_dim, dropout=dropout
            )
            for block in blocks
        ]
        self.encoders = nn.ModuleList(module for module, _ in built)
        shapes = [shape for _, shape in built]
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
    module: Any = network
    if hasattr(network, "members"):
        of_members = [network_plans(member, X) for member in module.members]
        return [torch.stack(plans, dim=1) for plans in zip(*of_members, strict=True)]
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            return module.fusion.plans(module.fusion.gate(module.tokens(X)))
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
    module: Any = network
    if hasattr(network, "members"):
        of_members = [network_gates(member, X) for member in module.members]
        return [torch.cat(gates, dim=1) for gates in zip(*of_members, strict=True)]
    if not getattr(module.fusion, "gated", False):
        return []
    with torch.inference_mode():
        return [tokens.sigmoid().mean(dim=2) for tokens in module.tokens(X)]


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


class Ensemble(nn.Module):
    """Networks that answer together: the mean of their probabilities, and of their numbers.

    Parameters
    ----------
    members : sequence of MultiViewNetwork
        Of equal outputs, trained each by itself.
    scored : sequence of bool
        For each task, whether its outputs are scores of classes or points (softmax turns them into
        probabilities) rather than one number.

    Attributes
    ----------
    members : nn.ModuleList
    pairs : list of (int, int)
        Pairs of views that are transported.
    width : int
        Length of the joined representations.

    Notes
    -----
    Networks that start from other weights err in other places; their mean is more accurate than
    any of them, and better calibrated [1]_.

    References
    ----------
    .. [1] B. Lakshminarayanan, A. Pritzel and C. Blundell, "Simple and scalable predictive
       uncertainty estimation using deep ensembles", NeurIPS 2017.
    """

    def __init__(self, members: Sequence[MultiViewNetwork], scored: Sequence[bool]) -> None:
        super().__init__()
        self.members: Any = nn.ModuleList(members)
        self.scored = list(scored)
        self.width = sum(int(member.width) for member in members)
        self.pairs: list[tuple[int, int]] = getattr(self.members[0].fusion, "pairs", [])

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, n_features) -> (batch, width): the members' representations side by side."""
        return torch.cat([member.embed(x) for member in self.members], dim=1)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(batch, n_features) -> list of (batch, outputs), one a task.

        Of scores, the logarithm of the mean probability.
        """
        return self.together([member(x) for member in self.members])

    def together(self, answers: Sequence[list[torch.Tensor]]) -> list[torch.Tensor]:
        """Join what the members say: list by member of what `forward` gives -> the same for all."""
        together = []
        for scored, outputs_of in zip(self.scored, zip(*answers, strict=True), strict=True):
            outputs = torch.stack(outputs_of)
            if scored:
                outputs = outputs.log_softmax(dim=2).logsumexp(dim=0)
                together.append(outputs.log_softmax(dim=1))
            else:
                together.append(outputs.mean(dim=0))
        return together


def joined_histories(histories: Sequence[list[dict[str, float]]]) -> list[dict[str, float]]:
    """One history for several members: epoch by epoch their means, and the sum of their seconds.

    Parameters
    ----------
    histories : list of list of dict
        As `sfmforensics.nn.training.train` gives them; early stopping may end one before another.

    Returns
    -------
    list of dict

    Examples
    --------
    >>> one = [{"epoch": 1, "train_loss": 2.0, "seconds": 1.0}]
    >>> other = [{"epoch": 1, "train_loss": 4.0, "seconds": 1.0}]
    >>> joined_histories([one, other])
    [{'epoch': 1, 'train_loss': 3.0, 'seconds': 2.0}]
    """
    if len(histories) == 1:
        return histories[0]
    of_epochs: dict[float, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for history in histories:
        for row in history:
            for name, value in row.items():
                of_epochs[row["epoch"]][name].append(value)
    return [
        {"epoch": epoch}
        | {
            name: sum(values) / (1 if name == "seconds" else len(values))
            for name, values in row.items()
            if name != "epoch"
        }
        for epoch, row in sorted(of_epochs.items())
    ]
