"""Zarr and OME-Zarr."""

import contextlib
import math
import tempfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from torchdenoise.data.axes import Axes, letters_of
from torchdenoise.data.calibration import Calibration
from torchdenoise.data.formats.base import check_size
from torchdenoise.data.formats.ome_zarr import (
    Multiscale,
    axis_name,
    described,
    new_attributes,
    ome_order,
    one_level,
    read_multiscale,
)
from torchdenoise.data.formats.planes_format import PlanesFormat, put_planes
from torchdenoise.data.formats.zarr_containers import MARKERS, Container, Folder, opened, quiet, storage, zarr_module
from torchdenoise.data.frames import Numbered, Planes
from torchdenoise.data.memory import free_memory
from torchdenoise.errors import PictureError
from torchdenoise.scenes import find_scene

MAX_PLANES = 1_000_000
"""Arrays that claim more planes are refused."""
BLOCK_BYTES = 1 << 28
"""Of decoded chunks at most; those of a frame are kept, since the next frame may lie in them, too."""
CHUNK = 1024
"""Rows and columns of the chunks of a new array."""
_SPECIAL = frozenset({"labels", "OME"})
_LEVEL = "0"
_HISTORY = "history"
"""The attribute that says what was done to an array, by the CF conventions."""


class Zarr(PlanesFormat, source="https://zarr.dev"):
    """A folder of chunks, versions 2 and 3: one array, or an OME-Zarr; needs the extra zarr."""

    suffixes: ClassVar[tuple[str, ...]] = (".zarr", ".ome.zarr")
    folder = True
    floats = True

    def container(self, path: Path) -> Container:
        """Return what holds the chunks of a picture."""
        return Folder(path)

    @override
    def recognizes(self, folder: Path) -> bool:
        return any((folder / name).is_file() for name in MARKERS)

    @override
    def planes(self, path: Path, letters: str | None) -> Planes:
        """Return the planes of an array, or of the full resolution of an OME-Zarr."""
        return self._planes_at(path, None, letters)

    @override
    def scenes(self, path: Path) -> Sequence[str]:
        """Return the names of the pictures in the layout of bioformats2raw."""
        with quiet(), opened(self.container(path)) as node:
            return _series_names(node) if _holds_series(node) else ()

    @override
    def open_scene(self, path: Path, place: int, letters: str | None) -> Planes:
        return self._planes_at(path, place, letters)

    def _planes_at(self, path: Path, place: int | None, letters: str | None) -> Planes:
        container = self.container(path)
        with quiet(), contextlib.ExitStack() as closing:
            node = closing.enter_context(opened(container))
            planes = _planes(node, container, letters, place)
            planes.resources.push(closing.pop_all())
        return planes

    @override
    def not_kept(self, like: Planes) -> list[str]:
        if isinstance(like, ZarrPlanes):
            return []
        return super().not_kept(like) if ome_order(like.axes.letters) is None else [like.carries]

    @override
    def check_planes(self, like: Planes, dtype: np.dtype[Any]) -> None:
        zarr_module()

    @override
    def write_planes(self, path: Path, planes: Numbered, like: Planes, dtype: np.dtype[Any]) -> None:
        """Write chunk by chunk: the kind of the input, else an OME-Zarr if the axes are of its kinds, else an array."""
        if isinstance(like, ZarrPlanes):
            with quiet():
                array, letters = _array_like(path, like, dtype), like.axes.letters
        else:
            array, letters = _new_array(path, like, dtype)
        _fill(array, letters, planes, like, path.parent)
        if like.comment:
            _add_history(path, like.comment)


class ZarrPlanes(Planes):
    """The planes of an array in chunks.

    Args:
        array: of zarr-python.
        axes: of the array.
        attributes: of the group that holds it; None if there is no group.
        name: of the array in the group.
    """

    def __init__(self, array: Any, axes: Axes, attributes: Mapping[str, Any] | None = None, name: str = "") -> None:
        super().__init__(axes, array.shape, array.dtype, axes.plane_shape(array.shape)[2:] in ((2,), (4,)))
        self.array = array
        self.attributes = attributes
        self.name = name
        self.carries = "the attributes of the Zarr"
        self._depth = self._block_depth()
        channels = array.shape[axes.letters.index("C")] if axes.has_channels else 1
        self._kept = math.ceil(channels / self._depth.get("C", 1))
        self._blocks: OrderedDict[tuple[int, ...], NDArray[Any]] = OrderedDict()

    def _block_depth(self) -> dict[str, int]:
        """Return how many planes are decoded together, by axis: those of a chunk, unless they are too large."""
        sizes = dict(zip(self.axes.letters, self.array.chunks, strict=True))
        depth = {letter: sizes[letter] for letter in self.axes.outer}
        plane = math.prod(self.axes.plane_shape(self.shape)) * self.dtype.itemsize
        return depth if math.prod(depth.values()) * plane <= BLOCK_BYTES else dict.fromkeys(depth, 1)

    @override
    def read(self, number: int) -> NDArray[Any]:
        """Return a plane, (Y, X) or (Y, X, S)."""
        place = self.axes.place(number, self.shape)
        block = self._block(tuple(place[letter] // self._depth[letter] for letter in self.axes.outer))
        inside = [place[letter] % self._depth[letter] for letter in self.axes.outer]
        sizes = [block.shape[self.axes.letters.index(letter)] for letter in self.axes.outer]
        local = int(np.ravel_multi_index(inside, sizes)) if inside else 0
        return self.axes.plane(block, local).astype(self.dtype, copy=False)

    def _block(self, key: tuple[int, ...]) -> NDArray[Any]:
        if key in self._blocks:
            self._blocks.move_to_end(key)
            return self._blocks[key]
        starts = dict(zip(self.axes.outer, key, strict=True))
        block = np.asarray(
            self.array[
                tuple(
                    slice(starts[each] * self._depth[each], (starts[each] + 1) * self._depth[each])
                    if each in starts
                    else slice(None)
                    for each in self.axes.letters
                )
            ]
        )
        while len(self._blocks) >= max(1, min(self._kept, BLOCK_BYTES // block.nbytes)):
            self._blocks.popitem(last=False)
        self._blocks[key] = block
        return block


def _planes(node: Any, container: Container, letters: str | None, place: int | None) -> ZarrPlanes:
    """Return the planes of an array or a group."""
    if isinstance(node, zarr_module().Array):
        _check_array(node, container)
        return ZarrPlanes(node, Axes.of(node.shape, letters or _named_axes(node)))
    return _group_planes(node, container, letters, place)


def _group_planes(group: Any, container: Container, letters: str | None, place: int | None) -> ZarrPlanes:
    """Return the planes of the picture of an OME-Zarr at full resolution."""
    lost = []
    if _holds_series(group):
        names = _series_names(group)
        key = _series_keys(group)[find_scene(names) if place is None else place]
        group = group[key]
        lost.append("the layout of bioformats2raw")
    attributes = group.attrs.asdict()
    image = read_multiscale(attributes)
    if image is None:
        arrays = sorted(group.array_keys())
        some = f" ({', '.join(arrays[:5])})" if arrays else ""
        raise PictureError(
            f"is a group without multiscales; copy the array to denoise{some} into a folder of its own, NAME.zarr"
        )
    if "image-label" in described(attributes):
        raise PictureError("holds labels, not a picture: there is no noise in them")
    array = group[image.path]
    _check_array(array, container)
    planes = ZarrPlanes(array, Axes.of(array.shape, letters or image.letters), attributes, image.path)
    planes.calibration = image.calibration if planes.axes.letters == image.letters else Calibration()
    planes.lost = (*lost, *_lost(group, image))
    return planes


def _holds_series(node: Any) -> bool:
    """Return whether a group has the layout of bioformats2raw: a group for each picture."""
    return not isinstance(node, zarr_module().Array) and "bioformats2raw.layout" in described(node.attrs.asdict())


def _series_keys(group: Any) -> list[str]:
    return sorted((name for name in group.group_keys() if name.isdecimal()), key=int)


def _series_names(group: Any) -> list[str]:
    """Return the names of the pictures; empty texts where the metadata do not name them."""
    found = (described(group[key].attrs.asdict()).get("multiscales") or [{}] for key in _series_keys(group))
    return [str(scales[0].get("name") or "") for scales in found]


def _lost(group: Any, image: Multiscale) -> list[str]:
    """Return what a result lacks."""
    lost = ["the smaller copies of a pyramid"] if len(image.levels) > 1 else []
    known = {level.partition("/")[0] for level in image.levels}
    return lost + [name for name in sorted(group.keys()) if name not in known]


def _check_array(array: Any, container: Container) -> None:
    """Raise PictureError unless an array can be a picture."""
    if array.dtype.kind not in "iuf":
        raise PictureError(f"holds values of type {array.dtype}; convert them to integers or floating point first")
    if array.ndim >= 2:
        check_size(array.shape[-1], array.shape[-2])
    if math.prod(array.shape[:-2]) > MAX_PLANES:
        raise PictureError(f"claims the shape {tuple(array.shape)}, more than {MAX_PLANES} planes; crop it first")
    size = math.prod(array.shards or array.chunks) * array.dtype.itemsize
    if size > free_memory():
        raise PictureError(f"has chunks of {size / 1e9:.2g} GB, which do not fit into memory; save it in smaller ones")
    container.check_chunks(array.path, size)


def _named_axes(array: Any) -> str | None:
    """Return the letters of the axes whose names a file states; None if they are no picture's."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.asdict().get("_ARRAY_DIMENSIONS")
    if not names or None in names or len(names) != array.ndim:
        return None
    letters = letters_of([str(name) for name in names])
    return letters if {"Y", "X"} <= set(letters) else None


def _array_like(path: Path, like: ZarrPlanes, dtype: np.dtype[Any]) -> Any:
    """Make an array, or a group with one, as that of the input."""
    store, source = storage().LocalStore(path), like.array
    version, metadata = source.metadata.zarr_format, source.metadata
    same = dtype == like.dtype
    options = {
        "shape": source.shape,
        "dtype": source.dtype if same else dtype,
        "chunks": source.chunks,
        "shards": source.shards,
        "compressors": source.compressors or None,
        "fill_value": source.fill_value,
        "attributes": source.attrs.asdict(),
    }
    if same:  # otherwise the filters and the serializer may be of another type
        options["filters"] = source.filters or None
    if version == 2:
        options |= {
            "order": source.order,
            "chunk_key_encoding": {"name": "v2", "separator": metadata.dimension_separator},
        }
    else:
        options |= {"dimension_names": metadata.dimension_names, "chunk_key_encoding": metadata.chunk_key_encoding}
        options |= {"serializer": source.serializer} if same else {}
    if like.attributes is None:
        return zarr_module().create_array(store, zarr_format=version, **options)
    group = zarr_module().create_group(store, zarr_format=version, attributes=one_level(like.attributes))
    return group.create_array(like.name, **options)


def _new_array(path: Path, like: Planes, dtype: np.dtype[Any]) -> tuple[Any, str]:
    """Make an OME-Zarr, or an array if the axes are none of its kinds; return it and the letters of its axes."""
    sizes = dict(zip(like.axes.letters, like.shape, strict=True))
    letters = ome_order(like.axes.letters)
    order = letters or like.axes.letters
    chunks = [min(sizes[each], CHUNK) if each in "YXS" else 1 for each in order]
    options = {"shape": [sizes[each] for each in order], "chunks": chunks, "dtype": dtype}
    if letters is None:
        names = [each.lower() for each in order]
        return zarr_module().create_array(storage().LocalStore(path), dimension_names=names, **options), order
    attributes = new_attributes(order, like.calibration, dtype, _LEVEL)
    group = zarr_module().create_group(storage().LocalStore(path), attributes=attributes)
    return group.create_array(_LEVEL, dimension_names=[axis_name(each) for each in order], **options), order


def _add_history(path: Path, line: str) -> None:
    """Write a line below those of the history of an array, or of the group that holds it."""
    with quiet():
        attributes = zarr_module().open(storage().LocalStore(path), mode="r+").attrs
        before = attributes.get(_HISTORY)
        attributes[_HISTORY] = f"{before}\n{line}" if before else line


def _fill(array: Any, letters: str, planes: Numbered, like: Planes, folder: Path) -> None:
    """Write planes; where chunks hold parts of several, they wait in a file that has no name."""
    parts = array.shards or array.chunks
    if all(size == 1 for size, letter in zip(parts, letters, strict=True) if letter in like.axes.outer):
        put_planes(array, letters, planes, like)
        return
    source = like.axes.outer + like.axes.inner
    sizes = dict(zip(like.axes.letters, like.shape, strict=True))
    order = [source.index(letter) for letter in letters]
    counts = [math.ceil(size / part) for size, part in zip(array.shape, parts, strict=True)]
    with tempfile.TemporaryFile(dir=folder) as file:
        for number, plane in planes:
            file.seek(number * plane.nbytes)
            file.write(np.ascontiguousarray(plane).data)
        file.flush()
        for at in np.ndindex(*counts):
            chunk = tuple(slice(each * part, (each + 1) * part) for each, part in zip(at, parts, strict=True))
            whole: NDArray[Any] = np.memmap(file, plane.dtype, "r", shape=tuple(sizes[letter] for letter in source))
            array[chunk] = whole.transpose(order)[chunk]
            del whole  # a new map for each chunk, because the pages of an old one count as memory
