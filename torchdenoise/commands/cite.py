"""``torchdenoise cite``: BibTeX of the papers that recipes are made of, and of this package."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torchdenoise
from torchdenoise.commands.arguments import Parser
from torchdenoise.recipes import AUTO, load_recipe
from torchdenoise.recipes.citations import Reference, foreign_classes, named_classes, references

EXAMPLES = """\
  torchdenoise cite zsn2n
  torchdenoise cite fast bm3d > references.bib      each entry once
  torchdenoise cite mine.yaml                       your own recipe
  torchdenoise cite auto                            each of the recipes that the default may take
  torchdenoise cite 'zsn2*,wide=zsn2n:model.network=N2NUNet,n2n=last.ckpt'       what `compare --recipes` takes"""

Cited = tuple[str, Mapping[str, Any]]
"""A name for comments, and a recipe, or as much of one as has its model."""


def parser() -> Parser:
    """Return the parser of the command's options."""
    options = Parser(
        "torchdenoise cite",
        "Print BibTeX of the papers that the method and the parts of recipes come from, and of this package.",
        EXAMPLES,
    )
    options.add_argument(
        "recipes", nargs="+", metavar="RECIPE", help="name or YAML file, or a list as `compare --recipes` takes it"
    )
    return options


def run(words: Sequence[str]) -> int:
    """Print the references of the recipes that the words after ``cite`` name, and return the exit code."""
    options = parser().parse_args(words[1:])
    print("\n".join(_entries([cited for word in options.recipes for cited in _named(word)])), end="")
    return 0


def _named(word: str) -> Iterator[Cited]:
    """Yield the recipes that a word names: one, or those of a list as ``compare`` takes it."""
    if word != AUTO and (Path(word).is_file() or not set("=,*?[") & set(word)):
        yield word, load_recipe(word)  # without the slow imports
        return
    from torchdenoise.benchmarking.methods import methods
    from torchdenoise.denoisers.checkpoints import KEY, read_checkpoint
    from torchdenoise.recipes.building import overridden

    for method in methods(word):
        if method.checkpoint is not None:
            yield method.name, {"model": read_checkpoint(method.checkpoint)[KEY]["recipe"]}
        if method.recipe is not None:
            for chosen, recipe in method.recipe.get(AUTO, {"": method.recipe}).items():
                name = f"{method.name}, if it takes {chosen}" if chosen else method.name
                yield name, overridden(recipe, method.overrides) if method.overrides else recipe


def _entries(recipes: Sequence[Cited]) -> list[str]:
    """Return the entries, each below comments that say which recipe uses it for which classes."""
    uses: dict[Reference, dict[str, dict[str, None]]] = {}
    for name, recipe in recipes:
        for used in named_classes(recipe):
            for reference in references():
                if used in reference.classes:
                    uses.setdefault(reference, {}).setdefault(name, {})[used] = None
    entries = [
        "".join(_comment(f"{name}: {', '.join(classes)}") for name, classes in by_recipe.items()) + reference.text
        for reference, by_recipe in uses.items()
    ]
    package = references()[-1]
    comment = _comment("the program, in the version that is installed here")
    entries.append(comment + package.text.replace("VERSION", torchdenoise.__version__))
    for name, recipe in recipes:
        entries += [_comment(f"{name}: {path} is not of this package") for path in foreign_classes(recipe)]
    return entries


def _comment(text: str) -> str:
    """Return a line that BibTeX skips: it begins an entry at each ``@``, which names of files may hold."""
    return f"% {re.sub(r'[^ -?A-~]', '_', text)}\n"
