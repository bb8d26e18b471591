"""Pitch, voicing, energy and spectral shape: what phoneticians measure."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics.audio import SAMPLE_RATE
from sfmforensics.embedders._pitch import pyin
from sfmforensics.embedders.base import BaseEmbedder
from sfmforensics.exceptions import EmbedderError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from sfmforensics._types import Array, Channel, FloatArray, PathLike, Signal, Truncated

_HOP = 256
_WINDOW = 1024
_REFERENCE_HZ = 100.0
_SOFTEST = 1e-6  # -120 dB: below 24-bit sound
_QUANTITIES = ("rms_db", "zcr", "centroid", "bandwidth", "rolloff", "flatness_db")

FEATURE_NAMES = (
    *(f"f0_{s}" for s in ("mean", "std", "p5", "median", "p95", "slope", "step")),
    *("voiced_fraction", "voiced_probability", "voiced_per_second", "voiced_seconds"),
    *(f"{name}_{s}" for name in _QUANTITIES for s in ("mean", "std")),
    *("rms_db_p5", "rms_db_median", "rms_db_p95"),
    *(f"contrast_{band}" for band in range(7)),
    "seconds",
)
"""What each column holds, in order."""


class ProsodyEmbedder(BaseEmbedder):
    """Prosody and voice: 34 numbers a recording, none of them learnt.

    Parameters
    ----------
    fmin : float, default=60.0
        Lowest fundamental frequency searched, in Hz.
    fmax : float, default=500.0
        Highest fundamental frequency searched, in Hz.
    cache : path-like or None, default=None
        Folder that keeps the vectors.
    verbose : bool, default=False
        Show a progress bar.
    channel : int or {"auto", "mix"}, default="auto"
        Which channel of a recording of several is heard, see `sfmforensics.audio.read_audio`.
    truncated : {"refuse", "use"}, default="refuse"
        What becomes of a file whose end is missing.

    Notes
    -----
    The fundamental frequency is pYIN's, over voiced frames, in semitones above 100 Hz: mean,
    deviation, percentiles, slope (semitones a second) and mean step between neighbouring frames.
    Voicing: fraction of frames, mean probability, voiced stretches a second and their mean length
    in seconds. Level in dB re full scale (the root mean square of a frame's samples: a square wave
    of full scale is at 0 dB, a sine at -3.01) and zero crossings; centroid, bandwidth and roll-off
    in Hz, flatness in dB and spectral contrast in dB. Frames are 64 ms long and 16 ms apart;
    recordings over two minutes are measured in equal stretches of at most that. A recording
    without a voiced frame has 0 for its pitch, which its voiced fraction of 0 explains.

    References
    ----------
    .. [1] M. Mauch and S. Dixon, "pYIN: a fundamental frequency estimator using probabilistic
       threshold distributions", ICASSP 2014.

    Examples
    --------
    >>> import numpy as np
    >>> tone = np.sin(2 * np.pi * 200 * np.arange(16_000) / 16_000)
    >>> vector = ProsodyEmbedder().transform([(tone, 16_000)])[0]
    >>> round(float(vector[FEATURE_NAMES.index("f0_median")]))  # an octave above 100 Hz
    12
    >>> round(float(vector[FEATURE_NAMES.index("rms_db_mean")]), 2)  # a sine of full scale
    -3.01
    """

    _version = 3
    _piece_seconds = 120

    def __init__(
        self,
        *,
        fmin: float = 60.0,
        fmax: float = 500.0,
        cache: PathLike | None = None,
        verbose: bool = False,
        channel: Channel = "auto",
        truncated: Truncated = "refuse",
    ) -> None:
        self.fmin = fmin
        self.fmax = fmax
        self.cache = cache
        self.verbose = verbose
        self.channel = channel
        self.truncated = truncated

    def _identity(self) -> dict[str, Any]:
        return {"fmin": float(self.fmin), "fmax": float(self.fmax)}

    def _dimension(self) -> int:
        if not 20 <= self.fmin < self.fmax <= SAMPLE_RATE / 4:
            raise EmbedderError(
                f"fmin is {self.fmin!r} and fmax {self.fmax!r}; "
                f"use 20 <= fmin < fmax <= {SAMPLE_RATE // 4} Hz"
            )
        return len(FEATURE_NAMES)

    def _embed(self, signals: list[Signal]) -> Array:
        return np.array([self._embed_pieces([signal]) for signal in signals])

    def _embed_pieces(self, pieces: Iterable[Signal]) -> FloatArray:
        features, samples = [], 0
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="n_fft=.* is too large")
            for piece in pieces:
                samples += len(piece)
                level = _level(piece)
                if len(piece) < _WINDOW:
                    piece = np.pad(piece, (0, _WINDOW - len(piece)))
                features.append((_pitch(piece, self.fmin, self.fmax), *_spectrum(piece, level)))
        pitch, shape, contrast = (
            np.concatenate(parts, axis=1) for parts in zip(*features, strict=True)
        )
        seconds = samples / SAMPLE_RATE
        energy = shape[0]
        return np.concatenate(
            [
                _voice(pitch[0], pitch[1], pitch[2], seconds),
                np.ravel([(track.mean(), track.std()) for track in shape]),
                np.percentile(energy, [5, 50, 95]),
                contrast.mean(axis=1),
                [seconds],
            ]
        )


def _pitch(signal: Signal, fmin: float, fmax: float) -> FloatArray:
    """Compute tracks of fundamental frequency, voicing and its probability: (3, n_frames)."""
    return np.stack(pyin(signal, fmin, fmax, SAMPLE_RATE, _WINDOW, _HOP))


def _voice(f0: Array, voiced: Array, probability: Array, seconds: float) -> FloatArray:
    """Compute the first eleven features."""
    voiced = voiced.astype(bool)
    stretches = np.flatnonzero(np.diff(np.concatenate([[0], voiced.astype(int)])) == 1).size
    voicing = [
        voiced.mean(),
        probability.mean(),
        stretches / seconds,
        voiced.sum() * _HOP / SAMPLE_RATE / max(stretches, 1),
    ]
    if not voiced.any():
        return np.array([0.0] * 7 + voicing)
    semitones = 12 * np.log2(f0[voiced] / _REFERENCE_HZ)
    times = np.flatnonzero(voiced) * _HOP / SAMPLE_RATE
    neighbours = np.diff(times) < 1.5 * _HOP / SAMPLE_RATE
    steps = np.abs(np.diff(semitones))[neighbours]
    slope = np.polyfit(times - times.mean(), semitones, 1)[0] if len(times) > 2 else 0.0
    pitch = [
        semitones.mean(),
        semitones.std(),
        *np.percentile(semitones, [5, 50, 95]),
        slope,
        steps.mean() if steps.size else 0.0,
    ]
    return np.array(pitch + voicing)


def _level(signal: Signal) -> FloatArray:
    """Compute the level of each frame in dB re full scale, over those of its samples that exist."""
    squares = np.square(signal, dtype=float)
    if len(signal) < _WINDOW:  # it is padded, and is a part of every frame
        starts, stops = np.zeros(1 + _WINDOW // _HOP, int), np.array(len(signal))
    else:
        centres = np.arange(0, len(signal) + 1, _HOP)
        starts = np.maximum(centres - _WINDOW // 2, 0)
        stops = np.minimum(centres + _WINDOW // 2, len(signal))
    # Not a difference of two sums over all, which would lose what is soft after what is loud. A
    # limit of reduceat may not be the end, so that there is one zero more.
    limits = np.column_stack(np.broadcast_arrays(starts, stops)).ravel()
    sums = np.add.reduceat(np.append(squares, 0.0), limits)[::2]
    return 20 * np.log10(np.maximum(np.sqrt(sums / (stops - starts)), _SOFTEST))


def _spectrum(signal: Signal, level: FloatArray) -> tuple[Array, Array]:
    """Compute tracks of the six quantities, the level first, and of contrast by band."""
    import librosa

    spectrum = np.abs(librosa.stft(signal, n_fft=_WINDOW, hop_length=_HOP))
    of = {"S": spectrum, "sr": SAMPLE_RATE}
    tracks = [
        level,
        librosa.feature.zero_crossing_rate(signal, frame_length=_WINDOW, hop_length=_HOP)[0],
        librosa.feature.spectral_centroid(**of)[0],
        librosa.feature.spectral_bandwidth(**of)[0],
        librosa.feature.spectral_rolloff(**of)[0],
        10 * np.log10(librosa.feature.spectral_flatness(S=spectrum)[0]),
    ]
    return np.stack(tracks), librosa.feature.spectral_contrast(**of)
