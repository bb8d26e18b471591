"""Hidden states of models of transformers, over the real frames of signals in a batch."""

from __future__ import annotations

import copy
import warnings
from math import ceil, log
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.audio import SAMPLE_RATE
from sfmforensics.embedders._hf_checkpoints import MEL, WHISPER
from sfmforensics.exceptions import EmbedderError

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from typing import Any

    import torch

    from sfmforensics._types import Signal

WHISPER_SAMPLES_PER_FRAME = 320  # 10 ms hop, halved by the encoder's second convolution
_WHISPER_REACH = 400  # samples of a mel frame's window
_PADDING_PROOF = ("wav2vec2", "hubert", "wavlm", "unispeech", "unispeech-sat")
_ALIKE = log(1.1)


def batch_key(config: Any, n_samples: int, window: str | float, on_cpu: bool) -> Hashable:
    """Say with which other signals one may share a batch."""
    if config.model_type == WHISPER:
        return window_frames(n_samples, window)
    if leaks_padding(config) or on_cpu:
        return n_samples
    # Lengths within 10 %: any might share a batch, but padding is computed like speech.
    return "about", int(log(n_samples) / _ALIKE)


def leaks_padding(config: Any) -> bool:
    """Whether padding reaches real frames even if it is masked.

    Group norm averages over it. So do convolutions behind the first layer, which see the padding as
    anything but zeros: those of a conformer, and data2vec's positional encoding.
    """
    norm = getattr(config, "feat_extract_norm", None)
    return norm == "group" or config.model_type not in _PADDING_PROOF


def window_frames(n_samples: int, window: Any) -> int:
    """Count the frames on which Whisper's encoder runs for a signal, 20 ms each."""
    if window == "full":
        return 1500
    real = ceil(n_samples / WHISPER_SAMPLES_PER_FRAME)
    return real if window == "signal" else max(real, round(window * 50))


def hidden_states(
    network: Any, extractor: Any, signals: Sequence[Signal], layer: str | int, window: str | float
) -> list[torch.Tensor]:
    """Hidden states of signals over their real frames."""
    kind = network.config.model_type
    if kind == WHISPER:
        return _of_whisper(network, extractor, signals, layer, window)
    if kind == MEL:
        return _of_mel(network, extractor, signals, layer)
    return _of_waveform(network, extractor, signals, layer)


def _of_whisper(
    network: Any, extractor: Any, signals: Sequence[Signal], layer: str | int, window: str | float
) -> list[torch.Tensor]:
    frames = window_frames(max(map(len, signals)), window)
    # Silence follows up to the window's end, and as far as its last mel frame hears.
    heard = min(frames * WHISPER_SAMPLES_PER_FRAME + _WHISPER_REACH, extractor.n_samples)
    mel = extractor(signals, sampling_rate=SAMPLE_RATE, return_tensors="pt", max_length=heard)
    mel = mel.input_features[..., : 2 * frames].to(network.device, network.dtype)
    output = _cut_to(network, frames)(mel, output_hidden_states=layer != "last")
    return [
        state[: ceil(len(signal) / WHISPER_SAMPLES_PER_FRAME)]
        for state, signal in zip(_select(output, layer), signals, strict=True)
    ]


def _cut_to(encoder: Any, frames: int) -> Any:
    """Whisper's encoder for a shorter window: the same weights, and the first positions of them."""
    import torch

    if frames == encoder.config.max_source_positions:
        return encoder
    short = copy.copy(encoder)
    short._modules = dict(encoder._modules)
    short.config = copy.copy(encoder.config)
    short.config.max_source_positions = frames
    positions = encoder.embed_positions.weight[:frames]
    short.embed_positions = torch.nn.Embedding.from_pretrained(positions)
    return short


def _of_mel(
    network: Any, extractor: Any, signals: Sequence[Signal], layer: str | int
) -> list[torch.Tensor]:
    inputs = extractor(signals, sampling_rate=SAMPLE_RATE, return_tensors="pt")
    mask = inputs.attention_mask.to(network.device)
    output = network(
        inputs.input_features.to(network.device, network.dtype),
        attention_mask=mask,
        output_hidden_states=layer != "last",
    )
    # An odd number of mel frames leaves half a frame over, which the extractor fills and masks.
    return [state[real.bool()] for state, real in zip(_select(output, layer), mask, strict=True)]


def _of_waveform(
    network: Any, extractor: Any, signals: Sequence[Signal], layer: str | int
) -> list[torch.Tensor]:
    import torch

    lengths = [len(signal) for signal in signals]
    if extractor.do_normalize:
        signals = [(s - s.mean()) / np.sqrt(s.var() + 1e-7) for s in signals]
    batch = np.zeros((len(signals), max(lengths)), dtype=np.float32)
    for row, signal in zip(batch, signals, strict=True):
        row[: len(signal)] = signal
    mask = None
    if min(lengths) < max(lengths):
        mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
        mask = mask.long().to(network.device)
    with warnings.catch_warnings():
        # WavLM hands torch a boolean mask beside one of numbers, which torch says of every batch.
        warnings.filterwarnings("ignore", message="Support for mismatched")
        output = network(
            torch.from_numpy(batch).to(network.device, network.dtype),
            attention_mask=mask,
            output_hidden_states=layer != "last",
        )
    frames = network._get_feat_extract_output_lengths(torch.tensor(lengths)).tolist()
    return [state[:n] for state, n in zip(_select(output, layer), frames, strict=True)]


def _select(output: Any, layer: Any) -> Any:
    import torch

    if layer == "last":
        return output.last_hidden_state
    if layer == "mean":
        return torch.stack(output.hidden_states).float().mean(dim=0)
    if layer == "all":
        return torch.cat(output.hidden_states, dim=2)
    n = len(output.hidden_states)
    if not -n <= layer < n:
        raise EmbedderError(f"layer is {layer}; this model has hidden states 0 to {n - 1}")
    return output.hidden_states[layer]
