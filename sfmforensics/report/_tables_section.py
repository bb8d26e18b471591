"""The tables of the page: scores, how sure they are, and the paper's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics.metrics import METRICS
from sfmforensics.paper import BEST_OF, paper_rows_of
from sfmforensics.report._markup import details, join, table, tag
from sfmforensics.report._reproduction import notes, tables_of
from sfmforensics.report._wording import heading, in_order
from sfmforensics.report.tables import (
    ROW,
    TEXT,
    UNTESTED,
    format_comparisons,
    format_groups,
    format_intervals,
    format_summary,
    number,
    summarise,
    untested,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sfmforensics.report._markup import Markup
    from sfmforensics.results import Run

TASKS = {"speaker": "who speaks", "emotion": "emotion", "gender": "gender", "age": "age"}


MOST_OPEN = 24
"""Comparisons that are shown without being asked for."""


def summary(run: Run) -> Markup:
    """Give the main figures of one model in a few lines, with their bounds."""
    if run.intervals is None:
        return tag("p", "There is no intervals.csv, so that nothing is said of how sure this is.")
    whole = run.intervals[run.intervals["by"] == "all"]
    model, views = run.shown
    whole = whole[(whole["model"] == model) & (whole["views"] == views)]
    items = []
    for task in dict.fromkeys(run.scores["task"]):
        found = whole[whole["task"] == task]
        for metric in ("accuracy", "rmse", "eer"):
            part = found[found["metric"] == metric].set_index("protocol")
            told = [
                f"{_with_unit(part.loc[protocol], task, metric)} {_MEANING[protocol]}"
                for protocol in in_order(part.index)
                if protocol in _MEANING and pd.notna(part.loc[protocol, "value"])
            ]
            if told:
                name = {"eer": "speakers verified", "rmse": f"{TASKS.get(task, task)}, error"}
                title = name.get(metric, TASKS.get(task, task))
                items.append(tag("li", tag("strong", title), ": ", "; ".join(told), "."))
    if not items:
        return tag("p", f"There are no figures of {model}.")
    lead = f"{model} on {views}, over all test recordings, with 95 % bootstrap intervals:"
    return join([tag("p", lead), tag("ul", *items)])


_MEANING = {
    "closed": "on speakers heard in training",
    "disjoint": "on voices never heard",
}


def _with_unit(row: Any, task: str, metric: str) -> str:
    text = number(row["value"], metric)
    if pd.notna(row["low"]) and pd.notna(row["high"]):
        text += f" ({number(row['low'], metric)} to {number(row['high'], metric)})"
    unit = {"rmse": " years (RMSE)" if task == "age" else " (RMSE)", "eer": " % equal error rate"}
    return text + unit.get(metric, " %")


def scores(run: Run) -> Iterator[Markup]:
    """Give the means of the folds, the paper's figures below, and every fold."""
    found = summarise(run.scores)
    paper = paper_rows_of(run.scores, str(run.config.get("corpus")))
    if run.reproduction is not None:
        paper = paper.iloc[:0]  # it has the figures already
    yield frame_table(
        format_summary(found, paper=paper), "Mean ± standard deviation over the folds"
    )
    if not paper.empty:
        yield tag(
            "p",
            "Rows called paper are published figures for this corpus and for views of these names: "
            "its own models, folds and training, under closed. They are no result of this run.",
        )
    metrics = [name for name in METRICS if name in set(run.scores["metric"])]
    metrics += [name for name in dict.fromkeys(run.scores["metric"]) if name not in metrics]
    every = format_summary(found, metrics=metrics)
    every = every.loc[:, ~every.isin(["n/a"]).all()]
    yield details("All metrics", frame_table(every, "All metrics"))
    yield details("Every fold", frame_table(_by_fold(run.scores), "Scores of every fold"))


def certainty(run: Run) -> Iterator[Markup]:
    """Give intervals, groups and differences between models."""
    if run.intervals is not None:
        yield tag(
            "p",
            "95 % bootstrap intervals of the score over all test recordings (which can differ from "
            "the mean over the folds). Resampled are speakers under disjoint and recordings under "
            "closed, 1,000 times; the models are not fitted again. Few speakers make intervals "
            "that are too narrow; below five there are none.",
        )
        main = ["accuracy", "uar", "eer", "rmse", "mae"]
        yield frame_table(
            format_intervals(run.intervals, metrics=main), "Score [low, high] over all recordings"
        )
        groups = [by for by in dict.fromkeys(run.intervals["by"]) if by != "all"]
        own = run.intervals[
            (run.intervals["model"] == run.shown[0]) & (run.intervals["views"] == run.shown[1])
        ]
        for by in groups:
            found = format_groups(own, by)
            if len(found):
                title = f"By {by}: does the error fall on everybody alike?"
                yield details(title, frame_table(found, f"{run.shown[0]}, by {by}"))
    if run.comparisons is None or run.comparisons.empty:
        return
    found = run.comparisons[run.comparisons["metric"].isin(["accuracy", "rmse"])]
    yield tag("h3", "Differences between models")
    yield tag(
        "p",
        "Paired over the folds; p by the corrected resampled t-test of Nadeau and Bengio, which "
        "allows for the training data that folds share; p (Holm) also for the number of "
        "comparisons. A large p does not show that two models are equally good: few folds can "
        "tell only large differences from chance.",
    )
    caption = "Differences between models, mean ± standard deviation over the folds"
    built = frame_table(format_comparisons(found), caption)
    yield built if len(found) <= MOST_OPEN else details(f"All {len(found)} differences", built)
    if untested(found).any():
        yield tag("p", UNTESTED)


def reproduction(run: Run) -> Iterator[Markup]:
    """Give the paper's tables, the best of each system first."""
    yield tag("ul", *(tag("li", note) for note in notes(run.config)))
    found = [] if run.reproduction is None else list(tables_of(run.reproduction))
    found.sort(key=lambda one: one[0] != BEST_OF)
    for _, title, frame in found:
        yield table(list(frame.columns), frame.to_numpy(), title, sortable=True, text_columns=TEXT)


def frame_table(frame: pd.DataFrame, caption: str) -> Markup:
    """Build a table of a frame; its first column is the header of each row."""
    if "views" in frame and len(set(frame["views"])) == 1:  # said in the title; phones are narrow
        frame = frame.drop(columns="views")
    return table(
        list(frame.columns),
        frame.to_numpy(),
        caption,
        sortable=True,
        text_columns=TEXT,
    )


def _by_fold(scores: pd.DataFrame) -> pd.DataFrame:
    wide: Any = scores.pivot_table(
        index=[*ROW, "fold"], columns=["task", "metric"], values="value", sort=False
    )
    protocols = in_order(scores["protocol"])
    wide = wide.loc[sorted(wide.index, key=lambda row: protocols.index(row[0]))]
    text = {
        place: [number(value, metric) for value in wide[(task, metric)]]
        for place, (task, metric) in enumerate(wide.columns)
    }
    titles = [heading(task, metric) for task, metric in wide.columns]
    frame = pd.DataFrame(text, dtype=object).set_axis(titles, axis=1)
    return pd.concat([wide.index.to_frame(index=False), frame], axis=1)
