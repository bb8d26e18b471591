"""What every embedder shares: recordings in, float32 vectors out, one batch of audio at a time."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from sfmforensics._progress import progress
from sfmforensics.audio import MIN_SAMPLES, SAMPLE_RATE, read_audio, signal_hash
from sfmforensics.embedders.cache import NoCache, VectorCache
from sfmforensics.exceptions import AudioError, EmbedderError

_MAX_WAITING_SECONDS = 600
"""Audio that may wait for company of its own kind before a batch is run all the same."""


class BaseEmbedder(TransformerMixin, BaseEstimator):
    """Turns recordings into fixed-length vectors, and learns nothing.

    A subclass says what its vectors depend on (`_identity`), how wide they are (`_dimension`) and
    how a batch of signals becomes vectors (`_embed`). Reading, refusing, caching, batching,
    progress and the scikit-learn face are here.

    Notes
    -----
    A recording's vector does not depend on which other recordings share its batch: signals share
    one only if `_batch_key` says that they may.
    """

    _version = 1
    """Raised whenever the vectors change, so that no cache mixes two computations."""

    _min_samples = MIN_SAMPLES

    # -- hooks ---------------------------------------------------------------------------------

    def _identity(self):
        """All that a vector depends on besides the signal, as JSON."""
        raise NotImplementedError

    def _dimension(self):
        """Width of a vector, known without running the model."""
        raise NotImplementedError

    def _embed(self, signals):
        """Vectors of a batch: list of 1-D float32 signals at 16 kHz -> (n_signals, dimension)."""
        raise NotImplementedError

    def _batch_key(self, signal):
        """Signals with equal keys may share a batch."""

    def _name(self):
        return type(self).__name__.removesuffix("Embedder").lower()

    # -- scikit-learn --------------------------------------------------------------------------

    def fit(self, X=None, y=None):
        """Check the parameters; there is nothing to learn.

        Parameters
        ----------
        X : ignored
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        EmbedderError
            A parameter is out of range, or the model cannot be found.
        """
        self._dimension()
        return self

    def transform(self, X):
        """Embed recordings.

        Parameters
        ----------
        X : sequence of path-like or of (ndarray, int)
            Paths, or signals with their rates in Hz; see `sfmforensics.audio.read_audio`.

        Returns
        -------
        ndarray of shape (n_recordings, dimension), float32
            In the order of `X`.

        Raises
        ------
        AudioError
            A recording cannot be used. What was computed before it is in the cache.
        EmbedderError
            The model cannot be loaded, or a vector came out not finite.
        """
        recordings = check_recordings(X)
        dimension = self._dimension()
        vectors = np.empty((len(recordings), dimension), dtype=np.float32)
        batches = _Batches(self, getattr(self, "batch_size", 1) or 1)
        first, copies = {}, []
        with progress(f"embedding {self._name()}", len(recordings), self.verbose) as advance:
            cache = self._open_cache()
            try:
                for index, recording in enumerate(recordings):
                    signal = read_audio(recording, min_samples=self._min_samples)
                    digest = signal_hash(signal)
                    original = first.setdefault(digest, index)
                    if original != index:
                        copies.append((index, original))
                        advance(1)
                        continue
                    vector = cache.get(digest)
                    if vector is None:
                        batches.add(index, digest, signal)
                    else:
                        vectors[index] = vector
                        advance(1)
                    for finished in batches.full():
                        advance(self._run(finished, vectors, cache))
            except (AudioError, KeyboardInterrupt):
                # A recording is refused, or the user stops: what was read is not lost.
                for finished in batches.rest():
                    self._run(finished, vectors, cache)
                raise
            for finished in batches.rest():
                advance(self._run(finished, vectors, cache))
        for index, original in copies:
            vectors[index] = vectors[original]
        return vectors

    def get_feature_names_out(self, input_features=None):
        """Names of the columns: "0", "1", ...; `make_views` puts the view before them.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of shape (dimension,), object
        """
        return np.array([str(i) for i in range(self._dimension())], dtype=object)

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    # -- inside --------------------------------------------------------------------------------

    def _open_cache(self):
        if self.cache is None:
            return NoCache()
        shared = {
            "embedder": type(self).__name__,
            "version": self._version,
            "sample_rate": SAMPLE_RATE,
        }
        return VectorCache(self.cache, shared | self._identity())

    def _run(self, batch, vectors, cache):
        indices, digests, signals = zip(*batch, strict=True)
        found = np.asarray(self._embed(list(signals)), dtype=np.float32)
        if found.shape != (len(batch), vectors.shape[1]):
            raise EmbedderError(
                f"{self._name()}: vectors of shape {found.shape[1:]} came out where "
                f"({vectors.shape[1]},) was expected; check the dimension"
            )
        if not np.isfinite(found).all():
            raise EmbedderError(
                f"{self._name()}: a vector came out NaN or infinite; the model's weights may be "
                "damaged, or its dtype too small"
            )
        for index, digest, vector in zip(indices, digests, found, strict=True):
            vectors[index] = vector
            cache.put(digest, vector)
        return len(batch)


def check_recordings(X):
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
    if isinstance(X, (str, bytes)) or hasattr(X, "__fspath__"):
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


class _Batches:
    """Signals that wait for others of their key."""

    def __init__(self, embedder, size):
        self._embedder, self._size = embedder, size
        self._waiting = defaultdict(list)
        self._samples = 0

    def add(self, index, digest, signal):
        self._waiting[self._embedder._batch_key(signal)].append((index, digest, signal))
        self._samples += len(signal)

    def full(self):
        ready = [key for key, batch in self._waiting.items() if len(batch) >= self._size]
        if self._samples > _MAX_WAITING_SECONDS * SAMPLE_RATE:
            ready = list(self._waiting)
        yield from map(self._take, ready)

    def rest(self):
        yield from map(self._take, list(self._waiting))

    def _take(self, key):
        batch = self._waiting.pop(key)
        self._samples -= sum(len(signal) for _, _, signal in batch)
        return batch
