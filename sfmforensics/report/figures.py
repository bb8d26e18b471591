"""Scores and predictions as figures, drawn without pyplot, so that no window or state is left."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, cast

from sfmforensics._utils.files import write_atomically
from sfmforensics._utils.outputs import check_outputs, own_files
from sfmforensics._utils.paths import user_path
from sfmforensics.exceptions import ReportError, TargetError
from sfmforensics.report._wording import in_order, is_classification, is_defined
from sfmforensics.report.displays import ConfusionDisplay, RegressionDisplay
from sfmforensics.report.displays._axes import new_axes
from sfmforensics.report.displays.predictions import count_pairs, number_pairs
from sfmforensics.report.displays.scores import plot_scores
from sfmforensics.results import PREDICTION_COLUMNS, file_part, own_figures, require_columns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sfmforensics._types import PathLike


__all__ = ["plot_scores", "save_figures"]


def confusion_display(predictions: pd.DataFrame, task: str, protocol: str) -> ConfusionDisplay:
    """Count what each class was taken for.

    Parameters
    ----------
    predictions : DataFrame
        Columns ``path, fold, protocol, task, true, predicted``, as `evaluate` writes them.
    task, protocol : str
        Which rows.

    Returns
    -------
    ConfusionDisplay
        Not yet drawn.

    Raises
    ------
    ReportError
        A column is missing, or there is nothing to show for this task and protocol.

    Examples
    --------
    >>> import pandas as pd
    >>> predictions = pd.DataFrame({
    ...     "path": list("abc"), "fold": 0, "protocol": "closed", "task": "gender",
    ...     "true": ["f", "f", "m"], "predicted": ["f", "m", "m"],
    ... })
    >>> confusion_display(predictions, "gender", "closed").shares
    predicted    f    m
    true
    f          0.5  0.5
    m          0.0  1.0
    """
    rows = _rows(predictions, task, protocol)
    return ConfusionDisplay(count_pairs(rows["true"], rows["predicted"]), task=task, name=protocol)


def regression_display(
    predictions: pd.DataFrame, task: str, protocol: str, unit: str | None = None
) -> RegressionDisplay:
    """Set predicted against true numbers.

    Parameters
    ----------
    predictions : DataFrame
        As for `confusion_display`; "true" and "predicted" of this task are numbers.
    task, protocol : str
        Which rows.
    unit : str or None, default=None
        Unit of the numbers; None takes "years" for age.

    Returns
    -------
    RegressionDisplay
        Not yet drawn.

    Raises
    ------
    ReportError
        As for `confusion_display`, or something is no number or missing.

    Examples
    --------
    >>> import pandas as pd
    >>> predictions = pd.DataFrame({
    ...     "path": ["a", "b"], "fold": 0, "protocol": "closed", "task": "age",
    ...     "true": [20.0, 30.0], "predicted": [23.0, 26.0],
    ... })
    >>> regression_display(predictions, "age", "closed").y_pred
    array([23., 26.])
    """
    rows = _rows(predictions, task, protocol)
    try:
        true, predicted = number_pairs(rows["true"], rows["predicted"], f"task {task!r}")
    except TargetError as error:
        raise ReportError(str(error)) from error
    return RegressionDisplay(true, predicted, task=task, unit=unit, name=protocol)


def _rows(predictions: pd.DataFrame, task: str, protocol: str) -> pd.DataFrame:
    require_columns(predictions, PREDICTION_COLUMNS, "the predictions")
    rows = predictions[(predictions["task"] == task) & (predictions["protocol"] == protocol)]
    rows = rows[rows["true"].notna()]
    if rows.empty:
        raise ReportError(f"no prediction of {task!r} under {protocol!r} has a true label")
    return rows


def draw_predictions(
    scores: pd.DataFrame, predictions: pd.DataFrame
) -> Iterator[tuple[str, str, str, Axes]]:
    """Draw, one after the other, every task and protocol that has scores and predictions.

    Parameters
    ----------
    scores : DataFrame
        Scores, which tell the kinds of the tasks.
    predictions : DataFrame
        Columns ``path, fold, protocol, task, true, predicted``, as `evaluate` writes them.

    Yields
    ------
    task, protocol, kind : str
        What is drawn; kind is "confusion" or "regression".
    ax : matplotlib.axes.Axes
        On a figure outside pyplot.

    Raises
    ------
    ReportError
        A column is missing, or numbers are drawn that are none.
    """
    if predictions.empty:  # of speakers alone, under disjoint, there are no answers
        return
    require_columns(predictions, PREDICTION_COLUMNS, "the predictions")
    # Where a fold had no label to learn from, there is no answer to draw.
    known = predictions[predictions["true"].notna() & predictions["predicted"].notna()]
    pairs = set(zip(known["task"], known["protocol"], strict=True))
    tasks: Any = scores.groupby("task", sort=False)["metric"]
    for task, metrics in tasks:
        for protocol in in_order(scores["protocol"]):
            if (task, protocol) not in pairs or not is_defined(task, protocol):
                continue
            if is_classification(metrics.iloc[0]):
                shown = confusion_display(known, task, protocol)
                yield task, protocol, "confusion", shown.plot(new_axes(shown.figsize)).ax_
            else:
                drawn = regression_display(known, task, protocol)
                yield task, protocol, "regression", drawn.plot(new_axes(drawn.figsize)).ax_


def save_figures(
    directory: PathLike,
    scores: pd.DataFrame,
    predictions: pd.DataFrame,
    *,
    overwrite: bool = False,
) -> list[Path]:
    """Write all figures as PNG files of 150 dots per inch.

    Parameters
    ----------
    directory : path-like
        Where; made if need be.
    scores, predictions : DataFrame
        As `evaluate` writes them; the predictions of one model.
    overwrite : bool, default=False
        Whether files of these names may be replaced that are no figures of this package.

    Returns
    -------
    list of Path
        ``scores.png``, then ``confusion-TASK-PROTOCOL.png`` and ``regression-TASK-PROTOCOL.png``.
        In the names of tasks and protocols, what a file's name may not hold becomes "_".

    Raises
    ------
    ReportError
        A column is missing, or there are no rows.
    OutputError
        A figure cannot be written, or would take the place of something else.

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
    directory = user_path(directory)
    stems = ["scores"]
    if "task" in scores and "protocol" in scores:
        stems += [
            f"{kind}-{file_part(task)}-{file_part(protocol)}"
            for kind in ("confusion", "regression")
            for task in scores["task"].unique()
            for protocol in scores["protocol"].unique()
        ]
    figures = own_files(directory, own_figures(directory, stems), "evaluation")
    check_outputs({"directory": figures}, overwrite=overwrite)
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / "scores.png"]
    save_png(plot_scores(scores), paths[0])
    for task, protocol, kind, ax in draw_predictions(scores, predictions):
        stem = f"{kind}-{file_part(task)}-{file_part(protocol)}"
        path = directory / f"{stem}.png"
        for number in range(2, 1000):
            if path not in paths:
                break
            path = directory / f"{stem}-{number}.png"
        save_png(cast("Figure", ax.figure), path)
        paths.append(path)
    return paths


def save_png(figure: Figure, target: PathLike) -> None:
    """Write a figure into a file, as `png_of` gives it."""
    write_atomically(target, png_of(figure))


def png_of(figure: Figure) -> bytes:
    """Draw a figure as the bytes of a PNG file, in which nothing changes from run to run."""
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=150, bbox_inches="tight", metadata={"Software": None})
    return drawn.getvalue()
