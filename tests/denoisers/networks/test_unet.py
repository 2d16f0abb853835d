"""The U-Nets of several papers: sizes, layers, skips and initialisation."""

import math

import pytest
import torch
from torch import Tensor, nn

from torchdenoise.denoisers.networks import BatchNormUNet, GRDNet, N2NUNet, NB2NBUNet, Network
from torchdenoise.denoisers.networks.calling import padded_call
from torchdenoise.errors import UserError

UNETS = [N2NUNet, NB2NBUNet, BatchNormUNet, GRDNet]


def picture(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(5))


def small(cls: type[Network], **arguments: object) -> Network:
    torch.manual_seed(3)
    return cls(**{"channels": 3, "width": 6, **arguments})


def convolutions(network: nn.Module) -> dict[str, nn.Conv2d | nn.ConvTranspose2d]:
    found = network.named_modules()
    return {name: part for name, part in found if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)}


def ladder(network: nn.Module) -> nn.Module:
    return next(part for part in network.modules() if hasattr(part, "merge"))


@pytest.mark.parametrize(
    ("cls", "colour", "grey"),
    [
        (N2NUNet, 991_203, 991_203 - 2 * 9 * 48 - 2 * 9 * 64 - 2 * (9 * 32 + 1)),
        (NB2NBUNet, 1_259_475, 1_259_475 - 2 * 9 * 48 - 2 * 9 * 96 - 2 * (96 + 1)),
        (BatchNormUNet, 17_263_107, 17_263_107 - 2 * 9 * 64 - 2 * (64 + 1)),
        (GRDNet, 2_719_587, 2_719_587 - 2 * 9 * 48 - 2 * (48 + 1)),
    ],
)
def test_parameter_counts(cls, colour, grey):
    with torch.device("meta"):  # counts without memory
        counts = [sum(p.numel() for p in cls(channels).parameters()) for channels in (None, 3, 1)]
    assert counts == [colour, colour, grey]


def test_grdnet_has_the_size_of_the_paper():
    with torch.device("meta"):
        count = sum(p.numel() for p in GRDNet().parameters())
    assert count == pytest.approx(2.7e6, rel=0.05)


def test_batch_normalised_minimum_is_needed():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        small(BatchNormUNet)(picture(1, 3, 16, 16))


def test_full_size_batch_normalised_network_runs():
    network = BatchNormUNet().eval()
    with torch.inference_mode():
        assert padded_call(network, picture(1, 3, 5, 6), {}).shape == (1, 3, 5, 6)


@pytest.mark.parametrize(("cls", "least"), [(N2NUNet, 2), *((cls, 1) for cls in UNETS[1:])])
def test_smallest_width(cls, least):
    assert cls(3, width=least)(picture(2, 3, 32, 32)).shape == (2, 3, 32, 32)
    with pytest.raises(UserError, match=rf"{cls.__name__}: width {least - 1} .*must be at least {least}"):
        cls(3, width=least - 1)


@pytest.mark.parametrize("cls", UNETS)
def test_each_step_up_is_joined_by_the_step_down_of_its_size(cls):
    network = small(cls)
    steps = ladder(network)
    before, joined = [], []
    for down in steps.down:
        down.register_forward_pre_hook(lambda _, inputs: before.append(inputs[0]))
    for merge in steps.merge:
        merge.register_forward_pre_hook(lambda _, inputs: joined.append(inputs[0]))
    image = picture(2, 3, 64, 96)
    network(image)
    assert len(before) == len(joined) == int(math.log2(cls.multiple))
    for level, (skip, both) in enumerate(zip(before, reversed(joined), strict=True)):
        assert skip.shape[-2:] == both.shape[-2:] == (64 >> level, 96 >> level)
        assert torch.equal(both[:, -skip.shape[1] :], skip)
    if cls in (N2NUNet, NB2NBUNet):
        assert torch.equal(before[0], image)


@pytest.mark.parametrize(("cls", "widths"), [(N2NUNet, [96, 144, 144, 144, 99]), (NB2NBUNet, [96, 144, 144, 144, 99])])
def test_joined_widths_of_the_papers(cls, widths):
    with torch.device("meta"):
        merges = ladder(cls()).merge
    assert [next(iter(convolutions(merge).values())).in_channels for merge in merges] == widths


def test_layers_of_the_papers():
    with torch.device("meta"):
        noise2noise, neighbor, report = (
            list(convolutions(cls()).values()) for cls in (N2NUNet, NB2NBUNet, BatchNormUNet)
        )
    assert {layer.kernel_size for layer in noise2noise} == {(3, 3)}
    assert [layer.out_channels for layer in noise2noise] == [48] * 7 + [96] * 8 + [64, 32, 3]
    assert [layer.kernel_size for layer in neighbor[-3:]] == [(1, 1)] * 3
    assert sum(isinstance(layer, nn.ConvTranspose2d) for layer in neighbor) == 5
    down, up = [64, 64, 128, 128, 256, 256, 512, 512, 512, 512], [512, 256, 256, 128, 128, 64, 64, 64]
    assert [layer.out_channels for layer in report] == [*down, *up, 3]
    assert [layer.bias is None for layer in report] == [True] * 18 + [False]


@pytest.mark.parametrize(
    ("cls", "width", "gain"),
    [(N2NUNet, 48, math.sqrt(2 / 1.01)), (NB2NBUNet, 48, 0.1 * math.sqrt(2)), (GRDNet, 24, math.sqrt(2 / 1.04))],
)
def test_start(cls, width, gain):
    layers = list(convolutions(small(cls, width=width)).values())
    for layer in layers:
        fan_in = layer.weight[0].numel()  # of transposed layers too, whose two widths are equal
        wanted = 1.0 if layer is layers[-1] and cls is not NB2NBUNet else gain
        margin = 5 / math.sqrt(2 * layer.weight.numel())  # five standard errors
        assert layer.weight.std().item() * math.sqrt(fan_in) == pytest.approx(wanted, rel=margin)
        assert layer.bias is not None
        assert not layer.bias.any()


def test_a_start_by_pytorch():
    layers = list(convolutions(small(N2NUNet, width=48, he=False)).values())
    for layer in layers:
        bound = layer.weight[0].numel() ** -0.5
        assert 0.95 * bound < layer.weight.abs().max() <= bound
        assert layer.bias.any()


def test_slopes():
    for cls, slope in ((N2NUNet, 0.1), (NB2NBUNet, 0.2), (GRDNet, 0.2)):
        parts = small(cls).modules()
        assert {part.negative_slope for part in parts if isinstance(part, nn.LeakyReLU)} == {slope}


def test_grdnet_predicts_noise_or_image():
    image = picture(1, 3, 16, 24)
    noise, direct = small(GRDNet)(image), small(GRDNet, residual=False)(image)
    torch.testing.assert_close(noise, image - direct)
