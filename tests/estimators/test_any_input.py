"""Any number of tasks of any kind, any views, any size: fit, answer, save, load."""

import io

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfmforensics.estimators import TANGO, ConcatFusion, SingleView

FAST = {"hidden": (16,), "random_state": 0, "max_epochs": 1}
KINDS = ("object", "str", "int", "bool", "category", "Int64", "boolean", "float", "Float32")


def column(kind, n, gaps, rng):
    """A column of labels of one dtype, with gaps where the dtype can hold them."""
    if kind in ("float", "Float32"):
        values = pd.Series(rng.normal(50, 20, n), dtype=kind)
    elif kind in ("bool", "boolean"):
        values = pd.Series(rng.random(n) < 0.5, dtype=kind)
    elif kind in ("int", "Int64"):
        values = pd.Series(rng.integers(-2, 3, n), dtype=kind)
    else:
        values = pd.Series(rng.choice(["a", "b", "ü", ""], n), dtype=kind)
    if kind not in ("bool", "int"):
        values[gaps] = None
    return values


@st.composite
def problems(draw):
    n = draw(st.integers(2, 200))
    widths = draw(st.lists(st.integers(1, 300), min_size=1, max_size=5))
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    gaps = np.flatnonzero(rng.random(n) < draw(st.sampled_from([0.0, 0.3, 0.9])))[: n - 1]
    y = pd.DataFrame({f"t{i}": column(kind, n, gaps, rng) for i, kind in enumerate(kinds)})
    return rng.normal(size=(n, sum(widths))), y, widths


OPTIONS = st.fixed_dictionaries(
    {
        "encoder": st.sampled_from(["conv", "tokens"]),
        "loss_weighting": st.sampled_from(["fixed", "uncertainty", "dwa"]),
        "regression_loss": st.sampled_from(["rmse", "huber", "distribution"]),
        "class_weight": st.sampled_from([None, "balanced"]),
        "label_smoothing": st.sampled_from([0.0, 0.1]),
        "mixup": st.sampled_from([0.0, 0.3]),
        "early_stopping": st.booleans(),
        "validation": st.sampled_from([0.1, 0.5]),
    }
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(problems(), OPTIONS, st.booleans(), st.integers(0, 9))
def test_any_tasks_any_views_any_size(problem, options, weighted, seed):
    X, y, widths = problem
    twice = [y[name].dtype.kind == "f" or y[name].dropna().duplicated().any() for name in y]
    if y.notna().sum().min() < 2 or not any(twice):
        options = options | {"early_stopping": False}
    if len(widths) == 1:
        model = SingleView(**FAST | options)
    else:
        kind = TANGO if seed % 2 else ConcatFusion
        model = kind(**FAST | options | {"random_state": seed}, views=widths)
    weight = np.linspace(1, 2, len(X)) if weighted else None
    model.fit(X, y, sample_weight=weight)
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    other = joblib.load(buffer)
    answers = other.predict(X)
    pd.testing.assert_frame_equal(answers, model.predict(X))
    assert answers.columns.tolist() == y.columns.tolist()
    tasks = [name for name in y if model.tasks_[name] == "classification"]
    for name in y:
        assert answers[name].notna().all()
        if name in tasks:
            assert set(answers[name]) <= set(y[name].dropna())
        else:
            assert np.isfinite(answers[name]).all()
    assert hasattr(other, "predict_proba") == bool(tasks)
    if tasks:
        probabilities = other.predict_proba(X)
        assert len(probabilities) == len(tasks) == len(other.classes_)
        for p, labels in zip(probabilities, other.classes_, strict=True):
            assert p.shape == (len(X), len(labels))
            np.testing.assert_allclose(p.sum(axis=1), 1)
