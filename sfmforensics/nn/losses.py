"""The loss of several tasks at once, each over the recordings that are labelled for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from sfmforensics._types import LossWeighting, RegressionLoss, TaskKind

_TEMPERATURE = 2.0


class MultiTaskLoss(nn.Module):
    """Weighted sum of the losses of the tasks.

    Parameters
    ----------
    kinds : sequence of {"classification", "regression"}
        Kind of each task.
    weights : float or sequence of float, default=0.33
        Weight of each task's loss (paper, section 5.2: 0.33 each).
    weighting : {"fixed", "uncertainty", "dwa"}, default="fixed"
        "fixed" keeps the weights; "uncertainty" learns one log variance s a task and sums
        w (exp(-s) L + s) [1]_; "dwa" multiplies them by factors of mean 1, larger for tasks whose
        loss falls more slowly [2]_. The last two answer a limitation that the paper names
        (section 7).
    label_smoothing : float, default=0.0
        Probability that is spread over all classes.
    regression : {"rmse", "huber", "ccc", "distribution"}, default="rmse"
        Loss of numbers: the root of the mean squared error (paper, section 5.2); Huber's, which
        grows linearly beyond 1 (a standard deviation, or a year) and is swayed less by labels far
        off; 1 - Lin's concordance correlation of a batch [5]_, as dimensions of emotion are learnt
        and measured; or the
        cross-entropy of a distribution over `points` [3]_, where a number between two points is
        shared out between them.
    number_smoothing : float, default=0.0
        Above 0 a number is spread over the points by a normal distribution of this deviation, in
        the numbers' own [4]_; for "distribution" alone.
    class_weights : sequence of (Tensor of shape (n_classes,) or None) or None, default=None
        For each task, weights of its classes.
    points : sequence of (Tensor of shape (n_points,) or None) or None, default=None
        For each task that is learnt as a distribution, its ascending points.
    scale : Tensor of shape (n_tasks,) or None, default=None
        What each task's losses are multiplied by, for weights of recordings whose mean is not 1.
    edges : dict of int to int or None, default=None
        For each task with bands, the column of the targets that holds their lower ends; the upper
        ones are in the next.
    shares : dict of int to int or None, default=None
        For each task whose raters' votes are learnt, the column of the targets that the shares of
        its classes begin at.

    Notes
    -----
    Cross-entropy for classes; two classes are two outputs, which is binary cross-entropy over
    their difference. Numbers come as they are learnt: standardised, which is ours and not in the
    paper, or in their own unit (``age_scale``). A missing label (NaN) takes part in nothing; a
    batch without a label for a task adds 0. The losses of a batch are multiplied by the weights of
    recordings and of classes and divided by the number of labels, not by the sum of the weights,
    which would give a light recording its full weight in a batch of its own; the slope of a
    weighted root is that of the root times the weights.

    A number that is known to lie in a band is off by its distance to it: an answer within adds
    nothing. As a distribution it is interval-censored: the loss is minus the logarithm of the
    probability of all points in the band.

    Of shares of votes the loss is the expectation over them: the mean of the losses that each class
    would have as the label, smoothing and weights of classes included, weighed by the shares.
    Without these two it is the cross-entropy with the shares.

    References
    ----------
    .. [1] A. Kendall, Y. Gal and R. Cipolla, "Multi-task learning using uncertainty to weigh losses
       for scene geometry and semantics", CVPR 2018.
    .. [2] S. Liu, E. Johns and A. J. Davison, "End-to-end multi-task learning with attention", CVPR
       2019, equation 7: dynamic weight average, temperature 2.
    .. [3] R. Rothe, R. Timofte and L. Van Gool, "Deep expectation of real and apparent age from a
       single image without facial landmarks", IJCV 2018.
    .. [4] B.-B. Gao, C. Xing, C.-W. Xie, J. Wu and X. Geng, "Deep label distribution learning with
       label ambiguity", IEEE Transactions on Image Processing, 2017.
    .. [5] G. Trigeorgis et al., "Adieu features? End-to-end speech emotion recognition using a deep
       convolutional recurrent network", ICASSP 2016; L. I.-K. Lin, Biometrics 45, 1989.

    Examples
    --------
    >>> import torch
    >>> loss = MultiTaskLoss(["classification", "regression"])
    >>> outputs = [torch.zeros(2, 4), torch.zeros(2, 1)]
    >>> targets = torch.tensor([[1.0, 0.5], [float("nan"), -0.5]])
    >>> round(loss(outputs, targets).item(), 4)  # 0.33 (log 4 + 0.5)
    0.6225
    """

    scale: torch.Tensor | None
    weights: torch.Tensor
    factors: torch.Tensor

    def __init__(
        self,
        kinds: Sequence[TaskKind],
        weights: float | Sequence[float] = 0.33,
        weighting: LossWeighting = "fixed",
        label_smoothing: float = 0.0,
        regression: RegressionLoss = "rmse",
        class_weights: Sequence[torch.Tensor | None] | None = None,
        points: Sequence[torch.Tensor | None] | None = None,
        scale: torch.Tensor | None = None,
        number_smoothing: float = 0.0,
        edges: Mapping[int, int] | None = None,
        shares: Mapping[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.edges, self.shares = dict(edges or {}), dict(shares or {})
        self.register_buffer("scale", scale)
        self.kinds, self.weighting, self.label_smoothing = kinds, weighting, label_smoothing
        self.regression, self.number_smoothing = regression, number_smoothing
        weights = torch.as_tensor(weights, dtype=torch.float32).expand(len(kinds)).clone()
        self.register_buffer("weights", weights)
        for task in range(len(kinds)):
            for name, values in (("class_weights", class_weights), ("points", points)):
                self.register_buffer(f"{name}{task}", None if values is None else values[task])
        if weighting == "uncertainty":
            self.log_variance = nn.Parameter(torch.zeros(len(kinds)))
        self.register_buffer("factors", torch.ones(len(kinds)))
        self._of_epochs: list[torch.Tensor] = []
        self._sums: Any = 0.0
        self._batches: Any = 0.0

    def by_task(
        self,
        outputs: Sequence[torch.Tensor],
        targets: torch.Tensor,
        sample_weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Losses of the tasks, unweighted.

        Parameters
        ----------
        outputs : list of Tensor of shape (batch, outputs)
            What the network says, one a task.
        targets : Tensor of shape (batch, n_tasks or more)
            Class index or number, as `TargetCodec` encodes it; NaN where missing. Behind them what
            else is known of labels: ends of bands, shares of votes.
        sample_weight : Tensor of shape (batch,) or None, default=None
            Weight of each recording.

        Returns
        -------
        Tensor of shape (n_tasks,)
        """
        losses = []
        for task, (kind, output) in enumerate(zip(self.kinds, outputs, strict=True)):
            target = targets[:, task]
            known = ~target.isnan()
            target = torch.where(known, target, 0)
            ends = None
            if task in self.edges:
                lower = self.edges[task]
                low, high = (torch.where(known, targets[:, lower + side], 0) for side in (0, 1))
                ends = low, high
            weight = known if sample_weight is None else known * sample_weight
            of_classes = getattr(self, f"class_weights{task}")
            if task in self.shares:
                first = self.shares[task]
                shares = targets[:, first : first + output.shape[1]]
                shares = torch.where(known[:, None], shares, 0)
                each = _expected_cross_entropy(output, shares, self.label_smoothing, of_classes)
            elif kind == "classification":
                target = target.long()
                each = F.cross_entropy(
                    output, target, reduction="none", label_smoothing=self.label_smoothing
                )
                if of_classes is not None:
                    weight = weight * of_classes[target]
            elif self.regression == "distribution":
                points = getattr(self, f"points{task}")
                each = _cross_entropy_of_numbers(output, target, points, self.number_smoothing)
                if ends is not None:
                    banded = _improbability_of_bands(output, target, points, *ends)
                    each = torch.where(ends[0] < ends[1], banded, each)
            else:
                if ends is not None:  # the nearest number that the label allows
                    target = output.detach()[:, 0].clamp(*ends)
                if self.regression == "huber":
                    each = F.huber_loss(output[:, 0], target, reduction="none")
                elif self.regression == "ccc":
                    each = _discordance(output[:, 0], target, weight)
                else:
                    each = (output[:, 0] - target) ** 2
            mean = (weight * each).sum() / known.sum().clamp_min(1)
            if self.scale is not None:
                mean = mean * self.scale[task]
            if kind == "regression" and self.regression == "rmse":
                # The root has no slope at 0, where a perfect batch would turn it into NaN.
                root = ((weight * each).sum() / weight.sum().clamp_min(1e-12) + 1e-8).sqrt()
                mean = root if sample_weight is None else _by_weight(mean + 1e-8, root.detach())
            losses.append(mean)
        return torch.stack(losses)

    def with_fixed_weights(
        self,
        outputs: Sequence[torch.Tensor],
        targets: torch.Tensor,
        sample_weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Sum by the weights that were given, so that epochs can be compared; see `by_task`."""
        return (self.weights * self.by_task(outputs, targets, sample_weight)).sum()

    def forward(
        self,
        outputs: Sequence[torch.Tensor],
        targets: torch.Tensor,
        sample_weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Weighted sum over the tasks, a scalar; see `by_task`."""
        losses = self.by_task(outputs, targets, sample_weight)
        if self.weighting == "uncertainty":
            labelled = self._labelled(targets)
            losses = losses * torch.exp(-self.log_variance) + self.log_variance * labelled
        elif self.weighting == "dwa":
            labelled = self._labelled(targets)
            self._sums = self._sums + losses.detach() * labelled
            self._batches = self._batches + labelled
        return (self.weights * self.factors * losses).sum()

    def _labelled(self, targets: torch.Tensor) -> torch.Tensor:
        """Which tasks have a label in this batch."""
        return (~targets[:, : len(self.kinds)].isnan()).any(dim=0)

    def end_epoch(self) -> None:
        """Weigh the tasks of the next epoch anew; only "dwa" does."""
        if self.weighting != "dwa":
            return
        self._of_epochs.append(self._sums / self._batches.clamp_min(1))
        self._sums, self._batches = 0.0, 0.0
        if len(self._of_epochs) > 1:
            before, last = self._of_epochs[-2:]
            speed = torch.where(before > 0, last / before.clamp_min(1e-12), 1.0)
            self.factors.copy_(len(self.kinds) * torch.softmax(speed / _TEMPERATURE, dim=0))


def _by_weight(mean: torch.Tensor, root: torch.Tensor) -> torch.Tensor:
    """Value mean / root, and half of its slope: that of the root, in proportion to the weights."""
    value = mean / root
    return 0.5 * value + 0.5 * value.detach()


def _expected_cross_entropy(
    output: torch.Tensor, shares: torch.Tensor, smoothing: float, weights: torch.Tensor | None
) -> torch.Tensor:
    """Mean of the cross-entropies to each of (batch, n_classes) classes, by shares of the votes."""
    logs = output.log_softmax(dim=1)
    losses = -(1 - smoothing) * logs - smoothing * logs.mean(dim=1, keepdim=True)
    if weights is not None:
        losses = losses * weights
    return (shares * losses).sum(dim=1)


def _cross_entropy_of_numbers(
    output: torch.Tensor, target: torch.Tensor, points: torch.Tensor, smoothing: float = 0.0
) -> torch.Tensor:
    """Cross-entropy of (batch, n_points) scores to numbers, each on one point or between two.

    With smoothing it is to a normal distribution of that deviation around the number.
    """
    if len(points) == 1:
        return 0 * output[:, 0]
    if smoothing:
        distance = (points - target[:, None]) / smoothing
        return F.cross_entropy(output, (-0.5 * distance**2).softmax(dim=1), reduction="none")
    target = target.clamp(points[0], points[-1])
    above = torch.searchsorted(points, target).clamp(1, len(points) - 1)
    low, high = points[above - 1], points[above]
    share = (target - low) / (high - low)
    logs = output.log_softmax(dim=1)
    at_low, at_high = (logs.gather(1, place[:, None])[:, 0] for place in (above - 1, above))
    return -((1 - share) * at_low + share * at_high)


def _improbability_of_bands(
    output: torch.Tensor,
    target: torch.Tensor,
    points: torch.Tensor,
    low: torch.Tensor,
    high: torch.Tensor,
) -> torch.Tensor:
    """Minus the logarithm of the probability of all (n_points,) points in each band.

    Of a band between two points it is that of the point nearest to its middle.
    """
    inside = (points >= low[:, None]) & (points <= high[:, None])
    nearest = (points - target[:, None]).abs().argmin(dim=1)
    none = ~inside.any(dim=1)
    inside = inside | (none[:, None] & F.one_hot(nearest, len(points)).bool())
    logs = output.log_softmax(dim=1)
    return -logs.masked_fill(~inside, -torch.inf).logsumexp(dim=1)


def _discordance(output: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """1 - Lin's concordance correlation of a batch (batch,), the same for each of its labels."""
    share = weight / weight.sum().clamp_min(1e-12)
    mean, true = (share * output).sum(), (share * target).sum()
    between = (share * (output - mean) * (target - true)).sum()
    spread = (share * ((output - mean) ** 2 + (target - true) ** 2)).sum() + (mean - true) ** 2
    return (1 - 2 * between / (spread + 1e-8)).expand(len(output))
