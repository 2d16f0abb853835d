"""Recorruption: its algebra, its level, and the fallback where its assumptions are violated."""

import warnings

import lightning
import pytest
import torch

from tests.noise.correlated import smoothed
from torchdenoise import UserError, denoise, metrics
from torchdenoise.data import SeveralImages, SingleImage
from torchdenoise.denoisers import (
    CappedRemoval,
    EightTurns,
    NonLocalRidge,
    OnCrops,
    OnePass,
    Recorrupted,
    RecorruptedLoss,
    SmallCNN,
    Stack,
    ZSN2MLoss,
)
from torchdenoise.denoisers.parts.pyramid import Pyramid
from torchdenoise.errors import AssumptionWarning
from torchdenoise.fitting import Options, fit_image, fit_images
from torchdenoise.fitting.trainers import HYGIENE, make_trainer
from torchdenoise.noise import repeatable
from torchdenoise.noise.covariance import root_kernel
from torchdenoise.noise.measuring import measure_noise
from torchdenoise.protocols import DataDescription
from torchdenoise.recipes import load_recipe


@pytest.fixture(scope="module")
def ramp():
    return torch.linspace(0.2, 0.8, 64).expand(1, 3, 64, 64)


def test_input_and_target_are_those_of_the_paper():
    noisy, seen = torch.rand(2, 3, 8, 8), []
    loss = RecorruptedLoss(amount=0.5, level=51)
    batch = {"noisy": noisy, **loss.measure(noisy)}
    draws = loss.draw(batch, torch.Generator().manual_seed(0))
    terms = loss(lambda image: seen.append(image) or 0 * image, batch, draws, 0.0)
    assert torch.allclose(seen[0], noisy + 0.5 * 0.2 * draws["z"])
    assert terms["recorrupted"].item() == pytest.approx((noisy - 0.2 * draws["z"] / 0.5).square().mean().item())


def test_the_two_noises_are_uncorrelated():
    generator = torch.Generator().manual_seed(0)
    noise = 0.2 * torch.randn(1, 1, 1000, 1000, generator=generator)
    loss, seen = RecorruptedLoss(level=51), []
    batch = {"noisy": noise, **loss.measure(noise)}
    draws = loss.draw(batch, generator)
    loss(lambda image: seen.append(image) or image, batch, draws, 0.0)
    target = noise - 0.2 * draws["z"] / 0.7
    correlation = (seen[0] * target).mean() / (seen[0].std() * target.std())
    assert abs(correlation.item()) < 0.005


def test_the_level_is_measured_in_the_whole_picture(ramp):
    noisy = torch.cat([repeatable("gaussian:10", ramp), repeatable("gaussian:40", ramp)])
    deviation = RecorruptedLoss().measure(noisy)["deviation"]
    assert deviation.shape == (2, 1, 1, 1)
    assert (255 * deviation).flatten().tolist() == pytest.approx([10, 40], rel=0.1)


@pytest.mark.parametrize("wrong", [{"amount": 0.0}, {"level": -1.0}])
def test_what_is_not_above_zero_is_refused(wrong):
    with pytest.raises(UserError, match=f"RecorruptedLoss: {next(iter(wrong))} .* must be above 0"):
        RecorruptedLoss(**wrong)


@pytest.mark.parametrize("spec", ["gaussian:25", "gaussian:25:clip", "poisson:25"])
def test_every_kind_of_noise_is_removed(ramp, spec):
    noisy = repeatable(spec, ramp)
    clean = denoise(noisy, "fast", max_steps=60, data_range=1.0)
    assert metrics.psnr(clean, ramp).item() > metrics.psnr(noisy.clamp(0, 1), ramp).item() + 10


def test_any_method_can_use_the_loss(ramp):
    noisy = repeatable("gaussian:25", ramp)
    clean = denoise(noisy, "zsn2n", max_steps=40, data_range=1.0, loss=RecorruptedLoss())
    assert metrics.psnr(clean, ramp).item() > metrics.psnr(noisy.clamp(0, 1), ramp).item() + 1


def smeared(height, width, channels=3):
    return 0.5 + 0.1 * smoothed(height, width, channels)


def test_correlated_noise_is_removed_from_coarse_to_fine():
    noisy = smeared(112, 128)
    with warnings.catch_warnings():
        warnings.simplefilter("error", AssumptionWarning)
        clean = denoise(noisy, "fast", max_steps=60, data_range=1.0)
    assert (clean - 0.5).std() < 0.4 * (noisy - 0.5).std()


@pytest.mark.parametrize("turn", range(8))
def test_the_noise_added_to_a_turned_crop_is_turned(turn):
    generator, horizontal = torch.Generator().manual_seed(0), torch.zeros(1, 1, 3, 3)
    horizontal[..., 1, :] = torch.tensor([0.5, 1.0, 0.5])
    kernel = root_kernel(horizontal)
    batch = {"noisy": torch.zeros(1, 1, 128, 128), "deviation": torch.ones(1, 1, 128, 128), "kernel": kernel[None]}
    z = RecorruptedLoss().draw(batch | {"turn": torch.tensor([turn])}, generator)["z"]
    across, down = (z[..., 1:] * z[..., :-1]).mean().item(), (z[..., 1:, :] * z[..., :-1, :]).mean().item()
    assert (across, down) == pytest.approx((0.0, 0.5) if turn >= 4 else (0.5, 0.0), abs=0.05)


def test_recorruption_uses_the_measured_covariance_and_level():
    noisy, white = (
        smeared(192, 192),
        0.5 + 0.1 * torch.randn(1, 3, 192, 192, generator=torch.Generator().manual_seed(1)),
    )
    loss = OnCrops(RecorruptedLoss(share=0.9), size=64, count=40, turned=True)
    batch = {"noisy": torch.cat([noisy, white]), **loss.measure(torch.cat([noisy, white]))}
    assert batch["deviation"].shape == batch["noisy"].shape
    assert batch["deviation"][0].mean().item() == pytest.approx(0.1, rel=0.1)  # of correlated noise the whole level
    assert batch["deviation"][1].mean().item() == pytest.approx(0.09, rel=0.05)
    z = loss.draw(batch, torch.Generator().manual_seed(2))["z"]
    for images, expected in ((z[:40], 0.5), (z[40:], 0.0)):
        assert images.std().item() == pytest.approx(1, abs=0.03)
        for neighbours in (images[..., 1:] * images[..., :-1], images[..., 1:, :] * images[..., :-1, :]):
            assert neighbours.mean().item() == pytest.approx(expected, abs=0.06)
    draws = loss.draw(batch, torch.Generator().manual_seed(2))
    seen = []
    loss(lambda image: seen.append(image) or image, batch, draws, 0.0)
    assert seen[0].shape == (80, 3, 64, 64)
    assert (seen[0] - 0.5).std().item() == pytest.approx(0.1 * (1 + 0.7**2) ** 0.5, rel=0.1)


def multi_scale(**options):
    return Recorrupted(SmallCNN(3, width=4, depth=2), readout=EightTurns(), **options)


def data_of(noisy, **options):
    data = SingleImage(**options)
    data.use(noisy)
    return data


def test_every_scale_has_its_own_network():
    noisy, model, copy = smeared(160, 160), multi_scale(), multi_scale()
    lightning.Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": 6}).fit(model, datamodule=data_of(noisy))
    assert model.plan.bounds == (0, 2, 4, 6)
    copy.load_state_dict(model.state_dict())
    assert torch.equal(copy.restore(noisy), model.restore(noisy))
    assert len(copy.stages()) == 3


def test_a_resumed_fit_gives_the_same_result(tmp_path):
    noisy = smeared(160, 163)

    class Save(lightning.Callback):
        def on_train_batch_end(self, trainer, model, *_):
            if trainer.global_step in (2, 3, 5, 8):
                trainer.save_checkpoint(tmp_path / f"{trainer.global_step}.ckpt")

    lightning.seed_everything(3)
    whole = multi_scale()
    options = {**HYGIENE, "accelerator": "cpu", "max_steps": 9}
    lightning.Trainer(**options, callbacks=[Save()]).fit(whole, datamodule=data_of(noisy))
    assert whole.plan.bounds == (0, 3, 6, 9)
    for step in (2, 3, 5, 8):
        lightning.seed_everything(3)
        resumed = multi_scale()
        lightning.Trainer(**options).fit(resumed, datamodule=data_of(noisy), ckpt_path=tmp_path / f"{step}.ckpt")
        assert torch.equal(resumed.restore(noisy), whole.restore(noisy))


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_look_at_the_result_does_not_change_the_fit(at):
    """A restored image during a fit comes from unfinished networks, which later stages must not see."""
    noisy = smeared(96, 96)

    class Look(lightning.Callback):
        def on_train_batch_end(self, trainer, model, *_):
            if trainer.global_step == at:
                with torch.inference_mode():
                    self.seen = model.restore(noisy)

    results, look = [], Look()
    for callbacks in ([], [look]):
        lightning.seed_everything(0)
        model = multi_scale()
        options = {**HYGIENE, "accelerator": "cpu", "max_steps": 4}
        lightning.Trainer(**options, callbacks=callbacks).fit(model, datamodule=data_of(noisy))
        assert model.plan.bounds == (0, 2, 4)
        results.append(model.restore(noisy))
    assert torch.equal(*results)
    assert torch.equal(look.seen, results[0]) == (at == 4)


class Counted(EightTurns):
    """Notes the widths of what it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.widths = []

    def forward(self, denoise, noisy, generator):
        self.widths.append(noisy.shape[-1])
        return super().forward(denoise, noisy, generator)


def test_a_prediction_after_a_fit_reads_no_coarse_scale_again():
    noisy, other = smeared(160, 164), smeared(160, 164).flip(-1)
    readout = Counted()
    model, copy = Recorrupted(SmallCNN(3, width=4, depth=2), readout=readout), multi_scale()
    model.given_noise = copy.given_noise = measure_noise(noisy)
    trainer = lightning.Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": 3})

    def predicted(image):
        readout.widths.clear()
        (clean,) = trainer.predict(model, datamodule=data_of(image))
        copy.load_state_dict(model.state_dict())
        copy._seed = model.seed
        assert torch.equal(clean, copy.restore(image))
        return readout.widths

    trainer.fit(model, datamodule=data_of(noisy))
    assert readout.widths == [41, 82]
    assert predicted(noisy) == [164]
    assert predicted(other) == [41, 82, 164]
    assert predicted(noisy) == [41, 82, 164]
    model.coarse[1].layers[-1].bias.data += 0.1
    assert predicted(noisy) == [82, 164]
    model.load_state_dict(model.state_dict())
    assert predicted(noisy) == [41, 82, 164]


def test_stacked_fits_read_each_scale_once_for_each_picture():
    images = [smeared(96, 96), smeared(96, 96).flip(-1)]
    readouts, models = [Counted(), Counted()], []
    for image, readout in zip(images, readouts, strict=True):
        lightning.seed_everything(0)
        models.append(Recorrupted(SmallCNN(3, width=4, depth=2), readout=readout))
        models[-1].match_data(DataDescription(3, 96, 96, image=image))
    trainer = lightning.Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": 4})
    stack, data = Stack(models), SeveralImages([data_of(image) for image in images])
    trainer.fit(stack, datamodule=data)
    clean = trainer.predict(stack, datamodule=data)
    assert [readout.widths for readout in readouts] == [[48, 96], [48, 96]]
    for image, model, result in zip(images, models, clean, strict=True):
        copy = multi_scale()
        copy.load_state_dict(model.state_dict())
        assert torch.equal(result, copy.restore(image))


def test_a_preview_has_the_size_of_the_picture_and_sees_the_current_scale():
    noisy, seen = smeared(160, 163), {}

    class Look(lightning.Callback):
        def on_train_batch_end(self, trainer, model, *_):
            seen[trainer.global_step] = model.preview(noisy)

    results = []
    for callbacks in ([], [Look()]):
        lightning.seed_everything(0)
        model = multi_scale()
        options = {**HYGIENE, "accelerator": "cpu", "max_steps": 9}
        lightning.Trainer(**options, callbacks=callbacks).fit(model, datamodule=data_of(noisy))
        results.append(model.restore(noisy))
    assert torch.equal(*results)
    assert all(image.shape == noisy.shape for image in seen.values())
    steepness = [(image[..., 1:] - image[..., :-1]).abs().mean().item() for image in (seen[3], seen[6], seen[9])]
    assert steepness[0] < steepness[1] < steepness[2]
    pyramid = Pyramid(noisy, model.context(noisy).transformed_profiles[0], 3)
    with torch.no_grad():
        coarse = model.coarse[0](pyramid.level(0, None)[0])
        finest = model.network(model.level(model.context(noisy), 2)[0])
    assert torch.allclose(seen[3], pyramid.enlarged(coarse, 0), atol=1e-5)
    assert torch.allclose(seen[9], finest, atol=1e-5)


def test_new_weights_give_a_new_result():
    noisy, models = smeared(96, 96), []
    for seed in range(2):
        lightning.seed_everything(seed)
        models.append(multi_scale())
        models[-1].match_data(DataDescription(3, 96, 96, image=noisy))
        models[-1].coarse[0].load_state_dict(SmallCNN(3, width=4, depth=2).state_dict())
    first, second = (model.restore(noisy) for model in models)
    assert not torch.equal(first, second)
    models[0].load_state_dict(models[1].state_dict())
    assert torch.equal(models[0].restore(noisy), second)


@pytest.fixture(scope="module", params=[1, 3])
def fitted(request):
    readout = NonLocalRidge(OnePass(), similar=8, window=9)
    model = Recorrupted(SmallCNN(request.param, width=4, depth=2), readout=readout, scales=4)
    lightning.Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": 3}).fit(
        model, datamodule=data_of(smeared(160, 161, request.param))
    )
    assert len(model.coarse) == 2
    return model, request.param


@pytest.mark.parametrize("size", [(8, 8), (96, 120), (250, 41), (3, 2)])
def test_every_size_is_denoised_by_networks_fitted_to_another(fitted, size):
    model, channels = fitted
    assert model.restore(smeared(*size, channels)).isfinite().all()


def test_images_of_a_batch_are_denoised_at_one_scale(fitted):
    model, channels = fitted
    assert model.restore(smeared(96, 96, channels).expand(2, -1, -1, -1)).isfinite().all()


@pytest.mark.parametrize("size", [(8, 8), (41, 300), (2, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_small_and_narrow_pictures(size, channels):
    noisy = smeared(*size, channels)
    clean = denoise(noisy, "fast", max_steps=4, data_range=1.0)
    assert clean.shape == noisy.shape
    assert clean.isfinite().all()


def test_a_picture_of_white_noise_after_one_of_correlated_noise():
    model, stages = multi_scale(), []
    white = 0.5 + 0.1 * torch.randn(1, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    for noisy in (smeared(160, 160), white, smeared(96, 96), smeared(160, 160)):
        lightning.Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": 3}).fit(model, datamodule=data_of(noisy))
        stages.append(len(model.stages()))
        assert model.restore(noisy).isfinite().all()
    assert stages == [3, 1, 2, 3]


def test_a_crop_of_a_picture_has_one_scale():
    model, data = multi_scale(), data_of(smeared(200, 200), crop=128)
    lightning.Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": 2}).fit(model, datamodule=data)
    assert len(model.stages()) == 1


@pytest.mark.parametrize("option", ["scales", "correlated_steps"])
def test_no_scale_or_step_is_refused(option):
    with pytest.raises(UserError, match=f"Recorrupted: {option} 0 must be at least 1"):
        Recorrupted(**{option: 0})


def test_a_fit_to_correlated_noise_ends_when_each_scale_has_its_steps():
    model, seen = multi_scale(correlated_steps=2), []
    options = Options(max_steps=30, device="cpu", progress=lambda *step: seen.append(step))
    trainer = make_trainer({"max_steps": 30}, options)
    trainer.fit(model, datamodule=data_of(smeared(96, 96)))
    assert model.plan.bounds == (0, 2, 4)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_correlated_noise_can_have_a_network_of_its_own():
    noisy, model = smeared(96, 96), multi_scale(correlated_network=SmallCNN(3, width=2, depth=2))
    trainer = lightning.Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": 4})
    trainer.fit(model, datamodule=data_of(noisy))
    assert [stage.network.arguments["width"] for stage in model.stages()] == [2, 2]
    copy = multi_scale(correlated_network=SmallCNN(3, width=2, depth=2))
    copy.load_state_dict(model.state_dict())
    assert torch.equal(copy.restore(noisy), model.restore(noisy))
    white = (0.5 + 0.1 * torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    lightning.Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": 2}).fit(model, datamodule=data_of(white))
    assert [stage.network.arguments["width"] for stage in model.stages()] == [4]


def test_the_limit_counts_steps_and_not_batches():
    model = multi_scale(correlated_steps=2)
    options = {**HYGIENE, "accelerator": "cpu", "max_steps": 30, "accumulate_grad_batches": 3}
    trainer = lightning.Trainer(**options)
    trainer.fit(model, datamodule=data_of(smeared(96, 96)))
    assert trainer.global_step == 4


def test_white_noise_takes_all_steps():
    noisy = (0.5 + 0.1 * torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    model = multi_scale(correlated_steps=2)
    trainer = lightning.Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": 5})
    trainer.fit(model, datamodule=data_of(noisy))
    assert trainer.global_step == 5


def test_stacked_fits_of_white_and_correlated_noise_end_at_their_own_steps():
    white = (0.5 + 0.1 * torch.randn(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    images = [smeared(24, 24), white, smeared(96, 96)]
    recipe = load_recipe("fast")
    exact = "trainer.precision=32-true"  # processors with bfloat16 round stacked fits differently
    changes = ("model.correlated_steps=2", "model.readout=EightTurns", exact)
    options = Options(max_steps=9, device="cpu", overrides=changes)
    together = fit_images(images, recipe, options)
    for image, result in zip(images, together, strict=True):
        torch.testing.assert_close(result.image, fit_image(image, recipe, options).image, rtol=0, atol=1e-4)


def test_too_much_clipping_gets_a_warning_and_another_loss():
    noisy = repeatable("gaussian:50:clip", torch.full((1, 3, 96, 96), -0.2))
    message = r"cut off at black or white, so recorruption does not apply; falling back to"
    with pytest.warns(AssumptionWarning, match=message):
        denoise(noisy, "fast", max_steps=2, data_range=1.0)


@pytest.mark.parametrize(
    "noisy",
    [
        repeatable("poisson:4", torch.full((1, 3, 96, 96), 0.15)),  # half of the pixels caught no photon
        repeatable("gaussian:25", 0.5 * torch.eye(96).expand(1, 3, 96, 96)),  # half of them lie below black
    ],
)
def test_black_is_judged_in_the_picture_as_it_came(noisy):
    with warnings.catch_warnings():
        warnings.simplefilter("error", AssumptionWarning)
        denoise(noisy, "fast", max_steps=2, data_range=1.0)


def test_a_second_picture_is_judged_again():
    white = 0.5 + 0.1 * torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    clipped = repeatable("gaussian:50:clip", torch.full((1, 3, 96, 96), -0.2))
    model = Recorrupted()
    for noisy, assumption_warnings in ((clipped, 1), (white, 0), (clipped, 1)):
        data = SingleImage()
        data.use(noisy)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AssumptionWarning)
            lightning.Trainer(max_steps=1, **HYGIENE).fit(model, datamodule=data)
        assert len(model.assumption_warnings) == assumption_warnings
        assert model.trusted == (not assumption_warnings)


def test_a_checkpoint_holds_the_fallback():
    model = Recorrupted(SmallCNN(1, width=4), fallback=ZSN2MLoss())
    assert isinstance(model.stages()[0].loss.loss, RecorruptedLoss)
    assert not isinstance(model.active_readout(), CappedRemoval)
    model.load_state_dict(model.state_dict() | {"trusted": torch.tensor(False)})
    assert isinstance(model.stages()[0].loss, ZSN2MLoss)
    assert isinstance(model.active_readout(), CappedRemoval)
