"""A fitted model on disk without code: what is read back are numbers and names, nothing runs."""

from __future__ import annotations

import json
from copy import copy
from hashlib import sha256
from inspect import signature
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils.validation import check_is_fitted

from sfmforensics._utils.files import write_atomically
from sfmforensics._utils.outputs import check_outputs, is_model
from sfmforensics._utils.paths import user_path
from sfmforensics._utils.plain import NO_CODE, pack, unpack
from sfmforensics.custody import manifest_without_people
from sfmforensics.embedders.registry import embedder_class, is_found_by_name
from sfmforensics.estimators import TANGO, ConcatFusion, SingleView
from sfmforensics.evidence import CalibratedModel
from sfmforensics.evidence._people import calibration_without_people, holds_people
from sfmforensics.exceptions import ModelFileError
from sfmforensics.nn.network import Ensemble
from sfmforensics.saving._calibration import KNOWN_SCORERS, calibrated_from, calibration_state
from sfmforensics.targets import TargetCodec
from sfmforensics.views import files_of_views

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from sfmforensics._types import Array, IntArray, PathLike

_FORMAT, _CALIBRATED = "sfmforensics model 1", "sfmforensics model 3"
_NOBODY = "sfmforensics model 4"
"""A calibrated model that holds no people."""
SPEAKER = "speaker"
"""Column of the targets that names people."""
_MANIFEST = "manifest"
"""Name of a tensor that no network has; a header may not be as long as this can get."""
_ARRAYS = "calibration."
"""With which names of a calibration's arrays begin."""
_ESTIMATORS = {kind.__name__: kind for kind in (SingleView, ConcatFusion, TANGO)}
_OF_CODEC = tuple(signature(TargetCodec).parameters)


def save_model(
    model: Pipeline | TANGO | ConcatFusion | SingleView | CalibratedModel,
    path: PathLike,
    *,
    include_people: bool = True,
    overwrite: bool = False,
) -> None:
    """Save a fitted model as one safetensors file.

    Parameters
    ----------
    model : Pipeline, TANGO, ConcatFusion, SingleView or CalibratedModel
        Fitted: an estimator, a `CalibratedModel` of one, or a pipeline of views (`make_views`) and
        either.
    path : path-like
        The file; a model of this package that was there is replaced once the new one is whole.
    include_people : bool, default=True
        Whether the file says whom the model was made of. False saves what `without_people` gives,
        which says what such a model cannot do; `model` itself stays as it is.
    overwrite : bool, default=False
        Whether it may take the place of a file that is no such model.

    Raises
    ------
    ModelFileError
        Something of it can be saved only as code, such as a function as encoder.
    OutputError
        The disk is full, or the folder read-only; or the file is something else than a model of
        this package, or belongs to a model that the views are of.
    NotFittedError
        It is not fitted.

    See Also
    --------
    read_model : Reads it back.

    Notes
    -----
    The weights are the file's tensors; parameters, labels and scales stand in its header as JSON,
    with a sha256 over both. The weights of a speech foundation model are not in it, but where it
    was found. If the model has an attribute ``manifest_``, as those of `train_model` have, it is
    saved too; see `sfmforensics.custody`.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sfmforensics import TANGO
    >>> X = np.random.default_rng(0).normal(size=(40, 20)).astype("float32")
    >>> model = TANGO(max_epochs=1, random_state=0).fit(X, X[:, 0] > 0)
    >>> file = tempfile.mkdtemp() + "/tango.safetensors"
    >>> save_model(model, file)
    >>> bool((read_model(file).predict(X) == model.predict(X)).all())
    True
    """
    if not include_people:
        model = without_people(model)
    steps = [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]
    *views, estimator = steps
    people = holds_people(model)
    path = user_path(path)
    unions = [view for view in views if isinstance(view, FeatureUnion)]
    read = {"views": [file for union in unions for file in files_of_views(union)]}
    check_outputs({"path": {path: is_model}}, read, overwrite=overwrite)
    calibration: dict[str, Any] | None = None
    arrays: dict[str, Array] = {}
    if type(estimator) is CalibratedModel:
        check_is_fitted(estimator)
        calibration, arrays = calibration_state(estimator)
        estimator = estimator.estimator_
        if isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
    kind = type(estimator).__name__
    if _ESTIMATORS.get(kind) is not type(estimator) or len(views) > 1:
        names = " and ".join(type(step).__name__ for step in [*views, estimator])
        raise ModelFileError(
            f"a model of {names} cannot be saved without code, only {', '.join(_ESTIMATORS)}, each "
            f"alone or behind make_views; {NO_CODE}"
        )
    check_is_fitted(estimator)
    codec = estimator._codec
    content = {
        "format": _FORMAT if calibration is None else _CALIBRATED if people else _NOBODY,
        "views": _views(views[0]) if views else None,
        "estimator": kind,
        "parameters": pack(estimator.get_params(deep=False), kind),
        "fitted": pack(_attributes(estimator, estimator._saved), kind),
        "targets": pack(_attributes(codec, codec._saved), "the targets"),
        "codec": pack(_attributes(codec, _OF_CODEC), kind),
    }
    if not people:
        content["people"] = False
    if calibration is not None:
        content["calibration"] = pack(calibration, "the calibration")
    text = json.dumps(content, sort_keys=True)
    # Members share what tells their columns; a file must not.
    state = estimator.module_.state_dict()
    tensors = {name: value.cpu().clone().contiguous() for name, value in state.items()}
    for name, value in arrays.items():
        tensors[f"{_ARRAYS}{name}"] = torch.tensor(value).contiguous()
    if getattr(model, "manifest_", None) is not None:
        manifest = json.dumps(model.manifest_, sort_keys=True).encode()
        tensors[_MANIFEST] = torch.frombuffer(bytearray(manifest), dtype=torch.uint8)
    # One entry: the order of several would differ from file to file.
    write_atomically(path, save(tensors, {"model": f"{_digest(text, tensors)} {text}"}))


def without_people(
    model: Pipeline | TANGO | ConcatFusion | SingleView | CalibratedModel,
) -> Any:
    """Give a fitted model that does not know whom it was made of, and answers alike.

    Parameters
    ----------
    model : Pipeline, TANGO, ConcatFusion, SingleView or CalibratedModel
        Fitted, as `save_model` takes it; stays as it is.

    Returns
    -------
    Pipeline or estimator
        Its attribute ``holds_people_`` (of the last step) is False.

    Raises
    ------
    ModelFileError
        It is of another kind, of which nobody can say what it keeps of its recordings: a support
        vector machine keeps vectors of them, and answers by these.
    NotFittedError
        It is not fitted.

    See Also
    --------
    save_model : Saves it so with ``include_people=False``.

    Notes
    -----
    Left out are names, paths and hashes of the recordings, the command that made the model, who
    speaks in which, which of them calibrated, and the vectors of these; the speakers of the column
    "speaker" (of a calibrated model, of its `speaker` column) are numbered: "speaker 01" and so on,
    by the order of their names, or as whole numbers where they were numbers. All other answers,
    probabilities, intervals, sets and likelihood ratios are the same to the last bit, ratios with
    up to ten known recordings of a speaker.

    Such a model cannot identify (`OpenSetIdentifier`, for which it takes the voices of those who
    calibrated), nor draw the comparisons that calibrated it; nor can it be checked whether it has
    heard a recording or a speaker, or whether its recordings are as they were. Keep the whole
    model, which is the only one that can.

    It is less personal, not anonymous: the weights of a network have learnt from these voices, one
    row of them for each speaker, and labels of other columns are kept as they are.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sfmforensics import TANGO
    >>> X = np.random.default_rng(0).normal(size=(40, 20)).astype("float32")
    >>> y = pd.DataFrame({"speaker": ["Anna", "Ben"] * 20, "age": [31.0, 47.0] * 20})
    >>> model = TANGO(max_epochs=1, random_state=0).fit(X, y)
    >>> without_people(model).classes_[0].tolist(), model.classes_[0].tolist()
    (['speaker 1', 'speaker 2'], ['Anna', 'Ben'])
    """
    estimator = model[-1] if isinstance(model, Pipeline) else model
    check_is_fitted(estimator)
    inside, speaker = estimator, SPEAKER
    if type(estimator) is CalibratedModel:
        inside, speaker = estimator.estimator_, estimator.speaker
        if isinstance(inside, FrozenEstimator):
            inside = inside.estimator
        scorer = getattr(estimator.likelihood_ratio_, "scorer_", None)
        if scorer is not None and type(scorer) not in KNOWN_SCORERS:
            inside = scorer
    if _ESTIMATORS.get(type(inside).__name__) is not type(inside):
        raise ModelFileError(
            f"a {type(inside).__name__} may keep what its recordings were, and needs that to "
            "answer, so that it cannot be without people; use tango, concat or single, or keep it "
            "with people (include_people=True)"
        )
    reduced: Any = copy(inside)
    reduced._codec = inside._codec.renamed({SPEAKER, speaker})
    if type(estimator) is CalibratedModel:
        reduced = calibration_without_people(estimator, reduced)
    reduced.holds_people_ = False
    if not isinstance(model, Pipeline):
        return reduced
    views = [(name, clone(step)) for name, step in model.steps[:-1]]
    for _, union in views:
        for _, embedder in getattr(union, "transformer_list", []):
            embedder.set_params(cache=None)
    pipeline = Pipeline([*views, (model.steps[-1][0], reduced)])
    if getattr(model, "manifest_", None) is not None:
        pipeline.manifest_ = manifest_without_people(model.manifest_)
    return pipeline


def read_model(
    path: PathLike,
) -> Pipeline | TANGO | ConcatFusion | SingleView | CalibratedModel:
    """Read a model that `save_model` wrote. Nothing in the file is run.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Pipeline or estimator
        As it was saved, with the same answers to the last bit; its views have no cache.

    Raises
    ------
    ModelFileError
        It is no such file, or it was changed since it was written.

    See Also
    --------
    save_model : Writes it; there is an example.
    """
    path = user_path(path)
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelFileError(
            f"{path}: it cannot be read as a model ({error}); name a file that sfmforensics train "
            "wrote"
        ) from error
    checksum, _, text = metadata.get("model", "").partition(" ")
    if _digest(text, tensors) != checksum:
        raise ModelFileError(
            f"{path}: its content does not match its checksum, or it has none: it was damaged or "
            "changed, or is no model of this package; take it from where it was made, or train anew"
        )
    try:
        manifest = tensors.pop(_MANIFEST, None)
        model = _model(json.loads(text), tensors)
        if manifest is not None:
            model.manifest_ = json.loads(manifest.numpy().tobytes())
        return model
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        RuntimeError,
    ) as error:
        raise ModelFileError(
            f"{path}: it does not describe a model of this version ({error}); train it anew, or "
            "install the version that wrote it"
        ) from error


def _model(content: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Any:
    if content["format"] not in (_FORMAT, _CALIBRATED, _NOBODY):
        raise ValueError(f"its format is {content['format']!r}, not {_NOBODY!r} or before")
    estimator = _ESTIMATORS[content["estimator"]](**unpack(content["parameters"]))
    estimator._validate_params()
    codec = TargetCodec(**unpack(content["codec"]))
    for fitted, part in ((estimator, content["fitted"]), (codec, content["targets"])):
        values = unpack(part)
        for name in fitted._saved:
            if name in values:
                setattr(fitted, name, values[name])
    estimator._codec = codec
    arrays = {
        name.removeprefix(_ARRAYS): tensors.pop(name).numpy()
        for name in list(tensors)
        if name.startswith(_ARRAYS)
    }
    estimator.module_ = _module(estimator, codec, tensors)
    if "age_scale" not in unpack(content["parameters"]):
        for member in estimator._members():  # of 0.1.0: plans, and so answers, as they were
            member.fusion.until_it_holds = False
    estimator._compare_versions()
    if content["format"] != _FORMAT:
        calibration = unpack(content["calibration"])
        estimator = calibrated_from(estimator, clone(estimator), calibration, arrays)
    if not content.get("people", True):
        estimator.holds_people_ = False
    if content["views"] is None:
        return estimator
    union = FeatureUnion([_embedder(view) for view in content["views"]])
    steps = [("featureunion", union.set_output(transform="pandas"))]
    return Pipeline([*steps, (type(estimator).__name__.lower(), estimator)])


def _module(estimator: Any, codec: TargetCodec, tensors: Mapping[str, torch.Tensor]) -> Any:
    """The network, made without memory: its weights are the tensors, if all of them fit."""
    many = estimator.n_members > 1
    first = "members.0." if many else ""
    blocks: list[IntArray] = []
    while f"{first}block{len(blocks)}" in tensors:
        blocks.append(tensors[f"{first}block{len(blocks)}"].numpy())
    if sum(map(len, blocks)) != estimator.n_features_in_:
        raise ValueError(f"its views do not have {estimator.n_features_in_} columns")
    if many and f"members.{estimator.n_members - 1}.block0" not in tensors:
        raise ValueError(f"it does not hold {estimator.n_members} networks")
    with torch.device("meta"):
        members = [estimator._network(blocks, codec) for _ in range(estimator.n_members)]
    module = Ensemble(members, [width > 1 for width in codec.widths_]) if many else members[0]
    module.load_state_dict(tensors, assign=True)  # with the number formats that they have
    return module.eval()


def _views(union: Any) -> list[dict[str, Any]]:
    if not isinstance(union, FeatureUnion) or union.transformer_weights:
        raise ModelFileError(
            f"views of a {type(union).__name__} cannot be saved without code; use make_views, or "
            f"{NO_CODE}"
        )
    described = []
    for name, embedder in union.transformer_list:
        kind = type(embedder).__name__
        if not is_found_by_name(type(embedder)):
            raise ModelFileError(
                f"view {name!r} is a {kind}, which cannot be saved without code; {NO_CODE}"
            )
        parameters = pack(embedder.get_params(deep=False), f"view {name!r}")
        version = embedder._version_learnt_from()
        described.append(
            {"name": name, "embedder": kind, "version": version, "parameters": parameters}
        )
    return described


def _embedder(view: dict[str, Any]) -> tuple[str, Any]:
    # A file of somebody else's does not say where vectors are written here.
    parameters = unpack(view["parameters"]) | {"cache": None}
    embedder = embedder_class(view["embedder"])(**parameters)
    embedder._learn_from(view.get("version"))
    return view["name"], embedder


def _attributes(fitted: object, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(fitted, name) for name in names if hasattr(fitted, name)}


def _digest(text: str, tensors: Mapping[str, torch.Tensor]) -> str:
    checksum = sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        checksum.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        checksum.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return checksum.hexdigest()
