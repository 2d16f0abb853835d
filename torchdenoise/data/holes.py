"""Holes in a picture: pixels without a value, which are kept as they are and not seen by the fit.

A hole is NaN, the file's "no data" value, fully transparent, or hidden by a mask. For the fit, holes are filled in:
close to their edges by weighted means of the values around, with noise like that around, so that small holes do not
hide the noise; farther inside by one value for each cell. Such constant cells show no noise, so ``informative_pixels``
leaves them out when the noise is measured.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

from torchdenoise.errors import PictureError

CELL = 16
"""Side in pixels of the cells that have one value; doubled until a cell holds values to take it from."""
SIDE = 5
"""Side of the square whose values fill the edge of a hole."""
REACH = 8
"""Distance in pixels, along rows and columns, from which the noise near an edge is taken at most."""
TRIES = 16
"""Places that are tried to find noise."""

NOTHING_LEFT = "every pixel is NaN, transparent, without data or masked: there is nothing to denoise"

Holes = NDArray[np.bool_]
"""True in holes: ``(H, W)``."""


def find_holes(
    colours: NDArray[Any], alpha: NDArray[Any] | None = None, nodata: float | None = None, mask: Holes | None = None
) -> Holes | None:
    """Return the holes of a picture, or None if it has none.

    Args: as ``missing_pixels``.

    Raises:
        PictureError: as ``missing_pixels``, or holes everywhere.

    Example:
        >>> find_holes(np.array([[[1.0], [np.nan]]]))
        array([[False,  True]])
    """
    holes = missing_pixels(colours, alpha, nodata, mask)
    if holes.size and holes.all():
        raise PictureError(NOTHING_LEFT)
    return holes if holes.any() else None


def missing_pixels(
    colours: NDArray[Any], alpha: NDArray[Any] | None = None, nodata: float | None = None, mask: Holes | None = None
) -> Holes:
    """Return where a picture has no value, which may be everywhere.

    Args:
        colours: ``(H, W, C)``; a pixel without a value in one channel is a hole in all.
        alpha: ``(H, W)``, 0 where transparent; a picture that is transparent everywhere counts as opaque.
        nodata: the value that stands for none.
        mask: True where pixels are hidden.

    Raises:
        PictureError: a mask of another size.

    Example:
        >>> missing_pixels(np.array([[[1.0], [0.0]]]), nodata=0)
        array([[False,  True]])
    """
    holes = np.zeros(colours.shape[:2], dtype=bool)
    if colours.dtype.kind == "f":
        holes |= np.isnan(colours).any(-1)
    if nodata is not None:
        holes |= (colours == nodata).any(-1)
    if alpha is not None and alpha.any():
        holes |= alpha == 0
    if mask is not None:
        check_mask_size(mask.shape, holes.shape, "picture")
        holes |= mask
    return holes


def check_mask(mask: Any) -> Holes:
    """Return a mask ``(H, W)`` given as an array; what is not 0 hides a pixel.

    Raises:
        PictureError: another shape.

    Example:
        >>> check_mask([[0, 255]])
        array([[False,  True]])
    """
    array = np.asarray(mask)
    if array.ndim != 2:
        raise PictureError(f"a mask must be (H, W), this one is {array.shape}")
    return np.asarray(array != 0)


def check_mask_size(mask: Sequence[int], size: Sequence[int], name: str) -> None:
    """Raise PictureError unless a mask has the size of the picture or stack, its ``name``; both sizes are (H, W).

    Example:
        >>> check_mask_size((48, 64), (96, 128), "picture")
        Traceback (most recent call last):
        ...
        torchdenoise.errors.PictureError: the mask is 64x48 pixels, the picture 128x96: give ...
    """
    if tuple(mask) != tuple(size):
        raise PictureError(
            f"the mask is {mask[1]}x{mask[0]} pixels, the {name} {size[1]}x{size[0]}: give a mask of the {name}'s size"
        )


def read_mask(path: str | Path) -> Holes:
    """Return the mask in a picture file: pixels that are not black hide those of the picture.

    Raises:
        PictureError: as ``read_picture``.
    """
    from torchdenoise.data.files import read_picture  # which reads pictures with holes itself

    return np.asarray((read_picture(path).image[0] > 0).any(0))


def filled(image: Tensor, holes: Holes) -> Tensor:
    """Return an image ``(1, C, H, W)`` whose holes are filled from the values around them.

    Source: normalised convolution: Knutsson and Westin, CVPR 1993.

    Example:
        >>> filled(torch.tensor([[[[0.5, torch.nan, 0.5]]]]), np.array([[False, True, False]]))
        tensor([[[[0.5000, 0.5000, 0.5000]]]])
    """
    missing = torch.from_numpy(holes)[None, None].to(image.device)
    known = torch.where(missing, 0.0, image)
    weight = (~missing).to(image.dtype)
    result, left = known.clone(), missing
    near, alone = _around(known, weight)
    found = left & (alone > 0)
    result, left = torch.where(found, near, result), left & ~found
    places = found[0, 0].nonzero()
    result[0, :, *places.T] += _noise_near(known, weight > 0, places) * (1 - alone[0, :, *places.T]).clamp(min=0).sqrt()
    side = CELL
    while left.any():
        mean, share = _cells(known, weight, side)
        found = left & (share > 0)
        result, left = torch.where(found, mean, result), left & ~found
        side *= 2
    return result


def _around(known: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weighted mean of the known values around each pixel, and its variance if theirs is 1.

    The variance is 0 where there are no known values.
    """
    offsets = torch.arange(SIDE, dtype=known.dtype, device=known.device) - SIDE // 2
    kernel = torch.exp(-offsets.square() / 2)
    kernel = (kernel[:, None] * kernel)[None, None]

    def summed(values: Tensor, weights: Tensor) -> Tensor:
        channels = values.shape[1]
        return conv2d(values, weights.expand(channels, 1, SIDE, SIDE), padding=SIDE // 2, groups=channels)

    total = summed(weight, kernel).clamp(min=1e-6)
    return summed(known, kernel) / total, summed(weight, kernel.square()) / total.square()


def _noise_near(known: Tensor, seen: Tensor, places: Tensor) -> Tensor:
    """Return noise ``(C, number)`` like that near places ``(number, 2)``; 0 where there are too few known values.

    A sample is a second difference of three known values in a row or column, which white noise makes as large as a
    value of its own after division by the root of 6. It is that of a place nearby, drawn with a fixed seed.
    """
    height, width = known.shape[-2:]
    noise = torch.zeros(known.shape[1], height, width, dtype=known.dtype, device=known.device)
    usable = torch.zeros(height, width, dtype=torch.bool, device=known.device)
    for axis, size in ((1, height), (2, width)):
        if size < 3:
            continue
        parts = [known[0].narrow(axis, at, size - 2) for at in range(3)]
        whole = torch.stack([seen[0].narrow(axis, at, size - 2) for at in range(3)]).all(0)[0]
        inner = noise.narrow(axis, 1, size - 2)
        inner.copy_(torch.where(whole, (parts[0] - 2 * parts[1] + parts[2]) / 6**0.5, inner))
        usable.narrow(axis - 1, 1, size - 2).logical_or_(whole)
    generator = torch.Generator().manual_seed(0)
    result = torch.zeros(known.shape[1], len(places), dtype=known.dtype, device=known.device)
    left = torch.ones(len(places), dtype=torch.bool, device=known.device)
    limits = torch.tensor([height - 1, width - 1])
    for _ in range(TRIES):
        offsets = torch.randint(-REACH, REACH + 1, (len(places), 2), generator=generator)
        rows, columns = (places.cpu() + offsets).clamp(min=0).minimum(limits).to(known.device).T
        found = left & usable[rows, columns]
        result[:, found] = noise[:, rows[found], columns[found]]
        left &= ~found
    return result


def _cells(known: Tensor, weight: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Return, at each pixel, the mean of the known values in its square cell and their share of it."""
    height, width = known.shape[-2:]
    beyond = (0, -width % side, 0, -height % side)

    def mean(values: Tensor) -> Tensor:
        return avg_pool2d(pad(values, beyond), side)

    share = mean(weight)
    means = mean(known) / share.clamp(min=1e-9)
    return tuple(interpolate(each, scale_factor=side)[..., :height, :width] for each in (means, share))  # type: ignore[return-value]
