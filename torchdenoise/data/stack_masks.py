"""Masks of stacks: one for all frames, one for each frame, or one for each plane."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from torchdenoise.data.axes import Axes
from torchdenoise.data.damage import decode_errors
from torchdenoise.data.files import open_planes
from torchdenoise.data.frames import ArrayPlanes, Planes
from torchdenoise.data.holes import Holes, check_mask_size, read_mask
from torchdenoise.errors import PictureError
from torchdenoise.paths import read_errors


class StackMasks:
    """Which pixels of a stack are hidden, read frame by frame; what is not 0 in a mask hides a pixel.

    Args:
        masks: one plane for all frames, as many as the stack has frames, or as many as it has planes.
        stack: that they hide parts of.

    Raises:
        PictureError: another size or number.

    Example:
        >>> stack = ArrayPlanes(np.zeros((5, 2, 1, 3)), Axes("TCYX"))
        >>> StackMasks(ArrayPlanes(np.array([[0, 255, 0]]), Axes("YX")), stack).of_frame(4, (8, 9))
        array([[False,  True, False]])
    """

    def __init__(self, masks: Planes, stack: Planes) -> None:
        size, stack_size = (planes.axes.plane_shape(planes.shape)[:2] for planes in (masks, stack))
        check_mask_size(size, stack_size, "stack")
        frames = len(stack.axes.frames(stack.shape))
        if len(masks) not in (1, frames, len(stack)):
            raise PictureError(
                f"the mask has {len(masks)} planes, the stack {frames} frames: give one mask for all, or one for each"
            )
        self._masks = masks
        self._each_plane = len(masks) == len(stack) != frames

    def of_frame(self, number: int, planes: Sequence[int]) -> Holes:
        """Return the mask ``(H, W)`` of a frame; a pixel that is hidden in one of its planes is hidden in all.

        Args:
            number: of the frame; each channel counts its own.
            planes: their numbers.
        """
        chosen = planes if self._each_plane else [number if len(self._masks) > 1 else 0]
        return np.asarray(np.any([_hidden(self._masks.plane(each)) for each in chosen], axis=0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._masks.close()


def masks_of(array: NDArray[Any], stack: Planes) -> StackMasks:
    """Return the masks in an array: (H, W), (frames, H, W), or of the stack's shape.

    Raises:
        PictureError: another shape.
    """
    if array.shape == stack.shape:
        return StackMasks(ArrayPlanes(array, stack.axes), stack)
    if array.ndim not in (2, 3):
        raise PictureError(f"a mask must be (H, W), (frames, H, W) or of the stack's shape, this one is {array.shape}")
    return StackMasks(ArrayPlanes(array, Axes("TYX"[-array.ndim :])), stack)


def read_masks(path: str | Path, stack: Planes) -> StackMasks:
    """Return the masks in a file: a picture for all frames, or a stack of as many.

    Raises:
        PictureError: as ``open_planes`` and ``StackMasks``.
    """
    path = Path(path)
    if path.suffix.lower() == ".npy":  # does not name its axes
        with read_errors(path):
            with decode_errors():
                array = np.load(path, mmap_mode="r")
            return masks_of(array, stack)
    found = open_planes(path)
    with read_errors(path):
        if found is None:
            return StackMasks(ArrayPlanes(read_mask(path), Axes("YX")), stack)
        try:
            return StackMasks(found, stack)
        except PictureError:
            found.close()
            raise


def _hidden(plane: NDArray[Any]) -> Holes:
    hidden = plane != 0
    return np.asarray(hidden.any(-1) if hidden.ndim == 3 else hidden)
