"""Speakers who are kept back, and what a model says of them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import _safe_indexing

from sfmforensics._utils.pipelines import last_step
from sfmforensics.evidence._conformal import (
    class_scores,
    one_of_each,
    speaker_quantile,
    speaker_weights,
)
from sfmforensics.evidence._posteriors import scale, temperature
from sfmforensics.exceptions import EvidenceWarning, TargetError
from sfmforensics.model_selection import joined_groups
from sfmforensics.model_selection._folds import named_groups
from sfmforensics.targets import CLASSIFICATION, as_frame
from sfmforensics.targets._bands import farthest, middles

if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any

    from sfmforensics._types import Array, BoolArray, Column, FloatArray, IntArray, Split


@dataclass(frozen=True)
class TaskCalibration:
    """What a task's answers were for the calibration recordings whose label is known.

    Parameters
    ----------
    scores : ndarray of shape (n_recordings,)
        How wrong: years off, or the negative logarithm of the probability of the true class as the
        model itself gives it, infinite of a class that it does not know. A temperature is found by
        the speakers who calibrate, and what has learnt from them would promise too much.
    speakers : ndarray of shape (n_recordings,), int
        Who speaks.
    correct : ndarray of shape (n_recordings,), bool
        Whether the most probable class was the true one; empty for numbers.
    confidence : ndarray of shape (n_recordings,)
        The calibrated probability of the most probable class; empty for numbers.
    temperature : float
        1 for numbers.
    floor : float
        Below which no number lies; minus infinity for classes.
    drawn : ndarray of shape (n_recordings,), bool
        The recordings that intervals and sets go by.
    """

    scores: FloatArray
    speakers: IntArray
    correct: BoolArray = field(default_factory=lambda: np.empty(0, dtype=bool))
    confidence: FloatArray = field(default_factory=lambda: np.empty(0))
    temperature: float = 1.0
    floor: float = -np.inf
    drawn: BoolArray = field(default_factory=lambda: np.empty(0, dtype=bool))

    def quantile(self, confidence: float) -> float:
        """Score that a new speaker keeps with this probability, see `speaker_quantile`."""
        return speaker_quantile(self.scores[self.drawn], self.speakers[self.drawn], confidence)

    def is_open(self, confidence: float) -> bool:
        """Whether a set must hold any other label: too many who calibrate have one unheard of."""
        unheard = np.isinf(self.scores[self.drawn]).any()
        return bool(unheard and np.isinf(self.quantile(confidence)))

    @property
    def unheard(self) -> int:
        """Speakers who calibrate with a label that training has not."""
        return len(np.unique(self.speakers[np.isinf(self.scores)]))

    @property
    def most_closed(self) -> float:
        """Highest confidence of which no set must hold any other label."""
        weights = speaker_weights(self.speakers[self.drawn])
        return float(weights[np.isfinite(self.scores[self.drawn])].sum() / (weights.sum() + 1))


def voices_of(frame: pd.DataFrame, speaker: str | None, groups: Column | None) -> IntArray:
    """Give the number of the voice of each recording."""
    known = [frame[speaker]] if speaker in frame else []
    groups = None if groups is None else named_groups(groups)
    if speaker is None and groups is None:
        return np.arange(len(frame))
    if not known and groups is None:
        raise TargetError(
            f"the targets have no column {speaker!r}, and no groups were given; calibration keeps "
            "whole speakers back, so say who speaks in each recording; speaker=None takes each for "
            "a speaker of its own"
        )
    voices = joined_groups(*known, *([] if groups is None else [groups]))
    named = (known[0] if known else pd.Series(np.asarray(groups))).notna().to_numpy()
    return np.where(np.isin(voices, voices[named]), voices, -1)


def warn_of_unnamed(voices: IntArray) -> None:
    """Say so if a model of 0.1.0 was trained with recordings of nobody known, who may calibrate."""
    if (voices < 0).any():
        warnings.warn(
            f"this model was calibrated by a version that also trained with recordings without a "
            f"speaker, here {int((voices < 0).sum())}, who may be those who calibrated; its "
            "intervals, sets and ratios may promise too much: train it anew",
            EvidenceWarning,
            stacklevel=3,
        )


def draw_sides(
    frame: pd.DataFrame,
    voices: IntArray,
    calibration: float,
    rng: np.random.RandomState,
) -> list[Split]:
    """Keep speakers back, each choice of them as likely as each other.

    Notes
    -----
    A draw that does not please is not drawn again, else who alone has a label would never be kept
    back, and those who are would not be such as a new speaker is.
    """
    names = np.unique(voices[voices >= 0])
    folds = isinstance(calibration, Integral)
    n_held = 1 if folds else max(1, round(calibration * len(names)))
    if (len(names) < calibration) if folds else n_held >= len(names):
        how = f"{calibration} folds" if folds else f"those to train by and {calibration:.0%} others"
        raise TargetError(
            f"{len(names)} speakers cannot be divided into {how}; use more speakers, or another "
            "calibration"
        )
    drawn = rng.permutation(names)
    chosen = np.array_split(drawn, int(calibration)) if folds else [drawn[:n_held]]
    sides = []
    for group in chosen:
        in_group = np.isin(voices, group)
        train = np.flatnonzero(~in_group & (voices >= 0))
        _refuse_unlearnable(frame, train)
        sides.append((train, np.flatnonzero(in_group)))
    return sides


def refuse_one_class(estimator: Any, frame: pd.DataFrame, speaker: str | None) -> None:
    """Refuse a model that has learnt one class of a task of which there are several."""
    for task, labels in task_classes(estimator):
        there = frame[task].dropna().unique() if task in frame else ()
        if task != speaker and len(labels) == 1 and len(there) > 1:
            raise _unlearnable(f"one label of {task!r}, {str(labels[0])!r}")


def _refuse_unlearnable(frame: pd.DataFrame, train: IntArray) -> None:
    """Refuse to train where no label is left of a task that has some."""
    for task in frame:
        labelled = frame[task].notna().to_numpy()
        if labelled.any() and not labelled[train].any():
            raise _unlearnable(f"no label of {task!r}")


def _unlearnable(left: str) -> TargetError:
    return TargetError(
        f"training is left with {left}, once speakers are kept back to calibrate; label more "
        "speakers, keep fewer back (calibration), or leave the column out"
    )


def answered(
    parts: list[tuple[Any, IntArray]],
    X: Any,
    frame: pd.DataFrame,
    voices: IntArray,
    speaker: str | None,
    rng: np.random.RandomState | None = None,
) -> dict[Any, TaskCalibration]:
    """Ask models about recordings of speakers from whom they have not learnt."""
    frame = _of_tasks(frame, parts[0][0], speaker)
    parts_of: dict[Any, list[tuple[Array, ...]]] = {}
    every = _every_label([estimator for estimator, _ in parts])
    for estimator, rows in parts:
        answers = _asked(estimator, _safe_indexing(X, rows), frame.iloc[rows], every)
        for task, columns in answers.items():
            known = frame.iloc[rows][task].notna().to_numpy()
            parts_of.setdefault(task, []).append(
                (*(part[known] for part in columns), voices[rows][known])
            )
    calibrations = {}
    for task, columns in parts_of.items():
        *said, who = (np.concatenate(pieces) for pieces in zip(*columns, strict=True))
        if not len(who):
            raise TargetError(
                f"no speaker kept back for calibration has a label of {task!r}; label more "
                "speakers, or leave the column out"
            )
        if len(said) == 2:
            calibrations[task] = _of_classes(task, said[0], said[1], who)
        else:
            numbers = middles(frame[task].dropna())
            if np.isinf(said[0]).any():
                warnings.warn(
                    f"{int(np.isinf(said[0]).sum())} of {len(said[0])} recordings that calibrate "
                    f"{task!r} have a band that is open at one end, in which the truth may be "
                    "anywhere: intervals may be infinite; close these bands, or leave the labels "
                    "out",
                    EvidenceWarning,
                    stacklevel=4,
                )
            calibrations[task] = TaskCalibration(
                said[0], who, floor=0.0 if (numbers >= 0).all() else -np.inf
            )
        scores = calibrations[task].scores
        drawn = np.ones(len(who), dtype=bool) if rng is None else one_of_each(scores, who, rng)
        calibrations[task] = replace(calibrations[task], drawn=drawn)
    return calibrations


def _of_tasks(frame: pd.DataFrame, estimator: Any, speaker: str | None) -> pd.DataFrame:
    """Targets of a model's tasks but the speaker; one column is that task, whatever its name."""
    last: Any = last_step(estimator)[0]
    tasks = [task for task in last.tasks_ if task != speaker]
    missing = [task for task in tasks if task not in frame]
    if missing and len(last.tasks_) == frame.shape[1] == 1:
        return frame.set_axis(missing, axis=1)
    if missing:
        raise TargetError(
            f"the model answers {missing[0]!r}, but the targets have only "
            f"{', '.join(map(repr, frame))}; give targets of each task that it was trained with"
        )
    return frame[tasks]


def _every_label(estimators: list[Any]) -> dict[Any, pd.Index]:
    """By task: the labels that any of some models knows."""
    labels_of: dict[Any, pd.Index] = {}
    for estimator in estimators:
        for task, labels in task_classes(estimator):
            own = pd.Index(labels)
            labels_of[task] = labels_of.get(task, own).append(own).unique()
    return labels_of


def _asked(
    estimator: Any, X: Any, frame: pd.DataFrame, every: dict[Any, pd.Index]
) -> dict[Any, tuple[Array, ...]]:
    """By task: probabilities and the columns of the truth, or how far numbers are off.

    A label that this model does not know is as improbable as can be, and no column of the truth.
    """
    last: Any = last_step(estimator)[0]
    answers_of: dict[Any, tuple[Array, ...]] = {}
    if hasattr(estimator, "predict_proba"):
        parts = estimator.predict_proba(X)
        parts = parts if isinstance(parts, list) else [parts]
        for (task, labels), part in zip(task_classes(estimator), parts, strict=True):
            if task not in frame:
                continue
            own, truth = pd.Index(labels), pd.Index(frame[task])
            places = every[task].get_indexer(own)
            widened = np.zeros((len(part), len(every[task])), dtype=part.dtype)
            widened[:, places] = part
            answers_of[task] = (
                widened,
                np.where(truth.isin(own), every[task].get_indexer(truth), -1),
            )
    answers = as_frame(estimator.predict(X))
    for place, (task, kind) in enumerate(last.tasks_.items()):
        if kind != CLASSIFICATION and task in frame:
            numbers = answers.iloc[:, place].to_numpy(dtype=np.float64)
            answers_of[task] = (farthest(frame[task], numbers),)
    return {task: answers_of[task] for task in last.tasks_ if task in answers_of}


def task_classes(estimator: Any) -> list[tuple[Any, Array]]:
    """Give the classification tasks of a model, each with its labels, in column order."""
    last: Any = last_step(estimator)[0]
    tasks = [task for task, kind in last.tasks_.items() if kind == CLASSIFICATION]
    if not tasks:
        return []
    classes = last.classes_ if isinstance(last.classes_, list) else [last.classes_]
    return list(zip(tasks, classes, strict=True))


def _of_classes(
    task: Hashable, probabilities: Array, truth: IntArray, voices: IntArray
) -> TaskCalibration:
    if (truth < 0).all():
        raise TargetError(
            f"no speaker who calibrates has a label of {task!r} that training has heard; label "
            "more speakers alike, or leave the column out"
        )
    weights = speaker_weights(voices)
    warmth = temperature(probabilities, truth, weights)
    scaled = scale(probabilities, warmth)
    correct = scaled.argmax(axis=1) == truth
    return TaskCalibration(
        class_scores(probabilities, truth), voices, correct, scaled.max(axis=1), warmth
    )
