"""Train a model, load it, and let it answer."""

from __future__ import annotations

import os
from pathlib import Path

import joblib
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline

from sfmforensics._files import replacing
from sfmforensics.audio import stream_audio
from sfmforensics.exceptions import AudioError, SFMForensicsError
from sfmforensics.targets import CLASSIFICATION, TargetCodec
from sfmforensics.views import make_views
from sfmforensics.workflow._common import build_estimator, make_folder


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
    estimator = build_estimator(model, preset, views, seed, epochs, device)
    union = make_views(*views, cache=cache, device=device, verbose=verbose)
    TargetCodec().fit(corpus.target)  # says at once if there is nothing to learn
    make_folder(output.parent)
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
            for _ in stream_audio(file, min_samples=least):
                pass  # only whether it can be used is asked here; no recording is held whole
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
