"""The noise of similar patches, against the formula with every entry of N written out."""

import numpy as np
import pytest
import torch

from tests.noise.correlated import covariance_of_filter
from torchdenoise.denoisers.parts.nonlocal_ridge import LUMINANCE_CHROMINANCE
from torchdenoise.denoisers.parts.patch_noise import MIN_RIDGE, MIN_SHARE, CorrelatedPatches, WhitePatches, _PlaneNoise
from torchdenoise.noise.covariance import standardized

SIDE, HEIGHT, WIDTH, SIMILAR = 4, 20, 23, 12
MATRIX = torch.tensor(LUMINANCE_CHROMINANCE)


def seeded(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def corners(seed=0, groups=5):
    """Return the corners of patches that lie near each other, the first one in the image's corner."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(HEIGHT - SIDE + 1, (groups, SIMILAR), generator=generator) // 2
    columns = torch.randint(WIDTH - SIDE + 1, (groups, SIMILAR), generator=generator) // 2
    rows[0, 0] = columns[0, 0] = 0
    return rows * WIDTH + columns


@pytest.mark.parametrize("planes", [[0], [1, 2]])
def test_without_correlation_it_is_the_formula_of_white_noise(planes):
    sigma, white = 0.1, torch.eye(3).view(3, 3, 1, 1)
    correlated = CorrelatedPatches(MATRIX, white, torch.full((3, HEIGHT, WIDTH), sigma), SIDE)
    xs = seeded(5, SIMILAR, SIDE**2 * len(planes))
    rows, columns = torch.cartesian_prod(torch.arange(HEIGHT - SIDE + 1), torch.arange(WIDTH - SIDE + 1)).T
    places = (rows * WIDTH + columns)[: 5 * SIMILAR].view(5, SIMILAR)  # every patch at another place
    mixing, weights = correlated.combination(xs, places, planes)
    expected, expected_weights = WhitePatches(torch.tensor([sigma])).combination(xs, places, planes)
    assert torch.allclose(mixing, expected, atol=1e-4)
    assert torch.allclose(weights * sigma**2, expected_weights, rtol=1e-2)


@pytest.mark.parametrize("planes", [[0], [1, 2]])
def test_it_is_the_formula_with_every_entry_of_the_noise(planes):
    kernel = seeded(3, 3, 3, 3, seed=1)
    covariance = standardized(covariance_of_filter(kernel))[0]
    deviation = 0.05 + 0.1 * seeded(3, HEIGHT, WIDTH, seed=2)
    xs, places = seeded(5, SIMILAR, SIDE**2 * len(planes), seed=3), corners()
    found, found_weights = CorrelatedPatches(MATRIX, covariance, deviation, SIDE).combination(xs, places, planes)
    matrix, n = MATRIX.numpy(), SIDE**2 * len(planes)
    mean = np.sqrt((deviation.numpy() ** 2).mean((1, 2)))

    def shared(down, right):
        """Return the correlation of the planes at an offset."""
        if max(abs(down), abs(right)) > 2:
            return 0.0
        at = [covariance[..., 2, 2].numpy(), covariance[..., 2 + down, 2 + right].numpy()]
        zero, there = (
            sum(
                matrix[p, c] * mean[c] * each[c, d] * matrix[p, d] * mean[d]
                for p in planes
                for c in range(3)
                for d in range(3)
            )
            for each in at
        )
        return there / zero

    def variance(row, column):
        """Return the mean variance of the planes in a patch."""
        total = 0.0
        for r in range(row, row + SIDE):
            for k in range(column, column + SIDE):
                s = matrix[planes] * deviation[:, r, k].numpy()
                total += np.trace(s @ covariance[..., 2, 2].numpy() @ s.T)
        return total / n

    for group in range(5):
        rows, columns = places[group].numpy() // WIDTH, places[group].numpy() % WIDTH
        local = [variance(*place) for place in zip(rows, columns, strict=True)]
        noise = np.array(
            [
                [
                    n * np.sqrt(local[i] * local[j]) * shared(rows[j] - rows[i], columns[j] - columns[i])
                    for j in range(SIMILAR)
                ]
                for i in range(SIMILAR)
            ]
        )
        x = xs[group].double().numpy()
        gram = x @ x.T
        ridge = MIN_RIDGE * (1 + np.diag(gram).mean())
        mixing = gram @ np.linalg.inv(gram + noise + ridge * np.eye(SIMILAR))
        assert np.allclose(found[group].numpy(), mixing, atol=2e-3)
        left = np.array([row @ noise @ row / n for row in mixing])
        weights = 1 / np.maximum(left, MIN_SHARE * np.array(local) / SIMILAR)
        assert np.allclose(found_weights[group, :, 0].numpy(), weights, rtol=2e-2)


@pytest.mark.parametrize("width", [SIDE, 6, 9, WIDTH])
def test_correlation_reaches_no_patch_in_another_row_by_the_border(width):
    """In narrow images too, where an offset of few columns back and one row down is few pixels in memory."""
    correlation, lag = seeded(9, 9, seed=4), 4
    places = torch.randint(width * HEIGHT, (7, SIMILAR), generator=torch.Generator().manual_seed(5))
    found = _PlaneNoise(correlation, torch.ones(HEIGHT, width)).correlations(places)
    for group, rows, columns in zip(found, places // width, places % width, strict=True):
        for i in range(SIMILAR):
            for j in range(SIMILAR):
                down, right = int(rows[j] - rows[i]), int(columns[j] - columns[i])
                near = max(abs(down), abs(right)) <= lag
                assert group[i, j] == (correlation[lag + down, lag + right] if near else 0)


def test_the_same_noise_twice_is_not_two_observations():
    """Two patches at the same place get the weight of one: combining them removes no noise."""
    full = torch.ones(1, 1, 1, 1)
    noise = CorrelatedPatches(torch.eye(1), full, torch.full((1, HEIGHT, WIDTH), 0.1), SIDE)
    xs = seeded(1, 1, SIDE**2).expand(1, 2, SIDE**2)
    _, same = noise.combination(xs, torch.zeros(1, 2, dtype=torch.long), [0])
    _, apart = noise.combination(xs, torch.tensor([[0, 10 * WIDTH + 10]]), [0])
    assert (apart / same).flatten().tolist() == pytest.approx([2, 2], rel=0.05)


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_an_indefinite_correlation_does_not_fail(scale):
    covariance = torch.full((1, 1, 9, 9), -0.9 * scale)
    covariance[0, 0, 4, 4] = 1
    noise = CorrelatedPatches(torch.eye(1), covariance, torch.full((1, HEIGHT, WIDTH), 0.2), SIDE)
    xs = 0.01 * seeded(5, SIMILAR, SIDE**2)
    mixing, weights = noise.combination(xs, corners(), [0])
    assert mixing.isfinite().all()
    assert weights.isfinite().all()
    assert (weights > 0).all()


def test_dark_patches_without_noise_do_not_fail():
    noise = CorrelatedPatches(torch.eye(1), torch.ones(1, 1, 1, 1), torch.zeros(1, HEIGHT, WIDTH), SIDE)
    mixing, weights = noise.combination(torch.zeros(2, SIMILAR, SIDE**2), corners(groups=2), [0])
    assert mixing.isfinite().all()
    assert weights.isfinite().all()
