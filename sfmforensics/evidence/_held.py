"""Speakers who are kept back, and what a model says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._folds import joined_groups
from sfmforensics._steps import last_step
from sfmforensics.evidence._conformal import class_scores, speaker_weights
from sfmforensics.evidence._posteriors import scale, temperature
from sfmforensics.exceptions import TargetError
from sfmforensics.targets import CLASSIFICATION, as_frame, task_kind

if TYPE_CHECKING:
    from typing import Any

    from sfmforensics._types import Array, BoolArray, Column, FloatArray, IntArray, Split

DRAWS = 100
"""Choices of speakers to keep back that are tried, until training has every label."""


@dataclass(frozen=True)
class Held:
    """What a task's answers were for the calibration recordings whose label is known.

    Parameters
    ----------
    scores : ndarray of shape (n_recordings,)
        How wrong: years off, or 1 less the probability of the true class.
    speakers : ndarray of shape (n_recordings,), int
        Who speaks.
    correct : ndarray of shape (n_recordings,), bool
        Whether the most probable class was the true one; empty for numbers.
    confidence : ndarray of shape (n_recordings,)
        The probability of the most probable class; empty for numbers.
    temperature : float
        1 for numbers.
    floor : float
        Below which no number lies; minus infinity for classes.
    """

    scores: FloatArray
    speakers: IntArray
    correct: BoolArray
    confidence: FloatArray
    temperature: float = 1.0
    floor: float = -np.inf


def voices_of(frame: pd.DataFrame, speaker: str, groups: Column | None) -> IntArray:
    """Give the number of the voice of each recording.

    Parameters
    ----------
    frame : DataFrame of shape (n_recordings, n_tasks)
        Targets.
    speaker : str
        Column that says who speaks.
    groups : array-like of shape (n_recordings,) or None
        What belongs together besides.

    Returns
    -------
    ndarray of shape (n_recordings,), int

    Raises
    ------
    TargetError
        Neither says who speaks.
    """
    known = [frame[speaker]] if speaker in frame else []
    if not known and groups is None:
        raise TargetError(
            f"the targets have no column {speaker!r}, and no groups were given; calibration keeps "
            "whole speakers back, so say who speaks in each recording"
        )
    return joined_groups(*known, *([] if groups is None else [groups]))


def draw_sides(
    frame: pd.DataFrame, voices: IntArray, share: float, speaker: str, rng: np.random.RandomState
) -> Split:
    """Keep speakers back, each as likely as each other.

    Parameters
    ----------
    frame : DataFrame of shape (n_recordings, n_tasks)
        Targets.
    voices : ndarray of shape (n_recordings,), int
        Who speaks.
    share : float
        Of the speakers.
    speaker : str
        Column of the speakers, whose labels training need not have.
    rng : RandomState
        Draws them.

    Returns
    -------
    train, held : ndarray of int

    Raises
    ------
    TargetError
        There are too few speakers, or no choice leaves every label to training.
    """
    names = np.unique(voices)
    n_held = max(1, round(share * len(names)))
    if n_held >= len(names):
        raise TargetError(
            f"{len(names)} speakers cannot be divided into those to train by and {share:.0%} to "
            "calibrate by; use more speakers, or a smaller share"
        )
    labels = [
        pd.factorize(frame[task])[0]
        for task in frame
        if task != speaker and task_kind(frame[task]) == CLASSIFICATION
    ]
    for _ in range(DRAWS):
        held = np.isin(voices, rng.permutation(names)[:n_held])
        if all(set(codes[held]) <= {-1, *codes[~held]} for codes in labels):
            return np.flatnonzero(~held), np.flatnonzero(held)
    raise TargetError(
        f"whichever {n_held} of {len(names)} speakers are kept back, training lacks a label that "
        "only they have; leave out labels that one speaker has, or use a smaller share"
    )


def answered(
    estimator: Any, X: Any, frame: pd.DataFrame, voices: IntArray, speaker: str
) -> dict[Any, Held]:
    """Ask a model about recordings of speakers from whom it has not learnt.

    Parameters
    ----------
    estimator : fitted estimator
        Or a pipeline that ends in one.
    X : array-like of shape (n_recordings, ...)
        What it takes.
    frame : DataFrame of shape (n_recordings, n_tasks)
        Targets.
    voices : ndarray of shape (n_recordings,), int
        Who speaks.
    speaker : str
        The column of the speakers, which is no task here: the model does not know them.

    Returns
    -------
    dict of Held
        By task: numbers, and classes of whose probabilities the model speaks.

    Raises
    ------
    TargetError
        No label of a task is known.
    """
    last: Any = last_step(estimator)[0]
    answers = as_frame(estimator.predict(X))
    probabilities: dict[Any, tuple[Array, Array]] = {}
    if hasattr(estimator, "predict_proba"):
        found = estimator.predict_proba(X)
        parts = found if isinstance(found, list) else [found]
        named = zip(task_classes(estimator), parts, strict=True)
        probabilities = {task: (labels, part) for (task, labels), part in named}
    held = {}
    for place, (task, kind) in enumerate(last.tasks_.items()):
        truth = frame.iloc[:, place]
        known = truth.notna().to_numpy()
        if task == speaker or (kind == CLASSIFICATION and task not in probabilities):
            continue
        if not known.any():
            raise TargetError(
                f"no speaker kept back for calibration has a label of {task!r}; label more "
                "speakers, or leave the column out"
            )
        who = voices[known]
        if kind == CLASSIFICATION:
            labels, part = probabilities[task]
            held[task] = _of_classes(
                part[known], pd.Index(labels).get_indexer(pd.Index(truth[known])), who
            )
        else:
            numbers = truth[known].to_numpy(dtype=np.float64)
            errors = np.abs(answers.iloc[:, place][known].to_numpy(dtype=np.float64) - numbers)
            floor = 0.0 if (numbers >= 0).all() else -np.inf
            nothing = np.empty(0)
            held[task] = Held(errors, who, nothing.astype(bool), nothing, floor=floor)
    return held


def task_classes(estimator: Any) -> list[tuple[Any, Array]]:
    """Give the classification tasks of a model, each with its labels, in column order.

    Parameters
    ----------
    estimator : fitted estimator
        With `tasks_` and `classes_`, or around one.

    Returns
    -------
    list of (task, ndarray)
    """
    last: Any = last_step(estimator)[0]
    tasks = [task for task, kind in last.tasks_.items() if kind == CLASSIFICATION]
    classes = last.classes_ if isinstance(last.classes_, list) else [last.classes_]
    return list(zip(tasks, classes, strict=True))


def _of_classes(probabilities: Array, truth: IntArray, voices: IntArray) -> Held:
    weights = speaker_weights(voices)
    found = temperature(probabilities, truth, weights)
    scaled = scale(probabilities, found)
    correct = scaled.argmax(axis=1) == truth
    return Held(class_scores(scaled, truth), voices, correct, scaled.max(axis=1), found)
