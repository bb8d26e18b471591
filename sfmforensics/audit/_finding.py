"""What an audit says: one finding a row."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

import pandas as pd

from sfmforensics._utils.pages import templates

if TYPE_CHECKING:
    from collections.abc import Iterable

SERIOUS = "serious"
"""A finding that makes a figure wrong, or better than it is."""
NOTE = "note"
"""A finding that one should know of when one reads a figure."""


@dataclass(frozen=True)
class Finding:
    """One thing in a corpus that a reader of its figures must know.

    Parameters
    ----------
    severity : {"serious", "note"}
        "serious" makes a figure wrong unless something is done; "note" says how to read it.
    finding : str
        Short name.
    what : str
        Names and counts, in plain words.
    why : str
        Why it matters.
    remedy : str
        What to do about it.
    """

    severity: str
    finding: str
    what: str
    why: str
    remedy: str


FIELDS = [field.name for field in fields(Finding)]


class Findings(pd.DataFrame):
    """A table of findings, which a notebook shows with whole sentences."""

    @property
    def _constructor(self) -> type[Findings]:
        return Findings

    def _repr_html_(self) -> str:
        """All of it, for a notebook; a table of some of its columns as pandas shows it."""
        if list(self.columns) != FIELDS:
            return str(super()._repr_html_())  # type: ignore[misc]  # pandas' stubs lack it
        rows = [
            [{"name": row["finding"], "severity": row["severity"]}, *map(row.get, FIELDS[2:])]
            for row in self.to_dict("records")
        ]
        serious = int((self["severity"] == SERIOUS).sum())
        page = templates("audit").get_template("findings.html")
        return page.render(rows=rows, serious=serious)


def findings_frame(findings: Iterable[Finding]) -> Findings:
    """Put findings into a table, the serious ones first.

    Parameters
    ----------
    findings : iterable of Finding

    Returns
    -------
    Findings of shape (n_findings, 5)
        A DataFrame.
        Columns severity, finding, what, why, remedy, all text.

    Examples
    --------
    >>> few = Finding("note", "rare labels", "calm: 2", "too few", "join labels")
    >>> same = Finding("serious", "one label for all", "emotion", "nothing to learn", "leave out")
    >>> findings_frame([few, same]).finding.tolist()
    ['one label for all', 'rare labels']
    """
    rows = sorted(map(asdict, findings), key=lambda row: row["severity"] != SERIOUS)
    return Findings(rows, columns=FIELDS)


def counted(number: int, word: str) -> str:
    """Write a number with its word.

    Parameters
    ----------
    number : int
    word : str
        For one.

    Returns
    -------
    str

    Examples
    --------
    >>> counted(1, "pair"), counted(2, "pair"), counted(2, "copy")
    ('1 pair', '2 pairs', '2 copies')
    """
    many = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{number} {word if number == 1 else many}"
