"""The cells of a CSV table that anybody may have made, or the reason why there are none."""

from __future__ import annotations

import csv
import os
import re
from itertools import chain
from typing import TYPE_CHECKING

from sfmforensics.exceptions import DatasetError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

_LONGEST_LINE = 1 << 20
"""Most characters of a line: a file without line ends is not read into memory as one."""

_SNIFFED = 4096

_NO_TEXT = {
    b"PK\x03\x04": "a workbook (.xlsx, .ods) or another zip file",
    b"\xd0\xcf\x11\xe0": "a workbook (.xls)",
    b"\xff\xfe\x00\x00": "text in UTF-32",
    b"\x00\x00\xfe\xff": "text in UTF-32",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}
"""What a file is that begins so; the longer beginnings come first."""

_SEPARATORS = ",;\t|"
_STATED = re.compile(r'"?sep=(?P<mark>[^\r\n])"?(?P=mark)*\s*', re.IGNORECASE)
"""Excel's own first line, which says what separates the cells, alone or saved again as a row."""

_SAVE = "save it as CSV in UTF-8, which a spreadsheet calls 'CSV UTF-8'"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_QUOTES = {
    "unexpected end of data": "a double quote is opened and never closed; close it, or delete it",
    "' expected after '": "text follows a closing double quote; double the quotes inside a cell",
    "field larger than": "a cell is longer than {limit} characters; shorten it, or close the "
    "double quote that was left open",
}


def read_cells(table: Path) -> list[tuple[int, list[str]]]:
    r"""Read a table, row by row.

    Notes
    -----
    A quote that is never closed would swallow all rows behind it, and control characters could
    steer the terminal that shows them: neither is guessed at.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> table = Path(tempfile.mkdtemp()) / "table.csv"
    >>> _ = table.write_text('path,speaker\n\na.wav, "Ann, 2"\n')
    >>> read_cells(table)
    [(1, ['path', 'speaker']), (3, ['a.wav', 'Ann, 2'])]
    """
    if not os.path.isfile(table):
        problem = "is no file" if os.path.exists(table) else "does not exist"
        problem = "is a folder, not a CSV file" if os.path.isdir(table) else problem
        raise DatasetError(f"{table}: {problem}; give the CSV table that lists the recordings")
    try:
        _refuse_what_is_no_text(table)
        with open(table, encoding="utf-8-sig", newline="") as file:
            return list(_rows(file, table))
    except UnicodeDecodeError as error:
        raise DatasetError(f"{table}: is not UTF-8 ({_where(table)}); {_SAVE}") from error
    except OSError as error:
        raise DatasetError(
            f"{table}: cannot be read ({error.strerror}); see to it that you may read it"
        ) from error


def _rows(file: TextIO, table: Path) -> Iterator[tuple[int, list[str]]]:
    lines = _lines(file, table)
    begun = next(lines, "")
    stated = _STATED.fullmatch(begun)
    mark = stated["mark"] if stated else ","
    if mark not in _SEPARATORS:
        raise DatasetError(
            f"{table}: its first line states that {shown(mark)} separates the cells; separate them "
            f"by commas, and delete that line"
        )
    lines = lines if stated else chain([begun], lines)
    row, rows = 0, csv.reader(lines, delimiter=mark, skipinitialspace=True, strict=True)
    while True:
        row += 1
        try:
            cells = next(rows, None)
        except csv.Error as error:
            raise DatasetError(f"{table}: row {row}: {_quoting(str(error))}") from error
        if cells is None:
            return
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if _CONTROL.search("".join(cells)):
            cell = next(cell for cell in cells if _CONTROL.search(cell))
            flaw = "a control character; delete it"
            if "\0" in cell:
                flaw = f"a NUL byte, as binary files and UTF-16 do; {_SAVE}"
            raise DatasetError(f"{table}: row {row}: the cell {shown(cell)} holds {flaw}")
        yield row, cells


def _lines(file: TextIO, table: Path) -> Iterator[str]:
    number = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE and not line.endswith(("\n", "\r")):
            raise DatasetError(
                f"{table}: line {number} has {_LONGEST_LINE} characters or more; give a CSV table "
                f"with one row a recording"
            )
        yield line


def _quoting(error: str) -> str:
    for phrase, said in _QUOTES.items():
        if phrase in error:
            return said.format(limit=csv.field_size_limit())
    return f"this is not CSV ({error}); {_SAVE}"


def _refuse_what_is_no_text(table: Path) -> None:
    with open(table, "rb") as file:
        start = file.read(_SNIFFED)
    for beginning, kind in _NO_TEXT.items():
        if start.startswith(beginning):
            raise DatasetError(f"{table}: is not UTF-8, but {kind}; {_SAVE}")


def _where(table: Path) -> str:
    """The first line that is not UTF-8, and what is in it; a decoder tells where in its buffer."""
    with open(table, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return f"line {number}, byte {line[error.start]:#04x}"
    return "at its end"
