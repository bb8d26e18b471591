import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfmforensics.embedders import ProsodyEmbedder
from sfmforensics.embedders.prosody import FEATURE_NAMES
from sfmforensics.exceptions import EmbedderError

RATE = 16_000


def measure(signal, **options):
    """Features by name."""
    vector = ProsodyEmbedder(**options).transform([(signal, RATE)])[0]
    return dict(zip(FEATURE_NAMES, vector.astype(float), strict=True))


def pulses(hertz, seconds=1.0):
    """A buzz with harmonics, as vocal folds make it; `hertz` may change over time."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hertz, int(seconds * RATE))) / RATE
    return 0.1 * sum(np.sin(k * phase) / k for k in range(1, 10))


@pytest.mark.parametrize("hertz", [90, 150, 240])
def test_pitch_is_measured_in_semitones_above_100_hz(hertz):
    features = measure(pulses(hertz))
    expected = 12 * np.log2(hertz / 100)
    assert features["f0_median"] == pytest.approx(expected, abs=0.3)
    assert features["f0_mean"] == pytest.approx(expected, abs=0.3)
    assert features["f0_std"] < 0.3
    assert features["voiced_fraction"] > 0.9


def test_a_rising_voice_has_a_positive_slope():
    octave = 100 * 2 ** np.linspace(0, 1, RATE)
    assert measure(pulses(octave))["f0_slope"] == pytest.approx(12, abs=1.5)
    assert measure(pulses(octave[::-1]))["f0_slope"] == pytest.approx(-12, abs=1.5)


def test_voiced_stretches_are_counted():
    silence = 1e-4 * np.random.default_rng(0).normal(size=RATE // 4)
    buzz = pulses(150, 0.25)
    features = measure(np.concatenate([buzz, silence, buzz, silence]))
    assert features["voiced_per_second"] == pytest.approx(2, abs=0.1)
    assert features["voiced_seconds"] == pytest.approx(0.25, abs=0.08)
    assert features["voiced_fraction"] == pytest.approx(0.5, abs=0.15)


def test_loudness_shifts_energy_and_nothing_about_pitch():
    loud, soft = measure(pulses(150)), measure(pulses(150) * 0.1)
    assert loud["rms_db_mean"] - soft["rms_db_mean"] == pytest.approx(20, abs=0.1)
    for name in ("f0_mean", "voiced_fraction", "zcr_mean", "centroid_mean", "seconds"):
        assert loud[name] == pytest.approx(soft[name], rel=1e-3)


def level_of(signal):
    """By its definition: root mean square, in dB re full scale."""
    return 10 * np.log10(np.mean(np.square(signal, dtype=float)))


@settings(max_examples=25)
@given(
    decibels=st.floats(-80, 0),
    hertz=st.floats(100, 7_000),
    seconds=st.floats(0.03, 2.0),
    kind=st.sampled_from(["sine", "noise", "square"]),
)
def test_the_level_is_the_root_mean_square_of_the_samples(decibels, hertz, seconds, kind):
    times = np.arange(int(seconds * RATE)) / RATE
    signal = {
        "sine": np.sin(2 * np.pi * hertz * times),
        "square": np.sign(np.sin(2 * np.pi * hertz * times) + 1e-9),
        "noise": np.random.default_rng(0).uniform(-1, 1, len(times)),
    }[kind] * 10 ** (decibels / 20)
    features = measure(signal)
    # Frames of noise differ; those at the ends hold a part of a period more or less.
    tolerance = {"sine": 0.15, "square": 0.03, "noise": 0.3}[kind]
    for name in ("rms_db_mean", "rms_db_median"):
        assert features[name] == pytest.approx(level_of(signal), abs=tolerance)


def test_levels_of_a_sine_and_of_white_noise_are_those_that_others_measure():
    sine = 0.5 * np.sin(2 * np.pi * 1_000 * np.arange(10 * RATE) / RATE)
    assert measure(sine)["rms_db_mean"] == pytest.approx(-9.03, abs=0.01)
    noise = 0.0997 * np.random.default_rng(0).normal(size=10 * RATE)
    assert measure(noise)["rms_db_mean"] == pytest.approx(-20.03, abs=0.03)


def test_what_is_soft_after_what_is_loud_keeps_its_level():
    soft = 10 ** (-90 / 20) * np.sign(pulses(100, 2))
    features = measure(np.concatenate([np.sign(pulses(100, 2)), soft]))
    assert features["rms_db_p95"] == pytest.approx(0, abs=0.01)
    assert features["rms_db_p5"] == pytest.approx(-90, abs=0.3)


def test_the_spectrum_is_described_in_hz():
    low, high = (0.1 * np.sin(2 * np.pi * f * np.arange(RATE) / RATE) for f in (300, 3_000))
    assert measure(low)["centroid_mean"] == pytest.approx(300, rel=0.2)
    assert measure(high)["centroid_mean"] == pytest.approx(3_000, rel=0.05)
    noise = 0.1 * np.random.default_rng(0).normal(size=RATE)
    assert measure(noise)["flatness_db_mean"] > measure(high)["flatness_db_mean"] + 10


def test_duration_is_a_feature():
    assert measure(pulses(150, 0.6))["seconds"] == pytest.approx(0.6)


def test_pieces_give_nearly_what_the_whole_gives(voice, monkeypatch):
    signal = voice(5.0, pitch=150.0)
    whole = measure(signal)
    monkeypatch.setattr(ProsodyEmbedder, "_piece_seconds", 2)
    monkeypatch.setattr(ProsodyEmbedder, "_embed", lambda *_: pytest.fail("embedded whole"))
    in_pieces = measure(signal)
    assert in_pieces["seconds"] == whole["seconds"] == 5.0
    assert in_pieces["f0_median"] == pytest.approx(whole["f0_median"], abs=0.1)
    for name in ("f0_mean", "f0_p5", "f0_p95"):
        assert in_pieces[name] == pytest.approx(whole[name], abs=0.2)
    for name in ("rms_db_mean", "rms_db_median", "flatness_db_mean", "contrast_3"):
        assert in_pieces[name] == pytest.approx(whole[name], abs=0.5)
    for name in ("zcr_mean", "centroid_mean", "bandwidth_mean", "rolloff_mean"):
        assert in_pieces[name] == pytest.approx(whole[name], rel=0.03)
    assert in_pieces["voiced_fraction"] == pytest.approx(whole["voiced_fraction"], abs=0.02)


def test_pitch_that_rises_through_all_pieces_has_the_slope_of_the_whole(monkeypatch):
    monkeypatch.setattr(ProsodyEmbedder, "_piece_seconds", 1.1)
    octaves = 100 * 2 ** np.linspace(0, 2, 4 * RATE)
    assert measure(pulses(octaves, 4))["f0_slope"] == pytest.approx(6, abs=0.5)


def test_names_and_columns_agree(wavs):
    assert len(FEATURE_NAMES) == len(set(FEATURE_NAMES)) == 34
    assert ProsodyEmbedder().transform(wavs[:1]).shape == (1, 34)


@pytest.mark.parametrize("kind", ["noise", "click", "very short", "half silent", "loud square"])
def test_whatever_can_be_read_has_finite_features(kind):
    rng = np.random.default_rng(0)
    signal = {
        "noise": 0.1 * rng.normal(size=RATE),
        "click": np.eye(1, RATE, 8_000).ravel(),
        "very short": pulses(200)[:400],
        "half silent": np.concatenate([np.zeros(RATE // 2), pulses(200, 0.5)]),
        "loud square": np.sign(pulses(100)),
    }[kind]
    assert all(np.isfinite(list(measure(signal).values())))


def test_an_unvoiced_recording_has_pitch_0_and_voiced_fraction_0():
    features = measure(np.eye(1, RATE, 8_000).ravel())
    assert features["voiced_fraction"] == 0
    assert [features[name] for name in FEATURE_NAMES[:7]] == [0.0] * 7


def test_the_range_of_pitch_can_be_set():
    assert measure(pulses(90))["f0_median"] == pytest.approx(12 * np.log2(0.9), abs=0.3)
    assert measure(pulses(90), fmin=120.0)["f0_median"] != pytest.approx(12 * np.log2(0.9), abs=0.3)


@pytest.mark.parametrize(
    "parameters", [{"fmin": 5}, {"fmin": 300, "fmax": 200}, {"fmax": 9_000}], ids=repr
)
def test_a_range_that_cannot_be_searched_is_refused(parameters):
    with pytest.raises(EmbedderError, match="fmin"):
        ProsodyEmbedder(**parameters).fit()
