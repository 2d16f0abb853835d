"""What one picture says about its noise, beyond its profile."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from torchdenoise.noise import NoiseProfile, ValueRange, correlation, measure_noise, stabilize
from torchdenoise.noise.assumptions import MIN_PIXELS, Assumption, neighbour_correlation
from torchdenoise.noise.covariance import at_lag_zero, radius
from torchdenoise.noise.describing import MIN_LEVEL, shared_pixels

MAX_RATIO = 1.5
"""Of the levels in bright and in dark parts, up to which noise counts as uniform."""
DARK, BRIGHT = 0.1, 0.9
"""Quantiles of the brightness."""
MIN_SHARE = 0.5
"""Of the picture; where less of it shows noise, a note says so."""


@dataclass(frozen=True, eq=False)
class Inspection:
    """The noise profile of a picture, and what else is to be known about it."""

    profile: NoiseProfile
    levels: tuple[float, float]
    """The least and the largest standard deviation on the 0-255 scale, over the brightness of the picture."""
    broken: frozenset[Assumption]
    """What methods may assume, and this noise does not fulfil."""
    clipped: tuple[float, float]
    """Shares of the values at black and at white."""
    neighbours: tuple[float, float]
    """Correlation of the noise of neighbours in a row and in a column."""
    channels: Tensor | None
    """Correlation of the noise of the channels of a pixel, ``(C, C)``; None for white noise."""
    informative: Tensor
    """Where the picture shows its noise, bool ``(1, 1, H, W)``."""
    notes: tuple[str, ...]
    """What cannot be measured, and why; sentences without a full stop."""

    @property
    def line(self) -> str:
        """One line about the noise, as ``denoise`` prints it."""
        line = self.profile.describe()
        return line if self.profile.values is None else self.profile.values.beside(line)

    @property
    def informative_share(self) -> float:
        """The share of pixels that show noise."""
        return self.informative.float().mean().item()

    def facts(self) -> dict[str, Any]:
        """Return the numbers by name, as plain values."""
        covariance, outliers = self.profile.covariance, self.profile.outliers
        return {
            "line": self.line,
            "level_0_255": [round(level, 3) for level in self.levels],
            "clipped": dict(zip(("black", "white"), (round(share, 5) for share in self.clipped), strict=True)),
            "correlation": {
                "across": round(self.neighbours[0], 3),
                "down": round(self.neighbours[1], 3),
                "pixels": 1 if covariance is None else shared_pixels(covariance),
            },
            "outliers_share": 0.0 if outliers is None else round(_share(outliers), 6),
            "informative_share": round(self.informative_share, 4),
            "notes": list(self.notes),
        }


def inspect_noise(image: Tensor, profile: NoiseProfile | None = None, values: ValueRange | None = None) -> Inspection:
    """Return what an image says about its noise.

    Args:
        image: ``(1, C, H, W)`` of any size, 1.0 is white; of a stack, some frames below each other.
        profile: of its noise; measured by default.
        values: the stored values of its black and white; the profile keeps them.

    Example:
        >>> white = torch.randn(1, 1, 200, 200, generator=torch.Generator().manual_seed(0))
        >>> found = inspect_noise(0.5 + 0.1 * white)
        >>> found.profile.correlated, found.broken == {Assumption.PHOTONS}, found.notes
        (False, True, ())
    """
    profile = measure_noise(image) if profile is None else profile
    profile = profile if values is None else replace(profile, values=values)
    informative = (
        torch.ones_like(image[:, :1], dtype=torch.bool) if profile.informative is None else profile.informative
    )
    noisy, image = image, profile.repaired(image)
    low, high = _levels(image, profile)
    broken = _broken(image, profile, low, high) if high >= MIN_LEVEL else set()  # what is no noise breaks nothing
    if profile.unusable:
        broken.add(Assumption.MEASURED)
    covariance = profile.covariance
    return Inspection(
        profile,
        (low, high),
        frozenset(broken),
        (_share(noisy <= 0), _share(noisy >= 1)),
        correlation(stabilize(image, profile.level)) if covariance is None else _neighbours(covariance),
        None if covariance is None else at_lag_zero(covariance),
        informative,
        tuple(_notes(image, profile, informative, high)),
    )


def _broken(image: Tensor, profile: NoiseProfile, low: float, high: float) -> set[Assumption]:
    """Return what noise of these levels does not fulfil."""
    broken = set()
    correlated = profile.correlated and not profile.few_photons
    if correlated or neighbour_correlation(stabilize(image, profile.level)):
        broken.add(Assumption.INDEPENDENT)
    if correlated or not profile.level.gain:
        broken.add(Assumption.PHOTONS)
    if high > MAX_RATIO * low:
        broken.add(Assumption.UNIFORM)
    return broken


def _share(mask: Tensor) -> float:
    return mask.float().mean().item()


def _levels(image: Tensor, profile: NoiseProfile) -> tuple[float, float]:
    """Return the least and the largest level on the 0-255 scale."""
    if profile.curve is not None:
        low, high = profile.curve.deviation.aminmax()
        return 255 * low.item(), 255 * high.item()
    values = image.flatten()[:: max(1, image.numel() // 100_000)].float()  # quantile refuses more than 16 million
    dark, bright = values.quantile(torch.tensor([DARK, BRIGHT]).to(values)).tolist()
    return 255 * profile.level.deviation(dark), 255 * profile.level.deviation(bright)


def _neighbours(covariance: Tensor) -> tuple[float, float]:
    lag = radius(covariance)
    if not lag:
        return 0.0, 0.0
    mean = covariance.diagonal().mean(-1)
    return mean[lag, lag + 1].item(), mean[lag + 1, lag].item()


def _notes(image: Tensor, profile: NoiseProfile, informative: Tensor, level: float) -> list[str]:
    height, width = image.shape[-2:]
    notes = [profile.unusable] if profile.unusable else []
    if level < MIN_LEVEL:
        notes.append("no noise is found: there is none, or the picture does not show it")
    if height * width < MIN_PIXELS:
        notes.append(f"{width}x{height} pixels are too few to tell whether neighbouring pixels share noise")
    share = _share(informative)
    if share < MIN_SHARE:
        notes.append(f"only {share:.0%} of the picture shows noise, the rest is constant")
    if image.shape[1] > 1 and torch.equal(image, image[:, :1].expand_as(image)):
        notes.append("all channels are equal: it is a grey picture stored as colour")
    return notes
