"""Whether a label can be told from how a file was made: its rate, channels, format, length."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from sfmforensics._utils.names import describe_source, file_of
from sfmforensics._utils.recordings import Segment
from sfmforensics.audio import audio_info
from sfmforensics.audio._decoding import check_pair
from sfmforensics.audit._finding import NOTE, SERIOUS, Finding
from sfmforensics.audit._label_findings import SPEAKER, constant_labels
from sfmforensics.exceptions import AudioError
from sfmforensics.targets import REGRESSION, task_kind
from sfmforensics.targets._bands import with_middles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sfmforensics._utils.recordings import Recording

TELLS = 0.5
"""Least association of a label with rate, channels, format or folder: large after Cohen."""

TELLS_BY_LENGTH = 0.6
"""Least association with the length: emotions differ in tempo by themselves."""

_ALMOST_CERTAIN = 0.9
_CHANCE = 1e-3
_LEAST_RANKED = 8  # with fewer, scipy's p-value of a rank correlation is far too small
_ORIGINS = {
    "rate": "sampling rate",
    "channels": "number of channels",
    "format": "file format",
    "seconds": "length",
    "folder": "folder",
}


def recording_details(data: Sequence[Recording]) -> pd.DataFrame:
    """Rate, channels, length, format and folder of recordings, from their headers.

    Parameters
    ----------
    data : list of length n_recordings
        Paths, segments, or ``(signal, rate)`` pairs.

    Returns
    -------
    DataFrame of shape (n_recordings, 6)
        ``rate`` (Hz), ``channels`` (of the file), ``seconds``, ``format`` (how the name ends),
        ``folder`` (name of the folder it is in), and ``found``: why it cannot be read, None where
        it can; the other columns are missing then.

    Examples
    --------
    >>> recording_details([(np.zeros(8000), 16_000)])[["rate", "channels", "seconds"]]
       rate channels  seconds
    0  16000        1      0.5
    """
    rows: list[tuple[Any, ...]] = []
    for recording in data:
        try:
            file = file_of(recording)
            if file is None:
                signal, rate = check_pair(recording)
                channels = 1 if signal.ndim == 1 else signal.shape[1]
                rows.append((rate, channels, len(signal) / rate, None, None, None))
            else:
                path = PurePath(os.path.abspath(os.fsdecode(file)))
                known = path.suffix.lower().lstrip("."), path.parent.name
                rate, channels, seconds = audio_info(file)
                if isinstance(recording, Segment):
                    end = seconds if recording.end is None else min(recording.end, seconds)
                    seconds = max(end - recording.start, 0.0)
                rows.append((rate, channels, seconds, *known, None))
        except AudioError as error:
            rows.append((None, None, None, None, None, error.found))
    frame = pd.DataFrame(
        rows, columns=["rate", "channels", "seconds", "format", "folder", "found"], dtype=object
    )
    return frame.astype({"seconds": float})


def association(labels: pd.Series, origin: pd.Series) -> tuple[float, float]:
    """Measure how well a label can be told from something else.

    Parameters
    ----------
    labels, origin : Series of shape (n,)
        A float dtype holds numbers, any other categories. Pairs with a missing value are left out.

    Returns
    -------
    strength : float
        In [0, 1]: Cramer's V for two categories, the correlation ratio (eta) for a category and
        numbers, and the absolute rank correlation (Spearman) for two numbers. NaN where one of
        them has one value only, or fewer than 8 pairs of numbers are known.
    chance : float
        p-value of no association.

    Examples
    --------
    >>> emotion = pd.Series(["angry"] * 10 + ["calm"] * 10)
    >>> rate = pd.Series([44_100] * 10 + [16_000] * 10)
    >>> strength, chance = association(emotion, rate)
    >>> round(strength, 2), chance < 0.001
    (1.0, True)
    """
    known = labels.notna().to_numpy() & origin.notna().to_numpy()
    labels, origin = labels[known].reset_index(drop=True), origin[known].reset_index(drop=True)
    if labels.nunique() < 2 or origin.nunique() < 2:
        return np.nan, 1.0
    numbers = [task_kind(values) == REGRESSION for values in (labels, origin)]
    if all(numbers):
        if len(labels) < _LEAST_RANKED:
            return np.nan, 1.0
        spearman = stats.spearmanr(labels, origin)
        return abs(float(spearman.statistic)), float(spearman.pvalue)
    if not any(numbers):
        # A label of its own for almost every recording, such as what was said, has no company.
        if max(labels.nunique(), origin.nunique()) > len(labels) / 2:
            return np.nan, 1.0
        counts = pd.crosstab(labels, origin).to_numpy()
        strength = stats.contingency.association(counts, method="cramer")
        return float(strength), float(stats.chi2_contingency(counts, correction=False).pvalue)
    classes, values = (labels, origin) if numbers[1] else (origin, labels)
    means = values.groupby(classes).transform("mean")
    between, total = (np.square(x - values.mean()).sum() for x in (means, values))
    groups, rows = classes.nunique(), len(values)
    within = total - between
    if rows <= groups:
        return np.nan, 1.0
    ratio = between / (groups - 1) * (rows - groups) / max(within, 1e-12 * total)
    chance = stats.f.sf(ratio, groups - 1, rows - groups)
    return float(np.sqrt(between / total)), float(chance)


def origin_findings(target: pd.DataFrame, details: pd.DataFrame) -> list[Finding]:
    """Say which labels can be told from how the file was made.

    Parameters
    ----------
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels.
    details : DataFrame of shape (n_recordings, n_details)
        As `recording_details` gives them.

    Returns
    -------
    list of Finding

    Notes
    -----
    Listed is an association of 0.5 or more (0.6 with the logarithm of the length) that chance
    makes in fewer than one corpus in a thousand. What is constant for a speaker is counted once a
    speaker. A folder says nothing to a model, so it is a note, and not looked at for the speaker
    and what is constant for one: many corpora have a folder a speaker. Nor is the speaker's length
    of recordings: people speak at different speeds. On BAVED the largest value for emotion, gender
    and age is 0.15.

    Examples
    --------
    >>> target = pd.DataFrame({"emotion": ["angry", "calm"] * 10})
    >>> details = pd.DataFrame({"rate": [44_100, 16_000] * 10})
    >>> [finding.finding for finding in origin_findings(target, details)]
    ['emotion goes with sampling rate']
    """
    target = with_middles(target)
    constant = constant_labels(target)
    target, details = target.reset_index(drop=True), details.reset_index(drop=True)
    findings = []
    for column in target.columns:
        of_speaker = column in constant or column == SPEAKER
        for origin, name in _ORIGINS.items():
            # The folder of a speaker is how files are kept, and speakers have their own tempo.
            if origin not in details or (of_speaker and origin == "folder"):
                continue
            if column == SPEAKER and origin == "seconds":
                continue
            values: Any = details[origin]
            if origin == "seconds":
                values = np.log(values.astype(float).where(values > 0))
            labels = target[column]
            if column in constant:
                labels, values = _once_a_speaker(target[SPEAKER], labels, values)
            strength, chance = association(labels, values)
            least = TELLS_BY_LENGTH if origin == "seconds" else TELLS
            if strength >= least and chance < _CHANCE:
                findings.append(_finding(column, origin, name, strength, target[column], details))
    return findings


def _once_a_speaker(
    speakers: pd.Series, labels: pd.Series, values: pd.Series
) -> tuple[pd.Series, pd.Series]:
    frame = pd.DataFrame({"labels": labels, "values": values})[speakers.notna()]
    groups = frame.groupby(speakers[speakers.notna()])
    once = {
        name: groups[name].mean()
        if task_kind(frame[name]) == REGRESSION
        else groups[name].agg(_commonest)
        for name in ("labels", "values")
    }
    return once["labels"], once["values"]


def _commonest(values: pd.Series) -> Any:
    # Of two that are as common, that whose name comes first.
    counts = values.value_counts()
    return min(counts.index, key=lambda value: (-counts[value], str(value)), default=None)


def _finding(
    column: str, origin: str, name: str, strength: float, labels: pd.Series, details: pd.DataFrame
) -> Finding:
    serious = origin in ("rate", "channels", "format") or (
        origin == "seconds" and strength >= _ALMOST_CERTAIN
    )
    example = ""
    if origin != "seconds" and task_kind(labels) != REGRESSION:
        pairs = pd.DataFrame({"label": labels, "origin": details[origin]}).value_counts()
        label, value = min(pairs.index, key=lambda pair: (-pairs[pair], str(pair)))
        example = (
            f"; for instance, {pairs[label, value]} of {pairs[label].sum()} recordings of {label} "
            f"have {value}"
        )
    why = {
        "folder": "If a folder is a session or a room, the label is that of the room.",
        "seconds": "A model can tell the label by the length alone.",
    }.get(origin, "A model can tell the label by the microphone or the coding, not the voice.")
    return Finding(
        SERIOUS if serious else NOTE,
        f"{column} goes with {name}",
        f"association {strength:.2f} of 1{example}",
        why,
        "Say what the folders are." if origin == "folder"
        else f"Record every {column} under like conditions, or keep to one {name}.",
    )  # fmt: skip


def unreadable(data: Sequence[Recording], details: pd.DataFrame) -> pd.DataFrame:
    """List recordings that cannot be read.

    Parameters
    ----------
    data : list of length n_recordings
    details : DataFrame of shape (n_recordings, n_details)
        As `recording_details` gives them.

    Returns
    -------
    DataFrame
        Columns path, found.

    Examples
    --------
    >>> unreadable(["no.wav"], recording_details(["no.wav"]))
         path         found
    0  no.wav  no such file
    """
    rows = [
        (describe_source(recording), problem)
        for recording, problem in zip(data, details["found"], strict=True)
        if problem is not None
    ]
    return pd.DataFrame(rows, columns=["path", "found"])
