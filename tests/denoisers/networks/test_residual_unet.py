"""The U-Net of residual blocks."""

import pytest
import torch

from torchdenoise.denoisers import ResidualUNet
from torchdenoise.errors import UserError


def random_image(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(5))


def test_parameter_count():
    first_and_last = 2 * 9 * 12 * 48
    blocks = 18 * (4 * 48**2 + 4 * 64**2 + 2 * 96**2)
    between = (4 + 4) * (48 * 64 + 64 * 96)
    with torch.device("meta"):
        assert sum(p.numel() for p in ResidualUNet().parameters()) == first_and_last + blocks + between == 876_672


@pytest.mark.parametrize(("widths", "blocks"), [((8, 8), 1), ((8, 0, 8), 1), ((8, 8, 8), 0)])
def test_impossible_shapes_are_refused(widths, blocks):
    with pytest.raises(UserError, match=f"three widths, not .*, and blocks, {blocks}, of at least 1"):
        ResidualUNet(3, widths, blocks)


@pytest.mark.parametrize("slope", [-0.1, 1.1, float("nan")])
def test_impossible_slopes_are_refused(slope):
    with pytest.raises(UserError, match=f"a slope in 0 to 1, not {slope}"):
        ResidualUNet(3, (8, 8, 8), 1, slope)


def test_the_slope_is_that_of_the_negative_side():
    image = random_image(1, 1, 8, 16)
    results = []
    for slope in (0.0, 0.1, 1.0):
        torch.manual_seed(0)
        results.append(ResidualUNet(1, (4, 4, 4), 1, slope)(image))
    assert not torch.equal(results[0], results[1])
    torch.manual_seed(0)
    linear = ResidualUNet(1, (4, 4, 4), 1, 1.0).double()
    other = random_image(1, 1, 8, 16).flip(-1).double()
    torch.testing.assert_close(linear(image.double() - other), linear(image.double()) - linear(other))


def test_it_predicts_the_noise():
    network, image = ResidualUNet(1, (4, 4, 4), 1), random_image(1, 1, 8, 16)
    assert not torch.equal(network(image), image)
    torch.nn.init.zeros_(network.last[0].weight)
    assert torch.equal(network(image), image)


def test_twice_the_image_gives_twice_the_result():
    network, image = ResidualUNet(3, (4, 6, 8), 1).double(), random_image(2, 3, 16, 8).double()
    torch.testing.assert_close(network(2 * image), 2 * network(image))


def test_every_weight_has_an_effect():
    network = ResidualUNet(1, (4, 4, 4), 2)
    network(random_image(1, 1, 16, 16)).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in network.parameters())
