"""The folder of a run: what is in it, how it is written, and how it is read again."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics._utils.files import as_bytes, file_hash, make_folder, sweep, write_atomically
from sfmforensics._utils.log import event
from sfmforensics._utils.outputs import (
    anything,
    begins_with,
    is_figure,
    is_json,
    is_manifest,
    is_table,
    own_files,
)
from sfmforensics._utils.paths import user_path
from sfmforensics.custody import MANIFEST, write_manifest
from sfmforensics.exceptions import OutputError, ReportError
from sfmforensics.metrics import _comparison

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from sfmforensics._types import PathLike
    from sfmforensics._utils.outputs import Test
    from sfmforensics.custody import Provenance

_logger = logging.getLogger(__name__)

CONFIG, FOLDS, ROWS = "config.json", "folds", "rows"

REPRODUCTION_COLUMNS = [
    *("table", "setup", "view_1", "view_2", "protocol", "task", "metric"),
    *("folds", "mean", "sd", "low", "high", "paper", "difference"),
]
"""Columns of `reproduction.csv`: the paper's tables, figure by figure."""
REPRODUCTION_FILES = ("reproduction.csv", "reproduction.md", "reproduction.tex")
"""Files of the paper's tables."""
RECOGNISED: dict[str, Test] = {
    "reproduction.csv": is_table(*REPRODUCTION_COLUMNS[:7]),
    "reproduction.md": begins_with("# The paper's tables on "),
    "reproduction.tex": begins_with("% needs \\usepackage{booktabs}"),
}
"""The same, and what recognises one that was written before."""

COMPARISON_COLUMNS = [n for n in _comparison.COMPARISON_COLUMNS if n not in ("folds", "t")]
"""Columns of `comparisons.csv` that are read: pairs of models, tested fold by fold."""
INTERVAL_COLUMNS = [
    *("model", "views", "protocol", "task", "metric", "by", "group"),
    *("n", "units", "value", "low", "high"),
]
"""Columns of `intervals.csv`: measures of all recordings and of groups, with their intervals."""
SCORE_COLUMNS = ["model", "views", "protocol", "fold", "task", "metric", "value"]
"""Columns of `scores.csv`: one measure of one fold a row."""
PREDICTION_COLUMNS = ["path", "fold", "protocol", "task", "true", "predicted"]
"""Columns of `predictions.csv`: one answer of one recording a row."""

CROSS_COLUMNS = [
    *("train", "test", "model", "task", "metric", "value", "low", "high"),
    *("recordings", "speakers"),
]
"""Columns of `cross.csv`: one measure of one model for one pair of corpora a row."""
CROSS_COMPARISON_COLUMNS = [
    *("train", "test", "task", "metric", "first", "second", "difference"),
    *("low", "high", "p", "p_holm", "speakers"),
]
"""Columns of `cross-comparisons.csv`: one difference of two models on one pair of corpora a row."""
CROSS_PREDICTION_COLUMNS = ["path", "corpus", "train", "model", "task", "true", "predicted"]
"""Columns of `cross-predictions.csv`: one answer of one recording a row."""


def require_columns(frame: pd.DataFrame, columns: Iterable[str], what: object) -> None:
    """Refuse a frame that lacks a column, or that has no rows.

    Parameters
    ----------
    frame : DataFrame
        Scores or predictions.
    columns : sequence of str
        What it must have.
    what : str
        What it is, for the message: "the scores", or its file.

    Raises
    ------
    ReportError
        A column is missing, or there is no row.

    Examples
    --------
    >>> import pandas as pd
    >>> require_columns(pd.DataFrame({"fold": [0]}), ["fold", "task"], "the scores")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.ReportError: the scores: no column 'task'; it needs fold, task
    """
    for column in columns:
        if column not in frame.columns:
            raise ReportError(f"{what}: no column {column!r}; it needs {', '.join(columns)}")
    if frame.empty:
        raise ReportError(f"{what}: no rows; run sfmforensics evaluate again")


def file_part(name: object) -> str:
    """Give a name as it may stand in the name of a file."""
    return re.sub(r"[^\w.-]", "_", str(name))[:80]


def own_figures(directory: Path, stems: Iterable[str]) -> dict[str, Test]:
    """Names of figures, also of those that would be of one name, and what recognises them."""
    names: dict[str, Test] = {}
    for stem in stems:
        names[f"{stem}.png"] = is_figure
        counted = re.compile(rf"{re.escape(stem)}-\d+\.png")
        names |= {
            file.name: is_figure for file in directory.glob("*.png") if counted.fullmatch(file.name)
        }
    return names


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
    names: dict[str, Test] = {
        "scores.csv": is_table(*SCORE_COLUMNS),
        "intervals.csv": is_table(*INTERVAL_COLUMNS[:5]),
        "comparisons.csv": is_table(*COMPARISON_COLUMNS[:5]),
        CONFIG: is_json("command", "corpus", "specs", "versions"),
        MANIFEST: is_manifest("evaluation"),
        **(RECOGNISED if reproduction else {}),
    }
    for position, model in enumerate(models or [""]):
        names[_predictions_file(model, position)] = is_table(*PREDICTION_COLUMNS)
    stems = ["corpus", "gap", "plans", "training", "scores"]
    for task in map(file_part, target):
        stems += [f"projection-{task}", *(f"confusion-{task}-{name}" for name in protocols)]
        stems += [f"regression-{task}-{name}" for name in protocols]
    names |= own_figures(output, stems)
    files = own_files(output, names, "evaluation")
    for folder in (FOLDS, ROWS):  # nobody else gives a file the name that a fold or a row has here
        files |= {file: anything for file in (output / folder).rglob("*") if file.is_file()}
    return files


def begin_results(output: Path) -> None:
    """Make a folder ready for the results of a run.

    What an earlier run says of itself goes first and comes back last: tables of two runs never
    stand under the settings of one.

    Parameters
    ----------
    output : Path
        Folder; made if need be.

    Raises
    ------
    OutputError
        It cannot be made, or a file in it cannot be removed.
    """
    make_folder(output)
    for name in (MANIFEST, CONFIG):
        try:
            (output / name).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(error.errno, error.strerror, str(output / name)) from error
    sweep(output)


def write_tables(
    output: Path,
    scores: pd.DataFrame,
    predictions: Mapping[str, pd.DataFrame],
    intervals: pd.DataFrame,
    comparisons: pd.DataFrame,
) -> list[str]:
    """Write the tables of a run into a folder that `begin_results` made ready.

    Parameters
    ----------
    output : Path
        Folder.
    scores, intervals, comparisons : DataFrame
        As `evaluate`, `score_intervals` and `compare_models` give them.
    predictions : dict of str to DataFrame
        By model; the first is ``predictions.csv``, each further one ``predictions-MODEL.csv``.

    Returns
    -------
    list of str
        Names of the files.
    """
    tables = {"scores.csv": scores, "intervals.csv": intervals, "comparisons.csv": comparisons}
    for position, (model, answers) in enumerate(predictions.items()):
        tables[_predictions_file(model, position)] = answers
    for name, table in tables.items():
        write_atomically(output / name, table.to_csv(index=False))
    return list(tables)


def finish_results(
    output: Path,
    config: Mapping[str, Any],
    provenance: Provenance,
    *,
    files: Iterable[str],
    **facts: Any,
) -> None:
    """Write the manifest of a run, then its settings: with these it is whole.

    Parameters
    ----------
    output : Path
        Folder that holds what was written before.
    config : dict
        What the run was made of.
    provenance : Provenance
        The recordings as they were at the beginning.
    files : sequence of str
        Names of what was written into the folder before, for the manifest.
    **facts
        For `Provenance.manifest`.
    """
    settings = as_bytes(json.dumps(config, indent=2, ensure_ascii=False))
    results = {name: file_hash(output / name) for name in dict.fromkeys(files)}
    results[CONFIG] = sha256(settings).hexdigest()
    manifest = provenance.manifest("evaluation", results=results, **facts)
    write_manifest(output, manifest, overwrite=True)  # it was asked before
    write_atomically(output / CONFIG, settings)
    event(_logger, "results written", folder=str(output), files=len(results) + 1)


def _predictions_file(model: str, position: int) -> str:
    """The file without a name belongs to the first model that was asked for."""
    return "predictions.csv" if position == 0 else f"predictions-{model}.csv"


@dataclass(frozen=True)
class Run:
    """One run of ``evaluate`` or ``reproduce``.

    Parameters
    ----------
    directory : Path
        Where it was written.
    scores : DataFrame
        Columns model, views, protocol, fold, task, metric, value.
    predictions : dict of str to DataFrame
        By model, where they were written.
    config : dict
        Settings of the run.
    intervals, comparisons, reproduction : DataFrame or None
        Tables of these names, where they were written.
    """

    directory: Path
    scores: pd.DataFrame
    predictions: dict[str, pd.DataFrame]
    config: dict[str, Any]
    intervals: pd.DataFrame | None = None
    comparisons: pd.DataFrame | None = None
    reproduction: pd.DataFrame | None = None

    @property
    def shown(self) -> tuple[str, str]:
        """Name and views of the model that is shown in detail."""
        named = self.config.get("predictions")
        if isinstance(named, dict) and {"model", "views"} <= set(named):
            return str(named["model"]), str(named["views"])
        models = self.config.get("models")
        systems = self.scores[["model", "views"]].drop_duplicates()
        if isinstance(models, list) and models and str(models[0]) in set(systems["model"]):
            systems = systems[systems["model"] == str(models[0])]
        return tuple(systems.iloc[0])


def read_run(directory: PathLike) -> Run:
    """Read scores, predictions and settings.

    Parameters
    ----------
    directory : path-like
        What ``--output`` of ``sfmforensics evaluate`` was.

    Returns
    -------
    Run

    Raises
    ------
    ReportError
        The folder, ``scores.csv`` or ``config.json`` is missing or broken; the message names the
        file and the command that writes it.

    Examples
    --------
    >>> read_run("nowhere")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.ReportError: nowhere does not exist; it is written by:
    sfmforensics evaluate --output nowhere ...
    """
    directory = user_path(directory)
    if not directory.is_dir():
        problem = "is not a folder" if directory.exists() else "does not exist"
        raise ReportError(f"{directory} {problem}; {_remedy(directory)}")
    scores = _read_table(directory / "scores.csv", SCORE_COLUMNS)
    try:
        scores["value"] = pd.to_numeric(scores["value"])
    except (TypeError, ValueError) as error:
        raise ReportError(
            f"{directory / 'scores.csv'}: column 'value' must hold numbers, but: {error}"
        ) from error
    config = _read_config(directory / "config.json")
    return Run(
        directory,
        scores,
        _read_predictions(directory, scores, config),
        config,
        _read_numbers(directory / "intervals.csv", INTERVAL_COLUMNS, ("value", "low", "high", "n")),
        _read_numbers(
            directory / "comparisons.csv", COMPARISON_COLUMNS, ("difference", "sd", "p", "p_holm")
        ),
        # A table that an earlier reproduce left behind is not of this run.
        _read_numbers(
            directory / "reproduction.csv",
            REPRODUCTION_COLUMNS,
            ("table", "mean", "sd", "paper", "difference", "paper_all"),
        )
        if "rows" in config
        else None,
    )


def _read_numbers(
    path: Path, columns: Sequence[str], numbers: Sequence[str]
) -> pd.DataFrame | None:
    """Read a table that need not be there; comparisons may be of nothing."""
    if not path.is_file():
        return None
    try:
        frame = _read_table(path, columns, empty=True)
    except ReportError as error:
        raise ReportError(f"{error}; remove the file to leave it out") from error
    present = [name for name in numbers if name in frame]
    try:
        return frame.assign(**{name: pd.to_numeric(frame[name]) for name in present})
    except (TypeError, ValueError) as error:
        raise ReportError(
            f"{path}: columns {', '.join(present)} hold numbers, but: {error}"
        ) from error


def _read_predictions(
    directory: Path, scores: pd.DataFrame, config: dict[str, Any]
) -> dict[str, pd.DataFrame]:
    scored = list(dict.fromkeys(scores["model"]))
    shown = config.get("predictions")
    if isinstance(shown, dict) and shown.get("model") in scored:  # of several systems, this one
        path = directory / "predictions.csv"
        model = shown["model"]
        return {model: _read_table(path, PREDICTION_COLUMNS, empty=True)} if path.is_file() else {}
    named = config.get("models")
    named = [str(model) for model in named] if isinstance(named, list) else []
    first, *_ = [model for model in named if model in scored] or scored
    paths = {
        model: directory / _predictions_file(model, model != first)
        for model in dict.fromkeys([first, *scored])
    }
    return {
        model: _read_table(path, PREDICTION_COLUMNS, empty=True)
        for model, path in paths.items()
        if path.is_file()
    }


def _read_table(path: Path, columns: Sequence[str], empty: bool = False) -> pd.DataFrame:
    if not path.is_file():
        raise ReportError(f"{path} is missing; {_remedy(path.parent)}")
    try:
        # As text, and only empty cells as missing: speakers are called "007", "nan" or "None".
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    except (ValueError, OSError) as error:  # of pandas: no rows, ragged rows; no UTF-8
        raise ReportError(f"{path} cannot be read: {error}; {_remedy(path.parent)}") from error
    if not (empty and frame.empty and set(columns) <= set(frame.columns)):
        require_columns(frame, columns, path)
    names = [name for name in columns if name not in ("true", "predicted", "value")]
    return frame.assign(**{name: frame[name].fillna("") for name in names})


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ReportError(f"{path} is missing; {_remedy(path.parent)}")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ReportError(f"{path} cannot be read: {error}; {_remedy(path.parent)}") from error
    if not isinstance(config, dict):
        raise ReportError(f"{path} holds no settings by name; {_remedy(path.parent)}")
    return config


def _remedy(directory: Path) -> str:
    return f"it is written by: sfmforensics evaluate --output {directory} ..."
