import os
import subprocess
import sys
import textwrap
import time
import warnings

import numpy as np
import pytest

from sfmforensics.embedders import CallableEmbedder, MFCCEmbedder, VectorCache
from sfmforensics.exceptions import CacheWarning, EmbedderError

pytestmark = pytest.mark.slow

IDENTITY = {"embedder": "Demo", "version": 1}
DIGEST = "ab" * 32


def vec_files(root):
    return sorted(root.rglob("*.vec"))


@pytest.fixture
def counting(tmp_path):
    """``counting(identity="1")``: an embedder that notes in `calls` whatever it computes."""

    def make(identity="1", root=None):
        calls = []

        def function(signal):
            calls.append(len(signal))
            return [signal.std(), signal.max(), float(identity)]

        embedder = CallableEmbedder(
            function, 3, name="count", identity=identity, cache=root or tmp_path / "cache"
        )
        embedder.calls = calls
        return embedder

    return make


# -- keyed on content --------------------------------------------------------------------------


def test_what_was_computed_is_not_computed_again(counting, wavs):
    first, second = counting(), counting()
    vectors = first.transform(wavs)
    np.testing.assert_array_equal(second.transform(wavs), vectors)
    assert len(first.calls) == len(wavs)
    assert second.calls == []


def test_the_same_audio_under_another_name_is_computed_once(counting, write_wav, signals):
    embedder = counting()
    names = [write_wav("a.wav", signals[0]), write_wav("copies/b.wav", signals[0])]
    vectors = embedder.transform(names)
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert len(embedder.calls) == 1


def test_another_recording_under_the_same_name_is_computed_again(counting, write_wav, signals):
    embedder = counting()
    old = embedder.transform([write_wav("a.wav", signals[0])])
    new = embedder.transform([write_wav("a.wav", signals[1])])
    assert len(embedder.calls) == 2
    assert not np.array_equal(old, new)


def test_another_identity_has_vectors_of_its_own(counting, wavs):
    assert set(counting("1").transform(wavs)[:, 2]) == {1.0}
    assert set(counting("2").transform(wavs)[:, 2]) == {2.0}
    again = counting("1")
    assert set(again.transform(wavs)[:, 2]) == {1.0}
    assert again.calls == []


def test_parameters_are_part_of_the_identity(tmp_path, pairs):
    cache = tmp_path / "cache"
    vectors = {
        options: MFCCEmbedder(cache=cache, **dict(options)).transform(pairs[:1])
        for options in [
            (),
            (("n_mfcc", 20),),
            (("hop_length", 256),),
            (("n_fft", 1024),),
            (("statistics", ("std",)),),
        ]
    }
    assert len(list(cache.iterdir())) == len(vectors)
    for options, vector in vectors.items():
        np.testing.assert_array_equal(vector, MFCCEmbedder(**dict(options)).transform(pairs[:1]))


def test_what_runs_the_model_is_no_part_of_the_identity(tmp_path, pairs):
    for verbose in (False, True):
        MFCCEmbedder(cache=tmp_path / "cache", verbose=verbose).transform(pairs)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_raised_version_leaves_old_vectors_alone(counting, wavs, monkeypatch):
    counting().transform(wavs)
    monkeypatch.setattr(CallableEmbedder, "_version", 99)
    embedder = counting()
    embedder.transform(wavs)
    assert len(embedder.calls) == len(wavs)


def test_a_cached_function_needs_an_identity(tmp_path, wavs):
    embedder = CallableEmbedder(np.ptp, 1, cache=tmp_path / "cache")
    with pytest.raises(EmbedderError, match="identity"):
        embedder.transform(wavs)


# -- what goes wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[:-1],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content + b"x",
        lambda content: os.urandom(len(content)),
    ],
    ids=["empty", "in its checksum", "one byte less", "one bit", "one byte more", "noise"],
)
def test_a_damaged_entry_is_computed_again_with_a_warning(counting, wavs, tmp_path, damage):
    vectors = counting().transform(wavs)
    file = vec_files(tmp_path / "cache")[2]
    file.write_bytes(damage(file.read_bytes()))
    embedder = counting()
    with pytest.warns(CacheWarning, match=file.name):
        np.testing.assert_array_equal(embedder.transform(wavs), vectors)
    assert len(embedder.calls) == 1
    repaired = counting()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(repaired.transform(wavs), vectors)
    assert repaired.calls == []


def test_a_cache_that_cannot_be_written_costs_time_but_no_result(counting, wavs, tmp_path):
    # Root may write into read-only folders, but nobody into a folder below a file.
    (tmp_path / "file").write_text("")
    embedder = counting(root=tmp_path / "file" / "cache")
    with pytest.warns(CacheWarning, match="cannot be written") as caught:
        vectors = embedder.transform(wavs)
    assert len([w for w in caught if issubclass(w.category, CacheWarning)]) == 1
    np.testing.assert_array_equal(vectors, counting().transform(wavs))


def test_a_full_disk_leaves_nothing_half_written(counting, wavs, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.warns(CacheWarning, match="No space left"):
            vectors = counting().transform(wavs)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
    embedder = counting()
    np.testing.assert_array_equal(embedder.transform(wavs), vectors)
    assert len(embedder.calls) == len(wavs)


def test_an_entry_is_complete_when_it_becomes_visible(tmp_path, monkeypatch):
    cache = VectorCache(tmp_path, IDENTITY)
    seen = []

    def watch(source, target, replace=os.replace):
        if str(target).endswith(".vec"):
            assert not os.path.exists(target)
            seen.append(os.path.getsize(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watch)
    cache.put(DIGEST, np.arange(1_000))
    assert seen == [os.path.getsize(vec_files(tmp_path)[0])]
    np.testing.assert_array_equal(cache.get(DIGEST), np.arange(1_000))


def test_a_pickle_in_the_cache_is_never_opened(tmp_path):
    import io
    from hashlib import sha256

    cache = VectorCache(tmp_path, IDENTITY)
    cache.put(DIGEST, np.ones(3))
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"harmless": 1}], dtype=object), allow_pickle=True)
    body = buffer.getvalue()
    vec_files(tmp_path)[0].write_bytes(sha256(body).digest() + body)
    with pytest.warns(CacheWarning, match="damaged"):
        assert cache.get(DIGEST) is None


# -- several processes -------------------------------------------------------------------------

WRITER = """
    import sys
    import numpy as np
    from sfmforensics.embedders import VectorCache

    root, rounds = sys.argv[1], int(sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(rounds):
        cache = VectorCache(root, {"embedder": "Demo", "version": 1})
        for i in range(40):
            cache.put(f"{i:02d}" * 32, np.full(2_000, i))
"""


def start_writer(root, rounds):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(WRITER), str(root), str(rounds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes_write_while_a_third_reads(tmp_path):
    writers = [start_writer(tmp_path, 10) for _ in range(2)]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    reads = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        while any(writer.poll() is None for writer in writers):
            cache = VectorCache(tmp_path, IDENTITY)
            for i in range(40):
                vector = cache.get(f"{i:02d}" * 32)
                if vector is not None:
                    reads += 1
                    np.testing.assert_array_equal(vector, np.full(2_000, i, dtype=np.float32))
    assert [writer.returncode for writer in writers] == [0, 0]
    assert reads > 0
    assert len(vec_files(tmp_path)) == 40
    assert not list(tmp_path.rglob("*.part"))


def test_a_process_that_is_killed_leaves_a_cache_that_works(tmp_path):
    writer = start_writer(tmp_path, 1_000_000)
    writer.stdout.readline()
    writer.stdin.write("go\n")
    writer.stdin.flush()
    limit = time.monotonic() + 30
    while len(vec_files(tmp_path)) < 20 and time.monotonic() < limit:
        time.sleep(0.01)
    writer.kill()
    writer.wait()
    cache = VectorCache(tmp_path, IDENTITY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [cache.get(f"{i:02d}" * 32) for i in range(40)]
        cache.put(DIGEST, np.ones(3))
    assert sum(vector is not None for vector in found) >= 20
    assert all(vector is None or len(vector) == 2_000 for vector in found)
    assert cache.get(DIGEST) is not None


def test_what_the_cache_holds_can_be_looked_up(tmp_path, pairs):
    import json

    MFCCEmbedder(cache=tmp_path, n_mfcc=13).transform(pairs)
    (folder,) = tmp_path.iterdir()
    identity = json.loads((folder / "identity.json").read_text())
    assert folder.name.startswith("MFCCEmbedder-")
    assert identity["n_mfcc"] == 13
    assert identity["version"] == MFCCEmbedder._version
