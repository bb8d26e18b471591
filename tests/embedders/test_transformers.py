"""Small models with random weights, of the real classes, against the library's own forward pass."""

import json
import os
import shutil
import socket
import warnings
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from transformers.modeling_outputs import BaseModelOutput

from sfmforensics.audio import read_audio
from sfmforensics.embedders import TransformersEmbedder, _hub
from sfmforensics.embedders import _hf_checkpoints as module
from sfmforensics.exceptions import EmbedderError

pytestmark = pytest.mark.slow

RATE = 16_000
SHARED = Path(__file__).resolve().parents[2].parent / "shared"
TINY = SHARED / "models" / "whisper-tiny.en"
BAVED = SHARED / "data" / "baved"

# Kernels, strides and the number of convolutions are the real ones; only widths are small.
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 32,
    "num_conv_pos_embedding_groups": 4,
    "initializer_range": 0.2,  # so large that attention looks at something
}
GROUP = {"feat_extract_norm": "group"}
LAYER = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}

# name: configuration, options of it, and whether the real checkpoint's extractor normalises
WAVEFORM = {
    "wav2vec2": (hf.Wav2Vec2Config, GROUP, True),
    "xls-r": (hf.Wav2Vec2Config, LAYER, True),
    "mms": (hf.Wav2Vec2Config, LAYER | {"adapter_attn_dim": 8}, True),
    "wavlm": (hf.WavLMConfig, GROUP, False),
    "wavlm-large": (hf.WavLMConfig, LAYER, True),
    "unispeech-sat": (hf.UniSpeechSatConfig, GROUP, False),
    "unispeech": (hf.UniSpeechConfig, LAYER, True),
    "hubert": (hf.HubertConfig, GROUP, True),
    "hubert-large": (hf.HubertConfig, LAYER, True),
    "data2vec-audio": (
        hf.Data2VecAudioConfig,
        {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 19},
        True,
    ),
    "conformer": (
        hf.Wav2Vec2ConformerConfig,
        LAYER | {"position_embeddings_type": "relative", "conv_depthwise_kernel_size": 15},
        True,
    ),
}
WHISPER = {"whisper": 80, "whisper-large": 128}  # mel bands
EVERY = [*WAVEFORM, *WHISPER, "wav2vec2-bert"]


def save_waveform_model(folder, config, options, do_normalize):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = hf.AutoModel.from_config(config(**SMALL | options))
        for name, weight in model.named_parameters():
            # Biases start at 0, where normalisation would undo much of what a mistake does.
            if name.endswith("bias"):
                torch.nn.init.normal_(weight, std=0.1)
    model.save_pretrained(folder)
    hf.Wav2Vec2FeatureExtractor(
        do_normalize=do_normalize,
        return_attention_mask=options.get("feat_extract_norm") == "layer",
    ).save_pretrained(folder)


def save_whisper(folder, n_mels):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = hf.WhisperConfig(
            num_mel_bins=n_mels,
            d_model=32,
            encoder_layers=2,
            decoder_layers=1,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=48,
            decoder_ffn_dim=48,
            vocab_size=60,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=3,
            init_std=0.2,
        )
        hf.WhisperModel(config).save_pretrained(folder)
    hf.WhisperFeatureExtractor(feature_size=n_mels).save_pretrained(folder)


def save_wav2vec2_bert(folder):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = hf.Wav2Vec2BertConfig(
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=48,
            conv_depthwise_kernel_size=15,
            initializer_range=0.2,
        )
        hf.Wav2Vec2BertModel(config).save_pretrained(folder)
    hf.SeamlessM4TFeatureExtractor().save_pretrained(folder)


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Folders of all models, by name."""
    root = tmp_path_factory.mktemp("models")
    for name, (config, options, do_normalize) in WAVEFORM.items():
        save_waveform_model(root / name, config, options, do_normalize)
    for name, n_mels in WHISPER.items():
        save_whisper(root / name, n_mels)
    save_wav2vec2_bert(root / "wav2vec2-bert")
    return {name: root / name for name in EVERY}


@pytest.fixture(scope="session")
def expected(folders, signals):
    """``expected(name)``: vectors of all signals, by the library alone."""
    return cache(lambda name: library_vectors(folders[name], signals))


@pytest.fixture
def copy_of(folders, tmp_path):
    """``copy_of(name)``: the folder of a model, to be spoilt."""

    def copy(name):
        return Path(shutil.copytree(folders[name], tmp_path / name))

    return copy


@cache
def library_model(folder):
    model = hf.AutoModel.from_pretrained(folder, dtype=torch.float32)
    return model.eval(), hf.AutoFeatureExtractor.from_pretrained(folder)


def library_states(folder, signal):
    """All hidden states over the real frames of one recording: what the library itself does."""
    model, extractor = library_model(folder)
    inputs = extractor(signal, sampling_rate=RATE, return_tensors="pt")
    with torch.no_grad():
        if model.config.model_type == "whisper":
            output = model.encoder(inputs.input_features, output_hidden_states=True)
            frames = int(np.ceil(len(signal) / 320))
        elif model.config.model_type == "wav2vec2-bert":
            output = model(**inputs, output_hidden_states=True)
            frames = int(inputs.attention_mask.sum())
        else:
            output = model(inputs.input_values, output_hidden_states=True)
            frames = output.last_hidden_state.shape[1]
    states = [output.last_hidden_state, *output.hidden_states]
    return [state[0, :frames].double().numpy() for state in states]


def library_vectors(folder, signals):
    return np.stack([library_states(folder, signal)[0].mean(axis=0) for signal in signals])


def embed(folder, recordings, **options):
    return TransformersEmbedder(str(folder), device="cpu", **options).fit_transform(recordings)


# -- the vector is the library's, whatever the company -----------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_vectors_are_those_of_an_unbatched_forward_pass(
    folders, name, expected, pairs, assert_close
):
    vectors = embed(folders[name], pairs)
    assert vectors.shape == (len(pairs), 32)
    assert vectors.dtype == np.float32
    assert_close(vectors, expected(name))


@pytest.mark.parametrize("name", EVERY)
def test_vectors_do_not_depend_on_the_batch(folders, name, pairs, assert_close):
    alone = embed(folders[name], pairs, batch_size=1)
    assert_close(embed(folders[name], pairs, batch_size=8), alone)
    order = [4, 3, 2, 0]
    assert_close(embed(folders[name], [pairs[i] for i in order], batch_size=3), alone[order])


LAYER_NORM = ("xls-r", "mms", "wavlm-large", "unispeech", "hubert-large")


@pytest.mark.parametrize("name", LAYER_NORM)
def test_with_layer_norm_padding_of_any_length_reaches_no_real_frame(
    folders, name, pairs, assert_close, expected, monkeypatch
):
    """Far beyond the 10 % that share a batch in earnest, and on a CPU none do."""
    monkeypatch.setattr("sfmforensics.embedders._hf_states.batch_key", lambda *_: "any")
    assert_close(embed(folders[name], pairs, batch_size=8), expected(name))


@pytest.mark.parametrize("name", EVERY)
def test_recordings_share_a_forward_pass_where_the_model_allows_it(folders, name, signals):
    a = signals[0]
    for device in ("cpu", "cuda"):
        key = TransformersEmbedder(str(folders[name]), device=device)._batch_key
        assert key(a) == key(signals[3])
        # Layer norm allows padding, but it costs: none on a CPU, elsewhere up to a tenth.
        padded = name in LAYER_NORM and device == "cuda"
        assert (key(a) == key(a[:-300])) == (padded or name in WHISPER)
        assert (key(a) == key(a[: len(a) // 2])) == (name in WHISPER)


@pytest.mark.parametrize(("name", "limit"), [("wav2vec2", 6), ("xls-r", 6), ("whisper", 1)])
def test_a_batch_on_a_cpu_is_no_larger_than_pays(folders, name, limit, voice):
    signal = voice(2.5)
    for device, most in (("cpu", limit), ("cuda", 50)):
        embedder = TransformersEmbedder(str(folders[name]), device=device, batch_size=50)
        assert embedder._batch_limit(signal) == most
    assert TransformersEmbedder(folders[name], batch_size=1)._batch_limit(signal) == 1


@pytest.mark.parametrize("name", ["wav2vec2", "xls-r", "wavlm", "whisper"])
def test_runs_are_alike_and_leave_torchs_generator_alone(folders, name, pairs):
    module.load_network.cache_clear()
    before = torch.get_rng_state()
    pairs = pairs[:3]
    first = embed(folders[name], pairs)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(123)
    torch.rand(5)
    module.load_network.cache_clear()
    np.testing.assert_array_equal(embed(folders[name], pairs), first)


def test_loudness_matters_only_if_the_checkpoint_does_not_normalise(folders, pairs, assert_close):
    quieter = [(0.5 * signal, rate) for signal, rate in pairs]
    for name, normalises in (("xls-r", True), ("wavlm", False)):
        vectors, others = embed(folders[name], pairs), embed(folders[name], quieter)
        if normalises:
            assert_close(others, vectors, rtol=2e-3)  # up to the 1e-7 beside the variance
        else:
            assert np.abs(others - vectors).max() > 2e-2 * np.abs(vectors).max()


# -- layers and pooling ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["wav2vec2", "xls-r", "whisper", "wav2vec2-bert"])
def test_layers(folders, name, signals, pairs, assert_close):
    _, *hidden = library_states(folders[name], signals[1])
    assert len(hidden) == 3
    for layer in (0, 1, 2, -1, -2, np.int64(1)):
        found = embed(folders[name], pairs[:2], layer=layer)[1]
        assert_close(found, hidden[layer].mean(axis=0))
    found = embed(folders[name], pairs[:2], layer="all", pooling="mean+std")[1]
    side_by_side = np.concatenate(hidden, axis=1)
    assert_close(found, np.concatenate([side_by_side.mean(axis=0), side_by_side.std(axis=0)]))
    found = embed(folders[name], pairs[:2], layer="mean")[1]
    assert_close(found, np.mean(hidden, axis=0).mean(axis=0))


@pytest.mark.parametrize("name", ["wav2vec2", "xls-r", "whisper"])
def test_mean_and_deviation(folders, name, signals, pairs, assert_close):
    states = library_states(folders[name], signals[1])[0]
    found = embed(folders[name], pairs[:3], pooling="mean+std")[1]
    assert found.shape == (64,)
    assert_close(found[:32], states.mean(axis=0))
    assert_close(found[32:], states.std(axis=0))


# -- long recordings ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["wav2vec2", "xls-r", "wav2vec2-bert"])
def test_a_long_recording_is_the_frame_weighted_mean_of_its_pieces(
    folders, name, voice, assert_close
):
    signal = voice(3.31, seed=7)
    vector = embed(folders[name], [(signal, RATE)], max_seconds=1.5, pooling="mean+std")
    frames = -(-len(signal) // 320)
    edges = np.array([0, frames // 3, 2 * frames // 3]) * 320
    pieces = [signal[a:b] for a, b in zip(edges, [*edges[1:], None], strict=True)]
    assert max(len(piece) for piece in pieces) <= 1.5 * RATE
    states = np.concatenate([library_states(folders[name], piece)[0] for piece in pieces])
    assert_close(vector[0], np.concatenate([states.mean(axis=0), states.std(axis=0)]))


def test_whisper_hears_a_long_recording_to_its_end(folders, voice, assert_close):
    # One sample short of a minute: two pieces, neither longer than the window of 30 s.
    signal = voice(60, seed=3)[:-1]
    found = embed(folders["whisper"], [(signal, RATE)])
    halves = [library_states(folders["whisper"], half)[0] for half in np.split(signal, [480_000])]
    assert [len(half) for half in halves] == [1_500, 1_500]
    assert_close(found[0], np.concatenate(halves).mean(axis=0))


@pytest.mark.parametrize("name", ["wav2vec2", "xls-r"])
def test_long_and_short_recordings_in_one_call(folders, name, voice, pairs, assert_close):
    mixed = [*pairs, (voice(2.4), RATE), (voice(1.01), RATE), (voice(2.4, seed=5), RATE)]
    alone = np.concatenate([embed(folders[name], [one], max_seconds=1.005) for one in mixed])
    assert_close(embed(folders[name], mixed, max_seconds=1.005), alone)


# -- Whisper's window --------------------------------------------------------------------------


def states_of_window(folder, signal, frames):
    """By the library's own encoder, built for a window of so many frames: all hidden states."""
    whole, extractor = library_model(folder)
    config = hf.WhisperConfig.from_pretrained(folder)
    config.max_source_positions = frames
    with torch.random.fork_rng():
        encoder = type(whole.encoder)(config).eval()
    weights = whole.encoder.state_dict()
    weights["embed_positions.weight"] = weights["embed_positions.weight"][:frames]
    encoder.load_state_dict(weights)
    mel = extractor(signal, sampling_rate=RATE, return_tensors="pt").input_features
    with torch.no_grad():
        output = encoder(mel[..., : 2 * frames], output_hidden_states=True)
    real = -(-len(signal) // 320)
    return [state[0, :real].numpy() for state in (output.last_hidden_state, *output.hidden_states)]


@pytest.mark.parametrize(("window", "least"), [("signal", 1), (0.9, 45), (2, 100)])
@pytest.mark.parametrize("name", WHISPER)
def test_a_shorter_window_is_the_librarys_encoder_with_fewer_positions(
    folders, name, window, least, signals, pairs, assert_close
):
    found = embed(folders[name], pairs, window=window)
    layers = embed(folders[name], pairs, window=window, layer=1, pooling="mean+std")
    for vector, of_layer, signal in zip(found, layers, signals, strict=True):
        last, _, first, _ = states_of_window(
            folders[name], signal, max(least, -(-len(signal) // 320))
        )
        assert_close(vector, last.mean(axis=0))
        assert_close(of_layer, np.concatenate([first.mean(axis=0), first.std(axis=0)]))
    assert_close(embed(folders[name], pairs, window=window, batch_size=1), found)


def test_a_window_of_30_seconds_is_the_full_one_and_shorter_ones_are_not(
    folders, pairs, voice, assert_close
):
    full = embed(folders["whisper"], pairs)
    assert_close(embed(folders["whisper"], pairs, window=30.0), full)
    shorter = embed(folders["whisper"], pairs, window="signal")
    assert np.abs(shorter - full).max() > 1e-3 * np.abs(full).max()
    assert_close(embed(folders["whisper"], pairs), full)  # the network that is shared is unharmed
    long = [(voice(30, seed=1), RATE)]
    whole = embed(folders["whisper"], long)
    assert_close(embed(folders["whisper"], long, window="signal"), whole)


@pytest.mark.parametrize("window", ["half", 0, -1, 31, None, True])
def test_other_windows_are_refused(folders, window):
    with pytest.raises(EmbedderError, match="window is"):
        TransformersEmbedder(str(folders["whisper"]), window=window).fit()


def test_a_window_is_whispers_alone(folders):
    with pytest.raises(EmbedderError, match="leave it at"):
        TransformersEmbedder(str(folders["wav2vec2"]), window="signal").fit()


def test_the_window_is_part_of_the_key_and_the_full_one_as_it_was(folders):
    def key(**options):
        return json.dumps(TransformersEmbedder(folders["whisper"], **options)._identity())

    assert key() == key(window="full")
    assert "window" not in key()
    assert len({key(), key(window="signal"), key(window=4), key(window=8)}) == 4
    assert key(window=4) == key(window=np.float64(4.0))


# -- weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["wav2vec2", "xls-r", "wavlm", "whisper", "wav2vec2-bert"])
def test_shorter_numbers_give_nearly_the_same_vectors(folders, name, dtype, pairs):
    full, short = (embed(folders[name], pairs, dtype=d) for d in ("float32", dtype))
    assert short.dtype == np.float32
    apart = np.abs(short - full).max() / np.abs(full).max()
    assert 1e-6 < apart < 5e-2
    keys = {
        str(TransformersEmbedder(folders[name], dtype=d)._identity()) for d in ("float32", dtype)
    }
    assert len(keys) == 2


@pytest.mark.parametrize("name", ["wav2vec2", "wav2vec2-bert"])
def test_an_adapter_behind_the_encoder_is_left_out(copy_of, folders, name, pairs, assert_close):
    """Fine-tuning for text puts one there: it thins out the frames, and is not the model's own."""
    folder = copy_of(name)
    body = hf.AutoModel.from_pretrained(folder)
    body.config.add_adapter = True
    with torch.random.fork_rng():
        whole = hf.AutoModel.from_config(body.config)
    whole.load_state_dict(body.state_dict(), strict=False)
    whole.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["add_adapter"]
    assert_close(embed(folder, pairs[:2]), embed(folders[name], pairs[:2]))
    assert TransformersEmbedder(folder)._identity()["adapter"] == "left out"


@pytest.mark.parametrize("name", ["xls-r", "whisper"])
def test_a_float16_checkpoint_is_computed_in_float32(copy_of, name, signals, pairs, assert_close):
    signals, pairs = signals[:2], pairs[:2]
    folder = copy_of(name)
    hf.AutoModel.from_pretrained(folder, dtype=torch.float16).save_pretrained(folder)
    stored = load_file(folder / "model.safetensors")
    assert {weight.dtype for weight in stored.values()} == {torch.float16}
    vectors = embed(folder, pairs)
    assert vectors.dtype == np.float32
    assert_close(vectors, library_vectors(folder, signals))


@pytest.mark.parametrize("name", ["wav2vec2", "xls-r", "wavlm", "whisper"])
def test_a_checkpoint_that_lacks_weights_is_refused(copy_of, name, pairs):
    folder = copy_of(name)
    weights = load_file(folder / "model.safetensors")
    lost = next(key for key in weights if "layers.1" in key and key.endswith("q_proj.weight"))
    del weights[lost]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EmbedderError, match=r"not in the checkpoint.*q_proj"):
        embed(folder, pairs)


@pytest.mark.parametrize("name", ["wav2vec2", "xls-r"])
def test_the_mask_of_pre_training_may_be_missing(copy_of, name, pairs, folders):
    folder = copy_of(name)
    weights = load_file(folder / "model.safetensors")
    weights.pop("masked_spec_embed", None)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    np.testing.assert_array_equal(embed(folder, pairs[:2]), embed(folders[name], pairs[:2]))


def test_a_model_with_a_head_gives_the_vectors_of_its_body(copy_of, folders, pairs):
    folder = copy_of("wav2vec2")
    body = hf.Wav2Vec2Model.from_pretrained(folder)
    with torch.random.fork_rng():
        whole = hf.Wav2Vec2ForCTC(body.config)
    whole.wav2vec2 = body
    whole.save_pretrained(folder)
    np.testing.assert_array_equal(embed(folder, pairs[:2]), embed(folders["wav2vec2"], pairs[:2]))


def test_other_weights_in_the_same_folder_give_other_vectors(copy_of, folders, pairs, tmp_path):
    """Also in one process, and although vectors of the old weights are cached."""
    folder, cache = copy_of("wav2vec2"), tmp_path / "cache"
    old = embed(folder, pairs[:2], cache=cache)
    weights = load_file(folder / "model.safetensors")
    changed = {key: weight * 1.5 for key, weight in weights.items()}
    save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})
    new = embed(folder, pairs[:2], cache=cache)
    assert not np.allclose(old, new)
    np.testing.assert_array_equal(embed(folder, pairs[:2]), new)
    np.testing.assert_array_equal(embed(folders["wav2vec2"], pairs[:2], cache=cache), old)
    assert len(list(cache.iterdir())) == 2


# -- the cache's key ---------------------------------------------------------------------------


def test_copies_and_links_of_a_folder_share_their_vectors(copy_of, folders, tmp_path):
    identity = TransformersEmbedder(str(folders["wav2vec2"]))._identity()
    assert TransformersEmbedder(str(copy_of("wav2vec2")))._identity() == identity
    (tmp_path / "link").symlink_to(folders["wav2vec2"])
    assert TransformersEmbedder(str(tmp_path / "link"))._identity() == identity
    assert TransformersEmbedder(folders["wav2vec2"], batch_size=1)._identity() == identity


def test_the_key_is_the_hash_of_weights_configuration_and_preprocessing(folders):
    """Spelt out, because a change would make every user's cache worthless."""
    from hashlib import sha256

    lines = [
        f"{name}\0{sha256((folders['wavlm'] / name).read_bytes()).hexdigest()}\n"
        for name in ("config.json", "model.safetensors", "preprocessor_config.json")
    ]
    assert TransformersEmbedder(str(folders["wavlm"]))._identity() == {
        "weights": sha256("".join(lines).encode()).hexdigest(),
        "layer": "last",
        "pooling": "mean",
        "max_seconds": 30.0,
        "dtype": "float32",
    }


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
def test_configuration_is_part_of_the_key(copy_of, file):
    folder = copy_of("wavlm")
    before = TransformersEmbedder(str(folder))._identity()
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(content | {"note": "changed"}))
    assert TransformersEmbedder(str(folder))._identity() != before


def test_integers_of_numpy_are_integers(folders):
    plain, grid = (TransformersEmbedder(folders["wavlm"], layer=i(1)) for i in (int, np.int64))
    assert json.dumps(plain._identity()) == json.dumps(grid._identity())


@pytest.mark.parametrize("options", [{"layer": 1}, {"pooling": "mean+std"}, {"max_seconds": 1.2}])
def test_what_changes_vectors_changes_the_key(folders, options):
    plain = TransformersEmbedder(str(folders["wavlm"]))
    assert plain._identity() != TransformersEmbedder(str(folders["wavlm"]), **options)._identity()


def test_cached_vectors_are_those_computed(folders, pairs, tmp_path):
    for name in ("wav2vec2", "whisper"):
        computed = embed(folders[name], pairs[:2], cache=tmp_path)
        module.load_network.cache_clear()
        np.testing.assert_array_equal(embed(folders[name], pairs[:2], cache=tmp_path), computed)
        assert module.load_network.cache_info().currsize == 0  # the model was not even loaded


# -- what is refused ---------------------------------------------------------------------------


def test_an_architecture_that_is_no_speech_model_is_refused(tmp_path, pairs):
    hf.BertConfig(hidden_size=32, num_hidden_layers=1).save_pretrained(tmp_path)
    with pytest.raises(EmbedderError, match=r"'bert'.*whisper.*CallableEmbedder"):
        embed(tmp_path, pairs)


def _no_files(folder):
    for file in folder.iterdir():
        file.unlink()


def _cut_weights(folder):
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])


def _other_width(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 64}))


@pytest.mark.parametrize(
    "spoil",
    [
        _no_files,
        lambda folder: (folder / "config.json").unlink(),
        lambda folder: (folder / "config.json").write_text("{"),
        lambda folder: (folder / "preprocessor_config.json").unlink(),
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "model.safetensors").write_bytes(b""),
        _cut_weights,
        _other_width,
    ],
    ids=[
        *("empty", "no config", "broken config", "no extractor"),
        *("no weights", "empty weights", "cut weights", "weights of another model"),
    ],
)
def test_a_folder_that_is_no_model_is_refused_in_one_line(copy_of, pairs, spoil):
    folder = copy_of("wavlm")
    spoil(folder)
    with pytest.raises(EmbedderError) as caught:
        embed(folder, pairs)
    assert str(folder) in str(caught.value)
    assert "config.json" in str(caught.value)  # what a folder needs
    assert len(str(caught.value).splitlines()) == 1


def test_a_model_of_another_rate_is_refused(copy_of, pairs):
    folder = copy_of("wavlm")
    extractor = json.loads((folder / "preprocessor_config.json").read_text())
    extractor["sampling_rate"] = 8_000
    (folder / "preprocessor_config.json").write_text(json.dumps(extractor))
    with pytest.raises(EmbedderError, match="8000 Hz"):
        embed(folder, pairs)


# -- the hub, and what it must not do ----------------------------------------------------------


@pytest.fixture
def no_network(monkeypatch):
    """Whoever looks for another machine fails the test."""

    def fail(*args, **kwargs):
        pytest.fail(f"the network was touched: {args}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, fail, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    monkeypatch.setattr(socket, "create_connection", fail)


@pytest.fixture
def hub(monkeypatch, tmp_path, folders):
    """``hub(name)``: put a model into an empty cache of the hub, as nobody/NAME."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    _hub._of_hub.cache_clear()

    def put(name, commit="0" * 40, branch="main", leave_out=()):
        repository = tmp_path / "hub" / f"models--nobody--{name}"
        (repository / "refs").mkdir(parents=True, exist_ok=True)
        (repository / "refs" / branch).write_text(commit)
        folder = repository / "snapshots" / commit
        shutil.copytree(folders[name], folder, ignore=lambda *_: leave_out)
        return f"nobody/{name}"

    yield put
    _hub._of_hub.cache_clear()


@pytest.mark.parametrize("name", ["wav2vec2", "xls-r", "whisper", "wav2vec2-bert"])
def test_offline_a_folder_is_all_that_is_needed(
    copy_of, name, pairs, no_network, monkeypatch, folders
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    folder = copy_of(name)
    np.testing.assert_array_equal(embed(folder, pairs[:1]), embed(folders[name], pairs[:1]))


def test_a_model_of_the_hubs_cache_is_used_as_it_is(hub, folders, pairs, no_network):
    """Also where there is a network: nobody is asked whether there is a newer one."""
    model = hub("wavlm")
    np.testing.assert_array_equal(embed(model, pairs[:2]), embed(folders["wavlm"], pairs[:2]))
    identity = TransformersEmbedder(model)._identity()
    assert (identity["model"], identity["revision"]) == (model, "0" * 40)


def test_a_revision_is_a_branch_or_a_commit(hub, no_network):
    hub("wavlm")
    model = hub("wavlm", commit="1" * 40, branch="other")
    for revision, commit in ((None, "0"), ("other", "1"), ("0" * 40, "0"), ("1" * 40, "1")):
        identity = TransformersEmbedder(model, revision=revision)._identity()
        assert identity["revision"] == commit * 40


@pytest.mark.parametrize("lost", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_cache_that_lacks_a_file_does_not_do_offline(hub, monkeypatch, lost):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    model = hub("wavlm", leave_out=[lost])
    with pytest.raises(EmbedderError, match=f"HF_HUB_OFFLINE is set.*hf download {model}"):
        TransformersEmbedder(model).fit()


@pytest.mark.parametrize(
    ("weights", "fetched"),
    [
        (["model.safetensors", "pytorch_model.bin", "tf_model.h5"], ["model.safetensors"]),
        (["pytorch_model.bin", "flax_model.msgpack"], ["pytorch_model.bin"]),
        (
            [
                *(f"model-0000{i}-of-00002.safetensors" for i in (1, 2)),
                *("model.safetensors.index.json", "pytorch_model.bin"),
            ],
            [
                *("model.safetensors.index.json",),
                *(f"model-0000{i}-of-00002.safetensors" for i in (1, 2)),
            ],
        ),
    ],
    ids=["safetensors", "bin", "in parts"],
)
def test_of_a_model_of_the_hub_only_one_copy_of_the_weights_is_fetched(
    hub, monkeypatch, weights, fetched
):
    names = ["README.md", "config.json", "preprocessor_config.json", "vocab.json", *weights]
    asked = []

    def info(self, model, *, revision, timeout):
        assert (model, revision) == ("nobody/wavlm", None)
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in names])

    def download(model, name, *, revision):
        asked.append(name)
        if name == fetched[-1]:  # as the hub's client leaves its cache
            hub("wavlm")
            cache = Path(huggingface_hub.constants.HF_HUB_CACHE)
            for extra in fetched:
                (cache / "models--nobody--wavlm" / "snapshots" / ("0" * 40) / extra).touch()

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", info)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert TransformersEmbedder("nobody/wavlm")._identity()["revision"] == "0" * 40
    assert asked == ["config.json", "preprocessor_config.json", *fetched]


@pytest.mark.parametrize("error", [OSError("no route to host"), RuntimeError("out of order")])
def test_without_an_answer_of_the_hub_the_remedy_is_named_at_once(hub, monkeypatch, error):
    def info(self, model, **options):
        raise error

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", info)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_, **__: pytest.fail("tried"))
    with pytest.raises(EmbedderError, match=str(error)) as caught:
        TransformersEmbedder("nobody/no-such-model").fit()
    assert "hf download nobody/no-such-model" in str(caught.value)
    assert "local folder" in str(caught.value)


def test_a_hub_name_offline_is_refused_with_the_remedy(hub, monkeypatch, no_network):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for call in (TransformersEmbedder.fit, TransformersEmbedder.get_feature_names_out):
        with pytest.raises(EmbedderError) as caught:
            call(TransformersEmbedder("nobody/no-such-model"))
        assert "hf download nobody/no-such-model" in str(caught.value)
        assert "local folder" in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


class Burglar:
    """Pickled, it makes a folder when it is loaded."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def test_weights_that_were_pickled_are_loaded(copy_of, folders, pairs):
    folder = copy_of("wavlm")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    np.testing.assert_array_equal(embed(folder, pairs[:1]), embed(folders["wavlm"], pairs[:1]))


def test_code_in_pickled_weights_is_not_run(copy_of, pairs, tmp_path):
    folder, marker = copy_of("wavlm"), tmp_path / "was here"
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights | {"burglar": Burglar(marker)}, folder / "pytorch_model.bin")
    with pytest.raises(EmbedderError) as caught:
        embed(folder, pairs[:1])
    assert str(folder) in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize("kind", ["wav2vec2", "burglar"])
def test_code_that_a_checkpoint_brings_is_neither_run_nor_asked_about(
    copy_of, folders, kind, pairs, tmp_path, monkeypatch
):
    folder, marker = copy_of("wav2vec2"), tmp_path / "was here"
    (folder / "burglar.py").write_text(f"import os\nos.mkdir({str(marker)!r})\n")
    for file, names in (
        ("config.json", ("AutoConfig", "AutoModel")),
        ("preprocessor_config.json", ("AutoFeatureExtractor",)),
    ):
        content = json.loads((folder / file).read_text())
        content["auto_map"] = dict.fromkeys(names, "burglar.Burglar")
        if file == "config.json":
            content["model_type"] = kind
        (folder / file).write_text(json.dumps(content))
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("the user was asked"))
    if kind == "wav2vec2":
        np.testing.assert_array_equal(embed(folder, pairs[:1]), embed(folders[kind], pairs[:1]))
    else:
        with pytest.raises(EmbedderError, match="architecture 'burglar'"):
            embed(folder, pairs[:1])
    assert not marker.exists()


def test_a_torchaudio_that_does_not_match_torch_is_named(copy_of, pairs, monkeypatch):
    def broken(*args, **options):
        raise ModuleNotFoundError("Could not import module 'WavLMModel'.")

    monkeypatch.setattr(hf.AutoModel, "from_pretrained", broken)
    with pytest.raises(EmbedderError, match=r"'WavLMModel'.*torchaudio"):
        embed(copy_of("wavlm"), pairs[:1])


# -- parameters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"pooling": "max"}, "pooling"),
        ({"layer": "first"}, "layer"),
        ({"layer": 1.5}, "layer"),
        ({"batch_size": 0}, "batch_size"),
        ({"max_seconds": 31}, "1 to 30"),
        ({"max_seconds": 0.5}, "1 to 30"),
        ({"dtype": "float64"}, "float32, float16, bfloat16"),
    ],
)
def test_parameters_out_of_range_are_refused_by_fit(folders, options, says):
    with pytest.raises(EmbedderError, match=says):
        TransformersEmbedder(str(folders["wavlm"]), **options).fit()


@pytest.mark.parametrize("layer", [3, -4])
def test_a_layer_that_is_not_there_is_refused(folders, layer, pairs):
    with pytest.raises(EmbedderError, match="hidden states 0 to 2"):
        embed(folders["wavlm"], pairs[:1], layer=layer)


@pytest.mark.parametrize("name", ["wavlm", "wavlm-large", "whisper", "wav2vec2-bert"])
def test_nothing_is_printed(folders, name, pairs, capfd):
    module.load_network.cache_clear()
    (signal, rate), *_ = pairs
    alike = [(signal[: len(signal) - cut], rate) for cut in (0, 100, 200)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embed(folders[name], [*pairs[:2], *alike])
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "")


# -- the real Whisper --------------------------------------------------------------------------


@pytest.mark.skipif(not TINY.is_dir(), reason="the pre-trained whisper-tiny.en is not in ../shared")
def test_the_real_whisper_averages_its_first_frames(voice, assert_close):
    signals = [voice(1.7, seed=1), voice(0.93, pitch=210.0, seed=2)]
    vectors = embed(TINY, [(signal, RATE) for signal in signals])
    assert vectors.shape == (2, 384)
    extractor = hf.WhisperFeatureExtractor.from_pretrained(TINY)
    encoder = hf.WhisperModel.from_pretrained(TINY, dtype=torch.float32).eval().encoder
    for vector, signal in zip(vectors, signals, strict=True):
        mel = extractor(signal, sampling_rate=RATE, return_tensors="pt").input_features
        assert mel.shape == (1, 80, 3_000)
        with torch.no_grad():
            states = encoder(mel).last_hidden_state[0]
        assert states.shape == (1_500, 384)
        assert_close(vector, states[: -(-len(signal) // 320)].mean(dim=0).numpy())


@pytest.mark.skipif(not TINY.is_dir(), reason="the pre-trained whisper-tiny.en is not in ../shared")
@pytest.mark.skipif(not BAVED.is_dir(), reason="BAVED is not in ../shared")
def test_the_frames_of_the_real_whisper_are_those_it_transcribes_from():
    """Real words through our encoder, then the library's decoder: the same tokens as its own."""
    model = hf.WhisperForConditionalGeneration.from_pretrained(TINY, dtype=torch.float32).eval()
    extractor = hf.WhisperFeatureExtractor.from_pretrained(TINY)
    embedder = TransformersEmbedder(TINY, device="cpu")
    heard = []
    for path in sorted(BAVED.rglob("*.wav"))[::600]:
        signal = read_audio(path)
        mel = extractor(signal, sampling_rate=RATE, return_tensors="pt").input_features
        window = np.pad(signal, (0, 30 * RATE - len(signal)))
        frames = torch.from_numpy(embedder._states([window])[0])[None]
        ours = model.generate(encoder_outputs=BaseModelOutput(last_hidden_state=frames))
        expected = model.generate(mel)
        assert ours.tolist() == expected.tolist()
        heard.append(tuple(ours[0].tolist()))
    assert len(set(heard)) > 1  # words, not the same nothing each time


# -- Whisper's encoder alone -------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept_ways(tmp_path_factory):
    """One Whisper, in each way in which its encoder may be kept, and one that lacks a weight."""
    folders = {way: tmp_path_factory.mktemp(way) for way in ("whole", "head", "alone", "prefixed")}
    save_whisper(folders["whole"], 80)
    whole = hf.WhisperModel.from_pretrained(folders["whole"]).eval()
    with torch.random.fork_rng():
        head = hf.WhisperForConditionalGeneration(whole.config)
    head.model.load_state_dict(whole.state_dict())
    head.save_pretrained(folders["head"])
    whole.encoder.save_pretrained(folders["alone"])
    weights = {f"encoder.{key}": value for key, value in whole.encoder.state_dict().items()}
    folders["lacks"] = tmp_path_factory.mktemp("lacks")
    for way, left_out in (("prefixed", ""), ("lacks", "layers.1.fc1.")):
        kept = {
            key: value.clone()
            for key, value in weights.items()
            if not left_out or left_out not in key
        }
        whole.config.save_pretrained(folders[way])
        save_file(kept, folders[way] / "model.safetensors", metadata={"format": "pt"})
    for folder in folders.values():
        hf.WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    return folders


@pytest.mark.parametrize("way", ["whole", "head", "alone", "prefixed"])
def test_whispers_encoder_is_loaded_alone_however_it_is_kept(kept_ways, way, pairs, capfd):
    module.load_network.cache_clear()
    found = embed(kept_ways[way], pairs[:2])
    said = capfd.readouterr()
    assert said.out + said.err == ""
    np.testing.assert_array_equal(found, embed(kept_ways["whole"], pairs[:2]))
    folder, state, _ = TransformersEmbedder(kept_ways[way])._place()
    network, _ = module.load_network(str(kept_ways[way]), folder, state, "cpu", "float32")
    assert not [name for name, _ in network.named_parameters() if "decoder" in name]


def test_an_encoder_that_lacks_weights_is_refused_in_one_line(kept_ways, pairs, capfd):
    with pytest.raises(
        EmbedderError, match=r"2 weights .* \(first: layers\.1\.fc1\.bias\)"
    ) as error:
        embed(kept_ways["lacks"], pairs[:1])
    assert str(kept_ways["lacks"]) in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    said = capfd.readouterr()
    assert said.out + said.err == ""
