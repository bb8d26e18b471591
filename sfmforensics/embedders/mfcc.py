"""Mel-frequency cepstral coefficients, the paper's hand-made view."""

from __future__ import annotations

import warnings
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import ThreadpoolController

from sfmforensics.audio import SAMPLE_RATE
from sfmforensics.embedders.base import BaseEmbedder
from sfmforensics.exceptions import EmbedderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import Any

    from sfmforensics._types import Array, Channel, PathLike, Signal, Truncated

STATISTICS: dict[str, Callable[[Array], Array]] = {
    "mean": lambda frames: frames.mean(axis=1),
    "std": lambda frames: frames.std(axis=1),
    "min": lambda frames: frames.min(axis=1),
    "max": lambda frames: frames.max(axis=1),
    "median": lambda frames: np.median(frames, axis=1),
    "p10": lambda frames: np.percentile(frames, 10, axis=1),
    "p90": lambda frames: np.percentile(frames, 90, axis=1),
}
"""Statistics over frames by name: (n_features, n_frames) -> (n_features,)."""


class MFCCEmbedder(BaseEmbedder):
    """Statistics of mel-frequency cepstral coefficients over a recording.

    Parameters
    ----------
    n_mfcc : int, default=40
        Coefficients, the zeroth (energy) among them.
    statistics : sequence of str, default=("mean",)
        Statistics over the frames, side by side: "mean" (the paper's), "std", "min", "max",
        "median", "p10", "p90". Each adds `n_mfcc` columns.
    n_fft : int, default=2048
        Window in samples at 16 kHz (128 ms).
    hop_length : int, default=512
        Hop in samples at 16 kHz (32 ms).
    cache : path-like or None, default=None
        Folder that keeps the vectors.
    verbose : bool, default=False
        Show a progress bar.
    channel : int or {"auto", "mix"}, default="auto"
        Which channel of a recording of several is heard, see `sfmforensics.audio.read_audio`.
    truncated : {"refuse", "use"}, default="refuse"
        What becomes of a file whose end is missing.

    Raises
    ------
    EmbedderError
        A statistic is unknown, or a number is out of range.

    Notes
    -----
    The coefficients are librosa's (type-II cosine transform of 128 log mel bands). The paper gives
    neither the number of coefficients nor the window; these are librosa's window and the number
    that design trials used.

    References
    ----------
    .. [1] The paper, section 5: MFCC as a view.

    Examples
    --------
    >>> import numpy as np
    >>> tone = np.sin(2 * np.pi * 220 * np.arange(16_000) / 16_000)
    >>> MFCCEmbedder(statistics=("mean", "std")).transform([(tone, 16_000)]).shape
    (1, 80)
    """

    _version = 1
    _piece_seconds = 120

    def __init__(
        self,
        n_mfcc: int = 40,
        *,
        statistics: Sequence[str] = ("mean",),
        n_fft: int = 2048,
        hop_length: int = 512,
        cache: PathLike | None = None,
        verbose: bool = False,
        channel: Channel = "auto",
        truncated: Truncated = "refuse",
    ) -> None:
        self.n_mfcc = n_mfcc
        self.statistics = statistics
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.cache = cache
        self.verbose = verbose
        self.channel = channel
        self.truncated = truncated

    def _identity(self) -> dict[str, Any]:
        return {
            "n_mfcc": int(self.n_mfcc),
            "statistics": list(self.statistics),
            "n_fft": int(self.n_fft),
            "hop_length": int(self.hop_length),
        }

    def _dimension(self) -> int:
        unknown = [s for s in self.statistics if s not in STATISTICS]
        if unknown or isinstance(self.statistics, str) or not self.statistics:
            raise EmbedderError(
                f"statistics is {self.statistics!r}; use a sequence of {', '.join(STATISTICS)}"
            )
        if not 1 <= self.n_mfcc <= 128:
            raise EmbedderError(f"n_mfcc is {self.n_mfcc!r}; use 1 to 128")
        if self.n_fft < 64 or self.hop_length < 1:
            raise EmbedderError(
                f"n_fft is {self.n_fft!r} and hop_length {self.hop_length!r}; use at least 64 and 1"
            )
        return self.n_mfcc * len(self.statistics)

    def _embed(self, signals: list[Signal]) -> Array:
        return np.stack([self._one(signal) for signal in signals])

    def _one(self, signal: Signal) -> Array:
        import librosa

        with _one_blas_thread(), warnings.catch_warnings():
            # A recording shorter than the window is padded; the warning tells users nothing.
            warnings.filterwarnings("ignore", message="n_fft=.* is too large")
            frames = librosa.feature.mfcc(
                y=signal,
                sr=SAMPLE_RATE,
                n_mfcc=self.n_mfcc,
                n_fft=self.n_fft,
                hop_length=self.hop_length,
            )
        return self._summarised(frames)

    def _embed_pieces(self, pieces: Iterable[Signal]) -> Array:
        """What `_one` gives, with no spectrogram of it all: 80 dB below its loudest is silence."""
        import librosa

        with _one_blas_thread():
            decibels = [librosa.power_to_db(mel, top_db=None) for mel in self._mel(pieces)]
        floor = max(part.max() for part in decibels) - 80.0
        frames = [
            librosa.feature.mfcc(S=np.maximum(part, floor), n_mfcc=self.n_mfcc) for part in decibels
        ]
        return self._summarised(np.concatenate(frames, axis=1))

    def _mel(self, pieces: Iterable[Signal]) -> Iterator[Array]:
        """Mel power spectrograms whose frames are those of the whole signal, piece by piece."""
        import librosa

        edge = np.zeros(self.n_fft // 2, dtype=np.float32)
        samples, skipped = edge, 0
        for piece in chain(pieces, [edge]):
            samples = np.concatenate([samples, piece[skipped:]])
            skipped = max(0, skipped - len(piece))
            n_frames = 1 + (len(samples) - self.n_fft) // self.hop_length
            if n_frames < 1:
                continue
            yield librosa.feature.melspectrogram(
                y=samples[: (n_frames - 1) * self.hop_length + self.n_fft],
                sr=SAMPLE_RATE,
                n_fft=self.n_fft,
                hop_length=self.hop_length,
                center=False,
            )
            used = n_frames * self.hop_length
            skipped += max(0, used - len(samples))
            samples = samples[used:]

    def _summarised(self, frames: Array) -> Array:
        return np.concatenate([STATISTICS[name](frames) for name in self.statistics])


def _one_blas_thread() -> AbstractContextManager[object]:
    """Two threads sum in another order: a vector must not depend on the number of cores."""
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looking for the libraries takes longer than a recording
