"""ZS-N2M's downsampler and losses against literal NumPy, and its two stages."""

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import StepLR

from torchdenoise import UserError, denoise
from torchdenoise.data import SingleImage
from torchdenoise.denoisers import (
    ZSN2M,
    DiagonalDownsampler,
    GRDLoss,
    GRDNet,
    OnCrops,
    RandomMaskDownsampler,
    SmallCNN,
    ZSN2MLoss,
    ZSN2MStar,
)
from torchdenoise.denoisers.methods.zsn2m import (
    contrast_map,
    cross_mapping,
    interactive_denoising,
    interactive_equality,
    local_mean,
)
from torchdenoise.fitting import HYGIENE


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def image(channels=3, height=12, width=10, seed=0, batch=1):
    return torch.rand(batch, channels, height, width, generator=generator(seed))


# -- the mask --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize(("channels", "height", "width"), [(3, 12, 10), (1, 6, 6), (3, 2, 2), (1, 2, 2), (3, 5, 7)])
def test_exactly_half_ones_or_one_fewer(per_channel, channels, height, width):
    mask = RandomMaskDownsampler(per_channel).draw(image(channels, height, width, batch=2), generator())["mask"]
    assert mask.shape == (2, channels if per_channel else 1, -(-height // 2), -(-width // 2))
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    assert mask.sum((1, 2, 3)).tolist() == [mask[0].numel() // 2] * 2


def test_one_draw_serves_two_images_and_every_pair_has_the_same_mean():
    down = RandomMaskDownsampler()
    noisy, denoised = image(seed=1), image(seed=2)
    draws = down.draw(noisy, generator())
    for picture in (noisy, denoised):
        first, second = down.pair(picture, draws)
        d1, d2 = DiagonalDownsampler().pair(picture, {})
        mask = draws["mask"].bool()
        assert torch.equal(first, torch.where(mask, d1, d2))
        assert torch.equal(second, torch.where(mask, d2, d1))
        torch.testing.assert_close((first + second) / 2, torch.nn.functional.avg_pool2d(picture, 2))


def test_an_all_ones_mask_gives_the_diagonal_pair():
    noisy = image()
    ours = RandomMaskDownsampler().pair(noisy, {"mask": torch.ones(1, 3, 6, 5)})
    assert all(torch.equal(a, b) for a, b in zip(ours, DiagonalDownsampler().pair(noisy, {}), strict=True))


def test_fresh_masks_differ_and_fixed_ones_come_again():
    noisy, source = image(height=32, width=32), generator()
    fresh = {tuple(RandomMaskDownsampler().draw(noisy, source)["mask"].flatten().tolist()) for _ in range(8)}
    fixed = {tuple(RandomMaskDownsampler(masks=2).draw(noisy, source)["mask"].flatten().tolist()) for _ in range(16)}
    assert (len(fresh), len(fixed)) == (8, 2)
    with pytest.raises(UserError, match="masks 0 must be at least 1"):
        RandomMaskDownsampler(masks=0)


# -- the terms, by the paper's equations, pixel by pixel --------------------------------------------------------------


def window_of(plane, y, x, radius=2):
    """Return the 5x5 window around a pixel of a (H, W) array, reflected at the border."""
    padded = np.pad(plane, radius, mode="reflect")
    return padded[y : y + 2 * radius + 1, x : x + 2 * radius + 1]


def slow_map(first, second, constant):
    weights = np.array([0.299, 0.587, 0.114]) if first.shape[0] == 3 else np.array([1.0])
    greys = [np.tensordot(weights, picture, 1) for picture in (first, second)]
    result = np.zeros_like(greys[0])
    for y, x in np.ndindex(result.shape):
        s1, s2 = (window_of(grey, y, x).std() for grey in greys)
        result[y, x] = 2 * s1 * s2 / (s1**2 + s2**2 + constant)
    return result


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("constant", [1e-3, 1e-2])
def test_interactive_denoising_is_equation_4(channels, constant):
    first, second = image(channels, 6, 7, 1).double(), image(channels, 6, 7, 2).double()
    halves = [half[0].numpy() for half in (first, second)]
    kept = slow_map(*halves, constant)
    np.testing.assert_allclose(contrast_map(first, second, constant, 5)[0, 0].numpy(), kept, atol=1e-6)
    expected = 0.0
    for half in halves:
        mean = np.stack([[[window_of(p, y, x).mean() for x in range(7)] for y in range(6)] for p in half])
        expected += np.mean((half - (kept * half + (1 - kept) * mean)) ** 2)
    assert interactive_denoising(first, second, constant).item() == pytest.approx(expected, rel=1e-5)


def test_windows_larger_than_the_half_repeat_the_border():
    tiny = image(3, 2, 2)
    padded = np.pad(tiny[0].numpy(), ((0, 0), (2, 2), (2, 2)), mode="edge")
    expected = np.stack([[[p[y : y + 5, x : x + 5].mean() for x in range(2)] for y in range(2)] for p in padded])
    np.testing.assert_allclose(local_mean(tiny, 5)[0].numpy(), expected, rtol=1e-5)


def test_the_gradient_passes_through_the_map_or_not():
    first, second = image(seed=1).requires_grad_(), image(seed=2).requires_grad_()
    through, blocked = (
        torch.autograd.grad(interactive_denoising(first, second, 0.01, through_map=flag), first)[0]
        for flag in (True, False)
    )
    assert torch.isfinite(through).all()
    assert not torch.allclose(through, blocked)
    flat = torch.full((1, 3, 8, 8), 0.5, requires_grad=True)
    assert torch.isfinite(torch.autograd.grad(interactive_denoising(flat, flat, 0.01), flat)[0]).all()


@pytest.mark.parametrize("weights", [(1.0, 5.0, 10.0), (10.0, 2.0, 0.5)])
def test_the_loss_is_the_weighted_sum_with_the_halves_crossed(weights):
    def denoiser(picture):
        return 0.7 * picture + 0.1 * picture.square()

    loss = ZSN2MLoss(*weights)
    batch = {"noisy": image()}
    draws = loss.draw(batch, generator(3))
    terms = loss(denoiser, batch, draws, 0.0)
    y1, y2 = loss.downsampler.pair(batch["noisy"], draws)
    g1, g2 = loss.downsampler.pair(denoiser(batch["noisy"]), draws)
    p1, p2 = denoiser(y1), denoiser(y2)
    arrays = {name: value.numpy() for name, value in locals().items() if name in ("y1", "y2", "g1", "g2", "p1", "p2")}

    def squared(a, b):
        return float(np.mean((arrays[a] - arrays[b]) ** 2))

    assert terms["interactive_equality"].item() == pytest.approx(
        weights[0] * (squared("p1", "g2") + squared("p2", "g1"))
    )
    assert terms["cross_mapping"].item() == pytest.approx(weights[1] * (squared("p1", "y2") + squared("p2", "y1")))
    excess = weights[2] * interactive_denoising(p1, p2, 0.01).item()
    assert terms["interactive_denoising"].item() == pytest.approx(excess)
    assert interactive_equality(p1, p2, g1, g2) > 0
    assert cross_mapping(p1, p2, y1, y2) > 0


def test_a_weight_of_zero_leaves_a_term_and_its_pass_out():
    calls = []

    def denoiser(picture):
        calls.append(tuple(picture.shape))
        return picture

    batch = {"noisy": image()}
    loss = ZSN2MLoss(equality_weight=0, denoising_weight=0)
    assert set(loss(denoiser, batch, loss.draw(batch, generator()), 0.0)) == {"cross_mapping"}
    assert calls == [(2, 3, 6, 5)]


def test_the_second_loss_is_equations_5_and_6():
    noisy, guide = image(seed=1), image(seed=2)
    pooled = torch.nn.functional.avg_pool2d
    terms = GRDLoss(100, 1000)(lambda picture: picture**2, {"noisy": noisy, "guide": guide}, {}, 0.0)
    target = pooled(guide, 2)
    assert terms["reconstruction"].item() == pytest.approx(
        100 * (pooled(noisy, 2) ** 2 - target).square().mean().item(), rel=1e-5
    )
    assert terms["consistency"].item() == pytest.approx(
        1000 * (pooled(noisy**2, 2) - target).square().mean().item(), rel=1e-5
    )


# -- the methods -----------------------------------------------------------------------------------------------------


def test_parameters():
    assert sum(parameter.numel() for parameter in ZSN2MStar().parameters()) == 22_275
    assert sum(parameter.numel() for parameter in GRDNet().parameters()) == pytest.approx(2.7e6, rel=0.05)


@pytest.mark.parametrize(("height", "width"), [(2, 2), (3, 5), (9, 8), (16, 17)])
def test_any_size_works(height, width):
    noisy = image(3, height, width)
    recipe = {"model": {"class_path": "ZSN2MStar"}, "trainer": {"max_steps": 2}}
    assert denoise(noisy, recipe, device="cpu").shape == noisy.shape


def test_two_stages_learn_one_after_the_other():
    recipe = {"model": {"class_path": "ZSN2M", "init_args": {"share": 0.75}}, "trainer": {"max_steps": 8}}
    noisy = image(1, 16, 16)
    small = GRDNet(1, width=4)
    restored = denoise(noisy, recipe, device="cpu", refiner=small)
    assert restored.shape == noisy.shape
    with pytest.raises(UserError, match="share 1 must lie between 0 and 1"):
        ZSN2M(share=1)


def test_each_stage_has_its_own_optimizer_and_schedule(tmp_path):
    def fitted(**options):
        torch.manual_seed(0)
        model = ZSN2M(
            SmallCNN(1, width=4),
            GRDNet(1, width=2),
            refiner_loss=OnCrops(GRDLoss(), size=8),
            share=0.5,
            refiner_optimizer=lambda parameters: SGD(parameters, lr=1e-5),
            refiner_scheduler=lambda optimizer: StepLR(optimizer, 1, 0.5),
        )
        data = SingleImage()
        data.use(image(1, 16, 16))
        saver = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=3, save_top_k=-1)
        used = lightning.Trainer(
            **{**HYGIENE, "accelerator": "cpu", "max_steps": 8, "callbacks": [saver], "enable_checkpointing": True}
        )
        used.fit(model, datamodule=data, **options)
        return model.state_dict(), used.optimizers[0]

    straight, chain = fitted()
    assert [type(each) for each in chain.optimizers] == [Adam, SGD]
    assert [group["lr"] for group in chain.param_groups] == pytest.approx([1e-3, 1e-5 * 0.5**3])
    for step in (3, 6):
        again, _ = fitted(ckpt_path=tmp_path / f"step={step}.ckpt")
        assert all(torch.equal(again[name], value) for name, value in straight.items()), step
