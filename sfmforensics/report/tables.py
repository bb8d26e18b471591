"""Scores of all folds as tables: numbers, readable strings, Markdown, and rich for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._utils.grid import Grid
from sfmforensics.exceptions import ReportError
from sfmforensics.metrics import METRICS
from sfmforensics.metrics._comparison import ROUNDING
from sfmforensics.report._wording import (
    SHORT,
    greater_is_better,
    heading,
    in_order,
    is_defined,
    is_leading,
    is_share,
    main_metric,
    main_metrics,
    natural_key,
)
from sfmforensics.results import (
    COMPARISON_COLUMNS,
    CROSS_COLUMNS,
    INTERVAL_COLUMNS,
    SCORE_COLUMNS,
    require_columns,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
    from typing import Any

    from sfmforensics.evidence import Assessment


SYSTEM = ["model", "views"]
ROW = ["protocol", *SYSTEM]
TEXT = (*ROW, "system", "task", "group", "first", "second", "better")
UNKNOWN = "n/a"


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over the folds.

    Parameters
    ----------
    scores : DataFrame
        Columns ``model, views, protocol, fold, task, metric, value``, as `evaluate` writes them.

    Returns
    -------
    DataFrame
        A row for each (protocol, model, views), closed first; columns (task, metric, statistic)
        with "mean" and "sd", in the unit of the scores. NaN where nothing was measured.

    Raises
    ------
    ReportError
        A column is missing, there are no rows, or a value is no number.

    Notes
    -----
    The standard deviation is that of a sample (n - 1 in the denominator); one fold has none. It
    says how much the folds differ, not how sure the mean is: folds share training data.

    Examples
    --------
    >>> scores = pd.DataFrame({
    ...     "model": "tango", "views": "mfcc+whisper", "protocol": "closed", "fold": [0, 1],
    ...     "task": "gender", "metric": "accuracy", "value": [0.9, 1.0],
    ... })
    >>> summarise(scores).loc["closed", ("gender", "accuracy")].round(3)
    statistic           mean     sd
    model views
    tango mfcc+whisper  0.95  0.071
    """
    require_columns(scores, SCORE_COLUMNS, "the scores")
    try:
        scores = scores.assign(value=pd.to_numeric(scores["value"]))
    except (TypeError, ValueError) as error:
        raise ReportError(f"the scores: column 'value' must hold numbers, but: {error}") from error
    wide = scores.pivot_table(
        index=ROW, columns=["task", "metric"], values="value", aggfunc=["mean", "std"], sort=False
    ).rename(columns={"std": "sd"}, level=0)
    rows = scores[ROW].drop_duplicates().itertuples(index=False, name=None)
    rows = sorted(rows, key=_rank(in_order(scores["protocol"])))
    pairs = scores[["task", "metric"]].drop_duplicates().itertuples(index=False, name=None)
    names = list(dict.fromkeys(scores["task"]))
    columns = [
        (task, metric, statistic)
        for task, metric in sorted(pairs, key=lambda pair: names.index(pair[0]))
        for statistic in ("mean", "sd")
    ]
    wide = wide.reorder_levels([1, 2, 0], axis=1)
    return wide.reindex(
        index=pd.MultiIndex.from_tuples(rows, names=ROW),
        columns=pd.MultiIndex.from_tuples(columns, names=["task", "metric", "statistic"]),
    )


def format_summary(
    summary: pd.DataFrame,
    *,
    metrics: str | Sequence[str] | None = None,
    paper: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Write a summary as a person reads it, the protocols side by side.

    Parameters
    ----------
    summary : DataFrame
        From `summarise`.
    metrics : str, list of str or None, default=None
        Metrics to show; by default one for each task: accuracy, or rmse; of emotion UAR, and
        accuracy behind it.
    paper : DataFrame or None, default=None
        Published figures: columns ``task, metric, value``, in the unit of the scores, see
        `sfmforensics.paper.paper_rows`. Its column "setup", if any, tells the paper's systems
        apart. With columns "model" and "views", figures stand below the row that they belong to,
        otherwise below all rows. They stand in the columns of "closed", the paper's protocol.

    Returns
    -------
    DataFrame of str
        Columns "model", "views", then one for each task, metric and protocol, such as
        "ASR %: closed" and "AE years: disjoint"; none for what a protocol does not define. Cells
        are ``mean ± sd``: percent with one decimal, other numbers with two.

    Raises
    ------
    ReportError
        No task was scored by such a metric.

    Examples
    --------
    >>> scores = pd.DataFrame({
    ...     "model": "tango", "views": "mfcc", "protocol": ["closed"] * 2 + ["disjoint"] * 2,
    ...     "fold": [0, 1] * 2, "task": "age", "metric": "rmse", "value": [2.0, 3.0, 9.0, 11.0],
    ... })
    >>> paper = pd.DataFrame({"task": ["age"], "metric": ["rmse"], "value": [1.44]})
    >>> format_summary(summarise(scores), paper=paper)
       model views AE years: closed AE years: disjoint
    0  tango  mfcc      2.50 ± 0.71       10.00 ± 1.41
    1  paper  mfcc             1.44
    """
    protocols = in_order(summary.index.get_level_values("protocol"))
    columns = [
        (task, metric, protocol)
        for task, metric in _shown(summary, metrics)
        for protocol in protocols
        if is_defined(task, protocol, metric)
    ]
    systems = dict.fromkeys((model, views) for _, model, views in summary.index)
    lines = [
        [*system, *(_cell(summary, system, *column) for column in columns)] for system in systems
    ]
    if "closed" in protocols:
        for model, label, views, figures in _paper_lines(paper, systems):
            cells = [_published(figures, *column) for column in columns]
            lines.insert(_place(model, views, lines), [label, views, *cells])
    titles = [f"{heading(task, metric)}: {protocol}" for task, metric, protocol in columns]
    return pd.DataFrame(lines, columns=[*SYSTEM, *titles], dtype=object)


def to_markdown(frame: pd.DataFrame) -> str:
    r"""Write a frame of strings as a Markdown table.

    Parameters
    ----------
    frame : DataFrame
        From `format_summary`; its index is left out.

    Returns
    -------
    str

    Examples
    --------
    >>> print(to_markdown(pd.DataFrame({"model": ["a|b"], "ASR %": ["93.2"]})))
    | model | ASR % |
    | --- | ---: |
    | a\|b | 93.2 |
    """
    rule = ["---" if name.rpartition(": ")[2] in TEXT else "---:" for name in frame.columns]
    rows = [_markdown_cells(frame.columns), rule, *map(_markdown_cells, frame.to_numpy())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def to_rich(frame: pd.DataFrame, title: str | None = None) -> Grid:
    """Make a table for the terminal.

    Parameters
    ----------
    frame : DataFrame
        From `format_summary`; its index is left out.
    title : str or None, default=None
        Line above it.

    Returns
    -------
    rich.table.Table
        It chooses its form by the width that there is when it is printed: cells are wrapped between
        words alone, and where columns do not stand side by side each row becomes a block.

    Examples
    --------
    >>> to_rich(pd.DataFrame({"model": ["tango"]}), "Scores").row_count
    1
    """
    table = Grid(None if title is None else str(title))
    for name in frame.columns:
        table.add_column(str(name), justify="left" if name in TEXT else "right")
    for row in frame.to_numpy():
        table.add_row(*map(str, row))
    return table


def number(value: Any, metric: str) -> str:
    """Write one score.

    Examples
    --------
    >>> number(0.932, "uar"), number(1.444, "rmse"), number(float("nan"), "accuracy")
    ('93.2', '1.44', 'n/a')
    """
    if pd.isna(value):
        return UNKNOWN
    return f"{value * 100:.1f}" if is_share(metric) else f"{value:.2f}"


def _rank(protocols: Sequence[str]) -> Callable[[Any], int]:
    return lambda row: protocols.index(row[0])


def _shown(summary: pd.DataFrame, metrics: str | Sequence[str] | None) -> list[tuple[str, str]]:
    """Give the pairs of task and metric that become columns."""
    columns: Any = summary.columns
    pairs = list(dict.fromkeys((task, metric) for task, metric, _ in columns))
    by_task: dict[str, list[str]] = {}
    for task, metric in pairs:
        by_task.setdefault(task, []).append(metric)
    if metrics is None:
        return [
            (task, name) for task, names in by_task.items() for name in main_metrics(task, names)
        ]
    wanted = [metrics] if isinstance(metrics, str) else list(metrics)
    shown = [(task, name) for task, names in by_task.items() for name in wanted if name in names]
    for name in wanted:
        if name not in {metric for _, metric in shown}:
            known = ", ".join(dict.fromkeys(metric for _, metric in pairs))
            raise ReportError(f"nothing was scored by {name!r}; there are {known}")
    return shown


def _cell(
    summary: pd.DataFrame, system: tuple[Any, ...], task: Hashable, metric: str, protocol: str
) -> str:
    if (protocol, *system) not in summary.index:
        return UNKNOWN
    row = summary.loc[(protocol, *system)]
    mean, sd = row[(task, metric, "mean")], row[(task, metric, "sd")]
    text = number(mean, metric)
    return text if pd.isna(mean) or pd.isna(sd) else f"{text} ± {number(sd, metric)}"


def _paper_lines(
    paper: pd.DataFrame | None, systems: Iterable[tuple[Any, Any]]
) -> Iterator[tuple[Any, str, Any, pd.Series]]:
    """Give (model or None, label, views, figures) of each published system."""
    if paper is None or paper.empty:
        return
    require_columns(paper, ("task", "metric", "value"), "the paper's figures")
    by = [name for name in ("model", "views", "setup") if name in paper.columns]
    groups = paper.groupby(by, sort=False) if by else [((), paper)]
    views = {views for _, views in systems}
    only = views.pop() if len(views) == 1 else ""
    for key, figures in groups:
        known = dict(zip(by, key, strict=True))
        values = figures.groupby(["task", "metric"])["value"].first()
        system = known.get("setup", known.get("model"))
        label = "paper" if system is None else f"paper ({system})"
        yield known.get("model"), label, known.get("views", only), values


def _published(values: Any, task: Hashable, metric: str, protocol: str) -> str:
    if protocol != "closed":
        return ""
    return number(values[task, metric], metric) if (task, metric) in values else UNKNOWN


def _place(model: Any, views: Any, lines: Sequence[Any]) -> int:
    """Find where a published row goes: below its own, else below all."""
    own = [place for place, line in enumerate(lines) if line[:2] == [model, views]]
    place = own[0] + 1 if own else len(lines)
    # Below what the paper has already said about this model.
    while place < len(lines) and lines[place][0].startswith("paper ("):
        place += 1
    return place


def _markdown_cells(values: Iterable[object]) -> list[str]:
    escaped = (str(value).replace("\\", "\\\\").replace("|", "\\|") for value in values)
    return [" ".join(text.split()) for text in escaped]


MEASURES = {
    "cllr": ("Cllr", "bits"),
    "cllr_min": ("Cllr min", "bits"),
    "cllr_cal": ("Cllr cal", "bits"),
    "eer": ("EER", "%"),
    "min_dcf": ("min DCF", ""),
    "misleading_same": ("LR < 1, same", "%"),
    "misleading_different": ("LR > 1, different", "%"),
    "accuracy": ("accuracy", "%"),
    "ece_before": ("calibration error before", "%"),
    "ece_after": ("calibration error", "%"),
    "brier_before": ("Brier before", ""),
    "brier_after": ("Brier", ""),
    "set_coverage": ("truth in set", "%"),
    "set_size": ("labels in set", ""),
    "answered": ("answered", "%"),
    "error_answered": ("wrong if answered", "%"),
    "mae": ("mean error", "of task"),
    "interval_coverage": ("truth in interval", "%"),
    "interval_width": ("interval width", "of task"),
}
"""How each measure of an assessment is written, and its unit; see `METRICS` for others."""


def format_assessment(assessment: Assessment, by: str = "") -> pd.DataFrame:
    """Write the measures with their bounds.

    Parameters
    ----------
    assessment : Assessment
        As `sfmforensics.evidence.assess` gives it.
    by : str, default=""
        Column whose groups are shown side by side; all recordings without one.

    Returns
    -------
    DataFrame of str
        A row for each task and measure; a column for each group, ``value [low, high]``.

    Raises
    ------
    ReportError
        Nothing was grouped by that column.
    """
    rows: Any = assessment.table[assessment.table["by"] == by]
    if rows.empty:
        raise ReportError(
            f"nothing was grouped by {by!r}; use one of {list(assessment.table['by'].unique())}"
        )
    lines = []
    for (task, measure), part in rows.groupby(["task", "measure"], sort=False):
        line = {"task": task, "measure": _titled(measure)}
        for row in part.to_dict("records"):
            line[row["group"] or "all"] = _with_bounds(row, measure)
        lines.append(line)
    return pd.DataFrame(lines).fillna("")


def format_differences(assessment: Assessment) -> pd.DataFrame:
    """Write the groups that differ from all others by more than chance explains.

    Parameters
    ----------
    assessment : Assessment
        As `sfmforensics.evidence.assess` gives it.

    Returns
    -------
    DataFrame of str
        Columns ``task, measure, group, less the rest``; those alone whose 95 % interval does not
        hold 0. Of twenty comparisons one does so by chance: nothing is corrected for their number.
        All differences are in ``assessment.differences``.
    """
    differences = assessment.differences
    beyond: Any = differences[(differences["low"] > 0) | (differences["high"] < 0)]
    lines = []
    for row in beyond.to_dict("records"):
        lines.append(
            {
                "task": row["task"],
                "measure": _titled(row["measure"]),
                "group": f"{row['by']}: {row['group']}",
                "less the rest": _with_bounds(row, row["measure"], signed=True),
            }
        )
    return pd.DataFrame(lines, columns=["task", "measure", "group", "less the rest"])


def measure_title(measure: str) -> tuple[str, str]:
    """Give how a measure is written, and its unit: "%", "of task", "bits" or none."""
    if measure in MEASURES or measure not in METRICS:
        return MEASURES.get(measure, (measure, ""))
    metric = METRICS[measure]
    return metric.title, {"share": "%", "target": "of task"}.get(metric.unit, "")


def _with_bounds(row: Any, measure: str, *, signed: bool = False) -> str:
    share = measure_title(measure)[1] == "%"
    form = f"{{:{'+' if signed else ''}.{1 if share else 2}f}}"
    texts = [
        "" if pd.isna(row[name]) else form.format(row[name] * (100 if share else 1))
        for name in ("value", "low", "high")
    ]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]" if texts[1] else texts[0]


def _titled(measure: str) -> str:
    title, unit = measure_title(measure)
    return f"{title} %" if unit == "%" else title


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
    rows = intervals[intervals["by"] == "all"]
    if metrics is not None:
        rows = rows[rows["metric"].isin(list(metrics))]
    return _wide(rows, SYSTEM)


def format_cross(scores: pd.DataFrame, task: str, metric: str | None = None) -> pd.DataFrame:
    """Write what was learnt from one corpus and tested on another, as a matrix with bounds.

    Parameters
    ----------
    scores : DataFrame
        As `sfmforensics.experiment.evaluate_across` gives them, and ``cross.csv`` holds them.
    task : str
        Which task.
    metric : str or None, default=None
        Which measure; UAR of classes and the first of others by default.

    Returns
    -------
    DataFrame
        A row for each model and corpus learnt from: columns "model", "learnt from", and "on NAME"
        for each corpus tested, with cells ``value [low, high]``.

    Raises
    ------
    ReportError
        The scores have no such task or measure.

    Examples
    --------
    >>> scores = pd.DataFrame({
    ...     "train": ["a", "b"], "test": "a", "model": "svm", "task": "emotion", "metric": "uar",
    ...     "value": [0.7, 0.5], "low": [0.6, np.nan], "high": [0.8, np.nan],
    ... })
    >>> format_cross(scores, "emotion")
      model learnt from               on a
    0   svm           a  70.0 [60.0, 80.0]
    1   svm           b               50.0
    """
    rows, metric = cross_rows(scores, task, metric)
    cells = rows.assign(cell=[_bounded(row, metric) for row in rows.to_dict("records")])
    table = cells.pivot_table(
        index=["model", "train"], columns="test", values="cell", aggfunc="first", sort=False
    )
    table = table.fillna("").add_prefix("on ").rename_axis(index={"train": "learnt from"})
    return table.rename_axis(columns=None).reset_index()


def cross_rows(
    scores: pd.DataFrame, task: object, metric: str | None = None
) -> tuple[pd.DataFrame, str]:
    """Rows of one task and measure, and the measure: UAR of classes, of numbers what leads.

    Raises
    ------
    ReportError
        There are none.
    """
    require_columns(scores, CROSS_COLUMNS[:8], "the scores")
    rows = scores[scores["task"] == task]
    metrics = list(dict.fromkeys(rows["metric"]))
    if metric is None:
        metric = "uar" if "uar" in metrics else main_metric(task, metrics or ["measure"])
    rows = rows[rows["metric"] == metric]
    if rows.empty:
        raise ReportError(
            f"the scores have no {metric} of {task!r}; there are "
            f"{', '.join(dict.fromkeys(map(str, scores['task'])))}"
        )
    return rows, metric


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
    rows = intervals[intervals["by"] == by]
    by_task = rows.groupby("task", sort=False)["metric"]
    main = {task: main_metric(task, list(metrics)) for task, metrics in by_task}
    rows = rows[rows["metric"] == rows["task"].map(main)]
    sizes = rows[rows["metric"] != "eer"].groupby(["group"])["n"].max()
    table: Any = _wide(rows, [*SYSTEM, "group"])
    table = table.assign(group=table["group"].astype(str))
    order = sorted(range(len(table)), key=lambda row: natural_key(table["group"].iloc[row]))
    systems = list(dict.fromkeys(zip(table["model"], table["views"], strict=True)))
    order.sort(key=lambda row: systems.index(tuple(table.iloc[row][SYSTEM])))
    table = table.iloc[order].reset_index(drop=True)
    table.insert(3, "recordings", table["group"].map(sizes).map("{:.0f}".format))
    return table


def leading_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the metric that each task is shown by first, see `METRICS`."""
    pairs = zip(table["task"], table["metric"], strict=True)
    leads = np.array([is_leading(task, metric) for task, metric in pairs], dtype=bool)
    return table[leads]


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
    for (task, metric, *systems), rows in comparisons.groupby(pair, sort=False):
        names = [
            f"{model}, {views}" if several else str(model)
            for model, views in (systems[:2], systems[2:])
        ]
        known = rows.set_index("protocol")
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
    better = names[0] if (difference > 0) == greater_is_better(metric) else names[1]
    return [
        f"{_signed(difference, metric)} ± {number(float(row['sd']), metric)}",
        better if difference and difference == difference else "neither",
        _p(row["p"]),
        _p(row["p_holm"]),
    ]


def untested(comparisons: pd.DataFrame) -> pd.Series:
    """Find the differences that are the same in every fold, and not 0: they have no p.

    Examples
    --------
    >>> untested(pd.DataFrame({"difference": [0.01, 0.0, 0.02], "sd": [0.0, 0.0, 0.01]})).tolist()
    [True, False, False]
    """
    size = comparisons["difference"].abs()
    return (size > 0) & (comparisons["sd"] <= ROUNDING * size)


def _wide(intervals: pd.DataFrame, index: list[str]) -> pd.DataFrame:
    protocols = in_order(intervals["protocol"])
    pairs = list(dict.fromkeys(zip(intervals["task"], intervals["metric"], strict=True)))
    tasks = list(dict.fromkeys(task for task, _ in pairs))
    tasks.sort(key=lambda task: list(SHORT).index(task) if task in SHORT else len(SHORT))
    known = list(METRICS)
    pairs.sort(
        key=lambda pair: (
            tasks.index(pair[0]),
            not is_leading(*pair),
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
    for key, part in intervals.groupby(index, sort=False):
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
