"""The benchmarks run, and write what their page says: figures with their spread and their peer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    for name in ("bench_transport", "bench_scale"):  # the second run keeps what the first found
        command = [sys.executable, str(BENCHMARKS / "run.py"), "--quick", "--only", name]
        subprocess.run([*command, "--output", str(folder)], check=True, capture_output=True)
    return folder


def test_figures_are_kept_as_json_with_the_machine_and_the_versions(results):
    found = json.loads((results / "benchmarks.json").read_text())
    assert list(found["benchmarks"]) == ["bench_transport", "bench_scale"]
    assert {"cores", "python", "versions"} <= set(found["machine"])
    for outcome in found["benchmarks"].values():
        for figure in outcome["figures"]:
            assert figure["low"] <= figure["median"] <= figure["high"]
            assert figure["rounds"] >= 1


def test_the_page_names_the_peer_and_shows_every_figure(results):
    page = (results / "benchmarks.md").read_text()
    found = json.loads((results / "benchmarks.json").read_text())
    assert "ours / loop of as many iterations" in page
    for outcome in found["benchmarks"].values():
        assert outcome["question"] in page
        for figure in outcome["figures"]:
            assert f"| {figure['figure']} |" in page


def test_the_plans_of_the_benchmark_are_those_of_its_peer(results):
    found = json.loads((results / "benchmarks.json").read_text())
    figures = found["benchmarks"]["bench_transport"]["figures"]
    differences = [row["high"] for row in figures if "differ" in row["figure"]]
    assert len(differences) == 2
    assert max(differences) < 1e-6


def test_every_benchmark_of_time_is_run_by_the_runner():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from run import BENCHMARKS as listed
    finally:
        sys.path.remove(str(BENCHMARKS))
    with_json = {
        file.stem
        for file in BENCHMARKS.glob("bench_*.py")
        if "finish(" in file.read_text(encoding="utf-8")
    }
    assert with_json == set(listed)
