"""Loading a checkpoint of transformers: by name or from a folder, whole and frozen."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sfmforensics.audio import SAMPLE_RATE
from sfmforensics.embedders._hub import explained, find_folder, how_to_get
from sfmforensics.exceptions import EmbedderError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import Any

    from sfmforensics._types import PathLike
    from sfmforensics.embedders._hub import Found, State

WHISPER, MEL = "whisper", "wav2vec2-bert"
WAVEFORM_MODELS = (
    "wav2vec2",
    "hubert",
    "wavlm",
    "unispeech",
    "unispeech-sat",
    "data2vec-audio",
    "wav2vec2-conformer",
)
_CONFIG, _PREPROCESSING = "config.json", ("preprocessor_config.json", "processor_config.json")
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_NEVER_USED_AT_INFERENCE = ("masked_spec_embed",)
_TO_ENCODER = {r"^(model\.)?encoder\.": ""}
"""Weights of Whisper's encoder: in a model with a head, in one without, and by themselves."""


def find_checkpoint(model: PathLike, revision: str | None) -> Found:
    """Find the folder of a checkpoint; one of the hub is fetched if need be. See `find_folder`."""
    return find_folder(model, revision, _needed, _explained)


def essential_files(folder: Path) -> list[Path]:
    """Weights, configuration and preprocessing of a local model."""
    names = (_CONFIG, next((n for n in _PREPROCESSING if (folder / n).exists()), ""))
    return [
        file
        for file in sorted(folder.iterdir())
        if file.suffix in (".safetensors", ".bin") or file.name in names
    ]


def _needed(names: Sequence[str]) -> list[str]:
    """Pick the files to fetch: one copy of the weights, whatever other formats there are."""
    if _CONFIG not in names:
        raise FileNotFoundError(f"there is no {_CONFIG} in it")
    preprocessing = [name for name in _PREPROCESSING if name in names][:1]
    if not preprocessing:
        raise FileNotFoundError(f"there is no {_PREPROCESSING[0]} in it")
    for weights in _WEIGHTS:
        if weights in names:
            return [_CONFIG, *preprocessing, weights]
        stem, suffix = weights.split(".")
        parts = [n for n in names if re.fullmatch(rf"{stem}-\d+-of-\d+\.{suffix}", n)]
        index = f"{weights}.index.json"
        if index in names and parts and len(parts) == int(re.findall(r"\d+", parts[0])[-1]):
            return [_CONFIG, *preprocessing, index, *parts]
    raise FileNotFoundError(f"there is neither {' nor '.join(_WEIGHTS)} in it")


@lru_cache(maxsize=32)
def load_config(model: str, folder: str, state: State) -> Any:
    """Read the configuration of a checkpoint, and refuse what is no known speech model."""
    from transformers import AutoConfig

    with _explained(model):
        # Read before any class of transformers sees it: an unknown kind may bring code of its own,
        # which must neither run nor be asked about.
        kind = json.loads((Path(folder) / _CONFIG).read_text(encoding="utf-8")).get("model_type")
        if kind not in (WHISPER, MEL, *WAVEFORM_MODELS):
            raise EmbedderError(
                f"{model}: architecture {kind!r}; known are {WHISPER}, {MEL}, "
                f"{', '.join(WAVEFORM_MODELS)}; wrap any other in CallableEmbedder"
            )
        config = AutoConfig.from_pretrained(folder)
    config.adapter_left_out = bool(getattr(config, "add_adapter", False))
    config.add_adapter = False  # what fine-tuning put behind the encoder is not the model's
    return config


@lru_cache(maxsize=2)
def load_network(model: str, folder: str, state: State, device: str, dtype: str) -> tuple[Any, Any]:
    """Load a frozen network and its feature extractor."""
    import torch
    from transformers import AutoFeatureExtractor, AutoModel

    config = load_config(model, folder, state)
    # Weights are drawn at random before they are loaded; the user's generator stays where it was.
    with _explained(model), _quiet(), torch.random.fork_rng(devices=[]):
        extractor = AutoFeatureExtractor.from_pretrained(folder)
        options = {"config": config, "dtype": getattr(torch, dtype), "output_loading_info": True}
        if config.model_type == WHISPER:
            network, report = _whisper_encoder().from_pretrained(
                folder, key_mapping=_TO_ENCODER, **options
            )
        else:
            network, report = AutoModel.from_pretrained(folder, **options)
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


def _whisper_encoder() -> Any:
    """The encoder alone as a model of its own: whoever keeps it, the decoder is never built."""
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    return WhisperEncoder


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the bar that transformers draws while it loads: embedders have one of their own.

    Nor its report of what a checkpoint lacks or has besides, which is a line a weight: what it
    lacks is said here, in one line.
    """
    from transformers.utils import logging

    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(max(verbosity, logging.ERROR))
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()


def _explained(model: str, revision: str | None = None) -> AbstractContextManager[None]:
    return explained(
        model,
        "transformers",
        "config.json, preprocessor_config.json and model.safetensors",
        how_to_get(model, revision),
    )
