"""Speakers told apart by scores: trials, and the rate at which both kinds of error are equal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from sklearn.preprocessing import normalize
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.random import sample_without_replacement
from sklearn.utils.validation import _num_samples

from sfmforensics.exceptions import ParameterError, TargetError
from sfmforensics.metrics._trials import checked_trials
from sfmforensics.metrics._weights import totals
from sfmforensics.targets import as_frame

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

    from sfmforensics._types import (
        Array,
        BoolArray,
        Column,
        FloatArray,
        IntArray,
        Matrix,
        RandomState,
        Targets,
    )
    from sfmforensics.metrics._classification import Weights
    from sfmforensics.metrics._weights import Rows


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
        for place, answers in enumerate(block, start=start):
            others = sample_without_replacement(len(labels), each, random_state=rng)
            others = others[others != own[place]]
            true = own[place : place + 1][own[place : place + 1] >= 0]
            scores.append(answers[np.concatenate([true, others])])
            same.append(np.arange(len(scores[-1])) < len(true))
            claimed.append(np.full(len(scores[-1]), rows[place]))
    return np.concatenate(scores), np.concatenate(same), np.concatenate(claimed)


def drawn_recordings(who: IntArray, random_state: RandomState) -> IntArray:
    """Draw the recordings to compare with each other.

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


@dataclass(frozen=True)
class Trials:
    """Claims that two sides are one speaker, and what a model says of each.

    Parameters
    ----------
    scores : ndarray of shape (n_trials,)
        The higher, the more alike.
    same : ndarray of shape (n_trials,), bool
        Whether the claim is true.
    first, second : ndarray of shape (n_trials,), int
        Rows of the two recordings; both are the one recording where it was compared with a
        speaker who was heard in training.
    weights : ndarray of shape (n_trials,) or None, default=None
        How much each claim counts; None for all alike.

    Raises
    ------
    ParameterError
        As for `cllr`: trials are refused where they are made, not where they are measured.
    """

    scores: np.ndarray
    same: np.ndarray
    first: np.ndarray
    second: np.ndarray
    weights: np.ndarray | None = None

    def __post_init__(self) -> None:
        scores, same, weights = checked_trials(self.scores, self.same, self.weights)
        # Of the precision that they have.
        floats = isinstance(self.scores, np.ndarray) and self.scores.dtype.kind == "f"
        object.__setattr__(self, "scores", self.scores if floats else scores)
        object.__setattr__(self, "same", same)
        for name in ("first", "second"):
            rows = np.asarray(getattr(self, name))
            if rows.shape != scores.shape:
                raise ParameterError(
                    f"{name} has the shape {rows.shape}; give a row for each of {len(scores)} "
                    "trials"
                )
            object.__setattr__(self, name, rows)
        if self.weights is not None:
            object.__setattr__(self, "weights", weights)


def equal_error_rate(scores: ArrayLike, same: ArrayLike, sample_weight: Weights = None) -> Any:
    """Rate at which false acceptances and false rejections are equally frequent.

    Parameters
    ----------
    scores : array-like of shape (n_trials,)
        The higher, the more alike.
    same : array-like of shape (n_trials,), bool
        Whether both sides are one speaker; the numbers 1 and 0 will do.
    sample_weight : array-like of shape (n_trials,) or (n_resamples, n_trials), or None
        How often each trial counts; one row for each resample.

    Returns
    -------
    float, or ndarray of shape (n_resamples,)
        0 where all true claims have higher scores than all false ones, 0.5 where scores say
        nothing. NaN where there are no true or no false claims.

    Raises
    ------
    ParameterError
        As for `cllr`.

    Notes
    -----
    A threshold between two scores exists only in thought: where the two curves cross between two
    thresholds, the line between them is followed. Equal scores are accepted or rejected together.

    Examples
    --------
    >>> equal_error_rate([0.9, 0.8, 0.4, 0.6, 0.3, 0.1], [True, True, True, False, False, False])
    0.3333333333333333
    """
    true, false = counts_by_score(scores, same, sample_weight)
    rates = where_curves_cross(*map(np.atleast_2d, (true, false)))
    return float(rates[0]) if true.ndim == 1 else rates


def counts_by_score(
    scores: ArrayLike, same: ArrayLike, sample_weight: Weights
) -> tuple[FloatArray, FloatArray]:
    """Count both kinds of trials by score, the lowest first."""
    counts = totals(_trial_rows, scores, same, weights=sample_weight)
    true, false = np.split(counts, 2, axis=-1)
    return true, false


def _trial_rows(scores: ArrayLike, same: ArrayLike) -> Rows:
    """The score of each trial marked, among those of its kind."""
    values, kinds, _ = checked_trials(scores, same)
    levels, level = np.unique(values, return_inverse=True)
    columns = level.ravel() + len(levels) * ~kinds
    shape = (len(values), 2 * len(levels))
    marks = coo_array((np.ones(len(values)), (np.arange(len(values)), columns)), shape=shape)
    return marks.tocsr(), slice(None)


def claim_trials(
    estimator: BaseEstimator,
    X: Matrix,
    speakers: Column,
    *,
    task: str = "speaker",
    random_state: RandomState = 0,
) -> Trials | None:
    """Let each recording claim to be each speaker whom the model knows.

    Parameters
    ----------
    estimator : fitted estimator
        With `tasks_` or one target column, `classes_`, and `predict_proba` or
        `decision_function`.
    X : array-like of shape (n_recordings, n_features)
        Recordings that were not learnt from.
    speakers : array-like of shape (n_recordings,)
        Who speaks; recordings of nobody known make no trials.
    task : str, default="speaker"
        Which task of the model tells speakers.
    random_state : int or RandomState, default=0
        Draws claims where there are more than 4 million.

    Returns
    -------
    Trials or None
        None where the model gives no scores.

    Notes
    -----
    The score is the model's own: the logarithm of the posterior probability, or the decision
    function. A closed set helps it: a posterior also says that nobody else is likely.

    Of more than 4 million claims (recordings times speakers) some are drawn: 2000 recordings, each
    with its own speaker and about 200 others; of fewer than 200 speakers more recordings, with all
    speakers. Both rates of error are then what they are over all claims but for chance, and memory
    does not grow with the speakers.
    """
    side = _speaker_side(estimator, task)
    if side is None:
        return None
    ask, labels = side
    labels = np.asarray(labels, dtype=object)
    known = np.flatnonzero(pd.Series(speakers).notna())
    named = np.asarray(speakers, dtype=object)
    if _num_samples(X) * len(labels) > MOST_CLAIMS:
        scores, same, rows = drawn_claims(ask, labels, X, named, known, random_state)
        return Trials(scores, same, rows, rows)
    scores = ask(X)[known]
    same = named[known][:, None] == labels
    rows = np.repeat(known, len(labels))
    return Trials(scores.ravel(), same.ravel(), rows, rows)


def pair_trials(
    estimator: BaseEstimator,
    X: Matrix,
    speakers: Column,
    *,
    copies: Column | None = None,
    random_state: RandomState = 0,
) -> Trials | None:
    """Compare recordings of speakers whom the model need not know, each with each other.

    Parameters
    ----------
    estimator : fitted estimator
        With `transform`.
    X : array-like or DataFrame of shape (n_recordings, n_features)
        Recordings that were not learnt from.
    speakers : array-like of shape (n_recordings,)
        Who speaks; recordings of nobody known make no trials.
    copies : array-like of shape (n_recordings,) or None, default=None
        Recordings with equal numbers are one, and not compared.
    random_state : int or RandomState, default=0
        Draws the recordings to compare where there are more than 2000.

    Returns
    -------
    Trials or None
        None where the model has no representation. The score is the cosine between two.

    Notes
    -----
    Of many speakers with few recordings each, 2000 recordings hold hardly two of one speaker. Where
    they would make fewer than 100 true claims, speakers are drawn instead, with up to 10
    recordings each.
    """
    if not hasattr(estimator, "transform"):
        return None
    rows = np.flatnonzero(pd.Series(speakers).notna())
    who = pd.factorize(pd.Series(speakers).iloc[rows])[0]
    if len(rows) > MOST_COMPARED:
        drawn = drawn_recordings(who, random_state)
        rows, who = rows[drawn], who[drawn]
    vectors = normalize(np.asarray(estimator.transform(X), dtype=np.float64)[rows])
    first, second = np.triu_indices(len(rows), k=1)
    if copies is not None:
        apart = np.asarray(copies)[rows]
        apart = apart[first] != apart[second]
        first, second = first[apart], second[apart]
    scores = (vectors @ vectors.T)[first, second]
    return Trials(scores, who[first] == who[second], rows[first], rows[second])


def speaker_eer(
    estimator: BaseEstimator,
    X: Matrix,
    y: Targets,
    *,
    task: str = "speaker",
    copies: Column | None = None,
) -> float:
    """Equal error rate of a fitted model, as a scorer wants it.

    Parameters
    ----------
    estimator : fitted estimator
        Of this package, or a pipeline that ends in one.
    X : array-like or DataFrame of shape (n_recordings, n_features)
        Recordings that were not learnt from.
    y : DataFrame, Series or array-like
        Targets with the column `task`, or one column.
    task : str, default="speaker"
        The column that says who speaks.
    copies : array-like of shape (n_recordings,) or None, default=None
        As for `pair_trials`.

    Returns
    -------
    float
        Between 0 and 1. NaN where the model gives no scores, or where all claims are true or all
        are false, as in a fold that holds one speaker.

    Raises
    ------
    TargetError
        There is no such task.

    Notes
    -----
    Speakers whom the model knows are claimed by each recording (`claim_trials`). If it knows none
    of them, as under the disjoint protocol, recordings are compared with each other
    (`pair_trials`). The two are different measurements: do not compare them.

    Examples
    --------
    >>> import numpy as np
    >>> from sfmforensics import SingleView
    >>> X = np.repeat(np.eye(2, 4, dtype="float32"), 10, axis=0)
    >>> y = pd.DataFrame({"speaker": np.repeat(["a", "b"], 10)})
    >>> speaker_eer(SingleView(max_epochs=20, random_state=0).fit(X, y), X, y)
    0.0
    """
    frame = as_frame(y)
    if task not in frame and frame.shape[1] > 1:
        raise TargetError(f"there is no task {task!r}; there are {', '.join(map(str, frame))}")
    speakers = frame[task] if task in frame else frame.iloc[:, 0]
    trials = claim_trials(estimator, X, speakers, task=task)
    if trials is None or not trials.same.any():
        trials = pair_trials(estimator, X, speakers, copies=copies)
    return float("nan") if trials is None else equal_error_rate(trials.scores, trials.same)


def _speaker_side(estimator: Any, task: str) -> tuple[Callable[[Matrix], Array], Any] | None:
    """What scores recordings (n_recordings, n_speakers), and the names of its columns, or None."""
    names = ("predict_log_proba", "predict_proba", "decision_function")
    way = next((name for name in names if hasattr(estimator, name)), None)
    if way is None:
        return None
    last = estimator[-1] if hasattr(estimator, "steps") else estimator
    labels, place = last.classes_, None
    if isinstance(labels, list):
        tasks = [name for name, kind in last.tasks_.items() if kind == "classification"]
        if task not in tasks:
            return None
        place = tasks.index(task)
        labels = labels[place]

    def ask(X: Matrix) -> Array:
        scores = getattr(estimator, way)(X)
        scores = scores if place is None else scores[place]
        if scores.ndim == 1:  # of two classes, scikit-learn gives one
            scores = np.column_stack([-scores, scores])
        if way == "predict_proba":
            scores = np.log(np.maximum(scores, np.finfo(np.float64).tiny))
        return scores

    return ask, labels


def where_curves_cross(same: Array, other: Array) -> FloatArray:
    """Equal error rates of counts by score.

    Examples
    --------
    >>> where_curves_cross(np.array([[0, 1, 1]]), np.array([[1, 1, 0]]))
    array([0.25])
    """
    if not same.shape[1]:
        return np.full(len(same), np.nan)
    caught, accepted = (np.cumsum(counts[:, ::-1], axis=1) for counts in (same, other))
    with np.errstate(invalid="ignore", divide="ignore"):
        false = np.column_stack([np.zeros(len(caught)), accepted / accepted[:, -1:]])
        missed = np.column_stack([np.ones(len(caught)), 1 - caught / caught[:, -1:]])
    gap = false - missed  # from -1 to 1, never falling
    after = np.argmax(gap >= 0, axis=1)
    rows = np.arange(len(gap))
    before = np.maximum(after - 1, 0)
    low, high = gap[rows, before], gap[rows, after]
    share = np.where(high > low, -low / np.where(high > low, high - low, 1), 0)
    rate = false[rows, before] + share * (false[rows, after] - false[rows, before])
    return np.where(np.isnan(gap).any(axis=1), np.nan, rate)
