"""The notebooks run, and the pages of the documentation show their outputs."""

import base64
import re
from pathlib import Path

import executed
import nbformat
import notebook_pages
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PICTURE = b"a picture"


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def test_the_gallery_and_the_menu_name_every_notebook():
    names = {path.stem for path in NOTEBOOKS}
    assert len(names) == 9
    assert set(re.findall(r"notebooks/(\w+)\.ipynb", (ROOT / "docs/gallery.md").read_text())) == names
    assert set(re.findall(r"notebooks/(\w+)\.md", (ROOT / "mkdocs.yml").read_text())) == names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_stored_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code_cells(notebook))
    assert [cell.metadata.get("tags") for cell in code_cells(notebook) if cell.metadata] == [[notebook_pages.COVER]]
    assert notebook.cells[0].source.startswith("# ")
    assert "## Next" in notebook.cells[-1].source


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_without_warnings(path, tmp_path):
    notebook = executed.execute(path, tmp_path)  # raises on errors, and keeps the outputs for the documentation
    assert [output for output in outputs(notebook) if output.get("name") == "stderr"] == []
    assert not any("\x1b" in notebook_pages.printed(output) for output in outputs(notebook) if "data" not in output)
    assert list(tmp_path.iterdir()) == []
    names = [name for name, _ in notebook_pages.files("x", notebook, str)]
    assert notebook_pages.cover("x") in names


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Return the path of a small notebook, whose executed copy goes to a folder of the test."""
    monkeypatch.setattr(executed, "KEPT", tmp_path / "kept")
    path = tmp_path / "small.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("print(6 * 7)")]), path)
    return path


def test_a_notebook_is_executed_again_only_if_it_has_changed(notebook, monkeypatch):
    def fail(*_):
        raise RuntimeError("executed again")

    assert outputs(executed.executed(notebook))[0].text == "42\n"
    monkeypatch.setattr(executed, "execute", fail)
    assert outputs(executed.executed(notebook))[0].text == "42\n"
    monkeypatch.setattr(executed, "_surroundings", lambda: b"another version of the package")
    with pytest.raises(RuntimeError, match="executed again"):
        executed.executed(notebook)


def test_the_page_of_a_notebook():
    drawn = new_output("display_data", {"image/png": base64.b64encode(PICTURE).decode(), "text/plain": "<Figure>"})
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# Title"),
            new_markdown_cell("[a page](../docs/page.md)"),
            new_code_cell("print('```')", outputs=[new_output("stream", text="```\n")]),
            new_code_cell("draw[0](1)", outputs=[drawn], metadata={"tags": ["cover"]}),
            new_code_cell("%%bash\nls"),
            new_code_cell("7", outputs=[new_output("execute_result", {"text/plain": "7"})]),
        ]
    )
    files = dict(notebook_pages.files("notebooks/first", notebook, lambda text: text.replace("../docs", "..")))
    assert files.pop("notebooks/first.md").split("\n\n") == [
        "# Title",
        '[Download this notebook](first.ipynb){ download="" }',
        "[a page](../page.md)",
        "````python\nprint('```')\n````",
        "````{ .text .output .no-copy }\n```\n````",
        "```python\ndraw[0](1)\n```",
        "![What the code above draws](first/3.png)",
        "```bash\n%%bash\nls\n```",
        "```python\n7\n```",
        "```{ .text .output .no-copy }\n7\n```\n",
    ]
    assert nbformat.reads(files.pop("notebooks/first.ipynb"), as_version=4) == notebook
    assert files == {"notebooks/first/3.png": PICTURE, "notebooks/first/cover.png": PICTURE}
