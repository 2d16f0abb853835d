"""Damages to files: cut, flipped, replaced by what is no file."""

import os
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

Damage = Callable[[Path], object]


def cuts(name: str, places: Iterable[int]) -> Iterator[tuple[str, Damage]]:
    """Yield damages that keep the first bytes of a file, as many as each place says."""
    for place in sorted(set(places)):
        yield f"{name} cut at {place}", lambda folder, place=place: os.truncate(folder / name, place)


def flips(name: str, size: int, count: int) -> Iterator[tuple[str, Damage]]:
    """Yield damages that change one to four bytes of a file, seeded by their number."""
    for seed in range(count):
        yield f"{name} flipped with seed {seed}", lambda folder, seed=seed: _flip(folder / name, size, seed)


def no_files(name: str) -> Iterator[tuple[str, Damage]]:
    """Yield damages that put something else in the place of a file."""
    kinds: dict[str, Damage] = {
        "a folder": Path.mkdir,
        "a FIFO": os.mkfifo,
        "a loop of links": lambda path: path.symlink_to(path.name),
        "a link to nothing": lambda path: path.symlink_to("nothing"),
        "a link to endless zeros": lambda path: path.symlink_to("/dev/zero"),
        "64 GB of nothing": _sparse,
        "empty": Path.touch,
        "zeros": lambda path: path.write_bytes(bytes(5000)),
        "noise": lambda path: path.write_bytes(random.Random(0).randbytes(5000)),
        "text in UTF-16": lambda path: path.write_bytes("hello, world\n".encode("utf-16")),
        "text in Latin 1": lambda path: path.write_bytes("Größe: groß\n".encode("latin-1")),
    }
    for kind, put in kinds.items():
        yield f"{name} is {kind}", lambda folder, put=put: _replace(folder / name, put)


def writing(name: str, content: bytes | str) -> Damage:
    """Return a damage that writes a file."""
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data)


def _flip(path: Path, size: int, seed: int) -> None:
    chance, data = random.Random(seed), bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 4)):
        data[chance.randrange(size)] ^= chance.randint(1, 255)
    path.write_bytes(data)


def _replace(path: Path, put: Damage) -> None:
    path.unlink()
    put(path)


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 64 << 30)
