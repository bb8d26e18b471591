"""Bounds of likelihood ratios: those of NFI's lir, from comparisons that share nobody."""

import inspect

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sfmforensics.evidence import LikelihoodRatio
from sfmforensics.evidence._bounds import disjoint_pairs, elub, invariance_bounds
from sfmforensics.evidence._calibration import calibrate
from sfmforensics.metrics import Trials


@st.composite
def trials(draw):
    """Log ratios of comparisons, better or worse than they say, and which are of one speaker."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_same, n_different = draw(st.integers(1, 60)), draw(st.integers(1, 300))
    same = np.arange(n_same + n_different) < n_same
    apart = draw(st.sampled_from([0.0, 0.5, 2.0, 6.0]))
    ratios = draw(st.sampled_from([0.2, 1.0, 3.0])) * rng.normal(size=len(same))
    return ratios + np.where(same, apart, -apart), same


def lir_bounds(name, ratios, same):
    """What lir says, by the interface of 1.3.1 (Python 3.11) or that of later releases."""
    pytest.importorskip("lir", reason="lir is not installed; it comes with the extra `test`")
    from lir.algorithms.bayeserror import ELUBBounder
    from lir.algorithms.invariance_bounds import IVBounder
    from lir.data.models import LLRData

    bounder = {"elub": ELUBBounder, "iv": IVBounder}[name]()
    labels = same.astype(int)
    if len(inspect.signature(bounder.calculate_bounds).parameters) == 2:
        return bounder.calculate_bounds(ratios.copy(), labels)
    return bounder.calculate_bounds(LLRData(features=ratios.copy(), hypothesis=labels))


class TestAgainstLir:
    @given(trials())
    def test_elub(self, case):
        ratios, same = case
        # One step apart where a threshold falls on a ratio, to rounding.
        np.testing.assert_allclose(
            elub(ratios, same), lir_bounds("elub", ratios, same), atol=0.0101
        )

    @given(trials())
    def test_invariance_verification(self, case):
        ratios, same = case
        # Where every ratio is above 1 or below it, lir takes the first place of an array for false.
        assume(ratios.min() < -0.01 and ratios.max() > 0.01)
        try:
            expected = lir_bounds("iv", ratios, same)
        except IndexError:  # lir, where no ratio at all is supported
            assert 0.0 in invariance_bounds(ratios, same)
            return
        found = invariance_bounds(ratios, same)
        np.testing.assert_allclose(found, expected, atol=0.00101)


@pytest.mark.parametrize("bound", [elub, invariance_bounds])
@given(case=trials())
def test_they_hold_1_and_carry_no_further_than_the_numbers_of_comparisons(bound, case):
    ratios, same = case
    lower, upper = bound(ratios, same)
    assert lower <= 0 <= upper
    room = 0.011 if bound is elub else np.log10(2)  # Jeffreys' prior: half a comparison
    assert -lower <= np.log10(same.sum() + 1) + room
    assert upper <= np.log10((~same).sum() + 1) + room


@pytest.mark.parametrize("bound", [elub, invariance_bounds])
@pytest.mark.parametrize("sign", [-1, 1])
def test_ratios_that_say_the_opposite_support_nothing(bound, sign):
    same = np.arange(60) < 20
    opposite = np.where(same, -2.0, 2.0)
    assert bound(opposite, same) == (0.0, 0.0)
    # All on one side of 1.
    lower, upper = bound(sign * np.full(60, 0.5), same)
    assert (lower, upper) == (0.0, 0.0) or abs(lower + upper) <= 0.51


@given(
    st.integers(2, 25),
    st.floats(0.05, 1),
    st.integers(0, 2**32 - 1),
)
def test_pairs_share_nobody_and_no_other_can_be_added(people, share, seed):
    rng = np.random.default_rng(seed)
    first, second = np.triu_indices(people, k=1)
    kept = rng.uniform(size=len(first)) < share
    first, second = first[kept], second[kept]
    drawn = disjoint_pairs(first, second, np.random.RandomState(seed))
    busy = [*first[drawn], *second[drawn]]
    assert len(set(busy)) == len(busy)
    assert all(one in busy or other in busy for one, other in zip(first, second, strict=True))
    if kept.all():
        assert len(drawn) == people // 2


@pytest.mark.parametrize("bounds", ["elub", "iv"])
@pytest.mark.parametrize("n", [19, 50, 51])
def test_pairs_of_the_same_people_are_no_new_evidence(n, bounds):
    # Separated perfectly; each speaker, and each pair, compared once.
    first, second = np.triu_indices(n)
    same = first == second
    scores = np.where(same, 50.0, -50.0) + np.random.default_rng(0).normal(size=len(same))
    found = calibrate(Trials(scores, same, first, second), np.arange(n), "logistic", bounds)
    pairs = n // 2
    if bounds == "elub":
        assert 10**found.upper == pytest.approx((pairs + 1) * n / (n + 1), rel=0.03)
        assert 10**-found.lower == pytest.approx(n + 0.5, rel=0.03)
    else:
        assert 10**found.upper <= 2 * (pairs + 1)
        assert 10**-found.lower <= 2 * (n + 1)


def test_so_many_speakers_of_whom_none_is_mistaken_support_so_much():
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(19), 5)
    X = np.eye(19)[speakers] + 1e-3 * rng.normal(size=(95, 19))
    lower, upper = LikelihoodRatio("cosine").fit(X, speakers).bounds_
    assert 10**upper == pytest.approx(9.5, rel=0.05)  # nine pairs that share nobody, not 171
    assert 10**-lower == pytest.approx(19.5, rel=0.05)
