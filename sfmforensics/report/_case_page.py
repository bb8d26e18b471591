"""The page of one case: two voices compared, what that means, and what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfmforensics.report import _case_basis as basis
from sfmforensics.report import _case_result as result
from sfmforensics.report._case_custody import custody, is_learnt
from sfmforensics.report._case_custody import names as names_of
from sfmforensics.report._case_voices import answers_section, explanation_section
from sfmforensics.report._markup import join, tag
from sfmforensics.report._page import page_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import pandas as pd

    from sfmforensics._types import TaskKind
    from sfmforensics.evidence import Comparison
    from sfmforensics.explanation import Explanation
    from sfmforensics.metrics import Trials

CASE_TITLE = "Comparison of voices: "
"""With which the title of such a page begins, and by which it is known again."""

LIMITS = (
    "A voice is no signature. It changes with age, mood, health and effort, and different people "
    "can sound alike. No ratio makes a speaker certain.",
    "The ratio holds for recordings like those that calibrated it: their language, channel "
    "(telephone, microphone, codec), duration, noise and mood. If those of the case differ from "
    "them, or from each other, it may be too high or too low; by how much was not tested here.",
    "It was taken for granted, not tested, that in each recording one person speaks, undisguised; "
    "that the known recordings are all of one person; and that all are in the same language.",
    "Not tested: disguised, imitated, converted or synthetic voices, edited recordings, relatives "
    "and twins.",
    "The labels of the calibration data were taken as they are. Public corpora hold mislabelled "
    "speakers and copies of recordings under other names; copies were looked for, other wrong "
    "labels were not.",
    "How good the ratios are was measured on the comparisons that made them. Before this is relied "
    "on, it should be measured on other speakers, in the conditions of the case.",
)


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

    Parameters
    ----------
    comparison : Comparison
        The likelihood ratio, and what it rests on.
    answers : DataFrame
        A row for each recording, the questioned first: "path", and what a model says of it, as
        `sfmforensics.workflow.compare_files` gives it.
    manifest : dict
        The chain of custody; its recordings are in the order of the answers.
    tasks : dict of str to {"classification", "regression"}, or None, default=None
        Answers that are shown. Who of the training speakers a voice is most like belongs in no
        report, so leave the speaker out.
    confidence : float, default=0.9
        Of the intervals and sets among the answers.
    seconds : sequence of float or None, default=None
        How long the recordings are.
    trials : Trials or None, default=None
        Comparisons that calibrated, with logarithms to base 10 of ratios; drawn as a Tippett plot.
    explanation : Explanation or None, default=None
        Of the answers about the questioned recording, its first row.

    Returns
    -------
    str
        HTML that refers to no other file and runs no script. It never says that two recordings
        are of one speaker, nor how probable that is.

    Raises
    ------
    ReportError
        All trials are of one kind.

    Examples
    --------
    >>> import pandas as pd
    >>> from sfmforensics.custody import Evidence
    >>> from sfmforensics.evidence import Comparison
    >>> found = Comparison(1.2, 1.2, -1.5, 1.5, 0.3, 1, 40, 200, 9000, 0.3, 0.28, 0.08)
    >>> answers = pd.DataFrame({"path": ["q.wav", "k.wav"]})
    >>> page = case_page(found, answers, Evidence(["q.wav", "k.wav"]).manifest("comparison"))
    >>> "moderate support" in page, "<script" in page
    (True, False)
    """
    called = names_of(answers)
    parts = [
        (
            "Result",
            [
                result.learnt(is_learnt(manifest), called),
                result.copied(manifest),
                result.ratio(comparison),
            ],
        ),
        ("What it rests on", basis.basis(comparison, manifest, trials)),
        (
            "What the model says of each recording",
            answers_section(answers, called, tasks or {}, confidence),
        ),
        ("Why the model says so", explanation_section(explanation, tasks or {}, called[0])),
        ("Limits", [tag("ul", *(tag("li", limit) for limit in LIMITS), class_="limits")]),
        ("Chain of custody", custody(answers, manifest)),
    ]
    built = [(title, join(content)) for title, content in parts]
    main = tag(
        "main",
        tag("h1", "Comparison of voices"),
        result.heading(comparison, called, manifest, seconds),
        *(tag("section", tag("h2", title), content) for title, content in built if content),
        class_="case",
    )
    return page_of(f"{CASE_TITLE}{called[0]}", main, styles=["case.css"])
