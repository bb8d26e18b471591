"""What each layer of a frozen model tells about a voice: an SVM on every hidden state by itself.

Whole corpus, five folds of both protocols, for each seed of the folds. "last" is the paper's view.

    python benchmarks/bench_layers.py --root DATA/baved --model MODELS/whisper-tiny.en
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from sfmforensics.datasets import find_copies, load_baved
from sfmforensics.embedders import TransformersEmbedder
from sfmforensics.experiment import evaluate
from sfmforensics.model_selection import make_splits
from sfmforensics.presets import make_estimator

TASKS = {"speaker": "ASR %", "emotion": "SER %", "gender": "GR %", "age": "AE years"}


def layers_of(model, recordings, cache):
    """Columns of each layer, and of all side by side."""
    embed = TransformersEmbedder(model, layer="all", cache=cache, verbose=True)
    width = TransformersEmbedder(model).fit().get_feature_names_out().size
    X = embed.transform(recordings)
    layers = {str(i): X[:, i * width : (i + 1) * width] for i in range(X.shape[1] // width)}
    return layers | {"mean": np.mean(list(layers.values()), axis=0), "all": X}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="folder of BAVED")
    parser.add_argument("--model", required=True, help="a checkpoint of transformers")
    parser.add_argument("--cache", default="embeddings", help="folder that keeps the vectors")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()

    corpus = load_baved(options.root)
    copies, rows = find_copies(corpus.data), []
    for name, X in layers_of(options.model, corpus.data, options.cache).items():
        for seed in range(options.seeds):
            splits = {
                protocol: make_splits(corpus.target, protocol, seed=seed, copies=copies)
                for protocol in ("closed", "disjoint")
            }
            found = evaluate(
                X, corpus.target, {name: make_estimator("svm")}, splits, views="", n_jobs=2
            ).scores
            found = found[found["metric"].isin(["accuracy", "rmse"])]
            mean = found.groupby(["protocol", "task"])["value"].mean()
            rows.append(mean.rename(seed).reset_index(name="value").assign(layer=name, seed=seed))
    table = pd.concat(rows)
    table.loc[table["task"] != "age", "value"] *= 100
    table["task"] = table["task"].map(TASKS)
    found = table.groupby(["protocol", "layer", "task"], sort=False)["value"].agg(["mean", "std"])
    shown = found["mean"].map("{:.2f}".format) + " ± " + found["std"].map("{:.2f}".format)
    index = ["protocol", "layer"]
    print("SVC and SVR, C=10; mean over folds and seeds, standard deviation over seeds")
    print(shown.reset_index(name="x").pivot_table("x", index, "task", "first", sort=False))


if __name__ == "__main__":
    main()
