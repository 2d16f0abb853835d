"""ZS-N2N's network."""

import pytest
import torch
from torch import nn

from torchdenoise.denoisers import SmallCNN
from torchdenoise.errors import UserError


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def random_image(*shape):
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
    image = random_image(2, channels, 6, 5)
    assert network(image).shape == image.shape


def test_a_residual_network_subtracts_its_prediction_from_the_input():
    direct, residual = SmallCNN(width=4, residual=False), SmallCNN(width=4)
    residual.load_state_dict(direct.state_dict())
    image = random_image(1, 3, 6, 6)
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
