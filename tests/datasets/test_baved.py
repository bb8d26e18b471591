import re
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfmforensics.datasets import baved, fetch_baved, load_baved
from sfmforensics.datasets._fetch import tree_digest
from sfmforensics.exceptions import DatasetError, DatasetWarning

NAMES = ("0/46-m-20-0-2-158.wav", "6/100-f-6-6-0-3.wav", "0/49-m-23-6-1-201.wav")


def test_labels_come_from_the_names(make_files, tmp_path):
    corpus = load_baved(make_files(*NAMES, "README.md"))
    assert corpus.target.to_dict("list") == {
        "speaker": ["46", "49", "100"],
        "emotion": ["high", "neutral", "low"],
        "gender": ["male", "male", "female"],
        "age": [20.0, 23.0, 6.0],
    }
    assert corpus.details.to_dict("list") == {"text": ["0", "6", "6"], "record": [158, 201, 3]}
    assert corpus.groups.tolist() == ["46", "49", "100"]
    assert corpus.data == [str(tmp_path / "corpus" / NAMES[i]) for i in (0, 2, 1)]


def test_only_age_is_a_regression_task(make_files):
    target = load_baved(make_files(*NAMES)).target
    assert target.dtypes.tolist() == [object, object, object, np.float64]


@pytest.mark.parametrize(
    "odd",
    [
        "0/46-x-20-0-2-1.wav",
        "0/46-m-20-0-3-1.wav",
        "0/46-m-20-7-2-1.wav",
        "7/46-m-20-0-2-1.wav",
        "46-m-20-0-2-1.wav",
        "0/46-m-20-0-2.wav",
        "0/._46-m-20-0-2-1.wav",
    ],
)
def test_a_name_that_does_not_fit_is_named(make_files, odd):
    root = make_files(*NAMES, odd)
    with pytest.warns(DatasetWarning, match=re.escape(odd)):
        corpus = load_baved(root)
    assert len(corpus.data) == len(NAMES)


def test_an_empty_root_shows_the_layout(make_files):
    with pytest.raises(DatasetError, match="WORD/SPEAKER-SEX-AGE-WORD-EMOTION-RECORD"):
        load_baved(make_files())


@given(
    speaker=st.integers(0, 999),
    gender=st.sampled_from("mf"),
    age=st.integers(1, 99),
    word=st.integers(0, 6),
    emotion=st.integers(0, 2),
    record=st.integers(0, 9999),
)
def test_names_are_read_back(speaker, gender, age, word, emotion, record):
    name = f"{word}/{speaker}-{gender}-{age}-{word}-{emotion}-{record}.wav"
    assert re.fullmatch(baved._PATTERN, name).groupdict() == {
        "speaker": str(speaker),
        "gender": gender,
        "age": str(age),
        "word": str(word),
        "emotion": str(emotion),
        "record": str(record),
    }


def test_fetch_downloads_unpacks_and_loads(tmp_path, make_files, monkeypatch):
    root = make_files(*NAMES)
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in (*NAMES, "README.md"):
            file.writestr(f"Basic-Arabic-Vocal-Emotions-Dataset-9c91b21/{name}", "")
    monkeypatch.setattr(baved, "_URL", archive.as_uri())
    monkeypatch.setattr(baved, "_DIGEST", tree_digest(root, NAMES))
    with pytest.raises(DatasetError, match="download_if_missing"):
        fetch_baved(data_home=tmp_path / "home", download_if_missing=False)
    fetched = fetch_baved(data_home=tmp_path / "home")
    archive.unlink()
    assert fetched.target.equals(load_baved(root).target)
    assert fetched.data[0] == str(tmp_path / "home" / "baved" / NAMES[0])
    assert fetch_baved(data_home=tmp_path / "home").data == fetched.data


def test_the_real_corpus(real_baved, recwarn):
    corpus = load_baved(real_baved)
    assert len(corpus.data) == 1935
    assert corpus.target["speaker"].nunique() == 60
    assert corpus.target["gender"].value_counts().to_dict() == {"male": 1109, "female": 826}
    assert corpus.target["age"].agg(["min", "max"]).tolist() == [5, 41]
    assert corpus.target.groupby("speaker")[["age", "gender"]].nunique().eq(1).all(axis=None)
    assert not [warning for warning in recwarn if issubclass(warning.category, DatasetWarning)]


def test_the_digest_is_that_of_the_real_corpus(real_baved):
    names = [path.relative_to(real_baved).as_posix() for path in real_baved.rglob("*.wav")]
    assert tree_digest(real_baved, names) == baved._DIGEST
    assert all(re.fullmatch(baved._PATTERN, name) for name in names)
