"""One page that holds everything: text, tables and pictures, to read without a network.

Its words are in ``templates/run.html``; here is what stands in them.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from sfmforensics._utils.files import file_hash, write_atomically
from sfmforensics._utils.outputs import check_outputs, is_page
from sfmforensics._utils.pages import templates
from sfmforensics._utils.paths import user_path
from sfmforensics.custody import MANIFEST, is_sealed, read_manifest
from sfmforensics.exceptions import CustodyError
from sfmforensics.metrics import METRICS
from sfmforensics.paper import BEST_OF, paper_rows_of
from sfmforensics.report._reproduction import notes, tables_of
from sfmforensics.report._wording import heading, in_order, is_leading, plain
from sfmforensics.report.displays.scores import plot_scores
from sfmforensics.report.figures import confusion_display, draw_predictions, png_of
from sfmforensics.report.tables import (
    ROW,
    TEXT,
    UNTESTED,
    format_comparisons,
    format_groups,
    format_intervals,
    format_summary,
    leading_rows,
    number,
    summarise,
    untested,
)
from sfmforensics.results import read_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sfmforensics._types import PathLike
    from sfmforensics.results import Run


REPORT_TITLE = " - sfmforensics report"
"""With which the title of the page ends, and by which it is known again."""

SETTINGS = {
    "corpus": "corpus",
    "root": "folder of the corpus",
    "recordings": "recordings",
    "speakers": "speakers",
    "tasks": "tasks",
    "views": "views",
    "models": "models",
    "specs": "where the views come from",
    "preset": "preset",
    "protocols": "protocols",
    "folds": "folds",
    "repeats": "repeats of the folds",
    "splits": "fits by protocol",
    "seed": "seed",
    "balance": "counts alike, by",
    "created": "created",
    "seconds": "seconds",
}
ELSEWHERE = ("audit", "command", "versions", "figures", "predictions", "parameters", "chosen")

_MOST_SHOWN = 5_000
"""Recordings up to which the page holds the whole manifest; a larger one would not open."""


def write_report(directory: PathLike, *, overwrite: bool = False) -> Path:
    """Write ``report.html`` from what ``evaluate`` or ``reproduce`` wrote.

    Parameters
    ----------
    directory : path-like
        Folder with ``scores.csv`` and ``config.json``. ``intervals.csv``, ``comparisons.csv``,
        ``reproduction.csv``, ``predictions.csv``, ``predictions-MODEL.csv``, ``manifest.json`` and
        the figures that config.json names are shown if they are there.
    overwrite : bool, default=False
        Whether ``report.html`` may take the place of a file that is no such page.

    Returns
    -------
    Path
        The page, in the same folder. It refers to no other file.

    Raises
    ------
    ReportError
        The folder, ``scores.csv`` or ``config.json`` is missing, or a file cannot be understood;
        the message says which file or column, and what writes it.
    OutputError
        The page cannot be written, is a link to one of these files, or would take the place of
        something else.

    Examples
    --------
    >>> import json, tempfile
    >>> import pandas as pd
    >>> from pathlib import Path
    >>> scores = pd.DataFrame({
    ...     "model": "tango", "views": "mfcc", "protocol": "closed", "fold": [0, 1],
    ...     "task": "age", "metric": "rmse", "value": [3.0, 4.0],
    ... })
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     scores.to_csv(Path(directory, "scores.csv"), index=False)
    ...     _ = Path(directory, "config.json").write_text(json.dumps({"corpus": "mine"}))
    ...     page = write_report(directory)
    ...     "3.50 ± 0.71" in page.read_text(encoding="utf-8")
    True
    """
    directory = user_path(directory)
    run = read_run(directory)
    path = directory / "report.html"
    others = [file for file in directory.glob("*") if file.name != path.name]
    check_outputs(
        {"report": {path: is_page(f"{REPORT_TITLE}</title>")}},
        {"directory": others},
        overwrite=overwrite,
    )
    write_atomically(path, _page(run))
    return path


def _page(run: Run) -> str:
    config, scores = run.config, run.scores
    page_heading = (
        f"{plain(config.get('corpus', 'corpus'))}: "
        f"{plain(config.get('views')).replace(', ', ' + ')}"
    )
    tasks = config.get("tasks")
    versions = config.get("versions")
    page = templates("report", anchor=_anchor, count=_count, groups=_groups, listed=_listed,
                     plain=plain)  # fmt: skip
    return page.get_template("run.html").render(
        title=f"{page_heading}{REPORT_TITLE}",
        heading=page_heading,
        config=config,
        shown=run.shown,
        text_columns=TEXT,
        tasks=dict.fromkeys([*(tasks if isinstance(tasks, (dict, list)) else ()), *scores["task"]]),
        models=list(dict.fromkeys(scores["model"])),
        protocols=in_order(scores["protocol"]),
        n_folds=scores["fold"].nunique(),
        summary=_summary(run),
        notes=notes(config),
        reproduction=_reproduction(run),
        scores=_scores(run),
        intervals=_intervals(run),
        differences=_differences(run),
        figures=list(_figures(run)),
        predictions=[
            (model, _drawings(run, answers)) for model, answers in run.predictions.items()
        ],
        **_audit(config.get("audit")),
        custody=_custody(run),
        settings=[
            (SETTINGS.get(key, key), plain(config[key]))
            for key in dict.fromkeys([*SETTINGS, *config])
            if key in config and key not in ELSEWHERE
        ],
        parameters=_parameters(config.get("parameters")),
        chosen=_chosen(config.get("chosen")),
        versions=[(name, plain(version)) for name, version in versions.items()]
        if isinstance(versions, dict)
        else [],
        command=_command(config.get("command")),
    )


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z]+", "-", title.lower()).strip("-")


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else plain(value)


def _listed(names: Any) -> str:
    """Write names as in a sentence."""
    if not isinstance(names, (list, tuple)) or len(names) < 2:
        return plain(names)
    return f"{plain(names[:-1])} and {plain(names[-1])}"


def _groups(groups: Any) -> str:
    """Write names that belong together."""
    return "; ".join(
        " and ".join(map(str, group)) if isinstance(group, (list, tuple)) else str(group)
        for group in (groups if isinstance(groups, list) else [groups])
    )


def _summary(run: Run) -> list[tuple[str, str, bool, list[Any]]] | None:
    """Of each task and metric of one model: whether it leads; protocol, value and bounds."""
    if run.intervals is None:
        return None
    model, views = run.shown
    whole = run.intervals[run.intervals["by"] == "all"].dropna(subset=["value"])
    whole = whole[(whole["model"] == model) & (whole["views"] == views)]
    lines = []
    for task in dict.fromkeys(run.scores["task"]):
        of_task = whole[whole["task"] == task]
        leads = [metric for metric in METRICS if is_leading(task, metric)]
        for metric in dict.fromkeys([*leads, *METRICS.defaults, "eer"]):
            rows = of_task[of_task["metric"] == metric]
            rows = rows.set_index("protocol")
            figures = [
                (protocol, *_bounded(rows.loc[protocol], metric))
                for protocol in in_order(rows.index)
            ]
            if figures:
                lines.append((task, metric, metric in leads, figures))
    return lines


def _bounded(row: Any, metric: str) -> tuple[str | None, ...]:
    known = pd.notna(row["low"]) and pd.notna(row["high"])
    bounds = (number(row[end], metric) if known else None for end in ("low", "high"))
    return (number(row["value"], metric), *bounds)


def _reproduction(run: Run) -> list[tuple[str, pd.DataFrame]] | None:
    """The paper's tables, the best of each system first."""
    if run.reproduction is None:
        return None
    numbered = sorted(tables_of(run.reproduction), key=lambda table: table[0] != BEST_OF)
    return [(title, frame) for _, title, frame in numbered]


def _scores(run: Run) -> dict[str, Any]:
    """The means of the folds, the paper's figures below, and every fold."""
    summary = summarise(run.scores)
    paper = paper_rows_of(run.scores, str(run.config.get("corpus")))
    if run.reproduction is not None:
        paper = paper.iloc[:0]  # it has the figures already
    measured = list(dict.fromkeys(run.scores["metric"]))
    metrics = dict.fromkeys([*(name for name in METRICS if name in measured), *measured])
    every = format_summary(summary, metrics=list(metrics))
    return {
        "means": _narrow(format_summary(summary, paper=paper)),
        "with_paper": not paper.empty,
        "metrics": _narrow(every.loc[:, ~every.isin(["n/a"]).all()]),
        "folds": _narrow(_by_fold(run.scores)),
        "bars": _encoded(png_of(plot_scores(run.scores))),
    }


def _narrow(frame: pd.DataFrame) -> pd.DataFrame:
    """Without views that are the same everywhere: the title says them, and phones are narrow."""
    if "views" in frame and len(set(frame["views"])) == 1:
        return frame.drop(columns="views")
    return frame


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


def _intervals(run: Run) -> dict[str, Any] | None:
    """Scores with their bounds, of all recordings and by group."""
    if run.intervals is None:
        return None
    tasks = set(run.intervals["task"])
    main = [
        name
        for name, metric in METRICS.items()
        if metric.in_report or any(is_leading(task, name) for task in tasks)
    ]
    model, views = run.shown
    own = run.intervals[(run.intervals["model"] == model) & (run.intervals["views"] == views)]
    groups = ((by, format_groups(own, by)) for by in dict.fromkeys(run.intervals["by"])
              if by != "all")  # fmt: skip
    return {
        "whole": _narrow(format_intervals(run.intervals, metrics=main)),
        "groups": [(by, _narrow(frame)) for by, frame in groups if len(frame)],
    }


def _differences(run: Run) -> dict[str, Any] | None:
    """Differences between models, and how sure they are."""
    if run.comparisons is None or run.comparisons.empty:
        return None
    if run.reproduction is None:
        rows = leading_rows(run.comparisons)
    else:  # as the paper's tables beside it
        rows = run.comparisons[run.comparisons["metric"].isin(METRICS.defaults)]
    return {
        "table": _narrow(format_comparisons(rows)),
        "count": len(rows),
        "untested": UNTESTED if untested(rows).any() else "",
    }


def _figures(run: Run) -> Iterator[dict[str, str]]:
    """Figures that were drawn when the recordings' vectors were at hand."""
    figures = run.config.get("figures")
    for figure in figures if isinstance(figures, list) else []:
        if not isinstance(figure, dict):
            continue
        path = run.directory / str(figure.get("file", ""))
        # Only what the run itself wrote beside its tables.
        if path.parent != run.directory or path.suffix != ".png" or not path.is_file():
            continue
        yield {
            "title": str(figure.get("title", path.stem)),
            "source": _encoded(path.read_bytes()),
            "text": str(figure.get("text", "")),
        }


def _drawings(run: Run, answers: pd.DataFrame) -> list[list[dict[str, Any]]]:
    """What was taken for what: for each task, a drawing of each protocol."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for task, protocol, kind, ax in draw_predictions(run.scores, answers):
        worst = None if kind == "regression" else _worst(answers, task, protocol)
        rows.setdefault(task, []).append(
            {"task": task, "protocol": protocol, "kind": kind, "worst": worst, **_drawn(ax)}
        )
    return list(rows.values())


def _drawn(ax: Axes) -> dict[str, str]:
    measured = ax.get_title().replace("\\$", "$").partition("\n")[2]
    return {"measured": measured, "source": _encoded(png_of(cast("Figure", ax.figure)))}


def _worst(answers: pd.DataFrame, task: str, protocol: str) -> dict[str, Any] | None:
    """The most frequent confusion."""
    shares = confusion_display(answers, task, protocol).shares
    wrong = shares.to_numpy(dtype=float, copy=True)
    np.fill_diagonal(wrong, np.nan)
    if not np.nansum(wrong):
        return None
    true, predicted = map(int, np.unravel_index(np.nanargmax(wrong), wrong.shape))
    return {
        "true": shares.index[true],
        "predicted": shares.columns[predicted],
        "percent": f"{wrong[true, predicted] * 100:.0f}",
    }


def _encoded(png: bytes) -> str:
    return base64.b64encode(png).decode("ascii")


def _audit(audit: Any) -> dict[str, Any]:
    """What stood in the way of an honest split, and what was found in the corpus."""
    audit = audit if isinstance(audit, dict) else {}
    findings = audit.get("findings")
    fields = ("severity", "finding", "what", "why", "remedy")
    rows = (
        [[plain(one.get(name, "")) for name in fields] for one in findings if isinstance(one, dict)]
        if isinstance(findings, list)
        else None
    )
    return {"audit": audit, "findings": rows}


def _custody(run: Run) -> dict[str, Any]:
    """What the figures rest on, and whether the files are still those of the manifest."""
    path = run.directory / MANIFEST
    about: dict[str, Any] = {"file": MANIFEST, "missing": not path.exists(), "error": None}
    if about["missing"]:
        return about
    try:
        manifest = read_manifest(path)
    except CustodyError as error:
        return about | {"error": error}
    changed = [
        name
        for name, recorded in sorted(manifest.get("results", {}).items())
        if not (run.directory / name).is_file() or file_hash(run.directory / name) != recorded
    ]
    short = len(manifest["recordings"]) <= _MOST_SHOWN
    return about | {
        "changed": changed if is_sealed(manifest) else [*changed, MANIFEST],
        "facts": list(_facts(path, manifest)),
        "recordings": len(manifest["recordings"]),
        "whole": json.dumps(manifest, indent=1) if short else "",
    }


def _facts(path: Path, manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Lines of the table: the manifest, the time, the machine, the recordings, the models."""
    machine = manifest["hardware"]
    yield "manifest (SHA-256)", file_hash(path)
    yield "begun and ended (UTC)", f"{manifest.get('started')} to {manifest.get('finished')}"
    yield "machine", ", ".join(f"{name}: {value}" for name, value in machine.items() if value)
    known = sum("sha256" in record for record in manifest["recordings"])
    yield "recordings identified", f"{known:,} of {len(manifest['recordings']):,}"
    if "vectors" in manifest:
        yield "vectors of all recordings (SHA-256)", manifest["vectors"]
    for name, view in manifest["views"].items():
        identity = view.get("identity") or {"embedder": view.get("embedder")}
        yield f"view {name}", ", ".join(f"{key}: {plain(identity[key])}" for key in identity)
        for file, recorded in view.get("files", {}).items():
            yield f"{name}: {file} (SHA-256)", recorded


def _parameters(parameters: Any) -> list[list[str]]:
    """Parameters of the models side by side, below their names."""
    models = parameters.values() if isinstance(parameters, dict) else ()
    if not models or not all(isinstance(model, dict) for model in models):
        return []
    names = sorted({name for model in models for name in model})
    return [["parameter", *parameters]] + [
        [name, *(_setting(model[name]) if name in model else "" for model in models)]
        for name in names
    ]


def _setting(value: object) -> str:
    return "none" if value is None else plain(value)


def _chosen(chosen: Any) -> list[list[str]]:
    """What a search chose in each fold."""
    names = ("model", "protocol", "fold", "parameter", "value")
    rows = chosen if isinstance(chosen, list) else []
    return [[plain(row.get(name)) for name in names] for row in rows if isinstance(row, dict)]


def _command(command: Any) -> str:
    return shlex.join(map(str, command)) if isinstance(command, list) else str(command or "")
