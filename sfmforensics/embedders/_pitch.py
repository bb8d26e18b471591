"""Fundamental frequency by pYIN: what librosa gives, several times as fast."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft
from scipy.special import betainc

if TYPE_CHECKING:
    from sfmforensics._types import Array, BoolArray, Float32Array, FloatArray, IntArray, Signal

BINS = 5
"""Pitch bins a semitone."""
_THRESHOLDS = 20
_BETA = (2.0, 18.0)
"""Prior of the thresholds of YIN, a beta distribution of mean 0.1."""
_BOLTZMANN = 2.0
"""How much less a trough counts for each one of a shorter period."""
_NO_TROUGH = 0.01
"""Share of the thresholds below all troughs that goes to the deepest."""
_SWITCH = 0.01
"""Probability that voicing begins or ends from one frame to the next."""
_FASTEST = 35.92
"""Most octaves a second that the pitch moves."""
_TINY = np.finfo(np.float64).tiny
_LOG_TINY = float(np.log(_TINY))


def pyin(
    signal: Signal, fmin: float, fmax: float, rate: int, window: int, hop: int
) -> tuple[FloatArray, BoolArray, FloatArray]:
    """Fundamental frequency, voicing and its probability of each frame.

    Parameters
    ----------
    signal : ndarray of shape (n_samples,), float32
        Sound; half a window of zeros is added at both ends, so that frames are centred.
    fmin, fmax : float
        Lowest and highest frequency looked for, in Hz.
    rate : int
        Samples a second.
    window, hop : int
        Length of a frame and distance between two, in samples.

    Returns
    -------
    f0 : ndarray of shape (n_frames,)
        In Hz, in steps of a fifth of a semitone; NaN where a frame is unvoiced.
    voiced : ndarray of shape (n_frames,)
        Whether it is voiced.
    probability : ndarray of shape (n_frames,)
        That it is.

    Notes
    -----
    What `librosa.pyin` of 0.11 computes with ``resolution=0.2`` and ``n_thresholds=20``, to the
    last bin, whatever version of librosa is there. All frames are looked through at once; the
    decoder looks at the transitions that there are (a band of 36 bins, and the switch of voicing)
    and not at all pairs of states; and what depends on nothing but the range of frequencies is made
    once.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 200 * np.arange(8_000) / 16_000).astype(np.float32)
    >>> f0, voiced, _ = pyin(tone, 60.0, 500.0, 16_000, 1024, 256)
    >>> round(float(np.median(f0[voiced])), 1)
    199.5
    """
    padded = np.pad(signal, window // 2)
    frames = np.ascontiguousarray(sliding_window_view(padded, window)[::hop])
    shortest, longest = int(rate // fmax), min(int(np.ceil(rate / fmin)), window - 1)
    depths = _normalised_differences(frames, shortest, longest)
    n_bins = int(np.floor(12 * BINS * np.log2(fmax / fmin))) + 1
    bins, probabilities, places = _candidates(depths, shortest, fmin, rate, n_bins)
    observed = np.zeros((len(frames), 2 * n_bins))
    observed[places, bins] = probabilities
    probability = np.clip(observed[:, :n_bins].sum(axis=1), 0, 1)
    observed[:, n_bins:] = ((1 - probability) / n_bins)[:, None]
    states = _decode(np.log(observed + _TINY), _band(n_bins, hop / rate))
    voiced = states < n_bins
    f0 = fmin * 2 ** ((states % n_bins) / (12 * BINS))
    return np.where(voiced, f0, np.nan), voiced, probability


def _normalised_differences(frames: Float32Array, shortest: int, longest: int) -> Float32Array:
    """YIN's cumulative mean normalised difference (n_frames, n_periods), its equation 8."""
    size = fft.next_fast_len(2 * frames.shape[1] - 1, real=True)
    spectrum = fft.rfft(frames, n=size, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    alike = fft.irfft(power, n=size, axis=1)[:, : longest + 1]
    energy = np.cumsum(np.square(frames), axis=1)[:, :longest]
    energy[:, 0] = 0  # as librosa has it, a sample of a thousand
    differences = 2 * (alike[:, :1] - alike[:, 1:]) - energy
    means = np.cumsum(differences, axis=1) / np.arange(1, longest + 1)
    means = means[:, shortest - 1 :]
    return differences[:, shortest - 1 :] / (means + np.finfo(means.dtype).tiny)


def _candidates(
    depths: Float32Array, shortest: int, fmin: float, rate: int, n_bins: int
) -> tuple[IntArray, FloatArray, IntArray]:
    """Pitch bins that troughs speak for, with what probability, and in which frame."""
    troughs = np.zeros(depths.shape, dtype=bool)
    troughs[:, 1:-1] = (depths[:, 1:-1] < depths[:, :-2]) & (depths[:, 1:-1] <= depths[:, 2:])
    troughs[:, 0] = depths[:, 0] < depths[:, 1]
    troughs[:, -1] = depths[:, -1] < depths[:, -2]
    places, periods = np.nonzero(troughs)
    if not len(places):
        return places, np.zeros(0), periods
    heights = depths[places, periods]
    thresholds, prior = _thresholds()
    below = heights[:, None] < thresholds[1:]
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    of_frame = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(places))))
    counts: IntArray = np.add.reduceat(below, starts, axis=0, dtype=int)
    running: IntArray = np.cumsum(below, axis=0)
    before: IntArray = (running[starts] - below[starts])[of_frame]
    order = running - before - 1
    # Boltzmann's distribution over the troughs below each threshold, the shortest period first.
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = (1 - np.exp(-_BOLTZMANN)) / (1 - np.exp(-_BOLTZMANN * counts))
    shares = np.where(below, whole[of_frame] * np.exp(-_BOLTZMANN * order), 0)
    probabilities = shares @ prior
    deepest = _first_smallest(heights, starts, of_frame)
    above = (~below[deepest]).sum(axis=1)
    probabilities[deepest] += _NO_TROUGH * np.concatenate([[0.0], np.cumsum(prior)])[above]
    kept = probabilities != 0
    places, periods, probabilities = places[kept], periods[kept], probabilities[kept]
    refined = shortest + periods + _shifts(depths, places, periods)
    bins = np.round(12 * BINS * np.log2(rate / refined / fmin))
    bins = np.clip(bins, 0, n_bins).astype(int)
    order = np.lexsort((places, periods))  # of two in one bin the longer period stays
    return bins[order], probabilities[order], places[order]


def _first_smallest(heights: Array, starts: IntArray, of_frame: IntArray) -> IntArray:
    """Where the deepest trough of each frame is."""
    smallest = heights == np.minimum.reduceat(heights, starts)[of_frame]
    where = np.flatnonzero(smallest)
    return where[np.unique(of_frame[where], return_index=True)[1]]


def _shifts(depths: Float32Array, places: IntArray, periods: IntArray) -> FloatArray:
    """How far the bottom of a parabola through a trough and its neighbours is from it."""
    inner = np.clip(periods, 1, depths.shape[1] - 2)
    left, middle, right = (depths[places, inner + step] for step in (-1, 0, 1))
    # Rounded where librosa rounds, so that no candidate falls into another bin.
    curvature = (right + left).astype(np.float64) - 2 * middle.astype(np.float64)
    slope = (right - left).astype(np.float64) / 2
    usable = (np.abs(slope) < np.abs(curvature)) & (periods == inner)
    shifts = np.where(usable, -slope / np.where(usable, curvature, 1), 0)
    return shifts.astype(depths.dtype).astype(np.float64)


@lru_cache(maxsize=1)
def _thresholds() -> tuple[FloatArray, FloatArray]:
    """Thresholds of YIN, and how probable each step between two is."""
    thresholds = np.linspace(0, 1, _THRESHOLDS + 1)
    return thresholds, np.diff(betainc(*_BETA, thresholds))


@lru_cache(maxsize=8)
def _band(n_bins: int, seconds: float) -> tuple[FloatArray, FloatArray, IntArray]:
    """Logarithms (n_bins, width) of moving to a bin from those around it, and how far these are.

    The first where voicing stays as it is, the second where it switches. A triangle around each
    source, which sums to 1 over the bins that there are.
    """
    width = round(_FASTEST * 12 * seconds) * BINS + 1
    # A triangle of even width has no middle; librosa puts it by the parity of the bins.
    least = -(width // 2) if n_bins % 2 else -((width - 1) // 2)
    steps = least + np.arange(width)
    heights = 1 - np.abs(2 * np.arange(1, width + 1) - width - 1) / (width + width % 2)
    bins = np.arange(n_bins)[:, None]
    sums = np.where((bins + steps >= 0) & (bins + steps < n_bins), heights, 0).sum(axis=1)
    sources = bins - steps[::-1]
    there = (sources >= 0) & (sources < n_bins)
    local = np.where(there, heights[::-1] / sums[np.clip(sources, 0, n_bins - 1)], 0)
    stays, switches = np.log((1 - _SWITCH) * local + _TINY), np.log(_SWITCH * local + _TINY)
    stays[~there] = switches[~there] = -np.inf
    return stays, switches, -steps[::-1]


def _decode(observed: FloatArray, band: tuple[FloatArray, FloatArray, IntArray]) -> IntArray:
    """Viterbi's path through (n_frames, 2 n_bins) logarithms of observations."""
    stays, switches, steps = band
    n_frames, n_states = observed.shape
    n_bins, width = stays.shape
    into = np.stack([np.hstack([stays, switches]), np.hstack([switches, stays])])
    from_voiced = np.tile(np.arange(n_bins) + steps[0], 2)
    rows = np.arange(n_states)
    came = np.zeros((n_frames, n_states), dtype=np.int64)
    padded = np.full((2, n_bins + width - 1), -np.inf)
    view = sliding_window_view(padded, width, axis=1)
    sources = np.empty((n_bins, 2 * width))
    reached = np.empty((2, n_bins, 2 * width))
    by_state = reached.reshape(n_states, 2 * width)
    best = observed[0] - np.log(n_states)
    for frame in range(1, n_frames):
        padded[:, -steps[0] : n_bins - steps[0]] = best.reshape(2, n_bins)
        sources[:, :width], sources[:, width:] = view
        np.add(sources, into, out=reached)
        choice = by_state.argmax(axis=1)
        values = by_state[rows, choice]
        origin = from_voiced + choice + (choice >= width) * (n_bins - width)
        # From anywhere, by a transition whose probability is next to nothing.
        top = int(best.argmax())
        jumps = values < best[top] + _LOG_TINY
        if jumps.any():
            values[jumps], origin[jumps] = best[top] + _LOG_TINY, top
        best = observed[frame] + values
        came[frame] = origin
    states = np.empty(n_frames, dtype=np.int64)
    states[-1] = best.argmax()
    for frame in range(n_frames - 1, 0, -1):
        states[frame - 1] = came[frame, states[frame]]
    return states
