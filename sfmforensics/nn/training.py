"""Training a network with skorch, on whole tensors and without touching torch's generators."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, LRScheduler, PrintLog

from sfmforensics._progress import progress
from sfmforensics.exceptions import SFMForensicsError, TrainingError

_WATCHED = 64
"""Recordings over which the sharpness of the transport plans is followed."""


def train(
    network,
    loss,
    X,
    y,
    *,
    learning_rate=1e-3,
    weight_decay=0.0,
    schedule="constant",
    batch_size=32,
    max_epochs=30,
    device="cpu",
    verbose=0,
):
    """Train a network in place.

    Parameters
    ----------
    network : nn.Module
        (batch, n_features) -> list of (batch, outputs).
    loss : nn.Module
        (outputs, targets) -> scalar; its own parameters are learnt too.
    X : Tensor of shape (n_samples, n_features), float32
        Inputs.
    y : Tensor of shape (n_samples, n_tasks), float32
        Encoded targets.
    learning_rate : float, default=1e-3
        Of Adam (paper, appendix 9.1); the peak with "onecycle".
    weight_decay : float, default=0.0
        Decoupled weight decay (AdamW); 0 is plain Adam.
    schedule : {"constant", "onecycle"}, default="constant"
        Course of the learning rate.
    batch_size : int, default=32
        Recordings a step.
    max_epochs : int, default=30
        Passes over the data.
    device : str, default="cpu"
        A torch device.
    verbose : int, default=0
        1 prints a line an epoch, 2 draws a bar instead.

    Returns
    -------
    list of dict
        For each epoch: "epoch", "train_loss", "seconds" and, with transport, "plan_entropy" in
        [0, 1]: the entropy of the plans over that of a uniform plan, which chooses nothing.

    Raises
    ------
    TrainingError
        The loss is no longer finite.
    KeyboardInterrupt
        The user stopped it; a half-trained network is nobody's result.
    """
    _keep_triton_out()
    callbacks = [("finite", _StopIfNotFinite()), ("weights", _WeighTasksAnew())]
    if hasattr(network.fusion, "plans"):
        callbacks.append(("sharpness", _PlanEntropy(X[:_WATCHED])))
    if schedule == "onecycle":
        steps = max_epochs * -(-len(X) // batch_size)
        policy = torch.optim.lr_scheduler.OneCycleLR
        callbacks.append(
            (
                "schedule",
                LRScheduler(policy, step_every="batch", max_lr=learning_rate, total_steps=steps),
            )
        )
    bar = _Bar()
    callbacks.append(("bar", bar))
    net = _Net(
        network,
        criterion=loss,
        optimizer=torch.optim.AdamW if weight_decay else torch.optim.Adam,
        optimizer__weight_decay=weight_decay,
        lr=learning_rate,
        batch_size=batch_size,
        max_epochs=max_epochs,
        iterator_train=_TensorBatches,
        dataset=torch.utils.data.TensorDataset,
        train_split=None,
        callbacks=callbacks,
        callbacks__print_log=PrintLog() if verbose == 1 else None,
        device=device,
        verbose=verbose,
    )
    try:
        with progress("training", max_epochs, shown=verbose > 1) as bar.advance:
            net.fit(X, y)
    except _Interrupted as stop:
        raise KeyboardInterrupt from stop
    network.eval().to("cpu")
    keys = {"train_loss": "train_loss", "dur": "seconds", "plan_entropy": "plan_entropy"}
    return [
        {"epoch": row["epoch"]} | {name: row[key] for key, name in keys.items() if key in row}
        for row in net.history
    ]


def check_device(device):
    """Refuse a device that cannot be used here, before hours are spent on its way.

    Parameters
    ----------
    device : str or None
        A torch device; None is torch's own choice.

    Raises
    ------
    SFMForensicsError
        Torch does not know it, or it is not there.

    Examples
    --------
    >>> check_device("cpu")
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # no such device; torch built without it
        raise SFMForensicsError(
            f"device {device!r} cannot be used ({error}); leave it out, or name one that torch "
            "finds here, such as cpu"
        ) from error


def as_tensor(X):
    """Take a float32 array as a tensor, without a copy."""
    with warnings.catch_warnings():
        # Inputs are only read, so memory that cannot be written is as good.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(X)


@contextmanager
def seeded(seed, device="cpu"):
    """Draw torch's random numbers from a seed, and leave its generators as they were.

    Parameters
    ----------
    seed : int
        The seed.
    device : str, default="cpu"
        Device whose generator is used besides the CPU's.

    Examples
    --------
    >>> import torch
    >>> before = torch.random.get_rng_state()
    >>> with seeded(0):
    ...     _ = torch.rand(3)
    >>> bool((torch.random.get_rng_state() == before).all())
    True
    """
    device = torch.device(device)
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.random.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed(seed)
        yield


@contextmanager
def one_thread():
    """Compute in one thread, and leave torch's number of threads as it was.

    Notes
    -----
    The layers are small: a second thread costs more than it gives, tenfold where another process
    wants the core, and sums in another order, so that figures would depend on ``n_jobs``.

    Examples
    --------
    >>> import torch
    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _keep_triton_out():
    """Stop torch from loading triton into a process that TensorFlow was loaded into first.

    The optimiser imports it, though nothing here uses it, and the process then dies of a
    segmentation fault (seen with TensorFlow 2.21 and triton as torch 2.14.1 brings it).
    """
    if "tensorflow" in sys.modules and "triton" not in sys.modules:
        sys.modules["triton"] = None


class _Interrupted(BaseException):
    """Carries Ctrl-C past skorch, which would take it for the end of training."""


class _Net(NeuralNet):
    def initialize_module(self):
        # The network is made by the estimator, under its seed; skorch would make another.
        self.module_ = self.module
        return self

    def initialize_criterion(self):
        self.criterion_ = self.criterion
        return self

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        loss = super().get_loss(y_pred, y_true, *args, **kwargs)
        fusion = self.module_.fusion
        if getattr(fusion, "transport_weight", 0.0):
            loss = loss + fusion.penalty
            fusion.penalty = 0.0  # its graph could be neither copied nor saved
        return loss

    def get_dataset(self, X, y=None):
        return self.dataset(X, y)

    def fit_loop(self, *args, **kwargs):
        try:
            return super().fit_loop(*args, **kwargs)
        except KeyboardInterrupt as stop:
            raise _Interrupted from stop


class _TensorBatches:
    """Shuffled batches by index: a DataLoader would collate rows one by one."""

    def __init__(self, dataset, batch_size):
        self.X, self.y = dataset.tensors
        self.batch_size = batch_size

    def __iter__(self):
        order = torch.randperm(len(self.X))
        for rows in order.split(self.batch_size):
            yield self.X[rows], self.y[rows]

    def __len__(self):
        return -(-len(self.X) // self.batch_size)


class _StopIfNotFinite(Callback):
    def on_epoch_end(self, net, **_):
        loss = net.history[-1, "train_loss"]
        if not torch.isfinite(torch.tensor(loss)):
            raise TrainingError(
                f"the loss became {loss} in epoch {net.history[-1, 'epoch']}; lower learning_rate, "
                "or check the inputs for extreme values"
            )


class _WeighTasksAnew(Callback):
    def on_epoch_end(self, net, **_):
        net.criterion_.end_epoch()


class _Bar(Callback):
    def on_epoch_end(self, net, **_):
        self.advance(1, f"loss {net.history[-1, 'train_loss']:.3f}")


class _PlanEntropy(Callback):
    def __init__(self, X):
        self.X = X

    def on_epoch_end(self, net, **_):
        net.history.record("plan_entropy", plan_entropy(net.module_, self.X.to(net.device)))


def plan_entropy(network, X):
    """Mean entropy of the plans over that of uniform plans.

    Parameters
    ----------
    network : MultiViewNetwork
        With transport.
    X : Tensor of shape (n_samples, n_features)
        Inputs.

    Returns
    -------
    float
        1 for plans that choose nothing; a one-to-one plan between n tokens has 0.5.
    """
    ratios = []
    for plan in network_plans(network, X):
        entropy = -(plan * plan.clamp_min(1e-30).log()).sum(dim=(1, 2))
        most = torch.log(torch.tensor(float(plan.shape[1] * plan.shape[2])))
        ratios.append((entropy / most.clamp_min(1e-12)).mean())
    return float(torch.stack(ratios).mean())


def network_plans(network, X):
    """Transport plans of a network for some inputs, as in prediction.

    Parameters
    ----------
    network : MultiViewNetwork
        With transport.
    X : Tensor of shape (n_samples, n_features)
        Inputs.

    Returns
    -------
    list of Tensor of shape (n_samples, L1, L2)
        One for each pair of views.
    """
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            return network.fusion.plans(network.fusion.gate(network.tokens(X)))
    finally:
        network.train(training)
