"""``torchdenoise cite``: BibTeX of the papers that recipes are made of, and of this package."""

import re
from collections.abc import Sequence
from typing import Any

import torchdenoise
from torchdenoise.commands.arguments import Parser
from torchdenoise.recipes import load_recipe
from torchdenoise.recipes.citations import Reference, foreign_classes, named_classes, references

EXAMPLES = """\
  torchdenoise cite zsn2n
  torchdenoise cite fast bm3d > references.bib      each entry once
  torchdenoise cite mine.yaml                       your own recipe"""


def parser() -> Parser:
    """Return the parser of the command's options."""
    options = Parser(
        "torchdenoise cite",
        "Print BibTeX of the papers that the method and the parts of recipes come from, and of this package.",
        EXAMPLES,
    )
    options.add_argument("recipes", nargs="+", metavar="RECIPE", help="name or YAML file")
    return options


def run(words: Sequence[str]) -> int:
    """Print the references of the recipes that the words after ``cite`` name, and return the exit code."""
    options = parser().parse_args(words[1:])
    recipes = {name: load_recipe(name) for name in options.recipes}
    print("\n".join(_entries(recipes)), end="")
    return 0


def _entries(recipes: dict[str, dict[str, Any]]) -> list[str]:
    """Return the entries, each below comments that say which recipe uses it for which classes."""
    uses: dict[Reference, dict[str, list[str]]] = {}
    for name, recipe in recipes.items():
        for used in named_classes(recipe):
            for reference in references():
                if used in reference.classes:
                    uses.setdefault(reference, {}).setdefault(name, []).append(used)
    entries = [
        "".join(_comment(f"{name}: {', '.join(classes)}") for name, classes in by_recipe.items()) + reference.text
        for reference, by_recipe in uses.items()
    ]
    package = references()[-1]
    comment = _comment("the program, in the version that is installed here")
    entries.append(comment + package.text.replace("VERSION", torchdenoise.__version__))
    for name, recipe in recipes.items():
        entries += [_comment(f"{name}: {path} is not of this package") for path in foreign_classes(recipe)]
    return entries


def _comment(text: str) -> str:
    """Return a line that BibTeX skips: it begins an entry at each ``@``, which names of files may hold."""
    return f"% {re.sub(r'[^ -?A-~]', '_', text)}\n"
