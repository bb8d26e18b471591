"""Validation: how good a calibrated model is on speakers that it has never heard."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.validation import check_is_fitted

from sfmforensics.evidence._answers import answers_of, asked_once
from sfmforensics.evidence._assessment import measured
from sfmforensics.evidence._calibration_speakers import voices_of
from sfmforensics.evidence._people import CANNOT_BE_CHECKED, NO_NAMES, check_strangers, holds_people
from sfmforensics.evidence._trials import copy_numbers
from sfmforensics.exceptions import EvidenceWarning, ParameterError, TargetError
from sfmforensics.model_selection._folds import named_groups
from sfmforensics.targets import as_frame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sfmforensics._types import Array, Column, IntArray, Matrix, RandomState, Targets
    from sfmforensics._utils.recordings import Recordings
    from sfmforensics.evidence._assessment import Assessment
    from sfmforensics.evidence._calibrated_model import CalibratedModel


def assess(
    model: CalibratedModel,
    X: Matrix | Recordings,
    y: Targets,
    *,
    groups: Column | None = None,
    by: Sequence[str] = ("gender", "age", "emotion", "language"),
    confidence: float = 0.9,
    risk: float = 0.1,
    n_known: int = 1,
    n_resamples: int = 1000,
    random_state: RandomState = 0,
    allow_known_speakers: bool = False,
) -> Assessment:
    r"""Validate a model on speakers that it has neither been trained nor calibrated with.

    Parameters
    ----------
    model : CalibratedModel
        Fitted.
    X : array-like of shape (n_recordings, ...)
        What its estimator takes, of other speakers, in conditions such as those of the case.
    y : DataFrame or array-like of shape (n_recordings,) or (n_recordings, n_tasks)
        Targets, and columns to group by; labels may be missing. Recordings of nobody known are left
        out: they might be of anybody.
    groups : array-like of shape (n_recordings,) or None, default=None
        As for `CalibratedModel.fit`: copies of one recording; without a column of speakers, the
        speakers.
    by : sequence of str, default=("gender", "age", "emotion", "language")
        Columns of the targets to group by, where they exist and tell 2 to 12 groups; an age by
        decades, any other number by quartiles.
    confidence : float, default=0.9
        Of sets and intervals.
    risk : float, default=0.1
        Share of the answers that may be wrong.
    n_known : int, default=1
        Known recordings of a speaker in each comparison.
    n_resamples : int, default=1000
        Resamples of the speakers.
    random_state : int, RandomState instance or None, default=0
        Draws them.
    allow_known_speakers : bool, default=False
        Whether it goes on with speakers whose names the model knows, of training or of calibration.
        `Assessment.known_speakers` then names them. Recordings are not compared here: that is done
        by `sfmforensics.workflow.assess_corpus`, to which files are given.

    Returns
    -------
    Assessment

    Raises
    ------
    TargetError
        The model knows a speaker by name, nobody says who speaks, nothing of the targets is
        anything that the model answers, or nobody has so many known recordings.
    ParameterError
        The confidence or the risk is not between 0 and 1, or there is a number below 1.

    Notes
    -----
    Measures of the task "speaker" are `cllr`, `cllr_min`, `cllr_cal`, `eer` and `min_dcf` of the
    likelihood ratios, and how often they mislead: the share of ratios below 1 of one speaker, and
    above 1 of two. Each speaker, and each pair of two, counts as much as each other. A group's are
    the comparisons of which both sides are in the group.

    Of classes they are accuracy; expected calibration error (15 bins) and Brier score of the
    probabilities before and after calibration; how often the set holds the truth, and how many
    labels it has; how often an answer is given at this risk, and how often one that is given is
    wrong. Of numbers they are the mean absolute error, how often the interval holds the truth, and
    how wide it is. A truth that the model does not know is answered wrong, and within those sets
    that hold `ANY_OTHER`, which counts as a label more. All of these are means over the speakers of
    each speaker's mean, the expected calibration error among them, since it is speakers who are
    exchangeable: where few speakers have most of the recordings, `expected_calibration_error`, by
    recordings, is another number. Of a group chosen by the very label that is asked there is none:
    answers of a probability p are not right as often there.

    Intervals are of 95 %, by resampling speakers [4]_; those who share a recording are one. A
    comparison of two counts as the product of how often each was drawn. Below five speakers there
    is none; below twenty or so it is too narrow. Differences are of the same resamples, so that
    speakers who are on both sides, as of emotions, cancel out. Resamples tell up to 512 ratios
    apart; more are binned, which costs `cllr_min`, `eer` and `min_dcf` 0.001 or so. Expected
    calibration errors of resamples are too high by chance, and their `cllr_min` is too low: the
    intervals of these, and of `cllr_cal`, are moved so far that their median is the value. The
    model's own training and calibration are not repeated.

    A metric that another package brings (`sfmforensics.metrics.METRICS`) is measured as well, of
    recordings weighted so that each speaker counts as much as each other.

    This is what guidelines on validation ask for [1]_ [2]_ [3]_: accuracy, discrimination and
    calibration, with their uncertainty, on data that reflect the conditions of the case, which only
    an examiner can choose.

    References
    ----------
    .. [1] Morrison, G. S. et al. Consensus on validation of forensic voice comparison. Science &
       Justice 61 (2021), 299-309.
    .. [2] ENFSI Guideline for Evaluative Reporting in Forensic Science (2015).
    .. [3] Meuwly, D., Ramos, D., Haraksim, R. A guideline for the validation of likelihood ratio
       methods used for forensic evidence evaluation. Forensic Science International 276 (2017),
       142-153.
    .. [4] Poh, N., Bengio, S. Estimating the confidence interval of expected performance curve in
       biometric authentication using joint bootstrap. ICASSP 2007.

    Examples
    --------
    >>> from sfmforensics import TANGO
    >>> from sfmforensics.evidence import CalibratedModel
    >>> rng = np.random.default_rng(0)
    >>> who = np.repeat(np.arange(60), 4)
    >>> X = (rng.normal(size=(60, 8))[who] + 0.5 * rng.normal(size=(240, 8))).astype("float32")
    >>> y = pd.DataFrame({"speaker": who.astype(str), "gender": np.where(X[:, 0] > 0, "m", "f")})
    >>> model = CalibratedModel(TANGO(encoder="tokens", random_state=0), random_state=0)
    >>> found = assess(model.fit(X[:160], y[:160]), X[160:], y[160:], n_resamples=100)
    >>> whole = found.table[found.table["group"] == ""].set_index(["task", "measure"])
    >>> bool(whole.loc[("speaker", "cllr"), "value"] < 1)
    True
    >>> whole.loc[("gender", "accuracy"), ["n", "speakers"]].tolist()
    [80, 20]
    """
    check_is_fitted(model)
    if n_known < 1 or n_resamples < 1:
        raise ParameterError(
            f"n_known is {n_known} and n_resamples {n_resamples}; use numbers of at least 1"
        )
    if not 0 < confidence < 1 or not 0 <= risk <= 1:
        raise ParameterError(
            f"confidence is {confidence} and risk {risk}; use shares between 0 and 1"
        )
    frame = as_frame(y).reset_index(drop=True)
    check_consistent_length(X, frame, groups)
    named = model.speaker in frame
    if not named and groups is None:
        raise TargetError(
            f"the targets have no column {model.speaker!r}, and no groups were given; speakers are "
            "resampled as a whole, so say who speaks in each recording"
        )
    voices = voices_of(frame, model.speaker, groups)
    rows = np.flatnonzero(voices >= 0)
    if not len(rows):
        raise TargetError("no recording has a speaker; name who speaks in each")
    if len(rows) < len(voices):
        X, frame, voices = _safe_indexing(X, rows), frame.iloc[rows], voices[rows]
        frame = frame.reset_index(drop=True)
        groups = None if groups is None else _safe_indexing(groups, rows)
    called = frame[model.speaker] if named else named_groups(groups)  # type: ignore[arg-type]
    # Without a column of speakers, groups are who speaks; where there is no such column by design,
    # they are copies.
    by_name = named or model.speaker is not None
    known = check_strangers(model, called, allow=allow_known_speakers) if by_name else []
    if by_name and not hasattr(model, "speakers_"):
        message = NO_NAMES if holds_people(model) else CANNOT_BE_CHECKED
        warnings.warn(message, EvidenceWarning, stacklevel=2)
    voices, names = _numbered(voices, called)
    model = asked_once(model)
    answers = answers_of(model, X, frame, confidence, risk)
    trials, bounds = None, None
    if model.likelihood_ratio_ is not None:
        copies = None
        if groups is not None and named:
            copies = copy_numbers(groups, len(voices))
            # Groups of whole speakers tell voices, not copies of recordings, as in `fit`.
            copies = None if copies.max() + 1 == len(names) else copies
        ratio = model.likelihood_ratio_
        trials = ratio.trials(model.transform(X), voices, copies, n_known=n_known)
        calibration = ratio._calibrated(n_known)
        bounds = (calibration.lower, calibration.upper)
    if trials is None and not answers:
        tasks = ", ".join(map(repr, model.tasks_))
        raise TargetError(
            f"the targets have none of the tasks {tasks} that the model answers, and it compares "
            "no voices; name the columns as in its training"
        )
    labels = frame[[column for column in by if column in frame and column != model.speaker]]
    parts = (trials, answers, labels, voices, names, bounds, confidence, risk, n_known)
    return replace(measured(*parts, n_resamples, random_state), known_speakers=tuple(known))


def _numbered(voices: IntArray, called: pd.Series) -> tuple[IntArray, Array]:
    """Number voices by their names, so that the order of the recordings does not matter."""
    codes = pd.factorize(voices)[0]
    names: list[Any] = [None] * (int(codes.max(initial=-1)) + 1)
    for code, name in zip(codes, called.astype(object), strict=True):
        if not pd.isna(name) and (names[code] is None or str(name) < str(names[code])):
            names[code] = name
    order = sorted(range(len(names)), key=lambda code: str(names[code]))
    place = np.empty(len(names), dtype=int)
    place[order] = np.arange(len(names))
    sorted_names = np.empty(len(names), dtype=object)
    sorted_names[:] = [names[code] for code in order]
    return place[codes], sorted_names
