import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfmforensics.datasets import load_manifest
from sfmforensics.exceptions import DatasetError, DatasetWarning


@pytest.fixture
def write_table(make_files, tmp_path):
    """Write a table, with the recordings a.wav, b.wav and c.wav beside it."""

    def write(text, encoding="utf-8"):
        make_files("a.wav", "b.wav", "c.wav", root=tmp_path)
        table = tmp_path / "table.csv"
        table.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
        return table

    return write


def column(write_table, name, *cells):
    rows = "".join(f"{file}.wav,{cell}\n" for file, cell in zip("abc", cells, strict=False))
    return load_manifest(write_table(f"path,{name}\n{rows}")).target[name]


def test_paths_are_relative_to_the_table_and_stay_in_its_order(write_table, tmp_path, monkeypatch):
    table = write_table(f"speaker,path\nx,b.wav\ny,./a.wav\nz,{tmp_path}/c.wav\n")
    monkeypatch.chdir(tmp_path.parent)
    corpus = load_manifest(table)
    assert corpus.data == [str(tmp_path / name) for name in ("b.wav", "a.wav", "c.wav")]
    assert corpus.target.to_dict("list") == {"speaker": ["x", "y", "z"]}
    assert corpus.groups.tolist() == ["x", "y", "z"]


@pytest.mark.parametrize("name", ["speaker", "emotion", "gender"])
def test_labels_stay_as_written(write_table, name):
    labels = column(write_table, name, "01", "", "NA")
    assert labels.tolist() == ["01", None, "NA"]
    assert labels.dtype == object


def test_speakers_that_are_missing_share_a_group(write_table):
    corpus = load_manifest(write_table("path,speaker\na.wav,x\nb.wav,\nc.wav,  \n"))
    assert corpus.groups.tolist() == ["x", "", ""]


def test_age_is_a_float_with_gaps(write_table):
    ages = column(write_table, "age", "33", "", "40.5")
    assert ages.dtype == np.float64
    np.testing.assert_array_equal(ages, [33, np.nan, 40.5])


def test_known_names_are_recognised_in_capitals(write_table):
    target = load_manifest(write_table("Path,Speaker,AGE,Room\na.wav,01,33,x\n")).target
    assert target.to_dict("list") == {"speaker": ["01"], "age": [33.0], "Room": ["x"]}


@pytest.mark.parametrize(
    ("cells", "values", "dtype"),
    [
        (("1", "2", "3"), [1, 2, 3], np.int64),
        (("1", "", "-3"), [1, None, -3], object),
        (("01", "02", "03"), ["01", "02", "03"], object),
        (("1.5", "2", "1e3"), [1.5, 2.0, 1000.0], np.float64),
        (("yes", "", "no"), ["yes", None, "no"], object),
        (("True", "False", "True"), ["True", "False", "True"], object),
        (("9" * 25, "1", "2"), [float("9" * 25), 1.0, 2.0], np.float64),
    ],
)
def test_other_columns_are_inferred(write_table, cells, values, dtype):
    found = column(write_table, "extra", *cells)
    assert found.dtype == dtype
    assert found.tolist() == values
    assert list(map(type, found.tolist())) == list(map(type, values))


def test_a_float_column_may_have_gaps(write_table):
    found = column(write_table, "score", "0.5", "", "1")
    assert found.dtype == np.float64
    assert np.isnan(found[1])


def test_a_column_of_numbers_with_a_slip_is_pointed_out(write_table):
    with pytest.warns(DatasetWarning, match="'score' holds numbers, but also 'n/a'"):
        assert column(write_table, "score", "0.5", "n/a", "1.5").tolist() == ["0.5", "n/a", "1.5"]


def test_a_blank_column_is_left_out(write_table):
    table = write_table("path,age,emotion\na.wav,,x\nb.wav, ,y\n")
    with pytest.warns(DatasetWarning, match="'age' is blank"):
        assert list(load_manifest(table).target) == ["emotion"]


def test_recordings_without_labels_are_accepted(write_table):
    corpus = load_manifest(write_table("path\na.wav\nb.wav\n"))
    assert corpus.target.shape == (2, 0)
    assert corpus.groups is None


def test_what_spreadsheets_leave_behind_is_ignored(write_table):
    table = write_table("path,emotion,\r\na.wav,froh,\r\n\r\n,,\r\nb.wav,müde,\r\n", "utf-8-sig")
    corpus = load_manifest(table)
    assert corpus.target.to_dict("list") == {"emotion": ["froh", "müde"]}


@pytest.mark.parametrize("age", ["thirty", "nan", "inf", "-3", "0", "131", "33,5"])
def test_an_age_that_is_none_is_named(write_table, age):
    table = write_table(f'path,speaker,age\na.wav,x,20\n\nb.wav,y,"{age}"\n')
    with pytest.raises(DatasetError, match=f"row 4, column 'age': '{age}'"):
        load_manifest(table)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("path,speaker\n", "no recordings"),
        ("file,speaker\na.wav,x\n", r"no column 'path', found \['file', 'speaker'\]"),
        ("path;speaker\na.wav;x\n", "separate the columns by commas"),
        ("path,age,age\na.wav,1,2\n", r"\['age'\] more than once"),
        ("path,Age,age\na.wav,1,2\n", r"\['age'\] more than once"),
        (",path\n0,a.wav\n", "column 1 has no name"),
        ("path,speaker\na.wav,x\nb.wav\n", "row 3 has 1 cells, the header has 2"),
        ("path,speaker\na.wav,x,y\n", "row 2 has 3 cells"),
        ("path,speaker\n,x\n", "row 2 has no path"),
        ("path\na.wav\n\n./a.wav\n", r"lists ./a.wav twice \(rows 2 and 4\)"),
        ("path\n1.wav\n2.wav\na.wav\n3.wav\n4.wav\n", "4 of 5 .*1.wav, 2.wav, 3.wav and 1 more"),
        ("path,speaker\na.wav,Jörg\n".encode("latin-1"), "is not UTF-8.*CSV UTF-8"),
        ("path\na.wav\n".encode("utf-16"), "is not UTF-8"),
        ('path\n"' + "a" * 200_000, "is not a CSV table"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(write_table, text, message):
    table = write_table(text)
    with pytest.raises(DatasetError, match=message) as refused:
        load_manifest(table)
    assert str(table) in str(refused.value)


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        load_manifest(tmp_path / "table.csv")
    with pytest.raises(DatasetError, match="is a folder"):
        load_manifest(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.none() | st.integers(-(10**17), 10**17), min_size=3, max_size=3))
def test_integers_never_become_a_regression_task(write_table, values):
    if all(value is None for value in values):
        values[0] = 0
    cells = ["" if value is None else str(value) for value in values]
    found = column(write_table, "extra", *cells)
    assert found.dtype.kind != "f"
    assert found.tolist() == values
