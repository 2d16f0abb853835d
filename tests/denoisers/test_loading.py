"""Trained networks as plain modules, by name and by file."""

import pytest
import torch

from torchdenoise import CheckpointError, load
from torchdenoise.denoisers.weight_files import located


@pytest.mark.parametrize(("name", "channels"), [("colour", 3), ("torchdenoise:grey", 1)])
def test_a_shipped_network_takes_images_of_any_size(name, channels):
    network = load(name)
    image = torch.rand(2, channels, 13, 9, requires_grad=True)
    denoised = network(image)
    assert denoised.shape == image.shape
    assert not network.training
    denoised.sum().backward()
    assert image.grad is not None


def test_a_file_is_loaded_as_well():
    image = torch.rand(1, 1, 16, 16)
    assert torch.equal(load(located("torchdenoise:grey"))(image), load("grey")(image))


def test_an_unknown_name():
    with pytest.raises(CheckpointError, match="violet: no such checkpoint file"):
        load("violet")
