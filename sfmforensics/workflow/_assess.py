"""Validate a calibrated model on recordings of speakers that it has never heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfmforensics._utils.files import file_hash, make_folder
from sfmforensics._utils.outputs import check_outputs, is_manifest, own_files
from sfmforensics._utils.paths import user_path
from sfmforensics.audio._survey import surveyed
from sfmforensics.custody import MANIFEST, Provenance, write_manifest
from sfmforensics.datasets._base import with_speaker
from sfmforensics.evidence import assess
from sfmforensics.evidence._people import check_strangers, holds_people
from sfmforensics.exceptions import TargetError
from sfmforensics.report import save_assessment
from sfmforensics.report._assessment_figures import assessment_files
from sfmforensics.workflow._checks import check_corpus, read_of
from sfmforensics.workflow._copy_checks import copies_among, heard_by, refuse_heard, warn_of_absent
from sfmforensics.workflow._predict import (
    calibrated_step,
    check_same_views,
    least_samples,
    read_by,
    vectors_of,
)
from sfmforensics.workflow._selection import hearing_for, told_left_out, usable_part

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline
    from sklearn.utils import Bunch

    from sfmforensics._types import Channel, Handling, PathLike
    from sfmforensics.evidence import Assessment


@surveyed
def assess_corpus(
    model: Pipeline,
    corpus: Bunch,
    output: PathLike | None = None,
    *,
    confidence: float = 0.9,
    risk: float = 0.1,
    n_known: int = 1,
    seed: int = 0,
    cache: PathLike | None = None,
    verbose: bool = False,
    allow_known_speakers: bool = False,
    channel: Channel = "auto",
    on_error: Handling = "stop",
    overwrite: bool = False,
) -> Assessment:
    """Measure how far a calibrated model can be trusted, on voices never heard.

    Parameters
    ----------
    model : Pipeline
        From recordings to answers, calibrated, as `train_model(..., calibrate=...)` makes it.
    corpus : Bunch
        As the loaders of `sfmforensics.datasets` give it, of speakers of whom the model has heard
        nothing. Columns that are no tasks of the model, such as "language", are groups.
    output : path-like or None, default=None
        Folder that gets the tables (``assessment.csv``, ``differences.csv``), the figures and
        ``manifest.json``, the chain of custody.
    confidence, risk, n_known
        As for `sfmforensics.evidence.assess`.
    seed : int, default=0
        Draws what is resampled.
    cache : path-like or None, default=None
        Folder that keeps the embeddings.
    verbose : bool, default=False
        Show progress bars.
    allow_known_speakers : bool, default=False
        Whether it goes on with recordings, copies of them, or names of speakers that the model has
        been trained or calibrated with. The manifest then says which.
    channel, on_error
        As in `sfmforensics.workflow.evaluate_corpus`.
    overwrite : bool, default=False
        Whether files in `output` may be replaced that are no such results of this package.

    Returns
    -------
    Assessment

    Raises
    ------
    ModelFileError
        The model is not calibrated.
    TargetError
        The model has learnt from one of the recordings, by their samples, or from a near copy, as
        far as what it has learnt from is where it was; or it knows the name of a speaker; or the
        labels do not go with it.
    CustodyError
        A view is no longer what the model was trained with, or a recording changed meanwhile.
    AudioError
        A recording cannot be used.
    OutputError
        The results cannot be written, or a file would be replaced that is read, or that is not
        this package's own.

    Warns
    -----
    EvidenceWarning
        What the model has learnt from cannot be compared, or not all of it: it holds no people, or
        recordings are not where they were.
    """
    calibrated = calibrated_step(model)
    check_same_views(model)
    check_corpus(corpus)
    corpus = with_speaker(corpus)
    if calibrated.speaker is not None and calibrated.speaker not in corpus.target:
        # Copies are groups too, so that else each recording would count as a voice of its own.
        raise TargetError(
            f"the targets have no column {calibrated.speaker!r}; validation counts whole speakers, "
            "so say who speaks in each recording"
        )
    read = read_by(model) | read_of(corpus, model[0], cache)
    if output is not None:
        output = user_path(output)
        written = assessment_files(output, calibrated.tasks_)
        written |= own_files(output, {MANIFEST: is_manifest("assessment")})
        check_outputs({"output": written}, read, overwrite=overwrite)
    hearing = hearing_for(channel, on_error)
    corpus, left_out = usable_part(corpus, on_error, hearing, least_samples(model), verbose)
    provenance = Provenance(corpus.data, verbose, hearing, decoded=True)
    heard = heard_by(model, corpus.data, provenance, verbose, hearing)
    if not allow_known_speakers:
        refuse_heard(heard, corpus.data)
    if calibrated.speaker in corpus.target:  # before hours of embedding
        check_strangers(calibrated, corpus.target[calibrated.speaker], allow=allow_known_speakers)
    warn_of_absent(heard, people=holds_people(calibrated))  # without, `assess` says it
    X = vectors_of(model, list(corpus.data), verbose, cache, hearing)
    copies = copies_among(corpus.data, X, verbose=verbose, hearing=hearing).joined
    assessment = assess(
        calibrated,
        X,
        corpus.target,
        groups=copies,
        confidence=confidence,
        risk=risk,
        n_known=n_known,
        random_state=seed,
        allow_known_speakers=allow_known_speakers,
    )
    if output is not None:
        make_folder(output)
        paths = save_assessment(output, assessment, overwrite=True)  # it was asked before
        manifest = provenance.manifest(
            "assessment",
            views=model[0],
            model_file=getattr(model, "file_", None),
            model=getattr(model, "manifest_", None),
            parameters={"confidence": confidence, "risk": risk, "n_known": n_known, "seed": seed},
            known={
                "allowed": allow_known_speakers,
                "speakers": list(assessment.known_speakers),
                "recordings": int(heard.exact.sum()),
                "near_copies": int(heard.near.sum()),
                "not_compared": heard.absent,
                "checked": not heard.unknown,
            },
            **told_left_out(left_out),
            results={path.name: file_hash(path) for path in paths},
        )
        write_manifest(output, manifest, overwrite=True)
    return assessment
