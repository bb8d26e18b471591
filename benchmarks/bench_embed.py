"""Embedding against the loop a user would write: one file at a time, transformers' own classes.

A corpus of mixed lengths is synthesised; models have their real size and random weights, and
--whisper names a pre-trained checkpoint to be measured besides. Each round runs the loop and this
package in turn: the loop decodes, extracts features, runs the model and averages its last hidden
state; ours does that with an empty cache, and then again with a full one. Loading is not timed.

    python benchmarks/bench_embed.py --whisper MODELS/whisper-tiny.en
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import torch
import transformers
from _figures import figure, finish, ratio, timed

from sfmforensics.embedders import TransformersEmbedder

RATE = 16_000
MODELS = {
    "wav2vec2-base (group norm)": {},
    "wav2vec2-base, layer norm": {"feat_extract_norm": "layer", "do_stable_layer_norm": True},
}


class Timed(TransformersEmbedder):
    """Notes the seconds spent on the model, feature extraction included."""

    seconds = 0.0

    def _states(self, signals):
        start = time.perf_counter()
        try:
            return super()._states(signals)
        finally:
            Timed.seconds += time.perf_counter() - start


def write_corpus(folder, n_files, seconds):
    rng = np.random.default_rng(0)
    paths = []
    for index, duration in enumerate(rng.uniform(*seconds, size=n_files)):
        t = np.arange(int(duration * RATE)) / RATE
        voice = sum(np.sin(2 * np.pi * k * rng.uniform(90, 250) * t) / k for k in range(1, 6))
        paths.append(str(folder / f"{index}.wav"))
        soundfile.write(paths[-1], 0.1 * voice + 0.01 * rng.normal(size=t.size), RATE)
    return paths


def write_model(folder, options):
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(**options)
    transformers.Wav2Vec2Model(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(
        do_normalize=True, return_attention_mask="feat_extract_norm" in options
    ).save_pretrained(folder)
    return str(folder)


def user_loop(folder):
    """What a user would write; right, since there is no padding in a batch of one."""
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()

    def embed(paths):
        vectors = []
        for path in paths:
            signal, rate = soundfile.read(path, dtype="float32")
            inputs = extractor(signal, sampling_rate=rate, return_tensors="pt")
            with torch.inference_mode():
                if model.config.model_type == "whisper":
                    states = model.encoder(inputs.input_features).last_hidden_state
                    states = states[:, : math.ceil(len(signal) / 320)]
                else:
                    states = model(inputs.input_values).last_hidden_state
            vectors.append(states[0].mean(dim=0).numpy())
        return np.stack(vectors)

    return embed


def compare(folder, paths, rounds, root):
    """A row of seconds and ratios for each round."""
    loop = user_loop(folder)
    loop(paths[:1])
    Timed(folder).transform(paths[:1])
    rows = []
    for number in range(rounds):
        embedder = Timed(folder, cache=root / f"cache-{Path(folder).name}-{number}")
        Timed.seconds = 0.0
        if number % 2:  # in turn, too, which comes first
            found, ours = timed(embedder.transform, paths)
            expected, by_loop = timed(loop, paths)
        else:
            expected, by_loop = timed(loop, paths)
            found, ours = timed(embedder.transform, paths)
        in_model = Timed.seconds
        again, warm = timed(embedder.transform, paths)
        assert np.array_equal(found, again)
        scale = np.abs(expected).max(axis=1, keepdims=True)
        rows.append(
            {
                "loop": by_loop,
                "ours": ours,
                "model": in_model,
                "warm": warm,
                "difference": (np.abs(found - expected) / scale).max(),
            }
        )
    return pd.DataFrame(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whisper", help="folder of a Whisper checkpoint")
    parser.add_argument("--files", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--json")
    options = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        paths = write_corpus(root, options.files, (1.0, 6.0))
        length = sum(soundfile.info(path).duration for path in paths)
        folders = {
            name: write_model(root / f"model{i}", settings)
            for i, (name, settings) in enumerate(MODELS.items())
        }
        if options.whisper:
            folders[Path(options.whisper).name] = options.whisper
        figures = []
        for model, folder in folders.items():
            found = compare(folder, paths, options.rounds, root)
            figures += [
                figure(f"{model}: {len(paths)} files, {length:.0f} s", found["ours"], "s"),
                ratio(f"{model}: ours / user's loop", found["ours"], found["loop"]),
                ratio(f"{model}: ours / its time in the model", found["ours"], found["model"]),
                ratio(f"{model}: ours / again from the cache", found["ours"], found["warm"]),
                figure(f"{model}: vectors differ by at most", [found["difference"].max()], ""),
            ]
    finish(figures, options.json)


if __name__ == "__main__":
    main()
