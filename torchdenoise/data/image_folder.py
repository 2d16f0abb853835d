"""Folders of pictures that get synthetic noise, and of noisy ones to predict."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

from torchdenoise.data.datasets import Complete, Item
from torchdenoise.data.folder import Channels, Folder, FolderData, Place, as_they_are
from torchdenoise.noise import NoiseModel, from_spec, repeatable

Target = Literal["noisy", "clean"]


class ImageFolder(FolderData, source="synthetic noise on clean pictures, or noisy ones to predict"):
    """Folders of clean pictures that get synthetic noise, and of noisy ones to predict.

    Training noise and crops are a function of (seed, epoch, index); validation and test noise of (pixels, noise,
    seed): neither the order nor the number of workers changes them.

    Args:
        train: folder of clean pictures to train on, in random crops.
        val: folder of clean pictures to validate on, whole.
        test: folder of clean pictures to score, whole.
        predict: folder of noisy pictures to denoise, each with the channels it has.
        noise: a model or spec.
        target: what a loss finds as ``target``: another noisy copy, or the clean image; nothing unless given.
        crop: side of the training crops, in pixels.
        channels: 1 makes all pictures grey, 3 makes all colour; unless given they must agree.
        batch_size: crops in a step, of each process.
        workers: processes that read pictures.
        seed: of noise, crops, flips and turns.
        repeats: crops of each picture an epoch.
        augment: flips and turns training crops at random, all eight ways alike.

    Raises:
        UserError: a number that is too small; on setup, a folder that is needed is not given or holds no picture, a
            picture is smaller than the crop, or grey and colour are mixed.

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
        places = {
            "fit": [Place("clean", "train", train)],
            "validate": [Place("clean", "val", val)],
            "test": [Place("clean", "test", test)],
            "predict": [Place("noisy", "predict", predict)],
        }
        super().__init__(places, crop, channels, batch_size, repeats, augment, workers, seed)
        self.noise = from_spec(noise)
        self.target = target

    def keys(self) -> set[str]:
        """Return ``noisy``, and ``target`` where one is asked for."""
        return {"noisy"} if self.target is None else {"noisy", "target"}

    def complete(self, stage: str) -> Complete:
        """Return what adds the noise; pictures to predict have theirs."""
        return as_they_are if stage == "predict" else _AddNoise(self.noise, self.target, self.seed)


@dataclass(frozen=True)
class _AddNoise:
    """Makes noisy copies: fresh ones of training crops, always the same of whole pictures, which keep the clean one."""

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
