"""The same recordings by each format: the same targets, the same vectors."""

import gzip
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from sfmforensics.datasets import (
    load_audformat,
    load_audiofolder,
    load_auto,
    load_corpus,
    load_dataset,
    load_emobox,
    load_folder,
    load_kaldi,
    load_lhotse,
    load_table,
    make_speech_corpus,
)
from sfmforensics.embedders import MFCCEmbedder
from sfmforensics.exceptions import DatasetError, DatasetWarning

TASKS = ["speaker", "emotion", "gender", "age"]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Sixty recordings of ten speakers, in one file a speaker, and what is said of them."""
    root = tmp_path_factory.mktemp("house")
    corpus = make_speech_corpus(10, 6, duration=0.3, random_state=0)
    table = corpus.target.copy()
    table["age"] = table["age"].round(1)
    table["text"] = [f"sentence {i % 3}" for i in range(60)]
    edges, signals = [], {}
    (root / "whole").mkdir()
    for row, (signal, rate) in enumerate(corpus.data):
        name = f"{table['speaker'][row]}-{row:02d}"
        soundfile.write(root / "whole" / f"{name}.wav", signal, rate)
        signal = soundfile.read(root / "whole" / f"{name}.wav", dtype="int16")[0]
        place = sum(map(len, signals.setdefault(table["speaker"][row], [])))
        signals[table["speaker"][row]] += [signal]
        edges.append((place / rate, (place + len(signal)) / rate))
    (root / "calls").mkdir()
    for speaker, parts in signals.items():
        soundfile.write(root / "calls" / f"{speaker}.wav", np.concatenate(parts), rate)
    table["name"] = [f"{speaker}-{row:02d}" for row, speaker in enumerate(table["speaker"])]
    table["start"], table["end"] = zip(*edges, strict=True)
    return root, table


@pytest.fixture(scope="module")
def expected(house):
    root, table = house
    return table[TASKS], MFCCEmbedder().fit_transform(
        [str(root / "whole" / f"{name}.wav") for name in table["name"]]
    )


def agree(corpus, expected, *, tasks=TASKS):
    target, vectors = expected
    pd.testing.assert_frame_equal(corpus.target[tasks], target[tasks])
    assert list(corpus.groups) == target["speaker"].tolist()
    np.testing.assert_array_equal(MFCCEmbedder().fit_transform(corpus.data), vectors)


def write_lines(file, rows):
    opened = gzip.open if file.name.endswith(".gz") else open
    with opened(file, "wt") as lines:
        lines.write("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_table(house, expected, tmp_path, form):
    root, table = house
    frame = table.drop(columns=["name", "start", "end"])
    frame.insert(0, "path", [str(root / "whole" / f"{name}.wav") for name in table["name"]])
    file = tmp_path / f"table.{form}"
    if form == "csv":
        frame.to_csv(file, index=False)
    elif form == "jsonl":
        frame.to_json(file, orient="records", lines=True)
    else:
        pytest.importorskip("pyarrow", reason="pyarrow, of the extra parquet, is not installed")
        frame.to_parquet(file, index=False)
    agree(load_table(file, allow_outside=True), expected)
    agree(load_corpus("table", file, allow_outside=True), expected)


def test_table_of_segments(house, expected):
    root, table = house
    frame = table.drop(columns="name")
    frame.insert(0, "path", [f"calls/{speaker}.wav" for speaker in table["speaker"]])
    frame.to_csv(root / "segments.csv", index=False)
    agree(load_table(root / "segments.csv"), expected)


@pytest.mark.parametrize("metadata", ["csv", "jsonl"])
def test_audiofolder(house, expected, tmp_path, metadata):
    root, table = house
    shutil.copytree(root / "whole", tmp_path / "data")
    frame = table.drop(columns=["name", "start", "end"]).rename(
        columns={"speaker": "speaker_id", "gender": "sex", "text": "transcription"}
    )
    frame["file_name"] = [f"{name}.wav" for name in table["name"]]
    if metadata == "csv":
        frame.to_csv(tmp_path / "data" / "metadata.csv", index=False)
    else:
        frame.to_json(tmp_path / "data" / "metadata.jsonl", orient="records", lines=True)
    corpus = load_audiofolder(tmp_path)
    agree(corpus, expected)
    assert list(corpus.details) == ["text"]


def test_audiofolder_of_splits(house, expected, tmp_path):
    root, table = house
    for split, part in (("train", table[:40]), ("validation", table[40:])):
        folder = tmp_path / "data" / split
        folder.mkdir(parents=True)
        for name in part["name"]:
            shutil.copy(root / "whole" / f"{name}.wav", folder)
        part.assign(file_name=part["name"] + ".wav")[["file_name", *TASKS]].to_csv(
            folder / "metadata.csv", index=False
        )
    corpus = load_audiofolder(tmp_path)
    agree(corpus, expected)
    assert corpus.details["split"].tolist() == ["train"] * 40 + ["dev"] * 20
    (tmp_path / "data" / "train" / f"{table['name'][3]}.wav").unlink()
    with pytest.raises(DatasetError, match=r"1 of 60 recordings do not exist .*data/train: row 5"):
        load_audiofolder(tmp_path)


@pytest.mark.parametrize("inside", [True, False], ids=["bytes", "paths"])
def test_dataset_of_hugging_face(house, expected, inside):
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    root, table = house
    files = [root / "whole" / f"{name}.wav" for name in table["name"]]
    sound = [
        {"path": file.name, "bytes": file.read_bytes()} if inside else str(file) for file in files
    ]
    rows = {"audio": sound} | {name: table[name].tolist() for name in [*TASKS, "text"]}
    rows["speaker_id"] = rows.pop("speaker")
    emotions = sorted(set(rows["emotion"]))
    rows["emotion"] = [emotions.index(emotion) for emotion in rows["emotion"]]
    dataset = datasets.Dataset.from_dict(rows).cast_column("audio", datasets.Audio())
    dataset = dataset.cast_column("emotion", datasets.ClassLabel(names=emotions))
    corpus = load_dataset(dataset)
    agree(corpus, expected)
    parts = datasets.DatasetDict(
        {"train": dataset.select(range(50)), "validation": dataset.select(range(50, 60))}
    )
    corpus = load_dataset(parts)
    agree(corpus, expected)
    assert corpus.details["split"].tolist() == ["train"] * 50 + ["dev"] * 10
    with pytest.raises(DatasetError, match="no column 'sound' of audio, but"):
        load_dataset(dataset, audio="sound")
    with pytest.raises(DatasetError, match="no column of audio, but"):
        load_dataset(dataset.remove_columns("audio"))


def write_kaldi(folder, house, *, segments):
    root, table = house
    folder.mkdir()
    names = table["name"]
    if segments:
        sounds = {one: root / "calls" / f"{one}.wav" for one in table["speaker"].unique()}
        rows = table[["name", "speaker", "start", "end"]].itertuples(index=False)
        (folder / "segments").write_text("".join(f"{a} {b} {c} {d}\n" for a, b, c, d in rows))
    else:
        sounds = {name: root / "whole" / f"{name}.wav" for name in names}
    files = {
        "wav.scp": sounds,
        "utt2spk": dict(zip(names, table["speaker"], strict=True)),
        "utt2emo": dict(zip(names, table["emotion"], strict=True)),
        "utt2dur": dict.fromkeys(names, 0.3),
        "text": dict(zip(names, table["text"], strict=True)),
        "spk2gender": {
            speaker: gender[0]
            for speaker, gender in zip(table["speaker"], table["gender"], strict=True)
        },
        "spk2age": dict(zip(table["speaker"], table["age"], strict=True)),
    }
    for name, lines in files.items():
        (folder / name).write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
    return folder


@pytest.mark.parametrize("segments", [False, True], ids=["files", "segments"])
def test_kaldi(house, expected, tmp_path, segments):
    folder = write_kaldi(tmp_path / "data", house, segments=segments)
    corpus = load_kaldi(folder, allow_outside=True)
    agree(corpus, expected)
    assert sorted(corpus.target) == sorted(TASKS)
    assert corpus.details["utterance"].tolist() == house[1]["name"].tolist()
    assert corpus.details["text"].tolist() == house[1]["text"].tolist()
    with pytest.raises(DatasetError, match="--allow-outside"):
        load_kaldi(folder)


@pytest.mark.parametrize(
    ("file", "line", "says"),
    [
        ("wav.scp", "z sox a.wav -t wav - |", "'z' is a pipe .* not run here; .*wav-copy"),
        ("wav.scp", "z raw.ark:1234", "'z' is a place in an archive"),
        ("wav.scp", "z", "'z' has no path"),
        ("segments", "z s99 0 1", "'z' is of 's99', which wav.scp does not list"),
        ("segments", "z s01 0", "'z' is followed by 's01 0'; expected RECORDING START END"),
        ("segments", "z s01 2 1", "utterance z ends at 1 s and begins at 2 s"),
        ("spk2age", "s01 3", "'s01' is there twice"),
    ],
)
def test_kaldi_refuses(house, tmp_path, file, line, says):
    folder = write_kaldi(tmp_path / "data", house, segments=True)
    with open(folder / file, "a") as lines:
        lines.write(line + "\n")
    with pytest.raises(DatasetError, match=says):
        load_kaldi(folder, allow_outside=True)


def test_kaldi_runs_no_pipe(tmp_path):
    (tmp_path / "wav.scp").write_text(f"z touch {tmp_path}/run |\n")
    with pytest.raises(DatasetError, match="pipe"):
        load_kaldi(tmp_path)
    assert not (tmp_path / "run").exists()


def test_channels_of_kaldi(tmp_path, make_files):
    make_files("call.wav", root=tmp_path)
    (tmp_path / "wav.scp").write_text("call-A call.wav\ncall-B call.wav\n")
    (tmp_path / "reco2file_and_channel").write_text("call-A call A\ncall-B call B\n")
    corpus = load_kaldi(tmp_path)
    assert [one.fragment for one in corpus.data] == ["#channel=1", "#channel=2"]
    (tmp_path / "segments").write_text("a call-A 0 1\nb call-B 0.5 -1\n")
    assert [one.fragment for one in load_kaldi(tmp_path).data] == [
        "#t=0,1&channel=1",
        "#t=0.5&channel=2",
    ]
    (tmp_path / "reco2file_and_channel").unlink()
    (tmp_path / "segments").write_text("a call-A 0 1 1\nb call-B 0.5 -1 1\n")  # from 0 there
    assert [one.channel for one in load_kaldi(tmp_path).data] == [2, 2]
    (tmp_path / "segments").write_text("a call-A 0 1 0\nb call-B 0.5 -1 0\n")
    assert [one.channel for one in load_kaldi(tmp_path).data] == [None, None]


def write_lhotse(folder, house, *, cuts, segments, end=".jsonl.gz"):
    root, table = house
    folder.mkdir()
    recordings, rows = {}, []
    for row in table.itertuples():
        name = row.speaker if segments else row.name
        file = root / ("calls" if segments else "whole") / f"{name}.wav"
        info = soundfile.info(file)
        recordings[name] = {
            "id": name,
            "sources": [{"type": "file", "channels": [0], "source": str(file)}],
            "sampling_rate": info.samplerate,
            "num_samples": info.frames,
            "duration": info.duration,
        }
        stretch = {"start": row.start, "duration": row.end - row.start} if segments else {}
        stretch = stretch or {"start": 0.0, "duration": info.duration}
        said = {"id": row.name, "recording_id": name, "channel": 0, "speaker": row.speaker}
        said |= stretch | {"gender": row.gender[0].upper(), "text": row.text}
        said |= {"custom": {"emotion": row.emotion, "age": row.age, "f0": [1, 2]}}
        if cuts:
            said["start"] = 0.0
            cut = {"id": f"cut-{row.name}", "channel": 0, "type": "MonoCut"} | stretch
            rows.append(cut | {"supervisions": [said], "recording": recordings[name]})
        else:
            rows.append(said)
    if cuts:
        write_lines(folder / f"cuts_all{end}", rows)
    else:
        write_lines(folder / f"recordings_all{end}", list(recordings.values()))
        write_lines(folder / f"supervisions_all{end}", rows)
    return folder


@pytest.mark.parametrize("cuts", [False, True], ids=["supervisions", "cuts"])
@pytest.mark.parametrize("segments", [False, True], ids=["files", "segments"])
def test_lhotse(house, expected, tmp_path, cuts, segments):
    folder = write_lhotse(tmp_path / "data", house, cuts=cuts, segments=segments)
    corpus = load_lhotse(folder, allow_outside=True)
    agree(corpus, expected)
    assert sorted(corpus.target) == sorted(TASKS)
    assert corpus.details["utterance"].tolist() == house[1]["name"].tolist()
    if cuts:
        (file,) = folder.glob("cuts*")
        agree(load_lhotse(file, allow_outside=True), expected)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"recording": None, "type": "MixedCut"}, "line 1 is MixedCut without one recording"),
        ({"recording": {"id": "r", "sources": []}}, "'r' lies in 0 files"),
        (
            {"recording": {"id": "r", "sources": [{"type": "command", "source": "touch x"}]}},
            "'r' is a 'command', not a file",
        ),
        ({"start": "soon"}, "line 1: start is 'soon', not a number of seconds"),
    ],
)
def test_lhotse_refuses(tmp_path, change, says):
    source = {"type": "file", "channels": [0], "source": "a.wav"}
    cut = {"id": "c", "start": 0, "duration": 1, "channel": 0, "supervisions": []}
    cut |= {"recording": {"id": "r", "sources": [source], "duration": 2.0}}
    write_lines(tmp_path / "cuts.jsonl", [cut | change])
    with pytest.raises(DatasetError, match=says):
        load_lhotse(tmp_path)


def test_channels_of_lhotse(tmp_path, make_files):
    make_files("a.wav", root=tmp_path)
    source = {"type": "file", "channels": [0, 1], "source": "a.wav"}
    recording = {"id": "r", "sources": [source], "duration": 2.0}
    said = {"id": "s", "recording_id": "r", "start": 0, "duration": 2.0}
    write_lines(tmp_path / "recordings.jsonl", [recording])
    write_lines(
        tmp_path / "supervisions.jsonl",
        [said | {"channel": 1, "speaker": "x"}, said | {"channel": [0, 1], "start": 0.5}],
    )
    corpus = load_lhotse(tmp_path)
    assert [one.fragment for one in corpus.data] == ["#channel=2", "#t=0.5&channel=mix"]
    assert corpus.groups.tolist() == ["x", ""]


@pytest.mark.parametrize("folds", [1, 3])
def test_emobox(house, expected, tmp_path, folds):
    root, table = house
    folder = tmp_path / "data" / "mine"
    folder.mkdir(parents=True)
    os.symlink(root / "whole", tmp_path / "downloads")
    rows = [
        {"key": row.name, "dataset": "mine", "wav": f"downloads/{row.name}.wav", "emo": row.emotion}
        | {"speaker": row.speaker, "gender": row.gender, "age": row.age, "channel": 1}
        for row in table.itertuples()
    ]
    write_lines(folder / "mine.jsonl", rows)
    for fold in range(1, folds + 1):
        (folder / f"fold_{fold}").mkdir()
        for side in ("train", "test"):
            part = [
                row for i, row in enumerate(rows) if (i % folds == fold - 1) == (side == "test")
            ]
            if folds == 1:
                part = rows[:40] if side == "train" else rows[40:]
            write_lines(folder / f"fold_{fold}" / f"mine_{side}_fold_{fold}.jsonl", part)
    corpus = load_emobox(folder, allow_outside=True)
    agree(corpus, expected)
    sides = ["train"] * 40 + ["test"] * 20 if folds == 1 else [str(i % 3 + 1) for i in range(60)]
    assert corpus.details["split"].tolist() == sides


def test_emobox_without_recordings(tmp_path):
    write_lines(tmp_path / "x.jsonl", [{"key": "a", "wav": "a.wav", "emo": "joy"}])
    with pytest.raises(DatasetError, match="1 of 1 recordings do not exist"):
        load_emobox(tmp_path)
    with pytest.raises(DatasetError, match="does not exist; expected EmoBox's folder"):
        load_emobox(tmp_path / "fold_1")


def test_folder(house, expected, tmp_path):
    root, table = house
    for row in table.itertuples():
        folder = tmp_path / "train" / row.speaker / row.emotion
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / "whole" / f"{row.name}.wav", folder)
    corpus = load_folder(tmp_path, levels=["speaker", "emotion"])
    target, vectors = expected
    order = [table["name"].tolist().index(Path(path).stem) for path in corpus.data]
    agree(
        corpus,
        (target.iloc[order].reset_index(drop=True), vectors[order]),
        tasks=["speaker", "emotion"],
    )
    assert corpus.details["split"].unique().tolist() == ["train"]
    assert load_folder(tmp_path).target["label"].nunique() == 10
    with pytest.raises(DatasetError, match="60 of 60 files lie in fewer folders than there are"):
        load_folder(tmp_path, levels=["a", "b", "c"])


AUDFORMAT = "audformat, of the extra of this name, is not installed"


def write_audformat(folder, house, *, segments):
    audformat = pytest.importorskip("audformat", reason=AUDFORMAT)
    root, table = house
    folder.mkdir()
    os.symlink(root / "whole", folder / "whole")
    os.symlink(root / "calls", folder / "calls")
    db = audformat.Database("mine")
    people = table.drop_duplicates("speaker").set_index("speaker")
    db.schemes["age"] = audformat.Scheme("float")
    db.schemes["gender"] = audformat.Scheme(labels=["female", "male"])
    db["speaker"] = audformat.MiscTable(pd.Index(people.index, dtype="string", name="speaker"))
    for name in ("age", "gender"):
        db["speaker"][name] = audformat.Column(scheme_id=name)
        db["speaker"][name].set(people[name].tolist())
    db.schemes["speaker"] = audformat.Scheme(labels="speaker", dtype="str")
    db.schemes["emotion"] = audformat.Scheme(labels=sorted(table["emotion"].unique()))
    db.schemes["transcription"] = audformat.Scheme("str")
    if segments:
        files = [f"calls/{speaker}.wav" for speaker in table["speaker"]]
        starts, ends = (pd.to_timedelta(table[edge], unit="s") for edge in ("start", "end"))
        index = audformat.segmented_index(files, starts, ends)
    else:
        index = audformat.filewise_index([f"whole/{name}.wav" for name in table["name"]])
    db["files"] = audformat.Table(index)
    for name in ("speaker", "emotion"):
        db["files"][name] = audformat.Column(scheme_id=name)
        db["files"][name].set(table[name].tolist())
    db.splits["test"] = audformat.Split("test")
    db["words"] = audformat.Table(index[:20], split_id="test")
    db["words"]["transcription"] = audformat.Column(scheme_id="transcription")
    db["words"]["transcription"].set(table["text"][:20].tolist())
    db.save(str(folder))
    return folder


@pytest.mark.parametrize("segments", [False, True], ids=["files", "segments"])
def test_audformat(house, expected, tmp_path, segments):
    folder = write_audformat(tmp_path / "db", house, segments=segments)
    corpus = load_audformat(folder, allow_outside=True)
    agree(corpus, expected)
    assert sorted(corpus.target) == sorted(TASKS)
    assert corpus.details["text"].tolist() == house[1]["text"][:20].tolist() + [None] * 40
    assert corpus.details["split"].tolist() == ["test"] * 20 + [None] * 40


def test_audformat_runs_nothing(house, tmp_path):
    folder = write_audformat(tmp_path / "db", house, segments=False)
    (folder / "db.files.pkl").write_bytes(b"cos\nsystem\n")
    with pytest.raises(DatasetError, match=r"db.files.pkl.* may run code"):
        load_audformat(folder, allow_outside=True)
    (folder / "db.files.pkl").unlink()
    header = (folder / "db.yaml").read_text()
    code = f"\nmeta: !!python/object/apply:os.mkdir ['{tmp_path / 'run'}']\n"
    (folder / "db.yaml").write_text(header + code)
    with pytest.raises(DatasetError, match=r"db.yaml: cannot be read"):
        load_audformat(folder, allow_outside=True)
    assert not (tmp_path / "run").exists()


def test_auto_says_what_it_took_it_for(house, expected, tmp_path):
    root, table = house
    places = {
        "kaldi": write_kaldi(tmp_path / "kaldi", house, segments=True),
        "lhotse": write_lhotse(tmp_path / "lhotse", house, cuts=True, segments=False),
    }
    frame = table.drop(columns=["name", "start", "end"])
    frame.insert(0, "path", [str(root / "whole" / f"{name}.wav") for name in table["name"]])
    (tmp_path / "table").mkdir()
    frame.to_csv(tmp_path / "table" / "mine.csv", index=False)
    places["table"] = tmp_path / "table"
    for name, place in places.items():
        with pytest.warns(DatasetWarning, match=rf"taken for {name} \(60 recordings\)"):
            corpus = load_auto(place, allow_outside=True)
        agree(corpus, expected)
        assert corpus.layout == name
        with pytest.warns(DatasetWarning, match="taken for"):
            agree(load_corpus("auto", place, allow_outside=True), expected)


def test_auto_knows_corpora_by_their_names(make_files, tmp_path):
    files = {
        "emodb": ["wav/03a01Fa.wav", "wav/08b02Wc.wav"],
        "ravdess": ["Actor_01/03-01-06-01-02-01-01.wav"],
        "folder": ["joy/x.wav", "anger/y.wav"],
    }
    for name, paths in files.items():
        make_files(*paths, root=tmp_path / name)
        with pytest.warns(DatasetWarning, match=f"taken for {name}"):
            assert load_auto(tmp_path / name).layout == name
    with pytest.raises(DatasetError, match="does not exist"):
        load_auto(tmp_path / "nowhere")
    for name in ("a.csv", "b.csv"):
        (tmp_path / "joy.csv").touch()
        make_files(name, root=tmp_path / "two")
    with pytest.raises(DatasetError, match=r"holds several tables .a.csv, b.csv."):
        load_auto(tmp_path / "two")
