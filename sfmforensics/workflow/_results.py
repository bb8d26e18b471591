"""Folds and settings of a run, and the files that tell of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._files import write_atomically
from sfmforensics._versions import versions
from sfmforensics.audit import audit_corpus, join_copies, near_copies
from sfmforensics.datasets import find_copies
from sfmforensics.experiment import SPEAKER, audit, make_splits
from sfmforensics.targets import task_kind
from sfmforensics.workflow._common import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from sklearn.utils import Bunch

    from sfmforensics._types import Folds as NumberOfFolds
    from sfmforensics._types import Split


@dataclass(frozen=True)
class Folds:
    """Folds of each protocol, and what they keep together.

    Parameters
    ----------
    splits : dict of str to list of (ndarray, ndarray)
        By protocol.
    copies : ndarray of shape (n_recordings,)
        Recordings with equal numbers are exact or near copies of one.
    exact : ndarray of shape (n_recordings,)
        The same of exact copies alone.
    near : DataFrame
        As `sfmforensics.audit.near_copies` gives it.
    """

    splits: dict[str, list[Split]]
    copies: np.ndarray
    exact: np.ndarray
    near: pd.DataFrame

    @property
    def test_over_train(self) -> dict[str, float]:
        """Recordings tested over recordings learnt from, by protocol: mean over the folds."""
        return {
            protocol: float(np.mean([len(test) / len(train) for train, test in folds]))
            for protocol, folds in self.splits.items()
        }


def make_folds(
    corpus: Bunch,
    X: pd.DataFrame,
    protocols: Iterable[str],
    folds: NumberOfFolds,
    seed: int,
    repeats: int,
    verbose: bool,
) -> Folds:
    """Make the folds of each protocol; exact and near copies of a recording stay together."""
    exact = find_copies(corpus.data, verbose=verbose)
    near = near_copies(corpus.data, X, copies=exact, verbose=verbose)
    copies = join_copies(exact, near)
    splits = {
        protocol: make_splits(
            corpus.target, protocol, folds=folds, seed=seed, copies=copies, repeats=repeats
        )
        for protocol in protocols
    }
    return Folds(splits, copies, exact, near)


def settings_of(
    corpus: Bunch,
    X: pd.DataFrame,
    names: Sequence[str],
    specs: Sequence[object],
    made: Folds,
    *,
    parameters: Mapping[str, Mapping[str, Any]],
    folds: NumberOfFolds,
    seed: int,
    seconds: float,
    **more: Any,
) -> dict[str, Any]:
    """What a run was made of, as config.json holds it."""
    target = corpus.target
    findings = audit_corpus(
        corpus,
        X=X,
        copies=made.exact,
        near=made.near,
        folds=folds if isinstance(folds, int) else 5,
        seed=seed,
    )
    found = audit(target, made.copies, made.splits)
    return {
        "command": more.pop("command"),
        "corpus": more.pop("name"),
        "root": str(more.pop("root")),
        "views": names,
        "specs": [str(spec) for spec in specs],
        **more,
        "parameters": {
            model: {key: plain_value(value) for key, value in settings.items()}
            for model, settings in parameters.items()
        },
        "protocols": list(made.splits),
        "folds": folds,
        "splits": {protocol: len(folds) for protocol, folds in made.splits.items()},
        "seed": seed,
        "recordings": len(corpus.data),
        "speakers": int(target[SPEAKER].nunique()) if SPEAKER in target else None,
        "tasks": {str(task): task_kind(target[task]) for task in target},
        "audit": found | {"findings": findings.to_dict("records")},
        "versions": versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
    }


def write_results(
    output: Path,
    scores: pd.DataFrame,
    predictions: Mapping[str, pd.DataFrame],
    intervals: pd.DataFrame,
    comparisons: pd.DataFrame,
    config: Mapping[str, Any],
) -> None:
    """Write the tables of a run, its settings and its figures.

    Parameters
    ----------
    output : Path
        Folder; made if need be.
    scores, intervals, comparisons : DataFrame
        As `evaluate`, `score_intervals` and `compare_models` give them.
    predictions : dict of str to DataFrame
        By model; the first is ``predictions.csv``, each further one ``predictions-MODEL.csv``.
    config : dict
        As `settings_of` gives it.
    """
    from sfmforensics.report import save_figures

    make_folder(output)
    settings = json.dumps(config, indent=2, ensure_ascii=False)
    # Gone first and back last: tables of two runs never stand under the settings of one.
    (output / "config.json").unlink(missing_ok=True)
    write_atomically(output / "scores.csv", scores.to_csv(index=False))
    write_atomically(output / "intervals.csv", intervals.to_csv(index=False))
    write_atomically(output / "comparisons.csv", comparisons.to_csv(index=False))
    for position, (model, answers) in enumerate(predictions.items()):
        file = "predictions.csv" if position == 0 else f"predictions-{model}.csv"
        write_atomically(output / file, answers.to_csv(index=False))
    save_figures(output, scores, next(iter(predictions.values())))
    write_atomically(output / "config.json", settings)


def plain_value(value: object) -> Any:
    """Give a parameter as JSON holds it; what it cannot hold, in words."""
    if isinstance(value, (list, tuple)):
        return [plain_value(item) for item in value]
    return value if isinstance(value, (int, float, str, bool, type(None))) else str(value)
