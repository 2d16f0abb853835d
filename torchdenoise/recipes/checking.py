"""What a recipe builds, in one line, without a fit."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch.optim import Optimizer

from torchdenoise.data import SingleImage
from torchdenoise.denoisers.stages import Chain, Plan, class_names, one_optimizer
from torchdenoise.recipes.building import Fit, build_fit
from torchdenoise.registry import Registered


def built_parts(recipe: Mapping[str, Any]) -> str:
    """Return one line about the objects of a recipe, which are built, its optimizer and schedule included.

    Args:
        recipe: a plain dict, as ``load_recipe`` returns it.

    Raises:
        UserError: an object cannot be built.

    Example:
        >>> built_parts({"model": "NLRidge"}), built_parts({"model": "ZSN2N"}).partition("; ")[2]
        ('NLRidge; nothing to fit', 'trained on one picture, 2000 steps, Adam at 0.001 with StepLR')
    """
    fit = build_fit(recipe)
    parts = ", ".join(dict.fromkeys(_parts(fit.model)))
    return f"{type(fit.model).__name__}{parts and f' with {parts}'}; {_training(fit)}"


def _parts(owner: Registered) -> Iterator[str]:
    """Yield the class names of the registered objects that an object was built with, or chose by itself."""
    for name, given in owner.arguments.items():
        part = getattr(owner, name, given)
        if isinstance(part, Registered):
            yield type(part).__name__
            yield from _parts(part)


def _training(fit: Fit) -> str:
    stages = fit.model.stages()
    if not stages:
        return "nothing to fit"
    steps, epochs = fit.trainer.get("max_steps") or fit.data.default_steps, fit.trainer.get("max_epochs")
    parameters = [stage.network.named_parameters() for stage in stages]
    made = one_optimizer(stages, parameters, Plan.of(stages, steps or 1), fit.model.optimizer, fit.model.scheduler)
    length = f"{epochs} epochs" if epochs else f"{steps} steps" if steps else "as long as the Trainer's options say"
    where = "one picture" if isinstance(fit.data, SingleImage) else "a data set"
    return f"trained on {where}, {length}, {_optimization(made['optimizer'], made['lr_scheduler'], len(stages))}"


def _optimization(optimizer: Optimizer, schedule: Mapping[str, Any], stages: int) -> str:
    """Return the optimizers, their first learning rates, and the schedule if it is not put together from several."""
    chained = optimizer.optimizers if isinstance(optimizer, Chain) else [optimizer]
    rates = ((each, each.param_groups[0]) for each in chained)
    names = [f"{type(each).__name__} at {group.get('initial_lr', group['lr']):g}" for each, group in rates]
    return " then ".join(dict.fromkeys(names)) + (
        f" with {class_names([schedule['scheduler']])[0]}" if stages == 1 else ""
    )
