"""Vectors of a corpus as one matrix on disk."""

import ast
import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

import sfmforensics
from sfmforensics import TANGO, load_embeddings, make_views, save_embeddings
from sfmforensics.cli import main
from sfmforensics.datasets import load_manifest, make_speech_corpus
from sfmforensics.datasets._base import label_column
from sfmforensics.embedders import MFCCEmbedder
from sfmforensics.exceptions import AudioError, DatasetError, SFMForensicsError
from sfmforensics.targets import Votes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_speech_corpus(
        3, 4, duration=0.5, random_state=0, output=tmp_path_factory.mktemp("voices")
    )


@pytest.fixture(scope="module")
def folder(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("matrix") / "vectors"
    refused = save_embeddings(corpus, make_views("mfcc", "prosody"), folder)
    assert refused.empty
    return folder


def test_what_was_written_comes_back(corpus, folder):
    found = load_embeddings(folder)
    X = make_views("mfcc", "prosody").fit_transform(corpus.data)
    pd.testing.assert_frame_equal(found.data, X.reset_index(drop=True), check_exact=True)
    pd.testing.assert_frame_equal(found.target, corpus.target.reset_index(drop=True))
    assert found.details["recording"].tolist() == [str(path) for path in corpus.data]
    assert found.groups.tolist() == corpus.groups.tolist()
    assert found.DESCR == corpus.DESCR


def test_the_matrix_stays_on_disk(folder):
    found = load_embeddings(folder)
    values = found.data.to_numpy()
    while values.base is not None and not isinstance(values, np.memmap):
        values = values.base
    assert isinstance(values, np.memmap)
    assert not values.flags.writeable


def test_a_model_learns_from_it_what_it_learns_from_memory(corpus, folder):
    found = load_embeddings(folder)
    X = make_views("mfcc", "prosody").fit_transform(corpus.data)
    settings = {"max_epochs": 1, "random_state": 0}
    model = TANGO(**settings).fit(found.data, found.target)
    assert list(model.views_) == ["mfcc", "prosody"]
    expected = TANGO(**settings).fit(X, corpus.target).predict(X)
    found = model.predict(found.data)
    pd.testing.assert_frame_equal(found, expected.reset_index(drop=True), check_exact=True)


def test_what_cannot_be_used_is_left_out_if_asked(corpus, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_text("no sound")
    data = [corpus.data[0], broken, *corpus.data[1:3]]
    some = Bunch(data=data, target=corpus.target.iloc[:4])
    with pytest.raises(AudioError, match=r"broken\.wav"):
        save_embeddings(some, make_views("mfcc"), tmp_path / "vectors")
    with pytest.raises(DatasetError, match="run it again"):
        load_embeddings(tmp_path / "vectors")
    refused = save_embeddings(some, make_views("mfcc"), tmp_path / "vectors", on_error="skip")
    assert refused[["recording", "view"]].to_numpy().tolist() == [[1, "mfcc"]]
    found = load_embeddings(tmp_path / "vectors")
    np.testing.assert_array_equal(found.data, MFCCEmbedder().transform(corpus.data[:3]))
    assert found.target["speaker"].tolist() == corpus.target["speaker"].iloc[[0, 2, 3]].tolist()
    nothing = Bunch(data=[broken], target=corpus.target.iloc[:1])
    with pytest.raises(SFMForensicsError, match="none of 1 recordings can be used"):
        save_embeddings(nothing, make_views("mfcc"), tmp_path / "none", on_error="skip")


def test_a_name_that_is_no_utf_8_can_be_recognised_in_the_table(corpus, tmp_path):
    odd, macs = tmp_path / os.fsdecode(b"caf\xe9.wav"), tmp_path / "3.14\u202fPM.wav"
    for path in (odd, macs):
        shutil.copy(corpus.data[0], path)
    some = Bunch(data=[odd, str(macs)], target=corpus.target.iloc[:2])
    save_embeddings(some, make_views("mfcc"), tmp_path / "vectors")
    named = load_embeddings(tmp_path / "vectors").details["recording"]
    assert ast.literal_eval(named[0]) == str(odd)
    assert named[1] == str(macs)


def test_labels_of_every_kind_come_back_as_they_were(corpus, tmp_path):
    table = tmp_path / "table.csv"
    rows = ["path,speaker,age,room,score"]
    rows += [
        f"{corpus.data[0]},01,33,4,0.5",
        f"{corpus.data[1]},,,5,",
        f"{corpus.data[2]},nan,7,6,1",
    ]
    table.write_text("\n".join(rows))
    given = load_manifest(table, allow_outside=True)
    given.target["left"] = [True, False, True]
    given.target["floor"] = label_column([1, None, 2])
    given.target["recording"] = label_column(["a,b", 'x"y', "line\nbreak"])
    save_embeddings(given, make_views("mfcc"), tmp_path / "vectors")
    pd.testing.assert_frame_equal(load_embeddings(tmp_path / "vectors").target, given.target)


def test_votes_come_back_to_the_last_bit(corpus, tmp_path):
    given = [Votes("sad", {"sad": 1, "calm": 2, "fear": 4}), None, "calm", Votes("x,y", {"x,y": 3})]
    target = pd.DataFrame({"sad:x": label_column("abcd"), "mood": label_column(given)})
    target["level"] = label_column([Votes("1", {"1": 2, "2": 5}), None, None, None])
    some = Bunch(data=corpus.data[:4], target=target)
    save_embeddings(some, make_views("mfcc"), tmp_path / "vectors")
    found = load_embeddings(tmp_path / "vectors").target
    pd.testing.assert_frame_equal(found, target)
    for name in ("mood", "level"):
        assert [dict(getattr(label, "shares", {})) for label in found[name]] == [
            dict(getattr(label, "shares", {})) for label in target[name]
        ]


LONG = 20240330000000001  # which a double does not hold


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([LONG, None, LONG + 1], dtype="Int64"),
        pd.Series([LONG, 0, LONG + 1]),
        pd.Series(pd.Categorical([1, 2, 1])).astype("category"),
        label_column([True, None, False]),
        label_column(["007", "1.10", "1.1"]),
        label_column(["nan", "NA", "None"]),
        label_column(["2.02403E+19", "1e3", "-0"]),
        label_column([str(LONG) * 2, None, "20240330000000000001"]),
        pd.Series([0.1 + 0.2, 1 / 3, 5e-324]),
    ],
)
def test_what_labels_say_does_not_change_on_the_disk(corpus, tmp_path, column):
    some = Bunch(data=corpus.data[:3], target=pd.DataFrame({"session": column}))
    save_embeddings(some, make_views("mfcc"), tmp_path / "vectors")
    found = load_embeddings(tmp_path / "vectors").target["session"]
    assert [None if pd.isna(v) else v for v in found] == [
        None if pd.isna(v) else v for v in column.tolist()
    ]


def test_an_interrupted_rewrite_is_not_taken_for_a_whole_one(corpus, tmp_path, monkeypatch):
    save_embeddings(corpus, make_views("mfcc"), tmp_path)
    monkeypatch.setattr(MFCCEmbedder, "_embed", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save_embeddings(corpus, make_views("mfcc"), tmp_path)
    with pytest.raises(DatasetError, match="run it again"):
        load_embeddings(tmp_path)
    assert not list(tmp_path.glob(".*.part"))  # nor is half a matrix left behind


def cut(folder):
    np.save(folder / "vectors.npy", np.zeros((5, 74), np.float32))


def lie(folder):
    described = json.loads((folder / "views.json").read_text())
    (folder / "views.json").write_text(json.dumps(described | {"format": 7}))


def describe(**changed):
    """Write something else into the description."""

    def damage(folder):
        described = json.loads((folder / "views.json").read_text())
        (folder / "views.json").write_text(json.dumps(described | changed))

    return damage


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut, r"vectors\.npy is 5 x 74, but recordings\.csv has 12 rows"),
        (lie, "format 7 is not known"),
        (lambda folder: (folder / "vectors.npy").unlink(), "cannot be read"),
        (lambda folder: (folder / "vectors.npy").write_bytes(b"PK"), "cannot be read"),
        (lambda folder: (folder / "recordings.csv").write_text("a,b\n"), "cannot be read"),
        (lambda folder: (folder / "views.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "views.json").unlink(), "embed --output"),
        (lambda folder: (folder / "views.json").write_text("[" * 10**5), "cannot be read"),
        (lambda folder: np.save(folder / "vectors.npy", np.zeros(12, "f4")), "is 12, but"),
        (
            lambda folder: np.save(folder / "vectors.npy", np.zeros((12, 74))),
            "float64, not float32",
        ),
        (describe(views={"mfcc": 10**15}), "1000000000000000 columns"),
        (describe(views=["mfcc"]), "cannot be read"),
        (describe(labels={"speaker": "str"}), "has the columns"),
    ],
)
def test_files_that_do_not_go_together_are_refused(folder, tmp_path, damage, says):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    damage(tmp_path)
    with pytest.raises(DatasetError, match=says):
        load_embeddings(tmp_path)


def test_a_file_is_no_folder_for_a_matrix(corpus, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SFMForensicsError, match="is a file"):
        save_embeddings(corpus, make_views("mfcc"), tmp_path / "file")


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (lambda y: y.set_axis([0, 1, 2, 3], axis=1), "0 is no text; rename it"),
        (lambda y: y.set_axis(["a", "b", "a", "c"], axis=1), "two are called 'a'; rename it"),
        (lambda y: y.iloc[1:], "12 recordings, but 11 rows of labels"),
    ],
)
def test_labels_that_would_not_come_back_are_refused_first(corpus, tmp_path, target, says):
    odd = Bunch(data=corpus.data, target=target(corpus.target))
    with pytest.raises(DatasetError, match=says):
        save_embeddings(odd, make_views("mfcc"), tmp_path / "vectors")
    assert not (tmp_path / "vectors").exists()


def test_the_command_writes_it(corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    frame = corpus.target.assign(path=corpus.data)
    frame.to_csv("table.csv", index=False)
    command = ["embed", "--corpus", "manifest", "--root", "table.csv", "--output", "vectors"]
    assert main(command) == 1
    assert "outside of" in capsys.readouterr().err
    assert main([*command, "--allow-outside"]) == 0
    said = capsys.readouterr().out
    assert "mfcc: 12 recordings, 40 numbers each" in said
    assert 'sfmforensics.load_embeddings("vectors")' in said
    found = sfmforensics.load_embeddings("vectors")
    assert found.data.shape == (12, 74)
    assert found.target["age"].tolist() == corpus.target["age"].tolist()
