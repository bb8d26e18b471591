"""Scores of all folds as bars."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sfmforensics.report._wording import (
    figure_text,
    greater_is_better,
    in_order,
    is_defined,
    is_share,
    main_metric,
    metric_label,
)
from sfmforensics.results import SCORE_COLUMNS, require_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from matplotlib.axes import Axes

# Okabe and Ito's palette; hatches tell the protocols apart without colour.
STYLES = [
    {"facecolor": "#56B4E9", "hatch": ""},
    {"facecolor": "#E69F00", "hatch": "//"},
    {"facecolor": "#009E73", "hatch": ".."},
    {"facecolor": "#CC79A7", "hatch": "xx"},
]


def plot_scores(scores: pd.DataFrame, *, metrics: Mapping[str, str] | None = None) -> Figure:
    """Draw every task's scores: the mean of the folds as a bar, each fold as a point.

    Parameters
    ----------
    scores : DataFrame
        Columns ``model, views, protocol, fold, task, metric, value``, as `evaluate` writes them.
    metrics : dict of str to str, or None, default=None
        Metric by task; otherwise accuracy or rmse, and UAR of emotion.

    Returns
    -------
    matplotlib.figure.Figure
        One panel for each task; the protocols side by side.

    Raises
    ------
    ReportError
        A column is missing, or there are no rows.

    Examples
    --------
    >>> scores = pd.DataFrame({
    ...     "model": "tango", "views": "mfcc", "protocol": ["closed"] * 2 + ["disjoint"] * 2,
    ...     "fold": [0, 1] * 2, "task": "age", "metric": "rmse", "value": [2.0, 3.0, 9.0, 11.0],
    ... })
    >>> [ax.get_xlabel() for ax in plot_scores(scores).axes]
    ['RMSE (years), less is better']
    """
    require_columns(scores, SCORE_COLUMNS, "the scores")
    of = len(scores[["model", "views"]].drop_duplicates())
    scores = leading(scores)
    systems = list(dict.fromkeys(zip(scores["model"], scores["views"], strict=True)))
    protocols = in_order(scores["protocol"])
    tasks = list(dict.fromkeys(scores["task"]))
    n_columns = min(2, len(tasks))
    n_rows = -(-len(tasks) // n_columns)
    several = len({views for _, views in systems}) > 1
    names = [system_name(*system, several) for system in systems]
    most_lines = max(name.count("\n") + 1 for name in names)
    panel = 1.05 + max(0.36, 0.26 * len(protocols), 0.2 * most_lines) * len(systems)
    figure = Figure(figsize=(4.0 * n_columns + 0.8, panel * n_rows + 0.7), layout="constrained")
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for ax, task in zip(grid.flat, tasks, strict=False):
        task_scores = scores[scores["task"] == task]
        metric = (metrics or {}).get(task) or main_metric(
            task, list(task_scores["metric"].unique())
        )
        _panel(ax, task_scores[task_scores["metric"] == metric], task, metric, systems, protocols)
    for ax in grid.flat[len(tasks) :]:
        ax.remove()
    for ax in grid[:, 0]:
        ax.set_yticks(range(len(systems)), names)
    grid[0, 0].set_ylim(len(systems) - 0.5, -0.5)
    handles = [
        Patch(edgecolor="black", label=figure_text(protocol), **_style(place))
        for place, protocol in enumerate(protocols)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    if len(systems) < of:
        figure.suptitle(f"the {len(systems)} best of {of} systems", fontsize="medium")
    elif not several:
        figure.suptitle(f"views: {figure_text(systems[0][1], 60)}", fontsize="medium")
    return figure


MOST_SYSTEMS = 16
"""More would not fit a page that can be read."""


def leading(scores: pd.DataFrame, most: int = MOST_SYSTEMS) -> pd.DataFrame:
    """Keep the systems that are best on average over the tasks, if there are too many to draw."""
    systems: Any = [*zip(scores["model"], scores["views"], strict=True)]
    if len(set(systems)) <= most:
        return scores
    shown = scores.assign(value=pd.to_numeric(scores["value"]), system=systems)
    ranks = []
    groups: Any = shown.groupby(["protocol", "task"], sort=False)
    for (_, task), task_scores in groups:
        metric = main_metric(task, list(task_scores["metric"].unique()))
        means = task_scores[task_scores["metric"] == metric].groupby("system")["value"].mean()
        ranks.append(means.rank(ascending=not greater_is_better(metric)).rename(task))
    best = set(pd.concat(ranks, axis=1).mean(axis=1).nsmallest(most).index)
    return scores[[system in best for system in systems]]


def _panel(
    ax: Axes,
    scores: pd.DataFrame,
    task: str,
    metric: str,
    systems: Sequence[tuple[str, str]],
    protocols: Sequence[str],
) -> None:
    factor = 100 if is_share(metric) else 1
    height = 0.8 / len(protocols)
    values = pd.to_numeric(scores["value"]) * factor
    largest = 100 if is_share(metric) else np.nanmax([*values, 0]) or 1
    edge = 1.27 * largest  # beyond the bars there is room for the mean in figures
    for row, (model, views) in enumerate(systems):
        for place, protocol in enumerate(protocols):
            y = row + (place - (len(protocols) - 1) / 2) * height
            if not is_defined(task, protocol, metric):
                ax.text(0.02 * edge, y, "not defined", va="center", fontsize=8, style="italic")
                continue
            own = (
                (scores["model"] == model)
                & (scores["views"] == views)
                & (scores["protocol"] == protocol)
            )
            folds = values[own].dropna()
            if folds.empty:
                continue
            mean = folds.mean()
            ax.barh(y, mean, 0.88 * height, edgecolor="black", linewidth=0.6, **_style(place))
            ax.plot(folds, [y] * len(folds), "o", color="white", mec="black", ms=4, mew=0.8)
            text = f"{mean:.1f}" if is_share(metric) else f"{mean:.2f}"
            ax.text(0.985 * edge, y, text, ha="right", va="center", fontsize=9)
    ax.set(xlim=(0, edge), title=figure_text(task))
    if is_share(metric):
        ax.set_xticks(range(0, 101, 25))
    ax.set_xlabel(metric_label(task, metric))
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right"]].set_visible(False)


def system_name(model: str, views: str, several: bool) -> str:
    """Name a model, on lines of their own its views if these differ."""
    if not several:
        return figure_text(model)
    # Systems may differ in their last view only, so names of views are wrapped, not cut short.
    lines = textwrap.wrap(" ".join(str(views).replace("+", "+ ").split()), 26)[:4]
    return "\n".join(figure_text(line.replace("+ ", "+")) for line in [model, *lines])


def _style(place: int) -> dict[str, Any]:
    return STYLES[place % len(STYLES)]
