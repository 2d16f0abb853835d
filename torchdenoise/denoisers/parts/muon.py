"""Muon: momentum whose matrices are orthogonalised, for networks of convolutions."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.adam import adam

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
    wide = matrix.mT if tall else matrix
    x: Tensor = (wide / wide.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)).reshape(-1, *wide.shape[-2:])
    for _ in range(iterations):
        gram = torch.bmm(x, x.mT)
        # a x + (b gram + c gram^2) x, in as few calls: of small matrices the calls are what takes time
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    x = x.view(wide.shape)
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
            rest = []
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if parameter.ndim >= 2 and min(_matrix(parameter).shape) >= group["narrow"]:
                    alike.setdefault(tuple(_matrix(parameter).shape), []).append(parameter)
                else:
                    rest.append(parameter)
            for parameters in alike.values():
                self._orthogonal(parameters, group)
            if rest:
                self._adam(rest, group)
        return loss

    def _orthogonal(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Take a step with parameters of one shape, together: small matrices one by one would cost more calls."""
        directions = []
        for parameter in parameters:
            gradient, state = parameter.grad, self.state[parameter]
            assert gradient is not None
            if not state:
                state["momentum"] = torch.zeros_like(gradient)
            speed = state["momentum"]
            speed.mul_(group["momentum"]).add_(gradient)
            directions.append(_matrix(gradient + group["momentum"] * speed))
        rows, columns = directions[0].shape
        rate = group["lr"] * math.sqrt(max(1.0, rows / columns))
        for parameter, step in zip(parameters, orthogonalised(torch.stack(directions)), strict=True):
            parameter.sub_(step.view(parameter.shape), alpha=rate)

    def _adam(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Take a step with all parameters by PyTorch's Adam, in one call where their device has one."""
        states = [self.state[parameter] for parameter in parameters]
        for parameter, state in zip(parameters, states, strict=True):
            if not state:
                state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
                state["steps"] = torch.zeros((), device=parameter.device)
        beta1, beta2 = group["betas"]
        adam(
            parameters,
            [parameter.grad for parameter in parameters if parameter.grad is not None],
            [state["mean"] for state in states],
            [state["square"] for state in states],
            [],
            [state["steps"] for state in states],
            fused=True,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"] * group["adam_ratio"],
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )


def _matrix(weight: Tensor) -> Tensor:
    return weight.flatten(1)
