"""The base of every data module: it describes its pictures to the model before anything is trained on them."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from lightning import LightningDataModule
from torch import Tensor
from typing_extensions import override

from torchdenoise.data.picture import Picture
from torchdenoise.protocols import DataDescription, MatchesData
from torchdenoise.registry import Registered


class DenoisingData(Registered, LightningDataModule, ABC, kind="data"):
    """A ``LightningDataModule`` whose batches are dicts of tensors with ``noisy (B, C, H, W)`` in 0..1.

    Further keys are present or absent, never None: ``target`` (a second noisy copy, or the clean image, to learn from),
    ``clean`` (for metrics only) and ``index`` (the picture's place in ``sources``).
    """

    zero_shot: ClassVar[bool] = False
    """Whether a fit learns from one noisy picture and predicts the same one."""
    default_steps: ClassVar[int | None] = None
    """Steps of a fit from the command line that sets neither steps nor epochs; None if that is an error."""
    crop: int | None = None
    """Side of the random crops to train on; None for whole pictures."""
    sources: list[Path | None]
    """The file of each picture in the validation, test or prediction set; None for one in memory. ``prepare`` sets it;
    only commands that write or list results need it."""

    def __init__(self) -> None:
        super().__init__()
        self.sources = []

    @override
    def prepare_data(self) -> None:
        """Find what is wrong with the pictures before a logger creates its folder."""
        if self.trainer is not None and self.trainer.state.fn is not None:
            self.setup(self.trainer.state.fn.value)

    @override
    def setup(self, stage: str) -> None:
        """Prepare the pictures for ``fit``, ``validate``, ``test`` or ``predict``, and describe them to the model."""
        channels, height, width = self.prepare(stage)
        model = self.trainer.lightning_module if self.trainer is not None else None
        if not isinstance(model, MatchesData):
            return
        keys = self.keys() if stage == "fit" else None
        crop = self.crop if stage == "fit" else None
        known = None if keys is None else frozenset(keys)
        image = self.only_image() if stage == "fit" else None
        model.match_data(DataDescription(channels, height, width, known, crop, image, self.images(stage)))

    def only_image(self) -> Tensor | None:
        """Return the noisy image ``(1, C, H, W)`` of a fit to a single whole one; None for any other data."""
        return None

    def images(self, stage: str) -> int:  # noqa: ARG002
        """Return how many images are used in turn, again and again."""
        return 1

    def keys(self) -> set[str] | None:
        """Return the keys of training batches, or None if only the batches show them."""
        return None

    def noise_in_words(self) -> str:
        """Return the noise of the pictures that are scored; a module that adds noise names it and its seed."""
        return "that of the pictures themselves"

    @abstractmethod
    def prepare(self, stage: str) -> tuple[int, int, int]:
        """Get the pictures ready and return (channels, smallest height, smallest width)."""

    @abstractmethod
    def picture(self, index: int) -> Picture:
        """Return picture ``index`` of ``sources``; its result is written to the same kind of file."""
