"""BM3D for correlated noise: Mäkinen, Azzari and Foi, IEEE TIP 2020.

It calls the authors' library, PyPI's bm3d, whose licence allows non-commercial use only.
"""

import contextlib
from collections.abc import Iterator
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from torchdenoise.denoisers.methods.bm3d import BM3D, MIN_LEVEL, OPPONENT, by_planes
from torchdenoise.denoisers.methods.classical import Array
from torchdenoise.denoisers.parts.images import map_images
from torchdenoise.noise import NoiseProfile
from torchdenoise.noise.covariance import radius

SOURCE = "Mäkinen, Azzari and Foi, Collaborative filtering of correlated noise, IEEE TIP 2020"


class BM3DCorrelated(BM3D, source=SOURCE):
    """BM3D with the power spectrum of the noise, which is measured in the image.

    The spectrum of each plane that is filtered follows from the noise profile: that of luminance and of two colour
    differences for colour, that of each channel for other images. BM3D assumes one level for the whole image. Where the
    level depends on brightness, it is given the root mean square of the level over the image: dark regions lose detail
    and bright ones keep noise. White noise is removed by plain BM3D, at the level of the profile.

    Args:
        threads: with more than one, results differ from run to run in the last digits.

    Warns:
        AssumptionWarning: the noise cannot be measured well enough.

    Raises:
        UserError: the package bm3d is not installed, or ``threads`` below 1.

    Example:
        >>> white = torch.randn(1, 1, 96, 98, generator=torch.Generator().manual_seed(0))
        >>> noisy = 0.5 + 0.1 * (white[..., 1:] + white[..., :-1])
        >>> BM3DCorrelated()(noisy).std() < 0.5 * BM3D()(noisy).std()
        tensor(True)
    """

    @property
    @override
    def uses_noise(self) -> bool:
        """Always: the method itself makes use of the noise profile."""
        return True

    @override
    def forward(self, image: Tensor, **known: Tensor) -> Tensor:
        """Return clean images ``(B, C, H, W)``, not clamped."""
        return map_images(self._one, image, self.context(image).profiles)

    def _one(self, image: Tensor, profile: NoiseProfile) -> Tensor:
        if profile.unusable:
            self.warn_assumption(f"{profile.unusable}, so BM3D removes it like white noise of one level")
        deviation = profile.deviation(image)
        if profile.covariance is None:
            return self.filtered(image, 255 * deviation.item())
        levels = deviation.square().mean((0, 2, 3)).sqrt().cpu().double()
        if 255 * levels.max().item() < MIN_LEVEL:
            return image
        covariance = levels[:, None, None, None] * levels[:, None, None] * profile.covariance.cpu().double()
        return self._filtered_by_spectrum(image, covariance)

    def _filtered_by_spectrum(self, image: Tensor, covariance: Tensor) -> Tensor:
        """Return one denoised image ``(1, C, H, W)``; ``covariance`` is the noise's, not standardised."""
        library, settings = self.library()

        def colour(noisy: Array) -> Array:
            # bm3d_rgb would assume that the noise of red, green and blue is independent.
            planes, high, low, *_ = library.rgb_to(noisy, "opp")
            powers = power_spectra(covariance, torch.from_numpy(OPPONENT), noisy.shape[:2])
            clean = library.bm3d(planes, powers.transpose(1, 2, 0) / (high - low) ** 2, settings)
            restored: Array = library.rgb_to(clean, "opp", True, high, low)[0]
            return restored

        def plane(channel: Array, number: int) -> Array:
            alone = torch.eye(len(covariance), dtype=covariance.dtype)[number : number + 1]
            clean: Array = library.bm3d(channel, power_spectra(covariance, alone, channel.shape)[0], settings)
            return clean

        with _integration():
            return by_planes(image, colour, plane)


@contextlib.contextmanager
def _integration() -> Iterator[None]:
    """Give NumPy's ``trapezoid`` its old name, which the library uses for spectra and NumPy 2.4 has removed."""
    if hasattr(np, "trapz"):
        yield
        return
    with patch.object(np, "trapz", np.trapezoid, create=True):
        yield


def power_spectra(covariance: Tensor, transform: Tensor, shape: tuple[int, ...]) -> Array:
    """Return the power spectra of noise after a linear transform of the channels, as the library takes them.

    The expected squared magnitude of the noise's discrete Fourier transform, without normalisation: its mean over all
    frequencies is the variance times the number of pixels.

    Args:
        covariance: ``(C, C, 2r + 1, 2r + 1)``, see ``noise/covariance.py``; not standardised.
        transform: ``(P, C)``.
        shape: height and width of the image; smaller ones than the covariance are possible.

    Returns:
        ``(P, H, W)``.

    Example:
        >>> white = torch.tensor([[[[0.01]]]])
        >>> power_spectra(white, torch.ones(1, 1), (2, 3))[0].round(2).tolist()
        [[0.06, 0.06, 0.06], [0.06, 0.06, 0.06]]
    """
    height, width = shape
    planes = torch.einsum("pc,pd,cdyx->pyx", transform, transform, covariance.to(transform))
    lags = torch.arange(-radius(covariance), radius(covariance) + 1)
    periodic = planes.new_zeros(len(planes), height * width)
    place = (lags % height)[:, None] * width + lags % width
    periodic.index_add_(1, place.flatten(), planes.flatten(1))
    spectra = torch.fft.fft2(periodic.view(-1, height, width)).real.clamp(min=0) * height * width
    powers: Array = spectra.numpy().astype(np.float64)
    return powers
