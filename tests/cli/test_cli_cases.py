"""compare, identify, predict with intervals, and train --calibrate, as they are typed."""

import json
import os
import shutil
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

from sfmforensics._utils.files import file_hash
from sfmforensics._utils.names import keep_name, show_name
from sfmforensics.cli import _console, main
from sfmforensics.datasets import make_speech_corpus

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_figures")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with voices and models of ten of twelve speakers; s01 and s02 are strangers."""
    folder = tmp_path_factory.mktemp("work")
    voices = make_speech_corpus(12, 4, duration=0.5, random_state=0, output=folder / "voices")
    table = voices.target.assign(path=[os.path.relpath(path, folder) for path in voices.data])
    table["test_set"] = table["gender"].map({"female": "even", "male": "odd"})
    table[8:].to_csv(folder / "table.csv", index=False)
    table[:8].to_csv(folder / "strangers.csv", index=False)
    before = os.getcwd()
    os.chdir(folder)
    try:
        shared = ["--corpus", "manifest", "--root", "table.csv", "--epochs", "2", "--cache", "c"]
        assert main(["train", *shared, "--output", "m.safetensors", "--calibrate", "0.5"]) == 0
        assert main(["train", *shared, "--output", "plain.safetensors"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(trained, monkeypatch):
    """The folder to work in, and a terminal that is wide enough for a line of a table."""
    monkeypatch.chdir(trained)
    # Not by COLUMNS, which a process that runs some of the tests may have set before.
    monkeypatch.setattr(_console.out, "_width", 250)
    return trained


@pytest.fixture
def first(here):
    return sorted(str(path.relative_to(here)) for path in (here / "voices").rglob("s01*.wav"))


@pytest.fixture
def second(here):
    return sorted(str(path.relative_to(here)) for path in (here / "voices").rglob("s02*.wav"))


def refused(capsys, *arguments):
    """What a refusal says: one line, no traceback, nothing on standard output."""
    assert main(list(arguments)) == 1
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert said.out == ""
    lines = [line for line in said.err.splitlines() if line.startswith("sfmforensics: ")]
    lines = [line for line in lines if not line.startswith("sfmforensics: warning")]
    assert len(lines) == 1, said.err
    return lines[0]


class TestCompare:
    def test_as_a_table_with_a_report_and_a_manifest(self, here, first, capsys, tmp_path):
        report, manifest = tmp_path / "case.html", tmp_path / "case.json"
        asked = ["--report", str(report), "--manifest", str(manifest)]
        assert main(["compare", "m.safetensors", *first[:3], *asked]) == 0
        said = capsys.readouterr()
        told = " ".join(said.out.split())
        for words in (
            f"questioned {first[0]}",
            f"known {first[1]}, {first[2]}",
            "likelihood ratio",
            "5 speakers",
            "each with 2 known recordings; Cllr",
            "not for this comparison to say.",
        ):
            assert words in told
        assert f"case report: {report}, sha256 {file_hash(report)}" in said.err
        assert f"chain of custody: {manifest}, sha256 {file_hash(manifest)}" in said.err
        page = report.read_text(encoding="utf-8")
        assert json.loads(manifest.read_text())["sha256"] in page
        assert "of the table table.csv" in page
        assert main(["verify", str(manifest)]) == 0

    def test_as_json_and_csv(self, here, first, second, capsys):
        name = os.fsdecode(b"caf\xe9 \x1b[31m.wav")
        shutil.copy(first[0], name)
        compare = ["compare", "m.safetensors", name, *second[:2], "--format"]
        assert main([*compare, "json"]) == 0
        out = capsys.readouterr().out
        assert out.replace("\n", "").isprintable()
        told = json.loads(out)
        assert told["questioned"] == name
        assert told["known"] == second[:2]
        assert told["lower"] <= told["log10_lr"] <= told["upper"]
        assert told["likelihood_ratio"] == pytest.approx(10 ** told["log10_lr"])
        assert main([*compare, "csv"]) == 0
        (row,) = pd.read_csv(StringIO(capsys.readouterr().out)).to_dict(orient="records")
        assert row["questioned"] == keep_name(name)
        assert row["known"] == " | ".join(second[:2])
        assert row["log10_lr"] == pytest.approx(told["log10_lr"])
        assert main([*compare, "table"]) == 0
        out = capsys.readouterr().out
        assert show_name(name) in out
        assert out.replace("\n", "").isprintable()

    def test_of_a_known_recording_it_warns_and_the_page_too(self, here, first, capsys, tmp_path):
        heard = pd.read_csv("table.csv")["path"][0]
        report = ["--report", str(tmp_path / "case.html")]
        assert main(["compare", "m.safetensors", heard, first[0], *report]) == 0
        assert "warning: " in capsys.readouterr().err
        page = (tmp_path / "case.html").read_text(encoding="utf-8")
        assert f"the model was trained or calibrated with {Path(heard).name}" in page

    def test_refusals_are_one_line(self, here, first, capsys, tmp_path):
        compare = ["compare", "m.safetensors"]
        assert "not calibrated" in refused(capsys, "compare", "plain.safetensors", *first[:2])
        assert "no such file" in refused(capsys, "compare", "none.safetensors", *first[:2])
        assert "none.wav: no such file" in refused(capsys, *compare, first[0], "none.wav")
        assert "the recording in question" in refused(capsys, *compare, first[0], first[0])
        assert "once" in refused(capsys, *compare, first[0], first[1], first[1])
        line = refused(capsys, *compare, *first[:2], "--confidence", "1.5")
        assert "confidence is 1.5" in line
        (tmp_path / "file").touch()
        report = str(tmp_path / "file" / "x.html")  # refused before anything is computed
        assert "is a file" in refused(capsys, *compare, *first[:2], "--report", report)

    def test_what_is_misspelt(self, here, first, capsys):
        assert main(["compare", "m.safetensors", first[0]]) == 2
        assert main(["compare", "m.safetensors", *first[:2], "--format", "xml"]) == 2


class TestIdentify:
    @pytest.fixture
    def enrolled(self, here, first, second):
        table = pd.DataFrame({"path": [first[0], second[0]], "speaker": ["Ann", "Bo"]})
        table.to_csv("enrolled.csv", index=False)
        return ["--enrolled", "enrolled.csv", "--false-alarm", "0.4"]

    def test_in_three_forms(self, enrolled, first, second, capsys):
        identify = ["identify", "m.safetensors", first[1], second[1], *enrolled, "--format"]
        assert main([*identify, "json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert [row["path"] for row in told] == [first[1], second[1]]
        assert {row["closest"] for row in told} <= {"Ann", "Bo"}
        assert {row["speaker"] for row in told} <= {None, "Ann", "Bo"}
        assert main([*identify, "csv"]) == 0
        table = pd.read_csv(StringIO(capsys.readouterr().out))
        assert table["log10_lr"].tolist() == pytest.approx([row["log10_lr"] for row in told])
        assert main([*identify, "table"]) == 0
        out = capsys.readouterr().out
        assert out.count("none of them") == sum(row["speaker"] is None for row in told)
        assert f"above a log10 LR of {told[0]['threshold']:.2f} without bounds" in " ".join(
            out.split()
        )
        assert all(
            (row["speaker"] is None) == (row["unbounded"] <= row["threshold"]) for row in told
        )

    def test_with_a_manifest(self, enrolled, first, second, capsys):
        files = [first[1], second[1]]
        assert main(["identify", "m.safetensors", *files, *enrolled, "--manifest", "i.json"]) == 0
        said = capsys.readouterr()
        assert f"chain of custody: i.json, sha256 {file_hash('i.json')}" in said.err
        assert [row["path"] for row in json.loads(Path("i.json").read_text())["answers"]] == files
        assert main(["verify", "i.json"]) == 0

    def test_refusals_are_one_line(self, enrolled, first, capsys):
        identify = ["identify", "m.safetensors"]
        assert "which is enrolled" in refused(capsys, *identify, first[0], *enrolled)
        assert "none.wav: no such file" in refused(capsys, *identify, "none.wav", *enrolled)
        line = refused(capsys, *identify, first[1], *enrolled[:2], "--false-alarm", "2")
        assert "false_alarm is 2" in line
        pd.DataFrame({"path": first[:1], "gender": "female"}).to_csv("nobody.csv", index=False)
        line = refused(capsys, *identify, first[1], "--enrolled", "nobody.csv")
        assert "nobody.csv: it has no column 'speaker'" in line
        assert main([*identify, first[1]]) == 2


class TestPredict:
    def test_intervals_in_three_forms(self, here, first, capsys):
        predict = ["predict", "m.safetensors", *first[:2], "--intervals", "--confidence", "0.6"]
        assert main([*predict, "--format", "json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert all(row["age_low"] <= row["age"] <= row["age_high"] for row in told)
        assert all(row["gender"] == row["gender_set"][0] for row in told)
        assert main([*predict, "--format", "csv"]) == 0
        table = pd.read_csv(StringIO(capsys.readouterr().out))
        assert table["gender_set"].tolist() == [" | ".join(row["gender_set"]) for row in told]
        assert main([*predict]) == 0
        out = capsys.readouterr().out
        assert "speaker: who of those in training is most alike" in out
        assert "gender, 60%" in out
        span = f"({told[0]['age_low']:.0f} to {told[0]['age_high']:.0f})"
        assert f"{told[0]['age']:.1f} {span}" in out

    def test_the_folder_that_all_recordings_are_in_stands_above(
        self, here, first, tmp_path, capsys
    ):
        folder = tmp_path / "a folder [red]with a long name"
        for place in (folder / "x.wav", folder / "inside" / "y.wav"):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(first[0], place)
        files = [str(folder / "x.wav"), str(folder / "inside" / "y.wav")]
        assert main(["predict", "m.safetensors", *files]) == 0
        out = capsys.readouterr().out
        assert f"in {folder}" in " ".join(out.split())
        assert " x.wav " in out
        assert f" {Path('inside', 'y.wav')} " in out
        shutil.copy(first[0], "here.wav")
        assert main(["predict", "m.safetensors", files[0], "here.wav"]) == 0
        out = capsys.readouterr().out
        assert " here.wav " in out
        assert "in " not in out.splitlines()[0]

    def test_what_cannot_be_promised(self, here, first, capsys):
        predict = ["predict", "m.safetensors", first[0], "--intervals", "--confidence", "0.99"]
        assert main(predict) == 0
        assert "anything" in capsys.readouterr().out
        assert main([*predict, "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)[0]["age_high"] is None

    def test_inconclusive_in_three_forms(self, here, first, capsys):
        predict = ["predict", "m.safetensors", first[0], "--abstain", "0.0001", "--format"]
        assert main([*predict, "table"]) == 0
        assert "inconclusive (" in capsys.readouterr().out
        assert main([*predict, "csv"]) == 0
        table = pd.read_csv(StringIO(capsys.readouterr().out))
        assert table["emotion"].isna().all()
        assert main([*predict, "json"]) == 0
        assert json.loads(capsys.readouterr().out)[0]["emotion"] is None

    def test_a_label_called_like_a_set_is_no_set(self, here, first, capsys):
        for options in ([], ["--intervals"]):
            predict = ["predict", "m.safetensors", first[0], "--format", "csv", *options]
            assert main(predict) == 0
            answers = pd.read_csv(StringIO(capsys.readouterr().out))
            assert answers["test_set"][0] in ("even", "odd")

    def test_a_model_that_is_not_calibrated_says_nothing_of_other_commands(
        self, here, first, capsys
    ):
        assert main(["predict", "plain.safetensors", first[0]]) == 0
        assert "identify" not in capsys.readouterr().out

    def test_refusals_are_one_line(self, here, first, capsys):
        for options in (["--intervals"], ["--abstain", "0.1"]):
            line = refused(capsys, "predict", "plain.safetensors", first[0], *options)
            assert "plain.safetensors: it is not calibrated" in line
            assert "train --calibrate" in line
        line = refused(capsys, "predict", "m.safetensors", first[0], "--abstain", "-1")
        assert "abstain is -1.0" in line


class TestTrain:
    @pytest.mark.parametrize("given", ["none", "0", "1", "1.0", "-0.3", "nan", "1e9", "0.0"])
    def test_what_is_no_share_and_no_number_of_folds(self, given, here, capsys):
        shared = ["train", "--corpus", "manifest", "--root", "table.csv", "--output", "new.sf"]
        line = refused(capsys, *shared, f"--calibrate={given}")
        assert f"--calibrate {given}: give a share of the speakers between 0 and 1" in line
        assert not (here / "new.sf").exists()

    def test_it_says_who_calibrated(self, here, capsys):
        shared = ["--corpus", "manifest", "--root", "table.csv", "--epochs", "1", "--cache", "c"]
        train = ["train", *shared, "--output", "folds.safetensors", "--calibrate", "2"]
        assert main(train) == 0
        assert "Calibrated by 10 speakers (40 recordings)" in capsys.readouterr().out

    def test_nobody_who_speaks(self, here, capsys):
        pd.read_csv("table.csv").drop(columns="speaker").to_csv("mute.csv", index=False)
        shared = ["train", "--corpus", "manifest", "--root", "mute.csv", "--output", "mute.sf"]
        assert "no column 'speaker'" in refused(capsys, *shared, "--calibrate", "0.5")


class TestAssess:
    ASKED = ("assess", "m.safetensors", "--corpus", "manifest", "--cache", "c", "--root")

    def test_a_validation_is_printed_drawn_and_can_be_verified(self, here, capsys):
        assert main([*self.ASKED, "strangers.csv", "--output", "validation", "--known", "2"]) == 0
        shown = capsys.readouterr().out
        for text in ("all recordings", "by gender", "Cllr", "truth in interval %", "answered %"):
            assert text in shown
        folder = here / "validation"
        table = pd.read_csv(folder / "assessment.csv")
        cllr = table[(table["measure"] == "cllr") & table["by"].isna()]
        assert cllr["speakers"].tolist() == [2]
        assert {"tippett.png", "det.png", "pav.png", "ece.png", "groups.png"} <= {
            path.name for path in folder.glob("*.png")
        }
        assert main(["verify", "validation"]) == 0
        (folder / "assessment.csv").write_text("better")
        assert main(["verify", "validation"]) == 1

    def test_whoever_trained_it_does_not_judge_it(self, here, capsys):
        assert main([*self.ASKED, "table.csv"]) == 1
        said = capsys.readouterr()
        assert "40 of 40 recordings have trained or calibrated the model" in said.err
        assert said.out == ""

    def test_a_model_that_is_not_calibrated_is_refused(self, here, capsys):
        asked = [name.replace("m.saf", "plain.saf") for name in self.ASKED]
        assert main([*asked, "strangers.csv"]) == 1
        assert "--calibrate" in capsys.readouterr().err
