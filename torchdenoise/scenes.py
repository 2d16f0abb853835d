"""Scenes: the pictures of a file that holds several, such as the positions of a microscope's stage."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from torchdenoise.errors import PictureError

_LISTED = 10
"""Scenes that a message names."""
_LABEL_BYTES = 100
"""Of a scene's name within the name of its result."""


@dataclass(frozen=True)
class Source:
    """What becomes one result: a picture file, or a scene of it. Its text is what messages call it.

    Args:
        path: of the file.
        scene: number from 1 on, or name; None if the file holds one picture.
        label: of the scene in the name of its result.

    Example:
        >>> str(Source(Path("night.lif"), 2, "dawn"))
        'night.lif, scene dawn'
    """

    path: Path
    scene: int | str | None = None
    label: str = ""

    @override
    def __str__(self) -> str:
        return str(self.path) if self.scene is None else f"{self.path}, scene {self.label or self.scene}"


def find_scene(names: Sequence[str], wanted: int | str | None = None) -> int:
    """Return the place of a scene, from 0 on.

    Args:
        names: of the scenes of a file; empty texts where it does not name them.
        wanted: name, label as in the name of its result, or number from 1 on; in this order. None if there is only one.

    Raises:
        PictureError: there is no such scene, or several; the message lists them.

    Example:
        >>> find_scene(["dusk", "dawn"], "dawn"), find_scene(["dusk", "dawn"], "1"), find_scene([""])
        (1, 0, 0)
        >>> find_scene(["dusk", "dawn"])
        Traceback (most recent call last):
        ...
        torchdenoise.errors.PictureError: holds 2 scenes (1 dusk, 2 dawn); choose one with --scene (scene=), which ...
    """
    if not names:
        raise PictureError("holds no picture: damaged or cut short; copy it again from its source")
    if wanted is None:
        if len(names) > 1:
            raise PictureError(
                f"holds {listed(names)}; choose one with --scene (scene=), which only `denoise` and `inspect` take"
            )
        return 0
    named = [place for place, name in enumerate(names) if name == wanted] or [
        place for place, label in enumerate(scene_labels(names)) if label == wanted
    ]
    if len(named) > 1:
        numbers = ", ".join(str(place + 1) for place in named[:_LISTED])
        raise PictureError(f"holds {len(named)} scenes called {wanted}; give the number of one: {numbers}")
    number = str(wanted)
    if not named and number.isdecimal() and 1 <= int(number) <= len(names):
        return int(number) - 1
    if not named:
        raise PictureError(f"holds no scene {wanted}, but {listed(names)}")
    return named[0]


def listed(names: Sequence[str]) -> str:
    """Return scenes as messages list them.

    Example:
        >>> listed(["dusk", ""])
        '2 scenes (1 dusk, 2)'
    """
    some = ", ".join(f"{number} {name}".strip() for number, name in enumerate(names[:_LISTED], 1))
    more = ", ..." if len(names) > _LISTED else ""
    return f"{len(names)} scene{'s' * (len(names) > 1)} ({some}{more})"


def scene_labels(names: Sequence[str]) -> list[str]:
    """Return what the results of scenes are called: by their names if all have different ones, else by number, too.

    Example:
        >>> scene_labels(["Plate 1/A1", "Plate 1/A2"]), scene_labels(["dusk", "dusk", ""])
        (['Plate_1_A1', 'Plate_1_A2'], ['1_dusk', '2_dusk', '3'])
    """
    plain = [_plain(name) for name in names]
    if all(plain) and len({name.casefold() for name in plain}) == len(plain):
        return plain
    return [f"{number}_{name}".rstrip("_") for number, name in enumerate(plain, 1)]


def _plain(name: str) -> str:
    """Return a name without what file names and terminals may not like, cut to the length of a label."""
    plain = re.sub(r"[^\w.+-]+", "_", name).strip("._")
    while len(plain.encode()) > _LABEL_BYTES:
        plain = plain[:-1]
    return plain
