"""Scores and predictions as figures, drawn without pyplot, so that no window or state is left."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, cast

from sfmforensics._utils.files import write_atomically
from sfmforensics._utils.outputs import check_outputs, own_files
from sfmforensics._utils.paths import user_path
from sfmforensics.report._bars import plot_scores
from sfmforensics.report._labels import in_order, is_classification, is_defined
from sfmforensics.report._predictions import confusion_display, regression_display
from sfmforensics.report.displays._axes import new_axes
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
    found = set(zip(known["task"], known["protocol"], strict=True))
    tasks: Any = scores.groupby("task", sort=False)["metric"]
    for task, metrics in tasks:
        for protocol in in_order(scores["protocol"]):
            if (task, protocol) not in found or not is_defined(task, protocol):
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
