"""Compute the embeddings of a corpus, and keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics._utils.paths import user_path
from sfmforensics.exceptions import SFMForensicsError
from sfmforensics.saving import save_embeddings
from sfmforensics.views import make_views
from sfmforensics.workflow._checks import read_of
from sfmforensics.workflow._selection import hearing_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.utils import Bunch

    from sfmforensics._types import Channel, Handling, PathLike
    from sfmforensics.embedders.registry import ViewSpec


def embed_corpus(
    corpus: Bunch,
    views: Sequence[ViewSpec],
    *,
    cache: PathLike,
    output: PathLike | None = None,
    device: str | None = None,
    batch_size: int = 8,
    on_error: Handling = "stop",
    verbose: bool = False,
    channel: Channel = "auto",
    overwrite: bool = False,
) -> tuple[dict[str, tuple[int, int]], pd.DataFrame]:
    """Compute the vectors of a corpus, and keep them; what is kept already is not computed again.

    Parameters
    ----------
    corpus : Bunch
        As the loaders of `sfmforensics.datasets` give it.
    views : sequence of str
        Specs for `make_views`.
    cache : path-like
        Folder that keeps the vectors.
    output : path-like or None, default=None
        Folder that gets them as one matrix besides; see `sfmforensics.save_embeddings`.
    device : str or None, default=None
        A torch device; None takes CUDA if there is one.
    batch_size : int, default=8
        Recordings that share a forward pass.
    on_error : {"stop", "skip", "use"}, default="stop"
        Whether a recording that cannot be used ends it, or is left out; with "use", what there is
        of a file whose end is missing is used, with a warning, and anything else ends it.
    verbose : bool, default=False
        Show progress bars.
    channel : int or {"auto", "mix"}, default="auto"
        Which channel of a recording of several is heard, see `sfmforensics.audio.read_audio`.
    overwrite : bool, default=False
        Whether files in `output` may be replaced that are no such matrix of this package.

    Returns
    -------
    shapes : dict of str to (int, int)
        By view: recordings embedded, and width of a vector.
    refused : DataFrame with columns "recording", "view", "reason"
        What was left out: the position in the corpus, the view that it cannot have, and why.

    Raises
    ------
    SFMForensicsError
        `cache` is a file, or `on_error` is unknown.
    AudioError
        A recording cannot be used, and `on_error` is not "skip".
    OutputError
        The matrix cannot be written, or something would be lost that is read, or is not this
        package's own.
    """
    cache = user_path(cache)
    if cache.exists() and not cache.is_dir():
        raise SFMForensicsError(f"{cache} is a file; name a folder that keeps the embeddings")
    hearing = hearing_for(channel, on_error)
    union = make_views(
        *views,
        cache=cache,
        device=device,
        batch_size=batch_size,
        verbose=verbose,
        channel=hearing.channel,
        truncated=hearing.truncated,
    )
    read_of(corpus, union, cache)  # refuses a recording in the cache
    union.fit(corpus.data)  # says at once if a model is not there
    if output is not None:
        refused = save_embeddings(
            corpus,
            union,
            output,
            on_error="skip" if on_error == "skip" else "stop",
            overwrite=overwrite,
        )
        left_out = refused["view"].value_counts()
        shapes = {
            name: (
                len(corpus.data) - int(left_out.get(name, 0)),
                len(embedder.get_feature_names_out()),
            )
            for name, embedder in union.transformer_list
        }
        return shapes, refused
    shapes, skipped = {}, []
    for name, embedder in union.transformer_list:
        if on_error != "skip":
            vectors = embedder.transform(corpus.data)
        else:
            vectors, usable, errors = embedder.transform_usable(corpus.data)
            left_out = np.setdiff1d(np.arange(len(corpus.data)), usable)
            skipped += [(i, name, str(error)) for i, error in zip(left_out, errors, strict=True)]
        shapes[name] = vectors.shape
    return shapes, pd.DataFrame(skipped, columns=["recording", "view", "reason"])
