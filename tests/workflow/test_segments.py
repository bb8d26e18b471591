"""Rows of a table that are segments: what is made of them says so, and can be checked."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile

from sfmforensics.audio import Segment
from sfmforensics.cli import main
from sfmforensics.custody import Provenance, recorded_in, recording_of
from sfmforensics.datasets import load_table, make_speech_corpus
from sfmforensics.exceptions import AudioError
from sfmforensics.saving import load_embeddings, save_embeddings
from sfmforensics.views import make_views
from sfmforensics.workflow import load_model, predict_files, verify_results

RATE = 16_000


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """A table of segments: each speaker's recordings lie one behind the other in a file."""
    folder = tmp_path_factory.mktemp("calls")
    corpus = make_speech_corpus(6, 6, duration=0.4, random_state=0)
    rows = []
    for speaker, of_one in corpus.target.groupby("speaker"):
        place, parts = 0, []
        for row in of_one.index:
            signal, _ = corpus.data[row]
            edges = {"start": place / RATE, "end": (place + len(signal)) / RATE}
            rows.append({"path": f"{speaker}.wav"} | edges | corpus.target.loc[row].to_dict())
            parts += [signal, np.zeros(800)]
            place += len(signal) + 800
        soundfile.write(folder / f"{speaker}.wav", np.concatenate(parts), RATE, subtype="FLOAT")
    pd.DataFrame(rows).to_csv(folder / "table.csv", index=False)
    return folder


def command(*words):
    assert main([str(word) for word in words]) == 0


def test_results_name_segments_and_can_be_verified(calls, tmp_path, small_figures):
    command(
        *("evaluate", "--corpus", "table", "--root", calls / "table.csv", "--views", "mfcc"),
        *("--model", "svm", "--protocol", "disjoint", "--folds", 3, "--output", tmp_path / "out"),
    )
    (file,) = (tmp_path / "out").glob("predictions*.csv")
    paths = pd.read_csv(file)["path"]
    assert paths.nunique() == 36
    assert paths.str.fullmatch(r".*/s0\d\.wav#t=[\d.]+,[\d.]+").all()
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    table = pd.read_csv(calls / "table.csv")
    assert [one["end"] for one in manifest["recordings"]] == table["end"].tolist()
    looked_at = verify_results(tmp_path / "out", vectors=True)
    counts = looked_at[looked_at["verdict"] == "same"]["what"].value_counts()
    assert (counts["recording"], counts["vectors"]) == (36, 1)
    assert not looked_at["verdict"].isin(["differs", "missing"]).any()


@pytest.mark.slow
def test_a_model_learns_from_segments_and_answers_for_some(calls, tmp_path):
    model = tmp_path / "model.safetensors"
    command(
        *("train", "--corpus", "table", "--root", calls / "table.csv", "--views", "mfcc"),
        *("--model", "single", "--epochs", 2, "--output", model),
    )
    corpus = load_table(calls / "table.csv")
    pipeline = load_model(model)
    answers, refused = predict_files(pipeline, [*corpus.data[:3], calls / "s01.wav"])
    assert not refused
    assert answers["path"].tolist() == [
        *(f"{one.path}{one.fragment}" for one in corpus.data[:3]),
        str(calls / "s01.wav"),
    ]
    known = pipeline.manifest_
    parts = [corpus.data[0], calls / "s01.wav", Segment(calls / "s01.wav", 100)]
    assert recorded_in(Provenance(parts).records, known) == [True, True, False]


def test_a_segment_beyond_the_end_is_refused_by_its_row(calls, capsys):
    table = pd.read_csv(calls / "table.csv")
    table.loc[3, "end"] = 99
    table.to_csv(calls / "wrong.csv", index=False)
    corpus = load_table(calls / "wrong.csv")  # nothing is opened here
    with pytest.raises(AudioError, match=r"^wrong.csv, row 5: .*s01.wav#t=.*,99: it ends at 99 s"):
        make_views("mfcc").fit_transform(corpus.data)
    assert main(["describe", "--corpus", "table", "--root", str(calls / "wrong.csv")]) in (0, 1)
    printed = "".join(capsys.readouterr())
    assert "it ends at 99 s" in " ".join(printed.split())


def test_saved_vectors_name_segments(calls, tmp_path):
    corpus = load_table(calls / "table.csv")
    save_embeddings(corpus, make_views("mfcc"), tmp_path / "vectors")
    loaded = load_embeddings(tmp_path / "vectors")
    assert loaded.details["recording"].tolist() == [
        f"{one.path}{one.fragment}" for one in corpus.data
    ]


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ({}, {}, True),
        ({"start": 0.0, "end": 2.0}, {}, True),
        ({"start": 0.0, "end": 2.0}, {"start": 2.0}, False),
        ({"start": 0.0, "end": 2.0}, {"start": 1.9, "end": 4.0}, True),
        ({"start": 0.0, "channel": 1}, {"start": 1.0, "channel": 2}, False),
        ({"start": 0.0, "channel": "mix"}, {"start": 1.0, "channel": 2}, True),
    ],
)
def test_parts_of_a_file_are_known_where_they_overlap(one, other, shared):
    assert recorded_in([{"sha256": "x"} | one], [{"sha256": "x"} | other]) == [shared]
    assert recorded_in([{"sha256": "y"} | one], [{"sha256": "x"} | other]) == [False]


def test_a_record_gives_its_recording_back(calls):
    parts = [Segment(calls / "s01.wav", 0.5, 1.0, 1), Segment(calls / "s01.wav", 0.5)]
    for part, record in zip(parts, Provenance(parts).records, strict=True):
        again = recording_of(record, record["path"])
        assert (again.start, again.end, again.channel) == (part.start, part.end, part.channel)
    (record,) = Provenance([calls / "s01.wav"]).records
    assert recording_of(record, record["path"]) == str(calls / "s01.wav")
