"""Whether a model still knows whom it was made of, and how it forgets."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

if TYPE_CHECKING:
    from typing import Any

    from sfmforensics.evidence._model import CalibratedModel

_OF_PEOPLE = ("calibration_rows_", "left_out_rows_", "speakers_")
"""Attributes of a `CalibratedModel` that its answers do not need."""

NO_PEOPLE = "this model holds no people"
CANNOT_BE_CHECKED = f"{NO_PEOPLE}; whether it has heard them cannot be checked"
"""Of recordings or speakers that such a model is asked about."""


def holds_people(model: Any) -> bool:
    """Whether a model knows the recordings and speakers that it was made of.

    Parameters
    ----------
    model : Pipeline, CalibratedModel or estimator
        Fitted.

    Returns
    -------
    bool
        False for one that `sfmforensics.saving.without_people` made.
    """
    last = model[-1] if isinstance(model, Pipeline) else model
    return bool(getattr(last, "holds_people_", True))


def calibration_without_people(model: CalibratedModel, estimator: Any) -> CalibratedModel:
    """Give a calibrated model that has forgotten who calibrated it.

    Parameters
    ----------
    model : CalibratedModel
        Fitted; stays as it is.
    estimator : estimator
        What is inside, without people.

    Returns
    -------
    CalibratedModel
        With the same answers, intervals, sets and ratios. It keeps how wrong it was of each
        calibration recording, by numbers of speakers; and of their comparisons how good they were.
    """
    reduced = copy(model)
    for name in _OF_PEOPLE:
        reduced.__dict__.pop(name, None)
    reduced.estimator = None if model.estimator is None else clone(estimator)
    reduced.estimator_ = estimator
    reduced._held = {
        task: replace(held, speakers=pd.factorize(held.speakers)[0])
        for task, held in model._held.items()
    }
    if model.likelihood_ratio is not None:
        reduced.likelihood_ratio = clone(model.likelihood_ratio)
    if model.likelihood_ratio_ is not None:
        reduced.likelihood_ratio_ = model.likelihood_ratio_._without_people()
    return reduced
