"""The centre crop that comparisons score."""

from torch import Tensor

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
    height, width = image.shape[-2:]
    if min(height, width) < size:
        raise PictureError(f"{width}x{height} pixels, smaller than the crop of {size}: choose a smaller crop")
    top, left = (height - size) // 2, (width - size) // 2
    return image[..., top : top + size, left : left + size]
