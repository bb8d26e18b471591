"""Folds of the closed and of the disjoint protocol."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfmforensics.exceptions import SFMForensicsError, SplitWarning, TargetError
from sfmforensics.model_selection import fold_overlaps, make_splits, protocols_of


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 8), st.integers(2, 3), st.integers(0, 50), st.data())
def test_speakers_and_copies_are_where_the_protocol_says(n_speakers, folds, seed, data):
    speaker = np.repeat([f"s{i}" for i in range(n_speakers)], 6)
    target = pd.DataFrame({"speaker": speaker})
    copies = np.arange(len(target))
    for _ in range(data.draw(st.integers(0, 3))):
        a, b = data.draw(st.tuples(*[st.integers(0, len(target) - 1)] * 2))
        copies[copies == copies[a]] = copies[b]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SplitWarning)
        for protocol in ("closed", "disjoint"):
            try:
                splits = make_splits(target, protocol, folds=folds, seed=seed, copies=copies)
            except TargetError:
                assert protocol == "disjoint"  # copies have joined all speakers into one voice
                continue
            tested = np.concatenate([test for _, test in splits])
            assert sorted(tested) == list(range(len(target)))
            for train, test in splits:
                assert not set(copies[train]) & set(copies[test])
                shared = set(speaker[train]) & set(speaker[test])
                assert bool(shared) == (protocol == "closed")


def test_closed_has_every_speaker_on_both_sides_of_every_fold():
    target = pd.DataFrame({"speaker": np.repeat(list("abcd"), [5, 7, 11, 30])})
    for train, test in make_splits(target, "closed", folds=5, seed=3):
        assert set(target.speaker[train]) == set(target.speaker[test]) == set("abcd")


def test_speakers_who_share_a_copy_are_one_voice():
    target = pd.DataFrame({"speaker": list("aabbccdd")})
    copies = [0, 1, 0, 2, 3, 4, 5, 6]  # a and b have recording 0 in common
    for train, _ in make_splits(target, "disjoint", folds=3, copies=copies):
        assert ("a" in set(target.speaker[train])) == ("b" in set(target.speaker[train]))


def test_fewer_speakers_than_folds_leave_each_out_once():
    target = pd.DataFrame({"speaker": list("aaabbbccc")})
    with pytest.warns(SplitWarning, match="3 speakers cannot make 5 folds"):
        splits = make_splits(target, "disjoint", folds=5)
    assert sorted(set(target.speaker[test]).pop() for _, test in splits) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("target", "protocol", "folds", "says"),
    [
        ({"emotion": list("abab")}, "disjoint", 2, "needs a column 'speaker'"),
        ({"speaker": list("aaaa")}, "disjoint", 2, "two speakers or more, and there is 1"),
        ({"speaker": list("abab")}, "closed", 5, "5 folds of 4 recordings; use 2 to 4 folds"),
        ({"speaker": ["a"]}, "closed", 2, "2 folds of 1 recording; add recordings"),
        ({}, "closed", 2, "no column; give labels"),
    ],
)
def test_splits_that_cannot_be_made_are_refused(target, protocol, folds, says):
    with pytest.raises(TargetError, match=says):
        make_splits(pd.DataFrame(target), protocol, folds=folds)


def test_audit_counts_what_was_planted():
    target = pd.DataFrame({"speaker": [None, "a", "a", "b", "b", "c", "d"]})
    copies = [3, 0, 1, 0, 2, 2, 3]
    apart = [(np.array([0, 1, 2]), np.array([3, 4, 5, 6]))]
    found = fold_overlaps(
        target, copies, {"closed": apart, "disjoint": [(apart[0][0][1:], apart[0][1])]}
    )
    assert found["copies"] == 3
    assert found["aliases"] == [["a", "b", "c"]]
    assert found["left_out"] == 1
    assert found["shared_copies"] == {"closed": 2, "disjoint": 1}
    both = fold_overlaps(target, [0, 0, 1, 0, 2, 3, 4], {"closed": apart * 2})
    assert both["shared_copies"] == {"closed": 2}  # recording 3, whose two copies are in training
    assert both["left_out"] == 0, "under closed nobody is left out for want of a speaker"
    without = fold_overlaps(
        target.drop(columns="speaker").assign(age=1.0), copies, {"closed": apart}
    )
    assert (without["copies"], without["aliases"], without["left_out"]) == (3, [], 0)
    assert set(without) == {"copies", "aliases", "left_out", "shared_copies"}


def test_names_of_protocols():
    assert protocols_of("both") == ("closed", "disjoint")
    assert protocols_of("closed") == ("closed",)
    with pytest.raises(SFMForensicsError, match="open"):
        protocols_of("open")


def test_each_speaker_can_be_left_out_and_copies_join_two():
    target = pd.DataFrame({"speaker": list("aabbccdd")})
    splits = make_splits(target, "disjoint", folds="speakers", repeats=3)
    assert [test.tolist() for _, test in splits] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    joined = make_splits(target, "disjoint", folds="speakers", copies=[0, 1, 0, 2, 3, 4, 5, 6])
    assert len(joined) == 3
    assert len(make_splits(target, "closed", folds="speakers")) == 5


@pytest.mark.parametrize("protocol", ["closed", "disjoint"])
def test_repeats_begin_with_the_folds_of_the_seed_and_then_differ(protocol):
    target = pd.DataFrame({"speaker": np.repeat(list("abcdefgh"), 6)})
    once = make_splits(target, protocol, folds=3, seed=4)
    thrice = make_splits(target, protocol, folds=3, seed=4, repeats=3)
    assert len(thrice) == 9
    for (_, one), (_, other) in zip(once, thrice[:3], strict=True):
        np.testing.assert_array_equal(one, other)
    sides = {tuple(test) for _, test in thrice}
    assert len(sides) == 9
    for start in (0, 3, 6):
        tested = np.concatenate([test for _, test in thrice[start : start + 3]])
        assert sorted(tested) == list(range(48))


MANY = pd.DataFrame(
    {
        "age": np.tile([20.0, 30.0, 40.0], 20),
        "emotion": np.tile(["calm"] * 4 + ["angry"], 12),
        "speaker": np.repeat(list("abcdef"), 10),
    }
).astype({"emotion": object, "speaker": object})


def shares(splits, labels):
    return np.array(
        [[(labels[test] == name).sum() for name in labels.unique()] for _, test in splits]
    )


def test_closed_spreads_speakers_or_else_the_first_labels_or_else_the_first_numbers():
    assert (shares(make_splits(MANY, "closed"), MANY["speaker"]) == 2).all()
    found = shares(make_splits(MANY[["age", "emotion"]], "closed"), MANY["emotion"])
    assert np.ptp(found, axis=0).max() <= 1
    years = MANY[["age"]].assign(weight=np.arange(60.0))
    assert (shares(make_splits(years, "closed"), years["age"]) == 4).all()
    two = MANY[["emotion"]].assign(other=np.repeat(list("xy"), 30))[["emotion", "other"]]
    rare = two.assign(emotion=["angry"] * 5 + ["calm"] * 55)
    assert (shares(make_splits(rare, "closed"), rare["emotion"])[:, 0] == 1).all()


def test_disjoint_goes_by_speakers_whatever_other_columns_say():
    for folds in (3, "speakers"):
        for train, test in make_splits(MANY, "disjoint", folds=folds):
            assert not set(MANY["speaker"][train]) & set(MANY["speaker"][test])
            assert len(train) + len(test) == 60


def test_five_folds_of_seed_0_are_the_default():
    for protocol in ("closed", "disjoint"):
        ours = make_splits(MANY, protocol)
        assert len(ours) == 5
        for (_, test), (_, same) in zip(
            ours, make_splits(MANY, protocol, folds=5, seed=0), strict=True
        ):
            assert test.tolist() == same.tolist()
    assert len(make_splits(MANY, "closed", folds="speakers")) == 5


def test_as_many_folds_as_recordings_or_speakers_are_folds():
    assert len(make_splits(MANY[:4], "closed", folds=4)) == 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(make_splits(MANY, "disjoint", folds=6)) == 6
        two = MANY[MANY["speaker"].isin(["a", "b"])].reset_index(drop=True)
        assert len(make_splits(two, "disjoint", folds=2)) == 2


def test_speakers_who_share_a_copy_count_as_one_fold():
    copies = np.arange(60)
    copies[10] = 0  # of a and b
    with pytest.warns(SplitWarning, match="disjoint: 5 speakers cannot make 6 folds"):
        assert len(make_splits(MANY, "disjoint", folds=6, copies=copies)) == 5
    with pytest.raises(
        TargetError, match=r"two speakers or more, and there is 1; use --protocol closed$"
    ):
        make_splits(MANY[:20], "disjoint", folds=2, copies=np.zeros(20))


def test_what_cannot_be_split_says_how_it_could():
    with pytest.raises(
        TargetError, match=r"^the disjoint .*; the labels have age, emotion; use --protocol closed$"
    ):
        make_splits(MANY[["age", "emotion"]], "disjoint")
    with pytest.raises(TargetError, match=r"^3 folds of 2 recordings; use 2 to 2 folds$"):
        make_splits(MANY[:2], "closed", folds=3)
    nobody = MANY.assign(speaker=None)
    with pytest.raises(TargetError, match="and there is 0"):
        make_splits(nobody, "disjoint")


def test_an_alias_needs_two_names():
    target = pd.DataFrame({"speaker": list("aab")})
    assert fold_overlaps(target, [0, 0, 1], {})["aliases"] == []
    assert fold_overlaps(target, [0, 1, 1], {})["aliases"] == [["a", "b"]]
