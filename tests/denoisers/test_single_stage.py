"""A method of one network and one loss."""

import pytest

from torchdenoise.denoisers import ZSN2N, SingleStage, SmallCNN, ZSN2NLoss
from torchdenoise.errors import UserError


@pytest.mark.parametrize("parts", [{}, {"network": SmallCNN(1)}, {"loss": ZSN2NLoss()}])
def test_without_defaults_both_parts_are_needed(parts):
    with pytest.raises(UserError, match="SingleStage has no default network or loss: give both"):
        SingleStage(**parts)


def test_each_object_has_its_own_default_parts_and_given_ones_win():
    first, second, loss = ZSN2N(), ZSN2N(), ZSN2NLoss()
    assert first.network is not second.network
    assert ZSN2N(loss=loss).loss is loss
    (stage,) = first.stages()
    assert (stage.network, stage.loss) == (first.network, first.loss)
