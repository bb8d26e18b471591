"""How alike two voices are: scores between vectors, before they are calibrated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted, validate_data

from sfmforensics.estimators._parameters import check_y
from sfmforensics.evidence._trials import balanced_weights
from sfmforensics.exceptions import ParameterError, TargetError
from sfmforensics.targets._columns import label_codes

if TYPE_CHECKING:
    from typing import Self

    from sfmforensics._types import BoolArray, Column, FloatArray, IntArray, Matrix


class CosineScorer(BaseEstimator):
    """Cosine of the angle between two vectors.

    Attributes
    ----------
    n_features_in_ : int

    Notes
    -----
    Known recordings of one speaker are averaged after each has been given length 1.

    Examples
    --------
    >>> scorer = CosineScorer().fit([[1.0, 0.0]])
    >>> scorer.score_pairs([[2.0, 0.0]], [[1.0, 1.0]]).round(3)
    array([[0.707]])
    """

    _learns = False  # whether speakers that it was fitted to are told apart too well
    _saved: tuple[str, ...] = ()  # arrays that a file of a fitted one holds

    def fit(self, X: Matrix, y: Column | None = None) -> Self:
        """Learn nothing but the number of columns.

        Parameters
        ----------
        X : array-like of shape (n_recordings, n_features)
            Vectors.
        y : ignored

        Returns
        -------
        self
        """
        validate_data(self, X, dtype=np.float64)
        return self

    def project(self, X: Matrix) -> FloatArray:
        """Give what recordings are compared by.

        Parameters
        ----------
        X : array-like of shape (n_recordings, n_features)
            Vectors.

        Returns
        -------
        ndarray of shape (n_recordings, n_components)
        """
        check_is_fitted(self, "n_features_in_")
        return normalize(validate_data(self, X, dtype=np.float64, reset=False))

    def match(self, questioned: FloatArray, known: FloatArray, n_known: int = 1) -> FloatArray:
        """Score what was projected.

        Parameters
        ----------
        questioned : ndarray of shape (n_questioned, n_components)
            As `project` gives it.
        known : ndarray of shape (n_known_speakers, n_components)
            Mean over the known recordings of each speaker.
        n_known : int, default=1
            Recordings that each of these is the mean of.

        Returns
        -------
        ndarray of shape (n_questioned, n_known_speakers)
            The higher, the more alike.
        """
        return questioned @ normalize(known).T

    def score_pairs(self, questioned: Matrix, known: Matrix) -> FloatArray:
        """Score each recording against each other.

        Parameters
        ----------
        questioned : array-like of shape (n_questioned, n_features)
            Vectors.
        known : array-like of shape (n_known, n_features)
            Vectors, each a speaker of its own.

        Returns
        -------
        ndarray of shape (n_questioned, n_known)
        """
        return self.match(self.project(questioned), self.project(known))


class PLDA(CosineScorer):
    r"""Probabilistic linear discriminant analysis: how speakers differ, and how each varies.

    Parameters
    ----------
    n_components : int, default=50
        Principal components that are kept: at most as many as the vectors have, and a quarter of
        the recordings beyond one a speaker, from which the variation within speakers is learnt.
    shrinkage : float, default=0.1
        Between 0 and 1: how far the variation within speakers is drawn towards one that is equal in
        all directions. Vectors of few recordings vary in hardly any but by chance.

    Attributes
    ----------
    between_ : ndarray of shape (n_components,)
        Variance of speakers in each direction, in which each speaker varies by 1.
    n_features_in_ : int

    Notes
    -----
    The two-covariance model: a vector is its speaker's, drawn from :math:`N(\mu, B)`, plus a
    deviation from :math:`N(0, W)`. Both are estimated by their moments, after a projection to
    principal components of variance 1, and to length :math:`\sqrt{n}`, which makes vectors of
    networks more like a normal distribution [2]_. The score is the logarithm of a likelihood
    ratio in this model, which is not to be believed as it is: it is still to be calibrated.

    References
    ----------
    .. [1] Ioffe, S. Probabilistic linear discriminant analysis. ECCV 2006.
    .. [2] Garcia-Romero, D., Espy-Wilson, C. Analysis of i-vector length normalization in speaker
       recognition systems. Interspeech 2011.
    .. [3] Sizov, A., Lee, K. A., Kinnunen, T. Unifying probabilistic linear discriminant analysis
       variants in biometric authentication. S+SSPR 2014: the two-covariance model.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> speakers = np.repeat(np.arange(30), 10)
    >>> X = rng.normal(size=(30, 20))[speakers] + rng.normal(size=(300, 20))
    >>> scores = PLDA(10).fit(X, speakers).score_pairs(X[:2], X[:20:5])
    >>> bool(scores[:, :2].min() > scores[:, 2:].max())
    True
    """

    _learns = True
    _saved: tuple[str, ...] = ("mean_", "components_", "centre_", "axes_", "between_")

    def __init__(self, n_components: int = 50, shrinkage: float = 0.1) -> None:
        self.n_components = n_components
        self.shrinkage = shrinkage

    def fit(self, X: Matrix, y: Column | None = None) -> Self:
        """Learn how voices vary.

        Parameters
        ----------
        X : array-like of shape (n_recordings, n_features)
            Vectors.
        y : array-like of shape (n_recordings,)
            Who speaks. Best at least as many speakers as directions in which they shall differ.

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
        if int(self.n_components) < 1 or not 0 <= self.shrinkage <= 1:
            raise ParameterError(
                f"n_components is {self.n_components} and shrinkage {self.shrinkage}; use at least "
                "1, and a share between 0 and 1"
            )
        y = check_y(self, y)
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        check_consistent_length(X, y)
        who = label_codes(y)[0]
        if (who < 0).any():
            raise TargetError(
                f"{int((who < 0).sum())} of {len(who)} recordings have no speaker in y; Input y "
                "contains NaN, so name who speaks in each, or leave them out"
            )
        counts = np.bincount(who)
        names = np.arange(len(counts))
        if len(names) < 2 or counts.max() < 2:
            lack = "1 class" if len(names) < 2 else "no speaker with two recordings"
            raise TargetError(
                f"found {lack} among {len(X)} recordings of y; how voices vary is learnt from two "
                "speakers or more, with several recordings each"
            )
        self.mean_ = X.mean(axis=0)
        _, values, axes = np.linalg.svd(X - self.mean_, full_matrices=False)
        # With as many directions as recordings span, all recordings are equally far apart once
        # they have been given variance 1 and one length.
        most = min(int((values > 1e-6 * values[0]).sum()), (len(X) - len(names)) // 4)
        n_components = min(int(self.n_components), max(1, most))
        # Recordings that are all alike have no directions: nothing is divided by nothing.
        spread = np.where(values > 0, values, 1)[:n_components] / np.sqrt(len(X))
        self.components_ = np.ascontiguousarray(axes[:n_components].T / spread)
        # Until these are known they are left out: `project` is of use before.
        self.centre_, self.axes_ = np.zeros(n_components), np.eye(n_components)
        vectors = self._projected(X)
        self.centre_ = vectors.mean(axis=0)
        vectors = vectors - self.centre_
        means = np.zeros((len(names), n_components))
        np.add.at(means, who, vectors)
        means /= counts[:, None]
        deviations = vectors - means[who]
        within = deviations.T @ deviations / max(1, len(X) - len(names))
        # Means of few recordings also vary for those.
        between = np.cov(means.T).reshape(within.shape) - within * np.mean(1 / counts)
        equal = np.eye(n_components) * max(np.trace(within) / n_components, 1e-12)
        within = (1 - self.shrinkage) * within + self.shrinkage * equal
        values, vectors = np.linalg.eigh(within)
        whiten = vectors / np.sqrt(np.maximum(values, 1e-9 * values.max()))
        values, vectors = np.linalg.eigh(whiten.T @ between @ whiten)
        widest = np.flatnonzero(values > 0)[::-1]
        if not len(widest):
            widest = np.array([len(values) - 1])  # speakers do not differ: all scores are 0
        self.between_ = np.maximum(values[widest], 0)
        self.axes_ = np.ascontiguousarray(whiten @ vectors[:, widest])
        return self

    def project(self, X: Matrix) -> FloatArray:
        """Give what recordings are compared by.

        Parameters
        ----------
        X : array-like of shape (n_recordings, n_features)
            Vectors.

        Returns
        -------
        ndarray of shape (n_recordings, n_components)
            Each speaker varies by 1 in all of them.
        """
        check_is_fitted(self, "components_")
        return self._projected(validate_data(self, X, dtype=np.float64, reset=False))

    def _projected(self, X: FloatArray) -> FloatArray:
        vectors = normalize((X - self.mean_) @ self.components_)
        return (vectors * np.sqrt(vectors.shape[1]) - self.centre_) @ self.axes_

    def match(self, questioned: FloatArray, known: FloatArray, n_known: int = 1) -> FloatArray:
        r"""Logarithm of the model's likelihood ratio, of what was projected.

        Parameters
        ----------
        questioned, known, n_known
            As for `CosineScorer.match`.

        Returns
        -------
        ndarray of shape (n_questioned, n_known_speakers)
            Natural logarithms; not calibrated.

        Notes
        -----
        Of a speaker with n known recordings of mean m, the next is expected at
        :math:`nb/(1+nb) \, m` with variance :math:`1 + b/(1+nb)`; of anybody, at 0 with 1 + b.
        """
        alone = 1 + self.between_
        certainty = 1 + n_known * self.between_
        spread = 1 + self.between_ / certainty
        expected = known * (n_known * self.between_ / certainty)
        own = (questioned**2) @ (1 / alone - 1 / spread)
        other = (expected**2) @ (1 / spread)
        cross = (questioned / spread) @ expected.T
        return 0.5 * (own[:, None] - other + np.log(alone / spread).sum()) + cross


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

    _saved: tuple[str, ...] = (*PLDA._saved, "apart_", "alike_")

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
        products = np.hstack([(left - right) ** 2 / 2, left * right])
        weights = balanced_weights(same, who[first], who[second])
        # Components of little variance are to be shrunk as much as the others.
        spread = np.sqrt(np.average(products**2, axis=0, weights=weights))
        spread = np.where(spread > 0, spread, 1)
        regression = LogisticRegression(C=self.C, max_iter=1000)
        regression.fit(products / spread, same, weights)
        self.apart_, self.alike_ = np.split(regression.coef_[0] / spread, 2)
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
