"""Whether transport helps where its tokens are stretches of time, aligned with one another.

Views of a recording in time instead of their averages: MFCC and the mean hidden state of Whisper's
layers, each averaged over `--segments` stretches of equal length, which are the tokens. Beside
TANGO, which transports the stretches of one view onto those of the other: concatenation of the
same tokens with as many parameters, and TANGO on the averages over the whole recording. One
network of the tuned settings, both protocols; folds, tests and kept answers as in accuracy.py.

    python benchmarks/bench_time.py --root DATA/baved --whisper MODELS/whisper-tiny.en
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

os.environ.setdefault("POT_BACKEND_DISABLE_TENSORFLOW", "1")

import librosa
import numpy as np
import torch
from accuracy import PROTOCOLS, TASKS, Single, cells, compare, markdown
from torch import nn

from sfmforensics import make_views
from sfmforensics.datasets import find_copies, load_corpus
from sfmforensics.embedders import CallableEmbedder
from sfmforensics.presets import TUNED, make_estimator

RATE = 16_000


def stretches(frames, n):
    """Means over `n` stretches of equal length: (n_frames, dimension) -> (n * dimension,)."""
    edges = np.linspace(0, len(frames), n + 1)
    starts = np.floor(edges[:-1]).astype(int)
    stops = np.maximum(np.ceil(edges[1:]).astype(int), starts + 1)
    means = [frames[a:b].mean(axis=0) for a, b in zip(starts, stops, strict=True)]
    return np.concatenate(means).astype(np.float32)


def mfcc(signal, n):
    return stretches(librosa.feature.mfcc(y=signal, sr=RATE, n_mfcc=40).T, n)


class Whisper:
    """Mean over the layers of the encoder's states, run on the recording alone."""

    def __init__(self, folder, n):
        from transformers import WhisperFeatureExtractor, WhisperModel

        self.extractor = WhisperFeatureExtractor.from_pretrained(folder)
        self.encoder = WhisperModel.from_pretrained(folder, dtype=torch.float32).encoder.eval()
        self.n, self.width = n, self.encoder.config.d_model

    def __call__(self, signal):
        """(n_samples,) -> (n * width,)."""
        mel = self.extractor(signal, sampling_rate=RATE, return_tensors="pt").input_features
        frames = min(-(-len(signal) // 320), 1500)
        with torch.inference_mode():
            states = self.states(mel, frames)
        return stretches(states.numpy(), self.n)

    def states(self, mel, frames):
        """Whole window in, states of the real frames out: (frames, dimension)."""
        found = self.encoder(mel, output_hidden_states=True).hidden_states
        return torch.stack(found)[:, 0, :frames].mean(dim=0)


class Stretches(nn.Module):
    """Each stretch is a token, by one linear map for all of them."""

    def __init__(self, width, n, token_dim=64, dropout=TUNED["dropout"]):
        super().__init__()
        self.n = n
        self.linear, self.norm = nn.Linear(width // n, token_dim), nn.LayerNorm(token_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        """(batch, width) -> (batch, n, token_dim)."""
        return self.dropout(self.norm(self.linear(x.unflatten(1, (self.n, -1)))))


class Averages(nn.Module):
    """The average over all stretches, and from it as many tokens as in the tuned settings."""

    def __init__(self, width, n, token_dim=64, dropout=TUNED["dropout"]):
        super().__init__()
        self.n, self.shape = n, (TUNED["n_tokens"], token_dim)
        self.linear = nn.Linear(width // n, self.shape[0] * token_dim)
        self.norm, self.dropout = nn.LayerNorm(token_dim), nn.Dropout(dropout)

    def forward(self, x):
        """(batch, width) -> (batch, n_tokens, token_dim)."""
        mean = x.unflatten(1, (self.n, -1)).mean(dim=1)
        return self.dropout(self.norm(self.linear(mean).unflatten(1, self.shape)))


def systems(n):
    """Name, model and settings; the first is what the others are compared with."""
    in_time, averages = partial(Stretches, n=n), partial(Averages, n=n)
    yield "TANGO, stretches of time", "tango", {"encoder": in_time}
    yield "the same, reg 0.02", "tango", {"encoder": in_time, "reg": 0.02}
    # Of two views transport gives the heads twice the tokens.
    wide = {"encoder": in_time, "head": 2 * TUNED["head"]}
    yield "concatenation of the same stretches, as many parameters", "concat", wide
    yield "TANGO, averages over the recording", "tango", {"encoder": averages}


def load(options):
    corpus = load_corpus("baved", options.root)
    whisper, n = Whisper(options.whisper, options.segments), options.segments
    cached = {"cache": options.cache, "verbose": True}
    views = make_views(
        CallableEmbedder(partial(mfcc, n=n), 40 * n, name="mfcc", identity=f"{n}", **cached),
        CallableEmbedder(
            whisper, whisper.width * n, name="whisper", identity=f"{options.whisper} {n}", **cached
        ),
    )
    return corpus, views.fit_transform(corpus.data).reset_index(drop=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="folder of BAVED")
    parser.add_argument("--whisper", required=True, help="folder of a Whisper checkpoint")
    parser.add_argument("--segments", type=int, default=16)
    parser.add_argument("--cache", default="embeddings")
    parser.add_argument("--keep", default="accuracy", help="folder that keeps the answers")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--protocols", nargs="*", default=PROTOCOLS, choices=PROTOCOLS)
    parser.add_argument("--kept", action="store_true", help="report what is kept; fit nothing")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    corpus, X = load(options)
    single = Single(options, corpus, X, find_copies(corpus.data))
    page = f"# Transport of time onto time, {options.segments} stretches, {options.seeds} seeds\n"
    for protocol in options.protocols:
        rows, base = [], None
        for name, model, settings in systems(options.segments):
            outcomes = []
            for seed in range(options.seeds):
                estimator = make_estimator(
                    model, "tuned", random_state=seed, **({"n_members": 1} | settings)
                )
                outcomes.append(single(name, protocol, seed, estimator))
            if None in outcomes:
                continue
            row = {"": name} | cells(outcomes)
            for task, column in TASKS.items():
                if base and task in outcomes[0]["scores"]:
                    tested = compare(outcomes, base, task)
                    row[f"Δ {column}"] = f"{tested.difference:+.2f} (p {tested.p:.2f})"
            base = base or outcomes
            rows.append(row)
        page += f"\n## {protocol}\n\nΔ: against the first row; p: corrected resampled t-test.\n\n"
        page += markdown(rows)
    print(page)
    if options.output:
        options.output.write_text(page)


if __name__ == "__main__":
    main()
