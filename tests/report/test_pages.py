"""Templates: whatever they are given is escaped."""

import re
from importlib.resources import files

import pytest
from jinja2 import UndefinedError

from sfmforensics._utils.pages import columns, templates

EVIL = "<script>alert('x')</script>\" onload=\"y"


def test_whatever_is_given_is_escaped_wherever_it_stands():
    page = templates("report").from_string(
        '{% from "parts.html" import picture, table %}{{ table([a, a ~ ": x"], [[a, a]], a) }}'
        "{{ picture(a, a, a, wide=true) }}{% set b %}\n {{ a }}\n{% endset %}"
        "<i title='{{ b | line }}'>"
    )
    html = page.render(a=EVIL)
    assert "<script" not in html
    assert '" onload' not in html
    assert html.count("&lt;script&gt;") == 11


def test_what_is_not_given_is_an_error():
    with pytest.raises(UndefinedError):
        templates("report").from_string("{{ nothing }}").render()


def test_no_template_says_that_something_is_safe():
    sources = [
        path.read_text(encoding="utf-8") for path in files("sfmforensics").rglob("templates/*.html")
    ]
    assert len(sources) >= 4
    assert not any(re.search(r"\|\s*safe|autoescape", source) for source in sources)


def test_neighbours_share_a_heading_only_where_they_stand_together():
    laid_out = columns(["model", "a: x", "a: y", "b", "a: z"], text=["model", "y"])
    assert [one.span for one in laid_out] == [0, 2, 0, 0, 1]
    assert [one.style for one in laid_out] == ["label", "number", "label", "number", "number"]
