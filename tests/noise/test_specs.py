import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from torchdenoise.errors import UserError
from torchdenoise.noise import (
    ClippedNoise,
    GaussianNoise,
    MixedNoise,
    PoissonNoise,
    SummedNoise,
    from_spec,
    repeatable,
)

LEVEL = st.floats(0, 1e300, exclude_min=True)
LEVELS = LEVEL | st.tuples(LEVEL, LEVEL).map(sorted).map(tuple)
SIMPLE = st.builds(GaussianNoise, LEVELS) | st.builds(PoissonNoise, LEVELS)
SUMS = SIMPLE | st.lists(SIMPLE, min_size=2, max_size=4).map(SummedNoise)
PARTS = SUMS | st.lists(SUMS, min_size=2, max_size=3).map(MixedNoise)
MODELS = PARTS | st.builds(ClippedNoise, PARTS)


@given(MODELS)
@example(GaussianNoise(1e-05))
@example(GaussianNoise((1e-05, 1e-04)))
@example(GaussianNoise(0.1))
@example(GaussianNoise(1e22))
@example(GaussianNoise(-0.0))
@example(GaussianNoise((-0.0, 5)))
@example(PoissonNoise(5e-324))
def test_specs_come_back(noise):
    assert from_spec(noise.spec) == noise
    assert from_spec(noise.spec).spec == noise.spec


@pytest.mark.parametrize(
    ("spec", "noise", "canonical"),
    [
        ("gaussian:25", GaussianNoise(25), "gaussian:25"),
        ("gaussian", GaussianNoise(), "gaussian:25"),
        ("gaussian:25.50", GaussianNoise(25.5), "gaussian:25.5"),
        ("gaussian:0", GaussianNoise(0), "gaussian:0"),
        ("gaussian:5-50", GaussianNoise((5, 50)), "gaussian:5-50"),
        ("gaussian:1E-3-2e-3", GaussianNoise((1e-3, 2e-3)), "gaussian:0.001-0.002"),
        ("gaussian:1e-05", GaussianNoise(0.00001), "gaussian:1e-05"),
        ("poisson:0.1", PoissonNoise(0.1), "poisson:0.1"),
        (" poisson:25 + gaussian:5 ", SummedNoise([PoissonNoise(25), GaussianNoise(5)]), "poisson:25+gaussian:5"),
        ("gaussian:25:clip", ClippedNoise(GaussianNoise(25)), "gaussian:25:clip"),
        (
            "gaussian:0-55|poisson:9+gaussian:2",
            MixedNoise([GaussianNoise((0, 55)), SummedNoise([PoissonNoise(9), GaussianNoise(2)])]),
            "gaussian:0-55|poisson:9+gaussian:2",
        ),
        (
            "poisson:25+gaussian:5:clip",
            ClippedNoise(SummedNoise([PoissonNoise(25), GaussianNoise(5)])),
            "poisson:25+gaussian:5:clip",
        ),
    ],
)
def test_a_spec_equals_the_class_form(spec, noise, canonical):
    assert from_spec(spec) == noise
    assert from_spec(spec).spec == noise.spec == canonical
    clean = torch.rand(2, 1, 5, 5)
    assert torch.equal(repeatable(from_spec(spec), clean), repeatable(noise, clean))


def test_a_model_is_its_own_spec():
    noise = GaussianNoise(3)
    assert from_spec(noise) is noise


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("gaussian:-3", "^gaussian:-3: the level must be at least 0"),
        ("gausian:25", r"unknown noise 'gausian' \(did you mean gaussian\?\); known: .*gaussian.*poisson"),
        ("GaussianNoise:25", r"did you mean gaussian\?"),
        ("poisson:0", "^poisson:0: the level must be above 0"),
        ("gaussian:50-5", "^gaussian:50-5: write a range from the lower"),
        ("gaussian:nan", "^gaussian:nan: .* finite"),
        ("gaussian:inf", "^gaussian:inf: .* finite"),
        ("gaussian:5-inf", "^gaussian:5-inf: .* finite"),
        ("gaussian:x", "cannot read 'gaussian:x'; write it like one of gaussian:25"),
        ("gaussian:", "cannot read 'gaussian:'"),
        ("gaussian:5-", "cannot read"),
        ("gaussian:1-2-3", "cannot read"),
        ("gaussian:1:2", "cannot read"),
        ("gaussian:25:clip:3", "':clip' must come last"),
        ("gaussian:25:clip+poisson:3", "':clip' must come last"),
        ("gaussian:25:clip:clip", "':clip' must come last"),
        ("", "unknown noise ''"),
        (":clip", "unknown noise ''"),
        ("gaussian:25+", "unknown noise ''"),
        ("gaussian:25+0.5", "unknown noise '0.5'"),
        (".5", "unknown noise '.5'"),
        ("25", r"unknown noise '25' \(did you mean gaussian:25\?\)"),
        ("gaussian25", r"unknown noise 'gaussian25' \(did you mean gaussian:25\?\)"),
        ("sum:3", "unknown noise 'sum'"),
        ("clip:4", "unknown noise 'clip'"),
        ("torchdenoise.noise.models.SummedNoise:3", "unknown noise 'torchdenoise"),
        ("torchdenoise.noise.models.GausianNoise:3", "unknown name"),
        ("torchdenoise.noise.models.NoiseModel:3", "unknown name"),
        ("os.path.join:3", "os.path.join: unknown name"),
        ("no_such_module.Salt:3", r"cannot import no_such_module \(No module named 'no_such_module'\)"),
    ],
)
def test_every_bad_spec_is_one_line(spec, message):
    with pytest.raises(UserError, match=message) as caught:
        from_spec(spec)
    assert "\n" not in str(caught.value)


def test_a_users_class_by_import_path(tmp_path, monkeypatch):
    (tmp_path / "my_salt.py").write_text(
        "import torch\n"
        "from torchdenoise.noise import NoiseModel\n"
        "class Salt(NoiseModel, name='my-salt'):\n"
        "    def __init__(self, share: float) -> None:\n"
        "        self.share = share\n"
        "    def forward(self, clean, generator=None):\n"
        "        return torch.where(torch.rand(clean.shape, generator=generator) < self.share, 1.0, clean)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    noise = from_spec("my_salt.Salt:0.5+gaussian:0:clip")
    assert noise.spec == "my-salt:0.5+gaussian:0:clip"
    assert from_spec(noise.spec) == noise  # known by its short name from now on
    noisy = repeatable(noise, torch.zeros(1, 1, 64, 64))
    assert noisy.mean().item() == pytest.approx(0.5, abs=0.05)
    with pytest.raises(UserError, match=r"cannot read 'my_salt\.Salt'"):
        from_spec("my_salt.Salt")
