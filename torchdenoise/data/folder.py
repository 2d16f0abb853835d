"""Folders of pictures: data for training on a data set, and for scores over many pictures."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from kornia.augmentation import ImageSequential, RandomHorizontalFlip, RandomRotation90, RandomVerticalFlip
from torch import Generator, Tensor
from torch.utils.data import DataLoader
from typing_extensions import override

from torchdenoise.data.base import DenoisingData
from torchdenoise.data.datasets import (
    CACHE_BYTES,
    Item,
    Loader,
    RandomCrops,
    ResumableSampler,
    ScenePaths,
    SceneReader,
    Transform,
    WholeScenes,
    collate,
)
from torchdenoise.data.files import read_picture
from torchdenoise.data.headers import check_crop, header
from torchdenoise.data.partners import check_partners, match_by_name
from torchdenoise.data.picture import Picture
from torchdenoise.errors import DataError, UserError
from torchdenoise.noise import seeded
from torchdenoise.paths import find_pictures

Folder = str | Path | None
Channels = Literal[1, 3] | None


class FolderOption(NamedTuple):
    """The folder with the pictures of a batch key, and the option that names it."""

    key: str
    option: str
    folder: Folder


class FolderData(DenoisingData):
    """The base of data modules of folders: checks before training, random crops, whole pictures.

    Args:
        folders: the folders of each of ``fit``, ``validate``, ``test`` and ``predict``; where there are several, the
            first and at least one more are required.
        crop: side of the training crops, in pixels.
        channels: 1 converts all pictures to grey, 3 to colour; by default they must agree.
        batch_size: crops per step, of each process.
        repeats: crops of each picture per epoch.
        augment: flips and rotates training crops at random.
        workers: processes that read pictures.
        seed: of everything random.

    Raises:
        DataError: a number that is too small; on setup, pictures that cannot be used.
    """

    def __init__(
        self,
        folders: Mapping[str, Sequence[FolderOption]],
        crop: int,
        channels: Channels,
        batch_size: int,
        repeats: int,
        augment: bool,
        workers: int,
        seed: int,
    ) -> None:
        super().__init__()
        bounds = {"crop": (crop, 1), "batch_size": (batch_size, 1), "repeats": (repeats, 1), "workers": (workers, 0)}
        for name, (value, smallest) in bounds.items():
            if value < smallest:
                raise DataError(f"--data.{name} {value}: must be at least {smallest}")
        self.folders = folders
        self.crop: int = crop
        self.channels = channels
        self.batch_size = batch_size
        self.repeats = repeats
        self.augment = augment
        self.workers = workers
        self.seed = seed
        # All eight flips and quarter turns are equally likely; "nearest", because a quarter turn moves whole pixels.
        self._augmentation = ImageSequential(
            RandomHorizontalFlip(), RandomVerticalFlip(), RandomRotation90((1, 1), resample="nearest", p=0.5)
        )

    @abstractmethod
    def transform(self, stage: str) -> Transform:
        """Return the function from the images in a stage's folders to its batches."""

    def scenes(self, stage: str) -> list[ScenePaths]:
        """Return the files of a stage.

        Raises:
            UserError: a required folder is not given, does not exist or holds no picture; pictures without partner.
        """
        given = self._given(stage)
        sides = []
        for each in given:
            try:
                sides.append(find_pictures(Path(str(each.folder))))
            except UserError as error:
                raise type(error)(f"--data.{each.option} {error}") from None
        if len(given) == 1:
            return [{given[0].key: path} for path in sides[0]]
        options = ", ".join(f"--data.{each.option}" for each in given)
        keys = [each.key for each in given]
        return [dict(zip(keys, paths, strict=True)) for paths in match_by_name(sides, options).values()]

    @override
    def prepare(self, stage: str) -> tuple[int, int, int]:
        """Check the headers of all pictures, and return the smallest shape, or that of the training crops."""
        scenes = self.scenes(stage)
        if stage != "fit":
            self.sources = [next(iter(scene.values())) for scene in scenes]
            return self._smallest_shape(scenes, stage)
        if len(scenes) * self.repeats < self._ranks()["num_replicas"]:
            raise DataError(f"fewer crops in an epoch than processes: raise --data.repeats above {self.repeats}")
        check_crop([path for scene in scenes for path in scene.values()], self.crop, "--data.crop")
        validation = self.scenes("validate") if self._validates() else []
        return self._smallest_shape([*scenes, *validation], stage)[0], self.crop, self.crop

    @override
    def picture(self, index: int) -> Picture:
        """Return picture ``index`` of ``sources``, read again."""
        path = self.sources[index]
        assert path is not None
        return read_picture(path)

    @override
    def train_dataloader(self) -> DataLoader[Item]:
        """Return batches of random crops."""
        reader = SceneReader(self.scenes("fit"), self.channels, CACHE_BYTES // max(1, self.workers))
        crops = RandomCrops(reader, self.transform("fit"), self.crop, self.repeats, self.seed)
        sampler = ResumableSampler(crops, self.batch_size, self.seed, self._position, **self._ranks())
        return Loader(
            crops,
            sampler.batch_size,
            sampler=sampler,
            collate_fn=collate,
            drop_last=True,
            generator=seeded(self.seed),  # without one, a loader draws from the global random state
            num_workers=self.workers,
            persistent_workers=self.workers > 0,  # they hold the cached pictures
        )

    @override
    def val_dataloader(self) -> DataLoader[Item] | list[Item]:
        """Return the validation pictures one by one; none if no folder is given."""
        return self._whole_scenes("validate") if self._validates() else []

    @override
    def test_dataloader(self) -> DataLoader[Item]:
        """Return the test pictures one by one, with their clean versions."""
        return self._whole_scenes("test")

    @override
    def predict_dataloader(self) -> DataLoader[Item]:
        """Return the noisy pictures one by one, unchanged."""
        return self._whole_scenes("predict")

    @override
    def on_after_batch_transfer(self, batch: Item, dataloader_idx: int) -> Item:
        """Flip and rotate the crops of a training step, the same way for all keys."""
        position = self._position()
        if not self.augment or position is None:
            return batch
        rank = self._ranks()["rank"]
        images = torch.cat(list(batch.values()), dim=1)
        with torch.random.fork_rng(devices=[]):
            # Kornia draws from the global CPU generator, the only one that fork_rng restores here; torch.manual_seed
            # would seed those of all devices.
            torch.default_generator.manual_seed(seeded(self.seed, *position, rank).initial_seed())
            augmented: Tensor = self._augmentation(images)
        return dict(zip(batch, augmented.chunk(len(batch), dim=1), strict=True))

    def _given(self, stage: str) -> list[FolderOption]:
        folders = self.folders[stage]
        if not folders:
            raise DataError(
                f"{type(self).__name__} has nothing to {stage}: use --data ImageFolder --data.{stage} FOLDER"
            )
        given = [each for each in folders if each.folder is not None]
        if not given or given[0] != folders[0] or len(given) < min(2, len(folders)):
            first, *others = (f"--data.{each.option}" for each in folders)
            partners = f" and {' or '.join(others)} FOLDER" if others else ""
            raise DataError(f"{type(self).__name__} has no pictures for {stage}: give {first} FOLDER{partners}")
        return given

    def _validates(self) -> bool:
        return any(each.folder is not None for each in self.folders["validate"])

    def _whole_scenes(self, stage: str) -> DataLoader[Item]:
        scenes = WholeScenes(SceneReader(self.scenes(stage), self._channels(stage)), self.transform(stage))
        return Loader(scenes, batch_size=None, num_workers=self.workers, generator=seeded(self.seed))

    def _channels(self, stage: str) -> int | None:
        """Return the number of channels to convert to; pictures to predict keep theirs, as their results do."""
        return None if stage == "predict" else self.channels

    def _ranks(self) -> dict[str, int]:
        single = {"num_replicas": 1, "rank": 0}
        return single if self.trainer is None else self.trainer.distributed_sampler_kwargs or single

    def _position(self) -> tuple[int, int] | None:
        """Return (epoch, finished batches of it) while training, counted over all resumed runs; None elsewhere."""
        if self.trainer is None or not self.trainer.training:
            return None
        # Lightning's own epoch count is one too high in resumed runs with max_steps.
        finished = self.trainer.fit_loop.epoch_loop.batch_progress.total.completed
        return divmod(finished, int(self.trainer.num_training_batches))

    def _smallest_shape(self, scenes: Sequence[ScenePaths], stage: str) -> tuple[int, int, int]:
        """Return (channels, smallest height, smallest width); DataError for pictures that do not fit together."""
        shapes = []
        first = next(iter(scenes[0].values()))
        for scene in scenes:
            for path in scene.values():
                channels, height, width, _ = header(path)
                shapes.append((self._channels(stage) or channels, height, width))
                if shapes[-1][0] != shapes[0][0]:
                    kinds = {1: "grey", 3: "colour"}
                    remedy = (
                        "predict them separately"
                        if stage == "predict"
                        else "set --data.channels 1 or 3 to convert all of them"
                    )
                    raise DataError(f"{path} is {kinds[channels]}, {first} is {kinds[shapes[0][0]]}: {remedy}")
            check_partners(list(scene.values()))
        every_channels, heights, widths = zip(*shapes, strict=True)
        return every_channels[0], min(heights), min(widths)


def unchanged(images: Item, generator: Generator | None) -> Item:  # noqa: ARG001
    """Return the images; the transform of stages that need no other.

    Example:
        >>> unchanged({"noisy": torch.zeros(1)}, None)
        {'noisy': tensor([0.])}
    """
    return images
