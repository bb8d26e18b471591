"""A command looks at each recording once, and finds in it what reading it again and again finds."""

import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sfmforensics.audio import _survey, audio_info, heard_of, stream_heard
from sfmforensics.audio._hearing import Hearing
from sfmforensics.audio._recording import HeardRecording
from sfmforensics.audio._survey import content_hash, look_at, surveyed
from sfmforensics.cli import main
from sfmforensics.datasets import make_speech_corpus
from sfmforensics.exceptions import AudioError

FORMS = [
    ("a.wav", "PCM_16", 1),
    ("a.wav", "PCM_32", 2),
    ("a.wav", "DOUBLE", 1),
    ("a.wav", "ULAW", 1),
    ("a.flac", "PCM_24", 2),
    ("a.ogg", "VORBIS", 1),
    ("a.mp3", "MPEG_LAYER_III", 1),
]


@pytest.fixture
def opened(monkeypatch):
    """How often each recording is opened."""
    counts = Counter()
    monkeypatch.setattr(sys.modules[__name__], "_COUNTS", counts)
    return counts


_COUNTS = None


def _count(event, arguments):
    if event == "open" and _COUNTS is not None and isinstance(arguments[0], (str, bytes)):
        name = os.path.abspath(os.fsdecode(arguments[0]))
        if name.endswith((".wav", ".flac", ".ogg", ".mp3")):
            _COUNTS[name] += 1


sys.addaudithook(_count)  # none can be taken away again


@pytest.fixture
def voice(tmp_path):
    """Make a file: 1.5 s whose channels are alike, the second softer."""

    def make(name, subtype, channels, rate=22_050):
        rng = np.random.default_rng(0)
        mono = 0.3 * rng.normal(size=rate * 3 // 2) * np.hanning(rate * 3 // 2)
        signal = np.column_stack([mono, 0.5 * mono])[:, :channels]
        path = tmp_path / name
        soundfile.write(path, np.clip(signal, -1, 1), rate, subtype=subtype)
        return str(path)

    return make


def everything(path, hearing=Hearing(), max_seconds=1.0):
    notes = []
    recording = HeardRecording(path, min_samples=400, max_seconds=max_seconds, hearing=hearing)
    whole = HeardRecording(path, min_samples=400, hearing=hearing)
    return (
        audio_info(path),
        content_hash(path),
        heard_of(path, hearing),
        np.concatenate(list(stream_heard(path, hearing, notes.append))).tobytes(),
        notes,
        recording.digest,
        [piece.tobytes() for piece in recording.pieces()],
        whole.signal.tobytes(),
        whole.notes,
    )


@pytest.mark.parametrize("room", [0, 1 << 28])
@pytest.mark.parametrize(("name", "subtype", "channels"), FORMS)
def test_one_look_finds_what_many_do(voice, monkeypatch, name, subtype, channels, room):
    path = voice(name, subtype, channels)
    monkeypatch.setattr(_survey, "_HELD_BYTES", room)
    hearing = Hearing("mix") if channels == 2 else Hearing()
    for one in (Hearing(), hearing):
        assert surveyed(everything)(path, one) == everything(path, one)


def test_evaluate_opens_each_recording_once(tmp_path, monkeypatch, opened):
    monkeypatch.chdir(tmp_path)
    corpus = make_speech_corpus(4, 4, duration=0.4, random_state=0, output="voices")
    paths = [os.path.abspath(path) for path in corpus.data]
    corpus.target[["speaker", "emotion"]].assign(path=paths).to_csv("t.csv", index=False)
    command = ["evaluate", "--corpus", "table", "--root", "t.csv", "--views", "mfcc,prosody"]
    command += ["--model", "svm", "--protocol", "closed", "--folds", "2", "--cache", "cache"]
    for output in ("cold", "warm"):
        opened.clear()
        assert main([*command, "--output", output]) == 0
        assert opened == dict.fromkeys(paths, 1)


def test_what_there_is_no_room_for_is_decoded_by_each_who_needs_it(voice, monkeypatch, opened):
    path = voice("a.wav", "PCM_16", 1)
    monkeypatch.setattr(_survey, "_HELD_BYTES", 1000)
    opened.clear()

    def embed_twice_from_a_cache_and_once_anew():
        known = [HeardRecording(path, min_samples=400) for _ in range(2)]
        assert len({recording.digest for recording in known}) == 1
        assert opened[path] == 1
        assert len(known[0].signal)

    surveyed(embed_twice_from_a_cache_and_once_anew)()
    assert opened[path] == 2


def test_a_file_that_changes_is_looked_at_again(voice):
    path = voice("a.wav", "PCM_16", 1)

    def change():
        before = look_at(path, Hearing())
        known = HeardRecording(path, min_samples=400)
        voice("a.wav", "PCM_16", 1, rate=16_000)
        with pytest.raises(AudioError, match="it changed while it was read"):
            _ = known.signal
        after = look_at(path, Hearing())
        assert (before.info[0], after.info[0]) == (22_050, 16_000)
        assert before.sha256 != after.sha256
        assert content_hash(path) != before.contents[None, None]

    surveyed(change)()
    assert look_at(path) is None  # nothing is held when the command has ended


def test_what_is_refused_is_refused_in_the_same_words(voice, tmp_path):
    path = voice("a.wav", "PCM_16", 1)
    (tmp_path / "cut.wav").write_bytes(Path(path).read_bytes()[:20_000])
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    soundfile.write(tmp_path / "short.wav", np.hanning(300) / 2, 16_000)
    (tmp_path / "text.wav").write_text("no sound")
    names = ["cut.wav", "silent.wav", "short.wav", "text.wav", "none.wav", "."]

    def said():
        errors = []
        for name in names:
            with pytest.raises(AudioError) as error:
                list(stream_heard(str(tmp_path / name)))
            errors.append((str(error.value), content_hash(str(tmp_path / name))))
        return errors

    assert surveyed(said)() == said()


def test_nobody_spoils_what_is_held(voice):
    path = voice("a.wav", "PCM_16", 1)

    def spoil():
        for block in stream_heard(path):
            block[:] = 0
        return max(block.max() for block in stream_heard(path))

    assert surveyed(spoil)() > 0.1
