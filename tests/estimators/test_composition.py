"""The estimators among scikit-learn's own tools."""

import multiprocessing
import os
import threading
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - it opens the next import
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from sfmforensics import make_views
from sfmforensics.estimators import TANGO, ConcatFusion, SingleView
from sfmforensics.exceptions import SplitWarning
from sfmforensics.metrics import task_scorers
from sfmforensics.model_selection import TargetGroupKFold, TargetStratifiedKFold
from sfmforensics.nn.runtime import one_thread

pytestmark = pytest.mark.slow

ALL = [SingleView, ConcatFusion, TANGO]
FAST = {"encoder": "tokens", "hidden": (32,), "random_state": 0, "max_epochs": 8}


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_a_nested_search_keeps_speakers_apart_inside_and_outside(table, routing, monkeypatch):
    """Groups reach the outer splitter, the inner one, and the split for early stopping."""
    X, y = table
    seen = []
    fit = TANGO.fit

    def spy(self, X, y, sample_weight=None, groups=None):
        seen.append((set(y["speaker"]), None if groups is None else set(groups)))
        return fit(self, X, y, sample_weight, groups)

    model = TANGO(**FAST, early_stopping=True, validation=0.3).set_fit_request(
        groups=True, sample_weight=False
    )
    monkeypatch.setattr(TANGO, "fit", spy)
    search = GridSearchCV(
        make_pipeline(StandardScaler().set_output(transform="pandas"), model),
        {"tango__head": [0, 8]},
        cv=GroupKFold(2),
        scoring=task_scorers(y)["emotion_accuracy"],
        error_score="raise",
    )
    scores = cross_validate(
        search,
        X,
        y,
        cv=TargetGroupKFold(3, on="speaker"),
        scoring={"emotion": task_scorers(y)["emotion_accuracy"]},
        params={"groups": y["speaker"].to_numpy()},
        error_score="raise",
    )
    assert len(scores["test_emotion"]) == 3
    assert len(seen) == 3 * (2 * 2 + 1)
    for speakers, groups in seen:
        assert groups == speakers  # those of its own part, no others
    # 6 speakers, 4 in each outer training side, 2 in each inner one.
    assert sorted({len(speakers) for speakers, _ in seen}) == [2, 4]


def test_weights_are_routed_to_the_fit_and_to_the_score(table, routing):
    X, y = table
    weight = np.where(y["emotion"] == "calm", 1.0, 0.0)
    model = SingleView(**FAST).set_fit_request(sample_weight=True, groups=False)
    model.set_score_request(sample_weight=True)
    scores = cross_validate(
        model,
        X,
        y["emotion"],
        cv=TargetStratifiedKFold(3, on=None),
        params={"sample_weight": weight},
        error_score="raise",
    )
    assert scores["test_score"].tolist() == [1, 1, 1]  # it has met nothing but calm voices


def test_metadata_that_nobody_asked_for_is_refused(table, routing):
    X, y = table
    with pytest.raises(ValueError, match="sample_weight"):
        cross_validate(SingleView(**FAST), X, y["emotion"], params={"sample_weight": np.ones(60)})


def test_answers_are_predicted_out_of_fold(table):
    X, y = table
    cv = TargetStratifiedKFold(3, shuffle=True, random_state=0)
    answers = cross_val_predict(TANGO(**FAST | {"max_epochs": 40}), X, y, cv=cv)
    assert answers.shape == (60, 4)
    assert (answers[:, 1] == y["emotion"]).mean() > 0.7
    labels = y[["speaker", "emotion", "gender"]]
    options = {"method": "predict_proba", "cv": TargetStratifiedKFold(3, on="speaker")}
    speakers, emotions, genders = cross_val_predict(TANGO(**FAST), X, labels, **options)
    assert [p.shape for p in (speakers, emotions, genders)] == [(60, 6), (60, 2), (60, 2)]
    np.testing.assert_allclose(emotions.sum(axis=1), 1)
    found = np.array(["angry", "calm"])[emotions.argmax(axis=1)]
    assert (found == y["emotion"]).mean() > 0.7


@pytest.mark.parametrize("estimator", ALL)
def test_it_is_a_classifier_or_a_regressor_if_told_so_fitted_or_not(estimator, table):
    X, y = table
    model = estimator(**FAST | {"max_epochs": 1})
    classifier = clone(model).set_params(tasks="classification")
    regressor = clone(model).set_params(tasks="regression")
    for _ in range(2):
        assert not is_classifier(model)
        assert not is_regressor(model)
        assert is_classifier(classifier)
        assert is_regressor(regressor)
        model.fit(X, y["emotion"])
        classifier.fit(X, y["emotion"])
        regressor.fit(X, y["age"].astype(int))
    # An integer cv is stratified then, and blocks of one label are no obstacle.
    in_blocks = clone(classifier).set_params(max_epochs=20)
    assert cross_val_score(in_blocks, X, y["speaker"], cv=3, error_score="raise").min() > 0.5
    both = VotingClassifier([("a", clone(classifier)), ("b", SVC())])
    assert both.fit(X, y["emotion"]).predict(X).shape == (60,)


def test_scores_of_labels_that_were_never_learnt_are_0_and_say_so(table):
    X, y = table
    with pytest.warns(SplitWarning, match="none of the labels of 'speaker'"):
        found = cross_val_score(SingleView(**FAST), X, y["speaker"], cv=6)
    assert found.tolist() == [0] * 6


@pytest.mark.parametrize("estimator", ALL)
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_a_task_alone_can_be_calibrated(estimator, method, table):
    X, y = table
    X = X + np.random.default_rng(0).normal(size=X.shape).astype(np.float32)
    half = np.arange(60) % 4 < 2
    base = estimator(**FAST, tasks="classification")
    model = CalibratedClassifierCV(base, method=method, cv=3)
    model.fit(X[half], y["emotion"][half])
    p = model.predict_proba(X[~half])
    assert p.shape == (30, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (model.predict(X[~half]) == y["emotion"][~half]).mean() > 0.7
    fitted = FrozenEstimator(clone(base).fit(X[half], y["speaker"][half]))
    frozen = CalibratedClassifierCV(fitted, method=method).fit(X[~half], y["speaker"][~half])
    assert frozen.predict_proba(X).shape == (60, 6)


@pytest.mark.parametrize("resource", ["n_samples", "max_epochs"])
def test_halving_search(resource, table):
    X, y = table
    search = HalvingGridSearchCV(
        TANGO(**FAST),
        {"reg": [0.05, 0.1], "learning_rate": [1e-3, 3e-3]},
        cv=TargetStratifiedKFold(2, on="emotion", shuffle=True, random_state=0),
        scoring=task_scorers(y)["emotion_accuracy"],
        resource=resource,
        min_resources=20 if resource == "n_samples" else 2,
        max_resources="auto" if resource == "n_samples" else 8,
        factor=2,
        error_score="raise",
        random_state=0,
    )
    search.fit(X, y)
    assert search.best_params_["reg"] in (0.05, 0.1)
    assert search.n_iterations_ >= 2
    assert search.predict(X).columns.tolist() == y.columns.tolist()


def test_columns_of_a_table_become_views(table):
    """A ColumnTransformer gives the views their names, and TANGO finds them."""
    X, y = table
    views = make_column_transformer(
        (StandardScaler(), make_column_selector("^second__")),
        ("passthrough", make_column_selector("^first__")),
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    model = make_pipeline(views, TANGO(**FAST)).fit(X, y)
    assert model[-1].views_ == ["second", "first"]
    assert model.predict(X).shape == (60, 4)


def test_a_union_of_views_with_and_without_names(table, corpus):
    X, y = table
    union = FeatureUnion(
        [
            ("low", FunctionTransformer(lambda X: X.iloc[:, :10], feature_names_out=None)),
            ("high", FunctionTransformer(lambda X: X.iloc[:, 10:], feature_names_out=None)),
        ]
    )
    model = make_pipeline(union, TANGO(**FAST, views=[10, 20])).fit(X, y)
    assert model[-1].views_ == ["x1", "x2"]
    pipe = make_pipeline(make_views("mfcc", "prosody"), TANGO(**FAST))
    pipe.set_output(transform="pandas").fit(corpus.data, corpus.target)
    assert pipe[-1].views_ == ["mfcc", "prosody"]
    assert pipe[-1].feature_names_in_[0] == "mfcc__0"
    assert pipe.predict(corpus.data[:2])["age"].dtype == float


def test_permutation_importance_by_task(table):
    X, y = table
    model = TANGO(**FAST | {"max_epochs": 30}).fit(X, y)
    found = permutation_importance(
        model, X, y, scoring=task_scorers(y)["emotion_accuracy"], n_repeats=2, random_state=0
    )
    assert found.importances_mean[:6].mean() > found.importances_mean[6:].mean()


@pytest.mark.parametrize("estimator", ALL)
def test_it_shows_itself_in_a_notebook(estimator, table):
    model = estimator(**FAST | {"max_epochs": 1})
    html = model._repr_html_()
    assert estimator.__name__ in html
    assert "Not fitted" in html
    assert "label_smoothing" in html  # every parameter, in a table
    model.fit(*table)
    assert "Fitted" in model._repr_html_()
    assert estimator.__name__ in make_pipeline(StandardScaler(), model)._repr_html_()


def polars_table(table):
    pl = pytest.importorskip("polars")
    X, y = table
    return pl.DataFrame(X.to_dict("list")), pl.DataFrame(y.to_dict("list"))


@pytest.mark.parametrize("estimator", ALL)
def test_polars_goes_in_and_comes_out(estimator, table):
    import polars as pl

    X, y = table
    polars_X, polars_y = polars_table(table)
    model = estimator(**FAST).fit(polars_X, polars_y)
    answers = model.predict(polars_X)
    assert isinstance(answers, pl.DataFrame)
    assert answers.schema == polars_y.schema
    same = estimator(**FAST).fit(X.astype(np.float64), y).predict(X.astype(np.float64))
    assert answers.to_dict(as_series=False) == same.to_dict("list")
    assert list(model.feature_names_in_) == list(X.columns)
    one = estimator(**FAST).fit(polars_X, polars_y["emotion"])
    assert one.predict(polars_X).shape == (60,)
    alone = estimator(**FAST).fit(polars_X, polars_y[["emotion"]])
    assert alone.predict(polars_X).columns == ["emotion"]


def test_scores_of_polars_go_by_name(table):
    X, y = polars_table(table)
    model = TANGO(**FAST).fit(X, y)
    assert model.score(X, y[["age", "emotion", "gender", "speaker"]]) == model.score(X, y)


def test_labels_of_polars_keep_their_gaps_and_types(table):
    import polars as pl

    X, _ = polars_table(table)
    y = pl.DataFrame(
        {
            "count": [None, 1, 2] * 20,
            "flag": [True, None, False] * 20,
            "name": ["a", "b", None] * 20,
            "age": [20.0, None, 40.0] * 20,
            "kind": ["x", "y", "x"] * 20,
        },
        schema_overrides={"count": pl.Int8, "age": pl.Float32, "kind": pl.Enum(["x", "y"])},
    )
    model = TANGO(**FAST, early_stopping=True).fit(X, y, sample_weight=[0, 1, 2] * 20)
    assert model.tasks_["count"] == "classification"
    assert [labels.tolist() for labels in model.classes_] == [[1, 2], [False], ["b"], ["x", "y"]]
    answers = model.predict(X)
    assert answers.schema == y.schema
    assert answers.null_count().sum_horizontal().item() == 0


def test_jobs_in_threads_take_turns_and_leave_torch_as_it_was(table):
    import torch

    X, y = table
    options = {"method": "predict_proba", "cv": TargetStratifiedKFold(4, on=None)}
    alone = cross_val_predict(TANGO(**FAST, dropout=0.2), X, y["emotion"], **options)
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    torch.set_num_threads(2)
    try:
        with joblib.parallel_config("threading", n_jobs=4):
            together = cross_val_predict(TANGO(**FAST, dropout=0.2), X, y["emotion"], **options)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(alone, together)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_process_forked_while_another_thread_fits_can_still_answer(table):
    X, y = table
    model = SingleView(**FAST).fit(X, y)
    started, forked = threading.Event(), threading.Event()

    def hold():
        with one_thread():
            started.set()
            forked.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    started.wait()
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_take_the_lock)
    child.start()
    child.join(20)
    alive = child.is_alive()
    if alive:
        child.kill()
    forked.set()
    thread.join()
    assert not alive
    assert child.exitcode == 0
    assert model.predict(X).shape == (60, 4)


def _take_the_lock():
    with one_thread():
        pass


def test_a_job_computes_in_one_thread(table, monkeypatch):
    """So that jobs do not fight for the cores."""
    import torch

    X, y = table
    seen = []
    forward = torch.nn.Linear.forward

    def spy(self, x):
        seen.append(torch.get_num_threads())
        return forward(self, x)

    monkeypatch.setattr(torch.nn.Linear, "forward", spy)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        TANGO(**FAST | {"max_epochs": 1}).fit(X, y).predict(X)
        assert set(seen) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_frame_of_mixed_targets_is_no_cause_for_a_warning(table):
    X, y = table
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = TANGO(**FAST).fit(X, y)
        model.predict(X)
        model.score(X, y)
    assert isinstance(model.predict(X), pd.DataFrame)
