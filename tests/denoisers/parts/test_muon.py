import copy

import pytest
import torch
from torch import nn
from torch.optim import Adam

from torchdenoise.denoisers.parts.muon import Muon, orthogonalised
from torchdenoise.errors import UserError


def loss_of(weight, target):
    return (weight - target).square().sum()


@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (32, 32), (3, 4, 24, 40)])
def test_singular_values_become_near_one_and_vectors_stay(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    result = orthogonalised(matrix)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    assert result.shape == matrix.shape
    inside = u.mT @ result @ v.mT  # diagonal, if the vectors are the same
    values = inside.diagonal(dim1=-2, dim2=-1)
    assert values.min() > 0.5
    assert values.max() < 1.3
    assert (inside - torch.diag_embed(values)).abs().max() < 1e-4


def test_a_stack_is_orthogonalised_matrix_by_matrix():
    stack = torch.randn(3, 17, 20, generator=torch.Generator().manual_seed(0))
    scaled = stack * torch.tensor([1.0, 1e-3, 1e3]).view(3, 1, 1)
    alone = torch.stack([orthogonalised(matrix) for matrix in stack])
    assert torch.allclose(orthogonalised(scaled), alone, atol=1e-4)


def test_a_wide_weight_takes_an_orthogonal_nesterov_step():
    weight = nn.Parameter(torch.zeros(40, 2, 3, 3))
    first, second = torch.randn(2, 40, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    optimizer = Muon([weight], lr=0.1, momentum=0.9)
    expected, speed = torch.zeros(40, 18), torch.zeros(40, 18)
    for gradient in (first, second):
        weight.grad = gradient.clone()
        optimizer.step()
        speed = 0.9 * speed + gradient.flatten(1)
        expected -= 0.1 * (40 / 18) ** 0.5 * orthogonalised(gradient.flatten(1) + 0.9 * speed)
    assert torch.allclose(weight.flatten(1), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(7,), (3, 48, 1, 1), (15, 30), ()])
def test_small_parameters_use_adam(shape):
    ours, theirs = (nn.Parameter(torch.zeros(shape)) for _ in range(2))
    optimizers = [Muon([ours], lr=0.03, adam_ratio=0.5, betas=(0.8, 0.9)), Adam([theirs], lr=0.015, betas=(0.8, 0.9))]
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        gradient = torch.randn(shape, generator=generator)
        for weight, optimizer in zip((ours, theirs), optimizers, strict=True):
            weight.grad = gradient.clone()
            optimizer.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_an_idle_parameter_stays_and_the_state_comes_back():
    busy, idle = nn.Parameter(torch.zeros(20, 20)), nn.Parameter(torch.ones(20, 20))
    target = torch.eye(20)
    optimizer = Muon([("busy", busy), ("idle", idle)], lr=0.1)

    def step(used):
        used.zero_grad()
        loss = loss_of(busy, target)
        loss.backward()
        used.step()
        return loss.item()

    losses = [step(optimizer) for _ in range(3)]
    assert losses[2] < losses[0]
    assert torch.equal(idle, torch.ones(20, 20))
    kept, before = copy.deepcopy(optimizer.state_dict()), busy.detach().clone()
    step(optimizer)
    straight = busy.detach().clone()
    busy.data.copy_(before)
    again = Muon([("busy", busy), ("idle", idle)], lr=0.1)
    again.load_state_dict(kept)
    step(again)
    assert torch.equal(busy, straight)


def test_a_closure_is_run_with_gradients():
    weight = nn.Parameter(torch.zeros(4))
    optimizer = Muon([weight])

    def closure():
        loss = loss_of(weight, torch.ones(4))
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4
    assert (weight > 0).all()


@pytest.mark.parametrize(("lr", "momentum"), [(-1, 0.9), (0.1, 1.0), (0.1, -0.1)])
def test_what_cannot_work_is_refused(lr, momentum):
    with pytest.raises(UserError, match=f"Muon: lr {lr} must be at least 0 and momentum {momentum} at least 0"):
        Muon([nn.Parameter(torch.zeros(2))], lr=lr, momentum=momentum)
