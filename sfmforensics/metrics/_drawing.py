"""Which trials are made where there are more than memory and time allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.random import sample_without_replacement

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sfmforensics._types import Array, BoolArray, FloatArray, IntArray, Matrix, RandomState

MOST_COMPARED = 2000
"""Recordings of a fold that are compared with each other: pairs grow with their square."""

MOST_CLAIMS = 4_000_000
"""Claims of a fold, recordings times speakers: beyond, some are drawn. Of 10^5 speakers and 40 000
recordings all claims would be 32 GB."""

_DRAWN_CLAIMS = 400_000
"""How many are drawn. True claims are one a recording, and it is they that leave a rate unsure."""

_BLOCK = 64
"""Recordings that a network answers at once, see `sfmforensics.nn.runtime.filled_blocks`."""

_FEWEST_TRUE = 100
_OF_EACH = 10


def drawn_claims(
    ask: Callable[[Any], Array],
    labels: Array,
    X: Matrix,
    named: Array,
    rows: IntArray,
    random_state: RandomState,
) -> tuple[FloatArray, BoolArray, IntArray]:
    """Draw claims of recordings to be speakers, and score them block by block.

    Parameters
    ----------
    ask : callable
        Gives the scores (n, n_speakers) of recordings.
    labels : ndarray of shape (n_speakers,)
        The speakers.
    X : array-like of length n_recordings
        Recordings.
    named : ndarray of shape (n_recordings,)
        Who speaks.
    rows : ndarray of int
        Recordings whose speaker is known.
    random_state : int or RandomState
        Draws them.

    Returns
    -------
    scores : ndarray of shape (n_trials,)
    same : ndarray of shape (n_trials,), bool
    rows : ndarray of shape (n_trials,), int

    Notes
    -----
    Drawn are 2000 recordings (of fewer than 200 speakers as many more as make 400 000 claims); each
    makes its true claim and an equal number of false ones, about 200, so that both rates of error
    are what they are over all claims, but for chance.
    """
    rng = check_random_state(random_state)
    most = max(MOST_COMPARED, _DRAWN_CLAIMS // len(labels))
    if len(rows) > most:
        rows = np.sort(rng.choice(rows, most, replace=False))
    who: Any = named[rows]
    own = pd.Index(labels).get_indexer(who)
    each = min(len(labels), _DRAWN_CLAIMS // max(1, len(rows)))
    scores, same, claimed = [np.empty(0)], [np.empty(0, dtype=bool)], [np.empty(0, dtype=int)]
    size = max(1, MOST_CLAIMS // len(labels) // _BLOCK) * _BLOCK
    for start in range(0, len(rows), size):
        block = ask(_safe_indexing(X, rows[start : start + size]))
        for place, found in enumerate(block, start=start):
            others = sample_without_replacement(len(labels), each, random_state=rng)
            others = others[others != own[place]]
            true = own[place : place + 1][own[place : place + 1] >= 0]
            scores.append(found[np.concatenate([true, others])])
            same.append(np.arange(len(scores[-1])) < len(true))
            claimed.append(np.full(len(scores[-1]), rows[place]))
    return np.concatenate(scores), np.concatenate(same), np.concatenate(claimed)


def drawn_recordings(who: IntArray, random_state: RandomState) -> IntArray:
    """Draw the recordings to compare with each other.

    Parameters
    ----------
    who : ndarray of shape (n_recordings,), int
        Number of the speaker of each; more recordings than `MOST_COMPARED`.
    random_state : int or RandomState
        Draws them.

    Returns
    -------
    ndarray of int, ascending
        `MOST_COMPARED` places. Where these would hold fewer than 100 pairs of one speaker, they
        are up to 10 recordings each of speakers who are drawn, of those with several.

    Examples
    --------
    >>> who = np.repeat(np.arange(50_000), 2)
    >>> drawn = who[drawn_recordings(who, 0)]
    >>> len(drawn), len(np.unique(drawn))
    (2000, 1000)
    """
    rng = check_random_state(random_state)
    drawn = np.sort(rng.choice(len(who), MOST_COMPARED, replace=False))
    counts = np.bincount(who[drawn])
    if (counts * (counts - 1) // 2).sum() >= _FEWEST_TRUE:
        return drawn
    order = rng.permutation(len(who))
    order = order[np.argsort(rng.permutation(who.max() + 1)[who[order]], kind="stable")]
    edges = np.flatnonzero(np.diff(who[order], prepend=-1, append=-1))
    counts = np.diff(edges)
    place = np.arange(len(order)) - np.repeat(edges[:-1], counts)
    several = np.repeat(counts > 1, counts)
    if several.any():
        order = order[several & (place < _OF_EACH)]
    return np.sort(order[:MOST_COMPARED])
