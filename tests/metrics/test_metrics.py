import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    mean_absolute_error,
)
from sklearn.metrics import root_mean_squared_error as sklearn_rmse
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sfmforensics.exceptions import TargetError
from sfmforensics.metrics import (
    METRICS,
    accuracy,
    bootstrap_intervals,
    ccc,
    macro_f1,
    mae,
    rmse,
    task_score,
    task_scorers,
    uar,
)


class Oracle(BaseEstimator):
    """Knows the targets; answers a share of rows, and in the form that it is told."""

    calls = 0

    def __init__(self, truth=None, form="frame", shift=0.0):
        self.truth = truth
        self.form = form
        self.shift = shift

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        type(self).calls += 1
        rows = self.truth.iloc[X[:, 0].astype(int)].copy()
        for name in rows.columns:
            if pd.api.types.is_float_dtype(rows[name]):
                rows[name] = rows[name].fillna(0) + self.shift
        if self.form == "frame":
            return rows.reset_index(drop=True)
        if self.form == "object":
            return rows.astype(object).to_numpy()
        return rows.iloc[:, 0].to_numpy()


@pytest.fixture
def target():
    n = 20
    return pd.DataFrame(
        {
            "speaker": [f"s{i % 4}" for i in range(n)],
            "emotion": pd.Categorical(["low", "high"] * (n // 2)),
            "age": np.linspace(20, 60, n),
        },
        index=range(100, 100 + n),
    )


@pytest.fixture
def rows():
    return np.arange(20.0)[:, None]


known_pairs = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1, max_size=30
)


@given(known_pairs, st.integers(0, 5))
def test_classification_metrics_are_sklearns_where_labels_are_known(pairs, n_missing):
    true, pred = map(list, zip(*pairs, strict=True))
    with_missing = [*true, *[None, np.nan, pd.NA][: n_missing % 4]]
    padded = [*pred, *"abc"[: n_missing % 4]]
    assert accuracy(with_missing, padded) == pytest.approx(accuracy_score(true, pred))
    per_class = [np.mean([p == t for t, p in pairs if t == label]) for label in set(true)]
    assert uar(with_missing, padded) == pytest.approx(np.mean(per_class))


def test_uar_is_balanced_accuracy():
    true, pred = list("aaaabbc"), list("aaabbac")
    assert uar(true, pred) == pytest.approx(balanced_accuracy_score(true, pred))


@given(st.lists(st.tuples(*[st.sampled_from("abc")] * 2), min_size=1, max_size=20))
def test_macro_f1_is_sklearns(pairs):
    true, pred = map(list, zip(*pairs, strict=True))
    expected = f1_score(true, pred, average="macro", zero_division=0)
    assert macro_f1([*true, None], [*pred, "a"]) == pytest.approx(expected)


def test_a_missing_answer_is_wrong_but_no_class():
    assert macro_f1(["a", "b"], ["a", None]) == 0.5
    true, predicted = ["a", "b"] * 5, ["a", None] * 3 + ["b", "b"] * 2
    found = bootstrap_intervals(true, predicted, ["macro_f1"])["macro_f1"]
    # F1 of a: 3 of 3 said, of 5 true; of b: 2 of 4 said, of 5 true.
    assert found.value == pytest.approx((0.75 + 4 / 9) / 2)
    assert found.low < found.value < found.high < 1


def test_concordance_falls_with_a_shift_and_with_the_spread():
    true = np.array([20.0, 30.0, 40.0])
    assert ccc(true, true) == 1
    assert ccc(true, -true + 60) == -1
    # By hand: variance 66.67 each, shift 10, so 2 * 66.67 / (133.33 + 100).
    assert ccc(true, true + 10) == pytest.approx(0.5714, abs=1e-4)
    assert ccc(true, [30.0] * 3) == 0
    assert np.isnan(ccc([30.0, 30.0], [30.0, 30.0]))


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=30))
def test_errors_are_sklearns_where_numbers_are_known(pairs):
    true, pred = map(list, zip(*pairs, strict=True))
    assert rmse([*true, None, np.nan], [*pred, 5, 6]) == pytest.approx(sklearn_rmse(true, pred))
    assert mae([*true, None], [*pred, 5]) == pytest.approx(mean_absolute_error(true, pred))


@pytest.mark.parametrize("name", [name for name in METRICS if METRICS[name].function])
def test_without_any_label_the_score_is_nan(name):
    for missing in ([None, None], [np.nan, np.nan], pd.array([pd.NA, pd.NA], dtype="Float64"), []):
        assert np.isnan(METRICS[name].function(missing, [1.0] * len(missing)))


@pytest.mark.parametrize("dtype", ["int64", "Int64", "float32", "Float64", "object"])
def test_errors_take_every_number_type(dtype):
    assert rmse(pd.Series([1, 2], dtype=dtype), np.array([1, 4], dtype=object)) == np.sqrt(2)


@pytest.mark.parametrize("dtype", ["object", "category", "str", "string"])
def test_labels_compare_across_dtypes(dtype):
    true = pd.Series(["a", None, "b"], dtype=dtype)
    assert accuracy(true, np.array(["a", "a", "c"])) == 0.5
    assert accuracy(["a", "b", "b"], true) == pytest.approx(2 / 3)
    assert accuracy(pd.Series([True, None], dtype="boolean"), [True, True]) == 1


def test_missing_prediction_is_wrong_as_a_label_and_refused_as_a_number():
    for missing in (None, np.nan, pd.NA):
        assert accuracy(["a", "b"], ["a", missing]) == 0.5
        assert uar(["a", "b"], ["a", missing]) == 0.5
    with pytest.raises(TargetError, match="1 predictions are missing"):
        rmse([1.0, 2.0], [1.0, np.nan])


def test_text_is_not_compared_with_numbers():
    with pytest.raises(TargetError, match=r"'46'.*46"):
        accuracy(["46", "7"], [46, 7])
    with pytest.raises(TargetError, match="needs numbers"):
        rmse(["young"], [3])
    with pytest.raises(ValueError, match="inconsistent"):
        accuracy(["a"], ["a", "b"])


# task_score


@pytest.mark.parametrize("form", ["frame", "shuffled frame", "object"])
def test_task_score_finds_the_task_in_every_form(target, form):
    answer = target.copy()
    answer["age"] += 2
    answer.loc[100:104, "speaker"] = "?"
    answer = {
        "frame": answer.reset_index(drop=True),
        "shuffled frame": answer[["age", "emotion", "speaker"]],
        "object": answer.astype(object).to_numpy(),
    }[form]
    assert task_score(target, answer, "speaker", "accuracy") == 0.75
    assert task_score(target, answer, "emotion", "uar") == 1
    assert task_score(target, answer, "age", "rmse") == pytest.approx(2)


def test_task_score_of_one_task(target):
    ages = target["age"].to_numpy()
    assert task_score(target["age"], ages + 1, "age", "mae") == pytest.approx(1)
    assert task_score(target[["age"]], ages + 1, "age", "mae") == pytest.approx(1)
    assert task_score(ages, ages + 1, "y", "mae") == pytest.approx(1)
    assert task_score(ages, ages + 1, "age", "mae") == pytest.approx(1)
    assert task_score(target, target[["age"]], "age", "mae") == 0


@pytest.mark.parametrize(
    ("task", "metric", "said"),
    [
        ("gender", "accuracy", r"no task 'gender'; there are 'speaker', 'emotion', 'age'"),
        ("age", "r2", r"no metric 'r2'; there are 'accuracy', 'uar', 'macro_f1'"),
    ],
)
def test_unknown_names_are_refused_with_the_known(target, task, metric, said):
    with pytest.raises(TargetError, match=said):
        task_score(target, target, task, metric)
    with pytest.raises(TargetError, match=said):
        task_scorers(target, metrics={task: metric})


def test_predictions_without_the_task_are_refused(target):
    with pytest.raises(TargetError, match="no predicted task 'age'; there are 'speaker'"):
        task_score(target, target[["speaker"]], "age", "mae")
    with pytest.raises(TargetError, match=r"3 columns, the predictions, without names, 1"):
        task_score(target, target["age"].to_numpy(), "age", "mae")
    with pytest.raises(TargetError, match="no task 'age'"):
        task_score(target["speaker"], target["speaker"], "age", "mae")


# task_scorers


def test_names_and_signs_follow_the_columns(target):
    scorers = task_scorers(target)
    assert list(scorers) == ["speaker_accuracy", "emotion_accuracy", "age_rmse"]
    chosen = task_scorers(target, metrics={"emotion": ["accuracy", "uar"], "age": "mae"})
    assert list(chosen) == ["emotion_accuracy", "emotion_uar", "age_mae"]
    assert list(task_scorers(target["age"])) == ["age_rmse"]
    assert list(task_scorers(target["speaker"].to_numpy())) == ["y_accuracy"]
    assert list(task_scorers([1.5, 2.5])) == ["y_rmse"]


def test_whole_numbers_are_labels_unless_an_error_is_asked_for(target):
    target["age"] = target["age"].astype(int)
    assert "age_accuracy" in task_scorers(target)
    assert list(task_scorers(target, metrics={"age": "rmse"})) == ["age_rmse"]
    with pytest.raises(TargetError, match="'speaker' needs numbers"):
        task_scorers(target, metrics={"speaker": "rmse"})


@pytest.mark.parametrize("form", ["frame", "object"])
def test_in_cross_validate(target, rows, form):
    target = target.astype({"age": "Float64"}) if form == "object" else target
    oracle = Oracle(target, form, shift=3.0)
    scorers = task_scorers(target)
    scorers = {name: pickle.loads(pickle.dumps(scorer)) for name, scorer in scorers.items()}
    result = cross_validate(oracle, rows, target, scoring=scorers, cv=KFold(4), error_score="raise")
    assert result["test_speaker_accuracy"].tolist() == [1] * 4
    assert result["test_emotion_accuracy"].tolist() == [1] * 4
    assert result["test_age_rmse"] == pytest.approx(-3)


def test_missing_labels_do_not_count_and_an_empty_fold_is_nan(target, rows):
    truth = target.copy()
    truth["emotion"] = truth["emotion"].astype(object)
    truth.iloc[:5, 1] = None
    truth.iloc[:5, 2] = np.nan
    truth.iloc[6, 1] = np.nan
    result = cross_validate(
        Oracle(target), rows, truth, scoring=task_scorers(truth), cv=KFold(4), error_score="raise"
    )
    for name in ("test_emotion_accuracy", "test_age_rmse"):
        assert np.isnan(result[name][0])
        assert result[name][1:] == pytest.approx(1 if "accuracy" in name else 0)
    assert result["test_speaker_accuracy"].tolist() == [1] * 4


def test_estimator_predicts_once_for_all_scorers(target, rows):
    Oracle.calls = 0
    cross_validate(Oracle(target), rows, target, scoring=task_scorers(target), cv=KFold(4))
    assert Oracle.calls == 4


def test_in_grid_search(target, rows):
    search = GridSearchCV(
        Oracle(target),
        {"shift": [5.0, 1.0, 3.0]},
        scoring=task_scorers(target),
        refit="age_rmse",
        cv=KFold(2),
    )
    search = clone(search).fit(rows, target)
    assert search.best_params_ == {"shift": 1.0}
    assert search.best_score_ == pytest.approx(-1)
    assert search.score(rows, target) == pytest.approx(-1)


def test_with_sklearns_own_multioutput_classifier(target):
    codes = target[["speaker", "emotion"]].apply(lambda column: pd.factorize(column)[0])
    model = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0))
    result = cross_validate(
        model, codes, codes, scoring=task_scorers(codes), cv=KFold(4), error_score="raise"
    )
    assert result["test_emotion_accuracy"].tolist() == [1] * 4


def test_one_task(target, rows):
    result = cross_validate(
        Oracle(target[["age"]], "flat", shift=-2.0),
        rows,
        target["age"],
        scoring=task_scorers(target["age"]),
        cv=KFold(2),
        error_score="raise",
    )
    assert result["test_age_rmse"] == pytest.approx(-2)
