from pathlib import Path

import numpy as np
import pytest

from sfmforensics.datasets.nemo import load_nemo
from sfmforensics.exceptions import DatasetError, DatasetWarning

EMOTIONS = {
    "anger": "anger",
    "fear": "fear",
    "happiness": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprised": "surprise",
}
DATA = (
    "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
    'WR0_surprised_64.wav\tsurprised\t"Ucho, tak.\tucho tak\t        WR0\tmale\t23\n'
    "EB0_anger_9.wav\tanger\tNie.\tnie\t        EB0\tfemale\t27\n"
)
TABLE = (
    "path,speaker,emotion,gender,age,text\n"
    "audio/WR0_surprised_64.flac,WR0,surprised,male,23.0,ucho tak\n"
    "audio/EB0_anger_9.flac,EB0,anger,female,27.0,nie\n"
)


@pytest.fixture
def make_corpus(make_files):
    def make(text, name="table.csv"):
        folder, ending = ("audio", "flac") if name == "table.csv" else ("samples", "wav")
        names = ("WR0_surprised_64", "EB0_anger_9")
        root = make_files(*(f"{folder}/{stem}.{ending}" for stem in names))
        (root / name).write_text(text, encoding="utf-8")
        return root

    return make


@pytest.mark.parametrize(("name", "text"), [("data.tsv", DATA), ("table.csv", TABLE)])
def test_labels_come_from_the_table(make_corpus, name, text):
    corpus = load_nemo(make_corpus(text, name))
    assert [Path(path).stem for path in corpus.data] == ["EB0_anger_9", "WR0_surprised_64"]
    assert corpus.target.to_dict("list") == {
        "speaker": ["EB0", "WR0"],
        "emotion": ["anger", "surprise"],
        "gender": ["female", "male"],
        "age": [27.0, 23.0],
    }
    assert corpus.target.dtypes.tolist() == [object, object, object, np.float64]
    assert corpus.details.to_dict("list") == {"text": ["nie", "ucho tak"]}
    assert corpus.groups.tolist() == ["EB0", "WR0"]


def test_recordings_beside_the_published_table_are_found(make_files):
    root = make_files("WR0_surprised_64.wav", "EB0_anger_9.wav")
    (root / "data.tsv").write_text(DATA, encoding="utf-8")
    assert load_nemo(root).data[0] == str(root / "EB0_anger_9.wav")


@pytest.mark.parametrize(("code", "emotion"), EMOTIONS.items())
def test_every_emotion(make_corpus, code, emotion):
    root = make_corpus(TABLE.replace(",surprised,", f",{code},"))
    assert load_nemo(root).target["emotion"][1] == emotion


def test_a_blank_age_is_missing(make_corpus):
    assert np.isnan(load_nemo(make_corpus(TABLE.replace("23.0", ""))).target["age"][1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as a table"),
        (TABLE[:36] + "\n", "no recordings"),
        (TABLE.replace("speaker", "actor"), r"lacks the columns \['speaker'\]"),
        (TABLE.replace("9.flac", "8.flac"), "1 of 2 .*not there, the first is .*EB0_anger_8"),
        (TABLE.replace("audio/WR0", "../audio/WR0"), "1 of 2 .*not there"),
        (TABLE + TABLE.splitlines()[1], "1 recordings twice.*WR0_surprised_64"),
        (TABLE.replace(",anger,", ",rage,"), "the emotion 'rage'"),
        (TABLE.replace(",male,", ",?,"), r"the gender '\?'"),
        (TABLE.replace("23.0", "old"), "the age 'old'"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(make_corpus, text, message):
    with pytest.raises(DatasetError, match=message) as refused:
        load_nemo(make_corpus(text))
    assert "table.csv" in str(refused.value)


def test_a_recording_that_is_not_listed_is_named(make_corpus):
    root = make_corpus(TABLE)
    (root / "audio" / "EB0_fear_1.flac").touch()
    with pytest.warns(DatasetWarning, match="left out 1 of 3 .*EB0_fear_1") as warned:
        assert len(load_nemo(root).data) == 2
    assert warned[0].filename == __file__


def test_a_folder_without_a_table_is_refused(make_files, tmp_path):
    with pytest.raises(DatasetError, match=r"neither data\.tsv nor table\.csv"):
        load_nemo(make_files("samples/EB0_anger_9.wav"))
    with pytest.raises(DatasetError, match="does not exist"):
        load_nemo(tmp_path / "nowhere")


@pytest.mark.filterwarnings("error")
def test_the_real_part(shared):
    root = shared / "data" / "nemo"
    if not root.is_dir():
        pytest.skip("nEMO is not in shared/data/nemo")
    corpus = load_nemo(root)
    assert len(corpus.data) == 530
    assert len(set(corpus.groups)) == 9
    assert set(corpus.target["emotion"]) == set(EMOTIONS.values())
    genders = corpus.target.drop_duplicates("speaker")["gender"].value_counts()
    assert genders.to_dict() == {"male": 5, "female": 4}
    assert corpus.target["age"].agg(["min", "max"]).tolist() == [23.0, 28.0]
    assert corpus.details["text"].notna().all()
