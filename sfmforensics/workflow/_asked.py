"""Recordings that a calibrated model is asked about: how long they are, and what it has heard."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from sfmforensics._utils.names import show_name
from sfmforensics.audio import SAMPLE_RATE, stream_heard
from sfmforensics.audio._hearing import USUAL
from sfmforensics.custody import recorded_in
from sfmforensics.evidence._people import CANNOT_BE_CHECKED, holds_people
from sfmforensics.exceptions import EvidenceWarning
from sfmforensics.workflow._answers import least_samples

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from sfmforensics.audio._hearing import Hearing
    from sfmforensics.custody import Evidence


def seconds_of(model: Pipeline, file: str, hearing: Hearing = USUAL) -> float:
    """How long a recording is; one that no view can use is refused here, before any works."""
    blocks = stream_heard(file, hearing, min_samples=least_samples(model))
    return sum(len(block) for block in blocks) / SAMPLE_RATE


def warn_of_learnt(model: Pipeline, evidence: Evidence) -> None:
    """Say so if the model was trained or calibrated with one of them, or does not know it."""
    if not holds_people(model):
        warnings.warn(CANNOT_BE_CHECKED, EvidenceWarning, stacklevel=3)
    told = (getattr(model, "manifest_", None) or {}).get("recordings", [])
    learnt = recorded_in(evidence.records, told)
    for record, known in zip(evidence.records, learnt, strict=True):
        if known:
            warnings.warn(
                f"{show_name(record['path'])}: the model was trained or calibrated with this "
                "recording, and likelihood ratios hold for speakers of whom it has heard nothing",
                EvidenceWarning,
                stacklevel=3,
            )
