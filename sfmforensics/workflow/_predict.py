"""Load a model, and let it answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import joblib
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sfmforensics._utils.files import file_hash, write_atomically
from sfmforensics._utils.names import recording_text, show_name
from sfmforensics._utils.outputs import check_outputs, is_manifest
from sfmforensics._utils.paths import user_path, user_recording
from sfmforensics.audio._hearing import USUAL
from sfmforensics.custody import OF_FILES, Provenance, describe_views
from sfmforensics.embedders.registry import let_hear
from sfmforensics.evidence import CalibratedModel
from sfmforensics.exceptions import CustodyError, ModelFileError, ParameterError
from sfmforensics.saving import read_model
from sfmforensics.targets import CLASSIFICATION
from sfmforensics.views import files_of_views
from sfmforensics.workflow._checks import answer_columns, least_of
from sfmforensics.workflow._selection import hearing_of_case, refusals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from sfmforensics._types import Channel, Handling, PathLike
    from sfmforensics._utils.recordings import FileRecording
    from sfmforensics.audio._hearing import Hearing
    from sfmforensics.exceptions import AudioError


def calibrated_step(model: Pipeline) -> CalibratedModel:
    """Give the calibrated model of a pipeline."""
    if isinstance(model[-1], CalibratedModel):
        return model[-1]
    raise ModelFileError(
        f"{name_of(model)}: it is not calibrated, so that it cannot say how far it can be "
        "trusted; make one that is with: sfmforensics train --calibrate 0.33 ..."
    )


def comparing_step(model: Pipeline) -> CalibratedModel:
    """Give the calibrated model of a pipeline that can compare voices."""
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
    recorded = (getattr(model, "manifest_", None) or {}).get("views", {})
    for name, view in describe_views(model[0]).items() if recorded else ():
        before = recorded.get(name, {})
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
    files: Sequence[FileRecording],
    X: Any,
    *,
    intervals: bool = False,
    confidence: float = 0.9,
    abstain: float | None = None,
) -> pd.DataFrame:
    """Give what a model says of vectors, a row for each file."""
    estimator = model[-1]
    # As objects: a column of text need not hold a name that is no UTF-8.
    paths = pd.DataFrame({"path": list(map(recording_text, files))}, dtype=object)
    predictions = (
        estimator.predict(X) if abstain is None else estimator.predict_or_abstain(X, abstain)
    )
    answers = pd.concat([paths, predictions], axis=1)
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


def load_model(path: PathLike, *, trust: bool = False) -> Pipeline:
    """Load a model that `train_model` saved.

    Parameters
    ----------
    path : path-like
        The file.
    trust : bool, default=False
        Whether code in the file may run. A file of joblib cannot be loaded without; one of
        safetensors holds none.

    Returns
    -------
    Pipeline

    Raises
    ------
    ModelFileError
        There is no such file, it is no model, it was changed, or its code is not trusted.

    Examples
    --------
    >>> load_model("missing.safetensors")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.ModelFileError: missing.safetensors: no such file; make one with:
    sfmforensics train --output missing.safetensors
    """
    path = user_path(path)
    if not path.is_file():
        raise ModelFileError(
            f"{path}: no such file; make one with: sfmforensics train --output {path}"
        )
    with open(path, "rb") as file:
        is_data = file.read(9)[8:] == b"{"  # safetensors: the length of its header, and the header
    if not is_data and not trust:
        raise ModelFileError(
            f"{path}: loading it may run any code that is in it; if you trust where it comes from, "
            "say so (--trust, load_model(..., trust=True)), or have it saved as .safetensors, "
            "which holds no code"
        )
    model = read_model(path) if is_data else _unpickled(path)
    if not isinstance(model, Pipeline) or not hasattr(model[0], "transformer_list"):
        raise ModelFileError(
            f"{path}: it holds a {type(model).__name__}, not a model from recordings to answers; "
            "name a file that sfmforensics train wrote"
        )
    # So that answers can say which file gave them.
    model.file_ = {"path": str(path.absolute()), "sha256": file_hash(path)}
    return model


def _unpickled(path: Path) -> Any:
    try:
        return joblib.load(path)
    except Exception as error:  # whatever unpickling a stranger's bytes may raise
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise ModelFileError(
            f"{path}: it cannot be loaded as a model ({why}); name a file that sfmforensics train "
            "wrote; if it is one, train it again, or install the versions of numpy, scikit-learn "
            "and torch that wrote it"
        ) from error


def predict_files(
    model: Pipeline,
    files: Sequence[FileRecording],
    *,
    verbose: bool = False,
    manifest: PathLike | None = None,
    intervals: bool = False,
    confidence: float = 0.9,
    abstain: float | None = None,
    channel: Channel | None = None,
    on_error: Handling = "skip",
    overwrite: bool = False,
) -> tuple[pd.DataFrame, list[AudioError]]:
    """Answers for recordings, with the probability of each label.

    Parameters
    ----------
    model : Pipeline
        From recordings to answers, as `train_model` makes it.
    files : sequence of path-like or of Segment
        Recordings.
    verbose : bool, default=False
        Show progress bars.
    manifest : path-like or None, default=None
        File that gets what the answers rest on: the sha256 of each recording, the model with its
        own manifest, versions, time, and the answers; see `sfmforensics.custody`.
    intervals : bool, default=False
        Whether to give intervals of numbers and sets of classes, of a model that is calibrated.
    confidence : float, default=0.9
        How often these hold the truth, over voices that were never heard.
    abstain : float or None, default=None
        Share of the answers that may be wrong: a calibrated model leaves out those that are too
        unsure.
    channel : int, {"auto", "mix"} or None, default=None
        Which channel of a recording of several is heard, see `sfmforensics.audio.read_audio`. None
        is as the views of the model have it: "auto" for one that `train_model` made, whatever was
        heard of the recordings that it was trained with.
    on_error : {"stop", "skip", "use"}, default="skip"
        What becomes of a recording that cannot be used: it ends the run, or is refused alone; "use"
        answers for what there is of a file whose end is missing, with a warning, and refuses other
        recordings alone.
    overwrite : bool, default=False
        Whether `manifest` may take the place of a file that is no such manifest.

    Returns
    -------
    answers : DataFrame
        A row for each recording that can be used: "path", each task, and "TASK_probability" for
        classes where the model gives any. With `intervals` also "TASK_low" and "TASK_high", and
        "TASK_set", a tuple of labels; with `abstain` None for what is inconclusive.
    refused : list of AudioError
        One for each other recording.

    Raises
    ------
    AudioError
        A recording cannot be used, and `on_error` is "stop".
    ModelFileError
        Intervals, or answers left out, were asked of a model that is not calibrated.
    ParameterError
        The confidence or the share is not between 0 and 1.
    TargetError
        Two columns of the answers would have one name.
    CustodyError
        A view is no longer what the model was trained with, so that its answers would mean
        nothing; or a recording changed meanwhile.
    OutputError
        The manifest cannot be written, is one of the files that are read, or would take the place
        of something else.
    """
    files = [user_recording(file) for file in files]
    if manifest is not None:
        manifest = user_path(manifest)
        check_outputs(
            {"manifest": {manifest: is_manifest(*OF_FILES)}},
            read_by(model) | {"files": files},
            overwrite=overwrite,
        )
    if intervals or abstain is not None:
        calibrated_step(model)
    if intervals:
        check_confidence(confidence)
    if abstain is not None:
        check_confidence(abstain, "abstain")
    # Of a model that was fitted elsewhere.
    answer_columns(getattr(model[-1], "tasks_", {}), intervals=intervals)
    check_same_views(model)
    hearing = hearing_of_case(model, channel, on_error)
    provenance = None if manifest is None else Provenance(files, hearing=hearing)
    usable, refused = [], []
    errors = refusals(files, hearing, least_samples(model), stop=on_error == "stop")
    for place, file in enumerate(files):
        if place in errors:
            refused.append(errors[place])
        else:
            usable.append(file)
    nothing = pd.DataFrame({"path": []}, dtype=object)
    answers = nothing
    if usable:
        X = vectors_of(model, usable, verbose, hearing=hearing)
        answers = answers_of(
            model, usable, X, intervals=intervals, confidence=confidence, abstain=abstain
        )
    if provenance is not None and manifest is not None:
        content = provenance.manifest(
            "answers",
            views=model[0],
            model_file=getattr(model, "file_", None),
            model=getattr(model, "manifest_", None),
            answers=json.loads(answers.to_json(orient="records", double_precision=15)),
            refused=[str(error) for error in refused],
        )
        write_atomically(manifest, json.dumps(content, indent=1))
    return answers, refused
