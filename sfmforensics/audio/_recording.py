"""A recording as embedders meet it: checked, identified, and held whole only if it is short."""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from sfmforensics._utils.names import describe_source
from sfmforensics.audio import SAMPLE_RATE, signal_hash, stream_heard
from sfmforensics.audio._hearing import USUAL
from sfmforensics.audio._survey import hear
from sfmforensics.exceptions import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sfmforensics._types import Signal
    from sfmforensics._utils.recordings import Recording
    from sfmforensics.audio._hearing import Hearing, Note

_GRID = 320
"""Samples between two frames of the coarsest model, 20 ms; pieces begin on this grid."""


class HeardRecording:
    """A recording that was read to its end and found usable.

    Examples
    --------
    >>> import numpy as np
    >>> tone = np.sin(np.arange(16_000 * 70))
    >>> recording = HeardRecording((tone, 16_000), min_samples=400, max_seconds=30)
    >>> [len(piece) / 16_000 for piece in recording.pieces()]
    [23.32, 23.34, 23.34]
    """

    def __init__(
        self,
        source: Recording,
        *,
        min_samples: int,
        max_seconds: float | None = None,
        hearing: Hearing = USUAL,
    ) -> None:
        self._source, self._min_samples, self._hearing = source, min_samples, hearing
        self.notes: list[Note] = []
        heard = hear(source, hearing)
        if heard is None:
            self.signal = self._listen(max_seconds)
        else:
            heard.statistics.check(source, min_samples)
            self.notes += heard.notes
            self._n_samples, self.digest = heard.statistics.samples_at_16_khz, heard.digest
        self.n_pieces = count_pieces(self._n_samples, max_seconds)

    def _listen(self, max_seconds: float | None) -> Signal | None:
        blocks: list[Signal] = []
        self._n_samples, digest = 0, sha256()
        for block in stream_heard(
            self._source, self._hearing, self.notes.append, min_samples=self._min_samples
        ):
            digest.update(block.astype("<f4", copy=False).data)
            self._n_samples += len(block)
            if count_pieces(self._n_samples, max_seconds) == 1:
                blocks.append(block)
            else:
                blocks.clear()
        self.digest = digest.hexdigest()
        return _joined(blocks) if blocks else None

    @cached_property
    def signal(self) -> Signal | None:
        """Read when asked for, where a survey told the digest: a cache may have its vector."""
        if self.n_pieces > 1:
            return None
        blocks = stream_heard(self._source, self._hearing, min_samples=self._min_samples)
        signal = _joined(list(blocks))
        self._refuse_changed(signal_hash(signal))
        return signal

    def pieces(self) -> Iterator[Signal]:
        """Give equal pieces, one after the other, each beginning where a frame does."""
        if self.signal is not None:
            yield self.signal
            return
        frames = ceil(self._n_samples / _GRID)
        edges = np.linspace(0, frames, self.n_pieces + 1).astype(int) * _GRID
        lengths = iter(np.diff(edges).tolist()[:-1])
        digest, waiting, length = sha256(), [], next(lengths)
        for block in stream_heard(self._source, self._hearing, min_samples=self._min_samples):
            digest.update(block.astype("<f4", copy=False).data)
            waiting.append(block)
            while length is not None and sum(map(len, waiting)) >= length:
                joined = _joined(waiting)
                yield joined[:length]
                waiting, length = [joined[length:]], next(lengths, None)
        self._refuse_changed(digest.hexdigest())
        yield _joined(waiting)

    def _refuse_changed(self, digest: str) -> None:
        if digest != self.digest:
            raise AudioError(
                describe_source(self._source),
                "it changed while it was read",
                "run again once nothing writes to it",
            )


def count_pieces(n_samples: int, max_seconds: float | None) -> int:
    """How many pieces a recording is cut into.

    Examples
    --------
    >>> count_pieces(480_000, 30.0), count_pieces(480_001, 30.0), count_pieces(480_001, None)
    (1, 2, 1)
    """
    longest = n_samples if max_seconds is None else int(max_seconds * SAMPLE_RATE)
    if n_samples <= longest:
        return 1
    return ceil(ceil(n_samples / _GRID) / (longest // _GRID))


def _joined(blocks: Sequence[Signal]) -> Signal:
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
