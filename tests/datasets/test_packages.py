"""A view and a corpus that another package brings, and one more of each in our own tables."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from sfmforensics.cli import main
from sfmforensics.datasets import CORPORA, load_corpus, make_speech_corpus
from sfmforensics.embedders import REGISTRY, make_embedder
from sfmforensics.embedders.registry import RegisteredView
from sfmforensics.exceptions import DatasetError, EmbedderError, ModelFileError, PackageWarning
from sfmforensics.saving import read_model, save_model

THEIRS = '''
import os

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from sfmforensics.embedders import BaseEmbedder


class TheirEmbedder(BaseEmbedder):
    """The shortest embedder that there is: it takes no channel, no model and no device."""

    def __init__(self, n_parts=4, cache=None, verbose=False):
        self.n_parts, self.cache, self.verbose = n_parts, cache, verbose

    def _identity(self):
        return {"n_parts": self.n_parts}

    def _dimension(self):
        return self.n_parts

    def _embed(self, signals):
        parts = [np.array_split(signal, self.n_parts) for signal in signals]
        return np.array([[part.std() for part in of_one] for of_one in parts])


def load_theirs(root):
    table = pd.read_csv(os.path.join(root, "theirs.csv"), dtype=str)
    return Bunch(data=[os.path.join(root, name) for name in table.pop("path")], target=table)
'''
GROUPS = {
    "sfmforensics.views": {"theirview": "theirs:TheirEmbedder", "broken": "theirs:Nothing"},
    "sfmforensics.corpora": {"theirs": "theirs:load_theirs"},
}
ASKED = ["--corpus", "theirs", "--root", "voices", "--views", "theirview@n_parts=6,mfcc"]
FIT = ["--cache", "cache", "--epochs", "1"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    corpus = make_speech_corpus(4, 6, duration=0.4, random_state=0, output="voices")
    names = [os.path.relpath(path, "voices") for path in corpus.data]
    corpus.target.drop(columns="age").assign(path=names).to_csv("voices/theirs.csv", index=False)
    return tmp_path


@pytest.fixture
def theirs(here, install):
    yield install("theirs", GROUPS, THEIRS)
    sys.modules.pop("theirs", None)


def test_a_view_and_a_corpus_of_another_package_are_evaluated(theirs):
    options = ["--folds", "2", "--protocol", "closed", "--output", "out"]
    command = [Path(sys.executable).with_name("sfmforensics"), "evaluate", *ASKED, *FIT, *options]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(theirs), *sys.path])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    scores = pd.read_csv("out/scores.csv")
    assert set(scores["views"]) == {"theirview+mfcc"}
    assert set(scores["task"]) == {"speaker", "emotion", "gender"}


def test_a_model_with_their_view_is_saved_read_and_asked(theirs, here, monkeypatch, capsys):
    assert main(["train", *ASKED, *FIT, "--output", "model.safetensors"]) == 0
    model = read_model("model.safetensors")
    embedder = model[0].transformer_list[0][1]
    assert (type(embedder).__name__, embedder.n_parts) == ("TheirEmbedder", 6)
    save_model(model, "again.safetensors")
    files = [str(file) for file in sorted(here.glob("voices/**/*.wav"))[:2]]
    capsys.readouterr()
    assert main(["predict", "again.safetensors", *files, "--format", "csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert main(["verify", "model.safetensors"]) == 0
    monkeypatch.setattr(sys, "path", [part for part in sys.path if part != str(theirs)])
    with pytest.raises(ModelFileError, match="TheirEmbedder; install the package that brings it"):
        read_model("again.safetensors")


def test_messages_name_what_packages_bring(theirs, here):
    with pytest.raises(
        EmbedderError, match=r"did you mean 'theirview'.*prosody, broken, theirview"
    ):
        make_embedder("thairview")
    with pytest.raises(DatasetError, match=r"table \(a table of your own\), .* or theirs"):
        load_corpus("switchboard", "voices")


def test_what_is_wrong_with_what_they_bring_is_said(theirs, here, install):
    with pytest.raises(EmbedderError, match="view 'broken' of the package 'theirs' cannot be load"):
        make_embedder("broken")
    with pytest.raises(EmbedderError, match="'theirview' has no model"):
        make_embedder("theirview=openai/whisper-base")
    with pytest.raises(EmbedderError, match="TheirEmbedder has no parameter 'channel'"):
        make_embedder("theirview", channel=2)
    with pytest.raises(DatasetError, match="corpus 'theirs': it lists no"):
        load_corpus("theirs", "voices", allow_outside=True)
    others = {"sfmforensics.views": {"mfcc": "others:x", "no-class": "others:x"}}
    install("others", others | {"sfmforensics.corpora": {"empty": "others:len"}}, "x, len = 1, len")
    with pytest.warns(PackageWarning, match="'mfcc' of the package 'others' is not used"):
        assert make_embedder("theirview")[0] == "theirview"
    with (
        pytest.warns(PackageWarning),
        pytest.raises(EmbedderError, match="'no-class' is no class of BaseEmbedder"),
    ):
        make_embedder("no-class")
    with pytest.raises(DatasetError, match="corpus 'empty': its loader gives no Bunch"):
        load_corpus("empty", "voices")


def test_one_more_entry_in_our_tables_is_all_there_is_to_do(theirs, here, monkeypatch, capsys):
    view = RegisteredView("theirs:TheirEmbedder", None, 4, "a test")
    monkeypatch.setitem(REGISTRY, "fourth", view)
    monkeypatch.setitem(CORPORA, "fifth", lambda root: load_corpus("theirs", root))
    asked = ["--corpus", "fifth", "--root", "voices", "--views", "mfcc,fourth", "--cache", "cache"]
    assert main(["embed", *asked]) == 0
    assert "fourth: 24 recordings, 4 numbers each" in capsys.readouterr().out
