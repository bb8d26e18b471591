"""What the embedders of pre-trained models share: folders, pieces, and errors with a remedy."""

from __future__ import annotations

import logging
import os
from functools import lru_cache
from hashlib import file_digest, sha256
from importlib import import_module
from importlib.util import find_spec
from math import ceil
from pathlib import Path

import numpy as np

from sfmforensics.audio import SAMPLE_RATE
from sfmforensics.exceptions import EmbedderError, MissingExtraError

_GRID = 320
"""Samples between two frames of the coarsest model, 20 ms; pieces begin on this grid."""


def cut(signal, max_seconds):
    """Cut a long signal into equal pieces, each beginning where a frame does.

    Parameters
    ----------
    signal : ndarray of shape (n_samples,)
        A signal at 16 kHz.
    max_seconds : float
        Longest piece, in seconds.

    Returns
    -------
    list of ndarray
        The signal itself, or pieces whose lengths differ by at most 20 ms.

    Examples
    --------
    >>> import numpy as np
    >>> [len(piece) / 16_000 for piece in cut(np.zeros(16_000 * 70), 30.0)]
    [23.32, 23.34, 23.34]
    """
    pieces = count_pieces(len(signal), max_seconds)
    if pieces == 1:
        return [signal]
    frames = ceil(len(signal) / _GRID)
    return np.split(signal, np.linspace(0, frames, pieces + 1).astype(int)[1:-1] * _GRID)


def count_pieces(n_samples, max_seconds):
    """How many pieces `cut` makes of a signal.

    Parameters
    ----------
    n_samples : int
        Length of the signal at 16 kHz.
    max_seconds : float
        Longest piece, in seconds.

    Returns
    -------
    int

    Examples
    --------
    >>> count_pieces(480_000, 30.0), count_pieces(480_001, 30.0)
    (1, 2)
    """
    longest = int(max_seconds * SAMPLE_RATE)
    if n_samples <= longest:
        return 1
    return ceil(ceil(n_samples / _GRID) / (longest // _GRID))


def weighted_mean(vectors, weights):
    """Average the vectors of pieces by their lengths.

    Parameters
    ----------
    vectors : sequence of ndarray of shape (..., dimension)
        One array a piece.
    weights : sequence of int
        Samples of each piece.

    Returns
    -------
    ndarray of shape (..., dimension), float64

    Examples
    --------
    >>> weighted_mean([[0.0], [4.0]], [3, 1])
    array([1.])
    """
    return np.average(np.asarray(vectors, dtype=np.float64), axis=0, weights=weights)


def hash_files(folder, files):
    """Identify the files of a local model by their content.

    Parameters
    ----------
    folder : Path
        The model's folder.
    files : sequence of Path
        Files below it, in a fixed order.

    Returns
    -------
    str
        sha256, in hexadecimal, over names and contents. It is remembered until a file changes.
    """
    return _hash(str(folder.absolute()), stamp(folder, files))


def stamp(folder, files):
    """Describe files so that the description changes whenever one of them does.

    Parameters
    ----------
    folder : Path
        The model's folder.
    files : sequence of Path
        Files below it.

    Returns
    -------
    tuple of (str, int, int)
        Name, size in bytes and time of change in nanoseconds.
    """
    stats = [(os.path.relpath(file, folder), os.stat(file)) for file in files]
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def locate(model):
    """Tell a local folder, as it is now, from a name on a hub.

    Parameters
    ----------
    model : str or path-like
        Folder or name.

    Returns
    -------
    where : str
        The absolute folder, or the name.
    state : tuple
        Changes whenever a file in the folder does, so that what was loaded is remembered no longer.
    """
    folder = Path(str(model))
    if not folder.is_dir():
        return str(model), ()
    folder = folder.resolve()
    return str(folder), stamp(folder, sorted(file for file in folder.iterdir() if file.is_file()))


def require_extra(package, extra):
    """Refuse early, and without importing it, where an optional package is missing.

    Parameters
    ----------
    package : str
        Package to be imported later.
    extra : str
        The extra of sfmforensics that brings it.

    Raises
    ------
    MissingExtraError
        The package is not installed.

    Examples
    --------
    >>> require_extra("no_such_package", "xvector")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.MissingExtraError: no_such_package is not installed; run: pip install
    "sfmforensics[xvector]"
    """
    if find_spec(package) is None:
        raise MissingExtraError(package, extra)


def import_extra(package, extra):
    """Import an optional package.

    Parameters
    ----------
    package : str
        Package to import.
    extra : str
        The extra of sfmforensics that brings it.

    Returns
    -------
    module

    Raises
    ------
    MissingExtraError
        The package, or one that it needs, is not installed.
    EmbedderError
        It is installed but broken: built for another release of torch, say.
    """
    require_extra(package.partition(".")[0], extra)
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or package, extra) from error
    except (ImportError, OSError, AttributeError, RuntimeError) as error:
        raise EmbedderError(
            f"{package} is installed but cannot be imported ({first_line(error)}); "
            f'run: pip install --upgrade "sfmforensics[{extra}]"'
        ) from error


def first_line(error):
    r"""Say in one line what an exception says in many.

    Parameters
    ----------
    error : Exception
        Any exception.

    Returns
    -------
    str

    Examples
    --------
    >>> first_line(OSError("no weights\nand a long story"))
    'no weights'
    """
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__


class explained:
    """Turn whatever goes wrong while a model is loaded into one line with a remedy.

    Parameters
    ----------
    model : str
        Folder or name of the model.
    library : str
        What runs it, for the message.
    contents : str
        Files that a folder of it holds.
    get : str
        How to get a model by its name.
    """

    def __init__(self, model, library, contents, get):
        self.model, self.library, self.contents, self.get = model, library, contents, get

    def __enter__(self):
        # What the hub's client says of each of its tries is said once, at the end, with a remedy.
        self._log = logging.getLogger("huggingface_hub")
        self._level = self._log.level
        self._log.setLevel(logging.ERROR)
        return self

    def __exit__(self, kind, error, traceback):
        self._log.setLevel(self._level)
        if not isinstance(error, Exception):
            return False
        if isinstance(error, (EmbedderError, MissingExtraError, MemoryError)):
            return False
        if os.path.isdir(self.model):
            raise EmbedderError(
                f"{self.model}: not a folder of a {self.library} model ({first_line(error)}); "
                f"it needs {self.contents}"
            ) from error
        if not isinstance(error, (OSError, ValueError)):
            raise EmbedderError(
                f"{self.model}: it cannot be loaded ({first_line(error)}); {self.get} anew"
            ) from error
        raise EmbedderError(
            f"{self.model}: no such folder, and no model of this name in the local hub cache or on "
            f"the hub; {self.get}, or name a local folder (--views NAME=FOLDER)"
        ) from error


@lru_cache(maxsize=32)
def _hash(folder, stamps):
    digest = sha256()
    for name, _, _ in stamps:
        with open(os.path.join(folder, name), "rb") as stream:
            content = file_digest(stream, "sha256")
        digest.update(f"{Path(name).as_posix()}\0{content.hexdigest()}\n".encode())
    return digest.hexdigest()
