"""Protocols between rooms that do not import each other."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class DataDescription:
    """What a data module's images are like, known before anything is trained on them.

    Example:
        >>> DataDescription(channels=3, height=256, width=192).crop is None
        True
    """

    channels: int
    height: int
    """The smallest height."""
    width: int
    """The smallest width."""
    keys: frozenset[str] | None = None
    """The keys of training batches; None if only the batches show them, or if nothing is trained."""
    crop: int | None = None
    """Side of the random crops of training batches; None if they hold whole images, or if nothing is trained."""
    image: "Tensor | None" = field(default=None, compare=False)
    """The noisy image ``(1, C, H, W)`` of a fit to a single one, or the first of its frames; None for other data."""
    images: int = 1
    """How many images are used in turn: a model may remember what it found out about each."""


@runtime_checkable
class MatchesData(Protocol):
    """A model that checks, and adapts to, the data before it is trained or used; other models are left alone."""

    def match_data(self, description: DataDescription) -> None:
        """Adapt to the data, or raise a ``DataError``."""
