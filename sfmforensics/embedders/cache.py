"""What was computed once is kept: vectors on disk, keyed on content, never on a file's name."""

from __future__ import annotations

import io
import json
import logging
import warnings
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics._utils.files import sweep, write_atomically
from sfmforensics._utils.log import event
from sfmforensics._utils.paths import user_path
from sfmforensics.exceptions import CacheWarning

if TYPE_CHECKING:
    from typing import Any

    from sfmforensics._types import Array, Float32Array, PathLike

_DIGEST_BYTES = 32
_logger = logging.getLogger(__name__)


class VectorCache:
    """Vectors of one embedder, one small file a recording.

    Parameters
    ----------
    root : path-like
        Folder of the cache; made when first written to. Several embedders and several processes
        may share it.
    identity : dict
        All that a vector depends on besides the signal: embedder, model, weights, pooling,
        versions. Must be JSON. Another identity never sees these vectors.
    dimension : int or None, default=None
        Width of a vector; an entry of another width is taken as damaged.

    Warns
    -----
    CacheWarning
        An entry was damaged, or nothing can be written.

    Notes
    -----
    A vector lies in ``root/EMBEDDER-KEY/AB/SHA256.vec``, where KEY hashes the identity and SHA256
    is the content of the signal; neither a file's name nor its time counts. A file is written under
    a temporary name and renamed, so a reader sees all of it or nothing, whenever a process is
    killed; what such a process left behind is removed by the next that writes there. It begins with
    the sha256 of its own bytes: an entry that was damaged is recomputed, with a `CacheWarning`. A
    cache that cannot be read or written (read-only, disk full) costs time, never a result.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> cache = VectorCache(tempfile.mkdtemp(), {"embedder": "demo", "version": 1})
    >>> cache.get("ab12") is None
    True
    >>> cache.put("ab12", np.ones(3, dtype=np.float32))
    >>> cache.get("ab12")
    array([1., 1., 1.], dtype=float32)
    """

    def __init__(
        self, root: PathLike, identity: dict[str, Any], dimension: int | None = None
    ) -> None:
        text = json.dumps(identity, sort_keys=True, ensure_ascii=True)
        key = sha256(text.encode()).hexdigest()[:16]
        self.folder = user_path(root) / f"{identity['embedder']}-{key}"
        self.identity = identity
        self.dimension = dimension
        self.hits = 0
        self._swept: set[Path] = set()
        self._writable = True

    def get(self, digest: str) -> Float32Array | None:
        """Return the vector of a signal, or None.

        Parameters
        ----------
        digest : str
            `sfmforensics.audio.signal_hash` of the signal.

        Returns
        -------
        ndarray of shape (dimension,), float32, or None
        """
        try:
            content = self._path(digest).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            event(_logger, "cache cannot be read", logging.WARNING, why=str(error))
            return None
        body = content[_DIGEST_BYTES:]
        try:
            if sha256(body).digest() != content[:_DIGEST_BYTES]:
                raise ValueError("checksum")
            vector = np.load(io.BytesIO(body), allow_pickle=False)
            if vector.dtype != np.float32 or vector.shape != (self.dimension or vector.size,):
                raise ValueError(f"{vector.dtype} of shape {vector.shape}")
        except (ValueError, EOFError) as error:
            event(
                _logger,
                "cache entry damaged",
                logging.WARNING,
                path=str(self._path(digest)),
                why=str(error),
            )
            warnings.warn(
                f"{self._path(digest)}: damaged cache entry; it is computed again",
                CacheWarning,
                stacklevel=2,
            )
            return None
        self.hits += 1
        return vector

    def put(self, digest: str, vector: Array) -> None:
        """Keep the vector of a signal.

        Parameters
        ----------
        digest : str
            `sfmforensics.audio.signal_hash` of the signal.
        vector : ndarray of shape (dimension,)
            Its vector.
        """
        if not self._writable:
            return
        buffer = io.BytesIO()
        np.save(buffer, np.asarray(vector, dtype=np.float32), allow_pickle=False)
        body = buffer.getvalue()
        try:
            self._describe()
            self._sweep(self._path(digest).parent)
            # What a power cut tears apart the checksum tells: no need to wait for the disk.
            write_atomically(self._path(digest), sha256(body).digest() + body, durable=False)
        except OSError as error:
            self._writable = False
            event(_logger, "cache cannot be written", logging.WARNING, why=error.strerror)
            warnings.warn(
                f"{self.folder}: the cache cannot be written ({error.strerror}); going on without",
                CacheWarning,
                stacklevel=2,
            )

    def _path(self, digest: str) -> Path:
        return self.folder / digest[:2] / f"{digest}.vec"

    def _describe(self) -> None:
        description = self.folder / "identity.json"
        if not description.exists():
            text = json.dumps(self.identity, indent=2, sort_keys=True)
            write_atomically(description, text)

    def _sweep(self, folder: Path) -> None:
        if folder not in self._swept:
            self._swept.add(folder)
            sweep(folder)


class NoCache:
    """The cache of those who want none."""

    hits = 0

    def get(self, digest: str) -> None:
        """Return None."""

    def put(self, digest: str, vector: Array) -> None:
        """Do nothing."""
