"""Every command that reads recordings can be told which channel is heard, and of half a file."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile

from sfmforensics.cli import main
from sfmforensics.custody import read_manifest
from sfmforensics.datasets import load_manifest
from sfmforensics.exceptions import AudioWarning, ParameterError, SFMForensicsError
from sfmforensics.workflow import (
    evaluate_corpus,
    load_model,
    predict_files,
    train_model,
    verify_results,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_figures")]

RATE = 16_000
READS = {
    "describe": ["--corpus", "manifest", "--root", "{table}"],
    "embed": ["--corpus", "manifest", "--root", "{table}", "--views", "mfcc"],
    "evaluate": [
        *("--corpus", "manifest", "--root", "{table}", "--views", "mfcc", "--model", "single"),
        *("--epochs", "1", "--protocol", "closed", "--folds", "2", "--output", "{out}"),
    ],
    "train": [
        *("--corpus", "manifest", "--root", "{table}", "--views", "mfcc", "--model", "single"),
        *("--epochs", "1", "--output", "{out}.safetensors"),
    ],
}


@pytest.fixture(scope="module")
def made(corpus, tmp_path_factory):
    """Tables of a corpus as it is, with one call of two parties, and with one file that is cut."""
    folder = tmp_path_factory.mktemp("heard")
    signals = [soundfile.read(path, dtype="float32")[0] for path in corpus.data]
    paths = []
    for number, signal in enumerate(signals):
        paths.append(folder / f"{number:02d}.wav")
        soundfile.write(paths[-1], signal, RATE)
    other = signals[-1]
    length = min(len(other), len(signals[0]))
    call = np.column_stack([other[:length], signals[0][:length]])
    call[: length // 2, 0] = 0
    soundfile.write(folder / "call.wav", call, RATE)
    cut = folder / "cut.wav"
    cut.write_bytes(paths[1].read_bytes()[: paths[1].stat().st_size // 2])

    def table(name, **other_paths):
        named = [other_paths.get(f"_{i}", path).name for i, path in enumerate(paths)]
        corpus.target.assign(path=named).to_csv(folder / name, index=False)
        return folder / name

    return {
        "whole": table("whole.csv"),
        "call": table("call.csv", _0=folder / "call.wav"),
        "cut": table("cut.csv", _1=cut),
    }


@pytest.fixture(scope="module")
def model(made, tmp_path_factory):
    file = tmp_path_factory.mktemp("model") / "m.safetensors"
    train_model(load_manifest(made["whole"]), ["mfcc"], file, model="single", epochs=1)
    return file


def ran(command, table, tmp_path, *more):
    arguments = [
        text.format(table=table, out=tmp_path / "out") for text in [command, *READS[command]]
    ]
    return main([*arguments, "--cache", str(tmp_path / "cache"), *more])


@pytest.mark.parametrize("command", ["embed", "evaluate", "train"])
def test_a_call_stops_a_command_until_a_channel_is_named(command, made, tmp_path, capsys):
    assert ran(command, made["call"], tmp_path) == 1
    said = capsys.readouterr().err
    assert "call.wav: its 2 channels differ" in said
    assert "--channel 1" in said
    assert ran(command, made["call"], tmp_path, "--channel", "2") == 0
    assert ran(command, made["call"], tmp_path, "--channel", "3") == 1
    assert "it has 2 channels, and channel 3 was asked for" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["embed", "evaluate", "train"])
def test_half_a_file_stops_is_left_out_or_is_used(command, made, tmp_path, capsys):
    assert ran(command, made["cut"], tmp_path) == 1
    said = capsys.readouterr().err
    assert "cut.wav: it is cut: 0.2" in said
    assert "(50 %) are missing" in said
    code = ran(command, made["cut"], tmp_path, "--on-error", "skip")
    assert code == (1 if command == "embed" else 0)
    assert "cut.wav: it is cut" in capsys.readouterr().err
    assert ran(command, made["cut"], tmp_path, "--on-error", "use") == 0
    assert "warning: " in (said := capsys.readouterr().err)
    assert "what is there was used" in said


def test_describe_lists_what_is_not_all_heard(made, tmp_path, capsys):
    assert ran("describe", made["call"], tmp_path) == 0
    assert "channels differ" in capsys.readouterr().out
    assert ran("describe", made["call"], tmp_path, "--on-error", "stop") == 1
    assert "call.wav: its 2 channels differ" in capsys.readouterr().err
    assert ran("describe", made["call"], tmp_path, "--channel", "1") == 0
    assert "channels differ" not in capsys.readouterr().out
    assert ran("describe", made["cut"], tmp_path) == 0
    assert "serious: cut" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["0", "-1", "left", "1.5", ""])
def test_what_is_no_channel_is_refused_before_anything_is_computed(text, made, tmp_path, capsys):
    assert ran("embed", made["whole"], tmp_path, f"--channel={text}") == 1
    assert "give 1, 2, ... or mix" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_rows_stay_in_step_where_some_are_left_out(made, tmp_path):
    corpus = load_manifest(made["cut"])
    with pytest.warns(AudioWarning, match="left out: .*cut"):
        found = evaluate_corpus(
            corpus, ["mfcc"], tmp_path / "out", models=["svm"], protocol="closed", folds=2,
            on_error="skip",
        )  # fmt: skip
    answers = found.predictions["svm"]
    true = corpus.target.set_axis([str(path) for path in corpus.data])["emotion"]
    of_task = answers[answers["task"] == "emotion"]
    assert len(of_task) == len(corpus.data) - 1
    assert of_task["true"].tolist() == true[of_task["path"]].tolist()
    manifest = read_manifest(tmp_path / "out" / "manifest.json")
    (left_out,) = manifest["left_out"]
    assert left_out["path"].endswith("cut.wav")
    assert "it is cut" in left_out["reason"]
    assert len(manifest["recordings"]) == len(corpus.data) - 1
    assert json.loads((tmp_path / "out" / "config.json").read_text())["left_out"] == [left_out]


def test_the_manifest_says_what_was_heard_and_verify_hears_the_same(made, tmp_path):
    evaluate_corpus(
        load_manifest(made["call"]), ["mfcc"], tmp_path / "out", models=["svm"],
        protocol="closed", folds=2, channel=2,
    )  # fmt: skip
    manifest = read_manifest(tmp_path / "out" / "manifest.json")
    assert manifest["preprocessing"]["channel"] == 2
    call, mono = manifest["recordings"][:2]
    assert (call["channels"], call["heard"], call["because"]) == (2, [2], "asked")
    assert "channels" not in mono
    found = verify_results(tmp_path / "out", vectors=True)
    assert found.set_index("what").loc["vectors", "verdict"] == "same"


def test_the_channel_is_of_the_recordings_and_not_of_the_model(made, tmp_path):
    corpus = load_manifest(made["call"])
    trained = train_model(
        corpus, ["mfcc"], tmp_path / "m.safetensors", model="single", epochs=1, channel=2
    )
    assert trained.manifest_["preprocessing"]["channel"] == 2
    loaded = load_model(tmp_path / "m.safetensors")
    answers, refused = predict_files(loaded, [corpus.data[0], corpus.data[1]])
    assert len(answers) == 1
    assert "its 2 channels differ" in str(refused[0])
    one, two = (predict_files(loaded, [corpus.data[0]], channel=c)[0] for c in (1, 2))
    assert not one.equals(two)


def test_predict_refuses_alone_stops_or_uses(made, model, capsys):
    cut, good = (str(made["cut"].parent / name) for name in ("cut.wav", "00.wav"))
    assert main(["predict", str(model), cut, good, "--format", "csv"]) == 1
    out, err = capsys.readouterr()
    assert "cut.wav" not in out
    assert "00.wav" in out
    assert "cut.wav: it is cut" in err
    assert main(["predict", str(model), good, cut, "--format", "csv", "--on-error", "stop"]) == 1
    assert capsys.readouterr().out == ""
    assert main(["predict", str(model), cut, good, "--format", "csv", "--on-error", "use"]) == 0
    out, err = capsys.readouterr()
    assert "cut.wav" in out
    assert "what is there was used" in err


def test_what_is_asked_of_python_is_checked_too(made, tmp_path):
    corpus = load_manifest(made["whole"])
    with pytest.raises(SFMForensicsError, match="on_error is 'ignore'"):
        train_model(corpus, ["mfcc"], tmp_path / "m", model="single", on_error="ignore")
    with pytest.raises(ParameterError, match="channel is 0"):
        evaluate_corpus(corpus, ["mfcc"], tmp_path, models=["svm"], channel=0)


def test_identify_and_compare_hear_the_channel_too(made, tmp_path, capsys):
    file = tmp_path / "m.safetensors"
    corpus = load_manifest(made["whole"])
    corpus.target = corpus.target[["speaker", "emotion"]]  # which training has, whoever calibrates
    train_model(corpus, ["mfcc"], file, model="single", epochs=2, calibrate=0.7)
    call, cut, good = (str(made["cut"].parent / n) for n in ("call.wav", "cut.wav", "05.wav"))
    table = made["whole"].parent / "enrolled.csv"
    pd.DataFrame({"path": ["03.wav", "cut.wav"], "speaker": ["a", "b"]}).to_csv(table, index=False)
    capsys.readouterr()
    assert main(["compare", str(file), call, good]) == 1
    assert "call.wav: its 2 channels differ" in capsys.readouterr().err
    assert main(["compare", str(file), call, good, cut, "--channel", "1"]) == 1
    assert "cut.wav: it is cut" in capsys.readouterr().err
    assert (
        main(["compare", str(file), call, good, cut, "--channel", "1", "--on-error", "skip"]) == 0
    )
    assert "left out: " in capsys.readouterr().err
    assert main(["identify", str(file), good, "--enrolled", str(table)]) == 1
    assert main(["identify", str(file), good, "--enrolled", str(table), "--on-error", "use"]) == 0
