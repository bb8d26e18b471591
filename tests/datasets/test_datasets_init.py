import pytest

import sfmforensics.datasets as datasets
from sfmforensics.exceptions import DatasetError


def test_load_corpus_finds_the_loader(make_files, tmp_path):
    emodb = make_files("wav/03a01Fa.wav")
    assert datasets.load_corpus("emodb", emodb).target["emotion"].tolist() == ["happiness"]
    baved = make_files("0/46-m-20-0-2-158.wav", root=tmp_path / "baved")
    assert datasets.load_corpus("baved", baved).target["emotion"].tolist() == ["high"]
    cremad = make_files("AudioWAV/1001_DFA_FEA_LO.wav", root=tmp_path / "cremad")
    (cremad / "VideoDemographics.csv").write_text("ActorID,Age,Sex\n1001,51,Male\n")
    assert datasets.load_corpus("cremad", cremad).target["emotion"].tolist() == ["fear"]
    table = emodb / "table.csv"
    table.write_text("path,emotion\nwav/03a01Fa.wav,joy\n")
    for name in ("table", "manifest"):  # which was its name
        assert datasets.load_corpus(name, table).target["emotion"].tolist() == ["joy"]


@pytest.mark.parametrize("name", ["BAVED", "", None])
def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path, name):
    with pytest.raises(DatasetError, match=r"choose auto, table .*, tess, timit or urdu"):
        datasets.load_corpus(name, tmp_path)


def test_what_is_promised_exists():
    assert all(callable(getattr(datasets, name)) for name in datasets.__all__ if not name.isupper())
