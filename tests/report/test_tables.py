import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from sfmforensics.exceptions import ReportError, SFMForensicsError
from sfmforensics.paper import paper_rows
from sfmforensics.report import (
    format_groups,
    format_intervals,
    format_summary,
    summarise,
    to_markdown,
    to_rich,
)
from sfmforensics.results import INTERVAL_COLUMNS


def scores_of(rows):
    names = ["model", "views", "protocol", "fold", "task", "metric", "value"]
    return pd.DataFrame(rows, columns=names)


@pytest.fixture
def scores():
    return scores_of(
        [
            ["tango", "a+b", "disjoint", 0, "age", "rmse", 10.0],
            ["tango", "a+b", "disjoint", 1, "age", "rmse", 12.0],
            ["tango", "a+b", "closed", 0, "speaker", "accuracy", 0.90],
            ["tango", "a+b", "closed", 1, "speaker", "accuracy", 0.94],
            ["tango", "a+b", "closed", 2, "speaker", "accuracy", 0.98],
            ["tango", "a+b", "closed", 0, "speaker", "uar", 0.5],
            ["tango", "a+b", "closed", 0, "age", "rmse", 2.0],
            ["tango", "a+b", "closed", 1, "age", "rmse", 3.0],
            ["tango", "a+b", "closed", 0, "age", "mae", 1.0],
        ]
    )


def test_summary_holds_mean_and_sample_deviation(scores):
    row = summarise(scores).loc[("closed", "tango", "a+b")]
    assert row[("speaker", "accuracy", "mean")] == pytest.approx(0.94)
    assert row[("speaker", "accuracy", "sd")] == pytest.approx(0.04)
    assert row[("age", "rmse", "mean")] == pytest.approx(2.5)
    assert row[("age", "rmse", "sd")] == pytest.approx(np.sqrt(0.5))
    assert row[("age", "mae", "mean")] == 1
    assert np.isnan(row[("age", "mae", "sd")])


def test_closed_comes_first_and_models_keep_their_order(make_scores):
    frame, _ = make_scores(models=("tango", "concat"), protocols=("disjoint", "closed"))
    assert [row[:2] for row in summarise(frame).index] == [
        ("closed", "tango"),
        ("closed", "concat"),
        ("disjoint", "tango"),
        ("disjoint", "concat"),
    ]


def test_summary_does_not_change_its_input(scores):
    before = scores.copy()
    summarise(scores)
    pd.testing.assert_frame_equal(scores, before)


def test_format_as_in_the_paper(scores):
    text = format_summary(summarise(scores))
    (line,) = text.to_dict("records")
    assert line == {
        "model": "tango",
        "views": "a+b",
        "ASR %: closed": "94.0 ± 4.0",
        "AE years: closed": "2.50 ± 0.71",
        "AE years: disjoint": "11.00 ± 1.41",
    }


def test_protocols_stand_side_by_side(make_scores):
    frame, _ = make_scores(protocols=("disjoint", "closed"))
    text = format_summary(summarise(frame))
    assert [name.split(": ")[1] for name in text.columns[2:]] == [
        *("closed", "disjoint") * 4,
        "closed",
    ]
    assert text["model"].tolist() == ["tango", "concat"]


def test_emotion_is_shown_by_uar_with_accuracy_behind_it(make_scores):
    frame, _ = make_scores(protocols=("disjoint",))
    titles = [name.partition(": ")[0] for name in format_summary(summarise(frame)).columns[2:]]
    place = titles.index("SER UAR %")
    assert titles[place + 1] == "SER accuracy %"
    assert "GR %" in titles
    assert "GR UAR %" not in titles
    alone = frame[~((frame["task"] == "emotion") & (frame["metric"] == "uar"))]
    titles = format_summary(summarise(alone)).columns
    assert "SER accuracy %: disjoint" in titles  # of scores that have no other
    rows = [
        ["tango", "a", "closed", "emotion", metric, "all", "", 90, 90, 0.5, 0.4, 0.6]
        for metric in ("accuracy", "uar")
    ]
    rows += [[*row[:5], "gender", "f", *row[7:]] for row in rows]
    intervals = pd.DataFrame(rows, columns=INTERVAL_COLUMNS)
    titles = format_intervals(intervals).columns.tolist()[2:]
    assert titles == ["SER UAR %: closed", "SER accuracy %: closed"]
    assert format_groups(intervals, "gender").columns[-1] == "SER UAR %: closed"


def test_strangers_can_be_compared_but_not_named(scores):
    eer = ["tango", "a+b", "disjoint", 0, "speaker", "eer", 0.125]
    text = format_summary(summarise(pd.concat([scores, scores_of([eer])])), metrics="eer")
    assert text["ASR EER %: disjoint"].tolist() == ["12.5"]


def test_one_fold_has_no_deviation(scores):
    text = format_summary(summarise(scores[scores["fold"] == 0]))
    assert text.iloc[0][["AE years: closed", "AE years: disjoint"]].tolist() == ["2.00", "10.00"]


def test_chosen_metrics(scores):
    text = format_summary(summarise(scores), metrics=["uar", "mae"])
    assert text.iloc[0, 2:].to_dict() == {
        "AE MAE years: closed": "1.00",
        "AE MAE years: disjoint": "n/a",
        "ASR UAR %: closed": "50.0",
    }
    assert list(format_summary(summarise(scores), metrics="uar").columns[2:]) == [
        "ASR UAR %: closed"
    ]


def test_unknown_metric_is_refused(scores):
    with pytest.raises(ReportError, match=r"'f1'; there are .*accuracy"):
        format_summary(summarise(scores), metrics=["f1"])


def test_other_tasks_keep_their_names():
    rows = [
        ["tango", "a", "closed", 0, "dialect", "accuracy", 0.5],
        ["tango", "a", "closed", 0, "height", "rmse", 7.0],
    ]
    text = format_summary(summarise(scores_of(rows)))
    assert text.iloc[0, 2:].to_dict() == {
        "dialect %: closed": "50.0",
        "height rmse: closed": "7.00",
    }


def test_nothing_measured_is_not_zero(scores):
    text = format_summary(summarise(scores.assign(value=np.nan)))
    assert set(text.iloc[0, 2:]) == {"n/a"}


def test_values_read_as_text_count_as_numbers(scores):
    read = scores.assign(value=scores["value"].astype(str))
    pd.testing.assert_frame_equal(summarise(read), summarise(scores))


def test_paper_stands_below_with_one_value_under_closed(scores):
    paper = paper_rows("baved", ["x-vector", "trillsson"], "tango")
    text = format_summary(summarise(scores), paper=paper)
    line = text.iloc[1]
    assert line["model"] == "paper (tango)"
    assert line.tolist()[2:] == ["1.44", "", "92.0"]
    strangers = scores[scores["protocol"] == "disjoint"]
    assert len(format_summary(summarise(strangers), paper=paper)) == 1


def test_each_model_has_the_paper_below_itself(make_scores):
    frame, _ = make_scores(views="mfcc+whisper")
    paper = pd.concat(
        paper_rows("baved", ["mfcc", "whisper"], model).assign(model=model, views="mfcc+whisper")
        for model in ("concat", "tango")
    )
    text = format_summary(summarise(frame), paper=paper)
    assert text["model"].tolist() == [
        "tango",
        "paper (tango)",
        "concat",
        "paper (mvmt-concat)",
    ]


def test_two_published_setups_of_one_view_are_two_rows(make_scores):
    frame, _ = make_scores(models=("single",), views="mfcc")
    paper = paper_rows("baved", ["mfcc"], "single").assign(model="single", views="mfcc")
    text = format_summary(summarise(frame), paper=paper)
    assert text["model"].tolist() == ["single", "paper (svst)", "paper (svmt)"]


def test_no_published_figures_no_row(scores):
    paper = paper_rows("mine", ["mfcc"], "tango")
    assert len(format_summary(summarise(scores), paper=paper)) == 1


@pytest.mark.parametrize("column", ["model", "views", "protocol", "fold", "task", "value"])
def test_missing_column_is_named(scores, column):
    with pytest.raises(ReportError, match=f"no column '{column}'"):
        summarise(scores.drop(columns=column))


def test_refusals_are_of_the_package(scores):
    with pytest.raises(SFMForensicsError, match="no rows"):
        summarise(scores.iloc[:0])
    with pytest.raises(ValueError, match="'value' must hold numbers"):
        summarise(scores.assign(value="many"))


def test_markdown_has_a_line_a_row_and_escapes_bars(scores):
    text = format_summary(summarise(scores.assign(model="a|b\nc")))
    lines = to_markdown(text).splitlines()
    assert len(lines) == 2 + len(text)
    assert "a\\|b c" in lines[2]
    assert lines[1].count("---:") == 3


def test_rich_table_prints_labels_as_they_are(scores):
    text = format_summary(summarise(scores.assign(model="[bold]x")))
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(to_rich(text, "Scores [1]"))
    printed = console.export_text()
    assert "[bold]x" in printed
    assert "Scores [1]" in printed
    assert "94.0 ± 4.0" in printed
