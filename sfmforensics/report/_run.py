"""What `evaluate` wrote into a folder, read again and checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sfmforensics.exceptions import ReportError
from sfmforensics.report._labels import PREDICTION_COLUMNS, SCORE_COLUMNS, require_columns


@dataclass(frozen=True)
class Run:
    """One run of `evaluate`.

    Parameters
    ----------
    scores : DataFrame
        Columns model, views, protocol, fold, task, metric, value.
    predictions : dict of str to DataFrame
        By model, where they were written.
    config : dict
        Settings of the run.
    """

    scores: pd.DataFrame
    predictions: dict
    config: dict


def read_run(directory):
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
    directory = Path(directory)
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
    return Run(scores, _read_predictions(directory, scores, config), config)


def _read_predictions(directory, scores, config):
    scored = list(dict.fromkeys(scores["model"]))
    named = config.get("models")
    named = [str(model) for model in named] if isinstance(named, list) else []
    # The file without a name belongs to the first model that was asked for.
    models = [model for model in named if model in scored] or scored
    paths = {models[0]: directory / "predictions.csv"}
    paths |= {
        model: directory / f"predictions-{model}.csv" for model in scored if model not in paths
    }
    return {
        model: _read_table(path, PREDICTION_COLUMNS)
        for model, path in paths.items()
        if path.is_file()
    }


def _read_table(path, columns):
    if not path.is_file():
        raise ReportError(f"{path} is missing; {_remedy(path.parent)}")
    try:
        # As text, and only empty cells as missing: speakers are called "007", "nan" or "None".
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    except (ValueError, OSError) as error:  # of pandas: no rows, ragged rows; no UTF-8
        raise ReportError(f"{path} cannot be read: {error}; {_remedy(path.parent)}") from error
    require_columns(frame, columns, path)
    names = [name for name in columns if name not in ("true", "predicted", "value")]
    return frame.assign(**{name: frame[name].fillna("") for name in names})


def _read_config(path):
    if not path.is_file():
        raise ReportError(f"{path} is missing; {_remedy(path.parent)}")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ReportError(f"{path} cannot be read: {error}; {_remedy(path.parent)}") from error
    if not isinstance(config, dict):
        raise ReportError(f"{path} holds no settings by name; {_remedy(path.parent)}")
    return config


def _remedy(directory):
    return f"it is written by: sfmforensics evaluate --output {directory} ..."
