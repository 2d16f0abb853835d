"""What every data module is: it says what its pictures are like before anything is trained on them."""

from abc import ABC, abstractmethod
from pathlib import Path

from lightning import LightningDataModule

from torchdenoise.data.picture import Picture
from torchdenoise.errors import UserError
from torchdenoise.registry import Registered


class DenoisingData(Registered, LightningDataModule, ABC, kind="data"):
    """A ``LightningDataModule`` whose batches are dicts of tensors with ``noisy (B, C, H, W)`` in 0..1.

    Further keys are present or absent, never None: ``target`` (a second noisy copy, or the clean image, to learn from),
    ``clean`` (for metrics only) and ``index`` (the picture's place in ``sources``).
    """

    sources: list[Path | None]
    """Where each picture of the validation, test or prediction set comes from; None for one in memory."""

    def prepare_data(self) -> None:
        """Find out what is wrong with the pictures before a logger makes its folder."""
        if self.trainer is not None and self.trainer.state.fn is not None:
            self.setup(self.trainer.state.fn.value)

    def setup(self, stage: str) -> None:
        """Prepare the pictures for ``fit``, ``validate``, ``test`` or ``predict``, and tell the model their shape."""
        channels, height, width = self.prepare(stage)
        model = self.trainer.lightning_module if self.trainer is not None else None
        match = getattr(model, "match_pictures", None)
        if match is not None:
            match(channels, height, width)
        crop = getattr(self, "crop", None)
        if stage == "fit" and crop is not None:
            _check_crops(model, crop)
        check = getattr(model, "match_batches", None)
        if stage == "fit" and check is not None and (keys := self.keys()) is not None:
            check(keys)

    def keys(self) -> set[str] | None:
        """Return what training batches hold, or None where only the batches show it."""
        return None

    @abstractmethod
    def prepare(self, stage: str) -> tuple[int, int, int]:
        """Get the pictures ready and return (channels, smallest height, smallest width)."""

    @abstractmethod
    def picture(self, index: int) -> Picture:
        """Return picture ``index`` of ``sources``, whose kind of file a result is written as."""


def _check_crops(model: object, crop: int) -> None:
    """Refuse crops of a picture where a method, or a readout that accumulates its outputs, needs all of it."""
    readout = getattr(model, "readout", None)
    if not getattr(model, "croppable", True):
        whole: object = model
    elif getattr(readout, "needs_outputs", False):
        whole = readout
    else:
        return
    raise UserError(
        f"{type(whole).__name__} is fitted to one whole picture, not to crops of {crop}: "
        "use --data SingleImage and leave data.crop out"
    )
