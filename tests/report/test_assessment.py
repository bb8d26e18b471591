"""Validations as figures and tables."""

from dataclasses import replace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from sfmforensics.evidence._answers import TaskAnswers
from sfmforensics.evidence._assessment import measured
from sfmforensics.evidence._trials import trial_weights
from sfmforensics.exceptions import ParameterError, ReportError
from sfmforensics.metrics import Trials, calibration_bins, risk_coverage
from sfmforensics.report import (
    DETDisplay,
    ECEDisplay,
    PAVDisplay,
    ReliabilityDisplay,
    RiskCoverageDisplay,
    TippettDisplay,
    assessment_figures,
    format_assessment,
    format_differences,
    save_assessment,
)
from sfmforensics.report.tables import MEASURES

pytestmark = pytest.mark.slow

mpl.use("agg")

N = 60


def made(trials=True, probabilities=True, task="emotion"):
    rng = np.random.default_rng(0)
    voices = np.sort(np.r_[np.arange(12), rng.integers(0, 12, N - 12)])
    first, second = np.triu_indices(N, k=1)
    same = voices[first] == voices[second]
    scores = rng.normal(size=len(first)) + np.where(same, 1, -1)
    weights = trial_weights(voices[first], voices[second])
    labels = np.array(["high", "low"], dtype=object)
    truth = rng.choice(labels, N)
    truth[0] = None
    told = rng.dirichlet([1, 1], N)
    predicted = labels[told.argmax(axis=1)]
    sets = np.empty(N, dtype=object)
    sets[:] = [("high", "low")] * N
    given = {
        "labels": labels,
        "before": told,
        "after": told,
        "sets": sets,
        "answered": told.max(axis=1) >= 0.75,
        "threshold": 0.75,
    }
    age = 30 + rng.normal(size=N)
    answers = {
        task: TaskAnswers("classification", truth, predicted, **(given if probabilities else {})),
        "age": TaskAnswers("regression", age, age + 1, low=age - 2, high=age + 2),
    }
    names = np.array([f"s{k}" for k in range(12)], dtype=object)
    frame = pd.DataFrame({"gender": np.where(voices < 6, "f", "m")})
    comparisons = Trials(scores, same, first, second, weights) if trials else None
    bounds = (-3.0, 3.0) if trials else None
    return measured(comparisons, answers, frame, voices, names, bounds, 0.9, 0.1, 1, 100, 0)


@pytest.fixture(scope="module")
def found():
    return made()


def value(found, task, measure):
    rows = found.table
    chosen = (rows["task"] == task) & (rows["measure"] == measure) & (rows["group"] == "")
    return rows[chosen]["value"].iloc[0]


def texts_of(ax):
    legend = ax.get_legend()
    return [] if legend is None else legend.get_texts()


class TestFigures:
    def test_there_is_one_of_each_kind(self, found):
        open_before = plt.get_fignums()
        figures = assessment_figures(found)
        of_voices = ["tippett", "det", "pav", "ece"]
        assert list(figures) == [*of_voices, "reliability-emotion", "refusal-emotion", "groups"]
        assert all(isinstance(figure, Figure) for figure in figures.values())
        assert plt.get_fignums() == open_before

    def test_they_say_what_the_tables_say(self, found):
        figures = assessment_figures(found)
        titles = {name: figure.axes[0].get_title() for name, figure in figures.items()}
        cost, least = (value(found, "speaker", name) for name in ("cllr", "cllr_min"))
        for name in ("pav", "ece"):
            assert titles[name] == f"Cllr {cost:.3f}, Cllr min {least:.3f} (bits)"
        shares = [100 * value(found, "speaker", f"misleading_{of}") for of in ("same", "different")]
        assert titles["tippett"] == "misleading: {:.1f} % of same, {:.1f} % of different".format(
            *shares
        )
        legends = {
            name: [text.get_text() for ax in figure.axes for text in texts_of(ax)]
            for name, figure in figures.items()
        }
        assert legends["det"] == [f"EER {100 * value(found, 'speaker', 'eer'):.1f} %"]
        error = 100 * value(found, "emotion", "ece_after")
        assert f"after: {error:.1f} %" in legends["reliability-emotion"]
        answered = 100 * value(found, "emotion", "answered")
        wrong = 100 * value(found, "emotion", "error_answered")
        assert legends["refusal-emotion"][1] == (
            f"confidence ≥ 0.75: {answered:.1f} % answered,\n{wrong:.1f} % of them wrong"
        )

    def test_what_there_is_nothing_of_is_left_out(self):
        assert list(assessment_figures(made(trials=False, probabilities=False))) == ["groups"]

    def test_each_measure_has_a_panel_with_its_groups(self, found):
        axes = assessment_figures(found)["groups"].axes
        titles = [ax.get_title() for ax in axes]
        assert titles[:2] == ["Cllr (bits)", "Cllr min (bits)"]
        assert "mean error (years)" in titles
        names = [text.get_text() for text in axes[0].get_yticklabels()]
        assert names == ["all", "gender: f", "gender: m"]
        rows = found.table.query("task == 'speaker' and measure == 'cllr'")
        lines = {line.get_ydata()[0]: line.get_xdata() for line in axes[0].lines[1::2]}
        for place, row in enumerate(rows.to_dict("records")):
            np.testing.assert_allclose(lines[place], [row["low"], row["high"]])

    def test_a_measure_of_nothing_says_so(self, found):
        told = replace(found.answers["emotion"], answered=np.zeros(N, dtype=bool))
        parts = (found.labels, found.voices, found.names, None, 0.9, 0.1, 1, 20, 0)
        panels = {
            ax.get_title(): [text.get_text() for text in ax.texts]
            for ax in assessment_figures(measured(None, {"emotion": told}, *parts))["groups"].axes
        }
        assert panels["wrong if answered (%)"] == ["not defined"]
        assert panels["accuracy (%)"] == []

    def test_every_measure_has_a_name(self, found):
        assert set(found.table["measure"]) == set(MEASURES)


class TestTables:
    def test_values_and_bounds(self, found):
        row = found.table.query("task == 'emotion' and measure == 'accuracy' and group == ''")
        text = "{:.1f} [{:.1f}, {:.1f}]".format(
            *(100 * row[["value", "low", "high"]].to_numpy()[0])
        )
        table = format_assessment(found).set_index(["task", "measure"])
        assert table.loc[("emotion", "accuracy %"), "all"] == text
        assert list(format_assessment(found, "gender"))[2:] == ["f", "m"]
        with pytest.raises(ReportError, match="nothing was grouped by 'age'"):
            format_assessment(found, "age")

    def test_differences_beyond_chance(self, found):
        told = found.differences.copy()
        told[["value", "low", "high"]] = [0.05, -0.01, 0.1]
        told.loc[told.index[0], ["value", "low", "high"]] = [0.2, 0.1, 0.3]
        told.loc[told.index[1], ["value", "low", "high"]] = [-0.2, -0.3, -0.1]
        shown = format_differences(replace(found, differences=told))
        texts = {True: "+20.0 [+10.0, +30.0]", False: "+0.20 [+0.10, +0.30]"}
        first = told.iloc[0]
        assert shown.loc[0, "less the rest"] == texts[MEASURES[first["measure"]][1] == "%"]
        assert shown.loc[0, "group"] == f"{first['by']}: {first['group']}"
        assert shown.loc[1, "less the rest"].startswith("-")
        assert len(shown) == 2
        told[["low", "high"]] = np.nan
        none = format_differences(replace(found, differences=told))
        assert list(none) == list(shown)
        assert none.empty

    def test_all_is_written(self, found, tmp_path):
        paths = save_assessment(tmp_path / "new", found)
        assert sorted(paths) == sorted((tmp_path / "new").iterdir())
        back = pd.read_csv(paths[0], keep_default_na=False, na_values=["nan"])
        assert list(back["measure"]) == list(found.table["measure"])
        assert all(path.stat().st_size > 10_000 for path in paths if path.suffix == ".png")

    def test_a_name_may_be_any(self, tmp_path):
        paths = save_assessment(tmp_path, made(task="a/b"))
        assert "reliability-a_b.png" in {path.name for path in paths}


class TestWeights:
    """A trial of weight 2 is drawn as two are."""

    rng = np.random.default_rng(1)
    same = np.arange(40) % 3 == 0
    scores = rng.normal(size=40) + same
    times = rng.integers(1, 4, 40)

    @pytest.mark.parametrize("display", [TippettDisplay, DETDisplay, PAVDisplay, ECEDisplay])
    def test_of_trials(self, display):
        weighted = display.from_predictions(
            self.scores, self.same, weights=self.times, ax=Figure().add_subplot()
        )
        written = display.from_predictions(
            *(np.repeat(part, self.times) for part in (self.scores, self.same)),
            ax=Figure().add_subplot(),
        )
        if display is DETDisplay:  # its axes reach as far as there are trials
            np.testing.assert_allclose(weighted.misses, written.misses, atol=1e-9)
            np.testing.assert_allclose(weighted.false_acceptances, written.false_acceptances)
            assert weighted.eer == pytest.approx(written.eer)
        else:
            for one, other in zip(weighted.ax_.lines, written.ax_.lines, strict=True):
                sides = (np.asarray(line.get_xydata(), dtype=float) for line in (one, other))
                # PAV tells pools to the last digit but one.
                np.testing.assert_allclose(*sides, atol=1e-6)
            assert weighted.ax_.get_title() == written.ax_.get_title()
        plain = display.from_predictions(self.scores, self.same, ax=Figure().add_subplot())
        texts = [[t.get_text() for t in d.ax_.get_legend().get_texts()] for d in (plain, weighted)]
        told = [d.ax_.get_title() for d in (plain, weighted)]
        assert (texts[0], told[0]) != (texts[1], told[1])

    @pytest.mark.parametrize("display", [TippettDisplay, DETDisplay, PAVDisplay, ECEDisplay])
    @pytest.mark.parametrize("weights", [[1.0], [-1.0] * 40, [np.nan] * 40, [0.0] * 40])
    def test_of_trials_that_are_none(self, display, weights):
        with pytest.raises(ParameterError, match="weights"):
            display.from_predictions(self.scores, self.same, weights=weights)

    def test_of_answers(self):
        rng = np.random.default_rng(2)
        told = rng.dirichlet([1, 1, 1], 40)
        truth = rng.choice(["a", "b", "c"], 40).astype(object)
        truth[3] = None
        classes = ["a", "b", "c"]
        many = [np.repeat(part, self.times, axis=0) for part in (truth, told)]
        bins = calibration_bins(truth, told, classes, weights=self.times)
        written = calibration_bins(*many, classes)
        np.testing.assert_array_equal(bins["weight"], written["n"])
        for name in ("confidence", "accuracy", "low", "high"):
            np.testing.assert_allclose(bins[name], written[name])
        shown = [
            ReliabilityDisplay.from_predictions(
                *parts, classes=classes, weights=weights, ax=Figure().subplots(2)
            ).errors[""]
            for parts, weights in (((truth, told), self.times), (many, None))
        ]
        assert shown[0] == pytest.approx(shown[1])
        right, sure = truth == "a", told.max(axis=1)
        weighted = risk_coverage(right, sure, self.times)
        plain = risk_coverage(np.repeat(right, self.times), np.repeat(sure, self.times))
        for one, other in zip(weighted, plain, strict=True):
            np.testing.assert_allclose(one, other)
        says = np.array(classes, dtype=object)[told.argmax(axis=1)]
        drawn = RiskCoverageDisplay.from_predictions(
            truth, says, sure, weights=self.times, ax=Figure().add_subplot()
        )
        known = truth != None  # noqa: E711
        expected = risk_coverage((says == truth)[known], sure[known], self.times[known])
        np.testing.assert_allclose(drawn.risk, expected[1])

    def test_of_answers_that_are_none(self):
        with pytest.raises(ParameterError, match="weights have the shape"):
            risk_coverage([True, False], [0.2, 0.8], [1.0])
        with pytest.raises(ParameterError, match="above 0"):
            calibration_bins(["a", "b"], np.eye(2), ["a", "b"], weights=[1.0, 0.0])
