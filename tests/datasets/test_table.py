import json
import os
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfmforensics.audio import Segment
from sfmforensics.datasets import load_corpus, load_table
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
    return load_table(write_table(f"path,{name}\n{rows}")).target[name]


def test_paths_are_relative_to_the_table_and_stay_in_its_order(write_table, tmp_path, monkeypatch):
    table = write_table(f"speaker,path\nx,b.wav\ny,./a.wav\nz,{tmp_path}/c.wav\n")
    monkeypatch.chdir(tmp_path.parent)
    corpus = load_table(table)
    assert corpus.data == [str(tmp_path / name) for name in ("b.wav", "a.wav", "c.wav")]
    assert corpus.target.to_dict("list") == {"speaker": ["x", "y", "z"]}
    assert corpus.groups.tolist() == ["x", "y", "z"]


@pytest.mark.parametrize("name", ["speaker", "emotion", "gender"])
@pytest.mark.parametrize("cells", [("1", "", "NA"), ("1", "", "3"), ("1.0", "", "2.0")])
@pytest.mark.filterwarnings("ignore:.*also 'NA'")
def test_labels_stay_as_written(write_table, name, cells):
    labels = column(write_table, name, *cells)
    assert labels.tolist() == [cell or None for cell in cells]
    assert labels.dtype == object


def test_speakers_that_are_missing_share_a_group(write_table):
    corpus = load_table(write_table("path,speaker\na.wav,x\nb.wav,\nc.wav,  \n"))
    assert corpus.groups.tolist() == ["x", "", ""]


def test_age_is_a_float_with_gaps(write_table):
    ages = column(write_table, "age", "33", "", "40.5")
    assert ages.dtype == np.float64
    np.testing.assert_array_equal(ages, [33, np.nan, 40.5])


def test_known_names_are_recognised_in_capitals(write_table):
    target = load_table(write_table("Path,Speaker,AGE,Room\na.wav,01,33,x\n")).target
    assert target.to_dict("list") == {"speaker": ["01"], "age": [33.0], "Room": ["x"]}


@pytest.mark.parametrize(
    ("cells", "values", "dtype"),
    [
        (("1", "2", "3"), [1, 2, 3], np.int64),
        (("1", "", "-3"), [1, None, -3], object),
        (("1.5", "2", "1e3"), [1.5, 2.0, 1000.0], np.float64),
        (("yes", "", "no"), ["yes", None, "no"], object),
        (("True", "False", "True"), ["True", "False", "True"], object),
    ],
)
def test_other_columns_are_inferred(write_table, cells, values, dtype):
    found = column(write_table, "extra", *cells)
    assert found.dtype == dtype
    assert found.tolist() == values
    assert list(map(type, found.tolist())) == list(map(type, values))


def test_numbers_that_are_names_are_labels_which_is_said(write_table):
    ids = ["20240330000000000001", "20240330000000000002", "20240330000000000003"]
    says = "'extra' holds '20240330000000000001', more than 15 digits, .*; it was read as labels"
    with pytest.warns(DatasetWarning, match=says):
        assert column(write_table, "extra", *ids).tolist() == ids
    with pytest.warns(DatasetWarning, match="'take' holds '1.1' and '1.10', one number in two"):
        assert column(write_table, "take", "1.10", "1.1").tolist() == ["1.10", "1.1"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert column(write_table, "score", "12.50", "12.6").tolist() == [12.5, 12.6]
        assert column(write_table, "age", "012.50", "12.5").tolist() == [12.5, 12.5]


def test_long_numbers_that_a_spreadsheet_has_cut_are_pointed_out(write_table):
    for name in ("speaker", "extra"):
        with pytest.warns(DatasetWarning, match=f"'{name}' holds '2.02403E.19', a long number"):
            column(write_table, name, "2.02403E+19", "2.02403E+19")


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
        assert list(load_table(table).target) == ["emotion"]


def test_recordings_without_labels_are_accepted(write_table):
    corpus = load_table(write_table("path\na.wav\nb.wav\n"))
    assert corpus.target.shape == (2, 0)
    assert corpus.groups is None


def test_what_spreadsheets_leave_behind_is_ignored(write_table):
    table = write_table("path,emotion,\r\na.wav,froh,\r\n\r\n,,\r\nb.wav,müde,\r\n", "utf-8-sig")
    corpus = load_table(table)
    assert corpus.target.to_dict("list") == {"emotion": ["froh", "müde"]}


@pytest.mark.parametrize(
    "age", ["thirty", "nan", "inf", "-3", "0", "131", "999", "33,5", "3_3", "\uff13\uff13"]
)
def test_an_age_that_is_none_is_named(write_table, age):
    table = write_table(f'path,speaker,age\na.wav,x,20\n\nb.wav,y,"{age}"\n')
    with pytest.raises(DatasetError, match=f"row 4, column 'age': '{age}'"):
        load_table(table)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("path,speaker\n", "no recordings"),
        ("file,speaker\na.wav,x\n", r"no column 'path', found \['file', 'speaker'\]"),
        ("path;speaker\na.wav;x\n", "separate the columns by commas"),
        ("path,age,age\na.wav,1,2\n", r"\['age'\] more than once"),
        ("path,Age,age\na.wav,1,2\n", r"\['age'\] more than once"),
        (",path\nx,a.wav\n", "column 1 has no name"),
        ("Unnamed: 0,path\n1,a.wav\n1,b.wav\n2,c.wav\n", "column 1 has no name"),
        ("path,start,end\na.wav,0,1\nb.wav,2,1.5\n", "row 3 ends at 1.5 s and begins at 2 s"),
        ("path,end\na.wav,0\n", "row 2 ends at 0 s and begins at 0 s"),
        ("path,start\na.wav,-1\n", "row 2, column 'start': '-1' is no number of seconds"),
        ("path,start\na.wav,0:30\n", "'0:30' is no number of seconds.*as in 12.5"),
        ("path,Start,End\na.wav,1,2\na.wav,1.0,2.000\n", r"lists a.wav#t=1,2 twice .rows 2 and 3"),
        ("path,channel\na.wav,1\nb.wav,phone\n", "row 3, column 'channel': 'phone', where other"),
        ("path,speaker\na.wav,x\nb.wav\n", "row 3 has 1 cells, the header has 2"),
        ("path,speaker\na.wav,x,y\n", "row 2 has 3 cells"),
        ("path,speaker\n,x\n", "row 2 has no path"),
        ("path\na.wav\n\n./a.wav\n", r"lists ./a.wav twice \(rows 2 and 4\)"),
        ("path\n1.wav\n2.wav\na.wav\n3.wav\n4.wav\n", "4 of 5 .*1.wav, 2.wav, 3.wav and 1 more"),
        ("path,speaker\na.wav,Jörg\n".encode("latin-1"), "is not UTF-8.*CSV UTF-8"),
        ("path\na.wav\n".encode("utf-16"), "is not UTF-8"),
        ('path\n"' + "a" * 200_000, "row 2: a cell is longer than 131072 characters"),
        ("path|speaker\na.wav|x\n", "separate the columns by commas"),
        ("path;age\na.wav;33,5\n", r"no column 'path', found .*separate the columns by commas"),
        ('path,"spea\nker"\na.wav,x\n', r"column name 'spea\\nker' holds a line break"),
        ("path,score\na.wav,1.5\nb.wav,-1e999\n", "row 3, column 'score': '-1e999' is too large"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(write_table, text, message):
    table = write_table(text)
    with pytest.raises(DatasetError, match=message) as refused:
        load_table(table)
    assert str(table) in str(refused.value)


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        load_table(tmp_path / "table.csv")
    with pytest.raises(DatasetError, match="is a folder"):
        load_table(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.none() | st.integers(1 - 10**15, 10**15 - 1), min_size=3, max_size=3))
def test_integers_never_become_a_regression_task(write_table, values):
    if all(value is None for value in values):
        values[0] = 0
    cells = ["" if value is None else str(value) for value in values]
    found = column(write_table, "extra", *cells)
    assert found.dtype.kind != "f"
    assert found.tolist() == values


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "Unnamed: 0.1", "index"])
@pytest.mark.parametrize("cells", ["012", "752"])
def test_an_index_is_left_out_with_a_word(write_table, name, cells):
    rows = "".join(f"{i},{file}.wav,{i}\n" for i, file in zip(cells, "abc", strict=True))
    with pytest.warns(DatasetWarning, match="numbers the rows.*left out.*index=False"):
        corpus = load_table(write_table(f"{name},path,room\n{rows}"))
    assert list(corpus.target) == ["room"]
    assert corpus.details.shape == (3, 0)


def test_an_index_of_several_tables_in_one_is_left_out(write_table):
    table = write_table(",path,room\n0,a.wav,x\n1,b.wav,y\n0,c.wav,z\n")
    with pytest.warns(DatasetWarning, match="column 1, without a name, numbers the rows"):
        assert list(load_table(table).target) == ["room"]


LABELLED = "path,speaker,Emotion,age,note\na.wav,x,joy,33,007\nb.wav,,fear,,\nc.wav,y,joy,40,1\n"


def test_tasks_are_chosen_and_the_rest_is_kept_as_written(write_table):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of what is not learnt nothing is said
        corpus = load_corpus("table", write_table(LABELLED), tasks=["age", "Emotion"])
    assert list(corpus.target) == ["emotion", "age"]  # in the order of the table
    assert corpus.target["age"].dtype == float
    assert corpus.details.to_dict("list") == {
        "speaker": ["x", None, "y"],
        "note": ["007", None, "1"],
    }
    assert corpus.groups.tolist() == ["x", "", "y"]


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        (["emotion", "mood"], "no column 'mood' to be learnt; there are speaker, emotion, age"),
        ([], "no task is named; there are speaker"),
        ("emotion", r"tasks is 'emotion', one text; give a list of names, as in \['emotion'\]"),
        (["path"], "'path' is no task"),
        (["Session"], "'Session' is no task: such a column says what a recording is"),
    ],
)
def test_tasks_that_are_no_columns_are_refused(write_table, tasks, says):
    with pytest.raises(DatasetError, match=says):
        load_table(write_table(LABELLED), tasks=tasks)


def test_a_chosen_column_that_is_blank_is_refused(write_table):
    with pytest.raises(DatasetError, match="'emotion' is blank, but chosen"):
        load_table(write_table("path,emotion,age\na.wav,,3\n"), tasks=["emotion"])


def test_what_is_not_chosen_cannot_stop_a_corpus_but_segments_do(write_table):
    table = write_table("path,emotion,age\na.wav,joy,unknown\n")
    assert load_table(table, tasks=["emotion"]).details["age"].tolist() == ["unknown"]
    with pytest.raises(DatasetError, match="column 'start_time'; if its rows are segments"):
        load_table(write_table("path,emotion,start_time\na.wav,joy,0\n"), tasks=["emotion"])


def test_the_first_line_of_excel_is_obeyed(write_table):
    with pytest.warns(DatasetWarning, match="'level' holds '1,5'; .*with a decimal point"):
        corpus = load_table(write_table("sep=;\npath;age;level\na.wav;33;1,5\n", "utf-8-sig"))
    assert corpus.target.to_dict("list") == {"age": [33.0], "level": ["1,5"]}
    with pytest.raises(DatasetError, match=r"row 2, column 'age': '33,5' .*the decimal sign is a"):
        load_table(write_table("sep=;\npath;age\na.wav;33,5\n"))


def test_names_that_come_near_are_told(write_table):
    table = write_table("path\nA.WAV\nb.Wav\nC:\\x\\c.wav\nd.wav\n")
    with pytest.raises(DatasetError) as refused:
        load_table(table)
    assert (
        "4 of 4 recordings do not exist (A.WAV, b.Wav, C:\\x\\c.wav and 1 more; the first is in "
        "row 2); 2 differ in capitals from files that are there (A.WAV is a.wav and 1 more), 1 "
        "differs in the folder from a file that is there (C:\\x\\c.wav is c.wav), so write"
    ) in str(refused.value)


def test_an_endless_path_does_not_make_an_endless_message(write_table):
    with pytest.raises(DatasetError, match=r"xxx\.\.\.xxx.*the first is in row 3") as refused:
        load_table(write_table("path\na.wav\n" + "x" * 5000 + ".wav\n"))
    assert len(str(refused.value)) < 600


def test_a_line_break_in_a_label_is_pointed_out_and_kept(write_table):
    with pytest.warns(DatasetWarning, match=r"row 2, column 'emotion': 'a\\nb' holds a line break"):
        assert column(write_table, "emotion", '"a\nb"', "c").tolist() == ["a\nb", "c"]


def test_a_label_that_a_spreadsheet_would_run_is_pointed_out_and_kept(write_table):
    with pytest.warns(DatasetWarning, match="row 3, column 'emotion': '=1[+]1' is a formula"):
        assert column(write_table, "emotion", "-", "=1+1").tolist() == ["-", "=1+1"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert column(write_table, "score", "-1", "+2.5").tolist() == [-1, 2.5]


@pytest.fixture
def house(tmp_path):
    """A table in its folder, beside a recording that is none of its business."""
    inside = tmp_path / "inside"
    inside.mkdir()
    for place in (inside / "a.wav", tmp_path / "secret.wav"):
        place.touch()

    def write(path):
        (inside / "table.csv").write_text(f"path,speaker\na.wav,x\n{path},y\n")
        return inside / "table.csv"

    return write


@pytest.mark.parametrize("path", ["../secret.wav", "sub/../../secret.wav", "{0}/secret.wav"])
def test_a_recording_outside_of_the_folder_is_refused(house, tmp_path, path):
    table = house(path.format(tmp_path))
    expected = f"row 3 leads to {tmp_path}/secret.wav, outside of {tmp_path}/inside; .*--allow-outs"
    with pytest.raises(DatasetError, match=expected):
        load_table(table)
    corpus = load_table(table, allow_outside=True)
    assert corpus.data[1] == str(tmp_path / "secret.wav")


@pytest.mark.parametrize("of", ["file", "folder"])
def test_a_link_that_leads_outside_is_refused(house, tmp_path, of):
    if of == "file":
        (tmp_path / "inside/link.wav").symlink_to("../secret.wav")
        table = house("link.wav")
    else:
        (tmp_path / "inside/sub").symlink_to(tmp_path)
        table = house("sub/secret.wav")
    with pytest.raises(DatasetError, match=f"row 3 leads to {tmp_path}/secret.wav"):
        load_table(table)
    assert len(load_table(table, allow_outside=True).data) == 2


def test_whether_a_recording_exists_is_not_told_of_another_folder(house, tmp_path):
    messages = []
    for name in ("secret", "nothing"):
        with pytest.raises(DatasetError, match="outside of") as refused:
            load_table(house(f"../{name}.wav"))
        messages.append(str(refused.value).replace(name, ""))
    assert messages[0] == messages[1]


def test_links_that_stay_inside_are_followed(house, tmp_path):
    (tmp_path / "inside/deep").mkdir()
    (tmp_path / "inside/deep/b.wav").touch()
    (tmp_path / "inside/link.wav").symlink_to("deep/b.wav")
    assert load_table(house("link.wav")).data[1] == str(tmp_path / "inside/link.wav")
    # The folder itself may be behind a link: what counts is where both lead.
    (tmp_path / "door").symlink_to("inside")
    assert len(load_table(tmp_path / "door/table.csv").data) == 2


def test_the_root_of_the_recordings_can_be_another_folder(house, tmp_path):
    (tmp_path / "b.wav").touch()
    table = tmp_path / "inside/table.csv"
    table.write_text(f"path\nb.wav\n{tmp_path}/inside/a.wav\n")
    found = load_table(table, root=tmp_path).data
    assert found == [str(tmp_path / "b.wav"), str(tmp_path / "inside/a.wav")]
    with pytest.raises(DatasetError, match="nowhere: is no folder; give root"):
        load_table(table, root=tmp_path / "nowhere")
    # A name that only begins alike is another folder.
    (tmp_path / "inside-out").mkdir()
    (tmp_path / "inside-out/a.wav").touch()
    table.write_text("path\n../inside-out/a.wav\n")
    with pytest.raises(DatasetError, match="outside of"):
        load_table(table)


def test_only_what_lists_its_recordings_can_lead_outside(house, tmp_path):
    table = house("../secret.wav")
    assert len(load_corpus("table", table, allow_outside=True).data) == 2
    with pytest.raises(DatasetError, match="outside of"):
        load_corpus("table", table)
    with pytest.raises(
        DatasetError, match=r"'baved': it lists no recordings .* leave out --allow-outside"
    ):
        load_corpus("baved", tmp_path, allow_outside=True)


RECORDINGS = st.sampled_from(["a.wav", "b.wav", "..", "../b.wav", "/etc/passwd", "", "x", "a.wav "])
CELLS = RECORDINGS | st.text(max_size=6) | st.sampled_from(["33", "-1", "1e999", '"', "\n", "\0"])
TABLES = st.lists(st.lists(CELLS, max_size=4).map(",".join), max_size=6).map("\n".join)
BYTES = (
    st.binary(max_size=60)
    | TABLES.map(lambda rows: f"path,age,room\n{rows}".encode("utf-8", "surrogatepass"))
    | TABLES.map(lambda rows: f"path,age\n{rows}".encode("utf-16", "surrogatepass"))
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(BYTES)
def test_any_bytes_are_a_corpus_or_an_error_in_one_line(write_table, tmp_path, content):
    refused = ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DatasetWarning)
        try:
            corpus = load_table(write_table(content))
        except DatasetError as error:
            refused = str(error)
    if refused:
        assert str(tmp_path) in refused
        assert "\n" not in refused
    else:
        # Nothing but what is in the folder is ever listed.
        assert {os.path.dirname(path) for path in corpus.data} == {str(tmp_path)}
        assert len(corpus.data) == len(corpus.target) == len(corpus.details)


def test_rows_are_segments_where_they_say_so(write_table, tmp_path):
    rows = "a.wav,0.5,2,left,x,hi\na.wav,2,,2,y,\nb.wav,,,,x,so\n"
    corpus = load_table(write_table(f"path,start,End,channel,speaker,text\n{rows}"))
    a, b = str(tmp_path / "a.wav"), str(tmp_path / "b.wav")
    assert corpus.data == [Segment(a, 0.5, 2.0, 1), Segment(a, 2.0, None, 2), b]
    assert [getattr(one, "origin", "") for one in corpus.data] == [
        "table.csv, row 2",
        "table.csv, row 3",
        "",
    ]
    assert list(corpus.target) == ["speaker"]
    assert corpus.details.drop(columns=["start", "end"]).to_dict("list") == {
        "channel": [1, 2, None],
        "text": ["hi", None, "so"],
    }
    np.testing.assert_array_equal(corpus.details["end"], [2, np.nan, np.nan])


def test_a_row_of_all_of_a_file_is_the_file(write_table, tmp_path):
    corpus = load_table(write_table("path,start,end\na.wav,0,\nb.wav,,1\nc.wav,,\n"))
    assert [type(one) for one in corpus.data] == [str, Segment, str]
    with pytest.raises(DatasetError, match=r"lists a\.wav twice"):
        load_table(write_table("path,start\na.wav,0.0\na.wav,\n"))


def test_a_channel_that_is_no_side_is_a_detail(write_table):
    corpus = load_table(write_table("path,channel,speaker\na.wav,phone,x\nb.wav,,y\n"))
    assert [type(one) for one in corpus.data] == [str, str]
    assert corpus.details["channel"].tolist() == ["phone", None]


def test_what_says_what_a_recording_is_is_never_learnt(write_table):
    columns = ["text", "split", "session", "condition", "voice", "rater1", "Rater_B", "emotion"]
    corpus = load_table(write_table(f"path,{','.join(columns)}\na.wav,{','.join('01234567')}\n"))
    assert list(corpus.target) == ["emotion"]
    assert list(corpus.details) == [name.lower() for name in columns[:-1]]


SAME_TABLE = """path,speaker,age,emotion,take,score,note
a.wav,01,33,joy,1,0.5,x
b.wav,02,,,2,1.25,
c.wav,01,40.5,calm,3,2,"y, z"
"""


@pytest.fixture
def records():
    return [
        {"path": "a.wav", "speaker": "01", "age": 33, "emotion": "joy", "take": 1, "score": 0.5}
        | {"note": "x"},
        {"path": "b.wav", "speaker": "02", "age": None, "take": 2, "score": 1.25, "note": None},
        {"path": "c.wav", "speaker": "01", "age": 40.5, "emotion": "calm", "take": 3, "score": 2.0}
        | {"note": "y, z"},
    ]


@pytest.mark.parametrize("form", ["json", "jsonl", "parquet"])
def test_json_and_parquet_give_what_csv_gives(write_table, tmp_path, records, form):
    expected = load_table(write_table(SAME_TABLE))
    table = tmp_path / f"table.{form}"
    if form == "json":
        table.write_text(json.dumps(records))
    elif form == "jsonl":
        table.write_text("\n".join(map(json.dumps, records)) + "\n\n")
    else:
        pytest.importorskip("pyarrow", reason="pyarrow, of the extra parquet, is not installed")
        pd.DataFrame(records).astype({"take": "int32"}).to_parquet(table)
    corpus = load_table(table)
    assert corpus.data == expected.data
    columns = list(expected.target)  # in the order in which they first appear
    pd.testing.assert_frame_equal(corpus.target[columns], expected.target)
    assert corpus.groups.tolist() == ["01", "02", "01"]
    assert corpus.filename == str(table)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("t.jsonl", '{"path": "a.wav"}\n{"path":', r"t.jsonl: line 2: this is not JSON"),
        ("t.jsonl", '["a.wav"]\n', r"record 1 is \['a.wav'\], not an object such as"),
        ("t.json", '{"path": "a.wav"}', "holds a dict, not a list of objects"),
        ("t.json", "[]", "holds no recordings"),
        ("t.json", '[{"path": "a.wav", "age": [3]}]', "record 1: 'age' holds a list"),
        ("t.json", '[{"file": "a.wav"}]', "has no column 'path', found"),
        ("t.jsonl", '{"path": "a.wav"}\n{"speaker": "x"}\n', "line 2 has no path"),
        ("t.json", '[{"path": "a.wav", "x": "\\u0007"}]', "'x' holds a control character"),
        ("t.json", '[{"path": "a.wav"}, {"path": "d.wav"}]', "first is in record 2"),
        ("t.json", b"\xff", "is not UTF-8"),
        ("t.parquet", "PAR", "cannot be read as Parquet"),
    ],
)
def test_records_that_cannot_be_used_are_refused(make_files, tmp_path, name, text, says):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="pyarrow, of the extra parquet, is not installed")
    make_files("a.wav", root=tmp_path)
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DatasetError, match=says):
        load_table(tmp_path / name)


def test_numbers_of_json_are_names_where_their_text_says_so(make_files, tmp_path):
    make_files("a.wav", "b.wav", root=tmp_path)
    rows = '[{"path": "a.wav", "take": 1.10}, {"path": "b.wav", "take": 1.1}]'
    (tmp_path / "t.json").write_text(rows)
    with pytest.warns(DatasetWarning, match="one number in two spellings"):
        assert load_table(tmp_path / "t.json").target["take"].tolist() == ["1.10", "1.1"]
