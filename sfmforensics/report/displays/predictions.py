"""What was predicted against what is true: classes and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, Normalize, PowerNorm, to_rgb
from sklearn.utils import check_consistent_length

from sfmforensics.exceptions import ParameterError, TargetError
from sfmforensics.metrics import mae, rmse
from sfmforensics.report._wording import UNITS, figure_text, natural_key, unit_of
from sfmforensics.report.displays._axes import (
    BLUE,
    LEGEND,
    VERMILLION,
    Display,
    heading_of,
    own_axes,
)
from sfmforensics.targets import CLASSIFICATION, REGRESSION, as_frame, task_kind
from sfmforensics.targets._bands import middles, read_numbers

if TYPE_CHECKING:
    from typing import Any, Self

    from matplotlib.axes import Axes
    from sklearn.base import BaseEstimator

    from sfmforensics._types import Column, FloatArray, Matrix, Targets, TaskKind
    from sfmforensics._utils.recordings import Recordings


def choose_task(
    y: Targets, task: str | None = None, kind: TaskKind | None = None
) -> tuple[Any, pd.Series, int]:
    """Choose one column of targets.

    Parameters
    ----------
    y : DataFrame, Series or array-like of shape (n_samples,) or (n_samples, n_tasks)
        Targets.
    task : str or None, default=None
        Its name, which names a single column that has none. None takes the only column, or the
        only one of that kind.
    kind : {"classification", "regression"} or None, default=None
        Kind of task that is drawn.

    Returns
    -------
    name : object or None
        None for a column without a name.
    column : Series of shape (n_samples,)
        Its index is 0, 1, ...
    position : int
        Its place.

    Raises
    ------
    TargetError
        There is no such column, or several could be meant.

    Examples
    --------
    >>> y = pd.DataFrame({"gender": ["f", "m"], "age": [20.0, 30.0]})
    >>> choose_task(y, kind="regression")[0]
    'age'
    >>> choose_task(y)
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.TargetError: the targets hold 'gender', 'age'; choose one with task=
    """
    frame = as_frame(y).reset_index(drop=True)
    names = list(frame.columns)
    named = hasattr(y, "columns") or getattr(y, "name", None) is not None
    if len(names) == 1 and (not named or task is None):
        return (names[0] if named else task), frame.iloc[:, 0], 0
    if task is None:
        kinds = [task_kind(frame.iloc[:, position]) for position in range(len(names))]
        fitting = [position for position, own_kind in enumerate(kinds) if kind in (None, own_kind)]
        if len(fitting) != 1:
            wanted = [names[position] for position in fitting] or names
            choices = ", ".join(map(repr, wanted))
            of_kind = f" for {kind}" if fitting and kind else ""
            raise TargetError(f"the targets hold {choices}{of_kind}; choose one with task=")
        position = fitting[0]
    elif task in names:
        position = names.index(task)
    else:
        choices = ", ".join(map(repr, names))
        raise TargetError(f"there is no task {task!r}; there are {choices}")
    return names[position], frame.iloc[:, position], position


def choose_pair(
    y_true: Targets, y_pred: Targets, task: str | None = None, kind: TaskKind | None = None
) -> tuple[Any, pd.Series, pd.Series]:
    """Choose one column of targets, and what was predicted for it.

    Parameters
    ----------
    y_true, task, kind : as in `choose_task`
        True targets.
    y_pred : DataFrame, Series or array-like
        A frame with a column of that name, or as many columns as the targets in their order, or
        one column. Rows are compared by position, whatever the index.

    Returns
    -------
    name : object or None
    true, predicted : Series of shape (n_samples,)
        Rows without a true label are left out.

    Raises
    ------
    TargetError
        As in `choose_task`, or the predictions lack the task, or no label is known.
    """
    name, true, position = choose_task(y_true, task, kind)
    answers = as_frame(y_pred).reset_index(drop=True)
    check_consistent_length(true, answers)
    if hasattr(y_pred, "columns") and name in answers.columns:
        place = list(answers.columns).index(name)
    elif answers.shape[1] == 1:
        place = 0
    elif not hasattr(y_pred, "columns") and position < answers.shape[1]:
        place = position
    else:
        column_names = ", ".join(map(repr, answers.columns))
        raise TargetError(f"nothing was predicted for {name!r}; there are {column_names}")
    known = true.notna()
    if not known.any():
        raise TargetError(f"no label of {'the targets' if name is None else repr(name)} is known")
    return name, true[known], answers.iloc[:, place][known]


def as_text(labels: pd.Series) -> pd.Series:
    """Write labels as text; 1.0 is 1, since a column of integers with gaps holds floats."""
    whole = [isinstance(label, float) and label.is_integer() for label in labels]
    texts = [str(int(a) if b else a) for a, b in zip(labels, whole, strict=True)]
    return pd.Series(texts, index=labels.index, dtype=object)


if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal, Self

    from matplotlib.axes import Axes
    from sklearn.base import BaseEstimator

    from sfmforensics._types import FloatArray, Matrix, Targets
    from sfmforensics._utils.recordings import Recordings

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
    bands = [
        (
            len(rows),
            *rows["true"].quantile([0.05, 0.95]),
            *rows["predicted"].quantile([0.1, 0.5, 0.9]),
        )
        for rows in parts
        if len(rows) >= LEAST
    ]
    return pd.DataFrame(bands, columns=["n", "start", "end", "low", "median", "high"])


def number_pairs(true: pd.Series, predicted: pd.Series, what: str) -> list[FloatArray]:
    """Read two columns as numbers, bands as their middles; `what` they are is for the message.

    Raises
    ------
    TargetError
        They are none.
    """
    try:
        numbers = [middles(read_numbers(column)) for column in (true, predicted)]
        pairs = [column.to_numpy(dtype=float) for column in numbers]
    except (TypeError, ValueError) as error:
        raise TargetError(f"{what} is drawn as numbers, but: {error}") from error
    n_bad = int((~np.isfinite(pairs)).any(axis=0).sum())
    if n_bad:
        raise TargetError(
            f"{what} is drawn as numbers, but {n_bad} recordings have an infinite number or no "
            "prediction"
        )
    return pairs
