"""Large pictures in tiles: the same result, and how far networks really look."""

import pytest
import torch

from torchdenoise.denoisers import N2NUNet, Network, SmallCNN, TwoScaleCNN, UnshuffleCNN
from torchdenoise.denoisers.networks import calling
from torchdenoise.denoisers.networks.calling import padded_call

KNOWING = [SmallCNN(3, width=8, depth=5), UnshuffleCNN(3, width=8, depth=4), TwoScaleCNN(1, width=8, inner=8)]


@pytest.mark.parametrize("network", KNOWING, ids=lambda network: type(network).__name__)
@pytest.mark.parametrize("size", [(64, 64), (61, 97), (33, 7), (5, 130)])
def test_no_seam(network, size, monkeypatch):
    image = torch.rand(2, network.channels, *size, generator=torch.Generator().manual_seed(0))
    whole = padded_call(network, image, {})
    monkeypatch.setattr(calling, "TILE", 31)
    with torch.no_grad():
        assert (calling.tiled_call(network, image, {}) - whole).abs().max() < 1e-5


@pytest.mark.parametrize("network", KNOWING, ids=lambda network: type(network).__name__)
def test_the_reach_is_what_a_pixel_depends_on(network):
    """For every place within a cell: no pixel farther away has any influence, and some pixel that far may have."""
    farthest = 0
    for at in range(40, 44):
        image = torch.rand(1, network.channels, 84, 84, requires_grad=True)
        network(image)[..., at, at].sum().backward()
        rows = image.grad.abs().sum((0, 1, 3)).nonzero().flatten()
        farthest = max(farthest, at - int(rows.min()), int(rows.max()) - at)
    assert network.reach - 4 <= farthest <= network.reach


class Taking(Network):
    reach = 0

    def __init__(self, channels: int | None = None) -> None:
        super().__init__()
        self.channels = channels or 3
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, image, mask):
        self.sizes.append(tuple(image.shape[-2:]))
        return image * mask


def test_what_has_the_picture_s_size_is_cut_with_it(monkeypatch):
    monkeypatch.setattr(calling, "TILE", 16)
    image, mask, network = torch.rand(1, 3, 20, 40), torch.rand(1, 1, 20, 40), Taking()
    assert torch.equal(calling.tiled_call(network, image, {"mask": mask}), image * mask)
    assert network.sizes == [(16, 16), (16, 16), (16, 8), (4, 16), (4, 16), (4, 8)]


def test_a_network_that_does_not_know_is_called_once(monkeypatch):
    monkeypatch.setattr(calling, "TILE", 16)
    network, image = N2NUNet(3), torch.rand(1, 3, 40, 32)
    assert network.reach is None
    with torch.no_grad():
        assert torch.equal(calling.tiled_call(network, image, {}), padded_call(network, image, {}))
