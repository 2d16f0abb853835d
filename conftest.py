"""One thread for tiny pictures, and the names that the examples in docstrings take for granted."""

import gc
import importlib.util
import os
from collections.abc import Iterator
from typing import Any

import pytest

# Two threads that wait for each other cost more than they save on 16 pixels; before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if importlib.util.find_spec("napari") is None:
    collect_ignore_glob = ["torchdenoise/napari/*_widget.py"]


@pytest.fixture(autouse=True)
def _example_names(doctest_namespace: dict[str, Any], request: pytest.FixtureRequest) -> Iterator[None]:
    import numpy
    import torch

    import torchdenoise

    torch.manual_seed(0)
    doctest_namespace |= {"np": numpy, "torch": torch}
    doctest_namespace |= {name: getattr(torchdenoise, name) for name in torchdenoise.__all__}
    yield
    examples = request.node.dtest.examples if isinstance(request.node, pytest.DoctestItem) else []
    if any(example.source.startswith("class ") for example in examples):
        gc.collect()  # the registry knows a class as long as it lives
