from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfmforensics.datasets.synthetic import Voice, speak

VOICE = Voice(
    pitch=120.0,
    pitch_range=0.5,
    tract=np.ones(5),
    tempo=5.0,
    tilt=0.9,
    breath=0.02,
    jitter=0.002,
    shimmer=0.01,
    open_quotient=0.6,
    level=0.05,
)


def say(duration=1.0, rate=16_000, noise=0.0, seed=0, **changed):
    return speak(replace(VOICE, **changed), duration, rate, noise, np.random.default_rng(seed))


def centroid(signal):
    power = np.abs(np.fft.rfft(signal)) ** 2
    return np.sum(power * np.fft.rfftfreq(len(signal), 1 / 16_000)) / np.sum(power)


@pytest.mark.parametrize("pitch", [100.0, 140.0, 210.0])
def test_pitch_is_that_of_the_voice(pitch):
    signal = say(pitch=pitch, duration=2.0)
    spectrum = np.abs(np.fft.rfft(signal)) ** 2
    correlation = np.fft.irfft(spectrum)
    lags = np.arange(16_000 // 300, 16_000 // 70)
    found = 16_000 / lags[np.argmax(correlation[lags])]
    assert found == pytest.approx(pitch, rel=0.08)


def test_a_shorter_tract_and_less_tilt_brighten_the_voice():
    seeds = range(4)
    plain = np.mean([centroid(say(seed=seed)) for seed in seeds])
    assert np.mean([centroid(say(seed=seed, tract=np.full(5, 1.2))) for seed in seeds]) > plain
    assert np.mean([centroid(say(seed=seed, tilt=0.6)) for seed in seeds]) > plain


def test_level_is_the_root_mean_square():
    for level in (0.01, 0.05):
        assert np.sqrt(np.mean(say(level=level) ** 2)) == pytest.approx(level, rel=1e-3)


def test_noise_fills_the_silence_before_the_first_syllable():
    quiet, noisy = say(noise=0.0)[:400], say(noise=0.2)[:400]
    assert np.abs(noisy).mean() > 5 * np.abs(quiet).mean()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    duration=st.floats(0.25, 0.8),
    rate=st.sampled_from([8_000, 11_025, 16_000, 44_100]),
    pitch=st.floats(60, 500),
    tempo=st.floats(1, 12),
    tract=st.floats(0.7, 1.6),
    level=st.floats(0.001, 1.0),
    jitter=st.floats(0, 0.2),
)
def test_signals_are_finite_bounded_and_of_the_length_asked_for(seed, duration, rate, **voice):
    voice["tract"] = np.full(5, voice["tract"])
    signal = say(duration, rate, 0.05, seed, **voice)
    assert signal.shape == (round(duration * rate),)
    assert signal.dtype == np.float32
    assert np.isfinite(signal).all()
    assert 0 < np.abs(signal).max() <= 1
