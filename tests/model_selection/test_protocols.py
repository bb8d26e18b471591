"""What each protocol keeps apart, what it leaves out, and that it says so."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_validate

from sfmforensics.cli import main
from sfmforensics.datasets import make_speech_corpus
from sfmforensics.exceptions import ParameterError, SFMForensicsError, SplitWarning, TargetError
from sfmforensics.experiment import evaluate, score_intervals
from sfmforensics.model_selection import (
    PROTOCOLS,
    CrossedGroupKFold,
    RepeatedTargetKFold,
    fold_overlaps,
    make_splits,
    never_heard,
    protocols_of,
)
from sfmforensics.presets import make_estimator
from sfmforensics.report import read_run


@pytest.fixture
def spoken():
    """Six speakers, each of six sentences twice."""
    frame = pd.DataFrame(
        [(s, t) for s in "abcdef" for t in "uvwxyz" for _ in range(2)], columns=["speaker", "text"]
    )
    frame["emotion"] = ["joy", "anger"] * 36
    return frame[["speaker", "emotion"]], frame[["text"]]


def sides(labels, split):
    return [set(labels.iloc[rows].dropna()) for rows in split]


@given(
    rows=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=60),
    n_splits=st.integers(2, 4),
    seed=st.integers(0, 5),
)
@settings(max_examples=200)
def test_crossed_folds_share_no_group_of_any_column(rows, n_splits, seed):
    groups = pd.DataFrame(rows, columns=["speaker", "text"])
    splitter = CrossedGroupKFold(n_splits, shuffle=True, random_state=seed)
    try:
        splits = list(splitter.split(groups, groups=groups))
    except TargetError as error:
        assert "use fewer folds" in str(error)  # noqa: PT017
        return
    tested = np.concatenate([test for _, test in splits])
    assert len(tested) == len(set(tested))
    for train, test in splits:
        assert len(train)
        assert len(test)
        for name in groups:
            assert not set(groups[name].iloc[train]) & set(groups[name].iloc[test])
        # What could be learnt from is: a row on neither side is of a group that is kept apart.
        for row in np.setdiff1d(np.arange(len(groups)), [*train, *test]):
            shares = [groups[name][row] in set(groups[name].iloc[train]) for name in groups]
            assert not all(shares)


def test_crossed_folds_in_scikit_learn(spoken):
    target, details = spoken
    groups = pd.concat([target["speaker"], details["text"]], axis=1)
    scores = cross_validate(
        DummyClassifier(),
        np.zeros((72, 1)),
        target["emotion"],
        cv=CrossedGroupKFold(3),
        groups=groups,
    )
    assert len(scores["test_score"]) == 3
    splits = list(CrossedGroupKFold(3).split(None, groups=groups.to_numpy()))
    assert [len(test) for _, test in splits] == [8, 8, 8]
    assert [len(train) for train, _ in splits] == [32, 32, 32]
    repeated = RepeatedTargetKFold(CrossedGroupKFold(3, shuffle=True), 2, random_state=0)
    assert len(list(repeated.split(groups, groups=groups))) == 6


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        (None, "groups is None"),
        (["a", "b"], "groups has 1 column; give two or more"),
        ([["a", "x"], ["a", "y"]], "only 1 groups of 0; use fewer folds"),
        ([["a", "x"], ["b", "x"]], "only 1 groups of 1; use fewer folds"),
        ([["a", "y"], ["a", "x"], ["b", "y"]], "nothing: no recording is in part"),
    ],
)
def test_groups_that_cannot_be_crossed(groups, says):
    with pytest.raises(TargetError, match=says):
        list(CrossedGroupKFold(2).split(None, groups=groups))
    with pytest.raises(ParameterError, match="n_splits is 1"):
        CrossedGroupKFold(1)


def test_missing_groups_are_on_neither_side(spoken):
    target, details = spoken
    groups = pd.concat([target["speaker"], details["text"]], axis=1)
    groups.loc[3, "text"] = None
    with pytest.warns(SplitWarning, match="1 of 72 rows have no .'speaker', 'text'."):
        splits = list(CrossedGroupKFold(2).split(None, groups=groups))
    assert all(3 not in side for split in splits for side in split)


@pytest.mark.parametrize("protocol", ["closed", "disjoint", "text", "speaker+text"])
def test_what_a_protocol_keeps_apart(spoken, protocol):
    target, details = spoken
    splits = make_splits(target, protocol, folds=3, details=details)
    assert len(splits) == 3
    for split in splits:
        for labels, both in (
            (target["speaker"], PROTOCOLS[protocol].speakers),
            (details["text"], PROTOCOLS[protocol].texts),
        ):
            learnt, tested = sides(labels, split)
            assert bool(learnt & tested) == both
    assert never_heard(protocol, target, splits) == (not PROTOCOLS[protocol].speakers)


def test_copies_stay_on_one_side_of_sentences_and_speakers(spoken):
    target, details = spoken
    copies = np.arange(72)
    copies[71] = copies[0]  # the last speaker's last sentence is the first one's first
    for protocol in ("text", "speaker+text"):
        for train, test in make_splits(target, protocol, folds=2, copies=copies, details=details):
            assert not set(copies[train]) & set(copies[test])


def test_a_sentence_may_be_among_the_labels(spoken):
    target, details = spoken
    both = pd.concat([target, details], axis=1)
    assert len(make_splits(both, "text", folds=2)) == 2


@pytest.mark.parametrize(
    ("protocol", "frames", "says"),
    [
        ("text", 1, "the text protocol needs a column 'text'; the labels have speaker, emotion"),
        ("speaker+text", 1, r"the speaker\+text protocol needs a column 'text'"),
        ("given", 2, "the given protocol needs a column 'split'; .*emotion, text"),
        ("both", 2, "'both' is several protocols"),
        ("open", 2, "no protocol is called 'open'; there are closed, disjoint, text"),
    ],
)
def test_what_a_protocol_cannot_go_by(spoken, protocol, frames, says):
    details = spoken[1] if frames == 2 else None
    with pytest.raises(SFMForensicsError, match=says):
        make_splits(spoken[0], protocol, details=details)


def test_names_of_protocols():
    assert protocols_of(["disjoint", "both", "text"]) == ("disjoint", "closed", "text")
    assert protocols_of(" text , given") == ("text", "given")
    for nothing in ([], ""):
        with pytest.raises(SFMForensicsError, match="no protocol is"):
            protocols_of(nothing)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["train", "Train", "test", None, "dev", "train"], [([0, 1, 5], [2])]),
        (["train", "dev", "dev", "", None, "train"], None),
        (["train", "dev", "dev", None, None, "train"], [([0, 5], [1, 2])]),
        ([1, 1, 2, 2, 10, None], [([2, 3, 4], [0, 1]), ([0, 1, 4], [2, 3]), ([0, 1, 2, 3], [4])]),
        ([1.0, np.nan, 2.0, 2.0, 1.0, 1.0], [([2, 3], [0, 4, 5]), ([0, 4, 5], [2, 3])]),
        (["a", "b", "train", "test", "1", "2"], None),
        (["train"] * 6, None),
        ([3] * 6, None),
    ],
)
def test_given_splits(column, expected):
    target = pd.DataFrame({"emotion": list("xyxyxy")})
    details = pd.DataFrame({"fold": pd.Series(column, dtype=object)})
    if expected is None:
        with pytest.raises(TargetError, match="'fold' h"):
            make_splits(target, "given", details=details, split_column="fold")
        return
    splits = make_splits(target, "given", details=details, split_column="fold", folds=4)
    assert [(train.tolist(), test.tolist()) for train, test in splits] == expected


def test_what_is_on_both_sides_of_a_given_split_is_told(spoken):
    target, details = spoken
    details["split"] = ["test" if t in "xyz" else "train" for t in details["text"]]
    splits = {"given": make_splits(target, "given", details=details)}
    overlaps = fold_overlaps(target, np.arange(72), splits, details)
    assert overlaps["shared_speakers"] == {"given": 6.0}
    assert overlaps["shared_texts"] == {"given": 0.0}
    assert overlaps["never_tested"] == {"given": 36}
    assert overlaps["on_neither_side"] == {"given": 0.0}
    crossed = {"speaker+text": make_splits(target, "speaker+text", folds=3, details=details)}
    overlaps = fold_overlaps(target, np.arange(72), crossed, details)
    assert overlaps["never_tested"] == {"speaker+text": 72 - 3 * 8}
    assert overlaps["on_neither_side"] == {"speaker+text": 72 - 8 - 32}


@pytest.mark.parametrize("heard", [True, False])
def test_whether_a_given_split_can_ask_who_speaks_the_data_say(spoken, heard):
    target, details = spoken
    rng = np.random.default_rng(0)
    X = np.eye(6)[pd.factorize(target["speaker"])[0]] + rng.normal(size=(72, 6)) / 10
    side = details["text"] if heard else target["speaker"]
    details["split"] = ["test" if label in "abu" else "train" for label in side]
    splits = {"given": make_splits(target, "given", details=details)}
    evaluation = evaluate(
        X, target, {"svm": make_estimator("svm")}, splits, views="mine", details=details
    )
    tasks = {"speaker", "emotion"} if heard else {"emotion"}
    scored = evaluation.scores[evaluation.scores["metric"] == "accuracy"]
    assert set(scored["task"]) == tasks
    intervals = score_intervals(evaluation, target, views="mine", details=details, n_resamples=20)
    whole = intervals[(intervals["by"] == "all") & (intervals["task"] == "emotion")]
    assert whole["units"].iloc[0] == (6 if heard else 2)  # speakers on the test side


@pytest.mark.slow
def test_evaluate_takes_a_list_of_protocols(tmp_path, capsys, small_figures):
    corpus = make_speech_corpus(6, 6, duration=0.3, random_state=0, output=tmp_path / "voices")
    table = corpus.target.assign(path=corpus.data)
    table["text"] = [f"sentence {i % 6}" for i in range(36)]
    table["part"] = ["train" if i % 6 < 4 else "test" for i in range(36)]
    table.to_csv(tmp_path / "table.csv", index=False)
    command = ["evaluate", "--corpus", "table", "--root", str(tmp_path / "table.csv")]
    command += ["--views", "mfcc", "--model", "svm", "--folds", "2", "--output"]
    command += [str(tmp_path / "out"), "--tasks", "speaker,emotion,gender"]
    protocols = ["--protocol", "disjoint,text,speaker+text,given", "--split-column", "part"]
    assert main([*command, *protocols, "--search", '{"scale": [true, false]}']) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "given: the split that comes with the corpus." in printed
    assert "given: 24 recordings are tested by no fold; 0 are on neither side" in printed
    assert "6 speakers are on both sides; 0 texts are on both sides" in printed
    run = read_run(tmp_path / "out")
    assert list(run.config["protocols"]) == ["disjoint", "text", "speaker+text", "given"]
    speaker = run.scores[run.scores["task"] == "speaker"]
    assert set(speaker["protocol"]) == {"text", "given"}
    assert main(["report", str(tmp_path / "out")]) == 0
    page = next((tmp_path / "out").glob("*.html")).read_text()
    assert "Neither a speaker nor a sentence is on both sides" in page
    assert main([*command, "--protocol", "given"]) == 1
    assert "needs a column 'split'" in " ".join(capsys.readouterr().err.split())
