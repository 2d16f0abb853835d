"""Domains: there and back, and what the noise is like inside."""

import pytest
import torch

from torchdenoise.denoisers import IdentityDomain, Recorrupted, SmallCNN, Stabilized
from torchdenoise.noise import Profiles, measure_noise, noise_level_function, repeatable

RAMP = torch.linspace(0.05, 0.95, 128).expand(1, 3, 128, 128)


def test_as_is_changes_nothing():
    into, back = IdentityDomain().transforms(RAMP)
    assert into(RAMP) is RAMP
    assert back(RAMP) is RAMP


def test_gaussian_noise_stays_as_it_is():
    noisy = repeatable("gaussian:25", RAMP)
    into, back = Stabilized().transforms(noisy)
    assert torch.equal(into(noisy), noisy)
    assert torch.equal(back(RAMP), RAMP)


@pytest.mark.parametrize("spec", ["poisson:25", "poisson:50", "gaussian:10+poisson:25"])
def test_noise_that_grows_with_light_is_made_even(spec):
    noisy = repeatable(spec, RAMP)
    into, _ = Stabilized().transforms(noisy)
    inside = into(noisy)
    deviations = [part.std(-2).mean().item() for part in inside.split(32, -1)]
    assert max(deviations) < 1.15 * min(deviations)
    assert noise_level_function(inside).gain < noise_level_function(noisy).gain / 5


def test_the_way_back_has_no_bias():
    noisy = repeatable("poisson:20", RAMP.repeat(1, 1, 8, 1))
    into, back = Stabilized().transforms(noisy)
    mean = into(noisy).mean((1, 2), keepdim=True).expand_as(noisy)
    assert (back(mean)[0, 0, 0] - RAMP[0, 0, 0]).abs().max() < 0.02


def test_a_pedestal_is_taken_off_and_put_back():
    light = 0.4 * torch.linspace(0, 1, 256).square().expand(1, 1, 256, 256)
    noisy = 0.05 + repeatable("poisson:50", light)
    into, back = Stabilized().transforms(noisy)
    deviations = [part.std(-2).mean().item() for part in into(noisy)[..., 128:].split(32, -1)]
    assert max(deviations) < 1.15 * min(deviations)
    mean = into(noisy).mean((1, 2), keepdim=True).expand_as(noisy)
    assert (back(mean) - 0.05 - light).abs().mean() < 0.01


def test_the_way_back_undoes_what_clipping_does_to_a_mean():
    dark = torch.full((1, 3, 128, 128), 0.03)
    dark[..., 40:] = 0.5
    noisy = repeatable("gaussian:40:clip", dark)
    _, back = Stabilized().transforms(noisy)
    blurred = noisy[..., :40].mean().expand(1, 3, 4, 4)
    assert blurred[0, 0, 0, 0] > 0.07
    assert back(blurred)[0, 0, 0, 0].item() == pytest.approx(0.03, abs=0.02)


def test_each_picture_of_a_batch_has_its_own_way():
    noisy = torch.cat([repeatable("poisson:25", RAMP), repeatable("gaussian:10", RAMP)])
    into, _ = Stabilized().transforms(noisy)
    assert not torch.equal(into(noisy)[0], noisy[0])
    assert torch.equal(into(noisy)[1], noisy[1])


def test_a_denoiser_goes_there_and_back():
    noisy = repeatable("poisson:25", RAMP)
    denoiser = Recorrupted(SmallCNN(width=4), readout=None, fallback=None)
    torch.nn.init.zeros_(denoiser.network.layers[-1].weight)
    torch.nn.init.zeros_(denoiser.network.layers[-1].bias)
    seen = []
    into, back = denoiser.domain.transforms(noisy)
    denoiser.active_readout().inner.forward = lambda denoise, image, generator: seen.append(image) or denoise(image)
    denoiser.restore(noisy)
    assert torch.equal(seen[0], into(noisy))
    assert torch.allclose(denoiser.preview(noisy), back(into(noisy)), atol=1e-6)


def test_few_photons_are_transformed_where_it_is_asked_for():
    noisy = repeatable("poisson:2+gaussian:8", RAMP[:, :1] / 2) / 4
    assert measure_noise(noisy).few_photons
    for few in (False, True):
        domain = Stabilized(few_photons=few)
        into, _ = domain.transforms(noisy)
        assert torch.equal(into(noisy), noisy) == (not few)
        (profile,) = domain.transformed_noise(Profiles.measured(noisy))
        assert profile.correlated == (not few)
        assert (profile.level.gain == 0) == few
    counts = repeatable("poisson:1", RAMP[:, :1] / 2) / 4
    into, _ = Stabilized(few_photons=True).transforms(counts)
    assert torch.equal(into(counts), counts)  # whole counts of photons
