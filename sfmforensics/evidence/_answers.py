"""What a calibrated model says of recordings whose labels are known, task by task."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics.evidence._calibration_speakers import task_classes
from sfmforensics.targets import CLASSIFICATION
from sfmforensics.targets._bands import exact_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any

    from sfmforensics._types import Array, BoolArray, FloatArray, Matrix, TaskKind
    from sfmforensics._utils.recordings import Recordings
    from sfmforensics.evidence._calibrated_model import CalibratedModel


@dataclass(frozen=True, repr=False, eq=False)
class TaskAnswers:
    """The answers of one task, beside the truth.

    Parameters
    ----------
    kind : {"classification", "regression"}
        Kind of task.
    truth, predicted : ndarray of shape (n_recordings,)
        Labels (None where missing) or numbers (NaN).
    labels : ndarray of shape (n_classes,) or None
        Columns of the probabilities; None where there are none, as of numbers.
    before, after : ndarray of shape (n_recordings, n_classes) or None
        Probabilities of the estimator itself, and those that are calibrated.
    sets : ndarray of shape (n_recordings,), object, or None
        Tuples of the labels that cannot be ruled out.
    answered : ndarray of shape (n_recordings,), bool, or None
        Whether an answer is given at the risk that is taken.
    threshold : float or None
        From which probability on; None of several models that differ.
    low, high : ndarray of shape (n_recordings,) or None
        Interval of a number.
    """

    kind: TaskKind
    truth: Array
    predicted: Array
    labels: Array | None = None
    before: FloatArray | None = None
    after: FloatArray | None = None
    sets: Array | None = None
    answered: BoolArray | None = None
    threshold: float | None = None
    low: FloatArray | None = None
    high: FloatArray | None = None

    @property
    def known(self) -> BoolArray:
        """Whether the truth is known, recording by recording."""
        return np.asarray(~pd.isna(self.truth))

    @property
    def places(self) -> Array:
        """Column of the true class; -1 for none of them."""
        labels: Any = self.labels
        return pd.Index(labels).get_indexer(pd.Index(self.truth))


def answers_of(
    model: CalibratedModel,
    X: Matrix | Recordings,
    frame: pd.DataFrame,
    confidence: float,
    risk: float,
) -> dict[Hashable, TaskAnswers]:
    """Ask a model all that it says beside its answers."""
    answers = model._answers(X)
    sets, decisions = model.predict_set(X, confidence), model.predict_or_abstain(X, risk)
    intervals = model.predict_interval(X, confidence)
    before = _by_task(model.estimator_, X)
    after = _by_task(model, X)
    task_answers = {}
    for task, kind in model.tasks_.items():
        if task == model.speaker or task not in frame:
            continue
        column = answers[task]
        if kind != CLASSIFICATION:
            task_answers[task] = TaskAnswers(
                kind,
                pd.to_numeric(exact_numbers(frame[task])).to_numpy(
                    dtype=np.float64, na_value=np.nan
                ),
                column.to_numpy(dtype=np.float64),
                low=intervals[f"{task}_low"].to_numpy(),
                high=intervals[f"{task}_high"].to_numpy(),
            )
            continue
        truth = frame[task].astype(object).where(frame[task].notna(), None).to_numpy()
        predicted = column.astype(object).to_numpy()
        if task not in sets:
            task_answers[task] = TaskAnswers(kind, truth, predicted)
            continue
        task_answers[task] = TaskAnswers(
            kind,
            truth,
            predicted,
            labels=np.asarray(before[task][0], dtype=object),
            before=before[task][1],
            after=after[task][1],
            sets=sets[task].to_numpy(),
            answered=decisions[task].notna().to_numpy(),
            threshold=model.least_confidence(task, risk),
        )
    return task_answers


def asked_once(model: CalibratedModel) -> CalibratedModel:
    """Give a model whose estimator is asked each question once, of one X."""
    once = copy(model)
    once.estimator_ = _Once(model.estimator_)
    return once


class _Once:
    """An estimator that remembers what it answered."""

    _answers_by = "_inner"  # for sfmforensics._utils.pipelines

    def __init__(self, estimator: Any) -> None:
        self._inner = estimator
        self._outputs: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        attribute: Callable[[Any], Any] = getattr(self.__dict__["_inner"], name)
        if name not in ("predict", "predict_proba", "transform"):
            return attribute

        def once(X: Any) -> Any:
            if name not in self._outputs:
                self._outputs[name] = attribute(X)
            return self._outputs[name]

        return once


def _by_task(model: Any, X: Any) -> dict[Any, tuple[Array, FloatArray]]:
    """Labels and probabilities of each classification task."""
    if not hasattr(model, "predict_proba"):
        return {}
    probabilities = model.predict_proba(X)
    parts = probabilities if isinstance(probabilities, list) else [probabilities]
    named = zip(task_classes(model), parts, strict=True)
    return {task: (labels, np.asarray(part, dtype=np.float64)) for (task, labels), part in named}
