"""Comparisons whose truth is known: what scores are calibrated by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_random_state

from sfmforensics.metrics import Trials
from sfmforensics.metrics._drawing import MOST_COMPARED, drawn_recordings

if TYPE_CHECKING:
    from sfmforensics._types import FloatArray, IntArray, RandomState
    from sfmforensics.evidence._scorers import CosineScorer

SETS_OF_EACH = 20
"""Sets of known recordings that are drawn of each speaker."""


def known_trials(
    scorer: CosineScorer,
    projected: FloatArray,
    voices: IntArray,
    copies: IntArray,
    n_known: int = 1,
    random_state: RandomState = 0,
) -> Trials:
    """Compare recordings, each with sets of known recordings of one speaker.

    Parameters
    ----------
    scorer : CosineScorer or PLDA
        What scores.
    projected : ndarray of shape (n_recordings, n_components)
        What the scorer's `project` gave.
    voices : ndarray of shape (n_recordings,), int
        Who speaks.
    copies : ndarray of shape (n_recordings,), int
        Recordings with equal numbers are one, and not compared.
    n_known : int, default=1
        Recordings in a set.
    random_state : int or RandomState, default=0
        Draws the sets, and the recordings where there are more than 2000.

    Returns
    -------
    Trials
        Each pair once; of sets of several, up to 20 sets of each speaker who has one recording
        more. `second` is the first recording of the set.
    """
    rng = check_random_state(random_state)
    rows = np.arange(len(voices))
    if len(rows) > MOST_COMPARED:
        rows = drawn_recordings(voices, rng)
    projected, voices, copies = projected[rows], voices[rows], copies[rows]
    if n_known == 1:
        first, second = np.triu_indices(len(rows), k=1)
        apart = copies[first] != copies[second]
        first, second = first[apart], second[apart]
        scores = scorer.match(projected, projected)[first, second]
        return Trials(scores, voices[first] == voices[second], rows[first], rows[second])
    sets = _drawn_sets(voices, copies, n_known, rng)
    means = np.stack([projected[chosen].mean(axis=0) for chosen in sets]) if sets else projected[:0]
    scores = scorer.match(projected, means, n_known)
    # A recording is not compared with a set that holds it, or a copy of it.
    apart = np.ones(scores.shape, dtype=bool)
    for column, chosen in enumerate(sets):
        apart[:, column] = ~np.isin(copies, copies[chosen])
    first, column = np.nonzero(apart)
    head = np.array([chosen[0] for chosen in sets], dtype=int)
    same = voices[first] == voices[head[column]]
    return Trials(scores[first, column], same, rows[first], rows[head[column]])


def trial_weights(first: IntArray, second: IntArray) -> FloatArray:
    """Weights by which each speaker, and each pair of two, counts as much as each other.

    Parameters
    ----------
    first, second : ndarray of shape (n_trials,), int
        Who speaks on either side.

    Returns
    -------
    ndarray of shape (n_trials,)
        Sums to the number of speakers who are compared with themselves and of pairs.

    Examples
    --------
    >>> trial_weights(np.array([0, 0, 1]), np.array([1, 0, 0]))
    array([0.5, 1. , 0.5])
    """
    pairs = np.sort(np.column_stack([first, second]), axis=1)
    _, codes = np.unique(pairs, axis=0, return_inverse=True)
    return 1 / np.bincount(codes.ravel())[codes.ravel()]


def _drawn_sets(
    voices: IntArray, copies: IntArray, n_known: int, rng: np.random.RandomState
) -> list[IntArray]:
    """Sets of recordings of one speaker, none of which is a copy of another."""
    _, originals = np.unique(copies, return_index=True)
    sets = []
    for voice in np.unique(voices):
        own = np.sort(originals[voices[originals] == voice])
        if len(own) <= n_known:
            continue
        n_sets = min(SETS_OF_EACH, len(own))
        sets += [rng.choice(own, n_known, replace=False) for _ in range(n_sets)]
    return sets
