"""Disks that are full, read-only or damaged, and two processes at once."""

import json
import os
import shutil
import subprocess
import sys
import warnings
from contextlib import contextmanager, suppress

import numpy as np
import pytest
from sklearn.utils import Bunch

from sfmforensics import load_embeddings, make_views, save_embeddings
from sfmforensics._utils.files import replacing, sweep, write_atomically
from sfmforensics.embedders import MFCCEmbedder
from sfmforensics.exceptions import CacheWarning, CustodyError, OutputError
from sfmforensics.workflow import evaluate_corpus, train_model

QUICK = {"epochs": 1, "folds": 2, "protocol": "closed", "models": ("svm",)}


def fill(disk, leave=0):
    """Leave so many KiB of a disk free."""
    with suppress(OSError), open(disk / "filler", "wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    os.truncate(disk / "filler", max(0, (disk / "filler").stat().st_size - leave * 1024))


@contextmanager
def quiet():
    """Without the warnings that nothing could be kept: what is asked here is what comes after."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        yield


# -- full ------------------------------------------------------------------------------------


def test_a_full_disk_costs_the_cache_but_no_vector(small_disk, corpus):
    disk = small_disk(256)
    fill(disk)
    with pytest.warns(CacheWarning, match="No space left"):
        found = MFCCEmbedder(cache=disk / "cache").transform(corpus.data)
    np.testing.assert_array_equal(found, MFCCEmbedder().transform(corpus.data))


def test_a_matrix_that_does_not_fit_is_refused_and_the_process_lives(small_disk, corpus):
    disk = small_disk(64)
    many = Bunch(data=corpus.data * 400, target=corpus.target.loc[list(corpus.target.index) * 400])
    with pytest.raises(OutputError, match=r"vectors\.npy: it cannot be written \(No space left"):
        save_embeddings(many, make_views("mfcc"), disk / "out")
    assert [path.name for path in (disk / "out").iterdir()] == []


def test_results_that_do_not_fit_are_refused_and_made_when_there_is_room(
    small_disk, corpus, tmp_path
):
    disk = small_disk(1024)
    shared = {"cache": tmp_path / "cache", **QUICK}
    fill(disk, leave=40)
    with quiet(), pytest.raises(OutputError, match="make room or choose another"):
        evaluate_corpus(corpus, ["mfcc"], disk / "out", **shared)
    assert not list((disk / "out").rglob("config.json"))
    assert not list((disk / "out").rglob(".*.part"))
    (disk / "filler").unlink()
    evaluate_corpus(corpus, ["mfcc"], disk / "out", **shared)
    evaluate_corpus(corpus, ["mfcc"], tmp_path / "elsewhere", **shared)
    for name in ("scores.csv", "predictions.csv", "scores.png"):
        assert (disk / "out" / name).read_bytes() == (tmp_path / "elsewhere" / name).read_bytes()


def test_a_model_that_does_not_fit_leaves_the_one_that_was_there(small_disk, corpus, tmp_path):
    disk = small_disk(256)
    (disk / "m.safetensors").write_bytes(b"the model of yesterday")
    fill(disk, leave=8)
    with pytest.raises(OutputError, match=r"m\.safetensors: it cannot be written"):
        train_model(corpus, ["mfcc", "prosody"], disk / "m.safetensors", epochs=1, overwrite=True)
    assert (disk / "m.safetensors").read_bytes() == b"the model of yesterday"


def test_a_quota_is_as_a_full_disk(tmp_path):
    code = """
import resource, sys
from sfmforensics._utils.files import write_atomically
from sfmforensics.exceptions import OutputError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomically(sys.argv[1], bytes(2000))
except OutputError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a"], capture_output=True, text=True, check=True
    )
    assert "a: it cannot be written (File too large)" in done.stdout
    assert list(tmp_path.iterdir()) == []


# -- read-only -------------------------------------------------------------------------------


def test_a_read_only_cache_is_read_and_costs_no_vector(small_disk, corpus):
    disk = small_disk(1024)
    half = corpus.data[::2]
    MFCCEmbedder(cache=disk / "cache").transform(half)
    before = sorted(path for path in disk.rglob("*"))
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MFCCEmbedder(cache=disk / "cache").transform(half)  # of which all is there
    with pytest.warns(CacheWarning, match="Read-only"):
        found = MFCCEmbedder(cache=disk / "cache").transform(corpus.data)
    np.testing.assert_array_equal(found, MFCCEmbedder().transform(corpus.data))
    assert sorted(path for path in disk.rglob("*")) == before


def test_a_read_only_output_is_refused_by_name(small_disk, corpus):
    disk = small_disk(64)
    (disk / "out").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with quiet(), pytest.raises(OutputError, match=r"out.*it cannot be written"):
        evaluate_corpus(corpus, ["mfcc"], disk / "out", **QUICK)


# -- what was there before -------------------------------------------------------------------


def test_an_entry_of_another_width_is_computed_again(corpus, tmp_path):
    """As somebody may copy from another cache: whole, but not of this embedder."""
    narrow = MFCCEmbedder(n_mfcc=1, cache=tmp_path / "narrow")
    narrow.transform(corpus.data[:1])
    wide = MFCCEmbedder(cache=tmp_path / "wide")
    expected = wide.transform(corpus.data[:1])
    (entry,), (foreign,) = ((tmp_path / n).rglob("*.vec") for n in ("wide", "narrow"))
    shutil.copy(foreign, entry)
    with pytest.warns(CacheWarning, match="damaged"):
        np.testing.assert_array_equal(wide.transform(corpus.data[:1]), expected)


def test_a_cache_of_an_older_version_is_not_read(corpus, tmp_path, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr(MFCCEmbedder, "_version", 0)
        older.setattr(MFCCEmbedder, "_embed", lambda self, signals: np.ones((len(signals), 40)))
        assert (MFCCEmbedder(cache=tmp_path).transform(corpus.data[:2]) == 1).all()
    found = MFCCEmbedder(cache=tmp_path).transform(corpus.data[:2])
    np.testing.assert_array_equal(found, MFCCEmbedder().transform(corpus.data[:2]))
    assert len(list(tmp_path.iterdir())) == 2, "what was there stays"


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "foreign"])
def test_a_damaged_fold_is_computed_again_and_said(damage, corpus, tmp_path):
    shared = {"cache": tmp_path / "cache", **QUICK}
    evaluate_corpus(corpus, ["mfcc"], tmp_path / "out", **shared)
    scores = (tmp_path / "out" / "scores.csv").read_bytes()
    file = min((tmp_path / "out" / "folds").glob("*.json"))
    text = file.read_text()
    place = text.index('"gender"')
    changed = {
        "flip": text[:place] + text[place:].replace("female", "famale", 1),
        "cut": text[: len(text) // 2],
        "empty": "",
        "foreign": json.dumps({"key": json.loads(text)["key"], "content": 3}),
    }[damage]
    assert changed != text
    file.write_text(changed)
    with pytest.warns(CacheWarning, match="damaged"):
        evaluate_corpus(corpus, ["mfcc"], tmp_path / "out", **shared)
    assert (tmp_path / "out" / "scores.csv").read_bytes() == scores
    assert file.read_text() == text


def test_clocks_that_jump_change_nothing(corpus, tmp_path):
    """Times of files are years off, in both directions: content alone counts."""
    cache = tmp_path / "cache"
    expected = MFCCEmbedder(cache=cache).transform(corpus.data[:4])
    for year, path in enumerate(sorted(cache.rglob("*"))):
        os.utime(path, (86_400 * 365 * (year * 7 % 90),) * 2)
    computed = []

    class Watched(MFCCEmbedder):
        def _embed(self, signals):
            computed.append(len(signals))
            return super()._embed(signals)

    Watched.__name__ = "MFCCEmbedder"
    np.testing.assert_array_equal(Watched(cache=cache).transform(corpus.data[:4]), expected)
    assert computed == []


def test_a_model_that_was_changed_under_its_old_time_is_another_model(tmp_path):
    from sfmforensics.embedders._hub import hash_files

    file = tmp_path / "weights.bin"
    file.write_bytes(b"one")
    before, times = hash_files(tmp_path, [file]), file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert hash_files(tmp_path, [file]) != before


# -- two at once -----------------------------------------------------------------------------


def test_two_processes_on_one_cache_and_one_output(corpus, tmp_path):
    code = """
import json, sys
from sklearn.utils import Bunch
import pandas as pd
from sfmforensics.workflow import evaluate_corpus
paths, labels, cache, output = json.loads(sys.argv[1])
corpus = Bunch(data=paths, target=pd.DataFrame(labels))
evaluate_corpus(corpus, ["mfcc"], output, cache=cache, models=("svm",), folds=2, protocol="closed")
"""
    told = [corpus.data, corpus.target.to_dict("list"), str(tmp_path / "c"), str(tmp_path / "out")]
    command = [sys.executable, "-W", "error::UserWarning:sfmforensics", "-c", code]
    both = [subprocess.Popen([*command, json.dumps(told)]) for _ in range(2)]
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    evaluate_corpus(corpus, ["mfcc"], tmp_path / "alone", cache=tmp_path / "other", **QUICK)
    for name in ("scores.csv", "predictions.csv", "intervals.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    assert not list(tmp_path.rglob("*.part"))


def test_what_a_killed_process_left_is_swept_and_what_is_being_written_is_not(tmp_path):
    (tmp_path / ".left.part").write_bytes(b"half")
    with replacing(tmp_path / "file") as temporary:
        assert sweep(tmp_path) == 1
        assert os.path.exists(temporary)
        with open(temporary, "w") as file:
            file.write("whole")
    assert (tmp_path / "file").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_where_a_file_should_be_is_named(tmp_path):
    (tmp_path / "scores.csv").mkdir()
    with pytest.raises(OutputError, match=r"scores\.csv: it cannot be written \(Is a directory\)"):
        write_atomically(tmp_path / "scores.csv", "x")


def test_a_recording_that_changes_during_a_run_ends_it(corpus, tmp_path):
    copies = [shutil.copy(path, tmp_path) for path in corpus.data]
    moved = Bunch(data=copies, target=corpus.target)

    class Careless(MFCCEmbedder):
        def _embed(self, signals):
            shutil.copy(copies[1], copies[0])
            return super()._embed(signals)

    with pytest.raises(CustodyError, match=r"it changed while it was used"):
        save_embeddings(moved, make_views(("mfcc", Careless())), tmp_path / "out")
    with pytest.raises(Exception, match=r"views\.json"):
        load_embeddings(tmp_path / "out")
