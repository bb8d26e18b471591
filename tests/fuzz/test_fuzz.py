"""Whatever a file does: a vector or a clear refusal, in time, within memory, without a crash.

``SFMFORENSICS_FUZZ=10000`` tries so many inputs; ``make fuzz`` sets it.
"""

import json
import os
import select
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sfmforensics._utils.names import keep_name, show_name
from sfmforensics.audio import read_audio
from sfmforensics.audio._reading import describe_source
from sfmforensics.embedders import MFCCEmbedder
from sfmforensics.exceptions import AudioError

HERE = Path(__file__).parent
MANY = int(os.environ.get("SFMFORENSICS_FUZZ", "0"))
INPUTS = MANY or 400
CHUNK = 2_500
PATIENCE = 120
"""Seconds without a sign of life after which an input hangs."""


def tried(first, last, patience=PATIENCE):
    """What became of inputs, by number: a line of `trial.py` each, or how its process ended."""
    while first < last:
        trial = [sys.executable, HERE / "trial.py", str(first), str(last)]
        process = subprocess.Popen(
            trial, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        seen, ending = {"number": first, "stage": "starting"}, None
        for line in _lines(
            process, lambda: patience if seen.get("stage") == "trying" else PATIENCE
        ):
            if line is None:
                process.kill()
                ending = f"hangs: nothing for {patience} s"
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


def _lines(process, patience):
    """Lines as they come; None where none comes for too long."""
    waiting = b""
    while True:
        ready, _, _ = select.select([process.stdout], [], [], patience())
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


@pytest.mark.skipif(not MANY, reason="SFMFORENSICS_FUZZ is not set")
@pytest.mark.parametrize(
    ("trap", "says"),
    [
        ("hangs", "hangs: nothing for"),
        ("crashes", "ended with -11 while trying"),
        ("devours memory", "MemoryError"),
        ("talks", "libraries say: Note: this is noise"),
        ("raises", "ZeroDivisionError"),
        ("opens", "a file was left open"),
    ],
)
def test_the_watch_notices_what_goes_wrong(trap, says):
    number = trial_number(trap)
    (found,) = tried(number, number + 1, patience=10)
    assert says in found["fault"]


def trial_number(trap):
    """Inputs that go wrong on purpose lie before the others."""
    return 9_000_000 + ["hangs", "crashes", "devours memory", "talks", "raises", "opens"].index(
        trap
    )


# -- arrays and names that hypothesis makes up -------------------------------------------------

NUMBERS = hnp.floating_dtypes() | hnp.integer_dtypes() | hnp.unsigned_integer_dtypes()
PATTERNS = NUMBERS.flatmap(lambda kind: hnp.arrays(kind, hnp.array_shapes(max_dims=2, max_side=9)))


@settings(deadline=None, derandomize=True, max_examples=MANY // 10 or 100)
@given(
    pattern=PATTERNS,
    length=st.integers(0, 5_000),
    rate=st.integers(1, 200_000) | st.floats() | st.sampled_from([0, -1, True, "8000", None]),
)
def test_any_array_at_any_rate_gives_a_vector_or_a_refusal(pattern, length, rate):
    source = np.resize(pattern, (length, *pattern.shape[1:])), rate
    try:
        vector = MFCCEmbedder().transform([source])
    except AudioError as refused:
        error = refused
    else:
        assert vector.shape == (1, 40)
        assert np.isfinite(vector).all()
        assert vector.any()
        return
    assert str(error).startswith(describe_source(source))
    assert str(error).isprintable()


FILE_NAMES = st.binary(min_size=1, max_size=60).filter(
    lambda name: not {0, ord("/")} & set(name) and name not in (b".", b"..")
)


@settings(deadline=None, derandomize=True, max_examples=MANY // 10 or 100)
@given(name=FILE_NAMES)
def test_a_file_of_any_name_is_read_or_named(name, tmp_path_factory):
    path = os.path.join(tmp_path_factory.getbasetemp(), os.fsdecode(name))
    with pytest.raises(AudioError, match="no such file") as caught:
        read_audio(path)
    assert str(caught.value).startswith(f"{show_name(path)}: ")
    assert str(caught.value).isprintable()
    with open(path, "wb") as file:
        soundfile.write(file, 0.5 * np.sin(np.arange(500)), 16_000, format="WAV")
    try:
        assert len(read_audio(path)) == 500
    finally:
        os.remove(path)


# -- the command line --------------------------------------------------------------------------

MAKE = """
import json, os, sys
import hostile
names = []
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    folder = os.path.join(sys.argv[1], str(number))
    os.mkdir(folder)
    if hostile.kind_of(number) != "pair":
        case = hostile.make(number, folder)
        case.close()
        names += [os.fsdecode(case.source)] if case.steady else []
print(json.dumps(names))
"""


@pytest.fixture(scope="module")
def model(corpus, tmp_path_factory):
    from sfmforensics.workflow import train_model

    file = tmp_path_factory.mktemp("model") / "m.safetensors"
    train_model(corpus, ["mfcc"], file, model="single", epochs=1)
    return file


@pytest.mark.parametrize("form", ["csv", "json", "table"] if MANY else ["csv"])
def test_the_command_line_answers_and_names_each_that_it_refused(model, tmp_path, form):
    first = 2_000_000 + 100_000 * ["csv", "json", "table"].index(form)
    numbers = str(first), str(first + (MANY // 50 or 60))
    where = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    made = subprocess.run(
        [sys.executable, "-c", MAKE, tmp_path, *numbers], stdout=subprocess.PIPE, env=where
    )
    assert made.returncode == 0
    sources = [name for name in json.loads(made.stdout.splitlines()[-1]) if _is_argument(name)]
    script = Path(sys.executable).parent / "sfmforensics"
    done = subprocess.run(
        [script, "predict", model, "--format", form, "--", *sources],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
        env=os.environ | {"COLUMNS": "9000"},
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 1, err
    if form == "csv":  # which keeps blanks of any kind
        assert not {"Cc", "Cs", "Zl", "Zp"} & set(map(unicodedata.category, out.replace("\n", "")))
    else:
        assert out.replace("\n", "").isprintable()
    refusals = {name: _refusal(name) for name in sources}
    good = [name for name in sources if refusals[name] is None]
    bad = [f"sfmforensics: {refusals[name]}" for name in sources if refusals[name]]
    said = [line for line in err.splitlines() if line.startswith("sfmforensics: ")]
    assert [line for line in said if not line.startswith("sfmforensics: warning: ")] == bad
    if form == "csv":
        table = pd.read_csv(StringIO(out), keep_default_na=False)
        assert table["path"].tolist() == list(map(keep_name, good))
    elif form == "json":
        assert [row["path"] for row in json.loads(out)] == good
    else:
        # A folder that all are in stands above the table, and not in front of each.
        assert all(
            show_name(name) in out or show_name(os.path.basename(name)) in out for name in good
        )


def _is_argument(text):
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _refusal(path):
    try:
        read_audio(path)
    except AudioError as error:
        return str(error)
    return None


# -- length ------------------------------------------------------------------------------------


def test_a_long_recording_is_embedded(tmp_path):
    rng, block = np.random.default_rng(0), 60 * 8_000
    with soundfile.SoundFile(tmp_path / "a.wav", "w", 8_000, 1, subtype="PCM_U8") as file:
        for _ in range(120 if MANY else 10):  # minutes
            file.write(rng.uniform(-0.5, 0.5, block))
    vector = MFCCEmbedder().transform([tmp_path / "a.wav"])
    assert np.isfinite(vector).all()
    assert vector.any()
