"""README and docs: links lead somewhere, Python blocks run, and documented options exist."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from torchdenoise import denoise, recipes
from torchdenoise.commands import compare as compare_command
from torchdenoise.commands import denoise as denoise_command

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [path for pattern in ("*.md", "docs/**/*.md") for path in sorted(ROOT.glob(pattern))]
PARSERS = {"denoise": denoise_command.parser, "compare": compare_command.parser}


def blocks(language):
    """Return the README's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)


def commands():
    """Return the README's terminal commands, without comments and line breaks, as lists of words."""
    lines = "\n".join(blocks("")).replace("\\\n", "").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.startswith("torchdenoise ")]


def anchors(page):
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_readme_is_short():
    assert len(README.read_text().splitlines()) < 150


def test_python_blocks_of_the_readme_run():
    first, own_loss = blocks("python")
    names = {}
    exec(first.replace("denoise(noisy)", "denoise(noisy, max_steps=1)"), names)
    assert names["clean"].shape == names["noisy"].shape
    exec(own_loss, names)
    noisy = np.zeros((8, 8))
    assert denoise(noisy, "zsn2n", loss=names["MyLoss"](weight=2.0), max_steps=1).shape == noisy.shape


@pytest.mark.parametrize("words", commands(), ids=lambda words: " ".join(words[:4]))
def test_documented_options_exist(words):
    words = words[3:] if words[1] == "--import" else words[1:]
    if words[0] in PARSERS:
        PARSERS[words[0]]().parse_args(words[1:])


@pytest.mark.parametrize("name", recipes.recipe_names())
def test_every_recipe_has_one_short_line(name):
    line = recipes.describe(name)
    assert line.endswith(".")
    assert len(f"# {line}") <= 110
