"""Noise models: clean image in, noisy image out, at a fixed level or at one drawn for each image from a range."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from torchdenoise.errors import UserError
from torchdenoise.registry import Registered

Level = float | tuple[float, float]
"""One level, or the two ends of a range from which each image of a batch draws its own, uniformly."""


class NoiseModel(Registered, ABC, kind="noise"):
    """What adds noise to clean images ``(B, C, H, W)`` in units of the white level; subclass it for your own.

    A subclass with one level takes it as its first constructor argument, so that ``name:level`` is its spec.

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
    """Whether the model is made of others: such a one is written by ``+`` and ``:clip``, never by its name."""

    @abstractmethod
    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return noisy images of the shape of ``clean``; not clipped unless the model says so."""

    def __call__(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return ``forward(clean, generator)``."""
        return self.forward(clean, generator)

    @property
    def level(self) -> float | None:
        """The standard deviation on the 0-255 scale where it is one number for all pixels and images, else None."""
        return None

    @property
    def spec(self) -> str:
        """The canonical spec, from which ``from_spec`` makes an equal model."""
        return ":".join([self.short_name, *(_level_text(value) for value in self.arguments.values())])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NoiseModel) and self.recipe() == other.recipe()

    def __hash__(self) -> int:
        return hash(self.spec)

    def __repr__(self) -> str:
        return f"<noise {self.spec}>"


class GaussianNoise(NoiseModel, name="gaussian", source="white, additive: y = x + sigma/255 n"):
    """Additive white Gaussian noise of standard deviation ``sigma`` on the 0-255 scale, or of a range of them.

    Raises:
        UserError: a level that is negative, not finite, or a range the wrong way round.

    Example:
        >>> noisy = GaussianNoise(25)(torch.zeros(1, 3, 256, 256))
        >>> round(255 * noisy.std().item())
        25
    """

    def __init__(self, sigma: Level = 25.0) -> None:
        self.sigma = _checked("gaussian", sigma, allow_zero=True)

    @property
    def level(self) -> float | None:
        """Sigma, unless it is a range."""
        return self.sigma if isinstance(self.sigma, float) else None

    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return ``clean`` plus noise; one level for each image of the batch."""
        sigma = _drawn(self.sigma, clean, generator) / 255
        return clean + sigma * torch.randn(clean.shape, generator=generator, device=clean.device, dtype=clean.dtype)


class PoissonNoise(NoiseModel, name="poisson", source="photon counts: y = Poisson(lambda x) / lambda"):
    """Photon noise of ``photons`` (lambda) counts at white, or of a range of them; negative pixels count as black.

    Raises:
        UserError: a level that is not positive, not finite, or a range the wrong way round.

    Example:
        >>> noisy = PoissonNoise(25)(torch.ones(1, 3, 256, 256))
        >>> round(noisy.var().item() * 25, 1)
        1.0
    """

    def __init__(self, photons: Level = 25.0) -> None:
        self.photons = _checked("poisson", photons, allow_zero=False)

    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return counts divided by lambda; one level for each image of the batch."""
        photons = _drawn(self.photons, clean, generator)
        return torch.poisson(photons * clean.clamp(min=0), generator=generator) / photons


class SummedNoise(NoiseModel, name="sum", source="one after the other: poisson:25+gaussian:5 is a camera's noise"):
    """Several noise models one after the other, as in ``poisson:25+gaussian:5``."""

    combines = True

    def __init__(self, parts: Sequence[NoiseModel]) -> None:
        if not parts:
            raise UserError("SummedNoise: give at least one part")
        self.parts = list(parts)

    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return ``clean`` after every part in turn."""
        for part in self.parts:
            clean = part(clean, generator)
        return clean

    @property
    def spec(self) -> str:
        """The specs of the parts, joined by ``+``."""
        return "+".join(part.spec for part in self.parts)


class MixedNoise(NoiseModel, name="mix", source="one of several, drawn for each image: for training blind networks"):
    """For each image one of several noise models, all equally likely, as in ``gaussian:0-55|poisson:5-100``.

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

    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return each image with the noise of one part."""
        chosen = torch.randint(len(self.parts), (len(clean),), generator=generator, device=clean.device).tolist()
        images = [
            self.parts[number](image, generator) for number, image in zip(chosen, torch.split(clean, 1), strict=True)
        ]
        return torch.cat(images)

    @property
    def spec(self) -> str:
        """The specs of the parts, joined by ``|``."""
        return "|".join(part.spec for part in self.parts)


class ClippedNoise(NoiseModel, name="clip", source="what an 8-bit file does to noise; biased near black and white"):
    """Another noise model, clipped to 0..1 at the end, as in ``gaussian:25:clip``."""

    combines = True

    def __init__(self, noise: NoiseModel) -> None:
        self.noise = noise

    @property
    def level(self) -> float | None:
        """The inner model's, which it was before clipping."""
        return self.noise.level

    def forward(self, clean: Tensor, generator: Generator | None = None) -> Tensor:
        """Return the inner model's noisy image, clipped."""
        return self.noise(clean, generator).clamp(0, 1)

    @property
    def spec(self) -> str:
        """The inner spec with ``:clip`` behind it."""
        return f"{self.noise.spec}:clip"


def _checked(name: str, level: Level | Sequence[float], *, allow_zero: bool) -> Level:
    ends: Sequence[Any] = level if isinstance(level, (list, tuple)) else [level, level]
    if len(ends) != 2 or not all(isinstance(end, Real) for end in ends):
        raise UserError(f"{name}: a level is one number or a range of two, not {level!r}")
    low, high = (float(end) for end in ends)
    lowest = "at least 0" if allow_zero else "above 0"
    if not (low >= 0 and high < float("inf")) or (low == 0 and not allow_zero):  # NaN fails every comparison
        raise UserError(f"{name}:{_level_text(level)}: the level must be {lowest} and finite")
    if high < low:
        raise UserError(f"{name}:{_level_text(level)}: a range goes from the lower level to the higher one")
    return (low, high) if ends is level else low


def _drawn(level: Level, like: Tensor, generator: Generator | None) -> Tensor:
    """Return ``(B, 1, 1, 1)`` levels for the images of ``like``."""
    low, high = level if isinstance(level, tuple) else (level, level)
    size = (like.shape[0], 1, 1, 1)
    if low == high:
        return torch.full(size, low, device=like.device, dtype=like.dtype)
    return low + (high - low) * torch.rand(size, generator=generator, device=like.device, dtype=like.dtype)


def _level_text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "-".join(_level_text(end) for end in value)
    if not isinstance(value, Real):  # another kind of argument, of a user's model
        return str(value)
    # A plus would read as the next part of a sum, a minus of zero as a range.
    return repr(float(value) + 0.0).removesuffix(".0").replace("e+", "e")
