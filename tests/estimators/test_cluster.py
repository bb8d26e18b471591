"""Work on a Dask cluster of two worker processes on this machine."""

import os

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

from sfmforensics import TANGO, make_views
from sfmforensics.audio import read_audio
from sfmforensics.cli import _cluster, main
from sfmforensics.datasets import make_speech_corpus
from sfmforensics.embedders import CallableEmbedder, MFCCEmbedder
from sfmforensics.exceptions import AudioError
from sfmforensics.metrics import task_scorers

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_figures")]

distributed = pytest.importorskip("distributed", reason='needs "sfmforensics[distributed]"')

FAST = {"encoder": "tokens", "hidden": (16,), "max_epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    output = tmp_path_factory.mktemp("voices")
    corpus = make_speech_corpus(3, 6, duration=0.5, random_state=0, output=output)
    corpus.table = str(output / "table.csv")
    corpus.target.assign(path=corpus.data).to_csv(corpus.table, index=False)
    return corpus


@pytest.fixture(scope="module")
def cluster():
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.LocalCluster(processes=True, **options) as cluster:
        yield cluster


@pytest.fixture
def on_cluster(cluster):
    with distributed.Client(cluster) as client, joblib.parallel_config(backend="dask"):
        client.wait_for_workers(2)
        yield client


def pid_embedder(**options):
    def pid(signal):
        import os
        import time

        time.sleep(0.05)
        return np.array([os.getpid(), len(signal)], dtype=np.float32)

    return CallableEmbedder(pid, dimension=2, name="pid", **options)


def test_recordings_are_read_by_the_workers(corpus, on_cluster):
    found = pid_embedder().transform(corpus.data)
    assert set(found[:, 0]) == {
        float(np.float32(pid)) for pid in on_cluster.run(os.getpid).values()
    }
    assert found[:, 1].tolist() == [len(read_audio(path)) for path in corpus.data]


def test_signals_stay_where_they_are(corpus, on_cluster):
    rng = np.random.default_rng(0)
    found = pid_embedder().transform([(rng.normal(size=800 + i), 16_000) for i in range(4)])
    assert set(found[:, 0]) == {np.float32(os.getpid())}


def test_vectors_are_those_of_one_process(corpus, on_cluster, tmp_path):
    found = make_views("mfcc", "prosody", cache=tmp_path / "here").fit_transform(corpus.data)
    with joblib.parallel_config(backend="sequential"):
        alone = make_views("mfcc", "prosody", cache=tmp_path / "there").fit_transform(corpus.data)
    pd.testing.assert_frame_equal(found, alone, check_exact=True)
    kept = [sorted(path.name for path in folder.rglob("*.vec")) for folder in tmp_path.iterdir()]
    assert kept[0] == kept[1]


def test_processes_of_this_machine_are_used_as_well(corpus):
    with joblib.parallel_config(n_jobs=2):
        found = pid_embedder().transform(corpus.data)
    assert len(set(found[:, 0])) == 2
    assert set(pid_embedder().transform(corpus.data)[:, 0]) == {np.float32(os.getpid())}


def test_a_broken_recording_is_named_and_the_rest_is_kept(corpus, on_cluster, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_text("no sound")
    recordings = [*corpus.data[:10], broken, *corpus.data[10:]]
    with pytest.raises(AudioError, match=r"broken\.wav: it cannot be read as sound"):
        MFCCEmbedder().transform(recordings)
    vectors, usable, refused = MFCCEmbedder().transform_usable(recordings)
    assert usable.tolist() == [row for row in range(19) if row != 10]
    assert [error.source for error in refused] == [str(broken)]
    np.testing.assert_array_equal(vectors, MFCCEmbedder().transform(corpus.data))


def test_scikit_learn_gives_there_what_it_gives_here(corpus, on_cluster):
    pipe = make_pipeline(make_views("mfcc", "prosody"), TANGO(**FAST))
    X, y = make_views("mfcc", "prosody").fit_transform(corpus.data), corpus.target

    def results():
        scores = cross_validate(TANGO(**FAST), X, y, cv=3, scoring=task_scorers(y))
        whole = cross_validate(pipe, corpus.data, y, cv=2, scoring=task_scorers(y))
        search = GridSearchCV(TANGO(**FAST), {"reg": [0.1, 0.5]}, cv=2).fit(X, y)
        tables = scores, whole, search.cv_results_
        return [
            {name: column for name, column in table.items() if "time" not in name}
            for table in tables
        ]

    there = results()
    with joblib.parallel_config(backend="sequential"):
        here = results()
    for one, other in zip(there, here, strict=True):
        pd.testing.assert_frame_equal(pd.DataFrame(one), pd.DataFrame(other), check_exact=True)


@pytest.mark.parametrize(
    ("command", "table"),
    [
        (["evaluate", "--model", "tango,svm", "--folds", "2"], "scores.csv"),
        (["reproduce", "--tables", "2", "--folds", "2"], "reproduction.csv"),
    ],
)
def test_commands_write_there_what_they_write_here(
    corpus, cluster, tmp_path, monkeypatch, capsys, command, table
):
    monkeypatch.chdir(tmp_path)
    command += [
        "--corpus",
        "manifest",
        "--root",
        corpus.table,
        "--epochs",
        "1",
        "--protocol",
        "closed",
    ]
    assert main([*command, "--cache", "here", "--output", "local"]) == 0
    there = ["--cache", "there", "--output", "remote", "--cluster", cluster.scheduler_address]
    assert main([*command, *there]) == 0
    assert "2 workers at tcp://" in capsys.readouterr().out
    for job in ("_embed_chunk", "_run_fold"):
        assert any(job in name for name in cluster.scheduler.task_prefixes), job
    # What workers found is kept here, whatever folder they work in.
    kept = [{p.name for p in (tmp_path / of).rglob("*.json")} for of in ("local", "remote")]
    assert kept[0] == kept[1]
    assert any(name.endswith("_0.json") for name in kept[1])
    local, remote = (
        pd.read_csv(folder / table) for folder in (tmp_path / "local", tmp_path / "remote")
    )
    seconds = [name for name in local if "seconds" in name]
    pd.testing.assert_frame_equal(
        local.drop(columns=seconds), remote.drop(columns=seconds), check_exact=True
    )


def test_a_worker_that_is_killed_loses_nothing(corpus, tmp_path):
    flag = str(tmp_path / "killed")

    def fragile(signal):
        import os
        import signal as signals

        if not os.path.exists(flag):
            with open(flag, "w"):
                pass
            os.kill(os.getpid(), signals.SIGKILL)
        return np.array([signal.sum(), len(signal)], dtype=np.float32)

    def steady(signal):
        return np.array([signal.sum(), len(signal)], dtype=np.float32)

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(processes=True, **options) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        found = CallableEmbedder(fragile, dimension=2).transform(corpus.data)
    assert os.path.exists(flag)
    expected = CallableEmbedder(steady, dimension=2).transform(corpus.data)
    np.testing.assert_array_equal(found, expected)


def test_a_cluster_that_is_not_there_is_said_to_be_so(corpus, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_cluster, "_PATIENCE", "1s")
    command = ["embed", "--corpus", "manifest", "--root", corpus.table]
    assert main([*command, "--cluster", "tcp://127.0.0.1:9"]) != 0
    assert "--cluster tcp://127.0.0.1:9: no scheduler answers there" in capsys.readouterr().err
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0") as empty:
        assert main([*command, "--cluster", empty.scheduler_address]) != 0
    assert "no worker is there; start some with" in capsys.readouterr().err
