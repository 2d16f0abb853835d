"""The part of a stack that is inspected."""

import torch
from torch import Tensor

from torchdenoise.data import Planes
from torchdenoise.fitting.frames import frame_groups
from torchdenoise.noise import NoiseProfile, ValueRange


def sampled(
    planes: Planes, data_range: float | tuple[float, float] | None = None
) -> tuple[Tensor, NoiseProfile | None, ValueRange]:
    """Return what ``inspect_noise`` takes: some frames of a stack below each other, their noise, their black and white.

    Args:
        planes: of a stack, or of one picture.
        data_range: as in ``Scaling.of``.

    Raises:
        PictureError: as ``Scaling.of``.

    Example:
        >>> from torchdenoise.data import ArrayPlanes, Axes
        >>> image, profile, values = sampled(ArrayPlanes(np.random.rand(2, 32, 40), Axes("TYX")))
        >>> image.shape, profile is None, values.white
        (torch.Size([1, 1, 64, 40]), False, 1.0)
    """
    (group,) = frame_groups(planes, data_range=data_range)
    return torch.cat(group.sample(), -2), None if group.noise is None else group.noise.profile, group.values
