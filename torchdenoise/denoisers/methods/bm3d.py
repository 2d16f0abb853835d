"""BM3D, told the level, estimating it, or behind an Anscombe transform: Dabov et al., IEEE TIP 2007.

The library behind it, PyPI's bm3d, is the authors' own; its licence allows non-commercial use only.
"""

from math import inf
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from torchdenoise.denoisers.methods.classical import Classical, each, to_array, to_image
from torchdenoise.errors import UserError
from torchdenoise.extras import optional_module
from torchdenoise.noise import anscombe, gaussian_level, inverse_anscombe, poisson_photons

SOURCE = "Dabov et al., Image denoising by sparse 3-D transform-domain collaborative filtering, IEEE TIP 2007"
FINEST = 0.01
"""Levels below a hundredth of a grey level of 255 count as no noise: there the picture stays as it is."""
OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [1 / 2, 0, -1 / 2], [1 / 4, -1 / 2, 1 / 4]])
"""The library's colour planes, which it divides by their ranges: none may be constant, as in grey stored as RGB."""


def _library() -> Any:
    return optional_module(
        "bm3d", "BM3D needs the extra: pip install torchdenoise[bm3d] (its licence allows non-commercial use only)"
    )


class BM3D(Classical, source=SOURCE):
    """BM3D at the noise level that is estimated from the picture: similar blocks are stacked and filtered together.

    Colour is filtered jointly: blocks are matched on luminance. Pictures of another number of channels than three, and
    grey ones stored as colour, are filtered channel by channel.

    Args:
        threads: more are faster, and results then differ from run to run in the last digits.

    Raises:
        UserError: the package bm3d is not installed, or ``threads`` below 1.

    Example:
        >>> noisy = 0.5 + 0.1 * torch.randn(1, 1, 32, 32)
        >>> BM3D()(noisy).std() < 0.5 * noisy.std()
        tensor(True)
    """

    smallest = 16  # the library cannot do with less than two blocks of 8 pixels

    def __init__(self, threads: int = 1) -> None:
        super().__init__()
        _library()  # what is missing is said before any work begins
        if threads < 1:
            raise UserError(f"threads={threads}: must be at least 1")
        self.threads = threads

    def forward(self, image: Tensor, **told: Tensor) -> Tensor:  # noqa: ARG002
        """Return clean images ``(B, C, H, W)``, not clamped."""
        return each(lambda one: self.filtered(one, gaussian_level(one)), image)

    def filtered(self, image: Tensor, level: float) -> Tensor:
        """Return one image ``(1, C, H, W)`` in 0..1 without noise of a standard deviation on the 0-255 scale."""
        if level < FINEST:
            return image
        library = _library()
        profile = library.BM3DProfile()
        profile.num_threads = self.threads
        noisy = to_array(image)
        if noisy.shape[2] == 3 and np.ptp(noisy @ OPPONENT.T, (0, 1)).min() > 1e-6:
            return to_image(library.bm3d_rgb(noisy, level / 255, profile), image)
        channels = noisy.transpose(2, 0, 1)
        if all(np.array_equal(channel, channels[0]) for channel in channels[1:]):  # grey, perhaps stored as colour
            return to_image(np.stack([library.bm3d(channels[0], level / 255, profile)] * len(channels), -1), image)
        return to_image(np.stack([library.bm3d(channel, level / 255, profile) for channel in channels], -1), image)


class BM3DOracle(BM3D, source=SOURCE):
    """BM3D told the true noise level, which is known for synthetic Gaussian noise alone.

    Args:
        threads: more are faster, and results then differ from run to run in the last digits.

    Raises:
        UserError: the package bm3d is not installed, ``threads`` below 1, or a level that is negative or not finite.

    Example:
        >>> BM3DOracle()(torch.rand(1, 3, 16, 16), level=torch.tensor([25.0])).shape
        torch.Size([1, 3, 16, 16])
    """

    requires: ClassVar[tuple[str, ...]] = ("level",)

    def forward(self, image: Tensor, **told: Tensor) -> Tensor:
        """Return clean images ``(B, C, H, W)``, not clamped.

        Args:
            image: in 0..1.
            told: ``level``, the standard deviations on the 0-255 scale, one for each image or one for all.
        """
        levels = told["level"].flatten().expand(len(image)).tolist()
        for level in levels:
            if not 0 <= level < inf:
                raise UserError(f"level={level:g}: the level of the noise must be at least 0 and finite")
        return each(self.filtered, image, levels)


class AnscombeBM3D(BM3D, source="Mäkitalo and Foi, IEEE TIP 2011, around " + SOURCE):
    """BM3D for photon noise: the Anscombe transform makes the noise even, its exact unbiased inverse undoes it.

    Args:
        photons: lambda of ``y = Poisson(lambda x) / lambda``, the photons at white; estimated unless given.
        threads: more are faster, and results then differ from run to run in the last digits.

    Raises:
        UserError: the package bm3d is not installed, ``threads`` below 1, or ``photons`` not above 0 and finite.

    Example:
        >>> noisy = torch.poisson(torch.full((1, 1, 32, 32), 20.0)) / 25
        >>> abs(AnscombeBM3D(25)(noisy).mean() - 0.8) < 0.05
        tensor(True)
    """

    def __init__(self, photons: float | None = None, threads: int = 1) -> None:
        super().__init__(threads)
        if photons is not None and not 0 < photons < inf:
            raise UserError(f"photons={photons:g}: the photons at white must be above 0 and finite")
        self.photons = photons

    def forward(self, image: Tensor, **told: Tensor) -> Tensor:  # noqa: ARG002
        """Return clean images ``(B, C, H, W)``, not clamped."""
        return each(self._counted, image)

    def _counted(self, image: Tensor) -> Tensor:
        photons = poisson_photons(image) if self.photons is None else self.photons
        stabilized = anscombe(photons * image.cpu().double())  # not every device has float64
        low, high = stabilized.aminmax()
        # The library is made for pictures in 0..1. Noise of standard deviation 1 fills a range of less than that.
        span = (high - low).clamp(min=1)
        clean = self.filtered((stabilized - low) / span, 255 / span.item())
        return (inverse_anscombe(clean * span + low) / photons).to(image)
