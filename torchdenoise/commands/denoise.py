"""``torchdenoise denoise``: pictures in, clean pictures out."""

import argparse
import contextlib
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torchdenoise.commands.arguments import Parser, positive
from torchdenoise.errors import AssumptionWarning, UserError
from torchdenoise.paths import make_folders, plan_outputs
from torchdenoise.recipes import recipe_path

if TYPE_CHECKING:
    from torch import Tensor

EXAMPLES = """\
  torchdenoise denoise noisy.png                          writes noisy_denoised.png
  torchdenoise denoise scans/ -o clean/                   a folder, names kept; goes on after a stop
  torchdenoise denoise a.tif b.tif -o clean/ --device cuda
  torchdenoise denoise noisy.png --ckpt runs/version_0/checkpoints/last.ckpt
  torchdenoise denoise noisy.png --recipe zsn2n --max-steps 1000 --set model.network.width=64
"""


def parser() -> Parser:
    """Return the parser of the command's options."""
    options = Parser("torchdenoise denoise", "Make clean pictures of noisy ones (PNG, TIFF, JPEG).", EXAMPLES)
    options.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="a picture, several, or a folder")
    options.add_argument("-o", "--output", type=Path, metavar="OUT", help="file, or folder for several pictures")
    options.add_argument("--recipe", help="name or YAML file (default: fast)")
    options.add_argument(
        "--ckpt", type=Path, metavar="FILE", help="a checkpoint, applied as it is; with --recipe, a fit starts from it"
    )
    options.add_argument("--max-steps", type=positive, metavar="N", help="instead of the recipe's number of steps")
    options.add_argument("--seed", type=int, metavar="N", help="instead of the recipe's, which is 0")
    options.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: %(default)s)")
    options.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help="any argument of the recipe"
    )
    options.add_argument("--overwrite", action="store_true", help="replace outputs that exist already")
    return options


def run(words: Sequence[str]) -> int:
    """Denoise what the words after ``denoise`` name, and return the exit code."""
    options = parser().parse_args(words[1:])
    if options.recipe is not None:
        recipe_path(options.recipe)  # a misspelt name is answered before anything heavy is imported
    pairs = plan_outputs(options.inputs, options.output)
    todo = [pair for pair in pairs if options.overwrite or not pair[1].exists()]
    if not todo and len(pairs) == 1:
        raise UserError(f"{pairs[0][1]}: exists already; add --overwrite, or choose another output with -o")
    _say_skipped(len(pairs) - len(todo))
    if not todo:
        return 0
    return _denoise_all(todo, options)


def _say_skipped(count: int) -> None:
    if count:
        print(f"{count} picture(s) skipped: their outputs exist already (--overwrite replaces them)")


def _denoise_all(todo: list[tuple[Path, Path]], options: argparse.Namespace) -> int:
    """Denoise one picture after the other; one of several that fails is told, and the rest go on."""
    from torchdenoise.commands.progress import shown_progress
    from torchdenoise.fitting import Options, restorer

    with shown_progress(len(todo)) as progress:
        wanted = Options(options.max_steps, options.seed, options.device, options.overrides, progress.step)
        restore = restorer(options.recipe, options.ckpt, wanted)
        make_folders(todo)
        failed = 0
        for source, target in todo:
            begin = time.monotonic()
            progress.begin(source.name)
            try:
                with _told_in_a_line(progress.say):
                    _denoise_one(source, target, restore, options.overwrite)
            except UserError as error:
                if len(todo) == 1:
                    raise
                failed += 1
                progress.say(f"failed: {error}")
            else:
                progress.say(f"{source} -> {target} ({time.monotonic() - begin:.1f} s)")
            progress.end()
    if failed:
        raise UserError(f"{failed} of {len(todo)} pictures failed (see above); the others are done")
    return 0


@contextlib.contextmanager
def _told_in_a_line(say: Callable[[str], None]) -> Iterator[None]:
    """Say what a method finds wrong with a picture's noise, picture by picture; other warnings go their own way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AssumptionWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, AssumptionWarning):
            say(f"warning: {warning.message}")
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _denoise_one(source: Path, target: Path, restore: "Callable[[Tensor], Tensor]", overwrite: bool) -> None:
    from torchdenoise.data import check_output, read_picture, write_picture

    picture = read_picture(source)
    check_output(target, picture, overwrite)
    try:
        restored = restore(picture.image)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    write_picture(target, restored, like=picture, overwrite=overwrite)
