"""Fixtures for all tests: audio is synthesised, real data is optional."""

import os
from pathlib import Path

import hypothesis
import matplotlib
import numpy as np
import pandas as pd
import pytest
from _pytest.doctest import DoctestModule

# Before anything imports a hub client: no test may reach for the network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# POT, where a test imports it, would load TensorFlow, which takes seconds.
os.environ.setdefault("POT_BACKEND_DISABLE_TENSORFLOW", "1")
matplotlib.use("Agg")
# Time is no matter of tests; and what lands is judged by the same examples every time.
hypothesis.settings.register_profile(
    "ours", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True
)
hypothesis.settings.load_profile("ours")

TESTS = Path(__file__).resolve().parent
SHARED = TESTS.parents[1] / "shared"


def pytest_configure(config):
    config.addinivalue_line("markers", "figures: draws them, where others of its file do not")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file():
    """No test has an example in its docstring: tests are not read twice to look for some."""
    return [collector for collector in (yield) if not isinstance(collector, DoctestModule)]


SLOW = set((TESTS / "slow.txt").read_text(encoding="utf-8").split("\n"))
"""Functions that took long, see ``record_slow.py``."""


def pytest_collection_modifyitems(items):
    """Marks by folder, fixture and list; the longest first, so that none is left with it."""
    for item in items:
        if item.nodeid.partition("[")[0] in SLOW:
            item.add_marker("slow")
        folder = item.path.parent.name
        if folder in ("faults", "fuzz"):
            item.add_marker(folder)
        if folder == "golden":
            item.add_marker("slow")
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
    items.sort(key=lambda item: item.path.parent.name != "golden")


@pytest.fixture(scope="session")
def shared():
    """The folder of real recordings and models beside the checkout."""
    if not (SHARED / "data").is_dir():
        pytest.skip("no ../shared beside the checkout: real recordings and models are not there")
    return SHARED


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Six synthetic speakers of six recordings each, as files."""
    from sfmforensics.datasets import make_speech_corpus

    folder = tmp_path_factory.mktemp("corpus")
    return make_speech_corpus(6, 6, duration=0.5, random_state=0, output=folder)


@pytest.fixture(scope="session")
def table():
    """Two views of 60 recordings from which four tasks can be learnt, and their targets."""
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(6), 10)
    gender = np.array(["female", "male"])[speaker % 2]
    age = 20.0 + 8 * speaker
    emotion = np.tile(["calm", "angry"], 30)
    means = rng.normal(size=(6, 30)) * 2
    X = means[speaker] + rng.normal(size=(60, 30))
    X[:, :6] += 2.5 * (emotion == "angry")[:, None]
    names = [f"first__{i}" for i in range(10)] + [f"second__{i}" for i in range(20)]
    target = pd.DataFrame(
        {
            "speaker": [f"{s:02d}" for s in speaker],
            "emotion": emotion,
            "gender": gender,
            "age": age,
        }
    ).astype({"speaker": object, "emotion": object, "gender": object})
    return pd.DataFrame(X.astype(np.float32), columns=names), target


@pytest.fixture(scope="session")
def small_png():
    """The bytes of a figure as commands write it, with nothing to draw."""
    from matplotlib.figure import Figure

    from sfmforensics.report.figures import png_of

    figure = Figure(figsize=(1, 1))
    figure.text(0.5, 0.5, "a figure")
    return png_of(figure)


@pytest.fixture
def small_figures(request, monkeypatch, small_png):
    """Commands write figures without drawing them, which is half of what a small run takes.

    For tests that look at none; those that do are marked `figures`.
    """
    if request.node.get_closest_marker("figures") is None:
        monkeypatch.setattr("sfmforensics.report.figures.png_of", lambda figure: small_png)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a package where pip would: install("theirs", {GROUP: {"name": "theirs:x"}}, "x = 1")."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def install(package, groups, code):
        (folder / f"{package}.py").write_text(code)
        described = folder / f"{package}-1.0.dist-info"
        described.mkdir()
        (described / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        )
        lines = []
        for group, points in groups.items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
        (described / "entry_points.txt").write_text("\n".join(lines))
        return folder

    return install
