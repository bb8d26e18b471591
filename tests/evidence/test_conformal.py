import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfmforensics.evidence._conformal import (
    class_scores,
    class_sets,
    one_of_each,
    speaker_quantile,
    speaker_weights,
)
from sfmforensics.exceptions import ParameterError, TargetError

CONFIDENCE = st.floats(0.01, 0.99)
SCORED = st.lists(
    st.tuples(st.integers(-20, 20).map(float), st.integers(0, 6)), min_size=1, max_size=40
).map(lambda pairs: tuple(np.array(side) for side in zip(*pairs, strict=True)))


@given(SCORED, CONFIDENCE)
def test_it_is_the_least_score_within_which_enough_speakers_lie(scored, confidence):
    scores, speakers = scored
    names = np.unique(speakers)

    def kept(bound):
        shares = [np.mean(scores[speakers == name] <= bound) for name in names]
        return sum(shares) / (len(names) + 1)

    bounds = [bound for bound in np.unique(scores) if kept(bound) >= confidence - 1e-9]
    assert speaker_quantile(scores, speakers, confidence) == min(bounds, default=np.inf)


@given(st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=60), CONFIDENCE)
def test_one_recording_a_speaker_is_the_usual_split_conformal_quantile(scores, confidence):
    n = len(scores)
    rank = int(np.ceil(np.round((n + 1) * confidence, 9)))
    expected = np.sort(scores)[rank - 1] if rank <= n else np.inf
    assert speaker_quantile(scores, range(n), confidence) == expected


@given(SCORED, CONFIDENCE, st.randoms(use_true_random=False))
def test_neither_order_nor_names_matter(scored, confidence, random):
    scores, speakers = scored
    order = list(range(len(scores)))
    random.shuffle(order)
    names = np.array(["x", "a", "é", "b", "0", "c", "q"], dtype=object)[speakers]
    expected = speaker_quantile(scores, speakers, confidence)
    assert speaker_quantile(scores[order], names[order], confidence) == expected
    tuples = [("speaker", int(number)) for number in speakers]
    assert speaker_quantile(scores, tuples, confidence) == expected


@given(SCORED, CONFIDENCE, CONFIDENCE)
def test_more_confidence_never_gives_less(scored, first, second):
    low, high = sorted([first, second])
    assert speaker_quantile(*scored, low) <= speaker_quantile(*scored, high)


@pytest.mark.parametrize("n_speakers", [1, 4, 9, 19])
def test_beyond_what_so_many_speakers_can_promise_it_is_infinite(n_speakers):
    speakers = np.repeat(np.arange(n_speakers), 3)
    scores, limit = np.arange(3.0 * n_speakers), n_speakers / (n_speakers + 1)
    assert speaker_quantile(scores, speakers, limit) == scores.max()
    assert speaker_quantile(scores, speakers, limit + 1e-6) == np.inf


def test_mapie_says_the_same():
    regression = pytest.importorskip("mapie.regression", reason="mapie is not installed")
    from sklearn.dummy import DummyRegressor

    rng = np.random.default_rng(0)
    for n in (19, 50, 99):
        y = rng.normal(size=n)
        X, model = np.zeros((n, 1)), DummyRegressor(strategy="constant", constant=0.0)
        model.fit(X, y)
        for confidence in (0.5, 0.8, 0.9):
            theirs = regression.SplitConformalRegressor(
                model, confidence_level=confidence, prefit=True
            ).conformalize(X, y)
            interval = theirs.predict_interval(X[:1])[1].ravel()
            ours = speaker_quantile(np.abs(y), np.arange(n), confidence)
            np.testing.assert_allclose(interval, [-ours, ours])


def test_a_new_speaker_is_covered_as_promised_and_counting_recordings_fails():
    rng = np.random.default_rng(0)
    n_speakers, confidence, drawings = 15, 0.8, 600
    covered, naive = [], []
    for _ in range(drawings):
        # Who is hard for the model was recorded seldom: recordings are not exchangeable.
        own = np.exp(rng.normal(size=n_speakers + 1))
        counts = np.where(own > 1, rng.integers(1, 4, len(own)), rng.integers(20, 60, len(own)))
        speakers = np.repeat(np.arange(len(own)), counts)
        scores = own[speakers] * (1 + 0.1 * rng.normal(size=len(speakers)))
        new = speakers == n_speakers
        bound = speaker_quantile(scores[~new], speakers[~new], confidence)
        covered.append(np.mean(scores[new] <= bound))
        naive.append(np.mean(scores[new] <= np.quantile(scores[~new], confidence)))
    error = np.std(covered) / np.sqrt(drawings)
    assert confidence - 3 * error <= np.mean(covered)
    assert np.mean(covered) <= confidence + 1 / (n_speakers + 1) + 3 * error
    assert np.mean(naive) < confidence - 0.1


@pytest.mark.parametrize("confidence", [0, 1, -0.5, 90, float("nan")])
def test_a_confidence_is_between_0_and_1(confidence):
    with pytest.raises(ParameterError, match="confidence is"):
        speaker_quantile([1.0], ["a"], confidence)


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(TargetError, match="no recordings"):
        speaker_quantile([], [], 0.5)
    with pytest.raises(ParameterError, match="1 scores are not a number"):
        speaker_quantile([1, np.nan], ["a", "b"], 0.5)
    with pytest.raises(TargetError, match="1 of 2 recordings have no speaker"):
        speaker_quantile([1, 2], ["a", None], 0.5)
    with pytest.raises(ValueError, match="inconsistent"):
        speaker_quantile([1, 2], ["a"], 0.5)


def test_of_each_speaker_one_recording_is_drawn_each_as_likely_as_each_other():
    rng = np.random.RandomState(0)
    speakers = np.repeat([4, 2, 9], [1, 3, 6])
    scores = np.arange(10.0)[::-1]
    n_draws = 6000
    drawn = sum(one_of_each(scores, speakers, rng).astype(int) for _ in range(n_draws))
    np.testing.assert_allclose(drawn / n_draws, speaker_weights(speakers), atol=0.03)
    one = one_of_each(scores, speakers, np.random.RandomState(1))
    assert sorted(speakers[one]) == [2, 4, 9]
    order = rng.permutation(10)  # in whatever order they come, the same are drawn
    again = one_of_each(scores[order], speakers[order], np.random.RandomState(1))
    np.testing.assert_array_equal(again, one[order])


def test_one_recording_of_each_keeps_closer_to_what_was_asked_than_all():
    rng = np.random.RandomState(0)
    kept = {"one": [], "all": []}
    for _ in range(1500):
        voices = np.repeat(np.arange(20), 8)
        scores = np.abs(rng.normal(size=20)[voices] + rng.normal(size=160))
        own, new = voices < 19, scores[voices == 19][:1]
        drawn = one_of_each(scores[own], voices[own], rng)
        for name, rows in (("one", drawn), ("all", np.ones(152, dtype=bool))):
            bound = speaker_quantile(scores[own][rows], voices[own][rows], 0.9)
            kept[name].append(new[0] <= bound)
    assert np.mean(kept["one"]) == pytest.approx(0.9, abs=0.025)
    assert np.mean(kept["all"]) > np.mean(kept["one"]) + 0.01


def test_speakers_weigh_alike():
    found = speaker_weights(["a", "b", "a", "a"])
    np.testing.assert_allclose(found, [1 / 3, 1, 1 / 3, 1 / 3])


PROBABILITIES = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).dirichlet(np.full(4, 0.4), size=30)
)


@given(PROBABILITIES, CONFIDENCE, CONFIDENCE)
def test_sets_hold_the_likeliest_class_and_grow_with_confidence(probabilities, first, second):
    truth = np.arange(30) % 4
    scores = class_scores(probabilities, truth)
    np.testing.assert_allclose(np.exp(-scores), probabilities[np.arange(30), truth])
    small, large = (
        class_sets(probabilities, speaker_quantile(scores, np.arange(30) // 2, confidence))
        for confidence in sorted([first, second])
    )
    assert small[np.arange(30), probabilities.argmax(axis=1)].all()
    assert (small <= large).all()
    # No class that is as probable as one in the set is left out.
    for row, chosen in zip(probabilities, small, strict=True):
        assert row[chosen].min() >= row[~chosen].max(initial=0)


def test_a_set_holds_the_truth_of_every_recording_within_the_quantile():
    probabilities = np.random.default_rng(1).dirichlet(np.ones(3), size=200)
    truth = np.arange(200) % 3
    scores = class_scores(probabilities, truth)
    for quantile in np.sort(scores)[::20]:
        inside = class_sets(probabilities, quantile)[np.arange(200), truth]
        assert inside[scores <= quantile].all()


def test_what_no_class_is_true_of_is_as_wrong_as_can_be_and_nothing_is_ruled_out():
    probabilities = np.array([[0.9, 0.1], [0.5, 0.5]])
    assert class_scores(probabilities, [-1, 0]).tolist() == [np.inf, -np.log(0.5)]
    assert class_sets(probabilities, np.inf).all()
