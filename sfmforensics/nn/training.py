"""Training a network with skorch, on whole tensors and without touching torch's generators."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, LRScheduler, PrintLog

from sfmforensics._utils.progress import progress
from sfmforensics.exceptions import TrainingError
from sfmforensics.nn.network import plan_entropy
from sfmforensics.nn.runtime import keep_triton_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from torch import nn

    from sfmforensics._types import Precision, Schedule

_WATCHED = 64
"""Recordings over which the sharpness of the transport plans is followed."""
_AT_ONCE = 512
"""Recordings that are put through the network at once where nothing is learnt."""


class Labelled(NamedTuple):
    """Recordings as a network reads them.

    Parameters
    ----------
    X : Tensor of shape (n_rows, n_features), float32 or float64
        Inputs; only batches of them are ever copied, so they may be larger than memory.
    y : Tensor of shape (n_samples, n_tasks or more)
        Encoded targets, NaN where a label is missing; behind them what else the loss reads.
    weight : Tensor of shape (n_samples,) or None, default=None
        Weight of each recording in the loss.
    rows : Tensor of shape (n_samples,), int64, or None, default=None
        Which of the inputs these recordings are; None takes all, in order.
    """

    X: torch.Tensor
    y: torch.Tensor
    weight: torch.Tensor | None = None
    rows: torch.Tensor | None = None

    def inputs(self, samples: torch.Tensor | slice) -> torch.Tensor:
        """Inputs of some of the recordings, by number or slice."""
        return self.X[samples if self.rows is None else self.rows[samples]]


def train(
    network: Any,
    loss: nn.Module,
    data: Labelled,
    *,
    validation: Labelled | None = None,
    patience: int = 10,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    schedule: Schedule = "constant",
    mixup: float = 0.0,
    batch_size: int = 32,
    max_epochs: int = 30,
    device: str = "cpu",
    precision: Precision = "float32",
    verbose: int = 0,
) -> list[dict[str, float]]:
    """Train a network in place.

    Parameters
    ----------
    network : nn.Module
        (batch, n_features) -> list of (batch, outputs).
    loss : nn.Module
        (outputs, targets, weights) -> scalar; its own parameters are learnt too.
    data : Labelled
        What to learn from.
    validation : Labelled or None, default=None
        With it, training ends early and the network is left as it was after its best epoch: the
        one of the smallest sum of the tasks' losses over these recordings, by the fixed weights.
    patience : int, default=10
        Epochs without a better one after which training ends; needs `validation`.
    learning_rate : float, default=1e-3
        Of Adam (paper, appendix 9.1); the peak with "onecycle".
    weight_decay : float, default=0.0
        Decoupled weight decay (AdamW); 0 is plain Adam.
    schedule : {"constant", "onecycle"}, default="constant"
        Course of the learning rate.
    mixup : float, default=0.0
        Above 0 each batch is mixed with itself in another order, its losses with the losses for
        the labels of the others; the share of either is drawn from Beta(mixup, mixup) [1]_.
    batch_size : int, default=32
        Recordings a step.
    max_epochs : int, default=30
        Passes over the data.
    device : str, default="cpu"
        A torch device.
    precision : {"float32", "bfloat16", "float64"}, default="float32"
        Number format of matrix products while learning: "bfloat16" is automatic mixed precision;
        the others are those of the network's weights.
    verbose : int, default=0
        1 prints a line an epoch, 2 draws a bar instead.

    Returns
    -------
    list of dict
        For each epoch: "epoch", "train_loss", "seconds"; with `validation` also "valid_loss"; with
        transport "plan_entropy" in [0, 1]: the entropy of the plans over that of a uniform plan,
        which chooses nothing.

    Raises
    ------
    TrainingError
        The loss is no longer finite.
    KeyboardInterrupt
        The user stopped it; a half-trained network is nobody's result.

    References
    ----------
    .. [1] H. Zhang, M. Cisse, Y. N. Dauphin and D. Lopez-Paz, "mixup: beyond empirical risk
       minimization", ICLR 2018.
    """
    keep_triton_out()
    data = Labelled(*data)
    callbacks = [("finite", _StopIfNotFinite()), ("weights", _WeighTasksAnew())]
    if hasattr(network.fusion, "plans"):
        callbacks.append(("sharpness", _PlanEntropy(data.inputs(slice(_WATCHED)))))
    if schedule == "onecycle":
        steps = max_epochs * -(-len(data.y) // batch_size)
        policy = torch.optim.lr_scheduler.OneCycleLR
        callbacks.append(
            (
                "schedule",
                LRScheduler(policy, step_every="batch", max_lr=learning_rate, total_steps=steps),
            )
        )
    bar = _Bar()
    callbacks.append(("bar", bar))
    if validation is not None:
        callbacks.append(("validation", _Validate(Labelled(*validation))))
        stopping = _StopEarly(
            "valid_loss",
            patience=patience,
            threshold=0,
            load_best=True,
            sink=print if verbose == 1 else _say_nothing,
        )
        callbacks.append(("stopping", stopping))
    net = _Net(
        network,
        criterion=loss,
        optimizer=torch.optim.AdamW if weight_decay else torch.optim.Adam,
        optimizer__weight_decay=weight_decay,
        optimizer__fused=_can_fuse(device),
        lr=learning_rate,
        batch_size=batch_size,
        max_epochs=max_epochs,
        iterator_train=_Batches,
        iterator_train__mixup=mixup,
        train_split=None,
        callbacks=callbacks,
        callbacks__print_log=PrintLog() if verbose == 1 else None,
        device=device,
        verbose=verbose,
        precision=precision,
    )
    try:
        with progress("training", max_epochs, shown=verbose > 1) as bar.advance:
            net.fit(data)
    except _Interrupted as stop:
        raise KeyboardInterrupt from stop
    network.eval().to("cpu")
    names = {"train_loss": "train_loss", "valid_loss": "valid_loss", "dur": "seconds"}
    names |= {"plan_entropy": "plan_entropy"}
    return [
        {"epoch": row["epoch"]}
        | {name: float(row[key]) for key, name in names.items() if key in row}
        for row in net.history
    ]


def _can_fuse(device: str) -> bool:
    """Whether Adam can take its step in one go, which halves the time of wide networks on a CPU."""
    return torch.device(device).type in ("cpu", "cuda")


def _say_nothing(*_: Any) -> None:
    pass


class _Interrupted(BaseException):
    """Carries Ctrl-C past skorch, which would take it for the end of training."""


class _NoBetter(Exception):
    """Early stopping ends training; skorch's own way to say so is Ctrl-C as well."""


class _StopEarly(EarlyStopping):
    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        try:
            super().on_epoch_end(net, **kwargs)
        except KeyboardInterrupt as stop:
            raise _NoBetter from stop


class _Net(NeuralNet):
    def __init__(self, *arguments: Any, precision: str = "float32", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.precision = precision

    def infer(self, x: torch.Tensor, **options: Any) -> Any:
        # The network takes its inputs to its device itself; skorch would do so before they are
        # standardised, in float64, which not every device has.
        if self.precision != "bfloat16":
            return self.module_(x, **options)
        device = torch.device(self.device).type
        with torch.autocast(device, dtype=torch.bfloat16):
            outputs = self.module_(x, **options)
        return [output.float() for output in outputs]

    def initialize_module(self) -> Any:
        # The network is made by the estimator, under its seed; skorch would make another.
        self.module_ = self.module
        return self

    def initialize_criterion(self) -> Any:
        self.criterion_ = self.criterion
        return self

    def get_loss(self, y_pred: Any, y_true: Any, *args: Any, **kwargs: Any) -> Any:
        loss = 0.0
        for share, y, weight in y_true:
            y = y.to(self.device)
            weight = None if weight is None else weight.to(self.device)
            loss = loss + share * self.criterion_(y_pred, y, weight)
        fusion = self.module_.fusion
        if getattr(fusion, "transport_weight", 0.0):
            loss = loss + fusion.penalty
            fusion.penalty = 0.0  # its graph could be neither copied nor saved
        return loss

    def get_dataset(self, X: Any, y: Any = None) -> Any:
        return X

    def fit_loop(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().fit_loop(*args, **kwargs)
        except _NoBetter:
            return self
        except KeyboardInterrupt as stop:
            raise _Interrupted from stop


class _Batches:
    """Shuffled batches by index: a DataLoader would collate rows one by one.

    A batch is its inputs and a list of (share of the loss, targets, weights), two if it is mixed.
    """

    def __init__(self, data: Labelled, batch_size: int, mixup: float = 0.0) -> None:
        self.data, self.batch_size, self.mixup = data, batch_size, mixup

    def __iter__(self) -> Iterator[tuple[torch.Tensor, list[Any]]]:
        _, y, weights, _ = self.data
        for samples in torch.randperm(len(y)).split(self.batch_size):
            X, weight = self.data.inputs(samples), None if weights is None else weights[samples]
            targets = y[samples], weight
            if not self.mixup:
                yield X, [(1.0, *targets)]
                continue
            share = float(torch.distributions.Beta(self.mixup, self.mixup).sample())
            order = torch.randperm(len(samples))
            others = targets[0][order], None if weight is None else weight[order]
            mixed = share * X + (1 - share) * X[order]
            yield mixed, [(share, *targets), (1 - share, *others)]

    def __len__(self) -> int:
        return -(-len(self.data.y) // self.batch_size)


class _StopIfNotFinite(Callback):
    def on_epoch_end(self, net: Any, **_: Any) -> None:
        loss = net.history[-1, "train_loss"]
        if not torch.isfinite(torch.tensor(loss)):
            raise TrainingError(
                f"the loss became {loss} in epoch {net.history[-1, 'epoch']}; lower learning_rate, "
                "or check the inputs for extreme values"
            )


class _WeighTasksAnew(Callback):
    def on_epoch_end(self, net: Any, **_: Any) -> None:
        net.criterion_.end_epoch()


class _Validate(Callback):
    def __init__(self, data: Labelled) -> None:
        self.data = data

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        _, y, weight, _ = self.data
        y, weight = y.to(net.device), None if weight is None else weight.to(net.device)
        starts = range(0, len(y), _AT_ONCE)
        pieces = (self.data.inputs(slice(start, start + _AT_ONCE)) for start in starts)
        net.module_.eval()
        with torch.inference_mode():
            parts = [net.module_(piece) for piece in pieces]
            outputs = [torch.cat(output) for output in zip(*parts, strict=True)]
            loss = net.criterion_.with_fixed_weights(outputs, y, weight)
        if not loss.isfinite():
            raise TrainingError(
                f"the loss over the recordings kept back for early stopping is {float(loss)}; "
                "check their inputs for extreme values"
            )
        net.history.record("valid_loss", float(loss))


class _Bar(Callback):
    def on_epoch_end(self, net: Any, **_: Any) -> None:
        self.advance(1, f"loss {net.history[-1, 'train_loss']:.3f}")


class _PlanEntropy(Callback):
    def __init__(self, X: torch.Tensor) -> None:
        self.X = X

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        net.history.record("plan_entropy", plan_entropy(net.module_, self.X))
