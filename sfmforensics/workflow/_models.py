"""Train a model, load it, and let it answer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline

from sfmforensics._files import file_hash, replacing, write_atomically
from sfmforensics.audio import stream_audio
from sfmforensics.custody import Evidence, describe_views
from sfmforensics.exceptions import (
    AudioError,
    CustodyError,
    ModelFileError,
    SFMForensicsError,
)
from sfmforensics.saving import read_model, save_model
from sfmforensics.targets import CLASSIFICATION, TargetCodec, task_kind
from sfmforensics.views import make_views
from sfmforensics.workflow._common import (
    answer_columns,
    build_estimator,
    check_corpus,
    make_folder,
)
from sfmforensics.workflow._results import plain_value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike
    from sfmforensics.embedders._spec import ViewSpec


def train_model(
    corpus: Bunch,
    views: Sequence[ViewSpec],
    output: PathLike,
    *,
    model: str = "tango",
    preset: str = "tuned",
    seed: int = 0,
    epochs: int | None = None,
    cache: PathLike | None = None,
    device: str | None = None,
    format: Literal["safetensors", "joblib"] | None = None,
    command: str = "",
    verbose: bool = False,
) -> Pipeline:
    """Fit one model on a whole corpus, from recordings to answers, and save it.

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
    format : {"safetensors", "joblib"} or None, default=None
        "safetensors" is `sfmforensics.save_model`'s, which runs nothing when it is loaded; a file
        of "joblib" does, and only those who trust it should load it. None goes by the file's name:
        joblib for one that ends in .joblib.
    command : str, default=""
        What repeats this, for the manifest.

    Returns
    -------
    Pipeline
        From recordings to answers. It keeps the place of the SFM and what identifies it, not its
        weights: ``manifest_``, which is in the file too, is the chain of custody, with the paths
        and the sha256 of the recordings. See `sfmforensics.custody`.

    Raises
    ------
    SFMForensicsError
        `output` is a folder.
    ModelFileError
        The model can be saved with joblib alone, or the format is unknown.
    TargetError
        The labels cannot be learnt, do not go with the recordings, or `predict_files` could not
        name its answers by them.
    CustodyError
        A recording changed during training.
    OutputError
        The file cannot be written.
    """
    output = Path(output)
    if output.is_dir():
        raise SFMForensicsError(
            f"{output} is a folder; name a file, as in {output}/tango.safetensors"
        )
    if format is None:
        format = "joblib" if output.suffix == ".joblib" else "safetensors"
    if format not in ("safetensors", "joblib"):
        raise ModelFileError(f'format is {format!r}; use "safetensors" or "joblib"')
    estimator = build_estimator(model, preset, views, seed, epochs, device)
    if model == "svm" and format != "joblib":
        raise ModelFileError(
            "a model of scikit-learn's SVC and SVR can be saved as code only; name a file such as "
            f"{output.with_suffix('.joblib')}"
        )
    check_corpus(corpus)
    codec = TargetCodec().fit(corpus.target)  # says at once if there is nothing to learn
    answer_columns(dict(zip(codec.names_, codec.kinds_, strict=True)))
    started = Evidence(corpus.data, verbose)
    union = make_views(*views, cache=cache, device=device, verbose=verbose)
    make_folder(output.parent)
    if verbose and "verbose" in estimator.get_params():
        estimator.set_params(verbose=2)
    pipeline = make_pipeline(union, estimator).fit(corpus.data, corpus.target)
    if verbose and "verbose" in estimator.get_params():
        estimator.set_params(verbose=0)
    for _, embedder in union.transformer_list:
        # The cache of this machine is of no use to the next, nor are its progress bars.
        embedder.set_params(cache=None, verbose=False)
    pipeline.manifest_ = started.manifest(
        "model",
        views=union,
        command=command,
        model=model,
        preset=preset,
        seed=seed,
        parameters={key: plain_value(value) for key, value in estimator.get_params().items()},
        tasks={str(task): task_kind(corpus.target[task]) for task in corpus.target},
    )
    if format == "joblib":
        with replacing(output) as temporary:
            joblib.dump(pipeline, temporary)
    else:
        save_model(pipeline, output)
    return pipeline


def load_model(path: PathLike, *, trust: bool = False) -> Pipeline:
    """Load a model that `train_model` saved.

    Parameters
    ----------
    path : path-like
        The file.
    trust : bool, default=False
        Whether code in the file may run. A file of joblib cannot be loaded without; one of
        safetensors holds none.

    Returns
    -------
    Pipeline

    Raises
    ------
    ModelFileError
        There is no such file, it is no model, it was changed, or its code is not trusted.

    Examples
    --------
    >>> load_model("missing.safetensors")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.ModelFileError: missing.safetensors: no such file; make one with:
    sfmforensics train --output missing.safetensors
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(
            f"{path}: no such file; make one with: sfmforensics train --output {path}"
        )
    with open(path, "rb") as file:
        is_data = file.read(9)[8:] == b"{"  # safetensors: the length of its header, and the header
    if not is_data and not trust:
        raise ModelFileError(
            f"{path}: loading it may run any code that is in it; if you trust where it comes from, "
            "say so (--trust, load_model(..., trust=True)), or have it saved as .safetensors, "
            "which holds no code"
        )
    model = read_model(path) if is_data else _unpickled(path)
    if not isinstance(model, Pipeline) or not hasattr(model[0], "transformer_list"):
        raise ModelFileError(
            f"{path}: it holds a {type(model).__name__}, not a model from recordings to answers; "
            "name a file that sfmforensics train wrote"
        )
    # So that answers can say which file gave them.
    model.file_ = {"path": str(path.absolute()), "sha256": file_hash(path)}
    return model


def _unpickled(path: Path) -> Any:
    try:
        return joblib.load(path)
    except Exception as error:  # whatever unpickling a stranger's bytes may raise
        raise ModelFileError(
            f"{path}: it cannot be loaded as a model ({type(error).__name__}: {error}); name a "
            "file that sfmforensics train wrote"
        ) from error


def predict_files(
    model: Pipeline,
    files: Sequence[PathLike],
    *,
    verbose: bool = False,
    manifest: PathLike | None = None,
) -> tuple[pd.DataFrame, list[AudioError]]:
    """Answers for recordings, with the probability of each label.

    Parameters
    ----------
    model : Pipeline
        From recordings to answers, as `train_model` makes it.
    files : sequence of path-like
        Recordings.
    verbose : bool, default=False
        Show progress bars.
    manifest : path-like or None, default=None
        File that gets what the answers rest on: the sha256 of each recording, the model with its
        own manifest, versions, time, and the answers; see `sfmforensics.custody`.

    Returns
    -------
    answers : DataFrame
        A row for each recording that can be used: "path", each task, and "TASK_probability" for
        classes where the model gives any.
    refused : list of AudioError
        One for each other recording.

    Raises
    ------
    CustodyError
        A view is no longer what the model was trained with, so that its answers would mean
        nothing; or a recording changed meanwhile.
    OutputError
        The manifest cannot be written.
    """
    answer_columns(getattr(model[-1], "tasks_", {}))  # of a model that was fitted elsewhere
    _same_views(model)
    evidence = None if manifest is None else Evidence(files)
    usable, refused = [], []
    least = max(embedder._min_samples for _, embedder in model[0].transformer_list)
    for file in files:
        try:
            for _ in stream_audio(file, min_samples=least):
                pass  # only whether it can be used is asked here; no recording is held whole
            usable.append(os.fsdecode(file))
        except AudioError as error:
            refused.append(error)
    nothing = pd.DataFrame({"path": []}, dtype=object)
    answers = _answers(model, usable, verbose) if usable else nothing
    if evidence is not None and manifest is not None:
        told = evidence.manifest(
            "answers",
            views=model[0],
            model_file=getattr(model, "file_", None),
            model=getattr(model, "manifest_", None),
            answers=json.loads(answers.to_json(orient="records", double_precision=15)),
            refused=[str(error) for error in refused],
        )
        write_atomically(manifest, json.dumps(told, indent=1))
    return answers, refused


def _same_views(model: Pipeline) -> None:
    """Refuse a model whose views are no longer those that it was trained with."""
    told = (getattr(model, "manifest_", None) or {}).get("views", {})
    for name, view in describe_views(model[0]).items() if told else ():
        before = told.get(name, {})
        if before.get("identity") is None or "identity" not in view or view["identity"] is None:
            continue  # a function that does not say what it is
        same = before["identity"] == view["identity"] and before.get("files") == view["files"]
        if not same:
            changed = [key for key in ("identity", "files") if before.get(key) != view[key]]
            raise CustodyError(
                f"view {name!r} is not what the model was trained with: "
                + "; ".join(f"{key} was {before.get(key)}, is {view[key]}" for key in changed)
                + "; put the speech model of then in its place, or train anew"
            )


def _answers(model: Pipeline, usable: list[str], verbose: bool) -> pd.DataFrame:
    views, estimator = clone(model[0]), model[-1]
    for _, embedder in views.transformer_list:
        embedder.set_params(verbose=verbose)
    X = views.transform(usable)
    # As objects: a column of text need not hold a name that is no UTF-8.
    paths = pd.DataFrame({"path": usable}, dtype=object)
    answers = pd.concat([paths, estimator.predict(X)], axis=1)
    if hasattr(estimator, "predict_proba"):
        tasks = [name for name, kind in estimator.tasks_.items() if kind == CLASSIFICATION]
        for task, probabilities in zip(tasks, estimator.predict_proba(X), strict=True):
            place = answers.columns.get_loc(task) + 1
            answers.insert(place, f"{task}_probability", probabilities.max(axis=1))
    return answers
