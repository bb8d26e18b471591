"""What training did, epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.utils.validation import check_is_fitted

from sfmforensics._utils.pipelines import last_step
from sfmforensics.exceptions import ReportError
from sfmforensics.report.displays._axes import BLUE, VERMILLION, Display, own_panels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes
    from sklearn.base import BaseEstimator

    from sfmforensics.report.displays._axes import Panels


class TrainingCurveDisplay(Display):
    """Loss by epoch and, for `TANGO`, how sharp the transport plans are.

    Use `from_estimator` to make one.

    Parameters
    ----------
    history : list of dict
        ``history_`` of a fitted model: ``epoch``, ``train_loss``, with early stopping
        ``valid_loss``, with transport ``plan_entropy``.
    best_epoch : int or None, default=None
        Epoch whose weights were kept; marked if there is a ``valid_loss``, without which it is
        the last.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes of shape (n_panels,)
        Loss, entropy; one of them if the history lacks the other.
    figure_ : matplotlib.figure.Figure

    Notes
    -----
    An entropy of 1 is a uniform plan, in which every token receives the average of all others.
    The training loss is the mean over the batches of an epoch, with dropout and noise, so it may
    lie above that of the validation recordings.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> history = [
    ...     {"epoch": 1, "train_loss": 2.0, "plan_entropy": 0.98},
    ...     {"epoch": 2, "train_loss": 1.5, "plan_entropy": 0.97},
    ... ]
    >>> display = TrainingCurveDisplay(history).plot()
    >>> [ax.get_ylabel() for ax in display.axes_]
    ['loss (weighted sum of the tasks)', 'entropy of the plans (1 = uniform)']
    >>> plt.close(display.figure_)
    """

    def __init__(
        self, history: Sequence[dict[str, float]], *, best_epoch: int | None = None
    ) -> None:
        self.history = history
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(
        cls, estimator: BaseEstimator, *, ax: Axes | Sequence[Axes] | Panels | None = None
    ) -> Self:
        """Draw how a model was trained.

        Parameters
        ----------
        estimator : TANGO, ConcatFusion, SingleView, or a pipeline that ends in one
            Fitted.
        [ax of each panel]

        Raises
        ------
        ReportError
            The model keeps no history.
        NotFittedError
            It is not fitted.
        ParameterError
            The axes are more or fewer than the panels.
        """
        model, _ = last_step(estimator)
        check_is_fitted(model)
        if not hasattr(model, "history_"):
            raise ReportError(
                f"{type(model).__name__} keeps no history_; TANGO, ConcatFusion and SingleView do"
            )
        return cls(model.history_, best_epoch=getattr(model, "best_epoch_", None)).plot(ax)

    def plot(self, ax: Axes | Sequence[Axes] | Panels | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        [ax of each panel]

        Raises
        ------
        ReportError
            The history holds neither a loss nor an entropy.
        ParameterError
            The axes are more or fewer than the panels.
        """
        known = {name for row in self.history for name, value in row.items() if value is not None}
        draws = {"training": self._draw_loss} if "train_loss" in known else {}
        draws |= {"transport plans": self._draw_entropy} if "plan_entropy" in known else {}
        if not draws:
            raise ReportError("the history has no 'train_loss' and no 'plan_entropy' to draw")
        axes = own_panels(ax, len(draws), (4.4 * len(draws), 3.4))
        for panel, (title, draw) in zip(axes, draws.items(), strict=True):
            draw(panel)
            panel.set(title=title, xlabel="epoch")
            panel.xaxis.get_major_locator().set_params(integer=True)
            panel.grid(color="0.9")
            panel.set_axisbelow(True)
            panel.spines[["top", "right"]].set_visible(False)
        self.axes_, self.figure_ = axes, axes[0].figure
        return self

    def _draw_loss(self, ax: Axes) -> None:
        self._line(ax, "train_loss", color=BLUE, marker="o", label="training")
        held = self._line(ax, "valid_loss", color=VERMILLION, marker="s", label="validation")
        if held and self.best_epoch is not None:
            label = f"best epoch ({self.best_epoch})"
            ax.axvline(self.best_epoch, color="black", linewidth=1, linestyle=":", label=label)
        ax.set_ylabel("loss (weighted sum of the tasks)")
        if held:
            ax.legend(frameon=False)

    def _draw_entropy(self, ax: Axes) -> None:
        ax.axhline(1, color="black", linewidth=1, linestyle="--", label="uniform plan")
        self._line(ax, "plan_entropy", color=BLUE, marker="o", label="mean of the plans")
        ax.set(ylim=(0, 1.08), ylabel="entropy of the plans (1 = uniform)")
        ax.legend(loc="lower left", frameon=False)

    def _line(self, ax: Axes, name: str, **style: Any) -> bool:
        rows = [row for row in self.history if row.get(name) is not None]
        if rows:
            ax.plot([row["epoch"] for row in rows], [row[name] for row in rows], ms=3, **style)
        return bool(rows)
