"""Outputs destroy nothing: neither what is read in the same run nor what somebody else wrote."""

import json
import os
import shutil
import stat
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from sfmforensics import save_model
from sfmforensics._utils.outputs import check_outputs, is_manifest, is_model, nothing, own_files
from sfmforensics.cli import app, common, main
from sfmforensics.cli._options import Use, uses_of
from sfmforensics.datasets import load_manifest, make_speech_corpus
from sfmforensics.exceptions import OutputError
from sfmforensics.workflow import (
    compare_files,
    evaluate_corpus,
    identify_files,
    load_model,
    predict_files,
    train_model,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_figures")]

OLD = Path(__file__).parents[1] / "fixtures" / "0.1.0"
COMMANDS = {one.callback.__name__: one.callback for one in app.registered_commands}


# -- nothing is forgotten ----------------------------------------------------------------------


def kinds_of(hint):
    """The types that an annotation is made of: {str, NoneType} for Annotated[str | None, ...]."""
    inner = [one for one in get_args(hint) if isinstance(one, type) or get_args(one)]
    return set().union(*map(kinds_of, inner)) if inner else {hint}


@pytest.mark.parametrize("name", [*COMMANDS, "common"])
def test_every_parameter_that_may_be_a_path_says_what_is_done_with_it(name):
    command = COMMANDS.get(name, common)
    marked = uses_of(command)
    for parameter, hint in get_type_hints(command, include_extras=True).items():
        if {str, Path} & kinds_of(hint):
            assert parameter in marked, f"{name}: mark {parameter} with a Use, see cli/_options.py"
    assert all(isinstance(use, Use) for use, _ in marked.values())


# -- a folder to work in -----------------------------------------------------------------------

VIEWS = ["mfcc", "prosody"]
QUICK = {"folds": 2, "epochs": 1, "protocol": "both"}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Voices, tables, a calibrated model, a speech model, and the results of each command."""
    folder = tmp_path_factory.mktemp("work")
    voices = make_speech_corpus(12, 4, duration=0.4, random_state=0, output=folder / "voices")
    table = voices.target.assign(path=voices.data)
    table[8:].to_csv(folder / "T.csv", index=False)
    table[:8].to_csv(folder / "S.csv", index=False)
    table[8:12].to_csv(folder / "E.csv", index=False)
    (folder / "C.toml").write_text(
        "".join(
            f'[corpora.{name}]\ncorpus = "table"\nroot = "{name}.csv"\nallow_outside = true\n'
            for name in "TS"
        )
    )
    (folder / "grid.json").write_text('{"dropout": [0.1, 0.5]}')
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = Wav2Vec2Config(
        **sizes, intermediate_size=16, conv_dim=(8,) * 7, num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    Wav2Vec2Model(config).save_pretrained(folder / "w2v")
    Wav2Vec2FeatureExtractor().save_pretrained(folder / "w2v")
    before = os.getcwd()
    os.chdir(folder)
    try:
        for name in ("train", "embed", "evaluate", "cross", "reproduce", "assess", "report"):
            assert main(line(name)) == 0, name
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(work, monkeypatch):
    monkeypatch.chdir(work)
    return work


SHARED = {"corpus": "manifest", "root": "T.csv", "allow_outside": True, "cache": "cache"}
LINES = {
    "demo": {"output": "demo"},
    "describe": SHARED,
    "embed": {**SHARED, "output": "matrix"},
    "evaluate": {**SHARED, **QUICK, "model": "tango,single", "output": "results"},
    "cross": {"corpora": "C.toml", "cache": "cache", "folds": 2, "model": "svm", "output": "cross"},
    "reproduce": {**SHARED, **QUICK, "tables": "1", "preset": "tuned", "output": "tables"},
    "train": {**SHARED, "epochs": 1, "calibrate": "0.5", "output": "m.safetensors"},
    "predict": {"model": "m.safetensors", "files": ["voices/s01/a.wav"]},
    "compare": {"model": "m.safetensors", "questioned": "s01-0", "known": ["s02-0"]},
    "identify": {"model": "m.safetensors", "files": ["s01-0"], "enrolled": "E.csv"},
    "assess": {**SHARED, "model": "m.safetensors", "root": "S.csv", "output": "assessment"},
    "report": {"directory": "results"},
    "verify": {"path": "results"},
}
"""What each command is given, by parameter."""


def sound(name):
    """A recording: "s02-1" is the second of the second speaker."""
    speaker, _, number = name.partition("-")
    found = sorted(Path("voices", speaker).glob("*.wav"))
    return str(found[int(number)]) if number.isdigit() else name


def line(command, **given):
    """A command with what it is given, as it would be typed."""
    given = {**LINES[command], **given}
    hints = get_type_hints(COMMANDS[command], include_extras=True)
    uses = uses_of(COMMANDS[command])
    arguments = []
    for parameter in hints:  # positional ones in their order
        value = given.get(parameter)
        if value is None or parameter == "return":
            continue
        name = uses[parameter][1] if parameter in uses else f"--{parameter.replace('_', '-')}"
        values = list(map(sound, value if isinstance(value, list) else [str(value)]))
        if not name.startswith("--"):
            arguments += values
        else:
            arguments += [name] if value is True else [name, *values]
    return [command, *arguments]


READABLE = {
    # What is read where a parameter is given, and what it is to be given then.
    "corpora": lambda command: ("C.toml", "C.toml"),
    "corpora tables": lambda command: ("S.csv", None),
    "root": lambda command: ("S.csv" if command == "assess" else "T.csv", None),
    "recordings": lambda command: (sound("s01-1" if command == "assess" else "s05-1"), None),
    "views": lambda command: ("w2v/model.safetensors", "mfcc,w=w2v"),
    "search": lambda command: ("grid.json", "grid.json"),
    "model": lambda command: ("m.safetensors", "m.safetensors"),
    "files": lambda command: (sound("s01-1"), ["s01-1"]),
    "questioned": lambda command: (sound("s01-1"), "s01-1"),
    "known": lambda command: (sound("s02-1"), ["s02-1", "s02-2"]),
    "enrolled": lambda command: ("E.csv", None),
    "enrolled recordings": lambda command: (sound("s03-1"), None),
    "directory": lambda command: ("results/scores.csv", None),
    "path": lambda command: ("results/scores.csv", None),
}


def pairs():
    """Every option of every command that is written, with each that is read in the same run."""
    for command, function in COMMANDS.items():
        uses = uses_of(function)
        read = [name for name, (use, _) in uses.items() if use.read or use.views]
        read += ["recordings"] if "root" in read and command != "verify" else []
        read += ["enrolled recordings"] if "enrolled" in read else []
        read += ["corpora tables", "recordings"] if command == "cross" else []
        for written, (use, _) in {**uses, "log": (Use(written=bool), "--log")}.items():
            if (use.written is not None or use.folder) and written != "cache":
                yield from ((command, written, name) for name in read)


def as_it_is(folder):
    """Every file with what changes if it does; and every folder."""
    return {
        path: None if path.is_dir() else (found.st_ino, found.st_size, found.st_mtime_ns)
        for path in folder.rglob("*")
        for found in [path.lstat()]
    }


def clash(kind, source, place):
    """Let a place be a file that is read: its other name, or a link to it."""
    place.parent.mkdir(exist_ok=True)
    if kind == "link":
        place.symlink_to(Path(source).absolute())
    else:
        os.link(source, place)


@pytest.mark.parametrize(("command", "written", "read"), list(pairs()))
def test_what_is_written_is_never_what_is_read(command, written, read, here, capsys):
    source, value = READABLE[read](command)
    given = {} if value is None else {read: value}
    if (command, read) == ("evaluate", "corpora"):
        given |= {"corpus": None, "root": None, "allow_outside": None}
    hints = get_type_hints(COMMANDS[command])
    extra = ["--overwrite"] if "overwrite" in hints else []
    before = as_it_is(here)

    def refused(arguments, *says):
        now = as_it_is(here)
        assert main(arguments) == 1, (arguments, capsys.readouterr())
        said = " ".join(capsys.readouterr().err.split())
        assert all(words in said for words in says), said
        assert as_it_is(here) == now  # nothing was computed, nor kept

    if written == "log":
        clash("link", source, here / "link")
        refused(["--log", source, *line(command, **given)], "is no log", "--log")
        refused([*line(command, **given), "--log=link"], "is no log", "--log")
        Path("link").unlink()
    elif uses_of(COMMANDS[command])[written][0].folder:
        # Every file that the command wrote into such a folder, replaced by one that is read.
        folder = Path(LINES[command].get("output", "results"))
        names = [*json.loads((folder / "manifest.json").read_text())["results"], "manifest.json"]
        new = Path("new") if command != "report" else folder
        arguments = {written: "new"} if command != "report" else {}
        for position, name in enumerate(names if command != "report" else ["report.html"]):
            if (new / name).exists():
                os.rename(new / name, "kept")
            clash(("link", "hard")[position % 2], source, new / name)
            refused(
                [*line(command, **given, **arguments), *extra],
                *(name, "would write over it, but", "--output" if arguments else "DIR reads it"),
            )
            (new / name).unlink()
            if Path("kept").exists():
                os.rename("kept", new / name)
        if command != "report":
            new.rmdir()
    else:
        option = uses_of(COMMANDS[command])[written][1]
        says = option, "would write over it, but", "reads it"
        refused([*line(command, **given, **{written: source}), *extra], *says)
        for kind in ("link", "hard"):
            clash(kind, source, here / "other")
            refused([*line(command, **given, **{written: "other"}), *extra], *says)
            Path("other").unlink()
        refused(line(command, **given, **{written: source}), option)
    assert as_it_is(here) == before


# -- nobody else's file is replaced --------------------------------------------------------------

THEIRS = {
    "manifest.json": b'{"format": "of a browser"}',
    "config.json": b'{"model_type": "wav2vec2"}',
    "views.json": b"[]",
    "recordings.csv": b"recording,speaker\na.wav,s01\n",
    "vectors.npy": b"\x93NUMPY of somebody",
    ".csv": b"path,score\na.wav,0.5\n",
    ".png": b"\x89PNG\r\n\x1a\n of a camera",
    ".html": b"<html><title>Notes</title></html>",
    ".md": b"# Notes\n",
    ".tex": b"\\documentclass{article}\n",
}


@pytest.mark.parametrize("command", ["embed", "evaluate", "reproduce", "assess", "report"])
def test_files_of_somebody_else_stay_and_those_of_a_run_are_replaced(command, here, capsys):
    folder = Path(LINES[command].get("output", "results"))
    names = [*json.loads((folder / "manifest.json").read_text())["results"], "manifest.json"]
    for name in names if command != "report" else ["report.html"]:
        new = Path("theirs")
        shutil.copytree(folder, new) if command == "report" else new.mkdir()
        theirs = THEIRS.get(name, THEIRS.get(Path(name).suffix))
        (new / name).write_bytes(theirs)
        parameter = "directory" if command == "report" else "output"
        assert main(line(command, **{parameter: "theirs"})) == 1
        said = " ".join(capsys.readouterr().err.split())
        assert f"{name}: a file is there already" in said
        assert "--overwrite" in said
        assert (new / name).read_bytes() == theirs
        shutil.rmtree(new)
    assert main(line(command)) == 0, capsys.readouterr()  # into its own results once more


@pytest.mark.parametrize(
    ("command", "option", "theirs"),
    [
        ("predict", "manifest", "results/manifest.json"),  # of an evaluation: another kind
        ("predict", "manifest", "grid.json"),
        ("compare", "report", "results/report.html"),
        ("train", "output", "w2v/model.safetensors"),
    ],
)
def test_a_file_is_replaced_only_by_one_of_its_kind(command, option, theirs, here, capsys):
    before = as_it_is(here)
    given = {"files": ["s01-0"]} if command == "predict" else {}
    assert main(line(command, **given, **{option: theirs})) == 1
    assert "is there already" in capsys.readouterr().err
    assert as_it_is(here) == before


def test_answers_take_the_place_of_earlier_ones_and_with_leave_of_anything(here, capsys):
    shutil.copy("grid.json", "copy.json")
    predict = line("predict", files=["s01-0"], manifest="p.json")
    assert main(predict) == main(predict) == 0
    assert main(line("predict", files=["s01-0"], manifest="copy.json", overwrite=True)) == 0
    assert json.loads(Path("copy.json").read_text())["kind"] == "answers"
    capsys.readouterr()
    assert main(line("compare", report="both.html", manifest="both.html")) == 1
    said = capsys.readouterr().err
    assert "--manifest" in said
    assert "--report" in said


def test_devices_are_written_into_and_links_and_folders_refused(here, capsys):
    predict = {"files": ["s01-0"]}
    assert main(line("predict", **predict, manifest=os.devnull)) == 0
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    Path("dangling").symlink_to("nowhere")
    for place, says in [("dangling", "a link to a file that is not there"), ("w2v", "is a folder")]:
        capsys.readouterr()
        assert main(line("predict", **predict, manifest=place)) == 1
        assert says in " ".join(capsys.readouterr().err.split())
    Path("dangling").unlink()


def test_what_python_reads_is_kept_though_it_may_replace_the_rest(here):
    corpus = load_manifest("T.csv", allow_outside=True)
    assert corpus.filename == str(here / "T.csv")
    model = load_model("m.safetensors")
    before = as_it_is(here)
    first, second = sound("s01-0"), sound("s02-0")
    shutil.copytree("w2v", here / "own")
    attempts = [
        lambda: train_model(corpus, ["mfcc"], "T.csv", model="single", overwrite=True),
        lambda: train_model(
            corpus, ["w=own"], "own/model.safetensors", model="single", overwrite=True
        ),
        lambda: predict_files(model, [first], manifest=first, overwrite=True),
        lambda: predict_files(model, [first], manifest="m.safetensors", overwrite=True),
        lambda: compare_files(model, first, [second], manifest=second, overwrite=True),
        lambda: identify_files(model, [first], [second], ["s02"], manifest=second, overwrite=True),
        lambda: evaluate_corpus(corpus, ["w=own"], "own", models=["single"], overwrite=True),
        lambda: save_model(model, "T.csv"),
        lambda: make_speech_corpus(12, 4, duration=0.4, random_state=1, output="voices"),
    ]
    now = as_it_is(here)
    for attempt in attempts:
        with pytest.raises(OutputError, match=r"reads it|is there already"):
            attempt()
    assert as_it_is(here) == now
    shutil.rmtree("own")
    assert as_it_is(here) == before


@pytest.mark.parametrize("folder", ["evaluation", "reproduction", "assessment", "embedded"])
def test_what_0_1_0_wrote_is_known_by_its_manifest(folder, tmp_path):
    shutil.copytree(OLD / folder, tmp_path / "old")
    kind = {"embedded": "embeddings", "assessment": "assessment"}.get(folder, "evaluation")
    names = [*json.loads((tmp_path / "old" / "manifest.json").read_text())["results"]]
    tests = {**dict.fromkeys(names, nothing), "manifest.json": is_manifest(kind)}
    check_outputs({"output": own_files(tmp_path / "old", tests, kind)})
    with pytest.raises(OutputError, match="is there already"):
        check_outputs({"output": own_files(tmp_path / "old", tests, "another")})


def test_models_of_0_1_0_are_known_by_their_header():
    for path in (OLD / "models").iterdir():
        # What somebody dumped by hand is somebody's own.
        assert is_model(path) == (path.name != "by-hand.joblib"), path
    assert not is_model(OLD / "embedded" / "vectors.npy")
