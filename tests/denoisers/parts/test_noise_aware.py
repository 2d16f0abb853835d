"""Parts that are given the noise profiles: copies know them, the originals stay as they are."""

import copy

import pytest
import torch

from torchdenoise.denoisers import (
    CappedRemoval,
    EightTurns,
    IdentityDomain,
    LastMean,
    NonLocalRidge,
    OnCrops,
    OnePass,
    RecorruptedLoss,
    Stabilized,
    ZSN2NLoss,
)
from torchdenoise.denoisers.parts.noise_aware import NoiseAware
from torchdenoise.denoisers.parts.readouts import Readout
from torchdenoise.noise import NoiseLevelFunction, NoiseProfile, Profiles, measuring

LEVEL = 0.2
IMAGE = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def profiles():
    return Profiles(1, lambda _: NoiseProfile(NoiseLevelFunction(0.0, LEVEL)))


@pytest.fixture
def unmeasured(monkeypatch):
    """Fail if anything measures noise."""

    def measure(image):
        raise AssertionError("measured again")

    monkeypatch.setattr(measuring, "measure_noise", measure)


class Noting(NoiseAware, Readout):
    """Keeps the profiles that it finds."""

    def __init__(self):
        super().__init__()
        self.found = []

    def forward(self, denoise, noisy, generator):
        self.found.append(self.noise_of(noisy))
        return denoise(noisy)


@pytest.mark.parametrize("make", [RecorruptedLoss, NonLocalRidge, Stabilized, Noting])
def test_a_copy_knows_the_noise(make, profiles):
    part = make()
    before = dict(vars(part))
    aware = part.with_noise(profiles)
    assert aware is not part
    assert type(aware) is type(part)
    assert aware.noise_of(IMAGE) is profiles
    assert part.noise_of(IMAGE) is not profiles
    assert vars(part).keys() == before.keys()
    other = Profiles(1, lambda _: NoiseProfile(NoiseLevelFunction(0.0, 0.3)))
    assert aware.with_noise(other).noise_of(IMAGE) is other
    assert aware.noise_of(IMAGE) is profiles


@pytest.mark.parametrize(
    "part",
    [ZSN2NLoss(), OnCrops(ZSN2NLoss()), OnePass(), EightTurns(), CappedRemoval(), LastMean(), IdentityDomain()],
    ids=lambda part: type(part).__name__,
)
def test_parts_that_ignore_the_noise_stay_themselves(part, profiles):
    assert part.with_noise(profiles) is part


def test_crops_pass_the_noise_on(profiles, unmeasured):
    loss = OnCrops(OnCrops(RecorruptedLoss(), size=8), size=16)
    aware = loss.with_noise(profiles)
    assert aware.measure(IMAGE)["deviation"].item() == pytest.approx(LEVEL)
    assert (aware.size, aware.loss.size) == (16, 8)
    assert loss.loss.loss._profiles is None
    with pytest.raises(AssertionError, match="measured again"):
        loss.measure(IMAGE)


@pytest.mark.parametrize("wrap", [CappedRemoval, lambda inner: NonLocalRidge(inner, side=4, similar=4, window=5)])
def test_wrapped_readouts_pass_the_noise_on(wrap, profiles, unmeasured):
    inner = Noting()
    readout = wrap(inner)
    aware = readout.with_noise(profiles)
    aware(lambda image: image, IMAGE, torch.Generator())
    assert inner.found == [profiles]
    assert readout.inner is inner
    assert inner._profiles is None
    assert aware.inner is not inner
    assert dict(readout.named_children())["inner"] is inner


def test_copies_share_what_was_accumulated(profiles):
    readout = NonLocalRidge(LastMean(count=2), side=4, similar=4, window=5)
    aware = readout.with_noise(profiles)
    assert aware.needs_outputs
    assert dict(aware.named_buffers()).keys() == dict(readout.named_buffers()).keys()
    assert all(one is other for one, other in zip(aware.buffers(), readout.buffers(), strict=True))


def test_a_known_level_of_the_readout_comes_before_the_profile(profiles):
    given, same = (NonLocalRidge(OnePass(), side=4, similar=4, window=5, level=255 * level) for level in (0.1, LEVEL))
    free = NonLocalRidge(OnePass(), side=4, similar=4, window=5)
    results = [part.with_noise(profiles)(lambda image: image, IMAGE, torch.Generator()) for part in (given, same, free)]
    assert torch.equal(results[1], results[2])
    assert not torch.allclose(results[0], results[2])


def test_the_recipe_of_an_aware_part_is_that_of_the_part(profiles):
    loss = RecorruptedLoss(share=0.9)
    assert loss.with_noise(profiles).recipe() == loss.recipe()
    assert copy.deepcopy(loss).recipe() == loss.recipe()
