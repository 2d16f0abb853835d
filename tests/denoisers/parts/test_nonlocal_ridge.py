"""The non-local ridge readout against a literal, slow version of the formulas."""

import numpy as np
import pytest
import torch

from torchdenoise import UserError
from torchdenoise.denoisers import NonLocalRidge, OnePass
from torchdenoise.denoisers.parts.nonlocal_ridge import LUMINANCE_CHROMINANCE
from torchdenoise.noise import LevelCurve, NoiseLevelFunction, NoiseProfile, Profiles, repeatable

LEVEL = 25.0


def identity(image):
    return image


def literal(noisy, first, side, similar, window, stride):
    """One reference patch, one channel, one patch after the other."""
    height, width = noisy.shape[1:]
    below, right = (-(size - side) % stride for size in (height, width))
    noisy, first = (np.pad(image, ((0, 0), (0, below), (0, right)), mode="reflect") for image in (noisy, first))
    matrix = np.array(LUMINANCE_CHROMINANCE) if len(noisy) == 3 else np.eye(len(noisy))
    y, x = np.einsum("oc,chw->ohw", matrix, noisy), np.einsum("oc,chw->ohw", matrix, first)
    channels, tall, wide = y.shape
    total, weights = np.zeros_like(y), np.zeros_like(y)
    rows, columns = range(0, tall - side + 1, stride), range(0, wide - side + 1, stride)
    for top in rows:
        for left in columns:
            reach = window // 2
            others = [
                (np.square(x[0, r : r + side, c : c + side] - x[0, top : top + side, left : left + side]).sum(), r, c)
                for r in range(max(0, top - reach), min(tall - side, top + reach) + 1)
                for c in range(max(0, left - reach), min(wide - side, left + reach) + 1)
            ]
            places = [(r, c) for _, r, c in sorted(others)[:similar]]
            for channel in range(channels):
                alike = [1, 2] if channels == 3 and channel else [channel]
                big_x = np.stack([x[alike, r : r + side, c : c + side].ravel() for r, c in places])
                big_y = np.stack([y[channel, r : r + side, c : c + side].ravel() for r, c in places])
                gram = big_x @ big_x.T
                noise = len(alike) * side**2 * (LEVEL / 255) ** 2
                mixing = gram @ np.linalg.inv(gram + noise * np.eye(len(places)))
                for row, estimate, (r, c) in zip(mixing, mixing @ big_y, places, strict=True):
                    weight = 1 / max(np.square(row).sum(), 1 / len(places))
                    total[channel, r : r + side, c : c + side] += weight * estimate.reshape(side, side)
                    weights[channel, r : r + side, c : c + side] += weight
    return np.einsum("oc,ohw->chw", matrix, total / weights)[:, :height, :width]


@pytest.mark.parametrize(
    ("channels", "height", "width", "side", "similar", "window", "stride"),
    [(3, 20, 23, 4, 6, 9, 3), (1, 17, 16, 5, 8, 7, 5), (3, 8, 40, 8, 6, 5, 4), (1, 4, 5, 8, 4, 9, 2)],
)
def test_it_is_the_literal_formula(channels, height, width, side, similar, window, stride):
    generator = torch.Generator().manual_seed(0)
    noisy = torch.rand(1, channels, height, width, generator=generator)
    first = torch.rand(1, channels, height, width, generator=generator)
    readout = NonLocalRidge(OnePass(), side, similar, window, stride, level=LEVEL)
    result = readout(lambda image: first, noisy, generator)
    side = min(side, height, width)
    grown = [size + -(size - side) % stride for size in (height, width)]
    seen = [min(window // 2, size - side) + 1 for size in grown]
    expected = literal(
        noisy[0].double().numpy(), first[0].double().numpy(), side, min(similar, seen[0] * seen[1]), window, stride
    )
    assert np.abs(result[0].numpy() - expected).max() < 1e-4


def test_chunks_leave_no_seam(monkeypatch):
    noisy = torch.rand(1, 3, 40, 30, generator=torch.Generator().manual_seed(0))
    readout = NonLocalRidge(OnePass(), side=4, similar=8, window=9, stride=3, level=LEVEL)
    whole = readout(identity, noisy, torch.Generator())
    monkeypatch.setattr("torchdenoise.denoisers.parts.nonlocal_ridge.GROUPS_PER_CHUNK", 1)
    assert torch.allclose(readout(identity, noisy, torch.Generator()), whole, atol=1e-6)


@pytest.mark.parametrize("height", [36, 37, 53, 55])
@pytest.mark.parametrize("rounds", [1, 2])
def test_bands_leave_no_seam(monkeypatch, height, rounds):
    noisy = torch.rand(1, 3, height, 20, generator=torch.Generator().manual_seed(0))
    readout = NonLocalRidge(OnePass(), side=4, similar=8, window=9, stride=3, rounds=rounds, level=LEVEL)
    whole = readout(identity, noisy, torch.Generator())
    monkeypatch.setattr("torchdenoise.denoisers.parts.nonlocal_ridge.BAND_ROWS", 17)
    assert torch.allclose(readout(identity, noisy, torch.Generator()), whole, atol=1e-6)


def test_it_recovers_what_the_network_smoothed_away():
    row = (torch.arange(64) // 4 % 2).float() * 0.5 + 0.25
    clean = row.expand(1, 3, 64, 64)
    noisy = repeatable("gaussian:25", clean)
    blurred = torch.nn.functional.avg_pool2d(noisy, 3, 1, 1, count_include_pad=False)
    result = NonLocalRidge(OnePass())(lambda image: blurred, noisy, torch.Generator())
    before, after = ((image - clean).square().mean() for image in (blurred, result))
    assert after < before / 4


@pytest.mark.parametrize("size", [(32, 32), (2, 9), (5, 3)])
def test_every_pixel_is_in_a_patch(size):
    noisy = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    readout = NonLocalRidge(OnePass(), side=4, stride=6, similar=1, level=25)
    assert readout(lambda image: image, noisy, torch.Generator()).isfinite().all()


def test_without_noise_nothing_changes():
    noisy = torch.rand(1, 3, 24, 24)
    assert torch.allclose(NonLocalRidge(OnePass(), level=0)(identity, noisy, torch.Generator()), noisy, atol=1e-3)


@pytest.mark.parametrize("similar", [2, 64, 128])
@pytest.mark.parametrize("shade", [84, 156, 204, 228])
def test_drawings_without_noise_stay_unchanged(shade, similar):
    drawing = torch.full((1, 3, 48, 48), shade / 255)
    drawing[..., 20:30, 20:24] = 0
    drawing[..., 40:43, 10:40] = 0.5
    readout = NonLocalRidge(OnePass(), similar=similar, level=0)
    assert (readout(identity, drawing, torch.Generator()) - drawing).abs().max() < 0.01


@pytest.mark.parametrize("wrong", [{"side": 0}, {"similar": 0}, {"stride": 0}, {"window": 8}, {"level": -1.0}])
def test_bad_arguments_are_refused(wrong):
    with pytest.raises(UserError, match=r"NonLocalRidge: side .* must be at least 1, window .* odd"):
        NonLocalRidge(**wrong)


def test_patches_of_several_channels_are_matched_by_all_of_them():
    generator = torch.Generator().manual_seed(0)
    bars = (torch.arange(40) // 4 % 2).float().expand(40, 40)
    clean = torch.stack([torch.full((40, 40), 0.5), bars])[None]
    noisy = clean + 0.1 * torch.randn(1, 2, 40, 40, generator=generator)

    def error(channels):
        readout = NonLocalRidge(OnePass(), side=4, similar=8, window=9, stride=2, level=25.5)
        pilot = clean[:, channels] + 0.02 * torch.randn(1, 2, 40, 40, generator=generator)
        return (readout(lambda _: pilot, noisy[:, channels], generator) - clean[:, channels]).square().mean().item()

    # The order does not matter: the channel with the bars decides even if it is not the first.
    assert error([0, 1]) == pytest.approx(error([1, 0]), rel=0.1)


def test_many_channels_of_the_same_things_share_their_weights():
    generator = torch.Generator().manual_seed(0)
    noisy = torch.rand(1, 1, 24, 24, generator=generator).expand(1, 6, 24, 24)
    readout = NonLocalRidge(OnePass(), side=4, similar=8, window=9, level=25)
    many = readout(lambda image: image, noisy, generator)
    one = readout(lambda image: image, noisy[:, :1], generator)
    torch.testing.assert_close(many, one.expand_as(many), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("covariance", "expected"), [(None, 1), (torch.eye(3)[..., None, None], 3)])
def test_correlated_noise_has_rounds_of_its_own(covariance, expected):
    noisy = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    curve = None if covariance is None else LevelCurve(torch.zeros(3, 1), torch.full((3, 1), LEVEL / 255))
    profile = NoiseProfile(NoiseLevelFunction(0.0, LEVEL / 255), None, curve, covariance)
    several, same = (
        NonLocalRidge(OnePass(), side=4, similar=8, window=9, rounds=rounds, correlated_rounds=correlated).with_noise(
            Profiles(1, lambda _: profile)
        )(identity, noisy, torch.Generator())
        for rounds, correlated in ((1, 3), (expected, None))
    )
    assert torch.equal(several, same)
