import os

import pytest

from sfmforensics._utils.files import replacing, write_atomically


def test_text_is_utf_8_whatever_is_in_it(tmp_path):
    write_atomically(tmp_path / "a.txt", "ع " + os.fsdecode(b"caf\xe9"))
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == r"ع caf\udce9"


def test_a_failure_leaves_what_was_there(tmp_path):
    write_atomically(tmp_path / "a.txt", b"old")
    with pytest.raises(OSError, match="full"), replacing(tmp_path / "a.txt"):
        raise OSError("full")
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.txt"]
