"""Whether a model still knows whom it was made of, and how it forgets."""

from __future__ import annotations

import warnings
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sfmforensics._utils.names import name_few
from sfmforensics.evidence._calibration_speakers import task_classes
from sfmforensics.exceptions import EvidenceWarning, TargetError

if TYPE_CHECKING:
    from typing import Any

    from sfmforensics._types import Column, IntArray
    from sfmforensics.evidence._calibrated_model import CalibratedModel


_OF_PEOPLE = ("calibration_rows_", "left_out_rows_", "speakers_")
"""Attributes of a `CalibratedModel` that its answers do not need."""

NO_PEOPLE = "this model holds no people"
CANNOT_BE_CHECKED = f"{NO_PEOPLE}; whether it has heard them cannot be checked"
"""Of recordings or speakers that such a model is asked about."""


def holds_people(model: Any) -> bool:
    """Whether a model knows the recordings and speakers that it was made of."""
    last = model[-1] if isinstance(model, Pipeline) else model
    return bool(getattr(last, "holds_people_", True))


def calibration_without_people(model: CalibratedModel, estimator: Any) -> CalibratedModel:
    """Give a calibrated model that has forgotten who calibrated it."""
    reduced = copy(model)
    for name in _OF_PEOPLE:
        reduced.__dict__.pop(name, None)
    reduced.estimator = None if model.estimator is None else clone(estimator)
    reduced.estimator_ = estimator
    reduced._held = {
        task: replace(calibration, speakers=pd.factorize(calibration.speakers)[0])
        for task, calibration in model._held.items()
    }
    if model.likelihood_ratio is not None:
        reduced.likelihood_ratio = clone(model.likelihood_ratio)
    if model.likelihood_ratio_ is not None:
        reduced.likelihood_ratio_ = model.likelihood_ratio_._without_people()
    return reduced


GO_ON = (
    "leave them out; if they are other people of the same names, rename them; "
    "--allow-known-speakers (allow_known_speakers=True) goes on, and the results say so"
)
NO_NAMES = (
    "this model does not hold the names of those who calibrated it, since an older version wrote "
    "it: speakers were compared by name with those alone whom it was trained with"
)


def speaker_names(speakers: Column) -> list[str]:
    """Name speakers once each, in order of appearance, those whom nobody knows not at all.

    Examples
    --------
    >>> speaker_names(["b", None, "a", "b"])
    ['b', 'a']
    >>> speaker_names([1.0, float("nan"), 2.0])  # whole numbers that pandas made floats, for a gap
    ['1', '2']
    """
    names = pd.Series(speakers, dtype=object).dropna()
    whole = (int(n) if isinstance(n, float) and n.is_integer() else n for n in names)
    return list(dict.fromkeys(map(str, whole)))


def remembered_speakers(
    frame: pd.DataFrame,
    speaker: str | None,
    train: IntArray | None,
    calibrating: IntArray,
    estimator: Any,
) -> dict[str, list[str]]:
    """Name whom a model has been trained and calibrated with."""
    if speaker not in frame:
        return {"trained": [], "calibrated": []}
    names = frame[speaker]
    trained = classes_of(estimator, speaker) if train is None else names.iloc[train]
    return {
        "trained": speaker_names(trained),
        "calibrated": speaker_names(names.iloc[calibrating]),
    }


def warn_of_heard(speakers: dict[str, list[str]]) -> None:
    """Say so if a model that came fitted is calibrated by names that it was trained with."""
    both = [name for name in speakers["calibrated"] if name in set(speakers["trained"])]
    if both:
        warnings.warn(
            f"{len(both)} of {len(speakers['calibrated'])} speakers who calibrate have names that "
            f"the fitted model knows ({name_few(both)}): if it was trained with them, intervals, "
            "sets and ratios promise far too much; calibrate with people of whom it has heard "
            "nothing",
            EvidenceWarning,
            stacklevel=3,
        )


def classes_of(estimator: Any, speaker: str | None) -> Column:
    """Give the speakers whom an estimator has learnt to tell apart."""
    of_speakers = [classes for task, classes in task_classes(estimator) if task == speaker]
    return of_speakers[0] if of_speakers else []


def check_strangers(model: CalibratedModel, speakers: Column, *, allow: bool = False) -> list[str]:
    """Refuse speakers of whom a model has heard, by their names."""
    names = speaker_names(speakers)
    remembered: dict[str, list[str]] | None = getattr(model, "speakers_", None)
    if not holds_people(model):
        return []  # its speakers are numbers
    if remembered is None:
        remembered = {"trained": speaker_names(classes_of(model.estimator_, model.speaker))}
    known = {role: set(those) & set(names) for role, those in remembered.items()}
    every = [name for name in names if any(name in those for those in known.values())]
    if every and not allow:
        numbers = " and ".join(f"{len(those)} {role}" for role, those in known.items() if those)
        raise TargetError(
            f"{len(every)} of {len(names)} speakers have names that the model knows, {numbers} it "
            f"({name_few(every)}), and validation is by people of whom it has heard nothing; "
            f"{GO_ON}"
        )
    return every
