"""Columns of a table that mean something else than a label: segments, channels, an index."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from sfmforensics.datasets._columns import is_number
from sfmforensics.exceptions import DatasetError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_UNIT = r"([ _.-]*(time|at|s|secs?|seconds?|ms|samples?|frames?))*"
_OF = r"((seg|segment|utt|utterance|turn|time)[ _.-]*)?"
_SEGMENT = re.compile(rf"{_OF}(start|end){_UNIT}", re.IGNORECASE)
_BEGINS = re.compile(rf"{_OF}(begin|onset|offset|tmin|xmin){_UNIT}", re.IGNORECASE)
_ENDS = re.compile(rf"{_OF}(stop|offset|tmax|xmax|duration|dur){_UNIT}", re.IGNORECASE)
_CLOCK = re.compile(r"(\d+:)?\d{1,2}:\d{2}([.,]\d+)?", re.ASCII)
_CHANNEL = re.compile(r"channels?([ _.-]*(id|no|nr|number|index))?", re.IGNORECASE)
_SIDE = re.compile(r"\d{1,3}|left|right|l|r|mix|mono|both", re.IGNORECASE | re.ASCII)
_NAMELESS = re.compile(r"Unnamed: \d+([._].*)?")
_INDEX = ("index", "level_0")
_WHOLE = re.compile(r"\d+", re.ASCII)


def is_nameless(name: str) -> bool:
    """Whether a column has no name, or the one that pandas gives such a column.

    Examples
    --------
    >>> [is_nameless(name) for name in ("", "Unnamed: 0", "Unnamed: 0.1", "unnamed")]
    [True, True, True, False]
    """
    return not name or _NAMELESS.fullmatch(name) is not None


def is_index(cells: Sequence[str], name: str = "") -> bool:
    """Whether a column numbers the rows, as pandas writes it: each number once, or counting.

    Examples
    --------
    >>> is_index(["0", "1", "0", "1", "2"]), is_index(["7", "3"]), is_index(["1", "1", "2"])
    (True, True, False)
    """
    if name and name.lower() not in _INDEX:
        return False
    if not cells or not all(map(_WHOLE.fullmatch, cells)):
        return False
    numbers = [int(cell) for cell in cells]
    return len(set(numbers)) == len(numbers) or all(b in (0, a + 1) for a, b in pairwise(numbers))


def refuse_parts(table: Path, columns: Mapping[str, Sequence[str]]) -> None:
    """Refuse a table whose rows are parts of recordings, of which whole files would be read.

    Examples
    --------
    >>> refuse_parts("t.csv", {"path": ["a.wav"], "channel": ["telephone"]})
    >>> refuse_parts("t.csv", {"path": ["a.wav"], "channel": ["2"]})
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.DatasetError: t.csv: has a column 'channel' with '2', but a channel is
    not taken from a table; choose one for all recordings (--channel, make_views(..., channel=)) or
    write each to a file of its own, and delete the column, or rename it if it is a label
    """
    parts = [name for name in columns if _SEGMENT.fullmatch(name)]
    timed = [name for name in columns if _is_timed(columns[name])]
    begins = [name for name in timed if _BEGINS.fullmatch(name)]
    ends = [name for name in timed if _ENDS.fullmatch(name)]
    if begins and set(ends) - set(begins[:1]):
        parts += [*begins[:1], *(name for name in ends if name != begins[0])]
    if parts:
        many = len(parts) > 1
        raise DatasetError(
            f"{table}: has the column{'s' if many else ''} {' and '.join(map(shown, parts))}, but "
            f"segments of a recording are not read, only whole files; write each segment to a file "
            f"of its own and delete the column{'s' if many else ''}, or rename "
            f"{'them if they are' if many else 'it if it is a'} label{'s' if many else ''}"
        )
    for name, cells in columns.items():
        sides = [cell for cell in cells if cell]
        if _CHANNEL.fullmatch(name) and sides and all(map(_SIDE.fullmatch, sides)):
            raise DatasetError(
                f"{table}: has a column {shown(name)} with {shown(sides[0])}, but a channel is not "
                f"taken from a table; choose one for all recordings (--channel, "
                f"make_views(..., channel=)) or write each to a file of its own, and delete the "
                f"column, or rename it if it is a label"
            )


def _is_timed(cells: Sequence[str]) -> bool:
    entries = [cell for cell in cells if cell]
    return bool(entries) and all(is_number(cell) or _CLOCK.fullmatch(cell) for cell in entries)
