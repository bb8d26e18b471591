import warnings
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    mean_absolute_error,
    root_mean_squared_error,
)
from sklearn.model_selection import GroupKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from sfmforensics.estimators import ConcatFusion, PerTask
from sfmforensics.exceptions import SplitWarning, TargetError
from sfmforensics.experiment import PREDICTION_COLUMNS, SCORE_COLUMNS, evaluate, score_intervals
from sfmforensics.metrics import bootstrap_intervals, equal_error_rate, mean_skill
from sfmforensics.model_selection import fold_overlaps, make_splits
from sfmforensics.model_selection._folds import held_out
from sfmforensics.presets import make_estimator

pytestmark = pytest.mark.slow


def run(table, protocols=("closed", "disjoint"), target=None, folds=3, **options):
    X, y = table
    y = y if target is None else target
    splits = {p: make_splits(y, p, folds=folds) for p in protocols}
    return evaluate(X, y, {"svm": PerTask()}, splits, views="first+second", **options), splits


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


@pytest.mark.parametrize("name", ["svm", "tango"])
def test_disjoint_figures_equal_a_plain_loop_with_group_k_fold_to_the_last_digit(table, name):
    """Six folds of six speakers: both leave out each speaker once, in an order of their own."""
    X, y = table
    model = PerTask() if name == "svm" else make_estimator(name, max_epochs=3, random_state=0)
    splits = {"disjoint": make_splits(y, "disjoint", folds=6)}
    found = evaluate(X, y, {"model": model}, splits, views="v")
    loop = {}
    for train, test in GroupKFold(6).split(X, groups=y["speaker"]):
        fitted = clone(model).fit(X.iloc[train], y.iloc[train])
        said, true = fitted.predict(X.iloc[test]), y.iloc[test]
        (speaker,) = set(true["speaker"])
        for task in ("emotion", "gender"):
            loop[speaker, task, "accuracy"] = accuracy_score(true[task], said[task])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # one class in the test side
                loop[speaker, task, "uar"] = balanced_accuracy_score(true[task], said[task])
            loop[speaker, task, "macro_f1"] = f1_score(
                true[task], said[task], average="macro", zero_division=0
            )
        loop[speaker, "age", "rmse"] = root_mean_squared_error(true["age"], said["age"])
        loop[speaker, "age", "mae"] = mean_absolute_error(true["age"], said["age"])
    assert len(loop) == 6 * 8
    for row in found.scores.query("metric not in ('ccc', 'eer')").itertuples():
        (speaker,) = set(y["speaker"].iloc[splits["disjoint"][row.fold][1]])
        assert row.value == loop.pop((speaker, row.task, row.metric))
    assert not loop


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
    found = fold_overlaps(y.set_axis(range(100, 40, -1)), copies, splits)
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
    assert len(mood) == 3
    assert mood.value.isna().all()


class Watched(PerTask):
    """Remembers which recordings it was fitted and asked with; the first column numbers them."""

    seen = ()

    def __init__(self, classifier=None, C=1):
        super().__init__(classifier)
        self.C = C

    def fit(self, X, y):
        Watched.seen.append(("fit", self.C, set(np.asarray(X)[:, 0].astype(int))))
        return super().fit(X, y)

    def predict(self, X):
        Watched.seen.append(("predict", self.C, set(np.asarray(X)[:, 0].astype(int))))
        return super().predict(X)


@pytest.mark.parametrize("protocol", ["closed", "disjoint"])
def test_a_search_sees_the_training_side_only_and_splits_it_as_the_protocol_does(table, protocol):
    X, y = table
    X = X.assign(**{X.columns[0]: np.arange(60.0)})
    copies = np.arange(60)
    copies[1] = copies[0]
    splits = {protocol: make_splits(y, protocol, folds=3, copies=copies)}
    Watched.seen = []
    found = evaluate(
        X, y, {"m": Watched()}, splits, views="v", copies=copies, search={"C": [1, 2, 3]}
    )
    assert len(found.choices) == 3
    assert set(found.choices["parameter"]) == {"C"}
    speakers = y["speaker"].to_numpy()
    for fold, (train, test) in enumerate(splits[protocol]):
        events = Watched.seen[fold * 20 : (fold + 1) * 20]  # 3 values x 3 folds x 2, refit, answer
        *inner, refit, answer = events
        assert refit[2] == set(train)
        assert answer[2] == set(test)
        assert refit[1] == answer[1] == found.choices["value"][fold]
        for fitted, asked in zip(inner[::2], inner[1::2], strict=True):
            learnt, judged = sorted(fitted[2]), sorted(asked[2])
            assert set(learnt) | set(judged) == set(train)
            assert not set(copies[learnt]) & set(copies[judged])
            shared = set(speakers[learnt]) & set(speakers[judged])
            assert bool(shared) == (protocol == "closed")


def test_a_search_takes_what_is_best(table):
    found, _ = run(table, ["closed"], search={"scale": [True], "classifier": [SVC(C=1e-6), SVC()]})
    chosen = found.choices[found.choices["parameter"] == "classifier"]["value"]
    assert [classifier.C for classifier in chosen] == [1.0] * 3


def test_a_search_compares_one_network_each_and_fits_all_of_the_chosen(table):
    X, y = table

    class Counted(ConcatFusion):
        fitted: ClassVar = []

        def fit(self, X, y, **more):
            self.fitted.append((len(X), self.n_members))
            return super().fit(X, y, **more)

    fast = {"encoder": "tokens", "hidden": (), "max_epochs": 1, "random_state": 0}
    splits = {"closed": make_splits(y, "closed", folds=3)}
    model = {"m": Counted(**fast, n_members=3)}
    evaluate(X, y, model, splits, views="v", search={"head": [4, 8]})
    assert [members for _, members in Counted.fitted] == ([1] * 6 + [3]) * 3
    assert [n for n, members in Counted.fitted if members == 3] == [40] * 3
    Counted.fitted.clear()
    evaluate(X, y, model, splits, views="v", search={"n_members": [1, 2]})
    assert [members for _, members in Counted.fitted[:6]] == [1, 1, 1, 2, 2, 2]


def test_skill_is_one_for_the_truth_and_nothing_for_the_mean():
    y = pd.DataFrame({"emotion": list("abab"), "age": [20.0, 30.0, 40.0, 50.0], "height": 1.8})
    assert mean_skill(y, y) == 1
    assert mean_skill(y, y.assign(age=35.0)) == 0.5
    assert np.isnan(mean_skill(y[["height"]], y))


def test_speakers_are_verified_under_both_protocols(table):
    X, y = table
    model = make_estimator("tango", "tuned", max_epochs=10, random_state=0)
    splits = {p: make_splits(y, p, folds=3) for p in ("closed", "disjoint")}
    found = evaluate(X, y, {"m": model}, splits, views="v")
    eer = found.scores[found.scores.metric == "eer"].set_index(["protocol", "fold"])["value"]
    assert set(found.scores.query("task == 'speaker' and protocol == 'disjoint'").metric) == {"eer"}
    assert eer["closed"].mean() < 0.1
    assert eer["disjoint"].mean() < 0.4
    for fold, (_, test) in enumerate(splits["disjoint"]):
        trials = found.trials["m", "disjoint"][fold]
        assert equal_error_rate(trials.scores, trials.same) == eer["disjoint", fold]
        assert set(trials.first) | set(trials.second) == set(test)
        speakers = y["speaker"].to_numpy()
        np.testing.assert_array_equal(
            trials.same, speakers[trials.first] == speakers[trials.second]
        )


def test_speakers_who_share_a_copy_are_one_voice_to_the_equal_error_rate(table):
    X, y = table
    copies = np.arange(60)
    copies[10] = copies[0]  # speakers 00 and 01
    model = make_estimator("tango", "tuned", max_epochs=1, random_state=0)
    splits = {"disjoint": make_splits(y, "disjoint", folds=2, copies=copies)}
    found = evaluate(X, y, {"m": model}, splits, views="v", copies=copies)
    for trials in found.trials["m", "disjoint"]:
        between = (trials.first < 10) & (trials.second >= 10) & (trials.second < 20)
        assert trials.same[between].all()
        assert not ((trials.first == 0) & (trials.second == 10)).any()


def test_intervals_resample_speakers_where_the_claim_is_about_speakers(table):
    _, y = table
    found, _ = run(table)
    table_ = score_intervals(found, y, views="v", n_resamples=50)
    units = table_[table_["by"] == "all"].groupby("protocol")["units"].max()
    assert units.to_dict() == {"closed": 60, "disjoint": 6}
    row = table_.query("protocol == 'disjoint' and task == 'emotion' and metric == 'uar'")
    row = row[row["by"] == "all"].iloc[0]
    answers = found.predictions["svm"].query("protocol == 'disjoint' and task == 'emotion'")
    rows = found.rows["svm"][answers.index]
    expected = bootstrap_intervals(
        answers["true"], answers["predicted"], ["uar"], units=rows // 10, n_resamples=50
    )["uar"]
    assert (row.value, row.low, row.high) == (expected.value, expected.low, expected.high)


def test_each_group_has_its_own_figure(table):
    _, y = table
    gaps = y.assign(emotion=y["emotion"].where(np.arange(60) % 7 > 0))
    found, _ = run(table, ["closed"], target=gaps)
    table_ = score_intervals(found, gaps, views="v", n_resamples=50)
    assert list(dict.fromkeys(table_["by"])) == ["all", "emotion", "gender", "age"]
    assert set(table_[table_["by"] == "age"]["group"]) == {
        *("20 to 29", "30 to 39", "40 to 49", "50 to 59", "60 to 69"),
    }
    answers = found.predictions["svm"].query("task == 'age'")
    women = gaps["gender"].to_numpy()[found.rows["svm"][answers.index]] == "female"
    error = (answers["predicted"] - answers["true"])[women].abs().astype(float).mean()
    row = table_.query("task == 'age' and metric == 'mae' and group == 'female'").iloc[0]
    assert row.value == pytest.approx(error)
    assert row.n == 30
    own = table_.query("task == 'emotion'")
    assert set(own[own["by"] == "emotion"]["metric"]) == {"accuracy"}
    assert set(own[own["by"] == "gender"]["metric"]) == {"accuracy", "uar", "macro_f1"}
    assert own[own["by"] == "all"]["n"].tolist() == [gaps["emotion"].notna().sum()] * 3


def test_other_numbers_are_grouped_by_quartiles(table):
    _, y = table
    heights = y[["emotion"]].assign(height=np.linspace(1.5, 2.0, 60))
    found, _ = run(table, ["closed"], target=heights)
    table_ = score_intervals(found, heights, views="v", n_resamples=20)
    assert table_[table_["by"] == "height"]["group"].nunique() == 4


def test_a_search_learns_what_its_inner_folds_hold(table):
    _, y = table
    lonely = y.assign(mood=None, age=y["age"].where(np.arange(60) < 20))
    lonely.loc[lonely.speaker == "00", "mood"] = "good"
    found, _ = run(table, ["disjoint"], target=lonely, search={"scale": [True, False]})
    assert len(found.choices) == 3
    only, _ = run(table, ["disjoint"], target=lonely[["mood", "speaker"]])
    assert only.scores.query("task == 'mood'")["value"].isna().any()


def test_a_fold_that_can_learn_nothing_has_no_answers(table):
    X, y = table
    lonely = pd.DataFrame({"mood": y["emotion"].where(y["speaker"] == "00")})
    splits = {"disjoint": [(np.arange(10, 60), np.arange(10)), (np.arange(50), np.arange(50, 60))]}
    found = evaluate(X, lonely, {"svm": PerTask()}, splits, views="v")
    assert found.scores["value"].isna().all()
    assert found.predictions["svm"].query("fold == 0")["predicted"].isna().all()


def test_a_search_that_cannot_split_is_refused_before_anything_is_fitted(table):
    X, y = table
    two = np.arange(20)
    splits = {"disjoint": make_splits(y.iloc[two], "disjoint", folds=2)}
    Watched.seen = []
    with pytest.raises(TargetError, match="the search splits the training side of each disjoint"):
        evaluate(
            X.iloc[two], y.iloc[two], {"m": Watched()}, splits, views="v", search={"C": [1, 2]}
        )
    assert not Watched.seen


@pytest.mark.parametrize("form", ["alone", "pipeline", "one task"])
@pytest.mark.parametrize("protocol", ["closed", "disjoint"])
def test_speakers_stay_apart_where_training_is_stopped_early(table, protocol, form, monkeypatch):
    X, y = table
    X = X.assign(**{X.columns[0]: np.arange(60.0)})
    speakers, seen = y["speaker"].to_numpy(), []

    def watched(X, y, validation, groups, rng, used):
        sides = held_out(X, y, validation, groups, rng, used)
        seen.append([set(speakers[X[side, 0].astype(int)]) for side in sides])
        return sides

    monkeypatch.setattr("sfmforensics.estimators._base.held_out", watched)
    model = make_estimator("tango", "tuned", early_stopping=True, max_epochs=1, random_state=0)
    if form == "pipeline":
        model = make_pipeline("passthrough", model)
    splits = {protocol: make_splits(y, protocol, folds=3)}
    evaluate(X, y[["emotion"]] if form == "one task" else y, {"m": model}, splits, views="v")
    assert len(seen) == 3
    if form == "one task":  # nobody said who speaks
        return
    assert all(bool(one & other) == (protocol == "closed") for one, other in seen)


def test_a_model_that_cannot_be_told_of_groups_says_so(table):
    X, y = table
    model = PerTask(MLPClassifier(early_stopping=True, max_iter=5, random_state=0))
    splits = {"disjoint": make_splits(y, "disjoint", folds=2)}
    with pytest.warns(SplitWarning, match="PerTask stops its training early by recordings of"):
        evaluate(X, y[["emotion", "speaker"]], {"m": model}, splits, views="v")


def test_any_estimator_of_scikit_learn_will_do(table):
    X, y = table
    splits = {"closed": make_splits(y, "closed", folds=2)}
    found = evaluate(X, y[["emotion"]], {"m": DummyClassifier()}, splits, views="v")
    said = found.predictions["m"].query("fold == 0")["predicted"]
    most = y["emotion"].iloc[splits["closed"][0][0]].mode()[0]
    assert set(said) == {most}


def test_a_group_counts_its_recordings_once(table):
    X, y = table
    splits = {"closed": make_splits(y, "closed", folds=3, repeats=3)}
    found = evaluate(X, y, {"svm": PerTask()}, splits, views="v")
    table_ = score_intervals(found, y, views="v", n_resamples=10)
    women = table_.query("by == 'gender' and group == 'female' and metric == 'accuracy'")
    assert set(women["n"]) == set(women["units"]) == {30}
