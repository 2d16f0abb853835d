"""Deep Image Prior's network."""

import pytest
import torch
from torch import nn

from torchdenoise import UserError
from torchdenoise.denoisers import SkipNet
from torchdenoise.denoisers.networks.calling import padded_call


def counted(channels):
    """The parameters of each scale written out: skip, two down, their norms, the joined norm, two up, their norms."""
    total = 128 * channels + channels
    for before in (32, 128, 128, 128, 128):
        total += before * 4 + 4 + 8
        total += before * 128 * 9 + 128 + 256 + 128 * 128 * 9 + 128 + 256
        total += 2 * 132 + 132 * 128 * 9 + 128 + 256 + 128 * 128 + 128 + 256
    return total


@pytest.mark.parametrize(("channels", "count"), [(3, 2_217_831), (1, 2_217_573)])
def test_parameter_counts(channels, count):
    with torch.device("meta"):
        network = SkipNet(channels)
    assert sum(p.numel() for p in network.parameters()) == count == counted(channels)


def test_layers_of_the_notebook():
    network = SkipNet(3)
    convolutions = [part for part in network.modules() if isinstance(part, nn.Conv2d)]
    assert sum(part.stride == (2, 2) for part in convolutions) == 5
    assert sum(part.out_channels == 4 for part in convolutions) == 5
    assert {part.padding_mode for part in convolutions if part.kernel_size == (3, 3)} == {"reflect"}
    assert {part.mode for part in network.modules() if isinstance(part, nn.Upsample)} == {"bilinear"}
    assert {part.negative_slope for part in network.modules() if isinstance(part, nn.LeakyReLU)} == {0.2}
    assert isinstance(network.layers[-1], nn.Sigmoid)


@pytest.mark.parametrize("size", [(64, 64), (1, 7), (33, 130), (65, 64)])
def test_any_size_also_in_training(size):
    network = SkipNet(1, width=2)
    answer = padded_call(network, torch.zeros(1, 1, *size), {})
    assert answer.shape == (1, 1, *size)
    assert answer.isfinite().all()


def test_smaller_than_its_minimum_does_not_work():
    with pytest.raises(RuntimeError):
        SkipNet(1, width=2)(torch.zeros(1, 1, 32, 64))


def test_only_the_size_of_the_picture_is_looked_at():
    network = SkipNet(1, width=4).eval()
    first, second = network(torch.zeros(1, 1, 64, 96)), network(torch.rand(1, 1, 64, 96))
    assert torch.equal(first, second)
    network(torch.zeros(1, 1, 64, 64))  # another code, and back again
    assert torch.equal(network(torch.zeros(1, 1, 64, 96)), first)


def test_the_code_is_uniform_and_comes_with_the_weights():
    torch.manual_seed(0)
    network, other = SkipNet(1, width=4).eval(), SkipNet(1, width=4).eval()
    image = torch.zeros(1, 1, 64, 64)
    network(image), other(image)
    code = network.code
    assert code.shape == (1, 32, 64, 64)
    assert 0 <= code.min() < 1e-4
    assert 0.1 - 1e-4 < code.max() <= 0.1
    assert code.std().item() == pytest.approx(0.1 / 12**0.5, rel=0.01)
    assert not torch.equal(code, other.code)
    assert not torch.equal(other.rebuilt().eval()(image), other(image))
    restarted = network.rebuilt().eval()
    restarted.load_state_dict(network.state_dict())
    assert torch.equal(restarted(image), network(image))


def test_jitter_is_added_to_the_code():
    network = SkipNet(1, width=4).eval()
    image, jitter = torch.zeros(1, 1, 64, 64), 0.01 * torch.randn(1, 32, 64, 64)
    expected = network.layers(network.eval()(image) * 0 + network.code + jitter)
    assert torch.equal(network(image, jitter=jitter), expected)
    assert not torch.equal(network(image, jitter=jitter), network(image))


@pytest.mark.parametrize("arguments", [{"width": 0}, {"skips": 0}])
def test_bad_arguments(arguments):
    with pytest.raises(UserError, match=r"SkipNet: width \d+ and skips"):
        SkipNet(3, **arguments)
