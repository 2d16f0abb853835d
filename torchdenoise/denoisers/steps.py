"""What a training step computes between its random draws and the update: a function of tensors alone."""

import functools
from abc import abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from typing_extensions import override

from torchdenoise.denoisers.evaluation import evaluate
from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.networks.calling import PaddedNetwork
from torchdenoise.denoisers.parts.losses import Batch, DenoisingLoss, Terms
from torchdenoise.denoisers.recorder import Recorder


class Step(nn.Module):
    """The loss of one network, or of many stacked ones, as a module of tensors.

    Nothing in it changes from step to step but its arguments, the weights, and ``progress``. So a device can record it
    once and replay it.

    Args:
        loss: of the network or networks.
        networks: whose weights are fitted.
    """

    def __init__(self, loss: DenoisingLoss, networks: Sequence[Network]) -> None:
        super().__init__()
        self.loss = loss
        self._identities = tuple(id(network) for network in networks)

    @property
    def key(self) -> Hashable:
        """Steps with the same key compute the same, as long as their networks live."""
        return str(self.loss.recipe()), self._identities

    @override
    @abstractmethod
    def forward(self, batch: Batch, draws: Batch, progress: float) -> tuple[Terms, Tensor]:
        """Return the terms of the loss, and the last output of the network.

        Args:
            batch: what the loss sees, by key.
            draws: the loss's random draws.
            progress: of the stage, from 0 to 1; perhaps as a scalar tensor.
        """


class SingleStep(Step):
    """The loss of one network.

    Args:
        loss: of the network.
        network: whose weights are fitted.

    Example:
        >>> step = SingleStep(ZSN2NLoss(), SmallCNN(1))
        >>> terms, output = step({"noisy": torch.rand(1, 1, 8, 8)}, {}, 0.0)
        >>> sorted(terms), output.shape
        (['consistency', 'residual'], torch.Size([1, 1, 8, 8]))
    """

    def __init__(self, loss: DenoisingLoss, network: Network) -> None:
        super().__init__(loss, [network])
        self.network = PaddedNetwork(network)

    @override
    def forward(self, batch: Batch, draws: Batch, progress: float) -> tuple[Terms, Tensor]:
        """Return scalar terms."""
        denoise = Recorder(self.network, batch["noisy"].device.type)
        return evaluate(self.loss, denoise, dict(batch), dict(draws), progress), denoise.output


class StackedStep(Step):
    """The losses of networks of the same shape, each on its own image, by ``torch.func.vmap``.

    Args:
        loss: of each network.
        networks: whose weights are fitted.

    Example:
        >>> step = StackedStep(ZSN2NLoss(), [SmallCNN(1), SmallCNN(1)])
        >>> terms, output = step({"noisy": torch.rand(2, 1, 1, 8, 8)}, {}, 0.0)
        >>> terms["residual"].shape, output.shape
        (torch.Size([2]), torch.Size([2, 1, 1, 8, 8]))
    """

    def __init__(self, loss: DenoisingLoss, networks: Sequence[Network]) -> None:
        super().__init__(loss, networks)
        self.networks = nn.ModuleList([PaddedNetwork(network) for network in networks])

    @override
    def forward(self, batch: Batch, draws: Batch, progress: float) -> tuple[Terms, Tensor]:
        """Return terms ``(N,)`` for N images, which are stacked in the batch and in the draws."""
        parameters = stacked([dict(network.named_parameters()) for network in self.networks])
        call, device_type = self.networks[0], batch["noisy"].device.type

        def one(parameters: Batch, batch: Batch, draws: Batch) -> tuple[Terms, Tensor]:
            denoise = Recorder(functools.partial(_called, call, parameters), device_type)
            return evaluate(self.loss, denoise, dict(batch), dict(draws), progress), denoise.output

        found: tuple[Terms, Tensor] = vmap(one)(parameters, batch, draws)
        return found


class Compute(Protocol):
    """How a fit computes its steps; replace a module's ``compute`` to compute them otherwise."""

    def __call__(self, step: Step, batch: Batch, draws: Batch, progress: float) -> tuple[Terms, Tensor]:
        """Return what ``step`` returns."""


def directly(step: Step, batch: Batch, draws: Batch, progress: float) -> tuple[Terms, Tensor]:
    """Compute a step operation by operation."""
    found: tuple[Terms, Tensor] = step(batch, draws, progress)
    return found


def stacked(each: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return dicts of tensors of the same shapes as one.

    Example:
        >>> stacked([{"a": torch.zeros(3)}, {"a": torch.ones(3)}])["a"].shape
        torch.Size([2, 3])
    """
    return {name: torch.stack([one[name] for one in each]) for name in each[0]}


def _called(network: nn.Module, parameters: Mapping[str, Tensor], image: Tensor, /, **extra: Any) -> Tensor:
    """Return the output of a network with the given parameters in place of its own."""
    result: Tensor = functional_call(network, dict(parameters), (image,), extra)
    return result
