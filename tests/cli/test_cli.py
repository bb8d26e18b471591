import json
import os
import shlex
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.utils import Bunch

from sfmforensics._utils.names import keep_name, show_name
from sfmforensics.cli import main
from sfmforensics.embedders import MFCCEmbedder, ProsodyEmbedder

COMMANDS = ["demo", "describe", "embed", "evaluate", "reproduce", "train", "predict", "report"]
SCRIPT = Path(sys.executable).parent / "sfmforensics"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def corpus(here, corpus):
    """The recordings in a folder below: a table does not name others."""
    source = os.path.commonpath(corpus.data)
    shutil.copytree(source, here / "voices")
    data = [str(here / "voices" / os.path.relpath(path, source)) for path in corpus.data]
    return Bunch(data=data, target=corpus.target)


@pytest.fixture
def manifest(here, corpus):
    """Twelve recordings of four speakers, with blanks in every column of labels."""
    rows = [i for i in range(36) if i % 6 < 3][:12]
    table = corpus.target.iloc[rows].reset_index(drop=True)
    table.insert(0, "path", [corpus.data[i] for i in rows])
    for position, column in enumerate(["speaker", "emotion", "gender", "age"]):
        table.loc[position * 3, column] = None
    table.to_csv(here / "table.csv", index=False)
    return "table.csv"


def refused(capsys, *arguments, code=1):
    """What a refusal says: one line, no traceback."""
    assert main(list(arguments)) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    lines = [line for line in said.splitlines() if line.startswith("sfmforensics: ")]
    lines = [line for line in lines if not line.startswith("sfmforensics: warning")]
    assert len(lines) == 1, said
    return lines[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_answers_help(command, capsys):
    assert main([command, "--help"]) == 0
    assert "--help" in capsys.readouterr().out


def test_the_script_is_installed_and_knows_its_version():
    done = subprocess.run([SCRIPT, "--version"], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.startswith("sfmforensics ")


@pytest.mark.slow
def test_a_table_with_blanks_goes_all_the_way(manifest, here, capsys):
    shared = ["--corpus", "manifest", "--root", manifest, "--cache", "cache", "--epochs", "1"]
    assert main(["describe", "--corpus", "manifest", "--root", manifest]) == 0
    said = capsys.readouterr()
    assert "12" in said.out
    assert said.err.count("1 of 12 rows have no 'speaker'") == 1
    assert main(["embed", "--corpus", "manifest", "--root", manifest, "--cache", "cache"]) == 0
    assert "mfcc: 12 recordings, 40 numbers each" in capsys.readouterr().out
    evaluate = ["evaluate", *shared, "--protocol", "both", "--folds", "3", "--output", "results"]
    assert main([*evaluate, "--model", "tango,single"]) == 0
    said = capsys.readouterr()
    assert "not defined" in said.out
    assert "1 of 12 rows have no 'speaker'" in said.err
    scores = pd.read_csv("results/scores.csv")
    assert scores.columns.tolist() == [
        "model", "views", "protocol", "fold", "task", "metric", "value",
    ]  # fmt: skip
    command = json.loads((here / "results" / "config.json").read_text())["command"]
    assert shlex.split(command) == ["sfmforensics", *evaluate, "--model", "tango,single"]
    assert main(["report", "results"]) == 0
    assert (here / "results" / "report.html").exists()
    assert main(["train", *shared, "--output", "models/tango.safetensors"]) == 0
    assert (here / "models" / "tango.safetensors").exists()


@pytest.mark.slow
def test_evaluate_searches_repeats_and_leaves_out_each_speaker(manifest, here, capsys):
    shared = ["evaluate", "--corpus", "manifest", "--root", manifest, "--cache", "cache"]
    shared += ["--epochs", "1", "--protocol", "disjoint", "--model", "tango,svm"]
    assert main([*shared, "--folds", "2", "--repeats", "2", "--output", "twice"]) == 0
    assert "p: corrected resampled t-test" in capsys.readouterr().out
    assert pd.read_csv("twice/scores.csv")["fold"].nunique() == 4
    assert main([*shared, "--leave-one-speaker-out", "--output", "each"]) == 0
    assert pd.read_csv("each/scores.csv")["fold"].nunique() == 4  # speakers
    (here / "grid.json").write_text('{"reg": [0.1, 0.5]}')
    alone = [*shared[:-1], "tango", "--folds", "2"]
    for given in ("grid.json", '{"reg": [0.1, 0.5]}'):
        assert main([*alone, "--search", given, "--output", "searched"]) == 0
        config = json.loads((here / "searched" / "config.json").read_text())
        assert config["search"] == {"reg": [0.1, 0.5]}
        assert {one["parameter"] for one in config["chosen"]} == {"reg"}
        assert len(config["chosen"]) == 2


def test_predict_answers_in_three_forms_and_names_what_it_refused(manifest, here, corpus, capsys):
    assert main(["train", "--corpus", "manifest", "--root", manifest, "--epochs", "1",
                 "--output", "m.safetensors"]) == 0  # fmt: skip
    (here / "text.wav").write_text("no sound")
    files = [corpus.data[0], corpus.data[8]]
    capsys.readouterr()
    assert main(["predict", "m.safetensors", *files]) == 0
    shown = capsys.readouterr().out
    assert "%)" in shown  # each label with its probability
    assert shown.count("male") == 2
    assert main(["predict", "m.safetensors", *files, "text.wav", "--format", "csv"]) == 1
    said = capsys.readouterr()
    assert pd.read_csv(StringIO(said.out))["path"].tolist() == files
    assert "text.wav" in said.err
    assert main(["predict", "m.safetensors", *files, "none.wav", "--format", "json"]) == 1
    said = capsys.readouterr()
    assert [row["path"] for row in json.loads(said.out)] == files
    assert "none.wav: no such file" in said.err
    assert main(["predict", "m.safetensors", "text.wav", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out) == []
    assert main(["predict", "m.safetensors", "text.wav", "--format", "csv"]) == 1
    assert pd.read_csv(StringIO(capsys.readouterr().out)).empty


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_predict_shows_any_name_harmlessly(manifest, here, corpus, encoding):
    train = ["train", "--corpus", "manifest", "--root", manifest, "--epochs", "1"]
    train += ["--model", "single", "--views", "mfcc", "--output", "m.safetensors"]
    assert main(train) == 0
    good = [os.fsdecode(b"caf\xe9.wav"), "\x1b[31mred\x9b0m.wav", "[red]a  b:warning:.wav"]
    good += ["two\nlines.wav", "'a'.wav"]
    for name in good:
        shutil.copy(corpus.data[0], name)
    bad = [os.fsdecode(b"b\xe9d.wav"), "\x1b]0;title\x07.wav", "a  b.wav", "no\nsound.wav"]
    for name in bad:
        Path(name).write_text("no sound")
    environment = os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": "200"}
    for form in ("table", "csv", "json"):
        done = subprocess.run(
            [SCRIPT, "predict", "m.safetensors", *good, *bad, "--format", form],
            capture_output=True,
            env=environment,
            cwd=here,
        )
        out, err = done.stdout.decode(encoding), done.stderr.decode(encoding)
        assert done.returncode == 1
        for text in (out, err):
            assert text.replace("\n", "").isprintable()
        lines = [line for line in err.splitlines() if line.startswith("sfmforensics: ")]
        assert lines == [
            f"sfmforensics: {show_name(name)}: it cannot be read as sound (Format not recognised); "
            "leave it out or replace it by a recording that can be played"
            for name in bad
        ]
        if form == "table":
            assert all(show_name(name) in out for name in good)
        elif form == "csv":
            assert pd.read_csv(StringIO(out))["path"].tolist() == list(map(keep_name, good))
        else:
            assert [row["path"] for row in json.loads(out)] == good


def test_embedding_twice_computes_once_and_paths_stay_whole(manifest, capsys, monkeypatch):
    cache = "a-long-name-" * 9 + "[bold]"  # longer than a terminal is wide, and no markup
    embed = ["embed", "--corpus", "manifest", "--root", manifest, "--cache", cache]
    assert main(embed) == 0
    assert f"kept in {cache}\n" in capsys.readouterr().out
    for embedder in (MFCCEmbedder, ProsodyEmbedder):
        monkeypatch.setattr(embedder, "_embed", lambda *_: pytest.fail("embedded again"))
    assert main(embed) == 0
    assert "mfcc: 12 recordings, 40 numbers each" in capsys.readouterr().out


@pytest.mark.slow
def test_describe_shows_what_is_wrong_with_a_corpus(here, corpus, capsys):
    rows = [0, 1, 6, 7, 12, 13]
    table = corpus.target.iloc[rows].reset_index(drop=True)
    table.insert(0, "path", [corpus.data[i] for i in rows])
    table.loc[5, "age"] += 30
    shutil.copy(corpus.data[0], "copy.wav")
    (here / "text.wav").write_text("no sound")
    table.loc[6] = ["copy.wav", *table.loc[2].iloc[1:]]
    table.loc[7] = ["text.wav", *table.loc[2].iloc[1:]]
    table.to_csv("table.csv", index=False)
    command = ["describe", "--corpus", "manifest", "--root", "table.csv", "--folds", "2"]
    done = subprocess.run(
        [SCRIPT, *command], capture_output=True, text=True, env=os.environ | {"COLUMNS": "200"}
    )
    assert done.returncode == 0, done.stderr
    for row in (
        "that are copies of another 1",
        "that cannot be read 1",
        f"{here / 'text.wav'} it cannot be read as sound",
        f"s01 = s02 1 {Path(corpus.data[0]).name} = copy.wav",
        "s03 age",
        "serious: one recording under two speakers s01 = s02: 1 recording.",
        "pairs that are near copies 0",
    ):
        assert row in " ".join(done.stdout.replace("│", " ").split())
    assert (here / "embeddings").is_dir()


def test_describe_looks_for_near_copies_in_the_views_that_are_named(manifest, here, capsys):
    describe = ["describe", "--corpus", "manifest", "--root", manifest, "--folds", "2"]
    assert main([*describe, "--views", ""]) == 0
    assert "near copies" not in capsys.readouterr().out
    assert not (here / "embeddings").exists()
    signal, rate = soundfile.read(pd.read_csv(manifest)["path"][1])
    soundfile.write("quiet.ogg", 0.5 * signal, rate)
    table = pd.read_csv(manifest, dtype=object)
    table.loc[len(table)] = ["quiet.ogg", *table.iloc[1, 1:]]
    table.to_csv(manifest, index=False)
    assert main([*describe, "--views", "mfcc,prosody", "--cache", "kept"]) == 0
    said = capsys.readouterr().out
    assert "pairs that are near copies │ 1" in said
    assert "quiet.ogg" in said
    assert len(list((here / "kept").iterdir())) == 2
    assert "wisper" in refused(capsys, *describe, "--views", "wisper")


def bad(kind, here):
    """A wav that cannot be used."""
    file = here / "bad.wav"
    noise = np.random.default_rng(0).normal(size=8000) * 0.1
    if kind == "text":
        file.write_text("no sound")
    elif kind == "empty":
        file.touch()
    elif kind == "header":
        soundfile.write(file, noise[:0], 16_000)
    elif kind == "zeros":
        soundfile.write(file, noise * 0, 16_000)
    else:
        noise[7] = np.nan
        soundfile.write(file, noise, 16_000, subtype="FLOAT")
    return file


@pytest.mark.parametrize("kind", ["text", "empty", "header", "zeros", "nan"])
@pytest.mark.parametrize("command", ["embed", "evaluate", "train"])
def test_a_recording_that_cannot_be_used_is_named(kind, command, here, corpus, capsys):
    table = pd.DataFrame({"path": [corpus.data[0], corpus.data[7], bad(kind, here)]})
    table.assign(speaker=list("aba")).to_csv("table.csv", index=False)
    options = {
        "evaluate": ["--folds", "2", "--protocol", "closed"],
        "train": ["--output", "m.joblib"],
    }.get(command, [])
    line = refused(
        capsys, command, "--corpus", "manifest", "--root", "table.csv", "--views", "mfcc,prosody",
        *options,
    )  # fmt: skip
    assert "bad.wav" in line
    assert "leave it out" in line


# -- leaving out what cannot be used -----------------------------------------------------------


@pytest.fixture
def half_broken(here, corpus):
    """Tables of five recordings, two of which cannot be used, and of the other three."""
    broken = bad("text", here).rename(here / "broken.wav")
    silent = bad("zeros", here).rename(here / "silent.wav")
    good = [corpus.data[0], corpus.data[7], corpus.data[14]]
    pd.DataFrame({"path": [good[0], broken, good[1], silent, good[2]]}).to_csv("all.csv")
    pd.DataFrame({"path": good}).to_csv("good.csv")
    for table in ("all.csv", "good.csv"):
        pd.read_csv(table, index_col=0).assign(emotion="calm").to_csv(table, index=False)
    return str(broken), str(silent)


def embed_table(table, *options):
    return ["embed", "--corpus", "manifest", "--root", table, "--cache", "cache", *options]


def test_skipping_lists_each_refusal_once_and_keeps_all_others(half_broken, capsys, monkeypatch):
    broken, silent = half_broken
    assert main(embed_table("all.csv", "--views", "mfcc,prosody", "--on-error", "skip")) == 1
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if line.startswith("sfmforensics: ")]
    assert [line.partition(" (")[0] for line in lines[:2]] == [
        f"sfmforensics: {broken}: it cannot be read as sound",
        f"sfmforensics: {silent}: every sample is 0",
    ]
    assert lines[2:] == ["sfmforensics: left out: 2 of 5 recordings"]
    assert "(for " not in said.err
    assert "mfcc: 3 recordings, 40 numbers each" in said.out
    assert "prosody: 3 recordings, 34 numbers each" in said.out
    for embedder in (MFCCEmbedder, ProsodyEmbedder):
        monkeypatch.setattr(embedder, "_embed", lambda *_: pytest.fail("embedded again"))
    assert main(embed_table("good.csv", "--on-error", "stop")) == 0
    assert "left out" not in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--on-error", "stop"]], ids=["default", "stop"])
def test_not_skipping_stops_at_the_first(half_broken, capsys, options):
    broken, _ = half_broken
    line = refused(capsys, *embed_table("all.csv", *options))
    assert broken in line
    assert "silent.wav" not in line
    assert "left out" not in line


def test_skipping_where_nothing_is_wrong_is_a_success(half_broken, capsys):
    assert main(embed_table("good.csv", "--on-error", "skip")) == 0
    assert "sfmforensics: " not in capsys.readouterr().err


def test_what_one_view_alone_cannot_use_is_listed_with_that_view(half_broken, capsys, monkeypatch):
    monkeypatch.setattr(ProsodyEmbedder, "_min_samples", 16_000)  # twice what there is
    assert main(embed_table("good.csv", "--on-error", "skip")) == 1
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if line.startswith("sfmforensics: ")]
    assert len(lines) == 4
    assert all(line.endswith("at least 1000 ms are needed (for prosody)") for line in lines[:3])
    assert "mfcc: 3 recordings" in said.out
    assert "prosody: 0 recordings" in said.out


def test_what_to_do_on_an_error_is_stop_or_skip(half_broken, capsys):
    assert main(embed_table("all.csv", "--on-error", "ignore")) == 2
    assert "ignore" in capsys.readouterr().err


# -- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--corpus", "baved", "--root", "nowhere"], ["nowhere", "SPEAKER-SEX-AGE"]),
        (["--corpus", "baved", "--root", "."], ["SPEAKER-SEX-AGE"]),
        (["--corpus", "emodb", "--root", "nowhere"], ["nowhere", "03a01Fa.wav"]),
        (["--corpus", "cremad", "--root", "nowhere"], ["nowhere", "AudioWAV"]),
        (["--corpus", "manifest", "--root", "none.csv"], ["none.csv"]),
        (["--corpus", "manifest", "--root", "no-path.csv"], ["no-path.csv", "'path'"]),
        (["--corpus", "manifest", "--root", "lost.csv"], ["lost.csv", "lost.wav"]),
        (["--views", "mfcc,wisper"], ["'wisper'", "did you mean 'whisper'"]),
        (["--views", "mfcc,mfcc"], ["two views are called 'mfcc'"]),
        (["--views", "mfcc,whisper=./none"], ["./none"]),
        (["--views", "mfcc"], ["mfcc", "--model single"]),
        (["--views", "mfcc,wavlm"], ["microsoft/wavlm-base", "hf download"]),
        (["--model", "lstm"], ["'lstm'", "tango"]),
        (["--folds", "99"], ["99 folds of 12"]),
        (["--output", "table.csv"], ["table.csv", "--output"]),
        (["--corpus", "manifest", "--root", "mute.csv"], ["give labels"]),
        (["--views", ","], ["no view was named"]),
        (["--model", ","], ["no model was named", "tango"]),
        (["--device", "banana"], ["'banana'", "cpu"]),
        (["--search", "grid.json"], ["grid.json", "no such file"]),
        (["--search", "{reg: 1}"], ["not JSON", '{"reg": [0.05, 0.1]}']),
        (["--search", '{"width": [1]}'], ["tango has no parameter 'width'", "reg"]),
        (["--search", '{"reg": 0.1}'], ["'reg' has 0.1", "give a list"]),
        (["--search", "no-path.csv"], ["no-path.csv", "not JSON"]),
        (["--corpus", "manifest", "--root", "away.csv"], ["away.csv: row 2", "--allow-outside"]),
        (["--corpus", "manifest", "--root", "no-speaker.csv"], ["'speaker'", "--protocol closed"]),
    ],
)
def test_what_evaluate_is_refused_in_one_line(arguments, says, manifest, here, corpus, capsys):
    (here / "no-path.csv").write_text("file,speaker\na.wav,1\n")
    (here / "away.csv").write_text("path,speaker\n../lost.wav,1\n")
    (here / "lost.csv").write_text("path,speaker\nlost.wav,1\n")
    files = "".join(f"{path},x\n" for path in corpus.data[:6])
    (here / "no-speaker.csv").write_text(f"path,emotion\n{files}")
    (here / "mute.csv").write_text("path\n" + files.replace(",x", ""))
    defaults = {"--corpus": "manifest", "--root": manifest, "--views": "mfcc,prosody"}
    for option, value in zip(arguments[::2], arguments[1::2], strict=True):
        defaults[option] = value
    line = refused(capsys, "evaluate", *[part for pair in defaults.items() for part in pair])
    for words in says:
        assert words in line


def test_other_refusals(manifest, here, capsys):
    assert "missing.joblib: no such file" in refused(capsys, "predict", "missing.joblib", "a.wav")
    (here / "bad.joblib").write_bytes(b"nothing")
    assert "--trust" in refused(capsys, "predict", "bad.joblib", "a.wav")
    assert "bad.joblib" in refused(capsys, "predict", "--trust", "bad.joblib", "a.wav")
    assert "sfmforensics evaluate" in refused(capsys, "report", "nowhere")
    assert "scores.csv is missing" in refused(capsys, "report", ".")
    embed = ["embed", "--corpus", "manifest", "--root", manifest]
    assert "table.csv is a file" in refused(capsys, *embed, "--cache", manifest)


@pytest.mark.parametrize("command", ["describe", "embed", "evaluate", "reproduce", "train"])
def test_every_command_keeps_to_the_folder_unless_told(command, here, corpus, capsys):
    away = here / "tables"
    away.mkdir()
    corpus.target[:6].assign(path=corpus.data[:6]).to_csv(away / "t.csv", index=False)
    asked = [command, "--root", str(away / "t.csv"), "--views", "mfcc", "--corpus"]
    asked += ["manifest", *(["--output", "m.safetensors"] if command == "train" else [])]
    assert f"row 2 leads to {corpus.data[0]}, outside of {away}" in refused(capsys, *asked)
    asked += ["--allow-outside"]
    if command in ("describe", "embed"):
        assert main(asked) == 0
    else:  # what is said next is about something else: the table was read
        assert "banana" in refused(capsys, *asked, "--device", "banana")
    asked[asked.index("manifest")] = "emodb"
    assert "lists no recordings that could lie outside" in refused(capsys, *asked)


def test_a_label_steers_no_terminal(here, corpus, capsys):
    rows = f"{corpus.data[0]},[/red]\n{corpus.data[7]},\x9b31m\n"
    (here / "t.csv").write_text(f"path,[/x]\n{rows}")
    assert main(["describe", "--corpus", "manifest", "--root", "t.csv", "--views", ""]) == 0
    said = capsys.readouterr().out
    assert "[/red]" in said
    assert "\x9b" not in said
    assert r"\x9b31m" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "--corpus", "baved"],
        ["evaluate", "--corpus", "baved", "--root", "x", "--folds", "1"],
        ["evaluate", "--corpus", "baved", "--root", "x", "--seed", "99999999999"],
        ["describe", "--corpus", "baved", "--root", "x", "--nonsense"],
        ["train", "--corpus", "baved", "--root", "x"],
        ["frobnicate"],
        ["predict"],
    ],
)
def test_a_misspelt_command_exits_with_2(arguments, capsys):
    assert main(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_ctrl_c_is_no_success_and_says_what_is_kept(manifest, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(MFCCEmbedder, "_embed", interrupt)
    embed = ["embed", "--corpus", "manifest", "--root", manifest]
    assert "in the cache" in refused(capsys, *embed, code=130)


@pytest.mark.slow
def test_debug_shows_where(here):
    command = [SCRIPT, "describe", "--corpus", "baved", "--root", "nowhere"]
    plain = subprocess.run(command, capture_output=True, text=True)
    debug = subprocess.run([*command, "--debug"], capture_output=True, text=True)
    assert plain.returncode == 1
    assert len(plain.stderr.strip().splitlines()) == 1
    assert debug.returncode != 0
    assert "Traceback" in debug.stderr
