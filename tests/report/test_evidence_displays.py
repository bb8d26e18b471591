"""Displays of likelihood ratios, and of how sure answers are."""

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from sfmforensics.exceptions import ParameterError, ReportError, TargetError
from sfmforensics.metrics import (
    cllr,
    cllr_min,
    empirical_cross_entropy,
    equal_error_rate,
    expected_calibration_error,
)
from sfmforensics.report import (
    DETDisplay,
    ECEDisplay,
    PAVDisplay,
    ReliabilityDisplay,
    RiskCoverageDisplay,
    TippettDisplay,
)

pytestmark = pytest.mark.slow

mpl.use("agg")

RNG = np.random.default_rng(0)
SAME = np.arange(200) % 4 == 0
LOG10_LR = RNG.normal(size=200) + np.where(SAME, 1, -1)
CLASSES = ["high", "low", "neutral"]
PROBABILITIES = RNG.dirichlet([1, 1, 1], 200)
LABELS = np.array([RNG.choice(CLASSES, p=row) for row in PROBABILITIES], dtype=object)

OF_TRIALS = [TippettDisplay, ECEDisplay, DETDisplay, PAVDisplay]
VALUES = st.integers(-4, 4) | st.sampled_from([np.inf, -np.inf])
TRIALS = (
    st.lists(st.tuples(VALUES, st.booleans()), min_size=2, max_size=30)
    .map(lambda pairs: tuple(np.array(side) for side in zip(*pairs, strict=True)))
    .filter(lambda pair: 0 < pair[1].sum() < len(pair[1]))
)
FEW = settings(max_examples=25, deadline=None)


def axes():
    return Figure().add_subplot()


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


@pytest.mark.parametrize("display", OF_TRIALS)
class TestTrials:
    """What all displays of comparisons take and refuse."""

    def test_of_one_kind_there_is_nothing_to_draw(self, display):
        with pytest.raises(
            ReportError, match="2 same-speaker and 0 different-speaker trials; give"
        ):
            display.from_predictions([1, 2], [True, True])
        with pytest.raises(ReportError, match="0 same-speaker and 2 different-speaker trials"):
            display.from_predictions([1, 2], [False, False])
        with pytest.raises(ReportError, match="0 same-speaker and 0 different"):
            display.from_predictions([], [])

    def test_what_is_no_trial_is_refused(self, display):
        with pytest.raises(ParameterError, match="1 of 2 scores are not a number"):
            display.from_predictions([np.nan, 1], [True, False])
        with pytest.raises(ParameterError, match="there are 1 scores and 2 labels"):
            display.from_predictions([1], [True, False])
        with pytest.raises(ParameterError, match="neither true nor false; give booleans"):
            display.from_predictions([1, 2], ["same", "different"])
        with pytest.raises(ParameterError, match="must hold numbers, but"):
            display.from_predictions(["high", "low"], [True, False])

    @FEW
    @given(pair=TRIALS)
    def test_any_trials_can_be_drawn(self, display, pair):
        figure = Figure(layout="constrained")
        shown = display.from_predictions(*pair, name="US$ or A$", ax=figure.add_subplot())
        figure.draw_without_rendering()
        for line in shown.ax_.lines:
            assert not np.isinf(np.asarray(line.get_xdata(), dtype=float)).any()
        low, high = shown.ax_.get_xlim()
        assert np.isfinite([low, high]).all()
        assert low < high

    def test_curves_differ_without_colour(self, display):
        shown = display.from_predictions(LOG10_LR, SAME, ax=axes())
        if display is DETDisplay:
            display.from_predictions(LOG10_LR.round(), SAME, ax=shown.ax_)
        lines = [line for line in shown.ax_.lines if not line.get_label().startswith("_")]
        assert len({line.get_linestyle() for line in lines}) == len(lines)
        assert len({to_rgba(line.get_color()) for line in lines}) == len(lines)


class TestTippett:
    def test_curves_by_hand(self):
        same = [True] * 4 + [False] * 2
        display = TippettDisplay.from_predictions([2, 1, 1, -0.5, 0, -2], same, ax=axes())
        of_same, of_different = (line.get_xydata() for line in display.ax_.lines[:2])
        assert of_same[1:-1].tolist() == [[-0.5, 100], [1, 75], [2, 25]]
        assert of_different[1:-1].tolist() == [[-2, 100], [0, 50]]
        assert {line.get_drawstyle() for line in display.ax_.lines[:2]} == {"steps-pre"}
        for curve, limit in ((of_same, 1), (of_different, 1)):
            assert curve[0, limit] == 100
            assert curve[-1, limit] == 0
        assert display.misleading == (0.25, 0)  # a ratio of 1 misleads nobody
        assert display.ax_.get_title() == "misleading: 25.0 % of same, 0.0 % of different"

    @FEW
    @given(pair=TRIALS, data=st.data())
    def test_a_weight_is_so_many_trials(self, pair, data):
        """Whole weights draw what trials that are repeated draw."""
        values, same = pair
        one = st.integers(1, 4)
        weights = np.array(data.draw(st.lists(one, min_size=len(same), max_size=len(same))))
        weighted = TippettDisplay.from_predictions(values, same, weights=weights, ax=axes())
        repeated = TippettDisplay.from_predictions(
            values.repeat(weights), same.repeat(weights), ax=axes()
        )
        assert weighted.misleading == pytest.approx(repeated.misleading)
        for line, other in zip(weighted.ax_.lines[:2], repeated.ax_.lines[:2], strict=True):
            np.testing.assert_allclose(line.get_xydata(), other.get_xydata(), atol=1e-9)
        counts = [f"(n = {int(kind.sum())}" for kind in (same, ~same)]
        assert all(part in text for part, text in zip(counts, legend(weighted), strict=False))

    def test_weights_that_count_nothing_are_refused(self):
        given = [1, 2, -1], [True, True, False]
        for weights, words in (
            ([1, 1], r"weights have the shape \(2,\); give one for each of 3 trials"),
            ([1, -1, 1], "negative or not finite"),
            ([1, np.nan, 1], "negative or not finite"),
            ([0, 0, 1], "of same-speaker trials sum to 0"),
            ([0, 1, 0], "of different-speaker trials sum to 0"),
            (["much", "1", "1"], "must be numbers, but"),
        ):
            with pytest.raises(ParameterError, match=words):
                TippettDisplay.from_predictions(*given, weights=weights)

    def test_a_case_is_a_line_that_is_named_and_in_sight(self):
        display = TippettDisplay.from_predictions(
            [1, 2, -1], [True, True, False], case=-7.5, ax=axes()
        )
        assert "this case (\N{MINUS SIGN}7.50)" in legend(display)
        assert display.ax_.lines[-1].get_xdata() == [-7.5, -7.5]
        assert display.ax_.get_xlim()[0] < -7.5
        assert display.misleading == (0, 0)  # of the case nothing is known
        with pytest.raises(ParameterError, match="case is inf; give the log10 LR"):
            TippettDisplay.from_predictions([1, -1], [True, False], case=np.inf)

    @FEW
    @given(TRIALS)
    def test_curves_fall_and_say_the_share(self, pair):
        values, same = pair
        display = TippettDisplay.from_predictions(values, same, ax=axes())
        for line, kind in zip(display.ax_.lines[:2], (same, ~same), strict=True):
            x, share = line.get_data()
            assert (np.diff(x) > 0).all()
            assert (np.diff(share) <= 0).all()
            for where, drawn in zip(x, share, strict=True):
                if where < display.ax_.get_xlim()[1]:
                    assert drawn == pytest.approx(100 * (values[kind] >= where).mean())
            assert share[-1] == pytest.approx(100 * (values[kind] == np.inf).mean())

    def test_infinite_ones_are_counted(self):
        values, same = [np.inf, 1, -np.inf, -1, -2, -np.inf], [True] * 2 + [False] * 4
        display = TippettDisplay.from_predictions(values, same, ax=axes())
        assert legend(display) == ["same speaker (n = 2; 1 ∞)", "different speakers (n = 4; 2 ∞)"]
        of_same, of_different = (line.get_ydata() for line in display.ax_.lines[:2])
        assert (of_same[0], of_same[-1]) == (100, 50)
        assert (of_different[0], of_different[-1]) == (50, 0)

    def test_bounds_are_lines(self):
        display = TippettDisplay.from_predictions(
            LOG10_LR, SAME, bounds=(-1.5, 9), name="TANGO", ax=axes()
        )
        assert [line.get_xdata()[0] for line in display.ax_.lines[2:]] == [0, -1.5, 9]
        assert display.ax_.get_xlim()[1] > 9
        assert legend(display)[-1] == "bounds (\N{MINUS SIGN}1.50, 9.00)"
        assert display.ax_.get_title().startswith("TANGO\n")
        for odd in ((2, -2), (0, np.inf), (np.nan, 1)):
            with pytest.raises(ParameterError, match=r"bounds are .*; give the lowest and"):
                TippettDisplay.from_predictions(LOG10_LR, SAME, bounds=odd)


class TestDET:
    def test_points_are_the_errors_in_percent(self):
        display = DETDisplay.from_predictions(
            np.arange(12), [False] * 5 + [True, False, True, True, True, False, True], ax=axes()
        )
        drawn = {tuple(point) for point in display.line_.get_xydata().round(6).tolist()}
        # At 11 one of 5 true ones is found; at 10 one of 7 false ones as well.
        assert {(2, 100), (2, 80), (round(100 / 7, 6), 80)} <= drawn
        assert display.ax_.get_xlabel() == "false acceptances (%)"
        assert display.ax_.get_ylabel() == "misses (%)"
        assert display.ax_.get_title() == "trials: 5 same, 7 different"

    @FEW
    @given(TRIALS)
    def test_misses_fall_and_the_marked_point_is_on_the_curve(self, pair):
        display = DETDisplay.from_predictions(*pair, ax=axes())
        false, missed = display.line_.get_data()
        assert (np.diff(false) >= 0).all()
        assert (np.diff(missed) <= 0).all()
        marked = [line for line in display.ax_.lines if line.get_marker() == "o"]
        ((x, y),) = marked[0].get_xydata()
        eer = 100 * equal_error_rate(*pair)
        assert x == y == pytest.approx(max(eer, display.ax_.get_xticks()[0]))
        assert legend(display) == [f"EER {eer:.1f} %"]
        # Where the curve passes from below the diagonal to above it, 20 points between thresholds.
        after = int(np.argmax(false - missed >= -1e-9))
        assert false[max(after - 1, 0)] - 1e-6 <= x <= false[after] + 1e-6
        assert missed[after] - 1e-6 <= y <= missed[max(after - 1, 0)] + 1e-6

    def test_equal_scores_of_both_kinds_are_joined_in_percent(self):
        display = DETDisplay.from_predictions([1, 1, 1], [True, False, False], ax=axes())
        points = display.line_.get_xydata()
        inner = points[(points > 2.5).all(axis=1)]
        assert len(inner) > 15
        np.testing.assert_allclose(inner.sum(axis=1), 100)

    def test_two_normal_distributions_are_a_straight_line(self):
        from scipy.stats import norm

        ranks = norm.ppf((np.arange(4000) + 0.5) / 4000)
        same = np.arange(8000) < 4000
        display = DETDisplay.from_predictions(np.append(ranks + 2, ranks), same, ax=axes())
        display.figure_.draw_without_rendering()  # which makes both axes of one scale
        shown = display.ax_.transData.transform(display.line_.get_xydata())
        box = display.ax_.get_window_extent()
        inner = ((shown > box.min + 60) & (shown < box.max - 5)).all(axis=1)
        slope, _ = np.polyfit(*shown[inner].T, 1)
        assert inner.sum() > 1000
        assert slope == pytest.approx(-1, abs=0.02)
        residuals = shown[inner][:, 1] - np.polyval(
            np.polyfit(*shown[inner].T, 1), shown[inner][:, 0]
        )
        assert np.abs(residuals).max() < 4  # of some 370 pixels

    def test_no_error_at_all_is_drawn_at_the_tick_0(self):
        display = DETDisplay.from_predictions([2, 3, 0, 1], [True, True, False, False], ax=axes())
        assert legend(display) == ["EER 0.0 %"]
        for axis in (display.ax_.xaxis, display.ax_.yaxis):
            assert axis.get_ticklabels()[0].get_text() == "0"
            assert axis.get_view_interval()[0] < axis.get_ticklocs()[0]
        floor = display.ax_.get_xticks()[0]
        assert [floor, floor] in display.line_.get_xydata().tolist()

    def test_systems_are_compared_on_one_axes(self):
        first = DETDisplay.from_predictions(LOG10_LR, SAME, name="a", ax=axes())
        noise = 2 * np.random.default_rng(0).normal(size=200)
        second = DETDisplay.from_predictions(LOG10_LR + noise, SAME, name="b", ax=first.ax_)
        assert [label[:6] for label in legend(second)] == ["a: EER", "b: EER"]
        assert second.ax_.get_title() == "trials: 50 same, 150 different"
        third = DETDisplay.from_predictions(LOG10_LR[:100], SAME[:100], ax=first.ax_)
        assert third.ax_.get_title() == "of different trials"


class TestPAV:
    @FEW
    @given(TRIALS)
    def test_the_curve_rises_and_its_cllr_is_the_least(self, pair):
        values, same = pair
        display = PAVDisplay.from_predictions(values, same, ax=axes())
        assert cllr(display.pooled, same) == pytest.approx(cllr_min(values, same), abs=1e-9)
        x, y = display.line_.get_data()
        assert (np.diff(x) > 0).all()
        assert (np.diff(y) >= 0).all()
        found = dict(zip(values, display.pooled, strict=True))
        assert all(found[where] == after for where, after in zip(x, y, strict=True))
        # All else is infinite on one side, and has an arrow.
        arrows = [line for line in display.ax_.lines if line.get_marker() in ("^", "v", ">", "<")]
        n_infinite = sum(np.isinf([where, after]).any() for where, after in found.items())
        assert sum(len(line.get_xdata()) for line in arrows) == n_infinite

    def test_by_hand(self):
        same = [True, True, False, True, False, False]
        display = PAVDisplay.from_predictions([3, 2, 1, 0, -1, -2], same, name="a", ax=axes())
        assert display.pooled.tolist() == pytest.approx([np.inf, np.inf, 0, 0, -np.inf, -np.inf])
        np.testing.assert_allclose(display.line_.get_xydata(), [[0, 0], [1, 0]], atol=1e-12)
        up, down = (
            next(line for line in display.ax_.lines if line.get_marker() == marker)
            for marker in "^v"
        )
        assert up.get_xdata().tolist() == [2, 3]
        assert down.get_xdata().tolist() == [-2, -1]
        labels = {text.get_text(): text.get_position()[1] for text in display.ax_.get_yticklabels()}
        assert labels["∞"] == up.get_ydata()[0] > 3
        assert labels["\N{MINUS SIGN}∞"] == down.get_ydata()[0] < -2
        assert "∞" not in [text.get_text() for text in display.ax_.get_xticklabels()]
        assert display.ax_.get_title().startswith("a\nCllr 0.")

    def test_ticks_at_the_edges_are_the_trials(self):
        values = np.append(LOG10_LR, np.linspace(-3, 3, 2000))
        same = np.append(SAME, np.zeros(2000, bool))
        above, below = PAVDisplay.from_predictions(values, same, ax=axes()).ax_.collections
        found = sorted(segment[0, 0] for segment in above.get_segments())
        np.testing.assert_allclose(found, np.sort(LOG10_LR[SAME]))
        assert len(below.get_segments()) == 500  # of 2150
        assert below.get_label() == "different speakers, below (n = 2,150)"


class TestECE:
    @FEW
    @given(TRIALS)
    def test_at_even_odds_it_is_cllr(self, pair):
        values, same = pair
        display = ECEDisplay.from_predictions(values, same, ax=axes())
        middle = int(np.argmin(np.abs(display.log10_prior_odds)))
        assert abs(display.log10_prior_odds[middle]) < 1e-9
        assert display.given[middle] == pytest.approx(cllr(values, same))
        assert display.pooled[middle] == pytest.approx(cllr_min(values, same), abs=1e-9)
        assert display.neutral[middle] == pytest.approx(1)
        assert (display.pooled <= np.minimum(display.given, display.neutral) + 1e-9).all()

    def test_three_curves_are_drawn(self):
        odds = [-1, 0.5, 2]
        display = ECEDisplay.from_predictions(
            LOG10_LR, SAME, log10_prior_odds=odds, name="TANGO", ax=axes()
        )
        given, pooled, neutral = display.ax_.lines[:3]
        expected = empirical_cross_entropy(LOG10_LR, SAME, odds)
        np.testing.assert_allclose(given.get_xydata(), np.column_stack([odds, expected]))
        np.testing.assert_allclose(neutral.get_ydata()[0], 0.4395, atol=1e-4)  # of 1 in 11
        assert [line.get_linestyle() for line in (given, pooled, neutral)] == ["-", "--", ":"]
        assert display.ax_.get_xlim() == (-1, 2)
        assert display.ax_.get_title().splitlines() == [
            "TANGO",
            f"Cllr {cllr(LOG10_LR, SAME):.3f}, Cllr min {cllr_min(LOG10_LR, SAME):.3f} (bits)",
        ]

    def test_an_infinite_one_that_is_wrong_has_no_curve(self):
        display = ECEDisplay.from_predictions([np.inf, 1, -1], [False, True, False], ax=axes())
        assert legend(display)[0] == "LR as they are (∞: one is wrong)"
        assert display.ax_.get_title().startswith("Cllr ∞, Cllr min 0.")
        assert np.isnan(display.ax_.lines[0].get_ydata()).all()
        misleading = ECEDisplay.from_predictions([9, -9], [False, True], ax=axes())
        assert misleading.ax_.get_ylim()[1] == pytest.approx(2.1)

    def test_priors_must_rise(self):
        for odds in ([0], [1, 0], [0, np.inf], [[0, 1]], 0.0):
            with pytest.raises(ParameterError, match="log10_prior_odds are not two or more"):
                ECEDisplay.from_predictions(LOG10_LR, SAME, log10_prior_odds=odds)


class TestReliability:
    def test_points_are_the_bins(self):
        probabilities = [[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]]
        display = ReliabilityDisplay.from_predictions(
            ["f", "m", "m"], probabilities, classes=["f", "m"], n_bins=2, ax=axes_pair()
        )
        assert display.ax_.lines[1].get_xydata() == pytest.approx(np.array([[230 / 3, 200 / 3]]))
        (bar,) = display.counts_ax_.patches
        assert (bar.get_x(), bar.get_width(), bar.get_height()) == (50, 50, 3)
        assert display.ax_.get_title() == "expected calibration error 10.0 % (n = 3)"
        assert display.counts_ax_.get_xlabel() == "confidence (%), bins of equal width"

    def test_several_sets_are_compared(self):
        sharp = PROBABILITIES**3 / (PROBABILITIES**3).sum(axis=1, keepdims=True)
        sets = {"before": sharp, "after": PROBABILITIES}
        display = ReliabilityDisplay.from_predictions(
            LABELS, sets, classes=CLASSES, n_bins=15, name="emotion", ax=axes_pair()
        )
        for key, rows in sets.items():
            expected = expected_calibration_error(LABELS, rows, CLASSES)
            assert display.errors[key] == pytest.approx(expected)
            assert f"{key}: {100 * expected:.1f} %" in legend(display)
        assert display.ax_.get_title() == "emotion\nexpected calibration error (n = 200)"
        assert len({line.get_linestyle() for line in display.ax_.lines[1:]}) == 2
        assert sum(bar.get_height() for bar in display.counts_ax_.patches) == 400

    def test_bins_of_like_counts(self):
        display = ReliabilityDisplay.from_predictions(
            LABELS, PROBABILITIES, classes=CLASSES, n_bins=4, strategy="quantile", ax=axes_pair()
        )
        assert [bar.get_height() for bar in display.counts_ax_.patches] == [50] * 4
        assert display.counts_ax_.get_xlabel() == "confidence (%), bins of like counts"

    def test_what_cannot_be_drawn_is_refused(self):
        with pytest.raises(TargetError, match="no label of the recordings is known"):
            ReliabilityDisplay.from_predictions([None], [[0.5, 0.5]], classes=["f", "m"])
        with pytest.raises(ParameterError, match="empty dict; give at least one set"):
            ReliabilityDisplay.from_predictions(["f"], {}, classes=["f", "m"])
        with pytest.raises(ParameterError, match="strategy 'wide'"):
            ReliabilityDisplay.from_predictions(
                ["f"], [[0.5, 0.5]], classes=["f", "m"], strategy="wide"
            )
        with pytest.raises(ParameterError, match="strategy is 'wide'; use"):
            ReliabilityDisplay({}, strategy="wide").plot()
        with pytest.raises(ParameterError, match="ax holds 3 axes, but 2 panels"):
            ReliabilityDisplay.from_predictions(
                ["f"], [[0.5, 0.5]], classes=["f", "m"], ax=Figure().subplots(1, 3)
            )


def axes_pair():
    return Figure().subplots(2, 1)


class TestRiskCoverage:
    def test_steps_by_hand(self):
        y, answers = ["f", "m", "m", None, "f"], ["f", "f", "m", "f", None]
        display = RiskCoverageDisplay.from_predictions(
            y, answers, [0.9, 0.8, 0.8, np.nan, 0.5], threshold=0.6, name="TANGO", ax=axes()
        )
        steps = [[0, 0], [25, 0], [75, 100 / 3], [100, 50]]
        np.testing.assert_allclose(display.line_.get_xydata(), steps)
        assert display.aurc == pytest.approx((0.5 / 3) + 0.25 / 2)
        assert display.point == pytest.approx((0.75, 1 / 3))
        display.threshold = 0.8  # who is just so sure is answered
        assert display.point == pytest.approx((0.75, 1 / 3))
        told = "confidence ≥ 0.6: 75.0 % answered,\n33.3 % of them wrong"
        assert legend(display) == ["TANGO: AURC 0.292", told]
        assert display.ax_.get_title().endswith("(n = 4)")

    def test_a_threshold_that_nothing_reaches_is_refused(self):
        with pytest.raises(
            ParameterError, match=r"reaches the threshold 0\.95; choose at most 0\.9"
        ):
            RiskCoverageDisplay.from_predictions(["f"], ["f"], [0.9], threshold=0.95)
        assert RiskCoverageDisplay.from_predictions(["f"], ["f"], [0.9], ax=axes()).point is None

    def test_models_are_compared_on_one_axes(self):
        answers = np.array(CLASSES)[PROBABILITIES.argmax(axis=1)]
        sure = PROBABILITIES.max(axis=1)
        first = RiskCoverageDisplay.from_predictions(LABELS, answers, sure, name="a", ax=axes())
        second = RiskCoverageDisplay.from_predictions(
            LABELS, answers, -sure, name="b", ax=first.ax_
        )
        assert second.aurc > first.aurc
        assert [label[:7] for label in legend(second)] == ["a: AURC", "b: AURC"]
        assert first.line_.get_linestyle() != second.line_.get_linestyle()
        highest = max(line.get_ydata().max() for line in first.ax_.lines)
        assert first.ax_.get_ylim()[1] > highest

    def test_what_cannot_be_drawn_is_refused(self):
        with pytest.raises(TargetError, match="no label of the recordings is known"):
            RiskCoverageDisplay.from_predictions([None], ["f"], [0.5])
        with pytest.raises(TargetError, match="labels such as 'f' are compared with"):
            RiskCoverageDisplay.from_predictions(["f"], [1], [0.5])
        with pytest.raises(ParameterError, match="1 labels, 1 predictions and 2 confidences"):
            RiskCoverageDisplay.from_predictions(["f"], ["f"], [0.5, 0.6])
        with pytest.raises(ParameterError, match="1 of 1 confidences are not a number"):
            RiskCoverageDisplay.from_predictions(["f"], ["f"], [np.nan])
