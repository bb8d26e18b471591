import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from sfmforensics.evidence._posteriors import COLDEST, HOTTEST, least_confidence, scale, temperature
from sfmforensics.exceptions import ParameterError, TargetError

SEEDS = st.integers(0, 2**32 - 1)


def simulated(seed, true, n=4000):
    """Probabilities that are too sure by a true temperature, and classes drawn as they should."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, 4))
    drawn = (softmax(logits, axis=1).cumsum(axis=1) < rng.uniform(size=(n, 1))).sum(axis=1)
    return softmax(logits * true, axis=1), drawn


@pytest.mark.parametrize("true", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_the_true_temperature_is_found(true, kind):
    probabilities, truth = simulated(0, true)
    assert temperature(probabilities.astype(kind), truth) == pytest.approx(true, rel=0.08)


def test_weights_count_as_repetitions_do_and_unknown_classes_not_at_all():
    probabilities, truth = simulated(1, 2.0, 300)
    weights = np.random.default_rng(0).integers(1, 4, 300)
    repeated = np.repeat(np.arange(300), weights)
    found = temperature(probabilities, truth, weights)
    assert found == pytest.approx(temperature(probabilities[repeated], truth[repeated]), rel=1e-4)
    gaps = np.where(np.arange(300) < 50, -1, truth)
    expected = temperature(probabilities[50:], truth[50:])
    assert temperature(probabilities, gaps) == pytest.approx(expected, rel=1e-4)


def test_it_stays_within_its_limits():
    says = np.tile([0.7, 0.3], (20, 1))
    assert temperature(says, np.zeros(20, int)) == pytest.approx(COLDEST, rel=0.01)
    assert temperature(says, np.ones(20, int)) == pytest.approx(HOTTEST, rel=0.01)
    with pytest.raises(TargetError, match="no recording"):
        temperature(says, np.full(20, -1))


@given(SEEDS, st.floats(0.05, 20))
def test_scaled_probabilities_keep_their_order_and_sum_to_one(seed, hot):
    probabilities = np.random.default_rng(seed).dirichlet(np.full(5, 0.5), size=20)
    probabilities[0] = [1, 0, 0, 0, 0]
    found = scale(probabilities, hot)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert np.isfinite(found).all()
    order = np.argsort(probabilities, axis=1)
    assert (np.diff(np.take_along_axis(found, order, axis=1), axis=1) >= 0).all()
    np.testing.assert_allclose(scale(probabilities, 1.0), probabilities, atol=1e-12)


def test_a_higher_temperature_is_less_sure():
    says = np.array([[0.8, 0.2]])
    sure = [scale(says, hot)[0, 0] for hot in (0.5, 1, 2, 10)]
    assert sure == sorted(sure, reverse=True)
    assert sure[-1] > 0.5


ANSWERS = SEEDS.map(
    lambda seed: (
        np.random.default_rng(seed).random(60) < np.random.default_rng(seed + 1).random(60),
        np.random.default_rng(seed + 1).random(60).round(1),
        np.random.default_rng(seed + 2).random(60) + 0.1,
    )
)


SPEAKERS = np.arange(60) // 5


@given(ANSWERS, st.floats(0, 0.99), st.booleans())
def test_answers_that_are_given_are_wrong_no_more_often_than_the_risk(answers, risk, grouped):
    correct, confidence = answers[:2]
    speakers = SPEAKERS if grouped else np.arange(60)
    given_ = confidence >= least_confidence(correct, confidence, risk, speakers)
    if given_.any():
        answered, wrong = (
            np.bincount(speakers, part) / np.bincount(speakers)
            for part in (given_, given_ & ~correct)
        )
        assert (wrong.sum() + 1) / (answered.sum() + 1) <= risk + 1e-12


@given(ANSWERS, st.floats(0, 1), st.floats(0, 1))
def test_who_takes_more_risk_is_answered_more(answers, first, second):
    low, high = sorted([first, second])
    assert least_confidence(*answers[:2], high, SPEAKERS) <= least_confidence(
        *answers[:2], low, SPEAKERS
    )


def test_confidence_that_says_nothing_is_not_answered_by_chance():
    rng = np.random.default_rng(0)
    speakers = np.arange(400) // 10
    found = [
        least_confidence(rng.random(400) < 0.7, rng.uniform(0.3, 1, 400), 0.2, speakers)
        for _ in range(50)
    ]
    assert np.mean(np.isfinite(found)) <= 0.1


def test_a_sure_and_right_model_answers_everything():
    speakers = np.arange(200) // 10
    assert least_confidence(np.ones(200, bool), np.full(200, 0.9), 0.1, speakers) == 0
    one_wrong = np.arange(200) != 7
    assert least_confidence(one_wrong, np.full(200, 0.9), 0.1, speakers) == 0


def test_recordings_of_one_speaker_prove_little():
    right = np.ones(1000, dtype=bool)
    few, many = np.arange(1000) % 5, np.arange(1000) % 40
    assert least_confidence(right, np.full(1000, 0.9), 0.1, few) == np.inf
    assert least_confidence(right, np.full(1000, 0.9), 0.1, many) == 0
    assert least_confidence(right, np.full(1000, 0.9), 0.1, np.zeros(1000)) == np.inf


def test_one_bad_speaker_counts_as_one_however_much_was_recorded():
    speakers = np.concatenate([np.arange(400) % 40, np.full(4000, 40)])
    correct = speakers != 40
    assert least_confidence(correct, np.full(4400, 0.9), 0.1, speakers) == 0


def test_equal_confidence_is_answered_or_withheld_together():
    correct = np.array([True] * 20 + [False] * 20)
    assert least_confidence(correct, np.full(40, 0.9), 0.2) == np.inf


def test_a_risk_of_one_answers_everything():
    assert least_confidence([False, True], [0.6, 0.9], 1) == 0


@pytest.mark.parametrize("risk", [-0.1, 1.1, float("nan")])
def test_a_risk_is_a_share(risk):
    with pytest.raises(ParameterError, match="risk is"):
        least_confidence([True], [0.9], risk)
