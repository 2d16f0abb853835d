"""The centre crop that comparisons score."""

from dataclasses import replace

import numpy as np
from torch import Tensor

from torchdenoise.data.picture import Picture
from torchdenoise.errors import PictureError


def centre_crop(image: Tensor, size: int | None) -> Tensor:
    """Return the ``size`` x ``size`` centre of ``(B, C, H, W)``, or the whole image for None.

    Raises:
        PictureError: the image is smaller than the crop.

    Example:
        >>> centre_crop(torch.arange(16.0).view(1, 1, 4, 4), 2)
        tensor([[[[ 5.,  6.],
                  [ 9., 10.]]]])
    """
    if size is None:
        return image
    rows, columns = _centre(image.shape[-2], image.shape[-1], size)
    return image[..., rows, columns]


def cropped(picture: Picture, size: int | None) -> Picture:
    """Return the ``size`` x ``size`` centre of a picture, or the whole picture for None.

    Raises:
        PictureError: the picture is smaller than the crop.

    Example:
        >>> cropped(Picture.from_array(np.zeros((8, 9, 4), np.uint8)), 2).shape
        (2, 2, 4)
    """
    if size is None:
        return picture
    centre = _centre(picture.shape[0], picture.shape[1], size)
    holes, kept = picture.holes, picture.kept
    if holes is not None and kept is not None:
        inside = np.zeros_like(holes)
        inside[centre] = True
        holes, kept = holes[centre], kept[inside[holes]]
    return replace(
        picture,
        image=centre_crop(picture.image, size),
        shape=(size, size, *picture.shape[2:]),
        alpha=None if picture.alpha is None else picture.alpha[centre],
        unclamped=None if picture.unclamped is None else centre_crop(picture.unclamped, size),
        holes=holes,
        kept=kept,
    )


def _centre(height: int, width: int, size: int) -> tuple[slice, slice]:
    """Return rows and columns of the centre; PictureError if it does not fit."""
    if min(height, width) < size:
        raise PictureError(f"{width}x{height} pixels, smaller than the crop of {size}: choose a smaller crop")
    top, left = (height - size) // 2, (width - size) // 2
    return slice(top, top + size), slice(left, left + size)
