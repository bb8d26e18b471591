"""Whatever a file does: a vector or a clear refusal, in time, within memory, without a crash.

``SFMFORENSICS_FUZZ=10000`` tries so many inputs; ``make fuzz`` sets it.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
MANY = int(os.environ.get("SFMFORENSICS_FUZZ", "0"))
INPUTS = MANY or 400
CHUNK = 500
PATIENCE = 120
"""Seconds without a sign of life after which an input hangs."""


def tried(first, last, *options):
    """What became of inputs, by number: a line of `trial.py` each, or how its process ended."""
    while first < last:
        trial = [sys.executable, HERE / "trial.py", str(first), str(last), *options]
        process = subprocess.Popen(
            trial, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        seen, ending = {"number": first, "stage": "starting"}, None
        for line in _lines(process):
            if line is None:
                process.kill()
                ending = f"hangs: nothing for {PATIENCE} s"
                break
            seen = json.loads(line)
            if "stage" not in seen:
                yield seen
                first = seen["number"] + 1
        said = process.communicate()[1].decode(errors="replace")[-500:]
        if first >= last and process.returncode == 0:
            return
        ending = ending or f"ended with {process.returncode} while {seen['stage']}: {said}"
        yield seen | {"kind": "?", "outcome": None, "seconds": 0, "fault": ending}
        first = seen["number"] + 1


def _lines(process):
    """Lines as they come; None where none comes for too long."""
    waiting = b""
    while True:
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
        if not ready:
            yield None
            return
        found = os.read(process.stdout.fileno(), 1 << 16)
        if not found:
            return
        *lines, waiting = (waiting + found).split(b"\n")
        yield from lines


def summary(found):
    """How many inputs of each kind were embedded or refused, and why."""
    lines = [f"{len(found)} inputs, {sum(one['seconds'] for one in found):.0f} s"]
    kinds = Counter((one["kind"], one["outcome"] == "vector") for one in found)
    for kind in dict.fromkeys(one["kind"] for one in found):
        lines.append(f"{kind:>12}: {kinds[kind, True]:5} embedded, {kinds[kind, False]:5} refused")
    reasons = Counter(one["outcome"] for one in found if one["outcome"] not in ("vector", None))
    lines += [f"{count:6}  {reason}" for reason, count in reasons.most_common()]
    slowest = max(found, key=lambda one: one["seconds"])
    return "\n".join([*lines, f"slowest: {slowest['seconds']} s, number {slowest['number']}"])


def faults(found):
    again = "python tests/fuzz/trial.py {number} --debug\n  {kind}: {note}\n  {fault}"
    return [again.format(**{"note": ""} | one) for one in found if one["fault"]]


def test_every_input_gives_a_vector_or_a_clear_refusal(capsys):
    found, started = [], time.time()
    for first in range(0, INPUTS, CHUNK):
        found += tried(first, min(first + CHUNK, INPUTS))
        if MANY:
            with capsys.disabled():
                print(f"\n{len(found)} of {INPUTS} inputs, {time.time() - started:.0f} s")
    if MANY:
        with capsys.disabled():
            print("\n" + summary(found))
    wrong = faults(found)
    assert not wrong, f"{len(wrong)} of {len(found)} inputs:\n" + "\n".join(wrong[:20])
    assert len(found) == INPUTS
    for kind in {one["kind"] for one in found} - {"promise"}:
        assert {one["outcome"] == "vector" for one in found if one["kind"] == kind} == {True, False}
