"""What people's tables do to labels, and what a stranger's may: an error by name, or an answer."""

import time
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.utils import Bunch

from sfmforensics import TANGO, PerTask
from sfmforensics.audit import alike_voices, label_findings
from sfmforensics.exceptions import SFMForensicsError, SplitWarning, TargetError
from sfmforensics.experiment import evaluate, score_intervals
from sfmforensics.metrics import task_score, task_scorers
from sfmforensics.model_selection import TargetStratifiedKFold, make_splits
from sfmforensics.targets import TargetCodec
from sfmforensics.workflow import evaluate_corpus, predict_files, train_model

pytestmark = pytest.mark.slow

FAST = {"encoder": "tokens", "hidden": (8,), "max_epochs": 1, "random_state": 0}
N = 24


@pytest.fixture(scope="module")
def X():
    names = [f"first__{i}" for i in range(4)] + [f"second__{i}" for i in range(6)]
    values = np.random.default_rng(0).normal(size=(N, 10)).astype("float32")
    return pd.DataFrame(values, columns=names)


def labels(**changed):
    """Targets of 24 recordings; a list is repeated as often as it fits."""
    columns = {
        "speaker": list("abcdef"),
        "emotion": list("xyzw"),
        "age": [20.0, 31, 42, 53, 64, 75],
    }
    columns |= changed
    return pd.DataFrame(
        {
            name: values
            if not isinstance(values, list)
            else pd.Series((values * N)[:N], dtype=float if name == "age" else object)
            for name, values in columns.items()
        }
    )


def aged(*ages):
    return labels().assign(age=pd.Series((list(ages) * N)[:N], dtype=object))


TWICE = labels().set_axis(["speaker", "emotion", "emotion"], axis=1)
REFUSED = {
    "two columns of one name": (TWICE, "two columns called 'emotion'; rename one"),
    "a number and its text": (labels(emotion=[1, "1", 2]),
                              "'emotion' holds numbers such as 2 and text such as '1'"),
    "a number and a word": (labels(emotion=[1, "a"]), "such as 1 and text such as 'a'"),
    "truth and number": (labels(emotion=[True, 1, 0]),
                         "'emotion' holds numbers such as 0 and truth values such as True"),
    "truth and text": (labels(emotion=[True, "1"]), "truth values such as True and text such as"),
    "an age in words": (aged(20.0, "thirty"), r"'age' holds numbers such as 20.0 and text such as "
                        r"'thirty' \(row 23\); correct it, leave it blank"),
    "lists": (labels(emotion=[["x"], ["y"]]), r"'emotion' holds a list, \['y'\] \(row 23\); give"),
    "dicts": (labels(emotion=[{"a": 1}]), r"'emotion' holds a dict, \{'a': 1\} \(row 23\)"),
    "tuples": (labels(emotion=[("x", 1), "y"]), r"'emotion' holds a tuple, \('x', 1\) \(row 22\)"),
    "an infinite age": (labels(age=[np.inf, *[30.0] * 23]), "'age' holds an infinite number"),
    "no column": (labels()[[]], "have no column; give labels"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_nobody_can_tell_apart_is_refused_by_name_everywhere(case, X):
    y, says = REFUSED[case]
    corpus = Bunch(data=["no.wav"] * N, target=y)
    roads = {
        "fit": lambda: TANGO(**FAST).fit(X, y),
        "per task": lambda: PerTask().fit(X, y),
        "splits": lambda: make_splits(y, "closed", folds=3),
        "evaluate": lambda: evaluate(
            X, y, {"svm": PerTask()}, {"closed": [(np.arange(12), np.arange(12, 24))]}, views="v"
        ),
        "train": lambda: train_model(corpus, ["mfcc"], "m.safetensors", model="single"),
        "evaluate a corpus": lambda: evaluate_corpus(corpus, ["mfcc"], "m", models=["single"]),
    }
    if case != "an infinite age":
        roads["early stopping"] = lambda: TANGO(**FAST, early_stopping=True).fit(X, y)
        roads["a splitter"] = lambda: next(TargetStratifiedKFold(3).split(X, y))
        roads["scorers"] = lambda: task_scorers(y)
    for run in roads.values():
        with pytest.raises(TargetError, match=says):
            run()


@pytest.mark.parametrize(
    ("y", "says"),
    [
        ({"speaker": list("ab")}, r"the targets are \{.*, a dict; give a DataFrame \(of a dict"),
        ("speaker", "the targets are 'speaker', a str; give"),
        (3, "the targets are 3, a int; give"),
    ],
)
def test_what_is_no_table_at_all_is_refused(y, says, X):
    for run in (TargetCodec().fit, task_scorers, lambda y: PerTask().fit(X, y)):
        with pytest.raises(TargetError, match=says):
            run(y)


@pytest.mark.parametrize("y", [labels().to_numpy(), [["a", 1.0]] * N, None, {"speaker": "a"}])
def test_an_experiment_needs_a_frame(y, X):
    for run in (
        lambda: make_splits(y, "closed"),
        lambda: evaluate(X, y, {}, {}, views="v"),
    ):
        with pytest.raises(TargetError, match="give a DataFrame with one column a task"):
            run()


def test_names_of_several_levels_are_learnt_but_no_experiment(X):
    names = pd.MultiIndex.from_tuples([("t", "speaker"), ("t", "emotion"), ("u", "age")])
    y = labels().set_axis(names, axis=1)
    assert TANGO(**FAST).fit(X, y).predict(X).columns.equals(names)
    with pytest.raises(TargetError, match="have 2 levels; give each one name"):
        make_splits(y, "closed")


@pytest.mark.parametrize("rows", [N - 1, N + 1])
def test_labels_that_do_not_go_with_the_recordings_are_refused_first(rows, X):
    y = pd.concat([labels(), labels()]).iloc[:rows]
    says = f"have {rows} rows, but there are 24 recordings; give one row a recording"
    splits = {"closed": make_splits(y, "closed", folds=3)}
    with pytest.raises(TargetError, match=says):
        evaluate(X, y, {"svm": PerTask()}, splits, views="v")
    corpus = Bunch(data=["no.wav"] * N, target=y)
    with pytest.raises(TargetError, match=says):
        train_model(corpus, ["mfcc"], "m.safetensors", model="single")
    with pytest.raises(TargetError, match=says):
        evaluate_corpus(corpus, ["mfcc"], "results", models=["single"])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        TANGO(**FAST).fit(X, y)


DATES = pd.to_datetime(["2020-01-01", "2021-01-01"] * (N // 2))
TAKEN = {
    "names that are no text": labels().set_axis(["speaker", 1, None], axis=1),
    "names that files and results use": labels(
        path=["p", "q"], fold=[0, 1], task=["a", "b"], protocol=["a"], true=["a"], predicted=["b"]
    ),
    "a name beside its probability": labels(emotion_probability=["p", "q"]),
    "names of views": labels(first=["p", "q"], first__0=["r", "s"], mfcc=["t", "u"]),
    "one index for all": labels().set_axis([7] * N),
    "truth values": labels().assign(emotion=np.arange(N) % 2 == 0),
    "categories, one of them empty": labels().assign(
        emotion=pd.Categorical(list("xyzw") * 6, categories=list("qxyzw"))
    ),
    "dates": labels().assign(emotion=DATES),
    "dates with a zone": labels().assign(emotion=DATES.tz_localize("UTC")),
    "whole numbers with gaps": labels().assign(emotion=pd.array([1, 2, None] * 8, dtype="Int64")),
    "numbers with gaps": labels().assign(age=pd.array([20.5, 30, None] * 8, dtype="Float64")),
    "texts of pandas": labels().assign(emotion=pd.array(["x", "y", None] * 8, dtype="string")),
    "blanks of every kind": labels(emotion=["x", "", " ", "nan", None, np.nan, pd.NA, "None"]),
    "decimals": labels(room=[Decimal("1.5"), Decimal("2.5")]),
    "endless labels": labels(emotion=["x" * 10**5, "y" * 10**5]),
    "labels for other programs": labels(emotion=["a\nb", "a,b", "<script>", "=1+1"]),
    "one class": labels(emotion=["x"]),
    "one class everywhere": labels(speaker=list("ab"), emotion=["x"], age=[30.0]),
    "a class of one recording": labels(emotion=["x"] * 23 + ["y"]),
    "one recording a speaker": labels(speaker=[f"s{i}" for i in range(N)]),
    "a task that one speaker has": labels(emotion=["x", None, None, None, None, None]),
    "negative ages": labels(age=[-1.0, 0.0, 999.0, 30.0]),
}


@pytest.mark.filterwarnings("ignore::sfmforensics.exceptions.SplitWarning")
@pytest.mark.parametrize("case", TAKEN)
def test_what_is_odd_but_clear_is_learnt_and_evaluated(case, X):
    y = TAKEN[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # nothing overflows or is divided by 0
        model = PerTask().fit(X, y)
        answers = model.predict(X)
        assert answers.columns.tolist() == y.columns.tolist()
        assert answers.notna().all(axis=None)
        assert np.isfinite(model.score(X, y) if hasattr(model, "score") else 0)
        for name in y:
            kind = model.tasks_[name]
            if kind == "classification":
                assert answers[name].isin(y[name].dropna().tolist()).all()
    splits = {"closed": make_splits(y, "closed", folds=3)}
    found = evaluate(X, y, {"svm": PerTask()}, splits, views="v")
    assert set(found.scores["task"]) == set(y.columns)
    scored = found.scores[found.scores["metric"].isin(["accuracy", "rmse"])]
    assert np.isfinite(scored.groupby("task", dropna=False)["value"].mean()).all()
    score_intervals(found, y, views="v", n_resamples=10)


@pytest.mark.parametrize("case", ["names that are no text", "dates", "truth values"])
def test_networks_answer_as_they_were_asked(case, X):
    y = TAKEN[case]
    model = TANGO(**FAST).fit(X, y)
    answers = model.predict(X)
    assert answers.columns.tolist() == y.columns.tolist()
    assert np.isfinite(model.score(X, y))


def test_speakers_that_pandas_made_floats_are_refused_not_learnt_as_numbers(X):
    y = labels().assign(speaker=np.repeat([1, 2, 3, np.nan, 5, 6], 4))
    says = r"column 'speaker' holds floats such as 1.0, which .*; make it text or whole numbers"
    for run in (
        lambda: TANGO(**FAST).fit(X, y),
        lambda: PerTask().fit(X, y),
        lambda: make_splits(y, "closed"),
        lambda: train_model(Bunch(data=["no.wav"] * N, target=y), ["mfcc"], "m", model="single"),
    ):
        with pytest.raises(TargetError, match=says):
            run()
    named = y.assign(speaker=y["speaker"].astype("Int64"))
    assert PerTask().fit(X, named).tasks_["speaker"] == "classification"
    for kind in ("classification", "regression"):  # who says so is believed
        assert TargetCodec({"speaker": kind}).fit(y).kinds_[0] == kind


def test_enormous_numbers_are_learnt_but_no_score_holds_them(X):
    y = labels(age=[1e200, -1e200, 30.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert np.isfinite(TANGO(**FAST).fit(X, y).score(X, y))
    with pytest.raises(TargetError, match="'age' holds 1e\\+200, too large a number to be scored"):
        make_splits(y, "closed")


def test_a_search_over_odd_labels_is_no_nan(X):
    y = TAKEN["blanks of every kind"]
    options = {"cv": TargetStratifiedKFold(3), "scoring": task_scorers(y), "error_score": "raise"}
    found = cross_validate(PerTask(), X, y, **options)
    assert all(np.isfinite(found[f"test_{name}"]).all() for name in options["scoring"])
    search = GridSearchCV(TANGO(**FAST), {"reg": [0.1, 0.2]}, cv=TargetStratifiedKFold(3))
    assert np.isfinite(search.fit(X, y).best_score_)


def test_labels_that_were_never_learnt_count_as_wrong(X):
    y = labels()
    model = TANGO(**FAST).fit(X[:20], y[:20])
    strange = y.assign(speaker="nobody")
    with pytest.warns(SplitWarning, match="none of the labels of 'speaker' .* was learnt"):
        model.score(X, strange)
    assert task_score(strange, model.predict(X), "speaker", "accuracy") == 0
    assert task_scorers(y)["speaker_accuracy"](model, X, strange) == 0


@pytest.mark.parametrize(
    ("age", "says"),
    [
        (["thirty"], "'age' is learnt as numbers, but: .*'thirty'; correct it, or leave it blank"),
        ([np.inf], "'age' holds an infinite number"),
    ],
)
def test_a_score_of_what_is_no_number_names_the_column(age, says, X):
    model = TANGO(**FAST).fit(X, labels())
    with pytest.raises(TargetError, match=says):
        model.score(X, labels().assign(age=age * N))


def test_labels_of_two_types_are_compared_where_any_could_be_right():
    assert task_score([1, "a", 2], ["a", "a", 2], "y", "accuracy") == pytest.approx(2 / 3)
    with pytest.raises(TargetError, match="'a' are compared with predictions such as 1"):
        task_score(["a", "b"], [1, 2], "y", "accuracy")


def test_a_task_without_labels_is_left_out_or_named(X):
    y = labels(emotion=[None])
    with pytest.raises(TargetError, match="'emotion' holds no label in these 24 recordings; leave"):
        TANGO(**FAST).fit(X, y)
    splits = {"disjoint": make_splits(y, "disjoint", folds=3)}
    scores = evaluate(X, y, {"svm": PerTask()}, splits, views="v").scores
    assert scores[scores["task"] == "emotion"]["value"].isna().all()
    assert scores[scores["task"] == "age"]["value"].notna().any()
    mute = labels(speaker=[None], emotion=[None], age=[np.nan])
    with pytest.raises(TargetError, match="holds no label"):
        TANGO(**FAST).fit(X, mute)
    with pytest.raises(TargetError, match="needs two speakers or more, and there is 0"):
        make_splits(mute, "disjoint")


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ("emotion_probability", "two columns called 'emotion_probability'"),
        ("path", "two columns called 'path'"),
    ],
)
def test_labels_that_answers_could_not_be_told_from_are_refused(column, says, X, monkeypatch):
    y = labels(**{column: ["p", "q"]})
    corpus = Bunch(data=["no.wav"] * N, target=y)
    with pytest.raises(TargetError, match=f"{says}, .*; rename the column of labels"):
        train_model(corpus, ["mfcc"], "m.safetensors", model="single")
    fitted = Bunch(tasks_=TANGO(**FAST).fit(X, y).tasks_)  # by somebody else
    with pytest.raises(TargetError, match=says):
        predict_files([None, fitted], ["a.wav"])
    # A number has no probability beside it.
    harmless = labels(age_probability=["p", "q"])
    with pytest.raises(SFMForensicsError, match=r"no\.wav"):
        train_model(Bunch(data=["no.wav"] * N, target=harmless), ["mfcc"], "m.safetensors",
                    model="single")  # fmt: skip


def test_fewer_recordings_than_folds_and_none_twice_are_answered():
    alone = pd.DataFrame({"speaker": list("abc")})
    with pytest.raises(TargetError, match="5 folds of 3 recordings; use 2 to 3 folds"):
        make_splits(alone, "closed")
    with pytest.raises(TargetError, match="n_splits=5, but there are only 3 rows; use n_splits=3"):
        next(TargetStratifiedKFold().split(alone, alone))
    # One recording a speaker: closed folds recognise nobody, which accuracy says.
    splits = make_splits(pd.DataFrame({"speaker": list("abcdef")}), "closed", folds=2)
    assert [len(test) for _, test in splits] == [3, 3]


CELLS = st.sampled_from(
    [*(None, np.nan, pd.NA, "", " ", "nan", "x", "1", 1, 1.0, True, False, 2.5, np.inf, -1, 10**30)]
    + [b"x", ("x",), [1], {"a": 1}, "<b>", "=1", Decimal(1), 1j, pd.Timestamp(0), np.int8(1)]
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8), st.booleans())
def test_any_cells_are_learnt_or_refused(rows, as_objects):
    y = pd.DataFrame(rows, columns=["speaker", "room"], dtype=object if as_objects else None)
    try:
        codec = TargetCodec().fit(y)
        encoded = codec.encode(y)
        make_splits(y, "closed", folds=2)
        scorers = task_scorers(y)
    except SFMForensicsError as error:
        refused = str(error)
    else:
        refused = ""
        assert np.isnan(encoded).tolist() == y.isna().to_numpy().tolist()
        assert len(scorers) == 2
    assert "\n" not in refused


def many(n_speakers):
    """Two recordings of each speaker, 16 numbers each."""
    rng = np.random.default_rng(0)
    speaker = np.array([f"s{i:06d}" for i in range(n_speakers)], dtype=object).repeat(2)
    y = pd.DataFrame({"speaker": speaker, "age": rng.integers(18, 80, n_speakers).repeat(2) + 0.0})
    X = rng.normal(size=(n_speakers, 16)).repeat(2, axis=0) + rng.normal(size=(len(y), 16))
    return X.astype("float32"), y


def test_a_hundred_thousand_speakers_are_split_encoded_scored_and_looked_through():
    _, y = many(100_000)
    codec = TargetCodec().fit(y)
    assert codec.encode(y)[:, 0].max() == 99_999
    for protocol in ("closed", "disjoint"):
        sizes = [len(test) for _, test in make_splits(y, protocol)]
        assert min(sizes) >= 39_000
    wrong = y.assign(speaker=np.roll(y["speaker"], 1))
    for metric in ("accuracy", "uar", "macro_f1"):
        assert task_score(y, wrong, "speaker", metric) == pytest.approx(0.5)
    assert list(task_scorers(y)) == ["speaker_accuracy", "age_rmse"]
    assert {found.finding for found in label_findings(y)} == {"rare labels", "told by the speaker"}


def test_ten_thousand_speakers_go_all_the_way():
    X, y = many(10_000)
    model = TANGO(**FAST, head=8, n_tokens=2, token_dim=4, batch_size=4096)
    splits = {
        protocol: make_splits(y, protocol, folds=3)[:1] for protocol in ("closed", "disjoint")
    }
    found = evaluate(X, y, {"tango": model}, splits, views="mine")
    trials = {protocol: of[0] for (_, protocol), of in found.trials.items()}
    assert len(trials["closed"].scores) < 500_000  # of 67 million claims
    assert trials["closed"].same.sum() == 2000
    assert trials["disjoint"].same.sum() >= 100
    scores = found.scores[found.scores["metric"] == "eer"]
    assert scores["value"].between(0, 1).all()
    intervals = score_intervals(found, y, views="mine", n_resamples=20)
    assert set(intervals["metric"]) >= {"eer", "accuracy", "rmse"}


def test_ten_thousand_voices_are_compared_in_seconds():
    X, y = many(10_000)
    X[-2:] = X[:2]  # one voice under two names
    started = time.process_time()
    found = alike_voices(np.vstack([X, X + 0.01]), pd.concat([y, y])["speaker"])
    assert ("s000000", "s009999") in set(zip(found["first"], found["second"], strict=True))
    assert time.process_time() - started < 60
