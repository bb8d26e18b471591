import os

import numpy as np
import pytest

from sfmforensics.datasets import load_cremad
from sfmforensics.exceptions import DatasetError, DatasetWarning

NAMES = (
    "AudioWAV/1001_DFA_ANG_XX.wav",
    "AudioWAV/1002_IEO_SAD_HI.wav",
    "AudioWAV/1002_ITH_NEU_X.wav",
)
TABLE = """\
ActorID,Age,Sex,Race,Ethnicity
1001,51,Male,Caucasian,Not Hispanic
1002,21,Female,Caucasian,Not Hispanic
"""


@pytest.fixture
def make_corpus(make_files):
    def make(table=TABLE, names=NAMES):
        root = make_files(*names)
        if table is not None:
            (root / "VideoDemographics.csv").write_text(table)
        return root

    return make


def test_labels_come_from_the_names_and_the_table(make_corpus):
    corpus = load_cremad(make_corpus())
    assert corpus.target.to_dict("list") == {
        "speaker": ["1001", "1002", "1002"],
        "emotion": ["anger", "sadness", "neutral"],
        "gender": ["male", "female", "female"],
        "age": [51.0, 21.0, 21.0],
    }
    assert corpus.target.dtypes.tolist() == [object, object, object, np.float64]
    assert corpus.details.to_dict("list") == {
        "text": ["DFA", "IEO", "ITH"],
        "level": ["unspecified", "high", "unspecified"],
    }
    assert corpus.groups.tolist() == ["1001", "1002", "1002"]


def test_an_actor_absent_from_the_table_has_no_age_and_gender(make_corpus):
    root = make_corpus(table=TABLE.replace("1002,", "1003,"))
    with pytest.warns(DatasetWarning, match="1 actors are not in .*1002"):
        target = load_cremad(root).target
    assert target["gender"].tolist() == ["male", None, None]
    assert target["age"].isna().tolist() == [False, True, True]
    assert target["speaker"].tolist() == ["1001", "1002", "1002"]
    assert target.dtypes.tolist() == [object, object, object, np.float64]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (None, r"VideoDemographics.csv: not there; expected CREMA-D's"),
        ("", "cannot be read as CSV"),
        ("ActorID,Years,Sex\n1001,51,Male", r"lacks the columns \['Age'\]"),
        (TABLE.replace("51", "old"), "actor 1001 has the age 'old'"),
        (TABLE.replace("Female", "?"), r"actor 1002 has the sex '\?'"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(make_corpus, table, message):
    with pytest.raises(DatasetError, match=message):
        load_cremad(make_corpus(table))


def test_a_table_saved_by_a_spreadsheet_is_read(make_corpus):
    root = make_corpus(table=None)
    (root / "VideoDemographics.csv").write_text(TABLE, encoding="utf-8-sig")
    assert load_cremad(root).target["age"].tolist() == [51.0, 21.0, 21.0]


def test_git_lfs_pointers_are_refused(make_corpus):
    root = make_corpus()
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    (root / NAMES[1]).write_text(pointer)
    with pytest.raises(DatasetError, match=r"1 of 3 .*LFS.*1002_IEO.*git lfs pull"):
        load_cremad(root)


def test_a_pipe_and_a_broken_link_among_the_recordings_stop_nothing(make_corpus):
    root = make_corpus()
    for name, make in ((NAMES[0], os.mkfifo), (NAMES[1], lambda path: path.symlink_to("gone"))):
        (root / name).unlink()
        make(root / name)
    assert len(load_cremad(root).data) == 3


def test_a_name_that_does_not_fit_is_named(make_corpus):
    root = make_corpus(names=(*NAMES, "AudioWAV/1001_DFA_JOY_XX.wav"))
    with pytest.warns(DatasetWarning, match="1001_DFA_JOY_XX"):
        assert len(load_cremad(root).data) == 3
