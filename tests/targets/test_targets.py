import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfmforensics.exceptions import TargetError
from sfmforensics.targets import TargetCodec, task_kind


def answers(codec, y):
    """What a network that is always right would say."""
    encoded, outputs = codec.encode(y), []
    for column, (kind, width) in enumerate(zip(codec.kinds_, codec.widths_, strict=True)):
        values = encoded[:, [column]]
        outputs.append(values if kind == "regression" else np.eye(width)[values[:, 0].astype(int)])
    return outputs


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pd.Series([1.0, 2.5]), "regression"),
        (pd.Series([1, 2]), "classification"),
        (pd.Series([1, None], dtype="Int64"), "classification"),
        (pd.Series([1, None], dtype="Float64"), "regression"),
        (pd.Series(["a", None]), "classification"),
        (pd.Series(["a", "b"], dtype="category"), "classification"),
        (pd.Series([True, False]), "classification"),
    ],
)
def test_kind_goes_by_dtype(column, kind):
    assert task_kind(column) == kind


def test_tasks_overrides_the_dtype():
    y = pd.DataFrame({"age": [20, 30], "level": [1.0, 2.0]})
    codec = TargetCodec({"age": "regression", "level": "classification"}).fit(y)
    assert codec.kinds_ == ["regression", "classification"]


LABELS = {
    "str": st.sampled_from(["a", "b", "ü", "01"]),
    "int": st.integers(-3, 3),
    "bool": st.booleans(),
    "float": st.floats(-1e3, 1e3).map(lambda x: round(x, 3)),
}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_right_answer_comes_back_in_the_form_of_the_targets(data):
    kinds = data.draw(st.lists(st.sampled_from(sorted(LABELS)), min_size=1, max_size=6))
    n = data.draw(st.integers(1, 20))
    columns = {
        f"t{i}": data.draw(st.lists(LABELS[kind], min_size=n, max_size=n))
        for i, kind in enumerate(kinds)
    }
    y = pd.DataFrame(columns)
    codec = TargetCodec().fit(y)
    decoded = codec.decode(codec.settle(answers(codec, y)), index=y.index)
    assert decoded.columns.tolist() == y.columns.tolist()
    for name, kind in zip(y, kinds, strict=True):
        if kind == "float":
            np.testing.assert_allclose(decoded[name], y[name], rtol=1e-3, atol=1e-3)
        else:
            assert decoded[name].tolist() == y[name].tolist()


@pytest.mark.parametrize(
    "y",
    [
        np.array(["a", "b", "a"]),
        np.array([3, 1, 1]),
        np.array([[1, 0], [0, 1], [1, 1]]),
        np.array([["a", 1.5], ["b", 2.5], ["a", 3.5]], dtype=object),
        pd.Series(["x", "y", "x"], name="label"),
    ],
)
def test_arrays_come_back_as_arrays(y):
    codec = TargetCodec().fit(y)
    decoded = codec.decode(codec.settle(answers(codec, y)))
    assert isinstance(decoded, np.ndarray)
    assert decoded.shape == np.shape(y)
    flat = zip(decoded.ravel(), np.asarray(y).ravel(), strict=True)
    assert all(a == b or float(a) == pytest.approx(float(b)) for a, b in flat)


def test_missing_labels_are_encoded_as_missing_and_do_not_move_the_mean():
    y = pd.DataFrame({"gender": ["f", None, "m", np.nan], "age": [20.0, np.nan, 40.0, 30.0]})
    codec = TargetCodec().fit(y)
    encoded = codec.encode(y)
    assert np.isnan(encoded[:, 0]).tolist() == [False, True, False, True]
    assert np.isnan(encoded[:, 1]).tolist() == [False, True, False, False]
    assert codec.center_[1] == 30
    assert codec.classes_[0].tolist() == ["f", "m"]


def test_a_label_that_was_not_in_fit_is_encoded_as_missing():
    codec = TargetCodec().fit(pd.DataFrame({"speaker": ["1", "2"]}))
    assert np.isnan(codec.encode(pd.DataFrame({"speaker": ["3"]}))).all()


def test_categories_and_nullable_integers_come_back_plain():
    y = pd.DataFrame(
        {
            "a": pd.Series(["x", "y"], dtype="category"),
            "b": pd.Series([1, 2], dtype="Int64"),
        }
    )
    codec = TargetCodec().fit(y)
    assert [c.tolist() for c in codec.classes_] == [["x", "y"], [1, 2]]
    assert codec.classes_[1].dtype == np.int64


def test_a_constant_number_is_given_back():
    y = pd.DataFrame({"age": [30.0, 30.0]})
    codec = TargetCodec().fit(y)
    assert codec.decode(codec.settle(answers(codec, y)))["age"].tolist() == [30.0, 30.0]


@pytest.mark.parametrize(
    ("y", "tasks", "says"),
    [
        (pd.DataFrame({"age": [np.nan, np.nan]}), "auto", "'age' holds no label"),
        (pd.DataFrame({"age": [1.0, np.inf]}), "auto", "'age' holds an infinite number"),
        (pd.DataFrame({"age": ["x", "y"]}), {"age": "regression"}, "'age' is learnt as numbers"),
        (pd.DataFrame({"age": [1.0]}), {"years": "regression"}, "names 'years'"),
        (pd.DataFrame({"age": [1.0]}), {"age": "ranking"}, "'ranking'"),
        (pd.DataFrame({"age": [1.0]}), "ranking", 'use "auto"'),
    ],
)
def test_refusals_name_the_column(y, tasks, says):
    with pytest.raises(TargetError, match=says):
        TargetCodec(tasks).fit(y)


def test_lists_of_several_types_keep_them():
    mixed = TargetCodec().fit([["a", 31.0], ["b", 40.0], ["a", None]])
    assert mixed.kinds_ == ["classification", "regression"]
    gaps = TargetCodec().fit(["a", "b", float("nan"), None])
    assert gaps.classes_[0].tolist() == ["a", "b"]
    assert TargetCodec().fit([1, 2, None]).classes_[0].tolist() == [1, 2]
    assert TargetCodec().fit([1.5, None, 2.5]).kinds_ == ["regression"]
    assert TargetCodec().fit([True, False]).classes_[0].tolist() == [False, True]


def test_two_columns_of_one_name_are_refused():
    twice = pd.DataFrame([["a", "b"]], columns=["emotion", "emotion"])
    with pytest.raises(TargetError, match="two columns called 'emotion'"):
        TargetCodec().fit(twice)


def test_a_number_that_hardly_varies_is_constant():
    codec = TargetCodec().fit(pd.DataFrame({"age": np.full(60, 0.1)}))
    assert codec.scale_.tolist() == [1]


def test_continuous_numbers_are_no_classes():
    with pytest.raises(TargetError, match="'age' holds continuous numbers"):
        TargetCodec("classification").fit(pd.DataFrame({"age": [20.5, 30.0]}))
    codec = TargetCodec("classification").fit(pd.DataFrame({"age": [20.0, None, 30.0]}))
    assert codec.classes_[0].tolist() == [20, 30]


def test_objects_that_are_floats_are_numbers_in_any_container():
    rows = [["a", 31.5], ["b", None], ["a", pd.NA]]
    for y in (rows, np.array(rows, dtype=object), pd.DataFrame(rows, dtype=object)):
        codec = TargetCodec().fit(y)
        assert codec.kinds_ == ["classification", "regression"]
    assert TargetCodec().fit(pd.Series([1.5, pd.NA], dtype=object)).kinds_ == ["regression"]


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_numbers_of_any_size_keep_it(size):
    y = pd.DataFrame({"age": size * np.arange(5)})
    codec = TargetCodec().fit(y)
    encoded = codec.encode(y).astype(np.float64)
    assert encoded.std() == pytest.approx(1)
    np.testing.assert_allclose(codec.decode(encoded)["age"] / size, np.arange(5), atol=1e-6)
