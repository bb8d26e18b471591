"""All measures of comparisons read and refuse scores and labels alike."""

import inspect

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfmforensics import metrics
from sfmforensics.evidence._posteriors import least_confidence
from sfmforensics.exceptions import ParameterError, ReportError
from sfmforensics.metrics import (
    Trials,
    cllr,
    cllr_cal,
    cllr_min,
    detection_errors,
    empirical_cross_entropy,
    equal_error_rate,
    min_dcf,
    pav_log10_lr,
    risk_coverage,
)
from sfmforensics.metrics._trials import checked_labels, checked_scores
from sfmforensics.report import displays


def as_trials(scores, same):
    rows = np.arange(np.size(scores))
    return Trials(scores, same, rows, rows)


def drawn(display):
    def measure(scores, same):
        found = display.from_predictions(scores, same)
        import matplotlib.pyplot as plt

        plt.close(found.figure_)
        return found

    return measure


MEASURES = {
    measure.__name__: measure
    for measure in (
        *(cllr, cllr_cal, cllr_min, detection_errors, empirical_cross_entropy),
        *(equal_error_rate, min_dcf, pav_log10_lr),
    )
}
DISPLAYS = {
    name: drawn(kind)
    for name, kind in vars(displays).items()
    if hasattr(kind, "from_predictions")
    and "same" in inspect.signature(kind.from_predictions).parameters
}
ALL = {
    **MEASURES,
    **DISPLAYS,
    "Trials": as_trials,
    "risk_coverage": lambda scores, same: risk_coverage(same, scores),
    "least_confidence": lambda scores, same: least_confidence(same, scores, 0.5),
}
SCORES = [2.0, 1.0, -1.0, -2.0]
RIGHT = [True, True, False, False]
UNUSABLE = {
    "NaN": ([1, np.nan, 0, 0], "1 of 4 labels in .* are missing .the first at position 1"),
    "None": ([True, None, False, None], "2 of 4 labels in .* are missing .the first at position 1"),
    "NA": (pd.array([True, False, pd.NA, False], dtype="boolean"), "1 of 4 .* position 2"),
    "NA of Int64": (pd.Series([1, 0, 0, None], dtype="Int64"), "1 of 4 .* position 3"),
    "NaN among objects": (np.array([np.nan, True, False, True], dtype=object), "position 0"),
    "masked": (np.ma.array([1, 1, 0, 0], mask=[0, 1, 0, 0]), "1 of 4 .* position 1"),
    "-1": ([1, 1, -1, -1], r"holds -1 .position 2.*labels == 1"),
    "-1.0": (np.array([1.0, -1.0, 1.0, -1.0]), r"holds -1\.0 .position 1"),
    "a share": ([1, 0.5, 0, 0], r"holds 0\.5 .position 1"),
    "codes": ([2, 1, 1, 2], "holds 2 .position 0"),
    "inf": ([np.inf, 1, 0, 0], "holds inf"),
    "words": (["target", "nontarget", "target", "target"], "holds 'target'.*labels == 'target'"),
    "text of truth": (["True", "False", "True", "False"], "holds 'True'"),
    "text of numbers": (pd.Series(["1", "0", "1", "0"]), "holds '1'"),
    "text among objects": (np.array([True, False, "yes", False], dtype=object), "holds 'yes'"),
    "times": (np.array([0, 1, 1, 0], dtype="M8[s]"), "neither"),
    "a column": ([[1], [1], [0], [0]], r"have the shape \(4, 1\)"),
    "a frame": (pd.DataFrame({"same": RIGHT}), r"have the shape \(4, 1\)"),
    "ragged": ([[1], [1, 0], [0], [0]], "not in one row"),
    "one": (True, r"have the shape \(\)"),
    "too few": ([True, False, True], "."),
    "too many": ([*RIGHT, True], "."),
}
NO_SCORES = {
    "NaN": ([np.nan, 1, np.nan, 2], "2 of 4 .* are not a number .the first at position 0"),
    "None": ([1, 2, None, 3], "1 of 4 .* position 2"),
    "NA": (pd.array([1, 2, 3, pd.NA], dtype="Float64"), "1 of 4 .* position 3"),
    "masked": (np.ma.array([1.0, 2, 3, 4], mask=[0, 0, 1, 0]), "1 of 4 .* position 2"),
    "words": (["high", "low", "low", "high"], "must hold numbers"),
    "complex": (np.ones(4) * 1j, "give numbers"),
    "times": (np.zeros(4, dtype="M8[s]"), "give numbers"),
    "a matrix": (np.eye(4), r"have the shape \(4, 4\)"),
}


def test_no_measure_is_forgotten():
    """Whatever takes trials, by the names of its parameters, is among those that are tried."""
    found = {
        name
        for name in metrics.__all__
        if callable(getattr(metrics, name))
        and {"same", "correct"} & set(inspect.signature(getattr(metrics, name)).parameters)
    }
    assert found == set(ALL) - set(DISPLAYS) - {"least_confidence"}
    assert set(DISPLAYS) == {"TippettDisplay", "DETDisplay", "PAVDisplay", "ECEDisplay"}


@pytest.mark.parametrize("labels", UNUSABLE)
@pytest.mark.parametrize("measure", ALL)
def test_labels_that_are_neither_true_nor_false_are_refused(measure, labels):
    same, said = UNUSABLE[labels]
    if measure == "least_confidence" and labels.startswith("too "):
        pytest.skip("it takes speakers as well, and scikit-learn says that lengths differ")
    with pytest.raises(ParameterError, match=said) as refused:
        ALL[measure](SCORES, same)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("scores", NO_SCORES)
@pytest.mark.parametrize("measure", ALL)
def test_scores_that_are_no_numbers_are_refused(measure, scores):
    values, said = NO_SCORES[scores]
    with pytest.raises(ParameterError, match=said):
        ALL[measure](values, RIGHT)


@pytest.mark.parametrize("measure", MEASURES)
def test_weights_that_count_nothing_are_refused(measure):
    for weights in ([1, 1, -1, 1], [1, np.nan, 1, 1], [1, 1, 1, np.inf], [1, 1], ["a"] * 4):
        with pytest.raises(ParameterError, match="weights"):
            MEASURES[measure](SCORES, RIGHT, sample_weight=weights)
        with pytest.raises(ParameterError, match="weights"):
            Trials(SCORES, RIGHT, range(4), range(4), weights)


FORMS = {
    "list": list,
    "tuple": tuple,
    "numbers": lambda same: [int(one) for one in same],
    "floats": lambda same: np.array(same, dtype=np.float32),
    "objects": lambda same: np.array([*same, None], dtype=object)[:-1],
    "mixed": lambda same: [int(one) if place % 2 else one for place, one in enumerate(same)],
    "NumPy's": lambda same: [np.bool_(one) for one in same],
    "Series": lambda same: pd.Series(same, index=range(7, 7 + len(same))),
    "nullable": lambda same: pd.array(same, dtype="boolean"),
    "Int64": lambda same: pd.Series(same, dtype="Int64"),
    "masked, none hidden": lambda same: np.ma.array(same),
}


@pytest.mark.parametrize("form", FORMS)
@given(st.lists(st.tuples(st.floats(allow_nan=False), st.booleans()), max_size=8))
def test_truth_values_in_any_form_are_one(form, pairs):
    scores, same = ([pair[side] for pair in pairs] for side in (0, 1))
    made = FORMS[form](same)
    assert checked_labels(made).tolist() == same
    with np.errstate(invalid="ignore", over="ignore"):
        for measure in MEASURES.values():
            np.testing.assert_array_equal(
                measure(scores, made), measure(scores, np.array(same, bool))
            )


@given(
    st.lists(st.booleans() | st.sampled_from([0, 1, 0.0, 1.0, np.True_]), min_size=1, max_size=6),
    st.sampled_from([None, np.nan, pd.NA, pd.NaT, -1, 2, 0.5, "target", "", b"1", "True", (), 1j]),
    st.integers(0, 6),
)
def test_one_label_that_is_no_truth_value_is_enough(labels, odd, place):
    made = np.empty(len(labels) + 1, dtype=object)
    made[:] = [*labels[:place], odd, *labels[place:]]
    for form in (made, list(made), pd.Series(made)):
        with pytest.raises(ParameterError):
            checked_labels(form)


def test_infinite_ratios_and_trials_of_one_kind_stay_what_they_are_documented_to_be():
    assert cllr([np.inf, -np.inf], [True, False]) == 0
    assert cllr([np.inf, np.inf], [True, False]) == np.inf
    assert np.isnan(equal_error_rate([1, 2], [True, True]))
    assert np.isnan(equal_error_rate([], []))
    assert np.isnan(cllr([], []))
    for measure in DISPLAYS.values():
        for labels in ([True, True], []):
            with pytest.raises(ReportError, match="at least one of each"):
                measure(SCORES[: len(labels)], labels)


def test_trials_hold_arrays_whatever_they_are_made_of():
    trials = Trials([1, 2], [1, 0], (0, 1), [1, 0], [1, 2])
    assert trials.same.tolist() == [True, False]
    assert [part.dtype.kind for part in vars(trials).values()] == list("fbiif")
    assert Trials(np.ones(2, np.float32), [1, 0], [0, 1], [0, 1]).scores.dtype == np.float32
    with pytest.raises(ParameterError, match="second has the shape"):
        Trials([1, 2], [True, False], [0, 1], [0])


def test_numbers_as_text_are_read():
    assert checked_scores(["0.5", "-inf"]).tolist() == [0.5, -np.inf]
