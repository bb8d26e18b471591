import numpy as np
import pytest

from sfmforensics.datasets.emovo import load_emovo
from sfmforensics.exceptions import DatasetError, DatasetWarning

EMOTIONS = {
    "dis": "disgust",
    "gio": "happiness",
    "neu": "neutral",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
}


@pytest.mark.parametrize("folder", ["", "EMOVO/"])
def test_labels_come_from_the_names(make_files, folder):
    corpus = load_emovo(make_files(f"{folder}m3/tri-m3-n5.wav", f"{folder}f1/dis-f1-b1.wav"))
    assert corpus.target.to_dict("list") == {
        "speaker": ["f1", "m3"],
        "emotion": ["disgust", "sadness"],
        "gender": ["female", "male"],
    }
    assert set(corpus.target.dtypes) == {np.dtype(object)}
    assert corpus.details.to_dict("list") == {"text": ["b1", "n5"]}
    assert corpus.groups.tolist() == ["f1", "m3"]


@pytest.mark.parametrize(("code", "emotion"), EMOTIONS.items())
def test_every_emotion(make_files, code, emotion):
    assert load_emovo(make_files(f"f2/{code}-f2-l4.wav")).target["emotion"][0] == emotion


def test_capitals_mean_the_same(make_files):
    corpus = load_emovo(make_files("F1/Gio-F1-B1.WAV", "f1/rab-f1-b1.wav"))
    assert corpus.target["speaker"].tolist() == ["f1", "f1"]
    assert corpus.target["emotion"].tolist() == ["happiness", "anger"]
    assert corpus.details["text"].tolist() == ["b1", "b1"]


@pytest.mark.parametrize("odd", ["f4/dis-f4-b1.wav", "f1/col-f1-b1.wav", "f1/dis-f1.wav"])
def test_a_name_that_does_not_fit_is_named(make_files, odd):
    with pytest.warns(DatasetWarning, match=odd):
        assert len(load_emovo(make_files("f1/dis-f1-b1.wav", odd)).data) == 1


def test_another_corpus_is_refused(make_files, tmp_path):
    with pytest.raises(DatasetError, match="dis-f1-b1"):
        load_emovo(make_files("03a01Fa.wav"))
    with pytest.raises(DatasetError, match="does not exist"):
        load_emovo(tmp_path / "nowhere")
