"""Probabilities that mean what they say, and answers that are withheld."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from sfmforensics.exceptions import ParameterError, TargetError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sfmforensics._types import FloatArray

COLDEST, HOTTEST = 0.05, 20.0


def temperature(
    probabilities: FloatArray, truth: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Find the temperature that makes probabilities most probable.

    Parameters
    ----------
    probabilities : ndarray of shape (n_recordings, n_classes)
        What a model says of recordings from which it has not learnt.
    truth : array-like of shape (n_recordings,), int
        Column of the true class; recordings of a class that it does not know, -1, do not count.
    weights : array-like of shape (n_recordings,) or None, default=None
        How much each counts.

    Returns
    -------
    float
        Above 1 for a model that is too sure, below for one that is not sure enough; between 0.05
        and 20.

    Raises
    ------
    TargetError
        No recording is of a class that the model knows.

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
        told = log_softmax(logs / np.exp(log_temperature), axis=1)
        return float(-np.average(told[np.arange(len(truth)), truth], weights=weights))

    ends = np.log(COLDEST), np.log(HOTTEST)
    return float(np.exp(minimize_scalar(cost, bounds=ends, method="bounded").x))


def scale(probabilities: FloatArray, temperature: float) -> FloatArray:
    """Make probabilities less sure (a temperature above 1) or more.

    Parameters
    ----------
    probabilities : ndarray of shape (n_recordings, n_classes)
        Of each class.
    temperature : float
        Above 0.

    Returns
    -------
    ndarray of shape (n_recordings, n_classes)
        The order of the classes is what it was.

    Examples
    --------
    >>> scale(np.array([[0.8, 0.2]]), 2.0).round(3)
    array([[0.667, 0.333]])
    """
    return np.asarray(softmax(_logs(probabilities) / temperature, axis=1))


def least_confidence(
    correct: ArrayLike, confidence: ArrayLike, risk: float, weights: ArrayLike | None = None
) -> float:
    """Find from which confidence on answers are wrong no more often than a risk that is taken.

    Parameters
    ----------
    correct : array-like of shape (n_recordings,), bool
        Whether the model's answer was right, of recordings from which it has not learnt.
    confidence : array-like of shape (n_recordings,)
        How sure it was.
    risk : float
        Share of the answers that may be wrong, between 0 and 1.
    weights : array-like of shape (n_recordings,) or None, default=None
        How much each counts.

    Returns
    -------
    float
        The least confidence at or above which the share of wrong answers is within the risk.
        Infinite where none is: then every answer is inconclusive. Minus infinity for a risk of 1,
        which lets every answer pass.

    Raises
    ------
    ParameterError
        The risk is not between 0 and 1.

    Notes
    -----
    One recording more, and wrong, is counted among the answers, so that a few right ones prove
    nothing. It is an estimate by the recordings given, not a guarantee.

    Examples
    --------
    >>> correct = np.arange(100) >= 40  # the surer, the better
    >>> least_confidence(correct, np.arange(100) / 100, 0.05)
    0.38
    >>> least_confidence([False], [0.9], 0.05)
    inf
    """
    if not 0 <= risk <= 1:
        raise ParameterError(f"the risk is {risk}; use a share between 0 and 1")
    if risk == 1:
        return -float("inf")
    correct, confidence = np.asarray(correct, dtype=bool), np.asarray(confidence, dtype=float)
    weights = np.ones(len(correct)) if weights is None else np.asarray(weights, dtype=float)
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    wrong = np.cumsum(np.where(correct, 0, weights)[order])
    answered = np.cumsum(weights[order])
    one = weights.mean() if len(weights) else 1.0
    within = (wrong + one) / (answered + one) <= risk
    ends = np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)]
    places = np.flatnonzero(within & ends)
    return float(ranked[places[-1]]) if len(places) else float("inf")


def _logs(probabilities: FloatArray) -> FloatArray:
    return np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
