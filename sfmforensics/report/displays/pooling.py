"""Likelihood ratios as they are, and as they should have been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from sfmforensics.metrics import cllr, pav_log10_lr
from sfmforensics.report.displays._axes import (
    BLACK,
    BLUE,
    VERMILLION,
    Display,
    heading_of,
    own_axes,
)
from sfmforensics.report.displays._trials import (
    DIFFERENT,
    SAME,
    checked_trials,
    checked_weights,
    cllr_heading,
    finite_span,
)

if TYPE_CHECKING:
    from typing import Self

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from numpy.typing import ArrayLike

    from sfmforensics._types import BoolArray, FloatArray

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
        told = None if weights is None else checked_weights(weights, kinds)
        pooled = pav_log10_lr(values, kinds, told)
        return cls(values, pooled, kinds, weights=told, name=name).plot(ax)

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
