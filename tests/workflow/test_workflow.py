import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.svm import SVC
from sklearn.utils import Bunch

from sfmforensics.embedders import MFCCEmbedder, ProsodyEmbedder
from sfmforensics.exceptions import (
    AudioError,
    ModelFileError,
    SFMForensicsError,
    TargetError,
    ViewError,
)
from sfmforensics.metrics import corrected_resampled_ttest
from sfmforensics.report import write_report
from sfmforensics.workflow import (
    embed_corpus,
    evaluate_corpus,
    load_model,
    predict_files,
    reproduce_tables,
    train_model,
    versions,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_figures")]

VIEWS = ["mfcc", "prosody"]
QUICK = {"epochs": 2, "preset": "tuned"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def model_file(corpus, cache, tmp_path_factory):
    file = tmp_path_factory.mktemp("model") / "tango.safetensors"
    train_model(corpus, VIEWS, file, cache=cache, verbose=True, **QUICK)
    return file


def test_evaluate_writes_what_the_design_names(corpus, cache, tmp_path):
    found = evaluate_corpus(
        corpus, VIEWS, tmp_path, models=("tango", "svm"), folds=3, cache=cache, **QUICK
    )
    scores = pd.read_csv(tmp_path / "scores.csv")
    pd.testing.assert_frame_equal(scores, found.scores)
    assert set(scores.views) == {"mfcc+prosody"}
    first = pd.read_csv(tmp_path / "predictions.csv", dtype=str)
    assert first.columns.tolist() == ["path", "fold", "protocol", "task", "true", "predicted"]
    assert set(first.path) == set(corpus.data)
    assert (tmp_path / "predictions-svm.csv").exists()
    intervals = pd.read_csv(tmp_path / "intervals.csv")
    assert set(intervals["by"]) == {"all", "emotion", "gender", "age"}
    whole = intervals[(intervals["by"] == "all") & (intervals["metric"] == "accuracy")]
    assert ((whole["low"] <= whole["value"]) & (whole["value"] <= whole["high"])).all()
    compared = pd.read_csv(tmp_path / "comparisons.csv")
    assert set(compared["model_1"] + compared["model_2"]) == {"tangosvm"}
    config = json.loads((tmp_path / "config.json").read_text())
    assert set(config) == {
        *("command", "corpus", "root", "views", "specs", "models", "preset", "parameters"),
        *("protocols", "folds", "repeats", "splits", "seed", "recordings", "speakers", "tasks"),
        *("audit", "versions", "created", "seconds", "figures"),
    }
    assert (config["recordings"], config["speakers"], config["folds"]) == (36, 6, 3)
    assert config["models"] == ["tango", "svm"]
    assert config["tasks"]["age"] == "regression"
    assert config["parameters"]["tango"]["max_epochs"] == 2
    assert config["audit"]["shared_copies"] == {"closed": 0, "disjoint": 0}
    assert config["versions"]["torch"] == versions()["torch"] != "not installed"
    figures = {path.name for path in tmp_path.glob("*.png")}
    assert {"scores.png", "confusion-emotion-disjoint.png", "regression-age-closed.png"} <= figures
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("labels", [["speaker"], ["emotion", "age"], ["age", "speaker"]])
def test_a_report_can_be_made_whatever_is_known(corpus, cache, tmp_path, labels):
    """Ages of one speaker alone, who is tested in a fold that learnt no age; or speakers alone."""
    target = corpus.target[labels].copy()
    if "age" in target:
        target.loc[corpus.target["speaker"] != corpus.target["speaker"].iloc[0], "age"] = np.nan
    known = Bunch(data=corpus.data, target=target)
    protocol = "disjoint" if "speaker" in labels else "closed"
    shared = {"folds": 3, "cache": cache, "protocol": protocol, **QUICK}
    found = evaluate_corpus(known, VIEWS, tmp_path, **shared)
    assert len(found.scores)
    assert write_report(tmp_path).exists()


def test_the_page_of_evaluate_has_no_tables_of_an_earlier_reproduce(corpus, cache, tmp_path):
    shared = {"folds": 2, "cache": cache, "protocol": "closed", "name": "baved", **QUICK}
    reproduce_tables(corpus, VIEWS, tmp_path, tables=[2], **shared)
    assert "Table 2: one view" in write_report(tmp_path).read_text(encoding="utf-8")
    evaluate_corpus(corpus, VIEWS, tmp_path, models=("svm",), **shared)
    assert "Table 2: one view" not in write_report(tmp_path).read_text(encoding="utf-8")


def test_a_search_of_objects_is_written_in_words(corpus, cache, tmp_path):
    search = {"classifier": [SVC(C=1), SVC(C=10)]}
    shared = {"folds": 2, "cache": cache, "protocol": "closed", **QUICK}
    evaluate_corpus(corpus, VIEWS, tmp_path, models=("svm",), search=search, **shared)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["search"] == {"classifier": ["SVC(C=1)", "SVC(C=10)"]}
    assert {one["value"] for one in config["chosen"]} <= {"SVC(C=1)", "SVC(C=10)"}
    alone = Bunch(data=corpus.data, target=corpus.target[["speaker"]])
    with pytest.raises(SFMForensicsError, match="a search has no task to choose by"):
        evaluate_corpus(alone, VIEWS, tmp_path, models=("svm",), search={"scale": [True, False]})


def test_the_test_allows_for_the_folds_that_were_drawn(corpus, cache, tmp_path):
    shared = {"folds": "speakers", "repeats": 2, "cache": cache, **QUICK}
    found = evaluate_corpus(corpus, VIEWS, tmp_path, models=("tango", "svm"), **shared)
    written = pd.read_csv(tmp_path / "comparisons.csv").set_index(["protocol", "task", "metric"])
    for protocol, ratio in (("closed", 1 / 4), ("disjoint", 1 / 5)):
        folds = found.scores.query(f"protocol == '{protocol}' and task == 'age'")
        wide = folds.query("metric == 'mae'").pivot_table(
            index="fold", columns="model", values="value", sort=False
        )
        expected = corrected_resampled_ttest(wide["tango"] - wide["svm"], ratio)
        assert written.loc[(protocol, "age", "mae"), "p"] == pytest.approx(expected.p, rel=0.02)


@pytest.mark.figures
@pytest.mark.parametrize("years", ["text", "bands", "dates"])
def test_ages_that_no_figure_can_show_cost_no_figures_in_numbers(corpus, cache, tmp_path, years):
    ages = {
        "text": corpus.target["age"].round().astype(int).astype(str),
        "bands": pd.cut(corpus.target["age"], 2).astype(str),
        "dates": corpus.target["age"].where(corpus.target["age"] > 30, 19990101.0),
    }
    odd = Bunch(data=corpus.data, target=corpus.target.assign(age=ages[years]))
    shared = {"folds": 2, "cache": cache, "models": ("svm",), "protocol": "closed"}
    evaluate_corpus(odd, VIEWS, tmp_path, **shared)
    assert "age" in set(pd.read_csv(tmp_path / "scores.csv")["task"])
    files = {one["file"] for one in json.loads((tmp_path / "config.json").read_text())["figures"]}
    assert "corpus.png" in files
    assert write_report(tmp_path).exists()


def test_near_copies_stay_on_one_side(corpus, cache, tmp_path):
    signal, rate = soundfile.read(corpus.data[0])
    quiet = tmp_path / "quiet.wav"
    soundfile.write(quiet, 0.3 * signal, rate)
    target = pd.concat([corpus.target, corpus.target[:1].assign(speaker="someone else")])
    known = Bunch(data=[*corpus.data, str(quiet)], target=target.reset_index(drop=True))
    shared = {"folds": 3, "cache": cache, "models": ("svm",), **QUICK}
    evaluate_corpus(known, VIEWS, tmp_path / "out", **shared)
    predictions = pd.read_csv(tmp_path / "out" / "predictions.csv")
    for _, part in predictions.groupby("protocol"):
        folds = part.groupby("path")["fold"].first()
        assert folds[str(quiet)] == folds[corpus.data[0]]
    audit = json.loads((tmp_path / "out" / "config.json").read_text())["audit"]
    assert audit["aliases"] == [["s01", "someone else"]]
    findings = {one["finding"] for one in audit["findings"]}
    assert {"near copies", "one recording under two speakers"} <= findings


def test_a_second_run_embeds_nothing_and_says_the_same(corpus, cache, tmp_path, monkeypatch):
    settings = {"folds": 2, "protocol": "closed", "cache": cache, **QUICK}
    evaluate_corpus(corpus, VIEWS, tmp_path / "one", **settings)
    for embedder in (MFCCEmbedder, ProsodyEmbedder):
        monkeypatch.setattr(embedder, "_embed", lambda *_: pytest.fail("embedded again"))
    evaluate_corpus(corpus, VIEWS, tmp_path / "two", **settings)
    for file in ("scores.csv", "predictions.csv"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"models": ("lstm",)}, SFMForensicsError, "'lstm'"),
        ({"models": ()}, SFMForensicsError, "no model was named; there are tango"),
        ({"device": "banana"}, SFMForensicsError, "'banana' cannot be used .* such as cpu"),
        ({"views": []}, ViewError, "no view was named"),
        ({"protocol": "open"}, SFMForensicsError, "'open'"),
        ({"folds": 99}, SFMForensicsError, "99 folds of 36"),
        ({"views": ["mfcc"]}, ViewError, "--model single"),
        ({"views": ["mfcc", "whisper=./none"]}, SFMForensicsError, "no folder ./none"),
    ],
)
def test_what_does_not_exist_is_said_before_anything_is_computed(
    options, error, says, corpus, tmp_path, monkeypatch
):
    monkeypatch.setattr(MFCCEmbedder, "_embed", lambda *_: pytest.fail("computed something"))
    with pytest.raises(error, match=says):
        evaluate_corpus(corpus, options.pop("views", VIEWS), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_corpus_that_teaches_nothing_is_refused_before_anything_is_computed(
    corpus, tmp_path, monkeypatch
):
    monkeypatch.setattr(MFCCEmbedder, "_embed", lambda *_: pytest.fail("computed something"))
    mute = Bunch(data=corpus.data, target=pd.DataFrame(index=range(36)))
    with pytest.raises(TargetError, match="no column"):
        evaluate_corpus(mute, VIEWS, tmp_path / "out")
    with pytest.raises(TargetError, match="no column"):
        train_model(mute, VIEWS, tmp_path / "m.joblib")
    nameless = Bunch(data=corpus.data, target=corpus.target.drop(columns="speaker"))
    with pytest.raises(TargetError, match="--protocol closed"):
        evaluate_corpus(nameless, VIEWS, tmp_path / "out")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SFMForensicsError, match="file is a file; output needs a folder"):
        evaluate_corpus(corpus, VIEWS, tmp_path / "file")
    with pytest.raises(SFMForensicsError, match="file is a file; output needs a folder"):
        train_model(corpus, VIEWS, tmp_path / "file" / "m.joblib")
    assert os.listdir(tmp_path) == ["file"]


def test_a_model_named_twice_is_evaluated_once(corpus, cache, tmp_path):
    found = evaluate_corpus(
        corpus, VIEWS, tmp_path, models=("svm", "svm"), folds=2, protocol="closed", cache=cache
    )
    assert len(found.scores) == 2 * 13
    assert json.loads((tmp_path / "config.json").read_text())["models"] == ["svm"]


def test_a_recording_that_cannot_be_used_loses_nothing(corpus, tmp_path):
    (tmp_path / "broken.wav").write_text("no sound")
    data = [*corpus.data[:5], str(tmp_path / "broken.wav")]
    target = corpus.target.iloc[:6].reset_index(drop=True)
    with pytest.raises(AudioError, match=r"broken\.wav"):
        evaluate_corpus(
            Bunch(data=data, target=target), VIEWS, tmp_path / "out",
            cache=tmp_path / "cache", folds=2, protocol="closed",
        )  # fmt: skip
    assert len(list((tmp_path / "cache").rglob("*.vec"))) == 5


def test_what_cannot_be_used_is_left_out_of_the_embeddings_if_asked(corpus, tmp_path):
    (tmp_path / "broken.wav").write_text("no sound")
    broken = str(tmp_path / "broken.wav")
    some = Bunch(data=[broken, *corpus.data[:3]], target=corpus.target.iloc[:4])
    with pytest.raises(AudioError, match=r"broken\.wav"):
        embed_corpus(some, VIEWS, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()  # the first recording was the broken one
    shapes, refused = embed_corpus(some, VIEWS, cache=tmp_path / "cache", on_error="skip")
    assert shapes == {"mfcc": (3, 40), "prosody": (3, 34)}
    assert list(refused["recording"]) == [0, 0]
    assert list(refused["view"]) == VIEWS
    assert refused["reason"].str.startswith(f"{broken}: it cannot be read as sound").all()
    assert len(list((tmp_path / "cache").rglob("*.vec"))) == 6


def test_embeddings_know_no_third_thing_to_do_on_an_error(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(MFCCEmbedder, "_embed", lambda *_: pytest.fail("computed something"))
    with pytest.raises(
        SFMForensicsError, match=r"on_error is 'ignore'; use .stop., .skip. or .use."
    ):
        embed_corpus(corpus, VIEWS, cache=tmp_path, on_error="ignore")


def test_a_saved_model_answers_in_another_process_and_folder(model_file, corpus, tmp_path):
    shutil.copy(model_file, tmp_path / "tango.safetensors")
    shutil.copy(corpus.data[0], tmp_path / "x.wav")
    code = (
        "from sfmforensics import read_model as r; print(r('tango.safetensors').predict(['x.wav']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    header, row = done.stdout.strip().splitlines()
    assert header.split() == ["speaker", "emotion", "gender", "age"]
    assert row.split()[1] in set(corpus.target.speaker)


def test_a_view_from_a_relative_folder_is_found_from_anywhere(corpus, tmp_path, monkeypatch):
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    convolutions = {"conv_dim": (8, 8), "conv_stride": (5, 2), "conv_kernel": (10, 3)}
    config = Wav2Vec2Config(
        **sizes, **convolutions, intermediate_size=16, num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2, num_feat_extract_layers=2,
    )  # fmt: skip
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    Wav2Vec2Model(config).save_pretrained("models/small")
    Wav2Vec2FeatureExtractor().save_pretrained("models/small")
    file = "../tango.safetensors"
    train_model(corpus, ["mfcc", "small=models/small"], file, epochs=1, cache="kept")
    monkeypatch.chdir(tmp_path)
    shutil.copy(corpus.data[0], "x.wav")
    code = "import sfmforensics, sys; m = sfmforensics.read_model(sys.argv[1])"
    code += "; print(m.predict(['x.wav']).shape)"
    command = [sys.executable, "-c", code, "tango.safetensors"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.strip() == "(1, 4)", done.stderr
    assert not (tmp_path / "kept").exists()


def test_a_saved_model_keeps_neither_the_cache_nor_the_bars(model_file):
    pipeline = load_model(model_file)
    for _, embedder in pipeline[0].transformer_list:
        assert embedder.cache is None
        assert embedder.verbose is False
    assert pipeline[-1].verbose == 0


def test_a_failed_save_leaves_the_old_file(corpus, cache, tmp_path, monkeypatch):
    file = tmp_path / "model.joblib"
    file.write_text("old")

    def fail(_, path):
        Path(path).write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(joblib, "dump", fail)
    with pytest.raises(OSError, match="No space"):
        train_model(corpus, VIEWS, file, cache=cache, overwrite=True, **QUICK)
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["model.joblib"]


def test_predict_files_answers_the_good_and_lists_the_bad(model_file, corpus, tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    files = [corpus.data[0], str(tmp_path / "text.wav"), corpus.data[7]]
    answers, refused = predict_files(load_model(model_file), files)
    assert answers["path"].tolist() == [files[0], files[2]]
    assert [error.source for error in refused] == [files[1]]
    whole = load_model(model_file).predict([files[0], files[2]])
    for task in whole:
        np.testing.assert_array_equal(answers[task], whole[task])
    assert answers["speaker_probability"].between(0, 1).all()
    assert "age_probability" not in answers


def test_predict_files_keeps_names_as_they_are(model_file, corpus, tmp_path):
    names = [tmp_path / os.fsdecode(b"caf\xe9.wav"), tmp_path / "two\nlines.wav"]
    for name in names:
        shutil.copy(corpus.data[0], name)
    answers, refused = predict_files(load_model(model_file), names)
    assert answers["path"].tolist() == list(map(str, names))
    assert not refused


def test_a_run_over_names_that_are_no_utf_8_is_written_and_reported(corpus, cache, tmp_path):
    odd = tmp_path / os.fsdecode(b"caf\xe9 \x1b[2J.wav")
    os.link(corpus.data[0], odd)
    some = Bunch(**corpus | {"data": [str(odd), *corpus.data[1:]]})
    command = f"sfmforensics evaluate {odd}"
    evaluate_corpus(
        some, VIEWS, tmp_path, models=("svm",), folds=3, cache=cache, command=command, **QUICK
    )
    assert "\x1b" not in (tmp_path / "predictions.csv").read_text(encoding="utf-8")
    named = pd.read_csv(tmp_path / "predictions.csv")["path"]
    assert repr(str(odd)) in set(named)
    assert json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))["command"] == command
    assert write_report(tmp_path).exists()


def test_predict_files_knows_what_is_too_short_for_a_view(
    model_file, corpus, tmp_path, monkeypatch
):
    monkeypatch.setattr(MFCCEmbedder, "_min_samples", 640)  # as x-vector asks for
    short = str(tmp_path / "short.wav")
    soundfile.write(short, np.random.default_rng(0).normal(size=500) * 0.1, 16_000)
    answers, refused = predict_files(load_model(model_file), [short, corpus.data[0]])
    assert answers["path"].tolist() == [corpus.data[0]]
    assert [error.source for error in refused] == [short]


def test_predict_files_without_one_good_file_gives_an_empty_table(model_file):
    answers, refused = predict_files(load_model(model_file), ["none.wav"])
    assert answers.columns.tolist() == ["path"]
    assert len(answers) == 0
    assert len(refused) == 1


def test_predict_files_embeds_once(model_file, corpus, monkeypatch):
    calls = []
    embed = MFCCEmbedder._embed
    monkeypatch.setattr(
        MFCCEmbedder, "_embed", lambda self, signals: calls.extend(signals) or embed(self, signals)
    )
    predict_files(load_model(model_file), corpus.data[:3])
    assert len(calls) == 3


@pytest.mark.parametrize("content", [b"", b"not a pickle", "dict"])
def test_what_is_no_model_is_refused_by_name(content, tmp_path):
    file = tmp_path / "model.joblib"
    if content == "dict":
        joblib.dump({"a": 1}, file)
    else:
        file.write_bytes(content)
    with pytest.raises(SFMForensicsError, match=r"model\.joblib: it .*sfmforensics train wrote"):
        load_model(file, trust=True)


def test_a_file_that_could_run_code_is_not_loaded_unless_it_is_trusted(corpus, cache, tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    file = tmp_path / "m.safetensors"  # whatever its name says
    joblib.dump(Hostile(), file)
    with pytest.raises(ModelFileError, match=r"m\.safetensors: loading it may run any code"):
        load_model(file)
    assert not (tmp_path / "ran").exists()
    train_model(corpus, VIEWS, tmp_path / "m.joblib", model="svm", cache=cache)
    assert load_model(tmp_path / "m.joblib", trust=True).predict(corpus.data[:2]).shape == (2, 4)


def test_a_model_that_only_joblib_can_save_is_refused_before_it_is_trained(corpus, tmp_path):
    for options in ({"model": "svm"}, {"format": "pickle"}):
        with pytest.raises(ModelFileError, match="joblib"):
            train_model(corpus, VIEWS, tmp_path / "m.safetensors", **options)
    assert not os.listdir(tmp_path)


def test_a_folder_is_no_place_for_a_model(corpus, tmp_path):
    with pytest.raises(SFMForensicsError, match="is a folder; name a file"):
        train_model(corpus, VIEWS, tmp_path)


def test_real_recordings_and_a_real_sfm(shared, tmp_path):
    from sfmforensics.datasets import load_baved

    whole = load_baved(shared / "data" / "baved")
    rows = [i for i, s in enumerate(whole.target.speaker) if s in {"103", "17", "48", "51"}][::4]
    real = Bunch(
        data=[whole.data[i] for i in rows], target=whole.target.iloc[rows].reset_index(drop=True)
    )
    views = ["mfcc", f"whisper={shared / 'models' / 'whisper-tiny.en'}"]
    found = evaluate_corpus(
        real, views, tmp_path, folds=3, cache=tmp_path / "cache", epochs=30, preset="tuned"
    )
    gender = found.scores.query("task == 'gender' and metric == 'accuracy'")
    assert gender[gender.protocol == "closed"].value.mean() > 0.9
    assert Path(tmp_path / "scores.csv").exists()
