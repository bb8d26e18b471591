"""Models of TensorFlow Hub that map a waveform to a vector: TRILLsson."""

from __future__ import annotations

import inspect
import os
import sys
import warnings
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path

import numpy as np

from sfmforensics.embedders._common import (
    cut,
    explained,
    hash_files,
    import_extra,
    locate,
    require_extra,
    stamp,
    weighted_mean,
)
from sfmforensics.embedders.base import BaseEmbedder
from sfmforensics.embedders.registry import REGISTRY
from sfmforensics.exceptions import EmbedderError

_EXTRA = "trillsson"
_OUTPUT = "embedding"
_SECOND = np.sin(np.arange(16_000, dtype=np.float32) / 10)


class TFHubEmbedder(BaseEmbedder):
    """Embedding of a frozen waveform model of TensorFlow Hub.

    Parameters
    ----------
    model : str
        Address on the hub with its version, such as
        ``"https://tfhub.dev/google/nonsemantic-speech-benchmark/trillsson4/1"``, or a local folder
        that holds ``saved_model.pb``. One code path serves both.
    cache : path-like or None, default=None
        Folder that keeps the vectors; see `sfmforensics.embedders.cache.VectorCache`.
    name : str or None, default=None
        Name of the view, for messages; the model's own by default.
    verbose : bool, default=False
        Show a progress bar.
    max_seconds : float, default=30.0
        Longer recordings are cut into equal pieces of at most this length, in seconds, whose
        vectors are averaged by their lengths.

    Raises
    ------
    MissingExtraError
        TensorFlow, or for a model of the hub tensorflow-hub, is not installed.
    EmbedderError
        The model is not there, or takes or gives something else than TRILLsson does.

    Notes
    -----
    The model gets float32 samples in [-1, 1] at 16 kHz, of shape (1, n_samples), and its output
    ``"embedding"``, of shape (1, dimension), is the vector. Recordings run one by one: there is no
    padding, and no neighbour. A sample that resampling pushed beyond the range is clipped.

    What is fetched from the hub lies where ``TFHUB_CACHE_DIR`` says, by default in the temporary
    folder, which may be emptied at any time.

    References
    ----------
    .. [1] The paper, section 3: TRILLsson, 1024 dimensions.
    .. [2] J. Shor and S. Venugopalan, "TRILLsson: distilled universal paralinguistic speech
       representations", Interspeech 2022.

    Examples
    --------
    >>> from sfmforensics.embedders import TFHubEmbedder
    >>> TFHubEmbedder("trillsson", max_seconds=0).fit()
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.EmbedderError: max_seconds is 0; use 1 or more
    """

    _version = 1

    def __init__(self, model, *, cache=None, name=None, verbose=False, max_seconds=30.0):
        self.model = model
        self.cache = cache
        self.name = name
        self.verbose = verbose
        self.max_seconds = max_seconds

    # -- hooks of BaseEmbedder -----------------------------------------------------------------

    def _name(self):
        return self.name or Path(str(self.model)).name

    def _dimension(self):
        self._check()
        for view in REGISTRY.values():
            if view.model == str(self.model):
                return view.dimension
        run, width = self._run_and_width()
        return width or run(_SECOND).shape[0]

    def _identity(self):
        where, state = _locate(self.model)
        if state:
            source = {"weights": hash_files(Path(where), _files(Path(where)))}
        else:
            source = {"model": where}
        return source | {"max_seconds": self.max_seconds, "dtype": "float32"}

    def _embed(self, signals):
        run, _ = self._run_and_width()
        vectors = []
        for signal in signals:
            pieces = cut(signal, self.max_seconds)
            vectors.append(weighted_mean([run(p) for p in pieces], [len(p) for p in pieces]))
        return np.stack(vectors)

    def _run_and_width(self):
        return _load(*_locate(self.model))

    def _check(self):
        if not self.max_seconds >= 1:
            raise EmbedderError(f"max_seconds is {self.max_seconds!r}; use 1 or more")
        require_extra("tensorflow", _EXTRA)
        if not os.path.isdir(str(self.model)):
            require_extra("tensorflow_hub", _EXTRA)


# -- loading -----------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def _load(model, state):
    """Load a function from a signal to its vector, and the vector's width if it is declared."""
    tensorflow = _import("tensorflow")
    with _silent_stderr(), suppress(RuntimeError, ValueError):
        # Else TensorFlow takes all memory of a GPU that torch may need, too.
        for gpu in tensorflow.config.list_physical_devices("GPU"):
            tensorflow.config.experimental.set_memory_growth(gpu, True)
    with _explained(model), _silent_stderr():
        folder = model if state else _import("tensorflow_hub").resolve(model)
        loaded = tensorflow.saved_model.load(folder)
    function, width = _entrance(model, loaded)

    def run(signal):
        samples = np.clip(signal, -1, 1)[None]
        try:
            output = function(tensorflow.constant(samples, dtype=tensorflow.float32))
        except (TypeError, ValueError, tensorflow.errors.InvalidArgumentError) as error:
            raise EmbedderError(
                f"{model}: it does not take float32 samples of shape {samples.shape}, as TRILLsson "
                "does; wrap any other model in CallableEmbedder"
            ) from error
        return _vector(model, output)

    # A loaded function does not keep alive the object whose weights it reads.
    run.loaded = loaded
    return run, width


def _entrance(model, loaded):
    """Find what to call, and the width of its output where that is declared."""
    for signature in getattr(loaded, "signatures", {}).values():
        names, outputs = list(signature.structured_input_signature[1]), signature.structured_outputs
        if len(names) == 1 and isinstance(outputs, Mapping) and _OUTPUT in outputs:
            width = outputs[_OUTPUT].shape[-1]
            return lambda samples, s=signature, name=names[0]: s(**{name: samples}), width
    if not callable(loaded):
        raise EmbedderError(
            f"{model}: it cannot be called, and no signature of it turns samples into "
            f"{_OUTPUT!r}; wrap it in CallableEmbedder"
        )
    takes_training = "training" in inspect.signature(loaded.__call__).parameters
    return (partial(loaded, training=False) if takes_training else loaded), None


def _vector(model, output):
    if isinstance(output, Mapping):
        if _OUTPUT not in output:
            raise EmbedderError(
                f"{model}: its outputs are {', '.join(map(repr, output))}, without {_OUTPUT!r}; "
                "wrap it in CallableEmbedder"
            )
        output = output[_OUTPUT]
    vector = np.asarray(output, dtype=np.float32)
    if vector.ndim != 2 or len(vector) != 1:
        raise EmbedderError(
            f"{model}: it gives an array of shape {vector.shape} for one recording, where (1, "
            "dimension) is expected; wrap it in CallableEmbedder"
        )
    return vector[0]


def _locate(model):
    """Tell a folder, with the state of all its files, from an address."""
    where, state = locate(model)
    if not state:
        return where, state
    return where, stamp(Path(where), _files(Path(where)))


def _files(folder):
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _explained(model):
    return explained(
        model,
        "TensorFlow",
        "saved_model.pb and variables/",
        "download and unpack it on a machine with a network",
    )


def _import(package):
    """Import TensorFlow without what it prints about the machine."""
    unset = "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    if "tensorflow" not in sys.modules:
        # Torch imports triton when it first trains. That crashes the process if TensorFlow's LLVM
        # was there before it (tensorflow/tensorflow#124205); the other way round all is well.
        with suppress(Exception):
            import_module("triton")
    with _silent_stderr(), warnings.catch_warnings():
        if unset:
            os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
        try:
            warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
            return import_extra(package, _EXTRA)
        finally:
            if unset:
                os.environ.pop("TF_CPP_MIN_LOG_LEVEL", None)


@contextmanager
def _silent_stderr():
    """Drop what native code prints on stderr, unless the user has set a log level.

    Not all of TensorFlow heeds its own setting. What goes wrong comes as an error all the same.
    """
    try:
        kept = os.dup(2) if "TF_CPP_MIN_LOG_LEVEL" not in os.environ else None
    except OSError:  # a process without stderr
        kept = None
    if kept is None:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
