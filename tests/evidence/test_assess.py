"""Validation of calibrated models: values, groups, and intervals over speakers."""

import copy
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sfmforensics import TANGO, PerTask
from sfmforensics.evidence import CalibratedModel, assess
from sfmforensics.evidence._answers import TaskAnswers
from sfmforensics.evidence._assessment import measured
from sfmforensics.evidence._conformal import speaker_weights
from sfmforensics.evidence._measures import LEVELS, Comparisons, Estimate, measure_answers
from sfmforensics.evidence._trials import trial_weights
from sfmforensics.exceptions import EvidenceWarning, ParameterError, TargetError
from sfmforensics.metrics import (
    Trials,
    brier_score,
    cllr,
    cllr_cal,
    cllr_min,
    equal_error_rate,
    expected_calibration_error,
    min_dcf,
)
from sfmforensics.metrics._resampling import unit_draws

# The benchmarks put folds together.
pool_assessments = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "pooling.py"))[
    "pool_assessments"
]

pytestmark = pytest.mark.slow

N_TRAINED, N_SPEAKERS, OF_EACH = 36, 50, 4


def corpus():
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(N_SPEAKERS), OF_EACH)
    own = rng.normal(size=(N_SPEAKERS, 8))
    X = (own[who] + 0.6 * rng.normal(size=(len(who), 8))).astype("float32")
    emotion = np.tile(["high", "low"], len(who) // 2)
    X[:, 1] += np.where(emotion == "high", 1.5, 0)
    age = 30 + 8 * own[who, 2].round(1)
    frame = {
        "speaker": [f"s{name:02}" for name in who],
        "gender": np.where(own[who, 0] > 0, "m", "f"),
        "emotion": emotion,
        "age": age,
        "language": np.where(who % 3 == 0, "ar", "de"),
    }
    return X, pd.DataFrame(frame)


X, Y = corpus()
TASKS = ["speaker", "gender", "emotion", "age"]
TRAIN, TEST = np.arange(N_TRAINED * OF_EACH), np.arange(N_TRAINED * OF_EACH, len(X))
RAGGED = TEST[np.random.default_rng(1).uniform(size=len(TEST)) < 0.8]  # speakers of unequal number


@pytest.fixture(scope="module")
def model():
    tango = TANGO(encoder="tokens", max_epochs=30, random_state=0)
    return CalibratedModel(tango, random_state=0).fit(X[TRAIN], Y.loc[TRAIN, TASKS])


@pytest.fixture(scope="module")
def plain():
    parts = PerTask(LogisticRegression(), Ridge())
    return CalibratedModel(parts, random_state=0).fit(X[TRAIN], Y.loc[TRAIN, TASKS])


@pytest.fixture(scope="module")
def found(model):
    return assess(model, X[RAGGED], Y.iloc[RAGGED], n_resamples=200)


def cell(found, task, measure, group="", by=None, column="value", table="table"):
    rows = getattr(found, table)
    rows = rows[(rows["task"] == task) & (rows["measure"] == measure) & (rows["group"] == group)]
    rows = rows if by is None else rows[rows["by"] == by]
    assert len(rows) == 1
    return rows[column].iloc[0]


def over_speakers(values, speakers):
    return pd.Series(np.asarray(values, dtype=float)).groupby(np.asarray(speakers)).mean().mean()


class TestStrangers:
    """A validation is by people of whom the model has heard nothing, as far as their names tell."""

    KNOWN = Y.iloc[TEST].assign(speaker=Y["speaker"].iloc[: len(TEST)].to_numpy())

    def test_speakers_whom_it_knows_are_refused_by_name(self, model):
        both = {role: set(names) for role, names in model.speakers_.items()}
        assert both["trained"] | both["calibrated"] == set(Y["speaker"].iloc[TRAIN])
        assert len(both["calibrated"]) == 12
        assert not both["trained"] & both["calibrated"]
        for role in both:
            one = [*sorted(both[role])[:1], "a new one"] * (len(TEST) // 2)
            with pytest.raises(TargetError, match=rf"1 of 2 speakers .*, 1 {role} it \(s\d\d\)"):
                assess(model, X[TEST], Y.iloc[TEST].assign(speaker=one))

    def test_it_goes_on_where_that_is_allowed_and_says_so(self, model, found):
        again = assess(model, X[TEST], self.KNOWN, n_resamples=5, allow_known_speakers=True)
        assert set(again.known_speakers) == set(self.KNOWN["speaker"])
        assert found.known_speakers == ()

    def test_a_model_that_was_fitted_before_names_its_speakers_itself(self, model):
        frozen = CalibratedModel(FrozenEstimator(model.estimator_), random_state=0)
        calibrated = frozen.fit(X[TEST], Y.iloc[TEST][TASKS])
        assert set(calibrated.speakers_["trained"]) == set(model.speakers_["trained"])
        assert set(calibrated.speakers_["calibrated"]) == set(Y["speaker"].iloc[TEST])

    def test_a_model_of_an_older_version_says_what_was_not_compared(self, model):
        older = copy.copy(model)
        del older.speakers_
        held = Y.iloc[TEST].assign(speaker=model.speakers_["calibrated"][0])
        held.loc[held.index[:20], "speaker"] = "a new one"
        with pytest.warns(EvidenceWarning, match="does not hold the names of those who calibrated"):
            assess(older, X[TEST], held, n_resamples=5)
        with pytest.raises(TargetError, match="trained it"):
            assess(older, X[TEST], held.assign(speaker=model.speakers_["trained"][0]))


class TestValues:
    def test_measures_of_voices_are_those_of_the_metrics_with_weights(self, model, found):
        ratio = model.likelihood_ratio_
        who = Y["speaker"].iloc[RAGGED]
        trials = ratio.trials(model.transform(X[RAGGED]), who)
        given = trials.scores, trials.same, trials.weights
        expected = {
            "cllr": cllr(*given),
            "cllr_min": cllr_min(*given),
            "cllr_cal": cllr(*given) - cllr_min(*given),
            "eer": equal_error_rate(*given),
            "min_dcf": min_dcf(*given[:2], sample_weight=given[2]),
        }
        for kind, misleads in (("same", trials.scores < 0), ("different", trials.scores > 0)):
            of = trials.same if kind == "same" else ~trials.same
            expected[f"misleading_{kind}"] = np.average(misleads[of], weights=given[2][of])
        for measure, value in expected.items():
            assert cell(found, "speaker", measure) == pytest.approx(value, abs=1e-9), measure
        assert cell(found, "speaker", "cllr", column="n") == len(trials.scores)
        assert cell(found, "speaker", "cllr", column="speakers") == N_SPEAKERS - N_TRAINED

    @pytest.mark.parametrize(("by", "group"), [("gender", "m"), ("emotion", "low")])
    def test_of_a_group_both_sides_are_in_it_and_pairs_count_alike(self, model, found, by, group):
        rows = RAGGED[(Y[by].iloc[RAGGED] == group).to_numpy()]
        who = Y["speaker"].iloc[rows]
        trials = model.likelihood_ratio_.trials(model.transform(X[rows]), who)
        value = cllr(trials.scores, trials.same, trials.weights)
        assert cell(found, "speaker", "cllr", group) == pytest.approx(value)
        assert cell(found, "speaker", "eer", group, column="n") == len(trials.scores)

    def test_measures_of_classes_are_means_over_speakers(self, model):
        found = assess(model, X[RAGGED], Y.iloc[RAGGED], risk=0.4, n_resamples=2)
        rows, truth = Y.iloc[RAGGED], Y["emotion"].iloc[RAGGED]
        answers = model.predict(X[RAGGED])["emotion"].to_numpy()
        right = answers == truth.to_numpy()
        sets = model.predict_set(X[RAGGED], 0.9)["emotion"]
        given = model.predict_or_abstain(X[RAGGED], 0.4)["emotion"].notna().to_numpy()
        expected = {
            "accuracy": over_speakers(right, rows["speaker"]),
            "set_coverage": over_speakers(
                [label in one for label, one in zip(truth, sets, strict=True)], rows["speaker"]
            ),
            "set_size": over_speakers([len(one) for one in sets], rows["speaker"]),
            "answered": over_speakers(given, rows["speaker"]),
        }
        weights = speaker_weights(rows["speaker"])
        expected["error_answered"] = np.average(~right[given], weights=weights[given])
        for measure, value in expected.items():
            assert cell(found, "emotion", measure) == pytest.approx(value), measure
        assert right.mean() != pytest.approx(expected["accuracy"], abs=1e-4)

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_calibration_is_that_of_the_metrics_where_speakers_have_as_many(self, model, when):
        found = assess(model, X[TEST], Y.iloc[TEST], n_resamples=2)
        asked = model.estimator_ if when == "before" else model
        probabilities, labels = asked.predict_proba(X[TEST])[2], model.classes_[2]
        truth = Y["emotion"].iloc[TEST]
        value = expected_calibration_error(truth, probabilities, labels)
        assert cell(found, "emotion", f"ece_{when}") == pytest.approx(value)
        value = brier_score(truth, probabilities, labels)
        assert cell(found, "emotion", f"brier_{when}") == pytest.approx(value)

    def test_measures_of_numbers(self, model, found):
        truth, who = Y["age"].iloc[RAGGED].to_numpy(), Y["speaker"].iloc[RAGGED]
        answers = model.predict(X[RAGGED])["age"].to_numpy()
        limits = model.predict_interval(X[RAGGED], 0.9)
        low, high = (limits[f"age_{side}"].to_numpy() for side in ("low", "high"))
        expected = {
            "mae": over_speakers(np.abs(answers - truth), who),
            "interval_coverage": over_speakers((low <= truth) & (truth <= high), who),
            "interval_width": over_speakers(high - low, who),
        }
        for measure, value in expected.items():
            assert cell(found, "age", measure) == pytest.approx(value), measure

    def test_intervals_that_are_endless_have_no_interval(self, model):
        found = assess(model, X[TEST], Y.iloc[TEST], confidence=0.99, n_resamples=20)
        assert cell(found, "age", "interval_width") == np.inf
        assert np.isnan(cell(found, "age", "interval_width", column="low"))
        assert cell(found, "age", "interval_coverage") == 1

    def test_several_known_recordings(self, model):
        found = assess(model, X[TEST], Y.iloc[TEST], n_known=2, n_resamples=5)
        ratio = model.likelihood_ratio_
        who = Y["speaker"].iloc[TEST]
        trials = ratio.trials(model.transform(X[TEST]), who, n_known=2)
        value = cllr(trials.scores, trials.same, trials.weights)
        assert cell(found, "speaker", "cllr") == pytest.approx(value)
        assert found.bounds != ratio.bounds_


class TestGroups:
    def test_groups_make_up_the_whole(self, found):
        table = found.table
        for by, task, measure in (
            ("gender", "emotion", "accuracy"),
            ("age", "gender", "brier_after"),
            ("language", "age", "mae"),
        ):
            chosen = (table["task"] == task) & (table["measure"] == measure)
            parts, whole = table[chosen & (table["by"] == by)], cell(found, task, measure)
            assert parts["n"].sum() == len(RAGGED)
            # Each speaker is in one group.
            assert parts["speakers"].sum() == N_SPEAKERS - N_TRAINED
            mean = np.average(parts["value"], weights=parts["speakers"])
            assert mean == pytest.approx(whole)

    def test_bands_are_those_of_the_package(self, found):
        ages = set(found.table.loc[found.table["by"] == "age", "group"])
        assert ages <= {f"{start} to {start + 9}" for start in range(0, 100, 10)}
        assert len(ages) >= 3

    def test_a_column_that_is_no_task_groups_and_others_do_not(self, model, found):
        assert "language" in set(found.table["by"])
        assert "language" not in set(found.table["task"])
        one = assess(model, X[TEST], Y.iloc[TEST], by=["gender", "nothing"], n_resamples=2)
        assert set(one.table["by"]) == {"", "gender"}

    def test_calibration_is_not_judged_in_a_group_of_the_truth(self, found):
        own = found.table[(found.table["task"] == "emotion") & (found.table["by"] == "emotion")]
        assert "accuracy" in set(own["measure"])
        assert not own["measure"].str.startswith("ece").any()

    def test_differences_are_the_group_less_the_rest(self, found):
        parts = [cell(found, "emotion", "accuracy", group) for group in ("f", "m")]
        less = cell(found, "emotion", "accuracy", "f", table="differences")
        assert less == pytest.approx(parts[0] - parts[1])
        assert less != 0
        sides = [
            [
                cell(found, "emotion", "accuracy", group, column=side, table="differences")
                for side in ("low", "high")
            ]
            for group in ("f", "m")
        ]
        assert sides[0] == pytest.approx([-bound for bound in sides[1][::-1]], abs=1e-9)
        assert set(found.differences["other"]) == {"the rest"}

    def test_a_group_of_one_speaker_has_values_but_no_interval(self, model):
        y = Y.iloc[TEST].assign(language=np.where(np.arange(len(TEST)) < OF_EACH, "ar", "de"))
        found = assess(model, X[TEST], y, by=["language"], n_resamples=20)
        for task, measure in (("gender", "accuracy"), ("speaker", "misleading_same")):
            assert np.isfinite(cell(found, task, measure, "ar"))
            assert cell(found, task, measure, "ar", column="speakers") == 1
            for side in ("low", "high"):
                assert np.isnan(cell(found, task, measure, "ar", column=side))
                bound = cell(found, task, measure, "ar", column=side, table="differences")
                assert np.isnan(bound)
        assert np.isnan(cell(found, "speaker", "cllr", "ar"))


class TestIntervals:
    def test_they_hold_the_value(self, found):
        known = found.table.dropna(subset=["low", "high"])
        assert len(known) > 50
        assert (known["low"] <= known["value"] + 1e-9).all()
        assert (known["value"] <= known["high"] + 1e-9).all()
        whole = known[known["group"] == ""]
        assert {"cllr", "eer", "accuracy", "ece_after", "mae"} <= set(whole["measure"])

    def test_shares_stay_between_0_and_1(self, found):
        shares = found.table["measure"].isin(["accuracy", "set_coverage", "eer", "answered"])
        known = found.table[shares]
        assert not (known["low"] < 0).any()
        assert not (known["high"] > 1).any()

    def test_all_right_has_a_bound_still(self):
        # Seven times 1 / 49 and the like do not sum to 1 to the last digit.
        n, voices = 20, np.repeat(np.arange(20), np.arange(40, 60))
        truth = np.repeat("a", len(voices)).astype(object)
        told = {"g": TaskAnswers("classification", truth, truth)}
        names = np.array([f"s{k}" for k in range(n)], dtype=object)
        labels = pd.DataFrame(index=range(len(voices)))
        found = measured(None, told, labels, voices, names, None, 0.9, 0.1, 1, 50, 0)
        assert cell(found, "g", "accuracy", column="high") == 1
        # Clopper and Pearson, of 20: 1 - 0.025 ** (1 / 20) are wrong at most.
        low = cell(found, "g", "accuracy", column="low")
        assert low == pytest.approx(0.025 ** (1 / 20))

    def test_resamples_that_are_too_high_by_chance_are_moved(self):
        drawn = np.linspace(0.2, 0.4, 101)
        low, high = Estimate(0.25, drawn, 9, centred=True).bounds
        assert (low, high) == pytest.approx((0.155, 0.345))
        assert Estimate(0.05, drawn, 9, centred=True).bounds[0] == 0
        less = Estimate(0.05, drawn, 9, centred=True).less(Estimate(0.1, 0 * drawn, 9))
        assert less.bounds == pytest.approx((-0.145, 0.045))
        assert Estimate(0.25, drawn, 9).bounds == pytest.approx((0.205, 0.395))

    def test_measures_that_are_moved(self, found):
        moved = ["ece_before", "ece_after", "cllr_min", "cllr_cal"]
        trials, voices = found.trials, found.voices
        (drawn,) = unit_draws(len(found.names), 200, 0)
        rows = np.arange(len(trials.same))
        made = Comparisons(trials, voices).measured(rows, drawn).estimates
        every = np.ones(len(voices), dtype=bool)
        made |= measure_answers(found.answers["emotion"], every, voices, drawn, own=False).estimates
        assert {name for name, one in made.items() if one.centred} == set(moved)

    def test_the_same_draws_by_a_slow_loop(self):
        """Each resample is made of trials that are written down as often as they count."""
        rng = np.random.default_rng(0)
        voices = np.repeat(np.arange(6), [1, 2, 3, 4, 2, 3])
        first, second = np.triu_indices(len(voices), k=1)
        same = voices[first] == voices[second]
        scores = rng.normal(size=len(first)).round(1) + same
        trials = Trials(scores, same, first, second)
        (drawn,) = unit_draws(6, 40, 0)
        made = Comparisons(trials, voices).measured(np.arange(len(first)), drawn).estimates
        base = trial_weights(voices[first], voices[second])
        for place, times in enumerate(drawn):
            pair = times[voices[first]] * np.where(same, 1, times[voices[second]])
            weights = base * pair
            for name, function in (
                ("cllr", cllr),
                ("cllr_min", cllr_min),
                ("cllr_cal", cllr_cal),
                ("eer", equal_error_rate),
                ("min_dcf", lambda s, t, w: min_dcf(s, t, sample_weight=w)),
                ("misleading_same", lambda s, t, w: np.average(s[t] < 0, weights=w[t])),
                ("misleading_different", lambda s, t, w: np.average(s[~t] > 0, weights=w[~t])),
            ):
                kept = weights > 0
                expected = function(scores[kept], same[kept], weights[kept])
                assert made[name].drawn[place] == pytest.approx(expected, abs=1e-9), name

    def test_the_same_draws_of_answers_by_a_slow_loop(self):
        rng = np.random.default_rng(0)
        voices = np.repeat(np.arange(6), [1, 2, 3, 4, 2, 3])
        n = len(voices)
        truth = rng.choice(["a", "b"], n).astype(object)
        probabilities = rng.dirichlet([1, 1], n)
        predicted = np.array(["a", "b"], dtype=object)[probabilities.argmax(axis=1)]
        sets = np.empty(n, dtype=object)
        sets[:] = [("a",) if k % 2 else ("a", "b") for k in range(n)]
        told = TaskAnswers(
            *("classification", truth, predicted),
            labels=np.array(["a", "b"], dtype=object),
            before=probabilities,
            after=probabilities,
            sets=sets,
            answered=np.arange(n) % 3 > 0,
        )
        (drawn,) = unit_draws(6, 40, 0)
        held = np.ones(n, dtype=bool)
        made = measure_answers(told, held, voices, drawn, own=False).estimates
        right = predicted == truth
        for place, times in enumerate(drawn):
            rows = np.concatenate(
                [np.flatnonzero(voices == k) for k in np.repeat(range(6), times.astype(int))]
            )
            speakers = np.repeat(np.arange(6), [1, 2, 3, 4, 2, 3])[rows]
            weights = 1 / np.bincount(voices)[speakers]
            assert made["accuracy"].drawn[place] == pytest.approx(
                np.average(right[rows], weights=weights)
            )
            given = told.answered[rows]
            if given.any():
                assert made["error_answered"].drawn[place] == pytest.approx(
                    np.average(~right[rows][given], weights=weights[given])
                )
            sure, bins = probabilities[rows].max(axis=1), np.zeros(15)
            for row, confidence, weight in zip(rows, sure, weights, strict=True):
                edge = min(int(np.ceil(confidence * 15)) - 1, 14)
                bins[edge] += weight * (right[row] - confidence)
            error = np.abs(bins).sum() / weights.sum()
            assert made["ece_after"].drawn[place] == pytest.approx(error)

    def test_many_ratios_are_told_apart_well_enough(self):
        rng = np.random.default_rng(0)
        voices = np.repeat(np.arange(20), 40)
        first, second = np.triu_indices(len(voices), k=1)
        same = voices[first] == voices[second]
        scores = rng.normal(size=len(first)) + 2.5 * same
        assert len(np.unique(scores)) > 10 * LEVELS
        trials = Trials(scores, same, first, second)
        every = np.ones((1, 20))
        made = Comparisons(trials, voices).measured(np.arange(len(first)), every).estimates
        for name, apart in (("cllr", 1e-12), ("cllr_min", 1e-3), ("eer", 1e-3), ("min_dcf", 1e-3)):
            assert made[name].drawn[0] == pytest.approx(made[name].value, abs=apart), name

    def test_many_speakers_are_counted_as_few_are(self, monkeypatch):
        rng = np.random.default_rng(0)
        voices = np.repeat(np.arange(8), 4)
        first, second = np.triu_indices(len(voices), k=1)
        same = voices[first] == voices[second]
        trials = Trials(rng.normal(size=len(first)) + same, same, first, second)
        (drawn,) = unit_draws(8, 30, 0)
        rows = np.arange(len(first))
        dense = Comparisons(trials, voices).measured(rows, drawn).estimates
        monkeypatch.setattr("sfmforensics.metrics._weights.AT_ONCE", 1000)
        sparse = Comparisons(trials, voices).measured(rows, drawn).estimates
        for name, one in dense.items():
            np.testing.assert_allclose(sparse[name].drawn, one.drawn, atol=1e-12)

    def test_draws_are_of_the_seed_and_touch_no_other(self, model, found):
        state = np.random.get_state()[1].copy()  # noqa: NPY002
        again = assess(model, X[RAGGED], Y.iloc[RAGGED], n_resamples=200)
        pd.testing.assert_frame_equal(again.table, found.table)
        pd.testing.assert_frame_equal(again.differences, found.differences)
        assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
        other = assess(model, X[RAGGED], Y.iloc[RAGGED], n_resamples=200, random_state=1)
        assert not np.allclose(other.table["low"], found.table["low"], equal_nan=True)

    def test_the_order_of_the_recordings_does_not_matter(self, model, found):
        mixed = np.random.default_rng(0).permutation(RAGGED)
        other = assess(model, X[mixed], Y.iloc[mixed], n_resamples=200)
        columns = ["value", "low", "high", "n", "speakers"]
        # A network's answers differ by rounding with the rows beside them.
        np.testing.assert_allclose(other.table[columns], found.table[columns], rtol=1e-3, atol=2e-3)


class TestWhatIsMissing:
    def test_recordings_without_a_label_do_not_count(self, model):
        y = Y.iloc[TEST].reset_index(drop=True)
        y.loc[:9, "emotion"] = None
        y.loc[:4, "age"] = np.nan
        found = assess(model, X[TEST], y, n_resamples=10)
        assert cell(found, "emotion", "accuracy", column="n") == len(TEST) - 10
        assert cell(found, "age", "mae", column="n") == len(TEST) - 5
        assert cell(found, "gender", "accuracy", column="n") == len(TEST)

    @pytest.mark.parametrize("groups", [None, "copies"])
    def test_recordings_of_nobody_known_are_left_out(self, model, groups):
        y = Y.iloc[TEST].reset_index(drop=True)
        unknown = np.isin(np.arange(len(TEST)), [20, 21, 25])
        y.loc[unknown, "speaker"] = None
        copies = None if groups is None else np.arange(len(TEST))
        found = assess(model, X[TEST], y, groups=copies, n_resamples=10)
        kept = None if groups is None else copies[~unknown]
        given = assess(model, X[TEST][~unknown], y[~unknown], groups=kept, n_resamples=10)
        columns = ["value", "low", "high", "n", "speakers"]
        np.testing.assert_allclose(found.table[columns], given.table[columns], atol=1e-5)
        assert len(found.voices) == len(found.labels) == len(TEST) - 3
        with pytest.raises(TargetError, match="no recording has a speaker"):
            assess(model, X[TEST], y.assign(speaker=None))

    def test_a_copy_of_a_recording_that_is_named_is_named(self, model):
        y, copies = Y.iloc[TEST].reset_index(drop=True), np.arange(len(TEST))
        y.loc[20, "speaker"], copies[20] = None, 0
        found = assess(model, X[TEST], y, groups=copies, n_resamples=10)
        assert found.voices[20] == found.voices[0]

    def test_groups_that_are_the_speakers_are_no_copies(self, model):
        given = assess(model, X[TEST], Y.iloc[TEST], n_resamples=10)
        who = Y["speaker"].iloc[TEST].to_numpy()
        found = assess(model, X[TEST], Y.iloc[TEST], groups=who, n_resamples=10)
        pd.testing.assert_frame_equal(found.table, given.table)

    def test_targets_of_one_column(self):
        who, target = Y["speaker"].to_numpy(), Y["emotion"].to_numpy()
        tango = TANGO(encoder="tokens", max_epochs=5, random_state=0)
        model = CalibratedModel(tango, random_state=0).fit(X[TRAIN], target[TRAIN], who[TRAIN])
        found = assess(model, X[TEST], target[TEST], groups=who[TEST], n_resamples=10)
        right = (model.predict(X[TEST]) == target[TEST]).mean()
        assert cell(found, "y", "accuracy") == pytest.approx(right)
        assert "speaker" in set(found.table["task"])

    def test_a_label_that_the_model_does_not_know_is_wrong(self, model):
        y = Y.iloc[TEST].assign(emotion="bored")
        found = assess(model, X[TEST], y, n_resamples=10)
        assert cell(found, "emotion", "accuracy") == 0
        assert cell(found, "emotion", "set_coverage") == 0
        assert cell(found, "emotion", "brier_after") > 1

    def test_tasks_that_the_targets_lack_are_left_out(self, model):
        found = assess(model, X[TEST], Y.loc[TEST, ["speaker", "age"]], n_resamples=10)
        assert set(found.table["task"]) == {"speaker", "age"}

    def test_without_a_column_of_speakers_groups_say_who_speaks(self, model):
        y, who = Y.iloc[TEST].drop(columns="speaker"), Y["speaker"].iloc[TEST]
        found = assess(model, X[TEST], y, groups=who, n_resamples=10)
        given = assess(model, X[TEST], Y.iloc[TEST], n_resamples=10)
        pd.testing.assert_frame_equal(found.table, given.table)
        with pytest.raises(TargetError, match="no column 'speaker', and no groups"):
            assess(model, X[TEST], y)

    def test_copies_are_one_recording_and_join_speakers(self, model):
        copies = np.arange(len(TEST))
        copies[OF_EACH] = 0  # of the second speaker: a copy of the first's
        found = assess(model, X[TEST], Y.iloc[TEST], groups=copies, n_resamples=10)
        assert cell(found, "gender", "accuracy", column="speakers") == N_SPEAKERS - N_TRAINED - 1
        pairs = set(zip(found.trials.first, found.trials.second, strict=True))
        assert (0, OF_EACH) not in pairs
        assert (1, OF_EACH) in pairs

    def test_a_model_without_representation_compares_no_voices(self, plain):
        found = assess(plain, X[TEST], Y.iloc[TEST], n_resamples=10)
        assert found.trials is None
        assert found.bounds is None
        assert set(found.table["task"]) == {"gender", "emotion", "age"}

    def test_a_model_without_probabilities_has_its_accuracy(self):
        parts = PerTask(LinearSVC(), Ridge())
        model = CalibratedModel(parts, random_state=0).fit(X[TRAIN], Y.loc[TRAIN, TASKS])
        found = assess(model, X[TEST], Y.iloc[TEST], n_resamples=10)
        of_gender = found.table[(found.table["task"] == "gender") & (found.table["group"] == "")]
        assert of_gender["measure"].tolist() == ["accuracy"]
        right = (model.predict(X[TEST])["gender"].to_numpy() == Y["gender"].iloc[TEST]).mean()
        assert of_gender["value"].iloc[0] == pytest.approx(right)

    def test_a_frozen_pipeline_is_asked_as_any_other(self, model):
        scale = StandardScaler(with_mean=False, with_std=False).fit(X)
        frozen = FrozenEstimator(Pipeline([("scale", scale), ("model", model.estimator_)]))
        rows = model.calibration_rows_
        calibrated = CalibratedModel(frozen).fit(X[rows], Y.loc[rows, TASKS])
        found = assess(calibrated, X[TEST], Y.iloc[TEST], n_resamples=10)
        assert set(found.table["task"]) == set(TASKS)

    def test_nothing_that_the_model_answers(self, plain):
        with pytest.raises(TargetError, match="none of the tasks"):
            assess(plain, X[TEST], Y.loc[TEST, ["speaker", "language"]])

    @pytest.mark.parametrize(
        "settings", [{"n_known": 0}, {"n_resamples": 0}, {"confidence": 1.0}, {"risk": -0.1}]
    )
    def test_settings_that_mean_nothing(self, plain, settings):
        with pytest.raises(ParameterError):
            assess(plain, X[TEST], Y.iloc[TEST], **settings)

    def test_the_model_stays_as_it_was(self, plain):
        before = plain.estimator_
        assess(plain, X[TEST], Y.iloc[TEST], n_resamples=2)
        assert plain.estimator_ is before

    def test_recordings_become_vectors_once(self, model, monkeypatch):
        asked = []
        for name in ("predict", "predict_proba", "transform"):

            def counting(self, X, name=name, method=getattr(TANGO, name)):
                asked.append(name)
                return method(self, X)

            monkeypatch.setattr(TANGO, name, counting)
        assess(model, X[TEST], Y.iloc[TEST], n_resamples=2)
        assert sorted(asked) == ["predict", "predict_proba", "transform"]


class TestPooling:
    @pytest.fixture(scope="class")
    def halves(self, model):
        sides = TEST[: 7 * OF_EACH], TEST[7 * OF_EACH :]
        return [assess(model, X[rows], Y.iloc[rows], n_resamples=20) for rows in sides]

    def test_answers_are_those_of_all(self, model, halves):
        pooled = pool_assessments(halves, n_resamples=20)
        whole = assess(model, X[TEST], Y.iloc[TEST], n_resamples=20)
        assert pooled.known_speakers == ()
        assert pooled.bounds == whole.bounds
        columns = ["value", "low", "high", "n", "speakers"]
        sides = [found.table[found.table["task"] != "speaker"] for found in (pooled, whole)]
        np.testing.assert_allclose(*(side[columns] for side in sides), rtol=1e-3, atol=2e-3)

    def test_speakers_of_two_parts_are_not_compared(self, halves):
        pooled = pool_assessments(halves, n_resamples=20)
        counts = [cell(part, "speaker", "cllr", column="n") for part in (pooled, *halves)]
        assert counts[0] == counts[1] + counts[2]
        trials = pooled.trials
        assert ((pooled.voices[trials.first] < 7) == (pooled.voices[trials.second] < 7)).all()
        assert set(trials.first) | set(trials.second) == set(range(len(TEST)))
        who = pooled.names[pooled.voices]
        assert ((who[trials.first] == who[trials.second]) == trials.same).all()

    def test_a_task_of_one_part_is_missing_in_the_other(self, model, halves):
        rows = TEST[: 7 * OF_EACH]
        other = assess(model, X[rows], Y.iloc[rows].drop(columns=["age", "emotion"]))
        pooled = pool_assessments([other, halves[1]], n_resamples=20)
        assert cell(pooled, "age", "mae") == pytest.approx(cell(halves[1], "age", "mae"))
        assert cell(pooled, "emotion", "ece_after") == pytest.approx(
            cell(halves[1], "emotion", "ece_after")
        )

    def test_what_cannot_be_pooled(self, model, halves):
        with pytest.raises(ParameterError, match="a speaker in two"):
            pool_assessments([halves[0], halves[0]])
        with pytest.raises(ParameterError, match="0 assessments"):
            pool_assessments([])
        rows = TEST[: 7 * OF_EACH]
        other = assess(model, X[rows], Y.iloc[rows], risk=0.2, n_resamples=2)
        with pytest.raises(ParameterError, match="2 different settings"):
            pool_assessments([other, halves[1]])
