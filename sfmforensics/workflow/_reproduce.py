"""The paper's tables on a corpus: every row that the views allow, each kept once it is done."""

from __future__ import annotations

import logging
import re
import time
from io import StringIO
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from sfmforensics._utils.log import event
from sfmforensics._utils.outputs import check_outputs
from sfmforensics._utils.paths import user_path
from sfmforensics._utils.progress import progress
from sfmforensics._utils.store import Kept, digest
from sfmforensics._utils.versions import versions
from sfmforensics.audio._survey import surveyed
from sfmforensics.custody import Provenance
from sfmforensics.datasets._base import with_speaker
from sfmforensics.exceptions import ViewError
from sfmforensics.experiment import Evaluation, evaluate, score_intervals
from sfmforensics.metrics import compare_models
from sfmforensics.model_selection import make_splits, protocols_of
from sfmforensics.paper import plan_rows
from sfmforensics.presets import make_estimator
from sfmforensics.report import save_figures
from sfmforensics.report._run_figures import draw_figures
from sfmforensics.results import (
    ROWS,
    begin_results,
    finish_results,
    result_files,
    write_tables,
)
from sfmforensics.views import make_views
from sfmforensics.workflow._checks import (
    check_corpus,
    check_model,
    least_of,
    read_of,
    recording_names,
    warn_of_no_labels,
)
from sfmforensics.workflow._selection import hearing_for, told_left_out, usable_part
from sfmforensics.workflow._settings import custody_of, make_folds, settings_of

_logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from sklearn.utils import Bunch

    from sfmforensics._types import Channel, Column, Folds, Handling, PathLike, Split
    from sfmforensics.embedders.registry import ViewSpec

COSTLY_FIRST = ("tango", "tango-x1-to-x2", "tango-x2-to-x1", "mvmt-concat", "svst", "svmt")


@surveyed
def reproduce_tables(
    corpus: Bunch,
    views: Sequence[ViewSpec],
    output: PathLike,
    *,
    tables: Sequence[int] | None = None,
    preset: str = "paper",
    protocol: str = "both",
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
        (``predictions.csv`` is of one system, TANGO if it is there), and for ``rows/``: the scores
        and the answers of each row that is done.
    tables : sequence of int or None, default=None
        Numbers of the paper's tables; by default all that tell of the corpus.
    preset : {"paper", "tuned"}, default="paper"
        Settings of the models.
    protocol : {"closed", "disjoint", "both"}, default="both"
        Which folds. The paper has closed.
    folds, repeats, seed, epochs, cache, device
        As in `evaluate_corpus`.
    n_jobs : int, default=1
        Rows at a time.
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
    A row is taken from ``rows/`` if it was computed of the same vectors, labels, folds, settings
    and versions, and computed anew otherwise: what is written never mixes two experiments. Another
    protocol or view may be added later.
    """
    from sfmforensics.report import write_reproduction
    from sfmforensics.results import REPRODUCTION_FILES

    started = time.monotonic()
    protocols = protocols_of(protocol)
    check_corpus(corpus)
    warn_of_no_labels(corpus)
    spoken = with_speaker(corpus)
    hearing = hearing_for(channel, on_error)
    heard: Any = {"channel": hearing.channel, "truncated": hearing.truncated}
    union = make_views(*views, cache=cache, device=device, verbose=verbose, **heard)
    names = [view for view, _ in union.transformer_list]
    plan = plan_rows(name, names, tables)
    for setup in dict.fromkeys(setup for _, setup, _ in plan):
        check_model(setup, preset, device)
    output = user_path(output)
    check_outputs(
        {"output": result_files(output, corpus.target, protocols, reproduction=True)},
        read_of(corpus, union, cache) | {"root": [root] if root else []},
        overwrite=overwrite,
    )
    union.fit(corpus.data)  # says at once if a model is not there
    for which in protocols:  # refused now, if the labels do not allow it
        make_splits(spoken.target, which, folds=folds, seed=seed)
    corpus, left_out = usable_part(corpus, on_error, hearing, least_of(union), verbose)
    spoken = with_speaker(corpus)
    provenance = Provenance(corpus.data, verbose, hearing)
    X = union.transform(corpus.data)
    made = make_folds(spoken, X, protocols, folds, seed, repeats, verbose, hearing)
    splits, copies = made.splits, made.copies
    overrides = {"random_state": seed, "device": device or "auto"}
    if epochs is not None:
        overrides["max_epochs"] = epochs
    rows = [
        _Row(setup, of, which, preset, overrides) for _, setup, of in plan for which in protocols
    ]
    data = {"X": X, "target": spoken.target, "copies": copies, "splits": splits}
    data["tasks"] = list(corpus.target)
    chosen = () if spoken is corpus else (data["tasks"],)
    common = digest(spoken.target, copies, versions(), *chosen)
    store = Kept(output / ROWS)
    keys = {row.name: row.key(common, X, splits) for row in rows}
    done = {name: store.read(name, key) for name, key in keys.items()}
    missing = [row for row in rows if done[row.name] is None]
    missing.sort(key=lambda row: COSTLY_FIRST.index(row.setup))
    with progress("rows of the tables", len(rows), verbose) as advance:
        advance(len(rows) - len(missing), "kept from before")
        computed = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
            delayed(row.compute)(seed=seed, **data) for row in missing
        )
        for row, content in computed:
            store.write(row.name, keys[row.name], content)
            event(_logger, "row computed", row=row.title)
            done[row.name] = content
            advance(1, row.title)
    kept: list[Any] = [row.read(done[row.name]) for row in rows]
    scores, intervals = (
        pd.concat([part[place] for part in kept], ignore_index=True) for place in (0, 1)
    )
    config = settings_of(
        corpus,
        X,
        names,
        views,
        made,
        name=name,
        root=root,
        command=command,
        preset=preset,
        models=list(dict.fromkeys(row.setup for row in rows)),
        parameters={row.setup: row.estimator().get_params() for row in rows},
        seed=seed,
        folds=folds,
        repeats=repeats,
        seconds=time.monotonic() - started,
        hearing=hearing,
    )
    config |= told_left_out(left_out)
    begin_results(output)
    config["figures"] = draw_figures(output, corpus.target, X, splits, scores)
    config["rows"] = {"in all": len(rows), "kept from before": len(rows) - len(missing)}
    shown = max(rows, key=lambda row: (row.setup == "tango", len(row.views)))
    config["predictions"] = {"model": shown.setup, "views": "+".join(shown.views)}
    answers = [
        part[2]
        for row, part in zip(rows, kept, strict=True)
        if (row.setup, row.views) == (shown.setup, shown.views)
    ]
    answers = pd.concat(answers, ignore_index=True)
    answers["path"] = np.array(recording_names(corpus.data), dtype=object)[answers.pop("row")]
    compared = compare_models(scores, pairs=_rivals(plan), test_over_train=made.test_over_train)
    whole = write_reproduction(output, scores, intervals, plan, config, compared, overwrite=True)
    tables = write_tables(output, scores, {shown.setup: answers}, intervals, compared)
    drawn = save_figures(output, scores, answers, overwrite=True)
    kept = [figure["file"] for figure in config["figures"]]
    finish_results(
        output,
        config,
        provenance,
        files=[*tables, *(path.name for path in drawn), *REPRODUCTION_FILES, *kept],
        **custody_of(config, corpus, union, X, splits),
        **told_left_out(left_out),
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


class _Row:
    """One system, its views and a protocol: what is computed as a whole, and kept as a file."""

    def __init__(
        self,
        setup: str,
        views: tuple[str, ...],
        protocol: str,
        preset: str,
        overrides: Mapping[str, Any],
    ) -> None:
        self.setup, self.views, self.protocol = setup, views, protocol
        self.preset, self.overrides = preset, overrides

    def estimator(self) -> Any:
        return make_estimator(self.setup, self.preset, **self.overrides)

    @property
    def title(self) -> str:
        return f"{self.setup}, {'+'.join(self.views)}, {self.protocol}"

    @property
    def name(self) -> str:
        name = f"{self.setup}_{'+'.join(self.views)}_{self.protocol}"
        # Names of views may differ in what a file's name cannot hold.
        told_apart = digest(self.setup, self.views, self.protocol)[:8]
        return f"{re.sub(r'[^A-Za-z0-9+-]', '_', name)[:150]}_{told_apart}"

    def columns(self, X: pd.DataFrame) -> list[str]:
        """Columns of its views, x1 first."""
        found = [c for view in self.views for c in X.columns if c.rpartition("__")[0] == view]
        if not found:
            raise ViewError(f"there is no column of {' or '.join(self.views)} in the vectors")
        return found

    def key(self, common: str, X: pd.DataFrame, splits: Mapping[str, Sequence[Split]]) -> str:
        """What the row depends on; another key is another experiment."""
        own = X[self.columns(X)], splits[self.protocol]
        return digest(common, *own, self.setup, self.views, self.protocol, self.estimator())

    def read(self, content: Mapping[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Scores, intervals and answers, as `compute` gave them."""
        scores, intervals = (pd.DataFrame(**content[part]) for part in ("scores", "intervals"))
        answers = pd.read_csv(
            StringIO(content["answers"]), dtype=str, keep_default_na=False, na_values=[""]
        )
        scores["value"] = pd.to_numeric(scores["value"])
        return (
            scores,
            intervals.astype({"value": float, "low": float, "high": float}),
            answers.astype({"row": int, "fold": int}),
        )

    def compute(
        self,
        *,
        X: pd.DataFrame,
        target: pd.DataFrame,
        tasks: Sequence[str],
        copies: Column,
        splits: Mapping[str, Sequence[Split]],
        seed: int,
    ) -> tuple[_Row, dict[str, Any]]:
        """Fit and score every fold: the row itself, and what was found, as JSON holds it."""
        X, views = X[self.columns(X)], "+".join(self.views)
        alone = self.setup == "svst"
        found = [
            evaluate(
                X,
                target[list(asked)],
                {self.setup: self.estimator()},
                {self.protocol: splits[self.protocol]},
                views=views,
                copies=copies,
                seed=seed,
            )
            for asked in ([[task] for task in tasks] if alone else [tasks])
        ]
        whole = Evaluation(
            pd.concat([part.scores for part in found], ignore_index=True),
            {self.setup: pd.concat([f.predictions[self.setup] for f in found], ignore_index=True)},
            {self.setup: np.concatenate([f.rows[self.setup] for f in found])},
            {key: folds for f in found for key, folds in f.trials.items()},
        )
        intervals = score_intervals(whole, target, views=views, copies=copies, seed=seed)
        answers = whole.predictions[self.setup].assign(row=whole.rows[self.setup])
        return self, {
            "scores": _portable(whole.scores),
            "intervals": _portable(intervals),
            "answers": answers.to_csv(index=False),
        }


def _portable(frame: pd.DataFrame) -> dict[str, Any]:
    """A frame as JSON holds it, to be handed to `DataFrame` as it is; NaN becomes null."""
    return {
        "columns": list(frame.columns),
        "data": frame.astype(object).where(frame.notna(), None).to_numpy().tolist(),
    }
