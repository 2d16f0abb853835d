"""Reading the pictures of a command that writes results, with what is said about them."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from torchdenoise.data import Picture, check_output, read_picture
from torchdenoise.data.formats import lost
from torchdenoise.data.headers import check_fits
from torchdenoise.data.holes import read_mask
from torchdenoise.errors import UserError
from torchdenoise.fitting import Options
from torchdenoise.paths import picture_suffix, read_errors, shown
from torchdenoise.scenes import Source

Pair = tuple[Source, Path]
"""An input and its output."""


def read_all(
    pairs: Sequence[Pair], options: argparse.Namespace, wanted: Options, say: Callable[[str], None]
) -> tuple[dict[Pair, Picture], dict[Pair, UserError]]:
    """Return the pictures that can be denoised and written, and the errors of the others.

    ``say`` gets a line about what was converted, and about metadata that the output cannot hold.
    """
    mask = None if options.mask is None else read_mask(options.mask)
    pictures: dict[Pair, Picture] = {}
    errors: dict[Pair, UserError] = {}
    for source, target in pairs:
        try:
            check_fits(source.path, len(pairs) * options.workers)
            picture = read_picture(source.path, options.data_range, mask)
            with read_errors(source):
                wanted.check_values(picture.scaling.values)
            picture = picture.stored_as(options.dtype)
            check_output(target, picture, options.overwrite)
        except UserError as error:
            errors[source, target] = error
            continue
        pictures[source, target] = replace(picture, quality=options.quality)
        for note in picture.notes:
            say(f"{shown(source)}: {note}")
        if missing := lost(picture_suffix(target), picture):
            say(f"{shown(target)}: cannot hold what the input has: {missing}")
    return pictures, errors
