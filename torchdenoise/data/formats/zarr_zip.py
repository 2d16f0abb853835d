"""Zarr and OME-Zarr in a zip file."""

import shutil
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from torchdenoise.data.formats.zarr_arrays import Zarr
from torchdenoise.data.formats.zarr_containers import METADATA, NO_CHUNKS, Container, storage
from torchdenoise.data.frames import Numbered, Planes
from torchdenoise.errors import PictureError
from torchdenoise.partial_files import working_folder

MAX_METADATA = 1 << 24
"""Bytes of a file of metadata in a zip file; larger ones are refused."""
_ROOM = 1 << 16
"""Bytes that a chunk of noise may be longer packed than decoded, beside the doubled size."""
_DATE = (1980, 1, 1, 0, 0, 0)
"""Of all members, so that the same pixels are the same bytes."""


class ZarrZip(Zarr, name="Zarr zip", source="https://ngff.openmicroscopy.org/rfc/9"):
    """A Zarr in a zip file, as those in folders; chunks are stored as they are; needs the extra zarr."""

    suffixes = (".zarr.zip", ".ome.zarr.zip", ".ozx")
    magic = (b"PK\x03\x04",)
    folder = False
    floats = True

    @override
    def container(self, path: Path) -> Container:
        return Zip(path)

    @override
    def write_planes(self, path: Path, planes: Numbered, like: Planes, dtype: np.dtype[Any]) -> None:
        """Write a folder beside the result, then pack it."""
        with working_folder(path.parent) as folder:
            super().write_planes(folder, planes, like, dtype)
            pack(folder, path)


class Zip(Container):
    """A zip file with a member for each chunk."""

    not_found = (
        "holds no Zarr at its top (no zarr.json, .zarray or .zgroup); "
        "zip what is in the folder, not the folder: cd x.zarr && zip -0r ../x.zarr.zip ."
    )

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            self._sizes = {member.filename: member.file_size for member in archive.infolist()}
        super().__init__(path)
        for name, size in self._sizes.items():
            if _is_metadata(name):
                _check(name, size, MAX_METADATA)

    @override
    def store(self) -> Any:
        return storage().ZipStore(self.path, mode="r")

    @override
    def holds(self, names: Collection[str]) -> bool:
        return any(name in self._sizes for name in names)

    @override
    def check_chunks(self, folder: str, size: int) -> None:
        """As promised; no member is unpacked to more than its header says."""
        below = f"{folder}/" if folder else ""
        chunks = [name for name in self._sizes if name.startswith(below) and not _is_metadata(name)]
        if not any(self._sizes[name] for name in chunks):
            raise PictureError(NO_CHUNKS)
        for name in chunks:
            _check(name, self._sizes[name], 2 * size + _ROOM)


def _is_metadata(name: str) -> bool:
    return name.rpartition("/")[2] in METADATA


def _check(name: str, size: int, limit: int) -> None:
    if size > limit:
        raise PictureError(f"damaged ({name} claims {size} bytes, more than {limit}); copy it again from its source")


def pack(folder: Path, path: Path) -> None:
    """Move the files of a folder into a zip file that exists; metadata come first, then all by their names."""
    files = sorted((file for file in folder.rglob("*") if file.is_file()), key=lambda file: _place(file, folder))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            member = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _DATE)
            member.external_attr = 0o644 << 16
            with file.open("rb") as source, archive.open(member, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target)
            file.unlink()  # now, so that the disk never holds all of it twice


def _place(file: Path, folder: Path) -> tuple[bool, int, str]:
    parts = file.relative_to(folder).parts
    return file.name not in METADATA, len(parts), file.as_posix()
