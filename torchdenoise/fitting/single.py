"""A fit to one picture."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightning
from torch import Tensor

from torchdenoise.data import SingleImage
from torchdenoise.denoisers import Denoiser
from torchdenoise.errors import UserError
from torchdenoise.fitting.options import Options
from torchdenoise.fitting.trainers import HYGIENE, accelerator, trainer_of
from torchdenoise.isolation import enough_memory, interruptible, own_random_state, quiet, seed_all
from torchdenoise.recipes.building import Fit, build_fit


@dataclass(frozen=True)
class Fitted:
    """What a fit made of a picture, and what the method found wrong with its noise."""

    image: Tensor
    assumption_warnings: Sequence[str] = ()


def build(recipe: Mapping[str, Any], options: Options) -> Denoiser:
    """Return the unfitted denoiser of a recipe for single pictures; the caller's random state stays as it was.

    Raises:
        UserError: what is wrong with the recipe or its overrides, or that it is trained on a data set.
    """
    with own_random_state(), quiet():
        fit = built(recipe, options)
        data_of(fit)
    return fit.model


def fit_image(image: Tensor, recipe: Mapping[str, Any], options: Options) -> Fitted:
    """Return what a zero-shot fit of a recipe makes of one image ``(1, C, H, W)`` in 0..1.

    Seed, build the objects, seed again, fit, predict: the same order as ``torchdenoise fit`` and ``predict``.

    Raises:
        UserError: a recipe that needs a data set, a device that is not there, a loss that became NaN.
    """
    return fit_readings(image, [(recipe, options)])[0]


def fit_readings(image: Tensor, fits: Sequence[tuple[Mapping[str, Any], Options]]) -> list[Fitted]:
    """Return what recipes that differ in their readout alone make of one fit to an image, as ``fit_image`` would.

    A readout that accumulates outputs during the fit belongs to its own fit; only the first recipe's may be one.
    """
    with own_random_state(), quiet(), interruptible(), enough_memory():
        readouts = [built(*each).model.readout for each in fits[1:]]
        recipe, options = fits[0]
        fit = built(recipe, options)
        data = data_of(fit)
        data.use(image, options.level)
        trainer = trainer_of(fit.trainer, options)
        seed_all(fit.seed)
        if fit.model.stages():
            trainer.fit(fit.model, datamodule=data)
        images = [_predicted(trainer, fit.model, data)]
        for readout in readouts:
            fit.model.readout = readout
            images.append(_predicted(trainer, fit.model, data))
        return [Fitted(image, fit.model.assumption_warnings) for image in images]


def apply_denoiser(
    model: Denoiser, image: Tensor, device: str = "auto", callbacks: Sequence[lightning.Callback] = (), seed: int = 0
) -> Tensor:
    """Return what a fitted denoiser makes of one image ``(1, C, H, W)`` in 0..1, on the CPU."""
    with own_random_state(), quiet(), interruptible(), enough_memory():
        seed_all(seed)  # some readouts draw masks
        data = SingleImage()
        data.use(image)
        trainer = lightning.Trainer(**HYGIENE, **accelerator(device), callbacks=list(callbacks))
        return _predicted(trainer, model, data)


def built(recipe: Mapping[str, Any], options: Options) -> Fit:
    """Return a fit's objects; copies of the caller's parts, for the next picture must not begin where this one ends."""
    return build_fit(recipe, options.changes(), copy.deepcopy(dict(options.parts)))


def data_of(fit: Fit) -> SingleImage:
    """Return the data of a zero-shot fit; UserError for a recipe that is none."""
    if not isinstance(fit.data, SingleImage):
        raise UserError(
            f"{type(fit.model).__name__} with {type(fit.data).__name__} is trained on a data set: "
            "use `torchdenoise fit`, then `torchdenoise denoise --ckpt`"
        )
    if fit.data.data_range is not None:
        raise UserError("data.data_range is read by `torchdenoise fit` alone: give --data-range, or data_range=")
    return fit.data


def _predicted(trainer: lightning.Trainer, model: Denoiser, data: SingleImage) -> Tensor:
    predictions = trainer.predict(model, datamodule=data)
    assert predictions is not None
    result = predictions[0]
    assert isinstance(result, Tensor)
    return result.cpu()
