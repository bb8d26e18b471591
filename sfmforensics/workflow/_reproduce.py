"""The paper's tables on a corpus: every row that the views allow, each kept once it is done."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from joblib import Parallel

from sfmforensics._utils.log import event
from sfmforensics._utils.paths import user_path
from sfmforensics._utils.progress import progress
from sfmforensics._utils.store import digest
from sfmforensics.audio._survey import surveyed
from sfmforensics.exceptions import ViewError
from sfmforensics.experiment import Evaluation, score_intervals
from sfmforensics.experiment._evaluate import PlannedFolds
from sfmforensics.metrics import compare_models
from sfmforensics.model_selection import protocols_of
from sfmforensics.paper import plan_rows
from sfmforensics.presets import make_estimator
from sfmforensics.report import write_reproduction
from sfmforensics.results import REPRODUCTION_FILES, ROWS
from sfmforensics.workflow._checks import check_corpus, check_model, warn_of_no_labels
from sfmforensics.workflow._runs import make_heard_views, prepare_run
from sfmforensics.workflow._selection import hearing_for

_logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from sklearn.utils import Bunch

    from sfmforensics._types import Channel, Folds, Handling, PathLike
    from sfmforensics.embedders.registry import ViewSpec
    from sfmforensics.workflow._runs import CorpusRun

COSTLY_FIRST = ("tango", "tango-x1-to-x2", "tango-x2-to-x1", "mvmt-concat", "svst", "svmt")


@surveyed
def reproduce_tables(
    corpus: Bunch,
    views: Sequence[ViewSpec],
    output: PathLike,
    *,
    tables: Sequence[int] | None = None,
    preset: str = "paper",
    protocol: str | Sequence[str] = "both",
    folds: Folds = 5,
    repeats: int = 1,
    seed: int = 0,
    epochs: int | None = None,
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
) -> pd.DataFrame:
    """Fill the paper's tables with figures of one's own, beside the published ones.

    Parameters
    ----------
    corpus : Bunch
        As the loaders of `sfmforensics.datasets` give it.
    views : sequence of str
        Specs for `make_views`. The paper's figures are found by the names of the views.
    output : path-like
        Folder for ``reproduction.csv``, ``.md`` and ``.tex``, for what `evaluate_corpus` writes
        (``predictions.csv`` is of one system, TANGO if it is there), and for ``rows/``: the folds
        of each row that are done, as `sfmforensics.experiment.evaluate` keeps them.
    tables : sequence of int or None, default=None
        Numbers of the paper's tables; by default all that tell of the corpus.
    preset : {"paper", "tuned"}, default="paper"
        Settings of the models.
    protocol : str or sequence of str, default="both"
        Which folds. The paper has closed.
    folds, repeats, seed, epochs, cache, device
        As in `evaluate_corpus`.
    n_jobs : int, default=1
        Folds at a time, each in a process of its own.
    name, root, command : str
        Where the corpus came from and what repeats this; `name` finds the paper's figures.
    verbose : bool, default=False
        Show progress bars.
    channel, on_error
        As in `evaluate_corpus`.
    overwrite : bool, default=False
        Whether files in `output` may be replaced that are no results of this package.

    Returns
    -------
    DataFrame
        A row for each figure: ``table, setup, view_1, view_2, protocol, task, metric, folds, mean,
        sd, low, high, paper, difference``; see `sfmforensics.report.reproduction_table`.

    Raises
    ------
    SFMForensicsError
        Something that was asked for does not exist; before anything is computed.
    CustodyError
        A recording changed during the run.
    OutputError
        The results cannot be written: the disk is full, or the folder read-only; or a file would
        be replaced that is read, or that is not this package's own.

    Notes
    -----
    A fold is taken from ``rows/`` if it was computed of the same vectors, labels, recordings,
    settings and versions, and computed anew otherwise: what is written never mixes two experiments.
    Another protocol or view may be added later.
    """
    protocols = protocols_of(protocol)
    check_corpus(corpus)
    warn_of_no_labels(corpus)
    hearing = hearing_for(channel, on_error)
    union = make_heard_views(views, hearing, cache=cache, device=device, verbose=verbose)
    plan = plan_rows(name, [view for view, _ in union.transformer_list], tables)
    setups = list(dict.fromkeys(setup for _, setup, _ in plan))
    for setup in setups:
        check_model(setup, preset, device)
    overrides: dict[str, Any] = {"random_state": seed, "device": device or "auto"}
    if epochs is not None:
        overrides["max_epochs"] = epochs
    estimators = {setup: make_estimator(setup, preset, **overrides) for setup in setups}
    run = prepare_run(
        corpus,
        union,
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
        files={"reproduction": True},
        command=command,
        name=name,
        preset=preset,
        models=setups,
    )
    rows = [_Row(setup, of, which) for _, setup, of in plan for which in protocols]
    results_by_row: dict[_Row, _Results] = {}
    with progress("rows of the tables", len(rows), verbose) as advance:
        # Of the same views all at once, the costly first, so that no process waits long.
        for _, same_views in groupby(sorted(rows, key=_by_views_and_cost), lambda row: row.views):
            plans = {row: _planned(row, run, estimators[row.setup], seed) for row in same_views}
            computed = Parallel(n_jobs=n_jobs, return_as="generator")(
                call for folds in plans.values() for part in folds for call in part.missing()
            )
            for row, folds in plans.items():
                results_by_row[row] = results = _results_of(row, run, folds, computed, seed)
                event(_logger, "row computed", row=row.title, kept=results.from_store)
                advance(1, row.title)
    scores, intervals = (
        pd.concat([getattr(results_by_row[row], table) for row in rows], ignore_index=True)
        for table in ("scores", "intervals")
    )
    shown = max(rows, key=lambda row: (row.setup == "tango", len(row.views)))
    answers = pd.concat(
        [
            results_by_row[row].answers
            for row in rows
            if (row.setup, row.views) == (shown.setup, shown.views)
        ],
        ignore_index=True,
    )
    compared = compare_models(scores, pairs=_rivals(plan), test_over_train=run.plan.test_over_train)
    whole = pd.DataFrame()

    def write(config: dict[str, Any]) -> Sequence[str]:
        nonlocal whole
        whole = write_reproduction(
            run.output, scores, intervals, plan, config, compared, overwrite=True
        )
        return REPRODUCTION_FILES

    run.finish(
        scores,
        {shown.setup: answers},
        intervals,
        compared,
        parameters={setup: estimator.get_params() for setup, estimator in estimators.items()},
        write=write,
        facts={
            "rows": {
                "in all": len(rows),
                "kept from before": sum(results.from_store for results in results_by_row.values()),
            },
            "predictions": {"model": shown.setup, "views": shown.joined_views},
        },
    )
    return whole


def _rivals(
    plan: Sequence[tuple[int, str, tuple[str, ...]]],
) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Pairs worth comparing: transport and concatenation, one view and two, one task and all."""
    systems = {(setup, "+".join(of)) for _, setup, of in plan}
    pairs = []
    for setup, views in sorted(systems):
        for first, second in (("tango", "mvmt-concat"), ("svmt", "svst")):
            if setup == first and (second, views) in systems:
                pairs.append(((first, views), (second, views)))
        if setup == "tango":
            for rival in ("tango-x1-to-x2", "tango-x2-to-x1"):
                if (rival, views) in systems:
                    pairs.append(((setup, views), (rival, views)))
            pairs += [
                ((setup, views), ("svmt", view))
                for view in views.split("+")
                if ("svmt", view) in systems
            ]
    return pairs


@dataclass(frozen=True)
class _Row:
    """One system, its views and a protocol."""

    setup: str
    views: tuple[str, ...]
    protocol: str

    @property
    def joined_views(self) -> str:
        return "+".join(self.views)

    @property
    def title(self) -> str:
        return f"{self.setup}, {self.joined_views}, {self.protocol}"

    def columns(self, X: pd.DataFrame) -> list[str]:
        """Columns of its views, x1 first."""
        columns = [c for view in self.views for c in X.columns if c.rpartition("__")[0] == view]
        if not columns:
            raise ViewError(f"there is no column of {' or '.join(self.views)} in the vectors")
        return columns

    def folder(self, tasks: Sequence[Any]) -> str:
        """Name of a folder for its folds, of some tasks."""
        name = f"{self.setup}_{self.joined_views}_{self.protocol}"
        # Names of views may differ in what a file's name cannot hold.
        told_apart = digest(self.setup, self.views, self.protocol, *map(str, tasks))[:8]
        return f"{re.sub(r'[^A-Za-z0-9+-]', '_', name)[:150]}_{told_apart}"


@dataclass(frozen=True)
class _Results:
    """Tables of a row, and whether all of its folds were kept from before."""

    scores: pd.DataFrame
    intervals: pd.DataFrame
    answers: pd.DataFrame
    from_store: bool


def _by_views_and_cost(row: _Row) -> tuple[tuple[str, ...], int]:
    return row.views, COSTLY_FIRST.index(row.setup)


def _planned(row: _Row, run: CorpusRun, estimator: Any, seed: int) -> list[PlannedFolds]:
    """The folds of a row: of the single-task system each task by itself."""
    tasks = run.tasks or list(run.target)
    X = run.X[row.columns(run.X)]
    return [
        PlannedFolds(
            X,
            run.target[list(some)],
            {row.setup: estimator},
            {row.protocol: run.plan.splits[row.protocol]},
            views=row.joined_views,
            paths=run.names,
            copies=run.plan.copies,
            seed=seed,
            keep=run.output / ROWS / row.folder(some),
            keep_fitted=False,
        )
        for some in ([[task] for task in tasks] if row.setup == "svst" else [tasks])
    ]


def _results_of(
    row: _Row, run: CorpusRun, folds: list[PlannedFolds], computed: Iterator[Any], seed: int
) -> _Results:
    """Tables of a row, of what was kept and of the next that are computed."""
    parts = [part.gathered(computed) for part in folds]
    whole = Evaluation(
        pd.concat([part.scores for part in parts], ignore_index=True),
        {row.setup: pd.concat([p.predictions[row.setup] for p in parts], ignore_index=True)},
        {row.setup: np.concatenate([part.rows[row.setup] for part in parts])},
        {key: trials for part in parts for key, trials in part.trials.items()},
    )
    intervals = score_intervals(
        whole,
        run.target,
        views=row.joined_views,
        copies=run.plan.copies,
        details=run.corpus.get("details"),
        seed=seed,
    )
    n_folds = len(run.plan.splits[row.protocol])
    from_store = all(part.kept == n_folds for part in parts)
    return _Results(whole.scores, intervals, whole.predictions[row.setup], from_store)
