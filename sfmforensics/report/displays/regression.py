"""Predicted against true numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb

from sfmforensics.exceptions import TargetError
from sfmforensics.metrics import mae, rmse
from sfmforensics.report._wording import UNITS, figure_text, unit_of
from sfmforensics.report.displays._axes import (
    BLUE,
    LEGEND,
    VERMILLION,
    Display,
    heading_of,
    own_axes,
)
from sfmforensics.report.displays._tasks import choose_pair
from sfmforensics.targets import REGRESSION

if TYPE_CHECKING:
    from typing import Any, Self

    from matplotlib.axes import Axes
    from sklearn.base import BaseEstimator

    from sfmforensics._types import Column, FloatArray, Matrix, Recordings, Targets

N_BINS = 8
TINT = to_rgb(VERMILLION)
LEAST = 10  # recordings in a bin: of fewer, no tenth can be told


class RegressionDisplay(Display):
    """Predicted against true numbers of one task, with error bands.

    Use `from_predictions` or `from_estimator` to make one.

    Parameters
    ----------
    y_true, y_pred : array-like of float of shape (n_samples,)
        Numbers without gaps.
    task : str or None, default=None
        Name of the task, on the axes.
    unit : str or None, default=None
        Unit of the numbers; None takes "years" for age, and says otherwise that it is that of the
        column.
    name : str or None, default=None
        What was measured, in the title: a model, a protocol.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Notes
    -----
    The boxes hold, in bins of the true number with about as many recordings each (equal numbers
    are never torn apart), the middle 80 % of the predictions, 10 % being below and 10 % above, and
    their median; they are as wide as the middle 90 % of the true numbers. Medians that rise less
    than the diagonal say that the model pulls all answers towards the mean. Of fewer than 10
    recordings there is no box. The errors in the title are over all recordings together; a mean
    over folds may differ a little.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> y = pd.DataFrame({"gender": ["f", "m"], "age": [20.0, 30.0]})
    >>> answers = pd.DataFrame({"gender": ["f", "m"], "age": [23.0, 26.0]})
    >>> display = RegressionDisplay.from_predictions(y, answers, name="TANGO")
    >>> print(display.ax_.get_title())
    age, TANGO
    RMSE 3.54, MAE 3.50 years (n = 2)
    >>> plt.close(display.figure_)
    """

    figsize = (4.6, 4.8)
    """Width and height in inches of a figure that suits it."""

    def __init__(
        self,
        y_true: Column,
        y_pred: Column,
        *,
        task: str | None = None,
        unit: str | None = None,
        name: str | None = None,
    ) -> None:
        self.y_true = y_true
        self.y_pred = y_pred
        self.task = task
        self.unit = unit
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Matrix | Recordings,
        y: Targets,
        *,
        task: str | None = None,
        unit: str | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw what a model predicts against what is true.

        Parameters
        ----------
        estimator : estimator
            Fitted; may be a pipeline.
        X : array-like of shape (n_samples, ...)
            What it predicts from, best recordings that it was not fitted on.
        y : DataFrame, Series or array-like of shape (n_samples,) or (n_samples, n_tasks)
            True targets.
        task, unit, name, ax
            As in `from_predictions`.

        Returns
        -------
        RegressionDisplay

        Raises
        ------
        TargetError, ParameterError
            As in `from_predictions`.
        """
        answers = estimator.predict(X)
        return cls.from_predictions(y, answers, task=task, unit=unit, name=name, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: Targets,
        y_pred: Targets,
        *,
        task: str | None = None,
        unit: str | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw what was predicted against what is true.

        Parameters
        ----------
        y_true : DataFrame, Series or array-like of shape (n_samples,) or (n_samples, n_tasks)
            True targets; a missing number does not count.
        y_pred : DataFrame, Series or array-like
            Predictions: a frame with a column of the task's name, as many columns as the targets,
            or one.
        task : str or None, default=None
            Column of the targets; it can be left out if there is one regression column.
        unit : str or None, default=None
            Unit of the numbers; None takes "years" for age.
        name : str or None, default=None
            What was measured, in the title.
        [ax]

        Raises
        ------
        TargetError
            The task is not there, or several could be meant, something is no number, or a
            prediction is missing.
        ParameterError
            The lengths differ.
        """
        task, true, predicted = choose_pair(y_true, y_pred, task, REGRESSION)
        what = "the column" if task is None else f"task {task!r}"
        pairs = number_pairs(true, predicted, what)
        return cls(*pairs, task=task, unit=unit, name=name).plot(ax)

    @property
    def bands(self) -> pd.DataFrame:
        """DataFrame of what the band shows, see `error_bands`."""
        return error_bands(self.y_true, self.y_pred)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw it."""
        ax = own_axes(ax, self.figsize)
        true, predicted = np.asarray(self.y_true), np.asarray(self.y_pred)
        low, high = min(true.min(), predicted.min()), max(true.max(), predicted.max())
        margin = 0.05 * (high - low) or 1.0
        limits = (low - margin, high + margin)
        (identity,) = ax.plot(
            limits, limits, color="black", linewidth=1, linestyle="--", label="predicted = true"
        )
        alpha = 0.6 if len(true) < 200 else 0.3
        ax.scatter(true, predicted, s=22, color=BLUE, alpha=alpha, edgecolors="none")
        bands = [] if len(true) < LEAST else self._draw_bands(ax, 0.02 * (limits[1] - limits[0]))
        ax.set(xlim=limits, ylim=limits, aspect="equal")
        name = "number" if self.task is None else figure_text(self.task)
        unit = figure_text(unit_of(self.task) if self.unit is None else self.unit)
        ax.set(xlabel=f"true {name} ({unit})", ylabel=f"predicted {name} ({unit})")
        errors = f"RMSE {rmse(true, predicted):.2f}, MAE {mae(true, predicted):.2f}"
        known = self.unit is not None or self.task in UNITS
        heading = heading_of("number" if self.task is None else self.task, self.name)
        ax.set_title(f"{heading}\n{errors}{' ' + unit if known else ''} (n = {len(true):,})")
        handles = [identity, *bands]
        ax.legend(handles=handles, loc="upper left", **LEGEND)
        return self._drawn(ax)

    def _draw_bands(self, ax: Axes, least: float) -> list[Any]:
        """Draw the bins where they are, without a word on numbers between them; `least` wide."""
        bands = self.bands
        centre = (bands["start"] + bands["end"]) / 2
        width = (bands["end"] - bands["start"]).clip(lower=least)
        height = bands["high"] - bands["low"]
        label = "middle 80 % of the predictions"
        boxes = ax.bar(
            centre, height, width, bands["low"], fc=(*TINT, 0.3), ec=TINT, lw=0.8, label=label
        )
        label = f"median, in {len(bands)} bins of like counts"
        ends = centre - width / 2, centre + width / 2
        medians = ax.hlines(bands["median"], *ends, color=TINT, linewidth=2.5, label=label)
        return [boxes, medians]


def error_bands(y_true: Column, y_pred: Column, n_bins: int = N_BINS) -> pd.DataFrame:
    """Median and middle 80 % of the predictions, by bins of the true number.

    Parameters
    ----------
    y_true, y_pred : array-like of float of shape (n_samples,)
        Numbers without gaps.
    n_bins : int, default=8
        Most bins. Rows of one true number stay together, and a bin has 10 rows or more, so there
        may be fewer.

    Returns
    -------
    DataFrame of shape (n_bins, 6)
        ``n``, ``start`` and ``end`` (quantiles 0.05 and 0.95 of the true numbers, so that a single
        remote one does not widen a bin), ``low``, ``median`` and ``high`` (quantiles 0.1, 0.5 and
        0.9 of the predictions); no row if there are fewer than 10 in all.

    Examples
    --------
    >>> true = np.repeat([20.0, 30.0], 10)
    >>> error_bands(true, true + np.tile(np.arange(10.0), 2))
        n  start   end   low  median  high
    0  10   20.0  20.0  20.9    24.5  28.1
    1  10   30.0  30.0  30.9    34.5  38.1
    """
    pairs = pd.DataFrame({"true": np.asarray(y_true), "predicted": np.asarray(y_pred)})
    # The bin of a number is that of the middle of its ranks.
    rank = pairs["true"].rank(method="average") - 0.5
    parts: list[pd.DataFrame] = []
    for _, rows in pairs.groupby((rank * n_bins // len(pairs)).astype(int)):
        if parts and min(len(rows), len(parts[-1])) < LEAST:
            parts[-1] = pd.concat([parts[-1], rows])
        else:
            parts.append(rows)
    found = [
        (
            len(rows),
            *rows["true"].quantile([0.05, 0.95]),
            *rows["predicted"].quantile([0.1, 0.5, 0.9]),
        )
        for rows in parts
        if len(rows) >= LEAST
    ]
    return pd.DataFrame(found, columns=["n", "start", "end", "low", "median", "high"])


def number_pairs(true: pd.Series, predicted: pd.Series, what: str) -> list[FloatArray]:
    """Read two columns as numbers; `what` they are is for the message.

    Raises
    ------
    TargetError
        They are none.
    """
    try:
        pairs = [pd.to_numeric(column).to_numpy(dtype=float) for column in (true, predicted)]
    except (TypeError, ValueError) as error:
        raise TargetError(f"{what} is drawn as numbers, but: {error}") from error
    n_bad = int((~np.isfinite(pairs)).any(axis=0).sum())
    if n_bad:
        raise TargetError(
            f"{what} is drawn as numbers, but {n_bad} recordings have an infinite number or no "
            "prediction"
        )
    return pairs
