"""Data sets and loaders of scenes, whole or in random crops; decoded pictures are cached while memory allows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from kornia.color import rgb_to_grayscale
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler, default_collate
from typing_extensions import override

from torchdenoise.data.files import read_picture
from torchdenoise.data.scaling import Scaling
from torchdenoise.errors import UserError
from torchdenoise.noise import seeded

Item = dict[str, Tensor]
"""Tensors by batch key."""
ScenePaths = Mapping[str, Path]
"""The files of one scene by batch key; they share size, type and scaling."""
Transform = Callable[[Item, Generator | None], Item]
"""From a scene's images to what a loss or a metric needs. Training crops come with a generator for their noise."""

CACHE_BYTES = 2**30
"""Memory for decoded training pictures, of all worker processes together."""


class StoredImage(NamedTuple):
    """A picture's values ``(1, C, H, W)`` as in its file, often a quarter of the float size, and its scaling."""

    values: NDArray[Any]
    scaling: Scaling


class SceneReader:
    """Reads scenes as images and caches the first ``cache_bytes`` of them.

    Nothing is evicted: in random order over many epochs, replacing one picture by another gains nothing.

    Args:
        scenes: their files.
        channels: 1 converts all images to grey, 3 to colour, None leaves them unchanged.
        cache_bytes: memory for decoded pictures.
    """

    def __init__(self, scenes: Sequence[ScenePaths], channels: int | None, cache_bytes: int = 0) -> None:
        self.scenes = scenes
        self.channels = channels
        self._free_bytes = cache_bytes
        self._cache: dict[Path, StoredImage] = {}

    def __len__(self) -> int:
        return len(self.scenes)

    def read(self, index: int) -> dict[str, StoredImage]:
        """Return a scene's stored images by batch key."""
        return {key: self._stored(path) for key, path in self.scenes[index].items()}

    def images(self, scene: Mapping[str, StoredImage], top: int = 0, left: int = 0, side: int | None = None) -> Item:
        """Return a scene's images ``(1, C, H, W)`` in 0..1, or a square crop of them, on the scene's widest scale."""
        scalings = [stored.scaling for stored in scene.values()]
        # Read separately, a dim noisy picture and its clean version may have different white levels.
        shared = Scaling(min(each.low for each in scalings), max(each.high for each in scalings), scalings[0].dtype)
        rows, columns = (slice(start, None if side is None else start + side) for start in (top, left))
        return {key: self._convert(shared.to_unit(stored.values[..., rows, columns])) for key, stored in scene.items()}

    def _stored(self, path: Path) -> StoredImage:
        if path in self._cache:
            return self._cache[path]
        picture = read_picture(path)
        stored = StoredImage(picture.scaling.from_unit(picture.image), picture.scaling)
        if stored.values.nbytes <= self._free_bytes:
            self._free_bytes -= stored.values.nbytes
            self._cache[path] = stored
        return stored

    def _convert(self, image: Tensor) -> Tensor:
        if self.channels in (None, image.shape[1]):
            return image
        converted: Tensor = rgb_to_grayscale(image) if self.channels == 1 else image.expand(-1, 3, -1, -1)
        return converted


class _SceneDataset(Dataset[Item]):
    """Returns errors as items, so that those of a worker process reach ``Loader`` unchanged."""

    def __init__(self, reader: SceneReader, transform: Transform) -> None:
        self.reader = reader
        self.transform = transform

    def __len__(self) -> int:
        return len(self.reader)

    @override
    def __getitem__(self, index: int) -> Item | UserError:  # type: ignore[override]
        try:
            return self.item(index)
        except UserError as error:
            return error

    def item(self, index: int) -> Item:
        """Return one item."""
        raise NotImplementedError


class WholeScenes(_SceneDataset):
    """Whole scenes, each a batch of its own, with their index."""

    @override
    def item(self, index: int) -> Item:
        """Return a scene."""
        images = self.reader.images(self.reader.read(index))
        return {**self.transform(images, None), "index": torch.tensor([index])}


class RandomCrops(_SceneDataset):
    """``repeats`` random crops of each scene per epoch, as a function of (seed, epoch, index).

    Indices count on from epoch to epoch; within an epoch they run over all scenes, ``repeats`` times.
    """

    def __init__(self, reader: SceneReader, transform: Transform, crop: int, repeats: int, seed: int) -> None:
        super().__init__(reader, transform)
        self.crop, self.repeats, self.seed = crop, repeats, seed

    @override
    def __len__(self) -> int:
        return len(self.reader) * self.repeats

    @override
    def item(self, index: int) -> Item:
        """Return a crop, without batch dimension."""
        epoch, number = divmod(index, len(self))
        generator = seeded(self.seed, epoch, number)
        scene = self.reader.read(number % len(self.reader))
        height, width = next(iter(scene.values())).values.shape[-2:]
        top, left = (int(torch.randint(size - self.crop + 1, (), generator=generator)) for size in (height, width))
        images = self.reader.images(scene, top, left, self.crop)
        return {key: image[0] for key, image in self.transform(images, generator).items()}


class ResumableSampler(DistributedSampler[Any]):
    """A new order every epoch, split among the processes, as indices that count on from epoch to epoch.

    Args:
        crops: the data set.
        batch_size: crops of a process in a batch, at most.
        seed: of the order.
        position: returns the epoch of a fit and its number of finished batches; None leaves it to ``set_epoch``.
        num_replicas: number of processes.
        rank: of this process.

    Example:
        >>> sampler = ResumableSampler(range(4), 2, seed=0, position=lambda: None)
        >>> sorted(sampler)
        [0, 1, 2, 3]
        >>> sampler.set_epoch(2)
        >>> sorted(sampler)
        [8, 9, 10, 11]
    """

    def __init__(
        self,
        crops: Any,
        batch_size: int,
        seed: int,
        position: Callable[[], tuple[int, int] | None],
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        super().__init__(crops, num_replicas, rank, seed=seed, drop_last=True)
        self.size = len(crops)
        self.batch_size = min(batch_size, self.num_samples)
        self.position = position

    @override
    def __iter__(self) -> Iterator[int]:
        epoch, batches = self.position() or (self.epoch, 0)
        order = torch.randperm(self.size, generator=seeded(self.seed, epoch, -1)) + epoch * self.size
        mine = order[self.rank :: self.num_replicas][: self.num_samples]
        return iter(mine[batches * self.batch_size :].tolist())


class Loader(DataLoader[Item]):
    """A DataLoader that raises a worker's UserError unchanged; torch would fill its message with a traceback."""

    @override
    def __iter__(self) -> Iterator[Item]:  # type: ignore[override]
        """Yield batches; as a generator it asks the sampler at the first batch, when the position is known."""
        for batch in super().__iter__():
            if isinstance(batch, UserError):
                raise batch
            yield batch


def collate(items: Sequence[Item | UserError]) -> Item | UserError:
    """Return the batch of some items, or the first error among them.

    Example:
        >>> collate([{"noisy": torch.zeros(1, 2, 2)}] * 3)["noisy"].shape
        torch.Size([3, 1, 2, 2])
    """
    error = next((item for item in items if isinstance(item, UserError)), None)
    batch: Item = default_collate(list(items)) if error is None else {}
    return error or batch
