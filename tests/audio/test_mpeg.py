import contextlib
import os
import threading

import numpy as np
import pytest
import soundfile

from sfmforensics.audio import read_audio
from sfmforensics.audio._decoding import decoder_silenced
from sfmforensics.exceptions import AudioError

NOTE = b"Note: Illegal Audio-MPEG-Header 0x00000000 at offset 1392.\n"


def test_the_decoder_is_not_heard_and_others_are(capfd):
    with decoder_silenced():
        os.write(2, NOTE + b"disk full\n[src/libmpg123/parse.c:1] error: resync\n")
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == "disk full\n"
    with decoder_silenced(False):
        os.write(2, NOTE)
    assert capfd.readouterr().err == NOTE.decode()


def test_threads_share_the_silence_and_its_end(capfd):
    inside, leave = threading.Event(), threading.Event()

    def stay():
        with decoder_silenced():
            inside.set()
            leave.wait(10)
            os.write(2, NOTE)

    other = threading.Thread(target=stay)
    other.start()
    inside.wait(10)
    with decoder_silenced():
        pass
    os.write(2, b"still away\n")
    assert capfd.readouterr().err == ""
    leave.set()
    other.join()
    assert capfd.readouterr().err == "still away\n"
    os.write(2, b"back\n")
    assert capfd.readouterr().err == "back\n"


def test_an_error_ends_the_silence(capfd):
    with pytest.raises(ValueError, match="no"), decoder_silenced():
        raise ValueError("no")
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"


@pytest.mark.skipif("MP3" not in soundfile.available_formats(), reason="libsndfile lacks MP3")
def test_a_damaged_mp3_is_read_or_refused_in_silence(tmp_path, capfd):
    path = tmp_path / "a.mp3"
    soundfile.write(path, 0.5 * np.sin(np.arange(32_000) / 5), 16_000)
    content = path.read_bytes()
    for middle in (bytes(2_000), b"\xff" * 500, b"RIFF" * 400):
        path.write_bytes(content[: len(content) // 2] + middle + content[len(content) // 2 :])
        with contextlib.suppress(AudioError):
            read_audio(path)
    path.write_bytes(b"\xff\xfb\x90" + bytes(500))
    with pytest.raises(AudioError, match="cannot be read as sound"):
        read_audio(path)
    said = capfd.readouterr()
    assert said.err == said.out == ""
