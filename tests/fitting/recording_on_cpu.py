"""A recorder of steps for the CPU, which stands in for CUDA's graphs: it traces operations once and replays them.

What a graph cannot hold, it cannot hold either: a value that Python looks at, or one that Python computes anew at each
step and that is no argument.
"""

import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree


def refuse_copies(graph):
    """Raise an error if a tensor is made from Python's numbers: a GPU would have to wait for the copy."""
    if any(node.target is torch.ops.aten.lift_fresh_copy.default for node in graph.graph.nodes):
        raise RuntimeError("a tensor is copied to the device")


def traced(step, sample_args, allow_unused_input):
    assert allow_unused_input
    leaves, arguments_form = pytree.tree_flatten(sample_args)
    parameters = [each for each in step.parameters() if each.requires_grad]
    form = None

    def forward(*flat):
        nonlocal form
        outputs, form = pytree.tree_flatten(step(*pytree.tree_unflatten(flat, arguments_form)))
        return outputs

    def backward(flat, gradients):
        with torch.enable_grad():
            outputs = forward(*flat)
            pairs = [(each, grad) for each, grad in zip(outputs, gradients, strict=True) if each.requires_grad]
            depending, known = zip(*pairs, strict=True)
            return torch.autograd.grad(depending, parameters, known, allow_unused=True)

    with torch.no_grad():
        forward_graph = make_fx(forward)(*leaves)
        refuse_copies(forward_graph)
        ones = [torch.ones_like(each) for each in forward_graph(*leaves)]
    backward_graph = make_fx(backward)(leaves, ones)

    class Replayed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *flat):
            ctx.leaves = flat[: len(leaves)]
            with torch.no_grad():
                return tuple(forward_graph(*ctx.leaves))

        @staticmethod
        def backward(ctx, *gradients):
            with torch.no_grad():
                before = [buffer.clone() for buffer in step.buffers()]
                found = backward_graph(ctx.leaves, list(gradients))  # passes forward once more
                for buffer, value in zip(step.buffers(), before, strict=True):
                    buffer.copy_(value)
            return *(None for _ in leaves), *found

    def replay(*arguments):
        replay.calls += 1
        flat = pytree.tree_leaves(arguments)
        return pytree.tree_unflatten(list(Replayed.apply(*flat, *parameters)), form)

    replay.calls = 0
    traced.made.append(replay)
    return replay


traced.made = []
