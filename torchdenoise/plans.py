"""Which pictures a command works on, and where their results go."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from torchdenoise.errors import PictureError
from torchdenoise.paths import (
    FLOAT_SUFFIX,
    check_input,
    default_output,
    either,
    format_suffixes,
    is_folder,
    is_picture,
    output_suffix,
    picture_stem,
    read_errors,
    shown,
    visible_files,
    writable_folder,
    write_errors,
)
from torchdenoise.scenes import Source, listed

Scenes = Callable[[Path], Sequence[Source]]
"""Returns what a picture file holds: itself, or each of its scenes."""
_SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))
_EXAMPLES = 3
"""Names that a remark about left-out files lists."""


@dataclass(frozen=True)
class Search:
    """How to look for pictures in folders.

    Args:
        recursive: whether to look in the folders below, too.
        pattern: of file names, such as ``*.tif``; upper and lower case count as on the file system.
        mask: a picture that is the mask of the others, and is none of them.

    Example:
        >>> Search(pattern="night*").matches(Path("night_1.png"))
        True
    """

    recursive: bool = False
    pattern: str = "*"
    mask: Path | None = None

    def matches(self, path: Path) -> bool:
        """Return whether a file's name fits the pattern."""
        return fnmatch(path.name, self.pattern)


@dataclass(frozen=True)
class Plan:
    """What a command will do.

    Args:
        pairs: (input, output) files, or folders that are pictures; an input may be a scene of one.
        unsupported: files in the folders that are no pictures.
        earlier: pictures in the folders that have the name of an earlier result of another one.
        masks: the mask of the others, if it is in one of the folders.
    """

    pairs: list[tuple[Source, Path]]
    unsupported: Sequence[Path] = ()
    earlier: Sequence[Path] = ()
    masks: Sequence[Path] = ()

    def remarks(self) -> list[str]:
        """Return lines about files that are left out.

        Example:
            >>> Plan([], [Path("notes.txt")]).remarks()
            ['1 file(s) left out, not a supported picture: notes.txt']
        """
        found = []
        if self.unsupported:
            found.append(
                f"{len(self.unsupported)} file(s) left out, not a supported picture: {_some(self.unsupported)}"
            )
        if self.earlier:
            found.append(
                f"{len(self.earlier)} picture(s) left out, named like an earlier result: {_some(self.earlier)}; "
                "name such a file itself, and an output folder with -o, to denoise it"
            )
        found += [f"{shown(path)}: left out, because it is the mask" for path in self.masks]
        return found


def _one(path: Path) -> Sequence[Source]:
    return [Source(path)]


def plan(
    inputs: Sequence[Path],
    output: Path | str | None,
    suffix: str = "",
    search: Search | None = None,
    scenes: Scenes = _one,
) -> Plan:
    """Return which files to read and write.

    The result of a single file is ``output``, or goes into it if that is a folder, or text that ends in a slash.
    Results of several files or of a folder go into the folder ``output`` under their input's name, in the same tree.
    Without ``output``, results go next to their inputs. Folders that are missing are made with the first result in
    them. A ``suffix`` is that of results whose name is not given, as in ``default_output``.
    Earlier results next to their inputs are left out, unless they are listed explicitly and ``output`` is given; so are
    the mask of a search, and all that lies in the folder ``output``. Each of the ``scenes`` of a file has a result of
    its own.

    Raises:
        PictureError: an input that is missing or not a picture, two results with the same name, a result that would
            overwrite an input, a file where a folder is needed, one file for several scenes.

    Example:
        >>> from tempfile import mkdtemp
        >>> folder = Path(mkdtemp())
        >>> (folder / "a.jpg").touch()
        >>> [(_, result)] = plan([folder], folder / "clean").pairs
        >>> result.relative_to(folder).as_posix()
        'clean/a.png'
    """
    into = isinstance(output, str) and output.endswith(_SEPARATORS)
    output = None if output is None else Path(output)
    found = _Found(search or Search(), None if output is None else output.resolve())
    for path in inputs:
        found.look(path)
    several = into or len(inputs) > 1 or is_folder(inputs[0])
    if output is not None:
        with write_errors(output):
            if several:
                _check_folder(output)
            elif not is_folder(output):
                _check_file(output)
    sources = [source for path in found.pictures for source in scenes(path)]
    results = _beside(sources)
    into_folder = output is not None and (several or is_folder(output))
    earlier = [path for path in found.pictures if path in results and not (into_folder and path in inputs)]
    if output is not None and not into_folder:
        with read_errors(inputs[0]):
            if len(sources) > 1:
                found_scenes = listed([source.label for source in sources])
                raise PictureError(f"holds {found_scenes}; choose one with --scene, or a folder with -o")
        pairs = [(sources[0], output)]
    else:
        pairs = [
            (source, _result(source, output, found.pictures[source.path], suffix))
            for source in sources
            if source.path not in earlier
        ]
    _check_pairs(pairs)
    return Plan(pairs, found.unsupported, earlier, found.masks)


def plan_outputs(inputs: Sequence[Path], output: Path | None, suffix: str = "") -> list[tuple[Path, Path]]:
    """Return (input, output) files for input files and folders, as ``plan`` does."""
    return [(source.path, result) for source, result in plan(inputs, output, suffix).pairs]


def check_folders(pairs: Iterable[tuple[Path | Source, Path]]) -> None:
    """Raise PictureError unless the folders of planned results can be written to, or made where they are missing."""
    for folder in {result.parent for _, result in pairs}:
        with write_errors(folder):
            writable_folder(folder)


def input_pictures(
    inputs: Sequence[Path], search: Search | None = None, scenes: Scenes = _one
) -> tuple[list[Source], list[str]]:
    """Return the pictures that input files and folders name, each once, and lines about those that are left out.

    Earlier results next to their inputs are left out, unless they are listed explicitly.

    Raises:
        PictureError: an input that is missing or not a picture, or a folder without pictures.
    """
    found = _Found(search or Search(), None)
    for path in inputs:
        found.look(path)
    sources = [source for path in found.pictures for source in scenes(path)]
    results = _beside(sources)
    earlier = [path for path in found.pictures if path in results and path not in inputs]
    return [source for source in sources if source.path not in earlier], Plan([], earlier=earlier).remarks()


def _beside(sources: Sequence[Source]) -> set[Path]:
    """Return the names that results have next to their inputs."""
    return {default_output(source.path, each, source.label) for source in sources for each in ("", FLOAT_SUFFIX)}


class _Found:
    """Collects what inputs name: pictures, each with its place below the folder that was named."""

    def __init__(self, search: Search, output: Path | None) -> None:
        self.pictures: dict[Path, Path] = {}
        self.unsupported: list[Path] = []
        self.masks: list[Path] = []
        self._search = search
        self._output = output
        self._mask = None if self._search.mask is None else self._search.mask.resolve()

    def look(self, path: Path) -> None:
        with read_errors(path):
            if not is_folder(path) or is_picture(path):  # a folder called x.png is probably a mistake
                check_input(path)
                self.pictures.setdefault(path, Path())
                return
        files = [file for file in visible_files(path, self._search.recursive) if self._search.matches(file)]
        below = path.resolve() != self._output
        files = [file for file in files if not (below and self._output in file.resolve().parents)]
        masks = [file for file in files if self._mask is not None and file.resolve() == self._mask]
        self.masks += masks
        pictures = [file for file in files if is_picture(file) and file not in masks]
        self.unsupported += [file for file in files if not is_picture(file)]
        with read_errors(path):
            if not pictures:
                named = "" if self._search.pattern == "*" else f" that fits {self._search.pattern}"
                raise PictureError(f"no {either(format_suffixes())} picture{named} in this folder")
        for file in pictures:
            self.pictures.setdefault(file, file.relative_to(path).parent)


def _result(source: Source, output: Path | None, place: Path, suffix: str) -> Path:
    """Return where the result of a picture goes; ``place`` is its folder below the one that was named."""
    if output is None:
        return default_output(source.path, suffix, source.label)
    label = f"_{source.label}" if source.label else ""
    return output / place / f"{picture_stem(source.path)}{label}{output_suffix(source.path, suffix)}"


def _some(paths: Sequence[Path]) -> str:
    more = f" and {len(paths) - _EXAMPLES} more" if len(paths) > _EXAMPLES else ""
    return ", ".join(shown(path) for path in paths[:_EXAMPLES]) + more


def _check_folder(output: Path) -> None:
    if not is_folder(output) and (output.exists() or is_picture(output)):
        raise PictureError("is a file; several pictures need a folder: choose one with -o")


def _check_file(output: Path) -> None:
    if not is_picture(output):
        known = either(format_suffixes().values())
        raise PictureError(f"is neither a folder nor a name with {known}; create the folder or add a suffix")
    writable_folder(output.parent)


def _check_pairs(pairs: Sequence[tuple[Source, Path]]) -> None:
    inputs = {picture.path.resolve() for picture, _ in pairs}
    inputs |= {folder for picture in inputs for folder in picture.parents}  # a result can be a folder
    origin: dict[Path, Source] = {}
    for picture, result in pairs:
        place = result.resolve()
        if place in inputs:
            raise PictureError(f"{shown(result)}: the output is an input; choose another one with -o")
        if place in origin:
            first, second = shown(origin[place]), shown(picture)
            raise PictureError(f"{first} and {second} would both become {shown(result)}: denoise them one by one")
        origin[place] = picture
