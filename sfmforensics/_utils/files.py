"""Files that are there whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING

from sfmforensics.exceptions import OutputError, SFMForensicsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from sfmforensics._types import PathLike


fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows: parts of killed processes stay there until somebody removes them
    fcntl = None

_PREFIX, _SUFFIX = ".", ".part"
_OF_THE_DISK = {
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "EIO"),
        *("EISDIR", "ENOTDIR", "EEXIST", "ENAMETOOLONG"),
    )
    if hasattr(errno, name)
}


@contextlib.contextmanager
def replacing(path: PathLike, *, durable: bool = True) -> Iterator[str]:
    """Give a temporary name that becomes `path` at the end, so that nobody reads half a file.

    See Also
    --------
    write_atomically : For what is in memory.

    Notes
    -----
    The temporary file is locked while it is written. One that nobody has locked was left by a
    process that was killed; `sweep` removes these. A device or a pipe, such as ``/dev/null`` and
    ``/dev/stdout``, is written into and stays what it is; a link is replaced, not what it leads to.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "numbers.txt"
    >>> with replacing(path) as temporary:
    ...     _ = Path(temporary).write_text("1 2 3")
    >>> path.read_text()
    '1 2 3'
    """
    path = Path(path)
    if path.exists() and not path.is_file() and not path.is_dir():
        with _for_device(path) as temporary:
            yield temporary
        return
    handle = temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _locked_part(path.parent)
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp lets nobody else read
        if durable:
            _wait_for_disk(temporary)
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            raise OutputError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        if handle is not None:
            os.close(handle)  # and with it the lock


@contextlib.contextmanager
def _for_device(path: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        temporary = os.path.join(folder, "whole")
        yield temporary
        try:
            with open(temporary, "rb") as source, open(path, "wb") as sink:
                shutil.copyfileobj(source, sink)
        except OSError as error:
            raise OutputError(error.errno, error.strerror, str(path)) from error


def write_atomically(path: PathLike, content: str | bytes, *, durable: bool = True) -> None:
    """Write text (see `as_bytes`) or bytes to a file, through `replacing`."""
    with replacing(path, durable=durable) as temporary, open(temporary, "wb") as file:
        file.write(as_bytes(content) if isinstance(content, str) else content)


def as_bytes(text: str) -> bytes:
    r"""Encode a text as UTF-8, always.

    Examples
    --------
    >>> as_bytes("caf\udce9")
    b'caf\\udce9'
    """
    return text.encode("utf-8", "backslashreplace")


def sweep(folder: PathLike) -> int:
    """Remove the temporary files that killed processes left in a folder.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / ".left-behind.part").touch()
    >>> sweep(folder)
    1
    """
    removed = 0
    if fcntl is None:
        return removed
    for part in Path(folder).glob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(OSError), open(part, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while it is written
            os.unlink(part)
            removed += 1
    return removed


def file_hash(path: PathLike) -> str:
    """Identify a file by its content.

    Examples
    --------
    >>> file_hash(os.devnull)[:8]
    'e3b0c442'
    """
    with open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _locked_part(folder: PathLike) -> tuple[int, str]:
    while True:
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=_PREFIX, suffix=_SUFFIX)
        if fcntl is None:
            return handle, temporary
        with contextlib.suppress(OSError):  # some network disks know no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.exists(temporary):  # else somebody swept it before it was locked
            return handle, temporary
        os.close(handle)


def _wait_for_disk(path: PathLike) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def make_folder(folder: Path) -> None:
    """Make a folder for what is written, or say why that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SFMForensicsError(
            f"{folder}: this folder cannot be made ({error.strerror}); choose another output"
        ) from error
