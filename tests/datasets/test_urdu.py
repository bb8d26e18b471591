import numpy as np
import pytest

from sfmforensics.datasets.urdu import load_urdu
from sfmforensics.exceptions import DatasetError, DatasetWarning

EMOTIONS = {"A": "anger", "H": "happiness", "N": "neutral", "S": "sadness"}


@pytest.mark.parametrize("folder", ["", "URDU-Dataset-master/"])
def test_labels_come_from_the_names(make_files, folder):
    names = ("Angry/SM1_F10_A010.wav", "Happy/SF2_F1_H013.wav", "Neutral/SM5_F72_N0100.wav")
    corpus = load_urdu(make_files(*(folder + name for name in names)))
    assert corpus.target.to_dict("list") == {
        "speaker": ["SM1", "SF2", "SM5"],
        "emotion": ["anger", "happiness", "neutral"],
        "gender": ["male", "female", "male"],
    }
    assert set(corpus.target.dtypes) == {np.dtype(object)}
    assert corpus.details.to_dict("list") == {"record": [10, 1, 72]}
    assert corpus.groups.tolist() == ["SM1", "SF2", "SM5"]


@pytest.mark.parametrize(("letter", "emotion"), EMOTIONS.items())
def test_every_emotion(make_files, letter, emotion):
    assert load_urdu(make_files(f"SF1_F1_{letter}01.wav")).target["emotion"][0] == emotion


@pytest.mark.parametrize("odd", ["SX1_F1_A01.wav", "SM1_F1_B01.wav", "SM1_A01.wav"])
def test_a_name_that_does_not_fit_is_named(make_files, odd):
    with pytest.warns(DatasetWarning, match=odd):
        assert len(load_urdu(make_files("SM1_F1_A01.wav", odd)).data) == 1


def test_another_corpus_is_refused(make_files, tmp_path):
    with pytest.raises(DatasetError, match="SM1_F10_A010"):
        load_urdu(make_files("03a01Fa.wav"))
    with pytest.raises(DatasetError, match="does not exist"):
        load_urdu(tmp_path / "nowhere")
