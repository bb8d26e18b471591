"""Intervals, sets and no answer, by what speakers kept back have shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics.evidence._conformal import ANY_OTHER, class_sets
from sfmforensics.evidence._held import task_classes
from sfmforensics.evidence._posteriors import least_confidence
from sfmforensics.exceptions import TargetError
from sfmforensics.targets import CLASSIFICATION, as_frame

if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any

    from sfmforensics._types import Array, FloatArray, Matrix, Recordings
    from sfmforensics.evidence._held import Held


class UncertainAnswers:
    """What `CalibratedModel` says beside its answers."""

    estimator_: Any
    temperatures_: dict[Any, float]
    tasks_: Any
    _held: dict[Any, Held]
    predict: Any
    predict_proba: Any

    def predict_interval(self, X: Matrix | Recordings, confidence: float = 0.9) -> pd.DataFrame:
        """Give an interval for each number that holds the true one this often.

        Parameters
        ----------
        X : array-like of shape (n_recordings, ...)
            What the estimator takes.
        confidence : float, default=0.9
            Probability, over voices that were never heard, that the truth lies within.

        Returns
        -------
        DataFrame of shape (n_recordings, 2 * n_numbers)
            "TASK_low" and "TASK_high", in the unit of the task; infinite where there are too few
            calibration speakers. Numbers of which none was negative are not negative.

        Raises
        ------
        ParameterError
            The confidence is not between 0 and 1.
        """
        answers = self._answers(X)
        found = {}
        for task, held in self._held.items():
            if self.tasks_[task] != CLASSIFICATION:
                width = held.quantile(confidence)
                values = answers[task].to_numpy(dtype=np.float64)
                found[f"{task}_low"] = np.maximum(values - width, held.floor)
                found[f"{task}_high"] = np.maximum(values + width, held.floor)
        return pd.DataFrame(found, index=answers.index)

    def predict_set(self, X: Matrix | Recordings, confidence: float = 0.9) -> pd.DataFrame:
        """Give the classes that cannot be ruled out.

        Parameters
        ----------
        X : array-like of shape (n_recordings, ...)
            What the estimator takes.
        confidence : float, default=0.9
            Probability, over voices that were never heard, that the true class is among them, or
            that `ANY_OTHER` is.

        Returns
        -------
        DataFrame of shape (n_recordings, n_tasks)
            A tuple of labels, the most probable first, of each classification task, all that the
            model knows where there are too few calibration speakers. `ANY_OTHER`,
            ``"(any other)"``, comes last where the truth may also be a label of which training has
            heard nothing. There is none for the speakers (see `log10_lr` and `identify`), nor where
            the estimator gives no probabilities.

        Raises
        ------
        ParameterError
            The confidence is not between 0 and 1.

        Notes
        -----
        By the estimator's own probabilities: calibrated ones have learnt from the speakers who
        calibrate, and only what has not can promise anything whatever the model.

        A new speaker may have a label that training has not, such as an accent of its own, and so
        may speakers who calibrate, who are drawn without a look at their labels. No list of known
        labels holds such a truth, so that it counts as infinitely improbable. As long as few
        enough of the speakers who calibrate have such labels, sets list known ones, and those
        listed hold the truth as often as was asked, new labels counted as missed. Beyond that
        nothing can be ruled out: a set is of all known labels and of `ANY_OTHER`, and says that
        nothing is known at this confidence. `fit` warns, and names the confidence up to which sets
        are of known labels alone.
        """
        found = {}
        index = self._answers(X).index
        for task, probabilities, labels in self._posteriors(self.estimator_, X):
            held = self._held[task]
            quantile = held.quantile(confidence)
            sets = class_sets(probabilities, quantile)
            order = np.argsort(-probabilities, axis=1, kind="stable")
            beyond = (ANY_OTHER,) if held.is_open(confidence) else ()
            found[task] = [
                (*labels[row_order[row[row_order]]], *beyond)
                for row, row_order in zip(sets, order, strict=True)
            ]
        return pd.DataFrame(found, index=index)

    def predict_or_abstain(self, X: Matrix | Recordings, risk: float = 0.1) -> pd.DataFrame:
        """Answer where few enough answers are wrong, and abstain elsewhere.

        Parameters
        ----------
        X : array-like of shape (n_recordings, ...)
            What the estimator takes.
        risk : float, default=0.1
            Share of the answers, over voices that were never heard, that may be wrong.

        Returns
        -------
        DataFrame of shape (n_recordings, n_tasks)
            As `predict`, with None for "inconclusive" in the classification tasks other than the
            speaker. Numbers are answered; see `predict_interval` for how sure they are.

        Raises
        ------
        ParameterError
            The risk is not between 0 and 1.

        Notes
        -----
        The share is estimated from the calibration speakers, with a margin for their number; see
        `least_confidence`. Where confidence says nothing about strangers, nothing is answered.
        """
        answers = self._answers(X).copy()
        for task, probabilities, _ in self._posteriors(self, X):
            unsure = probabilities.max(axis=1) < self.least_confidence(task, risk)
            answers[task] = answers[task].astype(object).where(~unsure, None)
        return answers

    def least_confidence(self, task: Hashable, risk: float) -> float:
        """Find how probable an answer must be, lest more than a share of the answers be wrong.

        Parameters
        ----------
        task : str
            A classification task other than the speaker.
        risk : float
            The share.

        Returns
        -------
        float
            Infinite where no answer is sure enough.

        Raises
        ------
        ParameterError
            The risk is not between 0 and 1.
        TargetError
            There is no such task that was calibrated.
        """
        if task not in self.temperatures_:
            raise TargetError(
                f"{task!r} is no classification task that was calibrated; use one of "
                f"{list(self.temperatures_)}"
            )
        held = self._held[task]
        return least_confidence(held.correct, held.confidence, risk, held.speakers)

    def _answers(self, X: Any) -> pd.DataFrame:
        """Answers by task, which those to 1-D targets have lost the name of."""
        return as_frame(self.predict(X)).set_axis(list(self.tasks_), axis=1)

    def _posteriors(self, model: Any, X: Any) -> list[tuple[Any, FloatArray, Array]]:
        """Of each task that was calibrated: its name, a model's probabilities, and labels."""
        if not self.temperatures_:
            return []
        found = model.predict_proba(X)
        parts = found if isinstance(found, list) else [found]
        named = zip(task_classes(self.estimator_), parts, strict=True)
        return [(task, part, labels) for (task, labels), part in named if task in self._held]
