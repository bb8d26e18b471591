import numpy as np
import pytest

from sfmforensics.datasets.commonvoice import load_commonvoice
from sfmforensics.exceptions import DatasetError
from sfmforensics.targets._bands import band_text

HEADER = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\n"
ROWS = {
    "a": 'ff01\ta.mp3\tOna nie "wie".\t2\t0\tthirties\tfemale_feminine\t\n',
    "b": "ff02\tb.mp3\tNA\t2\t0\t\t\t\n",
    "c": "ff01\tc.mp3\tTak.\t2\t0\tthirties\tfemale_feminine\t\n",
    "d": "ff03\td.mp3\tNie.\t2\t0\tfourties\tother\t\n",
}
TABLES = {"validated": "dcba", "train": "a", "dev": "b", "test": "c", "invalidated": "d"}


@pytest.fixture
def make_corpus(make_files):
    def make(clips="abcd", rows=ROWS, **tables):
        root = make_files(*(f"clips/{clip}.mp3" for clip in clips))
        for name, listed in (tables or TABLES).items():
            text = HEADER + "".join(rows[clip] for clip in listed)
            (root / f"{name}.tsv").write_text(text, encoding="utf-8")
        return root

    return make


def test_labels_come_from_the_table(make_corpus):
    root = make_corpus()
    corpus = load_commonvoice(root)
    assert corpus.data == [str(root / "clips" / f"{clip}.mp3") for clip in "abcd"]
    assert corpus.target.drop(columns="age").to_dict("list") == {
        "speaker": ["ff01", "ff02", "ff01", "ff03"],
        "gender": ["female", None, "female", "other"],
    }
    assert [band_text(one) for one in corpus.target["age"].dropna()] == ["30-39", "30-39", "40-49"]
    assert corpus.target["age"].isna().tolist() == [False, True, False, False]
    assert set(corpus.target.drop(columns="age").dtypes) == {np.dtype(object)}
    assert corpus.details.to_dict("list") == {
        "text": ['Ona nie "wie".', "NA", "Tak.", "Nie."],
        "split": ["train", "dev", "test", None],
    }
    assert corpus.groups.tolist() == ["ff01", "ff02", "ff01", "ff03"]


@pytest.mark.parametrize(
    ("written", "gender"),
    [
        ("male", "male"),
        ("female", "female"),
        ("male_masculine", "male"),
        ("female_feminine", "female"),
        ("other", "other"),
        ("non-binary", "non-binary"),
        ("transgender", "transgender"),
        ("do_not_wish_to_say", None),
        ("", None),
    ],
)
def test_every_gender(make_corpus, written, gender):
    rows = {"d": ROWS["d"].replace("other", written)}
    root = make_corpus("d", rows, validated="d")
    assert load_commonvoice(root).target["gender"].tolist() == [gender]


@pytest.mark.parametrize(
    ("split", "clips"), [("train", "a"), ("dev", "b"), ("validated", "abcd"), ("invalidated", "d")]
)
def test_one_table_is_loaded_on_request(make_corpus, split, clips):
    corpus = load_commonvoice(make_corpus(), split)
    assert [path[-5] for path in corpus.data] == list(clips)


def test_without_the_validated_table_the_splits_are_loaded(make_corpus):
    corpus = load_commonvoice(make_corpus(train="b", test="a"))
    assert corpus.details["split"].tolist() == ["test", "train"]


def test_a_path_without_its_ending_is_a_clip(make_corpus):
    rows = {clip: row.replace(".mp3", "") for clip, row in ROWS.items()}
    assert load_commonvoice(make_corpus(rows=rows)).details["split"].tolist()[0] == "train"


def test_a_speaker_who_is_not_named_is_missing(make_corpus):
    corpus = load_commonvoice(make_corpus(rows=ROWS | {"a": ROWS["a"].replace("ff01", "")}))
    assert corpus.target["speaker"][0] is None
    assert corpus.groups[0] == ""


def test_clips_that_are_not_there_are_counted(make_corpus):
    with pytest.raises(DatasetError, match=r"2 of 4 clips in validated.tsv .*the first is b\.mp3"):
        load_commonvoice(make_corpus("ad"))


@pytest.mark.parametrize("path", ["../a.mp3", "clips/a.mp3"])
def test_a_path_out_of_the_clips_is_not_there(make_corpus, path):
    with pytest.raises(DatasetError, match="1 of 4 clips"):
        load_commonvoice(make_corpus(rows=ROWS | {"a": ROWS["a"].replace("a.mp3", path)}))


@pytest.mark.parametrize(
    ("tables", "split", "message"),
    [
        ({"other": "a"}, None, r"has no validated\.tsv, found other"),
        ({"validated": "a"}, "train", r"has no train\.tsv, found validated"),
        ({"validated": "a"}, "dev-clean", "split is 'dev-clean'; choose train"),
        ({"validated": "aa"}, None, r"1 clips are listed twice .*a\.mp3"),
        ({"validated": ""}, None, r"validated\.tsv: has a header, but no recordings"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(make_corpus, tables, split, message):
    with pytest.raises(DatasetError, match=message):
        load_commonvoice(make_corpus(**tables), split)


def test_a_table_without_a_column_is_refused(make_corpus):
    root = make_corpus()
    (root / "validated.tsv").write_text("client_id\tpath\nff01\ta.mp3\n")
    with pytest.raises(DatasetError, match=r"lacks the columns \['sentence', 'age', 'gender'\]"):
        load_commonvoice(root)


def test_a_folder_without_clips_is_refused(make_corpus, tmp_path):
    with pytest.raises(DatasetError, match="clips: cannot be read"):
        load_commonvoice(make_corpus(""))
    with pytest.raises(DatasetError, match="does not exist"):
        load_commonvoice(tmp_path / "nowhere")
