"""A small source-filter synthesiser: glottal pulses through the resonances of a vocal tract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sfmforensics._types import Array, Float32Array, FloatArray

FRAME_SECONDS = 0.01
"""The vocal tract stands still for so long, in s."""

# First three resonances of an adult male vocal tract, in Hz, rounded from the usual tables.
_VOWELS = np.array(
    [
        [730, 1090, 2440],
        [530, 1840, 2480],
        [270, 2290, 3010],
        [570, 840, 2410],
        [300, 870, 2240],
        [490, 1350, 1690],
    ]
)
_HIGH_FORMANTS = np.array([3500, 4500])
_BANDWIDTHS = np.array([70, 95, 130, 200, 260])
# How a syllable begins: (voicing, centre of the noise in Hz, its level, seconds).
_ONSETS = np.array(
    [
        [0.0, 5500, 0.5, 0.09],
        [0.0, 3000, 0.55, 0.09],
        [0.0, 1800, 0.7, 0.04],
        [0.0, 3800, 0.6, 0.04],
        [0.45, 300, 0.0, 0.07],
        [0.7, 600, 0.1, 0.05],
    ]
)
_HISS_BANDWIDTH = 1500
_PAUSE_CHANCE = 0.1
_EDGE_SECONDS = 0.05


@dataclass(frozen=True)
class Voice:
    """How one utterance is spoken.

    Parameters
    ----------
    pitch : float
        Mean fundamental frequency in Hz.
    pitch_range : float
        Standard deviation of its slow movement, in semitones.
    tract : ndarray of shape (5,)
        Factor of each formant; 1 is an average male vocal tract.
    tempo : float
        Syllables a second.
    tilt : float
        Pole of the low-pass of the source, 0 (bright) to 1 (dull).
    breath : float
        Level of the noise in the source, relative to the pulses.
    jitter : float
        Relative standard deviation of the length of a pulse.
    shimmer : float
        Relative standard deviation of the strength of a pulse.
    open_quotient : float
        Part of a pulse in which the glottis is open.
    level : float
        Root mean square of the utterance.
    """

    pitch: float
    pitch_range: float
    tract: np.ndarray
    tempo: float
    tilt: float
    breath: float
    jitter: float
    shimmer: float
    open_quotient: float
    level: float


def speak(
    voice: Voice, duration: float, rate: int, noise: float, rng: np.random.Generator
) -> Float32Array:
    """Speak random syllables.

    Parameters
    ----------
    voice : Voice
        How they are spoken.
    duration : float
        Length in s.
    rate : int
        Samples a second, 8000 or more.
    noise : float
        Root mean square of the background noise, relative to that of the voice.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (round(duration * rate),), float32
        Finite, at most 1 in magnitude.

    Notes
    -----
    The voiced source is the derivative of a polynomial glottal pulse, as in Klatt's synthesiser
    [1]_: ``2 x - 3 x ** 2`` over the open phase ``x`` in [0, 1], then 0; the abrupt closure gives
    the overtones. A formant is a second-order resonator with unit gain at 0 Hz; five of them
    follow one another, and move every 10 ms.

    References
    ----------
    .. [1] D. H. Klatt, L. C. Klatt, "Analysis, synthesis, and perception of voice quality
       variations among female and male talkers", JASA 87(2), 1990.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> voice = Voice(120.0, 2.0, np.ones(5), 5.0, 0.9, 0.05, 0.01, 0.05, 0.6, 0.05)
    >>> speak(voice, 0.5, 16000, 0.01, rng).shape
    (8000,)
    """
    n_samples = round(duration * rate)
    n_frames = int(np.ceil(duration / FRAME_SECONDS)) + 1
    voicing, friction, formants = _articulate(voice, n_frames, rng)
    times = np.arange(n_samples) / rate / FRAME_SECONDS
    frames = np.arange(n_frames)
    voiced = np.interp(times, frames, voicing)
    source = voiced * _glottis(voice, n_frames, times, rate, rng)
    signal = _resonate(source, formants * voice.tract, rate)
    signal /= _rms(signal) or 1.0
    hiss = rng.standard_normal(n_samples)
    for (_, centre, *_), gate in zip(_ONSETS, friction, strict=True):
        # A shorter vocal tract lifts the noise as it lifts the formants.
        section = _resonators(centre * voice.tract[3], _HISS_BANDWIDTH, rate)
        burst = lfilter(*section, hiss)
        signal += np.interp(times, frames, gate) * burst / _rms(burst)
    signal += noise * _rms(signal) * rng.standard_normal(n_samples)
    signal *= voice.level / (_rms(signal) or 1.0)
    return (signal / max(1.0, np.abs(signal).max())).astype(np.float32)


def _articulate(
    voice: Voice, n_frames: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Plan syllables: voicing, noise of each kind and formants of every frame."""
    voicing, friction = np.zeros(n_frames), np.zeros((len(_ONSETS), n_frames))
    formants = np.full((n_frames, 5), np.nan)
    edge = round(_EDGE_SECONDS / FRAME_SECONDS)
    start = edge + rng.integers(edge)
    onsets, vowels = _deal(np.arange(len(_ONSETS)), rng), _deal(_VOWELS, rng)
    while start < n_frames - edge:
        length = 1 / voice.tempo * rng.lognormal(0, 0.15) / FRAME_SECONDS
        kind = next(onsets)
        voiced, _, strength, seconds = _ONSETS[kind]
        onset = round(min(seconds / FRAME_SECONDS, length / 2))
        end = min(start + max(round(length), onset + 3), n_frames - edge)
        voicing[start : start + onset] = voiced
        friction[kind, start : start + onset] = strength
        voicing[start + onset : end] = rng.uniform(0.75, 1.0)
        vowel = next(vowels) * rng.normal(1, 0.02, 3)
        formants[start + onset : end] = [*vowel, *_HIGH_FORMANTS]
        start = end + (round(rng.uniform(4, 12)) if rng.random() < _PAUSE_CHANCE else 0)
    known = np.flatnonzero(~np.isnan(formants[:, 0]))
    frames = np.arange(n_frames)
    glide = np.hanning(7)[1:-1] / np.hanning(7).sum()
    for column in formants.T:
        column[:] = np.interp(frames, known, column[known])
        column[:] = np.convolve(np.pad(column, 2, mode="edge"), glide, mode="valid")
    voicing[n_frames - edge :] = friction[:, n_frames - edge :] = 0
    return np.convolve(voicing, glide, mode="same"), friction, formants


def _deal(cards: Array, rng: np.random.Generator) -> Iterator[Any]:
    """Deal all cards in random order, again and again: no utterance has one vowel only."""
    while True:
        yield from rng.permutation(cards)


def _glottis(
    voice: Voice, n_frames: int, times: FloatArray, rate: int, rng: np.random.Generator
) -> FloatArray:
    """Give pulses with jitter and shimmer, dulled by the tilt, with breath in their open phase."""
    melody = lfilter([0.08], [1, -0.92], rng.standard_normal(n_frames + 60))[60:]
    melody = melody / 0.2 * voice.pitch_range - np.linspace(0, voice.pitch_range, n_frames)
    pitch = voice.pitch * 2 ** (np.interp(times, np.arange(n_frames), melody) / 12)
    cycles = np.floor(np.cumsum(pitch) / rate).astype(int)
    pitch = pitch * (1 + voice.jitter * rng.standard_normal(cycles[-1] + 1)[cycles])
    phase = np.cumsum(pitch) / rate
    cycles = np.floor(phase).astype(int)
    strength = 1 + voice.shimmer * rng.standard_normal(cycles.max() + 1)[np.maximum(cycles, 0)]
    opening = (phase - cycles) / voice.open_quotient
    pulses = np.where(opening < 1, 2 * opening - 3 * opening**2, 0.0) * strength
    pulses = lfilter([1 - voice.tilt], [1, -voice.tilt], pulses)
    breath = rng.standard_normal(len(times)) * np.where(opening < 1, 1.0, 0.3)
    return pulses / (_rms(pulses) or 1.0) + voice.breath * breath


def _resonators(
    frequencies: FloatArray | float, bandwidths: Array | float, rate: int
) -> tuple[FloatArray, FloatArray]:
    """Give numerators (..., 1) and denominators (..., 3) of resonators with unit gain at 0 Hz."""
    # Near half the rate a resonator would fold back.
    angles = 2 * np.pi * np.clip(frequencies, 50, 0.47 * rate) / rate
    radius = np.exp(-np.pi * bandwidths / rate) * np.ones_like(angles)
    denominators = np.stack([np.ones_like(angles), -2 * radius * np.cos(angles), radius**2], -1)
    return denominators.sum(axis=-1, keepdims=True), denominators


def _resonate(source: FloatArray, formants: FloatArray, rate: int) -> FloatArray:
    """Filter by five formants, (n_frames, 5), that change frame by frame."""
    step = round(FRAME_SECONDS * rate)
    gains, poles = _resonators(formants, _BANDWIDTHS, rate)
    result = source.copy()
    for formant in range(poles.shape[1]):
        state = np.zeros(2)
        for frame, begin in enumerate(range(0, len(source), step)):
            part = slice(begin, begin + step)
            row = min(frame, len(poles) - 1), formant
            result[part], state = lfilter(gains[row], poles[row], result[part], zi=state)
    return result


def _rms(signal: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(signal))))
