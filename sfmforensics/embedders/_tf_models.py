"""Loading a SavedModel that maps a waveform to vectors, beside torch and in silence."""

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
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.embedders._hub import explained, locate, stamp
from sfmforensics.embedders._pooling import import_extra
from sfmforensics.exceptions import EmbedderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import ModuleType
    from typing import Any

    from sfmforensics._types import Float32Array, PathLike, Signal
    from sfmforensics.embedders._hub import State

EXTRA = "trillsson"
EMBEDDING = "embedding"
_HUB = "https://tfhub.dev/"


class SavedModel:
    """A loaded model that can be run on signals of equal length."""

    def __init__(self, model: str, loaded: Any, output: str, device: str | None) -> None:
        self.model, self.output, self._device = model, output, _tf_device(device)
        # A loaded function does not keep alive the object whose weights it reads.
        self._loaded = loaded
        self._function, self.width, self.takes_batches = _entrance(model, loaded, output)

    def run(self, signals: list[Signal]) -> Float32Array:
        """Compute the output: list of equally long signals -> (n_signals, ..., dimension)."""
        if not self.takes_batches and len(signals) > 1:
            return np.concatenate([self.run([signal]) for signal in signals])
        tensorflow = import_quietly("tensorflow")
        samples = np.clip(np.stack(signals), -1, 1)
        try:
            with tensorflow.device(self._device):
                output = self._function(tensorflow.constant(samples, dtype=tensorflow.float32))
        except (TypeError, ValueError, tensorflow.errors.InvalidArgumentError) as error:
            raise EmbedderError(
                f"{self.model}: it does not take float32 samples of shape {samples.shape}, as "
                "TRILLsson does; wrap any other model in CallableEmbedder"
            ) from error
        return self._chosen(output, len(signals))

    def _chosen(self, output: Any, n_signals: int) -> Float32Array:
        if isinstance(output, Mapping):
            if self.output not in output:
                raise EmbedderError(
                    f"{self.model}: its outputs are {', '.join(map(repr, output))}, without "
                    f"{self.output!r}; name one of them as layer, or wrap it in CallableEmbedder"
                )
            output = output[self.output]
        elif self.output != EMBEDDING:
            raise EmbedderError(
                f"{self.model}: it has one output without a name, none called {self.output!r}; "
                'use layer="last"'
            )
        try:
            array = np.asarray(output, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise EmbedderError(
                f"{self.model}: its output {self.output!r} holds no numbers; name another as layer"
            ) from error
        if array.ndim not in (2, 3) or len(array) != n_signals:
            raise EmbedderError(
                f"{self.model}: it gives an array of shape {array.shape} for {n_signals} "
                "recording(s), where (recordings, dimension) or (recordings, frames, dimension) is "
                "expected; wrap it in CallableEmbedder"
            )
        return array


@lru_cache(maxsize=2)
def load_model(model: str, state: State, output: str, device: str | None) -> SavedModel:
    """Load a SavedModel from a folder, or from an address through TensorFlow Hub."""
    tensorflow = import_quietly("tensorflow")
    with _silent_stderr(), suppress(RuntimeError, ValueError):
        # Else TensorFlow takes all memory of a GPU that torch may need, too.
        for gpu in tensorflow.config.list_physical_devices("GPU"):
            tensorflow.config.experimental.set_memory_growth(gpu, True)
    with _explained(model), _silent_stderr():
        loaded = tensorflow.saved_model.load(str(folder_of(model, state)))
    return SavedModel(model, loaded, output, device)


def folder_of(model: str, state: State) -> Path:
    """Folder of a model; that of an address is where TensorFlow Hub keeps it, or fetches it to."""
    return Path(model if state else import_quietly("tensorflow_hub").resolve(model))


def find_model(model: PathLike, revision: str | None) -> tuple[str, State]:
    """Tell a folder, with the state of all its files, from an address.

    Examples
    --------
    >>> find_model("google/nonsemantic-speech-benchmark/trillsson4", "1")
    ('https://tfhub.dev/google/nonsemantic-speech-benchmark/trillsson4/1', ())
    """
    where, state = locate(model)
    if state or os.path.isdir(where):
        return where, stamp(Path(where), saved_files(Path(where)))
    if "://" not in where and where.count("/") > 1 and not where.startswith((".", "/", "~")):
        where = _HUB + where
    if revision is not None:
        address, _, version = where.rpartition("/")
        if version.isdigit() and version != str(revision):
            raise EmbedderError(
                f"{model}: its address ends in version {version}, but revision is {revision!r}; "
                "give one of them"
            )
        where = f"{address if version.isdigit() else where}/{revision}"
    return where, ()


def _entrance(
    model: str, loaded: Any, output: str
) -> tuple[Callable[[Any], Any], int | None, bool]:
    """Find what to call, the width of its output where that is declared, and if it takes many."""
    for signature in getattr(loaded, "signatures", {}).values():
        names, outputs = list(signature.structured_input_signature[1]), signature.structured_outputs
        if len(names) == 1 and isinstance(outputs, Mapping) and output in outputs:
            shape = signature.structured_input_signature[1][names[0]].shape
            if shape.rank not in (2, None):
                raise EmbedderError(
                    f"{model}: it does not take samples of shape (recordings, samples) but arrays "
                    f"of shape {shape}; wrap it in CallableEmbedder"
                )
            many = shape.rank is None or shape[0] is None
            width = outputs[output].shape[-1] if outputs[output].shape.rank else None
            return lambda samples, s=signature, name=names[0]: s(**{name: samples}), width, many
    if not callable(loaded):
        raise EmbedderError(
            f"{model}: it cannot be called, and no signature of it turns samples into {output!r}; "
            "wrap it in CallableEmbedder"
        )
    takes_training = "training" in inspect.signature(loaded.__call__).parameters
    function = partial(loaded, training=False) if takes_training else loaded
    return function, None, _takes_many(loaded.__call__)


def _takes_many(function: object) -> bool:
    """Whether the first axis of what a loaded function was traced with is free."""
    traced = getattr(function, "concrete_functions", ())
    shapes = [one.structured_input_signature[0][0].shape for one in traced]
    return bool(shapes) and all(shape.rank == 2 and shape[0] is None for shape in shapes)


def _tf_device(device: str | None) -> str | None:
    """Name a torch device as TensorFlow does."""
    if device is None:
        return None
    name, _, number = str(device).partition(":")
    kind, number = {"cpu": "CPU", "cuda": "GPU"}.get(name), number or "0"
    there = len(import_quietly("tensorflow").config.list_physical_devices(kind)) if kind else 0
    if not number.isdigit() or int(number) >= there:
        raise EmbedderError(
            f"device is {device!r}, which TensorFlow does not have here; use "
            '"cpu", or "cuda" where it sees a GPU'
        )
    return f"{kind}:{number}"


def saved_files(folder: Path) -> list[Path]:
    """All files of a SavedModel, in a fixed order."""
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _explained(model: str) -> AbstractContextManager[None]:
    return explained(
        model,
        "TensorFlow",
        "saved_model.pb and variables/",
        "download and unpack it on a machine with a network",
    )


def import_quietly(package: str) -> ModuleType:
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
            return import_extra(package, EXTRA)
        finally:
            if unset:
                os.environ.pop("TF_CPP_MIN_LOG_LEVEL", None)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Drop what native code prints on stderr, unless the user has set a log level.

    Not all of TensorFlow heeds its own setting. What goes wrong comes as an error all the same.
    """
    try:
        stderr = os.dup(2) if "TF_CPP_MIN_LOG_LEVEL" not in os.environ else None
    except OSError:  # a process without stderr
        stderr = None
    if stderr is None:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
