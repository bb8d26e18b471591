import json
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from sfmforensics._utils.store import digest
from sfmforensics.cli import main
from sfmforensics.embedders import MFCCEmbedder
from sfmforensics.exceptions import CacheWarning, DatasetError, SFMForensicsError, ViewError
from sfmforensics.experiment import _evaluate
from sfmforensics.paper import paper_tables, plan_rows
from sfmforensics.workflow import _runs, reproduce_tables

pytestmark = pytest.mark.slow

VIEWS = ["mfcc", "prosody"]
QUICK = {"epochs": 1, "preset": "tuned", "folds": 2}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def done(corpus, cache, tmp_path_factory):
    output = tmp_path_factory.mktemp("reproduction")
    table = reproduce_tables(corpus, VIEWS, output, name="baved", cache=cache, **QUICK)
    return output, table


def content(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("config.json", "manifest.json")  # with the time
    }


def test_every_row_that_the_views_allow_is_there(done):
    output, table = done
    assert set(table["table"]) == {1, 2, 4, 6, 8}
    systems = table[table["table"] != 6].groupby(["setup", "view_1", "view_2"], sort=False)
    assert list(systems.groups) == [
        ("svst", "mfcc", ""),
        ("svst", "prosody", ""),
        ("svmt", "mfcc", ""),
        ("svmt", "prosody", ""),
        ("mvmt-concat", "mfcc", "prosody"),
        ("tango", "mfcc", "prosody"),
        ("tango-x1-to-x2", "mfcc", "prosody"),
        ("tango-x2-to-x1", "mfcc", "prosody"),
    ]
    for _, found in systems:
        closed = found[found["protocol"] == "closed"]
        assert {"speaker", "emotion", "gender", "age"} == set(closed["task"])
        assert closed["mean"].notna().all()
    for name in ("scores.csv", "intervals.csv", "comparisons.csv", "config.json", "scores.png"):
        assert (output / name).is_file()
    assert not list(output.rglob("*.part"))


def test_the_mfcc_rows_stand_beside_the_papers(done):
    _, table = done
    row = table.query("setup == 'svmt' and view_1 == 'mfcc' and protocol == 'closed'")
    row = row[row["table"] == 2].dropna(subset="paper").set_index("task")["paper"]
    assert row[["speaker", "emotion", "gender", "age"]].tolist() == [0.8734, 0.6951, 0.9845, 2.84]


def test_a_single_task_system_learns_one_task_at_a_time(done, corpus, cache, tmp_path):
    _, table = done
    ages = Bunch(data=corpus.data, target=corpus.target[["age", "speaker"]])
    alone = reproduce_tables(ages, ["mfcc"], tmp_path, name="x", tables=[1], cache=cache, **QUICK)
    same = "setup == 'svst' and view_1 == 'mfcc' and task == 'age' and protocol == 'closed'"
    own, other = (frame[frame["table"] == 1].query(same) for frame in (alone, table))
    assert len(own) == 3
    np.testing.assert_array_equal(own["mean"], other["mean"])


def test_what_is_done_is_kept_and_what_is_missing_computed_to_the_same_bytes(
    done, corpus, cache, tmp_path, monkeypatch
):
    output, _ = done
    again = tmp_path / "again"
    shutil.copytree(output / "rows", again / "rows")
    (torn,) = (again / "rows").glob("tango_mfcc+prosody_disjoint_*/*_1.json")
    torn.write_text(torn.read_text()[:-30])  # as a crash of the disk would leave it
    (gone,) = (again / "rows").glob("svmt_mfcc_closed_*/*_0.json")
    gone.unlink()
    computed = []
    run_fold = _evaluate._run_fold

    def watched(model, unheard, *args, **kwargs):
        computed.append((type(model).__name__, unheard))
        return run_fold(model, unheard, *args, **kwargs)

    monkeypatch.setattr(_evaluate, "_run_fold", watched)
    with pytest.warns(CacheWarning, match="damaged"):
        reproduce_tables(corpus, VIEWS, again, name="baved", cache=cache, **QUICK)
    assert sorted(computed) == [("SingleView", False), ("TANGO", True)]  # closed, disjoint
    assert content(again) == content(output)
    config = json.loads((again / "config.json").read_text())
    assert config["rows"] == {"in all": 16, "kept from before": 14}


@pytest.mark.parametrize("change", [{"seed": 1}, {"epochs": 2}, {"folds": 3}, {"preset": "paper"}])
def test_rows_of_another_experiment_are_not_mixed_in(
    done, corpus, cache, tmp_path, monkeypatch, change
):
    output, _ = done
    shutil.copytree(output / "rows", tmp_path / "rows")
    paths = [p.relative_to(output) for p in (output / "rows").glob("svmt_mfcc_closed_*/*.json")]
    reproduce_tables(
        corpus,
        ["mfcc"],
        tmp_path,
        name="baved",
        tables=[2],
        protocol="closed",
        cache=cache,
        **QUICK | change,
    )
    assert len(paths) == 2
    for path in paths:
        assert (tmp_path / path).read_bytes() != (output / path).read_bytes()


def test_a_protocol_and_a_view_can_be_added_later(corpus, cache, tmp_path, monkeypatch):
    shared = {"name": "baved", "tables": [2], "cache": cache, **QUICK}
    reproduce_tables(corpus, ["mfcc"], tmp_path, protocol="closed", **shared)
    reproduce_tables(corpus, ["prosody", "mfcc"], tmp_path, **shared)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["rows"] == {"in all": 4, "kept from before": 1}


def test_names_of_views_may_hold_what_file_names_cannot(corpus, cache, tmp_path):
    views = [("a.b", MFCCEmbedder()), ("a.c", MFCCEmbedder()), ("a c/é", MFCCEmbedder())]
    shared = {"name": "mine", "tables": [2], "protocol": "closed", "cache": cache, **QUICK}
    table = reproduce_tables(corpus, views, tmp_path, **shared)
    assert len(list((tmp_path / "rows").iterdir())) == 3
    assert set(table["view_1"]) == {"a.b", "a.c", "a c/é"}
    assert table.groupby(["task", "metric"])["mean"].nunique().eq(1).all()  # of equal vectors


def test_each_speaker_can_be_left_out(corpus, cache, tmp_path):
    shared = {"name": "mine", "tables": [2], "cache": cache, **QUICK | {"folds": "speakers"}}
    table = reproduce_tables(corpus, ["mfcc"], tmp_path, **shared)
    folds = table.query("task == 'age' and metric == 'mae'").set_index("protocol")["folds"]
    assert folds.to_dict() == {"closed": 5, "disjoint": 6}


def test_more_jobs_give_the_same_files(corpus, cache, tmp_path):
    for jobs in (1, 2):
        reproduce_tables(
            corpus,
            VIEWS,
            tmp_path / str(jobs),
            name="baved",
            tables=[2],
            cache=cache,
            n_jobs=jobs,
            **QUICK,
        )
    assert content(tmp_path / "1") == content(tmp_path / "2")


def test_a_row_that_fails_loses_no_other(corpus, cache, tmp_path, monkeypatch):
    run_fold = _evaluate._run_fold

    def failing(model, protocol, train, test, *args, X, **kwargs):
        if X.columns[0].startswith("prosody"):
            raise SFMForensicsError("planted")
        return run_fold(model, protocol, train, test, *args, X=X, **kwargs)

    monkeypatch.setattr(_evaluate, "_run_fold", failing)
    with pytest.raises(SFMForensicsError, match="planted"):
        reproduce_tables(corpus, VIEWS, tmp_path, name="baved", tables=[2], cache=cache, **QUICK)
    done = {path.parent.name.rpartition("_")[0] for path in (tmp_path / "rows").rglob("*.json")}
    assert done == {"svmt_mfcc_closed", "svmt_mfcc_disjoint"}


def test_the_command_says_what_it_found_and_what_is_next(tmp_path, corpus, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = corpus.target.assign(path=corpus.data)
    table.to_csv("voices.csv", index=False)
    command = ["reproduce", "--corpus", "manifest", "--root", "voices.csv", "--views", "mfcc"]
    command += ["--tables", "2", "--epochs", "1", "--folds", "2", "--preset", "tuned"]
    assert main(command) == 1
    assert "voices.csv: row 2 leads to" in capsys.readouterr().err
    command += ["--allow-outside"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "Table 2: one view, all tasks at once" in shown
    assert "sfmforensics report reproduction" in shown
    config = json.loads((tmp_path / "reproduction" / "config.json").read_text())
    assert config["command"] == "sfmforensics " + " ".join(command)
    assert main(["report", "reproduction"]) == 0
    page = (tmp_path / "reproduction" / "report.html").read_text(encoding="utf-8")
    assert "Table 2: one view, all tasks at once" in page


@pytest.mark.parametrize(
    ("views", "options", "error", "says"),
    [
        (["mfcc"], {"tables": [4]}, ViewError, "tables 4 are of pairs of views"),
        (["mfcc"], {"tables": [3]}, DatasetError, r"table 3 does not tell of baved; .* 1, 2, 4"),
        (["mfcc"], {"preset": "best"}, SFMForensicsError, "no preset is called 'best'"),
        (["mfcc"], {"protocol": "open"}, SFMForensicsError, "no protocol is called 'open'"),
        (["mfcc"], {"device": "abacus"}, SFMForensicsError, "device 'abacus' cannot be used"),
    ],
)
def test_what_does_not_exist_is_refused_before_anything_is_computed(
    corpus, tmp_path, monkeypatch, views, options, error, says
):
    monkeypatch.setattr(_runs, "plan_folds", lambda *_: pytest.fail("too late"))
    with pytest.raises(error, match=says):
        reproduce_tables(corpus, views, tmp_path, name="baved", **options)
    assert not list(tmp_path.iterdir())


def test_tables_are_numbers(capsys):
    command = ["reproduce", "--corpus", "baved", "--root", "nowhere", "--tables", "two"]
    assert main(command) == 1


def test_pairs_have_the_order_of_the_paper():
    assert plan_rows("baved", ["mfcc", "whisper"], [8])[0] == (
        *(8, "tango-x1-to-x2", ("whisper", "mfcc")),
    )
    assert plan_rows("mine", ["mine", "yours"], [4])[0][2] == ("mine", "yours")
    assert len(plan_rows("emodb", ["mfcc", "whisper", "x-vector"])) == 3 + 3 + 3 * 2 + 3 * 2
    assert [row[0] for row in plan_rows("cremad", ["mfcc"], [6])] == [1, 2]
    assert list(paper_tables("crema-d")) == [1, 2, 3, 6, 7]


def test_digests_tell_experiments_apart():
    frame = pd.DataFrame({"a": [1.0, 2.0]})
    assert digest(frame) == digest(frame.copy())
    assert digest(frame) != digest(frame.rename(columns={"a": "b"}))
    assert digest(frame) != digest(frame + 1e-12)
    split = [(np.array([0, 1]), np.array([2]))]
    assert digest(split) == digest([(np.array([0, 1]), np.array([2]))])
    assert digest(split) != digest([(np.array([0]), np.array([1, 2]))])
    assert digest({"closed": split}) != digest({"disjoint": split})
