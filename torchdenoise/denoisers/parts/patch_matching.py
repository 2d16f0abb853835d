"""Similar patches: block matching in a window around each patch."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

PATCHES_PER_CHUNK = 1024
"""Reference patches processed together; limits memory."""

Distances = Callable[[Tensor, Tensor, int, int], Tensor]
"""Of reference patches to all patches of their windows, up to a factor.

The arguments are an image ``(C, h, w)``, the image in which patches are searched with a margin on all sides
``(C, h + 2 reach, w + 2 reach)``, the side of a patch, and the stride between references. The result is
``(references, 2 reach + 1, 2 reach + 1)``.
"""


def squared_distances(image: Tensor, around: Tensor, side: int, stride: int) -> Tensor:
    """Return the squared distances of patches of a plane, see ``Distances``.

    ``|P - Q|^2 = |P|^2 - 2 P Q + |Q|^2``: the products are a correlation of each window with its reference.

    Example:
        >>> squared_distances(torch.tensor([[[1.0]]]), torch.tensor([[[3.0, 1.0, 2.0]]]).expand(1, 3, 3), 1, 1)[0, 0]
        tensor([4., 0., 1.])
    """
    edge = around.shape[-1] - image.shape[-1] + side
    windows = around[0].unfold(0, edge, stride).unfold(1, edge, stride).reshape(1, -1, edge, edge)
    patches = image[0].unfold(0, side, stride).unfold(1, side, stride).reshape(-1, 1, side, side)
    middle = windows.mean((2, 3), keepdim=True)  # smaller numbers round to smaller errors
    windows, patches = windows - middle, patches - middle.movedim(1, 0)
    each = len(patches)
    products = F.conv2d(windows, patches, groups=each)
    squares = F.conv2d(windows.square(), torch.ones_like(patches), groups=each)
    return squares.sub_(products, alpha=2).add_(patches.square().sum((1, 2, 3))[:, None, None])[0]


def absolute_distances(image: Tensor, around: Tensor, side: int, stride: int) -> Tensor:
    """Return the absolute distances of patches, summed over channels, see ``Distances``.

    Example:
        >>> absolute_distances(torch.tensor([[[1.0]]]), torch.tensor([[[3.0, 1.0, 2.0]]]).expand(1, 3, 3), 1, 1)[0, 0]
        tensor([2., 0., 1.])
    """
    (height, width), reach = image.shape[1:], (around.shape[-1] - image.shape[-1]) // 2
    places = range(2 * reach + 1)
    found = [
        F.avg_pool2d((image - around[:, down:][:, :height, right : right + width]).abs().sum(0)[None], side, stride)
        for down in places
        for right in places
    ]
    return torch.stack([each.flatten() for each in found], 1).view(-1, len(places), len(places))


def similar_patches(
    guides: Sequence[Tensor],
    similar: int,
    *,
    window: int,
    side: int,
    stride: int,
    apart: int = 0,
    distances: Distances = squared_distances,
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
        distances: of patches; the nearest ones are similar.

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
    shifts = torch.arange(-reach, reach + 1, device=reference.device)
    rows, columns = (torch.arange(0, size - side + 1, stride, device=reference.device) for size in (height, width))
    candidates = [min(reach, size - side) + 1 for size in (height, width)]  # of a patch in a corner, per axis
    number = min(similar, len(guides) * candidates[0] * candidates[1])
    tops = apart * torch.arange(len(guides), device=reference.device)[:, None, None]
    offsets = ((tops + shifts[:, None]) * width + shifts).flatten()
    for part in torch.split(rows, max(1, PATCHES_PER_CHUNK // len(columns))):
        top, bottom = int(part[0]), int(part[-1]) + side
        above, below = min(reach, top), min(reach, height - bottom)
        margins = (reach, reach, reach - above, reach - below)
        outside = _outside(part, shifts, height - side)[:, None, :, None]
        outside = outside | _outside(columns, shifts, width - side)[None, :, None]
        found = []
        for guide in guides:
            around = F.pad(guide[:, top - above : bottom + below], margins, mode="replicate")
            here = distances(reference[:, top:bottom], around, side, stride).view(outside.shape)
            found.append(here.masked_fill_(outside, torch.inf).flatten(0, 1))
        found[0][:, reach, reach] = -torch.inf  # the reference patch comes first, even among identical ones
        nearest = torch.stack(found, 1).flatten(1).topk(number, largest=False).indices
        corners = (part[:, None] * width + columns).flatten()[:, None]
        yield corners + offsets[nearest]


def _outside(places: Tensor, shifts: Tensor, last: int) -> Tensor:
    """Return which shifted places, ``(places, shifts)``, are not in 0 to ``last``."""
    shifted = places[:, None] + shifts
    return (shifted < 0) | (shifted > last)
