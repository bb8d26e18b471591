"""One corpus against another: what a cell of the matrix is, and what is left out of it."""

import json

import numpy as np
import pandas as pd
import pytest

from sfmforensics.cli import main
from sfmforensics.datasets import make_speech_corpus
from sfmforensics.exceptions import ReportError, TargetError
from sfmforensics.experiment import evaluate_across
from sfmforensics.metrics import paired_bootstrap, rmse, uar
from sfmforensics.presets import make_estimator
from sfmforensics.report import CrossCorpusDisplay
from sfmforensics.workflow import verify_results


@pytest.fixture(scope="module")
def three():
    """Three corpora of eight speakers; the third tells emotions the other way round."""
    rng = np.random.default_rng(0)
    corpora = np.repeat(["a", "b", "c"], 48)
    speaker = np.repeat([f"s{i:02d}" for i in range(24)], 6)
    emotion = np.tile(["joy", "anger"], 72)
    sign = np.where((emotion == "joy") ^ (corpora == "c"), 1.0, -1.0)
    X = sign[:, np.newaxis] + rng.normal(size=(144, 4)) / 4
    X[:, 3] = pd.factorize(speaker)[0] % 7 + rng.normal(size=144) / 10
    target = pd.DataFrame({"speaker": speaker, "emotion": emotion})
    target["age"] = np.where(corpora == "b", np.nan, 20.0 + pd.factorize(speaker)[0])
    return X, target, corpora


@pytest.fixture(scope="module")
def crossed(three):
    X, target, corpora = three
    models = {"svm": make_estimator("svm"), "again": make_estimator("svm", scale=False)}
    return evaluate_across(
        X, target, corpora, models, views="v", folds=4, n_resamples=100, copies=np.arange(144)
    )


def cell(crossed, train, test, task, metric, model="svm"):
    rows = crossed.scores.set_index(["train", "test", "model", "task", "metric"])
    return rows.loc[(train, test, model, task, metric)]


def test_every_corpus_is_tested_by_every_other_and_by_all_others(crossed):
    pairs = crossed.scores[["train", "test"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [[one, other] for one in ("a", "b", "c", "others") for other in "abc"]
    assert cell(crossed, "a", "a", "emotion", "uar")["value"] > 0.95
    assert cell(crossed, "a", "b", "emotion", "uar")["value"] > 0.95
    assert cell(crossed, "a", "c", "emotion", "uar")["value"] < 0.05
    assert cell(crossed, "others", "b", "emotion", "uar")["recordings"] == 48
    assert cell(crossed, "others", "b", "emotion", "uar")["speakers"] == 8
    assert crossed.left_out == {}


def test_a_cell_is_the_score_of_its_predictions(crossed):
    answers = crossed.predictions
    part = answers[(answers["train"] == "c") & (answers["corpus"] == "a")]
    part = part[part["model"] == "svm"]
    emotion = part[part["task"] == "emotion"]
    assert len(emotion) == 48
    assert uar(emotion["true"], emotion["predicted"]) == pytest.approx(
        cell(crossed, "c", "a", "emotion", "uar")["value"]
    )
    age = part[part["task"] == "age"].astype({"true": float, "predicted": float})
    assert rmse(age["true"], age["predicted"]) == pytest.approx(
        cell(crossed, "c", "a", "age", "rmse")["value"]
    )
    own = answers[(answers["train"] == "a") & (answers["corpus"] == "a")]
    assert own[own["model"] == "svm"].groupby("task").size()["emotion"] == 48  # all folds


def test_nobody_is_named_and_what_a_corpus_has_no_labels_of_is_not_scored(crossed):
    assert set(crossed.scores.query("task == 'speaker'")["metric"]) <= {"eer"}
    rows = crossed.scores[crossed.scores["task"] == "age"]
    assert "b" not in set(rows["train"]) | set(rows["test"])


def test_models_are_compared_on_the_same_recordings(crossed):
    rows = crossed.comparisons
    assert set(rows["first"]) == {"svm"}
    assert set(rows["second"]) == {"again"}
    one = rows.query("train == 'a' and test == 'b' and metric == 'uar'").iloc[0]
    values = [cell(crossed, "a", "b", "emotion", "uar", m)["value"] for m in ("svm", "again")]
    assert one["difference"] == pytest.approx(values[0] - values[1])
    assert (rows["p_holm"].dropna() >= rows["p"].dropna()).all()


def test_voices_that_were_learnt_from_are_not_tested(three):
    X, target, corpora = three
    copies = np.arange(144)
    copies[100] = copies[0]  # a recording of c is one of a: whoever speaks is one voice
    crossed = evaluate_across(
        X, target, corpora, {"svm": make_estimator("svm")}, views="v", copies=copies, folds=4,
        tasks=["emotion"], n_resamples=20,
    )  # fmt: skip
    assert crossed.left_out == {
        "a > the others": 6,
        "c > the others": 6,
        "others > a": 6,
        "others > c": 6,
    }
    assert cell(crossed, "a", "c", "emotion", "uar")["recordings"] == 42
    assert cell(crossed, "a", "b", "emotion", "uar")["recordings"] == 48


def test_what_shifts_a_whole_corpus_is_standardised_away(three):
    X, target, corpora = three
    shifted = X + np.where(corpora == "b", 30.0, 0.0)[:, np.newaxis]
    options = {"views": "v", "folds": 4, "tasks": ["emotion"], "n_resamples": 20}
    model = {"svm": make_estimator("svm")}
    as_it_is = evaluate_across(shifted, target, corpora, model, **options)
    scaled = evaluate_across(shifted, target, corpora, model, standardise=True, **options)
    assert cell(as_it_is, "a", "b", "emotion", "uar")["value"] < 0.7
    assert cell(scaled, "a", "b", "emotion", "uar")["value"] > 0.95
    for found in (as_it_is, scaled):  # with itself nothing changes
        assert cell(found, "b", "b", "emotion", "uar")["value"] > 0.95


def test_what_cannot_be_crossed(three):
    X, target, corpora = three
    model = {"svm": make_estimator("svm")}
    with pytest.raises(TargetError, match="there is 1; give two or more"):
        evaluate_across(X, target, ["a"] * 144, model, views="v")
    named = np.where(corpora == "a", "others", corpora)
    with pytest.raises(TargetError, match="one is called 'others'"):
        evaluate_across(X, target, named, model, views="v")
    few = target.assign(speaker=np.where(corpora == "a", "x", target["speaker"]))
    with pytest.raises(TargetError, match="a: the disjoint protocol needs two speakers"):
        evaluate_across(X, few, corpora, model, views="v")


def test_a_paired_bootstrap_knows_equal_models_from_others():
    rng = np.random.default_rng(0)
    true = rng.choice(["x", "y"], 400)
    good = np.where(rng.random(400) < 0.9, true, "x")
    bad = rng.choice(["x", "y"], 400)
    units = np.repeat(np.arange(40), 10)
    same = paired_bootstrap(true, good, good, "accuracy", units=units)
    assert (same.difference, same.p, same.units) == (0, 1, 40)
    other = paired_bootstrap(true, good, bad, "accuracy", units=units)
    assert other.low > 0.2
    assert other.p < 0.01
    turned = paired_bootstrap(true, bad, good, "accuracy", units=units)
    assert turned.difference == -other.difference
    assert np.isnan(paired_bootstrap(true, good, bad, "accuracy", units=np.arange(400) // 100).p)


def test_under_no_difference_one_in_twenty_is_found():
    rng = np.random.default_rng(0)
    found = []
    for seed in range(200):
        true = rng.choice(["x", "y"], 200)
        one, other = (np.where(rng.random(200) < 0.7, true, "x") for _ in range(2))
        units = np.arange(200) // 5
        result = paired_bootstrap(
            true, one, other, "accuracy", units=units, n_resamples=200, random_state=seed
        )
        found.append(result.p < 0.05)
    assert np.mean(found) < 0.11


@pytest.mark.slow
def test_cross_as_it_is_typed(tmp_path, capsys):
    for name, seed in (("one", 1), ("two", 2)):
        corpus = make_speech_corpus(
            6, 6, duration=0.3, random_state=seed, output=tmp_path / name / "voices"
        )
        table = corpus.target.assign(path=corpus.data)
        if name == "two":
            table["gender"] = table["gender"].str[0].str.upper()
        table.to_csv(tmp_path / name / "table.csv", index=False)
    (tmp_path / "corpora.toml").write_text(
        '[corpora.one]\ncorpus = "table"\nroot = "one/table.csv"\n'
        '[corpora.two]\ncorpus = "table"\nroot = "two/table.csv"\n'
    )
    command = ["cross", "--corpora", str(tmp_path / "corpora.toml"), "--views", "mfcc"]
    command += ["--model", "svm", "--folds", "2", "--output", str(tmp_path / "out")]
    command += ["--cache", str(tmp_path / "cache")]
    assert main(command) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "learnt from" in printed
    assert "on two" in printed
    scores = pd.read_csv(tmp_path / "out" / "cross.csv")
    assert len(scores[["train", "test"]].drop_duplicates()) == 4
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["labels"]["gender"]["map"]["two"] == {"F": "female", "M": "male"}
    assert manifest["corpora"] == {"one": 36, "two": 36}
    assert (tmp_path / "out" / "cross-emotion.png").is_file()
    looked_at = verify_results(tmp_path / "out", vectors=True)
    assert not looked_at["verdict"].isin(["differs", "missing"]).any()
    kept = len(list((tmp_path / "out" / "folds").rglob("*")))
    assert main([*command, "--jobs", "2"]) == 0  # nothing is computed again
    assert len(list((tmp_path / "out" / "folds").rglob("*"))) == kept
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out" / "cross.csv"), scores)


@pytest.mark.slow
def test_several_corpora_are_evaluated_as_one(tmp_path, capsys, small_figures):
    for name, seed in (("one", 1), ("two", 2)):
        corpus = make_speech_corpus(
            4, 6, duration=0.3, random_state=seed, output=tmp_path / name / "voices"
        )
        table = corpus.target.assign(path=corpus.data)
        table.to_csv(tmp_path / name / "table.csv", index=False)
    (tmp_path / "c.toml").write_text(
        '[corpora.one]\ncorpus = "table"\nroot = "one/table.csv"\n'
        '[corpora.two]\ncorpus = "auto"\nroot = "two/table.csv"\n'
    )
    command = ["evaluate", "--views", "mfcc", "--model", "svm", "--folds", "2"]
    command += ["--output", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    assert main([*command, "--corpora", str(tmp_path / "c.toml")]) == 0
    answers = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert answers.groupby("corpus")["path"].nunique().to_dict() == {"one": 24, "two": 24}
    intervals = pd.read_csv(tmp_path / "out" / "intervals.csv")
    assert {"one", "two"} <= set(intervals[intervals["by"] == "corpus"]["group"])
    capsys.readouterr()
    assert main(command) == 2
    assert "--corpus NAME and --root FOLDER, or --corpora FILE" in " ".join(
        capsys.readouterr().err.split()
    )


def test_a_matrix_is_drawn_with_its_bounds(crossed):
    display = CrossCorpusDisplay.from_scores(crossed.scores, "emotion")
    assert display.metric == "uar"
    assert list(display.values.index) == ["a", "b", "c", "others"]
    texts = [text.get_text() for text in display.ax_.texts]
    assert len(texts) == 12
    assert all("to" in text for text in texts if not text.startswith(("100", "0.0")))
    age = CrossCorpusDisplay.from_scores(crossed.scores, "age")
    assert age.metric == "rmse"
    assert len(age.ax_.texts) == 6


def test_a_task_is_drawn_of_the_first_model_that_has_it(crossed):
    scores = crossed.scores
    scores = scores[~((scores["task"] == "age") & (scores["model"] == "svm"))]
    assert CrossCorpusDisplay.from_scores(scores, "age").model == "again"
    with pytest.raises(ReportError, match="no measure of 'mood'; there are emotion, age"):
        CrossCorpusDisplay.from_scores(scores, "mood")
