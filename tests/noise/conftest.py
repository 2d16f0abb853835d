"""A photograph for all tests of noise."""

import pytest
import skimage.data
import torch


@pytest.fixture(scope="module")
def coffee():
    return torch.from_numpy(skimage.data.coffee()[:256, 200:456]).permute(2, 0, 1)[None] / 255
