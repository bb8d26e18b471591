"""Vectors of a corpus as one matrix on disk, for what is larger than memory."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from sfmforensics._utils.files import file_hash, replacing, sweep, write_atomically
from sfmforensics._utils.names import keep_recording
from sfmforensics._utils.outputs import (
    begun,
    check_outputs,
    is_json,
    is_manifest,
    nothing,
    own_files,
)
from sfmforensics._utils.paths import user_path
from sfmforensics.custody import MANIFEST, Provenance, write_manifest
from sfmforensics.datasets._base import label_column, make_bunch
from sfmforensics.exceptions import DatasetError, SFMForensicsError
from sfmforensics.targets import Votes, bands
from sfmforensics.targets._bands import is_banded, labels_as_written
from sfmforensics.targets._votes import have_votes
from sfmforensics.views import files_of_views, hearing_of

if TYPE_CHECKING:
    from typing import Any

    from sklearn.pipeline import FeatureUnion

    from sfmforensics._types import IntArray, OnError, PathLike
    from sfmforensics._utils.recordings import Recording

MATRIX, TABLE, DESCRIPTION = "vectors.npy", "recordings.csv", "views.json"
_FORMAT = 1
_RECOGNISED = {
    # These two do not tell by themselves who wrote them.
    **dict.fromkeys((MATRIX, TABLE), nothing),
    DESCRIPTION: is_json("format", "views", "labels", "corpus"),
    MANIFEST: is_manifest("embeddings"),
}
_COLUMN = "recording"
# Of files that anybody may have written.
_UNREADABLE = (
    *(OSError, ValueError, KeyError, TypeError),
    *(AttributeError, IndexError, OverflowError, RecursionError),
)
_ROWS = 4096
"""Rows that are moved at once where some were refused."""


def save_embeddings(
    corpus: Bunch,
    views: FeatureUnion,
    folder: PathLike,
    *,
    on_error: OnError = "stop",
    overwrite: bool = False,
) -> pd.DataFrame:
    """Write the vectors of a corpus as one matrix on disk.

    Parameters
    ----------
    corpus : Bunch
        As the loaders of `sfmforensics.datasets` give it.
    views : FeatureUnion
        As `sfmforensics.make_views` gives it.
    folder : path-like
        Where it goes; made if need be. Such a matrix that is there is replaced.
    on_error : {"stop", "skip"}, default="stop"
        Whether a recording that cannot be used ends it, or is left out.
    overwrite : bool, default=False
        Whether files of these names may be replaced that are no such matrix of this package.

    Returns
    -------
    DataFrame with columns "recording", "view", "reason"
        What was left out: the position in the corpus, the view that it cannot have, and why.

    Raises
    ------
    AudioError
        A recording cannot be used, and `on_error` is "stop".
    DatasetError
        Labels are not as many as recordings, or their columns have no names of their own.
    SFMForensicsError
        `folder` is a file, or no recording can be used.
    OutputError
        The disk is full, or the folder read-only; or a file would be replaced that is read, or
        that is not this package's own, as a table of recordings that is called as theirs is.

    Notes
    -----
    - ``vectors.npy``: float32, a row a recording, the views side by side; it is written row by row
      and never held in memory.
    - ``recordings.csv``: in the same order, the path and the labels of each; behind them, of a
      column of `sfmforensics.targets.Votes`, the share of each class.
    - ``manifest.json``: what they were made of, see `sfmforensics.custody`.
    - ``views.json``: names and widths of the views, kinds of the labels. It is written last, so
      that nobody reads half of the rest.

    Examples
    --------
    >>> import tempfile
    >>> from sfmforensics import make_views
    >>> from sfmforensics.datasets import make_speech_corpus
    >>> folder = tempfile.mkdtemp()
    >>> corpus = make_speech_corpus(n_speakers=2, n_recordings=6, random_state=0)
    >>> refused = save_embeddings(corpus, make_views("mfcc"), Path(folder) / "vectors")
    >>> load_embeddings(Path(folder) / "vectors").data.shape
    (12, 40)
    """
    if on_error not in ("stop", "skip"):
        raise SFMForensicsError(f'on_error is {on_error!r}; use "stop" or "skip"')
    _check_labels(corpus)
    folder = user_path(folder)
    if folder.exists() and not folder.is_dir():
        raise SFMForensicsError(f"{folder} is a file; name a folder for the matrix of vectors")
    table = corpus.get("filename")
    read = {"corpus": [table] if table else [], "recordings": corpus.data}
    files = own_files(folder, _RECOGNISED, "embeddings")
    check_outputs({"output": files}, read | {"views": files_of_views(views)}, overwrite=overwrite)
    provenance = Provenance(corpus.data, hearing=hearing_of(views))
    views.fit(corpus.data)  # says at once if a model is not there
    with begun(folder, _RECOGNISED):
        return _write(corpus, views, folder, provenance, on_error)


def _write(
    corpus: Bunch, views: FeatureUnion, folder: Path, provenance: Provenance, on_error: OnError
) -> pd.DataFrame:
    widths = {
        name: len(embedder.get_feature_names_out()) for name, embedder in views.transformer_list
    }
    edges = np.cumsum([0, *widths.values()])
    refused, usable = [], np.ones(len(corpus.data), dtype=bool)
    for name in (MANIFEST, DESCRIPTION):
        (folder / name).unlink(missing_ok=True)  # what is there is no longer one whole
    sweep(folder)
    with replacing(folder / MATRIX) as temporary:
        matrix = _new_matrix(temporary, len(corpus.data), edges[-1])
        for (name, embedder), first, last in zip(
            views.transformer_list, edges[:-1], edges[1:], strict=True
        ):
            errors = embedder.transform_into(corpus.data, matrix[:, first:last], on_error=on_error)
            refused += [(row, name, str(error)) for row, error in errors.items()]
            usable[list(errors)] = False
        if not usable.any():
            raise SFMForensicsError(
                f"none of {len(usable)} recordings can be used: {refused[0][2]}"
            )
        matrix.flush()
        if not usable.all():
            _drop_rows(matrix, np.flatnonzero(usable), temporary)
    rows = np.flatnonzero(usable)
    target = corpus.target.iloc[rows].reset_index(drop=True)
    shares = {
        str(name): pd.DataFrame(_shares(column)).fillna(0.0).sort_index(axis=1)
        for name, column in target.items()
        if have_votes(column)
    }
    paths = [_path_of(corpus.data[row]) for row in rows]
    written = target.copy()
    with replacing(folder / TABLE) as temporary:
        for name in filter(lambda name: is_banded(target[name]), target):
            written[name] = labels_as_written(target[name])
        named = [table.add_prefix(f"{name}:") for name, table in shares.items()]
        table = pd.concat([written, *named], axis=1).set_axis(pd.Index(paths, name=_COLUMN))
        table.to_csv(temporary, errors="backslashreplace")
    description = {
        "format": _FORMAT,
        "views": widths,
        "labels": {name: _kind(column) for name, column in target.items()},
        "corpus": corpus.get("DESCR", ""),
    }
    if shares:
        description["votes"] = {name: list(table) for name, table in shares.items()}
    text = json.dumps(description, indent=2)
    results = {name: file_hash(folder / name) for name in (MATRIX, TABLE)}
    results[DESCRIPTION] = sha256(text.encode()).hexdigest()
    refusals = [{"recording": row, "view": view, "reason": why} for row, view, why in refused]
    manifest = provenance.manifest("embeddings", views=views, refused=refusals, results=results)
    write_manifest(folder, manifest, overwrite=True)  # it was asked before
    write_atomically(folder / DESCRIPTION, text)
    return pd.DataFrame(refused, columns=["recording", "view", "reason"])


def load_embeddings(folder: PathLike) -> Bunch:
    """Open what `save_embeddings` wrote; the matrix stays on disk.

    Parameters
    ----------
    folder : path-like
        What was given to `save_embeddings`, or to ``sfmforensics embed --output``.

    Returns
    -------
    sklearn.utils.Bunch
        data : DataFrame of shape (n_recordings, n_features), float32
            The views, under the names ``VIEW__0``, ``VIEW__1``, ...; memory-mapped, so that
            `TANGO`, `ConcatFusion` and `SingleView` learn from it batch by batch.
        target : DataFrame of shape (n_recordings, n_tasks)
            The labels.
        groups : ndarray of shape (n_recordings,) or None
            The speaker of each recording; None without such a column.
        details : DataFrame of shape (n_recordings, 1)
            The path of each, under "recording".
        DESCR : str
            What the corpus is.

    Raises
    ------
    DatasetError
        There is nothing, or the files do not go together.
    """
    folder = user_path(folder)
    if not (folder / DESCRIPTION).is_file():
        raise DatasetError(
            f"{folder}: no {DESCRIPTION} is there; write it with save_embeddings or "
            "sfmforensics embed --output (if one of them was interrupted, run it again)"
        )
    try:
        described = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        if described["format"] != _FORMAT:
            raise DatasetError(
                f"{folder / DESCRIPTION}: format {described['format']} is not known here, only "
                f"{_FORMAT}; write it again, or use the version of sfmforensics that wrote it"
            )
        vectors = np.load(folder / MATRIX, mmap_mode="r", allow_pickle=False)
        # Without a header: a label may be called as the column of the paths is.
        table = pd.read_csv(folder / TABLE, dtype=str, keep_default_na=False, header=None)
        header, table = table.iloc[0].tolist(), table.iloc[1:].reset_index(drop=True)
        labels, votes = described["labels"], described.get("votes", {})
        voted = [(name, label) for name, classes in votes.items() for label in classes]
        if header != [_COLUMN, *labels, *(f"{name}:{label}" for name, label in voted)]:
            raise ValueError(f"{TABLE} has the columns {header}")
        paths = table[0].rename(_COLUMN)
        target = pd.DataFrame(
            {name: _read(table[i], kind) for i, (name, kind) in enumerate(labels.items(), start=1)}
        )
        for name, classes in votes.items():
            first = 1 + len(labels) + voted.index((name, classes[0]))
            numbers = table.iloc[:, first : first + len(classes)].astype(float)
            target[name] = _voted(target[name], numbers.set_axis(classes, axis=1))
        widths = {view: int(width) for view, width in described["views"].items()}
    except DatasetError:
        raise
    except _UNREADABLE as error:
        raise DatasetError(f"{folder}: cannot be read ({error}); write it again") from error
    if vectors.shape != (len(table), sum(widths.values())) or min(widths.values()) < 1:
        raise DatasetError(
            f"{folder}: {MATRIX} is {' x '.join(map(str, vectors.shape))}, but {TABLE} has "
            f"{len(table)} rows and {DESCRIPTION} {sum(widths.values())} columns; write it again"
        )
    if vectors.dtype != np.float32:
        raise DatasetError(f"{folder}: {MATRIX} holds {vectors.dtype}, not float32; write it again")
    names = [f"{view}__{i}" for view, width in widths.items() for i in range(width)]
    bunch = make_bunch(
        paths, target, descr=described["corpus"], details=pd.DataFrame({_COLUMN: paths})
    )
    return Bunch(**bunch | {"data": pd.DataFrame(vectors, columns=names, copy=False)})


def _check_labels(corpus: Bunch) -> None:
    """Refuse labels that a table of text cannot give back, before anything is embedded."""
    target = corpus.target
    if len(target) != len(corpus.data):
        raise DatasetError(
            f"{len(corpus.data)} recordings, but {len(target)} rows of labels; give one row a "
            "recording"
        )
    odd = [name for name in target.columns if not isinstance(name, str)]
    twice = target.columns[target.columns.duplicated()]
    if odd or len(twice):
        problem = f"two are called {twice[0]!r}" if len(twice) else f"{odd[0]!r} is no text"
        raise DatasetError(
            f"the columns of labels need names of their own, but {problem}; rename it"
        )


def _new_matrix(file: str, n_rows: int, width: int) -> np.memmap[Any, np.dtype[np.float32]]:
    shape = int(n_rows), int(width)
    matrix = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
    if hasattr(os, "posix_fallocate"):
        # All of it now: where a disk fills up under a mapped file, the process dies of a signal.
        with open(file, "r+b") as whole:
            os.posix_fallocate(whole.fileno(), 0, os.path.getsize(file))
    return matrix


def _drop_rows(matrix: np.memmap[Any, np.dtype[np.float32]], rows: IntArray, file: str) -> None:
    """Write some rows of a matrix in its place, piece by piece."""
    with replacing(file) as smaller:
        copied = _new_matrix(smaller, len(rows), matrix.shape[1])
        for start in range(0, len(rows), _ROWS):
            copied[start : start + _ROWS] = matrix[rows[start : start + _ROWS]]
        copied.flush()


def _path_of(recording: Recording) -> str:
    return keep_recording(recording) or ""


def _kind(column: pd.Series) -> str:
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object if column.isna().any() else column.cat.categories.dtype)
    if pd.api.types.infer_dtype(column.dropna()) == "boolean":
        return "boolean" if column.isna().any() else "bool"
    if pd.api.types.is_integer_dtype(column):
        return str(column.dtype)
    if pd.api.types.is_float_dtype(column):
        return "float"
    if is_banded(column):
        return "bands"
    # Whole numbers with gaps are objects, as `label_column` makes them.
    whole = column.dtype == object and pd.api.types.infer_dtype(column.dropna()) == "integer"
    return "integers" if whole else "str"


def _shares(column: pd.Series) -> list[dict[str, float]]:
    return [dict(label.shares) if isinstance(label, Votes) else {} for label in column]


def _voted(labels: pd.Series, shares: pd.DataFrame) -> pd.Series:
    """Labels with the votes that a table has for them, where it has any."""
    rows = zip(labels, shares.to_numpy(), strict=True)
    classes = list(map(str, shares))
    return label_column(
        Votes(label, dict(zip(classes, row, strict=True))) if label and row.any() else label
        for label, row in rows
    )


def _read(texts: pd.Series, kind: Any) -> pd.Series:
    """A column as it was, from what the table has of it; "" is a missing label."""
    missing = texts == ""
    if kind == "float":
        return pd.to_numeric(texts.mask(missing)).astype(float)
    if kind == "bands":
        return bands(texts.mask(missing, None), str(texts.name))
    if kind == "boolean":  # truth values with gaps
        return label_column(text == "True" if text else None for text in texts)
    if kind == "bool":
        return texts == "True"
    if kind == "integers":
        return label_column(int(text) if text else None for text in texts)
    if kind == "str":
        return texts.astype(object).mask(missing, None)
    # Not by way of floats, which 17 digits would not survive.
    whole = [int(text) if text else pd.NA for text in texts]
    return pd.Series(whole, dtype=kind)
