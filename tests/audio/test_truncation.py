"""Half of a file is not read as if it were whole, whatever holds it."""

import os
import struct
import warnings

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sfmforensics.audio import read_audio
from sfmforensics.audio._truncation import find_cut
from sfmforensics.datasets import find_copies
from sfmforensics.embedders import MFCCEmbedder
from sfmforensics.exceptions import AudioError, AudioWarning, ParameterError

pytestmark = pytest.mark.slow

RATE = 16_000
SECONDS = 4
FORMS = {
    "wav": ("WAV", None),
    "rifx.wav": ("WAV", None),
    "float.wav": ("WAV", "FLOAT"),
    "adpcm.wav": ("WAV", "IMA_ADPCM"),
    "wavex": ("WAVEX", "PCM_24"),
    "rf64": ("RF64", None),
    "w64": ("W64", None),
    "aiff": ("AIFF", None),
    "aifc": ("AIFF", "FLOAT"),
    "au": ("AU", None),
    "sph": ("NIST", None),
    "ulaw.sph": ("NIST", "ULAW"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", None),
    "flac": ("FLAC", None),
}
TELLS_HOW_MUCH = [name for name in FORMS if name not in ("ogg", "opus")]


def speech(seconds=SECONDS):
    rng = np.random.default_rng(0)
    times = np.arange(int(seconds * RATE)) / RATE
    return 0.2 * np.sin(2 * np.pi * 200 * times) * (1.2 + np.sin(9 * times)) + 0.01 * rng.normal(
        size=times.size
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A function from a form to the bytes of a whole file of it."""
    folder, made = tmp_path_factory.mktemp("whole"), {}

    def content(name):
        form, subtype = FORMS[name]
        if form not in soundfile.available_formats():
            pytest.skip(f"this libsndfile lacks {form}")
        if name not in made:
            options = {"endian": "BIG"} if name == "rifx.wav" else {}
            path = folder / name
            soundfile.write(path, speech(), RATE, format=form, subtype=subtype, **options)
            made[name] = path.read_bytes()
        return made[name]

    return content


@pytest.mark.parametrize("name", FORMS)
def test_a_whole_file_is_read(whole, tmp_path, name):
    (tmp_path / name).write_bytes(whole(name))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_audio(tmp_path / name)) == pytest.approx(SECONDS * RATE, abs=1200)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("name", FORMS)
def test_a_part_of_a_file_is_refused_by_name_and_with_how_much_is_missing(
    whole, tmp_path, name, share
):
    path = tmp_path / name
    content = whole(name)
    path.write_bytes(content[: int(share * len(content)) + 7])
    # The first page of sound takes a second: without it, an Ogg file is none.
    found = "it is cut|cannot be read as sound|it holds no" if share == 0.2 else "it is cut"
    with pytest.raises(AudioError, match=found) as caught:
        read_audio(path)
    assert caught.value.source == str(path)
    assert len(str(caught.value).splitlines()) == 1
    if "it is cut" in caught.value.found:
        assert "--on-error use" in caught.value.remedy
    if name in TELLS_HOW_MUCH:
        missing, of = (float(text) for text in caught.value.found.split()[3:7:3])
        assert of == pytest.approx(SECONDS, abs=0.3)
        # A codec's bytes are not spread evenly, and a block that is torn is not decoded.
        assert missing == pytest.approx((1 - share) * SECONDS, abs=0.35)


@pytest.mark.parametrize("name", FORMS)
def test_what_is_there_is_used_where_that_is_asked_for(whole, tmp_path, name):
    path = tmp_path / name
    content = whole(name)
    path.write_bytes(content[: len(content) // 2])
    with pytest.warns(AudioWarning, match="it is cut: .*; what is there was used") as said:
        found = read_audio(path, truncated="use")
    assert len(said) == 1
    assert 0.9 * RATE < len(found) < 2.5 * RATE  # a page of Ogg is a second
    (tmp_path / f"whole-{name}").write_bytes(content)
    expected = read_audio(tmp_path / f"whole-{name}")
    same = len(found) - 4_000  # the last frames of a codec are not whole
    np.testing.assert_allclose(found[:same], expected[:same], atol=1e-6)


def test_a_view_refuses_uses_or_leaves_out_what_is_cut(whole, tmp_path):
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    paths[0].write_bytes(whole("wav"))
    paths[1].write_bytes(whole("wav")[:60_000])
    with pytest.raises(AudioError, match=r"b\.wav: it is cut"):
        MFCCEmbedder().transform(paths)
    vectors, usable, refused = MFCCEmbedder().transform_usable(paths)
    assert usable.tolist() == [0]
    assert "it is cut" in refused[0].found
    with pytest.warns(AudioWarning, match=r"b\.wav: it is cut"):
        used = MFCCEmbedder(truncated="use").transform(paths)
    assert np.array_equal(used[0], vectors[0])
    assert not np.array_equal(used[1], used[0])
    with pytest.raises(ParameterError, match="truncated is 'skip'"):
        MFCCEmbedder(truncated="skip").fit()


def test_many_that_are_cut_are_told_of_at_once(whole, tmp_path):
    paths = [tmp_path / f"{i}.wav" for i in range(5)]
    for i, path in enumerate(paths):
        path.write_bytes(whole("wav")[: 60_000 + 2_000 * i])
    with pytest.warns(AudioWarning) as said:
        MFCCEmbedder(truncated="use").transform(paths)
    (one,) = said
    assert str(one.message).startswith("the ends of 5 recordings are missing (")
    assert "and 2 more" in str(one.message)


@settings(max_examples=60)
@given(size=st.one_of(st.integers(0, 2**32 - 1), st.sampled_from([0, 2**31, 2**32 - 1])))
def test_a_length_is_believed_only_if_it_is_one(size, tmp_path_factory):
    """Those who write to a pipe leave it open: 0, or as much as the field holds."""
    body = (speech(1.0) * 2**15).astype("<i2").tobytes()
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", size, b"WAVE", b"fmt ", 16, 1, 1, RATE,
                         2 * RATE, 2, 16, b"data", size)  # fmt: skip
    path = tmp_path_factory.getbasetemp() / "streamed.wav"
    path.write_bytes(header + body)
    open_ended = size == 0 or size >= 0xFFFF_0000 or 0x7F00_0000 <= size <= 0x8000_0000
    refused = not open_ended and size > len(body) + 64
    with open(path, "rb") as file:
        found = find_cut(file, path.stat().st_size, "WAV")
    assert (found is not None) == refused
    if refused:
        assert found.present == pytest.approx(len(body) / size)


def test_bytes_behind_the_sound_hide_nothing_and_break_nothing(whole, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(whole("wav") + b"LIST" + struct.pack("<I", 4) + b"INFO")
    assert len(read_audio(path)) == SECONDS * RATE
    tagged = whole("mp3") + b"TAG" + bytes(125)
    (tmp_path / "a.mp3").write_bytes(tagged)
    read_audio(tmp_path / "a.mp3")
    half = len(whole("mp3")) // 2
    (tmp_path / "b.mp3").write_bytes(b"ID3\3\0\0\0\0\1\0" + bytes(128) + whole("mp3")[:half])
    with pytest.raises(AudioError, match="it is cut"):
        read_audio(tmp_path / "b.mp3")


def test_an_mp3_without_a_count_shows_a_frame_in_pieces(whole, tmp_path):
    content = whole("mp3")
    first = content.index(b"\xff\xf3", 4)  # behind the frame that holds the count
    (tmp_path / "a.mp3").write_bytes(content[first:])
    read_audio(tmp_path / "a.mp3")
    (tmp_path / "b.mp3").write_bytes(content[first : len(content) * 2 // 3 + 50])
    with pytest.raises(AudioError, match="how much is missing is not known"):
        read_audio(tmp_path / "b.mp3")


def test_an_ogg_stream_that_nobody_closed_is_whole(whole, tmp_path):
    """Telephones' voice messages and live streams often lack the flag of a last page."""
    content = bytearray(whole("opus"))
    last = content.rfind(b"OggS")
    content = content[:last]  # ends where a page does, without the flag
    (tmp_path / "a.opus").write_bytes(content)
    assert len(read_audio(tmp_path / "a.opus")) > RATE


@pytest.mark.parametrize("name", ["ogg", "opus"])
def test_streams_one_behind_the_other_are_not_read_as_one(whole, tmp_path, name):
    """As of a recorder that began anew: libsndfile reads the first, and says nothing."""
    path = tmp_path / name
    soundfile.write(tmp_path / "second", speech(2.0), RATE, format="OGG", subtype=FORMS[name][1])
    path.write_bytes(whole(name) + (tmp_path / "second").read_bytes())
    with pytest.raises(AudioError, match="several streams one behind the other"):
        read_audio(path)
    with pytest.warns(AudioWarning, match="only the first is read"):
        found = read_audio(path, truncated="use")
    assert len(found) == pytest.approx(SECONDS * RATE, abs=1200)


@pytest.mark.parametrize("size", [0x7F00_0008, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_an_aiff_whose_length_was_never_filled_in_is_whole(whole, tmp_path, size):
    content = bytearray(whole("aiff"))
    place = content.find(b"SSND") + 4
    content[place : place + 4] = struct.pack(">I", size)
    with open(tmp_path / "aiff", "w+b") as file:
        file.write(content)
        assert find_cut(file, len(content), "AIFF") is None


def test_a_cut_caf_says_what_to_do(tmp_path):
    path = tmp_path / "a.caf"
    soundfile.write(path, speech(), RATE, format="CAF", subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:40_000])
    with pytest.raises(AudioError, match=r"a CAF file that is cut.* convert it to wav"):
        read_audio(path)


def test_copies_of_half_a_flac_file_are_copies(whole, tmp_path):
    names = [tmp_path / name for name in ("a.flac", "b.flac", "c.flac")]
    half = whole("flac")[: len(whole("flac")) // 2]
    for name, content in zip(names, (half, half, whole("flac")), strict=True):
        name.write_bytes(content)
    assert find_copies([os.fspath(name) for name in names]).tolist() == [0, 0, 1]


@settings(max_examples=200)
@given(
    content=st.binary(max_size=400), form=st.sampled_from(sorted({f for f, _ in FORMS.values()}))
)
def test_any_bytes_give_an_answer(content, form, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    with open(path, "rb") as file:
        found = find_cut(file, len(content), form)
    assert found is None or found.present is None or 0 <= found.present < 1
