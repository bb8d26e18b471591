"""One take under several names, though not byte for byte: recordings compared by ear of a machine.

Candidates are neighbours, by the rhythm of their loudness and by their embeddings; what decides is
the cross-correlation of their waveforms.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft
from scipy.signal import butter, cheby2, sosfilt, sosfilt_zi
from scipy.signal.windows import hann
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from sfmforensics._utils.progress import progress
from sfmforensics.audio import SAMPLE_RATE, stream_heard
from sfmforensics.audio._hearing import USUAL, Hearing
from sfmforensics.datasets import find_copies
from sfmforensics.exceptions import AudioError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sfmforensics._types import (
        Array,
        BoolArray,
        Channel,
        Column,
        Float32Array,
        FloatArray,
        IntArray,
        Matrix,
        Truncated,
    )
    from sfmforensics._utils.recordings import Recording

SAME_TAKE = 0.95
"""Least correlation of two waveforms that are one take; see Notes of `near_copies`."""

COLUMNS = ["first", "second", "similarity", "correlation", "lag_ms"]

_SECONDS = 30
_LOWEST = 100  # Hz: above hum and rumble; the highest is what even a telephone or a codec keeps
_STEP = 4
_RATE = SAMPLE_RATE // _STEP
_ENVELOPE_RATE = 100
_RHYTHM_BINS = slice(1, 600, 2)  # 0.02 to 14.6 Hz
_RHYTHM_POINTS = 4096  # more than 30 s of envelope
# What is above half of the rate must go: it would come back below it, differently for a copy
# that begins one sample later.
_BAND_PASS = np.concatenate(
    [
        butter(4, _LOWEST, "highpass", fs=SAMPLE_RATE, output="sos"),
        cheby2(12, 60, _RATE / 2, fs=SAMPLE_RATE, output="sos"),
    ]
)
_BAND_START = sosfilt_zi(_BAND_PASS)
_KEPT_SIGNALS = 512
_SILENT = 1e-6  # of the energy of the loudest stretch

_LEAST_OVERLAP = 0.9
_WORTH_A_LOOK = 0.4
_PARTS = (0.0, -0.75, -0.5, -0.25, 0.25, 0.5, 0.75)  # of a sample: those of 16 kHz
_LEAST_SHARE = 1e-3
_PART_SECONDS = 0.064
_LEAST_PARTS = 3
_HOLDS_IN = 0.9
_PART_CORRELATION = 0.5

_TONE_WINDOW, _TONE_STEP = 512, 128  # 128 and 32 ms
_TONE_FRAMES = 5  # 256 ms
_TONE_SHARE = 0.98
_TONE_DRIFT = 0.1  # of a bin: 0.8 Hz
_TONE_SWELL = 0.05  # 0.5 dB
_LEAST = np.finfo(np.float32).tiny
_HANN = hann(_TONE_WINDOW, sym=False).astype(np.float32)


def near_copies(
    data: Sequence[Recording],
    X: Matrix | None = None,
    *,
    copies: Column | None = None,
    threshold: float = SAME_TAKE,
    neighbours: int = 5,
    seconds: float = _SECONDS,
    verbose: bool = False,
    channel: Channel = "auto",
    truncated: Truncated = "refuse",
) -> pd.DataFrame:
    """Find recordings that are one take, though not sample for sample.

    Parameters
    ----------
    data : list of length n_recordings
        Paths, or ``(signal, rate)`` pairs. What cannot be read is passed over.
    X : array-like of shape (n_recordings, n_features) or None, default=None
        Embeddings, which add candidates and evidence; a row that holds NaN is not used.
    copies : array-like of shape (n_recordings,) or None, default=None
        As `sfmforensics.datasets.find_copies` gives them, which is called without. Recordings with
        equal numbers are not listed again: only the first of them is compared.
    threshold : float, default=0.95
        Least correlation, in (0, 1).
    neighbours : int, default=5
        Candidates of each recording, by rhythm and by embedding each.
    seconds : float, default=30
        What is compared of each recording, from its start; at most 30.
    verbose : bool, default=False
        Show progress bars.
    channel : int or {"auto", "mix"}, default="auto"
        Which channel of a recording of several is heard, see `sfmforensics.audio.read_audio`.
    truncated : {"refuse", "use"}, default="refuse"
        What becomes of a file whose end is missing.

    Returns
    -------
    DataFrame of shape (n_pairs, 5)
        ``first``, ``second`` (positions in `data`), ``similarity`` (cosine of the standardised
        embeddings, NaN without), ``correlation`` (peak of the normalised cross-correlation) and
        ``lag_ms`` (where in the first the second begins; negative where it begins before). Sorted
        by correlation.

    Notes
    -----
    Candidates are nearest neighbours, so that no scale of an embedding enters. The rhythm of a
    recording is the magnitude spectrum of its loudness over time, which neither gain, coding,
    bandwidth nor a cut at the ends changes much; memory grows with ``n_recordings``, not its
    square. The correlation is that of the signals between 100 and 1800 Hz, either polarity, over
    the overlap of the two, which must hold 90 % of the energy of one.

    What holds no voice does not decide. A steady tone of 256 ms or more (a beep, a test tone, a
    dial tone) is taken out before; nothing is compared over silence; and since a correlation is
    that of the loudest stretch, it has to hold throughout: in nine tenths of the stretches of 64 ms
    in which one of the two stands out from its noise it is 0.5 or more. So two calls that begin
    with the same announcement are no copies, unless that is all that is heard of one of them. A
    recording in which nothing but tones is heard is not compared. A short noise, such as a loud
    click, in front of one of two copies may keep them from being found.

    Measured on BAVED: of 4,000 pairs, drawn from the 29,581 in which a speaker repeats a word, and
    are not exact copies, none is taken for a copy: their waveforms reach 0.83 at most, and agree
    throughout in none. Planted copies of 30 recordings among 60 have 0.99 or more where gain, noise
    at 15 dB, OGG, MP3, 8 kHz, a cut or pad of 0.2 s, or 2 s of silence or 1 s of tone in front
    tells them apart, and all are found; after clipping at 0.3 of the peak 26 are. Of 60 that begin
    1, 2, 3, 1,602 or 3,199 samples later, at half of the level, each has 0.999 or more. A change of
    tempo or pitch, and a filter that shifts phases within the band, are not seen through.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> one, two = rng.normal(size=(2, 16_000)) * np.hanning(16_000)
    >>> later = np.concatenate([np.zeros(800), 0.5 * one])
    >>> near_copies([(one, 16_000), (two, 16_000), (later, 16_000)]).round(2)
       first  second  similarity  correlation  lag_ms
    0      0       2         NaN          1.0   -50.0
    """
    hearing = Hearing(channel, truncated)
    settings = (copies, threshold, neighbours, seconds, verbose)
    return compared(data, X, [hearing] * len(data), *settings)[0]


def compared(
    data: Sequence[Recording],
    X: Matrix | None,
    hearings: Sequence[Hearing],
    copies: Column | None,
    threshold: float = SAME_TAKE,
    neighbours: int = 5,
    seconds: float = _SECONDS,
    verbose: bool = False,
) -> tuple[pd.DataFrame, BoolArray]:
    """Find near copies among recordings of which each is heard in a way of its own."""
    copies = find_copies(data, verbose=verbose) if copies is None else np.asarray(copies)
    firsts = np.unique(copies, return_index=True)[1]
    seconds = min(seconds, _SECONDS)
    rhythms, usable = [], []
    with progress("listening for near copies", len(firsts), verbose) as advance:
        for position in firsts:
            heard = _heard(data[position], seconds, hearings[position])
            if heard is not None:
                rhythms.append(_rhythm(heard))
                usable.append(position)
            advance(1)
    usable = np.asarray(usable, dtype=np.int64)
    pairs = _neighbours(np.asarray(rhythms, dtype=np.float32), usable, neighbours)
    Z = None
    if X is not None and len(usable):
        X = np.asarray(X, dtype=np.float32)
        embedded = usable[np.isfinite(X[usable]).all(axis=1)]
        if len(embedded):
            Z = np.full_like(X, np.nan)
            Z[embedded] = StandardScaler().fit_transform(X[embedded])
            pairs |= _neighbours(Z[embedded], embedded, neighbours)
    # Those of one recording follow each other, so that it is read once.
    listen: Any = lru_cache(_KEPT_SIGNALS)(
        lambda position: _heard(data[position], seconds, hearings[position])
    )
    rows = []
    with progress("comparing candidates", len(pairs), verbose) as advance:
        for one, other in sorted(pairs):
            correlation, lag = correlate(listen(one), listen(other), _RATE)
            if correlation >= threshold:
                rows.append((one, other, _cosine(Z, one, other), correlation, lag))
            advance(1)
    near = pd.DataFrame(rows, columns=COLUMNS).sort_values(
        ["correlation", "first", "second"], ascending=[False, True, True], ignore_index=True
    )
    return near, np.isin(copies, copies[usable])


def join_copies(copies: Column, near: pd.DataFrame) -> IntArray:
    """Give exact and near copies of one recording the same label.

    Parameters
    ----------
    copies : array-like of shape (n_recordings,)
        Labels of exact copies, as `sfmforensics.datasets.find_copies` gives them.
    near : DataFrame
        Pairs, as `near_copies` gives them.

    Returns
    -------
    ndarray of shape (n_recordings,), int64
        Labels 0, 1, ... in order of first appearance: groups that a splitter keeps together.

    Examples
    --------
    >>> near = pd.DataFrame({"first": [0, 2], "second": [2, 3]})
    >>> join_copies([0, 0, 1, 2, 3], near)
    array([0, 0, 0, 0, 1])
    """
    labels = pd.factorize(np.asarray(copies))[0]
    edges = labels[near["first"].to_numpy(int)], labels[near["second"].to_numpy(int)]
    n_labels = labels.max(initial=-1) + 1
    graph = coo_array((np.ones(len(near)), edges), shape=(n_labels, n_labels))
    return pd.factorize(connected_components(graph, directed=False)[1][labels])[0]


def correlate(one: Array, other: Array, rate: int) -> tuple[float, float]:
    """Give the peak of the normalised cross-correlation of two signals.

    Examples
    --------
    >>> signal = np.sin(np.arange(1000) ** 1.5)
    >>> correlation, lag = correlate(signal, -0.1 * signal[100:], 1000)
    >>> round(correlation, 3), lag
    (1.0, 100.0)
    """
    points = fft.next_fast_len(len(one) + len(other) - 1, real=True)
    spectrum = fft.rfft(other, points)
    cross = fft.rfft(one, points) * spectrum.conj()
    # Between samples as well: where a copy begins there, high sounds agree at neither of the two.
    products = 2 * fft.irfft(cross, 2 * points)
    lags = np.arange(1 - len(other), len(one))
    # Negative lags stand at the end.
    products = np.abs([products[2 * lags + half] for half in (-1, 0, 1)]).max(axis=0)
    start, stop = np.maximum(lags, 0), np.minimum(lags + len(other), len(one))
    energy_1, share_1 = _energy(one, start, stop)
    energy_2, share_2 = _energy(other, start - lags, stop - lags)
    enough = np.maximum(share_1, share_2) >= _LEAST_OVERLAP
    # Of what is softer the products are rounding, which a tiny norm would make a correlation.
    enough &= np.minimum(share_1, share_2) >= _LEAST_SHARE
    enough &= stop - start >= min(len(one), len(other)) / 2
    norms = np.sqrt(energy_1 * energy_2, where=enough, out=np.ones_like(energy_1))
    correlations = np.where(enough, np.minimum(products / norms, 1), 0)
    best = int(correlations.argmax())
    correlation, between = float(correlations[best]), 0.0
    if correlation >= _WORTH_A_LOOK:
        sharper, between = _between(cross, points, int(lags[best]))
        correlation = float(min(max(correlation, sharper / norms[best]), 1.0))
        other = fft.irfft(spectrum * _delay(points, between), points)[: len(other)]
    lag = float((lags[best] + between) / rate * 1000)
    parts = one[start[best] : stop[best]], other[start[best] - lags[best] : stop[best] - lags[best]]
    return (correlation if _throughout(*parts, rate) else 0.0), lag


def _between(cross: Array, points: int, lag: int) -> tuple[float, float]:
    """Give the peak between samples next to a lag, and how far from it, in samples."""
    both_sides = np.full(len(cross), 2.0)
    both_sides[0] = 1
    both_sides[-1] = 1 if points % 2 == 0 else 2
    there = both_sides * cross * _delay(points, -lag)
    heights = [abs((there * _delay(points, -part)).real.sum()) / points for part in _PARTS]
    best = int(np.argmax(heights))
    return float(heights[best]), _PARTS[best]


def _delay(points: int, samples: float) -> Array:
    """What a spectrum is multiplied with for a delay."""
    return np.exp(-2j * np.pi * np.arange(points // 2 + 1) * samples / points)


def _energy(signal: Array, start: IntArray, stop: IntArray) -> tuple[FloatArray, FloatArray]:
    """Energy between two samples, and its share of all."""
    total = np.concatenate([[0.0], np.cumsum(np.square(signal, dtype=float))])
    energy = total[stop] - total[start]
    return energy, energy / (total[-1] or 1.0)


def _throughout(one: Array, other: Array, rate: int) -> bool:
    """Whether two signals of one length correlate wherever one of them is active.

    A correlation over all is that of the loudest stretch: of two calls that begin with the same
    beep, or the same announcement, it is high though other people speak.
    """
    size = max(round(_PART_SECONDS * rate), 1)
    starts = np.arange(0, len(one), size)
    one, other = one.astype(float), other.astype(float)
    products = np.add.reduceat(one * other, starts)
    energies = [np.add.reduceat(np.square(signal), starts) for signal in (one, other)]
    norms = np.sqrt(energies[0] * energies[1])
    correlations = np.zeros(len(starts))
    np.divide(products * np.sign(products.sum()), norms, where=norms > 0, out=correlations)
    parts = [
        correlations[energy >= _activity(signal, size, energy)]
        for signal, energy in zip((one, other), energies, strict=True)
    ]
    # Of one of the two: noise, or a gate, leaves a copy fewer stretches that stand out.
    return any(
        len(part) >= _LEAST_PARTS and np.quantile(part, 1 - _HOLDS_IN) >= _PART_CORRELATION
        for part in parts
    )


def _activity(signal: FloatArray, size: int, energy: FloatArray) -> float:
    """The energy of a stretch of `size` samples that stands out from a recording's noise."""
    short = max(size // 4, 1)
    shorter = np.add.reduceat(np.square(signal), np.arange(0, len(signal), short))
    soft, loud = (
        np.quantile(values[values > values.max() * _SILENT], share) if values.any() else np.inf
        for values, share in ((shorter, 0.05), (energy, 0.9))
    )
    # Between words there is noise alone; where there is no pause, all but the softest is active.
    return float(min(2.5 * soft * size / short, loud / 4))


def _heard(recording: Recording, seconds: float, hearing: Hearing = USUAL) -> Float32Array | None:
    """The start of a recording, within the band, at 4 kHz; None where it cannot be used.

    Steady tones are taken out: by one of them nobody is told from anybody, and any two agree.
    """
    blocks, limit = [], int(seconds * SAMPLE_RATE)
    try:
        for block in stream_heard(recording, hearing):
            blocks.append(block)
            if sum(map(len, blocks)) >= limit:
                break
    except AudioError:
        return None
    signal = np.concatenate(blocks)[:limit]
    if not np.isfinite(signal).all():
        return None
    # As if what the recording begins with had always been there: a constant has no beginning.
    heard = sosfilt(_BAND_PASS, signal, zi=_BAND_START * signal[0])[0][::_STEP].astype(np.float32)
    heard[_in_tone(heard)] = 0
    return heard if np.square(heard, dtype=float).sum() > 0 else None


def _in_tone(heard: Float32Array) -> BoolArray:
    """Samples that lie in a steady tone, or in two at once: a beep, a test tone, a dial tone."""
    inside = np.zeros(len(heard), dtype=bool)
    if len(heard) < _TONE_WINDOW + (_TONE_FRAMES - 1) * _TONE_STEP:
        return inside
    frames = sliding_window_view(heard, _TONE_WINDOW)[::_TONE_STEP]
    power = np.square(np.abs(fft.rfft(frames * _HANN, axis=1)))
    total = power.sum(axis=1)
    rows = np.arange(len(power))[:, np.newaxis]
    of_lines, places = np.zeros(len(power)), []
    for _ in range(2):
        # What a window makes of a line lies within two bins of its peak.
        near = power.argmax(axis=1)[:, np.newaxis] + np.arange(-2, 3)
        near = np.clip(near, 0, power.shape[1] - 1)
        line = power[rows, near]
        of_lines += line.sum(axis=1)
        places.append((line * near).sum(axis=1) / np.maximum(line.sum(axis=1), _LEAST))
        power[rows, near] = 0
    pure, place, level = (
        sliding_window_view(values, _TONE_FRAMES)
        for values in (
            (of_lines >= _TONE_SHARE * total) & (total > 0),
            places[0],
            np.log10(np.maximum(total, _LEAST)),
        )
    )
    # No voice keeps its pitch and its level so still.
    steady = pure.all(axis=1) & (np.ptp(place, axis=1) <= _TONE_DRIFT)
    steady &= np.ptp(level, axis=1) <= _TONE_SWELL
    for frame in np.flatnonzero(steady) * _TONE_STEP:
        end = frame + (_TONE_FRAMES - 1) * _TONE_STEP + _TONE_WINDOW
        inside[max(frame - _TONE_WINDOW // 2, 0) : end + _TONE_WINDOW // 2] = True
    return inside


def _rhythm(heard: Float32Array) -> FloatArray:
    """The spectrum of the loudness over time, of length 1."""
    starts = np.arange(0, len(heard), _RATE // _ENVELOPE_RATE)
    loudness = np.sqrt(np.add.reduceat(np.square(heard, dtype=float), starts))
    # Its changes above the noise between words: neither silence at the ends nor a cut adds any. The
    # power keeps a click or a shout from being all that counts.
    noise = np.quantile(loudness[loudness > loudness.max() * np.sqrt(_SILENT)], 0.1)
    changes = np.diff(np.maximum(loudness - noise, 0) ** 0.7)
    # The root keeps some beats from being all that counts.
    rhythm = np.sqrt(np.abs(fft.rfft(changes, _RHYTHM_POINTS))[_RHYTHM_BINS])
    norm = np.linalg.norm(rhythm)
    return rhythm / norm if norm else rhythm


def _neighbours(features: Array, positions: IntArray, count: int) -> set[tuple[int, int]]:
    """Pairs of positions of which one is among the nearest of the other."""
    if len(positions) < 2:
        return set()
    search = NearestNeighbors(n_neighbors=min(count + 1, len(positions))).fit(features)
    near = positions[search.kneighbors(features, return_distance=False)]
    pairs = np.column_stack([np.repeat(positions, near.shape[1]), near.ravel()])
    pairs = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
    return set(map(tuple, pairs.tolist()))


def _cosine(Z: Array | None, one: int, other: int) -> float:
    if Z is None:
        return np.nan
    norms = np.linalg.norm(Z[one]) * np.linalg.norm(Z[other])
    return float(Z[one] @ Z[other] / norms) if norms else np.nan
