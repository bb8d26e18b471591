"""Where displays draw, and in which colours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sfmforensics.exceptions import ParameterError
from sfmforensics.report._wording import figure_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self, TypeAlias

    from numpy.typing import NDArray

    Panels: TypeAlias = NDArray[np.object_]

# Okabe and Ito's palette, which people see apart whatever their colour vision; yellow, pale on
# paper, is left for the end.
BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, BLACK, YELLOW = COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#000000",
    "#F0E442",
)
LINES = ("-", "--", "-.", ":")
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*")
"""One for each colour, so that a copy in grey can be read."""


def new_axes(figsize: tuple[float, float]) -> Axes:
    """Make axes on a figure of their own, outside pyplot; figsize is in inches."""
    return Figure(figsize=figsize, layout="constrained").add_subplot()


def own_axes(ax: Axes | None, figsize: tuple[float, float]) -> Axes:
    """Give the axes that were given, or new ones of pyplot's, which a notebook shows."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=figsize, layout="constrained")[1]


def own_panels(
    ax: Axes | Sequence[Axes] | Panels | None,
    n_panels: int,
    figsize: tuple[float, float],
    n_columns: int | None = None,
    *,
    sharey: bool = False,
    heights: Sequence[float] | None = None,
) -> Panels:
    """Give axes for several panels.

    Examples
    --------
    >>> len(own_panels(Figure().add_subplot(), 3, (6, 2)))
    3
    """
    n_columns = n_columns or n_panels
    n_rows = -(-n_panels // n_columns)
    ratios: dict[str, Any] = {"height_ratios": heights}
    if ax is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=figsize, layout="constrained")
        grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=sharey, **ratios)
    elif not isinstance(ax, Axes):
        axes = np.asarray(ax, dtype=object).ravel()
        if len(axes) != n_panels:
            raise ParameterError(f"ax holds {len(axes)} axes, but {n_panels} panels are drawn")
        return axes
    elif n_panels == 1:
        return np.array([ax], dtype=object)
    else:
        place = ax.get_subplotspec()
        if place is None:
            raise ParameterError(
                f"{n_panels} panels are drawn, but ax has no place in a grid that could be "
                f"divided; give {n_panels} axes, or one made by subplots"
            )
        ax.set_axis_off()
        inner = place.subgridspec(n_rows, n_columns, **ratios)
        grid = inner.subplots(squeeze=False, sharey=sharey)
    for unused in grid.flat[n_panels:]:
        unused.remove()
    return np.array(list(grid.flat[:n_panels]), dtype=object)


def next_style(ax: Axes, gid: str) -> dict[str, Any]:
    """Give colour and line of the next curve of a kind, where several are drawn on one axes.

    Examples
    --------
    >>> ax = Figure().add_subplot()
    >>> ax.plot([0, 1], [0, 1], **next_style(ax, "curve"))
    [...]
    >>> next_style(ax, "curve") == {"color": VERMILLION, "linestyle": "--", "gid": "curve"}
    True
    """
    place = sum(line.get_gid() == gid for line in ax.lines)
    colours = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK)
    return {
        "color": colours[place % len(colours)],
        "linestyle": LINES[place % len(LINES)],
        "gid": gid,
    }


def heading_of(first: object, *others: object) -> str:
    """Join what a title says, leaving out what is not known."""
    return ", ".join(figure_text(part) for part in (first, *others) if part is not None)


LEGEND: dict[str, Any] = {"framealpha": 0.85, "edgecolor": "none", "fontsize": 9}

_AX = """        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure of pyplot's.
"""
_AX_OF_EACH = """        ax : matplotlib.axes.Axes, array-like of Axes, or None, default=None
            Where to draw: one that is divided, or one a {what}; None makes a figure of pyplot's.
"""
_TRIALS = """        same : array-like of shape (n_trials,), bool
            Whether both sides are one speaker.
        weights : array-like of shape (n_trials,) or None, default=None
            How much each trial counts; None for all alike. See `sfmforensics.evidence.assess`.
"""
_RETURNS = """
        Returns
        -------
        {display}
"""


class Display:
    """What displays share: the last strokes, and the parts of docstrings that are the same in all.

    In the docstring of a method ``[trials]`` stands for the parameters ``same`` and ``weights``,
    ``[ax]`` and ``[ax of each task]`` for ``ax`` and what is returned; "Draw it." alone is the
    docstring of a `plot` that takes one axes.
    """

    ax_: Axes
    figure_: Any

    def __init_subclass__(cls) -> None:
        """Write the shared parts into the docstrings of the class's methods."""
        super().__init_subclass__()
        returns = _RETURNS.format(display=cls.__name__)
        for method in vars(cls).values():
            function = getattr(method, "__func__", method)
            text = getattr(function, "__doc__", None)
            if not callable(function) or not text:
                continue
            if text == "Draw it.":
                text += "\n\n        Parameters\n        ----------\n        [ax]\n        "
            text = text.replace("        [trials]\n", _TRIALS)
            text = text.replace("        [ax]\n", _AX + returns)
            for what in re.findall(r"\[ax of each (\w+)\]", text):
                shared = _AX_OF_EACH.format(what=what) + returns
                text = text.replace(f"        [ax of each {what}]\n", shared)
            function.__doc__ = text

    def _drawn(self, ax: Axes, *, grid: bool = True) -> Self:
        """Put a grid behind what was drawn, and keep the axes."""
        if grid:
            ax.grid(color="0.9")
            ax.set_axisbelow(True)
        self.ax_, self.figure_ = ax, ax.figure
        return self
