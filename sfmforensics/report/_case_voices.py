"""What a case's page says of each voice by itself, and why the model says so."""

from __future__ import annotations

import base64
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from sfmforensics.evidence import ANY_OTHER
from sfmforensics.report._case_custody import share_text, text_of
from sfmforensics.report._markup import join, png, table, tag
from sfmforensics.report._wording import figure_text, unit_of
from sfmforensics.report.displays.explanation import ExplanationDisplay
from sfmforensics.report.figures import png_of
from sfmforensics.targets import CLASSIFICATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    import pandas as pd

    from sfmforensics._types import TaskKind
    from sfmforensics.explanation import Explanation
    from sfmforensics.report._markup import Markup

MOST_LABELS = 4
"""Labels that cannot be ruled out, of which others are counted alone."""


def answers_section(
    answers: pd.DataFrame, called: Sequence[str], tasks: Mapping[Any, TaskKind], confidence: float
) -> Iterator[Markup]:
    """Show the answers, each with what else cannot be ruled out."""
    shown = {task: kind for task, kind in tasks.items() if task in answers}
    if not shown:
        return
    yield tag(
        "p",
        "Estimates of a model from the sound of each voice alone, not established facts about a "
        "person. The ratio is not computed from them.",
    )
    columns = [_column(answers, task, kind, confidence) for task, kind in shown.items()]
    header = ["recording", *(text_of(task) for task in shown)]
    rows = []
    for place, name in enumerate(called):
        role = "questioned" if place == 0 else "known"
        label = join([name, " ", tag("span", f"({role})", class_="quiet")])
        rows.append([label, *(column[place] for column in columns)])
    caption = (
        f"Answers; below each what holds the truth for {share_text(confidence)} of new voices, as "
        "far as calibration speakers show"
    )
    yield tag("div", table(header, rows, caption, text_columns=header), class_="wrap")
    if "gender" in shown:
        yield from _genders(answers["gender"].tolist(), called)


def _column(answers: pd.DataFrame, task: Any, kind: TaskKind, confidence: float) -> list[Markup]:
    cells = []
    for _, row in answers.iterrows():
        if kind == CLASSIFICATION:
            share = row.get(f"{task}_probability")
            answer = text_of(row[task]) + ("" if share is None else f" ({share_text(share, 0)})")
            labels = row.get(f"{task}_set")
            other = None if labels is None else _set(labels)
        else:
            unit = unit_of(task) if task == "age" else ""
            answer = f"{row[task]:.0f} {unit}".rstrip()
            ends = f"{task}_low", f"{task}_high"
            other = _interval(*row[list(ends)]) if ends[0] in row else None
        small = [] if other is None else [tag("span", other, class_="quiet below")]
        cells.append(join([answer, *small]))
    return cells


def _set(labels: Sequence[Any]) -> str:
    if ANY_OTHER in labels:
        return "any, also one that the model does not know"
    if len(labels) == 1:
        return f"{text_of(labels[0])} alone"
    told = [text_of(label) for label in labels[:MOST_LABELS]]
    return " or ".join(
        [*told, *([f"{len(labels) - len(told)} others"] * (len(labels) > len(told)))]
    )


def _interval(low: float, high: float) -> str:
    if not math.isfinite(high):
        return "any: too few speakers"
    return f"{low:.0f} to {high:.0f}"


def _genders(answers: list[Any], called: Sequence[str]) -> Iterator[Markup]:
    other = [
        f"{text_of(answer)} for {name}"
        for answer, name in zip(answers[1:], called[1:], strict=True)
        if answer != answers[0]
    ]
    if other:
        yield tag(
            "p",
            f"The model's answers on gender differ: {text_of(answers[0])} for the questioned "
            f"recording, {', '.join(other)}. Any of them may be wrong, and the ratio is not "
            "computed from them; it is a reason to listen to the recordings again.",
            class_="note",
        )


def explanation_section(
    explanation: Explanation | None, tasks: Mapping[Any, TaskKind], name: str
) -> Iterator[Markup]:
    """Show what each view adds to the answers about the questioned recording."""
    if explanation is None:
        return
    told = [task for task in explanation.tasks if task in tasks]
    if not told:
        return
    # Views alone: tokens, gates and plans tell a developer more than a court.
    views = replace(explanation, tokens={}, gates={}, plans={})
    n_views = len(next(iter(views.views.values())).columns)
    n_columns = min(3, len(told))
    n_rows = -(-len(told) // n_columns)
    size = (3.3 * n_columns + 0.6, (1.2 + 0.2 * n_views) * n_rows + 0.2)
    figure = Figure(figsize=size, layout="constrained")
    panels = list(figure.subplots(n_rows, n_columns, squeeze=False).flat)
    ExplanationDisplay(views, tasks=told).plot(panels[: len(told)])
    for unused in panels[len(told) :]:
        unused.remove()
    for panel, task in zip(panels, told, strict=False):
        # Its probabilities are those before calibration, which the table does not show.
        panel.set_title(figure_text(f"{task}: {_answer(views, task)}", 40), fontsize="medium")
    yield tag(
        "p",
        "What each view, that is each way of turning sound into numbers, adds to the answers about "
        f"{name}. Bars to the right speak for the answer, or for a higher number, those to the "
        "left against it. This explains the model, not the voice, and not the likelihood ratio.",
    )
    encoded = base64.b64encode(png_of(figure)).decode("ascii")
    caption = "Log10 odds, or years, that each view adds; diamonds: what is lost without that view."
    yield png(encoded, _in_words(views, told), caption, wide=True)


def _in_words(explanation: Explanation, tasks: Sequence[Any]) -> str:
    """Of each answer, which view adds most."""
    said = []
    for task in tasks:
        added = explanation.views[task].iloc[0]
        place = int(np.argmax(np.abs(added.to_numpy())))
        way = "for" if added.iloc[place] >= 0 else "against"
        if explanation.tasks[task] != CLASSIFICATION:
            way = "upwards" if way == "for" else "downwards"
        view, answer = text_of(added.index[place]), text_of(_answer(explanation, task))
        said.append(f"{text_of(task)} {answer}: {view} adds most, {way}")
    return f"Bars of what each view adds to the answers. {'; '.join(said)}."


def _answer(explanation: Explanation, task: Any) -> str:
    answer = explanation.answers[task].iloc[0]
    return str(answer) if explanation.tasks[task] == CLASSIFICATION else f"{answer:.0f}"
