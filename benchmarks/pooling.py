"""Assessments of several models in one, as of the folds of one corpus."""

from dataclasses import replace

import numpy as np
import pandas as pd

from sfmforensics.evidence._answers import TaskAnswers
from sfmforensics.evidence._assessment import measured
from sfmforensics.exceptions import ParameterError
from sfmforensics.metrics import Trials
from sfmforensics.targets import CLASSIFICATION


def pool_assessments(parts, *, n_resamples=1000, random_state=0):
    """Put assessments of several models in one, as of folds of one corpus.

    Parameters
    ----------
    parts : sequence of Assessment
        With speakers of their own, and the same settings.
    n_resamples, random_state
        As for `assess`.

    Returns
    -------
    Assessment
        Of all recordings and comparisons: speakers of different parts are not compared.

    Raises
    ------
    ParameterError
        There are none, their settings differ, or a speaker is in two of them.

    Notes
    -----
    Likelihood ratios of different models are put on one scale by their calibration, so that one
    threshold is used for all: what is lost by that is a loss of calibration.
    """
    parts = list(parts)
    settings = {(part.confidence, part.risk, part.n_known) for part in parts}
    if len(settings) != 1:
        raise ParameterError(
            f"{len(parts)} assessments have {len(settings)} different settings; give some of one "
            "confidence, risk and n_known"
        )
    names = np.concatenate([part.names for part in parts])
    twice = pd.Series(names).dropna()
    twice = twice[twice.duplicated()]
    if len(twice):
        raise ParameterError(
            f"{twice.iloc[0]!r} is a speaker in two of the assessments; give some of which each "
            "has speakers of its own"
        )
    sizes = [len(part.voices) for part in parts]
    n_voices = np.cumsum([0, *(len(part.names) for part in parts)])
    voices = np.concatenate([part.voices + n for part, n in zip(parts, n_voices, strict=False)])
    tasks = dict.fromkeys(task for part in parts for task in part.answers)
    answers = {
        task: joined_answers(
            [(n, part.answers.get(task)) for n, part in zip(sizes, parts, strict=True)]
        )
        for task in tasks
    }
    starts = np.cumsum([0, *sizes[:-1]])
    compared = [
        (part.trials, start)
        for part, start in zip(parts, starts, strict=True)
        if part.trials is not None
    ]
    trials = None
    if compared:
        trials = Trials(
            *(
                np.concatenate([getattr(one, name) + (place in (2, 3)) * n for one, n in compared])
                if place != 1
                else np.concatenate([one.same for one, _ in compared])
                for place, name in enumerate(("scores", "same", "first", "second", "weights"))
            )
        )
    bounds = {part.bounds for part in parts}
    labels = pd.concat([part.labels for part in parts], ignore_index=True)
    one = bounds.pop() if len(bounds) == 1 else None
    whole = (trials, answers, labels, voices, names, one, *settings.pop())
    pooled = measured(*whole, n_resamples, random_state)
    return replace(pooled, known_speakers=tuple(k for part in parts for k in part.known_speakers))


def joined_answers(parts):
    """Put the answers of several models about recordings of their own in one.

    Parameters
    ----------
    parts : sequence of (int, TaskAnswers or None)
        How many recordings, and what was said of them; None where the task was not asked.

    Returns
    -------
    TaskAnswers
        A label that one of the models does not know has a probability of 0 there.
    """
    known = [part for _, part in parts if part is not None]
    kind = known[0].kind
    truth, predicted = (
        np.concatenate([_column(part, name, n, kind) for n, part in parts])
        for name in ("truth", "predicted")
    )
    if kind != CLASSIFICATION:
        low, high = (
            np.concatenate([_column(part, name, n, kind) for n, part in parts])
            for name in ("low", "high")
        )
        return TaskAnswers(kind, truth, predicted, low=low, high=high)
    if any(part.labels is None for part in known):
        return TaskAnswers(kind, truth, predicted)
    labels = pd.unique(np.concatenate([part.labels for part in known]))
    thresholds = {part.threshold for part in known}
    return TaskAnswers(
        kind,
        truth,
        predicted,
        labels=labels,
        before=np.concatenate([_aligned(part, "before", n, labels) for n, part in parts]),
        after=np.concatenate([_aligned(part, "after", n, labels) for n, part in parts]),
        sets=np.concatenate([_column(part, "sets", n, kind) for n, part in parts]),
        answered=np.concatenate(
            [np.zeros(n, dtype=bool) if part is None else part.answered for n, part in parts]
        ),
        threshold=thresholds.pop() if len(thresholds) == 1 else None,
    )


def _column(part, name, n, kind):
    if part is not None:
        return np.asarray(getattr(part, name))
    nothing = None if kind == CLASSIFICATION else np.nan
    return np.full(n, nothing, dtype=object if kind == CLASSIFICATION else float)


def _aligned(part, name, n, labels):
    found = np.zeros((n, len(labels)))
    if part is not None:
        found[:, pd.Index(labels).get_indexer(pd.Index(part.labels))] = getattr(part, name)
    return found
