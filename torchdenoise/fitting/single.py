"""A fit to one image."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightning
from torch import Tensor

from torchdenoise.data import SingleImage
from torchdenoise.denoisers import Denoiser
from torchdenoise.errors import RecipeError
from torchdenoise.fitting.options import Options
from torchdenoise.fitting.trainers import HYGIENE, accelerator, make_trainer
from torchdenoise.isolation import interruptible, memory_errors, quiet, restored_random_state, seed_all
from torchdenoise.recipes.building import Fit, build_fit


@dataclass(frozen=True)
class Fitted:
    """The result for an image, and what the method says about its noise."""

    image: Tensor
    assumption_warnings: Sequence[str] = ()
    noise: str = ""
    """One line about the noise; empty if the method makes no use of it."""
    recipe: str = ""
    """The recipe that ``auto`` chose; empty if one was named."""


def build(recipe: Mapping[str, Any], options: Options) -> Denoiser:
    """Return the unfitted denoiser of a zero-shot recipe; the caller's random state is unchanged.

    Raises:
        RecipeError: the recipe or an override is wrong, or the recipe is trained on a data set.
    """
    with restored_random_state(), quiet():
        fit = build_objects(recipe, options)
        zero_shot_data(fit)
    return fit.model


def fit_image(image: Tensor, recipe: Mapping[str, Any], options: Options, neighbours: Sequence[Tensor] = ()) -> Fitted:
    """Return the result of a zero-shot fit to one image ``(1, C, H, W)`` in 0..1.

    Neighbours are frames before and after the image, for a readout that makes use of them.

    Seed, build the objects, seed again, fit, predict: the same order as ``torchdenoise fit`` and ``predict``.

    Raises:
        UserError: a recipe that needs a data set, a device that is not available, a loss that became NaN.
    """
    return fit_shared(image, [(recipe, options)], neighbours)[0]


def fit_shared(
    image: Tensor, fits: Sequence[tuple[Mapping[str, Any], Options]], neighbours: Sequence[Tensor] = ()
) -> list[Fitted]:
    """Return the results of recipes with options that differ only in their readout, from one shared fit to an image.

    Each equals that of ``fit_image``. A readout that accumulates outputs during the fit cannot share another's fit, so
    only the first recipe may have one. A method that reads during the fit is fitted for each readout.
    """
    (recipe, options), *others = fits
    with restored_random_state(), quiet(), interruptible(), memory_errors():
        readouts = [build_objects(*each).model.readout for each in others]
        fit = build_objects(recipe, options)
        if others and fit.model.reads_in_fit:
            return [fit_image(image, *each, neighbours) for each in fits]
        data = zero_shot_data(fit)
        data.use(image, options.level, neighbours=neighbours)
        trainer = make_trainer(fit.trainer, options)
        seed_all(fit.seed)
        if fit.model.stages():
            trainer.fit(fit.model, datamodule=data)
        images = [predict(trainer, fit.model, data)]
        for readout in readouts:
            fit.model.readout = readout
            images.append(predict(trainer, fit.model, data))
        return [Fitted(image, fit.model.assumption_warnings, fit.model.noise_line()) for image in images]


def apply_denoiser(
    model: Denoiser,
    image: Tensor,
    device: str = "auto",
    callbacks: Sequence[lightning.Callback] = (),
    seed: int = 0,
    neighbours: Sequence[Tensor] = (),
) -> Tensor:
    """Return a fitted denoiser's result for one image ``(1, C, H, W)`` in 0..1, on the CPU."""
    with restored_random_state(), quiet(), interruptible(), memory_errors():
        seed_all(seed)  # some readouts draw masks
        data = SingleImage()
        data.use(image, neighbours=neighbours)
        trainer = lightning.Trainer(**HYGIENE, **accelerator(device), callbacks=list(callbacks))
        return predict(trainer, model, data)


def build_objects(recipe: Mapping[str, Any], options: Options) -> Fit:
    """Return the objects of a fit; the caller's parts are copied, so that each image starts from the same weights."""
    fit = build_fit(recipe, options.changes(), copy.deepcopy(dict(options.parts)))
    fit.model.given_noise = options.noise
    return fit


def zero_shot_data(fit: Fit) -> SingleImage:
    """Return the data of a zero-shot fit; RecipeError if the recipe is trained on a data set."""
    if not fit.data.zero_shot:
        raise RecipeError(
            f"{type(fit.model).__name__} with {type(fit.data).__name__} is trained on a data set: "
            "use `torchdenoise fit`, then `torchdenoise denoise --ckpt`"
        )
    assert isinstance(fit.data, SingleImage)
    if fit.data.data_range is not None:
        raise RecipeError("data.data_range is only used by `torchdenoise fit`: give --data-range, or data_range=")
    return fit.data


def predict(trainer: lightning.Trainer, model: Denoiser, data: SingleImage) -> Tensor:
    """Return a fitted denoiser's result for the image of the data, on the CPU."""
    predictions = trainer.predict(model, datamodule=data)
    assert predictions is not None
    result = predictions[0]
    assert isinstance(result, Tensor)
    return result.cpu()
