"""All questions of time and memory in one go: a file of figures, and a table of them.

Each benchmark runs in a process of its own, one after the other. --quick has small sizes, to see
that they run; its figures mean nothing. Accuracy is another matter: see accuracy.py.

    python benchmarks/run.py --output benchmarks/results
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _figures import machine, table

BENCHMARKS = {
    "bench_transport": "--rounds 1 --batch 2",
    "bench_fit": "--recordings 240 --rounds 1 --epochs 1",
    "bench_cv": "--recordings 300 --rounds 1 --epochs 1",
    "bench_scale": "--rows 200 1000",
    "bench_predict": "--rounds 1",
    "bench_embed": "--files 2 --rounds 1",
    "bench_pitch": "--files 2 --rounds 1",
}
"""Each file, and the arguments of --quick."""


def run(name, arguments, folder):
    """Figures of one benchmark, or the last lines of what it said instead."""
    file, script = folder / f"{name}.json", Path(__file__).with_name(f"{name}.py")
    command = [sys.executable, str(script), *arguments, "--json", str(file)]
    start = time.perf_counter()
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        said = "\n".join(found.stderr.splitlines()[-5:])
        raise SystemExit(f"{name} ended with {found.returncode}:\n{said}")
    outcome = json.loads(file.read_text())
    outcome |= {"arguments": arguments, "seconds": round(time.perf_counter() - start)}
    outcome["question"] = script.read_text().partition('"""')[2].splitlines()[0]
    print(f"{name}: {outcome['seconds']} s", flush=True)
    return outcome


def markdown(found, where):
    """The page of all figures."""
    versions = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    lines = [
        "# Time and memory\n",
        f"{where['date']}; {where['processor']}, {where['cores']} cores; "
        f"Python {where['python']}, {versions}.\n",
        "Ratios are of runs in turn, round by round; a ratio below 1 means that the first is "
        "the faster or smaller. `python benchmarks/run.py` repeats it.\n",
    ]
    for name, outcome in found.items():
        given = " ".join(outcome["arguments"])
        then = outcome["machine"]
        lines += [
            f"## {outcome['question']}\n",
            f"`{name}.py{' ' + given if given else ''}`, {then['date']}, {outcome['seconds']} s; "
            f"load of the machine at the end {then['load']}.\n",
            table(outcome["figures"]),
        ]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run?")
    parser.add_argument("--whisper", help="folder of a Whisper checkpoint, for bench_embed")
    parser.add_argument("--output", default="benchmarks/results")
    options = parser.parse_args()
    output = Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    kept = output / "benchmarks.json"
    found = json.loads(kept.read_text())["benchmarks"] if kept.exists() else {}
    where = machine()
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only:
            arguments = BENCHMARKS[name].split() if options.quick else []
            if name == "bench_embed" and options.whisper:
                arguments += ["--whisper", options.whisper]
            found[name] = run(name, arguments, Path(folder))
            # After each, so that what was measured is not lost with what fails.
            ordered = {key: found[key] for key in BENCHMARKS if key in found}
            kept.write_text(json.dumps({"machine": where, "benchmarks": ordered}, indent=2) + "\n")
            (output / "benchmarks.md").write_text(markdown(ordered, where))
    print(f"{output / 'benchmarks.md'}")


if __name__ == "__main__":
    main()
