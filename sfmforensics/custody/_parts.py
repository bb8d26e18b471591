"""Parts of a manifest: views, folds, vectors."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics._utils.plain import pack
from sfmforensics.exceptions import EmbedderError, ModelFileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import pandas as pd
    from sklearn.pipeline import FeatureUnion

    from sfmforensics._types import Array, Split
    from sfmforensics.embedders import BaseEmbedder

_HERE_ALONE = ("cache", "device", "batch_size", "verbose", "channel", "truncated")
"""Parameters of an embedder that tell of a machine or of the recordings, not of the view."""


def describe_views(views: FeatureUnion) -> dict[str, dict[str, Any]]:
    """Say of each view what makes its vectors, and how to build it again.

    Parameters
    ----------
    views : FeatureUnion
        As `sfmforensics.make_views` gives it.

    Returns
    -------
    dict of str to dict
        By name: `BaseEmbedder.provenance`, and "parameters", or None where only code can hold them.

    Examples
    --------
    >>> from sfmforensics import make_views
    >>> describe_views(make_views("mfcc"))["mfcc"]["embedder"]
    'MFCCEmbedder'
    """
    return {name: _view(name, embedder) for name, embedder in views.transformer_list}


def _view(name: str, embedder: BaseEmbedder) -> dict[str, Any]:
    try:
        told = embedder.provenance()
    except EmbedderError as error:  # a function that does not say what it is
        told = {"embedder": type(embedder).__name__, "identity": None, "why": str(error)}
    given = embedder.get_params(deep=False)
    try:
        parameters = {
            key: pack(value, f"{key} of view {name!r}")
            for key, value in given.items()
            if key not in _HERE_ALONE
        }
        return told | {"parameters": parameters}
    except ModelFileError:
        return told | {"parameters": None}


def describe_splits(
    splits: Mapping[str, Sequence[Split]],
) -> dict[str, list[dict[str, Any]]]:
    """Say which recordings were tested in each fold, and which were not used.

    Parameters
    ----------
    splits : dict of str to list of (ndarray, ndarray)
        By protocol: positions of training and test recordings.

    Returns
    -------
    dict of str to list of dict
        By protocol, for each fold: "test", positions in the list of recordings; "train", how many
        were learnt from; "sha256" of both lists.
    """
    return {
        str(protocol): [
            {
                "test": np.asarray(test).tolist(),
                "train": len(train),
                "sha256": sha256(
                    json.dumps([np.asarray(part).tolist() for part in (train, test)]).encode()
                ).hexdigest(),
            }
            for train, test in folds
        ]
        for protocol, folds in splits.items()
    }


def matrix_hash(X: pd.DataFrame | Array) -> str:
    """Identify a matrix of vectors by its content.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_recordings, n_features)
        Vectors; read block by block where it lies on disk.

    Returns
    -------
    str
        sha256 in hexadecimal, over the shape and the values as little-endian float32.

    Examples
    --------
    >>> matrix_hash(np.zeros((2, 3)))[:8]
    '910238ea'
    """
    values = X.to_numpy() if hasattr(X, "to_numpy") else np.asarray(X)
    found = sha256(f"{values.shape}".encode())
    for start in range(0, len(values), 4096):
        block = np.ascontiguousarray(values[start : start + 4096], dtype="<f4")
        found.update(block.data)
    return found.hexdigest()
