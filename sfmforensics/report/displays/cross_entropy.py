"""How much likelihood ratios leave open, whatever the prior."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.exceptions import ParameterError
from sfmforensics.metrics import cllr, cllr_min, empirical_cross_entropy, pav_log10_lr
from sfmforensics.report.displays._axes import (
    BLACK,
    BLUE,
    LEGEND,
    VERMILLION,
    Display,
    heading_of,
    own_axes,
)
from sfmforensics.report.displays._trials import checked_trials, checked_weights, cllr_heading

if TYPE_CHECKING:
    from typing import Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from sfmforensics._types import FloatArray

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
        told = None if weights is None else checked_weights(weights, kinds)
        pooled = pav_log10_lr(values, kinds, told)
        ratios = (values, pooled, np.zeros(len(values)))
        curves = [empirical_cross_entropy(each, kinds, odds, told) for each in ratios]
        cost, least = cllr(values, kinds, told), cllr_min(values, kinds, told)
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
