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


def white(places, values):
    """Return the noise between all patches of a group, as the sum over their values."""
    return values * (LEVEL / 255) ** 2 * np.eye(len(places))


def inverse_variance(row, noise, values):
    return 1 / max(np.square(row).sum(), 1 / len(row))


def literal(
    noisy, first, side, similar, window, stride, noise_of=white, weight_of=inverse_variance, matched=None, every=1
):
    """One reference patch of the first frame, one channel, one patch of any frame after the other.

    Patches are matched in ``matched``, by default ``first``; ``every`` takes every so many of the reference patches.
    """
    height, width = noisy.shape[2:]
    below, right = (-(size - side) % stride for size in (height, width))
    padding = ((0, 0), (0, 0), (0, below), (0, right))
    noisy, first, matched = (
        np.pad(images, padding, mode="reflect") for images in (noisy, first, first if matched is None else matched)
    )
    matrix = np.array(LUMINANCE_CHROMINANCE) if noisy.shape[1] == 3 else np.eye(noisy.shape[1])
    ys, xs, ms = (np.einsum("oc,fchw->fohw", matrix, images) for images in (noisy, first, matched))
    y, m = ys[0], ms[0]
    channels, tall, wide = y.shape
    total, weights = np.zeros_like(y), np.zeros_like(y)
    rows, columns = range(0, tall - side + 1, stride), range(0, wide - side + 1, stride)
    for top in rows:
        for left in columns:
            if (top // stride + left // stride) % every:
                continue
            reach = window // 2
            others = [
                (
                    np.square(ms[f, 0, r : r + side, c : c + side] - m[0, top : top + side, left : left + side]).sum(),
                    f,
                    r,
                    c,
                )
                for f in range(len(xs))
                for r in range(max(0, top - reach), min(tall - side, top + reach) + 1)
                for c in range(max(0, left - reach), min(wide - side, left + reach) + 1)
            ]
            places = [place for _, *place in sorted(others)[:similar]]
            for channel in range(channels):
                alike = [1, 2] if channels == 3 and channel else [channel]
                big_x = np.stack([xs[f, alike, r : r + side, c : c + side].ravel() for f, r, c in places])
                big_y = np.stack([ys[f, channel, r : r + side, c : c + side].ravel() for f, r, c in places])
                gram = big_x @ big_x.T
                values = len(alike) * side**2
                noise = noise_of(places, values)
                mixing = gram @ np.linalg.inv(gram + noise)
                for row, estimate, (f, r, c) in zip(mixing, mixing @ big_y, places, strict=True):
                    if f > 0:
                        continue
                    weight = weight_of(row, noise, values)
                    total[channel, r : r + side, c : c + side] += weight * estimate.reshape(side, side)
                    weights[channel, r : r + side, c : c + side] += weight
    result = np.where(weights > 0, total / np.where(weights > 0, weights, 1), xs[0])
    return np.einsum("oc,ohw->chw", matrix, result)[:, :height, :width]


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
        noisy.double().numpy(), first.double().numpy(), side, min(similar, seen[0] * seen[1]), window, stride
    )
    assert np.abs(result[0].numpy() - expected).max() < 1e-4


@pytest.mark.parametrize("channels", [1, 3])
def test_earlier_rounds_take_fewer_groups(channels):
    generator = torch.Generator().manual_seed(0)
    noisy, first = (torch.rand(1, channels, 20, 24, generator=generator) for _ in range(2))
    sizes = 4, 2, 5, 4  # patches that do not overlap and few similar ones, so that some pixels are in no group
    result = NonLocalRidge(OnePass(), *sizes, rounds=2, level=LEVEL, thinning=2)(lambda image: first, noisy, generator)
    noisy, first = noisy.double().numpy(), first.double().numpy()
    better = literal(noisy, first, *sizes, every=2)
    expected = literal(noisy, better[None], *sizes, matched=first)
    assert np.abs(result[0].numpy() - expected).max() < 1e-4


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_a_share_of_the_noisy_image_is_averaged_with_the_same_share_of_its_variance(share):
    generator = torch.Generator().manual_seed(0)
    noisy, first = (torch.rand(1, 3, 20, 24, generator=generator) for _ in range(2))
    sizes = 4, 6, 9, 3
    result = NonLocalRidge(OnePass(), *sizes, level=LEVEL, noisy_share=share)(lambda image: first, noisy, generator)
    noisy, first = noisy.double().numpy(), first.double().numpy()
    mixed = share * noisy + (1 - share) * first
    expected = literal(mixed, first, *sizes, noise_of=lambda places, values: share * white(places, values))
    assert np.abs(result[0].numpy() - expected).max() < 1e-4


def test_a_good_first_result_deserves_a_small_share_of_the_noisy_image():
    generator = torch.Generator().manual_seed(0)
    clean = (torch.arange(48) // 6 % 2).float().expand(1, 1, 48, 48)
    noisy = clean + LEVEL / 255 * torch.randn(clean.shape, generator=generator)
    first = clean + 0.02 * torch.randn(clean.shape, generator=generator)

    def error(share):
        readout = NonLocalRidge(OnePass(), similar=16, level=LEVEL, noisy_share=share)
        return (readout(lambda image: first, noisy, generator) - clean).square().mean().item()

    assert error(0.4) < 0.8 * error(1.0)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_a_share_of_the_noisy_image_is_a_share(share):
    with pytest.raises(UserError, match=f"noisy_share {share} must be above 0 and at most 1"):
        NonLocalRidge(noisy_share=share)


@pytest.mark.parametrize(
    ("channels", "height", "width", "similar"),
    [(3, 20, 23, 9), (1, 17, 16, 14), (1, 5, 6, 100)],
)
def test_patches_of_three_frames_are_the_literal_formula(channels, height, width, similar):
    generator = torch.Generator().manual_seed(0)
    noisy, first = (torch.rand(3, channels, height, width, generator=generator) for _ in range(2))
    side, window, stride = 4, 7, 3
    readout = NonLocalRidge(OnePass(), side, similar, window, stride, level=LEVEL)
    profile = NoiseProfile(NoiseLevelFunction(0.0, LEVEL / 255))
    readout = readout.with_neighbours([noisy[1:2], noisy[2:]], [profile, profile])
    result = readout(lambda image: first[(image == noisy).flatten(1).all(1)], noisy[:1], generator)
    grown = [size + -(size - side) % stride for size in (height, width)]
    seen = [min(window // 2, size - side) + 1 for size in grown]
    number = min(similar, 3 * seen[0] * seen[1])
    expected = literal(noisy.double().numpy(), first.double().numpy(), side, number, window, stride)
    assert np.abs(result[0].numpy() - expected).max() < 1e-4


def test_frames_share_no_noise_that_is_correlated_within_each():
    generator = torch.Generator().manual_seed(0)
    noisy, first = (torch.rand(3, 1, 16, 17, generator=generator) for _ in range(2))
    sigma, side, similar, window, stride = LEVEL / 255, 4, 10, 7, 3
    line = torch.tensor([0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 0.7, 0.4, 0.2, 0.1, 0.05])  # reaches beyond a patch
    covariance = (line[:, None] * line).view(1, 1, 11, 11)
    curve = LevelCurve(torch.zeros(1, 1), torch.full((1, 1), sigma))
    profile = NoiseProfile(NoiseLevelFunction(0.0, sigma), None, curve, covariance)
    readout = NonLocalRidge(OnePass(), side, similar, window, stride).with_noise(Profiles(1, lambda _: profile))
    readout = readout.with_neighbours([noisy[1:2], noisy[2:]], [profile, profile])
    result = readout(lambda image: first[(image == noisy).flatten(1).all(1)], noisy[:1], generator)

    def noise_of(places, values):
        def shared(one, other):
            down, right = one[1] - other[1], one[2] - other[2]
            near = one[0] == other[0] and max(abs(down), abs(right)) <= 5
            return covariance[0, 0, 5 + down, 5 + right].item() if near else 0.0

        return values * sigma**2 * np.array([[shared(one, other) for other in places] for one in places])

    def weight_of(row, noise, values):
        return 1 / max(row @ noise @ row / values, 0.25 * sigma**2 / len(row))

    arguments = (noisy.double().numpy(), first.double().numpy(), side, similar, window, stride)
    expected = literal(*arguments, noise_of, weight_of)
    assert np.abs(result[0].numpy() - expected).max() < 1e-3
    assert np.abs(result[0].numpy() - literal(*arguments)).max() > 0.05


def test_bands_and_chunks_of_three_frames_leave_no_seam(monkeypatch):
    noisy = torch.rand(3, 3, 55, 20, generator=torch.Generator().manual_seed(0))
    profile = NoiseProfile(NoiseLevelFunction(0.0, LEVEL / 255))
    readout = NonLocalRidge(OnePass(), side=4, similar=8, window=9, stride=3, rounds=2, level=LEVEL)
    readout = readout.with_neighbours([noisy[1:2], noisy[2:]], [profile, profile])
    whole = readout(identity, noisy[:1], torch.Generator())
    monkeypatch.setattr("torchdenoise.denoisers.parts.nonlocal_ridge.BAND_ROWS", 17)
    monkeypatch.setattr("torchdenoise.denoisers.parts.patch_matching.PATCHES_PER_CHUNK", 1)
    monkeypatch.setattr("torchdenoise.denoisers.parts.nonlocal_ridge.GROUPS_IN_CACHE", 1)
    assert torch.allclose(readout(identity, noisy[:1], torch.Generator()), whole, atol=1e-6)


def test_neighbours_help_where_things_moved():
    generator = torch.Generator().manual_seed(0)
    texture = torch.rand(1, 1, 40, 46, generator=generator)
    clean = torch.cat([texture[..., shift : shift + 40] for shift in (2, 0, 5)])
    noisy = clean + 0.2 * torch.randn(clean.shape, generator=generator)
    profile = NoiseProfile(NoiseLevelFunction(0.0, 0.2))
    alone = NonLocalRidge(OnePass(), side=6, similar=16, window=15, level=51)
    beside = alone.with_neighbours([noisy[1:2], noisy[2:]], [profile, profile])
    errors = [
        (readout(identity, noisy[:1], torch.Generator()) - clean[:1]).square().mean() for readout in (alone, beside)
    ]
    assert errors[1] < 0.9 * errors[0]


def test_chunks_leave_no_seam(monkeypatch):
    noisy = torch.rand(1, 3, 40, 30, generator=torch.Generator().manual_seed(0))
    readout = NonLocalRidge(OnePass(), side=4, similar=8, window=9, stride=3, level=LEVEL)
    whole = readout(identity, noisy, torch.Generator())
    monkeypatch.setattr("torchdenoise.denoisers.parts.patch_matching.PATCHES_PER_CHUNK", 1)
    monkeypatch.setattr("torchdenoise.denoisers.parts.nonlocal_ridge.GROUPS_IN_CACHE", 1)
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


@pytest.mark.parametrize(
    "wrong", [{"side": 0}, {"similar": 0}, {"stride": 0}, {"window": 8}, {"level": -1.0}, {"thinning": 0}]
)
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
