import ast
import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sfmforensics._utils.names import (
    describe_source,
    escape_text,
    keep_name,
    name_on_disk,
    show_name,
)

NAMES = st.binary(max_size=30).map(os.fsdecode) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=30
)


@given(NAMES)
@example("'a\\nb'")
@example(" a")
@example("")
def test_a_name_that_is_shown_can_be_read_back_and_is_no_others(name):
    shown = show_name(name)
    assert shown.isprintable()
    assert shown.encode().decode() == shown
    assert shown.strip() == shown != ""
    assert (ast.literal_eval(shown) if shown.startswith(("'", '"')) else shown) == name
    kept = keep_name(name)
    assert (ast.literal_eval(kept) if kept.startswith(("'", '"')) else kept) == name
    assert kept.encode().decode() == kept


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("voix été.wav", "voix été.wav"),
        ("صوت 1.wav", "صوت 1.wav"),
        (r"C:\voices\a.wav", r"C:\voices\a.wav"),
        ("a\nb.wav", r"'a\nb.wav'"),
        (r"a\nb.wav", r"a\nb.wav"),
        ("\x1b[2J\x9b1m.wav", r"'\x1b[2J\x9b1m.wav'"),
        (b"caf\xe9.wav", r"'caf\udce9.wav'"),
        ("a\u202evaw.exe", r"'a\u202evaw.exe'"),
        ("a.wav ", "'a.wav '"),
        ("'a'.wav", '''"'a'.wav"'''),
    ],
)
def test_names(name, shown):
    assert show_name(name) == shown


def test_blanks_that_a_table_can_hold_stay_in_it():
    for name in ("3.14\u202fPM.wav", "a\u200cb.wav", "a\u00a0b.wav", " a.wav"):
        assert keep_name(name) == name
        assert show_name(name) != name


def test_names_that_would_be_read_in_another_order_stand_escaped_in_a_table():
    assert keep_name("a\u202evaw.exe") == show_name("a\u202evaw.exe") == r"'a\u202evaw.exe'"


@given(st.text(max_size=30))
def test_a_text_becomes_harmless_and_harmless_text_stays(text):
    harmless = escape_text(text)
    assert harmless.replace("\n", "").isprintable()
    assert escape_text(harmless) == harmless


def test_whatever_is_handed_in_has_a_name():
    class Strange:
        def __iter__(self):
            raise RuntimeError

    for source in (None, 17, (1,), Strange(), ([[1], [1, 2]], 8_000), ([1.0], 10**5_000)):
        assert describe_source(source) == f"recording of type {type(source).__name__}"
    assert describe_source(([0.0], "\x1b[2J")) == r"signal of shape (1,) at \u001b[2J Hz"


def test_in_a_locale_of_ascii_a_name_is_that_of_the_disk_and_is_shown_as_it_is(monkeypatch):
    monkeypatch.setattr(os, "fsencode", lambda name: name.encode("ascii", "surrogateescape"))
    monkeypatch.setattr(os, "fsdecode", lambda name: str(name) if isinstance(name, str)
                        else name.decode("ascii", "surrogateescape"))  # fmt: skip
    for name in ("été.wav", "голос.wav", "王.wav"):
        on_disk = name_on_disk(name)
        assert os.fsencode(on_disk) == name.encode()
        assert name_on_disk(on_disk) == on_disk
        assert show_name(on_disk) == keep_name(on_disk) == name
    assert show_name(b"caf\xe9.wav") == r"'caf\udce9.wav'"
