import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfmforensics.evidence import verbal_grade, verbal_scale
from sfmforensics.exceptions import ParameterError

# ENFSI Guideline for Evaluative Reporting in Forensic Science (2015), page 17.
GRADES = [
    (2, 10, "weak"),
    (10, 100, "moderate"),
    (100, 1e3, "moderately strong"),
    (1e3, 1e4, "strong"),
    (1e4, 1e6, "very strong"),
    (1e6, np.inf, "extremely strong"),
]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("least", "most", "grade"), GRADES)
def test_a_grade_begins_at_its_edge_and_ends_before_the_next(least, most, grade, sign):
    assert verbal_grade(sign * np.log10(least)) == grade
    assert verbal_grade(sign * np.log10(least * 1.001)) == grade
    assert verbal_grade(sign * np.log10(least * 0.999)) != grade
    if np.isfinite(most):
        assert verbal_grade(sign * np.log10(most * 0.999)) == grade
        assert verbal_grade(sign * np.log10(most)) != grade


@pytest.mark.parametrize("value", [0.0, 0.3, -0.3, -0.0])
def test_hardly_anything_supports_nothing(value):
    assert verbal_grade(value) is None
    assert verbal_scale(value) == "the findings do not support one proposition over the other"


def test_infinite_ratios_have_the_highest_grade_and_their_direction():
    assert verbal_grade(np.inf) == verbal_grade(-np.inf) == "extremely strong"
    same, different = "are of the same speaker", "are of different speakers"
    for value, first, second in [(np.inf, same, different), (-np.inf, different, same)]:
        said = verbal_scale(value)
        assert said.index(first) < said.index(second)


@pytest.mark.parametrize("ask", [verbal_grade, verbal_scale])
def test_what_is_no_number_is_no_finding(ask):
    with pytest.raises(ParameterError, match="not a number") as caught:
        ask(float("nan"))
    assert "\n" not in str(caught.value)


@given(st.floats(-12, 12))
def test_both_directions_are_graded_alike_and_nobody_is_said_to_have_spoken(value):
    assert verbal_grade(value) == verbal_grade(-value)
    said = verbal_scale(value)
    assert said.startswith("the findings ")
    for word in ("guilt", "probab", "likely", "certain", "identif", "match", "%"):
        assert word not in said.lower()
