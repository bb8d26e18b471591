import numpy as np
import pytest

from sfmforensics.datasets.ravdess import load_ravdess
from sfmforensics.exceptions import DatasetError, DatasetWarning

EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}


@pytest.mark.parametrize("folder", ["", "Audio_Speech_Actors_01-24/", "ravdess/speech/"])
def test_labels_come_from_the_names(make_files, folder):
    root = make_files(
        f"{folder}Actor_12/03-01-06-01-02-01-12.wav", f"{folder}Actor_01/03-02-05-02-01-02-01.wav"
    )
    corpus = load_ravdess(root)
    assert corpus.target.to_dict("list") == {
        "speaker": ["01", "12"],
        "emotion": ["anger", "fear"],
        "gender": ["male", "female"],
    }
    assert set(corpus.target.dtypes) == {np.dtype(object)}
    assert corpus.details.to_dict("list") == {
        "text": ["01", "02"],
        "intensity": ["strong", "normal"],
        "repetition": [2, 1],
        "vocal": ["song", "speech"],
    }
    assert corpus.groups.tolist() == ["01", "12"]


@pytest.mark.parametrize(("code", "emotion"), EMOTIONS.items())
def test_every_emotion(make_files, code, emotion):
    root = make_files(f"Actor_02/03-01-{code}-01-01-01-02.wav")
    assert load_ravdess(root).target["emotion"][0] == emotion


@pytest.mark.parametrize(
    "odd",
    [
        "Actor_25/03-01-06-01-02-01-25.wav",
        "Actor_01/03-01-09-01-02-01-01.wav",
        "Actor_01/03-01-06-01-02-01.wav",
        "Actor_01/._03-01-06-01-02-01-01.wav",
    ],
)
def test_a_name_that_does_not_fit_is_named(make_files, odd):
    root = make_files("Actor_12/03-01-06-01-02-01-12.wav", odd)
    with pytest.warns(DatasetWarning, match=odd) as warned:
        assert len(load_ravdess(root).data) == 1
    assert warned[0].filename == __file__


def test_a_copy_of_the_corpus_inside_of_it_is_left_out(make_files):
    name = "Actor_12/03-01-06-01-02-01-12.wav"
    root = make_files(name, f"audio_speech_actors_01-24/{name}")
    with pytest.warns(DatasetWarning, match="left out 1 of 2 .*twice") as warned:
        corpus = load_ravdess(root)
    assert corpus.data == [str(root / name)]
    assert len(corpus.target) == len(corpus.details) == 1
    assert warned[0].filename == __file__


def test_another_corpus_is_refused(make_files):
    with pytest.raises(DatasetError, match="03-01-06-01-02-01-12"):
        load_ravdess(make_files("0/46-m-20-0-2-158.wav"))


def test_a_missing_root_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        load_ravdess(tmp_path / "nowhere")
