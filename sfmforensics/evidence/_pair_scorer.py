"""How alike two voices are, by a regression on pairs of recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression

from sfmforensics.estimators._parameters import check_y
from sfmforensics.evidence._scorers import PLDA
from sfmforensics.evidence._trials import balanced_weights
from sfmforensics.exceptions import ParameterError
from sfmforensics.targets._columns import label_codes

if TYPE_CHECKING:
    from typing import Self

    from sfmforensics._types import BoolArray, Column, FloatArray, IntArray, Matrix

MOST_PAIRS = 100_000
"""Pairs of recordings that are learnt from."""


class PairwiseLogistic(PLDA):
    r"""Logistic regression on pairs of recordings: of one speaker, or of two.

    Parameters
    ----------
    n_components : int, default=50
        Principal components that are kept, as for `PLDA`.
    shrinkage : float, default=0.1
        As for `PLDA`.
    C : float, default=0.01
        How far weights may leave 0: the less, the less can be learnt by heart from few speakers.

    Attributes
    ----------
    apart_, alike_ : ndarray of shape (n_components,)
        Weight of the squared difference and of the product, component by component.
    n_features_in_ : int

    Notes
    -----
    Vectors are projected as those of `PLDA`; of two, q and k, the score is

    .. math:: \sum_i a_i \frac{(q_i - k_i)^2}{2} + b_i q_i k_i

    `PLDA` computes a score of this form from how speakers vary. Here the weights are those that
    tell pairs of training speakers apart best [1]_, which asks for no normal distribution. Each
    speaker counts as much as each other, and each pair of two. Of more than 100,000 pairs of
    recordings some are drawn.

    References
    ----------
    .. [1] Burget, L., Plchot, O., Cumani, S., Glembek, O., Matejka, P., Brümmer, N.
       Discriminatively trained probabilistic linear discriminant analysis for speaker
       verification. ICASSP 2011.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> speakers = np.repeat(np.arange(30), 10)
    >>> X = rng.normal(size=(30, 20))[speakers] + rng.normal(size=(300, 20))
    >>> scores = PairwiseLogistic(10).fit(X, speakers).score_pairs(X[:2], X[:20:5])
    >>> bool(scores[:, :2].min() > scores[:, 2:].max())
    True
    """

    def __init__(self, n_components: int = 50, shrinkage: float = 0.1, C: float = 0.01) -> None:
        super().__init__(n_components, shrinkage)
        self.C = C

    def fit(self, X: Matrix, y: Column | None = None) -> Self:
        """Learn by what recordings of one speaker are alike.

        Parameters
        ----------
        X : array-like of shape (n_recordings, n_features)
            Vectors.
        y : array-like of shape (n_recordings,)
            Who speaks.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            A parameter is out of range, or there is no `y`.
        TargetError
            There is one speaker, or none with two recordings.
        """
        if not self.C > 0:
            raise ParameterError(f"C is {self.C}; use a number above 0")
        y = check_y(self, y)
        super().fit(X, y)
        vectors, who = self.project(X), label_codes(y)[0]
        first, second, same = _pairs(who)
        left, right = vectors[first], vectors[second]
        told = np.hstack([(left - right) ** 2 / 2, left * right])
        weights = balanced_weights(same, who[first], who[second])
        # Components of little variance are to be shrunk as much as the others.
        spread = np.sqrt(np.average(told**2, axis=0, weights=weights))
        spread = np.where(spread > 0, spread, 1)
        found = LogisticRegression(C=self.C, max_iter=1000).fit(told / spread, same, weights)
        self.apart_, self.alike_ = np.split(found.coef_[0] / spread, 2)
        return self

    def match(self, questioned: FloatArray, known: FloatArray, n_known: int = 1) -> FloatArray:
        """Score what was projected.

        Parameters
        ----------
        questioned, known, n_known
            As for `CosineScorer.match`.

        Returns
        -------
        ndarray of shape (n_questioned, n_known_speakers)
            The higher, the more alike; not calibrated.
        """
        own, other = (vectors**2 @ self.apart_ / 2 for vectors in (questioned, known))
        cross = (questioned * (self.alike_ - self.apart_)) @ known.T
        return own[:, None] + other + cross


def _pairs(who: IntArray) -> tuple[IntArray, IntArray, BoolArray]:
    """All pairs of recordings; of too many as many of one speaker as of two, drawn by speaker."""
    n_pairs = len(who) * (len(who) - 1) // 2
    if n_pairs <= MOST_PAIRS:
        first, second = np.triu_indices(len(who), k=1)
        return first, second, who[first] == who[second]
    rng = np.random.RandomState(0)
    by_speaker = np.argsort(who, kind="stable")
    counts = np.bincount(who)
    starts = np.cumsum(counts) - counts

    def drawn(below: IntArray) -> IntArray:
        return (rng.uniform(size=len(below)) * below).astype(int)

    # One recording, and one that is some places behind, round and round: never the same.
    own = rng.choice(np.flatnonzero(counts > 1), MOST_PAIRS // 2)
    one = drawn(counts[own])
    another = (one + 1 + drawn(counts[own] - 1)) % counts[own]
    left = rng.choice(len(counts), MOST_PAIRS // 2)
    right = (left + 1 + drawn(np.full(len(left), len(counts) - 1))) % len(counts)
    first = np.concatenate([starts[own] + one, starts[left] + drawn(counts[left])])
    second = np.concatenate([starts[own] + another, starts[right] + drawn(counts[right])])
    return by_speaker[first], by_speaker[second], np.arange(len(first)) < len(own)
