"""What a validation finds: measures of all recordings and of groups of them, with intervals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._utils.pages import templates
from sfmforensics.evidence._measures import Comparisons, measure_answers
from sfmforensics.metrics._groups import groupings_of
from sfmforensics.metrics._resampling import unit_draws

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any

    from sfmforensics._types import Array, BoolArray, FloatArray, IntArray, RandomState
    from sfmforensics.evidence._answers import TaskAnswers
    from sfmforensics.evidence._measures import Measured
    from sfmforensics.metrics import Trials

TABLE = ["task", "measure", "by", "group", "value", "low", "high", "n", "speakers"]
DIFFERENCES = ["task", "measure", "by", "group", "other", "value", "low", "high"]
REST = "the rest"


@dataclass(frozen=True, eq=False)
class Assessment:
    """How good a model was found to be, and what that was found from.

    Parameters
    ----------
    table : DataFrame
        Columns ``task, measure, by, group, value, low, high, n, speakers``: 95 % intervals; "by"
        and "group" are empty for all recordings; "n" counts recordings, of "speaker" comparisons.
    differences : DataFrame
        Columns ``task, measure, by, group, other, value, low, high``: the group less the rest.
    trials : Trials or None
        Comparisons of voices, with logarithms to base 10 of likelihood ratios and weights; rows are
        those of `labels`. None where the model does not compare voices.
    answers : dict of str to TaskAnswers
        Answers, probabilities before and after calibration, sets or intervals, and the truth.
    labels : DataFrame of shape (n_recordings, n_labels)
        What recordings were grouped by, of those whose speaker is known.
    voices : ndarray of shape (n_recordings,), int
        Who speaks.
    names : ndarray of shape (n_voices,), object
        Name of each voice.
    bounds : (float, float) or None
        Lowest and highest log10 LR that the model gives; None of several models that differ.
    confidence, risk, n_known
        As for `assess`.
    known_speakers : tuple of str
        Speakers whose names the model knows, where that was allowed: measures are better than of
        strangers.
    """

    table: pd.DataFrame
    differences: pd.DataFrame = field(repr=False)
    trials: Trials | None = field(repr=False)
    answers: dict[Any, TaskAnswers] = field(repr=False)
    labels: pd.DataFrame = field(repr=False)
    voices: np.ndarray = field(repr=False)
    names: np.ndarray = field(repr=False)
    bounds: tuple[float, float] | None
    confidence: float
    risk: float
    n_known: int
    known_speakers: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        """The measures of all recordings with their intervals, for a notebook."""
        page = templates("evidence").get_template("assessment.html")
        whole = self.table[self.table["by"] == ""]
        return page.render(
            recordings=len(self.voices),
            speakers=len(self.names),
            known=self.known_speakers,
            rows=[_shown(row) for row in whole.to_dict("records")],
            groups=[by for by in dict.fromkeys(self.table["by"]) if by != ""],
        )


def _shown(row: dict[Any, Any]) -> list[str]:
    value, low, high = ("" if pd.isna(row[name]) else f"{row[name]:.3f}"
                        for name in ("value", "low", "high"))  # fmt: skip
    bounds = f"{low} to {high}" if low and high else ""
    counts = (f"{row[name]:,}" for name in ("n", "speakers"))
    return [str(row["task"]), row["measure"].replace("_", " "), value, bounds, *counts]


def measured(
    trials: Trials | None,
    answers: dict[Hashable, TaskAnswers],
    labels: pd.DataFrame,
    voices: IntArray,
    names: Array,
    bounds: tuple[float, float] | None,
    confidence: float,
    risk: float,
    n_known: int,
    n_resamples: int,
    random_state: RandomState,
) -> Assessment:
    """Measure all, each group, and how far each group is from the rest."""
    drawn = np.concatenate(list(unit_draws(len(names), n_resamples, random_state)))
    ways: list[tuple[Any, Callable[[BoolArray, bool], Measured]]] = []
    if trials is not None:
        comparisons = Comparisons(trials, voices)

        def compared(in_group: BoolArray, own: bool) -> Measured:
            rows = np.flatnonzero(in_group[trials.first] & in_group[trials.second])
            return comparisons.measured(rows, drawn)

        ways.append(("speaker", compared))
    for task, task_answers in answers.items():
        ways.append((task, _way(task_answers, voices, drawn)))
    rows: list[list[Any]] = []
    differences: list[list[Any]] = []
    groupings = groupings_of(labels)
    for task, measure in ways:
        rows += _rows(measure(np.ones(len(voices), dtype=bool), False), task)
        for column, of in groupings.items():
            known = ~pd.isna(of)
            for group in sorted(set(of[known]), key=str):
                inside = of == group
                group_measures = measure(inside, column == task)
                rest = measure(known & ~inside, column == task)
                rows += _rows(group_measures, task, column, group)
                if not group_measures.n or not rest.n:
                    continue
                for name, estimate in group_measures.estimates.items():
                    less = estimate.less(rest.estimates[name])
                    place = [task, name, column, str(group), REST]
                    differences.append([*place, less.value, *less.bounds])
    return Assessment(
        pd.DataFrame(rows, columns=TABLE),
        pd.DataFrame(differences, columns=DIFFERENCES),
        *(trials, answers, labels, voices, names, bounds, confidence, risk, n_known),
    )


def _way(
    task_answers: TaskAnswers, voices: IntArray, drawn: FloatArray
) -> Callable[[BoolArray, bool], Measured]:
    return lambda in_group, own: measure_answers(task_answers, in_group, voices, drawn, own=own)


def _rows(measures: Measured, task: Any, by: Any = "", group: object = "") -> list[list[Any]]:
    if not measures.n:
        return []
    return [
        [task, name, by, str(group), one.value, *one.bounds, measures.n, measures.speakers]
        for name, one in measures.estimates.items()
    ]
