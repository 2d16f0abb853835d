"""Checks of the contracts, for the tests of plugins and of this package: each failure is one ``AssertionError`` line.

Example:
    >>> check_loss(ZSN2NLoss())
"""

import contextlib
import copy
import functools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import lightning
import torch
from torch import Generator, Tensor
from torch.func import vmap
from torch.utils.data import DataLoader
from typing_extensions import override

from torchdenoise.data import DenoisingData, Picture
from torchdenoise.denoisers import Denoiser, DenoisingLoss, Downsampler
from torchdenoise.fitting import HYGIENE, accelerator
from torchdenoise.isolation import quiet, restored_random_state, seed_all
from torchdenoise.noise import NoiseModel, from_spec
from torchdenoise.registry import Registered
from torchdenoise.stored_recipes import build

__all__ = ["check_denoiser", "check_downsampler", "check_loss", "check_noise_model"]

SIZES = ((16, 16), (13, 18))
"""Height and width of the test images; odd sizes belong to every contract."""
CHANNELS = (1, 3)
WEIGHTS = (0.8, 0.1, 0.05)
"""Of the network that losses are checked with: gain, share of the neighboring pixel, offset."""

Tensors = Mapping[str, Tensor]


def check_loss(
    loss: DenoisingLoss,
    *,
    sizes: Sequence[tuple[int, int]] = SIZES,
    channels: Sequence[int] = CHANNELS,
    batch_keys: Callable[[Tensor], Tensors] | None = None,
    stackable: bool = True,
    device: str = "cpu",
) -> None:
    """Check that a loss keeps the contract of ``DenoisingLoss``.

    Args:
        loss: the loss.
        sizes: (height, width) of the test images.
        channels: numbers of channels of the test images.
        batch_keys: given ``noisy (B, C, H, W)``, returns the batch keys that the loss requires beyond ``noisy``,
            ``target``, ``guide`` and ``level``.
        stackable: whether the loss must run under ``torch.func.vmap``.
        device: where to run: ``cpu``, ``cuda``, ...

    Raises:
        AssertionError: the part of the contract that the loss breaks.
    """
    _check_recipe(loss)
    for height, width in sizes:
        for count in channels:
            where = f"images of {height}x{width} pixels and {count} channel(s)"
            batches = [_batch(loss, (2, count, height, width), seed, batch_keys, device) for seed in (0, 1)]
            with restored_random_state():
                draws = _check_draw(loss, functools.partial(loss.draw, batches[0]), device, where)
                _check_terms(loss, batches[0], draws, where)
                if stackable:
                    _check_vmap(loss, batches, where)


def _check_terms(loss: DenoisingLoss, batch: Tensors, draws: Tensors, where: str) -> None:
    before = {**_copied(batch), **_copied(draws)}
    weights = torch.tensor(WEIGHTS, device=batch["noisy"].device, requires_grad=True)
    network = functools.partial(_network, weights)
    for progress in (0.0, 0.5, 1.0):
        with _contract(loss, f"forward must work for {where} at progress {progress}"):
            terms = loss(network, batch, draws, progress)
        scalars = isinstance(terms, dict) and all(isinstance(term, Tensor) and not term.ndim for term in terms.values())
        _require(scalars and terms, loss, "forward must return a dict of scalar tensors, one for each term")
        infinite = [name for name, term in terms.items() if not term.isfinite()]
        _require(not infinite, loss, f"every term must be finite, and {infinite} is not for {where}")
        _disturb_random_state()
        again = loss(network, batch, draws, progress)
        _require(_equal(terms, again), loss, "forward must be pure: the same draws must give the same terms")
    _require(_equal(before, {**batch, **draws}), loss, "forward must not change the batch or the draws")
    total = torch.stack(list(terms.values())).sum()
    _require(total.requires_grad, loss, "gradients must reach the network: use what denoise() returns, undetached")
    total.backward()  # type: ignore[no-untyped-call]
    gradient = weights.grad
    reached = gradient is not None and bool(gradient.isfinite().all()) and bool(gradient.any())
    _require(reached, loss, f"the gradients of the network must be finite and not all zero for {where}")
    inner, narrow = loss.without_sampling(batch, draws)
    same = _close(terms, inner(network, narrow, draws, 1.0))
    _require(same, loss, "without_sampling must return a loss and a batch that give the same terms")


def _check_vmap(loss: DenoisingLoss, batches: Sequence[Tensors], where: str) -> None:
    """Hold one vmapped call for two images with weights of their own against a loop."""
    draws = [loss.draw(batch, _generator(7, batch["noisy"].device)) for batch in batches]
    weights = torch.tensor([WEIGHTS, WEIGHTS[::-1]], device=batches[0]["noisy"].device)

    def terms(weights: Tensor, batch: Tensors, draws: Tensors) -> dict[str, Tensor]:
        return loss(functools.partial(_network, weights), batch, draws, 0.5)

    expected = [terms(*each) for each in zip(weights, batches, draws, strict=True)]
    remedy = "mask by multiplying, call no .item(), or set stackable=False on the method and in this check"
    with _contract(loss, f"forward must run under torch.func.vmap ({remedy})"):
        found = vmap(terms)(weights, _stacked(batches), _stacked(draws))
    _require(_close(_stacked(expected), found), loss, f"forward must give the same terms under vmap for {where}")


def check_downsampler(
    downsampler: Downsampler,
    *,
    half: Callable[[int, int], tuple[int, int]] | None = lambda height, width: (-(-height // 2), -(-width // 2)),
    sizes: Sequence[tuple[int, int]] = SIZES,
    channels: Sequence[int] = CHANNELS,
    device: str = "cpu",
) -> None:
    """Check that a downsampler keeps the contract of ``Downsampler``.

    Args:
        downsampler: the downsampler.
        half: given height and width of an image, returns those of the halves; None if they depend on the draw.
        sizes: (height, width) of the test images.
        channels: numbers of channels of the test images.
        device: where to run.

    Raises:
        AssertionError: the part of the contract that the downsampler breaks.

    Example:
        >>> check_downsampler(DiagonalDownsampler())
    """
    _check_recipe(downsampler)
    with restored_random_state():
        for height, width in sizes:
            for count in channels:
                where = f"images of {height}x{width} pixels and {count} channel(s)"
                noisy = _noisy((2, count, height, width), 0, device)
                draws = _check_draw(downsampler, functools.partial(downsampler.draw, noisy), device, where)
                _check_halves(downsampler, noisy, draws, half, where)
        noise = torch.randn(1, 3, 64, 64, generator=_generator(0, "cpu")).to(device)
        first, second = downsampler.pair(noise, downsampler.draw(noise, _generator(0, device)))
        correlation = torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1].item()
        _require(abs(correlation) < 0.1, downsampler, f"the halves' noise must be independent, not {correlation:.2f}")


def _check_halves(
    downsampler: Downsampler,
    noisy: Tensor,
    draws: dict[str, Tensor],
    half: Callable[[int, int], tuple[int, int]] | None,
    where: str,
) -> None:
    before = _copied({"noisy": noisy, **draws})
    image = noisy.clone().requires_grad_()
    with _contract(downsampler, f"pair must work for {where}"):
        first, second = downsampler.pair(image, draws)
    _require(first.shape == second.shape, downsampler, f"both halves must have one shape for {where}")
    expected = first.shape[-2:] if half is None else half(*noisy.shape[-2:])
    shape = (*noisy.shape[:2], *expected)
    _require(first.shape == shape, downsampler, f"the halves of {where} must be {shape}, not {tuple(first.shape)}")
    _require(first[0].numel() < noisy[0].numel(), downsampler, "the halves must have fewer pixels than the image")
    _disturb_random_state()
    again = downsampler.pair(noisy, draws)
    same = torch.equal(first, again[0]) and torch.equal(second, again[1])
    _require(same, downsampler, "pair must be pure: the same draw must give the same halves")
    _require(_equal(before, {"noisy": noisy, **draws}), downsampler, "pair must not change the image or the draw")
    _require(first.requires_grad and second.requires_grad, downsampler, "gradients must pass through both halves")
    flat = torch.stack(downsampler.pair(torch.full_like(noisy, 0.3), draws))
    constant = torch.allclose(flat, torch.full_like(flat, 0.3))
    _require(constant, downsampler, "both halves must show the scene of the image: a constant one must stay constant")


def check_noise_model(
    model: NoiseModel,
    *,
    unbiased: bool = True,
    sizes: Sequence[tuple[int, int]] = SIZES,
    channels: Sequence[int] = CHANNELS,
    device: str = "cpu",
) -> None:
    """Check that a noise model keeps the contract of ``NoiseModel``.

    Args:
        model: the noise model.
        unbiased: whether the mean of the noisy image must be the clean one.
        sizes: (height, width) of the test images.
        channels: numbers of channels of the test images.
        device: where to run.

    Raises:
        AssertionError: the part of the contract that the model breaks.

    Example:
        >>> check_noise_model(GaussianNoise(25))
    """
    _check_recipe(model)
    with _contract(model, f"its spec {model.spec!r} must be readable"):
        same = from_spec(model.spec) == model
    _require(same, model, f"its spec {model.spec!r} must give an equal model: write every argument into it")
    with restored_random_state():
        for height, width in sizes:
            for count in channels:
                _check_forward(model, _scene((2, count, height, width)).to(device), device)
        _check_moments(model, unbiased, device)


def _check_forward(model: NoiseModel, clean: Tensor, device: str) -> None:
    def draw(generator: Generator) -> dict[str, Tensor]:
        return {"noisy": model(clean, generator)}

    before = clean.clone()
    where = f"images of {clean.shape[2]}x{clean.shape[3]} pixels and {clean.shape[1]} channel(s)"
    noisy = _check_draw(model, draw, device, where, "forward")["noisy"]
    alike = (noisy.shape, noisy.dtype) == (clean.shape, clean.dtype)
    _require(alike, model, "forward must return images of the shape and dtype of the clean ones")
    _require(torch.equal(clean, before), model, "forward must not change the clean images")


def _check_moments(model: NoiseModel, unbiased: bool, device: str) -> None:
    for gray in (0.25, 0.5, 0.75):
        clean = torch.full((4, 1, 128, 128), gray, device=device)
        noise = (model(clean, _generator(0, device)) - clean).double()
        error = 5 * noise.std().item() / noise.numel() ** 0.5 + 1e-6
        mean = noise.mean().item()
        fair = not unbiased or abs(mean) < error
        _require(fair, model, f"its noise must have mean 0, and has {mean:.4f} at {gray}; pass unbiased=False if meant")
        if model.level is not None:
            deviation = 255 * noise.std().item()
            fits = abs(deviation - model.level) <= 0.05 * model.level
            _require(fits, model, f"its level must be its standard deviation of {deviation:.1f}, not {model.level:g}")


def check_denoiser(
    denoiser: Denoiser,
    *,
    sizes: Sequence[tuple[int, int]] = SIZES[1:],
    channels: Sequence[int] = CHANNELS,
    steps: int = 2,
    batch_keys: Callable[[Tensor], Tensors] | None = None,
    device: str = "cpu",
) -> None:
    """Check that a denoiser keeps the contract of ``Denoiser``: copies of it are fitted to one image for a few steps.

    Args:
        denoiser: an unfitted denoiser, which stays unchanged.
        sizes: (height, width) of the test images; raised to what the method declares as ``smallest``.
        channels: numbers of channels of the test images.
        steps: of the fit, for each stage.
        batch_keys: given ``noisy (1, C, H, W)``, returns the batch keys that the method requires beyond ``noisy``,
            ``target`` and ``level``.
        device: where to fit.

    Raises:
        AssertionError: the part of the contract that the denoiser breaks.

    Example:
        >>> check_denoiser(ZSN2N(SmallCNN(width=4)), sizes=[(5, 6)])
    """
    _check_recipe(denoiser)
    for size in sizes:
        height, width = (max(side, denoiser.smallest) for side in size)
        for count in channels:
            where = f"images of {height}x{width} pixels and {count} channel(s)"
            noisy = _noisy((1, count, height, width), 0, "cpu")
            batch = {"noisy": noisy, **_level_and_target(noisy), **(batch_keys(noisy) if batch_keys else {})}
            with restored_random_state(), quiet(), tempfile.TemporaryDirectory() as folder:
                _check_fit(copy.deepcopy(denoiser), _OneBatch(batch), steps, device, where, Path(folder))


def _check_fit(denoiser: Denoiser, data: "_OneBatch", steps: int, device: str, where: str, folder: Path) -> None:
    noisy = data.batch["noisy"]
    limit = steps * max(1, len(denoiser.stages()))
    before = _Snapshot()
    trainer = lightning.Trainer(**{**HYGIENE, **accelerator(device)}, max_steps=limit, callbacks=[before])
    if denoiser.stages():
        seed_all(0)
        with _contract(denoiser, f"a fit of {limit} steps must work for {where}"):
            trainer.fit(denoiser, datamodule=data)
        learned = any(not torch.equal(before.weights[name], value.cpu()) for name, value in denoiser.named_parameters())
        _require(learned, denoiser, "a fit must change the network's weights")
        answer = denoiser.cpu().eval()(noisy)
        _require(answer.shape == noisy.shape, denoiser, f"calling it must give {where} for such images")
    clean = _predicted(denoiser, data, device, where)
    _require(clean.shape == noisy.shape, denoiser, f"restore must return {where} for such images")
    in_range = bool(clean.isfinite().all()) and clean.min() >= 0 and clean.max() <= 1
    _require(in_range, denoiser, "restore must return finite values in 0..1")
    again = _predicted(denoiser, data, device, where)
    _require(torch.equal(clean, again), denoiser, "the same seed must give the same prediction twice")
    if not denoiser.stages():
        return
    path = folder / "fitted.ckpt"
    with _contract(denoiser, "it must load from its checkpoint"):
        trainer.save_checkpoint(path)
        loaded = Denoiser.load(path)
    same = torch.equal(clean, _predicted(loaded, data, device, where))
    contract = "its checkpoint must give the same prediction: keep all that a fit finds in parameters or buffers"
    _require(same, denoiser, contract)


def _predicted(denoiser: Denoiser, data: "_OneBatch", device: str, where: str) -> Tensor:
    seed_all(0)
    trainer = lightning.Trainer(**{**HYGIENE, **accelerator(device)})
    with _contract(denoiser, f"predict must work for {where}"):
        (clean,) = trainer.predict(denoiser, datamodule=data) or [None]
    assert isinstance(clean, Tensor), f"{type(denoiser).__name__}: predict must return one tensor for each batch"
    return clean.cpu()


class _Snapshot(lightning.Callback):
    """The weights at the start of a fit."""

    weights: dict[str, Tensor]

    @override
    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.weights = {name: value.detach().cpu().clone() for name, value in pl_module.named_parameters()}


class _OneBatch(DenoisingData):
    """The same batch at every step."""

    def __init__(self, batch: dict[str, Tensor]) -> None:
        super().__init__()
        self.batch = batch
        self.sources = [None]

    @override
    def keys(self) -> set[str]:
        return set(self.batch)

    @override
    def prepare(self, stage: str) -> tuple[int, int, int]:
        channels, height, width = self.batch["noisy"].shape[1:]
        return channels, height, width

    @override
    def picture(self, index: int) -> Picture:
        return Picture.from_array(self.batch["noisy"][0].permute(1, 2, 0).numpy())

    @override
    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        return DataLoader([self.batch] * 1000, batch_size=None)  # type: ignore[arg-type]  # a list is a data set too

    @override
    def predict_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        return DataLoader([self.batch], batch_size=None)  # type: ignore[arg-type]  # as above


# -- what the checks share -------------------------------------------------------------------------------------------


def _require(condition: object, thing: object, contract: str) -> None:
    if not condition:
        raise AssertionError(f"{type(thing).__name__}: {contract}")


@contextlib.contextmanager
def _contract(thing: object, contract: str) -> Iterator[None]:
    """Turn any error into one line that names the contract; the error itself stays its cause."""
    try:
        yield
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise AssertionError(f"{type(thing).__name__}: {contract}; it raised {reason}") from error


def _check_recipe(thing: Registered) -> None:
    contract = "build(recipe()) must give an equal object: keep every constructor argument under its own name"
    with _contract(thing, contract):
        recipe = thing.recipe()
        again = build(recipe)
    _require(type(again) is type(thing) and again.recipe() == recipe, thing, contract)


def _check_draw(
    thing: object, draw: Callable[[Generator], dict[str, Tensor]], device: str, where: str, name: str = "draw"
) -> dict[str, Tensor]:
    """Return what is drawn, after checking that it comes from the generator alone and lies on its device."""
    with _contract(thing, f"{name} must work for {where}"):
        draws = draw(_generator(0, device))
    tensors = isinstance(draws, dict) and all(isinstance(value, Tensor) for value in draws.values())
    _require(tensors, thing, f"{name} must return a dict of tensors")
    placed = all(value.device.type == torch.device(device).type for value in draws.values())
    _require(placed, thing, f"{name} must return tensors on the device of the images")
    _disturb_random_state()
    before = torch.get_rng_state()
    again = draw(_generator(0, device))
    alone = _equal(draws, again) and torch.equal(before, torch.get_rng_state())
    _require(alone, thing, f"{name} must take all randomness from the generator, none from torch's global state")
    return draws


def _disturb_random_state() -> None:
    torch.rand(7)


def _generator(seed: int, device: str | torch.device) -> Generator:
    return Generator(device).manual_seed(seed)


def _network(weights: Tensor, image: Tensor, /, **_: Tensor) -> Tensor:
    """Return an image-to-image function of three weights, which ignores extra tensors such as masks."""
    gain, neighbor, offset = weights[0], weights[1], weights[2]
    return gain * image + neighbor * image.roll(1, -1) + offset


def _scene(shape: Sequence[int]) -> Tensor:
    """Return clean images ``(B, C, H, W)`` in 0.2..0.8: ramps whose slopes differ between images and channels."""
    batch, channels, height, width = shape
    down, right = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)
    slope = torch.linspace(0.2, 0.8, batch * channels).view(batch, channels, 1, 1)
    return 0.2 + 0.6 * (slope * down + (1 - slope) * right)


def _noisy(shape: Sequence[int], seed: int, device: str) -> Tensor:
    clean = _scene(shape)
    return (clean + 0.1 * torch.randn(clean.shape, generator=_generator(seed, "cpu"))).clamp(0, 1).to(device)


def _level_and_target(noisy: Tensor) -> dict[str, Tensor]:
    level = torch.full((len(noisy),), 25.5, device=noisy.device)
    return {"level": level, "target": _noisy(noisy.shape, 99, str(noisy.device))}


def _batch(
    loss: DenoisingLoss,
    shape: Sequence[int],
    seed: int,
    batch_keys: Callable[[Tensor], Tensors] | None,
    device: str,
) -> dict[str, Tensor]:
    noisy = _noisy(shape, seed, device)
    known = {**_level_and_target(noisy), "guide": _scene(shape).to(device), **(batch_keys(noisy) if batch_keys else {})}
    missing = [key for key in loss.requires if key not in known]
    _require(not missing, loss, f"it requires {missing}: pass batch_keys= to this check")
    return {"noisy": noisy, **{key: known[key] for key in loss.requires}, **loss.measure(noisy)}


def _copied(tensors: Tensors) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tensors.items()}


def _equal(first: Tensors, second: Tensors) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def _close(first: Tensors, second: Tensors) -> bool:
    return first.keys() == second.keys() and all(
        torch.allclose(value, second[name], rtol=1e-4, atol=1e-6) for name, value in first.items()
    )


def _stacked(each: Iterable[Tensors]) -> dict[str, Tensor]:
    tensors = list(each)
    return {name: torch.stack([one[name] for one in tensors]) for name in tensors[0]}
