import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfmforensics.datasets._columns import read_column

LABELS = "it was read as labels"


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (("007", "1", ""), "'007', digits behind a zero"),
        (("-05", "1"), "'-05', digits behind a zero"),
        (("00.5", "1"), "digits behind a zero"),
        (("1234567890123456", "1"), "more than 15 digits"),
        (("1234567890123456.5", "1"), "more than 15 digits"),
        (("+5", "-5", "0"), "'[+]5', a whole number with a sign that says nothing"),
        (("-0", "1"), "a sign that says nothing"),
        (("1.10", "1.1", "2"), "'1.1' and '1.10', one number in two spellings"),
        (("12", "12.0"), "'12' and '12.0', one number in two spellings"),
        (("1e3", "1000"), "'1000' and '1e3', one number in two spellings"),
        ((".5", "0.5"), "two spellings"),
        (("0.1", "0.10000000000000001"), "two spellings"),  # which are one double
        (("1.5", "n/a", "2"), "holds numbers, but also 'n/a'"),
        (("1.5", "NA", "NA", "NA"), "holds numbers, but also 'NA'"),
        (("1,5", "2"), "'1,5'; it was read as labels: if these are numbers"),
        (("1 234", "1 235"), "'1 234'; .*without marks between thousands"),
        (("1.234,5", "1.235,5"), "'1.234,5'"),
    ],
)
def test_names_among_numbers_stay_as_written_and_are_told(cells, says):
    column, said = read_column(cells)
    assert column.tolist() == [cell or None for cell in cells]
    assert column.dtype == object
    assert re.search(says, said)
    assert LABELS in said


@pytest.mark.parametrize(
    "cells",
    [
        ("12.50", "12.6"),
        ("0.5", "0"),
        ("1e3", "2.5E-1", "+7.5"),
        ("-0.0", "0.0", "0.5"),  # what rounding leaves
        ("0.30000000000000004", "23.456789012345678"),  # what pandas writes of a double
        ("123456789012345.5",),
        ("12.0", "13.0"),
        (".5", "5."),
    ],
)
def test_numbers_stay_numbers(cells):
    column, said = read_column(cells)
    assert column.dtype == np.float64
    assert column.tolist() == list(map(float, cells))
    assert not said


@pytest.mark.parametrize(
    "cells", [("a", "b"), ("01", "x2", "x3"), ("0x10", "0x1f"), ("True", "False"), ("nan", "NA")]
)
def test_of_labels_that_look_like_labels_nothing_is_said(cells):
    assert read_column(cells)[0].tolist() == list(cells)
    assert not read_column(cells)[1]


def test_integers_that_went_through_pandas_are_numbers_and_told():
    column, said = read_column(["12.0", "", "13.0"])
    assert column.dtype == float
    assert "as pandas writes integers with gaps; it was read as numbers" in said


NUMBERS = st.one_of(
    st.from_regex(r"[+-]?[0-9]{1,20}(\.[0-9]{0,3})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
    st.integers(-20, 20).map(str),
    st.integers(-20, 20).map(lambda n: f"{n / 10}"),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)


@given(st.lists(st.just("") | NUMBERS, min_size=1, max_size=6).filter(any))
def test_cells_that_differ_never_become_one(cells):
    column, _ = read_column(cells)
    values = dict(zip(cells, column, strict=True))
    values.pop("", None)
    # Of zeros that are numbers the sign is none of their spelling.
    spelt = {cell.lstrip("-") if value == 0.0 else cell for cell, value in values.items()}
    assert len(set(values.values())) == len(spelt)
    # Classes come back in answers as they stand in the table.
    if column.dtype.kind != "f":
        assert all(str(value) == cell for cell, value in values.items())


@given(st.lists(st.just("") | st.text(min_size=1, max_size=6), min_size=1, max_size=6).filter(any))
def test_any_text_is_read_and_what_is_no_number_stays_itself(cells):
    column, _ = read_column(cells)
    if column.dtype.kind != "f":
        assert [str(value) if value is not None else "" for value in column] == cells
    else:
        assert np.isnan(column).tolist() == [not cell for cell in cells]
