"""Profile of one ``fast`` fit, and ZS-N2N's speed relative to the machine's peak: writes profile.md.

    python benchmarks/profile_fit.py            a minute; run it on an idle machine

A photograph of scikit-image, 256x256, in colour. One fit is timed by phase, another by kernel, with PyTorch's profiler.
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

import lightning
import torch
from pictures import example
from torch import nn
from torch.profiler import profile
from torch.utils.flop_counter import FlopCounterMode

from torchdenoise.data import Picture
from torchdenoise.denoisers import EightTurns, Muon, NonLocalRidge, Recorrupted
from torchdenoise.fitting import Options, fit_image
from torchdenoise.noise import measuring, repeatable
from torchdenoise.recipes import load_recipe

RECIPE = "fast"
NOISE = "gaussian:25:clip"
PAGE = Path(__file__).parent.parent / "docs" / "results" / "profile.md"
PHASES: dict[str, tuple[Any, str]] = {
    "forward passes and the loss, crops included": (Recorrupted, "training_step"),
    "backward passes": (torch.Tensor, "backward"),
    "Muon": (Muon, "step"),
    "eight turns": (EightTurns, "forward"),
    "similar patches": (NonLocalRidge, "_estimate"),
    "measuring the noise": (measuring, "measure_noise"),
}
KERNELS = {
    "convolutions": ("conv",),
    "activations": ("leaky_relu", "threshold"),
    "matrix products and factorisations": ("mm", "cholesky", "linalg", "eigvalsh", "triangular"),
    "gathering and scattering pixels": ("index", "gather", "scatter", "topk", "sort", "unfold", "im2col"),
}
SIDE = 2048
ZSN2N = {"zsn2n": torch.float32, "zsn2n-bf16": torch.bfloat16}
STEPS = 60
"""Timed steps of ZS-N2N."""


def noisy() -> torch.Tensor:
    """Return the noisy image."""
    return repeatable(NOISE, Picture.from_array(example()).image)


@contextmanager
def timed_phases(seconds: Counter[str]) -> Iterator[None]:
    """Add up the seconds of each phase, without the phases that it calls."""
    inner = [0.0]
    with ExitStack() as patches:
        for name, (owner, attribute) in PHASES.items():
            patches.enter_context(
                patch.object(owner, attribute, _timed(getattr(owner, attribute), name, seconds, inner))
            )
        yield


def _timed(function: Callable[..., Any], name: str, seconds: Counter[str], inner: list[float]) -> Callable[..., Any]:
    """Return the function, timed; ``inner`` is a stack with the time that each running phase spent in inner phases."""

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
    with profile() as profiler:
        fit()
    found: Counter[str] = Counter()
    for event in profiler.key_averages():
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


def fastest(function: Callable[[], Any], times: int) -> float:
    """Return the seconds of the fastest call."""
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def peak(kind: torch.dtype) -> float:
    """Return the operations per second of a large matrix product."""
    matrix = torch.randn(SIDE, SIDE).to(kind)
    return 2 * SIDE**3 / fastest(lambda: matrix @ matrix, 6)


@torch.no_grad()
def ceiling(kind: torch.dtype, width: int, crops: int, side: int) -> float:
    """Return the operations per second of a network's middle layer alone, forward."""
    layer = nn.Conv2d(width, width, 3, padding=1).to(kind).to(memory_format=torch.channels_last)
    pixels = torch.randn(crops, width, side, side).to(kind).contiguous(memory_format=torch.channels_last)
    return 2 * crops * side**2 * width**2 * 9 / fastest(lambda: layer(pixels), 50)


def zsn2n_lines(image: torch.Tensor) -> Iterator[str]:
    """Yield a row for ZS-N2N in each precision; its steps are timed as a long fit minus a short one."""
    for recipe, kind in ZSN2N.items():
        plan = load_recipe(recipe)

        def fit(steps: int, plan: dict[str, Any] = plan) -> None:
            fit_image(image, plan, Options(max_steps=steps))

        counters = [FlopCounterMode(display=False) for _ in range(2)]
        for steps, counter in enumerate(counters, 1):
            with counter:
                fit(steps)
        flops = counters[1].get_total_flops() - counters[0].get_total_flops()
        short, long = (fastest(functools.partial(fit, steps), 3) for steps in (1, 1 + STEPS))
        rate = STEPS / (long - short)
        done, best, layer = flops * rate, peak(kind), ceiling(kind, 48, 1, image.shape[-1])
        speeds = " | ".join(f"{number / 1e9:.0f}" for number in (done, layer, best))
        yield f"| `{recipe}` | {rate:.1f} | {flops / 1e9:.1f} | {speeds} | {done / layer:.0%} |"


def main() -> None:
    """Measure and write the page."""
    plan, image = load_recipe(RECIPE), noisy()
    fit_image(image[..., :64, :64], plan, Options(max_steps=2))
    seconds: Counter[str] = Counter()
    begin = time.perf_counter()
    with timed_phases(seconds):
        fit_image(image, plan, Options())
    whole = time.perf_counter() - begin
    kinds = kernels(lambda: fit_image(image, plan, Options()))
    flops, best = work(plan["trainer"]["max_steps"]), peak(torch.bfloat16)
    layer = ceiling(torch.bfloat16, 32, 4, 48)
    rest = whole - sum(seconds.values())
    lines = [
        f"# Where the time of a `{RECIPE}` fit goes",
        "",
        f"Scikit-image's cat, 256x256 pixels in colour, `{NOISE}`, seed 0, {plan['trainer']['max_steps']} steps, "
        f"{torch.get_num_threads()} CPU threads ({platform.machine()}), torch {torch.__version__}, lightning "
        f"{lightning.__version__}; printed by `python benchmarks/profile_fit.py`. {whole:.1f} s in all.",
        "",
        "| phase | s | share |",
        "|---|---|---|",
        *(f"| {name} | {seconds[name]:.2f} | {seconds[name] / whole:.0%} |" for name in PHASES),
        f"| the rest: Trainer, construction | {rest:.2f} | {rest / whole:.0%} |",
        "",
        "Kernels, by the profiler, which slows down small ones:",
        "",
        "| kernels | share |",
        "|---|---|",
        *(f"| {kind} | {value / kinds.total():.0%} |" for kind, value in kinds.most_common()),
        "",
        f"All passes through the network are {flops / 1e12:.2f} TFLOP. The machine does {best / 1e9:.0f} GFLOP/s in a "
        f"large bfloat16 product, {layer / 1e9:.0f} in the network's middle layer on four crops of 48x48: the passes "
        f"would take {flops / best:.1f} s at the first speed and {flops / layer:.1f} s at the second. So "
        f"{1 - flops / layer / whole:.0%} of the fit is overhead beyond the network's kernels.",
        "",
        "## ZS-N2N",
        "",
        f"{STEPS} steps on the same image. The layer: the middle one, 3x3 and 48 wide, forward, whole image.",
        "",
        "| recipe | steps per second | GFLOP per step | GFLOP/s | the layer alone | a large product | of the layer |",
        "|---|---|---|---|---|---|---|",
        *zsn2n_lines(image),
        "",
    ]
    PAGE.write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
