import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sfmforensics import TANGO, PerTask
from sfmforensics.evidence import PLDA, CalibratedModel, LikelihoodRatio
from sfmforensics.evidence._calibration_speakers import draw_sides, voices_of
from sfmforensics.evidence._posteriors import scale
from sfmforensics.exceptions import EvidenceWarning, ParameterError, TargetError
from sfmforensics.saving._calibration import calibrated_from, calibration_state

pytestmark = pytest.mark.slow

N_SPEAKERS, EACH = 30, 6


def small(**options):
    return TANGO(
        encoder="tokens",
        n_tokens=2,
        token_dim=8,
        hidden=(8,),
        random_state=0,
        **{"max_epochs": 4} | options,
    )


@parametrize_with_checks(
    [
        CalibratedModel(small(), speaker=None, random_state=0),
        CalibratedModel(small(tasks="classification", max_epochs=60), speaker=None, random_state=0),
        CalibratedModel(
            small(tasks="regression", max_epochs=60), calibration=2, speaker=None, random_state=0
        ),
    ]
)
@pytest.mark.filterwarnings("ignore::sfmforensics.exceptions.EvidenceWarning")
def test_scikit_learn_accepts_it(estimator, check):
    name = check.func.__name__  # of a few of them it matters how good the model is
    if not any(part in name for part in ("_train", "_classes", "class_weight")):
        estimator = clone(estimator).set_params(estimator__max_epochs=4)
    check(estimator)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(N_SPEAKERS), EACH)
    age = rng.uniform(20, 60, N_SPEAKERS)[speaker]
    sex = np.where(speaker % 2, "m", "f")
    X = rng.normal(size=(N_SPEAKERS, 10))[speaker] + 0.5 * rng.normal(size=(len(speaker), 10))
    X[:, 0] += age / 8
    X[:, 1] += 5.0 * (speaker % 2)
    y = pd.DataFrame({"speaker": [f"s{s}" for s in speaker], "age": age, "sex": sex})
    return X.astype(np.float32), y.astype({"speaker": object, "sex": object})


@pytest.fixture(scope="module")
def fitted(data):
    return CalibratedModel(small(max_epochs=20), random_state=0).fit(*data)


class Spy(PerTask):
    """Remembers what it was trained with."""

    def fit(self, X, y, **options):
        self.trained_ = np.asarray(X), y
        return super().fit(X, y, **options)


def test_speakers_who_are_kept_back_are_never_trained_with(data):
    X, y = data
    for seed in range(5):
        model = CalibratedModel(Spy(LogisticRegression()), random_state=seed)
        model.fit(X, y[["speaker", "sex"]])
        told, labels = model.estimator_.trained_
        held = y["speaker"].iloc[model.calibration_rows_]
        assert not set(labels["speaker"]) & set(held)
        assert len(told) + len(held) == len(X)
        assert model.n_calibration_speakers_ == held.nunique() == N_SPEAKERS // 3
        assert set(labels["sex"]) == {"f", "m"}


def test_each_speaker_is_kept_back_as_often_as_each_other(data):
    y = data[1]
    rng, counts = np.random.RandomState(0), np.zeros(N_SPEAKERS)
    voices = voices_of(y, "speaker", None)
    for _ in range(300):
        ((_, held),) = draw_sides(y, voices, 1 / 3, rng)
        counts[np.unique(voices[held])] += 1
    assert np.abs(counts - 100).max() < 4 * np.sqrt(300 * 2 / 9)


def test_answers_are_those_of_the_estimator_and_probabilities_are_scaled(data, fitted):
    X, _ = data
    pd.testing.assert_frame_equal(fitted.predict(X), fitted.estimator_.predict(X))
    np.testing.assert_array_equal(fitted.transform(X), fitted.estimator_.transform(X))
    ours, theirs = fitted.predict_proba(X), fitted.estimator_.predict_proba(X)
    assert list(fitted.temperatures_) == ["sex"]
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-9)  # speakers
    np.testing.assert_allclose(ours[1], scale(theirs[1], fitted.temperatures_["sex"]))
    assert fitted.tasks_ == fitted.estimator_.tasks_
    assert [labels.tolist() for labels in fitted.classes_][1] == ["f", "m"]


def test_intervals_and_sets_widen_with_confidence(data, fitted):
    X, _ = data
    at = fitted.predict(X)["age"].to_numpy()
    widths, sizes = [], []
    for confidence in (0.5, 0.8, 10 / 11):
        interval = fitted.predict_interval(X, confidence)
        assert interval.columns.tolist() == ["age_low", "age_high"]
        assert ((interval["age_low"] <= at) & (at <= interval["age_high"])).all()
        assert (interval >= 0).all(axis=None)  # no age is below 0
        widths.append((interval["age_high"] - at).to_numpy())
        sets = fitted.predict_set(X, confidence)["sex"]
        sizes.append(sets.map(len).to_numpy())
        assert [chosen[0] for chosen in sets] == fitted.predict(X)["sex"].tolist()
    assert (np.diff(widths, axis=0) >= 0).all()
    assert (np.diff(sizes, axis=0) >= 0).all()
    assert np.isfinite(widths).all()
    beyond = fitted.predict_interval(X, 0.95)
    assert np.isinf(beyond["age_high"]).all()
    assert (fitted.predict_set(X, 0.95)["sex"].map(len) == 2).all()


@pytest.mark.parametrize("per_speaker", ["one", "all"])
def test_intervals_hold_for_speakers_never_heard(per_speaker):
    covered, within, confidence = [], [], 0.75
    for seed in range(25):
        rng = np.random.default_rng(seed)
        speaker = np.repeat(np.arange(60), 3)
        age = rng.uniform(20, 60, 60)[speaker]
        sex = np.where(rng.random(60) < 0.5, "m", "f")[speaker]
        X = rng.normal(size=(60, 4))[speaker] * 4 + rng.normal(size=(180, 4))
        X[:, 0] += age / 2
        X[:, 1] += 5 * (sex == "m")
        y = pd.DataFrame({"speaker": speaker.astype(str), "age": age, "sex": sex})
        y = y.astype({"speaker": object, "sex": object})
        heard = speaker < 30
        model = CalibratedModel(
            small(max_epochs=2), per_speaker=per_speaker, random_state=seed
        ).fit(X[heard], y[heard])
        interval = model.predict_interval(X[~heard], confidence)
        truth = y[~heard].reset_index(drop=True)
        low, high = interval["age_low"].to_numpy(), interval["age_high"].to_numpy()
        covered.append(np.mean((low <= truth["age"]) & (truth["age"] <= high)))
        sets = model.predict_set(X[~heard], confidence)["sex"]
        within.append(np.mean([t in s for t, s in zip(truth["sex"], sets, strict=True)]))
    for found in (covered, within):
        assert np.mean(found) >= confidence - 3 * np.std(found) / np.sqrt(25)


def test_one_recording_of_each_speaker_is_drawn_or_none(data):
    X, y = data
    by = {}
    for per_speaker in ("one", "all"):
        model = CalibratedModel(small(), per_speaker=per_speaker, random_state=0).fit(X, y)
        for held in model._held.values():
            n_drawn = np.bincount(np.unique(held.speakers[held.drawn], return_inverse=True)[1])
            assert len(n_drawn) == model.n_calibration_speakers_
            assert (n_drawn == (1 if per_speaker == "one" else EACH)).all()
        by[per_speaker] = model
    # Nothing else depends on it.
    assert by["one"].temperatures_ == by["all"].temperatures_
    assert by["one"].least_confidence("sex", 0.3) == by["all"].least_confidence("sex", 0.3)
    again = CalibratedModel(small(), random_state=0).fit(X, y)
    pd.testing.assert_frame_equal(
        again.predict_interval(X, 0.8), by["one"].predict_interval(X, 0.8)
    )
    with pytest.raises(ParameterError, match="per_speaker is 'some'"):
        CalibratedModel(small(), per_speaker="some").fit(X, y)


def test_an_interval_is_never_upside_down():
    rng = np.random.default_rng(0)
    X, speaker = rng.normal(size=(80, 4)), np.repeat(np.arange(20), 4)
    years = 10 + 2 * X[:, 0] + 0.1 * rng.normal(size=80)
    model = CalibratedModel(PerTask(regressor=LinearRegression()), random_state=0)
    model.fit(X, years, groups=speaker)
    beyond = X - 50  # far outside: a line answers with what cannot be
    assert (model.predict(beyond) < -50).all()
    found = model.predict_interval(beyond, 0.5)
    assert (found == 0).all(axis=None)


def test_of_calibration_speakers_answers_are_wrong_no_more_often_than_the_risk(data):
    X, y = data
    model = CalibratedModel(small(max_epochs=80), calibration=0.6, random_state=0).fit(X, y)
    held = model.calibration_rows_
    found = model.predict_or_abstain(X[held], 0.45)["sex"].to_numpy()
    answered = pd.notna(found)
    assert answered.mean() > 0.3
    # Each speaker has as many recordings as each other.
    assert np.mean(found[answered] != y["sex"].to_numpy()[held][answered]) <= 0.45


def test_who_abstains_says_nothing_and_else_what_the_model_says(data, fitted):
    X, _ = data
    said = fitted.predict(X)
    counts = []
    for risk in (0, 0.05, 0.2, 1):
        found = fitted.predict_or_abstain(X, risk)
        assert found.columns.tolist() == said.columns.tolist()
        pd.testing.assert_frame_equal(found[["speaker", "age"]], said[["speaker", "age"]])
        answered = found["sex"].notna().to_numpy()
        sure = fitted.predict_proba(X)[1].max(axis=1) >= fitted.least_confidence("sex", risk)
        np.testing.assert_array_equal(answered, sure)
        assert (found["sex"][answered] == said["sex"][answered]).all()
        counts.append(answered.sum())
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, len(X))
    for task in ("age", "speaker", "nothing"):
        with pytest.raises(TargetError, match="is no classification task that was calibrated"):
            fitted.least_confidence(task, 0.1)


def test_voices_are_compared_by_speakers_kept_back(data, fitted):
    X, y = data
    assert fitted.likelihood_ratio_.n_speakers_ == fitted.n_calibration_speakers_
    rows = np.flatnonzero(y["speaker"].isin(["s3", "s4", "s5"]))
    found = fitted.log10_lr(X[:4], X[rows[::3]], y["speaker"].iloc[rows[::3]])
    assert found.shape == (4, 3)
    vectors = fitted.likelihood_ratio_
    expected = vectors.log10_lr(
        fitted.transform(X[:4]), fitted.transform(X[rows[::3]]), y["speaker"].iloc[rows[::3]]
    )
    np.testing.assert_array_equal(found, expected)
    told = fitted.compare(X[:1], X[1:3])
    assert (told.n_known, told.n_speakers) == (2, 10)
    saved = as_saved(fitted)
    np.testing.assert_array_equal(saved.log10_lr(X[:4], X[:9]), fitted.log10_lr(X[:4], X[:9]))
    names = saved.identify(X[:8], X[rows[::3]], y["speaker"].iloc[rows[::3]], false_alarm=0.2)
    assert set(names) <= {"s3", "s4", "s5", None}


@pytest.mark.parametrize("form", ["array", "series", "list"])
@pytest.mark.parametrize("task", ["age", "sex"])
def test_one_task_in_any_form_with_groups_as_speakers(form, task, data):
    X, y = data
    column = {"array": y[task].to_numpy(), "series": y[task], "list": y[task].tolist()}[form]
    model = CalibratedModel(small(), random_state=0).fit(X, column, groups=y["speaker"])
    name = task if form == "series" else "y"
    assert model.n_calibration_speakers_ == 10
    if task == "age":
        assert model.predict_interval(X[:3]).columns.tolist() == [f"{name}_low", f"{name}_high"]
        assert not hasattr(model, "predict_proba")
        assert model.predict_set(X[:3]).shape == (3, 0)
    else:
        assert model.predict_set(X[:3]).columns.tolist() == [name]
        assert model.predict_or_abstain(X[:3], 1)[name].tolist() == model.predict(X[:3]).tolist()
        assert model.predict_proba(X[:3]).shape == (3, 2)
        assert model.predict_interval(X[:3]).shape == (3, 0)


def test_missing_labels_do_not_calibrate_their_task(data):
    X, y = data
    gaps = y.copy()
    gaps.loc[::2, "age"] = np.nan
    gaps.loc[1::3, "sex"] = None
    model = CalibratedModel(small(), random_state=0).fit(X, gaps)
    held = gaps.iloc[model.calibration_rows_]
    assert len(model._held["age"].scores) == held["age"].notna().sum()
    assert len(model._held["sex"].scores) == held["sex"].notna().sum()
    blank = CalibratedModel(FrozenEstimator(model.estimator_))
    with pytest.raises(TargetError, match="no speaker kept back for calibration has a label of"):
        blank.fit(X, y.assign(age=np.nan))


def test_groups_that_are_the_speakers_are_no_copies(data):
    X, y = data
    alone = CalibratedModel(small(), random_state=0).fit(X, y)
    both = CalibratedModel(small(), random_state=0).fit(X, y, groups=y["speaker"])
    np.testing.assert_array_equal(both.log10_lr(X[:4], X[:9]), alone.log10_lr(X[:4], X[:9]))


def test_copies_join_speakers_and_are_not_compared(data):
    X, y = data
    copies = np.arange(len(X)) + 1000
    copies[[0, EACH]] = 7  # s0 and s1 share a recording
    for seed in range(6):
        model = CalibratedModel(small(max_epochs=1), random_state=seed).fit(X, y, groups=copies)
        held = set(y["speaker"].iloc[model.calibration_rows_])
        assert ("s0" in held) == ("s1" in held)


def test_speakers_of_one_recording_calibrate_all_but_comparisons(data):
    X, y = data
    once = slice(None, None, EACH)
    with pytest.warns(EvidenceWarning, match="voices cannot be compared"):
        model = CalibratedModel(small(), random_state=0).fit(X[once], y[once])
    assert np.isfinite(model.predict_interval(X, 0.8)["age_high"]).all()
    with pytest.raises(TargetError, match="voices cannot be compared by this model"):
        model.compare(X[:1], X[1:2])
    with pytest.raises(TargetError):  # who asks for comparisons is told
        CalibratedModel(small(), likelihood_ratio=LikelihoodRatio()).fit(X[once], y[once])


class TestOtherEstimators:
    def test_a_pipeline(self, data):
        X, y = data
        model = CalibratedModel(make_pipeline(StandardScaler(), small()), random_state=0)
        model.fit(X, y)
        assert model.likelihood_ratio_ is not None
        assert model.predict_interval(X[:2], 0.8).shape == (2, 2)
        assert model.predict_set(X[:2]).columns.tolist() == ["sex"]

    def test_one_without_a_representation(self, data):
        X, y = data
        model = CalibratedModel(PerTask(LogisticRegression()), random_state=0)
        model.fit(X, y[["speaker", "sex"]])
        assert not hasattr(model, "transform")
        # It ranks classes, but gives no probabilities: there is nothing to calibrate.
        assert not hasattr(model, "predict_proba")
        assert model.temperatures_ == {}
        assert model.predict_set(X[:2]).shape == (2, 0)
        with pytest.raises(TargetError, match="needs an estimator that gives a representation"):
            model.log10_lr(X[:1], X[:1])

    def test_a_frozen_one_is_asked_by_the_names_of_its_tasks(self, data):
        X, y = data
        heard = np.arange(len(X)) < len(X) // 2
        inside = small().fit(X[heard], y[heard])
        before = pickle.dumps(inside)
        expected = CalibratedModel(FrozenEstimator(inside), random_state=0)
        expected.fit(X[~heard], y[~heard])
        assert pickle.dumps(inside) == before
        assert expected.n_calibration_speakers_ == N_SPEAKERS // 2
        turned = CalibratedModel(FrozenEstimator(inside), random_state=0)
        turned.fit(X[~heard], y.loc[~heard, ["sex", "age", "speaker"]])
        pd.testing.assert_frame_equal(turned.predict_interval(X), expected.predict_interval(X))
        pd.testing.assert_frame_equal(turned.predict_set(X), expected.predict_set(X))
        with pytest.raises(TargetError, match="the model answers 'sex', but the targets have only"):
            CalibratedModel(FrozenEstimator(inside)).fit(
                X[~heard], y.loc[~heard, ["speaker", "age"]]
            )
        one = small().fit(X[heard], y.loc[heard, "age"].to_numpy())
        named = CalibratedModel(FrozenEstimator(one))
        named.fit(X[~heard], y.loc[~heard, "age"], groups=y.loc[~heard, "speaker"])
        assert np.isfinite(named.predict_interval(X, 0.8)).all(axis=None)

    def test_none_is_a_tango(self):
        assert hasattr(CalibratedModel(), "predict_proba")
        assert hasattr(CalibratedModel(), "transform")
        assert not hasattr(CalibratedModel(PerTask(LogisticRegression())), "transform")


def as_saved(model):
    plain, arrays = calibration_state(model)
    return calibrated_from(model.estimator_, model.estimator, plain, arrays)


class TestFolds:
    def test_every_speaker_calibrates_and_trains(self, data):
        X, y = data
        model = CalibratedModel(Spy(LogisticRegression()), calibration=3, random_state=0)
        model.fit(X, y[["speaker", "sex"]])
        assert model.n_calibration_speakers_ == N_SPEAKERS
        assert len(model.estimator_.trained_[0]) == len(X)
        np.testing.assert_array_equal(model.calibration_rows_, np.arange(len(X)))

    def test_each_fold_compares_by_a_scorer_of_its_own(self, data):
        X, y = data
        scorer = PLDA(3)
        model = CalibratedModel(
            small(), calibration=3, random_state=0, likelihood_ratio=LikelihoodRatio(scorer)
        ).fit(X, y)
        assert not hasattr(scorer, "n_features_in_")
        ratio = model.likelihood_ratio_
        scorers = [ratio.scorer_, *(part[0] for part in ratio._parts)]
        assert len({id(one) for one in scorers}) == 4
        trials = ratio.calibration_trials_
        assert trials.same.any()
        assert not trials.same.all()
        assert model.log10_lr(X[:1], X[1:2]).shape == (1, 1)
        for same in (model, pickle.loads(pickle.dumps(model)), as_saved(model)):
            with pytest.raises(TargetError, match="calibrated by 3 folds"):
                same.identify(X[:1], X[1:3], ["a", "b"])


def test_the_same_seed_gives_the_same_bits_and_nothing_else_is_touched(data):
    X, y = data
    kept = X.copy(), y.copy()
    np.random.seed(3)  # noqa: NPY002 - the global generator is what is watched
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second, other = (
        CalibratedModel(small(), random_state=seed).fit(X, y) for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(first.predict_interval(X), second.predict_interval(X))
    np.testing.assert_array_equal(first.log10_lr(X[:3], X[:9]), second.log10_lr(X[:3], X[:9]))
    assert first.calibration_rows_.tolist() != other.calibration_rows_.tolist()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    np.testing.assert_array_equal(X, kept[0])
    pd.testing.assert_frame_equal(y, kept[1])


def test_it_is_cloned_pickled_and_cross_validated(data, fitted):
    X, y = data
    copied = clone(fitted)
    assert not hasattr(copied, "estimator_")
    assert copied.get_params()["estimator__max_epochs"] == 20
    same = pickle.loads(pickle.dumps(fitted))
    pd.testing.assert_frame_equal(same.predict_interval(X), fitted.predict_interval(X))
    np.testing.assert_array_equal(same.log10_lr(X[:3], X[:9]), fitted.log10_lr(X[:3], X[:9]))

    def inside(model, X, y):
        found = model.predict_interval(X, 0.6)
        return np.mean(
            (found["age_low"] <= y["age"].to_numpy()) & (found["age_high"] >= y["age"].to_numpy())
        )

    found = cross_validate(
        CalibratedModel(small(), random_state=0),
        X,
        y,
        groups=y["speaker"],
        cv=GroupKFold(3),
        scoring=inside,
        error_score="raise",
    )
    assert (found["test_score"] > 0.2).all()


def test_named_columns_do_not_warn(data):
    X, y = data
    table = pd.DataFrame(X).rename(columns=str)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = CalibratedModel(small(), random_state=0).fit(table, y)
        model.log10_lr(table[:2], table[2:4])
        model.identify(table[:2], table[2:4], ["a", "b"], false_alarm=0.5)


@pytest.mark.parametrize("share", [0, 0.0, 1.0, 1, -0.5, 1.5, -3])
def test_a_calibration_that_is_neither_share_nor_folds(share, data):
    with pytest.raises(ParameterError, match="calibration is"):
        CalibratedModel(small(), calibration=share).fit(*data)


def test_what_cannot_be_calibrated_is_refused_in_one_line(data):
    X, y = data
    cases = [
        ((X, y[["age"]]), "the targets have no column 'speaker', and no groups"),
        ((X[:EACH], y[:EACH]), "1 speakers cannot be divided"),
    ]
    for arguments, told in cases:
        with pytest.raises(TargetError, match=told) as caught:
            CalibratedModel(small()).fit(*arguments)
        assert "\n" not in str(caught.value)
    with pytest.raises(TargetError, match="30 speakers cannot be divided into 31 folds"):
        CalibratedModel(small(), calibration=31).fit(X, y)
    with pytest.raises(ValueError, match="inconsistent"):
        CalibratedModel(small()).fit(X[:-1], y)
