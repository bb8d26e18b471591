"""Evaluate models on a corpus, and write what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfmforensics._utils.paths import user_path
from sfmforensics._utils.progress import progress
from sfmforensics.audio._survey import surveyed
from sfmforensics.datasets._base import with_speaker
from sfmforensics.exceptions import SFMForensicsError
from sfmforensics.experiment import evaluate, score_intervals
from sfmforensics.metrics import compare_models
from sfmforensics.model_selection import SPEAKER, balancing_columns, protocols_of
from sfmforensics.presets import MODELS
from sfmforensics.results import FOLDS
from sfmforensics.workflow._checks import build_estimator, check_corpus, warn_of_no_labels
from sfmforensics.workflow._runs import make_heard_views, prepare_run
from sfmforensics.workflow._selection import hearing_for
from sfmforensics.workflow._settings import plain_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from sklearn.utils import Bunch

    from sfmforensics._types import Channel, Folds, Handling, PathLike
    from sfmforensics.embedders.registry import ViewSpec
    from sfmforensics.experiment import Evaluation


@surveyed
def evaluate_corpus(
    corpus: Bunch,
    views: Sequence[ViewSpec],
    output: PathLike,
    *,
    models: Sequence[str] = ("tango",),
    preset: str = "tuned",
    protocol: str | Sequence[str] = "both",
    split_column: str = "split",
    folds: Folds = 5,
    repeats: int = 1,
    seed: int = 0,
    epochs: int | None = None,
    search: Mapping[str, Sequence[Any]] | None = None,
    balance: Sequence[Any] | None = None,
    cache: PathLike | None = None,
    device: str | None = None,
    n_jobs: int = 1,
    name: str = "corpus",
    root: PathLike = "",
    command: str = "",
    verbose: bool = False,
    channel: Channel = "auto",
    on_error: Handling = "stop",
    overwrite: bool = False,
) -> Evaluation:
    """Evaluate models on a corpus, and write what was found.

    Parameters
    ----------
    corpus : Bunch
        As the loaders of `sfmforensics.datasets` give it.
    views : sequence of str
        Specs for `make_views`.
    output : path-like
        Folder for ``scores.csv``, ``intervals.csv``, ``comparisons.csv``, ``predictions.csv`` (of
        the first model; of each further one ``predictions-MODEL.csv``), ``config.json`` and the
        figures, ``manifest.json``, the chain of custody (see `sfmforensics.custody`); and for
        ``folds/``: what was found in each fold that is done.
    models : sequence of str, default=("tango",)
        Of `sfmforensics.presets.MODELS`.
    preset : {"paper", "tuned"}, default="tuned"
        Settings of the models.
    protocol : str or sequence of str, default="both"
        Which folds: names of `sfmforensics.model_selection.PROTOCOLS`, also with commas between
        them; "both" is closed and disjoint.
    split_column : str, default="split"
        The column of the corpus that "given" goes by, see `make_splits`.
    folds : int or "speakers", default=5
        Number of folds; "speakers" leaves out one speaker after the other under "disjoint".
    repeats : int, default=1
        How often the folds are drawn.
    seed : int, default=0
        Seed of the folds and of the models.
    epochs : int or None, default=None
        Passes over the data; the preset's by default.
    search : dict of str to list, or None, default=None
        Values of parameters to choose from in each fold, inside its training side; see
        `sfmforensics.experiment.evaluate`.
    balance : sequence of str or None, default=None
        Columns of the targets or the details each combination of whose labels counts alike in what
        is learnt; "corpus" is one where there are several. See `sfmforensics.experiment.evaluate`.
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
    channel : int or {"auto", "mix"}, default="auto"
        Which channel of a recording of several is heard, see `sfmforensics.audio.read_audio`.
    on_error : {"stop", "skip", "use"}, default="stop"
        What becomes of a recording that cannot be used: it ends the run, or is left out, which
        ``left_out`` in the manifest tells; with "use", what there is of a file whose end is missing
        is used, with a warning, and anything else ends the run.
    overwrite : bool, default=False
        Whether files in `output` may be replaced that are no results of this package.

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
    CustodyError
        A recording changed during the run.
    OutputError
        The results cannot be written: the disk is full, or the folder read-only; or a file would
        be replaced that is read, or that is not this package's own.

    Notes
    -----
    A run that was stopped, by whatever, goes on when it is called again: vectors are taken from the
    cache and folds from ``folds/``, if they were computed of the same vectors, labels, folds,
    settings and versions. What is written then is the same, byte for byte, but for times.
    """
    protocols = protocols_of(protocol)
    models = list(dict.fromkeys(models))
    if not models:
        raise SFMForensicsError(f"no model was named; there are {', '.join(MODELS)}")
    estimators = {
        model: build_estimator(model, preset, views, seed, epochs, device) for model in models
    }
    for model, estimator in estimators.items():
        _check_search(search, model, estimator)
    if search and "disjoint" in protocols and set(corpus.target) == {SPEAKER}:
        raise SFMForensicsError(
            "under disjoint nobody can be recognised, so that a search has no task to choose by; "
            "use --protocol closed, or give labels of another task"
        )
    check_corpus(corpus)
    if balance is not None:  # says at once if there is no such column
        balancing_columns(balance, with_speaker(corpus).target, corpus.get("details"))
    warn_of_no_labels(corpus)
    hearing = hearing_for(channel, on_error)
    run = prepare_run(
        corpus,
        make_heard_views(views, hearing, cache=cache, device=device, verbose=verbose),
        user_path(output),
        protocols,
        hearing,
        specs=views,
        folds=folds,
        seed=seed,
        repeats=repeats,
        cache=cache,
        root=root,
        on_error=on_error,
        overwrite=overwrite,
        verbose=verbose,
        files={"models": models},
        split_column=split_column,
        command=command,
        name=name,
        models=models,
        preset=preset,
    )
    splits, copies, joined_views = run.plan.splits, run.plan.copies, "+".join(run.views)
    fits = len(models) * sum(map(len, splits.values()))
    with progress("evaluating", fits, verbose) as advance:
        evaluation = evaluate(
            run.X,
            run.target,
            estimators,
            splits,
            views=joined_views,
            paths=run.names,
            tasks=run.tasks,
            copies=copies,
            details=run.corpus.get("details"),
            search=search,
            balance=balance,
            seed=seed,
            n_jobs=n_jobs,
            advance=advance,
            keep=run.output / FOLDS,
        )
    facts: dict[str, Any] = {}
    if search:
        facts["search"] = {name: plain_value(list(values)) for name, values in search.items()}
        facts["chosen"] = evaluation.choices.astype(str).to_dict("records")
    if balance is not None:
        facts["balance"] = list(map(str, balance))
    predictions = evaluation.predictions
    details = run.corpus.get("details")
    if details is not None and "corpus" in details:  # of several corpora, each answer says which
        names = details["corpus"].to_numpy(dtype=object)
        predictions = {
            model: answers.assign(corpus=names[evaluation.rows[model]])
            for model, answers in predictions.items()
        }
    if "labels" in run.corpus:
        facts["label_maps"] = run.corpus.labels
    run.finish(
        evaluation.scores,
        predictions,
        score_intervals(
            evaluation,
            run.target,
            views=joined_views,
            copies=copies,
            details=details,
            seed=seed,
        ),
        compare_models(evaluation.scores, test_over_train=run.plan.test_over_train),
        parameters={model: estimator.get_params() for model, estimator in estimators.items()},
        fitted=evaluation.fitted.get((models[0], list(splits)[-1])),
        model=models[0],
        facts=facts,
    )
    return evaluation


def _check_search(search: Mapping[str, Sequence[Any]] | None, model: str, estimator: Any) -> None:
    for parameter, values in (search or {}).items():
        if parameter not in estimator.get_params():
            names = ", ".join(sorted(estimator.get_params()))
            raise SFMForensicsError(
                f"{model} has no parameter {parameter!r} to search; there are {names}"
            )
        if not isinstance(values, (list, tuple)) or not values:
            raise SFMForensicsError(
                f"the search of {parameter!r} has {values!r}; give a list of values, as in "
                f'{{"{parameter}": [...]}}'
            )
