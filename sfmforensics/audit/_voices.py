"""Speakers whose voices are so alike that they may be one person under two names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.covariance import LedoitWolf

if TYPE_CHECKING:
    from sfmforensics._types import Column, FloatArray, IntArray, Matrix

AS_ONE_VOICE = 0.85
"""Least share of the similarity of one voice; see Notes of `alike_voices`."""

LEAST_SPEAKERS = 6
"""With fewer there is nothing that a pair could stand out from."""

COLUMNS = ["first", "second", "similarity", "one_voice", "above_others", "recordings"]

_BLOCK = 1024
_AT_ONCE = 20_000_000
_CALIBRATING = 2000
_ROWS = 20_000


def alike_voices(
    X: Matrix, speakers: Column, *, alpha: float = 0.01, least: float = AS_ONE_VOICE
) -> pd.DataFrame:
    """Find pairs of speakers whose voices differ no more than one voice does from itself.

    Parameters
    ----------
    X : array-like of shape (n_recordings, n_features)
        Embeddings, one view or several side by side; a row that holds NaN is not used.
    speakers : array-like of shape (n_recordings,)
        Name of each speaker; a recording without is not used.
    alpha : float, default=0.01
        Pairs to be expected by chance in the whole corpus, were similarities normal.
    least : float, default=0.85
        Least similarity as a share of that of one voice.

    Returns
    -------
    DataFrame of shape (n_pairs, 6)
        ``first``, ``second`` (speakers), ``similarity``, ``one_voice`` (the similarity to be
        expected were both one voice), ``above_others`` (how far above the median of all pairs, in
        robust standard deviations) and ``recordings`` ("21 / 306"). Sorted by ``above_others``.
        Empty with fewer than 6 speakers, or where nobody's recordings differ.

    Notes
    -----
    The columns are whitened by the scatter of recordings around their speakers' means (shrunk as
    Ledoit and Wolf do), so that what varies within a voice counts little, whatever the view. The
    similarity of two speakers is the cosine of their means, from the mean of all speakers. A mean
    of n recordings is uncertain: with ``s`` the scatter of one recording and ``m`` the mean, its
    reliability is ``r = 1 - s / (n |m|^2)``, two halves of one voice have similarity ``r / (2 -
    r)`` (Spearman and Brown), and two sets of one voice ``sqrt(r_1 r_2)``. That is ``one_voice``.

    A pair is listed where both hold: its similarity is 85 % of ``one_voice`` or more, and its
    Fisher z lies so far above the median of all pairs that `alpha` of all pairs would by chance,
    with a standard deviation from the median absolute one.

    Measured on BAVED, 1,770 pairs: d-vectors and Whisper tiny each list 46 = 53 (the same files),
    100 and 50, 102 and 56, and 3 and 44; MFCC all of these but 102 and 56; prosody 46 = 53 only.
    Of voices of which half the recordings got another name, d-vectors, Whisper and MFCC find 8, 8
    and 7 of 8 with 30 recordings or more, 9, 7 and 7 of 11 with 10 to 29, and 2, 3 and 0 of 15
    with fewer. In 24 synthetic corpora of 6 to 20 voices without aliases nothing is listed. A weak
    view sees only the strongest cases: that nothing is listed does not show that no two speakers
    are one.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> voices = 3 * rng.normal(size=(12, 30))
    >>> voices[11] = voices[0]
    >>> X = np.repeat(voices, 10, axis=0) + rng.normal(size=(120, 30))
    >>> alike_voices(X, np.repeat(list("abcdefghijkl"), 10))[["first", "second"]].values.tolist()
    [['a', 'l']]
    """
    X, codes, names = _known(X, speakers)
    counts = np.bincount(codes, minlength=len(names))
    # Rows are as many as voices where nobody is heard twice.
    if len(names) < LEAST_SPEAKERS or len(X) == len(names):
        return pd.DataFrame(columns=COLUMNS)
    Z = _whitened(X, codes, counts)
    if not Z.shape[1]:
        return pd.DataFrame(columns=COLUMNS)
    means = _means(Z, codes, counts)
    scatter = np.square(Z - means[codes]).sum() / (len(Z) - len(names))
    means = means - means.mean(axis=0)
    lengths = np.maximum(np.linalg.norm(means, axis=1), 1e-12)
    reliability = np.clip(1 - scatter / (counts * lengths**2), 0.05, 1)
    directions = means / lengths[:, np.newaxis]
    middle, spread = _usual(directions)
    n_pairs = len(names) * (len(names) - 1) / 2
    limit = norm.isf(min(alpha / n_pairs, 0.5))
    rows = []
    # Of 10^5 speakers there are 5 * 10^9 pairs: what is slow is asked of those that stand out.
    enough = np.tanh(middle + limit * spread) - 1e-6
    size = min(_BLOCK, max(1, _AT_ONCE // len(names)))
    for start in range(0, len(names), size):
        block = directions[start : start + size] @ directions[start:].T
        first, second = np.nonzero(block >= enough)
        first, second = first[second > first], second[second > first]
        similar = block[first, second]
        first, second = first + start, second + start
        expected = np.sqrt(reliability[first] * reliability[second])
        above = (_fisher(similar) - middle) / spread
        suspects = np.flatnonzero((similar >= least * expected) & (above >= limit))
        rows += [
            (
                names[first[pair]],
                names[second[pair]],
                float(similar[pair]),
                float(expected[pair]),
                float(above[pair]),
                f"{counts[first[pair]]} / {counts[second[pair]]}",
            )
            for pair in suspects
        ]
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(
        ["above_others", "first", "second"], ascending=[False, True, True], ignore_index=True
    )


def with_evidence(
    pairs: pd.DataFrame,
    target: pd.DataFrame,
    copies: Column | None = None,
    speaker: str = "speaker",
) -> pd.DataFrame:
    """Put beside each pair of speakers what else is known of the two.

    Parameters
    ----------
    pairs : DataFrame
        As `alike_voices` gives them.
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels; shown are gender and age, where they are there, once where they are equal.
    copies : array-like of shape (n_recordings,) or None, default=None
        As `sfmforensics.datasets.find_copies` gives them; adds ``shared``, the recordings that
        both have.
    speaker : str, default="speaker"
        Column with the speakers.

    Returns
    -------
    DataFrame of shape (n_pairs, 6 to 9)

    Examples
    --------
    >>> pairs = pd.DataFrame({"first": ["a"], "second": ["b"]})
    >>> target = pd.DataFrame({"speaker": list("aab"), "age": [6.0, 6.0, 5.0]})
    >>> with_evidence(pairs, target, [0, 1, 1])
      first second    age  shared
    0     a      b  6 / 5       1
    """
    shown = pairs.copy()
    of = target.groupby(target[speaker].astype(str)).groups
    both = [
        (of[first], of[second])
        for first, second in zip(pairs["first"], pairs["second"], strict=True)
    ]
    for column in ("gender", "age"):
        if column in target:
            labels = [[_values(target.loc[rows, column]) for rows in pair] for pair in both]
            shown[column] = [" / ".join(dict.fromkeys(pair)) for pair in labels]
    if copies is not None:
        copies = pd.Series(np.asarray(copies), index=target.index)
        shown["shared"] = [len(set(copies[one]) & set(copies[other])) for one, other in both]
    return shown


def _values(labels: pd.Series) -> str:
    known = sorted(labels.dropna().unique(), key=str)
    return ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in known)


def _known(X: Matrix, speakers: Column) -> tuple[FloatArray, IntArray, list[str]]:
    X = np.asarray(X, dtype=np.float64)
    speakers = pd.Series(speakers).reset_index(drop=True)
    rows = speakers.notna().to_numpy() & np.isfinite(X).all(axis=1)
    # Sorted by name, so that the order of recordings does not matter.
    codes, names = pd.factorize(speakers[rows].astype(str), sort=True)
    X = X[rows]
    spread = np.ptp(X, axis=0) if len(X) else np.zeros(X.shape[1])
    return X[:, spread > 1e-6 * np.abs(X).max(axis=0, initial=1e-30)], codes, list(names)


def _means(X: FloatArray, codes: IntArray, counts: IntArray) -> FloatArray:
    sums = np.zeros((len(counts), X.shape[1]))
    np.add.at(sums, codes, X)
    return sums / counts[:, np.newaxis]


def _whitened(X: FloatArray, codes: IntArray, counts: IntArray) -> FloatArray:
    residuals = X - _means(X, codes, counts)[codes]
    widths = np.sqrt(np.square(residuals).sum(axis=0) / (len(X) - len(counts)))
    live = widths > 1e-9 * X.std(axis=0)
    if not live.any():
        return X[:, live]
    X, residuals = X[:, live] / widths[live], residuals[:, live] / widths[live]
    residuals = residuals[counts[codes] > 1]
    every = -(-len(residuals) // _ROWS)
    covariance = LedoitWolf(assume_centered=True).fit(residuals[::every]).covariance_
    values, vectors = np.linalg.eigh(covariance)
    return X @ (vectors / np.sqrt(np.maximum(values, 1e-9 * values.max())))


def _usual(directions: FloatArray) -> tuple[float, float]:
    """Median and robust standard deviation of Fisher's z over pairs of speakers."""
    some = directions[:: -(-len(directions) // _CALIBRATING)]
    values = _fisher((some @ some.T)[np.triu_indices(len(some), k=1)])
    middle = np.median(values)
    return middle, max(1.4826 * np.median(np.abs(values - middle)), 1e-6)


def _fisher(cosines: FloatArray) -> FloatArray:
    return np.arctanh(np.clip(cosines, -1 + 1e-9, 1 - 1e-9))
