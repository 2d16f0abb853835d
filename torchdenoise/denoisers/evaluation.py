"""A loss evaluated in a step: what it returns is checked, and its mistakes are named."""

import torch
from torch import Tensor

from torchdenoise.denoisers.parts.losses import Denoise, DenoisingLoss, Terms
from torchdenoise.errors import UserError
from torchdenoise.registry import PACKAGE
from torchdenoise.user_code import find_error


def evaluate(
    loss: DenoisingLoss, denoise: Denoise, seen: dict[str, Tensor], draws: dict[str, Tensor], progress: float
) -> Terms:
    """Return the terms of a loss, outside autocast.

    Raises:
        UserError: it returns no dict of scalar tensors, or an empty one.
    """
    inner = type(_innermost(loss))
    with torch.autocast(seen["noisy"].device.type, enabled=False):
        try:
            terms = loss(denoise, seen, draws, progress)
        except KeyError as error:
            if len(error.args) != 1 or error.args[0] in seen.keys() | draws.keys():
                raise
            hint = (
                "neither the batch nor draw gave it: for a random choice override draw, e.g. return "
                "self.downsampler.draw(batch['noisy'], generator); a key of the data belongs in requires"
            )
            if find_error(error) is None and not inner.__module__.startswith(f"{PACKAGE}."):
                raise UserError(f"{inner.__name__}: KeyError: {error}; {hint}") from error  # a part of ours missed it
            error.add_note(hint)
            raise
    if not isinstance(terms, dict) or not all(isinstance(term, Tensor) and not term.ndim for term in terms.values()):
        raise UserError(f"{inner.__name__}.forward must return a dict of scalar tensors, one for each term")
    if not terms:
        raise UserError(f"{inner.__name__}.forward returned an empty dict: return at least one term")
    return terms


CHECKED_EVERY = 50
"""Steps on a device that works ahead: to ask for a value is to wait for it."""


def finiteness_due(step: int, steps: int, device: torch.device) -> bool:
    """Return whether to ask at this step of a fit if the loss is finite: always on the CPU, else now and then.

    Weights that are not finite stay so, and the last step is asked too.

    Example:
        >>> [finiteness_due(step, 400, torch.device("cuda")) for step in (0, 1, 50, 399)]
        [True, False, True, True]
    """
    return device.type == "cpu" or step % CHECKED_EVERY == 0 or step == steps - 1


def require_gradient(loss: DenoisingLoss, total: Tensor) -> None:
    """Check that a training loss depends on the network; the attribute is known without waiting for the device.

    Raises:
        UserError: it does not.
    """
    if not total.requires_grad:
        raise UserError(
            f"{type(_innermost(loss)).__name__} does not depend on the network's weights, so that nothing is learnt: "
            "compute it from what denoise() returns, without detach(), item() or torch.no_grad()"
        )


def not_finite(step: int, rate: float | None = None, terms: str = "") -> str:
    """Return the message about a loss that is not finite; before the first update, the rate is not the reason.

    Example:
        >>> not_finite(3, 0.01, "fit")
        'the loss became NaN or infinite at step 3 (term fit, learning rate 0.01): lower the rate, e.g. ...=0.001'
        >>> not_finite(3)
        'the loss became NaN or infinite at step 3: lower the learning rate'
        >>> not_finite(0, 0.01, "fit")
        'the loss is NaN or infinite at step 0 (term fit), before any update: check its formula (logarithm, ...'
    """
    if step == 0:
        where = f" (term {terms})" if terms else ""
        return (
            f"the loss is NaN or infinite at step 0{where}, before any update: check its formula (logarithm, square "
            "root, division) and the data"
        )
    where = f" (term {terms}, learning rate {rate:g})" if rate is not None else ""
    remedy = "lower the learning rate" if rate is None else f"lower the rate, e.g. model.optimizer.lr={rate / 10:g}"
    return f"the loss became NaN or infinite at step {step}{where}: {remedy}"


def _innermost(loss: DenoisingLoss) -> DenoisingLoss:
    """Return the loss inside one that crops for it, for example."""
    inner = getattr(loss, "loss", None)
    return _innermost(inner) if isinstance(inner, DenoisingLoss) else loss
