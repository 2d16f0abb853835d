"""Deprecated names."""

import pytest

from torchdenoise import data, fitting, noise
from torchdenoise.deprecation import renamed


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        (noise, "NoiseLine", "NoiseLevelFunction"),
        (noise, "noise_line", "noise_level_function"),
        (data, "read_alike", "read_partners"),
        (fitting, "why_alone", "recipe_stacking_obstacle"),
    ],
)
def test_an_old_name_works_and_warns_with_the_new_one(module, old, new):
    message = f"{module.__name__}.{old} is now {module.__name__}.{new}; the old name will be removed"
    with pytest.warns(DeprecationWarning, match=message) as caught:
        found = getattr(module, old)
    assert found is getattr(module, new)
    assert caught[0].filename == __file__  # the warning points at the caller


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'shapes' has no attribute 'Square'"):
        renamed("shapes", {"Circle": "Disc"}, {"Disc": 1})("Square")
