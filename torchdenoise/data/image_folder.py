"""Folders of clean pictures with synthetic noise added, and of noisy pictures to predict."""

import warnings
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader
from typing_extensions import override

from torchdenoise.data.datasets import Item, Transform
from torchdenoise.data.folder import Channels, Folder, FolderData, FolderOption, unchanged
from torchdenoise.errors import AssumptionWarning
from torchdenoise.noise import ClippedNoise, NoiseModel, from_spec, repeatable

Target = Literal["noisy", "clean"]


class ImageFolder(FolderData, source="synthetic noise on clean pictures, or noisy ones to predict"):
    """Folders of clean pictures with synthetic noise added, and of noisy pictures to predict.

    Training noise and crops depend only on (seed, epoch, index), validation and test noise only on (pixels, noise,
    seed). Neither the order of files nor the number of workers changes them.

    Args:
        train: folder of clean pictures to train on, in random crops.
        val: folder of clean pictures to validate on, whole.
        test: folder of clean pictures to score, whole.
        predict: folder of noisy pictures to denoise; ``channels`` does not convert them.
        noise: a model or spec.
        target: what batches hold as ``target``: another noisy copy, or the clean image; none by default.
        crop: side of the training crops, in pixels.
        channels: 1 converts all pictures to grey, 3 to colour; by default they must agree.
        batch_size: crops per step, of each process.
        workers: processes that read pictures.
        seed: of noise, crops and augmentation.
        repeats: crops of each picture per epoch.
        augment: flips and rotates training crops at random, all eight orientations equally likely.

    Raises:
        DataError: a number that is too small; on setup, a required folder is not given, or grey and colour are mixed.
        PictureError: on setup, a folder that holds no picture, or a picture smaller than the crop.

    Example:
        >>> ImageFolder(train="clean/", crop=64, repeats=10).noise.spec
        'gaussian:25'
    """

    def __init__(
        self,
        train: Folder = None,
        val: Folder = None,
        test: Folder = None,
        predict: Folder = None,
        noise: NoiseModel | str = "gaussian:25",
        target: Target | None = None,
        crop: int = 128,
        channels: Channels = None,
        batch_size: int = 16,
        workers: int = 0,
        seed: int = 0,
        repeats: int = 1,
        augment: bool = True,
    ) -> None:
        folders = {
            "fit": [FolderOption("clean", "train", train)],
            "validate": [FolderOption("clean", "val", val)],
            "test": [FolderOption("clean", "test", test)],
            "predict": [FolderOption("noisy", "predict", predict)],
        }
        super().__init__(folders, crop, channels, batch_size, repeats, augment, workers, seed)
        self.noise = from_spec(noise)
        self.target = target

    @override
    def keys(self) -> set[str]:
        """Return ``noisy``, and ``target`` if there is one."""
        return {"noisy"} if self.target is None else {"noisy", "target"}

    @override
    def noise_in_words(self) -> str:
        """Return the spec of the added noise, and its seed."""
        return f"{self.noise.spec}, seed {self.seed}"

    @override
    def transform(self, stage: str) -> Transform:
        """Return the function that adds noise; pictures to predict are noisy already."""
        return unchanged if stage == "predict" else _AddNoise(self.noise, self.target, self.seed)

    @override
    def train_dataloader(self) -> DataLoader[Item]:
        """Return batches of random crops.

        Warns:
            AssumptionWarning: the target is a noisy copy whose noise is clipped.
        """
        if self.target == "noisy" and isinstance(self.noise, ClippedNoise):
            warnings.warn(
                f"the target is a noisy copy, and {self.noise.spec} has no zero mean near black and white: train with "
                f"--data.noise {self.noise.noise.spec}, or with --data.target clean",
                AssumptionWarning,
                stacklevel=2,
            )
        return super().train_dataloader()


@dataclass(frozen=True)
class _AddNoise:
    """Adds noise: new noise for each training crop, repeatable noise for whole pictures, which keep the clean image."""

    noise: NoiseModel
    target: Target | None
    seed: int

    def __call__(self, images: Item, generator: Generator | None) -> Item:
        clean = images["clean"]
        item = {"noisy": self._copy(clean, generator, self.seed)}
        if self.target is not None:
            item["target"] = clean if self.target == "clean" else self._copy(clean, generator, self.seed + 1)
        if generator is not None:
            return item
        level = self.noise.level
        return {**item, "clean": clean, **({} if level is None else {"level": torch.tensor([level])})}

    def _copy(self, clean: Tensor, generator: Generator | None, seed: int) -> Tensor:
        return repeatable(self.noise, clean, seed) if generator is None else self.noise(clean, generator)
