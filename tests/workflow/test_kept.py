"""What was computed is kept; the log says what was."""

import json
import logging
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.svm import SVC

from sfmforensics._utils.log import JsonLines, event, logging_to
from sfmforensics._utils.plain import pack, unpack
from sfmforensics._utils.store import ResultStore, digest
from sfmforensics.exceptions import CacheWarning, ModelFileError, OutputError
from sfmforensics.experiment import evaluate
from sfmforensics.model_selection import make_splits
from sfmforensics.presets import make_estimator
from sfmforensics.targets import Votes

pytestmark = pytest.mark.slow

SEARCH = {"classifier": [SVC(C=1), SVC(C=10)]}


@pytest.fixture
def watched(monkeypatch):
    """Folds that were computed, as they are."""
    from sfmforensics.experiment import _evaluate

    seen, run = [], _evaluate._run_fold

    def running(model, protocol, *others, **shared):
        seen.append(protocol)
        return run(model, protocol, *others, **shared)

    monkeypatch.setattr(_evaluate, "_run_fold", running)
    return seen


def evaluated(table, keep, **options):
    X, y = table
    models = options.pop("models", None) or {
        "svm": make_estimator("svm"),
        "tango": make_estimator("tango", "tuned", max_epochs=1, n_members=1, random_state=0),
    }
    splits = {name: make_splits(y, name, folds=2) for name in ("closed", "disjoint")}
    return evaluate(X, y, models, splits, views="first+second", keep=keep, **options)


def same(first, second):
    pd.testing.assert_frame_equal(first.scores, second.scores, check_exact=True)
    for model in first.predictions:
        pd.testing.assert_frame_equal(first.predictions[model], second.predictions[model])
    for key, folds in first.trials.items():
        for one, other in zip(folds, second.trials[key], strict=True):
            for part in ("scores", "same", "first", "second"):
                np.testing.assert_array_equal(getattr(one, part), getattr(other, part))


def test_folds_that_are_done_are_not_computed_again(table, tmp_path, watched):
    first = evaluated(table, tmp_path)
    assert len(watched) == 8
    again = evaluated(table, tmp_path)
    assert len(watched) == 8
    same(first, again)
    same(first, evaluated(table, None))
    fitted = again.fitted["tango", "disjoint"]
    np.testing.assert_array_equal(
        fitted.transform(table[0]), first.fitted["tango", "disjoint"].transform(table[0])
    )
    assert ("svm", "closed") not in again.fitted, "only code could have kept it"


@pytest.mark.parametrize(
    "change",
    [
        lambda X, y: (X + np.float32(1e-3), y),
        lambda X, y: (X, y.assign(age=y["age"] + 1)),
        lambda X, y: (X, y.assign(emotion=y["emotion"].to_numpy()[::-1])),
    ],
)
def test_other_data_is_another_experiment(change, table, tmp_path, watched):
    evaluated(table, tmp_path)
    other = change(*table)
    found = evaluated(other, tmp_path)
    assert len(watched) == 16
    same(found, evaluated(other, None))


def test_other_votes_for_the_same_labels_are_another_experiment(table, tmp_path, watched):
    X, y = table
    tango = make_estimator("tango", "tuned", max_epochs=1, n_members=1, random_state=0)
    for number in (1, 2, 3, 3):
        labels = [label and Votes(label, {label: number, "other": 1}) for label in y["emotion"]]
        voted = y.assign(emotion=pd.Series(labels, dtype=object, index=y.index))
        evaluated((X, voted), tmp_path, models={"tango": tango})
    assert len(watched) == 12


def test_other_settings_are_another_experiment(table, tmp_path, watched):
    for seed in (0, 1):
        svm = {"svm": make_estimator("svm").set_params(classifier=SVC(C=1 + seed))}
        evaluated(table, tmp_path, models=svm)
    assert len(watched) == 8


def test_versions_are_part_of_the_experiment(table, tmp_path, watched, monkeypatch):
    from sfmforensics.experiment import _checkpoints

    svm = {"svm": make_estimator("svm")}
    evaluated(table, tmp_path, models=svm)
    monkeypatch.setattr(_checkpoints, "versions", lambda: {"torch": "1.0"})
    evaluated(table, tmp_path, models=svm)
    assert len(watched) == 8


def test_what_only_code_could_keep_is_computed_again(table, tmp_path, watched):
    svm = {"svm": make_estimator("svm")}
    first = evaluated(table, tmp_path, models=svm, search=SEARCH)
    same(first, evaluated(table, tmp_path, models=svm, search=SEARCH))
    assert len(watched) == 8


def test_a_lost_model_is_fitted_again(table, tmp_path, watched):
    first = evaluated(table, tmp_path)
    for number, file in enumerate(sorted(tmp_path.glob("*.safetensors"))):
        if number:
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:-1])
    same(first, evaluated(table, tmp_path))
    assert len(watched) == 10


def test_where_nothing_can_be_kept_that_is_said_once(tmp_path):
    (tmp_path / "file").write_text("")
    store = ResultStore(tmp_path / "file" / "folder")
    with pytest.warns(CacheWarning, match="going on") as caught:
        store.write("a", "key", 1)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.write("b", "key", 1)
    assert store.read("a", "key") is None


JSONABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda part: (
        st.lists(part)
        | st.lists(part).map(tuple)
        | st.dictionaries(st.text() | st.integers(), part)
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(value=JSONABLE)
def test_plain_values_come_back_as_they_were(value):
    found = unpack(json.loads(json.dumps(pack(value, "it"))))
    assert found == value
    assert type(found) is type(value)


@settings(max_examples=200, deadline=None)
@given(
    value=hnp.arrays(
        st.sampled_from(["<f4", "<f8", "<i8", "<u2", "?", "<U5", ">f8"]),
        st.integers(0, 150).map(lambda n: (n,)),
    )
)
def test_arrays_come_back_to_the_last_bit(value):
    found = unpack(json.loads(json.dumps(pack(value, "it"))))
    assert found.dtype == value.dtype
    if value.dtype.kind == "f" and np.isnan(value).any():
        np.testing.assert_array_equal(found, value)
    else:
        assert found.tobytes() == value.tobytes()


@pytest.mark.parametrize("value", [object(), {"a": print}, [1j], np.zeros((2, 2)), {1, 2}])
def test_what_is_not_plain_is_refused_by_name(value):
    with pytest.raises(ModelFileError, match="the thing is a"):
        pack(value if not isinstance(value, dict) else value["a"], "the thing")


def test_digests_do_not_mix_up_parts():
    assert digest("a", "b") != digest("ab")
    assert digest(np.zeros(2)) != digest(np.zeros(2, dtype=np.float32))
    assert digest(make_estimator("svm")) == digest(make_estimator("svm"))
    assert digest({"a": 1}) != digest({"a": 2})


# -- the log ---------------------------------------------------------------------------------


def test_the_package_is_silent_unless_somebody_listens(capfd):
    event(logging.getLogger("sfmforensics.anything"), "happened", logging.ERROR)
    assert capfd.readouterr() == ("", "")


def test_lines_are_json_whatever_is_told(tmp_path):
    logger = logging.getLogger("sfmforensics.test")
    with logging_to(tmp_path / "log"):
        event(logger, "odd", path="a\nb\udcff", array=np.float32(1), bad=float("nan"))
        try:
            raise ValueError("no")
        except ValueError:
            logger.exception("failed")
    event(logger, "not in it")
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["odd", "failed"]
    assert lines[0]["path"] == "a\nb\udcff"
    assert "ValueError: no" in lines[1]["traceback"]
    assert lines[0]["time"].endswith("+00:00")


def test_a_log_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(OutputError, match="nowhere"), logging_to(tmp_path / "nowhere" / "log"):
        pass
    assert JsonLines().format(logging.makeLogRecord({"msg": "x"})).startswith('{"time"')
