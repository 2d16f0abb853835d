"""Which recipes suit a noise."""

from dataclasses import replace

import pytest
import torch

from torchdenoise.inspection import inspect_noise, suitable_recipes
from torchdenoise.noise import Assumption


@pytest.mark.parametrize(
    ("broken", "suits", "does_not"),
    [
        ((), {"fast", "zsn2n", "bm3d", "mash", "anscombe-bm3d"}, set()),
        ((Assumption.INDEPENDENT,), {"fast", "best", "mash", "dip"}, {"zsn2n", "bm3d", "n2v-single", "noise2fast"}),
        ((Assumption.UNIFORM,), {"fast", "zsn2n", "anscombe-bm3d"}, {"bm3d", "nl-ridge", "tv", "wavelet"}),
        ((Assumption.MEASURED,), {"mash", "zsn2n"}, {"fast", "instant", "best"}),
    ],
)
def test_recipes_by_assumption(broken, suits, does_not):
    inspection = replace(inspect_noise(torch.rand(1, 1, 8, 8)), broken=frozenset(broken))
    found = {each.recipe: each.broken for each in suitable_recipes(inspection)}
    assert all(found[name] == () for name in suits)
    assert all(found[name] == tuple(map(str, broken)) for name in does_not)
    assert not found.keys() & {"n2n", "n2c", "bm3d-oracle", "zsn2n-finetune"}  # which need more than the picture
