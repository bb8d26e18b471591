import numpy as np
import pytest

from sfmforensics.datasets.savee import load_savee
from sfmforensics.exceptions import DatasetError, DatasetWarning

EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}


@pytest.mark.parametrize(
    "layout", ["AudioData/{}/{}.wav", "{}/{}.wav", "{}_{}.wav", "ALL/{}_{}.wav"]
)
def test_labels_come_from_the_names(make_files, layout):
    root = make_files(layout.format("KL", "n30"), layout.format("DC", "sa01"))
    corpus = load_savee(root)
    assert corpus.target.to_dict("list") == {
        "speaker": ["DC", "KL"],
        "emotion": ["sadness", "neutral"],
        "gender": ["male", "male"],
    }
    assert set(corpus.target.dtypes) == {np.dtype(object)}
    assert corpus.details.to_dict("list") == {"text": ["sa01", "n30"]}
    assert corpus.groups.tolist() == ["DC", "KL"]


@pytest.mark.parametrize(("code", "emotion"), EMOTIONS.items())
@pytest.mark.parametrize("speaker", ["DC", "JE", "JK", "KL"])
def test_every_speaker_and_emotion(make_files, code, emotion, speaker):
    target = load_savee(make_files(f"AudioData/{speaker}/{code}01.wav")).target
    assert target.loc[0, ["speaker", "emotion"]].tolist() == [speaker, emotion]


@pytest.mark.parametrize("odd", ["AudioData/AB/a01.wav", "AudioData/DC/x01.wav", "a01.wav"])
def test_a_name_that_does_not_fit_is_named(make_files, odd):
    root = make_files("AudioData/DC/a01.wav", odd)
    with pytest.warns(DatasetWarning, match=odd):
        assert len(load_savee(root).data) == 1


def test_both_layouts_beside_each_other_are_one_corpus(make_files):
    root = make_files("ALL/DC_a01.wav", "AudioData/DC/a01.wav", "AudioData/JE/a01.wav")
    with pytest.warns(DatasetWarning, match="left out 1 of 3 .*twice"):
        corpus = load_savee(root)
    assert corpus.groups.tolist() == ["DC", "JE"]


def test_another_corpus_is_refused(make_files, tmp_path):
    with pytest.raises(DatasetError, match=r"DC_a01\.wav"):
        load_savee(make_files("03a01Fa.wav"))
    with pytest.raises(DatasetError, match="does not exist"):
        load_savee(tmp_path / "nowhere")
