"""A small x-vector and a small ECAPA-TDNN with random weights, in folders as the hub's are."""

import os
import shutil
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from sfmforensics.embedders import SpeechBrainEmbedder
from sfmforensics.embedders import _sb_load as module
from sfmforensics.exceptions import AudioError, EmbedderError, MissingExtraError

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


def library_vector(folder, signal, savedir):
    """What SpeechBrain's own `encode_batch` gives, its noise set to nothing."""
    from speechbrain.inference.classifiers import EncoderClassifier
    from speechbrain.nnet.pooling import StatisticsPooling

    whole = EncoderClassifier.from_hparams(
        source=str(folder), savedir=str(savedir), overrides={"pretrained_path": str(folder)}
    )
    for part in whole.modules():
        if isinstance(part, StatisticsPooling):
            part._get_gauss_noise = lambda shape, device="cpu": torch.zeros(shape, device=device)
    return whole.encode_batch(torch.from_numpy(signal)).reshape(-1).numpy()


# -- the vector is the library's, whatever the company, the order and the run ------------------


@pytest.mark.parametrize("name", MODELS)
def test_vectors_are_speechbrains_own_without_its_noise(
    folders, name, signals, pairs, tmp_path, assert_close
):
    vectors = embed(folders[name], pairs)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(pairs), MODELS[name][1])
    with torch.random.fork_rng():
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
    edges = np.array([0, 42, 84]) * 320  # 126 frames of 20 ms, in three
    pieces = [signal[a:b] for a, b in zip(edges, [*edges[1:], None], strict=True)]
    vectors = np.concatenate([embed(folders[name], [(piece, RATE)]) for piece in pieces])
    assert_close(found[0], np.average(vectors, axis=0, weights=[len(p) for p in pieces]))
    assert not np.allclose(found[0], embed(folders[name], [(signal, RATE)])[0], rtol=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_the_shortest_recordings_work_and_shorter_ones_are_refused(folders, name, voice):
    assert np.isfinite(embed(folders[name], [(voice(0.04), RATE)])).all()
    with pytest.raises(AudioError, match="40 ms"):
        embed(folders[name], [(voice(0.039), RATE)])


# -- loading -----------------------------------------------------------------------------------


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
    assert module.declared_dimension(text) == 24


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


def test_a_hub_name_without_network_is_refused_with_the_remedy(folders, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(EmbedderError) as caught:
        SpeechBrainEmbedder("nobody/no-such-model").fit()
    assert "hf download nobody/no-such-model" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_model_of_the_hubs_cache_is_used_like_a_folder(folders, monkeypatch, tmp_path, pairs):
    """The layout of the hub's cache, without the hub."""
    commit = "0" * 40
    repository = tmp_path / "hub" / "models--nobody--small-xvect"
    shutil.copytree(folders["x-vector"], repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    vectors = embed("nobody/small-xvect", pairs[:2])
    np.testing.assert_array_equal(vectors, embed(folders["x-vector"], pairs[:2]))
    identity = SpeechBrainEmbedder("nobody/small-xvect")._identity()
    assert (identity["model"], identity["revision"]) == ("nobody/small-xvect", commit)


@pytest.mark.parametrize(
    ("options", "says"), [({"batch_size": 0}, "batch"), ({"max_seconds": 0}, "max")]
)
def test_parameters_out_of_range_are_refused_by_fit(options, says):
    with pytest.raises(EmbedderError, match=says):
        SpeechBrainEmbedder("speechbrain/spkrec-xvect-voxceleb", **options).fit()


@pytest.mark.parametrize("call", ["fit", "transform"])
def test_without_speechbrain_the_extra_is_named(monkeypatch, call, pairs):
    monkeypatch.setitem(sys.modules, "speechbrain", None)
    with pytest.raises(MissingExtraError, match=r'pip install "sfmforensics\[xvector\]"') as caught:
        getattr(SpeechBrainEmbedder("speechbrain/spkrec-xvect-voxceleb"), call)(pairs[:1])
    assert caught.value.package == "speechbrain"


def test_a_speechbrain_that_cannot_be_imported_is_an_error_with_a_remedy(
    folders, monkeypatch, pairs
):
    from sfmforensics.embedders import _common

    def broken(name):
        raise ImportError("undefined symbol: torch_something\nand more")

    module.load_steps.cache_clear()
    monkeypatch.setattr(_common, "import_module", broken)
    with pytest.raises(EmbedderError, match=r"undefined symbol.*pip install --upgrade"):
        embed(folders["x-vector"], pairs[:1])
