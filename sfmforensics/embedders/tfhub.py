"""Models of TensorFlow Hub that map a waveform to a vector: TRILLsson."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.embedders import _tf_models as load
from sfmforensics.embedders._hub import hash_files
from sfmforensics.embedders._pooling import (
    FrameStatistics,
    WeightedMean,
    batches_of,
    check_options,
    require_extra,
)
from sfmforensics.embedders.base import BaseEmbedder
from sfmforensics.embedders.registry import REGISTRY
from sfmforensics.exceptions import EmbedderError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Literal

    from sfmforensics._types import (
        Array,
        Channel,
        Float32Array,
        PathLike,
        Pooling,
        Signal,
        Truncated,
    )

_SECOND = np.sin(np.arange(16_000, dtype=np.float32) / 10)


class TFHubEmbedder(BaseEmbedder):
    """Embedding of a frozen waveform model of TensorFlow Hub.

    Parameters
    ----------
    model : str or path-like
        Address on the hub with its version, such as
        ``"https://tfhub.dev/google/nonsemantic-speech-benchmark/trillsson4/1"``, or a local folder
        that holds ``saved_model.pb``. One code path serves both.
    layer : str, default="last"
        Which output: "last" is the one called ``"embedding"``, another is chosen by its name. A
        SavedModel shows no layers but its outputs, so there is neither an index nor "mean".
    pooling : {"mean", "mean+std"}, default="mean"
        Statistics over the frames of an output that has any; "mean+std" doubles the dimension.
    batch_size : int, default=8
        Recordings that share a forward pass if they are equally long, and if the model takes more
        than one.
    device : str or None, default=None
        "cpu", "cuda" or "cuda:1"; None leaves the choice to TensorFlow.
    cache : path-like or None, default=None
        Folder that keeps the vectors; see `sfmforensics.embedders.cache.VectorCache`.
    max_seconds : float, default=30.0
        Longer recordings are cut into equal pieces of at most this length, in seconds, whose
        vectors are averaged by their lengths, or whose frames are pooled together.
    revision : str or None, default=None
        Version on the hub, the number that an address ends in.
    dtype : "float32", default="float32"
        The number format is part of a SavedModel; there is no other choice.
    name : str or None, default=None
        Name of the view, for messages; the model's own by default.
    verbose : bool, default=False
        Show a progress bar.
    channel : int or {"auto", "mix"}, default="auto"
        Which channel of a recording of several is heard, see `sfmforensics.audio.read_audio`.
    truncated : {"refuse", "use"}, default="refuse"
        What becomes of a file whose end is missing.

    Raises
    ------
    MissingExtraError
        TensorFlow, or for a model of the hub tensorflow-hub, is not installed.
    EmbedderError
        The model is not there, or takes or gives something else than TRILLsson does.

    Notes
    -----
    The model gets float32 samples in [-1, 1] at 16 kHz, of shape (n_signals, n_samples), and its
    output ``"embedding"``, of shape (n_signals, dimension), holds the vectors. Only signals of
    equal length share a batch, so there is no padding. A sample that resampling pushed beyond the
    range is clipped.

    What is fetched from the hub lies where ``TFHUB_CACHE_DIR`` says, by default in the temporary
    folder, which may be emptied at any time.

    References
    ----------
    .. [1] The paper, section 3: TRILLsson, 1024 dimensions.
    .. [2] J. Shor and S. Venugopalan, "TRILLsson: distilled universal paralinguistic speech
       representations", Interspeech 2022.

    Examples
    --------
    >>> from sfmforensics.embedders import TFHubEmbedder
    >>> TFHubEmbedder("trillsson", max_seconds=0).fit()
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.EmbedderError: max_seconds is 0; use 1 or more
    """

    _version = 1
    _hub_names_have_many_parts = True

    def __init__(
        self,
        model: PathLike,
        *,
        layer: str = "last",
        pooling: Pooling = "mean",
        batch_size: int = 8,
        device: str | None = None,
        cache: PathLike | None = None,
        max_seconds: float = 30.0,
        revision: str | None = None,
        dtype: Literal["float32"] = "float32",
        name: str | None = None,
        verbose: bool = False,
        channel: Channel = "auto",
        truncated: Truncated = "refuse",
    ) -> None:
        self.model = model
        self.layer = layer
        self.pooling = pooling
        self.batch_size = batch_size
        self.device = device
        self.cache = cache
        self.max_seconds = max_seconds
        self.revision = revision
        self.dtype = dtype
        self.name = name
        self.verbose = verbose
        self.channel = channel
        self.truncated = truncated

    # -- hooks of BaseEmbedder -----------------------------------------------------------------

    @property
    def _piece_seconds(self) -> float:  # type: ignore[override]  # as long as it is told
        return self.max_seconds

    def _name(self) -> str:
        return self.name or Path(str(self.model)).name

    def _dimension(self) -> int:
        self._check()
        width = self._known_width() or self._outputs([_SECOND]).shape[-1]
        return width * len(self.pooling.split("+"))

    def _identity(self) -> dict[str, Any]:
        where, state = load.find_model(self.model, self.revision)
        if state:
            source = {"weights": hash_files(Path(where), load.saved_files(Path(where)))}
        else:
            source = {"model": where}
        if (self.layer, self.pooling) != ("last", "mean"):
            source |= {"layer": self.layer, "pooling": self.pooling}
        return source | {"max_seconds": float(self.max_seconds), "dtype": "float32"}

    def _model_files(self) -> list[Path]:
        return load.saved_files(load.folder_of(*load.find_model(self.model, self.revision)))

    def _batch_key(self, signal: Signal) -> int:
        return len(signal)

    def _embed(self, signals: list[Signal]) -> Array:
        outputs = self._outputs(signals)
        if outputs.ndim == 2:
            return outputs
        return np.stack([self._pooled([frames]) for frames in outputs])

    def _embed_pieces(self, pieces: Iterable[Signal]) -> Array:
        vectors, frames = WeightedMean(), FrameStatistics()
        for batch in batches_of(pieces, len, self._batch_limit):
            outputs = self._outputs(batch)
            for piece, output in zip(batch, outputs, strict=True):
                if outputs.ndim == 2:
                    vectors.add(output, len(piece))
                else:
                    frames.add(output)
        return vectors.value if outputs.ndim == 2 else frames.pooled(self.pooling)

    # -- inside --------------------------------------------------------------------------------

    def _outputs(self, signals: list[Signal]) -> Float32Array:
        outputs = self._loaded().run(signals)
        if outputs.ndim == 2 and self.pooling != "mean":
            raise EmbedderError(
                f"pooling is {self.pooling!r}, but this output of {self.model} has no frames left; "
                'use "mean", or another output as layer'
            )
        return outputs

    def _pooled(self, frames_of_pieces: Iterable[Array]) -> Array:
        total = FrameStatistics()
        for frames in frames_of_pieces:
            total.add(frames)
        return total.pooled(self.pooling)

    def _known_width(self) -> int | None:
        where, _ = load.find_model(self.model, self.revision)
        if (self.layer, self.pooling) != ("last", "mean"):
            return None
        registered = (view.dimension for view in REGISTRY.values() if view.model == where)
        return next(registered, None) or self._loaded().width

    def _loaded(self) -> load.SavedModel:
        output = load.EMBEDDING if self.layer == "last" else self.layer
        return load.load_model(
            *load.find_model(self.model, self.revision), output, str(self.device or "") or None
        )

    def _check(self) -> None:
        if not isinstance(self.layer, str) or self.layer == "mean":
            raise EmbedderError(
                f"layer is {self.layer!r}, but a SavedModel shows its outputs alone; use "
                '"last", or the name of one of them'
            )
        if self.dtype != "float32":
            raise EmbedderError(
                f"dtype is {self.dtype!r}, but the number format is part of a SavedModel; leave it "
                "at float32"
            )
        check_options(self)
        require_extra("tensorflow", load.EXTRA)
        if not os.path.isdir(str(self.model)):
            require_extra("tensorflow_hub", load.EXTRA)
