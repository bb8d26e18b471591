"""Where displays draw, and in which colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sfmforensics.exceptions import ParameterError
from sfmforensics.report._labels import figure_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

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
) -> Panels:
    """Give axes for several panels.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, array-like of Axes, or None
        One axes is divided among the panels; of several, each is one panel. None makes a figure
        of pyplot's.
    n_panels : int
        How many.
    figsize : tuple of float
        Width and height in inches of a new figure.
    n_columns : int or None, default=None
        Panels side by side; None takes all.
    sharey : bool, default=False
        Whether the vertical axes are one.

    Returns
    -------
    ndarray of Axes of shape (n_panels,)

    Raises
    ------
    ParameterError
        There are more or fewer axes than panels, or one that cannot be divided.

    Examples
    --------
    >>> len(own_panels(Figure().add_subplot(), 3, (6, 2)))
    3
    """
    n_columns = n_columns or n_panels
    n_rows = -(-n_panels // n_columns)
    if ax is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=figsize, layout="constrained")
        grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=sharey)
    elif not isinstance(ax, Axes):
        given = np.asarray(ax, dtype=object).ravel()
        if len(given) != n_panels:
            raise ParameterError(f"ax holds {len(given)} axes, but {n_panels} panels are drawn")
        return given
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
        grid = place.subgridspec(n_rows, n_columns).subplots(squeeze=False, sharey=sharey)
    for unused in grid.flat[n_panels:]:
        unused.remove()
    return np.array(list(grid.flat[:n_panels]), dtype=object)


def heading_of(first: object, *others: object) -> str:
    """Join what a title says, leaving out what is not known."""
    return ", ".join(figure_text(part) for part in (first, *others) if part is not None)
