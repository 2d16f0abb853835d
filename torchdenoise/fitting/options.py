"""What a caller may change in a recipe."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import lightning

from torchdenoise.errors import UserError
from torchdenoise.fitting.budget import Progress


@dataclass(frozen=True)
class Options:
    """What a caller changes in a recipe; each as in ``denoise``."""

    max_steps: int | None = None
    seed: int | None = None
    device: str = "auto"
    overrides: Sequence[str] = ()
    progress: Progress | None = None
    level: float | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)
    callbacks: Sequence[lightning.Callback] = ()
    budget: float | None = None
    told: Callable[[str], None] | None = None
    """Told in a line what was chosen for a budget, or why pictures are not fitted together."""

    def changes(self) -> list[str]:
        """Return all that can be said as ``KEY=VALUE``.

        Raises:
            UserError: ``max_steps`` below 1, a budget not above 0, or both.
        """
        if self.max_steps is not None and self.max_steps < 1:
            raise UserError(f"max_steps={self.max_steps}: must be at least 1")
        if self.budget is not None and not self.budget > 0:
            raise UserError(f"budget={self.budget}: must be above 0 seconds")
        if self.budget is not None and self.max_steps is not None:
            raise UserError("a budget chooses the number of steps: give budget or max_steps, not both")
        named = {"trainer.max_steps": self.max_steps, "seed_everything": self.seed}
        given = [self.overrides] if isinstance(self.overrides, str) else self.overrides
        return [*given, *(f"{key}={value}" for key, value in named.items() if value is not None)]
