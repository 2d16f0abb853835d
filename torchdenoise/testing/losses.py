"""The contract of losses."""

import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.func import vmap

from torchdenoise.denoisers import DenoisingLoss
from torchdenoise.isolation import restored_random_state
from torchdenoise.testing._shared import (
    CHANNELS,
    SIZES,
    WEIGHTS,
    Tensors,
    all_close,
    all_equal,
    check_draw,
    check_recipe,
    copied,
    disturb_random_state,
    keeping,
    new_batch,
    new_generator,
    require,
    stacked,
    tiny_network,
)


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
    check_recipe(loss)
    for height, width in sizes:
        for count in channels:
            where = f"images of {height}x{width} pixels and {count} channel(s)"
            batches = [new_batch(loss, (2, count, height, width), seed, batch_keys, device) for seed in (0, 1)]
            with restored_random_state():
                draws = check_draw(loss, functools.partial(loss.draw, batches[0]), device, where)
                _check_terms(loss, batches[0], draws, where)
                if stackable:
                    _check_vmap(loss, batches, where)


def _check_terms(loss: DenoisingLoss, batch: Tensors, draws: Tensors, where: str) -> None:
    before = {**copied(batch), **copied(draws)}
    weights = torch.tensor(WEIGHTS, device=batch["noisy"].device, requires_grad=True)
    network = functools.partial(tiny_network, weights)
    for progress in (0.0, 0.5, 1.0):
        with keeping(loss, f"forward must work for {where} at progress {progress}"):
            terms = loss(network, batch, draws, progress)
        scalars = isinstance(terms, dict) and all(isinstance(term, Tensor) and not term.ndim for term in terms.values())
        require(scalars and terms, loss, "forward must return a dict of scalar tensors, one for each term")
        infinite = [name for name, term in terms.items() if not term.isfinite()]
        require(not infinite, loss, f"every term must be finite, and {infinite} is not for {where}")
        disturb_random_state()
        again = loss(network, batch, draws, progress)
        require(all_equal(terms, again), loss, "forward must be pure: the same draws must give the same terms")
    require(all_equal(before, {**batch, **draws}), loss, "forward must not change the batch or the draws")
    total = torch.stack(list(terms.values())).sum()
    require(total.requires_grad, loss, "gradients must reach the network: use what denoise() returns, undetached")
    total.backward()  # type: ignore[no-untyped-call]
    gradient = weights.grad
    reached = gradient is not None and bool(gradient.isfinite().all()) and bool(gradient.any())
    require(reached, loss, f"the gradients of the network must be finite and not all zero for {where}")
    inner, narrow = loss.without_sampling(batch, draws)
    same = all_close(terms, inner(network, narrow, draws, 1.0))
    require(same, loss, "without_sampling must return a loss and a batch that give the same terms")


def _check_vmap(loss: DenoisingLoss, batches: Sequence[Tensors], where: str) -> None:
    """Hold one vmapped call for two images with weights of their own against a loop."""
    draws = [loss.draw(batch, new_generator(7, batch["noisy"].device)) for batch in batches]
    weights = torch.tensor([WEIGHTS, WEIGHTS[::-1]], device=batches[0]["noisy"].device)

    def terms(weights: Tensor, batch: Tensors, draws: Tensors) -> dict[str, Tensor]:
        return loss(functools.partial(tiny_network, weights), batch, draws, 0.5)

    expected = [terms(*each) for each in zip(weights, batches, draws, strict=True)]
    remedy = "mask by multiplying, call no .item(), or set stackable=False on the method and in this check"
    with keeping(loss, f"forward must run under torch.func.vmap ({remedy})"):
        found = vmap(terms)(weights, stacked(batches), stacked(draws))
    require(all_close(stacked(expected), found), loss, f"forward must give the same terms under vmap for {where}")
