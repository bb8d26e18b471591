import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from sfmforensics.baselines import PerTask
from sfmforensics.exceptions import SFMForensicsError, SplitWarning, TargetError
from sfmforensics.experiment import (
    PREDICTION_COLUMNS,
    SCORE_COLUMNS,
    audit,
    evaluate,
    make_splits,
    protocols_of,
)
from sfmforensics.presets import make_estimator


def run(table, protocols=("closed", "disjoint"), target=None, folds=3, **options):
    X, y = table
    y = y if target is None else target
    splits = {p: make_splits(y, p, folds=folds) for p in protocols}
    return evaluate(X, y, {"svm": PerTask()}, splits, views="first+second", **options), splits


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 8), st.integers(2, 3), st.integers(0, 50), st.data())
def test_speakers_and_copies_are_where_the_protocol_says(n_speakers, folds, seed, data):
    speaker = np.repeat([f"s{i}" for i in range(n_speakers)], 6)
    target = pd.DataFrame({"speaker": speaker})
    copies = np.arange(len(target))
    for _ in range(data.draw(st.integers(0, 3))):
        a, b = data.draw(st.tuples(*[st.integers(0, len(target) - 1)] * 2))
        copies[copies == copies[a]] = copies[b]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SplitWarning)
        for protocol in ("closed", "disjoint"):
            try:
                splits = make_splits(target, protocol, folds=folds, seed=seed, copies=copies)
            except TargetError:
                assert protocol == "disjoint"  # copies have joined all speakers into one voice
                continue
            tested = np.concatenate([test for _, test in splits])
            assert sorted(tested) == list(range(len(target)))
            for train, test in splits:
                assert not set(copies[train]) & set(copies[test])
                shared = set(speaker[train]) & set(speaker[test])
                assert bool(shared) == (protocol == "closed")


def test_closed_has_every_speaker_on_both_sides_of_every_fold():
    target = pd.DataFrame({"speaker": np.repeat(list("abcd"), [5, 7, 11, 30])})
    for train, test in make_splits(target, "closed", folds=5, seed=3):
        assert set(target.speaker[train]) == set(target.speaker[test]) == set("abcd")


def test_speakers_who_share_a_copy_are_one_voice():
    target = pd.DataFrame({"speaker": list("aabbccdd")})
    copies = [0, 1, 0, 2, 3, 4, 5, 6]  # a and b have recording 0 in common
    for train, _ in make_splits(target, "disjoint", folds=3, copies=copies):
        assert ("a" in set(target.speaker[train])) == ("b" in set(target.speaker[train]))


def test_disjoint_figures_equal_a_plain_scikit_learn_loop_to_the_last_digit(table):
    X, y = table
    found, splits = run(table)
    scores = found.scores.set_index(["protocol", "fold", "task", "metric"]).value
    for fold, (train, test) in enumerate(splits["disjoint"]):
        assert not set(y.speaker[train]) & set(y.speaker[test])
        emotion = make_pipeline(StandardScaler(), SVC(C=10))
        emotion.fit(X.to_numpy()[train], y.emotion[train])
        said = emotion.predict(X.to_numpy()[test])
        assert scores["disjoint", fold, "emotion", "accuracy"] == accuracy_score(
            y.emotion[test], said
        )
        age = make_pipeline(StandardScaler(), SVR(C=10)).fit(X.to_numpy()[train], y.age[train])
        error = age.predict(X.to_numpy()[test]) - y.age[test]
        assert scores["disjoint", fold, "age", "rmse"] == np.sqrt(np.mean(error**2))


def test_tables_have_the_columns_of_the_design_and_no_speaker_under_disjoint(table):
    found, _ = run(table, paths=[f"{i}.wav" for i in range(60)])
    assert found.scores.columns.tolist() == SCORE_COLUMNS
    predictions = found.predictions["svm"]
    assert predictions.columns.tolist() == PREDICTION_COLUMNS
    for frame in (found.scores, predictions):
        tasks = frame.groupby("protocol")["task"].unique()
        assert list(tasks["closed"]) == ["speaker", "emotion", "gender", "age"]
        assert list(tasks["disjoint"]) == ["emotion", "gender", "age"]
    closed = predictions[(predictions.protocol == "closed") & (predictions.task == "gender")]
    assert sorted(closed.path) == sorted(f"{i}.wav" for i in range(60))


def test_scores_can_be_recomputed_from_the_predictions(table):
    found, _ = run(table)
    by_fold = found.scores.set_index(["protocol", "fold", "task", "metric"])["value"].sort_index()
    for (protocol, fold, task), rows in found.predictions["svm"].groupby(
        ["protocol", "fold", "task"]
    ):
        score = by_fold.loc[protocol, fold, task]
        if task == "age":
            error = (rows.predicted - rows.true).astype(float)
            assert score["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-12)
        else:
            assert score["accuracy"] == (rows.predicted == rows.true).mean()


def test_more_jobs_give_the_same_figures(table):
    X, y = table
    models = {"svm": PerTask(), "tango": make_estimator("tango", random_state=0, max_epochs=1)}
    splits = {"closed": make_splits(y, "closed", folds=2)}
    one, two = (evaluate(X, y, models, splits, views="v", n_jobs=jobs) for jobs in (1, 2))
    pd.testing.assert_frame_equal(one.scores, two.scores, check_exact=True)
    for model in models:
        pd.testing.assert_frame_equal(
            one.predictions[model], two.predictions[model], check_exact=True
        )


def test_the_index_of_the_targets_says_nothing(table):
    _, y = table
    plain, _ = run(table)
    odd, splits = run(table, target=y.set_axis(range(100, 40, -1)))
    pd.testing.assert_frame_equal(plain.scores, odd.scores)
    copies = np.arange(60) // 20  # speakers 0 and 1, 2 and 3, 4 and 5 share copies
    found = audit(y.set_axis(range(100, 40, -1)), copies, splits)
    assert found["aliases"] == [["00", "01"], ["02", "03"], ["04", "05"]]


def test_a_missing_label_counts_neither_for_nor_against(table):
    _, y = table
    gaps = y.copy()
    gaps.loc[::3, "gender"] = None
    found, _ = run(table, target=gaps)
    rows = found.predictions["svm"].query("task == 'gender' and protocol == 'closed' and fold == 0")
    known = rows[rows.true.notna()]
    score = found.scores.query("task == 'gender' and protocol == 'closed' and fold == 0")
    accuracy = score.set_index("metric").value["accuracy"]
    assert 0 < len(known) < len(rows)
    assert accuracy == (known.predicted == known.true).mean()


def test_a_task_without_a_label_in_training_has_no_score_there(table):
    _, y = table
    lonely = y.assign(mood=None)
    lonely.loc[lonely.speaker == "00", "mood"] = "good"
    found, splits = run(table, protocols=["disjoint"], target=lonely)
    tested = next(i for i, (_, test) in enumerate(splits["disjoint"]) if 0 in test)
    mood = found.scores[(found.scores.task == "mood") & (found.scores.fold == tested)]
    assert len(mood) == 2
    assert mood.value.isna().all()


def test_fewer_speakers_than_folds_leave_each_out_once():
    target = pd.DataFrame({"speaker": list("aaabbbccc")})
    with pytest.warns(SplitWarning, match="3 speakers cannot make 5 folds"):
        splits = make_splits(target, "disjoint", folds=5)
    assert sorted(set(target.speaker[test]).pop() for _, test in splits) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("target", "protocol", "folds", "says"),
    [
        ({"emotion": list("abab")}, "disjoint", 2, "needs a column 'speaker'"),
        ({"speaker": list("aaaa")}, "disjoint", 2, "two speakers or more, and there is 1"),
        ({"speaker": list("abab")}, "closed", 5, "5 folds of 4 recordings; use 2 to 4 folds"),
        ({"speaker": ["a"]}, "closed", 2, "2 folds of 1 recording; add recordings"),
        ({}, "closed", 2, "no column; give labels"),
    ],
)
def test_splits_that_cannot_be_made_are_refused(target, protocol, folds, says):
    with pytest.raises(TargetError, match=says):
        make_splits(pd.DataFrame(target), protocol, folds=folds)


def test_audit_counts_what_was_planted():
    target = pd.DataFrame({"speaker": [None, "a", "a", "b", "b", "c", "d"]})
    copies = [3, 0, 1, 0, 2, 2, 3]
    apart = [(np.array([0, 1, 2]), np.array([3, 4, 5, 6]))]
    found = audit(target, copies, {"closed": apart, "disjoint": [(apart[0][0][1:], apart[0][1])]})
    assert found["copies"] == 3
    assert found["aliases"] == [["a", "b", "c"]]
    assert found["left_out"] == 1
    assert found["shared_copies"] == {"closed": 2, "disjoint": 1}
    both = audit(target, [0, 0, 1, 0, 2, 3, 4], {"closed": apart * 2})
    assert both["shared_copies"] == {"closed": 2}  # recording 3, whose two copies are in training


def test_names_of_protocols():
    assert protocols_of("both") == ("closed", "disjoint")
    assert protocols_of("closed") == ("closed",)
    with pytest.raises(SFMForensicsError, match="open"):
        protocols_of("open")
