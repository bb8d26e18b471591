"""Voices compared for a case, and what the comparison rests on."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import pandas as pd
from sklearn.utils import _safe_indexing

from sfmforensics._utils.files import write_atomically
from sfmforensics._utils.names import describe_source, is_path, recording_text
from sfmforensics._utils.outputs import check_outputs, is_manifest, is_page
from sfmforensics._utils.paths import user_path, user_recording
from sfmforensics._utils.plain import as_json
from sfmforensics.audio import SAMPLE_RATE, stream_heard
from sfmforensics.audio._hearing import USUAL
from sfmforensics.audio._survey import surveyed
from sfmforensics.custody import OF_FILES, Provenance, recorded_in, recording_of
from sfmforensics.evidence import plain_sentences
from sfmforensics.evidence._people import CANNOT_BE_CHECKED, holds_people
from sfmforensics.exceptions import EvidenceWarning, ParameterError, ViewError, shown
from sfmforensics.explanation import explain
from sfmforensics.report._case_page import CASE_TITLE, case_page
from sfmforensics.workflow._copy_checks import refuse_pairs
from sfmforensics.workflow._predict import (
    answers_of,
    calibrated_step,
    check_confidence,
    check_same_views,
    comparing_step,
    least_samples,
    read_by,
    vectors_of,
)
from sfmforensics.workflow._selection import hearing_of_case, refusals, warn_left_out

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from sklearn.pipeline import Pipeline

    from sfmforensics._types import Channel, Handling, Matrix, PathLike
    from sfmforensics._utils.recordings import FileRecording
    from sfmforensics.audio._hearing import Hearing
    from sfmforensics.evidence import CalibratedModel, Comparison
    from sfmforensics.explanation import Explanation
    from sfmforensics.metrics import Trials


def seconds_of(model: Pipeline, file: FileRecording, hearing: Hearing = USUAL) -> float:
    """How long a recording is; one that no view can use is refused here, before any works."""
    blocks = stream_heard(file, hearing, min_samples=least_samples(model))
    return sum(len(block) for block in blocks) / SAMPLE_RATE


def warn_of_learnt(model: Pipeline, provenance: Provenance) -> None:
    """Say so if the model was trained or calibrated with one of them, or does not know it."""
    if not holds_people(model):
        warnings.warn(CANNOT_BE_CHECKED, EvidenceWarning, stacklevel=3)
    overlaps = recorded_in(provenance.records, getattr(model, "manifest_", None))
    for record, known in zip(provenance.records, overlaps, strict=True):
        if known:
            warnings.warn(
                f"{describe_source(recording_of(record, record['path']))}: the model was trained "
                "or calibrated with this recording, and likelihood ratios hold for speakers of "
                "whom it has heard nothing",
                EvidenceWarning,
                stacklevel=3,
            )


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
        comparison = self.comparison
        measures = as_json(asdict(comparison))
        return {
            "questioned": self.questioned,
            "known": self.known,
            **measures,
            "likelihood_ratio": 10**comparison.log10_lr if comparison.log10_lr < 308 else None,
            "at_bound": comparison.at_bound,
            "verbal": comparison.verbal,
            "meaning": plain_sentences(comparison.log10_lr),
        }


@surveyed
def compare_files(
    model: Pipeline,
    questioned: FileRecording,
    known: Sequence[FileRecording],
    *,
    confidence: float = 0.9,
    verbose: bool = False,
    manifest: PathLike | None = None,
    allow_copies: bool = False,
    channel: Channel | None = None,
    on_error: Handling = "stop",
    overwrite: bool = False,
) -> Case:
    """Compare a questioned recording with recordings of one known speaker.

    Parameters
    ----------
    model : Pipeline
        From recordings to answers, calibrated, as `train_model(..., calibrate=...)` makes it.
    questioned : path-like or Segment
        The recording whose speaker is in question.
    known : sequence of path-like or of Segment
        Recordings of the known speaker, all of them.
    confidence : float, default=0.9
        Of the intervals and sets that stand beside the model's answers.
    verbose : bool, default=False
        Show progress bars.
    manifest : path-like or None, default=None
        File that gets what the comparison rests on.
    allow_copies : bool, default=False
        Whether recordings are compared though their waveforms say that they are one take at another
        level, cut or coding: a correlation can be high by other causes, which an examiner hears.
        The manifest and the page of the case then say so. Equal samples are refused in any case.
    channel : int, {"auto", "mix"} or None, default=None
        As in `predict_files`.
    on_error : {"stop", "skip", "use"}, default="stop"
        What becomes of a recording that cannot be used: it ends the comparison, or is left
        out if it is a known one; with "use", what there is of a file
        whose end is missing is used, with a warning.
    overwrite : bool, default=False
        Whether `manifest` may take the place of a file that is no such manifest.

    Returns
    -------
    Case

    Raises
    ------
    AudioError
        A recording cannot be used, is in question and known at once, or is known twice: the same
        samples, or a near copy, see `sfmforensics.audit.near_copies`.
    ParameterError
        There are no known recordings, or the confidence is not between 0 and 1.
    ModelFileError
        The model is not calibrated to compare voices.
    CustodyError
        A view is no longer what the model was trained with, or a recording changed meanwhile.
    TargetError
        So many known recordings cannot be calibrated.
    OutputError
        The manifest cannot be written, is one of the files that are read, or would take the place
        of something else.

    Warns
    -----
    EvidenceWarning
        The model has learnt from one of the recordings: it is no stranger; or copies are allowed.
    """
    calibrated = comparing_step(model)
    if is_path(known) or not len(known):
        raise ParameterError(
            f"known is {shown(known)}; give a list of one recording or more of the known speaker"
        )
    check_confidence(confidence)
    check_same_views(model)
    files = [user_recording(file) for file in (questioned, *known)]
    if manifest is not None:
        manifest = user_path(manifest)
    check_outputs(
        {"manifest": {manifest: is_manifest(*OF_FILES)}} if manifest is not None else {},
        read_by(model) | {"questioned": files[:1], "known": files[1:]},
        overwrite=overwrite,
    )
    hearing = hearing_of_case(model, channel, on_error)
    errors = {}
    if on_error == "skip":
        errors = refusals(files[1:], hearing, least_samples(model))
        if len(errors) == len(files) - 1:
            raise errors[0]
        warn_left_out(list(errors.values()), len(files))
        files = [file for place, file in enumerate(files) if place - 1 not in errors]
    provenance = Provenance(files, verbose, hearing, decoded=True)
    seconds = [seconds_of(model, file, hearing) for file in files]
    copies = _refuse_copies(files, allow_copies, hearing)
    warn_of_learnt(model, provenance)
    X = vectors_of(model, files, verbose, hearing=hearing)
    comparison = calibrated.compare(_rows(X, [0]), _rows(X, range(1, len(files))))
    answers = answers_of(model, files, X, intervals=True, confidence=confidence)
    content = provenance.manifest(
        "comparison",
        views=model[0],
        model_file=getattr(model, "file_", None),
        model=getattr(model, "manifest_", None),
        comparison=as_json(asdict(comparison)),
        confidence=confidence,
        copies=copies,
        **({"left_out": list(map(str, errors.values()))} if errors else {}),
    )
    if manifest is not None:
        write_atomically(manifest, json.dumps(content, indent=1))
    names = list(map(recording_text, files))
    return Case(names[0], names[1:], comparison, answers, content, model, X, seconds, confidence)


def _refuse_copies(
    files: Sequence[FileRecording], allow: bool, hearing: Hearing
) -> list[dict[str, Any]]:
    known = range(1, len(files))
    other = "compare it with other recordings of the known speaker"
    pairs = [(0, place, ", the recording in question", other) for place in known]
    once = "name each known recording once"
    pairs += [(first, second, "", once) for first, second in combinations(known, 2)]
    return refuse_pairs(files, pairs, allow, hearing)


def _rows(X: Any, rows: Sequence[int]) -> Any:
    return X.iloc[list(rows)] if hasattr(X, "iloc") else X[list(rows)]


def write_case(case: Case, path: PathLike, *, overwrite: bool = False) -> Path:
    """Write the report of a case: one page, to read without a network and to print.

    Parameters
    ----------
    case : Case
        As `compare_files` gives it.
    path : path-like
        File for the page of HTML; its folder is made if need be.
    overwrite : bool, default=False
        Whether it may take the place of a file that is no such page.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        The file cannot be written, is one of those of the case, or would take the place of
        something else.
    ModelFileError
        The model of the case is not calibrated.
    """
    path = user_path(path)
    files = [record["path"] for record in case.manifest["recordings"]]
    check_outputs(
        {"path": {path: is_page(CASE_TITLE)}},
        read_by(case.model) | {"questioned": files[:1], "known": files[1:]},
        overwrite=overwrite,
    )
    calibrated = calibrated_step(case.model)
    tasks = {name: kind for name, kind in calibrated.tasks_.items() if name != calibrated.speaker}
    page = case_page(
        case.comparison,
        case.answers,
        case.manifest,
        tasks=tasks,
        confidence=case.confidence,
        seconds=case.seconds,
        trials=_trials(case, calibrated),
        explanation=_explained(case),
    )
    write_atomically(path, page)
    return path


def _trials(case: Case, calibrated: CalibratedModel) -> Trials | None:
    """Comparisons to draw, which a model without people has not."""
    if not holds_people(case.model):
        return None
    return calibrated._ratio()._weighed(case.comparison.n_known)


def _explained(case: Case) -> Explanation | None:
    """Of the questioned recording, view by view: that takes no time to speak of."""
    one = _safe_indexing(case.X, [0])
    try:
        return explain(case.model[-1], one, n_steps=0)
    except (ParameterError, ViewError):  # a model of another kind, or of too many views
        return None
