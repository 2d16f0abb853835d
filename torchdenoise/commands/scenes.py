"""The option that names a scene, and the scenes that a command works on."""

from collections.abc import Callable, Sequence
from pathlib import Path

from torchdenoise.commands.arguments import Parser
from torchdenoise.errors import UserError
from torchdenoise.paths import may_hold_scenes
from torchdenoise.scenes import Source, find_scene, scene_labels


def add_scene_option(options: Parser) -> None:
    """Add the option that names a scene."""
    options.add_argument(
        "--scene",
        metavar="N",
        help="of files of several scenes (series, positions) only this one, by number from 1 on or by name "
        "(default: all)",
    )


def scene_finder(wanted: str | None) -> Callable[[Path], Sequence[Source]]:
    """Return what finds the scenes of a file: all, or the one that is wanted.

    A file that cannot be read, or has no such scene, is left to its reader, so that it does not stop the others.
    """

    def sources(path: Path) -> Sequence[Source]:
        try:
            names = _names(path)
            places = range(len(names)) if wanted is None else [find_scene(names, wanted)]
        except UserError:
            return [Source(path, wanted)]
        if len(names) == 1:
            return [Source(path)]
        labels = scene_labels(names)
        return [Source(path, place + 1, labels[place]) for place in places]

    return sources


def _names(path: Path) -> Sequence[str]:
    if not may_hold_scenes(path):  # without the slow imports
        return [""]
    from torchdenoise.data import scene_names

    return scene_names(path)
