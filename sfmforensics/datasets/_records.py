"""Records of JSON, JSON lines and Parquet as texts, or the reason why there are none."""

from __future__ import annotations

import gzip
import json
import math
import os
import re
from datetime import date
from typing import TYPE_CHECKING

from sfmforensics.exceptions import DatasetError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import Any, TypeAlias

    Record: TypeAlias = tuple[str, dict[str, Any]]

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LONGEST_LINE = 1 << 24
"""Most characters of a line: a file without line ends is not read into memory as one."""

_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")


def read_records(file: Path) -> list[Record]:
    """Read objects of a JSON list, of JSON lines (gzipped or not) or of a Parquet table.

    Notes
    -----
    Numbers of JSON are kept as the texts that they are: of 1.10 both zeros matter where it is a
    name, and nothing is lost of a long one.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> file = Path(tempfile.mkdtemp()) / "a.jsonl"
    >>> _ = file.write_text('{"path": "a.wav", "take": 1.10}')
    >>> read_records(file)
    [('line 1', {'path': 'a.wav', 'take': '1.10'})]
    """
    if not os.path.isfile(file):
        problem = "is no file" if os.path.exists(file) else "does not exist"
        raise DatasetError(f"{file}: {problem}; give the file that lists the recordings")
    try:
        if file.name.lower().endswith(".parquet"):
            return list(_of_parquet(file))
        if file.name.lower().endswith(_LINES):
            return list(_of_lines(file))
        return list(_of_list(file))
    except UnicodeDecodeError as error:
        raise DatasetError(f"{file}: is not UTF-8; save it as UTF-8") from error
    except (OSError, EOFError) as error:
        raise DatasetError(
            f"{file}: cannot be read ({error}); see to it that it is whole and you may read it"
        ) from error


def texts_of(file: Path, records: Iterable[Record]) -> tuple[dict[str, list[str]], list[str]]:
    """Columns of texts, in order of first appearance, and what each record is called.

    Examples
    --------
    >>> texts_of("a.json", [("record 1", {"path": "a.wav"}), ("record 2", {"age": None})])
    ({'path': ['a.wav', ''], 'age': ['', '']}, ['record 1', 'record 2'])
    """
    records = list(records)
    names = dict.fromkeys(name for _, record in records for name in record)
    columns = {
        name: [text_of_value(record.get(name), name, row, file) for row, record in records]
        for name in names
    }
    return columns, [row for row, _ in records]


def text_of_value(value: object, name: str, row: str, file: Path) -> str:
    """A value as the text that a CSV table would hold of it; "" for a missing one.

    Examples
    --------
    >>> [text_of_value(value, "x", "row 2", "t") for value in (None, 3, 1.5, " a ", True)]
    ['', '3', '1.5', 'a', 'True']
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        text = value.strip()
        if _CONTROL.search(text):
            raise DatasetError(
                f"{file}: {row}: the value {shown(text)} of {shown(name)} holds a control "
                "character; delete it"
            )
        return text
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bool, int, float)):
        return repr(value)
    raise DatasetError(
        f"{file}: {row}: {shown(name)} holds a {type(value).__name__}, where one text or number is "
        "expected; give it as a column of its own, or leave it out"
    )


def _of_lines(file: Path) -> Iterator[Record]:
    opened = gzip.open if file.name.lower().endswith(".gz") else open
    with opened(file, "rt", encoding="utf-8-sig") as lines:
        number = 0
        while line := lines.readline(_LONGEST_LINE):
            number += 1
            if len(line) == _LONGEST_LINE:
                raise DatasetError(
                    f"{file}: line {number} has {_LONGEST_LINE} characters or more; give one "
                    "object a line"
                )
            if line.strip():
                yield f"line {number}", _object(_parsed(line, file, f"line {number}"), file, number)


def _of_list(file: Path) -> Iterator[Record]:
    content = _parsed(file.read_text(encoding="utf-8-sig"), file, "")
    if not isinstance(content, list):
        raise DatasetError(
            f"{file}: holds a {type(content).__name__}, not a list of objects; give one object a "
            "recording, in a list or (as .jsonl) one a line"
        )
    for number, record in enumerate(content, start=1):
        yield f"record {number}", _object(record, file, number)


def _parsed(text: str, file: Path, place: str) -> Any:
    try:
        return json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        where = f"{place}: " if place else ""
        raise DatasetError(f"{file}: {where}this is not JSON ({error}); correct it") from error


def _object(record: object, file: Path, number: int) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise DatasetError(
            f"{file}: record {number} is {shown(record)}, not an object such as "
            '{"path": "a.wav", "speaker": "Ann"}'
        )
    return record


def _of_parquet(file: Path) -> Iterator[Record]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise DatasetError(
            f"{file}: a Parquet table is read by pyarrow, which is not installed; install it (pip "
            'install "sfmforensics[parquet]"), or save the table as CSV'
        ) from error
    try:
        table = parquet.read_table(file)
    except (ArrowException, ValueError) as error:
        raise DatasetError(
            f"{file}: it cannot be read as Parquet ({' '.join(str(error).split())}); write it again"
        ) from error
    records: list[Mapping[str, Any]] = table.to_pylist()
    for number, record in enumerate(records, start=1):
        yield f"record {number}", dict(record)
