"""A user's own corpus: a CSV table with one recording a row."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from sfmforensics._utils.names import name_few, name_on_disk
from sfmforensics._utils.paths import user_path
from sfmforensics.datasets._base import Corpus, check_tasks, label_column, make_bunch
from sfmforensics.datasets._cells import read_cells
from sfmforensics.datasets._columns import cut_by_spreadsheet, is_number, read_column
from sfmforensics.datasets._meanings import is_index, is_nameless, refuse_parts
from sfmforensics.datasets._whereabouts import explain_missing
from sfmforensics.exceptions import DatasetError, DatasetWarning, shown
from sfmforensics.targets._columns import UNKNOWN_SPEAKER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sfmforensics._types import PathLike

MAX_AGE = 130
"""Oldest age accepted, in years."""

_NAMES = ("speaker", "emotion", "gender")
_SESSION = "session"
_RESERVED = ("path", "age", *_NAMES)
_BREAK = re.compile(r"[\r\n]")
_SURPRISES = {
    re.compile(r".*[\r\n]"): "holds a line break; if it is not one label, close the double quote "
    "before it",
    re.compile(r"[=+@-]."): "is a formula to a spreadsheet that opens the tables of results; write "
    "it otherwise",
}


def load_table(
    table: PathLike,
    *,
    root: PathLike | None = None,
    allow_outside: bool = False,
    tasks: Sequence[str] | None = None,
) -> Bunch:
    r"""Load a corpus that a CSV table describes.

    Parameters
    ----------
    table : path-like
        A CSV file in UTF-8, separated by commas, with a header. The column ``path`` gives the
        recordings, relative to `root` or absolute; every other column is a task. A blank cell is a
        missing label.
    root : path-like or None, default=None
        Folder that the recordings are in; the folder of the table by default.
    allow_outside : bool, default=False
        Whether a path may lead out of `root`, by ``..``, as an absolute path or through a link.
    tasks : sequence of str or None, default=None
        Columns that are learnt; all but ``path`` by default. The others are kept in ``details``,
        as they are written.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str of length n_recordings
            Absolute paths, in the order of the table.
        target : DataFrame of shape (n_recordings, n_tasks)
            The columns of the table but ``path``, or those of `tasks`, see Notes.
        groups : ndarray of shape (n_recordings,) or None
            The speaker of each recording, "" where it is missing, also where `tasks` leaves the
            speaker out; None without such a column.
        details : DataFrame of shape (n_recordings, n_details)
            The columns that `tasks` leaves out; none by default.
        DESCR : str
            What the corpus is.
        filename : str
            The table itself, which nothing that learns from the corpus writes over.

    Raises
    ------
    DatasetError
        The table does not exist, is empty, is not UTF-8 or is not rectangular; has no column
        ``path`` or two of one name; lists a recording twice, one that does not exist, or one
        outside of `root`; or has an age that is not a number of years above 0 and up to 130, or an
        infinite number. Also where a double quote is not closed, and for control characters.
        Further, where its rows are parts of recordings (columns ``start``, ``end``, a pair such as
        ``onset`` and ``duration``, or ``channel`` with numbers), which would be read whole; and if
        `tasks` names no column or an unknown one.

    Warns
    -----
    DatasetWarning
        A column is blank, or is an index that pandas wrote, and is left out; numbers are read as
        labels, or look like labels, see Notes; or a label holds a line break, or begins as a
        formula does.

    Notes
    -----
    - ``speaker``, ``emotion``, ``gender`` and ``session`` are labels as they are written: "01"
      stays "01".
    - ``age`` is a float, in years.
    - Any other column is read as integers if all its cells are integers (a classification task,
      also with gaps), as floats if all are numbers (a regression task), else as labels.
    - Numbers whose text says more than they do are names, and the whole column is labels as they
      are written, which a warning says: digits behind a zero (007), a whole number of more than 15
      digits, one with a needless sign (+5), or two cells that spell one number differently (1.1
      and 1.10, 12 and 12.0). So no two cells that differ ever become one label; 12.50 beside 12.6
      are numbers.
    - Whole numbers that all end with ``.0`` are floats. With blank cells among them they may be
      integers that went through pandas, which a warning says.
    - A column without a name, or called ``Unnamed: 0`` or ``index``, that numbers the rows is left
      out.
    - Labels are compared as they are written, but for the space around them: "Anna" and "anna" are
      two speakers. `sfmforensics.audit.audit_corpus` (``sfmforensics describe``) names labels that
      differ in no more than case, space or the coding of their letters. "nan" and "None" are
      labels as well; only a blank cell is a missing one.
    - A table says which files are read. So that a table from somebody else cannot have others read
      than those that came with it, recordings lie in `root`, links resolved, unless
      `allow_outside` says otherwise.

    path, speaker, emotion, gender and age are recognised in capitals, too. Rows are counted as a
    spreadsheet does: the header is row 1. Excel's first line ``sep=;`` is obeyed, and no row.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "a.wav").touch()
    >>> (folder / "b.wav").touch()
    >>> rows = "path,speaker,age,room\na.wav,01,33,4\nb.wav,02,,\n"
    >>> _ = (folder / "table.csv").write_text(rows)
    >>> corpus = load_table(folder / "table.csv")
    >>> corpus.target
      speaker   age  room
    0      01  33.0     4
    1      02   NaN  None
    >>> corpus.target.dtypes.astype(str).tolist()
    ['object', 'float64', 'object']
    """
    table = Path(os.path.abspath(user_path(table)))
    root = table.parent if root is None else Path(os.path.abspath(user_path(root)))
    columns, rows = _read(table)
    refuse_parts(table, columns)
    chosen = _chosen(table, columns, tasks)
    if not os.path.isdir(root):
        raise DatasetError(f"{root}: is no folder; give root, the folder with the recordings")
    cells = columns.pop("path")
    paths = _paths(table, root, cells, rows)
    if not allow_outside:  # asked first: whether a file is there is not told of what is elsewhere
        _refuse_outside(table, root, paths, rows)
    _refuse_missing(table, root, paths, cells, rows, allow_outside)
    labels, details = {}, {}
    for name, cells in columns.items():
        if name not in chosen:
            if any(cells) and not is_index(cells, name):
                details[name] = label_column(cell or None for cell in cells)
            continue
        if tasks is None and is_index(cells, name):
            _warn_of_index(table, f"the column {shown(name)}")
            continue
        if not any(cells):
            warnings.warn(
                f"{table}: the column {shown(name)} is blank and was left out",
                DatasetWarning,
                stacklevel=2,
            )
        elif name == "age":
            labels[name] = pd.Series(
                [_years(cell, row, table) for cell, row in zip(cells, rows, strict=True)],
                dtype=float,
            )
        elif name in _NAMES:
            labels[name] = label_column(cell or None for cell in cells)
        else:
            labels[name] = _infer(cells, rows, name, table)
        _point_out(cells, rows, name, table)
    target = pd.DataFrame(labels, index=range(len(paths)))
    descr = (
        f"{len(paths)} recordings, listed in {table.name} with {', '.join(labels) or 'no label'}."
    )
    speakers = details.get("speaker")
    bunch = make_bunch(
        paths,
        target,
        descr=descr,
        groups=None if speakers is None else speakers.fillna(UNKNOWN_SPEAKER),
        details=pd.DataFrame(details, index=target.index),
    )
    return Corpus(**bunch, filename=str(table))


load_manifest = load_table
"""An earlier name of `load_table`."""


def _chosen(
    table: Path, columns: Mapping[str, Sequence[str]], tasks: Sequence[str] | None
) -> list[str]:
    if tasks is None:
        return list(columns)
    named = check_tasks(
        tasks, [name for name in columns if name != "path"], str(table), also=_RESERVED
    )
    for name in named:
        if not any(columns[name]):
            raise DatasetError(
                f"{table}: the column {shown(name)} is blank, but chosen as a task; fill it in, or "
                f"choose others"
            )
    return named


def _read(table: Path) -> tuple[dict[str, list[str]], list[int]]:
    """Read the cells as text: a dict of columns, and the number of each row in the file."""
    lines = read_cells(table)
    if not lines:
        raise DatasetError(f"{table}: is empty; give a header with path, and one row a recording")
    (_, header), *body = lines
    header = [cell.lower() if cell.lower() in _RESERVED else cell for cell in header]
    header = ["" if is_nameless(cell) else cell for cell in header]
    _check_names(table, header)
    for row, cells in body:
        if len(cells) != len(header):
            raise DatasetError(
                f"{table}: row {row} has {len(cells)} cells, the header has {len(header)}; put a "
                f"cell that holds a comma in double quotes"
            )
    columns = [[cells[i] for _, cells in body] for i in range(len(header))]
    _check_nameless(table, header, columns)
    if not body:
        raise DatasetError(f"{table}: has a header, but no recordings; give one row a recording")
    # A nameless column is what a spreadsheet leaves behind, blank, or an index.
    named = {name: column for name, column in zip(header, columns, strict=True) if name}
    return named, [row for row, _ in body]


def _check_names(table: Path, header: Sequence[str]) -> None:
    twice = [name for name, count in Counter(filter(None, header)).items() if count > 1]
    if twice:
        raise DatasetError(
            f"{table}: has the columns {shown(twice)} more than once; rename or delete one"
        )
    if "path" not in header:
        remedy = "call the column with the recordings path"
        if any(re.search(r"[;\t|]", name) for name in header):
            remedy = "separate the columns by commas"
        raise DatasetError(f"{table}: has no column 'path', found {shown(header)}; {remedy}")
    for name in header:
        if _BREAK.search(name):
            raise DatasetError(
                f"{table}: the column name {shown(name)} holds a line break; close the double "
                f"quote before it, or rename the column"
            )


def _check_nameless(table: Path, header: Sequence[str], columns: Sequence[Sequence[str]]) -> None:
    for position, (name, cells) in enumerate(zip(header, columns, strict=True), start=1):
        if name or not any(cells):
            continue
        if is_index(cells):
            _warn_of_index(table, f"column {position}, without a name,")
        else:
            raise DatasetError(
                f"{table}: column {position} has no name; name it or delete it (pandas writes "
                f"none with to_csv(index=False))"
            )


def _warn_of_index(table: Path, column: str) -> None:
    warnings.warn(
        f"{table}: {column} numbers the rows, as pandas writes its index, and was left "
        f"out; pandas writes none with to_csv(index=False)",
        DatasetWarning,
        stacklevel=3,
    )


def _paths(table: Path, root: Path, cells: Sequence[str], rows: Sequence[int]) -> list[str]:
    first: dict[str, int] = {}
    paths = []
    for cell, row in zip(cells, rows, strict=True):
        if not cell:
            raise DatasetError(f"{table}: row {row} has no path; fill it in or delete the row")
        path = os.path.abspath(root / name_on_disk(cell))
        if path in first:
            raise DatasetError(
                f"{table}: lists {shown(cell)[1:-1]} twice (rows {first[path]} and {row}); delete "
                f"one"
            )
        first[path] = row
        paths.append(path)
    return paths


def _refuse_missing(
    table: Path,
    root: Path,
    paths: Sequence[str],
    cells: Sequence[str],
    rows: Sequence[int],
    allow_outside: bool,
) -> None:
    missing = [i for i, path in enumerate(paths) if not os.path.isfile(path)]
    if not missing:
        return
    named = [cells[i] for i in missing]
    near = explain_missing(str(root), named, allow_outside=allow_outside)
    near = near and f"; {near}, so write the names as they are on the disk"
    raise DatasetError(
        f"{table}: {len(missing)} of {len(paths)} recordings do not exist "
        f"({name_few(named)}; the first is in row {rows[missing[0]]}){near}; "
        f"paths are relative to {root}"
    )


def _refuse_outside(table: Path, root: Path, paths: Sequence[str], rows: Sequence[int]) -> None:
    """Refuse a recording that is elsewhere once links are resolved."""
    inside = os.path.realpath(root)
    folders: dict[str, str] = {}
    for path, row in zip(paths, rows, strict=True):
        folder, name = os.path.split(path)
        if folder not in folders:  # many recordings, few folders
            folders[folder] = os.path.realpath(folder)
        real = os.path.join(folders[folder], name)
        if os.path.islink(real):
            real = os.path.realpath(real)
        if not _is_in(real, inside):
            raise DatasetError(
                f"{table}: row {row} leads to {name_few([real])}, outside of {root}; put the "
                f"recording there, or, if you trust the table, say so (--allow-outside, "
                f"load_table(..., allow_outside=True))"
            )


def _is_in(path: str, folder: str) -> bool:
    try:
        return os.path.commonpath([path, folder]) == folder
    except ValueError:  # on another drive
        return False


def _years(cell: str, row: int, table: Path) -> float:
    if not cell:
        return np.nan
    # float() itself also reads "3_3" and the digits of other scripts.
    years = float(cell) if is_number(cell) else np.nan
    if not 0 < years <= MAX_AGE:
        raise DatasetError(
            f"{table}: row {row}, column 'age': {shown(cell)} is not a number of years above 0 "
            f"and up to {MAX_AGE}; correct it, or leave the cell blank where the age is not known"
            f"{' (the decimal sign is a point)' if ',' in cell else ''}"
        )
    return years


def _infer(cells: Sequence[str], rows: Sequence[int], name: str, table: Path) -> pd.Series:
    column, said = read_column(cells)
    if name.lower() == _SESSION:  # a name, whatever it looks like
        said = said if column.dtype == object else ""
        column = label_column(cell or None for cell in cells)
    if column.dtype == float and np.isinf(column).any():
        at = int(np.argmax(np.isinf(column)))
        raise DatasetError(
            f"{table}: row {rows[at]}, column {shown(name)}: {shown(cells[at])} is too large a "
            f"number; correct it, or leave the cell blank"
        )
    if said:
        warnings.warn(f"{table}: the column {shown(name)} {said}", DatasetWarning, stacklevel=3)
    return column


def _point_out(cells: Sequence[str], rows: Sequence[int], name: str, table: Path) -> None:
    """Warn of labels that other programs would not take for such, or have spoilt."""
    cut = cut_by_spreadsheet(cells)
    if cut:
        warnings.warn(
            f"{table}: the column {shown(name)} holds {shown(cut)}, a long number of which a "
            f"spreadsheet kept the first digits, so that several may have become one; take the "
            f"column from its source again, as text",
            DatasetWarning,
            stacklevel=3,
        )
    for pattern, remark in _SURPRISES.items():
        for cell, row in zip(cells, rows, strict=True):
            if pattern.match(cell) and not is_number(cell):
                warnings.warn(
                    f"{table}: row {row}, column {shown(name)}: {shown(cell)} {remark}",
                    DatasetWarning,
                    stacklevel=3,
                )
                break
