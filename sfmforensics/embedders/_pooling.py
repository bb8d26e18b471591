"""What the embedders of pre-trained models share: extras, options, and statistics over frames."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.embedders._hub import first_line
from sfmforensics.exceptions import EmbedderError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
    from types import ModuleType
    from typing import Any

    from sfmforensics._types import Array, FloatArray, Signal

DTYPES = ("float32", "float16", "bfloat16")
POOLINGS = ("mean", "mean+std")


def check_options(embedder: Any, longest: float | None = None) -> None:
    """Refuse options out of range, of those that embedders of models have in common."""
    if embedder.pooling not in POOLINGS:
        raise EmbedderError(f'pooling is {embedder.pooling!r}; use "mean" or "mean+std"')
    if not embedder.batch_size >= 1:
        raise EmbedderError(f"batch_size is {embedder.batch_size!r}; use 1 or more")
    if embedder.dtype not in DTYPES:
        raise EmbedderError(f"dtype is {embedder.dtype!r}; use one of {', '.join(DTYPES)}")
    if not 1 <= embedder.max_seconds <= (longest or sys.maxsize):
        allowed = f"1 to {longest:g}" if longest else "1 or more"
        raise EmbedderError(f"max_seconds is {embedder.max_seconds!r}; use {allowed}")


def check_layer(layer: object, names: Sequence[str] = ("last", "mean")) -> None:
    """Refuse what is neither one of these names nor an index."""
    if layer not in names and not isinstance(layer, (int, np.integer)):
        named = ", ".join(f'"{name}"' for name in names)
        raise EmbedderError(f"layer is {layer!r}; use {named} or an index")


def plain_layer(layer: Any) -> Any:
    """Turn numpy's integers, which a grid may hold and JSON does not take, into Python's."""
    return layer if isinstance(layer, str) else int(layer)


def torch_device(device: str | None) -> str:
    """Name of the torch device to use: the one asked for, or CUDA if there is one, or the CPU."""
    import torch

    return str(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def batches_of(
    pieces: Iterable[Signal], key: Callable[[Signal], Hashable], size: Callable[[Signal], int]
) -> Iterator[list[Signal]]:
    """Group neighbouring pieces of a recording that may share a forward pass.

    Examples
    --------
    >>> list(batches_of([[1], [2], [3], [4, 4]], len, lambda piece: 2))
    [[[1], [2]], [[3]], [[4, 4]]]
    """
    for _, alike in groupby(pieces, key):
        batch = []
        for piece in alike:
            batch.append(piece)
            if len(batch) >= size(piece):
                yield batch
                batch = []
        if batch:
            yield batch


class FrameStatistics:
    """Mean and deviation over frames that arrive piece by piece, in float64.

    Examples
    --------
    >>> total = FrameStatistics()
    >>> total.add(np.array([[1.0], [3.0]]))
    >>> total.add(np.array([[5.0]]))
    >>> total.pooled("mean+std").round(3)
    array([3.   , 1.633])
    """

    def __init__(self) -> None:
        self._n = 0
        self._mean: Any = 0.0
        self._squares: Any = 0.0

    def add(self, frames: Array) -> None:
        """Take in frames of shape (n_frames, dimension)."""
        frames = np.asarray(frames, dtype=np.float64)
        mean = frames.mean(axis=0)
        n = self._n + len(frames)
        # Chan et al.'s update: a difference of large squares would lose the deviation.
        apart = mean - self._mean
        self._squares = (
            self._squares
            + ((frames - mean) ** 2).sum(axis=0)
            + apart**2 * (self._n * len(frames) / n)
        )
        self._mean = self._mean + apart * (len(frames) / n)
        self._n = n

    def pooled(self, pooling: str) -> FloatArray:
        """Vector of all frames: mean, and with "mean+std" the deviation behind it."""
        if pooling == "mean":
            return self._mean
        return np.concatenate([self._mean, np.sqrt(self._squares / self._n)])


class WeightedMean:
    """Mean of the vectors of pieces by their lengths.

    Examples
    --------
    >>> total = WeightedMean()
    >>> total.add(np.array([0.0]), 3)
    >>> total.add(np.array([4.0]), 1)
    >>> total.value
    array([1.])
    """

    def __init__(self) -> None:
        self._sum: Any = 0.0
        self._weight: float = 0

    def add(self, vector: Array, weight: float) -> None:
        """Take in the vector of a piece with its length."""
        self._sum = self._sum + weight * np.asarray(vector, dtype=np.float64)
        self._weight += weight

    @property
    def value(self) -> FloatArray:
        """The mean so far."""
        return self._sum / self._weight


def require_extra(package: str, extra: str) -> None:
    """Refuse early, and without importing it, where an optional package is missing.

    Examples
    --------
    >>> require_extra("no_such_package", "xvector")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.MissingExtraError: no_such_package is not installed; run: pip install
    "sfmforensics[xvector]"
    """
    if find_spec(package) is None:
        raise MissingExtraError(package, extra)


def import_extra(package: str, extra: str) -> ModuleType:
    """Import an optional package."""
    require_extra(package.partition(".")[0], extra)
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or package, extra) from error
    except (ImportError, OSError, AttributeError, RuntimeError) as error:
        raise EmbedderError(
            f"{package} is installed but cannot be imported ({first_line(error)}); "
            f'run: pip install --upgrade "sfmforensics[{extra}]"'
        ) from error
