"""Inverses of positive definite matrices, against NumPy's."""

import numpy as np
import pytest
import torch

from torchdenoise.denoisers.parts.inverse import LARGEST_ALONE, spd_inverse


def definite(size, number=3, ridge=0.1):
    rows = torch.randn(number, size, 2 * size, generator=torch.Generator().manual_seed(size))
    return rows @ rows.mT / size + ridge * torch.eye(size)


@pytest.mark.parametrize("size", [1, 2, 7, LARGEST_ALONE, LARGEST_ALONE + 1, 33, 64, 90, 128])
def test_it_is_the_inverse(size):
    matrices = definite(size)
    before = matrices.clone()
    inverse, failed = spd_inverse(matrices)
    assert not failed.any()
    assert np.allclose(inverse.numpy(), np.linalg.inv(matrices.double().numpy()), atol=1e-4)
    assert torch.allclose(inverse, inverse.mT, atol=1e-5)
    assert torch.equal(matrices, before)


@pytest.mark.parametrize("row", [0, 20, 63])
def test_the_matrices_that_are_not_definite_are_named(row):
    matrices = definite(64)
    matrices[1, row, row] = -1
    inverse, failed = spd_inverse(matrices)
    assert failed.tolist() == [False, True, False]
    assert np.allclose(inverse[[0, 2]].numpy(), np.linalg.inv(matrices[[0, 2]].double().numpy()), atol=1e-4)


def test_rounding_errors_stay_those_of_a_factorisation():
    """A pilot of bright similar patches with little noise: eigenvalues from 1e-3 to 1e3."""
    patches = torch.rand(4, 1, 64) + 0.02 * torch.randn(4, 64, 64, generator=torch.Generator().manual_seed(0))
    matrices = patches @ patches.mT + 1e-3 * torch.eye(64)
    true = torch.linalg.inv(matrices.double())
    alone = torch.cholesky_inverse(torch.linalg.cholesky(matrices))
    errors = [(each - true).abs().max() / true.abs().max() for each in (spd_inverse(matrices)[0], alone)]
    assert errors[0] < 10 * errors[1]
    assert errors[0] < 0.05
