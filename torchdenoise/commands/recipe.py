"""``torchdenoise recipe``: copy a recipe to a file of your own, check one, print one."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from torchdenoise.commands.arguments import Parser
from torchdenoise.commands.new_files import check_new_file, new_file_errors
from torchdenoise.errors import UserError, printable
from torchdenoise.partial_files import completed
from torchdenoise.paths import shown
from torchdenoise.recipes import load_recipe
from torchdenoise.recipes.files import SUFFIXES, shipped_recipe_path

EXAMPLES = """\
  torchdenoise recipe cp fast mine.yaml        a file of your own, to change
  torchdenoise recipe check mine.yaml          builds what it names, without a fit
  torchdenoise recipe show zsn2n
  torchdenoise denoise noisy.png --recipe mine.yaml
  torchdenoise --import my_loss recipe check mine.yaml       with a class of ./my_loss.py"""


def parser() -> Parser:
    """Return the parser of the command's options."""
    options = Parser("torchdenoise recipe", "Copy, check or print recipes.", EXAMPLES)
    actions = options.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, what: str) -> Parser:
        return actions.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.", examples=EXAMPLES)

    copy = action("cp", "copy a recipe that comes with the package to a file of your own")
    copy.add_argument("recipe", metavar="NAME", help="as `torchdenoise list recipes` shows it")
    copy.add_argument("file", type=Path, metavar="FILE", help="a new file, which ends in .yaml")
    copy.add_argument("--overwrite", action="store_true", help="replace a file that exists already")
    check = action("check", "build what recipe files name, without a fit, and say what is wrong (exit code 2)")
    check.add_argument("recipes", nargs="+", metavar="FILE", help="a YAML file, or the name of a recipe")
    show = action("show", "print the YAML of a recipe that comes with the package")
    show.add_argument("recipe", metavar="NAME", help="as `torchdenoise list recipes` shows it")
    return options


def run(words: Sequence[str]) -> int:
    """Do what the words after ``recipe`` say, and return the exit code."""
    options = parser().parse_args(words[1:])
    if options.action == "check":
        return _check(options.recipes)
    text = shipped_recipe_path(options.recipe).read_text(encoding="utf-8")
    if options.action == "show":
        print(text, end="")
    else:
        _copy(text, options)
    return 0


def _copy(text: str, options: argparse.Namespace) -> None:
    file: Path = options.file
    if file.suffix not in SUFFIXES:
        raise UserError(f"{shown(file)}: the name of a recipe file must end in .yaml")
    check_new_file(file, options.overwrite)
    with new_file_errors(file), completed(file) as partial:
        partial.write_text(text, encoding="utf-8")
    print(f"written: {shown(file)}")


def _check(names: Sequence[str]) -> int:
    """Print one line about each recipe, and return 2 if one of them cannot be built."""
    code = 0
    for name in names:
        try:
            print(f"{shown(Path(name))}: all right: {_built(name)}")
        except UserError as error:
            print(printable(f"torchdenoise: {error}"), file=sys.stderr)
            code = 2
    return code


def _built(name: str) -> str:
    recipe = load_recipe(name)
    from torchdenoise.recipes.checking import built_parts

    try:
        return built_parts(recipe)
    except UserError as error:
        raise type(error)(f"{name}: {error}") from error
