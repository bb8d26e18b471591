"""One figure for all tasks of a model, as scikit-learn's `score` wants it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.metrics import r2_score
from sklearn.utils import check_consistent_length

from sfmforensics._weights import recording_weights
from sfmforensics.exceptions import SplitWarning, TargetError
from sfmforensics.targets import CLASSIFICATION, as_frame
from sfmforensics.targets._columns import numbers_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sfmforensics._types import Answers, Targets
    from sfmforensics.targets import TargetCodec

_LARGE = 1e150


def mean_score(
    codec: TargetCodec, y: Targets, answers: Answers, sample_weight: ArrayLike | None = None
) -> float:
    """Mean over the tasks of accuracy (classes) and R squared (numbers).

    Parameters
    ----------
    codec : TargetCodec
        Of the model: which tasks it learnt, and which labels.
    y : as in an estimator's `fit`
        True targets; missing labels do not count.
    answers : as an estimator's `predict` gives them
        Of the same recordings.
    sample_weight : array-like of shape (n_recordings,) or None, default=None
        Weight of each recording.

    Returns
    -------
    float

    Raises
    ------
    TargetError
        The targets lack a task that the model learnt, hold what is no number where it learnt
        numbers, or there is no label to score against.

    Warns
    -----
    SplitWarning
        None of the labels was learnt, or there is one number only.

    Examples
    --------
    >>> from sfmforensics.targets import TargetCodec
    >>> mean_score(TargetCodec().fit(["a", "b"]), ["a", "b"], np.array(["a", "a"]))
    0.5
    """
    predicted, true = as_frame(answers), as_frame(y)
    check_consistent_length(predicted, true, sample_weight)
    if hasattr(y, "columns"):
        missing = [name for name in codec.names_ if name not in true]
        if missing:
            raise TargetError(
                f"the targets have no column {missing[0]!r}, which the model learnt; they have "
                f"{', '.join(map(str, true.columns))}"
            )
        true = true[codec.names_]
    elif true.shape[1] != predicted.shape[1]:
        raise TargetError(
            f"the targets have {true.shape[1]} columns, the model learnt {predicted.shape[1]}"
        )
    weights = recording_weights(sample_weight, predicted.to_numpy())
    weights = np.ones(len(true)) if weights is None else weights
    scores, classes = [], iter(codec.classes_)
    for position, kind in enumerate(codec.kinds_):
        learnt = next(classes) if kind == CLASSIFICATION else None
        known = true.iloc[:, position].notna().to_numpy() & (weights > 0)
        if not known.any():
            continue
        truth = true.iloc[:, position].to_numpy()[known]
        answer = predicted.iloc[:, position].to_numpy()[known]
        if learnt is None and len(truth) < 2:
            warnings.warn(
                f"{codec.names_[position]!r} has one label to score against, of which "
                "R squared is not defined; it is left out",
                SplitWarning,
                stacklevel=3,
            )
            continue
        if learnt is None:
            truth = numbers_of(true.iloc[:, position][known], codec.names_[position])
            answer = answer.astype(float)
            most = np.abs(truth).max()
            if most > _LARGE:  # lest their squares overflow
                truth, answer = truth / most, answer / most
            scores.append(r2_score(truth, answer, sample_weight=weights[known]))
            continue
        scores.append(np.average(truth == answer, weights=weights[known]))
        if not pd.Series(truth).isin(learnt).any():
            warnings.warn(
                f"none of the labels of {codec.names_[position]!r} to score against was "
                "learnt, so that its accuracy is 0: an integer cv does not stratify (use "
                "TargetStratifiedKFold), and a split by speaker leaves nobody to recognise "
                "(score the other tasks, with task_scorers)",
                SplitWarning,
                stacklevel=3,
            )
    if not scores:
        raise TargetError("there is no label to score against")
    return float(np.mean(scores))
