import numpy as np
import pytest

from sfmforensics.datasets import load_emodb
from sfmforensics.exceptions import DatasetError, DatasetWarning

EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
SPEAKERS = {
    "03": ("male", 31.0),
    "08": ("female", 34.0),
    "09": ("female", 21.0),
    "10": ("male", 32.0),
    "11": ("male", 26.0),
    "12": ("male", 30.0),
    "13": ("female", 32.0),
    "14": ("female", 35.0),
    "15": ("male", 25.0),
    "16": ("female", 31.0),
}


@pytest.mark.parametrize("folder", ["wav/", ""])
def test_labels_come_from_the_names(make_files, folder):
    root = make_files(f"{folder}16b10Tb.wav", f"{folder}03a01Fa.wav", f"{folder}09a07N.wav")
    corpus = load_emodb(root)
    assert corpus.target.to_dict("list") == {
        "speaker": ["03", "09", "16"],
        "emotion": ["happiness", "neutral", "sadness"],
        "gender": ["male", "female", "female"],
        "age": [31.0, 21.0, 31.0],
    }
    assert corpus.target.dtypes.tolist() == [object, object, object, np.float64]
    assert corpus.details.to_dict("list") == {
        "text": ["a01", "a07", "b10"],
        "version": ["a", "", "b"],
    }
    assert corpus.groups.tolist() == ["03", "09", "16"]


@pytest.mark.parametrize(("letter", "emotion"), EMOTIONS.items())
def test_every_emotion(make_files, letter, emotion):
    assert load_emodb(make_files(f"wav/03a01{letter}a.wav")).target["emotion"][0] == emotion


@pytest.mark.parametrize(("speaker", "known"), SPEAKERS.items())
def test_every_speaker(make_files, speaker, known):
    target = load_emodb(make_files(f"wav/{speaker}a01Wa.wav")).target
    assert tuple(target.loc[0, ["gender", "age"]]) == known


@pytest.mark.parametrize("odd", ["wav/04a01Fa.wav", "wav/03a01Xa.wav", "wav/03a01FA.wav", "a.wav"])
def test_a_name_that_does_not_fit_is_named(make_files, odd):
    root = make_files("wav/03a01Fa.wav", odd)
    with pytest.warns(DatasetWarning, match=odd):
        corpus = load_emodb(root)
    assert len(corpus.data) == 1


def test_another_corpus_is_refused(make_files):
    with pytest.raises(DatasetError, match=r"wav/03a01Fa\.wav"):
        load_emodb(make_files("0/46-m-20-0-2-158.wav"))
