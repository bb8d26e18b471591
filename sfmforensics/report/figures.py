"""Scores and predictions as figures, drawn without pyplot, so that no window or state is left."""

from __future__ import annotations

import re
from pathlib import Path

from sfmforensics.exceptions import ReportError
from sfmforensics.report._bars import plot_scores
from sfmforensics.report._labels import (
    PREDICTION_COLUMNS,
    in_order,
    is_classification,
    is_defined,
    require_columns,
    unit_of,
)
from sfmforensics.report._predictions import (
    BLUE,
    new_axes,
    plot_confusion,
    plot_regression,
)

__all__ = [
    "plot_confusion",
    "plot_plan_entropy",
    "plot_regression",
    "plot_scores",
    "save_figures",
]


def plot_plan_entropy(history, ax=None):
    """Draw how sharp the transport plans are, epoch by epoch.

    Parameters
    ----------
    history : list of dict
        ``history_`` of a fitted `TANGO`.
    ax : matplotlib.axes.Axes or None, default=None
        Where to draw; None makes a figure, found as ``ax.figure``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ReportError
        The model transports nothing.

    Notes
    -----
    1 is a uniform plan: every token receives the average of all others.

    Examples
    --------
    >>> history = [{"epoch": 1, "plan_entropy": 0.98}, {"epoch": 2, "plan_entropy": 0.97}]
    >>> plot_plan_entropy(history).get_xlabel()
    'epoch'
    """
    epochs = [entry for entry in history if entry.get("plan_entropy") is not None]
    if not epochs:
        raise ReportError("the history has no 'plan_entropy'; only TANGO transports")
    ax = new_axes((5.6, 3.4)) if ax is None else ax
    ax.axhline(1, color="black", linewidth=1, linestyle="--", label="uniform plan")
    ax.plot(
        [entry["epoch"] for entry in epochs],
        [entry["plan_entropy"] for entry in epochs],
        color=BLUE,
        marker="o",
        markersize=3,
    )
    ax.set(ylim=(0, 1.08), xlabel="epoch", ylabel="entropy of the plans\n(share of its maximum)")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(color="0.9")
    ax.legend(loc="lower left", frameon=False)
    return ax


def draw_predictions(scores, predictions):
    """Draw, one after the other, every task and protocol that has scores and predictions.

    Parameters
    ----------
    scores : DataFrame
        Scores, which tell the kinds of the tasks.
    predictions : DataFrame
        As for `confusion_shares`.

    Yields
    ------
    task, protocol, kind : str
        What is drawn; kind is "confusion" or "regression".
    ax : matplotlib.axes.Axes
    """
    require_columns(predictions, PREDICTION_COLUMNS, "the predictions")
    known = predictions[predictions["true"].notna()]
    found = set(zip(known["task"], known["protocol"], strict=True))
    for task, metrics in scores.groupby("task", sort=False)["metric"]:
        for protocol in in_order(scores["protocol"]):
            if (task, protocol) not in found or not is_defined(task, protocol):
                continue
            if is_classification(metrics.iloc[0]):
                yield task, protocol, "confusion", plot_confusion(known, task, protocol)
            else:
                ax = plot_regression(known, task, protocol, unit_of(task))
                yield task, protocol, "regression", ax


def save_figures(directory, scores, predictions):
    """Write all figures as PNG files of 150 dots per inch.

    Parameters
    ----------
    directory : path-like
        Where; made if need be.
    scores, predictions : DataFrame
        As `evaluate` writes them; the predictions of one model.

    Returns
    -------
    list of Path
        ``scores.png``, then ``confusion-TASK-PROTOCOL.png`` and ``regression-TASK-PROTOCOL.png``.
        In the names of tasks and protocols, what a file's name may not hold becomes "_".

    Raises
    ------
    ReportError
        A column is missing, or there are no rows.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> scores = pd.DataFrame({
    ...     "model": "tango", "views": "mfcc", "protocol": "closed", "fold": [0],
    ...     "task": "age", "metric": "rmse", "value": [3.5],
    ... })
    >>> predictions = pd.DataFrame({
    ...     "path": ["a", "b"], "fold": 0, "protocol": "closed", "task": "age",
    ...     "true": [20.0, 30.0], "predicted": [23.0, 26.0],
    ... })
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     [path.name for path in save_figures(directory, scores, predictions)]
    ['scores.png', 'regression-age-closed.png']
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / "scores.png"]
    save_png(plot_scores(scores), paths[0])
    for task, protocol, kind, ax in draw_predictions(scores, predictions):
        stem = f"{kind}-{_file_part(task)}-{_file_part(protocol)}"
        path = directory / f"{stem}.png"
        for number in range(2, 1000):
            if path not in paths:
                break
            path = directory / f"{stem}-{number}.png"
        save_png(ax.figure, path)
        paths.append(path)
    return paths


def save_png(figure, target):
    """Write a figure, with nothing in the file that changes from run to run."""
    figure.savefig(target, format="png", dpi=150, bbox_inches="tight", metadata={"Software": None})


def _file_part(name):
    return re.sub(r"[^\w.-]", "_", str(name))[:80]
