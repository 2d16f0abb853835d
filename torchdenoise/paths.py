"""File names: which files are pictures, and where results go; without torch, so that mistakes show at once."""

import contextlib
import errno
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from torchdenoise.errors import PictureError, UserError

_FORMATS = {
    ".png": ("PNG", ""),
    ".tiff": ("TIFF", ""),
    ".tif": ("TIFF", ""),
    ".jpg": ("JPEG", ".png"),
    ".jpeg": ("JPEG", ".png"),
    ".npy": ("NumPy", ""),
    ".npz": ("NumPy archive", ""),
}
"""Format and ``PictureFormat.output_suffix`` of each suffix. The formats of this package are here, so that a mistake
shows before they are imported; every ``PictureFormat`` adds itself."""


FLOAT_SUFFIX = ".tif"
"""Of results in floating point whose name is not given, unless the input's format holds them too."""
_HOLD_FLOATS = frozenset({"TIFF", "NumPy", "NumPy archive"})


def add_format(name: str, suffixes: Sequence[str], output_suffix: str = "") -> None:
    """Make file names with these suffixes pictures; a later format takes a suffix over.

    Raises:
        TypeError: a suffix without a dot or with capital letters.
    """
    if isinstance(suffixes, str) or any(not each.startswith(".") or each != each.lower() for each in suffixes):
        raise TypeError(f"{name}.suffixes is {suffixes!r}: give a tuple of lower-case suffixes, such as ('.png',)")
    _FORMATS.update(dict.fromkeys(suffixes, (name, output_suffix)))


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
    return _FORMATS.get(path.suffix.lower(), ("", ""))[0]


def either(words: Iterable[str]) -> str:
    """Return words as a message lists alternatives.

    Example:
        >>> either([".png", ".tiff", ".jpg"])
        '.png, .tiff or .jpg'
    """
    *first, last = words
    return f"{', '.join(first)} or {last}"


def _is_picture(path: Path) -> bool:
    """Return whether a name has the suffix of a picture; for an unknown one, import the installed plugins first."""
    suffix = path.suffix.lower()
    if suffix and suffix not in _FORMATS:
        from torchdenoise.registry import load_plugins_once  # here, because it doubles the time of this import

        load_plugins_once()
    return suffix in _FORMATS


@contextlib.contextmanager
def read_errors(path: Path) -> Iterator[None]:
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
        raise PictureError(f"{path}: no permission to read it; ask its owner for access (chmod +r)") from error
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror}); check the name and the disk") from error
    except MemoryError as error:
        raise PictureError(f"{path}: does not fit into memory; cut it into smaller pictures") from error
    except UserError as error:
        raise type(error)(f"{path}: {error}") from error


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
        raise PictureError(f"{path}: {_write_problem(error)}; choose another output with -o") from error
    except MemoryError as error:
        raise PictureError(f"{path}: does not fit into memory; cut it into smaller pictures") from error
    except UserError as error:
        raise type(error)(f"{path}: {error}") from error


def _write_problem(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "no permission to write in this folder"
    return f"cannot be written ({error.strerror or error})"


def check_suffix(path: Path) -> None:
    """Raise PictureError unless a name has the suffix of a picture.

    The message lacks the path, which ``read_errors`` or ``write_errors`` adds.

    Example:
        >>> check_suffix(Path("a.PNG"))
    """
    if not _is_picture(path):
        known = either(format_suffixes().values())
        raise PictureError(f"{path.suffix or 'a name without suffix'} is not supported; use {known}")


def check_input(path: Path) -> None:
    """Raise PictureError unless ``path`` is a regular file with the suffix of a picture.

    The message lacks the path, which ``read_errors`` adds.

    Example:
        >>> check_input(Path("missing.png"))
        Traceback (most recent call last):
        ...
        torchdenoise.errors.PictureError: no such file; check its name and folder
    """
    if path.is_dir():
        raise PictureError("is a folder, not a picture")
    if not path.exists():
        raise PictureError("no such file; check its name and folder")
    check_suffix(path)
    if not path.is_file():  # reading a pipe would block
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
    with read_errors(folder):
        if not folder.is_dir():
            raise PictureError("no such folder; check its name")
        named = (path for path in folder.iterdir() if path.name[0] != "." and _is_picture(path))
        pictures = sorted(path for path in named if path.is_file())
        if not pictures:
            raise PictureError(f"no {either(format_suffixes())} picture in this folder")
    return pictures


def default_output(path: Path, suffix: str = "") -> Path:
    """Return ``NAME_denoised.EXT`` next to the input; for a lossy format, EXT is that of a lossless one.

    A ``suffix``, that of results in floating point, replaces EXT unless EXT is of a format that holds them.

    Example:
        >>> default_output(Path("night.jpg")).name
        'night_denoised.png'
    """
    return path.with_name(f"{path.stem}_denoised{_output_suffix(path, suffix)}")


def _output_suffix(path: Path, suffix: str) -> str:
    name, output_suffix = _FORMATS.get(path.suffix.lower(), ("", ""))
    if suffix and name not in _HOLD_FLOATS:
        return suffix
    return output_suffix or path.suffix


def plan_outputs(inputs: list[Path], output: Path | None, suffix: str = "") -> list[tuple[Path, Path]]:
    """Return (input, output) files for input files and folders; see ``make_folders`` to create the folders.

    The result of a single file is ``output``, or goes into it if that is a folder. Results of several files or of a
    folder go into the folder ``output`` under their input's name. Without ``output``, results go next to their inputs.
    A ``suffix`` is that of results whose name is not given, as in ``default_output``.
    Earlier results next to their inputs are skipped, unless they are listed explicitly and ``output`` is given.

    Raises:
        PictureError: an input that is missing or not a picture, two results with the same name, a result that would
            overwrite an input, a missing folder for a single file, a file where a folder is needed.

    Example:
        >>> from tempfile import mkdtemp
        >>> folder = Path(mkdtemp())
        >>> (folder / "a.jpg").touch()
        >>> [(_, result)] = plan_outputs([folder], folder / "clean")
        >>> result.relative_to(folder).as_posix()
        'clean/a.png'
    """
    pictures = input_pictures(inputs)
    several = len(inputs) > 1 or inputs[0].is_dir()
    if output is not None:
        with write_errors(output):
            if several:
                _check_folder(output)
            elif not output.is_dir():
                _check_file(output)
    earlier = {default_output(picture, each) for picture in pictures for each in ("", FLOAT_SUFFIX)}
    if output is None:
        pairs = [(picture, default_output(picture, suffix)) for picture in pictures if picture not in earlier]
    elif several or output.is_dir():
        # An earlier result that is listed explicitly is an input.
        pictures = [picture for picture in pictures if picture not in earlier or picture in inputs]
        pairs = [(picture, output / f"{picture.stem}{_output_suffix(picture, suffix)}") for picture in pictures]
    else:
        pairs = [(inputs[0], output)]
    _check_pairs(pairs)
    return pairs


def make_folders(pairs: list[tuple[Path, Path]]) -> None:
    """Create the folders of planned results; PictureError if that fails."""
    for folder in {result.parent for _, result in pairs}:
        with write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)


def input_pictures(inputs: Iterable[Path]) -> list[Path]:
    """Return the pictures that input files and folders name, each once.

    Raises:
        PictureError: an input that is missing or not a picture, or a folder without pictures.
    """
    return list(dict.fromkeys(picture for path in inputs for picture in _listed(path)))


def _listed(path: Path) -> list[Path]:
    """Return the pictures in a folder, or the picture at ``path``."""
    with read_errors(path):
        if not path.is_dir() or _is_picture(path):  # a folder called x.png is probably a mistake
            check_input(path)
            return [path]
    return find_pictures(path)


def _check_folder(output: Path) -> None:
    if not output.is_dir() and (output.exists() or _is_picture(output)):
        raise PictureError("is a file; several pictures need a folder: choose one with -o")


def _check_file(output: Path) -> None:
    if not _is_picture(output):
        known = either(format_suffixes().values())
        raise PictureError(f"is neither a folder nor a name with {known}; create the folder or add a suffix")
    if not output.parent.is_dir():
        raise PictureError(f"{output.parent}: no such folder; create it first")


def _check_pairs(pairs: list[tuple[Path, Path]]) -> None:
    inputs = {picture.resolve() for picture, _ in pairs}
    origin: dict[Path, Path] = {}
    for picture, result in pairs:
        place = result.resolve()
        if place in inputs:
            raise PictureError(f"{result}: the output is an input; choose another one with -o")
        if place in origin:
            raise PictureError(f"{origin[place]} and {picture} would both become {result}: denoise them one by one")
        origin[place] = picture
