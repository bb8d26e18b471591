"""What each view, and each token of it, adds to what networks say of one recording."""

from __future__ import annotations

import copy
from math import factorial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeAlias

    from sfmforensics._types import FloatArray

    Measure: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
    Tokens: TypeAlias = list[list[torch.Tensor]]  # by member and view: (1, L, dimension)

_AT_ONCE = 64
"""Rows that are asked at once; a limit of memory."""


class Attribution(NamedTuple):
    """What is added to the measure of each task, in its unit.

    Attributes
    ----------
    of_sets : ndarray of shape (2 ** n_views, n_tasks)
        The measures with each set of views; bit i of a row's number says whether view i is there.
    tokens : list of ndarray of shape (n_tasks, n_tokens)
        By view, what each token adds. Of an ensemble the tokens of its members follow one another.
    """

    of_sets: FloatArray
    tokens: list[FloatArray]


def frozen_copy(network: Any) -> Any:
    """Copy a network to the CPU for asking what moves it, so that the network is left as it is."""
    with torch.inference_mode(False):  # what is made in that mode never has a gradient
        frozen = copy.deepcopy(network).to("cpu").eval().requires_grad_(False)
    for member in _members(frozen):
        if hasattr(member.fusion, "grad"):
            member.fusion.grad = "implicit"
    return frozen


def attribute(
    network: Any,
    x: torch.Tensor,
    reference: torch.Tensor,
    measures: Sequence[Measure],
    n_steps: int,
) -> Attribution:
    """Share out the difference between a recording and a reference among views and tokens.

    Notes
    -----
    A view is left out by putting the tokens of the reference in the place of its own. The tokens
    of a view share what the view adds to a set S of others by integrated gradients [1]_: the
    view's tokens go straight from those of the reference to those of the recording, the others
    stay, and a token's share is the integral of the gradient along its own change. Shares over all
    S are averaged with the weights of Shapley's value, so that they add up to it.

    References
    ----------
    .. [1] M. Sundararajan, A. Taly and Q. Yan, "Axiomatic attribution for deep networks",
       ICML 2017.
    """
    with torch.inference_mode(False), torch.no_grad():
        x, reference = x.clone(), reference.clone()  # which may come from that mode
        here, away = (
            [member.tokens(row) for member in _members(network)] for row in (x, reference)
        )
        n_views = len(here[0])
        sets = _sets(n_views)
        of_sets = np.concatenate(
            [
                np.column_stack(
                    [values.numpy() for values in _ask(network, here, away, part, measures)]
                )
                for part in torch.from_numpy(sets).to(here[0][0]).split(_AT_ONCE)
            ]
        )
        tokens = [
            np.zeros((len(measures), sum(member[view].shape[1] for member in here)))
            for view in range(n_views)
        ]
        if n_steps:
            moves, points, weights = _path(sets, n_steps)
            points = points.to(here[0][0])
            for start in range(0, len(moves), _AT_ONCE):
                piece = slice(start, start + _AT_ONCE)
                shares = _shares(network, here, away, points[piece], weights[piece], measures)
                for view, share in enumerate(shares):
                    tokens[view] += share[:, moves[piece] == view].sum(axis=1)
    return Attribution(of_sets, tokens)


def shapley_values(values: FloatArray) -> FloatArray:
    """Shapley's value of each player, from what every set of players gets.

    References
    ----------
    .. [1] L. S. Shapley, "A value for n-person games", Contributions to the Theory of Games II,
       1953.

    Examples
    --------
    A left and a right glove are worth something together alone; their owners share it.

    >>> shapley_values(np.array([0.0, 0.0, 0.0, 10.0]))
    array([5., 5.])
    """
    n_players = len(values).bit_length() - 1
    shares = np.zeros((n_players, *values.shape[1:]))
    for number in range(len(values) - 1):
        weight = _weight(number.bit_count(), n_players)
        for player in range(n_players):
            if not number >> player & 1:
                shares[player] += weight * (values[number | 1 << player] - values[number])
    return shares


def _weight(size: int, n_players: int) -> float:
    """Share of the orders of players in which a set of that size comes just before one of them."""
    return factorial(size) * factorial(n_players - size - 1) / factorial(n_players)


def _sets(n_views: int) -> FloatArray:
    """1 for each view in each set: (2 ** n_views, n_views)."""
    return (np.arange(2**n_views)[:, None] >> np.arange(n_views) & 1).astype(np.float64)


def _path(sets: FloatArray, n_steps: int) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """Every point that is asked: which view moves, how far each view is, and what it counts.

    A view's way in is cut by Gauss and Legendre's rule.
    """
    n_views = sets.shape[1]
    nodes, shares = np.polynomial.legendre.leggauss(n_steps)
    moves, points, weights = [], [], []
    for view in range(n_views):
        for others in sets[sets[:, view] == 0]:
            point = np.tile(others, (n_steps, 1))
            point[:, view] = (nodes + 1) / 2
            moves += [view] * n_steps
            points.append(point)
            weights.append(_weight(int(others.sum()), n_views) * shares / 2)
    return (
        np.array(moves),
        torch.from_numpy(np.concatenate(points)),
        torch.from_numpy(np.concatenate(weights)),
    )


def _shares(
    network: Any,
    here: Tokens,
    away: Tokens,
    points: torch.Tensor,
    weights: torch.Tensor,
    measures: Sequence[Measure],
) -> list[FloatArray]:
    """By view, weighted gradients in how far each token is: (n_tasks, rows, n_tokens)."""
    with torch.enable_grad():
        places = [
            [
                points[:, view, None].repeat(1, tokens.shape[1]).requires_grad_()
                for view, tokens in enumerate(member)
            ]
            for member in here
        ]
        leaves = [place for member in places for place in member]
        answers = _answer(network, _mixed(here, away, places), measures)
        of_tasks = [
            torch.autograd.grad((weights * task).sum(), leaves, retain_graph=True)
            for task in answers
        ]
    n_views = points.shape[1]
    # Leaves go member by member; each n_views-th one belongs to the same view.
    return [
        np.stack([torch.cat(grads[view::n_views], dim=1).double().numpy() for grads in of_tasks])
        for view in range(n_views)
    ]


def _ask(
    network: Any, here: Tokens, away: Tokens, points: torch.Tensor, measures: Sequence[Measure]
) -> list[torch.Tensor]:
    places = [
        [points[:, view, None].expand(-1, tokens.shape[1]) for view, tokens in enumerate(member)]
        for member in here
    ]
    return _answer(network, _mixed(here, away, places), measures)


def _mixed(here: Tokens, away: Tokens, places: Tokens) -> Tokens:
    """Tokens between those of the reference (place 0) and of the recording (1)."""
    return [
        [
            torch.lerp(there, own, place[:, :, None])
            for own, there, place in zip(*views, strict=True)
        ]
        for views in zip(here, away, places, strict=True)
    ]


def _answer(network: Any, tokens: Tokens, measures: Sequence[Measure]) -> list[torch.Tensor]:
    answers = [
        member.from_tokens(views) for member, views in zip(_members(network), tokens, strict=True)
    ]
    outputs = answers[0] if len(answers) == 1 else network.together(answers)
    return [measure(output) for measure, output in zip(measures, outputs, strict=True)]


def _members(network: Any) -> Any:
    return getattr(network, "members", [network])
