"""Noise models: clean image in, noisy image out, at a fixed level or at a level drawn per image from a range."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor
from typing_extensions import override

from torchdenoise.errors import UserError
from torchdenoise.noise.level_function import NoiseLevelFunction
from torchdenoise.noise.profile import NoiseProfile
from torchdenoise.registry import Registered

Level = float | tuple[float, float]
"""One level, or a range (low, high) from which each image of a batch draws its own, uniformly."""


class NoiseModel(Registered, ABC, kind="noise"):
    """Adds noise to clean images ``(B, C, H, W)``, 1.0 is white; subclass it for your own noise.

    A subclass keeps each constructor argument as an attribute of the same name; spec, equality and checkpoints are
    read from these. Its spec is its short name followed by the arguments: ``name:level``, so a subclass with one level
    takes it first.

    Example:
        >>> class Salt(NoiseModel, name="salt"):
        ...     def __init__(self, share: float) -> None:
        ...         self.share = share
        ...     def forward(self, clean, generator=None):
        ...         hit = torch.rand(clean.shape, generator=generator, device=clean.device) < self.share
        ...         return torch.where(hit, 1.0, clean)
        >>> Salt(1.0)(torch.zeros(1, 1, 2, 2)).sum().item()
        4.0
    """

    combines: ClassVar[bool] = False
    """Whether the model consists of others: specs write it as ``+``, ``|`` or ``:clip``, never by its name."""

    text_argument: ClassVar[bool] = False
    """Whether a spec's text after the name is the one argument as it stands, such as a path, and not levels."""

    @abstractmethod
    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return noisy images; ``clean`` is left unchanged.

        Args:
            clean: ``(B, C, H, W)``, 1.0 is white; values outside 0..1 are allowed.
            generator: source of all random numbers, on the device of ``clean``; None uses torch's global one.

        Returns:
            Images of the shape, dtype and device of ``clean``, not clipped unless clipping is part of the model. The
            noise is independent between images; a range of levels is drawn once per image.
        """

    def __call__(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return ``forward(clean, generator)``."""
        return self.forward(clean, generator)

    @property
    def level(self) -> float | None:
        """The standard deviation on the 0-255 scale if all pixels and images share it, else None."""
        return None

    def profile(self) -> NoiseProfile:
        """Return what a picture's noise profile would be if it had this noise.

        Raises:
            UserError: no one profile describes it; a model that knows its profile overrides this.
        """
        raise UserError(
            f"noise {self.spec!r}: only gaussian, poisson and measured noise, each of one level, and sums of the first "
            "two say what a picture's noise is; try gaussian:12, poisson:30 or poisson:30+gaussian:5"
        )

    @property
    def spec(self) -> str:
        """The canonical spec; ``from_spec`` builds an equal model from it."""
        return ":".join([self.short_name, *(_level_text(value) for value in self.arguments.values())])

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, NoiseModel) and self.recipe() == other.recipe()

    @override
    def __hash__(self) -> int:
        return hash(self.spec)

    @override
    def __repr__(self) -> str:
        return f"<noise {self.spec}>"


class GaussianNoise(NoiseModel, name="gaussian", source="white, additive: y = x + sigma/255 n"):
    """Additive white Gaussian noise of standard deviation ``sigma`` on the 0-255 scale, or a range of them.

    Raises:
        UserError: a level that is negative or not finite, or a range whose first end is the higher one.

    Example:
        >>> noisy = GaussianNoise(25)(torch.zeros(1, 3, 256, 256))
        >>> round(255 * noisy.std().item())
        25
    """

    def __init__(self, sigma: Level = 25.0) -> None:
        self.sigma = check_level("gaussian", sigma, allow_zero=True)

    @property
    @override
    def level(self) -> float | None:
        """Sigma, unless it is a range."""
        return self.sigma if isinstance(self.sigma, float) else None

    @override
    def profile(self) -> NoiseProfile:
        """Return the profile of white noise of one level."""
        if self.level is None:
            return super().profile()
        return NoiseProfile(NoiseLevelFunction(0.0, self.level / 255))

    @override
    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return ``clean`` plus noise."""
        sigma = draw_levels(self.sigma, clean, generator) / 255
        return clean + sigma * torch.randn(clean.shape, generator=generator, device=clean.device, dtype=clean.dtype)


class PoissonNoise(NoiseModel, name="poisson", source="photon counts: y = Poisson(lambda x) / lambda"):
    """Photon noise with ``photons`` (lambda) at white, or a range of them; negative pixels count as black.

    Raises:
        UserError: a level that is not positive or not finite, or a range whose first end is the higher one.

    Example:
        >>> noisy = PoissonNoise(25)(torch.ones(1, 3, 256, 256))
        >>> round(noisy.var().item() * 25, 1)
        1.0
    """

    def __init__(self, photons: Level = 25.0) -> None:
        self.photons = check_level("poisson", photons, allow_zero=False)

    @override
    def profile(self) -> NoiseProfile:
        """Return the profile of noise whose variance is brightness divided by lambda."""
        if not isinstance(self.photons, float):
            return super().profile()
        return NoiseProfile(NoiseLevelFunction(1 / self.photons, 0.0))

    @override
    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return photon counts divided by lambda."""
        photons = draw_levels(self.photons, clean, generator)
        return torch.poisson(photons * clean.clamp(min=0), generator=generator) / photons


class SummedNoise(NoiseModel, name="sum", source="in sequence: poisson:25+gaussian:5 is camera noise"):
    """Several noise models applied in sequence, as in ``poisson:25+gaussian:5``."""

    combines = True

    def __init__(self, parts: Sequence[NoiseModel]) -> None:
        if not parts:
            raise UserError("SummedNoise: give at least one part")
        self.parts = list(parts)

    @override
    def profile(self) -> NoiseProfile:
        """Return the profile whose variance is the sum of the parts' variances; only of white parts without offset."""
        levels = [part.profile() for part in self.parts]
        if any(each.correlated or each.level.clipped or each.level.offset for each in levels):
            return super().profile()
        gain, variance = sum(each.level.gain for each in levels), sum(each.level.sigma**2 for each in levels)
        return NoiseProfile(NoiseLevelFunction(gain, variance**0.5))

    @override
    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return ``clean`` with the noise of all parts, applied in sequence."""
        for part in self.parts:
            clean = part(clean, generator)
        return clean

    @property
    @override
    def spec(self) -> str:
        """The specs of the parts, joined by ``+``."""
        return "+".join(part.spec for part in self.parts)


class MixedNoise(NoiseModel, name="mix", source="one of several, drawn for each image: for training blind networks"):
    """One of several noise models for each image, drawn uniformly, as in ``gaussian:0-55|poisson:5-100``.

    Example:
        >>> mixed = MixedNoise([GaussianNoise(0), GaussianNoise(255)])
        >>> spread = mixed(torch.zeros(100, 1, 8, 8)).std((1, 2, 3))
        >>> 30 < (spread > 0.5).sum().item() < 70
        True
    """

    combines = True

    def __init__(self, parts: Sequence[NoiseModel]) -> None:
        if not parts:
            raise UserError("MixedNoise: give at least one part")
        self.parts = list(parts)

    @override
    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return each image with the noise of the part drawn for it."""
        chosen = torch.randint(len(self.parts), (len(clean),), generator=generator, device=clean.device).tolist()
        images = [
            self.parts[number](image, generator) for number, image in zip(chosen, torch.split(clean, 1), strict=True)
        ]
        return torch.cat(images)

    @property
    @override
    def spec(self) -> str:
        """The specs of the parts, joined by ``|``."""
        return "|".join(part.spec for part in self.parts)


class ClippedNoise(NoiseModel, name="clip", source="as in an 8-bit file; biased near black and white"):
    """Another noise model, clipped to 0..1 afterwards, as in ``gaussian:25:clip``."""

    combines = True

    def __init__(self, noise: NoiseModel) -> None:
        self.noise = noise

    @property
    @override
    def level(self) -> float | None:
        """The inner model's level, before clipping."""
        return self.noise.level

    @override
    def profile(self) -> NoiseProfile:
        """Return the inner model's profile, marked as clipped."""
        inner = self.noise.profile()
        return replace(inner, level=inner.level._replace(clipped=True))

    @override
    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return the inner model's noisy image, clipped."""
        return self.noise(clean, generator).clamp(0, 1)

    @property
    @override
    def spec(self) -> str:
        """The inner spec followed by ``:clip``."""
        return f"{self.noise.spec}:clip"


class StoredNoise(NoiseModel, name="bits", source="whole numbers of a file, as in an 8-bit picture"):
    """What storing in whole numbers does: clipped to 0..1 and rounded, as in ``gaussian:25+bits:8``.

    Args:
        bits: of a value; 1 to 16.

    Raises:
        UserError: other than a whole number from 1 to 16.

    Example:
        >>> StoredNoise(1)(torch.tensor([-0.3, 0.4, 0.6, 1.2]).view(1, 1, 2, 2)).flatten()
        tensor([0., 0., 1., 1.])
    """

    def __init__(self, bits: float = 8) -> None:
        if bits not in range(1, 17):
            raise UserError(f"bits:{bits:g}: give a whole number from 1 to 16")
        self.bits = bits

    @override
    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return images in 0..1 of ``2 ** bits`` values."""
        white = 2 ** int(self.bits) - 1
        stored: Tensor = clean.clamp(0, 1).mul(white).round() / white
        return stored


def check_level(name: str, level: Level | Sequence[float], *, allow_zero: bool, highest: float = float("inf")) -> Level:
    """Return a level or range of a model's constructor as floats.

    Raises:
        UserError: it is negative, not finite or above ``highest``, 0 where that is not allowed, or no level or range.

    Example:
        >>> check_level("gaussian", [5, 50], allow_zero=True)
        (5.0, 50.0)
    """
    ends: Sequence[Any] = level if isinstance(level, (list, tuple)) else [level, level]
    if len(ends) != 2 or not all(isinstance(end, Real) for end in ends):
        raise UserError(f"{name}: a level is one number or a range of two numbers, not {level!r}")
    low, high = (float(end) for end in ends)
    lowest = "at least 0" if allow_zero else "above 0"
    if not (low >= 0 and high < float("inf")) or (low == 0 and not allow_zero):  # NaN fails every comparison
        raise UserError(f"{name}:{_level_text(level)}: the level must be {lowest} and finite")
    if high > highest:
        raise UserError(f"{name}:{_level_text(level)}: the level must be at most {highest:g}")
    if high < low:
        raise UserError(f"{name}:{_level_text(level)}: write a range from the lower level to the higher one")
    return (low, high) if ends is level else low


def draw_levels(level: Level, like: Tensor, generator: Generator | None) -> Tensor:
    """Return ``(B, 1, 1, 1)`` levels for the images of ``like``, each its own from a range.

    Example:
        >>> draw_levels(5.0, torch.zeros(2, 1, 4, 4), None).flatten()
        tensor([5., 5.])
    """
    low, high = level if isinstance(level, tuple) else (level, level)
    size = (like.shape[0], 1, 1, 1)
    if low == high:
        return torch.full(size, low, device=like.device, dtype=like.dtype)
    return low + (high - low) * torch.rand(size, generator=generator, device=like.device, dtype=like.dtype)


def _level_text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "-".join(_level_text(end) for end in value)
    if not isinstance(value, Real):  # a user's model may take other arguments
        return str(value)
    # A plus sign would start the next part of a sum, the minus of -0.0 would read as a range.
    return repr(float(value) + 0.0).removesuffix(".0").replace("e+", "e")
