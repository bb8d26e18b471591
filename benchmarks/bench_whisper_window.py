"""What a shorter window of Whisper's encoder costs in accuracy, and what it gains in time.

For each window: seconds a recording on some recordings, taken in turn, as a ratio to the full
window's; then an SVM on the whole corpus over five folds of both protocols, for each seed of the
folds. "all 1500" averages the silence behind a recording as well; nobody should, it is here to be
compared with.

    python benchmarks/bench_whisper_window.py --root DATA/baved --model MODELS/whisper-tiny.en
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from sfmforensics.audio import SAMPLE_RATE
from sfmforensics.datasets import find_copies, load_baved
from sfmforensics.embedders import TransformersEmbedder
from sfmforensics.experiment import evaluate
from sfmforensics.model_selection import make_splits
from sfmforensics.presets import make_estimator

SCORES = {
    "speaker_accuracy": "ASR %",
    "emotion_accuracy": "SER %",
    "gender_accuracy": "GR %",
    "age_rmse": "AE years",
}


class EveryFrame(TransformersEmbedder):
    """Whisper with every frame of its window averaged, silence and all."""

    def _identity(self):
        return super()._identity() | {"frames": "all 1500"}

    def _states(self, signals):
        window = 30 * SAMPLE_RATE
        return super()._states([np.pad(s, (0, window - len(s))) for s in signals])


def make_embedders(model, windows, **options):
    embedders = {"full": TransformersEmbedder(model, **options)}
    for window in windows:
        embedders[str(window)] = TransformersEmbedder(model, window=window, **options)
    return embedders


def time_windows(embedders, recordings, rounds):
    """Seconds a recording, of each window in each round, without a cache."""
    rows = []
    for embedder in embedders.values():
        embedder.transform(recordings[:2])  # loads the model
    for _ in range(rounds):
        row = {}
        for name, embedder in embedders.items():
            start = time.perf_counter()
            embedder.transform(recordings)
            row[name] = (time.perf_counter() - start) / len(recordings)
        rows.append(row)
    return pd.DataFrame(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="folder of BAVED")
    parser.add_argument("--model", required=True, help="a Whisper checkpoint")
    parser.add_argument("--cache", default="embeddings", help="folder that keeps the vectors")
    parser.add_argument("--windows", nargs="*", default=["signal", "4", "8", "15"])
    parser.add_argument("--timed", type=int, default=32, help="recordings that are timed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--estimator", default="svm")
    options = parser.parse_args()
    windows = [w if w == "signal" else float(w) for w in options.windows]

    corpus = load_baved(options.root)
    step = len(corpus.data) // options.timed
    seconds = time_windows(
        make_embedders(options.model, windows), corpus.data[::step], options.rounds
    )
    ratio = seconds.rdiv(seconds["full"], axis=0)
    print(f"seconds a recording and speed-up over {options.rounds} rounds, median (min to max)")
    for name in seconds:
        low, middle, high = ratio[name].quantile([0, 0.5, 1])
        print(f"  {name:8s} {seconds[name].median():.4f} s  {middle:.1f} ({low:.1f} to {high:.1f})")

    embedders = make_embedders(options.model, windows, cache=options.cache, verbose=True)
    embedders["all 1500"] = EveryFrame(options.model, cache=options.cache, verbose=True)
    copies, tables = find_copies(corpus.data), []
    for name, embedder in embedders.items():
        X = embedder.set_output(transform="pandas").transform(corpus.data).add_prefix("whisper__")
        for seed in range(options.seeds):
            splits = {
                protocol: make_splits(corpus.target, protocol, seed=seed, copies=copies)
                for protocol in ("closed", "disjoint")
            }
            model = {name: make_estimator(options.estimator, "tuned", random_state=seed)}
            found = evaluate(X, corpus.target, model, splits, views="whisper", n_jobs=2)
            tables.append(found.scores.assign(seed=seed))
    scores = pd.concat(tables)
    scores["column"] = (scores["task"] + "_" + scores["metric"]).map(SCORES)
    scores.loc[scores["metric"] == "accuracy", "value"] *= 100
    by_seed = scores.groupby(["protocol", "model", "seed", "column"], sort=False)["value"].mean()
    table = by_seed.groupby(["protocol", "model", "column"], sort=False).agg(["mean", "std"])
    print(f"\n{options.estimator}, mean over folds; standard deviation over seeds of the folds")
    shown = table["mean"].map("{:.2f}".format) + " ± " + table["std"].map("{:.2f}".format)
    index = ["protocol", "model"]
    print(shown.reset_index(name="x").pivot_table("x", index, "column", "first", sort=False))


if __name__ == "__main__":
    main()
