"""The network on the pixel-unshuffled image."""

import pytest
import torch
from torch import nn

from torchdenoise.denoisers import UnshuffleCNN
from torchdenoise.errors import UserError


def random_image(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(
    ("channels", "count"), [(3, 272_396), (None, 272_396), (1, 272_396 - 8 * 9 * 64 - 8 * (9 * 64 + 1))]
)
def test_parameter_counts(channels, count):
    with torch.device("meta"):
        assert sum(p.numel() for p in UnshuffleCNN(channels).parameters()) == count


@pytest.mark.parametrize(("width", "depth"), [(0, 9), (64, 1)])
def test_impossible_shapes_are_refused(width, depth):
    with pytest.raises(UserError, match=f"width {width} and depth {depth} must be at least 1 and 2"):
        UnshuffleCNN(width=width, depth=depth)


def test_it_predicts_the_noise():
    network, image = UnshuffleCNN(3), random_image(1, 3, 6, 8)
    layers = [layer for layer in network.layers if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in layers] == [64] * 8 + [12]
    nn.init.zeros_(layers[-1].weight)
    nn.init.zeros_(layers[-1].bias)
    assert torch.equal(network(image), image)
    layers[-1].bias.data[0] = 0.5  # the first colour's first pixel of each cell
    change = image - network(image)
    assert change[0, 0, ::2, ::2].allclose(torch.tensor(0.5))
    assert change.abs().sum().item() == pytest.approx(0.5 * 12)


def test_its_receptive_field():
    network = UnshuffleCNN(1, width=4, depth=3).double()
    image = random_image(1, 1, 32, 32).double().requires_grad_()
    network(image)[0, 0, 16, 16].backward()
    rows = image.grad[0, 0].abs().sum(dim=1).nonzero().flatten()
    assert rows.min() >= 16 - 2 * 3
    assert rows.max() <= 17 + 2 * 3
