"""Who is trained with and who calibrates, and what is promised for it."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from sfmforensics import PerTask
from sfmforensics.evidence import ANY_OTHER, CalibratedModel, assess
from sfmforensics.evidence._calibration_speakers import draw_sides, voices_of
from sfmforensics.exceptions import EvidenceWarning, SplitWarning, TargetError

N_OWN, N_NEW, CONFIDENCE = 57, 40, 0.9
NEAREST = {"classifier": KNeighborsClassifier(1), "regressor": KNeighborsRegressor(1)}


class Spy(PerTask):
    """Remembers what it was trained with, and says how probable classes are."""

    def fit(self, X, y, **options):
        self.trained_ = np.asarray(X)[:, 0].astype(int), y
        return super().fit(X, y, **options)

    def predict_proba(self, X):
        X = self._scaled(np.asarray(X))
        return [model.predict_proba(X) for model in self.estimators_ if hasattr(model, "classes_")]


def spied(**options):
    return CalibratedModel(Spy(LogisticRegression(), KNeighborsRegressor(1)), **options)


def world(seed, each=8):
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(N_OWN + N_NEW), each)
    age = rng.uniform(20, 60, N_OWN + N_NEW)[who]
    own = 2 * rng.normal(size=(N_OWN + N_NEW, 6))
    X = own[who] + 0.3 * rng.normal(size=(len(who), 6))
    X[:, 0] += age / 10
    return rng, who, X, age


def near_what_was_asked(found, also_above=True):
    error = np.std(found) / np.sqrt(len(found))
    low, high = CONFIDENCE - 3.5 * error, CONFIDENCE + 3.5 * error
    return low <= np.mean(found) and (np.mean(found) <= high or not also_above)


@pytest.mark.filterwarnings("ignore::sfmforensics.exceptions.SplitWarning")
@pytest.mark.parametrize(
    ("share", "options"), [*((share, NEAREST) for share in (0, 0.1, 0.3, 0.5)), (0.5, {})]
)
def test_intervals_hold_for_new_speakers_however_many_rows_have_no_speaker(share, options):
    covered = []
    for seed in range(30):
        rng, who, X, age = world(seed)
        own = who < N_OWN
        names = np.array([f"s{one}" for one in who], dtype=object)
        names[rng.random(len(names)) < share] = None
        y = pd.DataFrame({"speaker": names, "age": age})
        model = CalibratedModel(PerTask(**options), random_state=seed).fit(X[own], y[own])
        found = model.predict_interval(X[~own], CONFIDENCE)
        covered.append(np.mean((found["age_low"] <= age[~own]) & (age[~own] <= found["age_high"])))
    assert near_what_was_asked(covered)


@pytest.mark.parametrize("share", [0, 0.1, 0.2])
@pytest.mark.filterwarnings("ignore::sfmforensics.exceptions.EvidenceWarning")
def test_sets_hold_for_new_speakers_however_many_have_a_label_of_their_own(share):
    covered = []
    for seed in range(30):
        rng, who, X, _ = world(seed, each=3)
        label = rng.integers(0, 3, N_OWN + N_NEW).astype(str).astype(object)
        X[:, 1:4] += 2 * np.eye(4)[:, :3][label.astype(int)][who]
        alone = np.flatnonzero(rng.random(len(label)) < share)
        label[alone] = [f"own {one}" for one in alone]
        y = pd.DataFrame({"speaker": who.astype(str), "accent": label[who]}).astype(object)
        own, truth = who < N_OWN, label[who][who >= N_OWN]
        sets = spied(random_state=seed).fit(X[own], y[own]).predict_set(X[~own], CONFIDENCE)
        pairs = zip(truth, sets["accent"], strict=True)
        covered.append(np.mean([true in one or ANY_OTHER in one for true, one in pairs]))
    # That too many have labels of their own is known of few: then sets are of anything.
    assert near_what_was_asked(covered, also_above=not share)


@pytest.fixture
def table():
    """X, whose first column is the row, and targets."""
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(24), 4)
    X = np.column_stack([np.arange(96), rng.normal(size=(24, 3))[who]])
    y = pd.DataFrame(
        {
            "speaker": [f"s{one}" for one in who],
            "accent": np.where(who % 2, "north", "south"),
            "age": 20.0 + who,
        }
    )
    return X, y.astype({"speaker": object, "accent": object})


@pytest.mark.parametrize("calibration", [1 / 3, 3])
def test_a_recording_without_a_speaker_is_on_neither_side_and_is_counted(calibration, table):
    X, y = table
    y.loc[::5, "speaker"] = None
    model = spied(calibration=calibration, random_state=0)
    with pytest.warns(SplitWarning, match="^20 of 96 recordings have no speaker; they are neither"):
        model.fit(X, y)
    assert model.left_out_rows_.tolist() == list(range(0, 96, 5))
    for used in (model.estimator_.trained_[0], model.calibration_rows_):
        assert not set(used) & set(model.left_out_rows_)
    trained = set(y["speaker"].iloc[model.estimator_.trained_[0]])
    calibrated = set(y["speaker"].iloc[model.calibration_rows_])
    assert trained | calibrated == set(y["speaker"].dropna())
    assert bool(trained & calibrated) == (calibration == 3)
    frozen = CalibratedModel(FrozenEstimator(model.estimator_))
    with pytest.warns(SplitWarning, match="20 of 96 recordings"):
        frozen.fit(X, y)
    assert frozen.calibration_rows_.tolist() == sorted(set(range(96)) - set(range(0, 96, 5)))


def test_where_everybody_has_a_name_nothing_is_left_out_or_said(table):
    X, y = table
    with warnings.catch_warnings():
        warnings.simplefilter("error", SplitWarning)
        model = spied(random_state=0).fit(X, y)
    assert model.left_out_rows_.tolist() == []
    assert len(model.estimator_.trained_[0]) + len(model.calibration_rows_) == 96


def test_a_copy_of_a_named_recording_is_of_that_speaker(table):
    X, y = table
    y.loc[[1, 50, 51], "speaker"] = None
    copies = np.arange(96)
    copies[1] = copies[90]  # nobody said that row 1 is of s22
    copies[50] = copies[51]  # two of nobody known
    for seed in range(4):
        model = spied(random_state=seed)
        with pytest.warns(SplitWarning, match="^2 of 96"):
            model.fit(X, y, groups=copies)
        assert model.left_out_rows_.tolist() == [50, 51]
        assert (1 in model.calibration_rows_) == (90 in model.calibration_rows_)
        assert (1 in model.estimator_.trained_[0]) == (90 in model.estimator_.trained_[0])


def test_who_alone_has_a_label_is_kept_back_as_often_as_anybody(table):
    _, y = table
    y.loc[y["speaker"] == "s7", "accent"] = "east"
    voices, rng = voices_of(y, "speaker", None), np.random.RandomState(0)
    counts = np.zeros(24)
    for _ in range(400):
        ((_, held),) = draw_sides(y, voices, 1 / 3, rng)
        counts[np.unique(voices[held])] += 1
    deviation = np.sqrt(400 * 2 / 9)
    assert np.abs(counts - 400 / 3).max() < 4 * deviation


def of_their_own(y, n):
    """The last speakers have an accent of their own each."""
    names = [f"s{one}" for one in range(24 - n, 24)]
    own = y["speaker"].isin(names)
    return y.assign(accent=y["accent"].where(~own, "of " + y["speaker"])), names


def test_labels_that_training_has_not_are_told_of_and_count_as_wrong(table):
    X, table_ = table
    y, names = of_their_own(table_, 4)
    for seed in range(20):
        model = spied(calibration=0.5, random_state=seed)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", EvidenceWarning)
            model.fit(X, y)
        told = [str(one.message) for one in said if "accent" in str(one.message)]
        unheard = set(names) & set(y["speaker"].iloc[model.calibration_rows_])
        if not unheard:
            assert not told
            continue
        limit = (12 - len(unheard)) / 13
        assert told[0].startswith(f"{len(unheard)} of 12 speakers who calibrate have a label of")
        assert f"{np.floor(1000 * limit) / 10:.1f} %" in told[0]
        within, beyond = (model.predict_set(X, limit + add)["accent"] for add in (-1e-6, 1e-6))
        labels = list(model.classes_[1])
        assert not any(ANY_OTHER in one for one in within)
        assert all(one[-1] == ANY_OTHER and sorted(one[:-1]) == labels for one in beyond)
        held = model._held["accent"]
        wrong = np.isinf(held.scores)
        assert wrong.sum() == 4 * len(unheard)
        assert not held.correct[wrong].any()
        options = {"confidence": limit - 1e-6, "n_resamples": 2, "allow_known_speakers": True}
        told = assess(model, X, y, **options).answers["accent"]
        unknown = ~np.isin(told.truth, labels)
        assert unknown.sum() == 4 * len(unheard)
        assert (told.places[unknown] == -1).all()


def test_an_assessment_counts_a_truth_that_the_model_does_not_know(table):
    X, y = table
    model = spied(calibration=0.5, random_state=0).fit(X, y)
    others = y.assign(accent=["east"] * 48 + y["accent"].tolist()[48:], speaker="t" + y["speaker"])
    found = assess(model, X, others, confidence=0.8, n_resamples=2).table
    whole = found[(found["task"] == "accent") & (found["by"] == "")].set_index("measure")
    assert (whole["n"] == 96).all()
    right = (model.predict(X)["accent"] == others["accent"]).mean()
    assert whole.loc["accuracy", "value"] == pytest.approx(right)
    assert right <= 0.5
    assert whole.loc["set_coverage", "value"] <= 0.5
    assert whole.loc["brier_before", "value"] > 0.5


@pytest.mark.parametrize("calibration", [0.5, 4])
def test_where_nothing_can_be_learnt_or_calibrated_it_is_said(calibration, table):
    X, y = table
    first = y["speaker"] == "s0"
    alone = [
        (y.assign(accent=np.where(first, "north", None)), "with no label of 'accent'"),
        (y.assign(age=np.where(first, 30.0, np.nan)), "with no label of 'age'"),
        (y.assign(accent=np.where(first, "north", "south")), "with one label of 'accent', 'south'"),
        (y.assign(accent=y["speaker"]), "no speaker who calibrates has a label of 'accent' that"),
    ]
    for labels, says in alone:
        refused = set()
        for seed in range(6):
            model = spied(calibration=calibration, random_state=seed)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", EvidenceWarning)
                    model.fit(X, labels.astype({"accent": object}))
            except TargetError as error:
                refused.add(str(error))
        assert refused, says
        assert all(says in one or "no speaker kept back" in one for one in refused)
        assert any(says in one for one in refused)
        assert not any("\n" in one for one in refused)


def test_folds_whose_models_know_different_labels_are_put_together(table):
    X, table_ = table
    y, _ = of_their_own(table_, 6)
    model = spied(calibration=4, random_state=0)
    with pytest.warns(EvidenceWarning, match="^6 of 24 speakers who calibrate have a label"):
        model.fit(X, y)
    held = model._held["accent"]
    assert np.isinf(held.scores).sum() == 24
    assert np.isfinite(held.confidence).all()
    assert 0 < model.temperatures_["accent"] < 20
    assert len(model.classes_[1]) == 8


def test_groups_of_nobody_known_are_on_neither_side():
    """A corpus says "" where nobody knows the speaker: that is no voice, shared by all of them."""
    rng, who, X, age = world(0)
    names = np.array([f"s{number}" for number in who], dtype=object)
    names[rng.uniform(size=len(names)) < 0.5] = ""
    target = pd.DataFrame({"age": age})
    model = CalibratedModel(PerTask(**NEAREST), random_state=0)
    with pytest.warns(SplitWarning, match="have no speaker"):
        model.fit(X, target, groups=names)
    assert model.left_out_rows_.tolist() == np.flatnonzero(names == "").tolist()
    assert voices_of(target, "speaker", names).min() == -1


def test_a_fitted_model_that_is_calibrated_by_its_own_speakers_says_so():
    _, who, X, age = world(1)
    target = pd.DataFrame({"speaker": who.astype(str), "age": age})
    fitted = spied().estimator.fit(X[:80], target[:80])
    with pytest.warns(EvidenceWarning, match="have names that the fitted model knows"):
        CalibratedModel(FrozenEstimator(fitted)).fit(X[:80], target[:80])


@pytest.mark.filterwarnings("ignore::sfmforensics.exceptions.SplitWarning")
def test_names_are_known_also_as_floats_and_as_groups():
    _, who, X, age = world(2)
    target = pd.DataFrame({"speaker": who, "age": age})[:200]
    model = spied(random_state=0).fit(X[:200], target)
    with_gap = target.copy()
    with_gap.loc[0, "speaker"] = None  # which makes floats of the others
    with pytest.raises(TargetError, match="have names that the model knows"):
        assess(model, X[:200], with_gap)
    with pytest.raises(TargetError, match="have names that the model knows"):
        assess(model, X[:200], target[["age"]], groups=target["speaker"])
