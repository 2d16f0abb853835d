"""``torchdenoise denoise``: write a clean version of each noisy picture."""

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from torchdenoise.commands.arguments import (
    Parser,
    add_channels_option,
    add_worker_options,
    batch,
    count,
    data_range,
    fraction,
    not_negative,
    percentage,
    positive,
    seconds,
)
from torchdenoise.commands.folders import Summary, add_search_options, search_of
from torchdenoise.commands.scenes import add_scene_option, scene_finder
from torchdenoise.errors import UserError
from torchdenoise.partial_files import remove_abandoned
from torchdenoise.paths import FLOAT_SUFFIX, is_folder, shown
from torchdenoise.plans import check_folders, plan
from torchdenoise.recipes import AUTO, recipe_path
from torchdenoise.scenes import Source

Pair = tuple[Source, Path]
"""A picture, stack or scene, and its result."""

EXAMPLES = """\
  torchdenoise denoise noisy.png                          writes noisy_denoised.png
  torchdenoise denoise scans/ -o clean/                   a folder, names kept; resumes after a stop
  torchdenoise denoise night/ -o clean/ -r --pattern '*.tif'              folders within folders, the same tree out
  torchdenoise denoise scans/ -o clean/ --workers 4       four pictures at a time, each with a process of its own
  torchdenoise denoise a.tif b.tif -o clean/ --device cuda
  torchdenoise denoise noisy.png --ckpt runs/version_0/checkpoints/last.ckpt
  torchdenoise denoise scans/ -o clean/ --device cuda --batch auto
  torchdenoise denoise noisy.png --budget 2s
  torchdenoise denoise noisy.jpg -o clean.jpg --quality 90                a JPEG becomes a PNG unless -o names a JPEG
  torchdenoise denoise noisy.png --mask hidden.png        keeps the pixels that are not black in the mask
  torchdenoise denoise noisy.png --strength 0.7           keeps 30 % of what it would remove
  torchdenoise denoise stars.tif --keep-outliers          single bright or dark pixels stay as they are
  torchdenoise denoise noisy.png --noise-level 12         white noise of this level, not measured
  torchdenoise denoise scans/ -o clean/ --noise-profile profile.json      of `torchdenoise inspect flat.png --json`
  torchdenoise denoise counts.png --dtype float32         writes counts_denoised.tif, values not rounded
  torchdenoise denoise stack.tif                          a stack (TIFF, NumPy, Zarr, NIfTI, ...), frame by frame
  torchdenoise denoise stack.tif -o stack.ome.zarr        in another format
  torchdenoise denoise night.lif                          each scene becomes a file, night_SCENE_denoised.ome.tif
  torchdenoise denoise night.lif --scene 2 -o second.ome.tif              one scene, by number or name
  torchdenoise denoise stack.npy --axes TCYX              what each axis is, where the file does not say it
  torchdenoise denoise stack.tif --fit shared --neighbours 1              one network for all frames; looks beside each
  torchdenoise --import my_loss denoise noisy.png --ckpt last.ckpt        fitted with a class of ./my_loss.py
  torchdenoise denoise noisy.png --recipe zsn2n --max-steps 1000 --set model.network.width=64
"""


def parser() -> Parser:
    """Return the parser of the command's options."""
    options = Parser("torchdenoise denoise", "Write a clean version of each noisy picture or stack.", EXAMPLES)
    options.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="a picture, several, or a folder")
    options.add_argument(
        "-o", "--output", metavar="OUT", help="file, or folder; OUT/ is a folder that is made if missing"
    )
    add_search_options(options)
    options.add_argument("--recipe", help="name or YAML file (default: auto, which chooses pretrained-fast or fast)")
    options.add_argument(
        "--ckpt",
        type=Path,
        metavar="FILE",
        help="apply a checkpoint; with --recipe, the fit starts from it",
    )
    options.add_argument("--max-steps", type=positive, metavar="N", help="instead of the recipe's number of steps")
    options.add_argument(
        "--budget", type=seconds, metavar="TIME", help="choose the steps so that a picture takes about 2s, 500ms, 3min"
    )
    options.add_argument(
        "--batch",
        type=batch,
        default=1,
        metavar="N",
        help="pictures fitted together, for a GPU; auto takes as many as go into its memory (default: 1)",
    )
    options.add_argument(
        "--graphs",
        action="store_true",
        help="record the steps of a fit on a CUDA GPU and replay them, which waits less",
    )
    add_worker_options(options, "picture")
    options.add_argument("--seed", type=int, metavar="N", help="instead of the recipe's, which is 0")
    options.add_argument(
        "--data-range", type=data_range, metavar="WHITE", help="white level of the files' values, or BLACK,WHITE"
    )
    options.add_argument(
        "--strength", type=fraction, default=1.0, metavar="S", help="0 to 1: noisy + S * (result - noisy) (default: 1)"
    )
    options.add_argument(
        "--dtype",
        choices=("same", "float32"),
        default="same",
        help="of the result; float32 keeps fractions in the input's units, in a .tif by default (default: same)",
    )
    options.add_argument(
        "--axes",
        metavar="TCYX",
        help="a letter for each axis of a stack: T time, Z depth, C channel, Y row, X column, S samples (RGB)",
    )
    add_scene_option(options)
    add_channels_option(options)
    options.add_argument(
        "--fit",
        choices=("each", "shared"),
        default="each",
        help="of a stack: a network for each frame, or one for all, which is faster (default: each)",
    )
    options.add_argument(
        "--neighbours",
        type=count,
        default=0,
        metavar="N",
        help="of a stack: frames before and after, along T or Z, in which similar patches may lie too (default: 0)",
    )
    options.add_argument(
        "--keep-outliers",
        action="store_true",
        help="hot pixels, salt and pepper come back unchanged; recipes that measure the noise remove them by default",
    )
    options.add_argument(
        "--mask",
        type=Path,
        metavar="FILE",
        help="picture of the same size, or a stack of them; where it is not black, pixels stay as they are",
    )
    options.add_argument("--quality", type=percentage, default=95, metavar="N", help="of JPEG, 1 to 100 (default: 95)")
    noise = options.add_mutually_exclusive_group()
    noise.add_argument(
        "--noise",
        metavar="SPEC",
        help="what the noise is, instead of a measurement: gaussian:12, poisson:30+gaussian:5",
    )
    noise.add_argument(
        "--noise-level", type=not_negative, metavar="SIGMA", help="white noise of this level, on the 0-255 scale"
    )
    noise.add_argument(
        "--noise-profile",
        type=Path,
        metavar="FILE",
        help="the noise profile that `torchdenoise inspect --json` wrote, of a stack also one for each channel",
    )
    options.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: %(default)s)")
    options.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help="any argument of the recipe"
    )
    options.add_argument("--overwrite", action="store_true", help="replace outputs that exist already")
    return options


def run(words: Sequence[str]) -> int:
    """Denoise what the words after ``denoise`` name, and return the exit code."""
    options = parser().parse_args(words[1:])
    if options.recipe not in (None, AUTO):
        recipe_path(options.recipe)  # report a misspelt name before the slow imports
    suffix = FLOAT_SUFFIX if options.dtype == "float32" else ""
    search = replace(search_of(options), mask=options.mask)
    planned = plan(options.inputs, options.output, suffix, search, scene_finder(options.scene))
    for line in planned.remarks():
        print(line)
    pairs = planned.pairs
    for folder in {target.parent for _, target in pairs}:
        remove_abandoned(folder)
    todo = [pair for pair in pairs if options.overwrite or not pair[1].exists()]
    if not todo and len(pairs) == 1 and not is_folder(options.inputs[0]):
        raise UserError(f"{shown(pairs[0][1])}: exists already; add --overwrite, or choose another output with -o")
    if skipped := len(pairs) - len(todo):
        print(
            f"{skipped} picture(s) skipped: their results exist, perhaps made with other options; "
            "add --overwrite to make them again"
        )
    if not todo:
        return 0
    return _denoise_all(todo, options, Summary(skipped=skipped))


def _denoise_all(todo: list[Pair], options: argparse.Namespace, summary: Summary) -> int:
    """Denoise all pictures; report one that fails and continue with the rest."""
    from torchdenoise.commands.progress import shown_progress

    if options.batch != 1 and options.budget is not None:
        raise UserError("--budget is for one picture at a time: leave --batch out")

    first = todo[0][0].path.name if options.batch == 1 else None  # else it depends on what the files hold
    with contextlib.ExitStack() as closing:
        progress = closing.enter_context(shown_progress(len(todo), first))
        # slow, so it comes after the first line
        from torchdenoise.commands.picture_work import picture_work
        from torchdenoise.commands.worker_places import shared_places
        from torchdenoise.fitting.together import batch_size
        from torchdenoise.workers import Workers, spread

        options.batch = batch_size(options.batch, options.device)
        workers = Workers(options.workers, options.dask)
        work = picture_work(options, workers, progress, closing.enter_context(shared_places(workers)))
        check_folders(todo)
        for line in _without_effect(todo, options):
            progress.say(line)
        for pairs, done in spread(_parts(todo, options), work, workers):
            for line in done.lines:
                progress.say(line)
            if done.errors and len(todo) == 1:
                raise done.errors[pairs[0]]
            summary.count(len(pairs) - len(done.errors), len(done.errors))
            for source, target in pairs:
                if (source, target) in done.errors:
                    progress.say(f"failed: {done.errors[source, target]}")
                else:
                    progress.say(f"{shown(source)} -> {shown(target)} ({done.seconds / len(pairs):.1f} s)")
                progress.end()
        if len(todo) > 1:
            progress.say(summary.line())
    if summary.failed:
        raise UserError(f"{summary.failed} of {len(todo)} pictures failed (see above); the others are done")
    return 0


def _without_effect(todo: list[Pair], options: argparse.Namespace) -> list[str]:
    """Return what to say about options for stacks if there are single pictures."""
    from torchdenoise.commands.stacks import is_stack

    named = ["--fit shared"] * (options.fit == "shared") + ["--neighbours"] * (options.neighbours > 0)
    if not named or all(is_stack(source, options.axes) for source, _ in todo):
        return []
    return [f"{' and '.join(named)}: for stacks, without effect on single pictures"]


def _parts(todo: list[Pair], options: argparse.Namespace) -> Iterator[list[Pair]]:
    """Yield pictures in parts of the batch size, and each stack alone, in their order."""
    from torchdenoise.commands.stacks import is_stack

    waiting: list[Pair] = []
    for pair in todo:
        alone = options.batch == 1 or is_stack(pair[0], options.axes)
        if waiting and (alone or len(waiting) == options.batch):
            yield waiting
            waiting = []
        if alone:
            yield [pair]
        else:
            waiting.append(pair)
    if waiting:
        yield waiting
