"""What every embedder shares: recordings in, float32 vectors out, one batch of audio at a time."""

from __future__ import annotations

import os
from inspect import Parameter, signature
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from sfmforensics._utils.progress import progress
from sfmforensics.audio import MIN_SAMPLES, SAMPLE_RATE
from sfmforensics.audio._hearing import Hearing, tell_notes
from sfmforensics.embedders._hub import hash_each
from sfmforensics.embedders._passes import EmbeddingPass, n_jobs_for, spread
from sfmforensics.embedders.cache import NoCache, VectorCache
from sfmforensics.exceptions import CustodyError, EmbedderError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence
    from pathlib import Path
    from typing import Any, Self

    from numpy.typing import NDArray
    from sklearn.utils import Tags

    from sfmforensics._types import (
        Array,
        Channel,
        Float32Array,
        IntArray,
        OnError,
        PathLike,
        Signal,
        Truncated,
    )
    from sfmforensics._utils.recordings import Recording, Recordings
    from sfmforensics.audio._hearing import Note
    from sfmforensics.exceptions import AudioError


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


_PICKLED = "_version_of_vectors"
_BEFORE_VERSIONS = {
    "CallableEmbedder": 1,
    "MFCCEmbedder": 1,
    "ProsodyEmbedder": 2,
    "SpeechBrainEmbedder": 1,
    "TFHubEmbedder": 1,
    "TransformersEmbedder": 1,
}
"""Versions in 0.1.0, whose files of models do not say them."""


class BaseEmbedder(TransformerMixin, BaseEstimator):
    """Turns recordings into fixed-length vectors, and learns nothing.

    A subclass says what its vectors depend on (`_identity`), how wide they are (`_dimension`) and
    how a batch of signals becomes vectors (`_embed`). Reading, refusing, caching, batching,
    progress and the scikit-learn face are here.

    Notes
    -----
    A recording's vector does not depend on which other recordings share its batch: signals share
    one only if `_batch_key` says that they may. A recording longer than `_piece_seconds` is never
    held whole: it is read piece by piece, and `_embed_pieces` joins what the pieces give. Under
    ``joblib.parallel_config`` paths are embedded by as many processes as it names, or on its
    cluster, which must see the same files; the vectors are the same. What is kept of a recording
    goes by the signal that is heard, so that neither `channel` nor `truncated` is part of what
    identifies an embedder.
    """

    cache: PathLike | None
    verbose: bool
    channel: Channel = "auto"
    truncated: Truncated = "refuse"

    _version = 1
    """Raised whenever the vectors change, so that no cache mixes two computations."""

    _learnt_from: int | None = None
    """Version whose vectors the model behind it has learnt from, where it is another one."""

    _min_samples = MIN_SAMPLES

    _piece_seconds: float | None = None
    """Longest piece that `_embed` takes, in seconds; None for any recording in one."""

    _patience: float = 600
    """Seconds of audio that may wait for company before a batch is run all the same."""

    _hub_names_have_many_parts = False
    """Whether a model's name a/b/c may be one of a hub; else it is a folder."""

    # -- hooks ---------------------------------------------------------------------------------

    def _identity(self) -> dict[str, Any]:
        """All that a vector depends on besides the signal, as JSON."""
        raise NotImplementedError

    def _model_files(self) -> list[Path]:
        """Files that the model consists of, where it has any: a list of paths."""
        return []

    def _dimension(self) -> int:
        """Width of a vector, known without running the model."""
        raise NotImplementedError

    def _embed(self, signals: list[Signal]) -> Array:
        """Vectors of a batch: list of 1-D float32 signals at 16 kHz -> (n_signals, dimension)."""
        raise NotImplementedError

    def _embed_pieces(self, pieces: Iterable[Signal]) -> Array:
        """Vector of a recording that comes in pieces: iterator of signals -> (dimension,)."""
        raise NotImplementedError

    def _batch_key(self, signal: Signal) -> Hashable:
        """Signals with equal keys may share a batch."""
        return None

    def _batch_limit(self, signal: Signal) -> int:
        """How many signals of this one's key share a batch at most."""
        return getattr(self, "batch_size", 1) or 1

    def _name(self) -> str:
        return type(self).__name__.removesuffix("Embedder").lower()

    # -- scikit-learn --------------------------------------------------------------------------

    def fit(self, X: object = None, y: object = None) -> Self:
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
        ParameterError
            `channel` or `truncated` is none.
        """
        self._dimension()
        self.__dict__.pop("_learnt_from", None)  # what is behind it learns anew
        Hearing(self.channel, self.truncated)  # says at once if one of them is none
        return self

    def transform(self, X: Recordings) -> Float32Array:
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
        CustodyError
            It is of a model that was trained with vectors of another version.

        Warns
        -----
        AudioWarning
            Not all of a recording is heard: a channel was left out, or its end is missing.
        """
        vectors, _, _ = self._transform(X, "stop", stacklevel=5)
        return vectors

    def transform_usable(
        self, X: Recordings
    ) -> tuple[Float32Array, IntArray, list[AudioError | EmbedderError]]:
        """Embed all recordings that can be used, and say which cannot.

        Parameters
        ----------
        X : sequence of path-like or of (ndarray, int)
            As in `transform`.

        Returns
        -------
        vectors : ndarray of shape (n_usable, dimension), float32
            In the order of `X`.
        usable : ndarray of shape (n_usable,), int64
            Their positions in `X`.
        refused : list of AudioError or EmbedderError
            One for each other recording, in the order of `X`.

        Raises
        ------
        EmbedderError
            The model cannot be loaded.

        Examples
        --------
        >>> import numpy as np
        >>> from sfmforensics.embedders import MFCCEmbedder
        >>> tone = np.sin(np.arange(16_000))
        >>> vectors, usable, refused = MFCCEmbedder().transform_usable(
        ...     [(tone, 16_000), (0 * tone, 16_000)]
        ... )
        >>> vectors.shape, usable, len(refused)
        ((1, 40), array([0]), 1)
        """
        return self._transform(X, "skip", stacklevel=4)

    def transform_into(
        self, X: Recordings, out: Float32Array, on_error: OnError = "stop"
    ) -> dict[int, AudioError | EmbedderError]:
        """Embed recordings into the rows of an array, which may lie on disk.

        Parameters
        ----------
        X : sequence of path-like or of (ndarray, int)
            As in `transform`.
        out : ndarray of shape (n_recordings, dimension), float32
            Gets the vectors.
        on_error : {"stop", "skip"}, default="stop"
            What becomes of a recording that cannot be used: its error is raised, or returned.

        Returns
        -------
        dict of int to AudioError or EmbedderError
            By position, the recordings that were refused; their rows mean nothing.

        Raises
        ------
        AudioError
            A recording cannot be used, and `on_error` is "stop".
        EmbedderError
            The model cannot be loaded; with "stop" also if a vector came out not finite.

        Examples
        --------
        >>> import numpy as np
        >>> from sfmforensics.embedders import MFCCEmbedder
        >>> rows = np.zeros((1, 40), dtype=np.float32)
        >>> MFCCEmbedder().transform_into([(np.sin(np.arange(16_000)), 16_000)], rows)
        {}
        """
        return self._transform_into(check_recordings(X), out, on_error, stacklevel=3)

    def _transform_into(
        self, recordings: list[Recording], out: Float32Array, on_error: OnError, stacklevel: int
    ) -> dict[int, AudioError | EmbedderError]:
        self._check_version()
        refused, notes = self._fill(recordings, out, on_error)
        tell_notes(notes, stacklevel=stacklevel)
        return refused

    def _fill(
        self, recordings: Sequence[Recording], out: Float32Array, on_error: OnError
    ) -> tuple[dict[int, AudioError | EmbedderError], list[Note]]:
        """What `transform_into` does, and what there is to warn of."""
        n_jobs = n_jobs_for(recordings)
        with progress(f"embedding {self._name()}", len(recordings), self.verbose) as advance:
            if n_jobs > 1:
                return spread(self, recordings, out, advance, on_error, n_jobs)
            one_pass = EmbeddingPass(self, recordings, out, advance, on_error)
            for index in range(len(recordings)):
                one_pass.take(index)
            one_pass.finish()
        refused = {index: one_pass.refused[index] for index in sorted(one_pass.refused)}
        return refused, one_pass.notes

    def _transform(
        self, X: Recordings, on_error: OnError, stacklevel: int
    ) -> tuple[Float32Array, IntArray, list[AudioError | EmbedderError]]:
        recordings = check_recordings(X)
        vectors = np.empty((len(recordings), self._dimension()), dtype=np.float32)
        refused = self._transform_into(recordings, vectors, on_error, stacklevel)
        usable = np.array([i for i in range(len(recordings)) if i not in refused], np.int64)
        return (vectors[usable] if refused else vectors), usable, list(refused.values())

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Names of the columns: "0", "1", ...; `make_views` puts the view before them.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of shape (dimension,), object
        """
        return np.array([str(i) for i in range(self._dimension())], dtype=object)

    def provenance(self) -> dict[str, Any]:
        """Say what makes the vectors, for the chain of custody.

        Returns
        -------
        dict
            "embedder"; "identity", all that a vector depends on besides the signal, or None where
            a function has none; "dimension"; and "files", the sha256 of each file of the model by
            its name. JSON can hold it.

        Raises
        ------
        EmbedderError
            The model cannot be found.

        Examples
        --------
        >>> from sfmforensics.embedders import MFCCEmbedder
        >>> MFCCEmbedder().provenance()["identity"]["n_mfcc"]
        40
        """
        files = self._model_files()
        folder = os.path.commonpath([file.parent for file in files]) if files else ""
        return {
            "embedder": type(self).__name__,
            "identity": self._whole_identity(),
            "dimension": int(self._dimension()),
            "files": hash_each(folder, files),
        }

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    # -- inside --------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {_PICKLED: self._version_learnt_from()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        self._learn_from(state.pop(_PICKLED, None))
        # What it has learnt to be told since it was saved.
        missing = {
            name: parameter.default
            for name, parameter in signature(type(self)).parameters.items()
            if name not in state and parameter.default is not Parameter.empty
        }
        super().__setstate__(missing | state)

    def _version_learnt_from(self) -> int:
        return self._version if self._learnt_from is None else self._learnt_from

    def _learn_from(self, version: int | None) -> None:
        """Note the version whose vectors a model has learnt from; None is that of 0.1.0."""
        if version is None:
            version = _BEFORE_VERSIONS.get(type(self).__name__, self._version)
        if version != self._version:
            self._learnt_from = version

    def _check_version(self, name: str | None = None) -> None:
        """Refuse to give a model other vectors than it has learnt from."""
        if self._learnt_from is not None:
            raise CustodyError(
                f"view {name or self._name()!r} computes other vectors than those that the model "
                f"was trained with ({type(self).__name__} was of version {self._learnt_from}, is "
                f"of {self._version}): train the model again, or ask it with the version of "
                "sfmforensics that made it"
            )

    @property
    def _hearing(self) -> Hearing:
        return Hearing(self.channel, self.truncated)

    def _open_cache(self) -> VectorCache | NoCache:
        if self.cache is None:
            return NoCache()
        return VectorCache(self.cache, self._whole_identity(), self._dimension())

    def _whole_identity(self) -> dict[str, Any]:
        shared = {
            "embedder": type(self).__name__,
            "version": self._version,
            "sample_rate": SAMPLE_RATE,
        }
        return shared | self._identity()
