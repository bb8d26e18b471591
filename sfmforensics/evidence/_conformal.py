"""How large an error must be allowed for: quantiles that hold for a speaker never heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_consistent_length

from sfmforensics.exceptions import ParameterError, TargetError
from sfmforensics.targets._columns import label_codes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sfmforensics._types import BoolArray, Column, FloatArray, IntArray


ANY_OTHER = "(any other)"
"""What a set holds beside labels where the truth may be a label that the model does not know."""


def speaker_weights(speakers: Column) -> FloatArray:
    """Weights by which each speaker counts as much as each other.

    Examples
    --------
    >>> speaker_weights(["a", "a", "b"])
    array([0.5, 0.5, 1. ])
    """
    codes = label_codes(speakers)[0]
    if (codes < 0).any():
        raise TargetError(
            f"{int((codes < 0).sum())} of {len(codes)} recordings have no speaker; name who speaks "
            "in each, or leave them out"
        )
    return 1 / np.bincount(codes)[codes]


def speaker_quantile(scores: ArrayLike, speakers: Column, confidence: float) -> float:
    r"""Bound that a recording of a new speaker keeps with at least this probability.

    Notes
    -----
    Recordings of one speaker are alike, so that it is speakers who are exchangeable, not
    recordings. Each of the K speakers has the weight 1 / (K + 1), divided among the recordings; the
    rest, that of the new speaker, lies at infinity [1]_. The promise

    .. math:: P(\text{score} \le q) \ge \text{confidence}

    is over the drawing of all speakers and needs no model to be right. It does not hold for each
    speaker, nor for each group of them: on some it is more, on some less. With one recording of
    each speaker this is split conformal prediction, and the probability is, but for ties, the next
    multiple of 1 / (K + 1): exactly 0.9 with 19 or 29 speakers, 16/17 with 16. With several it may
    be up to 1 / (K + 1) more, the more so the more those of one speaker differ.

    References
    ----------
    .. [1] Lee, Y., Barber, R. F., Willett, R. Distribution-free inference with hierarchical data.
       arXiv:2306.06342 (2023), section 3.
    .. [2] Dunn, R., Wasserman, L., Ramdas, A. Distribution-free prediction sets for two-layer
       hierarchical models. Journal of the American Statistical Association 118 (2023), 2491-2502.

    Examples
    --------
    >>> speaker_quantile([1, 2, 3, 4], ["a", "b", "c", "d"], 0.8)
    4.0
    >>> speaker_quantile([1, 2, 3, 4], ["a", "b", "c", "d"], 0.9)
    inf
    """
    if not 0 < confidence < 1:
        raise ParameterError(f"confidence is {confidence}; use a number between 0 and 1")
    scores = np.asarray(scores, dtype=np.float64)
    check_consistent_length(scores, speakers)
    if not len(scores):
        raise TargetError("there are no recordings to calibrate by; give some whose label is known")
    if np.isnan(scores).any():
        raise ParameterError(
            f"{int(np.isnan(scores).sum())} scores are not a number; leave those out"
        )
    weights = speaker_weights(speakers)
    n_speakers = weights.sum()
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order]) / (n_speakers + 1)
    place = np.searchsorted(reached, confidence - 1e-12)
    return float(scores[order][place]) if place < len(scores) else float("inf")


def one_of_each(scores: FloatArray, speakers: IntArray, rng: np.random.RandomState) -> BoolArray:
    """Draw one recording of each speaker, each as likely as each other.

    Examples
    --------
    >>> one_of_each(np.array([1.0, 2.0, 3.0]), np.array([0, 0, 1]), np.random.RandomState(0))
    array([False,  True,  True])
    """
    codes = np.unique(speakers, return_inverse=True)[1].ravel()
    counts = np.bincount(codes)
    starts = np.cumsum(counts) - counts
    place = starts + (rng.uniform(size=len(counts)) * counts).astype(int)
    drawn = np.zeros(len(codes), dtype=bool)
    drawn[np.lexsort((scores, codes))[place]] = True
    return drawn


def class_scores(probabilities: FloatArray, truth: ArrayLike) -> FloatArray:
    """How wrong probabilities are, for sets of classes.

    Examples
    --------
    >>> class_scores(np.array([[0.75, 0.25]]), [1]).round(3)
    array([1.386])
    """
    truth = np.asarray(truth)
    surprise = _surprise(probabilities[np.arange(len(truth)), np.maximum(truth, 0)])
    return np.where(truth >= 0, surprise, np.inf)


def class_sets(probabilities: FloatArray, quantile: float) -> BoolArray:
    """Classes that cannot be ruled out.

    References
    ----------
    .. [1] Sadinle, M., Lei, J., Wasserman, L. Least ambiguous set-valued classifiers with bounded
       error levels. Journal of the American Statistical Association 114 (2019), 223-234.

    Examples
    --------
    >>> class_sets(np.array([[0.7, 0.2, 0.1]]), quantile=2.0)
    array([[ True,  True, False]])
    """
    sets = _surprise(probabilities) <= quantile
    sets[np.arange(len(sets)), probabilities.argmax(axis=1)] = True
    return sets


def _surprise(probabilities: FloatArray) -> FloatArray:
    # Of one precision on both sides: a class as probable as the quantile's is in the set.
    values = np.asarray(probabilities, dtype=np.float64)
    return -np.log(np.maximum(values, np.finfo(np.float64).tiny))
