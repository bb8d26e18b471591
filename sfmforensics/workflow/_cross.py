"""One corpus against another: models learnt from each and tested on each, to tables and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sfmforensics._utils.files import file_hash, make_folder, write_atomically
from sfmforensics._utils.outputs import anything, check_outputs, is_manifest, is_table, own_files
from sfmforensics._utils.paths import user_path
from sfmforensics._utils.progress import progress
from sfmforensics.custody import MANIFEST, Provenance, matrix_hash, write_manifest
from sfmforensics.datasets._base import with_speaker
from sfmforensics.exceptions import DatasetError, SFMForensicsError
from sfmforensics.experiment import evaluate_across
from sfmforensics.model_selection import SPEAKER, balancing_columns
from sfmforensics.presets import MODELS
from sfmforensics.report import CrossCorpusDisplay
from sfmforensics.report.displays import new_axes
from sfmforensics.report.figures import save_png
from sfmforensics.results import (
    CROSS_COLUMNS,
    CROSS_COMPARISON_COLUMNS,
    CROSS_PREDICTION_COLUMNS,
    FOLDS,
    file_part,
    own_figures,
)
from sfmforensics.workflow._checks import (
    build_estimator,
    check_corpus,
    least_of,
    read_of,
    recording_names,
    warn_of_no_labels,
)
from sfmforensics.workflow._copy_checks import copies_among
from sfmforensics.workflow._runs import make_heard_views
from sfmforensics.workflow._selection import hearing_for, told_left_out, usable_part
from sfmforensics.workflow._settings import plain_value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from sklearn.utils import Bunch

    from sfmforensics._types import Channel, Handling, PathLike
    from sfmforensics._utils.outputs import Test
    from sfmforensics.experiment import CrossEvaluation

CROSS = "cross.csv"
_COMPARISONS, _PREDICTIONS = "cross-comparisons.csv", "cross-predictions.csv"


def cross_corpora(
    corpora: Bunch,
    views: Sequence[str],
    output: PathLike,
    *,
    models: Sequence[str] = ("tango",),
    preset: str = "tuned",
    standardise: bool = False,
    balance: Sequence[Any] | None = None,
    folds: int = 5,
    seed: int = 0,
    epochs: int | None = None,
    cache: PathLike | None = None,
    device: str | None = None,
    n_jobs: int = 1,
    command: str = "",
    verbose: bool = False,
    channel: Channel = "auto",
    on_error: Handling = "stop",
    overwrite: bool = False,
) -> CrossEvaluation:
    """Fit models on each corpus, test them on each, and write what comes out.

    Parameters
    ----------
    corpora : Bunch
        As `sfmforensics.datasets.load_corpora` gives it.
    views : sequence of str
        Specs for `make_views`.
    output : path-like
        Folder for ``cross.csv``, ``cross-comparisons.csv`` and ``cross-predictions.csv`` (see
        `sfmforensics.experiment.CrossEvaluation`), a matrix ``cross-TASK.png`` of each task,
        ``manifest.json``, and ``folds/``: what was found in each fit that is done.
    models : sequence of str, default=("tango",)
        Of `sfmforensics.presets.MODELS`.
    preset : {"paper", "tuned"}, default="tuned"
        Settings of the models.
    standardise : bool, default=False
        As in `sfmforensics.experiment.evaluate_across`.
    balance : sequence of str or None, default=None
        Columns of the targets or the details, or "corpus", each combination of whose labels counts
        alike in what is learnt, as in `sfmforensics.experiment.evaluate_across`.
    folds : int, default=5
        Number of folds of a corpus with itself.
    seed : int, default=0
        Seed of the folds and of the models.
    epochs : int or None, default=None
        Passes over the data; the preset's by default.
    cache : path-like or None, default=None
        Folder that keeps the embeddings.
    device : str or None, default=None
        A torch device; None takes CUDA if there is one.
    n_jobs : int, default=1
        Fits at a time.
    command : str, default=""
        What repeats this, for the manifest.
    verbose : bool, default=False
        Show progress bars.
    channel, on_error
        As in `evaluate_corpus`.
    overwrite : bool, default=False
        Whether files in `output` may be replaced that are no results of this package.

    Returns
    -------
    CrossEvaluation
        See `sfmforensics.experiment.evaluate_across`.

    Raises
    ------
    SFMForensicsError
        Something that was asked for does not exist; before anything is computed.
    DatasetError
        The corpus is none of `load_corpora`, or fewer than two corpora have labels of a task.
    AudioError
        A recording cannot be used; vectors computed before are in the cache.
    CustodyError
        A recording changed during the run.
    OutputError
        The results cannot be written, or a file would be replaced that is read, or that is not this
        package's own.

    Notes
    -----
    Tasks that one corpus alone has are learnt by no model, since nothing could be said of another.
    Copies of a recording, exact or near, are looked for across corpora; see `evaluate_across`.
    """
    models = list(dict.fromkeys(models))
    if not models:
        raise SFMForensicsError(f"no model was named; there are {', '.join(MODELS)}")
    estimators = {
        model: build_estimator(model, preset, views, seed, epochs, device) for model in models
    }
    tasks = _shared_tasks(corpora)
    check_corpus(corpora)
    if balance is not None:  # says at once if there is no such column
        balancing_columns(balance, with_speaker(corpora).target, corpora.details)
    warn_of_no_labels(corpora)
    hearing = hearing_for(channel, on_error)
    union = make_heard_views(views, hearing, cache=cache, device=device, verbose=verbose)
    output = user_path(output)
    check_outputs(
        {"output": _files(output, tasks)}, read_of(corpora, union, cache), overwrite=overwrite
    )
    union.fit(corpora.data)  # says at once if a model is not there
    make_folder(output)
    corpora, left_out = usable_part(corpora, on_error, hearing, least_of(union), verbose)
    provenance = Provenance(corpora.data, verbose, hearing)
    X = union.transform(corpora.data)
    copies = copies_among(corpora.data, X, verbose=verbose, hearing=hearing)
    names = corpora.details["corpus"].to_numpy(dtype=object)
    count = len(dict.fromkeys(names))
    fits = len(models) * count * (folds + 1 + (count > 2))
    with progress("crossing corpora", fits, verbose) as advance:
        evaluation = evaluate_across(
            X,
            with_speaker(corpora).target,
            names,
            estimators,
            views="+".join(name for name, _ in union.transformer_list),
            paths=recording_names(corpora.data),
            tasks=tasks,
            copies=copies.joined,
            details=corpora.details,
            standardise=standardise,
            balance=balance,
            folds=folds,
            seed=seed,
            n_jobs=n_jobs,
            advance=advance,
            keep=output / FOLDS,
        )
    (output / MANIFEST).unlink(missing_ok=True)  # what is there is no longer one whole
    tables = {
        CROSS: evaluation.scores,
        _COMPARISONS: evaluation.comparisons,
        _PREDICTIONS: evaluation.predictions,
    }
    for name, table in tables.items():
        write_atomically(output / name, table.to_csv(index=False))
    drawn = _draw(output, evaluation.scores)
    manifest = provenance.manifest(
        "cross",
        views=union,
        command=command,
        models=models,
        preset=preset,
        standardise=standardise,
        **({} if balance is None else {"balance": list(map(str, balance))}),
        folds=folds,
        seed=seed,
        parameters={
            model: {key: plain_value(value) for key, value in estimator.get_params().items()}
            for model, estimator in estimators.items()
        },
        tasks=[str(task) for task in tasks],
        corpora={name: int(np.sum(names == name)) for name in dict.fromkeys(names)},
        labels=corpora.get("labels", {}),
        same_names=corpora.get("same_names", []),
        copies_across=_across(copies.joined, names),
        not_tested=evaluation.left_out,
        vectors=matrix_hash(X),
        **told_left_out(left_out),
        results={name: file_hash(output / name) for name in [*tables, *drawn]},
    )
    write_manifest(output, manifest, overwrite=True)  # it was asked before
    return evaluation


def _shared_tasks(corpora: Bunch) -> list[Any]:
    """Tasks of which two corpora or more have labels."""
    details = corpora.get("details")
    if details is None or "corpus" not in details or details["corpus"].nunique() < 2:
        raise DatasetError(
            "there is one corpus, not several; load them by load_corpora (--corpora FILE)"
        )
    names = details["corpus"].to_numpy()
    tasks = [
        task
        for task, labels in corpora.target.items()
        if len(set(names[labels.notna().to_numpy()])) > 1
    ]
    if not [task for task in tasks if task != SPEAKER]:
        raise DatasetError(
            "no two corpora have labels of one task besides the speaker; rename a column, or give "
            "[labels.TASK]"
        )
    return tasks


def _files(output: Path, tasks: Sequence[Any]) -> dict[Path, Test]:
    names: dict[str, Test] = {
        CROSS: is_table(*CROSS_COLUMNS[:5]),
        _COMPARISONS: is_table(*CROSS_COMPARISON_COLUMNS[:5]),
        _PREDICTIONS: is_table(*CROSS_PREDICTION_COLUMNS[:4]),
        MANIFEST: is_manifest("cross"),
    }
    names |= own_figures(output, [f"cross-{file_part(task)}" for task in tasks])
    files = own_files(output, names, "cross")
    kept = (output / FOLDS).rglob("*")
    return files | {file: anything for file in kept if file.is_file()}


def _draw(output: Path, scores: pd.DataFrame) -> list[str]:
    """A matrix of each task, of the first model."""
    drawn = []
    for task in dict.fromkeys(scores["task"]):
        shape = scores[scores["task"] == task]
        size = 2.2 + 1.25 * shape["test"].nunique(), 1.5 + 0.75 * shape["train"].nunique()
        display = CrossCorpusDisplay.from_scores(scores, task, ax=new_axes(size))
        name = f"cross-{file_part(task)}.png"
        save_png(display.figure_, output / name)
        drawn.append(name)
    return drawn


def _across(copies: np.ndarray, names: np.ndarray) -> int:
    """Recordings of which another corpus has a copy."""
    corpora: dict[int, set[Any]] = {}
    for copy, name in zip(copies.tolist(), names, strict=True):
        corpora.setdefault(copy, set()).add(name)
    return sum(len(corpora[copy]) > 1 for copy in copies.tolist())
