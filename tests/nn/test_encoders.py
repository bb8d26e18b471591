import pytest
import torch
from torch import nn

from sfmforensics.nn.encoders import ConvEncoder, TokenEncoder, make_encoder
from sfmforensics.nn.network import TaskHeads, fully_connected


def test_conv_has_the_blocks_of_the_paper():
    layers = [m for m in ConvEncoder(512).modules() if isinstance(m, nn.Conv1d | nn.MaxPool1d)]
    kinds = [type(m).__name__ for m in layers]
    assert kinds == ["Conv1d", "MaxPool1d", "Conv1d", "MaxPool1d"]
    assert [(m.out_channels, m.kernel_size) for m in layers[::2]] == [(32, (3,)), (64, (3,))]


@pytest.mark.parametrize(
    ("width", "length"), [(1024, 256), (512, 128), (40, 10), (5, 2), (2, 1), (1, 1)]
)
def test_conv_reads_views_of_any_width(width, length):
    assert make_encoder("conv", width)[1] == (length, 64)


def test_tokens_are_normalised():
    tokens = TokenEncoder(30, n_tokens=4, token_dim=16)(torch.randn(5, 30) * 100)
    assert tokens.shape == (5, 4, 16)
    torch.testing.assert_close(tokens.mean(dim=2), torch.zeros(5, 4), atol=1e-5, rtol=0)


def test_a_users_own_module_is_an_encoder():
    def encoder(width):
        return nn.Sequential(nn.Linear(width, 12), nn.Unflatten(1, (3, 4)))

    module, shape = make_encoder(encoder, 7)
    assert shape == (3, 4)
    assert module.training


@pytest.mark.parametrize("encoder", ["lstm", lambda width: nn.Linear(width, 3)])
def test_what_is_no_encoder_is_refused(encoder):
    with pytest.raises(ValueError, match="encoder"):
        make_encoder(encoder, 7)


def test_hidden_layers_have_the_neurons_asked_for():
    layers, width = fully_connected(10, (200, 64, 56))
    assert [m.out_features for m in layers if isinstance(m, nn.Linear)] == [200, 64, 56]
    assert width == 56
    assert fully_connected(10, ())[1] == 10


def test_a_head_has_the_neurons_asked_for():
    def neurons(heads):
        return [m.out_features for m in heads.modules() if isinstance(m, nn.Linear)]

    assert neurons(TaskHeads(56, [60, 1])) == [30, 60, 30, 1]
    assert neurons(TaskHeads(56, [60, 1], 0)) == [60, 1]
