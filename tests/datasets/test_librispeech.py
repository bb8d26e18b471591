import numpy as np
import pytest

from sfmforensics.datasets.librispeech import load_librispeech
from sfmforensics.exceptions import DatasetError, DatasetWarning

NAMES = (
    "dev-clean/1272/128104/1272-128104-0000.flac",
    "dev-clean/1272/128104/1272-128104-0001.flac",
    "train-clean-100/60/121082/60-121082-0000.flac",
)
SPEAKERS = """\
; Readers
;ID  |SEX| SUBSET           |MINUTES| NAME
1272 | M | dev-clean        |  7.99 | Somebody
60   | F | train-clean-100  | 20.18 | |CBW|Somebody Else
"""


@pytest.fixture
def make_corpus(make_files):
    def make(*more, folder="", speakers=SPEAKERS, texts=True):
        root = make_files(*(folder + name for name in NAMES + more))
        if speakers is not None:
            (root / folder / "SPEAKERS.TXT").write_text(speakers)
        if texts:
            chapter = root / folder / "dev-clean" / "1272" / "128104"
            (chapter / "1272-128104.trans.txt").write_text(
                "1272-128104-0000 MISTER QUILTER IS\n1272-128104-0001 NOR IS\n"
            )
            chapter = root / folder / "train-clean-100" / "60" / "121082"
            (chapter / "60-121082.trans.txt").write_text("60-121082-0000 HE SAID\n")
        return root

    return make


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("folder", ["", "LibriSpeech/"])
def test_labels_come_from_the_names_and_the_tables(make_corpus, folder):
    root = make_corpus(folder=folder)
    corpus = load_librispeech(root)
    assert corpus.data == [str(root / folder / name) for name in NAMES]
    assert corpus.target.to_dict("list") == {
        "speaker": ["1272", "1272", "60"],
        "gender": ["male", "male", "female"],
    }
    assert set(corpus.target.dtypes) == {np.dtype(object)}
    assert corpus.details.to_dict("list") == {
        "text": ["MISTER QUILTER IS", "NOR IS", "HE SAID"],
        "split": ["dev-clean", "dev-clean", "train-clean-100"],
        "session": ["128104", "128104", "121082"],
    }
    assert corpus.groups.tolist() == ["1272", "1272", "60"]


@pytest.mark.parametrize(
    ("speakers", "genders", "message"),
    [
        (None, [None, None, None], "gender of 2 speakers is missing, there is no SPEAKERS.TXT"),
        (
            SPEAKERS.replace("60 ", "61 "),
            ["male", "male", None],
            r"gender of 1 speakers .*not know them \(60\)",
        ),
    ],
)
def test_speakers_whose_gender_is_not_known_are_named(make_corpus, speakers, genders, message):
    with pytest.warns(DatasetWarning, match=message) as warned:
        target = load_librispeech(make_corpus(speakers=speakers)).target
    assert target["gender"].tolist() == genders
    assert warned[0].filename == __file__


def test_recordings_without_a_transcript_are_named(make_corpus):
    with pytest.warns(DatasetWarning, match="3 of 3 recordings have no line .*1272-128104-0000"):
        details = load_librispeech(make_corpus(texts=False)).details
    assert details["text"].tolist() == [None, None, None]


@pytest.mark.parametrize(
    "odd",
    ["dev-clean/1272/128104/60-128104-0000.flac", "1272-128104-0000.flac", "x/1/2/1-2-3.flac"],
)
def test_a_name_that_does_not_fit_is_named(make_corpus, odd):
    with pytest.warns(DatasetWarning, match=f"left out 1 of 4 flac files .*{odd}") as warned:
        assert len(load_librispeech(make_corpus(odd)).data) == 3
    assert warned[0].filename == __file__


def test_another_corpus_is_refused(make_files, tmp_path):
    with pytest.raises(
        DatasetError, match=r"no flac file fits, found a\.flac; expected LibriSpeech"
    ):
        load_librispeech(make_files("a.flac"))
    with pytest.raises(DatasetError, match="does not exist"):
        load_librispeech(tmp_path / "nowhere")


def test_a_folder_without_flac_is_refused(make_files):
    with pytest.raises(DatasetError, match="holds no flac file"):
        load_librispeech(make_files("dev-clean/1272/128104/1272-128104-0000.wav"))
