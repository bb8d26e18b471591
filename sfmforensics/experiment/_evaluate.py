"""Models over the folds of each protocol, to tables of scores and of predictions."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.validation import has_fit_parameter

from sfmforensics._utils.pipelines import weight_parameter
from sfmforensics.exceptions import ParameterError, SplitWarning, TargetError
from sfmforensics.experiment._checkpoints import FoldStore
from sfmforensics.metrics import (
    METRICS,
    Trials,
    claim_trials,
    equal_error_rate,
    mean_skill,
    pair_trials,
    task_score,
)
from sfmforensics.model_selection import (
    PROTOCOLS,
    SPEAKER,
    balanced_weights,
    balancing_columns,
    check_target,
    joined_groups,
    make_splits,
    never_heard,
)
from sfmforensics.results import PREDICTION_COLUMNS, SCORE_COLUMNS
from sfmforensics.targets import CLASSIFICATION, task_kind
from sfmforensics.targets._bands import labels_as_written

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any, Self

    from sfmforensics._types import Advance, Array, Column, IntArray, Matrix, PathLike, Split


class LearntTasks(BaseEstimator):
    """Fit a model on those columns of the targets that hold a label at all.

    Notes
    -----
    A fold may hold a label of a task in its test side alone. That task has no answers then; all
    others have.

    Examples
    --------
    >>> from sfmforensics import PerTask
    >>> y = pd.DataFrame({"gender": ["f", "m"], "age": [None, None]})
    >>> LearntTasks(PerTask()).fit([[0.0], [1.0]], y).predict([[0.9]]).columns.tolist()
    ['gender']
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        voices: Column | None = None,
        balance: pd.DataFrame | None = None,
    ) -> None:
        self.estimator = estimator
        self.voices = voices
        self.balance = balance

    def fit(self, X: Matrix, y: pd.DataFrame) -> Self:
        """Fit the model on what can be learnt."""
        labels = y[y.columns[y.notna().any()]]
        self.learnt_, self.estimator_ = list(labels.columns), None
        if self.learnt_:
            model = clone(self.estimator)
            told = self._groups(model, y.index) | self._weights(model, y.index)
            self.estimator_ = model.fit(X, labels, **told)
        return self

    def predict(self, X: Any) -> pd.DataFrame:
        """Answer what was learnt: a frame with a column for each such task."""
        if self.estimator_ is None:
            return pd.DataFrame(index=np.arange(len(X)))
        answers = self.estimator_.predict(X)
        if hasattr(answers, "columns"):
            return answers.reset_index(drop=True)
        return pd.DataFrame(np.asarray(answers).reshape(len(X), -1), columns=self.learnt_)

    def _groups(self, model: BaseEstimator, rows: Any) -> dict[str, Array]:
        """What `fit` is told, so that speakers stay on one side where training stops early."""
        if self.voices is None:
            return {}
        stops = [
            name
            for name, value in model.get_params(deep=True).items()
            if name.rpartition("__")[2] == "early_stopping" and value is True
        ]
        if not stops:
            return {}
        step = stops[0].partition("__")[0]
        groups = np.asarray(self.voices)[rows]
        if stops == ["early_stopping"] and has_fit_parameter(model, "groups"):
            return {"groups": groups}
        inner = getattr(model, "named_steps", {}).get(step)
        if stops == [f"{step}__early_stopping"] and has_fit_parameter(inner, "groups"):
            return {f"{step}__groups": groups}
        warnings.warn(
            f"{type(model).__name__} stops its training early by recordings of speakers that it "
            "learns from; the test side is not touched by this, but the stop may come late",
            SplitWarning,
            stacklevel=2,
        )
        return {}

    def _weights(self, model: BaseEstimator, rows: Any) -> dict[str, Array]:
        """What `fit` is told of recordings that are balanced; nothing where all count alike."""
        if self.balance is None:
            return {}
        weights = balanced_weights(self.balance.iloc[rows])
        return {} if (weights == 1).all() else {cast("str", weight_parameter(model)): weights}


def skill(model: BaseEstimator, X: Matrix, y: pd.DataFrame, tasks: Iterable[Any]) -> float:
    """What a search maximises: mean skill over tasks that were learnt; 0 where none was."""
    answers = model.predict(X)
    learnt = [task for task in tasks if task in answers]
    score = mean_skill(y[learnt], answers) if learnt else np.nan
    return score if score == score else 0.0


CHOICE_COLUMNS = ["model", "views", "protocol", "fold", "parameter", "value"]

INNER_FOLDS = 3


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
    rows : dict of str to ndarray of int
        By model: position of the recording of each row of its predictions.
    trials : dict of (str, str) to list of Trials
        By model and protocol: what the equal error rate of each fold rests on, where the model
        gives scores of speakers. Rows are those of all recordings.
    fitted : dict of (str, str) to estimator
        By model and protocol: what was fitted in the first fold, to be looked at. Not there for a
        fold that was kept from before, if only code could have kept the model.
    choices : DataFrame
        Columns model, views, protocol, fold, parameter, value: what a nested search chose.
    kept : int
        Number of folds that were taken from `keep`.
    """

    scores: pd.DataFrame
    predictions: dict[str, pd.DataFrame]
    rows: dict[str, IntArray] = field(default_factory=dict)
    trials: dict[tuple[str, str], list[Trials]] = field(default_factory=dict)
    fitted: dict[tuple[str, str], BaseEstimator] = field(default_factory=dict)
    choices: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CHOICE_COLUMNS))
    kept: int = 0


def evaluate(
    X: pd.DataFrame | Array,
    target: pd.DataFrame,
    models: Mapping[str, BaseEstimator],
    splits: Mapping[str, Sequence[Split]],
    *,
    views: str,
    paths: Sequence[str] | None = None,
    tasks: Sequence[str] | None = None,
    copies: Column | None = None,
    details: pd.DataFrame | None = None,
    search: Mapping[str, Sequence[Any]] | None = None,
    balance: Sequence[Any] | None = None,
    seed: int = 0,
    n_jobs: int = 1,
    advance: Advance | None = None,
    keep: PathLike | None = None,
    keep_fitted: bool = True,
) -> Evaluation:
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
    tasks : sequence of str or None, default=None
        Columns of `target` that are learnt and scored, all by default; the others, such as the
        speaker, only say what a search keeps on one side of its folds.
    copies : array-like of shape (n_recordings,) or None, default=None
        Recordings with equal numbers are copies of one: a search keeps them on one side of its own
        folds, and they are not compared with each other for the equal error rate.
    details : DataFrame of shape (n_recordings, n_details) or None, default=None
        What else is known of the recordings, as a corpus has it: a search under "text" and
        "speaker+text" draws its folds by the sentences, and `balance` may name a column.
    search : dict of str to list, or None, default=None
        Values of parameters to choose from, by 3 folds of the training side that are drawn as the
        outer ones are: under "disjoint" no speaker is on two sides of them either (under "given",
        where no test speaker is in training). Chosen is what
        has the best `mean_skill` over the tasks that the protocol defines, with one network each;
        the chosen is then fitted with as many as the estimator's ``n_members`` says.
    balance : sequence of str or None, default=None
        Columns of `target` or `details`, each combination of whose labels counts alike in what is
        learnt: see `balanced_weights`. It weighs the recordings of each training side by
        themselves, and of a search those of each of its own. Scores weigh nothing.
    seed : int, default=0
        Seed of the folds of the search.
    n_jobs : int, default=1
        Folds at a time; each in a process of its own.
    advance : callable or None, default=None
        Called after each fold, with 1 and a text that says which.
    keep : path-like or None, default=None
        Folder that keeps each fold as soon as it is done. A fold that is there, whole and of the
        same vectors, labels, recordings, parameters and versions, is not computed again, and its
        results are the same to the last bit.
    keep_fitted : bool, default=True
        Whether to give, and to keep, what was fitted in each first fold.

    Returns
    -------
    Evaluation

    Raises
    ------
    TargetError
        `check_target` refuses the labels, one of `tasks` or of `balance` is no column, or a
        training side cannot be split again for the search; before anything is fitted.
    ParameterError
        A model takes no weights, and something is to be balanced.

    Notes
    -----
    Under "disjoint" and "speaker+text" the speakers of the test side were never heard, and under
    "given" they may not be (see `never_heard`), so nobody can be recognised: of the speaker there
    are no answers, and the one score is the equal error rate of comparing recordings by their fused
    representation. Under others, as "closed", the equal error rate is that of each recording
    claiming to be each speaker of the training side. The two cannot be compared.

    Examples
    --------
    >>> from sfmforensics.datasets import make_speech_corpus
    >>> from sfmforensics.presets import make_estimator
    >>> from sfmforensics.views import make_views
    >>> corpus = make_speech_corpus(4, 4, duration=0.4)
    >>> X = make_views("mfcc").fit_transform(corpus.data)
    >>> evaluation = evaluate(
    ...     X,
    ...     corpus.target,
    ...     {"svm": make_estimator("svm")},
    ...     {"disjoint": make_splits(corpus.target, "disjoint", folds=2)},
    ...     views="mfcc",
    ... )
    >>> evaluation.scores.task.unique().tolist()
    ['emotion', 'gender', 'age']
    """
    folds = PlannedFolds(
        *(X, target, models, splits),
        views=views,
        paths=paths,
        tasks=tasks,
        copies=copies,
        details=details,
        search=search,
        balance=balance,
        seed=seed,
        keep=keep,
        keep_fitted=keep_fitted,
    )
    computed = Parallel(n_jobs=n_jobs, return_as="generator")(folds.missing())
    return folds.gathered(computed, advance)


class PlannedFolds:
    """The folds of an evaluation: which there are, which of them to compute, what they give.

    Whoever has several evaluations computes the folds of all of them at once, see
    `sfmforensics.workflow.reproduce_tables`.
    """

    def __init__(
        self,
        X: pd.DataFrame | Array,
        target: pd.DataFrame,
        models: Mapping[str, BaseEstimator],
        splits: Mapping[str, Sequence[Split]],
        *,
        views: str,
        paths: Sequence[object] | None = None,
        tasks: Sequence[Any] | None = None,
        copies: Column | None = None,
        details: pd.DataFrame | None = None,
        search: Mapping[str, Sequence[Any]] | None = None,
        balance: Sequence[Any] | None = None,
        seed: int = 0,
        keep: PathLike | None = None,
        keep_fitted: bool = True,
    ) -> None:
        check_target(target, len(X))
        unknown = [task for task in tasks or () if task not in target]
        if unknown:
            raise TargetError(
                f"there is no column {unknown[0]!r} to be learnt; the targets have "
                f"{', '.join(map(str, target.columns))}"
            )
        balanced = None
        if balance is not None:
            balanced = balancing_columns(balance, target, details)
            _refuse_weightless(models)
        self._models, self._target, self._views = models, target, views
        self._keep_fitted = keep_fitted
        self._paths = [str(i) for i in range(len(target))] if paths is None else [*map(str, paths)]
        self._jobs = [
            (name, protocol, fold, train, test)
            for protocol, folds in splits.items()
            for name in models
            for fold, (train, test) in enumerate(folds)
        ]
        self._unheard = {
            protocol: never_heard(protocol, target, folds) for protocol, folds in splits.items()
        }
        self._inner = {
            (protocol, fold): self._inner_folds(protocol, train, copies, details, seed)
            for protocol, folds in splits.items()
            for fold, (train, _) in enumerate(folds if search else ())
        }
        # Each by itself, not bound to the function: a cluster then gets them once, not with each
        # job.
        self._shared: dict[str, Any] = {
            "X": X,
            "target": target,
            "copies": copies,
            "search": search,
            "tasks": None if tasks is None else list(tasks),
            "balance": balanced,
        }
        self._store = FoldStore(keep, models, seed=seed, **self._shared)
        self._kept = [self._store.read(*job) for job in self._jobs]
        self._missing = [
            job for job, kept in zip(self._jobs, self._kept, strict=True) if kept is None
        ]

    def _inner_folds(
        self,
        protocol: str,
        train: IntArray,
        copies: Column | None,
        details: pd.DataFrame | None,
        seed: int,
    ) -> list[Split]:
        """Folds of a training side, drawn as the outer ones are; of what is given, by its kind."""
        within = None if copies is None else np.asarray(copies)[train]
        known = None if details is None else details.iloc[train]
        drawn = protocol
        if PROTOCOLS.get(protocol, PROTOCOLS["closed"]).speakers is None:
            drawn = "disjoint" if self._unheard[protocol] else "closed"
        try:
            return make_splits(
                self._target.iloc[train],
                drawn if drawn in PROTOCOLS else "closed",
                folds=INNER_FOLDS,
                seed=seed,
                copies=within,
                details=known,
            )
        except TargetError as error:
            raise TargetError(
                f"the search splits the training side of each {protocol} fold again, and one "
                f"cannot be split ({error}); leave out the search, or use more folds"
            ) from error

    def missing(self) -> Iterator[Any]:
        """Calls for joblib: the folds that were not kept, in the order in which they are wanted."""
        for name, protocol, fold, train, test in self._missing:
            yield delayed(_run_fold)(
                *(self._models[name], self._unheard[protocol], train, test),
                *(self._keep_fitted and fold == 0, self._inner.get((protocol, fold))),
                **self._shared,
            )

    def _outcomes(self, computed: Iterator[Any]) -> Iterator[Any]:
        """What each fold gave; what is new is kept here, not where it was computed."""
        for job in self._jobs:
            outcome = self._kept.pop(0)
            if outcome is None:
                outcome = next(computed)
                self._store.write(*job, outcome)
            yield job, outcome

    def gathered(self, computed: Iterator[Any], advance: Advance | None = None) -> Evaluation:
        """Tables of all folds, of what was kept and of the next that are computed."""
        tasks, target = self._shared["tasks"], self._target
        labels = target if tasks is None else target[tasks]
        scores, choices = [], []
        predictions: dict[str, list[pd.DataFrame]] = {name: [] for name in self._models}
        tested: dict[str, list[IntArray]] = {name: [] for name in self._models}
        trials: dict[tuple[str, str], list[Trials]] = {}
        fitted_first = {}
        for (name, protocol, fold, _, test), outcome in self._outcomes(computed):
            predicted, compared, chosen, fitted = outcome
            row = [name, self._views, protocol, fold]
            of_fold = _fold_scores(labels.iloc[test], self._unheard[protocol], outcome)
            scores += [[*row, *score] for score in of_fold]
            choices += [[*row, parameter, value] for parameter, value in chosen.items()]
            if fitted is not None:
                fitted_first[name, protocol] = fitted
            if compared is not None:
                trials.setdefault((name, protocol), []).append(compared)
            for task in _answered(labels, self._unheard[protocol]):
                answers = predicted[task].astype(object) if task in predicted else None
                tested[name].append(test)
                predictions[name].append(
                    pd.DataFrame(
                        {
                            "path": [self._paths[row] for row in test],
                            "fold": fold,
                            "protocol": protocol,
                            "task": task,
                            "true": labels_as_written(target[task].iloc[test]),
                            "predicted": answers,
                        }
                    )
                )
            if advance is not None:
                advance(1, f"{name}, {protocol}, fold {fold + 1}")
        empty = pd.DataFrame(columns=PREDICTION_COLUMNS)
        return Evaluation(
            pd.DataFrame(scores, columns=SCORE_COLUMNS),
            {
                name: pd.concat(parts, ignore_index=True)[PREDICTION_COLUMNS] if parts else empty
                for name, parts in predictions.items()
            },
            {name: np.concatenate([[], *parts]).astype(int) for name, parts in tested.items()},
            trials,
            fitted_first,
            pd.DataFrame(choices, columns=CHOICE_COLUMNS),
            len(self._jobs) - len(self._missing),
        )


def _refuse_weightless(models: Mapping[str, BaseEstimator]) -> None:
    """Refuse a model that cannot be told how much a recording counts, before anything is fitted."""
    for name, model in models.items():
        if weight_parameter(model) is None:
            raise ParameterError(
                f"{name}: {type(model).__name__} takes no weights of recordings (sample_weight), "
                "so that nothing can be balanced; leave the model or balance out"
            )


def _answered(target: pd.DataFrame, unheard: bool) -> list[Any]:
    """Tasks that are defined: who speaks is not, of a voice that was never heard."""
    return [task for task in target if not (unheard and task == SPEAKER)]


def _fold_scores(
    true: pd.DataFrame, unheard: bool, outcome: Any
) -> Iterator[tuple[Any, str, float]]:
    predicted, compared, *_ = outcome
    true = true.reset_index(drop=True)
    for task in true.columns:
        if task in _answered(true, unheard):
            for metric in METRICS.of(task_kind(true[task])):
                learnt = task in predicted
                yield task, metric, task_score(true, predicted, task, metric) if learnt else np.nan
        if task == SPEAKER and compared is not None:
            yield task, "eer", equal_error_rate(compared.scores, compared.same)


def _run_fold(
    model: BaseEstimator,
    unheard: bool,
    train: IntArray,
    test: IntArray,
    keep: bool,
    inner: Sequence[Split] | None,
    *,
    X: Any,
    target: pd.DataFrame,
    copies: Column | None,
    search: Mapping[str, Sequence[Any]] | None,
    tasks: Sequence[str] | None,
    balance: pd.DataFrame | None,
) -> tuple[Any, ...]:
    """Answers, trials and chosen parameters of one fold, and the model if it is to be kept."""
    rows = X.iloc if hasattr(X, "iloc") else X
    voices = _voices(target, copies) if unheard else None
    fitted, chosen = LearntTasks(model, voices=voices, balance=balance), {}
    answered = target if tasks is None else target[list(tasks)]
    labels = answered.reset_index(drop=True).iloc[train]
    if search:
        chosen = _choose(fitted, rows[train], labels, search, inner, _answered(answered, unheard))
        fitted = clone(fitted).set_params(**chosen)
    fitted.fit(rows[train], labels)
    chosen = {name.removeprefix("estimator__"): value for name, value in chosen.items()}
    predicted, learnt = fitted.predict(rows[test]), fitted.estimator_
    compared = None
    if SPEAKER in answered:
        compared = _compare(learnt, rows[test], target, test, unheard, copies)
    return predicted, compared, chosen, learnt if keep else None


def _choose(
    model: BaseEstimator,
    X: Any,
    y: pd.DataFrame,
    search: Mapping[str, Sequence[Any]],
    inner: Sequence[Split] | None,
    tasks: Sequence[Any],
) -> dict[str, Any]:
    """Values with the best skill over the inner folds.

    Networks that are averaged in the end are not averaged here: one tells nearly the same.
    """
    if "n_members" not in search and "estimator__n_members" in model.get_params():
        model = clone(model).set_params(estimator__n_members=1)
    compared = GridSearchCV(
        model,
        {f"estimator__{name}": values for name, values in search.items()},
        scoring=partial(skill, tasks=tasks),
        cv=inner,
        error_score="raise",
        refit=False,
    )
    return compared.fit(X, y).best_params_


def _voices(target: pd.DataFrame, copies: Column | None) -> IntArray | None:
    """Number of the voice of each recording: speakers who share a copy are one."""
    if SPEAKER not in target:
        return None
    labels = [target[SPEAKER]] if copies is None else [target[SPEAKER], copies]
    return joined_groups(*labels)


def _compare(
    model: BaseEstimator | None,
    X: Any,
    target: pd.DataFrame,
    test: IntArray,
    unheard: bool,
    copies: Column | None,
) -> Trials | None:
    """Trials of one fold's test side, or None where there is nobody to tell apart."""
    if model is None or SPEAKER not in target or task_kind(target[SPEAKER]) != CLASSIFICATION:
        return None
    speakers = target[SPEAKER].iloc[test].reset_index(drop=True)
    if unheard:
        voices = pd.Series(cast("IntArray", _voices(target, copies))[test]).where(speakers.notna())
        apart = None if copies is None else np.asarray(copies)[test]
        trials = pair_trials(model, X, voices, copies=apart)
    else:
        trials = claim_trials(model, X, speakers)
    if trials is None:
        return None
    return Trials(trials.scores, trials.same, test[trials.first], test[trials.second])
