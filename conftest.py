"""Names that the examples in docstrings take for granted."""

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _example_names(doctest_namespace: dict[str, Any]) -> None:
    import numpy
    import torch

    import torchdenoise

    torch.manual_seed(0)
    doctest_namespace |= {"np": numpy, "torch": torch}
    doctest_namespace |= {name: getattr(torchdenoise, name) for name in torchdenoise.__all__}
