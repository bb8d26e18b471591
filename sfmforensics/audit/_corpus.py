"""All findings about a corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfmforensics._utils.names import name_few
from sfmforensics.audit._copies import near_copies
from sfmforensics.audit._finding import SERIOUS, Finding, counted, findings_frame
from sfmforensics.audit._heard import hearing_findings
from sfmforensics.audit._labels import SPEAKER, label_findings
from sfmforensics.audit._leaks import find_leaks
from sfmforensics.audit._origin import origin_findings, recording_details, unreadable
from sfmforensics.audit._same import copy_findings, names_of, voice_findings
from sfmforensics.audit._voices import alike_voices
from sfmforensics.datasets import find_copies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from sklearn.utils import Bunch

    from sfmforensics._types import Channel, Column, Matrix, Recording, Truncated


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
            *origin_findings(target, details),
        ]
    )


def _unreadable(data: Sequence[Recording], details: pd.DataFrame) -> Iterator[Finding]:
    found = unreadable(data, details)["found"]
    if len(found):
        bad = details["found"].notna()
        names = [name for name, refused in zip(names_of(data), bad, strict=True) if refused]
        yield Finding(
            SERIOUS,
            "cannot be read",
            f"{counted(len(found), 'recording')} ({name_few(sorted(names))})",
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
