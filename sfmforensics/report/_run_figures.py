"""Figures that need the recordings' vectors or a fitted model, drawn while these are at hand."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from sfmforensics.exceptions import OutputError, ReportError, ReportWarning, TargetError
from sfmforensics.model_selection import BOTH, SPEAKER
from sfmforensics.report import (
    CorpusDisplay,
    ProjectionDisplay,
    ProtocolGapDisplay,
    TrainingCurveDisplay,
    TransportPlanDisplay,
)
from sfmforensics.report._wording import is_share
from sfmforensics.report.displays import new_axes, project
from sfmforensics.report.displays.scores import leading
from sfmforensics.report.figures import save_png
from sfmforensics.results import file_part
from sfmforensics.targets import CLASSIFICATION, task_kind
from sfmforensics.views import find_views

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Any, TypeAlias

    import pandas as pd

    from sfmforensics._types import Split

    Keep: TypeAlias = Callable[[str, str, str, Any], None]

MOST_CLASSES = 8
FEWEST_ROWS = 10


def draw_figures(
    output: Path,
    target: pd.DataFrame,
    X: pd.DataFrame,
    splits: Mapping[str, Sequence[Split]],
    scores: pd.DataFrame,
    fitted: Any = None,
    model: str | None = None,
) -> list[dict[str, str]]:
    """Draw the corpus, its vectors, and what one fitted model makes of them."""
    drawn: list[dict[str, str]] = []

    def keep(stem: str, title: str, text: str, display: Any) -> None:
        if any(one["file"] == f"{stem}.png" for one in drawn):
            stem = f"{stem}-{len(drawn)}"
        save_png(display.figure_, output / f"{stem}.png")
        drawn.append({"file": f"{stem}.png", "title": title, "text": text})

    protocol, folds = list(splits.items())[-1]
    rows = folds[0][1]
    where = f"the {len(rows):,} recordings tested in the first fold of {protocol}"
    draws: tuple[Callable[[], None], ...] = (
        lambda: _corpus(keep, target),
        lambda: _gap(keep, scores),
        lambda: _projections(keep, target.iloc[rows], X.iloc[rows], where, fitted, model),
        lambda: _plans(keep, X.iloc[rows], where, fitted, model),
        lambda: _training(keep, protocol, fitted, model),
    )
    for draw in draws:
        try:
            draw()
        except (ReportError, TargetError):
            continue  # there is nothing of this kind to show: no age, one protocol, no transport
        except OutputError:
            raise  # no room for a figure is no room for the tables
        except Exception as error:
            # Whatever a figure stumbles over, hours of numbers are not lost to it.
            warnings.warn(
                f"a figure was not drawn ({type(error).__name__}: {error})",
                ReportWarning,
                stacklevel=2,
            )
    return drawn


def _corpus(keep: Keep, target: pd.DataFrame) -> None:
    display = CorpusDisplay.from_target(target, ax=new_axes((9.0, 3.6)))
    known = list(display.recordings.columns)
    ages: Any = display.recordings["age"].dropna() if "age" in display.recordings else []
    text = f"Bars: {' and '.join(known)} of the recordings, and of the speakers."
    if len(ages):
        text += f" Ages are {ages.min():g} to {ages.max():g} years, median {ages.median():g}."
    keep("corpus", "Who speaks", text, display)


def _gap(keep: Keep, scores: pd.DataFrame) -> None:
    scores = leading(scores)
    display = ProtocolGapDisplay.from_scores(scores, ax=new_axes(_gap_size(scores)))
    words = []
    for row in display.gaps.drop_duplicates("task").to_dict("records"):
        share = is_share(row["metric"])
        low, high = (f"{row[p] * (100 if share else 1):.{1 if share else 2}f}" for p in BOTH)
        words.append(f"{row['task']} {low} under closed, {high} under disjoint")
    text = f"Means of the folds under both protocols. {row['model']}: {'; '.join(words)}."
    keep("gap", "What closed hides: the same model on speakers never heard", text, display)


def _gap_size(scores: pd.DataFrame) -> tuple[float, float]:
    systems = len(scores[["model", "views"]].drop_duplicates())
    tasks = scores.loc[scores["protocol"] == "disjoint", "task"].nunique()
    return (3.4 * min(3, tasks) + 1, -(-tasks // 3) * (1.6 + 0.45 * systems))


def _projections(
    keep: Keep, target: pd.DataFrame, X: pd.DataFrame, where: str, fitted: Any, model: str | None
) -> None:
    if len(target) < FEWEST_ROWS:
        raise ReportError("too few recordings to project")
    names, blocks = find_views(X.shape[1], feature_names=X.columns, at_least=1)
    vectors = {name: X.iloc[:, block] for name, block in zip(names, blocks, strict=True)}
    if hasattr(fitted, "transform"):
        vectors[f"fused by {model}"] = fitted.transform(X)
    points = {name: project(block) for name, block in vectors.items()}
    for task, column in target.items():
        if task == SPEAKER or task_kind(column) != CLASSIFICATION:
            continue
        if not 2 <= column.nunique() <= MOST_CLASSES:
            continue
        figure = Figure(figsize=(5.2 * len(points), 4.2), layout="constrained")
        panels = np.ravel(figure.subplots(1, len(points)))
        for ax, (name, placed) in zip(panels, points.items(), strict=True):
            display = ProjectionDisplay(placed, column, task=str(task), name=name).plot(ax)
        text = f"t-SNE of {where}, coloured by {task}: {', '.join(points)}."
        keep(f"projection-{file_part(task)}", f"Vectors by {task}", text, display)


def _plans(keep: Keep, X: pd.DataFrame, where: str, fitted: Any, model: str | None) -> None:
    if fitted is None:
        raise ReportError("there is no model")
    n_pairs = math.comb(len(fitted.views_), 2) if hasattr(fitted, "views_") else 1
    display = TransportPlanDisplay.from_estimator(fitted, X, ax=new_axes((4.9 * n_pairs, 4.2)))
    text = f"Mean transport plans of {model} over {where}, relative to a uniform plan."
    keep("plans", "Transport between the views", text, display)


def _training(keep: Keep, protocol: str, fitted: Any, model: str | None) -> None:
    if not hasattr(fitted, "history_"):
        raise ReportError("there is no history")
    display = TrainingCurveDisplay.from_estimator(fitted, ax=new_axes((8.6, 3.4)))
    losses = [row["train_loss"] for row in fitted.history_]
    text = (
        f"Loss of {model} by epoch, first fold of {protocol}: from {losses[0]:.3g} to "
        f"{losses[-1]:.3g} in {len(losses)} epochs."
    )
    keep("training", "Training", text, display)
