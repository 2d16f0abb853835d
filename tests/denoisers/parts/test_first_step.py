"""NL-Ridge's first step beside a network's result; its formula is tested with the method NLRidge."""

import pytest
import torch
from helpers import clean_image

from torchdenoise import UserError
from torchdenoise.denoisers import FirstStep, NonLocalRidge, OnePass, WithFirstStep
from torchdenoise.metrics import psnr
from torchdenoise.noise import NoiseLevelFunction, NoiseProfile, Profiles, repeatable

LEVEL = 25
GROUPS = {"side": 6, "similar": 10, "window": 13, "stride": 3}


def profiles(**options):
    return Profiles(1, lambda _: NoiseProfile(NoiseLevelFunction(0.0, LEVEL / 255), **options))


def pictures():
    clean = clean_image(3, 32, 32)
    return clean, repeatable(f"gaussian:{LEVEL}", clean)


def poor_network(clean):
    """Return a network whose result has errors of its own."""
    errors = 0.05 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    return lambda image: clean + errors


def test_it_is_the_mean_of_both():
    clean, noisy = pictures()
    network = poor_network(clean)
    readout = WithFirstStep(OnePass(), share=0.25, **GROUPS).with_noise(profiles())
    step = FirstStep(OnePass(), **GROUPS, level=LEVEL)(network, noisy, torch.Generator())
    expected = 0.75 * network(noisy) + 0.25 * step
    torch.testing.assert_close(readout(network, noisy, torch.Generator()), expected)


def test_the_mean_is_a_better_pilot_than_either():
    clean, noisy = pictures()
    network = poor_network(clean)

    def scored(share):
        pilot = WithFirstStep(OnePass(), share=share, **GROUPS)
        readout = NonLocalRidge(pilot, side=6, similar=20, window=13, stride=3).with_noise(profiles())
        return psnr(readout(network, noisy, torch.Generator()), clean).item()

    alone, both, step = scored(0.0), scored(0.5), scored(1.0)
    assert both > max(alone, step)


@pytest.mark.parametrize(
    "options",
    [{"covariance": torch.eye(3)[..., None, None].expand(3, 3, 3, 3)}, {"variation": torch.ones(1, 1, 32, 32)}],
)
def test_noise_that_is_correlated_or_varies_leaves_the_network_alone(options):
    _, noisy = pictures()
    readout = WithFirstStep(OnePass(), **GROUPS).with_noise(profiles(**options))
    assert torch.equal(readout(lambda image: image / 2, noisy, torch.Generator()), noisy / 2)


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_share_that_is_none(share):
    with pytest.raises(UserError, match=f"WithFirstStep: share {share} must be from 0 to 1"):
        WithFirstStep(share=share)
