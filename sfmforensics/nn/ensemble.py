"""Several networks of one kind, trained apart and asked together."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sfmforensics.nn.network import MultiViewNetwork


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
        for scored, given in zip(self.scored, zip(*answers, strict=True), strict=True):
            outputs = torch.stack(given)
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
