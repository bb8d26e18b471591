"""Likelihood ratios of comparisons: how they spread, what they leave open, how calibrated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from sfmforensics.exceptions import ParameterError, ReportError
from sfmforensics.metrics import cllr, cllr_min, empirical_cross_entropy, pav_log10_lr
from sfmforensics.metrics._trials import checked_trials as read_trials
from sfmforensics.metrics._trials import checked_weights as read_weights
from sfmforensics.report.displays._axes import (
    BLACK,
    BLUE,
    GREEN,
    LEGEND,
    VERMILLION,
    Display,
    heading_of,
    own_axes,
)

if TYPE_CHECKING:
    from typing import Self

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from numpy.typing import ArrayLike

    from sfmforensics._types import BoolArray, FloatArray


SAME, DIFFERENT = "same speaker", "different speakers"


def checked_trials(values: ArrayLike, same: ArrayLike) -> tuple[FloatArray, BoolArray]:
    """Read scores or logarithms of likelihood ratios, and which of them are of one speaker.

    Parameters
    ----------
    values : array-like of shape (n_trials,)
        May be infinite.
    same : array-like of shape (n_trials,), bool
        Whether both sides are one speaker; 0 and 1 will do.

    Returns
    -------
    values : ndarray of shape (n_trials,)
    same : ndarray of shape (n_trials,), bool

    Raises
    ------
    ParameterError
        As for `sfmforensics.metrics.cllr`.
    ReportError
        All trials are of one kind, or there are none.

    Examples
    --------
    >>> checked_trials([1, -1], [1, 0])
    (array([ 1., -1.]), array([ True, False]))
    >>> checked_trials([1, 2], [True, True])
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.ReportError: there are 2 same-speaker and 0 different-speaker trials;
    give at least one of each
    """
    numbers, kinds, _ = read_trials(values, same)
    n_same = int(kinds.sum())
    if not 0 < n_same < len(kinds):
        raise ReportError(
            f"there are {n_same} same-speaker and {len(kinds) - n_same} different-speaker trials; "
            "give at least one of each"
        )
    return numbers, kinds


def checked_weights(weights: ArrayLike, same: BoolArray) -> FloatArray:
    """Read how much each trial counts.

    Parameters
    ----------
    weights : array-like of shape (n_trials,)
        Not negative.
    same : ndarray of shape (n_trials,), bool
        Kinds, as `checked_trials` gives them.

    Returns
    -------
    ndarray of shape (n_trials,)

    Raises
    ------
    ParameterError
        There are more or fewer than trials, one is negative or not finite, or a kind has none.

    Examples
    --------
    >>> checked_weights([0, 1], np.array([True, False]))
    Traceback (most recent call last):
    ...
    sfmforensics.exceptions.ParameterError: the weights of same-speaker trials sum to 0; give some
    that count
    """
    numbers = read_weights(weights, len(same))
    for kind, name in ((same, "same"), (~same, "different")):
        if not numbers[kind].sum():
            raise ParameterError(
                f"the weights of {name}-speaker trials sum to 0; give some that count"
            )
    return numbers


def bits(value: float) -> str:
    """Write a measure in bits, which is infinite where an infinite ratio is wrong.

    Examples
    --------
    >>> bits(0.45612), bits(float("inf"))
    ('0.456', '∞')
    """
    return f"{value:.3f}" if np.isfinite(value) else "\N{INFINITY}"


def cllr_heading(cllr: float, cllr_min: float) -> str:
    """Write what all titles of likelihood ratios say."""
    return f"Cllr {bits(cllr)}, Cllr min {bits(cllr_min)} (bits)"


def finite_span(values: FloatArray, margin: float = 0.05) -> tuple[float, float]:
    """Limits of an axis that holds all finite values, with a margin on either side.

    Examples
    --------
    >>> finite_span(np.array([-np.inf, 0.0, 10.0]), margin=0.1)
    (-1.0, 11.0)
    """
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    room = margin * (high - low) or 1.0
    return low - room, high + room


class TippettDisplay(Display):
    """Tippett plot: share of the comparisons whose likelihood ratio is at least so high.

    Use `from_predictions` to make one.

    Parameters
    ----------
    log10_lr : ndarray of shape (n_trials,)
        Logarithm to base 10 of each likelihood ratio; may be infinite.
    same : ndarray of shape (n_trials,), bool
        Whether both sides are one speaker. There are trials of both kinds.
    weights : ndarray of shape (n_trials,) or None, default=None
        How much each trial counts within its kind; None for all alike.
    bounds : (float, float) or None, default=None
        Lowest and highest log10 LR that the system reports.
    case : float or None, default=None
        The log10 LR of a comparison whose truth is not known.
    name : str or None, default=None
        What was measured, in the title.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Notes
    -----
    The curves have a step at every trial. A ratio of exactly 1 misleads nobody. Infinite ratios
    lie beyond the axis: a curve that does not start at 100 % or end at 0 % has some, and the
    legend counts them. With weights the curves and the title tell shares of the weight; the legend
    counts comparisons still.

    References
    ----------
    .. [1] Evett, I. W., Buckleton, J. S. Statistical analysis of STR data. Advances in Forensic
       Haemogenetics 6 (1996), 79-86.
    .. [2] Meuwly, D., Drygajlo, A. Forensic speaker recognition based on a Bayesian framework and
       Gaussian mixture modelling. Odyssey 2001, 145-150.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> same = [True, True, True, True, False, False]
    >>> display = TippettDisplay.from_predictions([2, 1, 1, -0.5, 0.3, -2], same, name="TANGO")
    >>> print(display.ax_.get_title())
    TANGO
    misleading: 25.0 % of same, 50.0 % of different
    >>> plt.close(display.figure_)
    """

    figsize = (5.4, 4.2)
    """Width and height in inches of a figure that suits it."""

    def __init__(
        self,
        log10_lr: FloatArray,
        same: BoolArray,
        *,
        weights: FloatArray | None = None,
        bounds: tuple[float, float] | None = None,
        case: float | None = None,
        name: str | None = None,
    ) -> None:
        self.log10_lr = log10_lr
        self.same = same
        self.weights = weights
        self.bounds = bounds
        self.case = case
        self.name = name

    @classmethod
    def from_predictions(
        cls,
        log10_lr: ArrayLike,
        same: ArrayLike,
        *,
        weights: ArrayLike | None = None,
        name: str | None = None,
        bounds: tuple[float, float] | None = None,
        case: float | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw likelihood ratios of comparisons whose truth is known.

        Parameters
        ----------
        log10_lr : array-like of shape (n_trials,)
            Logarithm to base 10 of each likelihood ratio; may be infinite.
        same : array-like of shape (n_trials,), bool
            Whether both sides are one speaker.
        weights : array-like of shape (n_trials,) or None, default=None
            How much each trial counts within its kind, such as `Trials.weights`, by which no
            speaker counts more than another; None for all alike.
        name : str or None, default=None
            What was measured, in the title.
        bounds : (float, float) or None, default=None
            Lowest and highest log10 LR that the system reports; drawn as lines.
        case : float or None, default=None
            The log10 LR of a comparison whose truth is not known; drawn as a line.
        [ax]

        Raises
        ------
        ParameterError
            The lengths differ, something is not a number, a weight is negative or infinite, a kind
            has no weight, the bounds are not two rising ones, or the case is not finite.
        ReportError
            All trials are of one kind.
        """
        values, kinds = checked_trials(log10_lr, same)
        counted = None if weights is None else checked_weights(weights, kinds)
        if case is not None and not np.isfinite(case):
            raise ParameterError(f"case is {case}; give the log10 LR of a comparison")
        if bounds is not None:
            low, high = bounds
            if not -np.inf < low < high < np.inf:
                raise ParameterError(
                    f"bounds are ({low}, {high}); give the lowest and the highest log10 LR, which "
                    "is more"
                )
        drawn = cls(values, kinds, weights=counted, bounds=bounds, case=case, name=name)
        return drawn.plot(ax)

    @property
    def misleading(self) -> tuple[float, float]:
        """Shares, 0 to 1: of the same speaker with LR < 1, of different ones with LR > 1."""
        return (
            float(np.average(self.log10_lr[self.same] < 0, weights=self._counted(self.same))),
            float(np.average(self.log10_lr[~self.same] > 0, weights=self._counted(~self.same))),
        )

    def _counted(self, kind: BoolArray) -> FloatArray | None:
        return None if self.weights is None else self.weights[kind]

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw it."""
        ax = own_axes(ax, self.figsize)
        marks = [0.0, *(self.bounds or ()), *([] if self.case is None else [self.case])]
        low, high = finite_span(np.append(self.log10_lr, marks))
        styles = ((self.same, SAME, BLUE, "-"), (~self.same, DIFFERENT, VERMILLION, "--"))
        for kind, label, colour, line in styles:
            values = self.log10_lr[kind]
            n_infinite = int(np.isinf(values).sum())
            label = f"{label} (n = {len(values):,}{f'; {n_infinite:,} ∞' if n_infinite else ''})"
            x, share = share_at_least(values, self._counted(kind))
            ax.plot(
                np.append(low, np.minimum(x, high)),
                100 * np.append(share[0], share),
                drawstyle="steps-pre",
                color=colour,
                linestyle=line,
                label=label,
            )
        ax.axvline(0, color="black", linewidth=1)
        if self.bounds is not None:
            label = "bounds ({:.2f}, {:.2f})".format(*self.bounds).replace("-", "\N{MINUS SIGN}")
            for bound in self.bounds:
                ax.axvline(bound, color="0.4", linewidth=1, linestyle=":", label=label)
                label = "_"  # once is enough
        if self.case is not None:
            label = f"this case ({self.case:.2f})".replace("-", "\N{MINUS SIGN}")
            ax.axvline(self.case, color=GREEN, linewidth=2.5, linestyle="-.", label=label)
        shares = "misleading: {:.1f} % of same, {:.1f} % of different".format(
            *(100 * share for share in self.misleading)
        )
        ax.set_title("\n".join(filter(None, [heading_of(self.name), shares])))
        ax.set(xlim=(low, high), ylim=(-2, 102), xlabel="log10 LR")
        ax.set_ylabel("comparisons with at least that LR (%)")
        # Curves of this form leave no corner free; below are ticks and a label (in font sizes).
        ax.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, 0),
            borderaxespad=5,
            ncols=2,
            edgecolor="none",
            fontsize=8,
        )
        return self._drawn(ax)


def share_at_least(
    values: FloatArray, weights: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Share of the values that are at least so high, at each of them.

    Examples
    --------
    >>> share_at_least(np.array([2.0, 1.0, 1.0, -np.inf]))
    (array([ 1.,  2., inf]), array([0.75, 0.25, 0.  ]))
    >>> share_at_least(np.array([2.0, 1.0]), np.array([3.0, 1.0]))
    (array([ 1.,  2., inf]), array([1.  , 0.75, 0.  ]))
    """
    x = np.append(np.unique(values[np.isfinite(values)]), np.inf)
    order = np.argsort(values, kind="stable")
    lower = np.searchsorted(values[order], x, side="left")
    if weights is None:
        return x, 1 - lower / len(values)
    # Summed from the top, so that above the highest nothing is left, not a rounding error.
    above = np.append(np.cumsum(weights[order][::-1])[::-1], 0.0)
    return x, above[lower] / above[0]


PRIORS = np.linspace(-2.5, 2.5, 101)
HIGHEST = 2.0  # bits: twice what no evidence at all leaves open


class ECEDisplay(Display):
    """Empirical cross-entropy of likelihood ratios, over the prior odds.

    Use `from_predictions` to make one. ECE also abbreviates the expected calibration error of
    probabilities, which is another thing: `ReliabilityDisplay` draws that.

    Parameters
    ----------
    log10_prior_odds : ndarray of shape (n_priors,)
        Logarithm to base 10 of the prior odds that both sides are one speaker.
    given, pooled, neutral : ndarray of shape (n_priors,)
        Empirical cross-entropy in bits of the ratios, of those after pooling adjacent violators,
        and of ratios that are all 1.
    cllr, cllr_min : float
        The first two at odds of 1, in bits, for the title.
    name : str or None, default=None
        What was measured, in the title.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Notes
    -----
    The lower a curve, the less uncertainty is left. Between the solid and the dashed one lies what
    a better calibration would gain. Where the solid one is above the dotted one, the ratios are
    worse than none. At odds of 1 (0 on the axis) they are `cllr`, `cllr_min` and 1. The axis ends
    at 2 bits; ratios of which an infinite one is wrong have no solid curve, and the legend says so.

    References
    ----------
    .. [1] Ramos, D., Gonzalez-Rodriguez, J. Reliable support: measuring calibration of likelihood
       ratios. Forensic Science International 230 (2013), 156-169.
    .. [2] Brümmer, N., du Preez, J. Application-independent evaluation of speaker detection.
       Computer Speech & Language 20 (2006), 230-275.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> display = ECEDisplay.from_predictions([2, 1, -1, -2], [True, True, False, False])
    >>> print(display.ax_.get_title())
    Cllr 0.076, Cllr min 0.000 (bits)
    >>> [line.get_label() for line in display.ax_.lines][:3]
    ['LR as they are', 'LR after PAV', 'no evidence (LR = 1)']
    >>> plt.close(display.figure_)
    """

    figsize = (5.4, 4.2)
    """Width and height in inches of a figure that suits it."""

    def __init__(
        self,
        log10_prior_odds: FloatArray,
        given: FloatArray,
        pooled: FloatArray,
        neutral: FloatArray,
        *,
        cllr: float,
        cllr_min: float,
        name: str | None = None,
    ) -> None:
        self.log10_prior_odds = log10_prior_odds
        self.given = given
        self.pooled = pooled
        self.neutral = neutral
        self.cllr = cllr
        self.cllr_min = cllr_min
        self.name = name

    @classmethod
    def from_predictions(
        cls,
        log10_lr: ArrayLike,
        same: ArrayLike,
        *,
        weights: ArrayLike | None = None,
        log10_prior_odds: ArrayLike = PRIORS,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw likelihood ratios of comparisons whose truth is known.

        Parameters
        ----------
        log10_lr : array-like of shape (n_trials,)
            Logarithm to base 10 of each likelihood ratio; may be infinite.
        [trials]
        log10_prior_odds : array-like of shape (n_priors,), default=101 from -2.5 to 2.5
            Logarithm to base 10 of the prior odds to draw at, rising.
        name : str or None, default=None
            What was measured, in the title.
        [ax]

        Raises
        ------
        ParameterError
            The lengths differ, something is not a number, or the priors do not rise.
        ReportError
            All trials are of one kind.
        """
        values, kinds = checked_trials(log10_lr, same)
        odds = np.asarray(log10_prior_odds, dtype=np.float64)
        rising = odds.ndim == 1 and len(odds) > 1 and (np.diff(odds) > 0).all()
        if not rising or not np.isfinite(odds).all():
            raise ParameterError(
                "log10_prior_odds are not two or more finite numbers that rise; give some, such as "
                "np.linspace(-2.5, 2.5, 101)"
            )
        sample_weight = None if weights is None else checked_weights(weights, kinds)
        pooled = pav_log10_lr(values, kinds, sample_weight)
        ratios = (values, pooled, np.zeros(len(values)))
        curves = [empirical_cross_entropy(each, kinds, odds, sample_weight) for each in ratios]
        cost, least = cllr(values, kinds, sample_weight), cllr_min(values, kinds, sample_weight)
        return cls(odds, *curves, cllr=cost, cllr_min=least, name=name).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw it."""
        ax = own_axes(ax, self.figsize)
        lost = "" if np.isfinite(self.given).all() else " (∞: one is wrong)"
        for curve, label, colour, line in (
            (self.given, f"LR as they are{lost}", BLUE, "-"),
            (self.pooled, "LR after PAV", VERMILLION, "--"),
            (self.neutral, "no evidence (LR = 1)", BLACK, ":"),
        ):
            drawn = np.where(np.isfinite(curve), curve, np.nan)
            ax.plot(self.log10_prior_odds, drawn, color=colour, linestyle=line, label=label)
        ax.axvline(0, color="0.6", linewidth=0.8, zorder=0)
        highest = np.nanmax([self.neutral, np.where(np.isfinite(self.given), self.given, 0)])
        ax.set(xlim=(self.log10_prior_odds[0], self.log10_prior_odds[-1]))
        top = min(highest, HIGHEST)
        ax.set(ylim=(-0.02 * top, 1.05 * top))
        ax.set_xlabel("log10 prior odds (same speaker to different ones)")
        ax.set_ylabel("empirical cross-entropy (bits)")
        lines = [heading_of(self.name), cllr_heading(self.cllr, self.cllr_min)]
        ax.set_title("\n".join(filter(None, lines)))
        ax.legend(**LEGEND)
        return self._drawn(ax)


MOST_TICKS = 500  # trials of a kind along an edge; more would be one black bar
TALL = 0.035  # of the axes
BEYOND = 0.1  # of the finite span: where infinite ratios are drawn


class PAVDisplay(Display):
    """Likelihood ratios before and after pooling adjacent violators (PAV).

    Use `from_predictions` to make one.

    Parameters
    ----------
    log10_lr, pooled : ndarray of shape (n_trials,)
        Logarithm to base 10 of each likelihood ratio, before and after; may be infinite.
    same : ndarray of shape (n_trials,), bool
        Whether both sides are one speaker. There are trials of both kinds.
    weights : ndarray of shape (n_trials,) or None, default=None
        How much each trial counts.
    name : str or None, default=None
        What was measured, in the title.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    line_ : matplotlib.lines.Line2D
        The finite ones.

    Notes
    -----
    Well calibrated ratios follow the identity. Where the line is above it they are too low, where
    it is below they are too high. Level pieces are pools, in which the order of the trials was
    wrong or equal. Beyond the last trial of the other kind nothing limits a ratio, and PAV makes
    it infinite: arrows at the border. Trials are ticks at the edges, those of the same speaker
    above; of more than 500 of a kind, 500 are drawn, evenly by rank. PAV is fitted to the very
    trials that it judges: of few trials the line is far from the identity by chance alone.

    References
    ----------
    .. [1] Brümmer, N., du Preez, J. Application-independent evaluation of speaker detection.
       Computer Speech & Language 20 (2006), 230-275.
    .. [2] Ramos, D., Gonzalez-Rodriguez, J. Reliable support: measuring calibration of likelihood
       ratios. Forensic Science International 230 (2013), 156-169.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> same = [True, False, True, False]
    >>> display = PAVDisplay.from_predictions([2, 0.5, -0.5, -2], same, name="TANGO")
    >>> display.pooled
    array([ inf,   0.,   0., -inf])
    >>> print(display.ax_.get_title())
    TANGO
    Cllr 1.036, Cllr min 0.500 (bits)
    >>> plt.close(display.figure_)
    """

    figsize = (5.0, 5.2)
    """Width and height in inches of a figure that suits it."""

    def __init__(
        self,
        log10_lr: FloatArray,
        pooled: FloatArray,
        same: BoolArray,
        *,
        weights: FloatArray | None = None,
        name: str | None = None,
    ) -> None:
        self.log10_lr = log10_lr
        self.pooled = pooled
        self.same = same
        self.weights = weights
        self.name = name

    @classmethod
    def from_predictions(
        cls,
        log10_lr: ArrayLike,
        same: ArrayLike,
        *,
        weights: ArrayLike | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw likelihood ratios of comparisons whose truth is known.

        Parameters
        ----------
        log10_lr : array-like of shape (n_trials,)
            Logarithm to base 10 of each likelihood ratio; may be infinite.
        [trials]
        name : str or None, default=None
            What was measured, in the title.
        [ax]

        Raises
        ------
        ParameterError
            The lengths differ, or something is not a number.
        ReportError
            All trials are of one kind.
        """
        values, kinds = checked_trials(log10_lr, same)
        sample_weight = None if weights is None else checked_weights(weights, kinds)
        pooled = pav_log10_lr(values, kinds, sample_weight)
        return cls(values, pooled, kinds, weights=sample_weight, name=name).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw it."""
        ax = own_axes(ax, self.figsize)
        low, high = finite_span(np.concatenate([self.log10_lr, self.pooled, [0.0]]))
        room = BEYOND * (high - low)
        edges = (low - 0.8 * room, high + 0.8 * room)
        limits = (low - 1.6 * room, high + 1.6 * room)
        identity = (low, high)
        ax.plot(identity, identity, color="0.4", lw=1, linestyle="--", label="well calibrated")
        points = np.unique(np.column_stack([self.log10_lr, self.pooled]), axis=0)
        finite = np.isfinite(points).all(axis=1)
        (self.line_,) = ax.plot(*points[finite].T, color=BLACK, linewidth=1.8, label="after PAV")
        if finite.sum() == 1:
            self.line_.set_marker("o")
        _draw_infinite(ax, points[~finite], edges)
        for kind, label, colour, place in (
            (self.same, f"{SAME}, above", BLUE, (1 - TALL, 1)),
            (~self.same, f"{DIFFERENT}, below", VERMILLION, (0, TALL)),
        ):
            x = np.clip(_thinned(np.sort(self.log10_lr[kind])), *edges)
            label = f"{label} (n = {int(kind.sum()):,})"
            ax.vlines(
                x, *place, transform=ax.get_xaxis_transform(), color=colour, lw=0.8, label=label
            )
        for axis, values in ((ax.xaxis, self.log10_lr), (ax.yaxis, self.pooled)):
            _name_ends(axis, (low, high), edges, values)
        ax.set(xlim=limits, ylim=limits, aspect="equal")
        ax.set(xlabel="log10 LR as it is", ylabel="log10 LR after PAV")
        heading = cllr_heading(
            *(cllr(each, self.same, self.weights) for each in (self.log10_lr, self.pooled))
        )
        ax.set_title("\n".join(filter(None, [heading_of(self.name), heading])))
        ax.legend(
            loc="upper left",
            bbox_to_anchor=(0, 0.9),
            framealpha=0.85,
            edgecolor="none",
            fontsize=8,
        )
        return self._drawn(ax)


def _draw_infinite(ax: Axes, points: FloatArray, edges: tuple[float, float]) -> None:
    """Draw arrows at the border, of many points some."""
    for marker, colour, chosen in (
        ("^", BLUE, points[:, 1] == np.inf),
        ("v", VERMILLION, points[:, 1] == -np.inf),
        (">", BLACK, np.isfinite(points[:, 1]) & (points[:, 0] > 0)),
        ("<", BLACK, np.isfinite(points[:, 1]) & (points[:, 0] < 0)),
    ):
        if chosen.any():
            drawn = np.clip(points[chosen], *edges)
            ax.plot(*drawn[[0, -1]].T, color=colour, linewidth=1)
            ax.plot(*_thinned(drawn, 25).T, marker, color=colour, markersize=5)


def _name_ends(
    axis: Axis, span: tuple[float, float], edges: tuple[float, float], values: FloatArray
) -> None:
    """Name the finite ticks of an axis, and infinity where something is there."""
    ticks = [tick for tick in MaxNLocator(7).tick_values(*span) if span[0] <= tick <= span[1]]
    labels = [f"{tick:g}".replace("-", "\N{MINUS SIGN}") for tick in ticks]
    if (values == -np.inf).any():
        ticks, labels = [edges[0], *ticks], ["\N{MINUS SIGN}\N{INFINITY}", *labels]
    if (values == np.inf).any():
        ticks, labels = [*ticks, edges[1]], [*labels, "\N{INFINITY}"]
    axis.set_ticks(ticks, labels)


def _thinned(rows: FloatArray, most: int = MOST_TICKS) -> FloatArray:
    """Leave some of many rows, the first and the last among them."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]
