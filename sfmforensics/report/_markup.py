"""HTML in which everything is escaped unless it was built here."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from typing import Any

VOID = {"img", "meta", "link"}


class Markup(str):
    """Text that is HTML already; any other text is escaped when it is put into an element."""

    __slots__ = ()


def join(parts: Iterable[object]) -> Markup:
    """Put parts one after the other, escaping those that are no `Markup`.

    Parameters
    ----------
    parts : iterable
        Elements and plain values.

    Returns
    -------
    Markup

    Examples
    --------
    >>> print(join(["<", tag("b", "x")]))
    &lt;<b>x</b>
    """
    return Markup(
        "".join(part if isinstance(part, Markup) else escape(str(part)) for part in parts)
    )


def tag(name: str, /, *content: object, **attributes: object) -> Markup:
    """Build an element.

    Parameters
    ----------
    name : str
        Its name.
    *content
        `Markup`, or anything else, which is escaped.
    **attributes
        ``class_`` is "class", ``aria_label`` is "aria-label"; None leaves one out.

    Returns
    -------
    Markup

    Examples
    --------
    >>> print(tag("td", "<script>", class_="label"))
    <td class="label">&lt;script&gt;</td>
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(content)}</{name}>")


def table(
    header: Sequence[str],
    rows: Iterable[Any],
    caption: str,
    *,
    sortable: bool = False,
    text_columns: Collection[str] = (),
) -> Markup:
    """Build a table that scrolls in a container of its own.

    Parameters
    ----------
    header : sequence of str
        Titles of the columns. Neighbours such as "SER %: closed" and "SER %: disjoint" share a
        heading, "SER %", above their own.
    rows : iterable of sequence
        Cells; the first of each row is its header.
    caption : str
        What the table shows; also the name of the container.
    sortable : bool, default=False
        Whether the page's script offers to sort it.
    text_columns : collection of str, default=()
        Titles of the columns that are not aligned as numbers.

    Returns
    -------
    Markup

    Examples
    --------
    >>> 'scope="row"' in table(["model", "ASR %"], [["tango", "93.2"]], "Scores")
    True
    """
    own = [title.rpartition(": ")[2] for title in header]
    styles = ["label" if title in text_columns else "number" for title in own]
    body = []
    for row in rows:
        cells = [
            tag("td", cell, class_=style) for cell, style in zip(row[1:], styles[1:], strict=True)
        ]
        body.append(tag("tr", tag("th", row[0], scope="row", class_=styles[0]), *cells))
    built = tag(
        "table",
        tag("caption", tag("span", caption)),
        tag("thead", *_header_rows(list(header), styles)),
        tag("tbody", *body),
        class_="sortable" if sortable else None,
    )
    # Focusable, so that who has no pointer can scroll it with the arrow keys.
    return tag("div", built, class_="scroll", role="region", aria_label=caption, tabindex="0")


def _header_rows(header: Sequence[str], styles: Sequence[str]) -> list[Markup]:
    """One row of titles, or two where neighbours share the part before a colon."""
    parts = [title.partition(": ") for title in header]
    grouped = any(colon for _, colon, _ in parts)
    upper, lower = [], []
    for column, (first, colon, second) in enumerate(parts):
        leaf = {"scope": "col", "class_": styles[column], "data_column": str(column)}
        if not colon:
            spans = {"rowspan": "2"} if grouped else {}
            upper.append(tag("th", first, **leaf, **spans))
            continue
        if column == 0 or parts[column - 1][:2] != (first, colon):
            width = 1
            while column + width < len(parts) and parts[column + width][:2] == (first, colon):
                width += 1
            upper.append(tag("th", first, scope="colgroup", colspan=str(width), class_="group"))
        lower.append(tag("th", second, **leaf))
    return [tag("tr", *row) for row in (upper, lower) if row]


def png(source: str, alt: str, caption: str, *, wide: bool = False) -> Markup:
    """Build a figure with the picture inside the page.

    Parameters
    ----------
    source : str
        The PNG file in base64.
    alt : str
        What the picture shows, for those who do not see it.
    caption : str
        Line below it.
    wide : bool, default=False
        Whether the picture keeps a size at which it can be read, and scrolls on a narrow screen.

    Returns
    -------
    Markup
    """
    image = tag("img", src=f"data:image/png;base64,{source}", alt=alt)
    if wide:
        image = tag(
            "div", image, class_="scroll wide", role="region", aria_label=caption, tabindex="0"
        )
    return tag("figure", image, tag("figcaption", caption))


def details(title: str, content: object) -> Markup:
    """Build a part of the page that opens when it is asked for."""
    return tag("details", tag("summary", title), content)
