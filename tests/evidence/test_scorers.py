import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from sfmforensics.evidence import PLDA, CosineScorer, LikelihoodRatio, PairwiseLogistic
from sfmforensics.evidence import _scorers as pair_scorer
from sfmforensics.exceptions import ParameterError, TargetError
from sfmforensics.metrics import cllr_min, equal_error_rate

NEED_FOUR_SPEAKERS = dict.fromkeys(
    [
        *("check_dict_unchanged", "check_dont_overwrite_parameters", "check_estimators_dtypes"),
        *("check_estimators_fit_returns_self", "check_estimators_nan_inf", "check_fit2d_1feature"),
        *("check_estimators_overwrite_params", "check_estimators_pickle", "check_fit_idempotent"),
        *("check_f_contiguous_array_estimator", "check_fit2d_predict1d", "check_n_features_in"),
        *("check_fit_check_is_fitted", "check_fit_score_takes_y", "check_readonly_memmap_input"),
        *("check_methods_sample_order_invariance", "check_methods_subset_invariance"),
        *("check_n_features_in_after_fitting", "check_pipeline_consistency"),
        "check_positive_only_tag_during_fit",
    ],
    "a PLDA is tried on speakers left out in turn, at least two of four; the check gives two or "
    "three",
)


@parametrize_with_checks(
    [PLDA(), CosineScorer(), PairwiseLogistic(), LikelihoodRatio("cosine"), LikelihoodRatio()],
    expected_failed_checks=lambda estimator: (
        NEED_FOUR_SPEAKERS if getattr(estimator, "scorer", None) == "plda" else {}
    ),
)
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


@pytest.mark.parametrize("n_known", [1, 3])
def test_the_match_is_the_ratio_of_two_normal_densities(n_known, voices):
    plda = PLDA(5).fit(*voices(0, 40, 6))
    rng = np.random.default_rng(0)
    width = len(plda.between_)
    B = np.diag(plda.between_)
    questioned = rng.normal(size=(4, width))
    known = rng.normal(size=(3, n_known, width))
    found = plda.match(questioned, known.mean(axis=1), n_known)
    for i in range(4):
        for j in range(3):
            # All recordings at once; those of one speaker share what they have of B.
            joint = np.concatenate([questioned[i], *known[j]])
            one = np.kron(np.ones((n_known + 1, n_known + 1)), B) + np.eye(len(joint))
            two = one.copy()
            two[:width, width:] = two[width:, :width] = 0
            ratio = multivariate_normal(cov=one).logpdf(joint)
            ratio -= multivariate_normal(cov=two).logpdf(joint)
            assert found[i, j] == pytest.approx(ratio, abs=1e-8)


def test_one_with_one_is_symmetric_and_more_recordings_are_surer(voices):
    X, speakers = voices(1, 30, 5)
    for scorer in (PLDA().fit(X, speakers), CosineScorer().fit(X)):
        scores = scorer.score_pairs(X, X)
        np.testing.assert_allclose(scores, scores.T, atol=1e-9)
    plda = PLDA().fit(X, speakers)
    same, other = (plda.project(X)[speakers == name].mean(axis=0, keepdims=True) for name in (0, 1))
    asked = plda.project(X)[speakers == 0][:1]
    for n in (1, 4):
        assert plda.match(asked, same, n) > plda.match(asked, other, n)
    assert plda.match(asked, other, 4) < plda.match(asked, other, 1)


def test_projected_speakers_vary_by_one_within_and_as_is_said_between(voices):
    X, speakers = voices(2, 400, 8, width=5, within=0.7)
    plda = PLDA(shrinkage=0).fit(X, speakers)
    table = pd.DataFrame(plda.project(X)).groupby(speakers)
    within = table.cov().groupby(level=1).mean().to_numpy()
    np.testing.assert_allclose(within, np.eye(5), atol=1e-6)
    between = table.mean().cov().to_numpy() - np.eye(5) / 8
    np.testing.assert_allclose(between, np.diag(plda.between_), atol=1e-6)
    assert (np.diff(plda.between_) <= 0).all()
    # Of length one, vectors of variance 1 + 0.49 keep about that proportion.
    assert plda.between_.mean() == pytest.approx(1 / 0.49, rel=0.25)


def test_unequal_numbers_of_recordings_do_not_widen_speakers(voices):
    counts = np.where(np.arange(600) % 2, 2, 12)
    plda = PLDA(shrinkage=0).fit(*voices(3, 600, counts, within=1.0))
    equal = PLDA(shrinkage=0).fit(*voices(4, 600, 7, within=1.0))
    np.testing.assert_allclose(plda.between_.mean(), equal.between_.mean(), rtol=0.1)


def test_speakers_who_do_not_differ_get_scores_near_zero(voices):
    X, speakers = voices(5, 60, 6, directions=0)
    scores = PLDA().fit(X, speakers).score_pairs(X, X)
    assert np.abs(scores).mean() < 0.5


def test_directions_in_which_speakers_do_not_differ_are_not_heard(voices):
    train, test = voices(6, 60, 8, width=30, directions=3), voices(7, 30, 4, width=30, directions=3)
    first, second = np.triu_indices(len(test[0]), 1)
    same = test[1][first] == test[1][second]

    def error(scorer):
        return equal_error_rate(scorer.score_pairs(test[0], test[0])[first, second], same)

    assert error(PLDA().fit(*train)) < 0.8 * error(CosineScorer().fit(*train))


@pytest.mark.parametrize("width", [60, 120, 300])
def test_about_as_many_features_as_recordings_are_no_harm(width):
    # All of the directions whitened, recordings would be equally far apart.
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(8, width))

    def drawn(n_speakers):
        speakers = np.repeat(np.arange(n_speakers), 4)
        hidden = rng.normal(size=(n_speakers, 8))[speakers] + 0.5 * rng.normal(
            size=(len(speakers), 8)
        )
        return hidden @ mixing + 0.3 * rng.normal(size=(len(speakers), width)), speakers

    plda = PLDA().fit(*drawn(30))
    assert len(plda.between_) <= 29
    X, speakers = drawn(30)
    first, second = np.triu_indices(len(X), 1)
    scores = plda.score_pairs(X, X)[first, second]
    assert cllr_min(scores, speakers[first] == speakers[second]) < 0.5


@pytest.mark.parametrize(
    "make",
    [PLDA, lambda: PLDA(1), lambda: PLDA(shrinkage=1), CosineScorer, PairwiseLogistic],
)
def test_neither_the_order_of_rows_nor_their_type_nor_constant_columns_matter(make, voices):
    X, speakers = voices(8, 25, 5)
    expected = make().fit(X, speakers).score_pairs(X[:5], X)
    order = np.random.default_rng(0).permutation(len(X))
    again = make().fit(X[order], speakers[order])
    np.testing.assert_allclose(again.score_pairs(X[:5], X), expected, rtol=1e-6, atol=1e-6)
    named = make().fit(X, [f"speaker {9 - number}" for number in speakers])
    np.testing.assert_allclose(named.score_pairs(X[:5], X), expected, rtol=1e-6, atol=1e-6)
    single = make().fit(X.astype(np.float32), speakers).score_pairs(X[:5].astype(np.float32), X)
    np.testing.assert_allclose(single, expected, rtol=1e-3, atol=1e-3)
    if make is not CosineScorer:
        wide = np.column_stack([X, np.full(len(X), 7.0)])
        found = make().fit(wide, speakers).score_pairs(wide[:5], wide)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_plda_does_not_care_for_shift_and_scale(voices):
    X, speakers = voices(9, 25, 5)
    moved = 1e3 * X + 1e4
    expected = PLDA().fit(X, speakers).score_pairs(X[:5], X)
    found = PLDA().fit(moved, speakers).score_pairs(moved[:5], moved)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_recordings_that_are_all_alike_say_nothing():
    with np.errstate(all="raise"):
        scores = (
            PLDA()
            .fit(np.ones((20, 4)), np.repeat(range(5), 4))
            .score_pairs(np.ones((2, 4)), np.ones((3, 4)))
        )
    np.testing.assert_array_equal(scores, np.zeros((2, 3)))


def test_zero_has_no_direction_and_no_cosine():
    scorer = CosineScorer().fit(np.eye(3))
    assert scorer.score_pairs(np.zeros((1, 3)), np.eye(3)).tolist() == [[0, 0, 0]]


def test_the_cosine_of_known_recordings_is_that_of_their_mean_direction():
    scorer = CosineScorer().fit(np.eye(2))
    known = scorer.project([[1, 0], [0, 100]]).mean(axis=0, keepdims=True)
    assert scorer.match(scorer.project([[3, 3]]), known, 2)[0, 0] == pytest.approx(1)


def test_it_is_copied_pickled_and_frozen(voices):
    X, speakers = voices(10, 20, 4)
    fitted = PLDA(3, shrinkage=0.2).fit(X, speakers)
    assert clone(fitted).get_params() == {"n_components": 3, "shrinkage": 0.2}
    assert not hasattr(clone(fitted), "n_features_in_")
    expected = fitted.score_pairs(X[:3], X)
    for same in (pickle.loads(pickle.dumps(fitted)), clone(FrozenEstimator(fitted))):
        np.testing.assert_array_equal(same.score_pairs(X[:3], X), expected)


def test_a_fit_to_a_named_table_does_not_warn(voices, recwarn):
    X, speakers = voices(11, 20, 4)
    table = pd.DataFrame(X).rename(columns=str)
    PLDA().fit(table, speakers).score_pairs(table[:2], table)
    assert not recwarn.list


@pytest.mark.parametrize("options", [{"n_components": 0}, {"shrinkage": -0.1}, {"shrinkage": 1.1}])
def test_parameters_out_of_range_are_refused(options, voices):
    with pytest.raises(ParameterError, match="n_components is"):
        PLDA(**options).fit(*voices(0, 4, 3))


@pytest.mark.parametrize(
    ("y", "found"),
    [
        ([1] * 6, "1 class"),
        (list("abcdef"), "no speaker with two recordings"),
        (["a", "a", None, "b", "b", "b"], "1 of 6 recordings have no speaker"),
    ],
)
def test_speakers_from_whom_nothing_can_be_learnt_are_refused(y, found):
    with pytest.raises(TargetError, match=found) as caught:
        PLDA().fit(np.random.default_rng(0).normal(size=(6, 3)), y)
    assert "\n" not in str(caught.value)


class TestPairwiseLogistic:
    def test_the_match_is_the_formula(self, voices):
        scorer = PairwiseLogistic(4).fit(*voices(0, 30, 5))
        rng = np.random.default_rng(0)
        questioned, known = rng.normal(size=(3, 4)), rng.normal(size=(2, 4))
        for q, row in zip(questioned, scorer.match(questioned, known), strict=True):
            for k, score in zip(known, row, strict=True):
                told = scorer.apart_ @ (q - k) ** 2 / 2 + scorer.alike_ @ (q * k)
                assert score == pytest.approx(told)

    def test_it_tells_strangers_apart_about_as_well_as_the_model_that_made_them(self, voices):
        train, test = voices(1, 80, 8, within=0.7), voices(2, 40, 5, within=0.7)
        first, second = np.triu_indices(len(test[0]), 1)
        same = test[1][first] == test[1][second]

        def lost(scorer):
            scores = scorer.fit(*train).score_pairs(test[0], test[0])[first, second]
            return cllr_min(scores, same)

        assert lost(PairwiseLogistic()) < 1.15 * lost(PLDA())

    def test_directions_in_which_speakers_do_not_differ_count_less(self, voices):
        X, speakers = voices(3, 60, 8, width=6, directions=2)
        scorer = PairwiseLogistic(6, C=1.0).fit(X, speakers)
        effect = np.abs(scorer.apart_ * scorer.between_)
        assert np.sort(effect)[-2:].sum() > 0.8 * effect.sum()
        assert (scorer.apart_[:2] < 0).all()  # the further apart, the less alike

    def test_how_often_a_speaker_was_recorded_makes_no_difference(self, voices):
        X, speakers = voices(4, 20, 4)
        often = np.concatenate([np.arange(len(X)), *[np.flatnonzero(speakers == 3)] * 9])
        # The pairs alone: what they are projected by has learnt from recordings, not from speakers.
        first, second, same = pair_scorer._pairs(speakers[often])
        found = pair_scorer.balanced_weights(same, speakers[often][first], speakers[often][second])
        own = same & (speakers[often][first] == 3)
        assert found[own].sum() == pytest.approx(found[same].sum() / 20)

    def test_of_too_many_pairs_as_many_of_one_speaker_as_of_two_are_drawn(self, monkeypatch):
        monkeypatch.setattr(pair_scorer, "MOST_PAIRS", 4000)
        who = np.random.default_rng(0).permutation(np.repeat(np.arange(40), np.arange(40) % 9 + 1))
        first, second, same = pair_scorer._pairs(who)
        assert len(first) == 4000
        assert same.mean() == 0.5
        assert (first != second).all()
        np.testing.assert_array_equal(who[first] == who[second], same)
        several = np.flatnonzero(np.bincount(who) > 1)
        np.testing.assert_array_equal(np.unique(who[first[same]]), several)
        np.testing.assert_array_equal(np.unique(who[first[~same]]), np.arange(40))
        of_each = np.bincount(who[first[same]], minlength=40)[several]
        assert of_each.max() < 2 * of_each.min()
        # Each recording, not the first ones alone.
        assert len(np.unique([first, second])) == len(who)

    def test_few_of_many_pairs_say_about_the_same(self, voices, monkeypatch):
        X, speakers = voices(5, 60, 8)
        expected = PairwiseLogistic().fit(X, speakers).score_pairs(X[:4], X)
        monkeypatch.setattr(pair_scorer, "MOST_PAIRS", 20_000)
        found = PairwiseLogistic().fit(X, speakers).score_pairs(X[:4], X)
        assert not np.array_equal(found, expected)
        assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.98

    def test_c_out_of_range_is_refused(self, voices):
        with pytest.raises(ParameterError, match="C is 0"):
            PairwiseLogistic(C=0).fit(*voices(0, 4, 3))
