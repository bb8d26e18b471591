import os
import time
import unicodedata

import pytest

from sfmforensics.datasets._whereabouts import explain_missing


@pytest.fixture
def root(tmp_path):
    """A corpus beside a folder that is none of its business, and a link that leads there."""
    corpus = tmp_path / "corpus"
    names = ["Anna.wav", "Sub/deep/b.wav", unicodedata.normalize("NFD", "Jörg.wav")]
    for name in [*names, "3.14\u202fPM.wav", "take 1.wav", "d.flac", "d.txt"]:
        (corpus / name).parent.mkdir(parents=True, exist_ok=True)
        (corpus / name).touch()
    (tmp_path / "away").mkdir()
    (tmp_path / "away/secret.wav").touch()
    (corpus / "link").symlink_to("../away")
    return str(corpus)


@pytest.mark.parametrize(
    ("cell", "reasons", "name"),
    [
        ("anna.wav", "capitals", "Anna.wav"),
        ("Anna.WAV", "capitals", "Anna.wav"),
        ("sub/DEEP/b.wav", "capitals", "Sub/deep/b.wav"),
        ("Sub\\deep\\b.wav", "backslashes", "Sub/deep/b.wav"),
        (".\\sub\\deep\\b.wav", "backslashes and capitals", "Sub/deep/b.wav"),
        ("C:\\Users\\x\\Sub\\deep\\b.wav", "the folder", "Sub/deep/b.wav"),
        ("wavs/Anna.wav", "the folder", "Anna.wav"),
        (unicodedata.normalize("NFC", "Jörg.wav"), "the Unicode form of a letter", "Jörg.wav"),
        ("JÖRG.wav", "capitals and the Unicode form of a letter", "Jörg.wav"),
        ("3.14 PM.wav", "the Unicode form of a letter", "3.14\u202fPM.wav"),
        ("take1.wav", "blanks", "take 1.wav"),
        ("d.wav", "the extension", "d.flac"),
        ("d", "the extension", "d.flac"),
    ],
)
def test_the_name_on_the_disk_and_what_it_differs_in_are_told(root, cell, reasons, name):
    told = explain_missing(root, [cell])
    assert told.startswith(f"1 differs in {reasons} from a file that is there ({cell[:3]}")
    shown = name if name.isprintable() else repr(name)[1:-1]
    told, shown = (unicodedata.normalize("NFC", text) for text in (told, shown))
    assert f" is {shown})" in told


@pytest.mark.parametrize("cell", ["zz.wav", "x/zz.wav", "..", "../", "Sub", "\\", "C:\\", "t.txt"])
def test_of_what_comes_near_to_nothing_nothing_is_told(root, cell):
    assert explain_missing(root, [cell]) == ""


@pytest.mark.parametrize(
    "cell", ["LINK/secret.wav", "link/SECRET.wav", "..\\away\\secret.wav", "../away/SECRET.wav"]
)
def test_what_lies_elsewhere_is_not_told_of(root, cell):
    assert explain_missing(root, [cell]) == ""


def test_what_may_be_outside_is_told_of(root):
    told = explain_missing(root, ["link/SECRET.wav"], allow_outside=True)
    assert "(link/SECRET.wav is link/secret.wav)" in told


def test_the_most_common_differences_come_first_and_few_are_named(root):
    cells = ["Sub\\deep\\b.wav", "ANNA.wav", "anna.wav", "x/Anna.wav", "d.wav", "take1.wav"]
    told = explain_missing(root, cells)
    assert told.startswith("2 differ in capitals from files that are there (ANNA.wav is Anna.wav")
    assert told.endswith(", 2 in others")


@pytest.mark.slow
def test_a_hundred_thousand_names_are_explained_in_seconds_each_folder_listed_once(
    root, monkeypatch
):
    listed = []
    usual = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: listed.append(path) or usual(path))
    started = time.process_time()
    told = explain_missing(root, ["SUB/deep/b.wav"] * 50_000 + ["no/such/name.wav"] * 50_000)
    assert told.startswith("50000 differ in capitals")
    assert len(listed) == len(set(listed))
    assert time.process_time() - started < 30
