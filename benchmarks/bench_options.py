"""What the options of fitting do to accuracy on BAVED, each beside the same model without it.

Views: MFCC (mean and deviation) and the GE2E d-vectors that come with this workplace's data; for
"three views" Whisper besides. Five folds, the closed protocol, the mean over a few seeds of folds
and networks, with the deviation over the seeds. Nothing is chosen by these figures but the defaults
that the documentation explains by them.

    python benchmarks/bench_options.py --baved DIR --dvector FILE.npz --whisper DIR --cache DIR
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from unittest.mock import patch

os.environ.setdefault("POT_BACKEND_DISABLE_TENSORFLOW", "1")

import numpy as np
import pandas as pd
import torch

from sfmforensics import make_views
from sfmforensics.datasets import find_copies, load_baved
from sfmforensics.embedders import MFCCEmbedder
from sfmforensics.experiment import evaluate
from sfmforensics.model_selection import make_splits
from sfmforensics.nn.fusion import GatedTransport
from sfmforensics.nn.transport import transport_cost
from sfmforensics.presets import make_estimator

PLAIN = {
    "hidden": (200,),
    "head": 30,
    "learning_rate": 1e-3,
    "batch_size": 32,
    "max_epochs": 30,
    "regression_loss": "rmse",
    "n_members": 1,
}
"""One network, as the tuned preset was before these options were tried."""
YEARS = {"regression_loss": "distribution"}
STEADY = {"schedule": "constant", "max_epochs": 60}


class ByBarycentre(GatedTransport):
    """Each view to and from the free-support barycentre of all, instead of each pair; not offered.

    Its tokens start as those of the shortest view and take `steps` steps of the fixed point.
    """

    steps = 2

    def __init__(self, shapes, **options):
        super().__init__(shapes, **options)
        self.pairs = [(view, view) for view in range(len(shapes))]
        self.width = 2 * sum(length * dim for length, dim in shapes)

    def plans(self, views):  # noqa: D102 - as in the class that it replaces
        return self._to_barycentre(views)[0]

    def _to_barycentre(self, views):
        centre = min(views, key=lambda view: view.shape[1])
        for _ in range(self.steps):
            plans = [self._plan(transport_cost(centre, view)) for view in views]
            moved = [plan @ view for plan, view in zip(plans, views, strict=True)]
            centre = torch.stack(moved).mean(dim=0) * centre.shape[1]
        return [self._plan(transport_cost(centre, view)) for view in views], centre

    def forward(self, views):  # noqa: D102
        views = self.gate(views)
        plans, centre = self._to_barycentre(views)
        parts = []
        for view, plan in zip(views, plans, strict=True):
            scale = view.shape[1] if self.transport == "barycentric" else 1
            parts += [view.flatten(1), (plan.mT @ centre * scale).flatten(1)]
        return torch.cat(parts, dim=1)


CASES = {
    "plain": (2, "tango", {}),
    "Huber": (2, "tango", {"regression_loss": "huber"}),
    "years as a distribution": (2, "tango", YEARS),
    "  concatenation": (2, "concat", YEARS),
    "  mixup 0.2": (2, "tango", YEARS | {"mixup": 0.2}),
    "  dynamic weight average": (2, "tango", YEARS | {"loss_weighting": "dwa"}),
    "  uncertainty": (2, "tango", YEARS | {"loss_weighting": "uncertainty"}),
    "  balanced classes": (2, "tango", YEARS | {"class_weight": "balanced"}),
    "  alignment 0.1": (2, "tango", YEARS | {"transport_weight": 0.1}),
    "  mass 0.7": (2, "tango", YEARS | {"mass": 0.7}),
    "  60 epochs, constant rate": (2, "tango", YEARS | STEADY),
    "  the same, early stopping": (2, "tango", YEARS | STEADY | {"early_stopping": True}),
    "three views, each pair": (3, "tango", YEARS),
    "  to their barycentre": (3, ByBarycentre, YEARS),
    "  concatenation ": (3, "concat", YEARS),
}


def load(options):
    corpus = load_baved(options.baved)
    stored = np.load(options.dvector, allow_pickle=True)
    rows = {str(file): row for row, file in enumerate(stored["files"])}
    names = [str(Path(path).relative_to(options.baved)) for path in corpus.data]
    vectors = stored["dvec"][[rows[name if name in rows else Path(name).name] for name in names]]
    views = make_views(
        MFCCEmbedder(statistics=("mean", "std")),
        f"whisper={options.whisper}",
        cache=options.cache,
    ).set_output(transform="pandas")
    X = views.fit_transform(corpus.data).reset_index(drop=True)
    X = X.join(pd.DataFrame(vectors.astype(np.float32)).add_prefix("dvector__"))
    return corpus, X


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--baved", required=True)
    parser.add_argument("--dvector", required=True)
    parser.add_argument("--whisper", required=True)
    parser.add_argument("--cache", required=True)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    corpus, X = load(options)
    copies = find_copies(corpus.data)
    for name, (n_views, model, settings) in CASES.items():
        data = X if n_views == 3 else X[[column for column in X if "whisper" not in column]]
        fusion, model = (GatedTransport, model) if isinstance(model, str) else (model, "tango")
        found, start = [], time.perf_counter()
        for seed in range(options.seeds):
            estimator = make_estimator(model, "tuned", random_state=seed, **(PLAIN | settings))
            splits = {"closed": make_splits(corpus.target, "closed", seed=seed, copies=copies)}
            with patch("sfmforensics.nn.network.GatedTransport", fusion):
                scores = evaluate(data, corpus.target, {name: estimator}, splits, views="").scores
            scores = scores[scores["metric"].isin(["accuracy", "rmse"])]
            found.append(scores.groupby("task")["value"].mean() * [1, 100, 100, 100])
        found = pd.DataFrame(found)[["speaker", "emotion", "gender", "age"]]
        texts = [f"{task} {found[task].mean():5.2f} ({found[task].std():.2f})" for task in found]
        seconds = (time.perf_counter() - start) / options.seeds
        print(f"{name:28s} {'  '.join(texts)}  {seconds:4.0f} s a seed", flush=True)


if __name__ == "__main__":
    main()
