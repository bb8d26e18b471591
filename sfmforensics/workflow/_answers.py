"""What a model says of recordings, and whether it may be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from sklearn.base import clone

from sfmforensics._utils.names import show_name
from sfmforensics.audio._hearing import USUAL
from sfmforensics.custody import describe_views
from sfmforensics.embedders.registry import let_hear
from sfmforensics.evidence import CalibratedModel
from sfmforensics.exceptions import CustodyError, ModelFileError, ParameterError
from sfmforensics.targets import CLASSIFICATION
from sfmforensics.views import files_of_views
from sfmforensics.workflow._common import least_of

if TYPE_CHECKING:
    from typing import Any

    from sklearn.pipeline import Pipeline

    from sfmforensics._types import PathLike
    from sfmforensics.audio._hearing import Hearing


def calibrated_step(model: Pipeline) -> CalibratedModel:
    """Give the calibrated model of a pipeline.

    Parameters
    ----------
    model : Pipeline
        From recordings to answers.

    Returns
    -------
    CalibratedModel

    Raises
    ------
    ModelFileError
        It is not calibrated.
    """
    if isinstance(model[-1], CalibratedModel):
        return model[-1]
    raise ModelFileError(
        f"{name_of(model)}: it is not calibrated, so that it cannot say how far it can be "
        "trusted; make one that is with: sfmforensics train --calibrate 0.33 ..."
    )


def comparing_step(model: Pipeline) -> CalibratedModel:
    """Give the calibrated model of a pipeline that can compare voices.

    Parameters
    ----------
    model : Pipeline
        From recordings to answers.

    Returns
    -------
    CalibratedModel

    Raises
    ------
    ModelFileError
        It is not calibrated, or not to compare voices.
    """
    calibrated = calibrated_step(model)
    if calibrated.likelihood_ratio_ is None:
        raise ModelFileError(
            f"{name_of(model)}: it cannot compare voices: that takes a model that gives a "
            "representation, as tango, concat and single do, and four speakers or more to "
            f"calibrate by, but {calibrated.n_calibration_speakers_} were kept back; train it so"
        )
    return calibrated


def name_of(model: Pipeline) -> str:
    """Name the file that a model was loaded from, for a message."""
    file = getattr(model, "file_", None)
    return show_name(file["path"]) if file else "this model"


def check_same_views(model: Pipeline) -> None:
    """Refuse a model whose views are no longer those that it was trained with."""
    for name, embedder in model[0].transformer_list:
        embedder._check_version(name)
    told = (getattr(model, "manifest_", None) or {}).get("views", {})
    for name, view in describe_views(model[0]).items() if told else ():
        before = told.get(name, {})
        if before.get("identity") is None or "identity" not in view or view["identity"] is None:
            continue  # a function that does not say what it is
        same = before["identity"] == view["identity"] and before.get("files") == view["files"]
        if not same:
            changed = [key for key in ("identity", "files") if before.get(key) != view[key]]
            raise CustodyError(
                f"view {name!r} is not what the model was trained with: "
                + "; ".join(f"{key} was {before.get(key)}, is {view[key]}" for key in changed)
                + "; put the speech model of then in its place, or train anew"
            )


def read_by(model: Pipeline) -> dict[str, list[Any]]:
    """What a model was read from, and its views are, by parameter, for `check_outputs`."""
    file = getattr(model, "file_", None)
    return {"model": [file["path"]] if file else [], "views": files_of_views(model[0])}


def check_confidence(confidence: float, name: str = "confidence") -> None:
    """Refuse what is no share before hours of embedding, not after them."""
    if not 0 < confidence < 1:
        raise ParameterError(f"{name} is {confidence}; use a number between 0 and 1")


def least_samples(model: Pipeline) -> int:
    """Give how many samples at 16 kHz a recording needs for all views."""
    return least_of(model[0])


def vectors_of(
    model: Pipeline,
    files: list[Any],
    verbose: bool = False,
    cache: PathLike | None = None,
    hearing: Hearing = USUAL,
) -> Any:
    """Give the vectors of recordings, all views side by side."""
    views = clone(model[0])
    views.transformer_list = [
        (name, let_hear(embedder, hearing.channel, hearing.truncated))
        for name, embedder in views.transformer_list
    ]
    for _, embedder in views.transformer_list:
        embedder.set_params(verbose=verbose, cache=cache)
    return views.transform(files)


def answers_of(
    model: Pipeline,
    files: list[str],
    X: Any,
    *,
    intervals: bool = False,
    confidence: float = 0.9,
    abstain: float | None = None,
) -> pd.DataFrame:
    """Give what a model says of vectors, a row for each file.

    Parameters
    ----------
    model : Pipeline
        From recordings to answers.
    files : list of str
        Their paths.
    X : array-like of shape (n_recordings, n_features)
        As `vectors_of` gives them.
    intervals : bool, default=False
        Whether intervals ("TASK_low", "TASK_high") and sets ("TASK_set") are given.
    confidence : float, default=0.9
        Of these.
    abstain : float or None, default=None
        Share of the answers that may be wrong; the others are None.

    Returns
    -------
    DataFrame
    """
    estimator = model[-1]
    # As objects: a column of text need not hold a name that is no UTF-8.
    paths = pd.DataFrame({"path": files}, dtype=object)
    found = estimator.predict(X) if abstain is None else estimator.predict_or_abstain(X, abstain)
    answers = pd.concat([paths, found], axis=1)
    if hasattr(estimator, "predict_proba"):
        tasks = [name for name, kind in estimator.tasks_.items() if kind == CLASSIFICATION]
        for task, probabilities in zip(tasks, estimator.predict_proba(X), strict=True):
            place = answers.columns.get_loc(task) + 1
            answers.insert(place, f"{task}_probability", probabilities.max(axis=1))
    if intervals:
        ends = estimator.predict_interval(X, confidence)
        for name in ends:
            before = str(name).removesuffix("_low")
            before = f"{str(name).removesuffix('_high')}_low" if before == name else before
            answers.insert(answers.columns.get_loc(before) + 1, name, ends[name].to_numpy())
        sets = estimator.predict_set(X, confidence)
        for task in sets:
            place = answers.columns.get_loc(f"{task}_probability") + 1
            answers.insert(place, f"{task}_set", sets[task].to_numpy())
    return answers
