"""A user's own corpus: a CSV table with one recording a row."""

from __future__ import annotations

import csv
import os
import re
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics.datasets._base import label_column, make_bunch, name_few
from sfmforensics.exceptions import DatasetError, DatasetWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.utils import Bunch

    from sfmforensics._types import PathLike

MAX_AGE = 130
"""Oldest age accepted, in years."""

_LABELS = ("speaker", "emotion", "gender")
_RESERVED = ("path", "age", *_LABELS)
# A leading zero says that the digits are a name: a session "01" is not the number 1.
_INTEGER = re.compile(r"[+-]?(0|[1-9]\d{0,17})")
_FLOAT = re.compile(r"[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def load_manifest(table: PathLike) -> Bunch:
    r"""Load a corpus that a CSV table describes.

    Parameters
    ----------
    table : path-like
        A CSV file in UTF-8, separated by commas, with a header. The column ``path`` gives the
        recordings, relative to the folder of the table or absolute; every other column is a
        task. A blank cell is a missing label.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str of length n_recordings
            Absolute paths, in the order of the table.
        target : DataFrame of shape (n_recordings, n_tasks)
            The columns of the table but ``path``, see Notes.
        groups : ndarray of shape (n_recordings,) or None
            The speaker of each recording, "" where it is missing; None without such a column.
        details : DataFrame of shape (n_recordings, 0)
        DESCR : str

    Raises
    ------
    DatasetError
        The table does not exist, is empty, is not UTF-8 or is not rectangular; has no column
        ``path`` or two of one name; lists a recording twice or one that does not exist; or has
        an age that is not a number of years above 0 and up to 130.

    Warns
    -----
    DatasetWarning
        A column is blank, and left out; or most of its cells are numbers, but not all.

    Notes
    -----
    - ``speaker``, ``emotion`` and ``gender`` are labels as they are written: "01" stays "01".
    - ``age`` is a float, in years.
    - Any other column is read as integers if all its cells are integers (a classification task,
      also with gaps), as floats if all are numbers (a regression task), else as labels. Digits
      after a leading zero are a label.

    The five names above are recognised in capitals, too. Rows are counted as a spreadsheet does:
    the header is row 1.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "a.wav").touch()
    >>> (folder / "b.wav").touch()
    >>> rows = "path,speaker,age,room\na.wav,01,33,4\nb.wav,02,,\n"
    >>> _ = (folder / "table.csv").write_text(rows)
    >>> corpus = load_manifest(folder / "table.csv")
    >>> corpus.target
      speaker   age  room
    0      01  33.0     4
    1      02   NaN  None
    >>> corpus.target.dtypes.astype(str).tolist()
    ['object', 'float64', 'object']
    """
    table = Path(os.path.abspath(os.path.expanduser(table)))
    columns, rows = _read(table)
    paths = _paths(table, columns.pop("path"), rows)
    labels = {}
    for name, cells in columns.items():
        if not any(cells):
            warnings.warn(
                f"{table}: the column {name!r} is blank and was left out",
                DatasetWarning,
                stacklevel=2,
            )
        elif name == "age":
            labels[name] = pd.Series(
                [_years(cell, row, table) for cell, row in zip(cells, rows, strict=True)],
                dtype=float,
            )
        elif name in _LABELS:
            labels[name] = label_column(cell or None for cell in cells)
        else:
            labels[name] = _infer(cells, name, table)
    target = pd.DataFrame(labels, index=range(len(paths)))
    tasks = ", ".join(labels) or "no label"
    descr = f"{len(paths)} recordings, listed in {table.name} with {tasks}."
    return make_bunch(paths, target, descr=descr)


def _read(table: Path) -> tuple[dict[str, list[str]], list[int]]:
    """Read the cells as text: a dict of columns, and the number of each row in the file."""
    lines = _lines(table)
    if not lines:
        raise DatasetError(f"{table}: is empty; give a header with path, and one row a recording")
    header, *body = lines
    header = [cell.lower() if cell.lower() in _RESERVED else cell for cell in header]
    body = [(row, cells) for row, cells in enumerate(body, start=2) if any(cells)]
    for row, cells in body:
        if len(cells) != len(header):
            raise DatasetError(
                f"{table}: row {row} has {len(cells)} cells, the header has {len(header)}; put a "
                f"cell that holds a comma in double quotes"
            )
    columns = [[cells[i] for _, cells in body] for i in range(len(header))]
    _check_header(table, header, columns)
    if not body:
        raise DatasetError(f"{table}: has a header, but no recordings; give one row a recording")
    # A nameless column that is blank is what a spreadsheet leaves behind.
    named = {name: column for name, column in zip(header, columns, strict=True) if name}
    return named, [row for row, _ in body]


def _lines(table: Path) -> list[list[str]]:
    if not table.is_file():
        found = "is a folder, not a CSV file" if table.is_dir() else "does not exist"
        raise DatasetError(f"{table}: {found}; give the CSV table that lists the recordings")
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            return [[cell.strip() for cell in cells] for cells in csv.reader(file)]
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{table}: is not UTF-8 (byte {error.start}); save it as CSV in UTF-8, which a "
            f"spreadsheet calls 'CSV UTF-8'"
        ) from error
    except csv.Error as error:
        raise DatasetError(f"{table}: is not a CSV table ({error}); save it as CSV") from error


def _check_header(table: Path, header: Sequence[str], columns: Sequence[Sequence[str]]) -> None:
    twice = [name for name, count in Counter(filter(None, header)).items() if count > 1]
    if twice:
        raise DatasetError(f"{table}: has the columns {twice} more than once; rename or delete one")
    if "path" not in header:
        separated = len(header) == 1 and re.search(r"[;\t]", header[0])
        remedy = (
            "separate the columns by commas"
            if separated
            else "call the column with the recordings path"
        )
        raise DatasetError(f"{table}: has no column 'path', found {header}; {remedy}")
    for position, (name, cells) in enumerate(zip(header, columns, strict=True), start=1):
        if not name and any(cells):
            raise DatasetError(
                f"{table}: column {position} has no name; name it or delete it (pandas writes "
                f"none with to_csv(index=False))"
            )


def _paths(table: Path, cells: Sequence[str], rows: Sequence[int]) -> list[str]:
    first: dict[str, int] = {}
    paths = []
    for cell, row in zip(cells, rows, strict=True):
        if not cell:
            raise DatasetError(f"{table}: row {row} has no path; fill it in or delete the row")
        path = os.path.abspath(table.parent / cell)
        if path in first:
            raise DatasetError(
                f"{table}: lists {cell} twice (rows {first[path]} and {row}); delete one"
            )
        first[path] = row
        paths.append(path)
    missing = [cell for cell, path in zip(cells, paths, strict=True) if not os.path.isfile(path)]
    if missing:
        raise DatasetError(
            f"{table}: {len(missing)} of {len(paths)} recordings do not exist "
            f"({name_few(missing)}); paths are relative to {table.parent}"
        )
    return paths


def _years(cell: str, row: int, table: Path) -> float:
    if not cell:
        return np.nan
    try:
        years = float(cell)
    except ValueError:
        years = np.nan
    if not 0 < years <= MAX_AGE:
        raise DatasetError(
            f"{table}: row {row}, column 'age': {cell!r} is not a number of years above 0 and up "
            f"to {MAX_AGE}; correct it, or leave the cell blank where the age is not known"
        )
    return years


def _infer(cells: Sequence[str], name: str, table: Path) -> pd.Series:
    given = [cell for cell in cells if cell]
    if all(map(_INTEGER.fullmatch, given)):
        if len(given) == len(cells):
            return pd.Series([int(cell) for cell in cells], dtype=np.int64)
        return label_column(int(cell) if cell else None for cell in cells)
    numbers = [cell for cell in given if _FLOAT.fullmatch(cell)]
    if len(numbers) == len(given):
        return pd.Series([float(cell) if cell else np.nan for cell in cells], dtype=float)
    if 2 * len(numbers) > len(given):
        odd = next(cell for cell in given if not _FLOAT.fullmatch(cell))
        warnings.warn(
            f"{table}: the column {name!r} holds numbers, but also {odd!r}; it was read as labels",
            DatasetWarning,
            stacklevel=3,
        )
    return label_column(cell or None for cell in cells)
