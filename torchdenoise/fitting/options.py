"""The options of a fit, which override its recipe."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import lightning
from torch import Tensor

from torchdenoise.errors import RecipeError, UserError
from torchdenoise.fitting.budget import Progress
from torchdenoise.noise import NoiseProfile, NoiseSource, ValueRange, given_profiles
from torchdenoise.noise.given import Given


@dataclass(frozen=True)
class Options:
    """What a caller changes in a recipe; see ``denoise``."""

    max_steps: int | None = None
    seed: int | None = None
    device: str = "auto"
    overrides: Sequence[str] = ()
    progress: Progress | None = None
    level: float | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)
    callbacks: Sequence[lightning.Callback] = ()
    budget: float | None = None
    on_message: Callable[[str], None] = logging.getLogger(__name__).info
    """Takes a line about the steps chosen for a budget, or about why pictures are not fitted together; logs it."""
    noise: NoiseProfile | NoiseSource | None = None
    """The noise of the images; measured in each by default."""
    channel_noise: Sequence[NoiseProfile] = ()
    """The noise of each channel of a stack, whose channels are then denoised alone."""
    strength: float = 1.0
    """The result is ``noisy + strength * (result - noisy)``; 0 to 1."""
    keep_outliers: bool = False
    """Whether outliers come back unchanged in the result."""
    shared: Callable[[], Sequence[Tensor]] | None = None
    """Returns frames of a stack, to which one network is fitted for all; each frame has its own by default."""
    neighbours: int = 0
    """How many frames before and after a frame of a stack may hold similar patches."""
    graphs: bool = False
    """Whether to record the steps on a CUDA device and replay them (``StepGraphs``)."""
    should_stop: Callable[[], bool] | None = None
    """Asked after every step and before each picture or frame is read out; True raises ``Stopped``."""

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise UserError(f"strength={self.strength}: must lie in 0 to 1")
        if self.neighbours < 0:
            raise UserError(f"neighbours={self.neighbours}: must be at least 0")

    def gives(self, part: str) -> bool:
        """Return whether a part of the denoiser replaces the recipe's."""
        return part in self.parts or any(re.match(rf"model\.{part}\b", each) for each in self.words())

    def words(self) -> Sequence[str]:
        """Return the overrides, which may be one text."""
        return [self.overrides] if isinstance(self.overrides, str) else self.overrides

    def check_values(self, values: ValueRange) -> None:
        """Raise UserError unless the given noise is in the units of a picture with these values, and of the whole."""
        if self.channel_noise:
            raise UserError(f"{len(self.channel_noise)} noise profiles are for a stack of as many channels: give one")
        if isinstance(self.noise, NoiseProfile):
            self.noise.require_values(values)

    def changes(self) -> list[str]:
        """Return the overrides of the recipe as ``KEY=VALUE``.

        Raises:
            RecipeError: ``max_steps`` below 1, a budget that is not positive, or both options.
        """
        if self.max_steps is not None and self.max_steps < 1:
            raise RecipeError(f"max_steps={self.max_steps}: must be at least 1")
        if self.budget is not None and not self.budget > 0:
            raise RecipeError(f"budget={self.budget}: must be above 0 seconds")
        if self.budget is not None and self.max_steps is not None:
            raise RecipeError("a budget chooses the number of steps: give budget or max_steps, not both")
        named = {"trainer.max_steps": self.max_steps, "seed_everything": self.seed}
        return [*self.words(), *(f"{key}={value}" for key, value in named.items() if value is not None)]


def check_steps(overrides: Sequence[str], name: str = "") -> None:
    """Raise RecipeError if overrides state the steps, too, where ``max_steps`` or a budget does; ``name`` has them."""
    stated = next((each for each in overrides if each.startswith("trainer.max_steps=")), None)
    if stated:
        raise RecipeError(f"{name}{name and ': '}{stated} and max_steps (--max-steps) or a budget: give one of them")


def stated_noise(noise: Given | Sequence[Given] | None) -> dict[str, Any]:
    """Return the arguments of ``Options`` for noise that a caller states, or for none.

    Raises:
        UserError: as ``given_profiles``.

    Example:
        >>> Options(**stated_noise("gaussian:25.5")).noise.level.sigma
        0.1
        >>> len(Options(**stated_noise(["gaussian:12", "gaussian:9"])).channel_noise)
        2
    """
    profiles = [] if noise is None else given_profiles(noise)
    return {"channel_noise": profiles} if len(profiles) > 1 else {"noise": profiles[0] if profiles else None}
