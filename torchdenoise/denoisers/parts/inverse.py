"""Inverses of many small symmetric positive definite matrices."""

import torch
from torch import Tensor

LARGEST_ALONE = 16
"""Rows up to which LAPACK, which takes one matrix after the other, factors a block."""


def spd_inverse(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return the inverses of symmetric positive definite matrices ``(B, n, n)``, and which failed, ``(B,)``.

    By Cholesky's factorisation in blocks, most of whose work is products of blocks, many at a time. A matrix fails if
    it is not positive definite to the precision of its numbers; its inverse is then meaningless.

    Example:
        >>> inverse, failed = spd_inverse(torch.diag(torch.tensor([2.0, 4.0]))[None])
        >>> inverse[0].diagonal(), failed
        (tensor([0.5000, 0.2500]), tensor([False]))
    """
    size = matrix.shape[-1]
    if size <= LARGEST_ALONE:
        factor, info = torch.linalg.cholesky_ex(matrix)
        return torch.cholesky_inverse(factor), info > 0
    half = size // 2
    # L = [[F, 0], [C, S]] and L^-1 = [[F^-1, 0], [B, S^-1]] with B = -S^-1 C F^-1; the inverse is L^-T L^-1.
    first, below, second, failed = _blocks(matrix)
    inverse = torch.empty_like(matrix)
    inverse[:, :half, :half] = torch.baddbmm(first.mT @ first, below.mT, below)
    inverse[:, half:, :half] = corner = second.mT @ below
    inverse[:, :half, half:] = corner.mT
    inverse[:, half:, half:] = second.mT @ second
    return inverse, failed


def _inverse_factor(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return the inverses of the lower triangular factors, and which matrices failed."""
    size = matrix.shape[-1]
    if size <= LARGEST_ALONE:
        factor, info = torch.linalg.cholesky_ex(matrix)
        identity = torch.eye(size, dtype=matrix.dtype, device=matrix.device).expand_as(factor)
        return torch.linalg.solve_triangular(factor, identity, upper=False), info > 0
    half = size // 2
    first, below, second, failed = _blocks(matrix)
    inverse = torch.zeros_like(matrix)
    inverse[:, :half, :half], inverse[:, half:, :half], inverse[:, half:, half:] = first, below, second
    return inverse, failed


def _blocks(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the three blocks of the inverse of the lower triangular factor, and which matrices failed."""
    half = matrix.shape[-1] // 2
    first, failed = _inverse_factor(matrix[:, :half, :half])
    across = matrix[:, half:, :half] @ first.mT
    second, failed_too = _inverse_factor(torch.baddbmm(matrix[:, half:, half:], across, across.mT, alpha=-1))
    return first, (second @ (across @ first)).neg_(), second, failed | failed_too
