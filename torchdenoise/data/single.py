"""One picture, repeated: the data of a zero-shot fit."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset
from typing_extensions import override

from torchdenoise.data.base import DenoisingData
from torchdenoise.data.datasets import Item
from torchdenoise.data.device_copies import DeviceCopies
from torchdenoise.data.files import read_picture
from torchdenoise.data.picture import Picture
from torchdenoise.errors import UserError
from torchdenoise.noise import NoiseModel, from_spec, repeatable, seeded

Again = TypeVar("Again")
_FIRST: Item = {"index": torch.zeros(1, dtype=torch.long)}


class SingleImage(DenoisingData, source="a zero-shot fit is one long epoch of steps on one image"):
    """One noisy picture to train on and to predict.

    Args:
        path: of the noisy picture.
        noise: a model or spec; the picture is then assumed clean and gets this noise, and scores are logged.
        data_range: the white level, or (black, white), of the file's values; from the file by default.
        crop: side of random crops to train on, at even coordinates; None trains on the whole picture.
        crops: number of crops in a step.
        seed: of noise and crops.

    Raises:
        UserError: a crop or a number of crops below 1; on setup, if there is no picture, it cannot be read, or it is
            smaller than the crop.

    Example:
        >>> data = SingleImage()
        >>> data.use(torch.zeros(1, 1, 8, 8))
        >>> data.setup("fit")
        >>> next(iter(data.train_dataloader()))["noisy"].shape
        torch.Size([1, 1, 8, 8])
    """

    zero_shot: ClassVar[bool] = True
    default_steps: ClassVar[int | None] = 2000

    def __init__(
        self,
        path: str | Path | None = None,
        noise: NoiseModel | str | None = None,
        data_range: float | tuple[float, float] | None = None,
        crop: int | None = None,
        crops: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, number in (("crop", crop), ("crops", crops)):
            if number is not None and number < 1:
                raise UserError(f"data.{name}={number}: must be at least 1")
        self.path = None if path is None else Path(path)
        self.noise = None if noise is None else from_spec(noise)
        self.data_range = data_range
        self.crop = crop
        self.crops = crops
        self.seed = seed
        self._image: Tensor | None = None
        self._level: float | None = None
        self._others: Sequence[Tensor] = ()
        self._neighbours: Sequence[Tensor] = ()
        self._item: Item = {}
        self._on_device = DeviceCopies()

    def use(
        self,
        image: Tensor,
        level: float | None = None,
        *,
        others: Sequence[Tensor] = (),
        neighbours: Sequence[Tensor] = (),
    ) -> None:
        """Use an image ``(1, C, H, W)`` in 0..1 from memory instead of a file.

        Args:
            image: noisy, unless this module adds the noise.
            level: the noise's true standard deviation on the 0-255 scale, for methods that need it.
            others: noisy images of its size; training takes turns with them, a step each.
            neighbours: noisy frames before and after it, for readouts that make use of them.
        """
        self._image = image
        self._level = level
        self._others = others
        self._neighbours = neighbours

    @override
    def prepare(self, stage: str) -> tuple[int, int, int]:
        """Read the picture, add noise if asked to, and return its shape."""
        if self._image is None:
            if self.path is None:
                pictures = {"validate": "val", "test": "test", "predict": "predict"}.get(stage)
                folder = f", or a folder by --data ImageFolder --data.{pictures} FOLDER" if pictures else ""
                raise UserError(f"SingleImage has no picture: give --data.path FILE{folder}")
            self._image = self.picture(0).image
        image = self._image
        self._on_device.clear()
        if self.noise is None:
            self._item = {"noisy": image}
        else:
            self._item = {"noisy": repeatable(self.noise, image, self.seed), "clean": image, **_FIRST}
        level = self._level if self.noise is None else self.noise.level
        if level is not None:
            self._item["level"] = torch.tensor([level])
        self.sources = [self.path]
        channels, height, width = image.shape[1:]
        if stage == "fit" and self.crop is not None and self.crop > min(height, width):
            raise UserError(
                f"the picture is {width}x{height} pixels, smaller than the crop: set data.crop={min(height, width)}"
            )
        return channels, height, width

    @override
    def only_image(self) -> Tensor | None:
        """Return the noisy picture, unless training sees crops of it."""
        return self._item["noisy"] if self.crop is None else None

    @override
    def images(self, stage: str) -> int:
        """Return the number of images of a fit, or of the frames that a prediction looks at."""
        return 1 + len(self._others if stage == "fit" else self._neighbours)

    @override
    def picture(self, index: int) -> Picture:
        """Return the picture, read again."""
        assert self.path is not None, "an image in memory has no file"
        return read_picture(self.path, self.data_range)

    @override
    def noise_in_words(self) -> str:
        """Return the spec of the added noise, and its seed, if there is any."""
        return super().noise_in_words() if self.noise is None else f"{self.noise.spec}, seed {self.seed}"

    @override
    def train_dataloader(self) -> DataLoader[Item]:
        """Return the picture endlessly; the Trainer's ``max_steps`` ends the fit."""
        return DataLoader(
            _Endless(self._item, *({**self._item, "noisy": other} for other in self._others)), batch_size=None
        )

    @override
    def transfer_batch_to_device(self, batch: Item, device: torch.device, dataloader_idx: int) -> Item:
        """Copy the images of a fit to the device, each of them once."""
        if self.trainer is None or not self.trainer.training:
            moved: Item = super().transfer_batch_to_device(batch, device, dataloader_idx)
            return moved
        return self._on_device(batch, device)

    @override
    def on_after_batch_transfer(self, batch: Item, dataloader_idx: int) -> Item:
        """Cut the crops of a training step, which depend only on the seed and the number of the batch."""
        if self.crop is None or self.trainer is None or not self.trainer.training:
            return batch
        # Lightning's other counters restart in a resumed fit. Here the first batch has number -1.
        batch_number = self.trainer.fit_loop.epoch_loop.batch_progress.total.completed - 1
        generator = seeded(self.seed, batch_number)
        counts = [(size - self.crop) // 2 + 1 for size in batch["noisy"].shape[-2:]]
        tops, lefts = (2 * torch.randint(count, (self.crops,), generator=generator) for count in counts)
        places = list(zip(tops.tolist(), lefts.tolist(), strict=True))
        side = self.crop

        def cut(image: Tensor) -> Tensor:
            return torch.cat([image[..., top : top + side, left : left + side] for top, left in places])

        return {key: cut(value) if value.ndim == 4 else value for key, value in batch.items()}

    @override
    def keys(self) -> set[str]:
        """Return ``noisy``, and ``level`` if it is known."""
        return {"noisy", *(["level"] if "level" in self._item else [])}

    @override
    def val_dataloader(self) -> DataLoader[Item] | list[Item]:
        """Return the picture once if its clean version is known."""
        return _once(self._item) if self.noise is not None else []

    @override
    def test_dataloader(self) -> DataLoader[Item]:
        """Return the picture once.

        Raises:
            UserError: there is no clean version to score against.
        """
        if self.noise is None:
            raise UserError("nothing to score against: give --data.noise SPEC (the picture is then assumed clean)")
        return _once(self._item)

    @override
    def predict_dataloader(self) -> DataLoader[Item]:
        """Return the noisy picture once."""
        return _once(self.predicted())

    def predicted(self) -> Item:
        """Return what a prediction sees."""
        seen = {key: value for key, value in self._item.items() if key != "clean"} | _FIRST
        return seen | ({"neighbours": torch.cat(list(self._neighbours))} if self._neighbours else {})


class SeveralImages(LightningDataModule):
    """The pictures of several ``SingleImage``: all of them in each training step, one by one to predict.

    Example:
        >>> members = [SingleImage(), SingleImage()]
        >>> for size, member in zip((8, 9), members):
        ...     member.use(torch.zeros(1, 1, size, size))
        >>> [item["noisy"].shape[-1] for item in next(iter(SeveralImages(members).train_dataloader()))]
        [8, 9]
    """

    def __init__(self, members: Sequence[SingleImage]) -> None:
        super().__init__()
        self.members = members
        for member in members:
            member.prepare("fit")
        self._on_device = DeviceCopies()

    @override
    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Copy the images of a fit to the device, each of them once."""
        if self.trainer is None or not self.trainer.training:
            return super().transfer_batch_to_device(batch, device, dataloader_idx)
        return [self._on_device(item, device) for item in batch]

    @override
    def train_dataloader(self) -> DataLoader[list[Item]]:
        """Return the pictures endlessly."""
        return DataLoader(_Endless([member._item for member in self.members]), batch_size=None)

    @override
    def predict_dataloader(self) -> DataLoader[Item]:
        """Return the pictures once, one after the other."""
        items = [member.predicted() for member in self.members]
        return DataLoader(items, batch_size=None)  # type: ignore[arg-type]  # a list is a data set to torch


def _once(item: Item) -> DataLoader[Item]:
    return DataLoader([item], batch_size=None)  # type: ignore[arg-type]  # a list is a data set to torch


class _Endless(IterableDataset[Again]):
    def __init__(self, *items: Again) -> None:
        self.items = items

    @override
    def __iter__(self) -> Iterator[Again]:
        return itertools.cycle(self.items)
