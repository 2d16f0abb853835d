"""Muon: momentum whose matrices are orthogonalised, for networks of convolutions."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from torchdenoise.errors import UserError

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the iteration, chosen by Jordan for the steepest slope at zero; singular values end in 0.7..1.2."""


def orthogonalised(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Return matrices ``(..., rows, columns)`` with their singular values all brought near 1, the vectors kept.

    Example:
        >>> stretched = torch.diag(torch.tensor([1.0, 0.1]))
        >>> orthogonalised(stretched).diagonal().round(decimals=1)
        tensor([0.7000, 0.7000])
    """
    a, b, c = QUINTIC
    tall = matrix.shape[-2] > matrix.shape[-1]
    x: Tensor = matrix.mT if tall else matrix
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(Optimizer):
    """Momentum orthogonalised matrix by matrix (Jordan et al., Muon, 2024); Adam for the small rest.

    PyTorch's ``Muon`` takes matrices only. Here a convolution's weight is the matrix of its output channels by all
    else; biases, and weights with a side below ``narrow`` such as those of a last layer with three outputs, go by Adam.

    Args:
        params: tensors, named tensors or groups of them.
        lr: of the matrices; schedules drive both kinds through it.
        momentum: Nesterov's.
        adam_ratio: Adam's rate as a part of ``lr``.
        betas: Adam's.
        narrow: the smallest side of a matrix that is orthogonalised.

    Raises:
        UserError: a rate below 0 or a momentum outside 0..1.

    Example:
        >>> network = SmallCNN(3)
        >>> optimizer = Muon(network.named_parameters(), lr=0.02)
        >>> network(torch.rand(1, 3, 8, 8)).square().mean().backward()
        >>> optimizer.step()
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.02,
        momentum: float = 0.95,
        adam_ratio: float = 0.1,
        betas: tuple[float, float] = (0.9, 0.99),
        narrow: int = 16,
    ) -> None:
        if lr < 0 or not 0 <= momentum < 1:
            raise UserError(f"Muon: lr {lr} must be at least 0 and momentum {momentum} at least 0 and below 1")
        defaults = {"lr": lr, "momentum": momentum, "adam_ratio": adam_ratio, "betas": betas, "narrow": narrow}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step, and return what ``closure`` returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            alike: dict[tuple[int, ...], list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if parameter.ndim >= 2 and min(_matrix(parameter).shape) >= group["narrow"]:
                    alike.setdefault(tuple(_matrix(parameter).shape), []).append(parameter)
                else:
                    self._adam(parameter, group)
            for parameters in alike.values():
                self._orthogonal(parameters, group)
        return loss

    def _orthogonal(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Take a step with parameters of one shape, together: small matrices one by one would cost more calls."""
        directions = []
        for parameter in parameters:
            gradient, state = parameter.grad, self.state[parameter]
            assert gradient is not None
            speed = state.setdefault("momentum", torch.zeros_like(gradient))
            speed.mul_(group["momentum"]).add_(gradient)
            directions.append(_matrix(gradient + group["momentum"] * speed))
        rows, columns = directions[0].shape
        rate = group["lr"] * math.sqrt(max(1.0, rows / columns))
        for parameter, step in zip(parameters, orthogonalised(torch.stack(directions)), strict=True):
            parameter.sub_(step.view(parameter.shape), alpha=rate)

    def _adam(self, parameter: Tensor, group: dict[str, Any]) -> None:
        gradient, state, (first, second) = parameter.grad, self.state[parameter], group["betas"]
        assert gradient is not None
        mean = state.setdefault("mean", torch.zeros_like(gradient))
        square = state.setdefault("square", torch.zeros_like(gradient))
        state["steps"] = steps = state.get("steps", 0) + 1
        mean.lerp_(gradient, 1 - first)
        square.lerp_(gradient.square(), 1 - second)
        scale = (square / (1 - second**steps)).sqrt_().add_(1e-8)
        parameter.addcdiv_(mean, scale, value=-group["lr"] * group["adam_ratio"] / (1 - first**steps))


def _matrix(weight: Tensor) -> Tensor:
    return weight.flatten(1)
