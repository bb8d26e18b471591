"""What a likelihood ratio is called in words."""

from __future__ import annotations

import numpy as np

SCALE = (
    (2, "weak"),
    (10, "moderate"),
    (100, "moderately strong"),
    (1_000, "strong"),
    (10_000, "very strong"),
    (1_000_000, "extremely strong"),
)
"""Least likelihood ratio of each grade of support, by ENFSI's guideline. Below 2 neither
proposition is supported."""

SAME, DIFFERENT = "are of the same speaker", "are of different speakers"


def verbal_scale(log10_lr: float) -> str:
    """Say in words how far a likelihood ratio supports one proposition over the other.

    Parameters
    ----------
    log10_lr : float
        Logarithm to base 10 of the likelihood ratio.

    Returns
    -------
    str
        A sentence about the findings, never about who spoke: how probable it is that both are of
        one speaker also depends on everything else that is known in a case.

    References
    ----------
    .. [1] ENFSI Guideline for Evaluative Reporting in Forensic Science (2015), page 17.

    Examples
    --------
    >>> verbal_scale(1.2)
    'the findings provide moderate support for the proposition that the recordings are of the same
    speaker, relative to the proposition that they are of different speakers'
    >>> verbal_scale(-0.1)
    'the findings do not support one proposition over the other'
    """
    grade = verbal_grade(log10_lr)
    if grade is None:
        return "the findings do not support one proposition over the other"
    first, second = (SAME, DIFFERENT) if log10_lr > 0 else (DIFFERENT, SAME)
    return (
        f"the findings provide {grade} support for the proposition that the recordings {first}, "
        f"relative to the proposition that they {second}"
    )


def verbal_grade(log10_lr: float) -> str | None:
    """Name the grade of support.

    Parameters
    ----------
    log10_lr : float
        Logarithm to base 10 of the likelihood ratio.

    Returns
    -------
    str or None
        None where neither proposition is supported: a ratio between 1/2 and 2.

    Examples
    --------
    >>> verbal_grade(-2.5), verbal_grade(0.2)
    ('moderately strong', None)
    """
    ratio = abs(log10_lr)
    # A ratio of 10 is one of 10, whatever its logarithm was rounded to.
    reached = [grade for least, grade in SCALE if ratio >= np.log10(least) - 1e-9]
    return reached[-1] if reached else None
