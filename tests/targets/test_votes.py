import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold, train_test_split

from sfmforensics.exceptions import DatasetWarning, TargetError
from sfmforensics.targets import TargetCodec, Votes, as_frame, votes

MOSTLY = Votes("angry", {"angry": 2, "sad": 1})
RATERS = pd.DataFrame(
    {
        "anna": ["angry", "calm", None, "sad"],
        "ben": ["angry", "sad", None, None],
        "cem": ["sad", "calm", None, "sad"],
    }
)


def shares_of(column):
    return [None if label is None else dict(label.shares) for label in column]


def test_votes_are_their_label_to_all_that_know_nothing_of_them():
    assert MOSTLY == "angry"
    assert {MOSTLY: 1}["angry"] == 1
    assert sorted(["calm", MOSTLY, "Zorn"]) == ["Zorn", "angry", "calm"]
    assert f"{MOSTLY} {MOSTLY!r}" == "angry 'angry'"
    assert type(str(MOSTLY)) is str
    assert dict(MOSTLY.shares) == {"angry": 2 / 3, "sad": 1 / 3}
    with pytest.raises(TypeError):
        MOSTLY.shares["angry"] = 1.0


@pytest.mark.parametrize(
    "shares", [{}, {"a": 0}, {"a": -1, "b": 3}, {"a": float("nan")}, {"a": float("inf")}]
)
def test_what_nobody_can_have_voted_is_refused(shares):
    with pytest.raises(TargetError, match=r"^the votes for 'a' have .*; give each class a share"):
        Votes("a", shares)


@given(st.dictionaries(st.text(max_size=3), st.floats(1e-6, 1e6), min_size=1, max_size=5))
def test_pickles_and_copies_keep_the_shares_to_the_last_bit(shares):
    label = Votes(min(shares), shares)
    for other in (
        pickle.loads(pickle.dumps(label)),
        copy.copy(label),
        copy.deepcopy(label),
        Votes(label, label.shares),
    ):
        assert type(other) is Votes
        assert other == label
        assert other.shares == label.shares
    assert sum(label.shares.values()) == pytest.approx(1)


def test_pandas_and_joblib_keep_the_shares(tmp_path):
    column = votes(RATERS)
    frame = pd.DataFrame({"emotion": column, "age": [20.0, 30.0, 40.0, 50.0]})
    joblib.dump(frame, tmp_path / "frame.joblib")
    back = [
        frame.iloc[[3, 1]],
        frame.reset_index(drop=True).loc[[3, 1]],
        pd.concat([frame.iloc[3:], frame.iloc[1:2]], ignore_index=True),
        frame.copy(deep=True).take([3, 1]),
        joblib.load(tmp_path / "frame.joblib").iloc[[3, 1]],
        as_frame(frame).iloc[[3, 1]],
        as_frame(column).iloc[[3, 1]],
        as_frame(column.tolist()).iloc[[3, 1]],
        as_frame(column.to_numpy()).iloc[[3, 1]],
        as_frame(frame.to_numpy()[:, :2]).iloc[[3, 1]],
    ]
    for other in back:
        assert shares_of(other.iloc[:, 0]) == [{"sad": 1.0}, {"calm": 2 / 3, "sad": 1 / 3}]


def test_scikit_learn_splits_them_as_labels():
    labels = votes(pd.DataFrame({"a": list("xyxyxy"), "b": list("xyxyyx")}), list("xyxyxy"))
    for train, test in StratifiedKFold(2).split(np.zeros(6), labels):
        assert len(train) == len(test) == 3
    kept, _ = train_test_split(labels, stratify=labels.tolist(), random_state=0)
    assert all(isinstance(label, Votes) for label in kept)


def test_raters_are_counted_and_a_recording_without_a_vote_has_no_label():
    column = votes(RATERS)
    assert column.dtype == object
    assert column.tolist() == ["angry", "calm", None, "sad"]
    assert shares_of(column) == [
        {"angry": 2 / 3, "sad": 1 / 3},
        {"calm": 2 / 3, "sad": 1 / 3},
        None,
        {"sad": 1.0},
    ]


def test_shares_and_numbers_of_votes_say_the_same():
    counts = pd.DataFrame({"calm": [3, 0, 0], "sad": [1, 0, 2]})
    as_shares = counts.div(counts.sum(axis=1), axis=0)
    for frame in (counts, as_shares, 100 * as_shares, counts.replace(0, np.nan)):
        assert shares_of(votes(frame)) == [{"calm": 0.75, "sad": 0.25}, None, {"sad": 1.0}]


def test_a_tie_goes_to_the_label_with_more_votes_in_all_and_is_told():
    frame = pd.DataFrame({"a": list("xyzy"), "b": list("yyxz")})  # 2 x, 4 y, 2 z
    with pytest.warns(DatasetWarning, match=r"^3 of 4 recordings have as many .* is row 0"):
        column = votes(frame)
    assert column.tolist() == ["y", "y", "x", "y"]
    order = [3, 1, 0, 2]
    with pytest.warns(DatasetWarning):
        assert votes(frame.iloc[order]).tolist() == column.iloc[order].tolist()


def test_who_knows_the_label_decides_and_the_raters_have_the_shares():
    column = votes(RATERS, ["sad", None, "calm", "sad"])
    assert column.tolist() == ["sad", None, "calm", "sad"]
    assert shares_of(column)[0] == {"angry": 2 / 3, "sad": 1 / 3}
    assert shares_of(column)[2] == {"calm": 1.0}


def test_columns_that_cannot_be_votes_are_refused():
    with pytest.raises(TargetError, match="columns of numbers and others of text"):
        votes(pd.DataFrame({"anna": ["calm"], "sad": [0.5]}))
    with pytest.raises(TargetError, match=r"column 'sad' has -0\.5 in row 1"):
        votes(pd.DataFrame({"calm": [1, 1], "sad": [0.5, -0.5]}))
    with pytest.raises(TargetError, match="two columns are the votes for '1'"):
        votes(pd.DataFrame({1: [0.5], "1": [0.5]}))
    with pytest.raises(TargetError, match="no column"):
        votes(pd.DataFrame(index=range(3)))
    with pytest.raises(ValueError, match="inconsistent"):
        votes(RATERS, ["calm"])


def test_a_codec_gives_shares_only_if_asked_and_knows_minorities_only_then():
    y = pd.DataFrame({"age": [1.0, 2.0, 3.0, 4.0], "emotion": votes(RATERS)})
    y["emotion"] = pd.Series(
        [MOSTLY, Votes("calm", {"calm": 3, "fear": 1}), None, "sad"], dtype=object
    )
    labels = TargetCodec().fit(y)
    assert labels.voted_ == []
    assert labels.shares(y).shape == (4, 0)
    assert labels.classes_[0].tolist() == ["angry", "calm", "sad"]
    assert all(type(label) is str for label in labels.classes_[0])
    codec = TargetCodec().fit(y, votes=True)
    assert codec.voted_ == [1]
    assert codec.classes_[0].tolist() == ["angry", "calm", "fear", "sad"]
    np.testing.assert_allclose(
        codec.shares(y),
        [[2 / 3, 0, 0, 1 / 3], [0, 0.75, 0.25, 0], [0, 0, 0, 0], [0, 0, 0, 1]],
        rtol=1e-6,
    )
    assert codec.encode(y)[:, 1].tolist()[:2] == [0.0, 1.0]
    assert codec.shares_at(6) == {1: 2}


def test_votes_for_classes_that_were_not_learnt_are_left_out():
    codec = TargetCodec().fit(pd.Series([MOSTLY, "sad"], dtype=object), votes=True)
    new = [
        Votes("sad", {"sad": 1, "fear": 3}),
        Votes("sad", {"fear": 3}),
        Votes("fear", {"sad": 1}),
    ]
    shares = codec.shares(pd.Series(new, dtype=object))
    assert shares.tolist()[:2] == [[0, 1], [0, 1]]
    assert np.isnan(codec.encode(pd.Series(new, dtype=object))[2, 0])
