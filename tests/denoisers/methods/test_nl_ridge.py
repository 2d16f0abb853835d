"""NL-Ridge's two steps against a slow version of the paper's formulas, patch by patch."""

import numpy as np
import pytest
import torch
from helpers import clean_image, noisy_image

from torchdenoise import UserError
from torchdenoise.denoisers import NLRidge
from torchdenoise.denoisers.parts.nonlocal_ridge import LUMINANCE_CHROMINANCE
from torchdenoise.metrics import psnr
from torchdenoise.noise import gaussian_level, repeatable

WINDOW, STRIDE = 9, 2  # the last patches of odd sides then end at the border of an odd image
IN_A_CORNER = (WINDOW // 2 + 1) ** 2  # all groups have as many patches as are near one in a corner


def least_estimated_risk(noisy, noise):
    return np.eye(len(noisy)) - noise * np.linalg.inv(noisy @ noisy.T)


def least_risk_of_the_pilot(pilot, noise):
    return pilot @ pilot.T @ np.linalg.inv(pilot @ pilot.T + noise * np.eye(len(pilot)))


def one_step(y, x, side, similar, variance, combinations):
    """Average the combinations of all groups, for planes ``(C, H, W)`` of the noisy image and of its pilot."""
    height, width = y.shape[1:]
    total, weights = np.zeros_like(y), np.zeros_like(y)
    for top in range(0, height - side + 1, STRIDE):
        for left in range(0, width - side + 1, STRIDE):
            near = [
                (np.square(x[0, r : r + side, c : c + side] - x[0, top : top + side, left : left + side]).sum(), r, c)
                for r in range(max(0, top - WINDOW // 2), min(height - side, top + WINDOW // 2) + 1)
                for c in range(max(0, left - WINDOW // 2), min(width - side, left + WINDOW // 2) + 1)
            ]
            places = [(r, c) for _, r, c in sorted(near)[: min(similar, IN_A_CORNER)]]
            for plane in range(len(y)):
                alike = [1, 2] if plane else [0]
                pilots = np.stack([x[alike, r : r + side, c : c + side].ravel() for r, c in places])
                patches = np.stack([y[plane, r : r + side, c : c + side].ravel() for r, c in places])
                for row, (r, c) in zip(combinations(pilots, pilots.shape[1] * variance), places, strict=True):
                    weight = 1 / max(row @ row, 1 / len(places))
                    total[plane, r : r + side, c : c + side] += weight * (row @ patches).reshape(side, side)
                    weights[plane, r : r + side, c : c + side] += weight
    return total / weights


@pytest.mark.parametrize(
    ("channels", "size", "level", "first", "second"),
    [(1, (15, 19), 10, (7, 18), (7, 55)), (3, (17, 13), 25, (9, 18), (9, 90)), (1, (19, 15), 50, (11, 20), (9, 120))],
)
def test_it_is_the_papers_formulas(channels, size, level, first, second):
    noisy = torch.rand(1, channels, *size, generator=torch.Generator().manual_seed(0))
    matrix = np.array(LUMINANCE_CHROMINANCE) if channels == 3 else np.eye(1)
    y = np.einsum("oc,chw->ohw", matrix, noisy[0].double().numpy())
    variance = (level / 255) ** 2
    x = one_step(y, y, *first, variance, least_estimated_risk)
    expected = np.einsum("oc,ohw->chw", matrix, one_step(y, x, *second, variance, least_risk_of_the_pilot))
    result = NLRidge(level, WINDOW, STRIDE)(noisy)
    np.testing.assert_allclose(result[0].numpy(), expected, atol=1e-4)


@pytest.mark.parametrize(("spec", "gain"), [("gaussian:25", 8), ("gaussian:25:clip", 8), ("gaussian:60", 8)])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_removes_noise(spec, gain, channels):
    clean = clean_image(channels)
    noisy = repeatable(spec, clean)
    assert psnr(NLRidge()(noisy), clean).item() > psnr(noisy, clean).item() + gain


def test_the_estimated_level_is_used_like_a_given_one():
    noisy = noisy_image(1)
    assert torch.equal(NLRidge()(noisy), NLRidge(gaussian_level(noisy))(noisy))
    assert NLRidge(60)(noisy).std() < NLRidge(5)(noisy).std()
    assert torch.equal(NLRidge(0)(noisy), noisy)


def test_groups_without_noise_are_kept():
    """Clipping leaves no noise in white and black regions, and ``Y Y^T`` no inverse."""
    clean = torch.ones(1, 1, 32, 32)
    clean[..., 16:] = 0
    torch.testing.assert_close(NLRidge(25)(clean), clean, atol=0.01, rtol=0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"level": -1.0}, "level=-1: the level of the noise must be at least 0 and finite"),
        ({"level": float("nan")}, "level=nan: the level of the noise must be at least 0 and finite"),
        ({"window": 8}, "window=8: the side of the search window must be odd and at least 1"),
        ({"window": -1}, "window=-1: the side of the search window must be odd and at least 1"),
        ({"stride": 0}, "stride=0: the step between reference patches must be at least 1"),
    ],
)
def test_bad_arguments_are_refused(wrong, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        NLRidge(**wrong)


def test_the_command_line_refuses_a_bad_level_in_one_line(run, noisy_png):
    outcome = run("denoise", noisy_png, "--recipe", "nl-ridge", "--set", "model.level=-1", "--device", "cpu")
    assert outcome.code == 2
    assert "level=-1: the level of the noise must be at least 0" in outcome.err
    assert len(outcome.err.splitlines()) == 1
