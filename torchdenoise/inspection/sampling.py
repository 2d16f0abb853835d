"""The part of a stack that is inspected."""

import torch
from torch import Tensor

from torchdenoise.fitting.frames import FrameGroup
from torchdenoise.noise import NoiseProfile, ValueRange


def sampled(group: FrameGroup) -> tuple[Tensor, NoiseProfile | None, ValueRange]:
    """Return what ``inspect_noise`` takes: some frames below each other, their noise, their black and white.

    Args:
        group: of frames that share their noise, as ``frame_groups`` returns it.

    Raises:
        PictureError: a frame cannot be read.

    Example:
        >>> from torchdenoise.data import ArrayPlanes, Axes
        >>> from torchdenoise.fitting.frames import frame_groups
        >>> (group,) = frame_groups(ArrayPlanes(np.random.rand(2, 32, 40), Axes("TYX")))
        >>> image, profile, values = sampled(group)
        >>> image.shape, profile is None, values.white
        (torch.Size([1, 1, 64, 40]), False, 1.0)
    """
    return torch.cat(group.sample(), -2), None if group.noise is None else group.noise.profile, group.values
