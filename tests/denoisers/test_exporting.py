"""Trained networks as files for other programs: ONNX, and programs of torch.export."""

import logging
import warnings
from pathlib import Path

import pytest
import torch
from helpers import needs_onnx

from torchdenoise import Domain, Network, UserError
from torchdenoise.denoisers import (
    BM3D,
    ZSN2N,
    EightTurns,
    N2VUNet,
    Noise2Clean,
    PartialUNet,
    Pretrained,
    Readout,
    ResidualUNet,
    SmallCNN,
    UnshuffleCNN,
    export,
    exporting,
)
from torchdenoise.denoisers.networks.calling import padded_call

FORMS = [pytest.param("onnx", marks=needs_onnx), "pt2"]


class Decides(Network):
    """Does something else with wide images."""

    def __init__(self, channels: int | None = None) -> None:
        super().__init__()
        self.channels = channels or 3
        self.gain = torch.nn.Parameter(torch.ones(1))

    def forward(self, image):
        return image * self.gain if image.shape[-1] > 40 else image + self.gain


class Looks(Decides):
    """Does something else with bright images."""

    def forward(self, image):
        return image * self.gain if image.mean() > 0.5 else image


class Broken(Decides):
    """Gives NaN."""

    def forward(self, image):
        return image * (self.gain - 2).sqrt()


class PassesTwice(Readout):
    def forward(self, denoise, noisy, generator):
        return denoise(denoise(noisy))


class TwiceAsBright(Domain):
    def transforms(self, noisy):
        return (lambda image: 2 * image), (lambda image: image / 2)


class Clipping(ZSN2N):
    def restore(self, noisy, neighbours=None, **known):
        return super().restore(noisy).clamp(0.1, 0.9)


def opened(path):
    if path.suffix == ".pt2":
        return torch.export.load(path).module()
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    assert session.get_inputs()[0].shape == session.get_outputs()[0].shape == ["batch", 1, "height", "width"]
    assert "in one pass" in session.get_modelmeta().custom_metadata_map["torchdenoise"]
    return lambda image: torch.from_numpy(session.run(["clean"], {"noisy": image.numpy()})[0])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "network",
    [SmallCNN(1, width=4), ResidualUNet(1, widths=(4, 4, 4), blocks=1), N2VUNet(1, width=4)],
    ids=lambda network: type(network).__name__,
)
def test_a_file_gives_the_results_of_the_network_at_any_size(tmp_path, form, network):
    path = tmp_path / f"net.{form}"
    exported = export(Noise2Clean(network), path)
    assert exported.difference < 1e-5
    assert str(Path(exporting.__file__).parent).encode() not in path.read_bytes()
    run = opened(path)
    for shape in ((1, 1, 2, 2), (2, 1, 6, 70), (1, 1, 128, 33)):  # none of those that `export` tries
        image = torch.rand(shape)
        with torch.no_grad():
            torch.testing.assert_close(run(image), padded_call(network.eval(), image, {}), atol=1e-5, rtol=0)


def test_eight_turns_are_part_of_the_file(tmp_path):
    network = SmallCNN(1, width=4)
    exported = export(ZSN2N(network, readout=EightTurns()), tmp_path / "net.pt2")
    assert "the mean of eight flips and turns" in exported.content
    image = torch.rand(1, 1, 11, 8)
    expected = EightTurns()(network, image, torch.Generator())
    torch.testing.assert_close(opened(tmp_path / "net.pt2")(image), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        (Pretrained(ResidualUNet(1, widths=(4, 4, 4), blocks=1)), "the domain Stabilized, what Pretrained does around"),
        (ZSN2N(SmallCNN(1, width=4), readout=PassesTwice()), "the readout PassesTwice"),
        (ZSN2N(SmallCNN(1, width=4), domain=TwiceAsBright()), "the domain TwiceAsBright"),
        (Clipping(SmallCNN(1, width=4)), "what Clipping does around the network"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_what_a_file_cannot_hold_is_refused_unless_the_network_alone_is_wanted(tmp_path, model, parts):
    path = tmp_path / "net.pt2"
    with pytest.raises(UserError, match=f"a file holds a network, not {parts}.*: add --network-only to export"):
        export(model, path)
    assert list(tmp_path.iterdir()) == []
    exported = export(model, path, network_only=True)
    assert f"; left out: {parts}" in exported.content
    image = torch.rand(1, 1, 9, 16)
    expected = padded_call(model.network.eval(), image, {})
    torch.testing.assert_close(opened(path)(image), expected, atol=1e-6, rtol=0)


def test_a_method_without_a_network(tmp_path):
    with pytest.raises(UserError, match="BM3D has no network, so there is nothing to export"):
        export(BM3D(), tmp_path / "bm3d.pt2", network_only=True)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Decides(1), r"cannot run the file|the results of the file differ from torch's by"),
        (Looks(1), "Looks cannot be written as "),
        (Broken(1), "gives values that are not finite"),
    ],
    ids=["Decides", "Looks", "Broken"],
)
def test_a_file_that_fails_is_not_left_behind(tmp_path, form, network, message):
    path = tmp_path / f"net.{form}"
    path.write_text("an earlier file")
    with pytest.raises(UserError, match=message) as raised:
        export(ZSN2N(network), path)
    assert "\n" not in str(raised.value)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "an earlier file"


@pytest.mark.parametrize("form", FORMS)
def test_a_difference_is_refused(tmp_path, monkeypatch, form):
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    with pytest.raises(UserError, match=r"ZSN2N: the results of the file differ .* it was not kept: try --format"):
        export(ZSN2N(SmallCNN(1, width=4)), tmp_path / f"net.{form}")
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_draws_at_random_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"PartialUNet cannot be written as a program of torch\.export"):
        export(ZSN2N(PartialUNet(1)), tmp_path / "net.pt2")


def test_an_unknown_format(tmp_path):
    with pytest.raises(UserError, match=r"net\.tflite: unknown format '\.tflite'; choose onnx, pt2, bioimage"):
        export(ZSN2N(SmallCNN(1, width=4)), tmp_path / "net.tflite")


def test_what_the_caller_has_stays_as_it_was(tmp_path):
    model, before, filters = ZSN2N(UnshuffleCNN(1, width=4)).train(), torch.get_rng_state(), warnings.filters[:]
    export(model, tmp_path / "net.pt2")
    assert model.network.training
    assert torch.equal(torch.get_rng_state(), before)
    assert warnings.filters == filters
    assert logging.root.manager.disable == logging.NOTSET
