"""Pitch is librosa's pYIN, to the last bin, on whatever sounds or does not."""

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfmforensics.audio import read_audio
from sfmforensics.embedders._pitch import pyin

RATE, WINDOW, HOP = 16_000, 1024, 256

pytestmark = pytest.mark.skipif(
    tuple(map(int, librosa.__version__.split(".")[:2])) < (0, 11),
    reason="pYIN of librosa before 0.11 hears half of each frame",
)


def by_librosa(signal, fmin, fmax):
    return librosa.pyin(
        signal,
        fmin=fmin,
        fmax=fmax,
        sr=RATE,
        frame_length=WINDOW,
        hop_length=HOP,
        resolution=0.2,
        n_thresholds=20,
    )


def compare(signal, fmin=60.0, fmax=500.0):
    signal = np.asarray(signal, dtype=np.float32)
    f0, voiced, probability = pyin(signal, fmin, fmax, RATE, WINDOW, HOP)
    theirs = by_librosa(signal, fmin, fmax)
    np.testing.assert_array_equal(voiced, theirs[1])
    np.testing.assert_allclose(f0, theirs[0], rtol=1e-12)
    np.testing.assert_allclose(probability, theirs[2], atol=1e-12)


def voice(seed, seconds=1.5):
    """A gliding sound of ten partials, with a pause and noise."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    f0 = 120 * 2 ** (np.cumsum(rng.normal(size=n)) / 3000) * rng.uniform(0.7, 2)
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    sound = sum(np.sin(k * phase) / k for k in range(1, 11))
    sound[n // 3 : n // 2] = 0
    return sound / 10 + rng.normal(scale=rng.choice([0, 1e-4, 0.01, 0.1]), size=n)


@pytest.mark.parametrize("seed", range(12))
def test_voices(seed):
    compare(voice(seed))


@pytest.mark.parametrize(("fmin", "fmax"), [(50, 400), (75, 300), (60, 4000), (150, 500)])
def test_any_range(fmin, fmax):
    compare(voice(3), fmin, fmax)


@pytest.mark.parametrize(
    "signal",
    [
        np.zeros(3000),
        np.ones(5000),
        np.arange(9000) % 160 == 0,
        np.sin(np.cumsum(np.linspace(0.02, 0.2, 32_000))),
        np.random.default_rng(0).normal(size=16_000),
        np.eye(1, 1024, 500)[0],
        np.sign(np.sin(np.arange(8000) / 10)),
    ],
)
def test_what_is_no_voice(signal):
    compare(signal)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1024, 12_000), st.floats(1e-6, 1))
def test_any_sound(seed, n, level):
    rng = np.random.default_rng(seed)
    sound = np.convolve(rng.normal(size=n), rng.normal(size=rng.integers(1, 200)), "same")
    compare(sound / np.abs(sound).max() * level)


def test_real_voices(shared):
    paths = sorted((shared / "data").rglob("*.wav"))
    for path in paths[:: len(paths) // 25]:
        compare(read_audio(path).ravel()[: 20 * RATE])


def test_a_range_of_a_few_bins_is_one_too():
    tone = np.sin(2 * np.pi * 145 * np.arange(RATE) / RATE)
    f0, voiced, _ = pyin(tone.astype(np.float32), 140.0, 150.0, RATE, WINDOW, HOP)
    assert voiced.any()
    assert ((f0[voiced] >= 140) & (f0[voiced] <= 150)).all()
