"""Vectors of a corpus as one matrix on disk, for what is larger than memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from sfmforensics._files import replacing, write_atomically
from sfmforensics.datasets._base import make_bunch
from sfmforensics.exceptions import DatasetError, SFMForensicsError

if TYPE_CHECKING:
    from typing import Any

    from sklearn.pipeline import FeatureUnion

    from sfmforensics._types import IntArray, OnError, PathLike, Recording

MATRIX, TABLE, DESCRIPTION = "vectors.npy", "recordings.csv", "views.json"
_FORMAT = 1
_COLUMN = "recording"
_ROWS = 4096
"""Rows that are moved at once where some were refused."""


def save_embeddings(
    corpus: Bunch, views: FeatureUnion, folder: PathLike, *, on_error: OnError = "stop"
) -> pd.DataFrame:
    """Write the vectors of a corpus as one matrix on disk.

    Parameters
    ----------
    corpus : Bunch
        As the loaders of `sfmforensics.datasets` give it.
    views : FeatureUnion
        As `sfmforensics.make_views` gives it.
    folder : path-like
        Where it goes; made if need be. What was there is replaced.
    on_error : {"stop", "skip"}, default="stop"
        Whether a recording that cannot be used ends it, or is left out.

    Returns
    -------
    DataFrame with columns "recording", "view", "reason"
        What was left out: the position in the corpus, the view that it cannot have, and why.

    Raises
    ------
    AudioError
        A recording cannot be used, and `on_error` is "stop".
    SFMForensicsError
        `folder` is a file, or no recording can be used.

    Notes
    -----
    - ``vectors.npy``: float32, a row a recording, the views side by side; it is written row by row
      and never held in memory.
    - ``recordings.csv``: in the same order, the path and the labels of each.
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
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise SFMForensicsError(f"{folder} is a file; name a folder for the matrix of vectors")
    views.fit(corpus.data)  # says at once if a model is not there
    widths = {
        name: len(embedder.get_feature_names_out()) for name, embedder in views.transformer_list
    }
    edges = np.cumsum([0, *widths.values()])
    refused, kept = [], np.ones(len(corpus.data), dtype=bool)
    (folder / DESCRIPTION).unlink(missing_ok=True)  # what is there is no longer one whole
    with replacing(folder / MATRIX) as temporary:
        matrix = _new_matrix(temporary, len(corpus.data), edges[-1])
        for (name, embedder), first, last in zip(
            views.transformer_list, edges[:-1], edges[1:], strict=True
        ):
            errors = embedder.transform_into(corpus.data, matrix[:, first:last], on_error=on_error)
            refused += [(row, name, str(error)) for row, error in errors.items()]
            kept[list(errors)] = False
        if not kept.any():
            raise SFMForensicsError(f"none of {len(kept)} recordings can be used: {refused[0][2]}")
        matrix.flush()
        if not kept.all():
            _drop_rows(matrix, np.flatnonzero(kept), temporary)
    rows = np.flatnonzero(kept)
    target = corpus.target.iloc[rows].reset_index(drop=True)
    paths = [_path_of(corpus.data[row]) for row in rows]
    with replacing(folder / TABLE) as temporary:
        target.set_axis(pd.Index(paths, name=_COLUMN)).to_csv(temporary)
    description = {
        "format": _FORMAT,
        "views": widths,
        "labels": {name: _kind(column) for name, column in target.items()},
        "corpus": corpus.get("DESCR", ""),
    }
    write_atomically(folder / DESCRIPTION, json.dumps(description, indent=2))
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
        groups : ndarray of shape (n_recordings,) or None
            The speaker of each recording; None without such a column.
        details : DataFrame of shape (n_recordings, 1)
            The path of each, under "recording".
        DESCR : str

    Raises
    ------
    DatasetError
        There is nothing, or the files do not go together.
    """
    folder = Path(folder)
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
        table = pd.read_csv(folder / TABLE, dtype=str, keep_default_na=False)
        paths = table.pop(_COLUMN)
        labels = described["labels"]
        target = pd.DataFrame({name: _read(table[name], kind) for name, kind in labels.items()})
        names = [f"{view}__{i}" for view, width in described["views"].items() for i in range(width)]
    except DatasetError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{folder}: cannot be read ({error}); write it again") from error
    if vectors.shape != (len(table), len(names)):
        raise DatasetError(
            f"{folder}: {MATRIX} is {vectors.shape[0]} x {vectors.shape[1]}, but {TABLE} has "
            f"{len(table)} rows and {DESCRIPTION} {len(names)} columns; write it again"
        )
    bunch = make_bunch(
        paths, target, descr=described["corpus"], details=pd.DataFrame({_COLUMN: paths})
    )
    return Bunch(**bunch | {"data": pd.DataFrame(vectors, columns=names, copy=False)})


def _new_matrix(file: str, n_rows: int, width: int) -> np.memmap[Any, np.dtype[np.float32]]:
    shape = int(n_rows), int(width)
    return np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)


def _drop_rows(matrix: np.memmap[Any, np.dtype[np.float32]], rows: IntArray, file: str) -> None:
    """Write some rows of a matrix in its place, piece by piece."""
    with replacing(file) as smaller:
        kept = _new_matrix(smaller, len(rows), matrix.shape[1])
        for start in range(0, len(rows), _ROWS):
            kept[start : start + _ROWS] = matrix[rows[start : start + _ROWS]]
        kept.flush()


def _path_of(recording: Recording) -> str:
    return "" if isinstance(recording, tuple) else str(recording)


def _kind(column: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(column):
        return "bool"
    if pd.api.types.is_integer_dtype(column):
        return str(column.dtype)
    return "float" if pd.api.types.is_float_dtype(column) else "str"


def _read(texts: pd.Series, kind: Any) -> pd.Series:
    """A column as it was, from what the table has of it; "" is a missing label."""
    missing = texts == ""
    if kind == "float":
        return pd.to_numeric(texts.mask(missing)).astype(float)
    if kind == "bool":
        return texts == "True"
    if kind == "str":
        return texts.astype(object).mask(missing, None)
    return pd.to_numeric(texts.mask(missing)).astype(kind)
