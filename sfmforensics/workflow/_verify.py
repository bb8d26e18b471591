"""Check a result against its manifest: what is still as it was, and what differs."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.pipeline import FeatureUnion

from sfmforensics._utils.files import file_hash
from sfmforensics._utils.names import recording_text
from sfmforensics._utils.paths import user_path
from sfmforensics._utils.plain import unpack
from sfmforensics._utils.progress import progress
from sfmforensics._utils.versions import hardware, library_versions
from sfmforensics.custody import (
    MANIFEST,
    check_manifest,
    is_sealed,
    matrix_hash,
    read_manifest,
    recording_of,
)
from sfmforensics.embedders.registry import embedder_class, let_hear
from sfmforensics.evidence._people import NO_PEOPLE
from sfmforensics.exceptions import CustodyError, EmbedderError, ReportError, SFMForensicsError
from sfmforensics.metrics import METRICS
from sfmforensics.report import read_run
from sfmforensics.targets import CLASSIFICATION
from sfmforensics.targets._bands import read_numbers
from sfmforensics.workflow._predict import load_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, TypeAlias

    from sfmforensics._types import PathLike
    from sfmforensics.embedders import BaseEmbedder
    from sfmforensics.metrics import Metric

    Line: TypeAlias = tuple[str, str, str, str]
    Lines: TypeAlias = Iterator[Line]

SAME, DIFFERS, MISSING, UNCHECKED, NOTE = "same", "differs", "missing", "not checked", "note"
COLUMNS = ["what", "item", "verdict", "detail"]
_TOLERANCE = 1e-9


def verify_results(
    path: PathLike,
    *,
    root: PathLike | None = None,
    sha256: str | None = None,
    vectors: bool = False,
    trust: bool = False,
    verbose: bool = False,
) -> pd.DataFrame:
    """Compute again what a manifest says of a result, and say what differs.

    Parameters
    ----------
    path : path-like
        A folder that ``evaluate``, ``reproduce`` or ``embed --output`` wrote, a model that
        ``train`` wrote, or the manifest of answers that ``predict`` wrote.
    root : path-like or None, default=None
        Where the recordings are now, if not where they were: the folder that takes the place of the
        deepest one that holds them all.
    sha256 : str or None, default=None
        What ``sha256sum`` gave for the manifest (for the model's file) when it was noted down
        elsewhere.
    vectors : bool, default=False
        Embed the recordings again, without a cache, and compare the vectors.
    trust : bool, default=False
        Whether code in a model's file of joblib may run.
    verbose : bool, default=False
        Show progress bars.

    Returns
    -------
    DataFrame with columns "what", "item", "verdict", "detail"
        A row for each thing that was looked at. Verdicts are "same", "differs", "missing", "not
        checked" (the detail says why) and "note" (another machine or version, which explains
        differences but is none).

    Raises
    ------
    CustodyError
        There is no manifest, or it is none.
    ModelFileError
        The model's file was changed, or its code is not trusted.

    Notes
    -----
    Looked at are the manifest itself, every file of the results, every recording, the weights and
    options of every model of a view, the scores (computed again from the predictions), and, as
    notes, versions and hardware. A manifest is no signature: whoever can change the results can
    write another one. Note its sha256 down elsewhere, and give it here.

    Examples
    --------
    >>> verify_results("nowhere")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.CustodyError: nowhere: no such file or folder; name what evaluate,
    reproduce, embed --output or train wrote
    """
    path = user_path(path)
    if not path.exists():
        raise CustodyError(
            f"{path}: no such file or folder; name what evaluate, reproduce, embed --output or "
            "train wrote"
        )
    if path.is_dir() or path.suffix == ".json":
        sealed = path / MANIFEST if path.is_dir() else path
        manifest = read_manifest(sealed)
    else:
        manifest, sealed = getattr(load_model(path, trust=trust), "manifest_", None), path
        if manifest is None:
            raise CustodyError(
                f"{path}: this model carries no manifest; train it with sfmforensics train"
            )
        check_manifest(manifest, path)
    rows = [("manifest", sealed.name, SAME if is_sealed(manifest) else DIFFERS, "")]
    if sha256 is not None:
        rows.append(_compared("manifest", f"sha256 of {sealed.name}", sha256, file_hash(sealed)))
    folder = path if path.is_dir() else None
    try:
        rows += _rows(manifest, folder, root, vectors, verbose)
    except (AttributeError, LookupError, TypeError) as error:
        raise CustodyError(
            f"{sealed}: a manifest of this version does not tell things so ({error!r}); take it "
            "from where it was written"
        ) from error
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(
    manifest: Mapping[str, Any],
    folder: Path | None,
    root: PathLike | None,
    vectors: bool,
    verbose: bool,
) -> Lines:
    if folder is not None:
        yield from _files(folder, manifest)
        yield from _scores(folder)
    model = manifest.get("model_file")
    if model:
        there = os.path.isfile(model["path"])
        yield (
            _compared("model", model["path"], model["sha256"], file_hash(model["path"]))
            if there
            else ("model", model["path"], MISSING, "")
        )
    people = manifest.get("people") or {}
    if not people.get("included", True):
        item = f"{people['recordings']} recordings"
        yield "recording", item, UNCHECKED, f"{NO_PEOPLE}; check the one that does"
    recordings = _moved(manifest["recordings"], root)
    yield from _recordings(manifest["recordings"], recordings, verbose)
    heard = [
        None if path is None else recording_of(record, path)
        for record, path in zip(manifest["recordings"], recordings, strict=True)
    ]
    yield from _views(manifest)
    if vectors:
        yield from _vectors(manifest, heard, verbose)
    yield from _surroundings(manifest)


def _compared(what: str, item: str, recorded: object, present: object) -> Line:
    if recorded == present:
        return what, item, SAME, ""
    return what, item, DIFFERS, f"recorded {recorded}, found {present}"


def _files(folder: Path, manifest: Mapping[str, Any]) -> Lines:
    for name, recorded in manifest.get("results", {}).items():
        if os.path.basename(name) != name:  # a manifest of somebody else's reads nothing elsewhere
            yield "file", name, UNCHECKED, "it is not in the folder of the results"
        elif not (folder / name).is_file():
            yield "file", name, MISSING, ""
        else:
            yield _compared("file", name, recorded, file_hash(folder / name))


def _moved(records: Sequence[Mapping[str, Any]], root: PathLike | None) -> list[str | None]:
    """Paths of the recordings, in another root if one is given; None for signals."""
    paths = [record.get("path") for record in records]
    known = [path for path in paths if path is not None]
    if root is None or not known:
        return paths
    before = os.path.commonpath([os.path.dirname(path) for path in known])
    return [
        None if path is None else os.path.join(user_path(root), os.path.relpath(path, before))
        for path in paths
    ]


def _recordings(
    records: Sequence[Mapping[str, Any]], paths: Sequence[str | None], verbose: bool
) -> Lines:
    hash_once = functools.cache(file_hash)  # of many segments one file
    with progress("hashing recordings", len(records), verbose) as advance:
        for number, (record, path) in enumerate(zip(records, paths, strict=True)):
            advance(1)
            if path is None:
                yield "recording", f"recording {number}", UNCHECKED, "it was a signal, not a file"
            elif "sha256" not in record:
                yield "recording", path, NOTE, f"it was refused: {record.get('found')}"
            elif not os.path.isfile(path):
                yield "recording", path, MISSING, "give --root where recordings have moved"
            else:
                item = recording_text(recording_of(record, path))
                yield _compared("recording", item, record["sha256"], hash_once(path))


def _views(manifest: Mapping[str, Any]) -> Lines:
    for name, recorded_view in manifest["views"].items():
        try:
            present = rebuilt(name, recorded_view).provenance()
        except (SFMForensicsError, ValueError, TypeError, LookupError) as error:
            yield "view", name, UNCHECKED, str(error)
            continue
        yield _compared(
            "view",
            f"{name}: what its vectors depend on",
            recorded_view["identity"],
            present["identity"],
        )
        for file in sorted({*recorded_view["files"], *present["files"]}):
            recorded, here = (
                part["files"].get(file, "nothing") for part in (recorded_view, present)
            )
            yield _compared("weights", f"{name}: {file}", recorded, here)


def rebuilt(name: str, description: Mapping[str, Any]) -> BaseEmbedder:
    """Build the embedder that a manifest tells of."""
    try:
        if description["parameters"] is None:
            raise EmbedderError("its parameters are no plain values")
        embedder = embedder_class(description["embedder"])
    except EmbedderError as error:
        raise CustodyError(
            f"view {name!r} is a {description['embedder']}, which only code can make again: {error}"
        ) from error
    return embedder(**{key: unpack(value) for key, value in description["parameters"].items()})


def _heard(manifest: Mapping[str, Any]) -> tuple[Any, Any]:
    """Which channel was heard, and whether of files whose ends are missing what is there."""
    preprocessing = manifest.get("preprocessing", {})
    if "channel" in preprocessing:
        return preprocessing["channel"], preprocessing["truncated"]
    return "mix", "use"  # as all was heard before a manifest told of it


def _vectors(manifest: Mapping[str, Any], recordings: Sequence[Any], verbose: bool) -> Lines:
    item = "vectors of all recordings"
    if "vectors" not in manifest:
        yield "vectors", item, UNCHECKED, "this manifest holds no hash of them"
        return
    try:
        union = FeatureUnion(
            [
                (name, let_hear(rebuilt(name, description), *_heard(manifest)))
                for name, description in manifest["views"].items()
            ]
        )
        for _, embedder in union.transformer_list:
            embedder.set_params(verbose=verbose)
        vectors_hash = matrix_hash(union.transform(recordings))
    except (SFMForensicsError, TypeError) as error:
        yield "vectors", item, UNCHECKED, str(error)
        return
    what, item, verdict, detail = _compared("vectors", item, manifest["vectors"], vectors_hash)
    if verdict == DIFFERS and manifest["hardware"] != hardware():
        detail += "; on another machine the last digits may differ"
    yield what, item, verdict, detail


def _scores(folder: Path) -> Lines:
    """Scores that are answers counted: whether the predictions give them."""
    if not (folder / "scores.csv").is_file():
        return
    try:
        run = read_run(folder)
    except ReportError as error:
        yield "scores", "scores.csv", UNCHECKED, str(error)
        return
    for model, answers in run.predictions.items():
        own = run.scores[run.scores["model"] == model]
        if isinstance(run.config.get("predictions"), dict):  # of several systems of one name
            own = own[own["views"] == run.shown[1]]
        folds = dict(iter(answers.groupby(["protocol", "fold", "task"])))
        scored: Any = own.itertuples()
        for row in scored:
            metric = METRICS.get(row.metric)
            answered = folds.get((row.protocol, row.fold, row.task))
            if metric is None or metric.function is None or answered is None:
                continue
            score = _score(metric, answered)
            item = f"{model}, {row.protocol}, fold {row.fold}, {row.task} {row.metric}"
            alike = np.isclose(score, row.value, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
            if alike:
                yield "score", item, SAME, ""
            else:
                detail = f"the predictions give {score:.6g}, scores.csv says {row.value:.6g}"
                yield "score", item, DIFFERS, detail


def _score(metric: Metric, answered: pd.DataFrame) -> float:
    true, predicted = answered["true"], answered["predicted"]
    score: Any = metric.function
    if predicted.isna().all():
        return np.nan
    try:
        if metric.kind != CLASSIFICATION:
            true, predicted = read_numbers(true), pd.to_numeric(predicted)
        return score(true.reset_index(drop=True), predicted.reset_index(drop=True))
    except (ValueError, TypeError):
        return np.nan


def _surroundings(manifest: Mapping[str, Any]) -> Lines:
    installed = library_versions()
    for name, recorded in manifest["versions"].items():
        if recorded != installed.get(name):
            yield "version", name, NOTE, f"recorded {recorded}, here {installed.get(name)}"
    here = hardware()
    for name, recorded in manifest["hardware"].items():
        if recorded != here.get(name):
            yield "hardware", name, NOTE, f"recorded {recorded}, here {here.get(name)}"
