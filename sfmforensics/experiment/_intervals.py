"""How sure the scores are, over all recordings and by group of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics.metrics import METRICS, Trials, bootstrap_intervals, eer_interval
from sfmforensics.metrics._groups import groupings_of
from sfmforensics.model_selection import PROTOCOLS, SPEAKER, TEXT, joined_groups
from sfmforensics.results import INTERVAL_COLUMNS
from sfmforensics.targets import CLASSIFICATION, task_kind
from sfmforensics.targets._bands import read_numbers

if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any

    from sfmforensics._types import Array, BoolArray, Column
    from sfmforensics.experiment._evaluate import Evaluation
    from sfmforensics.metrics import Interval


def score_intervals(
    evaluation: Evaluation,
    target: pd.DataFrame,
    *,
    views: str,
    copies: Column | None = None,
    details: pd.DataFrame | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Scores over all test recordings, with 95 % bootstrap intervals, in all and by group.

    Parameters
    ----------
    evaluation : Evaluation
        What `evaluate` gave.
    target : DataFrame of shape (n_recordings, n_tasks)
        Labels.
    views : str
        Name of the views, for the table.
    copies : array-like of shape (n_recordings,) or None, default=None
        Recordings with equal numbers are copies of one.
    details : DataFrame of shape (n_recordings, n_details) or None, default=None
        What else is known of the recordings: "text", where there is any, and "corpus", by which
        they are grouped as well.
    n_resamples : int, default=1000
        Number of resamples.
    seed : int, default=0
        Seed of the resampling.

    Returns
    -------
    DataFrame
        Columns ``model, views, protocol, task, metric, by, group, n, units, value, low, high``.
        "by" is the label that the recordings were grouped by, "all" for all of them. "n" counts
        recordings with a label (trials, for the equal error rate), "units" what was resampled.

    Notes
    -----
    Resampled are speakers under "disjoint" and "speaker+text" (those who share a recording as one),
    and under "given" where they are known; sentences under "text", where `details` has them; and
    recordings, with their copies, under "closed": the claim there is about these speakers only.
    Scores are of all folds together, so that an error or a recall can differ from the mean over the
    folds; the equal error rate is the mean over the folds.

    Groups are those of every label but the speaker with at most 12 classes, and decades of an age
    (quartiles of any other number). A task by its own label has its first metric only: the recall
    of each class.

    Examples
    --------
    >>> from sfmforensics.experiment import evaluate
    >>> from sfmforensics.model_selection import make_splits
    >>> from sfmforensics.presets import make_estimator
    >>> X, target = np.eye(2)[[0, 1] * 10], pd.DataFrame({"gender": ["f", "m"] * 10})
    >>> splits = {"closed": make_splits(target, "closed", folds=2)}
    >>> evaluation = evaluate(X, target, {"svm": make_estimator("svm")}, splits, views="mine")
    >>> score_intervals(evaluation, target, views="mine").iloc[:1][["by", "value", "low"]].round(3)
        by  value    low
    0  all    1.0  0.832
    """
    alone = np.arange(len(target)) if copies is None else np.asarray(copies)
    units = _units(target, alone, details)
    every: Array = np.full(len(target), None, dtype=object)
    groupings = {"all": every} | groupings_of(target.drop(columns=SPEAKER, errors="ignore"))
    if details is not None and "corpus" in details and "corpus" not in groupings:
        groupings["corpus"] = details["corpus"].to_numpy(dtype=object)
    drawn = {"n_resamples": n_resamples, "random_state": seed}
    rows = []
    for model, predictions in evaluation.predictions.items():
        predictions = predictions.assign(row=evaluation.rows[model])
        predictions = predictions[predictions["predicted"].notna()]
        parts: Any = predictions.groupby(["protocol", "task"], sort=False)
        for (protocol, task), part in parts:
            place = part["row"].to_numpy()
            metrics = METRICS.of(task_kind(target[task]))
            for by, labels in groupings.items():
                of = labels[place]
                for group in [None] if by == "all" else sorted(set(of[~pd.isna(of)]), key=str):
                    in_group = np.ones(len(of), dtype=bool) if by == "all" else of == group
                    labelled = in_group & part["true"].notna().to_numpy()
                    if not labelled.any():
                        continue
                    scored = bootstrap_intervals(
                        same_kind(part["true"][in_group], target[task]),
                        same_kind(part["predicted"][in_group], target[task]),
                        metrics[:1] if by == task else metrics,
                        units=units.get(protocol, alone)[place[in_group]],
                        **drawn,
                    )
                    rows += [
                        _row(
                            *(model, views, protocol, task, metric, by, group, interval),
                            n=len(np.unique(place[labelled])),
                        )
                        for metric, interval in scored.items()
                    ]
    for (model, protocol), folds in evaluation.trials.items():
        for by, labels in groupings.items():
            for group in [None] if by == "all" else sorted(set(labels[~pd.isna(labels)]), key=str):
                group_folds = [
                    within_group(fold, None if by == "all" else labels == group) for fold in folds
                ]
                interval = eer_interval(group_folds, units.get(protocol, alone), **drawn)
                if interval.n:
                    rows.append(_row(model, views, protocol, SPEAKER, "eer", by, group, interval))
    return pd.DataFrame(rows, columns=INTERVAL_COLUMNS)


def _units(target: pd.DataFrame, alone: Array, details: pd.DataFrame | None) -> dict[str, Array]:
    """What is resampled under each protocol; recordings, with their copies, under others."""
    units = {}
    if SPEAKER in target:
        voices = joined_groups(target[SPEAKER], alone)
        units = {name: voices for name, one in PROTOCOLS.items() if not one.speakers}
    if details is not None and TEXT in details:
        units["text"] = joined_groups(details[TEXT], alone)
    return units


def _row(
    model: str,
    views: str,
    protocol: str,
    task: Hashable,
    metric: str,
    by: Hashable,
    group: object,
    interval: Interval,
    n: int | None = None,
) -> list[Any]:
    return [
        *(model, views, protocol, task, metric, by, "" if group is None else str(group)),
        *(
            interval.n if n is None else n,
            interval.units,
            interval.value,
            interval.low,
            interval.high,
        ),
    ]


def same_kind(values: pd.Series, like: pd.Series) -> pd.Series:
    """Predictions are kept as objects; numbers are numbers again."""
    return values if task_kind(like) == CLASSIFICATION else read_numbers(values)


def within_group(fold: Trials, in_group: BoolArray | None) -> Trials:
    """Trials of which both recordings are in the group."""
    if in_group is None:
        return fold
    keep = in_group[fold.first] & in_group[fold.second]
    return Trials(fold.scores[keep], fold.same[keep], fold.first[keep], fold.second[keep])
