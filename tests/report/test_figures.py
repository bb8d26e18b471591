import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from sfmforensics.exceptions import ReportError
from sfmforensics.report import plot_scores, save_figures
from sfmforensics.report.displays import new_axes
from sfmforensics.report.figures import confusion_display, draw_predictions, regression_display


def predictions_of(true, predicted, task="emotion", protocol="closed"):
    return pd.DataFrame(
        {
            "path": [f"{i}.wav" for i in range(len(true))],
            "fold": 0,
            "protocol": protocol,
            "task": task,
            "true": pd.Series(list(true), dtype=object),
            "predicted": pd.Series(list(predicted), dtype=object),
        }
    )


def shares_of(predictions, task="emotion"):
    return confusion_display(predictions, task, "closed").shares


def draw_confusion(predictions, task="emotion"):
    display = confusion_display(predictions, task, "closed")
    return display.plot(new_axes(display.figsize)).ax_


def draw_regression(predictions, task="age", unit=None):
    display = regression_display(predictions, task, "closed", unit)
    return display.plot(new_axes(display.figsize)).ax_


def texts(ax):
    return [text.get_text() for text in ax.texts]


def ticks(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def test_confusion_counts_what_a_class_is_taken_for():
    shares = shares_of(predictions_of("aaab", "aabb"))
    np.testing.assert_allclose(shares, [[2 / 3, 1 / 3], [0, 1]])


def test_confusion_rows_sum_to_one(make_scores):
    _, predictions = make_scores()
    for task in ("speaker", "emotion", "gender"):
        shares = shares_of(predictions["tango"], task)
        np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_missing_true_labels_do_not_count():
    predictions = predictions_of(["a", None, np.nan, "b"], ["a", "b", "a", "b"])
    np.testing.assert_allclose(shares_of(predictions), np.eye(2))
    with pytest.raises(ReportError, match="'emotion' under 'closed' has a true label"):
        shares_of(predictions.assign(true=None))


def test_class_that_is_never_true_has_an_empty_row():
    shares = shares_of(predictions_of("aa", "ab"))
    assert shares.loc["b"].isna().all()
    assert texts(draw_confusion(predictions_of("aa", "ab"))) == ["50", "50"]


def test_missing_prediction_is_an_error_not_a_gap():
    shares = shares_of(predictions_of(["a", "a"], ["a", None]))
    assert shares.loc["a", "(no answer)"] == 0.5


def test_few_classes_have_numbers_and_axes_say_what_they_are():
    ax = draw_confusion(predictions_of("aaab", "aabb"))
    assert texts(ax) == ["67", "33", "100"]
    assert ax.get_xlabel() == "predicted emotion"
    assert ax.get_ylabel() == "true emotion"
    assert "75.0 % of 4 correct" in ax.get_title()
    assert "(%)" in ax.figure.axes[1].get_ylabel()


def test_rare_confusion_is_not_shown_as_zero():
    ax = draw_confusion(predictions_of("a" * 500 + "b", "a" * 499 + "bb"))
    assert texts(ax) == ["100", "<1", "100"]


def test_sixty_classes_have_sparse_ticks_in_natural_order_and_no_numbers():
    names = [str(i) for i in range(60)]
    ax = draw_confusion(predictions_of(names, names, task="speaker"), "speaker")
    assert texts(ax) == []
    assert len(ticks(ax)) <= 20
    assert ticks(ax)[:5] == ["0", "3", "6", "9", "12"]


def test_dollars_and_long_labels_can_be_drawn():
    labels = ["$x^", "A$ and US$", "l" * 200, "two\nlines"]
    ax = draw_confusion(predictions_of(labels, labels))
    ax.figure.canvas.draw()
    assert ticks(ax)[0] == r"\$x^"
    assert max(map(len, ticks(ax))) <= 18
    assert "two lines" in ticks(ax)


def test_regression_states_errors_and_unit():
    predictions = predictions_of([20.0, 30.0, None], [23.0, 26.0, 99.0], task="age")
    ax = draw_regression(predictions)
    assert ax.get_xlabel() == "true age (years)"
    assert ax.get_ylabel() == "predicted age (years)"
    assert "RMSE 3.54, MAE 3.50 years (n = 2)" in ax.get_title()
    identity = ax.lines[0]
    np.testing.assert_array_equal(identity.get_xdata(), identity.get_ydata())
    np.testing.assert_allclose(ax.collections[0].get_offsets(), [[20, 23], [30, 26]])


def test_regression_with_another_unit_and_one_point():
    ax = draw_regression(predictions_of([1.8], [1.8], "height"), "height", unit="m")
    ax.figure.canvas.draw()
    assert ax.get_xlabel() == "true height (m)"
    assert "1.00 m" not in ax.get_title()


def test_regression_of_words_is_refused():
    with pytest.raises(ReportError, match="'age' is drawn as numbers"):
        draw_regression(predictions_of(["old"], ["young"], "age"))


def test_missing_predicted_number_is_refused():
    with pytest.raises(ReportError, match="1 recordings have an infinite number or no prediction"):
        draw_regression(predictions_of([20.0, 30.0], [20.0, None], "age"))


def test_scores_show_each_fold_and_the_mean(make_scores):
    scores, _ = make_scores()
    figure = plot_scores(scores)
    by_task = {ax.get_title(): ax for ax in figure.axes}
    assert set(by_task) == {"age", "emotion", "gender", "speaker"}
    assert by_task["age"].get_xlabel().startswith("RMSE (years)")
    assert by_task["emotion"].get_xlabel().startswith("UAR (%)")
    assert by_task["gender"].get_xlabel().startswith("accuracy (%)")
    assert len(by_task["emotion"].patches) == 4  # two models, two protocols
    assert [len(line.get_xdata()) for line in by_task["emotion"].lines] == [5] * 4
    own = scores.query("model == 'tango' and protocol == 'closed' and metric == 'uar'")
    mean = own.loc[own["task"] == "emotion", "value"].mean()
    assert by_task["emotion"].patches[0].get_width() == pytest.approx(100 * mean)
    assert texts(by_task["speaker"]).count("not defined") == 2
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["closed", "disjoint"]


def test_scores_of_one_protocol_one_fold_one_task_with_another_unit():
    columns = ["model", "views", "protocol", "fold", "task", "metric", "value"]
    rows = [["tango", "a$b$", "closed", 0, "height", "rmse", 0.0]]
    figure = plot_scores(pd.DataFrame(rows, columns=columns))
    figure.canvas.draw()
    assert [ax.get_xlabel() for ax in figure.axes] == ["RMSE (unit of the column), less is better"]


def test_systems_are_told_apart_by_their_views(make_scores):
    one, _ = make_scores(models=("single",), views="mfcc")
    other, _ = make_scores(models=("single",), views="whisper+" + "x" * 60)
    figure = plot_scores(pd.concat([one, other]))
    assert ticks(figure.axes[0])[0] == "single\nmfcc"
    assert ticks(figure.axes[0])[1].replace("\n", "") == "singlewhisper+" + "x" * 60


def test_chosen_metric(make_scores):
    scores, _ = make_scores()
    figure = plot_scores(scores, metrics={"age": "mae"})
    assert any(ax.get_xlabel().startswith("MAE (years)") for ax in figure.axes)


def test_saved_figures_are_named_and_the_same_twice(make_scores, tmp_path):
    scores, predictions = make_scores()
    paths = save_figures(tmp_path / "new", scores, predictions["tango"])
    assert {path.name for path in paths} == {
        "scores.png",
        "confusion-speaker-closed.png",
        "confusion-emotion-closed.png",
        "confusion-emotion-disjoint.png",
        "confusion-gender-closed.png",
        "confusion-gender-disjoint.png",
        "regression-age-closed.png",
        "regression-age-disjoint.png",
    }
    assert paths[0].name == "scores.png"
    assert imread(paths[0]).shape[1] > 800
    before = [path.read_bytes() for path in paths]
    again = save_figures(tmp_path / "new", scores, predictions["tango"])
    assert [path.read_bytes() for path in again] == before


def test_task_names_become_file_names_without_collision(make_scores, tmp_path):
    scores, predictions = make_scores(protocols=("closed",), folds=1)
    names = {"emotion": "../a/b", "gender": "../a?b"}
    scores = scores.assign(task=scores["task"].replace(names))
    answers = predictions["tango"].assign(task=predictions["tango"]["task"].replace(names))
    paths = save_figures(tmp_path, scores, answers)
    assert all(path.parent == tmp_path and path.is_file() for path in paths)
    assert len(set(paths)) == len(paths) == 5


def test_only_what_was_scored_is_drawn(make_scores):
    scores, predictions = make_scores()
    answers = predictions["tango"]
    asked = answers[answers["task"] == "speaker"].assign(protocol="disjoint")
    unknown = answers["task"].eq("gender") & answers["protocol"].eq("closed")
    answers = pd.concat([answers.assign(true=answers["true"].mask(unknown)), asked])
    drawn = {(task, protocol) for task, protocol, *_ in draw_predictions(scores, answers)}
    assert ("speaker", "disjoint") not in drawn
    assert ("gender", "closed") not in drawn
    assert ("gender", "disjoint") in drawn


@pytest.mark.parametrize("column", ["path", "true", "predicted", "task"])
def test_missing_column_is_named(column):
    predictions = predictions_of("ab", "ab").drop(columns=column)
    with pytest.raises(ReportError, match=f"no column '{column}'"):
        draw_confusion(predictions)


@pytest.mark.slow
def test_pyplot_is_not_imported():
    code = "import sys, sfmforensics.report; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_is_drawn_is_of_no_interest_to_pyplot(make_scores, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # its import would fail
    scores, predictions = make_scores()
    kinds = {}
    for task, protocol, kind, ax in draw_predictions(scores, predictions["tango"]):
        kinds[task] = kind
        assert ax.get_title().startswith(f"{task}, {protocol}\n")
    assert kinds == {
        "speaker": "confusion",
        "emotion": "confusion",
        "gender": "confusion",
        "age": "regression",
    }
