import numpy as np
import pandas as pd
import pytest

from sfmforensics.exceptions import ReportError
from sfmforensics.report import format_comparisons, format_groups, format_intervals
from sfmforensics.report.tables import untested
from sfmforensics.results import COMPARISON_COLUMNS, INTERVAL_COLUMNS


def intervals_of(*rows):
    return pd.DataFrame(rows, columns=INTERVAL_COLUMNS)


ALL = intervals_of(
    ["tango", "a+b", "disjoint", "age", "rmse", "all", "", 90, 12, 9.0, 7.5, 10.25],
    ["tango", "a+b", "closed", "age", "rmse", "all", "", 90, 90, 2.0, 1.8, 2.2],
    ["tango", "a+b", "closed", "speaker", "accuracy", "all", "", 90, 90, 0.93, 0.9, 0.955],
    ["tango", "a+b", "disjoint", "speaker", "eer", "all", "", 900, 12, 0.1, 0.08, 0.13],
    ["svm", "a+b", "closed", "age", "rmse", "all", "", 90, 3, 4.0, np.nan, np.nan],
    ["tango", "a+b", "closed", "age", "rmse", "age", "30 to 39", 20, 20, 1.0, 0.5, 1.5],
    ["tango", "a+b", "closed", "age", "rmse", "age", "20 to 29", 70, 70, 3.0, 2.5, 3.5],
    ["tango", "a+b", "closed", "age", "mae", "age", "20 to 29", 70, 70, 2.0, 1.5, 2.5],
)


def test_intervals_stand_beside_the_score_protocols_side_by_side():
    text = format_intervals(ALL)
    assert text.columns.tolist() == [
        *("model", "views", "ASR %: closed", "ASR EER %: disjoint"),
        *("AE years: closed", "AE years: disjoint"),
    ]
    tango, svm = text.to_dict("records")
    assert tango["ASR %: closed"] == "93.0 [90.0, 95.5]"
    assert tango["ASR EER %: disjoint"] == "10.0 [8.0, 13.0]"
    assert tango["AE years: disjoint"] == "9.00 [7.50, 10.25]"
    assert svm["AE years: closed"] == "4.00"
    assert svm["AE years: disjoint"] == "n/a"
    assert list(format_intervals(ALL, metrics=["eer"]).columns[2:]) == ["ASR EER %: disjoint"]


def test_groups_have_a_row_each_in_order_with_their_size():
    text = format_groups(ALL, "age")
    assert text["group"].tolist() == ["20 to 29", "30 to 39"]
    assert text["recordings"].tolist() == ["70", "20"]
    assert text["AE years: closed"].tolist() == ["3.00 [2.50, 3.50]", "1.00 [0.50, 1.50]"]
    assert format_groups(ALL, "gender").empty


def comparisons_of(**changes):
    row = {
        "protocol": "closed",
        "task": "age",
        "metric": "rmse",
        "model_1": "a",
        "views_1": "v",
        "model_2": "b",
        "views_2": "v",
        "difference": 0.5,
        "sd": 0.25,
        "p": 0.0004,
        "p_holm": 0.0123,
    }
    return pd.DataFrame([row | changes])[COMPARISON_COLUMNS]


def test_the_better_one_is_named_whether_more_or_less_is_better():
    assert format_comparisons(comparisons_of()).iloc[0].tolist() == [
        *("AE years", "a", "b", "+0.50 ± 0.25", "b", "<0.001", "0.012"),
    ]
    more = format_comparisons(comparisons_of(task="emotion", metric="uar")).iloc[0]
    assert (more["closed: better"], more["closed: first - second"]) == ("a", "+50.0 ± 25.0")
    even = format_comparisons(comparisons_of(difference=0.0))
    assert even["closed: better"].tolist() == ["neither"]
    assert format_comparisons(comparisons_of(p=np.nan))["closed: p"].tolist() == ["n/a"]


def test_the_same_difference_in_every_fold_has_no_p_and_the_note_says_why():
    for told in ({"p": np.nan, "p_holm": np.nan}, {"p": 0.0, "p_holm": 0.0}):  # 0.1.0 wrote 0
        same = comparisons_of(sd=0.0, **told)
        assert untested(same).tolist() == [True]
        row = format_comparisons(same).iloc[0]
        assert (row["closed: p"], row["closed: p (Holm)"]) == ("n/a", "n/a")
        assert row["closed: first - second"] == "+0.50 ± 0.00"
    assert not untested(comparisons_of(difference=0.0, sd=0.0, p=1.0)).any()


def test_protocols_stand_side_by_side():
    age, speaker = comparisons_of(), comparisons_of(task="speaker", metric="accuracy")
    both = pd.concat([speaker, age, comparisons_of(protocol="disjoint", difference=-3.0)])
    text = format_comparisons(both).set_index("task")
    assert text.loc["AE years", "disjoint: first - second"] == "-3.00 ± 0.25"
    assert text.loc["ASR %", "disjoint: first - second"] == "not defined"
    assert len(text) == 2


def test_systems_of_other_views_are_told_apart():
    text = format_comparisons(comparisons_of(views_2="v+w"))
    assert text.loc[0, ["first", "second"]].tolist() == ["a, v", "b, v+w"]


def test_missing_columns_are_named():
    with pytest.raises(ReportError, match="the intervals: no column 'units'"):
        format_intervals(ALL.drop(columns="units"))
    with pytest.raises(ReportError, match="the comparisons: no column 'p'"):
        format_comparisons(comparisons_of().drop(columns="p"))
