"""A folder of folders: what is in a folder has its name as label."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sfmforensics._utils.names import name_few, show_name
from sfmforensics._utils.paths import user_path
from sfmforensics.datasets._listing import Listing, corpus_of, split_of
from sfmforensics.exceptions import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

SOUND = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".w64", ".au", ".caf", ".sph")
"""How names of sound files end."""


def load_folder(
    root: PathLike, *, levels: Sequence[str] = ("label",), tasks: Sequence[str] | None = None
) -> Bunch:
    """Load a folder of folders, whose names are labels.

    Parameters
    ----------
    root : path-like
        Folder with a folder for each class, in which its sound files are, at any depth; or with
        folders of splits (``train``, ``dev``, ``test``) which have those.
    levels : sequence of str, default=("label",)
        What the folders are, from the root on: ``("speaker", "emotion")`` for
        ``root/ann/joy/1.wav``.
    tasks : sequence of str or None, default=None
        Columns that are learnt; all levels by default.

    Returns
    -------
    sklearn.utils.Bunch
        As of `load_table`: ``target`` has a column for each level, ``details`` the ``split`` where
        folders of splits are there.

    Raises
    ------
    DatasetError
        The root is no folder, holds no sound file, or files lie in fewer folders than there are
        levels.

    Notes
    -----
    Files are named, not opened: those that end as sound files do. Hidden files and folders are
    passed over.

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "joy").mkdir()
    >>> (root / "joy" / "a.wav").touch()
    >>> load_folder(root).target
      label
    0   joy
    """
    if isinstance(levels, str) or not levels:
        raise DatasetError(f"levels is {levels!r}; give a list of names, as in ['emotion']")
    root = Path(os.path.abspath(user_path(root)))
    if not root.is_dir():
        problem = "is a file, not a folder" if root.exists() else "does not exist"
        raise DatasetError(f"{root}: {problem}; give a folder with a folder for each class")
    files = find_sound(root)
    if not files:
        raise DatasetError(
            f"{root}: holds no sound file ({', '.join(SOUND[:5])}, ...); give a folder with a "
            "folder for each class"
        )
    parts = [file.parts[:-1] for file in files]
    splits = [split_of(part[0]) if part else "" for part in parts]
    if all(splits):
        parts = [part[1:] for part in parts]
    else:
        splits = []
    flat = [
        show_name(file) for file, part in zip(files, parts, strict=True) if len(part) < len(levels)
    ]
    if flat:
        raise DatasetError(
            f"{root}: {len(flat)} of {len(files)} files lie in fewer folders than there are levels "
            f"({', '.join(levels)}): {name_few(flat)}; move them into a folder of their class, or "
            "list the recordings in a table (--corpus table)"
        )
    columns = {"path": [file.as_posix() for file in files]}
    columns |= {name: [part[i] for part in parts] for i, name in enumerate(levels)}
    if splits:
        columns["split"] = splits
    rows = [f"file {number}" for number in range(1, len(files) + 1)]
    descr = f"{len(files)} recordings below {root.name}, with {', '.join(levels)} by folder."
    return corpus_of(Listing(root, root, columns, rows, descr), tasks=tasks)


def find_sound(root: Path) -> list[Path]:
    """Sound files below a root, relative to it, sorted.

    Examples
    --------
    >>> find_sound(Path("nowhere"))
    []
    """
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            (Path(folder) / name).relative_to(root)
            for name in files
            if name.lower().endswith(SOUND) and not name.startswith(".")
        ]
    return sorted(found)
