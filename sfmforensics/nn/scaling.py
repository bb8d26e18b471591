"""Means and deviations of the columns of inputs of any size, larger than memory or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

_AT_ONCE = 512
"""Rows of which the means and deviations are taken at once."""
_DIGITS = 8.0
"""A column that varies by less than so many rounding errors of its mean is constant."""


def column_scale(
    x: torch.Tensor, weight: torch.Tensor | None = None, rows: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Means and standard deviations of columns, in float64 whatever their size.

    Parameters
    ----------
    x : Tensor of shape (n_rows, n_features), float32 or float64
        Inputs; they are read piece by piece, twice, so they may be larger than memory.
    weight : Tensor of shape (n_samples,) or None, default=None
        Weight of each sample.
    rows : Tensor of shape (n_samples,), int64, or None, default=None
        Which of the inputs are the samples; None takes all, in order.

    Returns
    -------
    center : Tensor of shape (n_features,), float64
    spread : Tensor of shape (n_features,), float64
        1 for columns that vary by no more than rounding errors of their own number format: they
        say nothing, and dividing by such noise would shout.

    Notes
    -----
    Columns are divided by a power of two near their largest number, which loses no digit, so that
    no square is too large or too small; the first sample is taken from all, so that a large mean
    takes no digits from small differences. Means and squares of pieces are joined as in [1]_.

    References
    ----------
    .. [1] T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance:
       analysis and recommendations", The American Statistician, 1983.

    Examples
    --------
    >>> x = torch.tensor([[1e9, 1e-200, 7.0], [1e9 + 2, 3e-200, 7.0]], dtype=torch.float64)
    >>> center, spread = column_scale(x)
    >>> [f"{value:.9g}" for value in center], [f"{value:.3g}" for value in spread]
    (['1e+09', '2e-200', '7'], ['1', '1e-200', '1'])
    >>> float(center[0] - 1e9)
    1.0
    """
    largest = x.new_zeros(x.shape[1])
    for _, part in _pieces(x, rows):
        low, high = torch.aminmax(part, dim=0)
        largest = torch.maximum(largest, torch.maximum(-low, high))
    exponent = np.frexp(largest.double().numpy())[1].clip(-1000, 1000)
    size = torch.from_numpy(np.ldexp(1.0, exponent))  # torch's own takes the power in float32
    first = x[0 if rows is None else rows[0]].double() / size
    total = 0.0
    mean: Any = torch.zeros_like(first)
    square: Any = torch.zeros_like(first)
    for piece, part in _pieces(x, rows):
        apart = (part / size).sub_(first)  # a matrix of its own, whatever format the part has
        if weight is None:
            weighs = float(len(part))
            variance, middle = torch.var_mean(apart, dim=0, correction=0)
        else:
            share = weight[piece].double()
            weighs = float(share.sum())
            if not weighs:
                continue
            share = (share / weighs)[:, None]
            middle = (share * apart).sum(dim=0)
            variance = (share * apart.sub_(middle).square_()).sum(dim=0)
        step = middle - mean
        mean = mean + step * (weighs / (total + weighs))
        square = square + variance * weighs + step**2 * (total * weighs / (total + weighs))
        total += weighs
    deviation = (square / total).sqrt()
    mean = first + mean
    still = deviation <= _DIGITS * torch.finfo(x.dtype).eps * mean.abs()
    spread = deviation * size
    return mean * size, torch.where(still | (spread == 0), 1.0, spread)


def _pieces(x: torch.Tensor, rows: torch.Tensor | None) -> Iterator[tuple[slice, torch.Tensor]]:
    for start in range(0, len(x) if rows is None else len(rows), _AT_ONCE):
        piece = slice(start, start + _AT_ONCE)
        yield piece, x[piece if rows is None else rows[piece]]
