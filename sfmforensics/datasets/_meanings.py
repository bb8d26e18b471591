"""Columns that mean something else than a label: segments, channels, details, an index."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from sfmforensics.datasets._columns import is_number
from sfmforensics.exceptions import DatasetError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Literal

_UNIT = r"([ _.-]*(time|at|s|secs?|seconds?|ms|samples?|frames?))*"
_OF = r"((seg|segment|utt|utterance|turn|time)[ _.-]*)?"
_SEGMENT = re.compile(rf"(?!(start|end)$){_OF}(start|end){_UNIT}", re.IGNORECASE)
_BEGINS = re.compile(rf"{_OF}(begin|onset|offset|tmin|xmin){_UNIT}", re.IGNORECASE)
_ENDS = re.compile(rf"{_OF}(stop|offset|tmax|xmax|duration|dur){_UNIT}", re.IGNORECASE)
_CLOCK = re.compile(r"(\d+:)?\d{1,2}:\d{2}([.,]\d+)?", re.ASCII)
_CHANNEL = re.compile(r"channels?([ _.-]*(id|no|nr|number|index))?", re.IGNORECASE)
_SIDE = re.compile(r"\d{1,3}|left|right|l|r|mix|both", re.IGNORECASE | re.ASCII)
_SIDES: dict[str, int | Literal["mix"]] = {"left": 1, "l": 1, "right": 2, "r": 2}
_SIDES |= {"mix": "mix", "both": "mix"}
_DETAIL = re.compile(r"(path|start|end|channel|text|split|session|condition|voice|rater\w*)")
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


def is_detail(name: str) -> bool:
    """Whether a column says what a recording is, and is never learnt.

    Examples
    --------
    >>> [is_detail(name) for name in ("text", "rater2", "Session", "speaker")]
    [True, True, True, False]
    """
    return _DETAIL.fullmatch(name.lower()) is not None


def parse_channel(cell: str) -> int | Literal["mix"] | None:
    """Which channel a cell names, counted from 1; None where it names none.

    Examples
    --------
    >>> [parse_channel(cell) for cell in ("2", "Left", "mix", "telephone", "", "0")]
    [2, 1, 'mix', None, None, None]
    """
    if _WHOLE.fullmatch(cell) and len(cell) < 5:
        return int(cell) or None
    return _SIDES.get(cell.lower())


def refuse_parts(source: Path, columns: Mapping[str, Sequence[str]]) -> None:
    """Refuse a listing whose rows are parts of recordings, but which does not call them so.

    Examples
    --------
    >>> refuse_parts("t.csv", {"path": ["a.wav"], "start": ["0"], "end": ["1.5"]})
    >>> refuse_parts("t.csv", {"path": ["a.wav"], "onset": ["0"], "offset": ["1.5"]})
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.DatasetError: t.csv: has the columns 'onset' and 'offset'; if its rows
    are segments of recordings, call their edges start and end (seconds from the start of the file),
    or rename them if they are labels
    """
    parts = [name for name in columns if _SEGMENT.fullmatch(name)]
    timed = [name for name in columns if _is_timed(columns[name])]
    begins = [name for name in timed if _BEGINS.fullmatch(name)]
    ends = [name for name in timed if _ENDS.fullmatch(name)]
    if begins and set(ends) - set(begins[:1]):
        parts += [*begins[:1], *(name for name in ends if name != begins[0])]
    elif "start" in columns:  # with a length, where an end is meant
        parts += ends
    if parts:
        many = len(parts) > 1
        raise DatasetError(
            f"{source}: has the column{'s' if many else ''} {' and '.join(map(shown, parts))}; if "
            "its rows are segments of recordings, call their edges start and end (seconds from the "
            f"start of the file), or rename {'them if they are' if many else 'it if it is a'} "
            f"label{'s' if many else ''}"
        )
    for name, cells in columns.items():
        sides = [cell for cell in cells if cell]
        side = _CHANNEL.fullmatch(name) and name != "channel"
        if side and sides and all(map(_SIDE.fullmatch, sides)):
            raise DatasetError(
                f"{source}: has a column {shown(name)} with {shown(sides[0])}; if it says which "
                "channel is heard, call it channel (1, 2, ..., left, right or mix), or rename it "
                "if it is a label"
            )


def _is_timed(cells: Sequence[str]) -> bool:
    entries = [cell for cell in cells if cell]
    return bool(entries) and all(is_number(cell) or _CLOCK.fullmatch(cell) for cell in entries)
