"""A small x-vector and a small ECAPA-TDNN with random weights, in folders as the hub's are."""

import os
import pickle
import shutil
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from sfmforensics.embedders import SpeechBrainEmbedder, _hub, _sb_recipe, make_embedder
from sfmforensics.embedders import _sb_checkpoints as module
from sfmforensics.exceptions import AudioError, EmbedderError, MissingExtraError

pytestmark = pytest.mark.slow

RATE = 16_000

# After hyperparams.yaml of speechbrain/spkrec-xvect-voxceleb: it points to the hub even if the
# folder was downloaded.
RECIPE = """
    # Feature parameters
    n_mels: 24

    # Pretrain folder (HuggingFace)
    pretrained_path: speechbrain/spkrec-xvect-voxceleb

    # Output parameters
    out_n_neurons: 7

    # Model params
    compute_features: !new:speechbrain.lobes.features.Fbank
        n_mels: !ref <n_mels>

    mean_var_norm: !new:speechbrain.processing.features.InputNormalization
        norm_type: sentence
        std_norm: False

    EMBEDDING_MODEL

    mean_var_norm_emb: !new:speechbrain.processing.features.InputNormalization
        norm_type: global
        std_norm: False

    modules:
        compute_features: !ref <compute_features>
        mean_var_norm: !ref <mean_var_norm>
        embedding_model: !ref <embedding_model>
        mean_var_norm_emb: !ref <mean_var_norm_emb>
        classifier: !ref <classifier>

    label_encoder: !new:speechbrain.dataio.encoder.CategoricalEncoder

    pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
        loadables:
            embedding_model: !ref <embedding_model>
            mean_var_norm_emb: !ref <mean_var_norm_emb>
            classifier: !ref <classifier>
            label_encoder: !ref <label_encoder>
        paths:
            embedding_model: !ref <pretrained_path>/embedding_model.ckpt
            mean_var_norm_emb: !ref <pretrained_path>/mean_var_norm_emb.ckpt
            classifier: !ref <pretrained_path>/classifier.ckpt
            label_encoder: !ref <pretrained_path>/label_encoder.txt
"""
X_VECTOR = """
    embedding_model: !new:speechbrain.lobes.models.Xvector.Xvector
        in_channels: !ref <n_mels>
        activation: !name:torch.nn.LeakyReLU
        tdnn_blocks: 5
        tdnn_channels: [24, 24, 24, 24, 40]
        tdnn_kernel_sizes: [5, 3, 3, 1, 1]
        tdnn_dilations: [1, 2, 3, 1, 1]
        lin_neurons: 20

    classifier: !new:speechbrain.lobes.models.Xvector.Classifier
        input_shape: [null, null, 20]
        activation: !name:torch.nn.LeakyReLU
        lin_blocks: 1
        lin_neurons: 20
        out_neurons: !ref <out_n_neurons>
"""
ECAPA = """
    embedding_model: !new:speechbrain.lobes.models.ECAPA_TDNN.ECAPA_TDNN
        input_size: !ref <n_mels>
        channels: [16, 16, 16, 16, 48]
        kernel_sizes: [5, 3, 3, 3, 1]
        dilations: [1, 2, 3, 4, 1]
        attention_channels: 8
        se_channels: 8
        lin_neurons: 12

    classifier: !new:speechbrain.lobes.models.ECAPA_TDNN.Classifier
        input_size: 12
        out_neurons: !ref <out_n_neurons>
"""
MODELS = {"x-vector": (X_VECTOR, 20), "ecapa": (ECAPA, 12)}
WIDTHS = {"x-vector": (24, 24, 24, 24, 24, 40), "ecapa": (24, 16, 16, 16, 16)}


def recipe(model):
    return textwrap.dedent(RECIPE.replace("    EMBEDDING_MODEL", model))


def save_model(folder, text):
    """Write what the hub's repository holds."""
    from hyperpyyaml import load_hyperpyyaml

    folder.mkdir()
    (folder / "hyperparams.yaml").write_text(text)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built = load_hyperpyyaml(text)
        for name in ("embedding_model", "classifier"):
            for weight in built[name].parameters():
                torch.nn.init.normal_(weight, std=0.3)
            torch.save(built[name].state_dict(), folder / f"{name}.ckpt")
    statistics = {"count": 1, "glob_mean": torch.zeros(1), "glob_std": torch.ones(1)}
    torch.save(statistics, folder / "mean_var_norm_emb.ckpt")
    lines = [f"'speaker {i}' => {i}" for i in range(7)]
    (folder / "label_encoder.txt").write_text(
        "\n".join([*lines, "=" * 16, "'starting_index' => 0"])
    )


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    pytest.importorskip(
        "speechbrain", reason="the extra xvector is not installed", exc_type=ImportError
    )
    root = tmp_path_factory.mktemp("speechbrain")
    for name, (model, _) in MODELS.items():
        save_model(root / name, recipe(model))
    return {name: root / name for name in MODELS}


@pytest.fixture
def copy_of(folders, tmp_path):
    """``copy_of(name)``: the folder of a model, to be spoilt."""

    def copy(name):
        return Path(shutil.copytree(folders[name], tmp_path / name))

    return copy


def embed(folder, recordings, **options):
    return SpeechBrainEmbedder(str(folder), device="cpu", **options).fit_transform(recordings)


def library_model(folder, savedir):
    """Load a folder as SpeechBrain itself does, whatever that draws at random."""
    from speechbrain.inference.classifiers import EncoderClassifier

    with torch.random.fork_rng():
        return EncoderClassifier.from_hparams(
            source=str(folder), savedir=str(savedir), overrides={"pretrained_path": str(folder)}
        )


def library_vector(folder, signal, savedir):
    """What SpeechBrain's own `encode_batch` gives, its noise set to nothing."""
    from speechbrain.nnet.pooling import StatisticsPooling

    whole = library_model(folder, savedir)
    for part in whole.modules():
        if isinstance(part, StatisticsPooling):
            part._get_gauss_noise = lambda shape, device="cpu": torch.zeros(shape, device=device)
    return whole.encode_batch(torch.from_numpy(signal)).reshape(-1).numpy()


def library_states(folder, signals, savedir):
    """For each signal, what goes into the first block and comes out of each, frame by frame."""
    whole = library_model(folder, savedir)
    blocks = whole.mods.embedding_model.blocks
    return [_walk(whole.mods, blocks, torch.from_numpy(signal)[None]) for signal in signals]


@torch.inference_mode()
def _walk(mods, blocks, signal):
    lens = torch.ones(1)
    x = mods.mean_var_norm(mods.compute_features(signal), lens)
    states = [x[0].numpy()]
    channels_first = type(mods.embedding_model).__name__ == "ECAPA_TDNN"
    x = x.transpose(1, 2) if channels_first else x
    for block in blocks:
        if type(block).__name__ == "StatisticsPooling":
            break
        try:
            x = block(x, lengths=lens)
        except TypeError:
            x = block(x)
        if channels_first or type(block).__name__ == "BatchNorm1d":
            states.append((x.transpose(1, 2) if channels_first else x)[0].numpy())
    return states


def mean_and_deviation(frames):
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])


def in_three(signal):
    """Cut 2.51 s by hand as max_seconds=1.0 does: 126 frames of 20 ms, in three."""
    edges = np.array([0, 42, 84]) * 320
    return [signal[a:b] for a, b in zip(edges, [*edges[1:], None], strict=True)]


# -- the vector is the library's, whatever the company, the order and the run ------------------


@pytest.mark.parametrize("name", MODELS)
def test_vectors_are_speechbrains_own_without_its_noise(
    folders, name, signals, pairs, tmp_path, assert_close
):
    vectors = embed(folders[name], pairs)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(pairs), MODELS[name][1])
    expected = [library_vector(folders[name], s, tmp_path / "saved") for s in signals]
    assert_close(vectors, np.stack(expected))
    assert vectors.std(axis=0).min() > 1e-3  # recordings differ by more than the tolerance


@pytest.mark.parametrize("name", MODELS)
def test_vectors_do_not_depend_on_the_batch(folders, name, pairs, voice, assert_close):
    recordings = [*pairs, *((voice(0.8, seed=seed), RATE) for seed in range(10, 14))]
    alone = embed(folders[name], recordings, batch_size=1)
    assert_close(embed(folders[name], recordings, batch_size=8), alone)
    assert_close(embed(folders[name], recordings[::-1], batch_size=3)[::-1], alone)


@pytest.mark.parametrize("name", MODELS)
def test_runs_are_identical_and_leave_torchs_generator_alone(folders, name, pairs):
    before = torch.get_rng_state()
    module.load_steps.cache_clear()
    first = embed(folders[name], pairs)
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(embed(folders[name], pairs), first)
    module.load_steps.cache_clear()
    torch.manual_seed(99)
    np.testing.assert_array_equal(embed(folders[name], pairs), first)


def test_only_equally_long_signals_share_a_batch(folders, signals):
    embedder = SpeechBrainEmbedder(str(folders["x-vector"]))
    assert embedder._batch_key(signals[0]) == embedder._batch_key(signals[3])
    assert embedder._batch_key(signals[0]) != embedder._batch_key(signals[0][:-1])


@pytest.mark.parametrize("name", MODELS)
def test_a_long_recording_is_the_mean_of_its_pieces_by_length(folders, name, voice, assert_close):
    signal = voice(2.51, seed=4)
    found = embed(folders[name], [(signal, RATE)], max_seconds=1.0)
    pieces = in_three(signal)
    vectors = np.concatenate([embed(folders[name], [(piece, RATE)]) for piece in pieces])
    assert_close(found[0], np.average(vectors, axis=0, weights=[len(p) for p in pieces]))
    assert not np.allclose(found[0], embed(folders[name], [(signal, RATE)])[0], rtol=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_the_shortest_recordings_work_and_shorter_ones_are_refused(folders, name, voice):
    assert np.isfinite(embed(folders[name], [(voice(0.04), RATE)])).all()
    with pytest.raises(AudioError, match="40 ms"):
        embed(folders[name], [(voice(0.039), RATE)])


# -- layers, whose frames are pooled -----------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_a_layer_is_the_mean_over_what_the_librarys_own_block_gives(
    folders, name, signals, pairs, tmp_path, assert_close
):
    expected = library_states(folders[name], signals, tmp_path / "saved")
    n = len(WIDTHS[name])
    for layer, width in enumerate(WIDTHS[name]):
        vectors = embed(folders[name], pairs, layer=layer)
        assert vectors.dtype == np.float32
        assert vectors.shape == (len(pairs), width)
        frames = np.concatenate([states[layer] for states in expected])
        means = [states[layer].mean(axis=0) for states in expected]
        if layer == 0:  # of features whose mean was taken away, rounding is left
            np.testing.assert_allclose(vectors, means, rtol=0, atol=1e-5 * np.abs(frames).max())
        else:
            assert_close(vectors, means)
        np.testing.assert_array_equal(embed(folders[name], pairs, layer=layer - n), vectors)
        np.testing.assert_array_equal(embed(folders[name], pairs, layer=np.int64(layer)), vectors)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("layer", [0, 2, -1])
def test_mean_and_deviation_over_frames_double_the_width(
    folders, name, layer, signals, pairs, tmp_path, assert_close
):
    embedder = SpeechBrainEmbedder(
        str(folders[name]), device="cpu", layer=layer, pooling="mean+std"
    ).fit()
    vectors = embedder.transform(pairs)
    assert len(embedder.get_feature_names_out()) == 2 * WIDTHS[name][layer] == vectors.shape[1]
    states = library_states(folders[name], signals, tmp_path / "saved")
    assert_close(vectors, [mean_and_deviation(of_signal[layer]) for of_signal in states])


@pytest.mark.parametrize("pooling", ["mean", "mean+std"])
def test_the_mean_over_layers_is_that_of_all_blocks_without_the_features(
    folders, pooling, signals, pairs, tmp_path, assert_close
):
    states = library_states(folders["ecapa"], signals, tmp_path / "saved")
    frames = [np.mean(of_signal[1:], axis=0) for of_signal in states]
    pool = mean_and_deviation if pooling == "mean+std" else lambda f: f.mean(axis=0)
    found = embed(folders["ecapa"], pairs, layer="mean", pooling=pooling)
    assert_close(found, [pool(of_signal) for of_signal in frames])


def test_blocks_of_different_widths_have_no_mean(folders):
    embedder = SpeechBrainEmbedder(str(folders["x-vector"]), layer="mean")
    with pytest.raises(EmbedderError, match="24, 24, 24, 24, 40 wide") as caught:
        embedder.fit()
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("options", [{"layer": 1}, {"layer": -1, "pooling": "mean+std"}])
def test_vectors_of_a_layer_do_not_depend_on_the_batch(
    folders, name, options, pairs, voice, assert_close
):
    recordings = [*pairs, *((voice(0.8, seed=seed), RATE) for seed in range(10, 14))]
    alone = embed(folders[name], recordings, batch_size=1, **options)
    assert_close(embed(folders[name], recordings, batch_size=8, **options), alone)
    assert_close(embed(folders[name], recordings[::-1], batch_size=3, **options)[::-1], alone)


@pytest.mark.parametrize("name", MODELS)
def test_a_layer_of_a_long_recording_pools_the_frames_of_all_its_pieces(
    folders, name, voice, tmp_path, assert_close
):
    signal = voice(2.51, seed=4)
    states = library_states(folders[name], in_three(signal), tmp_path / "saved")
    frames = np.concatenate([of_piece[2] for of_piece in states])
    options = {"layer": 2, "max_seconds": 1.0}
    assert_close(embed(folders[name], [(signal, RATE)], **options)[0], frames.mean(axis=0))
    both = embed(folders[name], [(signal, RATE)], pooling="mean+std", **options)
    assert_close(both[0], mean_and_deviation(frames))
    # The deviation over all frames is not the mean of the pieces' own.
    apart = np.mean([of_piece[2].std(axis=0) for of_piece in states], axis=0)
    assert np.abs(both[0, WIDTHS[name][2] :] / apart - 1).max() > 1e-4


def test_each_layer_has_its_own_vectors_in_the_cache(folders, pairs, tmp_path):
    choices = [{}, {"layer": 1}, {"layer": 2}, {"layer": 2, "pooling": "mean+std"}]
    plain = [embed(folders["ecapa"], pairs[:2], **options) for options in choices]
    for _ in range(2):
        for options, vectors in zip(choices, plain, strict=True):
            cached = embed(folders["ecapa"], pairs[:2], cache=tmp_path, **options)
            np.testing.assert_array_equal(cached, vectors)


def test_layers_of_a_network_of_another_kind_are_refused_but_not_its_embedding(
    tmp_path, folders, signals, pairs, assert_close
):
    network = """
    embedding_model: !new:speechbrain.lobes.models.ResNet.ResNet
        input_size: !ref <n_mels>
        channels: [4, 4, 8, 8]
        block_sizes: [1, 1, 1, 1]
        lin_neurons: 6

    classifier: !new:torch.nn.Linear
        in_features: 6
        out_features: !ref <out_n_neurons>
"""
    save_model(tmp_path / "model", recipe(network))
    expected = [library_vector(tmp_path / "model", s, tmp_path / "saved") for s in signals]
    assert_close(embed(tmp_path / "model", pairs), expected)
    for layer in (0, 1, "mean"):
        with pytest.raises(EmbedderError, match="x-vector and ECAPA-TDNN, not of ResNet"):
            SpeechBrainEmbedder(tmp_path / "model", layer=layer).fit()


# -- number formats ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("layer", ["last", 2])
def test_bfloat16_is_near_float32_and_gives_float32_vectors(
    folders, name, layer, pairs, assert_close
):
    exact = embed(folders[name], pairs, layer=layer)
    half = embed(folders[name], pairs, layer=layer, dtype="bfloat16")
    assert half.dtype == np.float32
    assert_close(half, exact, rtol=5e-2)
    assert np.abs(half - exact).max() > 1e-4 * np.abs(exact).max()
    np.testing.assert_array_equal(embed(folders[name], pairs, layer=layer), exact)


def test_features_stay_in_float32_whatever_the_number_format_of_the_network(folders, pairs):
    features = embed(folders["x-vector"], pairs, layer=0)
    half = embed(folders["x-vector"], pairs, layer=0, dtype="bfloat16")
    np.testing.assert_array_equal(half, features)


# -- loading -----------------------------------------------------------------------------------


def test_a_view_of_any_folder_takes_a_device_and_a_batch_size(folders, pairs, monkeypatch):
    batches, run = [], module.load_steps.__wrapped__

    def load_steps(model, folder, state, commit, device):
        compute_features, *others = run(model, folder, state, commit, device)
        assert device == "cpu"
        return (lambda x: batches.append(len(x)) or compute_features(x)), *others

    monkeypatch.setattr(module, "load_steps", load_steps)
    name, embedder = make_embedder(f"voice={folders['ecapa']}", device="cpu", batch_size=2)
    assert name == "voice"
    assert type(embedder) is SpeechBrainEmbedder
    vectors = embedder.fit_transform([pairs[0], pairs[3], pairs[1]])
    assert sorted(batches) == [1, 2]
    monkeypatch.undo()
    np.testing.assert_array_equal(
        vectors, embed(folders["ecapa"], [pairs[0], pairs[3], pairs[1]], batch_size=2)
    )


def test_the_width_is_known_without_the_model(folders):
    module.load_steps.cache_clear()
    for name, (_, width) in MODELS.items():
        names = SpeechBrainEmbedder(str(folders[name])).fit().get_feature_names_out()
        assert len(names) == width
    assert module.load_steps.cache_info().currsize == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lin_neurons: 20\n\n", "\n\n"),
        ("lin_neurons: 20\n\n", "lin_neurons: !ref <n_mels> - 4\n\n"),
    ],
    ids=["not declared", "computed"],
)
def test_a_width_that_is_not_written_down_is_measured(tmp_path, folders, pairs, old, new):
    text = recipe(X_VECTOR).replace(old, new)
    assert text != recipe(X_VECTOR)
    save_model(tmp_path / "model", text)
    width = 512 if "- 4" not in new else 20
    assert embed(tmp_path / "model", pairs[:1]).shape == (1, width)


def test_a_width_that_refers_to_another_line_is_looked_up():
    text = recipe(X_VECTOR).replace("lin_neurons: 20\n\n", "lin_neurons: !ref <n_mels>\n\n")
    assert _sb_recipe.declared_dimension(text) == 24


def test_a_recipe_cannot_leave_weights_at_random(copy_of, folders, pairs):
    folder = copy_of("x-vector")
    _rewrite(
        "    loadables:\n", "    conditions:\n        embedding_model: False\n    loadables:\n"
    )(folder)
    np.testing.assert_array_equal(embed(folder, pairs[:2]), embed(folders["x-vector"], pairs[:2]))


def test_loading_writes_nothing_and_needs_only_what_a_vector_needs(
    copy_of, folders, pairs, tmp_path, monkeypatch
):
    folder, elsewhere = copy_of("x-vector"), tmp_path / "elsewhere"
    for name in ("classifier.ckpt", "label_encoder.txt", "mean_var_norm_emb.ckpt"):
        (folder / name).unlink()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    np.testing.assert_array_equal(embed(folder, pairs[:2]), embed(folders["x-vector"], pairs[:2]))
    assert os.listdir(elsewhere) == []
    assert sorted(os.listdir(folder)) == ["embedding_model.ckpt", "hyperparams.yaml"]


def test_others_may_look_through_all_modules(folders, pairs, recwarn):
    """As hypothesis, unittest and TensorFlow do; SpeechBrain's lazy modules would fail."""
    embed(folders["x-vector"], pairs[:1])
    for loaded in list(sys.modules.values()):
        getattr(loaded, "__file__", None)
        getattr(loaded, "__warningregistry__", None)
    assert not [w for w in recwarn if "speechbrain" in str(w.message)]


def test_a_float16_checkpoint_is_computed_in_float32(copy_of, pairs, assert_close):
    folder = copy_of("x-vector")
    weights = torch.load(folder / "embedding_model.ckpt")
    half = {key: w.half() if w.is_floating_point() else w for key, w in weights.items()}
    torch.save(half, folder / "embedding_model.ckpt")
    found = embed(folder, pairs[:2])
    torch.save({key: w.float() for key, w in half.items()}, folder / "embedding_model.ckpt")
    assert_close(found, embed(folder, pairs[:2]))


def test_other_weights_in_the_same_folder_give_other_vectors(copy_of, folders, pairs, tmp_path):
    folder, cache = copy_of("x-vector"), tmp_path / "cache"
    old = embed(folder, pairs[:2], cache=cache)
    weights = torch.load(folder / "embedding_model.ckpt")
    torch.save({key: 1.5 * w for key, w in weights.items()}, folder / "embedding_model.ckpt")
    new = embed(folder, pairs[:2], cache=cache)
    assert not np.allclose(old, new)
    np.testing.assert_array_equal(embed(folder, pairs[:2]), new)
    np.testing.assert_array_equal(embed(folders["x-vector"], pairs[:2], cache=cache), old)


def test_the_key_names_weights_and_recipe_but_no_path(copy_of, folders):
    folder = copy_of("x-vector")
    identity = SpeechBrainEmbedder(str(folder))._identity()
    assert identity == SpeechBrainEmbedder(folders["x-vector"], batch_size=1)._identity()
    assert identity != SpeechBrainEmbedder(str(folder), max_seconds=3.0)._identity()
    with open(folder / "hyperparams.yaml", "a") as file:
        file.write("\nnote: 1\n")
    assert SpeechBrainEmbedder(str(folder))._identity() != identity


def test_the_key_names_layer_and_pooling_only_where_they_were_chosen(folders):
    def identity(**options):
        return SpeechBrainEmbedder(str(folders["ecapa"]), **options)._identity()

    assert set(identity()) == {"weights", "max_seconds", "dtype"}
    different = [
        *(identity(), identity(dtype="bfloat16"), identity(layer=0), identity(layer=1)),
        *(identity(layer="mean"), identity(layer=1, pooling="mean+std")),
    ]
    assert all(one not in different[:i] for i, one in enumerate(different))
    assert identity(layer=np.int64(1)) == identity(layer=1)
    assert type(identity(layer=np.int64(1))["layer"]) is int  # JSON takes no other


def test_cached_vectors_need_no_model(folders, pairs, tmp_path):
    vectors = embed(folders["x-vector"], pairs, cache=tmp_path)
    module.load_steps.cache_clear()
    np.testing.assert_array_equal(embed(folders["x-vector"], pairs, cache=tmp_path), vectors)
    assert module.load_steps.cache_info().currsize == 0


# -- what is refused ---------------------------------------------------------------------------


def _lose_a_weight(folder):
    weights = torch.load(folder / "embedding_model.ckpt")
    weights.pop("blocks.0.conv.weight")
    torch.save(weights, folder / "embedding_model.ckpt")


def _rewrite(old, new):
    def spoil(folder):
        text = (folder / "hyperparams.yaml").read_text()
        assert old in text
        (folder / "hyperparams.yaml").write_text(text.replace(old, new))

    return spoil


def _empty(folder):
    for file in folder.iterdir():
        file.unlink()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_empty, r"needs hyperparams\.yaml and embedding_model\.ckpt"),
        (lambda f: (f / "hyperparams.yaml").unlink(), r"no hyperparams\.yaml"),
        (lambda f: (f / "hyperparams.yaml").write_text("a: [1"), "not a folder of a speechbrain"),
        (lambda f: (f / "embedding_model.ckpt").unlink(), r"no embedding_model\.ckpt"),
        (lambda f: (f / "embedding_model.ckpt").write_bytes(b"x"), "not a folder of a speechbrain"),
        (_lose_a_weight, r"1 weights are not in the checkpoint.*blocks\.0\.conv\.weight"),
        (_rewrite("24, 24, 24, 24, 40", "24, 24, 24, 24, 41"), "not a folder of a speechbrain"),
        (
            _rewrite("    compute_features: !ref <compute_features>\n", ""),
            "has no compute_features",
        ),
        (_rewrite("\npretrainer:", "\nother:"), "has no pretrainer"),
        (
            _rewrite(
                "    embedding_model: !ref <embedding_model>\n        mean_var", "    mean_var"
            ),
            "no file",
        ),
        (_rewrite("Xvector.Xvector", "Xvector.Yvector"), "not a folder of a speechbrain"),
    ],
    ids=[
        *("empty", "no recipe", "broken recipe", "no weights", "broken weights", "a lost weight"),
        *("another width", "no features", "no pretrainer", "weights without file", "no such class"),
    ],
)
def test_a_folder_that_is_no_model_is_refused_in_one_line(copy_of, pairs, spoil, says):
    folder = copy_of("x-vector")
    spoil(folder)
    with pytest.raises(EmbedderError, match=says) as caught:
        embed(folder, pairs[:1])
    assert str(folder) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"batch_size": 0}, "batch"),
        ({"max_seconds": 0}, "max"),
        ({"layer": "first"}, "layer is 'first'"),
        ({"layer": 1.0}, r"layer is 1\.0"),
        ({"layer": 1, "pooling": "max"}, "pooling is 'max'"),
        ({"pooling": "mean+std"}, r"'mean\+std'.*no frames left"),
        ({"dtype": "float8"}, "dtype is 'float8'"),
    ],
)
def test_parameters_out_of_range_are_refused_by_fit(options, says):
    with pytest.raises(EmbedderError, match=says):
        SpeechBrainEmbedder("speechbrain/spkrec-xvect-voxceleb", **options).fit()


@pytest.mark.parametrize("name", MODELS)
def test_a_layer_that_there_is_not_is_refused_with_those_there_are(folders, name):
    n = len(WIDTHS[name])
    for layer in (n, -n - 1, 99):
        with pytest.raises(EmbedderError, match=f"layer is {layer};.* 0 to {n - 1}$"):
            SpeechBrainEmbedder(str(folders[name]), layer=layer).fit()


@pytest.mark.parametrize("call", ["fit", "transform"])
def test_without_speechbrain_the_extra_is_named(monkeypatch, call, pairs):
    monkeypatch.setitem(sys.modules, "speechbrain", None)
    with pytest.raises(MissingExtraError, match=r'pip install "sfmforensics\[xvector\]"') as caught:
        getattr(SpeechBrainEmbedder("speechbrain/spkrec-xvect-voxceleb"), call)(pairs[:1])
    assert caught.value.package == "speechbrain"


def test_a_speechbrain_that_cannot_be_imported_is_an_error_with_a_remedy(
    folders, monkeypatch, pairs
):
    from sfmforensics.embedders import _pooling

    def broken(name):
        raise ImportError("undefined symbol: torch_something\nand more")

    module.load_steps.cache_clear()
    monkeypatch.setattr(_pooling, "import_module", broken)
    with pytest.raises(EmbedderError, match=r"undefined symbol.*pip install --upgrade"):
        embed(folders["x-vector"], pairs[:1])


# -- the hub's cache, without the hub ----------------------------------------------------------


@pytest.fixture
def save_in_hub(monkeypatch, tmp_path):
    """``save_in_hub(folder, commit, branch)``: a folder becomes nobody/small-xvect, offline."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    _hub._of_hub.cache_clear()

    def save(folder, commit="0" * 40, branch="main"):
        repository = tmp_path / "hub" / "models--nobody--small-xvect"
        (repository / "refs").mkdir(parents=True, exist_ok=True)
        (repository / "refs" / branch).write_text(commit)
        return Path(shutil.copytree(folder, repository / "snapshots" / commit))

    yield save
    _hub._of_hub.cache_clear()


def _refused_by_the_hub(**options):
    with pytest.raises(EmbedderError) as caught:
        embed("nobody/small-xvect", [(np.sin(np.arange(RATE)), RATE)], **options)
    assert "hf download nobody/small-xvect" in str(caught.value)
    assert "HF_HUB_OFFLINE" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_hub_name_without_network_is_refused_with_the_remedy(folders, save_in_hub):
    _refused_by_the_hub()


def test_a_model_of_the_hubs_cache_is_used_like_a_folder(folders, save_in_hub, pairs):
    save_in_hub(folders["x-vector"], "0" * 40)
    vectors = embed("nobody/small-xvect", pairs[:2])
    np.testing.assert_array_equal(vectors, embed(folders["x-vector"], pairs[:2]))
    identity = SpeechBrainEmbedder("nobody/small-xvect")._identity()
    assert (identity["model"], identity["revision"]) == ("nobody/small-xvect", "0" * 40)


@pytest.mark.parametrize("name", ["embedding_model.ckpt", "hyperparams.yaml"])
def test_a_model_of_which_the_hubs_cache_lacks_a_file_is_refused_with_the_remedy(
    folders, save_in_hub, name
):
    (save_in_hub(folders["x-vector"]) / name).unlink()
    _refused_by_the_hub()


def test_a_revision_is_a_branch_or_a_commit(folders, copy_of, save_in_hub, pairs, tmp_path):
    folder = copy_of("x-vector")
    weights = torch.load(folder / "embedding_model.ckpt")
    torch.save({key: 1.5 * w for key, w in weights.items()}, folder / "embedding_model.ckpt")
    save_in_hub(folders["x-vector"], "0" * 40)
    save_in_hub(folder, "1" * 40, branch="other")
    expected = embed(folders["x-vector"], pairs[:2]), embed(folder, pairs[:2])
    assert not np.allclose(*expected)
    for revision, number in ((None, 0), ("main", 0), ("other", 1), ("1" * 40, 1), ("0" * 40, 0)):
        options = {"revision": revision, "cache": tmp_path / "cache"}
        for _ in range(2):
            vectors = embed("nobody/small-xvect", pairs[:2], **options)
            np.testing.assert_array_equal(vectors, expected[number])
        identity = SpeechBrainEmbedder("nobody/small-xvect", revision=revision)._identity()
        assert identity["revision"] == str(number) * 40
    _refused_by_the_hub(revision="third")


# -- a model may not bring code of its own -----------------------------------------------------

FOREIGN = {
    "apply": "!apply:os.mkdir [MARKER]",
    "apply a mapping": "!apply:os.mkdir {path: MARKER}",
    "apply to a reference": "!applyref:os.mkdir [MARKER]",
    "new": "!new:subprocess.Popen [[mkdir, MARKER]]",
    "new of the package": "!new:ours_to_import.Marker {}",
    "name": "!name:ours_to_import.Marker",
    "module": "!module:ours_to_import",
    "include": "!include:INCLUDED",
    "percent": "!%61pply:os.mkdir [MARKER]",
}
"""What hyperpyyaml would run while it reads; the marker is a folder that each would make."""

DETOURS = {
    "python's own tag": "!!python/object/apply:os.mkdir [MARKER]",
    "python's own tag in full": "!<tag:yaml.org,2002:python/object/apply:os.mkdir> [MARKER]",
    "tuple": "(!!python/object/apply:os.mkdir [MARKER])",
    "tuple by its tag": "!tuple (!!python/object/apply:os.mkdir [MARKER])",
    "new through torch": "!new:torch.nn.modules.module.torch.utils.collect_env.subprocess.Popen "
    "[[mkdir, MARKER]]",
}


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """Path of a folder that foreign code would make, and a module that makes it."""
    marker = tmp_path / "marker"
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "ours_to_import.py").write_text(
        f"import os\n\n\nclass Marker:\n    pass\n\n\nos.mkdir({str(marker)!r})\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "path"))
    yield marker
    sys.modules.pop("ours_to_import", None)


def _foreign(folder, marker, payload, place):
    """Put a payload into a recipe; its tag."""
    recipe = folder / "hyperparams.yaml"
    included = folder / "more.yaml"
    included.write_text(f"more: !apply:os.mkdir [{marker}]\n")
    payload = payload.replace("MARKER", str(marker)).replace("INCLUDED", str(included))
    text = recipe.read_text()
    last = "    classifier: !ref <classifier>\n\nlabel_encoder"
    assert last in text
    if place == "top":
        text += f"\nmore: {payload}\n"
    else:
        text = text.replace(
            last,
            f"    more:\n        deep: [1, 2]\n        deeper:\n            - {payload}\n{last}",
            1,
        )
    recipe.write_text(text)
    return payload.split(" ")[0].replace("%61", "a")


def _run_it_all_the_same(folder, marker):
    """Show that the payload would have done it, had it not been refused."""
    from hyperpyyaml import load_hyperpyyaml

    assert not marker.exists()
    with torch.random.fork_rng(), suppress(Exception):
        built = load_hyperpyyaml((folder / "hyperparams.yaml").read_text())
        with suppress(AttributeError):  # a process takes its time
            built["more"].wait()
    assert marker.exists()


@pytest.mark.parametrize("call", ["fit", "transform", "get_feature_names_out"])
@pytest.mark.parametrize("place", ["top", "modules"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_recipe_that_asks_for_other_code_is_refused_before_any_of_it_runs(
    copy_of, marker, pairs, kind, place, call
):
    folder = copy_of("x-vector")
    tag = _foreign(folder, marker, FOREIGN[kind], place)
    embedder = SpeechBrainEmbedder(str(folder), device="cpu")
    arguments = () if call == "get_feature_names_out" else (pairs[:1],)
    with pytest.raises(EmbedderError, match=r"its hyperparams\.yaml asks for") as caught:
        getattr(embedder, call)(*arguments)
    assert not marker.exists()
    assert f" {tag}," in str(caught.value)
    assert str(folder) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("payload", [*FOREIGN.values(), *DETOURS.values()])
def test_what_is_refused_would_have_run(copy_of, marker, payload):
    folder = copy_of("x-vector")
    _foreign(folder, marker, payload, "top")
    _run_it_all_the_same(folder, marker)


@pytest.mark.parametrize("kind", DETOURS)
def test_nor_may_a_recipe_reach_other_code_by_a_detour(copy_of, marker, pairs, kind):
    folder = copy_of("x-vector")
    _foreign(folder, marker, DETOURS[kind], "top")
    with pytest.raises(EmbedderError, match=r"hyperparams\.yaml"):
        embed(folder, pairs[:1], layer=0)
    assert not marker.exists()


@pytest.mark.parametrize("path", ["os.mkdir", "torch.nn.functional.torch.os.mkdir"])
def test_nor_may_it_name_a_function_that_the_network_would_call(copy_of, marker, pairs, path):
    folder = copy_of("x-vector")
    _rewrite("!name:torch.nn.LeakyReLU\n    tdnn", f"!name:{path} {{path: {marker}}}\n    tdnn")(
        folder
    )
    with pytest.raises(EmbedderError, match=rf"hyperparams\.yaml asks for !name:{path},"):
        embed(folder, pairs[:1])
    assert not marker.exists()


class _Foreign:
    """What runs code when it is unpickled."""

    def __init__(self, marker):
        self._marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self._marker),)


def _bare(content, file):
    file.write_bytes(pickle.dumps(content, protocol=2))


@pytest.mark.parametrize("save", [torch.save, _bare], ids=["torch", "pickle"])
@pytest.mark.parametrize("step", ["embedding_model", "mean_var_norm"])
def test_weights_that_would_run_code_are_refused_and_run_none(copy_of, marker, pairs, step, save):
    folder = copy_of("x-vector")
    _rewrite("  loadables:\n", "  loadables:\n        mean_var_norm: !ref <mean_var_norm>\n")(
        folder
    )
    weights = torch.load(folder / "embedding_model.ckpt")
    save({**weights, "more": _Foreign(marker)}, folder / f"{step}.ckpt")
    with pytest.raises(EmbedderError, match="not a folder of a speechbrain model") as caught:
        embed(folder, pairs[:1])
    assert not marker.exists()
    assert len(str(caught.value).splitlines()) == 1
    if save is torch.save:  # it would have
        torch.load(folder / f"{step}.ckpt", weights_only=False)
    else:
        pickle.loads((folder / f"{step}.ckpt").read_bytes())
    assert marker.exists()
