"""NL-Ridge's second step as a readout: noisy patches averaged with weights computed from the network's result."""

import copy
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

import torch
from torch import Generator, Tensor
from torch.nn import functional as F
from typing_extensions import override

from torchdenoise.denoisers.networks.calling import reflect
from torchdenoise.denoisers.parts.losses import Denoise
from torchdenoise.denoisers.parts.noise_aware import NoiseAware
from torchdenoise.denoisers.parts.patch_matching import similar_patches
from torchdenoise.denoisers.parts.patch_noise import CorrelatedPatches, PatchNoise, WhitePatches
from torchdenoise.denoisers.parts.readouts import Readout, WrappedReadout
from torchdenoise.errors import UserError
from torchdenoise.noise import NoiseLevelFunction, NoiseProfile

LUMINANCE_CHROMINANCE = ((3**-0.5,) * 3, (2**-0.5, 0.0, -(2**-0.5)), (6**-0.5, -2 * 6**-0.5, 6**-0.5))
"""Orthonormal colour transform from RGB to luminance and two colour differences, which are mostly noise."""
GROUPS_PER_CHUNK = 1024
"""Patch groups averaged together; limits memory."""
GROUPS_IN_CACHE = 128
"""The same, on a CPU whose cores have a megabyte of cache each."""
MANY_CHANNELS = 5
"""From which on channels with white noise share one T; a few may show different things."""
MIN_DEVIATION = 0.05
"""Of a channel, relative to the largest one, from which on it counts as much as the others when patches are matched."""
BAND_ROWS = 1024
"""Rows of an image processed together, without the margin; limits memory."""


class _Frame(NamedTuple):
    """An image, or a band of its rows."""

    noisy: Tensor
    first: Tensor
    """Its first result."""
    deviation: Tensor
    """Of its noise, ``(1, 1, 1, 1)`` or a map ``(1, C, H, W)``."""

    def rows(self, band: slice) -> "_Frame":
        deviation = self.deviation[..., band, :] if self.deviation.numel() > 1 else self.deviation
        return _Frame(self.noisy[..., band, :], self.first[..., band, :], deviation)


class NonLocalRidge(
    NoiseAware,
    WrappedReadout,
    source="Herbreteau & Kervrann, Towards a unified view of unsupervised non-local methods, ICIP 2022",
):
    """Averages similar patches of the noisy image with weights computed from the network's result.

    For each reference patch, block matching in the network's result x collects the ``similar`` nearest patches within
    ``window``. With the patches of a group as the rows of X (of the result) and Y (of the noisy image), n pixels each,
    the estimate is ``T Y`` with ``T = X X^T (X X^T + n sigma^2 I)^-1``: the linear combination of noisy patches with
    the least expected error if X were clean. This recovers detail that the network missed and the noisy image still
    holds. Overlapping estimates are averaged with inverse noise variance weights. Colour images are transformed to
    luminance and two colour differences; patches are matched by luminance, and the differences share one T. Other
    channels are matched by the sum of the standardised channels; five or more share one T if their noise is white. For
    correlated noise see ``CorrelatedPatches``. Where neighbouring frames are known (``with_neighbours``), similar
    patches come from the window in each of them too; their first result is that of the same network.

    Args:
        inner: computes the first result; ``EightTurns()`` by default.
        side: side of a patch in pixels.
        similar: patches in a group.
        window: side of the search window in pixels; odd.
        stride: step between reference patches; limited to ``side``.
        rounds: number of iterations, each starting from the previous result; the groups are kept.
        level: standard deviation of white noise on the 0-255 scale; None uses the noise profile of each image.
        correlated_rounds: number of iterations where the noise is correlated; None is ``rounds``.
        thinning: in all iterations but the last, one of so many groups is used, evenly spread. Groups overlap, so that
            2, a chequerboard, changes little.
        noisy_share: weight of the noisy image in Y, above 0 and at most 1; the rest is the weight of the result x. The
            noise's variance is multiplied by it, too. Values below 1 are better where x is good: its errors are
            averaged over similar patches, with less noise beside them.

    Raises:
        UserError: ``side``, ``similar``, ``stride``, ``thinning`` or a number of rounds below 1, an even ``window``, a
            negative ``level``, a ``noisy_share`` that is not above 0 and at most 1.

    Example:
        >>> readout = NonLocalRidge(OnePass(), side=4, similar=8, window=9, level=25)
        >>> readout(lambda image: image, torch.rand(1, 3, 16, 16), torch.Generator()).shape
        torch.Size([1, 3, 16, 16])
    """

    _neighbours: Sequence[tuple[Tensor, NoiseProfile]] = ()

    def __init__(
        self,
        inner: Readout | None = None,
        side: int = 8,
        similar: int = 64,
        window: int = 25,
        stride: int = 6,
        rounds: int = 1,
        level: float | None = None,
        correlated_rounds: int | None = None,
        thinning: int = 1,
        noisy_share: float = 1.0,
    ) -> None:
        super().__init__(inner)
        correlated = rounds if correlated_rounds is None else correlated_rounds
        if (
            min(side, similar, stride, rounds, correlated, thinning) < 1
            or window % 2 == 0
            or window < 1
            or (level or 0) < 0
        ):
            raise UserError(
                f"NonLocalRidge: side {side}, similar {similar}, stride {stride}, rounds {rounds}, "
                f"correlated_rounds {correlated} and thinning {thinning} must be at least 1, "
                f"window {window} odd, level {level} not negative"
            )
        if not 0 < noisy_share <= 1:
            raise UserError(f"NonLocalRidge: noisy_share {noisy_share} must be above 0 and at most 1")
        self.side = side
        self.similar = similar
        self.window = window
        self.stride = min(stride, side)
        self.rounds = rounds
        self.correlated_rounds = correlated
        self.thinning = thinning
        self.noisy_share = noisy_share
        self.level = level

    @property
    @override
    def uses_neighbours(self) -> bool:
        """True: they hold similar patches."""
        return True

    @override
    def with_neighbours(self, images: Sequence[Tensor], profiles: Sequence[NoiseProfile]) -> Self:
        """Return a copy that takes similar patches from neighbouring frames too."""
        aware = copy.copy(self)
        aware._neighbours = list(zip(images, profiles, strict=True))
        return aware

    @override
    def forward(self, denoise: Denoise, noisy: Tensor, generator: Generator) -> Tensor:
        """Return the estimates ``(B, C, H, W)``; neighbouring frames are those of one image."""
        first: Tensor = self.inner(denoise, noisy, generator)
        others = [
            _Frame(image, self.inner(denoise, image, generator), profile.deviation(image))
            for image, profile in self._neighbours
        ]
        images = zip(torch.split(noisy, 1), torch.split(first, 1), self._noise(noisy), strict=True)
        return torch.cat(
            [
                self._by_bands([_Frame(image, x, profile.deviation(image)), *others], profile)
                for image, x, profile in images
            ]
        )

    def _noise(self, noisy: Tensor) -> Iterable[NoiseProfile]:
        if self.level is None:
            return self.noise_of(noisy)
        return [NoiseProfile(NoiseLevelFunction(0.0, self.level / 255))] * len(noisy)

    def _rounds(self, profile: NoiseProfile) -> int:
        return self.correlated_rounds if profile.correlated else self.rounds

    def patch_noise(self, deviation: Tensor, profile: NoiseProfile, side: int) -> PatchNoise:
        """Return the noise of patches.

        Args:
            deviation: of the noise, ``(1, 1, 1, 1)`` or a map of the padded image, ``(1, C, H, W)``.
            profile: of the noise.
            side: of a patch.
        """
        if deviation.numel() == 1:
            return WhitePatches(deviation.flatten())
        channels = deviation.shape[1]
        covariance = torch.eye(channels)[..., None, None] if profile.covariance is None else profile.covariance
        return CorrelatedPatches(_colour_matrix(channels).to(deviation), covariance.to(deviation), deviation[0], side)

    @torch.no_grad()  # tensors are changed in place
    def _by_bands(self, frames: Sequence[_Frame], profile: NoiseProfile) -> Tensor:
        """Return the estimate of the first frame, computed in bands of rows to limit memory."""
        # A group at a band's edge misses neighbours half a window away and spoils pixels half a window further.
        rounds = self._rounds(profile)
        # Multiples, so that bands share the grid of references.
        grid = self.stride * self.thinning
        margin, step = (-(-rows // grid) * grid for rows in (rounds * (self.window + self.side), BAND_ROWS))
        result = torch.empty_like(frames[0].noisy)
        for top in range(0, result.shape[-2], step):
            begin = max(0, top - margin)
            band = slice(begin, top + step + margin)
            estimate = self._estimate([frame.rows(band) for frame in frames], profile)
            result[..., top : top + step, :] = estimate[..., top - begin :, :][..., :step, :]
        return result

    def _estimate(self, frames: Sequence[_Frame], profile: NoiseProfile) -> Tensor:
        height, width = frames[0].noisy.shape[-2:]
        side = min(self.side, height, width)
        stride = min(self.stride, side)
        # Padded so that the last reference patches end at the border.
        below, right = (-(size - side) % stride for size in (height, width))
        # Frames lie below each other as one tall image. The rows between them keep their noise apart: it is
        # independent from frame to frame.
        apart = profile.covariance.shape[-1] // 2 if len(frames) > 1 and profile.covariance is not None else 0
        y, x = (
            _colour_transform(torch.cat([reflect(image, below + apart, right) for image in images], -2))[0]
            for images in ([frame.noisy for frame in frames], [frame.first for frame in frames])
        )
        deviation = self.noisy_share**0.5 * _tall_deviation(frames, below + apart, right)
        patch_noise = self.patch_noise(deviation, profile, side)
        guides = _guide(x).chunk(len(frames))
        chunks = similar_patches(
            [guide[None, : height + below] for guide in guides],
            self.similar,
            window=self.window,
            side=side,
            stride=stride,
            apart=height + below + apart,
        )
        number = GROUPS_IN_CACHE if y.device.type == "cpu" else GROUPS_PER_CHUNK
        groups = torch.cat(list(chunks))
        row, column = groups[:, 0] // y.shape[-1] // stride, groups[:, 0] % y.shape[-1] // stride
        fewer = groups[(row + column) % self.thinning == 0]
        for later in reversed(range(self._rounds(profile))):
            mixed = x.lerp(y, self.noisy_share)
            x = self._round(mixed, x, torch.split(fewer if later else groups, number), side, patch_noise)
        return _colour_transform(x[None], inverse=True)[..., :height, :width]

    def _round(self, y: Tensor, x: Tensor, groups: Sequence[Tensor], side: int, noise: PatchNoise) -> Tensor:
        """Return the weighted mean of all groups' estimates ``(C, H, W)``; what is in no group stays as in ``x``."""
        width, pixels = y.shape[-1], y[0].numel()
        steps = torch.arange(side, device=y.device)
        total = torch.zeros_like(y).view(-1, pixels)
        planes = _sharing(len(y), isinstance(noise, WhitePatches))
        at_corners = total.new_zeros(len(planes), pixels)
        for corners in groups:
            row_starts = (corners[..., None] + width * steps)[..., None]
            places, row_starts = (row_starts + steps).flatten(), row_starts.int().flatten()
            for number, shared in enumerate(planes):
                xs = torch.cat([_patches(x[plane], row_starts, corners, side) for plane in shared], -1)
                mixing, weight = noise.combination(xs, corners, shared)
                mixing.mul_(weight)
                for plane in shared:
                    estimates = mixing @ _patches(y[plane], row_starts, corners, side)
                    total[plane].scatter_add_(0, places, estimates.flatten())
                at_corners[number].index_add_(0, corners.flatten(), weight.flatten())
        for number, shared in enumerate(planes):
            # A weight counts for all pixels of its patch.
            padded = F.pad(at_corners[number].view(1, -1, width), (side - 1, 0, side - 1, 0))
            weights = F.avg_pool2d(padded, side, 1, divisor_override=1).flatten()
            for plane in shared:
                mean = total[plane].div_(weights)
                total[plane] = torch.where(weights > 0, mean, x[plane].flatten())
        return total.view_as(y)


def _patches(plane: Tensor, row_starts: Tensor, corners: Tensor, side: int) -> Tensor:
    """Return patches ``(*corners.shape, side * side)`` of a plane, row by row."""
    rows = plane.flatten().unfold(0, side, 1).index_select(0, row_starts)
    return rows.view(*corners.shape, side * side)


def _tall_deviation(frames: Sequence[_Frame], below: int, right: int) -> Tensor:
    """Return the deviation of the noise of frames below each other, with more rows and columns; one number if alike."""
    if all(frame.deviation.numel() == 1 for frame in frames):
        return frames[0].deviation
    maps = [frame.deviation.expand_as(frame.noisy) for frame in frames]
    return torch.cat([reflect(each, below, right) for each in maps], -2)


def _sharing(planes: int, white: bool) -> list[list[int]]:
    """Return which planes share one T: colour differences, whose statistics are similar, and many white channels."""
    if planes == 3:
        return [[0], [1, 2]]
    return [list(range(planes))] if white and planes >= MANY_CHANNELS else [[plane] for plane in range(planes)]


def _guide(planes: Tensor) -> Tensor:
    """Return the plane ``(H, W)`` in which patches are matched: luminance, or the sum of the standardised channels."""
    if planes.shape[0] in (1, 3):
        return planes[0]
    centred = planes - planes.mean((1, 2), keepdim=True)
    deviation = centred.square().mean((1, 2), keepdim=True).sqrt()
    return (centred / deviation.clamp(min=MIN_DEVIATION * deviation.max())).sum(0)


def _colour_transform(image: Tensor, inverse: bool = False) -> Tensor:
    """Return luminance and colour differences of an RGB image, or the inverse; other images are returned unchanged."""
    if image.shape[1] != 3:
        return image
    matrix = _colour_matrix(3).to(image)
    return torch.einsum("oc,bchw->bohw", matrix.T if inverse else matrix, image)


def _colour_matrix(channels: int) -> Tensor:
    return torch.tensor(LUMINANCE_CHROMINANCE) if channels == 3 else torch.eye(channels)
