"""What loaders hand out: the pictures of a scene, whole or in random crops, read once where they fit into memory."""

import contextlib
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch
from kornia.color import rgb_to_grayscale
from numpy.typing import NDArray
from PIL import JpegImagePlugin
from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler, default_collate

from torchdenoise.data.files import read_picture
from torchdenoise.data.formats import MAX_PIXELS
from torchdenoise.data.scaling import Scaling
from torchdenoise.errors import UserError
from torchdenoise.noise import seeded

Item = dict[str, Tensor]
Scene = Mapping[str, Path]
"""The files of one scene by batch key; they have one size, one type and one scaling."""
Complete = Callable[[Item, Generator | None], Item]
"""Makes of a scene's images what a loss or a metric wants; a training crop comes with a generator for its noise."""

MEMORY = 2**30
"""So many bytes of decoded training pictures are kept at most, in all worker processes together."""


class Header(NamedTuple):
    """What a file says of its picture before it is decoded."""

    channels: int
    height: int
    width: int
    dtype: np.dtype[Any]


def header(path: Path) -> Header:
    """Return channels (without alpha), size and type of a picture; PNG and JPEG are not decoded for that.

    Raises:
        UserError: as ``read_picture`` does.

    Example:
        >>> from tempfile import mkdtemp
        >>> from torchdenoise.data import Picture, write_picture
        >>> path = Path(mkdtemp(), "grey.png")
        >>> picture = Picture.from_array(np.zeros((8, 9), dtype=np.uint16))
        >>> write_picture(path, picture.image, picture)
        >>> header(path)
        Header(channels=1, height=8, width=9, dtype=dtype('uint16'))
    """
    modified, size = 0, 0
    with contextlib.suppress(OSError):  # reading says what is wrong
        modified, size = path.stat().st_mtime_ns, path.stat().st_size
    return _header(path, modified, size)


@lru_cache(maxsize=2**16)
def _header(path: Path, modified: int, size: int) -> Header:  # noqa: ARG001  # a changed file is looked at again
    found = None
    # What is odd in any way is left to the reader, which says what is wrong with it.
    with contextlib.suppress(Exception), path.open("rb") as file:
        found = _glance(file)
    if found is not None and 0 < found.height * found.width <= MAX_PIXELS:
        return found
    picture = read_picture(path)
    _, channels, height, width = picture.image.shape
    return Header(channels, height, width, picture.scaling.dtype)


def _glance(file: BinaryIO) -> Header | None:
    head = file.read(26)
    if head.startswith(b"\x89PNG"):
        width, height, depth, kind = struct.unpack_from(">IIBB", head, 16)
        channels = {0: 1, 2: 3, 3: 3, 4: 1, 6: 3}[kind]  # grey, RGB, palette, grey and RGB with alpha
        return Header(channels, height, width, np.dtype(np.uint16 if depth == 16 else np.uint8))
    if head.startswith(b"\xff\xd8"):
        file.seek(0)
        picture = JpegImagePlugin.JpegImageFile(file)
        return Header({"L": 1, "RGB": 3}[picture.mode], picture.height, picture.width, np.dtype(np.uint8))
    return None


class Stored(NamedTuple):
    """A picture's values ``(1, C, H, W)`` as in its file, often a quarter of an image's memory, and its scaling."""

    values: NDArray[Any]
    scaling: Scaling


class Pictures:
    """Scenes as images; the first ``room`` bytes of what is read stay in memory.

    In random order over many epochs nothing is gained by forgetting one picture for another.

    Args:
        scenes: their files.
        channels: 1 makes all images grey, 3 makes all colour, None leaves them.
        room: bytes of decoded pictures to keep.
    """

    def __init__(self, scenes: Sequence[Scene], channels: int | None, room: int = 0) -> None:
        self.scenes = scenes
        self.channels = channels
        self.room = room
        self._kept: dict[Path, Stored] = {}

    def __len__(self) -> int:
        return len(self.scenes)

    def read(self, index: int) -> dict[str, Stored]:
        """Return the values of a scene by batch key."""
        return {key: self._stored(path) for key, path in self.scenes[index].items()}

    def images(self, scene: Mapping[str, Stored], top: int = 0, left: int = 0, side: int | None = None) -> Item:
        """Return a scene's images ``(1, C, H, W)`` in 0..1, or a square of them, all on the scene's widest scale."""
        scalings = [stored.scaling for stored in scene.values()]
        # A dim noisy picture and its clean one may each have found another white.
        shared = Scaling(min(each.low for each in scalings), max(each.high for each in scalings), scalings[0].dtype)
        rows, columns = (slice(at, None if side is None else at + side) for at in (top, left))
        return {key: self._coloured(shared.to_unit(stored.values[..., rows, columns])) for key, stored in scene.items()}

    def _stored(self, path: Path) -> Stored:
        if path in self._kept:
            return self._kept[path]
        picture = read_picture(path)
        stored = Stored(picture.scaling.from_unit(picture.image), picture.scaling)
        if stored.values.nbytes <= self.room:
            self.room -= stored.values.nbytes
            self._kept[path] = stored
        return stored

    def _coloured(self, image: Tensor) -> Tensor:
        if self.channels in (None, image.shape[1]):
            return image
        grey: Tensor = rgb_to_grayscale(image) if self.channels == 1 else image.expand(-1, 3, -1, -1)
        return grey


class _Scenes(Dataset[Item]):
    """Items that may be errors: those of a worker process get to ``Loader`` as they are."""

    def __init__(self, pictures: Pictures, complete: Complete) -> None:
        self.pictures = pictures
        self.complete = complete

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Item | UserError:  # type: ignore[override]
        try:
            return self.item(index)
        except UserError as error:
            return error

    def item(self, index: int) -> Item:
        """Return one item."""
        raise NotImplementedError


class Whole(_Scenes):
    """Whole scenes, each a batch of its own, with their index."""

    def item(self, index: int) -> Item:
        """Return a scene."""
        images = self.pictures.images(self.pictures.read(index))
        return {**self.complete(images, None), "index": torch.tensor([index])}


class Crops(_Scenes):
    """``repeats`` random crops of each scene an epoch, as a function of (seed, epoch, index).

    An index counts on from epoch to epoch, and within an epoch round after round over the scenes.
    """

    def __init__(self, pictures: Pictures, complete: Complete, crop: int, repeats: int, seed: int) -> None:
        super().__init__(pictures, complete)
        self.crop, self.repeats, self.seed = crop, repeats, seed

    def __len__(self) -> int:
        return len(self.pictures) * self.repeats

    def item(self, index: int) -> Item:
        """Return a crop, without batch dimension."""
        epoch, place = divmod(index, len(self))
        generator = seeded(self.seed, epoch, place)
        scene = self.pictures.read(place % len(self.pictures))
        height, width = next(iter(scene.values())).values.shape[-2:]
        top, left = (int(torch.randint(size - self.crop + 1, (), generator=generator)) for size in (height, width))
        images = self.pictures.images(scene, top, left, self.crop)
        return {key: image[0] for key, image in self.complete(images, generator).items()}


class Order(DistributedSampler[Any]):
    """A new order every epoch, dealt out to the processes, as indices that count on from epoch to epoch.

    Args:
        crops: what is put in order.
        batch_size: at most so many of a process make a batch.
        seed: of the order.
        place: tells the epoch of a fit and how many batches of it came before; None leaves it to ``set_epoch``.
        num_replicas: processes that share the work.
        rank: which one of them this is.

    Example:
        >>> order = Order(range(4), 2, seed=0, place=lambda: None)
        >>> sorted(order)
        [0, 1, 2, 3]
        >>> order.set_epoch(2)
        >>> sorted(order)
        [8, 9, 10, 11]
    """

    def __init__(
        self,
        crops: Any,
        batch_size: int,
        seed: int,
        place: Callable[[], tuple[int, int] | None],
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        super().__init__(crops, num_replicas, rank, seed=seed, drop_last=True)
        self.size = len(crops)
        self.batch_size = min(batch_size, self.num_samples)
        self.place = place

    def __iter__(self) -> Iterator[int]:
        epoch, batches = self.place() or (self.epoch, 0)
        order = torch.randperm(self.size, generator=seeded(self.seed, epoch, -1)) + epoch * self.size
        mine = order[self.rank :: self.num_replicas][: self.num_samples]
        return iter(mine[batches * self.batch_size :].tolist())


class Loader(DataLoader[Item]):
    """A DataLoader that raises the UserError of a worker as it is; torch would fill its message with a traceback."""

    def __iter__(self) -> Iterator[Item]:  # type: ignore[override]
        """Yield batches; as a generator it asks the sampler when the first one is wanted, when the place is known."""
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
