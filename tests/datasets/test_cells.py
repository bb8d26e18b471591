import csv
import io
import os
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfmforensics.datasets._cells import read_cells
from sfmforensics.exceptions import DatasetError


@pytest.fixture
def write(tmp_path):
    def make(content):
        path = tmp_path / "table.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


def workbook():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as book:
        book.writestr("xl/workbook.xml", "<workbook/>")
    return file.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "path,speaker\na.wav,x\n",
        "path,speaker\r\na.wav,x\r\n",
        "path,speaker\ra.wav,x",
        "\ufeffpath,speaker\na.wav,x\n",
        '"path","speaker"\n"a.wav","x"\n',
        " path , speaker \n a.wav ,\u00a0x\u00a0\n",
        'path, "speaker"\na.wav, "x"\n',
        "sep=,\r\npath,speaker\r\na.wav,x\r\n",
        "\ufeffsep=;\npath;speaker\na.wav;x\n",
        "SEP=\t\npath\tspeaker\na.wav\tx\n",
        '"sep=,",\npath,speaker\na.wav,x\n',
        '"sep=;"\npath;speaker\na.wav;"x"\n',
    ],
)
def test_what_programs_write_is_read_alike(write, text):
    assert read_cells(write(text)) == [(1, ["path", "speaker"]), (2, ["a.wav", "x"])]


def test_blank_rows_are_left_out_but_counted(write):
    assert read_cells(write("\n\npath\n,\n\na.wav\n")) == [(3, ["path"]), (6, ["a.wav"])]
    assert read_cells(write("\n  \n")) == read_cells(write("")) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path\na.wav\n".encode("utf-16"), "is not UTF-8, but text in UTF-16; .*'CSV UTF-8'"),
        ("path\na.wav\n".encode("utf-32"), "but text in UTF-32"),
        ("path\na.wav\n".encode("utf-16-le"), r"row 1: the cell 'p\\x00.*NUL byte, as .*UTF-16"),
        ("path\na.wav\n".encode("utf-16-be"), r"row 1: the cell '\\x00p.*NUL byte"),
        ("path\nJörg.wav\n".encode("latin-1"), r"is not UTF-8 \(line 2, byte 0xf6\); save it as"),
        (b"path\n" + b"a.wav\n" * 9000 + b"\xff", r"line 9002, byte 0xff"),
        (workbook(), r"a workbook \(.xlsx, .ods\) or another zip file; save it as CSV"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), r"a workbook \(.xls\)"),
        (b"path,speaker\na.wav,x\0y\n", r"row 2: the cell 'x\\x00y' holds a NUL byte"),
        (b"path,speaker\na.wav,\x1b[2J\n", r"row 2: the cell '\\x1b\[2J' holds a control char"),
        ('path,speaker\na.wav,"x\nb.wav,y\n', "row 2: a double quote is opened and never closed"),
        ('path,"speaker\na.wav,x\n', "row 1: a double quote is opened and never closed"),
        ('path,speaker\na.wav,"x\nb.wav,"y"\n', "row 2: text follows a closing double quote"),
        ("path,speaker\na.wav," + "x" * 10**6, "row 2: a cell is longer than 131072 characters"),
        ("sep=#\npath#speaker\n", "its first line states that '#' separates the cells; separate"),
        ("path\n" + "a,b" * 10**6, "line 2 has 1048576 characters or more"),
    ],
)
def test_what_is_no_table_is_refused_with_place_and_remedy(write, content, message):
    path = write(content)
    with pytest.raises(DatasetError, match=message) as refused:
        read_cells(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert len(str(refused.value)) < 500


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "table.csv")
    with pytest.raises(DatasetError, match="is no file"):
        read_cells(tmp_path / "table.csv")


def test_a_table_that_may_not_be_read_is_named(write, monkeypatch):
    path = write("path\n")

    def refuse(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(DatasetError, match=r"table\.csv: cannot be read \(Permission denied\)"):
        read_cells(path)


PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=8)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.lists(PLAIN, min_size=2, max_size=2), max_size=5))
def test_what_the_csv_module_writes_comes_back(write, rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    stripped = [(i, [cell.strip() for cell in row]) for i, row in enumerate(rows, start=1)]
    if text.getvalue().startswith("\ufeff"):  # the mark of an encoding, not a letter
        return
    assert read_cells(write(text.getvalue())) == [row for row in stripped if any(row[1])]
