"""Executed notebooks, kept in ``build/notebooks``: the tests execute them, and the pages show those outputs.

A copy is fresh while the notebook, the package's files and the versions of all other packages are the same.
"""

import hashlib
import logging
import os
import sys
import tempfile
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "build/notebooks"
SECONDS_OF_A_CELL = 600

log = logging.getLogger("mkdocs.notebooks")


def executed(path: Path) -> NotebookNode:
    """Return a notebook with its outputs, executed only if there is no fresh copy."""
    kept = KEPT / path.name
    if kept.exists():
        notebook = nbformat.read(kept, as_version=4)
        if notebook.metadata.executed == _digest(path):
            return notebook
    log.info("Executing %s", path.name)
    with tempfile.TemporaryDirectory() as folder:
        return execute(path, Path(folder))


def execute(path: Path, folder: Path) -> NotebookNode:
    """Execute a notebook in a kernel of its own, keep the copy, and return it.

    Args:
        path: of the notebook.
        folder: the working folder.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised an error.
    """
    digest = _digest(path)
    notebook = nbformat.read(path, as_version=4)
    scripts = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    where = {"metadata": {"path": str(folder)}}
    client = NotebookClient(
        notebook, timeout=SECONDS_OF_A_CELL, kernel_name="python3", resources=where, coalesce_streams=True
    )
    client.execute(env=os.environ | {"PATH": scripts})
    notebook.metadata.executed = digest
    KEPT.mkdir(parents=True, exist_ok=True)
    part = KEPT / f"{path.name}.part"
    nbformat.write(notebook, part)
    part.replace(KEPT / path.name)
    return notebook


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes() + _surroundings()).hexdigest()


@cache
def _surroundings() -> bytes:
    """Return a digest of all that outputs depend on beside the notebook: once, also for `mkdocs serve`."""
    digest = hashlib.sha256()
    for file in sorted((ROOT / "torchdenoise").rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    versions = (f"{each.name} {each.version}" for each in distributions() if each.name != "torchdenoise")
    digest.update("\n".join(sorted(versions)).encode())
    return digest.digest()
