"""Chain of custody: what results say of themselves, and what verify finds."""

import json
import os
import re
import shutil
from contextlib import suppress
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from sfmforensics import TANGO, load_embeddings, make_views, read_model, save_embeddings, save_model
from sfmforensics.cli import main
from sfmforensics.custody import (
    Provenance,
    check_manifest,
    describe_splits,
    describe_views,
    is_sealed,
    matrix_hash,
    read_manifest,
)
from sfmforensics.embedders import CallableEmbedder
from sfmforensics.exceptions import CustodyError, ModelFileError
from sfmforensics.report import write_report
from sfmforensics.workflow import (
    evaluate_corpus,
    load_model,
    predict_files,
    reproduce_tables,
    train_model,
    verify_results,
)

pytestmark = pytest.mark.slow

VIEWS = ["mfcc", "prosody"]
QUICK = {"epochs": 1}


@pytest.fixture(scope="module")
def recordings(corpus, tmp_path_factory):
    """Recordings of this module's own, below one folder."""
    folder = tmp_path_factory.mktemp("recordings")
    paths = [shutil.copy(path, folder / f"{i:02}.wav") for i, path in enumerate(corpus.data)]
    return Bunch(data=[str(path) for path in paths], target=corpus.target)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def results(recordings, cache, tmp_path_factory):
    """One run of evaluate, on a folder to be copied."""
    folder = tmp_path_factory.mktemp("results") / "run"
    models = ("tango", "svm")
    evaluate_corpus(
        recordings, VIEWS, folder, models=models, folds=2, cache=cache, command="as typed", **QUICK
    )
    return folder


@pytest.fixture
def run(results, tmp_path):
    return shutil.copytree(results, tmp_path / "run")


@pytest.fixture(scope="module")
def model_file(recordings, cache, tmp_path_factory):
    file = tmp_path_factory.mktemp("model") / "m.safetensors"
    train_model(recordings, VIEWS, file, cache=cache, seed=3, **QUICK)
    return file


@pytest.fixture(scope="module")
def speech_model(tmp_path_factory):
    """A small model of transformers, as a folder."""
    folder = tmp_path_factory.mktemp("wav2vec2")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = Wav2Vec2Config(
        **sizes, intermediate_size=16, conv_dim=(8,) * 7, num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def bad(found):
    found = found[found["verdict"].isin(["differs", "missing"])]
    return list(zip(found["what"], found["item"], found["verdict"], strict=True))


def sums(path):
    return sha256(path.read_bytes()).hexdigest()


# -- what is told ----------------------------------------------------------------------------


def test_a_result_says_what_it_was_made_of(results, recordings):
    told = json.loads((results / "manifest.json").read_text())
    assert [record["path"] for record in told["recordings"]] == recordings.data
    assert all(record["sha256"] == sums_of(record["path"]) for record in told["recordings"])
    assert told["views"]["mfcc"]["identity"]["n_mfcc"] == 40
    assert told["preprocessing"]["sample_rate"] == 16_000
    assert told["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert told["versions"]["libsndfile"] == soundfile.__libsndfile_version__
    assert told["hardware"]["cores"] == os.cpu_count()
    assert (told["command"], told["seed"], told["preset"]) == ("as typed", 0, "tuned")
    assert told["started"] <= told["finished"]
    assert told["parameters"]["tango"]["max_epochs"] == 1
    files = {path.name for path in results.iterdir() if path.is_file()} - {"manifest.json"}
    assert set(told["results"]) == files
    assert all(told["results"][name] == sums(results / name) for name in files)


def sums_of(path):
    with open(path, "rb") as file:
        return sha256(file.read()).hexdigest()


def test_folds_are_told_by_recording(results, recordings):
    told = json.loads((results / "manifest.json").read_text())["splits"]
    answers = pd.read_csv(results / "predictions.csv")
    for protocol, folds in told.items():
        for number, fold in enumerate(folds):
            own = answers[(answers["protocol"] == protocol) & (answers["fold"] == number)]
            assert {recordings.data[row] for row in fold["test"]} == set(own["path"])
    one, other = (
        describe_splits({"closed": [(np.array(train), np.array([2]))]})
        for train in ([0, 1], [0, 3])
    )
    assert one["closed"][0]["test"] == other["closed"][0]["test"] == [2]
    assert one["closed"][0]["sha256"] != other["closed"][0]["sha256"]


def test_weights_of_a_speech_model_are_told_file_by_file(speech_model):
    told = describe_views(make_views(f"wav2vec2={speech_model}"))["wav2vec2"]
    assert set(told["files"]) == {
        "config.json", "model.safetensors", "preprocessor_config.json"
    }  # fmt: skip
    assert told["files"]["model.safetensors"] == sums(speech_model / "model.safetensors")
    assert told["dimension"] == 16


def test_a_model_carries_its_manifest(model_file, recordings):
    model = read_model(model_file)
    told = model.manifest_
    assert is_sealed(told)
    assert (told["kind"], told["seed"]) == ("model", 3)
    assert [record["path"] for record in told["recordings"]] == recordings.data
    assert told["tasks"]["age"] == "regression"
    joblibbed = model_file.with_suffix(".joblib")
    train_model(recordings, VIEWS, joblibbed, **QUICK)
    assert is_sealed(load_model(joblibbed, trust=True).manifest_)


def test_what_is_no_file_is_told_as_what_it_is(tmp_path):
    tone = np.sin(np.arange(800, dtype=np.float32))
    os.mkfifo(tmp_path / "pipe")
    records = Provenance(
        [(tone, 16_000), tmp_path / "none.wav", tmp_path / "pipe", tmp_path]
    ).records
    assert records[0]["sha256"] == sha256(tone.tobytes()).hexdigest()
    assert records[0]["shape"] == [800]
    assert [record["found"] for record in records[1:]] == ["no regular file"] * 3


def test_a_function_that_does_not_say_what_it_is_is_told_as_such(corpus):
    own = CallableEmbedder(lambda signal: [signal.mean(), signal.std()], 2, name="own")
    views = make_views("mfcc", own)
    told = describe_views(views)["own"]
    assert told["identity"] is None or told["parameters"] is None
    assert "identity='...'" in told["why"]
    json.dumps(Provenance(corpus.data).manifest("embeddings", views=views))


def test_vectors_are_told_by_their_values():
    X = np.random.default_rng(0).normal(size=(5000, 3)).astype(np.float32)
    assert matrix_hash(X) == matrix_hash(pd.DataFrame(X)) == matrix_hash(np.asfortranarray(X))
    other = X.copy()
    other[4500, 1] = np.nextafter(other[4500, 1], 9)
    assert matrix_hash(other) != matrix_hash(X)
    assert matrix_hash(X.reshape(3, 5000)) != matrix_hash(X)


def test_the_report_holds_the_manifest(run):
    page = write_report(run).read_text(encoding="utf-8")
    told = json.loads((run / "manifest.json").read_text())
    assert sums(run / "manifest.json") in page
    assert all(record["sha256"] in page for record in told["recordings"])
    assert "Changed since the manifest was written" not in page
    with open(run / "scores.csv", "a") as file:
        file.write("\n")
    page = write_report(run).read_text(encoding="utf-8")
    assert "Changed since the manifest was written, or missing: scores.csv" in page
    (run / "manifest.json").unlink()
    assert "There is no manifest.json" in write_report(run).read_text(encoding="utf-8")
    (run / "manifest.json").write_text("{")
    assert "cannot be traced" in write_report(run).read_text(encoding="utf-8")


# -- what is found ---------------------------------------------------------------------------


def test_what_was_not_touched_is_the_same(run):
    found = verify_results(run, vectors=True)
    assert bad(found) == []
    counts = found["what"].value_counts()
    assert counts["recording"] == 36
    assert counts["score"] > 50
    assert counts["vectors"] == 1
    assert set(found["verdict"]) == {"same"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda run: (run / "predictions.csv").unlink(), ("file", "predictions.csv", "missing")),
        (lambda run: (run / "scores.png").write_bytes(b"x"), ("file", "scores.png", "differs")),
        (
            lambda run: (run / "config.json").write_text("{}"),
            ("file", "config.json", "differs"),
        ),
    ],
)
def test_a_touched_file_is_named(change, expected, run):
    change(run)
    assert expected in bad(verify_results(run))


def test_a_score_that_the_predictions_do_not_give_is_named_even_under_a_new_manifest(run):
    scores = pd.read_csv(run / "scores.csv")
    row = scores.query("model == 'svm' and task == 'gender' and metric == 'uar'").index[0]
    scores.loc[row, "value"] = 0.5 + scores.loc[row, "value"] / 3
    scores.to_csv(run / "scores.csv", index=False)
    told = json.loads((run / "manifest.json").read_text())
    told["results"]["scores.csv"] = sums(run / "scores.csv")
    from sfmforensics.custody import _manifest

    del told["sha256"]
    told["sha256"] = _manifest.seal(told)
    before = sums(run / "manifest.json")
    (run / "manifest.json").write_text(json.dumps(told))
    found = verify_results(run, sha256=before)
    line = scores.loc[row]
    item = f"svm, {line['protocol']}, fold {line['fold']}, gender uar"
    assert bad(found) == [
        ("manifest", "sha256 of manifest.json", "differs"),
        ("score", item, "differs"),
    ]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_changed_manifest_is_refused_or_said(results, tmp_path_factory, data):
    content = bytearray((results / "manifest.json").read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 6))
    file = tmp_path_factory.mktemp("changed") / "answers.json"
    file.write_bytes(content)
    found = None
    with suppress(CustodyError):
        found = verify_results(file)
    if found is None:
        with pytest.raises(CustodyError, match=re.escape(str(file))):
            verify_results(file)
        return
    blank = json.loads(content) == json.loads((results / "manifest.json").read_bytes())
    assert blank or ("manifest", "answers.json", "differs") in bad(found)


def test_a_recording_that_was_changed_lost_or_moved_is_named(recordings, tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    own = [shutil.copy(path, old) for path in recordings.data[:12]]
    part = Bunch(data=own, target=recordings.target[:12])
    save_embeddings(part, make_views("mfcc"), tmp_path / "out")
    old.rename(tmp_path / "new")
    found = verify_results(tmp_path / "out")
    assert [row[2] for row in bad(found)] == ["missing"] * 12
    assert bad(verify_results(tmp_path / "out", root=tmp_path / "new")) == []
    with open(tmp_path / "new" / "03.wav", "ab") as file:
        file.write(b"\0")
    assert bad(verify_results(tmp_path / "out", root=tmp_path / "new")) == [
        ("recording", str(tmp_path / "new" / "03.wav"), "differs")
    ]
    vectors = np.array(load_embeddings(tmp_path / "out").data)
    vectors[0, 0] += 1
    np.save(tmp_path / "out" / "vectors.npy", vectors)
    assert ("file", "vectors.npy", "differs") in bad(verify_results(tmp_path / "out"))


def test_other_weights_are_named_and_their_answers_refused(speech_model, recordings, tmp_path):
    place = shutil.copytree(speech_model, tmp_path / "speech")
    file = tmp_path / "m.safetensors"
    train_model(recordings, ["mfcc", f"wav2vec2={place}"], file, **QUICK)
    assert bad(verify_results(file)) == []
    answers, _ = predict_files(load_model(file), recordings.data[:2])
    torch.manual_seed(1)
    network = Wav2Vec2Model.from_pretrained(place)
    with torch.no_grad():
        network.encoder.layer_norm.weight.add_(1)
    network.save_pretrained(place)
    assert ("weights", "wav2vec2: model.safetensors", "differs") in bad(verify_results(file))
    with pytest.raises(CustodyError, match="'wav2vec2' is not what the model was trained with"):
        predict_files(load_model(file), recordings.data[:2])
    shutil.copytree(speech_model, place, dirs_exist_ok=True)
    again, _ = predict_files(load_model(file), recordings.data[:2])
    pd.testing.assert_frame_equal(again, answers)


def test_answers_can_be_traced(model_file, recordings, tmp_path):
    file = tmp_path / "answers.json"
    answers, refused = predict_files(
        load_model(model_file), [*recordings.data[:3], tmp_path / "none.wav"], manifest=file
    )
    assert len(refused) == 1
    told = read_manifest(file)
    assert is_sealed(told)
    assert [one["speaker"] for one in told["answers"]] == answers["speaker"].tolist()
    assert told["model_file"]["sha256"] == sums(model_file)
    assert told["model"] == read_model(model_file).manifest_
    assert told["refused"] == [str(refused[0])]
    found = verify_results(file)
    assert bad(found) == []
    assert {"model", "recording", "view"} <= set(found["what"])


def test_other_versions_and_machines_are_notes(run):
    path = run / "manifest.json"
    told = json.loads(path.read_text())
    told["versions"]["torch"], told["hardware"]["cores"] = "1.0", 96
    path.write_text(json.dumps(told))
    found = verify_results(run)
    notes = found[found["verdict"] == "note"]
    assert dict(zip(notes["what"], notes["item"], strict=True)) == {
        "version": "torch",
        "hardware": "cores",
    }


def test_a_manifest_of_somebody_elses_reads_nothing_outside_the_folder(run):
    told = json.loads((run / "manifest.json").read_text())
    told["results"] = {"../../etc/passwd": "0"}
    told["views"]["mfcc"]["embedder"] = "Popen"
    (run / "manifest.json").write_text(json.dumps(told))
    found = verify_results(run)
    unchecked = found[found["verdict"] == "not checked"]
    assert unchecked["item"].tolist() == ["../../etc/passwd", "mfcc"]


@pytest.mark.parametrize(
    "told",
    [
        3,
        {},
        {"format": "sfmforensics manifest 2"},
        {"format": "sfmforensics manifest 1", "recordings": {}},
        {"format": "sfmforensics manifest 1", "recordings": [1], "views": {}, "versions": {},
         "hardware": {}},
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_refused(told, tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(CustodyError, match=r"manifest\.json: it is no manifest of this version"):
        verify_results(tmp_path)
    with pytest.raises(CustodyError):
        check_manifest(told, "it")


def test_reproduced_tables_can_be_verified(recordings, cache, tmp_path):
    options = {"tables": [2], "folds": 2, "name": "baved", "preset": "tuned", "cache": cache}
    reproduce_tables(recordings, VIEWS, tmp_path, protocol="closed", **options, **QUICK)
    found = verify_results(tmp_path)
    assert bad(found) == []
    assert {"reproduction.csv", "reproduction.md", "reproduction.tex"} <= set(found["item"])
    assert (found["what"] == "score").sum() > 10


def test_the_command_line_says_what_differs(run, model_file, capsys, tmp_path):
    assert main(["verify", str(run)]) == 0
    assert "things are as they were recorded" in capsys.readouterr().out
    (run / "scores.csv").write_text("x")
    assert main(["verify", str(run), "--format", "json"]) == 1
    told = capsys.readouterr()
    assert "not as they were recorded" in told.err
    assert {"what": "file", "item": "scores.csv", "verdict": "differs"}.items() <= next(
        row for row in json.loads(told.out) if row["verdict"] == "differs"
    ).items()
    assert main(["verify", str(model_file), "--sha256", sums(model_file)]) == 0
    assert main(["verify", str(model_file), "--sha256", "0" * 64]) == 1
    assert main(["verify", str(tmp_path / "nothing")]) == 1
    assert "no such file or folder" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["verify", str(tmp_path / "empty")]) == 1
    assert "manifest.json: no such file" in capsys.readouterr().err


def test_a_damaged_model_is_refused_by_verify(model_file, tmp_path):
    content = bytearray(model_file.read_bytes())
    content[-1] ^= 1
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(ModelFileError, match="does not match its checksum"):
        verify_results(tmp_path / "m.safetensors")


def test_a_model_without_a_manifest_says_so(recordings, tmp_path):
    model = make_pipeline(make_views("mfcc", "prosody"), TANGO(max_epochs=1, random_state=0))
    save_model(model.fit(recordings.data, recordings.target), tmp_path / "m.safetensors")
    with pytest.raises(CustodyError, match=r"m\.safetensors: this model carries no manifest"):
        verify_results(tmp_path / "m.safetensors")
    answers, _ = predict_files(load_model(tmp_path / "m.safetensors"), recordings.data[:1])
    assert len(answers) == 1


def test_what_cannot_be_checked_is_said_and_why(recordings, tmp_path):
    def middle(signal):
        return [float(np.median(signal)), float(signal.std())]

    own = CallableEmbedder(middle, 2, name="own", identity="1")
    part = Bunch(data=recordings.data[:3], target=recordings.target[:3])
    save_embeddings(part, make_views("mfcc", own), tmp_path)
    found = verify_results(tmp_path, vectors=True).set_index("item")
    assert found.loc["own", ["what", "verdict"]].tolist() == ["view", "not checked"]
    assert "only code can make again" in found.loc["own", "detail"]
    vectors = found.loc["vectors of all recordings"]
    assert (vectors["verdict"], vectors["detail"]) == (
        "not checked",
        "this manifest holds no hash of them",
    )


def test_vectors_that_come_out_otherwise_are_named(run):
    told = json.loads((run / "manifest.json").read_text())
    told["vectors"] = "0" * 64
    told["hardware"]["processor"] = "another"
    (run / "manifest.json").write_text(json.dumps(told))
    found = verify_results(run, vectors=True).set_index("item").loc["vectors of all recordings"]
    assert found["verdict"] == "differs"
    assert "on another machine the last digits may differ" in found["detail"]


def test_a_signal_a_refused_file_and_a_lost_model_are_told_apart(model_file, recordings, tmp_path):
    copy = shutil.copy(model_file, tmp_path)
    broken = tmp_path / "broken.wav"
    broken.mkdir()
    predict_files(load_model(copy), [broken], manifest=tmp_path / "answers.json")
    os.unlink(copy)
    found = verify_results(tmp_path / "answers.json").set_index("item")
    assert found.loc[str(copy), "verdict"] == "missing"
    assert found.loc[str(broken), "verdict"] == "note"
    tone = Bunch(data=[(np.sin(np.arange(16_000)), 16_000)], target=recordings.target[:1])
    save_embeddings(tone, make_views("mfcc"), tmp_path / "signal")
    found = verify_results(tmp_path / "signal").set_index("item")
    assert found.loc["recording 0", "verdict"] == "not checked"


def test_scores_that_cannot_be_read_are_not_checked(run):
    (run / "predictions.csv").write_text("path,fold\n")
    found = verify_results(run)
    unread = found[(found["what"] == "scores") | (found["item"] == "predictions.csv")]
    assert unread["verdict"].tolist() == ["differs", "not checked"]


@pytest.mark.parametrize("part", ["results", "model_file"])
def test_a_manifest_of_odd_parts_is_refused(part, run):
    told = json.loads((run / "manifest.json").read_text())
    told[part] = [3]
    (run / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(CustodyError, match="does not tell things so"):
        verify_results(run)


@pytest.mark.parametrize("form", [["--log", "{}"], ["--log={}"]])
def test_the_command_line_logs_to_a_file(form, run, tmp_path, capsys):
    log = tmp_path / "log.jsonl"
    option = [part.format(log) for part in form]
    assert main(["verify", str(run), *option]) == 0
    assert main([*option, "verify", str(tmp_path / "none")]) == 1
    assert main(["verify", *option, "--no-such-option"]) == 2
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in lines if "code" in line or "arguments" in line] == [
        *["begun", "ended"] * 3,
    ]
    assert [line["code"] for line in lines if "code" in line] == [0, 1, 2]
    (error,) = (line for line in lines if line["level"] == "ERROR")
    assert error["error"] == "CustodyError"
    assert str(tmp_path / "none") in error["event"]
    capsys.readouterr()
    assert main(["verify", str(run), "--log", str(tmp_path / "no" / "log")]) == 1
    assert "it cannot be written" in capsys.readouterr().err


def test_an_unforeseen_error_is_one_line_and_in_the_log_with_its_place(
    run, tmp_path, capsys, monkeypatch
):
    from sfmforensics import workflow

    def fail(*_, **__):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(workflow, "verify_results", fail)
    log = tmp_path / "log.jsonl"
    assert main(["verify", str(run), "--log", str(log)]) == 1
    said = capsys.readouterr().err
    assert said == "sfmforensics: ZeroDivisionError: by nothing (--debug shows where)\n"
    assert "in fail" in log.read_text()
    with pytest.raises(ZeroDivisionError):
        main(["verify", str(run), "--debug"])
