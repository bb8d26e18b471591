"""What evaluation and training share."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

from sfmforensics._utils.names import file_of, keep_recording, show_name
from sfmforensics._utils.paths import user_path
from sfmforensics.audit import not_labels
from sfmforensics.exceptions import (
    DatasetWarning,
    OutputError,
    TargetError,
    ViewError,
    shown,
)
from sfmforensics.model_selection import check_target
from sfmforensics.presets import make_estimator
from sfmforensics.targets import CLASSIFICATION
from sfmforensics.views import files_of_views

if TYPE_CHECKING:
    from collections.abc import (
        Mapping,
        Sequence,
    )
    from typing import Any

    from sklearn.pipeline import FeatureUnion
    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike
    from sfmforensics._utils.recordings import Recording


def check_model(model: str, preset: str, device: str | None) -> Any:
    """Refuse a model, a preset or a device that is not there, before anything is computed."""
    from sfmforensics.nn.runtime import check_device

    check_device(device)
    return make_estimator(model, preset)


def least_of(views: FeatureUnion) -> int:
    """Give how many samples at 16 kHz a recording needs for all views."""
    return max(embedder._min_samples for _, embedder in views.transformer_list)


def recording_names(recordings: Sequence[Recording]) -> list[str]:
    """Give a name for each recording, for a table: its path, or its number."""
    return [keep_recording(one) or f"recording {i}" for i, one in enumerate(recordings)]


def _name_of(view: Any) -> str:
    return view[0] if isinstance(view, tuple) else view


def build_estimator(
    model: str, preset: str, views: Sequence[Any], seed: int, epochs: int | None, device: str | None
) -> Any:
    """Build a model by name, or say at once why it cannot be."""
    check_model(model, preset, device)
    overrides: dict[str, Any] = {"random_state": seed}
    if model != "svm":
        overrides["device"] = device or "auto"
        if epochs is not None:
            overrides["max_epochs"] = epochs
    if model in ("tango", "concat") and len(views) == 1:
        raise ViewError(
            f"{model} fuses two or more views, but only {_name_of(views[0])} was asked for; add "
            "another (--views mfcc,prosody), or use --model single"
        )
    return make_estimator(model, preset, **overrides)


def read_of(corpus: Bunch, union: FeatureUnion, cache: PathLike | None) -> dict[str, list[Any]]:
    """What a run over a corpus reads, by parameter, for `check_outputs`."""
    files = map(file_of, corpus.data)
    recordings = list(dict.fromkeys(file for file in files if file is not None))
    if cache is not None:
        inside = os.path.join(os.path.realpath(user_path(cache)), "")
        for recording in recordings:
            place = os.path.realpath(user_path(recording))
            if place.startswith(inside) and place.endswith((".vec", "identity.json")):
                raise OutputError(
                    f"{show_name(recording)}: a recording, but it stands where the cache {cache} "
                    "keeps vectors; name another folder for the cache"
                )
    table = corpus.get("filename")
    return {
        "corpus": corpus.get("read") or ([table] if table else []),
        "recordings": recordings,
        "views": files_of_views(union),
    }


def check_corpus(corpus: Bunch) -> None:
    """Refuse labels that do not go with the recordings, before anything is embedded."""
    check_target(corpus.target, len(corpus.data))


def warn_of_no_labels(corpus: Bunch) -> None:
    """Point out columns that look like no labels, before they are learnt."""
    reasons = dict(not_labels(corpus.target, recording_names(corpus.data)))
    if not reasons:
        return
    others = [str(column) for column in corpus.target if column not in reasons]
    remedy = "choose others (--tasks, load_corpus(..., tasks=[...]))"
    if others:
        remedy = f"leave {'it' if len(reasons) == 1 else 'them'} out by --tasks {','.join(others)}"
    named = "; ".join(f"{shown(column)} {said}" for column, said in reasons.items())
    warnings.warn(
        f"what looks like no label is learnt all the same: {named}; {remedy}",
        DatasetWarning,
        stacklevel=3,
    )


def answer_columns(tasks: Mapping[str, str], *, intervals: bool = False) -> list[str]:
    """Names of the columns that answers have: the path, each task, the probability of a label.

    Examples
    --------
    >>> answer_columns({"emotion": "classification", "age": "regression"})
    ['path', 'emotion', 'emotion_probability', 'age']
    >>> answer_columns({"age": "regression"}, intervals=True)
    ['path', 'age', 'age_low', 'age_high']
    """
    names = ["path"]
    for task, kind in tasks.items():
        names += [task, f"{task}_probability"] if kind == CLASSIFICATION else [task]
        if intervals:
            ends = ("set",) if kind == CLASSIFICATION else ("low", "high")
            names += [f"{task}_{end}" for end in ends]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise TargetError(
            f"answers would have two columns called {twice[0]!r}, a label and what predict itself "
            "calls so; rename the column of labels"
        )
    return names
