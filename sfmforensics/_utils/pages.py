"""Pages and parts of pages, from templates in which whatever they are given is escaped.

Templates hold the words and the structure, Python prepares what stands in them. No template says
``safe``, and nothing here marks a text as HTML but `line`, which changes white space alone: styles
and scripts are templates that others include.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence


def templates(room: str, **filters: Callable[..., object]) -> Environment:
    """Give the templates of a room of this package, and those that all rooms share.

    Examples
    --------
    >>> print(templates("report").from_string("<b>{{ name }}</b>").render(name="<script>"))
    <b>&lt;script&gt;</b>
    """
    packages = (f"sfmforensics.{room}", "sfmforensics._utils")
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"columns": columns, "line": line} | filters
    return environment


def line(text: object) -> Markup:
    r"""Put a text that a template wrote over several lines on one, for an attribute.

    Examples
    --------
    >>> print(line(Markup(" a\n  &lt;b&gt; ")), line("<b>"))
    a &lt;b&gt; &lt;b&gt;
    """
    return Markup(re.sub(r"[ \n]+", " ", escape(text)).strip(" "))


@dataclass(frozen=True)
class Column:
    """A column of a table, as its header shows it.

    Parameters
    ----------
    place : int
        From 0.
    title : str
        Its own.
    group : str or None
        What it shares with its neighbours, to stand above them.
    span : int
        How many share it, in the first of them; 0 in the others.
    style : str
        "label" or "number".
    """

    place: int
    title: str
    group: str | None
    span: int
    style: str


def columns(header: Sequence[str], text: Collection[str] = ()) -> list[Column]:
    """Lay out the header of a table.

    Examples
    --------
    >>> [(c.group, c.title, c.span) for c in columns(["model", "SER %: closed", "SER %: mine"])]
    [(None, 'model', 0), ('SER %', 'closed', 2), ('SER %', 'mine', 0)]
    """
    laid_out: list[Column] = []
    parts = [title.partition(": ") for title in header]
    groups = [first if colon else None for first, colon, _ in parts]
    for place, (first, colon, second) in enumerate(parts):
        span = 0
        if colon and (place == 0 or groups[place - 1] != first):
            others = (other for other in range(place, len(parts)) if groups[other] != first)
            span = next(others, len(parts)) - place
        style = "label" if header[place].rpartition(": ")[2] in text else "number"
        laid_out.append(Column(place, second if colon else first, groups[place], span, style))
    return laid_out
