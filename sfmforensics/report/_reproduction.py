"""The paper's tables filled with figures of one's own: CSV, Markdown, LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._utils.files import write_atomically
from sfmforensics._utils.outputs import check_outputs, own_files
from sfmforensics._utils.paths import user_path
from sfmforensics.metrics import METRICS
from sfmforensics.paper import BEST_OF, paper_figures
from sfmforensics.report._wording import (
    greater_is_better,
    heading,
    in_order,
    is_defined,
    is_share,
    plain,
)
from sfmforensics.report.tables import UNTESTED, format_comparisons, number, to_markdown, untested
from sfmforensics.results import RECOGNISED, REPRODUCTION_COLUMNS, REPRODUCTION_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, TypeAlias

    from sfmforensics._types import PathLike

    Plan: TypeAlias = Sequence[tuple[int, str, tuple[str, ...]]]


TITLES = {
    "svst": "one view, one task at a time",
    "svmt": "one view, all tasks at once",
    "mvmt-concat": "two views, concatenated",
    "tango": "two views, transported both ways",
    "tango-x1-to-x2": "two views, x1 transported to x2",
    "tango-x2-to-x1": "two views, x2 transported to x1",
}


def reproduction_table(
    scores: pd.DataFrame, intervals: pd.DataFrame, plan: Plan, corpus_name: str
) -> pd.DataFrame:
    """Put every figure beside the one that the paper reports.

    Parameters
    ----------
    scores : DataFrame
        As `evaluate` gives them; "model" is the name of a system, such as "tango-x1-to-x2".
    intervals : DataFrame
        As `score_intervals` gives them, of the same systems.
    plan : list of (int, str, tuple of str)
        As `sfmforensics.paper.plan_rows` gives it.
    corpus_name : str
        Which corpus; the paper has figures of three.

    Returns
    -------
    DataFrame
        Columns ``table, setup, view_1, view_2, protocol, task, metric, folds, mean, sd, low, high,
        paper, difference``. Shares are between 0 and 1. Bounds are those of the score of all folds
        together. "difference" is ours minus the paper's: above 0 ours is better in an accuracy and
        worse in an error. The paper has "closed" only.
    """
    columns = ["model", "views", "protocol", "task", "metric"]
    bounds: Any = intervals[intervals["by"] == "all"].set_index(columns)[["low", "high"]]
    published = paper_figures(corpus_name).set_index(
        ["setup", "view_1", "view_2", "task", "metric"]
    )["value"]
    rows = []
    for table, setup, views in plan:
        own = scores[(scores["model"] == setup) & (scores["views"] == "+".join(views))]
        for (protocol, task, metric), fold_scores in own.groupby(
            ["protocol", "task", "metric"], sort=False
        ):
            value = fold_scores["value"].astype(float)
            key = (setup, "+".join(views), protocol, task, metric)
            low, high = bounds.loc[key] if key in bounds.index else (np.nan, np.nan)
            view_1, view_2 = views if len(views) == 2 else (*views, "")
            published_key = (setup, view_1, view_2, task, metric)
            paper = published.get(published_key, np.nan) if protocol == "closed" else np.nan
            rows.append(
                [table, setup, view_1, view_2, protocol, task, metric]
                + [value.notna().sum(), value.mean(), value.std(), low, high]
                + [paper, value.mean() - paper]
            )
    return pd.DataFrame(rows, columns=REPRODUCTION_COLUMNS)


def best_of(table: pd.DataFrame, corpus_name: str) -> pd.DataFrame:
    """The best figure of each system, as in the paper's Table 6.

    Notes
    -----
    The best of several systems is picked by its test scores, so it is better than what the next
    recordings will show; the paper's table does so as well.
    """
    published = paper_figures(corpus_name)
    rows = []
    for (setup, protocol, task, metric), figures in table.groupby(
        ["setup", "protocol", "task", "metric"], sort=False
    ):
        if setup not in ("svst", "svmt", "mvmt-concat", "tango") or figures["mean"].isna().all():
            continue
        pick = "max" if greater_is_better(metric) else "min"
        row = figures.loc[getattr(figures["mean"], f"idx{pick}")()].to_dict() | {"table": BEST_OF}
        paper_values = published[(published["setup"] == setup) & (published["metric"] == metric)]
        paper_values = paper_values[paper_values["task"] == task]["value"]
        closed = protocol == "closed"
        row["paper"] = getattr(figures["paper"], pick)()
        row["paper_all"] = getattr(paper_values, pick)() if closed and len(paper_values) else np.nan
        row["difference"] = row["mean"] - row["paper"]
        rows.append(row)
    return pd.DataFrame(rows, columns=[*REPRODUCTION_COLUMNS, "paper_all"])


def layout(table: pd.DataFrame) -> pd.DataFrame:
    """Write one of the paper's tables as a person reads it: protocols side by side."""
    metrics = [m for m in METRICS.defaults if m in set(table["metric"])]
    table = table[table["metric"].isin(metrics)]
    tasks = list(dict.fromkeys(table["task"]))
    protocols = in_order(table["protocol"])
    lines = []
    for (setup, view_1, view_2), figures in _systems(table):
        views = f"{view_1} + {view_2}" if view_2 else view_1
        line = {"system": setup} | ({"views": views} if views else {})
        for task in tasks:
            own = figures[figures["task"] == task]
            metric = table.loc[table["task"] == task, "metric"].iloc[0]
            name = heading(task, metric, paper=True)
            if table["paper"].notna().any():
                line[f"{name}: paper"] = _published(own, metric)
            for protocol in protocols:
                if not is_defined(task, protocol):
                    continue
                part = own[own["protocol"] == protocol]
                line[f"{name}: {protocol}"] = _cell(part.iloc[0], metric) if len(part) else "n/a"
        lines.append(line)
    return pd.DataFrame(lines, dtype=object)


def write_reproduction(
    output: PathLike,
    scores: pd.DataFrame,
    intervals: pd.DataFrame,
    plan: Plan,
    config: Mapping[str, Any],
    comparisons: pd.DataFrame | None = None,
    *,
    overwrite: bool = False,
) -> pd.DataFrame:
    """Write ``reproduction.csv``, ``reproduction.md`` and ``reproduction.tex``.

    Parameters
    ----------
    output : path-like
        Folder.
    scores, intervals, plan
        As for `reproduction_table`.
    config : dict
        Settings of the run.
    comparisons : DataFrame or None, default=None
        As `sfmforensics.metrics.compare_models` gives them; for the Markdown.
    overwrite : bool, default=False
        Whether files of these names may be replaced that are no such tables.

    Returns
    -------
    DataFrame
        What is in ``reproduction.csv``.

    Raises
    ------
    OutputError
        A table cannot be written, or would take the place of something else.
    """
    output = user_path(output)
    check_outputs({"output": own_files(output, RECOGNISED, "evaluation")}, overwrite=overwrite)
    corpus = config["corpus"]
    table = reproduction_table(scores, intervals, plan, corpus)
    best = best_of(table, corpus)
    whole = pd.concat([table, best], ignore_index=True) if len(best) else table
    texts = (whole.to_csv(index=False), _markdown(whole, config, comparisons))
    for name, text in zip(REPRODUCTION_FILES, (*texts, _latex(whole, config)), strict=True):
        write_atomically(output / name, text)
    return whole


def tables_of(whole: pd.DataFrame) -> Iterator[tuple[int, str, pd.DataFrame]]:
    """Number, title and text of each table, in order.

    Parameters
    ----------
    whole : DataFrame
        What is in ``reproduction.csv``.

    Yields
    ------
    number : int
    title : str
    frame : DataFrame of str
        From `layout`.
    """
    tables: Any = whole.groupby("table")
    for number_, figures in tables:
        setups = dict.fromkeys(figures["setup"])
        what = (
            "the best of each system"
            if number_ == BEST_OF
            else "; ".join(TITLES.get(setup, setup) for setup in setups)
        )
        figures = figures.assign(view_1="", view_2="") if number_ == BEST_OF else figures
        yield int(number_), f"Table {number_}: {what}", layout(figures)


def notes(config: Mapping[str, Any]) -> list[str]:
    """What a reader must know to read the tables, a sentence each."""
    return [
        "Ours: mean ± standard deviation over the folds; in brackets ours minus the paper's. "
        "Percentages, more is better; years (RMSE), less is better.",
        "closed: every speaker is in training and test, as in the paper; age and gender then "
        "largely measure how well speakers are remembered. disjoint: no speaker is in both; the "
        "paper has no such figures.",
        f"Views here: {plain(config.get('specs'))}. The paper's views of these names may be "
        "larger models, its folds are not published, nor is its number of epochs: a "
        "comparison of kind, not of decimals.",
        "Table 6 picks the best figure by the test scores, as the paper does: it flatters.",
    ]


def _systems(table: pd.DataFrame) -> Any:
    return table.fillna({"view_1": "", "view_2": ""}).groupby(
        ["setup", "view_1", "view_2"], sort=False
    )


def _cell(row: Any, metric: str) -> str:
    text = number(row["mean"], metric)
    if pd.notna(row["sd"]):
        text += f" ± {number(row['sd'], metric)}"
    if pd.notna(row["difference"]):
        sign = "+" if row["difference"] >= 0 else "-"
        text += f" ({sign}{number(abs(row['difference']), metric)})"
    return text


def _published(own: pd.DataFrame, metric: str) -> str:
    known = own["paper"].dropna()
    if known.empty:
        return "n/a"
    # Two decimals, as it was printed.
    text = f"{known.iloc[0] * (100 if is_share(metric) else 1):.2f}"
    if "paper_all" in own and own["paper_all"].notna().any():
        best = own["paper_all"].dropna().iloc[0] * (100 if is_share(metric) else 1)
        text += f" (all views {best:.2f})"
    return text


def _head(config: Mapping[str, Any]) -> str:
    versions = config.get("versions") or {}
    shown = [
        f"{name} {versions[name]}"
        for name in ("sfmforensics", "python", "torch")
        if name in versions
    ]
    return (
        f"{config.get('created', '')[:10]}, {', '.join(shown)}; preset {config.get('preset')}, "
        f"{plain(config.get('splits'))} folds, seed {config.get('seed')}, "
        f"{config.get('recordings')} recordings."
    )


def _markdown(
    whole: pd.DataFrame, config: Mapping[str, Any], comparisons: pd.DataFrame | None
) -> str:
    parts = [f"# The paper's tables on {config['corpus']}", _head(config)]
    parts.append("\n".join(f"- {note}" for note in notes(config)))
    for _, title, frame in tables_of(whole):
        parts += [f"## {title}", to_markdown(frame)]
    if comparisons is not None and len(comparisons):
        shown = comparisons[comparisons["metric"].isin(METRICS.defaults)]
        parts += [
            "## Differences between systems",
            "Paired over the folds, mean ± standard deviation; p by the corrected resampled "
            "t-test, p (Holm) also for the number of comparisons. A large p does not show that two "
            "systems are equally good.",
            to_markdown(format_comparisons(shown)),
        ]
        if untested(shown).any():
            parts.append(UNTESTED)
    parts.append(f"Repeat it:\n\n```\n{config.get('command', '')}\n```")
    return "\n\n".join(parts) + "\n"


def _latex(whole: pd.DataFrame, config: Mapping[str, Any]) -> str:
    parts = ["% needs \\usepackage{booktabs}", f"% {_head(config)}"]
    for number_, title, frame in tables_of(whole):
        body = frame.to_latex(
            index=False,
            escape=True,
            column_format="ll" + "r" * (frame.shape[1] - 2),
            caption=_escaped(title),
            label=f"tab:reproduction-{number_}",
        )
        for sign, written in (("±", "$\\pm$"), ("(-", "($-$")):
            body = body.replace(sign, written)
        parts.append(body)
    return "\n".join(parts)


def _escaped(text: str) -> str:
    return text.replace("&", "\\&").replace("%", "\\%").replace("_", "\\_")
