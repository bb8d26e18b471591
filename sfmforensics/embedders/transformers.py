"""Speech foundation models of Hugging Face transformers: Whisper, and the wav2vec2 family."""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np

from sfmforensics.audio import SAMPLE_RATE
from sfmforensics.embedders._common import count_pieces, cut, explained, hash_files, locate
from sfmforensics.embedders.base import BaseEmbedder
from sfmforensics.exceptions import EmbedderError

_WAVEFORM_MODELS = (
    "wav2vec2",
    "hubert",
    "wavlm",
    "unispeech",
    "unispeech-sat",
    "data2vec-audio",
    "wav2vec2-conformer",
)
_PADDING_PROOF = ("wav2vec2", "hubert", "wavlm", "unispeech", "unispeech-sat", "whisper")
_WHISPER_SAMPLES_PER_FRAME = 320  # 10 ms hop, halved by the encoder's second convolution
_NEVER_USED_AT_INFERENCE = ("masked_spec_embed",)


class TransformersEmbedder(BaseEmbedder):
    """Average hidden state of a frozen model of Hugging Face transformers.

    Parameters
    ----------
    model : str
        Hub id, such as ``"openai/whisper-base"``, or a local folder as `save_pretrained` leaves it.
        One code path serves both.
    layer : "last", "mean" or int, default="last"
        Which hidden states: the last (paper, section 3), the mean over all layers, or one by its
        index (0 is what enters the first layer).
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
    name : str or None, default=None
        Name of the view, for messages and the cache's folder; the model's own by default.
    verbose : bool, default=False
        Show a progress bar.

    Raises
    ------
    EmbedderError
        The model is not there, is of an unknown architecture, or lacks weights.

    Notes
    -----
    A vector depends on the recording and the model alone: signals are normalised one by one and
    before padding, only if the checkpoint says so; models with group norm, data2vec and conformers
    share a batch only between signals of equal length, since padding would reach real frames; the
    others, with layer norm, get the attention mask; frames of padding are not averaged. Whisper
    runs its encoder on the full 30 s window, and the first ceil(n / 320) of its 1500 frames are
    averaged. Weights are float32, whatever the checkpoint holds.

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
        model,
        *,
        layer="last",
        pooling="mean",
        batch_size=8,
        device=None,
        cache=None,
        max_seconds=30.0,
        revision=None,
        name=None,
        verbose=False,
    ):
        self.model = model
        self.layer = layer
        self.pooling = pooling
        self.batch_size = batch_size
        self.device = device
        self.cache = cache
        self.max_seconds = max_seconds
        self.revision = revision
        self.name = name
        self.verbose = verbose

    # -- hooks of BaseEmbedder -----------------------------------------------------------------

    def _name(self):
        return self.name or Path(str(self.model)).name

    def _dimension(self):
        self._check()
        config, _ = _config(*locate(self.model), self.revision)
        width = config.d_model if config.model_type == "whisper" else config.hidden_size
        return width * len(self.pooling.split("+"))

    def _identity(self):
        folder = Path(str(self.model))
        if folder.is_dir():
            source = {"weights": hash_files(folder, _essential_files(folder))}
        else:
            _, commit = _config(*locate(self.model), self.revision)
            source = {"model": str(self.model), "revision": commit or self.revision}
        return source | {
            "layer": self._layer(),
            "pooling": self.pooling,
            "max_seconds": self.max_seconds,
            "dtype": "float32",
        }

    def _batch_key(self, signal):
        if count_pieces(len(signal), self.max_seconds) > 1:
            return "long", len(signal)
        config, _ = _config(*locate(self.model), self.revision)
        return ("equal", len(signal)) if _leaks_padding(config) else "any"

    def _embed(self, signals):
        import torch

        where = locate(self.model)
        config, _ = _config(*where, self.revision)
        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        network, extractor = _load(*where, self.revision, str(device))
        states = _whisper_states if config.model_type == "whisper" else _waveform_states
        totals = [_Moments() for _ in signals]
        pieces = [cut(signal, self.max_seconds) for signal in signals]
        with torch.inference_mode():
            for turn in range(max(map(len, pieces))):
                # Signals of one batch have equal numbers of pieces, or one each.
                batch = [piece[turn] for piece in pieces]
                for total, frames in zip(
                    totals, states(network, extractor, batch, self._layer(), device), strict=True
                ):
                    total.add(frames)
        return np.stack([total.pooled(self.pooling) for total in totals])

    def _layer(self):
        # A grid may hold numpy's integers, which neither JSON nor transformers takes.
        return self.layer if isinstance(self.layer, str) else int(self.layer)

    def _check(self):
        if self.pooling not in ("mean", "mean+std"):
            raise EmbedderError(f'pooling is {self.pooling!r}; use "mean" or "mean+std"')
        if self.layer not in ("last", "mean") and not isinstance(self.layer, (int, np.integer)):
            raise EmbedderError(f'layer is {self.layer!r}; use "last", "mean" or an index')
        if not self.batch_size >= 1:
            raise EmbedderError(f"batch_size is {self.batch_size!r}; use 1 or more")
        if not 1 <= self.max_seconds <= 30:
            raise EmbedderError(f"max_seconds is {self.max_seconds!r}; use 1 to 30")


# -- the two families --------------------------------------------------------------------------


def _whisper_states(network, extractor, signals, layer, device):
    """Hidden states over the real frames of each signal: list of (n_frames, dimension)."""
    mel = extractor(signals, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features
    output = network.encoder(mel.to(device), output_hidden_states=layer != "last")
    states = _select(output, layer)
    return [
        state[: -(-len(signal) // _WHISPER_SAMPLES_PER_FRAME)]
        for state, signal in zip(states, signals, strict=True)
    ]


def _waveform_states(network, extractor, signals, layer, device):
    """Hidden states over the real frames of each signal: list of (n_frames, dimension)."""
    import torch

    lengths = [len(signal) for signal in signals]
    if extractor.do_normalize:
        signals = [(s - s.mean()) / np.sqrt(s.var() + 1e-7) for s in signals]
    batch = np.zeros((len(signals), max(lengths)), dtype=np.float32)
    for row, signal in zip(batch, signals, strict=True):
        row[: len(signal)] = signal
    mask = None
    if not _leaks_padding(network.config):
        mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
        mask = mask.long().to(device)
    output = network(
        torch.from_numpy(batch).to(device),
        attention_mask=mask,
        output_hidden_states=layer != "last",
    )
    states = _select(output, layer)
    frames = network._get_feat_extract_output_lengths(torch.tensor(lengths)).tolist()
    return [state[:n] for state, n in zip(states, frames, strict=True)]


def _leaks_padding(config):
    """Whether padding reaches real frames even if it is masked.

    Group norm averages over it. So do convolutions behind the first layer, which see the padding as
    anything but zeros: those of a conformer, and data2vec's positional encoding.
    """
    norm = getattr(config, "feat_extract_norm", None)
    return norm == "group" or config.model_type not in _PADDING_PROOF


def _select(output, layer):
    import torch

    if layer == "last":
        return output.last_hidden_state
    if layer == "mean":
        return torch.stack(output.hidden_states).mean(dim=0)
    n = len(output.hidden_states)
    if not -n <= layer < n:
        raise EmbedderError(f"layer is {layer}; this model has hidden states 0 to {n - 1}")
    return output.hidden_states[layer]


class _Moments:
    """Mean and deviation over frames that arrive piece by piece."""

    def __init__(self):
        self._n, self._sum, self._squares = 0, 0.0, 0.0

    def add(self, frames):
        frames = frames.double().cpu().numpy()
        self._n += len(frames)
        self._sum = self._sum + frames.sum(axis=0)
        self._squares = self._squares + (frames**2).sum(axis=0)

    def pooled(self, pooling):
        mean = self._sum / self._n
        if pooling == "mean":
            return mean
        variance = np.maximum(self._squares / self._n - mean**2, 0)
        return np.concatenate([mean, np.sqrt(variance)])


# -- loading -----------------------------------------------------------------------------------


@lru_cache(maxsize=32)
def _config(model, state, revision):
    """Read the configuration and, for a model of the hub, its commit."""
    from transformers import AutoConfig
    from transformers.utils import cached_file
    from transformers.utils.hub import extract_commit_hash

    with _explained(model):
        resolved = cached_file(model, "config.json", revision=revision)
        config = AutoConfig.from_pretrained(model, revision=revision)
    if config.model_type != "whisper" and config.model_type not in _WAVEFORM_MODELS:
        raise EmbedderError(
            f"{model}: architecture {config.model_type!r}; known are whisper, "
            f"{', '.join(_WAVEFORM_MODELS)}; wrap any other in CallableEmbedder"
        )
    return config, extract_commit_hash(resolved, None)


@lru_cache(maxsize=2)
def _load(model, state, revision, device):
    """Frozen network in float32, and its feature extractor."""
    import torch
    from transformers import AutoFeatureExtractor, AutoModel

    # Weights are drawn at random before they are loaded; the user's generator stays where it was.
    with _explained(model), _quiet(), torch.random.fork_rng(devices=[]):
        extractor = AutoFeatureExtractor.from_pretrained(model, revision=revision)
        network, report = AutoModel.from_pretrained(
            model, revision=revision, dtype=torch.float32, output_loading_info=True
        )
    missing = sorted(
        key for key in report["missing_keys"] if not key.endswith(_NEVER_USED_AT_INFERENCE)
    )
    if missing:
        raise EmbedderError(
            f"{model}: {len(missing)} weights are not in the checkpoint and would be random "
            f"(first: {missing[0]}); take a checkpoint of the bare or pre-trained model"
        )
    if extractor.sampling_rate != SAMPLE_RATE:
        raise EmbedderError(
            f"{model}: it expects {extractor.sampling_rate} Hz; only models of 16000 Hz are used"
        )
    return network.eval().requires_grad_(False).to(device), extractor


@contextmanager
def _quiet():
    """Without the bar that transformers draws while it loads: embedders have one of their own."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _explained(model):
    return explained(
        model,
        "transformers",
        "config.json, preprocessor_config.json and model.safetensors",
        f"get it with: hf download {model}",
    )


def _essential_files(folder):
    """Weights, configuration and preprocessing of a local model."""
    names = ("config.json", "preprocessor_config.json")
    return [
        file
        for file in sorted(folder.iterdir())
        if file.suffix in (".safetensors", ".bin") or file.name in names
    ]
