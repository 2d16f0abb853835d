"""Networks on images of any size: padding against NumPy, tiles without seams, and the receptive fields they rely on."""

import numpy as np
import pytest
import torch

from torchdenoise.denoisers import N2NUNet, Network, ResidualUNet, SmallCNN, TwoScaleCNN, UnshuffleCNN
from torchdenoise.denoisers.networks import calling
from torchdenoise.denoisers.networks.calling import PaddedNetwork, padded_call, reflect, tiled_call
from torchdenoise.errors import UserError

SIZES = [(2, 2), (2, 3), (5, 40), (15, 17), (16, 16), (17, 31), (24, 24)]
WITH_REACH = [
    SmallCNN(3, width=8, depth=5),
    UnshuffleCNN(3, width=8, depth=4),
    TwoScaleCNN(1, width=8, inner=8),
    ResidualUNet(1, widths=(4, 4, 4), blocks=1),
]


class Blocks(Network):
    """Takes multiples of 8 from 16 on, mixes nothing, and records its inputs."""

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
    """Returns the pixel below and to the right, which at the border can only come from padding."""

    def forward(self, image):
        return image.roll((-1, -1), (-2, -1))


class Masked(Network):
    """Multiplies by a mask and records the sizes it was called with."""

    reach = 0

    def __init__(self, channels: int | None = None) -> None:
        super().__init__()
        self.channels = channels or 3
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, image, mask):
        self.sizes.append(tuple(image.shape[-2:]))
        return image * mask


def random_image(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(3))


# -- padding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_the_network_gets_a_size_that_it_takes_and_the_result_has_the_image_s_size(size):
    network, image = Blocks(), random_image(2, 3, *size)
    assert torch.equal(padded_call(network, image, {}), image)
    assert network.seen["image"].shape[-2:] == tuple(max(16, -(-side // 8) * 8) for side in size)
    assert torch.equal(network.seen["image"][..., : size[0], : size[1]], image)


@pytest.mark.parametrize("size", [(2, 2), (2, 3), (15, 17), (17, 31)])
def test_padding_is_by_reflection(size):
    image = random_image(1, 1, *size)
    padded = np.pad(image.numpy(), [(0, 0), (0, 0), (0, 1), (0, 1)], mode="reflect")
    np.testing.assert_array_equal(padded_call(Shift(1), image, {}).numpy(), padded[..., 1:, 1:])


@pytest.mark.parametrize("size", SIZES)
def test_extra_tensors_of_the_image_s_size_are_padded_and_others_are_not(size):
    network, image, gain, level = (
        Blocks(),
        random_image(2, 3, *size),
        random_image(2, 1, *size),
        random_image(2, 1, 1, 1),
    )
    result = padded_call(network, image, {"gain": gain, "level": level})
    assert torch.equal(result, image * gain + level)
    seen = network.seen
    assert seen["gain"].shape[-2:] == seen["image"].shape[-2:]
    assert seen["level"] is level


def test_an_extra_tensor_that_the_network_does_not_take_is_refused():
    image = random_image(1, 3, 4, 4)
    with pytest.raises(UserError, match=r"SmallCNN takes no mask, .*: use the method's default network, or one whose"):
        padded_call(SmallCNN(width=4), image, {"mask": image})


@pytest.mark.parametrize("size", [(5, 7), (16, 16)])
def test_a_padded_network_is_the_padded_call_with_the_network_s_parameters(size):
    network, image = UnshuffleCNN(3, width=4, depth=2), random_image(1, 3, *size)
    padded = PaddedNetwork(network)
    assert torch.equal(padded(image), padded_call(network, image, {}))
    other = UnshuffleCNN(3, width=4, depth=2)
    parameters = {f"network.{name}": value for name, value in other.named_parameters()}
    assert torch.equal(torch.func.functional_call(padded, parameters, (image,)), padded_call(other, image, {}))
    assert torch.equal(PaddedNetwork(Blocks())(image, gain=image), image * image)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (2, 2), (3, 5), (6, 1)])
@pytest.mark.parametrize(("below", "right"), [(0, 0), (1, 0), (0, 3), (7, 2), (14, 13)])
def test_reflect_repeats_like_numpy(size, below, right):
    image = random_image(2, 3, *size)
    expected = np.pad(image.numpy(), [(0, 0), (0, 0), (0, below), (0, right)], mode="reflect")
    np.testing.assert_array_equal(reflect(image, below, right).numpy(), expected)


# -- tiles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", WITH_REACH, ids=lambda network: type(network).__name__)
@pytest.mark.parametrize("size", [(64, 64), (61, 97), (33, 7), (5, 130)])
def test_tiles_leave_no_seam(network, size, monkeypatch):
    image = torch.rand(2, network.channels, *size, generator=torch.Generator().manual_seed(0))
    whole = padded_call(network, image, {})
    monkeypatch.setattr(calling, "TILE", 31)
    with torch.no_grad():
        assert (tiled_call(network, image, {}) - whole).abs().max() < 1e-5


@pytest.mark.parametrize("network", WITH_REACH, ids=lambda network: type(network).__name__)
def test_the_reach_is_the_radius_of_the_receptive_field(network):
    """For every position within a cell: no pixel farther away has influence; some pixel nearly that far has."""
    farthest = 0
    for at in range(64, 72):
        image = torch.rand(1, network.channels, 136, 136, requires_grad=True)
        network(image)[..., at, at].sum().backward()
        rows = image.grad.abs().sum((0, 1, 3)).nonzero().flatten()
        farthest = max(farthest, at - int(rows.min()), int(rows.max()) - at)
    assert network.reach - 4 <= farthest <= network.reach


def test_extra_tensors_of_the_image_s_size_are_tiled_with_it(monkeypatch):
    monkeypatch.setattr(calling, "TILE", 16)
    image, mask, network = torch.rand(1, 3, 20, 40), torch.rand(1, 1, 20, 40), Masked()
    assert torch.equal(tiled_call(network, image, {"mask": mask}), image * mask)
    assert network.sizes == [(16, 16), (16, 16), (16, 8), (4, 16), (4, 16), (4, 8)]


def test_a_network_with_unknown_reach_is_called_once(monkeypatch):
    monkeypatch.setattr(calling, "TILE", 16)
    network, image = N2NUNet(3), torch.rand(1, 3, 40, 32)
    assert network.reach is None
    with torch.no_grad():
        assert torch.equal(tiled_call(network, image, {}), padded_call(network, image, {}))
