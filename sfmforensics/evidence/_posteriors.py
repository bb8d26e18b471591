"""Probabilities that mean what they say, and answers that are withheld."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import t as student
from sklearn.utils import check_consistent_length

from sfmforensics.exceptions import ParameterError, TargetError
from sfmforensics.metrics._trials import checked_labels, checked_scores
from sfmforensics.targets._columns import label_codes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sfmforensics._types import Column, FloatArray

COLDEST, HOTTEST = 0.05, 20.0
LEVELS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Of confidence, at which it is tried to answer."""

DOUBT = 0.1
"""How often a level may be taken by chance."""


def temperature(
    probabilities: FloatArray, truth: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Find the temperature that makes probabilities most probable.

    References
    ----------
    .. [1] Guo, C., Pleiss, G., Sun, Y., Weinberger, K. Q. On calibration of modern neural networks.
       ICML 2017.

    Examples
    --------
    >>> says = np.array([[0.9, 0.1]] * 10)  # but six of ten are right
    >>> found = temperature(says, [0] * 6 + [1] * 4)
    >>> scale(says[:1], found).round(3)
    array([[0.6, 0.4]])
    """
    truth = np.asarray(truth)
    known = truth >= 0
    if not known.any():
        raise TargetError(
            "no recording to calibrate by is of a class that the model knows; calibrate with "
            "recordings that are labelled as those in training"
        )
    logs, truth = _logs(probabilities[known]), truth[known]
    weights = np.ones(len(truth)) if weights is None else np.asarray(weights, dtype=float)[known]

    def cost(log_temperature: float) -> float:
        posteriors = log_softmax(logs / np.exp(log_temperature), axis=1)
        return float(-np.average(posteriors[np.arange(len(truth)), truth], weights=weights))

    ends = np.log(COLDEST), np.log(HOTTEST)
    return float(np.exp(minimize_scalar(cost, bounds=ends, method="bounded").x))


def scale(probabilities: FloatArray, temperature: float) -> FloatArray:
    """Make probabilities less sure (a temperature above 1) or more.

    Examples
    --------
    >>> scale(np.array([[0.8, 0.2]]), 2.0).round(3)
    array([[0.667, 0.333]])
    """
    return np.asarray(softmax(_logs(probabilities) / temperature, axis=1))


def least_confidence(
    correct: ArrayLike, confidence: ArrayLike, risk: float, speakers: Column | None = None
) -> float:
    r"""Find from which confidence on answers are wrong no more often than a risk that is taken.

    Notes
    -----
    Each speaker k counts alike: a share :math:`A_k` of the recordings is answered at a level, and a
    share :math:`W_k` wrong. The level is taken if both

    .. math:: \hat r + t_{K-1} \frac{s(W - \hat r A)}{\sqrt K \, \bar A} \le \text{risk},
              \qquad \hat r = \frac{\sum W_k}{\sum A_k}

    and the same with one speaker more, all of whose answers are wrong: few speakers prove little.
    The quantile t is that of 90 %, shared among the eight levels that are tried, lest the best of
    them be best by chance. It is an approximation for tens of speakers, not a guarantee. Where
    confidence says nothing about strangers, nothing is answered.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> confidence = rng.uniform(0.5, 1, 400)
    >>> correct = rng.uniform(size=400) < confidence
    >>> speakers = np.arange(400) // 8
    >>> [least_confidence(correct, confidence, risk, speakers) for risk in (0.3, 0.2, 0.05)]
    [0.0, 0.7, inf]
    """
    if not 0 <= risk <= 1:
        raise ParameterError(f"the risk is {risk}; use a share between 0 and 1")
    if risk == 1:
        return 0.0
    correct = checked_labels(correct, "correct")
    confidence = checked_scores(confidence, "confidences")
    who = np.arange(len(correct)) if speakers is None else label_codes(speakers)[0]
    check_consistent_length(correct, confidence, who)
    counts = np.bincount(who)
    if len(counts) < 2:
        return float("inf")
    quantile = student.ppf(1 - DOUBT / len(LEVELS), len(counts) - 1)
    for level in LEVELS:
        sure = confidence >= level
        answered, wrong = (np.bincount(who, part) / counts for part in (sure, sure & ~correct))
        if not answered.any():
            continue
        rate = wrong.sum() / answered.sum()
        spread = (wrong - rate * answered).std(ddof=1) / np.sqrt(len(counts)) / answered.mean()
        one_more = (wrong.sum() + 1) / (answered.sum() + 1)
        if max(rate + quantile * spread, one_more) <= risk:
            return level
    return float("inf")


def _logs(probabilities: FloatArray) -> FloatArray:
    return np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
