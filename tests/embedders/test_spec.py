"""Specs of views as they are typed: any folder can be written, and is read back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfmforensics.cli._options import specs
from sfmforensics.embedders import make_embedder
from sfmforensics.embedders.registry import quote_spec, split_list, split_spec
from sfmforensics.exceptions import EmbedderError, ParameterError

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True)
FOLDERS = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text != "")


@given(st.lists(st.tuples(NAMES, FOLDERS, st.booleans()), min_size=1))
def test_whatever_a_folder_is_called_it_can_be_written_beside_others(views):
    written = [quote_spec(name, folder) + "@layer=all" * more for name, folder, more in views]
    read = [split_spec(part) for part in split_list(",".join(written))]
    assert read == [
        (name, folder, {"layer": "all"} if more else {}) for name, folder, more in views
    ]


@given(st.text())
def test_a_list_without_quotes_is_what_commas_separate(text):
    if '"' not in text:
        assert split_list(text) == [part.strip() for part in text.split(",") if part.strip()]


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a,b", "c@d=e", "f=g", "~h"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize("name", ["a,b", "c@d=e", "f=g", "~h"])
def test_a_folder_with_what_separates_is_found_in_quotes(name, models):
    given_ = specs(f'mfcc,w="./{name}"@layer=1')
    view, embedder = make_embedder(given_[1])
    assert (view, embedder.model, embedder.layer) == ("w", str(models / name), 1)


def test_who_forgets_the_quotes_is_told_what_to_type(models):
    with pytest.raises(ParameterError, match=re.escape("""'w="./a,b"'""")):
        specs("mfcc,w=./a,b")
    with pytest.raises(EmbedderError, match=re.escape('w="./c@d=e"')):
        make_embedder("w=./c@d=e")
    with pytest.raises(ParameterError, match="not closed"):
        specs('mfcc,w="./a,b')
    with pytest.raises(EmbedderError, match="only @PARAMETER=VALUE"):
        make_embedder('w="./a,b"layer=1')
