"""Baselines from scikit-image: non-local means, total variation and wavelets, calibrated on the image."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from typing_extensions import override

from torchdenoise.denoisers.methods.classical import Array, Classical, to_array, to_image
from torchdenoise.denoisers.parts.images import map_images
from torchdenoise.errors import UserError, did_you_mean
from torchdenoise.extras import optional_module
from torchdenoise.noise import gaussian_level

MEANS_STRENGTHS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
"""Strengths of non-local means to choose from, in standard deviations of the noise."""
VARIATION_STRENGTHS = (0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""Strengths of total variation to choose from, in the same unit."""


def _package(name: str) -> Any:
    return optional_module(name, "scikit-image's methods need the extra: pip install torchdenoise[classical]")


class Baseline(Classical):
    """A method of scikit-image at the noise level estimated from the image; a subclass calls it.

    Raises:
        UserError: scikit-image and PyWavelets are not installed.

    Example:
        >>> class Median(Baseline):
        ...     def denoised(self, noisy, sigma):
        ...         import skimage.filters
        ...         return skimage.filters.median(noisy, np.ones((3, 3, 1)))
        >>> Median()(torch.rand(1, 3, 9, 11)).shape
        torch.Size([1, 3, 9, 11])
    """

    smallest = 8

    def __init__(self) -> None:
        super().__init__()
        self.restoration()  # fails before any work is done

    @staticmethod
    def restoration() -> Any:
        """Return the module ``skimage.restoration``; its wavelets need another package."""
        _package("pywt")
        return _package("skimage.restoration")

    @abstractmethod
    def denoised(self, noisy: Array, sigma: float) -> Array:
        """Return a clean array ``(H, W, C)``; ``sigma`` is the noise's standard deviation in the array's units."""

    @override
    def forward(self, image: Tensor, **known: Tensor) -> Tensor:
        """Return clean images ``(B, C, H, W)``, not clamped; an image without noise stays unchanged."""
        return map_images(self._one, image)

    def _one(self, image: Tensor) -> Tensor:
        level = gaussian_level(image)
        return to_image(self.denoised(to_array(image), level / 255), image) if level else image


def calibrated(denoise: Callable[..., Array], noisy: Array, name: str, values: Sequence[float]) -> Array:
    """Return the result for the value of a parameter that predicts left-out pixels best.

    A sixteenth of the pixels is replaced by the mean of their neighbours. Their noisy values, which the denoiser has
    not seen, rank its results like the clean ones would.

    Args:
        denoise: takes an array ``(H, W, C)``, ``channel_axis`` and the parameter.
        noisy: the image.
        name: of the parameter.
        values: to choose from.

    Source: Batson and Royer, Noise2Self, ICML 2019; scikit-image's ``calibrate_denoiser``.

    Example:
        >>> def scaled(noisy, channel_axis, factor):
        ...     return factor * noisy
        >>> calibrated(scaled, np.ones((8, 8, 1)), "factor", [0.5, 1.0, 2.0]).max()
        np.float64(1.0)
    """
    choices = {name: list(values), "channel_axis": [-1]}
    calibrate = Baseline.restoration().calibrate_denoiser
    _, (tried, losses) = calibrate(noisy, denoise, choices, extra_output=True)
    clean: Array = denoise(noisy, **tried[int(np.argmin(losses))])
    return clean


class NLMeans(Baseline, source="Buades et al., A non-local algorithm for image denoising, CVPR 2005; scikit-image"):
    """Non-local means: each pixel is a weighted mean of pixels with similar patches; the strength is calibrated.

    Args:
        patch: side of the patches to compare.
        distance: the farthest patches to compare.

    Raises:
        UserError: scikit-image and PyWavelets are not installed.

    Example:
        >>> noisy = 0.5 + 0.1 * torch.randn(1, 1, 32, 32)
        >>> NLMeans()(noisy).std() < 0.5 * noisy.std()
        tensor(True)
    """

    def __init__(self, patch: int = 5, distance: int = 6) -> None:
        super().__init__()
        self.patch = patch
        self.distance = distance

    @override
    def denoised(self, noisy: Array, sigma: float) -> Array:
        """Return a clean array ``(H, W, C)``."""
        restoration = self.restoration()

        def means(noisy: Array, h: float, channel_axis: int) -> Array:
            clean: Array = restoration.denoise_nl_means(
                noisy, self.patch, self.distance, h, sigma=sigma, preserve_range=True, channel_axis=channel_axis
            )
            return clean.reshape(noisy.shape)  # it drops the axis of a single channel

        return calibrated(means, noisy, "h", [strength * sigma for strength in MEANS_STRENGTHS])


class TotalVariation(Baseline, source="Rudin, Osher and Fatemi 1992; Chambolle 2004; scikit-image"):
    """Total variation: the smoothest image close to the noisy one; the strength is calibrated.

    Raises:
        UserError: scikit-image and PyWavelets are not installed.

    Example:
        >>> noisy = 0.5 + 0.1 * torch.randn(1, 1, 32, 32)
        >>> TotalVariation()(noisy).std() < 0.5 * noisy.std()
        tensor(True)
    """

    @override
    def denoised(self, noisy: Array, sigma: float) -> Array:
        """Return a clean array ``(H, W, C)``."""
        weights = [strength * sigma for strength in VARIATION_STRENGTHS]
        return calibrated(self.restoration().denoise_tv_chambolle, noisy, "weight", weights)


class Wavelet(Baseline, source="Chang, Yu and Vetterli, Adaptive wavelet thresholding, IEEE TIP 2000; scikit-image"):
    """Wavelet shrinkage by BayesShrink at the estimated level; colour as luminance and two colour differences.

    Args:
        wavelet: its name in PyWavelets.

    Raises:
        UserError: scikit-image and PyWavelets are not installed, or no such wavelet.

    Example:
        >>> noisy = 0.5 + 0.1 * torch.randn(1, 1, 32, 32)
        >>> Wavelet()(noisy).std() < 0.5 * noisy.std()
        tensor(True)
    """

    def __init__(self, wavelet: str = "db2") -> None:
        super().__init__()
        known = _package("pywt").wavelist(kind="discrete")
        if wavelet not in known:
            raise UserError(f"wavelet={wavelet}: PyWavelets has no such wavelet{did_you_mean(wavelet, known)}")
        self.wavelet = wavelet

    @override
    def denoised(self, noisy: Array, sigma: float) -> Array:
        """Return a clean array ``(H, W, C)``."""
        colour = noisy.shape[2] == 3 and np.ptp(noisy, axis=2).any()  # not grey stored as RGB
        clean: Array = self.restoration().denoise_wavelet(
            noisy, sigma, self.wavelet, convert2ycbcr=colour, channel_axis=-1
        )
        return clean
