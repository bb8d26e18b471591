"""The examples run, and each draws one figure; with all their epochs `make docs` runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("plot_*.py"))

RUN = """
import runpy, sys
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
from sfmforensics.estimators import _base
epochs_of = _base.epochs_of
_base.epochs_of = lambda *given: min(epochs_of(*given), 3)
shown = []
plt.show = lambda: shown.extend(map(plt.figure, plt.get_fignums()))
runpy.run_path(sys.argv[1], run_name="__main__")
(figure,) = shown
axes = [ax for ax in figure.axes if ax.has_data()]
assert axes and all(ax.get_xlabel() or ax.get_ylabel() or ax.get_title() for ax in axes)
figure.savefig(sys.argv[2])
"""


def test_there_are_six():
    assert len(EXAMPLES) == 6


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs_and_draws_one_figure(path, tmp_path):
    folder = Path(os.environ.get("EXAMPLE_FIGURES", tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(path), str(folder / f"{path.stem}.png")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout
    assert (folder / f"{path.stem}.png").stat().st_size > 10_000


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_is_named_among_the_examples(path):
    assert f"`{path.name}`" in (path.parent / "README.md").read_text(encoding="utf-8")
