"""From a view's vector to a sequence of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from sfmforensics.exceptions import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sfmforensics._types import Encoder


class ConvEncoder(nn.Module):
    """The paper's view network: two blocks of convolution and max-pooling, with ReLU between.

    Parameters
    ----------
    width : int
        Dimension of the view.
    kernels : sequence of int, default=(32, 64)
        Kernels of each block (paper, appendix 9.1).
    kernel_size : int, default=3
        Their size (paper, appendix 9.1).

    Notes
    -----
    The vector is read as a sequence of one channel; each block halves its length. Ends are padded,
    so that views of any width can be read. The paper names convolution and max-pooling; the pool's
    size, the padding and ReLU are ours.

    Examples
    --------
    >>> import torch
    >>> ConvEncoder(512)(torch.zeros(2, 512)).shape
    torch.Size([2, 128, 64])
    """

    def __init__(self, width: int, kernels: Sequence[int] = (32, 64), kernel_size: int = 3) -> None:
        super().__init__()
        blocks = []
        for entering, leaving in zip((1, *kernels[:-1]), kernels, strict=True):
            blocks += [
                nn.Conv1d(entering, leaving, kernel_size, padding="same"),
                nn.ReLU(),
                nn.MaxPool1d(2, ceil_mode=True),
            ]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, width) -> (batch, tokens, kernels)."""
        return self.blocks(x.unsqueeze(1)).mT.contiguous()


class TokenEncoder(nn.Module):
    """A linear map of the whole vector to a few tokens, normalised.

    Parameters
    ----------
    width : int
        Dimension of the view.
    n_tokens : int, default=8
        Tokens.
    token_dim : int, default=64
        Dimension of a token.
    dropout : float, default=0.0
        Share of token entries that are zeroed in training.

    Notes
    -----
    Neighbouring entries of an embedding have nothing to do with each other, so a convolution over
    them is a strong and wrong assumption; a linear map makes none. Not in the paper.

    Examples
    --------
    >>> import torch
    >>> TokenEncoder(512)(torch.zeros(2, 512)).shape
    torch.Size([2, 8, 64])
    """

    def __init__(
        self, width: int, n_tokens: int = 8, token_dim: int = 64, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(width, n_tokens * token_dim)
        self.norm = nn.LayerNorm(token_dim)
        self.dropout = nn.Dropout(dropout)
        self.shape = (n_tokens, token_dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, width) -> (batch, n_tokens, token_dim)."""
        return self.dropout(self.norm(self.linear(x).unflatten(1, self.shape)))


def make_encoder(
    encoder: Encoder, width: int, *, n_tokens: int = 8, token_dim: int = 64, dropout: float = 0.0
) -> tuple[nn.Module, tuple[int, int]]:
    """Build the encoder of one view.

    Parameters
    ----------
    encoder : {"conv", "tokens"} or callable
        A callable takes the width of the view and returns a module that maps (batch, width) to
        (batch, tokens, dimension).
    width : int
        Dimension of the view.
    n_tokens, token_dim, dropout
        As in `TokenEncoder`.

    Returns
    -------
    module : nn.Module
    shape : (int, int)
        Tokens and their dimension.

    Raises
    ------
    ParameterError
        The encoder is unknown, or does not answer with tokens.

    Examples
    --------
    >>> make_encoder("conv", 40)[1]
    (10, 64)
    """
    if encoder == "conv":
        module = ConvEncoder(width)
    elif encoder == "tokens":
        module = TokenEncoder(width, n_tokens, token_dim, dropout)
    elif callable(encoder) and not isinstance(encoder, nn.Module):
        module = encoder(width)
    else:
        raise ParameterError(
            f'encoder is {encoder!r}; use "conv", "tokens", or a function of the view\'s width '
            "that returns a torch module"
        )
    if not isinstance(module, nn.Module):
        raise ParameterError(
            f"the encoder gives a {type(module).__name__} for a view of {width}; it must give a "
            "torch module"
        )
    with torch.no_grad():
        tokens = module.eval()(torch.zeros(1, width))
    module.train()
    if tokens.ndim != 3:
        raise ParameterError(
            f"the encoder turns (1, {width}) into {tuple(tokens.shape)}; it must give "
            "(batch, tokens, dimension)"
        )
    return module, tuple(tokens.shape[1:])
