import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sfmforensics import TANGO, PerTask
from sfmforensics.exceptions import TargetError
from sfmforensics.metrics import (
    claim_trials,
    equal_error_rate,
    pair_trials,
    speaker_eer,
    task_score,
    task_scorers,
)
from sfmforensics.model_selection import TargetGroupKFold, TargetStratifiedKFold

SCORED = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40)


def rates(scores, same, threshold):
    accepted = scores >= threshold
    return accepted[~same].mean(), (~accepted)[same].mean()


def test_the_rate_of_two_normal_distributions_is_known():
    rng = np.random.default_rng(0)
    same = np.arange(200_000) % 2 == 0
    rate = equal_error_rate(rng.normal(size=len(same)) + 2 * same, same)
    assert rate == pytest.approx(norm.cdf(-1), abs=0.003)


@given(SCORED)
def test_the_rate_lies_between_those_of_the_thresholds_around_it(pairs):
    scores, same = (np.array(side) for side in zip(*pairs, strict=True))
    rate = equal_error_rate(scores, same)
    if same.all() or not same.any():
        assert np.isnan(rate)
        return
    found = [rates(scores, same, threshold) for threshold in [*np.unique(scores), np.inf]]
    assert max(min(pair) for pair in found) <= rate + 1e-9
    assert rate <= min(max(pair) for pair in found) + 1e-9


@given(SCORED)
def test_the_rate_depends_on_the_order_of_the_scores_only(pairs):
    scores, same = (np.array(side) for side in zip(*pairs, strict=True))
    rate = equal_error_rate(scores, same)
    np.testing.assert_equal(equal_error_rate(np.exp(scores / 3.0), same), rate)
    np.testing.assert_equal(equal_error_rate(scores[::-1], same[::-1]), rate)
    np.testing.assert_allclose(equal_error_rate(-scores, ~same), rate, atol=1e-12)


@given(SCORED, st.data())
def test_a_weight_of_two_is_a_trial_twice(pairs, data):
    scores, same = (np.array(side) for side in zip(*pairs, strict=True))
    counts = [data.draw(st.integers(0, 3)) for _ in pairs]
    repeated = equal_error_rate(np.repeat(scores, counts), np.repeat(same, counts))
    np.testing.assert_allclose(equal_error_rate(scores, same, counts), repeated, atol=1e-12)
    rows = equal_error_rate(scores, same, [counts, [1] * len(pairs)])
    np.testing.assert_allclose(rows, [repeated, equal_error_rate(scores, same)], atol=1e-12)


def test_scores_without_end_are_ties_as_others_are():
    assert equal_error_rate([-np.inf] * 4, [True, True, False, False]) == 0.5
    assert equal_error_rate([-np.inf] * 4, [False, False, True, True]) == 0.5


@pytest.fixture(scope="module")
def fitted(table):
    X, y = table
    train = np.arange(60) % 4 < 2
    return TANGO(encoder="tokens", max_epochs=20, random_state=0).fit(X[train], y[train])


def test_each_recording_claims_each_known_speaker(fitted, table):
    X, y = table
    speakers = y["speaker"].where(np.arange(60) != 3)
    trials = claim_trials(fitted, X, speakers)
    assert len(trials.scores) == 59 * 6
    assert trials.same.sum() == 59
    assert 3 not in trials.first
    chosen = trials.scores[trials.first == 7].argmax()
    assert fitted.classes_[0][chosen] == fitted.predict(X)["speaker"][7]


def test_recordings_are_compared_once_and_not_with_their_copies(fitted, table):
    X, y = table
    trials = pair_trials(fitted, X, y["speaker"])
    assert len(trials.scores) == 60 * 59 / 2
    assert trials.same.sum() == 6 * 10 * 9 / 2
    assert np.abs(trials.scores).max() <= 1 + 1e-6
    copies = np.arange(60)
    copies[1] = copies[0]
    fewer = pair_trials(fitted, X, y["speaker"], copies=copies)
    assert len(fewer.scores) == len(trials.scores) - 1


def test_known_voices_are_claimed_and_strangers_compared(fitted, table):
    X, y = table
    test = np.arange(60) % 4 >= 2
    known = speaker_eer(fitted, X[test], y[test])
    strangers = y.assign(speaker="new " + y["speaker"])
    stranger = speaker_eer(fitted, X[test], strangers[test])
    assert known == claim_eer(fitted, X[test], y["speaker"][test])
    assert known < 0.1
    assert 0 <= stranger < 0.4
    assert np.isnan(speaker_eer(fitted, X[:10], strangers[:10]))  # one speaker only


def claim_eer(model, X, speakers):
    trials = claim_trials(model, X, speakers)
    return equal_error_rate(trials.scores, trials.same)


def test_scorers_have_it_under_both_protocols(table):
    X, y = table
    scorers = task_scorers(y, metrics={"speaker": ["accuracy", "eer"]})
    pipe = make_pipeline(StandardScaler(), TANGO(views=[10, 20], max_epochs=5, random_state=0))
    for cv in (TargetStratifiedKFold(2), TargetGroupKFold(2)):
        found = cross_validate(pipe, X, y, cv=cv, scoring=scorers, error_score="raise")
        assert ((found["test_speaker_eer"] <= 0) & (found["test_speaker_eer"] > -0.6)).all()


def test_an_svm_is_scored_by_its_decision_function(table):
    X, y = table
    train = np.arange(60) % 4 < 2
    model = PerTask().fit(X[train], y[train])
    assert [d.shape for d in model.decision_function(X)] == [(60, 6), (60, 2), (60, 2)]
    assert speaker_eer(model, X[~train], y[~train]) < 0.1
    assert np.isnan(speaker_eer(model, X, y.assign(speaker="x" + y["speaker"])))


def test_speakers_may_be_missing_in_any_way(fitted, table):
    X, y = table
    plain = y["speaker"].where(np.arange(60) % 5 > 0)
    for dtype in ("object", "string", "category"):
        trials = claim_trials(fitted, X, plain.astype(dtype))
        assert trials.same.sum() == 48


def test_what_cannot_be_scored_is_refused(fitted, table):
    X, y = table
    with pytest.raises(TargetError, match="no task 'speaker'; there are emotion, gender, age"):
        speaker_eer(fitted, X, y.drop(columns="speaker"))
    with pytest.raises(TargetError, match="reads the scores of a model"):
        task_score(y, y, "speaker", "eer")
    assert pair_trials(PerTask().fit(X, y), X, pd.Series(["a"] * 60)) is None


class Known:
    """A model of many speakers: it knows the true one of a recording, but not well."""

    def __init__(self, n_speakers):
        self.classes_ = np.array([f"s{i:05d}" for i in range(n_speakers)], dtype=object)
        self.largest = 0

    def predict_proba(self, X):
        rng = np.random.default_rng(X[0, 0])
        scores = rng.normal(size=(len(X), len(self.classes_)))
        scores[np.arange(len(X)), X[:, 0]] += 2
        self.largest = max(self.largest, scores.size)
        return np.exp(scores)


@pytest.mark.parametrize(("n_speakers", "n_recordings"), [(5_000, 9_000), (40, 150_000)])
def test_of_many_claims_some_are_drawn_and_the_rate_stays(n_speakers, n_recordings):
    model = Known(n_speakers)
    spoken = np.random.default_rng(0).integers(n_speakers, size=n_recordings)
    speakers = pd.Series(model.classes_[spoken])
    speakers[::10] = None
    trials = claim_trials(model, spoken[:, None], speakers)
    assert model.largest <= 4_000_000
    assert 300_000 < len(trials.scores) < 500_000
    rows, true = np.unique(trials.first[trials.same], return_counts=True)
    assert (true == 1).all()  # each makes its own claim, once
    assert len(rows) == len(np.unique(trials.first)) == max(2000, 400_000 // n_speakers)
    assert speakers[trials.first].notna().all()
    # Two standard deviations apart, whatever was drawn.
    rate = equal_error_rate(trials.scores, trials.same)
    assert rate == pytest.approx(norm.cdf(-1), abs=0.02)
    again = claim_trials(Known(n_speakers), spoken[:, None], speakers)
    np.testing.assert_array_equal(again.scores, trials.scores)
    other = claim_trials(Known(n_speakers), spoken[:, None], speakers, random_state=1)
    assert not np.array_equal(other.first, trials.first)


def test_strangers_among_many_make_false_claims_only():
    model = Known(5_000)
    speakers = pd.Series(["stranger"] * 1000)
    trials = claim_trials(model, np.arange(1000)[:, None], speakers)
    assert not trials.same.any()
    assert len(np.unique(trials.first)) == 1000


class Itself:
    """A representation that is the recording as it is."""

    def transform(self, X):
        return X


def test_few_recordings_of_many_speakers_are_drawn_by_speaker():
    who = np.random.default_rng(0).permutation(np.repeat(np.arange(20_000), 2))
    X = np.random.default_rng(0).normal(size=(len(who), 4))
    trials = pair_trials(Itself(), X, who)
    assert len(trials.scores) == 2000 * 1999 // 2
    assert trials.same.sum() == 1000  # by chance there would be 50
    alone = pair_trials(Itself(), X, np.arange(len(who)))
    assert not alone.same.any()
