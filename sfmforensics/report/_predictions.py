"""Predictions against the truth, as figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, Normalize, PowerNorm
from matplotlib.figure import Figure

from sfmforensics.exceptions import ReportError
from sfmforensics.metrics import mae, rmse
from sfmforensics.report._labels import (
    PREDICTION_COLUMNS,
    figure_text,
    natural_key,
    require_columns,
)

MOST_NUMBERED = 12  # classes; in more than 144 cells numbers are too small to read
MOST_TICKS = 20
BLUE = "#0072B2"  # of Okabe and Ito's palette
SHADES = LinearSegmentedColormap.from_list("", [(0, "white"), (0.6, BLUE), (1, "#00263B")])
NO_ANSWER = "(no answer)"


def confusion_shares(predictions, task, protocol):
    """Count what each class is taken for.

    Parameters
    ----------
    predictions : DataFrame
        Columns ``path, fold, protocol, task, true, predicted``, as `evaluate` writes them.
    task, protocol : str
        Which rows.

    Returns
    -------
    DataFrame of shape (n_classes, n_classes)
        Row: true class; column: predicted class. Rows sum to 1; a class that was predicted but
        is never true has a row of NaN. Recordings without a true label do not count.

    Raises
    ------
    ReportError
        A column is missing, or there is nothing to show for this task and protocol.

    Examples
    --------
    >>> predictions = pd.DataFrame({
    ...     "path": list("abc"), "fold": 0, "protocol": "closed", "task": "gender",
    ...     "true": ["f", "f", "m"], "predicted": ["f", "m", "m"],
    ... })
    >>> confusion_shares(predictions, "gender", "closed")
    predicted    f    m
    true
    f          0.5  0.5
    m          0.0  1.0
    """
    rows = _rows(predictions, task, protocol)
    true = rows["true"].astype(str)
    predicted = rows["predicted"].astype(object).where(rows["predicted"].notna(), NO_ANSWER)
    predicted = predicted.astype(str)
    labels = sorted({*true, *predicted}, key=natural_key)
    counts = pd.crosstab(true, predicted).reindex(index=labels, columns=labels, fill_value=0)
    shares = counts.div(counts.sum(axis=1).where(lambda total: total > 0), axis=0)
    return shares.rename_axis(index="true", columns="predicted")


def plot_confusion(predictions, task, protocol, ax=None):
    """Draw what each class is taken for, in percent of the class.

    Parameters
    ----------
    predictions : DataFrame
        As for `confusion_shares`.
    task, protocol : str
        Which rows.
    ax : matplotlib.axes.Axes or None, default=None
        Where to draw; None makes a figure, found as ``ax.figure``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ReportError
        As for `confusion_shares`.

    Notes
    -----
    Up to 12 classes have numbers in their cells; of more than 20, only some are named. A grey row
    is a class that was predicted but is never true.

    Examples
    --------
    >>> predictions = pd.DataFrame({
    ...     "path": list("abc"), "fold": 0, "protocol": "closed", "task": "gender",
    ...     "true": ["f", "f", "m"], "predicted": ["f", "m", "m"],
    ... })
    >>> plot_confusion(predictions, "gender", "closed").get_xlabel()
    'predicted gender'
    """
    shares = confusion_shares(predictions, task, protocol)
    n_classes, numbered = len(shares), len(shares) <= MOST_NUMBERED
    width = 4.8 + 0.15 * max(0, n_classes - 5) if numbered else 5.6
    ax = new_axes((width, width - 0.7)) if ax is None else ax
    percent = shares.to_numpy(dtype=float) * 100
    # Of many classes each error is a small share, which a linear scale would leave white.
    norm = Normalize(0, 100) if numbered else PowerNorm(0.5, 0, 100)
    image = ax.imshow(np.ma.masked_invalid(percent), cmap=SHADES, norm=norm)
    ax.set_facecolor("0.85")
    if numbered:
        for (row, column), share in np.ndenumerate(np.nan_to_num(percent)):
            if share:
                dark = "white" if share > 55 else "black"
                text = f"{share:.0f}" if share >= 0.5 else "<1"
                ax.text(column, row, text, ha="center", va="center", color=dark, fontsize=9)
    step = -(-n_classes // MOST_TICKS)
    ticks = range(0, n_classes, step)
    labels = [figure_text(shares.index[tick], 16) for tick in ticks]
    slant = 90 if n_classes > MOST_NUMBERED else 45 if max(map(len, labels)) > 4 else 0
    flush = {"ha": "right", "rotation_mode": "anchor"} if slant == 45 else {}
    ax.set_xticks(ticks, labels, rotation=slant, **flush)
    ax.set_yticks(ticks, labels)
    if n_classes > MOST_NUMBERED:
        ax.tick_params(labelsize=8)
    name = figure_text(task)
    ax.set(xlabel=f"predicted {name}", ylabel=f"true {name}")
    rows = _rows(predictions, task, protocol)
    correct = (rows["true"].astype(str) == rows["predicted"].astype(str)).mean() * 100
    ax.set_title(f"{name}, {figure_text(protocol)}\n{correct:.1f} % of {len(rows):,} correct")
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.85)
    bar.set_label("share of the true class (%)")
    return ax


def plot_regression(predictions, task, protocol, unit="years", ax=None):
    """Draw predicted against true numbers.

    Parameters
    ----------
    predictions : DataFrame
        As for `confusion_shares`; "true" and "predicted" of this task are numbers.
    task, protocol : str
        Which rows.
    unit : str, default="years"
        Unit of the axes.
    ax : matplotlib.axes.Axes or None, default=None
        Where to draw; None makes a figure, found as ``ax.figure``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ReportError
        As for `confusion_shares`, or something is not a number.
    TargetError
        A prediction is missing.

    Notes
    -----
    The errors in the title are over all folds together; a mean over folds may differ a little.

    Examples
    --------
    >>> predictions = pd.DataFrame({
    ...     "path": ["a", "b"], "fold": 0, "protocol": "closed", "task": "age",
    ...     "true": [20.0, 30.0], "predicted": [23.0, 26.0],
    ... })
    >>> print(plot_regression(predictions, "age", "closed").get_title())
    age, closed
    RMSE 3.54, MAE 3.50 years (n = 2)
    """
    true, predicted = _number_pairs(predictions, task, protocol)
    ax = new_axes((4.6, 4.7)) if ax is None else ax
    low, high = min(true.min(), predicted.min()), max(true.max(), predicted.max())
    margin = 0.05 * (high - low) or 1.0
    limits = (low - margin, high + margin)
    ax.plot(limits, limits, color="black", linewidth=1, linestyle="--", label="predicted = true")
    alpha = 0.6 if len(true) < 200 else 0.3
    ax.scatter(true, predicted, s=22, color=BLUE, alpha=alpha, edgecolors="none")
    ax.set(xlim=limits, ylim=limits, aspect="equal")
    name, unit = figure_text(task), figure_text(unit)
    ax.set(xlabel=f"true {name} ({unit})", ylabel=f"predicted {name} ({unit})")
    errors = f"RMSE {rmse(true, predicted):.2f}, MAE {mae(true, predicted):.2f} {unit}"
    ax.set_title(f"{name}, {figure_text(protocol)}\n{errors} (n = {len(true):,})")
    ax.grid(color="0.9")
    ax.set_axisbelow(True)
    ax.legend(loc="upper left", frameon=False)
    return ax


def new_axes(size):
    """Make axes on a figure of their own, outside pyplot; size is in inches."""
    return Figure(figsize=size, layout="constrained").add_subplot()


def _rows(predictions, task, protocol):
    require_columns(predictions, PREDICTION_COLUMNS, "the predictions")
    rows = predictions[(predictions["task"] == task) & (predictions["protocol"] == protocol)]
    rows = rows[rows["true"].notna()]
    if rows.empty:
        raise ReportError(f"no prediction of {task!r} under {protocol!r} has a true label")
    return rows


def _number_pairs(predictions, task, protocol):
    rows = _rows(predictions, task, protocol)
    try:
        return tuple(pd.to_numeric(rows[name]).astype(float) for name in ("true", "predicted"))
    except (TypeError, ValueError) as error:
        raise ReportError(f"task {task!r} is drawn as numbers, but: {error}") from error
