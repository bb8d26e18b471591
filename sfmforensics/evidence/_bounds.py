"""How far likelihood ratios may go that so many comparisons support."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sfmforensics._types import BoolArray, FloatArray, IntArray

_ELUB_STEP = 0.01
_ELUB_EXTREME = 9.0
_IV_STEP = 0.001
_IV_EXTREME = 20.0


def elub(log10_lrs: FloatArray, same: BoolArray) -> tuple[float, float]:
    r"""Give the empirical lower and upper bound (ELUB) of likelihood ratios.

    Notes
    -----
    A decision by these ratios at a threshold :math:`t` costs

    .. math:: 1 - P(LR > t | \text{same}) + t \, P(LR > t | \text{different})

    with one misleading comparison more of each kind, and one without them costs
    :math:`\min(1, t)`. The bounds are the thresholds nearest to 1 beyond which the ratios cost
    more than knowing nothing [1]_. Of n comparisons of two, none of which misleads, the upper one
    is about n + 1. `lir` of the Netherlands Forensic Institute gives the same; it is not needed
    for that, since it brings a gigabyte of other packages.

    References
    ----------
    .. [1] Vergeer, P., van Es, A., de Jongh, A., Alberink, I., Stoel, R. Numerical likelihood
       ratios outputted by LR systems are often based on extrapolation: when to stop extrapolating?
       Science & Justice 56 (2016), 482-491.

    Examples
    --------
    >>> lower, upper = elub(np.repeat([3.0, -3.0], [19, 171]), np.arange(190) < 19)
    >>> round(10**-lower, 1), round(10**upper, 1)
    (19.5, 162.2)
    """
    ratios = np.clip(log10_lrs, -_ELUB_EXTREME, _ELUB_EXTREME)
    least = max(ratios.min(), -np.log10(same.sum() + 1))
    most = min(ratios.max(), np.log10((~same).sum() + 1))
    first = min(0, int(least // _ELUB_STEP))
    last = max(0, int(most // _ELUB_STEP) + 1)
    thresholds = np.linspace(first * _ELUB_STEP, last * _ELUB_STEP, last - first + 1)
    cost = (
        1
        - _above(ratios[same], thresholds) / (same.sum() + 1)
        + 10**thresholds * (_above(ratios[~same], thresholds) + 1) / ((~same).sum() + 1)
    )
    worse = cost > np.minimum(1, 10**thresholds)
    lower = np.max(thresholds[worse & (thresholds <= 0)] + _ELUB_STEP, initial=thresholds[0])
    upper = np.min(thresholds[worse & (thresholds >= 0)] - _ELUB_STEP, initial=thresholds[-1])
    return min(float(lower), 0.0), max(float(upper), 0.0)


def invariance_bounds(log10_lrs: FloatArray, same: BoolArray) -> tuple[float, float]:
    r"""Give the bounds of likelihood ratios by invariance verification (IV).

    Notes
    -----
    A ratio of :math:`t` or more should be :math:`t` times as frequent, at least, where both sides
    are of one speaker. The bounds are where that ceases to be so [1]_, with Jeffreys' prior,
    half a comparison more on either side of the threshold:

    .. math:: \Delta_{high}(t) = \log_{10} P(LR \ge t | \text{same})
              - \log_{10} P(LR \ge t | \text{different}) - \log_{10} t

    and so below. Where it ceases nowhere, it is the highest ratio of one speaker, and the lowest
    of two. `lir` gives the same, but for where no ratio at all is supported: that is 1 here.

    References
    ----------
    .. [1] Alberink, I., Leegwater, J., Malmborg, J., Nordgaard, A., Sjerps, M., van der Ham, L.
       A transparent method to determine limit values for likelihood ratio systems (2025).

    Examples
    --------
    >>> lower, upper = invariance_bounds(np.repeat([3.0, -3.0], [19, 171]), np.arange(190) < 19)
    >>> round(10**-lower, 1), round(10**upper, 1)
    (39.8, 335.0)
    """
    ratios = np.clip(log10_lrs, -_IV_EXTREME, _IV_EXTREME)
    thresholds = np.arange(min(0, ratios.min()), max(0, ratios.max()) + _IV_STEP, _IV_STEP)
    share_same, share_different = (
        (_above(side, thresholds, or_equal=True) + 0.5) / (len(side) + 1)
        for side in (ratios[same], ratios[~same])
    )
    high = np.flatnonzero(np.log10(share_same) - np.log10(share_different) < thresholds)
    low = np.flatnonzero(np.log10(1 - share_same) - np.log10(1 - share_different) > thresholds)
    upper = ratios[same].max()
    if len(high):
        upper = thresholds[high[0] - 1] if high[0] else 0.0
    lower = ratios[~same].min()
    if len(low):
        lower = thresholds[min(low[-1] + 1, len(thresholds) - 1)]
    return min(float(lower), 0.0), max(float(upper), 0.0)


def disjoint_pairs(first: IntArray, second: IntArray, rng: np.random.RandomState) -> IntArray:
    """Draw pairs of which no two have anybody in common, until no other can be added.

    Notes
    -----
    Pairs are taken in a random order, each whose two are still free; all that come before their
    neighbours are taken at once.

    Examples
    --------
    >>> first, second = np.triu_indices(7, k=1)
    >>> drawn = disjoint_pairs(first, second, np.random.RandomState(0))
    >>> len(drawn), len({*first[drawn], *second[drawn]})
    (3, 6)
    """
    left = np.arange(len(first))
    order = rng.permutation(len(first))
    n_people = max(first.max(initial=-1), second.max(initial=-1)) + 1
    drawn = []
    while len(left):
        earliest = np.full(n_people, len(first))
        np.minimum.at(earliest, first[left], order[left])
        np.minimum.at(earliest, second[left], order[left])
        pairs = left[np.minimum(earliest[first[left]], earliest[second[left]]) == order[left]]
        drawn.append(pairs)
        free = np.ones(n_people, dtype=bool)
        free[first[pairs]] = free[second[pairs]] = False
        left = left[free[first[left]] & free[second[left]]]
    return np.sort(np.concatenate(drawn)) if drawn else left


def _above(ratios: FloatArray, thresholds: FloatArray, *, or_equal: bool = False) -> IntArray:
    """How many ratios are above each threshold."""
    below = np.searchsorted(np.sort(ratios), thresholds, side="left" if or_equal else "right")
    return len(ratios) - below
