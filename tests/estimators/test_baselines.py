import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.utils.estimator_checks import parametrize_with_checks

from sfmforensics.estimators import PerTask
from sfmforensics.exceptions import ParameterError, TargetError
from sfmforensics.metrics import task_scorers
from sfmforensics.model_selection import TargetStratifiedKFold

EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": "asks for seven digits, and SVC stops at "
    "tol=1e-3, with a gamma of recordings that are not weighed; where both are given, "
    "test_a_weight_is_how_often_a_recording_is_there finds them equal"
}


@pytest.mark.slow
@parametrize_with_checks(
    [PerTask(), PerTask(scale=False, tasks={"y": "classification"})],
    expected_failed_checks=lambda _: EXPECTED_FAILURES,
)
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.fixture
def corpus():
    X, blob = make_blobs(60, n_features=4, centers=4, cluster_std=0.5, random_state=0)
    target = pd.DataFrame(
        {
            "speaker": np.array(["anna", "ben", "cleo", "dan"])[blob],
            "gender": np.array(["f", "m", "f", "m"])[blob],
            "age": np.array([20.0, 30.0, 45.0, 60.0])[blob] + X[:, 0] / 10,
        }
    )
    return X * [1, 100, 0.01, 1] + 5, target


def test_is_one_pipeline_a_task(corpus):
    X, target = corpus
    found = PerTask().fit(X[:40], target[:40]).predict(X[40:])
    for task, model in (("speaker", SVC(C=10)), ("gender", SVC(C=10)), ("age", SVR(C=10))):
        model = make_pipeline(StandardScaler(), model).fit(X[:40], target[task][:40])
        expected = model.predict(X[40:])
        if task == "age":
            assert found[task].to_numpy() == pytest.approx(expected, rel=1e-9)
        else:
            assert found[task].tolist() == expected.tolist()
    assert list(found) == list(target)


def test_scale_can_be_left_out(corpus):
    X, target = corpus
    found = PerTask(scale=False).fit(X, target["age"]).predict(X)
    assert found == pytest.approx(SVR(C=10).fit(X, target["age"]).predict(X))
    assert PerTask(scale=False).fit(X, target).scaler_ is None


def test_missing_labels_are_masked_task_by_task(corpus):
    X, target = corpus
    holed = target.copy()
    holed.loc[:9, "speaker"] = None
    holed.loc[10:19, "age"] = np.nan
    found = PerTask(scale=False).fit(X, holed).predict(X)
    age = SVR(C=10).fit(np.delete(X, range(10, 20), axis=0), target["age"].drop(range(10, 20)))
    assert found["age"].to_numpy() == pytest.approx(age.predict(X))
    speaker = SVC(C=10).fit(X[10:], target["speaker"][10:])
    assert found["speaker"].tolist() == speaker.predict(X).tolist()
    assert (
        found["gender"].tolist()
        == PerTask(scale=False).fit(X, target["gender"]).predict(X).tolist()
    )


def test_answers_in_the_form_of_the_targets(corpus):
    X, target = corpus
    frame = pd.DataFrame(X, columns=list("abcd"), index=[f"{i}.wav" for i in range(60)])
    found = PerTask().fit(frame, target).predict(frame)
    assert found.index.equals(frame.index)
    assert found.dtypes["age"] == np.float64
    assert PerTask().fit(X, target).predict(X.tolist()).index.equals(pd.RangeIndex(60))
    single = PerTask().fit(X, target["speaker"])
    assert single.predict(X).shape == (60,)
    assert single.classes_.tolist() == ["anna", "ben", "cleo", "dan"]
    both = PerTask().fit(X, target.to_numpy()).predict(X)
    assert both.shape == (60, 3)
    assert both[0, 0] in set(target["speaker"])
    assert isinstance(both[0, 2], float)
    numbers = PerTask().fit(X, target[["age", "age"]].to_numpy()).predict(X)
    assert numbers.dtype == np.float64


def test_constant_column_is_answered_with_its_label(corpus):
    X, target = corpus
    target["corpus"] = "baved"
    target.loc[3, "corpus"] = None
    target["rate"] = 16000.0
    found = PerTask().fit(X, target).predict(X)
    assert set(found["corpus"]) == {"baved"}
    assert found["rate"].to_numpy() == pytest.approx(16000)
    assert found["speaker"].tolist() == target["speaker"].tolist()


def test_own_estimators_are_cloned_for_each_task(corpus):
    X, target = corpus
    classifier, regressor = LogisticRegression(C=0.5), Ridge(alpha=3)
    model = clone(PerTask(classifier, regressor)).fit(X, target)
    assert [type(fitted) for fitted in model.estimators_] == [
        LogisticRegression,
        LogisticRegression,
        Ridge,
    ]
    assert model.estimators_[0] is not model.estimators_[1]
    assert not hasattr(classifier, "classes_")
    assert [labels.tolist() for labels in model.classes_] == [
        ["anna", "ben", "cleo", "dan"],
        ["f", "m"],
    ]


def test_tasks_override_the_dtype(corpus):
    X, target = corpus
    target["age"] = target["age"].round(-1).astype(int)
    as_classes = PerTask().fit(X, target).predict(X)["age"]
    as_numbers = PerTask(tasks={"age": "regression"}).fit(X, target).predict(X)["age"]
    assert set(as_classes) <= set(target["age"])
    assert not set(as_numbers) <= set(target["age"])
    with pytest.raises(TargetError, match="tasks names 'height'"):
        PerTask(tasks={"height": "regression"}).fit(X, target)


def test_column_without_labels_is_refused(corpus):
    X, target = corpus
    target["age"] = np.nan
    with pytest.raises(TargetError, match="'age' holds no label"):
        PerTask().fit(X, target)


def test_evaluates_and_tunes_with_the_packages_splitter_and_scorers(corpus):
    X, target = corpus
    cv = TargetStratifiedKFold(3, shuffle=True, random_state=0)
    scorers = task_scorers(target)
    result = cross_validate(PerTask(), X, target, cv=cv, scoring=scorers, error_score="raise")
    assert result["test_speaker_accuracy"].min() > 0.9
    assert -5 < result["test_age_rmse"].mean() < 0
    search = GridSearchCV(
        PerTask(SVC()),
        {"classifier__gamma": [1e9, 0.1]},
        cv=cv,
        scoring=scorers,
        refit="speaker_accuracy",
    ).fit(X, target)
    assert search.best_params_ == {"classifier__gamma": 0.1}
    assert list(search.predict(X)) == list(target)


def test_an_svm_of_too_many_classes_is_refused_before_it_hangs():
    X, speakers = np.zeros((10_001, 1)), np.arange(10_001)
    with pytest.raises(
        TargetError, match=r"10001 labels, and an SVC compares each with each: 5.0e"
    ):
        PerTask().fit(X, pd.DataFrame({"speaker": speakers}))
    PerTask(classifier=DummyClassifier()).fit(X, pd.DataFrame({"speaker": speakers}))


def test_a_weight_is_how_often_a_recording_is_there(corpus):
    X, target = corpus
    rng = np.random.default_rng(0)
    X = X + rng.normal(size=X.shape) * X.std(axis=0)  # so that there are errors to weigh
    target = target.mask(rng.random(target.shape) < 0.1)
    times = rng.integers(0, 3, len(X))
    model = PerTask(SVC(gamma=0.25, tol=1e-9), SVR(gamma=0.25, tol=1e-9))
    weighed = clone(model).fit(X, target, sample_weight=times)
    rows = np.repeat(np.arange(len(X)), times)
    repeated = clone(model).fit(X[rows], target.iloc[rows])
    pd.testing.assert_frame_equal(weighed.predict(X), repeated.predict(X), rtol=1e-6)
    for one, other in zip(weighed.decision_function(X), repeated.decision_function(X), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    unweighed = clone(model).fit(X, target)
    assert not weighed.predict(X).equals(unweighed.predict(X))


def test_weights_that_cannot_be(corpus):
    X, target = corpus
    with pytest.raises(ParameterError, match=r"sample_weight\[3\] is -1; weights are 0 or more"):
        PerTask().fit(X, target, sample_weight=np.where(np.arange(60) == 3, -1, 1))
    with pytest.raises(ValueError, match="zero"):
        PerTask().fit(X, target, sample_weight=np.zeros(60))
    with pytest.raises(ParameterError, match="KNeighborsClassifier of column 'speaker' takes no"):
        PerTask(KNeighborsClassifier()).fit(X, target, sample_weight=np.ones(60))
