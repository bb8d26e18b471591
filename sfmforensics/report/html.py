"""One page that holds everything: text, tables and pictures, to read without a network."""

from __future__ import annotations

import base64
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from sfmforensics._files import write_atomically
from sfmforensics.paper import paper_rows_of
from sfmforensics.report import _sections as sections
from sfmforensics.report._bars import plot_scores
from sfmforensics.report._labels import heading, in_order
from sfmforensics.report._markup import Markup, join, png, table, tag
from sfmforensics.report._predictions import confusion_shares
from sfmforensics.report._run import read_run
from sfmforensics.report.figures import draw_predictions, save_png
from sfmforensics.report.tables import ROW, format_summary, number, summarise

# Even if something slipped through, the page may load nothing from anywhere.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def write_report(directory):
    """Write ``report.html`` from what `evaluate` wrote.

    Parameters
    ----------
    directory : path-like
        Folder with ``scores.csv``, ``config.json`` and, for the figures, ``predictions.csv`` and
        ``predictions-MODEL.csv``.

    Returns
    -------
    Path
        The page, in the same folder. It refers to no other file.

    Raises
    ------
    ReportError
        The folder, ``scores.csv`` or ``config.json`` is missing, or a file cannot be understood;
        the message says which file or column, and what writes it.

    Examples
    --------
    >>> import json, tempfile
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
    run = read_run(directory)
    path = Path(directory) / "report.html"
    write_atomically(path, _page(run))
    return path


def _page(run):
    corpus = sections.plain(run.config.get("corpus", "corpus"))
    views = sections.plain(run.config.get("views")).replace(", ", " + ")
    summary = summarise(run.scores)
    main = tag(
        "main",
        tag("h1", f"{corpus}: {views}"),
        tag("p", "Speaker, emotion, gender and age from voice recordings", class_="lead"),
        tag("h2", "What was measured"),
        sections.overview(run),
        tag("h2", "Scores"),
        *_scores(run, summary),
        tag("h2", "Predictions"),
        *_predictions(run),
        tag("h2", "Audit of the split"),
        sections.audit(run.config),
        tag("h2", "Settings and versions"),
        sections.settings(run.config),
        tag("h2", "Repeat it"),
        sections.command(run.config),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{corpus}: {views} - sfmforensics report"),
        tag("link", rel="icon", href="data:,"),
        tag("style", _asset("report.css")),
    )
    body = tag("body", main, tag("script", _asset("report.js")))
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _asset(name):
    return Markup(files("sfmforensics.report").joinpath(name).read_text(encoding="utf-8"))


def _scores(run, summary):
    paper = paper_rows_of(run.scores, str(run.config.get("corpus")))
    yield _frame(format_summary(summary, paper=paper), "Mean ± standard deviation over the folds")
    if not paper.empty:
        yield tag(
            "p",
            "Rows called paper are published figures for this corpus and for views of these names: "
            "its own models, folds and training, under closed. They are no result of this run.",
        )
    alt = "Bars: the means of the table above, by task, model and protocol; points: single folds."
    yield tag("div", png(_encoded(plot_scores(run.scores)), alt, alt), class_="overview")
    metrics = list(dict.fromkeys(summary.columns.get_level_values("metric")))
    yield _details("All metrics", _frame(format_summary(summary, metrics=metrics), "All metrics"))
    yield _details("Every fold", _frame(_by_fold(run.scores), "Scores of every fold"))


def _by_fold(scores):
    wide = scores.pivot_table(
        index=[*ROW, "fold"], columns=["task", "metric"], values="value", sort=False
    )
    protocols = in_order(scores["protocol"])
    wide = wide.loc[sorted(wide.index, key=lambda row: protocols.index(row[0]))]
    text = {
        place: [number(value, metric, task, row[0]) for row, value in wide[(task, metric)].items()]
        for place, (task, metric) in enumerate(wide.columns)
    }
    titles = [heading(task, metric) for task, metric in wide.columns]
    frame = pd.DataFrame(text, dtype=object).set_axis(titles, axis=1)
    return pd.concat([wide.index.to_frame(index=False), frame], axis=1)


def _predictions(run):
    if not run.predictions:
        yield tag("p", "There is no predictions.csv, so what was confused cannot be shown.")
        return
    yield tag(
        "p",
        "All folds together, so an error here can differ a little from the mean over the folds. "
        "In a confusion matrix a row is a true class, and its cells say what it was taken for.",
    )
    for place, (model, predictions) in enumerate(run.predictions.items()):
        rows = {}
        for task, *drawn in draw_predictions(run.scores, predictions):
            rows.setdefault(task, []).append(_drawing(predictions, model, task, *drawn))
        # A row for each task, so that its protocols stand side by side.
        pictures = join(tag("div", *row, class_="pair") for row in rows.values())
        if place == 0:
            yield join([tag("h3", model), pictures])
        else:
            yield _details(f"The same for {model}", pictures)


def _drawing(predictions, model, task, protocol, kind, ax):
    measured = ax.get_title().replace("\\$", "$").partition("\n")[2]
    if kind == "regression":
        caption = f"{task}, {protocol}: predicted against true"
        alt = f"Scatter plot of predicted against true {task}, {protocol}, {model}: {measured}."
    else:
        caption = f"{task}, {protocol}: what each class was taken for"
        worst = _worst(confusion_shares(predictions, task, protocol))
        alt = f"Confusion matrix of {task}, {protocol}, {model}: {measured}. {worst}"
    return png(_encoded(ax.figure), alt, caption)


def _worst(shares):
    """Put the most frequent confusion into words."""
    wrong = shares.to_numpy(dtype=float, copy=True)
    np.fill_diagonal(wrong, np.nan)
    if not np.nansum(wrong):
        return "Nothing was confused."
    true, predicted = np.unravel_index(np.nanargmax(wrong), wrong.shape)
    share = wrong[true, predicted] * 100
    return (
        f"Most confused: {shares.index[true]} was taken for {shares.columns[predicted]} "
        f"in {share:.0f} % of its recordings."
    )


def _encoded(figure):
    buffer = BytesIO()
    save_png(figure, buffer)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _frame(frame, caption):
    if len(set(frame["views"])) == 1:  # said in the title already; phones are narrow
        frame = frame.drop(columns="views")
    return table(list(frame.columns), frame.to_numpy(), caption, sortable=True, text_columns=ROW)


def _details(title, content):
    return tag("details", tag("summary", title), content)
