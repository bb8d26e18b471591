"""What each class is taken for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, Normalize, PowerNorm

from sfmforensics.exceptions import ParameterError, TargetError
from sfmforensics.report._wording import figure_text, natural_key
from sfmforensics.report.displays._axes import BLUE, Display, heading_of, own_axes
from sfmforensics.report.displays._tasks import as_text, choose_pair
from sfmforensics.targets import CLASSIFICATION, REGRESSION, task_kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal, Self

    from matplotlib.axes import Axes
    from sklearn.base import BaseEstimator

    from sfmforensics._types import FloatArray, Matrix, Recordings, Targets

    Normalise = Literal["true", "pred", "all"] | None

MOST_NUMBERED = 12  # classes; in more than 144 cells numbers are too small to read
MOST_TICKS = 20
SHADES = LinearSegmentedColormap.from_list("", [(0, "white"), (0.6, BLUE), (1, "#00263B")])
NO_ANSWER = "(no answer)"

MEANING = {
    "true": "share of the true class (%)",
    "pred": "share of the predicted class (%)",
    "all": "share of all recordings (%)",
    None: "recordings",
}


class ConfusionDisplay(Display):
    """Confusion matrix of one task, in percent of the true class.

    Use `from_predictions` or `from_estimator` to make one.

    Parameters
    ----------
    counts : DataFrame of shape (n_classes, n_classes)
        Recordings by true class (rows) and predicted class (columns), with the same labels.
    task : str or None, default=None
        Name of the task, on the axes.
    normalize : {"true", "pred", "all"} or None, default="true"
        What a share is a share of: the true class (its row), the predicted class (its column), all
        recordings; None shows the counts.
    name : str or None, default=None
        What was measured, in the title: a model, a protocol.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    im_ : matplotlib.image.AxesImage

    Raises
    ------
    ParameterError
        `normalize` is none of these.

    Notes
    -----
    Up to 12 classes have numbers in their cells; of more than 20, only some are named. A grey row
    is a class that was predicted but is never true. A recording without a true label does not
    count; one without a prediction is taken for "(no answer)".

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> y = pd.DataFrame({"gender": ["f", "f", "m"], "age": [20.0, 30.0, 40.0]})
    >>> answers = pd.DataFrame({"gender": ["f", "m", "m"], "age": [22.0, 30.0, 35.0]})
    >>> display = ConfusionDisplay.from_predictions(y, answers, name="TANGO")
    >>> display.shares
    predicted    f    m
    true
    f          0.5  0.5
    m          0.0  1.0
    >>> print(display.ax_.get_title())
    gender, TANGO
    66.7 % of 3 correct
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        counts: pd.DataFrame,
        *,
        task: str | None = None,
        normalize: Normalise = "true",
        name: str | None = None,
    ) -> None:
        if normalize not in MEANING:
            raise ParameterError(f'normalize is {normalize!r}; use "true", "pred", "all" or None')
        self.counts = counts
        self.task = task
        self.normalize = normalize
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Matrix | Recordings,
        y: Targets,
        *,
        task: str | None = None,
        normalize: Normalise = "true",
        name: str | None = None,
        ax: Axes | None = None,
        colorbar: bool = True,
    ) -> Self:
        """Draw what a model takes the classes of a task for.

        Parameters
        ----------
        estimator : estimator
            Fitted; may be a pipeline.
        X : array-like of shape (n_samples, ...)
            What it predicts from, best recordings that it was not fitted on.
        y : DataFrame, Series or array-like of shape (n_samples,) or (n_samples, n_tasks)
            True targets.
        task, normalize, name, ax, colorbar
            As in `from_predictions`.

        Returns
        -------
        ConfusionDisplay

        Raises
        ------
        TargetError, ParameterError
            As in `from_predictions`.
        """
        return cls.from_predictions(
            y,
            estimator.predict(X),
            task=task,
            normalize=normalize,
            name=name,
            ax=ax,
            colorbar=colorbar,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Targets,
        y_pred: Targets,
        *,
        task: str | None = None,
        normalize: Normalise = "true",
        name: str | None = None,
        ax: Axes | None = None,
        colorbar: bool = True,
    ) -> Self:
        """Draw what the classes of a task were taken for.

        Parameters
        ----------
        y_true : DataFrame, Series or array-like of shape (n_samples,) or (n_samples, n_tasks)
            True targets.
        y_pred : DataFrame, Series or array-like
            Predictions: a frame with a column of the task's name, as many columns as the targets,
            or one.
        task : str or None, default=None
            Column of the targets; it can be left out if there is one classification column.
        normalize : {"true", "pred", "all"} or None, default="true"
            What a share is a share of; None shows counts.
        name : str or None, default=None
            What was measured, in the title.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure of pyplot's.
        colorbar : bool, default=True
            Whether the shades are explained.

        Returns
        -------
        ConfusionDisplay

        Raises
        ------
        TargetError
            The task is not there, or several could be meant, it holds numbers, or none of its
            labels is known.
        ParameterError
            `normalize` is unknown, or the lengths differ.
        """
        task, true, predicted = choose_pair(y_true, y_pred, task, CLASSIFICATION)
        if task_kind(true) == REGRESSION and (true % 1 != 0).any():
            column = "the column" if task is None else f"column {task!r}"
            raise TargetError(f"{column} holds numbers, not classes; use RegressionDisplay")
        display = cls(count_pairs(true, predicted), task=task, normalize=normalize, name=name)
        return display.plot(ax, colorbar=colorbar)

    @property
    def shares(self) -> pd.DataFrame:
        """DataFrame of the shares, 0 to 1, as `normalize` says; NaN where there is nothing."""
        if self.normalize is None:
            return self.counts
        axis: Any = {"true": 1, "pred": 0}.get(self.normalize)
        if axis is None:
            return self.counts / self.counts.to_numpy().sum()
        total = self.counts.sum(axis=axis)
        return self.counts.div(total.where(total > 0), axis=1 - axis)

    @property
    def figsize(self) -> tuple[float, float]:
        """Width and height in inches of a figure that suits the number of classes."""
        n_classes = len(self.counts)
        width = 4.8 + 0.15 * max(0, n_classes - 5) if n_classes <= MOST_NUMBERED else 5.6
        return width, width - 0.7

    def plot(self, ax: Axes | None = None, *, colorbar: bool = True) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure of pyplot's.
        colorbar : bool, default=True
            Whether the shades are explained.

        Returns
        -------
        ConfusionDisplay
        """
        ax = own_axes(ax, self.figsize)
        n_classes, numbered = len(self.counts), len(self.counts) <= MOST_NUMBERED
        factor = 1 if self.normalize is None else 100
        values = self.shares.to_numpy(dtype=float) * factor
        most = max(1, np.nanmax(values)) if self.normalize is None else 100
        # Of many classes each error is a small share, which a linear scale would leave white.
        norm = Normalize(0, most) if numbered else PowerNorm(0.5, 0, most)
        self.im_ = ax.imshow(np.ma.masked_invalid(values), cmap=SHADES, norm=norm)
        ax.set_facecolor("0.85")
        if numbered:
            _write(ax, np.nan_to_num(values), most, factor)
        _name_classes(ax, list(self.counts.index), n_classes)
        name = "label" if self.task is None else figure_text(self.task)
        ax.set(xlabel=f"predicted {name}", ylabel=f"true {name}")
        n = int(self.counts.to_numpy().sum())
        correct = 100 * np.trace(self.counts.to_numpy()) / max(n, 1)
        heading = heading_of("label" if self.task is None else self.task, self.name)
        ax.set_title(f"{heading}\n{correct:.1f} % of {n:,} correct")
        if colorbar:
            bar = ax.figure.colorbar(self.im_, ax=ax, shrink=0.85)
            bar.set_label(MEANING[self.normalize])
        return self._drawn(ax, grid=False)


def count_pairs(true: pd.Series, predicted: pd.Series) -> pd.DataFrame:
    """Count how often each class was taken for each.

    Parameters
    ----------
    true, predicted : Series of shape (n_samples,)
        Labels; no true one is missing.

    Returns
    -------
    DataFrame of shape (n_classes, n_classes)
        Row: true class; column: predicted class; in natural order.

    Examples
    --------
    >>> count_pairs(pd.Series(["10", "10", "9"]), pd.Series(["9", "10", None]))
    predicted    9  10  (no answer)
    true
    9            0   0            1
    10           1   1            0
    (no answer)  0   0            0
    """
    # By position: crosstab goes by the index, which may differ or repeat itself.
    true, predicted = true.reset_index(drop=True), predicted.reset_index(drop=True)
    true, answers = as_text(true), as_text(predicted).where(predicted.notna(), NO_ANSWER)
    labels = sorted({*true, *answers}, key=lambda label: (label == NO_ANSWER, natural_key(label)))
    counts = pd.crosstab(true, answers).reindex(index=labels, columns=labels, fill_value=0)
    return counts.rename_axis(index="true", columns="predicted")


def _write(ax: Axes, values: FloatArray, most: float, factor: int) -> None:
    for (row, column), value in np.ndenumerate(values):
        if value:
            dark = "white" if value > 0.55 * most else "black"
            text = "<1" if value < 0.5 and factor > 1 else f"{value:.0f}"
            ax.text(column, row, text, ha="center", va="center", color=dark, fontsize=9)


def _name_classes(ax: Axes, names: Sequence[str], n_classes: int) -> None:
    ticks = range(0, n_classes, -(-n_classes // MOST_TICKS))
    labels = [figure_text(names[tick], 16) for tick in ticks]
    slant = 90 if n_classes > MOST_NUMBERED else 45 if max(map(len, labels)) > 4 else 0
    flush: dict[str, Any] = {"ha": "right", "rotation_mode": "anchor"} if slant == 45 else {}
    ax.set_xticks(ticks, labels, rotation=slant, **flush)
    ax.set_yticks(ticks, labels)
    if n_classes > MOST_NUMBERED:
        ax.tick_params(labelsize=8)
