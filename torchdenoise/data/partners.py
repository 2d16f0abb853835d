"""Partners: the files of one scene, such as a noisy picture and its clean version, matched by name and compared."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torchdenoise.data.files import read_picture
from torchdenoise.data.formats import Header
from torchdenoise.data.headers import and_more, header
from torchdenoise.data.picture import Picture
from torchdenoise.errors import DataError
from torchdenoise.paths import picture_stem


def by_name(paths: Sequence[Path]) -> dict[str, Path]:
    """Return the pictures by name, without suffix; a file that is listed twice counts once.

    Raises:
        DataError: two files have the same name.

    Example:
        >>> by_name([Path("noisy/x.png"), Path("noisy/y.tif")])["y"].as_posix()
        'noisy/y.tif'
    """
    named: dict[str, Path] = {}
    for path in paths:
        earlier = named.setdefault(picture_stem(path), path)
        if earlier != path and not earlier.samefile(path):
            raise DataError(f"{earlier} and {path} have the same name: rename one")
    return named


def match_by_name(sides: Sequence[Sequence[Path]], options: str = "") -> dict[str, tuple[Path, ...]]:
    """Return the scenes by name: one picture of each side, in the order of the first side.

    Args:
        sides: lists of pictures, such as all noisy and all clean ones.
        options: the options that name the sides, for the message.

    Raises:
        DataError: pictures without partner, or several of one name on a side.

    Example:
        >>> match_by_name([[Path("a/x.png")], [Path("b/x.tif")]])["x"][1].as_posix()
        'b/x.tif'
    """
    tables = [by_name(paths) for paths in sides]
    common = set(tables[0]).intersection(*tables[1:])
    alone = [str(path) for paths in sides for path in paths if picture_stem(path) not in common]
    if alone:
        examples = ", ".join(alone[:5]) + and_more(len(alone) - 5) + (f" ({options})" if options else "")
        raise DataError(f"no picture of the same name for {examples}: rename or remove them")
    return {name: tuple(table[name] for table in tables) for name in tables[0]}


def check_partners(paths: Sequence[Path], same_channels: bool = False) -> None:
    """Check by their headers that the pictures of a scene fit together.

    Raises:
        DataError: they differ in size or type, or in their number of channels if ``same_channels``.
    """
    _check_headers({path: header(path) for path in paths}, same_channels)


def read_partners(paths: Sequence[str | Path]) -> list[Picture]:
    """Return the pictures of a scene, all with the widest of their scalings.

    Read separately, a dim picture may be scaled to another white level than its partner.

    Raises:
        UserError: a picture cannot be read, or as ``check_partners``.
    """
    pictures = [read_picture(path) for path in paths]
    _check_headers({Path(path): Header.of(picture) for path, picture in zip(paths, pictures, strict=True)})
    scalings = [picture.scaling for picture in pictures]
    if len({(scaling.low, scaling.high) for scaling in scalings}) == 1:
        return pictures
    widest = min(scaling.low for scaling in scalings), max(scaling.high for scaling in scalings)
    return [read_picture(path, widest) for path in paths]


def _check_headers(headers: Mapping[Path, Header], same_channels: bool = False) -> None:
    (first, one), *others = headers.items()
    kinds = {1: "grey", 3: "colour"}
    for path, other in others:
        if (one.height, one.width) != (other.height, other.width):
            sizes = f"{first} has {one.width}x{one.height} pixels, {path} {other.width}x{other.height}"
            raise DataError(f"{sizes}: crop them to one size, or leave the pair out")
        if one.dtype != other.dtype:
            raise DataError(f"{first} holds {one.dtype}, {path} {other.dtype}: write both with the same type and range")
        if same_channels and one.channels != other.channels:
            raise DataError(f"{first} is {kinds[one.channels]}, {path} is {kinds[other.channels]}: convert one of them")
