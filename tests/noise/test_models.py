import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from torchdenoise.errors import UserError
from torchdenoise.noise import ClippedNoise, GaussianNoise, NoiseModel, PoissonNoise, SummedNoise, from_spec
from torchdenoise.stored_recipes import build


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def grey(value, count=1, size=512):
    return torch.full((count, 1, size, size), value)


@pytest.mark.parametrize("sigma", [0, 1, 25, 300.5])
def test_gaussian_moments(sigma):
    clean = grey(0.3)
    noise = 255 * (GaussianNoise(sigma)(clean, seeded()) - clean)
    count = noise.numel()
    assert noise.mean().item() == pytest.approx(0, abs=5 * sigma / count**0.5 + 1e-5)
    assert noise.std().item() == pytest.approx(sigma, rel=5 / (2 * count) ** 0.5, abs=1e-5)


def test_gaussian_noise_is_white():
    noise = GaussianNoise(25)(torch.zeros(2, 3, 256, 256), seeded()) * 255 / 25
    pairs = [(noise[..., 1:], noise[..., :-1]), (noise[..., 1:, :], noise[..., :-1, :]), (noise[:, 1:], noise[:, :-1])]
    for one, other in [*pairs, (noise[1:], noise[:-1])]:
        assert (one * other).mean().item() == pytest.approx(0, abs=5 / one.numel() ** 0.5)


@pytest.mark.parametrize("photons", [0.5, 25, 1000])
@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 2.0])
def test_poisson_moments(photons, value):
    clean = grey(value)
    noisy = PoissonNoise(photons)(clean, seeded())
    variance, count = value / photons, noisy.numel()
    assert noisy.mean().item() == pytest.approx(value, abs=5 * (variance / count) ** 0.5 + 1e-6)
    # The fourth central moment of counts k with mean m is 3 m^2 + m.
    spread = ((2 * variance**2 + variance / photons**2) / count) ** 0.5
    assert noisy.var().item() == pytest.approx(variance, abs=5 * spread + 1e-6)
    torch.testing.assert_close(noisy * photons, (noisy * photons).round(), rtol=0, atol=1e-3)  # whole photons


def test_negative_pixels_count_as_black():
    assert not PoissonNoise(25)(grey(-0.5, size=8), seeded()).any()


@pytest.mark.parametrize("bits", [1, 4, 8, 16])
def test_stored_values_are_whole_numbers_in_range(bits):
    clean = torch.linspace(-0.5, 1.5, 1001).view(1, 1, 7, 143)
    stored = from_spec(f"bits:{bits}")(clean)
    white = 2**bits - 1
    assert stored.min() == 0
    assert stored.max() == 1
    np.testing.assert_allclose(stored * white, np.rint(np.clip(clean.numpy(), 0, 1) * np.float32(white)), atol=1e-2)


@pytest.mark.parametrize("bits", [0, 17, 2.5])
def test_wrong_numbers_of_bits(bits):
    with pytest.raises(UserError, match=f"bits:{bits:g}: give a whole number from 1 to 16"):
        from_spec(f"bits:{bits}")


def test_nothing_is_clipped_unless_asked():
    clean = torch.stack([torch.zeros(1, 64, 64), torch.ones(1, 64, 64)])
    noisy = GaussianNoise(50)(clean, seeded())
    assert noisy.min() < 0
    assert noisy.max() > 1
    assert torch.equal(ClippedNoise(GaussianNoise(50))(clean, seeded()), noisy.clamp(0, 1))


def test_a_sum_adds_variances():
    noisy = SummedNoise([PoissonNoise(50), GaussianNoise(10)])(grey(0.5), seeded())
    assert noisy.mean().item() == pytest.approx(0.5, abs=2e-3)
    assert noisy.var().item() == pytest.approx(0.5 / 50 + (10 / 255) ** 2, rel=2e-2)


def test_a_sum_goes_in_order():
    clean, generator = grey(0.5, size=8), seeded()
    expected = GaussianNoise(5)(PoissonNoise(25)(clean, generator), generator)
    assert torch.equal(SummedNoise([PoissonNoise(25), GaussianNoise(5)])(clean, seeded()), expected)


def test_every_image_draws_its_own_level_from_a_range():
    noise = 255 * GaussianNoise((5, 50))(torch.zeros(64, 3, 64, 64), seeded())
    levels = noise.std(dim=(1, 2, 3))
    assert 4.8 < levels.min() < 12
    assert 43 < levels.max() < 51.5
    assert levels.mean().item() == pytest.approx(27.5, abs=5 * 13 / 8)
    for image, level in zip(noise, levels, strict=True):  # one level in all channels and corners
        assert image[0, :32].std().item() == pytest.approx(level.item(), rel=0.1)
        assert image[2, 32:].std().item() == pytest.approx(level.item(), rel=0.1)
    photons = 1 / PoissonNoise((10, 100))(torch.ones(64, 3, 64, 64), seeded()).var(dim=(1, 2, 3))
    assert 9 < photons.min() < 24
    assert 86 < photons.max() < 107


MODELS = [
    GaussianNoise(25),
    GaussianNoise((5, 50)),
    PoissonNoise(25),
    PoissonNoise((5, 50)),
    ClippedNoise(SummedNoise([PoissonNoise(25), GaussianNoise((1, 5))])),
]


@pytest.mark.parametrize("noise", MODELS, ids=lambda noise: noise.spec)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_follow_the_generator_and_nothing_else(noise, dtype):
    clean = torch.rand(2, 3, 8, 9, generator=seeded(), dtype=dtype)
    kept, state = clean.clone(), torch.get_rng_state()
    noisy = noise(clean, seeded(1))
    assert (noisy.shape, noisy.dtype) == (clean.shape, clean.dtype)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(clean, kept)
    assert torch.equal(noise(clean, seeded(1)), noisy)
    assert not torch.equal(noise(clean, seeded(2)), noisy)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        assert torch.equal(noise(clean), noisy)


@pytest.mark.parametrize("noise", MODELS, ids=lambda noise: noise.spec)
def test_models_are_values(noise):
    for same in (build(noise.recipe()), copy.deepcopy(noise), pickle.loads(pickle.dumps(noise))):
        assert same == noise
        assert hash(same) == hash(noise)
    assert repr(noise) == f"<noise {noise.spec}>"
    assert [other for other in MODELS if other == noise] == [noise]
    assert noise != noise.spec


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianNoise(-1), "^gaussian:-1: the level must be at least 0 and finite"),
        (lambda: GaussianNoise(float("nan")), "^gaussian:nan: the level must be at least 0"),
        (lambda: GaussianNoise((1, float("inf"))), "^gaussian:1-inf: .* finite"),
        (lambda: GaussianNoise((-1, 5)), "at least 0"),
        (lambda: GaussianNoise((float("nan"), 5)), "at least 0"),
        (lambda: GaussianNoise((50, 5)), "^gaussian:50-5: write a range from the lower level to the higher one"),
        (lambda: GaussianNoise((1, 2, 3)), r"one number or a range of two numbers, not \(1, 2, 3\)"),
        (lambda: GaussianNoise("25"), "one number or a range of two numbers, not '25'"),
        (lambda: PoissonNoise(0), "^poisson:0: the level must be above 0 and finite"),
        (lambda: PoissonNoise((0, 5)), "above 0"),
        (lambda: PoissonNoise(torch.tensor(5.0)), "one number or a range of two numbers"),
        (lambda: SummedNoise([]), "give at least one part"),
    ],
)
def test_levels_that_cannot_be(make, message):
    with pytest.raises(UserError, match=message):
        make()


@given(st.lists(st.floats(0, 1e300), min_size=1, max_size=2).map(sorted))
def test_numbers_of_all_kinds_are_levels(ends):
    level = ends[0] if len(ends) == 1 else tuple(ends)
    assert GaussianNoise(level) == GaussianNoise(np.float64(level) if len(ends) == 1 else [np.float64(x) for x in ends])
    assert GaussianNoise(np.float32(25)) == GaussianNoise(np.int8(25)) == GaussianNoise(25)


def test_a_users_model_needs_only_forward():
    class _Mixed(NoiseModel, name="mixed"):
        def __init__(self, share, mode="salt"):
            self.share = share

        def forward(self, clean, generator=None):
            return clean + self.share

    noise = _Mixed(0.5)
    assert noise.spec == "mixed:0.5:salt"
    assert build(noise.recipe()) == noise
    assert torch.equal(SummedNoise([noise, noise])(torch.zeros(1, 1, 2, 2)), torch.ones(1, 1, 2, 2))
