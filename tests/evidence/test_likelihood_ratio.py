import copy
import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, GroupKFold

from sfmforensics.evidence import PLDA, CosineScorer, LikelihoodRatio, verbal_scale
from sfmforensics.evidence._trials import copy_numbers, known_trials, left_out, trial_weights
from sfmforensics.exceptions import ParameterError, TargetError
from sfmforensics.metrics import cllr, cllr_min


def costs(ratio, X, speakers, **options):
    found = ratio.trials(X, speakers, **options)
    judged = found.scores, found.same, found.weights
    return cllr(*judged), cllr_min(*judged)


class TestHowGood:
    @pytest.mark.parametrize("scorer", ["plda", "cosine", "logistic"])
    @pytest.mark.parametrize("calibration", ["logistic", "isotonic"])
    def test_ratios_of_speakers_never_heard_are_calibrated(self, scorer, calibration, voices):
        found = []
        for seed in range(3):
            ratio = LikelihoodRatio(scorer, calibration=calibration)
            ratio.fit(*voices(seed, 60, 4))
            found.append(costs(ratio, *voices(100 + seed, 60, 4)))
        cost, least = np.mean(found, axis=0)
        assert cost < 0.75
        assert cost - least < 0.08

    def test_calibration_is_about_as_good_as_it_looks(self, voices):
        looked, was = [], []
        for seed in range(6):
            ratio = LikelihoodRatio("plda").fit(*voices(seed, 24, 4, width=20, within=1.0))
            found = ratio.calibration_trials_
            looked.append(cllr(found.scores, found.same, found.weights))
            was.append(costs(ratio, *voices(50 + seed, 40, 4, width=20, within=1.0))[0])
        # A scorer tried on the speakers that it was fitted to would promise far more.
        assert np.mean(was) - np.mean(looked) < 0.1
        X, speakers = voices(0, 24, 4, width=20, within=1.0)
        flattered = LikelihoodRatio(PLDA().fit(X, speakers)).fit(X, speakers).calibration_trials_
        assert cllr(flattered.scores, flattered.same, flattered.weights) < np.mean(looked) - 0.1

    def test_the_known_ratio_of_normal_scores_is_found(self):
        # Scores of the same N(2, 1), of others N(-2, 1): the logarithm of the ratio is 4 s.
        rng = np.random.default_rng(0)
        speakers = np.repeat(np.arange(150), 2)
        ratio = LikelihoodRatio(Normal().fit(speakers[:, None]), bounds=None)
        ratio.fit(np.column_stack([speakers, rng.integers(1 << 30, size=300)]), speakers)
        calibration = ratio._calibrated(1)
        scores = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
        np.testing.assert_allclose(
            calibration.unbounded(scores), 4 * scores / np.log(10), atol=0.35
        )

    @pytest.mark.parametrize("n_known", [1, 2, 3, 5])
    def test_several_known_recordings_are_calibrated_and_tell_more(self, n_known, voices):
        ratio = LikelihoodRatio().fit(*voices(1, 50, 8, within=1.0))
        test = voices(2, 50, 8, within=1.0)
        cost, least = costs(ratio, *test, n_known=n_known)
        assert cost - least < 0.1
        if n_known > 1:
            assert cost < costs(ratio, *test)[0]

    def test_a_speaker_of_hundreds_of_recordings_is_one_speaker(self, voices):
        X, speakers = voices(3, 30, 6)
        many = np.random.default_rng(0).normal(size=(400, 6)) * 0.5 + X[speakers == 0].mean(axis=0)
        test = voices(4, 20, 3)[0]
        scorer = PLDA().fit(*voices(5, 40, 5))
        few, crowded = (
            LikelihoodRatio(scorer, bounds=None).fit(*data).log10_lr(test, test)
            for data in ((X, speakers), (np.r_[X, many], np.r_[speakers, np.zeros(400, int)]))
        )
        # A slope and an offset: they hardly move.
        assert np.abs(crowded - few).mean() < 0.15 * few.std()

    def test_one_speaker_of_most_recordings_does_not_end_it(self, voices):
        X, speakers = voices(6, 4, [100, 3, 3, 3])
        assert LikelihoodRatio().fit(X, speakers).n_speakers_ == 4

    def test_speakers_told_apart_the_wrong_way_round_say_nothing(self, voices):
        class Wrong(CosineScorer):
            def match(self, questioned, known, n_known=1):
                return -super().match(questioned, known, n_known)

        X, speakers = voices(7, 20, 4)
        ratio = LikelihoodRatio(Wrong().fit(X)).fit(X, speakers)
        assert (ratio.log10_lr(X, X, bounded=False) == 0).all()


class Normal(CosineScorer):
    """Scores drawn from two normal distributions, for two columns: the speaker and a seed."""

    def fit(self, X, y=None):
        self.n_features_in_ = 2
        return self

    def project(self, X):
        return np.asarray(X, dtype=float)

    def match(self, questioned, known, n_known=1):
        same = questioned[:, :1] == known[:, 0]
        mixed = (questioned[:, 1:].astype(np.int64) ^ known[:, 1].astype(np.int64)) % (1 << 31)
        noise = np.random.default_rng(1).normal(size=1 << 16)[mixed % (1 << 16)]
        return np.where(same, 2, -2) + noise


class TestBounds:
    @pytest.mark.parametrize("bounds", ["elub", "iv"])
    @pytest.mark.parametrize("calibration", ["logistic", "isotonic"])
    def test_they_hold_for_every_answer(self, bounds, calibration, voices):
        X, speakers = voices(8, 20, 5)
        ratio = LikelihoodRatio("cosine", bounds=bounds, calibration=calibration).fit(X, speakers)
        for known in (1, 3):
            lower, upper = ratio._calibrated(known).lower, ratio._calibrated(known).upper
            assert -4 < lower <= 0 <= upper < 4
            names = np.arange(len(X)) // known
            found = ratio.log10_lr(10 * X, X, names)
            free = ratio.log10_lr(10 * X, X, names, bounded=False)
            counts = np.bincount(names)
            found, free = (side[:, counts == known] for side in (found, free))
            np.testing.assert_array_equal(found, np.clip(free, lower, upper))

    def test_fewer_speakers_carry_less(self, voices):
        scorer = PLDA().fit(*voices(9, 60, 5, within=0.3))
        X, speakers = voices(10, 80, 5, within=0.3)
        widths = []
        for n in (5, 20, 80):
            lower, upper = LikelihoodRatio(scorer).fit(*(s[: 5 * n] for s in (X, speakers))).bounds_
            widths.append((-lower, upper))
        assert (np.diff(widths, axis=0) > 0).all()

    def test_more_recordings_of_the_same_speakers_carry_no_more(self, voices):
        scorer = CosineScorer().fit(np.eye(6))
        few, many = (
            LikelihoodRatio(scorer).fit(*voices(11, 10, n, within=0.2)).bounds_ for n in (3, 40)
        )
        np.testing.assert_allclose(many, few, atol=0.35)

    def test_without_bounds_they_are_infinite(self, voices):
        ratio = LikelihoodRatio("cosine", bounds=None).fit(*voices(12, 10, 3))
        assert ratio.bounds_ == (-np.inf, np.inf)

    @pytest.mark.parametrize("bounds", ["elub", "iv"])
    def test_speakers_who_do_not_differ_are_no_crash(self, bounds):
        for seed in range(5):
            X = np.random.default_rng(seed).normal(size=(8, 3))
            ratio = LikelihoodRatio("cosine", bounds=bounds).fit(X, [0, 0, 0, 0, 1, 1, 1, 1])
            lower, upper = ratio.bounds_
            assert lower <= 0 <= upper


class TestAgainstLir:
    """Where each speaker and each pair is compared once, lir says the same."""

    @pytest.fixture(scope="class")
    def once(self):
        pytest.importorskip("lir", reason="lir is not installed")
        from sfmforensics.evidence._calibration import calibrate
        from sfmforensics.metrics import Trials

        rng = np.random.default_rng(0)
        n = 14
        first, second = np.triu_indices(n)  # voices, each with itself and the others once
        same = first == second
        scores = rng.normal(size=len(first)) + 2.0 * same
        return (
            scores,
            same,
            lambda how, bounds: calibrate(
                Trials(scores, same, first, second), np.arange(n), how, bounds
            ),
        )

    def test_logistic_calibration(self, once):
        from lir.algorithms.logistic_regression import LogitCalibrator

        scores, same, calibrated = once
        theirs = LogitCalibrator(C=1e3).fit(scores, same.astype(int))
        expected = theirs.transform(scores[:, None]).ravel()
        np.testing.assert_allclose(calibrated("logistic", None)(scores), expected, atol=0.02)


def test_limits_of_a_pickle_of_0_1_0_are_found_anew(voices):
    """They took pairs that share a speaker for independent."""
    ratio = LikelihoodRatio("cosine").fit(*voices(12, 19, 4, within=0.05))
    expected, state = ratio.bounds_, ratio.__getstate__()
    del state["_told"]
    old = ratio._calibrations[1]
    state["_calibrations"] = {1: dataclasses.replace(old, upper=np.log10(162))}
    loaded = LikelihoodRatio.__new__(LikelihoodRatio)
    loaded.__setstate__(state)
    assert loaded.bounds_ == expected


class TestWhatIsCompared:
    def test_each_pair_once_and_no_copies(self, voices):
        X, speakers = voices(13, 5, 4)
        copies = np.arange(20)
        copies[[4, 8]] = 0  # recording 0 is also filed under speakers 1 and 2
        found = LikelihoodRatio("cosine").fit(X, speakers, copies)
        assert found.n_speakers_ == 3
        trials = found.calibration_trials_
        pairs = set(zip(trials.first.tolist(), trials.second.tolist(), strict=True))
        assert len(pairs) == len(trials.first) == 20 * 19 // 2 - 3
        assert not {(0, 4), (0, 8), (4, 8)} & pairs
        joined = speakers.copy()
        joined[joined < 3] = 0
        np.testing.assert_array_equal(trials.same, joined[trials.first] == joined[trials.second])

    def test_recordings_without_a_number_are_copies_of_nothing(self, voices):
        assert copy_numbers([None, "x", np.nan, "x"], 4).tolist() == [0, 1, 2, 1]
        X, speakers = voices(14, 5, 4)
        none = LikelihoodRatio("cosine").fit(X, speakers, [None] * 20)
        assert none.n_speakers_ == 5
        assert none.bounds_ == LikelihoodRatio("cosine").fit(X, speakers).bounds_

    def test_a_set_of_known_recordings_holds_neither_the_questioned_one_nor_a_copy(self, voices):
        X, speakers = voices(15, 6, 5)
        copies = np.arange(30)
        copies[1] = 0
        # Each recording a power of two: the mean of a set tells who is in it.
        scorer = Column().fit(X)
        found = known_trials(scorer, 2.0 ** np.arange(30)[:, None], speakers, copies, 3)
        assert len(found.first)
        for row, mean, same in zip(found.first, found.scores, found.same, strict=True):
            members = [member for member in range(30) if round(3 * mean) >> member & 1]
            assert len(set(copies[members])) == 3
            assert copies[row] not in copies[members]
            assert len(set(speakers[members])) == 1
            assert same == (speakers[row] == speakers[members[0]])

    def test_speakers_and_pairs_weigh_alike(self):
        first, second = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 0, 2, 2])
        assert trial_weights(first, second).tolist() == [0.5, 0.5, 0.5, 0.5, 1, 1]

    def test_recordings_of_nobody_known_are_left_out(self, voices):
        X, speakers = voices(16, 10, 4)
        names = pd.Series(speakers).astype(object)
        names[::5] = None
        kept = names.notna().to_numpy()
        expected = LikelihoodRatio("cosine").fit(X[kept], speakers[kept])
        found = LikelihoodRatio("cosine").fit(X, names)
        np.testing.assert_array_equal(found.log10_lr(X, X), expected.log10_lr(X, X))
        for trials in (found.trials(X, names), found.calibration_trials_):
            assert kept[trials.first].all()
            assert kept[trials.second].all()
            np.testing.assert_array_equal(
                trials.same, speakers[trials.first] == speakers[trials.second]
            )

    def test_a_scorer_is_tried_on_speakers_that_it_has_not_seen(self, voices):
        X, speakers = voices(17, 11, 4)
        seen = []

        class Spy(PLDA):
            def fit(self, X, y=None):
                self.told = {tuple(row) for row in X}
                seen.append(self.told)
                return super().fit(X, y)

        parts = left_out(Spy(), X, speakers, 0)
        assert sorted(np.concatenate([rows for _, rows, _ in parts]).tolist()) == list(range(44))
        for scorer, rows, _ in parts:
            assert len(np.unique(speakers[rows])) in (2, 3)
            assert not scorer.told & {tuple(row) for row in X[np.isin(speakers, speakers[rows])]}

    def test_a_fitted_scorer_is_taken_as_it_is_and_a_cosine_learns_nothing(self, voices):
        X, speakers = voices(18, 12, 4)
        fitted = PLDA().fit(*voices(19, 20, 4))
        before = pickle.dumps(fitted)
        ratio = LikelihoodRatio(fitted).fit(X, speakers)
        assert ratio.scorer_ is fitted
        assert pickle.dumps(fitted) == before
        for whole in (ratio, LikelihoodRatio("cosine").fit(X, speakers)):
            assert len(whole.calibration_trials_.first) == 48 * 47 // 2
        unfitted = PLDA()
        LikelihoodRatio(unfitted).fit(X, speakers)
        assert not hasattr(unfitted, "n_features_in_")
        frozen = clone(LikelihoodRatio(FrozenEstimator(fitted))).fit(X, speakers)
        np.testing.assert_array_equal(frozen.log10_lr(X, X), ratio.log10_lr(X, X))

    def test_so_many_recordings_that_not_all_are_compared(self, voices, monkeypatch):
        import sfmforensics.evidence._trials as trials_

        monkeypatch.setattr(trials_, "MOST_COMPARED", 60)
        import sfmforensics.metrics._verification as drawing

        monkeypatch.setattr(drawing, "MOST_COMPARED", 60)
        X, speakers = voices(20, 50, 4)
        found = LikelihoodRatio("cosine").fit(X, speakers).trials(X, speakers)
        assert len(found.first) <= 60 * 59 // 2
        np.testing.assert_array_equal(found.same, speakers[found.first] == speakers[found.second])


class Column(CosineScorer):
    """The score is the known side."""

    def match(self, questioned, known, n_known=1):
        return np.tile(known[:, 0], (len(questioned), 1))


class TestAnswers:
    @pytest.fixture(scope="class")
    def fitted(self, voices):
        return LikelihoodRatio().fit(*voices(21, 40, 6))

    def test_they_rise_with_the_score(self, fitted, voices):
        X = voices(22, 20, 2)[0]
        scores = fitted.scorer_.score_pairs(X, X).ravel()
        for bounded in (True, False):
            found = fitted.log10_lr(X, X, bounded=bounded).ravel()[np.argsort(scores)]
            assert (np.diff(found) >= -1e-9).all()

    def test_columns_are_speakers_in_the_order_in_which_they_come(self, fitted, voices):
        X, speakers = voices(23, 4, 2)
        names = [("d", 1), ("d", 1), "b", "b", 3, 3, None, None]
        found = fitted.log10_lr(X, X[:6], names[:6])
        assert found.shape == (8, 3)
        for column in range(3):
            alone = fitted.log10_lr(X, X[2 * column : 2 * column + 2], [0, 0])
            np.testing.assert_array_equal(found[:, [column]], alone)
        assert (found.argmax(axis=1)[:6] == speakers[:6]).mean() > 0.8
        with pytest.raises(TargetError, match="2 of 8 known recordings have no speaker"):
            fitted.log10_lr(X, X, names)

    def test_a_comparison_says_what_it_rests_on(self, fitted, voices):
        X, _ = voices(24, 2, 4)
        found = fitted.compare(X[:1], X[1:4])
        assert found.n_known == 3
        assert found.n_speakers == 40
        assert found.log10_lr == fitted.log10_lr(X[:1], X[1:4], [0, 0, 0])[0, 0]
        assert found.log10_lr == np.clip(found.unbounded, found.lower, found.upper)
        assert found.verbal == verbal_scale(found.log10_lr)
        assert found.at_bound == (found.log10_lr in (found.lower, found.upper))
        assert 0 < found.cllr_min <= found.cllr < 1
        assert 0 < found.eer < 0.5
        with pytest.raises(ParameterError, match="2 questioned recordings; compare one"):
            fitted.compare(X[:2], X[2:])

    def test_score_is_the_negative_cllr(self, fitted, voices):
        test = voices(25, 20, 4)
        assert fitted.score(*test) == -costs(fitted, *test)[0]
        assert -1 < fitted.score(*test) < 0

    @pytest.mark.parametrize("n_known", [1, 3])
    def test_the_same_bits_twice_and_nothing_else_is_touched(self, n_known, voices):
        X, speakers = voices(26, 20, 5)
        X.setflags(write=False)
        np.random.seed(3)  # noqa: NPY002 - the global generator is what is watched
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        names = np.arange(len(X)) // n_known
        first, second = (
            LikelihoodRatio().fit(X, speakers).log10_lr(X[:9], X[:90], names[:90]) for _ in range(2)
        )
        np.testing.assert_array_equal(first, second)
        assert (np.random.get_state()[1] == before).all()  # noqa: NPY002

    def test_a_copy_and_a_pickle_answer_alike_also_what_was_not_yet_asked(self, fitted, voices):
        X, _ = voices(27, 3, 4)
        names = np.repeat([0, 1, 2], 4)
        for other in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
            np.testing.assert_array_equal(other.log10_lr(X, X, names), fitted.log10_lr(X, X, names))
        assert not hasattr(clone(fitted), "scorer_")

    def test_the_order_of_calibration_rows_does_not_matter(self, voices):
        # With a fitted scorer. One that is not is tried on folds, which are drawn; bounds are those
        # of the median drawing.
        X, speakers = voices(28, 30, 5)
        scorer = PLDA().fit(*voices(29, 30, 5))
        order = np.random.default_rng(0).permutation(len(X))
        first, second = (
            LikelihoodRatio(scorer).fit(X[rows], speakers[rows])
            for rows in (np.arange(len(X)), order)
        )
        np.testing.assert_allclose(
            *(ratio.log10_lr(X[:9], X, bounded=False) for ratio in (first, second)), atol=1e-6
        )
        np.testing.assert_allclose(first.bounds_, second.bounds_, atol=0.15)

    def test_a_search_finds_the_better_scorer(self, voices):
        X, speakers = voices(30, 40, 5, width=8, directions=3)
        X[:, 3:] *= 5  # noise, by which the cosine goes
        search = GridSearchCV(
            LikelihoodRatio(),
            {"scorer": ["cosine", PLDA(), PLDA(2)]},
            cv=GroupKFold(3),
            error_score="raise",
        ).fit(X, speakers, groups=speakers)
        assert isinstance(search.best_params_["scorer"], PLDA)
        assert -1 < search.best_score_ < 0

    def test_named_tables_do_not_warn(self, voices, recwarn):
        X, speakers = voices(31, 12, 4)
        table = pd.DataFrame(X).rename(columns=str)
        for scorer in ("plda", "cosine", PLDA().fit(table, speakers)):
            ratio = LikelihoodRatio(scorer).fit(table, speakers)
            ratio.log10_lr(table[:2], table)
            ratio.trials(table, speakers)
        assert not recwarn.list


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"scorer": "pldaa"}, "scorer is 'pldaa'"),
            ({"scorer": 3}, "scorer is 3"),
            ({"calibration": "platt"}, "calibration is 'platt'"),
            ({"bounds": "none"}, "bounds is 'none'"),
        ],
    )
    def test_unknown_parameters(self, options, told, voices):
        with pytest.raises(ParameterError, match=told) as caught:
            LikelihoodRatio(**options).fit(*voices(0, 4, 3))
        assert "\n" not in str(caught.value)

    def test_too_few_speakers(self, voices):
        X, speakers = voices(0, 3, 4)
        with pytest.raises(TargetError, match=r"found 3 speakers.*use scorer='cosine'"):
            LikelihoodRatio().fit(X, speakers)
        assert LikelihoodRatio("cosine").fit(X, speakers).n_speakers_ == 3
        with pytest.raises(TargetError, match="one speaker"):
            LikelihoodRatio("cosine").fit(X, np.zeros(12))
        with pytest.raises(TargetError, match="no comparison of one speaker"):
            LikelihoodRatio("cosine").fit(X, np.arange(12))

    def test_more_known_recordings_than_can_be_calibrated(self, voices):
        X, speakers = voices(0, 10, 4)
        ratio = LikelihoodRatio("cosine").fit(X, speakers)
        ratio.log10_lr(X, X[:3], [0, 0, 0])
        with pytest.raises(TargetError, match="with 4 known recordings; give fewer"):
            ratio.log10_lr(X, X[:4], [0, 0, 0, 0])

    def test_what_is_not_fitted_does_not_answer(self):
        for ask in ("log10_lr", "compare", "trials"):
            with pytest.raises(NotFittedError):
                getattr(LikelihoodRatio(), ask)(np.eye(2), np.eye(2))

    def test_another_width(self, voices):
        ratio = LikelihoodRatio("cosine").fit(*voices(0, 5, 4))
        with pytest.raises(ValueError, match="expecting 6 features"):
            ratio.log10_lr(np.eye(3), np.eye(3))
