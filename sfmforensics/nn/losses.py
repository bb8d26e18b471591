"""The loss of several tasks at once, each over the recordings that are labelled for it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

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
        w exp(-s) L + s [1]_; "dwa" multiplies them by factors of mean 1, larger for tasks whose
        loss falls more slowly [2]_. The last two answer a limitation that the paper names
        (section 7).
    label_smoothing : float, default=0.0
        Probability that is spread over all classes.
    regression : {"rmse", "huber"}, default="rmse"
        Loss of numbers: the root of the mean squared error (paper, section 5.2), or Huber's, which
        grows linearly beyond one standard deviation and is swayed less by labels far off.

    Notes
    -----
    Cross-entropy for classes; two classes are two outputs, which is binary cross-entropy over
    their difference. Numbers are standardised (paper, section 5.2). A missing label (NaN) takes
    part in nothing; a batch without a label for a task adds 0.

    References
    ----------
    .. [1] A. Kendall, Y. Gal and R. Cipolla, "Multi-task learning using uncertainty to weigh losses
       for scene geometry and semantics", CVPR 2018.
    .. [2] S. Liu, E. Johns and A. J. Davison, "End-to-end multi-task learning with attention", CVPR
       2019, equation 7: dynamic weight average, temperature 2.

    Examples
    --------
    >>> import torch
    >>> loss = MultiTaskLoss(["classification", "regression"])
    >>> outputs = [torch.zeros(2, 4), torch.zeros(2, 1)]
    >>> targets = torch.tensor([[1.0, 0.5], [float("nan"), -0.5]])
    >>> round(loss(outputs, targets).item(), 4)  # 0.33 (log 4 + 0.5)
    0.6225
    """

    def __init__(
        self, kinds, weights=0.33, weighting="fixed", label_smoothing=0.0, regression="rmse"
    ):
        super().__init__()
        self.kinds, self.weighting, self.label_smoothing = kinds, weighting, label_smoothing
        self.regression = regression
        weights = torch.as_tensor(weights, dtype=torch.float32).expand(len(kinds)).clone()
        self.register_buffer("weights", weights)
        if weighting == "uncertainty":
            self.log_variance = nn.Parameter(torch.zeros(len(kinds)))
        self.register_buffer("factors", torch.ones(len(kinds)))
        self._of_epochs, self._sums, self._batches = [], 0.0, 0.0

    def by_task(self, outputs, targets):
        """Losses of the tasks, unweighted.

        Parameters
        ----------
        outputs : list of Tensor of shape (batch, outputs)
            What the network says, one a task.
        targets : Tensor of shape (batch, n_tasks)
            Class index or standardised number; NaN where missing.

        Returns
        -------
        Tensor of shape (n_tasks,)
        """
        losses = []
        for task, (kind, output) in enumerate(zip(self.kinds, outputs, strict=True)):
            target = targets[:, task]
            known = ~target.isnan()
            target = torch.where(known, target, 0)
            if kind == "classification":
                each = F.cross_entropy(
                    output, target.long(), reduction="none", label_smoothing=self.label_smoothing
                )
            elif self.regression == "huber":
                each = F.huber_loss(output[:, 0], target, reduction="none")
            else:
                each = (output[:, 0] - target) ** 2
            mean = (known * each).sum() / known.sum().clamp_min(1)
            if kind == "regression" and self.regression == "rmse":
                # The root has no slope at 0, where a perfect batch would turn it into NaN.
                mean = (mean + 1e-8).sqrt()
            losses.append(mean)
        return torch.stack(losses)

    def forward(self, outputs, targets):
        """Weighted sum over the tasks, a scalar."""
        losses = self.by_task(outputs, targets)
        if self.weighting == "uncertainty":
            losses = losses * torch.exp(-self.log_variance) + self.log_variance
        elif self.weighting == "dwa":
            labelled = (~targets.isnan()).any(dim=0)
            self._sums = self._sums + losses.detach() * labelled
            self._batches = self._batches + labelled
        return (self.weights * self.factors * losses).sum()

    def end_epoch(self):
        """Weigh the tasks of the next epoch anew; only "dwa" does."""
        if self.weighting != "dwa":
            return
        self._of_epochs.append(self._sums / self._batches.clamp_min(1))
        self._sums, self._batches = 0.0, 0.0
        if len(self._of_epochs) > 1:
            before, last = self._of_epochs[-2:]
            speed = torch.where(before > 0, last / before.clamp_min(1e-12), 1.0)
            self.factors.copy_(len(self.kinds) * torch.softmax(speed / _TEMPERATURE, dim=0))
