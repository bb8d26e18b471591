"""One pass over recordings: what is cached, what waits for a batch, what was refused."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, cast

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend
from sklearn.base import clone

from sfmforensics._utils.names import describe_source, file_of
from sfmforensics._utils.recordings import Segment
from sfmforensics.audio import SAMPLE_RATE
from sfmforensics.audio._recording import HeardRecording
from sfmforensics.exceptions import AudioError, EmbedderError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, TypeAlias

    from sfmforensics._types import Advance, Float32Array, OnError, PathLike, Signal
    from sfmforensics._utils.recordings import Recording
    from sfmforensics.audio._hearing import Note
    from sfmforensics.embedders.base import BaseEmbedder

    Batch: TypeAlias = list[tuple[int, str, Signal]]


class EmbeddingPass:
    """Fill the rows of an array with the vectors of recordings."""

    def __init__(
        self,
        embedder: BaseEmbedder,
        recordings: Sequence[Recording],
        vectors: Float32Array,
        advance: Advance,
        on_error: OnError,
    ) -> None:
        self._embedder, self._recordings, self._vectors = embedder, recordings, vectors
        self._advance, self._on_error = advance, on_error
        self._cache = embedder._open_cache()
        self._waiting = _Waiting(embedder)
        self._first: dict[str, int] = {}
        self._copies: list[tuple[int, int]] = []
        self.refused: dict[int, AudioError | EmbedderError] = {}
        self.notes: list[Note] = []

    def take(self, index: int) -> None:
        """Read a recording; look its vector up, compute it, or let it wait for company."""
        try:
            self._take(index)
        except AudioError as error:
            self._advance(1)
            self._refuse({index: error})

    def finish(self) -> None:
        """Compute what still waits, and give copies their vectors."""
        for batch in self._waiting.rest():
            self._run(batch)
        for index, original in self._copies:
            self._vectors[index] = self._vectors[original]
            if original in self.refused:
                self.refused[index] = self._not_finite(index)

    def _take(self, index: int) -> None:
        embedder = self._embedder
        recording = HeardRecording(
            self._recordings[index],
            min_samples=embedder._min_samples,
            max_seconds=embedder._piece_seconds,
            hearing=embedder._hearing,
        )
        self.notes += recording.notes
        original = self._first.setdefault(recording.digest, index)
        if original != index:
            self._copies.append((index, original))
            self._advance(1)
            return
        vector = self._cache.get(recording.digest)
        if vector is not None:
            self._vectors[index] = vector
            self._advance(1)
        elif recording.signal is None:
            try:
                vector = embedder._embed_pieces(self._announced(recording))
            except AudioError:
                del self._first[recording.digest]  # a copy of it may be well all the same
                raise
            self._keep([index], [recording.digest], [vector])
        else:
            for batch in self._waiting.add(index, recording.digest, recording.signal):
                self._run(batch)

    def _announced(self, recording: HeardRecording) -> Iterator[Signal]:
        for number, piece in enumerate(recording.pieces(), start=1):
            self._advance(0, f"piece {number} of {recording.n_pieces}")
            yield piece
        self._advance(0)

    def _run(self, batch: Batch) -> None:
        indices, digests, signals = zip(*batch, strict=True)
        self._keep(indices, digests, self._embedder._embed(list(signals)))

    def _keep(self, indices: Sequence[int], digests: Sequence[str], vectors: Any) -> None:
        width = self._vectors.shape[1]
        vectors = np.asarray(vectors, dtype=np.float32)
        if vectors.shape != (len(indices), width):
            raise EmbedderError(
                f"{self._embedder._name()}: vectors of shape {vectors.shape[1:]} came out where "
                f"({width},) was expected; check the dimension"
            )
        bad: dict[int, AudioError | EmbedderError] = {}
        for index, digest, vector in zip(indices, digests, vectors, strict=True):
            if np.isfinite(vector).all():
                self._vectors[index] = vector
                self._cache.put(digest, vector)
            else:
                bad[index] = self._not_finite(index)
        self._advance(len(indices))
        self._refuse(bad)

    def _refuse(self, errors: Mapping[int, AudioError | EmbedderError]) -> None:
        if self._on_error == "skip":
            self.refused |= errors
            return
        for error in errors.values():
            if isinstance(error, AudioError):
                # What was read before is not lost.
                for batch in self._waiting.rest():
                    self._run(batch)
            raise error

    def _not_finite(self, index: int) -> EmbedderError:
        return EmbedderError(
            f"{describe_source(self._recordings[index])}: its {self._embedder._name()} vector came "
            "out NaN or infinite; the model's weights may be damaged, or its dtype too small"
        )


class _Waiting:
    """Signals that wait for others of their key."""

    def __init__(self, embedder: BaseEmbedder) -> None:
        self._embedder = embedder
        self._batches: dict[Hashable, Batch] = defaultdict(list)
        self._samples = 0

    def add(self, index: int, digest: str, signal: Signal) -> Iterable[Batch]:
        """Let a signal wait; give the batches that need not, or must not, wait longer."""
        key = self._embedder._batch_key(signal)
        self._batches[key].append((index, digest, signal))
        self._samples += len(signal)
        if self._samples > self._embedder._patience * SAMPLE_RATE:
            return self.rest()
        if len(self._batches[key]) >= self._embedder._batch_limit(signal):
            return [self._take(key)]
        return []

    def rest(self) -> Iterable[Batch]:
        """Give all batches as they are."""
        return map(self._take, list(self._batches))

    def _take(self, key: Hashable) -> Batch:
        batch = self._batches.pop(key)
        self._samples -= sum(len(signal) for _, _, signal in batch)
        return batch


_CHUNKS_A_JOB = 4
_LARGEST_CHUNK = 64
"""Recordings: what is computed again, at most, if a worker is lost and there is no cache."""


def n_jobs_for(recordings: Sequence[Recording]) -> int:
    """How many processes ``joblib.parallel_config`` gives to these recordings.

    Examples
    --------
    >>> n_jobs_for(["a.wav", "b.wav"])
    1
    """
    if any(file_of(recording) is None for recording in recordings):
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
    """Fill the rows of an array by several processes."""
    size = max(1, min(_LARGEST_CHUNK, ceil(len(recordings) / (_CHUNKS_A_JOB * n_jobs))))
    # Another process may run in another folder.
    paths = [_absolute(recording) for recording in recordings]
    worker = clone(embedder).set_params(verbose=False)
    if worker.cache is not None:
        worker.set_params(cache=os.path.abspath(worker.cache))
    starts = range(0, len(recordings), size)
    chunks = Parallel(return_as="generator")(
        delayed(_embed_chunk)(worker, paths[start : start + size], on_error) for start in starts
    )
    refused: dict[int, AudioError | EmbedderError] = {}
    notes: list[Note] = []
    for start, (vectors, errors, noted) in zip(starts, chunks, strict=True):
        out[start : start + len(vectors)] = vectors
        notes += noted
        refused |= {start + index: error for index, error in errors.items()}
        advance(len(vectors))
    return refused, notes


def _absolute(recording: Recording) -> Recording:
    path = os.path.abspath(os.fsdecode(cast("PathLike", file_of(recording))))
    return replace(recording, path=path) if isinstance(recording, Segment) else path


def _embed_chunk(
    embedder: BaseEmbedder, recordings: Sequence[Recording], on_error: OnError
) -> tuple[Float32Array, dict[int, AudioError | EmbedderError], list[Note]]:
    vectors = np.empty((len(recordings), embedder._dimension()), dtype=np.float32)
    return vectors, *embedder._fill(recordings, vectors, on_error)
