"""A SavedModel that takes and gives what TRILLsson does, with random weights."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from sfmforensics.audio import read_audio
from sfmforensics.embedders import REGISTRY, TFHubEmbedder
from sfmforensics.embedders import _tf_load as module
from sfmforensics.exceptions import EmbedderError, MissingExtraError

RATE = 16_000
TRILLSSON = REGISTRY["trillsson"].model


def define(tf):
    """The small model's class: frames, a projection, and a mean over time."""

    class Small(tf.Module):
        def __init__(self, width=1024, output="embedding"):
            super().__init__()
            rng = np.random.default_rng(0)
            self.kernel = tf.Variable(rng.normal(size=(400, 1, 24), scale=0.2).astype(np.float32))
            self.out = tf.Variable(rng.normal(size=(24, width)).astype(np.float32))
            self.output = output

        def compute(self, samples):
            frames = tf.nn.conv1d(samples[..., None], self.kernel, 160, "SAME")
            return tf.reduce_mean(tf.nn.relu(frames), axis=1) @ self.out

        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "audio_samples")])
        def __call__(self, audio_samples):
            return {self.output: self.compute(audio_samples)}

    return Small


@pytest.fixture(scope="session")
def tf():
    if find_spec("tensorflow") is None:
        pytest.skip("the extra trillsson is not installed")
    return module.import_quietly("tensorflow")


@pytest.fixture(scope="session")
def small(tf):
    return define(tf)


@pytest.fixture(scope="session")
def folder(tf, small, tmp_path_factory):
    path = tmp_path_factory.mktemp("tfhub") / "trillsson"
    tf.saved_model.save(small(), str(path))
    return path


def embed(model, recordings, **options):
    return TFHubEmbedder(str(model), **options).fit_transform(recordings)


# -- the vector is the model's -----------------------------------------------------------------


def test_vectors_are_the_models_own_outputs(tf, folder, signals, pairs, assert_close):
    vectors = embed(folder, pairs)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(pairs), 1024)
    loaded = tf.saved_model.load(str(folder))
    expected = [loaded(tf.constant(signal[None]))["embedding"].numpy()[0] for signal in signals]
    assert_close(vectors, np.stack(expected))
    assert len(np.unique(vectors[:, 0])) == len(pairs)


def test_vectors_depend_on_neither_order_company_nor_run(folder, pairs, assert_close):
    vectors = embed(folder, pairs)
    assert_close(embed(folder, pairs[::-1])[::-1], vectors)
    assert_close(np.concatenate([embed(folder, [p]) for p in pairs]), vectors)
    assert_close(embed(folder, pairs, batch_size=1), vectors)
    module.load_model.cache_clear()
    np.testing.assert_array_equal(embed(folder, pairs), vectors)


def test_the_model_gets_float32_in_the_range_of_samples(tf, tmp_path):
    class Range(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "audio_samples")])
        def __call__(self, audio_samples):
            low, high = tf.reduce_min(audio_samples, 1), tf.reduce_max(audio_samples, 1)
            count = tf.cast(tf.shape(audio_samples)[1:], tf.float32)
            return {"embedding": tf.stack([low, high, count], axis=1)}

    tf.saved_model.save(Range(), str(tmp_path / "range"))
    # Resampling a full-scale square wave overshoots.
    square = np.sign(np.sin(2 * np.pi * 1_000 * np.arange(44_100) / 44_100 + 0.1))
    assert np.abs(read_audio((square, 44_100))).max() > 1
    loud = embed(tmp_path / "range", [(square, 44_100)])
    np.testing.assert_array_equal(loud, [[-1, 1, RATE]])
    quiet = np.linspace(-0.25, 0.5, RATE)
    np.testing.assert_array_equal(
        embed(tmp_path / "range", [(quiet, RATE)]), np.float32([[-0.25, 0.5, RATE]])
    )


def test_a_long_recording_is_the_mean_of_its_pieces_by_length(folder, voice, assert_close):
    signal = voice(2.51, seed=4)
    found = embed(folder, [(signal, RATE)], max_seconds=1.0)
    edges = np.array([0, 42, 84]) * 320  # 126 frames of 20 ms, in three
    pieces = [signal[a:b] for a, b in zip(edges, [*edges[1:], None], strict=True)]
    vectors = embed(folder, [(piece, RATE) for piece in pieces])
    assert_close(found[0], np.average(vectors, axis=0, weights=[len(p) for p in pieces]))
    assert not np.array_equal(found, embed(folder, [(signal, RATE)]))


# -- how models are saved ----------------------------------------------------------------------


def test_a_signature_will_do(tf, small, folder, pairs, tmp_path, assert_close):
    model = small()
    bare = tf.Module()
    bare.model = model
    tf.saved_model.save(
        bare, str(tmp_path / "model"), signatures={"serving_default": model.__call__}
    )
    assert_close(embed(tmp_path / "model", pairs[:2]), embed(folder, pairs[:2]))


def test_a_model_that_can_be_trained_is_not(tf, small, folder, pairs, tmp_path, assert_close):
    class Trainable(tf.Module):
        def __init__(self):
            super().__init__()
            self.small = small()

        @tf.function
        def __call__(self, audio_samples, training=None):
            vectors = self.small.compute(audio_samples)
            return {"embedding": vectors + 100.0 if training else vectors}

    model, samples = Trainable(), tf.TensorSpec([None, None], tf.float32, "audio_samples")
    for training in (True, False):
        model.__call__.get_concrete_function(samples, training=training)
    tf.saved_model.save(model, str(tmp_path / "model"))
    assert_close(embed(tmp_path / "model", pairs[:2]), embed(folder, pairs[:2]))


def test_the_width_is_the_models_own(tf, small, tmp_path, pairs):
    tf.saved_model.save(small(width=17), str(tmp_path / "plain"))
    model = small(width=19)
    tf.saved_model.save(model, str(tmp_path / "signed"), signatures=model.__call__)
    for name, width in (("plain", 17), ("signed", 19)):
        embedder = TFHubEmbedder(str(tmp_path / name)).fit()
        assert len(embedder.get_feature_names_out()) == width
        assert embedder.transform(pairs[:1]).shape == (1, width)


def test_trillssons_width_is_known_without_the_model(tf):
    module.load_model.cache_clear()
    assert len(TFHubEmbedder(TRILLSSON).fit().get_feature_names_out()) == 1024
    assert module.load_model.cache_info().currsize == 0


def test_a_name_of_the_hub_is_resolved_to_a_folder_by_the_same_code(
    folder, monkeypatch, pairs, tmp_path
):
    hub = pytest.importorskip("tensorflow_hub", exc_type=ImportError)
    asked = []

    def resolve(handle):
        asked.append(handle)
        return str(folder)

    monkeypatch.setattr(hub, "resolve", resolve)
    module.load_model.cache_clear()
    vectors = embed(TRILLSSON, pairs[:2], cache=tmp_path)
    module.load_model.cache_clear()  # what was patched must not be remembered
    np.testing.assert_array_equal(vectors, embed(folder, pairs[:2]))
    assert asked == [TRILLSSON]
    assert TFHubEmbedder(TRILLSSON)._identity()["model"] == TRILLSSON
    np.testing.assert_array_equal(embed(TRILLSSON, pairs[:2], cache=tmp_path), vectors)
    assert asked == [TRILLSSON]  # cached vectors need no model


# -- the cache's key ---------------------------------------------------------------------------


def test_the_key_names_all_files_but_no_path(folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    identity = TFHubEmbedder(str(folder))._identity()
    assert TFHubEmbedder(copy)._identity() == identity
    assert TFHubEmbedder(copy, max_seconds=5.0)._identity() != identity
    data = next((copy / "variables").glob("*.data-*"))
    data.write_bytes(data.read_bytes()[:-1] + b"\x01")
    assert TFHubEmbedder(copy)._identity() != identity


def test_other_weights_in_the_same_folder_give_other_vectors(tf, small, pairs, tmp_path):
    path, cache, model = tmp_path / "model", tmp_path / "cache", small()
    tf.saved_model.save(model, str(path))
    old = embed(path, pairs[:2], cache=cache)
    model.out.assign(model.out * 2)
    shutil.rmtree(path)
    tf.saved_model.save(model, str(path))
    new = embed(path, pairs[:2], cache=cache)
    np.testing.assert_allclose(new, 2 * old, rtol=1e-5)


# -- what is refused ---------------------------------------------------------------------------


def _refusal(model, recordings):
    with pytest.raises(EmbedderError) as caught:
        embed(model, recordings)
    assert str(model) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_folder_that_is_no_saved_model_is_refused(tf, tmp_path, pairs):
    assert "saved_model.pb" in _refusal(tmp_path, pairs)
    (tmp_path / "saved_model.pb").write_bytes(b"nonsense")
    assert "saved_model.pb" in _refusal(tmp_path, pairs)


def test_lost_variables_are_refused(folder, tmp_path, pairs):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    shutil.rmtree(copy / "variables")
    assert "variables/" in _refusal(copy, pairs)


def test_another_output_is_refused_with_what_there_is(tf, small, tmp_path, pairs):
    tf.saved_model.save(small(output="logits"), str(tmp_path / "model"))
    message = _refusal(tmp_path / "model", pairs)
    assert "'logits'" in message
    assert "'embedding'" in message


def test_another_input_is_refused(tf, tmp_path, pairs):
    class Pictures(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
        def __call__(self, pictures):
            return {"embedding": tf.reduce_mean(pictures, axis=[1, 2])}

    tf.saved_model.save(Pictures(), str(tmp_path / "model"))
    assert "does not take" in _refusal(tmp_path / "model", pairs)


def test_a_model_without_an_entrance_is_refused(tf, tmp_path, pairs):
    model = tf.Module()
    model.weight = tf.Variable(1.0)
    tf.saved_model.save(model, str(tmp_path / "model"))
    assert "cannot be called" in _refusal(tmp_path / "model", pairs)


@pytest.mark.parametrize("error", [OSError("no route to host"), ValueError("unsupported handle")])
def test_a_name_that_the_hub_does_not_give_is_refused_with_the_remedy(monkeypatch, error, pairs):
    hub = pytest.importorskip("tensorflow_hub", exc_type=ImportError)

    def fail(handle):
        raise error

    monkeypatch.setattr(hub, "resolve", fail)
    message = _refusal("https://tfhub.dev/nobody/no-such-model/1", pairs)
    assert "local folder" in message


def test_parameters_out_of_range_are_refused_by_fit():
    with pytest.raises(EmbedderError, match="max_seconds"):
        TFHubEmbedder(TRILLSSON, max_seconds=0.5).fit()


@pytest.mark.parametrize("package", ["tensorflow", "tensorflow_hub"])
@pytest.mark.parametrize("call", ["fit", "transform"])
def test_without_tensorflow_the_extra_is_named(monkeypatch, package, call, pairs):
    if package == "tensorflow_hub" and find_spec("tensorflow") is None:
        pytest.skip("tensorflow is missing, too, and named first")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        MissingExtraError, match=r'pip install "sfmforensics\[trillsson\]"'
    ) as caught:
        getattr(TFHubEmbedder(TRILLSSON), call)(pairs[:1])
    assert caught.value.package == package


def test_a_local_folder_needs_no_tensorflow_hub(folder, monkeypatch, pairs):
    monkeypatch.setitem(sys.modules, "tensorflow_hub", None)
    module.load_model.cache_clear()
    assert embed(folder, pairs[:1]).shape == (1, 1024)


# -- beside torch, and quiet ---------------------------------------------------------------------

PROGRAM = """
import os, sys
import numpy as np
from sfmforensics.embedders import TFHubEmbedder

signal = np.sin(np.arange(16_000) / 10)
TFHubEmbedder(sys.argv[1]).fit_transform([(signal, 16_000)])
print(os.environ.get("TF_CPP_MIN_LOG_LEVEL"))
os.write(2, b"stderr works")
"""
THEN_TRAIN = """
import torch

weights = torch.nn.Parameter(torch.ones(3))
optimiser = torch.optim.Adam([weights])  # imports triton, which crashed
weights.sum().backward()
optimiser.step()
print("trained")
"""


def test_torch_can_train_after_tensorflow_and_tensorflow_says_nothing(folder):
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + THEN_TRAIN, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout.split() == ["None", "trained"]
    assert done.stderr.startswith("stderr works")  # what torch says after that is its own affair


def test_whoever_sets_a_log_level_sees_the_log(monkeypatch, capfd):
    for level, shown in ((None, ""), ("0", "native")):
        monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
        if level is not None:
            monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
        with module._silent_stderr():
            os.write(2, b"native")
        assert capfd.readouterr().err == shown
