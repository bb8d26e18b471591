"""Any model of a user's own, as a view."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.embedders._pooling import WeightedMean
from sfmforensics.embedders.base import BaseEmbedder
from sfmforensics.exceptions import EmbedderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from numpy.typing import ArrayLike

    from sfmforensics._types import Array, Channel, FloatArray, PathLike, Signal, Truncated


class CallableEmbedder(BaseEmbedder):
    """Wrap a function that turns one signal into one vector.

    Parameters
    ----------
    function : callable
        ``function(signal) -> vector`` with a float32 signal at 16 kHz of shape (n_samples,) and a
        vector of shape (dimension,). It should be a module's top-level function, so that a fitted
        pipeline can be saved.
    dimension : int
        Width of a vector.
    name : str or None, default=None
        Name of the view; the function's own by default.
    identity : str or None, default=None
        What tells this function's vectors from all others, such as a model's version. Only with it
        are vectors cached: the package cannot see what a function depends on.
    max_seconds : float or None, default=None
        Longer recordings are cut into equal pieces of at most this length, in seconds, whose
        vectors are averaged by their lengths. None hands the function any recording whole.
    cache : path-like or None, default=None
        Folder that keeps the vectors.
    verbose : bool, default=False
        Show a progress bar.
    channel : int or {"auto", "mix"}, default="auto"
        Which channel of a recording of several is heard, see `sfmforensics.audio.read_audio`.
    truncated : {"refuse", "use"}, default="refuse"
        What becomes of a file whose end is missing.

    Raises
    ------
    EmbedderError
        `function` cannot be called, its vectors have another width, or a cache is asked for
        without an identity.

    Examples
    --------
    >>> import numpy as np
    >>> loudness = CallableEmbedder(lambda signal: [np.abs(signal).max()], 1, name="peak")
    >>> loudness.transform([(np.linspace(-0.5, 0.5, 16_000), 16_000)])
    array([[0.5]], dtype=float32)
    """

    _version = 1

    def __init__(
        self,
        function: Callable[[Signal], ArrayLike],
        dimension: int,
        *,
        name: str | None = None,
        identity: str | None = None,
        max_seconds: float | None = None,
        cache: PathLike | None = None,
        verbose: bool = False,
        channel: Channel = "auto",
        truncated: Truncated = "refuse",
    ) -> None:
        self.function = function
        self.dimension = dimension
        self.name = name
        self.identity = identity
        self.max_seconds = max_seconds
        self.cache = cache
        self.verbose = verbose
        self.channel = channel
        self.truncated = truncated

    def _name(self) -> str:
        return self.name or str(getattr(self.function, "__name__", type(self.function).__name__))

    def _identity(self) -> dict[str, Any]:
        if self.identity is None:
            raise EmbedderError(
                f"view {self._name()!r} has a cache but no identity; pass identity='...', and "
                "change it whenever the function's vectors change"
            )
        identity: dict[str, Any] = {"function": self._name(), "identity": self.identity}
        if self.max_seconds is not None:
            identity["max_seconds"] = float(self.max_seconds)
        return identity | {"dimension": self.dimension}

    @property
    def _piece_seconds(self) -> float | None:  # type: ignore[override]  # as long as it is told
        return self.max_seconds

    def _dimension(self) -> int:
        if not callable(self.function):
            raise EmbedderError(
                f"function is a {type(self.function).__name__}; pass something that can be called"
            )
        if isinstance(self.dimension, bool) or not self.dimension >= 1:
            raise EmbedderError(f"dimension is {self.dimension!r}; use 1 or more")
        if self.max_seconds is not None and not 1 <= self.max_seconds <= sys.maxsize:
            raise EmbedderError(f"max_seconds is {self.max_seconds!r}; use 1 or more, or None")
        return int(self.dimension)

    def _embed(self, signals: list[Signal]) -> Array:
        return np.stack([np.asarray(self.function(signal)).reshape(-1) for signal in signals])

    def _embed_pieces(self, pieces: Iterable[Signal]) -> FloatArray:
        total = WeightedMean()
        for piece in pieces:
            total.add(self._embed([piece])[0], len(piece))
        return total.value
