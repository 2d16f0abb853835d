"""Similar patches: block matching in a window around each patch."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

PATCHES_PER_CHUNK = 1024
"""Reference patches processed together; limits memory."""
OUTSIDE = 1e3
"""Value outside the image: nothing is similar to it."""

Difference = Callable[[Tensor, Tensor], Tensor]
"""Of two images ``(C, H, W)``, pixel by pixel: ``(1, H, W)``."""


def squared_difference(first: Tensor, second: Tensor) -> Tensor:
    """Return the squared difference of two planes ``(1, H, W)``.

    Example:
        >>> squared_difference(torch.zeros(1, 1, 1), torch.full((1, 1, 1), 3.0)).item()
        9.0
    """
    return (first - second).square()


def absolute_difference(first: Tensor, second: Tensor) -> Tensor:
    """Return the absolute difference of two images ``(C, H, W)``, summed over channels, as ``(1, H, W)``.

    Example:
        >>> absolute_difference(torch.zeros(2, 1, 1), torch.full((2, 1, 1), -3.0)).item()
        6.0
    """
    return (first - second).abs().sum(0, keepdim=True)


def similar_patches(
    guides: Sequence[Tensor],
    similar: int,
    *,
    window: int,
    side: int,
    stride: int,
    apart: int = 0,
    difference: Difference = squared_difference,
) -> Iterator[Tensor]:
    """Yield chunks of groups of similar patches, as the flat index of each patch's top left pixel.

    A chunk is ``(references, similar)``; each group begins with its reference patch, then the nearest ones. References
    are in row-major order. There are fewer patches in a group if a window in the corner of the image has fewer.

    Args:
        guides: the images ``(C, H, W)`` in which patches are compared; the patches of the first one have groups.
        similar: patches in a group.
        window: side of the search window in pixels, odd; in each of the guides.
        side: of a patch.
        stride: between reference patches.
        apart: rows from the top of one guide to that of the next, in the indices.
        difference: of pixels; its mean over a patch is minimized.

    Example:
        >>> (groups,) = similar_patches([torch.tensor([[[1.0, 5.0, 2.0]]])], 2, window=5, side=1, stride=1)
        >>> groups
        tensor([[0, 2],
                [1, 2],
                [2, 0]])
    """
    reference = guides[0]
    height, width = reference.shape[-2:]
    reach = window // 2
    rows, columns = (torch.arange(0, size - side + 1, stride, device=reference.device) for size in (height, width))
    shifts = torch.cartesian_prod(*2 * [torch.arange(-reach, reach + 1)]).tolist()
    step = max(1, PATCHES_PER_CHUNK // len(columns))
    for part in torch.split(rows, step):
        top, bottom = int(part[0]), int(part[-1]) + side
        strip = reference[:, top:bottom]
        above, below = min(reach, top), min(reach, height - bottom)
        distances = []
        for guide in guides:
            around = F.pad(
                guide[:, top - above : bottom + below],
                (reach, reach, reach - above, reach - below),
                value=OUTSIDE,
            )
            for down, right in shifts:
                other = around[:, reach + down :, reach + right :][:, : bottom - top, :width]
                distances.append(F.avg_pool2d(difference(strip, other), side, stride).flatten())
        candidates = [min(reach, size - side) + 1 for size in (height, width)]  # of a patch in a corner, per axis
        number = min(similar, len(guides) * candidates[0] * candidates[1])
        distances[len(shifts) // 2].fill_(-1)  # the reference patch comes first, even among identical ones
        nearest = torch.stack(distances, 1).topk(number, largest=False).indices
        tops = [number * apart for number in range(len(guides))]
        offsets = [(first + down) * width + right for first in tops for down, right in shifts]
        corners = (part[:, None] * width + columns).flatten()[:, None]
        yield corners + torch.tensor(offsets, device=nearest.device)[nearest]
