"""Train a model from recordings to answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import joblib
from sklearn.pipeline import Pipeline, make_pipeline

from sfmforensics._utils.files import make_folder, replacing
from sfmforensics._utils.outputs import check_outputs, is_model
from sfmforensics._utils.paths import user_path
from sfmforensics._utils.pipelines import weight_parameter
from sfmforensics.audio._hearing import USUAL
from sfmforensics.audio._survey import surveyed
from sfmforensics.custody import Provenance
from sfmforensics.datasets._base import with_speaker
from sfmforensics.evidence import CalibratedModel
from sfmforensics.exceptions import (
    ModelFileError,
    SFMForensicsError,
    TargetError,
)
from sfmforensics.model_selection import balanced_weights, balancing_columns
from sfmforensics.saving import save_model, without_people
from sfmforensics.targets import TargetCodec, task_kind
from sfmforensics.views import make_views
from sfmforensics.workflow._checks import (
    answer_columns,
    build_estimator,
    check_corpus,
    least_of,
    read_of,
    warn_of_no_labels,
)
from sfmforensics.workflow._copy_checks import copies_among
from sfmforensics.workflow._selection import hearing_for, told_left_out, usable_part
from sfmforensics.workflow._settings import plain_value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    import pandas as pd
    from sklearn.utils import Bunch

    from sfmforensics._types import Channel, Handling, PathLike
    from sfmforensics.embedders.registry import ViewSpec


@surveyed
def train_model(
    corpus: Bunch,
    views: Sequence[ViewSpec],
    output: PathLike,
    *,
    model: str = "tango",
    preset: str = "tuned",
    seed: int = 0,
    epochs: int | None = None,
    cache: PathLike | None = None,
    device: str | None = None,
    format: Literal["safetensors", "joblib"] | None = None,
    calibrate: float | int | None = None,
    balance: Sequence[Any] | None = None,
    include_people: bool = True,
    name: str = "",
    root: PathLike = "",
    command: str = "",
    verbose: bool = False,
    channel: Channel = "auto",
    on_error: Handling = "stop",
    overwrite: bool = False,
) -> Pipeline:
    """Fit one model on a whole corpus, from recordings to answers, and save it.

    Parameters
    ----------
    corpus : Bunch
        As the loaders of `sfmforensics.datasets` give it.
    views : sequence of str
        Specs for `make_views`.
    output : path-like
        File for the model.
    model, preset, seed, epochs, cache, device, verbose
        As in `evaluate_corpus`.
    channel, on_error
        As in `evaluate_corpus`; both are of these recordings and not of the model, which goes by
        "auto" and "refuse" when it is asked, unless it is told otherwise.
    format : {"safetensors", "joblib"} or None, default=None
        "safetensors" is `sfmforensics.save_model`'s, which runs nothing when it is loaded; a file
        of "joblib" does, and only those who trust it should load it. None goes by the file's name:
        joblib for one that ends in .joblib.
    calibrate : float, int or None, default=None
        Share of the speakers who are kept back from training, or number of folds of them, to find
        out how far the model can be trusted: see `sfmforensics.evidence.CalibratedModel`. Exact
        and near copies of one recording stay on one side; recordings without a speaker are on
        neither.
    balance : sequence of str or None, default=None
        Columns of the targets or the details each combination of whose labels counts alike in what
        is learnt: see `sfmforensics.model_selection.balanced_weights`.
    include_people : bool, default=True
        Whether the file, and what is returned, say which recordings and speakers the model was made
        of. Without them answers are the same, but for the speakers, who are numbered; what can no
        longer be done, `sfmforensics.saving.without_people` says.
    name, root, command : str, default=""
        Which corpus, where it is, and what repeats this, for the manifest and the page of a case.
    overwrite : bool, default=False
        Whether `output` may take the place of a file that is no model of this package.

    Returns
    -------
    Pipeline
        From recordings to answers. It keeps the place of the SFM and what identifies it, not its
        weights: ``manifest_``, which is in the file too, is the chain of custody, with the paths
        and the sha256 of the recordings. See `sfmforensics.custody`.

    Raises
    ------
    SFMForensicsError
        `output` is a folder.
    ModelFileError
        The model can be saved with joblib alone, or only with people, or the format is unknown.
    TargetError
        The labels cannot be learnt, do not go with the recordings, or `predict_files` could not
        name its answers by them; a column to balance by is not there; or nobody says who speaks, or
        too few do to calibrate.
    CustodyError
        A recording changed during training.
    OutputError
        The file cannot be written, is one that is read, or would take the place of something else.
    """
    output = user_path(output)
    if output.is_dir():
        raise SFMForensicsError(
            f"{output} is a folder; name a file, as in {output}/tango.safetensors"
        )
    if format is None:
        format = "joblib" if output.suffix == ".joblib" else "safetensors"
    if format not in ("safetensors", "joblib"):
        raise ModelFileError(f'format is {format!r}; use "safetensors" or "joblib"')
    estimator = build_estimator(model, preset, views, seed, epochs, device)
    if model == "svm" and format != "joblib":
        raise ModelFileError(
            "a model of scikit-learn's SVC and SVR can be saved as code only; name a file such as "
            f"{output.with_suffix('.joblib')}"
        )
    if model == "svm" and not include_people:
        raise ModelFileError(
            "a model of SVC and SVR answers by vectors of the recordings that it learnt from, so "
            "that it cannot be without people; use --model tango, concat or single, or leave "
            "--no-people out"
        )
    check_corpus(corpus)
    warn_of_no_labels(corpus)
    codec = TargetCodec().fit(corpus.target)  # says at once if there is nothing to learn
    kinds = dict(zip(codec.names_, codec.kinds_, strict=True))
    answer_columns(kinds, intervals=calibrate is not None)
    if calibrate is not None and "speaker" not in corpus.target:
        # Copies are groups too, so that else each recording would count as a voice of its own.
        raise TargetError(
            "the targets have no column 'speaker'; calibration keeps whole speakers back, so say "
            "who speaks in each recording, and choose it among the tasks, if you choose any"
        )
    _balanced(corpus, balance)  # says at once if there is no such column
    hearing = hearing_for(channel, on_error)
    heard: Any = {"channel": hearing.channel, "truncated": hearing.truncated}
    union = make_views(*views, cache=cache, device=device, verbose=verbose, **heard)
    check_outputs(
        {"output": {output: is_model}}, read_of(corpus, union, cache), overwrite=overwrite
    )
    corpus, left_out = usable_part(corpus, on_error, hearing, least_of(union), verbose)
    started = Provenance(corpus.data, verbose, hearing, decoded=True)
    make_folder(output.parent)
    if verbose and "verbose" in estimator.get_params():
        estimator.set_params(verbose=2)
    parameters = {key: plain_value(value) for key, value in estimator.get_params().items()}
    balanced = _balanced(corpus, balance)
    if calibrate is None:
        pipeline = make_pipeline(union, estimator)
        told = {}
        if balanced is not None:
            told[str(weight_parameter(pipeline))] = balanced_weights(balanced)
        pipeline.fit(corpus.data, corpus.target, **told)
    else:
        calibrated = CalibratedModel(estimator, calibration=calibrate, random_state=seed)
        X = union.fit_transform(corpus.data)
        copies = copies_among(corpus.data, X, verbose=verbose, hearing=hearing).joined
        pipeline = make_pipeline(union, calibrated.fit(X, corpus.target, copies, balanced))
    if verbose and "verbose" in estimator.get_params():
        estimator.set_params(verbose=0)
        getattr(pipeline[-1], "estimator_", estimator).set_params(verbose=0)
    for _, embedder in union.transformer_list:
        # The cache of this machine is of no use to the next, nor are its progress bars.
        embedder.set_params(cache=None, verbose=False)
        if hearing != USUAL:  # which channel was whose is of these recordings
            embedder.set_params(channel=USUAL.channel, truncated=USUAL.truncated)
    pipeline.manifest_ = started.manifest(
        "model",
        views=union,
        command=command,
        **({"corpus": name, "root": str(root)} if name else {}),
        model=model,
        preset=preset,
        seed=seed,
        parameters=parameters,
        calibration=_calibration(pipeline[-1]),
        **({} if balance is None else {"balance": list(map(str, balance))}),
        **told_left_out(left_out),
        tasks={str(task): task_kind(corpus.target[task]) for task in corpus.target},
    )
    if not include_people:
        pipeline = without_people(pipeline)
    if format == "joblib":
        with replacing(output) as temporary:
            joblib.dump(pipeline, temporary)
    else:
        save_model(pipeline, output, overwrite=overwrite)
    return pipeline


def _balanced(corpus: Bunch, balance: Sequence[Any] | None) -> pd.DataFrame | None:
    """Columns of the corpus that are balanced by."""
    if balance is None:
        return None
    return balancing_columns(balance, with_speaker(corpus).target, corpus.get("details"))


def _calibration(model: Any) -> dict[str, Any] | None:
    """Who calibrated, for the manifest: recordings by their place among its recordings."""
    if not isinstance(model, CalibratedModel):
        return None
    return {
        "calibration": model.calibration,
        "speakers": model.n_calibration_speakers_,
        "recordings": model.calibration_rows_.tolist(),
        "left_out": model.left_out_rows_.tolist(),
    }
