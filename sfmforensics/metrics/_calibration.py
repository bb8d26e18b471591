"""Whether a model is as sure as it is right, and what is gained where it may refuse to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics.exceptions import ParameterError, TargetError, shown
from sfmforensics.metrics._classification import known_labels
from sfmforensics.metrics._trials import checked_labels, checked_scores

if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    from numpy.typing import ArrayLike

    from sfmforensics._types import BoolArray, Column, FloatArray, IntArray

    Strategy: TypeAlias = Literal["uniform", "quantile"]


def brier_score(y_true: Column, probabilities: ArrayLike, classes: Column) -> float:
    r"""Mean squared distance of the probabilities from the truth, over all classes.

    Parameters
    ----------
    y_true : array-like of shape (n_recordings,)
        Labels; rows where they are missing (None, NaN, NA) do not count.
    probabilities : array-like of shape (n_recordings, n_classes)
        Of each class, 0 to 1, as `predict_proba` gives them.
    classes : array-like of shape (n_classes,)
        Labels that the columns stand for.

    Returns
    -------
    float
        0 where all are sure and right, 2 where all are sure and wrong; NaN where no label is known.

    Raises
    ------
    TargetError
        Labels are text and classes are not, or the other way round; or a class has no name.
    ParameterError
        The probabilities are not of that shape, or are none, or one is missing.

    Notes
    -----
    .. math:: \frac1n \sum_{i=1}^n \sum_k (p_{ik} - [y_i = k])^2

    Of two classes it is twice what scikit-learn's `brier_score_loss` gives for one of them. A label
    that is none of the classes counts as one of probability 0.

    References
    ----------
    .. [1] Brier, G. W. Verification of forecasts expressed in terms of probability. Monthly Weather
       Review 78 (1950), 1-3.

    Examples
    --------
    >>> probabilities = [[0.8, 0.2], [0.5, 0.5], [0.1, 0.9]]
    >>> brier_score(["f", "m", None], probabilities, ["f", "m"])  # (0.04 + 0.04 + 0.25 + 0.25) / 2
    0.29
    """
    codes, rows = _known(y_true, probabilities, classes)
    if not len(codes):
        return float("nan")
    truth = (codes[:, None] == np.arange(rows.shape[1])).astype(np.float64)
    return float((((rows - truth) ** 2).sum(axis=1) + (codes < 0)).mean())


def expected_calibration_error(
    y_true: Column, probabilities: ArrayLike, classes: Column, n_bins: int = 15
) -> float:
    r"""Mean gap between how sure the answers are and how often they are right.

    Parameters
    ----------
    y_true, probabilities, classes
        As for `brier_score`, with the same errors.
    n_bins : int, default=15
        Bins of equal width between 0 and 1.

    Returns
    -------
    float
        Between 0 and 1; NaN where no label is known.

    Notes
    -----
    .. math:: \sum_b \frac{n_b}{n} | \mathrm{accuracy}_b - \mathrm{confidence}_b |

    The answer is the likeliest class, and its probability the confidence. A bin includes its upper
    edge. Its common short name, ECE, is also that of the empirical cross-entropy of likelihood
    ratios (`empirical_cross_entropy`), which is another thing. Depends on the number of bins, and
    is too high where there are few recordings: compare it only at equal numbers of both.

    References
    ----------
    .. [1] Guo, C., Pleiss, G., Sun, Y., Weinberger, K. Q. On calibration of modern neural networks.
       ICML 2017, equation 3.

    Examples
    --------
    >>> probabilities = [[0.9, 0.1], [0.9, 0.1], [0.3, 0.7]]
    >>> error = expected_calibration_error(["f", "m", "m"], probabilities, ["f", "m"])
    >>> round(error, 4)  # by hand: 2/3 * |1/2 - 0.9| + 1/3 * |1 - 0.7|
    0.3667
    """
    return error_of_bins(calibration_bins(y_true, probabilities, classes, n_bins))


def calibration_bins(
    y_true: Column,
    probabilities: ArrayLike,
    classes: Column,
    n_bins: int = 10,
    strategy: Strategy = "uniform",
    weights: ArrayLike | None = None,
) -> pd.DataFrame:
    """Confidence and accuracy of the likeliest class, by bins of the confidence.

    Parameters
    ----------
    y_true, probabilities, classes
        As for `brier_score`.
    n_bins : int, default=10
        Most bins.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width between 0 and 1, or with about as many recordings each; equal
        confidences stay together.
    weights : array-like of shape (n_recordings,) or None, default=None
        How much each recording counts; None for all alike.

    Returns
    -------
    DataFrame of shape (n_filled_bins, 5 or 6)
        ``low`` and ``high`` (edges of the bin; of equally full ones its least and greatest
        confidence), ``n`` (recordings), ``confidence`` and ``accuracy`` (means, 0 to 1), and
        ``weight`` (their sum, if there are any). Bins without a recording are left out.

    Raises
    ------
    ParameterError
        `n_bins` is less than 1 or `strategy` unknown, or as for `brier_score`.
    TargetError
        As for `brier_score`.

    Examples
    --------
    >>> probabilities = [[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]]
    >>> calibration_bins(["f", "m", "m"], probabilities, ["f", "m"], n_bins=2)
       low  high  n  confidence  accuracy
    0  0.5   1.0  3         0.8  0.666667
    """
    if n_bins < 1 or strategy not in ("uniform", "quantile"):
        raise ParameterError(
            f"n_bins is {shown(n_bins)} and strategy {shown(strategy)}; use at least 1 bin, and "
            '"uniform" or "quantile"'
        )
    codes, rows = _known(y_true, probabilities, classes)
    best = rows.argmax(axis=1) if len(rows) else codes
    confidence = rows[np.arange(len(rows)), best]
    if strategy == "uniform":
        edges = np.linspace(0, 1, n_bins + 1)
        place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, n_bins - 1)
    else:
        rank = pd.Series(confidence).rank(method="average").to_numpy() - 0.5
        place = (rank * n_bins // max(len(rank), 1)).astype(int)
    recordings = pd.DataFrame({"place": place, "confidence": confidence, "right": codes == best})
    if weights is not None:
        recordings["weight"] = _weights(weights, len(y_true))[pd.Series(y_true).notna().to_numpy()]
        recordings["sure"] = recordings["weight"] * recordings["confidence"]
        recordings["right"] = recordings["weight"] * recordings["right"]
    bins = recordings.groupby("place").agg(
        low=("confidence", "min"),
        high=("confidence", "max"),
        n=("right", "size"),
        confidence=("confidence", "mean"),
        accuracy=("right", "mean"),
    )
    if weights is not None:
        sums = recordings.groupby("place")[["weight", "sure", "right"]].sum()
        bins["confidence"] = sums["sure"] / sums["weight"]
        bins["accuracy"] = sums["right"] / sums["weight"]
        bins["weight"] = sums["weight"]
    if strategy == "uniform":
        bins = bins.assign(low=edges[bins.index], high=edges[bins.index + 1])
    return bins.reset_index(drop=True)


def error_of_bins(bins: pd.DataFrame) -> float:
    """Give the expected calibration error of bins of `calibration_bins`; NaN of none."""
    if not len(bins):
        return float("nan")
    gaps = (bins["accuracy"] - bins["confidence"]).abs()
    return float(np.average(gaps, weights=bins["weight" if "weight" in bins else "n"]))


def risk_coverage(
    correct: ArrayLike, confidence: ArrayLike, weights: ArrayLike | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Share of errors among the answers, against the share of recordings that are answered.

    Parameters
    ----------
    correct : array-like of shape (n_recordings,), bool
        Whether the answer is right.
    confidence : array-like of shape (n_recordings,)
        How sure it is, on any scale: the higher, the surer.
    weights : array-like of shape (n_recordings,) or None, default=None
        How much each recording counts; None for all alike.

    Returns
    -------
    coverage : ndarray of shape (n_thresholds,)
        Share that is answered, rising to 1.
    risk : ndarray of shape (n_thresholds,)
        Share of those answers that is wrong.
    thresholds : ndarray of shape (n_thresholds,)
        Falling: answered is what is at least so sure, the rest is inconclusive. Equal confidences
        are answered together.

    Raises
    ------
    ParameterError
        The lengths differ, `correct` is missing or neither true nor false, or a confidence is not
        a number.

    References
    ----------
    .. [1] Geifman, Y., El-Yaniv, R. Selective classification for deep neural networks.
       NeurIPS 2017.

    Examples
    --------
    >>> coverage, risk, thresholds = risk_coverage([True, False, True, True], [0.9, 0.6, 0.8, 0.6])
    >>> coverage, risk, thresholds
    (array([0.25, 0.5 , 1.  ]), array([0.  , 0.  , 0.25]), array([0.9, 0.8, 0.6]))
    """
    right, sure = checked_labels(correct, "correct"), checked_scores(confidence, "confidences")
    if len(right) != len(sure):
        raise ParameterError(
            f"correct has the shape {right.shape} and confidence {sure.shape}; give one of each "
            "for each recording"
        )
    levels, level = np.unique(-sure, return_inverse=True)
    share = np.ones(len(sure)) if weights is None else _weights(weights, len(sure))
    answered = np.bincount(level, share, minlength=len(levels)).cumsum()
    wrong = np.bincount(level, share * (1.0 - right.astype(np.float64)), minlength=len(levels))
    # -0.0 would be shown as such.
    return answered / max(answered[-1:].sum(), 1e-300), wrong.cumsum() / answered, 0.0 - levels


def area_under_risk(coverage: FloatArray, risk: FloatArray) -> float:
    """Area under the steps of `risk_coverage`: the risk, averaged over all coverages."""
    return float(np.sum(np.diff(coverage, prepend=0.0) * risk)) if len(risk) else float("nan")


def _weights(weights: ArrayLike, n: int) -> FloatArray:
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != (n,) or not np.isfinite(values).all() or not (values > 0).all():
        raise ParameterError(
            f"weights have the shape {values.shape}; give one for each of {n} recordings, finite "
            "and above 0"
        )
    return values


def _known(
    y_true: Column, probabilities: ArrayLike, classes: Column
) -> tuple[IntArray, FloatArray]:
    """Places of the true labels among the classes, -1 for none, and probabilities, where known."""
    rows = np.asarray(probabilities, dtype=np.float64)
    labels = pd.Index(pd.Series(classes).astype(object))
    if rows.shape != (len(y_true), len(labels)):
        raise ParameterError(
            f"probabilities have the shape {rows.shape}; {len(y_true)} labels and {len(labels)} "
            f"classes need {(len(y_true), len(labels))}"
        )
    if labels.hasnans:
        raise TargetError(
            f"class {int(np.argmax(labels.isna()))}, counted from 0, has no name; name the class "
            "of each column of the probabilities"
        )
    if not labels.is_unique:
        raise TargetError(f"classes name {shown(labels[labels.duplicated()][0])} twice")
    if len(labels):
        # Text and numbers never agree, which it refuses.
        known_labels(y_true, np.resize(labels.to_numpy(), len(rows)))
    true = pd.Series(y_true).astype(object).to_numpy()
    known: BoolArray = ~pd.isna(true)
    rows = rows[known]
    sums = rows.sum(axis=1)
    # A sum is off by the rounding of its terms, which may be of half precision.
    # What is missing is neither.
    bad = ~((rows >= 0) & (rows <= 1 + 1e-6)).all(axis=1) | ~(abs(sums - 1) < 1e-2)
    if bad.any():
        raise ParameterError(
            f"{int(bad.sum())} of {len(rows)} recordings have probabilities outside 0 to 1, or "
            "that do not sum to 1; give those of predict_proba"
        )
    return labels.get_indexer(true[known]), rows
