"""Voices compared for a case, and what the comparison rests on."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._files import write_atomically
from sfmforensics._names import is_path, show_name
from sfmforensics.audio import SAMPLE_RATE, stream_audio
from sfmforensics.custody import Evidence
from sfmforensics.datasets import find_copies
from sfmforensics.evidence import OpenSetIdentifier, plain_sentences
from sfmforensics.exceptions import (
    AudioError,
    EvidenceWarning,
    ParameterError,
    TargetError,
    shown,
)
from sfmforensics.workflow._answers import (
    answers_of,
    check_confidence,
    check_same_views,
    comparing_step,
    least_samples,
    vectors_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sklearn.pipeline import Pipeline

    from sfmforensics._types import Matrix, PathLike
    from sfmforensics.evidence import Comparison


@dataclass(frozen=True)
class Case:
    """A questioned recording, those of a known speaker, and how they compare.

    Parameters
    ----------
    questioned : str
        Path of the recording whose speaker is in question.
    known : list of str
        Paths of recordings of the known speaker.
    comparison : Comparison
        The likelihood ratio, its bounds, and what calibrated it.
    answers : DataFrame
        A row for each recording, the questioned first: path, and what the model says of it.
    manifest : dict
        The chain of custody, see `sfmforensics.custody`.
    model : Pipeline
        What compared them.
    X : DataFrame or ndarray of shape (n_recordings, n_features)
        The vectors of the views, the questioned recording's first.
    seconds : list of float
        How long the recordings are, the questioned first.
    confidence : float
        Of the intervals and sets among the answers.
    """

    questioned: str
    known: list[str]
    comparison: Comparison
    answers: pd.DataFrame
    manifest: dict[str, Any]
    model: Pipeline
    X: Matrix
    seconds: list[float]
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """Give the comparison as JSON holds it.

        Returns
        -------
        dict
        """
        found = self.comparison
        told = {name: _finite(value) for name, value in asdict(found).items()}
        return {
            "questioned": self.questioned,
            "known": self.known,
            **told,
            "likelihood_ratio": 10**found.log10_lr if found.log10_lr < 308 else None,
            "at_bound": found.at_bound,
            "verbal": found.verbal,
            "meaning": plain_sentences(found.log10_lr),
        }


def compare_files(
    model: Pipeline,
    questioned: PathLike,
    known: Sequence[PathLike],
    *,
    confidence: float = 0.9,
    verbose: bool = False,
    manifest: PathLike | None = None,
) -> Case:
    """Compare a questioned recording with recordings of one known speaker.

    Parameters
    ----------
    model : Pipeline
        From recordings to answers, calibrated, as `train_model(..., calibrate=...)` makes it.
    questioned : path-like
        The recording whose speaker is in question.
    known : sequence of path-like
        Recordings of the known speaker, all of them.
    confidence : float, default=0.9
        Of the intervals and sets that stand beside the model's answers.
    verbose : bool, default=False
        Show progress bars.
    manifest : path-like or None, default=None
        File that gets what the comparison rests on.

    Returns
    -------
    Case

    Raises
    ------
    AudioError
        A recording cannot be used, is in question and known at once, or is known twice.
    ParameterError
        There are no known recordings, or the confidence is not between 0 and 1.
    ModelFileError
        The model is not calibrated to compare voices.
    CustodyError
        A view is no longer what the model was trained with, or a recording changed meanwhile.
    TargetError
        So many known recordings cannot be calibrated.
    OutputError
        The manifest cannot be written.

    Warns
    -----
    EvidenceWarning
        The model has learnt from one of the recordings: it is no stranger.
    """
    calibrated = comparing_step(model)
    if is_path(known) or not len(known):
        raise ParameterError(
            f"known is {shown(known)}; give a list of one recording or more of the known speaker"
        )
    check_confidence(confidence)
    check_same_views(model)
    files = [os.fsdecode(file) for file in (questioned, *known)]
    evidence = Evidence(files, verbose)
    seconds = [_seconds(model, file) for file in files]
    _refuse_copies(files)
    _warn_of_learnt(model, evidence)
    X = vectors_of(model, files, verbose)
    comparison = calibrated.compare(_rows(X, [0]), _rows(X, range(1, len(files))))
    answers = answers_of(model, files, X, intervals=True, confidence=confidence)
    told = evidence.manifest(
        "comparison",
        views=model[0],
        model_file=getattr(model, "file_", None),
        model=getattr(model, "manifest_", None),
        comparison={name: _finite(value) for name, value in asdict(comparison).items()},
        confidence=confidence,
    )
    if manifest is not None:
        write_atomically(manifest, json.dumps(told, indent=1))
    return Case(files[0], files[1:], comparison, answers, told, model, X, seconds, confidence)


def identify_files(
    model: Pipeline,
    files: Sequence[PathLike],
    enrolled: Sequence[PathLike],
    speakers: Sequence[str],
    *,
    false_alarm: float = 0.05,
    verbose: bool = False,
) -> pd.DataFrame:
    """Tell which enrolled speaker recordings are of, or that they are of none of them.

    Parameters
    ----------
    model : Pipeline
        As for `compare_files`.
    files : sequence of path-like
        Recordings in question.
    enrolled : sequence of path-like
        Recordings whose speakers are known.
    speakers : sequence of str
        Who speaks in these.
    false_alarm : float, default=0.05
        How often a recording of somebody who is not enrolled may be given a name.
    verbose : bool, default=False
        Show progress bars.

    Returns
    -------
    DataFrame
        A row for each recording: "path", "speaker" (None for none of them), "closest" (the
        enrolled speaker whose likelihood ratio is highest) and that "log10_lr".

    Raises
    ------
    AudioError
        A recording cannot be used, or is in question and enrolled at once.
    ParameterError
        The rate is not between 0 and 1.
    ModelFileError
        The model is not calibrated to compare voices.
    TargetError
        An enrolled recording has no speaker, there are none, or one has more recordings than can be
        calibrated.
    CustodyError
        A view is no longer what the model was trained with, or a recording changed meanwhile.

    Warns
    -----
    EvidenceWarning
        The model has learnt from one of the recordings, or there are too few calibration speakers
        for that rate.
    """
    calibrated = comparing_step(model)
    check_same_views(model)
    asked, given = ([os.fsdecode(file) for file in group] for group in (files, enrolled))
    evidence = Evidence([*given, *asked], verbose)
    for file in (*given, *asked):
        _seconds(model, file)
    _refuse_enrolled(given, asked)
    _warn_of_learnt(model, evidence)
    ratio = calibrated._ratio()
    if not given:
        raise TargetError("nobody is enrolled; give recordings of known speakers")
    known = calibrated.transform(vectors_of(model, given, verbose))
    vectors = calibrated.transform(vectors_of(model, asked, verbose))
    identifier = OpenSetIdentifier(ratio, false_alarm=false_alarm).fit(known, speakers)
    ratios = identifier.log10_lr(vectors)
    best = ratio.log10_lr(vectors, known, speakers, bounded=False).argmax(axis=1)
    evidence.check()
    return pd.DataFrame(
        {
            "path": pd.Series(asked, dtype=object),
            "speaker": identifier.predict(vectors),
            "closest": identifier.classes_[best],
            "log10_lr": ratios[np.arange(len(best)), best],
        }
    )


def _seconds(model: Pipeline, file: str) -> float:
    """How long a recording is; one that no view can use is refused here, before any works."""
    blocks = stream_audio(file, min_samples=least_samples(model))
    return sum(len(block) for block in blocks) / SAMPLE_RATE


def _refuse_copies(files: list[str]) -> None:
    labels = find_copies(files)
    for place in np.flatnonzero(labels[1:] == labels[0]) + 1:
        raise AudioError(
            show_name(files[place]),
            f"it holds the same samples as {show_name(files[0])}, the recording in question",
            "compare it with other recordings of the known speaker",
        )
    twice = np.flatnonzero(np.bincount(labels)[labels] > 1)
    if len(twice):
        first, second = twice[0], twice[labels[twice] == labels[twice[0]]][1]
        raise AudioError(
            show_name(files[second]),
            f"it holds the same samples as {show_name(files[first])}",
            "name each known recording once",
        )


def _refuse_enrolled(given: list[str], asked: list[str]) -> None:
    """Of a recording that is enrolled itself the answer would be that it is itself."""
    labels = find_copies([*given, *asked])
    enrolled = dict(zip(labels[: len(given)], given, strict=True))
    for file, label in zip(asked, labels[len(given) :], strict=True):
        if label in enrolled:
            raise AudioError(
                show_name(file),
                f"it holds the same samples as {show_name(enrolled[label])}, which is enrolled",
                "ask about other recordings, or leave that one out of those enrolled",
            )


def _warn_of_learnt(model: Pipeline, evidence: Evidence) -> None:
    told = (getattr(model, "manifest_", None) or {}).get("recordings", [])
    learnt = {record["sha256"] for record in told if "sha256" in record}
    for record in evidence.records:
        if record.get("sha256") in learnt:
            warnings.warn(
                f"{show_name(record['path'])}: the model was trained or calibrated with this "
                "recording, and likelihood ratios hold for speakers of whom it has heard nothing",
                EvidenceWarning,
                stacklevel=3,
            )


def _rows(X: Any, rows: Sequence[int]) -> Any:
    return X.iloc[list(rows)] if hasattr(X, "iloc") else X[list(rows)]


def _finite(value: Any) -> Any:
    """As JSON holds it: no infinite number."""
    return None if isinstance(value, float) and not np.isfinite(value) else value
