"""How good likelihood ratios are, and the scores that they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import expit, xlogy
from sklearn.isotonic import IsotonicRegression

from sfmforensics.exceptions import ParameterError
from sfmforensics.metrics._trials import checked_trials
from sfmforensics.metrics._verification import counts_by_score
from sfmforensics.metrics._weights import one_or_many, totals

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike

    from sfmforensics._types import BoolArray, FloatArray
    from sfmforensics.metrics._classification import Weights
    from sfmforensics.metrics._weights import Rows

_BITS = np.log2(10)


def cllr(log10_lr: ArrayLike, same: ArrayLike, sample_weight: Weights = None) -> Any:
    r"""Cost of log likelihood ratios, Cllr, in bits.

    Parameters
    ----------
    log10_lr : array-like of shape (n_trials,)
        Logarithm to base 10 of each likelihood ratio; infinite ones are allowed.
    same : array-like of shape (n_trials,), bool
        Whether both sides are one speaker; the numbers 1 and 0 will do.
    sample_weight : array-like of shape (n_trials,) or (n_resamples, n_trials), or None
        How often each trial counts; one row for each resample.

    Returns
    -------
    float, or ndarray of shape (n_resamples,)
        0 for perfect ones, 1 for those that say nothing (all 1), more than 1 for those that
        mislead; infinite where an infinite one is wrong. NaN where there are no trials of one kind.

    Raises
    ------
    ParameterError
        The lengths differ, a ratio is not a number, a label is missing or neither true nor false
        (such as -1, or "target"), or a weight is negative or not finite.

    Notes
    -----
    .. math:: C_{llr} = \frac12 \left( \frac1{N_s} \sum_{s} \log_2 (1 + \frac1{LR_s})
              + \frac1{N_d} \sum_{d} \log_2 (1 + LR_d) \right)

    References
    ----------
    .. [1] Brümmer, N., du Preez, J. Application-independent evaluation of speaker detection.
       Computer Speech & Language 20 (2006), 230-275.

    Examples
    --------
    >>> cllr([0, 0], [True, False])
    1.0
    >>> round(cllr([2, 1, -1, -2], [True, True, False, False]), 4)  # by hand: (0.0144 + 0.1375) / 2
    0.0759
    """
    sums = totals(_cost_rows, log10_lr, same, weights=sample_weight)
    costs, infinite, counts = sums[..., :2], sums[..., 2:4], sums[..., 4:]
    with np.errstate(invalid="ignore", divide="ignore"):
        costs = np.where((infinite > 0) & (counts > 0), np.inf, costs / counts)
    return one_or_many(costs.sum(axis=-1) / 2)


def cllr_min(scores: ArrayLike, same: ArrayLike, sample_weight: Weights = None) -> Any:
    """Cllr that the best possible calibration of these scores would have.

    Parameters
    ----------
    scores : array-like of shape (n_trials,)
        Likelihood ratios, their logarithms or any scores: the higher, the more alike.
    same, sample_weight
        As for `cllr`.

    Returns
    -------
    float, or ndarray of shape (n_resamples,)
        Between 0 and 1: what is lost because scores cannot tell speakers apart. NaN where there are
        no trials of one kind.

    Raises
    ------
    ParameterError
        As for `cllr`.

    Notes
    -----
    Calibrated on the very trials that it judges, by pooling adjacent violators: no calibration that
    keeps the order of the scores does better, and none made beforehand as well.

    Examples
    --------
    >>> cllr_min([5, 4, 3, 2], [True, True, False, False])
    0.0
    """
    counts = counts_by_score(scores, same, sample_weight)
    costs = [_least_cost(*kinds) for kinds in zip(*map(np.atleast_2d, counts), strict=True)]
    return one_or_many(costs[0] if counts[0].ndim == 1 else costs)


def cllr_cal(log10_lr: ArrayLike, same: ArrayLike, sample_weight: Weights = None) -> Any:
    """Cllr that is lost by calibration: `cllr` less `cllr_min`.

    Parameters
    ----------
    log10_lr, same, sample_weight
        As for `cllr`.

    Returns
    -------
    float, or ndarray of shape (n_resamples,)
        At least 0.

    Raises
    ------
    ParameterError
        As for `cllr`.

    Examples
    --------
    >>> round(cllr_cal([1, 1, 1, -1], [True, True, False, False]), 3)  # 0.968 - 0.689
    0.279
    """
    return cllr(log10_lr, same, sample_weight) - cllr_min(log10_lr, same, sample_weight)


def pav_log10_lr(
    scores: ArrayLike, same: ArrayLike, sample_weight: ArrayLike | None = None
) -> FloatArray:
    """Likelihood ratios by pooling adjacent violators.

    Parameters
    ----------
    scores : array-like of shape (n_trials,)
        The higher, the more alike.
    same, sample_weight
        As for `cllr`.

    Returns
    -------
    ndarray of shape (n_trials,)
        Logarithms to base 10, in the order of the scores, equal for equal ones. Infinite at both
        ends, where all trials are of one kind. NaN where there are no trials of one kind at all.

    Raises
    ------
    ParameterError
        As for `cllr`.

    Examples
    --------
    >>> pav_log10_lr([4, 3, 2, 1], [True, False, True, False])
    array([ inf,   0.,   0., -inf])
    """
    values, same, weights = checked_trials(scores, same, sample_weight)
    kinds = [weights[same].sum(), weights[~same].sum()]
    if not all(kinds):
        return np.full(len(values), np.nan)
    # Infinite scores stay in their place; the fit asks for the order alone.
    ranks = np.unique(values, return_inverse=True)[1].astype(np.float64)
    balanced = weights / np.where(same, *kinds)
    # The fit leaves trials of weight 0 out, which may lie beyond all others.
    regression = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    probabilities = regression.fit(ranks, same.astype(np.float64), balanced).predict(ranks)
    probabilities = _pools(probabilities)
    with np.errstate(divide="ignore"):
        return np.log10(probabilities) - np.log10(1 - probabilities)


def detection_errors(
    scores: ArrayLike, same: ArrayLike, sample_weight: ArrayLike | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Both kinds of error at every threshold, as a DET curve has them.

    Parameters
    ----------
    scores : array-like of shape (n_trials,)
        The higher, the more alike.
    same, sample_weight
        As for `cllr`.

    Returns
    -------
    thresholds : ndarray of shape (n_thresholds,)
        Falling, the first infinite; scores at or above one are accepted.
    false_acceptances, misses : ndarray of shape (n_thresholds,)
        Share of the false claims that are accepted, and of the true ones that are rejected.

    Raises
    ------
    ParameterError
        As for `cllr`.

    Examples
    --------
    >>> detection_errors([3, 2, 1], [True, False, True])
    (array([inf,  3.,  2.,  1.]), array([0., 0., 1., 1.]), array([1. , 0.5, 0.5, 0. ]))
    """
    values, same, weights = checked_trials(scores, same, sample_weight)
    order = np.argsort(-values, kind="stable")
    values, same, weights = values[order], same[order], weights[order]
    ends = np.flatnonzero(np.append(values[1:] != values[:-1], True)[: len(values)])
    accepted = [
        np.append(0.0, np.cumsum(np.where(kind, weights, 0))[ends]) for kind in (same, ~same)
    ]
    with np.errstate(invalid="ignore", divide="ignore"):
        hits, false = (counts / counts[-1] for counts in accepted)
    return np.append(np.inf, values[ends]), false, 1 - hits


def min_dcf(
    scores: ArrayLike,
    same: ArrayLike,
    *,
    p_target: float = 0.01,
    c_miss: float = 1.0,
    c_fa: float = 1.0,
    sample_weight: Weights = None,
) -> Any:
    """Least detection cost over all thresholds, as a share of what is had without any scores.

    Parameters
    ----------
    scores : array-like of shape (n_trials,)
        The higher, the more alike.
    same : array-like of shape (n_trials,), bool
        Whether both sides are one speaker.
    p_target : float, default=0.01
        Prior probability of a true claim.
    c_miss, c_fa : float, default=1
        Cost of a true claim that is rejected, and of a false one that is accepted.
    sample_weight : array-like of shape (n_trials,) or (n_resamples, n_trials), or None
        How often each trial counts; one row for each resample.

    Returns
    -------
    float, or ndarray of shape (n_resamples,)
        Between 0 and 1. NaN where there are no trials of one kind.

    Raises
    ------
    ParameterError
        The prior is not between 0 and 1, or a cost is not positive; or as for `cllr`.

    References
    ----------
    .. [1] NIST 2016 Speaker Recognition Evaluation Plan, section 3.1; its prior of 0.01.

    Examples
    --------
    >>> min_dcf([3, 2, 1], [True, False, True], p_target=0.5)
    0.5
    """
    if not 0 < p_target < 1 or c_miss <= 0 or c_fa <= 0:
        raise ParameterError(
            f"p_target is {p_target}, c_miss {c_miss} and c_fa {c_fa}; use a prior between 0 and 1 "
            "and costs above 0"
        )
    true, false = counts_by_score(scores, same, sample_weight)
    miss, accept = c_miss * p_target, c_fa * (1 - p_target)
    with np.errstate(invalid="ignore", divide="ignore"):
        missed, rejected = (
            np.cumsum(counts, axis=-1) / counts.sum(axis=-1, keepdims=True)
            for counts in (true, false)
        )
    # Rejecting all or accepting all costs 1, whichever is the cheaper.
    costs = (miss * missed + accept * (1 - rejected)) / min(miss, accept)
    least = np.minimum(costs.min(axis=-1, initial=np.inf), 1)
    known = (true.sum(axis=-1) > 0) & (false.sum(axis=-1) > 0)
    return one_or_many(np.where(known, least, np.nan))


def empirical_cross_entropy(
    log10_lr: ArrayLike,
    same: ArrayLike,
    log10_prior_odds: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
) -> FloatArray:
    """Uncertainty that is left after the evidence, in bits, for each prior.

    Parameters
    ----------
    log10_lr, same, sample_weight
        As for `cllr`.
    log10_prior_odds : float or array-like of shape (n_priors,), default=0
        Logarithm to base 10 of the prior odds that both sides are one speaker.

    Returns
    -------
    ndarray of the shape of `log10_prior_odds`
        At odds of 1 it is `cllr`. Likelihood ratios of 1 leave the entropy of the prior.

    Raises
    ------
    ParameterError
        As for `cllr`.

    References
    ----------
    .. [1] Ramos, D., Gonzalez-Rodriguez, J. Reliable support: measuring calibration of likelihood
       ratios. Forensic Science International 230 (2013), 156-169.

    Examples
    --------
    >>> empirical_cross_entropy([0, 0], [True, False], [0, 1]).round(3)
    array([1.   , 0.439])
    """
    values, same, weights = checked_trials(log10_lr, same, sample_weight)
    odds = np.asarray(log10_prior_odds, dtype=np.float64)
    entropies = []
    for prior in odds.ravel():
        probability = expit(prior * np.log(10))
        share = np.where(same, probability, 1 - probability)
        against = np.where(same, -(values + prior), values + prior)
        costs = np.logaddexp2(0, against * _BITS)
        # Of a prior that leaves nothing open, nothing counts.
        costs = np.multiply(2 * share, costs, where=share > 0, out=np.zeros(len(costs)))
        entropies.append(_mean_of_both(costs, same, weights))
    return np.asarray(entropies).reshape(odds.shape)


def _cost_rows(log10_lr: ArrayLike, same: ArrayLike) -> Rows:
    """What each trial costs, that it costs infinitely much, and that it is there: by its kind."""
    values, same, _ = checked_trials(log10_lr, same)
    # Against the truth by so much: log2(1 + 10^against).
    costs = np.logaddexp2(0, np.where(same, -values, values) * _BITS)
    infinite = np.isinf(costs)
    kinds = np.column_stack([same, ~same])
    columns = np.column_stack([np.where(infinite, 0, costs), infinite, np.ones(len(costs))])
    return (columns[:, :, None] * kinds[:, None]).reshape(len(costs), 6), slice(None)


def _least_cost(same: FloatArray, different: FloatArray) -> float:
    """Cllr after pooling adjacent violators, of counts by rising score."""
    if not (same.sum() and different.sum()):
        return float("nan")
    same, different = same / same.sum(), different / different.sum()
    there = same + different > 0
    same, different = same[there], different[there]
    pooled = _pools(isotonic_regression(same / (same + different), weights=same + different).x)
    cost = xlogy(same, pooled) + xlogy(different, 1 - pooled)
    return max(0.0, float(-cost.sum() / np.log(4)))


def _pools(shares: FloatArray) -> FloatArray:
    """Shares of pools; of one kind they are 0 or 1, but for rounding."""
    return np.where(shares < 1e-12, 0, np.where(shares > 1 - 1e-12, 1, shares))


def _mean_of_both(costs: FloatArray, same: BoolArray, weights: FloatArray) -> float:
    """Mean of the two kinds' means, so that it does not matter how many there are of each."""
    counted = [kind & (weights > 0) for kind in (same, ~same)]
    if not all(kind.any() for kind in counted):
        return float("nan")
    return float(sum(np.average(costs[kind], weights=weights[kind]) for kind in counted) / 2)
