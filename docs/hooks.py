"""MkDocs hook: the files outside ``docs/`` to which pages link become pages too, so that no link leaves the site."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import notebook_pages
from executed import executed
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
IN_THE_MENU = [ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
LINK = re.compile(r"(?<=\]\()(?![a-z]+:)[^)\s#]+")
CARD = re.compile(r"^-   \[(.+)\]\((\S+\.ipynb)\)$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each file outside ``docs/`` that a page links to."""
    waiting = [*IN_THE_MENU, *(DOCS / file.src_uri for file in files.documentation_pages())]
    known: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in known:
            continue
        known.add(path)
        if not path.is_relative_to(DOCS):
            for uri, content in _contents(path):
                files.append(File.generated(config, uri, content=content))
        waiting += [target for target in _targets(path) if not target.is_relative_to(DOCS)]
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Point the links of a page to the pages of the site, and show the pictures of the notebooks in the gallery."""
    path = next((path for path in (DOCS / page.file.src_uri, ROOT / page.file.src_uri) if path.exists()), None)
    if path is None:  # a notebook, or the text of a source file
        return markdown
    return _with_links(CARD.sub(lambda card: _card(path, *card.groups()), markdown), path)


def _card(page: Path, title: str, notebook: str) -> str:
    """Return a card of the gallery with the notebook's picture."""
    name = Path(_uri(_target(page, notebook))).with_suffix("").as_posix()
    return f"-   [![]({notebook_pages.cover(name)})**{title}**]({notebook})"


def _with_links(markdown: str, path: Path) -> str:
    """Return the Markdown of a file with links to the pages of the site."""
    folder = Path(_uri(path)).parent
    return LINK.sub(lambda link: Path(os.path.relpath(_uri(_target(path, link[0])), folder)).as_posix(), markdown)


def _targets(path: Path) -> Iterator[Path]:
    for link in LINK.findall(_markdown(path)):
        yield _target(path, link)


def _markdown(path: Path) -> str:
    """Return the Markdown text of a file."""
    if path.suffix == ".ipynb":
        return "\n".join(cell.source for cell in executed(path).cells if cell.cell_type == "markdown")
    return path.read_text() if path.suffix == ".md" else ""


def _target(path: Path, link: str) -> Path:
    target = (path.parent / link).resolve()
    return target / "README.md" if target.is_dir() else target


def _uri(path: Path) -> str:
    """Return the place of a file in the site's sources."""
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    uri = path.relative_to(ROOT)
    if path.suffix == ".md":
        return uri.as_posix()
    return (uri if path.suffix == ".ipynb" else "source" / uri).with_suffix(".md").as_posix()


def _contents(path: Path) -> Iterator[tuple[str, str | bytes]]:
    """Yield the files of the site's sources that a file outside ``docs/`` becomes, and their contents."""
    uri = _uri(path)
    if path.suffix == ".ipynb":
        name = Path(uri).with_suffix("").as_posix()
        yield from notebook_pages.files(name, executed(path), lambda text: _with_links(text, path))
    elif path.suffix == ".md":
        yield uri, path.read_text()
    else:
        name = path.relative_to(ROOT).as_posix()
        front = "---\nsearch:\n  exclude: true\n---\n"
        yield uri, f"{front}# `{name}`\n\n````{path.suffix.lstrip('.')}\n{path.read_text()}````\n"
