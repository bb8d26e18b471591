"""One page that holds everything: text, tables and pictures, to read without a network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sfmforensics._utils.files import write_atomically
from sfmforensics._utils.outputs import check_outputs, is_page
from sfmforensics._utils.paths import user_path
from sfmforensics.report import _pictures_section as pictures
from sfmforensics.report import _sections as sections
from sfmforensics.report import _tables_section as tables
from sfmforensics.report._custody_section import custody
from sfmforensics.report._markup import join, tag
from sfmforensics.report._page import page_of
from sfmforensics.report._wording import plain
from sfmforensics.results import read_run

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sfmforensics._types import PathLike
    from sfmforensics.report._markup import Markup
    from sfmforensics.results import Run


REPORT_TITLE = " - sfmforensics report"
"""With which the title of the page ends, and by which it is known again."""


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
    corpus = plain(run.config.get("corpus", "corpus"))
    views = plain(run.config.get("views")).replace(", ", " + ")
    parts: list[tuple[str, Iterable[Markup]]] = [
        ("In short", [tables.summary(run)]),
        ("What was measured", [sections.overview(run)]),
    ]
    if run.reproduction is not None:
        parts.append(("The paper's tables", tables.reproduction(run)))
    parts += [
        ("Scores", [*tables.scores(run), pictures.bars(run)]),
        ("How sure is this", tables.certainty(run)),
        ("Recordings, views and model", pictures.kept(run)),
        ("Predictions", pictures.predictions(run)),
        ("Audit of the split", [sections.audit(run.config)]),
        ("Chain of custody", [custody(run)]),
        ("Settings and versions", [sections.settings(run.config)]),
        ("Repeat it", [sections.command(run.config)]),
    ]
    built = [(title, join(content)) for title, content in parts]
    built = [(title, content) for title, content in built if content]
    links = [tag("li", tag("a", title, href=f"#{_anchor(title)}")) for title, _ in built]
    main = tag(
        "main",
        tag("h1", f"{corpus}: {views}"),
        tag("p", "Speaker, emotion, gender and age from voice recordings", class_="lead"),
        tag("nav", tag("ul", *links), aria_label="Contents"),
        *(tag("section", tag("h2", title, id=_anchor(title)), content) for title, content in built),
    )
    title = f"{corpus}: {views}{REPORT_TITLE}"
    return page_of(title, main, script="report.js")


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z]+", "-", title.lower()).strip("-")
