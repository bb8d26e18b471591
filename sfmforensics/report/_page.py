"""The frame of every page: one file that loads nothing from anywhere."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from sfmforensics.report._markup import Markup, join, tag

if TYPE_CHECKING:
    from collections.abc import Sequence


def page_of(
    title: str, main: Markup, *, styles: Sequence[str] = (), script: str | None = None
) -> str:
    """Put a page together.

    Parameters
    ----------
    title : str
        What the browser shows above it.
    main : Markup
        The element that holds all of the content.
    styles : sequence of str, default=()
        Files of this package that are added to ``report.css``.
    script : str or None, default=None
        File of this package; without one the page may run none at all.

    Returns
    -------
    str

    Examples
    --------
    >>> "script" in page_of("Nothing", tag("main"))
    False
    """
    # Even if something slipped through, the page may load nothing from anywhere.
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    if script is not None:
        policy += "; script-src 'unsafe-inline'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("link", rel="icon", href="data:,"),
        tag("style", join(_asset(name) for name in ("report.css", *styles))),
    )
    scripts = [] if script is None else [tag("script", _asset(script))]
    body = tag("body", main, *scripts)
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _asset(name: str) -> Markup:
    return Markup(files("sfmforensics.report").joinpath(name).read_text(encoding="utf-8"))
