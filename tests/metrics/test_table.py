import os

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from sfmforensics import PerTask
from sfmforensics.cli import main
from sfmforensics.datasets import make_speech_corpus
from sfmforensics.evidence import CalibratedModel, assess
from sfmforensics.exceptions import PackageWarning, TargetError
from sfmforensics.metrics import METRICS, Metric, MetricTable, bootstrap_intervals, task_score
from sfmforensics.metrics._table import GROUP
from sfmforensics.report import format_assessment

CODE = """
import numpy as np

def gain(y_true, y_pred, sample_weight):
    return 2 * np.average(y_true == y_pred, weights=sample_weight) - 1

gain.title = "Gain"

def bias(y_true, y_pred, sample_weight=None):
    return np.average(y_pred - y_true, weights=sample_weight)

bias.kind, bias.unit = "regression", "target"
"""


@pytest.fixture
def theirs(install):
    """A package that brings a metric of classes and one of numbers."""
    install(
        "their_metrics", {GROUP: {"gain": "their_metrics:gain", "bias": "their_metrics:bias"}}, CODE
    )
    vars(METRICS).pop("_all", None)
    yield
    vars(METRICS).pop("_all", None)


def test_evaluate_measures_what_another_package_brings(theirs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    voices = make_speech_corpus(8, 3, duration=0.3, random_state=0, output="voices")
    table = voices.target.assign(path=[os.path.relpath(path) for path in voices.data])
    table.drop(columns="speaker").assign(language=table["speaker"]).to_csv("table.csv", index=False)
    words = "--corpus manifest --root table.csv --views mfcc --cache cache --protocol closed"
    words += " --tasks emotion,gender,age --model single,svm --epochs 1 --folds 2 --output out"
    assert main(["evaluate", *words.split()]) == 0
    for command in ("verify", "report"):
        assert main([command, "out"]) == 0

    def rows(name, **where):
        found = pd.read_csv(tmp_path / "out" / name)
        return found[np.all([found[column] == value for column, value in where.items()], axis=0)]

    for metric, task in [("gain", "emotion"), ("bias", "age")]:
        own = {"metric": metric, "task": task}
        assert rows("scores.csv", **own)["value"].notna().sum() == 4
        whole = rows("intervals.csv", **own, by="all")
        assert (whole["low"] < whole["value"]).all()
        assert (whole["value"] < whole["high"]).all()
        groups = rows("intervals.csv", **own, by="gender")["group"]
        assert set(groups) == {"female", "male"}
        assert len(rows("comparisons.csv", **own)) == 1
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("SER Gain") > 2  # intervals, all metrics, every fold
    assert page.count("AE bias years") > 2


def test_assess_measures_what_another_package_brings(theirs):
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(40), 3)
    X = (rng.normal(size=(40, 4))[who] + rng.normal(size=(120, 4))).astype("float32")
    y = pd.DataFrame({"speaker": who.astype(str), "age": X[:, 0] + 40.0})
    y["gender"] = np.where(X[:, 1] > 0, "m", "f")
    parts = PerTask(LogisticRegression(), Ridge())
    model = CalibratedModel(parts, random_state=0).fit(X[:90], y[:90])
    found = assess(model, X[90:], y[90:], n_resamples=30)
    table = found.table.set_index(["task", "measure", "group"])
    of_speakers = (model.predict(X[90:])["age"].to_numpy() - y["age"][90:]).groupby(who[90:]).mean()
    whole = table.loc[("age", "bias", "")]
    assert whole["value"] == pytest.approx(of_speakers.mean())
    assert whole["low"] < whole["value"] < whole["high"]
    assert ("gender", "gain", "") in table.index
    shown = format_assessment(found).set_index(["task", "measure"])["all"]
    assert shown["age", "bias"] == "{value:.2f} [{low:.2f}, {high:.2f}]".format(**whole)


def test_weights_are_rows_that_are_repeated(theirs):
    rng = np.random.default_rng(0)
    true, predicted = rng.choice(list("abc"), (2, 60)).astype(object)
    true[:5] = None
    units = np.arange(60) % 12
    found = bootstrap_intervals(true, predicted, ["uar", "gain"], units=units, n_resamples=50)[
        "gain"
    ]
    weights = np.random.RandomState(0).multinomial(12, np.full(12, 1 / 12), 50)
    slow = [
        METRICS["gain"].function(np.repeat(true, w[units]), np.repeat(predicted, w[units]))
        for w in weights
    ]
    np.testing.assert_allclose([found.low, found.high], np.quantile(slow, [0.025, 0.975]))
    assert found.value == task_score(true, predicted, "y", "gain")
    assert np.isnan(METRICS["bias"].function([None], [1.0]))


def test_what_is_no_metric_is_left_out_and_named(install):
    points = {name: f"odd_metrics:{name}" for name in ("gone", "number", "kind", "fine")}
    install(
        "odd_metrics",
        {GROUP: {**points, "accuracy": "odd_metrics:fine"}},
        "number = 3\ndef kind(*rows, **weights): return 0\nkind.kind = 'ranking'\n"
        "def fine(*rows, **weights): raise ValueError('of no use')",
    )
    own = {"accuracy": METRICS["accuracy"]}
    with pytest.warns(PackageWarning) as warned:
        names = set(table := MetricTable(own))
    assert names == {"accuracy", "fine"}
    said = "\n".join(str(warning.message) for warning in warned)
    for words in (
        "'accuracy' of the package 'odd_metrics' is not used: 'accuracy' is built in",
        "'gone' of the package 'odd_metrics' cannot be loaded",
        "'number' of the package 'odd_metrics' is none: it is 3, which cannot be called",
        "'kind' of the package 'odd_metrics' is none: its kind is 'ranking'",
    ):
        assert words in said
    assert table["accuracy"] == METRICS["accuracy"]
    with pytest.raises(TargetError, match=r"'fine' of .* failed \(ValueError: of no use\)"):
        table["fine"].function(["a"], ["a"])


def test_own_metrics_need_no_look_at_other_packages(install):
    install("broken_metrics", {GROUP: {"x": "broken_metrics:x"}}, "1 / 0")
    assert MetricTable({"accuracy": METRICS["accuracy"]})["accuracy"].title == "accuracy"


def test_one_may_be_added_in_a_session(theirs):
    METRICS["most"] = Metric(
        lambda true, predicted, sample_weight: predicted.max(), kind="regression"
    )
    assert METRICS.of("regression") == ("rmse", "mae", "ccc", "bias", "most")
    found = bootstrap_intervals(np.zeros(20), np.arange(20.0), ["most"], n_resamples=40)["most"]
    assert (found.value, found.high) == (19, 19)


def test_what_leads_is_uar_of_emotion_ccc_of_its_dimensions_and_the_default_of_others():
    assert METRICS.leading("emotion", "classification") == "uar"
    for task in ("speaker", "gender", "dialect"):
        assert METRICS.leading(task, "classification") == METRICS.default("classification")
    for task in ("age", "emotion"):  # numbers under a name that is mostly of classes
        assert METRICS.leading(task, "regression") == "rmse"
    for task in ("arousal", "valence", "dominance"):
        assert METRICS.leading(task, "regression") == "ccc"
    assert METRICS.default("classification") == "accuracy"  # what scorers go by stays
    alone = MetricTable({"accuracy": METRICS["accuracy"]})
    assert alone.leading("emotion", "classification") == "accuracy"
