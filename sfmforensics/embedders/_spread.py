"""Embedding in several processes or on a cluster, where joblib was told to."""

from __future__ import annotations

import os
from math import ceil
from typing import TYPE_CHECKING, cast

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend
from sklearn.base import clone

from sfmforensics._utils.names import is_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sfmforensics._types import Advance, Float32Array, OnError, PathLike, Recording
    from sfmforensics.audio._hearing import Note
    from sfmforensics.embedders.base import BaseEmbedder
    from sfmforensics.exceptions import AudioError, EmbedderError

_CHUNKS_A_JOB = 4
_LARGEST_CHUNK = 64
"""Recordings: what is computed again, at most, if a worker is lost and there is no cache."""


def n_jobs_for(recordings: Sequence[Recording]) -> int:
    """How many processes ``joblib.parallel_config`` gives to these recordings.

    Parameters
    ----------
    recordings : list
        Of paths or pairs.

    Returns
    -------
    int
        1 outside of ``parallel_config``, inside of another job, and where a recording is a signal
        rather than a path: audio is read where it is embedded and never sent.

    Examples
    --------
    >>> n_jobs_for(["a.wav", "b.wav"])
    1
    """
    if not all(is_path(recording) for recording in recordings):
        return 1
    backend, _ = get_active_backend()
    if backend.nesting_level:
        return 1
    return min(effective_n_jobs(None), len(recordings))


def spread(
    embedder: BaseEmbedder,
    recordings: Sequence[Recording],
    out: Float32Array,
    advance: Advance,
    on_error: OnError,
    n_jobs: int,
) -> tuple[dict[int, AudioError | EmbedderError], list[Note]]:
    """Fill the rows of an array by several processes.

    Parameters
    ----------
    embedder : BaseEmbedder
    recordings : list of path-like
    out : ndarray of shape (n_recordings, dimension), float32
    advance : callable
        See `sfmforensics._utils.progress.progress`.
    on_error : "stop" or "skip"
    n_jobs : int

    Returns
    -------
    refused : dict of int to AudioError or EmbedderError
        As `BaseEmbedder.transform_into` returns it.
    notes : list of Note
        What there is to say of channels and of ends that are missing.
    """
    size = max(1, min(_LARGEST_CHUNK, ceil(len(recordings) / (_CHUNKS_A_JOB * n_jobs))))
    # Another process may run in another folder.
    paths = [os.path.abspath(os.fsdecode(cast("PathLike", recording))) for recording in recordings]
    worker = clone(embedder).set_params(verbose=False)
    if worker.cache is not None:
        worker.set_params(cache=os.path.abspath(worker.cache))
    starts = range(0, len(recordings), size)
    found = Parallel(return_as="generator")(
        delayed(_embed_chunk)(worker, paths[start : start + size], on_error) for start in starts
    )
    refused: dict[int, AudioError | EmbedderError] = {}
    notes: list[Note] = []
    for start, (vectors, errors, noted) in zip(starts, found, strict=True):
        out[start : start + len(vectors)] = vectors
        notes += noted
        refused |= {start + index: error for index, error in errors.items()}
        advance(len(vectors))
    return refused, notes


def _embed_chunk(
    embedder: BaseEmbedder, recordings: Sequence[PathLike], on_error: OnError
) -> tuple[Float32Array, dict[int, AudioError | EmbedderError], list[Note]]:
    vectors = np.empty((len(recordings), embedder._dimension()), dtype=np.float32)
    return vectors, *embedder._fill(recordings, vectors, on_error)
