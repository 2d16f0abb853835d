"""Working through a batch image by image."""

import pytest
import torch

from torchdenoise.denoisers.parts.images import map_images


def test_each_image_is_a_batch_of_one_and_has_its_own_item():
    images, shapes = torch.rand(3, 2, 4, 5), []

    def scaled(image, factor):
        shapes.append(image.shape)
        return factor * image

    result = map_images(scaled, images, [1.0, 2.0, 3.0])
    assert torch.equal(result, torch.stack([(n + 1) * images[n] for n in range(3)]))
    assert shapes == [(1, 2, 4, 5)] * 3


def test_a_missing_item_is_an_error():
    with pytest.raises(ValueError, match="shorter"):
        map_images(torch.add, torch.rand(2, 1, 1, 1), [1.0])
