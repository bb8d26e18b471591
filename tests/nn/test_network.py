import numpy as np
import pytest
import torch

from sfmforensics.nn.network import MultiViewNetwork


def network(fusion="transport", **options):
    torch.manual_seed(0)
    blocks = [np.arange(12), np.arange(12, 30)]
    return MultiViewNetwork(blocks, [4, 1], fusion, **options).eval()


@pytest.mark.parametrize("encoder", ["conv", "tokens"])
@pytest.mark.parametrize("fusion", ["transport", "concatenation"])
def test_one_output_a_task(encoder, fusion):
    outputs = network(fusion, encoder=encoder)(torch.zeros(5, 30))
    assert [tuple(o.shape) for o in outputs] == [(5, 4), (5, 1)]


def test_standardised_inputs_have_mean_0_and_deviation_1():
    x = torch.randn(50, 30) * 7 + 3
    x[:, 4] = 5.0  # a constant column
    net = network()
    net.standardise(x)
    scaled = net.standardised(x)
    torch.testing.assert_close(scaled.mean(dim=0), torch.zeros(30), atol=1e-5, rtol=0)
    torch.testing.assert_close(scaled[:, 5:].std(dim=0, correction=0), torch.ones(25))
    assert (scaled[:, 4] == 0).all()


def test_columns_of_a_view_need_not_lie_side_by_side():
    order = np.random.default_rng(0).permutation(30)
    x = torch.randn(4, 30)
    straight = network()
    shuffled = MultiViewNetwork(
        [np.argsort(order)[:12], np.argsort(order)[12:]], [4, 1], "transport"
    ).eval()
    state = {k: v for k, v in straight.state_dict().items() if not k.startswith("block")}
    shuffled.load_state_dict(state, strict=False)
    for a, b in zip(straight(x), shuffled(x[:, order]), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    ("hidden", "outputs", "layers"),
    [
        ((20, 6), [4, 1], [30, 4, 30, 1]),
        ((20, 6), [4], [4]),  # the paper's single-task network: 20, 6 and the output
        ((), [4, 1], [30, 4, 30, 1]),
        ((), [4], [30, 4]),  # or it would have no hidden layer at all
    ],
)
def test_a_task_alone_has_one_place_for_hidden_layers(hidden, outputs, layers):
    net = MultiViewNetwork([np.arange(9)], outputs, "concatenation", hidden=hidden)
    found = [m.out_features for m in net.heads.modules() if isinstance(m, torch.nn.Linear)]
    assert found == layers


@pytest.mark.parametrize(("hidden", "head", "width"), [((20, 6), 8, 6), ((), 8, 16), ((), 0, 30)])
def test_the_embedding_is_the_last_layer_above_the_answers(hidden, head, width):
    def same(view_width):
        return torch.nn.Unflatten(1, (1, view_width))

    net = MultiViewNetwork(
        [np.arange(12), np.arange(12, 30)],
        [4, 1],
        "concatenation",
        encoder=same,
        hidden=hidden,
        head=head,
    ).eval()
    assert net.width == width
    assert net.embed(torch.randn(3, 30)).shape == (3, width)


def test_noise_and_dropout_are_for_training_alone():
    net = network(encoder="tokens", dropout=0.5, input_noise=1.0)
    x = torch.randn(3, 30)
    torch.testing.assert_close(net(x)[0], net(x)[0])
    net.train()
    assert not torch.equal(net(x)[0], net(x)[0])


def test_concatenation_has_layers_of_each_view_only_if_asked():
    def count(net):
        return sum(p.numel() for p in net.parameters())

    assert count(network("concatenation", view_hidden=(20,))) != count(network("concatenation"))
    assert network("concatenation", view_hidden=(20, 6)).fusion.width == 12
