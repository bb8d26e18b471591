"""What the commands print: tables, and one line for whatever goes wrong."""

from __future__ import annotations

import logging
import math
import os
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sfmforensics._utils.files import file_hash
from sfmforensics._utils.grid import Grid, Record, Screen
from sfmforensics._utils.log import event
from sfmforensics._utils.names import escape_text, show_name
from sfmforensics.exceptions import SFMForensicsWarning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    import pandas as pd
    from rich.console import Console

    from sfmforensics._types import PathLike
    from sfmforensics.evidence import Comparison
    from sfmforensics.experiment import CrossEvaluation

LONG = 12
"""Letters of a folder that all recordings are in, from which on it stands above a table."""

_logger = logging.getLogger(__name__)
out, err = Screen(), Screen(stderr=True)


def show_frame(frame: pd.DataFrame, title: str, console: Console = out, *, keys: int = 0) -> None:
    """Print a DataFrame as a table that stands at the width of the console, see `Grid`."""
    table = Grid(escape_text(title) if title else None, keys=keys)
    for name in frame.columns:
        numeric = frame[name].dtype.kind in "if"
        table.add_column(escape_text(str(name)), justify="right" if numeric else "left")
    for row in frame.itertuples(index=False):
        table.add_row(*(_cell(value) for value in row))
    console.print(table, soft_wrap=True)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.2f}"
    return "" if value is None else escape_text(str(value))


def show_answers(
    answers: pd.DataFrame, confidence: str | None = None, console: Console = out
) -> None:
    """Print the answers of a model, each label with its probability behind it.

    What was left out is inconclusive; intervals stand behind the numbers, sets in columns of their
    own, under the confidence.
    """
    shown, folder = in_folder(answers)
    for name in answers.columns:
        if f"{name}_probability" in answers:
            pairs = zip(answers[name], shown.pop(f"{name}_probability"), strict=True)
            shown[name] = [
                f"inconclusive ({share:.0%})"
                if label is None or label != label
                else f"{label} ({share:.0%})"
                for label, share in pairs
            ]
        if confidence and f"{name}_low" in answers:
            ends = zip(shown.pop(f"{name}_low"), shown.pop(f"{name}_high"), strict=True)
            shown[name] = [
                f"{value:.1f} ({_interval(*span)})"
                for value, span in zip(answers[name], ends, strict=True)
            ]
            shown = shown.rename(columns={name: f"{name} ({confidence})"})
        if confidence and f"{name}_set" in answers:
            texts = [" or ".join(map(str, labels)) for labels in answers[f"{name}_set"]]
            place = list(shown).index(f"{name}_set")
            shown = shown.drop(columns=f"{name}_set")
            shown.insert(place, f"{name}, {confidence}", texts)
    show_frame(shown, folder, console)


def in_folder(answers: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Give paths as they are read on a narrow screen: within the folder that all are in.

    Parameters
    ----------
    answers : DataFrame
        With a column "path".

    Returns
    -------
    DataFrame
        The same with shorter paths.
    str
        Which folder, to stand above; empty where paths are not worth shortening.
    """
    paths = [show_name(path) for path in answers["path"]]
    folders = {os.path.dirname(path) for path in paths}
    absolute = {os.path.isabs(folder) for folder in folders}
    folder = os.path.commonpath(folders) if len(absolute) == 1 else ""
    if len(folder) < LONG:
        return answers.assign(path=paths), ""
    shorter = [os.path.relpath(path, folder) for path in paths]
    return answers.assign(path=shorter), f"in {folder}"


def _interval(low: float, high: float) -> str:
    return "anything" if high == float("inf") else f"{low:.0f} to {high:.0f}"


def show_comparison(questioned: str, known: list[str], comparison: Comparison) -> None:
    """Print a likelihood ratio, its bounds, what it rests on and what it means."""
    from sfmforensics.evidence import number_of_times, plain_sentences

    ends = [f"1/{number_of_times(comparison.lower)}", number_of_times(comparison.upper)]
    limits = f"the calibration data support ratios from {ends[0]} to {ends[1]}"
    if comparison.at_bound:
        limits += "; without them it would be more extreme, by extrapolation"
    if not (math.isfinite(comparison.lower) and math.isfinite(comparison.upper)):
        limits = "none were set; what lies beyond the calibration data is extrapolation"
    ratio = number_of_times(comparison.log10_lr)
    lines = [
        ("questioned", show_name(questioned)),
        ("known", ", ".join(map(show_name, known))),
        (
            "likelihood ratio",
            f"{ratio if comparison.log10_lr >= 0 else f'1/{ratio}'} "
            f"(log10 {comparison.log10_lr:.2f})".replace("-", "\N{MINUS SIGN}"),
        ),
        ("in words", comparison.verbal),
        ("limits", limits),
        (
            "rests on",
            f"{comparison.n_speakers} speakers, {comparison.n_same:,} comparisons of one speaker "
            f"and {comparison.n_different:,} of two, each with {comparison.n_known} known recording"
            f"{'s' if comparison.n_known > 1 else ''}; Cllr {comparison.cllr:.2f} (at best "
            f"{comparison.cllr_min:.2f}), equal error rate {comparison.eer:.1%}",
        ),
        ("meaning", plain_sentences(comparison.log10_lr)),
    ]
    out.print(Record((name, escape_text(text)) for name, text in lines), soft_wrap=True)


def show_scores(scores: pd.DataFrame, corpus: object, console: Console) -> None:
    """Print the table of scores, the paper's figures beside ours where there are any."""
    from sfmforensics.model_selection import PROTOCOLS
    from sfmforensics.paper import paper_rows_of
    from sfmforensics.report import format_summary, summarise, to_rich

    lines = format_summary(summarise(scores), paper=paper_rows_of(scores, str(corpus)))
    if "single" not in set(lines["model"]):  # of which the paper has two systems
        lines["model"] = lines["model"].str.replace(r"^paper .*", "paper", regex=True)
    table = to_rich(_by_task(lines), "mean ± sd over folds")
    table.keys = 2
    console.print(table, soft_wrap=True)
    there = set(scores.protocol)
    if there != {"closed"}:
        explain(
            "\n".join(
                f"{name}: {protocol.meaning}."
                for name, protocol in PROTOCOLS.items()
                if name in there or (name == "closed" and "disjoint" in there)
            ),
            console,
        )


def show_cross(evaluation: CrossEvaluation, console: Console) -> None:
    """Print of each task a matrix: what was learnt from as rows, what was tested as columns."""
    from sfmforensics.report import format_cross
    from sfmforensics.report._wording import heading
    from sfmforensics.report.tables import cross_rows

    scores = evaluation.scores
    for task in dict.fromkeys(scores["task"]):
        _, metric = cross_rows(scores, task)
        show_frame(format_cross(scores, task), heading(task, metric), console, keys=2)
    explain(
        "Brackets: 95 % bootstrap intervals over speakers. A corpus with itself is under the "
        "disjoint protocol; all others are tested whole.",
        console,
    )
    for cell, count in evaluation.left_out.items():
        explain(
            f"{cell}: {count} recordings of voices that were learnt from are left out.", console
        )
    compared = evaluation.comparisons
    if len(compared):
        apart = int((compared["p_holm"] < 0.05).sum())
        explain(
            f"{apart} of {len(compared)} differences between models are more than chance (paired "
            "bootstrap over speakers, Holm); cross-comparisons.csv has them.",
            console,
        )


def show_overlaps(directory: PathLike, console: Console) -> None:
    """Say what other protocols than closed and disjoint leave out, and let be on both sides."""
    from sfmforensics.report import read_run

    audit = read_run(directory).config.get("audit", {})
    lines = []
    for name, untested in audit.get("never_tested", {}).items():
        said = [
            f"{untested} recordings are tested by no fold",
            f"{audit['on_neither_side'][name]:g} are on neither side of a fold",
        ]
        for what in ("speakers", "texts"):
            shared = audit.get(f"shared_{what}", {}).get(name)
            if shared is not None:
                said.append(f"{shared:g} {what} are on both sides")
        copies = audit["shared_copies"].get(name, 0)
        said.append(f"{copies} test recordings have a copy in training")
        lines.append(f"{name}: {'; '.join(said)}.")
    if lines:
        explain("\n".join(lines), console)


def _by_task(lines: pd.DataFrame) -> pd.DataFrame:
    """What `format_summary` writes, tasks and protocols as rows, and models as columns."""
    import pandas as pd

    named = lines["model"].astype(str)
    several = named.duplicated(keep=False)
    named = named.where(~several, named + " (" + lines["views"].astype(str) + ")")
    columns = [name for name in lines.columns if name not in ("model", "views")]
    task, protocol = zip(*(name.rpartition(": ")[::2] for name in columns), strict=True)
    values = lines[columns].to_numpy().T
    shown = pd.DataFrame({"task": task, "protocol": protocol}, dtype=object)
    return pd.concat([shown, pd.DataFrame(values, columns=named)], axis=1)


def show_comparisons(directory: PathLike, console: Console) -> None:
    """Say which differences between models are more than chance."""
    import pandas as pd

    from sfmforensics.report import format_comparisons, read_run, to_rich
    from sfmforensics.report.tables import UNDEFINED, UNTESTED, leading_rows, untested

    comparisons = read_run(directory).comparisons
    if comparisons is None:
        return
    comparisons = leading_rows(comparisons)
    if not len(comparisons):
        return
    lines = format_comparisons(comparisons)
    protocols = list(dict.fromkeys(name.partition(": ")[0] for name in lines.columns[3:]))
    parts = [
        lines[["task", "first", "second"]].assign(
            protocol=protocol,
            difference=lines[f"{protocol}: first - second"],
            p=lines[f"{protocol}: p (Holm)"],
        )
        for protocol in protocols
    ]
    shown = pd.concat(parts).sort_index(kind="stable")
    shown = shown[shown["difference"] != UNDEFINED]
    shown = shown[["task", "protocol", "first", "second", "difference", "p"]]
    shown = shown.rename(columns={"difference": "first - second"})
    console.print(to_rich(shown, "first - second, mean ± sd over folds"), soft_wrap=True)
    explain(
        "p: corrected resampled t-test of Nadeau and Bengio, corrected by Holm for the number of "
        "comparisons.",
        console,
    )
    if untested(comparisons).any():
        explain(UNTESTED, console)


def tell(text: str, console: Console = out) -> None:
    """Print a line that may hold a path: as it is, so that it can be copied."""
    console.print(escape_text(text), markup=False, highlight=False, soft_wrap=True)


def explain(text: str, console: Console = out) -> None:
    """Print sentences, broken between words."""
    console.print(escape_text(text), markup=False, highlight=False)


def tell_manifest(path: PathLike) -> None:
    """Print what to note down of a manifest, or of a model that holds one."""
    tell(f"Chain of custody: {hashed(path)}")


def hashed(path: PathLike) -> str:
    """Name a file and its sha256, to note both down; a device has none."""
    return f"{show_name(path)}, sha256 {file_hash(path)}" if os.path.isfile(path) else str(path)


def say(text: object) -> None:
    """Print one line on standard error, whatever is in it."""
    # Other libraries wrap their messages; blanks in the name of a file are to stay.
    text = " ".join(part.strip() for part in str(text).splitlines() if part.strip())
    err.print(
        f"sfmforensics: {escape_text(text)}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


@contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Print the package's warnings as it prints its errors, each once; others as Python does."""
    usual, said = warnings.showwarning, set()

    def show(message: Any, category: Any, *where: Any, **more: Any) -> None:
        if issubclass(category, SFMForensicsWarning):
            if str(message) not in said:
                say(f"warning: {message}")
                event(_logger, str(message), logging.WARNING, warning=category.__name__)
            said.add(str(message))
        else:
            usual(message, category, *where, **more)

    with warnings.catch_warnings():
        warnings.showwarning = show
        warnings.simplefilter("always", SFMForensicsWarning)
        yield
