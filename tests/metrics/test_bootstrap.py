import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfmforensics.exceptions import TargetError
from sfmforensics.metrics import (
    METRICS,
    Trials,
    bootstrap_intervals,
    eer_interval,
    equal_error_rate,
)

OF_LABELS, OF_NUMBERS = ["accuracy", "uar", "macro_f1"], ["rmse", "mae", "ccc"]


def resampled(true, predicted, units, name, n_resamples=40):
    """What the intervals rest on, the slow way: rows are repeated and scored."""
    units = np.unique(units, return_inverse=True)[1]
    n = units.max() + 1
    weights = np.random.RandomState(0).multinomial(n, np.full(n, 1 / n), n_resamples)
    scores = []
    for drawn in weights:
        rows = np.repeat(np.arange(len(units)), drawn[units])
        scores.append(METRICS[name].function(true[rows], predicted[rows]))
    return np.array(scores)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(OF_LABELS + OF_NUMBERS))
def test_bounds_are_those_of_repeated_rows(seed, name):
    rng = np.random.default_rng(seed)
    units = np.append(np.arange(6), rng.integers(0, 6, 34))
    if name in OF_LABELS:
        true, predicted = rng.choice(list("abc"), (2, 40)).astype(object)
    else:
        true, predicted = rng.normal(30, 5, (2, 40))
    found = bootstrap_intervals(true, predicted, [name], units=units, n_resamples=40)[name]
    slow = resampled(true, predicted, units, name)
    expected = np.nanquantile(slow, [0.025, 0.975])
    np.testing.assert_allclose([found.low, found.high], expected, rtol=1e-7, atol=1e-9)
    assert found.value == METRICS[name].function(true, predicted)
    assert (found.n, found.units) == (40, 6)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng, held = np.random.default_rng(0), 0
    for _ in range(300):
        answers = rng.random(80) < 0.8
        found = bootstrap_intervals(
            np.ones(80), answers.astype(float), ["accuracy"], n_resamples=200
        )
        held += found["accuracy"].low <= 0.8 <= found["accuracy"].high
    assert 0.90 <= held / 300 <= 0.98


def test_recordings_of_one_speaker_are_one_piece_of_evidence():
    # Each of 20 speakers is right always or never, in 30 recordings: 20 facts, not 600.
    right = np.repeat(np.arange(20) % 2 == 0, 30).astype(float)
    alone = bootstrap_intervals(np.ones(600), right, ["accuracy"])["accuracy"]
    speakers = np.repeat(np.arange(20), 30)
    by_speaker = bootstrap_intervals(np.ones(600), right, ["accuracy"], units=speakers)["accuracy"]
    assert by_speaker.high - by_speaker.low > 4 * (alone.high - alone.low)


def test_missing_labels_do_not_count_and_missing_units_stand_alone():
    true = np.array(["a", "b"] * 10 + [None] * 5, dtype=object)
    units = pd.Series([None] * 25)
    found = bootstrap_intervals(true, ["a"] * 25, ["accuracy"], units=units)["accuracy"]
    assert (found.n, found.units, found.value) == (20, 20, 0.5)


def test_all_right_is_not_certainty():
    found = bootstrap_intervals(["a", "b"] * 10, ["a", "b"] * 10, OF_LABELS)
    # Clopper and Pearson, 20 of 20: 0.025 ** (1 / 20).
    assert found["accuracy"].low == pytest.approx(0.8316, abs=1e-4)
    assert found["accuracy"].high == 1
    assert np.isnan(found["uar"].low)
    none = bootstrap_intervals(["a"] * 20, ["b"] * 20, ["accuracy"])["accuracy"]
    assert (none.low, round(none.high, 4)) == (0, 0.1684)


def test_few_units_have_no_interval():
    found = bootstrap_intervals(np.arange(40.0), np.zeros(40), ["mae"], units=np.arange(40) % 4)
    assert found["mae"].value == 19.5
    assert np.isnan([found["mae"].low, found["mae"].high]).all()
    empty = bootstrap_intervals([None, None], ["a", "b"], ["accuracy"])["accuracy"]
    assert np.isnan(empty.value)
    assert empty.n == 0


@pytest.mark.parametrize("metrics", [["r2"], ["accuracy", "rmse"], ["eer"], []])
def test_metrics_without_intervals_are_refused(metrics):
    with pytest.raises(TargetError, match="no intervals for the metrics"):
        bootstrap_intervals(["a"], ["a"], metrics)


@pytest.fixture
def folds():
    rng = np.random.default_rng(0)
    first, second = np.triu_indices(24, k=1)
    same = first % 6 == second % 6
    made = []
    for start in (0, 24):
        scores = same + rng.normal(size=len(same))
        made.append(Trials(scores, same, first + start, second + start))
    return made


def test_the_rate_is_the_mean_of_the_folds_and_lies_within_its_bounds(folds):
    found = eer_interval(folds, np.arange(48) % 6 + np.repeat([0, 6], 24))
    assert found.value == pytest.approx(
        np.mean([equal_error_rate(fold.scores, fold.same) for fold in folds])
    )
    assert found.low < found.value < found.high
    assert (found.n, found.units) == (2 * 276, 12)


def test_a_speaker_drawn_twice_is_not_compared_with_itself(folds):
    """With one recording a unit all claims of a unit are between units: products of counts."""
    units = np.arange(48)
    found = eer_interval(folds[:1], units, n_resamples=30)
    fold = folds[0]
    weights = np.random.RandomState(0).multinomial(24, np.full(24, 1 / 24), 30)
    slow = [
        equal_error_rate(
            np.repeat(fold.scores, w[fold.first] * w[fold.second]),
            np.repeat(fold.same, w[fold.first] * w[fold.second]),
        )
        for w in weights
    ]
    np.testing.assert_allclose([found.low, found.high], np.nanquantile(slow, [0.025, 0.975]))


def test_many_scores_are_told_apart_well_enough():
    rng = np.random.default_rng(0)
    rows = np.arange(20_000) % 40
    same = rng.random(20_000) < 0.3
    scores = same + rng.normal(size=20_000)
    found = eer_interval([Trials(scores, same, rows, rows)], np.arange(40), n_resamples=30)
    weights = np.random.RandomState(0).multinomial(40, np.full(40, 1 / 40), 30)
    slow = equal_error_rate(scores, same, weights[:, rows])
    assert found.value == equal_error_rate(scores, same)
    np.testing.assert_allclose(
        [found.low, found.high], np.quantile(slow, [0.025, 0.975]), atol=1 / 4000
    )


def test_folds_with_one_kind_of_claim_do_not_count(folds):
    empty = Trials(np.ones(3), np.ones(3, dtype=bool), np.arange(3), np.arange(3))
    units = np.arange(48)
    assert eer_interval([*folds, empty], units) == eer_interval(folds, units)
    assert np.isnan(eer_interval([empty], units).value)
