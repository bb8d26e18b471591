"""Validate a calibrated model on recordings of speakers that it has never heard."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from sfmforensics._files import file_hash
from sfmforensics.custody import Evidence, write_manifest
from sfmforensics.datasets import find_copies
from sfmforensics.datasets._base import with_speaker
from sfmforensics.evidence import assess
from sfmforensics.evidence._people import CANNOT_BE_CHECKED, holds_people
from sfmforensics.exceptions import EvidenceWarning, TargetError
from sfmforensics.report import save_assessment
from sfmforensics.workflow._answers import calibrated_step, check_same_views, vectors_of
from sfmforensics.workflow._common import check_corpus, make_folder

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline
    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike
    from sfmforensics.evidence import Assessment


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

    Returns
    -------
    Assessment

    Raises
    ------
    ModelFileError
        The model is not calibrated.
    TargetError
        The model has learnt from one of the recordings, or the labels do not go with it.
    CustodyError
        A view is no longer what the model was trained with, or a recording changed meanwhile.
    AudioError
        A recording cannot be used.
    OutputError
        The results cannot be written.

    Warns
    -----
    EvidenceWarning
        The model holds no people, so that it cannot be checked whether it has heard them.
    """
    calibrated = calibrated_step(model)
    check_same_views(model)
    check_corpus(corpus)
    corpus = with_speaker(corpus)
    evidence = Evidence(corpus.data, verbose)
    if not holds_people(model):
        warnings.warn(CANNOT_BE_CHECKED, EvidenceWarning, stacklevel=2)
    told = (getattr(model, "manifest_", None) or {}).get("recordings", [])
    learnt = {record["sha256"] for record in told if "sha256" in record}
    known = sum(record.get("sha256") in learnt for record in evidence.records)
    if known:
        raise TargetError(
            f"{known} of {len(evidence.records)} recordings have trained or calibrated the model; "
            "assess it with speakers of whom it has heard nothing"
        )
    copies = find_copies(corpus.data, verbose=verbose)
    X = vectors_of(model, list(corpus.data), verbose, cache)
    found = assess(
        calibrated,
        X,
        corpus.target,
        groups=copies,
        confidence=confidence,
        risk=risk,
        n_known=n_known,
        random_state=seed,
    )
    if output is not None:
        make_folder(Path(output))
        paths = save_assessment(output, found)
        manifest = evidence.manifest(
            "assessment",
            views=model[0],
            model_file=getattr(model, "file_", None),
            model=getattr(model, "manifest_", None),
            parameters={"confidence": confidence, "risk": risk, "n_known": n_known, "seed": seed},
            results={path.name: file_hash(path) for path in paths},
        )
        write_manifest(Path(output), manifest)
    return found
