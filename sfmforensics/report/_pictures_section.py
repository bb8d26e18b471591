"""The pictures of the page: bars, what was confused, and figures that the run has kept."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.report._bars import plot_scores
from sfmforensics.report._markup import details, join, png, tag
from sfmforensics.report.figures import confusion_display, draw_predictions, png_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    import pandas as pd
    from matplotlib.axes import Axes

    from sfmforensics.report._markup import Markup
    from sfmforensics.results import Run


def bars(run: Run) -> Markup:
    """Draw the means of the folds."""
    alt = "Bars: the means of the table above, by task, model and protocol; points: single folds."
    return png(_encoded(plot_scores(run.scores)), alt, alt, wide=True)


def kept(run: Run) -> Iterator[Markup]:
    """Show the figures that were drawn when the recordings' vectors were at hand."""
    figures = run.config.get("figures")
    for figure in figures if isinstance(figures, list) else []:
        if not isinstance(figure, dict):
            continue
        path = run.directory / str(figure.get("file", ""))
        # Only what the run itself wrote beside its tables.
        if path.parent != run.directory or path.suffix != ".png" or not path.is_file():
            continue
        yield tag("h3", str(figure.get("title", path.stem)))
        text = str(figure.get("text", ""))
        yield png(base64.b64encode(path.read_bytes()).decode("ascii"), text, text, wide=True)


def predictions(run: Run) -> Iterator[Markup]:
    """Draw what was taken for what, of each model."""
    if not run.predictions:
        yield tag("p", "There is no predictions.csv, so what was confused cannot be shown.")
        return
    yield tag(
        "p",
        "All folds together, so an error here can differ a little from the mean over the folds. "
        "In a confusion matrix a row is a true class, and its cells say what it was taken for.",
    )
    for place, (model, answers) in enumerate(run.predictions.items()):
        rows: dict[str, list[Markup]] = {}
        for task, protocol, kind, ax in draw_predictions(run.scores, answers):
            drawn = _drawing(answers, model, task, protocol, kind, ax)
            rows.setdefault(task, []).append(drawn)
        # A row for each task, so that its protocols stand side by side.
        pictures = join(tag("div", *row, class_="pair") for row in rows.values())
        if place == 0:
            yield join([tag("h3", model), pictures])
        else:
            yield details(f"The same for {model}", pictures)


def _drawing(
    answers: pd.DataFrame, model: str, task: str, protocol: str, kind: str, ax: Axes
) -> Markup:
    measured = ax.get_title().replace("\\$", "$").partition("\n")[2]
    if kind == "regression":
        caption = f"{task}, {protocol}: predicted against true"
        alt = f"Scatter plot of predicted against true {task}, {protocol}, {model}: {measured}."
    else:
        caption = f"{task}, {protocol}: what each class was taken for"
        worst = _worst(confusion_display(answers, task, protocol).shares)
        alt = f"Confusion matrix of {task}, {protocol}, {model}: {measured}. {worst}"
    return png(_encoded(ax.figure), alt, caption)


def _worst(shares: pd.DataFrame) -> str:
    """Put the most frequent confusion into words."""
    wrong = shares.to_numpy(dtype=float, copy=True)
    np.fill_diagonal(wrong, np.nan)
    if not np.nansum(wrong):
        return "Nothing was confused."
    true, predicted = np.unravel_index(np.nanargmax(wrong), wrong.shape)
    share = wrong[true, predicted] * 100
    return (
        f"Most confused: {shares.index[int(true)]} was taken for "
        f"{shares.columns[int(predicted)]} "
        f"in {share:.0f} % of its recordings."
    )


def _encoded(figure: Any) -> str:
    return base64.b64encode(png_of(figure)).decode("ascii")
