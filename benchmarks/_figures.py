"""What the benchmarks share: figures with their spread, as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

PACKAGES = ("sfmforensics", "numpy", "scikit-learn", "torch", "skorch", "POT", "joblib")


def timed(function, *arguments):
    """What a function returns, and the seconds that it took."""
    start = time.perf_counter()
    found = function(*arguments)
    return found, time.perf_counter() - start


def figure(name, values, unit):
    """One measured quantity: its median and extremes over the rounds."""
    low, middle, high = (float(value) for value in np.quantile(values, [0, 0.5, 1]))
    figure = {"figure": name, "unit": unit, "median": middle, "low": low, "high": high}
    return figure | {"rounds": int(np.size(values))}


def ratio(name, above, below):
    """Round by round, one series of seconds over another of the same run."""
    return figure(name, np.asarray(above) / np.asarray(below), "ratio")


def machine():
    """Where and with what the figures were measured."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "versions": {name: version(name) for name in PACKAGES},
    }


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor()


def table(figures):
    """Markdown of figures."""
    lines = ["| figure | median | lowest to highest | unit | rounds |", "|---|---|---|---|---|"]
    for row in figures:
        spread = f"{row['low']:.3g} to {row['high']:.3g}" if row["rounds"] > 1 else ""
        lines.append(
            f"| {row['figure']} | {row['median']:.3g} | {spread} | {row['unit']} "
            f"| {row['rounds']} |"
        )
    return "\n".join(lines) + "\n"


def finish(figures, json_file=None):
    """Print the table of a benchmark, and keep the figures if asked to."""
    print(table(figures))
    if json_file:
        found = {"machine": machine(), "figures": figures}
        Path(json_file).write_text(json.dumps(found, indent=2))
