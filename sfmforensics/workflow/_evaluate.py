"""Evaluate models on a corpus, and write what was found."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

from sfmforensics._files import write_atomically
from sfmforensics._progress import progress
from sfmforensics._versions import versions
from sfmforensics.datasets import find_copies
from sfmforensics.exceptions import SFMForensicsError
from sfmforensics.experiment import SPEAKER, audit, evaluate, make_splits, protocols_of
from sfmforensics.presets import MODELS
from sfmforensics.targets import task_kind
from sfmforensics.views import make_views
from sfmforensics.workflow._common import build_estimator, make_folder


def evaluate_corpus(
    corpus,
    views,
    output,
    *,
    models=("tango",),
    preset="tuned",
    protocol="both",
    folds=5,
    seed=0,
    epochs=None,
    cache=None,
    device=None,
    n_jobs=1,
    name="corpus",
    root="",
    command="",
    verbose=False,
):
    """Evaluate models on a corpus, and write what was found.

    Parameters
    ----------
    corpus : Bunch
        As the loaders of `sfmforensics.datasets` give it.
    views : sequence of str
        Specs for `make_views`.
    output : path-like
        Folder for ``scores.csv``, ``predictions.csv`` (of the first model; of each further one
        ``predictions-MODEL.csv``), ``config.json`` and the figures.
    models : sequence of str, default=("tango",)
        Of `sfmforensics.presets.MODELS`.
    preset : {"paper", "tuned"}, default="tuned"
        Settings of the models.
    protocol : {"closed", "disjoint", "both"}, default="both"
        Which folds.
    folds : int, default=5
        Number of folds.
    seed : int, default=0
        Seed of the folds and of the models.
    epochs : int or None, default=None
        Passes over the data; the preset's by default.
    cache : path-like or None, default=None
        Folder that keeps the embeddings.
    device : str or None, default=None
        A torch device; None takes CUDA if there is one.
    n_jobs : int, default=1
        Folds at a time.
    name, root, command : str
        Where the corpus came from and what repeats this, for the report.
    verbose : bool, default=False
        Show progress bars.

    Returns
    -------
    Evaluation
        See `sfmforensics.experiment.evaluate`.

    Raises
    ------
    SFMForensicsError
        Something that was asked for does not exist; before anything is computed.
    AudioError
        A recording cannot be used; vectors computed before are in the cache.
    """
    from sfmforensics.report import save_figures

    started = time.monotonic()
    protocols = protocols_of(protocol)
    models = list(dict.fromkeys(models))
    if not models:
        raise SFMForensicsError(f"no model was named; there are {', '.join(MODELS)}")
    estimators = {
        model: build_estimator(model, preset, views, seed, epochs, device) for model in models
    }
    union = make_views(*views, cache=cache, device=device, verbose=verbose)
    union.fit(corpus.data)  # says at once if a model is not there
    copies = find_copies(corpus.data, verbose=verbose)
    splits = {
        p: make_splits(corpus.target, p, folds=folds, seed=seed, copies=copies) for p in protocols
    }
    output = Path(output)
    make_folder(output)
    X = union.transform(corpus.data)
    names = [view for view, _ in union.transformer_list]
    fits = len(models) * sum(map(len, splits.values()))
    with progress("evaluating", fits, verbose) as advance:
        found = evaluate(
            X,
            corpus.target,
            estimators,
            splits,
            views="+".join(names),
            paths=_names(corpus.data),
            n_jobs=n_jobs,
            advance=advance,
        )
    config = {
        "command": command,
        "corpus": name,
        "root": str(root),
        "views": names,
        "specs": [str(view) for view in views],
        "models": models,
        "preset": preset,
        "parameters": {
            model: {key: _plain(value) for key, value in estimator.get_params().items()}
            for model, estimator in estimators.items()
        },
        "protocols": list(protocols),
        "folds": folds,
        "seed": seed,
        "recordings": len(corpus.data),
        "speakers": int(corpus.target[SPEAKER].nunique()) if SPEAKER in corpus.target else None,
        "tasks": {str(task): task_kind(corpus.target[task]) for task in corpus.target},
        "audit": audit(corpus.target, copies, splits),
        "versions": versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - started, 1),
    }
    write_atomically(output / "scores.csv", found.scores.to_csv(index=False))
    for position, (model, predictions) in enumerate(found.predictions.items()):
        file = "predictions.csv" if position == 0 else f"predictions-{model}.csv"
        write_atomically(output / file, predictions.to_csv(index=False))
    write_atomically(output / "config.json", json.dumps(config, indent=2, ensure_ascii=False))
    save_figures(output, found.scores, found.predictions[models[0]])
    return found


def _names(recordings):
    return [r if isinstance(r, str) else f"recording {i}" for i, r in enumerate(recordings)]


def _plain(value):
    return value if isinstance(value, (int, float, str, bool, type(None))) else str(value)
