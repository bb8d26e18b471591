import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from sfmforensics._utils.names import name_few
from sfmforensics.datasets import find_copies, get_data_home
from sfmforensics.datasets._base import label_column, make_bunch
from sfmforensics.datasets._files import match_files
from sfmforensics.exceptions import DatasetError, DatasetWarning


def test_data_home_is_the_argument_before_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SFMFORENSICS_DATA", str(tmp_path / "environment"))
    assert get_data_home() == str(tmp_path / "environment")
    assert get_data_home(tmp_path / "argument") == str(tmp_path / "argument")
    assert (tmp_path / "argument").is_dir()


def test_data_home_defaults_to_the_users_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in (None, ""):
        if value is None:
            monkeypatch.delenv("SFMFORENSICS_DATA", raising=False)
        else:
            monkeypatch.setenv("SFMFORENSICS_DATA", value)
        assert get_data_home() == str(tmp_path / "sfmforensics_data")


def test_data_home_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="SFMFORENSICS_DATA"):
        get_data_home(tmp_path / "file" / "home")


@pytest.mark.parametrize("labels", [["a", None], [1, None], ["01", "02"], [1, 2]])
def test_label_column_keeps_labels_as_objects(labels):
    column = label_column(labels)
    assert column.dtype == object
    assert column.tolist() == labels


def test_bunch_groups_by_speaker_and_unknown_speakers_together():
    target = pd.DataFrame({"speaker": label_column(["a", None, "b", None])})
    corpus = make_bunch(["1", "2", "3", "4"], target, descr="four")
    assert corpus.groups.tolist() == ["a", "", "b", ""]
    assert corpus.details.shape == (4, 0)
    assert corpus.DESCR == "four"


def test_bunch_without_speakers_has_no_groups_unless_given():
    target = pd.DataFrame({"age": [20.0, 30.0]})
    assert make_bunch(["1", "2"], target, descr="").groups is None
    assert make_bunch(["1", "2"], target, groups=["x", "y"], descr="").groups.tolist() == ["x", "y"]


@pytest.mark.parametrize("part", ["target", "groups", "details"])
def test_bunch_of_unequal_parts_is_refused(part):
    parts = {
        "target": pd.DataFrame({"age": [20.0, 30.0]}),
        "groups": ["x", "y"],
        "details": pd.DataFrame({"word": ["0", "1"]}),
    }
    parts[part] = parts[part][:1]
    with pytest.raises(DatasetError, match=part):
        make_bunch(["1", "2"], descr="", **parts)


@pytest.mark.parametrize(("count", "text"), [(1, "0"), (3, "0, 1, 2"), (4, "0, 1, 2 and 1 more")])
def test_name_few(count, text):
    assert name_few([str(i) for i in range(count)]) == text


def test_matches_are_sorted_absolute_and_split_into_fields(make_files, tmp_path, monkeypatch):
    make_files("b-2.wav", "a-1.wav", "notes.txt")
    monkeypatch.chdir(tmp_path)
    paths, fields = match_files("corpus", r"(?P<x>\w)-(?P<y>\d)\.wav", layout="X-Y.wav")
    assert paths == [str(tmp_path / "corpus" / name) for name in ("a-1.wav", "b-2.wav")]
    assert fields.to_dict("list") == {"x": ["a", "b"], "y": ["1", "2"]}
    assert set(fields.dtypes) == {np.dtype(object)}


def test_misfits_are_named_in_one_warning(make_files):
    root = make_files("a-1.wav", *(f"odd{i}.wav" for i in range(5)), "deep/er/a-1.wav")
    with pytest.warns(DatasetWarning) as warned:
        paths, _ = match_files(root, r"(?P<x>\w)-\d\.wav", layout="X-Y.wav")
    assert len(paths) == 1
    assert len(warned) == 1
    message = str(warned[0].message)
    assert "left out 6 of 7" in message
    assert "deep/er/a-1.wav, odd0.wav, odd1.wav and 3 more" in message
    assert "X-Y.wav" in message


@pytest.mark.parametrize(
    ("files", "root", "message"),
    [
        (["a.wav"], "elsewhere", "does not exist"),
        (["a.wav"], "a.wav", "is a file"),
        (["a.txt"], ".", "holds no wav file"),
        (["a.wav"], ".", "no wav file fits, found a.wav"),
    ],
)
def test_unusable_root_is_named_with_the_layout(make_files, files, root, message):
    root = make_files(*files) / root
    with pytest.raises(DatasetError, match=message) as refused:
        match_files(root, r"(?P<x>\d)\.wav", layout="NUMBER.wav")
    assert str(root) in str(refused.value)
    assert "NUMBER.wav" in str(refused.value)


def test_copies_are_found_whatever_their_name_and_container(write_tone):
    data = [
        write_tone("a.wav"),
        write_tone("other.wav", frequency=330),
        write_tone("a.flac"),
        Path(write_tone("copy.wav")),
        write_tone("slow.wav", rate=8_000, seconds=0.2),
        write_tone("wide.wav", channels=2),
    ]
    data.append(soundfile.read(data[0]))
    data.append(soundfile.read(data[0], dtype="int16"))
    assert find_copies(data).tolist() == [0, 1, 0, 0, 2, 3, 0, 0]


def test_copies_in_eight_bits_agree_with_their_unsigned_samples(write_tone):
    path = write_tone("a.wav", subtype="PCM_U8")
    decoded, rate = soundfile.read(path)
    unsigned = (decoded * 128 + 128).astype(np.uint8)
    assert find_copies([path, (unsigned, rate)]).tolist() == [0, 0]


def test_rate_and_channels_tell_recordings_apart():
    signal = np.arange(8.0) / 8
    data = [(signal, 8000), (signal, 16000), (signal.reshape(4, 2), 8000), (signal[:, None], 8000)]
    assert find_copies(data).tolist() == [0, 1, 2, 0]


def test_unreadable_files_are_copies_of_nothing(tmp_path, make_files):
    root = make_files("empty.wav", "empty2.wav")
    data = [root / "empty.wav", root / "empty2.wav", tmp_path / "missing.wav", root]
    labels = find_copies([*data, (np.zeros(4), 8000), data[0]])
    assert labels.tolist() == [0, 1, 2, 3, 4, 5]


def test_any_name_has_a_copy(write_tone, tmp_path):
    first = write_tone("a.wav")
    second = tmp_path / os.fsdecode(b"caf\xe9\n.wav")
    shutil.copy(first, second)
    assert find_copies([first, second, os.fspath(second)]).tolist() == [0, 0, 0]


def test_what_is_no_recording_is_a_copy_of_nothing():
    signal = np.arange(8.0)
    data = [None, (signal,), (signal, 0), (signal, np.inf), (signal * 1j, 8000), (signal, 8000)]
    assert find_copies([*data, *data]).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 5]


@pytest.mark.parametrize("coding", ["GSM610", "G721_32"])
def test_telephone_codings_that_cannot_be_wound_have_copies(write_tone, tmp_path, coding):
    first = write_tone("a.wav", rate=8_000, subtype=coding)
    other = write_tone("b.wav", rate=8_000, subtype=coding, frequency=330)
    shutil.copy(first, tmp_path / "c.wav")
    assert find_copies([first, other, tmp_path / "c.wav"]).tolist() == [0, 1, 0]


def test_a_decoder_that_stops_early_leaves_no_chance_in_the_labels(tmp_path):
    path = tmp_path / "a.mp3"
    soundfile.write(path, 0.1 * np.random.default_rng(0).normal(size=40_000), 16_000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])  # its header promises the rest
    for rubbish in (1.0, 2.0, np.nan):
        np.full(2**18, rubbish)  # memory that may be used again
        assert find_copies([path, path]).tolist() == [0, 0]


@pytest.mark.filterwarnings("error")
def test_signalling_nans_are_no_warning(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 8_000, subtype="DOUBLE")
    content = (tmp_path / "a.wav").read_bytes()
    signal = np.frombuffer(b"\1\0\0\0\0\0\xf0\x7f" * 100)
    (tmp_path / "a.wav").write_bytes(content[:-800] + signal.tobytes())
    assert find_copies([tmp_path / "a.wav", (signal, 8_000)]).tolist() == [0, 0]


def test_no_recordings_have_no_labels():
    assert find_copies([]).shape == (0,)


signals = st.lists(st.sampled_from([0.0, -0.0, 0.5, -1.0]), max_size=3)


@given(st.lists(st.tuples(signals, st.sampled_from([8000, 16000])), max_size=8))
def test_labels_partition_recordings_by_equality(pairs):
    data = [(np.array(signal), rate) for signal, rate in pairs]
    labels = find_copies(data)
    for i, one in enumerate(pairs):
        for j, other in enumerate(pairs):
            assert (labels[i] == labels[j]) == (one == other)
    assert list(dict.fromkeys(labels)) == list(range(len(set(labels))))


def test_the_copies_in_baved(real_baved):
    data = sorted(map(str, real_baved.rglob("*.wav")))
    labels = find_copies(data)
    assert len(data) - len(set(labels)) == 27
