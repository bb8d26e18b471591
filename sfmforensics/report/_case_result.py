"""What a case's page says first: which recordings, and how strong the evidence is."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from sfmforensics.evidence import number_of_times, plain_sentences, verbal_grade
from sfmforensics.evidence._verbal import SCALE
from sfmforensics.report._case_custody import model_name, text_of, time_of
from sfmforensics.report._markup import Markup, join, table, tag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from sfmforensics.evidence import Comparison

MINUS = "\N{MINUS SIGN}"
MARK = "\N{BLACK LEFT-POINTING TRIANGLE}"


def ratio_text(log10_lr: float) -> str:
    """Write a likelihood ratio: below 1 as a fraction.

    Examples
    --------
    >>> ratio_text(2.0), ratio_text(-2.0)
    ('100', '1/100')
    """
    times = number_of_times(log10_lr)
    return times if log10_lr >= 0 or times == number_of_times(0.0) else f"1/{times}"


def log_text(value: float) -> str:
    """Write a logarithm.

    Examples
    --------
    >>> log_text(-1.372) == f"{MINUS}1.37"
    True
    """
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", MINUS)


def heading(
    found: Comparison,
    called: Sequence[str],
    manifest: Mapping[str, Any],
    seconds: Sequence[float] | None,
) -> Markup:
    """Tell which recordings were compared, when and with what."""
    lengths = [""] * len(called) if seconds is None else [f"{each:.1f} s, " for each in seconds]
    records = manifest.get("recordings", [])
    hashes = [record.get("sha256") or "" for record in records] + [""] * len(called)
    items = [
        join([tag("strong", name), f" ({length}SHA-256 {recorded[:12]}…)"])
        if recorded
        else join([tag("strong", name), f" ({length}not identified)"])
        for name, length, recorded in zip(called, lengths, hashes, strict=False)
    ]
    version = manifest.get("versions", {}).get("sfmforensics", "")
    made = f"{time_of(manifest.get('finished'))}, sfmforensics {version}"
    if model_name(manifest):
        made += f", model {model_name(manifest)}"
    return tag(
        "dl",
        tag("dt", "Questioned recording"),
        tag("dd", items[0]),
        tag("dt", f"Known recording{'s' if found.n_known > 1 else ''}, of one speaker"),
        *(tag("dd", item) for item in items[1:]),
        tag("dt", "Compared"),
        tag("dd", text_of(made)),
        class_="facts",
    )


def ratio(found: Comparison) -> Markup:
    """Tell the ratio in numbers and in words, how far the data carry it, and what it means."""
    words = found.verbal[0].upper() + found.verbal[1:]
    said = tag(
        "div",
        tag(
            "p",
            "Likelihood ratio ",
            tag("strong", ratio_text(found.log10_lr)),
            tag("span", f"log10 LR {log_text(found.log10_lr)}"),
            class_="ratio",
        ),
        tag("p", tag("strong", f"{words}.")),
        tag("p", plain_sentences(found.log10_lr)),
        tag("p", _limits(found)),
    )
    return tag("div", said, _scale(found.log10_lr), class_="beside")


def _limits(found: Comparison) -> str:
    speakers = f"the {found.n_speakers:,} calibration speakers"
    ends = [bound for bound in (found.lower, found.upper) if math.isfinite(bound)]
    if len(ends) < 2:
        return (
            f"No limits were set to the ratio: whether what {speakers} have shown carries a ratio "
            "of this size was not looked at."
        )
    low, high = (ratio_text(bound) for bound in ends)
    said = f"What {speakers} have shown supports ratios from {low} to {high}, not beyond."
    if not found.at_bound:
        return f"{said} This ratio lies within."
    which = "upper" if found.unbounded >= found.upper else "lower"
    beyond = (
        f"{ratio_text(found.unbounded)} (log10 LR {log_text(found.unbounded)})"
        if math.isfinite(found.unbounded)
        else "no finite ratio"
    )
    return (
        f"{said} This ratio is the {which} limit. Without limits the calculation gives {beyond}: "
        "that is an extrapolation, which nothing that was measured supports; it is not to be used."
    )


def _scale(log10_lr: float) -> Markup:
    """The grades of support, with that of the case marked."""
    leasts = [1, *(least for least, _ in SCALE)]
    grades = ["neither supported", *(grade for _, grade in SCALE)]
    reached = grades.index(verbal_grade(log10_lr) or grades[0])
    rows: list[tuple[str, str]] = []
    for place, (least, grade) in enumerate(zip(leasts, grades, strict=True)):
        last = place + 1 == len(leasts)
        span = f"{least:,} or more" if last else f"{least:,} to {leasts[place + 1]:,}"
        if place == reached:
            mark = tag("strong", f"{grade} {MARK}", class_="here")
            rows.append((tag("strong", span), mark))
        else:
            rows.append((span, grade))
    header = ("LR (1/LR below 1)", "support")
    caption = f"Scale of ENFSI (2015); {MARK} this case"
    return tag("div", table(header, rows, caption, text_columns=header), class_="scale")


def copied(manifest: Mapping[str, Any]) -> Markup:
    """Warn of recordings that are one take, by their waveforms, and were used nevertheless."""
    pairs = [
        f"{_called(pair['second'])} of {_called(pair['first'])} (correlation "
        f"{pair['correlation']:.3f})"
        for pair in manifest.get("copies", [])
    ]
    if not pairs:
        return Markup("")
    return tag(
        "p",
        tag("strong", "Not to be relied on if these are copies: "),
        "by their waveforms, recordings are the same take at another level, cut or coding, and "
        f"were used all the same, as was asked: {'; '.join(pairs)}. A copy of the questioned "
        "recording among the known ones makes any ratio high.",
        class_="note",
    )


def _called(path: object) -> str:
    return text_of(os.path.basename(str(path)) or path)


def learnt(heard: Sequence[bool], called: Sequence[str]) -> Markup:
    """Warn of recordings that the model has learnt from."""
    told = [name for name, known in zip(called, heard, strict=False) if known]
    if not told:
        return Markup("")
    return tag(
        "p",
        tag("strong", "Not to be relied on: "),
        f"the model was trained or calibrated with {', '.join(told)}, and likelihood ratios hold "
        "for speakers of whom it has heard nothing.",
        class_="note",
    )
