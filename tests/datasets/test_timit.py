import numpy as np
import pytest

from sfmforensics.datasets.timit import load_timit
from sfmforensics.exceptions import DatasetError, DatasetWarning

NAMES = ("TEST/DR8/MABC0/SI1027.WAV", "TRAIN/DR1/FCJF0/SA1.WAV", "TRAIN/DR1/FCJF0/SX37.WAV")
HEADER = ";ID  Sex DR Use  RecDate   BirthDate  Ht    Race Edu  Comments\n;\n"
TABLE = HEADER + (
    "ABC0  M  8  TST  03/03/87  06/17/60  5'11\"  WHT  BS  a cold\n"
    "CJF0  F  1  TRN  03/04/86  09/04/60  5'05\"  WHT  HS\n"
)


@pytest.fixture
def make_corpus(make_files):
    def make(*names, table=TABLE, place="DOC/SPKRINFO.TXT"):
        root = make_files(*(names or NAMES))
        if table is not None:
            (root / place).parent.mkdir(exist_ok=True)
            (root / place).write_text(table)
        return root

    return make


@pytest.mark.filterwarnings("error")
def test_labels_come_from_the_names_and_the_table(make_corpus):
    corpus = load_timit(make_corpus())
    assert corpus.target.to_dict("list") == {
        "speaker": ["MABC0", "FCJF0", "FCJF0"],
        "gender": ["male", "female", "female"],
        "age": [26.7, 25.5, 25.5],
        "dialect": ["DR8", "DR1", "DR1"],
    }
    assert corpus.target.dtypes.tolist() == [object, object, np.float64, object]
    assert corpus.details.to_dict("list") == {
        "text": ["SI1027", "SA1", "SX37"],
        "split": ["test", "train", "train"],
    }
    assert corpus.groups.tolist() == ["MABC0", "FCJF0", "FCJF0"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("place", ["SPKRINFO.TXT", "doc/spkrinfo.txt", "DOC/SPKRINFO.TXT"])
@pytest.mark.parametrize("folder", ["", "timit/", "data/"])
def test_small_letters_and_folders_above_mean_the_same(make_corpus, place, folder):
    names = [folder + name.lower() for name in NAMES]
    corpus = load_timit(make_corpus(*names, place=place))
    assert corpus.groups.tolist() == ["MABC0", "FCJF0", "FCJF0"]
    assert corpus.target["age"].tolist() == [26.7, 25.5, 25.5]
    assert corpus.details["text"].tolist() == ["SI1027", "SA1", "SX37"]
    assert corpus.details["split"].tolist() == ["test", "train", "train"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("taken", ["SA1.WAV.wav", "SA1.wav"])
def test_of_two_forms_of_a_recording_one_is_taken_in_silence(make_corpus, taken):
    folder = "TRAIN/DR1/FCJF0"
    root = make_corpus(f"{folder}/SA1.WAV", f"{folder}/{taken}", f"{folder}/SX37.WAV")
    corpus = load_timit(root)
    assert corpus.data == [str(root / folder / taken), str(root / folder / "SX37.WAV")]
    assert corpus.details["text"].tolist() == ["SA1", "SX37"]


@pytest.mark.parametrize(
    ("born", "recorded", "age"),
    [
        ("09/04/60", "03/04/86", 25.5),
        ("01/01/09", "01/01/86", 77.0),
        ("03/05/66", "03/04/86", 20.0),
        ("??/??/??", "03/04/86", np.nan),
        ("09/04/60", "??/??/??", np.nan),
        ("02/30/60", "03/04/86", np.nan),
        ("03/04/86", "03/04/86", np.nan),
        ("03/04/90", "03/04/86", np.nan),
    ],
)
def test_ages_are_at_the_recording(make_corpus, born, recorded, age):
    table = HEADER + f"CJF0  F  1  TRN  {recorded}  {born}  5'05\"  WHT  HS\n"
    root = make_corpus(NAMES[1], table=table)
    np.testing.assert_equal(load_timit(root).target["age"].tolist(), [age])


def test_without_the_table_no_age_is_known(make_corpus):
    with pytest.warns(DatasetWarning, match="age of 2 speakers is missing, SPKRINFO") as warned:
        target = load_timit(make_corpus(table=None)).target
    assert target["age"].isna().all()
    assert target["age"].dtype == np.float64
    assert warned[0].filename == __file__


def test_a_speaker_absent_from_the_table_has_no_age(make_corpus):
    with pytest.warns(DatasetWarning, match=r"age of 1 speakers .*list.*MABC0"):
        target = load_timit(make_corpus(table=TABLE.replace("ABC0", "ABD0"))).target
    assert target["age"].isna().tolist() == [True, False, False]


@pytest.mark.parametrize("odd", ["TRAIN/DR9/FCJF0/SA1.WAV", "TRAIN/DR1/FCJF0/SB1.WAV", "SA1.WAV"])
def test_a_name_that_does_not_fit_is_named(make_corpus, odd):
    with pytest.warns(DatasetWarning, match=odd):
        assert len(load_timit(make_corpus(*NAMES, odd)).data) == 3


def test_another_corpus_is_refused(make_files, tmp_path):
    with pytest.raises(DatasetError, match="TRAIN/DR1/FCJF0"):
        load_timit(make_files("03a01Fa.wav"))
    with pytest.raises(DatasetError, match="does not exist"):
        load_timit(tmp_path / "nowhere")
