"""``torchdenoise list``: recipes and classes by name, with one line and the source of each."""

import json
import shutil
import sys
from collections.abc import Iterator, Sequence

from torchdenoise.commands.arguments import Parser
from torchdenoise.errors import UserError
from torchdenoise.recipes import AUTO, describe, learns_from, recipe_names

CHOICE = "The default: pretrained-fast, or fast where its network cannot be relied on; it says which, and why."
LEARNT_FROM = "pretrained weights, or one picture"
KINDS = (
    "recipes",
    "denoisers",
    "losses",
    "networks",
    "downsamplers",
    "readouts",
    "domains",
    "noise",
    "data",
    "formats",
    "metrics",
)
KINDS_HELP = f"one of {', '.join(KINDS)}; methods are denoisers"

EXAMPLES = """\
  torchdenoise list
  torchdenoise list recipes
  torchdenoise list losses zs        names that contain zs
  torchdenoise list networks '*CNN'
  torchdenoise list recipes --json   kind, name, line and learnt_from of each; source in place of it for classes"""

Row = tuple[str, str, str, str]
"""Kind, name, one line, source; for a recipe, what its result is learnt from."""


def parser() -> Parser:
    """Return the parser of the command's options."""
    options = Parser("torchdenoise list", "Show recipes and classes: name, one line, source.", EXAMPLES)
    options.add_argument("kind", nargs="?", type=_kind, choices=KINDS, metavar="KIND", help=KINDS_HELP)
    options.add_argument("pattern", nargs="?", default="", metavar="PATTERN", help="part of a name, or with * and ?")
    options.add_argument("--json", action="store_true", help="print the rows as JSON")
    return options


def run(words: Sequence[str]) -> int:
    """Print the rows that the words after ``list`` ask for, and return the exit code."""
    options = parser().parse_args(words[1:])
    rows = [row for kind in ([options.kind] if options.kind else KINDS) for row in _rows(kind, options.pattern)]
    if not rows:
        raise UserError(f"{options.pattern}: no such name; `torchdenoise list` shows all")
    if options.json:
        print(json.dumps([_as_dict(*row) for row in rows], indent=1))
    elif sys.stdout.isatty():
        _show(rows)
    else:
        for kind, name, line, source in rows:
            print("\t".join([name, line, source] if options.kind else [kind, name, line, source]))
    return 0


def _kind(word: str) -> str:
    return "denoisers" if word == "methods" else word


def _rows(kind: str, pattern: str) -> Iterator[Row]:
    if kind == "recipes":
        for name in _matching([AUTO, *recipe_names()], pattern):
            yield (kind, name, *((CHOICE, LEARNT_FROM) if name == AUTO else (describe(name), learns_from(name))))
        return
    from torchdenoise import data, denoisers, metrics, noise
    from torchdenoise.registry import Registered, entries, load_plugins, one_line

    load_plugins()
    bases: dict[str, type[Registered]] = {
        base.kind: base
        for base in (
            denoisers.Denoiser,
            denoisers.DenoisingLoss,
            denoisers.Network,
            denoisers.Downsampler,
            denoisers.Domain,
            denoisers.Readout,
            noise.NoiseModel,
            data.DenoisingData,
            data.PictureFormat,
            metrics.Metric,
        )
    }
    table = entries(bases[kind])
    for name in _matching(list(table), pattern):
        yield kind, name, one_line(table[name]), table[name].source


def _as_dict(kind: str, name: str, line: str, source: str) -> dict[str, str]:
    return {"kind": kind, "name": name, "line": line, "learnt_from" if kind == "recipes" else "source": source}


def _matching(names: list[str], pattern: str) -> list[str]:
    from torchdenoise.registry import matching

    return matching(names, pattern) if pattern else names


def _show(rows: list[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for kind in dict.fromkeys(row[0] for row in rows):
        shown = Table(
            "name",
            "what it is",
            "learnt from" if kind == "recipes" else "source",
            title=kind,
            title_justify="left",
            box=None,
            pad_edge=False,
        )
        for _, name, line, source in (row for row in rows if row[0] == kind):
            shown.add_row(name, line, source)
        console.print(shown, width=min(shutil.get_terminal_size().columns, 140))
        console.print()
