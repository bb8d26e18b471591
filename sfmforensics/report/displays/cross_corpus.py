"""Corpora against each other: what was learnt from one, tested on another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, to_rgb

from sfmforensics.exceptions import ReportError
from sfmforensics.report._wording import (
    figure_text,
    greater_is_better,
    metric_label,
)
from sfmforensics.report.displays._axes import BLUE, Display, heading_of, own_axes
from sfmforensics.report.tables import cross_rows, number

if TYPE_CHECKING:
    from typing import Self

    from matplotlib.axes import Axes


class CrossCorpusDisplay(Display):
    """One measure of one model for each pair of corpora, as a matrix.

    Use `from_scores` to make one.

    Parameters
    ----------
    values : DataFrame of shape (n_train, n_test)
        The measure; rows are what was learnt from, columns what was tested.
    low, high : DataFrame of shape (n_train, n_test)
        Its bounds.
    task, metric : str
        What is measured.
    model : str or None, default=None
        Of which model, for the title.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes, Figure
        After `plot`.

    Examples
    --------
    >>> scores = pd.DataFrame({
    ...     "train": ["a", "a", "b", "b"], "test": ["a", "b", "a", "b"], "model": "svm",
    ...     "task": "emotion", "metric": "uar", "value": [0.7, 0.4, 0.5, 0.8],
    ...     "low": [0.6, 0.3, 0.4, 0.7], "high": [0.8, 0.5, 0.6, 0.9],
    ... })
    >>> display = CrossCorpusDisplay.from_scores(scores, "emotion")
    >>> float(display.values.loc["a", "b"])
    0.4
    """

    def __init__(
        self,
        values: pd.DataFrame,
        low: pd.DataFrame,
        high: pd.DataFrame,
        *,
        task: str,
        metric: str,
        model: str | None = None,
    ) -> None:
        self.values, self.low, self.high = values, low, high
        self.task, self.metric, self.model = task, metric, model

    @classmethod
    def from_scores(
        cls,
        scores: pd.DataFrame,
        task: str,
        *,
        metric: str | None = None,
        model: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the matrix of a task.

        Parameters
        ----------
        scores : DataFrame
            As `sfmforensics.experiment.evaluate_across` gives them, and ``cross.csv`` holds them.
        task : str
            Which task.
        metric : str or None, default=None
            Which measure; UAR of classes and the first of others by default.
        model : str or None, default=None
            Which model; the first that has the task by default.
        [ax]

        Raises
        ------
        ReportError
            A column is missing, or nothing is known of the task.
        """
        rows, metric = cross_rows(scores, task, metric)
        models = list(dict.fromkeys(rows["model"]))
        model = models[0] if model is None else model
        if model not in models:
            raise ReportError(
                f"the scores have no {metric} of {task!r} by {model!r}, but by "
                f"{', '.join(map(str, models))}"
            )
        rows = rows[rows["model"] == model]
        trains, tests = dict.fromkeys(rows["train"]), dict.fromkeys(rows["test"])
        values, low, high = (
            rows.pivot_table(index="train", columns="test", values=name, dropna=False).reindex(
                index=list(trains), columns=list(tests)
            )
            for name in ("value", "low", "high")
        )
        display = cls(values, low, high, task=task, metric=metric, model=model)
        return display.plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw it."""
        n_rows, n_columns = self.values.shape
        ax = own_axes(ax, (2.2 + 1.25 * n_columns, 1.5 + 0.75 * n_rows))
        cells = self.values.to_numpy(float)
        least, most = np.nanmin(cells), np.nanmax(cells)
        depth = (cells - least) / (most - least) if most > least else np.zeros_like(cells)
        if not greater_is_better(self.metric):
            depth = 1 - depth
        colours = LinearSegmentedColormap.from_list("blues", ["white", BLUE])
        ax.imshow(0.85 * depth, cmap=colours, vmin=0, vmax=1, aspect="auto")
        for row in range(n_rows):
            for column in range(n_columns):
                if not np.isnan(cells[row, column]):
                    dark = np.mean(to_rgb(colours(0.85 * depth[row, column]))) < 0.55
                    ax.text(
                        *(column, row, self._text(row, column)),
                        ha="center",
                        va="center",
                        fontsize=9,
                        color="white" if dark else "black",
                    )
        ax.set_xticks(range(n_columns), [figure_text(name) for name in self.values.columns])
        ax.set_yticks(range(n_rows), [figure_text(name) for name in self.values.index])
        ax.set_xlabel("tested on")
        ax.set_ylabel("learnt from")
        ax.set_title(
            heading_of(self.task, metric_label(self.task, self.metric), self.model), fontsize=11
        )
        return self._drawn(ax, grid=False)

    def _text(self, row: int, column: int) -> str:
        parts = (self.values, self.low, self.high)
        value, low, high = (float(part.to_numpy(float)[row, column]) for part in parts)
        text = number(value, self.metric)
        if np.isnan(low) or np.isnan(high):
            return text
        return f"{text}\n{number(low, self.metric)} to {number(high, self.metric)}"
