"""Which tokens of one view are transported to which of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LogNorm
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, check_is_fitted

from sfmforensics._utils.pipelines import last_step
from sfmforensics.exceptions import ParameterError, ReportError
from sfmforensics.report._wording import figure_text
from sfmforensics.report.displays._axes import own_panels

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Self, TypeAlias

    from matplotlib.axes import Axes
    from sklearn.base import BaseEstimator

    from sfmforensics._types import Array, FloatArray, Matrix
    from sfmforensics._utils.recordings import Recordings
    from sfmforensics.report.displays._axes import Panels

    Pair: TypeAlias = tuple[str, str]

AT_ONCE = 256  # recordings; the plans of a whole corpus with many tokens would fill the memory
PALEST = 1.1  # times the uniform plan, or rounding errors would look like structure
STRONGEST = 100.0


class TransportPlanDisplay:
    """Mean transport plans between the views, as a ratio to the uniform plan.

    Use `from_estimator` to make one.

    Parameters
    ----------
    plans : dict of (str, str) to ndarray of shape (L1, L2)
        By pair of views: the mean plan over the recordings.
    entropies : dict of (str, str) to float
        By pair of views: the mean over the recordings of the entropy of a plan, over that of a
        uniform plan.
    n_recordings : int
        How many recordings the means are over.
    member : int, default=0
        Which network the plans are of.
    n_members : int, default=1
        Of how many; the entropies are means over all of them.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes of shape (n_pairs,)
    figure_ : matplotlib.figure.Figure

    Notes
    -----
    A cell of 1 is moved as by a uniform plan, which gives every token the average of all others;
    of 2, twice as much. Colours are those of the ratio's logarithm, so that twice and half are
    equally strong. With less `mass` than 1, the ratio is to a uniform plan of that mass.

    The entropy is that of single recordings, not of their mean plan, which is closer to uniform:
    plans that are sharp in other places each time average out. It is computed as in `history_`;
    1 is uniform, and a one-to-one plan between n tokens has 0.5. With several `n_members` it is the
    mean over the networks, and the plan of one of them is drawn: their tokens have nothing to do
    with each other, so that a mean plan would be of no network.

    References
    ----------
    .. [1] The paper, section 4.1, equations 1 to 3.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sfmforensics import TANGO
    >>> X = np.random.default_rng(0).normal(size=(40, 20)).astype("float32")
    >>> model = TANGO(views=[8, 12], max_epochs=1, random_state=0).fit(X, X[:, 0] > 0)
    >>> display = TransportPlanDisplay.from_estimator(model, X)
    >>> display.plans["x1", "x2"].shape, display.axes_[0].get_xlabel()
    ((2, 3), 'token of x2')
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        plans: dict[Pair, FloatArray],
        entropies: dict[Pair, float],
        n_recordings: int,
        *,
        member: int = 0,
        n_members: int = 1,
    ) -> None:
        self.plans = plans
        self.entropies = entropies
        self.n_recordings = n_recordings
        self.member = member
        self.n_members = n_members

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Matrix | Recordings,
        *,
        member: int = 0,
        ax: Axes | Sequence[Axes] | Panels | None = None,
    ) -> Self:
        """Draw what a model transports.

        Parameters
        ----------
        estimator : TANGO, or a pipeline that ends in one
            Fitted.
        X : array-like of shape (n_recordings, ...)
            What it takes.
        member : int, default=0
            Which network is drawn, of a model of several `n_members`.
        ax : matplotlib.axes.Axes, array-like of Axes, or None, default=None
            Where to draw: one that is divided, or one a pair of views; None makes a figure of
            pyplot's.

        Returns
        -------
        TransportPlanDisplay

        Raises
        ------
        ReportError
            The model transports nothing.
        NotFittedError
            It is not fitted.
        ParameterError
            The axes are more or fewer than the pairs of views, or there is no such member.
        """
        model, _ = last_step(estimator)
        if not hasattr(model, "transport_plan"):
            raise ReportError(
                f"{type(model).__name__} has no transport plan; only TANGO transports"
            )
        check_is_fitted(model)
        n_members = len(model._members())
        if not 0 <= member < n_members:
            raise ParameterError(
                f"member is {member}, but the model is of {n_members} networks; count from 0"
            )
        _, X = last_step(estimator, X)
        sums: dict[Pair, Any] = {}
        totals: dict[Pair, Any] = {}
        n_recordings = _num_samples(X)
        for start in range(0, n_recordings, AT_ONCE):
            rows = np.arange(start, min(start + AT_ONCE, n_recordings))
            for pair, plans in model.transport_plan(_safe_indexing(X, rows)).items():
                drawn = plans if plans.ndim == 3 else plans[:, member]
                sums[pair] = sums.get(pair, 0) + drawn.sum(axis=0, dtype=np.float64)
                totals[pair] = totals.get(pair, 0) + plan_entropies(plans).sum() / n_members
        means = {pair: total / n_recordings for pair, total in sums.items()}
        entropies = {pair: float(total / n_recordings) for pair, total in totals.items()}
        display = cls(means, entropies, n_recordings, member=member, n_members=n_members)
        return display.plot(ax)

    @property
    def ratios(self) -> dict[Pair, FloatArray]:
        """Plans over the uniform plan of the same mass: dict of pair to ndarray."""
        return {pair: plan / plan.mean() for pair, plan in self.plans.items()}

    def plot(self, ax: Axes | Sequence[Axes] | Panels | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, array-like of Axes, or None, default=None
            Where to draw: one that is divided, or one a pair of views; None makes a figure of
            pyplot's.

        Returns
        -------
        TransportPlanDisplay
        """
        ratios = self.ratios
        n_columns = min(3, len(ratios))
        n_rows = -(-len(ratios) // n_columns)
        axes = own_panels(ax, len(ratios), (4.0 * n_columns + 0.9, 3.9 * n_rows), n_columns)
        most = ratio_limits(ratios.values())
        norm = LogNorm(1 / most, most, clip=True)
        for panel, (pair, ratio) in zip(axes, ratios.items(), strict=True):
            first, second = (figure_text(view) for view in pair)
            image = panel.imshow(ratio, cmap="PuOr_r", norm=norm, aspect="auto")
            panel.set(xlabel=f"token of {second}", ylabel=f"token of {first}")
            moved = self.plans[pair].sum()
            part = "" if moved > 0.995 else f", {100 * moved:.0f} % of the mass"
            entropy = f"normalised entropy {self.entropies[pair]:.3f}"
            which = ""
            if self.n_members > 1:
                entropy += f", mean of {self.n_members} networks"
                which = f", network {self.member + 1}"
            panel.set_title(f"{first} and {second}{which}\n{entropy}{part}", fontsize="medium")
            for axis in (panel.xaxis, panel.yaxis):
                axis.get_major_locator().set_params(integer=True)
        ticks = [1 / most, most**-0.5, 1, most**0.5, most]
        bar = axes[0].figure.colorbar(image, ax=list(axes), shrink=0.85)
        bar.set_ticks(
            ticks, labels=[f"{tick:.2g}" if most > 2 else f"{tick:.2f}" for tick in ticks]
        )
        bar.ax.minorticks_off()
        bar.set_label(f"mean plan of {self.n_recordings:,} recordings\n(1 = uniform plan)")
        self.axes_, self.figure_ = axes, axes[0].figure
        return self


def ratio_limits(ratios: Iterable[FloatArray]) -> float:
    """How many times more, or less, than a uniform plan the strongest colours stand for.

    Examples
    --------
    >>> ratio_limits([np.array([1.0, 4.0]), np.array([0.125])])
    8.0
    """
    logs = np.concatenate([np.log(ratio.clip(1 / STRONGEST)).ravel() for ratio in ratios])
    return float(np.clip(np.exp(np.abs(logs).max()), PALEST, STRONGEST).round(9))


def plan_entropies(plans: Array) -> FloatArray:
    """Entropy of each plan over that of a uniform plan.

    Examples
    --------
    >>> plan_entropies(np.stack([np.eye(4), np.ones((4, 4))]))
    array([0.5, 1. ])
    """
    plans = plans.reshape(*plans.shape[:-2], -1).astype(np.float64)
    plans = plans / plans.sum(axis=-1, keepdims=True)
    entropy = -(plans * np.log(plans.clip(1e-30))).sum(axis=-1)
    return entropy / max(np.log(plans.shape[-1]), 1e-12)
