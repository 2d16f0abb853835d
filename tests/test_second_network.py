"""The study of ZS-N2M's second network on whole pictures."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, interpolate

from torchdenoise.data import Picture, write_picture
from torchdenoise.denoisers import GRDNet


@pytest.fixture
def study(script, tmp_path, monkeypatch):
    """The module, with one small variant, a few steps and rows in a temporary folder."""
    module = script("second_network")
    monkeypatch.setattr(module, "ROWS", tmp_path / "long" / "results.csv")
    monkeypatch.setenv("TORCHDENOISE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(module, "STEPS", (1, 2))
    return module


def test_the_two_errors_of_cells_add_up(study):
    result, clean, first = torch.rand(3, 1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    found = {name: float(value) for name, value in study.scores(result, clean, first).items()}
    mse = 255**2 / 10 ** (found["psnr"] / 10)
    assert found["between_cells"] ** 2 + found["in_cells"] ** 2 == pytest.approx(mse, rel=1e-3)
    assert float(study.scores(first, clean, first)["to_target"]) == 0.0


def test_mean_over_cell_shifts_is_seen_from_the_four_cells_around_a_pixel(study):
    image = torch.rand(1, 1, 24, 32, generator=torch.Generator().manual_seed(0))
    cells = study.over_shifts(lambda each: interpolate(study.cell_mean(each), scale_factor=2.0), image)
    weights = torch.tensor([1.0, 2.0, 1.0]) / 4
    expected = conv2d(image, (weights[:, None] * weights)[None, None])
    torch.testing.assert_close(cells[..., 1:-1, 1:-1], expected)


def test_batch_normalisation_precedes_each_activation(study):
    network = GRDNet(width=2)
    study.add_batch_norm(network)
    layers = [each for each in network.modules() if not list(each.children())]
    before = [layers[number - 1] for number, each in enumerate(layers) if isinstance(each, nn.LeakyReLU)]
    assert len(before) == 14
    assert all(isinstance(each, nn.BatchNorm2d) for each in before)
    assert network(torch.rand(1, 3, 16, 24)).shape == (1, 3, 16, 24)


def test_running_means_of_steps(study):
    torch.manual_seed(0)
    noisy, first = torch.rand(2, 1, 3, 32, 48)
    network = GRDNet(width=2, residual=False)
    fit = study.Fit(network, study.Variant(), noisy, (first, first.square()))
    outputs = []
    for _ in range(3):
        outputs.append(network(noisy).detach())
        fit.step()
    weights = torch.tensor([0.99**2, 0.99, 1.0])
    expected = sum(weight * output for weight, output in zip(weights, outputs, strict=True)) / weights.sum()
    found = fit.readouts()
    torch.testing.assert_close(found[study.OUTPUTS], expected)
    torch.testing.assert_close(found[study.BOTH], (expected + first) / 2)
    torch.testing.assert_close(found[study.WEIGHTS_FIRST], (found[study.WEIGHTS] + first) / 2)
    torch.testing.assert_close(found[study.OUTPUTS_TURNS], (expected + first.square()) / 2)
    torch.testing.assert_close(found[study.LAST], network(noisy).detach())


def test_run_fits_what_has_no_row_and_the_page_shows_it(study, tmp_path, monkeypatch, capsys):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    picture = Picture.from_array(pixels)
    write_picture(tmp_path / "a.png", picture.image, picture)
    monkeypatch.setattr(study, "training_images", lambda: [tmp_path / "a.png"])
    plain = study.Variant(width=2, until=2, crop=32, first_steps=2)
    tiny = {"plain": plain, "normed": replace(plain, normed=True, shifted=True)}
    monkeypatch.setattr(study, "VARIANTS", tiny)
    assert study.section() == []
    study.run()
    text = study.ROWS.read_text()
    assert text.count("\n") == 1 + 2 * (2 + 2 * len(study.READOUTS))
    study.run()
    assert study.ROWS.read_text() == text
    assert capsys.readouterr().out.count("a: ") == 2
    page = "\n".join(study.section())
    assert page.count("| plain |") == page.count("| normed |") == 2
    assert page.count("| plain, ") == page.count("| normed, ") == 3
    assert page.count("| first network, 32x32, C 0.01 |") == 1
