"""Muon for convolutional networks: momentum SGD with orthogonalised updates."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.adam import adam
from typing_extensions import override

from torchdenoise.errors import UserError

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the Newton-Schulz iteration with a steep slope at zero (Jordan); singular values end in 0.7..1.2."""
ITERATIONS = 5


def orthogonalised(matrix: Tensor) -> Tensor:
    """Return matrices ``(..., rows, columns)`` with all singular values near 1 and unchanged singular vectors.

    By a quintic Newton-Schulz iteration, ``x <- p(x x^T) x`` with ``p(g) = a + b g + c g^2``. Polynomials of one Gram
    matrix commute, so that the iteration runs on the small square ``g``: ``g <- p(g) g p(g)``, and the product of all
    ``p(g)`` meets ``x`` once, at the end.

    Example:
        >>> stretched = torch.diag(torch.tensor([1.0, 0.1]))
        >>> orthogonalised(stretched).diagonal().round(decimals=1)
        tensor([0.7000, 0.7000])
    """
    tall = matrix.shape[-2] > matrix.shape[-1]
    wide = matrix.mT if tall else matrix
    x: Tensor = (wide / wide.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)).reshape(-1, *wide.shape[-2:])
    gram = torch.bmm(x, x.mT)
    product = polynomial = _polynomial(gram)
    for _ in range(ITERATIONS - 1):
        gram = torch.bmm(torch.bmm(polynomial, gram), polynomial)
        polynomial = _polynomial(gram)
        product = torch.bmm(polynomial, product)
    x = torch.bmm(product, x).view(wide.shape)
    return x.mT if tall else x


def _polynomial(gram: Tensor) -> Tensor:
    a, b, c = QUINTIC
    result = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
    result.diagonal(dim1=-2, dim2=-1).add_(a)
    return result


class Muon(Optimizer):
    """Muon (Jordan et al., 2024) for weight matrices, Adam for all other parameters.

    PyTorch's ``Muon`` accepts matrices only. Here a convolution's weight is flattened to (output channels, rest).
    Biases, and weights with a side below ``narrow``, such as those of a last layer with three outputs, use Adam.

    Args:
        params: tensors, named tensors or parameter groups.
        lr: learning rate of the matrices; schedules drive Adam's rate through it too.
        momentum: Nesterov momentum, in [0, 1).
        adam_ratio: Adam's learning rate as a fraction of ``lr``.
        betas: Adam's betas.
        narrow: smallest side of a matrix that is orthogonalised.

    Raises:
        UserError: ``lr`` below 0 or ``momentum`` outside [0, 1).

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

    @override
    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step, and return what ``closure`` returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            by_shape: dict[tuple[int, ...], list[Tensor]] = {}
            others = []
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if parameter.ndim >= 2 and min(_matrix(parameter).shape) >= group["narrow"]:
                    by_shape.setdefault(tuple(_matrix(parameter).shape), []).append(parameter)
                else:
                    others.append(parameter)
            for parameters in by_shape.values():
                self._muon(parameters, group)
            if others:
                self._adam(others, group)
        return loss

    def _muon(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Update parameters of one shape by Muon, batched to save calls."""
        directions = []
        for parameter in parameters:
            gradient, state = parameter.grad, self.state[parameter]
            assert gradient is not None
            if not state:
                state["momentum"] = torch.zeros_like(gradient)
            momentum = state["momentum"]
            momentum.mul_(group["momentum"]).add_(gradient)
            directions.append(_matrix(gradient + group["momentum"] * momentum))
        rows, columns = directions[0].shape
        rate = group["lr"] * math.sqrt(max(1.0, rows / columns))
        for parameter, update in zip(parameters, orthogonalised(torch.stack(directions)), strict=True):
            parameter.sub_(update.view(parameter.shape), alpha=rate)

    def _adam(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Update parameters by PyTorch's fused Adam, in one call."""
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
    """Return a weight as (output channels, rest)."""
    return weight.flatten(1)
