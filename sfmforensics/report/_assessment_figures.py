"""A validation as figures and as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sfmforensics._utils.files import write_atomically
from sfmforensics._utils.outputs import check_outputs, is_table, own_files
from sfmforensics._utils.paths import user_path
from sfmforensics.evidence._assessment import DIFFERENCES, TABLE
from sfmforensics.evidence._conformal import speaker_weights
from sfmforensics.report._wording import UNITS, figure_text, natural_key
from sfmforensics.report.displays import (
    DETDisplay,
    ECEDisplay,
    PAVDisplay,
    ReliabilityDisplay,
    RiskCoverageDisplay,
    TippettDisplay,
    new_axes,
)
from sfmforensics.report.displays._axes import BLUE, VERMILLION
from sfmforensics.report.figures import save_png
from sfmforensics.report.tables import measure_title
from sfmforensics.results import file_part, own_figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import Any

    from matplotlib.axes import Axes

    from sfmforensics._types import FloatArray, PathLike
    from sfmforensics._utils.outputs import Test
    from sfmforensics.evidence import Assessment

LEFT_OUT = ("min_dcf", "ece_before", "brier_before", "brier_after")
"""Of the figure of groups, which would not fit a page."""

N_BINS = 15
"""As the expected calibration error has them."""

MOST_RATIOS = 20_000
"""Different ratios that the curves of cross-entropy tell apart; of more, 4 decimals."""


def assessment_figures(assessment: Assessment) -> dict[str, Figure]:
    """Draw a validation.

    Parameters
    ----------
    assessment : Assessment
        As `sfmforensics.evidence.assess` gives it.

    Returns
    -------
    dict of matplotlib.figure.Figure
        Outside pyplot. "tippett", "det", "pav" and "ece" (empirical cross-entropy) of the
        comparisons; "reliability-TASK" and "refusal-TASK" of each task with probabilities;
        "groups": measures with 95 % intervals, of all recordings and by group. What there is
        nothing of is left out. All are weighted as the tables are.

    Examples
    --------
    >>> from sfmforensics import TANGO
    >>> from sfmforensics.evidence import CalibratedModel, assess
    >>> rng = np.random.default_rng(0)
    >>> who = np.repeat(np.arange(40), 4)
    >>> X = (rng.normal(size=(40, 8))[who] + 0.5 * rng.normal(size=(160, 8))).astype("float32")
    >>> y = pd.DataFrame({"speaker": who.astype(str), "gender": np.where(X[:, 0] > 0, "m", "f")})
    >>> model = CalibratedModel(TANGO(encoder="tokens", random_state=0), random_state=0)
    >>> assessment = assess(model.fit(X[:120], y[:120]), X[120:], y[120:], n_resamples=50)
    >>> list(assessment_figures(assessment))
    ['tippett', 'det', 'pav', 'ece', 'reliability-gender', 'refusal-gender', 'groups']
    """
    figures = {name: cast("Figure", ax.figure) for name, ax in _drawn(assessment)}
    if len(assessment.table):
        figures["groups"] = groups_figure(assessment)
    return figures


def assessment_files(directory: Path, tasks: Iterable[Any]) -> dict[Path, Test]:
    """Every file that `save_assessment` may write, and what recognises one that it wrote before."""
    stems = ["tippett", "det", "pav", "ece", "groups"]
    for task in tasks:
        stems += [file_part(f"{kind}-{task}") for kind in ("reliability", "refusal")]
    names = {
        "assessment.csv": is_table(*TABLE[:5]),
        "differences.csv": is_table(*DIFFERENCES[:5]),
        **own_figures(directory, stems),
    }
    return own_files(directory, names, "assessment")


def save_assessment(
    directory: PathLike, assessment: Assessment, *, overwrite: bool = False
) -> list[Path]:
    """Write a validation as tables and figures.

    Parameters
    ----------
    directory : path-like
        Where; made if need be.
    assessment : Assessment
        As `sfmforensics.evidence.assess` gives it.
    overwrite : bool, default=False
        Whether files of these names may be replaced that are no such tables and figures.

    Returns
    -------
    list of Path
        ``assessment.csv``, ``differences.csv``, and a PNG file for each of `assessment_figures`, of
        150 dots per inch. What the name of a file may not hold becomes "_".

    Raises
    ------
    OutputError
        A file cannot be written, or would take the place of something else.
    """
    directory = user_path(directory)
    files = assessment_files(directory, assessment.answers)
    check_outputs({"directory": files}, overwrite=overwrite)
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / "assessment.csv", directory / "differences.csv"]
    for path, table in zip(paths, (assessment.table, assessment.differences), strict=True):
        write_atomically(path, table.to_csv(index=False).encode())
    for name, figure in assessment_figures(assessment).items():
        path = directory / f"{file_part(name)}.png"
        for number in range(2, 1000):
            if path not in paths:
                break
            path = directory / f"{file_part(name)}-{number}.png"
        save_png(figure, path)
        paths.append(path)
    return paths


def groups_figure(assessment: Assessment) -> Figure:
    """Draw measures of all recordings and of each group, with their intervals."""
    table = assessment.table
    table = table[~table["measure"].isin(LEFT_OUT)]
    bys = list(dict.fromkeys(table["by"]))
    rows: list[tuple[Any, str]] = sorted(
        dict.fromkeys(zip(table["by"], table["group"], strict=True)),
        key=lambda row: (bys.index(row[0]), natural_key(row[1])),
    )
    tasks = list(dict.fromkeys(table["task"]))
    measures: list[list[Any]] = [
        list(dict.fromkeys(table.loc[table["task"] == task, "measure"])) for task in tasks
    ]
    n_columns = max(map(len, measures))
    size = (2.2 + 1.75 * n_columns, len(tasks) * (1.0 + 0.22 * len(rows)))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(tasks), n_columns, squeeze=False, sharey=True)
    for line, task in enumerate(tasks):
        for panel in panels[line, len(measures[line]) :]:
            panel.remove()
        for panel, measure in zip(panels[line], measures[line], strict=False):
            chosen = (table["task"] == task) & (table["measure"] == measure)
            part: Any = table[chosen].set_index(["by", "group"])
            _forest(panel, part, rows, measure, assessment)
            title, unit = measure_title(measure)
            unit = UNITS.get(task, "") if unit == "of task" else unit
            panel.set_title(f"{title} ({unit})" if unit else title, fontsize=9)
        panels[line, 0].set_ylabel(figure_text(task), fontsize=11, fontweight="bold")
    return figure


def _forest(
    ax: Axes, part: pd.DataFrame, rows: list[tuple[Any, str]], measure: str, assessment: Assessment
) -> None:
    factor = 100 if measure_title(measure)[1] == "%" else 1
    promised = {"set_coverage": assessment.confidence, "interval_coverage": assessment.confidence}
    promised |= {"error_answered": assessment.risk, "cllr": 1.0}
    if measure in promised and part["value"].notna().any():
        ax.axvline(factor * promised[measure], color="black", linewidth=1.2, linestyle=":")
    for place, row in enumerate(rows):
        if row not in part.index:
            continue
        value, low, high = (
            factor * float(part.loc[row, name]) for name in ("value", "low", "high")
        )
        colour = VERMILLION if row == ("", "") else BLUE
        if row == ("", "") and np.isfinite([low, high]).all():
            ax.axvspan(low, high, color=VERMILLION, alpha=0.12, linewidth=0)
        ax.plot([low, high], [place, place], color=colour, linewidth=1.5)
        marker = "D" if row == ("", "") else "o"
        filled = colour if np.isfinite(low) else "white"
        if np.isfinite(value):
            ax.plot(value, place, marker, color=colour, markersize=5, markerfacecolor=filled)
    if part["value"].isna().all():
        ax.set_xticks([])
        ax.text(0.5, 0.5, "not defined", transform=ax.transAxes, ha="center", fontsize=8)
    else:
        ax.locator_params(axis="x", nbins=4)
    names = [f"{figure_text(by)}: {figure_text(group)}" if by else "all" for by, group in rows]
    ax.set_yticks(range(len(rows)), names, fontsize=8)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.tick_params(axis="x", labelsize=8)
    bys = [by for by, _ in rows]
    for place in (place for place in range(1, len(bys)) if bys[place] != bys[place - 1]):
        ax.axhline(place - 0.5, color="0.8", linewidth=0.8)
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)


def _drawn(assessment: Assessment) -> Iterator[tuple[str, Axes]]:
    trials = assessment.trials
    if trials is not None and trials.same.any() and not trials.same.all():
        options: Any = {"weights": trials.weights}
        pair = (trials.scores, trials.same)
        bounds = assessment.bounds
        bounds = bounds if bounds is not None and np.isfinite(bounds).all() else None
        if bounds is not None and bounds[0] >= bounds[1]:
            bounds = None
        ax = new_axes(TippettDisplay.figsize)
        yield "tippett", TippettDisplay.from_predictions(*pair, **options, bounds=bounds, ax=ax).ax_
        ax = new_axes(DETDisplay.figsize)
        yield "det", DETDisplay.from_predictions(*pair, **options, ax=ax).ax_
        ax = new_axes(PAVDisplay.figsize)
        yield "pav", PAVDisplay.from_predictions(*pair, **options, ax=ax).ax_
        ax = new_axes(ECEDisplay.figsize)
        scores, same, weights = _condensed(*pair, trials.weights)
        yield "ece", ECEDisplay.from_predictions(scores, same, weights=weights, ax=ax).ax_
    for task, answers in assessment.answers.items():
        rows = np.flatnonzero(answers.known)
        if (
            answers.labels is None
            or answers.before is None
            or answers.after is None
            or not len(rows)
        ):
            continue
        weights = speaker_weights(assessment.voices[rows])
        truth, name = answers.truth[rows], figure_text(task)
        sets = {"before calibration": answers.before[rows], "after": answers.after[rows]}
        shown = ReliabilityDisplay.from_predictions(
            truth,
            sets,
            classes=answers.labels,
            n_bins=N_BINS,
            weights=weights,
            name=name,
            ax=new_axes(ReliabilityDisplay.figsize),
        )
        yield f"reliability-{task}", shown.ax_
        sure = answers.after[rows].max(axis=1)
        threshold = answers.threshold
        if threshold is not None and threshold > sure.max():
            threshold = None
        curve = RiskCoverageDisplay.from_predictions(
            truth,
            answers.predicted[rows],
            sure,
            threshold=threshold,
            weights=weights,
            name=name,
            ax=new_axes(RiskCoverageDisplay.figsize),
        )
        yield f"refusal-{task}", curve.ax_


def _condensed(
    scores: FloatArray, same: Any, weights: FloatArray | None
) -> tuple[FloatArray, Any, FloatArray]:
    """Count equal ratios once, with all of their weight: curves of many priors take long."""
    values, place = np.unique(scores, return_inverse=True)
    if len(values) > MOST_RATIOS:
        values, place = np.unique(scores.round(4), return_inverse=True)
    sums = np.bincount(2 * place.ravel() + same, weights, 2 * len(values)).astype(np.float64)
    positive = sums > 0
    return values.repeat(2)[positive], np.tile([False, True], len(values))[positive], sums[positive]
