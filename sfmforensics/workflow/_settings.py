"""Folds and settings of a run, and the files that tell of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._utils.versions import versions
from sfmforensics.audio._hearing import USUAL
from sfmforensics.audit import audit_corpus
from sfmforensics.custody import describe_splits, matrix_hash
from sfmforensics.datasets._base import with_speaker
from sfmforensics.model_selection import SPEAKER, fold_overlaps, make_splits
from sfmforensics.targets import task_kind
from sfmforensics.targets._votes import text_of_votes
from sfmforensics.workflow._copy_checks import copies_among

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from sklearn.pipeline import FeatureUnion
    from sklearn.utils import Bunch

    from sfmforensics._types import Folds, Split
    from sfmforensics.audio._hearing import Hearing


@dataclass(frozen=True)
class FoldPlan:
    """Folds of each protocol, and what they keep together.

    Parameters
    ----------
    splits : dict of str to list of (ndarray, ndarray)
        By protocol.
    copies : ndarray of shape (n_recordings,)
        Recordings with equal numbers are exact or near copies of one.
    exact : ndarray of shape (n_recordings,)
        The same of exact copies alone.
    near : DataFrame
        As `sfmforensics.audit.near_copies` gives it.
    """

    splits: dict[str, list[Split]]
    copies: np.ndarray
    exact: np.ndarray
    near: pd.DataFrame

    @property
    def test_over_train(self) -> dict[str, float]:
        """Recordings tested over recordings learnt from, by protocol: mean over the folds."""
        return {
            protocol: float(np.mean([len(test) / len(train) for train, test in folds]))
            for protocol, folds in self.splits.items()
        }


def plan_folds(
    corpus: Bunch,
    X: pd.DataFrame,
    protocols: Iterable[str],
    folds: Folds,
    seed: int,
    repeats: int,
    verbose: bool,
    hearing: Hearing = USUAL,
    split_column: str = "split",
) -> FoldPlan:
    """Make the folds of each protocol; exact and near copies of a recording stay together."""
    copies = copies_among(corpus.data, X, verbose=verbose, hearing=hearing)
    splits = {
        protocol: make_splits(
            corpus.target,
            protocol,
            folds=folds,
            seed=seed,
            copies=copies.joined,
            repeats=repeats,
            details=corpus.get("details"),
            split_column=split_column,
        )
        for protocol in protocols
    }
    return FoldPlan(splits, copies.joined, copies.exact, copies.near)


def settings_of(
    corpus: Bunch,
    X: pd.DataFrame,
    names: Sequence[str],
    plan: FoldPlan,
    *,
    specs: Sequence[object],
    parameters: Mapping[str, Mapping[str, Any]],
    folds: Folds,
    seed: int,
    seconds: float,
    hearing: Hearing = USUAL,
    **more: Any,
) -> dict[str, Any]:
    """What a run was made of, as config.json holds it."""
    spoken = with_speaker(corpus)
    target = spoken.target
    findings = audit_corpus(
        spoken,
        X=X,
        copies=plan.exact,
        near=plan.near,
        folds=folds if isinstance(folds, int) else 5,
        seed=seed,
        channel=hearing.channel,
        truncated=hearing.truncated,
    )
    overlaps = fold_overlaps(target, plan.copies, plan.splits, spoken.get("details"))
    return {
        "command": more.pop("command"),
        "corpus": more.pop("name"),
        "root": str(more.pop("root")),
        "views": names,
        "specs": [str(spec) for spec in specs],
        **more,
        "parameters": {
            model: {key: plain_value(value) for key, value in settings.items()}
            for model, settings in parameters.items()
        },
        "protocols": list(plan.splits),
        "folds": folds,
        "splits": {protocol: len(folds) for protocol, folds in plan.splits.items()},
        "seed": seed,
        "recordings": len(corpus.data),
        "speakers": int(target[SPEAKER].nunique()) if SPEAKER in target else None,
        "tasks": {str(task): task_kind(target[task]) for task in corpus.target},
        "audit": overlaps | {"findings": findings.to_dict("records")},
        "versions": versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
    }


def custody_of(
    config: Mapping[str, Any],
    corpus: Bunch,
    union: FeatureUnion,
    X: pd.DataFrame,
    splits: Mapping[str, Sequence[Split]],
) -> dict[str, Any]:
    """What the manifest of a run tells besides its files, see `Provenance.manifest`."""
    settings = (
        *("command", "preset", "models", "seed", "folds", "repeats", "search", "balance"),
        *("parameters", "label_maps"),
    )
    return {
        "views": union,
        **{name: config[name] for name in settings if name in config},
        "vectors": matrix_hash(X),
        "labels": {
            str(task): sha256(_texts(corpus.target[task]).encode()).hexdigest()
            for task in corpus.target
        },
        "splits": describe_splits(splits),
    }


def _texts(labels: pd.Series) -> str:
    """Labels as a manifest hashes them, and the votes that they stand for where there are any."""
    texts = [
        None if missing else str(label)
        for label, missing in zip(labels, labels.isna(), strict=True)
    ]
    return json.dumps(texts) + text_of_votes(labels.to_frame("votes"))


def plain_value(value: object) -> Any:
    """Give a parameter as JSON holds it; what it cannot hold, in words."""
    if isinstance(value, (list, tuple)):
        return [plain_value(item) for item in value]
    return value if isinstance(value, (int, float, str, bool, type(None))) else str(value)
