"""Blocks that networks share, against NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from torchdenoise.denoisers.networks._blocks import SkipConcat, moments_of, range_of


def test_skip_channels_come_before_the_deeper_ones():
    features = torch.rand(2, 3, 4, 5)
    both = SkipConcat(nn.Identity(), nn.Conv2d(3, 2, 1))(features)
    assert both.shape == (2, 5, 4, 5)
    assert torch.equal(both[:, :3], features)


@pytest.mark.parametrize("shape", [(1, 1, 4, 5), (2, 3, 6, 4)])
def test_range_and_moments_of_each_channel(shape):
    image = torch.rand(shape, dtype=torch.float64)
    planes = np.moveaxis(image.numpy(), 1, 0).reshape(shape[1], -1)
    for found, expected in (
        (range_of(image), (planes.min(1), np.ptp(planes, 1))),
        (moments_of(image), (planes.mean(1), planes.std(1))),
    ):
        for value, wanted in zip(found, expected, strict=True):
            assert value.shape == (1, shape[1], 1, 1)
            np.testing.assert_allclose(value.flatten().numpy(), wanted)


@pytest.mark.parametrize("scale_of", [range_of, moments_of])
def test_the_scale_of_a_constant_channel_is_positive(scale_of):
    assert scale_of(torch.full((1, 1, 3, 3), 0.5))[1].item() == pytest.approx(1e-6)
