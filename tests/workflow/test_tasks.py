"""`--tasks` chooses what is learnt; folds, audits and intervals go by the speaker all the same."""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sfmforensics import load_embeddings
from sfmforensics.cli import main
from sfmforensics.datasets import CORPORA, load_corpus, make_speech_corpus
from sfmforensics.exceptions import TargetError
from sfmforensics.experiment import evaluate
from sfmforensics.model_selection import make_splits
from sfmforensics.presets import make_estimator
from sfmforensics.workflow import load_model

CHOSEN = ["--tasks", "age,emotion"]


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A table as pandas writes it, with columns that are none to be learnt."""
    monkeypatch.chdir(tmp_path)
    corpus = make_speech_corpus(6, 4, duration=0.4, random_state=0, output=tmp_path / "voices")
    rows = corpus.target.assign(path=corpus.data, take=range(len(corpus.data)), room="lab")
    rows.to_csv("t.csv")
    return ["--corpus", "manifest", "--root", "t.csv"]


def test_evaluate_keeps_speakers_apart_that_are_not_learnt(table, capsys):
    options = ["--views", "mfcc", "--model", "svm", "--folds", "3", "--output", "out", *CHOSEN]
    assert main(["evaluate", *table, *options]) == 0
    said = capsys.readouterr().err
    assert "looks like no label" not in said
    assert "t.csv: column 1, without a name, numbers the rows" in said
    scores = pd.read_csv("out/scores.csv")
    assert set(scores["task"]) == {"emotion", "age"}
    assert set(scores["protocol"]) == {"closed", "disjoint"}
    answers = pd.read_csv("out/predictions.csv")
    speakers = pd.read_csv("t.csv").set_index("path")["speaker"]
    disjoint = answers[(answers["protocol"] == "disjoint") & (answers["task"] == "age")]
    folds = disjoint.groupby(disjoint["path"].map(speakers))["fold"].nunique()
    assert (folds == 1).all()
    config = json.loads(Path("out/config.json").read_text())
    assert list(config["tasks"]) == ["emotion", "age"]
    assert config["speakers"] == 6
    units = pd.read_csv("out/intervals.csv").query("protocol == 'disjoint' and by == 'all'")
    assert set(units["units"]) == {6}


def test_without_tasks_what_looks_like_no_label_is_told_first(table, capsys):
    options = ["--views", "mfcc", "--model", "single", "--output", "m.safetensors", "--epochs", "1"]
    assert main(["train", *table, *options]) == 0
    said = capsys.readouterr().err
    assert "leave them out by --tasks speaker,emotion,gender,age" in said
    assert said.index("looks like no label") < said.index("embedding mfcc")


@pytest.mark.slow
def test_train_describe_embed_and_reproduce_choose(table, capsys):
    views = ["--views", "mfcc"]
    model = ["--model", "single", "--output", "m.safetensors", "--epochs", "1"]
    assert main(["train", *table, *views, *model, *CHOSEN]) == 0
    assert list(load_model("m.safetensors")[-1].tasks_) == ["emotion", "age"]
    assert main(["embed", *table, *views, "--output", "vectors", *CHOSEN]) == 0
    assert list(load_embeddings("vectors").target) == ["emotion", "age"]
    capsys.readouterr()
    assert main(["describe", *table, "--views", "", *CHOSEN]) == 0
    said = capsys.readouterr().out
    assert "looks like no label" not in said
    assert "recordings a speaker" in said
    options = ["--epochs", "1", "--folds", "2", "--tables", "1", "--output", "r", *CHOSEN]
    assert main(["reproduce", *table, "--views", "mfcc,prosody", *options]) == 0
    assert set(pd.read_csv("r/scores.csv")["task"]) == {"emotion", "age"}


def test_an_unknown_task_is_refused_with_what_there_is(table, capsys):
    assert main(["evaluate", *table, "--tasks", "emotion,mood"]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.endswith(
        "no column 'mood' to be learnt; there are speaker, emotion, gender, age, take, room"
    )


def test_calibration_needs_the_speaker_among_the_tasks(table, capsys):
    options = ["--views", "mfcc", "--model", "single", "--output", "m.safetensors"]
    assert main(["train", *table, *options, "--calibrate", "0.3", *CHOSEN]) == 1
    assert "choose it among the tasks" in capsys.readouterr().err


def test_a_corpus_with_a_layout_of_its_own_chooses_too(tmp_path, monkeypatch):
    corpus = make_speech_corpus(2, 4, duration=0.3)
    monkeypatch.setitem(CORPORA, "baved", lambda root: corpus)
    found = load_corpus("baved", "x", tasks=["age", "gender"])
    assert list(found.target) == ["gender", "age"]
    assert found.groups.tolist() == corpus.groups.tolist()
    assert set(found.details) >= {"speaker", "emotion"}
    assert list(corpus.target) == ["speaker", "emotion", "gender", "age"]


def test_an_evaluation_learns_the_tasks_alone(table):
    rng = np.random.default_rng(0)
    target = pd.DataFrame(
        {"speaker": np.repeat(list("abcdef"), 4), "gender": np.repeat(["f", "m"], 12)}
    )
    X = rng.normal(size=(24, 3))
    splits = {"disjoint": make_splits(target, "disjoint", folds=3)}
    options = {"views": "v", "seed": 0}
    models = {"svm": make_estimator("svm")}
    found = evaluate(X, target, models, splits, tasks=["gender"], **options)
    alone = evaluate(X, target[["gender"]], models, splits, **options)
    pd.testing.assert_frame_equal(found.scores, alone.scores)
    with pytest.raises(TargetError, match=r"no column 'age' to be learnt; .* speaker, gender"):
        evaluate(X, target, models, splits, tasks=["age"], **options)


@pytest.mark.slow
def test_a_search_keeps_speakers_apart_that_are_not_learnt(table, capsys):
    options = ["--views", "mfcc", "--model", "single", "--epochs", "1", "--folds", "2"]
    search = [
        "--search",
        '{"learning_rate": [0.001, 0.01]}',
        "--protocol",
        "disjoint",
        "--output",
        "s",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert main(["evaluate", *table, *options, *search, *CHOSEN]) == 0
    assert set(pd.read_csv("s/scores.csv")["task"]) == {"emotion", "age"}


@pytest.mark.slow
def test_assess_groups_by_what_was_chosen_and_keeps_the_speakers(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, seed in (("known", 0), ("strangers", 7)):
        corpus = make_speech_corpus(12, 3, duration=0.4, random_state=seed, output=tmp_path / name)
        rows = corpus.target.assign(path=corpus.data, language=["de", "fr"] * 18)
        rows.assign(speaker=name + rows["speaker"]).to_csv(f"{name}.csv", index=False)
    corpus = ["--corpus", "manifest", "--root"]
    model = ["--views", "mfcc", "--model", "single", "--epochs", "1", "--output", "m.safetensors"]
    told = ["--calibrate", "0.5", "--tasks", "speaker,gender"]
    assert main(["train", *corpus, "known.csv", *model, *told]) == 0
    asked = [*corpus, "strangers.csv", "--output", "v", "--tasks", "gender,language"]
    assert main(["assess", "m.safetensors", *asked]) == 0
    table = pd.read_csv("v/assessment.csv")
    assert set(table["task"]) == {"speaker", "gender"}
    assert set(table["by"].dropna()) == {"gender", "language"}
