"""A leading ~ is a home, wherever a path is given; what is really called so is ./~."""

import json
import os
import shutil
from pathlib import Path

import pytest

from sfmforensics import load_embeddings, make_views, read_model, save_embeddings, save_model
from sfmforensics._utils.log import logging_to
from sfmforensics._utils.paths import user_name, user_path
from sfmforensics.audio import audio_info, read_audio
from sfmforensics.cli import main
from sfmforensics.custody import Provenance, read_manifest, write_manifest
from sfmforensics.datasets import find_copies, load_manifest, make_speech_corpus
from sfmforensics.embedders import MFCCEmbedder
from sfmforensics.workflow import load_model, predict_files, train_model, verify_results

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home, and another folder to work in, in which nothing may appear."""
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    yield tmp_path / "home"
    assert not os.listdir(tmp_path / "work")


def test_every_function_that_takes_a_path_finds_it_at_home(home):
    corpus = make_speech_corpus(3, 3, duration=0.4, output="~/voices")
    assert corpus.data[0].startswith(str(home))
    first = "~/voices/" + os.path.relpath(corpus.data[0], home / "voices")
    table = corpus.target.assign(path=[os.path.relpath(path, home) for path in corpus.data])
    table.to_csv(home / "table.csv", index=False)
    corpus = load_manifest("~/table.csv", root="~")
    assert len(read_audio(first)) > 0
    assert audio_info(first)[0] == 16_000
    assert find_copies([first, corpus.data[0]]).tolist() == [0, 0]
    told = Provenance([first]).manifest("demonstration")
    assert told["recordings"][0]["path"] == corpus.data[0]
    assert write_manifest("~/told", told) == home / "told" / "manifest.json"
    assert read_manifest("~/told/manifest.json") == told
    MFCCEmbedder(cache="~/cache").transform([first])
    assert list((home / "cache").rglob("*.vec"))
    save_embeddings(corpus, make_views("mfcc", cache="~/cache"), "~/matrix")
    assert len(load_embeddings("~/matrix").data) == 9
    settings = {"model": "single", "epochs": 1, "cache": "~/cache"}
    train_model(corpus, ["mfcc"], "~/m.safetensors", **settings)
    model = load_model("~/m.safetensors")
    save_model(model, "~/again.safetensors")
    assert read_model("~/again.safetensors").manifest_ == model.manifest_
    answers, refused = predict_files(model, [first], manifest="~/p.json")
    assert len(answers) == 1
    assert not refused
    with logging_to("~/log.jsonl"):
        pass
    assert (home / "log.jsonl").exists()
    assert (verify_results("~/p.json")["verdict"] == "same").any()


def test_options_of_every_kind_find_it_too(home):
    corpus = make_speech_corpus(3, 3, duration=0.4, output=home / "voices")
    corpus.target.assign(path=corpus.data).to_csv(home / "table.csv", index=False)
    shared = ["--corpus", "manifest", "--root=~/table.csv", "--cache=~/cache", "--views", "mfcc"]
    train = ["train", *shared, "--model", "single", "--epochs", "1", "--output=~/m.safetensors"]
    assert main([*train, "--log=~/log.jsonl"]) == 0
    shutil.copy(corpus.data[0], home / "a.wav")
    assert main(["predict", "~/m.safetensors", "~/a.wav", "--manifest=~/p.json"]) == 0
    told = json.loads((home / "p.json").read_text())
    assert told["recordings"][0]["path"] == str(home / "a.wav")
    assert main(["embed", *shared, "--output=~/matrix"]) == 0
    assert {path.name for path in home.iterdir()} == {
        *("voices", "table.csv", "cache", "m.safetensors", "log.jsonl", "a.wav", "p.json"),
        "matrix",
    }


def test_what_is_called_a_tilde_is_reached_by_its_folder(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("~", "~x.json"):
        assert user_path(f"./{name}") == user_path(user_path(f"./{name}")) == tmp_path / name
        assert user_name(f"./{name}") == f"./{name}"
    (tmp_path / "a.wav").write_text("no sound")
    assert main(["predict", "./~none.safetensors", "a.wav"]) == 1
    assert main(["--log", "./~log", "--version"]) == 0
    assert (tmp_path / "~log").exists()
    monkeypatch.chdir(tmp_path / "work")


@pytest.mark.parametrize("name", ["~nobody-of-this-name", "~a\0b", "~\udce9", "a~", "", "."])
def test_a_name_of_nobody_stays(name):
    assert user_name(name) == name
    assert user_path(Path(name).name) == user_path(user_path(Path(name).name))
