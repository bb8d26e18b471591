"""What `evaluate` and `reproduce` share: a corpus made ready for folds, and the end of a run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfmforensics._utils.files import make_folder
from sfmforensics._utils.outputs import check_outputs
from sfmforensics.custody import Provenance
from sfmforensics.datasets._base import with_speaker
from sfmforensics.model_selection import make_splits
from sfmforensics.report import save_figures
from sfmforensics.report._run_figures import draw_figures
from sfmforensics.results import begin_results, finish_results, result_files, write_tables
from sfmforensics.views import make_views
from sfmforensics.workflow._checks import least_of, read_of, recording_names
from sfmforensics.workflow._selection import told_left_out, usable_part
from sfmforensics.workflow._settings import FoldPlan, custody_of, plan_folds, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    import pandas as pd
    from sklearn.pipeline import FeatureUnion
    from sklearn.utils import Bunch

    from sfmforensics._types import Folds, Handling, PathLike
    from sfmforensics.audio._hearing import Hearing
    from sfmforensics.embedders.registry import ViewSpec


@dataclass
class CorpusRun:
    """A corpus whose recordings have vectors and folds, and where its results go.

    Parameters
    ----------
    output : Path
        Folder of the results.
    corpus : Bunch
        The recordings that are used, and the labels that are learnt.
    target : DataFrame of shape (n_recordings, n_labels)
        The labels, and the speakers, whether these are learnt or not.
    union : FeatureUnion
        The views.
    X : DataFrame of shape (n_recordings, n_features)
        What they give.
    plan : FoldPlan
        Folds of each protocol.
    settings : dict
        What config.json tells of how this was asked for.
    provenance : Provenance
        The recordings as they were at the beginning.
    hearing : Hearing
        What of a recording is heard.
    left_out : DataFrame
        Recordings that are not used.
    started : float
        By `time.monotonic`.
    """

    output: Path
    corpus: Bunch
    target: pd.DataFrame
    union: FeatureUnion
    X: pd.DataFrame
    plan: FoldPlan
    settings: dict[str, Any]
    provenance: Provenance
    hearing: Hearing
    left_out: pd.DataFrame
    started: float

    @property
    def views(self) -> list[str]:
        """Names of the views."""
        return [name for name, _ in self.union.transformer_list]

    @property
    def tasks(self) -> list[Any] | None:
        """Columns of the target that are learnt; None for all."""
        tasks = list(self.corpus.target)
        return None if tasks == list(self.target) else tasks

    @property
    def names(self) -> list[str]:
        """Names of the recordings, for tables."""
        return recording_names(self.corpus.data)

    def finish(
        self,
        scores: pd.DataFrame,
        predictions: Mapping[str, pd.DataFrame],
        intervals: pd.DataFrame,
        comparisons: pd.DataFrame,
        *,
        parameters: Mapping[str, Mapping[str, Any]],
        write: Callable[[dict[str, Any]], Iterable[str]] | None = None,
        facts: Mapping[str, Any],
        fitted: Any = None,
        model: str | None = None,
    ) -> None:
        """Write tables, figures, the manifest and, last, the settings."""
        config = settings_of(
            self.corpus,
            self.X,
            self.views,
            self.plan,
            parameters=parameters,
            seconds=time.monotonic() - self.started,
            hearing=self.hearing,
            **self.settings,
        )
        config |= told_left_out(self.left_out)
        config |= dict(facts)
        begin_results(self.output)
        splits = self.plan.splits
        config["figures"] = draw_figures(
            self.output, self.corpus.target, self.X, splits, scores, fitted, model
        )
        others = [] if write is None else write(config)
        tables = write_tables(self.output, scores, predictions, intervals, comparisons)
        shown = next(iter(predictions.values()))
        drawn = save_figures(self.output, scores, shown, overwrite=True)
        figures = [figure["file"] for figure in config["figures"]]
        finish_results(
            self.output,
            config,
            self.provenance,
            files=[*tables, *(path.name for path in drawn), *others, *figures],
            **custody_of(config, self.corpus, self.union, self.X, splits),
            **told_left_out(self.left_out),
        )


def make_heard_views(
    specs: Sequence[ViewSpec],
    hearing: Hearing,
    *,
    cache: PathLike | None,
    device: str | None,
    verbose: bool,
) -> FeatureUnion:
    """Make views that hear of each recording what `hearing` says."""
    return make_views(
        *specs,
        cache=cache,
        device=device,
        verbose=verbose,
        channel=hearing.channel,
        truncated=hearing.truncated,
    )


def prepare_run(
    corpus: Bunch,
    union: FeatureUnion,
    output: Path,
    protocols: Sequence[str],
    hearing: Hearing,
    *,
    specs: Sequence[object],
    folds: Folds,
    seed: int,
    repeats: int,
    cache: PathLike | None,
    root: PathLike,
    on_error: Handling,
    overwrite: bool,
    verbose: bool,
    files: Mapping[str, Any],
    split_column: str = "split",
    **settings: Any,
) -> CorpusRun:
    """Refuse what cannot be, then read the recordings, embed them and plan the folds."""
    started = time.monotonic()
    check_outputs(
        {"output": result_files(output, corpus.target, protocols, **files)},
        read_of(corpus, union, cache) | {"root": [root] if root else []},
        overwrite=overwrite,
    )
    union.fit(corpus.data)  # says at once if a model is not there
    # With as little as can be, so that a protocol that the labels do not allow is refused now.
    for protocol in protocols:
        make_splits(
            with_speaker(corpus).target,
            protocol,
            folds=folds,
            seed=seed,
            details=corpus.get("details"),
            split_column=split_column,
        )
    make_folder(output)
    corpus, left_out = usable_part(corpus, on_error, hearing, least_of(union), verbose)
    provenance = Provenance(corpus.data, verbose, hearing)
    X = union.transform(corpus.data)
    spoken = with_speaker(corpus)
    plan = plan_folds(spoken, X, protocols, folds, seed, repeats, verbose, hearing, split_column)
    settings |= {"specs": specs, "folds": folds, "seed": seed, "repeats": repeats, "root": root}
    return CorpusRun(
        output,
        corpus,
        spoken.target,
        union,
        X,
        plan,
        settings,
        provenance,
        hearing,
        left_out,
        started,
    )
