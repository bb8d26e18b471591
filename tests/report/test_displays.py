"""What all displays have in common, and those that need no model."""

import sys
import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.utils import Bunch

from sfmforensics import TANGO
from sfmforensics.estimators import PerTask
from sfmforensics.exceptions import ReportError, TargetError
from sfmforensics.model_selection import TargetStratifiedKFold
from sfmforensics.report import (
    ConfusionDisplay,
    CorpusDisplay,
    DETDisplay,
    ECEDisplay,
    ExplanationDisplay,
    LearningCurveDisplay,
    PAVDisplay,
    ProjectionDisplay,
    ProtocolGapDisplay,
    RegressionDisplay,
    ReliabilityDisplay,
    RiskCoverageDisplay,
    TippettDisplay,
    TrainingCurveDisplay,
    TransportPlanDisplay,
)
from sfmforensics.report.displays.corpus import count_ages
from sfmforensics.report.displays.predictions import error_bands

pytestmark = pytest.mark.slow

mpl.use("agg")

TARGET = pd.DataFrame(
    {
        "speaker": np.repeat([f"speaker $ {i} of a long name indeed" for i in range(12)], 5),
        "emotion": np.tile(["low", "neutral", "high", "$x^", "low"], 12),
        "gender": np.repeat(["f", "m"], 30),
        "age": np.repeat(np.linspace(18.0, 62.0, 12), 5),
    }
)
X = np.random.default_rng(0).normal(size=(60, 12)).astype("float32")
X[:, 0] += 3 * (TARGET["gender"] == "f")
SAME = TARGET["gender"] == "f"
LOG10_LR = X[:, 0] - 1.5
SURE = 1 / (1 + np.exp(-LOG10_LR.astype(float)))


@pytest.fixture(scope="module")
def tango():
    settings = {"encoder": "tokens", "n_tokens": 4, "token_dim": 8, "hidden": (8,)}
    model = TANGO(views=[3, 4, 5], max_epochs=2, early_stopping=True, random_state=0, **settings)
    return model.fit(X, TARGET)


@pytest.fixture(autouse=True)
def leave_no_figure_behind():
    import matplotlib.pyplot as plt

    before = set(plt.get_fignums())
    yield
    left = set(plt.get_fignums()) - before
    for number in left:
        plt.close(number)


DISPLAYS = {
    "confusion": lambda model, scores, ax: ConfusionDisplay.from_estimator(
        model, X, TARGET, task="emotion", name="TANGO", ax=ax
    ),
    "speakers": lambda model, scores, ax: ConfusionDisplay.from_estimator(
        model, X, TARGET, task="speaker", normalize="pred", ax=ax
    ),
    "regression": lambda model, scores, ax: RegressionDisplay.from_estimator(
        model, X, TARGET, name="TANGO", ax=ax
    ),
    "corpus": lambda model, scores, ax: CorpusDisplay.from_target(TARGET, ax=ax),
    "projection": lambda model, scores, ax: ProjectionDisplay.from_estimator(
        model, X, TARGET, task="emotion", ax=ax
    ),
    "projected speakers": lambda model, scores, ax: ProjectionDisplay.from_views(
        X, TARGET, task="speaker", ax=ax
    ),
    "projected ages": lambda model, scores, ax: ProjectionDisplay.from_views(
        X, TARGET, task="age", ax=ax
    ),
    "transport": lambda model, scores, ax: TransportPlanDisplay.from_estimator(model, X, ax=ax),
    "explanation": lambda model, scores, ax: ExplanationDisplay.from_estimator(
        model, X, row=7, name="US$ of a recording", ax=ax
    ),
    "training": lambda model, scores, ax: TrainingCurveDisplay.from_estimator(model, ax=ax),
    "learning": lambda model, scores, ax: LearningCurveDisplay.from_estimator(
        PerTask(), X, TARGET, cv=TargetStratifiedKFold(2), train_sizes=[0.5, 1.0], ax=ax
    ),
    "gap": lambda model, scores, ax: ProtocolGapDisplay.from_scores(scores, ax=ax),
    "tippett": lambda model, scores, ax: TippettDisplay.from_predictions(
        LOG10_LR, SAME, name="US$", bounds=(-1, 1), ax=ax
    ),
    "det": lambda model, scores, ax: DETDisplay.from_predictions(LOG10_LR, SAME, ax=ax),
    "pav": lambda model, scores, ax: PAVDisplay.from_predictions(LOG10_LR, SAME, ax=ax),
    "ece": lambda model, scores, ax: ECEDisplay.from_predictions(LOG10_LR, SAME, ax=ax),
    "reliability": lambda model, scores, ax: ReliabilityDisplay.from_predictions(
        SAME, np.column_stack([1 - SURE, SURE]), classes=[False, True], name="gender", ax=ax
    ),
    "risk": lambda model, scores, ax: RiskCoverageDisplay.from_predictions(
        SAME, SURE > 0.5, np.abs(SURE - 0.5), threshold=0.3, ax=ax
    ),
}


@pytest.fixture(params=DISPLAYS)
def draw(request, tango, make_scores):
    """Draw one of all displays on the axes that are given."""
    scores, _ = make_scores(n=120)
    return lambda ax=None: DISPLAYS[request.param](tango, scores, ax)


def axes_of(display):
    return [display.ax_] if hasattr(display, "ax_") else list(display.axes_)


def test_a_notebook_shows_what_was_drawn_and_a_report_draws_elsewhere(draw, monkeypatch):
    import matplotlib.pyplot as plt

    shown = draw()
    assert plt.gcf() is shown.figure_
    assert shown.plot() is shown
    open_figures = plt.get_fignums()
    figure = Figure(layout="constrained")
    left, _ = figure.subplots(1, 2)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # its import would fail
    again = draw(left)
    assert again.figure_ is figure
    assert type(again) is type(shown)
    assert plt.get_fignums() == open_figures


def test_all_axes_are_labelled_and_nothing_is_cut_off(draw):
    display = draw()
    figure = display.figure_
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of a layout that has no room, or of missing letters
        figure.canvas.draw()
    for ax in axes_of(display):
        assert ax.get_xlabel()
        assert ax.get_title()
        shares_its_labels = ax.get_shared_y_axes().get_siblings(ax)
        assert ax.get_ylabel() or len(shares_its_labels) > 1 or ax.get_yticklabels()
    width, height = figure.canvas.get_width_height()
    texts = [text for ax in figure.axes for text in [ax.title, ax.xaxis.label, ax.yaxis.label]]
    texts += [text for ax in figure.axes for text in ax.texts]
    for text in texts:
        box = text.get_window_extent()
        assert box.x0 >= -2, text
        assert box.y0 >= -2, text
        assert box.x1 <= width + 2, text
        assert box.y1 <= height + 2, text


def test_panels_go_to_the_axes_that_are_given(tango):
    axes = Figure().subplots(1, 2)
    display = TrainingCurveDisplay.from_estimator(tango, ax=axes)
    assert list(display.axes_) == list(axes)
    with pytest.raises(ValueError, match="ax holds 2 axes, but 3 panels are drawn"):
        TransportPlanDisplay.from_estimator(tango, X, ax=axes)
    with pytest.raises(ValueError, match="ax has no place in a grid"):
        TransportPlanDisplay.from_estimator(tango, X, ax=Figure().add_axes((0, 0, 1, 1)))


class TestTask:
    """Which column of the targets is meant."""

    def test_one_classification_column_needs_no_name(self):
        display = ConfusionDisplay.from_predictions(
            TARGET[["gender", "age"]], TARGET[["gender", "age"]]
        )
        assert display.task == "gender"
        assert display.ax_.get_xlabel() == "predicted gender"

    def test_of_several_one_must_be_chosen(self):
        with pytest.raises(TargetError, match="'speaker', 'emotion', 'gender' for classification"):
            ConfusionDisplay.from_predictions(TARGET, TARGET)
        with pytest.raises(TargetError, match="no task 'mood'; there are 'speaker', 'emotion'"):
            ConfusionDisplay.from_predictions(TARGET, TARGET, task="mood")

    def test_numbers_are_no_classes(self):
        with pytest.raises(TargetError, match="'h' holds numbers, not classes; use Regression"):
            ConfusionDisplay.from_predictions(pd.DataFrame({"h": [1.5, 1.8]}), [1.5, 1.8], task="h")

    def test_predictions_are_found_by_name_or_by_place(self):
        y = pd.DataFrame({"a": list("xy"), "b": list("vw")})
        by_name = pd.DataFrame({"b": list("vv"), "a": list("xy")}, index=[7, 8])
        by_place = np.array([["x", "v"], ["y", "v"]], dtype=object)
        for answers in (by_name, by_place, ["v", "v"]):
            display = ConfusionDisplay.from_predictions(y, answers, task="b")
            np.testing.assert_array_equal(display.counts, [[1, 0], [1, 0]])
        answers = by_name.rename(columns={"b": "c"})[["a", "c"]]
        with pytest.raises(TargetError, match="nothing was predicted for 'b'; there are 'a', 'c'"):
            ConfusionDisplay.from_predictions(y, answers, task="b")

    def test_plain_labels_need_no_name(self):
        display = ConfusionDisplay.from_predictions([1, 2, 2], [1, 2, 1])
        assert display.ax_.get_ylabel() == "true label"
        assert ConfusionDisplay.from_predictions([1], [1], task="word").task == "word"
        display = RegressionDisplay.from_predictions(pd.Series([1.5, 2.0], name="h"), [1.5, 2.0])
        assert display.ax_.get_xlabel() == "true h (unit of the column)"

    def test_no_label_is_refused(self):
        with pytest.raises(TargetError, match="no label of 'a' is known"):
            ConfusionDisplay.from_predictions(pd.DataFrame({"a": [None, None]}), ["x", "y"])


class TestConfusion:
    def texts(self, normalize):
        display = ConfusionDisplay.from_predictions(
            list("aaaab"), list("aaabb"), normalize=normalize
        )
        bar = display.figure_.axes[1].get_ylabel()
        return [text.get_text() for text in display.ax_.texts], bar

    def test_shares_are_of_what_the_colour_bar_says(self):
        assert self.texts("true") == (["75", "25", "100"], "share of the true class (%)")
        assert self.texts("pred") == (["100", "50", "50"], "share of the predicted class (%)")
        assert self.texts("all") == (["60", "20", "20"], "share of all recordings (%)")
        assert self.texts(None) == (["3", "1", "1"], "recordings")
        with pytest.raises(ValueError, match="normalize is 'row'; use"):
            self.texts("row")

    def test_integers_with_gaps_are_the_same_labels(self):
        display = ConfusionDisplay.from_predictions(
            pd.DataFrame({"word": pd.Series([1, 2, None], dtype=object)}), [1.0, 2.0, 1.0]
        )
        assert display.counts.index.tolist() == ["1", "2"]
        assert "100.0 % of 2 correct" in display.ax_.get_title()

    def test_a_pipeline_or_a_classifier_of_one_task_will_do(self):
        model = PerTask().fit(X, TARGET["gender"])
        display = ConfusionDisplay.from_estimator(model, X, TARGET, task="gender", colorbar=False)
        assert display.counts.to_numpy().sum() == 60
        assert len(display.figure_.axes) == 1


class TestRegression:
    def test_bands_hold_the_middle_of_the_predictions(self):
        true = np.repeat(np.arange(20.0, 60.0), 25)
        spread = np.tile(np.linspace(-5, 5, 25), 40)
        display = RegressionDisplay(true, 0.5 * true + 20 + spread, task="age").plot()
        bands = display.bands
        assert bands["n"].tolist() == [125] * 8
        assert bands["median"].is_monotonic_increasing
        for place, band in bands.iterrows():
            own = display.y_pred[true // 5 == 4 + place]
            assert (own < band["low"]).mean() == pytest.approx(0.1, abs=0.01)
            assert (own > band["high"]).mean() == pytest.approx(0.1, abs=0.01)
            assert band["median"] == np.median(own)
            assert 5 * place + 20 <= band["start"] < band["end"] <= 5 * place + 24
        boxes = display.ax_.patches
        assert [box.get_y() for box in boxes] == pytest.approx(bands["low"].tolist())
        tops = [box.get_y() + box.get_height() for box in boxes]
        assert tops == pytest.approx(bands["high"].tolist())

    def test_legend_says_what_the_bands_are(self):
        display = RegressionDisplay(np.arange(100.0), np.arange(100.0)).plot()
        labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
        assert "middle 80 % of the predictions" in labels
        assert "median, in 8 bins of like counts" in labels

    def test_equal_ages_stay_together_and_small_bins_are_joined(self):
        true = np.array([20.0] * 97 + [30.0] * 3 + [40.0] * 30)
        bands = error_bands(true, true)
        assert bands["n"].tolist() == [100, 30]
        assert bands[["start", "end"]].to_numpy().tolist() == [[20, 20], [40, 40]]
        assert error_bands(true[:9], true[:9]).empty

    def test_few_recordings_have_no_band(self):
        display = RegressionDisplay.from_predictions([20.0, 30.0], [21.0, 28.0], task="age")
        assert not display.ax_.patches
        assert display.ax_.get_xlabel() == "true age (years)"
        assert "1.58, MAE 1.50 years (n = 2)" in display.ax_.get_title()

    def test_unknown_unit_is_not_written_behind_the_errors(self):
        display = RegressionDisplay.from_predictions([1.7, 1.8], [1.7, 1.7], task="height")
        assert display.ax_.get_title().endswith("MAE 0.05 (n = 2)")

    def test_what_is_no_number_or_missing_is_refused(self):
        with pytest.raises(TargetError, match="'age' is drawn as numbers"):
            RegressionDisplay.from_predictions(["old"], [3.0], task="age")
        with pytest.raises(TargetError, match="1 recordings have an infinite number"):
            RegressionDisplay.from_predictions([20.0, 30.0], [20.0, np.nan], task="age")


class TestCorpus:
    def test_bars_count_recordings_and_speakers_by_gender(self):
        display = CorpusDisplay.from_target(TARGET, name="mine")
        recordings, speakers = display.axes_
        assert recordings.get_title() == "mine: 60 recordings"
        assert speakers.get_title() == "mine: 12 speakers"
        assert recordings.get_xlabel() == "age (years; bins of 5)"
        assert (recordings.get_ylabel(), speakers.get_ylabel()) == ("recordings", "speakers")
        assert sum(bar.get_height() for bar in recordings.patches) == 60
        assert sum(bar.get_height() for bar in speakers.patches) == 12
        labels = [text.get_text() for text in speakers.get_legend().get_texts()]
        assert labels == ["f (6)", "m (6)"]
        assert len({bar.get_hatch() for bar in recordings.patches}) == 2

    def test_bins_are_five_years_with_the_lower_edge(self):
        frame = pd.DataFrame({"age": [19.9, 20.0, 24.0, 25.0, 36.0], "gender": "f"})
        counts = count_ages(frame)
        assert counts.index.tolist() == [15, 20, 25, 30, 35]
        assert counts["f"].tolist() == [1, 2, 1, 0, 1]
        ax = CorpusDisplay.from_target(frame).axes_[0]
        labels = [label.get_text() for label in ax.get_xticklabels()]
        assert dict(zip(labels, ax.get_xticks(), strict=True)) == {
            "15": 0,
            "20": 1,
            "25": 2,
            "30": 3,
            "35": 4,
            "40": 5,
        }
        assert [bar.get_x() for bar in ax.patches] == pytest.approx([0, 1, 2, 3, 4])

    def test_missing_labels_are_counted_as_such(self):
        frame = pd.DataFrame({"age": [20.0, None, 30.0], "gender": ["f", "m", None]})
        display = CorpusDisplay.from_target(frame)
        ax = display.axes_[0]
        labels = [text.get_text() for text in ax.get_legend().get_texts()]
        assert labels == ["f (1)", "m (1)", "not known (1)"]
        assert ax.get_xticklabels()[-1].get_text() == "not\nknown"
        assert len(display.axes_) == 1  # speakers are not told apart

    @pytest.mark.parametrize("column", ["age", "gender"])
    def test_one_of_age_and_gender_is_enough(self, column):
        display = CorpusDisplay.from_target(TARGET[["speaker", column]])
        assert sum(bar.get_height() for bar in display.axes_[1].patches) == 12
        with pytest.raises(TargetError, match="hold no 'age' and no 'gender' to draw; they have"):
            CorpusDisplay.from_target(TARGET[["speaker"]])

    def test_more_than_two_genders_differ_without_colour(self):
        target = pd.DataFrame({"gender": list("abcd"), "age": 30.0})
        bars = CorpusDisplay.from_target(target).axes_[0].patches
        assert len({bar.get_hatch() for bar in bars}) == 4

    def test_a_speaker_counts_once_with_what_is_usual(self):
        target = pd.DataFrame(
            {"speaker": list("aaab"), "age": [20.0, 20.0, 50.0, None], "gender": list("fmff")}
        )
        speakers = CorpusDisplay.from_target(target).speakers
        assert speakers.loc["a"].tolist() == [20.0, "f"]
        assert np.isnan(speakers.loc["b", "age"])

    def test_groups_stand_for_speakers_that_the_target_does_not_name(self):
        corpus = Bunch(target=TARGET[["age"]], groups=np.repeat(["x", "y", ""], 20))
        assert CorpusDisplay.from_corpus(corpus).axes_[1].get_title() == "2 speakers"

    def test_wrong_ages_and_bins_are_refused(self):
        with pytest.raises(TargetError, match="'age' must hold years"):
            CorpusDisplay.from_target(pd.DataFrame({"age": ["young"]}))
        with pytest.raises(ValueError, match="bin_width is 0"):
            CorpusDisplay.from_target(TARGET, bin_width=0)


class TestGap:
    def test_gap_is_disjoint_less_closed(self, make_scores):
        scores, _ = make_scores()
        display = ProtocolGapDisplay.from_scores(scores)
        assert [ax.get_title() for ax in display.axes_] == ["emotion", "gender", "age"]
        own = scores.query("model == 'tango' and task == 'emotion' and metric == 'uar'")
        means = own.groupby("protocol")["value"].mean() * 100
        gap = means["disjoint"] - means["closed"]
        text = display.axes_[0].texts[0].get_text()
        assert text == f"{gap:+.1f} points".replace("-", "\N{MINUS SIGN}")
        age = display.gaps.query("task == 'age' and model == 'concat'").iloc[0]
        assert f"{age['gap']:+.2f} years" in [text.get_text() for text in display.axes_[2].texts]
        deviation = own.groupby("protocol")["value"].std()["closed"]
        row = display.gaps.query("task == 'emotion' and model == 'tango'").iloc[0]
        assert row["closed_sd"] == pytest.approx(deviation)
        names = [label.get_text() for label in display.axes_[0].get_yticklabels()]
        assert names == ["tango", "concat"]
        legend = display.figure_.legends[0]
        assert [text.get_text() for text in legend.get_texts()] == ["closed", "disjoint"]
        assert legend.get_title().get_text() == "mean ± standard deviation over the folds"

    def test_another_metric_and_one_fold(self, make_scores):
        scores, _ = make_scores(folds=1)
        display = ProtocolGapDisplay.from_scores(
            scores, metrics={"age": "mae", "emotion": "accuracy"}
        )
        labels = [ax.get_xlabel() for ax in display.axes_]
        assert labels[0].startswith("accuracy (%)")
        assert labels[2] == "MAE (years), less is better"
        assert display.gaps["closed_sd"].isna().all()

    def test_equal_error_rate_and_concordance_have_their_own_units(self):
        rows = [
            ["tango", "mfcc", protocol, fold, task, metric, 0.1 * (fold + 1)]
            for protocol in ("closed", "disjoint")
            for fold in (0, 1)
            for task, metric in [("speaker", "eer"), ("speaker", "accuracy"), ("age", "ccc")]
        ]
        columns = ["model", "views", "protocol", "fold", "task", "metric", "value"]
        scores = pd.DataFrame(rows, columns=columns)
        display = ProtocolGapDisplay.from_scores(scores, metrics={"speaker": "eer"})
        labels = [ax.get_xlabel() for ax in display.axes_]
        assert labels == ["EER (%), less is better", "CCC (no unit), more is better"]
        assert [ax.texts[0].get_text() for ax in display.axes_] == ["+0.0 points", "+0.00"]
        alone = ProtocolGapDisplay.from_scores(scores)
        assert [ax.get_title() for ax in alone.axes_] == ["age"]

    def test_a_system_of_one_protocol_has_no_gap(self, make_scores):
        scores, _ = make_scores()
        lost = (scores["model"] == "concat") & (scores["protocol"] == "disjoint")
        display = ProtocolGapDisplay.from_scores(scores[~lost])
        assert [len(ax.texts) for ax in display.axes_] == [1, 1, 1]
        display.figure_.canvas.draw()

    def test_one_protocol_alone_is_refused(self, make_scores):
        scores, _ = make_scores(protocols=("closed",))
        with pytest.raises(ReportError, match="under both 'closed' and 'disjoint'; run"):
            ProtocolGapDisplay.from_scores(scores)
        with pytest.raises(ReportError, match="no column 'fold'"):
            ProtocolGapDisplay.from_scores(scores.drop(columns="fold"))
        with pytest.raises(ReportError, match="must hold numbers"):
            ProtocolGapDisplay.from_scores(scores.assign(value="good"))
