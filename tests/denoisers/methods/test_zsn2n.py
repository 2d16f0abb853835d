import lightning
import numpy as np
import pytest
import torch
from helpers import noisy_scene, scene
from torch import nn
from torch.optim.lr_scheduler import StepLR

from torchdenoise import denoise
from torchdenoise.data import SingleImage
from torchdenoise.denoisers import ZSN2N, SmallCNN, ZSN2NLoss
from torchdenoise.fitting import HYGIENE
from torchdenoise.metrics import psnr


def tensor_of(picture):
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float().contiguous()


def fit(model, image, steps, **options):
    data = SingleImage()
    data.use(image)
    trainer = lightning.Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": steps, **options})
    trainer.fit(model, datamodule=data)
    return trainer


class Watch(lightning.Callback):
    """Keeps what a function of the trainer says before each step."""

    def __init__(self, look):
        self.look, self.kept = look, []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.kept.append(self.look(trainer))


# -- the loss --------------------------------------------------------------------------------------------------------


def bend(image):
    """Any image-to-image function: neither linear, nor local, nor symmetric."""
    return 0.6 * image.square() + 0.3 * image.roll((1, 2), (-2, -1)) - 0.1 * image.flip(-3)


def slow_terms(y, symmetric=True):
    """The formulas as they are printed, image by image, with NumPy; without symmetry the first half of each."""

    def f(image):
        return bend(torch.from_numpy(image)).numpy()

    def d1(image):
        return (image[:, :, 0::2, 1::2] + image[:, :, 1::2, 0::2]) / 2

    def d2(image):
        return (image[:, :, 0::2, 0::2] + image[:, :, 1::2, 1::2]) / 2

    def mse(first, second):
        return sum((a - b) ** 2 for a, b in zip(first.flat, second.flat, strict=True)) / first.size

    y1, y2, whole = d1(y), d2(y), f(y)
    if not symmetric:
        return {"residual": mse(f(y1), y2), "consistency": mse(f(y1), d1(whole))}
    residual = 0.5 * (mse(f(y1), y2) + mse(f(y2), y1))
    consistency = 0.5 * (mse(f(y1), d1(whole)) + mse(f(y2), d2(whole)))
    return {"residual": residual, "consistency": consistency}


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("weights", [(1, 1), (2, 0.5), (0.25, 3)])
@pytest.mark.parametrize("shape", [(1, 3, 6, 8), (2, 1, 4, 2)])
def test_terms_against_the_formulas(shape, weights, symmetric):
    noisy = torch.rand(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    terms = ZSN2NLoss(*weights, symmetric=symmetric)(bend, {"noisy": noisy}, {}, 0.5)
    slow = slow_terms(noisy.numpy(), symmetric)
    expected = {name: weight * slow[name] for name, weight in zip(("residual", "consistency"), weights, strict=True)}
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("weight", "sizes", "names"), [(1, [4, 8], ["residual", "consistency"]), (0, [4], ["residual"])]
)
def test_without_the_consistency_term_the_full_image_is_not_denoised(weight, sizes, names):
    seen = []
    terms = ZSN2NLoss(consistency_weight=weight)(
        lambda image: seen.append(image.shape[-1]) or image, {"noisy": torch.rand(1, 3, 8, 8)}, {}, 0.0
    )
    assert seen == sizes
    assert list(terms) == names


def test_both_sides_of_the_consistency_term_learn():
    gain = {name: torch.ones((), requires_grad=True) for name in ("half", "full")}
    noisy = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    terms = ZSN2NLoss()(
        lambda image: gain["full" if image.shape[-1] == 8 else "half"] * image.square(), {"noisy": noisy}, {}, 0.0
    )
    terms["consistency"].backward()
    assert all(parameter.grad != 0 for parameter in gain.values())


# -- the recipe ------------------------------------------------------------------------------------------------------


def test_the_default_is_adam_with_a_rate_that_halves_every_1000_steps():
    rates = Watch(lambda trainer: trainer.optimizers[0].param_groups[0]["lr"])
    model = ZSN2N(SmallCNN(width=1, depth=2), ZSN2NLoss(consistency_weight=0))
    trainer = fit(model, torch.rand(1, 3, 2, 2), 1002, callbacks=[rates])
    assert rates.kept == [1e-3] * 1000 + [5e-4] * 2
    (optimizer,) = trainer.optimizers
    assert type(optimizer) is torch.optim.Adam
    assert {key: optimizer.defaults[key] for key in ("betas", "eps", "weight_decay", "amsgrad")} == {
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 0,
        "amsgrad": False,
    }
    schedule = trainer.lr_scheduler_configs[0].scheduler
    assert (type(schedule), schedule.step_size, schedule.gamma) == (StepLR, 1000, 0.5)


@pytest.mark.parametrize("channels", [1, 3])
def test_steps_through_the_trainer_are_those_of_a_plain_loop(channels):
    steps, every, image = 12, 5, tensor_of(noisy_scene(18, 20, channels))

    torch.manual_seed(4)
    model = ZSN2N(SmallCNN(channels), scheduler=lambda optimizer: StepLR(optimizer, every, 0.5))
    fit(model, image, steps)

    torch.manual_seed(4)
    network = SmallCNN(channels)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    schedule = StepLR(optimizer, every, 0.5)
    kernels = torch.tensor([[[0, 0.5], [0.5, 0]], [[0.5, 0], [0, 0.5]]])[:, None, None].repeat(1, channels, 1, 1, 1)
    for _ in range(steps):
        y1, y2 = (nn.functional.conv2d(image, kernel, stride=2, groups=channels) for kernel in kernels)
        p1, p2 = halves = network(torch.cat([y1, y2]))
        whole = network(image)
        residual = nn.functional.mse_loss(halves, torch.cat([y2, y1]))
        d1, d2 = (nn.functional.conv2d(whole, kernel, stride=2, groups=channels) for kernel in kernels)
        consistency = nn.functional.mse_loss(torch.stack([p1, p2]), torch.cat([d1, d2]))
        optimizer.zero_grad()
        (residual + consistency).backward()
        optimizer.step()
        schedule.step()

    for ours, plain in zip(model.network.parameters(), network.parameters(), strict=True):
        assert torch.equal(ours, plain)


# -- fits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_a_fit_raises_the_psnr(channels):
    clean, noisy = tensor_of(scene(48, 48, channels)), tensor_of(noisy_scene(48, 48, channels))
    torch.manual_seed(0)
    model = ZSN2N()
    fit(model, noisy, 150)
    assert psnr(model.restore(noisy), clean) > psnr(noisy, clean) + 1


def test_a_grey_picture_gets_a_grey_network():
    model = ZSN2N()
    fit(model, torch.rand(1, 1, 8, 8), 1)
    assert sum(parameter.numel() for parameter in model.parameters()) == 21_313


@pytest.mark.parametrize(("shift", "expected"), [(5.0, 1.0), (-5.0, 0.0)])
def test_results_stay_between_black_and_white(shift, expected):
    model, image = ZSN2N(), torch.rand(1, 3, 4, 4)
    with torch.no_grad():
        model.network.layers[-1].bias.fill_(-shift)  # the network predicts what is taken away
    assert (model(image) - expected).abs().min() > 1
    assert torch.equal(model.restore(image), torch.full_like(image, expected))


@pytest.mark.parametrize("shape", [(2, 2), (2, 2, 3), (3, 2), (2, 5, 3), (7, 9, 3), (33, 16)])
def test_any_size_from_two_by_two(shape):
    noisy = np.random.default_rng(0).random(shape, dtype=np.float32)
    clean = denoise(noisy, max_steps=3, device="cpu", data_range=1)
    assert (clean.shape, clean.dtype) == (noisy.shape, noisy.dtype)
    assert clean.min() >= 0
    assert clean.max() <= 1
    assert not np.array_equal(clean, noisy)


@pytest.mark.parametrize("shape", [(1, 1), (1, 8, 3), (8, 1)])
def test_a_single_line_is_mirrored(shape):
    clean = denoise(np.zeros(shape, dtype=np.float32), "zsn2n", device="cpu", max_steps=2)
    assert clean.shape == shape
    assert np.isfinite(clean).all()


def test_by_hand(noisy_png, monkeypatch):
    monkeypatch.chdir(noisy_png.parent)
    model = ZSN2N()
    before = [parameter.clone() for parameter in model.parameters()]
    trainer = lightning.Trainer(max_steps=3, logger=False)
    trainer.fit(model, SingleImage("noisy.png"))
    assert trainer.global_step == 3
    assert not any(torch.equal(*pair) for pair in zip(before, model.cpu().parameters(), strict=True))
    saved = ZSN2N.load(trainer.checkpoint_callback.best_model_path)
    assert all(torch.equal(*pair) for pair in zip(saved.parameters(), model.parameters(), strict=True))
