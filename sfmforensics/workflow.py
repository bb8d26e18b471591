"""What the commands do, for those who call them from Python: evaluate, train, predict."""

from __future__ import annotations

import json
import os
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import joblib
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline

from sfmforensics._files import replacing, write_atomically
from sfmforensics._progress import progress
from sfmforensics.audio import read_audio
from sfmforensics.datasets import find_copies
from sfmforensics.exceptions import AudioError, SFMForensicsError, ViewError
from sfmforensics.experiment import SPEAKER, audit, evaluate, make_splits, protocols_of
from sfmforensics.presets import MODELS, make_estimator
from sfmforensics.targets import CLASSIFICATION, TargetCodec, task_kind
from sfmforensics.views import make_views

_PACKAGES = (
    *("sfmforensics", "numpy", "scipy", "pandas", "scikit-learn", "torch", "skorch", "POT"),
    *("transformers", "librosa", "soundfile", "soxr"),
)


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
    estimators = {model: _estimator(model, preset, views, seed, epochs, device) for model in models}
    union = make_views(*views, cache=cache, device=device, verbose=verbose)
    union.fit(corpus.data)  # says at once if a model is not there
    copies = find_copies(corpus.data, verbose=verbose)
    splits = {
        p: make_splits(corpus.target, p, folds=folds, seed=seed, copies=copies) for p in protocols
    }
    output = Path(output)
    _make_folder(output)
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


def train_model(
    corpus,
    views,
    output,
    *,
    model="tango",
    preset="tuned",
    seed=0,
    epochs=None,
    cache=None,
    device=None,
    verbose=False,
):
    """Fit one model on a whole corpus, from recordings to answers, and save it with joblib.

    Parameters
    ----------
    corpus : Bunch
        As the loaders of `sfmforensics.datasets` give it.
    views : sequence of str
        Specs for `make_views`.
    output : path-like
        File for the model.
    model, preset, seed, epochs, cache, device, verbose
        As in `evaluate_corpus`.

    Returns
    -------
    Pipeline
        From recordings to answers. It keeps the place of the SFM, not its weights.
    """
    output = Path(output)
    if output.is_dir():
        raise SFMForensicsError(f"{output} is a folder; name a file, as in {output}/tango.joblib")
    estimator = _estimator(model, preset, views, seed, epochs, device)
    union = make_views(*views, cache=cache, device=device, verbose=verbose)
    TargetCodec().fit(corpus.target)  # says at once if there is nothing to learn
    _make_folder(output.parent)
    if verbose and "verbose" in estimator.get_params():
        estimator.set_params(verbose=2)
    pipeline = make_pipeline(union, estimator).fit(corpus.data, corpus.target)
    if verbose and "verbose" in estimator.get_params():
        estimator.set_params(verbose=0)
    for _, embedder in union.transformer_list:
        # The cache of this machine is of no use to the next, nor are its progress bars.
        embedder.set_params(cache=None, verbose=False)
    with replacing(output) as temporary:
        joblib.dump(pipeline, temporary)
    return pipeline


def load_model(path):
    """Load a model that `train_model` saved.

    Parameters
    ----------
    path : path-like
        The file. Loading runs code that is in it: open only models whose origin you trust.

    Returns
    -------
    Pipeline

    Raises
    ------
    SFMForensicsError
        There is no such file, or it is no model.

    Examples
    --------
    >>> load_model("missing.joblib")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.SFMForensicsError: missing.joblib: no such file; make one with:
    sfmforensics train --output missing.joblib
    """
    path = Path(path)
    if not path.is_file():
        raise SFMForensicsError(
            f"{path}: no such file; make one with: sfmforensics train --output {path}"
        )
    try:
        model = joblib.load(path)
    except Exception as error:  # whatever unpickling a stranger's bytes may raise
        raise SFMForensicsError(
            f"{path}: it cannot be loaded as a model ({type(error).__name__}: {error}); name a "
            "file that sfmforensics train wrote"
        ) from error
    if not isinstance(model, Pipeline) or not hasattr(model[0], "transformer_list"):
        raise SFMForensicsError(
            f"{path}: it holds a {type(model).__name__}, not a model from recordings to answers; "
            "name a file that sfmforensics train wrote"
        )
    return model


def predict_files(model, files, *, verbose=False):
    """Answers for recordings, with the probability of each label.

    Parameters
    ----------
    model : Pipeline
        From recordings to answers, as `train_model` makes it.
    files : sequence of path-like
        Recordings.
    verbose : bool, default=False
        Show progress bars.

    Returns
    -------
    answers : DataFrame
        A row for each recording that can be used: "path", each task, and "TASK_probability" for
        classes where the model gives any.
    refused : list of AudioError
        One for each other recording.
    """
    usable, refused = [], []
    least = max(embedder._min_samples for _, embedder in model[0].transformer_list)
    for file in files:
        try:
            read_audio(file, min_samples=least)
            usable.append(os.fspath(file))
        except AudioError as error:
            refused.append(error)
    if not usable:
        return pd.DataFrame(columns=["path"]), refused
    views, estimator = clone(model[0]), model[-1]
    for _, embedder in views.transformer_list:
        embedder.set_params(verbose=verbose)
    X = views.transform(usable)
    answers = pd.concat([pd.DataFrame({"path": usable}), estimator.predict(X)], axis=1)
    if hasattr(estimator, "predict_proba"):
        tasks = [name for name, kind in estimator.tasks_.items() if kind == CLASSIFICATION]
        for task, probabilities in zip(tasks, estimator.predict_proba(X), strict=True):
            place = answers.columns.get_loc(task) + 1
            answers.insert(place, f"{task}_probability", probabilities.max(axis=1))
    return answers, refused


def versions():
    """Versions of Python and of the packages that figures depend on.

    Returns
    -------
    dict of str to str
    """
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _estimator(model, preset, views, seed, epochs, device):
    from sfmforensics.nn.training import check_device

    check_device(device)
    overrides = {"random_state": seed}
    if model != "svm":
        overrides["device"] = device or "auto"
        if epochs is not None:
            overrides["max_epochs"] = epochs
    if model in ("tango", "concat") and len(views) == 1:
        raise ViewError(
            f"{model} fuses two or more views, but only {views[0]} was asked for; add "
            "another (--views mfcc,prosody), or use --model single"
        )
    return make_estimator(model, preset, **overrides)


def _make_folder(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SFMForensicsError(
            f"{folder}: this folder cannot be made ({error.strerror}); choose another output"
        ) from error


def _names(recordings):
    return [r if isinstance(r, str) else f"recording {i}" for i, r in enumerate(recordings)]


def _plain(value):
    return value if isinstance(value, (int, float, str, bool, type(None))) else str(value)
