"""Scores of all folds as tables: numbers, readable strings, Markdown, and rich for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics._utils.grid import Grid
from sfmforensics.exceptions import ReportError
from sfmforensics.report._labels import heading, in_order, is_defined, is_share, main_metric
from sfmforensics.results import SCORE_COLUMNS, require_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
    from typing import Any

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
        Metrics to show; by default one for each task: accuracy, or rmse.
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

    Parameters
    ----------
    value : float
        Score; NaN where nothing was measured.
    metric : str
        Its metric.

    Returns
    -------
    str
        Shares in percent with one decimal, other numbers with two.

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
        return [(task, main_metric(found)) for task, found in by_task.items()]
    wanted = [metrics] if isinstance(metrics, str) else list(metrics)
    shown = [(task, name) for task, found in by_task.items() for name in wanted if name in found]
    for name in wanted:
        if name not in {metric for _, metric in shown}:
            found = ", ".join(dict.fromkeys(metric for _, metric in pairs))
            raise ReportError(f"nothing was scored by {name!r}; there are {found}")
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
