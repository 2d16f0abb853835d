"""Options as overrides of a recipe."""

import pytest

from torchdenoise.errors import RecipeError, UserError
from torchdenoise.fitting import Options


def test_options_follow_the_overrides_so_that_they_win():
    assert Options(overrides=["trainer.max_steps=9"], max_steps=3, seed=0).changes() == [
        "trainer.max_steps=9",
        "trainer.max_steps=3",
        "seed_everything=0",
    ]
    assert Options().changes() == []


def test_a_single_override_may_be_a_string():
    assert Options(overrides="model.network.width=8").changes() == ["model.network.width=8"]


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_strength_lies_in_0_to_1(strength):
    with pytest.raises(UserError, match=r"^strength=.*: must lie in 0 to 1"):
        Options(strength=strength)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_steps": 0}, "^max_steps=0: must be at least 1"),
        ({"budget": 0.0}, r"^budget=0\.0: must be above 0 seconds"),
        ({"budget": float("nan")}, "^budget=nan: must be above 0 seconds"),
        ({"budget": 1.0, "max_steps": 3}, "give budget or max_steps, not both"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(RecipeError, match=message):
        Options(**options).changes()
