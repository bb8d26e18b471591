"""How torch is to behave while a network is trained or asked: device, threads, random numbers."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from sfmforensics.exceptions import SFMForensicsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sfmforensics._types import Float32Array, FloatArray

_ONE_AT_A_TIME: Any = threading.RLock()
"""Torch's generators and its number of threads belong to the process: threads take turns."""


def _renew_lock() -> None:
    """In a forked child nobody would ever release what another thread of the parent holds."""
    global _ONE_AT_A_TIME
    if not _ONE_AT_A_TIME._is_owned():
        _ONE_AT_A_TIME = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def check_device(device: str | None) -> None:
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


def as_tensor(X: Float32Array | FloatArray) -> torch.Tensor:
    """Take an array as a tensor, without a copy."""
    with warnings.catch_warnings():
        # Inputs are only read, so memory that cannot be written is as good.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(X)


def filled_blocks(X: torch.Tensor, size: int = 64) -> list[torch.Tensor]:
    """Cut inputs into blocks of one size, the last one filled up with its last row.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
        Inputs.
    size : int, default=64
        Rows of a block.

    Returns
    -------
    list of Tensor of shape (size, n_features)
        Views of the inputs; the last alone may be a copy.

    Notes
    -----
    Matrix products of another size round otherwise. With one size, an answer has the same bits
    whatever it is asked with.

    Examples
    --------
    >>> import torch
    >>> [len(block) for block in filled_blocks(torch.ones(70, 2))]
    [64, 64]
    """
    *blocks, last = X.split(size)
    spare = size - len(last)
    return [*blocks, torch.cat([last, last[-1:].expand(spare, -1)]) if spare else last]


@contextmanager
def seeded(seed: int, device: str = "cpu") -> Iterator[None]:
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
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed(seed)
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread, and leave torch's number of threads as it was.

    Notes
    -----
    The layers are small: a second thread costs more than it gives, tenfold where another process
    wants the core, and sums in another order, so that figures would depend on ``n_jobs``. Other
    threads of the process wait meanwhile: jobs gain by processes, joblib's default.

    Examples
    --------
    >>> import torch
    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    with _ONE_AT_A_TIME:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def keep_triton_out() -> None:
    """Stop torch from loading triton into a process that TensorFlow was loaded into first.

    The optimiser imports it, though nothing here uses it, and the process then dies of a
    segmentation fault (seen with TensorFlow 2.21 and triton as torch 2.14.1 brings it).
    """
    if "tensorflow" in sys.modules and "triton" not in sys.modules:
        sys.modules["triton"] = None  # type: ignore[assignment]  # which an import refuses
