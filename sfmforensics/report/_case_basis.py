"""What a case's page says of the data that the ratio rests on."""

from __future__ import annotations

import base64
import os
import shlex
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np

from sfmforensics._utils.names import show_name
from sfmforensics.report._case_custody import share_text, text_of, time_of
from sfmforensics.report._case_result import log_text
from sfmforensics.report._markup import png, table, tag
from sfmforensics.report.displays._axes import new_axes
from sfmforensics.report.displays.evidence import TippettDisplay
from sfmforensics.report.figures import png_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from matplotlib.figure import Figure

    from sfmforensics.evidence import Comparison
    from sfmforensics.metrics import Trials
    from sfmforensics.report._markup import Markup

FEW = 20
"""Speakers below which a page says that they are few."""


def basis(
    found: Comparison, manifest: Mapping[str, Any], trials: Trials | None
) -> Iterator[Markup]:
    """Tell what was compared with what, by which data, and how well that went."""
    said = tag("div", *_said(found, manifest))
    if trials is None:
        yield said
    else:
        yield tag("div", said, _tippett(found, trials), class_="beside even")
    yield _measures(found)


def _said(found: Comparison, manifest: Mapping[str, Any]) -> Iterator[Markup]:
    yield tag(
        "p",
        "Two propositions were weighed: ",
        tag("strong", "the recordings are of the same speaker"),
        ", and ",
        tag("strong", "they are of different speakers"),
        ", of people like those in the calibration data.",
    )
    told = manifest.get("model") or {}
    each = f"each with {found.n_known} known recordings, as here, " if found.n_known > 1 else ""
    yield tag(
        "p",
        f"What the ratio is worth was learnt from {found.n_speakers:,} speakers, "
        f"{_kept_back((told.get('calibration') or {}).get('calibration'))}: "
        f"{found.n_same:,} comparisons of one speaker and "
        f"{found.n_different:,} of two, {each}in which every speaker, and every pair, counts "
        "alike.",
    )
    if found.n_speakers < FEW:
        yield tag(
            "p",
            tag("strong", f"{found.n_speakers} speakers are few: "),
            "with others, limits and measures could be quite different.",
        )
    yield tag("p", *_corpus(told))


def _kept_back(calibrate: Any) -> str:
    if isinstance(calibrate, float):
        return "from whom the model has learnt nothing"
    if isinstance(calibrate, int):
        return (
            f"each answered by a model that had not heard them ({calibrate} folds); the model that "
            "compares here has heard all of them"
        )
    return "whose voices are known"


def _corpus(told: Mapping[str, Any]) -> Iterator[object]:
    if told:
        people = told.get("people") or {}
        recordings = people.get("recordings", len(told.get("recordings", [])))
        rows = (told.get("calibration") or {}).get("recordings", [])
        calibrated = people.get("calibrated", len(rows))
        number = f"{recordings:,} recordings"
        kind = text_of(told.get("model", "unknown"))
        yield f"The data: {number}{_source(told.get('command'))}, by which the model ({kind}) was "
        yield f"trained on {time_of(told.get('finished'))}"
        yield f"; {calibrated:,} of them calibrated. " if calibrated else ". "
        if not people.get("included", True):
            yield "The model does not hold whose they were: whether it has heard a recording of "
            yield "this case cannot be checked with it, nor can the comparisons be drawn. "
    else:
        yield "Which data these were, the model does not say. "
    yield tag(
        "strong",
        "That the people and the recordings of this case are like them is an assumption, which the "
        "examiner must judge.",
    )


def _source(command: object) -> str:
    """Name the corpus, or the table of recordings, that a command names."""
    try:
        given = shlex.split(str(command or ""))
    except ValueError:
        return ""
    options = dict(pairwise(given))
    options |= dict(part.split("=", 1) for part in given if part[:2] == "--" and "=" in part)
    corpus = options.get("--corpus", "")
    table = os.path.basename(options.get("--root", ""))
    if corpus in ("table", "manifest"):
        return f" of the table {show_name(table)}" if table else ""
    return f" of the corpus {text_of(corpus)}" if corpus else ""


def _measures(found: Comparison) -> Markup:
    rows = [
        ("Cllr", f"{found.cllr:.2f}", _worth(found.cllr)),
        (
            "Cllr min",
            f"{found.cllr_min:.2f}",
            "what the best calibration of the same scores would have",
        ),
        (
            "equal error rate",
            share_text(found.eer),
            "of each kind as many would be wrong, if one had to decide by a threshold",
        ),
    ]
    caption = "Measured on the comparisons that calibrated, which flatters"
    built = table(("measure", "value", "meaning"), rows, caption,
                  text_columns=("measure", "meaning"))  # fmt: skip
    return tag("div", built, class_="wrap")


def _worth(cllr: float) -> str:
    scale = "0 is perfect, 1 is no better than saying nothing"
    return f"{scale}: the ratios misinform" if cllr >= 1 else scale


def _tippett(found: Comparison, trials: Trials) -> Markup:
    bounds = (found.lower, found.upper)
    display = TippettDisplay.from_predictions(
        trials.scores,
        trials.same,
        weights=trials.weights,
        bounds=bounds if -np.inf < found.lower < found.upper < np.inf else None,
        case=found.log10_lr,
        ax=new_axes((5.4, 3.9)),
    )
    reached = [
        share_text(
            float(
                np.average(
                    trials.scores[kind] >= found.log10_lr - 1e-9,
                    weights=None if trials.weights is None else trials.weights[kind],
                )
            )
        )
        for kind in (trials.same, ~trials.same)
    ]
    wrong = [share_text(share) for share in display.misleading]
    caption = (
        f"Of the comparisons of one speaker {reached[0]}, of those of two speakers {reached[1]} "
        "had at least the ratio of this case (green)."
    )
    alt = (
        "Tippett plot: the share of comparisons with at least so high a ratio, by its logarithm, "
        "falling from 100 % on the left to 0 % on the right, in one curve for comparisons of one "
        f"speaker and one for those of two. The case is marked at {log_text(found.log10_lr)}. "
        f"Misleading were {wrong[0]} of the comparisons of one speaker, with a ratio below 1, and "
        f"{wrong[1]} of those of two, with one above 1."
    )
    encoded = base64.b64encode(png_of(cast("Figure", display.figure_))).decode("ascii")
    return png(encoded, alt, caption)
