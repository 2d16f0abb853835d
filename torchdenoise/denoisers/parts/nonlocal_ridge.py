"""NL-Ridge's second step as a readout: similar patches of the noisy picture, combined as the network's result tells."""

from collections.abc import Iterator, Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from torchdenoise.denoisers.networks.calling import reflect
from torchdenoise.denoisers.parts.losses import Denoise
from torchdenoise.denoisers.parts.readouts import Readout, WrappedReadout
from torchdenoise.errors import UserError
from torchdenoise.noise import noise_deviation

OPPONENT = ((3**-0.5,) * 3, (2**-0.5, 0.0, -(2**-0.5)), (6**-0.5, -2 * 6**-0.5, 6**-0.5))
"""Orthonormal: brightness and two colour differences, which hold little but noise."""
AT_ONCE = 1024
"""Groups of patches that are worked on together: with the window and the patch they bound the memory."""
BAND = 1024
"""Rows, without a margin."""
TINY = 1e-5
"""So much of a group's own size is added where there is no noise: the matrix could not be inverted."""
ROUNDING = 1e-6
"""So much of the largest eigenvalue there can be is added where float32 has rounded the smallest one below zero."""


class NonLocalRidge(
    WrappedReadout, source="Herbreteau & Kervrann, Towards a unified view of unsupervised non-local methods, ICIP 2022"
):
    """The noisy picture's own similar patches, averaged with weights from the network's result.

    For each of many reference patches the ``similar`` nearest ones are gathered within ``window``, nearest in the
    network's result x. With the patches of a group as the rows of X (of the result) and Y (of the noisy picture), n
    pixels each, the estimate is ``T Y`` with ``T = X X^T (X X^T + n sigma^2 I)^-1``: the linear combination of noisy
    patches with the least expected error if X were clean. What a network missed and the noisy picture still holds comes
    back so. Estimates of one pixel are averaged, each weighted by how much noise it lets through. Colours are taken
    apart into brightness and two differences; patches are compared by brightness, and the differences share one T.

    Args:
        inner: reads the first result; ``EightTurns()`` unless given.
        side: of a patch in pixels.
        similar: patches in a group.
        window: side of the square around a reference patch in which others are looked for; odd.
        stride: from one reference patch to the next; at most a side.
        rounds: so many times, each beginning with the result of the one before; the groups stay.
        level: of the noise, as standard deviation on the 0-255 scale; measured in each picture unless given.

    Raises:
        UserError: a side, stride or number below 1, an even window, a level below 0.

    Example:
        >>> readout = NonLocalRidge(OnePass(), side=4, similar=8, window=9, level=25)
        >>> readout(lambda image: image, torch.rand(1, 3, 16, 16), torch.Generator()).shape
        torch.Size([1, 3, 16, 16])
    """

    def __init__(
        self,
        inner: Readout | None = None,
        side: int = 8,
        similar: int = 64,
        window: int = 25,
        stride: int = 6,
        rounds: int = 1,
        level: float | None = None,
    ) -> None:
        super().__init__(inner)
        if min(side, similar, stride, rounds) < 1 or window % 2 == 0 or window < 1 or (level or 0) < 0:
            raise UserError(
                f"NonLocalRidge: side {side}, similar {similar}, stride {stride} and rounds {rounds} must be at "
                f"least 1, window {window} odd, level {level} not negative"
            )
        self.side = side
        self.similar = similar
        self.window = window
        self.stride = min(stride, side)
        self.rounds = rounds
        self.level = level

    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return the combined patches' picture."""
        first: Tensor = self.inner(denoise, noisy, generator)
        parts = (torch.split(each, 1) for each in (noisy, first, noise_deviation(noisy, self.level)))
        return torch.cat([self._banded(*part) for part in zip(*parts, strict=True)])

    def _banded(self, noisy: Tensor, first: Tensor, deviation: Tensor) -> Tensor:
        """Return the combined patches' picture, computed band by band, since it takes many times a band's memory."""
        # What lacks neighbours at a band's edge spoils pixels half a window further, and it looked for them as far.
        margin = -(-self.rounds * (self.window + self.side) // self.stride) * self.stride
        step = -(-BAND // self.stride) * self.stride  # so that the reference patches stay where they are
        result = torch.empty_like(noisy)
        for top in range(0, noisy.shape[-2], step):
            begin = max(0, top - margin)
            band = slice(begin, top + step + margin)
            combined = self._combined(noisy[..., band, :], first[..., band, :], deviation)
            result[..., top : top + step, :] = combined[..., top - begin :, :][..., :step, :]
        return result

    def _combined(self, noisy: Tensor, first: Tensor, deviation: Tensor) -> Tensor:
        height, width = noisy.shape[-2:]
        side = min(self.side, height, width)
        stride = min(self.stride, side)
        # Reflected until the last patches end with the picture.
        below, right = (-(size - side) % stride for size in (height, width))
        y, x = (_opponent(reflect(image, below, right))[0] for image in (noisy, first))
        groups = list(self._groups(x[0], side, stride))
        for _ in range(self.rounds):
            x = self._round(y, x, groups, side, deviation.flatten())
        return _opponent(x[None], back=True)[..., :height, :width]

    def _round(self, y: Tensor, x: Tensor, groups: Sequence[Tensor], side: int, deviation: Tensor) -> Tensor:
        """Return the mean of the estimates of all groups ``(C, H, W)``."""
        across, pixels = y.shape[-1], y[0].numel()
        patch = (across * torch.arange(side)[:, None] + torch.arange(side)).flatten().to(y.device)
        total, weights = torch.zeros_like(y).view(-1, pixels), torch.zeros_like(y).view(-1, pixels)
        # The two colour differences are alike, and tell together how patches are to be combined.
        planes = ([0], [1, 2]) if len(y) == 3 else [[plane] for plane in range(len(y))]
        for corners in groups:
            where = corners[..., None] + patch
            for alike in planes:
                xs = torch.cat([x[plane].flatten()[where] for plane in alike], -1)
                mixing = _mixing(xs, deviation)
                weight = 1 / mixing.square().sum(-1, keepdim=True).clamp(min=1 / mixing.shape[-1])
                for plane in alike:
                    ys = y[plane].flatten()[where]
                    total[plane].index_add_(0, where.flatten(), (weight * (mixing @ ys)).flatten())
                    weights[plane].index_add_(0, where.flatten(), weight.expand_as(ys).flatten())
        return total.div_(weights).view_as(y)

    def _groups(self, brightness: Tensor, side: int, stride: int) -> Iterator[Tensor]:
        """Yield, for some reference patches at a time, the first pixels ``(references, similar)`` of each group."""
        height, width = brightness.shape
        reach = self.window // 2
        rows, columns = (
            torch.arange(0, size - side + 1, stride, device=brightness.device) for size in brightness.shape
        )
        shifts = torch.cartesian_prod(*2 * [torch.arange(-reach, reach + 1)]).tolist()
        step = max(1, AT_ONCE // len(columns))
        for part in torch.split(rows, step):
            top, bottom = int(part[0]), int(part[-1]) + side
            strip = brightness[top:bottom]
            above, below = min(reach, top), min(reach, height - bottom)
            around = F.pad(
                brightness[top - above : bottom + below],
                (reach, reach, reach - above, reach - below),
                value=1e3,  # nothing out there is similar
            )
            distances = []
            for down, right in shifts:
                other = around[reach + down :, reach + right :][: len(strip), :width]
                distances.append(F.avg_pool2d((strip - other).square()[None], side, stride).flatten())
            seen = [min(reach, size - side) + 1 for size in brightness.shape]  # places that a corner sees each way
            number = min(self.similar, seen[0] * seen[1])
            distances[len(shifts) // 2].fill_(-1)  # a patch itself comes first, though others be the same
            nearest = torch.stack(distances, 1).topk(number, largest=False).indices
            offsets = torch.tensor([down * width + right for down, right in shifts], device=nearest.device)
            yield (part[:, None] * width + columns).flatten()[:, None] + offsets[nearest]


def _mixing(xs: Tensor, deviation: Tensor) -> Tensor:
    """Return ``T`` of groups ``(G, similar, values)``."""
    gram = xs @ xs.mT
    size = gram.diagonal(dim1=-2, dim2=-1).mean(-1)
    noise = (xs.shape[-1] * deviation**2 + TINY * (1 + size))[:, None, None]
    identity = torch.eye(gram.shape[-1], device=gram.device)
    factor, failed = torch.linalg.cholesky_ex(gram + noise * identity)
    if failed.any():  # patches that are all alike, without noise
        more = ROUNDING * len(identity) * size[:, None, None]
        noise = torch.where(failed[:, None, None] > 0, noise + more, noise)
        factor = torch.linalg.cholesky(gram + noise * identity)
    inverse = torch.cholesky_inverse(factor)
    return identity - noise * inverse  # the same as in the formula, in fewer operations


def _opponent(image: Tensor, back: bool = False) -> Tensor:
    """Return the picture's brightness and colour differences, or the picture of these; others than RGB as they are."""
    if image.shape[1] != 3:
        return image
    matrix = torch.tensor(OPPONENT, dtype=image.dtype, device=image.device)
    return torch.einsum("oc,bchw->bohw", matrix.T if back else matrix, image)
