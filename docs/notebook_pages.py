"""The pages of executed notebooks: Markdown as it is, code, and what the code printed and drew."""

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

import nbformat
from nbformat import NotebookNode

COVER = "cover"
"""The tag of the cell whose picture stands in the gallery."""


def files(name: str, notebook: NotebookNode, with_links: Callable[[str], str]) -> Iterator[tuple[str, str | bytes]]:
    """Yield the files of a notebook's page, as names from ``NAME.md`` and contents.

    Args:
        name: where the page stands, without suffix, as ``notebooks/first``.
        notebook: with outputs.
        with_links: points the links of Markdown to the pages of the site.
    """
    here = PurePosixPath(name).name
    text = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            text.append(with_links(cell.source))
            continue
        text.append(_block("bash" if cell.source.startswith("%%bash") else "python", cell.source))
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                picture = base64.b64decode(output.data["image/png"])
                text.append(f"![What the code above draws]({here}/{number}.png)")
                yield f"{name}/{number}.png", picture
                if COVER in cell.metadata.get("tags", []):
                    yield cover(name), picture
            else:
                text.append(_block("{ .text .output .no-copy }", printed(output)))
    download = f'[Download this notebook]({here}.ipynb){{ download="" }}'
    yield f"{name}.md", "\n\n".join([text[0], download, *text[1:]]) + "\n"
    yield f"{name}.ipynb", nbformat.writes(notebook)


def cover(name: str) -> str:
    """Return the name of a notebook's picture in the gallery."""
    return f"{name}/cover.png"


def printed(output: NotebookNode) -> str:
    """Return the text of an output."""
    return output.text if output.output_type == "stream" else output.data["text/plain"]


def _block(language: str, text: str) -> str:
    fence = "`" * max(3, *(len(ticks) + 1 for ticks in re.findall("`+", text)), 0)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
