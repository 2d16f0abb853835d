"""README and docs: links lead somewhere, Python blocks run, and documented commands are understood."""

import gc
import importlib
import re
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import needs_onnx, noisy_scene, scene, write_png

import torchdenoise
from torchdenoise import denoise, recipes
from torchdenoise.commands import COMMANDS, EXPERIMENTS

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [path for pattern in ("*.md", "docs/**/*.md") for path in sorted(ROOT.glob(pattern))]
DOCS = [page for page in PAGES if page.parent != ROOT]
PARSERS = {name: importlib.import_module(module).parser for name, module in COMMANDS.items() if module != EXPERIMENTS}
PAIRS = "n2n-light --data.train clean/ --data.crop 8 --data.batch_size 2 --model.loss pair"
CHECKPOINT = Path("runs/version_0/checkpoints/last.ckpt")


def relative(page):
    return str(page.relative_to(ROOT))


def blocks(page, language):
    """Return a page's code blocks in a language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


def commands(page):
    """Return a page's terminal commands, without comments and line breaks, as lists of words."""
    text = "".join([*blocks(page, ""), *blocks(page, "bash")])
    lines = [line.removeprefix("srun ").strip() for line in text.replace("\\\n", "").splitlines()]
    lines += re.findall(r"^    (torchdenoise .*)$", page.read_text(), re.MULTILINE)
    lines += re.findall(r"`(torchdenoise \w+ [^`]*)`", page.read_text())
    words = [shlex.split(line, comments=True) for line in lines if line.startswith("torchdenoise ")]
    return [each for each in words if not {"NAME", "COMMAND", "..."} & set(each)]


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
        from_docstring = anchor.startswith("torchdenoise.")  # `make docs` checks these
        assert not anchor or from_docstring or anchor in anchors(target), link


def test_readme_is_short():
    assert len(README.read_text().splitlines()) < 150


def test_python_blocks_of_the_readme_run():
    first, own_loss = blocks(README, "python")
    names = {}
    exec(first.replace("denoise(noisy)", "denoise(noisy, max_steps=1)"), names)
    assert names["clean"].shape == names["noisy"].shape
    exec(own_loss, names)
    noisy = np.zeros((8, 8))
    assert denoise(noisy, "zsn2n", loss=names["MyLoss"](weight=2.0), max_steps=1).shape == noisy.shape
    names.clear()
    gc.collect()  # the registry forgets this MyLoss: other tests have one, too


def short_denoise(noisy, recipe=None, **options):
    """Call ``denoise`` with one step, if there is anything to fit."""
    return denoise(noisy, recipe, **({} if "checkpoint" in options else {"max_steps": 1}) | options)


@pytest.fixture
def desk(run, tmp_path, monkeypatch):
    """Return ``run`` in a folder with the pictures, the checkpoint and the module that pages take for granted."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(torchdenoise, "denoise", short_denoise)
    for name, picture in (("noisy.png", noisy_scene), ("clean/a.png", scene), ("clean/b.png", scene)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_png(tmp_path / name, picture())
    CHECKPOINT.parent.mkdir(parents=True)
    for copy in (CHECKPOINT, "last.ckpt"):
        shutil.copy(ROOT / "tests/checkpoints/zsn2n.ckpt", copy)
    Path("my_loss.py").write_text(with_own_names(blocks(README, "python")[1]))
    yield run
    imported = [path.stem for path in tmp_path.glob("*.py") if path.stem in sys.modules]
    for name in imported:
        vars(sys.modules.pop(name)).clear()
    if imported:
        gc.collect()  # the registry forgets classes that nobody holds


def with_extras(page):
    """Return a page as a parameter of a test, which is skipped without the packages that the page uses."""
    return pytest.param(page, id=relative(page), marks=[needs_onnx] if page.name == "export.md" else [])


@pytest.mark.parametrize("page", [with_extras(page) for page in DOCS if blocks(page, "python")])
def test_python_blocks_of_the_docs_run(page, desk):
    names = {"noisy": noisy_scene(channels=1)[..., 0], "image": torch.rand(1, 3, 96, 96)}
    for text in blocks(page, "python"):
        text = re.sub(r"max_steps=\d+", "max_steps=1", text)
        own = re.match(r"# (\w+)\.py\n", text)
        if own:
            Path(f"{own[1]}.py").write_text(text)
            names |= vars(importlib.import_module(own[1]))
        else:
            exec(text, names)
    if "clean" in names:
        assert names["clean"].shape == names["noisy"].shape


@pytest.mark.parametrize("words", ["zsn2n --data.path noisy.png --model.loss absolute",
                                   "zsn2n --data.path noisy.png --model.loss random-pair", PAIRS])  # fmt: skip
def test_the_losses_of_the_page_about_own_parts_are_trained(desk, words):
    Path("my_parts.py").write_text(blocks(ROOT / "docs/extend.md", "python")[0])
    rest = "--model.network two-layers --trainer.max_steps 2 --trainer.accelerator cpu"
    outcome = desk("--import", "my_parts", "fit", "--config", *f"{words} {rest}".split())
    assert outcome.code == 0, outcome.err
    assert "fitted:     2 steps" in outcome.out


@pytest.mark.parametrize("page", [page for page in [README, *DOCS] if commands(page)], ids=relative)
def test_documented_commands_are_understood(page, desk):
    for text in blocks(page, "python"):
        own = re.match(r"# (\w+\.py)\n", text)
        if own:
            Path(own[1]).write_text(with_own_names(text))
    for words in commands(page):
        known = [with_own_names(word).replace("version_N", "version_0") for word in words[1:]]
        assert words_are_understood(known, desk), words


def with_own_names(text):
    """Return a text with a name for ``MyLoss`` that no class of another test has: two of one name are ambiguous."""
    return text.replace("MyLoss", "LossOfThePages")


def words_are_understood(words, run):
    words = words[: words.index(">")] if ">" in words else words
    command, *options = words[2:] if words[0] == "--import" else words
    if command in PARSERS and command != "list":
        chosen = PARSERS[command]().parse_args(options)
        return getattr(chosen, "recipe", None) in (None, "mine.yaml", *recipes.recipe_names())
    if command == "list":
        return run(*words).code == 0
    outcome = run(*words[: len(words) - len(options)], *options, "--print_config")
    return outcome.code == 0


@pytest.mark.parametrize("name", recipes.recipe_names())
def test_every_recipe_has_one_short_line(name):
    line = recipes.describe(name)
    assert line.endswith(".")
    assert len(f"# {line}") <= 110
