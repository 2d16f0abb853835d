"""Similar patches against literal loops."""

import numpy as np
import pytest
import torch

from torchdenoise.denoisers.parts.patch_matching import (
    absolute_distances,
    similar_patches,
    squared_distances,
)


def image(channels, height, width, seed=0):
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(seed))


def slow_groups(guides, similar, window, side, stride, apart, power):
    """Return, for each reference, the flat indices of the nearest patches, by sorting all of a window."""
    reach, (height, width) = window // 2, guides[0].shape[1:]
    found = []
    for y in range(0, height - side + 1, stride):
        for x in range(0, width - side + 1, stride):
            patch, near = guides[0][:, y : y + side, x : x + side], []
            for number, guide in enumerate(guides):
                for v in range(max(0, y - reach), min(height - side, y + reach) + 1):
                    for u in range(max(0, x - reach), min(width - side, x + reach) + 1):
                        other = guide[:, v : v + side, u : u + side]
                        distance = (abs(patch - other) ** power).sum()
                        itself = (number, v, u) == (0, y, x)
                        near.append((-1 if itself else distance, (number * apart + v) * width + u))
            found.append([index for _, index in sorted(near)[:similar]])
    return found


@pytest.mark.parametrize(("channels", "distances", "power"), [(1, squared_distances, 2), (3, absolute_distances, 1)])
@pytest.mark.parametrize(("side", "stride", "window"), [(3, 1, 5), (2, 2, 7), (1, 1, 3)])
def test_groups_are_the_nearest_patches_of_a_window(monkeypatch, channels, distances, power, side, stride, window):
    monkeypatch.setattr("torchdenoise.denoisers.parts.patch_matching.PATCHES_PER_CHUNK", 9)
    guide = image(channels, 8, 7)
    groups = torch.cat(list(similar_patches([guide], 4, window=window, side=side, stride=stride, distances=distances)))
    assert groups.tolist() == slow_groups([guide.numpy()], 4, window, side, stride, 0, power)


def test_patches_of_further_images_count_too():
    guides = [image(1, 6, 7, seed) for seed in range(3)]
    groups = torch.cat(list(similar_patches(guides, 5, window=3, side=2, stride=1, apart=8)))
    assert groups.tolist() == slow_groups([each.numpy() for each in guides], 5, 3, 2, 1, 8, 2)


def test_a_small_image_has_fewer():
    (groups,) = similar_patches([image(1, 3, 2)], 99, window=9, side=2, stride=1)
    assert groups.shape == (2, 2)
    assert np.array_equal(np.sort(groups, 1), [[0, 2], [0, 2]])


def test_small_differences_count_in_a_bright_image():
    guide = 0.9 + 1e-3 * image(1, 24, 24)
    groups = torch.cat(list(similar_patches([guide], 3, window=9, side=4, stride=4)))
    assert groups.tolist() == slow_groups([guide.double().numpy()], 3, 9, 4, 4, 0, 2)


def test_the_reference_comes_first_among_identical_patches():
    groups = torch.cat(list(similar_patches([torch.full((1, 9, 9), 0.3)], 4, window=5, side=3, stride=3)))
    assert groups[:, 0].tolist() == [0, 3, 6, 27, 30, 33, 54, 57, 60]
