"""The network of two scales."""

import pytest
import torch
from torch import nn

from torchdenoise.denoisers import TwoScaleCNN
from torchdenoise.errors import UserError


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("width", "inner", "depth"), [(32, 48, 3), (4, 5, 1)])
def test_parameter_counts(channels, width, inner, depth):
    full = (9 * channels * width + width) + (9 * width * width + width) + (width * channels + channels)
    half = (4 * width * inner + inner) + depth * (9 * inner * inner + inner) + (inner * 4 * width + 4 * width)
    network = TwoScaleCNN(channels, width, inner, depth)
    assert sum(p.numel() for p in network.parameters()) == full + half


def test_it_predicts_the_noise():
    network, image = TwoScaleCNN(1, width=4, inner=4), torch.rand(1, 1, 6, 8)
    last = network.last[-1]
    nn.init.zeros_(last.weight)
    nn.init.constant_(last.bias, 0.25)
    torch.testing.assert_close(network(image), image - 0.25)


@pytest.mark.parametrize("name", ["width", "inner", "depth"])
def test_impossible_shapes_are_refused(name):
    with pytest.raises(UserError, match=f"TwoScaleCNN: .*{name} 0.* must be at least 1"):
        TwoScaleCNN(1, **{name: 0})
