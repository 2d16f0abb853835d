"""Weights in safetensors files, with how to build the denoiser, and the shipped ones by name."""

import pytest
import torch

from torchdenoise.denoisers import weight_files
from torchdenoise.denoisers.weight_files import located, read_weights, shipped_weights, write_weights
from torchdenoise.errors import CheckpointError


def checkpoint(**recipe):
    weights = {"w": torch.tensor([1.0, 1 / 3]), "n": torch.tensor([3])}
    return {"torchdenoise": {"format": 1, "recipe": recipe, "moved_by": ["Muon"]}, "state_dict": weights, "loops": {}}


def test_weights_come_back_in_float32_without_the_state_of_the_fit(tmp_path):
    write_weights(tmp_path / "a.safetensors", checkpoint(class_path="X"), steps=5, noise="gaussian:25")
    content = read_weights(tmp_path / "a.safetensors")
    assert content["torchdenoise"] == {
        "format": 1,
        "recipe": {"class_path": "X"},
        "training": {"steps": 5, "noise": "gaussian:25"},
    }
    assert content["state_dict"]["w"].dtype == torch.float32
    torch.testing.assert_close(content["state_dict"]["w"], torch.tensor([1.0, 1 / 3]), atol=2e-4, rtol=0)
    assert content["state_dict"]["w"][1] != torch.tensor(1 / 3)  # half precision was stored
    assert torch.equal(content["state_dict"]["n"], torch.tensor([3]))
    assert set(content) == {"torchdenoise", "state_dict"}


def test_names_of_shipped_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(weight_files, "_FOLDER", tmp_path)
    with pytest.raises(CheckpointError, match="torchdenoise:grey: no such weights; with this version come none"):
        located("torchdenoise:grey")
    write_weights(tmp_path / "grey.safetensors", checkpoint())
    assert shipped_weights() == {"torchdenoise:grey": tmp_path / "grey.safetensors"}
    assert located("torchdenoise:grey") == tmp_path / "grey.safetensors"
    with pytest.raises(CheckpointError, match=r"did you mean torchdenoise:grey"):
        located("torchdenoise:gray")
    assert located(tmp_path) == tmp_path


@pytest.mark.parametrize("content", [b"", b"abc", bytes(8), b"\xff" * 64, (2**40).to_bytes(8, "little") + b"{}"])
def test_damaged_files(tmp_path, content):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"a\.safetensors: damaged, or no safetensors file"):
        read_weights(path)


def test_a_cut_file(tmp_path):
    path = tmp_path / "a.safetensors"
    write_weights(path, checkpoint())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="damaged, or no safetensors file"):
        read_weights(path)
