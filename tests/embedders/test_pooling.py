"""What becomes of frames: statistics over them, and which of them are a recording's."""

import warnings
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sfmforensics.embedders import _hf_states as states
from sfmforensics.embedders._pooling import (
    FrameStatistics,
    WeightedMean,
    batches_of,
    check_layer,
    check_options,
    import_extra,
    plain_layer,
    require_extra,
    torch_device,
)
from sfmforensics.exceptions import EmbedderError, MissingExtraError

FRAMES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 30), st.just(3)),
    elements=st.floats(-1000, 1000, width=32),
)


@settings(max_examples=200, deadline=None)
@given(frames=FRAMES, data=st.data())
def test_statistics_do_not_depend_on_how_frames_come(frames, data):
    cuts = sorted(data.draw(st.sets(st.integers(1, len(frames)), max_size=4)) | {len(frames)})
    total, start = FrameStatistics(), 0
    for end in cuts:
        if end > start:
            total.add(frames[start:end])
        start = end
    wide = frames.astype(np.float64)
    expected = np.concatenate([wide.mean(axis=0), wide.std(axis=0)])
    np.testing.assert_allclose(total.pooled("mean+std"), expected, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(total.pooled("mean"), expected[:3], rtol=1e-9, atol=1e-9)


def test_deviations_survive_a_large_mean():
    frames = 1e6 + np.array([[0.0], [1.0], [2.0], [3.0]])
    total = FrameStatistics()
    for frame in frames:
        total.add(frame[None])
    assert total.pooled("mean+std") == pytest.approx([1e6 + 1.5, frames.std()], abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(frames=FRAMES, data=st.data())
def test_a_weighted_mean_of_pieces_is_the_mean_of_the_whole(frames, data):
    middle = data.draw(st.integers(0, len(frames) - 1))
    total = WeightedMean()
    for part in (frames[:middle], frames[middle:]):
        if len(part):
            total.add(part.astype(np.float64).mean(axis=0), len(part))
    np.testing.assert_allclose(total.value, frames.astype(np.float64).mean(axis=0), atol=1e-6)


def test_weights_count():
    total = WeightedMean()
    total.add([1.0, 0.0], 1)
    total.add([5.0, 4.0], 3)
    np.testing.assert_array_equal(total.value, [4.0, 3.0])


@settings(max_examples=100, deadline=None)
@given(lengths=st.lists(st.integers(1, 3), max_size=20), size=st.integers(1, 4))
def test_pieces_are_passed_in_order_alike_and_no_more_than_allowed(lengths, size):
    pieces = [[length] * length for length in lengths]
    batches = list(batches_of(pieces, len, lambda piece: size))
    assert [piece for batch in batches for piece in batch] == pieces
    assert all(1 <= len(batch) <= size for batch in batches)
    assert all(len({len(piece) for piece in batch}) == 1 for batch in batches)
    for batch, after in pairwise(batches):
        assert len(batch) == size or len(batch[0]) != len(after[0]), "one could have been joined"


def test_a_batch_is_given_as_soon_as_it_is_full():
    seen = []

    def pieces():
        for number in range(4):
            seen.append(number)
            yield [number]

    assert next(batches_of(pieces(), len, lambda piece: 2)) == [[0], [1]]
    assert seen == [0, 1]


# -- which signals share a batch, and which frames are real --------------------------------------


def config(kind, **more):
    return SimpleNamespace(model_type=kind, **more)


@pytest.mark.parametrize(
    ("of", "leaks"),
    [
        (config("wav2vec2", feat_extract_norm="layer"), False),
        (config("wav2vec2", feat_extract_norm="group"), True),
        (config("hubert", feat_extract_norm="layer"), False),
        (config("wavlm", feat_extract_norm="layer"), False),
        (config("unispeech", feat_extract_norm="layer"), False),
        (config("unispeech-sat", feat_extract_norm="layer"), False),
        (config("data2vec-audio"), True),
        (config("wav2vec2-conformer", feat_extract_norm="layer"), True),
        (config("wav2vec2-bert"), True),
    ],
)
def test_where_padding_leaks_only_equal_lengths_share_a_batch(of, leaks):
    assert states.leaks_padding(of) is leaks
    near, far = (states.batch_key(of, n, "full", False) for n in (16_000, 16_001))
    assert (near == far) is not leaks
    assert states.batch_key(of, 16_000, "full", True) == 16_000, "on a CPU padding never pays"


def test_lengths_within_ten_percent_may_share_a_batch():
    of = config("wav2vec2", feat_extract_norm="layer")
    lengths = np.arange(400, 480_000, 997)
    keys = [states.batch_key(of, int(n), "full", False) for n in lengths]
    for key in set(keys):
        own = lengths[[k == key for k in keys]]
        assert own.max() <= 1.1 * own.min() + 1
    assert states.batch_key(of, 16_000, "full", False) != states.batch_key(
        of, 18_000, "full", False
    )
    # A key of lengths within 10 % is never taken for one of equal lengths.
    assert not any(isinstance(key, int) for key in keys)


@pytest.mark.parametrize(
    ("n_samples", "window", "frames"),
    [
        (16_000, "full", 1500),
        (16_000, "signal", 50),
        (16_001, "signal", 51),
        (320, "signal", 1),
        (321, "signal", 2),
        (16_000, 4, 200),
        (16_000, 0.5, 50),
        (16_000, 1.03, 52),
        (480_000, 4, 1500),
    ],
)
def test_frames_of_whisper(n_samples, window, frames):
    assert states.window_frames(n_samples, window) == frames
    assert states.batch_key(config("whisper"), n_samples, window, True) == frames


STATES = [torch.full((1, 2, 3), float(layer)) for layer in (1, 2, 6)]
OUTPUT = SimpleNamespace(last_hidden_state=STATES[-1] + 10, hidden_states=tuple(STATES))


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("last", [16.0] * 3),
        ("mean", [3.0] * 3),
        ("all", [1.0] * 3 + [2.0] * 3 + [6.0] * 3),
        (0, [1.0] * 3),
        (2, [6.0] * 3),
        (-1, [6.0] * 3),
        (-3, [1.0] * 3),
    ],
)
def test_layers_are_told_apart(layer, expected):
    found = states._select(OUTPUT, layer)
    assert found.shape == (1, 2, len(expected))
    assert found[0, 1].tolist() == expected


@pytest.mark.parametrize("layer", [3, -4, 99])
def test_a_layer_beyond_the_last_is_refused_with_those_there_are(layer):
    with pytest.raises(EmbedderError, match=f"^layer is {layer}; this model has .* 0 to 2$"):
        states._select(OUTPUT, layer)


class Waveform:
    """A network of the wav2vec2 kind whose frames are sums of four samples."""

    device, dtype = "cpu", torch.float32
    config = SimpleNamespace(model_type="wav2vec2", feat_extract_norm="layer")

    def __call__(self, batch, attention_mask, output_hidden_states):
        self.batch, self.mask, self.asked = batch, attention_mask, output_hidden_states
        n = batch.shape[1] // 4
        frames = batch[:, : 4 * n].reshape(len(batch), n, 4).sum(dim=2, keepdim=True)
        return SimpleNamespace(last_hidden_state=frames, hidden_states=(frames, 2 * frames))

    def _get_feat_extract_output_lengths(self, lengths):
        return lengths // 4


class Mel:
    """A network of the wav2vec2-bert kind, and its extractor: two mel frames become one state."""

    device, dtype = "cpu", torch.float32
    config = SimpleNamespace(model_type="wav2vec2-bert")

    def extract(self, signals, sampling_rate, return_tensors):
        assert (sampling_rate, return_tensors) == (16_000, "pt")
        n = max(map(len, signals))
        features = torch.zeros(len(signals), n, 1, dtype=torch.float64)
        mask = torch.zeros(len(signals), n, dtype=torch.int32)
        for row, signal in enumerate(signals):
            features[row, : len(signal), 0] = torch.tensor(signal)
            mask[row, : len(signal)] = 1
        return SimpleNamespace(input_features=features, attention_mask=mask)

    def __call__(self, features, attention_mask, output_hidden_states):
        assert features.dtype == torch.float32
        self.mask, self.asked = attention_mask, output_hidden_states
        return SimpleNamespace(last_hidden_state=features, hidden_states=(features, 3 * features))


def test_masked_frames_of_mel_spectra_are_left_out():
    network = Mel()
    signals = [np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0])]
    found = states.hidden_states(network, network.extract, signals, "last", "full")
    assert [frames[:, 0].tolist() for frames in found] == [[1.0, 2.0], [3.0, 4.0, 5.0]]
    assert network.mask.tolist() == [[1, 1, 0], [1, 1, 1]]
    assert network.asked is False
    found = states.hidden_states(network, network.extract, signals, 1, "full")
    assert found[0][:, 0].tolist() == [3.0, 6.0]
    assert network.asked is True


def test_only_the_warning_of_torch_that_says_nothing_is_silenced():
    class Talkative(Waveform):
        def __call__(self, *args, **kwargs):
            warnings.warn("Support for mismatched key_padding_mask is deprecated", stacklevel=1)
            warnings.warn("something that matters", stacklevel=1)
            return super().__call__(*args, **kwargs)

    with pytest.warns(UserWarning, match="matters") as caught:
        states.hidden_states(Talkative(), PLAIN, [np.ones(8, np.float32)], "last", "full")
    assert [str(one.message) for one in caught] == ["something that matters"]


class Encoder(torch.nn.Module):
    device, dtype = "cpu", torch.float32

    def __init__(self):
        super().__init__()
        self.config = SimpleNamespace(model_type="whisper", max_source_positions=8)
        self.embed_positions = torch.nn.Embedding.from_pretrained(torch.arange(8.0)[:, None] * 100)
        self.seen = []

    def forward(self, mel, output_hidden_states):
        assert mel.dtype == torch.float32
        n = self.config.max_source_positions
        assert mel.shape[2] == 2 * n
        self.seen.append((n, output_hidden_states))
        states = mel[:, 0].reshape(len(mel), n, 2).sum(dim=2)[..., None]
        states = states + self.embed_positions.weight
        return SimpleNamespace(last_hidden_state=states, hidden_states=(states, -states))


class Whisper(Encoder):
    """An encoder of two mel frames a state, and its extractor, with a window of eight states."""

    n_samples = 8 * 320

    def extract(self, signals, sampling_rate, return_tensors, max_length):
        assert (sampling_rate, return_tensors) == (16_000, "pt")
        self.heard = max_length
        frames = -(-max_length // 160)
        mel = torch.zeros(len(signals), 1, frames, dtype=torch.float64)
        for row, signal in enumerate(signals):
            for frame in range(min(frames, -(-len(signal) // 160))):
                mel[row, 0, frame] = float(signal[160 * frame])
        return SimpleNamespace(input_features=mel)


@pytest.fixture
def whisper(monkeypatch):
    network = Whisper()
    extractor = network.extract
    monkeypatch.setattr(states, "window_frames", lambda n, w: 8 if w == "full" else -(-n // 320))
    return network, SimpleNamespaceCall(extractor, network.n_samples)


class SimpleNamespaceCall:
    def __init__(self, call, n_samples):
        self.call, self.n_samples = call, n_samples

    def __call__(self, *args, **kwargs):
        return self.call(*args, **kwargs)


SPEECH = np.ones(640, np.float32), np.full(700, 2.0, np.float32)


def test_of_whisper_the_first_frames_are_the_recordings(whisper):
    network, extractor = whisper
    one, two = states.hidden_states(network, extractor, SPEECH, "last", "full")
    assert one[:, 0].tolist() == [2.0, 102.0]
    assert two[:, 0].tolist() == [4.0, 104.0, 202.0]
    assert network.heard == 8 * 320, "the window, and no more"
    assert network.seen == [(8, False)]
    one, _ = states.hidden_states(network, extractor, SPEECH, 1, "full")
    assert one[:, 0].tolist() == [-2.0, -102.0]
    assert network.seen[-1] == (8, True)


def test_a_shorter_window_has_the_first_positions_and_hears_what_its_last_frame_does(whisper):
    network, extractor = whisper
    _, two = states.hidden_states(network, extractor, SPEECH, "last", "signal")
    assert two[:, 0].tolist() == [4.0, 104.0, 202.0]
    assert network.heard == 3 * 320 + 400
    assert network.seen == [(3, False)]
    assert network.config.max_source_positions == 8, "the model itself is as it was"
    assert network.embed_positions.weight.shape == (8, 1)
    assert states._cut_to(network, 8) is network
    short = states._cut_to(network, 2)
    assert short.embed_positions.weight[:, 0].tolist() == [0.0, 100.0]
    assert short.config.max_source_positions == 2
    assert not short.embed_positions.weight.requires_grad


PLAIN, NORMAL = (SimpleNamespace(do_normalize=value) for value in (False, True))


def test_frames_of_padding_are_left_out_and_padding_is_masked():
    network = Waveform()
    signals = [np.ones(8, np.float32), np.ones(14, np.float32)]
    first, second = states.hidden_states(network, PLAIN, signals, "last", "full")
    assert first[:, 0].tolist() == [4.0, 4.0]
    assert second[:, 0].tolist() == [4.0, 4.0, 4.0]
    assert network.mask.tolist() == [[1] * 8 + [0] * 6, [1] * 14]
    assert network.mask.dtype == torch.long
    assert network.batch[0, 8:].tolist() == [0.0] * 6
    assert network.asked is False
    assert states.hidden_states(network, PLAIN, signals, 1, "full")[0][:, 0].tolist() == [8.0, 8.0]
    assert network.asked is True


def test_signals_of_one_length_need_no_mask():
    network = Waveform()
    states.hidden_states(network, PLAIN, [np.ones(8, np.float32)] * 2, "last", "full")
    assert network.mask is None


def test_each_signal_is_normalised_over_its_own_samples():
    network = Waveform()
    signals = [np.array([3.0, 5.0] * 4, np.float32), np.arange(12, dtype=np.float32)]
    states.hidden_states(network, NORMAL, signals, "last", "full")
    np.testing.assert_allclose(network.batch[0, :8], [-1.0, 1.0] * 4, atol=1e-6)
    assert float(network.batch[1].mean()) == pytest.approx(0, abs=1e-6)
    assert float(network.batch[1].std(correction=0)) == pytest.approx(1, abs=1e-6)
    silent = np.full(8, 2.0, np.float32)
    states.hidden_states(network, NORMAL, [silent], "last", "full")
    assert network.batch.tolist() == [[0.0] * 8], "a variance of 0 divides nothing"
    soft = np.array([0.0, 2e-3] * 4, np.float32)
    states.hidden_states(network, NORMAL, [soft], "last", "full")
    expected = 1e-3 / np.sqrt(1e-6 + 1e-7)
    np.testing.assert_allclose(network.batch[0], [-expected, expected] * 4, rtol=1e-4)


# -- options -------------------------------------------------------------------------------------


def test_options_are_checked_one_by_one():
    good = {"pooling": "mean", "batch_size": 1, "dtype": "float16", "max_seconds": 1}
    check_options(SimpleNamespace(**good))
    check_options(SimpleNamespace(**good | {"max_seconds": 30.0}), longest=30.0)
    for name, value, says in (
        ("pooling", "max", 'pooling is \'max\'; use "mean" or "mean\\+std"'),
        ("batch_size", 0, "batch_size is 0; use 1 or more"),
        ("dtype", "int8", "dtype is 'int8'; use one of float32, float16, bfloat16"),
        ("max_seconds", 0.5, "max_seconds is 0.5; use 1 or more"),
    ):
        with pytest.raises(EmbedderError, match=f"^{says}$"):
            check_options(SimpleNamespace(**good | {name: value}))
    with pytest.raises(EmbedderError, match=r"^max_seconds is 31; use 1 to 30$"):
        check_options(SimpleNamespace(**good | {"max_seconds": 31}), longest=30.0)


def test_layers_are_names_or_indices():
    for layer in ("last", "mean", 0, -1, np.int64(2)):
        check_layer(layer)
    check_layer("all", ("all",))
    for layer in ("all", 1.5, None):
        with pytest.raises(EmbedderError, match=r'; use "last", "mean" or an index$'):
            check_layer(layer)
    assert plain_layer("last") == "last"
    assert type(plain_layer(np.int64(3))) is int


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert torch_device(None) == "cpu"
    assert torch_device(torch.device("cuda:1")) == "cuda:1"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert torch_device(None) == "cuda"
    assert torch_device("cpu") == "cpu"


def test_what_is_not_installed_or_broken_names_its_extra(tmp_path, monkeypatch):
    for call in (require_extra, import_extra):
        with pytest.raises(MissingExtraError, match=r'no_such_.*"sfmforensics\[xvector\]"') as told:
            call("no_such_package", "xvector")
        assert (told.value.package, told.value.extra) == ("no_such_package", "xvector")
    with pytest.raises(MissingExtraError) as told:
        import_extra("no_such_package.inside", "trillsson")
    assert (told.value.package, told.value.extra) == ("no_such_package", "trillsson")
    assert import_extra("json.decoder", "x").__name__ == "json.decoder"
    (tmp_path / "broken_one.py").write_text("raise OSError('built for another torch\\nand more')")
    (tmp_path / "needs_more.py").write_text("import no_such_inner")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EmbedderError, match=r"^broken_one is .* \(built for another torch\); run:"):
        import_extra("broken_one", "x")
    with pytest.raises(MissingExtraError) as told:
        import_extra("needs_more", "x")
    assert (told.value.package, told.value.extra) == ("no_such_inner", "x")
