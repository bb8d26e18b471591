"""How a corpus comes from the net into the data home: downloaded, unpacked, verified, moved."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import zipfile
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.request import urlopen

from sfmforensics.datasets._base import get_data_home
from sfmforensics.exceptions import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sfmforensics._types import PathLike

_TIMEOUT = 60
_CHUNK_BYTES = 1 << 20


def tree_digest(root: PathLike, names: Iterable[str]) -> str:
    """Digest the content of files, whatever archive they came in.

    Notes
    -----
    The bytes of an archive that GitHub makes on demand may change with its compressor [1]_; those
    of the files in it do not.

    References
    ----------
    .. [1] https://docs.github.com/en/repositories/working-with-files/using-files/downloading-source-code-archives

    Examples
    --------
    >>> root = Path(tempfile.mkdtemp())
    >>> _ = (root / "a.wav").write_bytes(b"sound")
    >>> tree_digest(root, ["a.wav"])[:12]
    '497166965638'
    """
    digest = sha256()
    for name in sorted(names):
        content = sha256((Path(root) / name).read_bytes()).hexdigest()
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()


def fetch_archive(
    name: str,
    *,
    url: str,
    pattern: str,
    digest: str,
    data_home: PathLike | None = None,
    download_if_missing: bool = True,
    max_bytes: int,
    max_members: int,
) -> Path:
    """Have a corpus in the data home, and know that it is the right one.

    Notes
    -----
    Everything happens in a temporary folder beside the final one, which appears in one step when
    all is verified: an interrupted call leaves nothing that looks like the corpus. A folder that
    is already there is verified, and never written to or deleted.
    """
    home = Path(get_data_home(data_home))
    folder = home / name
    if folder.exists():
        return _verified(folder, pattern, digest)
    if not download_if_missing:
        raise DatasetError(
            f"{folder}: not there, and download_if_missing is False; allow the download, or "
            f"give the data_home that holds {name}"
        )
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=home) as scratch:
        archive, unpacked = Path(scratch, "archive.zip"), Path(scratch, "corpus")
        _download(url, archive, max_bytes)
        _unpack(archive, unpacked, pattern, max_bytes, max_members, url)
        _verified(unpacked, pattern, digest, source=url)
        try:
            os.rename(unpacked, folder)
        except OSError:
            # Another process may have been quicker: what it put there is as good.
            if not folder.exists():
                raise
            return _verified(folder, pattern, digest)
    return folder


def _verified(folder: Path, pattern: str, digest: str, source: str | None = None) -> Path:
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    actual_digest = tree_digest(folder, [name for name in names if re.fullmatch(pattern, name)])
    if actual_digest != digest:
        remedy = (
            "the corpus has changed there or the download was altered; get it by hand"
            if source
            else "files are missing, added or changed; move the folder away and fetch again"
        )
        raise DatasetError(
            f"{source or folder}: the content is not the expected one (SHA-256 of the tree: "
            f"expected {digest}, found {actual_digest}); {remedy}"
        )
    return folder


def _download(url: str, path: Path, max_bytes: int) -> None:
    try:
        with urlopen(url, timeout=_TIMEOUT) as response, open(path, "wb") as file:
            announced = response.headers.get("Content-Length")
            received = 0
            while chunk := response.read(_CHUNK_BYTES):
                received += len(chunk)
                if received > max_bytes:
                    raise DatasetError(
                        f"{url}: sends more than the {max_bytes} bytes that the corpus can have; "
                        f"check the address"
                    )
                file.write(chunk)
    except (OSError, HTTPException) as error:
        raise DatasetError(
            f"{url}: the download failed ({error}); check the connection and run again"
        ) from error
    if announced is not None and received != int(announced):
        raise DatasetError(
            f"{url}: the download was cut short ({received} of {announced} bytes); run again"
        )


def _unpack(
    archive: Path, folder: Path, pattern: str, max_bytes: int, max_members: int, url: str
) -> None:
    try:
        with zipfile.ZipFile(archive) as file:
            members = _expected(file.infolist(), pattern, max_bytes, max_members, url)
            for name, member in members.items():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with file.open(member) as source, open(target, "xb") as sink:
                    shutil.copyfileobj(source, sink, _CHUNK_BYTES)
            folder.mkdir(exist_ok=True)
    except DatasetError:
        raise
    except Exception as error:  # zipfile and its decompressors raise much of a stranger's bytes
        raise DatasetError(
            f"{url}: not a zip file that can be unpacked ({error}); run again, or get the corpus "
            f"by hand"
        ) from error


def _expected(
    members: Sequence[zipfile.ZipInfo], pattern: str, max_bytes: int, max_members: int, url: str
) -> dict[str, zipfile.ZipInfo]:
    """Choose the members to unpack; refuse the archive if any member is out to do harm."""
    # The sizes are what the archive says; zipfile unpacks no more than that of any member.
    if len(members) > max_members or sum(member.file_size for member in members) > max_bytes:
        raise DatasetError(
            f"{url}: the archive holds more than {max_members} members or {max_bytes} bytes; it "
            f"is not the corpus"
        )
    chosen = {}
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]):
            raise DatasetError(
                f"{url}: the archive member {member.filename!r} points outside the archive; it is "
                f"not the corpus"
            )
        name = "/".join(path.parts[1:])
        if member.is_dir() or not re.fullmatch(pattern, name):
            continue
        # The upper half holds the Unix mode; archives made elsewhere have 0 there.
        if stat.S_ISLNK(member.external_attr >> 16) or name in chosen:
            raise DatasetError(
                f"{url}: the archive member {member.filename!r} is a link or there twice; it is "
                f"not the corpus"
            )
        chosen[name] = member
    return chosen
