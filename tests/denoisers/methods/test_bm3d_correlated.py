"""BM3D for correlated noise: the spectrum's units, what the library is given, and what it is worth."""

import bm3d
import numpy as np
import pytest
import torch
from helpers import noisy_image

from torchdenoise.denoisers import BM3D, BM3DCorrelated
from torchdenoise.denoisers.methods.bm3d_correlated import power_spectra
from torchdenoise.denoisers.methods.classical import to_array
from torchdenoise.errors import AssumptionWarning
from torchdenoise.metrics import psnr
from torchdenoise.noise import LevelCurve, NoiseLevelFunction, NoiseProfile, Profiles
from torchdenoise.noise.covariance import draw, root_kernel

OPPONENT = torch.tensor([[1 / 3, 1 / 3, 1 / 3], [0.5, 0, -0.5], [0.25, -0.5, 0.25]])


def blurred():
    """Return a covariance of three channels: neighbours in a row share noise, and so do red and green."""
    lags = torch.tensor([1.0, 2.0, 3.0, 2.0, 1.0]) / 3  # of means of three pixels
    channels = torch.tensor([[1.0, 0.6, 0.0], [0.6, 1.0, 0.0], [0.0, 0.0, 1.0]])
    covariance = torch.zeros(3, 3, 5, 5)
    covariance[..., 2, :] = channels[..., None] * lags
    return covariance


def profile(level=0.1, covariance=None, brighter=0.0):
    nodes = torch.tensor([[0.0, 1.0]]).expand(3, 2)
    curve = LevelCurve(nodes, torch.tensor([[level, level + brighter]]).expand(3, 2))
    covariance = blurred() if covariance is None else covariance
    return NoiseProfile(NoiseLevelFunction(0.0, level), None, curve, covariance)


def given(image, known):
    """Return a method that was given the noise profile of an image."""
    model = BM3DCorrelated()
    model._contexts.of(image, model.domain, lambda _: Profiles(1, lambda _: known))
    return model


def noisy_ramp(shape=(1, 3, 48, 56), level=0.1):
    """Return a clean image, and one with noise of the covariance."""
    clean = torch.linspace(0.3, 0.7, shape[-1]).expand(shape).contiguous()
    noise = draw(root_kernel(blurred()), shape, torch.Generator().manual_seed(0))
    return clean, clean + level * noise


def test_spectra_are_those_of_drawn_noise():
    covariance = 0.01 * blurred()
    noise = 0.1 * draw(root_kernel(blurred()), (400, 3, 24, 20), torch.Generator().manual_seed(1))
    planes = torch.einsum("pc,nchw->nphw", OPPONENT, noise)
    measured = torch.fft.fft2(planes.double()).abs().square().mean(0).numpy()
    spectra = power_spectra(covariance, OPPONENT.double(), (24, 20))
    np.testing.assert_allclose(spectra.mean((1, 2)), planes.square().mean((0, 2, 3)) * 24 * 20, rtol=0.02)
    # Finite windows leak from strong frequencies to weak ones: compare where the noise is.
    strong = spectra > 0.3 * spectra.max((1, 2), keepdims=True)
    assert np.abs(measured / np.maximum(spectra, 1e-9) - 1)[strong].mean() < 0.1


def test_images_smaller_than_the_covariance():
    spectra = power_spectra(0.01 * blurred(), torch.eye(3).double(), (3, 3))
    # A mean of three pixels that repeat every three pixels is the mean of all: only frequency 0 is left.
    expected = 9 * 0.01 * np.array([3.0, 0.0, 0.0])
    np.testing.assert_allclose(spectra[0], np.broadcast_to(expected, (3, 3)), atol=1e-7)


def test_the_library_is_given_the_spectra_of_the_opponent_colours(monkeypatch):
    _, noisy = noisy_ramp()
    seen = {}

    def unchanged(planes, psd, settings):
        seen["psd"] = psd
        return planes

    monkeypatch.setattr(bm3d, "bm3d", unchanged)
    torch.testing.assert_close(given(noisy, profile(brighter=0.1)).restore(noisy), noisy.clamp(0, 1))
    deviation = profile(brighter=0.1).deviation(noisy).double()
    levels = deviation.square().mean((0, 2, 3)).sqrt()
    variances = torch.einsum("pc,pd,c,d,cd->p", *[OPPONENT.double()] * 2, levels, levels, blurred()[..., 2, 2].double())
    ranges = np.ptp(to_array(noisy) @ OPPONENT.double().numpy().T, (0, 1))
    assert seen["psd"].shape == (48, 56, 3)
    np.testing.assert_allclose(seen["psd"].mean((0, 1)), 48 * 56 * variances.numpy() / ranges**2, rtol=1e-5)


def test_it_is_worth_decibels_and_leaves_numpy_alone():
    clean, noisy = noisy_ramp((1, 3, 32, 36))
    plain = psnr(BM3D().restore(noisy), clean).item()
    before = dir(np)
    assert psnr(given(noisy, profile()).restore(noisy), clean).item() > plain + 3
    assert dir(np) == before


def test_channels_that_are_no_colours_have_spectra_of_their_own():
    _, noisy = noisy_ramp((1, 3, 16, 18))
    pair = noisy[:, :2]
    known = profile(covariance=blurred()[:2, :2])
    known = NoiseProfile(known.level, None, LevelCurve(*(each[:2] for each in known.curve)), known.covariance)
    both = given(pair, known).restore(pair)
    grey = NoiseProfile(known.level, None, LevelCurve(*(each[:1] for each in known.curve)), known.covariance[:1, :1])
    for number in range(2):
        alone = pair[:, number : number + 1]
        torch.testing.assert_close(both[:, number : number + 1], given(alone, grey).restore(alone))


def test_white_noise_is_removed_by_plain_bm3d_at_the_level_of_the_profile(monkeypatch):
    noisy = noisy_image(3)
    monkeypatch.setattr(BM3D, "filtered", lambda self, image, level: image * level)
    known = NoiseProfile(NoiseLevelFunction(0.0, 0.01 / 255))
    torch.testing.assert_close(given(noisy, known).restore(noisy), (0.01 * noisy).clamp(0, 1))
    faint = profile(level=1e-6)
    assert torch.equal(given(noisy, faint).restore(noisy), noisy.clamp(0, 1))


def test_noise_that_cannot_be_measured_is_a_warning():
    noisy = noisy_image(1)
    known = NoiseProfile(NoiseLevelFunction(0.0, 0.0), unusable="too little is flat")
    model = given(noisy, known)
    assert model.uses_noise
    with pytest.warns(AssumptionWarning, match="too little is flat, so BM3D removes it like white noise"):
        model.restore(noisy)
    assert len(model.assumption_warnings) == 1
    assert model.noise_line()
