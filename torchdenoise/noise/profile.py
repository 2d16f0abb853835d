"""What is known of the noise of one picture: measured once, or given."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from kornia.filters import box_blur
from torch import Tensor

from torchdenoise.errors import UserError
from torchdenoise.noise.blocks import LevelCurve
from torchdenoise.noise.covariance import half_size, root_kernel, standardized, without_low_frequencies
from torchdenoise.noise.describing import description
from torchdenoise.noise.level_function import NoiseLevelFunction
from torchdenoise.noise.outliers import replace_outliers
from torchdenoise.noise.stabilization import stabilized_sigma
from torchdenoise.noise.stripes import StripeNoise, remove_stripes
from torchdenoise.noise.tone_curve import without_bias

GUIDE_SIDE = 7
"""Side in pixels of the mean that stands for the clean brightness of a pixel."""


class ValueRange(NamedTuple):
    """What the units of a profile stand for: the stored values of black and white, and their type.

    Example:
        >>> ValueRange("uint16", 0.0, 4095.0).beside("noise: white, level 12.3 of 255")
        'noise: white, level 12.3 of 255; 255 stands for 4095'
    """

    dtype: str
    black: float
    white: float

    def describe(self) -> str:
        """Return what 255 stands for; nothing for pictures of 8 bits with their usual range."""
        if (self.black, self.white) == (0, 255):
            return ""
        return f"255 stands for {self.white:.6g}" + (f", 0 for {self.black:.6g}" if self.black else "")

    def beside(self, line: str) -> str:
        """Return a line about noise with what its 255 stands for; nothing for no line."""
        return "; ".join(filter(None, [line, self.describe()])) if line else ""


@dataclass(frozen=True, eq=False)
class NoiseProfile:
    """The noise of one picture, in units of the white level.

    White noise, independent in every pixel and channel, is described by its level function alone. Correlated noise is
    described by the level of each channel at each brightness, and the covariance between channels and pixels.

    Args:
        level: the noise level function; of correlated noise only an approximation.
        sigma: the standard deviation after ``stabilize(image, level)`` has made the noise uniform; None takes it from
            the level function.
        curve: the standard deviation of correlated noise, or of few photons, against brightness; None for other white
            noise.
        covariance: of noise with standard deviation 1 that has a curve, see ``covariance.py``; None for white noise.
        coarse_to_fine: whether it is best removed at several scales: neighbours share it, or there are few photons.
        unusable: why the noise could not be measured well enough to rely on it; empty if it could.
        outliers: where the image has impulses, bool ``(1, C, H, W)``; None if it has none.
        stripes: offsets of rows and columns; None if there are none.
        variation: relative standard deviation at each pixel, ``(1, 1, H, W)``; None if it is the same everywhere.
        informative: where the image shows its noise, bool ``(1, 1, H, W)``; None is everywhere.
        gamma: of the camera's tone curve that correlated noise went through, see ``tone_curve.py``; 1 is none.
        values: the stored values of black and white where it was measured; None is unknown.

    Example:
        >>> NoiseProfile(NoiseLevelFunction(0.0, 0.1)).deviation(torch.rand(1, 3, 8, 8)).flatten()
        tensor([0.1000])
    """

    level: NoiseLevelFunction
    sigma: float | None = None
    curve: LevelCurve | None = None
    covariance: Tensor | None = None
    coarse_to_fine: bool = False
    unusable: str = ""
    outliers: Tensor | None = None
    stripes: StripeNoise | None = None
    variation: Tensor | None = None
    informative: Tensor | None = None
    gamma: float = 1.0
    values: ValueRange | None = None

    @property
    def correlated(self) -> bool:
        """Whether neighbouring pixels or channels share noise."""
        return self.covariance is not None

    @property
    def few_photons(self) -> bool:
        """Whether pixels and channels have noise of their own, but too few photons to make it Gaussian."""
        if self.covariance is None or not self.level.gain:
            return False
        return torch.equal(self.covariance, torch.eye(len(self.covariance))[..., None, None])

    def describe(self) -> str:
        """Return one line about the noise, for people: ``noise: white, level 12.3 of 255``."""
        return description(self)

    def require_channels(self, channels: int) -> None:
        """Raise UserError unless the profile describes the noise of images with this number of channels."""
        known = channels if self.covariance is None else len(self.covariance)
        if known != channels:
            raise UserError(
                f"the noise profile is for {known} channel(s), the picture has {channels}: measure the noise in a "
                "picture of the same kind with `torchdenoise inspect --json FILE`"
            )

    def require_values(self, values: ValueRange) -> None:
        """Raise UserError if a picture of the same type has other values of black and white: other units of noise."""
        if self.values is None or self.values.dtype != values.dtype or self.values == values:
            return
        own = self.values
        option = f"{own.white:g}" if not own.black else f"{own.black:g},{own.white:g}"
        raise UserError(
            f"the noise profile is for black {own.black:.6g}, white {own.white:.6g}; the picture has black "
            f"{values.black:.6g}, white {values.white:.6g}: give --data-range={option} (data_range in Python), or "
            "measure the noise in a picture with the same range"
        )

    def require_size(self, height: int, width: int) -> None:
        """Raise UserError if the profile holds maps of a picture of another size."""
        for name in ("outliers", "variation", "informative"):
            mapped = getattr(self, name)
            if mapped is not None and mapped.shape[-2:] != (height, width):
                raise UserError(
                    f"the noise profile's {name} is a map of {mapped.shape[-1]}x{mapped.shape[-2]} pixels, the picture "
                    f"has {width}x{height}: leave it out with dataclasses.replace(profile, {name}=None)"
                )

    def deviation(self, image: Tensor) -> Tensor:
        """Return the standard deviation of the noise of an image.

        Args:
            image: ``(1, C, H, W)``, noisy or clean.

        Returns:
            ``(1, 1, 1, 1)`` for white noise, at the mean of the image; a map ``(1, C, H, W)`` if the level varies.
        """
        if self.curve is None:
            mean = image.mean((1, 2, 3)).item()
            level = image.new_tensor(self.level.deviation(max(mean, 0))).view(1, 1, 1, 1)
        else:
            side = min(GUIDE_SIDE, *(size - 1 + size % 2 for size in image.shape[-2:]))
            level = self.curve.at(box_blur(image, side, border_type="replicate"))
        return level if self.variation is None else (level * self.variation.to(image)).expand_as(image)

    def variances(self, image: Tensor) -> Tensor:
        """Return the variance of the noise at each value of an image ``(1, C, H, W)``, without ``variation``."""
        side = min(GUIDE_SIDE, *(size - 1 + size % 2 for size in image.shape[-2:]))
        brightness = box_blur(image, side, border_type="replicate")
        if self.curve is not None:
            return self.curve.at(brightness).square()
        return self.level.gain * (brightness - self.level.offset).clamp(min=0) + self.level.sigma**2

    def repaired(self, image: Tensor) -> Tensor:
        """Return an image ``(1, C, H, W)`` without its outliers and without the offsets of its rows and columns."""
        if self.outliers is not None:
            image = replace_outliers(image, self.outliers.to(image.device))
        return image if self.stripes is None else remove_stripes(image, self.stripes)

    def without_bias(self, image: Tensor) -> Tensor:
        """Return a denoised image ``(1, C, H, W)`` without the bias of noise that went through a tone curve."""
        if self.curve is None or self.gamma <= 1:
            return image
        return without_bias(image, self.curve.at(image), self.gamma)

    def stabilized(self) -> "NoiseProfile":
        """Return the profile of the image after ``stabilize(image, level)``, unless the noise is correlated."""
        if self.correlated or not self.level.gain:
            return self
        sigma = stabilized_sigma(self.level) if self.sigma is None else self.sigma
        return replace(self, level=NoiseLevelFunction(0.0, sigma))

    def kernel(self, channels: int) -> Tensor:
        """Return the filter ``(C, C, k, k)`` that gives white noise the covariance; see ``filtered``."""
        if self.covariance is None:
            return root_kernel(torch.eye(channels)[..., None, None])
        return root_kernel(self.covariance)

    def at_half_size(self) -> "NoiseProfile":
        """Return the profile of the image after ``halved``; only of correlated noise."""
        assert self.covariance is not None
        return self._after(half_size(self.covariance))

    def without_low_frequencies(self) -> "NoiseProfile":
        """Return the profile of the noise that is left without ``low_frequencies``; only of correlated noise."""
        assert self.covariance is not None
        return self._after(without_low_frequencies(self.covariance))

    def _after(self, covariance: Tensor) -> "NoiseProfile":
        assert self.curve is not None
        scaled, factors = standardized(covariance)
        curve = LevelCurve(self.curve.brightness, self.curve.deviation * factors[:, None])
        return replace(self, curve=curve, covariance=scaled)
