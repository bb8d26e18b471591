"""Recordings and models that the tests make themselves: nothing is downloaded."""

import numpy as np
import pytest
import soundfile

RATE = 16_000


def synthesise(seconds, *, pitch=120.0, seed=0, rate=RATE):
    """Something like a voice: gliding harmonics, syllables, breath."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * pitch * (time + 0.02 * np.sin(2 * np.pi * 1.3 * time))
    harmonics = sum(rng.uniform(0.3, 1) / k * np.sin(k * phase) for k in range(1, 9))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * rng.uniform(2, 5) * time + rng.uniform(0, 6))
    signal = 0.1 * harmonics * syllables + 0.005 * rng.normal(size=time.size)
    return signal.astype(np.float32)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Small models are run fastest by one thread, above all beside other work."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def voice():
    """``voice(seconds, pitch=120.0, seed=0, rate=16000)``: a float32 signal."""
    return synthesise


@pytest.fixture(scope="session")
def signals():
    """Six signals of mixed lengths, two equally and one nearly as long, none too short."""
    seconds = (1.0, 0.63, 1.3, 1.0, 0.41, 0.97)
    return [
        synthesise(s, pitch=90.0 + 40 * i, seed=i) * (0.2 + 0.3 * i) for i, s in enumerate(seconds)
    ]


@pytest.fixture(scope="session")
def pairs(signals):
    """The signals as ``(signal, rate)`` pairs."""
    return [(signal, RATE) for signal in signals]


@pytest.fixture
def write_wav(tmp_path):
    """``write_wav(name, signal)``: path of a float wav, which keeps every sample as it is."""

    def write(name, signal, rate=RATE, subtype="FLOAT"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, signal, rate, subtype=subtype)
        return str(path)

    return write


@pytest.fixture
def wavs(write_wav, signals):
    """The signals as files."""
    return [write_wav(f"{i}.wav", signal) for i, signal in enumerate(signals)]


@pytest.fixture(scope="session")
def assert_close():
    """Equal up to `rtol` of the largest value in a row."""

    def check(found, expected, rtol=1e-5):
        found, expected = np.atleast_2d(found), np.atleast_2d(expected)
        assert found.shape == expected.shape
        scale = np.abs(expected).max(axis=1, keepdims=True)
        worst = (np.abs(found - expected) / scale).max()
        assert worst <= rtol, f"relative difference {worst:.2e}, more than {rtol:.0e}"

    return check
