"""Several corpora as one: what becomes of their labels is told, and nothing is guessed."""

import numpy as np
import pandas as pd
import pytest

from sfmforensics.datasets import load_corpora
from sfmforensics.exceptions import DatasetError, DatasetWarning

SECTIONS = '[corpora.one]\ncorpus = "table"\nroot = "one.csv"\n[corpora.two]\ncorpus = "table"\n'
SECTIONS += 'root = "two.csv"\n'


@pytest.fixture
def write(tmp_path, make_files):
    def write(one, two, more=""):
        for name, text in (("one", one), ("two", two)):
            rows = [line.split(",")[0] for line in text.splitlines()[1:]]
            make_files(*rows, root=tmp_path)
            (tmp_path / f"{name}.csv").write_text(text)
        (tmp_path / "c.toml").write_text(SECTIONS + more)
        return tmp_path / "c.toml"

    return write


ONE = "path,speaker,gender,emotion,age,text\na.wav,1,f,Happy,20,x\nb.wav,2,M,sad,,y\n"
TWO = "path,speaker,gender,emotion\nc.wav,1,Female,happiness\nd.wav,,male,fear\n"


def test_what_everybody_spells_differently_is_one(write):
    with pytest.warns(DatasetWarning) as warned:
        corpora = load_corpora(write(ONE, TWO))
    assert corpora.target.drop(columns="age").to_dict("list") == {
        "speaker": ["one/1", "one/2", "two/1", None],
        "gender": ["female", "male", "female", "male"],
        "emotion": ["happiness", None, "happiness", None],
    }
    np.testing.assert_array_equal(corpora.target["age"], [20, np.nan, np.nan, np.nan])
    assert corpora.groups.tolist() == ["one/1", "one/2", "two/1", ""]
    assert corpora.details["corpus"].tolist() == ["one", "one", "two", "two"]
    assert corpora.details["text"].dropna().tolist() == ["x", "y"]
    assert corpora.labels["emotion"]["dropped"] == {"one": {"sad": 1}, "two": {"fear": 1}}
    assert corpora.labels["gender"]["map"]["one"] == {"M": "male", "f": "female"}
    said = " ".join(str(one.message) for one in warned)
    assert "keep no label of 'emotion': one 1 (sad); two 1 (fear)" in said
    assert "1 names of speakers are in several corpora (1)" in said
    assert corpora.same_names == ["1"]


def test_a_map_says_which_labels_become_one(write):
    lines = '[labels.emotion]\njoy = ["happiness"]\nupset = ["sad", "fear"]\n'
    with pytest.warns(DatasetWarning, match="names of speakers"):
        corpora = load_corpora(write(ONE, TWO, lines))
    assert corpora.target["emotion"].tolist() == ["joy", "upset", "joy", "upset"]
    assert corpora.labels["emotion"]["map"] == {
        "one": {"Happy": "joy", "sad": "upset"},
        "two": {"fear": "upset", "happiness": "joy"},
    }


@pytest.mark.filterwarnings("ignore::sfmforensics.exceptions.DatasetWarning")
def test_a_map_may_be_of_one_corpus(write):
    one = "path,emotion\na.wav,0\nb.wav,1\n"
    two = "path,emotion\nc.wav,high\nd.wav,low\n"
    lines = '[labels.emotion]\nhigh = ["high"]\nlow = ["low"]\n[labels.emotion.one]\nhigh = ["1"]\n'
    lines += 'low = ["0"]\n'
    corpora = load_corpora(write(one, two, lines))
    assert corpora.target["emotion"].tolist() == ["low", "high", "high", "low"]
    assert corpora.groups is None


@pytest.mark.filterwarnings("ignore::sfmforensics.exceptions.DatasetWarning")
def test_tasks_choose_and_the_speaker_stays_known(write):
    corpora = load_corpora(write(ONE, TWO), tasks=["gender"])
    assert list(corpora.target) == ["gender"]
    assert corpora.details["speaker"].tolist() == ["one/1", "one/2", "two/1", None]
    with pytest.raises(DatasetError, match="no corpus has mood; there are speaker, gender"):
        load_corpora(write(ONE, TWO), tasks=["mood"])


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("[labels.mood]\nx = ['y']\n", "labels are mapped for mood, which no corpus has"),
        ("[labels.emotion]\nx = 'sad'\n", r"\[labels.emotion\] x is 'sad'; give a list"),
        ("[labels.emotion]\nx = ['sad']\ny = ['sad']\n", "makes 'sad' both 'x' and 'y'"),
        ("[label.emotion]\nx = ['sad']\n", "has a section 'label'"),
        ("tests = 1\n", r"\[corpora.two\] has the key 'tests'; it needs corpus and root"),
        ("= 1\n", "cannot be read as TOML"),
    ],
)
def test_a_file_that_cannot_be_used(write, more, says):
    with pytest.raises(DatasetError, match=says):
        load_corpora(write(ONE, TWO, more))


def test_corpora_that_do_not_go_together(write, tmp_path):
    with pytest.raises(DatasetError, match=r"'level' is numbers in one and labels in others"):
        load_corpora(write("path,level\na.wav,1.5\n", "path,level\nb.wav,low\n"))
    with pytest.raises(DatasetError, match=r"share no label of 'x' \(one: u; two: v\); say in"):
        load_corpora(write("path,x\na.wav,u\n", "path,x\nb.wav,v\n"))
    (tmp_path / "one.csv").unlink()
    with pytest.raises(DatasetError, match=r"\[corpora.one\]: .*one.csv: does not exist"):
        load_corpora(tmp_path / "c.toml")
    (tmp_path / "c.toml").write_text('[corpora.one]\ncorpus = "table"\nroot = "one.csv"\n')
    with pytest.raises(DatasetError, match="has 1 corpora; give a TOML file"):
        load_corpora(tmp_path / "c.toml")


def test_regression_is_joined_as_it_is(write):
    corpora = load_corpora(write("path,level\na.wav,1.5\n", "path,level\nb.wav,2.5\n"))
    pd.testing.assert_series_equal(corpora.target["level"], pd.Series([1.5, 2.5], name="level"))
    assert corpora.labels == {}


@pytest.mark.filterwarnings("ignore:.*names of speakers")
@pytest.mark.parametrize("mapped", [True, False])
def test_votes_are_renamed_as_labels_are(write, mapped):
    one = "path,emotion:rater1,emotion:rater2,emotion:rater3\n"
    one += "a.wav,Angry,Angry,joy\nb.wav,Happy,Happy,angry\n"
    two = "path,emotion\nc.wav,anger\nd.wav,happiness\n"
    lines = '[labels.emotion]\nanger = ["anger"]\nhappiness = ["happiness", "joy"]\n'
    corpora = load_corpora(write(one, two, lines if mapped else ""))
    emotion = corpora.target["emotion"]
    assert emotion.tolist() == ["anger", "happiness", "anger", "happiness"]
    left = {"anger": 2 / 3, "happiness": 1 / 3} if mapped else {"anger": 1.0}  # joy has no line
    assert dict(emotion[0].shares) == pytest.approx(left)
    assert dict(emotion[1].shares) == pytest.approx({"anger": 1 / 3, "happiness": 2 / 3})
    assert corpora.details["emotion:rater1"].dropna().tolist() == ["Angry", "Happy"]
