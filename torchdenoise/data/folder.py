"""Folders of pictures: the data of methods that are trained on a data set, and of scores over many pictures."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import torch
from kornia.color import rgb_to_grayscale
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from torchdenoise.data.base import DenoisingData
from torchdenoise.data.files import read_picture
from torchdenoise.data.picture import Picture
from torchdenoise.errors import UserError
from torchdenoise.noise import NoiseModel, from_spec, repeatable, seeded
from torchdenoise.paths import find_pictures

Item = dict[str, Tensor]
Target = Literal["noisy", "clean"]


class ImageFolder(DenoisingData, source="synthetic noise on clean pictures, or noisy ones to predict"):
    """Folders of clean pictures that get synthetic noise, and of noisy ones to predict.

    Training noise and crops are a function of (seed, epoch, picture); validation and test noise of (pixels, noise,
    seed): neither the order nor the number of workers changes them.

    Args:
        train: folder of clean pictures to train on, one random crop of each an epoch.
        val: folder of clean pictures to validate on, whole.
        test: folder of clean pictures to score, whole.
        predict: folder of noisy pictures to denoise.
        noise: a model or spec.
        target: what a loss finds as ``target``: another noisy copy, or the clean image; nothing unless given.
        crop: side of the training crops, in pixels.
        channels: 1 makes all pictures grey, 3 makes all colour; unless given they must agree.
        batch_size: crops in a step.
        workers: processes that read pictures.
        seed: of noise and crops.

    Raises:
        UserError: on setup, when a folder that is needed is not given or holds no picture.
    """

    def __init__(
        self,
        train: str | Path | None = None,
        val: str | Path | None = None,
        test: str | Path | None = None,
        predict: str | Path | None = None,
        noise: NoiseModel | str = "gaussian:25",
        target: Target | None = None,
        crop: int = 128,
        channels: Literal[1, 3] | None = None,
        batch_size: int = 16,
        workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.folders = {"fit": train, "validate": val, "test": test, "predict": predict}
        self.noise = from_spec(noise)
        self.target = target
        self.crop = crop
        self.channels = channels
        self.batch_size = batch_size
        self.workers = workers
        self.seed = seed

    def prepare(self, stage: str) -> tuple[int, int, int]:
        """List the pictures and return the shape of the first, or of the training crops."""
        option = {"fit": "train", "validate": "val"}.get(stage, stage)
        if self.folders[stage] is None:
            raise UserError(f"ImageFolder has no pictures for {stage}: give --data.{option} FOLDER")
        if stage != "fit":
            self.sources = list(self._list(stage))
        first = _Pictures(self._list(stage)[:1], self.channels).image(0)
        height, width = (self.crop, self.crop) if stage == "fit" else first.shape[-2:]
        return first.shape[1], height, width

    def picture(self, index: int) -> Picture:
        """Return picture ``index`` of ``sources``, read again."""
        path = self.sources[index]
        assert path is not None
        return read_picture(path)

    def train_dataloader(self) -> DataLoader[Item]:
        """Return batches of random crops with fresh noise."""
        files = self._list("fit")
        crops = _Crops(files, self.channels, self.noise, self.target, self.crop, self.seed)
        order = _Order(len(files), self.seed, lambda: self.trainer.current_epoch if self.trainer else 0)
        size = min(self.batch_size, len(files))
        return DataLoader(crops, size, sampler=order, num_workers=self.workers, drop_last=True)

    def val_dataloader(self) -> DataLoader[Item] | list[Item]:
        """Return the validation pictures one by one, with their clean versions; none if no folder is given."""
        return [] if self.folders["validate"] is None else self._whole("validate")

    def test_dataloader(self) -> DataLoader[Item]:
        """Return the test pictures one by one, with their clean versions."""
        return self._whole("test")

    def predict_dataloader(self) -> DataLoader[Item]:
        """Return the noisy pictures one by one, as they are."""
        return DataLoader(_Whole(self._list("predict"), self.channels), batch_size=None, num_workers=self.workers)

    def _list(self, stage: str) -> list[Path]:
        return find_pictures(Path(str(self.folders[stage])))

    def _whole(self, stage: str) -> DataLoader[Item]:
        pictures = _Scored(self._list(stage), self.channels, self.noise, self.target, self.seed)
        return DataLoader(pictures, batch_size=None, num_workers=self.workers)


class _Pictures:
    """The images of a list of files, ``(1, C, H, W)``, all with the same number of channels."""

    def __init__(self, files: list[Path], channels: int | None) -> None:
        self.files = files
        self.channels = channels

    def __len__(self) -> int:
        return len(self.files)

    def image(self, index: int) -> Tensor:
        image = read_picture(self.files[index]).image
        if self.channels is None or image.shape[1] == self.channels:
            return image
        return rgb_to_grayscale(image) if self.channels == 1 else image.expand(-1, 3, -1, -1)


class _Whole(_Pictures, Dataset[Item]):
    def __getitem__(self, index: int) -> Item:
        return {"noisy": self.image(index), "index": torch.tensor([index])}


class _Scored(_Pictures, Dataset[Item]):
    def __init__(
        self, files: list[Path], channels: int | None, noise: NoiseModel, target: Target | None, seed: int
    ) -> None:
        super().__init__(files, channels)
        self.noise, self.target, self.seed = noise, target, seed

    def __getitem__(self, index: int) -> Item:
        clean = self.image(index)
        item = {"noisy": repeatable(self.noise, clean, self.seed), "clean": clean, "index": torch.tensor([index])}
        if self.target is not None:
            item["target"] = clean if self.target == "clean" else repeatable(self.noise, clean, self.seed + 1)
        return item


class _Crops(_Pictures, Dataset[Item]):
    """One random crop of each picture an epoch; an index counts on from epoch to epoch."""

    def __init__(
        self, files: list[Path], channels: int | None, noise: NoiseModel, target: Target | None, crop: int, seed: int
    ) -> None:
        super().__init__(files, channels)
        self.noise, self.target, self.crop, self.seed = noise, target, crop, seed

    def __getitem__(self, index: int) -> Item:
        epoch, place = divmod(index, len(self.files))
        image = self.image(place)
        generator = seeded(self.seed, epoch, place)
        rooms = [size - self.crop + 1 for size in image.shape[-2:]]
        if min(rooms) < 1:
            raise UserError(
                f"{self.files[place]}: {image.shape[-1]}x{image.shape[-2]} pixels, smaller than the crop of "
                f"{self.crop}: set --data.crop {min(image.shape[-2:])} or leave the picture out"
            )
        top, left = (int(torch.randint(room, (), generator=generator)) for room in rooms)
        clean = image[..., top : top + self.crop, left : left + self.crop].contiguous()
        item = {"noisy": self.noise(clean, generator)[0]}
        if self.target is not None:
            item["target"] = (clean if self.target == "clean" else self.noise(clean, generator))[0]
        return item


class _Order(Sampler[int]):
    """A new order every epoch, as indices that count on from epoch to epoch."""

    def __init__(self, size: int, seed: int, epoch: Callable[[], int]) -> None:
        self.size, self.seed, self.epoch = size, seed, epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        epoch = self.epoch()
        order = torch.randperm(self.size, generator=seeded(self.seed, epoch, -1))
        return iter((order + epoch * self.size).tolist())
