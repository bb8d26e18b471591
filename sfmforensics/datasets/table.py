"""A user's own corpus: a table with one recording, or one segment of one, a row."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from sklearn.utils import Bunch

from sfmforensics._utils.paths import user_path
from sfmforensics.datasets._cells import read_cells
from sfmforensics.datasets._listing import Listing, corpus_of, known_name, warn_of_index
from sfmforensics.datasets._meanings import is_index, is_nameless
from sfmforensics.datasets._records import read_records, texts_of
from sfmforensics.exceptions import DatasetError, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sfmforensics._types import PathLike

_BREAK = re.compile(r"[\r\n]")


def load_table(
    table: PathLike,
    *,
    root: PathLike | None = None,
    allow_outside: bool = False,
    tasks: Sequence[str] | None = None,
) -> Bunch:
    r"""Load a corpus that a table describes.

    Parameters
    ----------
    table : path-like
        A CSV file in UTF-8, separated by commas, with a header; or, by how its name ends, a list
        of JSON objects (``.json``), one object a line (``.jsonl``), or ``.parquet`` (with pyarrow,
        the extra "parquet"). The column ``path`` gives the recordings, relative to `root` or
        absolute; ``start``, ``end`` (seconds) and ``channel`` (1, 2, ..., left, right or mix) say
        which part of a file a row is; ``text``, ``split``, ``session``, ``condition``, ``voice``
        and ``rater...`` are never learnt, but kept; ``TASK:NAME`` is what a rater says of a task,
        see Notes; every other column is a task. A blank cell is a missing label.
    root : path-like or None, default=None
        Folder that the recordings are in; the folder of the table by default.
    allow_outside : bool, default=False
        Whether a path may lead out of `root`, by ``..``, as an absolute path or through a link.
    tasks : sequence of str or None, default=None
        Columns that are learnt; by default all that can be. The others are kept in ``details``,
        as they are written.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of str or Segment of length n_recordings
            Absolute paths, in the order of the table; a `sfmforensics.audio.Segment` where a row is
            a part of a file.
        target : DataFrame of shape (n_recordings, n_tasks)
            The columns that are learnt, or those of `tasks`, see Notes; of raters' labels, and of
            shares of votes, a column of `sfmforensics.targets.Votes`.
        groups : ndarray of shape (n_recordings,) or None
            The speaker of each recording, "" where it is missing, also where `tasks` leaves the
            speaker out; None without such a column.
        details : DataFrame of shape (n_recordings, n_details)
            ``start``, ``end`` (floats, seconds), ``channel`` (1, 2, ... or "mix"), ``text`` and so
            on, as far as there are any, what each rater says, and the columns that `tasks` leaves
            out.
        DESCR : str
            What the corpus is.
        filename : str
            The table itself, which nothing that learns from the corpus writes over.

    Raises
    ------
    DatasetError
        The table does not exist, is empty, is not UTF-8 or is not rectangular; has no column
        ``path`` or two of one name; lists a recording, or a part of one, twice, one that does not
        exist, or one outside of `root`; or has an age that is not a number of years above 0 and up
        to 130, an edge of a segment that is no number of seconds, or an infinite number. Also where
        a double quote is not closed, and for control characters. Further, where its rows are parts
        of recordings, but other columns say so (``onset`` and ``duration``, ``start_time``); and if
        `tasks` names no column, an unknown one, or one that is never learnt; and where nobody can
        tell whether columns of a task are its raters or its classes.

    Warns
    -----
    DatasetWarning
        A column is blank, or is an index that pandas wrote, and is left out; numbers are read as
        labels, or look like labels, see Notes; a label holds a line break, or begins as a formula
        does; labels have equally many votes; or shares of votes may be something else.

    Notes
    -----
    - ``speaker``, ``emotion`` and ``gender`` are labels as they are written: "01" stays "01".
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

    - Columns called ``TASK:NAME`` are no tasks of their own. Where they hold labels, each is a
      rater's (``emotion:rater1``, ``emotion:anna``), and the task's label the one with most votes.
      Where all hold numbers, and all their names begin with "rater" or the column TASK holds
      numbers with a point, they are raters' numbers, and that of the task is their mean; under
      other names each is the share, or the number, of the votes for the class NAME
      (``emotion:angry``). Raters' numbers are labels where the column TASK holds labels or whole
      numbers, for ``speaker``, ``emotion`` and ``gender``, and where they have a zero before other
      digits. A column TASK is what scores use, in the place of most votes or of the mean; blank
      cells of it are missing labels. With equally many votes it is the label with more in all
      rows, then the first in order.
    - No recording is opened. Whether a segment lies in its file shows when it is read: the error
      names its row.

    The names of all columns that mean something are recognised in capitals, too. Rows are counted
    as a spreadsheet does: the header is row 1. Excel's first line ``sep=;`` is obeyed, and no row.

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
    columns, rows = _read_records(table) if _holds_records(table) else _read(table)
    return corpus_of(Listing(table, root, columns, rows), tasks=tasks, allow_outside=allow_outside)


load_manifest = load_table
"""An earlier name of `load_table`."""


def _holds_records(table: Path) -> bool:
    return table.suffix.lower() in (".json", ".jsonl", ".ndjson", ".parquet")


def _read_records(table: Path) -> tuple[dict[str, list[str]], list[str]]:
    columns, rows = texts_of(table, read_records(table))
    if not rows:
        raise DatasetError(f"{table}: holds no recordings; give one record a recording")
    header = list(map(known_name, columns))
    _check_names(table, header)
    # What pandas writes of an index that numbers the rows.
    named = dict(zip(header, columns.values(), strict=True))
    return {name: cells for name, cells in named.items() if not is_nameless(name)}, rows


def _read(table: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Read the cells as text: a dict of columns, and what each row is called."""
    lines = read_cells(table)
    if not lines:
        raise DatasetError(f"{table}: is empty; give a header with path, and one row a recording")
    (_, header), *body = lines
    header = list(map(known_name, header))
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
    return named, [f"row {row}" for row, _ in body]


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
            warn_of_index(table, f"column {position}, without a name,")
        else:
            raise DatasetError(
                f"{table}: column {position} has no name; name it or delete it (pandas writes "
                f"none with to_csv(index=False))"
            )
