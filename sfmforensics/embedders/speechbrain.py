"""Speaker models of SpeechBrain: the x-vector, ECAPA-TDNN and their like."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.embedders import _sb_checkpoints as load
from sfmforensics.embedders._hub import hash_files
from sfmforensics.embedders._pooling import (
    FrameStatistics,
    WeightedMean,
    batches_of,
    check_layer,
    check_options,
    plain_layer,
    require_extra,
    torch_device,
)
from sfmforensics.embedders._sb_recipe import EXTRA, declared_dimension
from sfmforensics.embedders.base import BaseEmbedder
from sfmforensics.exceptions import EmbedderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    import torch

    from sfmforensics._types import (
        Array,
        Channel,
        DType,
        Float32Array,
        Layer,
        PathLike,
        Pooling,
        Signal,
        Truncated,
    )

_SECOND = np.sin(np.arange(16_000, dtype=np.float32) / 10)


class SpeechBrainEmbedder(BaseEmbedder):
    """Embedding of a frozen speaker model of SpeechBrain.

    Parameters
    ----------
    model : str or path-like
        Hub id, such as ``"speechbrain/spkrec-xvect-voxceleb"``, or a local folder with the same
        files (``hyperparams.yaml``, ``embedding_model.ckpt``). One code path serves both.
    layer : "last", "mean" or int, default="last"
        The model's own embedding (paper, section 3); or the states of its frames before they are
        pooled: of a layer by its index (0 are the normalised features, whose mean is 0 where
        the model subtracts it; 1 is what the first block gives), or the mean over the blocks, where
        they are equally wide.
    pooling : {"mean", "mean+std"}, default="mean"
        Statistics over the frames of `layer`; "mean+std" doubles the dimension. The embedding has
        no frames left, so "last" takes "mean" alone.
    batch_size : int, default=8
        Recordings that share a forward pass if they are equally long.
    device : str or None, default=None
        A torch device; None takes CUDA if there is one, else the CPU.
    cache : path-like or None, default=None
        Folder that keeps the vectors; see `sfmforensics.embedders.cache.VectorCache`.
    max_seconds : float, default=30.0
        Longer recordings are cut into equal pieces of at most this length, in seconds, whose
        vectors are averaged by their lengths, or whose frames are pooled together.
    revision : str or None, default=None
        Branch, tag or commit on the hub.
    dtype : {"float32", "float16", "bfloat16"}, default="float32"
        Number format of the network's products (torch's autocast); its weights stay float32, and
        so do the features.
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
        SpeechBrain is not installed.
    EmbedderError
        The model is not there, is no speaker model, or lacks weights.

    Notes
    -----
    ``hyperparams.yaml`` says which Python objects to build. One that names anything but networks of
    speechbrain and torch.nn is refused before any of it is run, and weights are read without
    running code that a pickle may hold.

    SpeechBrain adds noise to the means that it pools (`StatisticsPooling`, 1e-5 to 9e-5), drawn
    from torch's global generator. It is left out here, so that a recording has one vector. Only
    signals of equal length share a batch, so there is no padding.

    Only the files that a vector needs are fetched and loaded, straight from the folder or the hub's
    cache; nothing is linked or copied. A folder's own files are used even where its
    ``hyperparams.yaml`` points to the hub.

    References
    ----------
    .. [1] The paper, section 3: x-vector, 512 dimensions.
    .. [2] D. Snyder et al., "X-vectors: robust DNN embeddings for speaker recognition", ICASSP
       2018.

    Examples
    --------
    >>> from sfmforensics.embedders import SpeechBrainEmbedder
    >>> SpeechBrainEmbedder("speechbrain/spkrec-xvect-voxceleb", batch_size=0).fit()
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.EmbedderError: batch_size is 0; use 1 or more
    """

    _version = 1
    _min_samples = 640  # 5 frames: ECAPA-TDNN reflects 4 of them at either end

    def __init__(
        self,
        model: PathLike,
        *,
        layer: Layer = "last",
        pooling: Pooling = "mean",
        batch_size: int = 8,
        device: str | None = None,
        cache: PathLike | None = None,
        max_seconds: float = 30.0,
        revision: str | None = None,
        dtype: DType = "float32",
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
        folder, state, _ = load.find_model(self.model, self.revision)
        recipe = load.read_recipe(str(self.model), folder, state)
        declared = declared_dimension(recipe) if self.layer == "last" else None
        return declared or self._embed([_SECOND]).shape[1]

    def _identity(self) -> dict[str, Any]:
        folder, _, commit = load.find_model(self.model, self.revision)
        if commit is None:
            source = {"weights": hash_files(Path(folder), self._model_files())}
        else:
            source = {"model": str(self.model), "revision": commit}
        if self.layer != "last":
            source |= {"layer": plain_layer(self.layer), "pooling": self.pooling}
        return source | {"max_seconds": float(self.max_seconds), "dtype": self.dtype}

    def _model_files(self) -> list[Path]:
        folder = Path(load.find_model(self.model, self.revision)[0])
        return [file for file in sorted(folder.iterdir()) if file.name.endswith(load.ESSENTIAL)]

    def _batch_key(self, signal: Signal) -> int:
        return len(signal)

    def _embed(self, signals: list[Signal]) -> Array:
        outputs = self._outputs(signals)
        if self.layer == "last":
            return outputs
        return np.stack([self._pooled([frames]) for frames in outputs])

    def _embed_pieces(self, pieces: Iterable[Signal]) -> Array:
        batches = batches_of(pieces, len, self._batch_limit)
        if self.layer != "last":
            return self._pooled(frames for batch in batches for frames in self._outputs(batch))
        total = WeightedMean()
        for batch in batches:
            for piece, vector in zip(batch, self._outputs(batch), strict=True):
                total.add(vector, len(piece))
        return total.value

    # -- inside --------------------------------------------------------------------------------

    def _pooled(self, frames_of_pieces: Iterable[Array]) -> Array:
        total = FrameStatistics()
        for frames in frames_of_pieces:
            total.add(frames)
        return total.pooled(self.pooling)

    def _outputs(self, signals: list[Signal]) -> Float32Array:
        """Vectors (n_signals, dimension) or, of another layer, (n_signals, n_frames, dimension)."""
        import torch

        folder, state, commit = load.find_model(self.model, self.revision)
        device = torch_device(self.device)
        compute_features, mean_var_norm, network = load.load_steps(
            str(self.model), folder, state, commit, device
        )
        batch = torch.from_numpy(np.stack(signals)).to(device)
        whole = torch.ones(len(batch), device=device)
        layer = plain_layer(self.layer)
        dtype = getattr(torch, self.dtype)
        short = torch.autocast(device.partition(":")[0], dtype, enabled=self.dtype != "float32")
        with torch.inference_mode(), _listening(network, self.model, layer) as states:
            features = mean_var_norm(compute_features(batch), whole)
            with short:
                vectors = network(features, whole)
        if layer == "last":
            return vectors.reshape(len(batch), -1).float().cpu().numpy()
        return _chosen([features, *states], layer, self.model).cpu().numpy()

    def _check(self) -> None:
        check_layer(self.layer)
        check_options(self)
        if self.layer == "last" and self.pooling != "mean":
            raise EmbedderError(
                f"pooling is {self.pooling!r}, but the model's own embedding has no frames left; "
                'use "mean", or another layer'
            )
        require_extra("speechbrain", EXTRA)


@contextmanager
def _listening(network: Any, model: PathLike, layer: str | int) -> Iterator[list[torch.Tensor]]:
    """Collect what the blocks of a network give for each frame: (n_signals, n_frames, width)."""
    states, handles = [], []
    if layer != "last":
        blocks, channels_first = _blocks(network, model)

        def keep(module: object, inputs: object, state: torch.Tensor) -> None:
            states.append(state.transpose(1, 2) if channels_first else state)

        handles = [block.register_forward_hook(keep) for block in blocks]
    try:
        yield states
    finally:
        for handle in handles:
            handle.remove()


def _blocks(network: Any, model: PathLike) -> tuple[list[torch.nn.Module], bool]:
    """Find the blocks before the pooling, and whether channels stand before frames in them."""
    blocks = list(getattr(network, "blocks", ()))
    kinds = [type(block).__name__ for block in blocks]
    if "StatisticsPooling" in kinds:  # an x-vector: each block is convolution, activation, norm
        before = blocks[: kinds.index("StatisticsPooling")]
        return [block for block in before if type(block).__name__ == "BatchNorm1d"], False
    if blocks and hasattr(network, "asp"):  # ECAPA-TDNN
        return blocks, True
    raise EmbedderError(
        f"{model}: layers are known of x-vector and ECAPA-TDNN, not of {type(network).__name__}; "
        'use layer="last", or wrap it in CallableEmbedder'
    )


def _chosen(states: list[torch.Tensor], layer: Any, model: PathLike) -> torch.Tensor:
    import torch

    if layer == "mean":
        widths = [state.shape[-1] for state in states[1:]]
        if len(set(widths)) > 1:
            raise EmbedderError(
                f"{model}: its blocks are {', '.join(map(str, widths))} wide, so their states have "
                "no mean; choose one of them by its index"
            )
        return torch.stack(states[1:]).float().mean(dim=0)
    if not -len(states) <= layer < len(states):
        raise EmbedderError(f"layer is {layer}; this model has layers 0 to {len(states) - 1}")
    return states[layer].float()
