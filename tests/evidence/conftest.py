"""Voices of the two-covariance model: the simplest world in which all promises are to hold."""

import numpy as np
import pytest


def drawn_voices(seed, n_speakers, n_recordings, width=6, within=0.5, directions=None):
    """Vectors and speakers; `n_recordings` a number, or one for each speaker."""
    rng = np.random.default_rng(seed)
    counts = np.broadcast_to(n_recordings, n_speakers)
    speakers = np.repeat(np.arange(n_speakers), counts)
    means = rng.normal(size=(n_speakers, width))
    if directions is not None:
        means[:, directions:] = 0
    return means[speakers] + within * rng.normal(size=(len(speakers), width)), speakers


@pytest.fixture(scope="session")
def voices():
    """The function that draws them."""
    return drawn_voices
