"""``torchdenoise export``: write a trained network as a file for other programs."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from torchdenoise.commands.arguments import Parser
from torchdenoise.commands.new_files import check_new_file, new_file_errors
from torchdenoise.errors import CheckpointError, UserError
from torchdenoise.extras import EXPORTED, bioimage_checks, onnx_runtime
from torchdenoise.paths import SHIPPED, is_picture, shown
from torchdenoise.recipes import AUTO, recipe_names

EXAMPLES = """\
  torchdenoise export torchdenoise:colour -o colour.onnx             weights that come with the package
  torchdenoise export runs/version_0/checkpoints/last.ckpt -o denoiser.onnx
  torchdenoise export last.ckpt -o denoiser.pt2                      for torch.export.load
  torchdenoise export last.ckpt -o denoiser.zip                      a package for bioimage.io
  torchdenoise export fast.ckpt -o net.onnx --network-only           without what else the method does
  torchdenoise --import my_net export last.ckpt -o mine.onnx         a network of ./my_net.py

The file takes images (B, C, H, W) of any number and size, values in 0..1. Right after writing, its results are compared
with torch's on five sizes; a file that fails is not kept."""


def parser() -> Parser:
    """Return the parser of the command's options."""
    options = Parser("torchdenoise export", "Write a trained network as a file for other programs.", EXAMPLES)
    options.add_argument(
        "checkpoint",
        type=Path,
        metavar="CKPT",
        help="a checkpoint, a safetensors file, or weights in the package: torchdenoise:grey, torchdenoise:colour",
    )
    options.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="ends in .onnx, .pt2 or .zip")
    options.add_argument(
        "--format",
        choices=tuple(EXPORTED.values()),
        help="onnx (extra [onnx]), pt2 of torch.export, or bioimage, a package for bioimage.io (extra [bioimage]); "
        "default: by the name's ending",
    )
    options.add_argument(
        "--network-only",
        action="store_true",
        help="export the network alone where its method does more, which no file can hold",
    )
    options.add_argument("--overwrite", action="store_true", help="replace a file that exists already")
    return options


def run(words: Sequence[str]) -> int:
    """Export what the words after ``export`` name, and return the exit code."""
    options = parser().parse_args(words[1:])
    form = _format(options)
    file: Path = options.output
    _check_input(options.checkpoint)
    check_new_file(file, options.overwrite)
    _check_extra(form)
    from torchdenoise.denoisers import export

    with new_file_errors(file):
        exported = export(options.checkpoint, file, form, options.network_only)
    print(f"in the file: {exported.content}")
    print(f"checked by {exported.checker} on five sizes: largest difference from torch {exported.difference:.2g}")
    print(f"written: {shown(file)} ({exported.form}, {file.stat().st_size / 1e6:.2f} MB)")
    return 0


def _check_input(path: Path) -> None:
    """Refuse early what holds no trained network."""
    if str(path).startswith(SHIPPED):
        return
    if path.is_file() and not is_picture(path):
        return
    if str(path) in (AUTO, *recipe_names()):
        problem = (
            "a recipe cannot be exported: what it does beside a trained network, such as averaging similar patches, "
            "needs the noisy picture"
        )
    else:
        problem = "is a picture" if path.is_file() else "no such file"
    raise CheckpointError(
        f"{shown(path)}: {problem}; give a checkpoint of `torchdenoise fit`, a safetensors file, or weights in the "
        f"package, {SHIPPED}grey or {SHIPPED}colour"
    )


def _format(options: argparse.Namespace) -> str:
    """Return the format that the options name, or else the name of the file."""
    form = options.format or EXPORTED.get(options.output.suffix.lower())
    if form is None:
        raise UserError(f"{shown(options.output)}: the name must end in {', '.join(EXPORTED)}, or add --format")
    return str(form)


def _check_extra(form: str) -> None:
    """Report missing packages before the slow imports."""
    if form != "pt2":
        onnx_runtime()
    if form == "bioimage":
        bioimage_checks()
