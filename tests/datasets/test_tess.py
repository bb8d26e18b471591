import numpy as np
import pytest

from sfmforensics.datasets.tess import load_tess
from sfmforensics.exceptions import DatasetError, DatasetWarning

EMOTIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sadness",
}


@pytest.mark.parametrize("folder", ["", "{}_Fear/", "TESS/{}_fear/"])
def test_labels_come_from_the_names(make_files, folder):
    names = [f"{folder.format(who)}{who}_back_fear.wav" for who in ("YAF", "OAF")]
    corpus = load_tess(make_files(*names))
    assert corpus.target.to_dict("list") == {
        "speaker": ["OAF", "YAF"],
        "emotion": ["fear", "fear"],
        "gender": ["female", "female"],
        "age": [64.0, 26.0],
    }
    assert corpus.target.dtypes.tolist() == [object, object, object, np.float64]
    assert corpus.details.to_dict("list") == {"text": ["back", "back"]}
    assert corpus.groups.tolist() == ["OAF", "YAF"]


@pytest.mark.parametrize(("code", "emotion"), EMOTIONS.items())
def test_every_emotion(make_files, code, emotion):
    assert load_tess(make_files(f"YAF_youth_{code}.wav")).target["emotion"][0] == emotion


def test_the_misspelt_name_is_of_the_older_actress(make_files):
    corpus = load_tess(make_files("OAF_neutral/OA_bite_neutral.wav"))
    assert corpus.target.loc[0, ["speaker", "age"]].tolist() == ["OAF", 64.0]
    assert corpus.groups.tolist() == ["OAF"]


@pytest.mark.parametrize("odd", ["XAF_back_fear.wav", "OAF_back_joy.wav", "OAF_fear.wav"])
def test_a_name_that_does_not_fit_is_named(make_files, odd):
    with pytest.warns(DatasetWarning, match=odd):
        assert len(load_tess(make_files("OAF_back_fear.wav", odd)).data) == 1


def test_a_copy_of_the_corpus_inside_of_it_is_left_out(make_files):
    name = "OAF_Fear/OAF_back_fear.wav"
    root = make_files(name, f"TESS Toronto emotional speech set data/{name}")
    with pytest.warns(DatasetWarning, match="left out 1 of 2 .*twice"):
        assert load_tess(root).data == [str(root / name)]


def test_another_corpus_is_refused(make_files, tmp_path):
    with pytest.raises(DatasetError, match="OAF_back_fear"):
        load_tess(make_files("03a01Fa.wav"))
    with pytest.raises(DatasetError, match="does not exist"):
        load_tess(tmp_path / "nowhere")
