"""What a likelihood ratio is called in words."""

from __future__ import annotations

import numpy as np

from sfmforensics.exceptions import ParameterError

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

MINUS = "\N{MINUS SIGN}"
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

    Raises
    ------
    ParameterError
        It is not a number.

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

    Raises
    ------
    ParameterError
        It is not a number.

    Examples
    --------
    >>> verbal_grade(-2.5), verbal_grade(0.2)
    ('moderately strong', None)
    """
    ratio = abs(log10_lr)
    if np.isnan(ratio):
        raise ParameterError(
            "the likelihood ratio is not a number, so no finding; see where it comes from"
        )
    # A ratio of 10 is one of 10, whatever its logarithm was rounded to.
    reached = [grade for least, grade in SCALE if ratio >= np.log10(least) - 1e-9]
    return reached[-1] if reached else None


def plain_sentences(log10_lr: float) -> str:
    """Say in two sentences what a likelihood ratio means, and what it does not.

    Parameters
    ----------
    log10_lr : float
        Logarithm to base 10 of the likelihood ratio.

    Returns
    -------
    str

    Examples
    --------
    >>> print(plain_sentences(-1.0))
    What was found is 10 times as probable if the recordings are of different speakers, of people
    like those in the calibration data, as it is if they are of the same speaker. How probable it is
    that the speaker is the same depends on all other evidence as well, and is not for this
    comparison to say.
    """
    ratio = number_of_times(log10_lr)
    people = ", of people like those in the calibration data,"
    first, second = (
        (SAME, f"{DIFFERENT}{people[:-1]}") if log10_lr > 0 else (f"{DIFFERENT}{people}", SAME)
    )
    return (
        f"What was found is {ratio} times as probable if the recordings {first} as it is if they "
        f"{second}. How probable it is that the speaker is the same depends on all other evidence "
        "as well, and is not for this comparison to say."
    )


def number_of_times(log10_lr: float) -> str:
    """Write how many times as probable, with no more digits than the ratio deserves.

    Parameters
    ----------
    log10_lr : float
        Logarithm to base 10 of the likelihood ratio; its sign does not count.

    Returns
    -------
    str
        Two digits, of the grade of the ratio; of a ratio beyond 10^15 the power.

    Examples
    --------
    >>> number_of_times(-1.37), number_of_times(0.2), number_of_times(4.0)
    ('23', '1.6', '10,000')
    """
    power = abs(log10_lr)
    if power > 15:
        return f"10^{power:.0f}" if np.isfinite(power) else "infinitely many"
    ratio = float(f"{10**power:.12g}")
    step = 10.0 ** (np.floor(np.log10(ratio) + 1e-12) - 1)
    shown = np.round(ratio / step) * step
    if verbal_grade(np.log10(shown)) != verbal_grade(power):
        shown -= step  # or the number would be of a higher grade than the ratio
    return f"{shown:,.1f}" if shown < 9.95 else f"{shown:,.0f}"


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
