"""Weights in safetensors files, with how to build the denoiser, and the shipped ones by name."""

import pytest
import torch
from helpers import random_pixels, save_picture
from safetensors.torch import save

from torchdenoise.cli import main
from torchdenoise.denoisers import Denoiser, Noise2Clean, ResidualUNet, weight_files
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


def model_and_file(tmp_path, dtype=torch.float32):
    torch.manual_seed(0)
    model = Noise2Clean(ResidualUNet(1, widths=(8, 8, 8), blocks=1))
    content = {"torchdenoise": {"format": 1, "recipe": model.recipe()}, "state_dict": model.state_dict()}
    write_weights(tmp_path / "grey.safetensors", content, dtype)
    return model, tmp_path / "grey.safetensors"


def test_a_denoiser_from_weights(tmp_path):
    model, path = model_and_file(tmp_path)
    noisy = torch.rand(1, 1, 20, 24, generator=torch.Generator().manual_seed(1))
    loaded = Denoiser.load(path)
    assert isinstance(loaded, Noise2Clean)
    assert loaded.fitted
    assert torch.equal(loaded.restore(noisy), model.eval().restore(noisy))
    model_and_file(tmp_path, torch.float16)
    torch.testing.assert_close(Denoiser.load(path).restore(noisy), model.restore(noisy), atol=2e-3, rtol=0)


def test_the_commands_take_weights_by_file_and_by_name(tmp_path, monkeypatch, capfd):
    _, path = model_and_file(tmp_path)
    monkeypatch.setattr(weight_files, "_FOLDER", tmp_path)
    save_picture(tmp_path / "a.png", random_pixels((24, 32)))
    pictures = []
    for name in (str(path), "torchdenoise:grey"):
        assert main(["denoise", str(tmp_path / "a.png"), "--ckpt", name, "--overwrite"]) == 0
        pictures.append((tmp_path / "a_denoised.png").read_bytes())
    assert pictures[0] == pictures[1]
    assert main(["denoise", str(tmp_path / "a.png"), "--ckpt", "torchdenoise:blue", "--overwrite"]) == 2
    assert "torchdenoise:blue: no such weights" in capfd.readouterr().err


def test_a_fit_begins_from_weights(tmp_path):
    model, path = model_and_file(tmp_path)
    fresh = Noise2Clean(ResidualUNet(1, widths=(8, 8, 8), blocks=1))
    fresh.start_from(path)
    assert all(torch.equal(fresh.state_dict()[name], value) for name, value in model.state_dict().items())


def test_weights_that_describe_no_denoiser(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(save({"w": torch.zeros(2)}))
    with pytest.raises(CheckpointError, match=r"a\.safetensors: a checkpoint, but not one of torchdenoise"):
        Denoiser.load(path)
    path.write_bytes(save({"w": torch.zeros(2)}, {"torchdenoise": "{"}))
    with pytest.raises(CheckpointError, match=r"a\.safetensors: not a JSON file"):
        Denoiser.load(path)
