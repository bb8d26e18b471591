import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from sfmforensics.exceptions import ParameterError, TargetError
from sfmforensics.metrics import (
    brier_score,
    calibration_bins,
    expected_calibration_error,
    risk_coverage,
)
from sfmforensics.metrics._calibration import area_under_risk

CLASSES = ["high", "low", "neutral"]


@st.composite
def answers(draw, least=1):
    """Labels, some of them missing, and probabilities of three classes."""
    n = draw(st.integers(least, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    y = rng.choice(np.array([*CLASSES, None], dtype=object), n)
    return y, rng.dirichlet(np.full(3, draw(st.sampled_from([0.1, 1.0, 10.0]))), n)


@given(answers(), st.randoms())
def test_neither_depends_on_the_order_of_rows_or_of_classes(drawn, random):
    y, probabilities = drawn
    rows, columns = list(range(len(y))), [0, 1, 2]
    random.shuffle(rows)
    random.shuffle(columns)
    shuffled = y[rows], probabilities[rows][:, columns], [CLASSES[place] for place in columns]
    for measure in (brier_score, expected_calibration_error):
        found, again = measure(y, probabilities, CLASSES), measure(*shuffled)
        np.testing.assert_allclose(again, found, atol=1e-12)


@given(answers())
def test_both_are_within_their_bounds_and_count_known_labels_alone(drawn):
    y, probabilities = drawn
    known = ~pd.isna(y)
    for measure, most in ((brier_score, 2), (expected_calibration_error, 1)):
        found = measure(y, probabilities, CLASSES)
        np.testing.assert_equal(measure(y[known], probabilities[known], CLASSES), found)
        assert np.isnan(found) if not known.any() else 0 <= found <= most


@given(answers())
def test_of_two_classes_brier_is_twice_that_of_scikit_learn(drawn):
    y, probabilities = drawn
    p = np.column_stack([1 - probabilities[:, 0], probabilities[:, 0]])
    same = y == "high"
    found = brier_score(same, p, [False, True])
    assert found == pytest.approx(2 * brier_score_loss(same, p[:, 1], pos_label=True))


@given(answers(), st.integers(1, 20), st.sampled_from(["uniform", "quantile"]))
def test_bins_hold_each_recording_once(drawn, n_bins, strategy):
    y, probabilities = drawn
    known = ~pd.isna(y)
    bins = calibration_bins(y, probabilities, CLASSES, n_bins, strategy)
    assert bins["n"].sum() == known.sum()
    assert len(bins) <= n_bins
    right = np.array(CLASSES)[probabilities.argmax(axis=1)][known] == y[known]
    assert (bins["n"] * bins["accuracy"]).sum() == pytest.approx(right.sum())
    total = probabilities.max(axis=1)[known].sum()
    assert (bins["n"] * bins["confidence"]).sum() == pytest.approx(total)
    assert (bins["low"] <= bins["confidence"] + 1e-12).all()
    assert (bins["confidence"] <= bins["high"] + 1e-12).all()


def test_equal_width_bins_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.5, 1, 500)
    right = rng.random(500) < p
    bins = calibration_bins(right, np.column_stack([1 - p, p]), [False, True], 10)
    accuracy, confidence = calibration_curve(right, p, n_bins=10)
    np.testing.assert_allclose(bins["accuracy"], accuracy)
    np.testing.assert_allclose(bins["confidence"], confidence)


def test_values_by_hand():
    assert brier_score(["low"], [[1.0, 0, 0]], CLASSES) == 2
    assert brier_score(["high"], [[1.0, 0, 0]], CLASSES) == 0
    assert brier_score(["high"], [[1 / 3, 1 / 3, 1 / 3]], CLASSES) == pytest.approx(4 / 9 + 2 / 9)
    sure = [[0.8, 0.1, 0.1]] * 5
    assert expected_calibration_error(["high"] * 4 + ["low"], sure, CLASSES) == pytest.approx(0)
    assert expected_calibration_error(["high"] * 5, sure, CLASSES) == pytest.approx(0.2)
    unequal = [[0.9, 0.1]] * 3 + [[0.6, 0.4]]
    found = expected_calibration_error(["f"] * 4, unequal, ["f", "m"])
    assert found == pytest.approx((3 * 0.1 + 0.4) / 4)
    # One bin hides that one half is too sure and the other not sure enough.
    pairs = [[0.9, 0.1]] * 2 + [[0.6, 0.4]] * 2
    y = ["f", "m", "f", "f"]
    assert expected_calibration_error(y, pairs, ["f", "m"], 1) == pytest.approx(0)
    assert expected_calibration_error(y, pairs, ["f", "m"]) == pytest.approx(0.4)


def test_an_upper_edge_belongs_to_its_bin():
    bins = calibration_bins(["f", "f"], [[0.5, 0.5], [0.51, 0.49]], ["f", "m"], 2)
    assert bins[["low", "high", "n"]].to_numpy().tolist() == [[0, 0.5, 1], [0.5, 1, 1]]


def test_equally_full_bins_do_not_tear_equal_confidences_apart():
    p = np.array([0.6] * 6 + [0.7, 0.8, 0.9])
    bins = calibration_bins(["f"] * 9, np.column_stack([p, 1 - p]), ["f", "m"], 3, "quantile")
    assert bins["n"].tolist() == [6, 3]
    assert bins[["low", "high"]].to_numpy().tolist() == [[0.6, 0.6], [0.7, 0.9]]


def test_a_label_that_no_column_stands_for_is_wrong():
    assert brier_score(["angry"], [[1.0, 0, 0]], CLASSES) == 2
    assert expected_calibration_error(["angry"], [[1.0, 0, 0]], CLASSES) == 1


def test_what_cannot_be_is_refused():
    with pytest.raises(ParameterError, match=r"shape \(1, 2\); 1 labels and 3 classes need"):
        brier_score(["low"], [[0.5, 0.5]], CLASSES)
    for row in ([0.5, 0.6, 0.5], [1.5, -0.5, 0], [np.nan, 0.5, 0.5], [0, 0, 0]):
        with pytest.raises(ParameterError, match="1 of 2 recordings have probabilities outside"):
            brier_score(["low", "low"], [row, [0, 1, 0]], CLASSES)
    with pytest.raises(TargetError, match="labels such as 'low' are compared with"):
        brier_score(["low"], [[0.5, 0.5]], [0, 1])
    with pytest.raises(TargetError, match="classes name 'f' twice"):
        brier_score(["f"], [[0.5, 0.5]], ["f", "f"])
    with pytest.raises(ParameterError, match="n_bins is 0 and strategy 'uniform'; use"):
        expected_calibration_error(["low"], [[0, 1, 0]], CLASSES, 0)
    with pytest.raises(ParameterError, match="strategy 'wide'"):
        calibration_bins(["low"], [[0, 1, 0]], CLASSES, strategy="wide")
    assert brier_score(["low"], np.array([[0.1, 0.8, 0.1]], "float16"), CLASSES) < 0.07


SURE = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=1, max_size=40)


@given(SURE)
def test_risk_is_the_error_rate_of_what_is_answered(pairs):
    correct, sure = (np.array(side) for side in zip(*pairs, strict=True))
    coverage, risk, thresholds = risk_coverage(correct, sure)
    assert (np.diff(coverage) > 0).all()
    assert (np.diff(thresholds) < 0).all()
    assert coverage[-1] == 1
    assert risk[-1] == pytest.approx(1 - correct.mean())
    for share, error, threshold in zip(coverage, risk, thresholds, strict=True):
        answered = sure >= threshold
        assert share == pytest.approx(answered.mean())
        assert error == pytest.approx((~correct[answered]).mean())


@given(SURE, st.randoms())
def test_risk_depends_on_the_order_of_the_confidences_only(pairs, random):
    correct, sure = (np.array(side) for side in zip(*pairs, strict=True))
    random.shuffle(pairs)
    shuffled = (np.array(side) for side in zip(*pairs, strict=True))
    for others in (risk_coverage(*shuffled), risk_coverage(correct, np.exp(sure / 3.0))):
        np.testing.assert_allclose(others[:2], risk_coverage(correct, sure)[:2], atol=1e-12)


def test_area_under_risk_by_hand():
    # Thresholds 3, 2, 1 answer 1, 2, 3 recordings, 0, 1/2 and 1/3 of them wrong.
    coverage, risk, _ = risk_coverage([True, True, False], [3, 1, 2])
    assert risk.tolist() == [0, 0.5, 1 / 3]
    assert area_under_risk(coverage, risk) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)
    coverage, risk, thresholds = risk_coverage([True, False], [np.inf, -np.inf])
    assert (coverage.tolist(), thresholds.tolist()) == ([0.5, 1], [np.inf, -np.inf])
    assert np.isnan(area_under_risk(*risk_coverage([], [])[:2]))


def test_confidences_that_are_none_are_refused():
    with pytest.raises(ParameterError, match=r"correct has the shape \(2,\) and confidence \(1,\)"):
        risk_coverage([True, False], [0.5])
    with pytest.raises(ParameterError, match="1 of 2 confidences are not a number"):
        risk_coverage([True, False], [0.5, None])
    with pytest.raises(ParameterError, match="neither true nor false"):
        risk_coverage(["f", "m"], [0.5, 0.5])
