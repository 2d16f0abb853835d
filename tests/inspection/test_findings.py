"""What is found in a picture and in the frames of a stack, with the recipe that ``auto`` takes."""

import numpy as np
import torch
from helpers import noisy_scene

from torchdenoise.data import ArrayPlanes, Axes
from torchdenoise.fitting.frames import frame_groups
from torchdenoise.inspection import inspect_frames, inspect_image


def test_of_a_picture_and_a_stack_of_it_alone_the_same_is_found():
    noisy = noisy_scene(64, 64, sigma=12, channels=1)[..., 0].clip(0, 1)
    image = torch.from_numpy(noisy).float()[None, None]
    (group,) = frame_groups(ArrayPlanes(noisy.astype(np.float32), Axes("YX")))
    alone, of_stack = inspect_image(image, group.values), inspect_frames(group)
    assert str(alone.choice) == "by pretrained-fast"
    assert alone.recipes[0].recipe == "pretrained-fast"
    assert alone.in_words() == of_stack.in_words()


def test_the_first_frame_of_a_stack_decides():
    frames = np.stack([noisy_scene(15, 40, channels=1, seed=seed)[..., 0] for seed in range(3)]).astype(np.float32)
    (group,) = frame_groups(ArrayPlanes(frames, Axes("TYX")))
    found = inspect_frames(group)
    assert found.image.shape == (1, 1, 45, 40)
    assert found.in_words()[-1] == ("auto", "by fast: the picture is too small for a trial")
