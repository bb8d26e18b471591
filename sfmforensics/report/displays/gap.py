"""What is lost when voices are new: the closed protocol against the disjoint one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics.exceptions import ReportError
from sfmforensics.model_selection import BOTH
from sfmforensics.report._wording import (
    UNITS,
    figure_text,
    in_units,
    is_defined,
    is_share,
    main_metric,
    metric_label,
)
from sfmforensics.report.displays._axes import BLUE, VERMILLION, Display, own_panels
from sfmforensics.report.displays.scores import system_name
from sfmforensics.results import SCORE_COLUMNS, require_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes

    from sfmforensics.report.displays._axes import Panels

CLOSED, DISJOINT = BOTH
STYLES: dict[str, dict[str, Any]] = {
    CLOSED: {"color": BLUE, "marker": "o"},
    DISJOINT: {"color": VERMILLION, "marker": "D", "markerfacecolor": "white"},
}


class ProtocolGapDisplay(Display):
    """Scores of each system under both protocols, and the gap between them.

    Use `from_scores` to make one.

    Parameters
    ----------
    gaps : DataFrame
        One row a task and system: ``task``, ``metric``, ``model``, ``views``, ``closed`` and
        ``disjoint`` (means over the folds), ``closed_sd`` and ``disjoint_sd``, ``gap`` (disjoint
        less closed). Shares are 0 to 1.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes of shape (n_tasks,)
    figure_ : matplotlib.figure.Figure

    Notes
    -----
    Under closed every speaker is heard in training; under disjoint none of those tested is. So
    the gap says how much of a score comes from knowing the voices. Who speaks is not defined under
    disjoint and has no panel, unless its metric is the equal error rate. The bars are one standard
    deviation over the folds, of a sample (n - 1); one fold has none.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> scores = pd.DataFrame({
    ...     "model": "tango", "views": "mfcc", "protocol": ["closed"] * 2 + ["disjoint"] * 2,
    ...     "fold": [0, 1] * 2, "task": "age", "metric": "rmse", "value": [2.0, 3.0, 9.0, 11.0],
    ... })
    >>> display = ProtocolGapDisplay.from_scores(scores)
    >>> display.gaps[["task", "closed", "disjoint", "gap"]]
      task  closed  disjoint  gap
    0  age     2.5      10.0  7.5
    >>> display.axes_[0].get_xlabel()
    'RMSE (years), less is better'
    >>> plt.close(display.figure_)
    """

    def __init__(self, gaps: pd.DataFrame) -> None:
        self.gaps = gaps

    @classmethod
    def from_scores(
        cls,
        scores: pd.DataFrame,
        *,
        metrics: Mapping[str, str] | None = None,
        ax: Axes | Sequence[Axes] | Panels | None = None,
    ) -> Self:
        """Draw the gap of every task that was scored under both protocols.

        Parameters
        ----------
        scores : DataFrame
            Columns ``model, views, protocol, fold, task, metric, value``, as `evaluate` writes
            them.
        metrics : dict of str to str, or None, default=None
            Metric by task; otherwise accuracy or rmse, and UAR of emotion.
        [ax of each task]

        Raises
        ------
        ReportError
            A column is missing, a value is no number, or no task has both protocols.
        ParameterError
            The axes are more or fewer than the tasks.
        """
        require_columns(scores, SCORE_COLUMNS, "the scores")
        try:
            scores = scores.assign(value=pd.to_numeric(scores["value"]))
        except (TypeError, ValueError) as error:
            raise ReportError(f"the scores: 'value' must hold numbers, but: {error}") from error
        parts = []
        groups: Any = scores.groupby("task", sort=False)
        for task, task_scores in groups:
            metric = (metrics or {}).get(task) or main_metric(
                task, list(task_scores["metric"].unique())
            )
            task_scores = task_scores[
                (task_scores["metric"] == metric) & task_scores["protocol"].isin(BOTH)
            ]
            gaps = _gaps(task_scores)
            if is_defined(task, DISJOINT, metric) and gaps["gap"].notna().any():
                parts.append(gaps.assign(task=task, metric=metric))
        if not parts:
            raise ReportError(
                "no task was scored under both 'closed' and 'disjoint'; run sfmforensics evaluate "
                "with --protocol both"
            )
        return cls(pd.concat(parts, ignore_index=True)).plot(ax)

    def plot(self, ax: Axes | Sequence[Axes] | Panels | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        [ax of each task]
        """
        tasks = list(dict.fromkeys(self.gaps["task"]))
        systems = list(dict.fromkeys(zip(self.gaps["model"], self.gaps["views"], strict=True)))
        several = len({views for _, views in systems}) > 1
        names = [system_name(*system, several) for system in systems]
        n_columns = min(3, len(tasks))
        n_rows = -(-len(tasks) // n_columns)
        lines = max(name.count("\n") + 1 for name in names)
        height = (1.5 + max(0.5, 0.2 * lines) * len(systems)) * n_rows
        axes = own_panels(ax, len(tasks), (3.4 * n_columns + 1, height), n_columns, sharey=True)
        for panel, task in zip(axes, tasks, strict=True):
            _draw_task(panel, self.gaps[self.gaps["task"] == task], task, systems)
            panel.set_ylim(len(systems) - 0.5, -0.5)
            panel.set_yticks(range(len(systems)), names)
        self.axes_, self.figure_ = axes, axes[0].figure
        handles, labels = axes[0].get_legend_handles_labels()
        handles = dict(zip(labels, handles, strict=True)).values()
        style = {"handles": handles, "title": "mean ± standard deviation over the folds"}
        # Where nothing else is on the figure, the legend stands below all panels.
        alone = set(self.figure_.axes) <= {*axes, ax} and self.figure_.get_layout_engine()
        if alone:
            self.figure_.legend(loc="outside lower center", ncols=2, frameon=False, **style)
        else:
            axes[0].legend(fontsize=9, framealpha=0.8, edgecolor="none", **style)
        return self


def _gaps(scores: pd.DataFrame) -> pd.DataFrame:
    """Means and deviations over the folds, one row a system."""
    table = scores.pivot_table(
        index=["model", "views"], columns="protocol", values="value", aggfunc=["mean", "std"]
    )
    table = table.reindex(columns=[(stat, name) for stat in ("mean", "std") for name in BOTH])
    table.columns = [CLOSED, DISJOINT, f"{CLOSED}_sd", f"{DISJOINT}_sd"]
    table = table.reindex(pd.MultiIndex.from_frame(scores[["model", "views"]].drop_duplicates()))
    return table.assign(gap=table[DISJOINT] - table[CLOSED]).reset_index()


def _draw_task(ax: Axes, gaps: pd.DataFrame, task: str, systems: Sequence[tuple[str, str]]) -> None:
    metric = gaps["metric"].iloc[0]
    factor = 100 if is_share(metric) else 1
    for row in gaps.to_dict("records"):
        y = systems.index((row["model"], row["views"]))
        ends = [factor * row[protocol] for protocol in BOTH]
        ax.barh(y, ends[1] - ends[0], 0.4, ends[0], color="0.9", zorder=0)
        # One above the other, since the bars of the two often overlap.
        heights = y - 0.08, y + 0.08
        for protocol, end, height in zip(BOTH, ends, heights, strict=True):
            spread = factor * row[f"{protocol}_sd"]
            ax.errorbar(
                end,
                height,
                xerr=None if np.isnan(spread) else spread,
                capsize=3,
                linestyle="none",
                markersize=6,
                label=protocol,
                **STYLES[protocol],
            )
        if not np.isnan(row["gap"]):
            text = _gap_text(factor * row["gap"], task, metric)
            place = ax.get_yaxis_transform()
            ax.text(1.02, y, text, fontsize=9, transform=place, ha="left", va="center")
    ax.set(title=figure_text(task), xlabel=metric_label(task, metric))
    ax.margins(x=0.12)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _gap_text(gap: float, task: str, metric: str) -> str:
    if is_share(metric):
        return f"{gap:+.1f} points".replace("-", "\N{MINUS SIGN}")
    unit = f" {UNITS[task]}" if task in UNITS and in_units(metric) else ""
    return f"{gap:+.2f}{unit}".replace("-", "\N{MINUS SIGN}")
