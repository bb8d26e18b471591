"""The files of a corpus: found by their names, told apart from copies, and its tables read."""

from __future__ import annotations

import csv
import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics._utils.names import name_few, show_name
from sfmforensics._utils.paths import user_path
from sfmforensics.exceptions import DatasetError, DatasetWarning

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sfmforensics._types import PathLike


def corpus_folder(root: PathLike, layout: str) -> Path:
    """Give the absolute path of the folder of a corpus, which must be there.

    Examples
    --------
    >>> corpus_folder("elsewhere/timit", "TIMIT")
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.DatasetError: ...timit: does not exist; give the folder that holds TIMIT
    """
    folder = Path(os.path.abspath(user_path(root)))
    if not folder.is_dir():
        problem = "is a file, not a folder" if folder.exists() else "does not exist"
        raise DatasetError(f"{folder}: {problem}; give the folder that holds {layout}")
    return folder


def list_files(root: Path, suffixes: Sequence[str]) -> list[str]:
    """Name the files below a folder that end so, in any case, relative to it and sorted.

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "anna.WAV").touch()
    >>> list_files(root, [".wav"])
    ['anna.WAV']
    """
    return sorted(
        (Path(folder) / name).relative_to(root).as_posix()
        for folder, _, files in os.walk(root)
        for name in files
        if name.lower().endswith(tuple(suffixes))
    )


def match_files(
    root: PathLike,
    pattern: str,
    *,
    layout: str,
    suffixes: Sequence[str] = (".wav",),
    stacklevel: int = 3,
) -> tuple[list[str], pd.DataFrame]:
    """Find the recordings below a root whose relative path fits the layout of a corpus.

    Parameters
    ----------
    root : path-like
        Folder of the corpus.
    pattern : str
        Regular expression that the whole relative path fits, with named groups.
    layout : str
        What is expected, for messages.
    suffixes : sequence of str, default=(".wav",)
        How names of recordings end, in small letters.
    stacklevel : int, default=3
        Whom the warning points at: 3 is the caller of the function that calls this one.

    Returns
    -------
    paths : list of str of length n_recordings
        Absolute paths, sorted.
    fields : DataFrame of shape (n_recordings, n_groups)
        The named groups, as texts.

    Raises
    ------
    DatasetError
        The root is missing or a file, or holds no recording that fits.

    Warns
    -----
    DatasetWarning
        Some recordings do not fit; they are left out.

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "anna-1.flac").touch()
    >>> paths, fields = match_files(
    ...     root, r"(?P<speaker>[a-z]+)-1.flac", layout="NAME-1.flac", suffixes=[".flac"]
    ... )
    >>> fields["speaker"].tolist()
    ['anna']
    """
    folder = corpus_folder(root, layout)
    kind = " or ".join(suffix.lstrip(".") for suffix in suffixes)
    names = list_files(folder, suffixes)
    if not names:
        raise DatasetError(f"{folder}: holds no {kind} file; expected {layout}")
    matches = {name: re.fullmatch(pattern, name) for name in names}
    misfits = [show_name(name) for name, match in matches.items() if not match]
    if len(misfits) == len(names):
        raise DatasetError(
            f"{folder}: no {kind} file fits, found {name_few(misfits)}; expected {layout}"
        )
    if misfits:
        warnings.warn(
            f"{folder}: left out {len(misfits)} of {len(names)} {kind} files whose names do not "
            f"fit ({name_few(misfits)}); expected {layout}",
            DatasetWarning,
            stacklevel=stacklevel,
        )
    fitting = {name: match for name, match in matches.items() if match}
    fields = pd.DataFrame([match.groupdict() for match in fitting.values()], dtype=object)
    return [str(folder / name) for name in fitting], fields


def leave_out_repeats(
    root: PathLike, paths: Sequence[str], fields: pd.DataFrame, by: Sequence[str]
) -> tuple[list[str], pd.DataFrame]:
    """Keep the first of the recordings that a corpus names alike, and warn of the others.

    Notes
    -----
    Some archives hold a corpus twice, in a folder and in a folder inside of that. Left in, a
    recording could be trained and tested on. The warning points at the caller of the loader.

    Examples
    --------
    >>> fields = pd.DataFrame({"speaker": ["01", "02"], "text": ["a", "a"]})
    >>> leave_out_repeats("corpus", ["1a.wav", "2a.wav"], fields, ["speaker", "text"])[0]
    ['1a.wav', '2a.wav']
    """
    repeated = fields.duplicated(list(by)).to_numpy(dtype=bool)
    if not repeated.any():
        return list(paths), fields
    copies = [show_name(path) for path, again in zip(paths, repeated, strict=True) if again]
    warnings.warn(
        f"{root}: left out {len(copies)} of {len(paths)} recordings that are there twice "
        f"({name_few(copies)}); delete one copy of the corpus",
        DatasetWarning,
        stacklevel=3,
    )
    kept = [path for path, again in zip(paths, repeated, strict=True) if not again]
    return kept, fields[~repeated].reset_index(drop=True)


def find_file(root: PathLike, name: str) -> Path | None:
    """Find a file of a corpus by its name, in any case, in the highest folder that has one.

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "DOC").mkdir()
    >>> (root / "DOC" / "SPKRINFO.TXT").touch()
    >>> find_file(root, "spkrinfo.txt").name, find_file(root, "prompts.txt")
    ('SPKRINFO.TXT', None)
    """
    found = [
        Path(folder) / file
        for folder, _, files in os.walk(user_path(root))
        for file in files
        if file.lower() == name.lower() and os.path.isfile(os.path.join(folder, file))
    ]
    return min(found, key=lambda path: (len(path.parts), path), default=None)


def read_lines(file: Path) -> list[str]:
    r"""Read the lines of a text file of a corpus.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "SPEAKERS.TXT"
    >>> _ = file.write_text("14 | F\n16 | F\n")
    >>> read_lines(file)
    ['14 | F', '16 | F']
    """
    try:
        return file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise DatasetError(
            f"{file}: cannot be read ({error.strerror}); see to it that you may read it"
        ) from error


def read_columns(table: Path, columns: Sequence[str], *, separator: str = ",") -> pd.DataFrame:
    r"""Read columns of a table of a corpus as texts, without the blanks around them.

    Parameters
    ----------
    table : Path
        The table, in UTF-8, with a header.
    columns : sequence of str
        Names of the columns, all of which must be there; others are not read.
    separator : str, default=","
        What separates the cells. Between tabs a double quote is a character as any other.

    Returns
    -------
    DataFrame of shape (n_rows, n_columns)
        The cells; "" where one is blank.

    Raises
    ------
    DatasetError
        The table cannot be read, lacks a column or has no row.

    Examples
    --------
    >>> import tempfile
    >>> table = Path(tempfile.mkdtemp()) / "data.tsv"
    >>> _ = table.write_text('path\tsentence\na.mp3\t"Yes\n')
    >>> read_columns(table, ["sentence"], separator="\t")["sentence"].tolist()
    ['"Yes']
    """
    options: dict[str, Any] = {
        "sep": separator,
        "dtype": str,
        "keep_default_na": False,
        "encoding": "utf-8-sig",
        "quoting": csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL,
    }
    try:
        header = list(pd.read_csv(table, nrows=0, **options))
        there = [name for name in columns if name in header]
        rows: pd.DataFrame = pd.read_csv(table, usecols=there, **options)
    except (ValueError, OSError) as error:
        raise DatasetError(f"{table}: cannot be read as a table ({error}); get it again") from error
    missing = [name for name in columns if name not in header]
    if missing:
        raise DatasetError(
            f"{table}: lacks the columns {missing}, has {header}; get it again from the corpus"
        )
    if rows.empty:
        raise DatasetError(f"{table}: has a header, but no recordings; get it again")
    return rows[list(columns)].fillna("").apply(lambda cells: cells.str.strip())
