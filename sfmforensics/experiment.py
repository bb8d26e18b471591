"""One experiment: models over the folds of the closed and the disjoint protocol, to tables."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone

from sfmforensics.exceptions import SFMForensicsError, SplitWarning, TargetError
from sfmforensics.metrics import task_score
from sfmforensics.model_selection import TargetGroupKFold, TargetStratifiedKFold, joined_groups
from sfmforensics.targets import CLASSIFICATION, task_kind

PROTOCOLS = ("closed", "disjoint")
SPEAKER = "speaker"

SCORE_COLUMNS = ["model", "views", "protocol", "fold", "task", "metric", "value"]
PREDICTION_COLUMNS = ["path", "fold", "protocol", "task", "true", "predicted"]

_METRICS = {CLASSIFICATION: ("accuracy", "uar"), "regression": ("rmse", "mae")}


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Parameters
    ----------
    scores : DataFrame
        Columns model, views, protocol, fold, task, metric, value: shares in [0, 1], and errors in
        the unit of the column (years).
    predictions : dict of str to DataFrame
        By model: columns path, fold, protocol, task, true, predicted.
    """

    scores: pd.DataFrame
    predictions: dict


def protocols_of(protocol):
    """The protocols that a name stands for.

    Parameters
    ----------
    protocol : {"closed", "disjoint", "both"}
        Name.

    Returns
    -------
    tuple of str

    Raises
    ------
    SFMForensicsError
        No protocol has this name.

    Examples
    --------
    >>> protocols_of("both")
    ('closed', 'disjoint')
    """
    if protocol == "both":
        return PROTOCOLS
    if protocol not in PROTOCOLS:
        raise SFMForensicsError(
            f"no protocol is called {protocol!r}; there are closed, disjoint, both"
        )
    return (protocol,)


def make_splits(target, protocol, *, folds=5, seed=0, copies=None):
    """Folds of one protocol.

    Parameters
    ----------
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels; "disjoint" needs a column "speaker".
    protocol : {"closed", "disjoint"}
        "closed" has every speaker on both sides, stratified by speaker (the paper's five folds);
        "disjoint" has every speaker on one side only.
    folds : int, default=5
        Number of folds.
    seed : int, default=0
        Seed of the shuffle.
    copies : array-like of shape (n_recordings,) or None, default=None
        Recordings with equal numbers are copies of one, and stay on one side; under "disjoint"
        speakers who share a copy are taken for one voice. See `sfmforensics.datasets.find_copies`.

    Returns
    -------
    list of (ndarray, ndarray)
        Rows of the training and of the test side.

    Raises
    ------
    TargetError
        There is no label, or too few recordings; under "disjoint", too few speakers.

    Warns
    -----
    SplitWarning
        There are fewer speakers than folds: each is left out once. Recordings without a speaker
        are on neither side under "disjoint".

    Examples
    --------
    >>> import pandas as pd
    >>> target = pd.DataFrame({"speaker": list("aabbcc")})
    >>> for _, test in make_splits(target, "disjoint", folds=3):
    ...     print(target.speaker[test].tolist())
    ['b', 'b']
    ['c', 'c']
    ['a', 'a']
    """
    if not target.shape[1]:
        raise TargetError("the targets have no column; give labels of at least one task")
    if not 2 <= folds <= len(target):
        found = "1 recording" if len(target) == 1 else f"{len(target)} recordings"
        remedy = f"use 2 to {len(target)} folds" if len(target) > 1 else "add recordings"
        raise TargetError(f"{folds} folds of {found}; {remedy}")
    rows = np.zeros(len(target))
    if protocol == "disjoint":
        if SPEAKER not in target:
            raise TargetError(
                "the disjoint protocol needs a column 'speaker'; the labels have "
                f"{', '.join(map(str, target.columns))}; use --protocol closed"
            )
        folds = _folds_of_speakers(target[SPEAKER], folds, copies)
        splitter = TargetGroupKFold(folds, on=SPEAKER, shuffle=True, random_state=seed)
    else:
        splitter = TargetStratifiedKFold(
            folds, on=_stratum(target), shuffle=True, random_state=seed
        )
    return list(splitter.split(rows, target, groups=copies))


def evaluate(
    X,
    target,
    models,
    splits,
    *,
    views,
    paths=None,
    n_jobs=1,
    advance=None,
):
    """Fit and score models over the folds of each protocol.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_recordings, n_features)
        The views, computed once: embedders learn nothing, so the folds share them.
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels; missing ones count neither in training nor in scores.
    models : dict of str to estimator
        By name; a clone is fitted in each fold.
    splits : dict of str to list of (ndarray, ndarray)
        By protocol, as `make_splits` gives them.
    views : str
        Name of the views, for the tables.
    paths : sequence of str or None, default=None
        Name of each recording, for the tables; numbers by default.
    n_jobs : int, default=1
        Folds at a time; each in a process of its own.
    advance : callable or None, default=None
        Called after each fold, with 1 and a text that says which.

    Returns
    -------
    Evaluation

    Notes
    -----
    Under "disjoint" the speakers of the test side were never heard, so speaker recognition is not
    defined there: it has no scores and no predictions.

    Examples
    --------
    >>> from sfmforensics.datasets import make_speech_corpus
    >>> from sfmforensics.presets import make_estimator
    >>> from sfmforensics.views import make_views
    >>> corpus = make_speech_corpus(4, 4, duration=0.4)
    >>> X = make_views("mfcc").fit_transform(corpus.data)
    >>> found = evaluate(
    ...     X,
    ...     corpus.target,
    ...     {"svm": make_estimator("svm")},
    ...     {"disjoint": make_splits(corpus.target, "disjoint", folds=2)},
    ...     views="mfcc",
    ... )
    >>> found.scores.task.unique().tolist()
    ['emotion', 'gender', 'age']
    """
    paths = [str(i) for i in range(len(target))] if paths is None else list(map(str, paths))
    jobs = [
        (name, protocol, fold, train, test)
        for protocol, folds in splits.items()
        for name in models
        for fold, (train, test) in enumerate(folds)
    ]
    parallel = Parallel(n_jobs=n_jobs, return_as="generator")
    outcomes = parallel(
        delayed(_predict_fold)(models[name], X, target, train, test)
        for name, _, _, train, test in jobs
    )
    scores, predictions = [], {name: [] for name in models}
    for (name, protocol, fold, _, test), predicted in zip(jobs, outcomes, strict=True):
        true = target.iloc[test].reset_index(drop=True)
        tasks = [task for task in target if not (protocol == "disjoint" and task == SPEAKER)]
        for task in tasks:
            learnt = task in predicted
            for metric in _METRICS[task_kind(target[task])]:
                value = task_score(true, predicted, task, metric) if learnt else np.nan
                scores.append([name, views, protocol, fold, task, metric, value])
            predictions[name].append(
                pd.DataFrame(
                    {
                        "path": [paths[row] for row in test],
                        "fold": fold,
                        "protocol": protocol,
                        "task": task,
                        "true": true[task].astype(object),
                        "predicted": predicted[task].astype(object) if learnt else None,
                    }
                )
            )
        if advance is not None:
            advance(1, f"{name}, {protocol}, fold {fold + 1}")
    return Evaluation(
        pd.DataFrame(scores, columns=SCORE_COLUMNS),
        {
            name: pd.concat(parts, ignore_index=True)[PREDICTION_COLUMNS]
            for name, parts in predictions.items()
        },
    )


def audit(target, copies, splits):
    """What stands in the way of an honest split, in numbers.

    Parameters
    ----------
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels.
    copies : array-like of shape (n_recordings,)
        Recordings with equal numbers are copies of one.
    splits : dict of str to list of (ndarray, ndarray)
        By protocol.

    Returns
    -------
    dict
        "copies": recordings that are copies of another one; "aliases": lists of speakers who share
        a copy; "left_out": recordings on neither side under "disjoint", for want of a speaker;
        "shared_copies": by protocol, test recordings whose copy is in training, summed over folds.

    Examples
    --------
    >>> import pandas as pd
    >>> target = pd.DataFrame({"speaker": ["46", "53", "9", "9"]})
    >>> audit(target, [0, 0, 1, 2], {})["aliases"]
    [['46', '53']]
    """
    copies = np.asarray(copies)
    found = {
        "copies": len(copies) - len(np.unique(copies)),
        "aliases": [],
        "left_out": 0,
        "shared_copies": {
            protocol: int(sum(np.isin(copies[test], copies[train]).sum() for train, test in folds))
            for protocol, folds in splits.items()
        },
    }
    if SPEAKER in target:
        voices = joined_groups(target[SPEAKER], copies)
        for _, names in target[SPEAKER].dropna().groupby(voices[target[SPEAKER].notna()]):
            speakers = sorted(map(str, names.unique()))
            if len(speakers) > 1:
                found["aliases"].append(speakers)
    if "disjoint" in splits:
        found["left_out"] = int(target[SPEAKER].isna().sum())
    return found


def _stratum(target):
    """What "closed" is stratified by: the speaker, or else the first column of labels."""
    if SPEAKER in target:
        return SPEAKER
    labels = [name for name in target if task_kind(target[name]) == CLASSIFICATION]
    return labels[0] if labels else target.columns[0]


def _folds_of_speakers(speakers, folds, copies):
    """As many folds as asked for, or one for each voice if these are fewer."""
    known = speakers.notna().to_numpy()
    labels = [speakers[known]] + ([] if copies is None else [np.asarray(copies)[known]])
    voices = len(np.unique(joined_groups(*labels))) if known.any() else 0
    if voices < 2:
        raise TargetError(
            f"the disjoint protocol needs two speakers or more, and there is {voices}; "
            "use --protocol closed"
        )
    if voices < folds:
        warnings.warn(
            f"disjoint: {voices} speakers cannot make {folds} folds; each is left out once, in "
            f"{voices} folds",
            SplitWarning,
            stacklevel=3,
        )
    return min(folds, voices)


def _predict_fold(model, X, target, train, test):
    rows = X.iloc if hasattr(X, "iloc") else X
    # A task of which this fold's training side has no label cannot be learnt here.
    known = target.columns[target.iloc[train].notna().any()]
    fitted = clone(model).fit(rows[train], target.iloc[train][known])
    predicted = fitted.predict(rows[test])
    return predicted.reset_index(drop=True)
