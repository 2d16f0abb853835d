"""The block estimator of correlated noise, on noise whose covariance and level are known."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.noise.correlated import COUPLED, covariance_of_filter, filtered_white, seeded_noise, smoothed
from torchdenoise.noise import LevelCurve, blocks
from torchdenoise.noise.blocks import MAX_LAG, SIDE, correlated_noise
from torchdenoise.noise.covariance import standardized


def test_the_level_between_the_nodes_is_interpolated():
    nodes = torch.tensor([[0.1, 0.3, 0.35, 0.9], [0.0, 0.2, 0.6, 0.6]])
    levels = torch.tensor([[0.2, 0.1, 0.4, 0.3], [0.1, 0.2, 0.3, 0.3]])
    image = torch.cat([seeded_noise(2, 2, 7, 9), nodes.view(1, 2, 2, 2).repeat(2, 1, 4, 5)[..., :7, :9]])
    found = LevelCurve(nodes, levels).at(image)
    assert found.shape == image.shape
    for channel in range(2):
        expected = np.interp(image[:, channel], nodes[channel], levels[channel])
        assert np.allclose(found[:, channel], expected, atol=1e-6)


def test_a_curve_of_one_node_is_constant():
    curve = LevelCurve(torch.tensor([[0.5]]), torch.tensor([[0.2]]))
    assert torch.equal(curve.at(torch.rand(1, 1, 3, 4)), torch.full((1, 1, 3, 4), 0.2))


def test_the_level_keeps_the_type_of_the_image():
    curve = LevelCurve(torch.tensor([[0.0, 1.0]]), torch.tensor([[0.1, 0.2]]))
    assert curve.at(torch.rand(1, 1, 3, 4).double()).dtype == torch.float64


@pytest.mark.parametrize("lag", [(0, 0), (0, 1), (-2, 3)])
def test_taking_out_the_plane_changes_a_covariance_by_the_linear_map(lag):
    """Against the expectation of the products of residuals, summed by hand for noise correlated at one lag."""
    row, column = np.mgrid[0:SIDE, 0:SIDE].reshape(2, -1)
    smooth = np.stack([np.ones(SIDE**2), *(np.cos(np.pi * (each + 0.5) / SIDE) for each in (row, column))], 1)
    projection = np.eye(SIDE**2) - smooth @ np.linalg.pinv(smooth)
    noise = np.array(
        [
            [float((r2 - r, c2 - c) == lag) for r2, c2 in zip(row, column, strict=True)]
            for r, c in zip(row, column, strict=True)
        ]
    )
    residual = projection @ noise @ projection.T
    lags = [(down, right) for down in range(-MAX_LAG, MAX_LAG + 1) for right in range(-MAX_LAG, MAX_LAG + 1)]
    for down, right in [(0, 0), (0, 1), (1, -1), (-2, 3), (2, -3), (4, 4)]:
        at_lag = (row - row[:, None] == down) & (column - column[:, None] == right)
        found = blocks._system()[lags.index((down, right)), lags.index(lag)].item()
        assert found == pytest.approx(residual[at_lag].mean(), abs=1e-9)


def textured_scene(side=230):
    """Return a ramp from dark to bright with stripes and dots in one half."""
    y, x = torch.meshgrid(torch.arange(float(side)), torch.arange(float(side)), indexing="ij")
    texture = 0.15 * torch.sin(0.9 * x) * torch.sin(0.5 * y) * (y > side / 2)
    return (0.2 + 0.6 * x / side + texture).clamp(0, 1)[None, None]


def test_level_and_covariance_of_noise_that_grows_with_brightness():
    clean = torch.cat([textured_scene(), 0.9 * textured_scene()], 1)
    noise = filtered_white(COUPLED, 232, 232)
    covariance, deviations = standardized(covariance_of_filter(COUPLED))
    level = 0.02 + 0.06 * clean
    curve, found, _ = correlated_noise(clean + level * noise / deviations[:, None, None])
    padded = F.pad(covariance, (2, 2, 2, 2))
    assert (found - padded).abs().max() < 0.1
    assert torch.diagonal(found[..., MAX_LAG, MAX_LAG]).tolist() == pytest.approx([1, 1], abs=1e-5)
    assert (curve.brightness.diff() >= 0).all()
    for brightness in (0.25, 0.5, 0.7):
        expected = 0.02 + 0.06 * brightness
        at = curve.at(torch.full((1, 2, 1, 1), brightness)).flatten().tolist()
        assert at == pytest.approx([expected] * 2, rel=0.15)


def test_a_brightness_of_nothing_but_texture_is_limited_by_the_others():
    clean = textured_scene()
    clean = torch.where(clean > 0.6, clean + 0.2 * torch.sign(torch.sin(1.5 * torch.arange(230.0))), clean)
    curve = correlated_noise(clean + 0.05 * smoothed(230, 230)).curve
    assert curve.deviation.min() == pytest.approx(0.05, rel=0.15)
    assert curve.deviation.max() < 0.05 * blocks.MAX_STEP**4


def test_only_informative_parts_count():
    noisy = 0.5 + 0.1 * smoothed(200, 200)
    noisy[..., 100:] = 0.5 + 0.01 * smoothed(200, 100, seed=1)
    informative = torch.ones(1, 1, 200, 200, dtype=torch.bool)
    informative[..., 100:] = False
    curve = correlated_noise(noisy, informative).curve
    assert curve.deviation.mean().item() == pytest.approx(0.1, rel=0.1)
    assert correlated_noise(noisy).curve.deviation.mean() < 0.05


@pytest.mark.parametrize(
    "image",
    [torch.rand(1, 3, 11, 300), torch.rand(1, 1, 24, 24), torch.full((1, 3, 200, 200), 0.5), torch.rand(1, 1, 1, 1)],
)
def test_images_without_enough_blocks_give_nothing(image):
    assert correlated_noise(image) is None


def test_nothing_informative_gives_nothing():
    assert correlated_noise(torch.rand(1, 1, 200, 200), torch.zeros(1, 1, 200, 200, dtype=torch.bool)) is None


def test_a_channel_without_noise_gives_nothing():
    noisy = 0.5 + 0.1 * smoothed(200, 200, 3)
    noisy[:, 1] = 0.3
    assert correlated_noise(noisy) is None


def test_large_images_are_sampled():
    found = blocks._all_blocks(seeded_noise(1, 1, 700, 900), None)
    assert blocks.MAX_BLOCKS / 2 < len(found) <= blocks.MAX_BLOCKS
