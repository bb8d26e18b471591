"""Folds as they are drawn beneath the splitters, and the rows that training keeps back."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, PredefinedSplit, ShuffleSplit, StratifiedKFold

from sfmforensics.exceptions import SplitWarning, TargetError
from sfmforensics.model_selection import TargetGroupKFold
from sfmforensics.model_selection._folds import (
    _can_judge,
    _give_back_last_labels,
    _spread_by_label,
    balance,
    held_out,
    spread,
    strata,
)

BITS = np.array([True, False])


def rng(seed=0):
    return np.random.RandomState(seed)


# -- which column is spread --------------------------------------------------------------------


def counts(folds, labels):
    return pd.crosstab(folds, np.asarray(labels)).to_numpy()


def test_the_column_whose_labels_repeat_most_is_spread():
    twice, often = np.arange(40) // 2, np.arange(40) % 4
    for columns in (["a", "b"], ["b", "a"]):
        y = pd.DataFrame({"a": twice, "b": often}, dtype=object)[columns]
        # Of 20 labels both rows are told apart, rather than of 4 all ten.
        assert counts(_spread_by_label(y, 2, rng()), twice).min() == 1
    some = np.where(np.arange(40) < 30, np.arange(40), 99)  # ten rows share a label
    folds = _spread_by_label(pd.DataFrame({"a": some, "b": often}).astype(object), 4, rng())
    assert np.ptp(counts(folds, often), axis=0).max() <= 1


def test_labels_that_repeat_go_before_numbers_that_do():
    # Of numbers every bin repeats, so they have the higher count; labels are spread all the same.
    y = pd.DataFrame(
        {"age": np.arange(40) * 1.0, "who": [*range(20), *(["a"] * 10), *(["b"] * 10)]}
    )
    for columns in (["age", "who"], ["who", "age"]):
        found = []
        for seed in range(5):
            folds = _spread_by_label(y[columns], 5, rng(seed))
            found.append(np.ptp(counts(folds[20:], y["who"][20:]), axis=0).max())
        assert max(found) <= 1


def test_where_no_label_repeats_numbers_are_spread():
    y = pd.DataFrame({"who": list(map(str, range(40))), "age": np.repeat([20.0, 60.0], 20)})
    folds = _spread_by_label(y, 5, rng())
    assert (counts(folds, y["age"]) == 4).all()


def test_the_spread_is_drawn_by_the_generator():
    y = pd.DataFrame({"who": np.repeat(list("abcd"), 10)})
    one, again, other = (_spread_by_label(y, 5, rng(seed)).tolist() for seed in (0, 0, 1))
    assert one == again != other


# -- labels that nobody would learn ------------------------------------------------------------


def given_back(labels, held):
    held = np.array(held, dtype=bool)
    frame = pd.DataFrame({"y": labels}) if not isinstance(labels, pd.DataFrame) else labels
    _give_back_last_labels(frame, held)
    return held.astype(int).tolist()


def test_a_label_that_only_rows_kept_back_have_is_learnt():
    labels = ["a", "a", "b", "b", None, "c"]
    assert given_back(labels, [1, 0, 1, 1, 1, 0]) == [1, 0, 0, 0, 1, 0]
    # The first label counts as every other does.
    assert given_back(labels, [1, 1, 1, 0, 0, 0]) == [0, 0, 1, 0, 0, 0]
    assert given_back(labels, [0, 0, 0, 0, 0, 1]) == [0, 0, 0, 0, 0, 0]


def test_twice_is_enough_to_be_a_label_and_once_each_is_none():
    assert given_back(["a", "b", "c"], [1, 0, 0]) == [1, 0, 0], "names of the recordings, perhaps"
    assert given_back(["a", "b", "b"], [1, 0, 0]) == [0, 0, 0]


def test_numbers_need_no_row_of_their_own():
    assert given_back(np.array([1.0, 1.0, 2.0, 2.0]), [0, 0, 1, 1]) == [0, 0, 1, 1]


def test_every_column_of_labels_counts():
    frame = pd.DataFrame({"x": list("aabb"), "y": list("cdcd"), "z": [1.0, 1.0, 2.0, 2.0]})
    assert given_back(frame, [0, 1, 0, 1]) == [0, 0, 0, 0]
    assert given_back(frame, [0, 0, 0, 1]) == [0, 0, 0, 1]


@settings(max_examples=100)
@given(
    rows=st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.booleans()), min_size=3),
)
def test_after_giving_back_every_label_can_be_learnt(rows):
    labels, before = zip(*rows, strict=True)
    after = np.array(given_back(list(labels), before), dtype=bool)
    assert not (after & ~np.array(before)).any(), "nothing more is kept back"
    column = pd.Series(labels, dtype=object)
    if column.value_counts().max() > 1:
        assert set(column[~after].dropna()) == set(column.dropna())


# -- balance and strata ------------------------------------------------------------------------


@settings(max_examples=100)
@given(sizes=st.lists(st.integers(1, 30), min_size=4, max_size=30), n=st.integers(2, 4))
def test_groups_are_dealt_to_the_smallest_fold(sizes, n):
    folds = balance(np.array(sizes), n, None)
    totals = np.bincount(folds, weights=sizes, minlength=n)
    assert set(folds) == set(range(n))
    # Of greedy dealing, largest first: no fold exceeds another by more than its last group.
    assert np.ptp(totals) <= max(sizes)


@settings(max_examples=60)
@given(labels=st.lists(st.integers(0, 5), min_size=6, max_size=60), n=st.integers(2, 5))
def test_rows_alone_are_spread_within_one(labels, n):
    codes = np.unique(labels, return_inverse=True)[1]
    folds = spread(codes, np.arange(len(labels)), n, rng())
    table = pd.crosstab(folds, codes).reindex(range(n), fill_value=0).to_numpy()
    assert np.ptp(table, axis=0).max() <= 1
    assert np.ptp(table.sum(axis=1)) <= 1


def test_numbers_are_cut_at_their_quantiles_and_labels_are_not():
    few, many = np.array([1.0, 2.0, 3.0] * 10), np.arange(30) * 1.0
    assert len(set(strata(pd.DataFrame({"x": few}), 3))) == 3
    assert np.bincount(strata(pd.DataFrame({"x": many}), 3)).tolist() == [10, 10, 10]
    assert len(set(strata(pd.DataFrame({"x": many}).astype(int), 3))) == 30
    both = pd.DataFrame({"x": few, "y": ["a"] * 15 + ["b"] * 15})
    assert len(set(strata(both, 3))) == 6


@pytest.mark.parametrize("first", BITS)
def test_infinite_numbers_are_the_last_bins(first):
    values = [-np.inf] * 10 + list(range(10)) + [np.inf] * 10
    codes = strata(pd.DataFrame({"x": values if first else values[::-1]}), 3)
    assert np.bincount(codes).tolist() == [10, 10, 10]


def test_groups_of_one_size_are_dealt_in_turn():
    assert balance(np.ones(200, dtype=int), 3, None).tolist() == (np.arange(200) % 3).tolist()


def test_distinct_numbers_as_many_as_bins_are_labels():
    values = pd.DataFrame({"x": [1.0] * 10 + [2.0, 3.0]})
    assert np.bincount(strata(values, 3)).tolist() == [10, 1, 1]


def test_a_number_that_most_have_does_not_stand_in_the_way():
    values = pd.DataFrame({"x": [0.0] * 20 + list(range(1, 21))})
    assert np.bincount(strata(values, 4)).tolist() == [20, 10, 10]


# -- what training keeps back ------------------------------------------------------------------


def test_what_is_kept_back_depends_on_the_seed_and_not_always_on_the_largest_group():
    speaker = np.repeat([0, 1, 2, 3, 4, 5], [40, 4, 4, 4, 4, 4])
    kept = set()
    for seed in range(20):
        rng = np.random.RandomState(seed)
        y = pd.DataFrame({"speaker": speaker, "age": 1.0 * speaker})
        _, valid = held_out(None, y, 0.2, speaker, rng, np.arange(60))
        kept.add(tuple(np.unique(speaker[valid])))
    assert len(kept) > 3
    assert any(0 not in groups for groups in kept)


@pytest.mark.parametrize("share", [0.01, 0.026, 0.04, 0.1, 0.35, 0.4, 0.45, 0.7, 0.9, 0.98])
@pytest.mark.parametrize("grouped", [False, True])
def test_the_share_is_what_was_asked_for(share, grouped):
    y = pd.DataFrame({"a": np.repeat(np.arange(20), 100), "b": np.arange(2000) // 10})
    rng = np.random.RandomState(0)
    groups = y["b"] if grouped else None
    y = y if grouped else y[["a"]]
    train, valid = held_out(None, y, share, groups, rng, np.arange(2000))
    less = min(share, 1 - share)
    assert len(valid) / 2000 == pytest.approx(share, abs=0.1 * less)
    assert sorted([*train, *valid]) == list(range(2000))


ALL = np.arange(40)
WHO = pd.DataFrame({"who": np.repeat(list("abcd"), 10), "age": np.repeat([20.0, 30, 40, 50], 10)})
WHO = WHO.astype({"who": object})


def test_of_every_label_the_same_share_is_kept_back_and_rows_that_do_not_count_are_nowhere():
    train, valid = held_out(None, WHO, 0.2, None, rng(), ALL)
    assert WHO["who"][valid].value_counts().tolist() == [2, 2, 2, 2]
    assert sorted([*train, *valid]) == ALL.tolist()
    used = ALL[5:35]
    train, valid = held_out(None, WHO, 0.2, None, rng(), used)
    assert sorted([*train, *valid]) == used.tolist()
    assert len(valid) == 6


def test_groups_are_whole_on_one_side_also_among_the_rows_that_count():
    groups = ALL // 4
    seen = set()
    for seed in range(10):
        used = ALL[2:]
        train, valid = held_out(None, WHO[["age"]], 0.3, groups, rng(seed), used)
        assert not set(groups[train]) & set(groups[valid])
        assert sorted([*train, *valid]) == used.tolist()
        assert 6 <= len(valid) <= 16
        seen.add(tuple(valid))
    assert len(seen) > 5


def test_of_a_splitter_the_first_split_is_taken():
    own = ShuffleSplit(3, test_size=0.25, random_state=5)
    train, valid = held_out(np.zeros((40, 1)), WHO, own, None, rng(), ALL[:30])
    expected = next(own.split(ALL))
    assert train.tolist() == [row for row in expected[0] if row < 30]
    assert valid.tolist() == [row for row in expected[1] if row < 30]
    without = ShuffleSplit(1)
    found = [held_out(np.zeros((40, 1)), WHO, without, None, rng(s), ALL)[1] for s in (0, 0, 1)]
    assert found[0].tolist() == found[1].tolist() != found[2].tolist()
    assert without.random_state is None, "the splitter itself is as it was"
    grouped = GroupKFold(4)
    _, valid = held_out(np.zeros((40, 1)), WHO[["age"]], grouped, WHO["who"], rng(), ALL)
    assert len(set(WHO["who"][valid])) == 1


@pytest.mark.parametrize(
    ("validation", "groups", "says"),
    [
        (
            GroupKFold(2),
            None,
            r"^validation=GroupKFold\(.*\) cannot split these recordings \(The 'groups' .*\); pass "
            r"the groups that it asks for to fit, or use one that reads targets of several "
            r"columns: TargetStratifiedKFold or TargetGroupKFold of sfmforensics\.model_selection$",
        ),
        (
            StratifiedKFold(2),
            np.zeros(40),
            r"cannot split these recordings .*\); use one that reads",
        ),
        (
            PredefinedSplit(np.full(40, -1)),
            None,
            r"gives no split; keep some recordings back$",
        ),
        (TargetGroupKFold(9, on="who"), None, r"n_splits=9, but there are only 4"),
    ],
)
def test_a_splitter_that_cannot_split_says_why(validation, groups, says):
    with pytest.raises(TargetError, match=says):
        held_out(np.zeros((40, 1)), WHO, validation, groups, rng(), ALL)


@pytest.mark.parametrize(
    ("y", "validation", "groups", "used", "says"),
    [
        (
            WHO[["who"]],
            0.25,
            WHO["who"],
            ALL,
            r"^early stopping with validation=0\.25 leaves no recording to judge by with a label "
            r"that was learnt; every task needs two labels in two groups, or set "
            r"early_stopping=False$",
        ),
        (WHO, 0.25, np.zeros(40), ALL, r"leaves 0 recordings to learn from and 40 to judge by"),
        (
            WHO.assign(once=[1.0] + [None] * 39)[["who", "once"]],
            PredefinedSplit(np.r_[0, np.full(39, -1)]),
            None,
            ALL,
            r"leaves no label of 'once' to learn from; every task needs two labels, or set",
        ),
        (
            WHO,
            PredefinedSplit(np.r_[np.full(39, -1), 0]),
            None,
            ALL[:39],
            r"leaves 39 recordings to learn from and 0 to judge by",
        ),
    ],
)
def test_sides_that_cannot_teach_or_judge_are_refused(y, validation, groups, used, says):
    with pytest.raises(TargetError, match=says):
        held_out(np.zeros((40, 1)), y, validation, groups, rng(), used)


def test_a_task_without_any_label_does_not_stand_in_the_way():
    y = WHO.assign(nothing=None)
    _, valid = held_out(None, y, 0.25, None, rng(), ALL)
    assert len(valid) == 10


def test_judged_by_numbers_or_by_classes_that_are_learnt():
    y = pd.DataFrame({"who": ["a", "a", "b", None], "age": [None, None, None, 30.0]})
    y["age"] = y["age"].astype(float)
    train, others = np.array([0]), np.array([1, 2, 3])
    assert _can_judge(y, train, others[:1])  # a is learnt
    assert not _can_judge(y, train, others[1:2])  # b is not
    assert _can_judge(y, train, others[2:])  # a number needs no class
    assert not _can_judge(y[["who"]], train, others[2:])


def test_a_row_without_a_group_is_neither_learnt_from_nor_judged_by():
    groups = pd.Series(ALL // 4, dtype=object)
    groups[::5] = None
    for validation in (0.3, TargetGroupKFold(2, on="who")):
        with pytest.warns(SplitWarning, match=f"of {len(ALL)} recordings have no group"):
            train, valid = held_out(ALL[:, None], WHO, validation, groups, rng(0), ALL)
        assert not set(train) & set(range(0, len(ALL), 5))
        assert not set(valid) & set(range(0, len(ALL), 5))
        assert len(train) + len(valid) == groups.notna().sum()
    with pytest.raises(TargetError, match="no recording has a group; give each"):
        held_out(None, WHO[["age"]], 0.3, [None] * len(ALL), rng(0), ALL)
