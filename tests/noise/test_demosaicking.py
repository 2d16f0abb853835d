"""Demosaicking against slow formulas."""

import pytest
import torch

from torchdenoise.noise.demosaicking import bilinear, gradient_corrected


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def slow_demosaicked(sensor):
    """Return the mean of the neighbours that hold each colour, pixel by pixel, away from the edges."""
    _, _, height, width = sensor.shape
    holds = [[[row % 2 == 0 and column % 2 == 0 for column in range(width)] for row in range(height)]]
    holds.append([[(row + column) % 2 == 1 for column in range(width)] for row in range(height)])
    holds.append([[row % 2 == 1 and column % 2 == 1 for column in range(width)] for row in range(height)])
    result = torch.zeros_like(sensor)
    for colour in range(3):
        for row in range(1, height - 1):
            for column in range(1, width - 1):
                if holds[colour][row][column]:
                    result[0, colour, row, column] = sensor[0, colour, row, column]
                    continue
                reach = [(-1, 0), (1, 0), (0, -1), (0, 1)]
                near = [(row + y, column + x) for y, x in reach if holds[colour][row + y][column + x]]
                if not near:
                    diagonal = [(row + y, column + x) for y in (-1, 1) for x in (-1, 1)]
                    near = [(y, x) for y, x in diagonal if holds[colour][y][x]]
                result[0, colour, row, column] = sum(sensor[0, colour, y, x] for y, x in near) / len(near)
    return result


def test_bilinear_demosaicking():
    sensor = torch.rand(1, 3, 8, 10, generator=seeded())
    fast = bilinear(sensor)
    torch.testing.assert_close(fast[..., 1:-1, 1:-1], slow_demosaicked(sensor)[..., 1:-1, 1:-1])


def test_gradient_correction_adds_the_curvature_of_the_other_colour():
    """Malvar et al., equations 2 to 5, at one pixel of each kind."""
    sensor = torch.rand(1, 3, 12, 12, generator=seeded(), dtype=torch.float64)
    red, green, blue = sensor[0].numpy()
    found = gradient_corrected(sensor)[0].numpy()

    def mean(plane, *places):
        return sum(plane[row + y, column + x] for y, x in places) / len(places)

    cross, corners = [(-1, 0), (1, 0), (0, -1), (0, 1)], [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    row, column = 4, 4  # red
    curvature = red[row, column] - mean(red, *((2 * y, 2 * x) for y, x in cross))
    assert found[0, row, column] == pytest.approx(red[row, column])
    assert found[1, row, column] == pytest.approx(mean(green, *cross) + curvature / 2)
    assert found[2, row, column] == pytest.approx(mean(blue, *corners) + 3 / 4 * curvature)
    row, column = 4, 5  # green between two reds
    weighted = 6 * mean(green, *corners, (0, -2), (0, 2)) - mean(green, (-2, 0), (2, 0))
    expected = mean(red, (0, -1), (0, 1)) + 5 / 8 * (green[row, column] - weighted / 5)
    assert found[1, row, column] == pytest.approx(green[row, column])
    assert found[0, row, column] == pytest.approx(expected)


def test_the_pattern_seen_from_blue_is_the_one_seen_from_red():
    sensor = torch.rand(1, 3, 10, 12, generator=seeded())
    turned = gradient_corrected(sensor.flip(1, 2, 3)).flip(1, 2, 3)
    torch.testing.assert_close(turned, gradient_corrected(sensor))


def test_colours_share_noise_after_gradient_correction():
    noise = gradient_corrected(torch.randn(1, 3, 128, 128, generator=seeded()))[0].flatten(1)
    shared = torch.corrcoef(noise)
    assert shared[0, 1] > 0.1
    assert shared[0, 2] > 0.1
    assert torch.corrcoef(bilinear(torch.randn(1, 3, 128, 128, generator=seeded()))[0].flatten(1))[0, 2].abs() < 0.05
