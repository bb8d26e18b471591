"""Whether the channels of a recording hold one voice, and which of them is to be heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sfmforensics._types import Array, FloatArray

MEAN, SILENT, INVERTED, DIFFERENT, ASKED = "mean", "silent", "inverted", "different", "asked"

_FRAMES_A_SECOND = 20
_FEW_FRAMES = 10
"""Half a second: with fewer frames, levels that rise and fall together are no evidence."""

SILENT_BELOW = 10**-2
"""Level of the loudest frame of a channel that is called silent, to that of the loudest: -40 dB.

A line that nobody speaks on has noise at -55 dB re full scale or below, speech peaks at -10. The
loudest frame, not the mean: who says "yes" once in an hour does speak."""

ALIKE_LEVELS = 0.6
"""Least correlation of the levels in frames of 50 ms of two channels that hold the same.

Waveforms do not tell: of one voice before two microphones of one room they correlate by -0.3 to
0.8, at the best lag by 0.1 to 0.8, and of two parties who hear each other by 0 to 0.8. Levels do:
one voice, two microphones 0 to 2 m apart, reverberation times of 0.2 to 2 s, direct sound 10 dB
above to 10 dB below it, noise 5 to 40 dB below: 0.60 to 0.99, median 0.94. Two parties of a call,
one a channel, who take turns or speak at once, each 12 dB or more softer in the other's channel:
-0.3 to 0.5. (At -6 dB, 0.70 to 0.79: either channel holds both.)"""

ALIKE_WAVES = 0.9
"""Correlation of two waveforms that are one whatever their levels do, as of a steady tone."""

FEW_ALIKE_WAVES = 0.5
"""The same, where there are too few frames for levels."""

INVERTED_WAVES = -0.5
"""Correlation of alike channels at and below which their mean loses 6 dB or more of a channel."""


@dataclass(frozen=True)
class Choice:
    """What of the channels of a recording is heard.

    Parameters
    ----------
    count : int
        Number of channels.
    taken : tuple of int
        Those whose mean is heard, counted from 1; none where they differ.
    kind : str
        Why: "mean" (all are alike, or it was asked for), "silent" (the others are), "inverted"
        (alike, but of opposite polarity), "different" (it cannot be told which) or "asked".
    silent : tuple of int, default=()
        Those that are silent.
    """

    count: int
    taken: tuple[int, ...]
    kind: str
    silent: tuple[int, ...] = ()

    def pick(self, block: Array) -> Array:
        """Those channels of a block of shape (n_samples, n_channels) whose mean is heard."""
        if len(self.taken) == self.count:
            return block
        if len(self.taken) == 1:
            return block[:, self.taken[0] - 1]
        return block[:, [channel - 1 for channel in self.taken]]

    @property
    def finding(self) -> str:
        """What was found, in words."""
        if self.kind == SILENT:
            return f"{_named(self.silent)} silent"
        if self.kind == INVERTED:
            return "its channels are copies of opposite polarity, which cancel each other"
        if self.kind == DIFFERENT:
            return f"its {self.count} channels differ, as where each party of a call has its own"
        return f"its {self.count} channels are alike" if self.kind == MEAN else "it was asked for"

    @property
    def action(self) -> str:
        """What was done, in words."""
        if len(self.taken) == 1:
            return f"channel {self.taken[0]} was taken"
        if len(self.taken) == self.count:
            return "their mean was taken"
        return f"the mean of channels {_listed(self.taken)} was taken"


def _named(channels: tuple[int, ...]) -> str:
    one = len(channels) == 1
    return f"channel{'' if one else 's'} {_listed(channels)} {'is' if one else 'are'}"


def _listed(channels: tuple[int, ...]) -> str:
    first, last = channels[0], channels[-1]
    if len(channels) > 2 and last - first == len(channels) - 1:
        return f"{first} to {last}"
    names = [str(channel) for channel in channels]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


class ChannelStatistics:
    """Levels of channels and how they go together, over blocks that are gone.

    Notes
    -----
    Memory grows with the square of the number of channels alone.

    Examples
    --------
    >>> voice = np.random.default_rng(0).normal(size=16_000) * np.hanning(16_000)
    >>> statistics = ChannelStatistics(2, 16_000)
    >>> statistics.add(np.column_stack([voice, np.zeros(16_000)]))
    >>> statistics.choose()
    Choice(count=2, taken=(1,), kind='silent', silent=(2,))
    """

    def __init__(self, n_channels: int, rate: int) -> None:
        self._frame = max(rate // _FRAMES_A_SECOND, 2)
        self._waves, self._levels = _Products(n_channels), _Products(n_channels)
        self._loudest = np.zeros(n_channels)

    def add(self, block: Array) -> None:
        """Take in a block of shape (n_samples, n_channels)."""
        with np.errstate(invalid="ignore", over="ignore"):
            signal = block.astype(np.float64)
            self._waves.add(signal)
            whole = len(signal) // self._frame * self._frame
            frames = signal[:whole].reshape(-1, self._frame, signal.shape[1])
            levels = frames.std(axis=1)
            if len(signal) - whole > 1:
                levels = np.concatenate([levels, signal[whole:].std(axis=0)[np.newaxis]])
            if len(levels):
                self._levels.add(levels)
                self._loudest = np.maximum(self._loudest, levels.max(axis=0))

    def choose(self, softest: float = 0.0) -> Choice:
        """Say which channels are heard."""
        count = len(self._loudest)
        everything = tuple(range(1, count + 1))
        if not np.isfinite(self._loudest).all():
            return Choice(count, everything, MEAN)  # which is refused
        # No mean over time: a level of the loudest frame is that of speech where there is any.
        heard = self._loudest > max(softest, SILENT_BELOW * self._loudest.max())
        if not heard.any():
            return Choice(count, everything, MEAN)  # which is silent
        live = tuple((np.flatnonzero(heard) + 1).tolist())
        silent = tuple((np.flatnonzero(~heard) + 1).tolist())
        if len(live) > 1:
            waves = self._waves.correlation()[np.ix_(heard, heard)]
            levels = self._levels.correlation()[np.ix_(heard, heard)]
            if self._levels.count < _FEW_FRAMES:
                alike = np.abs(waves) >= FEW_ALIKE_WAVES
            else:
                alike = (np.abs(waves) >= ALIKE_WAVES) | (levels >= ALIKE_LEVELS)
            if not alike.all():
                return Choice(count, (), DIFFERENT, silent)
            if (waves <= INVERTED_WAVES).any():
                return Choice(count, live[:1], INVERTED, silent)
        return Choice(count, live, SILENT if silent else MEAN, silent)


class _Products:
    """Correlations of columns that come in blocks."""

    def __init__(self, width: int) -> None:
        self.count = 0
        self._sum = np.zeros(width)
        self._products = np.zeros((width, width))

    def add(self, rows: FloatArray) -> None:
        self.count += len(rows)
        self._sum += rows.sum(axis=0)
        self._products += rows.T @ rows

    def correlation(self) -> FloatArray:
        """Correlation of each two columns; 0 with one that is constant."""
        means = self._sum / self.count
        covariance = self._products / self.count - np.outer(means, means)
        variance = np.diag(covariance)
        # What is left of a difference of two equal numbers is no variance.
        real = variance > 1e-12 * np.diag(self._products) / self.count
        scale = np.sqrt(np.where(real, variance, np.inf))
        correlations = covariance / np.outer(scale, scale)
        np.fill_diagonal(correlations, 1.0)
        return correlations
