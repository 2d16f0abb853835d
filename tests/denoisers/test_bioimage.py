"""Packages for bioimage.io, judged by bioimage.io's own program."""

import zipfile

import pytest
import torch
import yaml
from helpers import needs_bioimage

from torchdenoise import UserError
from torchdenoise.denoisers import ZSN2N, UnshuffleCNN, bioimage, export

pytestmark = [needs_bioimage, pytest.mark.filterwarnings("ignore")]  # those of its many packages


@pytest.mark.parametrize("channels", [1, 3])
def test_a_package_passes_and_holds_what_it_needs(tmp_path, channels):
    exported = export(ZSN2N(UnshuffleCNN(channels, width=4)), tmp_path / "net.zip")
    assert "(passed)" in exported.checker
    assert exported.difference < 1e-5
    with zipfile.ZipFile(tmp_path / "net.zip") as package:
        names, described = set(package.namelist()), yaml.safe_load(package.read("rdf.yaml"))
    assert {"network.onnx", "noisy.npy", "clean.npy", "README.md"} <= names
    channel = described["inputs"][0]["axes"][1]
    assert len(channel["channel_names"]) == channels
    assert described["weights"]["onnx"]["opset_version"] == 18
    assert [path.name for path in tmp_path.iterdir()] == ["net.zip"]


def test_a_package_that_does_not_pass_is_not_written(tmp_path, monkeypatch):
    honest = bioimage._description

    def wrong(folder, opset, content, channels):
        clean = bioimage.np.load(folder / "clean.npy")
        bioimage.np.save(folder / "clean.npy", clean + 1)
        return honest(folder, opset, content, channels)

    monkeypatch.setattr(bioimage, "_description", wrong)
    torch.manual_seed(0)
    with pytest.raises(UserError, match=r"bioimageio\.core says: valid-format \(Output 'clean': ") as raised:
        export(ZSN2N(UnshuffleCNN(1, width=4)), tmp_path / "net.zip")
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []
