"""What every network keeps of the base class's contract."""

import pytest
import torch

from torchdenoise.denoisers import networks
from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.networks.calling import padded_call
from torchdenoise.registry import find
from torchdenoise.stored_recipes import build

NARROW = {
    "Noise2FastNet": {"width": 4, "depth": 4},
    "PretrainedUNet": {},
    "ResidualUNet": {"widths": (6, 6, 6)},
    "SkipNet": {"width": 4},
    "TwoScaleCNN": {"width": 6, "inner": 6},
}
NETWORKS = [getattr(networks, name) for name in networks.__all__ if name != "Network"]
PICKY = [cls for cls in NETWORKS if cls.multiple > 1]


def random_image(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(5))


def small(cls, channels=3):
    torch.manual_seed(3)
    return cls(channels, **NARROW.get(cls.__name__, {"width": 6}))


def called(network, image):
    torch.manual_seed(0)  # some networks draw their dropout
    return network(image)


@pytest.mark.parametrize("size", [(33, 47), (5, 6), (1, 7), (64, 31)])
@pytest.mark.parametrize("cls", NETWORKS)
def test_any_size(cls, size):
    network, image = small(cls), random_image(1, 3, *size)  # in training mode, where batch normalisation is picky
    denoised = padded_call(network, image, {})
    assert denoised.shape == image.shape
    assert denoised.isfinite().all()


@pytest.mark.parametrize("cls", PICKY)
def test_declared_sizes_are_the_smallest(cls):
    network, side = small(cls).eval(), max(cls.multiple, cls.minimum)
    assert network(random_image(2, 3, side, side)).shape == (2, 3, side, side)
    with pytest.raises(RuntimeError):
        network(random_image(1, 3, side + cls.multiple // 2, side))


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("cls", NETWORKS)
def test_other_channels(cls, channels):
    network = small(cls, channels)
    assert network.channels == channels
    assert network(random_image(2, channels, 64, 96)).shape == (2, channels, 64, 96)


@pytest.mark.parametrize("cls", [cls for cls in NETWORKS if cls.__name__ != "SkipNet"])  # biases before batch norms
def test_gradients_reach_every_parameter(cls):
    network = small(cls).double()  # Neighbor2Neighbor's initialisation leaves tiny gradients far from the output
    network(random_image(2, 3, 64, 64).double()).square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("cls", [cls for cls in NETWORKS if cls.__name__ != "PretrainedUNet"])
def test_a_seed_decides_the_initial_weights(cls):
    first, second = small(cls), small(cls)
    other, image = first.rebuilt(), random_image(1, 3, 64, 64)
    assert torch.equal(called(first, image), called(second, image))
    assert not torch.equal(called(first, image), called(other, image))


@pytest.mark.parametrize("cls", NETWORKS)
def test_known_by_name_and_rebuilt(cls):
    network, image = small(cls), random_image(1, 3, 64, 64)
    assert find(Network, cls.__name__) is cls
    assert cls.source
    again = build(network.recipe())
    again.load_state_dict(network.state_dict())
    assert torch.equal(called(again.eval(), image), called(network.eval(), image))
    assert network.rebuilt(channels=1).channels == 1
