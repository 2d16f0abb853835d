"""Steps recorded once on a GPU and replayed: hundreds of tiny kernels then wait for one launch, not for Python."""

import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import lightning
import torch
from torch import Tensor
from typing_extensions import override

from torchdenoise.denoisers import Denoiser, Stack
from torchdenoise.denoisers.parts.losses import Batch, Terms
from torchdenoise.denoisers.steps import Step, directly
from torchdenoise.errors import UserError

Capture = Callable[..., Callable[..., Any]]
"""Records a module for sample arguments and returns its replay, as ``torch.cuda.make_graphed_callables`` does."""
CAPTURES: dict[str, Capture] = {"cuda": torch.cuda.make_graphed_callables}
"""By type of device."""
MOST = 8
"""Graphs of a fit: each holds the memory of a step, and shapes that change again and again would never stop."""


class StepGraphs(lightning.Callback):
    """Records the steps of a fit on a CUDA device as graphs, forward and backward, and replays them.

    The results are those without it, up to rounding. Steps whose shapes do not repeat are never recorded; one that
    cannot be recorded, as its loss looks at a value, is computed as usual, with a warning. It serves any method, alone
    or stacked (``--batch``). A graph holds the memory of a step.

    Raises:
        UserError: in a fit on another device.

    Example:
        >>> trainer = lightning.Trainer(callbacks=[StepGraphs()], logger=False, enable_checkpointing=False)
    """

    @override
    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Take over the computation of steps."""
        device = pl_module.device.type
        if device not in CAPTURES:
            raise UserError(f"graphs: only a CUDA device can record steps, and this fit is on {device}: leave them out")
        if isinstance(pl_module, Denoiser | Stack):
            pl_module.compute = GraphedSteps(CAPTURES[device])

    @override
    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Free the graphs."""
        if isinstance(pl_module, Denoiser | Stack):
            pl_module.compute = directly

    @override
    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Free the graphs."""
        self.on_fit_end(trainer, pl_module)


class GraphedSteps:
    """Computes steps from graphs; each is recorded when a step of its loss, networks and shapes comes again.

    Args:
        capture: records a step.
    """

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._met: set[Hashable] = set()
        self._recorded: dict[Hashable, tuple[Step, Callable[..., Any]]] = {}
        """With the step, whose networks must live as long as their identity is a key."""

    def __call__(self, step: Step, batch: Batch, draws: Batch, progress: float) -> tuple[Terms, Tensor]:
        """Return the terms of a step's loss, and the last output of its network."""
        arguments = _sorted(batch), _sorted(draws), torch.full((), progress, device=batch["noisy"].device)
        key = step.key, *(_shapes(each) for each in arguments[:2])
        if key not in self._recorded:
            if key not in self._met or len(self._recorded) == MOST:
                self._met.add(key)
                return directly(step, batch, draws, progress)
            self._recorded[key] = step, self._record(step, arguments)
        terms, output = self._recorded[key][1](*arguments)
        return terms, output.clone()  # the next replay writes to the same memory

    def _record(self, step: Step, arguments: tuple[Batch, Batch, Tensor]) -> Callable[..., Any]:
        """Return the replay of a step, or the step itself with a warning."""
        batch, draws, progress = arguments
        own = _copied(batch), _copied(draws), progress.clone()  # the graph's inputs, which each replay overwrites
        try:
            with _without_autocast_cache(progress.device.type), _kept_buffers(step):
                return self._capture(step, own, allow_unused_input=True)
        except RuntimeError as error:
            loss, reason = type(step.loss).__name__, str(error).strip().partition("\n")[0]
            warnings.warn(f"{loss}: the step cannot be recorded as a graph and runs without ({reason})", stacklevel=2)
            return step


@contextmanager
def _without_autocast_cache(device_type: str) -> Iterator[None]:
    """Cast weights anew at each use, as a graph must."""
    enabled, dtype = torch.is_autocast_enabled(device_type), torch.get_autocast_dtype(device_type)
    with torch.autocast(device_type, dtype, enabled, cache_enabled=False):
        yield


@contextmanager
def _kept_buffers(step: Step) -> Iterator[None]:
    """Give buffers, such as running means, back their values after the passes of a recording."""
    before = [buffer.clone() for buffer in step.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(step.buffers(), before, strict=True):
                buffer.copy_(value)


def _sorted(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return them in the order of their names: a graph knows its inputs by place."""
    return dict(sorted(tensors.items()))


def _shapes(tensors: Mapping[str, Tensor]) -> Hashable:
    return tuple((name, each.dtype, each.shape) for name, each in tensors.items())


def _copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: each.clone() for name, each in tensors.items()}
