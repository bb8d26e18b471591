"""Columns of a table in which several raters speak."""

import json
import warnings

import pandas as pd
import pytest

from sfmforensics.datasets import load_table
from sfmforensics.datasets._listing import Listing, corpus_of
from sfmforensics.exceptions import DatasetError, DatasetWarning
from sfmforensics.targets import Votes


@pytest.fixture
def load(make_files, tmp_path):
    """Load a table of which the recordings are there, without any warning."""

    def loaded(text, said="error", **options):
        header, *rows = text.split()
        names = [f"{number}.wav" for number in range(len(rows))]
        make_files(*names, root=tmp_path)
        lines = [f"path,{header}", *(f"{name},{row}" for name, row in zip(names, rows))]
        (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
        with warnings.catch_warnings():
            warnings.simplefilter(said, DatasetWarning)
            return load_table(tmp_path / "table.csv", **options)

    return loaded


def shares(column):
    return [None if label is None else dict(label.shares) for label in column]


def test_labels_of_raters_are_votes_and_their_columns_details(load):
    corpus = load(
        "speaker,emotion:rater1,emotion:anna,emotion:rater3,age\n"
        "a,calm,calm,sad,30 b,,sad,sad,31 c,,,,32"
    )
    assert list(corpus.target) == ["speaker", "emotion", "age"]
    emotion = corpus.target["emotion"]
    assert emotion.dtype == object
    assert emotion.tolist() == ["calm", "sad", None]
    assert shares(emotion) == [{"calm": 2 / 3, "sad": 1 / 3}, {"sad": 1.0}, None]
    assert corpus.details["emotion:anna"].tolist() == ["calm", "sad", None]
    assert list(corpus.details) == ["emotion:rater1", "emotion:anna", "emotion:rater3"]


@pytest.mark.parametrize("rows", ["1,3 0,0 2,0", "0.25,0.75 , 1,", "25,75 ,0 100,0"])
def test_numbers_under_the_names_of_classes_are_their_shares(load, rows):
    corpus = load(f"emotion:calm,emotion:sad {rows}", said="ignore")
    assert shares(corpus.target["emotion"]) == [{"calm": 0.25, "sad": 0.75}, None, {"calm": 1.0}]
    assert corpus.details.dtypes.tolist() == [float, float]


def test_numbers_of_raters_are_their_mean(load):
    corpus = load("arousal:rater1,arousal:Rater_B 3.5,4 2, ,")
    assert corpus.target["arousal"].tolist()[:2] == [3.75, 2.0]
    assert corpus.target["arousal"].isna().tolist() == [False, False, True]
    assert corpus.details["arousal:rater1"].tolist()[:2] == [3.5, 2.0]
    ages = load("AGE:rater1,age:rater2 30,34 20,20")
    assert ages.target["age"].tolist() == [32.0, 20.0]


def test_a_column_of_its_own_is_what_scores_use(load):
    corpus = load("emotion,emotion:rater1,emotion:rater2 sad,calm,calm ,sad,sad calm,,")
    emotion = corpus.target["emotion"]
    assert emotion.tolist() == ["sad", None, "calm"]
    assert shares(emotion) == [{"calm": 1.0}, None, {"calm": 1.0}]
    corpus = load("emotion:sad,emotion:calm,emotion 1,3,sad 0.5,0,sad")
    assert shares(corpus.target["emotion"]) == [{"calm": 0.75, "sad": 0.25}, {"sad": 1.0}]
    corpus = load("valence,valence:anna,valence:ben 3.5,3,5 2,2,2")
    assert corpus.target["valence"].tolist() == [3.5, 2.0]
    assert corpus.details["valence:ben"].tolist() == [5.0, 2.0]


@pytest.mark.parametrize("who", ["rater1", "anna"])
def test_whole_numbers_are_classes_where_the_task_says_so(load, who):
    corpus = load(f"stress,stress:{who} 1,2 2,2")
    assert corpus.target["stress"].tolist() == ["1", "2"]
    assert shares(corpus.target["stress"]) == [{"2": 1.0}, {"2": 1.0}]
    corpus = load("speaker:rater1,speaker:rater2 07,07 8,8")
    assert corpus.target["speaker"].tolist() == ["07", "8"]
    assert corpus.groups.tolist() == ["07", "8"]
    assert load("word:rater1,word:rater2 01,01 02,02").target["word"].tolist() == ["01", "02"]


def test_what_may_be_something_else_is_told(load):
    with pytest.warns(
        DatasetWarning, match=r"taken for the votes for each class of 'arousal', tho"
    ):
        load("arousal:anna,arousal:ben 3.5,4 1,2", said="default")
    with pytest.warns(DatasetWarning, match=r"1 of 2 recordings have as many .* is in row 3\)"):
        load("mood:anna,mood:ben sad,sad sad,calm", said="default")
    with pytest.warns(DatasetWarning, match="columns mood:anna, mood:ben are blank"):
        corpus = load("mood:anna,mood:ben,age ,,3 ,,4", said="default")
    assert list(corpus.target) == ["age"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("emotion:angry,emotion:anna 0.5,sad 1,calm", "'emotion:anna' holds labels and 'emotion:a"),
        ("level,level:rater1 1.5,low 2.5,high", "'level:rater1' holds labels and the task's own"),
        ("emotion:rater1,emotion:angry 1,0 1,1", "'emotion:rater1' is called after a rater and"),
        ("emotion:angry 0.5 1", "'emotion:angry' would be the share of one class"),
        ("emotion:angry,emotion:sad 0.5,-1 1,1", "row 2, column 'emotion:sad': -1 is no share"),
        ("mood,mood:anna,mood:ben sad,1,2 calm,2,2", "none is called after a label of the task"),
        ("age:rater1 30 old", "row 3, column 'age': 'old' is not a number of years"),
        ("arousal:rater1 1e999 1", "row 2, column 'arousal:rater1': '1e999' is too large"),
    ],
)
def test_columns_of_which_nobody_can_tell_what_they_are_are_refused(load, text, says):
    with pytest.raises(DatasetError, match=says) as caught:
        load(text)
    assert "\n" not in str(caught.value)


def test_tasks_name_the_task_and_not_its_raters(load):
    text = "emotion:rater1,emotion:rater2,mood:angry,age sad,sad,oops,3 sad,sad,,4"
    corpus = load(text, tasks=["emotion"])  # what is not chosen cannot stop it
    assert list(corpus.target) == ["emotion"]
    assert corpus.details["mood:angry"].tolist() == ["oops", None]
    assert corpus.details["age"].tolist() == ["3", "4"]
    with pytest.raises(DatasetError, match="no column 'emotion:rater1' to be learnt"):
        load(text, tasks=["emotion:rater1"])
    with pytest.raises(DatasetError, match="the column 'mood' is blank, but chosen"):
        load("mood:anna,mood:ben,age ,,3 ,,4", tasks=["mood"])


def test_what_is_never_learnt_is_not_by_raters_either(load):
    corpus = load("text:rater1,session:a,age yes,1,3 no,2,4")
    assert list(corpus.target) == ["age"]
    assert list(corpus.details) == ["text:rater1", "session:a"]


def test_every_format_that_is_a_listing_knows_raters(make_files, tmp_path):
    make_files("a.wav", "b.wav", root=tmp_path)
    rows = [
        {
            "path": "a.wav",
            "emotion:rater1": "calm",
            "emotion:rater2": "sad",
            "emotion:rater3": "sad",
        },
        {"path": "b.wav", "emotion:rater1": None, "emotion:rater2": "sad", "emotion:rater3": None},
    ]
    (tmp_path / "table.json").write_text(json.dumps(rows))
    corpora = [load_table(tmp_path / "table.json")]
    columns = pd.DataFrame(rows).fillna("").to_dict("list")
    corpora.append(corpus_of(Listing(tmp_path, tmp_path, columns, ["row 1", "row 2"])))
    for corpus in corpora:
        assert shares(corpus.target["emotion"]) == [{"calm": 1 / 3, "sad": 2 / 3}, {"sad": 1.0}]


def test_a_corpus_shows_itself_and_is_joined_with_another(load, tmp_path):
    one = load("speaker,emotion:rater1,emotion:rater2 a,Sad,Sad b,angry,angry")
    assert "emotion" in one._repr_html_()
    assert isinstance(one.target["emotion"][0], Votes)


def test_an_id_and_a_gender_are_not_two_raters(load):
    with pytest.raises(DatasetError, match="have no label in common"):
        load("speaker:id,speaker:gender a,m b,f")
    with pytest.raises(DatasetError, match=r"write a band into one column \(20-29\)"):
        load("age:min,age:max 20,29 30,39")
