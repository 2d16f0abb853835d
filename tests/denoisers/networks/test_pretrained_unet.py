"""The network with the weights that come with the package."""

import pytest
import torch

from torchdenoise.benchmarking.sources import state_of_code
from torchdenoise.denoisers import PretrainedUNet, weight_files
from torchdenoise.denoisers.weight_files import located, read_weights, write_weights
from torchdenoise.errors import CheckpointError
from torchdenoise.paths import SHIPPED


@pytest.mark.parametrize(("channels", "name"), [(3, "colour"), (1, "grey"), (5, "grey")])
def test_its_weights_are_the_shipped_ones(channels, name):
    stored = read_weights(located(f"{SHIPPED}{name}"))["state_dict"]
    ours = PretrainedUNet(channels).inner.state_dict()
    assert {f"network.{key}" for key in ours} == set(stored)
    assert all(torch.equal(value, stored[f"network.{key}"]) for key, value in ours.items())


def test_channels_that_are_no_colours_are_denoised_apart():
    image = torch.rand(2, 4, 16, 24)
    together, grey = PretrainedUNet(4).eval(), PretrainedUNet(1).eval()
    apart = torch.cat([grey(image[:, number : number + 1]) for number in range(4)], 1)
    torch.testing.assert_close(together(image), apart)


def test_missing_or_foreign_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(weight_files, "_FOLDER", tmp_path)
    with pytest.raises(CheckpointError, match="torchdenoise:colour: no such weights"):
        PretrainedUNet()
    small = {"class_path": "torchdenoise.denoisers.SmallCNN", "init_args": {"channels": 3}}
    recipe = {"class_path": "torchdenoise.denoisers.Noise2Clean", "init_args": {"network": small}}
    write_weights(tmp_path / "colour.safetensors", {"torchdenoise": {"recipe": recipe}, "state_dict": {}})
    with pytest.raises(CheckpointError, match=r"colour\.safetensors: damaged \(RuntimeError\): install torchdenoise"):
        PretrainedUNet()


def test_other_weights_make_other_rows(tmp_path, monkeypatch):
    before = state_of_code({"class_path": "torchdenoise.denoisers.PretrainedUNet"})
    assert before[0].startswith("PretrainedUNet ")
    monkeypatch.setattr(weight_files, "_FOLDER", tmp_path)
    (tmp_path / "grey.safetensors").write_bytes(b"other")
    assert state_of_code({"class_path": "torchdenoise.denoisers.PretrainedUNet"}) != before
