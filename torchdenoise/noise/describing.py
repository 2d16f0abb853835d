"""A noise profile in one line of plain words."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor

from torchdenoise.noise.covariance import radius
from torchdenoise.noise.level_function import NoiseLevelFunction

if TYPE_CHECKING:
    from torchdenoise.noise.profile import NoiseProfile

MIN_LEVEL = 0.05
"""On the 0-255 scale; less counts as no noise."""
MIN_SHARED = 0.1
"""Correlation from which on two pixels count as sharing noise."""


def description(profile: "NoiseProfile") -> str:
    """Return one line about the noise, for people.

    Example:
        >>> from torchdenoise.noise import NoiseProfile
        >>> description(NoiseProfile(NoiseLevelFunction(0.0, 12.3 / 255)))
        'noise: white, level 12.3 of 255'
        >>> description(NoiseProfile(NoiseLevelFunction(0.8 / 255, 3.1 / 255)))
        'noise: sensor-like, gain 0.8, read noise 3.1 (of 255)'
    """
    parts = [_kind(profile), *beside(profile)]
    if profile.unusable:
        parts.append(f"not reliable: {profile.unusable}")
    return f"noise: {'; '.join(parts)}"


def _kind(profile: "NoiseProfile") -> str:
    if profile.few_photons:
        return f"{_white(profile.level)}, few photons"
    if profile.curve is not None and profile.covariance is not None:
        low, high = (255 * each.item() for each in profile.curve.deviation.aminmax())
        level = _number(low) if _number(low) == _number(high) else f"{_number(low)} to {_number(high)}"
        curve = ", darkened by a tone curve" if profile.gamma > 1 else ""
        return f"level {level} of 255, {_shared(profile.covariance)}{curve}"
    return _white(profile.level)


def beside(profile: "NoiseProfile") -> list[str]:
    """Return what is found beside the noise of single pixels."""
    found = []
    if profile.outliers is not None:
        found.append(f"{100 * profile.outliers.float().mean().item():.2g} % of the values are outliers")
    if profile.stripes is not None:
        offsets = {"rows": profile.stripes.rows, "columns": profile.stripes.columns}
        found += [f"{name} are offset by {_number(255 * value)}" for name, value in offsets.items() if value > 0]
    if profile.variation is not None:
        low, high = (value.item() for value in profile.variation.aminmax())
        found.append(f"level varies over the picture, {_number(low)} to {_number(high)} times the mean")
    return found


def shows_noise(level: NoiseLevelFunction) -> bool:
    """Return whether white noise is more than none.

    Example:
        >>> shows_noise(NoiseLevelFunction(1e-25, 0.0)), shows_noise(NoiseLevelFunction(1e-6, 0.0))
        (False, True)
    """
    return 255 * level.deviation(1.0) >= MIN_LEVEL


def _white(level: NoiseLevelFunction) -> str:
    if not shows_noise(level):
        return "none"
    clipped = ", clipped" if level.clipped else ""
    if not level.gain:
        return f"white, level {_number(255 * level.sigma)} of 255{clipped}"
    return f"sensor-like, {sensor(level, _number)} (of 255){clipped}"


def sensor(level: NoiseLevelFunction, number: Callable[[float], str], white: float = 255.0, black: float = 0.0) -> str:
    """Return gain, read noise and pedestal of a sensor as text.

    The variance shows only ``sigma^2 - gain * offset``: where a pedestal is measured, read noise makes it look smaller.

    Args:
        level: with a gain.
        number: returns a number as text.
        white: the value of white.
        black: the value of black.

    Example:
        >>> sensor(NoiseLevelFunction(0.01, 0.002, offset=0.05), "{:.3g}".format, 1100, 100)
        'gain 10, read noise 2, pedestal 150'
        >>> sensor(NoiseLevelFunction(0.01, 0.0, offset=0.05), "{:.3g}".format, 1100, 100)
        'gain 10, pedestal 150, read noise not separable from it'
    """
    unit = white - black
    gain, pedestal = f"gain {number(unit * level.gain)}", f"pedestal {number(black + unit * level.offset)}"
    if 255 * level.sigma < MIN_LEVEL:
        return f"{gain}, {pedestal}, read noise not separable from it" if level.offset else f"{gain}, no read noise"
    return f"{gain}, read noise {number(unit * level.sigma)}" + (f", {pedestal}" if level.offset else "")


def _shared(covariance: Tensor) -> str:
    pixels = shared_pixels(covariance)
    return f"correlated over {pixels} pixels" if pixels > 1 else "correlated between the channels"


def shared_pixels(covariance: Tensor) -> int:
    """Return over how many pixels in a row or a column noise is correlated; 1 for independent pixels.

    Example:
        >>> import torch
        >>> shared_pixels(torch.tensor([[[[0.0, 0.0, 0.0], [0.5, 1.0, 0.5], [0.0, 0.0, 0.0]]]]))
        2
    """
    lag = radius(covariance)
    strongest = covariance.abs().amax((0, 1))
    lines = (strongest[lag, lag:], strongest[lag:, lag])
    return 1 + max(int((line >= MIN_SHARED).nonzero().max()) for line in lines)


def _number(value: float) -> str:
    """Return a number of the 0-255 scale with as many digits as tell something.

    Example:
        >>> _number(12.34), _number(0.813), _number(0.0512), _number(25.0)
        ('12.3', '0.8', '0.05', '25')
    """
    digits = 1 if value >= 0.3 else 2
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") or "0"
