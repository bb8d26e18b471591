"""What the cells of a column are: names, whole numbers or numbers; and what they cannot be."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sfmforensics.datasets._base import label_column
from sfmforensics.exceptions import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_DIGITS = 15
"""Digits of a whole number that every program keeps, also one that reads numbers as doubles."""

_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_LEADING_ZERO = re.compile(r"[+-]?0\d", re.ASCII)
_PADDED = re.compile(r"[+-]?\d+\.0+", re.ASCII)
_GROUPED = re.compile(
    r"[+-]?\d+(,\d+)?|[+-]?\d{1,3}([,.' \u2019\u00a0\u202f]\d{3})+([.,]\d+)?", re.ASCII
)
_CUT = re.compile(r"\d(\.\d+)?E\+(1[1-9]|[2-9]\d)", re.ASCII)
_MISSING = ("-", "?", "n/a", "n.a.", "na", "nan", "none", "null", "#n/a", "unknown", "missing")


def is_number(cell: str) -> bool:
    """Whether a cell is a number in a table: ASCII digits, a point, an exponent; no 3_3, no inf.

    Examples
    --------
    >>> [is_number(cell) for cell in ("-1.5e3", "007", "1,5", "nan", "0x10")]
    [True, True, False, False, False]
    """
    return _NUMBER.fullmatch(cell) is not None


def is_whole(cell: str) -> bool:
    """Whether a cell is a whole number, which is a class where a column has no others.

    Examples
    --------
    >>> [is_whole(cell) for cell in ("3", "+3", "3.0", "")]
    [True, True, False, False]
    """
    return _WHOLE.fullmatch(cell) is not None


def has_leading_zero(cell: str) -> bool:
    """Whether a cell has digits behind a zero, which are a name.

    Examples
    --------
    >>> [has_leading_zero(cell) for cell in ("007", "0.7", "0")]
    [True, False, False]
    """
    return _LEADING_ZERO.match(cell) is not None


def cut_by_spreadsheet(cells: Sequence[str]) -> str:
    """The first cell of a column of long numbers of which a spreadsheet kept a few digits, or "".

    Examples
    --------
    >>> cut_by_spreadsheet(["2.02403E+19", "", "2.02403E+19"])
    '2.02403E+19'
    """
    entries = [cell for cell in cells if cell]
    return entries[0] if entries and all(map(_CUT.fullmatch, entries)) else ""


def read_column(cells: Sequence[str]) -> tuple[pd.Series, str]:
    """Tell names, whole numbers and numbers apart by how all cells of a column are written.

    Examples
    --------
    >>> read_column(["1.5", "", "12.50"])[0].tolist()
    [1.5, nan, 12.5]
    >>> column, said = read_column(["1.1", "1.10"])
    >>> column.tolist(), said
    (['1.1', '1.10'], "holds '1.1' and '1.10', one number in two spellings; it was read as labels")
    """
    spellings = sorted({cell for cell in cells if cell})
    numbers = [cell for cell in spellings if is_number(cell)]
    if len(numbers) < len(spellings):
        known = [cell for cell in cells if cell]
        return _labels(cells), _slip(known)
    name = _as_names(spellings)
    if name:
        return _labels(cells), f"holds {name}; it was read as labels"
    if all(map(_WHOLE.fullmatch, spellings)):
        if len(cells) > sum(map(bool, cells)):
            return label_column(int(cell) if cell else None for cell in cells), ""
        return pd.Series([int(cell) for cell in cells], dtype=np.int64), ""
    said = ""
    if "" in cells and all(map(_PADDED.fullmatch, spellings)):
        said = (
            f"holds whole numbers such as {shown(spellings[0])} beside blank cells, as pandas "
            "writes integers with gaps; it was read as numbers, to be learnt by regression: write "
            "them without the point if they are names"
        )
    return pd.Series([float(cell) if cell else np.nan for cell in cells], dtype=float), said


def _labels(cells: Sequence[str]) -> pd.Series:
    return label_column(cell or None for cell in cells)


def _as_names(spellings: Sequence[str]) -> str:
    """Why these texts say more than the numbers that they spell, or "" where they do not."""
    whole = all(map(_WHOLE.fullmatch, spellings))
    for cell in spellings:
        if _LEADING_ZERO.match(cell):
            return f"{shown(cell)}, digits behind a zero, which are a name"
        if len(_digits(cell)) > MOST_DIGITS:
            return f"{shown(cell)}, more than {MOST_DIGITS} digits, which are a name"
        # Whole numbers are classes, and come back in answers: as they are written.
        if whole and str(int(cell)) != cell:
            return f"{shown(cell)}, a whole number with a sign that says nothing"
    first: dict[float, str] = {}
    for cell in spellings:
        value = float(cell)
        if math.isinf(value):
            continue
        other = first.setdefault(value, cell)
        # pandas writes a small negative number that was rounded as -0.0: no other spelling of 0.
        if other.lstrip("-") != cell.lstrip("-") or (other != cell and value):
            return f"{shown(other)} and {shown(cell)}, one number in two spellings"
    return ""


def _digits(cell: str) -> str:
    """Digits before the point of a number without an exponent."""
    if "e" in cell.lower():
        return ""
    return cell.lstrip("+-").partition(".")[0].lstrip("0")


def _slip(known: Sequence[str]) -> str:
    """What to say of labels that look like numbers with a slip."""
    odd = next(cell for cell in known if not is_number(cell))
    numbers = sum(is_number(cell) and not _LEADING_ZERO.match(cell) for cell in known)
    others = {cell.casefold() for cell in known if not is_number(cell)}
    if 2 * numbers > len(known) or (numbers and others <= set(_MISSING)):
        return f"holds numbers, but also {shown(odd)}; it was read as labels"
    if all(is_number(cell) or _GROUPED.fullmatch(cell) for cell in known):
        return (
            f"holds {shown(odd)}; it was read as labels: if these are numbers, write them with a "
            "decimal point and without marks between thousands, as in 1234.5"
        )
    return ""
