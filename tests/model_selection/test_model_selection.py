import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
)

from sfmforensics.exceptions import SplitWarning, TargetError
from sfmforensics.model_selection import (
    RepeatedTargetKFold,
    TargetGroupKFold,
    TargetLeaveOneGroupOut,
    TargetStratifiedKFold,
    joined_groups,
)

SPLITTERS = [TargetStratifiedKFold, TargetGroupKFold]


class Constant(BaseEstimator):
    def fit(self, X, y):
        self.first_ = y.iloc[[0]]
        return self

    def predict(self, X):
        return pd.concat([self.first_] * len(X), ignore_index=True)

    def score(self, X, y):
        return float((y["speaker"] == self.first_["speaker"].iloc[0]).mean())


@pytest.fixture
def corpus():
    rng = np.random.default_rng(0)
    speaker = np.repeat([f"s{i}" for i in range(12)], rng.integers(6, 20, 12))
    rng.shuffle(speaker)
    n = len(speaker)
    y = pd.DataFrame(
        {
            "speaker": speaker,
            "emotion": rng.choice(["low", "high"], n),
            "age": rng.normal(40, 10, n).round(1),
        },
        index=rng.permutation(n) + 1000,  # positions, not labels, are what a split is about
    )
    return rng.normal(size=(n, 3)), y


def folds_of(splitter, y, groups=None):
    """Fold in which each row is tested; checks on the way that the splits are what they seem."""
    n = len(y)
    folds = np.full(n, -1)
    left_out = None
    for fold, (train, test) in enumerate(splitter.split(np.zeros((n, 1)), y, groups)):
        assert len(test)
        assert not set(train) & set(test)
        assert (folds[test] == -1).all()
        folds[test] = fold
        absent = set(range(n)) - set(train) - set(test)
        assert left_out is None or absent == left_out
        left_out = absent
    assert set(np.flatnonzero(folds < 0)) == left_out
    assert fold + 1 == splitter.get_n_splits()
    return folds


def largest_deviation(folds, labels, n_splits):
    counts = pd.crosstab(pd.Series(folds), pd.Series(labels).fillna("missing").to_numpy())
    return (counts - counts.sum() / n_splits).abs().to_numpy().max()


labels_and_groups = st.integers(4, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from([*"abcdefgh", None]), min_size=n, max_size=n),
        st.lists(st.integers(0, 3 * n), min_size=n, max_size=n),
    )
)


# joined_groups


def test_joined_groups_follow_chains_and_ignore_missing_labels():
    assert joined_groups(["a", "b", "c", "d", "c"], [1, 1, 2, 3, 2]).tolist() == [0, 0, 1, 2, 1]
    assert joined_groups(["a", "b", "c"], [1, 1, 2], [5, 6, 6]).tolist() == [0, 0, 0]
    assert joined_groups([None, None, np.nan], [pd.NA, 1, 1]).tolist() == [0, 1, 1]
    assert joined_groups([]).tolist() == []


def test_joined_groups_refuse_groupings_of_different_length():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        joined_groups(["a", "b"], [1])


@given(labels_and_groups)
def test_joined_groups_are_the_finest_that_split_no_label(drawn):
    labels, groups = drawn
    joined = joined_groups(labels, groups)
    for i in range(len(labels)):
        for j in range(i):
            if groups[i] == groups[j] or (labels[i] is not None and labels[i] == labels[j]):
                assert joined[i] == joined[j]
    # Finest: within a set, any cut in two separates some label.
    for number in set(joined):
        rows = np.flatnonzero(joined == number)
        reached = {rows[0]}
        while True:
            more = {
                j
                for j in rows
                for i in reached
                if groups[i] == groups[j] or (labels[i] is not None and labels[i] == labels[j])
            } - reached
            if not more:
                break
            reached |= more
        assert reached == set(rows)


# both splitters


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_repr_is_like_sklearn(splitter):
    expected = (
        f"{splitter.__name__}(n_splits=3, on='speaker', random_state=0, shuffle=True)".split()
    )
    assert repr(splitter(3, shuffle=True, random_state=0)).split() == expected


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"n_splits": 1}, "n_splits"),
        ({"n_splits": 2.5}, "n_splits"),
        ({"random_state": 0}, "shuffle"),
    ],
)
def test_senseless_parameters_are_refused(splitter, arguments, said):
    with pytest.raises(ValueError, match=said):
        splitter(**arguments)


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_missing_column_is_named_with_those_there_are(splitter, corpus):
    X, y = corpus
    with pytest.raises(TargetError, match=r"'gender'.*'speaker', 'emotion', 'age'"):
        next(splitter(on="gender").split(X, y))
    with pytest.raises(TargetError, match="no column None; on can be one of"):
        next(splitter(on=None).split(X, y))
    with pytest.raises(TargetError, match="y is None"):
        next(splitter().split(X))
    with pytest.raises(TargetError, match="no column"):
        next(splitter(on=[]).split(X, y))


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_lengths_must_agree(splitter, corpus):
    X, y = corpus
    with pytest.raises(ValueError, match="inconsistent"):
        next(splitter().split(X[:-1], y))
    with pytest.raises(ValueError, match="inconsistent"):
        next(splitter().split(X, y, np.arange(len(y) - 1)))


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_every_form_of_targets_gives_the_same_folds(splitter, corpus):
    _, y = corpus
    expected = folds_of(splitter(3), y)
    assert (folds_of(splitter(3), y["speaker"]) == expected).all()
    assert (folds_of(splitter(3, on=None), y["speaker"].to_numpy()) == expected).all()
    assert (folds_of(splitter(3, on=0), y.to_numpy()) == expected).all()
    assert (folds_of(splitter(3), y.astype({"speaker": "category"})) == expected).all()
    assert (folds_of(splitter(3), y.reset_index(drop=True)) == expected).all()


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_list_of_columns_is_their_combination(splitter, corpus):
    _, y = corpus
    together = (y["speaker"] + y["emotion"]).rename("both")
    found = folds_of(splitter(3, on=["speaker", "emotion"]), y)
    if splitter is TargetStratifiedKFold:
        assert largest_deviation(found, together.to_numpy(), 3) < 1
    else:
        assert pd.Series(found).groupby(together.to_numpy()).nunique().max() == 1


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_random_state_decides_and_the_global_generator_does_not(splitter, corpus):
    _, y = corpus
    cv = splitter(3, shuffle=True, random_state=7)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = folds_of(cv, y)
    assert (first == folds_of(cv, y)).all()
    assert (first == folds_of(pickle.loads(pickle.dumps(cv)), y)).all()
    assert (first == folds_of(splitter(3, shuffle=True, random_state=7), y)).all()
    assert (first != folds_of(splitter(3, shuffle=True, random_state=8), y)).any()
    assert (first != folds_of(splitter(3), y)).any()
    assert (state == np.random.get_state()[1]).all()  # noqa: NPY002


@pytest.mark.parametrize("splitter", SPLITTERS)
@settings(max_examples=50)
@given(drawn=labels_and_groups, seed=st.integers(0, 9))
def test_groups_stay_on_one_side(splitter, drawn, seed):
    labels, groups = drawn
    y = pd.DataFrame({"speaker": pd.Series(labels, dtype=object)})
    cv = splitter(2, shuffle=seed % 2 == 0, random_state=seed if seed % 2 == 0 else None)
    known = y["speaker"].notna().to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SplitWarning)
        try:
            folds = folds_of(cv, y, groups)
        except TargetError:
            rows = known if splitter is TargetGroupKFold else np.ones_like(known)
            given_groups = np.asarray(groups)[rows]
            n_units = (
                len(set(joined_groups(np.asarray(labels, dtype=object)[rows], given_groups)))
                if splitter is TargetGroupKFold
                else len(set(groups))
            )
            assert n_units < 2
            return
    kept = folds >= 0
    assert pd.Series(folds[kept]).groupby(np.asarray(groups)[kept]).nunique().max() == 1
    if splitter is TargetGroupKFold:
        assert (kept == known).all()
        assert pd.Series(folds[kept]).groupby(y["speaker"].to_numpy()[kept]).nunique().max() == 1
    else:
        assert kept.all()


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_as_cv_of_sklearn(splitter, corpus):
    X, y = corpus
    cv = splitter(3, shuffle=True, random_state=0)
    result = cross_validate(Constant(), X, y, cv=cv, return_indices=True, error_score="raise")
    expected = folds_of(cv, y)
    for fold, test in enumerate(result["indices"]["test"]):
        assert (np.flatnonzero(expected == fold) == test).all()
    assert cross_val_predict(Constant(), X, y, cv=cv).shape == y.shape
    search = GridSearchCV(DummyClassifier(), {"strategy": ["prior", "stratified"]}, cv=cv)
    clone(search).fit(X, y["speaker"])


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_groups_are_routed_if_given_and_not_asked_for_otherwise(splitter, corpus):
    X, y = corpus
    copies = np.arange(len(y))
    copies[:5] = 0
    with config_context(enable_metadata_routing=True):
        routed = cross_validate(
            Constant(), X, y, cv=splitter(3), params={"groups": copies}, return_indices=True
        )
        cross_validate(Constant(), X, y, cv=splitter(3), error_score="raise")
        assert splitter(3).get_metadata_routing().split.requests == {"groups": True}
    expected = folds_of(splitter(3), y, copies)
    for fold, test in enumerate(routed["indices"]["test"]):
        assert (np.flatnonzero(expected == fold) == test).all()


# TargetStratifiedKFold


@given(
    st.lists(st.sampled_from([*"abcdefgh", None]), min_size=5, max_size=80),
    st.integers(2, 5),
    st.booleans(),
)
def test_labels_and_folds_are_spread_within_one(labels, n_splits, shuffle):
    y = pd.DataFrame({"emotion": pd.Series(labels, dtype=object)})
    cv = TargetStratifiedKFold(
        n_splits, on="emotion", shuffle=shuffle, random_state=0 if shuffle else None
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folds = folds_of(cv, y)
    assert (folds >= 0).all()
    assert largest_deviation(folds, y["emotion"], n_splits) < 1
    assert np.ptp(np.bincount(folds, minlength=n_splits)) <= 1


def test_a_few_copies_hardly_disturb_60_speakers():
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(60), rng.integers(5, 61, 60))
    copies = np.arange(len(speaker))
    for _ in range(13):
        copies[rng.choice(len(speaker))] = copies[rng.choice(len(speaker))]
    cv = TargetStratifiedKFold(5, shuffle=True, random_state=0)
    folds = folds_of(cv, pd.DataFrame({"speaker": speaker}), copies)
    assert largest_deviation(folds, speaker, 5) < 1.5
    assert np.ptp(np.bincount(folds)) <= 2


def test_large_groups_are_spread_by_their_labels():
    rng = np.random.default_rng(1)
    speaker = np.repeat(np.arange(30), 20)
    gender = np.where(speaker < 10, "f", "m")
    order = rng.permutation(600)
    folds = folds_of(
        TargetStratifiedKFold(5, on="gender"),
        pd.DataFrame({"gender": gender[order]}),
        speaker[order],
    )
    assert pd.crosstab(folds, gender[order]).to_numpy().tolist() == [[40, 80]] * 5


def test_rare_labels_in_mixed_groups_are_spread_too():
    rng = np.random.default_rng(0)
    emotion = rng.choice(list("abcdef"), 2000, p=[0.6, 0.2, 0.1, 0.05, 0.03, 0.02])
    session = rng.integers(0, 60, 2000)
    folds = folds_of(
        TargetStratifiedKFold(5, on="emotion"), pd.DataFrame({"emotion": emotion}), session
    )
    counts = pd.crosstab(folds, emotion)
    assert ((counts - counts.sum() / 5).abs() / counts.sum()).mean(axis=None) < 0.02


def test_unshuffled_folds_are_blocks_as_in_sklearn():
    y = pd.DataFrame({"speaker": list("a" * 10 + "b" * 20)})
    found = folds_of(TargetStratifiedKFold(5), y)
    expected = folds_of(StratifiedKFold(5), y["speaker"])
    assert (found == expected).all()


def test_missing_labels_are_a_stratum():
    speaker = ["a"] * 10 + [None] * 5 + [np.nan] * 5
    folds = folds_of(TargetStratifiedKFold(5), pd.DataFrame({"speaker": speaker}))
    assert pd.Series(folds[10:]).value_counts().tolist() == [2] * 5


def test_labels_all_rarer_than_the_folds_are_spread():
    y = pd.DataFrame({"speaker": np.repeat(np.arange(10), 2)})
    folds = folds_of(TargetStratifiedKFold(5), y)
    assert pd.Series(folds).groupby(y["speaker"]).nunique().tolist() == [2] * 10
    assert np.bincount(folds).tolist() == [4] * 5


@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64"])
def test_numbers_are_spread_over_their_range(dtype):
    rng = np.random.default_rng(2)
    age = pd.Series(rng.gamma(2, 15, 100), name="age").astype(dtype)
    age[:3] = np.nan if dtype != "Float64" else pd.NA
    folds = folds_of(TargetStratifiedKFold(5, on="age"), age.to_frame())
    bins = pd.qcut(age.astype("float64"), 10, labels=False)
    assert largest_deviation(folds, bins, 5) < 1


def test_few_distinct_numbers_are_labels():
    age = pd.DataFrame({"age": [20.0] * 17 + [21.0] * 3})
    folds = folds_of(TargetStratifiedKFold(2, on="age"), age)
    assert largest_deviation(folds, age["age"], 2) < 1


def test_one_column_needs_no_name_to_stratify(corpus):
    _, y = corpus
    found = folds_of(TargetStratifiedKFold(3, on="speaker"), y["emotion"])
    assert largest_deviation(found, y["emotion"].to_numpy(), 3) < 1


def test_fewer_rows_or_groups_than_folds_are_refused():
    y = pd.DataFrame({"speaker": list("abcd")})
    with pytest.raises(TargetError, match="only 4 rows; use n_splits=4"):
        next(TargetStratifiedKFold(5).split(y, y))
    with pytest.raises(TargetError, match="only 3 groups; use n_splits=3"):
        next(TargetStratifiedKFold(5).split(y, y, [0, 0, 1, 2]))


# TargetGroupKFold


def test_speakers_are_disjoint_and_folds_balanced_as_by_sklearn(corpus):
    X, y = corpus
    folds = folds_of(TargetGroupKFold(3), y)
    expected = [len(test) for _, test in GroupKFold(3).split(X, groups=y["speaker"])]
    assert sorted(np.bincount(folds)) == sorted(expected)


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([349, 340, 306, 168, 160, 115, 61, 42, 40, *[21] * 6, *[5] * 44], id="BAVED"),
        pytest.param(np.random.default_rng(0).integers(5, 61, 60), id="even"),
    ],
)
def test_shuffled_folds_stay_balanced_and_vary(sizes):
    y = pd.DataFrame({"speaker": np.repeat(np.arange(len(sizes)), sizes)})
    seen = set()
    for seed in range(20):
        folds = folds_of(TargetGroupKFold(5, shuffle=True, random_state=seed), y)
        assert np.ptp(np.bincount(folds)) < 0.05 * len(y) / 5
        seen.add(tuple(folds))
    assert len(seen) == 20


def test_speakers_that_share_a_recording_are_joined():
    y = pd.DataFrame({"speaker": ["46", "46", "53", "53", "7", "8"]})
    copies = [0, 1, 1, 2, 3, 4]
    for seed in range(5):
        folds = folds_of(TargetGroupKFold(2, shuffle=True, random_state=seed), y, copies)
        assert len(set(folds[:4])) == 1
    with pytest.raises(TargetError, match="only 3 labels of 'speaker' that share no group"):
        next(TargetGroupKFold(4).split(y, y, copies))


def test_rows_without_a_speaker_are_on_no_side():
    y = pd.DataFrame({"speaker": ["a", None, "b", "c", np.nan, "c"]})
    with pytest.warns(SplitWarning, match="2 of 6 rows have no 'speaker'") as caught:
        folds = folds_of(TargetGroupKFold(3), y)
    assert np.flatnonzero(folds < 0).tolist() == [1, 4]
    assert len(caught) == 1


def test_rows_without_a_speaker_do_not_join_speakers():
    y = pd.DataFrame({"speaker": ["a", None, "b"]})
    with pytest.warns(SplitWarning):
        folds = folds_of(TargetGroupKFold(2), y, ["g", "g", "h"])
    assert folds[0] != folds[2]


def test_too_few_speakers_are_counted():
    y = pd.DataFrame({"speaker": list("aabb"), "session": list("xxxx")})
    with pytest.raises(TargetError, match="only 2 labels of 'speaker'; use n_splits=2"):
        next(TargetGroupKFold(5).split(y, y))
    with pytest.raises(TargetError, match="only 1 labels of 'session'; this cannot be split"):
        next(TargetGroupKFold(2, on="session").split(y, y))


def test_one_column_of_another_name_is_not_taken_for_the_speaker(corpus):
    X, y = corpus
    for labels in (y["emotion"], y["speaker"].to_numpy()):
        with pytest.raises(TargetError, match="GroupKFold and groups, or on=None"):
            next(TargetGroupKFold(2).split(X, labels))
    assert (folds_of(TargetGroupKFold(2, on=None), y["emotion"]) >= 0).all()


def test_each_label_is_left_out_once_and_groups_join_labels():
    y = pd.DataFrame({"speaker": ["b", "a", None, "b", "c"]})
    says = "1 of 5 rows have no 'speaker'; they are on neither side of any split"
    with pytest.warns(SplitWarning, match=says):
        splits = list(TargetLeaveOneGroupOut().split(y, y))
    assert [test.tolist() for _, test in splits] == [[0, 3], [1], [4]]
    assert all(2 not in np.append(train, test) for train, test in splits)
    y = y.fillna("d")
    assert TargetLeaveOneGroupOut().get_n_splits(y, y) == 4
    groups = [1, 1, 2, 3, 4]  # a and b share a recording
    assert TargetLeaveOneGroupOut().get_n_splits(y, y, groups) == 3
    with pytest.raises(TargetError, match=r"there is 1 label of 'speaker'.*; add another one"):
        list(TargetLeaveOneGroupOut().split(y[:1], y[:1]))


@settings(max_examples=60, deadline=None)
@given(labels=st.lists(st.sampled_from("abcd"), min_size=2, max_size=20))
def test_leaving_a_label_out_learns_from_all_others(labels):
    assume(len(set(labels)) > 1)  # two are enough
    y = pd.DataFrame({"speaker": labels})
    splits = list(TargetLeaveOneGroupOut().split(np.zeros((len(y), 1)), y))
    assert len(splits) == len(set(labels))
    for train, test in splits:
        assert len(set(y["speaker"].iloc[test])) == 1
        assert sorted([*train, *test]) == list(range(len(y)))
        assert not set(y["speaker"].iloc[train]) & set(y["speaker"].iloc[test])


def test_leaving_labels_out_refuses_recordings_of_another_number(corpus):
    X, y = corpus
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        next(TargetLeaveOneGroupOut().split(X[:-1], y))


def test_leaving_labels_out_is_scikit_learns(corpus):
    _, y = corpus
    ours = {tuple(test) for _, test in TargetLeaveOneGroupOut().split(y, y)}
    theirs = LeaveOneGroupOut().split(y, groups=y["speaker"])
    assert ours == {tuple(test) for _, test in theirs}
    scores = cross_validate(
        DummyClassifier(), np.zeros((len(y), 1)), y[["speaker"]], cv=TargetLeaveOneGroupOut()
    )
    assert len(scores["test_score"]) == y["speaker"].nunique()


def test_repeats_draw_the_folds_again(corpus):
    _, y = corpus
    splitter = TargetStratifiedKFold(3, shuffle=True)
    repeated = RepeatedTargetKFold(splitter, 4, random_state=7)
    found = [tuple(test) for _, test in repeated.split(y, y)]
    assert len(found) == repeated.get_n_splits(y, y) == 12
    assert len(set(found)) > 9
    first = TargetStratifiedKFold(3, shuffle=True, random_state=7).split(y, y)
    assert found[:3] == [tuple(test) for _, test in first]
    assert found == [tuple(test) for _, test in repeated.split(y, y)]
    assert splitter.random_state is None
    drawn = RepeatedTargetKFold(splitter, 3, random_state=np.random.RandomState(7))
    assert len({tuple(test) for _, test in drawn.split(y, y)}) > 6
    wrapped = list(RepeatedTargetKFold(splitter, 2, random_state=2**32 - 1).split(y, y))
    assert [tuple(test) for _, test in wrapped[3:]] == [
        tuple(test)
        for _, test in TargetStratifiedKFold(3, shuffle=True, random_state=0).split(y, y)
    ], "seeds go up by one, and round at the end of their range"
    assert RepeatedTargetKFold(splitter).n_repeats == 10
    assert TargetGroupKFold().n_splits == TargetStratifiedKFold().n_splits == 5
    same = [
        [
            tuple(test)
            for _, test in RepeatedTargetKFold(
                splitter, 2, random_state=np.random.RandomState(3)
            ).split(y, y)
        ]
        for _ in range(2)
    ]
    assert same[0] == same[1]
    with pytest.raises(ValueError, match="inconsistent"):
        next(RepeatedTargetKFold(splitter, 2, random_state=0).split(y[:-1], y))


def test_repeats_keep_groups_together(corpus):
    _, y = corpus
    groups = np.arange(len(y)) // 3
    splitter = TargetStratifiedKFold(3, shuffle=True)
    for train, test in RepeatedTargetKFold(splitter, 2, random_state=0).split(y, y, groups):
        assert not set(groups[train]) & set(groups[test])


@pytest.mark.parametrize(
    ("splitter", "n", "said"),
    [
        (TargetStratifiedKFold(3), 2, "would all be the same; set shuffle=True"),
        (TargetStratifiedKFold(3, shuffle=True), 0, "n_repeats is 0"),
        (TargetLeaveOneGroupOut(), 2, "would all be the same"),
    ],
)
def test_senseless_repeats_are_refused(splitter, n, said):
    with pytest.raises(ValueError, match=said):
        RepeatedTargetKFold(splitter, n)


@pytest.mark.parametrize("splitter", [TargetStratifiedKFold, TargetGroupKFold])
def test_columns_are_chosen_by_name_and_what_is_absent_is_named(splitter, corpus):
    _, y = corpus
    alone = folds_of(splitter(3, on=None), y[["speaker"]])
    assert alone.tolist() == folds_of(splitter(3, on="speaker"), y).tolist()
    for on, absent in ((None, "None"), (["speaker", "room"], "'room'"), ([], r"\[\]")):
        says = (
            f"^the targets have no column {absent}; on can be one of 'speaker', 'emotion', 'age'$"
        )
        with pytest.raises(TargetError, match=says):
            next(splitter(3, on=on).split(y, y))
    with pytest.raises(TargetError, match=r"^a split reads the targets, but y is None; pass the"):
        next(splitter(3).split(np.zeros((4, 1))))
