"""Commands answer as when ``record.py`` was last run: words, and numbers to the last digit.

Digits depend on the processor and on the versions of libraries. Where these differ from those of
the record, words and the form of tables are compared, and numbers are not.
"""

import json
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pandas as pd
import pytest

from sfmforensics import read_model

_spec = spec_from_file_location("record", Path(__file__).with_name("record.py"))
record = module_from_spec(_spec)
_spec.loader.exec_module(record)
JOBS, KEPT = record.JOBS, record.KEPT

NUMBER = re.compile(r"[-\u2212+]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where all of it runs, once."""
    return tmp_path_factory.mktemp("golden")


@pytest.fixture(scope="module")
def seen(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "110")
        return record.run(JOBS)


@pytest.fixture(scope="module")
def same_platform():
    return json.loads((KEPT / "platform.json").read_text(encoding="utf-8")) == record.here()


EXPECTED = sorted(p for p in KEPT.rglob("*") if p.is_file() and p.name != "platform.json")


def test_everything_that_was_recorded_is_there_and_nothing_else(seen):
    assert set(seen) == {path.relative_to(KEPT).as_posix() for path in EXPECTED}


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.relative_to(KEPT).as_posix())
def test_commands_print_and_write_what_they_did(path, seen, same_platform):
    name, expected = path.relative_to(KEPT).as_posix(), path.read_text(encoding="utf-8")
    found = seen[name]
    if not same_platform:
        if path.suffix == ".json":
            pytest.skip("hashes of what was learnt hold on the processor of the record alone")
        expected, found = (form(text) for text in (expected, found))
    assert found.splitlines() == expected.splitlines()


def test_the_demo_does_the_whole_job_and_says_where_things_are(seen, folder):
    scores = pd.read_csv(folder / "demo" / "scores.csv")
    assert set(scores.model) == {"tango", "concat", "svm"}
    assert set(scores.protocol) == {"closed", "disjoint"}
    closed = scores[(scores.protocol == "closed") & (scores.model == "tango")]
    means = closed[closed.metric.isin(["accuracy", "rmse"])].groupby("task").value.mean()
    # Chance: 1 of 12 speakers, 1 of 4 emotions, 1 of 2 genders.
    assert means["speaker"] > 0.5
    assert means["emotion"] > 0.5
    assert means["gender"] > 0.8
    assert (folder / "demo" / "report.html").stat().st_size > 100_000
    model = read_model(folder / "demo" / "tango.safetensors")
    recording = next((folder / "demo" / "recordings").rglob("*.wav"))
    assert model.predict([str(recording)]).shape == (1, 4)
    text = seen["demo/0-demo.txt"]
    for words in (
        "the first 8 of 24",
        *("scores.csv", "report.html", "tango.safetensors", "sfmforensics predict"),
    ):
        assert words in text


def form(text):
    """Words without numbers; what depends on how numbers compare is left out as well."""
    return NUMBER.sub("N", text)
