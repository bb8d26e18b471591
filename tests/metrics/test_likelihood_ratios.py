import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import entropy

from sfmforensics.exceptions import ParameterError
from sfmforensics.metrics import (
    cllr,
    cllr_cal,
    cllr_min,
    detection_errors,
    empirical_cross_entropy,
    equal_error_rate,
    min_dcf,
    pav_log10_lr,
)

INFINITE = st.sampled_from([np.inf, -np.inf])
FINITE = st.integers(-40, 40).map(lambda tenths: tenths / 10)


def trials(values=FINITE | INFINITE, least=1):
    """Logarithms of likelihood ratios and kinds, of which both may not be there."""
    pairs = st.lists(st.tuples(values, st.booleans()), min_size=least, max_size=40)
    return pairs.map(lambda pairs: tuple(np.array(side) for side in zip(*pairs, strict=True)))


def both_kinds(same):
    assume(same.any() and not same.all())


def both(values=FINITE | INFINITE):
    return trials(values, 2).filter(lambda pair: 0 < pair[1].sum() < len(pair[1]))


class TestAgainstAnotherLibrary:
    """The lir of the Netherlands Forensic Institute says the same."""

    @pytest.fixture(scope="class")
    def theirs(self):
        pytest.importorskip("lir", reason="lir is not installed; run: pip install lir==1.3.1")
        from lir import metrics
        from lir.data.models import LLRData

        def measure(name, log10_lr, same):
            # Their logarithms are to base 10 as well.
            data = LLRData(features=np.asarray(log10_lr, float), labels=np.asarray(same, int))
            return getattr(metrics, name)(data)

        return measure

    @pytest.mark.parametrize("name", ["cllr", "cllr_min", "cllr_cal"])
    @pytest.mark.parametrize("seed", range(5))
    def test_on_normal_scores(self, theirs, name, seed):
        rng = np.random.default_rng(seed)
        same = rng.random(300) < 0.3
        log10_lr = rng.normal(size=300) * (1 + seed) + np.where(same, 1, -1)
        if seed == 4:
            log10_lr = log10_lr.round()  # many of them equal
        ours = {"cllr": cllr, "cllr_min": cllr_min, "cllr_cal": cllr_cal}[name]
        assert ours(log10_lr, same) == pytest.approx(theirs(name, log10_lr, same), abs=1e-9)

    def test_on_infinite_ones(self, theirs):
        right = [np.inf, 1, -1, -np.inf], [True, False, True, False]
        assert cllr(*right) == pytest.approx(theirs("cllr", *right))
        wrong = [-np.inf, 1, -1, -np.inf], [True, False, True, False]
        assert cllr(*wrong) == theirs("cllr", *wrong) == np.inf


def test_cllr_by_hand():
    assert cllr([0, 0, 0], [True, False, False]) == 1
    assert cllr([np.log10(3), -np.log10(7)], [True, False]) == pytest.approx(
        (np.log2(1 + 1 / 3) + np.log2(1 + 1 / 7)) / 2
    )
    # Each kind counts one half, however many there are of it.
    assert cllr([1, 1, 1, 1], [True, True, True, False]) == pytest.approx(
        (np.log2(1.1) + np.log2(11)) / 2
    )


def test_infinite_ones_cost_nothing_where_right_and_all_where_wrong():
    assert cllr([np.inf, -np.inf], [True, False]) == 0
    assert cllr([-np.inf, -np.inf], [True, False]) == np.inf
    assert cllr([np.inf, np.inf], [True, False]) == np.inf
    assert cllr_min([np.inf, np.inf, -np.inf], [True, False, False]) == pytest.approx(
        (np.log2(3 / 2) + np.log2(3) / 2) / 2
    )
    assert cllr_min([np.inf, -np.inf], [True, False]) == 0
    assert cllr([400, -400], [False, True]) == pytest.approx(400 * np.log2(10))


@pytest.mark.parametrize("kind", [True, False])
def test_of_one_kind_nothing_can_be_said(kind):
    values, same = [0.5, -0.5], [kind, kind]
    for measure in (cllr, cllr_min, cllr_cal, min_dcf):
        assert np.isnan(measure(values, same))
    assert np.isnan(pav_log10_lr(values, same)).all()
    assert np.isnan(empirical_cross_entropy(values, same, [-1, 0, 1])).all()
    assert np.isnan(cllr([0.5, 0.1], [True, False], [1, 0] if kind else [0, 1]))


def test_what_is_no_number_or_of_another_length_is_refused():
    for measure in (cllr, cllr_min, cllr_cal, min_dcf, detection_errors, empirical_cross_entropy):
        with pytest.raises(ParameterError, match="1 of 2 scores are not a number"):
            measure([np.nan, 1], [True, False])
        with pytest.raises(ParameterError, match="there are 1 scores and 2 labels"):
            measure([1], [True, False])


@given(trials(), st.data())
def test_a_weight_of_two_is_a_trial_twice(pair, data):
    values, same = pair
    counts = [data.draw(st.integers(0, 3)) for _ in values]
    repeated = np.repeat(values, counts), np.repeat(same, counts)
    assume(sum(counts))
    for measure in (cllr, cllr_min, min_dcf, empirical_cross_entropy):
        found = measure(values, same, sample_weight=counts)
        np.testing.assert_allclose(found, measure(*repeated), atol=1e-9)
    kept = np.repeat(pav_log10_lr(values, same, counts), counts)
    np.testing.assert_allclose(kept, pav_log10_lr(*repeated), atol=1e-9)


@given(both())
def test_no_calibration_does_better_than_pooling(pair):
    values, same = pair
    least = cllr_min(values, same)
    assert 0 <= least <= 1 + 1e-9
    assert least <= cllr(values, same) + 1e-9
    assert cllr_cal(values, same) >= -1e-9
    finite = np.clip(values, -5, 5)
    for shift, scale in ((0.3, 1), (0, 0.5), (-1, 2)):
        assert least <= cllr(shift + scale * finite, same) + 1e-9


@given(both())
def test_the_least_cllr_depends_on_the_order_of_the_scores_only(pair):
    values, same = pair
    least = cllr_min(values, same)
    for transformed in (np.exp(values), np.arctan(values), 1000 * values + 3):
        assert cllr_min(transformed, same) == pytest.approx(least, abs=1e-9)
    turned = cllr_min(-values, ~same)
    assert turned == pytest.approx(least, abs=1e-9)


@given(both())
def test_pooled_ratios_rise_with_the_score_and_are_calibrated(pair):
    values, same = pair
    pooled = pav_log10_lr(values, same)
    order = np.argsort(values, kind="stable")
    assert (pooled[order][1:] >= pooled[order][:-1]).all()
    assert cllr(pooled, same) == pytest.approx(cllr_min(values, same), abs=1e-12)
    np.testing.assert_allclose(pav_log10_lr(pooled, same), pooled, atol=1e-6)
    for ratio in np.unique(pooled):  # of each, the ratio of its trials' shares is the ratio
        shares = [(pooled[kind] == ratio).mean() for kind in (same, ~same)]
        with np.errstate(divide="ignore"):
            assert np.log10(shares[0]) - np.log10(shares[1]) == pytest.approx(ratio, abs=1e-6)


@given(both())
def test_both_errors_are_those_of_the_threshold(pair):
    values, same = pair
    thresholds, false, missed = detection_errors(values, same)
    assert (false[0], missed[0]) == (0, 1)
    assert (false[-1], missed[-1]) == (1, 0)
    assert set(thresholds[1:]) == set(values)
    for threshold, accept, miss in list(zip(thresholds, false, missed, strict=True))[1:]:
        accepted = values >= threshold
        assert accept == pytest.approx(accepted[~same].mean())
        assert miss == pytest.approx((~accepted)[same].mean())
    rate = equal_error_rate(values, same)
    assert np.minimum(false, missed).max() <= rate + 1e-9 <= np.maximum(false, missed).min() + 2e-9


@given(
    both(),
    st.floats(0.01, 0.99),
    st.sampled_from([0.5, 1, 10]),
    st.sampled_from([0.5, 1, 10]),
)
def test_the_least_detection_cost_is_that_of_the_best_threshold(pair, prior, miss, accept):
    values, same = pair
    costs = []
    for threshold in [*np.unique(values), None]:
        accepted = np.zeros(len(values), bool) if threshold is None else values >= threshold
        missed, false = (~accepted[same]).mean(), accepted[~same].mean()
        costs.append(miss * prior * missed + accept * (1 - prior) * false)
    found = min_dcf(values, same, p_target=prior, c_miss=miss, c_fa=accept)
    best_without = min(miss * prior, accept * (1 - prior))
    assert found == pytest.approx(min(costs) / best_without)
    assert 0 <= found <= 1 + 1e-9


def test_detection_cost_needs_a_prior_and_costs():
    for odd in ({"p_target": 0}, {"p_target": 1}, {"c_miss": 0}, {"c_fa": -1}):
        with pytest.raises(ParameterError, match="use a prior between 0 and 1"):
            min_dcf([1, 0], [True, False], **odd)


@given(both(FINITE), st.floats(-3, 3))
def test_cross_entropy_by_its_definition(pair, prior):
    values, same = pair
    odds = 10.0**prior
    ratios = 10.0**values
    expected = (
        odds / (1 + odds) * np.log2(1 + 1 / (ratios[same] * odds)).mean()
        + 1 / (1 + odds) * np.log2(1 + ratios[~same] * odds).mean()
    )
    assert empirical_cross_entropy(values, same, prior) == pytest.approx(expected)


@given(both(), st.lists(st.floats(-3, 3), min_size=1, max_size=5))
def test_at_even_odds_it_is_cllr_and_calibration_helps_at_all(pair, priors):
    values, same = pair
    np.testing.assert_allclose(empirical_cross_entropy(values, same), cllr(values, same))
    found = empirical_cross_entropy(values, same, priors)
    best = empirical_cross_entropy(pav_log10_lr(values, same), same, priors)
    neutral = empirical_cross_entropy(np.zeros(len(values)), same, priors)
    assert (best <= found + 1e-9).all()
    assert (best <= neutral + 1e-9).all()
    share = 10 ** np.array(priors) / (1 + 10 ** np.array(priors))
    expected = entropy([share, 1 - share], base=2, axis=0)
    np.testing.assert_allclose(neutral, expected, atol=1e-9)


def test_a_prior_that_leaves_nothing_open_leaves_no_uncertainty():
    found = empirical_cross_entropy([1, -1], [True, False], [-np.inf, -400, 400, np.inf])
    np.testing.assert_allclose(found, 0, atol=1e-12)
