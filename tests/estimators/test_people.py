"""A model without people: what its bytes hold, what it answers, and what it refuses."""

import base64
import json
import os
import re
import warnings
from itertools import product
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Bunch

from sfmforensics import TANGO, PerTask, SingleView, read_model, save_model
from sfmforensics.cli import main
from sfmforensics.custody import is_sealed, manifest_without_people
from sfmforensics.datasets import make_speech_corpus
from sfmforensics.evidence import CalibratedModel, CosineScorer, LikelihoodRatio, OpenSetIdentifier
from sfmforensics.evidence._people import CANNOT_BE_CHECKED, holds_people
from sfmforensics.exceptions import EvidenceWarning, ModelFileError, TargetError
from sfmforensics.saving import without_people
from sfmforensics.targets import TargetCodec
from sfmforensics.workflow import (
    assess_corpus,
    compare_files,
    identify_files,
    load_model,
    predict_files,
    train_model,
    verify_results,
    write_case,
)

pytestmark = pytest.mark.slow

VIEWS = ["mfcc", "prosody"]
SMALL = {"encoder": "tokens", "n_tokens": 2, "token_dim": 8, "hidden": (8,), "max_epochs": 3}
FORMATS = ["safetensors", "joblib"]


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Twelve people with names that are nowhere else, and two strangers."""
    folder = tmp_path_factory.mktemp("Ottilie Grünwald's case")
    made = make_speech_corpus(14, 4, duration=0.5, random_state=0, output=folder)
    target = made.target.assign(speaker=[f"Zerline Käßmann-{name}" for name in made.target.speaker])
    parts = []
    for rows in (range(8, 56), range(8)):
        data = [made.data[row] for row in rows]
        parts.append(Bunch(data=data, target=target.iloc[list(rows)].reset_index(drop=True)))
    return parts


@pytest.fixture(scope="module")
def trained(corpora, tmp_path_factory):
    """Models of the same corpus, each with and without people."""
    folder = tmp_path_factory.mktemp("models")
    found = {}
    for form, people, calibrate in product(FORMATS, (True, False), (0.5, None)):
        file = folder / f"{form}-{people}-{calibrate}.{form}"
        train_model(
            corpora[0],
            VIEWS,
            file,
            calibrate=calibrate,
            include_people=people,
            epochs=1,
            cache=folder / "cache",
            command=f"sfmforensics train --root {os.path.dirname(corpora[0].data[0])}",
        )
        found[form, people, calibrate] = load_model(file, trust=True)
    return found


def written(path):
    """The bytes of a file, and those that stand in it as base64 or hexadecimal."""
    content = path.read_bytes()
    found = [content]
    for coded in re.findall(rb"[A-Za-z0-9+/]{24,}", content):
        for start in range(4):
            whole = (len(coded) - start) // 4 * 4
            found.append(base64.b64decode(coded[start : start + whole]))
    return b"\n".join(found)


def spelled(text):
    yield from (text.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le"))
    yield text.encode("latin-1", "ignore")
    yield json.dumps(text)[1:-1].encode()
    yield text.encode("unicode_escape")


def secrets_of(corpus, model):
    """What would tell of whom the model was made."""
    texts = {"Zerline", "Käßmann", "Ottilie", "Grünwald", *corpus.target["speaker"]}
    for record in model.manifest_["recordings"]:
        path = Path(record["path"])
        texts |= {path.name, path.stem, str(path.parent), record["sha256"]}
    secrets = {spelling for text in texts for spelling in spelled(text)}
    return secrets | {bytes.fromhex(r["sha256"]) for r in model.manifest_["recordings"]}


def vectors_in(model, corpus):
    """Each recording's vectors as bytes: of its views, fused, and as they are compared."""
    X = model[0].transform(corpus.data)
    parts = [X.to_numpy()]
    if hasattr(model[-1], "likelihood_ratio_"):
        parts += [model[-1].transform(X)]
        parts += [projected for _, _, projected in model[-1].likelihood_ratio_._parts]
    for part in parts:
        for dtype in ("<f4", "<f8"):
            rows = [row.astype(dtype).tobytes() for row in part]
            yield from (row for row in rows if len(row) >= 8)  # four bytes are found by chance


@pytest.mark.parametrize(("form", "calibrate"), product(FORMATS, (0.5, None)))
def test_its_bytes_hold_no_name_path_hash_or_voice_of_anybody(form, calibrate, trained, corpora):
    whole = trained[form, True, calibrate]
    secrets = secrets_of(corpora[0], whole) | set(vectors_in(whole, corpora[0]))
    content = written(Path(trained[form, False, calibrate].file_["path"]))
    assert [secret for secret in secrets if secret in content] == []
    # That these would be found, the model with people shows.
    content = written(Path(whole.file_["path"]))
    assert b"Zerline" in content
    assert all(record["sha256"].encode() in content for record in whole.manifest_["recordings"])
    if calibrate is not None:
        projected = whole[-1].likelihood_ratio_._parts[0][2]
        assert all(row.astype("<f8").tobytes() in content for row in projected)


@pytest.mark.parametrize("form", FORMATS)
def test_it_answers_the_same_to_the_last_bit(form, trained, corpora):
    whole, reduced = (trained[form, people, 0.5] for people in (True, False))
    files = corpora[1].data
    options = {"intervals": True, "confidence": 0.8}
    expected, found = (predict_files(model, files, **options)[0] for model in (whole, reduced))
    pd.testing.assert_frame_equal(
        found.drop(columns="speaker"), expected.drop(columns="speaker"), check_exact=True
    )
    names = dict(zip(whole[-1].classes_[0], reduced[-1].classes_[0], strict=True))
    assert found["speaker"].tolist() == [names[name] for name in expected["speaker"]]
    assert set(names.values()) == {f"speaker {number}" for number in range(1, 7)}
    X = whole[0].transform(files)
    for risk in (0.1, 0.5):
        pair = (model[-1].predict_or_abstain(X, risk) for model in (whole, reduced))
        pd.testing.assert_frame_equal(*(one.drop(columns="speaker") for one in pair))
    np.testing.assert_array_equal(
        whole[-1].log10_lr(X[:2], X[2:]), reduced[-1].log10_lr(X[:2], X[2:])
    )
    for n in (1, 2, 3):
        cases = [
            _quietly(compare_files, model, files[0], files[1 : 1 + n]) for model in (whole, reduced)
        ]
        assert cases[0].comparison == cases[1].comparison
    plain = [trained[form, people, None].predict(files) for people in (True, False)]
    pd.testing.assert_frame_equal(*(one.drop(columns="speaker") for one in plain))


def _quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EvidenceWarning)
        return function(*arguments, **options)


@pytest.mark.parametrize("form", FORMATS)
class TestWhatItCannotDo:
    def test_it_says_that_it_cannot_know_whom_it_has_heard(self, form, trained, corpora):
        reduced = trained[form, False, 0.5]
        files = corpora[0].data  # those that it was made of
        with pytest.warns(EvidenceWarning, match=CANNOT_BE_CHECKED):
            compare_files(reduced, files[0], files[1:2])
        with pytest.warns(EvidenceWarning, match=CANNOT_BE_CHECKED):
            assess_corpus(reduced, corpora[1])

    def test_it_does_not_identify(self, form, trained, corpora):
        reduced, files = trained[form, False, 0.5], corpora[1].data
        with pytest.raises(ModelFileError, match="holds no people, and to identify takes") as told:
            identify_files(reduced, files[:1], files[4:5], ["a"])
        assert Path(reduced.file_["path"]).name in str(told.value)
        X = reduced[0].transform(files)
        with pytest.raises(TargetError, match="use the model that holds them"):
            reduced[-1].identify(X[:1], X[1:3], ["a", "b"])
        with pytest.raises(TargetError, match="use the model that holds them"):
            OpenSetIdentifier(reduced[-1].likelihood_ratio_).fit(
                reduced[-1].transform(X)[:2], ["a", "b"]
            )

    def test_more_known_recordings_than_it_was_calibrated_for(self, form, trained, corpora):
        reduced, files = trained[form, False, 0.5], corpora[0].data
        with pytest.raises(TargetError, match="up to 3 known recordings of one speaker"):
            _quietly(compare_files, reduced, files[0], files[1:6])
        with pytest.raises(ModelFileError, match="nor the comparisons of them"):
            _ = reduced[-1].likelihood_ratio_.calibration_trials_

    def test_verify_checks_all_but_recordings(self, form, trained):
        reduced = trained[form, False, 0.5]
        found = verify_results(reduced.file_["path"], trust=True, vectors=True)
        assert not found["verdict"].isin(["differs", "missing"]).any()
        of_recordings = found[found["what"] == "recording"]
        assert of_recordings["item"].tolist() == ["48 recordings"]
        assert "holds no people" in of_recordings["detail"].iloc[0]
        assert (found["what"] == "view").sum() == 2
        manifest = reduced.manifest_
        assert is_sealed(manifest)
        assert not manifest.get("command")
        assert manifest["people"]["recordings"] == 48
        assert manifest["people"]["calibrated"] == 24
        assert set(manifest["people"]) - {"sha256"} == {
            *("included", "recordings", "calibrated", "left_out")
        }

    def test_the_page_of_a_case_says_so(self, form, trained, corpora, tmp_path):
        case = _quietly(compare_files, trained[form, False, 0.5], *_split(corpora[1].data[:3]))
        page = write_case(case, tmp_path / "case.html").read_text(encoding="utf-8")
        assert "48 recordings" in page
        assert "24 of them calibrated" in page
        assert "cannot be checked with it" in page
        assert "Zerline" not in page


def _split(files):
    return files[0], files[1:]


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(18), 5)
    own = rng.normal(size=(18, 12))
    X = (own[who] + 0.4 * rng.normal(size=(90, 12))).astype("float32")
    y = pd.DataFrame(
        {
            "speaker": [f"Zerline {one}" for one in who],
            "gender": np.where(own[who, 0] > 0, "f", "m"),
            "age": (40 + 8 * own[who, 1]).round(),
        }
    )
    return X, y


def as_joblib(model, path):
    joblib.dump(without_people(model), path)
    return joblib.load(path)


def as_safetensors(model, path):
    save_model(model, path, include_people=False)
    return read_model(path)


@pytest.mark.parametrize("write", [as_joblib, as_safetensors])
@pytest.mark.parametrize("how", ["folds", "cosine", "steps", "frozen", "voice"])
def test_calibrations_of_every_kind(how, write, vectors, tmp_path):
    X, y = vectors
    tango, speaker = TANGO(random_state=0, **SMALL), "speaker"
    options = {
        "folds": {"calibration": 3, "per_speaker": "all"},
        "cosine": {"calibration": 0.4, "likelihood_ratio": LikelihoodRatio("cosine", bounds=None)},
        "steps": {"likelihood_ratio": LikelihoodRatio(CosineScorer(), calibration="isotonic")},
    }.get(how, {})
    if how == "voice":
        speaker, y = "voice", y.rename(columns={"speaker": "voice"})
    if how == "frozen":
        tango = FrozenEstimator(tango.fit(X[:30], y[:30]))
        X, y = X[30:], y[30:].reset_index(drop=True)
    model = CalibratedModel(tango, random_state=0, speaker=speaker, **options).fit(X, y)
    before = repr(vars(model).keys())
    again = write(model, tmp_path / "model")
    assert not holds_people(again)
    assert holds_people(model)
    assert repr(vars(model).keys()) == before
    assert b"Zerline" not in written(tmp_path / "model")
    for name in ("predict_interval", "predict_set"):
        pd.testing.assert_frame_equal(getattr(model, name)(X), getattr(again, name)(X))
    assert np.array_equal(model.log10_lr(X[:4], X[4:9]), again.log10_lr(X[:4], X[4:9]))
    for n in (1, 4):
        assert model.compare(X[:1], X[1 : 1 + n]) == again.compare(X[:1], X[1 : 1 + n])
    assert not hasattr(again, "calibration_rows_")
    # What was reduced can be saved as often as one likes, and be fitted again.
    twice = as_safetensors(again, tmp_path / "twice")
    assert twice.compare(X[:1], X[1:3]) == model.compare(X[:1], X[1:3])
    if how != "frozen":
        assert holds_people(again.fit(X, y))


def test_one_task_in_any_form(vectors, tmp_path):
    X, y = vectors
    names = y["speaker"]
    named = as_safetensors(SingleView(random_state=0, max_epochs=2).fit(X, names), tmp_path / "a")
    assert set(named.predict(X)) <= {f"speaker {number:02}" for number in range(1, 19)}
    whole = TANGO(random_state=0, **SMALL).fit(X, y)
    reduced = without_people(whole)
    assert whole.classes_[0][0] == "Zerline 0"
    assert reduced.classes_[0][0] == "speaker 01"
    for left, right in zip(whole.predict_proba(X), reduced.predict_proba(X), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (pd.Series([7, 3, 7]), [2, 1, 2]),
        (pd.Series(["b", "a", "b"]), ["speaker 2", "speaker 1", "speaker 2"]),
        (pd.Series(pd.Categorical(["b", "a", "b"])), ["speaker 2", "speaker 1", "speaker 2"]),
        (pd.Series([True, False, True]), [True, False, True]),
    ],
)
def test_speakers_of_any_type_are_numbered(labels, expected):
    y = pd.DataFrame({"speaker": labels, "gender": ["f", "m", "f"]})
    codec = TargetCodec().fit(y)
    renamed = codec.renamed({"speaker"})
    found = renamed.decode(codec.encode(y))
    assert found["speaker"].tolist() == expected
    assert found["gender"].tolist() == ["f", "m", "f"]


def test_a_categorical_of_polars_keeps_no_names():
    polars = pytest.importorskip("polars", reason="polars is not installed")
    y = polars.DataFrame(
        {"speaker": ["Zerline", "Anna"], "age": [1.0, 2.0]},
        schema_overrides={"speaker": polars.Enum(["Zerline", "Anna"])},
    )
    codec = TargetCodec().fit(y)
    renamed = codec.renamed({"speaker"})
    assert renamed.decode(codec.encode(y))["speaker"].to_list() == ["speaker 2", "speaker 1"]
    assert "Zerline" not in repr(vars(renamed))


def test_what_answers_by_its_recordings_is_refused(vectors, corpora, tmp_path):
    X, y = vectors

    class Mine(CosineScorer):
        pass

    odd = CalibratedModel(
        TANGO(random_state=0, **SMALL), random_state=0, likelihood_ratio=LikelihoodRatio(Mine())
    )
    for model, kind in [
        (PerTask().fit(X, y), "PerTask"),
        (CalibratedModel(PerTask(), random_state=0).fit(X, y), "PerTask"),
        (odd.fit(X, y), "Mine"),
    ]:
        with pytest.raises(ModelFileError, match=f"a {kind} may keep what its recordings were"):
            without_people(model)
    file = tmp_path / "svm.joblib"
    with pytest.raises(ModelFileError, match="SVC and SVR answers by vectors of the recordings"):
        train_model(corpora[0], VIEWS, file, model="svm", include_people=False)
    assert not file.exists()


def test_a_manifest_keeps_what_is_known_to_be_of_nobody(trained):
    whole = trained["safetensors", True, 0.5].manifest_
    reduced = manifest_without_people(whole | {"skipped": ["/cases/Zerline.wav"]})
    assert "Zerline" not in json.dumps(reduced)
    assert reduced["versions"] == whole["versions"]
    assert reduced["people"]["sha256"] == whole["sha256"]
    assert manifest_without_people(reduced) == reduced


def test_the_command_says_what_is_gone(corpora, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table = corpora[0].target.assign(path=corpora[0].data)
    table.to_csv("table.csv", index=False)
    train = ["train", "--corpus", "manifest", "--root", "table.csv", "--epochs", "1"]
    train += ["--allow-outside", "--calibrate", "0.5", "--no-people"]
    assert main([*train, "--output", "m.safetensors"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Calibrated by 6 speakers (24 recordings)" in said
    assert "It holds no people: its speakers are numbered" in said
    assert main(["predict", "m.safetensors", corpora[1].data[0]]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "This model holds no people: its speakers are numbered, not named." in said
    assert main(["verify", "m.safetensors"]) == 0
    assert "holds no people" in " ".join(capsys.readouterr().out.split())
