"""What a corpus is made of, and what in it would make a figure too good."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd

from sfmforensics.audio import audio_info, describe_source
from sfmforensics.datasets import find_copies
from sfmforensics.exceptions import AudioError, SFMForensicsError
from sfmforensics.experiment import PROTOCOLS, SPEAKER, audit, make_splits
from sfmforensics.targets import CLASSIFICATION, task_kind

_MANY = 15


def describe_corpus(corpus, *, folds=5, seed=0, verbose=False):
    """Counts, durations, distributions, copies, conflicts and leaks, as tables.

    Parameters
    ----------
    corpus : Bunch
        As the loaders of `sfmforensics.datasets` give it.
    folds : int, default=5
        Number of folds that leaks are looked for in.
    seed : int, default=0
        Seed of these folds.
    verbose : bool, default=False
        Show a progress bar.

    Returns
    -------
    dict of str to DataFrame
        Tables by title, in the order in which they are read. Recordings that cannot be read are
        listed, not refused.

    Examples
    --------
    >>> from sfmforensics.datasets import make_speech_corpus
    >>> tables = describe_corpus(make_speech_corpus(4, 5, duration=0.4))
    >>> list(tables)
    ['corpus', 'labels', 'numbers', 'leaks between folds']
    """
    copies = find_copies(corpus.data, verbose=verbose)
    details, unreadable = _recordings(corpus.data)
    tables = {"corpus": _overview(corpus, details, unreadable, copies)}
    if len(unreadable):
        tables["recordings that cannot be read"] = unreadable
    tables |= _distributions(corpus.target)
    for title, frame in (
        ("copies under several speakers", _aliases(corpus, copies)),
        ("speakers with several ages or genders", _conflicts(corpus.target)),
    ):
        if len(frame):
            tables[title] = frame
    tables["leaks between folds"] = _leaks(corpus.target, copies, folds, seed)
    return tables


def _recordings(data):
    rows, unreadable = [], []
    for recording in data:
        try:
            if isinstance(recording, tuple):
                signal, rate = recording
                rows.append(
                    (rate, 1 if np.ndim(signal) == 1 else np.shape(signal)[1], len(signal) / rate)
                )
            else:
                rows.append(audio_info(recording))
        except AudioError as error:
            unreadable.append((describe_source(recording), error.found))
    return (
        pd.DataFrame(rows, columns=["rate", "channels", "seconds"]),
        pd.DataFrame(unreadable, columns=["path", "found"]),
    )


def _overview(corpus, details, unreadable, copies):
    rows = [
        ("recordings", f"{len(corpus.data)}"),
        ("that cannot be read", f"{len(unreadable)}"),
        ("that are copies of another", f"{len(copies) - len(np.unique(copies))}"),
    ]
    if SPEAKER in corpus.target:
        counts = corpus.target[SPEAKER].value_counts()
        rows += [
            ("speakers", f"{len(counts)}"),
            (
                "recordings a speaker",
                f"{counts.min()} to {counts.max()}, median {counts.median():g}",
            ),
        ]
    if len(details):
        seconds = details.seconds
        rows += [
            ("hours", f"{seconds.sum() / 3600:.2f}"),
            (
                "seconds a recording",
                f"{seconds.min():.2f} to {seconds.max():.2f}, median {seconds.median():.2f}",
            ),
            ("sampling rates", _listed(details.rate, " Hz")),
            ("channels", _listed(details.channels, "")),
        ]
    return pd.DataFrame(rows, columns=["what", "found"])


def _listed(values, unit):
    counts = values.value_counts()
    return ", ".join(f"{value}{unit} ({count})" for value, count in counts.items())


def _distributions(target):
    labels, numbers = [], []
    for task in target:
        column = target[task]
        missing = int(column.isna().sum())
        if task_kind(column) == CLASSIFICATION:
            counts = column.value_counts()
            shown = counts.head(_MANY)
            text = ", ".join(f"{label} {count}" for label, count in shown.items())
            if len(counts) > _MANY:
                text += f", ... {len(counts) - _MANY} more"
            labels.append((task, len(counts), missing, text))
        else:
            known = column.dropna()
            numbers.append((task, missing, known.min(), known.median(), known.max(), known.std()))
    found = {}
    if labels:
        found["labels"] = pd.DataFrame(labels, columns=["task", "classes", "missing", "counts"])
    if numbers:
        found["numbers"] = pd.DataFrame(
            numbers, columns=["task", "missing", "least", "median", "most", "sd"]
        )
    return found


def _aliases(corpus, copies):
    """Groups of speakers who share recordings."""
    columns = ["speakers", "shared recordings", "an example"]
    if SPEAKER not in corpus.target:
        return pd.DataFrame(columns=columns)
    frame = pd.DataFrame({"speaker": corpus.target[SPEAKER], "copy": copies})
    frame["path"] = [describe_source(recording) for recording in corpus.data]
    shared = {}
    for _, group in frame.dropna().groupby("copy"):
        speakers = tuple(sorted(group["speaker"].unique(), key=str))
        if len(speakers) > 1:
            shared.setdefault(speakers, []).append(" = ".join(map(os.path.basename, group["path"])))
    rows = [(" = ".join(map(str, who)), len(what), what[0]) for who, what in shared.items()]
    return pd.DataFrame(rows, columns=columns)


def _conflicts(target):
    """Speakers whose age or gender is not one."""
    rows = []
    if SPEAKER in target:
        for task in ("age", "gender"):
            if task in target:
                values = target.groupby(SPEAKER)[task].unique()
                for speaker, found in values.items():
                    known = sorted(value for value in found if not pd.isna(value))
                    if len(known) > 1:
                        rows.append((speaker, task, ", ".join(f"{value}" for value in known)))
    return pd.DataFrame(rows, columns=["speaker", "task", "found"])


def _leaks(target, copies, folds, seed):
    """What training shares with the test side, summed over the folds."""
    rows = []
    for protocol in PROTOCOLS:
        for kept, title in ((None, "ignored"), (copies, "kept together")):
            try:
                splits = make_splits(target, protocol, folds=folds, seed=seed, copies=kept)
            except SFMForensicsError as error:
                rows.append((protocol, title, str(error), "", ""))
                break
            shared = audit(target, copies, {protocol: splits})["shared_copies"][protocol]
            speakers = (
                sum(
                    len(
                        set(target[SPEAKER].iloc[test].dropna())
                        & set(target[SPEAKER].iloc[train].dropna())
                    )
                    for train, test in splits
                )
                / len(splits)
                if SPEAKER in target
                else 0
            )
            rows.append((protocol, title, f"{len(splits)} folds", f"{shared}", f"{speakers:g}"))
    columns = ["protocol", "copies are", "split", "copies in training", "speakers on both sides"]
    return pd.DataFrame(rows, columns=columns)
