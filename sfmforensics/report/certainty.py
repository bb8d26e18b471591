"""How sure the scores are, as tables: intervals, groups, and differences between models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics.metrics import METRICS
from sfmforensics.metrics._comparison import ROUNDING
from sfmforensics.report._labels import (
    SHORT,
    heading,
    in_order,
    is_defined,
    is_share,
    main_metric,
    natural_key,
)
from sfmforensics.report.tables import SYSTEM, UNKNOWN, number
from sfmforensics.results import COMPARISON_COLUMNS, INTERVAL_COLUMNS, require_columns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


UNDEFINED = "not defined"
UNTESTED = (
    "p n/a: the difference is the same in every fold, so that nothing says how sure it is; more "
    "folds, or repeats, would."
)
"""Stands below a table of differences where a p is missing."""


def format_intervals(
    intervals: pd.DataFrame, *, metrics: Sequence[str] | None = None
) -> pd.DataFrame:
    """Write the scores over all recordings with their bounds.

    Parameters
    ----------
    intervals : DataFrame
        As `sfmforensics.experiment.score_intervals` gives them.
    metrics : sequence of str or None, default=None
        Metrics to show; all by default.

    Returns
    -------
    DataFrame of str
        A row for each system, a column for each task, metric and protocol: ``value [low, high]``.

    Examples
    --------
    >>> row = ["tango", "mfcc", "closed", "age", "rmse", "all", "", 100, 100, 2.0, 1.8, 2.2]
    >>> format_intervals(pd.DataFrame([row], columns=INTERVAL_COLUMNS))
       model views  AE years: closed
    0  tango  mfcc  2.00 [1.80, 2.20]
    """
    require_columns(intervals, INTERVAL_COLUMNS, "the intervals")
    found = intervals[intervals["by"] == "all"]
    if metrics is not None:
        found = found[found["metric"].isin(list(metrics))]
    return _wide(found, SYSTEM)


def format_groups(intervals: pd.DataFrame, by: str) -> pd.DataFrame:
    """Write the scores of each group of recordings, so that unequal error is seen.

    Parameters
    ----------
    intervals : DataFrame
        As `sfmforensics.experiment.score_intervals` gives them.
    by : str
        Label that tells the groups, such as "gender".

    Returns
    -------
    DataFrame of str
        A row for each system and group; of each task its main metric under each protocol, with
        bounds. "recordings" is how many there are of the group.
    """
    require_columns(intervals, INTERVAL_COLUMNS, "the intervals")
    found = intervals[intervals["by"] == by]
    main = {t: main_metric(list(part)) for t, part in found.groupby("task", sort=False)["metric"]}
    found = found[found["metric"] == found["task"].map(main)]
    sizes = found[found["metric"] != "eer"].groupby(["group"])["n"].max()
    table: Any = _wide(found, [*SYSTEM, "group"])
    table = table.assign(group=table["group"].astype(str))
    order = sorted(range(len(table)), key=lambda row: natural_key(table["group"].iloc[row]))
    systems = list(dict.fromkeys(zip(table["model"], table["views"], strict=True)))
    order.sort(key=lambda row: systems.index(tuple(table.iloc[row][SYSTEM])))
    table = table.iloc[order].reset_index(drop=True)
    table.insert(3, "recordings", table["group"].map(sizes).map("{:.0f}".format))
    return table


def format_comparisons(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Write which differences are more than chance, the protocols side by side.

    Parameters
    ----------
    comparisons : DataFrame
        As `sfmforensics.metrics.compare_models` gives them.

    Returns
    -------
    DataFrame of str
        Columns "task", "first", "second", then for each protocol: "first - second" (percentage
        points, or the unit of the task; mean ± standard deviation over the folds), "better" (the
        better mean, whatever its p), "p", and "p (Holm)"; these are "n/a" where all folds differ
        by the same, see `UNTESTED`.

    Examples
    --------
    >>> row = ["closed", "gender", "accuracy", "a", "v", "b", "v", 0.02, 0.01, 0.03, 0.06]
    >>> format_comparisons(pd.DataFrame([row], columns=COMPARISON_COLUMNS)).iloc[0].tolist()
    ['GR %', 'a', 'b', '+2.0 ± 1.0', 'a', '0.030', '0.060']
    """
    require_columns(comparisons, COMPARISON_COLUMNS, "the comparisons")
    p = ["p", "p_holm"]
    comparisons = comparisons.astype(dict.fromkeys(p, float))
    comparisons.loc[untested(comparisons), p] = np.nan
    several = len({*comparisons["views_1"], *comparisons["views_2"]}) > 1
    protocols = in_order(comparisons["protocol"])
    lines = []
    pair = ["task", "metric", "model_1", "views_1", "model_2", "views_2"]
    for (task, metric, *systems), found in comparisons.groupby(pair, sort=False):
        names = [
            f"{model}, {views}" if several else str(model)
            for model, views in (systems[:2], systems[2:])
        ]
        known = found.set_index("protocol")
        cells = []
        for protocol in protocols:
            if is_defined(task, protocol, metric):
                there = protocol in known.index
                cells += _compared(known.loc[protocol], metric, names) if there else [UNKNOWN] * 4
            else:
                cells += [UNDEFINED] + [""] * 3
        lines.append([heading(task, metric), *names, *cells])
    titles = [
        f"{protocol}: {what}"
        for protocol in protocols
        for what in ("first - second", "better", "p", "p (Holm)")
    ]
    return pd.DataFrame(lines, columns=["task", "first", "second", *titles], dtype=object)


def _compared(row: Any, metric: Any, names: Sequence[str]) -> list[str]:
    difference = float(row["difference"])
    more = METRICS[metric].greater_is_better if metric in METRICS else True
    better = names[0] if (difference > 0) == more else names[1]
    return [
        f"{_signed(difference, metric)} ± {number(float(row['sd']), metric)}",
        better if difference and difference == difference else "neither",
        _p(row["p"]),
        _p(row["p_holm"]),
    ]


def untested(comparisons: pd.DataFrame) -> pd.Series:
    """Find the differences that are the same in every fold, and not 0: they have no p.

    Parameters
    ----------
    comparisons : DataFrame
        As `sfmforensics.metrics.compare_models` gives them, or did in 0.1.0, which gave them a p
        of 0.

    Returns
    -------
    Series of bool
        One for each row.

    Examples
    --------
    >>> untested(pd.DataFrame({"difference": [0.01, 0.0, 0.02], "sd": [0.0, 0.0, 0.01]})).tolist()
    [True, False, False]
    """
    size = comparisons["difference"].abs()
    return (size > 0) & (comparisons["sd"] <= ROUNDING * size)


def _wide(found: pd.DataFrame, index: list[str]) -> pd.DataFrame:
    protocols = in_order(found["protocol"])
    pairs = list(dict.fromkeys(zip(found["task"], found["metric"], strict=True)))
    tasks = list(dict.fromkeys(task for task, _ in pairs))
    tasks.sort(key=lambda task: list(SHORT).index(task) if task in SHORT else len(SHORT))
    known = list(METRICS)
    pairs.sort(
        key=lambda pair: (
            tasks.index(pair[0]),
            known.index(pair[1]) if pair[1] in known else len(known),
        )
    )
    columns = [
        (task, metric, protocol)
        for task, metric in pairs
        for protocol in protocols
        if is_defined(task, protocol, metric)
    ]
    lines = []
    for key, part in found.groupby(index, sort=False):
        rows: Any = part.set_index(["task", "metric", "protocol"])
        rows = rows[~rows.index.duplicated()]
        cells = [_bounded(rows.loc[c], c[1]) if c in rows.index else UNKNOWN for c in columns]
        lines.append([*key, *cells])
    titles = [f"{heading(task, metric)}: {protocol}" for task, metric, protocol in columns]
    table: Any = pd.DataFrame(lines, columns=[*index, *titles], dtype=object)
    return table.loc[:, ~table.eq(UNKNOWN).all()] if len(table) else table


def _bounded(row: Any, metric: str) -> str:
    text = number(row["value"], metric)
    if pd.isna(row["low"]) or pd.isna(row["high"]):
        return text
    return f"{text} [{number(row['low'], metric)}, {number(row['high'], metric)}]"


def _signed(value: float, metric: str) -> str:
    return f"{value * 100:+.1f}" if is_share(metric) else f"{value:+.2f}"


def _p(value: Any) -> str:
    if pd.isna(value):
        return UNKNOWN
    return "<0.001" if value < 0.001 else f"{value:.3f}"
