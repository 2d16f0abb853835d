import numpy as np
import pytest
import torch

from torchdenoise.denoisers import DiagonalDownsampler
from torchdenoise.denoisers.parts.downsamplers import cells

SIZES = [(2, 2), (2, 3), (3, 2), (3, 3), (4, 6), (5, 8), (7, 9)]


def image_of(size, dtype=torch.float64):
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(7), dtype=dtype)


def slow_cells(image):
    """The four pixels of every cell, one by one; a line beyond the last one is the last but one."""
    height, width = image.shape[-2:]
    parts = np.zeros((4, *image.shape[:2], -(-height // 2), -(-width // 2)))
    for row in range(parts.shape[-2]):
        for column in range(parts.shape[-1]):
            for place, (down, right) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
                y, x = 2 * row + down, 2 * column + right
                y, x = (height - 2 if y == height else y), (width - 2 if x == width else x)
                parts[place, :, :, row, column] = image[:, :, y, x]
    return parts


def pair(image):
    down = DiagonalDownsampler()
    return down.pair(image, down.draw(image))


@pytest.mark.parametrize("size", SIZES)
def test_cells_against_a_loop(size):
    image = image_of(size)
    np.testing.assert_array_equal(np.stack([part.numpy() for part in cells(image)]), slow_cells(image.numpy()))


@pytest.mark.parametrize("size", SIZES)
def test_halves_are_the_means_of_the_two_diagonals(size):
    image = image_of(size)
    top_left, top_right, bottom_left, bottom_right = slow_cells(image.numpy())
    first, second = pair(image)
    np.testing.assert_allclose(first.numpy(), (top_right + bottom_left) / 2, rtol=1e-15)
    np.testing.assert_allclose(second.numpy(), (top_left + bottom_right) / 2, rtol=1e-15)


@pytest.mark.parametrize("size", [(2, 2), (4, 6), (10, 2)])
def test_the_mean_of_the_pair_is_average_pooling(size):
    image = image_of(size)
    torch.testing.assert_close(sum(pair(image)) / 2, torch.nn.functional.avg_pool2d(image, 2))


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (4, 3)])
def test_gradients_pass(size):
    image = image_of(size)[:1, :1].requires_grad_()
    assert torch.autograd.gradcheck(pair, image)


@pytest.mark.parametrize("size", SIZES)
def test_every_pixel_serves_one_half_and_no_pixel_both(size):
    image = image_of(size).requires_grad_()
    in_first, in_second = (torch.autograd.grad(pair(image)[which].sum(), image)[0] != 0 for which in (0, 1))
    assert torch.equal(in_first, ~in_second)


@pytest.mark.parametrize("size", [(256, 256), (255, 255), (256, 255)])
def test_halves_of_white_noise_are_uncorrelated(size):
    first, second = pair(torch.randn(1, 1, *size, generator=torch.Generator().manual_seed(0)))
    bound = 4 / first.numel() ** 0.5
    assert abs(first.mean()) < bound
    assert first.std().item() == pytest.approx(0.5**0.5, abs=bound)
    for rows in (-1, 0, 1):  # cells beside each other share nothing either
        for columns in (-1, 0, 1):
            moved = second.roll((rows, columns), (-2, -1))
            assert abs(torch.corrcoef(torch.stack([first.flatten(), moved.flatten()]))[0, 1]) < bound
