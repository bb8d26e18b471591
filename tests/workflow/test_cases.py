"""Voices compared for a case: what compare_files, identify_files, write_case and intervals do."""

import dataclasses
import json
import os
import shutil
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.utils import Bunch

from sfmforensics.custody import Provenance, is_sealed
from sfmforensics.datasets import make_speech_corpus
from sfmforensics.exceptions import (
    AudioError,
    CustodyError,
    EvidenceWarning,
    ModelFileError,
    OutputError,
    ParameterError,
    TargetError,
)
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
from sfmforensics.workflow._copy_checks import heard_by

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_figures")]

VIEWS = ["mfcc", "prosody"]
QUICK = {"epochs": 3, "preset": "tuned"}
HOSTILE = "<script>alert(1)<\u2044script> 'a' \"b\" \n\x1b[31m"


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    """Fourteen speakers of four recordings each, of whom two are strangers to every model."""
    return make_speech_corpus(
        14, 4, duration=0.5, random_state=0, output=tmp_path_factory.mktemp("voices")
    )


@pytest.fixture(scope="module")
def strangers(voices):
    """Recordings of two speakers of whom the models have heard nothing."""
    return [file for file in voices.data if "s01" in file], [f for f in voices.data if "s02" in f]


@pytest.fixture(scope="module")
def known_corpus(voices, strangers):
    rows = [i for i, file in enumerate(voices.data) if file not in strangers[0] + strangers[1]]
    target = voices.target.iloc[rows].reset_index(drop=True)
    return Bunch(data=[voices.data[i] for i in rows], target=target)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def model_file(known_corpus, cache, tmp_path_factory):
    file = tmp_path_factory.mktemp("model") / "tango.safetensors"
    train_model(known_corpus, VIEWS, file, calibrate=0.4, cache=cache, command="made", **QUICK)
    return file


@pytest.fixture(scope="module")
def model(model_file):
    return load_model(model_file)


@pytest.fixture(scope="module")
def few(known_corpus, cache, tmp_path_factory):
    """A model for whose calibration two speakers were kept back: too few to compare voices."""
    file = tmp_path_factory.mktemp("few") / "few.safetensors"
    train_model(known_corpus, VIEWS, file, calibrate=0.15, cache=cache, **QUICK)
    return load_model(file)


@pytest.fixture(scope="module")
def plain(known_corpus, cache, tmp_path_factory):
    file = tmp_path_factory.mktemp("plain") / "plain.safetensors"
    train_model(known_corpus, VIEWS, file, cache=cache, **QUICK)
    return load_model(file)


@pytest.fixture(scope="module")
def case(model, strangers):
    return compare_files(model, strangers[0][0], strangers[0][1:3])


class TestCompare:
    def test_a_case_holds_what_it_rests_on(self, case, model, strangers):
        found = case.comparison
        assert (case.questioned, case.known) == (strangers[0][0], strangers[0][1:3])
        assert (found.n_known, found.n_speakers) == (2, 5)
        assert found.lower <= found.log10_lr <= found.upper
        assert case.answers["path"].tolist() == strangers[0][:3]
        assert {"gender", "gender_set", "age_low", "age_high"} <= set(case.answers)
        assert case.seconds == pytest.approx([soundfile.info(f).duration for f in strangers[0][:3]])
        assert is_sealed(case.manifest)
        assert case.manifest["kind"] == "comparison"
        assert case.manifest["model_file"]["sha256"] == model.file_["sha256"]

    def test_it_is_the_comparison_of_the_vectors(self, case, model):
        expected = model[-1].compare(case.X.iloc[[0]], case.X.iloc[1:])
        assert case.comparison == expected

    def test_paths_of_any_kind(self, case, model, strangers, tmp_path):
        name = os.fsencode(tmp_path) + b"/q\xe9 <x>.wav"
        shutil.copy(strangers[0][0], name)
        again = compare_files(model, name, strangers[0][1:3])
        assert again.questioned == os.fsdecode(name)
        assert again.comparison == case.comparison
        json.dumps(again.to_dict())

    def test_json_holds_it(self, case):
        told = json.loads(json.dumps(case.to_dict(), allow_nan=False))
        assert told["likelihood_ratio"] == pytest.approx(10**case.comparison.log10_lr)
        assert told["verbal"] == case.comparison.verbal
        extreme = dataclasses.replace(case.comparison, log10_lr=400.0, upper=np.inf)
        told = dataclasses.replace(case, comparison=extreme).to_dict()
        assert told["likelihood_ratio"] is told["upper"] is None
        assert told["log10_lr"] == 400

    def test_the_manifest_can_be_verified(self, model, strangers, tmp_path):
        for file in strangers[0][:2]:
            shutil.copy(file, tmp_path)
        files = sorted(map(str, tmp_path.glob("*.wav")))
        compare_files(model, files[0], files[1:], manifest=tmp_path / "case.json", confidence=0.8)
        assert json.loads((tmp_path / "case.json").read_text())["confidence"] == 0.8
        assert set(verify_results(tmp_path / "case.json")["verdict"]) == {"same"}
        soundfile.write(files[0], np.ones(8000) * 0.1, 16_000)
        assert "differs" in set(verify_results(tmp_path / "case.json")["verdict"])

    def test_the_same_recording_is_no_comparison(self, model, strangers, tmp_path):
        first, second, third, _ = strangers[0]
        signal, rate = soundfile.read(first, dtype="int16")
        soundfile.write(tmp_path / "copy.flac", signal, rate, subtype="PCM_16")
        with pytest.raises(AudioError, match=r"copy.flac: it holds the same samples as .*question"):
            compare_files(model, first, [second, tmp_path / "copy.flac"])
        with pytest.raises(AudioError, match="the recording in question"):
            compare_files(model, first, [first])
        with pytest.raises(AudioError, match="name each known recording once"):
            compare_files(model, second, [third, first, tmp_path / "copy.flac"])

    def test_a_near_copy_is_no_comparison(self, model, strangers, tmp_path):
        """The questioned recording at 0.7 of its level had a likelihood ratio of 15."""
        first, second, third, _ = strangers[0]
        soft = str(tmp_path / "soft.flac")
        signal, rate = soundfile.read(first)
        soundfile.write(soft, 0.7 * signal, rate)
        with pytest.raises(AudioError, match=r"soft.flac: it is the same take as .*in question"):
            compare_files(model, first, [second, soft])
        with pytest.raises(AudioError, match="name each known recording once"):
            compare_files(model, second, [third, first, soft])
        with pytest.raises(AudioError, match=r"1\.000; copies do by .*--allow-copies"):
            identify_files(model, [soft], [second, first], ["a", "a"])
        with pytest.warns(EvidenceWarning, match=r"soft.flac: it is the same take"):
            case = compare_files(model, first, [soft], allow_copies=True)
        (pair,) = case.manifest["copies"]
        assert (pair["first"], pair["second"]) == (first, soft)
        page = write_case(case, tmp_path / "case.html").read_text(encoding="utf-8")
        assert "Not to be relied on if these are copies" in page
        with pytest.warns(EvidenceWarning, match=r"soft.flac: it is the same take"):
            identify_files(model, [soft], [second, first], ["a", "a"], allow_copies=True)
        with pytest.raises(AudioError, match="holds the same samples"):
            compare_files(model, first, [first], allow_copies=True)

    def test_a_recording_that_cannot_be_used_is_named(self, model, strangers, tmp_path):
        (tmp_path / "text.wav").write_text("no sound")
        with pytest.raises(AudioError, match=r"none.wav: no such file"):
            compare_files(model, "none.wav", strangers[0][:1])
        with pytest.raises(AudioError, match=r"text.wav: it cannot be read as sound"):
            compare_files(model, strangers[0][0], [tmp_path / "text.wav"])

    def test_there_must_be_known_recordings(self, model, strangers):
        with pytest.raises(ParameterError, match=r"known is \[\]; give a list of one"):
            compare_files(model, strangers[0][0], [])
        with pytest.raises(ParameterError, match="give a list of one"):
            compare_files(model, strangers[0][0], strangers[0][1])
        with pytest.raises(ParameterError, match="confidence is 2; use a number between 0 and 1"):
            compare_files(model, strangers[0][0], strangers[0][1:], confidence=2)

    def test_more_known_recordings_than_anybody_has(self, model, strangers):
        with pytest.raises(TargetError, match="give fewer known recordings"):
            compare_files(model, strangers[1][0], [*strangers[0], *strangers[1][1:3]])

    def test_a_model_that_cannot_compare_says_why(self, plain, few, strangers):
        with pytest.raises(ModelFileError, match=r"plain.safetensors: it is not calibrated"):
            compare_files(plain, strangers[0][0], strangers[0][1:])
        with pytest.raises(ModelFileError, match=r"few.safetensors: it cannot compare .* but 2 we"):
            compare_files(few, strangers[0][0], strangers[0][1:])
        with pytest.raises(ModelFileError, match="it cannot compare voices"):
            identify_files(few, strangers[0][:1], strangers[0][1:], ["a"] * 3)

    def test_views_that_changed_are_refused(self, model_file, strangers):
        changed = load_model(model_file)
        changed[0].transformer_list[0][1].set_params(n_mfcc=20)
        with pytest.raises(CustodyError, match="view 'mfcc' is not what the model was trained"):
            compare_files(changed, strangers[0][0], strangers[0][1:])

    def test_of_a_recording_that_it_knows_it_warns(self, model, known_corpus, strangers):
        with pytest.warns(EvidenceWarning, match="was trained or calibrated with this") as told:
            compare_files(model, known_corpus.data[0], strangers[0][:1])
        assert known_corpus.data[0] in str(told[0].message)
        with warnings.catch_warnings():
            warnings.simplefilter("error", EvidenceWarning)
            compare_files(model, strangers[0][0], strangers[1][:1])

    def test_it_knows_a_recording_in_another_container(
        self, model, known_corpus, strangers, tmp_path
    ):
        signal, rate = soundfile.read(known_corpus.data[0], dtype="int16")
        soundfile.write(tmp_path / "known.flac", signal, rate, subtype="PCM_16")
        with pytest.warns(EvidenceWarning, match=r"known.flac: the model was trained or"):
            case = compare_files(model, tmp_path / "known.flac", strangers[0][:1])
        page = write_case(case, tmp_path / "case.html").read_text(encoding="utf-8")
        assert "the model was trained or calibrated with known.flac" in page


class TestAssess:
    """A validation by the model's own speakers, in whatever form, is noticed."""

    @pytest.fixture(scope="class")
    def again(self):
        """A corpus of files and names."""

        def corpus(files, names):
            genders = ["female", "male"] * (len(names) // 2)
            target = pd.DataFrame({"speaker": names, "gender": genders})
            return Bunch(data=list(files), target=target)

        return corpus

    def changed(self, files, folder, gain, kind="flac"):
        for place, file in enumerate(files):
            signal, rate = soundfile.read(file, dtype="int16")
            signal = signal if gain == 1 else np.round(gain * signal).astype("int16")
            soundfile.write(folder / f"{place}.{kind}", signal, rate, subtype="PCM_16")
        return [str(folder / f"{place}.{kind}") for place in range(len(files))]

    @pytest.mark.parametrize(
        ("gain", "said"),
        [(1, "6 of 6 recordings have trained or calibrated"), (0.6, "6 of 6 recordings are near")],
    )
    def test_its_recordings_as_flac_or_softer(
        self, model, known_corpus, again, tmp_path, gain, said
    ):
        files = self.changed(known_corpus.data[:6], tmp_path, gain)
        with pytest.raises(TargetError, match=f"{said}.*--allow-known-speakers"):
            assess_corpus(model, again(files, list("aabbcc")))

    def test_a_model_that_was_told_of_files_alone(self, model_file, known_corpus, again, tmp_path):
        """Of 0.1.0, and its recordings are elsewhere: it is said what was not compared."""
        old = load_model(model_file)
        for record in old.manifest_["recordings"]:
            record.pop("content")
        files = self.changed(known_corpus.data[:6], tmp_path, 1)
        with pytest.raises(TargetError, match="6 of 6 recordings have trained"):
            assess_corpus(old, again(files, list("aabbcc")))
        for record in old.manifest_["recordings"]:
            record["path"] += ".gone"
        with pytest.warns(EvidenceWarning, match=r"48 recordings .* not where they were.* of 48"):
            assess_corpus(old, again(files, list("aabbcc")))

    def test_its_speakers_by_name(self, model, strangers, again, tmp_path):
        names = [model[-1].speakers_["trained"][0]] * 4 + [model[-1].speakers_["calibrated"][0]] * 4
        corpus = again([*strangers[0], *strangers[1]], names)
        with pytest.raises(TargetError, match=r"2 of 2 speakers .*1 trained and 1 calib.*rename"):
            assess_corpus(model, corpus)
        found = assess_corpus(model, corpus, tmp_path, allow_known_speakers=True)
        assert set(found.known_speakers) == set(names)
        told = json.loads((tmp_path / "manifest.json").read_text())["known"]
        assert (told["allowed"], set(told["speakers"])) == (True, set(names))
        assert (told["recordings"], told["near_copies"], told["not_compared"]) == (0, 0, 0)

    def test_what_goes_on_though_it_is_known_is_said(self, model, known_corpus, again, tmp_path):
        files = self.changed(known_corpus.data[:6], tmp_path, 0.6)
        with pytest.warns(EvidenceWarning, match="6 of 6 recordings, or copies of them, have"):
            assess_corpus(model, again(files, list("aabbcc")), allow_known_speakers=True)

    def test_its_recordings_are_heard_as_it_heard_them(self, model_file, known_corpus, tmp_path):
        """Channel 1 of two parties: asked about in mono, the file itself would be refused."""
        model = load_model(model_file)
        signal, rate = soundfile.read(known_corpus.data[0])
        other, _ = soundfile.read(known_corpus.data[-1])
        n = min(len(signal), len(other))
        both, alone = tmp_path / "both.wav", tmp_path / "alone.wav"
        soundfile.write(both, np.column_stack([signal[:n], other[:n]]), rate)
        soundfile.write(alone, 0.6 * signal[:n], rate)
        record = {"path": str(both), "bytes": both.stat().st_size, "sha256": "0", "content": "0"}
        model.manifest_ = {"recordings": [record], "preprocessing": {"channel": 1}}
        provenance = Provenance([alone], decoded=True)
        assert heard_by(model, [str(alone)], provenance).near.tolist() == [True]
        model.manifest_["preprocessing"] = {"channel": 2}
        assert heard_by(model, [str(alone)], provenance).near.tolist() == [False]
        model.manifest_["preprocessing"] = {"channel": 3}  # which it has not: said
        assert heard_by(model, [str(alone)], provenance).absent == 1

    def test_a_model_that_does_not_say_what_it_learnt_from(self, model_file, strangers, again):
        model = load_model(model_file)
        del model.manifest_
        with pytest.warns(EvidenceWarning, match="whether it has heard these recordings cannot"):
            assess_corpus(model, again([*strangers[0], *strangers[1]], list("aaaabbbb")))

    def test_recordings_are_not_taken_for_speakers(self, model, strangers, again):
        corpus = again([*strangers[0], *strangers[1]], list("aaaabbbb"))
        corpus.target = corpus.target.drop(columns="speaker")
        with pytest.raises(TargetError, match="no column 'speaker'; validation counts whole"):
            assess_corpus(model, corpus)

    def test_strangers_are_no_matter(self, model, strangers, again):
        with warnings.catch_warnings():
            warnings.simplefilter("error", EvidenceWarning)
            found = assess_corpus(model, again([*strangers[0], *strangers[1]], list("aaaabbbb")))
        assert found.known_speakers == ()


class TestCaseReport:
    def test_it_is_written_whole(self, case, tmp_path):
        path = write_case(case, str(tmp_path / "new" / "case.html"))
        assert path == tmp_path / "new" / "case.html"
        page = path.read_text(encoding="utf-8")
        assert "Comparison of voices" in page
        assert case.manifest["sha256"] in page
        assert page.count("data:image/png") == 2  # Tippett plot, explanation
        assert [file.name for file in path.parent.iterdir()] == ["case.html"]

    def test_the_training_speakers_are_not_named(self, case, tmp_path):
        page = write_case(case, tmp_path / "case.html").read_text(encoding="utf-8")
        assert case.answers["speaker"].iloc[0] in case.model[-1].classes_[0]
        assert f"{case.answers['speaker'].iloc[0]} (" not in page
        assert '<th scope="col" class="label" data-column="1">speaker' not in page

    def test_it_shows_names_harmlessly(self, model, strangers, tmp_path):
        name = os.fsencode(tmp_path) + b"/\xe9" + HOSTILE.encode() + b".wav"
        shutil.copy(strangers[0][0], name)
        case = compare_files(model, name, strangers[0][1:2])
        page = write_case(case, tmp_path / "case.html").read_bytes().decode("utf-8")
        assert "<script" not in page
        assert "\\udce9" in page
        assert "\x1b" not in page

    def test_where_it_cannot_be_written(self, case, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(OutputError):
            write_case(case, tmp_path / "file" / "case.html")

    def test_without_an_explanation_the_rest_is_there(self, case, tmp_path, monkeypatch):
        def refuse(*_, **__):
            raise ParameterError("no such model")

        monkeypatch.setattr("sfmforensics.workflow._compare.explain", refuse)
        page = write_case(case, tmp_path / "case.html").read_text(encoding="utf-8")
        assert page.count("data:image/png") == 1
        assert "Why the model says so" not in page
        assert "Chain of custody" in page

    @pytest.mark.parametrize("kind", ["single", "concat"])
    def test_of_models_of_other_kinds_and_by_folds(self, kind, known_corpus, strangers, cache,
                                                   tmp_path):  # fmt: skip
        views = VIEWS[: 1 if kind == "single" else 2]
        file = tmp_path / "model.joblib"
        train_model(known_corpus, views, file, model=kind, calibrate=2, cache=cache, **QUICK)
        case = compare_files(load_model(file, trust=True), strangers[0][0], strangers[1][:1])
        page = write_case(case, tmp_path / "case.html").read_text(encoding="utf-8")
        assert "(2 folds)" in page
        assert page.count("data:image/png") == 2


class TestIdentify:
    def test_who_it_is_or_nobody(self, model, strangers):
        enrolled = [strangers[0][0], strangers[1][0], strangers[1][1]]
        asked = [strangers[0][2], strangers[1][2]]
        found = identify_files(model, asked, enrolled, ["a", "b", "b"], false_alarm=0.3)
        assert found.columns.tolist()[:4] == ["path", "speaker", "closest", "log10_lr"]
        assert found.columns.tolist()[4:] == ["unbounded", "threshold"]
        named = found["unbounded"] > found["threshold"]
        np.testing.assert_array_equal(found["speaker"].notna(), named)
        assert found["path"].tolist() == asked
        assert set(found["closest"]) <= {"a", "b"}
        assert all(
            who in (None, closest)
            for who, closest in zip(found["speaker"], found["closest"], strict=True)
        )
        ratios = [
            compare_files(model, asked[0], given).comparison.log10_lr
            for given in (enrolled[:1], enrolled[1:])
        ]
        assert found["log10_lr"][0] in ratios

    def test_the_manifest_holds_who_is_enrolled_and_can_be_verified(
        self, model, strangers, tmp_path
    ):
        enrolled, asked, file = strangers[0][:2], strangers[1][:2], tmp_path / "case.json"
        found = identify_files(
            model, asked, enrolled, np.array([7, 8]), false_alarm=0.3, manifest=file
        )
        told = json.loads(file.read_text())
        assert told["kind"] == "identification"
        assert told["enrolled"] == [
            {"path": path, "speaker": who} for path, who in zip(enrolled, (7, 8), strict=True)
        ]
        assert [row["closest"] for row in told["answers"]] == found["closest"].tolist()
        assert [row["log10_lr"] for row in told["answers"]] == found["log10_lr"].tolist()
        assert told["identifier"]["false_alarm"] == told["identifier"]["promised"] == 0.3
        assert len(told["recordings"]) == 4
        assert told["model_file"]["sha256"] == model.file_["sha256"]
        assert set(verify_results(file)["verdict"]) == {"same"}

    def test_a_recording_is_enrolled_once(self, model, strangers, tmp_path):
        asked, (first, second, *_) = strangers[1][0], strangers[0]
        signal, rate = soundfile.read(first)
        soundfile.write(tmp_path / "softer.wav", 0.6 * signal, rate)
        again = str(tmp_path / "softer.wav")
        with pytest.raises(AudioError, match=r"softer.wav: .*same take.*enrol each recording once"):
            identify_files(model, [asked], [first, again, second], ["a", "a", "b"])
        with pytest.raises(AudioError, match="enrol each recording once, under one name"):
            identify_files(model, [asked], [first, again, second], ["a", "b", "b"])

    def test_what_cannot_be_promised_warns(self, model, strangers):
        with pytest.warns(EvidenceWarning, match="can promise a false-alarm rate"):
            identify_files(model, strangers[0][2:3], strangers[0][:1], ["a"], false_alarm=0.01)

    def test_refusals(self, model, plain, known_corpus, strangers):
        first, second, *_ = strangers[0]
        with pytest.raises(ModelFileError, match="it is not calibrated"):
            identify_files(plain, [first], [second], ["a"])
        with pytest.raises(AudioError, match=r"none.wav: no such file"):
            identify_files(model, [first], ["none.wav"], ["a"])
        with pytest.raises(AudioError, match=r"the same samples as .*, which is enrolled"):
            identify_files(model, [first], [second, first], ["a", "b"])
        with pytest.raises(TargetError, match="nobody is enrolled"):
            identify_files(model, [first], [], [])
        with pytest.raises(TargetError, match="1 of 1 recordings to enrol have no speaker"):
            identify_files(model, [first], [second], [None])
        with pytest.raises(ParameterError, match="false_alarm is 0"):
            identify_files(model, [first], [second], ["a"], false_alarm=0)
        with pytest.warns(EvidenceWarning, match="was trained or calibrated with this"):
            identify_files(model, [first], known_corpus.data[:1], ["a"], false_alarm=0.3)


class TestUncertain:
    def test_intervals_and_sets(self, model, strangers):
        answers, refused = predict_files(model, strangers[0], intervals=True, confidence=0.6)
        assert refused == []
        ages = answers[["age_low", "age", "age_high"]].to_numpy()
        assert (np.diff(ages) > 0).all()
        assert np.isfinite(ages).all()
        assert all(answers["gender"][i] == answers["gender_set"][i][0] for i in range(4))
        expected = model[-1].predict_interval(compare_files(model, *split(strangers[0])).X, 0.6)
        np.testing.assert_allclose(answers[["age_low", "age_high"]], expected, rtol=1e-5)
        wide, _ = predict_files(model, strangers[0], intervals=True, confidence=0.99)
        assert np.isinf(wide["age_high"]).all()  # of five speakers so much cannot be promised

    def test_no_answer_where_it_is_unsure(self, model, strangers):
        answers, _ = predict_files(model, strangers[0], abstain=0.0001)
        assert all(label is None for label in answers["emotion"])
        assert answers["age"].notna().all()
        sure, _ = predict_files(model, strangers[0], abstain=0.9999)
        assert sure["emotion"].notna().all()

    def test_the_manifest_holds_them(self, model, strangers, tmp_path):
        predict_files(
            model, strangers[0][:1], intervals=True, abstain=0.2, manifest=tmp_path / "m.json"
        )
        (row,) = json.loads((tmp_path / "m.json").read_text())["answers"]
        assert isinstance(row["gender_set"], list)

    def test_refusals(self, model, plain, strangers, monkeypatch):
        for options in ({"intervals": True}, {"abstain": 0.1}):
            with pytest.raises(ModelFileError, match="it is not calibrated"):
                predict_files(plain, strangers[0], **options)
        monkeypatch.setattr(
            "sfmforensics.workflow._predict.vectors_of", lambda *_: pytest.fail("embedded")
        )
        with pytest.raises(ParameterError, match="confidence is 0; use"):
            predict_files(model, strangers[0], intervals=True, confidence=0)
        with pytest.raises(ParameterError, match="abstain is 1; use"):
            predict_files(model, strangers[0], abstain=1)


class TestTraining:
    def test_nobody_who_speaks(self, known_corpus, cache, tmp_path):
        """Each recording would be a voice of its own, and every promise false."""
        corpus = Bunch(data=known_corpus.data, target=known_corpus.target[["emotion", "age"]])
        with pytest.raises(TargetError, match="no column 'speaker'; calibration keeps whole"):
            train_model(corpus, VIEWS, tmp_path / "m", calibrate=0.4, cache=cache, **QUICK)

    def test_names_that_intervals_take(self, known_corpus, cache, tmp_path):
        target = known_corpus.target.assign(age_low=known_corpus.target["age"])
        corpus = Bunch(data=known_corpus.data, target=target)
        with pytest.raises(TargetError, match="two columns called 'age_low'"):
            train_model(corpus, VIEWS, tmp_path / "m", calibrate=0.4, cache=cache, **QUICK)
        assert not (tmp_path / "m").exists()

    def test_too_few_speakers(self, known_corpus, cache, tmp_path):
        with pytest.raises(TargetError, match="12 speakers cannot be divided into 40 folds"):
            train_model(known_corpus, VIEWS, tmp_path / "m", calibrate=40, cache=cache, **QUICK)

    def test_copies_stay_on_one_side(self, known_corpus, cache, tmp_path):
        """Two speakers share a recording, so that they are one voice."""
        data = list(known_corpus.data)
        shutil.copy(data[0], tmp_path / "copy.wav")
        data[4] = str(tmp_path / "copy.wav")
        shared = set(known_corpus.target["speaker"].iloc[[0, 4]])
        assert len(shared) == 2
        corpus = Bunch(data=data, target=known_corpus.target)
        for seed in range(3):
            options = {"calibrate": 0.5, "cache": cache, "seed": seed} | QUICK | {"epochs": 1}
            trained = train_model(corpus, VIEWS, tmp_path / "m.safetensors", **options)
            held = set(corpus.target["speaker"].iloc[trained[-1].calibration_rows_])
            assert len(held & shared) in (0, 2)

    def test_near_copies_stay_on_one_side(self, known_corpus, cache, tmp_path):
        """A speaker's recordings at 0.6 of their level, under another name, are of one voice."""
        data = list(known_corpus.data)
        for place in range(4):
            signal, rate = soundfile.read(data[place])
            data[4 + place] = str(tmp_path / f"{place}.wav")
            soundfile.write(data[4 + place], 0.6 * signal, rate)
        shared = set(known_corpus.target["speaker"].iloc[:8])
        assert len(shared) == 2
        corpus = Bunch(data=data, target=known_corpus.target)
        for seed in range(3):
            options = {"calibrate": 0.5, "cache": cache, "seed": seed} | QUICK | {"epochs": 1}
            trained = train_model(corpus, VIEWS, tmp_path / "m.safetensors", **options)
            assert len(set(trained[-1].speakers_["calibrated"]) & shared) in (0, 2)

    def test_a_vector_machine_is_calibrated_too_but_compares_nobody(
        self, known_corpus, strangers, cache, tmp_path
    ):
        file = tmp_path / "svm.joblib"
        train_model(known_corpus, VIEWS, file, model="svm", calibrate=0.4, cache=cache)
        svm = load_model(file, trust=True)
        answers, _ = predict_files(svm, strangers[0], intervals=True, confidence=0.6)
        assert {"age_low", "age_high"} <= set(answers)
        with pytest.raises(ModelFileError, match="gives a representation, as tango"):
            compare_files(svm, strangers[0][0], strangers[0][1:])
        assert isinstance(joblib.load(file).manifest_["calibration"]["speakers"], int)


def split(files):
    return files[0], files[1:]


def test_answers_in_case_are_those_of_predict(case, model):
    answers, _ = predict_files(model, [case.questioned, *case.known], intervals=True)
    pd.testing.assert_frame_equal(answers, case.answers)
