"""File names: which are pictures, what results are called; without torch, so that mistakes show at once."""

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from torchdenoise.errors import PictureError, UserError, printable
from torchdenoise.scenes import Source

SHIPPED = "torchdenoise:"
"""Begins the name of weights that come with the package, which stands where a file's name may."""
_FORMATS = {
    ".png": ("PNG", ""),
    ".tiff": ("TIFF", ""),
    ".tif": ("TIFF", ""),
    ".ome.tiff": ("TIFF", ""),
    ".ome.tif": ("TIFF", ""),
    ".jpg": ("JPEG", ".png"),
    ".jpeg": ("JPEG", ".png"),
    ".npy": ("NumPy", ""),
    ".npz": ("NumPy archive", ""),
    ".bmp": ("BMP", ""),
    ".dib": ("BMP", ""),
    ".webp": ("WebP", ""),
    ".ppm": ("PPM", ""),
    ".pgm": ("PPM", ""),
    ".pnm": ("PPM", ""),
    ".pbm": ("PPM", ".pgm"),
    ".gif": ("GIF", ".png"),
    ".jp2": ("JPEG2000", ""),
    ".j2k": ("JPEG2000", ""),
    ".jpf": ("JPEG2000", ""),
    ".zarr": ("Zarr", ""),
    ".ome.zarr": ("Zarr", ""),
    ".zarr.zip": ("Zarr zip", ""),
    ".ome.zarr.zip": ("Zarr zip", ""),
    ".ozx": ("Zarr zip", ""),
    ".nii": ("NIfTI", ""),
    ".nii.gz": ("NIfTI packed", ""),
    ".mrc": ("MRC", ""),
    ".mrcs": ("MRC", ""),
    ".fits": ("FITS", ""),
    ".fit": ("FITS", ""),
    ".fts": ("FITS", ""),
    ".dcm": ("DICOM", ""),
    ".dicom": ("DICOM", ""),
    ".czi": ("CZI", ".ome.tif"),
    ".nd2": ("ND2", ".ome.tif"),
    ".lif": ("LIF", ".ome.tif"),
}
"""Format and ``PictureFormat.output_suffix`` of each suffix. The formats of this package are here, so that a mistake
shows before they are imported; every ``PictureFormat`` adds itself."""


_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
REFUSED = (*_FULL, *_FORBIDDEN, errno.ENOTDIR, errno.EIO)
"""The errors of a disk that no program can help, as numbers of ``errno``."""
MAX_NAME = 255
"""Bytes of a file's name that file systems allow."""
FLOAT_SUFFIX = ".tif"
"""Of results in floating point whose name is not given, unless the input's format holds them too."""
_HOLD_FLOATS = {"TIFF", "NumPy", "NumPy archive", "Zarr", "Zarr zip", "NIfTI", "NIfTI packed", "MRC", "FITS"}
_FOLDERS = {"Zarr"}
"""Formats whose pictures are folders."""
_HOLD_SCENES = {"TIFF", "Zarr", "Zarr zip", "CZI", "ND2", "LIF"}
"""Formats whose files may hold several pictures."""


def add_format(
    name: str,
    suffixes: Sequence[str],
    output_suffix: str = "",
    *,
    folder: bool = False,
    floats: bool = False,
    scenes: bool = False,
) -> None:
    """Make file names with these suffixes pictures; a later format takes a suffix over.

    Args:
        name: of the format.
        suffixes: of one part to three, as ``.ome.zarr``.
        output_suffix: as that of ``PictureFormat``.
        folder: whether a picture is a folder.
        floats: whether the format holds floating point.
        scenes: whether a file may hold several pictures.

    Raises:
        TypeError: a suffix without a dot or with capital letters.
    """
    if isinstance(suffixes, str) or any(not each.startswith(".") or each != each.lower() for each in suffixes):
        raise TypeError(f"{name}.suffixes is {suffixes!r}: give a tuple of lower-case suffixes, such as ('.png',)")
    _FORMATS.update(dict.fromkeys(suffixes, (name, output_suffix)))
    for names, belongs in ((_FOLDERS, folder), (_HOLD_FLOATS, floats), (_HOLD_SCENES, scenes)):
        (names.add if belongs else names.discard)(name)


def picture_suffix(path: Path) -> str:
    """Return the suffix of a picture's name in small letters; one of two or three parts if that is known.

    Example:
        >>> picture_suffix(Path("a.OME.Zarr")), picture_suffix(Path("a.b.tif"))
        ('.ome.zarr', '.tif')
    """
    several = ("".join(path.suffixes[-parts:]).lower() for parts in (3, 2))
    return next((each for each in several if each in _FORMATS), path.suffix.lower())


def picture_stem(path: Path) -> str:
    """Return the name of a picture without its suffix.

    Example:
        >>> picture_stem(Path("x/a.ome.zarr"))
        'a'
    """
    return path.name[: len(path.name) - len(picture_suffix(path))]


def is_folder_format(path: Path) -> bool:
    """Return whether a name stands for a picture that is a folder, as ``a.zarr`` does."""
    return is_picture(path) and format_name(path) in _FOLDERS


def may_hold_scenes(path: Path) -> bool:
    """Return whether a name stands for a file that may hold several pictures, as ``a.lif`` does."""
    return is_picture(path) and format_name(path) in _HOLD_SCENES


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder that is no picture itself."""
    return path.is_dir() and not is_folder_format(path)


def format_suffixes() -> dict[str, str]:
    """Return the names of the formats, each with its first suffix.

    Example:
        >>> format_suffixes()["JPEG"]
        '.jpg'
    """
    first: dict[str, str] = {}
    for suffix, (name, _) in _FORMATS.items():
        first.setdefault(name, suffix)
    return first


def format_name(path: Path) -> str:
    """Return the name of the format that a file's suffix stands for; empty if it is not known.

    Example:
        >>> format_name(Path("a.TIF"))
        'TIFF'
    """
    return _FORMATS.get(picture_suffix(path), ("", ""))[0]


def either(words: Iterable[str]) -> str:
    """Return words as a message lists alternatives.

    Example:
        >>> either([".png", ".tiff", ".jpg"])
        '.png, .tiff or .jpg'
    """
    *first, last = words
    return f"{', '.join(first)} or {last}"


def is_picture(path: Path) -> bool:
    """Return whether a name has the suffix of a picture; for an unknown one, import the installed plugins first."""
    suffix = picture_suffix(path)
    if suffix and suffix not in _FORMATS:
        from torchdenoise.registry import load_plugins_once  # here, because it doubles the time of this import

        load_plugins_once()
    return picture_suffix(path) in _FORMATS


def shown(path: Path | Source) -> str:
    """Return a path as messages show it: on one line, without characters that steer a terminal.

    Example:
        >>> shown(Path("two\\nlines.png"))
        'two\\\\nlines.png'
    """
    return printable(str(path)).replace("\n", "\\n")


@contextlib.contextmanager
def read_errors(path: Path | Source) -> Iterator[None]:
    """Turn system errors inside into a PictureError that begins with ``path``; prefix a UserError with it.

    Example:
        >>> with read_errors(Path("night.png")):
        ...     raise UserError("too dark")
        Traceback (most recent call last):
        ...
        torchdenoise.errors.UserError: night.png: too dark
    """
    try:
        yield
    except PermissionError as error:
        raise PictureError(f"{shown(path)}: no permission to read it; ask its owner for access (chmod +r)") from error
    except OSError as error:
        raise PictureError(f"{shown(path)}: cannot be read ({error.strerror}); check the name and the disk") from error
    except MemoryError as error:
        raise PictureError(f"{shown(path)}: does not fit into memory; cut it into smaller pictures") from error
    except UserError as error:
        raise type(error)(f"{shown(path)}: {error}") from error


@contextlib.contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn system errors inside into a PictureError that begins with ``path``; prefix a UserError with it.

    Example:
        >>> with write_errors(Path("night.png")):
        ...     raise OSError(errno.ENOSPC, "")
        Traceback (most recent call last):
        ...
        torchdenoise.errors.PictureError: night.png: the disk is full; free some space; choose another output with -o
    """
    try:
        yield
    except OSError as error:
        raise PictureError(f"{shown(path)}: {write_problem(error)}; choose another output with -o") from error
    except MemoryError as error:
        raise PictureError(f"{shown(path)}: does not fit into memory; cut it into smaller pictures") from error
    except UserError as error:
        raise type(error)(f"{shown(path)}: {error}") from error


def write_problem(error: OSError) -> str:
    """Return why a file could not be written, and the remedy, in words."""
    if error.errno in _FULL:
        return "the disk is full; free some space"
    if error.errno in _FORBIDDEN:
        return "no permission to write in this folder"
    return f"cannot be written ({error.strerror or error})"


def writable_folder(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that exists, in which the missing ones can be made.

    Raises:
        PictureError: a file is in the place of a folder.
        PermissionError: nothing may be written there.

    Example:
        >>> writable_folder(Path("missing/deep")) == Path()
        True
    """
    place = next((each for each in (folder, *folder.parents) if each.exists() or each.is_symlink()), Path())
    if not place.is_dir():
        raise PictureError(f"{shown(place)} is a file, not a folder; choose another place")
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "")
    return place


def check_suffix(path: Path) -> None:
    """Raise PictureError unless a name has the suffix of a picture.

    The message lacks the path, which ``read_errors`` or ``write_errors`` adds.

    Example:
        >>> check_suffix(Path("a.PNG"))
    """
    if not is_picture(path):
        known = either(format_suffixes().values())
        raise PictureError(f"{path.suffix or 'a name without suffix'} is not supported; use {known}")


def check_input(path: Path) -> None:
    """Raise PictureError unless ``path`` is a regular file with the suffix of a picture, or such a folder.

    The message lacks the path, which ``read_errors`` adds.

    Example:
        >>> check_input(Path("missing.png"))
        Traceback (most recent call last):
        ...
        torchdenoise.errors.PictureError: no such file; check its name and folder
    """
    if is_folder(path):
        raise PictureError("is a folder, not a picture")
    if not path.exists():
        raise PictureError("no such file; check its name and folder")
    check_suffix(path)
    if is_folder_format(path):
        if not path.is_dir():
            raise PictureError(f"is a file, but a {format_name(path)} is a folder; copy it again from its source")
    elif not path.is_file():  # reading a pipe would block
        raise PictureError("is not a regular file; copy the picture into one first")


def find_pictures(folder: str | Path) -> list[Path]:
    """Return the picture files directly in ``folder``, sorted, without hidden ones.

    Raises:
        PictureError: there are none, or no such folder.

    Example:
        >>> from tempfile import mkdtemp
        >>> folder = Path(mkdtemp())
        >>> (folder / "a.PNG").touch()
        >>> [path.name for path in find_pictures(folder)]
        ['a.PNG']
    """
    folder = Path(folder)
    pictures = [path for path in visible_files(folder) if is_picture(path)]
    with read_errors(folder):
        if not pictures:
            raise PictureError(f"no {either(format_suffixes())} picture in this folder")
    return pictures


def visible_files(folder: Path, recursive: bool = False) -> list[Path]:
    """Return the files in ``folder`` that are not hidden, sorted; with those of folders below if ``recursive``.

    A folder that is a picture itself counts as a file. Links to other folders are not followed.

    Raises:
        PictureError: no such folder, or no permission to read one.
    """
    with read_errors(folder):
        if not folder.is_dir():
            raise PictureError("no such folder; check its name")
        entries = sorted(path for path in folder.iterdir() if path.name[0] != ".")
        files = [path for path in entries if path.is_file() or (path.is_dir() and is_folder_format(path))]
        below = [path for path in entries if recursive and is_folder(path) and not path.is_symlink()]
    return sorted([*files, *(path for each in below for path in visible_files(each, recursive=True))])


def default_output(path: Path, suffix: str = "", label: str = "") -> Path:
    """Return ``NAME_denoised.EXT`` next to the input; for a lossy format, EXT is that of a lossless one.

    A ``suffix``, that of results in floating point, replaces EXT unless EXT is of a format that holds them. The
    ``label`` of a scene follows NAME, which is cut where the file system allows no longer one.

    Example:
        >>> default_output(Path("night.jpg")).name
        'night_denoised.png'
    """
    end = f"{f'_{label}' if label else ''}_denoised{output_suffix(path, suffix)}"
    stem = picture_stem(path)
    while len(os.fsencode(stem + end)) > MAX_NAME:
        stem = stem[:-1]
    return path.with_name(stem + end)


def output_suffix(path: Path, suffix: str = "") -> str:
    """Return the suffix of a picture's result; a ``suffix`` replaces it unless the format holds floating point.

    Example:
        >>> output_suffix(Path("night.jpg")), output_suffix(Path("night.png"), ".tif")
        ('.png', '.tif')
    """
    own_suffix = picture_suffix(path)
    name, output = _FORMATS.get(own_suffix, ("", ""))
    if suffix and name not in _HOLD_FLOATS:
        return suffix
    return output or path.name[len(path.name) - len(own_suffix) :]
