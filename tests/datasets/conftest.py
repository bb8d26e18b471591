"""Small corpora, synthesised where a test runs."""

from pathlib import Path

import numpy as np
import pytest
import soundfile


@pytest.fixture
def make_files(tmp_path):
    """Make empty files below a folder: the loaders name files, they do not open them."""

    def make(*names, root=tmp_path / "corpus"):
        root.mkdir(parents=True, exist_ok=True)
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        return root

    return make


@pytest.fixture
def write_tone(tmp_path):
    """Write a tone as a sound file of the given name."""

    def write(name, frequency=220, rate=16_000, seconds=0.1, channels=1, **options):
        tone = 0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)
        # Writers round a float differently; an integer leaves them no choice.
        tone = np.round(tone * 2**15).astype(np.int16)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.repeat(tone[:, np.newaxis], channels, axis=1), rate, **options)
        return str(path)

    return write


@pytest.fixture
def shared():
    """The material beside the checkout."""
    folder = Path(__file__).resolve().parents[2].parent / "shared"
    if not folder.is_dir():
        pytest.skip("no shared/ folder beside the checkout")
    return folder


@pytest.fixture
def real_baved(shared):
    """The complete BAVED."""
    folder = shared / "data" / "baved"
    if not folder.is_dir():
        pytest.skip("BAVED is not in shared/data/baved")
    return folder
