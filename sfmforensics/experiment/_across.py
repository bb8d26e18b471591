"""Models over corpora: learnt from one, tested on another."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from sfmforensics.exceptions import TargetError
from sfmforensics.experiment._evaluate import Evaluation, evaluate
from sfmforensics.experiment._intervals import same_kind, within_group
from sfmforensics.metrics import (
    METRICS,
    bootstrap_intervals,
    eer_interval,
    holm,
    paired_bootstrap,
)
from sfmforensics.model_selection import SPEAKER, joined_groups, make_splits
from sfmforensics.results import (
    CROSS_COLUMNS,
    CROSS_COMPARISON_COLUMNS,
    CROSS_PREDICTION_COLUMNS,
)
from sfmforensics.targets import task_kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from sklearn.base import BaseEstimator

    from sfmforensics._types import Advance, Array, Column, IntArray, PathLike, Split

_FINER = 10
"""Resamples of a comparison by those of an interval: a probability is corrected for many others."""
OTHERS = "others"
"""In the place of a corpus that is learnt from: all but the one that is tested."""


@dataclass(frozen=True)
class CrossEvaluation:
    """What `evaluate_across` gives.

    Parameters
    ----------
    scores : DataFrame
        Columns train, test, model, task, metric, value, low, high, recordings, speakers: a row for
        each corpus that was learnt from (``train``; "others" for all but the one tested), corpus
        that was tested, model and measure.
    comparisons : DataFrame
        Columns train, test, task, metric, first, second, difference, low, high, p, p_holm,
        speakers: of each two models the difference on the same recordings, see `paired_bootstrap`;
        corrected, as Holm does, for all that are compared by one measure of a task.
    predictions : DataFrame
        Columns path, corpus, train, model, task, true, predicted: each answer.
    left_out : dict of str to int
        By "train > test": recordings that were not tested, since whoever speaks in them, or a copy
        of one, is in what was learnt from.
    """

    scores: pd.DataFrame
    comparisons: pd.DataFrame
    predictions: pd.DataFrame
    left_out: dict[str, int]


def evaluate_across(
    X: pd.DataFrame | Array,
    target: pd.DataFrame,
    corpora: Column,
    models: Mapping[str, BaseEstimator],
    *,
    views: str,
    paths: Sequence[str] | None = None,
    tasks: Sequence[str] | None = None,
    copies: Column | None = None,
    details: pd.DataFrame | None = None,
    standardise: bool = False,
    balance: Sequence[Any] | None = None,
    folds: int = 5,
    seed: int = 0,
    n_resamples: int = 1000,
    n_jobs: int = 1,
    advance: Advance | None = None,
    keep: PathLike | None = None,
) -> CrossEvaluation:
    """Fit models on each corpus, and score them on each.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_recordings, n_features)
        The views, of all corpora.
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels under the same names, as `sfmforensics.datasets.load_corpora` gives them; what a
        corpus does not have is missing.
    corpora : array-like of shape (n_recordings,)
        The corpus of each recording.
    models : dict of str to estimator
        By name; a clone is fitted each time.
    views : str
        Name of the views.
    paths : sequence of str or None, default=None
        Name of each recording; numbers by default.
    tasks : sequence of str or None, default=None
        Columns of `target` that are learnt and scored, all by default.
    copies : array-like of shape (n_recordings,) or None, default=None
        Recordings with equal numbers are copies of one.
    details : DataFrame of shape (n_recordings, n_details) or None, default=None
        What else is known of the recordings, for `balance`.
    standardise : bool, default=False
        Whether the views of each corpus are standardised by its own recordings where it is tested
        by another one, or learnt from for that. Of what is tested these are recordings without
        their labels: the test is transductive, and needs many recordings from there.
    balance : sequence of str or None, default=None
        Columns of `target` or `details`, or "corpus", each combination of whose labels counts alike
        in what is learnt, as for `evaluate`. Of one corpus "corpus" alone changes nothing.
    folds : int, default=5
        Number of folds of a corpus with itself, under the disjoint protocol.
    seed : int, default=0
        Seed of the folds and of the resampling.
    n_resamples : int, default=1000
        Number of resamples.
    n_jobs : int, default=1
        Fits at a time; each in a process of its own.
    advance : callable or None, default=None
        Called after each fit, with 1 and a text that says which.
    keep : path-like or None, default=None
        Folder that keeps each fit as soon as it is done, as for `evaluate`.

    Returns
    -------
    CrossEvaluation

    Raises
    ------
    TargetError
        There are fewer than two corpora, one is called "others", or one has too few speakers for
        folds of its own; or a column to balance by is not there.
    ParameterError
        A model takes no weights, and something is to be balanced.

    Notes
    -----
    A corpus is tested whole by what was learnt from all of another; with itself it is under the
    disjoint protocol, and scores are of all its folds together. From three corpora on each is also
    tested by what was learnt from all others. Recordings of a voice that is in what was learnt from
    (a recording is in both corpora) are not tested. Nobody can be named, so that of the speaker the
    one score is the equal error rate of comparing recordings of the tested corpus. Resampled are
    speakers.

    Examples
    --------
    >>> from sfmforensics.presets import make_estimator
    >>> rng = np.random.default_rng(0)
    >>> speaker, emotion = np.repeat(list("abcdefgh"), 6), ["x", "y"] * 24
    >>> target = pd.DataFrame({"speaker": speaker, "emotion": emotion})
    >>> X = (target["emotion"] == "x").to_numpy(float)[:, np.newaxis] + rng.normal(size=(48, 3)) / 5
    >>> corpora = np.repeat(["one", "two"], 24)
    >>> found = evaluate_across(
    ...     X, target, corpora, {"svm": make_estimator("svm")}, views="mine", tasks=["emotion"],
    ...     folds=2, n_resamples=50,
    ... )
    >>> rows = found.scores[found.scores["metric"] == "uar"]
    >>> rows[["train", "test"]].to_numpy().tolist()
    [['one', 'one'], ['one', 'two'], ['two', 'one'], ['two', 'two']]
    """
    corpora = np.asarray(corpora, dtype=object)
    names = list(dict.fromkeys(corpora))
    if len(names) < 2 or OTHERS in names:
        problem = f"one is called {OTHERS!r}" if OTHERS in names else f"there is {len(names)}"
        raise TargetError(f"corpora are tested against each other, and {problem}; give two or more")
    alone = np.arange(len(target)) if copies is None else np.asarray(copies)
    voices = joined_groups(target[SPEAKER], alone) if SPEAKER in target else alone
    splits, left_out = _splits(target, corpora, names, voices, alone, folds, seed)
    # With itself a corpus is standardised by its training side, as the models do it.
    within = {_name(name, name): splits.pop(_name(name, name)) for name in names}
    known = None
    if balance is not None:
        known = pd.DataFrame(index=range(len(target))) if details is None else details
        known = known.assign(corpus=corpora)
    inputs = [(X, within), (_standardised(X, corpora) if standardise else X, splits)]
    evaluation = _as_one(
        [
            evaluate(
                features,
                target,
                models,
                of_some,
                views=views,
                paths=paths,
                tasks=tasks,
                copies=alone,
                details=known,
                balance=balance,
                seed=seed,
                n_jobs=n_jobs,
                advance=advance,
                keep=keep,
                keep_fitted=False,
            )
            for features, of_some in inputs
        ]
    )
    cells = list(_cells(names))
    drawn: dict[str, Any] = {"n_resamples": n_resamples, "random_state": seed}
    scores = [
        row
        for train, test in cells
        for model in models
        for row in _scored(evaluation, target, corpora, voices, train, test, model, drawn)
    ]
    comparisons = [
        row
        for train, test in cells
        for pair in combinations(models, 2)
        for row in _compared(evaluation, target, corpora, voices, train, test, pair, drawn)
    ]
    compared = pd.DataFrame(comparisons, columns=CROSS_COMPARISON_COLUMNS)
    families = compared.groupby(["task", "metric"], sort=False)["p"]
    compared["p_holm"] = families.transform(lambda p: holm(p.to_numpy()))
    answers = pd.concat(
        [
            part.assign(
                corpus=corpora[evaluation.rows[model]],
                train=[_train_of(name) for name in part["protocol"]],
                model=model,
            )
            for model, part in evaluation.predictions.items()
        ],
        ignore_index=True,
    )
    return CrossEvaluation(
        pd.DataFrame(scores, columns=CROSS_COLUMNS),
        compared,
        answers[CROSS_PREDICTION_COLUMNS],
        left_out,
    )


def _standardised(X: pd.DataFrame | Array, corpora: Array) -> pd.DataFrame | Array:
    """Columns of mean 0 and deviation 1 within each corpus; a constant is 0."""
    values = X.to_numpy(dtype=np.float32, copy=True) if hasattr(X, "to_numpy") else np.array(X)
    for name in dict.fromkeys(corpora):
        rows = corpora == name
        values[rows] = StandardScaler().fit_transform(values[rows])
    return pd.DataFrame(values, X.index, X.columns) if isinstance(X, pd.DataFrame) else values


def _as_one(parts: Sequence[Evaluation]) -> Evaluation:
    """Several evaluations of the same models, of different folds."""
    first = parts[0]
    return Evaluation(
        pd.concat([part.scores for part in parts], ignore_index=True),
        {
            model: pd.concat([part.predictions[model] for part in parts], ignore_index=True)
            for model in first.predictions
        },
        {model: np.concatenate([part.rows[model] for part in parts]) for model in first.rows},
        {key: trials for part in parts for key, trials in part.trials.items()},
    )


def _cells(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What is learnt from, and what is tested."""
    for train in [*names, *([OTHERS] if len(names) > 2 else [])]:
        for test in names:
            yield train, test


def _name(train: str, test: str | None = None) -> str:
    """What the folds of a cell are called: those of a corpus with itself, or with all others."""
    return f"{train} > {test or 'the others'}"


def _train_of(name: str) -> str:
    return name.rpartition(" > ")[0]


def _name_of_cell(train: str, test: str) -> str:
    return _name(train, test if train in (test, OTHERS) else None)


def _splits(
    target: pd.DataFrame,
    corpora: Array,
    names: Sequence[str],
    voices: IntArray,
    copies: IntArray,
    folds: int,
    seed: int,
) -> tuple[dict[str, list[Split]], dict[str, int]]:
    """Folds by name, and how many recordings are not tested since their voice is learnt from."""
    splits: dict[str, list[Split]] = {}
    left_out: dict[str, int] = {}
    for name in names:
        own, others = np.flatnonzero(corpora == name), np.flatnonzero(corpora != name)
        try:
            within = make_splits(
                target.iloc[own], "disjoint", folds=folds, seed=seed, copies=copies[own]
            )
        except TargetError as error:
            raise TargetError(f"{name}: {error}") from error
        splits[_name(name, name)] = [(own[train], own[test]) for train, test in within]
        for train, test, title in (
            (own, others, _name(name)),
            *(((others, own, _name(OTHERS, name)),) if len(names) > 2 else ()),
        ):
            heard = np.isin(voices[test], voices[train])
            if heard.any():
                left_out[title] = int(heard.sum())
            splits[title] = [(train, test[~heard])]
    return splits, left_out


def _answers(
    evaluation: Evaluation, corpora: Array, train: str, test: str, model: str
) -> pd.DataFrame:
    """Answers of one model about one corpus, with their rows."""
    answers = evaluation.predictions[model].assign(row=evaluation.rows[model])
    inside = (answers["protocol"] == _name_of_cell(train, test)) & (corpora[answers["row"]] == test)
    return answers[inside & answers["predicted"].notna() & answers["true"].notna()]


def _scored(
    evaluation: Evaluation,
    target: pd.DataFrame,
    corpora: Array,
    voices: IntArray,
    train: str,
    test: str,
    model: str,
    drawn: Mapping[str, Any],
) -> Iterator[list[Any]]:
    answers = _answers(evaluation, corpora, train, test, model)
    for task, part in answers.groupby("task", sort=False):
        units = voices[part["row"]]
        column = target[task]
        intervals = bootstrap_intervals(
            same_kind(part["true"], column),
            same_kind(part["predicted"], column),
            METRICS.of(task_kind(column)),
            units=units,
            **drawn,
        )
        for metric, interval in intervals.items():
            bounds = interval.value, interval.low, interval.high
            yield [train, test, model, task, metric, *bounds, len(part), len(np.unique(units))]
    inside = corpora == test
    trials = [
        within_group(fold, inside)
        for fold in evaluation.trials.get((model, _name_of_cell(train, test)), ())
    ]
    if trials:
        interval = eer_interval(trials, voices, **drawn)
        if interval.n:
            rows = np.unique(np.concatenate([[*fold.first, *fold.second] for fold in trials]))
            bounds = interval.value, interval.low, interval.high
            counts = len(rows), len(np.unique(voices[rows.astype(int)]))
            yield [train, test, model, SPEAKER, "eer", *bounds, *counts]


def _compared(
    evaluation: Evaluation,
    target: pd.DataFrame,
    corpora: Array,
    voices: IntArray,
    train: str,
    test: str,
    pair: tuple[str, str],
    drawn: Mapping[str, Any],
) -> Iterator[list[Any]]:
    first, second = (
        _answers(evaluation, corpora, train, test, model).set_index(["task", "row"])
        for model in pair
    )
    both = first.join(second[["predicted"]], rsuffix="_2", how="inner").reset_index()
    for task, part in both.groupby("task", sort=False):
        column = target[task]
        for metric in METRICS.of(task_kind(column)):
            test_result = paired_bootstrap(
                same_kind(part["true"], column),
                same_kind(part["predicted"], column),
                same_kind(part["predicted_2"], column),
                metric,
                units=voices[part["row"]],
                n_resamples=_FINER * drawn["n_resamples"],
                random_state=drawn["random_state"],
            )
            yield [
                *(train, test, task, metric, *pair),
                *(test_result.difference, test_result.low, test_result.high, test_result.p),
                *(np.nan, test_result.units),
            ]
