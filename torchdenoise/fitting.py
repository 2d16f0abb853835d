"""The one road from a noisy picture to a clean one, which the command line, the Python API and comparisons all take."""

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import lightning
import numpy as np
import torch
from lightning.fabric.utilities.seed import seed_everything
from numpy.typing import NDArray
from torch import Tensor

from torchdenoise.budget import Budget, Progress
from torchdenoise.data import Picture, Scaling, SeveralImages, SingleImage, read_picture
from torchdenoise.denoisers import Denoiser, Stack, why_not
from torchdenoise.errors import UserError
from torchdenoise.isolation import interruptible, own_random_state, quiet
from torchdenoise.recipes import load_recipe
from torchdenoise.recipes.building import Fit, build_fit

Noisy = TypeVar("Noisy", NDArray[Any], Tensor)
DEFAULT_RECIPE = "fast"

HYGIENE: Mapping[str, Any] = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "limit_val_batches": 0,
}
"""What keeps a zero-shot fit silent and leaves no files behind."""


@dataclass(frozen=True)
class Options:
    """What a caller changes in a recipe; each as in ``denoise``."""

    max_steps: int | None = None
    seed: int | None = None
    device: str = "auto"
    overrides: Sequence[str] = ()
    progress: Progress | None = None
    level: float | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)
    callbacks: Sequence[lightning.Callback] = ()
    budget: float | None = None
    told: Callable[[str], None] | None = None
    """Told in a line what was chosen for a budget, or why pictures are not fitted together."""

    def changes(self) -> list[str]:
        """Return all that can be said as ``KEY=VALUE``.

        Raises:
            UserError: ``max_steps`` below 1, a budget not above 0, or both.
        """
        if self.max_steps is not None and self.max_steps < 1:
            raise UserError(f"max_steps={self.max_steps}: must be at least 1")
        if self.budget is not None and not self.budget > 0:
            raise UserError(f"budget={self.budget}: must be above 0 seconds")
        if self.budget is not None and self.max_steps is not None:
            raise UserError("a budget chooses the number of steps: give budget or max_steps, not both")
        named = {"trainer.max_steps": self.max_steps, "seed_everything": self.seed}
        given = [self.overrides] if isinstance(self.overrides, str) else self.overrides
        return [*given, *(f"{key}={value}" for key, value in named.items() if value is not None)]


def denoise(
    noisy: Noisy | str | Path,
    recipe: str | Path | Mapping[str, Any] | None = None,
    *,
    checkpoint: str | Path | None = None,
    max_steps: int | None = None,
    seed: int | None = None,
    device: str = "auto",
    data_range: float | tuple[float, float] | None = None,
    overrides: Sequence[str] = (),
    progress: Progress | None = None,
    level: float | None = None,
    batch: int = 1,
    budget: float | None = None,
    **parts: Any,
) -> Noisy | NDArray[Any]:
    """Return the denoised picture: same shape, dtype, range and device as the noisy one.

    Args:
        noisy: an array (H, W) or (H, W, C), a tensor (B, C, H, W) whose pictures are each fitted by themselves, or the
            path of a PNG, TIFF or JPEG file, which gives an array.
        recipe: a recipe's name, the path of your own YAML file, or a dict; ``fast`` unless given.
        checkpoint: of an earlier fit, which is applied as it is; with a recipe, that fit starts from its network.
        max_steps: instead of the recipe's.
        seed: instead of the recipe's.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        data_range: the white level, or (black, white); unless given, it follows from the dtype, or for floats from
            the data: 0 to 1 if they lie there, else their own minimum and maximum.
        overrides: any other argument, ``"model.network.width=64"``.
        progress: called after every step.
        level: the true standard deviation of Gaussian noise on the 0-255 scale, for recipes called ``...-oracle``.
        batch: of a tensor, so many pictures are fitted together.
        budget: seconds that a picture may take; the number of steps is then chosen by the clock of this machine.
        parts: constructor arguments of the denoiser as objects: ``loss=MyLoss()``, ``network=SmallCNN(width=64)``.

    The caller's random state, warnings and signal handlers are left as they were.

    Raises:
        UserError: whatever the caller can mend; its message says how.

    Example:
        >>> noisy = (torch.rand(1, 3, 8, 8) * 255).byte()
        >>> denoise(noisy, max_steps=2).shape
        torch.Size([1, 3, 8, 8])
    """
    options = Options(max_steps, seed, device, overrides, progress, level, parts, budget=budget)
    work = restorer(recipe, checkpoint, options)
    if isinstance(noisy, Tensor):
        return _denoised_stack(noisy, data_range, work, batch)
    if isinstance(noisy, np.ndarray):
        picture = Picture.from_array(noisy, data_range)
    elif isinstance(noisy, (str, Path)):
        picture = read_picture(noisy, data_range)
    else:
        raise UserError(f"cannot denoise a {type(noisy).__name__}: give a NumPy array, a tensor or a file's path")
    (clean,) = work([picture.image])
    return picture.restore(settled(clean))


Result = Tensor | UserError
Restore = Callable[[Sequence[Tensor]], list[Result]]
"""Makes of noisy images ``(1, C, H, W)`` in 0..1 clean ones, or says what went wrong with each."""


def restorer(recipe: str | Path | Mapping[str, Any] | None, checkpoint: str | Path | None, options: Options) -> Restore:
    """Return what makes noisy images clean: a fit, a checkpoint, or both.

    Raises:
        UserError: what is wrong with the recipe, its overrides, the checkpoint or the device, before any work is done.
    """
    accelerator(options.device)
    start = None if checkpoint is None else Denoiser.load(checkpoint)
    if start is not None and recipe is None:
        if options.budget is not None:
            raise UserError("a checkpoint is applied as it is, there are no steps to choose: leave the budget out")
        return lambda images: [apply_denoiser(start, image, options.device) for image in images]
    plan = recipe if isinstance(recipe, Mapping) else load_recipe(str(recipe or DEFAULT_RECIPE))
    if start is not None:
        options = replace(options, parts={"network": start.stages()[-1].network, **options.parts})
    denoiser = build(plan, options)
    if options.budget is None:
        return lambda images: fit_images(images, plan, options)
    if not denoiser.stages():
        raise UserError("a budget chooses the number of steps, and this recipe has none")

    def fit(image: Tensor, steps: int, progress: Progress | None) -> Tensor:
        return fit_image(image, plan, replace(options, budget=None, max_steps=steps, progress=progress))

    budget = Budget(options.budget, fit, options.told)
    return lambda images: [_tried(functools.partial(budget.fit, image, options.progress)) for image in images]


def settled(result: Result) -> Tensor:
    """Return a result, or raise what went wrong."""
    if isinstance(result, UserError):
        raise result
    return result


def build(recipe: Mapping[str, Any], options: Options) -> Denoiser:
    """Return the unfitted denoiser of a recipe for single pictures; the caller's random state stays as it was.

    Raises:
        UserError: what is wrong with the recipe or its overrides, or that it is trained on a data set.
    """
    with own_random_state(), quiet():
        fit = build_fit(recipe, options.changes())
        _single(fit)
    return fit.model


def apply_denoiser(
    model: Denoiser, image: Tensor, device: str = "auto", callbacks: Sequence[lightning.Callback] = ()
) -> Tensor:
    """Return what a fitted denoiser makes of one image ``(1, C, H, W)`` in 0..1, on the CPU."""
    with own_random_state(), quiet(), interruptible():
        data = SingleImage()
        data.use(image)
        trainer = lightning.Trainer(**HYGIENE, **accelerator(device), callbacks=list(callbacks))
        return _predicted(trainer, model, data)


def _predicted(trainer: lightning.Trainer, model: Denoiser, data: SingleImage) -> Tensor:
    predictions = trainer.predict(model, datamodule=data)
    assert predictions is not None
    result = predictions[0]
    assert isinstance(result, Tensor)
    return result.cpu()


def _denoised_stack(noisy: Tensor, data_range: float | tuple[float, float] | None, work: Restore, batch: int) -> Tensor:
    if noisy.ndim != 4:
        raise UserError(f"a tensor must be (B, C, H, W), this one is {tuple(noisy.shape)}; try noisy[None]")
    if batch < 1:
        raise UserError(f"batch={batch}: must be at least 1")
    plain = noisy.detach().cpu()
    array = (plain.float() if plain.dtype is torch.bfloat16 else plain).numpy()
    scaling = Scaling.of(array, data_range)
    images = torch.split(scaling.to_unit(array), 1)
    clean = [settled(result) for at in range(0, len(images), batch) for result in work(images[at : at + batch])]
    return torch.cat([torch.from_numpy(scaling.from_unit(image)) for image in clean]).to(noisy.device, noisy.dtype)


def fit_image(image: Tensor, recipe: Mapping[str, Any], options: Options) -> Tensor:
    """Return the clean version of one image ``(1, C, H, W)`` in 0..1, by a zero-shot fit of a recipe.

    Seed, build the objects, seed again, fit, predict: the same order as ``torchdenoise fit`` and ``predict``.

    Raises:
        UserError: a recipe that needs a data set, a device that is not there, a loss that became NaN.
    """
    where = accelerator(options.device)
    with own_random_state(), quiet(), interruptible():
        fit = _built(recipe, options)
        data = _single(fit)
        data.use(image, options.level)
        trainer = _trainer(fit, where, options)
        seed_everything(fit.seed, workers=True, verbose=False)
        if fit.model.stages():
            trainer.fit(fit.model, datamodule=data)
        return _predicted(trainer, fit.model, data)


def fit_images(images: Sequence[Tensor], recipe: Mapping[str, Any], options: Options) -> list[Result]:
    """Return the clean versions of images ``(1, C, H, W)`` of any sizes, fitted together, or what went wrong with each.

    Their networks are stacked, those of one number of channels together; each result is what ``fit_image`` gives, but
    for rounding. A method that cannot be stacked fits them one after the other.
    """
    reason = _why_alone(recipe, options) if len(images) > 1 else ""
    if reason and options.told is not None:
        options.told(f"{reason}: the pictures are fitted one after the other")
    if reason or len(images) == 1:
        return [_tried(functools.partial(fit_image, image, recipe, options)) for image in images]
    results: dict[int, Result] = {}
    for channels in {image.shape[1]: None for image in images}:
        places = [place for place, image in enumerate(images) if image.shape[1] == channels]
        found = _fit_stacked([images[place] for place in places], recipe, options)
        results |= dict(zip(places, found, strict=True))
    return [results[place] for place in range(len(images))]


def _why_alone(recipe: Mapping[str, Any], options: Options) -> str:
    """Return why a recipe's fits cannot be stacked; an empty string if they can."""
    with own_random_state(), quiet():
        fit = _built(recipe, options)
        cropped = _single(fit).crop is not None
    return why_not(fit.model) or ("data.crop cuts one picture at a time (OnCrops cuts many)" if cropped else "")


def _built(recipe: Mapping[str, Any], options: Options) -> Fit:
    """Return a fit's objects; copies of the caller's parts, for the next picture must not begin where this one ends."""
    return build_fit(recipe, options.changes(), copy.deepcopy(dict(options.parts)))


def _fit_stacked(images: Sequence[Tensor], recipe: Mapping[str, Any], options: Options) -> list[Result]:
    """Return what becomes of images with one number of channels; what is wrong for all is wrong with each."""
    with own_random_state(), quiet(), interruptible():
        fits: dict[int, Fit] = {}
        results: dict[int, Result] = {}
        for place, image in enumerate(images):
            fit = _built(recipe, options)
            _single(fit).use(image, options.level)
            seed_everything(fit.seed, workers=True, verbose=False)
            try:
                fit.model.match_pictures(*image.shape[1:])
            except UserError as error:
                results[place] = error
            else:
                fits[place] = fit
        try:
            results |= dict(zip(fits, _stacked_results(list(fits.values()), options), strict=True))
        except UserError as error:
            results |= dict.fromkeys(fits, error)
        return [results[place] for place in range(len(images))]


def _stacked_results(fits: Sequence[Fit], options: Options) -> list[Result]:
    if not fits:
        return []
    stack, data = Stack([fit.model for fit in fits]), SeveralImages([_single(fit) for fit in fits])
    trainer = _trainer(fits[0], accelerator(options.device), options)
    seed_everything(fits[0].seed, workers=True, verbose=False)
    trainer.fit(stack, datamodule=data)
    clean = trainer.predict(stack, datamodule=data)
    assert clean is not None
    return [
        UserError(f"{stack.failed[place]}: lower the rate") if place in stack.failed else result.cpu()
        for place, result in enumerate(clean)
        if isinstance(result, Tensor)
    ]


def _tried(fit: Callable[[], Tensor]) -> Result:
    try:
        return fit()
    except UserError as error:
        return error


def _single(fit: Fit) -> SingleImage:
    """Return the data of a zero-shot fit; UserError for a recipe that is none."""
    if not isinstance(fit.data, SingleImage):
        raise UserError(
            f"{type(fit.model).__name__} with {type(fit.data).__name__} is trained on a data set: "
            "use `torchdenoise fit`, then `torchdenoise denoise --ckpt`"
        )
    return fit.data


def _trainer(fit: Fit, where: Mapping[str, Any], options: Options) -> lightning.Trainer:
    arguments = {**fit.trainer, **HYGIENE, **where}
    callbacks = [*(arguments.pop("callbacks", None) or []), *options.callbacks]
    if options.progress is not None:
        callbacks.append(_Reporter(options.progress))
    return lightning.Trainer(**arguments, callbacks=callbacks)


def accelerator(device: str) -> dict[str, Any]:
    """Return the Trainer's arguments for a device name.

    Raises:
        UserError: not a device, or one that is not there.

    Example:
        >>> accelerator("cpu")
        {'accelerator': 'cpu', 'devices': 1}
    """
    if device == "auto":
        return {"accelerator": "auto", "devices": 1}
    try:
        wanted = torch.device(device)
    except RuntimeError:
        raise UserError(f"device {device}: not one of auto, cpu, cuda, cuda:N, mps") from None
    if wanted.type == "cpu":
        return {"accelerator": "cpu", "devices": 1}
    present = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}.get(wanted.type, 0)
    if (wanted.index or 0) >= present:
        raise UserError(f"device {device}: PyTorch finds {present or 'none'} of this kind here; use --device cpu")
    return {"accelerator": wanted.type, "devices": 1 if wanted.type == "mps" else [wanted.index or 0]}


class _Reporter(lightning.Callback):
    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        self.progress(trainer.global_step, int(trainer.estimated_stepping_batches))
