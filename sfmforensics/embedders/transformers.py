"""Speech foundation models of Hugging Face transformers: Whisper, and the wav2vec2 family."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.audio import MIN_SAMPLES, SAMPLE_RATE
from sfmforensics.embedders import _hf_checkpoints as load
from sfmforensics.embedders import _hf_states as states
from sfmforensics.embedders._hub import hash_files
from sfmforensics.embedders._pooling import (
    FrameStatistics,
    batches_of,
    check_layer,
    check_options,
    plain_layer,
    torch_device,
)
from sfmforensics.embedders.base import BaseEmbedder
from sfmforensics.exceptions import EmbedderError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from typing import Any, Literal

    from sfmforensics._types import (
        Array,
        Channel,
        DType,
        Float32Array,
        PathLike,
        Pooling,
        Signal,
        Truncated,
    )
    from sfmforensics.embedders._hub import Found

_WINDOW_SECONDS = 30.0
_CPU_SECONDS = 16
"""Audio that shares a forward pass on a CPU: beyond, a batch is slower than its signals alone."""
_CPU_PATIENCE = 120


class TransformersEmbedder(BaseEmbedder):
    """Average hidden state of a frozen model of Hugging Face transformers.

    Parameters
    ----------
    model : str or path-like
        Hub id, such as ``"openai/whisper-base"``, or a local folder as `save_pretrained` leaves it.
        One code path serves both.
    layer : "last", "mean", "all" or int, default="last"
        Which hidden states: the last (paper, section 3), the mean over all layers, one by its
        index (0 is what enters the first layer), or all side by side, from the first to the last.
    pooling : {"mean", "mean+std"}, default="mean"
        Statistics over the real frames; "mean+std" doubles the dimension.
    batch_size : int, default=8
        Recordings that share a forward pass where the model allows it.
    device : str or None, default=None
        A torch device; None takes CUDA if there is one, else the CPU.
    cache : path-like or None, default=None
        Folder that keeps the vectors; see `sfmforensics.embedders.cache.VectorCache`.
    max_seconds : float, default=30.0
        Longer recordings are cut into equal pieces of at most this length, in seconds, whose
        frames are pooled together. Whisper's window is 30 s.
    revision : str or None, default=None
        Branch, tag or commit on the hub.
    dtype : {"float32", "float16", "bfloat16"}, default="float32"
        Number format of weights and forward pass, whatever the checkpoint holds. The two short
        ones halve a model's memory; their vectors agree with those of float32 to about 1e-2.
    window : "full", "signal" or float, default="full"
        Whisper alone: on how much its encoder runs. See the notes.
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
    EmbedderError
        The model is not there, is of an unknown architecture, or lacks weights.

    Notes
    -----
    A vector depends on the recording and the model alone: signals are normalised one by one and
    before padding, only if the checkpoint says so; models with group norm, data2vec and conformers
    share a batch only between signals of equal length, since padding would reach real frames; the
    others, with layer norm, get the attention mask and share a batch between lengths within 10 %,
    but on a CPU, where padding takes as long as speech, between equal ones, too; frames of padding
    are not averaged. What a fine-tuned checkpoint puts behind the encoder (an adapter, a
    head) is left out.

    Whisper was trained on 30 s windows. ``window="full"`` runs its encoder on such a window, with
    silence behind the recording, and averages the first ceil(n / 320) of its 1500 frames, which
    are those of the recording. A shorter window, of so many seconds at least, or of the signal
    alone, is faster and less accurate. Whisper tiny.en on BAVED (1,935 recordings of about 2 s),
    SVC and SVR with C=10 on this view alone, five folds, mean over three seeds of the folds; speed
    on two CPU cores::

        window     speed   closed: ASR   SER    GR   AE    disjoint: SER   GR    AE
        full         1 x         84.4   83.7  99.8  4.62            67.8  96.7  12.8
        15         2.4 x         83.4   83.4  99.7  4.77            67.8  95.6  12.8
        8          5.3 x         82.8   82.8  99.6  4.90            67.6  94.4  12.8
        4         10.8 x         82.6   82.7  99.4  5.01            67.5  93.3  12.8
        signal    16.6 x         81.9   81.2  99.2  5.36            67.4  90.0  12.9
        silence averaged as well
        full         1 x         84.8   82.1  99.6  5.18            65.3  92.8  13.2

    (ASR, SER, GR in %, AE in years; the standard deviation over seeds is at most 0.8 for closed,
    and 1.8, 0.5 and 0.4 for disjoint.) ``benchmarks/bench_whisper_window.py`` repeats it.

    References
    ----------
    .. [1] The paper, section 3: the last hidden state of the frozen model, averaged.

    Examples
    --------
    >>> from sfmforensics.embedders import TransformersEmbedder
    >>> TransformersEmbedder("no/such-folder-or-model/here").fit()
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.EmbedderError: no/such-folder-or-model/here: ...
    """

    _version = 1

    def __init__(
        self,
        model: PathLike,
        *,
        layer: Literal["last", "mean", "all"] | int = "last",
        pooling: Pooling = "mean",
        batch_size: int = 8,
        device: str | None = None,
        cache: PathLike | None = None,
        max_seconds: float = 30.0,
        revision: str | None = None,
        dtype: DType = "float32",
        window: Literal["full", "signal"] | float = "full",
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
        self.window = window
        self.name = name
        self.verbose = verbose
        self.channel = channel
        self.truncated = truncated

    # -- hooks of BaseEmbedder -----------------------------------------------------------------

    @property
    def _min_samples(self) -> int:  # type: ignore[override]  # the model's
        # Two mel frames of wav2vec2-bert make one of its own.
        return 560 if self._config().model_type == load.MEL else MIN_SAMPLES

    @property
    def _piece_seconds(self) -> float:  # type: ignore[override]  # as long as it is told
        return self.max_seconds

    @property
    def _patience(self) -> float:  # type: ignore[override]  # the device's
        # A batch gains little on a CPU, and a refused recording is reported when none waits.
        return _CPU_PATIENCE if self._on_cpu() else super()._patience

    def _name(self) -> str:
        return self.name or Path(str(self.model)).name

    def _dimension(self) -> int:
        self._check()
        config = self._config()
        if config.model_type == load.WHISPER:
            width = config.d_model
        elif self.window == "full":
            width = config.hidden_size
        else:
            raise EmbedderError(
                f"window is {self.window!r}, but {self.model} is a {config.model_type}, which has "
                'none; leave it at "full"'
            )
        layers = 1 + config.num_hidden_layers if self.layer == "all" else 1
        return width * layers * len(self.pooling.split("+"))

    def _identity(self) -> dict[str, Any]:
        source: dict[str, Any]
        where, _, commit = self._place()
        if commit is None:
            folder = Path(where)
            source = {"weights": hash_files(folder, load.essential_files(folder))}
        else:
            source = {"model": str(self.model), "revision": commit}
        if self.window != "full":
            source["window"] = self.window if self.window == "signal" else float(self.window)
        if self._config().adapter_left_out:
            source["adapter"] = "left out"
        return source | {
            "layer": plain_layer(self.layer),
            "pooling": self.pooling,
            "max_seconds": float(self.max_seconds),
            "dtype": self.dtype,
        }

    def _model_files(self) -> list[Path]:
        return load.essential_files(Path(self._place()[0]))

    def _batch_key(self, signal: Signal) -> Hashable:
        return states.batch_key(self._config(), len(signal), self.window, self._on_cpu())

    def _batch_limit(self, signal: Signal) -> int:
        if not self._on_cpu():
            return self.batch_size
        seconds = len(signal) / SAMPLE_RATE
        if self._config().model_type == load.WHISPER:
            seconds = states.window_frames(len(signal), self.window) / 50
        return max(1, min(self.batch_size, int(_CPU_SECONDS / seconds)))

    def _embed(self, signals: list[Signal]) -> Array:
        totals = [FrameStatistics() for _ in signals]
        for total, frames in zip(totals, self._states(signals), strict=True):
            total.add(frames)
        return np.stack([total.pooled(self.pooling) for total in totals])

    def _embed_pieces(self, pieces: Iterable[Signal]) -> Array:
        total = FrameStatistics()
        for batch in batches_of(pieces, self._batch_key, self._batch_limit):
            for frames in self._states(batch):
                total.add(frames)
        return total.pooled(self.pooling)

    # -- inside --------------------------------------------------------------------------------

    def _states(self, signals: list[Signal]) -> list[Float32Array]:
        import torch

        folder, state, _ = self._place()
        network, extractor = load.load_network(
            str(self.model), folder, state, torch_device(self.device), self.dtype
        )
        with torch.inference_mode():
            hidden_states = states.hidden_states(
                network, extractor, signals, plain_layer(self.layer), self.window
            )
            return [frames.float().cpu().numpy() for frames in hidden_states]

    def _on_cpu(self) -> bool:
        return torch_device(self.device) == "cpu"

    def _place(self) -> Found:
        return load.find_checkpoint(self.model, self.revision)

    def _config(self) -> Any:
        folder, state, _ = self._place()
        return load.load_config(str(self.model), folder, state)

    def _check(self) -> None:
        check_layer(self.layer, ("last", "mean", "all"))
        check_options(self, longest=_WINDOW_SECONDS)
        window: Any = self.window
        number = isinstance(window, (int, float, np.number)) and not isinstance(window, bool)
        if window not in ("full", "signal") and not (number and 0 < window <= _WINDOW_SECONDS):
            raise EmbedderError(
                f'window is {self.window!r}; use "full", "signal" or seconds up to '
                f"{_WINDOW_SECONDS:g}"
            )
