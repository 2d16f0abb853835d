"""Folders of pictures: the data of methods that are trained on a data set, and of scores over many pictures."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from kornia.augmentation import ImageSequential, RandomHorizontalFlip, RandomRotation90, RandomVerticalFlip
from torch import Generator, Tensor
from torch.utils.data import DataLoader

from torchdenoise.data.base import DenoisingData
from torchdenoise.data.datasets import (
    MEMORY,
    Complete,
    Crops,
    Item,
    Loader,
    Order,
    Pictures,
    Scene,
    Whole,
    collate,
    header,
)
from torchdenoise.data.files import read_picture
from torchdenoise.data.picture import Picture
from torchdenoise.errors import UserError
from torchdenoise.noise import seeded
from torchdenoise.paths import find_pictures

Folder = str | Path | None
Target = Literal["noisy", "clean"]
Channels = Literal[1, 3] | None


class Place(NamedTuple):
    """Where the pictures of a batch key come from, and the option that says so."""

    key: str
    option: str
    folder: Folder


class FolderData(DenoisingData):
    """What data modules of folders share: checks before anything is trained, random crops, whole pictures.

    Args:
        places: for each of ``fit``, ``validate``, ``test`` and ``predict`` the folders it takes; of several the first
            and one more are needed.
        crop: side of the training crops, in pixels.
        channels: 1 makes all pictures grey, 3 makes all colour; unless given they must agree.
        batch_size: crops in a step, of each process.
        repeats: crops of each picture an epoch.
        augment: flips and turns training crops at random.
        workers: processes that read pictures.
        seed: of whatever is random.

    Raises:
        UserError: a number that is too small; on setup, pictures that cannot be used.
    """

    def __init__(
        self,
        places: Mapping[str, Sequence[Place]],
        crop: int,
        channels: Channels,
        batch_size: int,
        repeats: int,
        augment: bool,
        workers: int,
        seed: int,
    ) -> None:
        super().__init__()
        least = {"crop": (crop, 1), "batch_size": (batch_size, 1), "repeats": (repeats, 1), "workers": (workers, 0)}
        for name, (value, smallest) in least.items():
            if value < smallest:
                raise UserError(f"--data.{name} {value}: must be at least {smallest}")
        self.places = places
        self.crop: int = crop
        self.channels = channels
        self.batch_size = batch_size
        self.repeats = repeats
        self.augment = augment
        self.workers = workers
        self.seed = seed
        # Together the eight flips and quarter turns, equally often; nearest, because a turn moves whole pixels.
        self._turns = ImageSequential(
            RandomHorizontalFlip(), RandomVerticalFlip(), RandomRotation90((1, 1), resample="nearest", p=0.5)
        )

    @abstractmethod
    def complete(self, stage: str) -> Complete:
        """Return what makes the batches of a stage out of the images in its folders."""

    def scenes(self, stage: str) -> list[Scene]:
        """Return the files of a stage.

        Raises:
            UserError: a folder that is needed is not given, is none or holds no picture; pictures without partner.
        """
        places = self._given(stage)
        listed = []
        for place in places:
            try:
                listed.append(find_pictures(Path(str(place.folder))))
            except UserError as error:
                raise UserError(f"--data.{place.option} {error}") from None
        if len(places) == 1:
            return [{places[0].key: path} for path in listed[0]]
        return matched(places, listed)

    def prepare(self, stage: str) -> tuple[int, int, int]:
        """Look at the headers of all pictures, and return the smallest shape, or that of the training crops."""
        scenes = self.scenes(stage)
        if stage != "fit":
            self.sources = [next(iter(scene.values())) for scene in scenes]
            return self._check(scenes, stage)
        if len(scenes) * self.repeats < self._ranks()["num_replicas"]:
            raise UserError(f"fewer crops in an epoch than processes: raise --data.repeats above {self.repeats}")
        self._check_crop(scenes)
        also = self.scenes("validate") if self._validates() else []
        return self._check([*scenes, *also], stage)[0], self.crop, self.crop

    def picture(self, index: int) -> Picture:
        """Return picture ``index`` of ``sources``, read again."""
        path = self.sources[index]
        assert path is not None
        return read_picture(path)

    def train_dataloader(self) -> DataLoader[Item]:
        """Return batches of random crops."""
        pictures = Pictures(self.scenes("fit"), self.channels, MEMORY // max(1, self.workers))
        crops = Crops(pictures, self.complete("fit"), self.crop, self.repeats, self.seed)
        order = Order(crops, self.batch_size, self.seed, self._reached, **self._ranks())
        return Loader(
            crops,
            order.batch_size,
            sampler=order,
            collate_fn=collate,
            drop_last=True,
            generator=seeded(self.seed),  # without one a loader draws from the global random state
            num_workers=self.workers,
            persistent_workers=self.workers > 0,  # they hold the pictures they have read
        )

    def val_dataloader(self) -> DataLoader[Item] | list[Item]:
        """Return the validation pictures one by one; none if no folder is given."""
        return self._whole("validate") if self._validates() else []

    def test_dataloader(self) -> DataLoader[Item]:
        """Return the test pictures one by one, with their clean versions."""
        return self._whole("test")

    def predict_dataloader(self) -> DataLoader[Item]:
        """Return the noisy pictures one by one, as they are."""
        return self._whole("predict")

    def on_after_batch_transfer(self, batch: Item, dataloader_idx: int) -> Item:  # noqa: ARG002
        """Flip and turn the crops of a training step, noisy and target alike."""
        reached = self._reached()
        if not self.augment or reached is None:
            return batch
        rank = self._ranks()["rank"]
        images = torch.cat(list(batch.values()), dim=1)
        with torch.random.fork_rng(devices=[]):
            # Kornia draws on the CPU, from the one generator that is put back here; torch.manual_seed seeds all others.
            torch.default_generator.manual_seed(seeded(self.seed, *reached, rank).initial_seed())
            turned: Tensor = self._turns(images)
        return dict(zip(batch, turned.chunk(len(batch), dim=1), strict=True))

    def _given(self, stage: str) -> list[Place]:
        places = self.places[stage]
        if not places:
            raise UserError(
                f"{type(self).__name__} has nothing to {stage}: use --data ImageFolder --data.{stage} FOLDER"
            )
        given = [place for place in places if place.folder is not None]
        if not given or given[0] != places[0] or len(given) < min(2, len(places)):
            first, *others = (f"--data.{place.option}" for place in places)
            partners = f" and {' or '.join(others)} FOLDER" if others else ""
            raise UserError(f"{type(self).__name__} has no pictures for {stage}: give {first} FOLDER{partners}")
        return given

    def _validates(self) -> bool:
        return any(place.folder is not None for place in self.places["validate"])

    def _whole(self, stage: str) -> DataLoader[Item]:
        pictures = Pictures(self.scenes(stage), self._wanted(stage))
        whole = Whole(pictures, self.complete(stage))
        return Loader(whole, batch_size=None, num_workers=self.workers, generator=seeded(self.seed))

    def _wanted(self, stage: str) -> int | None:
        """Return the number of channels to make: a result to be written is the same kind of picture as its source."""
        return None if stage == "predict" else self.channels

    def _ranks(self) -> dict[str, int]:
        alone = {"num_replicas": 1, "rank": 0}
        return alone if self.trainer is None else self.trainer.distributed_sampler_kwargs or alone

    def _reached(self) -> tuple[int, int] | None:
        """Return (epoch, batches of it that came before), over all runs that this one goes on from; None elsewhere."""
        if self.trainer is None or not self.trainer.training:
            return None
        # Lightning's own count of epochs is one too many in runs that go on and have max_steps.
        seen = self.trainer.fit_loop.epoch_loop.batch_progress.total.completed
        return divmod(seen, int(self.trainer.num_training_batches))

    def _check(self, scenes: Iterable[Scene], stage: str) -> tuple[int, int, int]:
        """Return (channels, smallest height, smallest width), or raise UserError for what does not fit together."""
        shapes = []
        first: Path | None = None
        for scene in scenes:
            for path in scene.values():
                channels, height, width, _ = header(path)
                shapes.append((self._wanted(stage) or channels, height, width))
                first = first or path
                if shapes[-1][0] != shapes[0][0]:
                    kinds = {1: "grey", 3: "colour"}
                    remedy = "predict them apart" if stage == "predict" else "set --data.channels 1 or 3 to make all so"
                    raise UserError(f"{path} is {kinds[channels]}, {first} is {kinds[shapes[0][0]]}: {remedy}")
            _check_alike(scene)
        every_channels, heights, widths = zip(*shapes, strict=True)
        return every_channels[0], min(heights), min(widths)

    def _check_crop(self, scenes: Iterable[Scene]) -> None:
        headers = {path: header(path) for scene in scenes for path in scene.values()}
        small = {path: found for path, found in headers.items() if min(found.height, found.width) < self.crop}
        for path, found in small.items():
            side = min(min(each.height, each.width) for each in small.values())
            raise UserError(
                f"{path}: {found.width}x{found.height} pixels, smaller than the crop of {self.crop}"
                f"{_more(len(small) - 1)}: set --data.crop {side} or leave the picture out"
            )


def matched(places: Sequence[Place], listed: Sequence[Sequence[Path]]) -> list[Scene]:
    """Return scenes of pictures that have the same name but for the suffix.

    Raises:
        UserError: pictures without partner, or several of one name in a folder.

    Example:
        >>> places = [Place("noisy", "train_noisy", "a"), Place("target", "train_target", "b")]
        >>> [scene] = matched(places, [[Path("a/x.png")], [Path("b/x.tif")]])
        >>> scene["target"].as_posix()
        'b/x.tif'
    """
    tables = [{path.stem: path for path in paths} for paths in listed]
    options = ", ".join(f"--data.{place.option}" for place in places)
    for paths, table in zip(listed, tables, strict=True):
        twice = [path for path in paths if table[path.stem] != path]
        if twice:
            raise UserError(f"{twice[0]} and {table[twice[0].stem]} have one name, which pairs them both: move one")
    common = set(tables[0]).intersection(*tables[1:])
    alone = [str(path) for paths in listed for path in paths if path.stem not in common]
    if alone:
        names = ", ".join(alone[:5]) + _more(len(alone) - 5)
        raise UserError(f"no picture of the same name for {names} ({options}): rename or remove them")
    return [{place.key: table[stem] for place, table in zip(places, tables, strict=True)} for stem in tables[0]]


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _check_alike(scene: Scene) -> None:
    """Raise UserError unless all pictures of a scene have one size and one type, so that one scaling fits them."""
    (first, one), *others = ((path, header(path)) for path in scene.values())
    for path, other in others:
        if (one.height, one.width) != (other.height, other.width):
            sizes = f"{first} has {one.width}x{one.height} pixels, {path} {other.width}x{other.height}"
            raise UserError(f"{sizes}: crop them to one size, or leave the pair out")
        if one.dtype != other.dtype:
            raise UserError(f"{first} holds {one.dtype}, {path} {other.dtype}: write both with the same type and range")


def as_they_are(images: Item, generator: Generator | None) -> Item:  # noqa: ARG001
    """Return the images.

    Example:
        >>> as_they_are({"noisy": torch.zeros(1)}, None)
        {'noisy': tensor([0.])}
    """
    return images
