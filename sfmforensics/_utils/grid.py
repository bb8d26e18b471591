"""Tables that stand at any width: no word is broken, no value lost, no column shrunk to nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleDimensions
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from sfmforensics._utils.streams import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Literal, TypeAlias

    from rich.console import ConsoleOptions, RenderResult

    Justify: TypeAlias = Literal["left", "right"]

COMFORTABLE, TIGHT = 20, 12
"""Cells up to so wide are not wrapped; only if nothing else helps, those above the second."""

PROSE = 100
"""No column is wider, but for words that are, however wide the screen: lines are to be read."""

UNLIMITED = 100_000
"""Width of what is no screen."""

WHOLE = ("path", "recording", "item")
"""Columns of names, which are not wrapped at blanks either."""

BOLD = Style(bold=True)


class Screen(Console):
    """A console that is as wide as what is printed where it is no terminal.

    COLUMNS says otherwise. A pipe has no width, and what reads it, a file or a search, is better
    served by whole lines.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        # No emoji: the name of a file may hold ":warning:", and is shown as it is.
        super().__init__(stderr=stderr, emoji=False)
        self._width = None  # COLUMNS is asked each time

    @property
    def size(self) -> ConsoleDimensions:
        """Columns and lines."""
        if self._width is not None:
            return super().size
        columns = os.environ.get("COLUMNS", "")
        if columns.isdigit() and int(columns):
            return ConsoleDimensions(int(columns), 25)
        if not self.is_terminal:
            return ConsoleDimensions(UNLIMITED, 25)
        return super().size

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size


class Grid(Table):
    """A table of text that chooses its form when it is printed, by the width that there is.

    Notes
    -----
    It is as wide as its cells, if that fits. Else cells are wrapped, between words alone. Where
    even that does not fit, each row becomes a block, a line a column. Columns are added as to
    `rich.table.Table`, cells as text. Printed with ``soft_wrap=True`` words that are longer than a
    line stay whole; without, they are continued on the next line.

    Examples
    --------
    >>> grid = Grid("Scores")
    >>> grid.add_column("model")
    >>> grid.add_row("tango")
    >>> Console(width=40).print(grid)
    Scores
    ┏━━━━━━━┓
    ┃ model ┃
    ┡━━━━━━━┩
    │ tango │
    └───────┘
    """

    def __init__(self, title: str | None = None, *, keys: int = 0) -> None:
        super().__init__()
        self.heading = title
        self.keys = keys

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Choose the form, and print it."""
        whole = bool(options.no_wrap) and options.overflow == "ignore"
        columns = [
            _Column(
                readable(str(column.header), options.encoding),
                [readable(str(cell), options.encoding) for cell in column._cells],
                "right" if column.justify == "right" else "left",
            )
            for column in self.columns
        ]
        width = options.max_width
        if self.heading:
            heading = readable(self.heading, options.encoding)
            for line in _wrapped(heading, width, whole):
                yield Text(line, style="table.title", no_wrap=True, overflow="ignore")
        parts = self._parts(columns, width)
        if parts is None:
            names = [column.header for column in columns]
            for place, row in enumerate(zip(*(column.cells for column in columns), strict=True)):
                if place:
                    yield Segment("\n")
                yield Record(zip(names, row, strict=True))
            yield Segment("\n")
            return
        for part, widths in parts:
            table = Table(box=self.box)
            for column, size in zip(part, widths, strict=True):
                table.add_column(Text(column.header), justify=column.justify, width=size)
            for row in zip(*(column.cells for column in part), strict=True):
                table.add_row(*map(Text, row))
            yield from console.render(table, options.update(no_wrap=None, overflow=None))

    def _parts(
        self, columns: list[_Column], width: int
    ) -> list[tuple[list[_Column], list[int]]] | None:
        """The tables that it is shown in, and the widths of their columns; None if none fits."""
        fitting = _fitted(columns, width)
        if fitting is not None or not 0 < self.keys < len(columns):
            return None if fitting is None else [(columns, fitting)]
        names, others = columns[: self.keys], columns[self.keys :]
        parts: list[tuple[list[_Column], list[int]]] = []
        while others:
            fits = (
                (number, _fitted([*names, *others[:number]], width))
                for number in range(len(others), 0, -1)
            )
            number, widths = next(((n, w) for n, w in fits if w is not None), (0, None))
            if widths is None:
                return None
            parts.append(([*names, *others[:number]], widths))
            others = others[number:]
        return parts


class _Column:
    def __init__(self, header: str, cells: list[str], justify: Justify) -> None:
        self.header, self.cells, self.justify = header, cells, justify
        lines = [line for text in (header, *cells) for line in text.split("\n")]
        words = lines if header in WHOLE else [word for line in lines for word in line.split()]
        self.longest = max(map(cell_len, words), default=1) or 1
        self.natural = max(map(cell_len, lines), default=1) or 1
        self.natural = max(self.longest, min(self.natural, PROSE))
        self.widest = max(
            (cell_len(line) for cell in cells for line in cell.split("\n")), default=1
        )

    def least(self, comfortable: int) -> int:
        """Width below which it is not wrapped: never within a word."""
        if self.widest > 2 * COMFORTABLE:
            comfortable = COMFORTABLE  # or text would become a thin column
        return max(self.longest, min(self.widest, comfortable))


def _fitted(columns: Sequence[_Column], width: int) -> list[int] | None:
    """Widths of columns side by side, borders and margins taken off; None if they do not fit."""
    room = width - 3 * len(columns) - 1
    widths = [column.natural for column in columns]
    if sum(widths) <= room:
        return widths
    for comfortable in (COMFORTABLE, TIGHT):
        least = [column.least(comfortable) for column in columns]
        spare = room - sum(least)
        if spare >= 0:
            wanted = [column.natural - one for column, one in zip(columns, least, strict=True)]
            pairs = zip(least, wanted, strict=True)
            return [one + spare * more // sum(wanted) for one, more in pairs]
    return None


class Record:
    """Lines of names and what they stand for, side by side where there is room.

    Notes
    -----
    As a `Grid`: lines are broken between words alone.

    Examples
    --------
    >>> Console(width=40).print(Record([("meaning", "as likely as not"), ("Cllr", "1.00")]))
    meaning  as likely as not
    Cllr     1.00
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = list(pairs)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Print it."""
        whole = bool(options.no_wrap) and options.overflow == "ignore"
        pairs = [
            (readable(name, options.encoding).replace("\n", " "), readable(text, options.encoding))
            for name, text in self.pairs
        ]
        indent = max((cell_len(name) for name, _ in pairs), default=0) + 2
        beside = indent <= options.max_width // 2
        indent = indent if beside else 2
        for name, text in pairs:
            room = max(min(options.max_width - indent, PROSE), 1)
            lines = [text] if whole and name in WHOLE else _wrapped(text, room, whole)
            if beside:
                yield Segment(
                    f"{name}{' ' * (indent - cell_len(name))}" if lines[0] else name, BOLD
                )
                yield Segment(f"{lines.pop(0)}\n")
            else:
                for line in _wrapped(name, options.max_width, whole):
                    yield Segment(f"{line}\n", BOLD)
            for line in lines:
                yield Segment(f"{' ' * indent}{line}\n" if line else "\n")


def _wrapped(text: str, width: int, whole: bool) -> list[str]:
    """Lines of a text, broken between words; a word that is too long stays, or is continued."""
    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if line and cell_len(longer) > width:
                lines.append(line)
                longer = word
            if not whole and cell_len(longer) > width:
                *full, longer = chop_cells(longer, width)
                lines += full
            line = longer
        lines.append(line)
    return lines
