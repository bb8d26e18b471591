"""The page of one case: two voices compared, what that means, and what it rests on.

Its words are in ``templates/case.html``; here is what stands in them.
"""

from __future__ import annotations

import base64
import math
import os
import shlex
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np
from matplotlib.figure import Figure

from sfmforensics._utils.names import describe_source, escape_text, show_name
from sfmforensics._utils.pages import templates
from sfmforensics._utils.recordings import Segment
from sfmforensics.custody import recorded_in, recording_of
from sfmforensics.evidence import ANY_OTHER, plain_sentences, verbal_grade
from sfmforensics.evidence._verbal import SCALE, log_text, ratio_text
from sfmforensics.report._wording import figure_text, plain, unit_of
from sfmforensics.report.displays._axes import new_axes
from sfmforensics.report.displays.evidence import TippettDisplay
from sfmforensics.report.displays.explanation import ExplanationDisplay
from sfmforensics.report.figures import png_of
from sfmforensics.targets import CLASSIFICATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    import pandas as pd

    from sfmforensics._types import TaskKind
    from sfmforensics.evidence import Comparison
    from sfmforensics.explanation import Explanation
    from sfmforensics.metrics import Trials

CASE_TITLE = "Comparison of voices: "
"""With which the title of such a page begins, and by which it is known again."""

MOST_LABELS = 4
"""Labels that cannot be ruled out, of which others are counted alone."""

SOFTWARE = ("sfmforensics", "python", "torch", "numpy", "scikit-learn", "librosa", "transformers")


def case_page(
    comparison: Comparison,
    answers: pd.DataFrame,
    manifest: Mapping[str, Any],
    *,
    tasks: Mapping[Any, TaskKind] | None = None,
    confidence: float = 0.9,
    seconds: Sequence[float] | None = None,
    trials: Trials | None = None,
    explanation: Explanation | None = None,
) -> str:
    """Make the page of a comparison, of one or two sheets when it is printed.

    Examples
    --------
    >>> import pandas as pd
    >>> from sfmforensics.custody import Provenance
    >>> from sfmforensics.evidence import Comparison
    >>> comparison = Comparison(1.2, 1.2, -1.5, 1.5, 0.3, 1, 40, 200, 9000, 0.3, 0.28, 0.08)
    >>> answers = pd.DataFrame({"path": ["q.wav", "k.wav"]})
    >>> page = case_page(comparison, answers, Provenance(["q.wav", "k.wav"]).manifest("comparison"))
    >>> "moderate support" in page, "<script" in page
    (True, False)
    """
    names = [_name(path) for path in answers["path"]]
    shown = {task: kind for task, kind in (tasks or {}).items() if task in answers}
    page = templates("report", is_finite=math.isfinite, line_of=text_of, log=log_text,
                     meaning=plain_sentences, name=_name, ratio=ratio_text, share=share_text,
                     time=time_of)  # fmt: skip
    calibration = (manifest.get("model") or {}).get("calibration") or {}
    kept_back = calibration.get("calibration")
    heard = recorded_in(manifest.get("recordings", []), manifest.get("model"))
    return page.get_template("case.html").render(
        title=f"{CASE_TITLE}{names[0]}",
        comparison=comparison,
        manifest=manifest,
        recordings=_recordings(names, manifest, seconds),
        model_file=(manifest.get("model_file") or {}).get("path", ""),
        learnt=[name for name, known in zip(names, heard, strict=False) if known],
        copies=manifest.get("copies", []),
        limited=math.isfinite(comparison.lower) and math.isfinite(comparison.upper),
        grades=_grades(comparison.log10_lr),
        folds=kept_back if isinstance(kept_back, int) else 0,
        kept_back=isinstance(kept_back, float),
        data=_data(manifest.get("model") or {}),
        tippett=None if trials is None else _tippett(comparison, trials),
        answers=_answers(answers, names, shown) if shown else [],
        confidence=confidence,
        genders=_genders(answers["gender"], names) if "gender" in shown else [],
        explanation=_explanation(explanation, tasks or {}),
        facts=[(what, text_of(identity)) for what, identity in _facts(manifest)],
        commands=[text_of(line) for line in _commands(answers["path"].tolist(), manifest)],
    )


def text_of(value: object) -> str:
    """Write a label or a path from elsewhere on one line, harmless to any encoding."""
    return escape_text(str(value), keep="")


def _name(path: object) -> str:
    """Name a file without its folder, of which the chain of custody tells."""
    return show_name(os.path.basename(str(path)) or str(path))


def time_of(stamp: object) -> str:
    """Write a time of the manifest, which is UTC.

    Examples
    --------
    >>> time_of("2026-01-02T03:04:05+00:00")
    '2026-01-02 03:04 UTC'
    """
    if not isinstance(stamp, str):
        return "an unknown date"
    return f"{text_of(stamp)[:16].replace('T', ' ')} UTC"


def share_text(share: float, digits: int = 1) -> str:
    r"""Write a share, so that none that is small looks like nothing, nor a large one like all.

    Examples
    --------
    >>> share_text(0.0), share_text(0.0004), share_text(0.1234), share_text(0.9999)
    ('0\xa0%', '<\xa00.1\xa0%', '12.3\xa0%', '>\xa099.9\xa0%')
    >>> share_text(0.5, digits=0), share_text(0.996, digits=0)
    ('50\xa0%', '>\xa099\xa0%')
    """
    least = 10.0**-digits
    percent = round(100 * share, digits)
    if 0 < share < 1 and percent < least:
        text = f"< {least:g} %"
    elif 0 < share < 1 and percent > 100 - least:
        text = f"> {100 - least:g} %"
    else:
        text = f"{percent:g} %"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _recordings(
    names: Sequence[str], manifest: Mapping[str, Any], seconds: Sequence[float] | None
) -> list[dict[str, Any]]:
    records = [*manifest.get("recordings", []), *({} for _ in names)]
    lengths = [None for _ in names] if seconds is None else seconds
    return [
        {"name": name, "seconds": length, "sha256": record.get("sha256")}
        for name, length, record in zip(names, lengths, records, strict=False)
    ]


def _grades(log10_lr: float) -> list[tuple[Any, Any]]:
    """The grades of support; that of the case is told by its name."""
    leasts = [1, *(least for least, _ in SCALE)]
    grades = ["neither supported", *(grade for _, grade in SCALE)]
    spans = [f"{least:,} to {most:,}" for least, most in pairwise(leasts)]
    rows: list[tuple[Any, Any]] = list(
        zip([*spans, f"{leasts[-1]:,} or more"], grades, strict=True)
    )
    reached = grades.index(verbal_grade(log10_lr) or grades[0])
    span, grade = rows[reached]
    rows[reached] = {"span": span, "grade": ""}, {"grade": grade}
    return rows


def _data(model: Mapping[str, Any]) -> dict[str, Any]:
    """What the model was made of, by its manifest."""
    if not model:
        return {}
    people = model.get("people") or {}
    rows = (model.get("calibration") or {}).get("recordings", [])
    corpus, root = _source(model)
    of_table = corpus in ("table", "manifest")
    return {
        "recordings": people.get("recordings", len(model.get("recordings", []))),
        "calibrated": people.get("calibrated", len(rows)),
        "people": people.get("included", True),
        "model": model.get("model", "unknown"),
        "finished": model.get("finished"),
        "corpus": "" if of_table else corpus,
        "table": root if of_table else "",
    }


def _source(model: Mapping[str, Any]) -> tuple[str, str]:
    """Name and place of the corpus; of a model of 0.1.0 by the command that it tells."""
    if "corpus" in model:
        return str(model["corpus"] or ""), str(model.get("root") or "")
    try:
        words = shlex.split(str(model.get("command") or ""))
    except ValueError:
        return "", ""
    options = dict(pairwise(words))
    options |= dict(word.split("=", 1) for word in words if word[:2] == "--" and "=" in word)
    return options.get("--corpus", ""), options.get("--root", "")


def _tippett(comparison: Comparison, trials: Trials) -> dict[str, Any]:
    """Draw the comparisons that calibrated, and count those with at least the ratio of the case."""
    bounds = (comparison.lower, comparison.upper)
    display = TippettDisplay.from_predictions(
        trials.scores,
        trials.same,
        weights=trials.weights,
        bounds=bounds if -np.inf < comparison.lower < comparison.upper < np.inf else None,
        case=comparison.log10_lr,
        ax=new_axes((5.4, 3.9)),
    )
    reached = trials.scores >= comparison.log10_lr - 1e-9
    weights = np.ones(len(reached)) if trials.weights is None else trials.weights
    return {
        "reached": [
            float(np.average(reached[kind], weights=weights[kind]))
            for kind in (trials.same, ~trials.same)
        ],
        "wrong": display.misleading,
        "source": _encoded(cast("Figure", display.figure_)),
    }


def _encoded(figure: Figure) -> str:
    return base64.b64encode(png_of(figure)).decode("ascii")


def _answers(
    answers: pd.DataFrame, names: Sequence[str], tasks: Mapping[Any, TaskKind]
) -> list[list[Any]]:
    """A row for each recording, below a header: its answers, each with what else may be true."""
    rows: list[list[Any]] = [["recording", *map(text_of, tasks)]]
    for place, (name, (_, row)) in enumerate(zip(names, answers.iterrows(), strict=True)):
        role = "known" if place else "questioned"
        rows.append(
            [{"name": name, "role": role}, *(_answer(row, *task) for task in tasks.items())]
        )
    return rows


def _answer(row: pd.Series, task: Any, kind: TaskKind) -> dict[str, Any]:
    if kind == CLASSIFICATION:
        labels = row.get(f"{task}_set")
        return {
            "answer": text_of(row[task]),
            "share": row.get(f"{task}_probability"),
            "labels": None if labels is None else _labels(labels),
            "interval": None,
        }
    unit = unit_of(task) if task == "age" else ""
    ends = [f"{task}_low", f"{task}_high"]
    return {
        "answer": f"{row[task]:.0f} {unit}".rstrip(),
        "share": None,
        "labels": None,
        "interval": tuple(row[ends]) if ends[0] in row else None,
    }


def _labels(labels: Sequence[Any]) -> dict[str, Any]:
    """Labels that cannot be ruled out."""
    some = [text_of(label) for label in labels[:MOST_LABELS]]
    return {
        "any": ANY_OTHER in labels,
        "alone": some[0] if len(labels) == 1 else "",
        "some": some,
        "others": len(labels) - len(some),
    }


def _genders(genders: pd.Series, names: Sequence[str]) -> list[dict[str, str]]:
    """The questioned recording's gender, and those of others that differ from it."""
    first, *others = zip(genders.tolist(), names, strict=True)
    differing = [other for other in others if other[0] != first[0]]
    if not differing:
        return []
    return [{"answer": text_of(answer), "name": name} for answer, name in [first, *differing]]


def _explanation(
    explanation: Explanation | None, tasks: Mapping[Any, TaskKind]
) -> dict[str, Any] | None:
    """Draw what each view adds to the answers about the questioned recording."""
    shown = [] if explanation is None else [task for task in explanation.tasks if task in tasks]
    if explanation is None or not shown:
        return None
    # Views alone: tokens, gates and plans tell a developer more than a court.
    views = replace(explanation, tokens={}, gates={}, plans={})
    n_views = len(next(iter(views.views.values())).columns)
    n_columns = min(3, len(shown))
    n_rows = -(-len(shown) // n_columns)
    size = (3.3 * n_columns + 0.6, (1.2 + 0.2 * n_views) * n_rows + 0.2)
    figure = Figure(figsize=size, layout="constrained")
    panels = list(figure.subplots(n_rows, n_columns, squeeze=False).flat)
    ExplanationDisplay(views, tasks=shown).plot(panels[: len(shown)])
    for unused in panels[len(shown) :]:
        unused.remove()
    explained = [_explained(views, task) for task in shown]
    for panel, task, one in zip(panels, shown, explained, strict=False):
        # Its probabilities are those before calibration, which the table does not show.
        panel.set_title(figure_text(f"{task}: {one['answer']}", 40), fontsize="medium")
    return {"answers": explained, "source": _encoded(figure)}


def _explained(explanation: Explanation, task: Any) -> dict[str, Any]:
    """Of an answer, which view adds most, and which way."""
    added = explanation.views[task].iloc[0]
    answer = explanation.answers[task].iloc[0]
    place = int(np.argmax(np.abs(added.to_numpy())))
    ways = "for", "against"
    if explanation.tasks[task] != CLASSIFICATION:
        ways, answer = ("upwards", "downwards"), f"{answer:.0f}"
    way = ways[0] if added.iloc[place] >= 0 else ways[1]
    return {"task": task, "answer": str(answer), "view": added.index[place], "way": way}


def _commands(files: Sequence[str], manifest: Mapping[str, Any]) -> Iterator[str]:
    model = manifest.get("model_file") or {}
    path = model.get("path", "MODEL")
    options = ["--sha256", model["sha256"]] if "sha256" in model else []
    yield shlex.join(["sfmforensics", "verify", path, *options])
    records = manifest.get("recordings", [])
    if any(isinstance(recording_of(record, ""), Segment) for record in records):
        return  # which the command line takes from tables alone
    absolute = [record.get("path", file) for record, file in zip(records, files, strict=False)]
    yield shlex.join(["sfmforensics", "compare", path, *absolute])


def _facts(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for place, record in enumerate(manifest.get("recordings", [])):
        yield "known" if place else "questioned", _file(record)
    model = manifest.get("model_file")
    if model:
        yield "model", _file(model)
    trained = manifest.get("model") or {}
    if "sha256" in trained:
        yield "its manifest", str(trained["sha256"])
    if trained.get("command"):
        yield "made by", str(trained["command"])
    for name, view in manifest.get("views", {}).items():
        identity = view.get("identity") or {"embedder": view.get("embedder")}
        yield (
            f"view {text_of(name)}",
            ", ".join(f"{key} {plain(identity[key])}" for key in identity),
        )
        for file, recorded in view.get("files", {}).items():
            yield f"weights, {text_of(name)}", f"{show_name(file)}: {recorded}"
    versions, machine = manifest.get("versions", {}), manifest.get("hardware", {})
    environment = [f"{one} {versions[one]}" for one in SOFTWARE if one in versions]
    environment += [str(machine[key]) for key in ("system", "processor") if machine.get(key)]
    yield "computed with", ", ".join(environment)
    yield "begun, ended", f"{manifest.get('started')}, {manifest.get('finished')}"
    if "sha256" in manifest:
        yield "this manifest", str(manifest["sha256"])


def _file(record: Mapping[str, Any]) -> str:
    known = record.get("sha256") or record.get("found", "not identified")
    return f"{describe_source(recording_of(record, record.get('path', 'signal')))}: {known}"
