"""A calibration as plain values and arrays, so that it can be saved without code."""

from __future__ import annotations

from dataclasses import fields
from inspect import signature
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.evidence import (
    PLDA,
    CalibratedModel,
    CosineScorer,
    LikelihoodRatio,
    PairwiseLogistic,
)
from sfmforensics.evidence._calibration import Calibration, Line, Steps
from sfmforensics.evidence._calibration_speakers import TaskCalibration, warn_of_unnamed
from sfmforensics.evidence._likelihood_ratio import Measures, no_trials
from sfmforensics.evidence._people import holds_people
from sfmforensics.exceptions import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sfmforensics._types import Array

_SCORERS = {kind.__name__: kind for kind in (CosineScorer, PLDA, PairwiseLogistic)}
KNOWN_SCORERS = tuple(_SCORERS.values())
"""Of which it is known what they keep."""
_OF_CALIBRATION = tuple(
    field.name for field in fields(Calibration) if field.name not in ("calibrator", "trials")
)


def calibration_state(model: CalibratedModel) -> tuple[dict[str, Any], dict[str, Array]]:
    """Take a fitted model's calibration apart; the estimator inside is not in it."""
    arrays: dict[str, Array] = {}
    if holds_people(model):
        arrays |= {"rows": model.calibration_rows_, "left_out": _left_out(model)}
    entries = []
    for place, (task, answers) in enumerate(model._held.items()):
        numbers: dict[str, Any] = {"task": task}
        for name, value in vars(answers).items():
            if not isinstance(value, np.ndarray):
                numbers[name] = value
            elif len(value):
                arrays[f"held.{place}.{name}"] = value
        entries.append(numbers)
    plain = {
        "calibration": model.calibration,
        "speaker": model.speaker,
        "per_speaker": model.per_speaker,
        "random_state": model.random_state,
        "n_speakers": model.n_calibration_speakers_,
        "speakers": getattr(model, "speakers_", None) if holds_people(model) else None,
        "template": None if model.likelihood_ratio is None else _parameters(model.likelihood_ratio),
        "held": entries,
        "ratio": None,
    }
    ratio = model.likelihood_ratio_
    if ratio is not None:
        if ratio._told is None:
            arrays |= {"voices": ratio._voices, "copies": ratio._copies}
        parts = []
        scorers = [(ratio.scorer_, None, None), *ratio._parts]
        for place, (scorer, rows, projected) in enumerate(scorers):
            parts.append(_scorer_state(scorer, f"scorer.{place}", arrays))
            if rows is not None and projected is not None:
                arrays |= {f"part.{place}.rows": rows, f"part.{place}.projected": projected}
        plain["ratio"] = _parameters(ratio) | {"parts": parts, "one_space": ratio._one_space}
        if ratio._told is not None:
            plain["ratio"] |= {"n_speakers": ratio.n_speakers_, "told": _told_state(ratio, arrays)}
    return plain, arrays


def calibrated_from(
    estimator: Any, unfitted: Any, plain: Mapping[str, Any], arrays: Mapping[str, Array]
) -> CalibratedModel:
    """Put a calibration together again."""
    template = plain["template"]
    model = CalibratedModel(
        unfitted,
        calibration=plain["calibration"],
        speaker=plain["speaker"],
        per_speaker=plain["per_speaker"],
        likelihood_ratio=None if template is None else _template(template),
        random_state=plain["random_state"],
    )
    model.estimator_ = estimator
    if "rows" in arrays:
        model.calibration_rows_ = arrays["rows"]
        # Before there was this array, recordings without a speaker were trained with.
        model.left_out_rows_ = arrays.get("left_out", arrays["rows"][:0])
    model.n_calibration_speakers_ = int(plain["n_speakers"])
    if plain.get("speakers") is not None:  # 0.1.0 kept no names
        model.speakers_ = plain["speakers"]
    model._held = {}
    for place, numbers in enumerate(plain["held"]):
        content: dict[str, Any] = {}
        for name in (field.name for field in fields(TaskCalibration)):
            if f"held.{place}.{name}" in arrays:
                content[name] = arrays[f"held.{place}.{name}"]
            elif name in numbers:
                content[name] = float(numbers[name])
        model._held[numbers["task"]] = TaskCalibration(**content)
    model._remember_temperatures()
    model.likelihood_ratio_ = None
    if plain["ratio"] is not None and "told" in plain["ratio"]:
        model.likelihood_ratio_ = _told_from(plain["ratio"], arrays)
    elif plain["ratio"] is not None:
        ratio = _template(plain["ratio"])
        voices, copies = arrays["voices"], arrays["copies"]
        if "left_out" not in arrays:
            warn_of_unnamed(voices)
        states = [
            _scorer_from(described, f"scorer.{place}", arrays)
            for place, described in enumerate(plain["ratio"]["parts"])
        ]
        parts = [
            (scorer, arrays[f"part.{place}.rows"], arrays[f"part.{place}.projected"])
            for place, scorer in enumerate(states)
            if place
        ]
        if len(parts) == 1:
            parts = [(states[0], *parts[0][1:])]
        one_space = bool(plain["ratio"]["one_space"])
        ratio._keep(states[0], voices, copies, parts, one_space=one_space)
        model.likelihood_ratio_ = ratio
    return model


def _left_out(model: CalibratedModel) -> Array:
    """Of one that an earlier version fitted nothing was left out."""
    return getattr(model, "left_out_rows_", model.calibration_rows_[:0])


def _told_state(ratio: LikelihoodRatio, arrays: dict[str, Array]) -> list[dict[str, Any]]:
    """Calibrations and measures of a ratio that holds no people, by number of recordings."""
    states = []
    for n_known, measures in (ratio._told or {}).items():
        calibration = ratio._calibrations[n_known]
        calibrator: Any = calibration.calibrator
        state = {name: getattr(calibration, name) for name in _OF_CALIBRATION}
        state |= {"n_known": n_known, "measures": dict(vars(measures))}
        if isinstance(calibrator, Line):
            state["line"] = [calibrator.slope, calibrator.offset]
        else:
            for name in ("scores", "shares"):
                arrays[f"told.{n_known}.{name}"] = getattr(calibrator, name)
        states.append(state)
    return states


def _told_from(plain: Mapping[str, Any], arrays: Mapping[str, Array]) -> LikelihoodRatio:
    ratio = _template(plain)
    ratio.scorer_ = _scorer_from(plain["parts"][0], "scorer.0", arrays)
    ratio.n_features_in_ = ratio.scorer_.n_features_in_
    ratio.n_speakers_ = int(plain["n_speakers"])
    ratio._one_space = bool(plain["one_space"])
    calibrations, measured = {}, {}
    for state in plain["told"]:
        n_known = int(state["n_known"])
        calibrator: Any = (
            Line(*state["line"])
            if "line" in state
            else Steps(*(arrays[f"told.{n_known}.{name}"] for name in ("scores", "shares")))
        )
        numbers = {name: float(state[name]) for name in _OF_CALIBRATION}
        calibrations[n_known] = Calibration(calibrator, **numbers, trials=no_trials())
        measured[n_known] = Measures(**state["measures"])
    ratio._forget(calibrations, measured)
    return ratio


def _parameters(ratio: LikelihoodRatio) -> dict[str, Any]:
    parameters: dict[str, Any] = ratio.get_params(deep=False)
    if not isinstance(ratio.scorer, str):
        parameters["scorer"] = _plain_scorer(ratio.scorer)
    return parameters


def _template(plain: Mapping[str, Any]) -> LikelihoodRatio:
    names = signature(LikelihoodRatio).parameters
    ratio = LikelihoodRatio(**{name: plain[name] for name in names if name in plain})
    if not isinstance(ratio.scorer, str):
        described = plain["scorer"]
        ratio.scorer = _SCORERS[described["kind"]](**described["parameters"])
    return ratio


def _plain_scorer(scorer: Any) -> dict[str, Any]:
    kind = type(scorer).__name__
    if _SCORERS.get(kind) is not type(scorer):
        raise ModelFileError(
            f"voices are compared by a {kind}, which cannot be saved without code; use PLDA, "
            "CosineScorer or PairwiseLogistic, or save the model with joblib, whose files only "
            "those should open who trust them"
        )
    return {"kind": kind, "parameters": scorer.get_params()}


def _scorer_state(scorer: Any, place: str, arrays: dict[str, Array]) -> dict[str, Any]:
    plain = _plain_scorer(scorer)
    arrays |= {f"{place}.{name}": getattr(scorer, name) for name in scorer._saved}
    return plain | {"n_features": int(scorer.n_features_in_)}


def _scorer_from(plain: Mapping[str, Any], place: str, arrays: Mapping[str, Array]) -> Any:
    scorer: Any = _SCORERS[plain["kind"]](**plain["parameters"])
    scorer.n_features_in_ = plain["n_features"]
    for name in scorer._saved:
        setattr(scorer, name, np.asarray(arrays[f"{place}.{name}"]))
    return scorer
