"""What users pass for recordings, as a plain list."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from sfmforensics.exceptions import EmbedderError

if TYPE_CHECKING:
    from typing import Any

    from sfmforensics._types import Recording, Recordings


def check_recordings(X: Recordings) -> list[Recording]:
    """Accept what users pass for recordings, as a plain list.

    Parameters
    ----------
    X : sequence of path-like or of (ndarray, int); Series, or DataFrame of one column
        Recordings.

    Returns
    -------
    list
        Of paths or pairs.

    Raises
    ------
    EmbedderError
        `X` is one path or no sequence of recordings.

    Examples
    --------
    >>> check_recordings(["a.wav", "b.wav"])
    ['a.wav', 'b.wav']
    >>> check_recordings("a.wav")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.EmbedderError: one path was passed where a list of recordings is
    expected; write ['a.wav']
    """
    if isinstance(X, (str, bytes)) or hasattr(cast("Any", X), "__fspath__"):
        raise EmbedderError(
            f"one path was passed where a list of recordings is expected; write [{str(X)!r}]"
        )
    if isinstance(X, pd.DataFrame):
        if X.shape[1] != 1:
            raise EmbedderError(
                f"a table of {X.shape[1]} columns was passed where recordings are expected; "
                "pass its column of paths"
            )
        X = X.iloc[:, 0]
    if isinstance(X, np.ndarray):
        if X.dtype.kind not in "OUST" or (X.ndim == 2 and X.shape[1] != 1) or X.ndim > 2:
            raise EmbedderError(
                f"an array of shape {X.shape} and dtype {X.dtype} was passed where recordings are "
                "expected; pass paths, or (signal, rate) pairs"
            )
        X = X.reshape(-1)
    try:
        return list(X)
    except TypeError as error:
        raise EmbedderError(
            f"{type(X).__name__} is no list of recordings; pass paths, or (signal, rate) pairs"
        ) from error
