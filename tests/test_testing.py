"""The checks hold for every class of the package, and each part of a contract that a class breaks is named."""

import inspect

import pytest
import torch
from torch import nn

from torchdenoise import testing
from torchdenoise.denoisers import (
    ZSN2M,
    DeepImagePrior,
    Denoiser,
    DenoisingLoss,
    Downsampler,
    MaskedMean,
    Network,
    PartialUNet,
    Readout,
    Self2Self,
    Self2SelfMean,
    SingleStage,
    SkipNet,
    SmallCNN,
    ZSN2NLoss,
)
from torchdenoise.noise import NoiseModel, from_spec
from torchdenoise.registry import entries

PACKAGE = "torchdenoise."
SPECS = {
    "gaussian:25": {},
    "gaussian:5-50": {},
    "poisson:25": {},
    "poisson:25+gaussian:5": {},
    "gaussian:25:clip": {},
    "gaussian:9|poisson:9": {},
    "shared:25": {},
    # The mean of noise that pixels share varies more than the check allows; the others change the mean.
    "blurred:25:0.7": {"unbiased": False},
    "rows:25": {"unbiased": False},
    "camera:100": {"unbiased": False},
    "bits:2": {"unbiased": False},
    "jpeg:80": {"unbiased": False, "channels": (1, 3)},
}
NEEDS_EXTRA = dict.fromkeys(("AnscombeBM3D", "BM3D", "BM3DCorrelated", "BM3DOracle"), "bm3d")
SPECIAL = {
    "DeepImagePrior": lambda: DeepImagePrior(SkipNet(width=8)),
    "Self2Self": lambda: Self2Self(PartialUNet(width=4), readout=Self2SelfMean(2)),
    "SingleStage": lambda: SingleStage(small(), ZSN2NLoss(), readout=MaskedMean(2)),
    "ZSN2M": lambda: ZSN2M(small(), small()),
}


def small():
    return SmallCNN(width=4)


def light(cls):
    """Return a method with small networks; its default ones have tests of their own."""
    if cls.__name__ in SPECIAL:
        return SPECIAL[cls.__name__]()
    return cls(network=small()) if "network" in inspect.signature(cls).parameters else cls()


def ours(base):
    """Return the package's classes of a kind; the table also holds those that other tests define."""
    return [cls for cls in entries(base).values() if cls.__module__.startswith(PACKAGE)]


def breaks(contract):
    """Expect an ``AssertionError`` of one line with these words."""
    return pytest.raises(AssertionError, match=rf"^.*{contract}.*$")


# -- every class of the package --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", ours(DenoisingLoss), ids=lambda cls: cls.__name__)
def test_every_loss(cls):
    testing.check_loss(cls(ZSN2NLoss(), size=8) if cls.__name__ == "OnCrops" else cls())


@pytest.mark.parametrize("cls", ours(Downsampler), ids=lambda cls: cls.__name__)
def test_every_downsampler(cls):
    options = {"half": None} if cls.__name__ == "ChequerboardDownsampler" else {}
    testing.check_downsampler(cls(), **options)


@pytest.mark.parametrize("spec", SPECS)
def test_every_noise_model(spec):
    testing.check_noise_model(from_spec(spec), **SPECS[spec])


def test_no_noise_model_is_left_out():
    models = [from_spec(spec) for spec in SPECS]
    # One that reads a file is checked in its own test.
    assert {type(model) for model in models} == {cls for cls in ours(NoiseModel) if not cls.text_argument}


@pytest.mark.parametrize("cls", ours(Denoiser), ids=lambda cls: cls.__name__)
def test_every_denoiser(cls):
    if cls.__name__ in NEEDS_EXTRA:
        pytest.importorskip(NEEDS_EXTRA[cls.__name__])
    testing.check_denoiser(light(cls), sizes=[(13, 18)], channels=[1], steps=1)


def test_a_network_of_a_fixed_number_of_channels_is_told_to_leave_it_open():
    denoiser = SingleStage(SmallCNN(channels=3, width=4), ZSN2NLoss())
    with pytest.raises(
        AssertionError, match=r"SingleStage: network takes 3 channel\(s\) only: let channels default to"
    ):
        testing.check_denoiser(denoiser, sizes=[(5, 6)], steps=1)
    testing.check_denoiser(denoiser, sizes=[(5, 6)], steps=1, channels=[3])


def test_a_denoiser_for_both_numbers_of_channels():
    testing.check_denoiser(SingleStage(small(), ZSN2NLoss()), sizes=[(2, 3), (16, 16)])


# -- losses that break the contract ----------------------------------------------------------------------------------


class Sound(DenoisingLoss):
    def __init__(self, weight=1.0):
        self.weight = weight

    def draw(self, batch, generator):
        noisy = batch["noisy"]
        return {"jitter": torch.rand(noisy.shape, generator=generator, device=noisy.device)}

    def forward(self, denoise, batch, draws, progress):
        return {"fit": self.weight * (denoise(batch["noisy"] + draws["jitter"]) - batch["noisy"]).square().mean()}


class Global(Sound):
    def draw(self, batch, generator):
        return {"jitter": torch.rand(batch["noisy"].shape)}


class NotATensor(Sound):
    def draw(self, batch, generator):
        return {"jitter": 0.5}


class Impure(Sound):
    def forward(self, denoise, batch, draws, progress):
        return {"fit": (denoise(batch["noisy"]) - torch.rand(())).square().mean()}


class InPlace(Sound):
    def forward(self, denoise, batch, draws, progress):
        return {"fit": (denoise(draws["jitter"].clamp_(max=0.5)) - batch["noisy"]).square().mean()}


class Plain(Sound):
    def forward(self, denoise, batch, draws, progress):
        return (denoise(batch["noisy"]) - batch["noisy"]).square().mean()


class Image(Sound):
    def forward(self, denoise, batch, draws, progress):
        return {"fit": denoise(batch["noisy"]) - batch["noisy"]}


class Infinite(Sound):
    def forward(self, denoise, batch, draws, progress):
        return {"fit": (denoise(batch["noisy"]) - batch["noisy"]).square().mean() / 0}


class Detached(Sound):
    def forward(self, denoise, batch, draws, progress):
        return {"fit": (denoise(batch["noisy"]).detach() - batch["noisy"]).square().mean()}


class Unreached(Sound):
    def forward(self, denoise, batch, draws, progress):
        return {"fit": (0 * denoise(batch["noisy"]) - batch["noisy"]).square().mean()}


class Item(Sound):
    def forward(self, denoise, batch, draws, progress):
        error = (denoise(batch["noisy"]) - batch["noisy"]).square().mean()
        return {"fit": error * (1 + error.item())}


class EvenOnly(Sound):
    def forward(self, denoise, batch, draws, progress):
        halves = batch["noisy"].unflatten(-1, (-1, 2)).unflatten(-3, (-1, 2)).mean((-1, -3))
        return {"fit": (denoise(halves) - halves).square().mean()}


class ColorOnly(Sound):
    def forward(self, denoise, batch, draws, progress):
        red, green, _ = denoise(batch["noisy"]).unbind(1)
        return {"fit": (red - green).square().mean()}


class Unstorable(Sound):
    def __init__(self, measure=max):
        self.measure_with = measure
        self.weight = 1.0


class Needy(Sound):
    requires = ("spectrum",)


class Narrow(Sound):
    def without_sampling(self, batch, draws):
        return self, {**batch, "noisy": 2 * batch["noisy"]}


@pytest.mark.parametrize(
    ("loss", "contract"),
    [
        (Global, "draw must take all randomness from the generator"),
        (NotATensor, "draw must return a dict of tensors"),
        (Impure, "forward must be pure"),
        (InPlace, "forward must not change the batch or the draws"),
        (Plain, "forward must return a dict of scalar tensors"),
        (Image, "forward must return a dict of scalar tensors"),
        (Infinite, r"every term must be finite, and \['fit'\] is not"),
        (Detached, "gradients must reach the network"),
        (Unreached, "the gradients of the network must be finite and not all zero"),
        (Item, r"forward must run under torch.func.vmap \(.*it raised RuntimeError"),
        (EvenOnly, "forward must work for images of 13x18 pixels and 1 channel.*it raised RuntimeError"),
        (ColorOnly, "forward must work for images of 16x16 pixels and 1 channel.*it raised ValueError"),
        (Unstorable, r"build\(recipe\(\)\) must give an equal object"),
        (Needy, r"it requires \['spectrum'\]: pass batch_keys="),
        (Narrow, "without_sampling must return a loss and a batch that give the same terms"),
    ],
)
def test_a_loss_that_breaks_the_contract(loss, contract):
    with breaks(f"{loss.__name__}: {contract}"):
        testing.check_loss(loss())


def test_what_a_loss_may_do_when_the_check_is_asked():
    testing.check_loss(Sound())
    testing.check_loss(Item(), stackable=False)
    testing.check_loss(ColorOnly(), channels=[3])
    testing.check_loss(Needy(), batch_keys=lambda noisy: {"spectrum": torch.fft.fft2(noisy).abs()})


# -- downsamplers ----------------------------------------------------------------------------------------------------


class Halves(Downsampler):
    def draw(self, noisy, generator=None):
        return {"swap": torch.randint(2, (1,), generator=generator, device=noisy.device)}

    def pair(self, image, draws):
        height, width = image.shape[-2:]
        image = nn.functional.pad(image, (0, width % 2, 0, height % 2), mode="replicate")
        halves = image[..., ::2, ::2], image[..., 1::2, 1::2]
        return halves[::-1] if draws["swap"] else halves


class GlobalHalves(Halves):
    def draw(self, noisy, generator=None):
        return {"swap": torch.randint(2, (1,)) + torch.rand(1)}


class ImpureHalves(Halves):
    def pair(self, image, draws):
        first, second = super().pair(image, draws)
        return first + 0 * torch.rand(()) + torch.rand(()), second


class EvenHalves(Halves):
    def pair(self, image, draws):
        return image[..., ::2, ::2], image[..., 1::2, 1::2]


class SmallHalves(Halves):
    def pair(self, image, draws):
        first, second = super().pair(image, draws)
        return first[..., 1:], second[..., 1:]


class Whole(Halves):
    def pair(self, image, draws):
        return image, image.flip(-1)


class Twins(Halves):
    def pair(self, image, draws):
        return (super().pair(image, draws)[0],) * 2


class Brighter(Halves):
    def pair(self, image, draws):
        first, second = super().pair(image, draws)
        return first, second + 0.1


class DetachedHalves(Halves):
    def pair(self, image, draws):
        first, second = super().pair(image, draws)
        return first, second.detach()


@pytest.mark.parametrize(
    ("downsampler", "contract", "options"),
    [
        (GlobalHalves, "draw must take all randomness from the generator", {}),
        (ImpureHalves, "pair must be pure", {}),
        (EvenHalves, "both halves must have one shape for images of 13x18", {}),
        (SmallHalves, r"the halves of images of 16x16 .* must be \(2, 1, 8, 8\), not \(2, 1, 8, 7\)", {}),
        (Whole, "the halves must have fewer pixels than the image", {"half": None}),
        (Twins, "noise must be independent, not 1.00", {}),
        (Brighter, "both halves must show the scene", {}),
        (DetachedHalves, "gradients must pass through both halves", {}),
    ],
)
def test_a_downsampler_that_breaks_the_contract(downsampler, contract, options):
    testing.check_downsampler(Halves())
    with breaks(f"{downsampler.__name__}: .*{contract}"):
        testing.check_downsampler(downsampler(), **options)


# -- noise models ----------------------------------------------------------------------------------------------------


class Speckle(NoiseModel, name="speckle-of-a-test"):
    def __init__(self, amount: float = 0.1):
        self.amount = amount

    def forward(self, clean, generator=None):
        return clean * (1 + self.amount * torch.randn(clean.shape, generator=generator, device=clean.device))


class GlobalSpeckle(Speckle):
    def forward(self, clean, generator=None):
        return clean + self.amount * torch.randn_like(clean)


class Doubled(Speckle):
    def forward(self, clean, generator=None):
        return super().forward(clean, generator).double()


class InPlaceSpeckle(Speckle):
    def forward(self, clean, generator=None):
        return clean.mul_(1)[:] + self.amount * clean.add_(0.1)


class Biased(Speckle):
    def forward(self, clean, generator=None):
        return super().forward(clean, generator) + 0.1


class WrongLevel(Speckle):
    @property
    def level(self):
        return 1.0


class Nameless(Speckle, name="nameless-of-a-test"):
    @property
    def spec(self):
        return "gaussian:25"


@pytest.mark.parametrize(
    ("model", "contract"),
    [
        (GlobalSpeckle, "forward must take all randomness from the generator"),
        (Doubled, "forward must return images of the shape and dtype of the clean ones"),
        (InPlaceSpeckle, "forward must"),
        (Biased, "its noise must have mean 0, and has 0.[01].* at 0.25"),
        (WrongLevel, "its level must be its standard deviation of"),
        (Nameless, "its spec 'gaussian:25' must give an equal model"),
    ],
)
def test_a_noise_model_that_breaks_the_contract(model, contract):
    testing.check_noise_model(Speckle(0.2))
    with breaks(f"{model.__name__}: {contract}"):
        testing.check_noise_model(model())


def test_a_biased_noise_model_is_allowed_to_be_one():
    testing.check_noise_model(Biased(), unbiased=False)


# -- denoisers -------------------------------------------------------------------------------------------------------


class Scale(Network):
    def __init__(self, channels: int | None = None):
        super().__init__()
        self.channels = channels or 3
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, image):
        return self.gain * image


class Shrinking(Scale):
    def forward(self, image):
        return self.gain * image[..., 1:]


class Frozen(Scale):
    def __init__(self, channels: int | None = None):
        super().__init__(channels)
        self.still = nn.Parameter(torch.ones(()))

    def forward(self, image):
        return self.gain.detach() * image + 0 * self.still


class Undefined(Readout):
    def forward(self, denoise, noisy, generator):
        return torch.full_like(noisy, torch.nan)


class Dice(Readout):
    """Another value at each call, whatever the seed."""

    calls = 0

    def forward(self, denoise, noisy, generator):
        type(self).calls += 1
        return torch.full_like(noisy, 1 / type(self).calls)


class Lost(Readout):
    """What the fit found is lost in the checkpoint."""

    found = 0.0

    def observe(self, denoise, noisy, output):
        self.found = output.mean()

    def forward(self, denoise, noisy, generator):
        return torch.full_like(noisy, self.found)


@pytest.mark.parametrize(
    ("network", "readout", "contract"),
    [
        (Shrinking, None, "a fit of 2 steps must work for images of 13x18"),
        (Frozen, None, "a fit must change the network's weights"),
        (Scale, Undefined, "restore must return finite values in 0..1"),
        (Scale, Dice, "the same seed must give the same prediction twice"),
        (Scale, Lost, "its checkpoint must give the same prediction"),
    ],
)
def test_a_denoiser_that_breaks_the_contract(network, readout, contract):
    with breaks(f"SingleStage: {contract}"):
        testing.check_denoiser(SingleStage(network(), ZSN2NLoss(), readout=readout and readout()), channels=[1])


def test_a_check_leaves_the_random_state_and_the_denoiser_alone():
    denoiser = SingleStage(Scale(), ZSN2NLoss())
    before = torch.get_rng_state()
    testing.check_denoiser(denoiser, sizes=[(5, 6)], channels=[1])
    testing.check_loss(denoiser.loss, sizes=[(5, 6)])
    assert torch.equal(before, torch.get_rng_state())
    assert (denoiser.network.channels, denoiser.network.gain.item(), denoiser.fitted) == (3, 1.0, False)
