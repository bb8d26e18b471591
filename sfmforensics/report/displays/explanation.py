"""Why a model answers as it does about one recording: what each view and each token adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.ticker import MaxNLocator
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from sfmforensics.exceptions import ParameterError, ReportError, shown
from sfmforensics.explanation import Explanation, explain
from sfmforensics.report._wording import figure_text, unit_of
from sfmforensics.report.displays._axes import BLUE, ORANGE, Display, own_panels
from sfmforensics.report.displays.transport import plan_entropies, ratio_limits
from sfmforensics.targets import CLASSIFICATION

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

    from sfmforensics._types import FloatArray, IntArray, Matrix
    from sfmforensics._utils.recordings import Recordings
    from sfmforensics.report.displays._axes import Panels

ODDS = "log10 odds"
MINUS = "\N{MINUS SIGN}"
SIZE = 9.5  # of titles, in points


class ExplanationDisplay(Display):
    """What each view and each token adds to the answers about one recording, and its plans.

    Use `from_estimator` to make one.

    Parameters
    ----------
    explanation : Explanation
        As `sfmforensics.explanation.explain` gives it.
    row : int, default=0
        Which of its recordings is drawn.
    tasks : sequence of str or None, default=None
        Tasks to draw; None draws all.
    name : str or None, default=None
        What it is about, above a figure of its own: a recording, a model.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes of shape (n_panels,)
    figure_ : matplotlib.figure.Figure

    Notes
    -----
    A row of panels for each task: what each view adds, then what each token of each view adds, on
    axes of their own. Bars to the right of 0 (up, of tokens) speak for the answer, or for a higher
    number; those to the left (down) against it, or for a lower one; hatches tell them apart too. A
    diamond is what is lost if that view alone is left out: less than the bar where another view
    says the same, more where views need each other. Below are, of models that have them, the plans
    of the recording as a ratio to the uniform plan, see `TransportPlanDisplay`, and how far the
    gates of its tokens are open. Lines of dots stand between the tokens of several networks, whose
    plans stand side by side; the entropy is the mean of theirs.

    What the numbers mean and do not mean is in `sfmforensics.explanation.explain`.

    References
    ----------
    .. [1] L. S. Shapley, "A value for n-person games", Contributions to the Theory of Games II,
       1953.
    .. [2] S. M. Lundberg and S.-I. Lee, "A unified approach to interpreting model predictions",
       NeurIPS 2017.
    .. [3] The paper, section 4.1: gates and plans.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sfmforensics import TANGO
    >>> X = np.random.default_rng(0).normal(size=(40, 20)).astype("float32")
    >>> model = TANGO(views=[8, 12], max_epochs=1, random_state=0).fit(X, X[:, 1] + 40.0)
    >>> display = ExplanationDisplay.from_estimator(model, X, row=3)
    >>> [ax.get_title().replace(":", ",").partition(",")[0] for ax in display.axes_[:4]]
    ['y', 'tokens of x1', 'tokens of x2', 'plan of x1 and x2']
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        explanation: Explanation,
        *,
        row: int = 0,
        tasks: Sequence[Any] | None = None,
        name: str | None = None,
    ) -> None:
        self.explanation = explanation
        self.row = row
        self.tasks = tasks
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Matrix | Recordings,
        *,
        row: int = 0,
        tasks: Sequence[Any] | None = None,
        classes: Mapping[Any, Hashable] | None = None,
        reference: ArrayLike | None = None,
        name: str | None = None,
        ax: Axes | Sequence[Axes] | Panels | None = None,
    ) -> Self:
        """Explain the answers about one recording, and draw why.

        Parameters
        ----------
        estimator : TANGO, ConcatFusion, SingleView, or a pipeline that ends in one
            Fitted.
        X : array-like of shape (n_recordings, ...)
            What it takes.
        row : int, default=0
            Which recording.
        tasks : sequence of str or None, default=None
            Tasks to draw; None draws all.
        classes, reference
            As in `sfmforensics.explanation.explain`.
        name : str or None, default=None
            What it is about, above a figure of its own.
        [ax of each panel]

        Raises
        ------
        ParameterError
            There is no such row, or the axes are more or fewer than the panels; and as `explain`
            raises it.
        ReportError
            There is no such task.
        TargetError, ViewError, NotFittedError
            As `explain` raises them.
        """
        n_recordings = _num_samples(X)
        if not 0 <= row < n_recordings:
            raise ParameterError(
                f"row is {row}, but there are {n_recordings} recordings; count from 0"
            )
        one = _safe_indexing(X, np.array([row]))
        explanation = explain(estimator, one, classes=classes, reference=reference)
        return cls(explanation, tasks=tasks, name=name).plot(ax)

    def plot(self, ax: Axes | Sequence[Axes] | Panels | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        [ax of each panel]

        Raises
        ------
        ParameterError
            The axes are more or fewer than the panels, or there is no such row.
        ReportError
            There is no such task.
        """
        explanation = self.explanation
        if not 0 <= self.row < len(explanation.full):
            raise ParameterError(
                f"row is {self.row}, but {len(explanation.full)} recordings are explained; count "
                "from 0"
            )
        tasks = list(explanation.tasks) if self.tasks is None else list(self.tasks)
        for task in tasks:
            if task not in explanation.tasks:
                known = ", ".join(map(repr, explanation.tasks))
                raise ReportError(f"there is no task {shown(task)}; there are {known}")
        views = list(next(iter(explanation.views.values())).columns)
        with_tokens = [view for view in views if explanation.tokens]
        pairs = list(explanation.plans)
        # The plan of the first pair stands before the gates, which so stand below their tokens.
        n_panels = len(tasks) * (1 + len(with_tokens)) + len(pairs) + len(explanation.gates)
        n_columns = 1 + len(with_tokens) if with_tokens else min(3, n_panels)
        n_rows = -(-n_panels // n_columns)
        size = (3.5 * n_columns + 0.6, (2.0 + 0.1 * len(views)) * n_rows + 0.6)
        axes = own_panels(ax, n_panels, size, n_columns)
        panels = iter(axes)
        for task in tasks:
            self._draw_views(next(panels), task)
            tokens = [self.explanation.tokens[task][view][self.row] for view in with_tokens]
            most = max([np.abs(one).max() for one in tokens], default=0.0)
            for view, added in zip(with_tokens, tokens, strict=True):
                panel = next(panels)
                _bars(panel, np.arange(len(added)), added, vertical=True)
                total = f"{added.sum():+.2f}".replace("-", MINUS)
                panel.set_title(f"tokens of {figure_text(view, 14)}, {total} in all", fontsize=SIZE)
                panel.set_ylim(_limits(most))
                panel.set_ylabel(f"adds ({self._unit(task)})", fontsize="small")
                self._mark_tokens(panel, view, len(added))
        for pair in pairs[:1]:
            self._draw_plan(next(panels), pair)
        for view, gates in explanation.gates.items():
            self._draw_gates(next(panels), view, gates[self.row])
        for pair in pairs[1:]:
            self._draw_plan(next(panels), pair)
        self.axes_, self.figure_ = axes, axes[0].figure
        if self.name is not None and ax is None:
            self.figure_.suptitle(figure_text(self.name, 80))
        return self

    def _unit(self, task: Any) -> str:
        if self.explanation.tasks[task] == CLASSIFICATION:
            return ODDS
        return figure_text(unit_of(task))

    def _draw_views(self, ax: Axes, task: Any) -> None:
        explanation, row = self.explanation, self.row
        added, lost = (table[task].iloc[row] for table in (explanation.views, explanation.lost))
        places = np.arange(len(added))
        _bars(ax, places, added.to_numpy())
        label = "lost if this view alone is left out"
        ax.plot(lost, places, "D", color="black", mfc="white", ms=5, label=label)
        ax.set_yticks(places, [figure_text(view, 14) for view in added.index])
        ax.set(xlim=_limits(float(np.abs([added, lost]).max())), ylim=(len(added) - 0.4, -0.6))
        ax.set_xlabel(f"adds ({self._unit(task)}); \N{WHITE DIAMOND} lost without it")
        ax.set_title(self._title(task), fontsize=SIZE)
        ax.tick_params(axis="y", length=0)

    def _title(self, task: Any) -> str:
        explanation, row = self.explanation, self.row
        answer = explanation.answers[task].iloc[row]
        full, empty = (table[task].iloc[row] for table in (explanation.full, explanation.empty))
        name = figure_text(task, 20)
        if explanation.tasks[task] == CLASSIFICATION:
            share = _probability(explanation.probabilities[task].iloc[row])
            heading = f"{name}: {figure_text(answer, 20)} ({share})"
            numbers = f"{empty:+.2f} with no view, {full:+.2f} with all"
        else:
            unit = unit_of(task) if self._unit(task) == "years" else ""
            heading = f"{name}: {full:.1f} {unit}".rstrip()
            numbers = f"{empty:.1f} with no view, {full:.1f} with all"
        return f"{heading}\n{numbers.replace('-', MINUS)}"

    def _mark_tokens(self, ax: Axes, view: str, n_tokens: int) -> None:
        """Name the axis of tokens, and divide it where another network begins."""
        ax.set(xlim=(-0.8, n_tokens - 0.2), xlabel=f"token of {figure_text(view, 20)}")
        ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        each = n_tokens // self.explanation.n_members
        for edge in range(each, n_tokens, each):
            ax.axvline(edge - 0.5, color="0.5", linewidth=0.8, linestyle=":", zorder=0)

    def _draw_gates(self, ax: Axes, view: str, gates: FloatArray) -> None:
        ax.vlines(np.arange(len(gates)), 0.5, gates, color=BLUE, linewidth=1)
        ax.plot(gates, "o", color=BLUE, ms=3)
        ax.axhline(0.5, color="black", linewidth=0.8)
        ax.set_ylim(0, 1)
        ax.set_ylabel("mean of sigmoid(x)", fontsize="small")
        ax.set_title(f"gates of {figure_text(view, 20)}", fontsize=SIZE)
        self._mark_tokens(ax, view, len(gates))

    def _draw_plan(self, ax: Axes, pair: tuple[str, str]) -> None:
        plan = self.explanation.plans[pair][self.row]
        plans = plan.reshape(-1, *plan.shape[-2:])  # of each network
        moved = plans.sum(axis=(1, 2)).mean()
        # Side by side: nothing goes from the tokens of one network to those of another.
        ratio = np.concatenate(list(plans), axis=1) / plans.mean()
        most = ratio_limits([ratio])
        norm = LogNorm(1 / most, most, clip=True)
        image = ax.imshow(ratio, cmap="PuOr_r", norm=norm, aspect="auto")
        first, second = (figure_text(view, 14) for view in pair)
        part = "" if moved > 0.995 else f", {100 * moved:.0f} % of the mass"
        entropy = f"normalised entropy {plan_entropies(plans).mean():.3f}{part}"
        ax.set_title(f"plan of {first} and {second}, uniform = 1\n{entropy}", fontsize=SIZE)
        ax.set_xlabel(f"token of {second}")
        ax.set_ylabel(f"token of {figure_text(pair[0], 10)}", fontsize="small")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator("auto", integer=True))
        for edge in range(plan.shape[-1], ratio.shape[1], plan.shape[-1]):
            ax.axvline(edge - 0.5, color="black", linewidth=0.8, linestyle=":")
        bar = ax.figure.colorbar(image, ax=ax)
        bar.set_ticks([1 / most, 1, most], labels=[f"{tick:.2g}" for tick in (1 / most, 1, most)])
        bar.ax.minorticks_off()


def _probability(share: float) -> str:
    """Write a probability so that nothing unsure looks sure."""
    if share > 0.995:
        return "> 0.99"
    return "< 0.01" if share < 0.005 else f"{share:.2f}"


def _bars(ax: Axes, places: IntArray, added: FloatArray, *, vertical: bool = False) -> None:
    """Draw what is added, for and against in colours and hatches of their own."""
    draw = ax.bar if vertical else ax.barh
    few = len(places) < 40  # more are too thin for edges and hatches
    for side, colour, hatch in ((added >= 0, BLUE, None), (added < 0, ORANGE, "///")):
        draw(
            places[side],
            added[side],
            0.8 if vertical else 0.55,
            color=colour,
            edgecolor="black" if few else "none",
            linewidth=0.5,
            hatch=hatch if few else None,
        )
    (ax.axhline if vertical else ax.axvline)(0, color="black", linewidth=0.8)
    ax.grid(axis="y" if vertical else "x", color="0.9")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _limits(most: float) -> tuple[float, float]:
    """Make equal room on both sides of 0, so that panels side by side can be compared."""
    edge = 1.1 * most or 1.0
    return -edge, edge
