import json

import numpy as np
import pytest

from sfmforensics.datasets.shemo import load_shemo
from sfmforensics.exceptions import DatasetError, DatasetWarning

EMOTIONS = {
    "A": "anger",
    "F": "fear",
    "H": "happiness",
    "N": "neutral",
    "S": "sadness",
    "W": "surprise",
}
NAMES = ("female/F05H12.wav", "male/M01A01.wav")
ENTRIES = [
    {"id": "F05H12", "gender": "female", "emotion": "happy", "transcript": "\ufeffخبر", "ipa": ""},
    {"id": "M01A01", "gender": "male", "emotion": "angry", "transcript": "نه", "ipa": ""},
]


@pytest.mark.parametrize("folder", ["", "shemo/"])
def test_labels_come_from_the_names(make_files, folder):
    corpus = load_shemo(make_files(*(folder + name for name in NAMES)))
    assert corpus.target.to_dict("list") == {
        "speaker": ["F05", "M01"],
        "emotion": ["happiness", "anger"],
        "gender": ["female", "male"],
    }
    assert set(corpus.target.dtypes) == {np.dtype(object)}
    assert corpus.details.to_dict("list") == {"record": [12, 1]}
    assert corpus.groups.tolist() == ["F05", "M01"]


@pytest.mark.parametrize(("letter", "emotion"), EMOTIONS.items())
def test_every_emotion(make_files, letter, emotion):
    assert load_shemo(make_files(f"male/M46{letter}03.wav")).target["emotion"][0] == emotion


def test_texts_come_from_the_file_beside(make_files):
    root = make_files(*NAMES)
    (root / "shemo.json").write_text(json.dumps(ENTRIES), encoding="utf-8")
    assert load_shemo(root).details["text"].tolist() == ["خبر", "نه"]


def test_a_recording_without_a_text_is_named(make_files):
    root = make_files(*NAMES)
    (root / "shemo.json").write_text(json.dumps(ENTRIES[:1]), encoding="utf-8")
    with pytest.warns(DatasetWarning, match="1 recordings are not in shemo.json.*M01A01") as warned:
        details = load_shemo(root).details
    assert details["text"].tolist() == ["خبر", None]
    assert warned[0].filename == __file__


@pytest.mark.parametrize("content", ["", "{", "[1]", "3", '{"a": 1}', '[{"id": "F05H12"}]'])
def test_texts_that_cannot_be_used_are_refused(make_files, content):
    root = make_files(*NAMES)
    (root / "shemo.json").write_text(content)
    with pytest.raises(DatasetError, match=r"shemo\.json: is no list"):
        load_shemo(root)


@pytest.mark.parametrize("odd", ["male/M01B01.wav", "male/X01A01.wav", "male/M1A01.wav"])
def test_a_name_that_does_not_fit_is_named(make_files, odd):
    with pytest.warns(DatasetWarning, match=odd):
        assert len(load_shemo(make_files(NAMES[0], odd)).data) == 1


def test_another_corpus_is_refused(make_files, tmp_path):
    with pytest.raises(DatasetError, match="male/M01A01"):
        load_shemo(make_files("03a01Fa.wav"))
    with pytest.raises(DatasetError, match="does not exist"):
        load_shemo(tmp_path / "nowhere")
