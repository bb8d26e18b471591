import numpy as np
import pytest

from sfmforensics.datasets.ased import load_ased
from sfmforensics.exceptions import DatasetError, DatasetWarning

EMOTIONS = {"n": "neutral", "f": "fear", "h": "happiness", "s": "sadness", "a": "anger"}


@pytest.mark.parametrize("folder", ["", "05Angry/"])
def test_labels_come_from_the_names(make_files, folder):
    root = make_files(f"{folder}a5-03-01-02-50.wav", f"{folder}a5-07-02-01-07.wav")
    corpus = load_ased(root)
    assert corpus.target.to_dict("list") == {
        "speaker": ["50", "07"],
        "emotion": ["anger", "anger"],
        "gender": ["male", "female"],
    }
    assert set(corpus.target.dtypes) == {np.dtype(object)}
    assert corpus.details.to_dict("list") == {"text": ["a03", "a07"], "repetition": [1, 2]}
    assert corpus.groups.tolist() == ["50", "07"]


@pytest.mark.parametrize(("letter", "emotion"), EMOTIONS.items())
def test_every_emotion(make_files, letter, emotion):
    assert load_ased(make_files(f"{letter}1-01-01-01-01.wav")).target["emotion"][0] == emotion


def test_the_name_in_capitals_is_read_as_the_others(make_files):
    corpus = load_ased(make_files("04Sad/S4-04-02-01-29.wav"))
    assert corpus.target["emotion"][0] == "sadness"
    assert corpus.details["text"][0] == "s04"


def test_one_number_under_two_emotions_is_two_sentences(make_files):
    corpus = load_ased(make_files("a5-03-01-02-50.wav", "h3-03-01-02-50.wav"))
    assert corpus.details["text"].tolist() == ["a03", "h03"]


@pytest.mark.parametrize("odd", ["x5-03-01-02-50.wav", "a5-03-01-03-50.wav", "a5-03-01-02.wav"])
def test_a_name_that_does_not_fit_is_named(make_files, odd):
    with pytest.warns(DatasetWarning, match=odd):
        assert len(load_ased(make_files("a5-04-01-02-50.wav", odd)).data) == 1


def test_another_corpus_is_refused(make_files, tmp_path):
    with pytest.raises(DatasetError, match="a5-03-01-02-50"):
        load_ased(make_files("03a01Fa.wav"))
    with pytest.raises(DatasetError, match="does not exist"):
        load_ased(tmp_path / "nowhere")
