"""Synthetic voices: a corpus with known labels, without data and without network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from io import BytesIO
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import soundfile
from scipy.signal import lfilter

from sfmforensics._utils.files import write_atomically
from sfmforensics._utils.outputs import check_outputs
from sfmforensics._utils.paths import user_path
from sfmforensics.datasets._base import label_column, make_bunch
from sfmforensics.exceptions import DatasetError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Any

    from sklearn.utils import Bunch

    from sfmforensics._types import Array, Float32Array, FloatArray, PathLike


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


_GENDERS = ("female", "male")
_AGES = (18.0, 78.0)
_LEVEL = 0.05


@dataclass(frozen=True)
class _Mood:
    """What an emotion does to a voice: factors; the level in dB, the tilt as a difference."""

    pitch: float = 1.0
    pitch_range: float = 1.0
    tempo: float = 1.0
    level: float = 0.0
    tilt: float = 0.0
    breath: float = 1.0
    jitter: float = 1.0
    tract: float = 1.0


_MOODS = {
    "anger": _Mood(1.2, 1.6, 1.2, 6.5, -0.15, 0.7, 1.6, 0.99),
    "boredom": _Mood(0.92, 0.4, 0.8, -2.5, 0.02, 1.1, 1.0, 1.0),
    "disgust": _Mood(0.95, 1.1, 0.85, 0.5, -0.03, 1.5, 1.8, 0.96),
    "fear": _Mood(1.4, 0.8, 1.25, 0.0, -0.03, 2.2, 2.0, 1.01),
    "happiness": _Mood(1.35, 1.8, 1.08, 3.0, -0.05, 0.8, 0.9, 1.06),
    "neutral": _Mood(),
    "sadness": _Mood(0.88, 0.5, 0.72, -6.0, 0.045, 2.4, 1.3, 0.97),
}


@dataclass(frozen=True)
class _Speaker:
    name: str
    gender: str
    age: float
    voice: Voice


def make_speech_corpus(
    n_speakers: int = 12,
    n_recordings: int = 10,
    *,
    emotions: Sequence[str] = ("anger", "happiness", "neutral", "sadness"),
    duration: float = 1.5,
    rate: int = 16_000,
    noise: float = 0.05,
    random_state: int | np.random.Generator | np.random.RandomState | None = 0,
    output: PathLike | None = None,
    overwrite: bool = False,
) -> Bunch:
    """Make a corpus of synthetic voices from which all four tasks can be learnt.

    Parameters
    ----------
    n_speakers : int, default=12
        Speakers, women and men in turn.
    n_recordings : int, default=10
        Recordings of each speaker.
    emotions : sequence of str, default=("anger", "happiness", "neutral", "sadness")
        Some of "anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness".
    duration : float, default=1.5
        Mean length of a recording in s, 0.3 or more; the lengths lie within 15 % of it.
    rate : int, default=16000
        Samples a second, 8000 or more.
    noise : float, default=0.05
        Root mean square of the background noise, relative to that of the voice.
    random_state : int, numpy.random.Generator, RandomState or None, default=0
        An int gives the same corpus every time.
    output : path-like or None, default=None
        Folder to write wav files (16 bits) to, in one folder a speaker. None keeps the
        recordings in memory.
    overwrite : bool, default=False
        Whether files of these names may be replaced that hold something else.

    Returns
    -------
    sklearn.utils.Bunch
        data : list of length n_speakers * n_recordings
            Pairs of a float32 signal and `rate`; with `output` the absolute paths.
        target : DataFrame of shape (n_speakers * n_recordings, 4)
            ``speaker`` ("s01", ...), ``emotion``, ``gender`` ("female", "male") and ``age``
            (float, years).
        groups : ndarray of shape (n_speakers * n_recordings,)
            The speaker of each recording.
        details : DataFrame of shape (n_speakers * n_recordings, 1)
            ``seconds``, the length of each recording.
        DESCR : str
            What the corpus is.

    Raises
    ------
    DatasetError
        A parameter is out of range, an emotion is unknown, or `output` cannot be written to.
    OutputError
        A file would be replaced that holds something else.

    Notes
    -----
    A glottal source with jitter, shimmer, tilt and breath passes five formants that move through
    random syllables of vowels and bursts of noise, with pauses. Pitch, formants and voice quality
    are the speaker's; they are drawn from distributions that depend on gender and age and overlap.
    Emotion changes pitch and its range, tempo, level, tilt and breath, and every recording varies.
    The effects are plausible, not measured: the corpus shows that a system runs and learns, not
    how well it would do on human voices.

    Each speaker has every emotion as often as the others, up to one recording.

    Examples
    --------
    >>> corpus = make_speech_corpus(2, 2, duration=0.5)
    >>> corpus.target[["speaker", "emotion", "gender"]]
      speaker    emotion  gender
    0     s01      anger  female
    1     s01  happiness  female
    2     s02      anger    male
    3     s02  happiness    male
    >>> signal, rate = corpus.data[0]
    >>> signal.dtype, rate
    (dtype('float32'), 16000)
    """
    emotions = list(emotions)
    _check(n_speakers, n_recordings, emotions, duration, rate, noise)
    rng = _generator(random_state)
    width = max(2, len(str(n_speakers)))
    speakers = [_draw_speaker(i, f"s{i + 1:0{width}d}", rng) for i in range(n_speakers)]
    recordings, rows = [], []
    for i, speaker in enumerate(speakers):
        for j in range(n_recordings):
            # A woman and a man start alike, or the emotions left over would tell the gender.
            emotion = emotions[(i // 2 * n_recordings + j) % len(emotions)]
            voice = _perform(speaker.voice, _MOODS[emotion], rng)
            seconds = duration * rng.uniform(0.85, 1.15)
            recordings.append((speak(voice, seconds, rate, noise, rng), rate))
            rows.append((speaker.name, emotion, speaker.gender, speaker.age))
    labels = list(zip(*rows, strict=True))
    target = pd.DataFrame(
        {
            "speaker": label_column(labels[0]),
            "emotion": label_column(labels[1]),
            "gender": label_column(labels[2]),
            "age": pd.Series(labels[3], dtype=float),
        }
    )
    details = pd.DataFrame({"seconds": [len(signal) / rate for signal, _ in recordings]})
    descr = (
        f"{len(recordings)} synthetic recordings of {n_speakers} voices with {len(emotions)} "
        f"emotions, made by sfmforensics.datasets.make_speech_corpus; no human voice."
    )
    data = (
        recordings
        if output is None
        else _write(recordings, target, n_recordings, output, overwrite)
    )
    return make_bunch(data, target, details=details, descr=descr)


def _generator(
    random_state: int | np.random.Generator | np.random.RandomState | None,
) -> np.random.Generator:
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31, size=4))
    return np.random.default_rng(random_state)


def _draw_speaker(position: int, name: str, rng: np.random.Generator) -> _Speaker:
    gender = _GENDERS[position % 2]
    age = round(rng.uniform(*_AGES), 1)
    years = (age - np.mean(_AGES)) / np.ptp(_AGES)  # -0.5 to 0.5
    female = gender == "female"
    # With age women's voices fall, men's rise, and all become slower, rougher and breathier.
    pitch = (195 if female else 122) * np.exp(rng.normal((-0.2 if female else 0.15) * years, 0.11))
    tract = (1.14 if female else 1.0) * rng.normal(1, 0.04) * rng.normal(1, 0.085, 5)
    voice = Voice(
        pitch=pitch,
        pitch_range=rng.uniform(1.3, 2.4),
        tract=tract,
        tempo=rng.normal(5.0, 0.5) * np.exp(-0.5 * years),
        tilt=np.clip(rng.normal(0.9 + 0.02 * female + 0.06 * years, 0.04), 0.75, 0.97),
        breath=0.12 * np.exp(rng.normal(2.5 * years + 0.2 * female, 0.3)),
        jitter=0.012 * np.exp(rng.normal(2.0 * years, 0.25)),
        shimmer=0.05 * np.exp(rng.normal(2.0 * years, 0.25)),
        open_quotient=np.clip(rng.normal(0.6 + 0.06 * female, 0.06), 0.4, 0.85),
        level=_LEVEL * 10 ** (rng.normal(0, 1.0) / 20),
    )
    return _Speaker(name, gender, age, voice)


def _perform(voice: Voice, mood: _Mood, rng: np.random.Generator) -> Voice:
    """Speak with an emotion, and never twice alike."""
    # Nobody shows an emotion equally strongly every time.
    strength = rng.uniform(0.75, 1.25)

    def felt(factor: float, spread: float) -> float:
        return factor**strength * np.exp(rng.normal(0, spread))

    return Voice(
        pitch=voice.pitch * felt(mood.pitch, 0.05),
        pitch_range=voice.pitch_range * felt(mood.pitch_range, 0.2),
        tract=voice.tract * felt(mood.tract, 0.006),
        tempo=voice.tempo * felt(mood.tempo, 0.08),
        tilt=float(np.clip(voice.tilt + mood.tilt * strength + rng.normal(0, 0.006), 0.5, 0.985)),
        breath=voice.breath * felt(mood.breath, 0.15),
        jitter=voice.jitter * felt(mood.jitter, 0.2),
        shimmer=voice.shimmer * felt(mood.jitter, 0.2),
        open_quotient=float(np.clip(voice.open_quotient + rng.normal(0, 0.03), 0.35, 0.9)),
        level=voice.level * 10 ** ((mood.level * strength + rng.normal(0, 0.8)) / 20),
    )


def _write(
    recordings: Sequence[tuple[Float32Array, int]],
    target: pd.DataFrame,
    n_recordings: int,
    output: PathLike,
    overwrite: bool,
) -> list[str]:
    root = user_path(output).absolute()
    width = max(2, len(str(n_recordings - 1)))
    sounds: dict[Path, bytes] = {}
    if root.exists() and not root.is_dir():
        raise DatasetError(f"{root}: cannot be written to (it is a file); choose another folder")
    try:
        for position, (signal, rate) in enumerate(recordings):
            speaker, emotion = map(str, target.loc[position, ["speaker", "emotion"]])
            path = root / speaker / f"{speaker}-{position % n_recordings:0{width}d}-{emotion}.wav"
            sound = BytesIO()
            soundfile.write(sound, signal, rate, format="WAV", subtype="PCM_16")
            sounds[path] = sound.getvalue()
        same = {path: partial(_holds, sound) for path, sound in sounds.items()}
        check_outputs({"output": same}, overwrite=overwrite)
        for path, sound in sounds.items():
            write_atomically(path, sound, durable=False)
    except (OSError, soundfile.SoundFileError) as error:
        if isinstance(error, OutputError) and error.errno is None:
            raise
        raise DatasetError(
            f"{root}: cannot be written to ({error}); choose another folder"
        ) from error
    return list(map(str, sounds))


def _holds(sound: bytes, path: Path) -> bool:
    return path.read_bytes() == sound


def _check(
    n_speakers: int,
    n_recordings: int,
    emotions: Sequence[str],
    duration: float,
    rate: int,
    noise: float,
) -> None:
    unknown = [emotion for emotion in emotions if emotion not in _MOODS]
    if unknown or not emotions or len(set(emotions)) < len(emotions):
        raise DatasetError(
            f"emotions={emotions}: choose one or more of {', '.join(_MOODS)}, each once"
        )
    bounds: dict[str, tuple[Any, Any, float]] = {
        "n_speakers": (n_speakers, Integral, 1),
        "n_recordings": (n_recordings, Integral, 1),
        "duration": (duration, Real, 0.3),
        "rate": (rate, Integral, 8000),
        "noise": (noise, Real, 0),
    }
    for name, (value, kind, least) in bounds.items():
        if not isinstance(value, kind) or not least <= value < np.inf:
            what = "an integer" if kind is Integral else "a number"
            raise DatasetError(f"{name}={value!r}: expected {what} of at least {least}")
