"""All findings about a corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfmforensics._utils.names import name_few
from sfmforensics.audio import heard_of
from sfmforensics.audio._channels import DIFFERENT, INVERTED, SILENT
from sfmforensics.audio._hearing import Hearing
from sfmforensics.audit._agreement import agreement_findings
from sfmforensics.audit._copies import near_copies
from sfmforensics.audit._copy_findings import copy_findings, names_of, voice_findings
from sfmforensics.audit._finding import NOTE, SERIOUS, Finding, counted, findings_frame
from sfmforensics.audit._label_findings import SPEAKER, label_findings
from sfmforensics.audit._leaks import find_leaks
from sfmforensics.audit._origin import origin_findings, recording_details, unreadable
from sfmforensics.audit._voices import alike_voices
from sfmforensics.datasets import find_copies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from sklearn.utils import Bunch

    from sfmforensics._types import Channel, Column, Matrix, Truncated
    from sfmforensics._utils.recordings import Recording


def hearing_findings(
    data: Sequence[Recording], channel: Channel = "auto", truncated: Truncated = "refuse"
) -> list[Finding]:
    """Say of which recordings not all is heard.

    Parameters
    ----------
    data : list of length n_recordings
        Paths, or ``(signal, rate)`` pairs.
    channel : int or {"auto", "mix"}, default="auto"
        As in `sfmforensics.audio.read_audio`.
    truncated : {"refuse", "use"}, default="refuse"
        As in `sfmforensics.audio.read_audio`.

    Returns
    -------
    list of Finding

    Examples
    --------
    >>> import numpy as np
    >>> tone = np.sin(np.arange(16_000))
    >>> call = np.column_stack([tone * (tone > 0.9), tone * np.hanning(16_000)])
    >>> [finding.finding for finding in hearing_findings([(call, 16_000), (tone, 16_000)])]
    ['channels differ']
    """
    hearing = Hearing(channel, truncated)
    facts = [heard_of(recording, hearing) for recording in data]
    names = names_of(data)

    def of(key: str, value: str | None = None) -> list[str]:
        return [
            name
            for name, one in zip(names, facts, strict=True)
            if key in one and value in (None, one[key])
        ]

    findings = []
    for named, severity, finding, why, remedy in (
        (
            of("because", DIFFERENT),
            SERIOUS,
            "channels differ",
            "Each party of a call may have its own: their mean would be one voice of two, so that "
            "evaluate and train stop at such a recording.",
            "Say which is to be heard: --channel 1, 2, ..., or mix for their mean.",
        ),
        (
            of("because", SILENT),
            NOTE,
            "a silent channel",
            "Only the others are heard; the mean of all would be softer.",
            "Nothing, if nobody speaks there.",
        ),
        (
            of("because", INVERTED),
            NOTE,
            "channels of opposite polarity",
            "Their mean would cancel the voice; the first is heard.",
            "Nothing, or record with one polarity.",
        ),
        (
            of("missing"),
            NOTE if truncated == "use" else SERIOUS,
            "cut",
            "The end of the file is missing, by what its header promises or its last page says.",
            "Get the whole file. Only with --on-error use is what is there used.",
        ),
    ):
        if named:
            what = f"{counted(len(named), 'recording')} ({name_few(sorted(named))})"
            findings.append(Finding(severity, finding, what, why, remedy))
    return findings


def audit_corpus(
    corpus: Bunch,
    *,
    X: Matrix | None = None,
    copies: Column | None = None,
    near: pd.DataFrame | None = None,
    alike: pd.DataFrame | None = None,
    details: pd.DataFrame | None = None,
    leaks: pd.DataFrame | None = None,
    refused: pd.DataFrame | None = None,
    folds: int = 5,
    seed: int = 0,
    verbose: bool = False,
    channel: Channel = "auto",
    truncated: Truncated = "refuse",
) -> pd.DataFrame:
    """Say what in a corpus would make a figure wrong, or is to be known when one is read.

    Parameters
    ----------
    corpus : Bunch
        As the loaders of `sfmforensics.datasets` give it.
    X : array-like of shape (n_recordings, n_features) or None, default=None
        Embeddings of one or more views side by side; a row that holds NaN is not used. Without,
        near copies and alike voices are not looked for.
    copies : array-like of shape (n_recordings,) or None, default=None
        As `sfmforensics.datasets.find_copies` gives them, which is called without.
    near, alike, details, leaks : DataFrame or None, default=None
        What `near_copies`, `alike_voices`, `recording_details` and `find_leaks` gave, where that
        is known already.
    refused : DataFrame or None, default=None
        Columns path and found: recordings that can be read, but not embedded, such as silence.
    folds : int, default=5
        Number of folds that leaks are looked for in; labels with fewer recordings are rare.
    seed : int, default=0
        Seed of the folds.
    verbose : bool, default=False
        Show progress bars.
    channel : int or {"auto", "mix"}, default="auto"
        Which channel of a recording of several is heard, see `sfmforensics.audio.read_audio`.
    truncated : {"refuse", "use"}, default="refuse"
        What becomes of a file whose end is missing.

    Returns
    -------
    DataFrame of shape (n_findings, 5)
        Columns severity ("serious" or "note"), finding, what, why, remedy: text, so that
        ``to_dict("records")`` is JSON. The serious ones come first. Findings are:

        - "cannot be read", "cannot be embedded";
        - "channels differ", "a silent channel", "channels of opposite polarity", "cut";
        - "exact copies", "near copies", "one recording under two speakers", "one recording with
          two labels";
        - "voices alike";
        - "labels written in two ways", "impossible ages";
        - "several ages", "several genders", and so on for what else is constant for a speaker;
        - "one label for all", "looks like no label", "rare labels", "labels of one speaker",
          "missing labels", "told by the speaker";
        - "raters disagree";
        - "LABEL goes with sampling rate", "... number of channels", "... file format", "...
          length", "... folder".

    Examples
    --------
    >>> from sfmforensics.datasets import make_speech_corpus
    >>> corpus = make_speech_corpus(4, 6, duration=0.4)
    >>> audit_corpus(corpus)[["severity", "finding"]].values.tolist()
    [['note', 'told by the speaker']]
    >>> corpus.data[7] = corpus.data[0]
    >>> audit_corpus(corpus).finding.tolist()[0]
    'one recording under two speakers'
    """
    data, target = corpus.data, corpus.target
    copies = find_copies(data, verbose=verbose) if copies is None else copies
    details = recording_details(data) if details is None else details
    if near is None and X is not None:
        near = near_copies(
            data, X, copies=copies, verbose=verbose, channel=channel, truncated=truncated
        )
    if alike is None and X is not None and SPEAKER in target:
        alike = alike_voices(X, target[SPEAKER])
    if leaks is None:
        leaks = find_leaks(target, copies, near=near, alike=alike, folds=folds, seed=seed)
    return findings_frame(
        [
            *_unreadable(data, details),
            *_refused(refused),
            *hearing_findings(data, channel, truncated),
            *copy_findings(corpus, copies, near, leaks),
            *voice_findings(alike, leaks),
            *label_findings(target, folds=folds, names=names_of(data)),
            *agreement_findings(corpus),
            *origin_findings(target, details),
        ]
    )


def _unreadable(data: Sequence[Recording], details: pd.DataFrame) -> Iterator[Finding]:
    reasons = unreadable(data, details)["found"]
    if len(reasons):
        bad = details["found"].notna()
        names = [name for name, refused in zip(names_of(data), bad, strict=True) if refused]
        yield Finding(
            SERIOUS,
            "cannot be read",
            f"{counted(len(reasons), 'recording')} ({name_few(sorted(names))})",
            "evaluate and train stop at such a recording.",
            "Leave it out of the corpus, or replace it.",
        )


def _refused(refused: pd.DataFrame | None) -> Iterator[Finding]:
    if refused is not None and len(refused):
        named = [f"{row.path}: {row.found}" for row in refused.itertuples()]
        yield Finding(
            SERIOUS,
            "cannot be embedded",
            f"{counted(len(refused), 'recording')} ({name_few(sorted(named), 2)})",
            "evaluate and train stop at such a recording.",
            "Leave it out of the corpus, or replace it.",
        )
