"""What rooms that do not import each other agree on."""

import dataclasses

import pytest
import torch

from torchdenoise.denoisers import ZSN2N
from torchdenoise.protocols import DataDescription, MatchesData


def test_a_denoiser_matches_data_and_other_models_need_not():
    assert isinstance(ZSN2N(), MatchesData)
    assert not isinstance(torch.nn.Linear(1, 1), MatchesData)


def test_a_description_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DataDescription(3, 8, 9).crop = 4
