"""How a file becomes a mono float32 16 kHz signal, and what is refused."""

from sfmforensics._utils.recordings import Segment
from sfmforensics.audio._reading import (
    LOUDEST,
    MIN_SAMPLES,
    REMEDY_OF_CHANNELS,
    SAMPLE_RATE,
    SOFTEST,
    read_audio,
    signal_hash,
    stream_audio,
)
from sfmforensics.audio._survey import audio_info, heard_of, stream_heard

__all__ = [
    "LOUDEST",
    "MIN_SAMPLES",
    "REMEDY_OF_CHANNELS",
    "SAMPLE_RATE",
    "SOFTEST",
    "Segment",
    "audio_info",
    "heard_of",
    "read_audio",
    "signal_hash",
    "stream_audio",
    "stream_heard",
]
