"""Which of some enrolled speakers, or none of them, and what the answer rests on."""

from __future__ import annotations

import json
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._utils.files import write_atomically
from sfmforensics._utils.names import recording_text
from sfmforensics._utils.outputs import check_outputs, is_manifest
from sfmforensics._utils.paths import user_path, user_recording
from sfmforensics._utils.plain import as_json
from sfmforensics.audio._survey import surveyed
from sfmforensics.custody import OF_FILES, Provenance
from sfmforensics.evidence import OpenSetIdentifier
from sfmforensics.evidence._people import NO_PEOPLE, holds_people
from sfmforensics.exceptions import ModelFileError, TargetError
from sfmforensics.workflow._compare import seconds_of, warn_of_learnt
from sfmforensics.workflow._copy_checks import refuse_pairs
from sfmforensics.workflow._predict import (
    check_same_views,
    comparing_step,
    least_samples,
    name_of,
    read_by,
    vectors_of,
)
from sfmforensics.workflow._selection import hearing_of_case, refusals, warn_left_out

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sklearn.pipeline import Pipeline

    from sfmforensics._types import Channel, Handling, PathLike
    from sfmforensics._utils.recordings import FileRecording
    from sfmforensics.audio._hearing import Hearing


@surveyed
def identify_files(
    model: Pipeline,
    files: Sequence[FileRecording],
    enrolled: Sequence[FileRecording],
    speakers: Sequence[str],
    *,
    false_alarm: float = 0.05,
    verbose: bool = False,
    manifest: PathLike | None = None,
    allow_copies: bool = False,
    channel: Channel | None = None,
    on_error: Handling = "stop",
    overwrite: bool = False,
) -> pd.DataFrame:
    """Tell which enrolled speaker recordings are of, or that they are of none of them.

    Parameters
    ----------
    model : Pipeline
        As for `compare_files`.
    files : sequence of path-like or of Segment
        Recordings in question.
    enrolled : sequence of path-like or of Segment
        Recordings whose speakers are known.
    speakers : sequence of str
        Who speaks in these.
    false_alarm : float, default=0.05
        How often a recording of somebody who is not enrolled may be given a name.
    verbose : bool, default=False
        Show progress bars.
    manifest : path-like or None, default=None
        File that gets what the answers rest on.
    allow_copies : bool, default=False
        As for `compare_files`.
    channel : int, {"auto", "mix"} or None, default=None
        As in `predict_files`.
    on_error : {"stop", "skip", "use"}, default="stop"
        What becomes of a recording that cannot be used: it ends the run, or is left out,
        which the manifest tells; with "use", what there is of a file
        whose end is missing is used, with a warning.
    overwrite : bool, default=False
        Whether `manifest` may take the place of a file that is no such manifest.

    Returns
    -------
    DataFrame
        A row for each recording: "path", "speaker" (None for none of them), "closest" (the
        enrolled speaker whose likelihood ratio is highest), that "log10_lr", the same "unbounded",
        which is for ranking and not to report, and the "threshold" above which it is a name.

    Raises
    ------
    AudioError
        A recording cannot be used, or is in question and enrolled at once: the same samples, or a
        near copy, see `sfmforensics.audit.near_copies`.
    ParameterError
        The rate is not between 0 and 1.
    ModelFileError
        The model is not calibrated to compare voices, or holds no people.
    TargetError
        An enrolled recording has no speaker, there are none, or one has more recordings than can be
        calibrated.
    CustodyError
        A view is no longer what the model was trained with, or a recording changed meanwhile.
    OutputError
        The manifest cannot be written, is one of the files that are read, or would take the place
        of something else.

    Warns
    -----
    EvidenceWarning
        The model has learnt from one of the recordings, or there are too few calibration speakers
        for that rate.
    """
    calibrated = comparing_step(model)
    if not holds_people(model):
        raise ModelFileError(
            f"{name_of(model)}: {NO_PEOPLE}, and to identify takes recordings of the calibration "
            "speakers, whom those who are enrolled are compared with; use the model that holds them"
        )
    check_same_views(model)
    questioned, known_files = (
        [user_recording(file) for file in group] for group in (files, enrolled)
    )
    if manifest is not None:
        manifest = user_path(manifest)
        check_outputs(
            {"manifest": {manifest: is_manifest(*OF_FILES)}},
            read_by(model) | {"files": questioned, "enrolled": known_files},
            overwrite=overwrite,
        )
    hearing = hearing_of_case(model, channel, on_error)
    left_out = []
    if on_error == "skip":
        errors = refusals([*known_files, *questioned], hearing, least_samples(model))
        left_out = list(map(str, errors.values()))
        warn_left_out(list(errors.values()), len(known_files) + len(questioned))
        speakers = [name for place, name in enumerate(speakers) if place not in errors]
        questioned = [
            file for place, file in enumerate(questioned, len(known_files)) if place not in errors
        ]
        known_files = [file for place, file in enumerate(known_files) if place not in errors]
        if not questioned:
            raise next(iter(errors.values()))
    provenance = Provenance([*known_files, *questioned], verbose, hearing, decoded=True)
    for file in (*known_files, *questioned):
        seconds_of(model, file, hearing)
    copies = _refuse_enrolled(known_files, questioned, allow_copies, hearing)
    warn_of_learnt(model, provenance)
    ratio = calibrated._ratio()
    if not known_files:
        raise TargetError("nobody is enrolled; give recordings of known speakers")
    known = calibrated.transform(vectors_of(model, known_files, verbose, hearing=hearing))
    vectors = calibrated.transform(vectors_of(model, questioned, verbose, hearing=hearing))
    identifier = OpenSetIdentifier(ratio, false_alarm=false_alarm).fit(known, speakers)
    ratios = identifier.log10_lr(vectors)
    unbounded = ratio.log10_lr(vectors, known, speakers, bounded=False)
    each, best = np.arange(len(unbounded)), unbounded.argmax(axis=1)
    answers = pd.DataFrame(
        {
            "path": pd.Series(list(map(recording_text, questioned)), dtype=object),
            "speaker": identifier.predict(vectors),
            "closest": identifier.classes_[best],
            "log10_lr": ratios[each, best],
            "unbounded": unbounded[each, best],
            "threshold": identifier.threshold_,
        }
    )
    content = provenance.manifest(
        "identification",
        views=model[0],
        model_file=getattr(model, "file_", None),
        model=getattr(model, "manifest_", None),
        enrolled=as_json(
            pd.DataFrame(
                {"path": list(map(recording_text, known_files)), "speaker": speakers}
            ).to_dict("records")
        ),
        identifier={
            "false_alarm": false_alarm,
            "promised": identifier.promised_,
            "threshold": identifier.threshold_,
            "calibration_speakers": ratio.n_speakers_,
        },
        copies=copies,
        answers=as_json(answers.to_dict("records")),
        **({"left_out": left_out} if left_out else {}),
    )
    if manifest is not None:
        write_atomically(manifest, json.dumps(content, indent=1))
    return answers


def _refuse_enrolled(
    known: Sequence[FileRecording],
    questioned: Sequence[FileRecording],
    allow: bool,
    hearing: Hearing,
) -> list[dict[str, Any]]:
    """Of a recording that is enrolled itself the answer would be that it is itself."""
    remedy = "ask about other recordings, or leave that one out of those enrolled"
    n, enrolled = len(known), ", which is enrolled"
    pairs = [(i, n + j, enrolled, remedy) for j in range(len(questioned)) for i in range(n)]
    once = "enrol each recording once, under one name"
    pairs += [(i, j, enrolled, once) for i, j in combinations(range(n), 2)]
    return refuse_pairs([*known, *questioned], pairs, allow, hearing)
