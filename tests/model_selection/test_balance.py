"""Weights by which every kind of recording counts alike."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfmforensics.exceptions import TargetError
from sfmforensics.model_selection import balanced_weights, balancing_columns

LABELS = st.sampled_from(["joy", "fear", "calm", None])
CORPORA = st.sampled_from(["one", "two", None])


@given(st.lists(st.tuples(LABELS, CORPORA, st.sampled_from([0, 1, 2])), min_size=1, max_size=60))
def test_every_combination_has_the_same_total_weight(rows):
    frame = pd.DataFrame(rows, columns=["emotion", "corpus", "session"], dtype=object)
    weights = balanced_weights(frame)
    assert weights.mean() == pytest.approx(1)
    known = frame.notna().all(axis=1)
    assert (weights[~known] == 1).all()
    totals = {}
    for cell, weight in zip(frame[known].itertuples(index=False), weights[known], strict=True):
        totals.setdefault(cell, []).append(weight)
    for of_cell in totals.values():
        assert len(set(of_cell)) == 1
        assert sum(of_cell) == pytest.approx(known.sum() / len(totals))


@given(st.lists(st.tuples(LABELS, CORPORA), min_size=1, max_size=30), st.randoms())
def test_neither_the_order_of_recordings_nor_that_of_columns_matters(rows, random):
    frame = pd.DataFrame(rows, columns=["emotion", "corpus"], dtype=object)
    order = list(range(len(frame)))
    random.shuffle(order)
    shuffled = frame.iloc[order][["corpus", "emotion"]]
    assert np.array_equal(balanced_weights(shuffled), balanced_weights(frame)[order])


def test_of_labels_that_are_alike_already_all_weights_are_one():
    frame = pd.DataFrame({"emotion": ["joy", "fear"] * 7, "corpus": "one"})
    assert (balanced_weights(frame) == 1).all()
    assert balanced_weights(frame.iloc[:0]).shape == (0,)
    assert (balanced_weights(pd.DataFrame({"emotion": [None, None]})) == 1).all()


def test_columns_are_found_among_targets_and_details():
    target = pd.DataFrame({"emotion": ["joy", "fear"], "age": [31.0, 52.0]}, index=[7, 9])
    details = pd.DataFrame({"session": [1.0, np.nan], "emotion": ["x", "x"]})
    found = balancing_columns(["session", "emotion", "session"], target, details)
    assert found.columns.tolist() == ["session", "emotion"]
    assert found["emotion"].tolist() == ["joy", "fear"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["accent"], "no column 'accent' to balance by; there are emotion, session"),
        (["emotion", "age"], "column 'age' holds numbers.*there are emotion, session"),
        ([], r"balance is \[\]; give a list of columns"),
        ("emotion", "balance is 'emotion'; give a list of columns"),
    ],
)
def test_what_cannot_be_balanced_by(names, message):
    target = pd.DataFrame({"emotion": ["joy", "fear"], "age": [31.0, 52.0]})
    with pytest.raises(TargetError, match=message):
        balancing_columns(names, target, pd.DataFrame({"session": [1, 2]}))
    with pytest.raises(TargetError, match="there is none; name one or more"):
        balanced_weights(target[[]])
