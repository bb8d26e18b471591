"""Comparisons whose truth is known: what scores are calibrated by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import check_consistent_length, check_random_state

from sfmforensics.exceptions import TargetError
from sfmforensics.metrics import Trials
from sfmforensics.metrics._verification import MOST_COMPARED, drawn_recordings
from sfmforensics.model_selection import joined_groups
from sfmforensics.model_selection._folds import balance, named_groups
from sfmforensics.targets._columns import label_codes

if TYPE_CHECKING:
    from typing import Any

    from sfmforensics._types import Array, BoolArray, Column, FloatArray, IntArray, RandomState
    from sfmforensics.evidence._scorers import CosineScorer

FOLDS = 5
"""In which a scorer that learns is tried on speakers that it has not seen, to calibrate it."""

SETS_OF_EACH = 20
"""Sets of known recordings that are drawn of each speaker."""


def labelled(X: Array, y: Column, copies: Column | None) -> tuple[IntArray, IntArray, IntArray]:
    """Find the recordings whose speaker is known."""
    check_consistent_length(X, y, copies)
    speakers = label_codes(y)[0]
    rows = np.flatnonzero(speakers >= 0)
    numbers = copy_numbers(copies, len(speakers))[rows]
    return rows, joined_groups(speakers[rows], numbers), numbers


def copy_numbers(copies: Column | None, n_recordings: int) -> IntArray:
    """Number recordings so that copies have equal numbers, and all others numbers of their own.

    Examples
    --------
    >>> copy_numbers([7, None, 7, None], 4)
    array([0, 1, 0, 2])
    """
    own = np.arange(n_recordings)
    numbers = own if copies is None else label_codes(named_groups(copies))[0]
    return pd.factorize(np.where(numbers >= 0, numbers, -1 - own))[0]


def means_by_speaker(
    projected: FloatArray, speakers: Column | None
) -> list[tuple[int, FloatArray]]:
    """Average the recordings of each speaker."""
    speakers = np.arange(len(projected)) if speakers is None else speakers
    check_consistent_length(projected, speakers)
    who = label_codes(speakers)[0]
    if (who < 0).any():
        raise TargetError(
            f"{int((who < 0).sum())} of {len(who)} known recordings have no speaker; name who "
            "speaks in each, or leave them out"
        )
    own = [projected[who == number] for number in range(who.max(initial=-1) + 1)]
    return [(len(rows), rows.mean(axis=0, keepdims=True)) for rows in own]


def known_trials(
    scorer: CosineScorer,
    projected: FloatArray,
    voices: IntArray,
    copies: IntArray,
    n_known: int = 1,
    random_state: RandomState = 0,
) -> Trials:
    """Compare recordings, each with sets of known recordings of one speaker."""
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
    if not sets:
        none = np.empty(0, dtype=int)
        return Trials(np.empty(0), np.empty(0, dtype=bool), none, none)
    means = np.stack([projected[chosen].mean(axis=0) for chosen in sets])
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

    Examples
    --------
    >>> trial_weights(np.array([0, 0, 1]), np.array([1, 0, 0]))
    array([0.5, 1. , 0.5])
    """
    pairs = np.sort(np.column_stack([first, second]), axis=1)
    _, codes = np.unique(pairs, axis=0, return_inverse=True)
    return 1 / np.bincount(codes.ravel())[codes.ravel()]


def balanced_weights(same: BoolArray, first: IntArray, second: IntArray) -> FloatArray:
    """Weights by which comparisons of one speaker count as much as those of two, besides.

    Examples
    --------
    >>> who = np.array([0, 0, 1]), np.array([1, 0, 0])
    >>> balanced_weights(np.array([False, True, False]), *who)
    array([0.5, 1. , 0.5])
    """
    weights = trial_weights(first, second)
    shares = weights / np.where(same, weights[same].sum(), weights[~same].sum())
    return shares * weights.sum() / 2


def pooled_trials(
    parts: list[tuple[Any, IntArray, FloatArray]],
    voices: IntArray,
    copies: IntArray,
    n_known: int,
    seed: int,
) -> Trials:
    """Compare recordings within each part, by the scorer of that part."""
    columns = []
    for scorer, rows, projected in parts:
        part = known_trials(scorer, projected, voices[rows], copies[rows], n_known, seed)
        columns.append((part.scores, part.same, rows[part.first], rows[part.second]))
    return Trials(*map(np.concatenate, zip(*columns, strict=True)))


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


def left_out(
    scorer: Any, X: FloatArray, voices: IntArray, seed: int
) -> list[tuple[Any, IntArray, FloatArray]]:
    """Fit a scorer to all but some speakers, and project these."""
    codes = np.unique(voices, return_inverse=True)[1]
    n_speakers = codes.max(initial=-1) + 1
    n_folds = min(FOLDS, n_speakers // 2)
    if n_folds < 2:
        raise TargetError(
            f"found {n_speakers} speakers; a scorer that learns is tried on speakers left out in "
            "turn, at least two of four. Calibrate with more speakers, use scorer='cosine', or "
            "give one that is fitted"
        )
    # Equally many speakers, however often each was recorded: none is left to learn from alone.
    folds = balance(np.ones(n_speakers), n_folds, np.random.RandomState(seed))[codes]
    parts = []
    for fold in range(n_folds):
        rows = np.flatnonzero(folds == fold)
        fitted = clone(scorer).fit(X[folds != fold], codes[folds != fold])
        parts.append((fitted, rows, fitted.project(X[rows])))
    return parts
