import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from sfmforensics.exceptions import MetricWarning, SFMForensicsError
from sfmforensics.metrics import compare_models, corrected_resampled_ttest, holm


def scores_of(values, task="emotion", metric="accuracy", protocol="closed"):
    return pd.concat(
        pd.DataFrame(
            {
                "model": model,
                "views": "mfcc",
                "protocol": protocol,
                "fold": np.arange(len(found)),
                "task": task,
                "metric": metric,
                "value": found,
            }
        )
        for model, found in values.items()
    )


@given(st.lists(st.floats(-1, 1).filter(lambda x: abs(x) > 1e-3), min_size=3, max_size=12))
def test_without_the_correction_it_is_the_ordinary_test(differences):
    if np.ptp(differences) > 1e-6:
        found = corrected_resampled_ttest(differences, 1e-12)
        expected = ttest_1samp(differences, 0)
        assert found.t == pytest.approx(expected.statistic, rel=1e-6)
        assert found.p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)


def test_the_statistic_by_hand():
    # Mean 0.02, variance 5e-5: 0.02 / sqrt((1/5 + 1/4) * 5e-5) = 4.216.
    found = corrected_resampled_ttest([0.02, 0.01, 0.03, 0.02, 0.02], 0.25)
    assert found.t == pytest.approx(4.2164, abs=1e-4)
    assert found.p == pytest.approx(0.0135, abs=1e-4)
    assert found.sd == pytest.approx(np.sqrt(5e-5))


def test_shared_training_data_are_not_taken_for_evidence():
    """Folds that share their noise: the ordinary test finds differences where there are none."""
    rng = np.random.default_rng(0)
    corrected = ordinary = 0
    for _ in range(400):
        differences = rng.normal() * 0.5 + rng.normal(size=5)  # correlation 0.2 = 1 / 5
        corrected += corrected_resampled_ttest(differences, 0.25).p < 0.05
        ordinary += ttest_1samp(differences, 0).pvalue < 0.05
    assert corrected / 400 < 0.08
    assert ordinary / 400 > 0.08


def test_edges():
    assert corrected_resampled_ttest([0.0, 0.0], 0.25).p == 1
    assert np.isnan(corrected_resampled_ttest([0.1, np.nan], 0.25).p)
    assert corrected_resampled_ttest([0.1, np.nan], 0.25).difference == 0.1
    with pytest.raises(SFMForensicsError, match="test_over_train is 0"):
        corrected_resampled_ttest([0.1], 0)


@given(
    st.sampled_from([0.01, -0.3, 1e-4, 7.0, 120.0]),
    st.lists(st.floats(-1e-12, 1e-12), min_size=2, max_size=10),
)
def test_equal_differences_prove_nothing(size, noise):
    """One more right answer in each of five equal folds is not "p 0"."""
    with pytest.warns(MetricWarning, match="t and p are NaN"):
        found = corrected_resampled_ttest(size * (1 + np.array(noise)), 0.25)
    assert found.difference == pytest.approx(size)
    assert found.sd == 0
    assert np.isnan([found.t, found.p]).all()


def test_differences_that_hardly_differ_are_still_tested():
    found = corrected_resampled_ttest([0.01, 0.01, 0.01, 0.01, 0.010001], 0.25)
    assert 0 < found.p < 1e-6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert corrected_resampled_ttest([0.0] * 5, 0.25).t == 0


def test_a_table_says_once_which_comparisons_have_no_p():
    fair, better = np.array([0.7, 0.8, 0.75]), np.array([0.72, 0.82, 0.77])
    scores = scores_of({"a": better, "b": fair, "c": [0.6, 0.9, 0.7], "d": fair + 1e-16})
    with pytest.warns(MetricWarning, match="2 of 6 comparisons have no p.*first: a and b") as said:
        found = compare_models(scores).set_index(["model_1", "model_2"])
    assert len(said) == 1
    assert np.isnan(found.loc[("a", "b"), ["t", "p", "p_holm"]].astype(float)).all()
    assert found.loc[("b", "d"), ["difference", "sd", "t", "p"]].tolist() == [0, 0, 0, 1]
    tested = found["p"].dropna()
    np.testing.assert_allclose(found["p_holm"].dropna(), holm(tested))


def test_every_two_models_are_compared_on_the_folds_that_both_have():
    a, b, c = [0.9, 0.8, 0.85], [0.7, 0.72, 0.69], [0.9, np.nan, 0.86]
    found = compare_models(scores_of({"a": a, "b": b, "c": c}).iloc[::-1])
    assert set(zip(found.model_1, found.model_2, strict=True)) == {
        ("c", "b"),
        ("c", "a"),
        ("b", "a"),
    }
    row = found[(found.model_1 == "b") & (found.model_2 == "a")].iloc[0]
    expected = corrected_resampled_ttest(np.subtract(b, a), 1 / 2)
    assert (row.difference, row.p) == pytest.approx((expected.difference, expected.p))
    assert row.folds == 3
    assert found[found.model_1 == "c"].folds.tolist() == [2, 2]


def test_the_number_of_comparisons_is_corrected_for_within_metric_and_protocol():
    rng = np.random.default_rng(0)
    values = {name: 0.5 + rng.random(5) / 10 for name in "abc"}
    one = compare_models(scores_of(values))
    np.testing.assert_allclose(one.p_holm, holm(one.p))
    both = pd.concat([scores_of(values), scores_of(values, "age", "rmse")])
    np.testing.assert_allclose(compare_models(both).p_holm[:3], one.p_holm)


def test_repeats_do_not_make_the_test_side_look_small():
    rng = np.random.default_rng(0)
    values = {name: rng.random(10) for name in "ab"}
    ten = compare_models(scores_of(values)).p[0]
    twice_five = compare_models(scores_of(values), test_over_train=1 / 4).p[0]
    assert twice_five > ten


def test_the_ratio_can_be_said_by_protocol():
    rng = np.random.default_rng(0)
    values = {name: rng.random(6) for name in "ab"}
    both = pd.concat([scores_of(values), scores_of(values, protocol="disjoint")])
    found = compare_models(both, test_over_train={"disjoint": 1.0}).set_index("protocol")["p"]
    difference = values["a"] - values["b"]
    assert found["closed"] == pytest.approx(corrected_resampled_ttest(difference, 1 / 5).p)
    assert found["disjoint"] == pytest.approx(corrected_resampled_ttest(difference, 1.0).p)


def test_folds_without_a_score_are_folds():
    values = {"a": [0.9, np.nan, np.nan, 0.8], "b": [0.7, np.nan, np.nan, 0.7]}
    expected = corrected_resampled_ttest([0.2, 0.1], 1 / 3)
    assert compare_models(scores_of(values)).p[0] == pytest.approx(expected.p)


def test_pairs_can_be_chosen():
    scores = scores_of({"a": [0.1, 0.2], "b": [0.2, 0.1], "c": [0.3, 0.3]})
    found = compare_models(scores, pairs=[(("c", "mfcc"), ("a", "mfcc")), (("d", ""), ("a", ""))])
    assert found[["model_1", "model_2"]].to_numpy().tolist() == [["c", "a"]]
    assert compare_models(scores, pairs=[]).empty


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, np.nan, 0.04, 0.03]), [0.03, np.nan, 0.06, 0.06])
    assert holm([0.6, 0.9]).tolist() == [1, 1]
