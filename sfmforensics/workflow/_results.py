"""Folds and settings of a run, and the files that tell of it."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._utils.files import as_bytes, file_hash, make_folder, sweep, write_atomically
from sfmforensics._utils.log import event
from sfmforensics._utils.outputs import anything, is_json, is_manifest, is_table, own_files
from sfmforensics._utils.versions import versions
from sfmforensics.audio._hearing import USUAL
from sfmforensics.audit import audit_corpus
from sfmforensics.custody import MANIFEST, describe_splits, matrix_hash, write_manifest
from sfmforensics.datasets._base import with_speaker
from sfmforensics.exceptions import OutputError
from sfmforensics.experiment import SPEAKER, audit, make_splits
from sfmforensics.report.figures import file_part, own_figures
from sfmforensics.targets import task_kind
from sfmforensics.workflow._copies import copies_among

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from sklearn.pipeline import FeatureUnion
    from sklearn.utils import Bunch

    from sfmforensics._types import Folds as NumberOfFolds
    from sfmforensics._types import Split
    from sfmforensics._utils.outputs import Test
    from sfmforensics.audio._hearing import Hearing
    from sfmforensics.custody import Evidence

CONFIG, FOLDS, ROWS = "config.json", "folds", "rows"
_logger = logging.getLogger(__name__)


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
    hearing: Hearing = USUAL,
) -> Folds:
    """Make the folds of each protocol; exact and near copies of a recording stay together."""
    found = copies_among(corpus.data, X, verbose=verbose, hearing=hearing)
    splits = {
        protocol: make_splits(
            corpus.target, protocol, folds=folds, seed=seed, copies=found.joined, repeats=repeats
        )
        for protocol in protocols
    }
    return Folds(splits, found.joined, found.exact, found.near)


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
    hearing: Hearing = USUAL,
    **more: Any,
) -> dict[str, Any]:
    """What a run was made of, as config.json holds it."""
    spoken = with_speaker(corpus)
    target = spoken.target
    findings = audit_corpus(
        spoken,
        X=X,
        copies=made.exact,
        near=made.near,
        folds=folds if isinstance(folds, int) else 5,
        seed=seed,
        channel=hearing.channel,
        truncated=hearing.truncated,
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
        "tasks": {str(task): task_kind(target[task]) for task in corpus.target},
        "audit": found | {"findings": findings.to_dict("records")},
        "versions": versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
    }


def result_files(
    output: Path,
    target: pd.DataFrame,
    protocols: Iterable[str],
    models: Sequence[str] = (),
    *,
    reproduction: bool = False,
) -> dict[Path, Test]:
    """Every file that a run may write into a folder, and what recognises one of an earlier run.

    Parameters
    ----------
    output : Path
        Folder.
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels.
    protocols : iterable of str
        Which folds.
    models : sequence of str, default=()
        By name; the first has no file of its own.
    reproduction : bool, default=False
        Whether the paper's tables are filled.

    Returns
    -------
    dict of Path to callable
        As `sfmforensics._utils.outputs.check_outputs` takes them.
    """
    from sfmforensics.report._labels import PREDICTION_COLUMNS, SCORE_COLUMNS
    from sfmforensics.report.certainty import COMPARISON_COLUMNS, INTERVAL_COLUMNS
    from sfmforensics.report.reproduction import RECOGNISED

    names: dict[str, Test] = {
        "scores.csv": is_table(*SCORE_COLUMNS),
        "intervals.csv": is_table(*INTERVAL_COLUMNS[:5]),
        "comparisons.csv": is_table(*COMPARISON_COLUMNS[:5]),
        CONFIG: is_json("command", "corpus", "specs", "versions"),
        MANIFEST: is_manifest("evaluation"),
        **(RECOGNISED if reproduction else {}),
    }
    for model in (None, *models[1:]):
        name = "predictions.csv" if model is None else f"predictions-{model}.csv"
        names[name] = is_table(*PREDICTION_COLUMNS)
    stems = ["corpus", "gap", "plans", "training", "scores"]
    for task in map(file_part, target):
        stems += [f"projection-{task}", *(f"confusion-{task}-{name}" for name in protocols)]
        stems += [f"regression-{task}-{name}" for name in protocols]
    names |= own_figures(output, stems)
    files = own_files(output, names, "evaluation")
    for kept in (FOLDS, ROWS):  # nobody else gives a file the name that a fold or a row has here
        files |= dict.fromkeys((output / kept).glob("*"), anything)
    return files


def begin_results(output: Path) -> None:
    """Make a folder ready for the results of a run.

    What an earlier run says of itself goes first and comes back last: tables of two runs never
    stand under the settings of one.

    Parameters
    ----------
    output : Path
        Folder; made if need be.
    """
    make_folder(output)
    for name in (MANIFEST, CONFIG):
        try:
            (output / name).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(error.errno, error.strerror, str(output / name)) from error
    sweep(output)


def write_results(
    output: Path,
    scores: pd.DataFrame,
    predictions: Mapping[str, pd.DataFrame],
    intervals: pd.DataFrame,
    comparisons: pd.DataFrame,
    config: Mapping[str, Any],
    evidence: Evidence,
    *,
    files: Iterable[str] = (),
    **facts: Any,
) -> None:
    """Write the tables of a run, its figures, its settings and the manifest of it all.

    Parameters
    ----------
    output : Path
        Folder that `begin_results` made ready.
    scores, intervals, comparisons : DataFrame
        As `evaluate`, `score_intervals` and `compare_models` give them.
    predictions : dict of str to DataFrame
        By model; the first is ``predictions.csv``, each further one ``predictions-MODEL.csv``.
    config : dict
        As `settings_of` gives it.
    evidence : Evidence
        The recordings as they were at the beginning.
    files : sequence of str
        Names of what was written into the folder before, for the manifest.
    **facts
        For `Evidence.manifest`.
    """
    from sfmforensics.report import save_figures

    tables = {"scores.csv": scores, "intervals.csv": intervals, "comparisons.csv": comparisons}
    for position, (model, answers) in enumerate(predictions.items()):
        tables["predictions.csv" if position == 0 else f"predictions-{model}.csv"] = answers
    for name, table in tables.items():
        write_atomically(output / name, table.to_csv(index=False))
    drawn = save_figures(output, scores, next(iter(predictions.values())), overwrite=True)
    settings = as_bytes(json.dumps(config, indent=2, ensure_ascii=False))
    names = [*tables, *(path.name for path in drawn), *files]
    results = {name: file_hash(output / name) for name in dict.fromkeys(names)}
    results[CONFIG] = sha256(settings).hexdigest()
    manifest = evidence.manifest("evaluation", results=results, **facts)
    write_manifest(output, manifest, overwrite=True)  # it was asked before
    write_atomically(output / CONFIG, settings)
    event(_logger, "results written", folder=str(output), files=len(results) + 1)


def custody_of(
    config: Mapping[str, Any],
    corpus: Bunch,
    union: FeatureUnion,
    X: pd.DataFrame,
    splits: Mapping[str, Sequence[Split]],
) -> dict[str, Any]:
    """What the manifest of a run tells besides its files, see `Evidence.manifest`."""
    settings = ("command", "preset", "models", "seed", "folds", "repeats", "search", "parameters")
    return {
        "views": union,
        **{name: config[name] for name in settings if name in config},
        "vectors": matrix_hash(X),
        "labels": {
            str(task): sha256(json.dumps(_texts(corpus.target[task])).encode()).hexdigest()
            for task in corpus.target
        },
        "splits": describe_splits(splits),
    }


def _texts(labels: pd.Series) -> list[str | None]:
    return [
        None if missing else str(label)
        for label, missing in zip(labels, labels.isna(), strict=True)
    ]


def plain_value(value: object) -> Any:
    """Give a parameter as JSON holds it; what it cannot hold, in words."""
    if isinstance(value, (list, tuple)):
        return [plain_value(item) for item in value]
    return value if isinstance(value, (int, float, str, bool, type(None))) else str(value)
