"""``denoise()``, and the function behind it that the command line uses too."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchdenoise.data import Picture, Scaling, read_picture
from torchdenoise.data.headers import check_fits
from torchdenoise.data.holes import Holes, check_mask, read_mask
from torchdenoise.denoisers import Denoiser
from torchdenoise.errors import AssumptionWarning, PictureError, RecipeError, UserError
from torchdenoise.fitting.budget import Budget, Progress
from torchdenoise.fitting.options import Options
from torchdenoise.fitting.single import Fitted, apply_denoiser, build, fit_image
from torchdenoise.fitting.together import Result, fit_each, fit_images, unwrap
from torchdenoise.fitting.trainers import accelerator
from torchdenoise.isolation import default_torch_modes
from torchdenoise.noise import NoiseModel, NoiseProfile, find_outliers, given_profile
from torchdenoise.recipes import load_recipe

Noisy = TypeVar("Noisy", NDArray[Any], Tensor)
DEFAULT_RECIPE = "fast"
FEW_PHOTONS = "whole numbers are too coarse for the result, whose values differ by a few steps only"

Restore = Callable[[Sequence[Tensor]], list[Result]]
"""Returns the result or error for each noisy image ``(1, C, H, W)`` in 0..1."""


@default_torch_modes()
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
    strength: float = 1.0,
    dtype: Any = "same",
    noise: NoiseProfile | NoiseModel | str | Path | None = None,
    keep_outliers: bool = False,
    mask: NDArray[Any] | str | Path | None = None,
    **parts: Any,
) -> Noisy | NDArray[Any]:
    """Return the denoised picture: same shape, dtype, range and device as the noisy one.

    Args:
        noisy: an array (H, W) or (H, W, C), a tensor (B, C, H, W) whose pictures are fitted separately, or the path of
            a picture file, which gives an array.
        recipe: a recipe's name, the path of a YAML file, or a dict; ``fast`` by default.
        checkpoint: of an earlier fit, applied without another fit; with a recipe, a new fit starts from its network.
        max_steps: overrides the recipe's.
        seed: overrides the recipe's; for a checkpoint, the default is 0.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        data_range: the white level, or (black, white); by default it follows from the dtype, for floats from the data:
            0 to 1 if they lie there, else from their minimum to their maximum; see ``Scaling.of``.
        overrides: further arguments of the recipe, ``"model.network.width=64"``.
        progress: called with (finished steps, all steps) after every step.
        level: the true standard deviation of Gaussian noise on the 0-255 scale, for recipes called ``...-oracle``.
        batch: number of pictures of a tensor that are fitted together.
        budget: seconds per picture; the number of steps is then chosen by the clock of this machine.
        strength: 0 to 1; the result is ``noisy + strength * (result - noisy)``.
        dtype: of the result: ``"same"``, or ``"float32"``, which rounds nothing; the values keep their unit.
        noise: what the noise is, instead of a measurement: a spec such as ``"gaussian:12"`` or
            ``"poisson:30+gaussian:5"``, a noise model, a ``NoiseProfile``, or the path of its file; in units of the
            white level (``data_range``). It is believed; outliers are measured unless a profile states them.
        keep_outliers: whether hot pixels and other outliers come back unchanged; methods that measure the noise remove
            them by default. The fit does not see them in either case.
        mask: (H, W), an array or a picture file; where it is not 0, pixels are not seen by the fit and keep their
            value. So do NaN, transparent pixels, and those that a NumPy masked array hides.
        parts: constructor arguments of the denoiser as objects: ``loss=MyLoss()``, ``network=SmallCNN(width=64)``.

    The caller's random state, warnings and signal handlers are restored.

    Warns:
        AssumptionWarning: the noise violates the method's assumptions, or whole numbers are too coarse for the result.

    Raises:
        UserError: a mistake that the caller can fix; the message says how.

    Example:
        >>> noisy = (torch.rand(1, 3, 8, 8) * 255).byte()
        >>> denoise(noisy, max_steps=2).shape
        torch.Size([1, 3, 8, 8])
        >>> denoise(noisy, max_steps=2, strength=0.7, dtype="float32").dtype
        torch.float32
    """
    given = None if noise is None else given_profile(noise)
    options = Options(
        max_steps, seed, device, overrides, progress, level, parts, budget=budget, noise=given, strength=strength,
        keep_outliers=keep_outliers,
    )  # fmt: skip
    restore = restorer(recipe, checkpoint, options)
    if isinstance(noisy, Tensor):
        if mask is not None:
            raise PictureError("a mask is for one picture: give an array (H, W) or (H, W, C) instead of a tensor")
        return _denoise_batch(noisy, data_range, restore, batch, dtype)
    if isinstance(noisy, np.ndarray):
        picture = Picture.from_array(np.ma.getdata(noisy), data_range, mask=_hidden(noisy, mask))
    elif isinstance(noisy, (str, Path)):
        check_fits(Path(noisy))
        picture = read_picture(noisy, data_range, _hidden(None, mask))
        for note in picture.notes:
            warnings.warn(f"{noisy}: {note}", stacklevel=3)
    else:
        raise UserError(f"cannot denoise a {type(noisy).__name__}: give a NumPy array, a tensor or a file's path")
    target = picture.stored_as(dtype)
    (result,) = restore([picture.image])
    clean = unwrap(result)
    _warn_of_rounding(target.scaling, clean, picture.image)
    restored = target.restore(clean)
    if isinstance(noisy, np.ma.MaskedArray):
        restored = np.ma.MaskedArray(restored, mask=noisy.mask)
    same = target.scaling is picture.scaling
    return restored.astype(noisy.dtype, copy=False) if isinstance(noisy, np.ndarray) and same else restored


def _hidden(noisy: NDArray[Any] | None, mask: NDArray[Any] | str | Path | None) -> Holes | None:
    """Return the mask that is given, with what the mask of a NumPy masked array hides."""
    given = None if mask is None else read_mask(mask) if isinstance(mask, (str, Path)) else check_mask(mask)
    if noisy is None or not np.ma.is_masked(noisy):
        return given
    hidden = np.ma.getmaskarray(noisy)
    own: Holes = np.asarray(hidden.any(-1) if hidden.ndim == 3 else hidden)
    return own if given is None else own | given


def _warn_of_rounding(scaling: Scaling, clean: Tensor, noisy: Tensor) -> None:
    if scaling.rounds_away(clean, noisy):
        warnings.warn(f"{FEW_PHOTONS}: pass dtype='float32' (--dtype float32)", AssumptionWarning, stacklevel=4)


def restorer(recipe: str | Path | Mapping[str, Any] | None, checkpoint: str | Path | None, options: Options) -> Restore:
    """Return the function that denoises images by a fit, by a checkpoint, or by a fit that starts from one.

    Raises:
        UserError: the recipe, an override, the checkpoint or the device is wrong; known before any work is done.
    """
    restore = _full_restorer(recipe, checkpoint, options)
    if options.keep_outliers:
        restore = _finished(restore, lambda noisy, clean: torch.where(_outliers(noisy, options.noise), noisy, clean))
    if options.strength < 1:
        restore = _finished(restore, lambda noisy, clean: torch.lerp(noisy, clean, options.strength))
    return restore


def _finished(restore: Restore, finish: Callable[[Tensor, Tensor], Tensor]) -> Restore:
    """Return a function that changes each result; ``finish`` is called with the noisy image and the clean one."""

    def finished(images: Sequence[Tensor]) -> list[Result]:
        return [
            result if isinstance(result, UserError) else replace(result, image=finish(noisy.cpu(), result.image))
            for noisy, result in zip(images, restore(images), strict=True)
        ]

    return finished


def _outliers(noisy: Tensor, given: NoiseProfile | None) -> Tensor:
    """Return where an image has outliers, as the given noise states or as they are measured."""
    return find_outliers(noisy).mask if given is None or given.outliers is None else given.outliers.to(noisy.device)


def _full_restorer(
    recipe: str | Path | Mapping[str, Any] | None, checkpoint: str | Path | None, options: Options
) -> Restore:
    """Return the function that denoises images with full strength."""
    accelerator(options.device)
    start = None if checkpoint is None else Denoiser.load(checkpoint)
    if start is not None and recipe is None:
        unused = [name for name in ("max_steps", "overrides", "parts", "budget") if getattr(options, name)]
        if unused:
            raise RecipeError(
                f"a checkpoint is applied without a fit: leave {' and '.join(unused)} out, or name a recipe whose fit "
                "starts from it"
            )

        _check_use(start, options)
        start.given_noise = options.noise

        def apply(image: Tensor) -> Fitted:
            clean = apply_denoiser(start, image, options.device, (), options.seed or 0)
            return Fitted(clean, noise=start.noise_line())

        return _for_any_size(lambda images: fit_each(images, apply), start.smallest)
    loaded = recipe if isinstance(recipe, Mapping) else load_recipe(str(recipe or DEFAULT_RECIPE))
    if start is not None:
        options = replace(options, parts={"network": start.stages()[-1].network, **options.parts})
    denoiser = build(loaded, options)
    _check_use(denoiser, options)
    if options.budget is None:
        return _for_any_size(lambda images: fit_images(images, loaded, options), denoiser.smallest)
    if not denoiser.stages():
        raise RecipeError("a budget chooses the number of steps, and this recipe has none")

    def fit(
        image: Tensor, steps: int, progress: Progress | None, callbacks: Sequence[lightning.Callback] = ()
    ) -> Fitted:
        limited = replace(options, budget=None, max_steps=steps, progress=progress)
        return fit_image(image, loaded, replace(limited, callbacks=[*options.callbacks, *callbacks]))

    budget = Budget(options.budget, fit, options.on_message)
    return _for_any_size(
        lambda images: fit_each(images, lambda image: budget.fit(image, options.progress)), denoiser.smallest
    )


def _for_any_size(restore: Restore, smallest: int) -> Restore:
    """Return a function that mirrors images at their edges until they have the method's smallest size."""

    def enlarged(image: Tensor) -> Tensor:
        missing = [(0, max(smallest - size, 0)) for size in image.shape[-2:]]
        if not any(after for _, after in missing):
            return image
        return torch.from_numpy(np.pad(image.cpu().numpy(), [(0, 0), (0, 0), *missing], mode="symmetric"))

    def cut(result: Result, like: Tensor) -> Result:
        if isinstance(result, UserError) or result.image.shape == like.shape:
            return result
        return replace(result, image=result.image[..., : like.shape[-2], : like.shape[-1]])

    def restored(images: Sequence[Tensor]) -> list[Result]:
        results = restore([enlarged(image) for image in images])
        return [cut(result, image) for result, image in zip(results, images, strict=True)]

    return restored


def _check_use(denoiser: Denoiser, options: Options) -> None:
    """Refuse a given noise that would have no effect."""
    if options.noise is not None and not denoiser.uses_noise:
        raise RecipeError(
            f"{type(denoiser).__name__} makes no use of a given noise: leave it out, or choose a recipe that does, "
            "such as fast, instant or best"
        )


def _denoise_batch(
    noisy: Tensor, data_range: float | tuple[float, float] | None, restore: Restore, batch: int, dtype: Any
) -> Tensor:
    if noisy.ndim != 4:
        raise PictureError(f"a tensor must be (B, C, H, W), this one is {tuple(noisy.shape)}; try noisy[None]")
    if batch < 1:
        raise UserError(f"batch={batch}: must be at least 1")
    plain = noisy.detach().cpu()
    array = (plain.float() if plain.dtype is torch.bfloat16 else plain).numpy()
    scaling = Scaling.of(array, data_range)
    target, unclamped = scaling.stored_as(dtype), scaling.to_unit(array)
    images = torch.split(scaling.hide_outliers(unclamped), 1)
    clean = torch.cat(
        [unwrap(result) for start in range(0, len(images), batch) for result in restore(images[start : start + batch])]
    )
    _warn_of_rounding(target, clean, unclamped)
    restored = torch.from_numpy(target.from_unit(scaling.keep_outliers(clean, unclamped)))
    return restored.to(noisy.device, noisy.dtype if target is scaling else restored.dtype)
