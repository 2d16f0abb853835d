"""BM3D at an estimated level, at the true level, or with an Anscombe transform: Dabov et al., IEEE TIP 2007.

It calls the authors' library, PyPI's bm3d, whose licence allows non-commercial use only.
"""

from collections.abc import Callable
from math import inf
from typing import Any, ClassVar

import numpy as np
from torch import Tensor
from typing_extensions import override

from torchdenoise.denoisers.methods.classical import Array, Classical, to_array, to_image
from torchdenoise.denoisers.parts.images import map_images
from torchdenoise.errors import UserError
from torchdenoise.extras import optional_module
from torchdenoise.noise import anscombe, gaussian_level, inverse_anscombe, poisson_photons
from torchdenoise.noise.assumptions import Assumption

SOURCE = "Dabov et al., Image denoising by sparse 3-D transform-domain collaborative filtering, IEEE TIP 2007"
MIN_LEVEL = 0.01
"""Noise levels below this, on the 0-255 scale, count as no noise: the image stays unchanged."""
OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [1 / 2, 0, -1 / 2], [1 / 4, -1 / 2, 1 / 4]])
"""The library divides its colour planes by their ranges, so none may be constant, as in grey stored as RGB."""


def _library() -> Any:
    return optional_module(
        "bm3d", "BM3D needs the extra: pip install torchdenoise[bm3d] (its licence allows non-commercial use only)"
    )


class BM3D(Classical, source=SOURCE):
    """BM3D at the noise level estimated from the image: similar blocks are stacked and filtered together.

    Colour channels are filtered jointly, with blocks matched on luminance. Images with another number of channels than
    three, and grey ones stored as colour, are filtered channel by channel.

    Args:
        threads: with more than one, results differ from run to run in the last digits.

    Raises:
        UserError: the package bm3d is not installed, or ``threads`` below 1.

    Example:
        >>> noisy = 0.5 + 0.1 * torch.randn(1, 1, 32, 32)
        >>> BM3D()(noisy).std() < 0.5 * noisy.std()
        tensor(True)
    """

    smallest = 16  # the library needs two blocks of 8 pixels

    def __init__(self, threads: int = 1) -> None:
        super().__init__()
        _library()  # fails before any work is done
        if threads < 1:
            raise UserError(f"threads={threads}: must be at least 1")
        self.threads = threads

    @override
    def forward(self, image: Tensor, **known: Tensor) -> Tensor:
        """Return clean images ``(B, C, H, W)``, not clamped."""
        return map_images(lambda one: self.filtered(one, gaussian_level(one)), image)

    def filtered(self, image: Tensor, level: float) -> Tensor:
        """Return one denoised image ``(1, C, H, W)`` in 0..1; ``level`` is the noise's, on the 0-255 scale."""
        if level < MIN_LEVEL:
            return image
        library, profile = self.library()
        return by_planes(
            image,
            lambda noisy: library.bm3d_rgb(noisy, level / 255, profile),
            lambda channel, _: library.bm3d(channel, level / 255, profile),
        )

    def library(self) -> tuple[Any, Any]:
        """Return the package bm3d, and its settings."""
        library = _library()
        profile = library.BM3DProfile()
        profile.num_threads = self.threads
        return library, profile


def by_planes(image: Tensor, colour: Callable[[Array], Array], plane: Callable[[Array, int], Array]) -> Tensor:
    """Return an image ``(1, C, H, W)`` whose three colours were filtered jointly, other channels one by one.

    Args:
        image: grey ones stored as colour are filtered as grey ones.
        colour: filters an array ``(H, W, 3)``.
        plane: filters an array ``(H, W)``, the channel of this number.
    """
    noisy = to_array(image)
    if noisy.shape[2] == 3 and np.ptp(noisy @ OPPONENT.T, (0, 1)).min() > 1e-6:
        return to_image(colour(noisy), image)
    channels = noisy.transpose(2, 0, 1)
    if all(np.array_equal(channel, channels[0]) for channel in channels[1:]):  # grey, perhaps stored as colour
        return to_image(np.stack([plane(channels[0], 0)] * len(channels), -1), image)
    return to_image(np.stack([plane(channel, number) for number, channel in enumerate(channels)], -1), image)


class BM3DOracle(BM3D, source=SOURCE):
    """BM3D at the true noise level, which is known only for synthetic Gaussian noise.

    Args:
        threads: with more than one, results differ from run to run in the last digits.

    Raises:
        UserError: the package bm3d is not installed, ``threads`` below 1, or a level that is negative or not finite.

    Example:
        >>> BM3DOracle()(torch.rand(1, 3, 16, 16), level=torch.tensor([25.0])).shape
        torch.Size([1, 3, 16, 16])
    """

    requires: ClassVar[tuple[str, ...]] = ("level",)

    @override
    def forward(self, image: Tensor, **known: Tensor) -> Tensor:
        """Return clean images ``(B, C, H, W)``, not clamped.

        Args:
            image: in 0..1.
            known: ``level``, the standard deviations on the 0-255 scale, one for each image or one for all.
        """
        levels = known["level"].flatten().expand(len(image)).tolist()
        for level in levels:
            if not 0 <= level < inf:
                raise UserError(f"level={level:g}: the level of the noise must be at least 0 and finite")
        return map_images(self.filtered, image, levels)


class AnscombeBM3D(BM3D, source="Mäkitalo and Foi, IEEE TIP 2011, around " + SOURCE):
    """BM3D for photon noise, between an Anscombe transform, which makes the noise uniform, and its unbiased inverse.

    Args:
        photons: lambda of ``y = Poisson(lambda x) / lambda``, the photons at white; estimated by default.
        threads: with more than one, results differ from run to run in the last digits.

    Raises:
        UserError: the package bm3d is not installed, ``threads`` below 1, or ``photons`` not above 0 and finite.

    Example:
        >>> noisy = torch.poisson(torch.full((1, 1, 32, 32), 20.0)) / 25
        >>> abs(AnscombeBM3D(25)(noisy).mean() - 0.8) < 0.05
        tensor(True)
    """

    assumes = (Assumption.INDEPENDENT, Assumption.PHOTONS)

    def __init__(self, photons: float | None = None, threads: int = 1) -> None:
        super().__init__(threads)
        if photons is not None and not 0 < photons < inf:
            raise UserError(f"photons={photons:g}: the photons at white must be above 0 and finite")
        self.photons = photons

    @override
    def forward(self, image: Tensor, **known: Tensor) -> Tensor:
        """Return clean images ``(B, C, H, W)``, not clamped."""
        return map_images(self._stabilized, image)

    def _stabilized(self, image: Tensor) -> Tensor:
        photons = poisson_photons(image) if self.photons is None else self.photons
        stabilized = anscombe(photons * image.cpu().double())  # not every device has float64
        low, high = stabilized.aminmax()
        # The library expects images in 0..1. The range is at least 1, the standard deviation of the noise.
        span = (high - low).clamp(min=1)
        clean = self.filtered((stabilized - low) / span, 255 / span.item())
        return (inverse_anscombe(clean * span + low) / photons).to(image)
