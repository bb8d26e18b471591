"""What `evaluate` wrote into a folder, read again and checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics._utils.paths import user_path
from sfmforensics.exceptions import ReportError
from sfmforensics.report._labels import PREDICTION_COLUMNS, SCORE_COLUMNS, require_columns
from sfmforensics.report.certainty import COMPARISON_COLUMNS, INTERVAL_COLUMNS
from sfmforensics.report.reproduction import COLUMNS as REPRODUCTION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from sfmforensics._types import PathLike


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
        found = self.scores[["model", "views"]].drop_duplicates()
        if isinstance(models, list) and models and str(models[0]) in set(found["model"]):
            found = found[found["model"] == str(models[0])]
        return tuple(found.iloc[0])


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
        found = "is not a folder" if directory.exists() else "does not exist"
        raise ReportError(f"{directory} {found}; {_remedy(directory)}")
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
    given = [name for name in numbers if name in frame]
    try:
        return frame.assign(**{name: pd.to_numeric(frame[name]) for name in given})
    except (TypeError, ValueError) as error:
        raise ReportError(
            f"{path}: columns {', '.join(given)} hold numbers, but: {error}"
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
    # The file without a name belongs to the first model that was asked for.
    models = [model for model in named if model in scored] or scored
    paths = {models[0]: directory / "predictions.csv"}
    paths |= {
        model: directory / f"predictions-{model}.csv" for model in scored if model not in paths
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
