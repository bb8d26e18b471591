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
from sfmforensics.embedders import REGISTRY, TFHubEmbedder, make_embedder
from sfmforensics.embedders import _tf_models as module
from sfmforensics.exceptions import EmbedderError, MissingExtraError

pytestmark = pytest.mark.slow

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


def define_layers(tf):
    """The class of a model whose "embedding" has frames, beside another such output and vectors."""

    class Layers(tf.Module):
        def __init__(self):
            super().__init__()
            rng = np.random.default_rng(1)
            self.kernel = tf.Variable(rng.normal(size=(400, 1, 14), scale=0.2).astype(np.float32))
            self.out = tf.Variable(rng.normal(size=(14, 9)).astype(np.float32))

        @tf.function
        def __call__(self, audio_samples):
            frames = tf.nn.relu(tf.nn.conv1d(audio_samples[..., None], self.kernel, 160, "SAME"))
            vectors = tf.reduce_mean(frames, axis=1) @ self.out
            return {"embedding": frames, "layer7": frames @ self.out, "layer19": vectors}

    return Layers


WIDTHS = {"last": 14, "layer7": 9}
"""Of the outputs that have frames."""


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


@pytest.fixture(scope="session", params=["callable", "signature"])
def layers(request, tf, tmp_path_factory):
    """Folder of a model with several outputs: called as it is, or by its signature."""
    path, model = tmp_path_factory.mktemp("tfhub") / request.param, define_layers(tf)()
    concrete = model.__call__.get_concrete_function(tf.TensorSpec([None, None], tf.float32, "x"))
    tf.saved_model.save(model, str(path), signatures=concrete if path.name == "signature" else {})
    assert len(tf.saved_model.load(str(path)).signatures) == (path.name == "signature")
    return path


@pytest.fixture
def own_output(tf, layers):
    """``own_output(signal, layer)``: what the model gives for one signal, by itself."""
    loaded = tf.saved_model.load(str(layers))

    def output(signal, layer):
        given = loaded(tf.constant(signal[None]))
        return given["embedding" if layer == "last" else layer].numpy()[0]

    return output


@pytest.fixture
def batches(monkeypatch):
    """Shapes of what is run, once the model is loaded and its width known."""
    shapes, run = [], module.SavedModel.run

    def watched(self, signals):
        shapes.append((len(signals), *{len(signal) for signal in signals}))
        return run(self, signals)

    monkeypatch.setattr(module.SavedModel, "run", watched)
    return shapes


def in_three(signal):
    """Cut 2.51 s by hand as max_seconds=1.0 does: 126 frames of 20 ms, in three."""
    edges = np.array([0, 42, 84]) * 320
    return [signal[a:b] for a, b in zip(edges, [*edges[1:], None], strict=True)]


def mean_and_deviation(frames):
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])


POOL = {"mean": lambda frames: frames.mean(axis=0), "mean+std": mean_and_deviation}


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
    pieces = in_three(signal)
    vectors = embed(folder, [(piece, RATE) for piece in pieces])
    assert_close(found[0], np.average(vectors, axis=0, weights=[len(p) for p in pieces]))
    assert not np.array_equal(found, embed(folder, [(signal, RATE)]))


def test_the_cpu_gives_the_same_vectors(folder, pairs):
    expected = embed(folder, pairs)
    for device in ("cpu", "cpu:0"):
        np.testing.assert_array_equal(embed(folder, pairs, device=device), expected)


def test_a_device_that_was_asked_for_is_where_the_model_runs(tf, folder, pairs, monkeypatch):
    asked, device = [], tf.device
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind, kind])
    monkeypatch.setattr(module, "import_quietly", lambda name: tf)
    monkeypatch.setattr(tf, "device", lambda name: asked.append(name) or device("CPU:0"))
    for name in ("cpu", "cuda", "cuda:1", None):
        embed(folder, pairs[:1], device=name)
    assert list(dict.fromkeys(asked)) == ["CPU:0", "GPU:0", "GPU:1", None]


# -- which outputs, and their frames -----------------------------------------------------------


def test_an_output_is_chosen_by_its_name(layers, own_output, signals, pairs, assert_close):
    embedder = TFHubEmbedder(str(layers), layer="layer19").fit()
    vectors = embedder.transform(pairs)
    assert len(embedder.get_feature_names_out()) == 9 == vectors.shape[1]
    assert_close(vectors, [own_output(signal, "layer19") for signal in signals])


@pytest.mark.parametrize("pooling", POOL)
@pytest.mark.parametrize("layer", WIDTHS)
def test_frames_are_pooled_by_their_mean_or_by_deviation_too(
    layers, own_output, layer, pooling, signals, pairs, assert_close
):
    embedder = TFHubEmbedder(str(layers), layer=layer, pooling=pooling).fit()
    width = WIDTHS[layer] * (2 if pooling == "mean+std" else 1)
    assert len(embedder.get_feature_names_out()) == width
    vectors = embedder.transform(pairs)
    assert vectors.dtype == np.float32
    assert_close(vectors, [POOL[pooling](own_output(signal, layer)) for signal in signals])
    assert vectors.shape == (len(pairs), width)


@pytest.mark.parametrize("pooling", POOL)
def test_a_long_recording_pools_the_frames_of_all_its_pieces(
    layers, own_output, pooling, voice, assert_close
):
    signal = voice(2.51, seed=4)
    frames = [own_output(piece, "layer7") for piece in in_three(signal)]
    options = {"layer": "layer7", "pooling": pooling, "max_seconds": 1.0}
    found = embed(layers, [(signal, RATE)], **options)
    assert_close(found[0], POOL[pooling](np.concatenate(frames)))
    if pooling == "mean+std":  # the deviation over all frames is not the mean of the pieces' own
        assert np.abs(found[0, 9:] / np.mean([f.std(axis=0) for f in frames], 0) - 1).max() > 1e-4


def test_a_long_recording_has_one_vector_of_an_output_without_frames(
    layers, own_output, voice, assert_close
):
    signal = voice(2.51, seed=4)
    pieces = in_three(signal)
    found = embed(layers, [(signal, RATE)], layer="layer19", max_seconds=1.0)
    vectors = [own_output(piece, "layer19") for piece in pieces]
    assert_close(found[0], np.average(vectors, axis=0, weights=[len(p) for p in pieces]))


def test_deviation_is_refused_where_there_are_no_frames(layers, folder):
    for model, layer in ((layers, "layer19"), (folder, "last")):
        with pytest.raises(EmbedderError, match=r"'mean\+std'.* no frames left") as caught:
            TFHubEmbedder(str(model), layer=layer, pooling="mean+std").fit()
        assert str(model) in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("call", ["fit", "transform"])
def test_an_output_that_there_is_not_is_refused_with_those_there_are(layers, pairs, call):
    embedder = TFHubEmbedder(str(layers), layer="layer20")
    with pytest.raises(EmbedderError, match="without 'layer20'") as caught:
        getattr(embedder, call)(pairs[:1])
    assert all(f"'{name}'" in str(caught.value) for name in ("embedding", "layer7", "layer19"))
    assert len(str(caught.value).splitlines()) == 1


# -- batches -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"layer": "layer7", "pooling": "mean+std"}])
def test_only_equally_long_recordings_share_a_batch(layers, voice, options, batches, assert_close):
    seconds = (0.5, 0.6, 0.5, 0.5, 0.7, 0.5, 0.5)
    recordings = [(voice(s, seed=seed), RATE) for seed, s in enumerate(seconds)]
    embedder = TFHubEmbedder(str(layers), batch_size=3, **options).fit()
    batches.clear()
    together = embedder.transform(recordings)
    ran = sorted(shape for shape in batches if shape[1] < RATE)  # without what measures the width
    assert ran == [(1, 9_600), (1, 11_200), (2, 8_000), (3, 8_000)]
    batches.clear()
    alone = embedder.set_params(batch_size=1).transform(recordings)
    assert {n for n, *_ in batches} == {1}
    assert_close(together, alone)


def test_pieces_of_a_long_recording_share_batches_of_the_same_size(layers, voice, batches):
    recording = [(voice(4.0), RATE)]
    embedder = TFHubEmbedder(str(layers), batch_size=3, max_seconds=1.0).fit()
    batches.clear()
    embedder.transform(recording)
    assert [n for n, *_ in batches][-2:] == [3, 1]


@pytest.mark.parametrize("saved", ["callable", "signature"])
def test_a_model_that_takes_one_signal_at_a_time_gets_one(
    tf, folder, saved, voice, tmp_path, assert_close
):
    class One(tf.Module):
        def __init__(self):
            super().__init__()
            self.small = define(tf)(width=6)

        @tf.function(input_signature=[tf.TensorSpec([1, None], tf.float32, "audio_samples")])
        def __call__(self, audio_samples):
            return {"embedding": self.small.compute(audio_samples[:1])}  # of more, only the first

    one = One()
    signatures = one.__call__ if saved == "signature" else {}
    tf.saved_model.save(one, str(tmp_path / "one"), signatures=signatures)
    recordings = [(voice(s, seed=seed), RATE) for seed, s in enumerate((0.5, 0.5, 0.7, 0.5))]
    vectors = embed(tmp_path / "one", recordings, batch_size=8)
    signals = [tf.constant(signal[None]) for signal, _ in recordings]
    assert_close(vectors, [one.small.compute(signal).numpy()[0] for signal in signals])


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


@pytest.mark.parametrize(
    ("options", "width"), [({"layer": "layer19"}, 9), ({"pooling": "mean+std"}, 28)]
)
def test_of_another_output_of_trillsson_the_width_is_measured(
    layers, monkeypatch, options, width, pairs
):
    hub = pytest.importorskip("tensorflow_hub", exc_type=ImportError)
    monkeypatch.setattr(hub, "resolve", lambda handle: str(layers))
    module.load_model.cache_clear()
    embedder = TFHubEmbedder(TRILLSSON, **options).fit()
    assert len(embedder.get_feature_names_out()) == width
    assert embedder.transform(pairs[:1]).shape == (1, width)
    module.load_model.cache_clear()  # what was patched must not be remembered


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


# -- versions on the hub -----------------------------------------------------------------------


def test_a_version_may_stand_in_the_address_or_beside_it(tf):
    short = "google/nonsemantic-speech-benchmark/trillsson4"
    long = f"https://tfhub.dev/{short}"
    identity = {"model": f"{long}/1", "max_seconds": 30.0, "dtype": "float32"}
    for model, revision in ((short, "1"), (long, "1"), (short, 1)):
        embedder = TFHubEmbedder(model, revision=revision)
        assert embedder._identity() == identity
        assert len(embedder.fit().get_feature_names_out()) == 1024
    for model in (f"{short}/1", f"{long}/1"):
        assert TFHubEmbedder(model)._identity() == identity
        assert TFHubEmbedder(model, revision="1")._identity() == identity
    assert TFHubEmbedder(short, revision="2")._identity()["model"] == f"{long}/2"


@pytest.mark.parametrize("model", [TRILLSSON, TRILLSSON.removeprefix("https://tfhub.dev/")])
def test_a_version_that_contradicts_the_address_is_refused(tf, model):
    with pytest.raises(EmbedderError, match=r"version 1, but revision is '2'") as caught:
        TFHubEmbedder(model, revision="2").fit()
    assert model in str(caught.value)


def test_an_address_without_its_beginning_is_no_folder(folder, monkeypatch, pairs):
    hub = pytest.importorskip("tensorflow_hub", exc_type=ImportError)
    asked = []
    monkeypatch.setattr(hub, "resolve", lambda handle: asked.append(handle) or str(folder))
    name, embedder = make_embedder("trillsson=google/nonsemantic-speech-benchmark/trillsson4/1")
    assert name == "trillsson"
    assert type(embedder) is TFHubEmbedder
    assert embedder._identity() == make_embedder("trillsson")[1]._identity()
    module.load_model.cache_clear()
    vectors = embedder.fit_transform(pairs[:2])
    module.load_model.cache_clear()  # what was patched must not be remembered
    assert asked == [TRILLSSON]
    np.testing.assert_array_equal(vectors, embed(folder, pairs[:2]))


# -- the cache's key ---------------------------------------------------------------------------


def test_the_key_names_layer_and_pooling_only_where_they_were_chosen(folder):
    def identity(**options):
        return TFHubEmbedder(str(folder), **options)._identity()

    assert set(identity()) == {"weights", "max_seconds", "dtype"}
    different = [
        *(identity(), identity(layer="layer7"), identity(layer="layer19")),
        *(identity(pooling="mean+std"), identity(layer="layer7", pooling="mean+std")),
    ]
    assert all(one not in different[:i] for i, one in enumerate(different))
    assert identity(batch_size=1, device="cpu", verbose=True, name="other") == identity()


def test_each_output_has_its_own_vectors_in_the_cache(layers, pairs, tmp_path):
    choices = [{}, {"layer": "layer7"}, {"layer": "layer19"}, {"pooling": "mean+std"}]
    plain = [embed(layers, pairs[:2], **options) for options in choices]
    for _ in range(2):
        for options, vectors in zip(choices, plain, strict=True):
            cached = embed(layers, pairs[:2], cache=tmp_path, **options)
            np.testing.assert_array_equal(cached, vectors)


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


@pytest.mark.parametrize("signed", [False, True])
def test_a_model_of_one_waveform_without_a_batch_is_refused(tf, tmp_path, pairs, signed):
    class One(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "audio_samples")])
        def __call__(self, audio_samples):
            return {"embedding": audio_samples[:4]}

    model = One()
    signatures = model.__call__ if signed else None
    tf.saved_model.save(model, str(tmp_path / "model"), signatures=signatures)
    assert "does not take" in _refusal(tmp_path / "model", pairs)


def test_an_output_without_a_name_is_not_found_by_one(tf, small, tmp_path, pairs):
    class Bare(small):
        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "audio_samples")])
        def __call__(self, audio_samples):
            return self.compute(audio_samples)

    tf.saved_model.save(Bare(), str(tmp_path / "model"))
    assert embed(tmp_path / "model", pairs[:1]).shape == (1, 1024)
    with pytest.raises(EmbedderError, match="one output without a name"):
        embed(tmp_path / "model", pairs[:1], layer="layer19")


def test_an_output_of_words_is_refused(tf, tmp_path, pairs):
    class Words(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "audio_samples")])
        def __call__(self, audio_samples):
            return {"embedding": tf.strings.as_string(audio_samples[:, :4]) + " words"}

    tf.saved_model.save(Words(), str(tmp_path / "model"))
    assert "holds no numbers" in _refusal(tmp_path / "model", pairs)


@pytest.mark.parametrize("device", ["mps", "nonsense", "cpu:x", "cpu:7", "cuda:7"])
def test_a_device_that_is_not_there_is_refused(tf, folder, device, pairs):
    with pytest.raises(EmbedderError, match=f"device is '{device}', which TensorFlow"):
        embed(folder, pairs[:1], device=device)


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


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_seconds": 0.5}, r"max_seconds is 0\.5"),
        ({"max_seconds": np.inf}, "max_seconds is inf"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"layer": 3}, "layer is 3, but a SavedModel shows its outputs alone"),
        ({"layer": np.int64(-1)}, "a SavedModel shows its outputs alone"),
        ({"layer": "mean"}, "layer is 'mean', but a SavedModel shows its outputs alone"),
        ({"pooling": "max"}, "pooling is 'max'"),
        ({"dtype": "float16"}, "dtype is 'float16'.*float32"),
        ({"dtype": "bfloat16"}, "dtype is 'bfloat16'.*float32"),
    ],
)
def test_parameters_out_of_range_are_refused_by_fit(options, says):
    with pytest.raises(EmbedderError, match=says) as caught:
        TFHubEmbedder(TRILLSSON, **options).fit()
    assert len(str(caught.value).splitlines()) == 1


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
