"""MkDocs hook: the files outside ``docs/`` to which pages link become pages too, so that no link leaves the site."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
IN_THE_MENU = [ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
LINK = re.compile(r"(?<=\]\()(?![a-z]+:)[^)\s#]+")


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
            files.append(File.generated(config, _uri(path), content=_content(path)))
        if path.suffix == ".md":
            waiting += [target for target in _targets(path) if not target.is_relative_to(DOCS)]
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Point the links of a page to the pages of the site."""
    path = next((path for path in (DOCS / page.file.src_uri, ROOT / page.file.src_uri) if path.exists()), None)
    if path is None:  # the text of a source file
        return markdown
    folder = Path(page.file.src_uri).parent
    return LINK.sub(lambda link: Path(os.path.relpath(_uri(_target(path, link[0])), folder)).as_posix(), markdown)


def _targets(path: Path) -> Iterator[Path]:
    for link in LINK.findall(path.read_text()):
        yield _target(path, link)


def _target(path: Path, link: str) -> Path:
    target = (path.parent / link).resolve()
    return target / "README.md" if target.is_dir() else target


def _uri(path: Path) -> str:
    """Return the place of a file in the site's sources."""
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    uri = path.relative_to(ROOT)
    return uri.as_posix() if path.suffix == ".md" else f"source/{uri.with_suffix('.md').as_posix()}"


def _content(path: Path) -> str:
    """Return a page with the text of a file."""
    text = path.read_text()
    if path.suffix == ".md":
        return text
    name = path.relative_to(ROOT).as_posix()
    return f"---\nsearch:\n  exclude: true\n---\n# `{name}`\n\n````{path.suffix.lstrip('.')}\n{text}````\n"
