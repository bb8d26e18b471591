"""What took long is kept as soon as it is done, and read back only if it is whole and the same."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from sfmforensics._utils.files import sweep, write_atomically
from sfmforensics._utils.log import event
from sfmforensics._utils.paths import user_path
from sfmforensics.exceptions import CacheWarning

if TYPE_CHECKING:
    from typing import Any

    from sfmforensics._types import PathLike

_logger = logging.getLogger(__name__)


class ResultStore:
    """Results in a folder, one JSON file each.

    Notes
    -----
    A file holds the key of what it was computed from, and a checksum over its content. Another key
    is another experiment, and a file whose checksum does not fit was damaged: both are computed
    again, the second with a `CacheWarning`. Where nothing can be written, that is said once and
    costs time alone.

    Examples
    --------
    >>> import tempfile
    >>> store = ResultStore(tempfile.mkdtemp())
    >>> store.write("fold-0", "a key", {"accuracy": 0.5})
    >>> store.read("fold-0", "a key"), store.read("fold-0", "another key")
    ({'accuracy': 0.5}, None)
    """

    def __init__(self, folder: PathLike | None) -> None:
        self.folder = None if folder is None else user_path(folder)
        self._writable = self.folder is not None
        if self.folder is not None:
            sweep(self.folder)

    def path(self, name: str) -> Path:
        """File of a result."""
        return cast("Path", self.folder) / f"{name}.json"

    def read(self, name: str, key: str) -> Any:
        """Give a result, or None if it is not there, of another key, or damaged."""
        if self.folder is None:
            return None
        path = self.path(name)
        try:
            text = path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            return self._damaged(path, error)
        try:
            record = json.loads(text)
            if record["sha256"] != _checksum(record["key"], record["content"]):
                raise ValueError("its checksum does not fit")
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            return self._damaged(path, error)
        return record["content"] if record["key"] == key else None

    def write(self, name: str, key: str, content: Any) -> None:
        """Keep a result."""
        if not self._writable:
            return
        record = {"key": key, "sha256": _checksum(key, content), "content": content}
        try:
            write_atomically(self.path(name), json.dumps(record))
        except OSError as error:
            self._writable = False
            warnings.warn(
                f"{self.path(name)}: cannot be written ({error.strerror}); going on, but what is "
                "computed is lost if this run is stopped",
                CacheWarning,
                stacklevel=2,
            )

    def _damaged(self, path: Path, error: Exception) -> None:
        event(_logger, "kept result damaged", logging.WARNING, path=str(path), why=str(error))
        warnings.warn(
            f"{path}: damaged ({error}); it is computed again", CacheWarning, stacklevel=3
        )


def _checksum(key: str, content: Any) -> str:
    return hashlib.sha256(json.dumps([key, content], sort_keys=True).encode()).hexdigest()


def digest(*parts: Any) -> str:
    """One number for all that a result depends on.

    Examples
    --------
    >>> digest(pd.DataFrame({"a": [1.0]})) == digest(pd.DataFrame({"a": [1.5]}))
    False
    """
    content = hashlib.sha256()
    for part in parts:
        if isinstance(part, pd.DataFrame):
            content.update(repr(list(part.columns)).encode())
            content.update(pd.util.hash_pandas_object(part, index=False).to_numpy().tobytes())
        elif isinstance(part, np.ndarray):
            content.update(f"{part.dtype} {part.shape}".encode())
            content.update(np.ascontiguousarray(part).tobytes())
        elif isinstance(part, dict):
            for key, value in part.items():
                content.update(f"{key!r}: {digest(value)}".encode())
        elif isinstance(part, (list, tuple)) and not all(isinstance(x, str) for x in part):
            content.update("".join(map(digest, part)).encode())
        elif hasattr(part, "get_params"):
            content.update(f"{type(part).__name__} {sorted(part.get_params().items())}".encode())
        else:
            content.update(repr(part).encode())
        content.update(b";")
    return content.hexdigest()
