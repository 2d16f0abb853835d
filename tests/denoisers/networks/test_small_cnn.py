import numpy as np
import pytest
import torch
from torch import nn

from torchdenoise.denoisers import Network, SmallCNN
from torchdenoise.denoisers.networks.calling import padded_call, reflect
from torchdenoise.errors import UserError

SIZES = [(2, 2), (2, 3), (5, 40), (15, 17), (16, 16), (17, 31), (24, 24)]


class Blocks(Network):
    """Takes multiples of 8 from 16 on, mixes nothing, and remembers what it saw."""

    multiple = 8
    minimum = 16

    def __init__(self, channels=None):
        super().__init__()
        self.channels = channels or 3
        self.seen = {}

    def forward(self, image, gain=None, level=None):
        self.seen = {"image": image, "gain": gain, "level": level}
        return image * (1 if gain is None else gain) + (0 if level is None else level)


class Shift(Blocks):
    """Looks one pixel down and to the right, where only reflection can have put anything."""

    def forward(self, image):
        return image.roll((-1, -1), (-2, -1))


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def numbers(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(("channels", "parameters"), [(3, 22_275), (None, 22_275), (1, 21_313)])
def test_small_cnn_has_the_size_of_the_paper(channels, parameters):
    assert count(SmallCNN(channels)) == parameters


@pytest.mark.parametrize(("channels", "width", "depth"), [(1, 1, 2), (3, 5, 2), (3, 8, 4), (4, 16, 6)])
def test_width_and_depth(channels, width, depth):
    network = SmallCNN(channels, width=width, depth=depth)
    inner = (depth - 2) * (9 * width * width + width)
    assert count(network) == (9 * channels * width + width) + inner + (width * channels + channels)
    assert sum(isinstance(layer, nn.Conv2d) for layer in network.layers) == depth
    image = numbers(2, channels, 6, 5)
    assert network(image).shape == image.shape


def test_a_residual_network_takes_what_the_direct_one_predicts_from_its_input():
    direct, residual = SmallCNN(width=4, residual=False), SmallCNN(width=4)
    residual.load_state_dict(direct.state_dict())
    image = numbers(1, 3, 6, 6)
    assert torch.equal(residual(image), image - direct(image))


def test_the_slope_is_that_of_the_negative_side():
    network = SmallCNN(1, width=1, depth=2, slope=0.3, residual=False)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.layers[0].weight[0, 0, 1, 1] = 1
        network.layers[-1].weight.fill_(1)
    assert network(torch.tensor([[[[-1.0, 2.0]]]])).flatten().tolist() == pytest.approx([-0.3, 2.0])


@pytest.mark.parametrize(("width", "depth"), [(0, 3), (48, 1), (-1, 0)])
def test_impossible_shapes_are_refused(width, depth):
    with pytest.raises(UserError, match=f"width {width} and depth {depth} must be at least 1 and 2"):
        SmallCNN(width=width, depth=depth)


@pytest.mark.parametrize("size", SIZES)
def test_a_network_sees_sizes_that_it_takes_and_gives_back_the_size_it_got(size):
    network, image = Blocks(), numbers(2, 3, *size)
    assert torch.equal(padded_call(network, image, {}), image)
    assert network.seen["image"].shape[-2:] == tuple(max(16, -(-side // 8) * 8) for side in size)
    assert torch.equal(network.seen["image"][..., : size[0], : size[1]], image)


@pytest.mark.parametrize("size", [(2, 2), (2, 3), (15, 17), (17, 31)])
def test_what_is_added_is_a_reflection(size):
    image = numbers(1, 1, *size)
    grown = np.pad(image.numpy(), [(0, 0), (0, 0), (0, 1), (0, 1)], mode="reflect")
    np.testing.assert_array_equal(padded_call(Shift(1), image, {}).numpy(), grown[..., 1:, 1:])


@pytest.mark.parametrize("size", SIZES)
def test_extra_tensors_of_the_image_s_size_grow_with_it_and_others_do_not(size):
    network, image, gain, level = Blocks(), numbers(2, 3, *size), numbers(2, 1, *size), numbers(2, 1, 1, 1)
    result = padded_call(network, image, {"gain": gain, "level": level})
    assert torch.equal(result, image * gain + level)
    seen = network.seen
    assert seen["gain"].shape[-2:] == seen["image"].shape[-2:]
    assert seen["level"] is level


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (2, 2), (3, 5), (6, 1)])
@pytest.mark.parametrize(("below", "right"), [(0, 0), (1, 0), (0, 3), (7, 2), (14, 13)])
def test_reflect_goes_to_and_fro_like_numpy(size, below, right):
    image = numbers(2, 3, *size)
    expected = np.pad(image.numpy(), [(0, 0), (0, 0), (0, below), (0, right)], mode="reflect")
    np.testing.assert_array_equal(reflect(image, below, right).numpy(), expected)
