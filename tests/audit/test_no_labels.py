"""What looks like no label is pointed out before it is learnt, and legitimate labels are not."""

import re
import time
import uuid
import warnings
from hashlib import md5, sha256

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from sfmforensics.audit import label_findings, not_labels
from sfmforensics.exceptions import DatasetWarning
from sfmforensics.workflow._checks import warn_of_no_labels

N = 12
NAMES = [f"/corpus/r{i}.wav" for i in range(N)]


def of(values, name="note", dtype=object):
    return pd.DataFrame({name: pd.Series((list(values) * N)[:N], dtype=dtype)})


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (of(["x"]), "has one label for all, 'x': there is nothing to learn"),
        (of([3.5], dtype=float), "has one label for all, 3.5"),
        (of(["x", None]), "has one label for all"),
        (of(["x"], "speaker"), "has one label for all"),
        (of(range(N)), "has 12 labels for 12 recordings, such as 0: what tells"),
        (of(range(N), dtype="int64"), "has 12 labels for 12 recordings, such as 0: what tells"),
        (of(["x", *range(1, N - 1), "x"]), "has 11 labels for 12 recordings"),
        (of([f"take {i}" for i in range(N)]), "such as 'take 0'"),
        (of(["a.wav", "b.WAV"]), "holds names of files, such as 'a.wav'"),
        (of(["/data/x/1", "C:\\data\\y"]), "names of files"),
        (of([f"r{i}" for i in range(N)]), "names the files themselves, such as 'r0'"),
        (of([md5(b"a").hexdigest(), md5(b"b").hexdigest()]), "holds checksums"),
        (of([sha256(b"a").hexdigest(), sha256(b"b").hexdigest().upper()]), "holds checksums"),
        (of([str(uuid.UUID(int=i)) for i in (1, 2)]), r"holds identifiers \(UUID\)"),
        (of(["2024-03-30", "2024-03-31"]), "holds dates or times, such as '2024-03-30'"),
        (of(["2024-03-30T12:00:00Z", "2024-03-30 13:00"]), "dates or times"),
        (of([20240330, 20240331], dtype="int64"), "dates or times"),
        (of(["30.03.2024", "1/4/2024"]), "dates or times"),
        (of(["12:30", "9:05:10.5"]), "dates or times"),
        (of(pd.to_datetime(["2020-01-01", "2021-01-01"]), dtype="datetime64[ns]"), "dates or ti"),
        (of(["a.b@c.org", "d@e.com"]), "holds e-mail addresses"),
        (of(["https://x.org/a", "http://y"]), "holds web addresses"),
        (of([1.5, 2.5], "duration", float), "what a file tells of itself"),
        (of([16000, 8000], "sample_rate", "int64"), "what a file tells of itself"),
    ],
)
def test_what_looks_like_no_label_is_named_with_what_was_found(target, says):
    ((column, found),) = not_labels(target, NAMES)
    assert column == target.columns[0]
    assert re.search(says, found)


@pytest.mark.parametrize(
    "target",
    [
        of([f"s{i}" for i in range(N)], "speaker"),  # one recording each
        of([f"r{i}" for i in range(N)], "speaker"),  # named by it
        of([str(uuid.UUID(int=i)) for i in range(N)], "speaker"),  # pseudonyms
        of(["a@b.org", "c@d.org"], "speaker"),
        of(np.linspace(20, 70, N), "age", float),
        of(np.linspace(0, 1, N), dtype=float),
        of(["f", "m"], "gender"),
        of(["joy", "fear", None], "emotion"),
        of([1, 2, 3], dtype="int64"),
        of([2001, 2002]),  # years of birth
        of(["v1.2", "v1.3"]),
        of(["and/or", "n/a"]),
        of(["decade", "facade"]),
        of(["short", "long"], "duration"),
        of([None]),
        of(["a", "b", "c"]).iloc[:3],  # too few to say so
    ],
)
def test_labels_that_can_be_learnt_are_left_alone(target):
    assert not_labels(target, NAMES[: len(target)]) == []


def test_it_is_a_finding_once_and_the_remedy_names_the_option():
    target = pd.concat([of(["2024-03-30", "2024-03-31"], "day"), of(range(N), "take")], axis=1)
    found = {f.finding: f for f in label_findings(target.assign(room="lab"), names=NAMES)}
    assert list(found) == ["one label for all", "looks like no label"]
    assert all("--tasks" in finding.remedy for finding in found.values())


def test_before_anything_is_learnt_one_warning_tells_all_and_what_to_write():
    target = pd.concat([of(["f", "m"], "gender"), of(range(N), "take"), of(["x"], "room")], axis=1)
    says = (
        "^what looks like no label is learnt all the same: 'take' has 12 labels .*; 'room' has one "
        "label for all.*; leave them out by --tasks gender$"
    )
    with pytest.warns(DatasetWarning, match=says):
        warn_of_no_labels(Bunch(data=NAMES, target=target))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_no_labels(Bunch(data=NAMES, target=target[["gender"]]))


def test_a_hundred_thousand_rows_take_a_second_or_two():
    n = 100_000
    target = pd.DataFrame({"take": np.arange(n), "day": ["2024-03-30", "2024-03-31"] * (n // 2)})
    started = time.process_time()
    assert len(not_labels(target, [f"/c/r{i}.wav" for i in range(n)])) == 2
    assert time.process_time() - started < 10
