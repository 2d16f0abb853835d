"""One network for many frames: fitted to some of them, applied to each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import lightning
from torch import Tensor

from torchdenoise.data import SingleImage
from torchdenoise.denoisers import Denoiser
from torchdenoise.errors import RecipeError
from torchdenoise.fitting.options import Options
from torchdenoise.fitting.single import Fitted, build_objects, predict, zero_shot_data
from torchdenoise.fitting.trainers import make_trainer
from torchdenoise.isolation import interruptible, memory_errors, quiet, restored_random_state, seed_all
from torchdenoise.recipes.building import Fit

LEAVE_OUT = "leave fit='shared' (--fit shared) out"


class SharedFit:
    """A network that is fitted when the first frame is denoised; the others only go through it.

    Each step of the fit sees one of the frames, in turn, so that it costs as much as a step of a fit to one frame.

    Args:
        recipe: of the fit.
        options: with ``shared``, which returns the frames to fit to.
        steps: returns the number of steps for a frame; the recipe's by default.
    """

    def __init__(
        self, recipe: Mapping[str, Any], options: Options, steps: Callable[[Tensor], int] | None = None
    ) -> None:
        self._recipe = recipe
        self._options = options
        self._steps = steps
        self._done: tuple[Fit, SingleImage, lightning.Trainer] | None = None

    def denoise(self, image: Tensor, neighbours: Sequence[Tensor] = ()) -> Fitted:
        """Return the result for a frame ``(1, C, H, W)`` in 0..1.

        Raises:
            UserError: as ``fit_image``.
        """
        if self._done is None:
            self._done = self._fitted()
        fit, data, trainer = self._done
        with restored_random_state(), quiet(), interruptible(), memory_errors():
            data.use(image, self._options.level, neighbours=neighbours)
            seed_all(fit.seed)  # the seed of the fit, as for a single picture
            clean = predict(trainer, fit.model, data)
            return Fitted(clean, fit.model.assumption_warnings, fit.model.noise_line())

    def _fitted(self) -> tuple[Fit, SingleImage, lightning.Trainer]:
        assert self._options.shared is not None
        first, *others = self._options.shared()
        options = self._options
        if self._steps is not None:
            options = replace(options, budget=None, max_steps=self._steps(first))
        with restored_random_state(), quiet(), interruptible(), memory_errors():
            fit = build_objects(self._recipe, options)
            data = zero_shot_data(fit)
            data.use(first, options.level, others=others)
            trainer = make_trainer(fit.trainer, options)
            seed_all(fit.seed)
            trainer.fit(fit.model, datamodule=data)
        return fit, data, trainer


def check_shareable(denoiser: Denoiser) -> None:
    """Raise RecipeError if one network of a method cannot serve several frames."""
    name, readout = type(denoiser).__name__, denoiser.active_readout()
    if not denoiser.stages():
        raise RecipeError(f"{name} fits no network that frames could share: {LEAVE_OUT}")
    if not denoiser.croppable:
        raise RecipeError(f"{name} fits its network to one image only: {LEAVE_OUT}, or choose instant, fast or best")
    if readout.needs_outputs:
        raise RecipeError(
            f"{type(readout).__name__} reads the result during the fit to one image: {LEAVE_OUT}, or choose another "
            "readout, e.g. model.readout=EightTurns"
        )
