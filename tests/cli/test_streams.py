"""Whatever the console's encoding, every command ends as it should and says all that it has to."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfmforensics._utils.streams import HANDLER, READABLE, any_encoding, readable
from sfmforensics.cli import main
from sfmforensics.cli._console import show_comparison
from sfmforensics.datasets import make_speech_corpus
from sfmforensics.evidence import Comparison

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_figures")]

ENCODINGS = ["cp1252", "latin-1", "ascii"]
NAMES = ["Zoë", "Łukasz", "Ольга", "José", "王", "Ann", "Bo", "Cy", "Di", "Ed", "Flo", "Gus"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A corpus of names in any script, and a model that is calibrated by it."""
    folder = tmp_path_factory.mktemp("Łódź")
    corpus = make_speech_corpus(12, 4, duration=0.4, random_state=0)
    import soundfile

    rows = []
    for number, (signal, rate) in enumerate(corpus.data):
        name = f"voix été {number}.wav" if number % 2 else f"голос{number}.wav"
        soundfile.write(folder / name, signal, rate)
        speaker = NAMES[int(corpus.target["speaker"][number][1:]) % 12]
        rows.append((name, speaker, corpus.target["emotion"][number], corpus.target["age"][number]))
    table = pd.DataFrame(rows, columns=["path", "speaker", "émotion", "age"])
    strangers = table["speaker"].isin(NAMES[:3])
    table[~strangers].to_csv(folder / "table.csv", index=False)
    table[strangers].to_csv(folder / "strangers.csv", index=False)
    enrolled = table[strangers].groupby("speaker", sort=False).head(2)
    enrolled.to_csv(folder / "enrolled.csv", index=False)
    before = Path.cwd()
    os.chdir(folder)
    try:
        shared = ["--corpus", "manifest", "--root", "table.csv", "--views", "mfcc,prosody"]
        train = ["train", *shared, "--epochs", "1", "--calibrate", "0.5", "--output", "m.sf"]
        assert main(train) == 0
        evaluate = ["evaluate", *shared[:4], "--views", "mfcc", "--epochs", "1", "--folds", "2"]
        evaluate += ["--model", "single", "--protocol", "closed", "--output", "results"]
        assert main(evaluate) == 0
    finally:
        os.chdir(before)
    return folder


def files_of(folder, table):
    return pd.read_csv(folder / table)["path"].tolist()


def commands(folder, encoding):
    """Each command, but those that take long; tables of scores have a test of their own."""
    mine, theirs = files_of(folder, "table.csv"), files_of(folder, "strangers.csv")
    compare = ["compare", "m.sf", theirs[0], theirs[-1]]
    enrolled = files_of(folder, "enrolled.csv")
    asked_about = [name for name in theirs if name not in enrolled][:2]
    identify = ["identify", "m.sf", *asked_about, "--enrolled", "enrolled.csv"]
    asked = ["--corpus", "manifest", "--cache", "embeddings"]
    return [
        ["describe", *asked, "--root", "table.csv", "--folds", "2"],
        ["embed", *asked, "--root", "table.csv"],
        *(["predict", "m.sf", *mine[:3], "--intervals", *form] for form in forms()),
        *([*compare, *form] for form in forms()),
        [*compare, "--report", "été.html", "--manifest", "été.json"],
        *([*identify, *form] for form in forms()),
        ["assess", "m.sf", *asked, "--root", "strangers.csv"],
        *(["verify", "m.sf", *form] for form in forms()),
        ["--help"],
        ["compare", "--help"],
        ["--version"],
        *([["report", "results"]] if encoding == "ascii" else []),
    ]


def forms():
    return [["--format", form] for form in ("table", "csv", "json")]


def ran(monkeypatch, encoding, arguments):
    """Exit code, standard output and error, as bytes, of streams that refuse what they cannot."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in "ab"]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        code = main(arguments)
        for stream in streams:
            stream.flush()
    assert all(stream.errors == "strict" for stream in streams)
    return code, *(stream.buffer.getvalue() for stream in streams)


EXPECTED = {}
"""What each command says in UTF-8."""


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_command_ends_well_and_says_the_same(place, encoding, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setenv("COLUMNS", "400")  # an escaped name is longer: tables would have other forms
    for number, arguments in enumerate(commands(place, encoding)):
        code, out, err = ran(monkeypatch, encoding, arguments)
        assert code == 0, (arguments, err.decode(encoding))
        if number not in EXPECTED:
            EXPECTED[number] = ran(monkeypatch, "utf-8", arguments)[1]
        expected = EXPECTED[number]
        if arguments[-1] == "json":
            assert out.isascii()
            assert json.loads(out) == json.loads(expected), arguments
        elif arguments[-1] == "csv":
            assert out == expected, arguments
        else:
            straight = [readable(word, encoding) for word in words(expected.decode())]
            assert words(out.decode(encoding)) == straight, (number, arguments)


def words(text):
    """What is said, without borders."""
    drawn = str.maketrans(dict.fromkeys("─━│┃┏┓┗┛┡┩╇┳┴└┘├┤┼╞|+-", " "))
    return [word for word in text.translate(drawn).split() if set(word) != {"u"}]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_ratio_below_1_is_printed(encoding, monkeypatch):
    """It holds a minus sign, of which cp1252, latin-1 and ASCII know nothing."""
    found = Comparison(-2.25, -2.5, -3.0, 3.0, 0.1, 1, 20, 60, 190, 0.2, 0.15, 0.05)
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    with any_encoding():
        show_comparison("é.wav", ["ł.wav"], found)
    stream.flush()
    said = stream.buffer.getvalue().decode(encoding)
    assert "1/180 (log10 -2.25)" in said
    assert r"\u0142.wav" in said
    assert ("é.wav" in said) == (encoding != "ascii")


def test_in_a_locale_of_ascii_as_a_process_of_its_own(place):
    """Names in a table are those of the disk, whatever the locale; and so are arguments."""
    theirs = files_of(place, "strangers.csv")
    lines = [
        ["compare", "m.sf", theirs[0], theirs[-1]],
        ["describe", "--corpus", "manifest", "--root", "strangers.csv", "--folds", "2"],
        ["predict", "m.sf", theirs[1], "--format", "csv"],
    ]
    code = "import sys; from sfmforensics.cli import main\n"
    # Arguments as a shell hands them over, in three lines.
    code += "given = ' '.join(sys.argv[1:]).split(' || ')\n"
    code += "sys.exit(max(main(line.split(' // ')) for line in given))"
    clean = {
        key: value for key, value in os.environ.items()
        if not key.startswith("LC_") and key not in ("LANG", "PYTHONIOENCODING", "COLUMNS")
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code, " || ".join(" // ".join(line) for line in lines)],
        cwd=place,
        env=clean | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode("ascii", "replace")
    assert b"likelihood ratio" in done.stdout
    assert b"findings" in done.stdout


@given(st.text())
def test_anything_can_be_written_and_ascii_stays(text):
    for encoding in (*ENCODINGS, "utf-8", "cp437", "shift-jis"):
        shown = readable(text, encoding)
        assert readable(shown, encoding) == shown
        if text.isascii():
            assert shown == text


def test_signs_have_names_and_letters_are_escaped():
    for sign, instead in READABLE.items():
        assert readable(sign, "ascii") == instead
    assert readable("é😀\udce9", "ascii") == r"\u00e9\ud83d\ude00\udce9"
    assert readable("é −", "latin-1") == "é -"  # noqa: RUF001


def test_streams_are_as_they_were_afterwards(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    with any_encoding():
        assert stream.errors == HANDLER
        print("−")  # noqa: RUF001
    assert stream.errors == "strict"
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with any_encoding():
        print("−")  # noqa: RUF001


def test_no_file_is_read_or_written_in_the_encoding_of_the_locale():
    """Of every call that opens a text file, in every module."""
    import ast

    import sfmforensics

    for file in Path(sfmforensics.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            given = {keyword.arg for keyword in node.keywords}
            values = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            binary = any(isinstance(value, str) and "b" in value for value in values)
            if name in ("read_text", "write_text") or (
                name == "open" and isinstance(node.func, ast.Name) and not binary
            ):
                assert "encoding" in given, f"{file}:{node.lineno}"
