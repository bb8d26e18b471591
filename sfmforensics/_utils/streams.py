r"""Standard output and error in any encoding: what it cannot write is written readably.

Text is for people: a minus sign becomes a hyphen, a name is escaped. Data is for programs: JSON is
escaped as JSON is, and CSV is UTF-8, whatever the console.
"""

from __future__ import annotations

import codecs
import json
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from sfmforensics._utils.files import as_bytes
from sfmforensics._utils.names import escape_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TextIO

    import pandas as pd

HANDLER = "sfmforensics.readable"
"""What an encoder does with what it cannot write, by the name that streams ask for."""

READABLE = {
    "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{PLUS-MINUS SIGN}": "+-",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{INFINITY}": "inf",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{RIGHTWARDS ARROW}": "->",
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{NO-BREAK SPACE}": " ",
    "\N{BULLET}": "*",
}
"""What stands for a sign. A letter of a name is escaped instead: names must not look alike."""


def _instead(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end]
    return "".join(READABLE.get(c) or _escaped(c) for c in part), error.end


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]


codecs.register_error(HANDLER, _instead)


def readable(text: str, encoding: str) -> str:
    r"""Give a text as a stream of an encoding will show it.

    Examples
    --------
    >>> print(readable("log10 \N{MINUS SIGN}2 ± 1, caf\u00e9", "ascii"))
    log10 -2 +- 1, caf\u00e9
    """
    return text.encode(encoding, HANDLER).decode(encoding)


@contextmanager
def any_encoding() -> Iterator[None]:
    """Let nothing that is printed fail for its encoding, while a block runs."""
    with ExitStack() as stack:
        for stream in (sys.stdout, sys.stderr):
            change = getattr(stream, "reconfigure", None)  # a notebook's streams write anything
            if change is not None:
                stack.callback(_restore, stream, stream.errors)
                change(errors=HANDLER)
        yield


def _restore(stream: Any, errors: str | None) -> None:
    if not stream.closed:
        stream.reconfigure(errors=errors)


def is_unicode(stream: TextIO) -> bool:
    """Whether a stream can write any character."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("_", "-")[:3] == "utf"


def print_json(value: object) -> None:
    """Print a value as JSON, which is read back as it was whatever the encoding."""
    whole = is_unicode(sys.stdout)
    text = json.dumps(value, indent=2, ensure_ascii=not whole)
    print(escape_text(text) if whole else text)


def print_csv(frame: pd.DataFrame) -> None:
    """Print a table as CSV: in UTF-8 always, since no program guesses another encoding."""
    text, stream = frame.to_csv(index=False, lineterminator="\n"), sys.stdout
    if is_unicode(stream) or not hasattr(stream, "buffer"):
        stream.write(text)
        return
    stream.flush()
    stream.buffer.write(as_bytes(text))
    stream.buffer.flush()
