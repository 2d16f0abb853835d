"""Correlated noise that is made here, without the code under test, and its covariance by its definition."""

import torch
from torch.nn import functional as F

COUPLED = torch.tensor(
    [
        [[[0.1, 0.4, 0.2], [0.5, 1.0, 0.9], [0.0, 0.1, 0.3]], [[0.0, 0.2, 0.0], [0.0, 0.6, 0.0], [0.3, 0.0, 0.0]]],
        [[[0.0, 0.0, 0.0], [0.4, 0.3, 0.0], [0.0, 0.2, 0.0]], [[0.0, 0.7, 0.0], [0.1, 1.1, 0.1], [0.0, 0.7, 0.2]]],
    ]
)
"""A filter of two channels that mixes them, and is not symmetric."""


def seeded_noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def smoothed(height, width, channels=1, seed=0):
    """Return noise of standard deviation 1: the sum of 2x2 white values, each halved."""
    noise = seeded_noise(1, channels, height + 1, width + 1, seed=seed)
    across = noise[..., 1:] + noise[..., :-1]
    return (across[..., 1:, :] + across[..., :-1, :]) / 2


def covariance_of_filter(kernel):
    """Return E[x_c(p) x_d(p + lag)] of white noise after ``conv2d`` with a kernel ``(C, C, k, k)``, by a loop."""
    reach = kernel.shape[-1] - 1
    result = torch.zeros(*kernel.shape[:2], 2 * reach + 1, 2 * reach + 1)
    side = range(kernel.shape[-1])
    for row in side:
        for column in side:
            for other_row in side:
                for other_column in side:  # x_c(p) and x_d(p + lag) hold the same white value
                    product = kernel[:, :, row, column] @ kernel[:, :, other_row, other_column].T
                    result[..., reach + row - other_row, reach + column - other_column] += product
    return result


def measured_covariance(noise, lag):
    """Return the mean products ``(C, C, 2 lag + 1, 2 lag + 1)`` of noise ``(N, C, H, W)``."""
    height, width = (size - 2 * lag for size in noise.shape[-2:])
    centre = noise[..., lag : lag + height, lag : lag + width]
    result = torch.zeros(noise.shape[1], noise.shape[1], 2 * lag + 1, 2 * lag + 1)
    for down in range(2 * lag + 1):
        for right in range(2 * lag + 1):
            there = noise[..., down : down + height, right : right + width]
            result[..., down, right] = torch.einsum("bchw,bdhw->cd", centre, there) / centre[:, 0].numel()
    return result


def filtered_white(kernel, *size, number=1, seed=0):
    """Return white noise after ``conv2d`` with a kernel."""
    return F.conv2d(seeded_noise(number, kernel.shape[1], *size, seed=seed), kernel)
