"""What holds the chunks of a Zarr: a folder, or a file."""

import contextlib
import warnings
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from torchdenoise.errors import PictureError
from torchdenoise.extras import optional_module
from torchdenoise.paths import either

MARKERS = ("zarr.json", ".zarray", ".zgroup")
"""Files of which one is in the top folder of a Zarr."""
METADATA = frozenset({*MARKERS, ".zattrs", ".zmetadata"})
"""Names of the files that are no chunks."""
NO_CHUNKS = "holds none of its chunks; copy it again from its source"
_REMEDY = "Zarr needs an extra: pip install 'torchdenoise[zarr]'"


class Container(ABC):
    """What holds the chunks of a Zarr.

    Args:
        path: of it.

    Raises:
        PictureError: it holds no Zarr.
    """

    not_found: ClassVar[str]
    """What is wrong with one that holds no Zarr."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not self.holds(MARKERS):
            raise PictureError(self.not_found)

    @abstractmethod
    def store(self) -> Any:
        """Return a store of zarr-python that reads."""

    @abstractmethod
    def holds(self, names: Collection[str]) -> bool:
        """Return whether one of the names is in the top folder."""

    @abstractmethod
    def check_chunks(self, folder: str, size: int) -> None:
        """Raise PictureError unless there are chunks below a folder, and they fit what the metadata say.

        Args:
            folder: of the array.
            size: of a chunk in bytes, decoded.
        """


class Folder(Container):
    """A folder with a file for each chunk."""

    not_found = f"holds no Zarr (no {either(MARKERS)}); copy it again from its source"

    @override
    def store(self) -> Any:
        return storage().LocalStore(self.path, read_only=True)

    @override
    def holds(self, names: Collection[str]) -> bool:
        return any((self.path / name).is_file() for name in names)

    @override
    def check_chunks(self, folder: str, size: int) -> None:
        if not any(each.is_file() and each.name not in METADATA for each in (self.path / folder).rglob("*")):
            raise PictureError(NO_CHUNKS)


@contextlib.contextmanager
def opened(container: Container) -> Iterator[Any]:
    """Open the array or the group of a container, and close it after the block."""
    with contextlib.closing(container.store()) as store:
        try:
            yield zarr_module().open(store, mode="r")
        except ValueError as error:
            if "codec" in str(error):
                message = f"uses a codec that is not installed ({error}); install it or save it again"
                raise PictureError(message) from error
            raise


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress warnings about codecs and types that other programs may not know."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def zarr_module() -> Any:
    """Import and return zarr-python; UserError if it is not installed."""
    return optional_module("zarr", _REMEDY)


def storage() -> Any:
    """Import and return the stores of zarr-python; UserError if it is not installed."""
    return optional_module("zarr.storage", _REMEDY)
