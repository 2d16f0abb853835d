"""Where the time of one ``fast`` fit goes: writes docs/results/profile.md.

    python benchmarks/profile_fit.py            a minute; run it with nothing else on the machine

A photograph of scikit-image, 256x256, in colour. The phases are timed by the clock in one fit, the kernels' shares come
from PyTorch's profiler in another.
"""

import functools
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from pictures import example
from torch import nn
from torch.profiler import profile
from torch.utils.flop_counter import FlopCounterMode

from torchdenoise.data import Picture
from torchdenoise.denoisers import EightTurns, Muon, NonLocalRidge, Recorrupted
from torchdenoise.denoisers import recorrupted as method
from torchdenoise.fitting import Options, fit_image
from torchdenoise.noise import line, repeatable
from torchdenoise.recipes import load_recipe

RECIPE = "fast"
NOISE = "gaussian:25:clip"
PAGE = Path(__file__).parent.parent / "docs" / "results" / "profile.md"
PHASES: dict[str, tuple[Any, str]] = {
    "forward passes and the loss, crops included": (Recorrupted, "training_step"),
    "backward passes": (torch.Tensor, "backward"),
    "Muon": (Muon, "step"),
    "eight turns": (EightTurns, "forward"),
    "similar patches": (NonLocalRidge, "_combined"),
    "looking at the noise": (line, "_classes"),
    "looking for correlation": (method, "broken_assumptions"),
}
KERNELS = {
    "convolutions": ("conv",),
    "activations": ("leaky_relu", "threshold"),
    "matrix products and factorisations": ("mm", "cholesky", "linalg", "eigvalsh"),
    "gathering and scattering pixels": ("index", "gather", "topk", "sort", "unfold", "im2col"),
}
SIDE = 2048


def noisy() -> torch.Tensor:
    """Return the picture."""
    return repeatable(NOISE, Picture.from_array(example()).image)


@contextmanager
def watched(seconds: Counter[str]) -> Iterator[None]:
    """Add up the seconds of each phase, less those of the phases that it calls."""
    inner = [0.0]
    with ExitStack() as patches:
        for name, (owner, attribute) in PHASES.items():
            patches.enter_context(
                patch.object(owner, attribute, _timed(getattr(owner, attribute), name, seconds, inner))
            )
        yield


def _timed(function: Callable[..., Any], name: str, seconds: Counter[str], inner: list[float]) -> Callable[..., Any]:
    """Return the function, timed; ``inner`` holds the time of what each phase that is running has called."""

    @functools.wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        begin = time.perf_counter()
        inner.append(0.0)
        try:
            return function(*arguments, **named)
        finally:
            took = time.perf_counter() - begin
            seconds[name] += took - inner.pop()
            inner[-1] += took

    return run


def kernels(fit: Callable[[], Any]) -> Counter[str]:
    """Return the seconds of each kind of kernel."""
    with profile() as seen:
        fit()
    found: Counter[str] = Counter()
    for event in seen.key_averages():
        kind = next((kind for kind, words in KERNELS.items() if any(word in event.key for word in words)), "the rest")
        found[kind] += event.self_cpu_time_total / 1e6
    return found


def work(steps: int) -> float:
    """Return the floating-point operations of all passes through the network."""
    network = Recorrupted().network
    with FlopCounterMode(display=False) as step:
        network(torch.zeros(4, 3, 48, 48)).sum().backward()
    with FlopCounterMode(display=False) as read, torch.no_grad():
        network(torch.zeros(8, 3, 256, 256))
    return steps * step.get_total_flops() + read.get_total_flops()


def peak() -> float:
    """Return the operations a second of a large product in bfloat16, the machine's best."""
    matrix = torch.randn(SIDE, SIDE).bfloat16()
    times = []
    for _ in range(6):
        begin = time.perf_counter()
        matrix @ matrix
        times.append(time.perf_counter() - begin)
    return 2 * SIDE**3 / min(times)


def ceiling() -> float:
    """Return the operations a second of the network's middle layer alone, forward, in bfloat16."""
    layer = nn.Conv2d(32, 32, 3, padding=1).to(torch.bfloat16).to(memory_format=torch.channels_last)
    crops = torch.randn(4, 32, 48, 48).bfloat16().contiguous(memory_format=torch.channels_last)
    times = []
    with torch.no_grad():
        for _ in range(50):
            begin = time.perf_counter()
            layer(crops)
            times.append(time.perf_counter() - begin)
    return 2 * 4 * 48 * 48 * 32 * 32 * 9 / min(times)


def main() -> None:
    """Measure and write the page."""
    plan, image = load_recipe(RECIPE), noisy()
    fit_image(image[..., :64, :64], plan, Options(max_steps=2))
    seconds: Counter[str] = Counter()
    begin = time.perf_counter()
    with watched(seconds):
        fit_image(image, plan, Options())
    whole = time.perf_counter() - begin
    kinds = kernels(lambda: fit_image(image, plan, Options()))
    flops, best, layer = work(plan["trainer"]["max_steps"]), peak(), ceiling()
    rest = whole - sum(seconds.values())
    lines = [
        f"# Where the time of a `{RECIPE}` fit goes",
        "",
        f"256x256 pixels in colour, `{NOISE}`, {torch.get_num_threads()} CPU threads ({platform.machine()}), torch "
        f"{torch.__version__}; printed by `python benchmarks/profile_fit.py`. {whole:.1f} s in all.",
        "",
        "| phase | s | share |",
        "|---|---|---|",
        *(f"| {name} | {seconds[name]:.2f} | {seconds[name] / whole:.0%} |" for name in PHASES),
        f"| the rest: Trainer, building | {rest:.2f} | {rest / whole:.0%} |",
        "",
        "Kernels, by the profiler, which slows small ones down:",
        "",
        "| kernels | share |",
        "|---|---|",
        *(f"| {kind} | {value / kinds.total():.0%} |" for kind, value in kinds.most_common()),
        "",
        f"All passes through the network are {flops / 1e12:.2f} TFLOP. The machine does {best / 1e9:.0f} GFLOP/s in a "
        f"large bfloat16 product, {layer / 1e9:.0f} in the network's middle layer on four crops of 48x48: the passes "
        f"could not take less than {flops / best:.1f} s, and {flops / layer:.1f} s at the layer's own speed.",
        "",
    ]
    PAGE.write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
